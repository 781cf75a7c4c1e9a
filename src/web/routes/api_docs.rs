//! The document of the API as a page: every operation with what it takes, what it answers, and a command
//! to try it with.

use crate::web::{
    api::openapi,
    chrome::{Chrome, render},
    guard::{Answer, Public},
};
use actix_web::http::StatusCode;
use askama::Template;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&openapi::JSON).unwrap_or_default());

#[derive(Template)]
#[template(path = "docs/api.html")]
struct Page {
    chrome: Chrome,
    about: Vec<String>,
    /// Where the discovery document of AuthZEN is.
    discovery: String,
    groups: Vec<Group>,
}

/// The operations about one noun.
struct Group {
    name: String,
    id: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    needs: String,
    parameters: Vec<Field>,
    body: Vec<Field>,
    answers: Vec<Answered>,
    curl: String,
}

/// A parameter, or a field of a body or an answer.
struct Field {
    /// Of a field within another with the way to it: `subject.type`, `items[].id`.
    name: String,
    /// `path`, `query`, `header`; empty for a field of a body.
    place: String,
    kind: String,
    is_required: bool,
    about: String,
}

struct Answered {
    status: String,
    meaning: String,
    /// Of the body; empty where there is none, or it is a problem's.
    fields: Vec<Field>,
}

pub async fn show(cx: Public) -> Answer {
    let origin = &cx.view.app.settings.origin;
    let page = Page {
        chrome: Chrome::default(),
        about: text(&DOCUMENT["info"], "description")
            .replace('`', "")
            .split(". ")
            .map(str::to_owned)
            .collect(),
        discovery: format!("{origin}/.well-known/authzen-configuration"),
        groups: groups(&DOCUMENT, origin),
    };
    Ok(render(&cx.view.req, StatusCode::OK, &page))
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn object(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.as_object().into_iter().flat_map(Map::iter)
}

fn groups(document: &Value, origin: &str) -> Vec<Group> {
    let group = |tag: &Value| {
        let name = text(tag, "name").to_owned();
        let all = object(&document["paths"]).flat_map(|(path, item)| {
            object(item).map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        });
        let of_tag =
            all.filter(|(_, _, operation)| list(&operation["tags"]).any(|tag| *tag == name.as_str()));
        let operations = of_tag.map(|(path, method, told)| operation(path, method, told, origin)).collect();
        let id = format!("about-{}", name.to_lowercase().replace(' ', "-"));
        let spaced = name.replace('-', " ");
        let mut letters = spaced.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        Group { id, name: first.into_iter().chain(letters).collect(), operations }
    };
    list(&document["tags"]).map(group).collect()
}

fn operation(path: &str, method: &str, told: &Value, origin: &str) -> Operation {
    let parameter = |parameter: &Value| Field {
        name: text(parameter, "name").to_owned(),
        place: text(parameter, "in").to_owned(),
        kind: kind(&parameter["schema"]),
        is_required: parameter["required"] == true,
        about: text(parameter, "description").replace('`', ""),
    };
    let body = &told["requestBody"]["content"]["application/json"]["schema"];
    let answered = |(status, answer): (&String, &Value)| {
        let schema = &answer["content"]["application/json"]["schema"];
        Answered {
            status: status.clone(),
            meaning: text(answer, "description").to_owned(),
            fields: fields("", schema),
        }
    };
    Operation {
        id: text(told, "operationId").to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(told, "summary").to_owned(),
        needs: text(told, "description").replace('`', ""),
        parameters: list(&told["parameters"]).map(parameter).collect(),
        body: fields("", body),
        answers: object(&told["responses"]).map(answered).collect(),
        curl: curl(path, method, told, body, origin),
    }
}

/// The schema that this refers to, or itself; of some, the first that is not null.
fn resolved(schema: &Value) -> &Value {
    let mut some = list(&schema["anyOf"]).chain(list(&schema["oneOf"]));
    if let Some(first) = some.find(|one| one["type"] != "null") {
        return resolved(first);
    }
    match schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        Some(name) => &DOCUMENT["components"]["schemas"][name],
        None => schema,
    }
}

/// The fields of a body, those too that it takes over from another. Of one that has fields itself,
/// these: `way` is how one gets there.
fn fields(way: &str, schema: &Value) -> Vec<Field> {
    let schema = resolved(schema);
    let inherited = list(&schema["allOf"]).flat_map(|other| fields(way, other));
    let own = object(&schema["properties"]).flat_map(|(name, field)| {
        let is_required = list(&schema["required"]).any(|required| required == name);
        let name = format!("{way}{name}");
        let whole = resolved(field);
        let within = match whole["type"] == "array" {
            true => fields(&format!("{name}[]."), &whole["items"]),
            false => fields(&format!("{name}."), whole),
        };
        if !within.is_empty() {
            // What need not be there, needs nothing in it.
            return within
                .into_iter()
                .map(|field| Field { is_required: field.is_required && is_required, ..field })
                .collect();
        }
        let about = text(field, "description").replace('`', "");
        vec![Field { name, place: String::new(), kind: kind(field), is_required, about }]
    });
    inherited.chain(own).collect()
}

