//! Calls that pages of other websites send from a browser: only where the workspace names the website, and without
//! telling anybody what a workspace names.

use crate::{nouns::workspaces::add_origin, support::*};
use reqwest::Method;
use serde_json::{Value, json};

const APP: &str = "https://app.example.com";
const OTHER: &str = "https://other.example.com";
const MEMBERS: &str = "/api/sso/v1/members";
const TEAMS: &str = "/api/sso/v1/teams";

/// The question of a browser before a page of `origin` sends a call.
async fn asks(api: &Api, path: &str, origin: &str, method: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization,content-type"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "cors"),
    ];
    api.with(None).send(Method::OPTIONS, path, None, &headers).await
}

/// A call by a page of `origin`.
async fn calls(api: &Api, method: Method, path: &str, origin: &str, body: Option<Value>) -> Answer {
    let headers = [("origin", origin), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
    api.send(method, path, body.map(|body| body.to_string()), &headers).await
}

/// Nothing lets a page read it.
fn assert_closed(answer: &Answer) {
    for name in answer.headers.keys() {
        assert!(
            !name.as_str().starts_with("access-control-"),
            "{name} in {}: {}",
            answer.status,
            answer.text
        );
    }
}

/// A page of this website may read it.
fn assert_open(answer: &Answer, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{}", answer.text);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in ["ETag", "Location", "Retry-After", "X-Request-Id"] {
        assert!(exposed.split(", ").any(|one| one == name), "{name} is not in {exposed}");
    }
    assert!(varies(answer), "{:?}", answer.headers);
}

fn varies(answer: &Answer) -> bool {
    let mut values =
        answer.headers.get_all("vary").iter().flat_map(|value| value.to_str().unwrap().split(','));
    values.any(|value| value.trim().eq_ignore_ascii_case("origin"))
}

