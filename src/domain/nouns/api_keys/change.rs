//! Renaming, rotating and revoking keys.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{Recorded, Target},
            invalid::Invalid,
            refused::Refused,
            role::{self, Roles},
            sql::Sql,
            values::Name,
            words::pluralize,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            api_keys::{
                create::may_issue_secrets,
                elsewhere::{end_membership, record_end, workspaces_of_dependent, write_with_key},
                events::{API_KEY, ApiKeyRenamed, ApiKeyRevoked, ApiKeyRotated, ApiKeyVouchedFor},
                list::ids_dependent_on,
                take_over::{count, load_locked},
                version::version_under_lock,
            },
            members::{self, MemberRecord},
        },
        records::keys::{CreatedKey, MAX_OVERLAP, end, ensure_newest, new_secret, replace_secret},
    },
    policy::{Permission, perm},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};
use uuid::Uuid;

/// Rotates the secret of a key. The previous secret stays valid for `overlap_ms` more, and any older one ends
/// now. Where the actor manages the key at its home but not in others of its workspaces, its memberships there end,
/// because the new secret must not open more than they hold; each of these workspaces records that. `ended` is how many
/// memberships the actor expects to end.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`](crate::domain::records::keys::KEY_REVOKED), [`Refused::Ceiling`]
/// and [`Refused::NotAllowed`] if the key holds more than the actor, [`Refused::Invalid`] on `overlap`, and on
/// `ended_memberships` if more would end.
pub async fn rotate(
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    overlap_ms: i64,
    ended: i64,
) -> Result<CreatedKey, Refused> {
    write_with_key(scope, id, async |s| rotate_locked(s, id, overlap_ms, ended).await).await
}

async fn rotate_locked(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    overlap_ms: i64,
    ended: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    may_issue_secrets(&s.actor().principal)?;
    let key = load_locked(s, id).await?;
    let unmanaged = key.may_be_taken_over(s, id).await?;
    if count(&unmanaged) > ended {
        return Err(Invalid::field("ended_memberships", unconfirmed(count(&unmanaged))).into());
    }
    for other in &unmanaged {
        end_membership(s, id, other).await?;
    }
    // Whoever rotates it holds what it holds. A key that rotates its own secret gets no other voucher.
    if s.actor().principal.key_id() != Some(id) {
        members::set_voucher(s, &[key.member.id], s.actor().voucher).await?;
    }
    let shown_to = s.actor().principal.accountable_user();
    issue_new_secret(s.connection(), id, key.member.name, shown_to, s.now(), overlap_ms).await
}

fn unconfirmed(memberships: i64) -> String {
    let workspaces = pluralize(memberships, "other workspace", "other workspaces");
    format!("You don't manage this key in {workspaces}. Rotating the secret removes it there. Confirm that.")
}

/// Issues another secret of a locked key, which is shown to this person, without a permission check.
///
/// # Errors
/// [`Refused::Invalid`] on `overlap`.
pub(in crate::domain) async fn issue_new_secret(
    tx: &impl ConnectionTrait,
    id: Uuid,
    name: String,
    shown_to: Uuid,
    now: Timestamp,
    overlap_ms: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    if !(0..=MAX_OVERLAP).contains(&overlap_ms) {
        return Err(
            Invalid::field("overlap", "The old secret can keep working for seven days at most.").into()
        );
    }
    let ends = now + overlap_ms;
    replace_secret(tx, id, now, ends).await?;
    let secret = new_secret(tx, id, shown_to, now).await?;
    let event = ApiKeyRotated { overlap_ends_at: ends };
    let created = CreatedKey { id, name: name.clone(), secret, overlap_ends_at: Some(ends) };
    Ok(Recorded::new(created, event, Target::new(API_KEY, id, name)))
}

/// [`rotate`], from a form that showed the key with this secret as its newest.
///
/// # Errors
/// [`CHANGED`](crate::domain::CHANGED) if the key has a newer secret; as [`rotate`].
pub async fn rotate_if_newest(
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    seen: &str,
    overlap_ms: i64,
    ended: i64,
) -> Result<CreatedKey, Refused> {
    let rotate = async |s: &mut WriteScope<perm::ManageApiKeys>| {
        // Under the lock of the key, which [`rotate_locked`] then has already.
        load_locked(s, id).await?;
        ensure_newest(s.connection(), id, seen).await?;
        rotate_locked(s, id, overlap_ms, ended).await
    };
    write_with_key(scope, id, rotate).await
}

/// Revokes a key everywhere, and removes it from this workspace. Its other workspaces record that too. Returns its name.
///
/// # Errors
/// As [`rotate`].
pub async fn revoke(scope: ReadScope<perm::ManageApiKeys>, id: Uuid) -> Result<String, Refused> {
    write_with_key(scope, id, async |s| end_everywhere(s, id).await).await
}

/// [`revoke`], if `check` accepts the [`version`](super::version::version) of the key under the lock.
///
/// # Errors
/// As [`revoke`], and what `check` refuses.
pub async fn revoke_if(
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    check: impl FnOnce(&str) -> Result<(), Refused>,
) -> Result<String, Refused> {
    let checked = async |s: &mut WriteScope<perm::ManageApiKeys>| {
        check(&version_under_lock(s, id).await?)?;
        end_everywhere(s, id).await
    };
    write_with_key(scope, id, checked).await
}

