//! Workspaces: a person's list, and the API.

pub mod api;
pub mod deleted;
pub mod origins;
pub mod pages;
pub mod waiting;
