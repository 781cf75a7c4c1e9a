//! The page of one key.

use crate::{
    domain::{
        CHANGED, Refused,
        api_keys::{self, KEY_REVOKED},
        enforce::read::ReadScope,
    },
    policy::{Permission, perm},
    web::{
        checks::Checked,
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{Form, Nothing},
        guard::{Answer, Authorized},
        path::Target,
        routes::api_keys::{
            list::Row,
            new::{home_of, told},
            parts::{Called, OVERLAPS, ROTATED, Rotation},
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
    /// What stands in the field.
    name: String,
    /// The viewer may rename, rotate and revoke it.
    may_manage: bool,
    /// Why not, where the permission for it is there; empty otherwise.
    why_not: String,
    may_change_roles: bool,
    may_remove: bool,
    is_verified: bool,
    overlaps: [(i64, &'static str); 4],
    errors: Errors,
    /// What went wrong with the change that this page answers; empty where nothing did.
    problem: String,
}

/// What the page of a key says beside what it is.
#[derive(Default)]
struct FormState {
    name: Option<String>,
    errors: Errors,
    problem: String,
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadApiKeys>,
    id: Uuid,
    status: StatusCode,
    said: FormState,
) -> Answer {
    let key = api_keys::look(scope, id).await?;
    let actor = scope.actor();
    let may = |permission| actor.holdings.has(permission);
    let (may_manage, why_not) = match may(Permission::ManageApiKeys) && !key.is_revoked {
        false => (false, String::new()),
        true => match api_keys::why_not(scope, &key).await? {
            None => (true, String::new()),
            Some(refused) => (false, refused.to_string()),
        },
    };
    let below = actor.holdings.may_manage(&key.holdings()).is_ok();
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        name: said.name.unwrap_or_else(|| key.name.clone()),
        may_manage,
        why_not,
        may_change_roles: below && may(Permission::UpdateMemberRoles),
        may_remove: below && may(Permission::RemoveMembers) && may(Permission::ReadMembers),
        is_verified: actor.principal.is_verified(),
        overlaps: OVERLAPS,
        errors: said.errors,
        problem: said.problem,
        row: Row::new(key, scope.now_ms()),
    };
    Ok(view.html_as(status, &page))
}

pub async fn show(cx: Authorized<perm::ReadApiKeys, Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    draw(&view, &scope, id, StatusCode::OK, FormState::default()).await
}

/// The page of a key that answers a change which was refused; who may not see keys gets the refusal
/// itself.
async fn again(
    view: &View,
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    status: StatusCode,
    said: FormState,
    refused: impl Into<Refused>,
) -> Answer {
    match scope.narrow::<perm::ReadApiKeys>() {
        Some(scope) => draw(view, &scope, id, status, said).await,
        None => Err(refused.into()),
    }
}

pub async fn rename(cx: Authorized<perm::ManageApiKeys, (Target, Form<Checked<Called>>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.again();
    let done = match form.valid {
        Ok(name) => scope.write(async |s| api_keys::rename(s, id, &name).await).await,
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(name) => {
            Ok(view.done(home_of(&view, &before, id), Flash::good(format!("The key is called {name}."))))
        }
        Err(Refused::Invalid(invalid)) => {
            let said = FormState {
                name: Some(form.sent.name),
                errors: invalid.clone().into(),
                problem: String::new(),
            };
            again(&view, before, id, StatusCode::UNPROCESSABLE_ENTITY, said, invalid).await
        }
        Err(other) => Err(other),
    }
}

pub async fn rotate(cx: Authorized<perm::ManageApiKeys, (Target, Form<Rotation>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.again();
    let done = match form.overlap() {
        Ok(overlap) => {
            scope.write(async |s| api_keys::rotate_seen(s, id, &form.version, overlap).await).await
        }
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(made) => Ok(told(&view, &before, made)),
        Err(Refused::Conflict(CHANGED)) => {
            let said = FormState { problem: ROTATED.to_owned(), ..FormState::default() };
            again(&view, before, id, StatusCode::CONFLICT, said, CHANGED).await
        }
        Err(Refused::Invalid(invalid)) => {
            let said = FormState { errors: invalid.clone().into(), ..FormState::default() };
            again(&view, before, id, StatusCode::UNPROCESSABLE_ENTITY, said, invalid).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "api_keys/revocation.html")]
struct Revocation {
    chrome: Chrome,
    base: String,
    row: Row,
}

/// What would happen. Nobody is asked to confirm what would then be refused.
pub async fn revocation(cx: Authorized<perm::ManageApiKeys, Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    let key = api_keys::look(&scope, id).await?;
    if key.is_revoked {
        return Err(scope.refuse(KEY_REVOKED).await);
    }
    if let Some(refused) = api_keys::why_not(&scope, &key).await? {
        return Err(scope.refuse(refused).await);
    }
    let row = Row::new(key, scope.now_ms());
    Ok(view.html(&Revocation { chrome: view.chrome(), base: view.at("/api-keys"), row }))
}

pub async fn revoke(cx: Authorized<perm::ManageApiKeys, (Target, Form<Nothing>)>) -> Answer {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let sees = scope.actor().holdings.has(Permission::ReadApiKeys);
    let name = scope.write(async |s| api_keys::revoke(s, id).await).await?;
    let flash = Flash::good(format!("{name} is revoked. Requests with its secret are refused from now on."));
    Ok(view.done(view.at(if sees { "/api-keys" } else { "" }), flash))
}
