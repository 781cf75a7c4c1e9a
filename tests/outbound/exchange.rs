//! What it sends and what it passes on.

use super::{GROUP, client, failure, get, post, read, settings};
use crate::support::{
    product::{BodyError, Failure, Outbound, OutboundBody, OutboundSettings, Target, TlsFault},
    *,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// A body in parts, of a length that is not told.
fn streamed(parts: Vec<Result<&'static str, BodyError>>) -> OutboundBody {
    let parts = stream::iter(parts).map(|part| part.map(|part| Bytes::from_static(part.as_bytes())));
    OutboundBody::Stream(None, Box::pin(parts))
}

#[tokio::test]
async fn a_request_has_the_callers_fields_its_host_and_a_via_and_nothing_else() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let given = headers(&[
        ("authorization", "Bearer mine"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("via", "1.1 proxy"),
        ("host", "victim.example.com"),
        ("connection", "keep-alive, x-named, Upgrade"),
        ("x-named", "dropped"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("content-length", "999"),
        ("transfer-encoding", "chunked"),
    ]);
    let target = Target { host: "api.example.com", path_and_query: "/v1/a%2Fb?q=1&r=%20" };
    let body = OutboundBody::Bytes(Bytes::from_static(b"hello"));
    let answer = outbound.send(GROUP, Method::PUT, &target, given, body).await.unwrap();
    assert_eq!(read(answer).await.unwrap(), b"ok");
    let received = upstream.take_requests().remove(0);
    let mut lines: Vec<&str> = received.head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "PUT /v1/a%2Fb?q=1&r=%20 HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: api.example.com:{}", upstream.address.port());
    let expected = [
        "authorization: Bearer mine",
        "content-length: 5",
        host.as_str(),
        "via: 1.1 bailiwick-0707070707070707",
        "via: 1.1 proxy",
        "x-twice: 1",
        "x-twice: 2",
    ];
    assert_eq!(lines, expected);
    assert_eq!(received.body, b"hello");
}

#[tokio::test]
async fn a_request_that_this_installation_sent_before_is_a_loop() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let target = Target { host: "api.example.com", path_and_query: "/" };
    let send = async |via: &str| {
        outbound.send(GROUP, Method::GET, &target, headers(&[("via", via)]), OutboundBody::Empty).await
    };
    send("1.1 proxy, 1.1 bailiwick-0000000000000000").await.unwrap();
    let own = upstream.requests()[0].headers("via")[1].to_owned();
    assert!(outbound.is_own_via(own.as_bytes()));
    for via in [own.clone(), format!("1.0 fred, {own}, 1.1 p")] {
        assert_eq!(failure(send(&via).await), Failure::OwnAddress);
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_is_used_again_by_its_group_and_by_no_other() {
    let upstream = Upstream::open(&["api.example.com", "other.example.com"]).await;
    let outbound = client(&upstream);
    let send = async |group: u128, host: &str| {
        let target = Target { host, path_and_query: "/" };
        let group = Uuid::from_u128(group);
        let answer =
            outbound.send(group, Method::GET, &target, HeaderMap::new(), OutboundBody::Empty).await.unwrap();
        read(answer).await.unwrap();
        upstream.take_requests().remove(0).connection
    };
    let first = send(1, "api.example.com").await;
    assert_eq!(send(1, "api.example.com").await, first);
    let second = send(2, "api.example.com").await;
    assert_ne!(second, first);
    assert_ne!(send(1, "other.example.com").await, first);
    assert_eq!((send(1, "api.example.com").await, send(2, "api.example.com").await), (first, second));
    assert_eq!((upstream.connections(), outbound.counts().connections()), (3, 3));
}

#[tokio::test]
async fn bodies_go_both_ways_as_they_come() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let (first, second) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let reply = Reply::chunked(200, &[("content-type", "text/event-stream")])
        .chunk("data: 1\n\n")
        .wait_for(&first)
        .chunk("data: 2\n\n")
        .wait_for(&second)
        .chunk("");
    upstream.answer(move |_| reply.clone());
    let body = streamed(vec![Ok("one "), Ok(""), Ok("two")]);
    let mut answer = post(&outbound, "api.example.com", body).await.unwrap();
    assert_eq!(upstream.requests()[0].body, b"one two");
    assert_eq!(upstream.requests()[0].headers("content-length"), Vec::<&str>::new());
    // Each part arrives while the host still waits before the next.
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "data: 1\n\n");
    first.notify_one();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "data: 2\n\n");
    second.notify_one();
    assert!(answer.body.next().await.is_none());
}

