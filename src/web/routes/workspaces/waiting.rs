//! Memberships that a service entered, and that wait for the answer of the person who is signed in.

use crate::{
    domain::nouns::members::waiting,
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{HandlerResult, SignedIn},
        path::Target,
    },
};

pub async fn accept(cx: SignedIn<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let id = cx.input.0.0;
    let accepted = waiting::accept(&cx.view.app.db, cx.person(), id, &cx.origin()).await?;
    let flash = Flash::good(format!("You're now a member of {}.", accepted.workspace));
    Ok(cx.view.redirect_with_flash(format!("/w/{}", accepted.slug), flash))
}

pub async fn decline(cx: SignedIn<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let id = cx.input.0.0;
    let declined = waiting::decline(&cx.view.app.db, cx.person(), id, &cx.origin()).await?;
    let flash = Flash::good(format!("Declined. {} no longer lists you.", declined.workspace));
    Ok(cx.view.redirect_with_flash("/workspaces", flash))
}
