//! Requests for access: asking, and answering.

pub mod api;
pub mod detail;
pub mod list;
pub mod new;
