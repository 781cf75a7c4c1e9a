//! The people who hold a permission, by their own roles or those of their teams.

use crate::{
    domain::{base::role::Roles, enforce::rows::Scoped},
    policy::Permission,
};
use sea_orm::{DbErr, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Person {
    name: String,
    email: String,
    is_verified: bool,
}

const OWN: &str = "SELECT u.name, u.email, u.email_verified_at IS NOT NULL AS is_verified
    FROM member_roles mr CROSS JOIN members m CROSS JOIN users u
    WHERE mr.workspace_id = $1 AND mr.role_id = $2 AND m.workspace_id = mr.workspace_id AND m.id = mr.member_id
        AND m.status || '' = 'active' AND u.id = m.user_id AND u.suspended_at IS NULL
    ORDER BY mr.member_id LIMIT 20";

const THROUGH_TEAMS: &str = "SELECT u.name, u.email, u.email_verified_at IS NOT NULL AS is_verified
    FROM team_roles tr CROSS JOIN team_members tm CROSS JOIN members m CROSS JOIN users u
    WHERE tr.workspace_id = $1 AND tr.role_id = $2 AND tm.workspace_id = tr.workspace_id AND tm.team_id = tr.team_id
        AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id AND m.status || '' = 'active'
        AND u.id = m.user_id AND u.suspended_at IS NULL
    ORDER BY tm.member_id LIMIT 20";

/// The most people who are notified, or named.
const MAX_RECIPIENTS: usize = 20;
const MAX_NAMES: usize = 5;

async fn people(scope: &impl Scoped, roles: &Roles, permission: Permission) -> Result<Vec<Person>, DbErr> {
    let mut all = Vec::new();
    let holding = roles.iter().filter(|role| role.is_owner || role.holdings.has(permission));
    let ids: Vec<Uuid> = holding.map(|role| role.id).collect();
    for id in ids {
        for sql in [OWN, THROUGH_TEAMS] {
            let some: Vec<Person> = scope.all(sql, vec![id.into()]).await?;
            all.extend(some);
        }
    }
    Ok(all)
}

/// The confirmed addresses of some of them, to notify them.
pub(in crate::domain) async fn addresses(
    scope: &impl Scoped,
    roles: &Roles,
    permission: Permission,
) -> Result<BTreeSet<String>, DbErr> {
    let people = people(scope, roles, permission).await?;
    let confirmed = people.into_iter().filter(|person| person.is_verified).map(|person| person.email);
    let distinct: BTreeSet<String> = confirmed.collect();
    Ok(distinct.into_iter().take(MAX_RECIPIENTS).collect())
}

/// The names of some of them, Owners first.
pub(in crate::domain) async fn names(
    scope: &impl Scoped,
    roles: &Roles,
    permission: Permission,
) -> Result<Vec<String>, DbErr> {
    let mut names: Vec<String> = Vec::new();
    for person in people(scope, roles, permission).await? {
        if !names.contains(&person.name) {
            names.push(person.name);
        }
    }
    names.truncate(MAX_NAMES);
    Ok(names)
}
