//! The roles of a workspace: what each grants, and how many people have it.

use crate::{
    domain::roles::{self, Listed},
    policy::{Group, Permission, perm},
    web::{
        chrome::Chrome,
        guard::{Answer, Authorized},
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "roles/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    roles: Vec<Row>,
}

struct Row {
    listed: Listed,
    /// Groups of the catalogue with the labels that the role holds in each; empty groups are left out.
    groups: Vec<(&'static str, Vec<&'static str>)>,
}

pub async fn index(cx: Authorized<perm::ReadMembers>) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    let roles = roles::list(&scope).await?.into_iter().map(Row::new).collect();
    Ok(view.html(&Index { chrome: view.chrome("roles"), home: view.at(""), roles }))
}

impl Row {
    fn new(listed: Listed) -> Self {
        let held = |group: &Group| -> Vec<&'static str> {
            group.permissions().filter(|p| listed.role.holdings.has(*p)).map(Permission::label).collect()
        };
        let groups = Group::ALL.iter().map(|group| (group.label(), held(group)));
        Self { groups: groups.filter(|(_, labels)| !labels.is_empty()).collect(), listed }
    }
}
