//! Mounts the table.

use crate::web::{
    cors,
    face::{Face, RouteFacts},
    gateway::forward::not_here,
    matched::{FormPage, MountedPath},
    middleware::{
        body::read_chunked, cross_site::refuse_cross_site, limits::limit_calls, slash::not_found,
        static_files,
    },
    problem::{self, method_not_allowed},
    route::Route,
    routes::{stripe_webhook, table},
};
use actix_web::{
    HttpRequest, HttpResponse, Resource,
    dev::HttpServiceFactory,
    guard,
    http::{Method, header},
    middleware::from_fn,
    web,
};

/// A path of the table, with its rows.
struct Path {
    path: &'static str,
    rows: Vec<Route>,
}

/// Mounts the rows of the gateway: whatever the method and the path, they are the destination's. Nothing reads their
/// bodies or changes their answers.
pub(crate) fn mount_gateway(config: &mut web::ServiceConfig) {
    for path in paths(table()).into_iter().filter(Path::is_of_gateway) {
        // The rest of the address may have slashes.
        let pattern = path.path.replace("{path}", "{path:.*}");
        let mut resource = web::resource(pattern).app_data(path.mounted(&[]));
        for row in &path.rows {
            resource = resource.route(row.mounted());
        }
        config.service(resource);
    }
}

/// The answer to whatever is no request to the gateway, at an address that has nothing else.
pub(crate) fn mount_nothing_else(config: &mut web::ServiceConfig) {
    config.default_service(web::to(not_here));
}

/// The answer to an address that no row has.
pub(crate) fn mount_elsewhere(config: &mut web::ServiceConfig) {
    let elsewhere = web::to(not_found)
        .wrap(from_fn(limit_calls))
        .wrap(from_fn(refuse_cross_site))
        .wrap(from_fn(read_chunked));
    config.default_service(elsewhere);
}

/// Mounts the table without the gateway: one resource a path, which answers 405 to the methods that it has no row for.
/// Beside it are the static files, and 404 for every other address.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    let mut paths = paths(table());
    paths.retain(|path| !path.is_of_gateway());
    let with_page: Vec<&'static str> =
        paths.iter().filter(|path| path.has_page()).map(|path| path.path).collect();
    for beginning in prefixes(&paths) {
        let mut scope = web::scope(beginning);
        for path in paths.extract_if(.., |path| below(beginning, path.path).is_some()) {
            let rest = below(beginning, path.path).unwrap_or_default();
            scope = scope.service(guarded(path.resource(rest, &with_page)));
        }
        config.service(scope);
    }
    for path in paths {
        config.service(guarded(path.resource(path.path, &with_page)));
    }
    let static_files = web::resource("/static/{file:.*}")
        .app_data(MountedPath { path: "/static/{file}", rows: Vec::new(), section: None, form_page: None })
        .guard(guard::Get())
        .to(static_files::serve);
    config.service(guarded(static_files));
    config.service(guarded(of_stripe()));
    mount_elsewhere(config);
}

/// The address for what Stripe sends, which has no row: nobody is admitted there, it is in no document, and without the
/// settings of Stripe nothing is there.
fn of_stripe() -> Resource {
    let facts = RouteFacts { face: Face::Api, ..RouteFacts::PAGE };
    let path = stripe_webhook::PATH;
    web::resource(path)
        .app_data(MountedPath { path, rows: vec![(Method::POST, facts)], section: None, form_page: None })
        .route(web::post().to(stripe_webhook::receive))
        .default_service(web::to(stripe_webhook::refuse))
}

/// Wraps a path in the middleware that needs the matched row. The last one runs first.
fn guarded(resource: Resource) -> impl HttpServiceFactory + 'static {
    resource.wrap(from_fn(limit_calls)).wrap(from_fn(refuse_cross_site)).wrap(from_fn(read_chunked))
}

/// The rows by their paths, in the table's order.
fn paths(rows: Vec<Route>) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    for row in rows {
        match paths.iter_mut().find(|path| path.path == row.path) {
            Some(path) => path.rows.push(row),
            None => paths.push(Path { path: row.path, rows: vec![row] }),
        }
    }
    paths
}

/// The fewest paths with a common prefix that get a scope of their own.
const MIN_SHARING_PREFIX: usize = 5;

/// The common prefixes of many paths: for the paths that share their first segment, everything that they
/// share. A request is compared with the prefixes, and then only with the paths below the matching one.
/// Prefixes without a parameter come first, because comparing them is cheaper.
fn prefixes(paths: &[Path]) -> Vec<&'static str> {
    let mut beginnings: Vec<(usize, &'static str)> = Vec::new();
    for &Path { path, .. } in paths {
        let known = beginnings.iter_mut().find(|(_, beginning)| !shared(beginning, path).is_empty());
        match known {
            Some((count, beginning)) => (*count, *beginning) = (*count + 1, shared(beginning, path)),
            None => beginnings.push((1, path)),
        }
    }
    let mut many: Vec<_> = beginnings
        .into_iter()
        .filter(|(count, _)| *count >= MIN_SHARING_PREFIX)
        .map(|(_, beginning)| beginning)
        .collect();
    many.sort_by_key(|beginning| beginning.contains('{'));
    many
}

