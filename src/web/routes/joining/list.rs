//! The links of a workspace, and its domains.

use crate::{
    domain::{
        Refused,
        base::{
            paging::{Page, Position},
            role::Assignable,
        },
        enforce::read::ReadScope,
        nouns::joining::{
            self, JoinDomain, JoinLink, domains,
            links::{self, MAX_DAYS, MAX_USES},
        },
    },
    policy::{Permission, perm},
    web::{
        chrome::{Chrome, View},
        errors::Errors,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours},
        role_choices::{Choices, choices, has_default},
        routes::{
            invitations::teams::{TeamChoices, team_choices, ticked},
            joining::forms::{DomainForm, LinkForm},
        },
        selection::{ResultRow, take_results},
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "joining/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/joining`
    base: String,
    rows: Vec<LinkRow>,
    is_first: bool,
    neighbours: Neighbours,
    /// A link that was just made, which is shown only once.
    created: Vec<ResultRow>,
    form: LinkForm,
    choices: Choices,
    /// Whoever chooses no role makes a link for Viewers.
    has_default: bool,
    teams: TeamChoices,
    errors: Errors,
    domains: Vec<DomainRow>,
    domain_form: DomainForm,
    domain_roles: Vec<Assignable>,
    domain_errors: Errors,
    /// There is a role that they can invite with.
    has_role: bool,
    may_add_domain: bool,
    max_uses: i64,
    max_days: i64,
}

struct LinkRow {
    link: JoinLink,
    created: When,
    expires: When,
}

struct DomainRow {
    domain: JoinDomain,
    checked: Option<When>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// The id of a message that is shown once.
    notice: String,
}

impl Filters for ListQuery {
    type Filter = ();

    fn read(&self) -> Result<(), Refused> {
        Ok(())
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// The state of the forms on the page, if one was refused.
#[derive(Default)]
pub(super) struct FormState {
    pub(super) link: Option<LinkForm>,
    pub(super) errors: Errors,
    pub(super) domain: DomainForm,
    pub(super) domain_errors: Errors,
}

pub async fn index(cx: Authorized<perm::ReadInvitations, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |(): &(), at: &Position| links::list(&scope, at).await;
    let (page, list) = list.load(load).await?;
    let created = take_results(&view, &scope, &list.query.notice).await?;
    let status = list.status();
    let index = fill(&view, &scope, page, &list, created, FormState::default()).await?;
    Ok(view.html_as(status, &index))
}

/// Draws the page in response to a form that was refused.
pub(super) async fn redraw(
    view: &View,
    scope: &ReadScope<perm::ReadInvitations>,
    status: StatusCode,
    state: FormState,
) -> HandlerResult {
    let page = links::list(scope, &Position::FIRST).await?;
    let list = ListState { is_first: true, ..ListState::default() };
    Ok(view.html_as(status, &fill(view, scope, page, &list, Vec::new(), state).await?))
}

async fn fill(
    view: &View,
    scope: &ReadScope<perm::ReadInvitations>,
    page: Page<JoinLink>,
    list: &ListState<ListQuery>,
    created: Vec<ResultRow>,
    state: FormState,
) -> Result<Index, Refused> {
    let (base, now, holdings) = (view.at("/joining"), scope.now(), &scope.actor().holdings);
    let may_add_domain =
        holdings.has(Permission::UpdateOrganization) && holdings.has(Permission::InviteMembers);
    let domain_roles = joining::assignable(scope);
    let neighbours = list.neighbours(&page, &base);
    let link_row = |link: JoinLink| LinkRow {
        created: When::new(link.created_at, now),
        expires: When::new(link.expires_at, now),
        link,
    };
    let domain_row =
        |domain: JoinDomain| DomainRow { checked: domain.checked_at.map(|at| When::new(at, now)), domain };
    let form = state.link.unwrap_or_else(LinkForm::empty);
    let choices = choices(joining::assignable(scope), &form.role);
    Ok(Index {
        chrome: view.chrome(),
        base,
        rows: page.rows.into_iter().map(link_row).collect(),
        is_first: list.is_first,
        neighbours,
        created,
        has_default: has_default(&choices),
        choices,
        teams: ticked(team_choices(scope).await?, &form.team),
        form,
        errors: state.errors,
        domains: domains::list(scope).await?.into_iter().map(domain_row).collect(),
        domain_form: state.domain,
        has_role: domain_roles.iter().any(|role| role.refused.is_none()),
        domain_roles,
        domain_errors: state.domain_errors,
        may_add_domain,
        max_uses: MAX_USES,
        max_days: MAX_DAYS,
    })
}
