//! Handlers, a noun a file: read the input, call one function of `domain`, draw the answer.

pub(super) mod account;
pub(super) mod account_keys;
pub(super) mod accounts;
pub(super) mod activity;
pub(super) mod api_docs;
pub(super) mod api_keys;
pub(super) mod bulk;
pub(super) mod health;
pub(super) mod invitation;
pub(super) mod invitations;
pub(super) mod me;
pub(super) mod members;
pub(super) mod organization;
pub(super) mod overview;
pub(super) mod ownership;
pub(super) mod preview;
pub(super) mod quick_start;
pub(super) mod resources;
pub(super) mod roles;
pub(super) mod security;
pub(super) mod sign_in;
pub(super) mod sign_up;
pub(super) mod teams;
pub(super) mod workspaces;

use crate::domain::paging::Page;
use url::form_urlencoded;

/// Addresses of the pages beside this one, empty where there is none.
struct Neighbours {
    first: String,
    previous: String,
    next: String,
    last: String,
}

impl Neighbours {
    /// `filters` are the fields that narrow the list, which every page of it keeps.
    fn new<T>(page: &Page<T>, path: &str, filters: &[(&str, &str)]) -> Self {
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
fn address(path: &str, filters: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in filters.iter().chain(more).filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// "1 person", "2 people": a number with its noun.
fn counted(count: i64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// How many members, people and keys, a change gave something to or took it from, in words.
fn effect(gained: i64, lost: i64) -> String {
    let members = |count| counted(count, "member", "members");
    match (gained, lost) {
        (0, 0) => "nobody gained or lost it".to_owned(),
        (gained, 0) => format!("{} gained it", members(gained)),
        (0, lost) => format!("{} lost it", members(lost)),
        (gained, lost) => format!("{} gained it, {} lost it", members(gained), members(lost)),
    }
}
