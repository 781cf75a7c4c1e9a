//! Everything that is stored about a person, for themselves. No secret is in it, and of others only what they see anyway.

use crate::domain::{
    base::{db::Db, principal::Person, refused::Refused, sql::Sql},
    enforce::audit::audit_record,
};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The name, the columns, and the statement, in which `$1` is the person.
type Select = (&'static str, &'static [&'static str], &'static str);

/// Of events, the latest.
const SELECTS: [Select; 13] = [
    (
        "profile",
        &["id", "email", "name", "email_verified_at", "created_at"],
        "SELECT id, email, name, email_verified_at, created_at FROM users WHERE id = $1",
    ),
    (
        "sessions",
        &["id", "address", "user_agent", "created_at", "last_seen_at", "expires_at"],
        "SELECT id, address, user_agent, created_at, last_seen_at, expires_at FROM sessions WHERE user_id = $1
            ORDER BY created_at, id LIMIT 1000",
    ),
    (
        "choices",
        &["name", "value", "chosen_at"],
        "SELECT name, value, chosen_at FROM user_choices WHERE user_id = $1 ORDER BY name LIMIT 1000",
    ),
    (
        "accounts",
        &["account_id", "name", "admin", "joined_at"],
        "SELECT a.id AS account_id, a.name, CASE WHEN p.is_admin THEN 1 ELSE 0 END AS admin, p.joined_at
            FROM account_people p CROSS JOIN accounts a WHERE p.user_id = $1 AND a.id = p.account_id",
    ),
    (
        "memberships",
        &["member_id", "workspace_id", "slug", "name", "status", "roles", "joined_at", "last_active_at"],
        "SELECT m.id AS member_id, w.id AS workspace_id, w.slug, w.name, m.status, m.role_set AS roles, m.joined_at,
                m.last_active_at
            FROM members m CROSS JOIN workspaces w
            WHERE m.user_id = $1 AND w.id = m.workspace_id AND w.deleted_at IS NULL",
    ),
    (
        "teams",
        &["workspace_id", "team_id", "name", "lead", "joined_at"],
        "SELECT m.workspace_id, t.id AS team_id, t.name, CASE WHEN tm.is_lead THEN 1 ELSE 0 END AS lead, tm.joined_at
            FROM members m CROSS JOIN team_members tm CROSS JOIN teams t WHERE m.user_id = $1
                AND tm.workspace_id = m.workspace_id AND tm.member_id = m.id
                AND t.workspace_id = tm.workspace_id AND t.id = tm.team_id",
    ),
    (
        "api_keys",
        &["id", "name", "created_at", "expires_at", "revoked_at", "last_used_at"],
        "SELECT id, name, created_at, expires_at, revoked_at, last_used_at FROM api_keys WHERE made_by = $1",
    ),
    (
        "invitations",
        &["id", "workspace", "status", "created_at", "expires_at", "ended_at"],
        "SELECT i.id, w.name AS workspace, i.status, i.created_at, i.expires_at, i.ended_at
            FROM users u CROSS JOIN invitations i CROSS JOIN workspaces w
            WHERE u.id = $1 AND i.email = u.email AND w.id = i.workspace_id",
    ),
    (
        "mail_choices",
        &["kind", "wanted", "next_at"],
        "SELECT kind, CASE WHEN is_wanted THEN 1 ELSE 0 END AS wanted, next_at FROM mail_choices WHERE user_id = $1",
    ),
    (
        "access_requests",
        &["id", "workspace_id", "scope", "role", "reason", "ends_at", "status", "created_at", "answered_at", "answer"],
        "SELECT r.id, r.workspace_id, r.scope, r.role, r.reason, r.ends_at, r.status, r.created_at, r.answered_at, r.answer
            FROM members m CROSS JOIN access_requests r
            WHERE m.user_id = $1 AND r.workspace_id = m.workspace_id AND r.member_id = m.id",
    ),
    (
        "support_requests",
        &[
            "id",
            "workspace_id",
            "category",
            "expected",
            "happened",
            "happened_when",
            "about_request",
            "created_at",
            "answered_at",
        ],
        "SELECT id, workspace_id, category, expected, happened, happened_when, about_request, created_at, answered_at
            FROM support_requests WHERE asked_by = $1",
    ),
    (
        "purchases",
        &["id", "workspace_id", "name", "credits", "price", "currency", "status", "requested_at", "decided_at"],
        "SELECT id, workspace_id, name, credits, price, currency, status, requested_at, decided_at
            FROM credit_purchases WHERE requested_by = $1",
    ),
    (
        "events",
        &["id", "at", "kind", "outcome", "target", "via", "address", "user_agent"],
        concat!(
            "SELECT r.id, r.at, r.kind, r.outcome, r.target_name AS target, r.via, r.address, r.user_agent FROM ",
            audit_record!(),
            " r WHERE r.user_id = $1 ORDER BY r.seq DESC LIMIT 10000"
        ),
    ),
];

/// What a person did in workspaces that they belong to: the latest of it in each.
const ACTIVITY: Select = (
    "activity",
    &["id", "workspace_id", "at", "kind", "outcome", "target", "via", "address", "user_agent"],
    concat!(
        "SELECT r.id, r.workspace_id, r.at, r.kind, r.outcome, r.target_name AS target, r.via, r.address, r.user_agent
            FROM ",
        audit_record!(),
        " r WHERE r.workspace_id = $2 AND r.actor_id = $1 ORDER BY r.seq DESC LIMIT 10000"
    ),
);

/// The workspaces whose record somebody is still a part of.
const WORKSPACES: &str = "SELECT w.id FROM members m CROSS JOIN workspaces w
    WHERE m.user_id = $1 AND m.status = 'active' AND (m.access_until IS NULL OR m.access_until > $2)
        AND w.id = m.workspace_id AND w.deleted_at IS NULL";

/// The most of what somebody did in workspaces.
const MAX_ACTIVITY: usize = 100_000;

/// Gives everything about a person to `each`, a part at a time: the kind of data, and its rows. Parts of a kind follow
/// each other.
///
/// # Errors
/// The database's own, or that of `each`.
pub async fn own_data(
    db: &Db,
    person: &Person,
    mut each: impl FnMut(&'static str, &[Map<String, Value>]) -> Result<(), Refused>,
) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Workspace {
        id: Uuid,
    }
    for (name, columns, sql) in SELECTS {
        each(name, &rows(db, columns, sql, vec![person.user_id.into()]).await?)?;
    }
    let (name, columns, sql) = ACTIVITY;
    each(name, &[])?;
    let values = vec![person.user_id.into(), db.now().into()];
    let workspaces: Vec<Workspace> = db.read().all(WORKSPACES, values).await?;
    let mut left = MAX_ACTIVITY;
    for Workspace { id } in workspaces {
        let mut rows = rows(db, columns, sql, vec![person.user_id.into(), id.into()]).await?;
        rows.truncate(left);
        left -= rows.len();
        each(name, &rows)?;
        if left == 0 {
            break;
        }
    }
    Ok(())
}

async fn rows(
    db: &Db,
    columns: &[&str],
    sql: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<Map<String, Value>>, Refused> {
    let rows: Vec<Vec<Value>> = db.read().list(columns, sql, values).await?;
    Ok(rows.into_iter().map(|row| object(columns, row)).collect())
}

/// A row under the names of its columns. The databases write ids in different ways.
fn object(columns: &[&str], row: Vec<Value>) -> Map<String, Value> {
    let value = |column: &str, value: Value| match value.as_str().and_then(|text| Uuid::parse_str(text).ok())
    {
        Some(id) if column.ends_with("id") => Value::String(id.to_string()),
        _ => value,
    };
    columns.iter().zip(row).map(|(column, cell)| ((*column).to_owned(), value(column, cell))).collect()
}
