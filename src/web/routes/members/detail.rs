//! The page of one member.

use crate::{
    domain::{
        CHANGED, Refused,
        base::{invariants::LAST_OWNER, role::Role},
        enforce::read::ReadScope,
        nouns::{
            api_keys,
            members::{self, AccountStanding, Detail, Member, RolesChanged, Seen, TeamMembership},
        },
        preview::of_member_roles,
    },
    policy::{self, Permission, perm},
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::{Query, returning},
        path::Target,
        preview::{self, About},
        rejection::{on, reopen, reopen_on},
        role_choices::{Choices, choices},
        routes::members::{ends::Ends, list, row::Row},
        words::pluralize,
    },
};
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "members/show.html")]
pub(super) struct Show {
    chrome: Chrome,
    base: String,
    row: Row,
    /// Options of the form that changes the member's own roles, each with whether it is ticked.
    choices: Choices,
    /// Names of roles that come with a team and are not the member's own, each with the teams' names.
    through_teams: Vec<(String, String)>,
    teams: Vec<TeamMembership>,
    errors: Errors,
    /// The version of the member's own roles and status, which the form carries.
    version: String,
    /// The member's own roles, by name.
    own: Vec<String>,
    /// The roles were changed in the meantime: the form shows what was ticked, not the current state.
    is_stale: bool,
    /// The id for programs: that of the user or key, not of the membership.
    principal: String,
    /// Their id in the customer's own applications; empty if there is none.
    external_id: String,
    /// The viewer is an Owner and may offer the ownership to this member.
    may_offer_ownership: bool,
    account: AccountStanding,
    ends: Ends,
    /// The viewer may change until when the member has access.
    may_end: bool,
}

pub(super) fn draw<P: policy::Access>(
    view: &View,
    scope: &ReadScope<P>,
    detail: Detail,
    typed: Option<&[String]>,
    errors: Errors,
) -> Show {
    let ticked = typed.unwrap_or(&detail.own);
    let through = |role: &Role| {
        let teams =
            detail.teams.iter().filter(|membership| membership.roles.iter().any(|other| other.id == role.id));
        let names: Vec<&str> = teams.map(|membership| membership.name.as_str()).collect();
        (role.name.clone(), names.join(", "))
    };
    let not_own = detail.member.roles.iter().filter(|role| !detail.own.contains(&role.slug));
    let through_teams = not_own.map(through).collect();
    let member = &detail.member;
    let may_offer_ownership = member.kind == "user"
        && !member.is_owner
        && member.is_active
        && !member.is_awaited
        && scope.actor().holdings.is_owner();
    let own = detail.roles.iter().filter(|role| detail.own.contains(&role.slug));
    let principal = member.user_id.or(member.api_key_id).unwrap_or(member.id);
    Show {
        chrome: view.chrome(),
        base: view.at("/members"),
        version: detail.version(),
        own: own.map(|role| role.name.clone()).collect(),
        is_stale: false,
        principal: principal.to_string(),
        external_id: detail.external_id.unwrap_or_default(),
        choices: choices(detail.roles, ticked),
        through_teams,
        teams: detail.teams,
        errors,
        may_offer_ownership: may_offer_ownership && !detail.offer_pending,
        account: detail.account,
        ends: Ends::of(&detail.member, scope.now()),
        may_end: may_end(scope, &detail.member),
        row: Row::new(scope, detail.member),
    }
}

/// Whether the viewer may change until when a member has access: nobody does so for themselves.
fn may_end<P: policy::Access>(scope: &ReadScope<P>, member: &Member) -> bool {
    members::may_act(scope.actor(), member, Permission::UpdateMemberRoles)
        && !member.is_you
        && !member.is_last_owner
}

/// The roles that a person had ticked when they return from the preview.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PrefilledRoles {
    role: Vec<String>,
    from: String,
}

pub async fn show(cx: Authorized<perm::ReadMembers, (Target, Query<PrefilledRoles>)>) -> HandlerResult {
    let (scope, view, (Target(id), Query(query))) = cx.into_parts();
    let detail = members::detail(&scope, id).await?;
    let prefilled = preview::if_from_preview(&query.from, query.role);
    Ok(view.html(&draw(&view, &scope, detail, prefilled.as_deref(), Errors::default())))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    role: Vec<String>,
    version: String,
}

