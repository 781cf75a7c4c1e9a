//! How long and how large an exchange may be. The pauses here are of hosts that say nothing ever again.

use super::{client, failure, get, post, read, settings};
use crate::support::{
    product::{BodyError, Failure, Limits, Outbound, OutboundBody, OutboundSettings, Part, Phase},
    *,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn sizes_are_bounded_on_both_ways() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let limits = Limits { max_request_bytes: 1_000, max_response_bytes: 1_000, ..*outbound.limits() };
    let outbound = outbound.with_limits(limits);
    let bytes = |length: usize| Bytes::from(vec![b'x'; length]);
    let all = post(&outbound, "api.example.com", OutboundBody::Bytes(bytes(1_000))).await;
    assert_eq!(all.unwrap().status, 200);
    let before = upstream.take_requests().len();
    assert_eq!(before, 1);
    // Nothing of a body whose length says so is sent.
    let endless = || Box::pin(stream::repeat_with(move || Ok::<_, BodyError>(bytes(100))));
    for body in [OutboundBody::Bytes(bytes(1_001)), OutboundBody::Stream(Some(1_001), endless())] {
        let failure = failure(post(&outbound, "api.example.com", body).await);
        assert_eq!(failure, Failure::TooLarge(Part::Request));
    }
    assert!(upstream.requests().is_empty());
    let failed = failure(post(&outbound, "api.example.com", OutboundBody::Stream(None, endless())).await);
    assert_eq!(failed, Failure::TooLarge(Part::Request));
    upstream.answer(|request| match request.path.as_str() {
        "/fits" => Reply::new(200, &[], [b'x'; 1_000]),
        "/said" => Reply::head(200, &[("content-length", "1001")]).and_hang(),
        "/head" => Reply::head(200, &[("x-long", &"x".repeat(70_000))]).and_hang(),
        _ => (0..11).fold(Reply::chunked(200, &[]), |reply, _| reply.chunk([b'x'; 100])).and_hang(),
    });
    let answer = get(&outbound, "api.example.com", "/fits").await.unwrap();
    assert_eq!(read(answer).await.unwrap().len(), 1_000);
    for (path, part) in [("/said", Part::Response), ("/head", Part::Head)] {
        let failure = failure(get(&outbound, "api.example.com", path).await);
        assert_eq!(failure, Failure::TooLarge(part), "{path}");
    }
    let answer = get(&outbound, "api.example.com", "/chunks").await.unwrap();
    assert_eq!(read(answer).await, Err(Failure::TooLarge(Part::Response)));
    until("a connection is left", async || upstream.open_connections() <= 1).await;
}

#[tokio::test]
async fn a_host_that_says_nothing_is_given_up() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let long = *outbound.limits();
    upstream.answer(|request| match request.path.as_str() {
        "/nothing" => Reply::hang(),
        "/half-a-head" => Reply::raw("HTTP/1.1 200 OK\r\nx-a: b").and_hang(),
        _ => Reply::chunked(200, &[]).chunk("one").and_hang(),
    });
    for path in ["/nothing", "/half-a-head"] {
        let hasty = outbound.with_limits(Limits { head: SHORT, ..long });
        let failure = failure(get(&hasty, "api.example.com", path).await);
        assert_eq!(failure, Failure::Timeout(Phase::Head), "{path}");
    }
    let hasty = outbound.with_limits(Limits { whole: SHORT, ..long });
    let failed = failure(get(&hasty, "api.example.com", "/nothing").await);
    assert_eq!(failed, Failure::Timeout(Phase::Whole));
    for (limits, phase) in [
        (Limits { idle: SHORT, ..long }, Phase::Idle),
        (Limits { whole: Duration::from_secs(2), ..long }, Phase::Whole),
    ] {
        let hasty = outbound.with_limits(limits);
        let mut answer = get(&hasty, "api.example.com", "/part").await.unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "one");
        assert_eq!(answer.body.next().await, Some(Err(Failure::Timeout(phase))));
        assert_eq!(answer.body.next().await, None);
    }
    until("a connection is left", async || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn a_host_that_drips_is_given_up_when_the_whole_takes_too_long() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let outbound = outbound.with_limits(Limits { whole: Duration::from_secs(2), ..*outbound.limits() });
    upstream.answer(|_| {
        let drips = (0..10_000)
            .fold(Reply::chunked(200, &[]), |reply, _| reply.chunk(".").pause(Duration::from_millis(20)));
        drips.chunk("")
    });
    let answer = get(&outbound, "api.example.com", "/").await.unwrap();
    assert_eq!(read(answer).await, Err(Failure::Timeout(Phase::Whole)));
}

#[tokio::test]
async fn whoever_sends_no_body_is_told_from_a_host_that_reads_none() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    let outbound = outbound.with_limits(Limits { idle: SHORT, ..*outbound.limits() });
    let pending = stream::pending::<Result<Bytes, BodyError>>();
    let first = stream::iter([Ok(Bytes::from_static(b"first"))]);
    let body = OutboundBody::Stream(None, Box::pin(first.chain(pending)));
    let failed = failure(post(&outbound, "api.example.com", body).await);
    assert_eq!(failed, Failure::Timeout(Phase::Body));
    upstream.answer(|_| Reply::hang().before_the_body());
    let parts = stream::repeat_with(|| Ok::<_, BodyError>(Bytes::from(vec![0; 65_536])));
    let outbound = outbound.with_limits(Limits { max_request_bytes: u64::MAX, ..*outbound.limits() });
    let body = OutboundBody::Stream(None, Box::pin(parts));
    let failed = failure(post(&outbound, "api.example.com", body).await);
    assert_eq!(failed, Failure::Timeout(Phase::Idle));
}

#[tokio::test]
async fn each_step_to_a_connection_has_its_time() {
    let upstream = Upstream::open(&["api.example.com", "silent.example.com"]).await;
    upstream.dns.say_nothing_of("silent.example.com");
    let long = settings(&upstream).limits;
    let limits = Limits { connect: SHORT, ..long };
    let outbound = Outbound::new(OutboundSettings { limits, ..settings(&upstream) }).unwrap();
    let failed = failure(get(&outbound, "silent.example.com", "/").await);
    assert_eq!(failed, Failure::Timeout(Phase::Resolve));
    // It accepts, and says nothing.
    let mute = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = mute.local_addr().unwrap().port();
    let allowed = vec![format!("api.example.com:{port}").parse().unwrap()];
    let outbound = Outbound::new(OutboundSettings { limits, allowed, ..settings(&upstream) }).unwrap();
    assert_eq!(failure(get(&outbound, "api.example.com", "/").await), Failure::Timeout(Phase::Tls));
}
