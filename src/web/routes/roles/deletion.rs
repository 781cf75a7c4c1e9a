//! Deleting a role: what will happen, and which role replaces it.

use crate::{
    domain::{
        enforce::read::ReadScope,
        nouns::{
            destinations::lost_senders::{LosingDestination, LostSender, losing},
            roles::{self, Deleted, DeletionPlan, ROLE_IN_USE},
        },
    },
    policy::perm,
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        path::NamedRole,
        rejection::{on, reopen_on},
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "roles/deletion.html")]
struct DeletionPage {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    /// `/w/{slug}/roles/{role}`
    base: String,
    plan: DeletionPlan,
    losing: Vec<LosingDestination>,
    /// The slug of the replacement that was chosen.
    chosen: String,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    /// A role's slug; may be empty where nobody has the role.
    replacement: String,
}

pub async fn deletion(cx: Authorized<perm::ManageRoles, NamedRole>) -> HandlerResult {
    let (scope, view, NamedRole(slug)) = cx.into_parts();
    ask(&view, &scope, StatusCode::OK, &slug, String::new(), Errors::default()).await
}

async fn ask(
    view: &View,
    scope: &ReadScope<perm::ManageRoles>,
    status: StatusCode,
    slug: &str,
    chosen: String,
    errors: Errors,
) -> HandlerResult {
    let plan = roles::deletion_plan(scope, slug).await?;
    let page = DeletionPage {
        chrome: view.chrome(),
        home: view.at(""),
        base: view.at(&format!("/roles/{slug}")),
        losing: losing(scope, LostSender::Role(plan.detail.role.id)).await?,
        plan,
        chosen,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn delete(cx: Authorized<perm::ManageRoles, (NamedRole, Form<Deletion>)>) -> HandlerResult {
    let (scope, view, (NamedRole(slug), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let replacement = Some(form.replacement.as_str()).filter(|slug| !slug.is_empty());
    let done = scope.write(async |s| roles::delete(s, &slug, replacement).await).await;
    let done =
        done.map(|deleted| view.redirect_with_flash(view.at("/roles"), Flash::good(in_words(&deleted))));
    // The role may be in use since a moment ago: the page now asks for a replacement.
    reopen_on(done, on(ROLE_IN_USE), async |rejected| {
        let errors = rejected.errors_at("replacement");
        ask(&view, &duplicate, rejected.status, &slug, form.replacement, errors).await
    })
    .await
}

fn in_words(deleted: &Deleted) -> String {
    let count = |n: usize, one, many| pluralize(i64::try_from(n).unwrap_or(i64::MAX), one, many);
    let name = &deleted.name;
    let Some(by) = &deleted.replaced_by else { return format!("Role “{name}” deleted.") };
    let members = count(deleted.members, "member", "members");
    let invitations = count(deleted.invitations, "invitation", "invitations");
    match (deleted.members, deleted.invitations) {
        (_, 0) => format!("Role “{name}” deleted. {members} now have {by} instead."),
        (0, _) => format!("Role “{name}” deleted. {invitations} now offer {by} instead."),
        _ => format!("Role “{name}” deleted. {members} and {invitations} now have {by} instead."),
    }
}
