//! The seeded databases. They are made once and kept; each run works on two copies, one for the
//! product and one for the ceiling, so that neither waits for the other's locks.

use crate::Bench;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use std::{fmt, fs, path::PathBuf};
use tokio::process::Command;
use tokio_postgres::NoTls;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Workspaces of one size.
#[derive(Clone, Copy)]
pub struct Group {
    pub workspaces: u32,
    pub members: u32,
    pub invitations: u32,
    pub events: u32,
}

/// The sign-ins of one group, as `bailiwick seed` prints them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Seeded {
    pub password: String,
    pub workspaces: Vec<Workspace>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Workspace {
    pub slug: String,
    pub owner: String,
    /// Secrets of keys that are Owners.
    pub api_keys: Vec<String>,
}

impl Workspace {
    /// The address of one of its members, counted from 1.
    pub fn member(&self, number: usize) -> String {
        self.owner.replacen("member-1@", &format!("member-{number}@"), 1)
    }
}

pub struct Data {
    pub backend: Backend,
    pub ours: String,
    pub ceiling: String,
    pub seeded: Vec<Seeded>,
}

impl Data {
    /// Seeds a database unless that was done before, and copies it.
    pub async fn prepare(bench: &Bench, backend: Backend, groups: &[Group]) -> Result<Self> {
        let note = bench.cli.dir.join(format!("{backend}.json"));
        let seeded = if let Ok(text) = fs::read_to_string(&note) {
            serde_json::from_str(&text)?
        } else {
            eprintln!("seeding {backend} (kept in {})", bench.cli.dir.display());
            let seeded = seed(bench, backend, groups).await?;
            // Written last: what was broken off is seeded again.
            fs::write(&note, serde_json::to_string(&seeded)?)?;
            seeded
        };
        let ours = copy(bench, backend, "ours").await?;
        let ceiling = copy(bench, backend, "ceiling").await?;
        bare(bench, backend, "ceiling").await?;
        Ok(Self { backend, ours, ceiling, seeded })
    }

    /// Seeds more into the product's copy; no server uses it meanwhile.
    pub async fn more(&self, bench: &Bench, group: &Group, keys: u32) -> Result<Seeded> {
        seed_group(bench, &self.ours, group, keys).await
    }

    /// Members of a workspace who have just this role.
    pub async fn members_with(&self, slug: &str, role: &str) -> Result<Vec<Uuid>> {
        let sql = "SELECT m.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
            JOIN member_roles mr ON mr.workspace_id = w.id AND mr.member_id = m.id
            JOIN roles r ON r.workspace_id = w.id AND r.id = mr.role_id
            WHERE w.slug = $1 AND r.slug = $2 AND m.status = 'active' ORDER BY m.joined_at";
        if let Some(path) = self.ours.strip_prefix("sqlite://") {
            let connection = rusqlite::Connection::open(path)?;
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([slug, role], |row| row.get::<_, [u8; 16]>(0))?;
            return Ok(rows.map(|id| id.map(Uuid::from_bytes)).collect::<Result<_, _>>()?);
        }
        let client = connect(&self.ours).await?;
        Ok(client.query(sql, &[&slug, &role]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// The user behind an address.
    pub async fn user(&self, email: &str) -> Result<Uuid> {
        let sql = "SELECT id FROM users WHERE email = $1";
        if let Some(path) = self.ours.strip_prefix("sqlite://") {
            let connection = rusqlite::Connection::open(path)?;
            return Ok(Uuid::from_bytes(
                connection.query_row(sql, [email], |row| row.get::<_, [u8; 16]>(0))?,
            ));
        }
        Ok(connect(&self.ours).await?.query_one(sql, &[&email]).await?.get(0))
    }
}

/// How many events a workspace has: as its rows say, and as its chain's head says.
pub async fn events(url: &str, slug: &str) -> Result<i64> {
    let sql = "SELECT (SELECT c.seq FROM audit_chains c WHERE c.kind = 'workspace' AND c.id = w.id), (SELECT COUNT(*) FROM audit_events e WHERE e.workspace_id = w.id)
        FROM workspaces w WHERE w.slug = $1";
    let (head, rows): (i64, i64) = if let Some(path) = url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path)?;
        connection.query_row(sql, [slug], |row| Ok((row.get(0)?, row.get(1)?)))?
    } else {
        let row = connect(url).await?.query_one(sql, &[&slug]).await?;
        (row.get(0), row.get(1))
    };
    ensure!(head == rows, "{slug} has {rows} events, and the head of its chain says {head}");
    Ok(rows)
}

/// The slug of a member's one role.
pub async fn role_of(url: &str, member: Uuid) -> Result<Option<String>> {
    let sql = "SELECT r.slug FROM member_roles mr JOIN roles r ON r.id = mr.role_id WHERE mr.member_id = $1";
    if let Some(path) = url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path)?;
        return Ok(connection.query_row(sql, [member.as_bytes()], |row| row.get(0)).optional()?);
    }
    Ok(connect(url).await?.query_opt(sql, &[&member]).await?.map(|row| row.get(0)))
}

