//! API keys: those of a workspace, the key making the request, and the verification of a secret.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, Name, Purpose, Refused, SearchText, TextRule, Token,
        enforce::write::WriteScope,
        nouns::api_keys::{self, AddableKey, AddedKey, CreatedKey, NewApiKey, Verified, WorkspaceKey},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::IfMatch,
            input::{self, Empty},
            operation::Operation,
            part::Part,
            reply::{Created, NoContent, Ok200, Secret, Tagged, WithVersion},
            spec,
        },
        checks::{Checked, Validate},
        guard::{
            Public,
            key::{ApiRequest, KeyRequest},
        },
        path::Target,
        role_choices::viewer,
        routes::members::api::Status,
        turns::{self, Line},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The secret to verify.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresentedKey {
    api_key: String,
}

/// Claims of a key, as the `usso` client reads them: `sub` is the key, `tenant_id` its account.
#[derive(Serialize, ToSchema)]
pub struct Claims {
    sub: String,
    /// `access`.
    token_type: &'static str,
    tenant_id: Uuid,
    workspace_id: Uuid,
    roles: Vec<String>,
    scopes: Vec<String>,
    /// Seconds since 1970, as in a JWT.
    iat: i64,
    exp: Option<i64>,
    name: String,
}

impl From<Verified> for Claims {
    fn from(verified: Verified) -> Self {
        Self {
            sub: format!("api_key:{}", verified.key.id),
            token_type: "access",
            tenant_id: verified.key.account_id,
            workspace_id: verified.workspace_id,
            roles: verified.roles,
            scopes: verified.holdings.scopes(),
            iat: verified.created_at.as_seconds(),
            exp: verified.expires_at.map(Timestamp::as_seconds),
            name: verified.key.name,
        }
    }
}

pub async fn verify(cx: Public<Json<PresentedKey>>) -> ApiResult<Ok200<Claims>> {
    let secret = Token::parse(Purpose::ApiKey, cx.input.0.api_key.trim()).ok_or(Refused::Unauthenticated)?;
    let (req, app) = (&cx.view.req, &cx.view.app);
    let mut verified = api_keys::verify(&app.db, &secret).await?;
    // Its scopes may be many. While it waits, it may be revoked.
    if turns::take(req, &app.turns, Line::of_key(&verified.key, verified.workspace_id)).await? {
        verified = api_keys::verify(&app.db, &secret).await?;
    }
    Ok(Ok200(Claims::from(verified)))
}

/// The API key making the request.
#[derive(Serialize, ToSchema)]
pub struct OwnKey {
    id: Uuid,
    name: String,
    account_id: Uuid,
    is_account_admin: bool,
}

pub async fn own(cx: KeyRequest) -> ApiResult<Ok200<OwnKey>> {
    let key = cx.scope;
    let (id, name, account_id, is_account_admin) = (key.id, key.name, key.account_id, key.is_admin);
    Ok(Ok200(OwnKey { id, name, account_id, is_account_admin }))
}

/// An API key that is a member of a workspace. Its secret is never included.
#[derive(Serialize, ToSchema)]
pub struct KeyBody {
    id: Uuid,
    /// The ID of the membership.
    member_id: Uuid,
    name: String,
    /// The last characters of its newest secret.
    hint: String,
    status: Status,
    is_expired: bool,
    /// Whether it was revoked, everywhere.
    is_revoked: bool,
    /// Whether it can create workspaces in the account.
    is_account_admin: bool,
    /// Slugs of its roles.
    roles: Vec<String>,
    /// The scopes it holds in effect: those of its roles that the person who vouches for it, and the person who was
    /// shown its secret, hold too. Only in a response about this key alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_scopes: Option<Vec<String>>,
    /// The user who vouches for it, and holds less than its roles if `is_limited_by_voucher`.
    vouched_by: Option<Uuid>,
    is_limited_by_voucher: bool,
    /// The user who was shown its newest secret, and holds less than its roles if `is_limited_by_reader`.
    secret_shown_to: Option<Uuid>,
    is_limited_by_reader: bool,
    /// Whether a former member of the workspace knows a secret of it.
    is_known_to_former_member: bool,
    /// The person who created it.
    maker: String,
    /// Whether they are no longer an active member of the workspace.
    maker_left: bool,
    /// Whether this is its home workspace. Requests that don't name a workspace use it.
    is_home: bool,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    /// When the old secret stops working, while a rotation is in progress.
    overlap_ends_at: Option<Timestamp>,
}

