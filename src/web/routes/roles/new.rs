//! A new role: empty, from a pattern, or a copy of another.

use crate::{
    domain::{
        Invalid, Refused,
        base::role::{Role, Roles},
        enforce::read::ReadScope,
        nouns::roles::{self, RoleDetails, ScopeSet},
    },
    policy::{Ceiling, Holdings, Pattern, Permission, Scope, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::Query,
        rejection::{FormRejection, reopen_on},
        routes::roles::fields::{Fields, named},
    },
};
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "roles/new.html")]
struct New {
    chrome: Chrome,
    /// `/w/{slug}/roles`
    base: String,
    patterns: [Pattern; 8],
    /// The key of the pattern that the form was filled in from; may be empty.
    chosen: String,
    /// The name of the role that is duplicated; may be empty.
    duplicates: String,
    /// What was left out because the viewer does not hold it.
    left_out: Vec<String>,
    name: String,
    description: String,
    fields: Fields,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    template: String,
    /// A role's slug.
    from: String,
    // What the form held when another pattern was chosen.
    /// The pattern that it was filled in from.
    chosen: String,
    name: String,
    description: String,
    permission: Vec<String>,
    scopes: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewRole {
    name: String,
    description: String,
    permission: Vec<String>,
    scopes: String,
    /// As in [`Start`]; ignored.
    chosen: String,
}

impl Validate for NewRole {
    type Valid = (RoleDetails, ScopeSet);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let named = named(&self.name, &self.description, invalid);
        let scopes = invalid.check_all(ScopeSet::read(&self.permission, &self.scopes));
        Some((named?, scopes?))
    }
}

pub async fn new(cx: Authorized<perm::ManageRoles, Query<Start>>) -> HandlerResult {
    let (scope, view, Query(start)) = cx.into_parts();
    let mut page = blank(&view, &scope);
    if !start.from.is_empty() {
        let all = &scope.actor().all_roles;
        let role = all.by_slug(&start.from).filter(|role| !role.is_owner).ok_or(Refused::NotFound)?;
        page.duplicates.clone_from(&role.name);
        page.name = copy_of(all, role);
        page.description.clone_from(&role.description);
        let scopes = role.application_scopes.iter().map(String::as_str);
        page.fill(&scope, role.permissions().collect(), scopes);
    } else {
        page.start(&scope, start)?;
    }
    Ok(view.html(&page))
}

fn blank(view: &View, scope: &ReadScope<perm::ManageRoles>) -> New {
    New {
        chrome: view.chrome(),
        base: view.at("/roles"),
        patterns: Pattern::ALL,
        chosen: String::new(),
        duplicates: String::new(),
        left_out: Vec::new(),
        name: String::new(),
        description: String::new(),
        fields: Fields::new(scope, |_| false, String::new()),
        errors: Errors::default(),
    }
}

impl New {
    /// Fills in a pattern in place of the previous one. What was typed in addition stays.
    fn start(&mut self, scope: &ReadScope<perm::ManageRoles>, start: Start) -> Result<(), Refused> {
        let before = Pattern::by_key(&start.chosen);
        let pattern = Pattern::by_key(&start.template);
        if pattern.is_none() && !start.template.is_empty() {
            return Err(Refused::NotFound);
        }
        let of_before = |scope: &str| before.is_some_and(|before| before.scopes.contains(&scope));
        let typed: Vec<&str> =
            start.scopes.lines().map(str::trim).filter(|line| !line.is_empty() && !of_before(line)).collect();
        let ticked = start.permission.iter().filter_map(|sent| Permission::of_scope(sent));
        let mut permissions: Vec<Permission> =
            ticked.filter(|p| before.is_none_or(|before| !before.permissions.contains(p))).collect();
        permissions.extend(pattern.iter().flat_map(|pattern| pattern.permissions));
        let scopes = pattern.iter().flat_map(|pattern| pattern.scopes).copied();
        self.fill(scope, permissions, scopes.filter(|scope| !typed.contains(scope)));
        let filled = std::mem::take(&mut self.fields.typed);
        self.fields.typed = [filled]
            .into_iter()
            .filter(|text| !text.is_empty())
            .chain(typed.iter().map(|line| (*line).to_owned()))
            .collect::<Vec<_>>()
            .join("\n");
        self.name = start.name;
        let is_theirs = !start.description.is_empty()
            && before.is_none_or(|before| before.description != start.description);
        self.description = match pattern {
            Some(pattern) if !is_theirs => pattern.description.to_owned(),
            None if !is_theirs => String::new(),
            _ => start.description,
        };
        self.chosen = start.template;
        Ok(())
    }

