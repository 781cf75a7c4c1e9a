//! The mail of an invitation, and of its answer.

use crate::domain::base::{
    db::Db,
    outbox::{MailTemplate, OutgoingMail},
    sql::Sql,
};
use askama::Template;
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// An invitation, with the link that proves that its bearer reads the mailbox.
#[derive(Template)]
#[template(path = "mail/invitation.txt", whitespace = "preserve")]
pub(in crate::domain) struct InvitationMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub token: &'a str,
    pub inviter: &'a str,
    /// Their name with their address.
    pub signature: &'a str,
    pub workspace: &'a str,
    /// Their names, as a list in words.
    pub roles: &'a str,
    /// What the inviter wrote; may be empty.
    pub message: &'a str,
    /// The number of days in which it can be accepted.
    pub days: i64,
    /// Until when whoever accepts has access, in UTC; empty without an end.
    pub until: &'a str,
}

impl MailTemplate for InvitationMail<'_> {
    fn subject(&self) -> String {
        format!("{} invited you to {}", self.inviter, self.workspace)
    }
}

/// To the inviter, once it was accepted.
#[derive(Template)]
#[template(path = "mail/invitation_accepted.txt", whitespace = "preserve")]
pub(super) struct InvitationAcceptedMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub name: &'a str,
    /// The name with the address.
    pub signature: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    /// Names of the roles, as a list in words.
    pub roles: &'a str,
}

impl MailTemplate for InvitationAcceptedMail<'_> {
    fn subject(&self) -> String {
        format!("{} joined {}", self.name, self.workspace)
    }
}

#[derive(FromQueryResult)]
struct Present {
    mail_id: Option<Uuid>,
}

/// Whether the message is still to be sent. That of an invitation is, as long as it is pending and has no newer link.
///
/// # Errors
/// The database's own.
pub async fn is_wanted(db: &Db, message: &OutgoingMail) -> Result<bool, DbErr> {
    let Some(about) = message.about() else { return Ok(true) };
    let sql = "SELECT mail_id FROM invitations
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending' AND expires_at > $3";
    let values = vec![about.workspace_id.into(), about.id.into(), db.now().into()];
    let present: Option<Present> = db.read().first(sql, values).await?;
    Ok(present.is_some_and(|present| present.mail_id == Some(message.id)))
}
