//! Workspaces that were deleted, and that an Owner can restore.

use crate::{
    domain::nouns::organization::deletion,
    web::{
        chrome::Flash,
        form::{EmptyForm, Form},
        guard::{HandlerResult, SignedIn, credential},
        path::Target,
    },
};

pub async fn restore(cx: SignedIn<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let (id, credential) = (cx.input.0.0, credential(&cx.view.req)?);
    let restored = deletion::restore(&cx.view.app.db, &credential, id, &cx.origin()).await?;
    let flash = Flash::good(format!("{} restored, with everything in it.", restored.name));
    Ok(cx.view.redirect_with_flash(format!("/w/{}", restored.slug), flash))
}
