//! The Security page: one row a permission.

pub mod api;
pub mod pages;
#[cfg(feature = "bench")]
pub mod sample;
pub mod separation;
