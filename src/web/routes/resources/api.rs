//! Resources of the customer's own applications.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, Refused, TextRule, Title,
        base::{paging::PAGE_SIZE, subject::Subject},
        enforce::write::WriteScope,
        nouns::resources::{self, Owner, Resource, ResourceId, ResourceKey, ResourceType, owners::NewOwner},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            operation::Operation,
            reply::{Created, CreatedOrUpdated, NoContent, Ok200},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        routes::members::api::Kind,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::form_urlencoded;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::Object,
    },
};

/// A registered resource.
#[derive(Serialize, ToSchema)]
pub struct ResourceBody {
    pub r#type: String,
    pub id: String,
    pub name: String,
    /// The member it belongs to, for scopes such as `write:own`.
    pub owner: Option<OwnerBody>,
    /// Milliseconds since 1970.
    pub created_at: Timestamp,
}

impl From<Resource> for ResourceBody {
    fn from(resource: Resource) -> Self {
        let owner = resource.owner().map(|Owner { is_key, id }| OwnerBody {
            r#type: if is_key { Kind::ApiKey } else { Kind::User },
            id,
        });
        let Resource { kind, id, name, created_at, .. } = resource;
        Self { r#type: kind, id, name, owner, created_at }
    }
}

/// The member a resource belongs to.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerBody {
    r#type: Kind,
    /// An ID, a confirmed e-mail address or an external ID.
    #[schema(min_length = 1, max_length = 254)]
    id: String,
}

/// A resource to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    #[schema(schema_with = spec::text::<ResourceType>)]
    r#type: String,
    #[schema(schema_with = spec::text::<ResourceId>)]
    id: String,
    #[schema(schema_with = spec::text::<Title>)]
    name: String,
    /// The member it belongs to. `null` means nobody. If omitted, it stays as it is.
    #[serde(default, deserialize_with = "input::present_or_null")]
    #[schema(value_type = Option<OwnerBody>, required = false)]
    owner: Option<Option<OwnerBody>>,
}

/// A resource of somebody.
pub(in crate::web) fn example(operation: &mut Operation) {
    operation.example = Some(
        json!({"type": "record", "id": "42", "name": "Record 42", "owner": {"type": "user", "id": "alice"}}),
    );
}

impl Validate for NewResource {
    type Valid = (ResourceKey, Title, NewOwner);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let address = invalid.check_all(ResourceKey::parse(&self.r#type, &self.id));
        let name = invalid.check("name", Title::parse_exact(&self.name));
        let owner = match &self.owner {
            None => NewOwner::Unchanged,
            Some(None) => NewOwner::Nobody,
            Some(Some(owner)) => NewOwner::Member(Subject::read(owner.r#type.word(), &owner.id)),
        };
        Some((address?, name?, owner))
    }
}

/// Registers a resource: 201 if it is new, 200 if it was changed or is the same.
pub async fn register(
    cx: ApiRequest<perm::CheckAccess, Json<Checked<NewResource>>>,
) -> ApiResult<CreatedOrUpdated<ResourceBody>> {
    let (address, name, owner) = cx.input.0.valid?;
    let register = async |s: &mut WriteScope<_>| resources::register(s, &address, &name, &owner).await;
    let (resource, is_new) = cx.scope.write(register).await?;
    let resource = ResourceBody::from(resource);
    if !is_new {
        return Ok(CreatedOrUpdated::Updated(resource));
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("type", &resource.r#type)
        .append_pair("id", &resource.id)
        .finish();
    let location = format!("/api/sso/v1/resources?{query}");
    Ok(CreatedOrUpdated::Created(Created { body: resource, location }))
}

/// Which resources to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Only resources of this type.
    #[param(schema_with = only_type)]
    r#type: String,
    /// Only the resource of that type with this ID.
    #[param(schema_with = only_id)]
    id: String,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

fn only_type() -> Object {
    spec::text_about::<ResourceType>("Only resources of this type.")
}

fn only_id() -> Object {
    spec::text_about::<ResourceId>("Only the resource of that type with this ID.")
}

/// Lists resources by type and id; with a type and an id, only that one.
pub async fn index(
    cx: ApiRequest<perm::CheckAccess, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<ResourceBody>>> {
    let ListQuery { r#type: kind, id, after, limit } = cx.input.0;
    let limit = input::page_size(limit)?.unwrap_or(PAGE_SIZE);
    if !id.is_empty() {
        let one = resources::get(&cx.scope, &ResourceKey::parse(&kind, &id)?).await?;
        return Ok(Ok200(PageBody::whole([one])));
    }
    let wrong =
        || Refused::from(Invalid::field("after", "This page link doesn't work. Start from the first page."));
    let after: Option<(String, String)> = match after.as_str() {
        "" => None,
        text => {
            let bytes = hex::decode(text).map_err(|_| wrong())?;
            let place: (String, String) = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
            if place.0.contains('\0') || place.1.contains('\0') {
                return Err(wrong());
            }
            Some(place)
        }
    };
    if kind.contains('\0') {
        return Err(Invalid::field("type", "Use only lower-case letters, digits, “-”, “_” or “.”.").into());
    }
    let kind = Some(kind.as_str()).filter(|kind| !kind.is_empty());
    let from = after.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str()));
    let mut rows = resources::list(&cx.scope, kind, from, limit + 1).await?;
    let is_cut = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| is_cut);
    let next = next.map(|row| hex::encode(serde_json::to_vec(&(&row.kind, &row.id)).unwrap_or_default()));
    let items = rows.into_iter().map(ResourceBody::from).collect();
    Ok(Ok200(PageBody { items, next }))
}

/// The resource to remove.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceQuery {
    r#type: String,
    id: String,
}

/// By hand, because the derived one has no required parameters with a schema of their own.
impl IntoParams for ResourceQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameters = [("type", spec::text::<ResourceType>()), ("id", spec::text::<ResourceId>())];
        let required = |(name, schema): (&str, Object)| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(place().unwrap_or_default());
            parameter.required(Required::True).schema(Some(schema)).build()
        };
        parameters.map(required).into()
    }
}

/// Removes the resource that the query names.
pub async fn forget(cx: ApiRequest<perm::CheckAccess, Query<ResourceQuery>>) -> ApiResult<NoContent> {
    let ResourceQuery { r#type: kind, id } = cx.input.0;
    let address = ResourceKey::parse(&kind, &id)?;
    cx.scope.write(async |s| resources::forget(s, &address).await).await?;
    Ok(NoContent)
}
