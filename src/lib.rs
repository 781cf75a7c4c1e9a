//! Bailiwick decides who may do what inside a workspace.
//!
//! [`policy`] holds the rules (pure), [`domain`] the data they are applied to, [`web`] the pages.
//! `ARCHITECTURE.md` is the map.

pub mod archive;
mod archives;
pub mod backup;
pub mod clock;
pub mod config;
mod connection;
mod departure;
pub mod domain;
pub mod entity;
mod framing;
pub mod invoices;
mod listen;
pub mod mail;
mod monitoring;
pub mod note;
pub mod outbound;
pub mod payments;
pub mod policy;
mod private;
mod random;
pub mod secret;
pub mod startup;
pub mod stripe;
pub mod support;
pub mod telemetry;
pub mod visible;
pub mod web;
mod webhooks;
mod workers;
