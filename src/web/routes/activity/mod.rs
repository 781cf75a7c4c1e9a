//! Activity: what happened in a workspace.

pub mod api;
pub mod list;
#[cfg(feature = "bench")]
pub mod sample;
pub mod undo;
