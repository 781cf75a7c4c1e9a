//! The page that says what a change would do, with the form that makes it.

use crate::{
    domain::preview::{Affected, MAX_NAMED, Preview},
    policy::Right,
    web::{
        chrome::{Chrome, View, hue, initials},
        list::address,
    },
};
use actix_web::HttpResponse;
use askama::Template;

#[derive(Template)]
#[template(path = "preview/show.html")]
struct Show {
    chrome: Chrome,
    about: About,
    preview: Preview,
    /// Why it would be refused; empty where it would not.
    refused: String,
    people: Vec<Row>,
    /// The number of affected members who are not named.
    more: i64,
}

/// What the change is about, and the form that makes it.
pub(in crate::web) struct About {
    /// Such as "Roles of …".
    pub title: String,
    /// Addresses and names of the pages above.
    pub crumbs: Vec<(String, String)>,
    pub crumb: &'static str,
    /// Further sentences.
    pub notes: Vec<String>,
    /// The route of the change itself, and its form as it is to be sent.
    pub action: String,
    pub fields: Vec<(&'static str, String)>,
    pub button: &'static str,
    /// The sentence for a change by which nobody gains or loses anything.
    pub nobody: &'static str,
    /// The address and label of the link back.
    pub back: String,
    pub back_label: &'static str,
}

impl About {
    /// For the preview of a form: the link back keeps what was chosen.
    pub(in crate::web) fn of_form(
        title: String,
        crumbs: Vec<(String, String)>,
        action: String,
        fields: Vec<(&'static str, String)>,
    ) -> Self {
        let form = crumbs.last().map(|(form, _)| form.clone()).unwrap_or_default();
        let kept: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self {
            back: address(&form, &kept, &[("from", "preview")]),
            back_label: "Back to form",
            button: "Confirm change",
            nobody: "nobody has this role, or everyone who has it already has the same access in another way",
            crumb: "Preview",
            notes: Vec::new(),
            title,
            crumbs,
            action,
            fields,
        }
    }
}

/// The fields of a form that a person returns to from its preview; `None` if they come from elsewhere.
pub(in crate::web) fn if_from_preview<T>(from: &str, fields: T) -> Option<T> {
    (from == "preview").then_some(fields)
}

struct Row {
    initials: String,
    hue: u8,
    affected: Affected,
}

pub(in crate::web) fn draw(view: &View, mut about: About, preview: Preview) -> HttpResponse {
    about.fields.push(("version", preview.version.clone()));
    about.fields.retain(|(name, value)| *name != "version" || !value.is_empty());
    if preview.locks_out {
        about.fields.push(("confirm", "yes".to_owned()));
    }
    let row = |affected: &Affected| Row {
        initials: initials(&affected.name),
        hue: hue(affected.user_id.unwrap_or(affected.id)),
        affected: affected.clone(),
    };
    let named = i64::try_from(preview.people.len().min(MAX_NAMED)).unwrap_or(0);
    let page = Show {
        chrome: view.chrome(),
        refused: preview.refused.as_ref().map(ToString::to_string).unwrap_or_default(),
        people: preview.people.iter().map(row).collect(),
        more: preview.affected - named,
        about,
        preview,
    };
    view.html(&page)
}

/// The first rights, and how many more there are.
fn first_rights(rights: &[Right]) -> (&[Right], usize) {
    const SHOWN: usize = 6;
    let (shown, more) = rights.split_at(rights.len().min(SHOWN));
    (shown, more.len())
}

/// "3 members", or a dash. API keys are among them.
fn members(count: &i64) -> String {
    if *count == 0 { "–".to_owned() } else { crate::web::words::pluralize(*count, "member", "members") }
}
