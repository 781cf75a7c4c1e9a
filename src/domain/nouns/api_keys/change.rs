//! Making, adding, rotating and revoking keys.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Conflict,
            db::Db,
            event::{Recorded, Target},
            invalid::Invalid,
            principal::{Actor, ApiKey, Principal},
            refused::Refused,
            role::{self, Role},
            sql::Sql,
            values::Name,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
            write::WriteScope,
        },
        nouns::{
            api_keys::{
                events::{API_KEY, ApiKeyAdded, ApiKeyCreated, ApiKeyRenamed, ApiKeyRevoked, ApiKeyRotated},
                list::{Listed, MADE_HERE, MadeHere},
            },
            members::{self, Subject},
        },
        records::keys::{
            KeyRow, MOST_OVERLAP, Made, Maker, Wanted, end, insert, lock, maker_in, must_be_newest,
            new_secret, replace_secret,
        },
    },
    entity::member,
    policy::{Access, Holdings, Permission, perm},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, FromQueryResult, QueryFilter};
use uuid::Uuid;

/// Why nobody with an unconfirmed address makes keys.
pub const UNCONFIRMED: &str = "Confirm your e-mail address first. Open the link in the message we sent you.";

const ELSEWHERE: &str = "This key is also a member of a workspace where your roles don't allow this. Remove it from this workspace instead, or ask an account admin.";

const OUTGOING: &str =
    "This secret was rotated, so it can't create keys or rotate secrets. Use the new secret.";

const ACCOUNT_ADMIN: &str = "This key can create workspaces in the account. Only an account admin can create, rename, rotate or revoke it.";

const KEY_IS_MEMBER: Conflict =
    Conflict::new("key-is-member", "This key is already a member of the workspace.");

pub(in crate::domain) const KEY_MADE: Conflict = Conflict::new(
    "key-made",
    "You've created a key since you opened this form, maybe with this form. Its secret is shown only once. If you didn't save it, rotate the secret. To create another key, open the form again.",
)
.way_on("/api-keys", "View API keys");

/// # Errors
/// The database's own.
pub async fn maker(scope: &ReadScope<perm::ManageApiKeys>) -> Result<Maker, Refused> {
    look_at_maker(scope, scope.actor()).await
}

async fn look_at_maker(scope: &impl Scoped, actor: &Actor) -> Result<Maker, Refused> {
    let maker = maker_in(scope.connection(), actor.workspace.account_id, actor.principal.answers()).await?;
    Ok(match &actor.principal {
        Principal::User(_) => maker,
        // A key does not do what whoever answers for it may: only what it may itself.
        Principal::ApiKey(key) => Maker { administers: key.is_admin, ..maker },
    })
}

/// [`create`], from a form that knew of so many keys.
///
/// # Errors
/// [`KEY_MADE`] where the form was sent already; as [`create`].
pub async fn create_once(
    s: &mut WriteScope<perm::ManageApiKeys>,
    wanted: &Wanted,
    known: i64,
) -> Result<Recorded<Made>, Refused> {
    may_hand_on(&s.actor().principal)?;
    if look_at_maker(s, s.actor()).await?.made != known {
        return Err(KEY_MADE.into());
    }
    create(s, wanted).await
}

/// # Errors
/// [`Refused::NotAllowed`] for who has not confirmed their address.
pub fn may_make_secrets(is_verified: bool) -> Result<(), Refused> {
    if is_verified { Ok(()) } else { Err(Refused::NotAllowed(UNCONFIRMED)) }
}

/// # Errors
/// As [`may_make_secrets`]; [`Refused::NotAllowed`] for a secret that another takes the place of: whoever
/// found it would else outlive it.
fn may_hand_on(principal: &Principal) -> Result<(), Refused> {
    may_make_secrets(principal.is_verified())?;
    match principal {
        Principal::ApiKey(key) if key.is_outgoing => Err(Refused::NotAllowed(OUTGOING)),
        _ => Ok(()),
    }
}

/// When a new key ends. One that is made by a key goes on no longer than that.
fn lasting(maker: &Principal, wanted: Option<Timestamp>) -> Result<Option<Timestamp>, Invalid> {
    match (maker, wanted) {
        (Principal::ApiKey(ApiKey { expires_at: Some(end), .. }), Some(at)) if at > *end => {
            let sentence = "A key can't create a key that expires later than itself. Choose an earlier time.";
            Err(Invalid::field("expires_at", sentence))
        }
        (Principal::ApiKey(ApiKey { expires_at, .. }), None) => Ok(*expires_at),
        (_, wanted) => Ok(wanted),
    }
}

