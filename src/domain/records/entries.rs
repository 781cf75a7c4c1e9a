//! Memberships that a service entered and that wait for a person: who answers for them, and their end.

use crate::{
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            key_limits::{KeyLimits, key_limits},
            refused::Refused,
            role::{self, Role, Roles},
            sql::Sql,
        },
        enforce::rows::Scoped,
    },
    entity::{member, user},
    policy::Holdings,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, FromQueryResult,
    QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

/// Makes somebody the one who answers for a membership that waits: who entered it, or last gave it its roles.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub(in crate::domain) async fn set_entered_by(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    member: Uuid,
    user: Uuid,
    key: Option<Uuid>,
) -> Result<(), Refused> {
    use member::Column;
    let row = at.update::<member::Entity>().filter(Column::Id.eq(member));
    let row = row.col_expr(Column::EnteredBy, Expr::value(user));
    at.apply_to_one(row.col_expr(Column::EnteredByKey, Expr::value(key))).await
}

#[derive(FromQueryResult)]
struct Enterer {
    is_active: Option<bool>,
    roles: Option<String>,
    is_by_key: bool,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
}

const ENTERER: &str = concat!(
    "SELECT CASE WHEN k.id IS NULL THEN p.status = 'active' AND u.suspended_at IS NULL AND ",
    lasts!("p", "$3"),
    " ELSE km.status = 'active' AND ",
    lasts!("km", "$3"),
    " AND k.revoked_at IS NULL AND COALESCE(k.expires_at > $3, TRUE)
            END AS is_active,
        CASE WHEN k.id IS NULL THEN ",
    held_roles!("p", "$3"),
    " ELSE ",
    held_roles!("km", "$3"),
    " END AS roles, k.id IS NOT NULL AS is_by_key, ",
    key_limits!("km", "m.entered_by", "$3"),
    " FROM members m
    LEFT JOIN users u ON u.id = m.entered_by
    LEFT JOIN members p ON p.workspace_id = m.workspace_id AND p.user_id = m.entered_by
        AND m.entered_by_key IS NULL
    LEFT JOIN api_keys k ON k.id = m.entered_by_key
    LEFT JOIN members km ON km.workspace_id = m.workspace_id AND km.api_key_id = k.id
    WHERE m.workspace_id = $1 AND m.id = $2"
);

/// Whether whoever answers for a membership that waits may still invite somebody with these roles, as the sender of
/// an invitation must. A key holds no more than the person who was shown its secret.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn may_still_invite(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    member: Uuid,
    all: &Roles,
    roles: &[Role],
    now: crate::clock::Timestamp,
) -> Result<bool, Refused> {
    let enterer: Option<Enterer> = at.first(ENTERER, vec![member.into(), now.into()]).await?;
    let Some(enterer) = enterer.filter(|enterer| enterer.is_active == Some(true)) else { return Ok(false) };
    let held = enterer.holdings(all);
    Ok(!roles.is_empty() && held.may_invite(roles.iter().map(|role| &role.holdings)).is_ok())
}

impl Enterer {
    fn holdings(self, all: &Roles) -> Holdings {
        let roles = all.parse_slugs(self.roles.as_deref().unwrap_or_default());
        let Self { voucher_roles, reader_roles, only_scope, .. } = self;
        match self.is_by_key {
            true => KeyLimits { voucher_roles, reader_roles, only_scope }.holdings(&roles, all),
            false => role::holdings(&roles),
        }
    }
}

/// Ends a membership that waits, and its user with their last one.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub(in crate::domain) async fn end(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    member: Uuid,
    user: Uuid,
) -> Result<(), Refused> {
    lock_user(at.connection(), user).await?;
    at.apply_to_one(at.delete::<member::Entity>().filter(member::Column::Id.eq(member))).await?;
    Ok(forget(at.connection(), user).await?)
}

/// Ends what a person entered, by whatever key, or what a key entered, as far as it still waits. Returns how many
/// memberships that were.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn end_entered_by(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    user: Option<Uuid>,
    key: Option<Uuid>,
) -> Result<i64, Refused> {
    #[derive(FromQueryResult)]
    struct Entry {
        id: Uuid,
        user_id: Uuid,
    }
    let (column, id) = match (user, key) {
        (Some(user), _) => ("entered_by", user),
        (None, Some(key)) => ("entered_by_key", key),
        (None, None) => return Ok(0),
    };
    let sql = format!("SELECT m.id, m.user_id FROM members m WHERE m.workspace_id = $1 AND m.{column} = $2");
    let mut entries: Vec<Entry> = at.all(&sql, vec![id.into()]).await?;
    // Users are locked in one order.
    entries.sort_by_key(|entry| entry.user_id);
    for entry in &entries {
        end(at, entry.id, entry.user_id).await?;
    }
    Ok(i64::try_from(entries.len()).unwrap_or(i64::MAX))
}

/// Locks the accounts of the user, then the user. A trigger changes the account of whoever leaves it, and so does
/// whoever removes somebody from an account before they touch the person: always in this order.
async fn lock_user(tx: &DatabaseTransaction, user: Uuid) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT a.id FROM accounts a
            WHERE a.id IN (SELECT p.account_id FROM account_people p WHERE p.user_id = $1)
            ORDER BY a.id FOR NO KEY UPDATE";
        tx.run(sql, vec![user.into()]).await?;
    }
    user::Entity::find_by_id(user).lock_exclusive().one(tx).await?;
    Ok(())
}

/// Deletes a user whom a service entered, if no membership of theirs is left.
async fn forget(tx: &DatabaseTransaction, user: Uuid) -> Result<(), DbErr> {
    let alone = "(SELECT u.awaited_email FROM users u WHERE u.id = $1) IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = $1)";
    for sql in [
        format!("DELETE FROM former_members WHERE user_id = $1 AND {alone}"),
        format!("DELETE FROM account_people WHERE user_id = $1 AND {alone}"),
        format!("DELETE FROM users WHERE id = $1 AND {alone}"),
    ] {
        tx.run(&sql, vec![user.into()]).await?;
    }
    Ok(())
}

/// The most users that are read at a time.
const BATCH: i64 = 200;

/// Deletes users whom a service entered and whose last membership ended in another way, as with its workspace.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn sweep(db: &Db) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Entered {
        id: Uuid,
        awaited_email: String,
        is_left: bool,
    }
    let sql =
        "SELECT u.id, u.awaited_email, (SELECT 1 FROM members m WHERE m.user_id = u.id LIMIT 1) IS NULL AS is_left
        FROM users u WHERE u.awaited_email >= $1 AND (u.awaited_email > $1 OR u.id > $2)
        ORDER BY u.awaited_email, u.id LIMIT $3";
    let mut last = (String::new(), Uuid::nil());
    loop {
        let values = vec![last.0.as_str().into(), last.1.into(), BATCH.into()];
        let batch: Vec<Entered> = db.read().all(sql, values).await?;
        for user in batch.iter().filter(|user| user.is_left) {
            let tx = db.begin().await?;
            lock_user(&tx, user.id).await?;
            forget(&tx, user.id).await?;
            tx.commit().await?;
        }
        match batch.into_iter().last() {
            Some(user) => last = (user.awaited_email, user.id),
            None => return Ok(()),
        }
    }
}
