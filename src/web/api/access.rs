//! Decisions, as the OpenID AuthZEN Authorization API 1.0 has them: evaluation, evaluations, searches,
//! and the document by which they are found. Fields that it does not know are passed over, as it asks.

use super::{
    json,
    limits::Weight,
    openapi::{self, Sketch},
};
use crate::{
    domain::{
        Refused,
        decisions::{self, Decision, MOST_AT_ONCE, MOST_FOUND, Question, Slice, Subject, Why},
    },
    web::{
        form::{self, Broken},
        guard::{Answer, Asking, Public},
        routes::Access,
    },
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What was sent does not say what is asked: 400, whatever was asked.
struct Malformed(String);

type Read<T> = Result<T, Malformed>;

fn malformed(req: &HttpRequest, why: Malformed) -> HttpResponse {
    super::super::problem::broken(req, &Broken::Other(why.0))
}

/// The object under this name; `None` where it is left out.
fn object<'a>(of: &'a Map<String, Value>, name: &str) -> Read<Option<&'a Map<String, Value>>> {
    match of.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Malformed(format!("“{name}” is not an object."))),
    }
}

/// The text under this name; `None` where it is left out.
fn text<'a>(of: &'a Map<String, Value>, name: &str, whole: &str) -> Read<Option<&'a str>> {
    match of.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(Malformed(format!("“{whole}.{name}” is not a text, or it is empty."))),
    }
}

/// A subject, an action or a resource, as far as it was told.
#[derive(Clone, Copy, Default)]
struct Entity<'a> {
    /// A type; of an action, its name.
    kind: Option<&'a str>,
    id: Option<&'a str>,
}

impl<'a> Entity<'a> {
    fn read(of: &'a Map<String, Value>, name: &str) -> Read<Option<Self>> {
        let Some(entity) = object(of, name)? else { return Ok(None) };
        object(entity, "properties")?;
        let kind = if name == "action" { "name" } else { "type" };
        Ok(Some(Self { kind: text(entity, kind, name)?, id: text(entity, "id", name)? }))
    }

    /// This one; what it must have and has not comes from `default`.
    fn or(self, default: Option<Self>) -> Self {
        let default = default.unwrap_or_default();
        Self { kind: self.kind.or(default.kind), id: self.id.or(default.id) }
    }
}

/// Subject, action and resource of one question, as far as they were told.
#[derive(Clone, Copy, Default)]
struct Triple<'a> {
    subject: Option<Entity<'a>>,
    action: Option<Entity<'a>>,
    resource: Option<Entity<'a>>,
}

fn missing(name: &str) -> Malformed {
    Malformed(format!("“{name}” is missing."))
}

impl<'a> Triple<'a> {
    fn read(of: &'a Map<String, Value>) -> Read<Self> {
        object(of, "context")?;
        Ok(Self {
            subject: Entity::read(of, "subject")?,
            action: Entity::read(of, "action")?,
            resource: Entity::read(of, "resource")?,
        })
    }

    fn or(self, defaults: Self) -> Self {
        let either = |own: Option<Entity<'a>>, default: Option<Entity<'a>>| match own {
            Some(own) => Some(own.or(default)),
            None => default,
        };
        Self {
            subject: either(self.subject, defaults.subject),
            action: either(self.action, defaults.action),
            resource: either(self.resource, defaults.resource),
        }
    }

    fn subject(&self) -> Read<Subject> {
        let subject = self.subject.ok_or_else(|| missing("subject"))?;
        let kind = subject.kind.ok_or_else(|| missing("subject.type"))?;
        let id = subject.id.ok_or_else(|| missing("subject.id"))?;
        Ok(Subject::read(kind, id))
    }

    fn action(&self) -> Read<&'a str> {
        self.action.ok_or_else(|| missing("action"))?.kind.ok_or_else(|| missing("action.name"))
    }

    fn resource_type(&self) -> Read<&'a str> {
        self.resource.ok_or_else(|| missing("resource"))?.kind.ok_or_else(|| missing("resource.type"))
    }

    fn resource_id(&self) -> Read<&'a str> {
        self.resource.ok_or_else(|| missing("resource"))?.id.ok_or_else(|| missing("resource.id"))
    }

    fn question(&self) -> Read<Question> {
        let subject = self.subject()?;
        let action = self.action()?.to_owned();
        let kind = self.resource_type()?.to_owned();
        self.resource_id()?;
        Ok(Question { subject, action, kind })
    }
}

/// A decision and why, as a service reads it.
fn told(decision: &Decision) -> Value {
    let context = match &decision.why {
        Why::Granted { scope, role, grant } => {
            json!({"reason": "granted", "scope": scope, "role": role, "grant": grant})
        }
        Why::NoMembership => json!({"reason": "no_active_membership"}),
        Why::NotGranted { scope, roles } => {
            json!({"reason": "not_granted", "scope": scope, "roles_that_would": roles})
        }
        Why::NoSuchScope(complaint) => json!({"reason": "no_such_scope", "detail": complaint}),
    };
    json!({"decision": decision.is_allowed, "context": context})
}

