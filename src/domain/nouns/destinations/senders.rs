//! Who may send requests to a destination that is restricted: the holders of some roles, and some API keys.
//!
//! It narrows and never widens: a sender still needs the permission to send. A role or key that is deleted is a
//! sender no more, and the destination stays restricted: with no sender left, nobody may send.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            event::Recorded,
            invalid::Invalid,
            refused::Refused,
            role::{self, Role, RoleIds},
            words::pluralize,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::destinations::{Destination, events::DestinationSendersChanged},
    },
    entity::{
        destination,
        destination_sender::{self, Column, Entity},
    },
    policy::{Access, Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter, sea_query::Expr};
use serde::Deserialize;
use uuid::Uuid;

/// The most API keys that a destination names.
pub const MAX_KEYS: usize = 100;

/// An API key of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Deserialize)]
pub struct SenderKey {
    pub id: Uuid,
    member_id: Uuid,
    pub name: String,
}

/// A role whose holders may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRole {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
}

/// Who may send, if only some may.
#[derive(Clone, Debug, Default)]
pub struct Senders {
    pub is_restricted: bool,
    pub roles: Vec<SenderRole>,
    pub keys: Vec<SenderKey>,
}

#[derive(Deserialize)]
struct Row {
    role_id: Option<Uuid>,
    slug: Option<String>,
    role_name: Option<String>,
    key_id: Option<Uuid>,
    member_id: Option<Uuid>,
    key_name: Option<String>,
}

const FIELDS: [&str; 6] = ["role_id", "slug", "role_name", "key_id", "member_id", "key_name"];

impl Senders {
    pub(super) async fn load(scope: &impl Scoped, destination: &Destination) -> Result<Self, Refused> {
        let mut senders = Self { is_restricted: destination.is_restricted, ..Self::default() };
        if destination.senders == 0 {
            return Ok(senders);
        }
        let sql = "SELECT r.id AS role_id, r.slug, r.name AS role_name, k.id AS key_id, m.id AS member_id,
                k.name AS key_name
            FROM destination_senders s
                LEFT JOIN roles r ON r.workspace_id = s.workspace_id AND r.id = s.role_id
                LEFT JOIN members m ON m.workspace_id = s.workspace_id AND m.id = s.member_id
                LEFT JOIN api_keys k ON k.id = m.api_key_id
            WHERE s.workspace_id = $1 AND s.destination_id = $2 ORDER BY r.position, r.id, m.listed_as, m.id";
        let rows: Vec<Row> = scope.list(&FIELDS, sql, vec![destination.id.into()]).await?;
        for row in rows {
            if let (Some(id), Some(slug), Some(name)) = (row.role_id, row.slug, row.role_name) {
                senders.roles.push(SenderRole { id, slug, name });
            }
            if let (Some(id), Some(member_id), Some(name)) = (row.key_id, row.member_id, row.key_name) {
                senders.keys.push(SenderKey { id, member_id, name });
            }
        }
        Ok(senders)
    }

    /// The version of the set.
    pub fn version(&self) -> String {
        let mut parts: Vec<String> = self.roles.iter().map(|role| format!("role {}", role.id)).collect();
        parts.extend(self.keys.iter().map(|key| format!("key {}", key.id)));
        parts.sort_unstable();
        role::fingerprint(if self.is_restricted { b"restricted" } else { b"everyone" }, parts)
    }

    /// Such as "2 roles"; empty for none.
    pub fn roles_in_words(&self) -> String {
        counted(self.roles.len(), "role", "roles")
    }

    /// Such as "2 API keys"; empty for none.
    pub fn keys_in_words(&self) -> String {
        counted(self.keys.len(), "API key", "API keys")
    }

    fn is_same(&self, other: &Self) -> bool {
        self.version() == other.version()
    }
}

/// A number with its noun; empty for none.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    match i64::try_from(count).unwrap_or(i64::MAX) {
        0 => String::new(),
        count => pluralize(count, one, many),
    }
}

