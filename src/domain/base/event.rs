//! Audit events: what one declares, how it is stored, and how it reaches the record.
//!
//! A noun declares its events in its `events.rs`, one type each, and registers them with one line in
//! [`crate::domain::nouns`].

use crate::{clock::Timestamp, domain::base::reason::AuditReason};
use sea_orm::DbErr;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One kind of event. The fields of the type are its payload: bounded, without secrets and without free
/// text of a request. Names in it are those of that moment.
pub trait AuditEvent: Serialize + DeserializeOwned {
    /// The name of the payload in the database: the type's own in snake case. It never changes, because
    /// stored rows are read by it and the hash chain covers it.
    const NAME: &'static str;
    /// The stored kind, such as `member.suspended`. It never changes either.
    const KIND: &'static str;
    /// The label in the filter of Activity.
    const LABEL: &'static str;
    const OUTCOME: Outcome = Outcome::Done;
    const RECORDED_IN: RecordedIn = RecordedIn::Workspace;

    /// The sentence on Activity.
    fn sentence(&self, row: &EventRow<'_>) -> EventSentence;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
}

impl Outcome {
    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// The record that an event is written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedIn {
    /// A workspace's.
    Workspace,
    /// A workspace's, which the account's record lists too.
    WorkspaceAndAccount,
    /// A workspace's or an account's, depending on where it was done.
    WorkspaceOrAccount,
    /// An account's.
    Account,
    /// The user's own, outside of workspaces and accounts.
    User,
}

impl RecordedIn {
    /// Activity of a workspace can show it.
    pub(in crate::domain) const fn is_in_workspaces(self) -> bool {
        match self {
            Self::Workspace | Self::WorkspaceAndAccount | Self::WorkspaceOrAccount => true,
            Self::Account | Self::User => false,
        }
    }
}

/// The parts of the stored row that a sentence needs beside the payload.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    /// The name of the event's target at that moment.
    pub target: &'a str,
    pub at: Timestamp,
}

/// An event in words, as data: "(actor) changed the roles of (target) (rest), (detail)", and what was
/// before and after. Any part but the verb may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventSentence {
    /// Such as "changed the roles of".
    pub verb: String,
    pub target: String,
    /// The end of the sentence itself.
    pub rest: String,
    /// A last half-sentence, after a comma.
    pub detail: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// The request, where it was refused.
    pub refusal: Option<RefusedRequest>,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    /// Method and pattern of the path.
    pub route: String,
    /// The word of an [`AuditReason`].
    pub reason: String,
}

impl EventSentence {
    pub(in crate::domain) fn new(verb: impl Into<String>, target: impl Into<String>) -> Self {
        Self { verb: verb.into(), target: target.into(), ..Self::default() }
    }

    pub(in crate::domain) fn rest(self, rest: impl Into<String>) -> Self {
        Self { rest: rest.into(), ..self }
    }

    pub(in crate::domain) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    pub(in crate::domain) fn before(self, before: impl Into<Vec<String>>) -> Self {
        Self { before: before.into(), ..self }
    }

    pub(in crate::domain) fn after(self, after: impl Into<Vec<String>>) -> Self {
        Self { after: after.into(), ..self }
    }
}

/// The payload as it is stored: the event's name around its fields, such as
/// `{"member_suspended":{"roles":["Viewer"]}}`.
fn write<E: AuditEvent>(event: &E) -> serde_json::Result<String> {
    serde_json::to_string(&BTreeMap::from([(E::NAME, event)]))
}

/// Reads a stored payload; `None` for that of another event, or in a form that this version doesn't know.
pub(in crate::domain) fn read<E: AuditEvent>(payload: &str) -> Option<E> {
    serde_json::from_str::<BTreeMap<String, E>>(payload).ok()?.remove(E::NAME)
}

