//! API keys: those of a workspace, the one that asks, and the check of one that somebody was shown.

use super::{Json, json};
use crate::{
    domain::{
        Purpose, Refused, Token,
        api_keys::{self, Verified},
    },
    web::guard::{Answer, Keyed, Public},
};
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The secret to look at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    api_key: String,
}

/// What a key is, in the words of the `usso` client: `sub` is the key, `tenant_id` its account.
#[derive(Serialize)]
struct Claims {
    sub: String,
    token_type: &'static str,
    tenant_id: Uuid,
    workspace_id: Option<Uuid>,
    roles: Vec<String>,
    scopes: Vec<String>,
    /// Seconds since 1970, as in a JWT.
    iat: i64,
    exp: Option<i64>,
    name: String,
}

impl From<Verified> for Claims {
    fn from(verified: Verified) -> Self {
        let (workspace_id, roles, scopes) = match verified.home {
            Some(home) => (Some(home.workspace_id), home.roles, home.scopes),
            None => (None, Vec::new(), Vec::new()),
        };
        Self {
            sub: format!("api_key:{}", verified.key.id),
            token_type: "access",
            tenant_id: verified.key.account_id,
            workspace_id,
            roles,
            scopes,
            iat: verified.created_at / 1_000,
            exp: verified.expires_at.map(|at| at / 1_000),
            name: verified.key.name,
        }
    }
}

pub async fn verify(cx: Public<Json<Shown>>) -> Answer {
    let secret = Token::parse(Purpose::ApiKey, cx.input.0.api_key.trim()).ok_or(Refused::SignedOut)?;
    let verified = api_keys::verify(&cx.view.app.db, &secret).await?;
    Ok(json(StatusCode::OK, &Claims::from(verified)))
}

/// The key that asks.
#[derive(Serialize)]
struct Own {
    id: Uuid,
    name: String,
    account_id: Uuid,
    is_account_admin: bool,
}

pub async fn own(cx: Keyed) -> Answer {
    let key = cx.key;
    let own = Own { id: key.id, name: key.name, account_id: key.account_id, is_account_admin: key.is_admin };
    Ok(json(StatusCode::OK, &own))
}
