//! The API of Stripe, as far as it is used, and the messages that it sends.
//!
//! [`client`] sends one request and reads its answer, [`api`] is each call, [`objects`] what the answers say, [`error`] why
//! there is none. [`signature`] and [`event`] are about what Stripe sends. Nothing here reads the database: what follows
//! from an answer is the caller's.

pub mod api;
pub mod client;
pub mod error;
pub mod event;
pub mod objects;
pub mod signature;
