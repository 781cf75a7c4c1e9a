//! Roles.

pub mod api;
pub mod comparison;
pub mod deletion;
pub mod detail;
pub mod fields;
pub mod list;
pub mod new;
