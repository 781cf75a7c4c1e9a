//! The keys of a workspace, and those of its account that could become members.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            columns::ColumnPair,
            key_limits::{KeyLimits, LimitedBy, key_limits, newest_reader},
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            role::{self, Assignable, Role},
            values::folded,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::members::like,
        records::key_rows::{self, KeyColumns, KeyRecord},
    },
    policy::{Access, Ceiling, Holdings, perm},
};
use sea_orm::{FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// A key as a workspace that it is a member of sees it.
#[derive(Clone, Debug)]
pub struct WorkspaceKey {
    pub key: KeyRecord,
    pub member_id: Uuid,
    /// How many other workspaces it is a member of.
    pub other_workspaces: i64,
    pub is_active: bool,
    pub roles: Vec<Role>,
    /// This is the key's home workspace, which requests that name none apply to.
    pub is_home: bool,
    /// The name of its home workspace; empty if it has none.
    pub home: String,
    /// Why the viewer may not rotate or revoke it, as far as this workspace is concerned.
    pub refused: Option<Ceiling>,
    /// What it holds in effect: its roles, as far as its limits allow. `None` in a list, where it would be too much.
    pub effective: Option<Holdings>,
    pub limited_by: LimitedBy,
    /// The person who vouches for it here: their id as a user, and their name.
    pub voucher_id: Option<Uuid>,
    pub voucher: String,
    /// The person who was shown its newest secret.
    pub reader_id: Option<Uuid>,
    pub reader: String,
    /// Somebody who was a member of this workspace was shown a secret of it that still exists.
    pub is_known_to_former_member: bool,
}

impl WorkspaceKey {
    /// What the key holds in this workspace.
    pub fn holdings(&self) -> Holdings {
        Holdings::union(self.roles.iter().map(|role| &role.holdings))
    }
}

/// A key's membership, beside the key.
#[derive(Clone, Deserialize)]
pub(super) struct Membership {
    member_id: Uuid,
    other_workspaces: i64,
    status: String,
    role_set: String,
    home: i64,
    sort_key: String,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
    voucher_id: Option<Uuid>,
    voucher: Option<String>,
    reader_id: Option<Uuid>,
    reader: Option<String>,
    former: i64,
    home_name: Option<String>,
}

pub(super) type Row = ColumnPair<KeyColumns, Membership>;

/// The columns of a [`Membership`], in the order of its fields.
pub(super) const FIELDS: [&str; 15] = [
    "member_id",
    "elsewhere",
    "status",
    "role_set",
    "home",
    "listed_as",
    "voucher_roles",
    "reader_roles",
    "only_scope",
    "voucher_id",
    "voucher",
    "reader_id",
    "reader",
    "former",
    "home_name",
];

const MEMBERSHIP: &str = concat!(
    "m.id AS member_id,
        (SELECT COUNT(*) FROM members e WHERE e.api_key_id = k.id AND e.workspace_id <> m.workspace_id) AS elsewhere,
        m.status, m.role_set, CASE WHEN k.home_id = m.workspace_id THEN 1 ELSE 0 END AS home, m.listed_as, ",
    key_limits!("m", newest_reader!("k.id"), "$2"),
    ", m.vouched_by AS voucher_id, (SELECT vn.name FROM users vn WHERE vn.id = m.vouched_by) AS voucher, ",
    newest_reader!("k.id"),
    " AS reader_id, (SELECT rn.name FROM users rn WHERE rn.id = ",
    newest_reader!("k.id"),
    ") AS reader,
        (SELECT COUNT(*) FROM api_key_secrets ls CROSS JOIN former_members f WHERE ls.api_key_id = k.id
            AND COALESCE(ls.expires_at > $2, TRUE) AND f.workspace_id = m.workspace_id AND f.user_id = ls.shown_to)
            AS former,
        (SELECT hw.name FROM workspaces hw WHERE hw.id = k.home_id) AS home_name"
);

const WHERE: &str = "LEFT JOIN members o ON o.workspace_id = $1 AND o.user_id = k.made_by
    WHERE m.workspace_id = $1 AND m.api_key_id IS NOT NULL AND k.id = m.api_key_id AND u.id = k.made_by";

/// One page of the keys.
pub struct Listing {
    pub page: Page<WorkspaceKey>,
    pub roles: Vec<Assignable>,
}

/// Lists the keys that are members of this workspace, by name. It never returns a secret.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadApiKeys>,
    text: &str,
    at: &Position,
) -> Result<Listing, Refused> {
    let (mut sql, mut values) = (select(BY_MEMBER), vec![scope.now().into()]);
    if !text.is_empty() {
        values.push(Value::from(like(&folded(text))));
        sql.push_str(" AND m.listed_as LIKE $3 ESCAPE '!'");
    }
    let order = Order { column: "m.listed_as", is_text: true, id: "m.id", descending: false };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    let page = Page::from_rows(rows, at, |ColumnPair(_, row)| {
        Cursor::new(Key::Text(row.sort_key.clone()), row.member_id)
    });
    let page = page.map(|row| from_row(row, scope));
    let roles = role::assignable_roles(&scope.actor().all_roles, &scope.actor().holdings);
    Ok(Listing { page, roles })
}

/// One key.
///
/// # Errors
/// [`Refused::NotFound`] if it is not a member of this workspace.
pub async fn get<P: Access>(scope: &ReadScope<P>, id: Uuid) -> Result<WorkspaceKey, Refused> {
    let values = vec![scope.now().into(), id.into()];
    let sql = format!("{} AND m.api_key_id = $3", select(BY_MEMBER));
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    let row = rows.into_iter().next().ok_or(Refused::NotFound)?;
    let effective = limits(&row.1).holdings(&held(&row.1, scope), &scope.actor().all_roles);
    Ok(WorkspaceKey { effective: Some(effective), ..from_row(row, scope) })
}

