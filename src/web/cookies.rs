//! The small signed cookies beside the session: the message for the next page, and the secret of a link that
//! was followed.

use crate::web::app::Settings;
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, CookieJar, SameSite, time::Duration},
    http::header::{HeaderValue, SET_COOKIE},
};

/// A cookie's name. With https it is locked to this host by the browser (`__Host-`).
pub(super) fn name(settings: &Settings, what: &str) -> String {
    let prefix = if settings.is_secure { "__Host-" } else { "" };
    format!("{prefix}bailiwick-{what}")
}

/// Reads a signed cookie. One that was signed under another name does not count.
pub(super) fn read(req: &HttpRequest, settings: &Settings, what: &str) -> Option<String> {
    let name = name(settings, what);
    let mut jar = CookieJar::new();
    jar.add_original(req.cookie(&name)?);
    let cookie = jar.signed(&settings.cookie_key).get(&name)?;
    let (purpose, value) = cookie.value().split_once(':')?;
    (purpose == what).then(|| value.to_owned())
}

/// Sets a signed cookie for a while; the browser alone may see it, its scripts not.
pub(super) fn set(
    response: &mut HttpResponse,
    settings: &Settings,
    what: &str,
    value: String,
    keep: Duration,
) {
    // The signature covers the value alone, so the value says which cookie it is.
    let cookie = Cookie::build(name(settings, what), format!("{what}:{value}"))
        .path("/")
        .secure(settings.is_secure)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(keep)
        .finish();
    let mut jar = CookieJar::new();
    jar.signed_mut(&settings.cookie_key).add(cookie);
    for cookie in jar.delta() {
        add(response, cookie);
    }
}

/// Deletes a cookie.
pub(super) fn remove(response: &mut HttpResponse, settings: &Settings, what: &str) {
    let mut cookie = Cookie::build(name(settings, what), "")
        .path("/")
        .secure(settings.is_secure)
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish();
    cookie.make_removal();
    add(response, &cookie);
}

/// Percent-encoded, which `HttpResponse::add_cookie` leaves out: a name with a semicolon in it must
/// not end the value and start an attribute.
fn add(response: &mut HttpResponse, cookie: &Cookie<'_>) {
    match HeaderValue::from_str(&cookie.encoded().to_string()) {
        Ok(value) => response.headers_mut().append(SET_COOKIE, value),
        Err(error) => tracing::error!(%error, "could not set a cookie"),
    }
}
