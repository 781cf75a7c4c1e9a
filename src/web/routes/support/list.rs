//! The Support page: requests, and what was asked for and granted of support access.

use crate::{
    domain::{
        Refused,
        base::paging::Position,
        nouns::support::{
            Category, SupportRequest,
            grants::{self, Grant, State},
            requests::{self, Filter},
        },
    },
    policy::{Permission, perm},
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, one_of},
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "support/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/support`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<(SupportRequest, When)>,
    neighbours: Neighbours,
    grants: Vec<GrantRow>,
    /// The viewer sees the requests of others too.
    sees_all: bool,
}

pub(super) struct GrantRow {
    pub grant: Grant,
    pub state: State,
    pub asked: When,
    pub ends: Option<When>,
}

impl GrantRow {
    pub(super) fn tone(&self) -> &'static str {
        match self.state {
            State::Running => "good",
            State::Waiting => "warn",
            State::Expired | State::Declined | State::Ended => "off",
        }
    }

    pub(super) fn label(&self) -> &'static str {
        match self.state {
            State::Running => "Running",
            State::Waiting => "Waiting for an answer",
            State::Expired => "Expired",
            State::Declined => "Declined",
            State::Ended => "Ended",
        }
    }
}

const STATUSES: [&str; 2] = ["open", "answered"];

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// The word of a category, or empty for all.
    category: String,
    /// One of [`STATUSES`], or empty for all.
    status: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        one_of("category", &self.category, &Category::ALL.map(Category::word))?;
        one_of("status", &self.status, &STATUSES)?;
        Ok(Filter {
            category: Category::of_word(&self.category),
            is_answered: (!self.status.is_empty()).then_some(self.status == "answered"),
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("category", &self.category), ("status", &self.status)]
    }
}

pub async fn index(cx: Authorized<perm::ReadSupport, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| requests::list(&scope, filter, at).await;
    let (found, list) = list.load(load).await?;
    let (base, now) = (view.at("/support"), scope.now());
    let grants = grants::latest(&scope).await?;
    let page = Index {
        chrome: view.chrome(),
        neighbours: list.neighbours(&found, &base),
        rows: found
            .rows
            .into_iter()
            .map(|row| (When::new(row.created_at, now), row))
            .map(|(w, r)| (r, w))
            .collect(),
        grants: grants.into_iter().map(|grant| row(grant, now)).collect(),
        sees_all: scope.actor().holdings.has(Permission::ManageSupportAccess),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}

pub(super) fn row(grant: Grant, now: crate::clock::Timestamp) -> GrantRow {
    GrantRow {
        state: grant.state(now),
        asked: When::new(grant.created_at, now),
        ends: grant.ended_at.or(grant.ends_at).map(|at| When::new(at, now)),
        grant,
    }
}
