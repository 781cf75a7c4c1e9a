//! Abuse cases: what no browser sends. The server answers 4xx or hangs up, and goes on answering.

use super::*;
use reqwest::Method;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than every timeout of the server.
const LONG: Duration = Duration::from_secs(45);
/// Shorter than the 30 seconds after which the server hangs up on whoever says nothing.
const SOON: Duration = Duration::from_secs(20);

/// What has no deadline but that of the connection itself.
const AT_LAST: Duration = Duration::from_secs(120);

/// Sends these bytes while reading, until the server hangs up; gives what it said, and when.
async fn talk(app: &TestApp, bytes: Vec<u8>, limit: Duration) -> (String, Option<Duration>) {
    let started = Instant::now();
    let stream = TcpStream::connect(app.address()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        writer.write_all(&bytes).await.ok();
        writer
    });
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    let ended = timeout(limit, async {
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..n]);
        }
    })
    .await;
    writing.abort();
    (String::from_utf8_lossy(&answer).into_owned(), ended.ok().map(|()| started.elapsed()))
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|s| s.parse().ok()).unwrap_or(0)
}

async fn still_answers(app: &TestApp) {
    app.client().get("/readyz").await.assert_status(200);
    app.client().visit("/sign-in").await;
}

both! {
    async fn a_chunked_body_that_stalls_is_answered_and_the_connection_freed(app: TestApp) {
        let stalls = ["/sign-in", "/nowhere", "/w/acme/members"].map(async |path| {
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
            let (answer, ended) = talk(&app, head.into_bytes(), AT_LAST).await;
            assert_eq!(status(&answer), 408, "{answer}");
            assert!(ended.is_some(), "{path}: the connection stays open");
        });
        futures_util::future::join_all(stalls).await;
        still_answers(&app).await;
    }

    async fn a_chunked_body_is_read_as_any_other_and_the_connection_serves_the_next_request(app: TestApp) {
        let owner = new_owner(&app).await;
        let csrf = owner.client.csrf().await;
        let cookies = owner.client.cookies().join("; ");
        let fields = format!("csrf={csrf}&name=Chunked+Name");
        let (one, two) = fields.split_at(9);
        let body = format!("{:x}\r\n{one}\r\n{:x};ext=1\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
        let request = format!(
            "POST /me/profile HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{body}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let (answer, _) = talk(&app, request.into_bytes(), SOON).await;
        assert_eq!(status(&answer), 303, "{answer}");
        assert!(answer.contains("\r\n\r\nHTTP/1.1 200"), "{answer}");
        owner.client.visit("/me").await.assert_says("Chunked Name");
        // A service, as programs stream.
        let key = workspace_key(&app, "acme", &["admin"]).await;
        let json = "\u{feff}{\"name\": \"Streamed\"}";
        let request = format!(
            "POST /api/sso/v1/teams HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{json}\r\n0\r\n\r\n",
            key.secret.as_ref().unwrap(),
            json.len()
        );
        let (answer, _) = talk(&app, request.into_bytes(), SOON).await;
        assert_eq!(status(&answer), 201, "{answer}");
        // What follows an incomplete one is no request.
        let request = "POST /sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        let (answer, ended) = talk(&app, request.as_bytes().to_vec(), SOON).await;
        assert!((400..500).contains(&status(&answer)) && !answer.contains("alive"), "{answer}");
        assert!(ended.is_some(), "the connection stays open");
        still_answers(&app).await;
    }

    async fn a_compressed_body_415_with_a_word(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["admin"]).await;
        owner.client.csrf().await;
        app.unchanged_by(async {
            for encoding in ["gzip", "br", "identity, gzip"] {
                let form = owner.client.with_header("content-encoding", encoding);
                let page = form.post_form("/me/profile", &[("name", "Packed")]).await;
                page.assert_status(415).assert_says("Content-Encoding");
                let headers = [("content-encoding", encoding)];
                let body = Some("{\"name\":\"Packed\"}".to_owned());
                let call = key.send(Method::POST, "/api/sso/v1/teams", body, &headers).await.with_status(415);
                assert_eq!(call.header("accept-encoding"), Some("identity"));
            }
        })
        .await;
        let plain = owner.client.with_header("content-encoding", "identity");
        plain.post_form("/me/profile", &[("name", "Plain Name")]).await.assert_status(303);
    }

    async fn a_body_of_ten_mebibytes_413_before_hashing(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = app.client();
        let csrf = client.csrf().await;
        let cookies = client.cookies().join("; ");
        let body = format!("csrf={csrf}&email=owner-one%40example.com&password={}", "a".repeat(10 << 20));
        let lengths = [
            (413, format!("Content-Length: {}\r\n\r\n{body}", body.len())),
            (413, format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())),
        ];
        for (expected, sent) in lengths {
            let head = format!(
                "POST /sign-in HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            );
            let (answer, ended) =
                talk(&app, format!("{head}{sent}").into_bytes(), SOON).await;
            assert_eq!(status(&answer), expected, "{answer}");
            assert!(ended.is_some(), "the connection stays open");
        }
        // Nobody counted it as a guess, so nobody hashed it.
        assert_eq!(
            app.scalar_i64("SELECT count(*) FROM rate_limits WHERE key LIKE 'sign-in%' AND used > 0").await,
            0
        );
        owner.client.visit("/me").await;
        still_answers(&app).await;
    }

    async fn a_stalled_body_408_and_the_connection_freed(app: TestApp) {
        let client = app.client();
        let csrf = client.csrf().await;
        let cookies = client.cookies().join("; ");
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\ncsrf={csrf}"
        );
        let (answer, ended) = talk(&app, head.into_bytes(), LONG).await;
        assert_eq!(status(&answer), 408, "{answer}");
        assert!(ended.is_some(), "the connection stays open");
        still_answers(&app).await;
    }

    async fn a_stalled_body_of_a_request_that_the_guard_refused_first_is_freed_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let cookies = viewer.client.cookies().join("; ");
        let requests = [
            ("/w/acme/organization", cookies.as_str(), "", 403),
            ("/w/elsewhere/organization", cookies.as_str(), "", 404),
            ("/w/acme/organization", "", "", 401),
            ("/no/such/page", "", "", 404),
            ("/sign-in", "", "Sec-Fetch-Site: cross-site\r\n", 403),
            ("/me", cookies.as_str(), "", 405),
            ("/sign-in", "", "Content-Type: application/json\r\n", 415),
        ];
        let all = requests.map(|(path, cookies, more, expected)| {
            let app = &app;
            let kind = if more.starts_with("Content-Type") { "" } else { "Content-Type: application/x-www-form-urlencoded\r\n" };
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n{kind}{more}Content-Length: 5000\r\n\r\ncsrf=");
            async move {
                let (answer, ended) = talk(app, head.into_bytes(), LONG).await;
                assert_eq!(status(&answer), expected, "{path} {more}: {answer}");
                assert!(ended.is_some(), "{path} {more}: the connection stays open");
            }
        });
        futures_util::future::join_all(all).await;
        still_answers(&app).await;
    }

    async fn a_body_that_trickles_is_over_after_the_same_time(app: TestApp) {
        let client = app.client();
        let csrf = client.csrf().await;
        let cookies = client.cookies().join("; ");
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\ncsrf={csrf}"
        );
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let started = Instant::now();
        let (mut reader, mut writer) = stream.into_split();
        let trickle = tokio::spawn(async move {
            while writer.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        let mut answer = [0; 12];
        timeout(LONG, reader.read_exact(&mut answer)).await.expect("no answer").unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
        assert!(started.elapsed() < Duration::from_secs(30));
        trickle.abort();
    }

    async fn slow_headers_are_cut_off(app: TestApp) {
        for half in ["", "GET", "GET /sign-in HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let (answer, ended) = talk(&app, half.as_bytes().to_vec(), LONG).await;
            assert!([0, 408].contains(&status(&answer)), "{half:?}: {answer}");
            assert!(ended.is_some(), "{half:?}: the connection stays open");
        }
        still_answers(&app).await;
    }

    async fn two_content_lengths_and_both_kinds_of_length_4xx_never_5xx(app: TestApp) {
        let odd = [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Content-Length: 0x10\r\n",
            " Content-Length: 5\r\n",
            "Content-Length : 5\r\n",
        ];
        for lengths in odd {
            let request = format!(
                "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n{lengths}Connection: close\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            );
            let (answer, _) = talk(&app, request.into_bytes(), SOON).await;
            let status = status(&answer);
            assert!((400..500).contains(&status), "{lengths:?}: {answer}");
            // What follows was smuggled: nothing in it is answered.
            assert!(!answer.contains("alive"), "{lengths:?}: {answer}");
        }
        still_answers(&app).await;
    }

    async fn header_floods_and_nonsense_4xx_and_the_server_still_answers(app: TestApp) {
        let many: String = (0..500).map(|i| format!("X-{i}: y\r\n")).collect();
        let long = format!("X-Long: {}\r\n", "y".repeat(1 << 20));
        let cookies = format!("Cookie: {}\r\n", "a=b; ".repeat(60_000));
        let requests = [
            format!("GET /sign-in HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
            format!("GET /sign-in HTTP/1.1\r\nHost: x\r\n{long}\r\n"),
            format!("GET /sign-in HTTP/1.1\r\nHost: x\r\n{cookies}\r\n"),
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(200_000)),
            "GET /sign-in HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
            "\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
            "GET /sign-in\r\n\r\n".to_owned(),
            "GET /sign-in HTTP/1.1\r\nHost: x\r\nCookie: bailiwick-session=\u{1}\r\n\r\n".to_owned(),
            "GET http:///// HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ];
        for request in requests {
            let shown: String = request.chars().take(60).collect();
            let (answer, _) = talk(&app, request.into_bytes(), SOON).await;
            let status = status(&answer);
            assert!(status == 0 || (400..500).contains(&status), "{shown:?}: {answer}");
        }
        let mut odd = b"GET /sign-in HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\r\nCookie: \xff=\xfe\r\nX-Forwarded-For: \xff\r\nConnection: close\r\n\r\n".to_vec();
        odd.extend_from_slice(b"");
        let (answer, _) = talk(&app, odd, SOON).await;
        assert!((200..500).contains(&status(&answer)), "{answer}");
        still_answers(&app).await;
    }
}
