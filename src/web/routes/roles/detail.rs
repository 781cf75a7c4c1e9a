//! The roles of a workspace: the list, one role, and what can be done to it.

use crate::{
    domain::{
        CHANGED, Invalid, Refused,
        base::role::Role,
        enforce::read::ReadScope,
        nouns::roles::{self, LOCKS_YOU_OUT, RoleDetail, RoleDetails, ScopeSet, ScopesChange},
        preview::{Preview, of_scopes},
    },
    policy::{Access, Holdings, Permission, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::Query,
        path::NamedRole,
        preview::{self, About},
        rejection::{FormRejection, on, reopen, reopen_on},
        routes::{
            roles::{
                fields::{Fields, named},
                list::held,
            },
            security::pages::LockOut,
        },
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "roles/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    /// `/w/{slug}/roles/{role}`
    base: String,
    detail: RoleDetail,
    held: Vec<(&'static str, Vec<Permission>)>,
    fields: Fields,
    details: Details,
    may_edit_scopes: bool,
    may_describe: bool,
    may_duplicate: bool,
    may_delete: bool,
    /// Why the viewer may not change this role, if they have a permission for it.
    why_not: String,
    errors: Errors,
    /// The role was changed in the meantime: the form shows what was typed, not the current state.
    is_stale: bool,
    is_stale_in_scopes: bool,
}

/// The state of the forms on a role's page, if it is not that of the role.
#[derive(Default)]
struct FormState {
    scopes: Option<Scopes>,
    details: Option<Details>,
    errors: Errors,
    is_stale: bool,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    name: String,
    description: String,
    version: String,
}

impl Validate for Details {
    type Valid = RoleDetails;

    fn validate(&self, invalid: &mut Invalid) -> Option<RoleDetails> {
        named(&self.name, &self.description, invalid)
    }
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Scopes {
    permission: Vec<String>,
    scopes: String,
    version: String,
    /// `yes` on the form of the page that warns of a lock-out.
    confirm: String,
}

/// The scopes that a person had chosen when they return from the preview.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PrefilledScopes {
    permission: Vec<String>,
    scopes: String,
    from: String,
}

pub async fn show(cx: Authorized<perm::ReadMembers, (NamedRole, Query<PrefilledScopes>)>) -> HandlerResult {
    let (scope, view, (NamedRole(slug), Query(query))) = cx.into_parts();
    let prefilled = Scopes { permission: query.permission, scopes: query.scopes, ..Scopes::default() };
    let state =
        FormState { scopes: preview::if_from_preview(&query.from, prefilled), ..FormState::default() };
    draw(&view, &scope, StatusCode::OK, &slug, state).await
}

async fn draw<P: Access>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    slug: &str,
    state: FormState,
) -> HandlerResult {
    let detail = roles::get(scope, slug).await?;
    let (chrome, actor, role) = (view.chrome(), scope.actor(), &detail.role);
    let ceiling = actor.holdings.may_assign(&role.holdings).err();
    let not_deletable = detail.not_deletable(actor);
    let may_name = chrome.can.manage_roles && ceiling.is_none();
    let why_not = match &ceiling {
        // What the role holds says so.
        _ if role.is_owner => String::new(),
        Some(ceiling) if chrome.can.manage_roles || chrome.can.update_permissions => ceiling.to_string(),
        _ if role.built_in && chrome.can.manage_roles => roles::BUILT_IN.to_owned(),
        None if chrome.can.manage_roles => {
            not_deletable.as_ref().map(|why| format!("Can't be deleted: {why}")).unwrap_or_default()
        }
        _ => String::new(),
    };
    let named = Details {
        name: role.name.clone(),
        description: role.description.clone(),
        version: role.details_version(),
    };
    // The form has the current version, with what was typed.
    let details = state.details.map_or(named.clone(), |sent| Details { version: named.version, ..sent });
    let fields = match &state.scopes {
        Some(sent) => Fields::as_sent(scope, &sent.permission, &sent.scopes),
        None => Fields::of_role(scope, role),
    };
    let page = Show {
        home: view.at(""),
        base: view.at(&format!("/roles/{slug}")),
        held: held(role),
        fields,
        details,
        may_edit_scopes: chrome.can.update_permissions && ceiling.is_none() && !role.is_owner,
        may_describe: may_name && !role.built_in,
        may_duplicate: may_name && !role.is_owner,
        may_delete: chrome.can.manage_roles && not_deletable.is_none(),
        why_not,
        errors: state.errors,
        is_stale: state.is_stale,
        is_stale_in_scopes: state.is_stale && state.scopes.is_some(),
        chrome,
        detail,
    };
    Ok(view.html_as(status, &page))
}

pub async fn describe(
    cx: Authorized<perm::ManageRoles, (NamedRole, Form<Checked<Details>>)>,
) -> HandlerResult {
    let (scope, view, (NamedRole(slug), Form(Checked { sent: form, valid }))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let named = valid?;
        let saved = scope.write(async |s| roles::describe(s, &slug, &named, &form.version).await).await?;
        let to = view.at(&format!("/roles/{}", saved.slug));
        Ok(view.redirect_with_flash(to, Flash::good(format!("Role “{}” saved.", saved.name))))
    };
    reopen_on(saved.await, on(CHANGED), async |rejected| {
        let is_stale = rejected.is(CHANGED);
        let state = FormState { details: Some(form), errors: rejected.errors, is_stale, scopes: None };
        draw(&view, &duplicate, rejected.status, &slug, state).await
    })
    .await
}

pub async fn set_scopes(cx: Authorized<perm::UpdatePermissions, (NamedRole, Form<Scopes>)>) -> HandlerResult {
    let (scope, view, (NamedRole(slug), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let scopes = ScopeSet::read(&form.permission, &form.scopes)?;
        let requested =
            ScopesChange { scopes, version: form.version.clone(), confirmed: form.confirm == "yes" };
        let saved = scope.write(async |s| roles::set_scopes(s, &slug, &requested).await).await?;
        Ok(view.redirect_with_flash(view.at(&format!("/roles/{slug}")), Flash::good(saved_in_words(&saved))))
    };
    let also = |refused: &Refused| {
        on(CHANGED)(refused)
            || on(LOCKS_YOU_OUT)(refused)
            // What goes over their head was typed: it is said there, and the rest is not lost.
            || matches!(refused, Refused::Ceiling(_)) && may_edit(&duplicate, &slug)
    };
    reopen_on(saved.await, also, async |rejected| redraw(&view, &duplicate, &slug, form, rejected).await)
        .await
}

/// Draws the page in response to a refused change of scopes.
async fn redraw<P: Access>(
    view: &View,
    scope: &ReadScope<P>,
    slug: &str,
    form: Scopes,
    rejected: FormRejection,
) -> HandlerResult {
    if rejected.is(LOCKS_YOU_OUT) {
        return Ok(view.html_as(rejected.status, &lock_out(view, scope, slug, form)));
    }
    let is_stale = rejected.is(CHANGED);
    let errors = if is_stale { Errors::default() } else { rejected.errors_at("scopes") };
    let state = FormState { scopes: Some(form), errors, is_stale, details: None };
    draw(view, scope, rejected.status, slug, state).await
}

/// The preview of a change of the role's scopes.
pub async fn preview_scopes(
    cx: Authorized<perm::UpdatePermissions, (NamedRole, Query<Scopes>)>,
) -> HandlerResult {
    let (scope, view, (NamedRole(slug), Query(form))) = cx.into_parts();
    let previewed = async {
        let scopes = ScopeSet::read(&form.permission, &form.scopes)?;
        let requested = ScopesChange { scopes, version: form.version.clone(), confirmed: false };
        let (role, mut preview) = of_scopes(&scope, &slug, &requested).await?;
        in_words(&mut preview);
        let about = about(&view, &role, form.permission.clone(), form.scopes.clone());
        Ok(preview::draw(&view, about, preview))
    };
    reopen(previewed.await, async |rejected| redraw(&view, &scope, &slug, form, rejected).await).await
}

/// Replaces permissions by their labels, and leaves out what stays the same.
pub(in crate::web) fn in_words(preview: &mut Preview) {
    let label = |scope: &String| Permission::of_scope(scope).map_or(scope.clone(), |p| p.label().to_owned());
    let (before, after) = (preview.before.clone(), preview.after.clone());
    let only = |these: &[String], others: &[String]| {
        these.iter().filter(|scope| !others.contains(scope)).map(label).collect()
    };
    (preview.before, preview.after) = (only(&before, &after), only(&after, &before));
}

/// What a preview of a role's scopes is about.
pub(in crate::web) fn about(view: &View, role: &Role, permissions: Vec<String>, scopes: String) -> About {
    let (list, page) = (view.at("/roles"), view.at(&format!("/roles/{}", role.slug)));
    let action = format!("{page}/scopes");
    let permissions = permissions.into_iter().map(|permission| ("permission", permission));
    let fields = permissions.chain([("scopes", scopes)]).collect();
    let crumbs = vec![(list, "Roles".to_owned()), (page, role.name.clone())];
    About::of_form(format!("Permissions and scopes of {}", role.name), crumbs, action, fields)
}

fn may_edit<P: Access>(scope: &ReadScope<P>, slug: &str) -> bool {
    let role = scope.actor().all_roles.by_slug(slug);
    role.is_some_and(|role| !role.is_owner && may_assign(&scope.actor().holdings, role))
}

fn may_assign(holdings: &Holdings, role: &Role) -> bool {
    holdings.may_assign(&role.holdings).is_ok()
}

fn saved_in_words(saved: &roles::SavedScopes) -> String {
    let scopes = |n: usize| pluralize(i64::try_from(n).unwrap_or(i64::MAX), "scope", "scopes");
    let what = match (saved.added, saved.removed) {
        (0, 0) => return format!("{}: no changes to save.", saved.name),
        (added, 0) => format!("{} added", scopes(added)),
        (0, taken) => format!("{} removed", scopes(taken)),
        (added, taken) => format!("{} added, {} removed", scopes(added), scopes(taken)),
    };
    let people = match saved.people {
        0 => "Nobody has this role yet.".to_owned(),
        people => {
            format!(
                "This takes effect for {} with their next request.",
                pluralize(people, "member", "members")
            )
        }
    };
    format!("Role “{}” saved: {what}. {people}", saved.name)
}

fn lock_out<P: Access>(view: &View, scope: &ReadScope<P>, slug: &str, form: Scopes) -> LockOut {
    let role = scope.actor().all_roles.by_slug(slug);
    let permissions = form.permission.into_iter().map(|permission| ("permission", permission));
    LockOut {
        chrome: view.chrome(),
        base: view.at(&format!("/roles/{slug}")),
        page: role.map(|role| role.name.clone()).unwrap_or_default(),
        label: "Permissions and scopes",
        action: view.at(&format!("/roles/{slug}/scopes")),
        fields: permissions.chain([("scopes", form.scopes), ("version", form.version)]).collect(),
    }
}
