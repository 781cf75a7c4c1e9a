//! The bodies of questions and of their answers, as the API's document describes them. Members with
//! a leading `_` are checked for their type, and otherwise ignored.

use crate::{
    domain::{
        base::subject::Subject,
        decisions::{MAX_RESULTS, NamedResource, Question},
    },
    web::{
        api::{operation::Operation, spec},
        routes::decisions::parse::{
            AnyList, AnyObject, NonEmptyText, ParseResult, Properties, limit, missing, object, optional,
            optional_object, text,
        },
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{ToSchema, openapi::path::ParameterIn};

/// Whose access to check.
#[derive(Deserialize, ToSchema)]
pub(super) struct SubjectOfDecision {
    /// `user` (or `identity`, or `person`), or `api_key`.
    #[schema(value_type = String, min_length = 1)]
    r#type: NonEmptyText,
    /// An ID, a confirmed e-mail address or an external ID.
    #[schema(value_type = String, min_length = 1)]
    id: NonEmptyText,
    #[serde(default, rename = "properties")]
    #[schema(value_type = Object, nullable)]
    _properties: AnyObject,
}

impl SubjectOfDecision {
    pub(super) fn subject(&self) -> Subject {
        Subject::read(&self.r#type.0, &self.id.0)
    }
}

/// The subjects to search for.
#[derive(Deserialize, ToSchema)]
pub(super) struct SubjectType {
    #[schema(value_type = String, min_length = 1)]
    pub r#type: NonEmptyText,
    #[serde(default, rename = "properties")]
    #[schema(value_type = Object, nullable)]
    _properties: AnyObject,
}

/// The action to check.
#[derive(Deserialize, ToSchema)]
pub(super) struct ActionOfDecision {
    #[schema(value_type = String, min_length = 1)]
    pub name: NonEmptyText,
    #[serde(default, rename = "properties")]
    #[schema(value_type = Object, nullable)]
    _properties: AnyObject,
}

/// The resource to check. The action and the type form the scope: `read` and `record` are `read:record`. `send` on a
/// `destination`, whose ID is a host, is decided as the gateway would.
#[derive(Deserialize, ToSchema)]
pub(super) struct ResourceOfDecision {
    #[schema(value_type = String, min_length = 1)]
    pub r#type: NonEmptyText,
    #[schema(value_type = String, min_length = 1)]
    pub id: NonEmptyText,
    /// `owner` says whose it is, for scopes such as `write:own`: the ID of a user, or an object with `type` and `id`.
    #[serde(default)]
    #[schema(value_type = Object, nullable)]
    pub properties: Properties,
}

impl ResourceOfDecision {
    pub(super) fn named(&self) -> NamedResource<'_> {
        NamedResource { kind: &self.r#type.0, id: &self.id.0, owner: self.properties.owner.as_ref() }
    }
}

/// The resources to search for.
#[derive(Deserialize, ToSchema)]
pub(super) struct ResourceType {
    #[schema(value_type = String, min_length = 1)]
    pub r#type: NonEmptyText,
    #[serde(default, rename = "properties")]
    #[schema(value_type = Object, nullable)]
    _properties: AnyObject,
}

/// One access check.
#[derive(Deserialize, ToSchema)]
pub(super) struct Evaluation {
    #[serde(deserialize_with = "object")]
    subject: SubjectOfDecision,
    #[serde(deserialize_with = "object")]
    action: ActionOfDecision,
    #[serde(deserialize_with = "object")]
    resource: ResourceOfDecision,
    /// Has no effect.
    #[serde(default, rename = "context")]
    #[schema(value_type = Object, nullable)]
    _context: AnyObject,
}

impl Evaluation {
    pub(super) fn question(self) -> Question {
        let (subject, resource) = (self.subject.subject(), self.resource);
        let owner = resource.properties.owner;
        Question::new(subject, &self.action.name.0, &resource.r#type.0, &resource.id.0, owner)
    }
}

/// A subject or resource in a batch. Omitted types and IDs default to those next to the evaluations.
#[derive(Deserialize, ToSchema)]
pub(super) struct EntityOfBatch {
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = String, required = false, min_length = 1, nullable)]
    r#type: Option<NonEmptyText>,
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = String, required = false, min_length = 1, nullable)]
    id: Option<NonEmptyText>,
    /// Of a resource, `owner` says whose it is. They default to those next to the evaluations only if the whole resource
    /// does.
    #[serde(default)]
    #[schema(value_type = Object, nullable)]
    properties: Properties,
}

/// An action in a batch.
#[derive(Deserialize, ToSchema)]
pub(super) struct ActionOfBatch {
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = String, required = false, min_length = 1, nullable)]
    name: Option<NonEmptyText>,
    #[serde(default, rename = "properties")]
    #[schema(value_type = Object, nullable)]
    _properties: AnyObject,
}