/// What a value is, in words.
fn kind(schema: &Value) -> String {
    let schema = resolved(schema);
    let choices: Vec<&str> = list(&schema["enum"]).filter_map(Value::as_str).collect();
    if (1..=6).contains(&choices.len()) {
        return format!("one of {}", choices.join(", "));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        some => list(some).filter_map(Value::as_str).collect(),
    };
    let word = |kind: &&str| match *kind {
        "string" if schema["format"] == "uuid" => "an id".to_owned(),
        "string" => match schema["maxLength"].as_u64() {
            Some(most) => format!("a text of at most {most} characters"),
            None => "a text".to_owned(),
        },
        "integer" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match schema["maxItems"].as_u64() {
            Some(most) => format!("a list of at most {most}: each {}", kind_of_items(schema)),
            None => format!("a list: each {}", kind_of_items(schema)),
        },
        "null" => "null".to_owned(),
        _ => "an object".to_owned(),
    };
    types.iter().map(word).collect::<Vec<_>>().join(", or ")
}

fn kind_of_items(schema: &Value) -> String {
    kind(&schema["items"])
}

/// A command that does it, with values to replace.
fn curl(path: &str, method: &str, told: &Value, body: &Value, origin: &str) -> String {
    let part = |part: &str| match part.strip_prefix('{') {
        Some(name) => name.trim_end_matches('}').to_uppercase(),
        None => part.to_owned(),
    };
    let address: Vec<String> = path.split('/').map(part).collect();
    let address = address.join("/");
    let mut query: Vec<String> = list(&told["parameters"])
        .filter(|parameter| parameter["in"] == "query" && parameter["required"] == true)
        .map(|parameter| text(parameter, "name"))
        .map(|name| format!("{name}={}", name.to_uppercase()))
        .collect();
    query.sort();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut command = match method {
        "get" => "curl".to_owned(),
        other => format!("curl -X {}", other.to_uppercase()),
    };
    command.push_str(&format!(" \"{origin}{address}{query}\""));
    if list(&told["security"]).next().is_some() {
        command.push_str(" -H \"Authorization: Bearer TOKEN\"");
    }
    if path.starts_with("/access/") {
        command.push_str(" -H \"Content-Type: application/json\"");
    }
    if !body.is_null() {
        let body = question(path).unwrap_or_else(|| example("", body));
        command.push_str(&format!(" -d '{body}'"));
    }
    command
}

/// The body of a question, which made-up values would make no sense of.
fn question(path: &str) -> Option<Value> {
    let who = json!({"type": "user", "id": "alice"});
    let what = json!({"name": "read"});
    let (to, some) = (json!({"type": "record", "id": "42"}), json!({"type": "record"}));
    Some(match path.strip_prefix("/access/v1/")? {
        "evaluation" => json!({"subject": who, "action": what, "resource": to}),
        "evaluations" => json!({
            "subject": who,
            "resource": to,
            "evaluations": [{"action": what}, {"action": {"name": "write"}}],
        }),
        "search/subject" => json!({"subject": {"type": "user"}, "action": what, "resource": to}),
        "search/resource" => json!({"subject": who, "action": what, "resource": some}),
        "search/action" => json!({"subject": who, "resource": to}),
        _ => return None,
    })
}

/// A value of this kind, with what must be there and no more.
fn example(name: &str, schema: &Value) -> Value {
    let schema = resolved(schema);
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(some) => some.first().cloned().unwrap_or_default(),
        one => one.clone(),
    };
    match kind.as_str().unwrap_or("object") {
        "array" => json!([example(name, &schema["items"])]),
        "boolean" => json!(true),
        "integer" => json!(0),
        "string" => json!(match name {
            "roles" => "viewer",
            "emails" | "email" => "someone@example.com",
            "scopes" => "read:posts",
            "slug" => "my-team",
            "name" => "My team",
            "api_key" => "SECRET",
            "description" => "What it is for",
            "external_id" => "somebody-7",
            "type" => "record",
            _ => "ID",
        }),
        _ => {
            // Where nothing must be there, the first of what may.
            let mut told: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
            if told.is_empty() {
                told.extend(object(&schema["properties"]).next().map(|(name, _)| name.as_str()));
            }
            let properties = object(&schema["properties"]);
            let told = properties.filter(|(name, _)| told.contains(&name.as_str()));
            Value::Object(told.map(|(name, field)| (name.clone(), example(name, field))).collect())
        }
    }
}
