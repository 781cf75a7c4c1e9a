//! An index of the table of routes, for code below the table. Built once, at start-up.

use crate::web::{face::RouteFacts, nav::NavEntry};
use actix_web::web::Bytes;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

/// An index of the table of routes.
pub struct RouteIndex {
    /// Each row's path and facts, in the table's order.
    pub rows: Vec<(&'static str, RouteFacts)>,
    /// The entries of the sidebars, in the table's order.
    pub navigation: Vec<NavEntry>,
    pub labels: RouteLabels,
    /// The OpenAPI document, built when it is first used.
    pub document: LazyLock<ApiDocument>,
}

/// The labels of the permissions that routes need.
#[derive(Debug, Default)]
pub struct RouteLabels(
    /// By method and path, such as `POST /w/{workspace}/invitations`. Routes without a permission are left out.
    pub HashMap<String, String>,
);

impl RouteLabels {
    /// The labels of the permissions that a route needs; empty if it needs none.
    pub(in crate::web) fn of(&self, route: &str) -> &str {
        self.0.get(route).map_or("", String::as_str)
    }
}

/// The OpenAPI document.
pub struct ApiDocument {
    /// As it is served. Clones share it.
    pub json: Bytes,
    /// Compressed, once somebody asks for it.
    pub brotli: OnceLock<Bytes>,
    /// As the API's documentation page reads it.
    pub value: Value,
}

impl RouteIndex {
    /// Whether a path, without a slash at its end, is that of a row.
    pub(in crate::web) fn has(&self, path: &str) -> bool {
        let segments = |path: &str| path.split('/').count();
        let is_whole = |pattern: &&str| {
            segments(pattern) == segments(path) && shared_segments(pattern, path) == segments(path) - 1
        };
        self.rows.iter().any(|(pattern, _)| is_whole(pattern))
    }

    /// The facts for an address that no row has: those of the row that shares the most leading segments
    /// with it, the first of them where several do. Where none shares any, the address is a page's.
    pub(in crate::web) fn nearest(&self, path: &str) -> RouteFacts {
        let mut nearest = (0, RouteFacts::PAGE);
        for (pattern, facts) in &self.rows {
            let shared = shared_segments(pattern, path);
            if shared > nearest.0 {
                nearest = (shared, *facts);
            }
        }
        nearest.1
    }
}

/// How many leading segments of the path the pattern has as well.
fn shared_segments(pattern: &str, path: &str) -> usize {
    let segments = |path| str::split(path, '/').skip(1).filter(|segment| !segment.is_empty());
    let fits = |(requested, segment): &(&str, &str)| requested == segment || requested.starts_with('{');
    segments(pattern).zip(segments(path)).take_while(fits).count()
}
