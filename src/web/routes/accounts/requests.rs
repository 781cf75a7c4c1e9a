//! Requests of Owners to become an admin of the account.

use crate::{
    domain::nouns::administration,
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{HandlerResult, account::AccountAdmin},
        path::Target,
    },
};

pub async fn accept(cx: AccountAdmin<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let person = administration::accept(scope, id).await?;
    let flash = Flash::good(format!("{} is now an admin of the account.", person.name));
    Ok(view.redirect_with_flash(view.at("/people"), flash))
}

pub async fn decline(cx: AccountAdmin<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = administration::decline(scope, id).await?;
    let flash = Flash::good(format!("{name}'s request was declined."));
    Ok(view.redirect_with_flash(view.at(""), flash))
}
