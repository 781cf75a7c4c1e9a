pub(super) use crate::domain::base::words::counted;
