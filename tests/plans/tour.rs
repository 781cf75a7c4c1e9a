//! The walk along the stops of the nouns, and what was sent to the database.

use super::crowd::crowd;
use crate::{
    nouns,
    support::{
        product::{
            Clock, Config, Db, DeliveryError, TrafficEntry, checkpoint, housekeeping, is_wanted, outbox,
            seed, traffic,
        },
        *,
    },
};
use reqwest::Method;
use sea_orm::{Statement, Values};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

/// Everything that was sent: each text once, with values that it was sent with and who sent it.
pub type Statements = BTreeMap<String, (Option<Values>, String)>;

pub struct Tour<'a> {
    pub app: &'a TestApp,
    sent: Statements,
    /// Pages and forms that answered as they do when all is well.
    visited: BTreeSet<String>,
    pub owner: Client,
    pub admin: Client,
    pub viewer: Client,
    /// A service whose key is an Owner, and administers the account.
    pub robot: Api,
    /// The id of its key.
    pub robot_key: Uuid,
    /// Members whom no stop has taken for itself yet.
    members: Vec<Uuid>,
}

const SEED: &str = "load test data only";
/// The workspace of the tour, with over a page of everything.
pub const HOME: &str = "/w/seed-1";

impl<'a> Tour<'a> {
    /// So many of everything that reading all of it is never the cheapest, and over a page in each
    /// workspace.
    pub async fn begin(app: &'a TestApp) -> Self {
        if app.backend == Backend::Postgres {
            // What is known of the tables is what the test says: nobody analyzes them meanwhile.
            app.execute(
                "DO $$ DECLARE t text; BEGIN
                    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
                        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', t);
                    END LOOP;
                END $$",
            )
            .await;
        }
        let db = another_handle(app, app.clock.clone()).await;
        let size = seed::Size { workspaces: 12, members: 60, events: 160, invitations: 110, keys: 0 };
        let made: Value = serde_json::from_str(&seed::seed(&db, &size).await.unwrap()).unwrap();
        db.close().await;
        crowd(app).await;
        let (robot_key, _, secret) = add_key(app, "seed-1", "Robot", &["owner"]).await;
        let yes = if app.backend == Backend::Sqlite { "1" } else { "TRUE" };
        app.execute(&format!("UPDATE api_keys SET is_admin = {yes} WHERE id = {}", app.id(robot_key))).await;
        let person = async |who: &str| sign_in(app, made["workspaces"][0][who].as_str().unwrap(), SEED).await;
        let members = "SELECT m.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
            JOIN users u ON u.id = m.user_id WHERE w.slug = 'seed-1'
            AND (u.email LIKE 'member-1_@%' OR u.email LIKE 'member-2_@%' OR u.email LIKE 'member-3_@%') ORDER BY u.email DESC";
        let members = app.rows(members).await;
        // From here on what is sent is kept.
        app.take_statements();
        Self {
            app,
            sent: Statements::new(),
            visited: BTreeSet::new(),
            owner: person("owner").await,
            admin: person("admin").await,
            viewer: person("viewer").await,
            robot: Api::new(app, &secret),
            robot_key,
            members: members.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect(),
        }
    }

    /// What was sent; every page and form must have been visited.
    pub fn end(self) -> Statements {
        println!("plans: {} routes", self.visited.len());
        let missing: Vec<String> = nouns::pages()
            .iter()
            .filter(|row| !self.visited.contains(&row.name()))
            .map(|row| format!("{}: see `tour` in {}", row.name(), row.file))
            .collect();
        assert!(missing.is_empty(), "no stop of the tour visits these: {missing:#?}");
        self.sent
    }

    /// So many members of the workspace, for one stop alone: it may change and remove them.
    pub fn take_members(&mut self, n: usize) -> Vec<Uuid> {
        self.members.split_off(self.members.len() - n)
    }

    /// The account of the workspace.
    pub async fn account(&self) -> Uuid {
        crate::world::account_id(self.app, "seed-1").await
    }

    // ---- walking -------------------------------------------------------------------------------

    pub async fn get(&mut self, client: &Client, path: &str, status: u16) -> Page {
        let page = client.get(path).await;
        self.note(page, status)
    }

