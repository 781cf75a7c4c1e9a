//! SQLite by rusqlite: a connection of each worker that reads, and one that writes. A read runs on
//! the worker's own thread, because handing it to another would cost more than it takes.

use crate::Member;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

const MEMBERS: &str = "SELECT u.name, u.email, m.status, m.joined_at, m.last_active_at,
        (SELECT string_agg(r.name, ', ') FROM member_roles mr
            JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
            WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id)
    FROM members m JOIN users u ON u.id = m.user_id
    WHERE m.workspace_id = (SELECT id FROM workspaces WHERE slug = ?1)
    ORDER BY m.joined_at, m.id LIMIT 50";

const DECIDE: &str = "SELECT 1 FROM workspaces w
    JOIN members m ON m.workspace_id = w.id AND m.user_id = ?2 AND m.status = 'active'
    JOIN member_roles mr ON mr.workspace_id = w.id AND mr.member_id = m.id
    JOIN grants g ON g.workspace_id = w.id AND g.role_id = mr.role_id AND g.scope = ?3
    WHERE w.slug = ?1 LIMIT 1";

/// A trigger moves the head with the audit row.
const NEXT: &str = "SELECT w.id, c.seq + 1 FROM workspaces w
    JOIN audit_chains c ON c.kind = 'workspace' AND c.id = w.id WHERE w.slug = ?1";

const CHANGE: &str =
    "UPDATE member_roles SET role_id = (SELECT id FROM roles WHERE workspace_id = ?1 AND slug = ?3)
    WHERE workspace_id = ?1 AND member_id = ?2";

const AUDIT: &str = "INSERT INTO audit_events (id, workspace_id, seq, at, kind, outcome, actor_kind,
        target_kind, target_id, via, payload, hash)
    VALUES (?1, ?2, ?3, ?4, 'member.roles-changed', 'done', 'user', 'member', ?5, 'browser', ?6, x'')";

pub struct Store {
    connection: Connection,
    writer: Arc<Writer>,
}

impl Store {
    pub fn open(path: &str, writer: Arc<Writer>) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { connection: Connection::open_with_flags(path, flags)?, writer })
    }

    pub fn writer(&self) -> Arc<Writer> {
        self.writer.clone()
    }

    pub fn members(&self, workspace: &str) -> anyhow::Result<Vec<Member>> {
        let mut statement = self.connection.prepare_cached(MEMBERS)?;
        let rows = statement.query_map([workspace], |row| {
            Ok(Member {
                name: row.get(0)?,
                email: row.get(1)?,
                status: row.get(2)?,
                joined_at: row.get(3)?,
                last_active_at: row.get(4)?,
                roles: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub fn decide(&self, workspace: &str, user: Uuid, scope: &str) -> anyhow::Result<bool> {
        let mut statement = self.connection.prepare_cached(DECIDE)?;
        let found = statement.query_row(params![workspace, user.as_bytes(), scope], |_| Ok(())).optional()?;
        Ok(found.is_some())
    }
}

pub struct Writer(Mutex<Connection>);

impl Writer {
    /// `synchronous=FULL`, as the product: what was answered survives a power cut.
    pub fn open(path: &str) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Gives a member this role for the one that they have. Answers how many rows that changed.
    pub fn change(&self, workspace: &str, member: Uuid, role: &str) -> anyhow::Result<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let (id, seq): (Vec<u8>, i64) =
            tx.prepare_cached(NEXT)?.query_row([workspace], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let changed = tx.prepare_cached(CHANGE)?.execute(params![id, member.as_bytes(), role])?;
        tx.prepare_cached(AUDIT)?.execute(params![
            Uuid::now_v7().as_bytes(),
            id,
            seq,
            i64::try_from(now)?,
            member.as_bytes(),
            role
        ])?;
        tx.commit()?;
        Ok(changed as u64)
    }
}
