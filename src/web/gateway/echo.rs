//! The host `echo`, which the gateway answers for by itself: what would have been sent, as JSON. It needs no network,
//! and shows what a provider gets to see of a request.

use actix_web::web::Bytes;
use serde_json::{Map, Value, json};

/// The most of a value of a header that comes back.
const MAX_VALUE: usize = 200;

/// In place of the credential that the workspace has for the host.
const SEALED: &str = "(the sealed credential of this destination)";

/// An answer of the host `echo`.
pub(in crate::web) struct EchoAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
}

/// The answer to a request as it would have been sent. `sealed` is the name of the header with the credential of the
/// destination, which does not come back. The path `/status/418` answers with 418.
pub(in crate::web) fn answer<'a>(
    method: &str,
    path_and_query: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    sealed: Option<&str>,
    body_bytes: u64,
) -> EchoAnswer {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let mut shown: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let is_sealed = sealed.is_some_and(|sealed| sealed.eq_ignore_ascii_case(name));
        let value = if is_sealed { SEALED.to_owned() } else { cut(value) };
        shown.insert(name.to_owned(), value.into());
    }
    let body = json!({
        "method": method,
        "path": path,
        "query": query,
        "headers": shown,
        "body_bytes": body_bytes,
    });
    let text = serde_json::to_string_pretty(&body).unwrap_or_default() + "\n";
    EchoAnswer { status: status(path), content_type: "application/json", body: Bytes::from(text) }
}

fn cut(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(MAX_VALUE).collect()
}

/// The status that the path asks for. One that ends a request before its answer is not given.
fn status(path: &str) -> u16 {
    let asked = path.strip_prefix("/status/").and_then(|text| text.parse().ok());
    asked.filter(|status| (200..=599).contains(status) && ![204, 304].contains(status)).unwrap_or(200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_request_without_the_sealed_credential() {
        let headers = [("accept", &b"*/*"[..]), ("authorization", b"Bearer hush"), ("x-note", &[0xff, b'a'])];
        let answer = answer("POST", "/v1/things?limit=2", headers, Some("Authorization"), 12);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(
            (&body["method"], &body["path"], &body["query"]),
            (&json!("POST"), &json!("/v1/things"), &json!("limit=2"))
        );
        assert_eq!(body["headers"]["authorization"], SEALED);
        assert_eq!(body["headers"]["accept"], "*/*");
        assert_eq!(body["body_bytes"], 12);
        assert!(!String::from_utf8_lossy(&answer.body).contains("hush"));
    }

    #[test]
    fn a_path_asks_for_a_status() {
        for (path, expected) in [
            ("/status/418", 418),
            ("/status/503", 503),
            ("/status/100", 200),
            ("/status/204", 200),
            ("/status/999", 200),
            ("/status/", 200),
            ("/", 200),
        ] {
            assert_eq!(status(path), expected, "{path}");
        }
    }
}
