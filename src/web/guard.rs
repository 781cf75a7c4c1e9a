//! The arguments of handlers: each says who may call it, and each has checked that before the body
//! is read.
//!
//! A handler under another permission than its row in the table does not compile:
//! ```compile_fail,E0271
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, routes}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> Answer { unimplemented!() }
//! let row = routes::page("/w/{workspace}/audit", perm::ReadAudit, page);
//! ```
//! Under its own it does:
//! ```no_run
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, routes}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> Answer { unimplemented!() }
//! let row = routes::page("/w/{workspace}/members", perm::ReadMembers, page);
//! ```
//! A POST that reads no form would go without the session's token, so it does not compile either:
//! ```compile_fail,E0277
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, routes}};
//! async fn change(_: Authorized<perm::SuspendMembers>) -> Answer { unimplemented!() }
//! let row = routes::post("/w/{workspace}/members", perm::SuspendMembers, change);
//! ```
//! What is for the admins of an account is no page of a workspace, nor the other way round:
//! ```compile_fail,E0631
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, routes}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> Answer { unimplemented!() }
//! let row = routes::account_page("/a/{account}/people", page);
//! ```
//! ```no_run
//! use bailiwick::web::{guard::{AccountAdmin, Answer}, routes};
//! async fn page(_: AccountAdmin) -> Answer { unimplemented!() }
//! let row = routes::account_page("/a/{account}/people", page);
//! ```

use super::{App, api, chrome::View, form, origin, problem, session};
use crate::{
    domain::{
        Refused, Slug, Token,
        accounts::AccountScope,
        api_keys::{self, ApiKey},
        decisions::{self, Decision, Question},
        identity::{self, Person},
        scope::{Actor, Asked, Credential, Origin, ReadScope},
    },
    policy::{Access, perm},
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError, web,
};
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

/// What a handler answers: a page, or why not.
pub type Answer = Result<HttpResponse, Refused>;

/// A request that was admitted to a workspace under `P`. One argument that owns its input: whatever
/// the order of arguments, the permission comes before the body.
pub struct Authorized<P, I = ()> {
    scope: ReadScope<P>,
    view: View,
    input: I,
}

impl<P: Access, I> Authorized<P, I> {
    pub(super) fn into_parts(self) -> (ReadScope<P>, View, I) {
        (self.scope, self.view, self.input)
    }

    pub fn actor(&self) -> &Actor {
        self.scope.actor()
    }
}

impl<P: Access, I: FromRequest + 'static> FromRequest for Authorized<P, I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let scope = admit::<P>(&req, &app).await.map_err(|refused| refusal(&req, &refused))?;
            // For the frame of the page, should the request be refused from here on.
            req.extensions_mut().insert(scope.actor().clone());
            let view = View::of_actor(&req, app, scope.actor());
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            Ok(Self { scope, view, input })
        })
    }
}

async fn admit<P: Access>(req: &HttpRequest, app: &web::Data<App>) -> Result<ReadScope<P>, Refused> {
    let credential = credential(req)?;
    // What cannot be a slug names no workspace, and is asked for as none.
    let text = req.match_info().get("workspace").unwrap_or_default();
    // Only as it is written: ` acme` would be a second address for one thing.
    let slug = Slug::parse(text).ok().filter(|slug| slug.as_str() == text);
    let slug = slug.as_ref().map_or("", Slug::as_str);
    ReadScope::admit(&app.db, credential, Asked::BySlug(slug), origin::of(req)).await
}

/// A service's request that was admitted to a workspace under `P`. Like [`Authorized`], by API key and
/// never by a session: what a browser sends along by itself opens nothing here, so no form's token is
/// asked for.
pub struct Called<P, I = ()> {
    pub(super) scope: ReadScope<P>,
    #[allow(dead_code, reason = "for handlers that need more than their scope")]
    pub(super) app: web::Data<App>,
    #[allow(dead_code, reason = "the same")]
    pub(super) req: HttpRequest,
    pub(super) input: I,
}

impl<P: Access, I: FromRequest + 'static> FromRequest for Called<P, I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let scope = call::<P>(&req, &app).await.map_err(|refused| refusal(&req, &refused))?;
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            Ok(Self { scope, app, req, input })
        })
    }
}

async fn call<P: Access>(req: &HttpRequest, app: &web::Data<App>) -> Result<ReadScope<P>, Refused> {
    let secret = api::secret(req)?;
    let named = api::named_workspace(req)?;
    let asked = api_keys::asked(named.as_deref());
    let scope: ReadScope<P> =
        match ReadScope::admit(&app.db, Credential::of_api_key(&secret), asked, origin::of_call(req)).await {
            Err(Refused::Hidden) if named.is_none() => return Err(api::homeless()),
            other => other?,
        };
    app.calls.admitted(secret.hash(), scope.actor().principal.id());
    Ok(scope)
}

/// A service's question about somebody. What it asks is read before it is admitted, so that one
/// statement can do both; whoever is not admitted learns nothing of what was wrong with it. The only
/// ways on are [`Asking::decide`] and [`Asking::scope`], and both admit.
pub struct Asking {
    pub(super) req: HttpRequest,
    /// `None` where it is no JSON.
    pub(super) body: Option<serde_json::Value>,
    app: web::Data<App>,
    secret: Token,
    named: Option<String>,
}

