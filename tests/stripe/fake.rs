//! Stripe, as far as it is called: a fake of ours behind a host of the internet. It keeps objects, does a request with the same
//! key once, and answers as the document says. What it was asked and what it answered is checked against that document by
//! [`Fake::check`].

use super::objects::{Fields, customer, invoice, portal, session};
use crate::support::{product::Config, *};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;
use url::form_urlencoded;
use uuid::Uuid;

pub const HOST: &str = "api.stripe.example";
pub const KEY: &str = "sk_test_canaryOfTheSecretKey";
pub const SIGNING: &str = "whsec_canaryOfTheSigningSecret";

/// What is wrong with it, until it is told something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Nothing,
    /// This status, with an error as Stripe has them. It repeats what it was sent in its message.
    Status(u16, &'static str),
    /// 200, and what is no JSON.
    Garbage,
    /// It hangs up without an answer.
    Silent,
    /// It says nothing to requests that name this workspace, and keeps their connections open.
    Hangs(Uuid),
}

struct State {
    trouble: Trouble,
    /// Each change is made, and its first answer is lost.
    loses_answers: bool,
    /// Customers are created, and their answers wait for this.
    held: Option<Arc<Notify>>,
    next: usize,
    /// Customers, sessions and invoices by their ids.
    objects: BTreeMap<String, Value>,
    /// What was answered to a key, and to which request.
    keys: HashMap<String, (String, u16, Value)>,
    exchanges: Vec<Value>,
}

#[derive(Clone)]
pub struct Fake {
    pub upstream: Upstream,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub async fn open() -> Self {
        let upstream = Upstream::open(&[HOST]).await;
        let state = Arc::new(Mutex::new(State {
            trouble: Trouble::Nothing,
            loses_answers: false,
            held: None,
            next: 0,
            objects: BTreeMap::new(),
            keys: HashMap::new(),
            exchanges: Vec::new(),
        }));
        let fake = Self { upstream, state };
        let answering = Arc::clone(&fake.state);
        fake.upstream.answer(move |request| answer(&mut answering.lock().unwrap(), request));
        fake
    }

    /// For `TestApp::on(backend).with(…)`.
    pub fn settings(&self) -> impl Fn(&mut Config) + Send + Sync + 'static {
        let reachable = self.upstream.settings();
        move |config| {
            reachable(config);
            config.stripe.url = Some(format!("https://{HOST}").parse().unwrap());
            config.stripe.secret_key = Some(KEY.to_owned().into());
            config.stripe.webhook_secret = Some(SIGNING.to_owned().into());
        }
    }

    pub fn is_in(&self, trouble: Trouble) {
        self.state.lock().unwrap().trouble = trouble;
    }

    /// Makes each change from now on, and hangs up before its first answer.
    pub fn loses_answers(&self) {
        self.state.lock().unwrap().loses_answers = true;
    }

    /// Forgets all keys, as Stripe does after a day, and loses no more answers.
    pub fn forgets_keys(&self) {
        let mut state = self.state.lock().unwrap();
        state.loses_answers = false;
        state.keys.clear();
    }

    /// Creates customers from now on, and answers once it is told to.
    pub fn holds_customers(&self) -> Arc<Notify> {
        let answer = Arc::new(Notify::new());
        self.state.lock().unwrap().held = Some(Arc::clone(&answer));
        answer
    }

    pub fn all(&self, kind: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.objects.values().filter(|object| object["object"] == kind).cloned().collect()
    }

    /// The only one there is.
    pub fn one(&self, kind: &str) -> Value {
        let all = self.all(kind);
        assert_eq!(all.len(), 1, "{kind}: {all:?}");
        all.into_iter().next().unwrap()
    }

    /// Changes an object, as Stripe does by itself, or somebody on a page of it.
    pub fn set(&self, id: &str, fields: Value) {
        let mut state = self.state.lock().unwrap();
        let object = state.objects.get_mut(id).unwrap_or_else(|| panic!("there is no {id}"));
        for (name, value) in fields.as_object().unwrap() {
            object[name] = value.clone();
        }
    }

    /// Somebody enters a card on the page of Checkout.
    pub fn completes_checkout(&self) {
        let session =
            self.all("checkout.session").into_iter().find(|session| session["status"] == "open").unwrap();
        let intent = json!({
            "id": "seti_1", "object": "setup_intent", "created": 1, "livemode": false, "payment_method_types": ["card"],
            "status": "succeeded", "usage": "off_session", "payment_method": "pm_1", "customer": session["customer"],
        });
        let changed = json!({"status": "complete", "url": null, "setup_intent": intent});
        self.set(session["id"].as_str().unwrap(), changed);
    }

    /// Stripe collects the only invoice.
    pub fn collects(&self) -> String {
        let invoice = self.one("invoice");
        assert_eq!(invoice["status"], "open");
        let id = invoice["id"].as_str().unwrap().to_owned();
        self.set(&id, json!({"status": "paid", "amount_paid": invoice["total"], "amount_remaining": 0}));
        id
    }

    /// The requests so far: method, path, and the key.
    pub fn requests(&self) -> Vec<(String, String, Option<String>)> {
        let requests = self.upstream.requests();
        let of = |request: &Received| {
            let key = request.header("idempotency-key").map(str::to_owned);
            (request.method.clone(), request.path.clone(), key)
        };
        requests.iter().map(of).collect()
    }

    /// Each exchange so far was as the document says.
    pub fn check(&self) {
        let exchanges = self.state.lock().unwrap().exchanges.clone();
        assert!(!exchanges.is_empty());
        let root = env!("CARGO_MANIFEST_DIR");
        let script = format!("{root}/tests/stripe/contract.py");
        let document = format!("{root}/tests/vendor/stripe-openapi.json");
        let said = python(&[script.as_str(), document.as_str()], &exchanges);
        for (exchange, said) in exchanges.iter().zip(said) {
            assert_eq!(said, "ok", "{exchange}");
        }
        for request in self.upstream.requests() {
            assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
            assert_eq!(request.header("stripe-version"), Some("2026-05-27.dahlia"));
            assert_eq!(request.header("idempotency-key").is_some(), request.method == "POST", "{request:?}");
        }
    }
}

