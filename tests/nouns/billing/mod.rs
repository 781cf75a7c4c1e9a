//! Billing: the plan, seats, invoices.

mod behaviour;
mod gallery;
mod invoices;
pub mod races;

use crate::{
    support::product::{
        Clock, Config, DAY, Db,
        billing::{cost::Month, reconcile},
    },
    walk::*,
};
use reqwest::Method;
use std::time::Duration;

pub struct Billing;

const CALLS: &str = "/api/sso/v1/billing";

#[async_trait(?Send)]
impl Noun for Billing {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/billing", one(P::ReadBilling)).reads(&["after", "before"]).statements(9),
            page("/w/{workspace}/billing/change", one(P::ManageBilling))
                .reads(&["plan", "seats"])
                .statements(2),
            // The credits that come at once are an event too.
            form("/w/{workspace}/billing/change", one(P::ManageBilling))
                .sends(|_| fields(&[("plan", "team")]))
                .also_reads(&["seats"])
                .writes(2)
                .like("PUT /api/sso/v1/billing/plan"),
            form("/w/{workspace}/billing/details", one(P::ManageBilling))
                .sends(|_| fields(&[("contact", "new@example.com"), ("tax_number", "XX7")]))
                .also_reads(&["address"])
                .types(|_, form| form.fill(&[("tax_number", "XX8")]))
                .like("PUT /api/sso/v1/billing/details"),
            form("/w/{workspace}/billing/growth", one(P::ManageBilling))
                .sends(|_| fields(&[("grow_to", "70")]))
                .types(|_, form| form.fill(&[("grow_to", "71")]))
                .like("PUT /api/sso/v1/billing/growth"),
            // Without Stripe, as here, there is no such page; tests/stripe has it.
            form("/w/{workspace}/billing/payment-methods", one(P::ManageBilling))
                .succeeds_with(409)
                .verdict(|_| Verdict::Is(409))
                .offered(|_| false)
                .unlike_any_call("It leads to a page of Stripe, for a browser."),
            page("/w/{workspace}/billing/invoices/{invoice}", one(P::ReadBilling)).statements(4),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/billing", one(P::ReadBilling)),
            call("GET /api/sso/v1/billing/plans", one(P::ReadBilling)),
            call("GET /api/sso/v1/billing/preview", one(P::ManageBilling)).query("plan=team"),
            call("PUT /api/sso/v1/billing/plan", one(P::ManageBilling))
                .body(|_| json!({"plan": "team"}))
                .writes(2),
            call("PUT /api/sso/v1/billing/details", one(P::ManageBilling))
                .body(|_| json!({"contact": "new@example.com", "tax_number": "XX7"})),
            call("PUT /api/sso/v1/billing/growth", one(P::ManageBilling)).body(|_| json!({"grow_to": 70})),
            call("GET /api/sso/v1/billing/invoices", one(P::ReadBilling)),
            call("GET /api/sso/v1/billing/invoices/{invoice}", one(P::ReadBilling)),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("invoice").every(|facts| facts.ids("invoices"))]
    }

    /// An invoice of an earlier month, which is open.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug) = (plot.app, plot.slug());
        let invoice = add_invoice(app, slug, 1, &plot.name("Customer")).await;
        plot.put("invoice", invoice);
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        let before = app.scalar_i64("SELECT COUNT(*) FROM invoices").await;
        for i in 0..n {
            add_invoice(app, "acme", before + 1 + i64::try_from(i).unwrap(), "Customer").await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Nothing is due: all months are invoiced.
            "INSERT INTO billing_profiles (workspace_id, contact, address, tax_number, invoiced_until)
                SELECT w.id, '', '', '', {then} FROM workspaces w",
            // What was agreed of old, in one workspace very often, and costs nothing.
            "INSERT INTO billing_terms (workspace_id, starts_at, plan, plan_name, currency, seat_price, credits)
                SELECT (SELECT id FROM workspaces WHERE slug = 'seed-1'), i, 'free', 'Free', 'EUR', 0, 0 FROM n",
            "INSERT INTO billing_terms (workspace_id, starts_at, plan, plan_name, currency, seat_price, credits)
                SELECT w.id, 1, 'free', 'Free', 'EUR', 0, 0 FROM workspaces w WHERE w.slug <> 'seed-1'",
            "INSERT INTO invoices (id, workspace_id, number, month, currency, total, customer, seller, payment, issued_at,
                    due_at, paid_at)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'), 1000000 + i, i, 'EUR', 5, '', '', '', 0, {then},
                    CASE WHEN i % 50 = 0 THEN NULL ELSE 1 END FROM n WHERE i <= 300",
            "INSERT INTO invoices (id, workspace_id, number, month, currency, total, customer, seller, payment, issued_at,
                    due_at)
                SELECT {id}, w.id, 2000000 + i, 0, 'EUR', 5, '', '', '', 0, {then}
                FROM n JOIN workspaces w ON w.slug = 'alone-' || i",
            "INSERT INTO invoice_lines (workspace_id, invoice_id, position, kind, name, quantity, unit_price, from_at,
                    until_at, amount)
                SELECT i.workspace_id, i.id, 1, 'seats', 'Team', 1, 5, 0, 1, 5 FROM invoices i",
            "INSERT INTO payments (id, workspace_id, invoice_id, provider, reference, amount, received_at)
                SELECT {id}, i.workspace_id, i.id, 'manual', '', 5, 1 FROM invoices i WHERE i.paid_at IS NOT NULL",
            "INSERT INTO provider_invoices (workspace_id, invoice_id, provider, status)
                SELECT i.workspace_id, i.id, 'stripe', 'paid' FROM invoices i",
            "INSERT INTO provider_customers (workspace_id, provider, customer, has_method, created_at)
                SELECT w.id, 'stripe', 'cus_' || w.slug, FALSE, {then} FROM workspaces w",
            "INSERT INTO provider_events (id, kind, received_at) SELECT 'evt_' || i, 'invoice.paid', {then} FROM n",
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let base = format!("{HOME}/billing");
        // What is agreed here counts from now on.
        let of_home = "WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'seed-1')";
        let this_month = Month::of(tour.app.clock.now()).start();
        let sql = format!("UPDATE billing_profiles SET invoiced_until = {this_month} {of_home}");
        assert_eq!(tour.app.execute(&sql).await, 1);
        tour.list("billing", "", &[]).await;
        tour.get(&owner, &format!("{base}/change"), 200).await;
        tour.get(&owner, &format!("{base}/change?plan=team&seats=200"), 200).await;
        tour.get(&owner, &format!("{base}/change?plan=nonsense"), 422).await;
        for plan in ["team", "business", "free", "business"] {
            tour.post(&owner, &format!("{base}/change"), &[("plan", plan)], 303).await;
        }
        tour.post(&owner, &format!("{base}/payment-methods"), &[], 409).await;
        tour.post(&owner, &format!("{base}/details"), &[("address", "Example Ltd")], 303).await;
        // A seat is refused, then added; later stops add people too.
        let invitation = [("emails", "seat@example.com"), ("role", "viewer")];
        tour.post(&owner, &format!("{HOME}/invitations"), &invitation, 409).await;
        tour.post(&owner, &format!("{base}/growth"), &[("grow_to", "100000")], 303).await;
        tour.post(&owner, &format!("{HOME}/invitations"), &invitation, 303).await;
        let invoice = "SELECT i.id FROM invoices i JOIN workspaces w ON w.id = i.workspace_id
            WHERE w.slug = 'seed-1' AND i.paid_at IS NOT NULL LIMIT 1";
        let invoice = tour.app.scalar_uuid(invoice).await;
        tour.get(&owner, &format!("{base}/invoices/{invoice}"), 200).await;
        for path in ["billing", "billing/plans", "billing/preview?plan=team", "billing/invoices"] {
            tour.call(path).await;
        }
        tour.call(&format!("billing/invoices/{invoice}")).await;
        let robot = tour.robot.clone();
        for (path, body) in [
            ("plan", json!({"plan": "business"})),
            ("details", json!({"contact": "billing@example.com"})),
            ("growth", json!({"grow_to": 99999})),
        ] {
            robot.call(Method::PUT, &format!("{CALLS}/{path}"), Some(&body)).await.with_status(200);
        }
        tour.keep("billing");
        // A month of another workspace is over: the tasks of the node invoice it.
        let month = Month::of(tour.app.clock.now());
        let (before, ago) = (Month::of(month.start() - DAY).start(), month.start() - 40 * DAY);
        let seed = "(SELECT id FROM workspaces WHERE slug = 'seed-2')";
        tour.app
            .execute(&format!(
                "UPDATE billing_profiles SET invoiced_until = {before} WHERE workspace_id = {seed}"
            ))
            .await;
        tour.app
            .execute(&format!(
                "INSERT INTO billing_terms (workspace_id, starts_at, plan, plan_name, currency, seat_price, seats, credits)
                VALUES ({seed}, {ago}, 'team', 'Team', 'EUR', 920, 100000, 0)"
            ))
            .await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures.add("empty-billing", 200, demo.founder.client.get("/w/acme/billing").await);
        let slug = demo.slug().to_owned();
        for n in 1..4 {
            add_invoice(&demo.app, &slug, n, &demo.name("Example Ltd")).await;
        }
        let paid = add_invoice(&demo.app, &slug, 5, &demo.name("Example Ltd")).await;
        mark_paid(&demo.app, paid).await;
        let at = |rest: &str| demo.at(&format!("/billing{rest}"));
        pictures.add("billing", 200, demo.owner.get(&at("")).await);
        pictures.add("billing-change", 200, demo.owner.get(&at("/change")).await);
        pictures.add("billing-change-previewed", 200, demo.owner.get(&at("/change?plan=team")).await);
        pictures.add("billing-change-none", 200, demo.owner.get(&at("/change?plan=free")).await);
        pictures.add("billing-change-refused", 422, demo.owner.get(&at("/change?plan=team&seats=1")).await);
        pictures.add("invoice", 200, demo.owner.get(&at(&format!("/invoices/{paid}"))).await);
        pictures.add("billing-not-yours", 403, demo.viewer.get(&at("")).await);
        gallery::pictures_with_stripe(pictures).await;
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, at) = (&demo.owner, |rest: &str| demo.at(&format!("/billing{rest}")));
        let page = owner.get(&at("")).await;
        let refused = [("contact", "nobody"), ("address", "Example Ltd")];
        pictures.add("billing-details-refused", 422, owner.submit(&page, "/details", &refused).await);
        pictures.add(
            "billing-growth-refused",
            422,
            owner.submit(&page, "/growth", &[("grow_to", "0")]).await,
        );
        let page = owner.get(&at("/change?plan=team")).await;
        owner.submit(&page, "/billing/change", &[]).await.assert_status(303);
        let page = owner.get(&at("/change?plan=free")).await;
        owner.submit(&page, "/billing/change", &[]).await.assert_status(303);
        pictures.add("billing-paid", 200, owner.get(&at("")).await);
        let page = owner.get(&demo.at("/invitations")).await;
        let people = [("emails", "one-more@example.com"), ("role", "viewer")];
        let full = owner.submit(&page, &demo.at("/invitations"), &people).await;
        pictures.add("invitation-without-seat", 409, full);
        // As others expect it: anybody can be invited.
        owner.post_form(&at("/growth"), &[("grow_to", "1000")]).await.assert_status(303);
        pictures.add("invitations-with-seats", 200, owner.get(&demo.at("/invitations")).await);
    }
}

