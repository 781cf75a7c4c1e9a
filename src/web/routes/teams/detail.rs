//! The page of one team. People are added and removed in [`people`](super::people).

use crate::{
    clock::Timestamp,
    domain::{
        CHANGED, Description, Invalid, Name, Refused,
        base::{paging::Position, principal::Actor},
        enforce::read::ReadScope,
        nouns::teams::{self, Person, RolesChanged, Team, TeamDetail, TeamRolesChange},
        preview::of_team_roles,
    },
    policy::{Access, Permission, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View, hue, initials},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, Query},
        path::Target,
        preview::{self, About},
        rejection::{FormRejection, on, reopen, reopen_on},
        role_choices::{Choices, choices},
        when::When,
        words::pluralize,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    name: String,
    description: String,
}

impl Validate for Details {
    type Valid = (Name, Description);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse(&self.name));
        let description = invalid.check("description", Description::parse(&self.description));
        Some((name?, description?))
    }
}

#[derive(Template)]
#[template(path = "teams/new.html")]
struct New<'a> {
    chrome: Chrome,
    base: String,
    form: &'a Details,
    errors: Errors,
}

pub async fn new(cx: Authorized<perm::CreateTeams>) -> HandlerResult {
    let (_, view, ()) = cx.into_parts();
    Ok(blank(&view, StatusCode::OK, &Details::default(), Errors::default()))
}

fn blank(view: &View, status: StatusCode, form: &Details, errors: Errors) -> HttpResponse {
    let page = New { chrome: view.chrome(), base: view.at("/teams"), form, errors };
    view.html_as(status, &page)
}

pub async fn create(cx: Authorized<perm::CreateTeams, Form<Checked<Details>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let created = async {
        let (name, description) = form.valid?;
        let id = scope.write(async |s| teams::create(s, &name, &description).await).await?;
        let flash = Flash::good("Team created. Now add people and assign roles.");
        Ok(view.redirect_with_flash(view.at(&format!("/teams/{id}")), flash))
    };
    reopen(created.await, async |rejected| Ok(blank(&view, rejected.status, &form.sent, rejected.errors)))
        .await
}

#[derive(Template)]
#[template(path = "teams/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}/teams`
    base: String,
    team: Team,
    created: When,
    may_edit: bool,
    form: Details,
    rows: Vec<Row>,
    /// "12 people"
    total: String,
    neighbours: Neighbours,
    version: String,
    /// The roles that it could have, each with whether it is ticked.
    choices: Choices,
    may_change_roles: bool,
    may_delete: bool,
    /// Why not, if the viewer has a permission for either; empty otherwise.
    why_not: String,
    errors: Errors,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
    problem: String,
}

/// A person in the team.
struct Row {
    person: Person,
    initials: String,
    hue: u8,
    joined: When,
    may_remove: bool,
}

/// The state of the forms on a team's page, if it is not that of the team.
#[derive(Default)]
struct FormState {
    details: Option<Details>,
    /// Slugs that were ticked.
    ticked: Option<Vec<String>>,
    errors: Errors,
    problem: String,
}

fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadTeams>,
    detail: TeamDetail,
    list: &ListState<PrefilledRoles>,
    state: FormState,
) -> Show {
    let (actor, now): (&Actor, Timestamp) = (scope.actor(), scope.now());
    let team = detail.team;
    let (base, may_edit) = (view.at("/teams"), team.may_be_edited_by(actor));
    let row = |person: Person| Row {
        initials: initials(&person.name),
        hue: hue(person.user_id.unwrap_or(person.id)),
        joined: When::new(person.joined_at, now),
        may_remove: may_edit && person.refused.is_none(),
        person,
    };
    let may = |permission| actor.holdings.has(permission);
    let carried: Vec<String> = team.roles.iter().map(|role| role.slug.clone()).collect();
    let ticked = state.ticked.unwrap_or(carried);
    let neighbours = list.neighbours(&detail.page, &format!("{base}/{}", team.id));
    Show {
        chrome: view.chrome(),
        created: When::new(team.created_at, now),
        may_edit,
        form: state
            .details
            .unwrap_or_else(|| Details { name: team.name.clone(), description: team.description.clone() }),
        rows: detail.page.rows.into_iter().map(row).collect(),
        total: pluralize(team.people, "person", "people"),
        neighbours,
        version: detail.version,
        choices: choices(detail.roles, &ticked),
        may_change_roles: may(Permission::UpdateTeams) && detail.refused.is_none(),
        // Deleting a team without roles changes nobody's access.
        may_delete: may(Permission::DeleteTeams) && (detail.refused.is_none() || team.roles.is_empty()),
        why_not: detail.refused.map(|ceiling| ceiling.to_string()).unwrap_or_default(),
        errors: state.errors,
        problem: state.problem,
        base,
        team,
    }
}

/// The roles that a person had ticked when they return from the preview. All people are listed.
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PrefilledRoles {
    role: Vec<String>,
    from: String,
}

impl Filters for PrefilledRoles {
    type Filter = ();

