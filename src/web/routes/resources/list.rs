//! What applications registered: things of their own, for a search to list.

use crate::{
    domain::{
        Refused,
        base::paging::Position,
        resources::{self, Address, Filter, Resource},
    },
    policy::perm,
    web::{
        checks,
        chrome::Chrome,
        errors::Errors,
        guard::{Answer, Authorized},
        list::{Neighbours, Query, listed},
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
    query: ListQuery,
    is_filtered: bool,
    rows: Vec<Row>,
    neighbours: Neighbours,
    errors: Errors,
    /// Commands of an application that registers one, and forgets it.
    register: String,
    forget: String,
}

struct Row {
    resource: Resource,
    registered: When,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    r#type: String,
    after: String,
    before: String,
}

impl ListQuery {
    fn read(&self) -> Result<(Filter, Position), Refused> {
        let text = checks::search(&self.q)?;
        let kind = self.r#type.trim().to_owned();
        if !kind.is_empty() {
            Address::parse(&kind, "any")?;
        }
        Ok((Filter { kind, text }, Position::parse(&self.after, &self.before)?))
    }
}

pub async fn index(cx: Authorized<perm::CheckAccess, Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |filter: &Filter, at: &Position| resources::page(&scope, filter, at).await;
    let (found, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let links = if errors.any() { ListQuery::default() } else { query.clone() };
    let base = view.at("/resources");
    let neighbours = Neighbours::new(&found, &base, &[("q", &links.q), ("type", &links.r#type)]);
    let row =
        |resource: Resource| Row { registered: When::new(resource.created_at, scope.now_ms()), resource };
    let address = format!(
        "\"{}/api/sso/v1/resources?workspace={}",
        view.app.settings.origin,
        scope.actor().workspace.slug
    );
    let secret = "-H \"Authorization: Bearer SECRET\"";
    let page = Index {
        chrome: view.chrome(),
        is_filtered: !query.q.is_empty() || !query.r#type.is_empty(),
        rows: found.rows.into_iter().map(row).collect(),
        register: format!(
            "curl -X POST {address}\" {secret} -d '{{\"type\": \"record\", \"id\": \"record-1\", \"name\": \"Record 1\"}}'"
        ),
        forget: format!("curl -X DELETE {address}&type=record&id=record-1\" {secret}"),
        neighbours,
        errors,
        base,
        query,
    };
    Ok(view.html_as(status, &page))
}
