//! The arguments of handlers: each says who may call it, and has checked that before the body is read.
//!
//! There is one extractor, [`Admitted`]. How a request is admitted is an [`Admission`]: which credential it
//! needs, what it is admitted to, and what is checked again once the body was read. A row of the table takes
//! what it requires from its handler's type, so the two cannot differ. Rows name it nevertheless, for their
//! readers, and the compiler compares: a handler under another permission than its row's does not compile:
//! ```compile_fail,E0271
//! use bailiwick::{policy::perm, web::{guard::{Authorized, HandlerResult}, route}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> HandlerResult { unimplemented!() }
//! let row = route::get("/w/{workspace}/audit", perm::ReadAudit, page);
//! ```
//! Under its own it does:
//! ```no_run
//! use bailiwick::{policy::perm, web::{guard::{Authorized, HandlerResult}, route}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> HandlerResult { unimplemented!() }
//! let row = route::get("/w/{workspace}/members", perm::ReadMembers, page);
//! ```
//! A POST that reads no form would not check the session's CSRF token, so it does not compile either:
//! ```compile_fail,E0277
//! use bailiwick::{policy::perm, web::{guard::{Authorized, HandlerResult}, route}};
//! async fn change(_: Authorized<perm::SuspendMembers>) -> HandlerResult { unimplemented!() }
//! let row = route::post("/w/{workspace}/members", perm::SuspendMembers, change);
//! ```
//! A handler for members of a workspace can't serve a page for admins of an account, nor the other way round:
//! ```compile_fail,E0271
//! use bailiwick::{policy::perm, web::{access::AdminOfAccount, guard::{Authorized, HandlerResult}, route}};
//! async fn page(_: Authorized<perm::ReadMembers>) -> HandlerResult { unimplemented!() }
//! let row = route::get("/a/{account}/people", AdminOfAccount, page);
//! ```
//! ```no_run
//! use bailiwick::web::{access::AdminOfAccount, guard::{HandlerResult, account::AccountAdmin}, route};
//! async fn page(_: AccountAdmin) -> HandlerResult { unimplemented!() }
//! let row = route::get("/a/{account}/people", AdminOfAccount, page);
//! ```
//! A route of the API never accepts a session, which a browser sends by itself:
//! ```compile_fail,E0277
//! use bailiwick::{policy::perm, web::{guard::{Authorized, HandlerResult}, route}};
//! use actix_web::http::Method;
//! async fn call(_: Authorized<perm::ReadMembers>) -> HandlerResult { unimplemented!() }
//! let row = route::call("listMembers", Method::GET, "/api/members", perm::ReadMembers, call);
//! ```
//! ```no_run
//! use bailiwick::{policy::perm, web::{guard::{HandlerResult, key::ApiRequest}, route}};
//! use actix_web::http::Method;
//! async fn call(_: ApiRequest<perm::ReadMembers>) -> HandlerResult { unimplemented!() }
//! let row = route::call("listMembers", Method::GET, "/api/members", perm::ReadMembers, call);
//! ```

pub mod account;
pub mod decision;
pub mod key;
pub mod visit;

use crate::{
    domain::{
        Refused, Slug,
        base::principal::{Credential, Origin, Person},
        enforce::{read::ReadScope, workspace::admission::WorkspaceSelector},
        nouns::{identity, members, notices},
    },
    policy::Access,
    web::{
        access::{AnyUser, Anyone, Required},
        app::App,
        chrome::{Chrome, PageContext, View},
        draft::{self, Draft},
        face::Face,
        form, matched, origin,
        outcome::{self, PrincipalId},
        problem, session,
        turns::{self, Line},
    },
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError, web::Data,
};
use futures_util::future::LocalBoxFuture;
use std::{
    future::{Future, ready},
    marker::PhantomData,
};
use tracing::Instrument;

/// What a page handler returns: a response, or the refusal.
pub type HandlerResult = Result<HttpResponse, Refused>;

/// How a request is admitted.
pub trait Admission: 'static {
    /// What a row of the table requires.
    type Requires: Required;
    /// What the request was admitted to, or who sent it.
    type Scope: 'static;
    /// The response of the handler.
    type View: 'static;

    /// Checks the credential of the request. The body is not read yet.
    ///
    /// # Errors
    /// Why it is not admitted.
    fn admit(req: &HttpRequest, app: &Data<App>) -> impl Future<Output = Result<Self::Scope, Refused>>;

    /// Checks again, once the body of a change was read: it may have taken its time. A scope that opens a
    /// transaction does that by itself, under its lock.
    ///
    /// # Errors
    /// Why it is no longer admitted.
    fn confirm(
        scope: Self::Scope,
        _: &HttpRequest,
        _: &Data<App>,
    ) -> impl Future<Output = Result<Self::Scope, Refused>> {
        ready(Ok(scope))
    }

    /// Who was admitted; `None` where that is anybody, or not known yet.
    fn principal(_: &Self::Scope) -> Option<PrincipalId> {
        None
    }

    /// Where the request lines up: those of one account take turns.
    fn line(_: &Self::Scope) -> Option<Line> {
        None
    }

    fn view(req: &HttpRequest, app: Data<App>, scope: &Self::Scope) -> Self::View;
}

