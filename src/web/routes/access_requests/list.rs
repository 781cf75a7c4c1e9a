//! Requests for access: one's own, and those of others for those who can answer.

use crate::{
    domain::{
        Refused,
        base::paging::Position,
        nouns::access_requests::{
            AccessRequest, State,
            list::{self, Filter},
        },
    },
    policy::perm,
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
#[template(path = "access_requests/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/access-requests`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    /// The viewer sees the requests of others too.
    sees_all: bool,
    /// The viewer is an Owner, who has everything.
    is_owner: bool,
}

struct Row {
    request: AccessRequest,
    /// What is asked for.
    label: String,
    is_own: bool,
    state: State,
    asked: When,
}

pub(super) const fn tone(state: State) -> &'static str {
    match state {
        State::Waiting => "warn",
        State::Accepted => "good",
        State::Expired | State::Declined | State::Withdrawn => "off",
    }
}

pub(super) const fn label(state: State) -> &'static str {
    match state {
        State::Waiting => "Waiting for an answer",
        State::Expired => "Expired",
        State::Accepted => "Accepted",
        State::Declined => "Declined",
        State::Withdrawn => "Withdrawn",
    }
}

impl Row {
    fn tone(&self) -> &'static str {
        tone(self.state)
    }

    fn state_label(&self) -> &'static str {
        label(self.state)
    }
}

const STATUSES: [&str; 2] = ["waiting", "answered"];

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// One of [`STATUSES`], or empty for all.
    status: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        one_of("status", &self.status, &STATUSES)?;
        Ok(Filter { is_waiting: (!self.status.is_empty()).then_some(self.status == "waiting") })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("status", &self.status)]
    }
}

pub async fn index(cx: Authorized<perm::Membership, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| list::list(&scope, filter, at).await;
    let (found, list) = list.load(load).await?;
    let (base, now, actor) = (view.at("/access-requests"), scope.now(), scope.actor());
    let page = Index {
        chrome: view.chrome(),
        neighbours: list.neighbours(&found, &base),
        rows: found
            .rows
            .into_iter()
            .map(|request| Row {
                label: request.label(&actor.all_roles),
                is_own: request.member_id == actor.member_id,
                state: request.state(now),
                asked: When::new(request.created_at, now),
                request,
            })
            .collect(),
        sees_all: list::sees_all(actor),
        is_owner: actor.holdings.is_owner(),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}
