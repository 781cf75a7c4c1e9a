//! Credits: the balance, the ledger, holding and using.

mod behaviour;
mod model;
mod races;

use crate::{
    support::product::{
        Clock, Config, DAY, Db, Description, Slug,
        credits::{
            Amount, Source,
            grants::{self, NewGrant},
            verify,
        },
    },
    walk::*,
};

pub struct Credits;

const CALLS: &str = "/api/sso/v1/credits";

#[async_trait(?Send)]
impl Noun for Credits {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/credits", one(P::ReadCredits))
                .reads(&["kind", "key", "client_id", "from", "until", "after", "before"])
                .refuses_filters(&[
                    ("kind", "nonsense"),
                    ("client_id", "two words"),
                    ("from", "yesterday"),
                    ("until", "2026-13-01"),
                ])
                .filters(&["kind=grant", "kind=hold", "client_id=none", "from=2020-01-01"])
                .statements(7),
            form("/w/{workspace}/credits/notice", one(P::ReadCredits))
                .sends(|_| fields(&[("below", "7")]))
                .types(|_, form| form.fill(&[("below", "7")]))
                .first(|at| (!may_set_notice(at)).then_some(Verdict::Audited(403)))
                .offered(|at| at.has(P::PurchaseCredits) || at.has(P::ManageBilling))
                .like("PUT /api/sso/v1/credits/notice"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/credits", one(P::ReadCredits)),
            call("PUT /api/sso/v1/credits/notice", one(P::ReadCredits))
                .body(|_| json!({"below": 7}))
                .first(|at| (!may_set_notice(at)).then_some(Verdict::Audited(403))),
            call("GET /api/sso/v1/credits/transfers", one(P::ReadCredits)),
            call("POST /api/sso/v1/credits/holds", one(P::SpendCredits))
                .body(|_| json!({"id": fresh_id(), "amount": 2}))
                .writes(0),
            call("GET /api/sso/v1/credits/holds/{hold}", one(P::ReadCredits)),
            call("POST /api/sso/v1/credits/holds/{hold}/settlement", one(P::SpendCredits))
                .body(|_| json!({"id": fresh_id(), "amount": 1}))
                .succeeds_with(200)
                .writes(0),
            call("POST /api/sso/v1/credits/holds/{hold}/release", one(P::SpendCredits))
                .body(|_| json!({"id": fresh_id()}))
                .succeeds_with(200)
                .writes(0),
            call("POST /api/sso/v1/credits/usage", one(P::SpendCredits))
                .body(|_| json!({"id": fresh_id(), "amount": 2}))
                .succeeds_with(200)
                .writes(0),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("hold").every(|facts| facts.ids("credit_holds"))]
    }

    /// Two grants that say where they are, and a hold of one of them.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, note) = (plot.app, plot.slug().to_owned(), plot.name("Grant"));
        grant_for(app, &slug, 1_000, 30, Source::Included, &note).await;
        grant_for(app, &slug, 1_000, 60, Source::Bought, &note).await;
        let hold = add_hold(app, &slug, 5).await;
        plot.put("hold", hold);
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        let db = handle(app).await;
        for _ in 0..n {
            grant_by(&db, app, "acme", 10, 40, Source::Included, "").await;
        }
        db.close().await;
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO credit_ledgers (workspace_id, seq, hash, at, issued_id, spent_id, expired_id)
                SELECT w.id, 100000, {bytes}, 0, {id}, {id}, {id} FROM workspaces w",
            "INSERT INTO credit_accounts (id, workspace_id, kind, note, created_at, balance)
                SELECT l.issued_id, l.workspace_id, 'issued', '', 0, 0 FROM credit_ledgers l",
            "INSERT INTO credit_accounts (id, workspace_id, kind, note, created_at, balance)
                SELECT l.spent_id, l.workspace_id, 'spent', '', 0, 0 FROM credit_ledgers l",
            "INSERT INTO credit_accounts (id, workspace_id, kind, note, created_at, balance)
                SELECT l.expired_id, l.workspace_id, 'expired', '', 0, 0 FROM credit_ledgers l",
            // Over a page of what is left in one workspace, many grants of the past, and one in each of the others.
            "INSERT INTO credit_accounts (id, workspace_id, kind, source, expires_at, note, created_at, granted, balance)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'), 'grant', 'included', {then} + i, '', 0, 9,
                    CASE WHEN i < 20 THEN 9 ELSE 0 END FROM n",
            "INSERT INTO credit_accounts (id, workspace_id, kind, source, expires_at, note, created_at, granted, balance)
                SELECT {id}, w.id, 'grant', 'bought', {then}, '', 0, 9, 9 FROM workspaces w",
            "INSERT INTO credit_accounts (id, workspace_id, kind, grant_id, note, created_at, balance)
                SELECT {id}, a.workspace_id, 'held', a.id, '', 0, 0 FROM credit_accounts a WHERE a.kind = 'grant'",
            "INSERT INTO credit_holds (id, workspace_id, amount, status, settled, key_name, note, created_at, expires_at,
                    closed_at)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'), 2, 'settled', 1, '', '', 0, {then}, 1 FROM n",
            "INSERT INTO credit_holds (id, workspace_id, amount, status, settled, key_name, note, created_at, expires_at)
                SELECT {id}, w.id, 2, 'open', 0, '', '', 0, {then} FROM workspaces w",
            "INSERT INTO credit_transfers (workspace_id, seq, id, at, kind, debit_id, credit_id, amount, hold_id, client_id,
                    api_key_id, key_name, note, hash)
                SELECT w.id, i, {id}, i, CASE WHEN i % 2 = 0 THEN 'usage' ELSE 'expiry' END, d.id, c.id, 1, NULL,
                    'client-' || i, NULL, '', '', {bytes}
                FROM n JOIN workspaces w ON w.slug = 'seed-1'
                JOIN credit_accounts d ON d.workspace_id = w.id AND d.kind = 'issued'
                JOIN credit_accounts c ON c.workspace_id = w.id AND c.kind = 'spent'",
            "INSERT INTO credit_transfers (workspace_id, seq, id, at, kind, debit_id, credit_id, amount, key_name, note,
                    hash)
                SELECT w.id, 5000, {id}, 1, 'usage', d.id, c.id, 1, '', '', {bytes}
                FROM workspaces w JOIN credit_accounts d ON d.workspace_id = w.id AND d.kind = 'issued'
                JOIN credit_accounts c ON c.workspace_id = w.id AND c.kind = 'spent' WHERE w.slug <> 'seed-1'",
            "INSERT INTO credit_requests (workspace_id, client_id, request_hash, answer, at)
                SELECT (SELECT id FROM workspaces WHERE slug = 'seed-1'), 'client-' || i, {bytes}, '', 0 FROM n",
            "INSERT INTO credit_days (workspace_id, day, used)
                SELECT (SELECT id FROM workspaces WHERE slug = 'seed-1'), i, 1 FROM n",
            "INSERT INTO credit_days (workspace_id, day, used) SELECT w.id, {then}, 1 FROM workspaces w",
        ]
    }

    fn plans(&self) -> Plans {
        Plans { many: &["credit_transfers", "credit_requests", "credit_holds"], ..Plans::default() }
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        grant_for(tour.app, "seed-1", 1_000, 30, Source::Included, "").await;
        tour.app.take_statements();
        let id = Uuid::from_u128(1);
        let (key, days) = (format!("key={id}"), "from=1970-01-01&until=2100-01-01");
        let all = format!("{key}&kind=usage&client_id=client-2&{days}");
        let narrow =
            ["kind=usage", &key, "client_id=client-2", "from=1970-01-01", "until=2100-01-01", days, &all];
        tour.list("credits", "", &narrow).await;
        let base = format!("{HOME}/credits");
        tour.post(&owner, &format!("{base}/notice"), &[("below", "1000000")], 303).await;
        tour.post(&owner, &format!("{base}/notice"), &[("below", "0")], 422).await;
        let viewer = tour.viewer.clone();
        tour.get(&viewer, &base, 403).await;
        tour.call("credits").await;
        tour.call("credits/transfers?kind=usage").await;
        let robot = tour.robot.clone();
        let post = async |path: &str, body: Value, status: u16| {
            robot.post(&format!("{CALLS}/{path}"), &body).await.with_status(status)
        };
        for n in 0..2 {
            let held = post("holds", json!({"id": format!("h{n}"), "amount": 20}), 201).await;
            let hold = held.body["hold"]["id"].as_str().unwrap().to_owned();
            robot.get(&format!("{CALLS}/holds/{hold}")).await.with_status(200);
            let end = ["settlement", "release"][n];
            let body =
                [json!({"id": format!("e{n}"), "amount": 5}), json!({"id": format!("e{n}")})][n].clone();
            post(&format!("holds/{hold}/{end}"), body, 200).await;
        }
        post("usage", json!({"id": "u", "amount": 20}), 200).await;
        post("usage", json!({"id": "u", "amount": 20}), 200).await;
        post("usage", json!({"id": "v", "amount": 999_999_999}), 402).await;
        tour.keep("credits");
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures.add("empty-credits", 200, demo.founder.client.get("/w/acme/credits").await);
        let slug = demo.base.trim_start_matches("/w/").to_owned();
        let note: String = demo.name("Plan of the year").chars().take(150).collect();
        grant_for(&demo.app, &slug, 50_000, 300, Source::Included, &note).await;
        grant_for(&demo.app, &slug, 1_200, 20, Source::Bought, &note).await;
        add_hold(&demo.app, &slug, 40).await;
        let key = workspace_key(&demo.app, &slug, &["developer"]).await;
        for n in 0..60 {
            let body = json!({"id": format!("invoice-{n}"), "amount": 7 * (n + 1), "note": note});
            key.post(&format!("{CALLS}/usage"), &body).await.with_status(200);
        }
        let list = demo.owner.get(&demo.at("/credits")).await;
        pictures.add("credits-of-request", 200, demo.owner.get(&list.link("credits?client_id=")).await);
        let next = list.attributes("[rel=next]", "href").remove(0);
        pictures.add("credits-many-next", 200, demo.owner.get(&next).await);
        pictures.add("credits-refused", 422, demo.owner.get(&demo.at("/credits?from=yesterday")).await);
        pictures.add("credits-none", 200, demo.owner.get(&demo.at("/credits?client_id=nothing")).await);
        pictures.add("credits", 200, list);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let at = demo.at("/credits/notice");
        let refused = demo.owner.post_form(&at, &[("below", "-1")]).await;
        pictures.add("credits-notice-refused", 422, refused);
    }
}