/// What a script says to these lines, a line each.
pub fn python(arguments: &[&str], lines: &[Value]) -> Vec<String> {
    let python = std::env::var("BAILIWICK_TEST_API_PYTHON").expect("bin/test sets it");
    let mut program = Command::new(python);
    program.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = program.spawn().unwrap();
    let mut stdin = program.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // It answers while it reads.
    let writing = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = program.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    let said: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(said.len(), lines.len(), "{said:?}");
    said
}

fn answer(state: &mut State, request: &Received) -> Reply {
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if request.body.len() < length {
        // It is asked again once the body is there.
        return Reply::default();
    }
    let body = String::from_utf8(request.body.clone()).unwrap();
    let exchange = |status: u16, answer: Option<&Value>| json!({"method": request.method, "path": request.path, "body": body, "status": status, "answer": answer});
    match state.trouble {
        Trouble::Nothing => {}
        Trouble::Hangs(workspace) if body.contains(&workspace.to_string()) => return Reply::hang(),
        Trouble::Hangs(_) => {}
        Trouble::Silent => {
            state.exchanges.push(exchange(0, None));
            return Reply::default().and_close();
        }
        Trouble::Garbage => {
            state.exchanges.push(exchange(200, None));
            return Reply::new(200, &[("content-type", "application/json")], format!("<html>{KEY}</html>"));
        }
        Trouble::Status(status, code) => {
            let kind = if status == 402 { "card_error" } else { "api_error" };
            let error = json!({"error": {"type": kind, "code": code, "message": format!("You sent {KEY} and {body}")}});
            state.exchanges.push(exchange(status, Some(&error)));
            return reply(status, &error);
        }
    }
    let known = state.keys.len();
    let (status, answered) = keyed(state, request, &body);
    state.exchanges.push(exchange(status, Some(&answered)));
    if state.loses_answers && state.keys.len() > known {
        return Reply::default().and_close();
    }
    match &state.held {
        Some(held) if request.path == "/v1/customers" => {
            let text = answered.to_string();
            let head = format!(
                "HTTP/1.1 {status} Held\r\ncontent-type: application/json\r\ncontent-length: {}",
                text.len()
            );
            Reply::default().wait_for(held).then(format!("{head}\r\n\r\n{text}"))
        }
        _ => reply(status, &answered),
    }
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, &[("content-type", "application/json")], body.to_string())
}

fn refusal(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"error": {"type": "invalid_request_error", "code": code, "message": "No."}}))
}

