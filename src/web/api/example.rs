//! Examples in the document, put together from the schemas. What a text or a number of a field is comes from one
//! table, by the name of the field; a test names a field that the table forgets.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The id of everything in examples.
const ID: &str = "019b76da-a800-7c3e-9f20-5a1d4c6b8e02";

/// The moment of everything in examples, in milliseconds since 1970: 2026-01-01.
const MOMENT: i64 = 1_767_225_600_000;

/// How much of an object an example shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of it.
    All,
    /// What must be there; where nothing must, the first that may.
    Required,
}

/// Puts examples together.
pub(super) struct Examples<'a> {
    /// All schemas of the document, by name.
    pub schemas: &'a BTreeMap<String, Value>,
    pub shown: Shown,
}

impl Examples<'_> {
    /// An example of this schema.
    pub(super) fn of(&self, schema: &Value) -> Value {
        self.at("", "", schema)
    }

    /// `owner` is the schema that has the field.
    fn at(&self, owner: &str, field: &str, schema: &Value) -> Value {
        if let Some(example) = schema.get("example").or_else(|| list(&schema["examples"]).next()) {
            return example.clone();
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
            return self.schemas.get(name).map_or(Value::Null, |schema| self.at(name, field, schema));
        }
        let mut choices = list(&schema["enum"]).chain(list(&schema["anyOf"])).chain(list(&schema["oneOf"]));
        if let Some(first) = choices.find(|one| !one.is_null() && one["type"] != "null") {
            return if schema["enum"].is_array() { first.clone() } else { self.at(owner, field, first) };
        }
        match kind(schema) {
            "array" => json!([self.at(owner, field, &schema["items"])]),
            "boolean" => json!(TRUE.contains(&field)),
            "integer" | "number" => json!(number(field)),
            "string" if schema["format"] == "uuid" => json!(ID),
            "string" => json!(text(owner, field).unwrap_or_default()),
            _ => self.object(owner, field, schema),
        }
    }

    fn object(&self, owner: &str, field: &str, schema: &Value) -> Value {
        let mut whole = Map::new();
        for part in list(&schema["allOf"]) {
            if let Value::Object(part) = self.at(owner, field, part) {
                whole.extend(part);
            }
        }
        let Some(properties) = schema["properties"].as_object() else {
            return if whole.is_empty() { free(field) } else { Value::Object(whole) };
        };
        let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
        let first = properties.keys().next().filter(|_| required.is_empty());
        let is_shown = |name: &String| {
            self.shown == Shown::All || required.contains(&name.as_str()) || first == Some(name)
        };
        let fields = properties.iter().filter(|(name, _)| is_shown(name));
        whole.extend(fields.map(|(name, field)| (name.clone(), self.at(owner, name, field))));
        Value::Object(whole)
    }
}

