//! The rules and the queries: the only code that can reach a connection.
//!
//! [`enforce`] checks every access. What a workspace or an account holds is reached through a handle that
//! `enforce` made, and the handle's type says what was checked.

pub mod activity;
pub mod attention;
pub mod backup;
pub mod base;
pub mod decisions;
pub mod demo;
mod digest;
pub mod effective_access;
pub mod enforce;
pub mod event_messages;
pub mod events;
pub mod gateway;
pub mod housekeeping;
pub mod nouns;
pub mod overview;
pub mod preview;
pub mod quick_start;
pub mod records;
pub mod seed;
pub mod undo;

pub use base::{
    conflict::CHANGED,
    connect::{OpenError, POSTGRES_PLANS},
    db::Db,
    event::Recorded,
    gateway_stage::GatewayStage,
    invalid::Invalid,
    outage::Outage,
    outbox,
    refused::{MissingPermission, NoCredit, NotAdmin, Refused},
    selection::Selection,
    statements::{Counter, Transcript},
    text_rule::{Complaint, TextRule},
    tokens::{Purpose, Token},
    traffic_log::{TrafficLog, entry::TrafficEntry},
    values::{Description, Email, ExternalId, Message, Name, SearchText, Slug, Title},
};
pub use enforce::{checkpoint, erasure, verify};
