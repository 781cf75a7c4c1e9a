//! What passes, and what does not, in both directions.

use super::Sending;
use crate::support::*;
use reqwest::Method;
use serde_json::json;

both! {
    async fn the_path_and_the_query_arrive_byte_for_byte(backend: Backend) {
        let sending = Sending::on(backend).await;
        for path in ["/a%2Fb//c/%7Euser?q=%20&x=a+b&&y", "/", "/%C3%A9?", "/a;v=1/b:c@d!$&'()*,="] {
            sending.get(path).await.with_status(200);
            assert_eq!(sending.upstream.take_requests()[0].path, path);
        }
    }

    async fn keys_cookies_and_where_a_request_comes_from_stay_here(backend: Backend) {
        let sending = Sending::on(backend).await;
        let headers = [
            ("authorization", "Bearer theirs"),
            ("cookie", "canary=1"),
            ("x-forwarded-for", "192.0.2.9"),
            ("forwarded", "for=192.0.2.9"),
            ("x-real-ip", "192.0.2.9"),
            ("x-bailiwick-anything", "canary"),
            ("te", "trailers"),
            ("x-hop", "canary"),
            ("connection", "x-hop"),
            ("x-kept", "yes"),
        ];
        sending.send(Method::GET, "/", &headers).await.with_status(200);
        let [received] = &sending.upstream.take_requests()[..] else { panic!("one request") };
        assert_eq!(received.header("authorization"), Some("Bearer theirs"));
        assert_eq!(received.header("x-kept"), Some("yes"));
        assert!(received.header("host").is_some_and(|host| host.starts_with("api.example.com")));
        for leak in ["canary", "192.0.2.9", sending.secret(), "x-bailiwick", "trailers"] {
            assert!(!received.head.contains(leak), "{leak} in {}", received.head);
        }
    }

    async fn the_sealed_credential_replaces_the_callers_and_no_header_echoes_it(backend: Backend) {
        let sending = Sending::on(backend).await;
        let path = format!("/api/sso/v1/destinations/{}/credential", sending.destination);
        let credential = json!({ "header_name": "Authorization", "value": "Bearer canary-of-ours" });
        let body = credential.to_string();
        let set = sending.key.send(Method::PUT, &path, Some(body), &[]).await;
        assert!(set.status < 300, "{}", set.text);
        sending.upstream.answer(|request| {
            let echo = request.header("authorization").unwrap_or_default().to_owned();
            Reply::new(200, &[("x-echo", &echo), ("x-bare", "canary-of-ours!"), ("set-cookie", "a=b")], "ok")
        });
        let answer = sending.send(Method::GET, "/", &[("authorization", "Bearer theirs")]).await.with_status(200);
        let [received] = &sending.upstream.take_requests()[..] else { panic!("one request") };
        assert_eq!(received.headers("authorization"), ["Bearer canary-of-ours"]);
        assert_eq!((answer.header("x-echo"), answer.header("x-bare")), (Some("***"), Some("***!")));
        assert_eq!(answer.header("set-cookie"), None);
    }

    async fn an_answer_gets_none_of_the_headers_of_our_pages(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|_| {
            let headers = [
                ("content-type", "application/json"),
                ("strict-transport-security", "max-age=9"),
                ("access-control-allow-origin", "*"),
                ("ratelimit", "\"theirs\";r=1"),
                ("cache-control", "public, s-maxage=600, max-age=60"),
                ("vary", "accept"),
                ("x-accel-redirect", "/internal/secret"),
                ("x-sendfile", "/etc/passwd"),
            ];
            Reply::new(200, &headers, "{}")
        });
        let answer = sending.get("/").await.with_status(200);
        for name in
            ["x-frame-options", "strict-transport-security", "access-control-allow-origin", "x-accel-redirect", "x-sendfile"]
        {
            assert_eq!(answer.header(name), None, "{name}");
        }
        assert_eq!(answer.header("ratelimit"), Some("\"theirs\";r=1"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        // Nobody else is to have it, nor is it a page of ours.
        assert_eq!(answer.header("cache-control"), Some("private, max-age=60"));
        let vary: Vec<&str> = answer.headers.get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect();
        assert!(vary.contains(&"accept") && vary.contains(&"x-bailiwick-key"), "{vary:?}");
        assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }

    async fn any_method_and_body_passes(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|request| Reply::new(200, &[], &request.body));
        let body = "\n\nGET / HTTP/1.1\r\n\r\n".repeat(5_000);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::from_bytes(b"REPORT").unwrap()] {
            let name = method.to_string();
            let answer = sending.send_with(method, "/", Some(&body), &[]).await.with_status(200);
            assert_eq!(answer.text, body, "{name}");
        }
        sending.upstream.answer(|_| Reply::head(204, &[]));
        assert_eq!(sending.get("/").await.status, 204);
        sending.upstream.answer(|_| Reply::head(304, &[("etag", "\"a\"")]));
        assert_eq!(sending.get("/").await.header("etag"), Some("\"a\""));
        sending.upstream.answer(|_| Reply::head(200, &[("content-length", "1234")]));
        let head = sending.send(Method::HEAD, "/", &[]).await.with_status(200);
        assert_eq!((head.header("content-length"), head.text.as_str()), (Some("1234"), ""));
    }

    async fn the_built_in_host_answers_without_a_network(backend: Backend) {
        let sending = Sending::on(backend).await;
        let now = sending.app.clock.now().as_millis();
        sending
            .app
            .execute(&format!(
                "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
                SELECT {}, w.id, 'echo', '', 'echo', m.user_id, {now} FROM workspaces w
                    JOIN members m ON m.workspace_id = w.id AND m.origin = 'founder' WHERE w.slug = 'acme'",
                sending.app.id(uuid::Uuid::from_u128(77))
            ))
            .await;
        let answer =
            crate::gateway::send(&sending.key, Method::POST, "/w/acme/out/echo/a?b", Some("12345"), &[("x-a", "b")]).await;
        let body = answer.with_status(200).body;
        assert_eq!((&body["method"], &body["path"], &body["body_bytes"]), (&json!("POST"), &json!("/a"), &json!(5)));
        assert_eq!(body["headers"]["x-a"], "b");
        assert!(sending.upstream.requests().is_empty());
    }
}
