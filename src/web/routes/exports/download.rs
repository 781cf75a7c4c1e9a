//! Downloads of lists from their pages, and by the API.

use crate::{
    policy::perm,
    web::{
        api::{
            body::Query,
            call::ApiResult,
            operation::{Input, Operation, Reply},
            spec,
        },
        bearer::WORKSPACE,
        form::{Form, refusal},
        guard::{Authorized, HandlerResult, key::ApiRequest},
        list::Filters as _,
        problem,
        routes::exports::{
            list::{CallFilters as _, ExportedList, FORMAT, Format, Request},
            stream::respond,
        },
        wire::{self, MalformedRequest},
    },
};
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{Method, Version},
};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};
use utoipa::{
    IntoParams,
    openapi::{
        path::ParameterIn,
        schema::{ObjectBuilder, Type},
    },
};

/// The rows of a list as it is narrowed on its page.
pub async fn from_page<L: ExportedList>(
    cx: Authorized<perm::ExportData, Form<Vec<(String, String)>>>,
) -> HandlerResult {
    let (scope, view, Form(fields)) = cx.into_parts();
    let request = match ensure_whole(&view.req).and_then(|()| Request::<L::OnPage>::read(fields)) {
        Ok(request) => request,
        Err(malformed) => return Ok(problem::malformed_request(&view.req, &malformed)),
    };
    let filter = request.query.read()?;
    respond::<L>(&view.req, view.app.clone(), scope, filter, request.format, request.narrowed).await
}

/// The rows of a list as the parameters of its call narrow it.
pub async fn by_call<L: ExportedList>(
    cx: ApiRequest<perm::ExportData, ExportQuery<L::InCall>>,
) -> ApiResult<File> {
    let (scope, call, ExportQuery(request)) = cx.into_parts();
    let filter = request.query.filter()?;
    respond::<L>(&call.req, call.app, scope, filter, request.format, request.narrowed).await.map(File)
}

/// A response of unknown length can break off unseen before HTTP/1.1.
pub(super) fn ensure_whole(req: &HttpRequest) -> Result<(), MalformedRequest> {
    let is_seen = req.version() >= Version::HTTP_11 || req.method() == Method::HEAD;
    let why = "Downloads need HTTP/1.1, because a shorter file couldn't be told from a whole one. If there is a proxy in front, let it speak HTTP/1.1.";
    if is_seen { Ok(()) } else { Err(MalformedRequest::Other(why.to_owned())) }
}

/// The parameters of an export: those of the list, but for its pages, and the format.
pub struct ExportQuery<Q>(Request<Q>);

impl<Q: DeserializeOwned + 'static> FromRequest for ExportQuery<Q> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = ensure_whole(req).and_then(|()| wire::pairs(req.query_string().as_bytes()));
        let read = read.and_then(|mut pairs| {
            pairs.retain(|(name, _)| name != WORKSPACE);
            Request::read(pairs)
        });
        ready(read.map(Self).map_err(|malformed| refusal(req, &malformed)))
    }
}

impl<Q: IntoParams> Input for ExportQuery<Q> {
    fn describe(operation: &mut Operation) {
        Query::<Q>::describe(operation);
        operation.parameters.retain(|parameter| !["after", "limit"].contains(&parameter.name.as_str()));
        let about = "How rows are written: CSV (RFC 4180), the same with a byte order mark for spreadsheets, or a JSON object a line. If omitted, CSV.";
        let format = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Format::WORDS));
        operation.parameter(FORMAT, ParameterIn::Query, false, about, format.build());
    }
}

/// A file that is downloaded.
pub struct File(HttpResponse);

impl Reply for File {
    fn describe(operation: &mut Operation) {
        operation.responses.insert(200, Some(spec::file().into()));
        operation.media_types = &["text/csv", "application/jsonl"];
    }

    fn respond(self) -> HttpResponse {
        self.0
    }
}
