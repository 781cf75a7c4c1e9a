//! The API keys that depend on a person, and the revocation of all of them.

use crate::{
    domain::nouns::{api_keys, members},
    policy::perm,
    web::{
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        routes::members::remaining_keys::RemainingKeys,
    },
};
use askama::Template;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "members/keys.html")]
struct Keys {
    chrome: Chrome,
    base: String,
    id: Uuid,
    name: String,
    keys: RemainingKeys,
}

pub async fn show(cx: Authorized<perm::ManageApiKeys, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let member = members::detail(&scope, id).await?.member;
    let keys = RemainingKeys::of(&scope, &member).await?;
    let (chrome, base) = (view.chrome(), view.at("/members"));
    Ok(view.html(&Keys { chrome, base, id, name: member.name, keys }))
}

pub async fn revoke(cx: Authorized<perm::ManageApiKeys, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let names = api_keys::revoke_all_of(scope, id).await?;
    let flash = match names.as_slice() {
        [] => Flash::warn("No API key depends on this person anymore. Nothing was changed."),
        [name] => Flash::good(format!("{name} revoked. Its secrets no longer work.")),
        names => Flash::good(format!("{} API keys revoked. Their secrets no longer work.", names.len())),
    };
    Ok(view.redirect_with_flash(view.at(&format!("/members/{id}/api-keys")), flash))
}
