//! Domains whose people join by themselves: added, proved by DNS, removed.

use crate::{
    domain::nouns::joining::{JoinDomain, Lookup, NewDomain, domains},
    outbound::client::Outbound,
    policy::perm,
    web::{
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::reopen,
        routes::joining::{
            forms::DomainForm,
            list::{FormState, redraw},
        },
    },
};
use askama::Template;

/// What DNS says of a name.
pub(super) async fn look_up(outbound: &Outbound, name: &str) -> Lookup {
    outbound.texts(name).await.map_err(|failure| failure.to_string())
}

pub async fn add(cx: Authorized<perm::UpdateOrganization, Form<DomainForm>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let new = NewDomain { domain: form.domain.clone(), role: form.role.clone() };
    let added = async {
        let added = scope.write(async |s| domains::add(s, &new).await).await?;
        let flash =
            Flash::good(format!("{} added. Add the text below to its DNS, then verify it.", added.domain));
        Ok(view.redirect_with_flash(view.at("/joining"), flash))
    };
    reopen(added.await, async |rejected| match duplicate.duplicate().narrow::<perm::ReadInvitations>() {
        Some(reads) => {
            let state =
                FormState { domain: form.clone(), domain_errors: rejected.errors, ..FormState::default() };
            redraw(&view, &reads, rejected.status, state).await
        }
        None => Err(rejected.refused),
    })
    .await
}

pub async fn verify(cx: Authorized<perm::UpdateOrganization, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let lookup = async |name: &str| look_up(&view.app.outbound, name).await;
    let domain = domains::verify(scope, id, lookup).await?;
    let flash = if domain.verified_at.is_some() {
        Flash::good(format!(
            "{} verified. People with a confirmed address there can join by themselves, as {}.",
            domain.domain, domain.role
        ))
    } else {
        Flash::warn(format!(
            "DNS doesn't have the text for {} yet. It can take a while after you add it. Check again later.",
            domain.domain
        ))
    };
    Ok(view.redirect_with_flash(view.at("/joining"), flash))
}

#[derive(Template)]
#[template(path = "joining/domain_removal.html")]
struct Removal {
    chrome: Chrome,
    base: String,
    domain: JoinDomain,
}

pub async fn removal(cx: Authorized<perm::UpdateOrganization, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let domain = domains::get(&scope, id).await?;
    Ok(view.html(&Removal { chrome: view.chrome(), base: view.at("/joining"), domain }))
}

pub async fn remove(cx: Authorized<perm::UpdateOrganization, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let domain = scope.write(async |s| domains::remove(s, id).await).await?;
    let flash = Flash::good(format!("{domain} removed. Its people can't join by themselves anymore."));
    Ok(view.redirect_with_flash(view.at("/joining"), flash))
}
