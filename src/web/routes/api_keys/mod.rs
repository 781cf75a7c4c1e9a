//! API keys.

pub mod add;
pub mod api;
pub mod detail;
pub mod list;
pub mod new;
pub mod parts;
