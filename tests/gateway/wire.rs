//! Requests and answers that no library sends, byte for byte: what reaches the host, what reaches the caller, and what
//! becomes of whoever is slow or gone.

use super::{HOST, Sending};
use crate::support::*;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

/// The head of a request with the key and these lines.
fn head(sending: &Sending, method: &str, path: &str, lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let (key, address) = (sending.secret(), sending.app.address());
    let first = format!("{method} /w/acme/out/{HOST}{path} HTTP/1.1\r\nHost: {address}\r\n");
    format!("{first}X-Bailiwick-Key: {key}\r\n{lines}\r\n").into_bytes()
}

/// Sends the head and this body, and reads until the server hangs up.
async fn raw(sending: &Sending, head: Vec<u8>, body: &[u8]) -> String {
    sending.app.raw(&[&head[..], body].concat()).await
}

async fn connect(sending: &Sending) -> TcpStream {
    TcpStream::connect(sending.app.address()).await.unwrap()
}

/// What the host got, which must be at most one request, and the one that was meant.
#[track_caller]
fn got(sending: &Sending, what: &str) -> Option<Received> {
    let mut requests = sending.upstream.take_requests();
    assert!(requests.len() <= 1, "{what}: {requests:?}");
    let request = requests.pop();
    if let Some(request) = &request {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/first"), "{what}");
        assert!(!request.head.contains("second"), "{what}: {}", request.head);
    }
    request
}

/// Reads until this is there.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(end) {
            let mut part = [0; 4_096];
            match stream.read(&mut part).await {
                Ok(length @ 1..) => read.extend_from_slice(&part[..length]),
                ended => panic!("{ended:?} before {end:?}: {}", String::from_utf8_lossy(&read)),
            }
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, reading).await.expect("it does not come");
    String::from_utf8_lossy(&read).into_owned()
}

fn status(answer: &str) -> u16 {
    let word = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The names of the fields in the head of an answer, in lower case.
fn names(answer: &str) -> Vec<String> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.to_lowercase())
        .collect()
}

/// A request that hides in the body of another.
const SECOND: &str = "GET /second HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";

