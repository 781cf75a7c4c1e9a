//! Sends one request to Stripe and reads its answer.

use crate::{
    clock::{MINUTE, Timestamp},
    config::stripe::StripeAccount,
    outbound::{
        body::OutboundBody,
        client::{Outbound, Target},
        limits::Limits,
    },
    stripe::{error::StripeError, objects::Answer},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use url::form_urlencoded;
use uuid::Uuid;

/// The version of the API whose document the tests have a part of.
pub const VERSION: &str = "2026-05-27.dahlia";

/// How long Stripe may take.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(20),
    idle: Duration::from_secs(10),
    whole: Duration::from_secs(25),
    max_request_bytes: 64 * 1024,
    max_response_bytes: MAX_ANSWER as u64,
    max_head_bytes: 64 * 1024,
};

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Its connections are used for nothing else.
const CONNECTIONS: Uuid = Uuid::from_u128(0x7374_7269_7065);

/// The API of Stripe, for one account there. Clones are the same.
#[derive(Clone)]
pub struct Stripe(Arc<Inner>);

struct Inner {
    outbound: Outbound,
    host: String,
    secret_key: SecretString,
    webhook_secret: SecretString,
    /// When a message that was refused was last logged, in milliseconds.
    refusal_logged_at: AtomicI64,
}

/// The fields of a request, as Stripe names them: `invoice_settings[default_payment_method]`.
pub type Fields<'a> = [(&'a str, &'a str)];

/// Why something failed, in an answer.
#[derive(Deserialize)]
struct Problem {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    code: Option<String>,
    r#type: Option<String>,
}

impl Stripe {
    pub fn new(outbound: &Outbound, account: StripeAccount) -> Self {
        let StripeAccount { host, secret_key, webhook_secret } = account;
        Self(Arc::new(Inner {
            outbound: outbound.with_limits(LIMITS),
            host,
            secret_key,
            webhook_secret,
            refusal_logged_at: AtomicI64::new(0),
        }))
    }

    /// Whether a message that is refused at this moment is worth a line in the log: anybody can send some, and one line in a
    /// minute says enough.
    pub fn logs_refusal(&self, now: Timestamp) -> bool {
        let (last, now) = (self.0.refusal_logged_at.load(Ordering::Relaxed), now.as_millis());
        now.saturating_sub(last) >= MINUTE
            && self
                .0
                .refusal_logged_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The secret that its messages are signed with.
    pub fn webhook_secret(&self) -> &str {
        self.0.webhook_secret.expose_secret()
    }

    /// Reads an object.
    pub(in crate::stripe) async fn get<T: DeserializeOwned + Answer>(
        &self,
        path_and_query: &str,
    ) -> Result<T, StripeError> {
        self.send(Method::GET, path_and_query, HeaderMap::new(), OutboundBody::Empty).await
    }

    /// Creates or changes an object. Sent again with the same key, it is not done again.
    pub(in crate::stripe) async fn post<T: DeserializeOwned + Answer>(
        &self,
        path: &str,
        fields: &Fields<'_>,
        key: &str,
    ) -> Result<T, StripeError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(HeaderName::from_static("idempotency-key"), header(key)?);
        self.send(Method::POST, path, headers, OutboundBody::Bytes(body.into())).await
    }

    async fn send<T: DeserializeOwned + Answer>(
        &self,
        method: Method,
        path_and_query: &str,
        mut headers: HeaderMap,
        body: OutboundBody,
    ) -> Result<T, StripeError> {
        let inner = &self.0;
        let mut secret = header(&format!("Bearer {}", inner.secret_key.expose_secret()))?;
        secret.set_sensitive(true);
        headers.insert(AUTHORIZATION, secret);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("Bailiwick"));
        headers.insert(HeaderName::from_static("stripe-version"), HeaderValue::from_static(VERSION));
        let target = Target { host: &inner.host, path_and_query };
        let exchange = async {
            let sent = inner.outbound.send(CONNECTIONS, method, &target, headers, body).await;
            let answer = sent.map_err(|failure| StripeError::NoAnswer(failure.sentence()))?;
            let (status, body) = (answer.status, answer.body.first_bytes(MAX_ANSWER).await);
            // What broke off may have been done.
            Ok::<_, StripeError>((status, body.map_err(|failure| StripeError::NoAnswer(failure.sentence()))?))
        };
        let exchanged = tokio::time::timeout(LIMITS.whole, exchange).await;
        let late = || StripeError::NoAnswer("The whole exchange took too long.".to_owned());
        let (status, body) = exchanged.map_err(|_| late())??;
        read(status, &body)
    }
}

fn header(text: &str) -> Result<HeaderValue, StripeError> {
    HeaderValue::try_from(text).map_err(|_| StripeError::Unreadable)
}

fn read<T: DeserializeOwned + Answer>(status: u16, body: &[u8]) -> Result<T, StripeError> {
    if !(200..=299).contains(&status) {
        let problem: Option<Problem> = serde_json::from_slice(body).ok();
        let code = problem.and_then(|problem| problem.error.code.or(problem.error.r#type));
        return Err(StripeError::of(status, code.as_deref().unwrap_or_default()));
    }
    let object: T = serde_json::from_slice(body).map_err(|_| StripeError::Unreadable)?;
    if object.has_ids() { Ok(object) } else { Err(StripeError::Unreadable) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::objects::{Invoice, InvoiceItem, InvoiceList};

    #[test]
    fn an_answer_is_an_object_or_an_error_and_repeats_nothing() {
        let refused =
            br#"{"error":{"type":"invalid_request_error","message":"Invalid API Key: sk_test_canary"}}"#;
        let error = read::<InvoiceItem>(401, refused).expect_err("refused");
        assert_eq!(error.to_string(), "Stripe refused the request (401 invalid_request_error).");
        let declined = br#"{"error":{"type":"card_error","code":"card_declined"}}"#;
        assert_eq!(read::<Invoice>(402, declined).err(), Some(StripeError::Declined("card_declined".into())));
        assert_eq!(read::<Invoice>(503, b"<html>").err(), Some(StripeError::Failed(503)));
        assert_eq!(read::<Invoice>(200, b"<html>").err(), Some(StripeError::Unreadable));
        assert_eq!(read::<InvoiceItem>(200, br#"{"id":"../x"}"#).err(), Some(StripeError::Unreadable));
        assert!(read::<InvoiceItem>(200, br#"{"id":"ii_1"}"#).is_ok());
        let list = br#"{"data":[{"id":"in_1","currency":"eur","total":1,"metadata":{"invoice":"7"}}]}"#;
        assert!(
            read::<InvoiceList>(200, list)
                .is_ok_and(|list| list.data[0].is_of("7") && !list.data[0].is_of("8"))
        );
        let odd = br#"{"data":[{"id":"in_1/pay","currency":"eur","total":1}]}"#;
        assert_eq!(read::<InvoiceList>(200, odd).err(), Some(StripeError::Unreadable));
    }
}
