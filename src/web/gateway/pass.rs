//! Takes a request through the stages: admission, limits, the host.

use crate::{
    domain::{
        Purpose, Refused, Slug, Token,
        base::{
            gateway_stage::GatewayStage as S,
            principal::{ApiKey, Credential, Principal},
        },
        gateway::{Entrant, GatewayRefusal, RateStatus, SendScope, Turn, admit},
        nouns::{
            api_keys::{spend_request, workspace_selector},
            destinations::ECHO,
            organization::origins::{self, NOT_NAMED},
        },
    },
    outbound::{
        body::{OutboundBody, ResponseBody},
        client::{Outbound, Target},
        failure::{Failure, Part, Phase},
    },
    web::{
        app::App,
        gateway::{
            echo,
            incoming::Incoming,
            payment::Payment,
            problem::{Problem, refused_actor},
            rebuild,
            record::Record,
            trace::Trace,
        },
    },
};
use actix_web::{http::StatusCode, web::Bytes};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The answer of a host.
pub(in crate::web) struct Passed {
    pub status: u16,
    /// As they are passed on.
    pub headers: HeaderMap,
    /// The length that the host said, also where it sent no body.
    pub said_length: Option<u64>,
    pub body: PassedBody,
    /// What is left to the key and the destination.
    pub rates: Vec<RateStatus>,
    /// Holds the request's place among those that are being sent.
    pub turn: Turn,
}

/// The body of an answer.
pub(in crate::web) enum PassedBody {
    Whole(Bytes),
    Stream(ResponseBody),
}

impl PassedBody {
    /// Its length in bytes, if the host said so.
    pub(in crate::web) fn len(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Stream(body) => body.len(),
        }
    }
}

/// Who was admitted, also where the request ended later.
#[derive(Default)]
pub(in crate::web) struct Admitted {
    pub key: Option<Uuid>,
    /// The key's request was admitted, and not only recognized.
    pub is_admitted: bool,
    /// The workspace names the website whose page sent the request.
    pub is_website_named: bool,
}

/// Who waited for longer may have lost their access meanwhile.
const SHORT_WAIT: Duration = Duration::from_millis(50);

/// Takes a request through the stages. `trace` notes those that it passed, `record` what it was, `admitted` by whom.
///
/// # Errors
/// What Bailiwick itself answers.
pub(in crate::web) async fn pass(
    app: &App,
    incoming: Incoming<'_>,
    trace: &mut Trace,
    record: &mut Record,
    admitted: &mut Admitted,
) -> Result<Passed, Problem> {
    let passed = pass_stages(app, incoming, trace, record, admitted).await;
    match &passed {
        Ok(passed) => record.answered(passed.status),
        Err(problem) => record.ended(problem),
    }
    passed
}

async fn pass_stages(
    app: &App,
    incoming: Incoming<'_>,
    trace: &mut Trace,
    record: &mut Record,
    admitted: &mut Admitted,
) -> Result<Passed, Problem> {
    let Some(secret) = Token::parse(Purpose::ApiKey, incoming.secret) else { return Err(Problem::no_key()) };
    let scope = admit_to_send(app, &incoming, &secret, record).await.inspect_err(|(_, key)| {
        admitted.key = *key;
    });
    let scope = scope.map_err(|(problem, _)| problem)?;
    let key = scope.actor().principal.id();
    app.calls.admitted(secret.hash(), key);
    (admitted.key, admitted.is_admitted) = (Some(key), true);
    if let Some(website) = incoming.website {
        check_website(app, &scope, website).await?;
        admitted.is_website_named = true;
    }
    trace.passed(&[S::Key, S::Membership, S::Permission, S::Destination]);
    check_request(app, &incoming)?;
    // It takes nothing of what the destination gets in a minute either.
    if scope.is_used_up() {
        return Err(Problem::no_credits());
    }
    let destination = scope.destination();
    let entrant = Entrant {
        key,
        workspace: scope.actor().workspace.id,
        account: scope.actor().workspace.account_id,
        destination: destination.id,
        per_minute: destination.requests_per_minute,
    };
    let rates = app.gate.count(&app.db, &entrant).await.map_err(Problem::no_turn)?;
    trace.passed(&[S::Rate]);
    let waits_since = Instant::now();
    let turn = app.gate.enter(&app.db, &entrant).await.map_err(Problem::no_turn)?;
    let scope = match waits_since.elapsed() >= SHORT_WAIT {
        true => admit_to_send(app, &incoming, &secret, record).await.map_err(|(problem, _)| problem)?,
        false => scope,
    };
    trace.passed(&[S::Queue]);
    let credential = scope.credential().map_err(|error| Problem::not_admitted(&error.into()))?;
    let credential = credential.map(Sealed::new).transpose()?;
    let charge = scope.charge(app.gateway.limits().whole).await.map_err(|refused| {
        if let Refused::Failed(error) = &refused {
            app.db.note_outage(error);
        }
        Problem::not_admitted(&refused)
    });
    let charge = Payment::new(app, charge?);
    if let Err(problem) = spend(app, &scope).await {
        charge.release().await;
        return Err(problem);
    }
    trace.passed(&[S::Credits]);
    let hidden = credential.as_ref().map(|credential| credential.value.expose_secret());
    let secrets: Vec<&str> = [Some(secret.expose()), hidden].into_iter().flatten().collect();
    let answer = Answer::of(app, incoming, &scope, credential.as_ref(), trace).await;
    let Answer { status, headers, body } = match answer {
        Ok(answer) => {
            charge.settle().await;
            answer
        }
        Err((problem, has_reached)) => {
            match has_reached {
                true => charge.settle().await,
                false => charge.release().await,
            }
            return Err(problem);
        }
    };
    let said_length = rebuild::length(&headers);
    let headers = rebuild::answer(&headers, &secrets);
    Ok(Passed { status, headers, said_length, body, rates, turn })
}

