use crate::web::api::operation::Operation;
use serde_json::{Value, json};
use utoipa::ToSchema;

// What the document of the API says of all this. Nothing is read by these types.

/// Who is asked about.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct SubjectOfDecision {
    /// `user` or `api_key`.
    #[schema(min_length = 1)]
    r#type: String,
    /// An id, a confirmed address, or what your applications call them.
    #[schema(min_length = 1)]
    id: String,
    #[schema(required = false, value_type = Object)]
    properties: Value,
}

/// The same in a search for it.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct SubjectSought {
    #[schema(min_length = 1)]
    r#type: String,
    #[schema(required = false, value_type = Object)]
    properties: Value,
}

/// What they would do.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct ActionOfDecision {
    #[schema(min_length = 1)]
    name: String,
    #[schema(required = false, value_type = Object)]
    properties: Value,
}

/// To what. With the action, its type is the scope that is asked for: `read` and `record` are `read:record`.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct ResourceOfDecision {
    #[schema(min_length = 1)]
    r#type: String,
    #[schema(min_length = 1)]
    id: String,
    #[schema(required = false, value_type = Object)]
    properties: Value,
}

/// The same in a search for it.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct ResourceSought {
    #[schema(min_length = 1)]
    r#type: String,
    #[schema(required = false, value_type = Object)]
    properties: Value,
}

/// One question.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct Evaluation {
    subject: SubjectOfDecision,
    action: ActionOfDecision,
    resource: ResourceOfDecision,
    /// Changes nothing here.
    #[schema(required = false, value_type = Object)]
    context: Value,
}

/// Many questions; what one leaves out is as it stands beside them.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct Evaluations {
    #[schema(required = false)]
    subject: SubjectOfDecision,
    #[schema(required = false)]
    action: ActionOfDecision,
    #[schema(required = false)]
    resource: ResourceOfDecision,
    #[schema(required = false, value_type = Object)]
    context: Value,
    #[schema(min_items = 1, max_items = 1000, value_type = Vec<Object>)]
    evaluations: Vec<Value>,
    #[schema(required = false)]
    options: EvaluationOptions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct EvaluationOptions {
    #[schema(required = false)]
    evaluations_semantic: EvaluationSemantic,
}

/// When a batch ends before its last question.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "described alone")]
enum EvaluationSemantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

/// A decision, and why.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct DecisionBody {
    decision: bool,
    #[schema(value_type = Object)]
    context: Value,
}

/// A decision for each question, in their order.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct DecisionsBody {
    evaluations: Vec<DecisionBody>,
}

/// Which part of what a search found.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct SearchPage {
    /// `next_token` of the answer before.
    #[schema(required = false)]
    token: String,
    #[schema(required = false, minimum = 1)]
    limit: u32,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct SubjectSearch {
    subject: SubjectSought,
    action: ActionOfDecision,
    resource: ResourceOfDecision,
    #[schema(required = false, value_type = Object)]
    context: Value,
    #[schema(required = false)]
    page: SearchPage,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct ResourceSearch {
    subject: SubjectOfDecision,
    action: ActionOfDecision,
    resource: ResourceSought,
    #[schema(required = false, value_type = Object)]
    context: Value,
    #[schema(required = false)]
    page: SearchPage,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct ActionSearch {
    subject: SubjectOfDecision,
    resource: ResourceOfDecision,
    #[schema(required = false, value_type = Object)]
    context: Value,
    #[schema(required = false)]
    page: SearchPage,
}

/// What a search found, and where it goes on.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct SearchResults {
    #[schema(value_type = Vec<Object>)]
    results: Vec<Value>,
    page: SearchResultsPage,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "described alone")]
struct SearchResultsPage {
    /// Empty on the last page.
    next_token: String,
    count: u32,
}

/// One question.
pub(in crate::web) fn evaluation(operation: &mut Operation) {
    operation.body::<Evaluation>();
    operation.answer::<DecisionBody>(200);
    operation.example = Some(json!({"subject": who(), "action": what(), "resource": to_what()}));
}

/// Many questions, or one.
pub(in crate::web) fn evaluations(operation: &mut Operation) {
    operation.body_of_either::<Evaluations, Evaluation>();
    operation.answer_of_either::<DecisionsBody, DecisionBody>(200);
    operation.example = Some(json!({
        "subject": who(),
        "resource": to_what(),
        "evaluations": [{"action": what()}, {"action": {"name": "write"}}],
    }));
}

pub(in crate::web) fn subject_search(operation: &mut Operation) {
    operation.body::<SubjectSearch>();
    operation.answer::<SearchResults>(200);
    operation.example = Some(json!({"subject": {"type": "user"}, "action": what(), "resource": to_what()}));
}

pub(in crate::web) fn resource_search(operation: &mut Operation) {
    operation.body::<ResourceSearch>();
    operation.answer::<SearchResults>(200);
    operation.example = Some(json!({"subject": who(), "action": what(), "resource": {"type": "record"}}));
}

pub(in crate::web) fn action_search(operation: &mut Operation) {
    operation.body::<ActionSearch>();
    operation.answer::<SearchResults>(200);
    operation.example = Some(json!({"subject": who(), "resource": to_what()}));
}

// What the examples ask about.

fn who() -> Value {
    json!({"type": "user", "id": "alice"})
}

fn what() -> Value {
    json!({"name": "read"})
}

fn to_what() -> Value {
    json!({"type": "record", "id": "42"})
}
