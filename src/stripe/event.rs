//! What Stripe sends: a hint that something may have changed. Nothing in it is believed but which object to read again.

use crate::stripe::objects::is_id;
use serde::Deserialize;

/// A message of Stripe's, of which only ids are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Of the message itself: the same one may come again.
    pub id: String,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The invoice that it is about.
    pub invoice: Option<String>,
    /// The customer that it is about.
    pub customer: Option<String>,
    /// The page of Checkout that somebody completed.
    pub session: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    id: Option<serde_json::Value>,
    #[serde(default)]
    object: String,
    invoice: Option<serde_json::Value>,
    customer: Option<serde_json::Value>,
}

impl Event {
    /// Reads a message; `None` if it is none of Stripe's.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let Message { id, kind, data: Data { object } } = serde_json::from_slice(body).ok()?;
        let is_kind = (1..=100).contains(&kind.len()) && kind.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_id(&id) || !is_kind {
            return None;
        }
        let own = reference(object.id.as_ref());
        let is_completed = object.object == "checkout.session" && kind == "checkout.session.completed";
        let session = own.clone().filter(|_| is_completed);
        let (invoice, customer) = match object.object.as_str() {
            "invoice" => (own, reference(object.customer.as_ref())),
            "customer" => (None, own),
            _ => (reference(object.invoice.as_ref()), reference(object.customer.as_ref())),
        };
        Some(Self { id, kind, invoice, customer, session })
    }
}

fn reference(value: Option<&serde_json::Value>) -> Option<String> {
    value?.as_str().filter(|id| is_id(id)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_to_read_again_is_taken_from_a_message() {
        let of = |object: serde_json::Value| {
            let body = json!({"id": "evt_1", "type": "some.kind", "data": {"object": object}});
            Event::parse(body.to_string().as_bytes()).map(|event| (event.invoice, event.customer))
        };
        let (invoice, customer) = (Some("in_1".to_owned()), Some("cus_1".to_owned()));
        let paid =
            json!({"id": "in_1", "object": "invoice", "customer": "cus_1", "status": "paid", "total": 1});
        assert_eq!(of(paid), Some((invoice, customer.clone())));
        assert_eq!(of(json!({"id": "cus_1", "object": "customer"})), Some((None, customer.clone())));
        assert_eq!(
            of(json!({"id": "cs_1", "object": "checkout.session", "customer": "cus_1"})),
            Some((None, customer))
        );
        assert_eq!(of(json!({"id": "in_1/pay", "object": "invoice"})), Some((None, None)));
        assert_eq!(of(json!({"object": "balance", "id": 5})), Some((None, None)));
        assert_eq!(of(json!([])), None);
        let session = |kind: &str| {
            let object = json!({"id": "cs_1", "object": "checkout.session", "customer": "cus_1"});
            let body = json!({"id": "evt_1", "type": kind, "data": {"object": object}});
            Event::parse(body.to_string().as_bytes()).and_then(|event| event.session)
        };
        assert_eq!(session("checkout.session.completed").as_deref(), Some("cs_1"));
        assert_eq!(session("checkout.session.expired"), None);
        for odd in [&b""[..], b"null", b"{}", b"\xff", br#"{"id":"a/b","type":"x","data":{"object":{}}}"#] {
            assert_eq!(Event::parse(odd), None);
        }
    }
}
