//! Resources that applications registered.

pub mod api;
pub mod list;
