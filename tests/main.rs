//! Every integration test, in one binary: one link, one template database, one list of files.
//!
//! See `tests/README.md` for how to write one; `bin/test` runs them all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod abuse;
mod activity;
mod invitations;
mod members;
mod organization;
mod people;
mod policy;
mod security;
mod support;

// A file a noun, added here as each is written:
// mod crawl;          // a form is on a page if and only if its POST is allowed
// mod durability;     // kill -9 while writing
// mod first_start;    // the house itself: health, configuration, commands
// mod input;          // bad input anywhere: 4xx, the field named, everything typed kept
// mod mail;           // the outbox, to files and to a real SMTP server
// mod matrix;         // every route × every role × own, another's, unknown
// mod races;          // twenty at once, on real connections
// mod roles;
// mod statements;     // how many SQL statements a page costs
// mod workspaces;