/// The same key gets the same answer, and another request with it gets none.
fn keyed(state: &mut State, request: &Received, body: &str) -> (u16, Value) {
    if request.header("authorization") != Some(format!("Bearer {KEY}").as_str()) {
        return refusal(401, "api_key_invalid");
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let Some(key) = request.header("idempotency-key").filter(|_| request.method == "POST") else {
        let query = request.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let fields: Fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        return handle(state, "GET", path, &fields);
    };
    let asked = format!("{path} {body}");
    match state.keys.get(key) {
        Some((before, status, answer)) if *before == asked => return (*status, answer.clone()),
        Some(_) => return refusal(400, "idempotency_key_in_use"),
        None => {}
    }
    let fields = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let (status, answer) = handle(state, "POST", path, &fields);
    state.keys.insert(key.to_owned(), (asked, status, answer.clone()));
    (status, answer)
}

fn handle(state: &mut State, method: &str, path: &str, fields: &Fields) -> (u16, Value) {
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match (method, parts.as_slice()) {
        ("POST", ["customers"]) => {
            if fields.get("email").is_some_and(|email| email.ends_with("@refused.example")) {
                return refusal(400, "email_invalid");
            }
            create(state, "cus", customer(fields))
        }
        ("POST", ["checkout", "sessions"]) => {
            let customer = state.objects.get(&fields["customer"]);
            if customer.is_none_or(|customer| customer["deleted"] == true) {
                return refusal(400, "resource_missing");
            }
            let next = state.next;
            create(state, "cs_test", session(fields, next))
        }
        ("POST", ["billing_portal", "sessions"]) => create(state, "bps", portal(fields)),
        ("POST", ["invoices"]) => {
            let customer = state.objects.get(&fields["customer"]);
            if customer.is_none_or(|customer| customer["deleted"] == true) {
                return refusal(400, "resource_missing");
            }
            let number = fields.get("number").cloned().unwrap_or_default();
            if state
                .objects
                .values()
                .any(|object| object["object"] == "invoice" && object["number"] == number)
            {
                return refusal(400, "invoice_number_in_use");
            }
            create(state, "in", invoice(fields))
        }
        ("GET", ["invoices"]) => {
            let is_theirs =
                |object: &&Value| object["object"] == "invoice" && object["customer"] == fields["customer"];
            let data: Vec<&Value> = state.objects.values().filter(is_theirs).collect();
            (200, json!({"object": "list", "data": data, "has_more": false, "url": "/v1/invoices"}))
        }
        ("POST", ["invoiceitems"]) => add_item(state, fields),
        ("GET", ["customers" | "invoices", id] | ["checkout", "sessions", id]) => found(state, id),
        ("POST", ["customers", id]) => {
            if fields.get("email").is_some_and(|email| email.ends_with("@refused.example")) {
                return refusal(400, "email_invalid");
            }
            let mut changed = json!({});
            if let Some(method) = fields.get("invoice_settings[default_payment_method]") {
                changed["invoice_settings"] = json!({"default_payment_method": method});
            }
            for field in ["name", "email"] {
                if let Some(text) = fields.get(field) {
                    changed[field] = if text.is_empty() { Value::Null } else { json!(text) };
                }
            }
            change(state, id, changed)
        }
        ("POST", ["invoices", id, "finalize"]) => {
            if state.objects.get(*id).is_none_or(|invoice| invoice["status"] != "draft") {
                return refusal(400, "invoice_not_editable");
            }
            let page = format!("https://invoice.stripe.example/i/{id}");
            change(state, id, json!({"status": "open", "auto_advance": true, "hosted_invoice_url": page}))
        }
        ("POST", ["invoices", id, "pay"]) => {
            if state.objects.get(*id).is_none_or(|invoice| invoice["status"] != "open") {
                return refusal(400, "invoice_payment_intent_requires_action");
            }
            let total = state.objects[*id]["total"].clone();
            change(
                state,
                id,
                json!({"status": "paid", "amount_paid_off_stripe": total, "amount_remaining": 0}),
            )
        }
        _ => refusal(404, "resource_missing"),
    }
}

fn create(state: &mut State, prefix: &str, mut object: Value) -> (u16, Value) {
    state.next += 1;
    let id = format!("{prefix}_{}", state.next);
    object["id"] = id.as_str().into();
    object["created"] = 1_700_000_000.into();
    object["livemode"] = false.into();
    state.objects.insert(id, object.clone());
    (200, object)
}

fn found(state: &State, id: &str) -> (u16, Value) {
    match state.objects.get(id) {
        Some(object) => (200, object.clone()),
        None => refusal(404, "resource_missing"),
    }
}

fn change(state: &mut State, id: &str, fields: Value) -> (u16, Value) {
    let Some(object) = state.objects.get_mut(id) else { return refusal(404, "resource_missing") };
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    (200, object.clone())
}

fn add_item(state: &mut State, fields: &Fields) -> (u16, Value) {
    let (id, amount) = (&fields["invoice"], fields["amount"].parse::<i64>().unwrap());
    let Some(invoice) = state.objects.get_mut(id).filter(|invoice| invoice["status"] == "draft") else {
        return refusal(400, "invoice_not_editable");
    };
    let total = invoice["total"].as_i64().unwrap() + amount;
    for field in ["total", "subtotal", "amount_due", "amount_remaining"] {
        invoice[field] = total.into();
    }
    let item = json!({
        "object": "invoiceitem", "amount": amount, "currency": fields["currency"], "customer": fields["customer"],
        "invoice": id, "description": fields["description"], "date": 1_700_000_000, "discountable": true,
        "period": {}, "proration": false, "quantity": 1, "quantity_decimal": "1",
    });
    create(state, "ii", item)
}
