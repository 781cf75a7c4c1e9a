//! Traffic: the requests that went through the gateway.

pub mod api;
mod chart;
pub mod figures;
pub mod list;
