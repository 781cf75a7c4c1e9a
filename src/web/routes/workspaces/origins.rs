//! The websites whose pages can call the API for a workspace.

use crate::{
    domain::{
        TextRule,
        nouns::organization::{
            WebOrigin,
            origins::{self, AllowedOrigins},
        },
    },
    policy::perm,
    web::{
        api::{
            body::Json,
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            reply::Tagged,
            spec,
        },
        guard::key::ApiRequest,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The websites whose pages can call the API for the workspace.
#[derive(Serialize, ToSchema)]
pub struct AllowedOriginsBody {
    /// Scheme, host and port of each, as browsers send them.
    origins: Vec<String>,
}

impl From<AllowedOrigins> for AllowedOriginsBody {
    fn from(allowed: AllowedOrigins) -> Self {
        Self { origins: allowed.origins }
    }
}

impl Versioned for AllowedOrigins {
    fn tag(&self) -> String {
        self.version()
    }
}

pub async fn show(cx: ApiRequest<perm::Membership>) -> ApiResult<Tagged<AllowedOriginsBody>> {
    Ok(Tagged::of(origins::get(&cx.scope).await?))
}

/// The websites to name. They replace the current ones.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAllowedOrigins {
    #[schema(schema_with = spec::origins)]
    origins: Vec<String>,
}

pub async fn set(
    cx: ApiRequest<perm::UpdateOrganization, (IfMatch, Json<NewAllowedOrigins>)>,
) -> ApiResult<Tagged<AllowedOriginsBody>> {
    let (seen, Json(new)) = cx.input;
    let named = origins::parse(new.origins.iter().map(String::as_str), WebOrigin::parse_exact)?;
    let now = async |s: &mut _| origins::under_lock(s).await;
    seen.write(cx.scope, now, async |s, now| {
        let changed = origins::set(s, &named, &now.version()).await?;
        Ok(changed.map(Tagged::of))
    })
    .await
}
