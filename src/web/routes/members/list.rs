//! The list of members.

use crate::{
    domain::{
        Invalid, Refused,
        base::{paging::Position, role::Assignable},
        nouns::{
            members::{self, Filter, Sort},
            ownership::{self, Offer},
        },
    },
    policy::{Permission, perm},
    web::{
        checks,
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, SORT, address, one_of},
        routes::members::row::Row,
        selection::{self, ResultRow},
        when::When,
        words::pluralize,
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
// Fifty rows come over the wire: of the white space around a tag one stays.
#[template(path = "members/index.html", whitespace = "minimize")]
pub(super) struct Index {
    pub chrome: Chrome,
    /// `/w/{slug}/members`
    pub base: String,
    pub list: ListState<ListQuery>,
    pub rows: Vec<Row>,
    /// "12 members"
    pub total: String,
    pub roles: Vec<Assignable>,
    /// The columns that sort: heading, address, and `ascending`, `descending` or `none`.
    pub by_name: SortLink,
    pub by_joined: SortLink,
    pub by_active: SortLink,
    pub neighbours: Neighbours,
    pub offer: Option<OfferNote>,
    /// At least one row of this page can be ticked.
    pub can_select: bool,
    /// The account has people who are not members yet, and the viewer may add them.
    pub may_add: bool,
    /// The results of a change of many members; empty without one.
    pub results: Vec<ResultRow>,
    pub mail_hint: Option<String>,
}

/// The pending ownership offer, for a viewer who may withdraw it.
pub(super) struct OfferNote {
    pub offer: Offer,
    pub expires: When,
    pub may_withdraw: bool,
}

pub(super) struct SortLink {
    pub url: String,
    pub order: &'static str,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    role: String,
    status: String,
    kind: String,
    sort: String,
    /// The id of a message that is shown once.
    notice: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        let text = checks::search(&self.q)?;
        one_of("status", &self.status, &["active", "suspended"])?;
        one_of("kind", &self.kind, &["user", "api_key"])?;
        let sort = match self.sort.as_str() {
            "" => Sort::default(),
            text => Sort::ALL
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, sort)| *sort)
                .ok_or_else(|| Invalid::field("sort", "Sort by name, joined or active."))?,
        };
        Ok(Filter {
            text,
            role: self.role.clone(),
            status: self.status.clone(),
            kind: self.kind.clone(),
            sort,
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("q", &self.q),
            ("role", &self.role),
            ("status", &self.status),
            ("kind", &self.kind),
            (SORT, &self.sort),
        ]
    }
}

impl SortLink {
    /// The link of a column's heading: it sorts by the column, and then in reverse order.
    pub(super) fn of(list: &ListState<ListQuery>, base: &str, column: &str, natural: &'static str) -> Self {
        let turned = format!("-{column}");
        let (sort, kept): (Vec<_>, Vec<_>) =
            list.query_pairs().into_iter().partition(|(name, _)| *name == SORT);
        let current = sort.first().map(|(_, sort)| *sort).filter(|sort| !sort.is_empty()).unwrap_or("name");
        let (order, other) = if current == column {
            (natural, turned)
        } else if current == turned {
            (if natural == "ascending" { "descending" } else { "ascending" }, column.to_owned())
        } else {
            ("none", column.to_owned())
        };
        Self { url: address(base, &kept, &[(SORT, &other)]), order }
    }
}

pub async fn index(cx: Authorized<perm::ReadMembers, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| members::list(&scope, filter, at).await;
    let (listing, list) = list.load(load).await?;
    let base = view.at("/members");
    let offer = if listing.has_offer { ownership::pending(&scope).await? } else { None };
    let results = selection::take_results(&view, &scope, &list.query.notice).await?;
    let neighbours = list.neighbours(&listing.page, &base);
    let rows: Vec<Row> = listing.page.rows.into_iter().map(|member| Row::new(&scope, member)).collect();
    let page = Index {
        chrome: view.chrome(),
        by_name: SortLink::of(&list, &base, "name", "ascending"),
        by_joined: SortLink::of(&list, &base, "joined", "descending"),
        by_active: SortLink::of(&list, &base, "active", "descending"),
        neighbours,
        total: match listing.total {
            Some(total) => pluralize(total, "member", "members"),
            None => "More than one page of members".to_owned(),
        },
        roles: listing.roles,
        offer: offer.map(|offer| OfferNote {
            expires: When::new(offer.expires_at, scope.now()),
            may_withdraw: offer.from_member_id == scope.actor().member_id
                || scope.actor().holdings.is_owner(),
            offer,
        }),
        may_add: listing.others_in_account && scope.actor().holdings.has(Permission::InviteMembers),
        can_select: rows.iter().any(|row| row.not_selectable.is_empty()),
        rows,
        results,
        mail_hint: None,
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}
