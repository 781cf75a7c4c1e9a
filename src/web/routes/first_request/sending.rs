//! Whether the key of a call may send to a host, as a status: for proxies that send requests themselves and ask first.

use crate::{
    domain::{
        Invalid, Refused, TextRule,
        base::principal::Credential,
        gateway::{GatewayRefusal, admit},
        nouns::{api_keys::workspace_selector, destinations::Host},
    },
    policy::perm,
    web::{
        api::{body::Query, call::ApiResult, reply::NoContent, spec},
        bearer,
        guard::key::ApiRequest,
        origin,
    },
};
use serde::Deserialize;
use utoipa::{IntoParams, openapi::schema::Object};

const ANOTHER: &str = "This test key has sent all of its requests. Create another one on the Quick start page, or use an ordinary API key.";

/// What to send to.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SendingQuery {
    /// The host to send to.
    #[param(schema_with = host, required = true)]
    host: String,
}

fn host() -> Object {
    spec::text_about::<Host>("The host to send to, such as api.example.com.")
}

/// 204 if the gateway would let the key send to the host, and otherwise its refusal. Nothing is sent, and nothing is
/// counted.
pub async fn check(cx: ApiRequest<perm::SendDestinations, Query<SendingQuery>>) -> ApiResult<NoContent> {
    let req = &cx.view.req;
    let host = Host::parse(&cx.input.0.host).map_err(|complaint| Invalid::field("host", complaint))?;
    // By the gateway's own statement, which knows the destination too.
    let (secret, named) = (bearer::secret(req)?, bearer::named_workspace(req)?);
    let (credential, selector) = (Credential::of_api_key(&secret), workspace_selector(named.as_deref()));
    let admitted = admit(&cx.view.app.db, credential, selector, host.as_str(), origin::of_call(req)).await;
    let scope = admitted.map_err(|refusal| match refusal {
        GatewayRefusal::NotAdmitted(refused) => refused,
        // It is audited already.
        GatewayRefusal::Destination { problem, .. } => Refused::NotAllowed(problem.sentence()),
    })?;
    if scope.is_used_up() {
        return Err(Refused::NotAllowed(ANOTHER));
    }
    scope.ensure_credit().await?;
    Ok(NoContent)
}
