//! Stripe collects what invoices amount to. Decision 54 says what is asked there; `docs/billing.md` says which part of that
//! is checked by what.

mod details;
pub mod fake;
mod gone;
mod local;
mod messages;
mod objects;
mod pages;
mod troubles;

use crate::{
    nouns::billing::{choose, drift, handle_with, next_month},
    support::{
        product::{Description, InvoiceCommand, billing::issue, run_invoice},
        *,
    },
};
use fake::{Fake, SIGNING, python};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const PATH: &str = "/webhooks/stripe";

/// An app that Stripe collects for, and its owner.
struct Scene {
    app: TestApp,
    fake: Fake,
    owner: Person,
}

impl Scene {
    async fn on(backend: Backend) -> Self {
        let fake = Fake::open().await;
        let app = TestApp::on(backend).with(fake.settings()).spawn().await;
        let owner = new_owner(&app).await;
        Self { app, fake, owner }
    }

    /// Issues the invoice of a month with two seats, which is over. Sessions have ended by then. Returns its id.
    async fn invoice(&self) -> Uuid {
        if self.count("billing_terms").await == 0 {
            // From the first day on, so that the month costs what a whole one does.
            next_month(&self.app, 0);
            let client = sign_in(&self.app, &self.owner.email, PASSWORD).await;
            choose(&client, "acme", "team", "2").await.assert_status(303);
        }
        next_month(&self.app, 0);
        let db = handle_with(&self.app, self.app.clock.clone(), self.fake.settings()).await;
        issue::issue_due(&db).await.unwrap();
        db.close().await;
        self.app.note_change();
        self.app.scalar_uuid("SELECT id FROM invoices ORDER BY number DESC LIMIT 1").await
    }

    async fn count(&self, table: &str) -> i64 {
        self.app.scalar_i64(&format!("SELECT COUNT(*) FROM {table}")).await
    }

    /// How the latest invoice stands at Stripe.
    async fn status(&self) -> String {
        let sql = "SELECT c.status FROM provider_invoices c JOIN invoices i ON i.id = c.invoice_id
            ORDER BY i.number DESC LIMIT 1";
        self.app.scalar_text(sql).await.unwrap_or_default()
    }

