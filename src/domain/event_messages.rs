//! What is sent to a destination that receives events: the audit event as its record has it at that moment, so that
//! names that were erased are sent no more.
//!
//! The form is documented in `docs/events.md`, and only grows.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::{EventRow, EventSentence, Outcome},
            sql::Sql,
        },
        enforce::audit::audit_record,
        events,
        nouns::deliveries::{PROBE, TEST, turn::Outgoing},
    },
};
use sea_orm::{DbErr, FromQueryResult};
use serde::Serialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// A message, as Standard Webhooks says.
#[derive(Serialize)]
struct Message<'a, D> {
    r#type: &'a str,
    /// When it happened.
    timestamp: String,
    data: D,
}

#[derive(Serialize)]
struct EventData {
    /// The id of the audit event, which is the same for each destination.
    id: Uuid,
    workspace: WorkspaceData,
    outcome: String,
    /// What happened, in a sentence.
    summary: String,
    actor: ActorData,
    target: TargetData,
    via: String,
    address: String,
    user_agent: String,
    details: Value,
}

#[derive(Serialize)]
struct WorkspaceData {
    id: Uuid,
    slug: String,
    name: String,
}

#[derive(Serialize)]
struct ActorData {
    kind: String,
    id: Option<Uuid>,
    name: String,
    email: String,
}

#[derive(Serialize)]
struct TargetData {
    kind: String,
    id: Option<Uuid>,
    name: String,
    email: String,
}

/// Of a test or a probe.
#[derive(Serialize)]
struct NoticeData {
    workspace: WorkspaceData,
    summary: &'static str,
}

#[derive(FromQueryResult)]
struct Row {
    at: Timestamp,
    kind: String,
    outcome: String,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    actor_email: String,
    target_kind: String,
    target_id: Option<Uuid>,
    target_name: String,
    target_email: String,
    via: String,
    address: String,
    user_agent: String,
    payload: String,
    slug: String,
    workspace_name: String,
}

const EVENT: &str = concat!(
    "SELECT e.at, e.kind, e.outcome, e.actor_kind, e.actor_id, e.actor_name, e.actor_email, e.target_kind, e.target_id,
        e.target_name, e.target_email, e.via, e.address, e.user_agent, e.payload, w.slug, w.name AS workspace_name
    FROM ",
    audit_record!(),
    " e JOIN workspaces w ON w.id = e.workspace_id WHERE e.workspace_id = $1 AND e.id = $2"
);

#[derive(FromQueryResult)]
struct Named {
    slug: String,
    name: String,
}

/// The body of a message, in JSON; `None` where its event is not in the record any more.
///
/// # Errors
/// The database's own.
pub async fn body(db: &Db, message: &Outgoing) -> Result<Option<String>, DbErr> {
    match message.event_id {
        Some(id) => of_event(db, message.workspace, id).await,
        None => of_notice(db, message).await,
    }
}

async fn of_event(db: &Db, workspace: Uuid, id: Uuid) -> Result<Option<String>, DbErr> {
    let row: Option<Row> = db.read().first(EVENT, vec![workspace.into(), id.into()]).await?;
    let Some(row) = row else { return Ok(None) };
    let words = EventRow { target: &row.target_name, at: row.at };
    let sentence = events::sentence(&row.kind, &row.payload, &words);
    let data = EventData {
        id,
        workspace: WorkspaceData { id: workspace, slug: row.slug, name: row.workspace_name },
        summary: sentence.map_or_else(String::new, |sentence| in_words(&row.actor_name, &sentence)),
        outcome: if row.outcome == Outcome::Refused.word() { "refused" } else { "done" }.to_owned(),
        actor: ActorData {
            kind: row.actor_kind,
            id: row.actor_id,
            name: row.actor_name,
            email: row.actor_email,
        },
        target: TargetData {
            kind: row.target_kind,
            id: row.target_id,
            name: row.target_name,
            email: row.target_email,
        },
        via: row.via,
        address: row.address,
        user_agent: row.user_agent,
        details: events::fields(&row.kind, &row.payload).unwrap_or_else(|| Value::Object(Default::default())),
    };
    write(&Message { r#type: &row.kind, timestamp: rfc_3339(row.at), data }).map(Some)
}

async fn of_notice(db: &Db, message: &Outgoing) -> Result<Option<String>, DbErr> {
    let sql = "SELECT slug, name FROM workspaces WHERE id = $1";
    let workspace: Option<Named> = db.read().first(sql, vec![message.workspace.into()]).await?;
    let Some(Named { slug, name }) = workspace else { return Ok(None) };
    let summary = match message.kind.as_str() {
        TEST => "Someone sent this test from the page of the destination. Nothing happened.",
        PROBE => "Events to this destination have stopped. If you take this, they are sent again.",
        _ => "",
    };
    let data = NoticeData { workspace: WorkspaceData { id: message.workspace, slug, name }, summary };
    write(&Message { r#type: &message.kind, timestamp: rfc_3339(message.queued_at), data }).map(Some)
}

fn write(message: &impl Serialize) -> Result<String, DbErr> {
    serde_json::to_string(message).map_err(|error| DbErr::Type(error.to_string()))
}

/// An event in words, as one sentence.
fn in_words(actor: &str, sentence: &EventSentence) -> String {
    let parts = [actor, &sentence.verb, &sentence.target, &sentence.rest];
    let mut text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    if !sentence.detail.is_empty() {
        text.push_str(", ");
        text.push_str(&sentence.detail);
    }
    if !sentence.after.is_empty() {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        text.push_str(&format!(" ({} → {})", list(&sentence.before), list(&sentence.after)));
    }
    text
}

/// Milliseconds are always written, so that texts sort as the moments do.
fn rfc_3339(at: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let seconds = moment.replace_millisecond(0).unwrap_or(moment).format(&Rfc3339).unwrap_or_default();
    seconds.replace('Z', &format!(".{:03}Z", moment.millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_to_the_millisecond() {
        for (at, text) in [
            (1_800_000_000_000, "2027-01-15T08:00:00.000Z"),
            (1_800_000_000_042, "2027-01-15T08:00:00.042Z"),
            (0, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc_3339(Timestamp::from_millis(at)), text);
        }
    }

    #[test]
    fn an_event_is_one_sentence() {
        let sentence = EventSentence::new("changed the roles of", "Ada")
            .before(vec!["Viewer".to_owned()])
            .after(vec!["Editor".to_owned()]);
        assert_eq!(in_words("Bob", &sentence), "Bob changed the roles of Ada (Viewer → Editor)");
        let sentence = EventSentence::new("left", "").detail("and 2 invitations were cancelled");
        assert_eq!(in_words("Ada", &sentence), "Ada left, and 2 invitations were cancelled");
    }
}
