use crate::{
    domain::{
        Refused,
        decisions::{self, MOST_FOUND, Slice},
    },
    web::{
        guard::{Answer, decision::DecisionRequest},
        problem::json::json,
        routes::decisions::{
            evaluation::body,
            parse::{Malformed, Read, Triple, malformed, missing, object},
        },
    },
};
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

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
fn found(
    asking: &DecisionRequest,
    slice: Result<Slice<String>, Refused>,
    tell: impl Fn(String) -> Value,
) -> Answer {
    match slice {
        Ok(slice) => {
            let results: Vec<Value> = slice.found.into_iter().map(tell).collect();
            let page = json!({"next_token": slice.next.unwrap_or_default(), "count": results.len()});
            Ok(json(StatusCode::OK, &json!({"results": results, "page": page})))
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
        Err(why) => return Ok(malformed(&asking.view.req, why)),
    };
    let slice = decisions::subjects(&scope, kind, action, resource, page.limit, page.token.as_deref()).await;
    found(&asking, slice, |id| json!({"type": kind, "id": id}))
}

/// On which resources may this subject do that?
pub async fn search_resources(asking: DecisionRequest) -> Answer {
    let scope = asking.admit().await?;
    let read = body(&asking).and_then(|body| {
        let triple = Triple::read(body)?;
        Ok((triple.subject()?, triple.action()?, triple.resource_type()?, Wanted::read(body)?))
    });
    let (subject, action, kind, page) = match read {
        Ok(read) => read,
        Err(why) => return Ok(malformed(&asking.view.req, why)),
    };
    let slice = decisions::resources(&scope, &subject, action, kind, page.limit, page.token.as_deref()).await;
    found(&asking, slice, |id| json!({"type": kind, "id": id}))
}

/// What may this subject do with that?
pub async fn search_actions(asking: DecisionRequest) -> Answer {
    let scope = asking.admit().await?;
    let read = body(&asking).and_then(|body| {
        let triple = Triple::read(body)?;
        triple.resource_id()?;
        Ok((triple.subject()?, triple.resource_type()?, Wanted::read(body)?))
    });
    let (subject, kind, page) = match read {
        Ok(read) => read,
        Err(why) => return Ok(malformed(&asking.view.req, why)),
    };
    let slice = decisions::actions(&scope, &subject, kind, page.limit, page.token.as_deref()).await;
    found(&asking, slice, |name| json!({"name": name}))
}