/// The body of a request that says it is JSON.
fn body(asking: &Asking) -> Read<&Map<String, Value>> {
    let kind = asking.req.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Malformed("Send it with “Content-Type: application/json”.".into()));
    }
    match &asking.body {
        Some(Value::Object(body)) => Ok(body),
        _ => Err(Malformed("The body is not a JSON object.".into())),
    }
}

/// May this subject do that?
pub async fn evaluation(asking: Asking) -> Answer {
    let question = body(&asking).and_then(Triple::read).and_then(|triple| triple.question());
    match question {
        Ok(question) => {
            let decision = asking.decide(&question).await?;
            Ok(json(StatusCode::OK, &told(&decision)))
        }
        Err(why) => {
            asking.scope().await?;
            Ok(malformed(&asking.req, why))
        }
    }
}

/// When a batch ends before its last question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn read(body: &Map<String, Value>) -> Read<Self> {
        let Some(options) = object(body, "options")? else { return Ok(Self::ExecuteAll) };
        match text(options, "evaluations_semantic", "options")? {
            None | Some("execute_all") => Ok(Self::ExecuteAll),
            Some("deny_on_first_deny") => Ok(Self::DenyOnFirstDeny),
            Some("permit_on_first_permit") => Ok(Self::PermitOnFirstPermit),
            Some(_) => Err(Malformed(
                "“options.evaluations_semantic” is execute_all, deny_on_first_deny or permit_on_first_permit.".into(),
            )),
        }
    }

    fn ends_with(self, is_allowed: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !is_allowed,
            Self::PermitOnFirstPermit => is_allowed,
        }
    }
}

/// Questions of a batch, each on its own good or bad; none stands for a single question.
struct Batch(Vec<Read<Question>>, Semantic);

impl Batch {
    fn read(body: &Map<String, Value>) -> Read<Self> {
        let defaults = Triple::read(body)?;
        let semantic = Semantic::read(body)?;
        let evaluations = match body.get("evaluations") {
            None => &Vec::new(),
            Some(Value::Array(evaluations)) => evaluations,
            Some(_) => return Err(Malformed("“evaluations” is not a list.".into())),
        };
        if evaluations.len() > MOST_AT_ONCE {
            return Err(Malformed(format!("A batch has at most {MOST_AT_ONCE} evaluations.")));
        }
        let question = |evaluation: &Value| match evaluation {
            Value::Object(evaluation) => Triple::read(evaluation)?.or(defaults).question(),
            _ => Err(Malformed("An evaluation is an object.".into())),
        };
        Ok(Self(evaluations.iter().map(question).collect(), semantic))
    }
}

/// Many questions at once. Without any it is one, as in [`evaluation`].
pub async fn evaluations(asking: Asking) -> Answer {
    let batch = match body(&asking).and_then(Batch::read) {
        Ok(Batch(questions, _)) if questions.is_empty() => return evaluation(asking).await,
        Ok(batch) => batch,
        Err(why) => {
            asking.scope().await?;
            return Ok(malformed(&asking.req, why));
        }
    };
    let Batch(questions, semantic) = batch;
    asking.req.extensions_mut().insert(Weight::of(questions.len()));
    let scope = asking.scope().await?;
    let good: Vec<Question> = questions.iter().filter_map(|read| read.as_ref().ok().cloned()).collect();
    let mut decisions = decisions::decide_all(&scope, &good).await?.into_iter();
    let mut answers = Vec::with_capacity(questions.len());
    for question in &questions {
        let (is_allowed, answer) = match (question, question.is_ok().then(|| decisions.next()).flatten()) {
            (Ok(_), Some(decision)) => (decision.is_allowed, told(&decision)),
            (Err(Malformed(why)), _) => {
                (false, json!({"decision": false, "context": {"error": {"status": 400, "message": why}}}))
            }
            (Ok(_), None) => return Err(Refused::Hidden),
        };
        answers.push(answer);
        if semantic.ends_with(is_allowed) {
            break;
        }
    }
    Ok(json(StatusCode::OK, &json!({"evaluations": answers})))
}

/// Which part of what a search found.
struct Wanted {
    limit: usize,
    token: Option<String>,
}

impl Wanted {
    fn read(body: &Map<String, Value>) -> Read<Self> {
        let whole = Self { limit: MOST_FOUND, token: None };
        let Some(page) = object(body, "page")? else { return Ok(whole) };
        let limit = match page.get("limit") {
            None => MOST_FOUND,
            Some(limit) => match limit.as_u64() {
                Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(MOST_FOUND).min(MOST_FOUND),
                _ => return Err(Malformed("“page.limit” is not a number from 1 on.".into())),
            },
        };
        let token = match page.get("token") {
            None => None,
            Some(Value::String(token)) => Some(token.clone()).filter(|token| !token.is_empty()),
            Some(_) => return Err(Malformed("“page.token” is not a text.".into())),
        };
        Ok(Self { limit, token })
    }
}