/// Makes a key in this workspace's account and a member of this workspace, which it then means where a
/// request names none.
///
/// # Errors
/// [`Refused::NotAllowed`] for who has not confirmed their address, [`Refused::Invalid`] on `role`,
/// `expires_at` or `name`, [`Refused::Ceiling`] for a role that holds more than the actor.
pub async fn create(
    s: &mut WriteScope<perm::ManageApiKeys>,
    wanted: &Wanted,
) -> Result<Recorded<Made>, Refused> {
    may_hand_on(&s.actor().principal)?;
    let all = s.actor().all_roles.clone();
    let roles = all.chosen(&wanted.roles)?;
    roles.iter().try_for_each(|role| s.actor().holdings.may_assign(&role.holdings))?;
    if wanted.is_admin && !look_at_maker(s, s.actor()).await?.administers {
        return Err(Refused::NotAllowed(ACCOUNT_ADMIN));
    }
    let wanted = Wanted { expires_at: lasting(&s.actor().principal, wanted.expires_at)?, ..wanted.clone() };
    let (account, made_by) = (s.actor().workspace.account_id, s.actor().principal.answers());
    let made = insert(s.connection(), account, made_by, &wanted, s.now()).await?;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    members::join_key(s.open(), made.id, &made.name, made_by, &ids).await?;
    let event =
        ApiKeyCreated { roles: role::names(&roles), expires_at: wanted.expires_at.unwrap_or_default() };
    let target = Target::new(API_KEY, made.id, made.name.clone());
    Ok(Recorded::new(made, event, target))
}

/// Makes a key of the account a member of this workspace.
///
/// # Errors
/// [`Refused::Invalid`] on `key` where the account has no such live key, or on `role`;
/// [`KEY_IS_MEMBER`], [`Refused::Ceiling`].
pub async fn add(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    to: &[String],
) -> Result<Recorded<String>, Refused> {
    let all = s.actor().all_roles.clone();
    let roles = all.chosen(to)?;
    roles.iter().try_for_each(|role| s.actor().holdings.may_assign(&role.holdings))?;
    let sql = "SELECT name, is_admin, revoked_at FROM api_keys WHERE id = $1 AND account_id = $2";
    let values = vec![id.into(), s.actor().workspace.account_id.into()];
    let key: Option<KeyRow> = s.connection().first(sql, values).await?;
    let Some(key) = key.filter(|key| key.revoked_at.is_none()) else {
        return Err(Invalid::field("key", "Choose one of the account's keys.").into());
    };
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    if present.one(s.connection()).await?.is_some() {
        return Err(KEY_IS_MEMBER.into());
    }
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    members::join_key(s.open(), id, &key.name, s.actor().principal.answers(), &ids).await?;
    let event = ApiKeyAdded { roles: role::names(&roles) };
    Ok(Recorded::new(key.name.clone(), event, Target::new(API_KEY, id, key.name)))
}

/// A key of this workspace, as it stands under the lock.
struct Held {
    member: Subject,
    is_admin: bool,
}

/// The key, if it is a member here and was not revoked.
async fn held<P>(s: &WriteScope<P>, id: Uuid) -> Result<Held, Refused> {
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    let row = present.one(s.connection()).await?.ok_or(Refused::Hidden)?;
    let all = s.actor().all_roles.clone();
    let member = Subject::load(s, &all, row.id).await?;
    let key = lock(s.connection(), id).await?;
    Ok(Held { member, is_admin: key.is_admin })
}

#[derive(FromQueryResult)]
struct Elsewhere {
    workspace_id: Uuid,
    roles_version: Option<Uuid>,
    role_set: String,
    own: Option<String>,
}

/// Who takes a key over holds everything that it holds, in every workspace that it is a member of: its
/// secret, its end and its name reach that far. `holdings` are those that it has in this one.
async fn may_take_over<S: Scoped>(
    scope: &S,
    db: &Db,
    actor: &Actor,
    key: &Reaching<'_>,
) -> Result<(), Refused> {
    if actor.principal.key_id() == Some(key.id) {
        return Ok(());
    }
    actor.holdings.may_assign(key.holdings)?;
    if key.is_admin && !look_at_maker(scope, actor).await?.administers {
        return Err(Refused::NotAllowed(ACCOUNT_ADMIN));
    }
    if key.elsewhere == Some(0) {
        return Ok(());
    }
    let mine = match actor.principal.person() {
        Some(_) => "o.user_id = $3",
        None => "o.api_key_id = $3",
    };
    let sql = format!(
        "SELECT m.workspace_id, w.roles_version, m.role_set, o.role_set AS own
        FROM members m JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
        LEFT JOIN members o ON o.workspace_id = m.workspace_id AND {mine} AND o.status = 'active'
        WHERE m.api_key_id = $2 AND m.workspace_id <> $1"
    );
    let values = vec![key.id.into(), actor.principal.id().into()];
    let elsewhere: Vec<Elsewhere> = scope.all(&sql, values).await?;
    for place in elsewhere {
        let there = Unadmitted(scope.connection(), place.workspace_id);
        let all = db.roles().at(&there, place.roles_version).await?;
        let holdings = |slugs: &str| role::holdings(&all.joined(slugs));
        let (own, keys): (Holdings, Holdings) =
            (holdings(place.own.as_deref().unwrap_or_default()), holdings(&place.role_set));
        if !(own.has(Permission::ManageApiKeys) && own.contains(&keys)) {
            return Err(Refused::NotAllowed(ELSEWHERE));
        }
    }
    Ok(())
}

