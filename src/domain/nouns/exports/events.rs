//! Audit events of exports.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
    words::pluralize,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<DataExported>(),
    EventKind::of::<ArchiveRequested>(),
    EventKind::of::<ArchiveDeleted>(),
]);

/// The name of the target is what people call the list.
pub(in crate::domain) const LIST: TargetKind = TargetKind::new("list");

/// Rows of a list left the workspace.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DataExported {
    /// The word for the list, such as `members`.
    pub list: String,
    pub format: String,
    /// What it was narrowed to, such as `role=viewer`.
    pub filter: Vec<String>,
    /// How many were handed out.
    pub rows: i64,
    #[serde(default)]
    pub leftover: Leftover,
}

/// Whether all of it left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::domain) enum Leftover {
    #[default]
    None,
    /// The download ended early.
    BrokeOff,
}

impl AuditEvent for DataExported {
    const NAME: &'static str = "data_exported";
    const KIND: &'static str = "data.exported";
    const LABEL: &'static str = "Data exported";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let format = match self.format.as_str() {
            "jsonl" => "JSON Lines",
            "zip" => "a zip",
            _ => "CSV",
        };
        let rows = pluralize(self.rows, "row", "rows");
        let filter = if self.filter.is_empty() {
            String::new()
        } else {
            format!(", narrowed to {}", self.filter.join(", "))
        };
        let end = match self.leftover {
            Leftover::None => "",
            Leftover::BrokeOff => ", which broke off",
        };
        EventSentence::new("exported", row.target).detail(format!("{rows} as {format}{filter}{end}"))
    }
}

pub(in crate::domain) const ARCHIVE: TargetKind = TargetKind::new("archive");

/// An archive of the whole workspace was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ArchiveRequested {}

impl AuditEvent for ArchiveRequested {
    const NAME: &'static str = "archive_requested";
    const KIND: &'static str = "data.archive-requested";
    const LABEL: &'static str = "Archive requested";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("requested an archive of the workspace", "")
    }
}

/// An archive was deleted before it expired.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ArchiveDeleted {}

impl AuditEvent for ArchiveDeleted {
    const NAME: &'static str = "archive_deleted";
    const KIND: &'static str = "data.archive-deleted";
    const LABEL: &'static str = "Archive deleted";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("deleted an archive of the workspace", "")
    }
}
