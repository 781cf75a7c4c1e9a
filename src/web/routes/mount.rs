use crate::web::{
    problem::{json, method_not_allowed},
    route::Route,
    routes::{api_table, table},
};
use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{Method, header},
    web,
};

/// The page nearest above an address that has none of its own, and how many parts of the path lie
/// between them.
fn page_above(path: &str, is_page: impl Fn(&str) -> bool) -> usize {
    let parents = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent));
    parents.skip(1).take_while(|parent| !is_page(parent)).count() + 1
}

/// Somebody who reloads what a form answered, with the session over, say, asks for an address that
/// only takes forms: the page above it is what they want.
fn lead_up(req: &HttpRequest, parts: usize) -> HttpResponse {
    let kept = req.path().rsplitn(parts + 1, '/').last().unwrap_or_default();
    let to = if kept.is_empty() { "/" } else { kept };
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// What many addresses begin with. A request is compared with these, and then only with what begins
/// like it does; those that programs ask for most come first.
const BEGINNINGS: [&str; 4] = ["/access/v1", "/api/sso/v1", "/w/{workspace}", "/a/{account}"];

/// Mounts the table: one resource a path, which answers 405 to the methods that it has no row for.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    let mut resources: Vec<(&'static str, Vec<Route>)> = Vec::new();
    for route in table().into_iter().chain(api_table()) {
        match resources.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => resources.push((route.path, vec![route])),
        }
    }
    let pages: Vec<&str> =
        table().iter().filter(|row| row.method == Method::GET).map(|row| row.path).collect();
    for beginning in BEGINNINGS {
        let rest = |path: &'static str| {
            path.strip_prefix(beginning).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut scope = web::scope(beginning);
        for (path, routes) in resources.extract_if(.., |(path, _)| rest(path).is_some()) {
            scope = scope.service(resource(rest(path).unwrap_or_default(), path, routes, &pages));
        }
        config.service(scope);
    }
    for (path, routes) in resources {
        config.service(resource(path, path, routes, &pages));
    }
}

/// One path with its rows. `rest` is the path without what the scope around it begins with.
fn resource(rest: &str, path: &'static str, routes: Vec<Route>, pages: &[&str]) -> Resource {
    let has_page = pages.contains(&path);
    let parts = page_above(path, |parent| pages.contains(&parent) || parent.is_empty());
    let allowed: Vec<String> = routes
        .iter()
        .flat_map(|route| match route.method.as_str() {
            "GET" => vec!["GET".to_owned(), "HEAD".to_owned()],
            other => vec![other.to_owned()],
        })
        .collect();
    let allowed = allowed.join(", ");
    let mut resource = web::resource(rest);
    for route in routes {
        resource = resource.route((route.mount)());
    }
    resource.default_service(web::to(move |req: HttpRequest| {
        let allowed = allowed.clone();
        async move {
            match *req.method() {
                Method::GET | Method::HEAD if !has_page && !json::is_asked(&req) => lead_up(&req, parts),
                _ => method_not_allowed(&req, &allowed),
            }
        }
    }))
}