#[tokio::test]
async fn answers_pass_as_they_are() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let gzip = [0x1f, 0x8b, 8, 0, 1, 2, 3];
    let fields = [("content-encoding", "gzip"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-odd", "é")];
    upstream.answer(move |request| match request.path.as_str() {
        "/gzip" => Reply::new(503, &fields, gzip),
        "/no-content" => Reply::head(204, &[]),
        "/until-the-end" => Reply::head(200, &[]).then("all of it").and_close(),
        _ => Reply::head(200, &[("content-length", "5000")]),
    });
    let answer = get(&outbound, "api.example.com", "/gzip").await.unwrap();
    assert_eq!((answer.status, answer.headers.get_all("set-cookie").iter().count()), (503, 2));
    assert_eq!(answer.headers["x-odd"].as_bytes(), "é".as_bytes());
    assert_eq!(read(answer).await.unwrap(), gzip);
    let answer = get(&outbound, "api.example.com", "/no-content").await.unwrap();
    assert_eq!((answer.status, read(answer).await.unwrap().len()), (204, 0));
    let answer = get(&outbound, "api.example.com", "/until-the-end").await.unwrap();
    assert_eq!(read(answer).await.unwrap(), b"all of it");
    let target = Target { host: "api.example.com", path_and_query: "/" };
    let sent = outbound.send(GROUP, Method::HEAD, &target, HeaderMap::new(), OutboundBody::Empty).await;
    let answer = sent.unwrap();
    assert_eq!(answer.headers["content-length"], "5000");
    assert_eq!(read(answer).await.unwrap(), b"");
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_is_an_answer() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    upstream.answer(|_| Reply::new(413, &[("connection", "close")], b"too much").before_the_body());
    let never = stream::pending::<Result<Bytes, BodyError>>();
    let first = stream::iter([Ok(Bytes::from_static(b"first"))]);
    let body = OutboundBody::Stream(Some(1_000), Box::pin(first.chain(never)));
    let answer = post(&outbound, "api.example.com", body).await.unwrap();
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_has_another_length_ends_the_exchange() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let parts = |parts: Vec<Result<&'static str, BodyError>>, length: Option<u64>| match streamed(parts) {
        OutboundBody::Stream(_, stream) => OutboundBody::Stream(length, stream),
        other => other,
    };
    for body in [
        parts(vec![Ok("one"), Err(BodyError)], None),
        parts(vec![Ok("one"), Err(BodyError)], Some(10)),
        parts(vec![Ok("one")], Some(10)),
        parts(vec![Ok("one"), Ok("two")], Some(4)),
    ] {
        assert_eq!(failure(post(&outbound, "api.example.com", body).await), Failure::Body);
    }
    until("the connections are still open", async || upstream.open_connections() == 0).await;
    assert!(upstream.requests().iter().all(|request| request.body.is_empty()));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_from_one_that_ends() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    upstream.answer(|request| match request.path.as_str() {
        "/short" => Reply::head(200, &[("content-length", "10")]).then("short").and_close(),
        "/chunk" => Reply::chunked(200, &[]).chunk("one").and_close(),
        "/no-http" => Reply::raw("SSH-2.0-x\r\n\r\n").and_close(),
        "/both" => Reply::head(200, &[("content-length", "3"), ("content-length", "4")]).and_close(),
        "/switch" => Reply::head(101, &[("connection", "upgrade"), ("upgrade", "websocket")]).and_hang(),
        _ => Reply::default().and_close(),
    });
    for path in ["/short", "/chunk"] {
        let answer = get(&outbound, "api.example.com", path).await.unwrap();
        assert_eq!(read(answer).await, Err(Failure::Broken), "{path}");
    }
    for path in ["/no-http", "/both", "/switch", "/nothing"] {
        assert_eq!(failure(get(&outbound, "api.example.com", path).await), Failure::Broken, "{path}");
    }
}

#[tokio::test]
async fn certificates_are_checked_and_the_fault_is_named() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let stranger = Upstream::open(&["api.example.com"]).await;
    let settings = settings(&upstream);
    // Its own authority, which nobody trusts.
    let untrusted = OutboundSettings { root_certificates: Some(stranger.root()), ..settings.clone() };
    let answer = get(&Outbound::new(untrusted).unwrap(), "api.example.com", "/").await;
    assert_eq!(failure(answer), Failure::Tls(TlsFault::UnknownIssuer));
    // Another name leads there too.
    upstream.dns.set("www.example.com", &["127.0.0.1"]);
    let port = upstream.address.port();
    let allowed = vec![format!("www.example.com:{port}").parse().unwrap()];
    let renamed = OutboundSettings { allowed, ..settings.clone() };
    let answer = get(&Outbound::new(renamed).unwrap(), "www.example.com", "/").await;
    assert_eq!(failure(answer), Failure::Tls(TlsFault::WrongName));
    assert!(upstream.requests().is_empty());
    // What is no TLS at all.
    let plain = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut tcp, _)) = plain.accept().await {
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        }
    });
    let allowed = vec![format!("api.example.com:{port}").parse().unwrap()];
    let outbound = Outbound::new(OutboundSettings { allowed, ..settings.clone() }).unwrap();
    assert_eq!(failure(get(&outbound, "api.example.com", "/").await), Failure::Tls(TlsFault::Protocol));
    // Nobody listens.
    let allowed = vec![format!("api.example.com:{}", free_port()).parse().unwrap()];
    let outbound = Outbound::new(OutboundSettings { allowed, ..settings.clone() }).unwrap();
    let refused = Failure::Connect(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(failure(get(&outbound, "api.example.com", "/").await), refused);
    // A file that holds no certificate is said at the start.
    for file in ["/dev/null", "/no/such/file"] {
        let wrong = OutboundSettings { root_certificates: Some(file.into()), ..settings.clone() };
        let error = Outbound::new(wrong).err().unwrap().to_string();
        assert!(error.contains(file) && error.contains("BAILIWICK_OUTBOUND_ROOT_CERTIFICATES"), "{error}");
    }
}

#[tokio::test]
async fn whoever_drops_an_answer_hangs_up() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    upstream.answer(|_| Reply::chunked(200, &[]).chunk("one").and_hang());
    let mut answer = get(&outbound, "api.example.com", "/").await.unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "one");
    drop(answer);
    until("the connection is still open", async || upstream.open_connections() == 0).await;
}
