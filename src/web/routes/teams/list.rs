//! The list of teams.

use crate::{
    domain::nouns::teams::{self, Team},
    policy::perm,
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        words::pluralize,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "teams/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/teams`
    base: String,
    teams: Vec<Team>,
    /// "12 teams"
    total: String,
}

pub async fn index(cx: Authorized<perm::ReadTeams>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let teams = teams::list(&scope).await?;
    let total = pluralize(i64::try_from(teams.len()).unwrap_or(0), "team", "teams");
    Ok(view.html(&Index { chrome: view.chrome(), base: view.at("/teams"), teams, total }))
}
