//! What credits do beyond what every noun does.

use super::{CALLS, findings, grant, grant_for, handle, handle_at};
use crate::{
    deletion::purge,
    nouns::security::assign,
    support::{
        product::{
            Clock, DAY, Description, Slug,
            credits::{self, Source, grants},
        },
        *,
    },
};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

async fn spend(key: &Api, id: &str, amount: i64) -> Answer {
    key.post(&format!("{CALLS}/usage"), &json!({"id": id, "amount": amount})).await
}

async fn hold(key: &Api, id: &str, amount: i64, seconds: i64) -> Answer {
    let body = json!({"id": id, "amount": amount, "expires_in": seconds});
    key.post(&format!("{CALLS}/holds"), &body).await
}

fn id_of(answer: &Answer) -> String {
    answer.body["hold"]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

async fn settle(key: &Api, hold: &str, id: &str, amount: i64) -> Answer {
    key.post(&format!("{CALLS}/holds/{hold}/settlement"), &json!({"id": id, "amount": amount})).await
}

async fn release(key: &Api, hold: &str, id: &str) -> Answer {
    key.post(&format!("{CALLS}/holds/{hold}/release"), &json!({"id": id})).await
}

/// What is available, and what is held.
async fn balance(key: &Api) -> (i64, i64) {
    let body = key.get(CALLS).await.with_status(200).body;
    (body["available"].as_i64().unwrap(), body["held"].as_i64().unwrap())
}

async fn kinds(key: &Api) -> Vec<String> {
    let body = key.get(&format!("{CALLS}/transfers")).await.with_status(200).body;
    let items = body["items"].as_array().unwrap();
    items.iter().rev().map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["change"])).collect()
}

/// Moves the clock to noon (UTC), so that what a test uses is used on one day.
fn advance_to_noon(app: &TestApp) {
    let since_midnight = app.clock.now().as_millis().rem_euclid(DAY);
    let left = (DAY + DAY / 2 - since_midnight).rem_euclid(DAY);
    app.clock.advance(Duration::from_millis(u64::try_from(left).unwrap()));
}

