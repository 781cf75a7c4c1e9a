//! Audit events of links that several people join by, and of domains whose people join by themselves.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Target, TargetKind},
            reason::AuditReason,
            words::pluralize,
        },
        nouns::invitations::events::as_offered,
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<JoinLinkCreated>(),
    EventKind::of::<JoinLinkRevoked>(),
    EventKind::of::<JoinLinkUsed>(),
    EventKind::of::<JoinLinkTakenOver>(),
    EventKind::of::<JoinDomainAdded>(),
    EventKind::of::<JoinDomainVerified>(),
    EventKind::of::<JoinDomainUnverified>(),
    EventKind::of::<JoinDomainRemoved>(),
    EventKind::of::<JoinDomainUsed>(),
    EventKind::of::<JoinDomainTakenOver>(),
])
.with_reasons(&[OTHER_DOMAIN, LEFT_BEFORE]);

pub(in crate::domain) const OTHER_DOMAIN: AuditReason =
    AuditReason::new("other-domain", "an address of another domain");

pub(in crate::domain) const LEFT_BEFORE: AuditReason = AuditReason::new("left-before", "was a member before");

const LINK: TargetKind = TargetKind::new("join-link");
const DOMAIN: TargetKind = TargetKind::new("join-domain");

pub(in crate::domain) fn link_target(id: Uuid, name: &str) -> Target {
    Target::new(LINK, id, name)
}

pub(in crate::domain) fn domain_target(id: Uuid, domain: &str) -> Target {
    Target::new(DOMAIN, id, domain)
}

/// A link was made by which several people can join.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinLinkCreated {
    pub roles: Vec<String>,
    pub teams: Vec<String>,
    pub max_uses: i64,
    pub expires_at: Timestamp,
    /// The domains of the addresses that may use it; empty for all.
    pub domains: Vec<String>,
}

impl AuditEvent for JoinLinkCreated {
    const NAME: &'static str = "join_link_created";
    const KIND: &'static str = "invitation.link-created";
    const LABEL: &'static str = "Join link created";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let uses = pluralize(self.max_uses, "person", "people");
        let domains = match self.domains.as_slice() {
            [] => String::new(),
            domains => format!(", with addresses at {}", domains.join(", ")),
        };
        let offered = as_offered(&self.roles, &self.teams);
        EventSentence::new("created the join link", row.target)
            .detail(format!("for {uses}{domains}, {offered}"))
    }
}

/// A link was revoked.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinLinkRevoked {
    pub uses: i64,
}

impl AuditEvent for JoinLinkRevoked {
    const NAME: &'static str = "join_link_revoked";
    const KIND: &'static str = "invitation.link-revoked";
    const LABEL: &'static str = "Join link revoked";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let uses = pluralize(self.uses, "person", "people");
        EventSentence::new("revoked the join link", row.target).detail(format!("by which {uses} joined"))
    }
}

/// Somebody became a member by a link.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinLinkUsed {
    pub roles: Vec<String>,
    pub teams: Vec<String>,
    /// The name of whoever answers for the link, with their address.
    pub inviter: String,
}

impl AuditEvent for JoinLinkUsed {
    const NAME: &'static str = "join_link_used";
    const KIND: &'static str = "invitation.link-used";
    const LABEL: &'static str = "Joined by a link";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("joined by the link", row.target)
            .rest(format!("of {}", self.inviter))
            .detail(as_offered(&self.roles, &self.teams))
    }
}

/// Somebody else answers for a link, because whoever did was removed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinLinkTakenOver {
    /// The name of who answered for it before, with their address.
    pub from: String,
}

impl AuditEvent for JoinLinkTakenOver {
    const NAME: &'static str = "join_link_taken_over";
    const KIND: &'static str = "invitation.link-taken-over";
    const LABEL: &'static str = "Join link taken over";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("took over the join link", row.target).detail(format!("from {}", self.from))
    }
}

/// A domain was named whose people are to join by themselves. They can't yet.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinDomainAdded {
    pub role: String,
}

impl AuditEvent for JoinDomainAdded {
    const NAME: &'static str = "join_domain_added";
    const KIND: &'static str = "invitation.domain-added";
    const LABEL: &'static str = "Join domain added";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("added the join domain", row.target).detail(format!("as {}", self.role))
    }
}

/// DNS says that the domain is the workspace's: from now on its people can join.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinDomainVerified {
    pub role: String,
}

impl AuditEvent for JoinDomainVerified {
    const NAME: &'static str = "join_domain_verified";
    const KIND: &'static str = "invitation.domain-verified";
    const LABEL: &'static str = "Join domain verified";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("verified the join domain", row.target)
            .detail(format!("whose people can join as {}", self.role))
    }
}

/// DNS no longer says that the domain is the workspace's: nobody joins by it any more.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinDomainUnverified {}

impl AuditEvent for JoinDomainUnverified {
    const NAME: &'static str = "join_domain_unverified";
    const KIND: &'static str = "invitation.domain-unverified";
    const LABEL: &'static str = "Join domain no longer verified";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("found no proof in DNS anymore for the join domain", row.target)
    }
}

/// A domain was removed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinDomainRemoved {
    pub role: String,
}

impl AuditEvent for JoinDomainRemoved {
    const NAME: &'static str = "join_domain_removed";
    const KIND: &'static str = "invitation.domain-removed";
    const LABEL: &'static str = "Join domain removed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("removed the join domain", row.target)
    }
}

/// Somebody with an address of a domain joined by themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinDomainUsed {
    pub role: String,
}

impl AuditEvent for JoinDomainUsed {
    const NAME: &'static str = "join_domain_used";
    const KIND: &'static str = "invitation.domain-used";
    const LABEL: &'static str = "Joined by a domain";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("joined with an address at", row.target).detail(format!("as {}", self.role))
    }
}

/// Somebody else answers for a domain, because whoever did was removed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct JoinDomainTakenOver {
    /// The name of who answered for it before, with their address.
    pub from: String,
}

impl AuditEvent for JoinDomainTakenOver {
    const NAME: &'static str = "join_domain_taken_over";
    const KIND: &'static str = "invitation.domain-taken-over";
    const LABEL: &'static str = "Join domain taken over";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("took over the join domain", row.target).detail(format!("from {}", self.from))
    }
}
