//! A download as it is made: a part of the rows is read, written and handed on before the next one is read.

use crate::{
    clock::Timestamp,
    domain::{
        Refused,
        base::paging::Position,
        enforce::read::ReadScope,
        nouns::exports::{Exported, Exporter, unwritten},
    },
    policy::perm,
    web::{
        app::App,
        csv::{BYTE_ORDER_MARK, Cells},
        downloads::Place,
        middleware::pieces::{PIECE, Streamed},
        routes::exports::list::{ExportedList, Format},
        turns::{Line, in_turn},
    },
};
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, header},
    web::{Bytes, Data},
};
use futures_util::{Stream, stream};
use std::{
    error::Error,
    time::{Duration, Instant},
};
use time::OffsetDateTime;

/// How long a download may take. Whoever reads more slowly gets it by parts, with filters.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Why a download broke off. Its client sees that it is not whole, and the log why.
#[derive(Debug, thiserror::Error)]
enum BrokeOff {
    #[error("it took too long")]
    TimedOut,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("a row can't be written: {0}")]
    Unwritten(#[from] serde_json::Error),
}

/// A list on its way out.
struct Download<L: ExportedList> {
    app: Data<App>,
    exporter: Exporter,
    exported: Exported,
    format: Format,
    filter: L::Filter,
    /// Where the next part begins; `None` once the last one was read.
    next: Option<Position>,
    /// What was read and not handed on yet.
    ready: Bytes,
    /// Rows of the parts that were begun to be handed on.
    rows: u64,
    is_recorded: bool,
    began: Instant,
    _place: Place,
}

/// The response with all rows that the filter lets through. What is refused before its first part is refused as ever.
pub(super) async fn respond<L: ExportedList>(
    req: &HttpRequest,
    app: Data<App>,
    scope: ReadScope<perm::ExportData>,
    filter: L::Filter,
    format: Format,
    narrowed: Vec<String>,
) -> Result<HttpResponse, Refused> {
    let actor = scope.actor();
    let place = app.downloads.begin(actor.workspace.account_id, actor.principal.id())?;
    let name = format!("{}-{}-{}.{}", actor.workspace.slug, L::NAME, day(scope.now()), format.extension());
    let exported = Exported { list: L::NAME, label: L::LABEL, format: format.extension(), filter: narrowed };
    let mut download = Download::<L> {
        app,
        exporter: Exporter::new(scope),
        exported,
        format,
        filter,
        next: Some(Position::FIRST.for_export()),
        ready: Bytes::new(),
        rows: 0,
        is_recorded: false,
        began: Instant::now(),
        _place: place,
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, format.content_type()))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if req.method() == Method::HEAD {
        // Nothing leaves, but what would be refused is.
        let scope = download.exporter.narrow::<L::Reads>().await?;
        L::page(&scope, &download.filter, &Position::FIRST).await?;
        return Ok(streamed(response, stream::empty::<Result<Bytes, BrokeOff>>()));
    }
    let scope = download.exporter.narrow::<L::Reads>().await?;
    download.read(&scope).await.map_err(BrokeOff::into_refusal)?;
    let body = stream::try_unfold(download, |mut download| async move {
        match download.piece().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, download))),
            Err(broke_off) => {
                let list = download.exported.list;
                tracing::warn!(error = %broke_off, list, rows = download.rows, "a download broke off");
                Err(broke_off)
            }
        }
    });
    Ok(streamed(response, body))
}

/// A response whose body comes as it is made. Its length is not known before.
pub(super) fn streamed<E: Into<Box<dyn Error>> + 'static>(
    mut response: HttpResponseBuilder,
    body: impl Stream<Item = Result<Bytes, E>> + 'static,
) -> HttpResponse {
    // Compression would hold an encoder for each download: see `middleware::pieces`.
    response.insert_header((header::CONTENT_ENCODING, "identity"));
    let mut response = response.streaming(body);
    response.extensions_mut().insert(Streamed);
    response
}

/// The day of a file's name, such as `2026-11-21`.
pub(super) fn day(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.as_seconds()).map(|at| at.date().to_string()).unwrap_or_default()
}

impl BrokeOff {
    /// As it is answered where nothing was handed out yet.
    fn into_refusal(self) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            Self::TimedOut => Refused::Busy { retry_after_seconds: 1 },
            Self::Unwritten(error) => unwritten(&error),
        }
    }
}

impl<L: ExportedList> Download<L> {
    /// The next piece of the file; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, BrokeOff> {
        while self.ready.is_empty() && self.next.is_some() {
            if self.began.elapsed() > TIMEOUT {
                return Err(BrokeOff::TimedOut);
            }
            let app = self.app.clone();
            let actor = self.exporter.scope().actor().clone();
            in_turn(&app.turns, || Line::of(&actor), self.go_on()).await?;
        }
        let size = PIECE.min(self.ready.len());
        Ok((size > 0).then(|| self.ready.split_to(size)))
    }

    /// Checks both permissions again, and reads the next part.
    async fn go_on(&mut self) -> Result<(), BrokeOff> {
        let scope = self.exporter.admit::<L::Reads>().await?;
        self.read(&scope).await
    }

    /// Reads the next part. Before the last one is handed on, it is recorded that all of it left.
    async fn read(&mut self, scope: &ReadScope<L::Reads>) -> Result<(), BrokeOff> {
        let Some(at) = self.next.take() else { return Ok(()) };
        let is_first = self.rows == 0 && self.ready.is_empty();
        let page = L::page(scope, &self.filter, &at).await?;
        let mut text = Vec::with_capacity(page.rows.len() * 256);
        if at == Position::FIRST.for_export() && is_first {
            self.begin(&mut text);
        }
        let count = page.rows.len() as u64;
        for row in page.rows {
            if self.format.is_csv() {
                let mut cells = Cells::new(&mut text);
                L::cells(&row, &mut cells);
                cells.end();
            } else {
                serde_json::to_writer(&mut text, &L::Line::from(row))?;
                text.push(b'\n');
            }
        }
        let next =
            page.after.map(|after| Position::parse(&after, "").map(Position::for_export)).transpose()?;
        if next.is_none() {
            self.exporter.record(&self.exported, self.rows + count, true).await?;
            self.is_recorded = true;
        }
        self.rows += count;
        self.next = next;
        self.ready = text.into();
        Ok(())
    }

    /// What stands before the first row.
    fn begin(&self, text: &mut Vec<u8>) {
        if self.format == Format::CsvWithMark {
            text.extend_from_slice(BYTE_ORDER_MARK);
        }
        if self.format.is_csv() {
            let mut cells = Cells::new(text);
            L::COLUMNS.iter().for_each(|column| cells.text(column));
            cells.end();
        }
    }
}

/// What left before a download broke off is recorded too.
impl<L: ExportedList> Drop for Download<L> {
    fn drop(&mut self) {
        if self.rows > 0 && !self.is_recorded {
            self.exporter.record_later(&self.exported, self.rows);
        }
    }
}