/// The preview of a change of the member's roles.
pub async fn preview_roles(cx: Authorized<perm::UpdateMemberRoles, (Target, Query<Roles>)>) -> HandlerResult {
    let (scope, view, (Target(id), Query(form))) = cx.into_parts();
    let previewed = async {
        let (detail, preview) = of_member_roles(&scope, id, &form.role, &form.version).await?;
        let mut about = about(&view, &detail.member, form.role.clone());
        about.notes.extend(dependent_keys(&scope, &detail.member).await?);
        Ok(preview::draw(&view, about, preview))
    };
    reopen(previewed.await, async |rejected| {
        let detail = members::detail(&scope, id).await?;
        let page = draw(&view, &scope, detail, Some(&form.role), rejected.errors);
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}

/// A note about the keys that the member vouches for, or knows a secret of.
async fn dependent_keys<P: policy::Access>(
    scope: &ReadScope<P>,
    member: &Member,
) -> Result<Option<String>, Refused> {
    let Some(user) = member.user_id else { return Ok(None) };
    let keys = api_keys::dependent_on(scope, user).await?;
    if keys.is_empty() {
        return Ok(None);
    }
    let count = pluralize(i64::try_from(keys.len()).unwrap_or(i64::MAX), "API key", "API keys");
    let names: Vec<String> = keys.into_iter().map(|key| key.key.name).collect();
    let named = match scope.actor().holdings.has(Permission::ReadApiKeys) {
        true => format!(": {}", names.join(", ")),
        false => String::new(),
    };
    Ok(Some(format!(
        "They vouch for or know a secret of {count}, which can then do no more than they can{named}."
    )))
}

/// What a preview of a member's roles is about.
pub(in crate::web) fn about(view: &View, member: &Member, roles: Vec<String>) -> About {
    let (list, page) = (view.at("/members"), view.at(&format!("/members/{}", member.id)));
    let action = format!("{page}/roles");
    let crumbs = vec![(list, "Members".to_owned()), (page, member.name.clone())];
    let fields = roles.into_iter().map(|role| ("role", role)).collect();
    let mut about = About::of_form(format!("Roles of {}", member.name), crumbs, action, fields);
    if !member.is_active {
        let who = if member.api_key_id.is_some() { "it is" } else { "they are" };
        about
            .notes
            .push(format!("{} is suspended. None of this applies until {who} reactivated.", member.name));
    }
    about
}

/// A change of the member's roles, by the form of their page or by that of their row in the list.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewRoles {
    role: Vec<String>,
    version: String,
    /// From the list: the own roles that the row shows, as slugs separated by spaces.
    had: String,
    /// From the list: the query of the page of it to return to, with its question mark.
    list: String,
}

impl NewRoles {
    fn seen(&self) -> Seen<'_> {
        match (self.version.as_str(), self.list()) {
            ("", None) => Seen::Anything,
            ("", Some(_)) => Seen::Roles(&self.had),
            (version, _) => Seen::Version(version),
        }
    }

    fn list(&self) -> Option<&str> {
        Some(self.list.as_str()).filter(|query| !query.is_empty())
    }
}

pub async fn change_roles(
    cx: Authorized<perm::UpdateMemberRoles, (Target, Form<NewRoles>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done =
        scope.write(async |s| members::change_roles_if_unchanged(s, id, &form.role, form.seen()).await).await;
    let done = done.map(|changed| saved(&view, id, changed, form.list()));
    // The list explains what a row can't be: it has no room for the page of a problem.
    let is_explained = |refused: &Refused| {
        let of_row = on(LAST_OWNER)(refused) || matches!(refused, Refused::Ceiling(_));
        on(CHANGED)(refused) || (form.list().is_some() && of_row)
    };
    reopen_on(done, is_explained, async |rejected| {
        if let Some(query) = form.list() {
            return list::redraw(&view, duplicate, query, rejected).await;
        }
        let detail = members::detail(&duplicate, id).await?;
        // After a change by somebody else the page is as it is now, with what was ticked.
        let is_stale = rejected.is(CHANGED);
        let page = Show { is_stale, ..draw(&view, &duplicate, detail, Some(&form.role), rejected.errors) };
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}

/// The redirect after a change, with an Undo: to the page of the member, or to the list that the change was made
/// on.
fn saved(view: &View, id: Uuid, changed: RolesChanged, list: Option<&str>) -> HttpResponse {
    let to = match list {
        Some(query) => returning(&view.at("/members"), query),
        None => view.at(&format!("/members/{id}")),
    };
    if !changed.is_change {
        return view
            .redirect_with_flash(to, Flash::good(format!("{} already has these roles.", changed.name)));
    }
    let (before, after) = (changed.before.join(", "), changed.after.join(", "));
    let effect = effect(changed.gained, changed.lost);
    let text = format!("Roles of {} changed from {before} to {after}. {effect}", changed.name);
    let mut fields: Vec<(String, String)> =
        changed.undo.into_iter().map(|slug| ("role".to_owned(), slug)).collect();
    fields.push(("version".to_owned(), changed.version));
    fields.extend(list.map(|query| ("list".to_owned(), query.to_owned())));
    let action = view.at(&format!("/members/{id}/roles"));
    match changed.lost_an_end {
        true => view.redirect_with_flash(to, Flash::good(text)),
        false => view.redirect_with_flash(to, Flash::good(text).with_undo(action, fields)),
    }
}

/// "2 permissions gained, 1 lost."
fn effect(gained: usize, lost: usize) -> String {
    let permissions =
        |count: usize| pluralize(i64::try_from(count).unwrap_or(0), "permission", "permissions");
    match (gained, lost) {
        (0, 0) => "No permission gained or lost.".to_owned(),
        (gained, 0) => format!("{} gained.", permissions(gained)),
        (0, lost) => format!("{} lost.", permissions(lost)),
        (gained, lost) => format!("{} gained, {lost} lost.", permissions(gained)),
    }
}
