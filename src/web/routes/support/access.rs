//! A request for support access: what was asked for, the answer, and the pages that were looked at.

use crate::{
    domain::{
        Invalid,
        enforce::read::ReadScope,
        nouns::support::grants::{self, PageView, State},
    },
    policy::{Permission, perm},
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::reopen,
        routes::support::list::{GrantRow, row},
        when::When,
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "support/access.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}/support`
    base: String,
    row: GrantRow,
    /// Each permission that was asked for, whether its box is ticked, and whether the viewer may grant it.
    choices: Vec<(Permission, bool, bool)>,
    granted: Vec<Permission>,
    hours: String,
    views: Vec<(PageView, When)>,
    expires: When,
    errors: Errors,
}

impl Show {
    fn is_waiting(&self) -> bool {
        self.row.state == State::Waiting
    }

    fn is_running(&self) -> bool {
        self.row.state == State::Running
    }
}

/// The answer as it was sent, if the page answers one that was rejected.
struct Sent {
    form: AnswerForm,
    errors: Errors,
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ManageSupportAccess>,
    status: StatusCode,
    id: Uuid,
    sent: Option<Sent>,
) -> HandlerResult {
    let (grant, views) = grants::get(scope, id).await?;
    let now = scope.now();
    let (form, errors) = sent.map_or_else(Default::default, |sent| (Some(sent.form), sent.errors));
    let holdings = &scope.actor().holdings;
    let choice = |permission: Permission| {
        let may = holdings.has(permission);
        let is_ticked = match &form {
            Some(form) => form.page.iter().any(|scope| scope == permission.scope()),
            None => may,
        };
        (permission, is_ticked, may)
    };
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/support"),
        choices: grant.asked().into_iter().map(choice).collect(),
        granted: grant.granted(),
        hours: form.as_ref().map_or_else(|| grant.hours.to_string(), |form| form.hours.clone()),
        views: views.into_iter().map(|page| (When::new(page.at, now), page)).map(|(w, p)| (p, w)).collect(),
        expires: When::new(grant.expires_at, now),
        row: row(grant, now),
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn show(cx: Authorized<perm::ManageSupportAccess, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    draw(&view, &scope, StatusCode::OK, id, None).await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerForm {
    hours: String,
    /// Scopes of permissions.
    page: Vec<String>,
}

impl AnswerForm {
    fn read(&self) -> Result<(i64, Vec<Permission>), Invalid> {
        let mut invalid = Invalid::default();
        let hours = self.hours.trim().parse::<i64>().map_err(|_| "Enter a number of hours.");
        let hours = invalid.check("hours", hours);
        let permissions: Option<Vec<_>> = self.page.iter().map(|scope| Permission::of_scope(scope)).collect();
        let permissions = invalid.check("page", permissions.ok_or("Choose among what was asked for."));
        match (hours, permissions) {
            (Some(hours), Some(permissions)) => Ok((hours, permissions)),
            _ => Err(invalid),
        }
    }
}

fn page_of(view: &View, id: Uuid) -> String {
    view.at(&format!("/support/access/{id}"))
}

pub async fn accept(cx: Authorized<perm::ManageSupportAccess, (Target, Form<AnswerForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let (hours, granted) = form.read()?;
        let grant = scope.write(async |s| grants::accept(s, id, hours, &granted).await).await?;
        let hours = pluralize(hours, "hour", "hours");
        let text =
            format!("Support access granted to {} for {hours}. Everyone here sees a banner.", grant.operator);
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen(done.await, async |rejected| {
        let sent = Sent { form, errors: rejected.errors };
        draw(&view, &duplicate, rejected.status, id, Some(sent)).await
    })
    .await
}

pub async fn decline(cx: Authorized<perm::ManageSupportAccess, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| grants::decline(s, id).await).await?;
    Ok(view.redirect_with_flash(page_of(&view, id), Flash::good("Declined. Nobody got access.")))
}

pub async fn end(cx: Authorized<perm::ManageSupportAccess, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| grants::end(s, id).await).await?;
    let flash = Flash::good("Support access ended. What was viewed is listed below and in Activity.");
    Ok(view.redirect_with_flash(page_of(&view, id), flash))
}
