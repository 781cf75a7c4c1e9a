use crate::{
    domain::{
        Refused, api_keys,
        base::principal::{ApiKey, Credential},
        enforce::read::ReadScope,
    },
    policy::Access,
    web::{
        app::App,
        bearer,
        guard::{app, refusal},
        origin,
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, web};
use futures_util::future::LocalBoxFuture;

/// A service's request that was admitted to a workspace under `P`. Like [`Authorized`], by API key and
/// never by a session: what a browser sends along by itself opens nothing here, so no form's token is
/// asked for.
pub struct Called<P, I = ()> {
    pub(in crate::web) scope: ReadScope<P>,
    #[allow(dead_code, reason = "for handlers that need more than their scope")]
    pub(in crate::web) app: web::Data<App>,
    #[allow(dead_code, reason = "the same")]
    pub(in crate::web) req: HttpRequest,
    pub(in crate::web) input: I,
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
    let secret = bearer::secret(req)?;
    let named = bearer::named_workspace(req)?;
    let asked = api_keys::asked(named.as_deref());
    let scope: ReadScope<P> =
        match ReadScope::admit(&app.db, Credential::of_api_key(&secret), asked, origin::of_call(req)).await {
            Err(Refused::Hidden) if named.is_none() => return Err(bearer::homeless()),
            other => other?,
        };
    app.calls.admitted(secret.hash(), scope.actor().principal.id());
    Ok(scope)
}

/// A service's request by a live key; no workspace is asked for.
pub struct Keyed<I = ()> {
    pub(in crate::web) key: ApiKey,
    pub(in crate::web) app: web::Data<App>,
    pub(in crate::web) req: HttpRequest,
    pub(in crate::web) input: I,
}

impl<I: FromRequest + 'static> FromRequest for Keyed<I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let secret = bearer::secret(&req).map_err(|refused| refusal(&req, &refused))?;
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
