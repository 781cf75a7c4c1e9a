//! Refuses cross-site requests, before anything else handles them.

use crate::web::{app::App, matched, problem};
use actix_web::{
    Error, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};

/// Middleware: a changing request must come from our own pages, where its route's face says so. Browsers say
/// where it comes from in Sec-Fetch-Site, older ones in Origin; a program says neither, and then the form's
/// token decides.
pub(crate) async fn refuse_cross_site<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let refuses = || matched::facts(req.request()).face.refuses_other_sites();
    if is_safe(req.method()) || is_ours(req.request()) || !refuses() {
        return Ok(next.call(req).await?.map_into_right_body());
    }
    let response = problem::cross_site(req.request());
    Ok(req.into_response(response).map_into_left_body())
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_ours(req: &HttpRequest) -> bool {
    let text = |name: &str| req.headers().get(name).map(|value| value.to_str().unwrap_or("").to_owned());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match text(header::ORIGIN.as_str()) {
        Some(origin) => req.app_data::<web::Data<App>>().is_some_and(|app| origin == app.settings.origin),
        None => true,
    }
}