/// An admission for pages: by session, or without.
pub trait PageAdmission: Admission<View = View> {}

/// An admission for services: by API key, or without.
pub trait CallAdmission: Admission {
    /// The interface that its routes belong to.
    const FACE: Face = Face::Api;

    /// It decides on a workspace, and checks by [`cors::check`](crate::web::cors::check) whether that names the
    /// website whose page sent the call. By all others, calls from other websites are refused.
    const ADMITS_OTHER_ORIGINS: bool = false;
}

/// A request that was admitted. One argument that owns its input: whatever the order of arguments, the
/// admission comes before the body.
pub struct Admitted<A: Admission, I = ()> {
    pub(in crate::web) scope: A::Scope,
    pub(in crate::web) view: A::View,
    pub(in crate::web) input: I,
}

impl<A: Admission, I> Admitted<A, I> {
    pub(in crate::web) fn into_parts(self) -> (A::Scope, A::View, I) {
        (self.scope, self.view, self.input)
    }
}

impl<A: Admission, I: FromRequest + 'static> FromRequest for Admitted<A, I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let refuse = |refused: Refused| refusal(&req, &refused);
            let admission = A::admit(&req, &app).instrument(tracing::debug_span!("admit"));
            let mut scope = match admission.await {
                Ok(scope) => scope,
                Err(refused) => {
                    if is_form_of_nobody(&req, &refused) {
                        form::keep_fields(&req, payload).await;
                    }
                    return Err(refuse(refused));
                }
            };
            if let Some(principal) = A::principal(&scope) {
                outcome::admitted(&req, <A::Requires as Required>::REQUIREMENT, principal);
            }
            load_draft(&req, &app).await;
            let reading = I::from_request(&req, &mut payload).instrument(tracing::debug_span!("read_body"));
            let input = reading.await.map_err(Into::into)?;
            // A body may take its time to arrive, and holds no turn meanwhile.
            if let Some(line) = A::line(&scope)
                && turns::take(&req, &app.turns, line)
                    .instrument(tracing::debug_span!("wait_for_turn"))
                    .await
                    .map_err(refuse)?
            {
                // Who had to wait may have lost their access meanwhile.
                scope = A::admit(&req, &app).await.map_err(refuse)?;
            }
            if !req.method().is_safe() {
                scope = A::confirm(scope, &req, &app).await.map_err(refuse)?;
            }
            let view = A::view(&req, app, &scope);
            Ok(Self { scope, view, input })
        })
    }
}

/// Whether somebody who is not signed in sent the form of a page: it comes back filled in once they are.
fn is_form_of_nobody(req: &HttpRequest, refused: &Refused) -> bool {
    matches!(refused, Refused::Unauthenticated)
        && !req.method().is_safe()
        && matched::facts(req).face == Face::Page
}

/// Loads the draft that the query names, to fill in the form of the page with it. If there is none any more, the
/// page is shown as it is.
async fn load_draft(req: &HttpRequest, app: &Data<App>) {
    let id = draft::requested(req).filter(|_| req.method().is_safe());
    let Some((id, session)) = id.zip(session::token(req)) else { return };
    match notices::draft(&app.db, &session, id).await {
        Ok(Some(text)) => {
            if let Some(draft) = Draft::parse(&text) {
                req.extensions_mut().insert(draft);
            }
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "could not load a draft"),
    }
}

fn app(req: &HttpRequest) -> Result<Data<App>, Error> {
    req.app_data::<Data<App>>()
        .cloned()
        .ok_or_else(|| actix_web::error::ErrorInternalServerError("the application was not set up"))
}

fn refusal(req: &HttpRequest, refused: &Refused) -> Error {
    InternalError::from_response("refused", problem::respond(req, refused)).into()
}

/// A member of the workspace in the path, by session.
pub struct MemberBySession<P>(PhantomData<P>);

/// A request that was admitted to a workspace under `P`.
pub type Authorized<P, I = ()> = Admitted<MemberBySession<P>, I>;

impl<P: Access> Admission for MemberBySession<P> {
    type Requires = P;
    type Scope = ReadScope<P>;
    type View = View;