    pub async fn post(&mut self, client: &Client, path: &str, fields: &[(&str, &str)], status: u16) -> Page {
        let page = client.post_form(path, fields).await;
        let page = self.note(page, status);
        if status == 303 {
            let next = client.get(&page.location()).await;
            self.keep(&format!("GET {}", next.path()));
        }
        page
    }

    /// Keeps what the answer took.
    pub fn note(&mut self, page: Page, status: u16) -> Page {
        page.assert_status(status);
        self.keep(&format!("{} {}", page.method, page.path()));
        let row = nouns::row_at(page.method.as_str(), page.url.path());
        if matches!(status, 200 | 303) || row.is_some_and(|row| row.success == status) {
            self.visited.insert(row.unwrap_or_else(|| panic!("no noun declares {}", page.url)).name());
        }
        page
    }

    /// Keeps what was sent since the last time.
    pub fn keep(&mut self, by: &str) {
        for Statement { sql, values, .. } in self.app.take_statements() {
            self.sent.entry(sql).or_insert_with(|| (values, by.to_owned()));
        }
    }

    /// First, next, previous and last page of a list of the workspace, with nothing and with each of these.
    pub async fn list(&mut self, list: &str, order: &str, narrow: &[&str]) {
        let (owner, base) = (self.owner.clone(), format!("{HOME}/{list}?{order}"));
        let first = self.get(&owner, &base, 200).await;
        let next = first.attributes("a[rel=next]", "href").pop().expect("more than one page");
        let (_, cursor) = next.split_once("after=").unwrap();
        let cursor = cursor.split('&').next().unwrap().to_owned();
        for filter in narrow.iter().chain(&[""]) {
            for page in ["", &format!("after={cursor}"), &format!("before={cursor}"), "before=end"] {
                self.get(&owner, &format!("{base}&{filter}&{page}").replace("?&", "?"), 200).await;
            }
        }
    }

    /// The next page of a list of the account, and the way back.
    pub async fn turn(&mut self, list: &str) {
        let owner = self.owner.clone();
        let first = self.get(&owner, list, 200).await;
        let next = first.attributes("a[rel=next]", "href").pop().expect("more than one page");
        let next = self.get(&owner, &next, 200).await;
        let back = next.attributes("a[rel=prev]", "href").pop().expect("the page before");
        self.get(&owner, &back, 200).await;
    }

    /// Opens the link of the newest letter, which leads to the page of this name.
    pub async fn follow_link(&mut self, client: &Client, email: &str, page: &str) {
        let links = if page == "/invitation" { "/invitations/".to_owned() } else { format!("{page}/") };
        let link = self.app.mail.wait_for_link(email, &links).await;
        self.get(client, &link, 303).await;
        self.get(client, page, 200).await;
    }

