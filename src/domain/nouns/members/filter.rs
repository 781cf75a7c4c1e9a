//! Filters and orders of the members' list, and the statements that they make.

use crate::domain::{
    base::{paging::Position, refused::Refused, sql::like, values::folded},
    nouns::members::{
        row::{ON_PAGE, columns},
        sort::Sort,
    },
};
use sea_orm::Value;

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
    pub sort: Sort,
}

/// The number of members with the same status, kind and roles.
pub(in crate::domain) struct Headcount<'a> {
    status: &'a str,
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
fn bound(values: &mut Vec<Value>, value: &str) -> String {
    values.push(value.into());
    format!("${}", values.len() + 1)
}

impl Filter {
    /// The statement that goes along the order of the list until the page is full. The first of the values is
    /// the time.
    pub(in crate::domain) fn in_sort_order(
        &self,
        at: &Position,
        values: &mut Vec<Value>,
    ) -> Result<String, Refused> {
        let mut sql = format!("{ON_PAGE} WHERE m.workspace_id = $1");
        // Put together, a column is found by no index: the order's own is the one to go along.
        for (column, value) in [("m.status", &self.status), ("m.kind", &self.kind)] {
            if !value.is_empty() {
                sql.push_str(&format!(" AND {column} || '' = {}", bound(values, value)));
            }
        }
        if !self.role.is_empty() {
            let role = bound(values, &format!("% {} %", self.role));
            sql.push_str(&format!(" AND ' ' || m.role_set || ' ' LIKE {role}"));
        }
        self.page(sql, at, values)
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
        if !self.text.is_empty() {
            let text = bound(values, &like(&folded(&self.text)));
            sql.push_str(&format!(" AND m.listed_as LIKE {text} ESCAPE '!'"));
        }
        let order = self.sort.order();
        order.append_to(&mut sql, values, at)?;
        let rows = columns("$2").replace("FROM members m ", &format!("FROM ({sql}) m "));
        Ok(format!("{rows}{}", order.clause(at)))
    }

    /// True if anything other than the text narrows the list.
    pub(in crate::domain) fn is_narrow(&self) -> bool {
        !(self.role.is_empty() && self.status.is_empty() && self.kind.is_empty())
    }

    pub(in crate::domain) fn fits(&self, some: &Headcount<'_>) -> bool {
        (self.status.is_empty() || self.status == some.status)
            && (self.kind.is_empty() || self.kind == some.kind)
            && (self.role.is_empty() || some.role_set.split(' ').any(|role| role == self.role))
    }

    /// How many members match, not counting the text.
    pub(in crate::domain) fn people(&self, everybody: &[Headcount<'_>]) -> i64 {
        everybody.iter().filter(|some| self.fits(some)).map(|some| some.people).sum()
    }
}
