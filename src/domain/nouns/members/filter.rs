//! Filters and orders of the members' list, and the statements that they make.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            paging::Position,
            refused::Refused,
            role::{Role, Roles},
            sql::like,
            values::folded,
        },
        nouns::members::{
            row::{ON_PAGE, columns},
            sort::Sort,
        },
    },
    policy::{Permission, Scope},
};
use sea_orm::Value;
use uuid::Uuid;

/// What ends within this time ends soon, in milliseconds.
pub const SOON: i64 = 30 * DAY;

/// Which members to list. An empty text matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of a name or an address.
    pub text: String,
    /// A role's slug.
    pub role: String,
    /// `active` or `suspended`.
    pub status: String,
    /// `user` or `api_key`.
    pub kind: String,
    /// The member's id in the customer's own applications.
    pub external_id: String,
    /// A permission that one of their roles holds.
    pub permission: Option<Permission>,
    /// A scope that one of their roles holds.
    pub scope: Option<Scope>,
    /// A team that they are in.
    pub team: Option<Uuid>,
    /// The person who vouches for them: for keys alone.
    pub vouched_by: Option<Uuid>,
    /// Their access, or one of their roles, ends soon: see [`SOON`].
    pub ends_soon: bool,
    /// They were not active for so many days.
    pub inactive_days: Option<i64>,
    pub sort: Sort,
}

/// The number of members with the same status, kind and roles.
pub(in crate::domain) struct Headcount<'a> {
    pub(in crate::domain) status: &'a str,
    pub(in crate::domain) kind: &'a str,
    role_set: &'a str,
    pub(in crate::domain) people: i64,
}

impl<'a> Headcount<'a> {
    /// Reads `active user 3 developer viewer`.
    pub(in crate::domain) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let (status, kind, people) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
        Some(Self { status, kind, people, role_set: parts.next()? })
    }
}

/// Adds a value to a statement; returns its placeholder. `$1` is the workspace.
fn bound(values: &mut Vec<Value>, value: impl Into<Value>) -> String {
    values.push(value.into());
    format!("${}", values.len() + 1)
}

/// A filter, and the roles that are left of it where it asks for a permission or a scope.
pub(in crate::domain) struct Narrowed<'a> {
    pub filter: &'a Filter,
    /// Slugs of the roles of which a member must have one; `None` where any will do.
    pub givers: Option<Vec<&'a str>>,
    pub now: Timestamp,
}

impl Filter {
    /// With the roles of the workspace, as of this moment.
    pub(in crate::domain) fn narrowed<'a>(&'a self, all: &'a Roles, now: Timestamp) -> Narrowed<'a> {
        let asks = self.permission.is_some() || self.scope.is_some();
        let gives = |role: &&Role| {
            self.permission.is_none_or(|permission| role.holdings.has(permission))
                && self.scope.as_ref().is_none_or(|scope| role.holdings.allows(scope))
        };
        let givers = asks.then(|| all.iter().filter(gives).map(|role| role.slug.as_str()).collect());
        Narrowed { filter: self, givers, now }
    }
}

