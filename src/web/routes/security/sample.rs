//! The Security page for `cargo bench`.

use crate::{
    domain::nouns::security::{Row, Toggle},
    policy::{BuiltIn, Group, Permission},
    web::{chrome::Chrome, errors::Errors, routes::security::pages::Index},
};
use askama::Template;

pub(in crate::web) fn security(chrome: Chrome) -> impl Template + use<> {
    Index {
        chrome,
        base: "/w/sample/security".into(),
        groups: Group::ALL.map(|group| (group, group.permissions().map(row).collect())).into(),
        problem: String::new(),
        prefilled: None,
        q: String::new(),
        errors: Errors::default(),
    }
}

fn row(permission: Permission) -> Row {
    let roles = BuiltIn::ALL.into_iter().filter(|role| *role != BuiltIn::Owner);
    let toggle = |role: BuiltIn| Toggle {
        slug: role.slug().into(),
        name: role.name().into(),
        ticked: role.grants().contains(&permission.scope()),
        people: 12,
        refused: None,
    };
    Row { permission, roles: roles.map(toggle).collect(), people: 50, keys: 0, version: "0".repeat(16) }
}
