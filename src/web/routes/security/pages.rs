//! The Security page: one dropdown a permission.

use crate::{
    domain::{
        CHANGED, Refused,
        enforce::read::ReadScope,
        nouns::{
            roles::LOCKS_YOU_OUT,
            security::{self, Changed, PermissionChange, Row, Toggle},
        },
        preview::of_permission,
    },
    policy::{Access, Group, Permission, perm},
    web::{
        checks,
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::{Query, address},
        path::NamedPermission,
        preview::{self, About},
        rejection::{FormRejection, on, reopen_on},
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "security/index.html")]
pub(super) struct Index {
    pub chrome: Chrome,
    /// `/w/{slug}/security`
    pub base: String,
    pub groups: Vec<(Group, Vec<Row>)>,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
    pub problem: String,
    /// The permission whose preview the viewer returns from, and the roles that they had ticked.
    pub prefilled: Option<(Permission, Vec<String>)>,
    /// What was searched for, and what is wrong with it.
    pub q: String,
    pub errors: Errors,
}

impl Index {
    fn is_prefilled(&self, row: &Row) -> bool {
        self.prefilled.as_ref().is_some_and(|(permission, _)| *permission == row.permission)
    }

    /// The query of this page, which its forms carry to return to it.
    fn query(&self) -> String {
        format!("?{}", address("", &[("q", &self.q)], &[]).trim_start_matches('?'))
    }

    fn is_ticked(&self, row: &Row, toggle: &Toggle) -> bool {
        match &self.prefilled {
            Some((permission, ticked)) if *permission == row.permission => ticked.contains(&toggle.slug),
            _ => toggle.ticked,
        }
    }
}

/// What ticking or unticking this box would do.
fn would(toggle: &Toggle) -> String {
    let verb = if toggle.ticked { "lose" } else { "gain" };
    match toggle.people {
        0 => format!("Nobody would {verb} access"),
        people => format!("{} would {verb} access", pluralize(people, "person", "people")),
    }
}