    /// Waits until it stands so. Time passes meanwhile.
    async fn becomes(&self, status: &str) {
        eventually(async || {
            self.app.clock.advance(Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.status().await;
            if now == status { Ok(()) } else { Err(format!("{now}, and not {status}")) }
        })
        .await;
        self.app.note_change();
    }

    async fn pay_by_hand(&self, number: i64) {
        let db = handle_with(&self.app, self.app.clock.clone(), self.fake.settings()).await;
        let reference = Description::parse("Statement 12").unwrap();
        run_invoice(&db, InvoiceCommand::Pay { number, reference }).await.unwrap();
        db.close().await;
        self.app.note_change();
    }

    /// Sends a message as Stripe does now.
    async fn hears(&self, n: usize, kind: &str, object: &Value) {
        let payload = event(n, kind, object);
        let headers = signed(&[(payload.as_str(), SIGNING, self.app.clock.now().as_seconds())]);
        send(&self.app.client(), &payload, &headers[0]).await.assert_status(200);
    }
}

/// A message of Stripe's.
fn event(n: usize, kind: &str, object: &Value) -> String {
    let message = json!({
        "id": format!("evt_{n}"), "object": "event", "type": kind, "created": 1_700_000_000, "livemode": false,
        "api_version": "2026-05-27.dahlia", "pending_webhooks": 1, "data": {"object": object},
    });
    message.to_string()
}

/// The headers that Stripe's own library signs these with: the payload, the secret, the time in seconds.
fn signed(messages: &[(&str, &str, i64)]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stripe/sign.py");
    let line = |(payload, secret, timestamp): &(&str, &str, i64)| json!({"payload": payload, "secret": secret, "timestamp": timestamp});
    python(&[script], &messages.iter().map(line).collect::<Vec<_>>())
}

/// Sends a message as a program does, which is no browser.
async fn send(client: &Client, payload: &str, header: &str) -> Page {
    let client = client.without_header("origin").without_header("sec-fetch-site");
    let client = if header.is_empty() { client } else { client.with_header("stripe-signature", header) };
    client.post_raw(PATH, payload, "application/json").await
}

both! {
    async fn a_card_is_saved_at_stripe_and_an_invoice_is_charged_to_it(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, fake, owner } = &scene;
        let page = owner.client.visit("/w/acme/billing").await;
        page.assert_says("Save a payment method");
        let leave = owner.client.submit(&page, "/payment-methods", &[]).await.with_status(200);
        assert!(leave.html.contains("https://checkout.stripe.example/c/pay/"), "{}", leave.html);
        assert!(leave.header("content-security-policy").unwrap().contains("form-action 'self'"));
        let session = fake.one("checkout.session");
        assert_eq!((&session["mode"], &session["customer"]), (&json!("setup"), &fake.one("customer")["id"]));
        assert!(session["success_url"].as_str().unwrap().ends_with("/w/acme/billing"));
        fake.completes_checkout();
        scene.hears(1, "checkout.session.completed", &session).await;
        until("the card is not known", async || {
            app.scalar_i64("SELECT COUNT(*) FROM provider_customers WHERE has_method").await == 1
        })
        .await;
        assert_eq!(fake.one("customer")["invoice_settings"]["default_payment_method"], "pm_1");
        let page = owner.client.visit("/w/acme/billing").await;
        page.assert_says("Change payment methods");
        let leave = owner.client.submit(&page, "/payment-methods", &[]).await.with_status(200);
        assert!(leave.html.contains("https://billing.stripe.example/p/session/1"), "{}", leave.html);
        let opened = "SELECT COUNT(*) FROM audit_events WHERE kind = 'billing.payment-methods-opened'";
        assert_eq!(app.scalar_i64(opened).await, 2);

        let invoice = scene.invoice().await;
        scene.becomes("open").await;
        let there = fake.one("invoice");
        assert_eq!(there["number"], "INV-000001");
        assert_eq!((&there["total"], &there["currency"], &there["auto_advance"]), (&json!(1840), &json!("eur"), &json!(true)));
        assert_eq!(there["metadata"]["invoice"], invoice.to_string());
        let client = sign_in(app, &owner.email, PASSWORD).await;
        let page = client.visit(&format!("/w/acme/billing/invoices/{invoice}")).await;
        page.assert_says("Pay with Stripe").assert_says("Stripe charges it to the payment method");
        assert!(page.html.contains("https://invoice.stripe.example/i/"), "{}", page.html);
        // Whoever has the link needs nothing else, so whoever can only view billing does not get it.
        app.execute("INSERT INTO grants (workspace_id, role_id, scope) SELECT workspace_id, id, 'read:billing' FROM roles WHERE slug = 'viewer'").await;
        let call = format!("/api/sso/v1/billing/invoices/{invoice}");
        let (billing, viewer) = (workspace_key(app, "acme", &["billing"]).await, workspace_key(app, "acme", &["viewer"]).await);
        for (key, expected) in [(&billing, &there["hosted_invoice_url"]), (&viewer, &Value::Null)] {
            let body = key.get(&call).await.with_status(200).body;
            assert_eq!((&body["invoice"]["number"], &body["payment_page"]), (&json!("INV-000001"), expected));
        }

        let id = fake.collects();
        scene.hears(2, "invoice.paid", &fake.one("invoice")).await;
        scene.becomes("paid").await;
        let payment = app.rows("SELECT provider, reference, amount FROM payments").await.remove(0);
        assert_eq!(payment, json!({"provider": "stripe", "reference": id, "amount": 1840}));
        client.visit("/w/acme/billing").await.assert_says("Paid with Stripe").assert_says(&id);
        client.visit(&format!("/w/acme/billing/invoices/{invoice}")).await.assert_silent_about("Pay with Stripe");
        assert_eq!(billing.get(&call).await.with_status(200).body["payment_page"], Value::Null);
        assert_eq!(drift(app).await, Vec::<String>::new());
        fake.check();
    }

    // Breaks without `is_paid_elsewhere` in look_at_invoice (payments.rs).
    async fn what_was_paid_in_another_way_is_collected_by_nobody(backend: Backend) {
        let scene = Scene::on(backend).await;
        scene.invoice().await;
        scene.becomes("open").await;
        // The answer to the same key says that it was we who made it paid there.
        scene.fake.loses_answers();
        scene.pay_by_hand(1).await;
        scene.becomes("settled").await;
        let there = scene.fake.one("invoice");
        assert_eq!((&there["status"], &there["amount_paid_off_stripe"], &there["amount_paid"]), (&json!("paid"), &json!(1840), &json!(0)));
        assert_eq!(scene.count("payments").await, 1);
        assert_eq!(drift(&scene.app).await, Vec::<String>::new());
        // Before it was there at all.
        scene.fake.is_in(fake::Trouble::Silent);
        scene.invoice().await;
        scene.pay_by_hand(2).await;
        scene.fake.is_in(fake::Trouble::Nothing);
        scene.becomes("settled").await;
        assert!(scene.fake.all("invoice").iter().all(|invoice| invoice["status"] != "open"));
        assert_eq!((scene.count("payments").await, drift(&scene.app).await), (2, Vec::new()));
        scene.fake.check();
    }