/// Many access checks. Fields omitted in one default to those next to them.
#[derive(Deserialize, ToSchema)]
pub(super) struct Evaluations {
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = EntityOfBatch, required = false, nullable)]
    subject: Option<EntityOfBatch>,
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = ActionOfBatch, required = false, nullable)]
    action: Option<ActionOfBatch>,
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = EntityOfBatch, required = false, nullable)]
    resource: Option<EntityOfBatch>,
    #[serde(default, rename = "context")]
    #[schema(value_type = Object, nullable)]
    _context: AnyObject,
    /// Each is validated separately. Without any, the body is a single access check.
    #[serde(default, rename = "evaluations")]
    #[schema(value_type = Vec<Object>, required = true, min_items = 1, max_items = 1000)]
    _evaluations: AnyList,
    #[serde(default, deserialize_with = "object")]
    #[schema(required = false)]
    pub options: EvaluationOptions,
}

/// A question of a batch.
#[derive(Deserialize)]
pub(super) struct EvaluationOfBatch {
    #[serde(default, deserialize_with = "optional_object")]
    subject: Option<EntityOfBatch>,
    #[serde(default, deserialize_with = "optional_object")]
    action: Option<ActionOfBatch>,
    #[serde(default, deserialize_with = "optional_object")]
    resource: Option<EntityOfBatch>,
    #[serde(default, rename = "context")]
    _context: AnyObject,
}

impl EvaluationOfBatch {
    /// The question, with omitted parts taken from its batch.
    pub(super) fn question(&self, batch: &Evaluations) -> ParseResult<Question> {
        let subject = Part("subject", self.subject.as_ref(), batch.subject.as_ref());
        let action = Part("action", self.action.as_ref(), batch.action.as_ref());
        let resource = Part("resource", self.resource.as_ref(), batch.resource.as_ref());
        let kind = subject.member("type", |subject| subject.r#type.as_ref())?;
        let subject = Subject::read(kind, subject.member("id", |subject| subject.id.as_ref())?);
        let action = action.member("name", |action| action.name.as_ref())?;
        let kind = resource.member("type", |resource| resource.r#type.as_ref())?;
        let id = resource.member("id", |resource| resource.id.as_ref())?;
        // What belongs to somebody is one thing: nothing is said of another of which only the type is the same.
        let owner = self.resource.as_ref().or(batch.resource.as_ref());
        let owner = owner.and_then(|resource| resource.properties.owner.clone());
        Ok(Question::new(subject, action, kind, id, owner))
    }
}

/// A part of a question: its name, its value in the question, and its value in the batch.
struct Part<'a, T>(&'static str, Option<&'a T>, Option<&'a T>);

impl<'a, T> Part<'a, T> {
    fn member(&self, name: &str, of: impl Fn(&'a T) -> Option<&'a NonEmptyText>) -> ParseResult<&'a str> {
        let Self(part, own, inherited) = self;
        if own.or(*inherited).is_none() {
            return Err(missing(part));
        }
        let member = own.and_then(&of).or_else(|| inherited.and_then(&of));
        member.map(|text| text.0.as_str()).ok_or_else(|| missing(&format!("{part}.{name}")))
    }
}

#[derive(Default, Deserialize, ToSchema)]
pub(super) struct EvaluationOptions {
    #[serde(default)]
    #[schema(required = false)]
    pub evaluations_semantic: EvaluationSemantic,
}

/// When to stop a batch before its last access check.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "NonEmptyText")]
#[schema(rename_all = "snake_case")]
pub(super) enum EvaluationSemantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl TryFrom<NonEmptyText> for EvaluationSemantic {
    type Error = &'static str;

    fn try_from(word: NonEmptyText) -> Result<Self, Self::Error> {
        match word.0.as_str() {
            "execute_all" => Ok(Self::ExecuteAll),
            "deny_on_first_deny" => Ok(Self::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Self::PermitOnFirstPermit),
            _ => Err("is execute_all, deny_on_first_deny or permit_on_first_permit"),
        }
    }
}

impl EvaluationSemantic {
    pub(super) fn ends_with(self, is_allowed: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !is_allowed,
            Self::PermitOnFirstPermit => is_allowed,
        }
    }
}

/// A decision and its reason.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionBody {
    /// Left out of an answer to a request with `Prefer: return=minimal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false, nullable)]
    pub context: Option<Value>,
    pub decision: bool,
}

/// A decision for each access check, in the same order.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionsBody {
    pub evaluations: Vec<DecisionBody>,
}

/// Which page of the results to return.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct SearchPage {
    /// The value of `next_token` from the previous page.
    #[serde(default, deserialize_with = "text")]
    token: String,
    #[serde(default, deserialize_with = "limit")]
    #[schema(value_type = u32, required = false, minimum = 1)]
    limit: Option<u64>,
}

