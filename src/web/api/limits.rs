//! How many calls a key may make in a minute, at this node. In memory: a call that is refused must
//! cost next to nothing.

use crate::{
    clock::MINUTE,
    domain::Refused,
    web::{App, api, origin, problem},
};
use actix_web::{
    Error,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};
use std::{collections::HashMap, sync::Mutex};

/// Decisions are small and many.
const DECISIONS: u32 = 10;
/// Callers that are remembered; each is some hundred bytes.
const MOST_CALLERS: usize = 100_000;

/// The calls of this minute, by caller.
pub struct Calls {
    /// For each key and minute; 0 for as many as they like.
    most: u32,
    windows: Mutex<HashMap<Caller, Window>>,
}

/// What is counted, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller(&'static str, Vec<u8>);

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

impl Calls {
    pub fn new(most: u32) -> Self {
        Self { most, windows: Mutex::default() }
    }

    fn count(&self, caller: Caller, now: i64) -> Option<Standing> {
        let policy = caller.0;
        let most = if policy == "decisions" { self.most.saturating_mul(DECISIONS) } else { self.most };
        let mut windows = self.windows.lock().ok().filter(|_| most > 0)?;
        if windows.len() >= MOST_CALLERS {
            windows.retain(|_, window| window.ends_at > now);
        }
        if windows.len() >= MOST_CALLERS {
            windows.clear();
        }
        let window = windows.entry(caller).or_insert(Window { ends_at: now + MINUTE, used: 0 });
        if window.ends_at <= now {
            *window = Window { ends_at: now + MINUTE, used: 0 };
        }
        let is_over = window.used >= most;
        window.used = window.used.saturating_add(1).min(most);
        let seconds = (window.ends_at - now + 999) / 1_000;
        Some(Standing { policy, most, left: most - window.used, seconds, is_over })
    }
}

/// Who calls: the key that was shown, or, where none is, the network address.
fn caller(req: &ServiceRequest) -> Option<Caller> {
    let path = req.path();
    let policy = match () {
        () if path.starts_with("/access/") => "decisions",
        () if path.starts_with("/api/") => "calls",
        () => return None,
    };
    let by_address = || origin::of(req.request()).address.into_bytes();
    // What is verified is somebody else's key.
    if path.ends_with("/apikeys/verify") {
        return Some(Caller("verifications", by_address()));
    }
    Some(Caller(policy, api::secret(req.request()).map_or_else(|_| by_address(), |secret| secret.hash())))
}

/// Middleware: every call is counted, and told how its caller stands
/// (draft-ietf-httpapi-ratelimit-headers).
pub(crate) async fn limit_calls<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let standing = match (caller(&req), req.app_data::<Data<App>>()) {
        (Some(caller), Some(app)) => app.calls.count(caller, app.db.now_ms()),
        _ => None,
    };
    let mut response = match &standing {
        Some(standing) if standing.is_over => {
            let refused = Refused::TooMany { retry_after_seconds: standing.seconds };
            let response = problem::respond(req.request(), &refused);
            req.into_response(response).map_into_left_body()
        }
        _ => next.call(req).await?.map_into_right_body(),
    };
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
        let call = |who: u8, now| calls.count(Caller("calls", vec![who]), now);
        assert!(call(1, 0).is_some_and(|s| !s.is_over && s.left == 1 && s.seconds == 60));
        assert!(call(1, 59_000).is_some_and(|s| !s.is_over && s.left == 0 && s.seconds == 1));
        assert!(call(1, 59_999).is_some_and(|s| s.is_over));
        assert!(call(2, 59_999).is_some_and(|s| !s.is_over));
        assert!(call(1, 60_000).is_some_and(|s| !s.is_over && s.left == 1));
        assert!(calls.count(Caller("decisions", vec![1]), 0).is_some_and(|s| s.most == 20));
        assert!(Calls::new(0).count(Caller("calls", vec![1]), 0).is_none());
    }
}
