//! The same domain functions for programs: JSON in and out, by API key. A noun a file, the same nouns
//! as in `pages/`.

pub mod body;
pub mod call;
pub(super) mod idempotency;
pub mod idempotency_key;
pub(super) mod input;
pub mod openapi;
pub mod operation;
pub(super) mod reply;
pub(super) mod spec;