/// What two answers have in common that a stranger can compare, their request ids left out.
fn comparable(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let volatile = ["x-request-id", "date", "ratelimit"];
    let headers = answer.headers.iter().filter(|(name, _)| !volatile.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    // They come in any order.
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    (answer.status, answer.text.clone(), headers)
}

both! {
    async fn a_page_of_a_named_website_reads_and_changes(app: TestApp) {
        new_owner(&app).await;
        add_origin(&app, "acme", APP).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;

        let answer = asks(&api, TEAMS, APP, "POST").await.with_status(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
        let sent = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        for name in ["authorization", "content-type", "if-match", "idempotency-key", "x-api-key"] {
            assert!(sent.split(", ").any(|one| one == name), "{name} is not in {sent}");
        }
        assert!(answer.header("access-control-max-age").unwrap().parse::<u32>().unwrap() >= 600);
        assert!(varies(&answer));

        assert_open(&calls(&api, Method::GET, MEMBERS, APP, None).await.with_status(200), APP);
        let team = calls(&api, Method::POST, TEAMS, APP, Some(json!({"name": "Team"}))).await.with_status(201);
        assert_open(&team, APP);
        assert!(team.header("location").is_some() && team.header("etag").is_some());
        // What is wrong with a call can be read too, once its workspace is known.
        assert_open(&calls(&api, Method::POST, TEAMS, APP, Some(json!({}))).await.with_status(422), APP);
        assert_open(&calls(&api, Method::GET, &format!("{TEAMS}/{}", uuid::Uuid::nil()), APP, None).await.with_status(404), APP);
        let viewer = workspace_key(&app, "acme", &["viewer"]).await;
        assert_open(&calls(&viewer, Method::POST, TEAMS, APP, Some(json!({"name": "B"}))).await.with_status(403), APP);
        // Decisions.
        let question = json!({"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}, "resource": {"type": "record", "id": "42"}});
        asks(&api, "/access/v1/evaluation", APP, "POST").await.with_status(204);
        assert_open(&calls(&api, Method::POST, "/access/v1/evaluation", APP, Some(question.clone())).await.with_status(200), APP);
        let batch = json!({"evaluations": [question]});
        assert_open(&calls(&api, Method::POST, "/access/v1/evaluations", APP, Some(batch)).await.with_status(200), APP);
        // A program, which sends no origin, is told nothing of websites; a cache learns that it depends on them.
        let plain = api.get(MEMBERS).await.with_status(200);
        assert_closed(&plain);
        assert!(varies(&plain));
    }

    async fn a_page_of_another_website_changes_and_reads_nothing(app: TestApp) {
        new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        add_origin(&app, "acme", APP).await;
        // Named elsewhere, which is why a browser sends the call at all.
        add_origin(&app, "elsewhere", OTHER).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        asks(&api, TEAMS, OTHER, "POST").await.with_status(204);
        let refusals = "SELECT COUNT(*) FROM audit_events WHERE outcome = 'refused'";
        let before = app.scalar_i64(refusals).await;
        let question = json!({"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}, "resource": {"type": "record", "id": "42"}});
        let team = json!({"name": "Team"});
        let origins = [
            OTHER, "https://nobody.example.com", "http://app.example.com", "https://app.example.com:8443",
            "https://app.example.com.evil.example", "https://evil.example/?https://app.example.com",
            "https://APP.example.com", "https://app.example.com/", "null", "*", "",
        ];
        for origin in origins {
            let refused = app.unchanged_by(calls(&api, Method::POST, TEAMS, origin, Some(team.clone()))).await.with_status(403);
            assert_closed(&refused);
            let refused = app.unchanged_by(calls(&api, Method::POST, "/access/v1/evaluation", origin, Some(question.clone()))).await;
            assert_closed(&refused.with_status(403));
            // The browser keeps it from the page.
            assert_closed(&calls(&api, Method::GET, MEMBERS, origin, None).await.with_status(200));
        }
        assert!(app.scalar_i64(refusals).await > before, "a refusal is in the record of the workspace");
        // Two origins are no origin.
        let twice = [("origin", APP), ("origin", OTHER), ("sec-fetch-site", "cross-site")];
        let refused = app.unchanged_by(api.send(Method::POST, TEAMS, Some(team.to_string()), &twice)).await;
        assert_closed(&refused.with_status(403));
        // Older browsers send the origin alone.
        let old = [("origin", OTHER)];
        let refused = app.unchanged_by(api.send(Method::POST, TEAMS, Some(team.to_string()), &old)).await;
        assert_closed(&refused.with_status(403));
        // It is the workspace of the call that names the website, not the key's home.
        let both = workspace_key(&app, "acme", &["owner"]).await;
        assert_closed(&calls(&both, Method::GET, &format!("{MEMBERS}?workspace=elsewhere"), APP, None).await.with_status(404));
        // A page of the named website whose form a browser sends without asking has no key.
        let refused = app.unchanged_by(calls(&api.with(None), Method::POST, TEAMS, APP, Some(team))).await;
        assert_closed(&refused.with_status(401));
    }

    async fn a_question_is_answered_by_the_website_alone(app: TestApp) {
        new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        add_origin(&app, "elsewhere", APP).await;
        let api = Api::new(&app, "").with(None);
        // The workspace that names it, another one, and one that does not exist: there is no difference.
        for path in ["/api/sso/v1/members?workspace={}", "/api/sso/v1/workspaces/{}", "/api/sso/v1/workspaces/{}/origins"] {
            for (origin, status) in [(APP, 204), (OTHER, 405)] {
                let mut answers = Vec::new();
                for workspace in ["elsewhere", "acme", "nowhere"] {
                    let answer = asks(&api, &path.replace("{}", workspace), origin, "GET").await.with_status(status);
                    assert!(varies(&answer));
                    answers.push(comparable(&answer));
                }
                assert!(answers.iter().all(|answer| *answer == answers[0]), "{origin} {path}: {answers:#?}");
            }
        }
        // A secret changes nothing either.
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        let headers = [("origin", OTHER), ("access-control-request-method", "GET")];
        assert_closed(&owner.send(Method::OPTIONS, MEMBERS, None, &headers).await.with_status(405));
        assert_closed(&asks(&api, MEMBERS, "null", "GET").await.with_status(405));
        assert_closed(&api.send(Method::OPTIONS, MEMBERS, None, &[("origin", APP)]).await.with_status(405));
        // Once nobody names it any more, nobody may call.
        app.execute("DELETE FROM allowed_origins").await;
        assert_closed(&asks(&api, MEMBERS, APP, "GET").await.with_status(405));
    }

    async fn questions_are_counted_by_address(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.calls_per_minute = 3).spawn().await;
        new_owner(&app).await;
        add_origin(&app, "acme", APP).await;
        let api = Api::new(&app, "").with(None);
        for status in [204, 204, 204, 429] {
            let answer = asks(&api, MEMBERS, APP, "GET").await.with_status(status);
            assert!(answer.header("ratelimit").is_some());
        }
        assert_closed(&asks(&api, MEMBERS, APP, "GET").await.with_status(429));
    }

    async fn pages_and_calls_without_a_workspace_are_closed_to_every_website(app: TestApp) {
        let owner = new_owner(&app).await;
        add_origin(&app, "acme", APP).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        for path in ["/api/sso/v1/workspaces", "/api/sso/v1/apikeys/self", "/openapi.json", "/sign-in", "/w/acme/members", "/w/acme"] {
            let answer = asks(&api, path, APP, "GET").await;
            assert!([303, 405].contains(&answer.status), "{path}: {}", answer.status);
            assert_closed(&answer);
            assert_closed(&calls(&api, Method::GET, path, APP, None).await);
        }
        let verify = json!({"api_key": api.secret.clone().unwrap()});
        let refused = app.unchanged_by(calls(&api, Method::POST, "/api/sso/v1/apikeys/verify", APP, Some(verify))).await;
        assert_closed(&refused.with_status(403));
        let new = json!({"name": "Another"});
        let refused = app.unchanged_by(calls(&api, Method::POST, "/api/sso/v1/workspaces", APP, Some(new))).await;
        assert_closed(&refused.with_status(403));
        // A session is no key: the forms of people stay theirs.
        let page = owner.client.with_header("sec-fetch-site", "cross-site").with_header("origin", APP);
        let refused = app.unchanged_by(page.post_form("/w/acme/organization", &[("name", "Renamed"), ("slug", "acme")])).await;
        refused.assert_status(403);
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }

    async fn who_updates_the_organization_names_websites(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, developer) = (member(&app, &owner, "admin").await, member(&app, &owner, "developer").await);
        let path = "/w/acme/organization";
        let page = admin.client.visit(path).await;
        let typed = "https://App.example.com/\nhttp://localhost:3000, https://app.example.com";
        let done = admin.client.submit(&page, "/organization/origins", &[("origins", typed)]).await;
        done.assert_status(303);
        let names = "SELECT COUNT(*) FROM allowed_origins WHERE origin IN ('https://app.example.com', 'http://localhost:3000')";
        assert_eq!(app.scalar_i64(names).await, 2);
        admin.client.follow(done).await.assert_says("Pages of these websites can call the API: http://localhost:3000, https://app.example.com.");
        owner.client.visit("/w/acme/activity").await.assert_says("changed which websites can call the API of");

        // Somebody else was faster: nothing is overwritten.
        let conflict = app.unchanged_by(admin.client.submit(&page, "/organization/origins", &[("origins", OTHER)])).await;
        conflict.assert_status(409).assert_says("Someone changed this");
        assert!(conflict.html.contains("http://localhost:3000"), "the form holds what is there now");

        for (typed, says) in [
            ("https://app.example.com http://app.example.com", "Use https."),
            ("https://*.example.com", "Name each website by itself"),
            ("null", "Enter scheme, host and port"),
            ("https://app.example.com/path", "Leave out what comes after the host"),
        ] {
            let page = owner.client.visit(path).await;
            let refused = app.unchanged_by(owner.client.submit(&page, "/organization/origins", &[("origins", typed)])).await;
            refused.assert_status(422).assert_says(says);
            assert!(refused.html.contains(typed), "what was typed is still there");
        }
        let many: Vec<String> = (0..21).map(|n| format!("https://app-{n}.example.com")).collect();
        let page = owner.client.visit(path).await;
        let refused = app.unchanged_by(owner.client.submit(&page, "/organization/origins", &[("origins", &many.join(" "))])).await;
        refused.assert_status(422).assert_says("at most 20");

        // Everybody sees them; a developer changes nothing.
        let seen = developer.client.visit(path).await;
        assert!(!seen.has_form("/organization/origins") && seen.html.contains("http://localhost:3000"));
        let refused = app.unchanged_by(developer.client.post_form("/w/acme/organization/origins", &[("origins", OTHER)])).await;
        refused.assert_status(403).assert_says("Update organization");
    }

    async fn a_program_names_websites(app: TestApp) {
        new_owner(&app).await;
        let (admin, viewer) = (workspace_key(&app, "acme", &["admin"]).await, workspace_key(&app, "acme", &["viewer"]).await);
        let path = "/api/sso/v1/workspaces/acme/origins";
        let put = async |api: &Api, origins: Value, tag: &str| {
            let body = json!({ "origins": origins }).to_string();
            api.send(Method::PUT, path, Some(body), &[("if-match", tag)]).await
        };
        let empty = viewer.get(path).await.with_status(200);
        assert_eq!(empty.body, json!({"origins": []}));
        let tag = empty.header("etag").unwrap().to_owned();
        app.unchanged_by(put(&viewer, json!([APP]), &tag)).await.with_status(403);
        for wrong in [
            json!(["https://app.example.com/"]), json!(["https://APP.example.com"]), json!(["*"]), json!(["null"]),
            json!(["http://app.example.com"]), json!([7]), json!("https://app.example.com"), Value::Null,
            (0..21).map(|n| json!(format!("https://a{n}.example"))).collect(),
        ] {
            app.unchanged_by(put(&admin, wrong, &tag)).await.with_status(422);
        }
        let named = put(&admin, json!([OTHER, APP]), &tag).await.with_status(200);
        assert_eq!(named.body, json!({"origins": [APP, OTHER]}));
        assert_eq!(viewer.get(path).await.header("etag"), named.header("etag"));
        app.unchanged_by(put(&admin, json!([]), &tag)).await.with_status(412);
        put(&admin, json!([]), named.header("etag").unwrap()).await.with_status(200);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM allowed_origins").await, 0);
        let events = "SELECT COUNT(*) FROM audit_events WHERE kind = 'organization.origins-changed'";
        assert_eq!(app.scalar_i64(events).await, 2);
    }

    async fn a_browser_lets_pages_of_named_websites_alone_call(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        // A page of another origin: the same server by another name, whose pages have no part in this.
        let website = WebsiteOfOthers::start().await;
        let browser = Browser::open(Script::On).await;
        let calls = format!(
            "const call = async (method, path, body) => {{
                try {{
                    const answer = await fetch('{}' + path, {{ method, body, headers: {{ Authorization: 'Bearer {}', 'Content-Type': 'application/json' }} }});
                    return [answer.status, answer.headers.get('location') !== null, answer.headers.get('etag') !== null];
                }} catch (error) {{ return 'blocked'; }}
            }};
            return [await call('GET', '{MEMBERS}'), await call('POST', '{TEAMS}', JSON.stringify({{ name: 'From a page' }}))];",
            app.url().trim_end_matches('/'),
            key.secret.clone().unwrap(),
        );
        let teams = "SELECT COUNT(*) FROM teams WHERE name = 'From a page'";

        browser.go(&website.url).await;
        assert_eq!(browser.run(&calls).await, json!(["blocked", "blocked"]));
        assert_eq!(app.scalar_i64(teams).await, 0);

        add_origin(&app, "acme", &website.url).await;
        browser.go(&website.url).await;
        assert_eq!(browser.run(&calls).await, json!([[200, false, false], [201, true, true]]));
        assert_eq!(app.scalar_i64(teams).await, 1);
    }
}

/// A website of somebody else: one page, on a port of its own.
struct WebsiteOfOthers {
    /// Its origin.
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl WebsiteOfOthers {
    async fn start() -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\nconnection: close\r\n\r\n<!doctype html>";
                    let _ = stream.write_all(page.as_bytes()).await;
                });
            }
        });
        Self { url, task }
    }
}

impl Drop for WebsiteOfOthers {
    fn drop(&mut self) {
        self.task.abort();
    }
}
