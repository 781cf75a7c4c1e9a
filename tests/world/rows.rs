//! People, members and accounts, put in by SQL: they only have to be there. What else there is, the
//! nouns add.

use crate::support::*;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

pub async fn workspace_id(app: &TestApp, slug: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = {}", quoted(slug))).await
}

/// An id that no other row has.
pub fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(NEXT.fetch_add(1, Ordering::Relaxed)),
    )
}

/// Somebody who is verified and has the password of Owner One, or where there is none, of the one who came first.
pub async fn add_user(app: &TestApp, name: &str, email: &str) -> Uuid {
    let id = new_id();
    let sql = format!(
        "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
         SELECT {}, {}, {}, password_hash, created_at, created_at FROM users
         WHERE password_hash LIKE '$argon2%' AND deleted_at IS NULL
         ORDER BY CASE WHEN email = 'owner-one@example.com' THEN 0 ELSE 1 END, id LIMIT 1",
        app.id(id),
        quoted(email),
        quoted(name)
    );
    assert_eq!(app.execute(&sql).await, 1, "somebody must be there first");
    id
}

pub async fn add_member(app: &TestApp, slug: &str, user: Uuid, status: &str, roles: &[&str]) -> Uuid {
    let (id, slug) = (new_id(), quoted(slug));
    let newline = if app.backend == Backend::Sqlite { "char(10)" } else { "chr(10)" };
    let member = format!(
        "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at, last_active_at, listed_as)
         SELECT {}, w.id, 'user', u.id, {}, 'invitation', w.created_at, w.created_at, lower(u.name) || {newline} || u.email
         FROM workspaces w CROSS JOIN users u WHERE w.slug = {slug} AND u.id = {}",
        app.id(id),
        quoted(status),
        app.id(user),
    );
    assert_eq!(app.execute(&member).await, 1);
    enter_account(app, &slug, user).await;
    for role in roles {
        let sql = format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id)
             SELECT r.workspace_id, {}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
             WHERE w.slug = {slug} AND r.slug = {}",
            app.id(id),
            quoted(role)
        );
        assert_eq!(app.execute(&sql).await, 1, "no role {role}");
    }
    id
}

/// Somebody who belongs to the account of a workspace, and is a member of nothing by that.
pub async fn add_to_account(app: &TestApp, slug: &str, user: Uuid) {
    enter_account(app, &quoted(slug), user).await;
}

/// The workspace comes as an SQL literal. Whoever is in the account stays in it.
async fn enter_account(app: &TestApp, slug: &str, user: Uuid) {
    let newline = if app.backend == Backend::Sqlite { "char(10)" } else { "chr(10)" };
    let sql = format!(
        "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
         SELECT w.account_id, u.id, 1 = 0, w.created_at, lower(u.name) || {newline} || u.email
         FROM workspaces w CROSS JOIN users u WHERE w.slug = {slug} AND u.id = {0} AND NOT EXISTS
            (SELECT 1 FROM account_people p WHERE p.account_id = w.account_id AND p.user_id = {0})",
        app.id(user)
    );
    app.execute(&sql).await;
}

/// The account of a workspace.
pub async fn account_id(app: &TestApp, slug: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT account_id FROM workspaces WHERE slug = {}", quoted(slug))).await
}

pub async fn suspend(app: &TestApp, member: Uuid) {
    let sql = format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member));
    assert_eq!(app.execute(&sql).await, 1);
}

/// The user that a member is.
pub async fn user_of(app: &TestApp, member: Uuid) -> Uuid {
    app.scalar_uuid(&format!("SELECT user_id FROM members WHERE id = {}", app.id(member))).await
}
