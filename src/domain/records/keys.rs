//! Rows of API keys and their secrets.

use crate::{
    clock::{HOUR, Timestamp},
    domain::{
        base::{
            conflict::{CHANGED, Conflict},
            invalid::Invalid,
            principal::{Actor, Principal},
            refused::Refused,
            sql::Sql,
            tokens::{Purpose, Token},
            values::Name,
        },
        enforce::rows::Scoped,
    },
    entity::{api_key, api_key_secret},
    random,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// The most live keys that an account can have.
pub const MAX_KEYS: i64 = 1_000;

/// The longest time that the previous secret stays valid after a rotation, in milliseconds.
pub const MAX_OVERLAP: i64 = 7 * 24 * HOUR;

pub const KEY_REVOKED: Conflict = Conflict::new("key-revoked", "This key was revoked. Create a new one.");

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    pub name: Name,
    /// Slugs of its roles in this workspace; empty for a key that is created in the account.
    pub roles: Vec<String>,
    /// `None` for never.
    pub expires_at: Option<Timestamp>,
    /// It gets the rights of an account admin: it can create workspaces in the account.
    pub is_admin: bool,
    /// Its home, if it is created in the account. A key that is created in a workspace is at home there.
    pub home: Option<Uuid>,
    /// The one scope of its roles that it holds; `None` for all of them.
    pub only_scope: Option<String>,
    /// How many requests it may send through the gateway; `None` for any number.
    pub requests: Option<i64>,
}

/// A key that was created or rotated, with its secret, which is shown only once.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    pub id: Uuid,
    pub name: String,
    pub secret: Token,
    /// When the previous secret stops working.
    pub overlap_ends_at: Option<Timestamp>,
}

/// The facts about the creator of a key that are not holdings.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct Creator {
    /// The number of keys they have created in the account. The form for a new key carries it, so that each
    /// form creates one key: a reload does not create another.
    pub keys_created: i64,
    /// They are an account admin, and may create a key that is one.
    pub administers: bool,
}

/// The [`Creator`] that a user is in an account.
pub(in crate::domain) async fn creator_in(
    connection: &impl ConnectionTrait,
    account: Uuid,
    user: Uuid,
) -> Result<Creator, Refused> {
    // Keys are never deleted, so that the number only grows.
    let sql =
        "SELECT (SELECT COUNT(*) FROM api_keys k WHERE k.made_by = $1 AND k.account_id = $2) AS keys_created,
            EXISTS (SELECT 1 FROM account_people p
                WHERE p.account_id = $2 AND p.user_id = $1 AND p.is_admin) AS administers";
    let creator: Option<Creator> = connection.first(sql, vec![user.into(), account.into()]).await?;
    creator.ok_or(Refused::NotFound)
}

/// The [`Creator`] that an actor is in the account of their workspace.
pub(in crate::domain) async fn load_creator(scope: &impl Scoped, actor: &Actor) -> Result<Creator, Refused> {
    let creator =
        creator_in(scope.connection(), actor.workspace.account_id, actor.principal.accountable_user())
            .await?;
    Ok(match &actor.principal {
        Principal::User(_) | Principal::Support(_) => creator,
        // A key has its own rights only, not those of the user who is accountable for it.
        Principal::ApiKey(key) => Creator { administers: key.is_admin, ..creator },
    })
}

/// Creates a key that is not a member of any workspace, without a permission check.
///
/// # Errors
/// [`Refused::Invalid`] on `expires_at` or `name`.
pub(in crate::domain) async fn insert(
    tx: &impl ConnectionTrait,
    account: Uuid,
    made_by: Uuid,
    requested: &NewApiKey,
    now: Timestamp,
) -> Result<CreatedKey, Refused> {
    if requested.expires_at.is_some_and(|at| at <= now) {
        return Err(Invalid::field("expires_at", "Choose a time in the future.").into());
    }
    // Test keys are gone by themselves within a day.
    let sql = "SELECT COUNT(*) AS keys FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL
        AND (only_scope IS NULL OR expires_at > $2)";
    let live: Option<Count> = tx.first(sql, vec![account.into(), now.into()]).await?;
    if live.is_some_and(|live| live.keys >= MAX_KEYS) {
        let sentence = format!("The account already has {MAX_KEYS} keys. Revoke keys that nobody uses.");
        return Err(Invalid::field("name", sentence).into());
    }
    let id = random::id(now);
    let row = api_key::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        name: Set(requested.name.to_string()),
        is_admin: Set(requested.is_admin),
        home_id: Set(requested.home),
        made_by: Set(made_by),
        created_at: Set(now),
        expires_at: Set(requested.expires_at),
        revoked_at: Set(None),
        last_used_at: Set(None),
        only_scope: Set(requested.only_scope.clone()),
        requests_left: Set(requested.requests),
    };
    api_key::Entity::insert(row).exec_without_returning(tx).await?;
    let secret = new_secret(tx, id, made_by, now).await?;
    Ok(CreatedKey { id, name: requested.name.to_string(), secret, overlap_ends_at: None })
}

