//! Changing members: suspension, removal, leaving.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Conflict, event::Recorded, invalid::Invalid, invariants::LAST_OWNER, refused::Refused,
            subject::Subject,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            api_keys,
            billing::seats::{self, Asker},
            members::{
                events::{MemberLeft, MemberReactivated, MemberRemoved, MemberSuspended},
                notify::{self, Done},
            },
        },
        records::{
            keys::MAX_OVERLAP,
            members::{MemberRecord, delete, of_subject, refuse_sessions_before, set_status, tag},
            offers,
        },
    },
    policy::{Access, Permission, perm},
};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use uuid::Uuid;

/// The membership of a user in this workspace.
///
/// # Errors
/// [`Refused::NotFound`] if the user is not a member.
pub async fn of_user_under_lock<P>(s: &WriteScope<P>, user: &Subject) -> Result<Uuid, Refused> {
    of_subject(s, user).await
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
    let sql = "SELECT COUNT(*) AS owners FROM lasting_owners o WHERE o.workspace_id = $1";
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
    notify::membership(s, &member, Done::Suspended).await?;
    let event = MemberSuspended { roles: member.role_names() };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// Reactivates a suspended member, with the roles they had. Returns their name.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`], [`ALREADY_ACTIVE`]; a conflict where there is no seat for a person.
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
    let grown = match member.user_id {
        Some(_) => seats::ensure(s.open(), Asker::Member(s.actor())).await?,
        None => None,
    };
    notify::membership(s, &member, Done::Reactivated).await?;
    let event = MemberReactivated { roles: member.role_names() };
    let reactivated = Recorded::new(member.name.clone(), event, member.target());
    Ok(reactivated.and(grown.map(|(_, event)| event)))
}

/// The version (ETag) of a member for programs, as it is under the lock.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub async fn tag_under_lock<P>(s: &WriteScope<P>, id: Uuid) -> Result<String, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    let external_id = member.external_id.as_deref();
    Ok(tag(&member.version(), &member.roles, external_id, member.access_until, &member.grants))
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
    notify::membership(s, &member, Done::Removed).await?;
    let event = MemberRemoved {
        roles: member.role_names(),
        invitations_cancelled: ended.invitations,
        entries_ended: ended.entries,
        links_revoked: ended.joining.links,
        domains_removed: ended.joining.domains,
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
        links_revoked: ended.joining.links,
        domains_removed: ended.joining.domains,
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
