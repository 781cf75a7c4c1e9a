pub mod api;
pub mod list;