/// The order in which the tables are joined.
const BY_MEMBER: &str = "members m CROSS JOIN api_keys k";

pub(super) fn select(tables: &str) -> String {
    let key = key_rows::select("o.status = 'active'");
    format!("{key}, {MEMBERSHIP} FROM {tables} CROSS JOIN users u {WHERE}")
}

fn held<'r, P: Access>(row: &Membership, scope: &'r ReadScope<P>) -> Vec<&'r Role> {
    scope.actor().all_roles.parse_slugs(&row.role_set)
}

fn limits(row: &Membership) -> KeyLimits {
    KeyLimits {
        voucher_roles: row.voucher_roles.clone(),
        reader_roles: row.reader_roles.clone(),
        only_scope: row.only_scope.clone(),
    }
}

pub(super) fn from_row<P: Access>(ColumnPair(key, row): Row, scope: &ReadScope<P>) -> WorkspaceKey {
    let actor = scope.actor();
    let held = held(&row, scope);
    WorkspaceKey {
        effective: None,
        limited_by: limits(&row).limited_by(&held, &actor.all_roles),
        voucher_id: row.voucher_id,
        reader_id: row.reader_id,
        voucher: row.voucher.unwrap_or_default(),
        reader: row.reader.unwrap_or_default(),
        is_known_to_former_member: row.former > 0,
        key: key.at(scope.now()),
        member_id: row.member_id,
        other_workspaces: row.other_workspaces,
        is_active: row.status == "active",
        refused: actor.holdings.may_assign(&role::holdings(&held)).err(),
        roles: held.into_iter().cloned().collect(),
        is_home: row.home > 0,
        home: row.home_name.unwrap_or_default(),
    }
}

/// Names of keys that somebody should look after.
#[derive(Clone, Debug, Default)]
pub struct KeyConcerns {
    /// A former member knows a secret of it.
    pub known_to_former_member: Vec<String>,
    /// It holds less than its roles, for another reason.
    pub limited: Vec<String>,
    /// It is an Owner and never expires.
    pub owner_without_expiry: Vec<String>,
    /// It expires within two weeks, and lived longer than that.
    pub expiring: Vec<String>,
}

/// What expires within this time expires soon, in milliseconds.
const SOON: i64 = 14 * DAY;

/// The most keys that are looked through for [`concerns`].
const MAX_CONCERNS: usize = 200;

/// Which of the first active keys, by name, the viewer should look after: those that they may rotate and revoke.
///
/// # Errors
/// The database's own.
pub async fn concerns<P: Access>(scope: &ReadScope<P>) -> Result<KeyConcerns, Refused> {
    let sql = format!(
        "{} AND m.status || '' = 'active' AND k.revoked_at IS NULL ORDER BY m.listed_as, m.id LIMIT {MAX_CONCERNS}",
        select(BY_MEMBER)
    );
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, vec![scope.now().into()]).await?;
    let mut concerns = KeyConcerns::default();
    let is_theirs = |key: &WorkspaceKey| !key.key.is_expired && key.refused.is_none();
    for key in rows.into_iter().map(|row| from_row(row, scope)).filter(is_theirs) {
        if key.is_known_to_former_member {
            concerns.known_to_former_member.push(key.key.name.clone());
        } else if key.limited_by.is_limited() {
            concerns.limited.push(key.key.name.clone());
        }
        let is_expiring = |at: Timestamp| at - scope.now() <= SOON && at - key.key.created_at > SOON;
        if key.key.expires_at.is_some_and(is_expiring) {
            concerns.expiring.push(key.key.name.clone());
        }
        if key.key.expires_at.is_none() && key.roles.iter().any(|role| role.is_owner) {
            concerns.owner_without_expiry.push(key.key.name);
        }
    }
    Ok(concerns)
}

/// The live keys of this workspace that depend on a user, by name: they vouch for it, or were shown a secret
/// of it.
///
/// # Errors
/// The database's own.
pub async fn dependent_on<P: Access>(scope: &ReadScope<P>, user: Uuid) -> Result<Vec<WorkspaceKey>, Refused> {
    let tables = format!("({DEPENDENT}) d CROSS JOIN api_keys k CROSS JOIN members m");
    let sql =
        format!("{} AND k.id = d.api_key_id AND k.revoked_at IS NULL ORDER BY m.listed_as", select(&tables));
    let values = vec![scope.now().into(), user.into()];
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    Ok(rows.into_iter().map(|row| from_row(row, scope)).collect())
}

/// The keys that the user `$3` vouches for in `$1`, and those of which they were shown a secret.
pub(super) const DEPENDENT: &str =
    "SELECT vm.api_key_id FROM members vm WHERE vm.workspace_id = $1 AND vm.vouched_by = $3
    UNION SELECT ss.api_key_id FROM api_key_secrets ss WHERE ss.shown_to = $3";

/// The ids of [`dependent_on`], under the lock.
pub(in crate::domain) async fn ids_dependent_on<P>(
    s: &WriteScope<P>,
    user: Uuid,
) -> Result<Vec<Uuid>, Refused> {
    #[derive(FromQueryResult)]
    struct Dependent {
        id: Uuid,
    }
    let sql = format!(
        "SELECT k.id FROM ({DEPENDENT}) d CROSS JOIN api_keys k CROSS JOIN members m
        WHERE k.id = d.api_key_id AND k.revoked_at IS NULL AND m.workspace_id = $1 AND m.api_key_id = k.id
            AND $2 > 0 ORDER BY k.id"
    );
    let keys: Vec<Dependent> = s.all(&sql, vec![s.now().into(), user.into()]).await?;
    Ok(keys.into_iter().map(|key| key.id).collect())
}
