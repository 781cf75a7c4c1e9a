//! The row of the table that a request matched. The router decides which: what stands here was put beside
//! each path when it was mounted, so an address that is written in another way is no way around it.

use crate::web::{app::App, face::RouteFacts};
use actix_web::{HttpRequest, http::Method, web::Data};

/// A path as it is mounted, with the facts of its rows.
pub(in crate::web) struct MountedPath {
    /// The pattern, such as `/w/{workspace}/members`.
    pub path: &'static str,
    /// The first is that of requests by a method without a row.
    pub rows: Vec<(Method, RouteFacts)>,
    /// The path of the entry of the sidebar that its pages belong to.
    pub section: Option<&'static str>,
}

impl MountedPath {
    fn facts(&self, method: &Method) -> Option<RouteFacts> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let row = self.rows.iter().find(|(of, _)| of == method).or(self.rows.first());
        row.map(|(_, facts)| *facts)
    }
}

fn mounted(req: &HttpRequest) -> Option<&MountedPath> {
    req.app_data::<MountedPath>()
}

/// What follows from the row that the request matched; where none did, from the nearest.
pub(in crate::web) fn facts(req: &HttpRequest) -> RouteFacts {
    let nearest = || {
        let app = req.app_data::<Data<App>>()?;
        // The path that the router goes by, which has `/%61pi` as `/api`.
        Some(app.routes.nearest(req.match_info().as_str()))
    };
    let facts = mounted(req).and_then(|mounted| mounted.facts(req.method())).or_else(nearest);
    facts.unwrap_or(RouteFacts::PAGE)
}

/// The pattern of the path; `None` for an address that no row has.
pub(in crate::web) fn pattern(req: &HttpRequest) -> Option<&'static str> {
    mounted(req).map(|mounted| mounted.path)
}

/// The path of the entry of the sidebar that the page belongs to, if it belongs to one.
pub(in crate::web) fn section(req: &HttpRequest) -> Option<&'static str> {
    mounted(req)?.section
}
