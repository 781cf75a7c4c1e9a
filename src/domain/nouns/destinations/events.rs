//! Audit events of destinations. The name of the target is the host.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
    role::RoleIds,
    words::{nonempty, pluralize},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<DestinationAdded>(),
    EventKind::of::<DestinationUpdated>(),
    EventKind::of::<DestinationPaused>(),
    EventKind::of::<DestinationResumed>(),
    EventKind::of::<DestinationRequestsChanged>(),
    EventKind::of::<DestinationSendersChanged>(),
    EventKind::of::<DestinationCredentialSet>(),
    EventKind::of::<DestinationCredentialReplaced>(),
    EventKind::of::<DestinationCredentialRestored>(),
    EventKind::of::<DestinationPreviousCredentialDeleted>(),
    EventKind::of::<DestinationCredentialRemoved>(),
    EventKind::of::<DestinationDeleted>(),
]);

pub(in crate::domain) const DESTINATION: TargetKind = TargetKind::new("destination");

/// A host was added to those that the workspace allows.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationAdded {
    pub description: String,
}

impl AuditEvent for DestinationAdded {
    const NAME: &'static str = "destination_added";
    const KIND: &'static str = "destination.added";
    const LABEL: &'static str = "Destination added";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("added the destination", row.target);
        match self.description.as_str() {
            "" => sentence,
            description => sentence.detail(format!("“{description}”")),
        }
    }
}

/// The description of a destination changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationUpdated {
    pub description_before: String,
    pub description_after: String,
}

impl AuditEvent for DestinationUpdated {
    const NAME: &'static str = "destination_updated";
    const KIND: &'static str = "destination.updated";
    const LABEL: &'static str = "Destination description changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the description of the destination", row.target)
            .before(nonempty([&self.description_before]))
            .after(nonempty([&self.description_after]))
    }
}

/// A destination was paused: the host stays on the list, but is not allowed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationPaused {}

impl AuditEvent for DestinationPaused {
    const NAME: &'static str = "destination_paused";
    const KIND: &'static str = "destination.paused";
    const LABEL: &'static str = "Destination paused";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("paused the destination", row.target)
    }
}

/// A paused destination was resumed: the host is allowed again.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationResumed {}

impl AuditEvent for DestinationResumed {
    const NAME: &'static str = "destination_resumed";
    const KIND: &'static str = "destination.resumed";
    const LABEL: &'static str = "Destination resumed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("resumed the destination", row.target)
    }
}

/// Requests to a destination were switched on or off, or its rate changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationRequestsChanged {
    pub allowed_before: bool,
    pub allowed_after: bool,
    /// Requests a minute; `None` for the default of the installation.
    pub rate_before: Option<i64>,
    pub rate_after: Option<i64>,
    /// Credits a request, where that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_after: Option<i64>,
}

impl DestinationRequestsChanged {
    fn in_words(is_allowed: bool, rate: Option<i64>, price: Option<i64>) -> Vec<String> {
        let rate = match rate {
            Some(rate) => format!("{} a minute", pluralize(rate, "request", "requests")),
            None => "the default rate".to_owned(),
        };
        let mut words = vec![if is_allowed { "Requests on" } else { "Requests off" }.to_owned(), rate];
        words.extend(price.map(|price| match price {
            0 => "Free of charge".to_owned(),
            price => format!("{} a request", pluralize(price, "credit", "credits")),
        }));
        words
    }
}

impl AuditEvent for DestinationRequestsChanged {
    const NAME: &'static str = "destination_requests_changed";
    const KIND: &'static str = "destination.requests-changed";
    const LABEL: &'static str = "Requests to a destination changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed requests to the destination", row.target)
            .before(Self::in_words(self.allowed_before, self.rate_before, self.price_before))
            .after(Self::in_words(self.allowed_after, self.rate_after, self.price_after))
    }
}

/// Who may send requests to a destination changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationSendersChanged {
    pub restricted_before: bool,
    pub restricted_after: bool,
    /// Names.
    pub roles_before: Vec<String>,
    pub roles_after: Vec<String>,
    pub keys_before: Vec<String>,
    pub keys_after: Vec<String>,
    /// The same, because others may get these names later.
    pub role_ids: RoleIds,
    pub key_ids_before: Vec<Uuid>,
    pub key_ids_after: Vec<Uuid>,
}

