//! PostgreSQL by tokio-postgres: a connection of each worker, its statements prepared once.

use crate::Member;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

/// The page is cut before anything is joined to it.
const MEMBERS: &str = "SELECT u.name, u.email, m.status, m.joined_at, m.last_active_at,
        (SELECT string_agg(r.name, ', ') FROM member_roles mr
            JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
            WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id)
    FROM (SELECT * FROM members WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = $1)
        AND kind = 'user'
        ORDER BY joined_at, id LIMIT 50) m
    JOIN users u ON u.id = m.user_id ORDER BY m.joined_at, m.id";

const DECIDE: &str = "SELECT 1 FROM workspaces w
    JOIN members m ON m.workspace_id = w.id AND m.user_id = $2 AND m.status = 'active'
    JOIN member_roles mr ON mr.workspace_id = w.id AND mr.member_id = m.id
    JOIN grants g ON g.workspace_id = w.id AND g.role_id = mr.role_id AND g.scope = $3
    WHERE w.slug = $1 LIMIT 1";

/// One statement is one transaction. The rows of the workspace and its chain are its lock; a trigger
/// moves the head with the audit row.
const CHANGE: &str = "WITH w AS (SELECT w.id, c.seq + 1 AS seq FROM workspaces w
        JOIN audit_chains c ON c.kind = 'workspace' AND c.id = w.id WHERE w.slug = $1 FOR NO KEY UPDATE),
    changed AS (UPDATE member_roles mr SET role_id = r.id FROM w JOIN roles r ON r.workspace_id = w.id AND r.slug = $3
        WHERE mr.workspace_id = w.id AND mr.member_id = $2 RETURNING mr.member_id)
    INSERT INTO audit_events (id, workspace_id, seq, at, kind, outcome, actor_kind, target_kind, target_id, via,
        payload, hash)
    SELECT $4, w.id, w.seq, $5, 'member.roles-changed', 'done', 'user', 'member', changed.member_id, 'browser', $3,
        '' FROM w, changed";

pub struct Store {
    client: Client,
    members: Statement,
    decide: Statement,
    change: Statement,
}

impl Store {
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        actix_web::rt::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("ceiling: {error}");
            }
        });
        // Planned once and not with every run.
        client.batch_execute("SET plan_cache_mode = force_generic_plan").await?;
        let (members, decide) = (client.prepare(MEMBERS).await?, client.prepare(DECIDE).await?);
        Ok(Self { change: client.prepare(CHANGE).await?, members, decide, client })
    }

    pub async fn members(&self, workspace: &str) -> anyhow::Result<Vec<Member>> {
        let rows = self.client.query(&self.members, &[&workspace]).await?;
        let member = |row: &tokio_postgres::Row| Member {
            name: row.get(0),
            email: row.get(1),
            status: row.get(2),
            joined_at: row.get(3),
            last_active_at: row.get(4),
            roles: row.get::<_, Option<String>>(5).unwrap_or_default(),
        };
        Ok(rows.iter().map(member).collect())
    }

    pub async fn decide(&self, workspace: &str, user: Uuid, scope: &str) -> anyhow::Result<bool> {
        Ok(self.client.query_opt(&self.decide, &[&workspace, &user, &scope]).await?.is_some())
    }

    /// Gives a member this role for the one that they have. Answers how many rows that changed.
    pub async fn change(&self, workspace: &str, member: Uuid, role: &str) -> anyhow::Result<u64> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        Ok(self.client.execute(&self.change, &[&workspace, &member, &role, &Uuid::now_v7(), &now]).await?)
    }
}
