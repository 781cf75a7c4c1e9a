//! Making, adding, rotating and revoking keys.

use super::{
    ApiKey,
    list::{Listed, MADE_HERE, MadeHere, NEWEST},
};
use crate::{
    clock::HOUR,
    domain::{
        Conflict, Db, Event, Invalid, Name, Purpose, Recorded, Refused, Target, TargetKind, Token,
        db::Sql,
        members::{self, Subject},
        roles::{self, Role},
        scope::{Actor, Found, Principal, ReadScope, Scoped, WriteScope},
    },
    entity::{api_key, api_key_secret, member},
    policy::{Access, Holdings, Permission, perm},
    random,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    FromQueryResult, QueryFilter,
};
use uuid::Uuid;

/// Live keys that one account may have.
pub const MOST_KEYS: i64 = 1_000;
/// How long the secret before may go on being used after a rotation, in milliseconds, at most.
pub const MOST_OVERLAP: i64 = 7 * 24 * HOUR;
/// Why nobody with an unconfirmed address makes keys.
pub const UNCONFIRMED: &str = "Confirm your e-mail address first: a key acts in your name. The link is in the message that we sent you.";
const ELSEWHERE: &str = "This key is also a member of a workspace in which your roles don't reach that far. Remove it from this workspace instead, or ask an admin of the account.";
const OUTGOING: &str = "Another secret takes the place of this one, so it makes no keys and gives none another secret. Use the new one.";
const ACCOUNT_ADMIN: &str =
    "This key administers the account. Only an admin of the account makes, renames, rotates or revokes one.";

/// A key to be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: Name,
    /// Slugs of the roles that it gets in this workspace; none for one that is made in the account.
    pub roles: Vec<String>,
    /// In milliseconds since 1970; `None` for never.
    pub expires_at: Option<i64>,
    /// It shall administer the account: found workspaces in it.
    pub is_admin: bool,
}

/// A key that was made or rotated, with the secret that is told this once.
#[derive(Clone, Debug)]
pub struct Made {
    pub id: Uuid,
    pub name: String,
    pub secret: Token,
    /// Until when the secret before holds, in milliseconds since 1970.
    pub overlap_ends_at: Option<i64>,
}

/// Who makes a key, beside what they hold.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct Maker {
    /// How many keys they have made in the account. A form that makes one carries it, and is so good for
    /// one: sent again, it would show another secret to whoever only reloads.
    pub made: i64,
    /// They administer the account, and may make a key that does.
    pub administers: bool,
}

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

/// The same of a user in an account.
pub(in crate::domain) async fn maker_in(
    connection: &impl ConnectionTrait,
    account: Uuid,
    user: Uuid,
) -> Result<Maker, Refused> {
    // Keys are never deleted, so that the number only grows.
    let sql = "SELECT (SELECT COUNT(*) FROM api_keys k WHERE k.made_by = $1 AND k.account_id = $2) AS made,
            EXISTS (SELECT 1 FROM account_people p
                WHERE p.account_id = $2 AND p.user_id = $1 AND p.is_admin) AS administers";
    let maker: Option<Maker> = connection.first(sql, vec![user.into(), account.into()]).await?;
    maker.ok_or(Refused::Hidden)
}

