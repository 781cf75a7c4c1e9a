//! The list of members.

use crate::{
    domain::{
        Invalid, Refused,
        base::{paging::Position, role::Assignable},
        enforce::read::ReadScope,
        nouns::{
            members::{self, Filter, Sort, TeamOption},
            ownership::{self, Offer},
        },
    },
    policy::{Access, Permission, Scope, perm},
    web::{
        checks,
        chrome::{Chrome, View},
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, SORT, address, one_of},
        rejection::FormRejection,
        routes::members::row::Row,
        selection::{self, ResultRow},
        when::When,
        words::pluralize,
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
// Fifty rows come over the wire: of the white space around a tag one stays.
#[template(path = "members/index.html", whitespace = "minimize")]
pub(super) struct Index {
    pub chrome: Chrome,
    /// `/w/{slug}/members`
    pub base: String,
    /// Why the change of a row was refused, if the page is the response to one; empty otherwise.
    pub problem: String,
    pub list: ListState<ListQuery>,
    pub rows: Vec<Row>,
    /// "12 members"
    pub total: String,
    pub roles: Vec<Assignable>,
    /// The columns that sort: heading, address, and `ascending`, `descending` or `none`.
    pub by_name: SortLink,
    pub by_joined: SortLink,
    pub by_active: SortLink,
    pub by_roles: SortLink,
    pub by_status: SortLink,
    pub by_end: SortLink,
    /// Somebody on this page has an end, or the list is about ends.
    pub shows_ends: bool,
    pub teams: Vec<TeamOption>,
    /// Permissions to filter by.
    pub permissions: Vec<Permission>,
    /// Roles of the workspace hold scopes of applications.
    pub has_scopes: bool,
    pub neighbours: Neighbours,
    pub offer: Option<OfferNote>,
    /// At least one row of this page can be ticked.
    pub can_select: bool,
    /// At least one row has a dropdown of roles, and at least one a menu.
    pub has_role_menus: bool,
    pub has_menus: bool,
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

/// The number of days after which somebody counts as not active.
const INACTIVE: &str = "90";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    role: String,
    status: String,
    kind: String,
    /// The scope of a permission that they hold.
    permission: String,
    /// A scope of an application that they hold.
    scope: String,
    /// The id of a team.
    team: String,
    /// The id of the person who vouches for a key.
    vouched_by: String,
    /// `soon`
    ends: String,
    /// A number of days.
    inactive: String,
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
            text => {
                let known = Sort::ALL.iter().find(|(name, _)| *name == text).map(|(_, sort)| *sort);
                let sentence = "Sort by name, roles, active, joined, status or end.";
                known.ok_or_else(|| Invalid::field("sort", sentence))?
            }
        };
        one_of("ends", &self.ends, &["soon"])?;
        one_of("inactive", &self.inactive, &[INACTIVE])?;
        let permission = match self.permission.as_str() {
            "" => None,
            text => Some(
                Permission::of_scope(text)
                    .ok_or_else(|| Invalid::field("permission", "There is no such permission."))?,
            ),
        };
        let scope = match self.scope.as_str() {
            "" => None,
            text => Some(Scope::parse(text).map_err(|error| Invalid::field("scope", error.to_string()))?),
        };
        let id = |field: &str, text: &str| match text {
            "" => Ok(None),
            text => match Uuid::try_parse(text) {
                Ok(id) => Ok(Some(id)),
                Err(_) => Err(Invalid::field(field, "There is no such entry. Choose another one.")),
            },
        };
        Ok(Filter {
            text,
            role: self.role.clone(),
            status: self.status.clone(),
            kind: self.kind.clone(),
            permission,
            scope,
            team: id("team", &self.team)?,
            vouched_by: id("vouched_by", &self.vouched_by)?,
            ends_soon: !self.ends.is_empty(),
            inactive_days: self.inactive.parse().ok(),
            sort,
            ..Filter::default()
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("q", &self.q),
            ("role", &self.role),
            ("status", &self.status),
            ("kind", &self.kind),
            ("permission", &self.permission),
            ("scope", &self.scope),
            ("team", &self.team),
            ("vouched_by", &self.vouched_by),
            ("ends", &self.ends),
            ("inactive", &self.inactive),
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
    let page = draw(&view, &scope, list, String::new()).await?;
    Ok(view.html_as(page.list.status(), &page))
}

/// The list that a row was changed on, as it is now, with the reason why the change was refused.
pub(super) async fn redraw<P: Access>(
    view: &View,
    scope: ReadScope<P>,
    query: &str,
    rejected: FormRejection,
) -> HandlerResult {
    let complaints: Vec<&str> = rejected.errors.iter().map(|(_, what)| what).collect();
    let problem = match rejected.problem.as_str() {
        "" => complaints.join(" "),
        problem => problem.to_owned(),
    };
    match scope.narrow::<perm::ReadMembers>() {
        Some(scope) => {
            let page = draw(view, &scope, List::of_query(query), problem).await?;
            Ok(view.html_as(rejected.status, &page))
        }
        None => Err(rejected.refused),
    }
}

/// "12 members: 9 people, 3 API keys, 1 suspended"
fn total_in_words(total: i64, keys: i64, suspended: i64) -> String {
    let people = total - keys;
    let mut parts = Vec::new();
    if keys > 0 && people > 0 {
        parts.push(pluralize(people, "person", "people"));
        parts.push(pluralize(keys, "API key", "API keys"));
    }
    if suspended > 0 && suspended < total {
        parts.push(format!("{suspended} suspended"));
    }
    let all = pluralize(total, "member", "members");
    if parts.is_empty() { all } else { format!("{all}: {}", parts.join(", ")) }
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadMembers>,
    list: List<ListQuery>,
    problem: String,
) -> Result<Index, Refused> {
    let load = async |filter: &Filter, at: &Position| members::list(scope, filter, at).await;
    let (listing, list) = list.load(load).await?;
    let base = view.at("/members");
    let offer = if listing.has_offer { ownership::pending(scope).await? } else { None };
    let results = selection::take_results(view, scope, &list.query.notice).await?;
    let neighbours = list.neighbours(&listing.page, &base);
    let givers = listing.givers;
    let row = |member| Row::new(scope, member).with_givers(&givers);
    let rows: Vec<Row> = listing.page.rows.into_iter().map(row).collect();
    let is_about_ends = !list.query.ends.is_empty() || list.query.sort.ends_with("end");
    Ok(Index {
        chrome: view.chrome(),
        problem,
        by_name: SortLink::of(&list, &base, "name", "ascending"),
        by_joined: SortLink::of(&list, &base, "joined", "descending"),
        by_active: SortLink::of(&list, &base, "active", "descending"),
        by_roles: SortLink::of(&list, &base, "roles", "ascending"),
        by_status: SortLink::of(&list, &base, "status", "ascending"),
        by_end: SortLink::of(&list, &base, "end", "ascending"),
        shows_ends: is_about_ends || rows.iter().any(|row| row.ends.is_some()),
        teams: listing.teams,
        permissions: Permission::ALL.iter().copied().filter(|permission| permission.is_built()).collect(),
        has_scopes: !scope.actor().all_roles.application_scopes().is_empty(),
        neighbours,
        total: match listing.total {
            Some(total) => total_in_words(total, listing.keys, listing.suspended),
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
        has_role_menus: rows.iter().any(Row::has_role_menu),
        has_menus: rows.iter().any(Row::has_menu),
        rows,
        results,
        mail_hint: None,
        base,
        list,
    })
}
