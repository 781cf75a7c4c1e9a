//! Users, as the API knows them.

pub mod directory;
pub mod provision;
