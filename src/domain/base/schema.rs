//! The schema: brought up to date at the start, by this program or by somebody else.

use crate::{
    config::{Config, Migrate},
    domain::base::connect::{IfMissing, OpenError},
};
use migration::{Migrator, MigratorExt};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Statement,
    TransactionTrait,
};
use std::collections::BTreeSet;

/// Brings the schema up to date or, where the settings say so, checks that somebody did.
pub(in crate::domain) async fn prepare(
    config: &Config,
    connection: &DatabaseConnection,
    if_missing: IfMissing,
) -> Result<(), OpenError> {
    let applied = applied(connection).await;
    if applied.is_empty() && if_missing == IfMissing::Refuse {
        return Err(OpenError::Empty);
    }
    let known: BTreeSet<String> = migration::names().into_iter().collect();
    if let Some(newer) = applied.iter().find(|step| !known.contains(*step)) {
        return Err(OpenError::Newer(newer.clone()));
    }
    match config.migrate {
        Migrate::On => Ok(migrate(connection).await?),
        Migrate::Off if applied == known => Ok(()),
        Migrate::Off => Err(OpenError::Older),
    }
}

#[derive(FromQueryResult)]
struct Applied {
    version: String,
}

/// The steps that were applied; none if there is no table of them.
async fn applied(connection: &DatabaseConnection) -> BTreeSet<String> {
    let sql = "SELECT version FROM seaql_migrations";
    let rows = Applied::find_by_statement(Statement::from_string(connection.get_database_backend(), sql));
    let rows = rows.all(connection).await.unwrap_or_default();
    rows.into_iter().map(|row| row.version).collect()
}

/// The number of steps that this program knows.
pub(in crate::domain) fn count() -> u32 {
    u32::try_from(migration::names().len()).unwrap_or(u32::MAX)
}

/// The number of these steps, which are the first that this program knows.
///
/// # Errors
/// [`OpenError::Newer`]; [`OpenError::Database`] where one is missing between them.
pub(in crate::domain) fn check_known(steps: &[String]) -> Result<u32, OpenError> {
    let known = migration::names();
    if let Some(newer) = steps.iter().find(|step| !known.contains(step)) {
        return Err(OpenError::Newer(newer.clone()));
    }
    // They are applied in the order of their names, so none is missing before the last.
    let expected = &known[..steps.len().min(known.len())];
    match expected.iter().find(|step| !steps.contains(step)) {
        Some(missing) => Err(DbErr::Migration(format!("the step {missing} was left out")).into()),
        None => Ok(u32::try_from(steps.len()).unwrap_or(u32::MAX)),
    }
}

/// Applies the steps that are missing; on PostgreSQL only one node at a time.
async fn migrate(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(connection, None).await;
    }
    // The lock lives as long as this transaction, and whoever waits for it finds nothing left to do.
    let transaction = connection.begin().await?;
    lock(&transaction).await?;
    Migrator::up(connection, None).await?;
    transaction.commit().await
}

/// On PostgreSQL, keeps other nodes from changing the schema for as long as a transaction lasts.
pub(in crate::domain) async fn lock(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        // However long the others take, and what is done under the lock.
        transaction.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        transaction.execute_unprepared("SELECT pg_advisory_xact_lock(4208137716)").await?;
    }
    Ok(())
}

/// Lets PostgreSQL count what was loaded at once, rather than plan for empty tables until it does so by itself.
pub(in crate::domain) async fn analyze(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("ANALYZE").await?;
    }
    Ok(())
}
