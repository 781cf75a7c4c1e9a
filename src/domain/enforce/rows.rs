//! Statements of a handle: each carries the id of the boundary that it was admitted to.

use crate::{
    domain::base::{account::Account, principal::Workspace, refused::Refused, sql::Sql},
    entity::InWorkspace,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, DeleteMany, EntityTrait, FromQueryResult,
    QueryFilter, Select, UpdateMany, Value,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A handle inside one boundary, which is a workspace unless `B` is another. Every statement through it
/// carries the boundary's id.
pub(in crate::domain) trait Scoped<B = Workspace> {
    type Connection: ConnectionTrait;
    fn boundary_id(&self) -> Uuid;
    fn connection(&self) -> &Self::Connection;

    fn workspace_id(&self) -> Uuid
    where
        Self: Scoped<Workspace>,
    {
        workspace_of(self)
    }

    fn account_id(&self) -> Uuid
    where
        Self: Scoped<Account>,
    {
        <Self as Scoped<Account>>::boundary_id(self)
    }

    /// Runs written-out SQL in which `$1` is the boundary; `values` follow from `$2`.
    async fn all<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<R>, DbErr> {
        self.connection().all(sql, with_id(self.boundary_id(), values)).await
    }

    /// Like [`Scoped::all`], for many rows, which are fetched as one value. See
    /// [`aggregate_json`](crate::domain::base::sql::aggregate_json).
    async fn list<R: DeserializeOwned>(
        &self,
        columns: &[&str],
        rows: &str,
        values: Vec<Value>,
    ) -> Result<Vec<R>, DbErr> {
        self.connection().list(columns, rows, with_id(self.boundary_id(), values)).await
    }

    /// Like [`Scoped::all`], for one row or none.
    async fn first<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<R>, DbErr> {
        self.connection().first(sql, with_id(self.boundary_id(), values)).await
    }

    /// Like [`Scoped::all`], for a change; returns the number of affected rows.
    async fn run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr>
    where
        Self: Scoped<B, Connection = DatabaseTransaction>,
    {
        self.connection().run(sql, with_id(self.boundary_id(), values)).await
    }

    /// Selects rows of this workspace only.
    fn find<E: InWorkspace>(&self) -> Select<E>
    where
        Self: Scoped<Workspace>,
    {
        E::find().filter(E::WORKSPACE.eq(workspace_of(self)))
    }

    /// Updates rows of this workspace only.
    fn update<E: InWorkspace>(&self) -> UpdateMany<E>
    where
        Self: Scoped<Workspace, Connection = DatabaseTransaction>,
    {
        E::update_many().filter(E::WORKSPACE.eq(workspace_of(self)))
    }

    /// Deletes rows of this workspace only.
    fn delete<E: InWorkspace>(&self) -> DeleteMany<E>
    where
        Self: Scoped<Workspace, Connection = DatabaseTransaction>,
    {
        E::delete_many().filter(E::WORKSPACE.eq(workspace_of(self)))
    }

    /// Runs a change and returns the number of affected rows.
    async fn apply(&self, change: impl Change) -> Result<u64, DbErr>
    where
        Self: Scoped<B, Connection = DatabaseTransaction>,
    {
        change.exec_on(self.connection()).await
    }

    /// Runs a change of one row, which must exist.
    ///
    /// # Errors
    /// [`Refused::NotFound`] if it does not exist, or belongs to another boundary.
    async fn apply_to_one(&self, change: impl Change) -> Result<(), Refused>
    where
        Self: Scoped<B, Connection = DatabaseTransaction>,
    {
        match self.apply(change).await? {
            1 => Ok(()),
            _ => Err(Refused::NotFound),
        }
    }
}

fn workspace_of(scope: &(impl Scoped + ?Sized)) -> Uuid {
    scope.boundary_id()
}

fn with_id(boundary: Uuid, values: Vec<Value>) -> Vec<Value> {
    let mut all = Vec::with_capacity(values.len() + 1);
    all.push(boundary.into());
    all.extend(values);
    all
}

/// A statement that [`Scoped::apply`] can run.
pub(in crate::domain) trait Change {
    async fn exec_on(self, tx: &DatabaseTransaction) -> Result<u64, DbErr>;
}

impl<E: EntityTrait> Change for UpdateMany<E> {
    async fn exec_on(self, tx: &DatabaseTransaction) -> Result<u64, DbErr> {
        Ok(self.exec(tx).await?.rows_affected)
    }
}

impl<E: EntityTrait> Change for DeleteMany<E> {
    async fn exec_on(self, tx: &DatabaseTransaction) -> Result<u64, DbErr> {
        Ok(self.exec(tx).await?.rows_affected)
    }
}

/// A workspace to which nobody was admitted: for reads that the caller is responsible for, such as the roles
/// of a membership that was read before.
pub(in crate::domain) struct Unadmitted<'a, C>(pub &'a C, pub Uuid);

impl<C: ConnectionTrait> Scoped for Unadmitted<'_, C> {
    type Connection = C;
    fn boundary_id(&self) -> Uuid {
        self.1
    }
    fn connection(&self) -> &C {
        self.0
    }
}