/// An example of a parameter; `None` where it would mean nothing.
pub(super) fn of_parameter(name: &str, schema: &Value) -> Option<Value> {
    if schema["enum"].is_array() || schema["format"] == "uuid" {
        return Some(Examples { schemas: &BTreeMap::new(), shown: Shown::All }.of(schema));
    }
    let text = match name {
        "workspace" => "acme",
        "role" | "replacement" => "developer",
        "q" => "ada",
        "type" => "record",
        "id" => "42",
        "confirm" => "acme",
        "If-Match" => "\"5f1d7a90c2b84e36\"",
        "Prefer" => "return=minimal",
        "Idempotency-Key" => "3b0e9d52-8f5c-4a57-9d57-2f1b4c1f6a11",
        _ => return None,
    };
    Some(json!(text))
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

/// The type of a schema; of several, the first, which is not null.
fn kind(schema: &Value) -> &str {
    let all = &schema["type"];
    all.as_str()
        .or_else(|| list(all).filter_map(Value::as_str).find(|kind| *kind != "null"))
        .unwrap_or_default()
}

/// Fields that are true in examples.
const TRUE: [&str; 8] = [
    "allows_requests",
    "decision",
    "is_change",
    "is_home",
    "is_immediate",
    "is_lead",
    "is_restricted",
    "lead",
];

fn number(field: &str) -> i64 {
    match field {
        "at" | "joined_at" | "created_at" | "sent_at" | "expires_at" | "ended_at" | "last_active_at"
        | "last_used_at" | "last_error_at" | "ends_at" | "overlap_ends_at" | "paused_at" | "stopped_at"
        | "failing_since" | "last_success_at" | "secret_created_at" | "old_secret_ends_at" | "queued_at"
        | "due_at" | "last_attempt_at" | "attempted_at" | "answered_at" | "starts_at" | "month_starts_at"
        | "issued_at" | "paid_at" | "requested_at" | "decided_at" | "from" | "until" | "access_until"
        | "given_until" => MOMENT,
        "iat" | "exp" => MOMENT / 1_000,
        "overlap_seconds" => 3_600,
        "owner_idle_hours" => 24,
        "requests_per_minute" => 600,
        "keep_previous_seconds" => 86_400,
        "status" => 422,
        "last_status" | "response_status" => 503,
        "duration_ms" => 120,
        "expires_in" => 600,
        "limit" => 50,
        "seat_price" => 920,
        "price" | "approve_above" => 1_000,
        "days" => 365,
        "monthly" | "total" | "month_total" | "month_before" | "month_after" => 2_760,
        _ => 3,
    }
}

/// An object that may hold anything.
fn free(field: &str) -> Value {
    match field {
        "context" => {
            json!({"reason": "granted", "scope": "read:record", "role": "viewer", "grant": "read:*"})
        }
        "details" => json!({"roles": ["Viewer"]}),
        "results" => json!({"type": "user", "id": ID}),
        _ => json!({}),
    }
}

/// What a text of a field is, such as the name of a member; `None` for a field that nobody has described.
fn text(owner: &str, field: &str) -> Option<&'static str> {
    let of_owner = match (owner, field) {
        ("Problem", "type") => "about:blank",
        ("Problem", "title") => "Some fields aren't valid",
        ("Problem", "detail") => "Nothing was changed.",
        ("FieldError", "detail") => "Enter a name.",
        ("EventBody", "kind") => "member.suspended",
        ("EventBody", "address") => "203.0.113.7",
        ("TargetBody", "kind") => "member",
        ("TargetBody", "name") => "Grace Hopper",
        ("TargetBody", "email") => "grace@example.com",
        ("AllowedOriginsBody" | "NewAllowedOrigins", _) => "https://app.example.com",
        ("ActionOfDecision" | "ActionOfBatch", "name") => "read",
        ("SubjectOfDecision" | "SubjectType", "type") => "user",
        ("SubjectOfDecision" | "OwnerBody", "id") => "alice",
        (
            "Claims" | "KeyBody" | "OwnKey" | "NewKey" | "IssuedKey" | "KeyChange" | "KeyChanged"
            | "AddableKeyBody",
            "name",
        ) => "Deploy bot",
        ("RoleBody" | "RoleDetailBody" | "RoleDefinition" | "NewRole" | "RoleChange", "name") => {
            "Incident lead"
        }
        ("RoleBody" | "RoleDetailBody" | "RoleDefinition" | "NewRole", "slug") => "incident-lead",
        ("RoleBody" | "RoleDefinition" | "NewRole" | "RoleChange", "description") => "Leads incidents",
        ("TeamBody" | "NewTeam" | "TeamChange" | "TeamMembershipBody", "name") => "Platform",
        ("TeamBody" | "NewTeam" | "TeamChange", "description") => "Runs what the others build on",
        (
            "WorkspaceBody" | "WorkspaceDetailBody" | "WorkspaceSummary" | "NewWorkspace" | "WorkspaceChange",
            "name",
        ) => "Acme",
        ("ResourceBody" | "NewResource", "name") => "Quarterly report",
        ("PermissionBody", "description") => "See who is a member, and what roles they have.",
        ("EventEndpointBody" | "NewEventSettings", "path") => "/webhooks/bailiwick",
        ("EventEndpointBody", "accountable") => "Ada Lovelace",
        ("SavedEventsBody", "secret") => "whsec_SECRET",
        ("OffboardingBody", "roles") => "Viewer",
        ("SecretToFind", "secret") => "9f3a",
        ("JoinLinkBody" | "NewJoinLink" | "NewJoinLinkBody", "name") => "Summer interns",
        ("NewJoinLinkBody", "link") => "https://access.example.com/join-links/TOKEN",
        ("JoinDomainBody" | "NewJoinDomain", "role") => "viewer",
        ("JoinDomainBody", "record_name") => "_bailiwick.example.com",
        ("JoinDomainBody", "record_text") => "bailiwick-verification=TOKEN",
        ("JoinDomainBody", "answers_for_it") => "Ada Lovelace (ada@example.com)",
        ("RevokedKeys", "names") => "Deploy bot",
        ("DeliveryBody" | "DeliveryDetailBody", "kind") => "member.suspended",
        ("DeliveryBody" | "DeliveryDetailBody", "last_error") | ("AttemptBody", "error") => {
            "It answered 503."
        }
        ("AttemptBody", "response_body") => "try again later",
        ("DestinationBody" | "NewDestination" | "DestinationChange", "description") => "Receives our events",
        ("NewCreditHold" | "NewCreditUse" | "CreditSettlement" | "CreditRelease", "id") => "invoice-7",
        ("SupportAnswerBody", "text") => "This is repaired. Please try again.",
        ("Plan", "slug") => "team",
        ("Plan" | "InvoiceItem", "name") => "Team",
        ("Plan", "description") => "For each person, with 5,000 credits a month.",
        ("Invoice", "number") => "INV-000042",
        ("CreditPack", "slug") => "small",
        ("CreditPack" | "CreditPurchase", "name") => "1,000 credits",
        ("CreditPurchase", "client_id") => "job-17",
        ("CreditPurchase" | "PurchaseCeiling", "role") => "billing",
        ("AccessAcceptance", "role") => "admin",
        _ => return of_field(field),
    };
    Some(of_owner)
}

