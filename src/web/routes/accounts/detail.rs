//! The pages of an account, for its admins: what it has, and its people.

use crate::{
    domain::{
        Invalid, Name, Refused,
        activity::{self, Entry},
        base::{
            account::{Account, CreationPolicy},
            paging::Position,
        },
        nouns::{
            accounts::{self, AccountDetail, AccountScope, Details, Workspace},
            administration::{self, AdministrationRequest},
            organization::deletion::{self, RestorableWorkspace},
        },
    },
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View, hue, initials},
        errors::Errors,
        form::Form,
        guard::{HandlerResult, account::AccountAdmin},
        list::{List, ListState, Neighbours, Unfiltered},
        rejection::reopen,
        routes::{activity::list, workspaces::pages::with_moments},
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "accounts/show.html")]
struct Show {
    chrome: Chrome,
    /// `/a/{account}`
    base: String,
    account: Account,
    created: When,
    workspaces: Vec<(Workspace, When)>,
    neighbours: Neighbours,
    /// Names, with the admin's own first letter and colour.
    admins: Vec<AdminRow>,
    /// Owners of workspaces who ask to become admins.
    requests: Vec<(AdministrationRequest, When)>,
    /// Workspaces that their Owners can restore, with the moment and the day on which each is gone.
    deleted: Vec<(RestorableWorkspace, When, String)>,
    events: Vec<list::Row>,
    form: DetailsForm,
    errors: Errors,
}

struct AdminRow {
    name: String,
    initials: String,
    hue: u8,
    is_you: bool,
}

pub async fn show(cx: AccountAdmin<List<Unfiltered>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let (detail, list) = list.load(async |(), at| accounts::get(&scope, at).await).await?;
    let recent = Recent::load(&scope).await?;
    Ok(view.html_as(list.status(), &draw(&view, &scope, detail, recent, None, list)))
}

/// What happened lately, and what waits for an answer.
struct Recent {
    latest: Vec<Entry>,
    requests: Vec<AdministrationRequest>,
    deleted: Vec<RestorableWorkspace>,
}

impl Recent {
    async fn load(scope: &AccountScope) -> Result<Self, Refused> {
        let latest = activity::latest_of_account(scope).await?;
        let deleted = deletion::of_account(scope).await?;
        Ok(Self { latest, requests: administration::pending(scope).await?, deleted })
    }
}

fn draw(
    view: &View,
    scope: &AccountScope,
    detail: AccountDetail,
    recent: Recent,
    typed: Option<DetailsForm>,
    list: ListState<Unfiltered>,
) -> Show {
    let (actor, now, base) = (scope.actor(), scope.now(), view.at(""));
    let account = actor.account.clone();
    let admin = |(id, name): (Uuid, String)| AdminRow {
        initials: initials(&name),
        hue: hue(id),
        is_you: id == actor.id(),
        name,
    };
    let event = |entry: Entry| {
        let is_of_workspace = entry.target_kind == "workspace";
        let mut row = list::Row::new(entry, now, &view.app.routes.labels);
        // There is no page that lists what one person did to an account.
        row.actor_id.clear();
        // Of a workspace, an admin sees only that it was created or deleted, and by whom.
        if is_of_workspace {
            row.from.clear();
        }
        row
    };
    Show {
        chrome: view.chrome(),
        created: When::new(account.created_at, now),
        neighbours: list.neighbours(&detail.workspaces, &base),
        workspaces: detail
            .workspaces
            .rows
            .into_iter()
            .map(|w| (When::new(w.created_at, now), w))
            .map(|(t, w)| (w, t))
            .collect(),
        admins: detail.admins.into_iter().map(admin).collect(),
        deleted: with_moments(recent.deleted, now),
        events: recent.latest.into_iter().map(event).collect(),
        requests: recent
            .requests
            .into_iter()
            .map(|request| (When::new(request.created_at, now), request))
            .map(|(when, request)| (request, when))
            .collect(),
        form: typed.unwrap_or_else(|| DetailsForm {
            name: account.name.clone(),
            creation: account.creation.word().to_owned(),
        }),
        errors: list.errors,
        base,
        account,
    }
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DetailsForm {
    name: String,
    /// `admins` or `people`.
    creation: String,
}

impl Validate for DetailsForm {
    type Valid = Details;

    fn validate(&self, invalid: &mut Invalid) -> Option<Details> {
        let name = invalid.check("name", Name::parse(&self.name));
        let creation = CreationPolicy::of(&self.creation).ok_or("Choose who can create workspaces.");
        let creation = invalid.check("creation", creation);
        Some(Details { name: name?, creation: creation? })
    }
}

pub async fn update(cx: AccountAdmin<Form<Checked<DetailsForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let details = form.valid?;
        let is_change = scope.write(async |s| accounts::update(s, &details).await).await?;
        let words = if is_change { "Account saved." } else { "No changes to save." };
        Ok(view.redirect_with_flash(view.at(""), Flash::good(words)))
    };
    reopen(saved.await, async |rejected| {
        let detail = accounts::get(&duplicate, &Position::FIRST).await?;
        let recent = Recent::load(&duplicate).await?;
        let list = ListState { errors: rejected.errors, ..ListState::default() };
        Ok(view.html_as(rejected.status, &draw(&view, &duplicate, detail, recent, Some(form.sent), list)))
    })
    .await
}
