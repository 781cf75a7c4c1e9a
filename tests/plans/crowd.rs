//! So many rows of everything that reading all of it is never the cheapest. Here stand people, accounts
//! and workspaces; what else there is, the nouns add.

use crate::{
    nouns,
    support::{Backend, TestApp},
};

/// Many people who are alone in a workspace, so that an average one is nothing to go by; and some who
/// are in none.
const GROUND: &[&str] = &[
    "INSERT INTO accounts (id, name, created_at) SELECT {id}, 'Account', 0 FROM n",
    "INSERT INTO workspaces (id, account_id, slug, name, created_at)
        SELECT {id}, (SELECT account_id FROM workspaces WHERE slug = 'seed-1'), 'alone-' || i, 'Alone', 0 FROM n",
    "INSERT INTO users (id, email, name, password_hash, created_at)
        SELECT {id}, 'alone-' || i || '@example.com', 'Alone', '', 0 FROM n",
    "INSERT INTO users (id, email, name, password_hash, created_at)
        SELECT {id}, 'nowhere-' || i || '@example.com', 'Nowhere', '', 0 FROM n WHERE i <= 100",
    "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at)
        SELECT {id}, w.id, 'user', u.id, 'active', 'founder', 0 FROM workspaces w
        JOIN users u ON u.email = w.slug || '@example.com'",
    "INSERT INTO rate_limits (key, window_start, used) SELECT 'key-' || i, {then}, 1 FROM n",
    "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts)
        SELECT {id}, 'nobody@example.com', '', '', 0, {then}, 0 FROM n",
    "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts, failed_at, about, about_workspace)
        SELECT {id}, 'nobody@example.com', '', '', {then}, {then}, 1, {then}, {id}, w.id FROM workspaces w",
];

/// Runs the statements of the ground, and those of the nouns: see [`nouns::Noun::crowd`].
pub async fn crowd(app: &TestApp) {
    let (id, bytes) = match app.backend {
        Backend::Sqlite => ("randomblob(16)", "randomblob(32)"),
        Backend::Postgres => ("gen_random_uuid()", "sha256(gen_random_uuid()::text::bytea)"),
    };
    // Far from now, so that nothing of it is due.
    let then = app.clock.now().as_millis() + 1_000_000_000_000;
    for sql in GROUND.iter().chain(nouns::ALL.iter().flat_map(|noun| noun.crowd())) {
        let numbered = match sql.contains("FROM n") {
            true => sql.replace(
                " SELECT",
                " WITH RECURSIVE n (i) AS
                (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT",
            ),
            false => (*sql).to_owned(),
        };
        let sql = numbered.replace("{id}", id).replace("{bytes}", bytes).replace("{then}", &then.to_string());
        app.execute(&sql).await;
    }
}
