//! Undoing a recorded change: the page that shows what that would do.

use crate::{
    domain::{
        preview::Preview,
        undo::{self, Reversal, Undo},
    },
    policy::{Permission, perm},
    web::{
        chrome::{Chrome, View},
        guard::{Authorized, HandlerResult},
        path::Target,
        preview,
        routes::{activity::list::Row, members, roles, security, teams},
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;

/// The page for an event that can't be undone, and why.
#[derive(Template)]
#[template(path = "activity/no_undo.html")]
struct NotUndoable {
    chrome: Chrome,
    /// `/w/{slug}/activity`
    base: String,
    event: Option<Row>,
    why: String,
}

pub async fn show(cx: Authorized<perm::ReadAudit, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let nothing = |event, why: &str| NotUndoable {
        chrome: view.chrome(),
        base: view.at("/activity"),
        event,
        why: why.to_owned(),
    };
    let Some(undo) = undo::get(&scope, id).await? else {
        let why = "You can undo only changes to roles and permissions.";
        return Ok(view.html_as(StatusCode::NOT_FOUND, &nothing(None, why)));
    };
    let notes = notes(&undo);
    let now = scope.now();
    let Some((reversal, preview)) = undo.reversal else {
        let why = match undo.leaves_no_role {
            false => format!("{} no longer exists, so there is nothing to restore.", undo.entry.target),
            true => format!("None of the previous roles exist anymore: {}.", undo.missing_roles.join(", ")),
        };
        return Ok(view.html(&nothing(Some(Row::new(undo.entry, now, &view.app.routes.labels)), &why)));
    };
    Ok(draw(&view, reversal, preview, notes))
}

/// Further sentences about the undo.
fn notes(undo: &Undo) -> Vec<String> {
    let mut notes = Vec::new();
    if undo.is_superseded {
        notes.push(
            "This was changed again later. Undoing this change also undoes the later changes.".to_owned(),
        );
    }
    if undo.entry.related > 0
        && matches!(undo.reversal, Some((Reversal::Scopes(..) | Reversal::Permission(..), _)))
    {
        let others = pluralize(undo.entry.related, "entry", "entries");
        notes.push(format!(
            "Other changes made in the same step are separate in Activity ({others}) and stay as they are."
        ));
    }
    match undo.missing_roles.as_slice() {
        [] => {}
        [one] => notes.push(format!("The role {one} no longer exists. The other roles are restored.")),
        gone => notes
            .push(format!("These roles no longer exist: {}. The other roles are restored.", gone.join(", "))),
    }
    notes
}

fn draw(
    view: &View,
    reversal: Reversal,
    mut preview: Preview,
    notes: Vec<String>,
) -> actix_web::HttpResponse {
    let mut about = match reversal {
        Reversal::Member(member, to) => members::detail::about(view, &member, to),
        Reversal::Permission(permission, to) => security::pages::about(view, permission, to),
        Reversal::Team(id, name, to) => teams::detail::about(view, &name, id, to),
        Reversal::Scopes(role, to) => {
            roles::detail::in_words(&mut preview);
            let held = role.permissions().map(|permission: Permission| permission.scope().to_owned());
            roles::detail::about(view, &role, held.collect(), to.join("\n"))
        }
    };
    about.crumbs = vec![(view.at("/activity"), "Activity".to_owned())];
    about.crumb = "Undo";
    about.notes.extend(notes);
    about.button = "Undo change";
    about.back = view.at("/activity");
    about.back_label = "Back to activity";
    preview::draw(view, about, preview)
}
