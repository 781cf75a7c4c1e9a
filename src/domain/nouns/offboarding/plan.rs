//! What offboarding would do.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            ends::{held_roles, lasts},
            invariants::LAST_OWNER,
            principal::Principal,
            refused::Refused,
            role,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
        },
        nouns::members::{self, Detail},
    },
    policy::{Permission, perm},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// What offboarding would do.
pub struct Plan {
    pub detail: Detail,
    /// Other workspaces of the account that both of them are members of, as far as the viewer sees members there.
    pub elsewhere: Vec<ElsewhereMembership>,
    /// How many of the account's workspaces they are a member of, which its admins see.
    pub workspaces_in_account: Option<i64>,
}

/// A membership in another workspace of the account.
#[derive(Clone, Debug)]
pub struct ElsewhereMembership {
    pub workspace_id: Uuid,
    pub name: String,
    pub roles: Vec<String>,
    /// Why the viewer can't end it; empty if they can.
    pub why_not: String,
}

/// Only people are offboarded.
pub const NO_PERSON: Conflict = Conflict::new(
    "no-person",
    "Only people who joined are offboarded. Remove this member from the workspace instead.",
);

#[derive(FromQueryResult)]
struct Row {
    workspace_id: Uuid,
    name: String,
    roles_version: Option<Uuid>,
    role_set: String,
    own: String,
    /// Other Owners there whose access has no end.
    other_owners: i64,
}

/// The most workspaces that are listed.
const MAX_LISTED: usize = 50;

/// What offboarding a person would do. What would be refused then is refused here.
///
/// # Errors
/// [`Refused::NotFound`], [`NO_PERSON`], [`LAST_OWNER`], [`Refused::Ceiling`].
pub async fn plan(scope: &ReadScope<perm::RemoveMembers>, id: Uuid) -> Result<Plan, Refused> {
    let detail = members::detail(scope, id).await?;
    let member = &detail.member;
    let Some(user) = member.user_id.filter(|_| !member.is_awaited) else {
        return Err(scope.refuse(NO_PERSON).await);
    };
    if member.is_last_owner {
        return Err(scope.refuse(LAST_OWNER).await);
    }
    if !member.is_you
        && let Some(ceiling) = member.refused.clone()
    {
        return Err(scope.refuse(ceiling).await);
    }
    let elsewhere = elsewhere(scope, user).await?;
    let workspaces_in_account = match detail.account.is_viewer_admin {
        true => Some(in_account(scope, user).await?),
        false => None,
    };
    Ok(Plan { detail, elsewhere, workspaces_in_account })
}

async fn elsewhere(
    scope: &ReadScope<perm::RemoveMembers>,
    user: Uuid,
) -> Result<Vec<ElsewhereMembership>, Refused> {
    let Principal::User(viewer) = &scope.actor().principal else { return Ok(Vec::new()) };
    let (held, lasts) = (held_roles!("o", "$5"), lasts!("o", "$5"));
    let sql = format!(
        "SELECT w.id AS workspace_id, w.name, w.roles_version, m.role_set, {held} AS own,
            (SELECT COUNT(*) FROM lasting_owners a WHERE a.workspace_id = w.id AND a.member_id <> m.id) AS other_owners
        FROM members m CROSS JOIN workspaces w CROSS JOIN members o
        WHERE m.user_id = $2 AND w.id = m.workspace_id AND w.id <> $1 AND w.account_id = $4
            AND w.deleted_at IS NULL AND w.suspended_at IS NULL
            AND o.workspace_id = w.id AND o.user_id = $3 AND o.status = 'active' AND {lasts}
            AND (o.sessions_from IS NULL
                OR (SELECT x.created_at FROM sessions x WHERE x.id = $6) >= o.sessions_from)
        ORDER BY w.name, w.id LIMIT {MAX_LISTED}"
    );
    let account = scope.actor().workspace.account_id;
    let (by, session) = (viewer.user_id, viewer.session_id);
    let values = vec![user.into(), by.into(), account.into(), scope.now().into(), session.into()];
    let rows: Vec<Row> = scope.all(&sql, values).await?;
    let mut memberships = Vec::new();
    for row in rows {
        let there = Unadmitted(scope.connection(), row.workspace_id);
        let all = scope.db().roles().at(&there, row.roles_version).await?;
        let own = role::holdings(&all.parse_slugs(&row.own));
        if !own.has(Permission::ReadMembers) {
            continue;
        }
        let held = all.parse_slugs(&row.role_set);
        let is_owner = held.iter().any(|role| role.is_owner);
        let why_not = match own.may_manage(&role::holdings(&held)) {
            _ if !own.has(Permission::RemoveMembers) => {
                "You need the “Remove members” permission there.".to_owned()
            }
            _ if is_owner && row.other_owners == 0 => "They are the only Owner there.".to_owned(),
            Err(ceiling) => ceiling.to_string(),
            Ok(()) => String::new(),
        };
        let (workspace_id, name, roles) = (row.workspace_id, row.name, role::names(&held));
        memberships.push(ElsewhereMembership { workspace_id, name, roles, why_not });
    }
    Ok(memberships)
}

#[derive(FromQueryResult)]
struct Memberships {
    memberships: i64,
}

async fn in_account(scope: &ReadScope<perm::RemoveMembers>, user: Uuid) -> Result<i64, Refused> {
    let sql = "SELECT COUNT(*) AS memberships FROM members m CROSS JOIN workspaces w
        WHERE m.user_id = $2 AND w.id = m.workspace_id
            AND w.account_id = (SELECT h.account_id FROM workspaces h WHERE h.id = $1)";
    let found: Option<Memberships> = scope.first(sql, vec![user.into()]).await?;
    Ok(found.map_or(0, |found| found.memberships))
}
