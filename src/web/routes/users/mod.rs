pub mod directory;
pub mod provision;
