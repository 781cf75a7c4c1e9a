//! Transfer of ownership.

use crate::{
    domain::nouns::ownership,
    policy::perm,
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
    },
};

pub async fn offer(cx: Authorized<perm::UpdateMemberRoles, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = scope.write(async |s| ownership::offer(s, id).await).await?;
    let flash = Flash::good(format!("Ownership offered to {name}. You stay an Owner until they accept."));
    Ok(view.redirect_with_flash(view.at("/members"), flash))
}

pub async fn accept(cx: Authorized<perm::Membership, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| ownership::accept(s, id).await).await?;
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
