//! Parts of lists that are loaded as a whole.

use crate::{
    domain::{
        Invalid,
        base::paging::{MAX_SKIPPED, PAGE_SIZE},
    },
    web::api::{body::PageBody, call::ApiResult, input::page_size, spec},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Which part to return of a list that is short, and returned as a whole unless the caller wants less.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Part {
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// The number of the page, instead of `after`: 1 is the first.
    #[param(schema_with = spec::page_number)]
    page: Option<i64>,
    /// How many items to return at most. If omitted, all of them.
    #[param(schema_with = spec::limit_of_whole)]
    limit: Option<i64>,
}

/// The last item of a part: its place in the list, and what identifies it.
#[derive(Serialize, Deserialize)]
struct PartCursor(usize, String);

impl Part {
    /// This part of the list. `id` is what identifies an item.
    ///
    /// # Errors
    /// [`crate::domain::Refused::Invalid`] on `after`, `page` or `limit`.
    pub(in crate::web) fn of<T: From<U>, U>(
        &self,
        items: impl IntoIterator<Item = U>,
        id: impl Fn(&T) -> String,
    ) -> ApiResult<PageBody<T>> {
        let mut items: Vec<T> = items.into_iter().map(T::from).collect();
        let size = match (page_size(self.limit)?, self.page) {
            (None, Some(_)) => Some(PAGE_SIZE),
            (size, _) => size,
        };
        let start = match (self.after.as_str(), self.page) {
            ("", None) => 0,
            ("", Some(page)) => skipped(page, size.unwrap_or(PAGE_SIZE))?,
            (_, Some(_)) => {
                return Err(Invalid::field("page", "Use either “page” or “after”, not both.").into());
            }
            (after, None) => {
                let PartCursor(place, last) = PartCursor::decode(after)?;
                // If that item is gone, the one after it has taken its place.
                items.iter().position(|item| id(item) == last).map_or(place, |found| found + 1)
            }
        };
        items.drain(..start.min(items.len()));
        let size = size.unwrap_or(items.len());
        let is_cut = items.len() > size;
        items.truncate(size);
        let last = items.last().filter(|_| is_cut);
        let next = last.map(|last| PartCursor(start + size - 1, id(last)).encode());
        Ok(PageBody { items, next })
    }
}

/// How many items are before a page of this size.
fn skipped(page: i64, size: usize) -> Result<usize, Invalid> {
    let skipped = usize::try_from(page).ok().and_then(|page| page.checked_sub(1)?.checked_mul(size));
    let wrong = || Invalid::field("page", "The first page is 1, and the list has no page that far.");
    skipped.filter(|skipped| *skipped <= MAX_SKIPPED).ok_or_else(wrong)
}

impl PartCursor {
    fn encode(&self) -> String {
        hex::encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Result<Self, Invalid> {
        let read = |text| serde_json::from_slice(&hex::decode(text).ok()?).ok();
        let wrong = || Invalid::field("after", "This page link doesn't work. Start from the first page.");
        read(text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(after: &str, limit: i64) -> Part {
        Part { after: after.to_owned(), page: None, limit: Some(limit) }
    }

    #[test]
    fn the_pages_of_a_list_are_the_list() {
        let list = ["a", "b", "c", "d", "e"].map(String::from);
        let page = |page, limit| {
            let part = Part { after: String::new(), page: Some(page), limit };
            part.of::<String, _>(list.clone(), String::clone).ok().map(|page| page.items)
        };
        assert_eq!(page(1, Some(2)).unwrap(), ["a", "b"]);
        assert_eq!(page(3, Some(2)).unwrap(), ["e"]);
        assert_eq!(page(1, None).unwrap(), list);
        assert!(page(4, Some(2)).unwrap().is_empty() && page(2, None).unwrap().is_empty());
        assert!(page(0, Some(2)).is_none() && page(i64::MAX, Some(2)).is_none());
        let both = Part { after: "00".into(), page: Some(1), limit: None };
        assert!(both.of::<String, _>(list.clone(), String::clone).is_err());
    }

    #[test]
    fn the_parts_of_a_list_are_the_list() {
        let list = ["a", "b", "c", "d", "e"].map(String::from);
        for limit in 1..=6 {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let page = part(&after, limit).of::<String, _>(list.clone(), String::clone).ok().unwrap();
                seen.extend(page.items);
                match page.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
            assert_eq!(seen, list, "{limit}");
        }
    }

    #[test]
    fn a_part_goes_on_where_the_one_before_ended_when_items_come_and_go() {
        let next = |list: &[&str], after: &str| {
            part(after, 2).of::<String, _>(list.iter().copied(), String::clone).ok().unwrap()
        };
        let first = next(&["a", "b", "c", "d"], "");
        let after = first.next.unwrap();
        for list in
            [&["a", "b", "c", "d"][..], &["b", "c", "d"], &["a", "aa", "b", "c", "d"], &["a", "c", "d"]]
        {
            assert_eq!(next(list, &after).items, ["c", "d"], "{list:?}");
        }
        for wrong in ["zz", "00", "7b7d"] {
            assert!(part(wrong, 2).of::<String, _>(Vec::<String>::new(), String::clone).is_err());
        }
    }
}
