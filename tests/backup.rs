//! `bailiwick backup` and `bailiwick restore`, as the program itself does them.

use crate::{
    durability::{assert_nothing_half_done, moved, number, owner_of},
    support::{
        product::{Clock, Config, Db, InstallationSecret, Signer, audit_signer, demo, note},
        program, *,
    },
    upgrade,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

const PASSPHRASE: &str = "five words are a passphrase";

/// The key that tests use.
fn key() -> String {
    "07".repeat(32)
}

/// A folder in which commands run, and a database.
struct Site {
    dir: TempDir,
    database: TestDatabase,
}

impl Site {
    /// With an empty database.
    async fn empty(backend: Backend) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        Self { dir, database }
    }

    /// With some people, a key and a checkpoint.
    async fn filled(backend: Backend) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let site = Self { dir, database };
        site.seed("1").await;
        site.keyed(&["checkpoint"]).await.assert_done();
        site
    }

    async fn seed(&self, workspaces: &str) {
        let seed =
            ["seed", "--workspaces", workspaces, "--members", "4", "--invitations", "4", "--keys", "1"];
        self.keyed(&seed).await.assert_done();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command with no key but what is in the data folder.
    async fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Done {
        let own = [("BAILIWICK_DATABASE_URL", self.database.url.as_str())];
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        // What is given stands after it, and so in its place.
        let settings: Vec<(String, String)> = own.iter().chain(settings).map(pair).collect();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let dir = self.dir.path().to_owned();
        let run = move || {
            let settings: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
            let arguments: Vec<_> = arguments.iter().map(|argument| &**argument).collect();
            program::run(&dir, &arguments, &settings)
        };
        Done(tokio::task::spawn_blocking(run).await.unwrap())
    }

    /// [`Site::run`] with the key that tests use.
    async fn keyed(&self, arguments: &[&str]) -> Done {
        self.run(arguments, &[("BAILIWICK_SECRET_KEY", &key())]).await
    }

    /// A backup in the folder of this site.
    async fn backup(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        self.keyed(&["backup", text(&path)]).await.assert_done();
        path
    }

    /// There is no table at all.
    async fn assert_empty(&self) {
        let sql = match self.database.backend {
            Backend::Sqlite if !self.path("bailiwick.db").exists() => return,
            Backend::Sqlite => "SELECT count(*) FROM sqlite_master",
            Backend::Postgres => "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
        };
        let connection = self.database.connect().await;
        assert_eq!(number(&connection, sql).await, 0);
        connection.close().await.unwrap();
    }

    /// The audit record is whole, as the program says.
    async fn assert_whole(&self) {
        let said = self.keyed(&["verify-audit"]).await.assert_done();
        assert!(said.contains("unaltered"), "{said}");
    }
}

struct Done(Output);