/// A destination and who may send to it.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn get<P: Access>(scope: &ReadScope<P>, id: Uuid) -> Result<(Destination, Senders), Refused> {
    let destination = Destination::load(scope, id).await?;
    let senders = Senders::load(scope, &destination).await?;
    Ok((destination, senders))
}

/// [`get`] under the lock.
///
/// # Errors
/// As there.
pub async fn to_change(s: &WriteScope<perm::ManageDestinations>, id: Uuid) -> Result<Senders, Refused> {
    let destination = Destination::load(s, id).await?;
    Senders::load(s, &destination).await
}

/// What can be chosen.
pub struct Choices {
    pub roles: Vec<SenderRole>,
    /// The first by name; empty for someone who may not see API keys.
    pub keys: Vec<SenderKey>,
}

/// The roles and API keys of the workspace, to choose from.
///
/// # Errors
/// The database's own.
pub async fn choices(scope: &ReadScope<perm::ManageDestinations>) -> Result<Choices, Refused> {
    let roles = scope.actor().all_roles.iter().map(chosen_role).collect();
    let keys = match scope.actor().holdings.has(Permission::ReadApiKeys) {
        true => {
            let sql = format!(
                "SELECT k.id, m.id AS member_id, k.name FROM members m CROSS JOIN api_keys k
                WHERE m.workspace_id = $1 AND m.api_key_id IS NOT NULL AND k.id = m.api_key_id
                ORDER BY m.listed_as, m.id LIMIT {MAX_KEYS}"
            );
            scope.list(&["id", "member_id", "name"], &sql, Vec::new()).await?
        }
        false => Vec::new(),
    };
    Ok(Choices { roles, keys })
}

fn chosen_role(role: &Role) -> SenderRole {
    SenderRole { id: role.id, slug: role.slug.clone(), name: role.name.clone() }
}

/// Who shall be able to send.
#[derive(Clone, Debug, Default)]
pub struct SendersChange {
    /// Otherwise everyone who holds the permission may send, and roles and keys are ignored.
    pub is_restricted: bool,
    /// Slugs.
    pub roles: Vec<String>,
    pub keys: Vec<Uuid>,
}

/// The result of a change of senders.
#[derive(Clone, Debug)]
pub struct SendersChanged {
    pub destination: Destination,
    pub senders: Senders,
    pub is_change: bool,
}

/// Sets who may send requests to a destination. `version` is that of the set which the editor saw.
///
/// # Errors
/// [`Refused::NotFound`]; [`CHANGED`] after a concurrent change; [`Refused::Invalid`] on the field `role` for one that
/// is no role or if nobody is chosen, and on `api_keys` for what is no API key of this workspace.
pub async fn set(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    requested: &SendersChange,
    version: Option<&str>,
) -> Result<Recorded<SendersChanged>, Refused> {
    let mut destination = Destination::load(s, id).await?;
    let before = Senders::load(s, &destination).await?;
    if version.is_some_and(|version| version != before.version()) {
        return Err(CHANGED.into());
    }
    let after = plan(s, requested).await?;
    if after.is_same(&before) {
        return Ok(Recorded::unchanged(SendersChanged { destination, senders: before, is_change: false }));
    }
    write_rows(s, id, &before, &after).await?;
    if before.is_restricted != after.is_restricted {
        let row = s.open().update::<destination::Entity>().filter(destination::Column::Id.eq(id));
        let row = row.col_expr(destination::Column::IsRestricted, Expr::value(after.is_restricted));
        s.open().apply_to_one(row).await?;
        destination.is_restricted = after.is_restricted;
    }
    destination.senders = i64::try_from(after.roles.len() + after.keys.len()).unwrap_or(i64::MAX);
    let event = DestinationSendersChanged {
        restricted_before: before.is_restricted,
        restricted_after: after.is_restricted,
        roles_before: before.roles.iter().map(|role| role.name.clone()).collect(),
        roles_after: after.roles.iter().map(|role| role.name.clone()).collect(),
        keys_before: before.keys.iter().map(|key| key.name.clone()).collect(),
        keys_after: after.keys.iter().map(|key| key.name.clone()).collect(),
        role_ids: RoleIds {
            before: before.roles.iter().map(|role| role.id).collect(),
            after: after.roles.iter().map(|role| role.id).collect(),
        },
        key_ids_before: before.keys.iter().map(|key| key.id).collect(),
        key_ids_after: after.keys.iter().map(|key| key.id).collect(),
    };
    let target = destination.target();
    Ok(Recorded::new(SendersChanged { destination, senders: after, is_change: true }, event, target))
}

