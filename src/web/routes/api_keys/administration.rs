//! Whether a key can create workspaces: only account admins can change that.

use crate::{
    domain::nouns::accounts::keys,
    web::{
        chrome::Flash,
        form::Form,
        guard::{HandlerResult, account::AccountAdmin},
        path::Target,
        routes::api_keys::parts::administers,
    },
};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Administration {
    /// `yes` for a key that may create workspaces.
    administers: String,
}

pub async fn administer(cx: AccountAdmin<(Target, Form<Administration>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let is_admin = administers(&form.administers)?;
    let is_change = keys::set_admin(scope, id, is_admin).await?;
    let flash = match (is_change, is_admin) {
        (false, _) => Flash::good("No changes to save."),
        (true, true) => Flash::good("The key can now create workspaces."),
        (true, false) => Flash::good("The key can no longer create workspaces."),
    };
    Ok(view.redirect_with_flash(view.at(&format!("/api-keys/{id}")), flash))
}
