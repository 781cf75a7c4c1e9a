//! Stripe is away, refuses, or answers nonsense: nothing is done twice, nothing is lost, and nothing secret is shown.

use super::{
    Scene,
    fake::{Fake, HOST, KEY, SIGNING, Trouble},
};
use crate::{
    nouns::billing::{add_invoice, drift, handle},
    support::{product::billing::collect, program, *},
    world::{rows_of, workspace_id},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The keys that each address was sent, in order.
fn keys(fake: &Fake) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, path, key) in fake.requests() {
        keys.entry(path).or_default().extend(key);
    }
    keys.retain(|_, keys| !keys.is_empty());
    keys
}

both! {
    // Breaks where a node looks at one row after another.
    async fn what_hangs_holds_up_nobody_else(backend: Backend) {
        let fake = Fake::open().await;
        let app = TestApp::on(backend).with(fake.settings()).spawn().await;
        new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "two@example.com", "elsewhere").await;
        fake.is_in(Trouble::Hangs(workspace_id(&app, "acme").await));
        for months in 1..=5 {
            add_invoice(&app, "acme", months, "Customer").await;
        }
        let other = add_invoice(&app, "elsewhere", 1, "Customer").await;
        let db = handle(&app).await;
        assert_eq!(collect::adopt(&db).await.unwrap(), 6);
        db.close().await;
        let of_other = format!("SELECT status FROM provider_invoices WHERE invoice_id = {}", app.id(other));
        until("it waits for those that hang", async || {
            app.scalar_text(&of_other).await.as_deref() == Some("open")
        })
        .await;
        // Nobody has given up on them meanwhile.
        let given_up = "SELECT COUNT(*) FROM provider_invoices WHERE failures > 0 OR status <> 'waiting'";
        assert_eq!(app.scalar_i64(given_up).await, 1);
    }

    // Breaks where a key is made anew for each attempt.
    async fn a_change_whose_answer_is_lost_is_made_once(backend: Backend) {
        let scene = Scene::on(backend).await;
        let fake = &scene.fake;
        fake.loses_answers();
        scene.invoice().await;
        scene.becomes("open").await;
        assert_eq!((fake.all("customer").len(), fake.all("invoice").len(), fake.all("invoiceitem").len()), (1, 1, 1));
        assert_eq!(fake.one("invoice")["total"], 1840);
        let keys = keys(fake);
        // Stripe keeps what it did: an item that is there, or an invoice that is finalized, is seen and not sent again.
        for path in ["/v1/customers", "/v1/invoices"] {
            assert!(keys[path].len() >= 2, "{keys:?}");
        }
        for (path, keys) in &keys {
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 1, "{path}: {keys:?}");
        }
        fake.collects();
        scene.app.clock.advance(Duration::from_secs(86_400));
        // No message came: it is looked at once a day.
        scene.becomes("paid").await;
        assert_eq!((scene.count("payments").await, drift(&scene.app).await), (1, Vec::new()));
        fake.check();
    }

    // Breaks without `latest_invoices` in create (payments.rs): its number is taken, and a second one is never made.
    async fn what_was_created_is_found_again_after_its_key_is_forgotten(backend: Backend) {
        let scene = Scene::on(backend).await;
        let fake = &scene.fake;
        fake.loses_answers();
        scene.invoice().await;
        eventually(async || {
            scene.app.clock.advance(Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(50)).await;
            if fake.all("invoice").len() == 1 { Ok(()) } else { Err("no invoice is created".to_owned()) }
        })
        .await;
        fake.forgets_keys();
        scene.becomes("open").await;
        assert_eq!(fake.all("invoice").len(), 1);
        fake.check();
    }

    // Breaks without Looked::Deleted in look_at_customer (payments.rs).
    async fn a_customer_that_is_deleted_at_stripe_is_replaced(backend: Backend) {
        let scene = Scene::on(backend).await;
        let fake = &scene.fake;
        scene.invoice().await;
        scene.becomes("open").await;
        let old = fake.one("customer")["id"].clone();
        fake.set(old.as_str().unwrap(), json!({"deleted": true}));
        scene.invoice().await;
        scene.becomes("open").await;
        assert_eq!((fake.all("customer").len(), scene.count("provider_customers").await), (2, 1));
        let of_new = fake.all("invoice").iter().filter(|invoice| invoice["customer"] != old).count();
        assert_eq!((fake.all("invoice").len(), of_new), (2, 1));
        fake.check();
    }

    // Breaks where a key is kept after a refusal, which Stripe would repeat, or is not kept after anything else.
    async fn while_stripe_fails_invoices_stay_open_and_pages_say_so(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, fake, owner } = &scene;
        fake.is_in(Trouble::Silent);
        let page = owner.client.visit("/w/acme/billing").await;
        let back = owner.client.submit(&page, "/payment-methods", &[]).await.with_status(303);
        owner.client.follow(back).await.assert_says("Stripe can't be reached at the moment. Nothing was changed.");
        assert_eq!(scene.count("provider_customers").await, 0);
        let invoice = scene.invoice().await;
        let at = format!("/w/acme/billing/invoices/{invoice}");
        let mut client = sign_in(app, &owner.email, PASSWORD).await;
        let mut attempts = Vec::new();
        for (trouble, says) in [
            (Trouble::Silent, "Stripe can't be reached at the moment."),
            (Trouble::Status(402, "card_declined"), "Stripe could not collect the payment."),
            (Trouble::Status(429, "rate_limit"), "Stripe can't be reached at the moment."),
            (Trouble::Garbage, "Stripe does not take this invoice at the moment."),
            (Trouble::Status(500, "api_error"), "Stripe can't be reached at the moment."),
            (Trouble::Status(401, "api_key_expired"), "Stripe does not take this invoice at the moment."),
        ] {
            fake.is_in(trouble);
            let before = fake.requests().len();
            eventually(async || {
                app.clock.advance(Duration::from_secs(30));
                tokio::time::sleep(Duration::from_millis(50)).await;
                let problem = app.scalar_text("SELECT problem FROM provider_invoices").await.unwrap_or_default();
                let is_tried = fake.requests().len() > before;
                if is_tried && problem == says { Ok(()) } else { Err(format!("{trouble:?}: {problem}")) }
            })
            .await;
            attempts.push(keys(fake)["/v1/customers"].iter().collect::<BTreeSet<_>>().len());
            client = if client.get(&at).await.status.as_u16() == 200 { client } else { sign_in(app, &owner.email, PASSWORD).await };
            client.visit(&at).await.assert_says(says).assert_says("The invoice stays open, and it is tried again");
            assert_eq!((scene.status().await.as_str(), scene.count("payments").await), ("waiting", 0));
        }
        // The refusal has led to another key, and what came after it has not.
        let [_, declined, limited, garbage, failed, _] = attempts[..] else { panic!("{attempts:?}") };
        assert!(declined < limited && limited == garbage && garbage == failed, "{attempts:?}");
        let shown: Vec<String> = rows_of(app, workspace_id(app, "acme").await).await;
        assert!(shown.iter().all(|row| !row.contains("canary")), "{shown:?}");
        fake.is_in(Trouble::Nothing);
        eventually(async || {
            app.clock.advance(Duration::from_secs(600));
            tokio::time::sleep(Duration::from_millis(50)).await;
            if scene.status().await == "open" { Ok(()) } else { Err(scene.status().await) }
        })
        .await;
        fake.collects();
        scene.hears(1, "invoice.paid", &fake.one("invoice")).await;
        scene.becomes("paid").await;
        assert_eq!((scene.count("payments").await, drift(app).await), (1, Vec::new()));
        let problem = app.scalar_text("SELECT problem FROM provider_invoices").await;
        assert_eq!(problem.as_deref(), Some(""));
    }

    // Breaks where a text of Stripe's is logged or stored: it repeats the key here.
    async fn the_secret_key_is_seen_nowhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let invoice = add_invoice(&app, "acme", 1, "Customer").await;
        let fake = Fake::open().await;
        fake.is_in(Trouble::Status(400, KEY));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stripe.key");
        std::fs::write(&file, format!("{KEY}\n")).unwrap();
        let url = format!("https://{HOST}");
        let mut settings = vec![
            ("BAILIWICK_STRIPE_URL", url.as_str()),
            ("BAILIWICK_STRIPE_SECRET_KEY_FILE", file.to_str().unwrap()),
            ("BAILIWICK_STRIPE_WEBHOOK_SECRET", SIGNING),
            ("RUST_LOG", "debug"),
        ];
        let reachable = fake.upstream.environment();
        settings.extend(reachable.iter().map(|(name, value)| (*name, value.as_str())));
        let served = Program::serve(&app.database, dir.path(), &settings).await;
        until("no failure is logged", async || served.log().contains("could not collect an invoice")).await;
        assert!(fake.upstream.requests().iter().any(|request| request.head.contains(KEY)), "it was sent");
        app.note_change();
        let client = owner.client;
        let mut texts = vec![served.log()];
        for page in ["/w/acme/billing".to_owned(), format!("/w/acme/billing/invoices/{invoice}"), "/w/acme/activity".to_owned()] {
            texts.push(client.visit(&page).await.html);
        }
        texts.extend(rows_of(&app, workspace_id(&app, "acme").await).await);
        settings.push(("BAILIWICK_STRIPE_SECRET_KEY", KEY));
        for command in [&["check-config"][..], &["--help"], &["serve", "--stripe-url", "http://x"], &["serve", "--stripe-secret-key"]] {
            let done = program::run(dir.path(), command, &settings);
            texts.push(format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)));
        }
        assert!(texts.iter().any(|text| text.contains("BAILIWICK_STRIPE_SECRET_KEY")), "the settings are among them");
        assert_eq!(texts.iter().filter(|text| text.contains("canary")).cloned().collect::<Vec<_>>(), Vec::<String>::new());
    }
}
