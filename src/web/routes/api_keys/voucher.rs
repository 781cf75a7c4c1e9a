//! Vouching for a key of the workspace.

use crate::{
    domain::nouns::api_keys,
    policy::perm,
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        routes::api_keys::new::page_of,
    },
};

pub async fn vouch(cx: Authorized<perm::ManageApiKeys, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let name = scope.write(async |s| api_keys::vouch(s, id).await).await?;
    let flash = Flash::good(format!("You vouch for {name} from now on."));
    Ok(view.redirect_with_flash(page_of(&view, &duplicate, id), flash))
}
