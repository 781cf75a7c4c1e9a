//! The OpenAPI document, built from the operations: it describes what a handler takes and returns.

use crate::{
    policy::Needs,
    web::{
        access::Requirement,
        api::{
            example::{Examples, Shown, of_parameter},
            operation::Operation,
        },
        problem::json::ProblemBody,
    },
};
use actix_web::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi,
        OpenApiBuilder, Paths, Ref, Required, ResponseBuilder, Server,
        extensions::ExtensionsBuilder,
        path::{HttpMethod, OperationBuilder, ParameterBuilder},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

/// The mark of a body whose `Content-Type` must be `application/json`.
pub(in crate::web) const NEEDS_CONTENT_TYPE: &str = "x-needs-content-type";

/// The document of the whole API. `tags` are the nouns of the operations, with a description.
pub(in crate::web) fn document(
    operations: impl IntoIterator<Item = Operation>,
    tags: &[(&'static str, &'static str)],
) -> OpenApi {
    let mut operations: Vec<Operation> = operations.into_iter().collect();
    let mut problem = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut problem);
    let mut schemas = BTreeMap::from_iter(problem);
    for operation in &mut operations {
        schemas.extend(std::mem::take(&mut operation.schemas));
    }
    let known = schemas.iter().map(|(name, schema)| (name.clone(), as_value(schema))).collect();
    let mut paths = Paths::new();
    for operation in operations {
        if let Some(method) = method(&operation.method) {
            paths.add_path_operation(operation.path, vec![method], described(operation, &known));
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
        .tags(Some(
            tags.iter().map(|(tag, about)| TagBuilder::new().name(*tag).description(Some(*about)).build()),
        ))
        .build()
}

const ABOUT: &str = "Requests and responses are JSON. Requests for decisions (`/access/v1/`) must have the Content-Type `application/json`; for all others, the Content-Type doesn't matter. Authenticate with an API key, as `Authorization: Bearer …` or `x-api-key`. A request applies to the workspace in its path or in `?workspace=`, or otherwise to the home workspace of the key. Times are milliseconds since 1970. Errors are application/problem+json (RFC 9457). `HEAD` works like `GET` without the body. Any other method gets 405.";

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

fn as_value(part: &impl serde::Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}

fn described(of: Operation, schemas: &BTreeMap<String, Value>) -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .tag(of.tag)
        .summary(Some(of.summary))
        .description(description(&of))
        .operation_id(Some(of.id))
        .securities(Some(securities(of.requirement)))
        .request_body(body(&of, schemas));
    for (status, schema) in of.responses {
        let mut response = ResponseBuilder::new().description(meaning(status));
        if let Some(schema) = schema {
            let made_up = || Examples { schemas, shown: Shown::All }.of(&as_value(&schema));
            let example = of.response_example.clone().unwrap_or_else(made_up);
            let example = Some(example).filter(|example| ![json!({}), json!("")].contains(example));
            for media_type in of.media_types {
                let content = ContentBuilder::new().example(example.clone()).schema(Some(schema.clone()));
                response = response.content(*media_type, content.build());
            }
        }
        if of.is_located && status == 201 {
            response = response.header("Location", text_header("The address of what was created."));
        }
        if of.is_tagged {
            response = response.header("ETag", text_header("The version, for If-Match."));
        }
        if of.facts.rate_limit.is_some() {
            for (name, about) in [
                ("RateLimit-Policy", "The number of calls allowed, and the time window in seconds."),
                ("RateLimit", "The number of calls left, and the seconds until the limit resets."),
            ] {
                response = response.header(name, text_header(about));
            }
        }
        operation = operation.response(status.to_string(), response);
    }
    for parameter in of.parameters {
        let example =
            parameter.schema.as_ref().and_then(|schema| of_parameter(&parameter.name, &as_value(schema)));
        operation = operation.parameter(ParameterBuilder::from(parameter).example(example));
    }
    of.refusals
        .into_iter()
        .fold(operation, |operation, status| operation.response(status.to_string(), refusal(status)))
}

/// The alternative ways to present a key; none where no key is needed.
fn securities(requirement: Requirement) -> Vec<SecurityRequirement> {
    match requirement {
        Requirement::Public | Requirement::SignedIn | Requirement::Account => Vec::new(),
        Requirement::Key | Requirement::Member(_) => {
            ["bearer", "header"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new())).into()
        }
    }
}

fn body(of: &Operation, schemas: &BTreeMap<String, Value>) -> Option<RequestBody> {
    let schema = of.body.clone()?;
    let made_up = || Examples { schemas, shown: Shown::Required }.of(&as_value(&schema));
    let example = of.example.clone().unwrap_or_else(made_up);
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example));
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
        429 | 503 => {
            response.header("Retry-After", text_header("How many seconds to wait before trying again."))
        }
        _ => response,
    }
}

fn text_header(about: &str) -> utoipa::openapi::Header {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(about)).build()
}

/// What the summary leaves out, and who may call the operation.
fn description(of: &Operation) -> Option<String> {
    let needs = needs(of.requirement);
    match of.details {
        "" => needs,
        details => Some(needs.map_or_else(|| details.to_owned(), |needs| format!("{details} {needs}"))),
    }
}

/// Who may call the operation, in a sentence.
fn needs(requirement: Requirement) -> Option<String> {
    let permissions = |needs: Needs| {
        let labels = needs.permissions().into_iter().map(|p| format!("“{}” (`{}`)", p.label(), p.scope()));
        labels.collect::<Vec<_>>().join(" or ")
    };
    match requirement {
        Requirement::Public => Some("No API key required.".to_owned()),
        Requirement::SignedIn | Requirement::Account => None,
        Requirement::Key => Some("Requires an active API key.".to_owned()),
        Requirement::Member(Needs::Membership) => Some("Requires membership in the workspace.".to_owned()),
        Requirement::Member(needs) => Some(format!("Requires the permission {}.", permissions(needs))),
    }
}

/// What a status means, wherever it comes.
fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Success.",
        201 => "Created.",
        204 => "Done.",
        400 => "The request isn't valid.",
        401 => "The request has no active API key.",
        402 => "The workspace has too few credits. The problem names who can buy.",
        403 => "The key isn't allowed to do this, or the key, the workspace or the membership is suspended.",
        404 => "It doesn't exist in the workspace, or the key has no access to the workspace.",
        408 => "The request body took too long to arrive.",
        409 => "It conflicts with a rule of the workspace, or it was already done.",
        410 => "It is no longer valid.",
        412 => "It was changed since that ETag.",
        413 => "The request body is too large.",
        415 => "The request body is compressed.",
        422 => "Some fields aren't valid. “errors” lists them.",
        429 => "Too many calls. Wait, then try again.",
        503 => "The server is too busy, or the database is unavailable.",
        _ => "Another response.",
    }
}
