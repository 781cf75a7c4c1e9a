//! Teams.

pub mod api;
pub mod detail;
pub mod list;
pub mod people;
