//! Resources of the customer's own applications.

use super::{Json, Query, json};
use crate::{
    domain::{
        Invalid, Name, Refused,
        resources::{self, Address, Resource},
    },
    policy::perm,
    web::guard::{Answer, Called},
};
use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};

/// A registered resource.
#[derive(Serialize)]
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    r#type: String,
    id: String,
    name: String,
}

/// Registers a resource: 201 where it is new, 200 where it was called otherwise or is as it was.
pub async fn register(cx: Called<perm::CheckAccess, Json<New>>) -> Answer {
    let new = cx.input.0;
    let mut invalid = Invalid::default();
    let address = Address::parse(&new.r#type, &new.id);
    let name = Name::parse(&new.name);
    if let Err(wrong) = &address {
        invalid = wrong.clone();
    }
    if let Err(complaint) = &name {
        invalid.add("name", *complaint);
    }
    let (Ok(address), Ok(name)) = (address, name) else { return Err(invalid.into()) };
    let (resource, is_new) = cx.scope.write(async |s| resources::register(s, &address, &name).await).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &ResourceBody::from(resource)))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    r#type: String,
    id: String,
    after: String,
}

/// One page of the resources.
#[derive(Serialize)]
struct Listing {
    items: Vec<ResourceBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Resources on one page.
const PAGE: usize = 100;

/// Lists them by type and id; with a type and an id, that one.
pub async fn index(cx: Called<perm::CheckAccess, Query<Asked>>) -> Answer {
    let Asked { r#type: kind, id, after } = cx.input.0;
    if !id.is_empty() {
        let one = resources::one(&cx.scope, &Address::parse(&kind, &id)?).await?;
        return Ok(json(StatusCode::OK, &Listing { items: vec![one.into()], next: None }));
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
    Ok(json(StatusCode::OK, &Listing { items, next }))
}

/// Which resource to forget.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    r#type: String,
    id: String,
}

/// Forgets the resource that the query names.
pub async fn forget(cx: Called<perm::CheckAccess, Query<Named>>) -> Answer {
    let Named { r#type: kind, id } = cx.input.0;
    let address = Address::parse(&kind, &id)?;
    cx.scope.write(async |s| resources::forget(s, &address).await).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
