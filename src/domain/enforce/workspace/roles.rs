//! The roles of a workspace, as the database has them.

use crate::{
    domain::{
        base::{
            refused::Refused,
            role::{Role, Roles},
            role_cache::RoleCache,
        },
        enforce::rows::Scoped,
    },
    policy::{Holdings, Permission},
};
use sea_orm::{DbErr, FromQueryResult};

use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Row {
    roles_version: Option<Uuid>,
    id: Uuid,
    slug: String,
    name: String,
    description: String,
    built_in: bool,
    is_owner: bool,
    scopes: Option<String>,
}

impl Row {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.as_deref().unwrap_or_default().split_ascii_whitespace()
    }

    fn into_role(self, holdings: Holdings) -> Role {
        let row = self;
        let scopes = row.scopes.unwrap_or_default();
        let application: BTreeSet<&str> =
            scopes.split_ascii_whitespace().filter(|scope| Permission::of_scope(scope).is_none()).collect();
        Role {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            built_in: row.built_in,
            is_owner: row.is_owner,
            holdings,
            application_scopes: application.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// All roles of the workspace, in their order, as the database has them now. One SQL statement.
///
/// What a request was admitted with is in [`Actor::all_roles`](crate::domain::base::principal::Actor). This
/// is for the state after a change, and for principals without a membership.
pub(in crate::domain) async fn load(scope: &impl Scoped) -> Result<Roles, DbErr> {
    let sql = "SELECT w.roles_version, r.id, r.slug, r.name, r.description, r.built_in, r.is_owner,
            (SELECT string_agg(g.scope, ' ') FROM grants g
                WHERE g.workspace_id = r.workspace_id AND g.role_id = r.id) AS scopes
        FROM workspaces w JOIN roles r ON r.workspace_id = w.id
        WHERE w.id = $1 ORDER BY r.position, r.name, r.id";
    let rows: Vec<Row> = scope.all(sql, Vec::new()).await?;
    let size: usize = rows.iter().filter_map(|row| row.scopes.as_ref()).map(String::len).sum();
    if size <= MAX_IN_PLACE {
        return Ok(from_rows(rows));
    }
    let built = tokio::task::spawn_blocking(move || from_rows(rows)).await;
    built.map_err(|error| DbErr::Custom(error.to_string()))
}

/// The roles of a workspace with more scopes, in bytes, are built beside the worker, whose other requests would
/// wait.
const MAX_IN_PLACE: usize = 32 * 1024;

fn from_rows(rows: Vec<Row>) -> Roles {
    let version = rows.first().and_then(|row| row.roles_version);
    let holdings = Holdings::of_roles(rows.iter().map(|row| (row.is_owner, row.scopes())));
    let list = rows.into_iter().zip(holdings).map(|(row, holdings)| row.into_role(holdings)).collect();
    Roles::new(version, list)
}

impl RoleCache {
    /// The roles of the workspace as of `version`, or later.
    pub(in crate::domain) async fn at(
        &self,
        scope: &impl Scoped,
        version: Option<Uuid>,
    ) -> Result<Roles, DbErr> {
        let id = scope.workspace_id();
        let read = self.0.lock().ok().and_then(|read| read.by_workspace.get(&id).cloned());
        if let Some(roles) = read.filter(|roles| version.is_some() && roles.version == version) {
            return Ok(roles);
        }
        let roles = load(scope).await?;
        if let Ok(mut read) = self.0.lock() {
            read.insert(id, roles.clone());
        }
        Ok(roles)
    }
}

impl Roles {
    /// The role that this workspace's Owners hold.
    pub(in crate::domain) fn owner(&self) -> Result<&Role, Refused> {
        self.list.iter().find(|role| role.is_owner).ok_or(Refused::NotFound)
    }
}
