//! Sends events to the destinations that receive them, as signed messages (Standard Webhooks).
//!
//! One destination is served by one node at a time, and its messages one after another; many destinations are served at
//! once. One that takes long moves aside, so that it holds up no other.

use crate::{
    clock::{SECOND, Timestamp},
    domain::{
        Db, Refused, event_messages,
        nouns::deliveries::{
            lease::{self, NextLease, Turn},
            queue,
            turn::{self, Outcome, Outgoing},
        },
    },
    outbound::{
        body::OutboundBody,
        client::{Outbound, OutboundResponse, Target},
        limits::Limits,
    },
};
use actix_web::http::header::HttpDate;
use futures_util::StreamExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tracing::Instrument;

/// Destinations that are served at once.
const MAX_TURNS: usize = 32;

/// Destinations that are served at once beside these, and take long.
const MAX_SLOW_TURNS: usize = 96;

/// An attempt that takes longer moves aside.
const SLOW: Duration = Duration::from_secs(1);

/// How long a receiver may take.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(15),
    idle: Duration::from_secs(10),
    whole: Duration::from_secs(15),
    max_request_bytes: 1024 * 1024,
    max_response_bytes: u64::MAX,
    max_head_bytes: 16 * 1024,
};

/// The bytes of a response that are kept.
const KEPT_BYTES: usize = 1024;

/// How long one turn may last before others that wait get theirs.
const MAX_TURN: Duration = Duration::from_secs(30);

/// When a destination that is failing is looked at again if too many are, in milliseconds.
const BUSY: i64 = 5 * SECOND;

/// How long attempts may take to end when the server stops.
const LAST_ATTEMPTS: Duration = Duration::from_secs(10);

/// Sends what is due, until it is stopped; then lets running attempts end, so that no other node sends the same again.
pub(crate) async fn send_events(db: Db, outbound: Outbound, stop: Arc<Notify>) {
    let sender = Arc::new(Sender {
        db: db.clone(),
        outbound: outbound.with_limits(LIMITS),
        slow: Arc::new(Semaphore::new(MAX_SLOW_TURNS)),
        is_stopping: AtomicBool::new(false),
    });
    let permits = Arc::new(Semaphore::new(MAX_TURNS));
    let mut turns = JoinSet::new();
    let leasing = async {
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            while turns.try_join_next().is_some() {}
            match lease::lease_next(&db).await {
                Ok(NextLease::Leased(turn)) => {
                    let sender = Arc::clone(&sender);
                    let span = tracing::info_span!("deliver_events", destination = %turn.destination);
                    turns.spawn(async move { sender.serve(turn, permit).await }.instrument(span));
                }
                Ok(NextLease::Raced) => drop(permit),
                Ok(NextLease::Nothing) => {
                    drop(permit);
                    queue::wait(&db).await;
                }
                Err(error) => {
                    log(&db, "can't read the events to send", &error.into());
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
    };
    tokio::select! {
        () = leasing => {}
        () = stop.notified() => {}
    }
    sender.is_stopping.store(true, Ordering::Relaxed);
    let all = async { while turns.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ATTEMPTS, all).await;
}

/// Logs what failed; an outage of the database is logged once for all tasks.
fn log(db: &Db, what: &'static str, error: &Refused) {
    match error {
        Refused::Failed(error) if db.note_outage(error) => {}
        error => tracing::warn!(%error, "{what}"),
    }
}

struct Sender {
    db: Db,
    outbound: Outbound,
    /// Permits of turns that take long.
    slow: Arc<Semaphore>,
    is_stopping: AtomicBool,
}

impl Sender {
    /// One turn: sends what is due, one message after another.
    async fn serve(&self, mut turn: Turn, permit: OwnedSemaphorePermit) {
        let mut permit = Some(permit);
        let mut later = Timestamp::default();
        if turn.is_failing {
            match Arc::clone(&self.slow).try_acquire_owned() {
                Ok(slow) => permit = Some(slow),
                // So many hang that those that don't would wait for them.
                Err(_) => later = self.db.now() + BUSY,
            }
        }
        if later == Timestamp::default()
            && let Err(error) = self.send_due(&mut turn, &mut permit).await
        {
            log(&self.db, "can't send events", &error);
            later = self.db.now() + BUSY;
        }
        self.release(&turn, later).await;
    }

    /// Ends the turn. A database that is away for a moment must not hold up the destination until the lease ends.
    async fn release(&self, turn: &Turn, later: Timestamp) {
        for _ in 0..5 {
            match lease::release(&self.db, turn, later).await {
                Ok(()) => return,
                Err(error) => log(&self.db, "can't end a turn of events", &error.into()),
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    async fn send_due(
        &self,
        turn: &mut Turn,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<(), Refused> {
        let started = Instant::now();
        while started.elapsed() < MAX_TURN {
            let Some(message) = turn::next(&self.db, turn).await? else { break };
            // What fails here is ours, and no attempt: it is tried again without the receiver being blamed.
            let Some(body) = event_messages::body(&self.db, &message).await? else {
                if turn::give_up(&self.db, turn, &message).await? {
                    continue;
                }
                break;
            };
            let attempt = self.attempt(&message, body);
            tokio::pin!(attempt);
            let outcome = tokio::select! {
                outcome = &mut attempt => outcome,
                () = tokio::time::sleep(SLOW) => {
                    if let Ok(slow) = Arc::clone(&self.slow).try_acquire_owned() {
                        *permit = Some(slow);
                    }
                    attempt.await
                }
            };
            let is_failure = outcome.error.is_some();
            if let Some(error) = &outcome.error {
                tracing::info!(delivery = %message.id, status = outcome.status, error, "could not deliver an event");
            }
            let is_leased = turn::record(&self.db, turn, &message, &outcome).await?;
            // After a failure the others go first. Where the lease was lost, another node sends.
            if is_failure || !is_leased || self.is_stopping.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    async fn attempt(&self, message: &Outgoing, body: String) -> Outcome {
        let attempted_at = self.db.now();
        let started = Instant::now();
        let sent = self.send(message, body, attempted_at).await;
        let duration_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut outcome = Outcome {
            attempted_at,
            status: None,
            error: None,
            retry_after: None,
            duration_ms,
            body: String::new(),
        };
        match sent {
            Ok(response) => {
                outcome.status = Some(response.status);
                outcome.error = complaint(response.status);
                outcome.retry_after =
                    outcome.error.as_ref().and(retry_after(&response.headers, attempted_at));
                let secrets = message.secrets.iter().map(|secret| secret.expose());
                outcome.body = shown(&first_bytes(response).await, secrets);
            }
            Err(error) => outcome.error = Some(error),
        }
        outcome
    }

    /// Sends a message. An error is a sentence for people of the workspace.
    async fn send(
        &self,
        message: &Outgoing,
        body: String,
        now: Timestamp,
    ) -> Result<OutboundResponse, String> {
        let headers = headers(message, now, &body).ok_or("The message could not be signed.")?;
        let target = Target { host: &message.host, path_and_query: &message.path };
        let sending = self.outbound.send(
            message.destination,
            Method::POST,
            &target,
            headers,
            OutboundBody::Bytes(body.into()),
        );
        let sent = tokio::time::timeout(LIMITS.whole, sending).await;
        sent.map_err(|_| "The host took longer than 15 seconds.".to_owned())?
            .map_err(|failure| failure.sentence())
    }
}

fn headers(message: &Outgoing, now: Timestamp, body: &str) -> Option<HeaderMap> {
    let (id, seconds) = (message.id.to_string(), now.as_seconds());
    let signatures: Option<Vec<String>> =
        message.secrets.iter().map(|secret| secret.sign(&id, seconds, body)).collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("Bailiwick"));
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures?.join(" ")),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).ok()?);
    }
    Some(headers)
}

/// What is wrong with a response; `None` for one that takes the message.
fn complaint(status: u16) -> Option<String> {
    match status {
        200..=299 => None,
        300..=399 => Some(format!("It answered {status}. Redirects are not followed.")),
        410 => Some("It answered 410: nothing is there any more.".to_owned()),
        _ => Some(format!("It answered {status}.")),
    }
}

/// How long the receiver asks us to wait, in milliseconds: a number of seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(i64::from(seconds) * SECOND);
    }
    let date = SystemTime::from(text.parse::<HttpDate>().ok()?);
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    let date = Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?);
    Some((date - now).max(0))
}

