//! Deleting a role, and replacing it with another.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            event::{Recorded, RecordedEvent, Target},
            invalid::Invalid,
            refused::Refused,
            role::{Assignable, Role, RoleIds, Roles, assignable_roles, names},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            invitations::events::{self as invitation_events, InvitationRolesChanged},
            members::events::MemberRolesChanged,
            roles::{
                change::custom_role,
                detail::{RoleDetail, get, load_teams_with_role, may_reassign, teams_conflict},
                events::{IN_USE, RoleDeleted},
            },
        },
        records::{given_roles::replace_role, joining, members::MEMBER},
    },
    entity::{invitation_role, role, team_role},
    policy::perm,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

/// The most members, and the most invitations, that one deletion moves to another role.
const MAX_REASSIGNED: usize = 1_000;

pub const ROLE_IN_USE: Conflict = Conflict::new(
    "role-in-use",
    "This role is in use by members or pending invitations. Choose a replacement role.",
)
.with_audit_reason(IN_USE);

pub const ROLE_LETS_IN: Conflict = Conflict::new(
    "role-lets-in",
    "People can join with this role, by a link or by a domain. Revoke the link or remove the domain first.",
)
.link("/joining", "Links and domains")
.with_audit_reason(IN_USE);

/// What the deletion of a role would do.
pub struct DeletionPlan {
    pub detail: RoleDetail,
    /// The roles that could replace it. Owner can't.
    pub replacements: Vec<Assignable>,
}

impl DeletionPlan {
    /// Somebody has the role or is invited with it, so another must take its place.
    pub fn needs_replacement(&self) -> bool {
        self.detail.is_in_use()
    }

    /// The form can be sent.
    pub fn is_possible(&self) -> bool {
        !self.needs_replacement() || self.replacements.iter().any(|role| role.refused.is_none())
    }
}

/// Loads what the deletion of a role would do.
///
/// # Errors
/// [`Refused::NotFound`], and what [`delete`] would refuse whatever is chosen.
pub async fn deletion_plan(
    scope: &ReadScope<perm::ManageRoles>,
    slug: &str,
) -> Result<DeletionPlan, Refused> {
    let detail = get(scope, slug).await?;
    if let Some(refused) = detail.not_deletable(scope.actor()) {
        return Err(scope.refuse(refused).await);
    }
    if joining::lets_in_with(scope, detail.role.id, scope.now()).await? {
        return Err(scope.refuse(ROLE_LETS_IN).await);
    }
    let all = assignable_roles(&scope.actor().all_roles, &scope.actor().holdings);
    let replacements = all.into_iter().filter(|role| !role.is_owner && role.slug != slug).collect();
    Ok(DeletionPlan { detail, replacements })
}

#[derive(FromQueryResult)]
struct Holder {
    id: Uuid,
    name: String,
    /// The id of the user or the key.
    principal_id: Uuid,
    /// Empty for a key.
    email: String,
    /// Everything they hold, through teams too.
    role_set: String,
    /// The roles assigned directly.
    own: String,
}

#[derive(FromQueryResult)]
struct Invited {
    id: Uuid,
    email: String,
    roles: String,
}

/// The result of [`delete`].
#[derive(Clone, Debug)]
pub struct Deleted {
    pub name: String,
    pub replaced_by: Option<String>,
    pub members: usize,
    pub invitations: usize,
}

/// Deletes a role. Whoever has it, or is invited with it, gets the replacement instead.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::NotAllowed`] for a built-in role, [`Refused::Ceiling`],
/// [`Refused::DetailedConflict`] if teams have it, [`ROLE_LETS_IN`], [`ROLE_IN_USE`] without a replacement,
/// [`Refused::Invalid`] on the field `replacement`.
pub async fn delete(
    s: &mut WriteScope<perm::ManageRoles>,
    slug: &str,
    replacement: Option<&str>,
) -> Result<Recorded<Deleted>, Refused> {
    let all = s.actor().all_roles.clone();
    let role = custom_role(s, slug)?;
    let replacement = replacement.map(|slug| chosen(&all, &role, slug)).transpose()?;
    // Whoever has it, has it of their own then.
    let teams = s.find::<team_role::Entity>().filter(team_role::Column::RoleId.eq(role.id));
    if teams.one(s.connection()).await?.is_some() {
        return Err(teams_conflict(&load_teams_with_role(s, s.actor(), &role).await?).into());
    }
    if joining::lets_in_with(s, role.id, s.now()).await? {
        return Err(ROLE_LETS_IN.into());
    }
    let (holders, invited) = (holders(s, &role).await?, invited(s, &role).await?);
    let mut events = Vec::new();
    if !holders.is_empty() || !invited.is_empty() {
        let replacement = replacement.ok_or(ROLE_IN_USE)?;
        s.actor().holdings.may_assign(&replacement.holdings)?;
        may_reassign(s.actor(), holders.iter().map(|holder| holder.role_set.as_str()))?;
        for holder in &holders {
            let (_, (before, after)) = reassigned(&all, &holder.own, &role, replacement);
            replace_role(s.open(), holder.id, role.id, replacement.id).await?;
            let target = Target::new(MEMBER, holder.id, &holder.name);
            let target = target.of(Some(holder.principal_id), &holder.email);
            let ids = RoleIds::of(before.iter().copied(), after.iter().copied());
            let (before, after) = (names(&before), names(&after));
            events.push(RecordedEvent::new(MemberRolesChanged { before, after, ids }, target));
        }
        for invitation in &invited {
            let (offered, (before, after)) = reassigned(&all, &invitation.roles, &role, replacement);
            if !offered {
                offer(s, invitation.id, replacement).await?;
            }
            let (before, after) = (names(&before), names(&after));
            let target = invitation_events::target(invitation.id, &invitation.email);
            events.push(RecordedEvent::new(InvitationRolesChanged { before, after }, target));
        }
    }
    // What past invitations offered is in the audit record.
    s.open().apply_to_one(s.open().delete::<role::Entity>().filter(role::Column::Id.eq(role.id))).await?;
    let replaced_by = replacement.filter(|_| !events.is_empty()).map(|role| role.name.clone());
    let event = RoleDeleted {
        scopes: role.scopes().into_iter().collect(),
        replaced_by: replaced_by.clone().unwrap_or_default(),
        members: i64::try_from(holders.len()).unwrap_or(i64::MAX),
        invitations: i64::try_from(invited.len()).unwrap_or(i64::MAX),
    };
    events.push(RecordedEvent::new(event, role.target()));
    let deleted =
        Deleted { name: role.name, replaced_by, members: holders.len(), invitations: invited.len() };
    Ok(Recorded::many(deleted, events))
}