    fn read(&self) -> Result<(), Refused> {
        Ok(())
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

pub async fn show(cx: Authorized<perm::ReadTeams, (Target, List<PrefilledRoles>)>) -> HandlerResult {
    let (scope, view, (Target(id), list)) = cx.into_parts();
    let (detail, list) = list.load(async |(), at| teams::get(&scope, id, at).await).await?;
    let ticked = preview::if_from_preview(&list.query.from, list.query.role.clone());
    let state = FormState { errors: list.errors.clone(), ticked, ..FormState::default() };
    Ok(view.html_as(list.status(), &draw(&view, &scope, detail, &list, state)))
}

/// Draws the page of a team in response to a refused change. Someone who may not see teams gets the refusal
/// itself.
async fn redraw<P: Access>(
    view: &View,
    scope: ReadScope<P>,
    id: Uuid,
    rejected: FormRejection,
    state: FormState,
) -> HandlerResult {
    let FormRejection { status, errors, problem, refused, .. } = rejected;
    let Some(scope) = scope.narrow::<perm::ReadTeams>() else { return Err(refused) };
    let detail = teams::get(&scope, id, &Position::FIRST).await?;
    let state = FormState { errors, problem, ..state };
    Ok(view.html_as(status, &draw(view, &scope, detail, &ListState::default(), state)))
}

pub async fn update(cx: Authorized<perm::Membership, (Target, Form<Checked<Details>>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let saved = async {
        let (name, description) = form.valid?;
        let changed = scope.write(async |s| teams::update(s, id, &name, &description).await).await?;
        let text = match changed.is_change {
            true => format!("Team “{}” saved.", changed.name),
            false => "No changes to save.".to_owned(),
        };
        Ok(view.redirect_with_flash(view.at(&format!("/teams/{id}")), Flash::good(text)))
    };
    reopen(saved.await, async |rejected| {
        let state = FormState { details: Some(form.sent), ..FormState::default() };
        redraw(&view, before, id, rejected, state).await
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    role: Vec<String>,
    version: String,
}

pub async fn set_roles(cx: Authorized<perm::UpdateTeams, (Target, Form<Roles>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let requested = TeamRolesChange { roles: form.role, version: form.version };
    let done = scope.write(async |s| teams::set_roles(s, id, &requested).await).await;
    let done = done.map(|changed| saved(&view, id, changed));
    reopen_on(done, on(CHANGED), async |rejected| {
        // After a change by somebody else the form holds what is there now.
        let ticked = (!rejected.is(CHANGED)).then_some(requested.roles);
        redraw(&view, before, id, rejected, FormState { ticked, ..FormState::default() }).await
    })
    .await
}

/// The preview of a change of the team's roles.
pub async fn preview_roles(cx: Authorized<perm::UpdateTeams, (Target, Query<Roles>)>) -> HandlerResult {
    let (scope, view, (Target(id), Query(form))) = cx.into_parts();
    let requested = TeamRolesChange { roles: form.role, version: form.version };
    let previewed = of_team_roles(&scope, id, &requested).await.map(|(team, preview)| {
        let mut about = about(&view, &team.name, id, requested.roles.clone());
        if team.people == 0 {
            about.nobody = "nobody is in this team yet";
        }
        preview::draw(&view, about, preview)
    });
    reopen(previewed, async |rejected| {
        let state = FormState { ticked: Some(requested.roles), ..FormState::default() };
        redraw(&view, scope, id, rejected, state).await
    })
    .await
}

/// What a preview of a team's roles is about.
pub(in crate::web) fn about(view: &View, name: &str, id: Uuid, roles: Vec<String>) -> About {
    let (list, page) = (view.at("/teams"), view.at(&format!("/teams/{id}")));
    let action = format!("{page}/roles");
    let fields = roles.into_iter().map(|role| ("role", role)).collect();
    let crumbs = vec![(list, "Teams".to_owned()), (page, name.to_owned())];
    About::of_form(format!("Roles of the team {name}"), crumbs, action, fields)
}

/// The redirect after a change, with an Undo.
fn saved(view: &View, id: Uuid, changed: RolesChanged) -> HttpResponse {
    let to = view.at(&format!("/teams/{id}"));
    if !changed.is_change {
        return view
            .redirect_with_flash(to, Flash::good(format!("{} already has these roles.", changed.name)));
    }
    let people = pluralize(changed.people, "person", "people");
    let text = match changed.after.as_slice() {
        [] => format!("Team “{}” now has no roles. It has {people}.", changed.name),
        roles => {
            format!("Team “{}” now has these roles: {}. It has {people}.", changed.name, roles.join(", "))
        }
    };
    let mut fields: Vec<(String, String)> =
        changed.undo.into_iter().map(|slug| ("role".to_owned(), slug)).collect();
    fields.push(("version".into(), changed.version));
    view.redirect_with_flash(&to, Flash::good(text).with_undo(format!("{to}/roles"), fields))
}

#[derive(Template)]
#[template(path = "teams/deletion.html")]
struct Deletion {
    chrome: Chrome,
    base: String,
    team: Team,
}

pub async fn deletion(cx: Authorized<perm::DeleteTeams, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let team = teams::check_deletion(&scope, id).await?;
    Ok(view.html(&Deletion { chrome: view.chrome(), base: view.at("/teams"), team }))
}

pub async fn delete(cx: Authorized<perm::DeleteTeams, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let deleted = scope.write(async |s| teams::delete(s, id).await).await?;
    let people = pluralize(deleted.people, "person", "people");
    let flash = Flash::good(format!("Team “{}” deleted. It had {people}.", deleted.name));
    // Someone who may delete a team may not be allowed to see the others.
    let to = if view.chrome().can.read_teams { "/teams" } else { "" };
    Ok(view.redirect_with_flash(view.at(to), flash))
}
