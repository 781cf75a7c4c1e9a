//! Searches: subjects, resources, actions.

use crate::{
    domain::{
        Refused,
        decisions::{self, SearchResult},
    },
    web::{
        guard::{HandlerResult, decision::DecisionRequest},
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

/// The response to a search: `to_json` makes a result of each item.
fn search_response(
    request: &DecisionRequest,
    result: Result<SearchResult<String>, Refused>,
    to_json: impl Fn(String) -> Value,
) -> HandlerResult {
    match result {
        Ok(result) => {
            let results: Vec<Value> = result.items.into_iter().map(to_json).collect();
            let page =
                SearchResultsPage { count: results.len(), next_token: result.next.unwrap_or_default() };
            Ok(json(StatusCode::OK, &SearchResults { page, results }))
        }
        // A token of another search: a malformed request.
        Err(Refused::Invalid(invalid)) => {
            let complaints: Vec<&str> = invalid.iter().map(|(_, complaint)| complaint).collect();
            Ok(malformed(&request.view.req, Malformed(complaints.join(" "))))
        }
        Err(other) => Err(other),
    }
}

/// Searches for subjects that may do this.
pub async fn search_subjects(request: DecisionRequest) -> HandlerResult {
    let scope = request.admit().await?;
    let search: SubjectSearch = match body(&request) {
        Ok(search) => search,
        Err(why) => return Ok(malformed(&request.view.req, why)),
    };
    let (kind, page) = (&search.subject.r#type.0, &search.page);
    let (action, resource) = (&search.action.name.0, search.resource.named());
    let result = decisions::subjects(&scope, kind, action, resource, page.limit(), page.token()).await;
    search_response(&request, result, |id| json!({"type": kind, "id": id}))
}

/// Searches for resources on which the subject may do this.
pub async fn search_resources(request: DecisionRequest) -> HandlerResult {
    let scope = request.admit().await?;
    let search: ResourceSearch = match body(&request) {
        Ok(search) => search,
        Err(why) => return Ok(malformed(&request.view.req, why)),
    };
    let (subject, page) = (search.subject.subject(), &search.page);
    let (action, kind) = (&search.action.name.0, &search.resource.r#type.0);
    let result = decisions::resources(&scope, &subject, action, kind, page.limit(), page.token()).await;
    search_response(&request, result, |id| json!({"type": kind, "id": id}))
}

/// Searches for actions that the subject may do on this resource.
pub async fn search_actions(request: DecisionRequest) -> HandlerResult {
    let scope = request.admit().await?;
    let search: ActionSearch = match body(&request) {
        Ok(search) => search,
        Err(why) => return Ok(malformed(&request.view.req, why)),
    };
    let (subject, page) = (search.subject.subject(), &search.page);
    let resource = search.resource.named();
    let result = decisions::actions(&scope, &subject, resource, page.limit(), page.token()).await;
    search_response(&request, result, |name| json!({"name": name}))
}