impl From<WorkspaceKey> for KeyBody {
    fn from(workspace_key: WorkspaceKey) -> Self {
        let key = workspace_key.key;
        Self {
            id: key.id,
            member_id: workspace_key.member_id,
            name: key.name,
            hint: key.hint,
            status: Status::of(workspace_key.is_active && !key.is_revoked),
            is_expired: key.is_expired,
            is_revoked: key.is_revoked,
            is_account_admin: key.is_admin,
            roles: workspace_key.roles.into_iter().map(|role| role.slug).collect(),
            effective_scopes: workspace_key.effective.map(|effective| effective.scopes()),
            vouched_by: workspace_key.voucher_id,
            is_limited_by_voucher: workspace_key.limited_by.voucher,
            secret_shown_to: workspace_key.reader_id,
            is_limited_by_reader: workspace_key.limited_by.reader,
            is_known_to_former_member: workspace_key.is_known_to_former_member,
            maker: key.creator,
            maker_left: key.creator_left,
            is_home: workspace_key.is_home,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            overlap_ends_at: key.overlap_ends_at,
        }
    }
}

/// Which keys to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Part of a name.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<String> {
        Ok(input::search(&self.q)?)
    }
}

pub async fn index(
    cx: ApiRequest<perm::ReadApiKeys, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<KeyBody>>> {
    let query = cx.input.0;
    let text = query.filter()?;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(api_keys::list(&cx.scope, &text, &at).await?.page.into()))
}

/// What was found somewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretToFind {
    /// A secret, or at least its last four characters.
    #[schema(schema_with = spec::secret_to_find)]
    secret: String,
}

pub async fn find(
    cx: ApiRequest<perm::ReadApiKeys, Json<SecretToFind>>,
) -> ApiResult<Ok200<PageBody<KeyBody>>> {
    let found = api_keys::find_by_secret(&cx.scope, &cx.input.0.secret).await?;
    Ok(Ok200(PageBody::whole(found.keys)))
}

pub async fn show(cx: ApiRequest<perm::ReadApiKeys, Target>) -> ApiResult<Tagged<KeyBody>> {
    let workspace_key = api_keys::get(&cx.scope, cx.input.0).await?;
    let version = api_keys::version(workspace_key.key.id, &workspace_key.key.name, &workspace_key.roles);
    Ok(Tagged { version, body: workspace_key.into() })
}

/// An API key in the account that is not a member of the workspace yet.
#[derive(Serialize, ToSchema)]
pub struct AddableKeyBody {
    id: Uuid,
    name: String,
}

impl From<AddableKey> for AddableKeyBody {
    fn from(key: AddableKey) -> Self {
        Self { id: key.id, name: key.name }
    }
}

pub async fn addable(
    cx: ApiRequest<perm::ManageApiKeys, Query<Part>>,
) -> ApiResult<Ok200<PageBody<AddableKeyBody>>> {
    let keys = api_keys::addable(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(keys, |key: &AddableKeyBody| key.id.to_string())?))
}

/// An API key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    #[schema(schema_with = spec::text::<Name>)]
    name: String,
    /// Slugs of its roles in the workspace, which becomes its home.
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
    /// Milliseconds since 1970. If omitted, it never expires, or expires together with the key making the request.
    #[schema(schema_with = spec::maybe_moment)]
    expires_at: Option<Timestamp>,
    /// Whether it can create workspaces in the account. Only account admins can set this.
    #[serde(default, deserialize_with = "input::or_default")]
    #[schema(schema_with = spec::maybe_flag, required = false)]
    is_account_admin: bool,
}

impl Validate for NewKey {
    type Valid = NewApiKey;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewApiKey> {
        let name = invalid.check("name", Name::parse_exact(&self.name));
        if self.expires_at.is_some_and(|at| !spec::is_moment(at)) {
            invalid.add("expires_at", "Use milliseconds since 1970.");
        }
        let roles = self.roles.clone().unwrap_or_else(viewer);
        Some(NewApiKey {
            name: name?,
            roles,
            expires_at: self.expires_at,
            is_admin: self.is_account_admin,
            home: None,
            only_scope: None,
            requests: None,
        })
    }
}

/// An API key with its secret, which is returned only once.
#[derive(Serialize, ToSchema)]
pub struct IssuedKey {
    id: Uuid,
    name: String,
    api_key: String,
    /// When the old secret stops working.
    overlap_ends_at: Option<Timestamp>,
}

impl From<CreatedKey> for IssuedKey {
    fn from(created: CreatedKey) -> Self {
        Self {
            id: created.id,
            name: created.name,
            api_key: created.secret.expose().to_owned(),
            overlap_ends_at: created.overlap_ends_at,
        }
    }
}

/// A key to create, with a role.
pub(in crate::web) fn example(operation: &mut Operation) {
    operation.example = Some(json!({"name": "Deploy bot", "roles": ["developer"]}));
}