async fn end_everywhere<P>(s: &mut WriteScope<P>, id: Uuid) -> Result<Recorded<String>, Refused> {
    let key = load_locked(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    record_end(s, id, &key.member.name).await?;
    let recorded = remove_from_workspace(s, id, &key.member, s.now()).await?;
    end(s.connection(), id, s.now()).await?;
    Ok(recorded)
}

/// Removes a revoked key from a workspace, and records that there. Returns its name.
pub(in crate::domain) async fn remove_from_workspace(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    id: Uuid,
    member: &MemberRecord,
    now: Timestamp,
) -> Result<Recorded<String>, Refused> {
    members::delete(at, member, now, None).await?;
    let name = member.name.clone();
    let event = ApiKeyRevoked { roles: member.role_names() };
    Ok(Recorded::new(name.clone(), event, Target::new(API_KEY, id, name)))
}

/// Revokes every key of this workspace that depends on the user, when they leave: all of them or none.
///
/// # Errors
/// [`Refused::Forbidden`] without the permission to manage keys; as [`revoke`], for any of them.
pub(in crate::domain) async fn revoke_dependent<P>(
    s: &mut WriteScope<P>,
    user: Uuid,
) -> Result<Recorded<Vec<String>>, Refused> {
    s.require(Permission::ManageApiKeys).await?;
    let mut each = Vec::new();
    for id in ids_dependent_on(s, user).await? {
        each.push(end_everywhere(s, id).await?);
    }
    Ok(Recorded::together(each))
}

/// Revokes every key of this workspace that a member, a person, vouches for or knows a secret of: all of them or none.
/// Returns their names.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member; as [`revoke`], for any of the keys.
pub async fn revoke_all_of(
    scope: ReadScope<perm::ManageApiKeys>,
    member: Uuid,
) -> Result<Vec<String>, Refused> {
    let workspace = scope.workspace_id();
    let reached = async |tx: &DatabaseTransaction| workspaces_of_dependent(tx, workspace, member).await;
    let revoke = async |s: &mut WriteScope<perm::ManageApiKeys>| {
        let all = s.actor().all_roles.clone();
        match MemberRecord::load(s, &all, member).await?.user_id {
            Some(user) => revoke_dependent(s, user).await,
            None => Ok(Recorded::unchanged(Vec::new())),
        }
    };
    scope.write_with_workspaces(reached, revoke).await
}

/// Makes the actor the one who vouches for a key in this workspace. Returns its name.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`](crate::domain::records::keys::KEY_REVOKED), [`Refused::Ceiling`] for
/// a key whose roles hold more than the actor; [`Refused::NotAllowed`] for a key itself.
pub async fn vouch(s: &mut WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<Recorded<String>, Refused> {
    let member = load_locked(s, id).await?.member;
    s.actor().holdings.may_assign(&member.holdings())?;
    if s.actor().principal.key_id() == Some(id) {
        return Err(Refused::NotAllowed("A key can't vouch for itself."));
    }
    members::set_voucher(s, &[member.id], s.actor().voucher).await?;
    let event = ApiKeyVouchedFor { roles: member.role_names() };
    Ok(Recorded::new(member.name.clone(), event, Target::new(API_KEY, id, member.name)))
}

/// Makes the actor vouch for the keys that a member vouched for, so that they hold what they held. A key that was
/// limited by the member stays as it is: nobody but whoever chooses to vouch for it gives it more.
pub(in crate::domain) async fn take_over_vouching<P>(
    s: &WriteScope<P>,
    member: &MemberRecord,
) -> Result<(), Refused> {
    take_over_vouching_at(s, member, &s.actor().all_roles, s.actor().voucher).await
}

/// [`take_over_vouching`], in any workspace: `voucher` vouches from then on.
pub(in crate::domain) async fn take_over_vouching_at(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    member: &MemberRecord,
    all: &Roles,
    voucher: Uuid,
) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Vouched {
        id: Uuid,
        role_set: String,
    }
    let Some(user) = member.user_id.filter(|_| member.is_active) else { return Ok(()) };
    let holdings = member.holdings();
    let sql = "SELECT m.id, m.role_set FROM members m WHERE m.workspace_id = $1 AND m.vouched_by = $2";
    let keys: Vec<Vouched> = at.all(sql, vec![user.into()]).await?;
    let is_whole = |key: &&Vouched| holdings.contains(&role::holdings(&all.parse_slugs(&key.role_set)));
    let whole: Vec<Uuid> = keys.iter().filter(is_whole).map(|key| key.id).collect();
    match whole.is_empty() {
        true => Ok(()),
        false => members::vouch_at(at, &whole, voucher).await,
    }
}

/// Renames a key, in every list that it is in.
///
/// # Errors
/// As [`rotate`].
pub async fn rename(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    name: &Name,
) -> Result<Recorded<String>, Refused> {
    let key = load_locked(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    set_name(s.connection(), id, key.member.name, name).await
}

/// Renames a locked key, without a permission check.
pub(in crate::domain) async fn set_name(
    tx: &impl ConnectionTrait,
    id: Uuid,
    before: String,
    name: &Name,
) -> Result<Recorded<String>, Refused> {
    if before == name.as_str() {
        return Ok(Recorded::unchanged(before));
    }
    let sql = "UPDATE api_keys SET name = $2 WHERE id = $1";
    tx.run(sql, vec![id.into(), name.as_str().into()]).await?;
    let sql = "UPDATE members SET listed_as = $2 WHERE api_key_id = $1";
    tx.run(sql, vec![id.into(), members::sort_key(name.as_str(), "").into()]).await?;
    let event = ApiKeyRenamed { name_before: before, name_after: name.to_string() };
    Ok(Recorded::new(name.to_string(), event, Target::new(API_KEY, id, name.to_string())))
}