    async fn what_was_paid_twice_or_does_not_fit_is_found(backend: Backend) {
        let scene = Scene::on(backend).await;
        scene.invoice().await;
        scene.becomes("open").await;
        scene.fake.collects();
        scene.pay_by_hand(1).await;
        scene.becomes("twice").await;
        assert_eq!(scene.count("payments").await, 1);
        assert!(drift(&scene.app).await.join("; ").contains("paid at Stripe, and in another way too"));
        for (fields, status, found) in [
            (json!({"status": "paid", "total": 5}), "differs", "another amount"),
            (json!({"status": "paid", "currency": "usd"}), "differs", "another amount"),
            (json!({"status": "void"}), "closed", "closed at Stripe without a payment"),
            (json!({"total": 5}), "differs", "another amount"),
        ] {
            scene.invoice().await;
            scene.becomes("open").await;
            let all = scene.fake.all("invoice");
            let open = all.iter().find(|invoice| invoice["status"] == "open").unwrap();
            scene.fake.set(open["id"].as_str().unwrap(), fields);
            scene.hears(usize::try_from(scene.count("invoices").await).unwrap(), "invoice.updated", open).await;
            scene.becomes(status).await;
            assert!(drift(&scene.app).await.join("; ").contains(found), "{status}");
        }
        assert_eq!(scene.count("payments").await, 1);
    }

    // Breaks without 'closed' in hints::take, or in is_over and end_invoice (nouns/billing): the money is at Stripe, and the
    // invoice stays open here.
    async fn what_stripe_gave_up_can_still_be_paid_there(backend: Backend) {
        let scene = Scene::on(backend).await;
        scene.invoice().await;
        scene.becomes("open").await;
        let there = scene.fake.one("invoice");
        let id = there["id"].as_str().unwrap();
        scene.fake.set(id, json!({"status": "uncollectible"}));
        scene.hears(1, "invoice.marked_uncollectible", &there).await;
        scene.becomes("closed").await;
        assert!(drift(&scene.app).await.join("; ").contains("closed at Stripe without a payment"));
        scene.fake.set(id, json!({"status": "paid"}));
        scene.hears(2, "invoice.paid", &there).await;
        scene.becomes("paid").await;
        assert_eq!((scene.count("payments").await, drift(&scene.app).await), (1, Vec::new()));
        // What was voided there, and paid in another way, is settled.
        let invoice = scene.invoice().await;
        scene.becomes("open").await;
        let all = scene.fake.all("invoice");
        let open = all.iter().find(|there| there["metadata"]["invoice"] == invoice.to_string()).unwrap();
        scene.fake.set(open["id"].as_str().unwrap(), json!({"status": "void"}));
        scene.hears(3, "invoice.voided", open).await;
        scene.becomes("closed").await;
        scene.pay_by_hand(2).await;
        assert_eq!((scene.count("payments").await, drift(&scene.app).await), (2, Vec::new()));
        assert_eq!(scene.status().await, "closed");
    }

    async fn open_invoices_are_collected_once_stripe_is_set(app: TestApp) {
        next_month(&app, 0);
        let owner = new_owner(&app).await;
        choose(&owner.client, "acme", "team", "2").await.assert_status(303);
        next_month(&app, 0);
        let db = crate::nouns::billing::handle(&app).await;
        issue::issue_due(&db).await.unwrap();
        db.close().await;
        // Without Stripe nothing is there.
        let client = sign_in(&app, &owner.email, PASSWORD).await;
        let refused = app.unchanged_by(client.post_form("/w/acme/billing/payment-methods", &[])).await;
        refused.assert_status(409).assert_says("collects no payments by itself");
        assert_eq!(send(&app.client(), "{}", "t=1,v1=00").await.status.as_u16(), 404);
        app.client().get(PATH).await.assert_status(404);
        let fake = Fake::open().await;
        let app = app.restart_with(fake.settings()).await;
        let scene = Scene { app, fake, owner };
        scene.becomes("open").await;
        assert_eq!(scene.fake.one("invoice")["total"], 1840);
    }
}