fn chosen<'a>(all: &'a Roles, instead_of: &Role, slug: &str) -> Result<&'a Role, Invalid> {
    let role = all.by_slug(slug).filter(|role| role.id != instead_of.id);
    let role = role.ok_or_else(|| Invalid::field("replacement", "Choose another role of this workspace."))?;
    if role.is_owner {
        return Err(Invalid::field(
            "replacement",
            "You can't use Owner here. Assign it to one person at a time, on the Members page.",
        ));
    }
    Ok(role)
}

/// Whether the replacement is already among the roles, and the roles before and after.
fn reassigned<'a>(
    all: &'a Roles,
    role_set: &str,
    role: &Role,
    to: &Role,
) -> (bool, (Vec<&'a Role>, Vec<&'a Role>)) {
    let before = all.parse_slugs(role_set);
    let has = before.iter().any(|held| held.id == to.id);
    let after: Vec<&Role> = all
        .iter()
        .filter(|other| other.id == to.id || before.iter().any(|held| held.id == other.id))
        .filter(|other| other.id != role.id)
        .collect();
    (has, (before, after))
}

async fn holders(scope: &impl Scoped, role: &Role) -> Result<Vec<Holder>, Refused> {
    // Not every member is a person.
    let sql = "SELECT m.id, COALESCE(u.name, k.name) AS name, COALESCE(u.id, k.id) AS principal_id,
            COALESCE(u.awaited_email, u.email, '') AS email, m.role_set,
            (SELECT string_agg(r.slug, ' ') FROM member_roles o
                JOIN roles r ON r.workspace_id = o.workspace_id AND r.id = o.role_id
                WHERE o.workspace_id = m.workspace_id AND o.member_id = m.id) AS own
        FROM member_roles mr JOIN members m ON m.workspace_id = mr.workspace_id AND m.id = mr.member_id
        LEFT JOIN users u ON u.id = m.user_id LEFT JOIN api_keys k ON k.id = m.api_key_id
        WHERE mr.workspace_id = $1 AND mr.role_id = $2 ORDER BY m.id LIMIT $3";
    ensure_not_too_many(scope.all(sql, vec![role.id.into(), limit()]).await?, "members have this role")
}

/// Invitations that are pending, those too whose time is over: they can be sent again.
async fn invited(scope: &impl Scoped, role: &Role) -> Result<Vec<Invited>, Refused> {
    let sql = "SELECT i.id, i.email, (SELECT string_agg(r.slug, ' ') FROM invitation_roles o
                JOIN roles r ON r.workspace_id = o.workspace_id AND r.id = o.role_id
                WHERE o.workspace_id = i.workspace_id AND o.invitation_id = i.id) AS roles
        FROM invitation_roles ir
        JOIN invitations i ON i.workspace_id = ir.workspace_id AND i.id = ir.invitation_id
        WHERE ir.workspace_id = $1 AND ir.role_id = $2 AND i.status = 'pending' ORDER BY i.id LIMIT $3";
    ensure_not_too_many(
        scope.all(sql, vec![role.id.into(), limit()]).await?,
        "pending invitations include this role",
    )
}

fn limit() -> sea_orm::Value {
    i64::try_from(MAX_REASSIGNED + 1).unwrap_or(i64::MAX).into()
}

/// The workspace waits while they are moved, so they are not too many.
fn ensure_not_too_many<T>(rows: Vec<T>, what: &str) -> Result<Vec<T>, Refused> {
    if rows.len() > MAX_REASSIGNED {
        let sentence = format!(
            "More than {MAX_REASSIGNED} {what}. Change some of them first. You can change many at once."
        );
        return Err(Invalid::field("replacement", sentence).into());
    }
    Ok(rows)
}

async fn offer<P>(s: &WriteScope<P>, invitation: Uuid, role: &Role) -> Result<(), Refused> {
    let row = invitation_role::ActiveModel {
        workspace_id: Set(s.workspace_id()),
        invitation_id: Set(invitation),
        role_id: Set(role.id),
    };
    Ok(s.open().insert(row).await?)
}
