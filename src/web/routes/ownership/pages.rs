//! Transfer of ownership.

use crate::{
    domain::{Invalid, nouns::ownership},
    policy::perm,
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
    },
};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct OfferForm {
    /// `yes` to offer the administration of the account with it.
    account: String,
}

pub async fn offer(cx: Authorized<perm::UpdateMemberRoles, (Target, Form<OfferForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let with_account = match form.account.as_str() {
        "" => false,
        "yes" => true,
        _ => return Err(Invalid::field("account", "Choose yes, or leave it out.").into()),
    };
    let name = scope.write(async |s| ownership::offer(s, id, with_account).await).await?;
    let flash = Flash::good(format!("Ownership offered to {name}. You stay an Owner until they accept."));
    Ok(view.redirect_with_flash(view.at("/members"), flash))
}

pub async fn accept(cx: Authorized<perm::Membership, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    ownership::accept(scope, id).await?;
    Ok(view.redirect_with_flash(view.at(""), Flash::good("You're now an Owner of this workspace.")))
}

pub async fn decline(cx: Authorized<perm::Membership, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| ownership::decline(s, id).await).await?;
    Ok(view.redirect_with_flash(view.at(""), Flash::good("Offer declined. Nothing was changed.")))
}

pub async fn withdraw(cx: Authorized<perm::Membership, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| ownership::withdraw(s, id).await).await?;
    Ok(view.redirect_with_flash(view.at("/members"), Flash::good("Offer withdrawn.")))
}
