//! Pages of lists: the query, the links to the pages beside this one, a filter that is refused.

use crate::{
    domain::{
        Refused,
        base::paging::{Page, Position},
    },
    web::{
        errors::Errors,
        form::refusal,
        wire::{pairs, parse},
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, http::StatusCode};

use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

use url::form_urlencoded;

/// The query of a list.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = pairs(req.query_string().as_bytes()).and_then(|pairs| parse(&pairs));
        ready(parsed.map(Self).map_err(|broken| refusal(req, &broken)))
    }
}

/// The list that a query asks for. Where the query is refused: the list as it is without one, with
/// what is wrong, for the fields of its filter.
///
/// # Errors
/// Every other refusal.
pub(super) async fn listed<F: Default, L>(
    asked: Result<(F, Position), Refused>,
    list: impl AsyncFn(&F, &Position) -> Result<L, Refused>,
) -> Result<(L, StatusCode, Errors), Refused> {
    let found = match asked {
        Ok((filter, at)) => list(&filter, &at).await,
        Err(refused) => Err(refused),
    };
    match found {
        Ok(listing) => Ok((listing, StatusCode::OK, Errors::default())),
        Err(Refused::Invalid(invalid)) => {
            let listing = list(&F::default(), &Position::First).await?;
            Ok((listing, StatusCode::UNPROCESSABLE_ENTITY, invalid.into()))
        }
        Err(other) => Err(other),
    }
}

/// Addresses of the pages beside this one, empty where there is none.
pub(super) struct Neighbours {
    pub(super) first: String,
    pub(super) previous: String,
    pub(super) next: String,
    pub(super) last: String,
}

impl Neighbours {
    /// `filters` are the fields that narrow the list, which every page of it keeps.
    pub(super) fn new<T>(page: &Page<T>, path: &str, filters: &[(&str, &str)]) -> Self {
        let to = |name: &str, cursor: &str| address(path, filters, &[(name, cursor)]);
        let cursor = |name: &str, cursor: &Option<String>| cursor.as_ref().map(|cursor| to(name, cursor));
        Self {
            first: page.before.as_ref().map(|_| address(path, filters, &[])).unwrap_or_default(),
            previous: cursor("before", &page.before).unwrap_or_default(),
            next: cursor("after", &page.after).unwrap_or_default(),
            last: page.after.as_ref().map(|_| to("before", "end")).unwrap_or_default(),
        }
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
