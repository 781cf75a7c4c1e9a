//! Decisions: OpenID AuthZEN 1.0.

pub mod evaluation;
pub mod parse;
pub mod schema;
pub mod search;
