//! Accounts: the tenant's people and workspaces.

pub mod detail;
pub mod people;
pub mod requests;
