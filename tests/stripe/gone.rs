//! Invoices that outlive their workspace: one that Stripe has is collected there, and the others are settled by hand.

use super::{
    Scene,
    fake::{Fake, Trouble},
};
use crate::{
    nouns::billing::{add_invoice, handle, handle_with},
    support::{
        product::{billing::collect, housekeeping},
        *,
    },
};
use std::time::Duration;

const DAY: u64 = 86_400;

both! {
    // Breaks without `counts` in look_at_invoice (payments.rs).
    async fn what_stripe_counts_in_another_unit_is_settled_by_hand(backend: Backend) {
        let fake = Fake::open().await;
        let app = TestApp::on(backend).with(fake.settings()).spawn().await;
        let owner = new_owner(&app).await;
        let invoice = add_invoice(&app, "acme", 1, "Customer").await;
        app.execute("UPDATE invoices SET currency = 'UGX'").await;
        let db = handle(&app).await;
        assert_eq!(collect::adopt(&db).await.unwrap(), 1);
        db.close().await;
        until("it is not looked at", async || {
            app.scalar_text("SELECT status FROM provider_invoices").await.as_deref() == Some("by_hand")
        })
        .await;
        assert!(fake.requests().is_empty());
        let page = owner.client.visit(&format!("/w/acme/billing/invoices/{invoice}")).await;
        page.assert_says("Stripe does not collect this invoice.").assert_silent_about("Pay with Stripe");
    }

    // Breaks without `NobodyPays` in payments.rs, without `is_last` where the provider is chosen (nouns/billing/issue.rs), and
    // where adopt (nouns/billing/collect.rs) takes what nobody pays.
    async fn what_a_workspace_leaves_is_collected_where_it_is_at_stripe(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, fake, owner } = &scene;
        scene.invoice().await;
        scene.becomes("open").await;
        fake.is_in(Trouble::Silent);
        scene.invoice().await;
        let client = sign_in(app, &owner.email, PASSWORD).await;
        client.post_form("/w/acme/organization/deletion", &[("confirm", "acme")]).await.assert_status(303);
        app.clock.advance(Duration::from_secs(30 * DAY + 60));
        let db = handle_with(app, app.clock.clone(), fake.settings()).await;
        housekeeping::sweep(&db).await.unwrap();
        db.close().await;
        app.note_change();
        assert_eq!((scene.count("workspaces").await, scene.count("provider_customers").await), (0, 0));

        // The last one says how it is paid without Stripe, and is not handed over.
        assert_eq!((scene.count("invoices").await, scene.count("provider_invoices").await), (3, 2));
        let last = app.scalar_text("SELECT payment FROM invoices WHERE number = 3").await.unwrap();
        assert!(last.contains("INV-000003") && !last.contains("Stripe"), "{last}");
        fake.is_in(Trouble::Nothing);
        scene.becomes("by_hand").await;
        app.execute("DELETE FROM provider_invoices WHERE status = 'by_hand'").await;
        let db = handle(app).await;
        assert_eq!(collect::adopt(&db).await.unwrap(), 0);
        db.close().await;
        scene.pay_by_hand(2).await;

        fake.collects();
        app.clock.advance(Duration::from_secs(DAY));
        scene.becomes("paid").await;
        let payments = app.rows("SELECT p.provider FROM payments p JOIN invoices i ON i.id = p.invoice_id ORDER BY i.number").await;
        let payments: Vec<&str> = payments.iter().map(|payment| payment["provider"].as_str().unwrap()).collect();
        assert_eq!(payments, ["stripe", "manual"]);
        fake.check();
    }
}
