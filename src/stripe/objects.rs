//! What the answers of Stripe say, as far as it is read. Whatever else is in them is left out.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest id that is taken.
const MAX_ID: usize = 120;

/// The longest address of a page that is taken.
const MAX_URL: usize = 2_000;

/// Whether it is an id as Stripe has them: it can stand in a path.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The address of a page that a browser can be led to, or nothing.
pub fn page(url: Option<&str>) -> Option<String> {
    let url = url.filter(|url| url.len() <= MAX_URL && url.bytes().all(|byte| byte.is_ascii_graphic()))?;
    let parsed = url::Url::parse(url).ok()?;
    let is_plain = parsed.scheme() == "https" && parsed.username().is_empty() && parsed.password().is_none();
    is_plain.then(|| parsed.to_string())
}

/// An answer that is used only if what it calls ids are some.
pub trait Answer {
    fn has_ids(&self) -> bool;
}

macro_rules! has_id {
    ($($object:ty),+) => {$(
        impl Answer for $object {
            fn has_ids(&self) -> bool {
                is_id(&self.id)
            }
        }
    )+};
}

has_id!(Customer, CheckoutSession, PortalSession, Invoice, InvoiceItem);

/// Who pays.
#[derive(Clone, Debug, Deserialize)]
pub struct Customer {
    pub id: String,
    #[serde(default)]
    deleted: bool,
    invoice_settings: Option<InvoiceSettings>,
    default_source: Option<Reference>,
}

#[derive(Clone, Debug, Deserialize)]
struct InvoiceSettings {
    default_payment_method: Option<Reference>,
}

impl Customer {
    /// Somebody deleted it there, and nothing can be charged to it any more.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Whether invoices are charged to something.
    pub fn has_method(&self) -> bool {
        let method =
            self.invoice_settings.as_ref().and_then(|settings| settings.default_payment_method.as_ref());
        !self.deleted && (method.is_some() || self.default_source.is_some())
    }
}

/// Another object: its id, or all of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Reference {
    Id(String),
    Object { id: String },
}

impl Reference {
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

/// A page of Checkout on which a payment method is saved.
#[derive(Clone, Debug, Deserialize)]
pub struct CheckoutSession {
    pub id: String,
    /// `None` once it is over.
    pub url: Option<String>,
    /// `open`, `complete` or `expired`.
    pub status: Option<String>,
    pub customer: Option<Reference>,
    /// Its id, or all of it.
    setup_intent: Option<Value>,
}

impl CheckoutSession {
    /// The payment method that was saved on it, if the session was read with its intent.
    pub fn saved_method(&self) -> Option<&str> {
        let intent = self.setup_intent.as_ref()?;
        let method = intent.get("payment_method")?;
        let id = method.as_str().or_else(|| method.get("id")?.as_str());
        id.filter(|id| intent.get("status").and_then(Value::as_str) == Some("succeeded") && is_id(id))
    }
}

/// A page of the customer portal.
#[derive(Clone, Debug, Deserialize)]
pub struct PortalSession {
    pub id: String,
    pub url: String,
}

/// An invoice as Stripe has it.
#[derive(Clone, Debug, Deserialize)]
pub struct Invoice {
    pub id: String,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    pub status: Option<String>,
    /// In small letters.
    pub currency: String,
    pub total: i64,
    /// The page on which it can be paid, once it is not a draft any more.
    pub hosted_invoice_url: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
}

impl Invoice {
    /// Whether it was created for this invoice of ours, by its id.
    pub fn is_of(&self, invoice: &str) -> bool {
        let metadata = self.metadata.as_ref();
        metadata.and_then(|metadata| metadata.get("invoice")).and_then(Value::as_str) == Some(invoice)
    }
}

/// Some invoices, the latest first.
#[derive(Clone, Debug, Deserialize)]
pub struct InvoiceList {
    pub data: Vec<Invoice>,
}

impl Answer for InvoiceList {
    fn has_ids(&self) -> bool {
        self.data.iter().all(Answer::has_ids)
    }
}

/// An item of an invoice.
#[derive(Clone, Debug, Deserialize)]
pub struct InvoiceItem {
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn references_are_read_expanded_and_not() {
        let session = |setup_intent: serde_json::Value| {
            let session = json!({"id": "cs_1", "status": "complete", "customer": "cus_1", "setup_intent": setup_intent});
            from_value::<CheckoutSession>(session).expect("a session")
        };
        let saved = session(json!({"id": "seti_1", "status": "succeeded", "payment_method": {"id": "pm_1"}}));
        assert_eq!(
            (saved.saved_method(), saved.customer.as_ref().map(Reference::id)),
            (Some("pm_1"), Some("cus_1"))
        );
        assert_eq!(session(json!("seti_1")).saved_method(), None);
        assert_eq!(
            session(json!({"status": "requires_action", "payment_method": "pm_1"})).saved_method(),
            None
        );
        let customer =
            |rest: serde_json::Value| from_value::<Customer>(rest).expect("a customer").has_method();
        assert!(customer(json!({"id": "cus_1", "invoice_settings": {"default_payment_method": "pm_1"}})));
        assert!(!customer(json!({"id": "cus_1", "invoice_settings": {"default_payment_method": null}})));
        assert!(!customer(json!({"id": "cus_1", "deleted": true})));
    }

    #[test]
    fn ids_and_pages_are_what_they_seem() {
        assert!(is_id("in_1NXWPnCo6bFb1KQto6C8OWvE"));
        for odd in ["", "in_1/pay", "in 1", "in_1?x", "../customers"] {
            assert!(!is_id(odd), "{odd}");
        }
        assert!(page(Some("https://invoice.stripe.com/i/acct_1/test_a?s=ap")).is_some());
        for odd in [
            "http://invoice.stripe.com/",
            "javascript:alert(1)",
            "https://a b/",
            "https://me:x@stripe.com/",
            "/i",
        ] {
            assert_eq!(page(Some(odd)), None, "{odd}");
        }
    }
}
