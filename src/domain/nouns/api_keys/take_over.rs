//! Who may take a key over: whoever renames, rotates or revokes it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
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

const OUT_OF_REACH: &str = "This key is also a member of a workspace where your roles don't allow this. Remove it from this workspace instead, or ask someone who manages it in its home workspace.";

pub(super) const ACCOUNT_ADMIN: &str = "This key can create workspaces in the account. Only an account admin can create, rename, rotate or revoke it.";

/// A key of this workspace, as it is under the lock.
pub(super) struct LockedKey {
    pub(super) member: MemberRecord,
    pub(super) is_admin: bool,
    pub(super) home_id: Option<Uuid>,
}

/// The key, if it is a member of this workspace and was not revoked.
pub(super) async fn load_locked<P>(s: &WriteScope<P>, id: Uuid) -> Result<LockedKey, Refused> {
    let present = s.find::<member::Entity>().filter(member::Column::ApiKeyId.eq(id));
    let row = present.one(s.connection()).await?.ok_or(Refused::NotFound)?;
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, row.id).await?;
    let key = lock(s.connection(), id).await?;
    Ok(LockedKey { member, is_admin: key.is_admin, home_id: key.home_id })
}

/// A key in another workspace, and another member there, who may be able to manage it.
#[derive(Clone, FromQueryResult)]
pub(super) struct OtherMembership {
    pub(super) workspace_id: Uuid,
    pub(super) name: String,
    /// It is the key's home.
    pub(super) is_home: bool,
    pub(super) roles_version: Option<Uuid>,
    /// The key's membership there and its roles; `None` where it has none, as in a home that it was removed from.
    pub(super) member_id: Option<Uuid>,
    pub(super) role_set: Option<String>,
    /// The roles of the other member there, and what limits them if it is a key.
    pub(super) own: Option<String>,
    pub(super) voucher_roles: Option<String>,
    pub(super) reader_roles: Option<String>,
    pub(super) only_scope: Option<String>,
}

impl OtherMembership {
    /// Whether the actor manages keys there, and holds what the key holds. What a key held that is no member is not
    /// known, so only Owners manage it.
    pub(super) async fn reaches(&self, scope: &impl Scoped, db: &Db, actor: &Actor) -> Result<bool, Refused> {
        self.is_within(scope, db, actor.principal.person().is_some()).await
    }

    /// [`OtherMembership::reaches`], of a person or a key with the membership that was read.
    pub(super) async fn is_within(
        &self,
        scope: &impl Scoped,
        db: &Db,
        is_person: bool,
    ) -> Result<bool, Refused> {
        let there = Unadmitted(scope.connection(), self.workspace_id);
        let all = db.roles().at(&there, self.roles_version).await?;
        let own = all.parse_slugs(self.own.as_deref().unwrap_or_default());
        let (voucher_roles, reader_roles) = (self.voucher_roles.clone(), self.reader_roles.clone());
        let only_scope = self.only_scope.clone();
        let own = match is_person {
            true => role::holdings(&own),
            false => KeyLimits { voucher_roles, reader_roles, only_scope }.holdings(&own, &all),
        };
        let holds_as_much = match &self.role_set {
            Some(slugs) => own.contains(&role::holdings(&all.parse_slugs(slugs))),
            None => own.is_owner(),
        };
        Ok(own.has(Permission::ManageApiKeys) && holds_as_much)
    }

    /// The names of the key's roles there.
    pub(super) async fn role_names(&self, scope: &impl Scoped, db: &Db) -> Result<Vec<String>, Refused> {
        let there = Unadmitted(scope.connection(), self.workspace_id);
        let all = db.roles().at(&there, self.roles_version).await?;
        let held = all.parse_slugs(self.role_set.as_deref().unwrap_or_default());
        Ok(held.into_iter().map(|role| role.name.clone()).collect())
    }
}

/// The actor's own membership `o` elsewhere, as SQL text.
pub(super) struct OwnSql {
    /// How it is found, as long as it lasts.
    pub(super) mine: String,
    /// The roles that it holds.
    pub(super) held: String,
    /// What limits it.
    pub(super) limits: String,
}

