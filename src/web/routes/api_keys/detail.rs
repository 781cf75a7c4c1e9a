//! The page of one key.

use crate::{
    clock::Timestamp,
    domain::{
        CHANGED,
        nouns::{
            accounts::keys::{IN_WORKSPACES, WorkspaceMembership},
            api_keys::{Consent, HomeOptions, TakeOver},
        },
    },
    web::{
        checks::Checked,
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Admitted, HandlerResult, PageAdmission},
        path::Target,
        rejection::{FormRejection, on, reopen, reopen_on},
        routes::api_keys::{
            home::{Manages, Reads},
            new::{page_of, reveal},
            parts::{OVERLAPS, ROTATED, RenameForm, Rotation},
            row::Row,
        },
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "api_keys/show.html")]
struct Show {
    chrome: Chrome,
    base: String,
    row: Row,
    /// The workspaces of the key, on the page of the account.
    memberships: Vec<WorkspaceMembership>,
    /// The value of the field: as it is stored, or as it was sent.
    name: String,
    /// The viewer may rename, rotate and revoke it.
    may_manage: bool,
    /// Why not, if the viewer has the permission for it; empty otherwise.
    why_not: String,
    may_change_roles: bool,
    /// The address of the page that removes it from the workspace; empty if the viewer may not.
    removal: String,
    may_vouch: bool,
    /// The number of other workspaces that it is removed from if the viewer rotates the secret.
    unmanaged: i64,
    /// What the viewer may decide about where else it is a member, in its home workspace.
    options: Option<Placement>,
    /// The address of the other workspace that was typed.
    workspace: String,
    is_verified: bool,
    /// Why an account admin can't rotate the secret of a key with workspaces.
    in_workspaces: &'static str,
    overlaps: [(i64, &'static str); 4],
    errors: Errors,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
    problem: String,
}

/// [`HomeOptions`] as the page shows them.
struct Placement {
    /// Each with when it ends.
    consents: Vec<(Consent, When)>,
    homes: Vec<(Uuid, String)>,
}

impl Placement {
    fn new(options: HomeOptions, now: Timestamp) -> Self {
        let HomeOptions { consents, homes } = options;
        let with_end = |consent: Consent| {
            let end = When::new(consent.expires_at, now);
            (consent, end)
        };
        Self { consents: consents.into_iter().map(with_end).collect(), homes }
    }
}

/// The state of the forms on a key's page, if it is not that of the key.
#[derive(Default)]
pub(super) struct FormState {
    pub(super) name: Option<String>,
    pub(super) workspace: String,
    pub(super) errors: Errors,
    pub(super) problem: String,
}

async fn draw<H: Reads>(
    view: &View,
    home: &H,
    id: Uuid,
    status: StatusCode,
    state: FormState,
) -> HandlerResult {
    let key = home.load(id).await?;
    let is_open = home.may_manage() && !H::record(&key).is_revoked;
    let TakeOver { refused, unmanaged } =
        if is_open { home.take_over(&key).await? } else { TakeOver::default() };
    let (may_change_roles, may_remove_member) = home.may_change_membership(&key);
    let (may_remove, may_vouch) = (home.may_remove(&key), is_open && home.may_vouch(&key));
    let options = home.options(&key).await?.map(|options| Placement::new(options, home.now()));
    let name = state.name.unwrap_or_else(|| H::record(&key).name.clone());
    let row = Row::new(key, home.now());
    let removal = match row.here() {
        Some(_) if may_remove => view.at(&format!("/api-keys/{id}/removal")),
        Some(here) if may_remove_member => view.at(&format!("/members/{}/removal", here.member_id)),
        _ => String::new(),
    };
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        memberships: home.memberships(id).await?,
        name,
        may_manage: is_open && refused.is_none(),
        why_not: refused.map(|refused| refused.to_string()).unwrap_or_default(),
        may_change_roles,
        removal,
        may_vouch,
        unmanaged,
        options,
        workspace: state.workspace,
        is_verified: home.is_verified(),
        in_workspaces: IN_WORKSPACES,
        overlaps: OVERLAPS,
        errors: state.errors,
        problem: state.problem,
        row,
    };
    Ok(view.html_as(status, &page))
}

pub(in crate::web) async fn show<A: PageAdmission<Scope: Reads>>(cx: Admitted<A, Target>) -> HandlerResult {
    let (home, view, Target(id)) = cx.into_parts();
    draw(&view, &home, id, StatusCode::OK, FormState::default()).await
}

/// Draws the page of a key in response to a refused change. Someone who may not see keys gets the refusal
/// itself.
pub(super) async fn redraw(
    view: &View,
    home: &impl Manages,
    id: Uuid,
    rejected: FormRejection,
    state: FormState,
) -> HandlerResult {
    match home.reader() {
        Some(reader) => {
            let state = FormState { errors: rejected.errors, ..state };
            draw(view, &reader, id, rejected.status, state).await
        }
        None => Err(rejected.refused),
    }
}

pub(in crate::web) async fn rename<A: PageAdmission<Scope: Manages>>(
    cx: Admitted<A, (Target, Form<Checked<RenameForm>>)>,
) -> HandlerResult {
    let (home, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = home.duplicate();
    let done = async {
        let name = home.rename(id, &form.valid?).await?;
        Ok(view.redirect_with_flash(
            page_of(&view, &duplicate, id),
            Flash::good(format!("Key renamed to {name}.")),
        ))
    };
    reopen(done.await, async |rejected| {
        let state = FormState { name: Some(form.sent.name), ..FormState::default() };
        redraw(&view, &duplicate, id, rejected, state).await
    })
    .await
}

pub(in crate::web) async fn rotate<A: PageAdmission<Scope: Manages>>(
    cx: Admitted<A, (Target, Form<Rotation>)>,
) -> HandlerResult {
    let (home, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = home.duplicate();
    let done = async {
        let created = home.rotate(id, &form.version, form.overlap()?, form.ended_memberships()?).await?;
        Ok(reveal(&view, &duplicate, &created))
    };
    reopen_on(done.await, on(CHANGED), async |rejected| {
        let problem = if rejected.is(CHANGED) { ROTATED.to_owned() } else { String::new() };
        redraw(&view, &duplicate, id, rejected, FormState { problem, ..FormState::default() }).await
    })
    .await
}
