//! The queue of mail: a message is written in the transaction that causes it, sent after its commit, and
//! retried until it is delivered. Its text is sealed: it may contain the secret of a link.

use crate::{
    clock::{MINUTE, SECOND, Timestamp},
    domain::base::{db::Db, refused::Refused, sealed::Place, sql::Sql},
    entity::outbox_message,
    random,
};
use askama::Template;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult};
use std::time::Duration;
use uuid::Uuid;

/// A mail that a noun declares: the template of its text, and its subject.
pub(in crate::domain) trait MailTemplate: Template {
    fn subject(&self) -> String;
}

/// One message, written out.
pub(in crate::domain) struct Mail {
    recipient: String,
    subject: String,
    body: String,
}

impl Mail {
    pub(in crate::domain) fn new(recipient: &str, mail: &impl MailTemplate) -> Self {
        // These templates cannot fail: they hold texts and nothing that computes.
        let body = mail.render().unwrap_or_default();
        Self { recipient: recipient.to_owned(), subject: mail.subject(), body }
    }

    /// The address that it is for.
    pub(in crate::domain) fn recipient(&self) -> &str {
        &self.recipient
    }

    /// Queues the message in this transaction. Returns its id in the queue.
    ///
    /// # Errors
    /// The database's own.
    pub(in crate::domain) async fn queue(
        self,
        db: &Db,
        tx: &DatabaseTransaction,
        now: Timestamp,
    ) -> Result<Uuid, Refused> {
        let id = random::id(now);
        let row = outbox_message::ActiveModel {
            id: Set(id),
            recipient: Set(self.recipient),
            subject: Set(self.subject),
            body: Set(db.sealer().seal(place(id), &self.body)?),
            created_at: Set(now),
            next_attempt_at: Set(now),
            attempts: Set(0),
            last_error: Set(None),
        };
        outbox_message::Entity::insert(row).exec_without_returning(tx).await?;
        Ok(id)
    }
}

/// A message that this node has leased to send it.
#[derive(Debug, FromQueryResult)]
pub struct OutgoingMail {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// How often it was tried, this time included.
    pub attempts: i64,
}

/// How long a message is leased to a node, in milliseconds.
const LEASE: i64 = 2 * MINUTE;

const MAX_RETRY_DELAY: i64 = 5 * MINUTE;

fn place(id: Uuid) -> Place {
    Place { table: "outbox", id }
}

/// Leases the message that has waited longest; no other node gets it meanwhile. One that can't be opened is
/// scheduled again, for when the node has the right secret key.
///
/// # Errors
/// The database's own.
pub async fn lease_next(db: &Db) -> Result<Option<OutgoingMail>, DbErr> {
    while let Some(mut message) = lease(db).await? {
        match db.sealer().open(place(message.id), &message.body) {
            Ok(body) => {
                message.body = body;
                return Ok(Some(message));
            }
            Err(error) => {
                tracing::error!(message = %message.id, %error, "can't open an e-mail");
                mark_failed(db, &message, &error.to_string()).await?;
            }
        }
    }
    Ok(None)
}

async fn lease(db: &Db) -> Result<Option<OutgoingMail>, DbErr> {
    let now = db.now();
    let due: Option<DueMail> = db
        .read()
        .first(
            "SELECT id FROM outbox WHERE next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT 1",
            vec![now.into()],
        )
        .await?;
    let Some(due) = due else { return Ok(None) };
    let tx = db.begin().await?;
    let sql = "UPDATE outbox SET next_attempt_at = $2, attempts = attempts + 1
        WHERE id = $1 AND next_attempt_at <= $3
        RETURNING id, recipient, subject, body, attempts";
    let taken = tx.first(sql, vec![due.id.into(), (now + LEASE).into(), now.into()]).await?;
    tx.commit().await?;
    Ok(taken)
}

#[derive(FromQueryResult)]
struct DueMail {
    id: Uuid,
}

/// Deletes a message that was sent, with the secrets in it.
///
/// # Errors
/// The database's own; then it may be sent twice, under the same Message-ID.
pub async fn mark_sent(db: &Db, id: Uuid) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    tx.run("DELETE FROM outbox WHERE id = $1", vec![id.into()]).await?;
    tx.commit().await
}

/// Schedules a retry of a message that could not be sent, with a growing delay.
///
/// # Errors
/// The database's own.
pub async fn mark_failed(db: &Db, message: &OutgoingMail, error: &str) -> Result<(), DbErr> {
    let wait = (SECOND << message.attempts.clamp(0, 9)).min(MAX_RETRY_DELAY);
    let error: String = error.chars().take(500).collect();
    let tx = db.begin().await?;
    let sql = "UPDATE outbox SET next_attempt_at = $2, last_error = $3 WHERE id = $1";
    tx.run(sql, vec![message.id.into(), (db.now() + wait).into(), error.into()]).await?;
    tx.commit().await
}

/// Returns when something may be due: a change has just queued a message, or some time has passed.
pub async fn wait(db: &Db) {
    let _ = tokio::time::timeout(Duration::from_secs(1), db.outbox_ready().notified()).await;
}
