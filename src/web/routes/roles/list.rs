//! The list of roles.

use crate::{
    domain::{
        base::role::Role,
        nouns::roles::{self, RoleWithCounts},
    },
    policy::{Group, Permission, perm},
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        words::pluralize,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "roles/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    roles: Vec<Row>,
}

struct Row {
    listed: RoleWithCounts,
    /// What the role holds, in numbers.
    holds: String,
}

pub async fn index(cx: Authorized<perm::ReadMembers>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let row = |row: RoleWithCounts| Row { holds: holds(&row.role), listed: row };
    let roles = roles::list(&scope).await?.into_iter().map(row).collect();
    Ok(view.html(&Index { chrome: view.chrome(), home: view.at(""), roles }))
}

/// How much a role holds: "12 permissions, 3 scopes".
fn holds(role: &Role) -> String {
    let count = |n: usize, one, many| pluralize(i64::try_from(n).unwrap_or(i64::MAX), one, many);
    match (role.permissions().count(), role.application_scopes.len()) {
        _ if role.is_owner => "All".to_owned(),
        (0, 0) => "None".to_owned(),
        (permissions, 0) => count(permissions, "permission", "permissions"),
        (0, scopes) => count(scopes, "scope", "scopes"),
        (permissions, scopes) => format!(
            "{}, {}",
            count(permissions, "permission", "permissions"),
            count(scopes, "scope", "scopes")
        ),
    }
}

/// The permissions that a role holds, by group; empty groups are left out.
pub(in crate::web) fn held(role: &Role) -> Vec<(&'static str, Vec<Permission>)> {
    let of = |group: Group| {
        (group.label(), group.permissions().filter(|p| role.holdings.has(*p)).collect::<Vec<_>>())
    };
    Group::ALL.into_iter().map(of).filter(|(_, held)| !held.is_empty()).collect()
}