/// An id that no request had.
fn fresh_id() -> String {
    new_id().to_string()
}

fn may_set_notice(at: &Attempt<'_>) -> bool {
    at.has(P::PurchaseCredits) || at.has(P::ManageBilling)
}

/// A handle of the test's own on the app's data, as another node has one.
async fn handle(app: &TestApp) -> Db {
    handle_at(app, app.clock.clone()).await
}

async fn handle_at(app: &TestApp, clock: Clock) -> Db {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), folder.path());
    Db::open(&config, app.url(), clock).await.unwrap()
}

/// Credits that expire in so many days, as `bailiwick grant-credits` brings them in. Returns the id of the transfer.
async fn grant_for(app: &TestApp, slug: &str, amount: i64, days: i64, source: Source, note: &str) -> Uuid {
    let db = handle(app).await;
    let made = grant_by(&db, app, slug, amount, days, source, note).await;
    db.close().await;
    made
}

async fn grant_by(
    db: &Db,
    app: &TestApp,
    slug: &str,
    amount: i64,
    days: i64,
    source: Source,
    note: &str,
) -> Uuid {
    let new = NewGrant {
        amount: Amount::parse("amount", amount).unwrap(),
        source,
        expires_at: app.clock.now() + days * DAY,
        note: Description::parse(note).unwrap(),
    };
    grants::grant_by_operator(db, &Slug::parse(slug).unwrap(), &new).await.unwrap().transfer
}

