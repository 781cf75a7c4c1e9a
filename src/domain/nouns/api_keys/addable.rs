//! The keys of the account that the actor can add to a workspace.

use crate::{
    domain::{
        base::{
            ends::{held_roles, lasts},
            refused::Refused,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::api_keys::take_over::{OtherMembership, OwnSql, own_membership, reaches_everywhere},
        records::keys::load_creator,
    },
    policy::perm,
};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

/// A key of the account that is not a member of the workspace yet.
#[derive(Clone, Debug)]
pub struct AddableKey {
    pub id: Uuid,
    pub name: String,
}

/// Live keys of the account that the actor can add to this workspace, the latest first: those whose home it is,
/// those that they may manage at home or that somebody who may has allowed here, and for account admins those that
/// have no home.
///
/// # Errors
/// The database's own.
pub async fn addable(scope: &ReadScope<perm::ManageApiKeys>) -> Result<Vec<AddableKey>, Refused> {
    let actor = scope.actor();
    let without_home =
        if load_creator(scope, actor).await?.administers { "OR k.home_id IS NULL" } else { "" };
    let mut values: Vec<Value> = vec![actor.workspace.account_id.into(), scope.now().into()];
    let OwnSql { mine, held, limits } = own_membership(actor, scope.now(), &mut values);
    let (given, giver_lasts) = (held_roles!("g", "$3"), lasts!("g", "$3"));
    let sql = format!(
        "SELECT k.id, k.name AS key_name, k.home_id, COALESCE(w.id, $1) AS workspace_id, COALESCE(w.name, '') AS name,
            TRUE AS is_home, w.roles_version, h.id AS member_id, h.role_set, {held} AS own, {given} AS given,
            (SELECT COUNT(*) FROM members e WHERE e.api_key_id = k.id) AS workspaces, {limits}
        FROM api_keys k
        LEFT JOIN workspaces w ON w.id = k.home_id AND w.id <> $1 AND w.deleted_at IS NULL AND w.suspended_at IS NULL
        LEFT JOIN members h ON h.workspace_id = w.id AND h.api_key_id = k.id
        LEFT JOIN members o ON o.workspace_id = w.id AND {mine} AND o.status = 'active'
        LEFT JOIN users gu ON gu.suspended_at IS NULL AND gu.id = (SELECT c.given_by FROM api_key_consents c
            WHERE c.api_key_id = k.id AND c.to_workspace_id = $1 AND c.workspace_id = w.id AND c.expires_at > $3)
        LEFT JOIN members g ON g.workspace_id = w.id AND g.user_id = gu.id AND g.status = 'active'
            AND {giver_lasts}
        WHERE k.account_id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
            AND NOT EXISTS (SELECT 1 FROM members m WHERE m.workspace_id = $1 AND m.api_key_id = k.id)
            AND (k.home_id = $1 {without_home} OR o.id IS NOT NULL OR g.id IS NOT NULL)
        ORDER BY k.created_at DESC, k.id DESC LIMIT 200"
    );
    let rows: Vec<Candidate> = scope.all(&sql, values).await?;
    let mut keys = Vec::new();
    for candidate in rows {
        if candidate.is_addable(scope).await? {
            keys.push(AddableKey { id: candidate.id, name: candidate.key_name });
        }
    }
    Ok(keys)
}

/// A key of the account, with what decides whether it can be added: its home, the actor's membership there, and that
/// of the person who allowed it.
#[derive(FromQueryResult)]
struct Candidate {
    id: Uuid,
    key_name: String,
    home_id: Option<Uuid>,
    #[sea_orm(nested)]
    home: OtherMembership,
    /// The roles, at the key's home, of the person who allowed it here.
    given: Option<String>,
    /// How many workspaces it is a member of.
    workspaces: i64,
}

impl Candidate {
    async fn is_addable(&self, scope: &ReadScope<perm::ManageApiKeys>) -> Result<bool, Refused> {
        let (db, actor) = (scope.db(), scope.actor());
        match self.home_id {
            Some(home) if home == scope.workspace_id() => Ok(self.workspaces == 0
                || actor.holdings.is_owner()
                || reaches_everywhere(scope, db, actor, self.id).await?),
            None => reaches_everywhere(scope, db, actor, self.id).await,
            Some(_) if self.home.reaches(scope, db, actor).await? => Ok(true),
            Some(_) => {
                let giver = OtherMembership { own: self.given.clone(), ..self.home.clone() };
                giver.is_within(scope, db, true).await
            }
        }
    }
}