#[derive(FromQueryResult)]
struct Count {
    keys: i64,
}

/// Creates a secret of a key, which is shown to this person. Only its hash is stored.
pub(in crate::domain) async fn new_secret(
    tx: &impl ConnectionTrait,
    key: Uuid,
    shown_to: Uuid,
    now: Timestamp,
) -> Result<Token, Refused> {
    let secret = Token::new(Purpose::ApiKey);
    let row = api_key_secret::ActiveModel {
        token_hash: Set(secret.hash()),
        api_key_id: Set(key),
        hint: Set(hint(&secret)),
        created_at: Set(now),
        expires_at: Set(None),
        shown_to: Set(Some(shown_to)),
    };
    api_key_secret::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(secret)
}

/// The last characters of a secret, which may be shown.
fn hint(secret: &Token) -> String {
    let text = secret.expose();
    text[text.len() - 4..].to_owned()
}

/// Makes the only secret of a key another one, for demos whose secret is known before.
pub(in crate::domain) async fn replace_hash(
    tx: &impl ConnectionTrait,
    key: Uuid,
    secret: &Token,
) -> Result<(), Refused> {
    let sql = "UPDATE api_key_secrets SET token_hash = $2, hint = $3 WHERE api_key_id = $1";
    tx.run(sql, vec![key.into(), secret.hash().into(), hint(secret).into()]).await?;
    Ok(())
}

#[derive(FromQueryResult)]
pub(in crate::domain) struct KeyRow {
    pub(in crate::domain) name: String,
    is_admin: bool,
    pub(in crate::domain) revoked_at: Option<Timestamp>,
    pub(in crate::domain) home_id: Option<Uuid>,
}

/// A key that was not revoked.
pub(in crate::domain) struct LiveKey {
    pub name: String,
    pub is_admin: bool,
    pub home_id: Option<Uuid>,
}

/// Locks a key: of two requests that rotate or revoke it, the second sees what the first did.
///
/// # Errors
/// [`KEY_REVOKED`].
pub(in crate::domain) async fn lock(tx: &impl ConnectionTrait, id: Uuid) -> Result<LiveKey, Refused> {
    // Its memberships come first, as for whoever removes one, which then touches the key.
    if tx.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT id FROM members WHERE api_key_id = $1 ORDER BY id FOR UPDATE";
        tx.run(sql, vec![id.into()]).await?;
    }
    let sql = "UPDATE api_keys SET revoked_at = revoked_at WHERE id = $1";
    tx.run(sql, vec![id.into()]).await?;
    let sql = "SELECT name, is_admin, revoked_at, home_id FROM api_keys WHERE id = $1";
    let key: Option<KeyRow> = tx.first(sql, vec![id.into()]).await?;
    match key {
        Some(key) if key.revoked_at.is_none() => {
            Ok(LiveKey { name: key.name, is_admin: key.is_admin, home_id: key.home_id })
        }
        _ => Err(KEY_REVOKED.into()),
    }
}

/// # Errors
/// [`CHANGED`] where this secret is not the newest of a locked key.
pub(in crate::domain) async fn ensure_newest(
    tx: &impl ConnectionTrait,
    id: Uuid,
    seen: &str,
) -> Result<(), Refused> {
    let sql = format!("SELECT {NEWEST} AS newest FROM api_keys k WHERE k.id = $1");
    let now: Option<NewestSecret> = tx.first(&sql, vec![id.into()]).await?;
    match now.and_then(|now| now.newest).as_deref() == Some(seen) {
        true => Ok(()),
        false => Err(CHANGED.into()),
    }
}

#[derive(FromQueryResult)]
struct NewestSecret {
    newest: Option<String>,
}

/// Ends the live secrets of a key: the last one at `ends`, those before it now.
pub(in crate::domain) async fn replace_secret(
    tx: &impl ConnectionTrait,
    key: Uuid,
    now: Timestamp,
    ends: Timestamp,
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

/// Marks a key as revoked and forgets its secrets.
pub(in crate::domain) async fn end(
    tx: &impl ConnectionTrait,
    id: Uuid,
    now: Timestamp,
) -> Result<(), Refused> {
    tx.run("UPDATE api_keys SET revoked_at = $2 WHERE id = $1", vec![id.into(), now.into()]).await?;
    tx.run("DELETE FROM api_key_secrets WHERE api_key_id = $1", vec![id.into()]).await?;
    Ok(())
}

/// The newest secret of the key `k`, as a column: when it was created, and its last characters.
pub(in crate::domain) const NEWEST: &str = "(SELECT s.created_at || '-' || s.hint FROM api_key_secrets s
        WHERE s.api_key_id = k.id ORDER BY s.created_at DESC LIMIT 1)";
