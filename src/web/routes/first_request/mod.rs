//! The quick start of a workspace: a test key, a host, and a first request through the gateway.

pub mod page;
mod result;
mod send;
pub mod sending;
mod test_request;
