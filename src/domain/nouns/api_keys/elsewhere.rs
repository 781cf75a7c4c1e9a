//! What a change of a key does in other workspaces: they are locked together with this one, and each records it.

use crate::{
    domain::{
        base::{
            event::{Recorded, Target},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
            write::WriteScope,
        },
        nouns::{
            api_keys::{
                events::{API_KEY, ApiKeyRemoved, ApiKeyRevoked},
                list::DEPENDENT,
                take_over::{OtherMembership, elsewhere},
            },
            members::{self, MemberRecord},
        },
    },
    policy::Access,
};
use sea_orm::{DatabaseTransaction, DbErr, FromQueryResult, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A workspace that the change reaches into was not locked: the key was added to it, or got it as its home, in the
/// meantime. A second attempt succeeds.
pub(super) fn not_locked() -> Refused {
    Refused::Busy { retry_after_seconds: 1 }
}

#[derive(FromQueryResult)]
struct Reached {
    id: Uuid,
}

async fn ids(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Result<Vec<Uuid>, DbErr> {
    let rows: Vec<Reached> = tx.all(sql, values).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// [`ReadScope::write`] for a change of a key of this account, with its home and all workspaces locked that it is a
/// member of.
pub(super) async fn write_with_key<P: Access, T>(
    scope: ReadScope<P>,
    key: Uuid,
    change: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let account = scope.actor().workspace.account_id;
    let reached = async |tx: &DatabaseTransaction| {
        // A key and all its workspaces are of one account.
        let sql = "SELECT r.id FROM (SELECT m.workspace_id AS id FROM members m WHERE m.api_key_id = $1
                UNION SELECT h.home_id AS id FROM api_keys h WHERE h.id = $1) r
            CROSS JOIN api_keys k WHERE k.id = $1 AND k.account_id = $2 AND r.id IS NOT NULL";
        ids(tx, sql, vec![key.into(), account.into()]).await
    };
    scope.write_with_workspaces(reached, change).await
}

/// The workspaces that keys of this one are members of which depend on a member, a person.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn workspaces_of_dependent(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    member: Uuid,
) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Person {
        user_id: Option<Uuid>,
    }
    #[derive(FromQueryResult)]
    struct Membership {
        api_key_id: Uuid,
        workspace_id: Uuid,
    }
    let sql = "SELECT user_id FROM members WHERE workspace_id = $1 AND id = $2";
    let person: Option<Person> = tx.first(sql, vec![workspace.into(), member.into()]).await?;
    let Some(user) = person.and_then(|person| person.user_id) else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT m.api_key_id, m.workspace_id FROM ({DEPENDENT}) d CROSS JOIN members m
        WHERE m.api_key_id = d.api_key_id AND $2 > 0"
    );
    let rows: Vec<Membership> = tx.all(&sql, vec![workspace.into(), 1_i64.into(), user.into()]).await?;
    let here: BTreeSet<Uuid> =
        rows.iter().filter(|row| row.workspace_id == workspace).map(|row| row.api_key_id).collect();
    let reached = rows.into_iter().filter(|row| here.contains(&row.api_key_id));
    Ok(reached.map(|row| row.workspace_id).collect())
}

/// Ends the membership of a locked key in another workspace, because somebody who does not manage it there rotates its
/// secret.
///
/// # Errors
/// [`not_locked`].
pub(super) async fn end_membership<P>(
    s: &mut WriteScope<P>,
    key: Uuid,
    other: &OtherMembership,
) -> Result<(), Refused> {
    if !s.has_locked(other.workspace_id) {
        return Err(not_locked());
    }
    let there = Unadmitted(s.connection(), other.workspace_id);
    let all = s.open().db.roles().at(&there, other.roles_version).await?;
    let member = MemberRecord::load(&there, &all, other.member_id.ok_or(Refused::NotFound)?).await?;
    members::delete(&there, &member, s.now(), None).await?;
    let event = ApiKeyRemoved { roles: member.role_names(), by_rotation: true };
    s.record_in(other.workspace_id, Recorded::new((), event, Target::new(API_KEY, key, member.name)));
    Ok(())
}

/// Records the end of a locked key in its other workspaces, where it stays listed as revoked.
///
/// # Errors
/// The database's own.
pub(super) async fn record_end<P>(s: &mut WriteScope<P>, key: Uuid, name: &str) -> Result<(), Refused> {
    for other in elsewhere(s, s.actor(), s.now(), key).await? {
        let roles = other.role_names(s, &s.open().db).await?;
        let target = Target::new(API_KEY, key, name);
        // One that it was added to after the workspaces were locked lists it as revoked all the same.
        s.record_in(other.workspace_id, Recorded::new((), ApiKeyRevoked { roles }, target));
    }
    Ok(())
}
