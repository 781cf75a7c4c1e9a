//! Exports: data that leaves a workspace as files.
//!
//! Nothing is exported without the permission for it *and* the one for what is exported. Both are checked again for
//! each part of a download: see [`Exporter`].

pub mod archives;
mod counts;
pub mod events;
pub mod lease;

use crate::{
    domain::{
        base::{
            event::{RecordedEvent, Target},
            refused::Refused,
        },
        enforce::read::ReadScope,
        nouns::exports::events::{DataExported, LIST, Leftover},
    },
    policy::{Access, perm},
};
pub use counts::{Counts, MAX_COUNTED, counts};
use sea_orm::DbErr;
use uuid::Uuid;

/// An admission to export, which is checked anew for each part.
pub struct Exporter(ReadScope<perm::ExportData>);

/// What is exported, as the record describes it.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The word for the list, such as `members`.
    pub list: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// `csv` or `jsonl`.
    pub format: &'static str,
    /// What it was narrowed to. No text that somebody typed is in it, as it could not be erased.
    pub filter: Vec<String>,
}

impl Exporter {
    pub fn new(scope: ReadScope<perm::ExportData>) -> Self {
        Self(scope)
    }

    /// The admission, as of the last check.
    pub fn scope(&self) -> &ReadScope<perm::ExportData> {
        &self.0
    }

    /// Checks everything again, and the permission to read what comes next as well.
    ///
    /// # Errors
    /// As [`ReadScope::admit`], for either permission.
    pub async fn admit<P: Access>(&mut self) -> Result<ReadScope<P>, Refused> {
        self.0 = self.0.admit_again().await?;
        self.narrow().await
    }

    /// Checks everything again, for the next part of an archive.
    ///
    /// # Errors
    /// As [`ReadScope::admit`]; [`Refused::NotFound`] once the archive is gone.
    pub async fn archive_part(&mut self, id: Uuid, n: i64) -> Result<Option<Vec<u8>>, Refused> {
        self.0 = self.0.admit_again().await?;
        archives::get(&self.0, id).await?;
        archives::part(&self.0, id, n).await
    }

    /// The permission to read what comes next, as of the last check.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which names who has it.
    pub async fn narrow<P: Access>(&self) -> Result<ReadScope<P>, Refused> {
        match self.0.duplicate().narrow() {
            Some(scope) => Ok(scope),
            None => Err(self.0.refuse_without(P::NEEDS).await?),
        }
    }

    /// Records what left. Whoever has lost access since has exported it all the same.
    ///
    /// # Errors
    /// The database's own: then nothing more may leave.
    pub async fn record(&self, exported: &Exported, rows: u64, is_whole: bool) -> Result<(), Refused> {
        self.0.record_disclosure(event(exported, rows, is_whole)).await
    }

    /// [`Exporter::record`] of a download that broke off, beside what goes on here.
    pub fn record_later(&self, exported: &Exported, rows: u64) {
        let (scope, event) = (self.0.duplicate(), event(exported, rows, false));
        let runtime = scope.db().runtime().clone();
        runtime.spawn(async move {
            if let Err(error) = scope.record_disclosure(event).await {
                tracing::error!(%error, "could not record a download that broke off");
            }
        });
    }
}

/// The error of a row that can't be written as JSON.
pub fn unwritten(error: &serde_json::Error) -> Refused {
    Refused::Failed(DbErr::Custom(error.to_string()))
}

fn event(exported: &Exported, rows: u64, is_whole: bool) -> RecordedEvent {
    let left = DataExported {
        list: exported.list.to_owned(),
        format: exported.format.to_owned(),
        filter: exported.filter.clone(),
        rows: i64::try_from(rows).unwrap_or(i64::MAX),
        leftover: if is_whole { Leftover::None } else { Leftover::BrokeOff },
    };
    RecordedEvent::new(left, Target::named(LIST, exported.label))
}
