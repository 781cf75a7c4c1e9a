//! The machinery of the API: how calls are read, executed once, responded to and described. Its handlers are
//! beside the pages of their nouns, in [`routes`](crate::web::routes).

pub mod body;
pub mod call;
pub(in crate::web) mod example;
pub(super) mod idempotency;
pub(super) mod if_match;
pub(super) mod input;
pub mod openapi;
pub mod operation;
pub(super) mod part;
pub(super) mod reply;
pub(super) mod spec;
