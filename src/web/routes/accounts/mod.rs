pub mod api_keys;
pub mod detail;
pub mod people;
