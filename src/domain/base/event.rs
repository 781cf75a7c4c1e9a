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
    /// The payload has names or addresses of the actor, so it is stored where they can be erased.
    const NAMES_ACTOR: bool = false;

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
    /// The installation's.
    Installation,
}

impl RecordedIn {
    /// Activity of a workspace can show it.
    pub(in crate::domain) const fn is_in_workspaces(self) -> bool {
        match self {
            Self::Workspace | Self::WorkspaceAndAccount | Self::WorkspaceOrAccount => true,
            Self::Account | Self::User | Self::Installation => false,
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
#[derive(Clone, Debug)]
pub struct RecordedEvent {
    pub(in crate::domain) kind: &'static str,
    pub(in crate::domain) outcome: Outcome,
    pub(in crate::domain) recorded_in: RecordedIn,
    pub(in crate::domain) target: Target,
    pub(in crate::domain) named: Named,
    payload: Result<String, String>,
}

/// The person whose name or address is in a payload, which can then be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Nobody,
    Actor,
    /// The user with this id.
    Person(Uuid),
}

impl RecordedEvent {
    pub(in crate::domain) fn new<E: AuditEvent>(event: E, target: Target) -> Self {
        Self {
            kind: E::KIND,
            outcome: E::OUTCOME,
            recorded_in: E::RECORDED_IN,
            target,
            named: if E::NAMES_ACTOR { Named::Actor } else { Named::Nobody },
            payload: write(&event).map_err(|error| error.to_string()),
        }
    }

    /// This event, where its payload names this person.
    pub(in crate::domain) fn naming(self, person: Uuid) -> Self {
        Self { named: Named::Person(person), ..self }
    }

    /// # Errors
    /// If the event can't be written as JSON. Then its change is rolled back.
    pub(in crate::domain) fn payload(&self) -> Result<&str, DbErr> {
        self.payload.as_deref().map_err(|error| DbErr::Custom(error.to_owned()))
    }
}

/// The actor of an event, with their name and address at that moment.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `user`, `api_key`, `operator` or `system`.
    pub kind: &'static str,
    /// `None` for the program itself.
    pub id: Option<Uuid>,
    pub name: String,
    /// Their e-mail address; empty for a key.
    pub email: String,
}

impl Actor {
    pub fn user(id: Uuid, name: impl Into<String>, email: impl Into<String>) -> Self {
        Self { kind: "user", id: Some(id), name: name.into(), email: email.into() }
    }

    pub fn api_key(id: Uuid, name: impl Into<String>) -> Self {
        Self { kind: "api_key", id: Some(id), name: name.into(), email: String::new() }
    }

    /// Somebody who runs the installation, by the name that they gave.
    pub fn operator(name: impl Into<String>) -> Self {
        Self { kind: "operator", name: name.into(), ..Self::system() }
    }

    /// The program itself, by name, where people see what it did.
    pub fn program() -> Self {
        Self { name: "Bailiwick".into(), ..Self::system() }
    }

    /// The program itself, or whoever runs it.
    pub fn system() -> Self {
        Self { kind: "system", id: None, name: String::new(), email: String::new() }
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

/// The kind of a target that may be a person. [`Target::new`] then makes an [`Unidentified`], which is no target
/// yet: whoever can't be identified can't be erased from the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectKind(TargetKind);

impl SubjectKind {
    pub(in crate::domain) const fn new(word: &'static str) -> Self {
        Self(TargetKind(word))
    }
}

/// What [`Target::new`] makes of a kind.
pub(in crate::domain) trait Kind {
    type Made;
    fn make(self, id: Uuid, name: String) -> Self::Made;
}

impl Kind for TargetKind {
    type Made = Target;
    fn make(self, id: Uuid, name: String) -> Target {
        Target { id: Some(id), ..Target::named(self, name) }
    }
}

impl Kind for SubjectKind {
    type Made = Unidentified;
    fn make(self, id: Uuid, name: String) -> Unidentified {
        Unidentified(self.0.make(id, name))
    }
}

/// A target by its name alone, until [`Unidentified::of`] says who it is.
#[derive(Clone, Debug)]
#[must_use]
pub struct Unidentified(Target);

impl Unidentified {
    /// The user or the API key that it is, and their address. A key has none.
    pub(in crate::domain) fn of(self, subject: Option<Uuid>, email: impl Into<String>) -> Target {
        debug_assert!(subject.is_some(), "{} is nobody who could be erased", self.0.kind());
        Target { subject, email: email.into(), ..self.0 }
    }
}

/// The target of an event.
#[derive(Clone, Debug)]
pub struct Target {
    kind: TargetKind,
    pub(in crate::domain) id: Option<Uuid>,
    pub(in crate::domain) name: String,
    /// The user or the API key that it is, such as that of a member.
    pub(in crate::domain) subject: Option<Uuid>,
    /// The address of a person; empty otherwise.
    pub(in crate::domain) email: String,
}

impl Target {
    #[expect(clippy::new_ret_no_self, reason = "a person is no target before somebody says who it is")]
    pub(in crate::domain) fn new<K: Kind>(kind: K, id: Uuid, name: impl Into<String>) -> K::Made {
        kind.make(id, name.into())
    }

    /// A user, by the id alone.
    pub(in crate::domain) fn unnamed(kind: SubjectKind, id: Uuid) -> Self {
        kind.0.make(id, String::new())
    }

    pub(in crate::domain) fn named(kind: TargetKind, name: impl Into<String>) -> Self {
        Self { kind, id: None, name: name.into(), subject: None, email: String::new() }
    }

    /// This target, which is known by an e-mail address, and is nobody yet.
    pub(in crate::domain) fn with_address(self, email: impl Into<String>) -> Self {
        Self { email: email.into(), ..self }
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

    /// This change, where the payloads of its events name this person.
    pub(in crate::domain) fn naming(mut self, person: Uuid) -> Self {
        self.events = self.events.into_iter().map(|event| event.naming(person)).collect();
        self
    }

    /// This change in a workspace's record alone: the account lists its events from that of another workspace.
    pub(in crate::domain) fn in_workspace_alone(mut self) -> Self {
        for event in &mut self.events {
            event.recorded_in = RecordedIn::Workspace;
        }
        self
    }

    /// This change with further events, after its own.
    pub(in crate::domain) fn and(mut self, events: impl IntoIterator<Item = RecordedEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// The result, before it is committed.
    pub fn value(&self) -> &T {
        &self.value
    }

    pub(in crate::domain) fn events(&self) -> &[RecordedEvent] {
        &self.events
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
