//! The event of a refused request, and the reasons that belong to no noun.

use crate::{
    clock::Timestamp,
    domain::base::{
        conflict::CONFLICT,
        event::{
            AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Outcome, RecordedIn, RefusedRequest,
        },
        gateway_stage::{ADDRESS, DESTINATION},
        invariants::{LAST_ADMIN_REASON, LAST_OWNER_REASON},
        refusals::Flood,
        refused::{CEILING, NOT_ADMIN, NOT_ALLOWED, PERMISSION, SUSPENDED, UNCONFIRMED},
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<AccessRefused>(),
    EventKind::of::<AuditChainStarted>(),
    EventKind::of::<AuditCheckpointSigned>(),
    EventKind::of::<AuditNamesErased>(),
])
.with_reasons(&[
    SUSPENDED,
    PERMISSION,
    NOT_ADMIN,
    CEILING,
    NOT_ALLOWED,
    UNCONFIRMED,
    CONFLICT,
    LAST_OWNER_REASON,
    LAST_ADMIN_REASON,
    DESTINATION,
    ADDRESS,
]);

/// A request was refused.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccessRefused {
    /// Method and pattern of the path.
    pub route: String,
    /// The word of an `AuditReason`.
    pub reason: String,
    /// How many refusals it stands for, if it is a flood: then this is the most frequent route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<i64>,
    /// The number of different routes of a flood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<i64>,
    /// When the first one of a flood was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many actors a flood is of, if there are several: the actor of the event, and API keys for which the same
    /// person is accountable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<i64>,
}

impl AccessRefused {
    /// One refusal.
    pub(in crate::domain) fn once(route: String, reason: String) -> Self {
        Self { route, reason, times: None, routes: None, since: None, actors: None }
    }

    /// The refusals of a flood, as one event.
    pub(super) fn flood(flood: &Flood) -> Self {
        let (route, reason) = flood.most_frequent();
        let routes = i64::try_from(flood.counts.len()).ok();
        let actors = i64::try_from(flood.actors.len()).ok().filter(|actors| *actors > 1);
        Self { route, reason, times: Some(flood.total), routes, since: Some(flood.since), actors }
    }
}

impl AuditEvent for AccessRefused {
    const NAME: &'static str = "access_refused";
    const KIND: &'static str = "access.refused";
    const LABEL: &'static str = "Access refused";
    const OUTCOME: Outcome = Outcome::Refused;
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let refusal = RefusedRequest { route: self.route.clone(), reason: self.reason.clone() };
        let sentence = match (self.times, self.routes) {
            (Some(1), _) => EventSentence::new("was refused 1 more time", ""),
            (Some(times), Some(2..)) => {
                let routes = self.routes.unwrap_or_default();
                EventSentence::new(format!("was refused {times} more times"), "")
                    .detail(format!("for {routes} kinds of request, most often this one"))
            }
            (Some(times), _) => EventSentence::new(format!("was refused {times} more times"), ""),
            (None, _) => EventSentence::new("was refused", ""),
        };
        let sentence = match self.actors {
            Some(actors) => {
                sentence.rest(format!("together with other API keys of one person, {actors} in all"))
            }
            None => sentence,
        };
        EventSentence { refusal: Some(refusal), ..sentence }
    }
}

/// A chain has its first event. Its kind and id are the target.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AuditChainStarted {}

impl AuditEvent for AuditChainStarted {
    const NAME: &'static str = "audit_chain_started";
    const KIND: &'static str = "audit.chain-started";
    const LABEL: &'static str = "Audit chain started";
    const RECORDED_IN: RecordedIn = RecordedIn::Installation;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("started an audit chain", "")
    }
}

/// A checkpoint was made and signed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AuditCheckpointSigned {
    /// The number of chains that changed since the one before.
    pub chains: i64,
    /// The hash of their heads, in hex.
    pub digest: String,
}

impl AuditEvent for AuditCheckpointSigned {
    const NAME: &'static str = "audit_checkpoint_signed";
    const KIND: &'static str = "audit.checkpoint-signed";
    const LABEL: &'static str = "Audit checkpoint signed";
    const RECORDED_IN: RecordedIn = RecordedIn::Installation;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("signed an audit checkpoint", "")
    }
}

/// The names and addresses of a person were erased from the record. The target is the user, if there was one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AuditNamesErased {
    /// The number of names that are erased now and were not before.
    pub names: i64,
    /// The id under which `audit_erasures` has them.
    pub erasure: Uuid,
    /// The hash of that list, in hex.
    pub digest: String,
}

impl AuditEvent for AuditNamesErased {
    const NAME: &'static str = "audit_names_erased";
    const KIND: &'static str = "audit.names-erased";
    const LABEL: &'static str = "Names erased";
    const RECORDED_IN: RecordedIn = RecordedIn::Installation;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("erased the names of a person", "")
    }
}
