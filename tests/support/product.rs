//! What the tests use of the product by its own names. Nothing else in this folder names a path inside
//! the crate, so a definition that moves there is followed here alone.

pub use bailiwick::{
    clock::{Clock, DAY},
    config::{Config, Mail, ProxyHeader, SignUp},
    domain::nouns::{
        billing, credits, identity::first::first_sign_up, invitations::mail::is_wanted,
        organization::deletion::PORTIONS, purchases, support::operator::pages as support_pages, traffic,
    },
    domain::outbox::DeliveryError,
    domain::{
        Db, Description, GatewayStage, Name, POSTGRES_PLANS, Purpose, Slug, TextRule, Token, TrafficEntry,
        checkpoint, demo, erasure, housekeeping, outbox, seed, verify,
    },
    invoices::{InvoiceCommand, InvoiceError, execute as run_invoice},
    note::{self, Signer},
    outbound::{
        address::{AddressClass, class, networks},
        body::{BodyError, OutboundBody},
        client::{Outbound, OutboundResponse, Target},
        failure::{Failure, Part, Phase, TlsFault},
        limits::Limits,
        loops::LoopToken,
        rules::OwnAddresses,
        settings::OutboundSettings,
    },
    policy::{BuiltIn, Holdings, Needs, Permission, Right, Scope, ScopeError, Why, why},
    secret::InstallationSecret,
    startup::{Application, Counter, Transcript, audit_signer},
    support::{SupportCommand, SupportError, execute as run_support},
    web::{
        face::Face,
        routes::{Requirement, Route, call_rows, page_rows},
    },
};
