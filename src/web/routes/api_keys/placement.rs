//! Where a key of the workspace is a member: its removal from here; and, if it is at home here, its home and which
//! other workspaces may add it.

use crate::{
    domain::{
        Invalid, Slug,
        nouns::{
            api_keys::{self, WorkspaceKey},
            destinations::lost_senders::{LosingDestination, LostSender, losing},
        },
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::{NestedTarget, Target},
        rejection::reopen,
        routes::api_keys::{
            detail::{FormState, redraw},
            home::Home,
            new::page_of,
            row::Row,
        },
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "api_keys/removal.html")]
struct Removal {
    chrome: Chrome,
    base: String,
    row: Row,
    losing: Vec<LosingDestination>,
}

/// The confirmation page. A removal that would be refused is refused here.
pub async fn removal(cx: Authorized<perm::ManageApiKeys, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let key: WorkspaceKey = api_keys::get(&scope, id).await?;
    if let Some(ceiling) = key.refused {
        return Err(scope.refuse(ceiling).await);
    }
    let page = Removal {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        losing: losing(&scope, LostSender::Member(key.member_id)).await?,
        row: Row::new(key, scope.now()),
    };
    Ok(view.html(&page))
}

pub async fn remove(cx: Authorized<perm::ManageApiKeys, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let list = if scope.may_see() { "/api-keys" } else { "" };
    let name = scope.write(async |s| api_keys::remove(s, id).await).await?;
    let flash = Flash::good(format!("{name} removed from this workspace."));
    Ok(view.redirect_with_flash(view.at(list), flash))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct HomeForm {
    /// The id of a workspace.
    home: String,
}

pub async fn change_home(cx: Authorized<perm::ManageApiKeys, (Target, Form<HomeForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let to = Uuid::try_parse(&form.home);
        let to = to.map_err(|_| Invalid::field("home", "Choose the key's new home."))?;
        let name = api_keys::change_home(scope, id, to).await?;
        let flash = Flash::good(format!(
            "The key's home is now {name}. Requests that don't name a workspace use it."
        ));
        Ok(view.redirect_with_flash(page_of(&view, &duplicate, id), flash))
    };
    reopen(done.await, async |rejected| redraw(&view, &duplicate, id, rejected, FormState::default()).await)
        .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentForm {
    /// The address of the other workspace.
    workspace: String,
}

impl Validate for ConsentForm {
    type Valid = Slug;

    fn validate(&self, invalid: &mut Invalid) -> Option<Slug> {
        invalid.check("workspace", Slug::parse(&self.workspace))
    }
}

pub async fn give_consent(
    cx: Authorized<perm::ManageApiKeys, (Target, Form<Checked<ConsentForm>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let to = form.valid?;
        scope.write(async |s| api_keys::give_consent(s, id, &to).await).await?;
        let flash = Flash::good(format!("{} can now add the key, within 7 days.", to.as_str()));
        Ok(view.redirect_with_flash(page_of(&view, &duplicate, id), flash))
    };
    reopen(done.await, async |rejected| {
        let state = FormState { workspace: form.sent.workspace, ..FormState::default() };
        redraw(&view, &duplicate, id, rejected, state).await
    })
    .await
}

pub async fn withdraw_consent(
    cx: Authorized<perm::ManageApiKeys, (NestedTarget, Form<EmptyForm>)>,
) -> HandlerResult {
    let (scope, view, (NestedTarget(id, consent), _)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let workspace = scope.write(async |s| api_keys::withdraw_consent(s, id, consent).await).await?;
    let flash = Flash::good(format!("{workspace} can no longer add the key."));
    Ok(view.redirect_with_flash(page_of(&view, &duplicate, id), flash))
}
