//! The Security page for `cargo bench`.

use crate::{
    domain::security::{Row, Toggle},
    policy::{BuiltIn, Group, Permission},
    web::{routes::security::pages::Index, samples::frame::chrome},
};
use askama::Template;

pub fn security() -> impl Template {
    Index {
        chrome: chrome("security"),
        base: "/w/sample/security".into(),
        groups: Group::ALL.map(|group| (group, group.permissions().map(row).collect())).into(),
        problem: String::new(),
        kept: None,
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
