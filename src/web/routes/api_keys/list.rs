//! The list of keys.

use crate::{
    domain::base::paging::Position,
    web::{
        chrome::Chrome,
        guard::{Admitted, HandlerResult, PageAdmission},
        list::{List, ListState, Neighbours, Search},
        routes::api_keys::{
            home::{Home, Reads},
            row::{Row, more},
        },
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "api_keys/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/api-keys` or `/a/{account}/api-keys`
    base: String,
    list: ListState<Search>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    may_manage: bool,
    /// The viewer's address is confirmed, which creating keys requires.
    is_verified: bool,
}

pub(in crate::web) async fn index<A: PageAdmission<Scope: Reads>>(
    cx: Admitted<A, List<Search>>,
) -> HandlerResult {
    let (home, view, list) = cx.into_parts();
    let load = async |text: &String, at: &Position| home.list(text, at).await;
    let (page, list) = list.load(load).await?;
    let (base, now) = (view.at("/api-keys"), home.now());
    let page = Index {
        chrome: view.chrome(),
        neighbours: list.neighbours(&page, &base),
        rows: page.rows.into_iter().map(|key| Row::new(key, now)).collect(),
        may_manage: home.may_manage(),
        is_verified: home.is_verified(),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}
