//! Decisions, as the OpenID AuthZEN Authorization API 1.0 has them: evaluation, evaluations, searches,
//! and the document by which they are found. Fields that it does not know are passed over, as it asks.

use crate::{
    domain::{
        Refused,
        decisions::{self, Decision, MOST_AT_ONCE, Question, Why},
    },
    web::{
        calls::Weight,
        guard::{Answer, Public, decision::DecisionRequest},
        problem::json::json,
        routes::decisions::parse::{Malformed, Read, Triple, malformed, object, text},
    },
};
use actix_web::{
    HttpMessage,
    http::{StatusCode, header},
};
use serde_json::{Map, Value, json};

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
pub(in crate::web) fn body(asking: &DecisionRequest) -> Read<&Map<String, Value>> {
    let kind = asking.view.req.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Malformed("Send it with “Content-Type: application/json”.".into()));
    }
    match &asking.input.0 {
        Some(Value::Object(body)) => Ok(body),
        _ => Err(Malformed("The body is not a JSON object.".into())),
    }
}

/// May this subject do that?
pub async fn evaluation(asking: DecisionRequest) -> Answer {
    let question = body(&asking).and_then(Triple::read).and_then(|triple| triple.question());
    match question {
        Ok(question) => {
            let decision = asking.decide(&question).await?;
            Ok(json(StatusCode::OK, &told(&decision)))
        }
        Err(why) => {
            asking.admit().await?;
            Ok(malformed(&asking.view.req, why))
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
pub async fn evaluations(asking: DecisionRequest) -> Answer {
    let batch = match body(&asking).and_then(Batch::read) {
        Ok(Batch(questions, _)) if questions.is_empty() => return evaluation(asking).await,
        Ok(batch) => batch,
        Err(why) => {
            asking.admit().await?;
            return Ok(malformed(&asking.view.req, why));
        }
    };
    let Batch(questions, semantic) = batch;
    asking.view.req.extensions_mut().insert(Weight::of(questions.len()));
    let scope = asking.admit().await?;
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
