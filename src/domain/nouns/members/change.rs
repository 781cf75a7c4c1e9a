//! Changing members: their roles, suspension, removal.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::{CHANGED, Conflict},
            event::Recorded,
            invalid::Invalid,
            invariants::LAST_OWNER,
            refused::Refused,
            role::{self, RoleIds},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            api_keys,
            members::events::{
                MemberLeft, MemberReactivated, MemberRemoved, MemberRolesChanged, MemberSuspended,
            },
        },
        records::{
            entries,
            keys::MAX_OVERLAP,
            members::{
                MemberRecord, assign_role, delete, of_user, refuse_sessions_before, revoke_role, set_status,
                set_voucher, tag, version,
            },
            offers,
        },
    },
    policy::{Access, Permission, perm},
};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use uuid::Uuid;

/// The result of a change of roles.
#[derive(Clone, Debug)]
pub struct RolesChanged {
    pub name: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// Slugs of the roles before, for an Undo, and the version after, which it must name.
    pub undo: Vec<String>,
    pub version: String,
    /// The member had other roles before. Names alone don't show that, because two roles may have the same
    /// name.
    pub is_change: bool,
}

/// Sets the member's own roles. Roles through a team stay.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Invalid`] on the field `role`, [`Refused::Ceiling`] if the current or
/// the new roles hold more than the actor may manage, [`LAST_OWNER`].
pub async fn change_roles(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
) -> Result<Recorded<RolesChanged>, Refused> {
    change_roles_if_unchanged(s, id, to, "").await
}

/// [`change_roles`], if the member still has the given version; an empty version matches any.
///
/// # Errors
/// As [`change_roles`], and [`CHANGED`] if the member has another version by now.
pub async fn change_roles_if_unchanged(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
    seen: &str,
) -> Result<Recorded<RolesChanged>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    member.not_behind_key(s.actor())?;
    let requested = all.chosen(to)?;
    s.actor().holdings.may_change_roles(&member.holdings(), requested.iter().map(|role| &role.holdings))?;
    let changed = RolesChanged {
        name: member.name.clone(),
        before: member.own.iter().map(|role| role.name.clone()).collect(),
        after: role::names(&requested),
        undo: member.own.iter().map(|role| role.slug.clone()).collect(),
        version: version(id, member.is_active, requested.iter().map(|role| role.slug.as_str())),
        is_change: !member.own.iter().map(|role| role.id).eq(requested.iter().map(|role| role.id)),
    };
    if !changed.is_change {
        return Ok(Recorded::unchanged(changed));
    }
    if !seen.is_empty() && seen != member.version() {
        return Err(CHANGED.into());
    }
    // New roles are assigned first, so that an Owner who only gets another role stays an Owner throughout.
    for role in requested.iter().filter(|role| member.own.iter().all(|held| held.id != role.id)) {
        assign_role(s, id, role.id).await?;
    }
    for role in member.own.iter().filter(|held| requested.iter().all(|role| role.id != held.id)) {
        revoke_role(s, id, role.id).await?;
    }
    if member.is_awaited && s.actor().holdings.may_invite(requested.iter().map(|role| &role.holdings)).is_ok()
    {
        // Whoever gave these roles answers for them until they are accepted.
        let by = &s.actor().principal;
        entries::set_entered_by(s, id, by.accountable_user(), by.key_id()).await?;
    }
    if member.api_key_id.is_some() {
        set_voucher(s, &[id], s.actor().voucher).await?;
    }
    if member.is_owner() && !requested.iter().any(|role| role.is_owner) {
        offers::end_offers_of(s, id).await?;
    }
    let ids = RoleIds::of(&member.own, requested.iter().copied());
    let (before, after) = (changed.before.clone(), changed.after.clone());
    let event = MemberRolesChanged { before, after, ids };
    Ok(Recorded::new(changed, event, member.target()))
}

/// The membership of a user in this workspace.
///
/// # Errors
/// [`Refused::NotFound`] if the user is not a member.
pub async fn of_user_under_lock<P>(s: &WriteScope<P>, user: Uuid) -> Result<Uuid, Refused> {
    of_user(s, user).await
}

/// Why members can't suspend or remove themselves.
pub const OWN_MEMBERSHIP: &str = "This is your own membership. To end it, leave the workspace.";

