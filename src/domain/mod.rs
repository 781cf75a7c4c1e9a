//! The rules and the queries: the only code that can reach a connection.
//!
//! [`enforce`] is the way in. What a workspace or an account holds is reached through a handle that
//! `enforce` made, and the handle's type says what was checked. A noun a file, or a folder.

pub mod accounts;
pub mod activity;
pub mod api_keys;
pub mod base;
pub mod decisions;
pub mod demo;
pub mod directory;
pub mod effective_access;
pub mod enforce;
pub mod events;
pub mod housekeeping;
pub mod identity;
pub mod invitations;
pub mod members;
pub mod notices;
pub mod organization;
pub mod overview;
pub mod ownership;
pub mod preview;
pub mod records;
pub mod resources;
pub mod roles;
pub mod security;
pub mod seed;
pub mod teams;
pub mod undo;
pub mod workspaces;

pub use base::{
    conflict::CHANGED,
    connect::{OpenError, POSTGRES_PLANS},
    db::Db,
    event::Recorded,
    invalid::Invalid,
    outbox,
    refused::{Missing, NotAdmin, Refused},
    selection::Selection,
    statements::{Counter, Transcript},
    text_rule::{Complaint, TextRule},
    tokens::{Purpose, Token},
    values::{Description, Email, ExternalId, Message, Name, SearchText, Slug},
};
pub use enforce::chain;