/// [`create`], from a form that knew of so many keys.
///
/// # Errors
/// [`Conflict::KeyMade`] where the form was sent already; as [`create`].
pub async fn create_once(
    s: &mut WriteScope<perm::ManageApiKeys>,
    wanted: &Wanted,
    known: i64,
) -> Result<Recorded<Made>, Refused> {
    may_hand_on(&s.actor().principal)?;
    if look_at_maker(s, s.actor()).await?.made != known {
        return Err(Conflict::KeyMade.into());
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
fn lasting(maker: &Principal, wanted: Option<i64>) -> Result<Option<i64>, Invalid> {
    match (maker, wanted) {
        (Principal::ApiKey(ApiKey { expires_at: Some(end), .. }), Some(at)) if at > *end => {
            let sentence = "A key that expires makes none that goes on after it. Choose an earlier end.";
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
    let made = insert(s.connection(), account, made_by, &wanted, s.now_ms()).await?;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    members::join_key(s.open(), made.id, &made.name, made_by, &ids).await?;
    let event =
        Event::ApiKeyCreated { roles: roles::names(&roles), expires_at: wanted.expires_at.unwrap_or(0) };
    let target = Target::new(TargetKind::ApiKey, made.id, made.name.clone());
    Ok(Recorded::new(made, event, target))
}

/// Makes a key that is a member nowhere, without asking who does it.
///
/// # Errors
/// [`Refused::Invalid`] on `expires_at` or `name`.
pub(in crate::domain) async fn insert(
    tx: &impl ConnectionTrait,
    account: Uuid,
    made_by: Uuid,
    wanted: &Wanted,
    now: i64,
) -> Result<Made, Refused> {
    if wanted.expires_at.is_some_and(|at| at <= now) {
        return Err(Invalid::field("expires_at", "Choose a time that is still to come.").into());
    }
    let sql = "SELECT COUNT(*) AS keys FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL";
    let live: Option<Count> = tx.first(sql, vec![account.into()]).await?;
    if live.is_some_and(|live| live.keys >= MOST_KEYS) {
        let sentence = format!("The account has {MOST_KEYS} keys already. Revoke those that nobody uses.");
        return Err(Invalid::field("name", sentence).into());
    }
    let id = random::id(now);
    let row = api_key::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        name: Set(wanted.name.to_string()),
        is_admin: Set(wanted.is_admin),
        home_id: Set(None),
        made_by: Set(made_by),
        created_at: Set(now),
        expires_at: Set(wanted.expires_at),
        revoked_at: Set(None),
        last_used_at: Set(None),
    };
    api_key::Entity::insert(row).exec_without_returning(tx).await?;
    let secret = new_secret(tx, id, now).await?;
    Ok(Made { id, name: wanted.name.to_string(), secret, overlap_ends_at: None })
}

#[derive(FromQueryResult)]
struct Count {
    keys: i64,
}

/// Makes a secret of a key; only its hash stays.
pub(in crate::domain) async fn new_secret(
    tx: &impl ConnectionTrait,
    key: Uuid,
    now: i64,
) -> Result<Token, Refused> {
    let secret = Token::new(Purpose::ApiKey);
    keep_secret(tx, key, &secret, now).await?;
    Ok(secret)
}

pub(in crate::domain) async fn keep_secret(
    tx: &impl ConnectionTrait,
    key: Uuid,
    secret: &Token,
    now: i64,
) -> Result<(), Refused> {
    let text = secret.expose();
    let row = api_key_secret::ActiveModel {
        token_hash: Set(secret.hash()),
        api_key_id: Set(key),
        hint: Set(text[text.len() - 4..].to_owned()),
        created_at: Set(now),
        expires_at: Set(None),
    };
    api_key_secret::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct KeyRow {
    name: String,
    is_admin: bool,
    revoked_at: Option<i64>,
}

/// Makes a key of the account a member of this workspace.
///
/// # Errors
/// [`Refused::Invalid`] on `key` where the account has no such live key, or on `role`;
/// [`Conflict::KeyIsMember`], [`Refused::Ceiling`].
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
        return Err(Conflict::KeyIsMember.into());
    }
    let ids: Vec<Uuid> = roles.iter().map(|role| role.id).collect();
    members::join_key(s.open(), id, &key.name, s.actor().principal.answers(), &ids).await?;
    let event = Event::ApiKeyAdded { roles: roles::names(&roles) };
    Ok(Recorded::new(key.name.clone(), event, Target::new(TargetKind::ApiKey, id, key.name)))
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

/// A key that was not revoked.
pub(in crate::domain) struct Live {
    pub name: String,
    pub is_admin: bool,
}

/// Locks a key: of two who rotate or revoke it, the second finds what the first made of it.
///
/// # Errors
/// [`Conflict::KeyRevoked`].
pub(in crate::domain) async fn lock(tx: &impl ConnectionTrait, id: Uuid) -> Result<Live, Refused> {
    // Its memberships come first, as for whoever removes one, which then touches the key.
    if tx.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT id FROM members WHERE api_key_id = $1 ORDER BY id FOR UPDATE";
        tx.run(sql, vec![id.into()]).await?;
    }
    let sql = "UPDATE api_keys SET revoked_at = revoked_at WHERE id = $1";
    tx.run(sql, vec![id.into()]).await?;
    let sql = "SELECT name, is_admin, revoked_at FROM api_keys WHERE id = $1";
    let key: Option<KeyRow> = tx.first(sql, vec![id.into()]).await?;
    match key {
        Some(key) if key.revoked_at.is_none() => Ok(Live { name: key.name, is_admin: key.is_admin }),
        _ => Err(Conflict::KeyRevoked.into()),
    }
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
        let there = Found(scope.connection(), place.workspace_id);
        let all = db.roles().at(&there, place.roles_version).await?;
        let holdings = |slugs: &str| roles::holdings(&all.joined(slugs));
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
    let key =
        Reaching { id: key.id, is_admin: key.is_admin, holdings: &held, elsewhere: Some(key.elsewhere) };
    match may_take_over(scope, scope.db(), scope.actor(), &key).await {
        Ok(()) => Ok(None),
        Err(refused @ (Refused::Ceiling(_) | Refused::NotAllowed(_))) => Ok(Some(refused)),
        Err(other) => Err(other),
    }
}

/// Gives a key another secret. The one before goes on for `overlap_ms` more, and any older ends now.
///
/// # Errors
/// [`Refused::Hidden`], [`Conflict::KeyRevoked`], [`Refused::Ceiling`] and [`Refused::NotAllowed`] where
/// the key reaches further than the actor, [`Refused::Invalid`] on `overlap`.
pub async fn rotate(
    s: &mut WriteScope<perm::ManageApiKeys>,
    id: Uuid,
    overlap_ms: i64,
) -> Result<Recorded<Made>, Refused> {
    may_hand_on(&s.actor().principal)?;
    let key = held(s, id).await?;
    key.may_be_taken_over(s, id).await?;
    give_another_secret(s.connection(), id, key.member.name, s.now_ms(), overlap_ms).await
}

/// Gives a locked key another secret, without asking who does it.
///
/// # Errors
/// [`Refused::Invalid`] on `overlap`.
pub(in crate::domain) async fn give_another_secret(
    tx: &impl ConnectionTrait,
    id: Uuid,
    name: String,
    now: i64,
    overlap_ms: i64,
) -> Result<Recorded<Made>, Refused> {
    if !(0..=MOST_OVERLAP).contains(&overlap_ms) {
        return Err(Invalid::field("overlap", "The old secret can go on for seven days at most.").into());
    }
    let ends = now + overlap_ms;
    replace_secret(tx, id, now, ends).await?;
    let secret = new_secret(tx, id, now).await?;
    let event = Event::ApiKeyRotated { overlap_ends_at: ends };
    let made = Made { id, name: name.clone(), secret, overlap_ends_at: Some(ends) };
    Ok(Recorded::new(made, event, Target::new(TargetKind::ApiKey, id, name)))
}

/// [`rotate`], from a form that showed the key with this secret as its newest.
///
/// # Errors
/// [`Conflict::Changed`] where it has another by now; as [`rotate`].
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

/// # Errors
/// [`Conflict::Changed`] where this secret is not the newest of a locked key.
pub(in crate::domain) async fn must_be_newest(
    tx: &impl ConnectionTrait,
    id: Uuid,
    seen: &str,
) -> Result<(), Refused> {
    let sql = format!("SELECT {NEWEST} AS newest FROM api_keys k WHERE k.id = $1");
    let now: Option<Newest> = tx.first(&sql, vec![id.into()]).await?;
    match now.and_then(|now| now.newest).as_deref() == Some(seen) {
        true => Ok(()),
        false => Err(Conflict::Changed.into()),
    }
}

#[derive(FromQueryResult)]
struct Newest {
    newest: Option<String>,
}

/// Ends the live secrets of a key: the last one at `ends`, those before it now.
pub(in crate::domain) async fn replace_secret(
    tx: &impl ConnectionTrait,
    key: Uuid,
    now: i64,
    ends: i64,
) -> Result<(), Refused> {
    tx.run("DELETE FROM api_key_secrets WHERE api_key_id = $1 AND expires_at IS NOT NULL", vec![key.into()])
        .await?;
    let sql = match ends > now {
        true => "UPDATE api_key_secrets SET expires_at = $2 WHERE api_key_id = $1",
        false => "DELETE FROM api_key_secrets WHERE api_key_id = $1 AND created_at <= $2",
    };
    tx.run(sql, vec![key.into(), ends.into()]).await?;
    Ok(())
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
    let told = take_out(s, id, &key.member, s.now_ms()).await?;
    end(s.connection(), id, s.now_ms()).await?;
    Ok(told)
}

/// Takes a key that ends out of a workspace, and tells it there. Answers its name.
pub(in crate::domain) async fn take_out(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    id: Uuid,
    member: &Subject,
    now: i64,
) -> Result<Recorded<String>, Refused> {
    members::end(at, member, now).await?;
    let name = member.name.clone();
    let event = Event::ApiKeyRevoked { roles: member.role_names() };
    Ok(Recorded::new(name.clone(), event, Target::new(TargetKind::ApiKey, id, name)))
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

/// Marks a key as revoked and forgets its secrets.
pub(in crate::domain) async fn end(tx: &impl ConnectionTrait, id: Uuid, now: i64) -> Result<(), Refused> {
    tx.run("UPDATE api_keys SET revoked_at = $2 WHERE id = $1", vec![id.into(), now.into()]).await?;
    tx.run("DELETE FROM api_key_secrets WHERE api_key_id = $1", vec![id.into()]).await?;
    Ok(())
}

/// Stands for what a key is called and holds here.
pub fn version(id: Uuid, name: &str, roles: &[Role]) -> String {
    let slugs = roles.iter().map(|role| role.slug.as_str());
    roles::fingerprint(id.as_bytes(), std::iter::once(name).chain(slugs))
}

/// The same for a key of this workspace, as it is under the lock.
///
/// # Errors
/// [`Refused::Hidden`], [`Conflict::KeyRevoked`].
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
    let event = Event::ApiKeyRenamed { name_before: before, name_after: name.to_string() };
    Ok(Recorded::new(name.to_string(), event, Target::new(TargetKind::ApiKey, id, name.to_string())))
}