both! {
    // Breaks where an answer to a HEAD has a length or chunks of its own (`answer` in web/gateway/forward.rs).
    async fn a_request_behind_a_head_is_answered_too(backend: Backend) {
        let sending = Sending::on(backend).await;
        const LENGTH: &[(&str, &str)] = &[("content-length", "1234")];
        const NOTHING: &[(&str, &str)] = &[];
        for (fields, announced) in [(LENGTH, true), (NOTHING, false)] {
            sending.upstream.answer(move |request| match request.method.as_str() {
                "HEAD" => Reply::head(200, fields),
                _ => Reply::new(200, &[], "second"),
            });
            let pipeline =
                [head(&sending, "HEAD", "/", &[]), head(&sending, "GET", "/", &["Connection: close"])].concat();
            let answers = raw(&sending, pipeline, b"").await;
            let parts: Vec<&str> = answers.split("\r\n\r\n").collect();
            assert_eq!(parts.len(), 3, "{answers}");
            assert_eq!((status(parts[0]), status(parts[1]), parts[2]), (200, 200, "second"), "{answers}");
            assert_eq!(parts[0].to_ascii_lowercase().contains("content-length: 1234"), announced, "{answers}");
        }
    }

    async fn a_request_whose_length_is_not_clear_is_one_request_or_none(backend: Backend) {
        let sending = Sending::on(backend).await;
        let chunked = format!("0\r\n\r\n{SECOND}");
        let long = format!("{:x}\r\n{SECOND}\r\n0\r\n\r\n", SECOND.len());
        let length = format!("Content-Length: {}", chunked.len());
        for lines in [
            &[length.as_str(), "Transfer-Encoding: chunked"][..],
            &["Transfer-Encoding: chunked", length.as_str()],
            &["Transfer-Encoding: identity", length.as_str()],
            &["Transfer-Encoding: xchunked", length.as_str()],
            &["Transfer-Encoding: chunked, identity"],
            &["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            &["Transfer-Encoding: gzip, chunked"],
            &["Transfer-Encoding : chunked", length.as_str()],
            &["Transfer-Encoding:\u{b}chunked", length.as_str()],
            &["Transfer-Encoding: \"chunked\"", length.as_str()],
            &["X: y", " Transfer-Encoding: chunked", length.as_str()],
            &["Content-Length: 0", length.as_str()],
            &["Content-Length: 5, 5"],
            &["Content-Length: +5"],
            &["Content-Length: -5"],
            &["Content-Length: 0x5"],
            &["Content-Length: 5 5"],
            &["Content-Length: "],
            &["Content-Length: 99999999999999999999999"],
            &["Content-Length : 5"],
        ] {
            let what = format!("{lines:?}");
            let answer = raw(&sending, head(&sending, "POST", "/first", lines), chunked.as_bytes()).await;
            assert!((400..=501).contains(&status(&answer)), "{what}: {answer}");
            assert!(got(&sending, &what).is_none(), "{what}");
        }
        for body in [
            format!("5;x\nhello\r\n0\r\n\r\n{SECOND}"),
            format!("0x5\r\nhello\r\n0\r\n\r\n{SECOND}"),
            format!("-1\r\nhello\r\n0\r\n\r\n{SECOND}"),
            format!("fffffffffffffffff\r\nhello\r\n0\r\n\r\n{SECOND}"),
            format!("5\r\nhelloX\r\n0\r\n\r\n{SECOND}"),
            format!("5\nhello\n0\n\n{SECOND}"),
            format!("\r\n5\r\nhello\r\n0\r\n\r\n{SECOND}"),
        ] {
            let lines = ["Transfer-Encoding: chunked", "Connection: close"];
            let answer = raw(&sending, head(&sending, "POST", "/first", &lines), body.as_bytes()).await;
            if let Some(request) = got(&sending, &body) {
                let whole = String::from_utf8_lossy(&request.body).into_owned();
                assert!(whole.is_empty() || whole == "hello", "{body:?}: {whole:?} {answer}");
            }
        }
        // What is clear passes as what it is: a body.
        let lines = ["Transfer-Encoding: chunked", "Connection: close"];
        let answer = raw(&sending, head(&sending, "POST", "/first", &lines), long.as_bytes()).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(got(&sending, "clear").unwrap().body, SECOND.as_bytes());
    }

    async fn what_follows_a_request_on_its_connection_is_not_the_hosts(backend: Backend) {
        let sending = Sending::on(backend).await;
        // The second has no key, and its host is the app.
        let body = format!("hello{SECOND}");
        let answer = raw(&sending, head(&sending, "POST", "/first", &["Content-Length: 5"]), body.as_bytes()).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(got(&sending, "followed").unwrap().body, b"hello");
        // Two that are meant arrive in their order.
        let first = head(&sending, "POST", "/1", &["Content-Length: 1"]);
        let second = head(&sending, "GET", "/2", &["Connection: close"]);
        let answer = sending.app.raw(&[&first[..], b"x", &second].concat()).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
        let paths: Vec<String> =
            sending.upstream.take_requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, ["/1", "/2"]);
    }

    async fn a_head_that_is_no_http_reaches_no_host(backend: Backend) {
        let sending = Sending::on(backend).await;
        for lines in [
            &["X-A: b\rInjected: c"][..],
            &["X-A: b\0c"],
            &["X A: b"],
            &["X-A\u{0}: b"],
            &[": b"],
            &["no colon"],
        ] {
            let answer = raw(&sending, head(&sending, "GET", "/first", lines), b"").await;
            assert_eq!(status(&answer), 400, "{lines:?}: {answer}");
            assert!(sending.upstream.take_requests().is_empty(), "{lines:?}");
        }
        let switch = ["Connection: Upgrade, close", "Upgrade: websocket"];
        let answer = raw(&sending, head(&sending, "GET", "/first", &switch), b"").await;
        assert_eq!(status(&answer), 501, "{answer}");
        let tunnel = format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nConnection: close\r\n\r\n");
        let answer = sending.app.raw(tunnel.as_bytes()).await;
        assert!((400..=405).contains(&status(&answer)), "{answer}");
        let absolute = format!("GET https://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        sending.app.raw(absolute.as_bytes()).await;
        assert!(sending.upstream.requests().is_empty());
        // Escapes stay escapes: they are the host's to read.
        let path = "/a%2Fb%0d%0aX:%20y?q=%0d%0a&r=a+b";
        let answer = raw(&sending, head(&sending, "GET", path, &["Connection: close"]), b"").await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(sending.upstream.take_requests()[0].path, path);
    }

    async fn a_host_sees_nothing_of_the_caller_but_the_request(backend: Backend) {
        let sending = Sending::on(backend).await;
        let lines = [
            "Cookie: session=canary",
            "Cookie: second=canary",
            "Authorization: Bearer for-the-host",
            "Accept: text/plain",
            "X-Bailiwick-Anything: canary",
            "Forwarded: for=canary",
            "X-Forwarded-For: canary",
            "X-Forwarded-Host: canary",
            "X-Real-IP: canary",
            "Connection: close, X-Named",
            "X-Named: canary",
            "Keep-Alive: canary",
            "Proxy-Authorization: canary",
            "TE: canary",
            "Trailer: canary",
            "Content-Length: 5",
        ];
        let answer = raw(&sending, head(&sending, "POST", "/first", &lines), b"hello").await;
        assert_eq!(status(&answer), 200, "{answer}");
        let request = got(&sending, "leaks").unwrap();
        assert!(!request.head.contains("canary") && !request.head.contains(sending.secret()), "{}", request.head);
        let mut seen: Vec<String> = request.fields.iter().map(|(name, _)| name.to_lowercase()).collect();
        seen.sort_unstable();
        assert_eq!(seen, ["accept", "authorization", "content-length", "host", "via"]);
        assert_eq!(request.header("authorization"), Some("Bearer for-the-host"));
        assert!(request.header("host").unwrap().starts_with(HOST));
        assert_eq!(request.body, b"hello");
    }

    async fn a_caller_gets_the_answer_and_nothing_that_belongs_to_a_connection_or_to_the_site(backend: Backend) {
        let sending = Sending::on(backend).await;
        let fields = [
            ("content-type", "text/plain"),
            ("x-theirs", "kept"),
            ("set-cookie", "canary=1; Path=/"),
            ("set-cookie2", "canary=1"),
            ("strict-transport-security", "max-age=1"),
            ("clear-site-data", "\"cookies\""),
            ("x-bailiwick-stage", "canary"),
            ("keep-alive", "canary"),
            ("connection", "keep-alive, x-named"),
            ("x-named", "canary"),
            ("proxy-authenticate", "canary"),
            ("trailer", "x-late"),
        ];
        let key = sending.secret().to_owned();
        sending.upstream.answer(move |_| {
            Reply::chunked(418, &[&fields[..], &[("x-echo", &key)]].concat())
                .chunk("hello")
                .then("0\r\nX-Late: canary\r\n\r\n")
        });
        let answer = raw(&sending, head(&sending, "POST", "/first", &["Connection: close"]), b"").await;
        assert_eq!(status(&answer), 418, "{answer}");
        assert!(!answer.contains("canary") && !answer.contains(sending.secret()), "{answer}");
        let names = names(&answer);
        for name in ["content-type", "x-theirs", "transfer-encoding"] {
            assert_eq!(names.iter().filter(|one| *one == name).count(), 1, "{name}: {answer}");
        }
        assert!(answer.ends_with("5\r\nhello\r\n0\r\n\r\n"), "{answer}");
    }

    async fn a_host_that_answers_more_or_less_than_it_says_answers_no_other_request(backend: Backend) {
        let sending = Sending::on(backend).await;
        let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
        sending.upstream.answer(move |request| match request.path.as_str() {
            // At once, so that it is there before the connection is used again.
            "/more" => Reply::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello{evil}")),
            "/hints" => Reply::raw("HTTP/1.1 103 Early Hints\r\nlink: </evil>\r\n\r\n").then(
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            ),
            "/twice" => Reply::head(200, &[("content-length", "5"), ("content-length", "6")]).and_close(),
            "/short" => Reply::head(200, &[("content-length", "10")]).then("short").and_close(),
            "/cut" => Reply::chunked(200, &[]).chunk("part").and_close(),
            _ => Reply::new(200, &[], b"clean"),
        });
        let get = async |path: &str| {
            let head = head(&sending, "GET", path, &["Connection: close"]);
            let answer = raw(&sending, head, b"").await;
            assert!(!answer.contains("evil"), "{path}: {answer}");
            answer
        };
        assert!(get("/more").await.ends_with("\r\n\r\nhello"));
        assert!(get("/clean").await.ends_with("\r\n\r\nclean"));
        assert!(get("/hints").await.ends_with("\r\n\r\nhello"));
        assert_eq!(status(&get("/twice").await), 502);
        // The caller sees that it is not all.
        let answer = get("/short").await;
        assert!(answer.contains("content-length: 10") && answer.ends_with("short"), "{answer}");
        let answer = get("/cut").await;
        assert!(answer.contains("part") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        assert!(get("/clean").await.ends_with("\r\n\r\nclean"));
    }

    async fn events_pass_as_they_come(backend: Backend) {
        let sending = Sending::on(backend).await;
        let next = Arc::new(Notify::new());
        let reply = Reply::chunked(200, &[("content-type", "text/event-stream")])
            .chunk("data: 1\n\n")
            .wait_for(&next)
            .chunk("data: 2\n\n")
            .chunk("");
        sending.upstream.answer(move |_| reply.clone());
        let mut stream = connect(&sending).await;
        // A browser would take it compressed, which would hold parts back.
        let lines = ["Connection: close", "Accept-Encoding: gzip, br"];
        stream.write_all(&head(&sending, "GET", "/events", &lines)).await.unwrap();
        read_until(&mut stream, "data: 1\n\n").await;
        next.notify_one();
        read_until(&mut stream, "data: 2\n\n").await;
    }

    async fn a_slow_host_is_given_up_and_the_caller_is_told(backend: Backend) {
        let sending = Sending::with(backend, |config| {
            config.gateway.idle_timeout = Duration::from_secs(1);
            config.gateway.timeout = Duration::from_secs(2);
        })
        .await;
        sending.upstream.answer(|request| match request.path.as_str() {
            "/nothing" => Reply::hang(),
            _ => Reply::chunked(200, &[]).chunk("part").and_hang(),
        });
        let answer = raw(&sending, head(&sending, "GET", "/nothing", &["Connection: close"]), b"").await;
        assert_eq!(status(&answer), 504, "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("\"upstream\""), "{answer}");
        let answer = raw(&sending, head(&sending, "GET", "/part", &["Connection: close"]), b"").await;
        assert!(answer.contains("part") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        until("a connection to the host is left", async || sending.upstream.open_connections() == 0).await;
    }

    async fn a_caller_that_sends_no_more_is_given_up_and_so_is_the_host(backend: Backend) {
        let sending =
            Sending::with(backend, |config| config.gateway.idle_timeout = Duration::from_secs(1)).await;
        for lines in [&["Content-Length: 100"][..], &["Transfer-Encoding: chunked"]] {
            let head = head(&sending, "POST", "/first", lines);
            let answer = raw(&sending, head, b"5\r\nhello\r\n").await;
            assert_eq!(status(&answer), 408, "{lines:?}: {answer}");
            until("the host is kept waiting", async || sending.upstream.open_connections() == 0).await;
            assert!(sending.upstream.take_requests().iter().all(|request| request.body.is_empty()));
        }
    }

    async fn a_caller_that_reads_nothing_holds_the_host_back(backend: Backend) {
        const PARTS: usize = 256;
        let sending = Sending::on(backend).await;
        let part = vec![b'x'; 65_536];
        let all = (0..PARTS).fold(Reply::chunked(200, &[]), |reply, _| reply.chunk(&part)).chunk("");
        sending.upstream.answer(move |_| all.clone());
        let mut stream = connect(&sending).await;
        stream.write_all(&head(&sending, "GET", "/first", &["Connection: close"])).await.unwrap();
        let (mut sent, mut unchanged) = (0, 0);
        until("the host is never held back", async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = sending.upstream.bytes_sent();
            unchanged = if now > 0 && now == sent { unchanged + 1 } else { 0 };
            sent = now;
            unchanged == 10
        })
        .await;
        assert!(sent < PARTS * part.len() * 3 / 4, "{sent} bytes are held for somebody who reads nothing");
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        assert!(read.ends_with(b"0\r\n\r\n"));
        let at = read.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        assert_eq!(read[at..].iter().filter(|byte| **byte == b'x').count(), PARTS * part.len());
    }

    async fn when_the_caller_is_gone_the_host_is_hung_up_on(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|request| match request.path.as_str() {
            "/nothing" => Reply::hang(),
            _ => Reply::chunked(200, &[]).chunk("part").and_hang(),
        });
        // Before an answer, in the middle of one, and in the middle of the request.
        for (path, lines, part, seen) in [
            ("/nothing", &[][..], "", ""),
            ("/part", &[], "", "part"),
            ("/upload", &["Content-Length: 100"], "some of it", ""),
        ] {
            sending.upstream.take_requests();
            let mut stream = connect(&sending).await;
            let head = head(&sending, "POST", path, lines);
            stream.write_all(&[&head[..], part.as_bytes()].concat()).await.unwrap();
            sending.upstream.has_requests(1).await;
            read_until(&mut stream, seen).await;
            assert_eq!(sending.upstream.open_connections(), 1, "{path}");
            drop(stream);
            until("the host still answers nobody", async || sending.upstream.open_connections() == 0).await;
        }
    }
}
