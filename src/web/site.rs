//! The site that a request comes from, and the address that it was sent to.
//!
//! Browsers say which site a request comes from in Sec-Fetch-Site, but not over plain http, unless the host is
//! localhost. Older ones, and those, send an Origin; from our own forms it is `null`, because our pages send no
//! referrer. So there are three kinds of requests, and not two.

use crate::web::{
    app::{App, Settings},
    forwarded,
};
use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName},
    web::Data,
};
use url::Url;

/// The site that caused a request, as far as the browser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Site {
    /// A page of ours, or the person themselves.
    Own,
    /// Nothing was said that distinguishes our pages from others. The token of a form decides; without it, nothing of
    /// the request may be executed, kept or shown again.
    Unknown,
    /// Another site.
    Foreign,
}

/// The site that caused this request.
pub(in crate::web) fn of(req: &HttpRequest) -> Site {
    let text =
        |name: HeaderName| req.headers().get(name).map(|value| value.to_str().unwrap_or("").to_owned());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return if site == "same-origin" || site == "none" { Site::Own } else { Site::Foreign };
    }
    let own = req.app_data::<Data<App>>().map(|app| &app.settings.origin);
    match text(header::ORIGIN) {
        None => Site::Unknown,
        Some(origin) if origin == "null" => Site::Unknown,
        Some(origin) if own.is_some_and(|own| *own == origin) => Site::Own,
        Some(_) => Site::Foreign,
    }
}

/// Whether the browser says that a page of ours caused this request.
pub(in crate::web) fn is_own(req: &HttpRequest) -> bool {
    of(req) == Site::Own
}

/// The public address, for a request that was sent to another one.
pub(in crate::web) struct PublicAddress {
    pub url: String,
    /// Browsers can open it: 0.0.0.0 is an address to listen on.
    pub is_usable: bool,
}

/// The public address, if the request was sent to another host. What the request says is compared and not used:
/// anybody can write it.
pub(in crate::web) fn public_address(req: &HttpRequest, settings: &Settings) -> Option<PublicAddress> {
    let public = &settings.public_url;
    let sent_to = Url::parse(&format!("{}://{}", public.scheme(), host(req, settings)?)).ok()?;
    (sent_to.origin() != public.origin()).then(|| PublicAddress {
        url: settings.origin.clone(),
        is_usable: !matches!(public.host_str(), Some("0.0.0.0" | "[::]")),
    })
}

/// The host that the browser sent the request to, as the request says. A proxy may replace `Host` by the name
/// under which it knows this server.
fn host<'a>(req: &'a HttpRequest, settings: &Settings) -> Option<&'a str> {
    let text = |name: HeaderName| req.headers().get(name).and_then(|value| value.to_str().ok());
    let forwarded = text(header::X_FORWARDED_HOST).filter(|_| forwarded::is_by_proxy(req, settings));
    forwarded.and_then(|hosts| hosts.split(',').next()).map(str::trim).or_else(|| text(header::HOST))
}