/// An open invoice of so many months ago, with one item, in a workspace that has neither changed a plan since nor owes
/// anything else.
pub async fn add_invoice(app: &TestApp, workspace: &str, months_ago: i64, customer: &str) -> Uuid {
    let (id, now) = (new_id(), app.clock.now());
    let mut month = Month::of(now);
    for _ in 0..months_ago {
        month = Month::of(month.start() - DAY);
    }
    let of = format!("FROM workspaces w WHERE w.slug = {} AND w.deleted_at IS NULL", quoted(workspace));
    let number = 900_000 + app.scalar_i64("SELECT COUNT(*) FROM invoices").await;
    let (start, end, issued) = (month.start(), month.end(), month.end() + DAY);
    for sql in [
        format!(
            "INSERT INTO billing_profiles (workspace_id, contact, address, tax_number, invoiced_until)
            SELECT w.id, '', '', '', {} {of} ON CONFLICT (workspace_id) DO NOTHING",
            Month::of(now).start()
        ),
        format!(
            "INSERT INTO invoices (id, workspace_id, number, month, currency, total, customer, seller, payment, issued_at, due_at)
            SELECT {}, w.id, {number}, {start}, 'EUR', 1840, {}, 'Example Hosting', 'Pay soon.', {issued}, {} {of}",
            app.id(id),
            quoted(customer),
            issued + 14 * DAY
        ),
        format!(
            "INSERT INTO invoice_lines (workspace_id, invoice_id, position, kind, name, quantity, unit_price, from_at, until_at,
                amount)
            SELECT w.id, {}, 1, 'seats', 'Team', 2, 920, {start}, {end}, 1840 {of}",
            app.id(id)
        ),
    ] {
        app.execute(&sql).await;
    }
    id
}

