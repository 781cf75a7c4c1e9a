//! The headers that pass through the gateway, in both directions: what belongs to a connection, to Bailiwick or to a
//! browser's session with it does not.

use crate::{
    outbound::connection_fields::{is_of_connection, named_by_connection},
    web::gateway::incoming::{KEY_HEADER, OWN_HEADERS},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, VARY, X_CONTENT_TYPE_OPTIONS},
};

/// What a destination does not get to see of a request: cookies, which are Bailiwick's; what proxies in front say of the
/// client; what browsers say of the page.
const OF_THE_CALLER: [&str; 14] = [
    "cookie",
    "cookie2",
    "via",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "origin",
    "referer",
];

/// Beginnings of such names.
const BEGINNINGS_OF_THE_CALLER: [&str; 4] = [OWN_HEADERS, "x-forwarded-", "sec-", "access-control-request-"];

/// What an answer would set for the whole of this site in a browser.
const FOR_THE_SITE: [&str; 13] = [
    "alt-svc",
    "clear-site-data",
    "expect-ct",
    "nel",
    "origin-agent-cluster",
    "public-key-pins",
    "public-key-pins-report-only",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
];

/// Which pages may read an answer is for the workspace to say.
const BEGINNINGS_FOR_THE_SITE: [&str; 2] = [OWN_HEADERS, "access-control-"];

/// What a proxy in front of Bailiwick would obey: to send a file of its own instead, to ask another server, or to keep
/// the answer for others.
const FOR_PROXIES: [&str; 6] =
    ["edge-control", "expires", "surrogate-control", "x-proxy-send-file", "x-sendfile", "x-sendfile-type"];

/// Beginnings and ends of such names.
const BEGINNINGS_FOR_PROXIES: [&str; 4] = ["x-accel-", "x-lighttpd-", "x-litespeed-", "x-reproxy-"];
const END_FOR_PROXIES: &str = "cdn-cache-control";

/// What lets a shared cache keep an answer.
const SHARED: [&str; 3] = ["public", "s-maxage", "proxy-revalidate"];

/// In place of a secret.
const MASK: &str = "***";

/// The shortest secret that is looked for in answers. Others may occur by chance.
const MIN_MASKED: usize = 6;

