//! The page of one key.

use crate::{
    domain::{
        CHANGED,
        nouns::accounts::keys::{IN_WORKSPACES, WorkspaceMembership},
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
    may_remove: bool,
    may_vouch: bool,
    is_verified: bool,
    /// Why an account admin can't rotate the secret of a key with workspaces.
    in_workspaces: &'static str,
    overlaps: [(i64, &'static str); 4],
    errors: Errors,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
    problem: String,
}

/// The state of the forms on a key's page, if it is not that of the key.
#[derive(Default)]
struct FormState {
    name: Option<String>,
    errors: Errors,
    problem: String,
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
    let refused = if is_open { home.why_not(&key).await? } else { None };
    let (may_change_roles, may_remove) = home.may_change_membership(&key);
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        memberships: home.memberships(id).await?,
        name: state.name.unwrap_or_else(|| H::record(&key).name.clone()),
        may_manage: is_open && refused.is_none(),
        why_not: refused.map(|refused| refused.to_string()).unwrap_or_default(),
        may_change_roles,
        may_remove,
        may_vouch: is_open && home.may_vouch(&key),
        is_verified: home.is_verified(),
        in_workspaces: IN_WORKSPACES,
        overlaps: OVERLAPS,
        errors: state.errors,
        problem: state.problem,
        row: Row::new(key, home.now()),
    };
    Ok(view.html_as(status, &page))
}

pub(in crate::web) async fn show<A: PageAdmission<Scope: Reads>>(cx: Admitted<A, Target>) -> HandlerResult {
    let (home, view, Target(id)) = cx.into_parts();
    draw(&view, &home, id, StatusCode::OK, FormState::default()).await
}

/// Draws the page of a key in response to a refused change. Someone who may not see keys gets the refusal
/// itself.
async fn redraw(
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
        let created = home.rotate(id, &form.version, form.overlap()?).await?;
        Ok(reveal(&view, &duplicate, &created))
    };
    reopen_on(done.await, on(CHANGED), async |rejected| {
        let problem = if rejected.is(CHANGED) { ROTATED.to_owned() } else { String::new() };
        redraw(&view, &duplicate, id, rejected, FormState { problem, ..FormState::default() }).await
    })
    .await
}