/// Credits for 30 days.
pub async fn grant(app: &TestApp, slug: &str, amount: i64) -> Uuid {
    grant_for(app, slug, amount, 30, Source::Included, "").await
}

/// What was altered in the ledgers, a line each.
pub async fn findings(app: &TestApp) -> Vec<String> {
    let db = handle(app).await;
    let report = verify::verify(&db).await.unwrap();
    db.close().await;
    report.findings.iter().map(ToString::to_string).collect()
}

/// Makes the ledgers of a world whole: the hold that is planted in each has no hash, and is its last transfer.
pub async fn remove_planted_holds(app: &TestApp) {
    let unguard = match app.backend {
        Backend::Sqlite => "DROP TRIGGER credit_transfers_no_delete",
        Backend::Postgres => "ALTER TABLE credit_transfers DISABLE TRIGGER credit_transfers_no_change",
    };
    for sql in [
        unguard,
        "UPDATE credit_accounts SET balance = balance + (SELECT t.amount FROM credit_transfers t
            WHERE t.workspace_id = credit_accounts.workspace_id AND t.kind = 'hold' AND t.debit_id = credit_accounts.id)
            WHERE id IN (SELECT t.debit_id FROM credit_transfers t WHERE t.kind = 'hold')",
        "UPDATE credit_accounts SET balance = 0 WHERE kind = 'held'",
        "UPDATE credit_ledgers SET seq = seq - 1",
        "DELETE FROM credit_transfers WHERE kind = 'hold'",
        "DELETE FROM credit_holds",
    ] {
        app.execute(sql).await;
    }
    assert_eq!(findings(app).await, Vec::<String>::new());
}

