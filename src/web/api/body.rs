//! Bodies and queries of the API: JSON in, pages of JSON out.

use crate::{
    domain::base::paging::Page,
    web::{
        bearer::WORKSPACE,
        form,
        wire::{self, MalformedRequest},
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    future::{Ready, ready},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, Type},
    },
};

/// One page of a list.
#[derive(Serialize)]
pub struct PageBody<T> {
    pub items: Vec<T>,
    /// Pass it as `after` to get the next page. Omitted on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> PageBody<T> {
    /// The only page of a list.
    pub(in crate::web) fn whole<U: Into<T>>(items: impl IntoIterator<Item = U>) -> Self {
        Self { items: items.into_iter().map(U::into).collect(), next: None }
    }
}

impl<T: From<U>, U> From<Page<U>> for PageBody<T> {
    fn from(page: Page<U>) -> Self {
        Self { next: page.after.clone(), items: page.rows.into_iter().map(T::from).collect() }
    }
}

impl<T: ToSchema> PartialSchema for PageBody<T> {
    fn schema() -> RefOr<Schema> {
        let next = ObjectBuilder::new().schema_type(Type::String);
        let next =
            next.description(Some("Pass it as `after` to get the next page. Omitted on the last page."));
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let page = ObjectBuilder::new().property("items", items).property("next", next).required("items");
        page.into()
    }
}

impl<T: ToSchema> ToSchema for PageBody<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

/// A body of JSON, whatever its Content-Type: `curl -d` sends the one of forms.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let body = wire::read_body(payload).await;
            let read = body.and_then(|body| parse(&body));
            read.map(Self).map_err(|malformed| form::refusal(&req, &malformed))
        })
    }
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, MalformedRequest> {
    // A body that is no JSON at all is distinguished from JSON of another shape.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        return Err(MalformedRequest::Other(format!("The body is not JSON: {error}.")));
    }
    // Serde would read a list as an object whose fields come in their order.
    match body.trim_ascii_start().first() {
        Some(b'{') => {
            let mut json = serde_json::Deserializer::from_slice(body);
            serde_path_to_error::deserialize(&mut json).map_err(|error| explain(&error))
        }
        _ => Err(MalformedRequest::Other("The body is not a JSON object.".into())),
    }
}

pub(in crate::web) fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> MalformedRequest {
    let message = error.inner().to_string();
    if error.inner().classify() != serde_json::error::Category::Data {
        return MalformedRequest::Other(format!("The body is not JSON: {message}."));
    }
    let named = |what: &str| {
        let rest = message.split(&format!("{what} `")).nth(1)?;
        Some(wire::shorten(rest.split('`').next().unwrap_or_default()))
    };
    if let Some(field) = named("unknown field") {
        return MalformedRequest::Unknown(field);
    }
    let path = error.path().to_string();
    match named("missing field") {
        Some(field) if path == "." => MalformedRequest::Shape(field, "This field is required.".into()),
        Some(field) => MalformedRequest::Shape(
            wire::shorten(&format!("{path}.{field}")),
            "This field is required.".into(),
        ),
        None => {
            // The position in the text is left out: the field is named.
            let message = message.split(" at line ").next().unwrap_or_default();
            MalformedRequest::Shape(
                wire::shorten(&path),
                format!("{}.", message.chars().take(200).collect::<String>()),
            )
        }
    }
}

/// The query of a list, beside the workspace.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = wire::pairs(req.query_string().as_bytes()).and_then(|mut pairs| {
            pairs.retain(|(name, _)| name != WORKSPACE);
            wire::parse(&pairs)
        });
        ready(parsed.map(Self).map_err(|malformed| form::refusal(req, &malformed)))
    }
}
