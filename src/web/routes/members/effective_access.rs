//! What one member may do, and why.

use crate::{
    domain::{
        Invalid,
        effective_access::{self, AssignableRole, RoleName, ScopeAnswer, Source},
        nouns::members::Member,
    },
    policy::{Group, Permission, Scope, Why, perm},
    web::{
        chrome::{Chrome, hue, initials},
        errors::Errors,
        guard::{Authorized, HandlerResult},
        list::Query,
        path::Target,
        routes::members::ends::Ends,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "members/access.html")]
struct Page {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    /// `/w/{slug}/members/{member}`
    base: String,
    member: Member,
    initials: String,
    hue: u8,
    sources: Vec<Source>,
    groups: Vec<(Group, Vec<Line>)>,
    /// The number of permissions that are held.
    held: usize,
    /// Each scope, with the roles that it comes from.
    grants: Vec<(String, Vec<Origin>)>,
    assignable: Vec<AssignableRole>,
    /// What was typed into the box.
    scope_query: String,
    answer: Option<Verdict>,
    errors: Errors,
    /// What of it ends when.
    ends: Ends,
}

struct Line {
    permission: Permission,
    is_held: bool,
    /// The roles that grant it, or would grant it.
    roles: Vec<Origin>,
}

/// A role, and how the member got it.
struct Origin {
    role: RoleName,
    /// Such as "through the team Support"; empty for their own, and for one they do not hold.
    through: String,
    /// Its grant that covers the requested scope; empty without a request.
    grant: String,
}

/// The answer to a scope.
struct Verdict {
    scope: String,
    /// The label of the permission that it is.
    label: &'static str,
    is_held: bool,
    roles: Vec<Origin>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeQuery {
    scope: String,
}

impl ScopeQuery {
    fn read(&self) -> (Option<Scope>, Errors) {
        match self.scope.trim() {
            "" => (None, Errors::default()),
            text => match Scope::parse(text) {
                Ok(scope) => (Some(scope), Errors::default()),
                Err(error) => (None, Invalid::field("scope", error.to_string()).into()),
            },
        }
    }
}

pub async fn show(cx: Authorized<perm::ReadMembers, (Target, Query<ScopeQuery>)>) -> HandlerResult {
    let (scope, view, (Target(id), Query(query))) = cx.into_parts();
    let (scope_query, errors) = query.read();
    let access = effective_access::get(&scope, id, scope_query.as_ref()).await?;
    let chrome = view.chrome();
    let origin = |role: &RoleName| Origin {
        through: access
            .sources
            .iter()
            .find(|source| source.role == *role)
            .map(|source| through(source, chrome.can.read_teams))
            .unwrap_or_default(),
        grant: String::new(),
        role: role.clone(),
    };
    let origins = |roles: &[RoleName]| roles.iter().map(origin).collect::<Vec<_>>();
    let explain = |why: &Why<RoleName>| match why {
        Why::By(roles) => (true, origins(roles)),
        Why::Not(roles) => (false, origins(roles)),
    };
    let line = |(permission, why): &(Permission, Why<RoleName>)| {
        let (is_held, roles) = explain(why);
        Line { permission: *permission, is_held, roles }
    };
    let of_group = |group: Group| {
        let those = access.permissions.iter().filter(|(permission, _)| permission.group() == group);
        (group, those.map(line).collect())
    };
    let verdict = |answer: &ScopeAnswer| {
        let (Why::By(roles) | Why::Not(roles)) = &answer.why;
        let covering = |(role, grant): &(RoleName, String)| Origin { grant: grant.clone(), ..origin(role) };
        Verdict {
            label: Permission::of_scope(&answer.scope).map_or("", Permission::label),
            scope: answer.scope.clone(),
            is_held: answer.why.is_held(),
            roles: roles.iter().map(covering).collect(),
        }
    };
    let member = &access.detail.member;
    let status = if errors.any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = Page {
        home: view.at(""),
        base: view.at(&format!("/members/{id}")),
        initials: initials(&member.name),
        hue: hue(member.user_id.unwrap_or(member.id)),
        groups: Group::ALL.map(of_group).into(),
        held: access.permissions.iter().filter(|(_, why)| why.is_held()).count(),
        grants: access.grants.iter().map(|(scope, roles)| (scope.clone(), origins(roles))).collect(),
        answer: access.answer.as_ref().map(verdict),
        scope_query: query.scope,
        errors,
        ends: Ends::of(&access.detail.member, scope.now()),
        member: access.detail.member,
        sources: access.sources,
        assignable: access.assignable,
        chrome,
    };
    Ok(view.html_as(status, &page))
}

/// How a member got a role that is not assigned directly.
fn through(source: &Source, sees_teams: bool) -> String {
    match source.teams.as_slice() {
        _ if source.is_own => String::new(),
        [one] if sees_teams => format!("through the team {one}"),
        teams if sees_teams => format!("through the teams {}", teams.join(", ")),
        _ => "through a team".to_owned(),
    }
}
