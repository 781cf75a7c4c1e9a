//! Transfer of ownership.

pub mod api;
pub mod pages;
