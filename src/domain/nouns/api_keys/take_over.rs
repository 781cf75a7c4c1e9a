//! Who may take a key over: whoever renames, rotates or revokes it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            key_limits::{KeyLimits, key_limits},
            principal::{Actor, Principal},
            refused::Refused,
            role,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
            write::WriteScope,
        },
        nouns::{api_keys::list::WorkspaceKey, members::MemberRecord},
        records::keys::{load_creator, lock},
    },
    entity::member,
    policy::{Access, Holdings, Permission},
};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, Value};
use uuid::Uuid;

const OUT_OF_REACH: &str = "This key is also a member of a workspace where your roles don't allow this. Remove it from this workspace instead, or ask an account admin.";

pub(super) const ACCOUNT_ADMIN: &str = "This key can create workspaces in the account. Only an account admin can create, rename, rotate or revoke it.";

/// A key of this workspace, as it is under the lock.
pub(super) struct LockedKey {
    pub(super) member: MemberRecord,
    pub(super) is_admin: bool,
}

/// The key, if it is a member of this workspace and was not revoked.
pub(super) async fn load_locked<P>(s: &WriteScope<P>, id: Uuid) -> Result<LockedKey, Refused> {
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    let row = present.one(s.connection()).await?.ok_or(Refused::NotFound)?;
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, row.id).await?;
    let key = lock(s.connection(), id).await?;
    Ok(LockedKey { member, is_admin: key.is_admin })
}

#[derive(FromQueryResult)]
struct OtherMembership {
    workspace_id: Uuid,
    roles_version: Option<Uuid>,
    role_set: String,
    own: Option<String>,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
}

impl OtherMembership {
    /// Whether the actor manages keys there, and holds what the key holds.
    async fn reaches(self, scope: &impl Scoped, db: &Db, actor: &Actor) -> Result<bool, Refused> {
        let there = Unadmitted(scope.connection(), self.workspace_id);
        let all = db.roles().at(&there, self.roles_version).await?;
        let own = all.parse_slugs(self.own.as_deref().unwrap_or_default());
        let limits = KeyLimits { voucher_roles: self.voucher_roles, reader_roles: self.reader_roles };
        let own = match actor.principal {
            Principal::User(_) => role::holdings(&own),
            Principal::ApiKey(_) => limits.holdings(&own, &all),
        };
        Ok(own.has(Permission::ManageApiKeys)
            && own.contains(&role::holdings(&all.parse_slugs(&self.role_set))))
    }
}

/// How the actor's own membership `o` elsewhere is found, and what limits it, as SQL text. Binds what it needs.
fn own_membership(actor: &Actor, now: Timestamp, values: &mut Vec<Value>) -> (String, String) {
    let mut bind = |value: Value| {
        values.push(value);
        // `$1` is the workspace.
        format!("${}", values.len() + 1)
    };
    let own = bind(actor.principal.id().into());
    match &actor.principal {
        Principal::User(_) => {
            let none = "CAST(NULL AS TEXT) AS voucher_roles, CAST(NULL AS TEXT) AS reader_roles";
            (format!("o.user_id = {own}"), none.to_owned())
        }
        Principal::ApiKey(key) => {
            let (reader, now) = (bind(key.shown_to.into()), bind(now.into()));
            let limits =
                key_limits!("o", "{reader}", "{now}").replace("{reader}", &reader).replace("{now}", &now);
            (format!("o.api_key_id = {own}"), limits)
        }
    }
}

/// Whether the actor may manage a key in another workspace, which is its home.
pub(super) async fn manages_at(
    scope: &impl Scoped,
    db: &Db,
    actor: &Actor,
    home: Uuid,
    key: Uuid,
) -> Result<bool, Refused> {
    let mut values = vec![key.into(), home.into()];
    let (mine, limits) = own_membership(actor, db.now(), &mut values);
    let sql = format!(
        "SELECT w.id AS workspace_id, w.roles_version, COALESCE(m.role_set, '') AS role_set, o.role_set AS own,
            {limits}
        FROM workspaces w
        LEFT JOIN members m ON m.workspace_id = w.id AND m.api_key_id = $2
        LEFT JOIN members o ON o.workspace_id = w.id AND {mine} AND o.status = 'active'
        WHERE w.id = $3 AND w.id <> $1 AND w.deleted_at IS NULL"
    );
    match scope.first::<OtherMembership>(&sql, values).await? {
        Some(membership) => membership.reaches(scope, db, actor).await,
        None => Ok(false),
    }
}

/// Who takes a key over holds everything that it holds, in every workspace that it is a member of: its
/// secret, its end and its name reach that far. `holdings` are those that it has in this one.
async fn may_take_over<S: Scoped>(
    scope: &S,
    db: &Db,
    actor: &Actor,
    key: &TakeoverTarget<'_>,
) -> Result<(), Refused> {
    if actor.principal.key_id() == Some(key.id) {
        return Ok(());
    }
    actor.holdings.may_assign(key.holdings)?;
    if key.is_admin && !load_creator(scope, actor).await?.administers {
        return Err(Refused::NotAllowed(ACCOUNT_ADMIN));
    }
    if key.other_workspaces == Some(0) {
        return Ok(());
    }
    let mut values = vec![key.id.into()];
    let (mine, limits) = own_membership(actor, db.now(), &mut values);
    let sql = format!(
        "SELECT m.workspace_id, w.roles_version, m.role_set, o.role_set AS own, {limits}
        FROM members m JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
        LEFT JOIN members o ON o.workspace_id = m.workspace_id AND {mine} AND o.status = 'active'
        WHERE m.api_key_id = $2 AND m.workspace_id <> $1"
    );
    let elsewhere: Vec<OtherMembership> = scope.all(&sql, values).await?;
    for other in elsewhere {
        if !other.reaches(scope, db, actor).await? {
            return Err(Refused::NotAllowed(OUT_OF_REACH));
        }
    }
    Ok(())
}

/// A key, as far as taking it over is concerned.
struct TakeoverTarget<'a> {
    id: Uuid,
    is_admin: bool,
    holdings: &'a Holdings,
    /// Other workspaces that it is a member of, where that is known.
    other_workspaces: Option<i64>,
}

impl LockedKey {
    pub(super) async fn may_be_taken_over<P>(&self, s: &WriteScope<P>, id: Uuid) -> Result<(), Refused> {
        let key = TakeoverTarget {
            id,
            is_admin: self.is_admin,
            holdings: &self.member.holdings(),
            other_workspaces: None,
        };
        may_take_over(s, &s.open().db, s.actor(), &key).await
    }
}

/// Why the actor may not rename, rotate or revoke a key, wherever it is a member; `None` where they may.
///
/// # Errors
/// The database's own.
pub async fn why_not<P: Access>(
    scope: &ReadScope<P>,
    key: &WorkspaceKey,
) -> Result<Option<Refused>, Refused> {
    let held = key.holdings();
    let key = TakeoverTarget {
        id: key.key.id,
        is_admin: key.key.is_admin,
        holdings: &held,
        other_workspaces: Some(key.other_workspaces),
    };
    match may_take_over(scope, scope.db(), scope.actor(), &key).await {
        Ok(()) => Ok(None),
        Err(refused @ (Refused::Ceiling(_) | Refused::NotAllowed(_))) => Ok(Some(refused)),
        Err(other) => Err(other),
    }
}
