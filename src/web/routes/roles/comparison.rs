//! Two roles side by side.

use crate::{
    domain::{
        Invalid, Refused,
        base::role::{Role, Roles},
    },
    policy::{Group, Scope, perm},
    web::{
        chrome::Chrome,
        errors::Errors,
        guard::{Authorized, HandlerResult},
        list::{Query, address},
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Template)]
#[template(path = "roles/comparison.html")]
struct Comparison {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    roles: Vec<(String, String)>,
    /// Slugs and names of the two.
    a: (String, String),
    b: (String, String),
    groups: Vec<(&'static str, Vec<Line>)>,
    differences: usize,
    /// Only differences are shown.
    only: bool,
    /// The address of this page with `only` toggled.
    toggle: String,
    errors: Errors,
}

/// One permission or scope, and how each of the two holds it.
struct Line {
    label: String,
    is_scope: bool,
    a: Holds,
    b: Holds,
}

#[derive(Clone, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// Not by its name, but another scope covers it.
    By(String),
}

impl Holds {
    fn of(role: &Role, scope: &str) -> Self {
        if role.application_scopes.iter().any(|held| held == scope) {
            return Self::Yes;
        }
        let Ok(needed) = Scope::parse(scope) else { return Self::No };
        let covers = |held: &&String| Scope::parse(held).is_ok_and(|held| held.covers(&needed));
        match role.application_scopes.iter().find(covers) {
            Some(by) => Self::By(by.clone()),
            None if role.is_owner => Self::Yes,
            None => Self::No,
        }
    }

    fn is_held(&self) -> bool {
        *self != Self::No
    }
}

impl Line {
    fn differs(&self) -> bool {
        self.a.is_held() != self.b.is_held()
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Pair {
    a: String,
    b: String,
    only: String,
}

pub async fn comparison(cx: Authorized<perm::ReadMembers, Query<Pair>>) -> HandlerResult {
    let (scope, view, Query(pair)) = cx.into_parts();
    let all = &scope.actor().all_roles;
    let mut invalid = Invalid::default();
    let a = chosen(all, "a", &pair.a, 1, &mut invalid)?;
    let b = chosen(all, "b", &pair.b, 2, &mut invalid)?;
    let only = match pair.only.as_str() {
        "" => false,
        "differences" => true,
        _ => {
            invalid.add("only", "Choose all or differences.");
            false
        }
    };
    let mut groups = lines(a, b);
    let differences = groups.iter().flat_map(|(_, lines)| lines).filter(|line| line.differs()).count();
    if only {
        for (_, lines) in &mut groups {
            lines.retain(Line::differs);
        }
        groups.retain(|(_, lines)| !lines.is_empty());
    }
    let status = if invalid.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let toggled = if only { "" } else { "differences" };
    let named = |role: &Role| (role.slug.clone(), role.name.clone());
    let page = Comparison {
        chrome: view.chrome(),
        home: view.at(""),
        roles: all.iter().map(named).collect(),
        toggle: address(
            &view.at("/roles/comparison"),
            &[("a", &a.slug), ("b", &b.slug)],
            &[("only", toggled)],
        ),
        a: named(a),
        b: named(b),
        groups,
        differences,
        only,
        errors: invalid.into(),
    };
    Ok(view.html_as(status, &page))
}

/// The role that the query names. If it names none, another one of the list.
fn chosen<'a>(
    all: &'a Roles,
    field: &str,
    slug: &str,
    otherwise: usize,
    invalid: &mut Invalid,
) -> Result<&'a Role, Refused> {
    if let Some(role) = all.by_slug(slug) {
        return Ok(role);
    }
    if !slug.is_empty() {
        invalid.add(field, "Choose a role of this workspace.");
    }
    all.iter().nth(otherwise).or(all.iter().next()).ok_or(Refused::NotFound)
}

fn lines(a: &Role, b: &Role) -> Vec<(&'static str, Vec<Line>)> {
    let mut groups: Vec<(&'static str, Vec<Line>)> = Vec::new();
    for group in Group::ALL {
        let holds =
            |role: &Role, permission| if role.holdings.has(permission) { Holds::Yes } else { Holds::No };
        let line = |permission: crate::policy::Permission| Line {
            label: permission.label().to_owned(),
            is_scope: false,
            a: holds(a, permission),
            b: holds(b, permission),
        };
        groups.push((group.label(), group.permissions().map(line).collect()));
    }
    let scopes: BTreeSet<&String> = a.application_scopes.iter().chain(b.application_scopes.iter()).collect();
    if !scopes.is_empty() {
        let line = |scope: &String| Line {
            label: scope.clone(),
            is_scope: true,
            a: Holds::of(a, scope),
            b: Holds::of(b, scope),
        };
        groups.push(("Your applications", scopes.into_iter().map(line).collect()));
    }
    groups
}
