//! Events that are delivered to destinations.

pub mod actions;
pub mod api;
pub mod detail;
pub mod page;
pub mod settings;
