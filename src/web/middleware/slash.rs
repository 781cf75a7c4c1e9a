//! Leads from an address with a slash at its end to the page without it.

use crate::web::{app::App, problem};
use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};

/// The response to an address that no row has: a redirect, if it has a slash too many, or else 404.
pub(crate) async fn not_found(req: HttpRequest) -> HttpResponse {
    match without_slash(&req) {
        Some(to) => HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish(),
        None => problem::not_found(req).await,
    }
}

/// The address of a page, without the slashes at the end of this one.
fn without_slash(req: &HttpRequest) -> Option<String> {
    let path = req.uri().path();
    let page = path.trim_end_matches('/');
    // Two slashes at the start would name another host, to which nothing may lead.
    let is_plain =
        page.len() < path.len() && page.starts_with('/') && !page.contains("//") && !page.contains('\\');
    let app = req.app_data::<Data<App>>()?;
    if !req.method().is_safe()
        || !is_plain
        || !app.routes.has(req.match_info().as_str().trim_end_matches('/'))
    {
        return None;
    }
    Some(match req.uri().query() {
        Some(query) => format!("{page}?{query}"),
        None => page.to_owned(),
    })
}
