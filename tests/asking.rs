//! Requests for access: asked on the page of a refusal, accepted, shortened or declined by those who can give it.

use crate::{nouns::access_requests::add_request, support::*, world::*};
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;

/// The day that is so many days from now, as a field has it.
fn in_days(app: &TestApp, days: i64) -> String {
    let at = app.clock.now().as_millis() + days * product::DAY;
    OffsetDateTime::from_unix_timestamp(at / 1_000).unwrap().date().to_string()
}

/// Asks on the page that a refusal of `path` leads to. Returns the path of the request.
async fn ask(person: &Person, path: &str, reason: &str, until: &str) -> String {
    let refused = person.client.get(path).await.with_status(403);
    let page = person.client.visit(&refused.link("/access-requests/new")).await;
    let fields = [("reason", reason), ("until", until)];
    person.client.submit(&page, "/access-requests", &fields).await.with_status(303).location()
}

/// The names after these words, apart by commas.
fn names(text: &str, words: &str) -> Vec<String> {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("no {words:?} in {text}"));
    rest.split('.').next().unwrap().split(", ").map(|name| name.trim().to_owned()).collect()
}

both! {
    // Breaks without `set_role_end` in access_requests/answer.rs, and when what is given outlasts what was asked for.
    async fn what_is_missing_is_asked_for_given_for_less_time_and_ends(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let last_day = in_days(&app, 10);
        let request = ask(&viewer, "/w/acme/activity", "The audit of last week", &last_day).await;

        let letter = app.mail.wait_for(&owner.email, "Viewer One asks for access in acme").await;
        assert!(letter.text.contains("What: View activity") && letter.text.contains("The audit of last week"));
        assert!(letter.links().iter().any(|link| link.ends_with(&request)), "{}", letter.text);
        owner.client.visit("/w/acme").await.assert_says("A member asks for access");
        let page = owner.client.visit(&request).await;
        page.assert_says("Viewer One asks for View activity").assert_says("The audit of last week");
        assert_eq!(page.field_value("until").as_deref(), Some(last_day.as_str()));

        // Neither longer than asked for, nor without an end, nor in the past.
        for (until, says) in [
            (in_days(&app, 11), "an earlier one"),
            (String::new(), "an earlier one"),
            (in_days(&app, -2), "isn't over yet"),
        ] {
            let fields = [("role", "admin"), ("until", until.as_str())];
            let refused = owner.client.submit(&page, "/acceptance", &fields);
            let refused = app.unchanged_by(refused).await.with_status(422);
            assert!(refused.field_error("until").unwrap().contains(says), "{until}: {}", refused.text());
        }
        // A role that does not give it is none of those to choose.
        let fields = [("role", "editor"), ("until", last_day.as_str())];
        let refused = app.unchanged_by(owner.client.post_form(&format!("{request}/acceptance"), &fields)).await;
        assert!(refused.with_status(422).field_error("role").is_some());

        let shorter = in_days(&app, 3);
        let fields = [("role", "admin"), ("until", shorter.as_str())];
        let done = owner.client.submit(&page, "/acceptance", &fields).await;
        owner.client.follow(done).await.assert_says("Accepted").assert_says("Admin");
        app.mail.wait_for(&viewer.email, "Your roles in acme changed").await;
        viewer.client.visit(&request).await.assert_says("Accepted");
        viewer.client.visit("/w/acme/activity").await.assert_says("accepted a request for access");
        let again = app.unchanged_by(owner.client.post_form(&format!("{request}/acceptance"), &fields)).await;
        again.assert_status(409);

        // No sweeper makes it true.
        app.clock.advance(Duration::from_secs(4 * 86_400));
        viewer.client.get("/w/acme/activity").await.assert_status(403);
        viewer.client.visit("/w/acme").await.assert_says("Your roles: Viewer");
    }

    // Breaks when one of both pages looks for people in another way than `enforce/workspace/granters.rs`.
    async fn a_refusal_and_the_access_page_name_the_same_people(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 0..4 {
            let user = add_user(&app, &format!("Admin Number {n}"), &format!("admin-{n}@example.com")).await;
            add_member(&app, "acme", user, "active", &["admin"]).await;
        }
        let viewer = member(&app, &owner, "viewer").await;
        let refused = viewer.client.get("/w/acme/api-keys").await.with_status(403);
        let refused = names(&refused.text(), "People who can give it to you:");
        let expected: Vec<_> = (0..4).map(|n| format!("Admin Number {n}")).chain(["Owner One".into()]).collect();
        assert_eq!(refused, expected);
        let access = viewer.client.visit(&format!("/w/acme/members/{}/access", viewer.member_id)).await;
        let givable = access.select("section[aria-labelledby=givable] li");
        let developer = givable.iter().find(|row| row.starts_with("Developer")).unwrap();
        assert_eq!(names(developer, "Developer"), expected);
        let ask = viewer.client.visit(&access.link("wanted=read:api-keys")).await;
        assert_eq!(names(&ask.text(), "People who can give it to you:"), expected);
    }

    async fn who_may_not_answer_does_not_and_nobody_answers_for_themselves(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let editor = member(&app, &owner, "editor").await;
        let viewer = member(&app, &owner, "viewer").await;
        let request = add_request(&app, "acme", viewer.member_id, "read:audit", "A task").await;
        let path = format!("/w/acme/access-requests/{request}");
        // It is nobody's business but theirs who can answer, and the asker's.
        app.unchanged_by(editor.client.get(&path)).await.assert_status(404);
        for verb in ["acceptance", "decline"] {
            let refused = app.unchanged_by(editor.client.post_form(&format!("{path}/{verb}"), &[])).await;
            refused.assert_status(403).assert_says("Change member roles");
        }
        app.unchanged_by(owner.client.post_form(&format!("{path}/withdrawal"), &[])).await.assert_status(404);
        let declined = admin.client.post_form(&format!("{path}/decline"), &[("answer", "Ask again in May")]).await;
        admin.client.follow(declined).await.assert_says("Declined");
        let letter = app.mail.wait_for(&viewer.email, "Your request for access in acme was declined").await;
        assert!(letter.text.contains("Answer: Ask again in May"), "{}", letter.text);
        viewer.client.visit(&path).await.assert_says("Ask again in May");

        // Admins can give the Admin role to others; what they ask for themselves, somebody else answers.
        let own = add_request(&app, "acme", admin.member_id, "update:permissions", "A task").await;
        let path = format!("/w/acme/access-requests/{own}");
        assert!(!admin.client.visit(&path).await.has_form("/acceptance"));
        for verb in ["acceptance", "decline"] {
            let refused = app.unchanged_by(admin.client.post_form(&format!("{path}/{verb}"), &[])).await;
            refused.assert_status(403).assert_says("Someone else has to answer it");
        }
        admin.client.post_form(&format!("{path}/withdrawal"), &[]).await.assert_status(303);
        app.unchanged_by(owner.client.post_form(&format!("{path}/decline"), &[])).await.assert_status(409);
    }

    async fn the_ceiling_holds_for_answers(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        add_role(&app, "keeper", "Keeper", &["read:members", "update:member-roles"]).await;
        let keeper = add_user(&app, "Keeper One", "keeper-one@example.com").await;
        add_member(&app, "acme", keeper, "active", &["keeper", "viewer"]).await;
        let keeper = sign_in(&app, "keeper-one@example.com", PASSWORD).await;
        let request = add_request(&app, "acme", viewer.member_id, "read:audit", "A task").await;
        let path = format!("/w/acme/access-requests/{request}");
        let page = keeper.visit(&path).await;
        assert!(!page.has_form("/acceptance"), "they don't hold what they would give");
        let refused = app.unchanged_by(keeper.post_form(&format!("{path}/acceptance"), &[("role", "admin")])).await;
        refused.assert_status(403).assert_says("You can't grant access you don't have yourself");
    }

    // Breaks when an answer sets an end that is sooner than the one that somebody else gave meanwhile.
    async fn an_answer_takes_nothing_away(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let request = add_request(&app, "acme", viewer.member_id, "read:audit", "A task").await;
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&path, &[("role", "viewer"), ("role", "admin")]).await.assert_status(303);
        let ends = app.clock.now().as_millis() + 30 * product::DAY;
        let of_role = format!(
            "member_id = {} AND role_id = (SELECT id FROM roles WHERE slug = 'admin')",
            app.id(viewer.member_id)
        );
        assert_eq!(app.execute(&format!("UPDATE member_roles SET ends_at = {ends} WHERE {of_role}")).await, 1);
        let sooner = in_days(&app, 3);
        let fields = [("role", "admin"), ("until", sooner.as_str())];
        let path = format!("/w/acme/access-requests/{request}/acceptance");
        owner.client.post_form(&path, &fields).await.assert_status(303);
        assert_eq!(app.scalar_i64(&format!("SELECT ends_at FROM member_roles WHERE {of_role}")).await, ends);
    }

    async fn the_same_is_asked_for_once_and_nothing_that_is_held(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let ask = async |wanted: &str| {
            let fields = [("wanted", wanted), ("reason", "A task")];
            viewer.client.post_form("/w/acme/access-requests", &fields).await
        };
        ask("editor").await.assert_status(303);
        ask("editor").await.assert_status(409).assert_says("You already asked for this");
        ask("viewer").await.assert_status(409).assert_says("You already have this access");
        ask("read:members").await.assert_status(409);
        for wanted in ["owner", "nothing", "no scope", ""] {
            let refused = ask(wanted).await.with_status(422);
            assert!(refused.field_error("wanted").is_some(), "{wanted}");
        }
        let long = "x".repeat(201);
        for fields in [[("reason", ""), ("until", "")], [("reason", long.as_str()), ("until", "")]] {
            let all: Vec<_> = [("wanted", "admin")].into_iter().chain(fields).collect();
            let refused = viewer.client.post_form("/w/acme/access-requests", &all).await.with_status(422);
            assert!(refused.field_error("reason").is_some());
        }
        // One that nobody answered makes room after two weeks.
        app.clock.advance(Duration::from_secs(15 * 86_400));
        let viewer = sign_in(&app, &viewer.email, PASSWORD).await;
        let fields = [("wanted", "editor"), ("reason", "A task")];
        viewer.post_form("/w/acme/access-requests", &fields).await.assert_status(303);
    }

    async fn twenty_answers_at_once_are_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let request = add_request(&app, "acme", viewer.member_id, "read:audit", "A task").await;
        let path = format!("/w/acme/access-requests/{request}");
        let twins = owner.client.twins(20).await;
        let answers = race(20, async |i| {
            let verb = if i % 2 == 0 { "acceptance" } else { "decline" };
            let fields: &[(&str, &str)] = if i % 2 == 0 { &[("role", "admin")] } else { &[] };
            twins[i].post_form(&format!("{path}/{verb}"), fields).await.status.as_u16()
        })
        .await;
        let done = answers.iter().filter(|status| **status == 303).count();
        assert_eq!((done, answers.iter().filter(|status| **status == 409).count()), (1, 19), "{answers:?}");
        let answered = "SELECT COUNT(*) FROM audit_events WHERE kind IN ('access-request.accepted', 'access-request.declined')";
        assert_eq!(app.scalar_i64(answered).await, 1);
    }

    async fn services_answer_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let request = add_request(&app, "acme", viewer.member_id, "read:audit", "A task").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let list = api.get("/api/sso/v1/access-requests?waiting=true").await.with_status(200);
        assert_eq!(list.body["items"][0]["wanted"], "read:audit");
        assert_eq!(list.body["items"][0]["status"], "waiting");
        let path = format!("/api/sso/v1/access-requests/{request}");
        let until = app.clock.now().as_millis() + product::DAY;
        let body = json!({"role": "admin", "until": until}).to_string();
        let done = api.send(reqwest::Method::POST, &format!("{path}/acceptance"), Some(body), &[]).await;
        let done = done.with_status(200);
        assert_eq!((&done.body["status"], &done.body["given_until"]), (&json!("accepted"), &json!(until)));
        viewer.client.visit("/w/acme/activity").await;
        let again = api.send(reqwest::Method::POST, &format!("{path}/decline"), Some("{}".into()), &[]).await;
        again.with_status(409);
    }
}

async fn add_role(app: &TestApp, slug: &str, name: &str, scopes: &[&str]) {
    crate::nouns::roles::add_role(app, "acme", slug, name, scopes).await;
}