    /// Three invitations that are pending.
    pub async fn invitations(&self) -> Vec<String> {
        let sql = "SELECT i.id FROM invitations i JOIN workspaces w ON w.id = i.workspace_id
            WHERE w.slug = 'seed-1' AND i.status = 'pending' ORDER BY i.expires_at DESC LIMIT 3";
        self.app.rows(sql).await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    // ---- calls ---------------------------------------------------------------------------------

    /// What the service reads at this path, and the next page of it.
    pub async fn call(&mut self, path: &str) {
        let page = self.robot.get(&format!("/api/sso/v1/{path}")).await.with_status(200);
        if let Some(next) = page.body["next"].as_str() {
            let sign = if path.contains('?') { '&' } else { '?' };
            self.robot.get(&format!("/api/sso/v1/{path}{sign}after={next}")).await.with_status(200);
        }
        self.keep(path);
    }

    /// What the service sends to this path under one name: twice the same, and something else.
    pub async fn call_once(&mut self, path: &str, body: &Value, status: u16) {
        let path = format!("/api/sso/v1/{path}");
        for (body, status) in [(body.to_string(), status), (body.to_string(), status), ("{}".to_owned(), 422)]
        {
            let named = [("idempotency-key", "one")];
            self.robot.send(Method::POST, &path, Some(body), &named).await.with_status(status);
        }
        self.app.execute("DELETE FROM idempotency_keys").await;
        self.keep(&path);
    }

    // ---- beside the requests -------------------------------------------------------------------

    /// The work of the tasks of each node: mail, who was seen, what has expired.
    pub async fn beside_the_requests(&mut self) {
        self.through_the_gateway().await;
        let app = self.app;
        // Whoever comes now was last seen a while ago.
        app.clock.advance(Duration::from_secs(120));
        sign_in(app, "member-1@seed-2.example.com", SEED).await.visit("/w/seed-2").await;
        // A letter that only this handle finds due, for it is ahead of the node.
        let clock = Clock::manual(app.clock.now() + 3_600_000);
        let db = another_handle(app, clock.clone()).await;
        db.transcript().take();
        let due = clock.now().as_millis();
        let letter = format!(
            "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts, about,
                about_workspace)
             VALUES ({nil}, 'nobody@example.com', '', '', {due}, {due}, 0, {nil}, {nil})",
            nil = app.id(Uuid::nil())
        );
        app.execute(&letter).await;
        let message = outbox::lease_next(&db).await.unwrap().expect("a letter is due");
        is_wanted(&db, &message).await.unwrap();
        for error in [DeliveryError::Temporary("later".into()), DeliveryError::Permanent("refused".into())] {
            outbox::mark_failed(&db, &message, &error).await.unwrap();
        }
        outbox::state(&db).await.unwrap();
        checkpoint::state(&db).await.unwrap();
        outbox::remove(&db, message.id).await.unwrap();
        // As if the installation had been there for long.
        app.execute("UPDATE seaql_migrations SET applied_at = 0").await;
        housekeeping::sweep(&db).await.unwrap();
        record_traffic(&db, crate::world::workspace_id(app, "seed-2").await).await;
        for Statement { sql, values, .. } in db.transcript().take() {
            self.sent.entry(sql).or_insert((values, "the tasks of a node".into()));
        }
        db.close().await;
        until("who was seen is not written down", async || {
            self.keep("the tasks of a node");
            self.sent.keys().any(|sql| sql.starts_with("UPDATE members SET last_active_at"))
        })
        .await;
    }

    /// A request that is sent, and one that is not.
    async fn through_the_gateway(&mut self) {
        self.app.execute(&add_echo(self.app)).await;
        // The other workspace is deleted by now.
        let (_, _, secret) = add_key(self.app, "seed-2", "Sender", &["owner"]).await;
        let sender = Api::new(self.app, &secret);
        for (host, status) in [("echo", 200), ("unknown.example.com", 403)] {
            let path = format!("/w/seed-2/out/{host}/");
            crate::gateway::send(&sender, Method::GET, &path, None, &[]).await.with_status(status);
        }
        self.keep("the gateway");
    }
}

/// SQL that adds the built-in host to the destinations of the workspace.
fn add_echo(app: &TestApp) -> String {
    format!(
        "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
        SELECT {}, w.id, 'echo', '', 'echo', m.user_id, 0 FROM workspaces w
            JOIN members m ON m.workspace_id = w.id AND m.kind = 'user' WHERE w.slug = 'seed-2' LIMIT 1
        ON CONFLICT DO NOTHING",
        app.id(Uuid::from_u128(77))
    )
}

/// Writes requests through the gateway, in statements of each size.
async fn record_traffic(db: &Db, workspace: Uuid) {
    for requests in [1, 10, 50, 200] {
        for _ in 0..requests {
            db.traffic().note(TrafficEntry {
                workspace_id: workspace,
                api_key_id: Some(Uuid::from_u128(requests)),
                key_name: "Key".into(),
                destination_id: Some(Uuid::from_u128(1)),
                host: "api.example.com".into(),
                method: "GET".into(),
                path: "/v1/things".into(),
                status: Some(503),
                stage: None,
                error: None,
                bytes_in: 1,
                bytes_out: 2,
                started_at: db.now(),
                duration_ms: 3,
            });
        }
        traffic::flush(db).await.unwrap();
    }
}

/// A handle of the test's own on the app's data.
async fn another_handle(app: &TestApp, clock: Clock) -> Db {
    let dir = tempfile::tempdir().unwrap();
    // One that delivers mail: only then are sign-ups that were given up deleted.
    let mail = "smtp://127.0.0.1:9".parse().unwrap();
    let config = Config { mail, ..Config::for_tests(app.database.url.clone(), dir.path()) };
    Db::open(&config, app.url(), clock).await.unwrap()
}
