//! The invitations of a workspace.

use crate::{
    domain::{
        Invalid, Message, Refused,
        base::{paging::Position, role::Assignable},
        nouns::{
            invitations::{self, Batch, Filter, Outcome, Sent},
            roles,
        },
    },
    policy::{Permission, perm},
    web::{
        checks::{self, Checked, Validate},
        chrome::{Chrome, Flash},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, one_of},
        path::Target,
        rejection::reopen,
        role_choices::{Choices, choices, viewer},
        selection::{self, ResultRow},
        when::When,
        words::pluralize,
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "invitations/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/invitations`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    form: InviteForm,
    /// The results of the invitations that were just sent; empty if none were.
    results: Vec<ResultRow>,
    /// At least one row of this page can be ticked.
    can_select: bool,
    mail_hint: Option<String>,
}

struct Row {
    invitation: invitations::Invitation,
    sent: When,
    pub(in crate::web::routes) expires: When,
    ended: Option<When>,
    /// Why the row can't be ticked; empty where it can.
    not_selectable: &'static str,
}

/// The invitation form: what was typed, and the roles to offer.
struct InviteForm {
    emails: String,
    message: String,
    choices: Choices,
    errors: Errors,
}

impl InviteForm {
    fn new(roles: Vec<Assignable>, typed: Option<&Invite>, errors: Errors) -> Self {
        let ticked = typed.map_or_else(viewer, |typed| typed.role.clone());
        Self {
            emails: typed.map(|typed| typed.emails.clone()).unwrap_or_default(),
            message: typed.map(|typed| typed.message.clone()).unwrap_or_default(),
            choices: choices(roles, &ticked),
            errors,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    status: String,
    /// The id of a message that is shown once.
    notice: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        let text = checks::search(&self.q)?;
        one_of("status", &self.status, &Filter::STATES)?;
        Ok(Filter { text, status: self.status.clone() })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("q", &self.q), ("status", &self.status)]
    }
}

impl From<Sent> for ResultRow {
    fn from(sent: Sent) -> Self {
        match sent.outcome {
            Outcome::Sent { link } => Self { link, ..Self::new(sent.email, "good", "Invited") },
            Outcome::NotMailed { link } => Self {
                link,
                ..Self::new(sent.email, "bad", "Invited, not e-mailed: too many e-mails this hour")
            },
            Outcome::AlreadyMember => Self::new(sent.email, "off", "Already a member"),
            Outcome::AlreadyInvited => Self::new(sent.email, "off", "Already invited"),
            Outcome::NotValid => Self::new(sent.email, "bad", "Not an e-mail address"),
            Outcome::NotPending => Self::new(sent.email, "off", "No longer pending"),
        }
    }
}

pub async fn index(cx: Authorized<perm::ReadInvitations, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| invitations::list(&scope, filter, at).await;
    let (listing, list) = list.load(load).await?;
    let results = selection::take_results(&view, &scope, &list.query.notice).await?;
    let base = view.at("/invitations");
    let (now, can) = (scope.now(), &scope.actor().holdings);
    let neighbours = list.neighbours(&listing.page, &base);
    let rows: Vec<Row> = listing
        .page
        .rows
        .into_iter()
        .map(|invitation| Row {
            sent: When::new(invitation.sent_at, now),
            expires: When::new(invitation.expires_at, now),
            ended: invitation.ended_at.map(|at| When::new(at, now)),
            not_selectable: match () {
                () if !invitation.is_open => "This invitation is no longer pending.",
                () if invitation.may_resend || can.has(Permission::CancelInvitations) => "",
                () => "This invitation grants more access than you have.",
            },
            invitation,
        })
        .collect();
    let page = Index {
        chrome: view.chrome(),
        neighbours,
        can_select: rows.iter().any(|row| row.not_selectable.is_empty()),
        rows,
        form: InviteForm::new(listing.roles, None, Errors::default()),
        results,
        mail_hint: view.app.settings.mail_hint.clone(),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}

#[derive(Template)]
#[template(path = "invitations/refused.html")]
struct RefusedPage {
    chrome: Chrome,
    base: String,
    form: InviteForm,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Invite {
    emails: String,
    role: Vec<String>,
    message: String,
}

impl Validate for Invite {
    type Valid = Batch;

    fn validate(&self, invalid: &mut Invalid) -> Option<Batch> {
        let message = invalid.check("message", Message::parse(&self.message))?;
        Some(Batch { emails: self.emails.clone(), roles: self.role.clone(), message })
    }
}

pub async fn send(cx: Authorized<perm::InviteMembers, Form<Checked<Invite>>>) -> HandlerResult {
    let (scope, view, Form(Checked { sent: form, valid })) = cx.into_parts();
    let duplicate = scope.duplicate();
    let sent = async {
        let results = invitations::send(scope, valid?).await?;
        let count = results.iter().filter(|sent| sent.outcome.is_invited()).count();
        let words = pluralize(i64::try_from(count).unwrap_or(0), "invitation sent.", "invitations sent.");
        let flash = if count > 0 { Flash::good(words) } else { Flash::warn("No new invitations were sent.") };
        let shown = results.into_iter().map(ResultRow::from).collect();
        selection::store_results(&view, &duplicate, "/invitations", shown, flash).await
    };
    reopen(sent.await, async |rejected| {
        let page = RefusedPage {
            chrome: view.chrome(),
            base: view.at("/invitations"),
            form: InviteForm::new(roles::assignable(&duplicate), Some(&form), rejected.errors),
        };
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}

pub async fn resend(cx: Authorized<perm::InviteMembers, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let sent = invitations::resend(scope, id).await?;
    let flash = match &sent.outcome {
        Outcome::NotMailed { .. } => Flash::warn(format!(
            "New link for {}, but no e-mail: many were sent to this address within the hour. The old link no longer works.",
            sent.email
        )),
        _ => Flash::good(format!("New link sent to {}. The old link no longer works.", sent.email)),
    };
    selection::store_results(&view, &duplicate, "/invitations", vec![sent.into()], flash).await
}

#[derive(Template)]
#[template(path = "invitations/cancellation.html")]
struct Cancellation {
    chrome: Chrome,
    base: String,
    id: Uuid,
    email: String,
}

pub async fn cancellation(cx: Authorized<perm::CancelInvitations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let email = invitations::address(&scope, id).await?;
    Ok(view.html(&Cancellation { chrome: view.chrome(), base: view.at("/invitations"), id, email }))
}

pub async fn cancel(cx: Authorized<perm::CancelInvitations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let email = scope.write(async |s| invitations::cancel(s, id).await).await?;
    let flash = Flash::good(format!("Invitation to {email} cancelled. Its link no longer works."));
    Ok(view.redirect_with_flash(view.at("/invitations"), flash))
}