fn sqlite_file(bench: &Bench, name: &str) -> PathBuf {
    bench.cli.dir.join(format!("{name}.db"))
}

fn postgres_url(bench: &Bench, database: &str) -> Result<String> {
    let server = bench.cli.postgres.as_ref().context("--postgres is needed")?;
    Ok(format!("{server}/{database}"))
}

pub async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn remove_sqlite(bench: &Bench, name: &str) {
    for end in ["", "-wal", "-shm"] {
        let mut path = sqlite_file(bench, name).into_os_string();
        path.push(end);
        fs::remove_file(path).ok();
    }
}

async fn seed(bench: &Bench, backend: Backend, groups: &[Group]) -> Result<Vec<Seeded>> {
    let url = match backend {
        Backend::Sqlite => {
            remove_sqlite(bench, "seeded");
            format!("sqlite://{}", sqlite_file(bench, "seeded").display())
        }
        Backend::Postgres => {
            let admin = connect(&postgres_url(bench, "postgres")?).await?;
            admin.batch_execute("DROP DATABASE IF EXISTS seeded WITH (FORCE)").await?;
            admin.batch_execute("CREATE DATABASE seeded").await?;
            // Ten thousand commits of seeding need not wait for the disk, one by one.
            format!("{}?options=-c%20synchronous_commit%3Doff", postgres_url(bench, "seeded")?)
        }
    };
    let mut command = Command::new(&bench.cli.ours);
    command.arg("migrate").env("BAILIWICK_DATABASE_URL", &url);
    bench.settings(&mut command);
    let output = command.kill_on_drop(true).output().await?;
    if !output.status.success() {
        bail!("migrating failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut seeded = Vec::new();
    for group in groups {
        seeded.push(seed_group(bench, &url, group, u32::from(group.workspaces == 1)).await?);
    }
    match backend {
        Backend::Sqlite => {
            let connection = rusqlite::Connection::open(sqlite_file(bench, "seeded"))?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        // What autovacuum would do sooner or later, so that it does not do it in the middle of a measurement.
        Backend::Postgres => {
            connect(&postgres_url(bench, "seeded")?).await?.batch_execute("VACUUM (ANALYZE)").await?
        }
    }
    Ok(seeded)
}

async fn seed_group(bench: &Bench, url: &str, group: &Group, keys: u32) -> Result<Seeded> {
    let mut command = Command::new(&bench.cli.ours);
    command.arg("seed").env("BAILIWICK_DATABASE_URL", url);
    for (option, value) in [
        ("--workspaces", group.workspaces),
        ("--members", group.members),
        ("--invitations", group.invitations),
        ("--events", group.events),
        ("--keys", keys),
    ] {
        command.arg(option).arg(value.to_string());
    }
    bench.settings(&mut command);
    let output = command.kill_on_drop(true).output().await?;
    if !output.status.success() {
        bail!("seeding failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Rids a copy of the product's rule that a role is given or taken and never turned into another: the
/// ceiling does the latter, which is the cheapest change there is.
async fn bare(bench: &Bench, backend: Backend, name: &str) -> Result<()> {
    let rule = "DROP TRIGGER member_roles_are_not_edited";
    match backend {
        Backend::Sqlite => rusqlite::Connection::open(sqlite_file(bench, name))?.execute_batch(rule)?,
        Backend::Postgres => {
            let client = connect(&postgres_url(bench, name)?).await?;
            client.batch_execute(&format!("{rule} ON member_roles")).await?;
        }
    }
    Ok(())
}

async fn copy(bench: &Bench, backend: Backend, name: &str) -> Result<String> {
    match backend {
        Backend::Sqlite => {
            remove_sqlite(bench, name);
            fs::copy(sqlite_file(bench, "seeded"), sqlite_file(bench, name))?;
            Ok(format!("sqlite://{}", sqlite_file(bench, name).display()))
        }
        Backend::Postgres => {
            let admin = connect(&postgres_url(bench, "postgres")?).await?;
            admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            let create = format!("CREATE DATABASE {name} TEMPLATE seeded STRATEGY file_copy");
            admin.batch_execute(&create).await?;
            postgres_url(bench, name)
        }
    }
}