/// An id for the page: a scope without its colon.
pub(in crate::web) fn html_id(permission: &Permission) -> String {
    permission.scope().replace(':', "-")
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PrefilledRoles {
    q: String,
    permission: String,
    role: Vec<String>,
    from: String,
}

pub async fn index(cx: Authorized<perm::ReadMembers, Query<PrefilledRoles>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    let prefilled = Permission::of_scope(&query.permission)
        .and_then(|permission| preview::if_from_preview(&query.from, (permission, query.role)));
    let (status, errors) = match checks::search(&query.q) {
        Ok(_) => (StatusCode::OK, Errors::default()),
        Err(invalid) => (StatusCode::UNPROCESSABLE_ENTITY, invalid.into()),
    };
    let page = draw(&view, &scope, query.q, String::new()).await?;
    Ok(view.html_as(status, &Index { prefilled, errors, ..page }))
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadMembers>,
    q: String,
    problem: String,
) -> Result<Index, Refused> {
    let rows = security::matrix(scope).await?;
    // An invalid text narrows nothing.
    let text = checks::search(&q).unwrap_or_default().to_lowercase();
    let is_found = |permission: Permission| {
        let texts = [permission.label(), permission.sentence(), permission.scope()];
        texts.iter().any(|words| words.to_lowercase().contains(&text))
    };
    let of_group = |group: &Group| {
        let own = |row: &&Row| row.permission.group() == *group && is_found(row.permission);
        (*group, rows.iter().filter(own).cloned().collect::<Vec<_>>())
    };
    let groups = Group::ALL.iter().map(of_group).filter(|(_, rows)| !rows.is_empty()).collect();
    Ok(Index {
        chrome: view.chrome(),
        base: view.at("/security"),
        groups,
        problem,
        prefilled: None,
        q,
        errors: Errors::default(),
    })
}

/// What the page was searched for on which a form was sent.
fn searched(query: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
    pairs.find(|(name, _)| name == "q").map(|(_, q)| q.into_owned()).unwrap_or_default()
}

/// The confirmation page before someone takes “Update permissions” from themselves.
#[derive(Template)]
#[template(path = "security/lock_out.html")]
pub(in crate::web) struct LockOut {
    pub chrome: Chrome,
    /// The page that the change was made on, and what it is called.
    pub base: String,
    pub page: String,
    /// What was to be changed.
    pub label: &'static str,
    pub action: String,
    /// The form as it was sent.
    pub fields: Vec<(&'static str, String)>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PermissionForm {
    role: Vec<String>,
    version: String,
    /// `yes` on the form of the page that warns of a lock-out.
    confirm: String,
    /// The query of the page that the form is on, with its question mark.
    list: String,
}

pub async fn set(
    cx: Authorized<perm::UpdatePermissions, (NamedPermission, Form<PermissionForm>)>,
) -> HandlerResult {
    let (scope, view, (NamedPermission(permission), Form(form))) = cx.into_parts();
    let requested = PermissionChange {
        permission,
        roles: form.role,
        version: form.version,
        confirmed: form.confirm == "yes",
    };
    let duplicate = scope.duplicate();
    let done = scope.write(async |s| security::set(s, &requested).await).await;
    let q = searched(&form.list);
    let done = done.map(|changed| saved(&view, &changed, &q));
    let also = |refused: &Refused| on(CHANGED)(refused) || on(LOCKS_YOU_OUT)(refused);
    reopen_on(done, also, async |rejected| {
        if rejected.is(LOCKS_YOU_OUT) {
            return Ok(view.html_as(rejected.status, &lock_out(&view, requested)));
        }
        redraw(&view, duplicate, permission, q, rejected).await
    })
    .await
}

fn lock_out(view: &View, requested: PermissionChange) -> LockOut {
    let roles = requested.roles.into_iter().map(|role| ("role", role));
    LockOut {
        chrome: view.chrome(),
        base: view.at("/security"),
        page: "Security".to_owned(),
        label: requested.permission.label(),
        action: view.at(&format!("/security/{}", requested.permission.scope())),
        fields: roles.chain([("version", requested.version)]).collect(),
    }
}

/// The preview of a change of a permission's roles.
pub async fn preview_set(
    cx: Authorized<perm::UpdatePermissions, (NamedPermission, Query<PermissionForm>)>,
) -> HandlerResult {
    let (scope, view, (NamedPermission(permission), Query(form))) = cx.into_parts();
    let requested =
        PermissionChange { permission, roles: form.role, version: form.version, confirmed: false };
    let preview = of_permission(&scope, &requested).await?;
    let mut about = about(&view, permission, requested.roles);
    about.back = format!("{}#p-{}", about.back, html_id(&permission));
    Ok(preview::draw(&view, about, preview))
}

/// What a preview of a permission is about.
pub(in crate::web) fn about(view: &View, permission: Permission, roles: Vec<String>) -> About {
    let fields = roles.into_iter().map(|role| ("role", role)).collect::<Vec<_>>();
    let security = (view.at("/security"), "Security".to_owned());
    let action = view.at(&format!("/security/{}", permission.scope()));
    let mut about = About::of_form(permission.label().to_owned(), vec![security], action, fields);
    about.back = format!("{}&permission={}", about.back, permission.scope());
    about
}

/// The redirect after a change, with an Undo.
fn saved(view: &View, changed: &Changed, q: &str) -> actix_web::HttpResponse {
    let label = changed.permission.label();
    let query = address("", &[("q", q)], &[]);
    let to = view.at(&format!("/security{query}"));
    if !changed.is_change {
        return view.redirect_with_flash(to, Flash::good(format!("{label}: no changes to save.")));
    }
    let mut fields: Vec<(String, String)> =
        changed.before.iter().map(|slug| ("role".to_owned(), slug.clone())).collect();
    fields.push(("version".into(), changed.version.clone()));
    if !query.is_empty() {
        fields.push(("list".into(), query));
    }
    let flash = Flash::good(effect(label, changed.gained, changed.lost));
    if changed.locked_out {
        return view.redirect_with_flash(to, flash);
    }
    let action = view.at(&format!("/security/{}", changed.permission.scope()));
    view.redirect_with_flash(to, flash.with_undo(action, fields))
}

/// "Saved. 1 member can no longer invite members."
fn effect(label: &str, gained: i64, lost: i64) -> String {
    let mut letters = label.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let verb: String = first.into_iter().chain(letters).collect();
    let members = |count| pluralize(count, "member", "members");
    match (gained, lost) {
        (0, 0) => "Saved. Nobody's access changed.".to_owned(),
        (gained, 0) => format!("Saved. {} can now {verb}.", members(gained)),
        (0, lost) => format!("Saved. {} can no longer {verb}.", members(lost)),
        (gained, lost) => {
            format!("Saved. {} can now {verb}, {} no longer can.", members(gained), members(lost))
        }
    }
}

/// Draws the page as it is now, with the reason why the change was refused. The boxes have no place for a
/// complaint: they can't send anything invalid.
async fn redraw<P: Access>(
    view: &View,
    scope: ReadScope<P>,
    permission: Permission,
    q: String,
    rejected: FormRejection,
) -> HandlerResult {
    let sentence = match rejected.problem.as_str() {
        "" => rejected.errors.of("form"),
        problem => problem,
    };
    match scope.narrow::<perm::ReadMembers>() {
        Some(scope) if !sentence.is_empty() => {
            let problem = format!("{}: {sentence}", permission.label());
            Ok(view.html_as(rejected.status, &draw(view, &scope, q, problem).await?))
        }
        _ => Err(rejected.refused),
    }
}
