//! Adding somebody of the account to the workspace.

use crate::{
    domain::{
        Invalid, Refused,
        base::role::Assignable,
        enforce::read::ReadScope,
        members::{self, ALREADY_MEMBER, Candidate},
        roles,
    },
    policy::{BuiltIn, perm},
    web::{
        checks,
        chrome::{Chrome, Flash, View, hue, initials},
        errors::Errors,
        form::{Again, Form},
        guard::{Answer, Authorized},
        list::Query,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "members/new.html")]
struct New<'a> {
    chrome: Chrome,
    /// `/w/{slug}/members`
    base: String,
    rows: Vec<Row>,
    choices: Vec<(Assignable, bool)>,
    /// There is a role that the viewer may give.
    may_give: bool,
    typed: &'a Added,
    /// There are more than are shown.
    is_cut: bool,
    errors: Errors,
    /// What stood against the change that this page answers; empty where nothing did.
    problem: String,
}

struct Row {
    candidate: Candidate,
    id: String,
    initials: String,
    hue: u8,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    q: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Added {
    /// The id of somebody of the account.
    user: String,
    role: Vec<String>,
    /// What was searched for.
    q: String,
}

impl Search {
    fn read(&self) -> Result<String, Invalid> {
        checks::search(&self.q)
    }
}

pub async fn show(cx: Authorized<perm::InviteMembers, Query<Search>>) -> Answer {
    let (scope, view, Query(search)) = cx.into_parts();
    let (text, status, errors) = match search.read() {
        Ok(text) => (text, StatusCode::OK, Errors::default()),
        Err(invalid) => (String::new(), StatusCode::UNPROCESSABLE_ENTITY, invalid.into()),
    };
    let found = members::candidates(&scope, &text).await?;
    let typed = Added { q: search.q, role: vec![BuiltIn::Viewer.slug().to_owned()], ..Added::default() };
    Ok(view.html_as(status, &New::of(&view, &scope, found, &typed).with(errors, String::new())))
}

impl<'a> New<'a> {
    fn of(
        view: &View,
        scope: &ReadScope<perm::InviteMembers>,
        (candidates, is_cut): (Vec<Candidate>, bool),
        typed: &'a Added,
    ) -> Self {
        let choice = |role: Assignable| {
            let is_ticked = typed.role.contains(&role.slug);
            (role, is_ticked)
        };
        let row = |candidate: Candidate| Row {
            id: candidate.user_id.to_string(),
            initials: initials(&candidate.name),
            hue: hue(candidate.user_id),
            candidate,
        };
        let choices: Vec<_> = roles::assignable(scope).into_iter().map(choice).collect();
        Self {
            chrome: view.chrome(),
            base: view.at("/members"),
            rows: candidates.into_iter().map(row).collect(),
            may_give: choices.iter().any(|(role, _)| role.refused.is_none()),
            choices,
            typed,
            is_cut,
            errors: Errors::default(),
            problem: String::new(),
        }
    }

    fn with(self, errors: Errors, problem: String) -> Self {
        Self { errors, problem, ..self }
    }
}

pub async fn add(cx: Authorized<perm::InviteMembers, Form<Added>>) -> Answer {
    let (scope, view, Form(mut form)) = cx.into_parts();
    let again = scope.again();
    let is_viewer = |role: &Assignable| role.slug == BuiltIn::Viewer.slug() && role.refused.is_none();
    if form.role.is_empty() && roles::assignable(&scope).iter().any(is_viewer) {
        form.role.push(BuiltIn::Viewer.slug().to_owned());
    }
    let done = match Uuid::try_parse(&form.user) {
        Ok(user) => members::add(scope, user, &form.role).await,
        Err(_) => Err(Invalid::field("user", "Choose who is to be added.").into()),
    };
    let refused = match done {
        Ok(added) => {
            let roles = added.roles.join(", ");
            let flash =
                Flash::good(format!("{} is a member now, as {roles}, and is told by mail.", added.name));
            // Who invites need not be somebody who sees the members.
            let to = if view.chrome().can.read_members { "/members" } else { "" };
            return Ok(view.done(view.at(to), flash));
        }
        Err(refused) => refused,
    };
    // What was searched for, so that who was chosen is among those who are shown.
    let text = checks::search(&form.q).unwrap_or_default();
    let found = members::candidates(&again, &text).await?;
    let page = New::of(&view, &again, found, &form);
    if let Refused::Conflict(ALREADY_MEMBER) = refused {
        let page = page.with(Errors::default(), ALREADY_MEMBER.to_string());
        return Ok(view.html_as(StatusCode::CONFLICT, &page));
    }
    Ok(Again::of(refused)?.page(|status, errors| view.html_as(status, &page.with(errors, String::new()))))
}
