//! The documentation page of the API: every operation with its parameters, its responses, and a command to
//! try it with.

use crate::web::{
    api::openapi::NEEDS_CONTENT_TYPE,
    assets::{brotli, takes_brotli},
    chrome::{BROTLI_QUALITY, Chrome},
    guard::{HandlerResult, Public},
};
use actix_web::{HttpResponse, http::header};
use askama::Template;
use serde_json::{Map, Value};

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
    responses: Vec<ResponseDoc>,
    curl: String,
}

/// A parameter, or a field of a request body or a response.
struct Field {
    /// Of a field within another with the way to it: `subject.type`, `items[].id`.
    name: String,
    /// `path`, `query`, `header`; empty for a field of a body.
    place: String,
    kind: String,
    is_required: bool,
    about: String,
}

struct ResponseDoc {
    status: String,
    meaning: String,
    /// Of the body; empty where there is none, or it is a problem's.
    fields: Vec<Field>,
}

/// The document itself.
pub async fn document(cx: Public) -> HandlerResult {
    let document = &cx.view.app.routes.document;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"));
    if !takes_brotli(&cx.view.req) {
        return Ok(response.body(document.json.clone()));
    }
    let compressed = || brotli(&document.json, BROTLI_QUALITY).into();
    response.insert_header((header::CONTENT_ENCODING, "br")).insert_header((header::VARY, "Accept-Encoding"));
    Ok(response.body(document.brotli.get_or_init(compressed).clone()))
}

pub async fn show(cx: Public) -> HandlerResult {
    let app = &cx.view.app;
    let document = Document { whole: &app.routes.document.value, origin: &app.settings.origin };
    let about = text(&document.whole["info"], "description").replace('`', "");
    let (view, chrome) = cx.framed().await?;
    let page = Page {
        chrome,
        about: about.split(". ").map(str::to_owned).collect(),
        discovery: format!("{}/.well-known/authzen-configuration", document.origin),
        groups: document.groups(),
    };
    Ok(view.html(&page))
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

/// The document, as it is read to be shown.
#[derive(Clone, Copy)]
struct Document<'a> {
    whole: &'a Value,
    /// Scheme, host and port of this installation.
    origin: &'a str,
}

impl<'a> Document<'a> {
    fn groups(self) -> Vec<Group> {
        let group = |tag: &Value| {
            let name = text(tag, "name").to_owned();
            let all = object(&self.whole["paths"]).flat_map(|(path, item)| {
                object(item).map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
            });
            let of_tag =
                all.filter(|(_, _, operation)| list(&operation["tags"]).any(|tag| *tag == name.as_str()));
            let operations =
                of_tag.map(|(path, method, described)| self.operation(path, method, described)).collect();
            let id = format!("about-{}", name.to_lowercase().replace(' ', "-"));
            let spaced = name.replace('-', " ");
            let mut letters = spaced.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            Group { id, name: first.into_iter().chain(letters).collect(), operations }
        };
        list(&self.whole["tags"]).map(group).collect()
    }

    fn operation(self, path: &str, method: &str, described: &Value) -> Operation {
        let parameter = |parameter: &Value| Field {
            name: text(parameter, "name").to_owned(),
            place: text(parameter, "in").to_owned(),
            kind: self.kind(&parameter["schema"]),
            is_required: parameter["required"] == true,
            about: text(parameter, "description").replace('`', ""),
        };
        let body = &described["requestBody"]["content"]["application/json"]["schema"];
        let answered = |(status, answer): (&String, &Value)| {
            let schema = &answer["content"]["application/json"]["schema"];
            ResponseDoc {
                status: status.clone(),
                meaning: text(answer, "description").to_owned(),
                fields: self.fields("", schema),
            }
        };
        Operation {
            id: text(described, "operationId").to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(described, "summary").to_owned(),
            needs: text(described, "description").replace('`', ""),
            parameters: list(&described["parameters"]).map(parameter).collect(),
            body: self.fields("", body),
            responses: object(&described["responses"]).map(answered).collect(),
            curl: self.curl(path, method, described),
        }
    }

