//! The fields of a message that belong to one connection (RFC 9110, 7.6.1): whoever passes the message on has its own,
//! and nobody else sets them.

use http::{HeaderMap, header::CONNECTION};

/// What frames a message, says to whom it goes, or is for the next server alone.
const FIELDS: [&str; 15] = [
    "connection",
    "content-length",
    "early-data",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field of this name, in lower case, always belongs to one connection.
pub fn is_of_connection(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// What the fields `Connection` of these headers name beside, in lower case.
pub fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    texts.flat_map(|text| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()).collect()
}

/// Removes whatever belongs to the connection that these headers came by, or would go by.
pub fn remove_fields_of_connection(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        headers.remove(name.as_str());
    }
    for name in FIELDS {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_connection_names_belongs_to_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop ,, keep-alive"),
            ("connection", "x-other"),
            ("x-hop", "a"),
            ("x-other", "a"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(named_by_connection(&headers), ["close", "x-hop", "", "keep-alive", "x-other"]);
        remove_fields_of_connection(&mut headers);
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
