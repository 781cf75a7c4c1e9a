//! Refuses cross-site requests, before anything else handles them.

use crate::web::{
    cors,
    face::Face,
    matched, problem,
    site::{self, Site},
};
use actix_web::{
    Error, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
};

/// Middleware: a changing request that another site caused is refused, where its route's face says so. Where the
/// browser does not say which site caused it, the form's token decides. A call whose workspace may name the site goes
/// on to its admission, which knows the workspace.
pub(crate) async fn refuse_cross_site<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let goes_on =
        is_safe(req.method()) || !is_foreign(req.request()) || cors::origin_of(req.request()).is_some();
    if goes_on {
        let mut response = next.call(req).await?.map_into_right_body();
        let (req, head) = (response.request().clone(), response.response_mut().headers_mut());
        cors::describe(&req, head);
        return Ok(response);
    }
    let response = problem::cross_site(req.request());
    Ok(req.into_response(response).map_into_left_body())
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_foreign(req: &HttpRequest) -> bool {
    let face = matched::facts(req).face;
    face.refuses_other_sites()
        && match site::of(req) {
            Site::Own => false,
            Site::Foreign => true,
            // A call has no form with a token: a program sends no Origin, and what does is a page of another site.
            Site::Unknown => face != Face::Page && req.headers().contains_key(header::ORIGIN),
        }
}