/// A key, as far as taking it over is concerned.
struct Reaching<'a> {
    id: Uuid,
    is_admin: bool,
    holdings: &'a Holdings,
    /// Other workspaces that it is a member of, where that is known.
    elsewhere: Option<i64>,
}

impl Held {
    async fn may_be_taken_over<P>(&self, s: &WriteScope<P>, id: Uuid) -> Result<(), Refused> {
        let key =
            Reaching { id, is_admin: self.is_admin, holdings: &self.member.holdings(), elsewhere: None };
        may_take_over(s, &s.open().db, s.actor(), &key).await
    }
}

/// Why the actor may not rename, rotate or revoke a key, wherever it is a member; `None` where they may.
///
/// # Errors
/// The database's own.
pub async fn why_not<P: Access>(scope: &ReadScope<P>, key: &Listed) -> Result<Option<Refused>, Refused> {
    let held = key.holdings();
    let key = Reaching {
        id: key.key.id,
        is_admin: key.key.is_admin,
        holdings: &held,
        elsewhere: Some(key.elsewhere),
    };
    match may_take_over(scope, scope.db(), scope.actor(), &key).await {
        Ok(()) => Ok(None),
        Err(refused @ (Refused::Ceiling(_) | Refused::NotAllowed(_))) => Ok(Some(refused)),
        Err(other) => Err(other),
    }
}

/// Gives a key another secret. The one before goes on for `overlap_ms` more, and any older ends now.
///
/// # Errors
/// [`Refused::Hidden`], [`KEY_REVOKED`], [`Refused::Ceiling`] and [`Refused::NotAllowed`] where
/// the key reaches further than the actor, [`Refused::Invalid`] on `overlap`.
pub async fn rotate(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    overlap_ms: i64,
) -> Result<Recorded<Made>, Refused> {
    may_hand_on(&s.actor().principal)?;
    let key = held(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    give_another_secret(s.connection(), id, key.member.name, s.now(), overlap_ms).await
}

/// Gives a locked key another secret, without asking who does it.
///
/// # Errors
/// [`Refused::Invalid`] on `overlap`.
pub(in crate::domain) async fn give_another_secret(
    tx: &impl ConnectionTrait,
    id: Uuid,
    name: String,
    now: Timestamp,
    overlap_ms: i64,
) -> Result<Recorded<Made>, Refused> {
    if !(0..=MOST_OVERLAP).contains(&overlap_ms) {
        return Err(
            Invalid::field("overlap", "The old secret can keep working for seven days at most.").into()
        );
    }
    let ends = now + overlap_ms;
    replace_secret(tx, id, now, ends).await?;
    let secret = new_secret(tx, id, now).await?;
    let event = ApiKeyRotated { overlap_ends_at: ends };
    let made = Made { id, name: name.clone(), secret, overlap_ends_at: Some(ends) };
    Ok(Recorded::new(made, event, Target::new(API_KEY, id, name)))
}

/// [`rotate`], from a form that showed the key with this secret as its newest.
///
/// # Errors
/// [`CHANGED`] where it has another by now; as [`rotate`].
pub async fn rotate_seen(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    seen: &str,
    overlap_ms: i64,
) -> Result<Recorded<Made>, Refused> {
    // Under the lock of the key, which [`rotate`] then has already.
    held(s, id).await?;
    must_be_newest(s.connection(), id, seen).await?;
    rotate(s, id, overlap_ms).await
}

/// Ends a key for good, everywhere, and takes it out of this workspace. Answers its name.
///
/// # Errors
/// As [`rotate`].
pub async fn revoke(s: &mut WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<Recorded<String>, Refused> {
    put_an_end(s, id).await
}

async fn put_an_end<P>(s: &WriteScope<P>, id: Uuid) -> Result<Recorded<String>, Refused> {
    let key = held(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    let told = take_out(s, id, &key.member, s.now()).await?;
    end(s.connection(), id, s.now()).await?;
    Ok(told)
}

/// Takes a key that ends out of a workspace, and tells it there. Answers its name.
pub(in crate::domain) async fn take_out(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    id: Uuid,
    member: &Subject,
    now: Timestamp,
) -> Result<Recorded<String>, Refused> {
    members::end(at, member, now).await?;
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
    let keys: Vec<MadeHere> = s.all(MADE_HERE, vec![user.into()]).await?;
    let mut each = Vec::new();
    for key in keys {
        each.push(put_an_end(s, key.id).await?);
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
/// [`Refused::Hidden`], [`KEY_REVOKED`].
pub async fn version_under_lock(s: &WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<String, Refused> {
    let member = held(s, id).await?.member;
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
    let key = held(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    call(s.connection(), id, key.member.name, name).await
}

/// Calls a locked key otherwise, without asking who does it.
pub(in crate::domain) async fn call(
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
    tx.run(sql, vec![id.into(), members::listed_as(name.as_str(), "").into()]).await?;
    let event = ApiKeyRenamed { name_before: before, name_after: name.to_string() };
    Ok(Recorded::new(name.to_string(), event, Target::new(API_KEY, id, name.to_string())))
}
