//! Objects as Stripe creates them from the fields of a request.

use serde_json::{Value, json};
use std::collections::BTreeMap;

pub type Fields = BTreeMap<String, String>;

fn metadata(fields: &Fields) -> Value {
    let named = fields.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), Value::from(value.as_str())))
    });
    Value::Object(named.collect())
}

pub fn customer(fields: &Fields) -> Value {
    json!({
        "object": "customer", "name": fields.get("name"), "email": fields.get("email"), "default_source": null,
        "invoice_settings": {"default_payment_method": null}, "metadata": metadata(fields),
    })
}

pub fn session(fields: &Fields, n: usize) -> Value {
    json!({
        "object": "checkout.session", "mode": fields["mode"], "customer": fields["customer"], "status": "open",
        "url": format!("https://checkout.stripe.example/c/pay/{n}"), "setup_intent": format!("seti_{n}"),
        "success_url": fields["success_url"], "cancel_url": fields["cancel_url"], "currency": fields["currency"],
        "automatic_tax": {}, "custom_fields": [], "custom_text": {}, "expires_at": 1_700_086_400,
        "payment_method_types": ["card"], "payment_status": "no_payment_required", "shipping_options": [],
    })
}

pub fn portal(fields: &Fields) -> Value {
    json!({
        "object": "billing_portal.session", "customer": fields["customer"], "return_url": fields["return_url"],
        "url": "https://billing.stripe.example/p/session/1", "configuration": "bpc_1",
    })
}

pub fn invoice(fields: &Fields) -> Value {
    json!({
        "object": "invoice", "customer": fields["customer"], "number": fields["number"], "currency": fields["currency"],
        "collection_method": fields["collection_method"], "status": "draft", "total": 0, "hosted_invoice_url": null,
        "metadata": metadata(fields), "auto_advance": false, "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0,
        "amount_paid_off_stripe": 0, "amount_remaining": 0, "amount_shipping": 0, "attempt_count": 0, "attempted": false,
        "automatic_tax": {}, "default_tax_rates": [], "discounts": [], "issuer": {}, "payment_settings": {},
        "lines": {"object": "list", "data": [], "has_more": false, "url": "/v1/invoices/lines"},
        "period_end": 1_700_000_000, "period_start": 1_700_000_000, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "starting_balance": 0, "status_transitions": {}, "subtotal": 0,
    })
}
