use crate::{
    domain::{
        Refused, Token, api_keys,
        base::principal::Credential,
        decisions::{self, Decision, Question},
        enforce::read::ReadScope,
    },
    policy::perm,
    web::{
        app::App,
        bearer, form,
        guard::{app, refusal},
        origin,
        wire::{self, Broken},
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, web};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

/// Reads a body for [`Asking`]: `None` where it is no JSON.
pub(in crate::web) async fn body(payload: actix_web::dev::Payload) -> Result<Option<Value>, Broken> {
    let body = wire::whole(payload).await?;
    Ok(serde_json::from_slice(&body).ok())
}

/// A service's question about somebody. What it asks is read before it is admitted, so that one
/// statement can do both; whoever is not admitted learns nothing of what was wrong with it. The only
/// ways on are [`Asking::decide`] and [`Asking::scope`], and both admit.
pub struct Asking {
    pub(in crate::web) req: HttpRequest,
    /// `None` where it is no JSON.
    pub(in crate::web) body: Option<serde_json::Value>,
    app: web::Data<App>,
    secret: Token,
    named: Option<String>,
}

impl Asking {
    /// Admits the service and answers its question.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::web) async fn decide(&self, question: &Question) -> Result<Decision, Refused> {
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
    pub(in crate::web) async fn scope(&self) -> Result<ReadScope<perm::CheckAccess>, Refused> {
        let (credential, asked) =
            (Credential::of_api_key(&self.secret), api_keys::asked(self.named.as_deref()));
        let admitted = ReadScope::admit(&self.app.db, credential, asked, origin::of_call(&self.req)).await;
        let scope: ReadScope<perm::CheckAccess> = self.told(admitted)?;
        self.app.calls.admitted(self.secret.hash(), scope.actor().principal.id());
        Ok(scope)
    }

    fn told<T>(&self, admitted: Result<T, Refused>) -> Result<T, Refused> {
        match admitted {
            Err(Refused::Hidden) if self.named.is_none() => Err(bearer::homeless()),
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
            let read = bearer::secret(&req).and_then(|secret| Ok((secret, bearer::named_workspace(&req)?)));
            let (secret, named) = read.map_err(|refused| refusal(&req, &refused))?;
            let body = body(payload).await.map_err(|broken| form::refusal(&req, &broken))?;
            Ok(Self { secret, req, body, app, named })
        })
    }
}
