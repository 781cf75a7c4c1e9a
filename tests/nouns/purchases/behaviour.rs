//! What purchases do beyond what every noun does.

use super::{CALLS, LIMITS};
use crate::{
    nouns::{
        billing::{drift, next_month},
        credits::findings,
        security::assign,
    },
    support::{product::billing::cost::Month, *},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const PAGE: &str = "/w/acme/credits/purchases";

/// Buys a pack on its page, as somebody does who looked at the price.
async fn buy(client: &Client, pack: &str) -> Page {
    let page = client.visit(&format!("{PAGE}/new?pack={pack}")).await;
    client.submit(&page, PAGE, &[]).await
}

/// The limits as the page sends them: approval, then each role with its ceiling.
async fn limit(client: &Client, approve_above: &str, ceilings: &[(&str, &str)]) {
    let mut fields = vec![("approve_above", approve_above)];
    for (role, ceiling) in ceilings {
        fields.extend([("role", *role), ("ceiling", *ceiling)]);
    }
    client.post_form("/w/acme/billing/limits", &fields).await.assert_status(303);
}

async fn statuses(app: &TestApp) -> Vec<String> {
    let rows = app.rows("SELECT status FROM credit_purchases ORDER BY requested_at").await;
    rows.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

async fn waiting(app: &TestApp) -> String {
    let sql = "SELECT id FROM credit_purchases WHERE status = 'pending' ORDER BY requested_at DESC LIMIT 1";
    app.scalar_uuid(sql).await.to_string()
}

async fn answer(client: &Client, purchase: &str, noun: &str) -> Page {
    client.post_form(&format!("{PAGE}/{purchase}/{noun}"), &[]).await
}

async fn available(key: &Api) -> i64 {
    key.get("/api/sso/v1/credits").await.with_status(200).body["available"].as_i64().unwrap()
}

async fn assert_sound(app: &TestApp) {
    assert_eq!(findings(app).await, Vec::<String>::new());
    assert_eq!(drift(app).await, Vec::<String>::new());
    let bought = "SELECT COUNT(*) FROM credit_purchases WHERE status = 'bought'";
    let granted = "SELECT COUNT(*) FROM credit_accounts WHERE kind = 'grant' AND source = 'bought'";
    assert_eq!(app.scalar_i64(bought).await, app.scalar_i64(granted).await);
}

both! {
    async fn a_pack_is_credits_and_a_line_of_the_invoice(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["admin"]).await;
        owner.client.visit(PAGE).await.assert_says("No purchases yet").assert_says("100,000 credits");
        let page = owner.client.visit(&format!("{PAGE}/new?pack=small")).await;
        page.assert_says("10.00 EUR").assert_silent_about("Approval");
        let form = page.form(PAGE);
        let done = owner.client.send(&page, &form).await.with_status(303);
        owner.client.follow(done).await.assert_says("Bought 1,000 credits for 10.00 EUR.");
        // Sent twice, it is bought once; the next page is another purchase.
        owner.client.send(&page, &form).await.assert_status(303);
        assert_eq!((available(&key).await, statuses(&app).await.len()), (1_000, 1));
        buy(&owner.client, "medium").await.assert_status(303);
        assert_eq!(available(&key).await, 11_000);
        owner.client.visit("/w/acme/billing").await.assert_says("Credits bought").assert_says("100.00 EUR");
        owner.client.visit("/w/acme/credits").await.assert_says("Bought");
        owner.client.visit("/w/acme/activity").await.assert_says("bought 1,000 credits, for 10.00 EUR");

        // By API, with an id of the client's.
        let one = json!({"id": "order-1", "pack": "small"});
        let first = key.post(CALLS, &one).await.with_status(201);
        let again = key.post(CALLS, &one).await.with_status(201);
        assert_eq!(first.body, again.body);
        assert_eq!(first.body["status"], "bought");
        key.post(CALLS, &json!({"id": "order-1", "pack": "medium"})).await.with_status(422);
        key.post(CALLS, &json!({"id": "order-2", "pack": "none"})).await.with_status(422);
        let other = workspace_key(&app, "acme", &["owner"]).await;
        other.post(CALLS, &one).await.with_status(422);
        // Ids of pages are of people: a key uses none up.
        let of_page = format!("page:{}:3", owner.user_id);
        other.post(CALLS, &json!({"id": of_page, "pack": "small"})).await.with_status(422);
        assert_eq!(available(&key).await, 12_000);
        let location = first.header("location").unwrap().to_owned();
        assert_eq!(key.get(&location).await.with_status(200).body, first.body);
        assert_sound(&app).await;

        // The price is not the one that was shown.
        let stale = page.form(PAGE).fill(&[("price", "900"), ("id", "page:other")]);
        app.unchanged_by(owner.client.send(&page, &stale)).await.assert_status(409);
    }

    // Breaks without each check of approve (nouns/purchases/decide.rs) that it names.
    async fn above_the_limit_somebody_else_approves(app: TestApp) {
        // The month does not end before the request does.
        next_month(&app, 1);
        let owner = new_owner(&app).await;
        let (admin, buyer) = (member(&app, &owner, "admin").await, member(&app, &owner, "billing").await);
        let key = workspace_key(&app, "acme", &["admin"]).await;
        limit(&owner.client, "50", &[]).await;
        buy(&buyer.client, "small").await.assert_status(303);
        assert_eq!(available(&key).await, 1_000, "at or below the limit it is bought at once");

        let asked = buy(&buyer.client, "medium").await.with_status(303);
        buyer.client.follow(asked).await.assert_says("Someone else has to approve it");
        assert_eq!((available(&key).await, statuses(&app).await), (1_000, vec!["bought".to_owned(), "pending".into()]));
        for person in [&owner, &admin] {
            let letter = app.mail.wait_for(&person.email, "waits for approval").await;
            assert!(letter.text.contains("10,000 credits for 90.00 EUR"), "{}", letter.text);
        }
        app.mail_is_out().await;
        assert!(!app.mail.to(&buyer.email).iter().any(|letter| letter.subject.contains("waits for approval")));
        let purchase = waiting(&app).await;
        for noun in ["approval", "decline"] {
            let own = app.unchanged_by(answer(&buyer.client, &purchase, noun)).await;
            own.assert_status(403).assert_says("someone else has to approve it");
        }
        app.unchanged_by(answer(&admin.client, &purchase, "withdrawal")).await.assert_status(403);
        let page = admin.client.visit(PAGE).await;
        page.assert_says("Billing One asked");
        let approved = admin.client.submit(&page, "/approval", &[]).await.with_status(303);
        admin.client.follow(approved).await.assert_says("Bought 10,000 credits for 90.00 EUR.");
        assert_eq!(available(&key).await, 11_000);
        app.mail.wait_for(&buyer.email, "was approved").await;
        for noun in ["approval", "decline"] {
            app.unchanged_by(answer(&admin.client, &purchase, noun)).await.assert_status(409);
        }

        // Keys only buy.
        let refused = key.post(CALLS, &json!({"id": "a", "pack": "medium"})).await.with_status(409);
        assert!(refused.text.contains("only a person can ask"), "{}", refused.text);

        // Declined, withdrawn, expired.
        buy(&buyer.client, "medium").await.assert_status(303);
        answer(&owner.client, &waiting(&app).await, "decline").await.assert_status(303);
        app.mail.wait_for(&buyer.email, "was declined").await;
        buy(&buyer.client, "medium").await.assert_status(303);
        answer(&buyer.client, &waiting(&app).await, "withdrawal").await.assert_status(303);
        buy(&buyer.client, "medium").await.assert_status(303);
        let late = waiting(&app).await;
        app.clock.advance(Duration::from_secs(7 * 86_400));
        app.unchanged_by(answer(&owner.client, &late, "approval")).await.assert_status(409);
        owner.client.visit(PAGE).await.assert_says("Expired").assert_says("Declined").assert_says("Withdrawn");
        assert_eq!(available(&key).await, 11_000);
        assert_sound(&app).await;
    }

    // Breaks without `requester`, the look at their permission, the pack, or the ceiling, in approve.
    async fn what_an_approval_depends_on_is_looked_at_again(backend: Backend) {
        let app = TestApp::on(backend).spawn().await;
        let owner = new_owner(&app).await;
        let buyer = member(&app, &owner, "billing").await;
        limit(&owner.client, "50", &[]).await;
        buy(&buyer.client, "medium").await.assert_status(303);
        let purchase = waiting(&app).await;
        let roles = format!("/w/acme/members/{}/roles", buyer.member_id);
        let approve = async || answer(&owner.client, &purchase, "approval").await;

        owner.client.post_form(&roles, &[("role", "viewer")]).await.assert_status(303);
        app.unchanged_by(approve()).await.assert_status(409).assert_says("can no longer buy credits here");
        owner.client.post_form(&roles, &[("role", "billing")]).await.assert_status(303);
        let suspension = format!("/w/acme/members/{}/suspension", buyer.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);
        app.unchanged_by(approve()).await.assert_status(409);
        let reactivation = format!("/w/acme/members/{}/reactivation", buyer.member_id);
        owner.client.post_form(&reactivation, &[]).await.assert_status(303);
        limit(&owner.client, "50", &[("billing", "89.99")]).await;
        app.unchanged_by(approve()).await.assert_status(409).assert_says("with the buyer's role");
        limit(&owner.client, "50", &[("billing", "90")]).await;

        let app = app.restart_with(|config| config.plans.packs[1].price = 9_500).await;
        let client = owner.client.moved_to(&app);
        let changed = app.unchanged_by(answer(&client, &purchase, "approval")).await;
        changed.assert_status(409).assert_says("no longer offered at this price");
        let app = app.restart_with(|config| config.plans.packs[1].price = 9_000).await;
        let client = owner.client.moved_to(&app);
        answer(&client, &purchase, "approval").await.assert_status(303);
        assert_sound(&app).await;
    }

    // Breaks without rules::room, and without its sum of what was bought in the month.
    async fn a_role_has_a_ceiling_for_each_month(app: TestApp) {
        let owner = new_owner(&app).await;
        let (one, other) = (member(&app, &owner, "billing").await, member(&app, &owner, "admin").await);
        let roles = format!("/w/acme/members/{}/roles", other.member_id);
        owner.client.post_form(&roles, &[("role", "billing")]).await.assert_status(303);
        limit(&owner.client, "", &[("billing", "25"), ("admin", "1000")]).await;
        one.client.visit(&format!("{PAGE}/new?pack=small")).await.assert_says("25.00 EUR, for everyone with the role Billing");
        buy(&one.client, "small").await.assert_status(303);
        buy(&other.client, "small").await.assert_status(303);
        let page = one.client.visit(&format!("{PAGE}/new?pack=small")).await;
        page.assert_says("5.00 EUR, for everyone");
        let over = app.unchanged_by(one.client.submit(&page, PAGE, &[])).await;
        over.assert_status(409).assert_says("everyone with the buyer's role together can buy for 5.00 EUR more this month");
        // By another role they can.
        let both = [("role", "billing"), ("role", "admin")];
        owner.client.post_form(&roles, &both).await.assert_status(303);
        buy(&other.client, "medium").await.assert_status(303);
        buy(&owner.client, "small").await.assert_status(303);
        app.clock.advance(Duration::from_secs(31 * 86_400));
        let again = sign_in(&app, &one.email, PASSWORD).await;
        buy(&again, "small").await.assert_status(303);
        // A role that is deleted takes its ceiling with it; one that is not there has none.
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let unknown = json!({"approve_above": null, "ceilings": [{"role": "nobody", "amount": 5}]});
        key.call(Method::PUT, LIMITS, Some(&unknown)).await.with_status(422);
        let stored = key.get(LIMITS).await.with_status(200).body;
        assert_eq!(stored["ceilings"].as_array().map(Vec::len), Some(2));
        assert_eq!(stored["approve_above"], Value::Null);
    }

    // Breaks without the look at `stored` in Limits::new (routes/billing/limits.rs).
    async fn a_ceiling_stays_while_its_role_can_buy_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        limit(&owner.client, "", &[("billing", "25")]).await;
        assign(&owner.client, "purchase:credits", &["admin"]).await;
        let page = owner.client.visit("/w/acme/billing").await;
        owner.client.submit(&page, "/billing/limits", &[("approve_above", "50")]).await.assert_status(303);
        assign(&owner.client, "purchase:credits", &["admin", "billing"]).await;
        let ceilings = "SELECT COUNT(*) FROM purchase_ceilings WHERE amount = 2500";
        assert_eq!(app.scalar_i64(ceilings).await, 1);
    }

    // Breaks where the month of the clock is looked at, and not the one that has what is bought (nouns/purchases).
    async fn a_ceiling_holds_where_another_node_has_invoiced_the_month(app: TestApp) {
        let owner = new_owner(&app).await;
        limit(&owner.client, "", &[("owner", "15")]).await;
        let end = Month::of(app.clock.now()).end();
        let ahead = format!("UPDATE billing_profiles SET invoiced_until = {end}");
        assert_eq!(app.execute(&ahead).await, 1);
        buy(&owner.client, "small").await.assert_status(303);
        app.unchanged_by(buy(&owner.client, "small")).await.assert_status(409);
    }

    async fn what_is_not_paid_for_is_limited(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.plans.unpaid_limit = 2_500).spawn().await;
        let owner = new_owner(&app).await;
        buy(&owner.client, "small").await.assert_status(303);
        buy(&owner.client, "small").await.assert_status(303);
        let page = owner.client.visit(&format!("{PAGE}/new?pack=small")).await;
        let over = app.unchanged_by(owner.client.submit(&page, PAGE, &[])).await;
        over.assert_status(409).assert_says("Credits for 20.00 EUR are not paid for yet, and at most 25.00 EUR can be");
        app.execute("UPDATE credit_purchases SET paid_at = 1").await;
        buy(&owner.client, "small").await.assert_status(303);
    }

    // Breaks without may_owe in buy (nouns/purchases/buy.rs) or in set (nouns/billing/change.rs).
    async fn nobody_owes_without_a_confirmed_address(app: TestApp) {
        let owner = new_owner(&app).await;
        app.execute("UPDATE users SET email_verified_at = NULL").await;
        let bought = app.unchanged_by(buy(&owner.client, "small")).await;
        bought.assert_status(403).assert_says("This would be on an invoice.");
        let plan = [("plan", "team")];
        let chosen = app.unchanged_by(owner.client.post_form("/w/acme/billing/change", &plan)).await;
        chosen.assert_status(403).assert_says("Confirm your address first");
        app.execute("UPDATE users SET email_verified_at = 1").await;
        buy(&owner.client, "small").await.assert_status(303);
    }

    async fn the_permission_opens_and_closes_pages_and_calls(app: TestApp) {
        let owner = new_owner(&app).await;
        let person = member(&app, &owner, "billing").await;
        let key = workspace_key(&app, "acme", &["billing"]).await;
        for (n, (roles, is_open)) in [(&["admin"][..], false), (&["admin", "billing"][..], true)].into_iter().enumerate() {
            assign(&owner.client, "purchase:credits", roles).await;
            let expected = |open: u16| if is_open { open } else { 403 };
            person.client.get(PAGE).await.assert_status(expected(200));
            let form = [("pack", "small"), ("id", "form")];
            person.client.post_form(PAGE, &form).await.assert_status(expected(303));
            let body = json!({"id": format!("call-{n}"), "pack": "small"});
            assert_eq!(key.post(CALLS, &body).await.status, expected(201));
            assert_eq!(key.get(CALLS).await.status, expected(200));
        }
        assert_eq!(statuses(&app).await.len(), 2);
    }
}
