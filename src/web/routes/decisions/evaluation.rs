//! Decisions, as the OpenID AuthZEN Authorization API 1.0 has them: evaluation, evaluations, searches,
//! and the document by which they are found. Unknown fields are ignored, as the standard requires.

use crate::{
    domain::{
        Refused,
        decisions::{self, Decision, MAX_BATCH, Question, Why},
    },
    web::{
        calls::RequestCost,
        guard::{HandlerResult, Public, decision::DecisionRequest},
        problem::json::json,
        routes::decisions::{
            parse::{Malformed, ParseResult, malformed, read},
            schema::{
                DecisionBody, DecisionsBody, Evaluation, EvaluationOfBatch, EvaluationSemantic, Evaluations,
            },
        },
    },
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A decision, and why if that is wanted, as a service reads it.
fn decision_body(decision: &Decision, detail: Detail) -> DecisionBody {
    let context = (detail == Detail::Whole).then(|| reason(&decision.why));
    DecisionBody { context, decision: decision.is_allowed }
}

fn reason(why: &Why) -> Value {
    match why {
        Why::Granted { scope, role, grant } => {
            json!({"reason": "granted", "scope": scope, "role": role, "grant": grant})
        }
        Why::NoMembership => json!({"reason": "no_active_membership"}),
        Why::NotGranted { scope, roles } => {
            json!({"reason": "not_granted", "scope": scope, "roles_that_would": roles})
        }
        Why::NotOwn { scope, is_known, roles } => {
            let owner = if *is_known { "another" } else { "unknown" };
            json!({"reason": "not_own", "scope": scope, "owner": owner, "roles_that_would": roles})
        }
        Why::NoSuchScope(complaint) => json!({"reason": "no_such_scope", "detail": complaint}),
        Why::MayNotSend { stage, detail } => {
            json!({"reason": "may_not_send", "stage": stage.word(), "detail": detail})
        }
    }
}

/// How much a response says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Whole,
    /// The decisions alone.
    Minimal,
}

const PREFER: &str = "prefer";
const MINIMAL: &str = "return=minimal";

impl Detail {
    /// What the request prefers (RFC 7240): the first preference for `return` counts, and others are not understood.
    fn of(request: &HttpRequest) -> Self {
        let all = request.headers().get_all(PREFER).filter_map(|value| value.to_str().ok());
        let mut preferences = all.flat_map(|value| value.split(',')).filter_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            name.trim().eq_ignore_ascii_case("return").then(|| value.trim().trim_matches('"'))
        });
        match preferences.next() {
            Some("minimal") => Self::Minimal,
            _ => Self::Whole,
        }
    }

    /// The response, which says that the preference was heard.
    fn respond(self, body: &impl Serialize) -> HttpResponse {
        let mut response = json(StatusCode::OK, body);
        if self == Self::Minimal {
            let applied = header::HeaderValue::from_static(MINIMAL);
            response.headers_mut().insert(header::HeaderName::from_static("preference-applied"), applied);
        }
        response
    }
}

/// The body of a request that says it is JSON.
pub(in crate::web) fn body<'de, T: Deserialize<'de>>(request: &'de DecisionRequest) -> ParseResult<T> {
    let kind = request.view.req.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Malformed("Send the request with “Content-Type: application/json”.".into()));
    }
    match &request.input.0 {
        Some(body @ Value::Object(_)) => read(body),
        _ => Err(Malformed("The body is not a JSON object.".into())),
    }
}

/// Handles one access check.
pub async fn evaluation(request: DecisionRequest) -> HandlerResult {
    match body(&request).map(Evaluation::question) {
        Ok(question) => {
            let decision = request.decide(&question).await?;
            let detail = Detail::of(&request.view.req);
            Ok(detail.respond(&decision_body(&decision, detail)))
        }
        Err(why) => {
            request.admit().await?;
            Ok(malformed(&request.view.req, why))
        }
    }
}

/// The questions of a batch, each valid or not on its own, and when the batch stops early.
fn batch(request: &DecisionRequest) -> ParseResult<(Vec<ParseResult<Question>>, EvaluationSemantic)> {
    let batch: Evaluations = body(request)?;
    let evaluations = request.input.0.as_ref().and_then(|body| body["evaluations"].as_array());
    let evaluations = evaluations.map_or(&[][..], Vec::as_slice);
    if evaluations.len() > MAX_BATCH {
        return Err(Malformed(format!("A batch has at most {MAX_BATCH} evaluations.")));
    }
    let question = |evaluation: &Value| match evaluation {
        Value::Object(_) => read::<EvaluationOfBatch>(evaluation)?.question(&batch),
        _ => Err(Malformed("An evaluation is an object.".into())),
    };
    Ok((evaluations.iter().map(question).collect(), batch.options.evaluations_semantic))
}

/// Handles many access checks at once. Without any, the body is a single one, as in [`evaluation`].
pub async fn evaluations(request: DecisionRequest) -> HandlerResult {
    let (questions, semantic) = match batch(&request) {
        Ok((questions, _)) if questions.is_empty() => return evaluation(request).await,
        Ok(batch) => batch,
        Err(why) => {
            request.admit().await?;
            return Ok(malformed(&request.view.req, why));
        }
    };
    request.view.req.extensions_mut().insert(RequestCost::of(questions.len()));
    let scope = request.admit().await?;
    let good: Vec<Question> = questions.iter().filter_map(|read| read.as_ref().ok().cloned()).collect();
    let detail = Detail::of(&request.view.req);
    let mut decisions = decisions::decide_all(&scope, &good).await?.into_iter();
    let mut evaluations = Vec::with_capacity(questions.len());
    for question in &questions {
        let answer = match (question, question.is_ok().then(|| decisions.next()).flatten()) {
            (Ok(_), Some(decision)) => decision_body(&decision, detail),
            (Err(Malformed(why)), _) => {
                let error = json!({"error": {"status": 400, "message": why}});
                DecisionBody { context: Some(error), decision: false }
            }
            (Ok(_), None) => return Err(Refused::NotFound),
        };
        let is_allowed = answer.decision;
        evaluations.push(answer);
        if semantic.ends_with(is_allowed) {
            break;
        }
    }
    Ok(detail.respond(&DecisionsBody { evaluations }))
}

/// The discovery document: the addresses of the endpoints.
pub async fn configuration(cx: Public) -> HandlerResult {
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
