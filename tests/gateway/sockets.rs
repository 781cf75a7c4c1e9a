//! On raw sockets: smuggling, slow and vanished clients and hosts, streams.

use super::{HOST, Sending};
use crate::support::*;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

/// A connection to the app.
async fn connect(sending: &Sending) -> TcpStream {
    TcpStream::connect(sending.app.address()).await.unwrap()
}

fn head(sending: &Sending, line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: x\r\nx-bailiwick-key: {}\r\n{fields}\r\n", sending.secret())
}

/// Sends these bytes, and reads until the connection ends.
async fn exchange(sending: &Sending, request: &str) -> String {
    let mut socket = connect(sending).await;
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until this text has come.
async fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4_096];
    while !String::from_utf8_lossy(&read).contains(text) {
        let size = tokio::time::timeout(WAIT_TIMEOUT, socket.read(&mut buffer)).await.expect(text).unwrap();
        assert!(size > 0, "it ended before {text}: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..size]);
    }
    String::from_utf8_lossy(&read).into_owned()
}

both! {
    async fn a_body_of_unclear_length_is_refused(backend: Backend) {
        let sending = Sending::on(backend).await;
        let line = format!("POST /w/acme/out/{HOST}/ HTTP/1.1");
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Content-Length: +5\r\n",
        ] {
            let answer = exchange(&sending, &format!("{}0\r\n\r\nGET / HTTP/1.1\r\n\r\n", head(&sending, &line, fields))).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{fields}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
        let tunnel = exchange(&sending, &head(&sending, &format!("CONNECT /w/acme/out/{HOST}/ HTTP/1.1"), "Connection: close\r\n")).await;
        assert!(tunnel.starts_with("HTTP/1.1 4"), "{tunnel}");
        assert!(sending.upstream.requests().is_empty());
    }

    async fn chunks_arrive_as_they_are_and_nothing_in_them_is_another_request(backend: Backend) {
        let sending = Sending::on(backend).await;
        let line = format!("POST /w/acme/out/{HOST}/ HTTP/1.1");
        let inner = format!("\r\n\r\nGET /w/acme/out/{HOST}/smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
        let body = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
        let fields = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
        let answer = exchange(&sending, &format!("{}{body}", head(&sending, &line, fields))).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let [received] = &sending.upstream.take_requests()[..] else { panic!("one request") };
        assert_eq!(String::from_utf8_lossy(&received.body), inner);
    }

    async fn events_are_passed_on_as_they_come(backend: Backend) {
        let sending = Sending::on(backend).await;
        let go_on = Arc::new(Notify::new());
        let wait = Arc::clone(&go_on);
        sending.upstream.answer(move |_| {
            Reply::chunked(200, &[("content-type", "text/event-stream")])
                .chunk("data: one\n\n")
                .wait_for(&wait)
                .chunk("data: two\n\n")
                .chunk("")
        });
        let mut socket = connect(&sending).await;
        let request = head(&sending, &format!("GET /w/acme/out/{HOST}/ HTTP/1.1"), "");
        socket.write_all(request.as_bytes()).await.unwrap();
        let first = read_until(&mut socket, "data: one").await;
        assert!(first.contains("200") && !first.contains("data: two"), "{first}");
        go_on.notify_one();
        read_until(&mut socket, "data: two").await;
    }

    async fn a_client_that_is_gone_ends_the_request_to_the_host(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|_| Reply::hang());
        let mut socket = connect(&sending).await;
        let request = head(&sending, &format!("GET /w/acme/out/{HOST}/ HTTP/1.1"), "");
        socket.write_all(request.as_bytes()).await.unwrap();
        until("the host has the request", async || sending.upstream.open_connections() == 1).await;
        drop(socket);
        until("the connection to the host ends", async || sending.upstream.open_connections() == 0).await;
    }

    async fn a_slow_host_ends_with_a_problem_and_one_that_stops_with_the_connection(backend: Backend) {
        let sending =
            Sending::with(backend, |config| config.gateway.idle_timeout = Duration::from_secs(1)).await;
        sending.upstream.answer(|_| {
            Reply::head(200, &[("content-length", "100")]).then("the beginning").and_hang()
        });
        let request = head(&sending, &format!("GET /w/acme/out/{HOST}/ HTTP/1.1"), "");
        let mut socket = connect(&sending).await;
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(WAIT_TIMEOUT, socket.read_to_end(&mut answer)).await.expect("it ends").ok();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("the beginning"), "{answer}");
    }

    async fn bodies_over_the_bounds_are_refused_or_cut(backend: Backend) {
        let sending = Sending::with(backend, |config| {
            config.gateway.request_bytes = 10_000;
            config.gateway.response_bytes = 10_000;
        })
        .await;
        let line = format!("POST /w/acme/out/{HOST}/ HTTP/1.1");
        let said = exchange(&sending, &head(&sending, &line, "Content-Length: 10001\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 413") && said.contains("\"stage\":\"request\""), "{said}");
        assert!(sending.upstream.requests().is_empty());
        let chunk = format!("2710\r\n{}\r\n", "x".repeat(10_000));
        let more = head(&sending, &line, "Transfer-Encoding: chunked\r\n");
        let more = format!("{more}{chunk}1\r\nx\r\n0\r\n\r\n");
        let unsaid = exchange(&sending, &more).await;
        assert!(unsaid.starts_with("HTTP/1.1 413"), "{unsaid}");
        sending.upstream.answer(|_| Reply::new(200, &[], "y".repeat(10_001)));
        let get = head(&sending, &format!("GET /w/acme/out/{HOST}/ HTTP/1.1"), "Connection: close\r\n");
        let answer = exchange(&sending, &get).await;
        assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("\"stage\":\"response\""), "{answer}");
    }

    async fn old_clients_get_an_answer_that_ends_with_the_connection(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|_| Reply::chunked(200, &[]).chunk("one ").chunk("two").chunk(""));
        let request = head(&sending, &format!("GET /w/acme/out/{HOST}/ HTTP/1.0"), "");
        let mut socket = connect(&sending).await;
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(WAIT_TIMEOUT, socket.read_to_string(&mut answer)).await.expect("it ends").unwrap();
        assert!(answer.ends_with("\r\n\r\none two") && !answer.contains("chunked"), "{answer}");
    }

    async fn who_expects_to_be_told_to_go_on_is(backend: Backend) {
        let sending = Sending::on(backend).await;
        sending.upstream.answer(|request| Reply::new(200, &[], &request.body));
        let mut socket = connect(&sending).await;
        let line = format!("POST /w/acme/out/{HOST}/ HTTP/1.1");
        let request = head(&sending, &line, "Content-Length: 5\r\nExpect: 100-continue\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut socket, "100 Continue").await;
        socket.write_all(b"hello").await.unwrap();
        read_until(&mut socket, "hello").await;
        let [received] = &sending.upstream.take_requests()[..] else { panic!("one request") };
        assert_eq!(received.header("expect"), None);
    }
}