pub async fn create(
    cx: ApiRequest<perm::ManageApiKeys, Json<Checked<NewKey>>>,
) -> ApiResult<Secret<WithVersion<Created<IssuedKey>>>> {
    let requested = cx.input.0.valid?;
    let create = async |s: &mut WriteScope<_>| {
        let created = api_keys::create(s, &requested).await?;
        let version = api_keys::version_under_lock(s, created.value().id).await?;
        Ok::<_, Refused>(created.map(|key| (key, version)))
    };
    let (key, version) = cx.scope.write(create).await?;
    let location = location(key.id);
    Ok(Secret(WithVersion { reply: Created { body: key.into(), location }, version }))
}

/// The address of a key.
fn location(id: Uuid) -> String {
    format!("/api/sso/v1/apikeys/{id}")
}

/// The new name of an API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    #[schema(schema_with = spec::text::<Name>)]
    name: String,
}

impl Validate for KeyChange {
    type Valid = Name;

    fn validate(&self, invalid: &mut Invalid) -> Option<Name> {
        invalid.check("name", Name::parse_exact(&self.name))
    }
}

/// An API key that was renamed or added.
#[derive(Serialize, ToSchema)]
pub struct KeyChanged {
    id: Uuid,
    name: String,
}

pub async fn update(
    cx: ApiRequest<perm::ManageApiKeys, (Target, IfMatch, Json<Checked<KeyChange>>)>,
) -> ApiResult<Tagged<KeyChanged>> {
    let (Target(id), seen, Json(change)) = cx.input;
    let name = change.valid?;
    let now = async |s: &mut _| api_keys::version_under_lock(s, id).await;
    seen.write(cx.scope, now, async |s, _| {
        let renamed = api_keys::rename(s, id, &name).await?;
        let version = api_keys::version_under_lock(s, id).await?;
        Ok(renamed.map(|name| Tagged { version, body: KeyChanged { id, name } }))
    })
    .await
}

/// The rotation of a secret.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRotation {
    /// How long the old secret keeps working, in seconds, up to seven days. If omitted, it stops working immediately.
    #[schema(schema_with = spec::maybe_overlap)]
    overlap_seconds: Option<i64>,
    /// How many memberships in other workspaces may end: those where the key making the request can't manage this key.
    /// If more would end, the request is refused. If omitted, none.
    #[schema(schema_with = spec::maybe_memberships)]
    ended_memberships: Option<i64>,
}

pub async fn rotate(
    cx: ApiRequest<perm::ManageApiKeys, (Target, Json<KeyRotation>)>,
) -> ApiResult<Secret<Ok200<IssuedKey>>> {
    let (Target(id), Json(rotation)) = cx.input;
    let overlap = rotation.overlap_seconds.unwrap_or(0).saturating_mul(1_000);
    let ended = rotation.ended_memberships.unwrap_or(0);
    let created = api_keys::rotate(cx.scope, id, overlap, ended).await?;
    Ok(Secret(Ok200(created.into())))
}

pub async fn revoke(cx: ApiRequest<perm::ManageApiKeys, (Target, IfMatch)>) -> ApiResult<NoContent> {
    let (Target(id), seen) = cx.input;
    api_keys::revoke_if(cx.scope, id, |version| seen.check(version)).await?;
    Ok(NoContent)
}

/// An API key that somebody vouches for from now on.
pub async fn vouch(cx: ApiRequest<perm::ManageApiKeys, (Target, Empty)>) -> ApiResult<Ok200<KeyChanged>> {
    let (Target(id), _) = cx.input;
    let name = cx.scope.write(async |s| api_keys::vouch(s, id).await).await?;
    Ok(Ok200(KeyChanged { id, name }))
}

pub async fn remove(cx: ApiRequest<perm::ManageApiKeys, (Target, Empty)>) -> ApiResult<NoContent> {
    let (Target(id), _) = cx.input;
    cx.scope.write(async |s| api_keys::remove(s, id).await).await?;
    Ok(NoContent)
}

/// The roles of an API key that is added to a workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAddition {
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
}

pub async fn add(
    cx: ApiRequest<perm::ManageApiKeys, (Target, Json<KeyAddition>)>,
) -> ApiResult<WithVersion<Created<KeyChanged>>> {
    let (Target(id), Json(addition)) = cx.input;
    let roles = addition.roles.unwrap_or_else(viewer);
    let AddedKey { name, version } = match api_keys::add(cx.scope, id, &roles).await {
        // In a form the key is a field; here it is in the address.
        Err(Refused::Invalid(invalid)) if invalid.of("key").is_some() => return Err(Refused::NotFound),
        done => done?,
    };
    let body = KeyChanged { id, name };
    Ok(WithVersion { reply: Created { body, location: location(id) }, version })
}
