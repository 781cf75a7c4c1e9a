pub mod api;
pub mod list;
pub mod recipient;
pub mod selection;
