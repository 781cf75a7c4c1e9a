//! The list of destinations.

use crate::{
    domain::{
        Refused,
        base::paging::Position,
        nouns::destinations::{self, Destination, Filter, PAUSED, STATUSES},
    },
    policy::perm,
    web::{
        checks,
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, one_of},
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "destinations/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/destinations`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
}

struct Row {
    /// The host as people read it.
    displayed: String,
    last_used: Option<When>,
    destination: Destination,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    /// One of [`STATUSES`], or empty for all.
    status: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        one_of("status", &self.status, &STATUSES)?;
        let is_paused = (!self.status.is_empty()).then_some(self.status == PAUSED);
        Ok(Filter { text: checks::search(&self.q)?, is_paused })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("q", &self.q), ("status", &self.status)]
    }
}

pub async fn index(cx: Authorized<perm::ReadDestinations, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| destinations::list(&scope, filter, at).await;
    let (found, list) = list.load(load).await?;
    let base = view.at("/destinations");
    let row = |destination: Destination| Row {
        displayed: destination.displayed(),
        last_used: destination.last_used_at.map(|at| When::new(at, scope.now())),
        destination,
    };
    let page = Index {
        chrome: view.chrome(),
        neighbours: list.neighbours(&found, &base),
        rows: found.rows.into_iter().map(row).collect(),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}
