//! What seats and plans do beyond what every noun does.

use super::{CALLS, agreed, choose, drift, next_month};
use crate::{
    nouns::{
        joining::{JoinLink, add_domain},
        security::assign,
    },
    support::*,
    world::add_user,
};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const DAY: u64 = 86_400;

async fn invite_one(by: &Client, email: &str) -> Page {
    by.post_form("/w/acme/invitations", &[("emails", email), ("role", "viewer")]).await
}

async fn pending(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT COUNT(*) FROM invitations WHERE status = 'pending'").await
}

async fn member_form(client: &Client, person: &Person, noun: &str) -> Page {
    client.post_form(&format!("/w/acme/members/{}/{noun}", person.member_id), &[]).await
}

async fn set_growth(client: &Client, to: &str) {
    client.post_form("/w/acme/billing/growth", &[("grow_to", to)]).await.assert_status(303);
}

both! {
    // Breaks without `seats::ensure` in the function that invites, adds, accepts or reactivates, each.
    async fn a_seat_is_taken_by_a_person_and_reserved_by_an_invitation(app: TestApp) {
        next_month(&app, 1);
        let owner = new_owner(&app).await;
        let client = &owner.client;
        client.visit("/w/acme/billing").await.assert_says("Free").assert_says("1 of any number");
        let guest = member(&app, &owner, "editor").await;
        choose(client, "acme", "team", "3").await.assert_status(303);
        assert_eq!(agreed(&app, "acme").await, ("team".to_owned(), 3));
        client.visit("/w/acme/billing").await.assert_says("2 of 3").assert_says("27.60 EUR a month");

        client.visit("/w/acme/invitations").await.assert_says("2 of 3 seats taken. 1 more person can be invited.");
        invite_one(client, "third@example.com").await.assert_status(303);
        let refused = app.unchanged_by(invite_one(client, "fourth@example.com")).await;
        refused.assert_status(409).assert_says("the plan Team has 3 seats here, and this would take 4");
        refused.assert_says("You can add seats on the page Billing.");
        assert_eq!(refused.field_value("emails").as_deref().map(str::trim), Some("fourth@example.com"), "kept");
        // Who was invited already takes no further one.
        invite_one(client, "third@example.com").await.assert_status(303);
        // API keys take none.
        let key = workspace_key(&app, "acme", &["admin"]).await;
        let new = json!({"email": "fifth@example.com", "name": "Fifth"});
        key.post("/api/sso/v1/users", &new).await.with_status(409);
        key.post("/api/sso/v1/invitations", &json!({"emails": ["fifth@example.com"]})).await.with_status(409);

        // Suspended people take none either, until they are back.
        member_form(client, &guest, "suspension").await.assert_status(303);
        invite_one(client, "fourth@example.com").await.assert_status(303);
        let back = app.unchanged_by(member_form(client, &guest, "reactivation")).await;
        back.assert_status(409).assert_says("There is no free seat");
        let fourth = app.scalar_uuid("SELECT id FROM invitations WHERE email = 'fourth@example.com'").await;
        client.post_form(&format!("/w/acme/invitations/{fourth}/cancellation"), &[]).await.assert_status(303);
        member_form(client, &guest, "reactivation").await.assert_status(303);
        member_form(client, &guest, "removal").await.assert_status(303);
        client.visit("/w/acme/billing").await.assert_says("2 of 3");

        // One that has expired reserves none, and takes one again once it is sent again.
        app.clock.advance(Duration::from_secs(8 * DAY));
        invite_one(client, "sixth@example.com").await.assert_status(303);
        invite_one(client, "seventh@example.com").await.assert_status(303);
        let third = app.scalar_uuid("SELECT id FROM invitations WHERE email = 'third@example.com'").await;
        let again = client.post_form(&format!("/w/acme/invitations/{third}/resend"), &[]).await;
        again.assert_status(409);
        assert_eq!(drift(&app).await, Vec::<String>::new());
    }

    async fn whoever_may_not_add_seats_is_told_who_may(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        choose(&owner.client, "acme", "team", "2").await.assert_status(303);
        let refused = invite_one(&developer.client, "new@example.com").await;
        refused.assert_status(409).assert_says("Roles that can add seats: Owner, Admin, Billing.");
        refused.assert_says("People who can: Owner One.");
        developer.client.visit("/w/acme/invitations").await.assert_says("Nobody can be invited before there is a free seat.");
        let refused = "SELECT COUNT(*) FROM audit_events WHERE payload LIKE '%no-seat%'";
        assert_eq!(app.scalar_i64(refused).await, 1);
    }

    // Breaks without the check of `grow_to` in seats::ensure, and without `terms::agree` in grow.
    async fn invitations_add_seats_as_far_as_billing_lets_them(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = &owner.client;
        choose(client, "acme", "team", "1").await.assert_status(303);
        set_growth(client, "3").await;
        let page = client.visit("/w/acme/invitations").await;
        page.assert_says("1 of 1 seat taken. Each person adds a seat, for 9.20 EUR a month from today. Up to 2 seats can be added.");
        let done = invite_one(client, "a@example.com, b@example.com").await.with_status(303);
        client.follow(done).await.assert_says("2 invitations sent. They add 2 seats: 18.40 EUR a month from today.");
        assert_eq!(agreed(&app, "acme").await, ("team".to_owned(), 3));
        invite_one(client, "c@example.com").await.assert_status(409);
        // All or none.
        set_growth(client, "4").await;
        let both = app.unchanged_by(invite_one(client, "c@example.com, d@example.com")).await;
        both.assert_status(409);
        invite_one(client, "c@example.com").await.assert_status(303);
        assert_eq!((agreed(&app, "acme").await.1, pending(&app).await), (4, 3));
        client.visit("/w/acme/activity").await.assert_says("added 2 seats by inviting or adding people");
        set_growth(client, "").await;
        client.visit("/w/acme/billing").await.assert_says("4 of 4");
    }

    // Breaks without `later` in seats::ensure: one seat would be paid for next month, and three people had one.
    async fn fewer_seats_that_begin_later_count_already(app: TestApp) {
        next_month(&app, 1);
        let owner = new_owner(&app).await;
        let client = &owner.client;
        choose(client, "acme", "business", "5").await.assert_status(303);
        choose(client, "acme", "team", "2").await.assert_status(303);
        client.visit("/w/acme/invitations").await.assert_says("1 of 2 seats taken.");
        let two = "a@example.com, b@example.com";
        let refused = app.unchanged_by(invite_one(client, two)).await;
        refused.assert_status(409).assert_says("the plan Team has 2 seats here from");
        invite_one(client, "a@example.com").await.assert_status(303);
        // Billing may let them be added there.
        set_growth(client, "3").await;
        let done = invite_one(client, "b@example.com").await.with_status(303);
        client.follow(done).await.assert_says("They add 1 seat: 9.20 EUR a month from 1 ");
        assert_eq!(agreed(&app, "acme").await, ("business".to_owned(), 5));
        invite_one(client, "c@example.com").await.assert_status(409);
        app.clock.advance(Duration::from_secs(31 * DAY));
        assert_eq!(agreed(&app, "acme").await, ("team".to_owned(), 3));
        assert!(!drift(&app).await.join("; ").contains("active with"));
    }

    // Breaks without the comparison of credits in propose (nouns/billing/change.rs).
    async fn plans_of_one_price_bring_their_credits_once(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.plans.plans[2].seat_price = 920).spawn().await;
        next_month(&app, 1);
        let owner = new_owner(&app).await;
        for plan in ["team", "business", "team", "business"] {
            choose(&owner.client, "acme", plan, "1").await.assert_status(303);
        }
        assert_eq!(agreed(&app, "acme").await.0, "team");
        let grants = "SELECT COUNT(*) FROM credit_accounts WHERE kind = 'grant' AND source = 'included'";
        assert_eq!(app.scalar_i64(grants).await, 1);
    }

    // Breaks without terms::moment in change::set (nouns/billing): the credits of the plan would stay, and nobody pay for it.
    async fn what_a_clock_that_is_ahead_agreed_is_not_taken_back(app: TestApp) {
        next_month(&app, 1);
        let owner = new_owner(&app).await;
        for plan in ["team", "business"] {
            choose(&owner.client, "acme", plan, "1").await.assert_status(303);
        }
        // As another node would have written it, whose clock is a minute ahead.
        let ahead = app.clock.now().as_millis() + 60_000;
        let later = format!("UPDATE billing_terms SET starts_at = {ahead} WHERE plan = 'business'");
        assert_eq!(app.execute(&later).await, 1);
        let less = choose(&owner.client, "acme", "team", "1").await.with_status(303);
        owner.client.follow(less).await.assert_says("The plan is Team from");
        app.clock.advance(Duration::from_secs(120));
        assert_eq!(agreed(&app, "acme").await, ("business".to_owned(), 1));
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM billing_terms").await, 3);
    }

    // Breaks without `seats::ensure` in accept (nouns/invitations/accept.rs).
    async fn whoever_accepts_needs_a_seat_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = new_owner_of(&app, "Guest One", "guest-one@example.com", "elsewhere").await;
        choose(&owner.client, "acme", "team", "2").await.assert_status(303);
        invite_one(&owner.client, &guest.email).await.assert_status(303);
        // Billing need not keep seats for people who have not come.
        choose(&owner.client, "acme", "team", "1").await.assert_status(303);
        let link = app.mail.wait_for_link(&guest.email, "/invitations/").await;
        let page = guest.client.visit(&link).await;
        let refused = app.unchanged_by(guest.client.submit(&page, "/acceptance", &[])).await;
        refused.assert_status(409).assert_says("You can't join acme yet").assert_says("Ask Owner One");
        assert_eq!(pending(&app).await, 1);
        choose(&owner.client, "acme", "team", "2").await.assert_status(303);
        let page = guest.client.visit(&link).await;
        guest.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        assert_eq!(drift(&app).await, Vec::<String>::new());
    }

    // Breaks without `seats::ensure` in join_by_link or join_by_domain (nouns/joining).
    async fn whoever_joins_by_themselves_needs_a_seat_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let link = JoinLink::named("Link").by(owner.user_id).add(&app, "acme").await;
        let domain = add_domain(&app, "acme", "example.com", owner.user_id).await;
        let now = app.clock.now().as_millis() + 120_000;
        app.execute(&format!("UPDATE join_domains SET verified_at = {now}, checked_at = {now}")).await;
        choose(&owner.client, "acme", "team", "1").await.assert_status(303);
        add_user(&app, "Guest One", "guest-one@example.com").await;
        let guest = sign_in(&app, "guest-one@example.com", PASSWORD).await;
        guest.visit(&link.path).await;
        let by_domain = format!("/workspaces/joinable/{domain}/membership");
        for path in ["/join/acceptance", by_domain.as_str()] {
            let refused = app.unchanged_by(guest.post_form(path, &[])).await;
            refused.assert_status(409).assert_says("You can't join acme yet");
        }
        // Billing may let them be added.
        set_growth(&owner.client, "2").await;
        guest.visit(&link.path).await;
        guest.post_form("/join/acceptance", &[]).await.assert_status(303);
        assert_eq!(agreed(&app, "acme").await, ("team".to_owned(), 2));
        assert_eq!(drift(&app).await, Vec::<String>::new());
    }

    async fn a_plan_is_looked_at_before_it_is_changed(app: TestApp) {
        next_month(&app, 1);
        let owner = new_owner(&app).await;
        let client = &owner.client;
        let at = |query: &str| format!("/w/acme/billing/change{query}");
        let page = client.visit(&at("?plan=business&seats=4")).await;
        page.assert_says("73.60 EUR a month: 4 seats at 18.40 EUR").assert_says("Immediately");
        let stale = page.form("/billing/change");
        client.submit(&page, "/billing/change", &[]).await.assert_status(303);
        assert_eq!(agreed(&app, "acme").await, ("business".to_owned(), 4));
        // What was looked at is no longer what would be done.
        let late = app.unchanged_by(client.send(&page, &stale)).await;
        late.assert_status(409).assert_says("Nothing was overwritten");
        // Credits of what is left of the month came with it, once.
        let grants = "SELECT COUNT(*) FROM credit_accounts WHERE kind = 'grant' AND source = 'included'";
        assert_eq!(app.scalar_i64(grants).await, 1);

        // Less begins with the next month, and can be taken back until then.
        let less = choose(client, "acme", "team", "").await.with_status(303);
        client.follow(less).await.assert_says("The plan is Team from");
        assert_eq!(agreed(&app, "acme").await, ("business".to_owned(), 4));
        client.visit("/w/acme/billing").await.assert_says("Later").assert_says("Team from");
        choose(client, "acme", "business", "").await.assert_status(303);
        client.visit("/w/acme/billing").await.assert_silent_about("Later");
        assert_eq!(app.scalar_i64(grants).await, 1);
        choose(client, "acme", "free", "").await.assert_status(303);
        app.clock.advance(Duration::from_secs(31 * DAY));
        assert_eq!(agreed(&app, "acme").await, ("free".to_owned(), 0));

        let client = sign_in(&app, &owner.email, PASSWORD).await;
        client.visit("/w/acme/billing").await.assert_says("Free").assert_says("of any number");
        for (query, field) in
            [("?plan=team&seats=0", "seats"), ("?plan=team&seats=x", "seats"), ("?plan=gold", "plan")]
        {
            let page = client.get(&at(query)).await.with_status(422);
            assert!(page.has(&format!("#{field}-error")), "{query}");
            assert!(!page.has("form[method=post][action$='/billing/change']"), "{query}");
        }
    }

    async fn a_plan_for_few_people_is_not_for_many(backend: Backend) {
        let app = TestApp::on(backend)
            .with(|config| {
                config.plans.plans[0].max_seats = Some(2);
                config.plans.plans[1].max_seats = Some(3);
            })
            .spawn()
            .await;
        let owner = new_owner(&app).await;
        let client = &owner.client;
        invite_one(client, "a@example.com").await.assert_status(303);
        let refused = app.unchanged_by(invite_one(client, "b@example.com")).await;
        refused.assert_status(409).assert_says("the plan Free has 2 seats here");
        set_growth(client, "9").await;
        invite_one(client, "b@example.com").await.assert_status(409);
        choose(client, "acme", "team", "2").await.assert_status(303);
        invite_one(client, "b@example.com").await.assert_status(303);
        invite_one(client, "c@example.com").await.assert_status(409);
        let page = client.get("/w/acme/billing/change?plan=team&seats=4").await.with_status(422);
        page.assert_says("at most 3");
    }

    async fn each_permission_opens_and_closes_its_pages_and_calls(app: TestApp) {
        let owner = new_owner(&app).await;
        let person = member(&app, &owner, "billing").await;
        let key = workspace_key(&app, "acme", &["billing"]).await;
        let form = [("plan", "free")];
        let body = json!({"grow_to": 9});
        for (permission, path) in [("read:billing", ""), ("manage:billing", "/change")] {
            for (roles, page, call) in [(&["admin"][..], 403, 403), (&["admin", "billing"][..], 200, 200)] {
                assign(&owner.client, permission, roles).await;

                person.client.get(&format!("/w/acme/billing{path}")).await.assert_status(page);
                let called = match permission {
                    "read:billing" => key.get(CALLS).await,
                    _ => key.call(Method::PUT, &format!("{CALLS}/growth"), Some(&body)).await,
                };
                assert_eq!(called.status, call, "{permission} for {roles:?}");
                if permission == "manage:billing" {
                    let status = if page == 200 { 303 } else { 403 };
                    person.client.post_form("/w/acme/billing/change", &form).await.assert_status(status);
                }
            }
        }
    }

    async fn details_are_what_invoices_will_say(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = &owner.client;
        let page = client.visit("/w/acme/billing").await;
        let fields = [("contact", "Billing@Example.com"), ("address", "Example Ltd\n1 Street"), ("tax_number", " XX 7 ")];
        client.submit(&page, "/billing/details", &fields).await.assert_status(303);
        let key = workspace_key(&app, "acme", &["billing"]).await;
        let details = key.get(CALLS).await.with_status(200).body["details"].clone();
        let expected = json!({"contact": "billing@example.com", "address": "Example Ltd\n1 Street", "tax_number": "XX 7"});
        assert_eq!(details, expected);
        // Nothing of it is in the record.
        let named = "SELECT COUNT(*) FROM audit_events WHERE payload LIKE '%Street%' OR payload LIKE '%XX 7%'";
        assert_eq!(app.scalar_i64(named).await, 0);
        let long = "7".repeat(41);
        let wrong = [("contact", "nobody"), ("address", "Example Ltd"), ("tax_number", long.as_str())];
        let refused = app.unchanged_by(client.submit(&page, "/billing/details", &wrong)).await.with_status(422);
        assert!(refused.has("#contact-error") && refused.has("#tax_number-error"));
        assert_eq!(refused.field_value("contact").as_deref(), Some("nobody"));
    }
}