impl Asking {
    /// Admits the service and answers its question.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(super) async fn decide(&self, question: &Question) -> Result<Decision, Refused> {
        let (credential, asked) =
            (Credential::of_api_key(&self.secret), api_keys::asked(self.named.as_deref()));
        let origin = origin::of_call(&self.req);
        let decided = decisions::decide(&self.app.db, credential, asked, origin, question).await;
        let (decision, key) = self.told(decided)?;
        self.app.calls.admitted(self.secret.hash(), key);
        Ok(decision)
    }

    /// Admits the service.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(super) async fn scope(&self) -> Result<ReadScope<perm::CheckAccess>, Refused> {
        let (credential, asked) =
            (Credential::of_api_key(&self.secret), api_keys::asked(self.named.as_deref()));
        let admitted = ReadScope::admit(&self.app.db, credential, asked, origin::of_call(&self.req)).await;
        let scope: ReadScope<perm::CheckAccess> = self.told(admitted)?;
        self.app.calls.admitted(self.secret.hash(), scope.actor().principal.id());
        Ok(scope)
    }

    fn told<T>(&self, admitted: Result<T, Refused>) -> Result<T, Refused> {
        match admitted {
            Err(Refused::Hidden) if self.named.is_none() => Err(api::homeless()),
            other => other,
        }
    }
}

impl FromRequest for Asking {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let read = api::secret(&req).and_then(|secret| Ok((secret, api::named_workspace(&req)?)));
            let (secret, named) = read.map_err(|refused| refusal(&req, &refused))?;
            let body = api::access::read(payload).await.map_err(|broken| form::refusal(&req, &broken))?;
            Ok(Self { secret, req, body, app, named })
        })
    }
}

/// A service's request by a live key; no workspace is asked for.
pub struct Keyed<I = ()> {
    pub(super) key: ApiKey,
    pub(super) app: web::Data<App>,
    pub(super) req: HttpRequest,
    pub(super) input: I,
}

impl<I: FromRequest + 'static> FromRequest for Keyed<I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let secret = api::secret(&req).map_err(|refused| refusal(&req, &refused))?;
            let credential = Credential::of_api_key(&secret);
            let ask =
                async || api_keys::who(&app.db, &credential).await.map_err(|refused| refusal(&req, &refused));
            let mut key = ask().await?;
            app.calls.admitted(secret.hash(), key.id);
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            if !req.method().is_safe() {
                // As for a session: the body may have taken its time.
                key = ask().await?;
            }
            Ok(Self { key, app, req, input })
        })
    }
}

/// A request of an admin of the account in the path. Checked before the body is read.
pub struct AccountAdmin<I = ()> {
    scope: AccountScope,
    view: View,
    input: I,
}

impl<I> AccountAdmin<I> {
    pub(super) fn into_parts(self) -> (AccountScope, View, I) {
        (self.scope, self.view, self.input)
    }
}

impl<I: FromRequest + 'static> FromRequest for AccountAdmin<I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let scope = admit_admin(&req, &app).await.map_err(|refused| refusal(&req, &refused))?;
            // For the frame of the page, should the request be refused from here on.
            req.extensions_mut().insert(scope.actor().clone());
            let view = View::of_admin(&req, app, scope.actor());
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            Ok(Self { scope, view, input })
        })
    }
}

async fn admit_admin(req: &HttpRequest, app: &web::Data<App>) -> Result<AccountScope, Refused> {
    let credential = credential(req)?;
    // What cannot be an id names no account, and is asked for as none.
    let account = form::id(req.match_info().get("account").unwrap_or_default()).unwrap_or(Uuid::nil());
    AccountScope::admit(&app.db, credential, account, origin::of(req)).await
}

/// A request of somebody who is signed in; no workspace is asked for.
pub struct SignedIn<I = ()> {
    pub(super) person: Person,
    pub(super) origin: Origin,
    pub(super) view: View,
    pub(super) input: I,
}

impl<I: FromRequest + 'static> FromRequest for SignedIn<I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let ask = async || who(&req, &app).await.map_err(|refused| refusal(&req, &refused));
            let mut person = ask().await?;
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            if !req.method().is_safe() {
                // The body may have taken its time: whoever signed out meanwhile changes nothing.
                person = ask().await?;
            }
            let view = View::of_person(&req, app.clone(), &person);
            Ok(Self { person, origin: origin::of(&req), view, input })
        })
    }
}

/// A request of anybody.
pub struct Public<I = ()> {
    pub(super) origin: Origin,
    pub(super) view: View,
    pub(super) input: I,
}

impl<I> Public<I> {
    /// Who is signed in here, if anybody is.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn person(&self) -> Result<Option<Person>, Refused> {
        match who(&self.view.req, &self.view.app).await {
            Ok(person) => Ok(Some(person)),
            Err(Refused::SignedOut) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

impl<I: FromRequest + 'static> FromRequest for Public<I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let view = View::public(&req, app(&req)?);
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            Ok(Self { origin: origin::of(&req), view, input })
        })
    }
}

fn credential(req: &HttpRequest) -> Result<Credential, Refused> {
    session::token(req).map(|token| Credential::of_session(&token)).ok_or(Refused::SignedOut)
}

async fn who(req: &HttpRequest, app: &web::Data<App>) -> Result<Person, Refused> {
    identity::who(&app.db, &credential(req)?).await
}

fn app(req: &HttpRequest) -> Result<web::Data<App>, Error> {
    req.app_data::<web::Data<App>>()
        .cloned()
        .ok_or_else(|| actix_web::error::ErrorInternalServerError("the application was not set up"))
}

fn refusal(req: &HttpRequest, refused: &Refused) -> Error {
    InternalError::from_response("refused", problem::respond(req, refused)).into()
}