/// The headers of a request as they are sent on. `credential` replaces whatever the caller sent under its name.
pub(super) fn request(sent: &HeaderMap, credential: Option<(&HeaderName, HeaderValue)>) -> HeaderMap {
    let mut headers =
        without(sent, |name| OF_THE_CALLER.contains(&name) || begins(name, &BEGINNINGS_OF_THE_CALLER));
    if let Some((name, mut value)) = credential {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

/// The headers of an answer as they are passed on, in which none of these secrets occurs.
pub(super) fn answer(received: &HeaderMap, secrets: &[&str]) -> HeaderMap {
    let mut headers = without(received, |name| is_for_the_site(name) || is_for_proxies(name));
    let secrets: Vec<&str> = secrets.iter().flat_map(|secret| parts(secret)).collect();
    for value in headers.values_mut() {
        mask(value, &secrets);
    }
    headers
}

fn is_for_the_site(name: &str) -> bool {
    FOR_THE_SITE.contains(&name) || begins(name, &BEGINNINGS_FOR_THE_SITE)
}

fn is_for_proxies(name: &str) -> bool {
    FOR_PROXIES.contains(&name) || begins(name, &BEGINNINGS_FOR_PROXIES) || name.ends_with(END_FOR_PROXIES)
}

/// Sees to it that an answer is for who asked alone, and that a browser that opens it takes it for no page of this
/// site.
pub(super) fn confine(headers: &mut HeaderMap) {
    let said: Vec<&str> =
        headers.get_all(CACHE_CONTROL).iter().map(|value| value.to_str().unwrap_or("no-store")).collect();
    let private = HeaderValue::from_str(&private(&said.join(",")));
    headers.insert(CACHE_CONTROL, private.unwrap_or_else(|_| HeaderValue::from_static("no-store")));
    headers.append(VARY, HeaderValue::from_static(KEY_HEADER));
    // Beside what the host says: a browser obeys all of them.
    headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// What a host says of caches, for the cache of the caller alone.
fn private(said: &str) -> String {
    // Only lists of fields are quoted.
    if said.contains('"') {
        return "private, no-cache".to_owned();
    }
    let kept = said.split(',').map(str::trim).filter(|directive| {
        let name = directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        !name.is_empty() && name != "private" && !SHARED.contains(&name.as_str())
    });
    ["private"].into_iter().chain(kept).collect::<Vec<_>>().join(", ")
}

/// A secret such as `Bearer abc`, and the part that counts.
fn parts(secret: &str) -> impl Iterator<Item = &str> {
    let bare = secret.rsplit(' ').next().filter(|bare| bare.len() < secret.len());
    [Some(secret), bare].into_iter().flatten().filter(|secret| secret.len() >= MIN_MASKED)
}

fn mask(value: &mut HeaderValue, secrets: &[&str]) {
    let text = String::from_utf8_lossy(value.as_bytes());
    if !secrets.iter().any(|secret| text.contains(secret)) {
        return;
    }
    let masked = secrets.iter().fold(text.into_owned(), |text, secret| text.replace(secret, MASK));
    *value = HeaderValue::from_str(&masked).unwrap_or_else(|_| HeaderValue::from_static(MASK));
}

fn begins(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// A copy without what belongs to the connection, and without those left out.
fn without(headers: &HeaderMap, is_left_out: impl Fn(&str) -> bool) -> HeaderMap {
    let named = named_by_connection(headers);
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let text = name.as_str();
        let is_kept =
            !is_of_connection(text) && !named.iter().any(|named| named == text) && !is_left_out(text);
        if is_kept {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// The length that the headers say.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            );
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn a_destination_sees_neither_keys_nor_cookies_nor_where_a_request_comes_from() {
        let sent = map(&[
            ("accept", "*/*"),
            ("authorization", "Bearer theirs"),
            ("x-bailiwick-key", "secret"),
            ("x-bailiwick-anything", "a"),
            ("cookie", "a=b"),
            ("cookie", "c=d"),
            ("host", "bailiwick.example"),
            ("connection", "close, X-Hop ,, keep-alive"),
            ("connection", "x-other"),
            ("x-hop", "a"),
            ("x-other", "a"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-anything", "a"),
            ("x-real-ip", "192.0.2.1"),
            ("origin", "https://app.example"),
            ("sec-fetch-site", "cross-site"),
            ("expect", "100-continue"),
            ("x-request-id", "r"),
        ]);
        assert_eq!(names(&request(&sent, None)), ["accept", "authorization", "x-request-id"]);
    }

    #[test]
    fn the_credential_replaces_what_the_caller_sent() {
        let sent = map(&[("authorization", "Bearer theirs"), ("authorization", "Bearer again")]);
        let name = HeaderName::from_static("authorization");
        let headers = request(&sent, Some((&name, HeaderValue::from_static("Bearer ours"))));
        let values: Vec<_> = headers.get_all(&name).iter().collect();
        assert_eq!(values, ["Bearer ours"]);
        assert!(values[0].is_sensitive());
        // A connection can't name it away.
        let sent = map(&[("connection", "authorization")]);
        let headers = request(&sent, Some((&name, HeaderValue::from_static("Bearer ours"))));
        assert_eq!(headers.get(&name).expect("there"), "Bearer ours");
    }

    #[test]
    fn an_answer_sets_nothing_for_this_site_and_echoes_no_secret() {
        let received = map(&[
            ("content-type", "text/plain"),
            ("set-cookie", "a=b"),
            ("strict-transport-security", "max-age=1"),
            ("clear-site-data", "\"cookies\""),
            ("access-control-allow-origin", "*"),
            ("x-bailiwick-stage", "key"),
            ("keep-alive", "timeout=5"),
            ("connection", "x-hop"),
            ("x-hop", "a"),
            ("x-accel-redirect", "/internal/secret"),
            ("x-accel-expires", "3600"),
            ("x-sendfile", "/etc/passwd"),
            ("x-reproxy-url", "http://10.0.0.1/"),
            ("surrogate-control", "max-age=9"),
            ("cloudflare-cdn-cache-control", "max-age=9"),
            ("expires", "Fri, 01 Jan 2100 00:00:00 GMT"),
            ("x-echo", "you sent Bearer hush-hush"),
            ("x-bare", "hush-hush, hush-hush"),
            ("location", "/elsewhere?key=bw_secret"),
        ]);
        let headers = answer(&received, &["Bearer hush-hush", "bw_secret", "a"]);
        assert_eq!(names(&headers), ["content-type", "x-echo", "x-bare", "location"]);
        assert_eq!(headers["x-echo"], "you sent ***");
        assert_eq!(headers["x-bare"], "***, ***");
        assert_eq!(headers["location"], "/elsewhere?key=***");
        assert_eq!(headers["content-type"], "text/plain");
    }

    #[test]
    fn an_answer_is_for_who_asked_alone() {
        for (said, expected) in [
            (&[][..], "private"),
            (&["public, max-age=60, S-MaxAge=9"], "private, max-age=60"),
            (&["max-age=60", "Public"], "private, max-age=60"),
            (&["no-store"], "private, no-store"),
            (&["private, must-revalidate"], "private, must-revalidate"),
            (&["no-cache=\"a, b\", public"], "private, no-cache"),
        ] {
            let fields: Vec<(&str, &str)> = said.iter().map(|value| ("cache-control", *value)).collect();
            let mut headers = map(&fields);
            confine(&mut headers);
            let values: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
            assert_eq!(values, [expected]);
        }
        let mut headers = map(&[
            ("vary", "accept"),
            ("content-security-policy", "default-src *"),
            ("x-content-type-options", "theirs"),
        ]);
        confine(&mut headers);
        let all = |name: &str| {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(all("vary"), ["accept", "x-bailiwick-key"]);
        assert_eq!(all("content-security-policy"), ["default-src *", "sandbox"]);
        assert_eq!(all("x-content-type-options"), ["nosniff"]);
    }
}
