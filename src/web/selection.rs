//! Changes of many members or invitations at once: a page that names all of them, the change of all or none,
//! and the result for each, shown on the list.

use crate::{
    domain::{Refused, enforce::read::ReadScope, nouns::notices},
    policy,
    web::{
        chrome::{Chrome, Flash, View},
        csv::Cells,
        errors::Errors,
        guard::HandlerResult,
        role_choices::Choices,
    },
};
use askama::Template;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The result for one row of a selection, which the list shows once.
#[derive(Serialize, Deserialize)]
pub(in crate::web) struct ResultRow {
    pub title: String,
    /// A tone of the page's status dots.
    #[serde(rename = "mood")]
    pub tone: String,
    pub word: String,
    /// A link, which is shown only once; empty if there is none.
    pub link: String,
}

impl ResultRow {
    pub(in crate::web) fn new(title: String, mood: &str, word: impl Into<String>) -> Self {
        Self { title, tone: mood.into(), word: word.into(), link: String::new() }
    }
}

/// The results as lines of CSV, to be copied or saved as a file.
pub(in crate::web) fn as_csv(results: &[ResultRow]) -> String {
    let mut lines = Vec::new();
    let line = |lines: &mut Vec<u8>, cells: [&str; 3]| {
        let mut line = Cells::new(lines);
        cells.iter().for_each(|cell| line.text(cell));
        line.end();
    };
    line(&mut lines, ["who", "result", "link"]);
    for result in results {
        line(&mut lines, [&result.title, &result.word, &result.link]);
    }
    String::from_utf8_lossy(&lines).replace("\r\n", "\n")
}

/// Those of whom something must still be done come first.
pub(in crate::web) fn failures_first(mut results: Vec<ResultRow>) -> Vec<ResultRow> {
    results.sort_by_key(|result| result.tone == "good");
    results
}

/// Stores the results and redirects to the list, which shows them once.
pub(in crate::web) async fn store_results<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    list: &str,
    results: Vec<ResultRow>,
    flash: Flash,
) -> HandlerResult {
    let body = serde_json::to_string(&results).unwrap_or_default();
    // The change is committed: a failure to store the results for display does not undo it.
    let left = match scope.actor().principal.person() {
        Some(person) => notices::store(&view.app.db, person, &body).await,
        None => return Ok(view.redirect_with_flash(view.at(list), flash)),
    };
    match left {
        Ok(notice) => Ok(view.redirect_with_flash(view.at(&format!("{list}?notice={notice}")), flash)),
        Err(error) => {
            tracing::error!(%error, "could not keep results for the next page");
            Ok(view.redirect_with_flash(view.at(list), flash))
        }
    }
}

/// The results with this id, if this session has not seen them yet.
pub(in crate::web) async fn take_results<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    id: &str,
) -> Result<Vec<ResultRow>, Refused> {
    let Ok(id) = Uuid::try_parse(id) else { return Ok(Vec::new()) };
    let Some(person) = scope.actor().principal.person() else { return Ok(Vec::new()) };
    let body = notices::take(&view.app.db, person, id).await?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default())
}

/// What can be done to a selection, and the words for it.
pub(in crate::web) struct BulkAction {
    /// The field that repeats, and the list's address below the workspace.
    pub(super) field: &'static str,
    pub(super) list: &'static str,
    pub list_name: &'static str,
    /// The last part of the address.
    pub(super) noun: &'static str,
    pub crumb: &'static str,
    pub button: &'static str,
    pub icon: &'static str,
    pub is_danger: bool,
}

impl BulkAction {
    fn action(&self) -> String {
        format!("{}/selection/{}", self.list, self.noun)
    }
}

#[derive(Template)]
#[template(path = "selection/review.html")]
pub(in crate::web) struct Review {
    chrome: Chrome,
    bulk: BulkAction,
    /// The address of the list.
    base: String,
    heading: String,
    rows: Vec<Row>,
    /// The number of rows for which the rules forbid the change. As long as there is one, none is changed.
    forbidden: usize,
    /// At least one row would change.
    has_effect: bool,
    /// The address of this page without the forbidden rows; empty if none would be left.
    without_forbidden: String,
    /// Icon and sentence of each thing that will happen.
    effects: Vec<(&'static str, String)>,
    /// The roles to choose from, each with whether it is ticked; only where roles are changed.
    pub(super) choices: Choices,
    pub(super) errors: Errors,
}

/// One selected member or invitation.
pub(in crate::web) struct Row {
    pub id: Uuid,
    pub title: String,
    pub detail: String,
    /// Initials and hue of a person; other rows have an `icon`.
    pub avatar: Option<(String, u8)>,
    pub icon: &'static str,
    /// Names of roles, and whether each is Owner.
    pub roles: Vec<(String, bool)>,
    /// Why nothing will happen to this one; empty if something will.
    pub note: &'static str,
    /// Why this one may not be changed; empty if it may.
    pub why_not: String,
}

impl Review {
    pub(super) fn new(
        view: &View,
        bulk: BulkAction,
        heading: String,
        rows: Vec<Row>,
        effects: Vec<(&'static str, String)>,
    ) -> Self {
        let forbidden = rows.iter().filter(|row| !row.why_not.is_empty()).count();
        let others: Vec<String> = rows
            .iter()
            .filter(|row| row.why_not.is_empty())
            .map(|row| format!("{}={}", bulk.field, row.id))
            .collect();
        let without_forbidden = match others.as_slice() {
            [] => String::new(),
            some => view.at(&format!("{}?{}", bulk.action(), some.join("&"))),
        };
        Self {
            chrome: view.chrome(),
            base: view.at(bulk.list),
            heading,
            has_effect: rows.iter().any(|row| row.note.is_empty()),
            rows,
            forbidden,
            without_forbidden,
            effects,
            choices: Vec::new(),
            errors: Errors::default(),
            bulk,
        }
    }
}

/// Redirects to the list, if nothing was ticked.
pub(in crate::web) fn nothing_selected(view: &View, bulk: &BulkAction) -> HandlerResult {
    Ok(view.redirect_with_flash(
        view.at(bulk.list),
        Flash::warn("Nothing is selected. Select at least one row."),
    ))
}

/// "2 of 3 members suspended."
pub(in crate::web) fn flash(changed: usize, all: usize, noun: &str, done: &str) -> Flash {
    let plural = if all == 1 { "" } else { "s" };
    match changed {
        0 => Flash::warn("No changes to save."),
        n if n == all => Flash::good(format!("{n} {noun}{plural} {done}.")),
        n => Flash::good(format!("{n} of {all} {noun}{plural} {done}.")),
    }
}
