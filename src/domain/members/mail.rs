use crate::domain::base::{db::Db, outbox::Mail};
use askama::Template;

#[derive(Template)]
#[template(path = "mail/member_added.txt", whitespace = "preserve")]
struct Added<'a> {
    url: &'a str,
    by: &'a str,
    workspace: &'a str,
    slug: &'a str,
    roles: &'a str,
}

/// What the mail to somebody tells who was added from the account.
pub(in crate::domain) struct MemberAdded<'a> {
    pub by: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    pub roles: &'a str,
}

impl Mail {
    pub(in crate::domain) fn member_added(db: &Db, to: &str, about: &MemberAdded<'_>) -> Self {
        let MemberAdded { by, workspace, slug, roles } = about;
        let body = Added { url: db.public_url(), by, workspace, slug, roles };
        Self::new(to, format!("{by} added you to {workspace}"), &body)
    }
}