/// A hold of 30 days, with all that belongs to it but the hash: the clock of a walk goes far.
async fn add_hold(app: &TestApp, slug: &str, amount: i64) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let workspace = app.id(crate::world::workspace_id(app, slug).await);
    let grant = app
        .scalar_uuid(&format!(
            "SELECT id FROM credit_accounts WHERE workspace_id = {workspace} AND kind = 'grant' AND balance > {amount}
            ORDER BY expires_at LIMIT 1"
        ))
        .await;
    let held =
        app.scalar_uuid(&format!("SELECT id FROM credit_accounts WHERE grant_id = {}", app.id(grant))).await;
    let [grant, held, hold] = [grant, held, id].map(|id| app.id(id));
    let bytes = match app.backend {
        Backend::Sqlite => "X'00'",
        Backend::Postgres => "'\\x00'::bytea",
    };
    for sql in [
        format!(
            "INSERT INTO credit_holds (id, workspace_id, amount, status, settled, client_id, key_name, note, created_at,
                expires_at)
            VALUES ({hold}, {workspace}, {amount}, 'open', 0, 'planted', '', '', {now}, {now} + 2592000000)"
        ),
        format!("UPDATE credit_accounts SET balance = balance - {amount} WHERE id = {grant}"),
        format!("UPDATE credit_accounts SET balance = balance + {amount} WHERE id = {held}"),
        format!(
            "INSERT INTO credit_transfers (workspace_id, seq, id, at, kind, debit_id, credit_id, amount, hold_id,
                key_name, note, hash)
            SELECT l.workspace_id, l.seq + 1, {}, {now}, 'hold', {grant}, {held}, {amount}, {hold}, '', '', {bytes}
            FROM credit_ledgers l WHERE l.workspace_id = {workspace}",
            app.id(new_id())
        ),
        format!("UPDATE credit_ledgers SET seq = seq + 1 WHERE workspace_id = {workspace}"),
    ] {
        assert_eq!(app.execute(&sql).await, 1, "{sql}");
    }
    id
}
