//! The list of members.

use crate::{
    domain::{
        Invalid, Refused,
        base::{paging::Position, role::Assignable},
        members::{self, Filter, Sort},
        ownership::{self, Offer},
    },
    policy::{Permission, perm},
    web::{
        checks,
        chrome::Chrome,
        errors::Errors,
        guard::{Answer, Authorized},
        list::{Neighbours, Query, address, listed},
        routes::members::row::Row,
        selection::{self, Shown},
        when::When,
        words::counted,
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
    pub query: ListQuery,
    /// Anything is filtered, so an empty list means "none like this".
    pub is_filtered: bool,
    pub rows: Vec<Row>,
    /// "12 members"
    pub total: String,
    pub roles: Vec<Assignable>,
    /// The columns that sort: heading, address, and `ascending`, `descending` or `none`.
    pub by_name: SortLink,
    pub by_joined: SortLink,
    pub by_active: SortLink,
    pub neighbours: Neighbours,
    pub errors: Errors,
    pub offer: Option<OfferNote>,
    /// Somebody on this page can be ticked, to be changed with others.
    pub can_select: bool,
    /// Somebody of the account is no member yet, and the viewer may add them.
    pub may_add: bool,
    /// What became of those who were just changed together; empty where nobody was.
    pub results: Vec<Shown>,
    pub mail_hint: Option<String>,
}

/// The ownership offer that is open, as somebody who may withdraw it sees it.
pub(super) struct OfferNote {
    pub offer: Offer,
    pub expires: When,
    pub may_withdraw: bool,
}

pub(super) struct SortLink {
    pub url: String,
    pub order: &'static str,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    role: String,
    status: String,
    kind: String,
    sort: String,
    after: String,
    before: String,
    /// The id of a message that is shown once.
    notice: String,
}

impl ListQuery {
    fn read(&self) -> Result<(Filter, Position), Refused> {
        let text = checks::search(&self.q)?;
        let one_of = |field: &str, value: &str, known: &[&str]| match value {
            "" => Ok(()),
            value if known.contains(&value) => Ok(()),
            _ => Err(Invalid::field(field, format!("Choose one of {}.", known.join(", ")))),
        };
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
        let filter = Filter {
            text,
            role: self.role.clone(),
            status: self.status.clone(),
            kind: self.kind.clone(),
            sort,
        };
        Ok((filter, Position::parse(&self.after, &self.before)?))
    }

    fn filters(&self) -> [(&'static str, &str); 5] {
        [
            ("q", &self.q),
            ("role", &self.role),
            ("status", &self.status),
            ("kind", &self.kind),
            ("sort", &self.sort),
        ]
    }

    /// A column's heading sorts by it, and once it does, the other way round.
    pub(super) fn sort_link(&self, base: &str, column: &str, natural: &'static str) -> SortLink {
        let turned = format!("-{column}");
        let current = if self.sort.is_empty() { "name" } else { &self.sort };
        let (order, other) = if current == column {
            (natural, turned)
        } else if current == turned {
            (if natural == "ascending" { "descending" } else { "ascending" }, column.to_owned())
        } else {
            ("none", column.to_owned())
        };
        let kept: Vec<_> = self.filters().into_iter().filter(|(name, _)| *name != "sort").collect();
        SortLink { url: address(base, &kept, &[("sort", &other)]), order }
    }
}

pub async fn index(cx: Authorized<perm::ReadMembers, Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |filter: &Filter, at: &Position| members::list(&scope, filter, at).await;
    let (listing, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let links = if errors.any() { ListQuery::default() } else { query.clone() };
    let base = view.at("/members");
    let offer = if listing.has_offer { ownership::pending(&scope).await? } else { None };
    let results = selection::taken(&view, &scope, &query.notice).await?;
    let neighbours = Neighbours::new(&listing.page, &base, &links.filters());
    let rows: Vec<Row> = listing.page.rows.into_iter().map(|member| Row::new(&scope, member)).collect();
    let page = Index {
        chrome: view.chrome(),
        is_filtered: query.filters().iter().any(|(name, value)| *name != "sort" && !value.is_empty()),
        by_name: links.sort_link(&base, "name", "ascending"),
        by_joined: links.sort_link(&base, "joined", "descending"),
        by_active: links.sort_link(&base, "active", "descending"),
        neighbours,
        errors,
        total: match listing.total {
            Some(total) => counted(total, "member", "members"),
            None => "More than one page of members".to_owned(),
        },
        roles: listing.roles,
        offer: offer.map(|offer| OfferNote {
            expires: When::new(offer.expires_at, scope.now_ms()),
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
        query,
    };
    Ok(view.html_as(status, &page))
}