/// Answers a search: `tell` makes a result of each thing that was found.
fn found(asking: &Asking, slice: Result<Slice<String>, Refused>, tell: impl Fn(String) -> Value) -> Answer {
    match slice {
        Ok(slice) => {
            let results: Vec<Value> = slice.found.into_iter().map(tell).collect();
            let page = json!({"next_token": slice.next.unwrap_or_default(), "count": results.len()});
            Ok(json(StatusCode::OK, &json!({"results": results, "page": page})))
        }
        // A token of another search: a malformed request.
        Err(Refused::Invalid(invalid)) => {
            let said: Vec<&str> = invalid.iter().map(|(_, complaint)| complaint).collect();
            Ok(malformed(&asking.req, Malformed(said.join(" "))))
        }
        Err(other) => Err(other),
    }
}

/// Who may do this?
pub async fn search_subjects(asking: Asking) -> Answer {
    let scope = asking.scope().await?;
    let read = body(&asking).and_then(|body| {
        let triple = Triple::read(body)?;
        let subject = triple.subject.ok_or_else(|| missing("subject"))?;
        let kind = subject.kind.ok_or_else(|| missing("subject.type"))?;
        let (action, resource) = (triple.action()?, triple.resource_type()?);
        triple.resource_id()?;
        Ok((kind, action, resource, Wanted::read(body)?))
    });
    let (kind, action, resource, page) = match read {
        Ok(read) => read,
        Err(why) => return Ok(malformed(&asking.req, why)),
    };
    let slice = decisions::subjects(&scope, kind, action, resource, page.limit, page.token.as_deref()).await;
    found(&asking, slice, |id| json!({"type": kind, "id": id}))
}

/// On which resources may this subject do that?
pub async fn search_resources(asking: Asking) -> Answer {
    let scope = asking.scope().await?;
    let read = body(&asking).and_then(|body| {
        let triple = Triple::read(body)?;
        Ok((triple.subject()?, triple.action()?, triple.resource_type()?, Wanted::read(body)?))
    });
    let (subject, action, kind, page) = match read {
        Ok(read) => read,
        Err(why) => return Ok(malformed(&asking.req, why)),
    };
    let slice = decisions::resources(&scope, &subject, action, kind, page.limit, page.token.as_deref()).await;
    found(&asking, slice, |id| json!({"type": kind, "id": id}))
}

/// What may this subject do with that?
pub async fn search_actions(asking: Asking) -> Answer {
    let scope = asking.scope().await?;
    let read = body(&asking).and_then(|body| {
        let triple = Triple::read(body)?;
        triple.resource_id()?;
        Ok((triple.subject()?, triple.resource_type()?, Wanted::read(body)?))
    });
    let (subject, kind, page) = match read {
        Ok(read) => read,
        Err(why) => return Ok(malformed(&asking.req, why)),
    };
    let slice = decisions::actions(&scope, &subject, kind, page.limit, page.token.as_deref()).await;
    found(&asking, slice, |name| json!({"name": name}))
}

/// Where all of this is to be found.
pub async fn configuration(cx: Public) -> Answer {
    let origin = &cx.view.app.settings.origin;
    let at = |path: &str| format!("{origin}/access/v1/{path}");
    let document = json!({
        "policy_decision_point": origin,
        "access_evaluation_endpoint": at("evaluation"),
        "access_evaluations_endpoint": at("evaluations"),
        "search_subject_endpoint": at("search/subject"),
        "search_resource_endpoint": at("search/resource"),
        "search_action_endpoint": at("search/action"),
    });
    let mut answer = json(StatusCode::OK, &document);
    let lasting = header::HeaderValue::from_static("public, max-age=3600");
    answer.headers_mut().insert(header::CACHE_CONTROL, lasting);
    Ok(answer)
}

/// Reads a body for [`Asking`]: `None` where it is no JSON.
pub(in crate::web) async fn read(payload: actix_web::dev::Payload) -> Result<Option<Value>, Broken> {
    let body = form::whole(payload).await?;
    Ok(serde_json::from_slice(&body).ok())
}

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

/// How the document tells a question. Its body must say that it is JSON; all that is wrong with it is 400.
pub(in crate::web) fn sketch(method: &Method, path: &str, access: Access) -> Sketch {
    let mut sketch = openapi::sketch::<(), openapi::Nothing>(method, path, access);
    match path.rsplit('/').next().unwrap_or_default() {
        "evaluation" => {
            sketch.body::<Evaluation>();
            sketch.answer::<DecisionBody>(200);
        }
        "evaluations" => {
            sketch.body_of_either::<Evaluations, Evaluation>();
            sketch.answer_of_either::<DecisionsBody, DecisionBody>(200);
        }
        "subject" => {
            sketch.body::<SubjectSearch>();
            sketch.answer::<SearchResults>(200);
        }
        "resource" => {
            sketch.body::<ResourceSearch>();
            sketch.answer::<SearchResults>(200);
        }
        _ => {
            sketch.body::<ActionSearch>();
            sketch.answer::<SearchResults>(200);
        }
    }
    sketch.refusals.extend([408, 411, 413]);
    sketch
}
