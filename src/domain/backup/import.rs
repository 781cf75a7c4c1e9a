//! An archive of one workspace becomes an installation: what was left out of it is derived, and everything is verified.

use crate::clock::Timestamp;
use crate::domain::{
    backup::{
        archive,
        load::{Load, LoadError, Proven},
        tables::{Cell, Column, Columns, Table},
    },
    base::{
        event::{RecordedEvent, Target, TargetKind},
        passwords::NO_PASSWORD,
        schema,
        sql::Sql,
    },
    enforce::{
        audit,
        chain::Chain,
        erasure,
        events::{AuditChainStarted, AuditNamesErased},
        verify,
    },
    nouns::credits::verify::{self as ledger, Finding},
};
use migration::{Migrator, MigratorExt};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult};
use uuid::Uuid;

/// Whose rows an archive may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub workspace: Uuid,
    pub account: Uuid,
}

impl Bounds {
    /// Whether the row belongs to the workspace of the archive, or to its account. What it refers to is checked by foreign
    /// keys, and by verifying the record.
    pub fn include(&self, table: &Table, row: &[Cell]) -> bool {
        let cell = |name: &str| {
            let at = table.columns.iter().position(|column| column.name == name);
            at.and_then(|at| row.get(at))
        };
        let is = |name: &str, id: Uuid| cell(name) == Some(&Cell::Bytes(id.as_bytes().to_vec()));
        let is_or_null = |name: &str, id: Uuid| is(name, id) || cell(name) == Some(&Cell::Null);
        match table.table.as_str() {
            "workspaces" => is("id", self.workspace) && is("account_id", self.account),
            "accounts" => is("id", self.account),
            "api_keys" => is("account_id", self.account) && is_or_null("home_id", self.workspace),
            "audit_chains" => {
                is("id", self.workspace) && cell("kind") == Some(&Cell::Text("workspace".into()))
            }
            "audit_events" => {
                is("workspace_id", self.workspace)
                    && is_or_null("account_id", self.account)
                    && cell("user_id") == Some(&Cell::Null)
            }
            "users" | "audit_identities" | "audit_erasures" => true,
            _ => is("workspace_id", self.workspace),
        }
    }
}

/// What is derived from other rows: whatever an archive says of it would be another truth.
const DERIVED: [&str; 4] = [
    "UPDATE members SET role_set = (SELECT COALESCE(string_agg(slug, ' ' ORDER BY slug), '') FROM (
        SELECT r.slug FROM member_roles mr CROSS JOIN roles r
            WHERE mr.workspace_id = members.workspace_id AND mr.member_id = members.id
                AND r.workspace_id = mr.workspace_id AND r.id = mr.role_id
        UNION SELECT r.slug FROM team_members tm CROSS JOIN team_roles tr CROSS JOIN roles r
            WHERE tm.workspace_id = members.workspace_id AND tm.member_id = members.id
                AND tr.workspace_id = tm.workspace_id AND tr.team_id = tm.team_id
                AND r.workspace_id = tr.workspace_id AND r.id = tr.role_id) AS held)",
    "UPDATE members SET next_end_at = (SELECT MIN(ending.at) FROM (
        SELECT members.access_until AS at
        UNION ALL SELECT mr.ends_at FROM member_roles mr
            WHERE mr.workspace_id = members.workspace_id AND mr.member_id = members.id) AS ending)",
    "DELETE FROM headcounts",
    "INSERT INTO headcounts (workspace_id, status, kind, role_set, people)
        SELECT workspace_id, status, kind, role_set, COUNT(*) FROM members GROUP BY 1, 2, 3, 4",
];

/// What must not be there, each with a sentence.
const RULES: [(&str, &str); 4] = [
    (
        "SELECT COUNT(*) AS n FROM team_roles tr JOIN roles r ON r.id = tr.role_id WHERE r.is_owner",
        "a team has the Owner role",
    ),
    (
        "SELECT CAST(CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END AS BIGINT) AS n FROM lasting_owners",
        "it has no active Owner whose access has no end",
    ),
    ("SELECT COUNT(*) AS n FROM workspaces WHERE deleted_at IS NOT NULL", "its workspace is deleted"),
    (
        "SELECT CAST(CASE WHEN COUNT(*) = 1 THEN 0 ELSE 1 END AS BIGINT) AS n FROM workspaces",
        "it is not of one workspace",
    ),
];

impl Load {
    /// Inserts rows of an archive, which are blanked again.
    ///
    /// # Errors
    /// As [`Load::insert`].
    pub async fn insert_archived(&self, table: &Table, mut rows: Vec<Vec<Cell>>) -> Result<(), LoadError> {
        rows.iter_mut().for_each(|row| archive::blank(&table.table, &table.columns, row));
        let password = table.columns.iter().position(|column| column.name == "password_hash");
        if let Some(at) = password {
            // Until they set one by mail.
            let none = || Cell::Text(NO_PASSWORD.to_owned());
            rows.iter_mut().filter_map(|row| row.get_mut(at)).for_each(|cell| *cell = none());
        }
        self.insert(table, rows).await
    }

    /// The columns of a table, as the schema of the archive has them.
    pub fn table(&self, name: &str) -> Option<Table> {
        let columns = self.columns.get(name)?;
        let columns = columns.iter().map(|(name, stored)| Column { name: name.clone(), kind: stored.kind() });
        Some(Table { table: name.to_owned(), columns: columns.collect() })
    }