/// [`OwnSql`]. Binds what it needs.
pub(super) fn own_membership(actor: &Actor, now: Timestamp, values: &mut Vec<Value>) -> OwnSql {
    let mut bind = |value: Value| {
        values.push(value);
        // `$1` is the workspace.
        format!("${}", values.len() + 1)
    };
    let (own, now) = (bind(actor.principal.id().into()), bind(now.into()));
    let held = held_roles!("o", "{now}").replace("{now}", &now);
    let lasts = lasts!("o", "{now}").replace("{now}", &now);
    match &actor.principal {
        // Of support access it is the id of a grant, which is no user's.
        Principal::User(_) | Principal::Support(_) => {
            let none = "CAST(NULL AS TEXT) AS voucher_roles, CAST(NULL AS TEXT) AS reader_roles,
                CAST(NULL AS TEXT) AS only_scope";
            OwnSql { mine: format!("o.user_id = {own} AND {lasts}"), held, limits: none.to_owned() }
        }
        Principal::ApiKey(key) => {
            let reader = bind(key.shown_to.into());
            let limits =
                key_limits!("o", "{reader}", "{now}").replace("{reader}", &reader).replace("{now}", &now);
            OwnSql { mine: format!("o.api_key_id = {own} AND {lasts}"), held, limits }
        }
    }
}

/// A limit that limits nothing. PostgreSQL then looks a key's memberships up by the key, and not among all keys of a
/// workspace.
const ALL: i64 = i64::MAX;

/// Whether the actor may manage a key in another workspace, which is its home.
pub(super) async fn manages_at(
    scope: &impl Scoped,
    db: &Db,
    actor: &Actor,
    home: Uuid,
    key: Uuid,
) -> Result<bool, Refused> {
    let mut values = vec![key.into(), home.into()];
    let OwnSql { mine, held, limits } = own_membership(actor, db.now(), &mut values);
    let sql = format!(
        "SELECT w.id AS workspace_id, w.name, TRUE AS is_home, w.roles_version, m.id AS member_id, m.role_set,
            {held} AS own, {limits}
        FROM workspaces w
        LEFT JOIN (SELECT x.id, x.workspace_id, x.role_set FROM members x WHERE x.api_key_id = $2 LIMIT {ALL}) m
            ON m.workspace_id = w.id
        LEFT JOIN members o ON o.workspace_id = w.id AND {mine} AND o.status = 'active'
        WHERE w.id = $3 AND w.id <> $1 AND w.deleted_at IS NULL AND w.suspended_at IS NULL"
    );
    match scope.first::<OtherMembership>(&sql, values).await? {
        Some(membership) => membership.reaches(scope, db, actor).await,
        None => Ok(false),
    }
}

/// Who takes a key over holds what it holds in this workspace, which are `holdings`, and manages it in every other
/// workspace that it is a member of, or at its home: the home decides about its keys. Returns the memberships in
/// workspaces where the actor does not manage it.
async fn may_take_over<S: Scoped>(
    scope: &S,
    db: &Db,
    actor: &Actor,
    key: &TakeoverTarget<'_>,
) -> Result<Vec<OtherMembership>, Refused> {
    if actor.principal.key_id() == Some(key.id) {
        return Ok(Vec::new());
    }
    actor.holdings.may_assign(key.holdings)?;
    if key.is_admin && !load_creator(scope, actor).await?.administers {
        return Err(Refused::NotAllowed(ACCOUNT_ADMIN));
    }
    if key.other_workspaces == Some(0) {
        return Ok(Vec::new());
    }
    let (mut manages_home, mut unmanaged) = (key.is_home, Vec::new());
    for other in elsewhere(scope, actor, db.now(), key.id).await? {
        match other.reaches(scope, db, actor).await? {
            true => manages_home |= other.is_home,
            false => unmanaged.push(other),
        }
    }
    match manages_home || unmanaged.is_empty() {
        true => Ok(unmanaged),
        false => Err(Refused::NotAllowed(OUT_OF_REACH)),
    }
}

