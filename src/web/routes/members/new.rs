//! Adding a person of the account to the workspace.

use crate::{
    domain::{
        Invalid,
        enforce::read::ReadScope,
        nouns::{
            members::{self, ALREADY_MEMBER, Candidate},
            roles,
        },
    },
    policy::perm,
    web::{
        checks,
        chrome::{Chrome, Flash, View, hue, initials},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::{Query, Search},
        rejection::{on, reopen_on},
        role_choices::{Choices, any_assignable, choices, has_default, viewer},
    },
};
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
    choices: Choices,
    /// The viewer may assign at least one role.
    any_assignable: bool,
    /// Whoever chooses no role adds a Viewer.
    has_default: bool,
    typed: &'a AddMemberForm,
    /// There are more than are shown.
    is_cut: bool,
    errors: Errors,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
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
pub struct AddMemberForm {
    /// The id of a person of the account.
    user: String,
    role: Vec<String>,
    /// What was searched for.
    q: String,
}

pub async fn show(cx: Authorized<perm::InviteMembers, Query<Search>>) -> HandlerResult {
    let (scope, view, Query(search)) = cx.into_parts();
    let (text, status, errors) = search.or_everything();
    let candidates = members::candidates(&scope, &text).await?;
    let typed = AddMemberForm { q: search.q, ..AddMemberForm::default() };
    Ok(view.html_as(status, &New { errors, ..New::of(&view, &scope, candidates, &typed) }))
}

impl<'a> New<'a> {
    fn of(
        view: &View,
        scope: &ReadScope<perm::InviteMembers>,
        (candidates, is_cut): (Vec<Candidate>, bool),
        typed: &'a AddMemberForm,
    ) -> Self {
        let row = |candidate: Candidate| Row {
            id: candidate.user_id.to_string(),
            initials: initials(&candidate.name),
            hue: hue(candidate.user_id),
            candidate,
        };
        let choices = choices(roles::assignable(scope), &typed.role);
        Self {
            chrome: view.chrome(),
            base: view.at("/members"),
            rows: candidates.into_iter().map(row).collect(),
            any_assignable: any_assignable(&choices),
            has_default: has_default(&choices),
            choices,
            typed,
            is_cut,
            errors: Errors::default(),
            problem: String::new(),
        }
    }
}

pub async fn add(cx: Authorized<perm::InviteMembers, Form<AddMemberForm>>) -> HandlerResult {
    let (scope, view, Form(mut form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    if form.role.is_empty() && has_default(&choices(roles::assignable(&scope), &[])) {
        form.role = viewer();
    }
    let done = async {
        let user = Uuid::try_parse(&form.user);
        let user = user.map_err(|_| Invalid::field("user", "Choose a person."))?;
        let added = members::add(scope, user, &form.role).await?;
        let roles = added.roles.join(", ");
        let mail = match added.is_mailed {
            true => "We sent them an e-mail.",
            false => "They got no e-mail, because many were sent to their address within the hour.",
        };
        let flash = Flash::good(format!("{} added as {roles}. {mail}", added.name));
        // Who invites need not be somebody who sees the members.
        let to = if view.chrome().can.read_members { "/members" } else { "" };
        Ok(view.redirect_with_flash(view.at(to), flash))
    };
    reopen_on(done.await, on(ALREADY_MEMBER), async |rejected| {
        // What was searched for, so that who was chosen is among those who are shown.
        let text = checks::search(&form.q).unwrap_or_default();
        let candidates = members::candidates(&duplicate, &text).await?;
        let (errors, problem) = (rejected.errors, rejected.problem);
        let page = New { errors, problem, ..New::of(&view, &duplicate, candidates, &form) };
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}
