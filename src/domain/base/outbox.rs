//! The queue of mail: a message is written in the transaction that causes it, sent after its commit, and
//! retried until it is delivered or given up. Its text is sealed: it may contain the secret of a link.

use crate::{
    clock::{DAY, HOUR, MINUTE, SECOND, Timestamp},
    domain::base::{
        db::Db,
        mail_choice::{MailChoice, unsubscribe_url},
        refused::Refused,
        sealed::Place,
        sql::Sql,
    },
    entity::outbox_message,
    random,
    visible::excerpt,
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
    about: Option<About>,
    /// The kind that its recipient can stop, and who they are.
    choice: Option<(MailChoice, Uuid)>,
}

/// The invitation that a message is about.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub workspace_id: Uuid,
    pub id: Uuid,
}

impl Mail {
    pub(in crate::domain) fn new(recipient: &str, mail: &impl MailTemplate) -> Self {
        // These templates cannot fail: they hold texts and nothing that computes.
        let body = mail.render().unwrap_or_default();
        Self { recipient: recipient.to_owned(), subject: mail.subject(), body, about: None, choice: None }
    }

    /// Says that this person can stop such mail, and how: a link at its end, and one for their mail program.
    pub(in crate::domain) fn of_choice(self, choice: MailChoice, recipient: Uuid) -> Self {
        Self { choice: Some((choice, recipient)), ..self }
    }

    /// Names the invitation that the message is about. If it is refused for good, it stays in the queue without its
    /// text, with the server's words, for whoever looks there.
    pub(in crate::domain) fn about(self, workspace_id: Uuid, id: Uuid) -> Self {
        Self { about: Some(About { workspace_id, id }), ..self }
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
        let body = match self.choice {
            Some((choice, person)) => {
                let (url, stop) = (db.public_url(), unsubscribe_url(db, person, choice)?);
                let text = self.body.trim_end();
                format!(
                    "{text}\n\n{FOOTER}\nYou get this message because of your choices for e-mail:\n{url}/me#mail\n\n\
                    To stop messages of this kind:\n{stop}\n"
                )
            }
            None => self.body,
        };
        let row = outbox_message::ActiveModel {
            id: Set(id),
            recipient: Set(self.recipient),
            subject: Set(self.subject),
            body: Set(db.sealer().seal(place(id), &body)?),
            created_at: Set(now),
            next_attempt_at: Set(now),
            attempts: Set(0),
            last_error: Set(None),
            failed_at: Set(None),
            about: Set(self.about.map(|about| about.id)),
            about_workspace: Set(self.about.map(|about| about.workspace_id)),
            choice: Set(self.choice.map(|(choice, _)| choice.word().to_owned())),
            recipient_id: Set(self.choice.map(|(_, person)| person)),
        };
        outbox_message::Entity::insert(row).exec_without_returning(tx).await?;
        Ok(id)
    }
}

/// The line that begins the small print of a message, as mail programs know it (RFC 3676).
pub const FOOTER: &str = "-- ";

/// A message that this node has leased to send it.
#[derive(Debug, FromQueryResult)]
pub struct OutgoingMail {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// How often it was tried, this time included.
    pub attempts: i64,
    pub created_at: Timestamp,
    about: Option<Uuid>,
    about_workspace: Option<Uuid>,
    choice: Option<String>,
    recipient_id: Option<Uuid>,
    /// The address at which its recipient stops such mail with one click (RFC 8058); `None` for what always comes.
    #[sea_orm(skip)]
    pub unsubscribe: Option<String>,
}

impl OutgoingMail {
    /// The invitation that it is about, if it is about one.
    pub fn about(&self) -> Option<About> {
        Some(About { workspace_id: self.about_workspace?, id: self.about? })
    }
}

/// Why a message could not be sent, in the server's words.
#[derive(Debug)]
pub enum DeliveryError {
    /// It may work later.
    Temporary(String),
    /// It never will.
    Permanent(String),
}

/// How long a message is leased to a node, in milliseconds: longer than it may take to deliver it.
const LEASE: i64 = 2 * MINUTE;

/// How long a message is retried, in milliseconds: as long as the links in most of them work.
const RETRY_FOR: i64 = 3 * DAY;

/// When one that was given up is due: never.
const NEVER: i64 = i64::MAX;

