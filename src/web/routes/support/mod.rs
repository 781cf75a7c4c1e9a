//! Support: requests, and access for a limited time.

pub mod access;
pub mod api;
pub mod detail;
pub mod link;
pub mod list;
pub mod new;