fn of_field(field: &str) -> Option<&'static str> {
    Some(match field {
        "name" | "maker" | "created_by" | "inviter" | "leads" => "Ada Lovelace",
        "current_name" => "Ada King",
        "email" | "emails" | "inviter_email" => "ada@example.com",
        "current_email" => "ada.king@example.com",
        "delivery_error" => "550 5.1.1 Recipient address rejected: User unknown",
        "slug" => "acme",
        "domain" | "domains" => "example.com",
        "account" => "Acme",
        "roles" | "own_roles" => "viewer",
        "teams" => "Platform",
        "role" => "developer",
        "scopes" | "effective_scopes" => "read:incidents",
        "permission" | "permissions" => "read:members",
        "label" => "View members",
        "group" => "Organization & Teams",
        "api_key" => "SECRET",
        "hint" => "x7Qa",
        "sub" => concat!("api_key:", "019b76da-a800-7c3e-9f20-5a1d4c6b8e02"),
        "token_type" => "access",
        "type" => "record",
        "id" => "42",
        "external_id" => "employee-7",
        "message" => "Welcome!",
        "link" => "https://access.example.com/invitations/TOKEN",
        "host" => "api.example.com",
        "api_key_name" => "Deploy bot",
        "method" => "GET",
        "path" => "/v1/things",
        "display_host" => "api.example.com",
        "header_name" | "credential_header" => "authorization",
        "value" => "Bearer SECRET",
        "plan" => "team",
        "pack" => "small",
        "plan_name" => "Team",
        "currency" => "EUR",
        "contact" => "billing@example.com",
        "address" | "customer" => "Example Ltd\n1 Example Street",
        "seller" => "Example Hosting Ltd",
        "tax_number" => "XX123456789",
        "payment_reference" => "Statement 12, line 3",
        "payment_page" => "https://payments.example.com/invoices/7",
        "last_error" => "The host did not answer in time.",
        "via" => "api",
        "client_id" => "invoice-7",
        "note" => "Invoice 7",
        "wanted" => "read:audit",
        "reason" => "I'm on call this week",
        "answer" => "Ask again next week",
        "given_role" => "admin",
        "asked_by" => "Ada Lovelace",
        "answered_by" => "Grace Hopper",
        "expected" => "The list of members",
        "happened" => "A page that says that something went wrong",
        "when" => "This morning, around 9:00",
        "request_id" => "8f14e45f-ceea-467f-a9c0-5b1d4c6b8e02",
        "user_agent" => "curl/8.14",
        "field" => "name",
        // A page that is not the last: its items go on after this one.
        "next" | "next_token" | "token" => "5b7b2274223a22616461227d5d",
        _ => return None,
    })
}

/// Fields of the document that are texts without an example.
#[cfg(test)]
pub(in crate::web) fn forgotten(schemas: &Value) -> Vec<String> {
    let mut forgotten = Vec::new();
    for (owner, schema) in schemas.as_object().into_iter().flatten() {
        let parts = std::iter::once(schema).chain(list(&schema["allOf"]));
        for (field, schema) in parts.filter_map(|part| part["properties"].as_object()).flatten() {
            let item = if kind(schema) == "array" { &schema["items"] } else { schema };
            let is_made_up =
                item["enum"].is_array() || item["format"] == "uuid" || item.get("example").is_some();
            if kind(item) == "string" && !is_made_up && text(owner, field).is_none() {
                forgotten.push(format!("{owner}.{field}"));
            }
        }
    }
    forgotten
}
