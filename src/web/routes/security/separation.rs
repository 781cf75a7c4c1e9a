//! The preset that keeps technical and billing work separate: what it would do, and the form that does it.

use crate::{
    domain::{nouns::separation, preview::of_separation},
    policy::perm,
    web::{
        chrome::Flash,
        form::Form,
        guard::{Authorized, HandlerResult},
        preview::{self, About},
        words::pluralize,
    },
};
use serde::Deserialize;

pub async fn show(cx: Authorized<perm::UpdatePermissions>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let found = of_separation(&scope).await?;
    let about = About {
        title: "Separate technical and billing".to_owned(),
        crumbs: vec![(view.at("/security"), "Security".to_owned())],
        crumb: "Preview",
        notes: vec![
            "Admins no longer manage billing or purchase credits: only Owners, the Billing role and other roles that you give these permissions to do. Developers no longer invite members. Other roles stay as they are.".to_owned(),
            "Each permission can be changed again on the Security page, or undone in Activity.".to_owned(),
        ],
        action: view.at("/security/separation"),
        fields: Vec::new(),
        button: "Separate technical and billing",
        nobody: "nobody has these roles, or everyone who has them already has the same access in another way",
        back: view.at("/security"),
        back_label: "Back to Security",
    };
    Ok(preview::draw(&view, about, found))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SeparationForm {
    version: String,
}

pub async fn set(cx: Authorized<perm::UpdatePermissions, Form<SeparationForm>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let done = scope.write(async |s| separation::set(s, &form.version).await).await?;
    let lost: Vec<String> = done
        .lost
        .iter()
        .filter(|(_, lost)| *lost > 0)
        .map(|(permission, lost)| {
            format!("{}: lost by {}", permission.label(), pluralize(*lost, "member", "members"))
        })
        .collect();
    let text = match (done.is_change, lost.is_empty()) {
        (false, _) => "Technical and billing work are separate already. No changes to save.".to_owned(),
        (true, true) => "Saved. Technical and billing work are separate. Nobody's access changed.".to_owned(),
        (true, false) => format!("Saved. Technical and billing work are separate. {}.", lost.join(", ")),
    };
    Ok(view.redirect_with_flash(view.at("/security"), Flash::good(text)))
}
