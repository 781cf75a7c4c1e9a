//! Revoking a key.

use crate::{
    domain::nouns::{
        accounts::keys::WorkspaceMembership, api_keys::KEY_REVOKED,
        destinations::lost_senders::LosingDestination,
    },
    web::{
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Admitted, HandlerResult, PageAdmission},
        path::Target,
        routes::api_keys::{
            home::{Home, Manages},
            row::Row,
        },
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "api_keys/revocation.html")]
struct Revocation {
    chrome: Chrome,
    base: String,
    row: Row,
    /// The workspaces of the key, on the page of the account.
    memberships: Vec<WorkspaceMembership>,
    losing: Vec<LosingDestination>,
}

/// The confirmation page. A change that would be refused is refused here.
pub(in crate::web) async fn revocation<A: PageAdmission<Scope: Manages>>(
    cx: Admitted<A, Target>,
) -> HandlerResult {
    let (home, view, Target(id)) = cx.into_parts();
    let key = home.load(id).await?;
    if A::Scope::record(&key).is_revoked {
        return Err(home.refuse(KEY_REVOKED.into()).await);
    }
    if let Some(refused) = home.take_over(&key).await?.refused {
        return Err(home.refuse(refused).await);
    }
    let page = Revocation {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        memberships: home.memberships(id).await?,
        losing: home.losing(&key).await?,
        row: Row::new(key, home.now()),
    };
    Ok(view.html(&page))
}

pub(in crate::web) async fn revoke<A: PageAdmission<Scope: Manages>>(
    cx: Admitted<A, (Target, Form<EmptyForm>)>,
) -> HandlerResult {
    let (home, view, (Target(id), _)) = cx.into_parts();
    let list = if home.may_see() { "/api-keys" } else { "" };
    let name = home.revoke(id).await?;
    let flash = Flash::good(format!("{name} revoked. Its secret no longer works."));
    Ok(view.redirect_with_flash(view.at(list), flash))
}
