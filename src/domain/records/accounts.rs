//! Rows of accounts and of the people in them.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            account::{Account, CreationPolicy, SUSPENDED},
            db::Db,
            key_limits::key_admin,
            principal::{ApiKey, Origin},
            refused::Refused,
            sql::Sql,
            values::Name,
        },
        enforce::{self, account::admission::not_admin, refusal},
        records::members::{address_of, sort_key},
    },
    entity::{account, account_person, user},
    random,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, FromQueryResult, QuerySelect,
};
use uuid::Uuid;

/// Creates an account with its first admin.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn create(
    tx: &DatabaseTransaction,
    name: &Name,
    admin: Uuid,
    now: Timestamp,
) -> Result<Uuid, Refused> {
    let id = random::id(now);
    let row = account::ActiveModel {
        id: Set(id),
        name: Set(name.to_string()),
        suspended_at: Set(None),
        created_at: Set(now),
        workspace_creation: Set(CreationPolicy::Admins.word().to_owned()),
        people: NotSet,
    };
    account::Entity::insert(row).exec_without_returning(tx).await?;
    add_person(tx, id, admin, true, now).await?;
    Ok(id)
}

/// Adds a person to an account. A person who is already in it stays as they are.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn add_person(
    tx: &DatabaseTransaction,
    account: Uuid,
    user: Uuid,
    is_admin: bool,
    now: Timestamp,
) -> Result<(), Refused> {
    // A trigger changes the account of whoever comes into it: locked before the person's row, as by whoever takes
    // people out of it.
    if tx.get_database_backend() == DbBackend::Postgres {
        enforce::account::lock(tx, account).await?;
    }
    // Shared: a concurrent change of the name waits, and then refreshes the sort key of this row too.
    let person = user::Entity::find_by_id(user).lock_shared().one(tx).await?.ok_or(Refused::NotFound)?;
    // The update that changes nothing locks the row: a concurrent removal from the account waits, and then
    // sees the membership that is inserted with it.
    let sql = "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account_id, user_id) DO UPDATE SET joined_at = account_people.joined_at";
    let sort_key = sort_key(&person.name, address_of(&person));
    let values = vec![account.into(), user.into(), is_admin.into(), now.into(), sort_key.into()];
    tx.run(sql, values).await?;
    Ok(())
}

/// Locks an account in which this person may create a workspace, until the end of the transaction.
///
/// # Errors
/// [`Refused::NotFound`] for an account to which they do not belong, [`Refused::NotAdmin`] if only admins may
/// create workspaces, [`Refused::Suspended`].
pub(in crate::domain) async fn lock_for_creation(
    tx: &DatabaseTransaction,
    account: Uuid,
    user: Uuid,
) -> Result<Uuid, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        is_suspended: bool,
        may_create: bool,
    }
    enforce::account::lock(tx, account).await?;
    let sql = "SELECT a.suspended_at IS NOT NULL AS is_suspended,
            (p.is_admin OR a.workspace_creation = 'people') AS may_create
        FROM account_people p JOIN accounts a ON a.id = p.account_id
        WHERE p.account_id = $1 AND p.user_id = $2";
    let row: Option<Row> = tx.first(sql, vec![account.into(), user.into()]).await?;
    match row.ok_or(Refused::NotFound)? {
        Row { is_suspended: true, .. } => Err(Refused::Suspended(SUSPENDED)),
        Row { may_create: false, .. } => Err(not_admin(tx, account, user).await?),
        _ => Ok(account),
    }
}

/// Locks the account of a key that may create a workspace in it: the key must be an account admin, as whoever was
/// shown its secret must be, and still be valid. The lock is that of a person's request, so that a revocation of
/// the key happens before or after.
///
/// # Errors
/// [`Refused::Unauthenticated`] if the key was revoked, has expired or is no longer an account admin since
/// the request was admitted; [`Refused::Suspended`].
pub(in crate::domain) async fn lock_for_creation_by_key(
    tx: &DatabaseTransaction,
    key: &ApiKey,
    now: Timestamp,
) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        is_suspended: bool,
    }
    enforce::account::lock(tx, key.account_id).await?;
    let sql = concat!(
        "SELECT a.suspended_at IS NOT NULL AS is_suspended
        FROM api_keys k JOIN accounts a ON a.id = k.account_id
        WHERE k.id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) AND ",
        key_admin!("$3")
    );
    let row: Option<Row> = tx.first(sql, vec![key.id.into(), now.into(), key.shown_to.into()]).await?;
    match row.ok_or(Refused::Unauthenticated)? {
        Row { is_suspended: true } => Err(Refused::Suspended(SUSPENDED)),
        _ => Ok(()),
    }
}

/// Removes an account that nobody belongs to and that has no workspace, in the transaction that took the last of them. Its
/// keys are revoked; one that has some stays, as what they did names them.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn remove_if_empty(
    tx: &DatabaseTransaction,
    account: Uuid,
    now: Timestamp,
) -> Result<(), DbErr> {
    const EMPTY: &str = "people = 0 AND (SELECT 1 FROM workspaces w WHERE w.account_id = $1 LIMIT 1) IS NULL";
    let keys = format!(
        "UPDATE api_keys SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL
            AND (SELECT 1 FROM accounts WHERE id = $1 AND {EMPTY}) IS NOT NULL"
    );
    tx.run(&keys, vec![account.into(), now.into()]).await?;
    let account_itself = format!(
        "DELETE FROM accounts WHERE id = $1 AND {EMPTY}
            AND (SELECT 1 FROM api_keys k WHERE k.account_id = $1 LIMIT 1) IS NULL"
    );
    tx.run(&account_itself, vec![account.into()]).await.map(drop)
}

/// Records in the account that a person was refused to create a workspace in it.
pub(in crate::domain) async fn record_refused_creation(
    db: &Db,
    account: Option<Uuid>,
    by: &crate::domain::base::event::Actor,
    origin: &Origin,
    refused: &Refused,
) {
    if let (Some(account), Refused::NotAdmin(_) | Refused::NotAllowed(_) | Refused::Suspended(_)) =
        (account, refused)
    {
        refusal::note::<Account>(db, account, by.id, by, origin, refused).await;
    }
}

/// Whether this person is an admin of the account.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn is_admin(
    connection: &impl ConnectionTrait,
    account: Uuid,
    user: Uuid,
) -> Result<bool, Refused> {
    let person = account_person::Entity::find_by_id((account, user)).one(connection).await?;
    Ok(person.is_some_and(|person| person.is_admin))
}

/// Makes one member of a workspace an admin of its account in place of another, under the lock of the account, which
/// is taken after that of the workspace. Returns whether that was done: not if the other is no longer an admin.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn hand_over_administration(
    tx: &DatabaseTransaction,
    account: Uuid,
    from: Uuid,
    to: Uuid,
) -> Result<bool, Refused> {
    enforce::account::lock(tx, account).await?;
    if !is_admin(tx, account, from).await? {
        return Ok(false);
    }
    // The new admin comes first, so that there is one throughout.
    for (user, admin) in [(to, true), (from, false)] {
        let sql = "UPDATE account_people SET is_admin = $3 WHERE account_id = $1 AND user_id = $2";
        tx.run(sql, vec![account.into(), user.into(), admin.into()]).await?;
    }
    Ok(true)
}
