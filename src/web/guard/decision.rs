//! A service's request for a decision.

use crate::{
    domain::{
        Refused, Token,
        base::principal::Credential,
        decisions::{self, Decision, Question},
        enforce::read::ReadScope,
        nouns::{api_keys, members},
    },
    policy::perm,
    web::{
        access::Required,
        app::App,
        bearer, cors,
        face::Face,
        form,
        guard::{Admission, Admitted, CallAdmission, key::Call},
        origin,
        outcome::{self, PrincipalId},
        turns::{self, Line},
        wire,
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, web::Data};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

/// A body of any JSON.
pub struct AnyJson(
    /// `None` where it is no JSON.
    pub(in crate::web) Option<Value>,
);

impl FromRequest for AnyJson {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let body = wire::read_body(payload).await.map_err(|malformed| form::refusal(&req, &malformed))?;
            let mut body = serde_json::from_slice(&body).ok();
            if let Some(body) = &mut body {
                leave_out_nulls(body);
            }
            Ok(Self(body))
        })
    }
}

/// Removes members that are `null`, which is the same as leaving them out.
fn leave_out_nulls(body: &mut Value) {
    match body {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(leave_out_nulls);
        }
        Value::Array(entries) => entries.iter_mut().for_each(leave_out_nulls),
        _ => {}
    }
}

/// A service that requests a decision, before it is admitted.
pub struct DecisionCaller {
    secret: Token,
    /// The workspace that the request names.
    workspace: Option<String>,
}

/// Admission of a service by API key, which happens together with the decision.
pub struct DecisionByKey;

/// A service's request for a decision. The body is read before the service is admitted, so that one
/// statement can do both; whoever is not admitted learns nothing of what was wrong with it. The only
/// methods are [`DecisionRequest::decide`] and [`DecisionRequest::admit`], and both admit.
pub type DecisionRequest = Admitted<DecisionByKey, AnyJson>;

impl Admission for DecisionByKey {
    type Requires = perm::CheckAccess;
    type Scope = DecisionCaller;
    type View = Call;

    async fn admit(req: &HttpRequest, _: &Data<App>) -> Result<DecisionCaller, Refused> {
        Ok(DecisionCaller { secret: bearer::secret(req)?, workspace: bearer::named_workspace(req)? })
    }

    fn view(req: &HttpRequest, app: Data<App>, _: &DecisionCaller) -> Call {
        Call { req: req.clone(), app }
    }
}

impl CallAdmission for DecisionByKey {
    const FACE: Face = Face::Decision;
    const ADMITS_OTHER_ORIGINS: bool = true;
}

impl DecisionRequest {
    /// Admits the service and makes the decision.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::web) async fn decide(&self, question: &Question) -> Result<Decision, Refused> {
        let Call { req, app } = &self.view;
        let DecisionCaller { secret, workspace } = &self.scope;
        if cors::origin_of(req).is_some() {
            // Whether the workspace names the website is not part of the decision's statement.
            self.admit_now().await?;
        }
        let (credential, selector) =
            (Credential::of_api_key(secret), api_keys::workspace_selector(workspace.as_deref()));
        let decided = decisions::decide(&app.db, credential, selector, origin::of_call(req), question).await;
        let (decision, key) = bearer::or_needs_workspace(decided, workspace.as_deref())?;
        app.calls.admitted(secret.hash(), key);
        outcome::admitted(req, perm::CheckAccess::REQUIREMENT, PrincipalId::ApiKey(key));
        Ok(decision)
    }

    /// Admits the service.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::web) async fn admit(&self) -> Result<ReadScope<perm::CheckAccess>, Refused> {
        let Call { req, app } = &self.view;
        let scope = self.admit_now().await?;
        match turns::take(req, &app.turns, Line::of(scope.actor())).await? {
            // The key may have lost its access meanwhile.
            true => self.admit_now().await,
            false => Ok(scope),
        }
    }

    async fn admit_now(&self) -> Result<ReadScope<perm::CheckAccess>, Refused> {
        let Call { req, app } = &self.view;
        let DecisionCaller { secret, workspace } = &self.scope;
        let (credential, selector) =
            (Credential::of_api_key(secret), api_keys::workspace_selector(workspace.as_deref()));
        let admitted = ReadScope::admit(&app.db, credential, selector, origin::of_call(req)).await;
        let admitted = cors::check(req, app, admitted).await;
        let scope: ReadScope<perm::CheckAccess> = bearer::or_needs_workspace(admitted, workspace.as_deref())?;
        let scope = members::settled(scope).await?;
        let principal = &scope.actor().principal;
        app.calls.admitted(secret.hash(), principal.id());
        outcome::admitted(req, perm::CheckAccess::REQUIREMENT, principal.into());
        Ok(scope)
    }
}
