//! The facts of the row that a request matched. The router decides which row: the facts were stored with each
//! path when it was mounted, so writing an address in another way does not change them.

use crate::web::{app::App, face::RouteFacts};
use actix_web::{HttpRequest, http::Method, web::Data};

/// A path as it is mounted, with the facts of its rows.
pub(in crate::web) struct MountedPath {
    /// The pattern, such as `/w/{workspace}/members`.
    pub path: &'static str,
    /// The first one also applies to methods without a row.
    pub rows: Vec<(Method, RouteFacts)>,
    /// The path of the entry of the sidebar that its pages belong to.
    pub section: Option<&'static str>,
    /// Where the page is that shows the form of this path; `None` if it has no form.
    pub form_page: Option<FormPage>,
}

/// Where the page is that shows a form, from the path of the form.
#[derive(Clone, Copy)]
pub(in crate::web) struct FormPage {
    /// How many segments are removed from the end.
    pub levels_up: usize,
    /// What is added then.
    pub suffix: &'static str,
}

impl FormPage {
    pub(in crate::web) fn of(self, path: &str) -> String {
        let kept = path.rsplitn(self.levels_up + 1, '/').last().unwrap_or_default();
        match format!("{kept}{}", self.suffix) {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        }
    }
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

/// The facts of the row that the request matched; if there is none, those of the nearest row.
pub(in crate::web) fn facts(req: &HttpRequest) -> RouteFacts {
    let nearest = || {
        let app = req.app_data::<Data<App>>()?;
        // The path that the router uses, in which `/%61pi` is `/api`.
        Some(app.routes.nearest(req.match_info().as_str()))
    };
    let facts = mounted(req).and_then(|mounted| mounted.facts(req.method())).or_else(nearest);
    facts.unwrap_or(RouteFacts::PAGE)
}

/// The path of the page that shows the form of this request; `None` if there is none.
pub(in crate::web) fn form_page(req: &HttpRequest) -> Option<String> {
    Some(mounted(req)?.form_page?.of(req.path()))
}

/// The pattern of the matched path; `None` if no row matches the address.
pub(in crate::web) fn pattern(req: &HttpRequest) -> Option<&'static str> {
    mounted(req).map(|mounted| mounted.path)
}

/// The path of the entry of the sidebar that the page belongs to, if it belongs to one.
pub(in crate::web) fn section(req: &HttpRequest) -> Option<&'static str> {
    mounted(req)?.section
}
