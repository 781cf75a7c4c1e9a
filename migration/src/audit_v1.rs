//! The chains of the first form, as m0019 writes them: a copy that never changes. The program's own is in
//! `domain/enforce/chain.rs`; a database that was brought up to date here verifies there.

use crate::sql;
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// An event of the table before.
#[derive(FromQueryResult)]
struct Before {
    id: Uuid,
    workspace_id: Option<Uuid>,
    account_id: Option<Uuid>,
    seq: i64,
    at: i64,
    kind: String,
    outcome: String,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    target_kind: String,
    target_id: Option<Uuid>,
    target_name: String,
    via: String,
    address: String,
    user_agent: String,
    payload: String,
    target_subject: Option<Uuid>,
    payload_subject: Option<Uuid>,
}

/// Who a target was, where that is still known, and whom a payload names: what is erased with a person.
const SUBJECTS: &str = "CASE e.target_kind WHEN 'member' THEN COALESCE(m.user_id, m.api_key_id)
        WHEN 'user' THEN e.target_id END AS target_subject,
    CASE e.kind WHEN 'invitation.accepted' THEN n.inviter_id
        WHEN 'member.external-id-changed' THEN m.user_id END AS payload_subject
    FROM audit_events_before e
    LEFT JOIN members m ON m.id = e.target_id LEFT JOIN invitations n ON n.id = e.target_id";

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// The chains, and where the events of one were.
const CHAINS: [(&str, &str); 3] = [
    ("workspace", "e.workspace_id IS NOT NULL AND e.workspace_id"),
    ("account", "e.workspace_id IS NULL AND e.account_id"),
    ("user", "e.workspace_id IS NULL AND e.account_id IS NULL AND e.actor_id"),
];

/// What the events of a chain are read along. They go with the table.
const INDICES: &[&str] = &[
    "CREATE INDEX audit_events_before_of_workspace ON audit_events_before (workspace_id, seq, at, id)
        WHERE workspace_id IS NOT NULL",
    "CREATE INDEX audit_events_before_of_account ON audit_events_before (account_id, seq, at, id)
        WHERE workspace_id IS NULL",
    "CREATE INDEX audit_events_before_of_user ON audit_events_before (actor_id, seq, at, id)
        WHERE workspace_id IS NULL AND account_id IS NULL",
];

/// Events read at a time.
const BATCH: usize = 500;

/// Puts every event of the table before into a chain of the new one, each with the names that it had.
///
/// # Errors
/// The database's own, and a sentence where an event would be lost.
pub async fn chain_again(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    sql::run(manager, INDICES).await?;
    let mut installation = Chain { kind: "installation", id: Uuid::nil(), seq: 0, hash: Vec::new() };
    for (kind, condition) in CHAINS {
        let column = condition.rsplit(' ').next().unwrap_or_default();
        let sql = format!(
            "SELECT DISTINCT {column} AS id FROM audit_events_before e WHERE {condition} IS NOT NULL"
        );
        for Id { id } in query::<Id>(manager, &sql, Vec::new()).await? {
            let mut chain = Chain { kind, id, seq: 0, hash: Vec::new() };
            let first = chain.fill(manager, condition).await?;
            installation.add(manager, Before::started(&chain, first)).await?;
        }
    }
    installation.set_head(manager).await?;
    nothing_is_lost(manager).await
}

/// Each event of the table before is in a chain.
async fn nothing_is_lost(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Lost {
        count: i64,
    }
    let sql = "SELECT COUNT(*) AS count FROM audit_events_before b
        WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.id = b.id)";
    let lost: Vec<Lost> = query(manager, sql, Vec::new()).await?;
    match lost.first().map_or(0, |lost| lost.count) {
        0 => Ok(()),
        lost => Err(DbErr::Custom(format!(
            "{lost} audit events name no workspace, no account and no user, so that they would be lost. Nothing was \
             changed. Find them with: SELECT * FROM audit_events WHERE workspace_id IS NULL AND account_id IS NULL \
             AND actor_id IS NULL"
        ))),
    }
}

struct Chain {
    kind: &'static str,
    id: Uuid,
    seq: i64,
    hash: Vec<u8>,
}

impl Chain {
    /// Takes the events that the condition selects. Returns the time of the first.
    async fn fill(&mut self, manager: &SchemaManager<'_>, condition: &str) -> Result<i64, DbErr> {
        let (kind, id) = (self.kind, self.id);
        let is_known = "SELECT id FROM audit_chains WHERE kind = $1 AND id = $2";
        if query::<Id>(manager, is_known, vec![kind.into(), id.into()]).await?.is_empty() {
            let sql = "INSERT INTO audit_chains (kind, id, seq, hash, sealed) VALUES ($1, $2, 0, $3, TRUE)";
            run(manager, sql, vec![kind.into(), id.into(), Vec::<u8>::new().into()]).await?;
        }
        let sql = format!(
            "SELECT e.id, e.workspace_id, e.account_id, e.seq, e.at, e.kind, e.outcome, e.actor_kind, e.actor_id,
                e.actor_name, e.target_kind, e.target_id, e.target_name, e.via, e.address, e.user_agent,
                e.payload, {SUBJECTS}
            WHERE {condition} = $1 AND (e.seq, e.at, e.id) > ($2, $3, $4)
            ORDER BY e.seq, e.at, e.id LIMIT {BATCH}"
        );
        let (mut first, mut last) = (None, (i64::MIN, i64::MIN, Uuid::nil()));
        loop {
            let values = vec![id.into(), last.0.into(), last.1.into(), last.2.into()];
            let events: Vec<Before> = query(manager, &sql, values).await?;
            let Some(newest) = events.last() else { break };
            last = (newest.seq, newest.at, newest.id);
            first = first.or(events.first().map(|event| event.at));
            for event in events {
                self.add(manager, event).await?;
            }
        }
        self.set_head(manager).await?;
        Ok(first.unwrap_or_default())
    }