    async fn admit(req: &HttpRequest, app: &Data<App>) -> Result<Self::Scope, Refused> {
        // What cannot be a slug names no workspace, and is looked up as an empty one.
        let text = req.match_info().get("workspace").unwrap_or_default();
        // Only as it is written: ` acme` would be a second address for one thing.
        let slug = Slug::parse(text).ok().filter(|slug| slug.as_str() == text);
        let slug = slug.as_ref().map_or("", Slug::as_str);
        let by_session: Result<ReadScope<P>, Refused> = match credential(req) {
            Ok(credential) => {
                ReadScope::admit(&app.db, credential, WorkspaceSelector::BySlug(slug), origin::of(req)).await
            }
            Err(refused) => Err(refused),
        };
        let scope: ReadScope<P> = match by_session {
            // Nobody's, or of somebody who is no member: maybe they were granted support access.
            Err(Refused::Unauthenticated | Refused::NotFound) if visit::has_link(req, app) => {
                visit::admit(req, app, slug, by_session).await?
            }
            by_session => by_session?,
        };
        let scope = members::settled(scope).await?;
        remember(req, PageContext::Workspace(Box::new(scope.actor().clone())));
        Ok(scope)
    }

    fn principal(scope: &Self::Scope) -> Option<PrincipalId> {
        Some((&scope.actor().principal).into())
    }

    fn line(scope: &Self::Scope) -> Option<Line> {
        Some(Line::of(scope.actor()))
    }

    fn view(req: &HttpRequest, app: Data<App>, scope: &Self::Scope) -> View {
        View::in_context(req, app, PageContext::Workspace(Box::new(scope.actor().clone())))
    }
}

impl<P: Access> PageAdmission for MemberBySession<P> {}

/// Stores where the request was admitted to, so that a later refusal is shown in that frame.
fn remember(req: &HttpRequest, context: PageContext) {
    req.extensions_mut().insert(context);
}

/// The session that the request carries.
pub(in crate::web) fn credential(req: &HttpRequest) -> Result<Credential, Refused> {
    session::token(req).map(|token| Credential::of_session(&token)).ok_or(Refused::Unauthenticated)
}

/// A user, by session.
pub struct UserBySession;

/// A request of a person who is signed in, to no workspace.
pub type SignedIn<I = ()> = Admitted<UserBySession, I>;

impl Admission for UserBySession {
    type Requires = AnyUser;
    type Scope = Person;
    type View = View;

    async fn admit(req: &HttpRequest, app: &Data<App>) -> Result<Person, Refused> {
        identity::authenticate(&app.db, &credential(req)?).await
    }

    /// A person who signed out in the meantime changes nothing.
    async fn confirm(_: Person, req: &HttpRequest, app: &Data<App>) -> Result<Person, Refused> {
        Self::admit(req, app).await
    }

    fn principal(person: &Person) -> Option<PrincipalId> {
        Some(PrincipalId::User(person.user_id))
    }

    fn view(req: &HttpRequest, app: Data<App>, person: &Person) -> View {
        View::of_person(req, app, person)
    }
}

impl PageAdmission for UserBySession {}

impl<I> SignedIn<I> {
    pub(in crate::web) fn person(&self) -> &Person {
        &self.scope
    }
}

/// Admission of anybody, with or without a session.
pub struct NoCredential;

/// A request of anybody.
pub type Public<I = ()> = Admitted<NoCredential, I>;

impl Admission for NoCredential {
    type Requires = Anyone;
    type Scope = ();
    type View = View;

    async fn admit(_: &HttpRequest, _: &Data<App>) -> Result<(), Refused> {
        Ok(())
    }

    fn view(req: &HttpRequest, app: Data<App>, (): &()) -> View {
        View::public(req, app)
    }
}

impl PageAdmission for NoCredential {}

impl CallAdmission for NoCredential {}

impl<I> Public<I> {
    /// The person who is signed in; `None` if nobody is.
    ///
    /// # Errors
    /// The database's own.
    pub(in crate::web) async fn person(&self) -> Result<Option<Person>, Refused> {
        match UserBySession::admit(&self.view.req, &self.view.app).await {
            Ok(person) => Ok(Some(person)),
            Err(Refused::Unauthenticated) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// For a page that anybody may read: whoever is signed in keeps the frame of their pages.
    ///
    /// # Errors
    /// The database's own.
    pub(in crate::web) async fn framed(&self) -> Result<(View, Chrome), Refused> {
        Ok(match self.person().await? {
            Some(person) => {
                let view = View::of_person(&self.view.req, self.view.app.clone(), &person);
                let chrome = view.chrome();
                (view, chrome)
            }
            None => (self.view.clone(), Chrome::default()),
        })
    }
}

impl<A: PageAdmission, I> Admitted<A, I> {
    /// Where the request comes from.
    pub(in crate::web) fn origin(&self) -> Origin {
        origin::of(&self.view.req)
    }
}
