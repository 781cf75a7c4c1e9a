//! Accounts: the tenant's people, keys and workspaces.

pub mod api_keys;
pub mod detail;
pub mod people;
