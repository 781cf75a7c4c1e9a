//! What all nouns declare together, held against the product's table of routes.

use super::ALL;
use crate::{
    support::product::{Permission, Requirement, Route, call_rows, page_rows},
    walk::{Param, Row},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Every page and form, in the order of the table.
///
/// # Panics
/// Where the table has a route that no noun declares, or a noun one that the table does not have.
pub fn pages() -> &'static [Row] {
    static PAGES: LazyLock<Vec<Row>> =
        LazyLock::new(|| in_order(page_rows(), ALL.iter().map(|noun| (noun.file(), noun.pages())).collect()));
    &PAGES
}

/// Every route of the API, in the order of the table. Panics as [`pages`] does.
pub fn calls() -> &'static [Row] {
    static CALLS: LazyLock<Vec<Row>> =
        LazyLock::new(|| in_order(call_rows(), ALL.iter().map(|noun| (noun.file(), noun.calls())).collect()));
    &CALLS
}

/// The page of this path.
pub fn page(path: &str) -> &'static Row {
    let page = pages().iter().find(|row| row.is_page() && row.path == path);
    page.unwrap_or_else(|| panic!("no noun declares a page {path}"))
}

/// The call of this method and path.
pub fn call(route: &str) -> &'static Row {
    let call = calls().iter().find(|row| row.name() == route);
    call.unwrap_or_else(|| panic!("no noun declares a call {route}"))
}

/// The form that is sent to this address.
pub fn form_at(path: &str) -> &'static Row {
    row_at("POST", path).unwrap_or_else(|| panic!("no noun declares POST {path}"))
}

/// The page or the form's target at this address: the first that fits, as in the app.
pub fn row_at(method: &str, path: &str) -> Option<&'static Row> {
    let fits = |row: &&Row| {
        let (parts, known): (Vec<_>, Vec<_>) = (path.split('/').collect(), row.path.split('/').collect());
        let same = |(part, known): (&&str, &&str)| known.starts_with('{') || part == known;
        row.method == method && parts.len() == known.len() && parts.iter().zip(&known).all(same)
    };
    pages().iter().find(fits)
}

/// The parameter in braces in a path.
///
/// # Panics
/// Where no noun says what that is.
pub fn param(row: &Row, name: &str) -> &'static Param {
    static PARAMS: LazyLock<BTreeMap<&str, Param>> = LazyLock::new(|| {
        ALL.iter().flat_map(|noun| noun.params()).map(|param| (param.name, param)).collect()
    });
    PARAMS.get(name).unwrap_or_else(|| {
        panic!("what stands for {{{name}}} in {}? Say it in `params` of {}", row.name(), row.file)
    })
}

fn in_order(table: Vec<Route>, nouns: Vec<(&'static str, Vec<Row>)>) -> Vec<Row> {
    let routes: Vec<String> = table.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let files: Vec<(&str, &str)> =
        nouns.iter().flat_map(|(file, rows)| rows.iter().map(|row| (row.path, *file))).collect();
    let mut declared: BTreeMap<String, Row> = BTreeMap::new();
    for (file, rows) in nouns {
        let mut last = 0;
        for row in rows {
            let name = row.name();
            let at = routes.iter().position(|route| *route == name);
            let at =
                at.unwrap_or_else(|| panic!("{file} declares {name}, which is not in the product's table"));
            assert!(at >= last, "{file} declares {name} in another order than the product's table");
            last = at;
            let before = declared.insert(name.clone(), row.of(file));
            assert!(before.is_none(), "two nouns declare {name}");
        }
    }
    let take = |(name, route): (String, &Route)| {
        declared.remove(&name).unwrap_or_else(|| panic!("{}", missing(&name, route.path, &files)))
    };
    routes.iter().cloned().zip(&table).map(take).collect()
}

/// Which file is to be edited, so that the walkers know a route.
fn missing(name: &str, path: &str, files: &[(&str, &str)]) -> String {
    let segment = |path: &str| {
        path.split('/').find(|part| part.len() > 1 && !part.starts_with('{')).unwrap_or_default().to_owned()
    };
    let beyond = |path: &str| {
        let prefixes = ["/w/{workspace}", "/a/{account}", "/api/sso/v1", "/access/v1"];
        segment(prefixes.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path))
    };
    let neighbour = files.iter().find(|(other, _)| beyond(other) == beyond(path));
    let file = neighbour.map_or_else(
        || {
            format!(
                "a new file tests/nouns/{}.rs, registered in tests/nouns/mod.rs",
                beyond(path).replace('-', "_")
            )
        },
        |(_, file)| (*file).to_owned(),
    );
    format!(
        "no noun declares {name}: who may call it, what stands in its path, and what does its form or body hold? \
         Say it in {file}"
    )
}

/// Pages mark a permission that is not built as coming soon.
#[test]
fn a_permission_is_built_if_and_only_if_a_route_requires_it() {
    let routes = page_rows().into_iter().chain(call_rows());
    let required = routes.filter_map(|route| match route.requirement {
        Requirement::Member(needs) => Some(needs.permissions()),
        _ => None,
    });
    let required: BTreeSet<Permission> = required.flatten().collect();
    for permission in Permission::ALL {
        let (is_built, scope) = (permission.is_built(), permission.scope());
        let is_required = required.contains(permission);
        assert_eq!(is_built, is_required, "{scope}: `built` or `later` in src/policy/catalogue.rs?");
    }
}

#[test]
fn a_route_that_no_noun_declares_says_which_file_to_edit() {
    let files = [("/w/{workspace}/teams/{team}", "tests/nouns/teams.rs")];
    let known =
        missing("POST /w/{workspace}/teams/{team}/badge", "/w/{workspace}/teams/{team}/badge", &files);
    assert!(known.ends_with("Say it in tests/nouns/teams.rs"), "{known}");
    let new = missing("GET /w/{workspace}/oauth-clients", "/w/{workspace}/oauth-clients", &files);
    assert!(new.contains("a new file tests/nouns/oauth_clients.rs"), "{new}");
}
