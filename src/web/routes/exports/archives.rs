//! Archives of the whole workspace: asked for, downloaded, deleted.

use crate::{
    domain::{
        Refused,
        enforce::read::ReadScope,
        nouns::exports::{Exported, Exporter, archives},
    },
    policy::perm,
    web::{
        app::App,
        chrome::Flash,
        downloads::Place,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        middleware::pieces::PIECE,
        path::Target,
        problem,
        routes::exports::{
            download::ensure_whole,
            stream::{TIMEOUT, day, streamed},
        },
        turns::{Line, in_turn},
    },
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{Bytes, Data},
};
use futures_util::stream;
use std::time::Instant;
use uuid::Uuid;

pub async fn request(cx: Authorized<perm::ExportData, Form<EmptyForm>>) -> HandlerResult {
    let (scope, view, _) = cx.into_parts();
    scope.write(async |s| archives::request(s).await).await?;
    let flash = Flash::good("The archive is being created. You can download it here for a day.");
    Ok(view.redirect_with_flash(view.at("/export"), flash))
}

pub async fn delete(cx: Authorized<perm::ExportData, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| archives::delete(s, id).await).await?;
    Ok(view.redirect_with_flash(view.at("/export"), Flash::good("Archive deleted.")))
}

/// An archive on its way out.
struct Download {
    app: Data<App>,
    exporter: Exporter,
    exported: Exported,
    id: Uuid,
    rows: u64,
    /// The number of the next part, and how many there are.
    next: i64,
    parts: i64,
    ready: Bytes,
    is_recorded: bool,
    began: Instant,
    _place: Place,
}

pub async fn download(cx: Authorized<perm::ExportData, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    if let Err(malformed) = ensure_whole(&view.req) {
        return Ok(problem::malformed_request(&view.req, &malformed));
    }
    respond(&view.req, view.app.clone(), scope, id).await
}

/// The response with the file of an archive. Every permission is asked for again.
///
/// # Errors
/// [`Refused::NotFound`] for one that is not ready; [`Refused::Forbidden`]; [`Refused::Busy`].
pub(super) async fn respond(
    req: &HttpRequest,
    app: Data<App>,
    scope: ReadScope<perm::ExportData>,
    id: Uuid,
) -> Result<HttpResponse, Refused> {
    let archive = archives::get(&scope, id).await?;
    if !archive.is_ready() {
        return Err(Refused::NotFound);
    }
    let actor = scope.actor();
    let place = app.downloads.begin(actor.workspace.account_id, actor.principal.id())?;
    let name = format!("{}-{}.zip", actor.workspace.slug, day(archive.created_at));
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "application/zip"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if req.method() == Method::HEAD {
        // Nothing leaves, but what would be refused is.
        return Ok(streamed(response, stream::empty::<Result<Bytes, Refused>>()));
    }
    let exported =
        Exported { list: "workspace", label: "the whole workspace", format: "zip", filter: Vec::new() };
    let mut download = Download {
        app,
        exporter: Exporter::new(scope),
        exported,
        id,
        rows: u64::try_from(archive.rows_done).unwrap_or_default(),
        next: 0,
        parts: archive.parts,
        ready: Bytes::new(),
        is_recorded: false,
        began: Instant::now(),
        _place: place,
    };
    download.read().await?;
    let body = stream::try_unfold(download, |mut download| async move {
        match download.piece().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, download))),
            Err(refused) => {
                tracing::warn!(error = %refused, "a download of an archive broke off");
                Err(refused)
            }
        }
    });
    Ok(streamed(response, body))
}

impl Download {
    async fn piece(&mut self) -> Result<Option<Bytes>, Refused> {
        if self.ready.is_empty() && self.next < self.parts {
            if self.began.elapsed() > TIMEOUT {
                return Err(Refused::Busy { retry_after_seconds: 1 });
            }
            let app = self.app.clone();
            let actor = self.exporter.scope().actor().clone();
            in_turn(&app.turns, || Line::of(&actor), self.read()).await?;
        }
        let size = PIECE.min(self.ready.len());
        Ok((size > 0).then(|| self.ready.split_to(size)))
    }

    /// Reads the next part. Before the last one is handed on, it is recorded that all of it left.
    async fn read(&mut self) -> Result<(), Refused> {
        let part = match self.exporter.archive_part(self.id, self.next).await? {
            Some(part) => part,
            // There is nothing in it.
            None if self.parts == 0 => Vec::new(),
            None => return Err(Refused::NotFound),
        };
        if self.next + 1 >= self.parts {
            self.exporter.record(&self.exported, self.rows, true).await?;
            self.is_recorded = true;
        }
        self.next += 1;
        self.ready = part.into();
        Ok(())
    }
}

/// A part of it left.
impl Drop for Download {
    fn drop(&mut self) {
        if self.next > 0 && !self.is_recorded {
            let left = self.rows / u64::try_from(self.parts.max(1)).unwrap_or(1);
            let parts = u64::try_from(self.next).unwrap_or_default();
            self.exporter.record_later(&self.exported, left.saturating_mul(parts));
        }
    }
}
