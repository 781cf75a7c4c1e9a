//! Messages of Stripe: signed, fresh, once, and only hints.

use super::{PATH, Scene, event, fake::SIGNING, send, signed};
use crate::{
    nouns::billing::{
        drift,
        races::{spread, tally},
    },
    support::*,
};
use serde_json::json;
use std::collections::BTreeMap;

both! {
    // Breaks without `verify` in receive (routes/stripe_webhook.rs), and without each of its checks.
    async fn only_a_fresh_message_of_stripe_is_taken(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, fake, .. } = &scene;
        scene.invoice().await;
        scene.becomes("open").await;
        fake.collects();
        let (now, paid) = (app.clock.now().as_seconds(), event(1, "invoice.paid", &fake.one("invoice")));
        let of = |secret: &'static str, at: i64| (paid.as_str(), secret, at);
        let headers = signed(&[of(SIGNING, now), of(SIGNING, now - 360), of(SIGNING, now + 360), of("whsec_other", now)]);
        let [good, old, early, forged] = headers.as_slice() else { panic!("{headers:?}") };
        let client = app.client();
        let other = paid.replace("invoice.paid", "invoice.Paid");
        let of_nobody = good.replace("v1=", "v0=");
        for (payload, header) in [
            (&paid, old.as_str()),
            (&paid, early.as_str()),
            (&paid, forged.as_str()),
            (&paid, of_nobody.as_str()),
            (&paid, ""),
            (&paid, "t=1"),
            (&paid, "nonsense"),
            (&other, good.as_str()),
        ] {
            let refused = app.unchanged_by(send(&client, payload, header)).await;
            refused.assert_status(400).assert_silent_about("whsec");
        }
        assert_eq!((scene.count("provider_events").await, scene.status().await.as_str()), (0, "open"));
        client.get(PATH).await.assert_status(405);
        // A page of another website is no program.
        let browser = client.with_header("stripe-signature", good).with_header("origin", "https://evil.example");
        browser.with_header("sec-fetch-site", "cross-site").post_raw(PATH, paid.as_str(), "application/json").await.assert_status(403);
        // While the secret is replaced there are two signatures.
        let both = format!("{forged},{}", good.split_once(',').unwrap().1);
        send(&client, &paid, &both).await.assert_status(200);
        scene.becomes("paid").await;
        assert_eq!((scene.count("provider_events").await, scene.count("payments").await), (1, 1));
    }

    // Breaks where something of a message is believed, or the same one is looked at again.
    async fn a_message_is_a_hint_and_its_order_and_repetition_do_not_matter(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, fake, .. } = &scene;
        scene.invoice().await;
        scene.becomes("open").await;
        let looks = || fake.requests().iter().filter(|(method, path, _)| method == "GET" && path.starts_with("/v1/invoices/")).count();
        // It says that it is paid, and at Stripe it is not.
        let mut said = fake.one("invoice");
        said["status"] = json!("paid");
        let before = looks();
        scene.hears(1, "invoice.paid", &said).await;
        until("it is not looked at again", async || looks() > before).await;
        scene.becomes("open").await;
        assert_eq!(scene.count("payments").await, 0);
        // The same message, and those that are about nothing of ours.
        let (seconds, again) = (app.clock.now().as_seconds(), event(1, "invoice.paid", &said));
        let unknown = [
            event(2, "invoice.paid", &json!({"id": "in_unknown", "object": "invoice", "customer": "cus_unknown"})),
            event(3, "customer.deleted", &json!({"id": "cus_unknown", "object": "customer"})),
            event(4, "balance.available", &json!({"object": "balance", "available": []})),
        ];
        let all: Vec<&str> = [again.as_str()].into_iter().chain(unknown.iter().map(String::as_str)).collect();
        let headers = signed(&all.iter().map(|payload| (*payload, SIGNING, seconds)).collect::<Vec<_>>());
        for (payload, header) in all.iter().zip(&headers) {
            app.unchanged_by(send(&app.client(), payload, header)).await.assert_status(200);
        }
        assert_eq!((scene.count("provider_events").await, scene.count("payments").await), (4, 0));
        // What comes last was sent first.
        fake.collects();
        scene.hears(5, "invoice.created", &json!({"id": said["id"], "object": "invoice", "status": "draft"})).await;
        scene.becomes("paid").await;
        scene.hears(6, "invoice.finalized", &json!({"id": said["id"], "object": "invoice", "status": "open"})).await;
        assert_eq!((scene.status().await.as_str(), scene.count("payments").await), ("paid", 1));
        // What is no event, although it is signed.
        let odd = ["{}", "null", "[]", r#"{"id":"../x","type":"a","data":{"object":{}}}"#];
        let seconds = app.clock.now().as_seconds();
        let headers = signed(&odd.map(|payload| (payload, SIGNING, seconds)));
        for (payload, header) in odd.iter().zip(&headers) {
            app.unchanged_by(send(&app.client(), payload, header)).await.assert_status(400);
        }
        assert_eq!(drift(app).await, Vec::<String>::new());
    }

    // Breaks without the lock of the workspace around `record` (nouns/billing/pay.rs).
    async fn twenty_messages_at_once_are_one_payment(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, fake, .. } = &scene;
        let (twins, _other) = spread(app, &app.client(), 20).await;
        for round in 1..=3 {
            scene.invoice().await;
            scene.becomes("open").await;
            let open = fake.all("invoice").into_iter().find(|invoice| invoice["status"] == "open").unwrap();
            let id = open["id"].as_str().unwrap().to_owned();
            fake.set(&id, json!({"status": "paid", "amount_paid": open["total"]}));
            let seconds = app.clock.now().as_seconds();
            // Half of them are the same.
            let payloads: Vec<String> = (0..20).map(|n| event(round * 100 + n.max(10), "invoice.paid", &open)).collect();
            let headers = signed(&payloads.iter().map(|payload| (payload.as_str(), SIGNING, seconds)).collect::<Vec<_>>());
            let pages = race(20, async |n| send(&twins[n], &payloads[n], &headers[n]).await).await;
            assert_eq!(tally(&pages), BTreeMap::from([(200, 20)]));
            scene.becomes("paid").await;
            let (round, events) = (i64::try_from(round).unwrap(), "audit_events WHERE kind = 'billing.invoice-paid'");
            assert_eq!((scene.count("payments").await, scene.count(events).await), (round, round));
            assert_eq!(scene.count("provider_events").await, round * 10);
            assert_eq!(drift(app).await, Vec::<String>::new());
        }
    }
}
