//! Senders and credential of a destination.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, TextRule,
        nouns::destinations::{
            credential::{self, Credential, MAX_KEPT, NewCredential, Previous},
            credential_text::{CredentialHeader, CredentialValue},
            senders::{self, Senders, SendersChange},
        },
    },
    policy::perm,
    web::{
        api::{
            body::Json,
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input::Empty,
            reply::{NoContent, Ok200, Tagged},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who may send requests to a destination, if not everyone who holds the permission to send.
#[derive(Serialize, ToSchema)]
pub struct SendersBody {
    is_restricted: bool,
    /// Slugs of roles whose holders may send.
    roles: Vec<String>,
    /// IDs of API keys that may send.
    api_keys: Vec<Uuid>,
}

impl From<Senders> for SendersBody {
    fn from(senders: Senders) -> Self {
        Self {
            is_restricted: senders.is_restricted,
            roles: senders.roles.into_iter().map(|role| role.slug).collect(),
            api_keys: senders.keys.into_iter().map(|key| key.id).collect(),
        }
    }
}

impl Versioned for Senders {
    fn tag(&self) -> String {
        self.version()
    }
}

pub async fn show_senders(
    cx: ApiRequest<perm::ManageDestinations, Target>,
) -> ApiResult<Tagged<SendersBody>> {
    Ok(Tagged::of(senders::get(&cx.scope, cx.input.0).await?.1))
}

/// Who shall be able to send requests to a destination.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSenders {
    /// If `false`, everyone who holds the permission to send may, and roles and API keys are ignored.
    is_restricted: bool,
    #[schema(schema_with = spec::any_roles)]
    #[serde(default)]
    roles: Vec<String>,
    #[schema(schema_with = spec::sender_keys)]
    #[serde(default)]
    api_keys: Vec<Uuid>,
}

pub async fn set_senders(
    cx: ApiRequest<perm::ManageDestinations, (Target, IfMatch, Json<NewSenders>)>,
) -> ApiResult<Tagged<SendersBody>> {
    let (Target(id), seen, Json(new)) = cx.input;
    let change = SendersChange { is_restricted: new.is_restricted, roles: new.roles, keys: new.api_keys };
    let now = async |s: &mut _| senders::to_change(s, id).await;
    seen.write(cx.scope, now, async |s, _| {
        let changed = senders::set(s, id, &change, None).await?;
        Ok(changed.map(|changed| Tagged::of(changed.senders)))
    })
    .await
}

/// The credential of a destination, without its value, which is never returned.
#[derive(Serialize, ToSchema)]
pub struct CredentialBody {
    header_name: String,
    /// The name of the person or key that stored it.
    created_by: String,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    /// The one that it replaced, while that can be brought back.
    previous: Option<PreviousCredentialBody>,
}

/// A credential that was replaced. It is not sent any more.
#[derive(Serialize, ToSchema)]
pub struct PreviousCredentialBody {
    header_name: String,
    /// The name of the person or key that stored it.
    created_by: String,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    /// When it is deleted, in milliseconds since 1970.
    ends_at: Timestamp,
}

impl From<Credential> for CredentialBody {
    fn from(credential: Credential) -> Self {
        Self {
            header_name: credential.header_name,
            created_by: credential.creator,
            created_at: credential.created_at,
            previous: credential.previous.map(PreviousCredentialBody::from),
        }
    }
}

impl From<Previous> for PreviousCredentialBody {
    fn from(previous: Previous) -> Self {
        Self {
            header_name: previous.header_name,
            created_by: previous.creator,
            created_at: previous.created_at,
            ends_at: previous.ends_at,
        }
    }
}

pub async fn show_credential(
    cx: ApiRequest<perm::ReadDestinations, Target>,
) -> ApiResult<Ok200<CredentialOrNone>> {
    let (_, credential) = credential::get(&cx.scope, cx.input.0).await?;
    Ok(Ok200(CredentialOrNone { credential: credential.map(CredentialBody::from) }))
}

/// The credential of a destination, if it has one.
#[derive(Serialize, ToSchema)]
pub struct CredentialOrNone {
    credential: Option<CredentialBody>,
}

/// A credential to store. It takes the place of the one that is there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialToStore {
    #[schema(schema_with = spec::text::<CredentialHeader>)]
    header_name: String,
    #[schema(schema_with = spec::text::<CredentialValue>)]
    value: String,
    #[schema(schema_with = spec::maybe_kept)]
    keep_previous_seconds: Option<i64>,
}

impl Validate for CredentialToStore {
    type Valid = NewCredential;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewCredential> {
        let header = invalid.check("header_name", CredentialHeader::parse_exact(&self.header_name));
        let value = invalid.check("value", CredentialValue::parse_exact(&self.value));
        let seconds = self.keep_previous_seconds.unwrap_or_default();
        if !(0..=MAX_KEPT / 1_000).contains(&seconds) {
            invalid.add("keep_previous_seconds", format!("Choose between 0 and {}.", MAX_KEPT / 1_000));
            return None;
        }
        Some(NewCredential { header: header?, value: value?, keep_previous: seconds * 1_000 })
    }
}

pub async fn set_credential(
    cx: ApiRequest<perm::ManageDestinations, (Target, Json<Checked<CredentialToStore>>)>,
) -> ApiResult<NoContent> {
    let (Target(id), Json(new)) = cx.input;
    let new = new.valid?;
    cx.scope.write(async |s| credential::set(s, id, &new).await).await?;
    Ok(NoContent)
}

pub async fn remove_credential(cx: ApiRequest<perm::ManageDestinations, Target>) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| credential::remove(s, id).await).await?;
    Ok(NoContent)
}

pub async fn restore_credential(
    cx: ApiRequest<perm::ManageDestinations, (Target, Empty)>,
) -> ApiResult<NoContent> {
    let (Target(id), _) = cx.input;
    cx.scope.write(async |s| credential::restore(s, id).await).await?;
    Ok(NoContent)
}

pub async fn delete_previous_credential(
    cx: ApiRequest<perm::ManageDestinations, Target>,
) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| credential::delete_previous(s, id).await).await?;
    Ok(NoContent)
}
