//! Renaming, rotating and revoking keys.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{Recorded, Target},
            invalid::Invalid,
            refused::Refused,
            role::{self, Role},
            sql::Sql,
            values::Name,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::{
            api_keys::{
                create::may_issue_secrets,
                events::{API_KEY, ApiKeyRenamed, ApiKeyRevoked, ApiKeyRotated},
                list::{KEYS_OF_CREATOR, KeyOfCreator},
                take_over::load_locked,
            },
            members::{self, MemberRecord},
        },
        records::keys::{CreatedKey, MAX_OVERLAP, end, ensure_newest, new_secret, replace_secret},
    },
    policy::{Permission, perm},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use uuid::Uuid;

/// Gives a key another secret. The previous one stays valid for `overlap_ms` more, and any older one ends
/// now.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`], [`Refused::Ceiling`] and [`Refused::NotAllowed`] where
/// the key reaches further than the actor, [`Refused::Invalid`] on `overlap`.
pub async fn rotate(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    overlap_ms: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    may_issue_secrets(&s.actor().principal)?;
    let key = load_locked(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    issue_new_secret(s.connection(), id, key.member.name, s.now(), overlap_ms).await
}

/// Issues another secret of a locked key, without a permission check.
///
/// # Errors
/// [`Refused::Invalid`] on `overlap`.
pub(in crate::domain) async fn issue_new_secret(
    tx: &impl ConnectionTrait,
    id: Uuid,
    name: String,
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
    let secret = new_secret(tx, id, now).await?;
    let event = ApiKeyRotated { overlap_ends_at: ends };
    let created = CreatedKey { id, name: name.clone(), secret, overlap_ends_at: Some(ends) };
    Ok(Recorded::new(created, event, Target::new(API_KEY, id, name)))
}

/// [`rotate`], from a form that showed the key with this secret as its newest.
///
/// # Errors
/// [`CHANGED`] where it has another by now; as [`rotate`].
pub async fn rotate_if_newest(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    seen: &str,
    overlap_ms: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    // Under the lock of the key, which [`rotate`] then has already.
    load_locked(s, id).await?;
    ensure_newest(s.connection(), id, seen).await?;
    rotate(s, id, overlap_ms).await
}

/// Ends a key for good, everywhere, and takes it out of this workspace. Returns its name.
///
/// # Errors
/// As [`rotate`].
pub async fn revoke(s: &mut WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<Recorded<String>, Refused> {
    end_everywhere(s, id).await
}

async fn end_everywhere<P>(s: &WriteScope<P>, id: Uuid) -> Result<Recorded<String>, Refused> {
    let key = load_locked(s, id).await?;
    key.may_be_taken_over(s, id).await?;
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
    members::delete(at, member, now).await?;
    let name = member.name.clone();
    let event = ApiKeyRevoked { roles: member.role_names() };
    Ok(Recorded::new(name.clone(), event, Target::new(API_KEY, id, name)))
}

/// Revokes every key here that this user made, for who removes them with it: all, or nothing is done.
///
/// # Errors
/// [`Refused::Forbidden`] without the permission to manage keys; as [`revoke`], for any of them.
pub(in crate::domain) async fn revoke_made_by<P>(
    s: &WriteScope<P>,
    user: Uuid,
) -> Result<Recorded<Vec<String>>, Refused> {
    s.require(Permission::ManageApiKeys).await?;
    let keys: Vec<KeyOfCreator> = s.all(KEYS_OF_CREATOR, vec![user.into()]).await?;
    let mut each = Vec::new();
    for key in keys {
        each.push(end_everywhere(s, key.id).await?);
    }
    Ok(Recorded::together(each))
}

/// Stands for what a key is called and holds here.
pub fn version(id: Uuid, name: &str, roles: &[Role]) -> String {
    let slugs = roles.iter().map(|role| role.slug.as_str());
    role::fingerprint(id.as_bytes(), std::iter::once(name).chain(slugs))
}

/// The same for a key of this workspace, as it is under the lock.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`].
pub async fn version_under_lock(s: &WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<String, Refused> {
    let member = load_locked(s, id).await?.member;
    Ok(version(id, &member.name, &member.roles))
}

/// Calls a key otherwise, in every list that it is in.
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

/// Calls a locked key otherwise, without asking who does it.
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
