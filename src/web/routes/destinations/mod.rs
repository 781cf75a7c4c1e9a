//! Destinations.

pub mod api;
pub mod deletion;
pub mod detail;
pub mod list;
pub mod new;
