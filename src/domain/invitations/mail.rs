use crate::domain::base::{db::Db, outbox::Mail, tokens::Token};
use askama::Template;

#[derive(Template)]
#[template(path = "mail/invitation.txt", whitespace = "preserve")]
struct Invitation<'a> {
    url: &'a str,
    token: &'a str,
    about: &'a InvitationMail<'a>,
}

/// What the mail of an invitation tells.
pub(in crate::domain) struct InvitationMail<'a> {
    pub inviter: &'a str,
    pub workspace: &'a str,
    pub roles: &'a str,
    pub message: &'a str,
    pub days: i64,
}

impl Mail {
    pub(in crate::domain) fn invitation(
        db: &Db,
        to: &str,
        token: &Token,
        about: &InvitationMail<'_>,
    ) -> Self {
        let body = Invitation { url: db.public_url(), token: token.expose(), about };
        Self::new(to, format!("{} invites you to {}", about.inviter, about.workspace), &body)
    }
}
