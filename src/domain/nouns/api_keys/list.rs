//! The keys of a workspace, and those of its account that could become members.

use crate::{
    domain::{
        base::{
            columns::ColumnPair,
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            role::{self, Assignable, Role},
            values::folded,
        },
        enforce::{read::ReadScope, rows::Scoped},
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
    /// Why the viewer may not rotate or revoke it, as far as this workspace is concerned.
    pub refused: Option<Ceiling>,
}

impl WorkspaceKey {
    /// What the key holds in this workspace.
    pub fn holdings(&self) -> Holdings {
        Holdings::union(self.roles.iter().map(|role| &role.holdings))
    }
}

/// A key's membership, beside the key.
#[derive(Clone, Deserialize)]
struct Membership {
    member_id: Uuid,
    other_workspaces: i64,
    status: String,
    role_set: String,
    home: i64,
    sort_key: String,
}

type Row = ColumnPair<KeyColumns, Membership>;

/// The columns of a [`Membership`], in the order of its fields.
const FIELDS: [&str; 6] = ["member_id", "elsewhere", "status", "role_set", "home", "listed_as"];

const MEMBERSHIP: &str = "m.id AS member_id,
        (SELECT COUNT(*) FROM members e WHERE e.api_key_id = k.id AND e.workspace_id <> m.workspace_id) AS elsewhere,
        m.status, m.role_set, CASE WHEN k.home_id = m.workspace_id THEN 1 ELSE 0 END AS home, m.listed_as";

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
    rows.into_iter().next().map(|row| from_row(row, scope)).ok_or(Refused::NotFound)
}

/// The order in which the tables are joined.
const BY_MEMBER: &str = "members m CROSS JOIN api_keys k";

const BY_KEY: &str = "api_keys k CROSS JOIN members m";

fn select(tables: &str) -> String {
    let key = key_rows::select("o.status = 'active'");
    format!("{key}, {MEMBERSHIP} FROM {tables} CROSS JOIN users u {WHERE}")
}

fn from_row<P: Access>(ColumnPair(key, row): Row, scope: &ReadScope<P>) -> WorkspaceKey {
    let actor = scope.actor();
    let held = actor.all_roles.parse_slugs(&row.role_set);
    WorkspaceKey {
        key: key.at(scope.now()),
        member_id: row.member_id,
        other_workspaces: row.other_workspaces,
        is_active: row.status == "active",
        refused: actor.holdings.may_assign(&role::holdings(&held)).err(),
        roles: held.into_iter().cloned().collect(),
        is_home: row.home > 0,
    }
}

/// A key of the account that is not a member of the workspace yet.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AddableKey {
    pub id: Uuid,
    pub name: String,
}

/// Live keys of the account that could be added to this workspace, the latest first.
///
/// # Errors
/// The database's own.
pub async fn addable(scope: &ReadScope<perm::ManageApiKeys>) -> Result<Vec<AddableKey>, Refused> {
    let sql = "SELECT k.id, k.name FROM api_keys k
        WHERE k.account_id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
            AND NOT EXISTS (SELECT 1 FROM members m WHERE m.workspace_id = $1 AND m.api_key_id = k.id)
        ORDER BY k.created_at DESC, k.id DESC LIMIT 200";
    let values = vec![scope.actor().workspace.account_id.into(), scope.now().into()];
    Ok(scope.all(sql, values).await?)
}

/// A key of this workspace whose creator is about to leave or be removed.
#[derive(FromQueryResult)]
pub(in crate::domain) struct KeyOfCreator {
    pub id: Uuid,
}

/// The live keys in `$1` that the user `$2` created.
pub(in crate::domain) const KEYS_OF_CREATOR: &str = "SELECT k.id FROM api_keys k CROSS JOIN members m
    WHERE k.made_by = $2 AND k.revoked_at IS NULL AND m.workspace_id = $1 AND m.api_key_id = k.id
    ORDER BY k.id";

/// Keys of this workspace that a user created. They stay when the user leaves.
///
/// # Errors
/// The database's own.
pub async fn created_by<P: Access>(scope: &ReadScope<P>, user: Uuid) -> Result<Vec<WorkspaceKey>, Refused> {
    let sql = format!("{} AND k.made_by = $3 AND k.revoked_at IS NULL ORDER BY m.listed_as", select(BY_KEY));
    let values = vec![scope.now().into(), user.into()];
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    Ok(rows.into_iter().map(|row| from_row(row, scope)).collect())
}
