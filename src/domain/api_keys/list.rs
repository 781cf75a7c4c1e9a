//! The keys of a workspace, and those of its account that could become members.

use crate::{
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            role::{self, Assignable, Role},
            values::folded,
        },
        enforce::{read::ReadScope, rows::Scoped},
        members::like,
        records::keys::NEWEST,
    },
    policy::{Access, Ceiling, Holdings, perm},
};
use sea_orm::{FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// A key as a workspace that it is a member of sees it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: Uuid,
    pub member_id: Uuid,
    pub name: String,
    /// The last characters of its newest secret.
    pub hint: String,
    /// Which secret is its newest; who gives it another must name it.
    pub version: String,
    /// It may do in the account what the account's admins may.
    pub is_admin: bool,
    /// How many other workspaces it is a member of.
    pub elsewhere: i64,
    pub is_active: bool,
    pub is_revoked: bool,
    pub roles: Vec<Role>,
    pub maker: String,
    /// Whoever made it is no active member of this workspace any more.
    pub maker_left: bool,
    /// It means this workspace where a request names none.
    pub is_home: bool,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub is_expired: bool,
    pub last_used_at: Option<i64>,
    /// Until when the secret before holds, while one takes the other's place.
    pub overlap_ends_at: Option<i64>,
    /// Why the viewer may not rotate or revoke it, as far as this workspace goes.
    pub refused: Option<Ceiling>,
}

#[derive(Clone, Deserialize)]
struct Row {
    key_id: Uuid,
    member_id: Uuid,
    name: String,
    newest: Option<String>,
    admin: i64,
    elsewhere: i64,
    pub(crate) status: String,
    role_set: String,
    maker: String,
    maker_status: Option<String>,
    home: i64,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    overlap_ends_at: Option<i64>,
    listed_as: String,
}

impl Listed {
    /// What it holds here.
    pub fn holdings(&self) -> Holdings {
        Holdings::union(self.roles.iter().map(|role| &role.holdings))
    }
}

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 17] = [
    "key_id",
    "member_id",
    "name",
    "newest",
    "admin",
    "elsewhere",
    "status",
    "role_set",
    "maker",
    "maker_status",
    "home",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "overlap_ends_at",
    "listed_as",
];

const COLUMNS: &str = "SELECT k.id AS key_id, m.id AS member_id, k.name, {newest} AS newest,
        CASE WHEN k.is_admin THEN 1 ELSE 0 END AS admin,
        (SELECT COUNT(*) FROM members e WHERE e.api_key_id = k.id AND e.workspace_id <> m.workspace_id) AS elsewhere,
        m.status, m.role_set, u.name AS maker, o.status AS maker_status,
        CASE WHEN k.home_id = m.workspace_id THEN 1 ELSE 0 END AS home,
        k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
        (SELECT MAX(s.expires_at) FROM api_key_secrets s WHERE s.api_key_id = k.id
            AND s.expires_at > $2) AS overlap_ends_at,
        m.listed_as
    FROM {tables} CROSS JOIN users u
    LEFT JOIN members o ON o.workspace_id = $1 AND o.user_id = k.made_by
    WHERE m.workspace_id = $1 AND m.api_key_id IS NOT NULL AND k.id = m.api_key_id AND u.id = k.made_by";

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of a name.
    pub text: String,
}

/// One page of the keys.
pub struct Listing {
    pub page: Page<Listed>,
    pub roles: Vec<Assignable>,
}

/// Lists the keys that are members of this workspace, by name. No secret is ever among what it tells.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadApiKeys>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    let (mut sql, mut values) = (columns(BY_MEMBER), vec![scope.now_ms().into()]);
    if !filter.text.is_empty() {
        values.push(Value::from(like(&folded(&filter.text))));
        sql.push_str(" AND m.listed_as LIKE $3 ESCAPE '!'");
    }
    let order = Order { column: "m.listed_as", is_text: true, id: "m.id", descending: false };
    order.finish(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    let page = Page::cut(rows, at, |row| Cursor::new(Key::Text(row.listed_as.clone()), row.member_id));
    let page = page.map(|row| seen(row, scope));
    let roles = role::choices(&scope.actor().all_roles, &scope.actor().holdings);
    Ok(Listing { page, roles })
}

