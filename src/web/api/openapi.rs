//! The API described (OpenAPI 3.1), from the table of routes and the types of its handlers: what a
//! handler takes and answers is what the document says.

use crate::{
    policy::Needs,
    web::{
        access::Access,
        api::operation::{Sketch, is_counted},
        guard::{Answer, Public},
        problem::json::ProblemBody,
        route::Route,
        routes::api_table,
    },
};
use actix_web::{
    HttpResponse,
    http::{Method, header},
};
use std::{collections::BTreeMap, sync::LazyLock};
use utoipa::{
    ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi,
        OpenApiBuilder, Paths, Ref, Required, ResponseBuilder, Server,
        path::{HttpMethod, OperationBuilder},
        request_body::RequestBodyBuilder,
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

/// Where the document is.
pub const DOCUMENT: &str = "/openapi.json";

/// The document as it is served.
pub(in crate::web) static JSON: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());

pub async fn show(_: Public) -> Answer {
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .body(JSON.as_str()))
}

/// The whole API.
pub fn document() -> OpenApi {
    let (mut paths, mut schemas, mut tags) = (Paths::new(), BTreeMap::new(), Vec::new());
    let mut problem = Sketch::default();
    problem.answer::<ProblemBody>(400);
    schemas.extend(problem.schemas);
    for route in api_table() {
        let Some(mut sketch) = route.sketch() else { continue };
        let tag = tag(route.path);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        schemas.extend(std::mem::take(&mut sketch.schemas));
        if let Some(method) = method(&route.method) {
            paths.add_path_operation(route.path, vec![method], operation(&route, sketch, tag));
        }
    }
    let info = InfoBuilder::new()
        .title("Bailiwick")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
        ));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("header", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key"))));
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([Server::new("/")]))
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags.into_iter().map(|tag| TagBuilder::new().name(tag).build())))
        .build()
}

const ABOUT: &str = "JSON in and out, whatever the Content-Type of the request says, but for decisions (`/access/v1/`), which want `application/json`; with an API key, as `Authorization: Bearer …` or `x-api-key`. A request means the workspace that its path or `?workspace=` names, or else the one that the key is at home in. Times are milliseconds since 1970. What is refused is said as application/problem+json (RFC 9457). `HEAD` is answered as `GET`, without the body; any other method with 405.";

pub(in crate::web) fn method(method: &Method) -> Option<HttpMethod> {
    match method.as_str() {
        "GET" => Some(HttpMethod::Get),
        "POST" => Some(HttpMethod::Post),
        "PUT" => Some(HttpMethod::Put),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}

/// The noun that a path is about.
fn tag(path: &'static str) -> &'static str {
    let rest = path.strip_prefix("/api/sso/v1/").unwrap_or(path).trim_start_matches('/');
    let noun = rest.split('/').next().unwrap_or(rest);
    match noun {
        "access" | ".well-known" => "decisions",
        "apikeys" => "API keys",
        "openapi.json" => "this document",
        noun => noun,
    }
}

fn operation(route: &Route, sketch: Sketch, tag: &str) -> OperationBuilder {
    let words = route.path.trim_start_matches("/api/sso/v1/").replace(['{', '}', '.'], "");
    let words: Vec<&str> = words.split(['/', '-']).filter(|word| !word.is_empty()).collect();
    let id = format!("{}_{}", route.method.as_str().to_lowercase(), words.join("_"));
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .summary(Some(route.summary))
        .description(needs(route.access))
        .operation_id(Some(id));
    operation = match route.access {
        Access::Public | Access::SignedIn | Access::Account => {
            operation.securities(Some(Vec::<SecurityRequirement>::new()))
        }
        Access::Key | Access::Member(_) => operation.securities(Some(
            ["bearer", "header"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new())),
        )),
    };
    for parameter in sketch.parameters {
        operation = operation.parameter(parameter);
    }
    if let Some(body) = sketch.body {
        let content = ContentBuilder::new().schema(Some(body)).build();
        let body = RequestBodyBuilder::new().content("application/json", content);
        operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
    }
    for (status, schema) in sketch.answers {
        let mut response = ResponseBuilder::new().description(meaning(status));
        if let Some(schema) = schema {
            response =
                response.content("application/json", ContentBuilder::new().schema(Some(schema)).build());
        }
        if sketch.is_tagged {
            response = response.header("ETag", text_header("The version, for If-Match."));
        }
        if is_counted(route.path) {
            for (name, about) in [
                ("RateLimit-Policy", "How many calls there are in how many seconds."),
                ("RateLimit", "How many are left, and when they start anew."),
            ] {
                response = response.header(name, text_header(about));
            }
        }
        operation = operation.response(status.to_string(), response);
    }
    for status in sketch.refusals {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
        let mut response = ResponseBuilder::new().description(meaning(status));
        response = response.content("application/problem+json", content);
        if matches!(status, 429 | 503) {
            response = response.header("Retry-After", text_header("When to come back, in seconds."));
        }
        operation = operation.response(status.to_string(), response);
    }
    operation
}

fn text_header(about: &str) -> utoipa::openapi::Header {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(about)).build()
}

/// Who may, in a sentence.
fn needs(access: Access) -> Option<String> {
    let permissions = |needs: Needs| {
        let labels = needs.permissions().into_iter().map(|p| format!("“{}” (`{}`)", p.label(), p.scope()));
        labels.collect::<Vec<_>>().join(" or ")
    };
    match access {
        Access::Public => Some("Needs no key.".to_owned()),
        Access::SignedIn | Access::Account => None,
        Access::Key => Some("Needs a live key.".to_owned()),
        Access::Member(Needs::Membership) => Some("Needs a membership in the workspace.".to_owned()),
        Access::Member(needs) => Some(format!("Needs the permission {}.", permissions(needs))),
    }
}

/// What a status means, wherever it comes.
fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Here it is.",
        201 => "It was made.",
        204 => "It was done.",
        400 => "The request can't be read.",
        401 => "No live API key came with it.",
        403 => "The key may not do this; or it, the workspace or the membership is suspended.",
        404 => "There is no such thing in the workspace, or no such workspace for this key.",
        408 => "The body took too long to arrive.",
        409 => "A rule of the whole workspace stands against it, or it was done before.",
        410 => "It is over.",
        411 => "The body has no Content-Length.",
        412 => "It was changed since that ETag.",
        413 => "The body is too large.",
        422 => "Something that was sent is not valid: “errors” names the fields.",
        429 => "Too many calls in this minute.",
        503 => "Too busy, or the database does not answer.",
        _ => "Something else.",
    }
}
