//! What a path names: ids, roles, permissions.

use crate::{
    domain::{ExternalId, Refused, Slug, TextRule, base::subject::Subject},
    policy::Permission,
    web::{problem, wire::id},
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, error::InternalError};

use percent_encoding::percent_decode_str;
use std::future::{Ready, ready};

use uuid::Uuid;

/// The id of the resource in a path, beside its workspace or account.
pub struct Target(pub Uuid);

impl FromRequest for Target {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = ids(req).next().flatten();
        ready(id.map(Self).ok_or_else(|| not_found(req)))
    }
}

/// The permission in a path.
pub struct NamedPermission(pub Permission);

impl FromRequest for NamedPermission {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let permission = named(req).and_then(Permission::of_scope);
        ready(permission.map(Self).ok_or_else(|| not_found(req)))
    }
}

/// The slug of the role in a path.
pub struct NamedRole(pub String);

impl FromRequest for NamedRole {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only as it is written: ` editor` would be a second address for one thing.
        let slug = named(req).filter(|text| Slug::parse(text).is_ok_and(|slug| slug.as_str() == *text));
        ready(slug.map(|slug| Self(slug.to_owned())).ok_or_else(|| not_found(req)))
    }
}

/// The user in a path: by their id, or by their id in the customer's own applications.
pub struct NamedUser(pub Subject);

impl FromRequest for NamedUser {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(named(req).and_then(user).map(Self).ok_or_else(|| not_found(req)))
    }
}

fn user(text: &str) -> Option<Subject> {
    if let Some(id) = id(text) {
        return Some(Subject::User(id));
    }
    // What a path could not contain otherwise, such as a slash, is still encoded.
    let text = percent_decode_str(text).decode_utf8().ok()?;
    ExternalId::parse_exact(&text).ok().map(|id| Subject::External(id.to_string()))
}

/// The ids of the resource in a path and of the one below it.
pub struct NestedTarget(pub Uuid, pub Uuid);

impl FromRequest for NestedTarget {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut ids = ids(req);
        let both = ids.next().flatten().zip(ids.next().flatten());
        ready(both.map(|(whole, part)| Self(whole, part)).ok_or_else(|| not_found(req)))
    }
}

fn named(req: &HttpRequest) -> Option<&str> {
    parts(req).next()
}

fn parts(req: &HttpRequest) -> impl Iterator<Item = &str> {
    let is_thing = |name: &str| name != "workspace" && name != "account";
    req.match_info().iter().filter(move |(name, _)| is_thing(name)).map(|(_, value)| value)
}

/// The ids in a path, in their order.
fn ids(req: &HttpRequest) -> impl Iterator<Item = Option<Uuid>> {
    parts(req).map(id)
}

fn not_found(req: &HttpRequest) -> Error {
    InternalError::from_response("hidden", problem::respond(req, &Refused::NotFound)).into()
}
