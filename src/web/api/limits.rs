//! How many calls a key may make in a minute, at this node. In memory: a call that is refused must
//! cost next to nothing.

use crate::{
    clock::MINUTE,
    domain::Refused,
    web::{App, api, origin, problem},
};
use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};
use std::{collections::HashMap, sync::Mutex};
use uuid::Uuid;

/// Decisions are small and many.
const DECISIONS: u32 = 10;
/// Callers that are remembered; each is some hundred bytes.
const MOST_CALLERS: usize = 100_000;

/// The calls of this minute, by caller.
pub struct Calls {
    /// For each key and minute; 0 for as many as they like.
    most: u32,
    windows: Mutex<HashMap<Caller, Window>>,
    /// Whose secret it is, by its hash: of those that were admitted.
    keys: Mutex<HashMap<Vec<u8>, Uuid>>,
}

/// What is counted, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller(&'static str, Who);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// Whichever of its secrets is shown.
    Key(Uuid),
    /// What was never admitted: anybody can make up a secret.
    Address(String),
    /// Who comes when there are too many to tell apart.
    Others,
}

#[derive(Clone, Copy)]
struct Window {
    ends_at: i64,
    used: u32,
}

/// How a caller stands after a call.
struct Standing {
    policy: &'static str,
    most: u32,
    left: u32,
    seconds: i64,
    is_over: bool,
}

/// What a call counts for, where it is not one: so many questions in one batch.
pub(super) struct Weight(u32);

impl Weight {
    pub(super) fn of(many: usize) -> Self {
        Self(u32::try_from(many).unwrap_or(u32::MAX).max(1))
    }
}

impl Calls {
    pub fn new(most: u32) -> Self {
        Self { most, windows: Mutex::default(), keys: Mutex::default() }
    }

    /// A secret was admitted: from now on its calls are counted for its key.
    pub(in crate::web) fn admitted(&self, secret: Vec<u8>, key: Uuid) {
        let Ok(mut keys) = self.keys.lock() else { return };
        if keys.len() >= MOST_CALLERS {
            keys.clear();
        }
        keys.insert(secret, key);
    }

    fn key_of(&self, secret: &[u8]) -> Option<Uuid> {
        self.keys.lock().ok()?.get(secret).copied()
    }

    /// Counts a call of this weight; over it, nothing is done.
    fn count(&self, mut caller: Caller, weight: u32, now: i64) -> Option<Standing> {
        let policy = caller.0;
        let most = if policy == "decisions" { self.most.saturating_mul(DECISIONS) } else { self.most };
        let mut windows = self.windows.lock().ok().filter(|_| most > 0)?;
        if windows.len() >= MOST_CALLERS && !windows.contains_key(&caller) {
            windows.retain(|_, window| window.ends_at > now);
            if windows.len() >= MOST_CALLERS {
                caller.1 = Who::Others;
            }
        }
        let window = windows.entry(caller).or_insert(Window { ends_at: now + MINUTE, used: 0 });
        if window.ends_at <= now {
            *window = Window { ends_at: now + MINUTE, used: 0 };
        }
        let is_over = window.used >= most;
        window.used = window.used.saturating_add(weight).min(most);
        let seconds = (window.ends_at - now + 999) / 1_000;
        Some(Standing { policy, most, left: most - window.used, seconds, is_over })
    }
}

/// Who calls: the key whose secret was shown, or, where it was not admitted yet, the network address.
fn caller(req: &HttpRequest, calls: &Calls) -> Option<Caller> {
    // The path that the router goes by.
    let path = req.match_info().as_str();
    let policy = match () {
        () if path.starts_with("/access/") => "decisions",
        () if path.starts_with("/api/") => "calls",
        () => return None,
    };
    let by_address = || Who::Address(origin::of(req).address);
    // What is verified is somebody else's key.
    if path.ends_with("/apikeys/verify") {
        return Some(Caller("verifications", by_address()));
    }
    let key = api::secret(req).ok().and_then(|secret| calls.key_of(&secret.hash()));
    Some(Caller(policy, key.map_or_else(by_address, Who::Key)))
}

/// Middleware: every call is counted, and told how its caller stands
/// (draft-ietf-httpapi-ratelimit-headers).
pub(crate) async fn limit_calls<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let app = req.app_data::<Data<App>>().cloned();
    let who = |req: &HttpRequest| app.as_ref().and_then(|app| caller(req, &app.calls));
    let count = |caller: &Option<Caller>, weight| {
        let (app, caller) = (app.as_ref()?, caller.clone()?);
        app.calls.count(caller, weight, app.db.now_ms())
    };
    let before = who(req.request());
    let mut standing = count(&before, 1);
    let mut response = match &standing {
        Some(standing) if standing.is_over => {
            let refused = Refused::TooMany { retry_after_seconds: standing.seconds };
            let response = problem::respond(req.request(), &refused);
            req.into_response(response).map_into_left_body()
        }
        _ => next.call(req).await?.map_into_right_body(),
    };
    // By now it is known whose secret it was, and how much was asked.
    let after = who(response.request());
    let weight = response.request().extensions().get::<Weight>().map_or(1, |weight| weight.0);
    let more = if after == before { weight - 1 } else { weight };
    if more > 0 {
        standing = count(&after, more);
    }
    if let Some(Standing { policy, most, left, seconds, .. }) = standing {
        for (name, value) in [
            ("ratelimit-policy", format!("\"{policy}\";q={most};w=60")),
            ("ratelimit", format!("\"{policy}\";r={left};t={seconds}")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_calls() {
        let calls = Calls::new(2);
        let call = |who: u128, now| calls.count(Caller("calls", Who::Key(Uuid::from_u128(who))), 1, now);
        assert!(call(1, 0).is_some_and(|s| !s.is_over && s.left == 1 && s.seconds == 60));
        assert!(call(1, 59_000).is_some_and(|s| !s.is_over && s.left == 0 && s.seconds == 1));
        assert!(call(1, 59_999).is_some_and(|s| s.is_over));
        assert!(call(2, 59_999).is_some_and(|s| !s.is_over));
        assert!(call(1, 60_000).is_some_and(|s| !s.is_over && s.left == 1));
        let decisions = || Caller("decisions", Who::Others);
        assert!(calls.count(decisions(), 15, 0).is_some_and(|s| s.most == 20 && s.left == 5));
        assert!(calls.count(decisions(), 15, 0).is_some_and(|s| !s.is_over && s.left == 0));
        assert!(calls.count(decisions(), 1, 0).is_some_and(|s| s.is_over));
        assert!(Calls::new(0).count(decisions(), 1, 0).is_none());
    }
}