impl Done {
    fn said(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.0.stdout), String::from_utf8_lossy(&self.0.stderr))
    }

    #[track_caller]
    fn assert_done(&self) -> String {
        assert!(self.0.status.success(), "{}", self.said());
        self.said()
    }

    #[track_caller]
    fn assert_refused(&self, why: &str) -> String {
        let said = self.said();
        assert!(!self.0.status.success() && said.contains(why), "not refused with “{why}”: {said}");
        said
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn other(backend: Backend) -> Backend {
    match backend {
        Backend::Sqlite => Backend::Postgres,
        Backend::Postgres => Backend::Sqlite,
    }
}

// ---- what is in a file --------------------------------------------------------------------------

const FIRST_LINE: &str = "bailiwick-backup 1\n";

/// The lines of a backup: the header, then tables and rows.
fn lines(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let mut lines = String::new();
    GzDecoder::new(bytes.strip_prefix(FIRST_LINE.as_bytes()).unwrap()).read_to_string(&mut lines).unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// The rows of each table, sorted. The table is named with its columns.
fn rows(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = String::new();
    for line in lines(path).into_iter().skip(1) {
        if line.starts_with('[') {
            tables.get_mut(&table).unwrap().push(line);
        } else {
            table = line;
            tables.insert(table.clone(), Vec::new());
        }
    }
    tables.values_mut().for_each(|rows| rows.sort());
    tables
}

fn config(key: &str) -> Config {
    let mut config = Config::for_tests("sqlite://unused".into(), Path::new("unused"));
    config.secret_key = Some(key.to_owned().into());
    config
}

/// Changes the lines of a backup, as whoever has this key could.
fn rewrite(path: &Path, key: &str, change: impl Fn(&mut Vec<String>)) {
    let mut lines = lines(path);
    change(&mut lines);
    let mut zipped = GzEncoder::new(FIRST_LINE.as_bytes().to_vec(), Compression::fast());
    zipped.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let mut file = zipped.finish().unwrap();
    let secret = InstallationSecret::find(&config(key)).unwrap().unwrap();
    let signer = Signer::new("bailiwick-backup", secret.derive("backup")[..32].try_into().unwrap());
    let hash = hex::encode(Sha256::digest(&file));
    file.extend(signer.sign(&format!("bailiwick-backup\nsha256 {hash}\n")).as_bytes());
    std::fs::write(path, file).unwrap();
}

fn change_header(line: &mut String, change: impl Fn(&mut Value)) {
    let mut header: Value = serde_json::from_str(line).unwrap();
    change(&mut header);
    *line = header.to_string();
}

/// Tables, triggers and foreign keys as the database describes them.
async fn schema(connection: &DatabaseConnection, backend: Backend) -> Vec<String> {
    let sql = match backend {
        Backend::Sqlite => "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1",
        Backend::Postgres => {
            "SELECT concat_ws(' ', c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)) FROM pg_trigger t
                JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
            UNION ALL SELECT concat_ws(' ', c.relname, f.conname, f.convalidated, pg_get_constraintdef(f.oid))
                FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
            ORDER BY 1"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Months of a workspace, in nearly every table.
async fn demo_in(site: &Site) {
    let mut config = Config::for_tests(site.database.url.clone(), site.dir.path());
    config.data_dir = site.path("data");
    let past = Clock::manual(Clock::system().now() - demo::PAST);
    let db = Db::open(&config, String::new(), past).await.unwrap();
    demo::demo(&db).await.unwrap();
    db.close().await;
    site.keyed(&["checkpoint"]).await.assert_done();
}

both! {
    // Rows and their events are of one moment, with the server there and after it was killed.
    async fn a_backup_made_while_serving_has_everything_that_was_acknowledged_before(backend: Backend) {
        let site = Site::empty(backend).await;
        let program = Program::serve(&site.database, site.dir.path(), &[]).await;
        let owner = owner_of(&program).await;
        let answered: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut writers = Vec::new();
        for n in 0..3 {
            let (client, csrf, answered) = (owner.twin(), owner.csrf().await, Arc::clone(&answered));
            writers.push(tokio::spawn(async move {
                for i in 0.. {
                    let email = format!("guest-{n}-{i}@example.com");
                    let fields = [("emails", email.as_str()), ("role", "viewer"), ("csrf", &csrf)];
                    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                    let body = Some(("application/x-www-form-urlencoded", body.into_bytes()));
                    match client.try_request(reqwest::Method::POST, "/w/acme/invitations", body).await {
                        Ok(page) => {
                            page.assert_status(303);
                            answered.lock().unwrap().push(email);
                        }
                        Err(_) => break,
                    }
                }
            }));
        }
        let count = || answered.lock().unwrap().len();
        until("too few answers", async || count() >= 30).await;
        let before = answered.lock().unwrap().clone();

        let while_serving = site.backup("while-serving.backup").await;

        let during = count();
        until("it does not write any more", async || count() >= during + 10).await;
        program.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        // Nobody serves, and nobody closed the database.
        let killed = site.backup("killed.backup").await;
        let all = answered.lock().unwrap().clone();
        assert!(all.len() > before.len());

        for (file, acknowledged) in [(while_serving, before), (killed, all)] {
            let fresh = Site::empty(backend).await;
            fresh.keyed(&["restore", text(&file)]).await.assert_done();
            let connection = fresh.database.connect().await;
            for email in acknowledged {
                let sql = format!("SELECT count(*) FROM invitations WHERE email = {}", quoted(&email));
                assert_eq!(number(&connection, &sql).await, 1, "{email} is in {}", file.display());
            }
            assert_nothing_half_done(&connection).await;
            connection.close().await.unwrap();
            fresh.assert_whole().await;
            // The sessions are kept, and it can be written to.
            let restored = Program::serve(&fresh.database, fresh.dir.path(), &[]).await;
            let owner = moved(&owner, &restored);
            invite(&owner, "acme", "later@example.com", &["viewer"]).await;
        }
    }

    async fn every_row_comes_back_in_either_database(backend: Backend) {
        let site = Site::empty(backend).await;
        demo_in(&site).await;
        let first = site.backup("first.backup").await;
        let expected = rows(&first);
        let filled = expected.values().filter(|rows| !rows.is_empty()).count();
        assert!(filled > 15, "only {filled} tables have rows");
        for target in [backend, other(backend)] {
            let fresh = Site::empty(target).await;
            fresh.keyed(&["restore", text(&first)]).await.assert_done();
            let again = rows(&fresh.backup("again.backup").await);
            assert_eq!(again.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (table, rows) in &expected {
                assert_eq!(&again[table], rows, "{table}");
            }
            fresh.assert_whole().await;
            let dir = tempfile::tempdir().unwrap();
            let made = TestDatabase::migrated(target, dir.path()).await;
            let (connection, made) = (fresh.database.connect().await, made.connect().await);
            let (restored, made) = (schema(&connection, target).await, schema(&made, target).await);
            assert!(restored.len() > 50, "{restored:?}");
            assert_eq!(restored, made, "triggers and foreign keys are as they were made");
        }
    }

    async fn the_keys_are_in_it_sealed_by_the_passphrase(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.path("sealed.backup");
        let (key, audit_key) = (key(), "09".repeat(32));
        let file = site.path("passphrase");
        std::fs::write(&file, format!("{PASSPHRASE}\n")).unwrap();
        let settings = [
            ("BAILIWICK_SECRET_KEY", key.as_str()),
            ("BAILIWICK_AUDIT_KEY", &audit_key),
            ("BAILIWICK_BACKUP_PASSPHRASE_FILE", text(&file)),
        ];
        site.run(&["checkpoint"], &settings).await.assert_done();
        for weak in ["aaaaaaaaaaaaaaaa", "password1234", "Bailiwick backup"] {
            let weak = [settings[0], ("BAILIWICK_BACKUP_PASSPHRASE", weak)];
            site.run(&["backup", text(&path)], &weak).await.assert_refused("easy to guess");
        }
        let empty = site.path("empty");
        std::fs::write(&empty, " \n").unwrap();
        let empty = [settings[0], ("BAILIWICK_BACKUP_PASSPHRASE_FILE", text(&empty))];
        site.run(&["backup", text(&path)], &empty).await.assert_refused("is empty");
        assert!(!path.exists());
        let short = [settings[0], ("BAILIWICK_BACKUP_PASSPHRASE", "too short")];
        site.run(&["backup", text(&path)], &short).await.assert_refused("12 characters");
        assert!(!path.exists());
        let said = site.run(&["backup", text(&path)], &settings).await.assert_done();
        assert!(said.contains("The secret key is in it"), "{said}");
        let content = lines(&path).join("\n");
        assert!(!content.contains(&key) && !content.contains(&audit_key) && !content.contains(PASSPHRASE));

        let fresh = Site::empty(backend).await;
        let restore = ["restore", text(&path)];
        fresh.run(&restore, &[]).await.assert_refused("BAILIWICK_BACKUP_PASSPHRASE");
        let wrong = [("BAILIWICK_BACKUP_PASSPHRASE", "another passphrase")];
        fresh.run(&restore, &wrong).await.assert_refused("the passphrase is wrong");
        fresh.assert_empty().await;
        assert!(!fresh.path("data/secret.key").exists());
        // One checkpoint was signed by the key that is derived from the secret, the other by one of its own.
        let said = fresh.run(&restore, &[("BAILIWICK_BACKUP_PASSPHRASE", PASSPHRASE)]).await.assert_done();
        assert!(said.contains("secret.key") && said.contains("BAILIWICK_AUDIT_KEY"), "{said}");
        for (name, expected) in [("data/secret.key", &key), ("data/audit.key", &audit_key)] {
            assert_eq!(&std::fs::read_to_string(fresh.path(name)).unwrap(), expected);
            let mode = std::fs::metadata(fresh.path(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
        let signed = [("BAILIWICK_AUDIT_KEY", audit_key.as_str())];
        let derived = fresh.run(&["audit-key"], &[]).await;
        let derived = String::from_utf8_lossy(&derived.0.stdout).into_owned();
        let verify = ["verify-audit", "--key", derived.trim()];
        fresh.run(&verify, &signed).await.assert_done();
    }

    async fn without_a_passphrase_the_key_is_left_out_with_a_warning(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.path("open.backup");
        let said = site.keyed(&["backup", text(&path)]).await.assert_done();
        assert!(said.contains("The secret key is not in this backup"), "{said}");
        let key = key();
        let settings = [("BAILIWICK_SECRET_KEY", key.as_str()), ("BAILIWICK_BACKUP_PASSPHRASE", PASSPHRASE)];
        let said = site.run(&["backup", text(&path), "--without-key"], &settings).await.assert_done();
        assert!(said.contains("The secret key is not in this backup"), "{said}");
        assert!(!lines(&path).join("\n").contains(&key));

        let fresh = Site::empty(backend).await;
        let restore = ["restore", text(&path)];
        fresh.run(&restore, &settings[1..]).await.assert_refused("Set BAILIWICK_SECRET_KEY to the key with the ID");
        fresh.assert_empty().await;
        fresh.keyed(&restore).await.assert_done();
        assert!(!fresh.path("data/secret.key").exists(), "it is set already");
    }

    async fn a_backup_without_the_key_of_the_server_is_not_made_or_is_warned_of(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.path("one.backup");
        site.run(&["backup", text(&path)], &[("BAILIWICK_DATA_DIR", "elsewhere")]).await
            .assert_refused("the secret key is not known here");
        assert!(!path.exists());
        let another = "08".repeat(32);
        let said = site.run(&["backup", text(&path)], &[("BAILIWICK_SECRET_KEY", &another)]).await.assert_done();
        assert!(said.contains("was signed with another key"), "{said}");
        let said = site.keyed(&["backup", text(&path)]).await.assert_done();
        assert!(!said.contains("another key"), "{said}");
    }

    async fn another_key_is_refused(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.backup("one.backup").await;
        let fresh = Site::empty(backend).await;
        let another = "08".repeat(32);
        let restore = ["restore", text(&path)];
        fresh.run(&restore, &[("BAILIWICK_SECRET_KEY", &another)]).await
            .assert_refused("belongs to another secret key");
        std::fs::create_dir(fresh.path("data")).unwrap();
        std::fs::write(fresh.path("data/secret.key"), &another).unwrap();
        fresh.run(&restore, &[]).await.assert_refused("belongs to another secret key");
        fresh.assert_empty().await;
        // Nor does it become another's by saying so.
        let signer = InstallationSecret::find(&config(&another)).unwrap().unwrap();
        let signer = Signer::new("bailiwick-backup", signer.derive("backup")[..32].try_into().unwrap());
        rewrite(&path, &another, |lines| change_header(&mut lines[0], |header| header["at"] = json!(1)));
        fresh.keyed(&restore).await.assert_empty_and_refused(&fresh, "was changed after it was made").await;
        rewrite(&path, &key(), |lines| {
            change_header(&mut lines[0], |header| header["key"] = json!(signer.verifier().to_string()));
        });
        fresh.keyed(&restore).await.assert_empty_and_refused(&fresh, "belongs to another secret key").await;
    }

    async fn a_damaged_or_truncated_file_is_refused(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.backup("one.backup").await;
        let whole = std::fs::read(&path).unwrap();
        let fresh = Site::empty(backend).await;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let damages: [(&[u8], &str); 6] = [
            (&flipped, "damaged or incomplete"),
            (&whole[..whole.len() / 2], "damaged or incomplete"),
            (&whole[..whole.len() - 1], "damaged or incomplete"),
            (&[&whole[..], b"\n"].concat(), "damaged or incomplete"),
            (b"", "is not a backup"),
            (b"SQLite format 3\0", "is not a backup"),
        ];
        for (bytes, why) in damages {
            std::fs::write(&path, bytes).unwrap();
            fresh.keyed(&["restore", text(&path)]).await.assert_empty_and_refused(&fresh, why).await;
        }
        fresh.keyed(&["restore", "nowhere.backup"]).await.assert_refused("can't read nowhere.backup");
        std::fs::write(&path, whole).unwrap();
        fresh.keyed(&["restore", text(&path)]).await.assert_done();
    }

    async fn a_database_with_data_is_refused_and_left_as_it_is(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.backup("one.backup").await;
        site.seed("1").await;
        let before = rows(&site.backup("before.backup").await);
        site.keyed(&["restore", text(&path)]).await.assert_refused("the database is not empty");
        assert_eq!(rows(&site.backup("after.backup").await), before);
        // One that was only migrated is not empty either.
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let migrated = Site { dir, database };
        migrated.keyed(&["restore", text(&path)]).await.assert_refused("the database is not empty");
    }

    async fn a_newer_schema_is_refused(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.backup("one.backup").await;
        rewrite(&path, &key(), |lines| {
            change_header(&mut lines[0], |header| {
                header["steps"].as_array_mut().unwrap().push(json!("m9999_of_the_future"));
            });
        });
        let fresh = Site::empty(backend).await;
        let said = fresh.keyed(&["restore", text(&path)]).await;
        said.assert_empty_and_refused(&fresh, "newer version of Bailiwick (m9999_of_the_future)").await;
        let connection = site.database.connect().await;
        let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_of_the_future', 0)";
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
        site.keyed(&["backup", text(&site.path("two.backup"))]).await.assert_refused("newer version");
        assert!(!site.path("two.backup").exists());
    }

    async fn an_older_schema_is_backed_up_as_it_is_and_migrated_when_it_is_restored(backend: Backend) {
        let site = Site::empty(backend).await;
        if backend == Backend::Sqlite {
            std::fs::write(site.path("bailiwick.db"), "").unwrap();
        }
        upgrade::fill(&site.database).await;
        let steps = "SELECT count(*) FROM seaql_migrations";
        let connection = site.database.connect().await;
        let before = number(&connection, steps).await;

        let path = site.backup("old.backup").await;

        assert_eq!(number(&connection, steps).await, before, "it is not migrated by that");
        connection.close().await.unwrap();
        let fresh = Site::empty(backend).await;
        // The workspace of that test has no events, which is what the record says.
        let restore = ["restore", text(&path)];
        fresh.keyed(&restore).await.assert_empty_and_refused(&fresh, "not even of its creation").await;
        fresh.keyed(&[&restore[..], &["--accept-altered"]].concat()).await.assert_done();
        let connection = fresh.database.connect().await;
        assert!(number(&connection, steps).await > before);
        let derived = "SELECT count(*) FROM members WHERE role_set = 'a-viewer owner'";
        assert_eq!(number(&connection, derived).await, 1);
    }

    async fn an_altered_record_is_refused(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.backup("one.backup").await;
        rewrite(&path, &key(), |lines| {
            let row = lines.iter_mut().find(|line| line.contains("workspace.created")).unwrap();
            *row = row.replace("\"done\"", "\"refused\"");
        });
        let fresh = Site::empty(backend).await;
        let restore = ["restore", text(&path)];
        let said = fresh.keyed(&restore).await.assert_empty_and_refused(&fresh, "ALTERED at event").await;
        assert!(said.contains("nothing was restored"), "{said}");
        let said = fresh.keyed(&[&restore[..], &["--accept-altered"]].concat()).await.assert_done();
        assert!(said.contains("was altered"), "{said}");
        fresh.keyed(&["verify-audit"]).await.assert_refused("altered");
    }

    async fn copies_of_checkpoints_are_compared_and_kept(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.backup("one.backup").await;
        site.seed("1").await;
        site.keyed(&["checkpoint"]).await.assert_done();
        // The database is lost, the data folder is not.
        let fresh = Site::empty(backend).await;
        let key = key();
        let url = [("BAILIWICK_DATABASE_URL", fresh.database.url.as_str()), ("BAILIWICK_SECRET_KEY", &key)];
        let copies = site.path("data/audit.checkpoints");
        let true_copies = std::fs::read_to_string(&copies).unwrap();
        assert_eq!(note::split(&true_copies).len(), 2);
        let signer = audit_signer(&config(&key)).unwrap();
        let hash = format!("{}=", "A".repeat(43));
        let of_another_history = signer.sign(&format!("bailiwick-audit\n1\n{hash}\ntime 1\n"));
        std::fs::write(&copies, of_another_history).unwrap();
        site.run(&["restore", text(&path)], &url).await.assert_empty_and_refused(&fresh, "was rewritten").await;
        std::fs::write(&copies, &true_copies).unwrap();

        let said = site.run(&["restore", text(&path)], &url).await.assert_done();

        assert!(said.contains("before-restore-") && said.contains("after the backup"), "{said}");
        let kept = std::fs::read_dir(site.path("data")).unwrap().map(|entry| entry.unwrap().path());
        let kept: Vec<_> = kept.filter(|path| text(path).contains("before-restore-")).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(std::fs::read_to_string(&kept[0]).unwrap(), true_copies);
        // The copies of the backup are in their place, and the record goes on from there.
        assert!(true_copies.starts_with(&std::fs::read_to_string(&copies).unwrap()));
        site.run(&["verify-audit"], &url).await.assert_done();
        let against = ["verify-audit", "--against", text(&kept[0])];
        site.run(&against, &url).await.assert_refused("was set back");
    }

    // Breaks without `is_file` in create (backup/create.rs) and Checked::open (backup/file.rs): it waits for ever.
    async fn what_is_no_file_is_refused_at_once(backend: Backend) {
        let site = Site::filled(backend).await;
        let pipe = site.path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let before = std::fs::read_dir(site.dir.path()).unwrap().count();
        for place in [text(&pipe), "/dev/stdout", "/dev/null", text(site.dir.path())] {
            for command in ["backup", "restore"] {
                let refused = tokio::time::timeout(WAIT_TIMEOUT, site.keyed(&[command, place])).await;
                refused.expect("it waits").assert_refused("is not a file");
            }
        }
        assert_eq!(std::fs::read_dir(site.dir.path()).unwrap().count(), before);
    }

    async fn a_backup_is_private_and_replaces_nothing_but_a_backup(backend: Backend) {
        let site = Site::filled(backend).await;
        let path = site.path("one.backup");
        for content in ["", "not a backup"] {
            std::fs::write(&path, content).unwrap();
            site.keyed(&["backup", text(&path)]).await.assert_refused("is not a backup");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        std::fs::remove_file(&path).unwrap();
        site.backup("one.backup").await;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let first = std::fs::read(&path).unwrap();
        site.seed("1").await;
        site.backup("one.backup").await;
        assert_ne!(std::fs::read(&path).unwrap(), first);
        let missing = site.path("nowhere/one.backup");
        site.keyed(&["backup", text(&missing)]).await.assert_refused("can't write");
        let names = std::fs::read_dir(site.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| !name.contains("partial")), "{names:?}");
    }
}

impl Done {
    /// Refused, and nothing was restored.
    async fn assert_empty_and_refused(&self, site: &Site, why: &str) -> String {
        let said = self.assert_refused(why);
        site.assert_empty().await;
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_no_database_says_so() {
    let site = Site::empty(Backend::Sqlite).await;
    site.keyed(&["backup", "one.backup"]).await.assert_refused("there is no database at");
    std::fs::write(site.path("bailiwick.db"), "").unwrap();
    site.keyed(&["backup", "one.backup"]).await.assert_refused("the database is empty");
    assert!(!site.path("one.backup").exists());
}

/// Why docs/backup.md says that copying the file alone is no backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_sqlite_file_alone_is_behind() {
    let site = Site::empty(Backend::Sqlite).await;
    let program = Program::serve(&site.database, site.dir.path(), &[]).await;
    owner_of(&program).await;
    let dir = tempfile::tempdir().unwrap();
    let copied = TestDatabase::empty(Backend::Sqlite, dir.path()).await;
    std::fs::copy(site.path("bailiwick.db"), dir.path().join("bailiwick.db")).unwrap();
    let people = "SELECT count(*) FROM users";
    let connection = copied.connect().await;
    let statement = Statement::from_string(connection.get_database_backend(), people);
    let is_there = match connection.query_one_raw(statement).await {
        Ok(row) => row.unwrap().try_get_by_index::<i64>(0).unwrap() > 0,
        // Not even the tables.
        Err(_) => false,
    };
    assert!(!is_there);
    let path = site.backup("one.backup").await;
    let fresh = Site::empty(Backend::Sqlite).await;
    fresh.keyed(&["restore", text(&path)]).await.assert_done();
    assert_eq!(number(&fresh.database.connect().await, people).await, 1);
}
