//! Who can give a member a role. A refusal, the page of what somebody can do, and a request for access name the same
//! people: they all ask here.

use crate::{
    domain::{
        base::role::{self, Role, Roles},
        enforce::rows::Scoped,
    },
    policy::{Holdings, Permission},
};
use sea_orm::{DbErr, FromQueryResult};
use serde::Deserialize;
use uuid::Uuid;

/// The most people who are named.
const MAX_NAMED: usize = 5;

/// The most combinations of roles that people are named of.
const MAX_COMBINATIONS: usize = 20;

/// A person who can give a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granter {
    pub user_id: Uuid,
    pub name: String,
}

/// Those who can give a role, by name.
#[derive(Clone, Debug, Default)]
pub struct Granters {
    /// Some of them.
    pub people: Vec<Granter>,
    /// How many more there are.
    pub more: i64,
}

impl Granters {
    pub fn names(&self) -> Vec<String> {
        self.people.iter().map(|one| one.name.clone()).collect()
    }
}

/// People with the same roles, who can change the roles of a member.
struct Assigners {
    role_set: String,
    people: i64,
    holdings: Holdings,
}

/// For each of the roles: who can give it to a member with these holdings. Two SQL statements, however many roles and
/// people there are: it is computed for each combination of roles that people have, and names are read for some of them.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn of_each(
    scope: &impl Scoped,
    all: &Roles,
    present: &Holdings,
    roles: &[&Role],
) -> Result<Vec<Granters>, DbErr> {
    let assigners = assigners(scope, all, present).await?;
    let could: Vec<Vec<usize>> = roles.iter().map(|role| those_who(&assigners, &[*role])).collect();
    named(scope, &assigners, &could).await
}

/// Who can give one of the roles to a member with these holdings.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn of_any(
    scope: &impl Scoped,
    all: &Roles,
    present: &Holdings,
    roles: &[&Role],
) -> Result<Granters, DbErr> {
    let assigners = assigners(scope, all, present).await?;
    let could = those_who(&assigners, roles);
    Ok(named(scope, &assigners, &[could]).await?.pop().unwrap_or_default())
}

async fn assigners(scope: &impl Scoped, all: &Roles, present: &Holdings) -> Result<Vec<Assigners>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        role_set: String,
        people: i64,
    }
    // A key is nobody to turn to.
    let sql = "SELECT role_set, people FROM headcounts
        WHERE workspace_id = $1 AND status = 'active' AND kind = 'user' AND people > 0";
    let rows: Vec<Row> = scope.all(sql, Vec::new()).await?;
    let with_holdings = |row: Row| Assigners {
        holdings: role::holdings(&all.parse_slugs(&row.role_set)),
        role_set: row.role_set,
        people: row.people,
    };
    let can_change = |some: &Assigners| {
        some.holdings.has(Permission::UpdateMemberRoles) && some.holdings.may_manage(present).is_ok()
    };
    Ok(rows.into_iter().map(with_holdings).filter(can_change).collect())
}

/// The places of those who can give one of the roles.
fn those_who(assigners: &[Assigners], roles: &[&Role]) -> Vec<usize> {
    let can = |some: &Assigners| roles.iter().any(|role| some.holdings.contains(&role.holdings));
    assigners.iter().enumerate().filter(|(_, some)| can(some)).map(|(at, _)| at).collect()
}

/// For each group of assigners: some of them by name, and how many more there are.
async fn named(
    scope: &impl Scoped,
    assigners: &[Assigners],
    groups: &[Vec<usize>],
) -> Result<Vec<Granters>, DbErr> {
    // The first of each group come first, so that each has a name.
    let mut asked: Vec<usize> = Vec::new();
    for nth in 0..assigners.len().min(MAX_COMBINATIONS) {
        for at in groups.iter().filter_map(|group| group.get(nth)) {
            if asked.len() < MAX_COMBINATIONS && !asked.contains(at) {
                asked.push(*at);
            }
        }
    }
    let people = people(scope, assigners, &asked).await?;
    let named_of = |group: &Vec<usize>| {
        let is_of = |one: &&Named| asked.get(one.nth).is_some_and(|at| group.contains(at));
        let granter = |one: &Named| Granter { user_id: one.user_id, name: one.name.clone() };
        let named: Vec<Granter> = people.iter().filter(is_of).take(MAX_NAMED).map(granter).collect();
        let all: i64 = group.iter().filter_map(|at| assigners.get(*at)).map(|some| some.people).sum();
        let more = all - i64::try_from(named.len()).unwrap_or(all);
        Granters { people: named, more }
    };
    Ok(groups.iter().map(named_of).collect())
}

/// A person, with the place of their combination of roles in what was asked.
#[derive(Deserialize)]
struct Named {
    nth: usize,
    user_id: Uuid,
    name: String,
}

/// Enough of each combination to name as many as are named, by name.
async fn people(scope: &impl Scoped, assigners: &[Assigners], asked: &[usize]) -> Result<Vec<Named>, DbErr> {
    let (mut arms, mut values) = (Vec::new(), Vec::new());
    for (nth, some) in asked.iter().filter_map(|at| assigners.get(*at)).enumerate() {
        values.push(some.role_set.as_str().into());
        arms.push(format!(
            "SELECT * FROM (SELECT {nth} AS nth, id, user_id, listed_as FROM members WHERE workspace_id = $1
                AND status = 'active' AND kind = 'user' AND role_set = ${} LIMIT {MAX_NAMED}) AS some_{nth}",
            values.len() + 1
        ));
    }
    if arms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT f.nth, f.user_id, u.name FROM ({}) AS f JOIN users u ON u.id = f.user_id
        WHERE u.suspended_at IS NULL ORDER BY f.listed_as, f.id",
        arms.join(" UNION ALL ")
    );
    scope.list(&["nth", "user_id", "name"], &sql, values).await
}
