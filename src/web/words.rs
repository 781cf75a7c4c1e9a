//! Small pieces of sentences.

pub(super) use crate::domain::base::words::{called_now, pluralize};
