//! Resources of the customer's own applications.

use crate::{
    domain::{
        Invalid, Refused,
        resources::{self, Address, Resource},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            reply::{Defined, Done, Ok200},
            spec,
        },
        guard::key::ApiRequest,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A registered resource.
#[derive(Serialize, ToSchema)]
pub struct ResourceBody {
    pub r#type: String,
    pub id: String,
    pub name: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl From<Resource> for ResourceBody {
    fn from(resource: Resource) -> Self {
        Self { r#type: resource.kind, id: resource.id, name: resource.name, created_at: resource.created_at }
    }
}

/// A resource to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    #[schema(schema_with = spec::kind)]
    r#type: String,
    #[schema(schema_with = spec::resource_id)]
    id: String,
    #[schema(schema_with = spec::name)]
    name: String,
}

/// Registers a resource: 201 where it is new, 200 where it was called otherwise or is as it was.
pub async fn register(
    cx: ApiRequest<perm::CheckAccess, Json<NewResource>>,
) -> ApiResult<Defined<ResourceBody>> {
    let new = cx.input.0;
    let mut invalid = Invalid::default();
    let address = Address::parse(&new.r#type, &new.id);
    let name = input::name(&new.name);
    if let Err(wrong) = &address {
        invalid = wrong.clone();
    }
    if let Err(wrong) = &name {
        invalid.add("name", wrong.of("name").unwrap_or_default());
    }
    let (Ok(address), Ok(name)) = (address, name) else { return Err(invalid.into()) };
    let (resource, is_new) = cx.scope.write(async |s| resources::register(s, &address, &name).await).await?;
    let resource = ResourceBody::from(resource);
    Ok(if is_new { Defined::New(resource) } else { Defined::Known(resource) })
}

/// Which resources to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// Those of this type.
    #[param(schema_with = spec::kind)]
    r#type: String,
    /// The one with this id, of that type.
    #[param(schema_with = spec::resource_id)]
    id: String,
    /// `next` of the page before.
    #[param(schema_with = spec::cursor)]
    after: String,
}

/// Resources on one page.
const PAGE: usize = 100;

/// Lists them by type and id; with a type and an id, that one.
pub async fn index(
    cx: ApiRequest<perm::CheckAccess, Query<Asked>>,
) -> ApiResult<Ok200<PageBody<ResourceBody>>> {
    let Asked { r#type: kind, id, after } = cx.input.0;
    if !id.is_empty() {
        let one = resources::one(&cx.scope, &Address::parse(&kind, &id)?).await?;
        return Ok(Ok200(PageBody::whole([one])));
    }
    let wrong =
        || Refused::from(Invalid::field("after", "This page link is broken. Start from the first page."));
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
        return Err(Invalid::field("type", "A type is a word as in a scope.").into());
    }
    let kind = Some(kind.as_str()).filter(|kind| !kind.is_empty());
    let from = after.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str()));
    let mut rows = resources::list(&cx.scope, kind, from, PAGE + 1).await?;
    let is_cut = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| is_cut);
    let next = next.map(|row| hex::encode(serde_json::to_vec(&(&row.kind, &row.id)).unwrap_or_default()));
    let items = rows.into_iter().map(ResourceBody::from).collect();
    Ok(Ok200(PageBody { items, next }))
}

/// Which resource to forget.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Named {
    #[param(schema_with = spec::kind)]
    r#type: String,
    #[param(schema_with = spec::resource_id)]
    id: String,
}

/// Forgets the resource that the query names.
pub async fn forget(cx: ApiRequest<perm::CheckAccess, Query<Named>>) -> ApiResult<Done> {
    let Named { r#type: kind, id } = cx.input.0;
    let address = Address::parse(&kind, &id)?;
    cx.scope.write(async |s| resources::forget(s, &address).await).await?;
    Ok(Done)
}
