//! Small pieces of sentences.

pub(super) use crate::domain::base::words::pluralize;
