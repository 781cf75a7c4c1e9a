//! What arrives: bodies and queries, bounded in size and time, decoded strictly.

use crate::visible::is_hidden;
use actix_web::{
    dev::Payload,
    http::StatusCode,
    web::{Bytes, BytesMut},
};
use futures_util::{StreamExt, stream};
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, time::Duration};

use url::form_urlencoded;
use uuid::Uuid;

/// The largest form, in bytes: 200 invitations fit many times over.
const MAX_BODY_BYTES: usize = 128 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How long a body may take to arrive as a whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Parses an id, in upper or lower case. No other form is accepted: it would be a second address of the same resource.
pub(super) fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string().eq_ignore_ascii_case(text))
}

/// Why a request is malformed, before its content is validated.
pub(super) enum MalformedRequest {
    TooLarge,
    TooSlow,
    NotAForm,
    /// Compressed.
    Encoded,
    /// No CSRF token, or that of another session.
    Token,
    /// A field that is not valid UTF-8.
    Encoding(String),
    Repeated(String),
    Unknown(String),
    Other(String),
    /// JSON of another shape than is expected: which field, and what is wrong with it.
    Shape(String, String),
    /// A value of a form or a query that its field can't have, and what it can.
    Value(String, String),
}

impl MalformedRequest {
    /// Status, headline and what to do next.
    pub(super) fn describe(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too much data",
                format!("The limit is {} KiB. Shorten it and try again.", MAX_BODY_BYTES / 1024),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "It took too long to arrive",
                "Nothing was changed. Go back and try again.".into(),
            ),
            Self::NotAForm => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This isn't a form",
                "Send it as application/x-www-form-urlencoded.".into(),
            ),
            Self::Encoded => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Compressed bodies aren't supported",
                "Send it again without Content-Encoding. Nothing was changed.".into(),
            ),
            Self::Token => (
                StatusCode::FORBIDDEN,
                "This form is out of date",
                "Your session has changed since the page was opened, or the form didn't come from Bailiwick. Nothing was changed.".into(),
            ),
            Self::Encoding(field) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "This isn't valid text",
                format!("The field “{field}” is not valid UTF-8. Nothing was changed. Go back and enter it again."),
            ),
            Self::Repeated(field) => (
                StatusCode::BAD_REQUEST,
                "Duplicate field",
                format!("The field “{field}” can have one value only. Nothing was changed."),
            ),
            Self::Unknown(field) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Unknown field",
                format!("The field “{field}” isn't supported. Nothing was changed."),
            ),
            Self::Shape(field, what) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Some fields aren't valid",
                format!("{field}: {what} Nothing was changed."),
            ),
            Self::Value(field, what) => (
                StatusCode::BAD_REQUEST,
                "This request isn't valid",
                format!("{field}: {what} Nothing was changed."),
            ),
            Self::Other(what) => (
                StatusCode::BAD_REQUEST,
                "This request isn't valid",
                format!("{what} Nothing was changed."),
            ),
        }
    }
}

/// A body, bounded in size and time.
pub(super) async fn read_body(mut payload: Payload) -> Result<Bytes, MalformedRequest> {
    read_from(&mut payload).await
}

/// A payload of what was read from another one.
pub(super) fn read_again(body: Bytes) -> Payload {
    Payload::Stream { payload: Box::pin(stream::iter([Ok(body)])) }
}

/// [`read_body`], of a payload that the caller keeps.
pub(super) async fn read_from(payload: &mut Payload) -> Result<Bytes, MalformedRequest> {
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|_| MalformedRequest::Other("The request body is incomplete.".into()))?;
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(MalformedRequest::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        // Some programs put the mark of UTF-8 before a text.
        let start = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Ok(body.freeze().slice(start..))
    };
    tokio::time::timeout(BODY_TIMEOUT, all).await.map_err(|_| MalformedRequest::TooSlow)?
}

/// Names and values, decoded strictly.
pub(super) fn pairs(body: &[u8]) -> Result<Vec<(String, String)>, MalformedRequest> {
    let decode = |bytes: &[u8]| {
        let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        String::from_utf8(percent_decode(&spaced).collect()).ok()
    };
    body.split(|b| *b == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = match piece.iter().position(|b| *b == b'=') {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &piece[piece.len()..]),
            };
            let name = decode(name).ok_or_else(|| MalformedRequest::Encoding("a field's name".into()))?;
            let value = decode(value).ok_or_else(|| MalformedRequest::Encoding(shorten(&name)))?;
            Ok((name, value))
        })
        .collect()
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).take(60).collect()
}

pub(super) fn parse<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, MalformedRequest> {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(pairs);
    let encoded = encoded.finish();
    let deserializer = serde_html_form::Deserializer::new(form_urlencoded::parse(encoded.as_bytes()));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        explain(path.split('[').next().unwrap_or_default(), &error.inner().to_string(), pairs)
    })
}

/// `path` is the field that could not be read, if it is known.
fn explain(path: &str, error: &str, pairs: &[(String, String)]) -> MalformedRequest {
    if let Some(rest) = error.split("unknown field `").nth(1) {
        return MalformedRequest::Unknown(shorten(rest.split('`').next().unwrap_or("")));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in pairs {
        *seen.entry(name).or_default() += 1;
    }
    // One that may be repeated would not have been an error; the first other is.
    let repeatable = ["role", "team", "member", "invitation", "permission", "page", "leaving", "mail"];
    match seen.iter().find(|(name, count)| **count > 1 && !repeatable.contains(name)) {
        Some((name, _)) => MalformedRequest::Repeated(shorten(name)),
        None if seen.contains_key(path) => MalformedRequest::Value(shorten(path), complaint(error)),
        None => MalformedRequest::Other(format!("{}.", shorten(error))),
    }
}

/// What serde says of a value, for people.
fn complaint(error: &str) -> String {
    let choices = error.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected "));
    match choices {
        Some((_, expected)) => {
            let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
            format!("Choose one of {}.", words.join(", "))
        }
        None if error.contains("invalid digit") => "This isn't a whole number.".to_owned(),
        None => format!("{}.", error.chars().filter(|c| !is_hidden(*c)).take(200).collect::<String>()),
    }
}
