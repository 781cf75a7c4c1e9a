//! Against `localstripe`, which others wrote: customers, cards, invoices, and the messages that it signs.

use super::fake::{KEY, SIGNING};
use crate::{
    nouns::billing::{add_invoice, handle},
    support::{
        product::{Config, billing::collect},
        *,
    },
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

const HOST: &str = "localstripe.example";

/// localstripe, until the test is over.
struct Local {
    process: Child,
    authority: Authority,
    /// By https, as the app reaches it.
    port: u16,
    /// By http, for the test.
    url: String,
}

impl Local {
    fn start() -> Self {
        let authority = Authority::new();
        let files = authority.issue(HOST);
        let python = std::env::var("BAILIWICK_TEST_API_PYTHON").expect("bin/test sets it");
        let mut process = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stripe/local.py"))
            .args([&files.certificate, &files.key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
        let [port, plain] = ports.as_slice() else { panic!("{line}") };
        Self { process, authority, port: *port, url: format!("http://127.0.0.1:{plain}") }
    }

    /// Does what is done at Stripe by others.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

both! {
    async fn localstripe_takes_what_is_asked_and_its_messages_are_taken(backend: Backend) {
        let local = Local::start();
        let dns = Dns::open().await;
        dns.set(HOST, &["127.0.0.1"]);
        let (allowed, root, resolver) = (format!("{HOST}:{}", local.port), local.authority.root(), dns.address);
        let settings = move |config: &mut Config| {
            config.outbound_allow.push(allowed.parse().unwrap());
            config.outbound_resolver = Some(resolver);
            config.outbound_root_certificates = Some(root.clone());
            config.stripe.url = Some(format!("https://{allowed}").parse().unwrap());
            config.stripe.secret_key = Some(KEY.to_owned().into());
            config.stripe.webhook_secret = Some(SIGNING.to_owned().into());
        };
        let app = TestApp::on(backend).with(settings).spawn().await;
        let endpoint = format!("{}/webhooks/stripe", app.url());
        local.post("/_config/webhooks/app", &[("url", endpoint.as_str()), ("secret", SIGNING)]).await;
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/w/acme/billing").await;
        // It has no Checkout, which is what is refused here, after the customer was created.
        owner.client.submit(&page, "/payment-methods", &[]).await.assert_status(303);
        let customer = app.scalar_text("SELECT customer FROM provider_customers").await.unwrap();
        let card = [
            ("type", "card"),
            ("card[number]", "4242424242424242"),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2099"),
            ("card[cvc]", "123"),
        ];
        let card = local.post("/v1/payment_methods", &card).await["id"].as_str().unwrap().to_owned();
        local.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", customer.as_str())]).await;
        let default = [("invoice_settings[default_payment_method]", card.as_str())];
        local.post(&format!("/v1/customers/{customer}"), &default).await;
        until("the message about the card is not taken", async || {
            app.scalar_i64("SELECT COUNT(*) FROM provider_customers WHERE has_method").await == 1
        })
        .await;

        add_invoice(&app, "acme", 1, "Customer").await;
        let db = handle(&app).await;
        assert_eq!(collect::adopt(&db).await.unwrap(), 1);
        db.close().await;
        until("the invoice is not there", async || {
            app.scalar_i64("SELECT COUNT(*) FROM provider_invoices WHERE status = 'open'").await == 1
        })
        .await;
        let id = app.scalar_text("SELECT provider_id FROM provider_invoices").await.unwrap();
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM payments").await, 0);
        let paid = local.post(&format!("/v1/invoices/{id}/pay"), &[]).await;
        assert_eq!((&paid["total"], &paid["currency"], &paid["status"]), (&json!(1840), &json!("eur"), &json!("paid")));
        until("the message about the payment is not taken", async || {
            app.scalar_i64("SELECT COUNT(*) FROM payments").await == 1
        })
        .await;
        let payment = app.rows("SELECT provider, reference, amount FROM payments").await.remove(0);
        assert_eq!(payment, json!({"provider": "stripe", "reference": id, "amount": 1840}));
    }
}
