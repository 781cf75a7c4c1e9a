//! The API described (OpenAPI 3.1), from its operations: what a handler takes and answers is what the document
//! says.

use crate::{
    policy::Needs,
    web::{access::Requirement, api::operation::Operation, problem::json::ProblemBody},
};
use actix_web::http::Method;
use std::collections::BTreeMap;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi,
        OpenApiBuilder, Paths, Ref, Required, ResponseBuilder, Server,
        extensions::ExtensionsBuilder,
        path::{HttpMethod, OperationBuilder},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

/// The mark of a body whose `Content-Type` must be `application/json`.
pub(in crate::web) const NEEDS_CONTENT_TYPE: &str = "x-needs-content-type";

/// The whole API.
pub(in crate::web) fn document(operations: impl IntoIterator<Item = Operation>) -> OpenApi {
    let (mut paths, mut tags) = (Paths::new(), Vec::new());
    let mut problem = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut problem);
    let mut schemas = BTreeMap::from_iter(problem);
    for mut operation in operations {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        schemas.extend(std::mem::take(&mut operation.schemas));
        if let Some(method) = method(&operation.method) {
            paths.add_path_operation(operation.path, vec![method], described(operation));
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

fn method(method: &Method) -> Option<HttpMethod> {
    match method.as_str() {
        "GET" => Some(HttpMethod::Get),
        "POST" => Some(HttpMethod::Post),
        "PUT" => Some(HttpMethod::Put),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}

fn described(of: Operation) -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .tag(of.tag)
        .summary(Some(of.summary))
        .description(needs(of.requirement))
        .operation_id(Some(of.id))
        .securities(Some(securities(of.requirement)))
        .request_body(body(&of));
    for (status, schema) in of.answers {
        let mut response = ResponseBuilder::new().description(meaning(status));
        if let Some(schema) = schema {
            response =
                response.content("application/json", ContentBuilder::new().schema(Some(schema)).build());
        }
        if of.is_tagged {
            response = response.header("ETag", text_header("The version, for If-Match."));
        }
        if of.facts.rate_limit.is_some() {
            for (name, about) in [
                ("RateLimit-Policy", "How many calls there are in how many seconds."),
                ("RateLimit", "How many are left, and when they start anew."),
            ] {
                response = response.header(name, text_header(about));
            }
        }
        operation = operation.response(status.to_string(), response);
    }
    for parameter in of.parameters {
        operation = operation.parameter(parameter);
    }
    of.refusals
        .into_iter()
        .fold(operation, |operation, status| operation.response(status.to_string(), refusal(status)))
}

/// Any one of these ways to show a key; none where no key is needed.
fn securities(requirement: Requirement) -> Vec<SecurityRequirement> {
    match requirement {
        Requirement::Public | Requirement::SignedIn | Requirement::Account => Vec::new(),
        Requirement::Key | Requirement::Member(_) => {
            ["bearer", "header"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new())).into()
        }
    }
}

fn body(of: &Operation) -> Option<RequestBody> {
    let content = ContentBuilder::new().schema(Some(of.body.clone()?)).example(of.example.clone());
    let mut body = RequestBodyBuilder::new().content("application/json", content.build());
    if of.needs_content_type {
        body = body.extensions(Some(ExtensionsBuilder::new().add(NEEDS_CONTENT_TYPE, true).build()));
    }
    Some(body.required(Some(Required::True)).build())
}

fn refusal(status: u16) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
    let response = ResponseBuilder::new().description(meaning(status));
    let response = response.content("application/problem+json", content);
    match status {
        429 | 503 => response.header("Retry-After", text_header("When to come back, in seconds.")),
        _ => response,
    }
}

fn text_header(about: &str) -> utoipa::openapi::Header {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(about)).build()
}

/// Who may, in a sentence.
fn needs(requirement: Requirement) -> Option<String> {
    let permissions = |needs: Needs| {
        let labels = needs.permissions().into_iter().map(|p| format!("“{}” (`{}`)", p.label(), p.scope()));
        labels.collect::<Vec<_>>().join(" or ")
    };
    match requirement {
        Requirement::Public => Some("Needs no key.".to_owned()),
        Requirement::SignedIn | Requirement::Account => None,
        Requirement::Key => Some("Needs a live key.".to_owned()),
        Requirement::Member(Needs::Membership) => Some("Needs a membership in the workspace.".to_owned()),
        Requirement::Member(needs) => Some(format!("Needs the permission {}.", permissions(needs))),
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