both! {
    async fn credits_are_used_soonest_to_expire_first_and_included_before_bought(app: TestApp) {
        advance_to_noon(&app);
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        owner.client.visit("/w/acme/credits").await.assert_says("No transfers yet").assert_says("No credits are left");
        assert_eq!(balance(&key).await, (0, 0));
        let day = app.clock.now() + DAY;
        for (amount, days, source) in
            [(5, 20, Source::Included), (7, 10, Source::Bought), (3, 30, Source::Bought)]
        {
            grant_for(&app, "acme", amount, days, source, "").await;
        }
        // Both end at the same moment.
        let db = handle(&app).await;
        for source in [Source::Bought, Source::Included] {
            let new = grants::NewGrant {
                amount: credits::Amount::parse("amount", 2).unwrap(),
                source,
                expires_at: day,
                note: Description::parse("").unwrap(),
            };
            grants::grant_by_operator(&db, &Slug::parse("acme").unwrap(), &new).await.unwrap();
        }
        db.close().await;
        let left = async || {
            let body = key.get(CALLS).await.body;
            let grants = body["grants"].as_array().unwrap().clone();
            grants.iter().map(|one| format!("{} {}", one["source"].as_str().unwrap(), one["left"])).collect::<Vec<_>>()
        };
        assert_eq!(left().await, ["included 2", "bought 2", "bought 7", "included 5", "bought 3"]);
        let used = spend(&key, "a", 3).await.with_status(200);
        assert_eq!((used.body["available"].as_i64(), used.body["transfers"].as_array().unwrap().len()), (Some(16), 2));
        assert_eq!(left().await, ["bought 1", "bought 7", "included 5", "bought 3"]);
        // A hold takes over several, uses the first of them, and gives back the rest.
        let held = hold(&key, "b", 10, 600).await.with_status(201);
        assert_eq!(balance(&key).await, (6, 10));
        settle(&key, &id_of(&held), "c", 2).await.with_status(200);
        assert_eq!(balance(&key).await, (14, 0));
        assert_eq!(left().await, ["bought 6", "included 5", "bought 3"]);
        assert_eq!(findings(&app).await, Vec::<String>::new());

        let page = owner.client.visit("/w/acme/credits").await;
        for words in ["14", "Usage by day", "5 in all", "Settlement", "Release", "Bought", "Included", "Key developer"] {
            assert!(page.html.contains(words), "{words}");
        }
        assert_eq!(page.select(".figures.num tbody td"), ["5"]);
        for (query, count) in [
            ("kind=settlement", 2),
            ("kind=usage", 2),
            ("client_id=a", 2),
            ("client_id=nothing", 0),
            ("kind=grant&client_id=a", 0),
            ("from=2001-01-01&kind=hold", 3),
            ("until=2001-01-01", 0),
        ] {
            let page = owner.client.visit(&format!("/w/acme/credits?{query}")).await;
            assert_eq!(page.select("#results tbody tr").len(), count, "{query}");
            let call = query.replace("from=2001-01-01", "from=1").replace("until=2001-01-01", "until=1");
            let body = key.get(&format!("{CALLS}/transfers?{call}")).await.with_status(200).body;
            assert_eq!(body["items"].as_array().unwrap().len(), count, "{query}");
        }
    }

    async fn what_is_out_of_bounds_is_refused_and_changes_nothing(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant(&app, "acme", 100).await;
        let held = id_of(&hold(&key, "held", 10, 600).await.with_status(201));
        let paths =
            ["usage".to_owned(), "holds".to_owned(), format!("holds/{held}/settlement")].map(|at| format!("{CALLS}/{at}"));
        let long = "x".repeat(101);
        for path in &paths {
            for body in [
                r#"{"id": "a", "amount": 0}"#,
                r#"{"id": "a", "amount": -1}"#,
                r#"{"id": "a", "amount": 1000000000001}"#,
                r#"{"id": "a", "amount": 9223372036854775807}"#,
                r#"{"id": "a", "amount": 9223372036854775808}"#,
                r#"{"id": "a", "amount": 1e30}"#,
                r#"{"id": "a", "amount": 1.5}"#,
                r#"{"id": "a", "amount": "1"}"#,
                r#"{"id": "a", "amount": null}"#,
                r#"{"id": "a"}"#,
                r#"{"amount": 1}"#,
                r#"{"id": "", "amount": 1}"#,
                r#"{"id": "two words", "amount": 1}"#,
                r#"{"id": "\u0000", "amount": 1}"#,
                &format!(r#"{{"id": "{long}", "amount": 1}}"#),
                r#"{"id": "a", "amount": 1, "more": 1}"#,
                r#"{"id": "a", "amount": 1, "note": "a\u0000b"}"#,
            ] {
                let call = key.send(Method::POST, path, Some(body.to_owned()), &[]);
                let answer = app.unchanged_by(call).await;
                assert!([400, 422].contains(&answer.status), "{path} {body}: {} {}", answer.status, answer.text);
            }
        }
        for seconds in [0, -1, 604_801, i64::MAX] {
            app.unchanged_by(hold(&key, "long", 1, seconds)).await.with_status(422);
        }
        // More than is held, and than is there.
        app.unchanged_by(settle(&key, &held, "more", 11)).await.with_status(422);
        let refused = app.unchanged_by(spend(&key, "much", 91)).await.with_status(402);
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        for words in ["91 credits", "90 are available", "Owner", "Billing"] {
            assert!(refused.text.contains(words), "{words}: {}", refused.text);
        }
        app.unchanged_by(hold(&key, "much", 1_000_000_000_000, 600)).await.with_status(402);
        // An id that was refused is free.
        spend(&key, "much", 90).await.with_status(200);
        assert_eq!(balance(&key).await, (0, 10));
    }

    async fn an_id_stands_for_one_request(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant(&app, "acme", 100).await;
        let first = hold(&key, "a", 10, 600).await.with_status(201);
        let held = id_of(&first);
        // Whatever happens meanwhile, the answer is the same.
        spend(&key, "b", 5).await.with_status(200);
        let again = app.unchanged_by(hold(&key, "a", 10, 600)).await.with_status(201);
        assert_eq!(first.body, again.body);
        // Another body, another kind, another hold.
        app.unchanged_by(hold(&key, "a", 11, 600)).await.with_status(422);
        app.unchanged_by(hold(&key, "a", 10, 601)).await.with_status(422);
        app.unchanged_by(spend(&key, "a", 10)).await.with_status(422);
        app.unchanged_by(settle(&key, &held, "a", 10)).await.with_status(422);
        app.unchanged_by(release(&key, &held, "b")).await.with_status(422);
        let settled = settle(&key, &held, "c", 10).await.with_status(200);
        let again = app.unchanged_by(settle(&key, &held, "c", 10)).await.with_status(200);
        assert_eq!(settled.body, again.body);
        let other = id_of(&hold(&key, "d", 10, 600).await.with_status(201));
        app.unchanged_by(settle(&key, &other, "c", 10)).await.with_status(422);
        // Another key that counts alike is not told that its request was done.
        let other_key = workspace_key(&app, "acme", &["admin"]).await;
        let refused = app.unchanged_by(hold(&other_key, "a", 10, 600)).await.with_status(422);
        assert!(refused.text.contains("another API key"), "{}", refused.text);
        // In another workspace it is another one.
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "other").await;
        grant(&app, "other", 100).await;
        let there = workspace_key(&app, "other", &["developer"]).await;
        hold(&there, "a", 1, 600).await.with_status(201);
        for answer in [settle(&there, &other, "x", 1).await, release(&there, &other, "y").await,
            there.get(&format!("{CALLS}/holds/{other}")).await]
        {
            assert_eq!(answer.status, 404, "{}", answer.text);
        }
        let unknown = Uuid::from_u128(9).to_string();
        app.unchanged_by(release(&key, &unknown, "z")).await.with_status(404);
    }

    async fn holds_end_once_and_at_their_moment(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant(&app, "acme", 10).await;
        let held = id_of(&hold(&key, "a", 10, 60).await.with_status(201));
        release(&key, &held, "b").await.with_status(200);
        for answer in [release(&key, &held, "c").await, settle(&key, &held, "d", 1).await] {
            assert_eq!(answer.status, 409, "{}", answer.text);
        }
        assert_eq!(balance(&key).await, (10, 0));
        let held = hold(&key, "e", 10, 60).await.with_status(201);
        let ends = held.body["hold"]["expires_at"].as_i64().unwrap();
        let held = id_of(&held);
        app.unchanged_by(spend(&key, "f", 1)).await.with_status(402);
        // At the very moment at which it ends, it has ended.
        let left = ends - app.clock.now().as_millis();
        app.clock.advance(Duration::from_millis(u64::try_from(left).unwrap()));
        assert_eq!(balance(&key).await, (10, 0));
        let status = key.get(&format!("{CALLS}/holds/{held}")).await.body["status"].clone();
        assert_eq!(status, "expired");
        for answer in [settle(&key, &held, "g", 1).await, release(&key, &held, "h").await] {
            assert_eq!(answer.status, 409, "{}", answer.text);
        }
        // Nobody wrote that yet, and it is spent all the same.
        spend(&key, "i", 10).await.with_status(200);
        assert_eq!(balance(&key).await, (0, 0));
        assert_eq!(findings(&app).await, Vec::<String>::new());
    }

    async fn a_grant_that_expires_while_held_is_used_and_the_rest_expires(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant_for(&app, "acme", 10, 1, Source::Included, "").await;
        let held = id_of(&hold(&key, "a", 8, 3 * 86_400).await.with_status(201));
        app.clock.advance(Duration::from_secs(86_400));
        assert_eq!(balance(&key).await, (0, 8));
        let settled = settle(&key, &held, "b", 5).await.with_status(200);
        assert_eq!(settled.body["available"], 0);
        let db = handle(&app).await;
        credits::sweep(&db).await.unwrap();
        db.close().await;
        assert_eq!(kinds(&key).await, ["grant 10", "hold -8", "settlement 0", "release 3", "expiry -5"]);
        assert_eq!(findings(&app).await, Vec::<String>::new());
        let spent = "SELECT balance FROM credit_accounts WHERE kind = ";
        assert_eq!(app.scalar_i64(&format!("{spent}'spent'")).await, 5);
        assert_eq!(app.scalar_i64(&format!("{spent}'expired'")).await, 5);
    }

    async fn the_tasks_of_a_node_end_what_is_over(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant_for(&app, "acme", 10, 1, Source::Included, "").await;
        hold(&key, "a", 8, 60).await.with_status(201);
        let later = Clock::manual(app.clock.now() + 2 * DAY);
        let db = handle_at(&app, later).await;
        product::housekeeping::sweep(&db).await.unwrap();
        db.close().await;
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM credit_holds WHERE status = 'expired'").await, 1);
        assert_eq!(app.scalar_i64("SELECT balance FROM credit_accounts WHERE kind = 'expired'").await, 10);
        assert_eq!(findings(&app).await, Vec::<String>::new());
    }

    async fn a_correction_is_a_transfer_that_takes_another_back(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let granted = grant(&app, "acme", 10).await;
        let used = spend(&key, "a", 4).await.with_status(200);
        let transfer: Uuid = used.body["transfers"][0].as_str().unwrap().parse().unwrap();
        let (db, slug) = (handle(&app).await, Slug::parse("acme").unwrap());
        let note = Description::parse("Counted twice").unwrap();
        let reverse = async |id: Uuid| grants::reverse_by_operator(&db, &slug, id, &note).await;
        // Of what was granted, something is used.
        assert!(reverse(granted).await.is_err());
        let made = reverse(transfer).await.unwrap();
        assert_eq!(balance(&key).await, (10, 0));
        for id in [transfer, made.transfer, Uuid::from_u128(3)] {
            assert!(reverse(id).await.is_err(), "{id}");
        }
        reverse(granted).await.unwrap();
        assert_eq!(balance(&key).await, (0, 0));
        assert_eq!(kinds(&key).await, ["grant 10", "usage -4", "reversal 4", "reversal -10"]);
        db.close().await;
        assert_eq!(findings(&app).await, Vec::<String>::new());
        let activity = owner.client.visit("/w/acme/activity").await;
        activity.assert_says("granted the workspace").assert_says("Counted twice");
        assert_eq!(app.scalar_i64("SELECT CAST(SUM(used) AS BIGINT) FROM credit_days").await, 0);
    }

    async fn each_alteration_is_found(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant_for(&app, "acme", 100, 10, Source::Included, "").await;
        grant_for(&app, "acme", 100, 20, Source::Bought, "").await;
        for n in 0..3 {
            spend(&key, &format!("u{n}"), 5).await.with_status(200);
        }
        let held = id_of(&hold(&key, "h", 5, 600).await.with_status(201));
        settle(&key, &held, "s", 3).await.with_status(200);
        assert_eq!(findings(&app).await, Vec::<String>::new());
        // The application itself can't.
        for sql in [
            "UPDATE credit_transfers SET amount = amount + 1",
            "DELETE FROM credit_transfers WHERE seq = 3",
            "DELETE FROM credit_accounts",
            "DELETE FROM credit_ledgers",
            "UPDATE credit_accounts SET source = 'bought' WHERE source = 'included'",
            "UPDATE credit_accounts SET balance = -1 WHERE kind = 'spent'",
            "UPDATE credit_accounts SET balance = 1 WHERE kind = 'issued'",
        ] {
            assert!(app.try_execute(sql).await.is_err(), "{sql}");
        }
        // Its owner gets past the triggers.
        let other = "(SELECT a.id FROM credit_accounts a WHERE a.kind = 'grant' AND a.source = 'bought')";
        for (what, sql) in [
            ("a changed amount", "UPDATE credit_transfers SET amount = amount + 1 WHERE seq = 3".to_owned()),
            ("a deleted row", "DELETE FROM credit_transfers WHERE seq = 4".to_owned()),
            ("the last row deleted", "DELETE FROM credit_transfers WHERE seq = (SELECT MAX(seq) FROM credit_transfers)".to_owned()),
            ("all rows deleted", "DELETE FROM credit_transfers".to_owned()),
            ("a swapped account", format!("UPDATE credit_transfers SET debit_id = {other} WHERE seq = 3")),
            ("another time", "UPDATE credit_transfers SET at = at + 1 WHERE seq = 3".to_owned()),
            ("another key", "UPDATE credit_transfers SET key_name = 'x' WHERE seq = 3".to_owned()),
            ("another note", "UPDATE credit_transfers SET note = 'x' WHERE seq = 3".to_owned()),
            ("another client", "UPDATE credit_transfers SET client_id = 'u9' WHERE seq = 3".to_owned()),
            (
                "the last row deleted, and the end moved back",
                "DELETE FROM credit_transfers WHERE seq = 8; UPDATE credit_ledgers
                    SET seq = 7, hash = (SELECT t.hash FROM credit_transfers t WHERE t.seq = 7)".to_owned(),
            ),
            ("another number granted", "UPDATE credit_accounts SET granted = granted + 1 WHERE source = 'bought'".to_owned()),
            ("another note of a grant", "UPDATE credit_accounts SET note = 'x' WHERE source = 'bought'".to_owned()),
            ("another balance", "UPDATE credit_accounts SET balance = balance + 1 WHERE kind = 'spent'".to_owned()),
            ("another expiry", "UPDATE credit_accounts SET expires_at = expires_at + 1 WHERE source = 'bought'".to_owned()),
            ("another source", "UPDATE credit_accounts SET source = 'bought' WHERE source = 'included'".to_owned()),
            ("another end", "UPDATE credit_ledgers SET seq = seq + 1".to_owned()),
            ("a hold", "UPDATE credit_holds SET settled = 4".to_owned()),
            ("a day", "UPDATE credit_days SET used = used + 1".to_owned()),
        ] {
            let found = altered(&app, &sql).await;
            assert!(!found.is_empty(), "{what}");
            assert_eq!(findings(&app).await, Vec::<String>::new(), "after {what}");
        }
        // And said where it is.
        let swapped = format!("UPDATE credit_transfers SET debit_id = {other} WHERE seq = 3");
        for (sql, says) in [
            ("UPDATE credit_transfers SET amount = amount + 1 WHERE seq = 3", "at transfer 3: it was altered"),
            (swapped.as_str(), "at transfer 3: it was altered"),
            ("DELETE FROM credit_transfers WHERE seq = 4", "at transfer 4: a transfer is missing"),
            ("DELETE FROM credit_transfers WHERE seq = 8", "7 transfers are there, and 8 were written"),
        ] {
            let found = altered(&app, sql).await;
            assert!(found.iter().any(|line| line.contains(says)), "{says}: {found:?}");
        }
        // The ledger as a whole.
        let found = altered(
            &app,
            "DELETE FROM credit_transfers; DELETE FROM credit_holds; DELETE FROM credit_days;
            DELETE FROM credit_requests; DELETE FROM credit_accounts; DELETE FROM credit_ledgers",
        )
        .await;
        assert!(found.iter().any(|line| line.contains("the audit record says that it was there")), "{found:?}");
    }

    async fn those_who_can_buy_are_told_once_a_day(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant(&app, "acme", 100).await;
        let page = developer.client.visit("/w/acme/credits").await;
        assert!(page.forms().iter().all(|form| !form.action.ends_with("/credits/notice")));
        let refused = app.unchanged_by(developer.client.post_form("/w/acme/credits/notice", &[("below", "50")])).await;
        refused.assert_status(403).assert_says("Purchase credits");
        let page = owner.client.visit("/w/acme/credits").await;
        for below in ["0", "-5", "many", "1000000000001", "99999999999999999999"] {
            let answer = app.unchanged_by(owner.client.submit(&page, "/credits/notice", &[("below", below)])).await;
            let answer = answer.with_status(422);
            assert!(answer.field_error("below").is_some(), "{below}");
            assert!(answer.html.contains(&format!("value=\"{below}\"")), "{below}");
        }
        owner.client.submit(&page, "/credits/notice", &[("below", "50")]).await.with_status(303);
        let letters = async || app.scalar_i64("SELECT COUNT(*) FROM outbox").await;
        spend(&key, "a", 50).await.with_status(200);
        app.mail_is_out().await;
        assert_eq!(letters().await, 0);
        spend(&key, "b", 1).await.with_status(200);
        let letter = app.mail.wait_for(&owner.email, "running low on credits").await;
        assert!(letter.text.contains("49 credits left") && letter.text.contains("/w/acme/credits"), "{}", letter.text);
        let sent = app.mail.all().len();
        spend(&key, "c", 1).await.with_status(200);
        app.mail_is_out().await;
        assert_eq!(app.mail.all().len(), sent);
        app.clock.advance(Duration::from_secs(86_401));
        spend(&key, "d", 1).await.with_status(200);
        app.mail_is_out().await;
        assert_eq!(app.mail.all().len(), sent + 1);
    }

    async fn what_expires_and_leaves_little_is_told(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant_for(&app, "acme", 100, 1, Source::Included, "").await;
        grant_for(&app, "acme", 20, 30, Source::Bought, "").await;
        let page = owner.client.visit("/w/acme/credits").await;
        owner.client.submit(&page, "/credits/notice", &[("below", "50")]).await.with_status(303);
        app.clock.advance(Duration::from_secs(86_401));
        let db = handle(&app).await;
        for _ in 0..2 {
            credits::sweep(&db).await.unwrap();
        }
        db.close().await;
        // What is queued by another node goes out with what this one does.
        spend(&key, "a", 1).await.with_status(200);
        let letter = app.mail.wait_for(&owner.email, "running low on credits").await;
        assert!(letter.text.contains("20 credits left"), "{}", letter.text);
        app.mail_is_out().await;
        let told = app.mail.all().iter().filter(|letter| letter.text.contains("credits left")).count();
        assert_eq!(told, 1);
    }

    async fn what_was_used_by_day_is_drawn_and_listed(app: TestApp) {
        advance_to_noon(&app);
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant(&app, "acme", 100).await;
        let page = owner.client.visit("/w/acme/credits").await;
        assert!(!page.has(".chart svg"), "there is nothing to draw");
        spend(&key, "a", 5).await.with_status(200);
        app.clock.advance(Duration::from_secs(86_400));
        let held = id_of(&hold(&key, "b", 30, 600).await.with_status(201));
        settle(&key, &held, "c", 10).await.with_status(200);
        let page = owner.client.visit("/w/acme/credits").await;
        // What is held is not used yet; the last of the thirty days is today.
        for (attribute, expected) in
            [("x", ["93.66%", "96.99%"]), ("y", ["50.00%", "0.00%"]), ("height", ["50.00%", "100.00%"])]
        {
            assert_eq!(page.attributes(".chart svg rect", attribute), expected, "{attribute}");
        }
        assert_eq!(page.select(".figures.num tbody td"), ["10", "5"]);
        let summary = page.attributes(".chart svg", "aria-label");
        assert!(summary[0].contains("15 in all") && summary[0].contains("The most were 10"), "{summary:?}");
    }

    async fn view_credits_and_spend_credits_open_and_close(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let key = workspace_key(&app, "acme", &["viewer"]).await;
        grant(&app, "acme", 100).await;
        let statuses = async |n: usize| {
            let page = viewer.client.get("/w/acme/credits").await.status.as_u16();
            (page, key.get(CALLS).await.status, spend(&key, &format!("t{n}"), 1).await.status)
        };
        assert_eq!(statuses(0).await, (403, 403, 403));
        assign(&owner.client, "read:credits", &["admin", "developer", "billing", "viewer"]).await;
        assert_eq!(statuses(1).await, (200, 200, 403));
        assign(&owner.client, "spend:credits", &["admin", "developer", "viewer"]).await;
        assert_eq!(statuses(2).await, (200, 200, 200));
        assign(&owner.client, "read:credits", &["admin", "developer", "billing"]).await;
        assert_eq!(statuses(3).await, (403, 403, 200));
        assign(&owner.client, "spend:credits", &["admin", "developer"]).await;
        assert_eq!(statuses(4).await, (403, 403, 403));
    }

    async fn a_suspended_key_spends_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        let (_, member, secret) = add_key(&app, "acme", "Spender", &["developer"]).await;
        let key = Api::new(&app, &secret);
        grant(&app, "acme", 100).await;
        spend(&key, "a", 1).await.with_status(200);
        let at = format!("/w/acme/members/{member}/suspension");
        owner.client.post_form(&at, &[]).await.with_status(303);
        // Not even the answer of before.
        assert_eq!(spend(&key, "a", 1).await.status, 403);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM credit_transfers").await, 2);
    }

    async fn operators_grant_correct_and_verify_by_commands(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let dir = tempfile::tempdir().unwrap();
        let secret = "07".repeat(32);
        let settings = [
            ("BAILIWICK_DATABASE_URL", app.database.url.as_str()),
            ("BAILIWICK_SECRET_KEY", secret.as_str()),
        ];
        let run = |command: &str| {
            let words: Vec<&str> = command.split(' ').collect();
            let done = program::run(dir.path(), &words, &settings);
            let said = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
            (done.status.code(), said)
        };
        let (code, said) = run("grant-credits --workspace acme --amount 20 --expires 2099-12-31 --note Plan");
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("is number 1 of the ledger of acme"), "{said}");
        let transfer = said.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(balance(&key).await, (20, 0));
        for (command, expected) in [
            ("grant-credits --workspace acme --amount 0 --expires 2099-12-31", 1),
            ("grant-credits --workspace acme --amount -5 --expires 2099-12-31", 2),
            ("grant-credits --workspace acme --amount 99999999999999999999 --expires 2099-12-31", 78),
            ("grant-credits --workspace acme --amount 5 --expires 2001-12-31", 1),
            ("grant-credits --workspace acme --amount 5 --expires tomorrow", 78),
            ("grant-credits --workspace nowhere --amount 5 --expires 2099-12-31", 1),
            ("reverse-credits --workspace acme --transfer 00000000-0000-0000-0000-000000000001", 1),
        ] {
            let (code, said) = app.unchanged_by(async { run(command) }).await;
            assert_eq!(code, Some(expected), "{command}: {said}");
        }
        let (code, said) = run("verify-ledger");
        assert!(code == Some(0) && said.contains("1 transfers, unaltered"), "{said}");
        let (code, said) = run(&format!("reverse-credits --workspace acme --transfer {transfer} --note Wrong"));
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(balance(&key).await, (0, 0));
        app.execute("UPDATE credit_days SET used = used + 1").await;
        app.execute("UPDATE credit_ledgers SET seq = seq + 1").await;
        let (code, said) = run("verify-ledger");
        assert!(code == Some(1) && said.contains("ALTERED") && said.contains("the ledger was altered: 1 findings"), "{said}");
    }

    async fn a_workspace_is_deleted_with_its_ledger(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        grant(&app, "acme", 100).await;
        let held = id_of(&hold(&key, "a", 5, 600).await.with_status(201));
        settle(&key, &held, "b", 5).await.with_status(200);
        owner.client.post_form("/w/acme/organization/deletion", &[("confirm", "acme")]).await.with_status(303);
        // As long as it can be restored, the ledger is there, and whole.
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM credit_transfers").await, 3);
        assert_eq!(findings(&app).await, Vec::<String>::new());
        purge(&app).await;
        for table in ["credit_ledgers", "credit_accounts", "credit_transfers", "credit_holds", "credit_requests", "credit_days"] {
            assert_eq!(app.scalar_i64(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(findings(&app).await, Vec::<String>::new());
    }
}

/// What is found while the database has been altered so by its owner; then it is as before.
async fn altered(app: &TestApp, sql: &str) -> Vec<String> {
    const TABLES: [&str; 6] = [
        "credit_ledgers",
        "credit_accounts",
        "credit_holds",
        "credit_transfers",
        "credit_requests",
        "credit_days",
    ];
    let guards: Vec<(String, String)> = match app.backend {
        Backend::Postgres => Vec::new(),
        Backend::Sqlite => {
            let rows = app
                .rows(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'credit%'",
                )
                .await;
            let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
            rows.iter().map(|row| (text(row, "name"), text(row, "sql"))).collect()
        }
    };
    let past = |statements: String| match app.backend {
        Backend::Postgres => {
            format!("BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT;")
        }
        Backend::Sqlite => {
            let take: String = guards.iter().map(|(name, _)| format!("DROP TRIGGER {name};")).collect();
            let put: String = guards.iter().map(|(_, sql)| format!("{sql};")).collect();
            format!(
                "PRAGMA foreign_keys = OFF; BEGIN; {take} {statements}; {put} COMMIT; PRAGMA foreign_keys = ON;"
            )
        }
    };
    let copy: String = TABLES
        .iter()
        .map(|table| {
            format!("DROP TABLE IF EXISTS kept_{table}; CREATE TABLE kept_{table} AS SELECT * FROM {table};")
        })
        .collect();
    let run = async |sql: &str| {
        app.db().await.execute_unprepared(sql).await.unwrap();
    };
    run(&copy).await;
    run(&past(sql.to_owned())).await;
    let found = findings(app).await;
    let restore: Vec<String> = TABLES
        .iter()
        .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}"))
        .collect();
    run(&past(restore.join("; "))).await;
    found
}
