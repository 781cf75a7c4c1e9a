//! A request for access, and the forms that answer it.

use crate::{
    clock::Timestamp,
    domain::{
        Description, Invalid,
        base::{role::Role, words::exact},
        enforce::read::ReadScope,
        nouns::access_requests::{
            Acceptance, AccessRequest, State,
            answer::{self, accept as accept_request},
            ask, list,
        },
    },
    policy::{Access, Permission, perm},
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::reopen,
        routes::access_requests::list::{label, tone},
        until,
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

/// A role that can be given for the request.
struct Choice {
    slug: String,
    name: String,
    /// Why the viewer may not give it; empty if they may.
    why_not: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "access_requests/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    request: AccessRequest,
    /// What is asked for.
    wanted: String,
    state: State,
    asked: When,
    expires: When,
    /// Until when it is wanted; `None` for no end.
    asked_until: Option<When>,
    /// The role that was given.
    given: String,
    given_until: Option<When>,
    answered: Option<When>,
    is_own: bool,
    /// The viewer may answer.
    may_answer: bool,
    /// Why the viewer can't give anything to this member; empty if they can.
    why_not: String,
    roles: Vec<Choice>,
    /// As the forms have them.
    until: String,
    answer: String,
    errors: Errors,
}

impl Show {
    fn tone(&self) -> &'static str {
        tone(self.state)
    }

    fn label(&self) -> &'static str {
        label(self.state)
    }

    /// There is a role that the viewer may give.
    fn can_give(&self) -> bool {
        self.why_not.is_empty() && self.roles.iter().any(|role| role.why_not.is_empty())
    }

    fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }
}

/// What was sent, if the page answers a form that was rejected.
#[derive(Default)]
struct Sent {
    acceptance: Option<AcceptanceForm>,
    answer: String,
    errors: Errors,
}

async fn draw<P: Access>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    id: Uuid,
    sent: Sent,
) -> HandlerResult {
    let request = list::get(scope, id).await?;
    let (actor, now) = (scope.actor(), scope.now());
    let all = &actor.all_roles;
    let is_own = request.member_id == actor.member_id;
    let candidates = request.wanted().map(|wanted| wanted.roles(all)).unwrap_or_default();
    let form = sent.acceptance;
    let chosen = match &form {
        Some(form) => form.role.clone(),
        // Only what nobody could choose otherwise is chosen already.
        None if candidates.len() == 1 => candidates.iter().map(|role| role.slug.clone()).collect(),
        None => String::new(),
    };
    let choice = |role: &&Role| Choice {
        slug: role.slug.clone(),
        name: role.name.clone(),
        why_not: actor
            .holdings
            .may_assign(&role.holdings)
            .err()
            .map(|why| why.to_string())
            .unwrap_or_default(),
        is_chosen: role.slug == chosen,
    };
    let when = |at: Timestamp| When::new(at, now);
    let given = all.by_slug(&request.given_role);
    let page = Show {
        chrome: view.chrome(),
        home: view.at(""),
        wanted: request.label(all),
        state: request.state(now),
        asked: when(request.created_at),
        expires: when(request.expires_at),
        asked_until: request.ends_at.map(when),
        given: given.map_or_else(|| request.given_role.clone(), |role| role.name.clone()),
        given_until: request.given_until.map(when),
        answered: request.answered_at.map(when),
        is_own,
        why_not: actor
            .holdings
            .may_manage(&request.holdings(all))
            .err()
            .map(|why| why.to_string())
            .unwrap_or_default(),
        may_answer: !is_own && actor.holdings.has(Permission::UpdateMemberRoles),
        roles: candidates.iter().map(choice).collect(),
        until: form.map_or_else(|| last_day(request.ends_at), |form| form.until),
        answer: sent.answer,
        errors: sent.errors,
        request,
    };
    Ok(view.html_as(status, &page))
}

pub async fn show(cx: Authorized<perm::Membership, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    draw(&view, &scope, StatusCode::OK, id, Sent::default()).await
}

fn page_of(view: &View, id: Uuid) -> String {
    view.at(&format!("/access-requests/{id}"))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptanceForm {
    /// The slug of a role.
    role: String,
    /// A day; empty for no end.
    until: String,
    /// By how many minutes UTC is ahead of the reader; empty without the script.
    zone: String,
}

impl AcceptanceForm {
    /// The end of the day that was typed. Where that is the day that was asked for, it is the end that was asked for, wherever
    /// both people are.
    fn until(&self, asked: Option<Timestamp>) -> Result<Option<Timestamp>, Invalid> {
        match asked {
            Some(_) if self.until == last_day(asked) => Ok(asked),
            _ => until::parse(&self.until, &self.zone),
        }
    }
}

/// The last day before this end, as a field has it; empty for no end.
fn last_day(end: Option<Timestamp>) -> String {
    end.map(|end| exact(end - 1).chars().take(10).collect()).unwrap_or_default()
}

pub async fn accept(
    cx: Authorized<perm::UpdateMemberRoles, (Target, Form<AcceptanceForm>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let until = form.until(list::get(&scope, id).await?.ends_at)?;
        let given = Acceptance { role: form.role.clone(), until };
        let request = scope.write(async |s| accept_request(s, id, &given).await).await?;
        let text = format!("Accepted. {} has the role now.", request.asker);
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen(done.await, async |rejected| {
        let sent = Sent { acceptance: Some(form), errors: rejected.errors, ..Sent::default() };
        draw(&view, &duplicate, rejected.status, id, sent).await
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DeclineForm {
    answer: String,
}

pub async fn decline(cx: Authorized<perm::UpdateMemberRoles, (Target, Form<DeclineForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let text =
            Description::parse(&form.answer).map_err(|complaint| Invalid::field("answer", complaint))?;
        scope.write(async |s| answer::decline(s, id, &text).await).await?;
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good("Declined. Nothing was given.")))
    };
    reopen(done.await, async |rejected| {
        let sent = Sent { answer: form.answer, errors: rejected.errors, ..Sent::default() };
        draw(&view, &duplicate, rejected.status, id, sent).await
    })
    .await
}

pub async fn withdraw(cx: Authorized<perm::Membership, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| ask::withdraw(s, id).await).await?;
    Ok(view.redirect_with_flash(page_of(&view, id), Flash::good("Withdrawn. Nobody can answer it anymore.")))
}
