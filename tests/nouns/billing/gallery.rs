//! The pages of billing where Stripe collects, which the app of the gallery does not have: one of its own.

use super::add_invoice;
use crate::{
    stripe::fake::{Fake, Trouble},
    walk::*,
};

pub(super) async fn pictures_with_stripe(pictures: &mut Pictures) {
    let fake = Fake::open().await;
    let app = TestApp::on(Backend::Sqlite).with(fake.settings()).spawn().await;
    let client = new_owner(&app).await.client;
    let base = "/w/acme/billing";
    let page = client.get(base).await;
    let leave = client.submit(&page, "/payment-methods", &[]).await;
    pictures.add("billing-stripe", 200, page);
    pictures.add("billing-stripe-leave", 200, leave);
    assert_eq!(app.execute("UPDATE provider_customers SET has_method = TRUE").await, 1);
    let page = client.get(base).await;
    let leave = client.submit(&page, "/payment-methods", &[]).await;
    pictures.add("billing-stripe-saved", 200, page);
    pictures.add("billing-stripe-change", 200, leave);

    let invoice = format!("{base}/invoices/{}", add_invoice(&app, "acme", 1, "Example Ltd").await);
    let sql = "INSERT INTO provider_invoices (workspace_id, invoice_id, provider, status, page)
        SELECT i.workspace_id, i.id, 'stripe', 'open', 'https://invoice.stripe.example/i/1' FROM invoices i";
    assert_eq!(app.execute(sql).await, 1);
    pictures.add("invoice-stripe", 200, client.get(&invoice).await);
    app.execute("UPDATE provider_invoices SET problem = 'Stripe could not collect the payment.'").await;
    pictures.add("invoice-stripe-problem", 200, client.get(&invoice).await);
    app.execute("UPDATE provider_invoices SET status = 'differs', page = '', problem = ''").await;
    pictures.add("invoice-stripe-none", 200, client.get(&invoice).await);
    fake.is_in(Trouble::Silent);
    let page = client.get(base).await;
    let back = client.submit(&page, "/payment-methods", &[]).await.with_status(303);
    pictures.add("billing-stripe-away", 200, client.follow(back).await);
}
