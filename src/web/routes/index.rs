//! Builds the index of the table of routes.

use crate::web::{
    access::Requirement,
    api::openapi,
    route::Route,
    route_index::{ApiDocument, RouteIndex, RouteLabels},
    routes::{table, tags::TAGS},
};
use std::sync::{LazyLock, OnceLock};

/// The index of the table.
pub(crate) fn index() -> RouteIndex {
    let rows = table();
    RouteIndex {
        rows: rows.iter().map(|row| (row.path, row.facts())).collect(),
        navigation: rows.iter().filter_map(|row| row.nav).collect(),
        labels: labels(&rows),
        document: LazyLock::new(document),
    }
}

/// The labels of the permissions of each route that needs one.
fn labels(rows: &[Route]) -> RouteLabels {
    let label = |row: &Route| match row.requirement {
        Requirement::Member(needs) if !needs.permissions().is_empty() => {
            let labels: Vec<_> = needs.permissions().iter().map(|permission| permission.label()).collect();
            Some((format!("{} {}", row.method, row.path), labels.join(" or ")))
        }
        _ => None,
    };
    RouteLabels(rows.iter().filter_map(label).collect())
}

fn document() -> ApiDocument {
    let document = openapi::document(table().iter().filter_map(Route::operation), TAGS);
    let value = serde_json::to_value(&document).unwrap_or_default();
    ApiDocument { json: document.to_json().unwrap_or_default().into(), brotli: OnceLock::new(), value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{
        api::example,
        face::{Face, RateLimit},
    };
    use std::collections::HashSet;

    #[test]
    fn every_operation_has_a_name_of_its_own_and_a_sentence() {
        let mut ids = HashSet::new();
        for row in table() {
            let Route { path, operation_id: id, summary, face, .. } = &row;
            assert_eq!(
                matches!(face, Face::Page | Face::Gateway),
                id.is_empty() && row.operation().is_none(),
                "{path}"
            );
            if id.is_empty() {
                continue;
            }
            let is_camel_case = id.starts_with(|c: char| c.is_ascii_lowercase())
                && id.contains(|c: char| c.is_ascii_uppercase())
                && id.chars().all(|c| c.is_ascii_alphabetic());
            assert!(is_camel_case && ids.insert(*id), "{id} of {path}");
            assert!(!summary.is_empty(), "say in the table what {id} does");
        }
    }

    #[test]
    fn every_noun_with_operations_has_a_description() {
        let rows = table();
        let mut nouns: Vec<&str> =
            rows.iter().filter(|row| row.face != Face::Page).map(|row| row.noun).collect();
        nouns.dedup();
        let described: Vec<&str> = TAGS.iter().map(|(noun, _)| *noun).collect();
        assert_eq!(described, nouns, "left: src/web/routes/tags.rs, right: the table");
        assert!(TAGS.iter().all(|(_, about)| about.ends_with('.')), "{TAGS:?}");
    }

    #[test]
    fn every_text_of_the_document_has_an_example() {
        let forgotten = example::forgotten(&document().value["components"]["schemas"]);
        assert!(forgotten.is_empty(), "give these an example in src/web/api/example.rs: {forgotten:?}");
    }

    #[test]
    fn a_path_names_what_its_row_requires_to_be_admitted_to() {
        for Route { path, requirement, face, .. } in table() {
            let is_of_workspace = matches!(requirement, Requirement::Member(_));
            assert_eq!(path.contains("{account}"), requirement == Requirement::Account, "{path}");
            // A call may leave the workspace to its query, or to the home of the key.
            assert!(is_of_workspace || !path.contains("{workspace}"), "{path}");
            assert!(face != Face::Page || !is_of_workspace || path.starts_with("/w/{workspace}"), "{path}");
        }
    }

    #[test]
    fn a_noun_has_one_entry_in_the_sidebar_at_most() {
        for row in table() {
            if let Some(entry) = row.nav {
                assert_eq!(row.section, Some(entry.path), "{} has two", row.noun);
            }
        }
    }

    #[test]
    fn an_address_without_a_row_is_answered_as_its_nearest_is() {
        let index = index();
        for (path, face, policy) in [
            ("/", Face::Page, None),
            ("/nothing", Face::Page, None),
            ("/w/acme/nothing", Face::Page, None),
            ("/apiary", Face::Page, None),
            ("/api", Face::Api, Some("calls")),
            ("/api/", Face::Api, Some("calls")),
            ("/api/sso/v1/nothing", Face::Api, Some("calls")),
            ("/api/sso/v1/apikeys/verify/nothing", Face::Api, Some("verifications")),
            ("/access", Face::Decision, Some("decisions")),
            ("/access/v2/evaluation", Face::Decision, Some("decisions")),
            ("/.well-known/nothing", Face::Api, None),
            ("/openapi.json/nothing", Face::Api, None),
        ] {
            let facts = index.nearest(path);
            let limit = facts.rate_limit.map(|RateLimit { policy, .. }| policy);
            assert_eq!((facts.face, limit), (face, policy), "{path}");
        }
    }
}
