//! The responses of calls. The type determines status and schema, so the document can't differ.

use crate::web::{
    api::{
        if_match::{Versioned, etag},
        operation::{Operation, Reply},
    },
    problem::json::json,
};
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

/// 200 with the requested resource.
pub struct Ok200<T>(pub T);

/// 200 with one resource, and its version as `ETag`.
pub struct Tagged<T> {
    pub body: T,
    pub version: String,
}

impl<T> Tagged<T> {
    /// The resource, converted to its body `T`.
    pub fn of<N: Versioned + Into<T>>(thing: N) -> Self {
        Self { version: thing.tag(), body: thing.into() }
    }
}

/// 201 with the created resource, and its address as `Location`.
pub struct Created<T> {
    pub body: T,
    /// Its path, such as `/api/sso/v1/teams/…`. Where the query of the request names the workspace, so does the
    /// `Location`.
    pub location: String,
}

/// 201 with the created resource and its address, or 200 with an existing one.
pub enum CreatedOrUpdated<T> {
    Created(Created<T>),
    Updated(T),
}

/// A response with the version of its resource as `ETag`.
pub struct WithVersion<R> {
    pub reply: R,
    pub version: String,
}

/// 204: it was done, and there is no content.
pub struct NoContent;

/// The response contains a secret that is shown only once: it must not be stored.
pub struct Secret<R>(pub R);

/// Marks a response whose body must not be stored.
pub(super) struct HoldsSecret;

impl<T: Serialize + ToSchema> Reply for Ok200<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<T>(200);
    }
    fn respond(self) -> HttpResponse {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize + ToSchema> Reply for Tagged<T> {
    fn describe(operation: &mut Operation) {
        WithVersion::<Ok200<T>>::describe(operation);
    }
    fn respond(self) -> HttpResponse {
        WithVersion { reply: Ok200(self.body), version: self.version }.respond()
    }
}

impl<R: Reply> Reply for WithVersion<R> {
    fn describe(operation: &mut Operation) {
        R::describe(operation);
        operation.is_tagged = true;
    }
    fn respond(self) -> HttpResponse {
        let mut response = self.reply.respond();
        if let Ok(tag) = HeaderValue::from_str(&etag(&self.version)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl<T: Serialize + ToSchema> Reply for Created<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<T>(201);
        operation.is_located = true;
    }
    fn respond(self) -> HttpResponse {
        let mut response = json(StatusCode::CREATED, &self.body);
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl<T: Serialize + ToSchema> Reply for CreatedOrUpdated<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<T>(200);
        Created::<T>::describe(operation);
    }
    fn respond(self) -> HttpResponse {
        match self {
            Self::Created(created) => created.respond(),
            Self::Updated(body) => json(StatusCode::OK, &body),
        }
    }
}

impl Reply for NoContent {
    fn describe(operation: &mut Operation) {
        operation.responses.insert(204, None);
    }
    fn respond(self) -> HttpResponse {
        HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish()
    }
}

impl<R: Reply> Reply for Secret<R> {
    fn describe(operation: &mut Operation) {
        R::describe(operation);
    }
    fn respond(self) -> HttpResponse {
        let mut response = self.0.respond();
        response.extensions_mut().insert(HoldsSecret);
        response
    }
}

/// A response that is sent as it is.
impl Reply for HttpResponse {
    fn describe(operation: &mut Operation) {
        operation.responses.insert(200, Some(utoipa::openapi::schema::Object::new().into()));
    }
    fn respond(self) -> HttpResponse {
        self
    }
}
