//! What arrives: bodies and queries, bounded in size and time, decoded strictly.

use actix_web::{
    dev::Payload,
    http::StatusCode,
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, time::Duration};

use url::form_urlencoded;
use uuid::Uuid;

/// The largest form, in bytes: 200 invitations fit many times over.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// How long a body may take to arrive as a whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Parses an id. Only the canonical form is accepted: another would be a second address of the same resource.
pub(super) fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}

/// Why a request is malformed, before its content is validated.
pub(super) enum MalformedRequest {
    TooLarge,
    TooSlow,
    NotAForm,
    /// No CSRF token, or that of another session.
    Token,
    /// A field that is not valid UTF-8.
    Encoding(String),
    Repeated(String),
    Unknown(String),
    Other(String),
    /// JSON of another shape than is expected: which field, and what is wrong with it.
    Shape(String, String),
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
        Ok(body.freeze())
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
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

pub(super) fn parse<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, MalformedRequest> {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(pairs);
    serde_html_form::from_str(&encoded.finish()).map_err(|error| explain(&error.to_string(), pairs))
}

fn explain(error: &str, pairs: &[(String, String)]) -> MalformedRequest {
    if let Some(rest) = error.split("unknown field `").nth(1) {
        return MalformedRequest::Unknown(shorten(rest.split('`').next().unwrap_or("")));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in pairs {
        *seen.entry(name).or_default() += 1;
    }
    // One that may be repeated would not have been an error; the first other is.
    let repeatable = ["role", "member", "invitation", "permission"];
    match seen.iter().find(|(name, count)| **count > 1 && !repeatable.contains(name)) {
        Some((name, _)) => MalformedRequest::Repeated(shorten(name)),
        None => MalformedRequest::Other(format!("{}.", shorten(error))),
    }
}
