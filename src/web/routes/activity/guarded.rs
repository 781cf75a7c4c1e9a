//! What a refused request was for, in words.

use crate::web::{
    access::Access,
    route::Route,
    routes::{api_table, table},
};
use std::{collections::HashMap, sync::LazyLock};

/// The labels of the permissions that a route needs; empty where it needs none.
pub(super) fn guarded(route: &str) -> String {
    static LABELS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
        let label = |route: Route| match route.access {
            Access::Member(needs) if !needs.permissions().is_empty() => {
                let labels: Vec<_> = needs.permissions().iter().map(|p| p.label()).collect();
                Some((format!("{} {}", route.method, route.path), labels.join(" or ")))
            }
            _ => None,
        };
        table().into_iter().chain(api_table()).filter_map(label).collect()
    });
    LABELS.get(route).cloned().unwrap_or_default()
}