    /// Derives what an archive leaves out, brings the schema up to date, and verifies what is there then. Returns what
    /// verifying the ledger of credits showed, too.
    ///
    /// # Errors
    /// [`LoadError::Rule`] where one does not hold; otherwise the database's own.
    pub async fn prove_import(
        self,
        bounds: &Bounds,
        now: Timestamp,
    ) -> Result<(Proven, Vec<Finding>), LoadError> {
        let Self { transaction, connection, _starting, columns, suspended } = self;
        refuse_others(&transaction, &columns, bounds).await?;
        for sql in DERIVED {
            transaction.execute_unprepared(sql).await?;
        }
        for (sql, sentence) in RULES {
            let found: Option<Number> = transaction.first(sql, Vec::new()).await?;
            if found.is_none_or(|found| found.n > 0) {
                return Err(LoadError::Rule(sentence));
            }
        }
        start_chains(&transaction).await?;
        suspended.reinstate(&transaction).await?;
        Migrator::up(&transaction, None).await?;
        add_to_account(&transaction).await?;
        record(&transaction, bounds, now).await?;
        schema::analyze(&transaction).await?;
        let audit = verify::verify_restored(&transaction, &[], &[]).await?;
        let ledger = ledger::verify_one(&transaction, bounds.workspace).await?;
        Ok((Proven { transaction, connection, _starting, audit }, ledger))
    }
}

/// Every row is one that an export of this workspace has: nobody and nothing else comes along with it.
async fn refuse_others(
    tx: &DatabaseTransaction,
    columns: &Columns,
    bounds: &Bounds,
) -> Result<(), LoadError> {
    let workspace = archive::literal(tx.get_database_backend(), bounds.workspace);
    // The record is verified later, and says more.
    let is_judged = |table: &str| columns.contains_key(table) && !table.starts_with("audit_");
    for (table, condition) in archive::archived().filter(|(table, _)| is_judged(table)) {
        let condition = condition.replace("{w}", &workspace);
        // A condition may also be neither true nor false.
        let sql = format!(
            "SELECT (SELECT COUNT(*) FROM {table}) - (SELECT COUNT(*) FROM {table} WHERE {condition}) AS n"
        );
        let others: Option<Number> = tx.first(&sql, Vec::new()).await?;
        if others.is_none_or(|others| others.n != 0) {
            return Err(LoadError::Rule("it has rows that no export of the workspace has"));
        }
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Number {
    n: i64,
}

/// Empty chains, for what has none in the archive.
async fn start_chains(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let (nobody, none) = match tx.get_database_backend() {
        DbBackend::Postgres => ("CAST('00000000-0000-0000-0000-000000000000' AS uuid)", "CAST('' AS bytea)"),
        _ => ("zeroblob(16)", "X''"),
    };
    let insert = "INSERT INTO audit_chains (kind, id, seq, hash, sealed)";
    for rows in ["'account', id, 0, {none}, TRUE FROM accounts", "'user', id, 0, {none}, TRUE FROM users"] {
        tx.execute_unprepared(&format!("{insert} SELECT {}", rows.replace("{none}", none))).await?;
    }
    tx.execute_unprepared(&format!("{insert} SELECT 'installation', {nobody}, 0, {none}, TRUE")).await?;
    // Somebody was first: nobody becomes the first by a link any more.
    let owner = "INSERT INTO first_person (id, user_id) SELECT 1, MIN(m.user_id) FROM lasting_owners o
        JOIN members m ON m.id = o.member_id";
    let owner = if tx.get_database_backend() == DbBackend::Postgres {
        owner.replace("MIN(m.user_id)", "CAST(MIN(CAST(m.user_id AS TEXT)) AS uuid)")
    } else {
        owner.to_owned()
    };
    tx.execute_unprepared(&owner).await?;
    Ok(())
}

/// Everybody in the workspace belongs to its account, and its active Owners administer it, unless their access ends.
async fn add_to_account(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    tx.execute_unprepared(
        "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
        SELECT w.account_id, m.user_id, EXISTS (SELECT 1 FROM lasting_owners o WHERE o.member_id = m.id),
            m.joined_at, m.listed_as
        FROM members m JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id IS NOT NULL",
    )
    .await?;
    Ok(())
}

/// The installation's chain says which chain began, and which names were erased.
async fn record(tx: &DatabaseTransaction, bounds: &Bounds, now: Timestamp) -> Result<(), LoadError> {
    #[derive(FromQueryResult)]
    struct Erasure {
        erasure: Uuid,
    }
    let chain = Chain::Workspace(bounds.workspace);
    let target = Target::new(TargetKind::new(chain.kind()), chain.id(), "");
    audit::append_to_installation(tx, now, RecordedEvent::new(AuditChainStarted {}, target)).await?;
    let erasures: Vec<Erasure> =
        tx.all("SELECT DISTINCT erasure FROM audit_erasures ORDER BY erasure", Vec::new()).await?;
    for Erasure { erasure } in erasures {
        let (names, digest) = erasure::digest_of(tx, erasure).await?;
        let event = RecordedEvent::new(AuditNamesErased { names, erasure, digest }, Target::nothing());
        audit::append_to_installation(tx, now, event).await?;
    }
    Ok(())
}
