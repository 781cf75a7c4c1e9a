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
        routes::decisions::{
            parse::{Malformed, Read, malformed, read},
            schema::{
                DecisionBody, DecisionsBody, Evaluation, EvaluationOfBatch, EvaluationSemantic, Evaluations,
            },
        },
    },
};
use actix_web::{
    HttpMessage,
    http::{StatusCode, header},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A decision and why, as a service reads it.
fn told(decision: &Decision) -> DecisionBody {
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
    DecisionBody { context, decision: decision.is_allowed }
}

/// The body of a request that says it is JSON.
pub(in crate::web) fn body<'de, T: Deserialize<'de>>(asking: &'de DecisionRequest) -> Read<T> {
    let kind = asking.view.req.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Malformed("Send the request with “Content-Type: application/json”.".into()));
    }
    match &asking.input.0 {
        Some(body @ Value::Object(_)) => read(body),
        _ => Err(Malformed("The body is not a JSON object.".into())),
    }
}

/// May this subject do that?
pub async fn evaluation(asking: DecisionRequest) -> Answer {
    match body(&asking).map(Evaluation::question) {
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

/// The questions of a batch, each on its own good or bad, and when it ends before its last.
fn batch(asking: &DecisionRequest) -> Read<(Vec<Read<Question>>, EvaluationSemantic)> {
    let batch: Evaluations = body(asking)?;
    let evaluations = asking.input.0.as_ref().and_then(|body| body["evaluations"].as_array());
    let evaluations = evaluations.map_or(&[][..], Vec::as_slice);
    if evaluations.len() > MOST_AT_ONCE {
        return Err(Malformed(format!("A batch has at most {MOST_AT_ONCE} evaluations.")));
    }
    let question = |evaluation: &Value| match evaluation {
        Value::Object(_) => read::<EvaluationOfBatch>(evaluation)?.question(&batch),
        _ => Err(Malformed("An evaluation is an object.".into())),
    };
    Ok((evaluations.iter().map(question).collect(), batch.options.evaluations_semantic))
}

/// Many questions at once. Without any it is one, as in [`evaluation`].
pub async fn evaluations(asking: DecisionRequest) -> Answer {
    let (questions, semantic) = match batch(&asking) {
        Ok((questions, _)) if questions.is_empty() => return evaluation(asking).await,
        Ok(batch) => batch,
        Err(why) => {
            asking.admit().await?;
            return Ok(malformed(&asking.view.req, why));
        }
    };
    asking.view.req.extensions_mut().insert(Weight::of(questions.len()));
    let scope = asking.admit().await?;
    let good: Vec<Question> = questions.iter().filter_map(|read| read.as_ref().ok().cloned()).collect();
    let mut decisions = decisions::decide_all(&scope, &good).await?.into_iter();
    let mut evaluations = Vec::with_capacity(questions.len());
    for question in &questions {
        let answer = match (question, question.is_ok().then(|| decisions.next()).flatten()) {
            (Ok(_), Some(decision)) => told(&decision),
            (Err(Malformed(why)), _) => {
                DecisionBody { context: json!({"error": {"status": 400, "message": why}}), decision: false }
            }
            (Ok(_), None) => return Err(Refused::Hidden),
        };
        let is_allowed = answer.decision;
        evaluations.push(answer);
        if semantic.ends_with(is_allowed) {
            break;
        }
    }
    Ok(json(StatusCode::OK, &DecisionsBody { evaluations }))
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
