//! Requests for support: who asks and reads, what is refused, and how they are answered.

use crate::{
    nouns::security::assign,
    support::{
        product::{Clock, Config, Db, Name, SupportCommand, run_support},
        *,
    },
};
use serde_json::{Value, json};

const PATH: &str = "/w/acme/support";
const CALLS: &str = "/api/sso/v1/support-requests";
const OPERATORS: &str = "operators@example.com";

/// Runs the command, as another process would.
pub(super) async fn command(app: &TestApp, command: SupportCommand) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), dir.path());
    let db = Db::open(&config, app.url(), Clock::manual(app.clock.now())).await.unwrap();
    let said = run_support(&db, &app.url(), command).await.map_err(|error| error.to_string());
    db.close().await;
    app.note_change();
    said
}

async fn mailed(backend: Backend) -> TestApp {
    TestApp::on(backend).with(|config| config.support_email = Some(OPERATORS.to_owned())).spawn().await
}

fn fields(happened: &str) -> [(&'static str, &str); 5] {
    [
        ("category", "technical"),
        ("expected", "The list of members"),
        ("happened", happened),
        ("when", "today, about 10:30 UTC"),
        ("request_id", "0190f3c2-7c2e-7abc-8def-0123456789ab"),
    ]
}

async fn ask(by: &Person, happened: &str) -> Page {
    let page = by.client.visit(&format!("{PATH}/new")).await;
    by.client.submit(&page, "/support", &fields(happened)).await
}

both! {
    async fn a_request_is_mailed_read_and_answered(backend: Backend) {
        let app = mailed(backend).await;
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let billing = member(&app, &owner, "billing").await;
        developer.client.visit("/w/acme").await.link("/support");
        developer.client.visit(PATH).await.assert_says("No requests yet");

        let asked = ask(&developer, "It stays empty.\nAlso after a reload.").await.with_status(303);

        let path = asked.location();
        let page = developer.client.follow(asked).await;
        page.assert_says("Sent to the people who run this installation.").assert_says("It stays empty.");
        let mail = app.mail.wait_for(OPERATORS, "Technical support request from acme").await;
        for said in ["Developer One", "It stays empty.", "Also after a reload.", "today, about 10:30 UTC", "bailiwick support answer"] {
            assert!(mail.text.contains(said), "{said}: {}", mail.text);
        }
        // Others who ask see their own alone; those who grant access see all.
        app.unchanged_by(billing.client.get(&path)).await.assert_status(404);
        billing.client.visit(PATH).await.assert_silent_about("It stays empty.");
        owner.client.visit(PATH).await.assert_says("It stays empty.").assert_says("Developer One");
        owner.client.visit(&path).await;
        let id = path.rsplit('/').next().unwrap().to_owned();
        let waiting = command(&app, SupportCommand::List).await.unwrap();
        assert!(waiting.contains(&id) && waiting.contains("developer-one@example.com"), "{waiting}");

        let name = Name::parse("Operator One").unwrap();
        let text = Some("Reload once more.".to_owned());
        command(&app, SupportCommand::Answer { request: id.parse().unwrap(), name, text }).await.unwrap();

        developer.client.visit(&path).await.assert_says("Operator One").assert_says("Reload once more.");
        let mail = app.mail.wait_for("developer-one@example.com", "An answer to your support request").await;
        assert!(mail.text.contains("Reload once more.") && mail.text.contains(&path), "{}", mail.text);
        assert_eq!(command(&app, SupportCommand::List).await.unwrap(), "No request waits for an answer.");
        let activity = owner.client.visit("/w/acme/activity").await;
        activity.assert_says("asked for support: Technical").assert_says("answered a request for support: Technical");
        activity.assert_silent_about("It stays empty.");
        developer.client.visit(&format!("{PATH}?status=answered")).await.assert_says("It stays empty.");
        developer.client.visit(&format!("{PATH}?status=open")).await.assert_says("No requests match");
    }

    async fn without_an_address_it_is_kept_and_the_page_says_so(app: TestApp) {
        let owner = new_owner(&app).await;
        owner.client.visit(&format!("{PATH}/new")).await.assert_says("has no support address");
        let page = ask(&owner, "Nothing.").await;
        let page = owner.client.follow(page).await;
        page.assert_says("Your request is kept here.").assert_says("Ask the people who run it to look at this request");
        let waiting = command(&app, SupportCommand::List).await.unwrap();
        assert!(waiting.contains("Nothing."), "{waiting}");
        let name = Name::parse("Operator One").unwrap();
        let request = uuid::Uuid::nil();
        let text = Some("To nobody".to_owned());
        let error = command(&app, SupportCommand::Answer { request, name, text }).await.unwrap_err();
        assert!(error.contains("there is no such request"), "{error}");
    }

    // Breaks when either permission guards something else than its row says.
    async fn each_permission_opens_and_closes_page_and_api_at_the_next_request(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let key = workspace_key(&app, "acme", &["viewer"]).await;
        let new = json!({"category": "billing", "expected": "A", "happened": "B"});
        let closed = async || {
            viewer.client.visit("/w/acme").await.assert_silent_about("/w/acme/support\"");
            app.unchanged_by(viewer.client.get(PATH)).await.assert_status(403);
            app.unchanged_by(viewer.client.get(&format!("{PATH}/new"))).await.assert_status(403);
            app.unchanged_by(viewer.client.post_form(PATH, &fields("x"))).await.assert_status(403);
            for answer in [key.get(CALLS).await, key.post(CALLS, &new).await] {
                assert_eq!(answer.status, 403, "{}", answer.text);
            }
        };
        closed().await;
        assign(&owner.client, "create:support-requests", &["viewer"]).await;
        ask(&viewer, "It works.").await.assert_status(303);
        let made = key.post(CALLS, &new).await.with_status(201);
        let path = format!("{CALLS}/{}", made.body["id"].as_str().unwrap());
        assert_eq!(key.get(&path).await.with_status(200).body["request"]["happened"], "B");
        // What the person asked whose key it is, is theirs alone.
        ask(&owner, "Between us.").await.assert_status(303);
        let own = key.get(CALLS).await.with_status(200);
        assert_eq!(own.body["items"].as_array().unwrap().len(), 1, "{}", own.text);
        assert!(!own.text.contains("Between us."), "{}", own.text);
        viewer.client.get(&format!("{PATH}/access/{}", uuid::Uuid::nil())).await.assert_status(403);
        assign(&owner.client, "create:support-requests", &[]).await;
        closed().await;
        assign(&owner.client, "manage:support-access", &["viewer"]).await;
        viewer.client.visit(PATH).await.assert_says("Nobody has asked for access.").assert_says("It works.");
        app.unchanged_by(viewer.client.post_form(PATH, &fields("x"))).await.assert_status(403);
        assert_eq!(key.get(CALLS).await.with_status(200).body["items"].as_array().unwrap().len(), 3);
        key.post(CALLS, &new).await.with_status(403);
        assign(&owner.client, "manage:support-access", &[]).await;
        closed().await;
    }

    // Breaks without `without_secrets` in NewForm, NewSupportRequest or create (nouns/support/requests.rs).
    async fn a_text_with_a_secret_is_refused_and_comes_back_with_the_line_named(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let token = format!("blw_inv_{}", "0a".repeat(36));
        for secret in [
            token.as_str(),
            "Authorization: Bearer abcdef0123456789",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "-----BEGIN PRIVATE KEY-----",
            "4111 1111 1111 1111",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "postgres://me:secret@db.example/x",
        ] {
            for field in ["expected", "happened", "when", "request_id"] {
                let text = match field {
                    "expected" | "happened" => format!("One\nTwo\n{secret}"),
                    _ => secret.to_owned(),
                };
                let mut sent: Vec<(&str, &str)> = fields("It failed").to_vec();
                sent.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, value)| *value = &text);
                let page = owner.client.visit(&format!("{PATH}/new")).await;
                let page = app.unchanged_by(owner.client.submit(&page, "/support", &sent)).await.with_status(422);
                let line = if text.contains('\n') { "Line 3" } else { "Line 1" };
                let said = page.field_error(field).unwrap_or_else(|| panic!("{field}: {secret}"));
                assert!(said.contains(line), "{said}");
                assert_eq!(page.field_value(field).as_deref(), Some(text.as_str()), "kept in the form");
                let mut body: Value = json!({"category": "technical"});
                for (name, value) in &sent[1..] {
                    body[*name] = json!(value);
                }
                let before = app.tenants().await;
                let answer = api.post(CALLS, &body).await.with_status(422);
                before.assert_same(&app.tenants().await);
                assert!(answer.text.contains(line) && !answer.text.contains(secret), "{}", answer.text);
            }
        }
        assert_eq!(app.scalar_i64("SELECT count(*) FROM support_requests").await, 0);
    }

    // Breaks when leaked_keys (nouns/support/requests.rs) finds keys of other workspaces, or for people who can't revoke.
    async fn for_a_key_of_ones_own_revoke_it_now_is_offered_to_those_who_may(app: TestApp) {
        let owner = new_owner(&app).await;
        let billing = member(&app, &owner, "billing").await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let (id, _, secret) = add_key(&app, "acme", "Leaked key", &["viewer"]).await;
        let (other, _, foreign) = add_key(&app, "elsewhere", "Foreign key", &["viewer"]).await;
        let page = ask(&owner, &format!("The key {secret} fails")).await.with_status(422);
        page.assert_says("Leaked key").assert_says("revoke it now");
        let link = page.link(&format!("/api-keys/{id}"));
        owner.client.visit(&link).await.assert_says("Leaked key");
        // Whatever else is in the text, and beside it.
        let (second, _, another) = add_key(&app, "acme", "Second key", &["viewer"]).await;
        let page = ask(&owner, &format!("4111 1111 1111 1111\n{secret}-old\n{another}")).await.with_status(422);
        page.link(&format!("/api-keys/{id}"));
        page.link(&format!("/api-keys/{second}"));
        let sql = format!("UPDATE api_keys SET revoked_at = 1 WHERE id = {}", app.id(second));
        assert_eq!(app.execute(&sql).await, 1);
        let page = ask(&owner, &another).await.with_status(422);
        page.assert_silent_about("revoke it now");
        for (who, text) in [(&billing, &secret), (&owner, &foreign)] {
            let page = ask(who, text).await.with_status(422);
            page.assert_silent_about("revoke it now").assert_silent_about(&other.to_string());
            assert!(page.field_error("happened").is_some());
        }
    }

    async fn the_line_is_that_of_the_text_as_it_comes_back(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = ask(&owner, "\n\n  \nFirst\nBearer abcdef0123456789").await.with_status(422);
        let said = page.field_error("happened").unwrap();
        assert!(said.contains("Line 5"), "{said}");
    }

    async fn what_is_missing_is_said_at_its_field_and_too_much_is_refused(app: TestApp) {
        let owner = new_owner(&app).await;
        let long = "x".repeat(4_001);
        for (field, value) in [
            ("category", ""),
            ("category", "nonsense"),
            ("expected", "  \n "),
            ("happened", ""),
            ("happened", long.as_str()),
            ("when", long.as_str()),
        ] {
            let mut sent: Vec<(&str, &str)> = fields("It failed").to_vec();
            sent.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, old)| *old = value);
            let page = app.unchanged_by(owner.client.post_form(PATH, &sent)).await.with_status(422);
            assert!(page.field_error(field).is_some(), "{field} {value:.10}");
            if field != "expected" {
                assert_eq!(page.field_value("expected").as_deref(), Some("The list of members"));
            }
        }
        for n in 0..20 {
            ask(&owner, &format!("Request {n}")).await.assert_status(303);
        }
        let page = app.unchanged_by(owner.client.post_form(PATH, &fields("One too many"))).await.with_status(429);
        assert_eq!(page.field_value("happened").as_deref(), Some("One too many"));
        // For a day, and not only until the next sweep.
        app.clock.advance(std::time::Duration::from_secs(2 * 3_600));
        crate::deletion::sweep(&app).await;
        app.unchanged_by(owner.client.post_form(PATH, &fields("One too many"))).await.assert_status(429);
        app.clock.advance(std::time::Duration::from_secs(22 * 3_600));
        owner.client.post_form(PATH, &fields("Another day")).await.assert_status(303);
    }
}