impl SearchPage {
    pub(super) fn limit(&self) -> usize {
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok());
        limit.map_or(MAX_RESULTS, |limit| limit.min(MAX_RESULTS))
    }

    pub(super) fn token(&self) -> Option<&str> {
        Some(self.token.as_str()).filter(|token| !token.is_empty())
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct SubjectSearch {
    #[serde(deserialize_with = "object")]
    pub subject: SubjectType,
    #[serde(deserialize_with = "object")]
    pub action: ActionOfDecision,
    #[serde(deserialize_with = "object")]
    pub resource: ResourceOfDecision,
    #[serde(default, rename = "context")]
    #[schema(value_type = Object, nullable)]
    _context: AnyObject,
    #[serde(default, deserialize_with = "object")]
    #[schema(required = false)]
    pub page: SearchPage,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct ResourceSearch {
    #[serde(deserialize_with = "object")]
    pub subject: SubjectOfDecision,
    #[serde(deserialize_with = "object")]
    pub action: ActionOfDecision,
    #[serde(deserialize_with = "object")]
    pub resource: ResourceType,
    #[serde(default, rename = "context")]
    #[schema(value_type = Object, nullable)]
    _context: AnyObject,
    #[serde(default, deserialize_with = "object")]
    #[schema(required = false)]
    pub page: SearchPage,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct ActionSearch {
    #[serde(deserialize_with = "object")]
    pub subject: SubjectOfDecision,
    #[serde(deserialize_with = "object")]
    pub resource: ResourceOfDecision,
    #[serde(default, rename = "context")]
    #[schema(value_type = Object, nullable)]
    _context: AnyObject,
    #[serde(default, deserialize_with = "object")]
    #[schema(required = false)]
    pub page: SearchPage,
}

/// Results of a search, and where the next page starts.
#[derive(Serialize, ToSchema)]
pub(super) struct SearchResults {
    pub page: SearchResultsPage,
    #[schema(value_type = Vec<Object>)]
    pub results: Vec<Value>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SearchResultsPage {
    pub count: usize,
    /// Empty on the last page.
    pub next_token: String,
}

/// That the reasons can be left out of an answer.
fn prefer(operation: &mut Operation) {
    let about = "With `return=minimal`, decisions come without their `context` (RFC 7240).";
    operation.parameter("Prefer", ParameterIn::Header, false, about, spec::preference());
}

/// One question.
pub(in crate::web) fn evaluation(operation: &mut Operation) {
    prefer(operation);
    operation.body::<Evaluation>();
    operation.response::<DecisionBody>(200);
    operation.example = Some(
        json!({"subject": example_subject(), "action": example_action(), "resource": example_resource()}),
    );
}

/// Many questions, or one.
pub(in crate::web) fn evaluations(operation: &mut Operation) {
    prefer(operation);
    operation.body_of_either::<Evaluations, Evaluation>();
    operation.response_of_either::<DecisionsBody, DecisionBody>(200);
    operation.example = Some(json!({
        "subject": example_subject(),
        "resource": example_resource(),
        "evaluations": [{"action": example_action()}, {"action": {"name": "write"}}],
    }));
    let granted = json!({"reason": "granted", "scope": "read:record", "role": "viewer", "grant": "read:*"});
    let refused =
        json!({"reason": "not_granted", "scope": "write:record", "roles_that_would": ["owner", "admin"]});
    operation.response_example = Some(json!({
        "evaluations": [{"decision": true, "context": granted}, {"decision": false, "context": refused}],
    }));
}

pub(in crate::web) fn subject_search(operation: &mut Operation) {
    operation.body::<SubjectSearch>();
    operation.response::<SearchResults>(200);
    operation.example = Some(
        json!({"subject": {"type": "user"}, "action": example_action(), "resource": example_resource()}),
    );
    operation.response_example = Some(found(&json!({"type": "user", "id": "alice"})));
}

pub(in crate::web) fn resource_search(operation: &mut Operation) {
    operation.body::<ResourceSearch>();
    operation.response::<SearchResults>(200);
    operation.example = Some(
        json!({"subject": example_subject(), "action": example_action(), "resource": {"type": "record"}}),
    );
    operation.response_example = Some(found(&example_resource()));
}

pub(in crate::web) fn action_search(operation: &mut Operation) {
    operation.body::<ActionSearch>();
    operation.response::<SearchResults>(200);
    operation.example = Some(json!({"subject": example_subject(), "resource": example_resource()}));
    operation.response_example = Some(found(&example_action()));
}

/// The response of a search that found one.
fn found(result: &Value) -> Value {
    json!({"page": {"count": 1, "next_token": ""}, "results": [result]})
}

// What the examples ask about.

fn example_subject() -> Value {
    json!({"type": "user", "id": "alice"})
}

fn example_action() -> Value {
    json!({"name": "read"})
}

fn example_resource() -> Value {
    json!({"type": "record", "id": "42"})
}
