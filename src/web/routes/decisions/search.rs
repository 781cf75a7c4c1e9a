//! Searches: subjects, resources, actions.

use crate::{
    domain::{
        Refused,
        decisions::{self, Slice},
    },
    web::{
        guard::{Answer, decision::DecisionRequest},
        problem::json::json,
        routes::decisions::{
            evaluation::body,
            parse::{Malformed, malformed},
            schema::{ActionSearch, ResourceSearch, SearchResults, SearchResultsPage, SubjectSearch},
        },
    },
};
use actix_web::http::StatusCode;
use serde_json::{Value, json};

/// Answers a search: `tell` makes a result of each thing that was found.
fn found(
    asking: &DecisionRequest,
    slice: Result<Slice<String>, Refused>,
    tell: impl Fn(String) -> Value,
) -> Answer {
    match slice {
        Ok(slice) => {
            let results: Vec<Value> = slice.found.into_iter().map(tell).collect();
            let page = SearchResultsPage { count: results.len(), next_token: slice.next.unwrap_or_default() };
            Ok(json(StatusCode::OK, &SearchResults { page, results }))
        }
        // A token of another search: a malformed request.
        Err(Refused::Invalid(invalid)) => {
            let said: Vec<&str> = invalid.iter().map(|(_, complaint)| complaint).collect();
            Ok(malformed(&asking.view.req, Malformed(said.join(" "))))
        }
        Err(other) => Err(other),
    }
}

/// Who may do this?
pub async fn search_subjects(asking: DecisionRequest) -> Answer {
    let scope = asking.admit().await?;
    let search: SubjectSearch = match body(&asking) {
        Ok(search) => search,
        Err(why) => return Ok(malformed(&asking.view.req, why)),
    };
    let (kind, page) = (&search.subject.r#type.0, &search.page);
    let (action, resource) = (&search.action.name.0, &search.resource.r#type.0);
    let slice = decisions::subjects(&scope, kind, action, resource, page.limit(), page.token()).await;
    found(&asking, slice, |id| json!({"type": kind, "id": id}))
}

/// On which resources may this subject do that?
pub async fn search_resources(asking: DecisionRequest) -> Answer {
    let scope = asking.admit().await?;
    let search: ResourceSearch = match body(&asking) {
        Ok(search) => search,
        Err(why) => return Ok(malformed(&asking.view.req, why)),
    };
    let (subject, page) = (search.subject.subject(), &search.page);
    let (action, kind) = (&search.action.name.0, &search.resource.r#type.0);
    let slice = decisions::resources(&scope, &subject, action, kind, page.limit(), page.token()).await;
    found(&asking, slice, |id| json!({"type": kind, "id": id}))
}

/// What may this subject do with that?
pub async fn search_actions(asking: DecisionRequest) -> Answer {
    let scope = asking.admit().await?;
    let search: ActionSearch = match body(&asking) {
        Ok(search) => search,
        Err(why) => return Ok(malformed(&asking.view.req, why)),
    };
    let (subject, kind, page) = (search.subject.subject(), &search.resource.r#type.0, &search.page);
    let slice = decisions::actions(&scope, &subject, kind, page.limit(), page.token()).await;
    found(&asking, slice, |name| json!({"name": name}))
}