    async fn set_head(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let sql = "UPDATE audit_chains SET seq = $3, hash = $4, sealed = FALSE WHERE kind = $1 AND id = $2";
        let values = vec![self.kind.into(), self.id.into(), self.seq.into(), self.hash.clone().into()];
        run(manager, sql, values).await
    }

    async fn add(&mut self, manager: &SchemaManager<'_>, event: Before) -> Result<(), DbErr> {
        self.seq += 1;
        let user = (self.kind == "user").then_some(self.id);
        let (actor_salt, target_salt, payload_salt) = (salt()?, salt()?, salt()?);
        let actor = commitment(json!([
            "actor",
            hex::encode(&actor_salt),
            event.actor_name,
            "",
            event.address,
            event.user_agent
        ]));
        // The name of an invitation is the invited address.
        let email = if event.target_kind == "invitation" { &*event.target_name } else { "" };
        let target = commitment(json!(["target", hex::encode(&target_salt), event.target_name, email]));
        // What a person did outside of workspaces may name them.
        let names_actor = user.is_some() && event.payload.contains("\":\"");
        let payload_subject = event.payload_subject.or(user.filter(|_| names_actor));
        let is_personal = payload_subject.is_some();
        let personal =
            is_personal.then(|| commitment(json!(["payload", hex::encode(&payload_salt), event.payload])));
        let open = if is_personal { "{}" } else { &*event.payload };
        let content = json!([
            "bailiwick audit 1",
            hex::encode(&self.hash),
            event.id,
            event.workspace_id,
            event.account_id,
            user,
            self.seq,
            event.at,
            event.kind,
            event.outcome,
            event.actor_kind,
            event.actor_id,
            event.target_kind,
            event.target_id,
            event.via,
            open,
            hex::encode(&actor),
            event.target_subject,
            hex::encode(&target),
            payload_subject,
            personal.as_ref().map(hex::encode),
        ]);
        self.hash = commitment(content);
        let sql = "INSERT INTO audit_events (id, workspace_id, account_id, user_id, seq, at, kind, outcome,
                actor_kind, actor_id, target_kind, target_id, via, payload, hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let values = vec![
            event.id.into(),
            event.workspace_id.into(),
            event.account_id.into(),
            user.into(),
            self.seq.into(),
            event.at.into(),
            event.kind.into(),
            event.outcome.into(),
            event.actor_kind.into(),
            event.actor_id.into(),
            event.target_kind.into(),
            event.target_id.into(),
            event.via.into(),
            open.into(),
            self.hash.clone().into(),
        ];
        run(manager, sql, values).await?;
        let sql = "INSERT INTO audit_identities (event_id, actor_commitment, actor_salt, actor_name, actor_email,
                address, user_agent, target_subject, target_commitment, target_salt, target_name, target_email,
                payload_subject, payload_commitment, payload_salt, payload)
            VALUES ($1, $2, $3, $4, '', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let email = email.to_owned();
        let values = vec![
            event.id.into(),
            actor.into(),
            actor_salt.into(),
            event.actor_name.into(),
            event.address.into(),
            event.user_agent.into(),
            event.target_subject.into(),
            target.into(),
            target_salt.into(),
            event.target_name.into(),
            email.into(),
            payload_subject.into(),
            personal.into(),
            is_personal.then_some(payload_salt).into(),
            is_personal.then_some(event.payload).into(),
        ];
        run(manager, sql, values).await
    }
}

impl Before {
    /// The installation's event of a chain that was started.
    fn started(chain: &Chain, at: i64) -> Self {
        Self {
            id: Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at.unsigned_abs() / 1_000, 0)),
            workspace_id: None,
            account_id: None,
            seq: 0,
            at,
            kind: "audit.chain-started".to_owned(),
            outcome: "done".to_owned(),
            actor_kind: "system".to_owned(),
            actor_id: None,
            actor_name: String::new(),
            target_kind: chain.kind.to_owned(),
            target_id: Some(chain.id),
            target_name: String::new(),
            via: "command".to_owned(),
            address: String::new(),
            user_agent: String::new(),
            payload: r#"{"audit_chain_started":{}}"#.to_owned(),
            target_subject: None,
            payload_subject: None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a migration does not depend on the program")]
fn salt() -> Result<Vec<u8>, DbErr> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(bytes.to_vec())
}

fn commitment(content: serde_json::Value) -> Vec<u8> {
    Sha256::digest(content.to_string()).to_vec()
}

fn statement(manager: &SchemaManager<'_>, sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(manager.get_database_backend(), sql, values)
}

async fn query<R: FromQueryResult>(
    manager: &SchemaManager<'_>,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<R>, DbErr> {
    R::find_by_statement(statement(manager, sql, values)).all(manager.get_connection()).await
}

async fn run(manager: &SchemaManager<'_>, sql: &str, values: Vec<Value>) -> Result<(), DbErr> {
    manager.get_connection().execute_raw(statement(manager, sql, values)).await.map(drop)
}
