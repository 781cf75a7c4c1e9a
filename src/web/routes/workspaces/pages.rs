//! The person's workspaces, and creating a new one.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, Name, Refused, Slug,
        nouns::{
            accounts::{self, AccountOfPerson},
            joining::{self, JoinableWorkspace},
            members::{self, WaitingMembership},
            organization::deletion::{self, RestorableWorkspace},
            workspaces::{self, WorkspaceOfPerson},
        },
    },
    policy::Setup,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{HandlerResult, Public, SignedIn},
        list::Query,
        rejection::reopen,
        when::{When, day},
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

/// Home: the workspace of the person who is signed in, the list of them if they have more or none, or if something
/// there waits for their answer; else the sign-in page.
pub async fn home(cx: Public) -> HandlerResult {
    let Some(person) = cx.person().await? else { return Ok(cx.view.redirect("/sign-in")) };
    let db = &cx.view.app.db;
    let theirs = workspaces::of_person(db, &person).await?;
    if let [only] = theirs.as_slice()
        && only.status == "active"
        && members::waiting(db, &person).await?.is_empty()
    {
        return Ok(cx.view.redirect(format!("/w/{}", only.slug)));
    }
    Ok(cx.view.redirect("/workspaces"))
}

#[derive(Template)]
#[template(path = "workspaces/index.html")]
struct Page<'a> {
    chrome: Chrome,
    workspaces: Vec<WorkspaceOfPerson>,
    /// Memberships that a service entered, and that wait for the person's answer.
    waiting: Vec<WaitingMembership>,
    /// Workspaces that let in people with an address like theirs.
    joinable: Vec<JoinableWorkspace>,
    /// Deleted ones that the person can restore, with the moment and the day on which each is gone.
    deleted: Vec<(RestorableWorkspace, When, String)>,
    /// Accounts to which the person belongs.
    accounts: Vec<AccountOfPerson>,
    /// They may create a workspace in at least one of them.
    may_choose: bool,
    form: &'a NewWorkspace,
    errors: Errors,
    /// `host/w/`, the prefix of a slug.
    prefix: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewWorkspace {
    name: String,
    /// Optional: if empty, it is made from the name.
    slug: String,
    /// An account's id; with none, the workspace gets an account of its own.
    account: String,
    /// `yes` to keep technical and billing work separate.
    separate_billing: String,
}

/// The account preselected by a link from an account's page.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Chosen {
    account: String,
}

pub async fn index(cx: SignedIn<Query<Chosen>>) -> HandlerResult {
    let form = NewWorkspace { account: cx.input.0.account.clone(), ..NewWorkspace::default() };
    draw(&cx, StatusCode::OK, &form, Errors::default()).await
}

async fn draw<I>(cx: &SignedIn<I>, status: StatusCode, form: &NewWorkspace, errors: Errors) -> HandlerResult {
    let db = &cx.view.app.db;
    let accounts = accounts::of_person(db, cx.person()).await?;
    let deleted = deletion::restorable_by(db, cx.person()).await?;
    let page = Page {
        chrome: cx.view.chrome(),
        workspaces: workspaces::of_person(db, cx.person()).await?,
        waiting: members::waiting(db, cx.person()).await?,
        joinable: joining::joinable(db, cx.person()).await?,
        deleted: with_moments(deleted, cx.view.now()),
        may_choose: accounts.iter().any(|account| account.may_create),
        accounts,
        form,
        errors,
        prefix: prefix(&cx.view),
    };
    Ok::<HttpResponse, Refused>(cx.view.html_as(status, &page))
}

/// Each with when it was deleted, and the day on which it is gone.
pub(in crate::web) fn with_moments(
    deleted: Vec<RestorableWorkspace>,
    now: Timestamp,
) -> Vec<(RestorableWorkspace, When, String)> {
    let with = |workspace: RestorableWorkspace| {
        let (when, until) = (When::new(workspace.deleted_at, now), day(workspace.until()));
        (workspace, when, until)
    };
    deleted.into_iter().map(with).collect()
}

/// The part of a workspace's address before the slug.
pub(in crate::web) fn prefix(view: &View) -> String {
    let origin = &view.app.settings.origin;
    let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
    format!("{host}/w/")
}

impl Validate for NewWorkspace {
    type Valid = (Name, Slug, Option<Uuid>, Setup);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse(&self.name));
        let slug = match self.slug.trim() {
            "" => Slug::suggest(&self.name).ok_or("Choose an address, such as my-team."),
            text => Slug::parse(text),
        };
        let slug = invalid.check("slug", slug);
        let account = match self.account.trim() {
            "" => Ok(None),
            text => Uuid::try_parse(text).map(Some).map_err(|_| "Choose one of your accounts."),
        };
        let account = invalid.check("account", account);
        let separate = match self.separate_billing.as_str() {
            "" => Ok(false),
            "yes" => Ok(true),
            _ => Err("Tick the box, or leave it empty."),
        };
        let separate = invalid.check("separate_billing", separate);
        Some((name?, slug?, account?, Setup::separate_billing(separate?)))
    }
}

pub async fn create(cx: SignedIn<Form<Checked<NewWorkspace>>>) -> HandlerResult {
    let Checked { sent: form, valid } = &cx.input.0;
    let created = async {
        let (name, slug, account, setup) = valid.as_ref().map_err(Invalid::clone)?;
        let db = &cx.view.app.db;
        let slug = workspaces::create(db, cx.person(), *account, name, slug, *setup, &cx.origin()).await?;
        let flash = Flash::good("Workspace created. Invite the people you work with.");
        Ok(cx.view.redirect_with_flash(format!("/w/{slug}"), flash))
    };
    reopen(created.await, async |rejected| draw(&cx, rejected.status, form, rejected.errors).await).await
}
