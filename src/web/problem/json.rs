//! A problem as `application/problem+json` (RFC 9457).

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use serde::Serialize;
use utoipa::ToSchema;

/// A JSON response.
pub(in crate::web) fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(text) => HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "could not write a response");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// The text of a problem page.
pub(in crate::web) struct ProblemText<'a> {
    pub headline: &'a str,
    pub sentence: &'a str,
    pub points: &'a [String],
    pub fields: &'a [(String, String)],
    /// Scopes of permissions any one of which would have been enough.
    pub permissions: &'a [&'static str],
}

/// Why the request failed, in the format of RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`. The status says what kind of problem it is.
    r#type: &'static str,
    title: String,
    status: u16,
    /// What happened and what to do next.
    detail: String,
    /// The fields that are not valid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// For a 403, the permissions that allow the request. Any one of them is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    permissions: Vec<&'static str>,
}

/// A field that is not valid.
#[derive(Serialize, ToSchema)]
pub struct FieldError {
    field: String,
    detail: String,
}

/// Fields of forms that have another name in the API.
const FIELDS: [(&str, &str); 5] = [
    ("role", "roles"),
    ("team", "teams"),
    ("permission", "scopes"),
    ("overlap", "overlap_seconds"),
    ("form", "body"),
];

impl FieldError {
    fn new((field, detail): &(String, String)) -> Self {
        let renamed = FIELDS.iter().find(|(form, _)| form == field).map(|(_, here)| (*here).to_owned());
        Self { field: renamed.unwrap_or_else(|| field.clone()), detail: detail.clone() }
    }
}

/// The problem for a program, with the text for a person: what happened and what to do next.
pub(in crate::web) fn problem(status: StatusCode, text: &ProblemText<'_>) -> HttpResponse {
    let points = if text.fields.is_empty() { text.points } else { &[] };
    let mut detail = text.sentence.to_owned();
    for point in points {
        detail.push(' ');
        detail.push_str(point);
    }
    let errors = text.fields.iter().map(FieldError::new).collect();
    let title = text.headline.to_owned();
    let permissions = text.permissions.to_vec();
    let body =
        ProblemBody { r#type: "about:blank", title, status: status.as_u16(), detail, errors, permissions };
    let mut response = json(status, &body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response
}

/// The response to a request without a live key.
pub(in crate::web) fn unauthorized() -> HttpResponse {
    let text = ProblemText {
        headline: "No active API key",
        sentence: "Send exactly one API key, as “Authorization: Bearer …” or “x-api-key: …”. If you sent one, it may have expired, or been revoked or rotated.",
        points: &[],
        fields: &[],
        permissions: &[],
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, &text);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer realm=\"bailiwick\""));
    response
}
