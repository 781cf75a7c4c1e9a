//! Members: people and API keys of a workspace.

pub mod api;
pub mod detail;
pub mod effective_access;
pub mod end;
pub mod end_api;
mod ends;
pub mod keys;
pub mod leave;
pub mod list;
pub mod new;
pub mod offboarding;
mod remaining_keys;
pub mod row;
#[cfg(feature = "bench")]
pub mod sample;
pub mod selection;