/// One key.
///
/// # Errors
/// [`Refused::Hidden`] where it is no member of this workspace.
pub async fn look<P: Access>(scope: &ReadScope<P>, id: Uuid) -> Result<Listed, Refused> {
    let values = vec![scope.now_ms().into(), id.into()];
    let rows: Vec<Row> =
        scope.list(&FIELDS, &format!("{} AND m.api_key_id = $3", columns(BY_MEMBER)), values).await?;
    rows.into_iter().next().map(|row| seen(row, scope)).ok_or(Refused::Hidden)
}

/// In which order the tables are gone through.
const BY_MEMBER: &str = "members m CROSS JOIN api_keys k";

const BY_KEY: &str = "api_keys k CROSS JOIN members m";

fn columns(tables: &str) -> String {
    COLUMNS.replace("{newest}", NEWEST).replace("{tables}", tables)
}

fn seen<P: Access>(row: Row, scope: &ReadScope<P>) -> Listed {
    let (actor, now) = (scope.actor(), scope.now_ms());
    let held = actor.all_roles.joined(&row.role_set);
    let version = row.newest.unwrap_or_default();
    Listed {
        id: row.key_id,
        member_id: row.member_id,
        name: row.name,
        hint: version.rsplit('-').next().unwrap_or_default().to_owned(),
        version,
        is_admin: row.admin > 0,
        elsewhere: row.elsewhere,
        is_active: row.status == "active",
        is_revoked: row.revoked_at.is_some(),
        refused: actor.holdings.may_assign(&role::holdings(&held)).err(),
        roles: held.into_iter().cloned().collect(),
        maker: row.maker,
        maker_left: row.maker_status.as_deref() != Some("active"),
        is_home: row.home > 0,
        created_at: row.created_at,
        expires_at: row.expires_at,
        is_expired: row.expires_at.is_some_and(|at| at <= now),
        last_used_at: row.last_used_at,
        overlap_ends_at: row.overlap_ends_at,
    }
}

/// A key of the account that is no member of the workspace yet.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Waiting {
    pub id: Uuid,
    pub name: String,
}

/// Live keys of the account that could be added to this workspace, the latest first.
///
/// # Errors
/// The database's own.
pub async fn waiting(scope: &ReadScope<perm::ManageApiKeys>) -> Result<Vec<Waiting>, Refused> {
    let sql = "SELECT k.id, k.name FROM api_keys k
        WHERE k.account_id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
            AND NOT EXISTS (SELECT 1 FROM members m WHERE m.workspace_id = $1 AND m.api_key_id = k.id)
        ORDER BY k.created_at DESC, k.id DESC LIMIT 200";
    let values = vec![scope.actor().workspace.account_id.into(), scope.now_ms().into()];
    Ok(scope.all(sql, values).await?)
}

/// A key here that somebody made who may go.
#[derive(FromQueryResult)]
pub(super) struct MadeHere {
    pub id: Uuid,
}

/// The live keys in `$1` that the user `$2` made.
pub(super) const MADE_HERE: &str = "SELECT k.id FROM api_keys k CROSS JOIN members m
    WHERE k.made_by = $2 AND k.revoked_at IS NULL AND m.workspace_id = $1 AND m.api_key_id = k.id
    ORDER BY k.id";

/// Keys of this workspace that a user made: they stay when the user goes.
///
/// # Errors
/// The database's own.
pub async fn made_by<P: Access>(scope: &ReadScope<P>, user: Uuid) -> Result<Vec<Listed>, Refused> {
    let sql = format!("{} AND k.made_by = $3 AND k.revoked_at IS NULL ORDER BY m.listed_as", columns(BY_KEY));
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, vec![scope.now_ms().into(), user.into()]).await?;
    Ok(rows.into_iter().map(|row| seen(row, scope)).collect())
}
