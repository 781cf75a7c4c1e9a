//! The users of the workspaces of one key, and their roles in each.

use crate::{
    domain::{
        base::{
            ends::{held_roles, lasts},
            paging::{Page, Position},
            refused::Refused,
            role,
            sql::Sql,
            subject::Subject,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
        },
        nouns::members::{self, Filter, Member, OWN_ROLES},
    },
    policy::{Permission, perm},
};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

/// A user, and their memberships as far as the caller may see members.
#[derive(Clone, Debug)]
pub struct User {
    pub member: Member,
    /// Their id in the customer's own applications, in the requested workspace.
    pub external_id: Option<String>,
    pub memberships: Vec<WorkspaceMembership>,
}

/// A membership.
#[derive(Clone, Debug)]
pub struct WorkspaceMembership {
    pub workspace_id: Uuid,
    pub slug: String,
    /// Slugs of every role held there, through teams too.
    pub roles: Vec<String>,
    /// Slugs of the roles assigned directly there.
    pub own: Vec<String>,
}

/// The users of this workspace, a page at a time, by name.
///
/// # Errors
/// As [`members::list()`].
pub async fn list(
    scope: &ReadScope<perm::ReadMembers>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<User>, Refused> {
    let page = members::list(scope, filter, at).await?.page;
    let mut memberships = memberships(scope, &page.rows).await?;
    Ok(page.map(|member| of(&mut memberships, member)))
}

/// One user, and the version of their membership of this workspace.
///
/// # Errors
/// [`Refused::NotFound`] for someone who is not a member of this workspace.
pub async fn get(scope: &ReadScope<perm::ReadMembers>, user: &Subject) -> Result<(User, String), Refused> {
    let id = members::of_subject(scope, user).await?;
    let detail = members::detail(scope, id).await?;
    let (version, member) = (detail.tag(), detail.member);
    let mut memberships = memberships(scope, std::slice::from_ref(&member)).await?;
    Ok((of(&mut memberships, member), version))
}

fn of(memberships: &mut Vec<(Row, WorkspaceMembership)>, member: Member) -> User {
    let theirs = memberships.extract_if(.., |(row, _)| Some(row.user_id) == member.user_id);
    let (mut rows, memberships): (Vec<Row>, Vec<WorkspaceMembership>) = theirs.unzip();
    // The requested workspace is the first.
    let external_id = rows.first_mut().and_then(|row| row.external_id.take());
    User { member, external_id, memberships }
}

/// A workspace that the caller is an active member of.
#[derive(FromQueryResult)]
struct OwnMembership {
    workspace_id: Uuid,
    slug: String,
    roles_version: Option<Uuid>,
    role_set: String,
}

#[derive(FromQueryResult)]
struct Row {
    user_id: Uuid,
    workspace_id: Uuid,
    role_set: String,
    own: Option<String>,
    external_id: Option<String>,
}

/// The most workspaces of a key in which memberships are looked up.
const MAX_MEMBERSHIPS: usize = 200;

/// The viewer's own roles in a workspace, and that they still belong to it; `$3` is the time.
const OWN_HELD: &str = held_roles!("o", "$3");
const OWN_LASTS: &str = lasts!("o", "$3");

async fn memberships(
    scope: &ReadScope<perm::ReadMembers>,
    members: &[Member],
) -> Result<Vec<(Row, WorkspaceMembership)>, Refused> {
    let users: Vec<Uuid> = members.iter().filter_map(|member| member.user_id).collect();
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mine = if scope.actor().principal.person().is_some() { "o.user_id" } else { "o.api_key_id" };
    // The requested one comes first.
    let sql = format!(
        "SELECT o.workspace_id, w.slug, w.roles_version, {OWN_HELD} AS role_set FROM members o CROSS JOIN workspaces w
        CROSS JOIN accounts a WHERE {mine} = $2 AND o.status || '' = 'active' AND {OWN_LASTS} AND w.id = o.workspace_id
            AND w.deleted_at IS NULL AND w.suspended_at IS NULL AND a.id = w.account_id
            AND a.suspended_at IS NULL
        ORDER BY CASE WHEN o.workspace_id = $1 THEN 0 ELSE 1 END, w.slug LIMIT {MAX_MEMBERSHIPS}"
    );
    let all: Vec<OwnMembership> =
        scope.all(&sql, vec![scope.actor().principal.id().into(), scope.now().into()]).await?;
    let mut open = Vec::new();
    for own in all {
        let there = Unadmitted(scope.connection(), own.workspace_id);
        let roles = scope.db().roles().at(&there, own.roles_version).await?;
        if role::holdings(&roles.parse_slugs(&own.role_set)).has(Permission::ReadMembers) {
            open.push(own);
        }
    }
    let mut values: Vec<Value> = Vec::new();
    let mut bound = |ids: &mut dyn Iterator<Item = Uuid>| {
        let memberships = ids.map(|id| {
            values.push(id.into());
            format!("${}", values.len())
        });
        memberships.collect::<Vec<_>>().join(", ")
    };
    let workspaces = bound(&mut open.iter().map(|own| own.workspace_id));
    let users = bound(&mut users.into_iter());
    values.push(scope.now().into());
    let now = format!("${}", values.len());
    let held = held_roles!("m", "{now}").replace("{now}", &now);
    let lasts = lasts!("m", "{now}").replace("{now}", &now);
    // Each user's memberships are few. Put together, the workspace is found by no index: one of them would
    // lead through everybody there.
    let sql = format!(
        "SELECT m.user_id, m.workspace_id, {held} AS role_set, {OWN_ROLES} AS own, m.external_id FROM members m
        WHERE {lasts} AND m.user_id IN ({users}) AND COALESCE(m.workspace_id, m.id) IN ({workspaces})"
    );
    let mut rows: Vec<Row> = scope.connection().all(&sql, values).await?;
    let mut memberships = Vec::new();
    for own in &open {
        for row in rows.extract_if(.., |row| row.workspace_id == own.workspace_id) {
            let slugs = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let (roles, mut theirs) = (slugs(&row.role_set), slugs(row.own.as_deref().unwrap_or_default()));
            // As the set of all of them is.
            theirs.sort_unstable();
            let membership = WorkspaceMembership {
                workspace_id: own.workspace_id,
                slug: own.slug.clone(),
                roles,
                own: theirs,
            };
            memberships.push((row, membership));
        }
    }
    Ok(memberships)
}
