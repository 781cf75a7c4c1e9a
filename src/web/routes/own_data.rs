//! Everything about oneself, as a file.

use crate::{
    domain::{Refused, nouns::identity},
    web::{
        form::{EmptyForm, Form},
        guard::{HandlerResult, SignedIn},
    },
};
use actix_web::{HttpResponse, http::header};
use serde_json::{Map, Value};
use std::io::{self, Cursor, Write};
use zip::{ZipWriter, result::ZipError, write::SimpleFileOptions};

pub async fn download(cx: SignedIn<Form<EmptyForm>>) -> HandlerResult {
    let (app, person) = (&cx.view.app, cx.person());
    // One at a time.
    let _place = app.downloads.begin(person.user_id, person.user_id)?;
    let mut file = File { zip: ZipWriter::new(Cursor::new(Vec::new())), table: "" };
    identity::own_data(&app.db, person, |table, rows| file.add(table, rows).map_err(|error| unmade(&error)))
        .await?;
    let file = file.zip.finish().map_err(|error| unmade(&error))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/zip"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"bailiwick-my-data.zip\""))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(file.into_inner()))
}

/// A zip with a file of JSON Lines for each kind of data.
struct File {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    /// The kind whose file is being written.
    table: &'static str,
}

impl File {
    fn add(&mut self, table: &'static str, rows: &[Map<String, Value>]) -> Result<(), ZipError> {
        if self.table != table {
            self.table = table;
            self.zip.start_file(format!("{table}.jsonl"), SimpleFileOptions::default())?;
        }
        for row in rows {
            serde_json::to_writer(&mut self.zip, row).map_err(io::Error::from)?;
            self.zip.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn unmade(error: &ZipError) -> Refused {
    tracing::error!(%error, "could not put a zip together");
    Refused::Busy { retry_after_seconds: 60 }
}
