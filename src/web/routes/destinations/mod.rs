//! Destinations.

pub mod api;
pub mod api_parts;
pub mod credential;
pub mod deletion;
pub mod detail;
pub mod list;
pub mod new;
pub mod senders;
