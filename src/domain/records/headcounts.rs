//! How many active members hold what.

use crate::{
    domain::{
        base::{
            refused::Refused,
            role::{Roles, holdings},
        },
        enforce::rows::Scoped,
    },
    policy::{HoldingsChange, Permission},
};
use sea_orm::FromQueryResult;
use std::collections::HashMap;

#[derive(FromQueryResult)]
struct Row {
    kind: String,
    role_set: String,
    people: i64,
}

/// Active members who have exactly these roles.
pub(in crate::domain) struct Combination {
    pub kind: String,
    /// Slugs, as the database joined them.
    pub role_set: String,
    pub people: i64,
}

impl Combination {
    fn roles(&self) -> impl Iterator<Item = &str> {
        self.role_set.split_ascii_whitespace()
    }
}

/// How many active members hold what.
pub(in crate::domain) struct Headcounts {
    combinations: Vec<Combination>,
}

impl Headcounts {
    /// Reads the counts that are kept. One SQL statement, as cheap for ten thousand as for ten.
    pub(in crate::domain) async fn load(scope: &impl Scoped) -> Result<Self, Refused> {
        let sql = "SELECT kind, role_set, people FROM headcounts
            WHERE workspace_id = $1 AND status = 'active' AND people > 0";
        let rows: Vec<Row> = scope.all(sql, Vec::new()).await?;
        let combination =
            |row: Row| Combination { kind: row.kind, role_set: row.role_set, people: row.people };
        Ok(Self { combinations: rows.into_iter().map(combination).collect() })
    }

    pub(in crate::domain) fn combinations(&self) -> &[Combination] {
        &self.combinations
    }

    /// How many people have at least one role for which `holds` is true.
    pub(in crate::domain) fn count(&self, holds: impl Fn(&str) -> bool) -> i64 {
        self.sum("user", holds)
    }

    /// How many API keys have at least one role for which `holds` is true.
    pub(in crate::domain) fn keys(&self, holds: impl Fn(&str) -> bool) -> i64 {
        self.sum("api_key", holds)
    }

    fn sum(&self, kind: &str, holds: impl Fn(&str) -> bool) -> i64 {
        let some = self.combinations.iter().filter(|some| some.kind == kind);
        some.filter(|some| some.roles().any(&holds)).map(|some| some.people).sum()
    }

    /// The holdings of each combination, in order, before and after a change of what roles hold.
    pub(in crate::domain) fn changes(&self, before: &Roles, after: &Roles) -> Vec<HoldingsChange> {
        let (before, after) = Roles::indexed_together(before, after);
        let change = |some: &Combination| HoldingsChange {
            people: some.people,
            before: holdings(&before.parse_slugs(&some.role_set)),
            after: holdings(&after.parse_slugs(&some.role_set)),
        };
        self.combinations.iter().map(change).collect()
    }

    /// How many would gain a permission by each role that lacks it, and lose it by each that holds
    /// it, if that role alone were changed: what `nouns/roles/grants.rs` computes, for all roles at once.
    pub(in crate::domain) fn toggles(&self, roles: &Roles, permission: Permission) -> HashMap<&str, i64> {
        let holds = |slug: &str| roles.by_slug(slug).is_some_and(|role| role.holdings.has(permission));
        let mut people = HashMap::new();
        for some in &self.combinations {
            let mut holding = some.roles().filter(|slug| holds(slug));
            match (holding.next(), holding.next()) {
                (None, _) => some.roles().for_each(|slug| *people.entry(slug).or_default() += some.people),
                (Some(only), None) => *people.entry(only).or_default() += some.people,
                _ => {}
            }
        }
        people
    }

    /// The number of all people, and of all keys.
    pub(in crate::domain) fn total(&self) -> (i64, i64) {
        let of = |kind| self.combinations.iter().filter(move |some| some.kind == kind);
        let count = |kind| of(kind).map(|some| some.people).sum();
        (count("user"), count("api_key"))
    }
}
