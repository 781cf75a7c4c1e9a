pub mod api;
pub mod guarded;
pub mod list;
#[cfg(feature = "bench")]
pub mod sample;
pub mod undo;