/// The first bytes of a response. The rest is not read.
async fn first_bytes(mut response: OutboundResponse) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEPT_BYTES);
    let reading = async {
        while bytes.len() < KEPT_BYTES
            && let Some(Ok(part)) = response.body.next().await
        {
            bytes.extend_from_slice(&part[..part.len().min(KEPT_BYTES - bytes.len())]);
        }
    };
    // It has answered, and what else it has to say is only for people to read.
    let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
    bytes
}

/// A response as it is kept: without what can't be seen or turns text around, and without our own secret.
fn shown<'a>(bytes: &[u8], secrets: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for secret in secrets {
        text = text.replace(secret, "[secret]");
        if let Some(key) = secret.strip_prefix("whsec_") {
            text = text.replace(key, "[secret]");
        }
    }
    turn::visible(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_2xx_takes_a_message_and_nothing_else_does() {
        assert!([200, 201, 202, 204, 299].into_iter().all(|status| complaint(status).is_none()));
        assert!(
            [199, 301, 302, 307, 400, 404, 410, 429, 500, 503].into_iter().all(|s| complaint(s).is_some())
        );
    }

    #[test]
    fn a_receiver_says_how_long_to_wait_in_seconds_or_until_when() {
        let now = Timestamp::from_millis(784_111_777_000 - 60_000);
        for (text, wait) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60_000)),
            ("Sun, 06 Nov 1993 08:49:37 GMT", None),
            ("soon", None),
            ("-5", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            let parsed = retry_after(&headers, now);
            assert!(parsed == wait || (wait.is_none() && parsed == Some(0)), "{text}: {parsed:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn what_is_kept_of_a_response_can_be_seen_and_has_no_secret() {
        let secret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0ISEh";
        let body = format!("a\x1b[31mb\u{202e}c\0d\r\n{secret} \u{fffd}").into_bytes();
        let text = shown(&[&body[..], &[0xff]].concat(), [secret].into_iter());
        assert!(text.starts_with("a") && text.contains("[secret]") && !text.contains("whsec"), "{text}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }
}