/// The declarations of an [`AuditEvent`], as a value.
#[derive(Clone, Copy, Debug)]
pub struct EventKind {
    pub name: &'static str,
    pub kind: &'static str,
    pub label: &'static str,
    pub outcome: Outcome,
    pub recorded_in: RecordedIn,
    /// Both are `None` for a payload that this version can't read.
    pub(in crate::domain) sentence: fn(&str, &EventRow<'_>) -> Option<EventSentence>,
    pub(in crate::domain) fields: fn(&str) -> Option<Value>,
    /// Reads a payload and writes it again.
    #[cfg(test)]
    pub(in crate::domain) rewrite: fn(&str) -> Option<String>,
}

impl EventKind {
    pub(in crate::domain) const fn of<E: AuditEvent>() -> Self {
        Self {
            name: E::NAME,
            kind: E::KIND,
            label: E::LABEL,
            outcome: E::OUTCOME,
            recorded_in: E::RECORDED_IN,
            sentence: |payload, row| Some(read::<E>(payload)?.sentence(row)),
            fields: |payload| serde_json::to_value(read::<E>(payload)?).ok(),
            #[cfg(test)]
            rewrite: |payload| write(&read::<E>(payload)?).ok(),
        }
    }
}

/// An event with its target, ready to be stored.
#[derive(Debug)]
pub struct RecordedEvent {
    pub(in crate::domain) kind: &'static str,
    pub(in crate::domain) outcome: Outcome,
    pub(in crate::domain) recorded_in: RecordedIn,
    pub(in crate::domain) target: Target,
    payload: Result<String, String>,
}

impl RecordedEvent {
    pub(in crate::domain) fn new<E: AuditEvent>(event: E, target: Target) -> Self {
        Self {
            kind: E::KIND,
            outcome: E::OUTCOME,
            recorded_in: E::RECORDED_IN,
            target,
            payload: write(&event).map_err(|error| error.to_string()),
        }
    }

    /// # Errors
    /// If the event can't be written as JSON. Then its change is rolled back.
    pub(in crate::domain) fn payload(&self) -> Result<&str, DbErr> {
        self.payload.as_deref().map_err(|error| DbErr::Custom(error.to_owned()))
    }
}

/// The actor of an event, with their name at that moment.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `user` or `api_key`.
    pub kind: &'static str,
    pub id: Uuid,
    pub name: String,
}

impl Actor {
    pub fn user(id: Uuid, name: impl Into<String>) -> Self {
        Self { kind: "user", id, name: name.into() }
    }
}

/// The kind of an event's target. A noun declares its own as a constant; the word is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetKind(&'static str);

impl TargetKind {
    pub(in crate::domain) const fn new(word: &'static str) -> Self {
        Self(word)
    }
}

/// The target of an event.
#[derive(Clone, Debug)]
pub struct Target {
    kind: TargetKind,
    pub(in crate::domain) id: Option<Uuid>,
    pub(in crate::domain) name: String,
}

impl Target {
    pub(in crate::domain) fn new(kind: TargetKind, id: Uuid, name: impl Into<String>) -> Self {
        Self { kind, id: Some(id), name: name.into() }
    }

    pub(in crate::domain) fn named(kind: TargetKind, name: impl Into<String>) -> Self {
        Self { kind, id: None, name: name.into() }
    }

    /// For an event that has no target.
    pub(in crate::domain) fn nothing() -> Self {
        Self::named(TargetKind(""), "")
    }

    pub(in crate::domain) const fn kind(&self) -> &'static str {
        self.kind.0
    }
}

/// The result of a change together with its audit events. Only `domain` creates it, and only a commit returns
/// the result.
#[must_use = "a change is only kept by the commit that takes this"]
pub struct Recorded<T> {
    value: T,
    events: Vec<RecordedEvent>,
}

impl<T> Recorded<T> {
    pub(in crate::domain) fn new<E: AuditEvent>(value: T, event: E, target: Target) -> Self {
        Self { value, events: vec![RecordedEvent::new(event, target)] }
    }

    pub(in crate::domain) fn many(value: T, events: Vec<RecordedEvent>) -> Self {
        Self { value, events }
    }

    /// Nothing changed, so nothing is recorded.
    pub(in crate::domain) fn unchanged(value: T) -> Self {
        Self { value, events: Vec::new() }
    }

    /// The result, before it is committed.
    pub fn value(&self) -> &T {
        &self.value
    }

    pub(in crate::domain) fn into_parts(self) -> (T, Vec<RecordedEvent>) {
        (self.value, self.events)
    }

    /// This change with another result.
    pub fn map<U>(self, put: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded { value: put(self.value), events: self.events }
    }
}

impl<T> Recorded<Vec<T>> {
    /// Many changes as one, which is committed or rolled back as a whole.
    pub(in crate::domain) fn together(each: Vec<Recorded<T>>) -> Self {
        let mut all = Self::unchanged(Vec::with_capacity(each.len()));
        for one in each {
            all.value.push(one.value);
            all.events.extend(one.events);
        }
        all
    }
}

/// The events and audit reasons that a noun registers.
#[derive(Clone, Copy, Debug)]
pub struct NounEvents {
    pub kinds: &'static [EventKind],
    /// Reasons for which its rules refuse a request.
    pub reasons: &'static [AuditReason],
}

impl NounEvents {
    pub(in crate::domain) const fn new(kinds: &'static [EventKind]) -> Self {
        Self { kinds, reasons: &[] }
    }

    pub(in crate::domain) const fn with_reasons(mut self, reasons: &'static [AuditReason]) -> Self {
        self.reasons = reasons;
        self
    }
}
