//! A list that can be downloaded: what a noun says about its own, and how a download is asked for.

use crate::{
    domain::{
        Refused,
        base::paging::{Page, Position},
        enforce::read::ReadScope,
    },
    policy::Access,
    web::{
        csv::Cells,
        list::Filters,
        wire::{MalformedRequest, parse, shorten},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::IntoParams;

/// A list that can be downloaded.
pub trait ExportedList: 'static {
    /// What reading it requires, beside the permission to export.
    type Reads: Access;
    type Filter: 'static;
    /// What it is narrowed by on its page.
    type OnPage: Filters<Filter = Self::Filter>;
    /// What it is narrowed by in the API.
    type InCall: CallFilters<Filter = Self::Filter>;
    type Row: 'static;
    /// A row as a line of JSON.
    type Line: Serialize + From<Self::Row>;

    /// The word for it, in addresses and file names.
    const NAME: &'static str;
    /// What people call it.
    const LABEL: &'static str;
    /// However many rows there are, their number is known.
    const IS_COUNTED: bool = true;
    /// The heads of its columns.
    const COLUMNS: &'static [&'static str];

    /// The rows from here on.
    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused>;

    /// Writes a row, in the order of the columns.
    fn cells(row: &Self::Row, cells: &mut Cells<'_>);
}

/// What a list is narrowed by in the API.
pub trait CallFilters: DeserializeOwned + IntoParams + 'static {
    type Filter;

    /// # Errors
    /// [`Refused::Invalid`] on the parameter whose value is unknown.
    fn filter(&self) -> Result<Self::Filter, Refused>;
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    /// With the mark by which spreadsheets know UTF-8.
    CsvWithMark,
    JsonLines,
}

impl Format {
    pub(super) const WORDS: [&'static str; 3] = ["csv", "csv_bom", "jsonl"];

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "csv" => Some(Self::Csv),
            "csv_bom" => Some(Self::CsvWithMark),
            "jsonl" => Some(Self::JsonLines),
            _ => None,
        }
    }

    pub(super) const fn is_csv(self) -> bool {
        !matches!(self, Self::JsonLines)
    }

    /// The end of the file's name.
    pub(super) const fn extension(self) -> &'static str {
        if self.is_csv() { "csv" } else { "jsonl" }
    }

    pub(super) const fn content_type(self) -> &'static str {
        if self.is_csv() { "text/csv; charset=utf-8; header=present" } else { "application/jsonl" }
    }
}

/// What is asked for.
pub struct Request<Q> {
    pub(super) format: Format,
    pub(super) query: Q,
    /// What it is narrowed to, for the record: a text that somebody typed is left out.
    pub(super) narrowed: Vec<String>,
}

/// The field of the format.
pub(super) const FORMAT: &str = "format";

impl<Q: DeserializeOwned> Request<Q> {
    /// Reads the fields of a form, or the parameters of a call. Without a format it is CSV.
    pub(super) fn read(mut pairs: Vec<(String, String)>) -> Result<Self, MalformedRequest> {
        let formats: Vec<_> = pairs.extract_if(.., |(name, _)| name == FORMAT).collect();
        let format = match formats.as_slice() {
            [] => Format::Csv,
            [(_, word)] => Format::of_word(word).ok_or_else(|| {
                let choices = format!("Choose one of {}.", Format::WORDS.join(", "));
                MalformedRequest::Value(FORMAT.to_owned(), choices)
            })?,
            _ => return Err(MalformedRequest::Repeated(FORMAT.to_owned())),
        };
        let query = parse(&pairs)?;
        // A notice is what the page shows above the list.
        let kept = pairs.into_iter().filter(|(name, value)| !value.is_empty() && name != "notice");
        let narrowed = kept.map(|(name, value)| match name.as_str() {
            "q" | "by" | "on" => "a text".to_owned(),
            "client_id" => "a client's ID".to_owned(),
            _ => format!("{name}={}", shorten(&value)),
        });
        Ok(Self { format, query, narrowed: narrowed.collect() })
    }
}
