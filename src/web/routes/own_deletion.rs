//! The deletion of one's own sign-in: what it would do, what stands against it, and the form.

use crate::{
    domain::nouns::own_deletion::{self, OwnAccount, OwnWorkspace, SOLE},
    web::{
        chrome::{Chrome, Flash},
        errors::Errors,
        form::Form,
        guard::{HandlerResult, SignedIn},
        rejection::{on, reopen_on},
        session,
        when::day,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "me/deletion.html")]
struct Page {
    chrome: Chrome,
    email: String,
    /// Workspaces that would be left without an Owner, and accounts without an admin. With one of them, there is no form.
    ownerless: Vec<OwnWorkspace>,
    adminless: Vec<OwnAccount>,
    /// Deleted workspaces that nobody could restore any more, with the day on which each is gone.
    lost: Vec<(OwnWorkspace, String)>,
    workspaces: Vec<OwnWorkspace>,
    invitations: i64,
    entries: i64,
    teams: i64,
    keys: Vec<String>,
    typed: String,
    errors: Errors,
}

pub async fn show(cx: SignedIn) -> HandlerResult {
    draw(&cx, StatusCode::OK, String::new(), Errors::default()).await
}

async fn draw<I>(cx: &SignedIn<I>, status: StatusCode, typed: String, errors: Errors) -> HandlerResult {
    let plan = own_deletion::get(&cx.view.app.db, cx.person()).await?;
    let lost =
        plan.workspaces.iter().filter_map(|workspace| Some((workspace.clone(), day(workspace.lost_at()?))));
    let page = Page {
        chrome: cx.view.chrome(),
        email: cx.person().email.clone(),
        ownerless: plan.workspaces.iter().filter(|workspace| workspace.needs_owner()).cloned().collect(),
        adminless: plan.accounts.into_iter().filter(OwnAccount::needs_admin).collect(),
        lost: lost.collect(),
        invitations: plan.workspaces.iter().map(|workspace| workspace.invitations).sum(),
        entries: plan.workspaces.iter().map(|workspace| workspace.entries).sum(),
        teams: plan.workspaces.iter().map(|workspace| workspace.teams).sum(),
        workspaces: plan.workspaces,
        keys: plan.keys,
        typed,
        errors,
    };
    Ok(cx.view.html_as(status, &page))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    confirm: String,
    current_password: String,
}

pub async fn delete(cx: SignedIn<Form<Deletion>>) -> HandlerResult {
    let form = &cx.input.0;
    let done = async {
        let (db, origin) = (&cx.view.app.db, cx.origin());
        own_deletion::delete(db, cx.person(), &form.confirm, &form.current_password, &origin).await?;
        session::forget(&cx.view.req);
        let text = format!("Your sign-in was deleted. We sent a message to {}.", cx.person().email);
        Ok(cx.view.redirect_with_flash("/sign-in", Flash::good(text)))
    };
    // The page names each place, and what to do there.
    reopen_on(done.await, on(SOLE), async |rejected| {
        draw(&cx, rejected.status, form.confirm.clone(), rejected.errors).await
    })
    .await
}
