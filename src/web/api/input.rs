//! What calls carry beside or instead of JSON, and how the texts in it are read.

use crate::{
    domain::{
        Invalid, Refused, SearchText, TextRule,
        base::paging::{MAX_PAGE_SIZE, Position},
    },
    web::{
        api::{
            body::Json,
            operation::{Input, Operation},
        },
        form,
        guard::decision::AnyJson,
        wire,
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{
    RefOr, Schema,
    path::{Parameter, ParameterIn},
    schema::{SchemaType, Type},
};

/// The body of a call that needs none: empty, or `{}`.
pub struct Empty;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyObject {}

impl FromRequest for Empty {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let read = wire::read_body(payload).await.and_then(|body| match body.trim_ascii() {
                b"" => Ok(()),
                some => crate::web::api::body::parse::<EmptyObject>(some).map(drop),
            });
            read.map(|()| Self).map_err(|malformed| form::refusal(&req, &malformed))
        })
    }
}

impl Input for Empty {
    fn describe(operation: &mut Operation) {
        operation.refusals.extend([400, 408, 413, 415, 422]);
    }
}

impl<T: utoipa::ToSchema> Input for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.body::<T>();
        operation.refusals.extend([400, 408, 413, 415, 422]);
    }
}

/// An invalid body of a decision request is always 400.
impl Input for AnyJson {
    fn describe(operation: &mut Operation) {
        operation.needs_content_type = true;
        operation.refusals.extend([408, 413, 415]);
    }
}

impl<T: utoipa::IntoParams> Input for crate::web::api::body::Query<T> {
    fn describe(operation: &mut Operation) {
        operation.parameters.extend(T::into_params(|| Some(ParameterIn::Query)).into_iter().map(tidied));
        operation.refusals.extend([400, 422]);
    }
}

/// A parameter as it is described: the sentence of its schema is its own, and it can be left out, but not be null, for
/// which a query has no word.
fn tidied(parameter: Parameter) -> Parameter {
    let mut parameter = without_null(parameter);
    if let (None, Some(RefOr::T(Schema::Object(schema)))) = (&parameter.description, &parameter.schema) {
        parameter.description.clone_from(&schema.description);
    }
    parameter
}

fn without_null(mut parameter: Parameter) -> Parameter {
    let null = SchemaType::Type(Type::Null);
    parameter.schema = parameter.schema.map(|schema| match schema {
        RefOr::T(Schema::OneOf(mut one)) => {
            let is_null = |item: &RefOr<Schema>| {
                matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == null)
            };
            one.items.retain(|item| !is_null(item));
            match one.items.pop() {
                Some(only) if one.items.is_empty() => only,
                last => {
                    one.items.extend(last);
                    RefOr::T(Schema::OneOf(one))
                }
            }
        }
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &object.schema_type {
                let mut types = types.iter().filter(|kind| **kind != Type::Null);
                if let (Some(only), None) = (types.next().cloned(), types.next()) {
                    object.schema_type = SchemaType::Type(only);
                }
            }
            RefOr::T(Schema::Object(object))
        }
        other => other,
    });
    parameter
}

/// Reads a field that can be `null`, which is not the same as left out; with `#[serde(default)]`.
pub(in crate::web) fn present_or_null<'de, T, D>(value: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(value).map(Some)
}

/// Reads a field that may be left out; `null` is the same as that. With `#[serde(default)]`.
pub(in crate::web) fn or_default<'de, T, D>(value: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// A text that may be left out.
pub(in crate::web) fn optional<T: TextRule>(text: &Option<String>) -> Result<Option<T>, String> {
    text.as_deref().map(T::parse_exact).transpose()
}

/// The value that was sent for a field, or otherwise the stored one.
pub(in crate::web) fn or_stored<T: TextRule>(
    sent: Option<T>,
    field: &str,
    stored: &str,
) -> Result<T, Invalid> {
    sent.map_or_else(|| T::parse_exact(stored).map_err(|complaint| Invalid::field(field, complaint)), Ok)
}

/// The text to search for.
pub(in crate::web) fn search(text: &str) -> Result<String, Invalid> {
    match SearchText::parse_exact(text) {
        Ok(text) => Ok(text.into()),
        Err(complaint) => Err(Invalid::field("q", complaint)),
    }
}

/// The page of a list that `after` and `limit` name.
///
/// # Errors
/// [`Refused::Invalid`] on the one that is wrong.
pub(in crate::web) fn position(after: &str, limit: Option<i64>) -> Result<Position, Refused> {
    let position = Position::parse(after, "")?;
    Ok(match page_size(limit)? {
        Some(limit) => position.with_limit(limit),
        None => position,
    })
}

/// The page of a list that `after` and `limit` name, or `page` and `limit`.
///
/// # Errors
/// [`Refused::Invalid`] on the one that is wrong.
pub(in crate::web) fn numbered_position(
    after: &str,
    page: Option<i64>,
    limit: Option<i64>,
) -> Result<Position, Refused> {
    let position = position(after, limit)?;
    match page {
        Some(number) => position.with_number(number),
        None => Ok(position),
    }
}

/// The most items that a page should have, if that was said.
pub(in crate::web) fn page_size(limit: Option<i64>) -> Result<Option<usize>, Invalid> {
    let Some(limit) = limit else { return Ok(None) };
    let size = usize::try_from(limit).ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size));
    let wrong = || Invalid::field("limit", format!("Choose between 1 and {MAX_PAGE_SIZE}."));
    size.map(Some).ok_or_else(wrong)
}