    /// Fills in the scopes that the viewer may grant, and collects those that are left out.
    fn fill<'a>(
        &mut self,
        scope: &ReadScope<perm::ManageRoles>,
        permissions: Vec<Permission>,
        scopes: impl Iterator<Item = &'a str>,
    ) {
        let actor = &scope.actor().holdings;
        let (mine, not_mine): (Vec<_>, Vec<_>) = permissions.into_iter().partition(|p| actor.has(*p));
        let (typed, over): (Vec<_>, Vec<_>) = scopes.partition(|scope| holds(actor, scope));
        let labels = not_mine.into_iter().map(|permission| permission.label().to_owned());
        self.left_out = labels.chain(over.into_iter().map(str::to_owned)).collect();
        self.fields = Fields::new(scope, |permission| mine.contains(&permission), typed.join("\n"));
    }
}

fn holds(actor: &Holdings, scope: &str) -> bool {
    Scope::parse(scope).is_ok_and(|scope| actor.allows(&scope))
}

/// "Editor 2": the name with the first number that no role has.
fn copy_of(all: &Roles, role: &Role) -> String {
    let start: String = role.name.chars().take(76).collect();
    let numbered = (2..).map(|n| format!("{start} {n}"));
    let is_free = |name: &String| all.iter().all(|role| role.name != *name);
    numbered.take(100).find(is_free).unwrap_or_default()
}

pub async fn create(cx: Authorized<perm::ManageRoles, Form<Checked<NewRole>>>) -> HandlerResult {
    let (scope, view, Form(Checked { sent: form, valid })) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let (named, scopes) = valid?;
        let saved = scope.write(async |s| roles::create(s, &named, &scopes).await).await?;
        let flash = Flash::good(format!("Role “{}” created. Assign it on the Members page.", saved.name));
        Ok(view.redirect_with_flash(view.at(&format!("/roles/{}", saved.slug)), flash))
    };
    let is_ceiling = |refused: &Refused| matches!(refused, Refused::Ceiling(_));
    reopen_on(saved.await, is_ceiling, async |rejected| Ok(redraw(&view, &duplicate, &form, &rejected))).await
}

/// The complaints, and with them what the viewer may not grant, so that nobody hears of it only once the rest is
/// right.
fn with_ceiling(scope: &ReadScope<perm::ManageRoles>, form: &NewRole, errors: Errors) -> Errors {
    let actor = &scope.actor().holdings;
    let ticked = form.permission.iter().filter_map(|sent| Permission::of_scope(sent));
    let over = ticked.filter(|permission| !actor.has(*permission));
    let over = over.map(|permission| permission.scope().to_owned());
    let typed = form.scopes.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let typed = typed.filter(|text| Scope::parse(text).is_ok() && !holds(actor, text));
    let over: Vec<String> = over.chain(typed.map(str::to_owned)).collect();
    match over.is_empty() || !errors.of("scopes").is_empty() {
        true => errors,
        false => errors.and("scopes", &Ceiling::Lacks(over).to_string()),
    }
}

fn redraw(
    view: &View,
    scope: &ReadScope<perm::ManageRoles>,
    form: &NewRole,
    rejected: &FormRejection,
) -> HttpResponse {
    let page = New {
        chosen: form.chosen.clone(),
        name: form.name.clone(),
        description: form.description.clone(),
        fields: Fields::as_sent(scope, &form.permission, &form.scopes),
        errors: with_ceiling(scope, form, rejected.errors_at("scopes")),
        ..blank(view, scope)
    };
    view.html_as(rejected.status, &page)
}
