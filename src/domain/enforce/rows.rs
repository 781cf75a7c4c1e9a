use crate::{
    domain::base::{refused::Refused, sql::Sql},
    entity::InWorkspace,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, DeleteMany, EntityTrait, FromQueryResult,
    QueryFilter, Select, UpdateMany, Value,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A handle on one workspace. Every query through it carries the workspace's id.
pub(in crate::domain) trait Scoped {
    type Connection: ConnectionTrait;
    fn workspace_id(&self) -> Uuid;
    fn connection(&self) -> &Self::Connection;

    /// Rows of this workspace, and of no other.
    fn find<E: InWorkspace>(&self) -> Select<E> {
        E::find().filter(E::WORKSPACE.eq(self.workspace_id()))
    }

    /// Runs written-out SQL in which `$1` is the workspace; `values` follow from `$2`.
    async fn all<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<R>, DbErr> {
        self.connection().all(sql, with_workspace(self.workspace_id(), values)).await
    }

    /// Like [`Scoped::all`], for many rows: they come as one value. See [`gather`](super::db::gather).
    async fn list<R: DeserializeOwned>(
        &self,
        columns: &[&str],
        rows: &str,
        values: Vec<Value>,
    ) -> Result<Vec<R>, DbErr> {
        self.connection().list(columns, rows, with_workspace(self.workspace_id(), values)).await
    }

    /// Like [`Scoped::all`], for one row or none.
    async fn first<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<R>, DbErr> {
        self.connection().first(sql, with_workspace(self.workspace_id(), values)).await
    }

    /// A change of rows of this workspace, and of no other.
    fn update<E: InWorkspace>(&self) -> UpdateMany<E>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        E::update_many().filter(E::WORKSPACE.eq(self.workspace_id()))
    }

    /// A deletion of rows of this workspace, and of no other.
    fn delete<E: InWorkspace>(&self) -> DeleteMany<E>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        E::delete_many().filter(E::WORKSPACE.eq(self.workspace_id()))
    }

    /// Runs a change and answers how many rows it touched.
    async fn apply(&self, change: impl Change) -> Result<u64, DbErr>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        change.exec_on(self.connection()).await
    }

    /// Runs a change of one row that must be there.
    ///
    /// # Errors
    /// [`Refused::Hidden`] where it is not, or belongs to another workspace.
    async fn apply_to_one(&self, change: impl Change) -> Result<(), Refused>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        match self.apply(change).await? {
            1 => Ok(()),
            _ => Err(Refused::Hidden),
        }
    }
}

fn with_workspace(workspace: Uuid, values: Vec<Value>) -> Vec<Value> {
    let mut all = Vec::with_capacity(values.len() + 1);
    all.push(workspace.into());
    all.extend(values);
    all
}

/// What [`Scoped::apply`] runs.
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

/// A workspace that somebody turned out to be a member of, to read its roles.
pub(in crate::domain) struct Found<'a, C>(pub &'a C, pub Uuid);

impl<C: ConnectionTrait> Scoped for Found<'_, C> {
    type Connection = C;
    fn workspace_id(&self) -> Uuid {
        self.1
    }
    fn connection(&self) -> &C {
        self.0
    }
}
