//! The nouns: what each one's rules are, who may change it, and what is recorded.
//!
//! A noun is a file or a folder. It may use what another noun keeps in `records`, and the rules of another
//! noun in one direction only.

pub mod access_requests;
pub mod accounts;
pub mod administration;
pub mod api_keys;
pub mod billing;
pub mod choices;
pub mod credits;
pub mod deliveries;
pub mod destinations;
pub mod directory;
pub mod exports;
pub mod identity;
pub mod invitations;
pub mod joining;
pub mod members;
pub mod notices;
pub mod offboarding;
pub mod organization;
pub mod own_deletion;
pub mod ownership;
pub mod purchases;
pub mod resources;
pub mod roles;
pub mod security;
pub mod separation;
pub mod support;
pub mod teams;
pub mod traffic;
pub mod workspaces;

use crate::domain::{base::event::NounEvents, enforce};

/// The events of each noun, in the order in which the filter of Activity lists them.
pub(in crate::domain) const EVENTS: &[NounEvents] = &[
    workspaces::events::EVENTS,
    organization::events::EVENTS,
    members::events::EVENTS,
    offboarding::events::EVENTS,
    access_requests::events::EVENTS,
    ownership::events::EVENTS,
    invitations::events::EVENTS,
    joining::events::EVENTS,
    roles::events::EVENTS,
    teams::events::EVENTS,
    api_keys::events::EVENTS,
    resources::events::EVENTS,
    destinations::events::EVENTS,
    deliveries::events::EVENTS,
    credits::events::EVENTS,
    purchases::events::EVENTS,
    billing::events::EVENTS,
    exports::events::EVENTS,
    support::events::EVENTS,
    accounts::events::EVENTS,
    administration::events::EVENTS,
    identity::events::EVENTS,
    own_deletion::events::EVENTS,
    enforce::events::EVENTS,
];