/// Admits the key; beside a problem, the id of a key that was recognized.
async fn admit_to_send(
    app: &App,
    incoming: &Incoming<'_>,
    secret: &Token,
    record: &mut Record,
) -> Result<SendScope, (Problem, Option<Uuid>)> {
    // What can't be a slug names no workspace, and is looked up as an empty one.
    let slug = Slug::parse(incoming.workspace).ok().filter(|slug| slug.as_str() == incoming.workspace);
    let selector = workspace_selector(Some(slug.as_ref().map_or("", Slug::as_str)));
    let credential = Credential::of_api_key(secret);
    let scope = admit(&app.db, credential, selector, incoming.host, incoming.origin.clone()).await;
    match scope {
        Ok(scope) => {
            record.is_by(scope.actor());
            record.is_to(&scope.destination().host, Some(scope.destination().id));
            Ok(scope)
        }
        Err(refusal) => {
            let actor = refused_actor(&refusal);
            if let Some(actor) = actor {
                record.is_by(actor);
            }
            let key = actor.map(|actor| actor.principal.id());
            let problem = match &refusal {
                GatewayRefusal::NotAdmitted(refused) => {
                    if let Refused::Failed(error) = refused {
                        app.db.note_outage(error);
                    }
                    Problem::not_admitted(refused)
                }
                GatewayRefusal::Destination { problem, host, destination, .. } => {
                    record.is_to(host, *destination);
                    Problem::destination(*problem, host)
                }
            };
            Err((problem, key))
        }
    }
}

/// A page of another website sends only what its workspace allows, whatever the method.
async fn check_website(app: &App, scope: &SendScope, website: &str) -> Result<(), Problem> {
    let workspace = scope.actor().workspace.id;
    match origins::names(&app.db, workspace, website).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::not_admitted(&scope.scope().refuse(NOT_NAMED).await)),
        Err(refused) => Err(Problem::not_admitted(&refused)),
    }
}

/// What is wrong with the request itself, which only those learn who may send.
fn check_request(app: &App, incoming: &Incoming<'_>) -> Result<(), Problem> {
    let headers = &incoming.headers;
    if headers.get_all(header::VIA).iter().any(|via| app.outbound.is_own_via(via.as_bytes())) {
        return Err(Problem::looped());
    }
    let max = app.gateway.limits().max_request_bytes;
    if incoming.body.len().is_some_and(|length| length > max) {
        return Err(Problem::too_large(max));
    }
    // The host would get to know it.
    let is_elsewhere = |name: &HeaderName, value: &HeaderValue| {
        name.as_str() != super::incoming::KEY_HEADER && contains(value.as_bytes(), incoming.secret.as_bytes())
    };
    let decoded: Vec<u8> = percent_decode_str(incoming.path_and_query).collect();
    if headers.iter().any(|(name, value)| is_elsewhere(name, value))
        || contains(&decoded, incoming.secret.as_bytes())
    {
        return Err(Problem::request(
            StatusCode::BAD_REQUEST,
            "The API key is in the wrong place",
            "The API key of Bailiwick occurs outside of x-bailiwick-key, and would be sent to the host.",
            "Leave it out there. Authorization and other headers are the host's.",
        ));
    }
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// Counts the request of a test key.
async fn spend(app: &App, scope: &SendScope) -> Result<(), Problem> {
    let Principal::ApiKey(ApiKey { id, requests_left: Some(_), .. }) = &scope.actor().principal else {
        return Ok(());
    };
    match spend_request(&app.db, *id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::no_credits()),
        Err(refused) => Err(Problem::not_admitted(&refused)),
    }
}

