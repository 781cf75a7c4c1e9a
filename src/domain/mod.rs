//! The rules and the queries: the only code that can reach a connection.
//!
//! [`scope`] is the way in. What a workspace holds is reached through a handle that `scope` made,
//! and the handle's type says which permission was checked. A noun a file.

mod audit;
mod db;
mod limits;
mod owners;
mod readers;
mod refused;
mod selection;
mod tokens;
mod values;

pub mod access;
pub mod accounts;
pub mod activity;
pub mod api_keys;
pub mod chain;
pub mod decisions;
pub mod demo;
pub mod directory;
pub mod idempotency;
pub mod identity;
pub mod invitations;
pub mod members;
pub mod notices;
pub mod organization;
pub mod outbox;
pub mod overview;
pub mod ownership;
pub mod paging;
pub mod preview;
pub mod resources;
pub mod roles;
pub mod scope;
pub mod security;
pub mod seed;
pub mod teams;
pub mod undo;
pub mod workspaces;

pub use audit::{Event, Recorded, RoleIds};
use audit::{Target, TargetKind};
pub use db::{Counter, Db, OpenError, POSTGRES_PLANS, Transcript};
pub use refused::{Conflict, Gone, Invalid, Missing, NotAdmin, Refused, TeamWithRole, WrongAddress};
pub use selection::Selection;
pub use tokens::{Purpose, Token};
pub use values::{Complaint, Description, Email, ExternalId, Message, Name, Slug, search_text};