/// The memberships of a key in other workspaces, also in deleted ones that can be restored, by name, each with that of the actor there.
pub(super) async fn elsewhere(
    scope: &impl Scoped,
    actor: &Actor,
    now: Timestamp,
    key: Uuid,
) -> Result<Vec<OtherMembership>, Refused> {
    let mut values = vec![key.into()];
    let OwnSql { mine, held, limits } = own_membership(actor, now, &mut values);
    let sql = format!(
        "SELECT m.workspace_id, w.name, COALESCE(k.home_id = m.workspace_id, FALSE) AS is_home, w.roles_version,
            m.id AS member_id, m.role_set, {held} AS own, {limits}
        FROM members m JOIN workspaces w ON w.id = m.workspace_id
        JOIN api_keys k ON k.id = m.api_key_id
        LEFT JOIN members o ON o.workspace_id = m.workspace_id AND {mine} AND o.status = 'active'
        WHERE m.api_key_id = $2 AND m.workspace_id <> $1 ORDER BY w.name, w.id"
    );
    Ok(scope.all(&sql, values).await?)
}

/// Whether the actor may manage a key in every other workspace that it is a member of.
pub(super) async fn reaches_everywhere(
    scope: &impl Scoped,
    db: &Db,
    actor: &Actor,
    key: Uuid,
) -> Result<bool, Refused> {
    for other in elsewhere(scope, actor, db.now(), key).await? {
        if !other.reaches(scope, db, actor).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A key, as far as taking it over is concerned.
struct TakeoverTarget<'a> {
    id: Uuid,
    is_admin: bool,
    /// This workspace is its home.
    is_home: bool,
    holdings: &'a Holdings,
    /// Other workspaces that it is a member of, where that is known.
    other_workspaces: Option<i64>,
}

impl LockedKey {
    /// Checks that the actor may rename, rotate or revoke the key. Returns its memberships in workspaces where they do
    /// not manage it.
    pub(super) async fn may_be_taken_over<P>(
        &self,
        s: &WriteScope<P>,
        id: Uuid,
    ) -> Result<Vec<OtherMembership>, Refused> {
        let key = TakeoverTarget {
            id,
            is_admin: self.is_admin,
            is_home: self.home_id == Some(s.workspace_id()),
            holdings: &self.member.holdings(),
            other_workspaces: None,
        };
        may_take_over(s, &s.open().db, s.actor(), &key).await
    }
}

pub(super) fn count(memberships: &[OtherMembership]) -> i64 {
    i64::try_from(memberships.len()).unwrap_or(i64::MAX)
}

/// Whether the actor may rename, rotate and revoke a key.
#[derive(Debug, Default)]
pub struct TakeOver {
    /// Why not; `None` where they may.
    pub refused: Option<Refused>,
    /// The number of other workspaces where they do not manage the key: it is removed from these when they rotate its
    /// secret.
    pub unmanaged: i64,
}

/// Whether the actor may rename, rotate and revoke a key, wherever it is a member.
///
/// # Errors
/// The database's own.
pub async fn take_over<P: Access>(scope: &ReadScope<P>, key: &WorkspaceKey) -> Result<TakeOver, Refused> {
    let held = key.holdings();
    let key = TakeoverTarget {
        id: key.key.id,
        is_admin: key.key.is_admin,
        is_home: key.is_home,
        holdings: &held,
        other_workspaces: Some(key.other_workspaces),
    };
    match may_take_over(scope, scope.db(), scope.actor(), &key).await {
        Ok(unmanaged) => Ok(TakeOver { refused: None, unmanaged: count(&unmanaged) }),
        Err(refused @ (Refused::Ceiling(_) | Refused::NotAllowed(_))) => {
            Ok(TakeOver { refused: Some(refused), unmanaged: 0 })
        }
        Err(other) => Err(other),
    }
}