async fn mark_paid(app: &TestApp, invoice: Uuid) {
    let (invoice, now) = (app.id(invoice), app.clock.now());
    for sql in [
        format!("UPDATE invoices SET paid_at = {now} WHERE id = {invoice}"),
        format!(
            "INSERT INTO payments (id, workspace_id, invoice_id, provider, reference, amount, received_at)
            SELECT {}, i.workspace_id, i.id, 'manual', 'Statement 12, line 3', i.total, {now} FROM invoices i
            WHERE i.id = {invoice}",
            app.id(new_id())
        ),
    ] {
        assert_eq!(app.execute(&sql).await, 1);
    }
}

/// A handle of the test's own on the app's data, as another node has one; with the app's clock.
pub async fn handle(app: &TestApp) -> Db {
    handle_with(app, app.clock.clone(), |_| ()).await
}

pub async fn handle_with(app: &TestApp, clock: Clock, change: impl Fn(&mut Config)) -> Db {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::for_tests(app.database.url.clone(), folder.path());
    change(&mut config);
    Db::open(&config, app.url(), clock).await.unwrap()
}

/// Moves the clock to the beginning of the next month, and so many days into it. Sessions may have ended by then.
pub fn next_month(app: &TestApp, days: u64) {
    let now = app.clock.now();
    let left = u64::try_from(Month::of(now).end() - now).unwrap();
    app.clock.advance(Duration::from_millis(left) + Duration::from_secs(days * 86_400));
}

/// What does not fit together in billing, a line each.
pub async fn drift(app: &TestApp) -> Vec<String> {
    let db = handle(app).await;
    let found = reconcile::reconcile(&db).await.unwrap();
    db.close().await;
    found.into_iter().map(|drift| drift.what).collect()
}

/// Changes the plan on the page, as somebody does who looked at what it costs.
pub async fn choose(client: &Client, slug: &str, plan: &str, seats: &str) -> Page {
    let page = client.visit(&format!("/w/{slug}/billing/change?plan={plan}&seats={seats}")).await;
    client.submit(&page, "/billing/change", &[]).await
}

/// What is agreed in a workspace now: the plan and the number of seats.
pub async fn agreed(app: &TestApp, slug: &str) -> (String, i64) {
    let now = app.clock.now();
    let of = format!(
        "FROM billing_terms t JOIN workspaces w ON w.id = t.workspace_id
        WHERE w.slug = {} AND t.starts_at <= {now} ORDER BY t.starts_at DESC LIMIT 1",
        quoted(slug)
    );
    let plan = app.scalar_text(&format!("SELECT t.plan {of}")).await.unwrap_or_default();
    (plan, app.scalar_i64(&format!("SELECT COALESCE(t.seats, 0) {of}")).await)
}
