//! The resources that applications registered.

use crate::{
    domain::{
        Refused,
        base::paging::Position,
        nouns::resources::{self, Filter, Owner, Resource, ResourceKey},
    },
    policy::perm,
    web::{
        checks,
        chrome::{Chrome, View},
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours},
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "resources/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/resources`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    /// Commands with which an application registers a resource, and removes it.
    register: String,
    forget: String,
}

struct Row {
    resource: Resource,
    owner: Option<Owner>,
    registered: When,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    r#type: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        let text = checks::search(&self.q)?;
        let kind = self.r#type.trim().to_owned();
        if !kind.is_empty() {
            ResourceKey::parse(&kind, "any")?;
        }
        Ok(Filter { kind, text })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("q", &self.q), ("type", &self.r#type)]
    }
}

pub async fn index(cx: Authorized<perm::CheckAccess, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| resources::page(&scope, filter, at).await;
    let (page, list) = list.load(load).await?;
    let base = view.at("/resources");
    let row = |resource: Resource| Row {
        registered: When::new(resource.created_at, scope.now()),
        owner: resource.owner(),
        resource,
    };
    let (register, forget) = commands(&view, &scope.actor().workspace.slug);
    let page = Index {
        chrome: view.chrome(),
        neighbours: list.neighbours(&page, &base),
        rows: page.rows.into_iter().map(row).collect(),
        register,
        forget,
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}

/// How an application registers a resource in this workspace, and how it removes one.
fn commands(view: &View, workspace: &str) -> (String, String) {
    let origin = &view.app.settings.origin;
    let address = format!("\"{origin}/api/sso/v1/resources?workspace={workspace}");
    let secret = "-H \"Authorization: Bearer SECRET\"";
    let body = "{\"type\": \"record\", \"id\": \"record-1\", \"name\": \"Record 1\"}";
    (
        format!("curl -X POST {address}\" {secret} -d '{body}'"),
        format!("curl -X DELETE {address}&type=record&id=record-1\" {secret}"),
    )
}