/// The leading segments that two paths share.
fn shared(one: &'static str, other: &str) -> &'static str {
    let ends = one.match_indices('/').map(|(at, _)| at).skip(1).chain([one.len()]);
    let shared = ends.map(|end| &one[..end]).take_while(|start| below(start, other).is_some());
    shared.last().unwrap_or_default()
}

/// The rest of a path below a prefix; empty for the prefix itself.
fn below<'a>(beginning: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(beginning).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Path {
    fn has_page(&self) -> bool {
        self.rows.iter().any(|row| row.face == Face::Page && row.method == Method::GET)
    }

    fn is_of_gateway(&self) -> bool {
        self.rows.iter().any(|row| row.face == Face::Gateway)
    }

    fn mounted(&self, with_page: &[&str]) -> MountedPath {
        MountedPath {
            path: self.path,
            rows: self.rows.iter().map(|row| (row.method.clone(), row.facts())).collect(),
            section: self.rows.iter().find_map(|row| row.section),
            form_page: self.form_page(with_page),
        }
    }

    /// The path as it is mounted. `rest` is the path without what the scope around it begins with.
    fn resource(&self, rest: &str, with_page: &[&str]) -> Resource {
        let mut resource = web::resource(rest).app_data(self.mounted(with_page));
        for row in &self.rows {
            resource = resource.route(row.mounted());
        }
        let allowed = self.allowed();
        let is_page = self.rows.iter().all(|row| row.face == Face::Page);
        let levels = page_above(self.path, |parent| with_page.contains(&parent) || parent.is_empty());
        resource.default_service(web::to(move |req: HttpRequest| {
            let allowed = allowed.clone();
            async move {
                match *req.method() {
                    Method::OPTIONS => match cors::preflight(&req, &allowed).await {
                        Ok(answer) => answer.unwrap_or_else(|| method_not_allowed(&req, &allowed)),
                        Err(refused) => problem::respond(&req, &refused),
                    },
                    // A path of pages whose GET has a row does not come here with a GET.
                    Method::GET | Method::HEAD if is_page => redirect_up(&req, levels),
                    _ => method_not_allowed(&req, &allowed),
                }
            }
        }))
    }

    /// The page that shows its form: its own, the one that creates what the path lists, or the nearest above.
    fn form_page(&self, with_page: &[&str]) -> Option<FormPage> {
        self.rows.iter().find(|row| row.face == Face::Page && row.method == Method::POST)?;
        let new = "/new";
        let is_page = |path: &str| with_page.contains(&path) || path.is_empty();
        Some(match self.path {
            path if is_page(&format!("{path}{new}")) => FormPage { levels_up: 0, suffix: new },
            path if is_page(path) => FormPage { levels_up: 0, suffix: "" },
            path => FormPage { levels_up: page_above(path, is_page), suffix: "" },
        })
    }

    /// The methods that it has rows for, as `Allow` names them.
    fn allowed(&self) -> String {
        let methods = self.rows.iter().flat_map(|row| match row.method.as_str() {
            "GET" => vec!["GET", "HEAD"],
            other => vec![other],
        });
        methods.collect::<Vec<_>>().join(", ")
    }
}

/// How many segments lie between a path and the nearest page above it.
fn page_above(path: &str, is_page: impl Fn(&str) -> bool) -> usize {
    let parents = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent));
    parents.skip(1).take_while(|parent| !is_page(parent)).count() + 1
}

/// Redirects to the page above. Reloading the response to a form, after the session has ended for example,
/// requests an address that only accepts forms.
fn redirect_up(req: &HttpRequest, levels_up: usize) -> HttpResponse {
    let to = FormPage { levels_up, suffix: "" }.of(req.path());
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_paths_begin_with_is_compared_first() {
        let beginnings = prefixes(&paths(table()));
        assert_eq!(
            beginnings,
            ["/me", "/workspaces", "/api/sso/v1", "/access/v1", "/a/{account}", "/w/{workspace}"]
        );
    }

    #[test]
    fn paths_share_whole_segments() {
        assert_eq!(shared("/a/b/c", "/a/b/d"), "/a/b");
        assert_eq!(shared("/a/b", "/a/bc"), "/a");
        assert_eq!(shared("/a", "/a/b"), "/a");
        assert_eq!(shared("/ab", "/a"), "");
        assert_eq!(shared("/", "/a"), "");
    }
}
