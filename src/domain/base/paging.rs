//! Pages of a list by the last row's key, so that page 1,000 costs what page 1 costs.

use crate::domain::base::{invalid::Invalid, refused::Refused};
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Rows on one page, unless somebody asks for another number.
pub const PAGE_SIZE: usize = 50;

/// The most rows on one page.
pub const MAX_PAGE_SIZE: usize = 100;

/// The most rows before a page that is named by its number. A cursor leads further, for what page 1 costs.
pub const MAX_SKIPPED: usize = 10_000;

/// Rows that an export reads at a time.
const EXPORT_PAGE_SIZE: usize = 1_000;

/// The sort key of one row of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "n")]
    Number(i64),
}

/// The position of one row in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(Key, Uuid);

impl Cursor {
    pub(in crate::domain) fn new(key: Key, id: Uuid) -> Self {
        Self(key, id)
    }

    /// The text for a URL. It contains nothing that the list does not show.
    pub fn encode(&self) -> String {
        hex::encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&hex::decode(text).ok()?).ok()?;
        // No name that we sorted by has one, and PostgreSQL takes none.
        let is_plain = !matches!(&cursor.0, Key::Text(text) if text.contains('\0'));
        is_plain.then_some(cursor)
    }
}

pub(in crate::domain) fn invalid_cursor(field: &str) -> Refused {
    Invalid::field(field, "This page link doesn't work. Start from the first page.").into()
}

/// Where a page of a list begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    First,
    /// After so many rows.
    Skipping(usize),
    After(Cursor),
    Before(Cursor),
    Last,
}

/// Which page of a list, and how many rows it has at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    place: Place,
    limit: usize,
}

impl Position {
    /// The first page.
    pub const FIRST: Self = Self::at(Place::First);

    const fn at(place: Place) -> Self {
        Self { place, limit: PAGE_SIZE }
    }

    /// Reads `after` and `before` from a URL; `before=end` is the last page.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a cursor that no page has linked to.
    pub fn parse(after: &str, before: &str) -> Result<Self, Refused> {
        let place = match (after, before) {
            ("", "") => Some(Place::First),
            ("", "end") => Some(Place::Last),
            (after, "") => Cursor::decode(after).map(Place::After),
            ("", before) => {
                Some(Place::Before(Cursor::decode(before).ok_or_else(|| invalid_cursor("before"))?))
            }
            _ => None,
        };
        place.map(Self::at).ok_or_else(|| invalid_cursor("after"))
    }

    /// The page that begins here, with at most so many rows.
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit: limit.clamp(1, MAX_PAGE_SIZE), ..self }
    }

    /// The page with this number, of those that have as many rows as this one; the first is 1.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a number that is too low or too high, and beside a cursor.
    pub fn with_number(self, number: i64) -> Result<Self, Refused> {
        let skipped = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let skipped = skipped.and_then(|pages| pages.checked_mul(self.limit));
        let wrong = |sentence: &str| Err(Invalid::field("page", sentence).into());
        match (skipped, &self.place) {
            (_, Place::After(_) | Place::Before(_) | Place::Last) => {
                wrong("Use either “page” or “after”, not both.")
            }
            (Some(skipped), _) if skipped <= MAX_SKIPPED => {
                Ok(Self { place: Place::Skipping(skipped), limit: self.limit })
            }
            (None, _) if number < 1 => wrong("The first page is 1."),
            _ => wrong("This page is too far. Use “next” of the page before as “after”."),
        }
    }

    /// The page that begins here, as large as exports read them.
    pub fn for_export(self) -> Self {
        Self { limit: EXPORT_PAGE_SIZE, ..self }
    }

    /// The most rows on the page.
    pub(in crate::domain) fn limit(&self) -> usize {
        self.limit
    }

    pub(in crate::domain) fn is_backwards(&self) -> bool {
        matches!(self.place, Place::Before(_) | Place::Last)
    }

    /// The text at which the page begins, in a list that is sorted by a text only.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a cursor of a list that is sorted otherwise.
    pub(in crate::domain) fn text(&self) -> Result<Option<&str>, Refused> {
        match &self.place {
            Place::First | Place::Skipping(_) | Place::Last => Ok(None),
            Place::After(Cursor(Key::Text(text), _)) | Place::Before(Cursor(Key::Text(text), _)) => {
                Ok(Some(text))
            }
            Place::After(_) | Place::Before(_) => Err(invalid_cursor("after")),
        }
    }

    /// The number at which the page begins, in a list that is sorted by a number.
    pub(in crate::domain) fn number(&self) -> Option<i64> {
        match &self.place {
            Place::After(Cursor(Key::Number(number), _)) | Place::Before(Cursor(Key::Number(number), _)) => {
                Some(*number)
            }
            _ => None,
        }
    }
}

/// A column (or expression) to sort by, with the row's id to break ties.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Order {
    pub column: &'static str,
    /// The column is a text, and not a number.
    pub is_text: bool,
    /// Empty where the column alone is unique.
    pub id: &'static str,
    pub descending: bool,
}

