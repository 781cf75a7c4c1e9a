//! A service's request, by API key.

use crate::{
    domain::{
        Refused,
        base::principal::{ApiKey, Credential},
        enforce::read::ReadScope,
        nouns::{api_keys, members},
    },
    policy::Access,
    web::{
        access::AnyKey,
        app::App,
        bearer, cors,
        guard::{Admission, Admitted, CallAdmission},
        origin,
        outcome::PrincipalId,
        turns::Line,
    },
};
use actix_web::{HttpRequest, web::Data};
use std::marker::PhantomData;

/// What handlers of services' requests need beside their scope.
pub struct Call {
    pub(in crate::web) req: HttpRequest,
    pub(in crate::web) app: Data<App>,
}

/// A member of a workspace, by API key.
pub struct MemberByKey<P>(PhantomData<P>);

/// A service's request that was admitted to a workspace under `P`. By API key and never by a session: what
/// a browser sends by itself is not accepted here, so no CSRF token is required.
pub type ApiRequest<P, I = ()> = Admitted<MemberByKey<P>, I>;

impl<P: Access> Admission for MemberByKey<P> {
    type Requires = P;
    type Scope = ReadScope<P>;
    type View = Call;

    async fn admit(req: &HttpRequest, app: &Data<App>) -> Result<Self::Scope, Refused> {
        let secret = bearer::secret(req)?;
        let named = bearer::named_workspace(req)?;
        let (credential, selector) =
            (Credential::of_api_key(&secret), api_keys::workspace_selector(named.as_deref()));
        let admitted = ReadScope::admit(&app.db, credential, selector, origin::of_call(req)).await;
        let admitted = cors::check(req, app, admitted).await;
        let scope: ReadScope<P> = bearer::or_needs_workspace(admitted, named.as_deref())?;
        let scope = members::settled(scope).await?;
        app.calls.admitted(secret.hash(), scope.actor().principal.id());
        Ok(scope)
    }

    fn principal(scope: &Self::Scope) -> Option<PrincipalId> {
        Some((&scope.actor().principal).into())
    }

    fn line(scope: &Self::Scope) -> Option<Line> {
        Some(Line::of(scope.actor()))
    }

    fn view(req: &HttpRequest, app: Data<App>, _: &Self::Scope) -> Call {
        Call { req: req.clone(), app }
    }
}

impl<P: Access> CallAdmission for MemberByKey<P> {
    const ADMITS_OTHER_ORIGINS: bool = true;
}

/// A live API key.
pub struct KeyWithoutWorkspace;

/// A service's request by a live key, to no workspace.
pub type KeyRequest<I = ()> = Admitted<KeyWithoutWorkspace, I>;

impl Admission for KeyWithoutWorkspace {
    type Requires = AnyKey;
    type Scope = ApiKey;
    type View = Call;

    async fn admit(req: &HttpRequest, app: &Data<App>) -> Result<ApiKey, Refused> {
        let secret = bearer::secret(req)?;
        let key = api_keys::authenticate(&app.db, &Credential::of_api_key(&secret)).await?;
        app.calls.admitted(secret.hash(), key.id);
        Ok(key)
    }

    fn principal(key: &ApiKey) -> Option<PrincipalId> {
        Some(PrincipalId::ApiKey(key.id))
    }

    fn line(key: &ApiKey) -> Option<Line> {
        Some(Line::of_account(key.account_id, key.shown_to, key.id))
    }

    /// A key that was revoked in the meantime changes nothing.
    async fn confirm(_: ApiKey, req: &HttpRequest, app: &Data<App>) -> Result<ApiKey, Refused> {
        Self::admit(req, app).await
    }

    fn view(req: &HttpRequest, app: Data<App>, _: &ApiKey) -> Call {
        Call { req: req.clone(), app }
    }
}

impl CallAdmission for KeyWithoutWorkspace {}

impl<I> KeyRequest<I> {
    pub(in crate::web) fn key(&self) -> &ApiKey {
        &self.scope
    }
}
