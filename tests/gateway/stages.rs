//! Each stage refuses, says so, and nothing is sent.

use super::{HOST, Sending, add_destination, assert_stage, send};
use crate::support::*;
use reqwest::Method;
use serde_json::json;

both! {
    async fn a_request_passes_every_stage_and_the_hosts_answer_is_passed_on(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|_| Reply::new(418, &[("x-theirs", "a")], "short and stout"));
        let answer = sending.get("/v1/pots?size=2").await;
        assert_eq!((answer.status, answer.text.as_str()), (418, "short and stout"));
        assert_eq!(answer.header("x-theirs"), Some("a"));
        assert_eq!(answer.header("x-bailiwick-stage"), None);
        let [received] = &sending.upstream.take_requests()[..] else { panic!("one request") };
        assert_eq!((received.method.as_str(), received.path.as_str()), ("GET", "/v1/pots?size=2"));
    }

    async fn without_one_active_key_nothing_is_looked_at(backend: Backend) {
        let sending = Sending::on(backend).await;
        let path = format!("/w/acme/out/{HOST}/");
        let none = sending.key.with(None);
        assert_stage(&send(&none, Method::GET, &path, None, &[]).await, 401, "key");
        let twice = [("x-bailiwick-key", sending.secret())];
        assert_stage(&send(&sending.key, Method::GET, &path, None, &twice).await, 401, "key");
        let other = sending.key.with(Some("bw_nothing"));
        assert_stage(&send(&other, Method::GET, &path, None, &[]).await, 401, "key");
        // In the place of the API's it is none.
        let bearer = sending.key.get(&path).await;
        assert_stage(&bearer, 401, "key");
        assert!(sending.upstream.requests().is_empty());
    }

    async fn other_workspaces_are_as_if_they_were_not_there(backend: Backend) {
        let sending = Sending::on(backend).await;
        let there = send(&sending.key, Method::GET, "/w/nobody/out/api.example.com/", None, &[]).await;
        assert_stage(&there, 404, "membership");
        assert!(sending.upstream.requests().is_empty());
    }

    async fn a_role_without_the_permission_sends_nothing(backend: Backend) {
        let sending = Sending::on(backend).await;
        let viewer = workspace_key(&sending.app, "acme", &["viewer"]).await;
        let refused = send(&viewer, Method::POST, &format!("/w/acme/out/{HOST}/"), Some("{}"), &[]).await;
        assert_stage(&refused, 403, "permission");
        assert_eq!(refused.body["permissions"], json!(["send:destinations"]));
        assert!(sending.upstream.requests().is_empty());
    }

    async fn only_active_destinations_are_sent_to(backend: Backend) {
        let sending = Sending::on(backend).await;
        let to = async |host: &str| {
            send(&sending.key, Method::GET, &format!("/w/acme/out/{host}/"), None, &[]).await
        };
        for host in ["other.example.com", "example.com", "127.0.0.1", "api.example.com:443", "api.example.com.."] {
            assert_stage(&to(host).await, 403, "destination");
        }
        let change = format!("/api/sso/v1/destinations/{}", sending.destination);
        sending.key.patch(&change, &json!({ "status": "paused" })).await.with_status(200);
        assert_stage(&to(HOST).await, 403, "destination");
        sending.key.patch(&change, &json!({ "status": "active" })).await.with_status(200);
        assert_eq!(to(HOST).await.status, 200);
        sending.key.delete(&change).await.with_status(204);
        assert_stage(&to(HOST).await, 403, "destination");
        assert_eq!(sending.upstream.requests().len(), 1);
    }

    // The call that other proxies ask, and AuthZEN, read a host in the same way: `Host::parse`.
    async fn a_host_is_the_same_however_it_is_written(backend: Backend) {
        let sending = Sending::on(backend).await;
        let service = workspace_key(&sending.app, "acme", &["owner"]).await;
        sending.owner.client.post_form("/w/acme/quick-start/echo", &[]).await.assert_status(303);
        for host in ["API.Example.com", "api.example.com.", "API.EXAMPLE.COM.", "ECHO", "echo."] {
            let sent = send(&sending.key, Method::GET, &format!("/w/acme/out/{host}/"), None, &[]).await;
            assert_eq!(sent.status, 200, "{host}: {}", sent.text);
            let asked = sending.key.get(&format!("/api/sso/v1/sending?host={host}")).await;
            assert_eq!(asked.status, 204, "{host}: {}", asked.text);
            let resource = json!({ "type": "destination", "id": host });
            let subject = json!({ "type": "user", "id": sending.owner.email });
            let question = json!({ "subject": subject, "action": { "name": "send" }, "resource": resource });
            let decided = service.post("/access/v1/evaluation", &question).await.with_status(200);
            assert_eq!(decided.body["decision"], true, "{host}: {}", decided.text);
        }
        let received = sending.upstream.take_requests();
        assert_eq!(received.len(), 3);
        for request in received {
            assert!(request.header("host").is_some_and(|host| host.starts_with(HOST)), "{}", request.head);
        }
        // Traffic knows it by its one name.
        let of_host = format!("SELECT count(*) FROM traffic WHERE host = '{HOST}'");
        until("requests are not in Traffic", async || sending.app.scalar_i64(&of_host).await == 3).await;
    }

    async fn a_host_that_leads_into_a_network_is_refused_and_audited(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.dns.set("inside.example.com", &["203.0.114.7", "10.0.0.1"]);
        add_destination(&sending.key, &json!({ "host": "inside.example.com" })).await;
        let refused = send(&sending.key, Method::GET, "/w/acme/out/inside.example.com/", None, &[]).await;
        assert_stage(&refused, 403, "address");
        assert!(!refused.text.contains("10.0.0.1"), "{}", refused.text);
        let activity = sending.owner.client.get("/w/acme/activity").await;
        activity.assert_status(200).assert_says("destination at an address that isn't public");
        assert!(sending.upstream.requests().is_empty());
    }

    async fn what_a_request_itself_lacks_is_said(backend: Backend) {
        let sending = Sending::on(backend).await;
        for (path, headers, status) in [
            ("/a%2f..%2fb", &[][..], 400),
            ("/", &[("upgrade", "websocket"), ("connection", "upgrade")][..], 501),
            ("/", &[("expect", "200-ok")][..], 417),
            ("/", &[("origin", "https://evil.example")][..], 403),
            ("/", &[("sec-fetch-site", "cross-site")][..], 403),
        ] {
            assert_stage(&sending.send(Method::GET, path, headers).await, status, "request");
        }
        // A host would answer with the sealed credential.
        for method in ["TRACE", "TRACK", "Trace"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_stage(&sending.send(method, "/", &[]).await, 405, "request");
        }
        // A key that would go to the host goes nowhere.
        let bearer = format!("Bearer {}", sending.secret());
        assert_stage(&sending.send(Method::GET, "/", &[("authorization", &bearer)]).await, 400, "request");
        assert_stage(&sending.get(&format!("/?key={}", sending.secret())).await, 400, "request");
        assert!(sending.upstream.requests().is_empty());
    }

    // Breaks without `masked` (domain/base/traffic_log/texts.rs).
    async fn a_key_in_the_wrong_place_is_in_no_record(backend: Backend) {
        let sending = Sending::on(backend).await;
        let secret = sending.secret().to_owned();
        let encoded = secret.replacen('b', "%62", 1);
        assert_stage(&sending.get(&format!("/v1/{secret}/a")).await, 400, "request");
        assert_stage(&sending.get(&format!("/v1/{encoded}")).await, 400, "request");
        let host = send(&sending.key, Method::GET, &format!("/w/acme/out/{secret}/a"), None, &[]).await;
        assert_stage(&host, 403, "destination");
        let written = async || sending.app.scalar_i64("SELECT count(*) FROM traffic").await == 3;
        until("the requests are not in Traffic", written).await;
        let random = secret.trim_start_matches("blw_key_");
        for table in sending.app.catalogue().await.all() {
            let rows = sending.app.rows_where(table, "1 = 1").await;
            assert!(rows.iter().all(|row| !row.contains(random)), "{table}");
        }
        assert!(sending.upstream.requests().is_empty());
    }

    async fn a_host_that_fails_is_told_from_one_that_answers_so(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|_| Reply::new(502, &[], "theirs"));
        let theirs = sending.get("/").await;
        assert_eq!((theirs.status, theirs.text.as_str()), (502, "theirs"));
        sending.upstream.answer(|_| Reply::raw("no HTTP at all\r\n\r\n").and_close());
        assert_stage(&sending.get("/").await, 502, "upstream");
        add_destination(&sending.key, &json!({ "host": "gone.example.com" })).await;
        let gone = send(&sending.key, Method::GET, "/w/acme/out/gone.example.com/", None, &[]).await;
        assert_stage(&gone, 502, "upstream");
    }

    // Breaks without `REFUSED` (web/gateway/forward.rs).
    async fn a_key_that_is_refused_too_often_is_not_looked_at_any_more(backend: Backend) {
        let sending = Sending::with(backend, |config| config.calls_per_minute = 8).await;
        sending.get("/").await.with_status(200);
        for _ in 0..4 {
            let unknown = send(&sending.key, Method::GET, "/w/acme/out/other.example.com/", None, &[]).await;
            assert_stage(&unknown, 403, "destination");
            let elsewhere = send(&sending.key, Method::GET, &format!("/w/nobody/out/{HOST}/"), None, &[]).await;
            assert_stage(&elsewhere, 404, "membership");
        }
        for host in ["other.example.com", HOST] {
            let refused = send(&sending.key, Method::GET, &format!("/w/acme/out/{host}/"), None, &[]).await;
            assert_stage(&refused, 429, "rate");
            assert!(refused.header("retry-after").is_some());
        }
        // Another key is not held up by it.
        let other = workspace_key(&sending.app, "acme", &["developer"]).await;
        let path = format!("/w/acme/out/{HOST}/");
        send(&other, Method::GET, &path, None, &[]).await.with_status(200);
        sending.app.clock.advance(std::time::Duration::from_secs(60));
        sending.get("/").await.with_status(200);
        assert_eq!(sending.upstream.requests().len(), 3);
    }

    async fn a_permission_that_is_taken_away_counts_at_the_next_request(backend: Backend) {
        let sending = Sending::on(backend).await;
        assert_eq!(sending.get("/").await.status, 200);
        sending
            .app
            .execute("DELETE FROM member_roles WHERE member_id IN (SELECT id FROM members WHERE kind = 'api_key')")
            .await;
        assert_stage(&sending.get("/").await, 403, "permission");
        assert_eq!(sending.upstream.requests().len(), 1);
    }

    async fn the_gateway_has_an_address_of_its_own_or_is_off(backend: Backend) {
        let sending = Sending::on(backend).await;
        let path = format!("/w/acme/out/{HOST}/");
        let app = sending.app.restart_with(|config| config.gateway.place = "off".parse().unwrap()).await;
        let key = Api { base: app.url(), ..sending.key.clone() };
        assert_eq!(send(&key, Method::GET, &path, None, &[]).await.status, 404);
        let port = free_port();
        let at = format!("127.0.0.1:{port}");
        let place = at.clone();
        let app = app.restart_with(move |config| config.gateway.place = place.parse().unwrap()).await;
        let pages = Api { base: app.url(), ..key.clone() };
        assert_eq!(send(&pages, Method::GET, &path, None, &[]).await.status, 404);
        let own = Api { base: format!("http://{at}"), ..key };
        assert_eq!(send(&own, Method::GET, &path, None, &[]).await.status, 200);
        assert_stage(&send(&own, Method::GET, "/sign-in", None, &[]).await, 404, "request");
    }
}
