//! List pages: their queries, and the links to the pages before and after.
//!
//! A list page declares its filters ([`Filters`]), takes a [`List`] of them as its input, and loads its rows
//! through [`List::load`]. An invalid query gets the unfiltered list, with the complaint at its field.

use crate::{
    domain::{
        Invalid, Refused,
        base::paging::{Page, Position},
    },
    web::{
        checks,
        draft::DRAFT,
        errors::Errors,
        form::refusal,
        wire::{MalformedRequest, pairs, parse},
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, http::StatusCode};

use serde::{Deserialize, de::DeserializeOwned};
use std::future::{Ready, ready};

use url::form_urlencoded;

/// The query of a page.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = query_pairs(req).and_then(|pairs| parse(&pairs));
        ready(parsed.map(Self).map_err(|malformed| refusal(req, &malformed)))
    }
}

/// The query, without the draft that a form on the page is filled in with.
fn query_pairs(req: &HttpRequest) -> Result<Vec<(String, String)>, MalformedRequest> {
    let mut pairs = pairs(req.query_string().as_bytes())?;
    pairs.retain(|(name, _)| name != DRAFT);
    Ok(pairs)
}

/// The filters of a list: the fields of its query, except which page of it.
pub trait Filters: DeserializeOwned + Default + 'static {
    /// The filter as the domain takes it; the default lists everything.
    type Filter: Default;

    /// # Errors
    /// [`Refused::Invalid`] on the field whose value is unknown.
    fn read(&self) -> Result<Self::Filter, Refused>;

    /// Names and values that links to other pages of the list keep.
    fn query_pairs(&self) -> Vec<(&'static str, &str)>;

    /// Whether anything narrows the list: an empty one then means that nothing matches.
    fn is_filtered(&self) -> bool {
        self.query_pairs().iter().any(|(name, value)| *name != SORT && !value.is_empty())
    }
}

/// The field that sorts a list and narrows nothing.
pub(super) const SORT: &str = "sort";

/// A list without filters.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Unfiltered {}

impl Filters for Unfiltered {
    type Filter = ();

    fn read(&self) -> Result<(), Refused> {
        Ok(())
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// A list that is filtered by a text, and by nothing else.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    pub(super) q: String,
}

impl Search {
    /// The text; if it is invalid, an empty one with the complaint. For lists of a single page.
    pub(super) fn or_everything(&self) -> (String, StatusCode, Errors) {
        match checks::search(&self.q) {
            Ok(text) => (text, StatusCode::OK, Errors::default()),
            Err(invalid) => (String::new(), StatusCode::UNPROCESSABLE_ENTITY, invalid.into()),
        }
    }
}

impl Filters for Search {
    type Filter = String;

    fn read(&self) -> Result<String, Refused> {
        Ok(checks::search(&self.q)?)
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("q", &self.q)]
    }
}

/// Checks that a value is empty or one of `known`.
///
/// # Errors
/// On the field, if it is neither.
pub(super) fn one_of(field: &str, value: &str, known: &[&str]) -> Result<(), Invalid> {
    match value.is_empty() || known.contains(&value) {
        true => Ok(()),
        false => Err(Invalid::field(field, format!("Choose one of {}.", known.join(", ")))),
    }
}

/// The query of a list page.
pub struct List<F> {
    filters: F,
    page: PageLink,
}

/// Which page: the cursor of a pager link.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PageLink {
    after: String,
    before: String,
}

impl<F: Filters> FromRequest for List<F> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = query_pairs(req).and_then(Self::of_pairs);
        ready(parsed.map_err(|malformed| refusal(req, &malformed)))
    }
}

