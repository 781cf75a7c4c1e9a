//! The API keys of a workspace. A secret stands on the page that answers the form which made it, and
//! nowhere else: nothing is kept to show it again.

use crate::{
    domain::{
        Refused,
        api_keys::{self, Filter, Listed},
        base::paging::Position,
    },
    policy::perm,
    web::{
        checks,
        chrome::Chrome,
        errors::Errors,
        guard::{Answer, Authorized},
        list::{Neighbours, Query, listed},
        when::When,
    },
};

use askama::Template;
use serde::Deserialize;

/// A key as a row or as the head of a page.
pub(in crate::web) struct Row {
    pub(super) key: Listed,
    /// What may be told of its newest secret; empty where it has none.
    pub(super) secret: String,
    pub(super) created: When,
    pub(super) expires: Option<When>,
    pub(super) used: Option<When>,
    pub(super) overlap: Option<When>,
    is_live: bool,
    pub(super) tone: &'static str,
    pub(super) status: &'static str,
}

impl Row {
    pub(super) fn new(key: Listed, now: i64) -> Self {
        let (tone, status) = match () {
            () if key.is_revoked => ("off", "Revoked"),
            () if key.is_expired => ("warn", "Expired"),
            () if !key.is_active => ("off", "Suspended"),
            () => ("good", "Active"),
        };
        let when = |at: Option<i64>| at.map(|at| When::new(at, now));
        Self {
            secret: if key.hint.is_empty() { String::new() } else { format!("blw_key_…{}", key.hint) },
            created: When::new(key.created_at, now),
            expires: when(key.expires_at),
            used: when(key.last_used_at),
            overlap: when(key.overlap_ends_at),
            is_live: tone == "good",
            tone,
            status,
            key,
        }
    }
}

#[derive(Template)]
#[template(path = "api_keys/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/api-keys`
    base: String,
    query: ListQuery,
    is_filtered: bool,
    rows: Vec<Row>,
    neighbours: Neighbours,
    errors: Errors,
    /// The viewer's address is confirmed, without which nobody makes keys.
    is_verified: bool,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    after: String,
    before: String,
}

impl ListQuery {
    fn read(&self) -> Result<(Filter, Position), Refused> {
        let text = checks::search(&self.q)?;
        Ok((Filter { text }, Position::parse(&self.after, &self.before)?))
    }
}

pub async fn index(cx: Authorized<perm::ReadApiKeys, Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |filter: &Filter, at: &Position| api_keys::list(&scope, filter, at).await;
    let (listing, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let q = if errors.any() { "" } else { &query.q };
    let base = view.at("/api-keys");
    let neighbours = Neighbours::new(&listing.page, &base, &[("q", q)]);
    let page = Index {
        chrome: view.chrome(),
        is_filtered: !query.q.is_empty(),
        rows: listing.page.rows.into_iter().map(|key| Row::new(key, scope.now_ms())).collect(),
        is_verified: scope.actor().principal.is_verified(),
        neighbours,
        errors,
        base,
        query,
    };
    Ok(view.html_as(status, &page))
}
