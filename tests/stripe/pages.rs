//! The pages of Stripe on which payment methods are saved: how many are opened, and whose are believed.

use super::Scene;
use crate::support::*;
use serde_json::json;
use std::time::Duration;

const FORM: &str = "/w/acme/billing/payment-methods";

both! {
    // Breaks without PAYMENT_PAGES in ensure_own (nouns/billing/customers.rs).
    async fn a_workspace_opens_so_many_pages_and_uses_up_none_of_others(backend: Backend) {
        let scene = Scene::on(backend).await;
        let other = new_owner_of(&scene.app, "Owner Two", "two@example.com", "elsewhere").await;
        for _ in 0..20 {
            scene.owner.client.post_form(FORM, &[]).await.assert_status(200);
        }
        let before = scene.fake.requests().len();
        scene.app.unchanged_by(scene.owner.client.post_form(FORM, &[])).await.assert_status(429);
        assert_eq!(scene.fake.requests().len(), before);
        other.client.post_form("/w/elsewhere/billing/payment-methods", &[]).await.assert_status(200);
        scene.fake.check();
    }

    // Breaks without the session in take (nouns/billing/hints.rs).
    async fn of_several_open_pages_the_one_that_is_completed_counts(backend: Backend) {
        let scene = Scene::on(backend).await;
        for _ in 0..2 {
            scene.owner.client.post_form(FORM, &[]).await.assert_status(200);
        }
        let first = scene.fake.all("checkout.session").remove(0);
        scene.fake.completes_checkout();
        scene.hears(1, "checkout.session.completed", &first).await;
        until("the card is not known", async || {
            scene.app.scalar_i64("SELECT COUNT(*) FROM provider_customers WHERE has_method").await == 1
        })
        .await;
        assert_eq!(scene.fake.one("customer")["invoice_settings"]["default_payment_method"], "pm_1");
        scene.fake.check();
    }

    // Breaks without `look_again` in open (routes/billing/payment.rs): no message came, and no page is opened any more.
    async fn a_page_for_a_customer_that_is_deleted_at_stripe_has_another_one_the_next_time(backend: Backend) {
        let scene = Scene::on(backend).await;
        scene.owner.client.post_form(FORM, &[]).await.assert_status(200);
        let is_idle = "SELECT COUNT(*) FROM provider_customers WHERE due_at IS NULL";
        let session = scene.fake.one("checkout.session");
        scene.fake.set(session["id"].as_str().unwrap(), json!({"status": "expired", "url": null}));
        eventually(async || {
            scene.app.clock.advance(Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(50)).await;
            if scene.app.scalar_i64(is_idle).await == 1 { Ok(()) } else { Err("it is looked at again and again".to_owned()) }
        })
        .await;
        let old = scene.fake.one("customer");
        scene.fake.set(old["id"].as_str().unwrap(), json!({"deleted": true}));
        scene.owner.client.post_form(FORM, &[]).await.assert_status(303);
        until("it is not forgotten", async || scene.count("provider_customers").await == 0).await;
        scene.owner.client.post_form(FORM, &[]).await.assert_status(200);
        assert_eq!(scene.fake.all("customer").len(), 2);
        scene.fake.check();
    }

    // Breaks without `is_theirs` in look_at_customer (payments.rs).
    async fn the_page_of_another_customer_saves_nothing(backend: Backend) {
        let scene = Scene::on(backend).await;
        scene.owner.client.post_form(FORM, &[]).await.assert_status(200);
        let own = scene.fake.one("checkout.session");
        scene.fake.completes_checkout();
        scene.fake.set(own["id"].as_str().unwrap(), json!({"customer": "cus_other"}));
        scene.hears(1, "checkout.session.completed", &own).await;
        until("the page is not looked at", async || {
            scene.app.scalar_i64("SELECT COUNT(*) FROM provider_customers WHERE session IS NULL").await == 1
        })
        .await;
        assert_eq!(scene.app.scalar_i64("SELECT COUNT(*) FROM provider_customers WHERE has_method").await, 0);
        assert!(scene.fake.requests().iter().all(|(method, path, _)| method != "POST" || !path.starts_with("/v1/customers/")));
        scene.fake.check();
    }
}
