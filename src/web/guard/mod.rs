//! The arguments of handlers: each says who may call it, and each has checked that before the body
//! is read.
//!
//! A handler under another permission than its row in the table does not compile:
//! ```compile_fail,E0271
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, route}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> Answer { unimplemented!() }
//! let row = route::page("/w/{workspace}/audit", perm::ReadAudit, page);
//! ```
//! Under its own it does:
//! ```no_run
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, route}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> Answer { unimplemented!() }
//! let row = route::page("/w/{workspace}/members", perm::ReadMembers, page);
//! ```
//! A POST that reads no form would go without the session's token, so it does not compile either:
//! ```compile_fail,E0277
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, route}};
//! async fn change(_: Authorized<perm::SuspendMembers>) -> Answer { unimplemented!() }
//! let row = route::post("/w/{workspace}/members", perm::SuspendMembers, change);
//! ```
//! What is for the admins of an account is no page of a workspace, nor the other way round:
//! ```compile_fail,E0631
//! use bailiwick::{policy::perm, web::{guard::{Answer, Authorized}, route}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> Answer { unimplemented!() }
//! let row = route::account_page("/a/{account}/people", page);
//! ```
//! ```no_run
//! use bailiwick::web::{guard::{Answer, account::AccountAdmin}, route};
//! async fn page(_: AccountAdmin) -> Answer { unimplemented!() }
//! let row = route::account_page("/a/{account}/people", page);
//! ```

pub mod account;
pub mod decision;
pub mod key;

use crate::{
    domain::{
        Refused, Slug,
        base::principal::{Actor, Credential, Origin, Person},
        enforce::{read::ReadScope, workspace::admission::Asked},
        identity,
    },
    policy::Access,
    web::{app::App, chrome::View, origin, problem, session},
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError, web,
};
use futures_util::future::LocalBoxFuture;

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

pub(in crate::web) fn credential(req: &HttpRequest) -> Result<Credential, Refused> {
    session::token(req).map(|token| Credential::of_session(&token)).ok_or(Refused::SignedOut)
}

async fn who(req: &HttpRequest, app: &web::Data<App>) -> Result<Person, Refused> {
    identity::who(&app.db, &credential(req)?).await
}

pub(in crate::web) fn app(req: &HttpRequest) -> Result<web::Data<App>, Error> {
    req.app_data::<web::Data<App>>()
        .cloned()
        .ok_or_else(|| actix_web::error::ErrorInternalServerError("the application was not set up"))
}

pub(in crate::web) fn refusal(req: &HttpRequest, refused: &Refused) -> Error {
    InternalError::from_response("refused", problem::respond(req, refused)).into()
}