impl Order {
    /// Ends a statement that so far ends in its WHERE: the bound of the page, its order, its size.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a cursor of a list that is sorted otherwise.
    pub(in crate::domain) fn append_to(
        &self,
        sql: &mut String,
        values: &mut Vec<Value>,
        at: &Position,
    ) -> Result<(), Refused> {
        let ascending = self.descending == at.is_backwards();
        let Self { column, id, .. } = self;
        if let Place::After(Cursor(key, row)) | Place::Before(Cursor(key, row)) = &at.place {
            if matches!(key, Key::Text(_)) != self.is_text {
                return Err(invalid_cursor("after"));
            }
            let sign = if ascending { '>' } else { '<' };
            values.push(match key {
                Key::Text(text) => text.as_str().into(),
                Key::Number(number) => (*number).into(),
            });
            // `$1` is the workspace, which is bound by the scope.
            let n = values.len() + 1;
            if id.is_empty() {
                sql.push_str(&format!(" AND {column} {sign} ${n}"));
            } else {
                values.push((*row).into());
                sql.push_str(&format!(" AND ({column}, {id}) {sign} (${n}, ${})", n + 1));
                // By a row of values SQLite finds its place in an index of columns, not of expressions.
                if column.contains('(') {
                    sql.push_str(&format!(" AND {column} {sign}= ${n}"));
                }
            }
        } else {
            // True of every row. It shows PostgreSQL that the index of the order narrows more than any
            // other: for all it knows, those of an average workspace are as soon fetched and sorted.
            values.push(if self.is_text { "".into() } else { i64::MIN.into() });
            sql.push_str(&format!(" AND {column} >= ${}", values.len() + 1));
        }
        sql.push_str(&self.clause(at));
        sql.push_str(&format!(" LIMIT {}", at.limit + 1));
        if let Place::Skipping(skipped) = at.place {
            values.push(i64::try_from(skipped).unwrap_or(i64::MAX).into());
            sql.push_str(&format!(" OFFSET ${}", values.len() + 1));
        }
        Ok(())
    }

    /// Only the ORDER BY, for a statement around the one of the page.
    pub(in crate::domain) fn clause(&self, at: &Position) -> String {
        let Self { column, id, .. } = self;
        let way = if self.descending == at.is_backwards() { "ASC" } else { "DESC" };
        let tie = if id.is_empty() { String::new() } else { format!(", {id} {way}") };
        format!(" ORDER BY {column} {way}{tie}")
    }
}

/// One page of a list, and the cursors of the pages before and after.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl<T> Page<T> {
    /// The page of an empty list.
    pub(in crate::domain) fn empty() -> Self {
        Self { rows: Vec::new(), before: None, after: None }
    }

    /// Builds a page from the rows that [`Order::append_to`] selects: one row more than fits means that there
    /// is a next page.
    pub(in crate::domain) fn from_rows(
        mut rows: Vec<T>,
        at: &Position,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Self {
        let more = rows.len() > at.limit;
        rows.truncate(at.limit);
        if at.is_backwards() {
            rows.reverse();
        }
        let (has_before, has_after) = match at.place {
            Place::First => (false, more),
            Place::Skipping(skipped) => (skipped > 0, more),
            Place::After(_) => (true, more),
            Place::Before(_) => (more, true),
            Place::Last => (more, false),
        };
        let first = rows.first().filter(|_| has_before).map(|row| cursor(row).encode());
        let last = rows.last().filter(|_| has_after).map(|row| cursor(row).encode());
        Self { rows, before: first, after: last }
    }

    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(change).collect(), before: self.before, after: self.after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_nonsense_is_refused() {
        let cursor = Cursor::new(Key::Text("é".into()), Uuid::nil());
        assert_eq!(
            Position::parse(&cursor.encode(), "").ok(),
            Some(Position::at(Place::After(cursor.clone())))
        );
        assert_eq!(Position::parse("", "end").ok(), Some(Position::at(Place::Last)));
        for (after, before) in [("zz", ""), ("00", ""), ("", "1"), (cursor.encode().as_str(), "end")] {
            assert!(Position::parse(after, before).is_err());
        }
    }

    #[test]
    fn a_page_is_named_by_its_number_up_to_a_bound() {
        let at = Position::FIRST.with_limit(100);
        for (number, skipped) in [(1, 0), (2, 100), (101, 10_000)] {
            let page = at.clone().with_number(number).ok();
            assert_eq!(page.map(|page| page.place), Some(Place::Skipping(skipped)), "{number}");
        }
        for number in [0, -1, 102, i64::MAX, i64::MIN] {
            assert!(at.clone().with_number(number).is_err(), "{number}");
        }
        let after = Position::at(Place::After(Cursor::new(Key::Number(1), Uuid::nil())));
        assert!(after.with_number(1).is_err());
    }

    #[test]
    fn a_page_has_as_many_rows_as_were_asked_for_within_bounds() {
        let cursor = |row: &i64| Cursor::new(Key::Number(*row), Uuid::nil());
        for (limit, rows) in [(0, 1), (1, 1), (7, 7), (100, 100), (101, 100)] {
            let at = Position::FIRST.with_limit(limit);
            let page = Page::from_rows((0..200).collect(), &at, cursor);
            assert_eq!((page.rows.len(), page.after.is_some()), (rows, true), "{limit}");
        }
    }
}
