//! The record convicts whoever alters it: as somebody who may write to the database, and as its owner, who gets
//! past its triggers. The table in `docs/audit.md` has a test here for each of its lines.

mod alterations;
mod append_only;
mod checkpoints;
mod erasure;
mod guards;
mod names;

use crate::support::{
    product::{Config, Db, Signer, audit_signer, checkpoint, seed, verify},
    *,
};
use sea_orm::ConnectionTrait;
use std::sync::OnceLock;
use uuid::Uuid;

/// Everything that the record is made of.
const TABLES: [&str; 6] = [
    "audit_events",
    "audit_identities",
    "audit_chains",
    "audit_checkpoints",
    "audit_checkpoint_heads",
    "audit_erasures",
];

/// A record and the means of its operator: the signing key, which is not in the database.
struct Record<'a> {
    app: &'a TestApp,
    db: Db,
    signer: Signer,
    /// What the owner of the database took away.
    taken: OnceLock<Vec<Guard>>,
    _dir: tempfile::TempDir,
}

/// A trigger of the record.
struct Guard {
    name: String,
    /// The statement that takes it away, and the one that puts it back.
    take: String,
    put: String,
}

impl<'a> Record<'a> {
    async fn of(app: &'a TestApp) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Mail is delivered, so that sign-ups that were given up are deleted.
        let mail = "smtp://127.0.0.1:9".parse().unwrap();
        let config = Config { mail, ..Config::for_tests(app.database.url.clone(), dir.path()) };
        let db = Db::open(&config, app.url(), app.clock.clone()).await.unwrap();
        Self { app, db, signer: audit_signer(&config).unwrap(), taken: OnceLock::new(), _dir: dir }
    }

    /// A signed checkpoint, as `bailiwick checkpoint` prints it.
    async fn checkpoint(&self) -> String {
        checkpoint::sign(&self.db, &self.signer).await.unwrap()
    }

    /// Whoever takes the protection away puts it back before that.
    async fn verify(&self, copies: &[&str]) -> verify::Report {
        let copy = |notes: &&str| verify::Copy { name: "copy".into(), notes: (*notes).to_owned() };
        let copies: Vec<_> = copies.iter().map(copy).collect();
        let taken = self.taken.get().map_or(&[][..], Vec::as_slice);
        self.run_together(taken.iter().map(|guard| &*guard.put)).await;
        let report = verify::verify(&self.db, &[self.signer.verifier()], &copies).await.unwrap();
        self.run_together(taken.iter().map(|guard| &*guard.take)).await;
        report
    }

    /// What was found, a line each.
    async fn findings(&self, copies: &[&str]) -> Vec<String> {
        self.verify(copies).await.findings.iter().map(ToString::to_string).collect()
    }

    async fn assert_whole(&self) {
        assert_eq!(self.findings(&[]).await, Vec::<String>::new());
    }

    /// Something is found, and one line has this text.
    async fn assert_found(&self, what: &str, text: &str) {
        let findings = self.findings(&[]).await;
        assert!(findings.iter().any(|line| line.contains(text)), "{what}: {text} is not in {findings:#?}");
    }

    /// The owner of the database takes its protection away, but for what moves the heads.
    async fn unprotect(&self) {
        let guards = self.guards().await.into_iter().filter(|guard| {
            guard.name != "audit_chains_follow" && !guard.name.starts_with("audit_chain_of_")
        });
        let taken = self.taken.get_or_init(|| guards.collect());
        self.run_together(taken.iter().map(|guard| &*guard.take)).await;
    }

    /// Every trigger of the record.
    async fn guards(&self) -> Vec<Guard> {
        let sql = match self.app.backend {
            Backend::Sqlite => {
                "SELECT name, 'DROP TRIGGER ' || name AS take, sql AS put FROM sqlite_master
                WHERE type = 'trigger' AND name LIKE 'audit!_%' ESCAPE '!' ORDER BY name"
            }
            Backend::Postgres => {
                "SELECT t.tgname AS name, 'ALTER TABLE ' || c.relname || ' DISABLE TRIGGER ' || t.tgname AS take,
                'ALTER TABLE ' || c.relname || CASE t.tgenabled WHEN 'A' THEN ' ENABLE ALWAYS TRIGGER '
                    ELSE ' ENABLE TRIGGER ' END || t.tgname AS put
                FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                WHERE NOT t.tgisinternal AND t.tgname LIKE 'audit!_%' ESCAPE '!' ORDER BY t.tgname"
            }
        };
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let guard = |row: &serde_json::Value| Guard {
            name: text(row, "name"),
            take: text(row, "take"),
            put: text(row, "put"),
        };
        self.app.rows(sql).await.iter().map(guard).collect()
    }

    /// Runs these statements as one transaction.
    async fn run_together<'b>(&self, statements: impl Iterator<Item = &'b str>) {
        let statements: Vec<&str> = statements.collect();
        if !statements.is_empty() {
            let all = format!("BEGIN; {}; COMMIT", statements.join("; "));
            self.app.db().await.execute_unprepared(&all).await.unwrap();
        }
    }

    /// Remembers the record as it is, under a name.
    async fn keep(&self, name: &str) {
        for table in TABLES {
            let sql = format!("CREATE TABLE kept_{name}_{table} AS SELECT * FROM {table}");
            self.app.db().await.execute_unprepared(&sql).await.unwrap();
        }
    }

    /// Puts these tables back as they were when they were kept under that name.
    async fn put_back(&self, name: &str, tables: &[&str]) {
        for table in tables {
            for sql in [
                format!("DELETE FROM {table}"),
                format!("INSERT INTO {table} SELECT * FROM kept_{name}_{table}"),
            ] {
                self.app.db().await.execute_unprepared(&sql).await.unwrap();
            }
        }
    }

    async fn run(&self, sql: &str) {
        assert!(self.app.execute(sql).await > 0, "{sql} changed nothing");
    }

    async fn workspace(&self, slug: &str) -> Uuid {
        self.app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = {}", quoted(slug))).await
    }
}

/// Two workspaces with some events in each kind of chain.
async fn filled(app: &TestApp) -> (Person, Person) {
    let owner = new_owner(app).await;
    let viewer = member(app, &owner, "viewer").await;
    new_owner_of(app, "Other One", "other-one@example.com", "other").await;
    let account = app.scalar_uuid("SELECT account_id FROM workspaces WHERE slug = 'acme'").await;
    let fields = [("name", "Acme Group"), ("creation", "people")];
    owner.client.post_form(&format!("/a/{account}/details"), &fields).await.assert_status(303);
    owner.client.post_form("/me/profile", &[("name", "Owner Uno")]).await.assert_status(303);
    (owner, viewer)
}