impl<F: Filters> List<F> {
    fn of_pairs(pairs: Vec<(String, String)>) -> Result<Self, MalformedRequest> {
        let (page, filters): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| matches!(name.as_str(), "after" | "before"));
        Ok(Self { filters: parse(&filters)?, page: parse(&page)? })
    }

    /// The list of this query, as a form of one of its rows carries it; the first page of everything if there is
    /// no such list.
    pub(super) fn of_query(query: &str) -> Self {
        let pairs = pairs(query.trim_start_matches('?').as_bytes());
        pairs
            .and_then(Self::of_pairs)
            .unwrap_or_else(|_| Self { filters: F::default(), page: PageLink::default() })
    }

    /// Loads the page that the query names. An invalid query gets the unfiltered list with the complaints.
    ///
    /// # Errors
    /// Every refusal but [`Refused::Invalid`].
    pub(super) async fn load<L>(
        self,
        load: impl AsyncFn(&F::Filter, &Position) -> Result<L, Refused>,
    ) -> Result<(L, ListState<F>), Refused> {
        let loaded = match self.read() {
            Ok((filter, at)) => load(&filter, &at).await,
            Err(refused) => Err(refused),
        };
        let (listing, errors) = match loaded {
            Ok(listing) => (listing, Errors::default()),
            Err(Refused::Invalid(invalid)) => {
                (load(&F::Filter::default(), &Position::FIRST).await?, invalid.into())
            }
            Err(other) => return Err(other),
        };
        let is_first = self.page.after.is_empty() && self.page.before.is_empty();
        Ok((
            listing,
            ListState { is_filtered: self.filters.is_filtered(), query: self.filters, is_first, errors },
        ))
    }

    fn read(&self) -> Result<(F::Filter, Position), Refused> {
        let filter = self.filters.read()?;
        Ok((filter, Position::parse(&self.page.after, &self.page.before)?))
    }
}

/// What a list page shows around its rows.
#[derive(Default)]
pub(super) struct ListState<F> {
    /// As it was sent, to fill in the filters.
    pub query: F,
    pub errors: Errors,
    /// Something narrows the list, so an empty list means that nothing matches.
    pub is_filtered: bool,
    /// This is the first page.
    pub is_first: bool,
}

impl<F: Filters> ListState<F> {
    pub(super) fn status(&self) -> StatusCode {
        if self.errors.any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }

    /// What the links of the page keep. An invalid query is shown in its fields, and kept by no link.
    pub(super) fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        if self.errors.any() { Vec::new() } else { self.query.query_pairs() }
    }

    /// The pages before and after this one of the list at `path`.
    pub(super) fn neighbours<T>(&self, page: &Page<T>, path: &str) -> Neighbours {
        Neighbours::new(page, path, &self.query_pairs())
    }
}

/// Addresses of the pages beside this one, empty where there is none.
#[derive(Default)]
pub(super) struct Neighbours {
    pub(super) first: String,
    pub(super) previous: String,
    pub(super) next: String,
    pub(super) last: String,
}

impl Neighbours {
    fn new<T>(page: &Page<T>, path: &str, pairs: &[(&str, &str)]) -> Self {
        let to = |name: &str, cursor: &str| address(path, pairs, &[(name, cursor)]);
        let cursor = |name: &str, cursor: &Option<String>| cursor.as_ref().map(|cursor| to(name, cursor));
        Self {
            first: page.before.as_ref().map(|_| address(path, pairs, &[])).unwrap_or_default(),
            previous: cursor("before", &page.before).unwrap_or_default(),
            next: cursor("after", &page.after).unwrap_or_default(),
            last: page.after.as_ref().map(|_| to("before", "end")).unwrap_or_default(),
        }
    }
}

#[cfg(feature = "bench")]
impl Neighbours {
    /// The addresses of the first page of a long list, for benchmarks.
    pub(super) fn sample(path: &str) -> Self {
        let (next, last) = (format!("{path}?after=00"), format!("{path}?before=end"));
        Self { next, last, ..Self::default() }
    }
}

/// The list at this path with a query that a form carried; without it, if that is nothing of ours.
pub(super) fn returning(path: &str, query: &str) -> String {
    let is_query = |query: &&str| {
        query.len() <= 1_000 && query.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\'))
    };
    match query.strip_prefix('?').filter(is_query) {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// A path with those of the fields that are not empty.
pub(super) fn address(path: &str, filters: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in filters.iter().chain(more).filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
