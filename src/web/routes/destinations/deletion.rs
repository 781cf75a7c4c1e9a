//! Deleting a destination.

use crate::{
    domain::nouns::destinations::{self, Destination},
    policy::perm,
    web::{
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        routes::destinations::detail::{page_of, seen_at},
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "destinations/deletion.html")]
struct Deletion {
    chrome: Chrome,
    /// `/w/{slug}/destinations`
    base: String,
    /// The host as people read it.
    displayed: String,
    /// The address of Cancel.
    back: String,
    destination: Destination,
}

pub async fn deletion(cx: Authorized<perm::ManageDestinations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let destination = destinations::to_delete(&scope, id).await?;
    let page = Deletion {
        chrome: view.chrome(),
        base: view.at("/destinations"),
        displayed: destination.displayed(),
        back: page_of(&view, id),
        destination,
    };
    Ok(view.html(&page))
}

pub async fn delete(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let deleted = scope.write(async |s| destinations::delete(s, id).await).await?;
    let flash = Flash::good(format!("Destination {} deleted.", deleted.displayed()));
    Ok(view.redirect_with_flash(seen_at(&view, "/destinations"), flash))
}