/// What is kept of a server's words, in characters.
const MAX_WORDS: usize = 500;

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
        if is_about_deleted_workspace(db, &message).await? {
            put_off(db, &message).await?;
            continue;
        }
        match db.sealer().open(place(message.id), &message.body) {
            Ok(body) => {
                message.body = body;
                message.unsubscribe = unsubscribe_of(db, &message)?;
                return Ok(Some(message));
            }
            Err(error) => {
                tracing::error!(mail = %message.id, %error, "can't open an e-mail");
                mark_failed(db, &message, &DeliveryError::Temporary(error.to_string())).await?;
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
        RETURNING id, recipient, subject, body, attempts, created_at, about, about_workspace, choice, recipient_id";
    let taken = tx.first(sql, vec![due.id.into(), (now + LEASE).into(), now.into()]).await?;
    tx.commit().await?;
    Ok(taken)
}

fn unsubscribe_of(db: &Db, message: &OutgoingMail) -> Result<Option<String>, DbErr> {
    let choice = message.choice.as_deref().and_then(MailChoice::of_word);
    choice.zip(message.recipient_id).map(|(choice, person)| unsubscribe_url(db, person, choice)).transpose()
}

/// When a message that is about a deleted workspace is looked at again, in milliseconds.
const DELETED: i64 = HOUR;

async fn is_about_deleted_workspace(db: &Db, message: &OutgoingMail) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        is_deleted: bool,
    }
    let Some(workspace) = message.about_workspace else { return Ok(false) };
    let sql = "SELECT deleted_at IS NOT NULL AS is_deleted FROM workspaces WHERE id = $1";
    let row: Option<Row> = db.read().first(sql, vec![workspace.into()]).await?;
    // Of one that is gone it is about nothing any more, and whoever sends it finds that out.
    Ok(row.is_some_and(|row| row.is_deleted))
}

/// Leaves a message in the queue, as if it had not been tried.
async fn put_off(db: &Db, message: &OutgoingMail) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql =
        "UPDATE outbox SET next_attempt_at = $2, attempts = attempts - 1 WHERE id = $1 AND attempts = $3";
    tx.run(sql, vec![message.id.into(), (db.now() + DELETED).into(), message.attempts.into()]).await?;
    tx.commit().await
}

#[derive(FromQueryResult)]
struct DueMail {
    id: Uuid,
}

/// The state of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct QueueState {
    /// Messages that were not tried yet, or are being sent.
    pub waiting: i64,
    /// Messages that failed, and are tried again.
    pub retrying: i64,
    /// Messages that were given up, for whoever caused them to see. They are kept for 90 days.
    pub undeliverable: i64,
    /// Since when the oldest one that is to be sent waits; `None` if none is.
    pub oldest: Option<Timestamp>,
}

/// The state of the queue: for the metrics, and for operators.
///
/// # Errors
/// The database's own.
pub async fn state(db: &Db) -> Result<QueueState, DbErr> {
    let sql = "SELECT COUNT(*) - COUNT(last_error) AS waiting, COUNT(last_error) AS retrying,
            (SELECT COUNT(*) FROM outbox f WHERE f.next_attempt_at = $1) AS undeliverable,
            MIN(created_at) AS oldest
        FROM outbox WHERE next_attempt_at < $1";
    let state = db.read().first(sql, vec![NEVER.into()]).await?;
    state.ok_or_else(|| DbErr::RecordNotFound("the state of the outbox".into()))
}

/// Deletes a message that was sent or that nobody wants any more, with the secrets in it.
///
/// # Errors
/// The database's own; then it may be sent twice, under the same Message-ID.
pub async fn remove(db: &Db, id: Uuid) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    tx.run("DELETE FROM outbox WHERE id = $1", vec![id.into()]).await?;
    tx.commit().await
}

/// Schedules a retry of a message that could not be sent, with a growing delay, or gives it up.
///
/// # Errors
/// The database's own.
pub async fn mark_failed(db: &Db, message: &OutgoingMail, error: &DeliveryError) -> Result<(), DbErr> {
    let (words, is_final) = match error {
        DeliveryError::Temporary(words) => (words, db.now() - message.created_at >= RETRY_FOR),
        DeliveryError::Permanent(words) => (words, true),
    };
    let words = excerpt(words, MAX_WORDS);
    match (is_final, message.about) {
        (false, _) => retry(db, message, &words).await,
        (true, Some(_)) => give_up(db, message, &words).await,
        (true, None) => remove(db, message.id).await,
    }?;
    let counters = &db.counters().mail;
    if is_final {
        counters.given_up.increment()
    } else {
        counters.retried.increment()
    }
    Ok(())
}

async fn retry(db: &Db, message: &OutgoingMail, words: &str) -> Result<(), DbErr> {
    let wait = (SECOND << message.attempts.clamp(0, 9)).min(MAX_RETRY_DELAY);
    let tx = db.begin().await?;
    // Not of a message that was leased to another node in the meantime.
    let sql = "UPDATE outbox SET next_attempt_at = $2, last_error = $3 WHERE id = $1 AND attempts = $4";
    let values = vec![message.id.into(), (db.now() + wait).into(), words.into(), message.attempts.into()];
    tx.run(sql, values).await?;
    tx.commit().await
}

async fn give_up(db: &Db, message: &OutgoingMail, words: &str) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "UPDATE outbox SET failed_at = $2, next_attempt_at = $3, last_error = $4, body = ''
        WHERE id = $1 AND attempts = $5";
    let values =
        vec![message.id.into(), db.now().into(), NEVER.into(), words.into(), message.attempts.into()];
    tx.run(sql, values).await?;
    tx.commit().await
}

/// Returns when something may be due: a change has just queued a message, or some time has passed.
pub async fn wait(db: &Db) {
    let _ = tokio::time::timeout(Duration::from_secs(1), db.outbox_ready().notified()).await;
}
