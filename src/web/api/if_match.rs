//! The header `If-Match`: changes of a resource that still has the version the caller has seen (RFC 9110,
//! 13.1.1).

use crate::{
    domain::{
        Invalid, Refused,
        base::event::Recorded,
        enforce::{read::ReadScope, write::WriteScope},
    },
    policy::Access,
    web::{
        api::{
            operation::{Input, Operation},
            spec,
        },
        problem,
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, error::InternalError, http::header};
use std::future::{Ready, ready};
use utoipa::openapi::path::ParameterIn;

/// A resource whose version is the `ETag` of responses and the `If-Match` of requests.
pub trait Versioned {
    fn tag(&self) -> String;
}

/// A version by itself.
impl Versioned for String {
    fn tag(&self) -> String {
        self.clone()
    }
}

impl<T: Versioned> Versioned for &T {
    fn tag(&self) -> String {
        T::tag(self)
    }
}

/// The versions that the caller has seen, one of which the resource must still have.
#[derive(Debug)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// [`ReadScope::write`], if the resource still has a version that the caller has seen. `now` reads it
    /// under the lock, so that nothing changes between the check and `change`, which receives it.
    ///
    /// # Errors
    /// [`Refused::PreconditionFailed`] for another version, and whatever `now`, `change` and the scope
    /// refuse.
    pub async fn write<P: Access, N: Versioned, T>(
        &self,
        scope: ReadScope<P>,
        now: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<N, Refused>,
        change: impl AsyncFnOnce(&mut WriteScope<P>, N) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let checked = async |s: &mut WriteScope<P>| {
            let thing = now(s).await?;
            self.check(&thing.tag())?;
            change(s, thing).await
        };
        scope.write(checked).await
    }

    /// # Errors
    /// [`Refused::PreconditionFailed`] where the caller has not seen this version.
    pub fn check(&self, version: &str) -> Result<(), Refused> {
        let Some(seen) = &self.0 else { return Ok(()) };
        let tag = etag(version);
        // A weak tag never matches (RFC 9110, 13.1.1).
        let fits = |one: &str| one == "*" || one == tag;
        if seen.split(',').map(str::trim).any(fits) { Ok(()) } else { Err(Refused::PreconditionFailed) }
    }
}

/// A version as the value of the header `ETag`.
pub(super) fn etag(version: &str) -> String {
    format!("\"{version}\"")
}

impl FromRequest for IfMatch {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let all: Vec<&str> = match req.headers().get_all(header::IF_MATCH).map(|v| v.to_str()).collect() {
            Ok(all) => all,
            Err(_) => return ready(Err(invalid(req, "If-Match", "Send the value of an ETag."))),
        };
        if all.iter().any(|one| !is_etags(one)) {
            return ready(Err(invalid(req, "If-Match", "Send the value of an ETag, including the quotes.")));
        }
        let mut tags = all.iter().flat_map(|one| one.split(',')).map(str::trim);
        if !all.is_empty() && tags.all(|tag| tag.starts_with("W/")) {
            return ready(Err(weak(req)));
        }
        ready(Ok(Self((!all.is_empty()).then(|| all.join(",")))))
    }
}

fn is_etags(text: &str) -> bool {
    let is_tag = |one: &str| {
        let inner =
            one.strip_prefix("W/").unwrap_or(one).strip_prefix('"').and_then(|one| one.strip_suffix('"'));
        inner.is_some_and(|inner| inner.bytes().all(|b| b == b'!' || (b'#'..=b'~').contains(&b)))
    };
    text.trim() == "*" || text.split(',').map(str::trim).all(is_tag)
}

/// The refusal of weak tags, which never match (RFC 9110, 13.1.1): nothing says that the resource has changed.
fn weak(req: &HttpRequest) -> Error {
    InternalError::from_response("weak tags", problem::weak_tag(req)).into()
}

fn invalid(req: &HttpRequest, field: &str, sentence: &str) -> Error {
    let refused = Invalid::field(field, sentence).into();
    InternalError::from_response("invalid header", problem::respond(req, &refused)).into()
}

impl Input for IfMatch {
    fn describe(operation: &mut Operation) {
        let about =
            "The ETag you received. If it has changed since then, nothing is changed and you get 412.";
        operation.parameter("If-Match", ParameterIn::Header, false, about, spec::etags());
        operation.refusals.extend([412, 422]);
    }
}
