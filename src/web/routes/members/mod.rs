//! Members: people and API keys of a workspace.

pub mod api;
pub mod detail;
pub mod effective_access;
pub mod leave;
pub mod list;
pub mod new;
pub mod row;
#[cfg(feature = "bench")]
pub mod sample;
pub mod selection;