impl Narrowed<'_> {
    /// The statement that goes along the order of the list until the page is full. The first of the values is
    /// the time.
    pub(in crate::domain) fn in_sort_order(
        &self,
        at: &Position,
        values: &mut Vec<Value>,
    ) -> Result<String, Refused> {
        let mut sql = format!("{ON_PAGE} WHERE m.workspace_id = $1");
        // Put together, a column is found by no index: the order's own is the one to go along.
        self.add_conditions(&mut sql, values);
        self.page(sql, at, values)
    }

    /// Status, kind and roles.
    fn add_conditions(&self, sql: &mut String, values: &mut Vec<Value>) {
        let Filter { status, kind, role, .. } = self.filter;
        for (column, value) in [("m.status", status), ("m.kind", kind)] {
            if !value.is_empty() {
                sql.push_str(&format!(" AND {column} || '' = {}", bound(values, value.as_str())));
            }
        }
        let mut has_role =
            |slug: &str| format!("' ' || m.role_set || ' ' LIKE {}", bound(values, format!("% {slug} %")));
        if !role.is_empty() {
            sql.push_str(&format!(" AND {}", has_role(role)));
        }
        if let Some(givers) = &self.givers {
            let any: Vec<String> = givers.iter().map(|slug| has_role(slug)).collect();
            // Owner holds everything, so there is at least one.
            sql.push_str(&format!(" AND ({})", any.join(" OR ")));
        }
    }

    /// The statement that fetches those in a team, vouched for by somebody, whose access ends soon or who were not
    /// active, each by an index of its own, and sorts them; `None` where the filter asks for none of that. The first of
    /// the values is the time.
    pub(in crate::domain) fn of_few(
        &self,
        at: &Position,
        values: &mut Vec<Value>,
    ) -> Option<Result<String, Refused>> {
        let Filter { team, vouched_by, ends_soon, inactive_days, .. } = self.filter;
        // The first leads to the rows, the others narrow them.
        let mut tables = None;
        let mut conditions = String::new();
        let mut narrow = |leading: String, narrowing: String| {
            if tables.is_none() {
                tables = Some(leading);
            } else {
                conditions.push_str(&format!(" AND {narrowing}"));
            }
        };
        if let Some(team) = team {
            let team = bound(values, *team);
            narrow(
                format!(
                    "team_members tm CROSS JOIN members m WHERE tm.workspace_id = $1 AND tm.team_id = {team}
                        AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id"
                ),
                String::new(),
            );
        }
        let of_workspace = |condition: &str| format!("members m WHERE m.workspace_id = $1 AND {condition}");
        if let Some(person) = vouched_by {
            let condition = format!("m.vouched_by = {}", bound(values, *person));
            narrow(of_workspace(&condition), condition);
        }
        if *ends_soon {
            let condition = format!("m.next_end_at <= {}", bound(values, self.now + SOON));
            narrow(of_workspace(&condition), condition);
        }
        if let Some(days) = inactive_days {
            let since = bound(values, self.now - *days * DAY);
            let condition = format!("COALESCE(m.last_active_at, m.joined_at) <= {since}");
            narrow(of_workspace(&condition), condition);
        }
        let mut some = format!("SELECT m.* FROM {}{conditions}", tables?);
        self.add_conditions(&mut some, values);
        let rows = ON_PAGE.replace("members m", "fitting m");
        let sql = format!("WITH fitting AS MATERIALIZED ({some}) {rows} WHERE m.workspace_id = $1");
        Some(self.page(sql, at, values))
    }

    /// The statement that fetches the members of few combinations and sorts them. The first of the values is the
    /// time.
    pub(in crate::domain) fn of_combinations(
        &self,
        combinations: &[&Headcount<'_>],
        at: &Position,
        values: &mut Vec<Value>,
    ) -> Result<String, Refused> {
        let some: Vec<String> = combinations
            .iter()
            .map(|some| {
                let (status, kind) = (bound(values, some.status), bound(values, some.kind));
                let role_set = bound(values, some.role_set);
                format!(
                    "SELECT * FROM members
                    WHERE workspace_id = $1 AND status = {status} AND kind = {kind} AND role_set = {role_set}"
                )
            })
            .collect();
        let (some, rows) = (some.join(" UNION ALL "), ON_PAGE.replace("members m", "fitting m"));
        let sql = format!("WITH fitting AS MATERIALIZED ({some}) {rows} WHERE m.workspace_id = $1");
        self.page(sql, at, values)
    }

    /// Ends a statement: the text, the page, and what is looked up for its rows alone.
    fn page(&self, mut sql: String, at: &Position, values: &mut Vec<Value>) -> Result<String, Refused> {
        let Filter { text, external_id, sort, .. } = self.filter;
        if !text.is_empty() {
            let text = bound(values, like(&folded(text)));
            sql.push_str(&format!(" AND m.listed_as LIKE {text} ESCAPE '!'"));
        }
        if !external_id.is_empty() {
            let external_id = bound(values, external_id.as_str());
            sql.push_str(&format!(" AND m.external_id = {external_id}"));
        }
        let order = sort.order();
        order.append_to(&mut sql, values, at)?;
        let rows = columns("$2").replace("FROM members m ", &format!("FROM ({sql}) m "));
        Ok(format!("{rows}{}", order.clause(at)))
    }

    /// True if status, kind or roles narrow the list.
    fn is_by_roles(&self) -> bool {
        let Filter { role, status, kind, .. } = self.filter;
        self.givers.is_some() || !(role.is_empty() && status.is_empty() && kind.is_empty())
    }

    /// True if something narrows the list that no headcount counts.
    pub(in crate::domain) fn is_beyond_counts(&self) -> bool {
        let Filter { team, vouched_by, ends_soon, inactive_days, .. } = self.filter;
        *ends_soon || team.is_some() || vouched_by.is_some() || inactive_days.is_some()
    }

    /// True if anything other than the text narrows the list.
    pub(in crate::domain) fn is_narrow(&self) -> bool {
        self.is_by_roles() || self.is_beyond_counts()
    }

    pub(in crate::domain) fn fits(&self, some: &Headcount<'_>) -> bool {
        let Filter { role, status, kind, .. } = self.filter;
        let has = |slug: &str| some.role_set.split(' ').any(|held| held == slug);
        (status.is_empty() || status == some.status)
            && (kind.is_empty() || kind == some.kind)
            && (role.is_empty() || has(role))
            && self.givers.as_ref().is_none_or(|givers| givers.iter().any(|slug| has(slug)))
    }

    /// How many members match, not counting the text.
    pub(in crate::domain) fn people(&self, everybody: &[Headcount<'_>]) -> i64 {
        everybody.iter().filter(|some| self.fits(some)).map(|some| some.people).sum()
    }
}
