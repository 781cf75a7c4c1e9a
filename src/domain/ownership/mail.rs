use crate::domain::base::{db::Db, outbox::Mail};
use askama::Template;

#[derive(Template)]
#[template(path = "mail/ownership_offered.txt", whitespace = "preserve")]
struct OwnershipOffered<'a> {
    url: &'a str,
    from: &'a str,
    workspace: &'a str,
    slug: &'a str,
}

impl Mail {
    pub(in crate::domain) fn ownership_offered(
        db: &Db,
        to: &str,
        from: &str,
        workspace: &str,
        slug: &str,
    ) -> Self {
        let body = OwnershipOffered { url: db.public_url(), from, workspace, slug };
        Self::new(to, format!("{from} offers you {workspace}"), &body)
    }
}