/// The secret that the workspace has for the destination.
struct Sealed {
    name: HeaderName,
    value: SecretString,
}

impl Sealed {
    fn new((name, value): (String, SecretString)) -> Result<Self, Problem> {
        let unusable = || {
            tracing::error!("the credential of a destination can't be sent");
            Problem::new(
                S::Credits,
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "The credential of this destination can't be sent. Nothing was sent.",
                "Someone with the “Manage destinations” permission can enter it again.",
            )
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        HeaderValue::from_str(value.expose_secret()).map_err(|_| unusable())?;
        Ok(Self { name, value })
    }

    fn header(&self) -> Option<(&HeaderName, HeaderValue)> {
        Some((&self.name, HeaderValue::from_str(self.value.expose_secret()).ok()?))
    }
}

/// What a host answered, as it came.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: PassedBody,
}

impl Answer {
    /// # Errors
    /// The problem, and whether the host may have been sent something before it.
    async fn of(
        app: &App,
        incoming: Incoming<'_>,
        scope: &SendScope,
        credential: Option<&Sealed>,
        trace: &mut Trace,
    ) -> Result<Self, (Problem, bool)> {
        let Incoming { method, path_and_query, headers, body, .. } = incoming;
        let host = scope.destination().host.as_str();
        let headers = rebuild::request(&headers, credential.and_then(Sealed::header));
        let max = app.gateway.limits().max_request_bytes;
        if host == ECHO {
            let read = drain(body, &app.gateway).await;
            let read = read.map_err(|failure| (Problem::failure(&failure, max), false))?;
            let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let sealed = credential.map(|credential| credential.name.as_str());
            let answer = echo::answer(method.as_str(), path_and_query, fields, sealed, read);
            trace.passed(&[S::Address, S::Upstream]);
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
            return Ok(Self { status: answer.status, headers, body: PassedBody::Whole(answer.body) });
        }
        let target = Target { host, path_and_query };
        let group = group(scope.actor().principal.id(), scope.destination().id);
        match app.gateway.send(group, method, &target, headers, body).await {
            Ok(response) => {
                trace.passed(&[S::Address, S::Upstream]);
                let body = PassedBody::Stream(response.body);
                Ok(Self { status: response.status, headers: response.headers, body })
            }
            Err(failure) => {
                if failure.is_address() {
                    scope.refuse_address().await;
                }
                Err((Problem::failure(&failure, max), failure.may_have_reached_host()))
            }
        }
    }
}

/// Connections are never shared between two keys, or between two destinations.
fn group(key: Uuid, destination: Uuid) -> Uuid {
    Uuid::from_u128(key.as_u128().rotate_left(64) ^ destination.as_u128())
}

/// Reads a body that goes nowhere, within the bounds of all. Returns its length.
async fn drain(body: OutboundBody, client: &Outbound) -> Result<u64, Failure> {
    let limits = client.limits();
    let mut stream = match body {
        OutboundBody::Empty => return Ok(0),
        OutboundBody::Bytes(bytes) => return Ok(bytes.len() as u64),
        OutboundBody::Stream(_, stream) => stream,
    };
    let mut read = 0;
    let whole = async {
        while let Some(part) = tokio::time::timeout(limits.idle, stream.next())
            .await
            .map_err(|_| Failure::Timeout(Phase::Body))?
        {
            read += part.map_err(|_| Failure::Body)?.len() as u64;
            if read > limits.max_request_bytes {
                return Err(Failure::TooLarge(Part::Request));
            }
        }
        Ok(read)
    };
    tokio::time::timeout(limits.whole, whole).await.map_err(|_| Failure::Timeout(Phase::Whole))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_and_destination_has_connections_of_its_own() {
        let [one, two] = [1, 2].map(Uuid::from_u128);
        let groups = [group(one, two), group(two, one), group(one, one), group(two, two)];
        for (at, group) in groups.iter().enumerate() {
            assert!(!groups[..at].contains(group));
        }
    }
}