/// The requested set, with its roles and keys looked up.
async fn plan(
    s: &WriteScope<perm::ManageDestinations>,
    requested: &SendersChange,
) -> Result<Senders, Refused> {
    if !requested.is_restricted {
        return Ok(Senders::default());
    }
    let roles: Vec<SenderRole> = match requested.roles.as_slice() {
        [] => Vec::new(),
        slugs => s.actor().all_roles.chosen(slugs)?.into_iter().map(chosen_role).collect(),
    };
    let keys = keys_of(s, &requested.keys).await?;
    if roles.is_empty() && keys.is_empty() {
        let sentence =
            "Choose at least one role or API key. To stop all requests, switch requests off instead.";
        return Err(Invalid::field("role", sentence).into());
    }
    Ok(Senders { is_restricted: true, roles, keys })
}

/// The API keys with these ids, which must be members of this workspace.
async fn keys_of(s: &WriteScope<perm::ManageDestinations>, ids: &[Uuid]) -> Result<Vec<SenderKey>, Refused> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    if ids.len() > MAX_KEYS {
        return Err(
            Invalid::field("api_keys", format!("Choose at most {MAX_KEYS} API keys, or a role.")).into()
        );
    }
    let places: Vec<String> = (2..ids.len() + 2).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT k.id, m.id AS member_id, k.name FROM members m CROSS JOIN api_keys k
        WHERE CASE WHEN m.workspace_id = $1 THEN 1 ELSE 0 END = 1 AND m.api_key_id IN ({}) AND k.id = m.api_key_id",
        places.join(", ")
    );
    let values = ids.iter().map(|id| (*id).into()).collect();
    let mut keys: Vec<SenderKey> = s.list(&["id", "member_id", "name"], &sql, values).await?;
    // Sorted here, and the workspace compared in a CASE: PostgreSQL would go through all of its keys by name.
    keys.sort_by_cached_key(|key| (key.name.to_lowercase(), key.member_id));
    match keys.len() == ids.len() {
        true => Ok(keys),
        false => Err(Invalid::field("api_keys", "One of these isn't an API key of this workspace.").into()),
    }
}

/// Writes the difference. New senders first, so that nobody is refused for a moment.
async fn write_rows(
    s: &WriteScope<perm::ManageDestinations>,
    id: Uuid,
    before: &Senders,
    after: &Senders,
) -> Result<(), Refused> {
    let row = |role_id: Option<Uuid>, member_id: Option<Uuid>| destination_sender::ActiveModel {
        id: Set(random::id(s.now())),
        workspace_id: Set(s.workspace_id()),
        destination_id: Set(id),
        role_id: Set(role_id),
        member_id: Set(member_id),
    };
    for role in after.roles.iter().filter(|role| !before.roles.contains(role)) {
        s.open().insert(row(Some(role.id), None)).await?;
    }
    for key in after.keys.iter().filter(|key| !before.keys.contains(key)) {
        s.open().insert(row(None, Some(key.member_id))).await?;
    }
    let of_destination = || s.open().delete::<Entity>().filter(Column::DestinationId.eq(id));
    for role in before.roles.iter().filter(|role| !after.roles.contains(role)) {
        s.open().apply_to_one(of_destination().filter(Column::RoleId.eq(role.id))).await?;
    }
    for key in before.keys.iter().filter(|key| !after.keys.contains(key)) {
        s.open().apply_to_one(of_destination().filter(Column::MemberId.eq(key.member_id))).await?;
    }
    Ok(())
}
