//! Taking back what an event tells of: the page that says what that would do.

use crate::{
    domain::{
        preview::Preview,
        undo::{self, Back, Undo},
    },
    policy::{Permission, perm},
    web::{
        chrome::{Chrome, View},
        guard::{Answer, Authorized},
        path::Target,
        preview,
        routes::{activity::list::Row, members, roles, security, teams},
        words::counted,
    },
};
use actix_web::http::StatusCode;
use askama::Template;

/// Nothing can be taken back, and why.
#[derive(Template)]
#[template(path = "activity/no_undo.html")]
struct Nothing {
    chrome: Chrome,
    /// `/w/{slug}/activity`
    base: String,
    told: Option<Row>,
    why: String,
}

pub async fn show(cx: Authorized<perm::ReadAudit, Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    let nothing = |told, why: &str| Nothing {
        chrome: view.chrome(),
        base: view.at("/activity"),
        told,
        why: why.to_owned(),
    };
    let Some(undo) = undo::look(&scope, id).await? else {
        let why = "You can undo only changes to roles and permissions.";
        return Ok(view.html_as(StatusCode::NOT_FOUND, &nothing(None, why)));
    };
    let notes = notes(&undo);
    let now = scope.now();
    let Some((back, looked)) = undo.back else {
        let why = match undo.is_nothing_left {
            false => format!("{} no longer exists, so there is nothing to restore.", undo.entry.target),
            true => format!("None of the previous roles exist anymore: {}.", undo.gone.join(", ")),
        };
        return Ok(view.html(&nothing(Some(Row::new(undo.entry, now, &view.app.routes.labels)), &why)));
    };
    Ok(draw(&view, back, looked, notes))
}

/// What there is to know before going back.
fn notes(undo: &Undo) -> Vec<String> {
    let mut notes = Vec::new();
    if undo.is_overtaken {
        notes.push(
            "This was changed again later. Undoing this change also undoes the later changes.".to_owned(),
        );
    }
    if undo.entry.beside > 0 && matches!(undo.back, Some((Back::Scopes(..) | Back::Permission(..), _))) {
        let others = counted(undo.entry.beside, "entry", "entries");
        notes.push(format!(
            "Other changes made in the same step are separate in Activity ({others}) and stay as they are."
        ));
    }
    match undo.gone.as_slice() {
        [] => {}
        [one] => notes.push(format!("The role {one} no longer exists. The other roles are restored.")),
        gone => notes
            .push(format!("These roles no longer exist: {}. The other roles are restored.", gone.join(", "))),
    }
    notes
}

fn draw(view: &View, back: Back, mut looked: Preview, notes: Vec<String>) -> actix_web::HttpResponse {
    let mut about = match back {
        Back::Member(member, to) => members::detail::about(view, &member, to),
        Back::Permission(permission, to) => security::pages::about(view, permission, to),
        Back::Team(id, name, to) => teams::detail::about(view, &name, id, to),
        Back::Scopes(role, to) => {
            roles::detail::in_words(&mut looked);
            let held = role.permissions().map(|permission: Permission| permission.scope().to_owned());
            roles::detail::about(view, &role, held.collect(), to.join("\n"))
        }
    };
    about.crumbs = vec![(view.at("/activity"), "Activity".to_owned())];
    about.crumb = "Undo";
    about.notes.extend(notes);
    about.button = "Undo change";
    about.back = view.at("/activity");
    about.back_words = "Back to activity";
    preview::draw(view, about, looked)
}
