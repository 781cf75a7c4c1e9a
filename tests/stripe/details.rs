//! Stripe has the name of the workspace and the contact of its billing, as they are now.

use super::{Scene, fake::Trouble};
use crate::support::*;
use futures_util::future::join;
use serde_json::{Value, json};
use std::time::Duration;

impl Scene {
    async fn renames(&self, name: &str) {
        let fields = [("name", name), ("slug", "acme")];
        self.owner.client.post_form("/w/acme/organization", &fields).await.assert_status(303);
    }

    async fn names_contact(&self, contact: &str) {
        let path = "/w/acme/billing/details";
        self.owner.client.post_form(path, &[("contact", contact)]).await.assert_status(303);
    }

    /// Waits until Stripe was told, or has refused it. Time passes meanwhile.
    async fn is_told(&self) {
        eventually(async || {
            self.app.clock.advance(Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let left = "SELECT COUNT(*) FROM provider_customers WHERE details_at IS NOT NULL";
            match self.app.scalar_i64(left).await {
                0 => Ok(()),
                _ => Err("Stripe was not told".to_owned()),
            }
        })
        .await;
        self.app.note_change();
    }

    /// Its name and its address at Stripe.
    fn customer(&self) -> (Value, Value) {
        let customer = self.fake.one("customer");
        (customer["name"].clone(), customer["email"].clone())
    }
}

both! {
    // Breaks without `details::changed` in set_details (nouns/billing/profile.rs), or in update (nouns/organization/mod.rs).
    async fn a_new_name_or_contact_is_told(backend: Backend) {
        let scene = Scene::on(backend).await;
        let page = scene.owner.client.visit("/w/acme/billing").await;
        scene.owner.client.submit(&page, "/payment-methods", &[]).await.assert_status(200);
        scene.renames("Acme & Sons").await;
        scene.is_told().await;
        assert_eq!(scene.customer(), (json!("Acme & Sons"), Value::Null));
        scene.names_contact("money@example.com").await;
        scene.is_told().await;
        assert_eq!(scene.customer(), (json!("Acme & Sons"), json!("money@example.com")));
        // What changes nothing there is not told.
        let told = || scene.fake.requests().iter().filter(|(method, path, _)| method == "POST" && path.starts_with("/v1/customers/")).count();
        let before = told();
        let fields = [("contact", "money@example.com"), ("tax_number", "XX7")];
        scene.owner.client.post_form("/w/acme/billing/details", &fields).await.assert_status(303);
        assert_eq!((scene.app.scalar_i64("SELECT COUNT(*) FROM provider_customers WHERE details_at IS NOT NULL").await, told()), (0, before));

        // An address that Stripe does not take is not tried for ever, and the old one gets no more mail.
        scene.names_contact("money@refused.example").await;
        scene.is_told().await;
        assert_eq!(scene.app.scalar_i64("SELECT failures FROM provider_customers").await, 0);
        assert_eq!(scene.customer(), (json!("Acme & Sons"), Value::Null));
        // What was not told because Stripe was away is told later, and the last word counts.
        scene.fake.is_in(Trouble::Silent);
        scene.names_contact("late@example.com").await;
        scene.renames("Acme").await;
        scene.fake.is_in(Trouble::Nothing);
        scene.is_told().await;
        assert_eq!(scene.customer(), (json!("Acme"), json!("late@example.com")));
        scene.names_contact("").await;
        scene.is_told().await;
        assert_eq!(scene.customer().1, Value::Null);
        scene.fake.check();
    }

    // Breaks without the second request in create_customer (stripe/api.rs).
    async fn an_address_that_stripe_does_not_take_is_left_out(backend: Backend) {
        let scene = Scene::on(backend).await;
        scene.names_contact("money@refused.example").await;
        scene.invoice().await;
        scene.becomes("open").await;
        assert_eq!(scene.customer().1, Value::Null);
        scene.fake.check();
    }

    // Breaks without the comparison in note_in (nouns/billing/customers.rs).
    async fn what_changes_while_the_customer_is_created_is_told(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { fake, owner, .. } = &scene;
        let page = owner.client.visit("/w/acme/billing").await;
        let twin = owner.client.twin();
        let answer = fake.holds_customers();
        let renaming = async {
            until("no customer is created", async || {
                fake.requests().iter().any(|(_, path, _)| path == "/v1/customers")
            })
            .await;
            let fields = [("name", "Acme & Sons"), ("slug", "acme")];
            twin.post_form("/w/acme/organization", &fields).await.assert_status(303);
            answer.notify_one();
        };
        let (opened, ()) = join(owner.client.submit(&page, "/payment-methods", &[]), renaming).await;
        opened.assert_status(200);
        scene.is_told().await;
        assert_eq!(scene.customer().0, json!("Acme & Sons"));
        fake.check();
    }
}