/// Refuses to suspend or remove the actor. Leaving has a page of its own, which explains the effects.
async fn not_oneself<P>(s: &WriteScope<P>, member: &MemberRecord) -> Result<(), Refused> {
    if member.id != s.actor().member_id {
        return Ok(());
    }
    if member.is_owner() && member.user_id.is_some() && only_owner(s).await? {
        return Err(LAST_OWNER.into());
    }
    Err(Refused::NotAllowed(OWN_MEMBERSHIP))
}

#[derive(FromQueryResult)]
struct OwnerCount {
    owners: i64,
}

async fn only_owner(scope: &impl Scoped) -> Result<bool, Refused> {
    let sql = "SELECT COUNT(*) AS owners FROM active_owners o WHERE o.workspace_id = $1";
    let count: Option<OwnerCount> = scope.first(sql, Vec::new()).await?;
    Ok(count.is_some_and(|count| count.owners <= 1))
}

pub const ALREADY_SUSPENDED: Conflict =
    Conflict::new("already-suspended", "This member is already suspended.");

pub const ALREADY_ACTIVE: Conflict = Conflict::new("already-active", "This member is already active.");

/// Suspends the member, from the next request on. They keep their roles. Returns their name.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`], [`ALREADY_SUSPENDED`],
/// [`LAST_OWNER`].
pub async fn suspend(
    s: &mut WriteScope<perm::SuspendMembers>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let member = manageable(s, id).await?;
    not_oneself(s, &member).await?;
    if !member.is_active {
        return Err(ALREADY_SUSPENDED.into());
    }
    set_status(s, id, "suspended", "active").await?;
    if member.is_owner() {
        offers::end_offers_of(s, id).await?;
    }
    let event = MemberSuspended { roles: member.role_names() };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// Reactivates a suspended member, with the roles they had. Returns their name.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`], [`ALREADY_ACTIVE`].
pub async fn reactivate(
    s: &mut WriteScope<perm::SuspendMembers>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let member = manageable(s, id).await?;
    if member.is_active {
        return Err(ALREADY_ACTIVE.into());
    }
    set_status(s, id, "active", "suspended").await?;
    refuse_sessions_before(s, id).await?;
    let event = MemberReactivated { roles: member.role_names() };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// The version (ETag) of a member for programs, as it is under the lock.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub async fn tag_under_lock<P>(s: &WriteScope<P>, id: Uuid) -> Result<String, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    Ok(tag(&member.version(), &member.roles, member.external_id.as_deref()))
}

/// Ends the membership. Invitations that the member sent are cancelled, memberships that they entered and that wait
/// for an answer end, secrets of keys that they know stop working here, and the actor vouches for the keys that they
/// vouched for. Returns their name.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`], [`LAST_OWNER`].
pub async fn remove(s: &mut WriteScope<perm::RemoveMembers>, id: Uuid) -> Result<Recorded<String>, Refused> {
    end(s, id, None).await
}

/// [`remove`], where secrets that the member knows work until the given time.
async fn end(
    s: &mut WriteScope<perm::RemoveMembers>,
    id: Uuid,
    secrets_until: Option<Timestamp>,
) -> Result<Recorded<String>, Refused> {
    let member = manageable(s, id).await?;
    not_oneself(s, &member).await?;
    api_keys::take_over_vouching(s, &member).await?;
    let ended = delete(s, &member, s.now(), secrets_until).await?;
    let event = MemberRemoved {
        roles: member.role_names(),
        invitations_cancelled: ended.invitations,
        entries_ended: ended.entries,
        secrets_until,
    };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// What happens to the keys that depend on a member who leaves or is removed: those that they vouch for, or know
/// a secret of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DependentKeys {
    /// They stay members. Secrets that the member knows stop working here at once.
    #[default]
    SecretsEnd,
    /// They stay members. Secrets that the member knows hold what the member held, for this many milliseconds
    /// more; at most [`MAX_OVERLAP`].
    SecretsEndAfter(i64),
    /// They are revoked, everywhere.
    Revoked,
}

/// Removes the member, and does with the keys that depend on them as `keys` says. Returns the name and the
/// number of revoked keys.
///
/// # Errors
/// As [`remove`]; [`Refused::Forbidden`], [`Refused::Ceiling`] or [`Refused::NotAllowed`] if the actor may
/// not manage one of the keys; [`Refused::Invalid`] on `overlap`.
pub async fn remove_with(
    scope: ReadScope<perm::RemoveMembers>,
    id: Uuid,
    keys: DependentKeys,
) -> Result<(String, usize), Refused> {
    write_with_keys(scope, id, keys, async |s| end_with(s, id, keys).await).await
}

/// [`ReadScope::write`] for a change that ends this membership: with all workspaces locked that keys which are revoked
/// with it are members of.
pub(in crate::domain) async fn write_with_keys<P: Access, T>(
    scope: ReadScope<P>,
    id: Uuid,
    keys: DependentKeys,
    change: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let workspace = scope.workspace_id();
    match keys {
        DependentKeys::Revoked => {
            let reached =
                async |tx: &DatabaseTransaction| api_keys::workspaces_of_dependent(tx, workspace, id).await;
            scope.write_with_workspaces(reached, change).await
        }
        DependentKeys::SecretsEnd | DependentKeys::SecretsEndAfter(_) => scope.write(change).await,
    }
}

/// [`remove_with`], under the locks of [`write_with_keys`].
pub(in crate::domain) async fn end_with(
    s: &mut WriteScope<perm::RemoveMembers>,
    id: Uuid,
    keys: DependentKeys,
) -> Result<Recorded<(String, usize)>, Refused> {
    let member = manageable(s, id).await?;
    let revoked = revoke_keys(s, &member, keys).await?;
    let secrets_until = match keys {
        DependentKeys::SecretsEndAfter(overlap) => {
            s.require(Permission::ManageApiKeys).await?;
            if !(1..=MAX_OVERLAP).contains(&overlap) {
                return Err(
                    Invalid::field("overlap", "Secrets can keep working for seven days at most.").into()
                );
            }
            Some(s.now() + overlap)
        }
        DependentKeys::SecretsEnd | DependentKeys::Revoked => None,
    };
    Ok(after(revoked, end(s, id, secrets_until).await?))
}

/// Ends the actor's membership, and revokes the keys that depend on them if `keys` says so. Returns the number
/// of revoked keys.
///
/// # Errors
/// As [`leave`] and [`remove_with`]; [`Refused::NotAllowed`] for [`DependentKeys::SecretsEndAfter`], which only
/// somebody else decides.
pub async fn leave_with(scope: ReadScope<perm::Membership>, keys: DependentKeys) -> Result<usize, Refused> {
    let id = scope.actor().member_id;
    let depart = async |s: &mut WriteScope<perm::Membership>| {
        if matches!(keys, DependentKeys::SecretsEndAfter(_)) {
            let sentence = "Only another member can let secrets that you know keep working.";
            return Err(Refused::NotAllowed(sentence));
        }
        let all = s.actor().all_roles.clone();
        let member = MemberRecord::load(s, &all, s.actor().member_id).await?;
        let revoked = revoke_keys(s, &member, keys).await?;
        Ok(after(revoked, leave(s).await?).map(|((), count)| count))
    };
    write_with_keys(scope, id, keys, depart).await
}

async fn revoke_keys<P>(
    s: &mut WriteScope<P>,
    member: &MemberRecord,
    keys: DependentKeys,
) -> Result<Recorded<Vec<String>>, Refused> {
    match (keys, member.user_id) {
        (DependentKeys::Revoked, Some(user)) => api_keys::revoke_dependent(s, user).await,
        _ => Ok(Recorded::unchanged(Vec::new())),
    }
}

fn after<T>(first: Recorded<Vec<String>>, second: Recorded<T>) -> Recorded<(T, usize)> {
    let ((names, mut events), (value, more)) = (first.into_parts(), second.into_parts());
    events.extend(more);
    Recorded::many((value, names.len()), events)
}

/// Ends the actor's own membership.
///
/// # Errors
/// [`LAST_OWNER`].
pub async fn leave(s: &mut WriteScope<perm::Membership>) -> Result<Recorded<()>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, s.actor().member_id).await?;
    let ended = delete(s, &member, s.now(), None).await?;
    let event = MemberLeft {
        roles: member.role_names(),
        invitations_cancelled: ended.invitations,
        entries_ended: ended.entries,
    };
    Ok(Recorded::new((), event, member.target()))
}

/// The member, if the actor may manage them.
async fn manageable<P>(s: &WriteScope<P>, id: Uuid) -> Result<MemberRecord, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    member.not_behind_key(s.actor())?;
    if member.id != s.actor().member_id {
        s.actor().holdings.may_manage(&member.holdings())?;
    }
    Ok(member)
}