    /// The schema that this refers to, or itself; of several, the first that is not null.
    fn resolved(self, schema: &'a Value) -> &'a Value {
        let mut some = list(&schema["anyOf"]).chain(list(&schema["oneOf"]));
        if let Some(first) = some.find(|one| one["type"] != "null") {
            return self.resolved(first);
        }
        match schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
            Some(name) => &self.whole["components"]["schemas"][name],
            None => schema,
        }
    }

    /// The fields of a body, those too that it takes over from another. Of one that has fields itself,
    /// these: `way` is how one gets there.
    fn fields(self, way: &str, schema: &'a Value) -> Vec<Field> {
        let schema = self.resolved(schema);
        let inherited = list(&schema["allOf"]).flat_map(|other| self.fields(way, other));
        let own = object(&schema["properties"]).flat_map(|(name, field)| {
            let is_required = list(&schema["required"]).any(|required| required == name);
            let name = format!("{way}{name}");
            let whole = self.resolved(field);
            let within = match whole["type"] == "array" {
                true => self.fields(&format!("{name}[]."), &whole["items"]),
                false => self.fields(&format!("{name}."), whole),
            };
            if !within.is_empty() {
                // What need not be there, needs nothing in it.
                return within
                    .into_iter()
                    .map(|field| Field { is_required: field.is_required && is_required, ..field })
                    .collect();
            }
            let about = [field, whole].map(|schema| text(schema, "description"));
            let about =
                about.into_iter().find(|about| !about.is_empty()).unwrap_or_default().replace('`', "");
            vec![Field { name, place: String::new(), kind: self.kind(field), is_required, about }]
        });
        inherited.chain(own).collect()
    }

    /// The type of a value, in words.
    fn kind(self, schema: &'a Value) -> String {
        let schema = self.resolved(schema);
        let choices: Vec<&str> = list(&schema["enum"]).filter_map(Value::as_str).collect();
        if (1..=6).contains(&choices.len()) {
            return format!("one of {}", choices.join(", "));
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            some => list(some).filter_map(Value::as_str).collect(),
        };
        let item = || self.kind(&schema["items"]);
        let word = |kind: &&str| match *kind {
            "string" if schema["format"] == "uuid" => "an ID".to_owned(),
            "string" => match schema["maxLength"].as_u64() {
                Some(max) => format!("a string of at most {max} characters"),
                None => "a string".to_owned(),
            },
            "integer" => "a number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => match schema["maxItems"].as_u64() {
                Some(max) => format!("a list of at most {max}, each {}", item()),
                None => format!("a list, each {}", item()),
            },
            "null" => "null".to_owned(),
            _ => "an object".to_owned(),
        };
        types.iter().map(word).collect::<Vec<_>>().join(" or ")
    }

    /// A command that does it, with values to replace.
    fn curl(self, path: &str, method: &str, described: &'a Value) -> String {
        let part = |part: &str| match part.strip_prefix('{') {
            Some(name) => name.trim_end_matches('}').to_uppercase(),
            None => part.to_owned(),
        };
        let address: Vec<String> = path.split('/').map(part).collect();
        let address = address.join("/");
        let mut query: Vec<String> = list(&described["parameters"])
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
        command.push_str(&format!(" \"{}{address}{query}\"", self.origin));
        if list(&described["security"]).next().is_some() {
            command.push_str(" -H \"Authorization: Bearer TOKEN\"");
        }
        let body = &described["requestBody"];
        if body[NEEDS_CONTENT_TYPE] == true {
            command.push_str(" -H \"Content-Type: application/json\"");
        }
        let content = &body["content"]["application/json"];
        if !content.is_null() {
            command.push_str(&format!(" -d '{}'", content["example"]));
        }
        command
    }
}