impl DestinationSendersChanged {
    fn in_words(is_restricted: bool, roles: &[String], keys: &[String]) -> Vec<String> {
        match (is_restricted, roles.is_empty() && keys.is_empty()) {
            (false, _) => vec!["Everyone who may send".to_owned()],
            (true, true) => vec!["Nobody".to_owned()],
            (true, false) => roles.iter().chain(keys).cloned().collect(),
        }
    }
}

impl AuditEvent for DestinationSendersChanged {
    const NAME: &'static str = "destination_senders_changed";
    const KIND: &'static str = "destination.senders-changed";
    const LABEL: &'static str = "Senders of a destination changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed who may send to the destination", row.target)
            .before(Self::in_words(self.restricted_before, &self.roles_before, &self.keys_before))
            .after(Self::in_words(self.restricted_after, &self.roles_after, &self.keys_after))
    }
}

/// A credential was stored where there was none. No event of a credential has anything of its value.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationCredentialSet {
    pub header_name: String,
}

impl AuditEvent for DestinationCredentialSet {
    const NAME: &'static str = "destination_credential_set";
    const KIND: &'static str = "destination.credential-set";
    const LABEL: &'static str = "Destination credential stored";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("stored a credential for the destination", row.target)
            .detail(format!("sent as “{}”", self.header_name))
    }
}

/// A credential was replaced.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationCredentialReplaced {
    pub header_before: String,
    pub header_after: String,
    /// For how long the one before can be brought back; 0 if it was deleted.
    pub kept_seconds: i64,
}

impl AuditEvent for DestinationCredentialReplaced {
    const NAME: &'static str = "destination_credential_replaced";
    const KIND: &'static str = "destination.credential-replaced";
    const LABEL: &'static str = "Destination credential replaced";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let kept = match self.kept_seconds / 3_600 {
            _ if self.kept_seconds == 0 => "and deleted the one before".to_owned(),
            0 => "and kept the one before for less than an hour".to_owned(),
            hours => format!("and kept the one before for {}", pluralize(hours, "hour", "hours")),
        };
        let sentence =
            EventSentence::new("replaced the credential of the destination", row.target).detail(kept);
        match self.header_before == self.header_after {
            true => sentence,
            false => sentence.before(nonempty([&self.header_before])).after(nonempty([&self.header_after])),
        }
    }
}

/// The credential before was brought back, and the one that had replaced it deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationCredentialRestored {
    pub header_name: String,
}

impl AuditEvent for DestinationCredentialRestored {
    const NAME: &'static str = "destination_credential_restored";
    const KIND: &'static str = "destination.credential-restored";
    const LABEL: &'static str = "Destination credential brought back";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("brought back the previous credential of the destination", row.target)
            .detail(format!("sent as “{}”", self.header_name))
    }
}

/// The credential before was deleted before its time.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationPreviousCredentialDeleted {
    pub header_name: String,
}

impl AuditEvent for DestinationPreviousCredentialDeleted {
    const NAME: &'static str = "destination_previous_credential_deleted";
    const KIND: &'static str = "destination.previous-credential-deleted";
    const LABEL: &'static str = "Previous destination credential deleted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("deleted the previous credential of the destination", row.target)
    }
}

/// A destination has no credential any more.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationCredentialRemoved {
    pub header_name: String,
}

impl AuditEvent for DestinationCredentialRemoved {
    const NAME: &'static str = "destination_credential_removed";
    const KIND: &'static str = "destination.credential-removed";
    const LABEL: &'static str = "Destination credential removed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("removed the credential of the destination", row.target)
            .detail(format!("sent as “{}”", self.header_name))
    }
}

/// A destination was deleted: the workspace no longer allows the host.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationDeleted {
    pub description: String,
    pub was_paused: bool,
}

impl AuditEvent for DestinationDeleted {
    const NAME: &'static str = "destination_deleted";
    const KIND: &'static str = "destination.deleted";
    const LABEL: &'static str = "Destination deleted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("deleted the destination", row.target);
        if self.was_paused { sentence.detail("which was paused") } else { sentence }
    }
}
