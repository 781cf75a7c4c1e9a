//! Archives of the whole workspace, for programs.

use crate::{
    clock::Timestamp,
    domain::nouns::exports::archives::{self, Archive},
    policy::perm,
    web::{
        api::{
            body::{PageBody, Query},
            call::ApiResult,
            input::Empty,
            operation::{Input, Operation, Reply},
            part::Part,
            reply::{Created, NoContent, Ok200},
            spec,
        },
        form::refusal,
        guard::key::ApiRequest,
        path::Target,
        routes::exports::{archives::respond, download::ensure_whole},
    },
};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, dev::Payload};
use serde::Serialize;
use std::future::{Ready, ready};
use utoipa::ToSchema;
use uuid::Uuid;

/// An archive of the whole workspace.
#[derive(Serialize, ToSchema)]
pub struct ArchiveBody {
    id: Uuid,
    state: ArchiveState,
    /// How many rows are in it so far.
    rows: i64,
    /// How many there will be, estimated.
    expected_rows: i64,
    /// The size of the file so far, in bytes.
    size: i64,
    created_at: Timestamp,
    /// When it is deleted.
    expires_at: Timestamp,
}

/// The state of an archive.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveState {
    Waiting,
    Running,
    Ready,
    Failed,
}

impl From<Archive> for ArchiveBody {
    fn from(archive: Archive) -> Self {
        Self {
            state: match archive.state.as_str() {
                "waiting" => ArchiveState::Waiting,
                "running" => ArchiveState::Running,
                "ready" => ArchiveState::Ready,
                _ => ArchiveState::Failed,
            },
            id: archive.id,
            rows: archive.rows_done,
            expected_rows: archive.rows_total,
            size: archive.size,
            created_at: archive.created_at,
            expires_at: archive.expires_at,
        }
    }
}

pub async fn index(cx: ApiRequest<perm::ExportData, Query<Part>>) -> ApiResult<Ok200<PageBody<ArchiveBody>>> {
    let archives = archives::list(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(archives, |archive: &ArchiveBody| archive.id.to_string())?))
}

pub async fn create(cx: ApiRequest<perm::ExportData, Empty>) -> ApiResult<Created<ArchiveBody>> {
    let again = cx.scope.duplicate();
    let id = cx.scope.write(async |s| archives::request(s).await).await?;
    let archive = archives::get(&again, id).await?;
    Ok(Created { body: archive.into(), location: format!("/api/sso/v1/exports/archives/{id}") })
}

pub async fn show(cx: ApiRequest<perm::ExportData, Target>) -> ApiResult<Ok200<ArchiveBody>> {
    let Target(id) = cx.input;
    Ok(Ok200(archives::get(&cx.scope, id).await?.into()))
}

pub async fn delete(cx: ApiRequest<perm::ExportData, Target>) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| archives::delete(s, id).await).await?;
    Ok(NoContent)
}

pub async fn download(cx: ApiRequest<perm::ExportData, (Target, SeenWhole)>) -> ApiResult<Zip> {
    let (scope, call, (Target(id), _)) = cx.into_parts();
    respond(&call.req, call.app, scope, id).await.map(Zip)
}

/// The end of the response can be seen: see [`ensure_whole`].
pub struct SeenWhole;

impl FromRequest for SeenWhole {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(ensure_whole(req).map(|()| Self).map_err(|malformed| refusal(req, &malformed)))
    }
}

impl Input for SeenWhole {
    fn describe(_: &mut Operation) {}
}

/// A zip that is downloaded.
pub struct Zip(HttpResponse);

impl Reply for Zip {
    fn describe(operation: &mut Operation) {
        operation.responses.insert(200, Some(spec::zip().into()));
        operation.media_types = &["application/zip"];
    }

    fn respond(self) -> HttpResponse {
        self.0
    }
}
