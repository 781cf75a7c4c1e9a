//! The invitations of a workspace.

use crate::{
    domain::{
        Invalid, Message, Refused,
        base::{money::money, paging::Position, role::Assignable},
        enforce::read::ReadScope,
        nouns::{
            billing::seats::{self, NO_SEAT_CODE, Seats},
            invitations::{self, Batch, Filter, Outcome, Previewed, Sent},
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
        rejection::{on_code, reopen, reopen_on},
        role_choices::{Choices, choices, has_default},
        routes::invitations::teams::{self, TeamChoice, TeamChoices, team_choices},
        selection::{self, ResultRow, failures_first},
        until,
        when::{When, day},
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
    /// Whoever chooses no role invites a Viewer.
    has_default: bool,
    /// Teams to choose from, each with whether it is ticked; empty for a viewer who may not edit teams.
    teams: TeamChoices,
    /// What somebody more takes and costs; empty if there is nothing to say.
    seats: String,
    errors: Errors,
    /// The last day with access, as it was typed.
    until: String,
}

impl InviteForm {
    fn new(
        roles: Vec<Assignable>,
        teams: Vec<TeamChoice>,
        seats: &Seats,
        typed: Option<&Invite>,
        errors: Errors,
    ) -> Self {
        let ticked = typed.map(|typed| typed.role.clone()).unwrap_or_default();
        let choices = choices(roles, &ticked);
        let chosen = typed.map(|typed| typed.team.as_slice()).unwrap_or_default();
        Self {
            teams: teams::ticked(teams, chosen),
            emails: typed.map(|typed| typed.emails.clone()).unwrap_or_default(),
            message: typed.map(|typed| typed.message.clone()).unwrap_or_default(),
            has_default: has_default(&choices),
            choices,
            seats: seats_in_words(seats),
            errors,
            until: typed.map(|typed| typed.until.clone()).unwrap_or_default(),
        }
    }
}

/// What inviting somebody takes, and what it costs beyond the seats that are free.
fn seats_in_words(seats: &Seats) -> String {
    let Some(cap) = seats.cap() else { return String::new() };
    let used = format!("{} of {} taken", seats.used(), pluralize(cap, "seat", "seats"));
    let (free, room) = (seats.free().unwrap_or(0), seats.room().unwrap_or(0));
    // There may be enough now, and too few later.
    let is_enough_now = seats.limit.is_none_or(|limit| seats.used() < limit);
    let (price, from) = match seats.later.as_ref().filter(|_| is_enough_now) {
        Some(later) => (later.price, day(later.starts_at)),
        None => (seats.price, "today".to_owned()),
    };
    let price = format!("{} a month from {from}", money(price, &seats.currency));
    match (free, room) {
        (_, 0) => format!("{used}. Nobody can be invited before there is a free seat."),
        (0, room) => {
            let room = pluralize(room, "seat", "seats");
            format!("{used}. Each person adds a seat, for {price}. Up to {room} can be added.")
        }
        (free, room) if room > free => {
            let free = pluralize(free, "person takes", "people take");
            format!("{used}. {free} a free seat. Each further one adds a seat, for {price}.")
        }
        (free, _) => format!("{used}. {} can be invited.", pluralize(free, "more person", "more people")),
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
            other => {
                let (tone, word) = verdict(&other);
                Self::new(sent.email, tone, word)
            }
        }
    }
}

/// What becomes of an address, or would: the tone and the words.
fn verdict(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Ready => ("good", "Will be invited".to_owned()),
        Outcome::Sent { .. } | Outcome::NotMailed { .. } => ("good", "Invited".to_owned()),
        Outcome::AlreadyMember => ("off", "Already a member".to_owned()),
        Outcome::AlreadyInvited => ("off", "Already invited".to_owned()),
        Outcome::NotPending => ("off", "No longer pending".to_owned()),
        Outcome::NotValid => ("bad", "Not an e-mail address".to_owned()),
        Outcome::ListedTwice => ("off", "Listed more than once".to_owned()),
        Outcome::UnknownRole(word) => ("bad", format!("This workspace has no role “{word}”")),
        Outcome::UnknownTeam(word) => {
            ("bad", format!("This workspace has no team “{word}” that you can see"))
        }
        Outcome::NotAllowed(why) => ("bad", why.clone()),
    }
}

pub async fn index(cx: Authorized<perm::ReadInvitations, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| invitations::list(&scope, filter, at).await;
    let (listing, list) = list.load(load).await?;
    let results = selection::take_results(&view, &scope, &list.query.notice).await?;
    let base = view.at("/invitations");
    let teams = team_choices(&scope).await?;
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
        form: InviteForm::new(listing.roles, teams, &seats::get(&scope).await?, None, Errors::default()),
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
    /// Why nobody was invited, if that is about all of them; empty otherwise.
    problem: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Invite {
    /// Addresses, or a table with a line for each person.
    emails: String,
    role: Vec<String>,
    team: Vec<Uuid>,
    message: String,
    /// The last day with access; empty without an end.
    until: String,
    /// By how many minutes UTC is ahead of the reader.
    zone: String,
}

impl Validate for Invite {
    type Valid = Batch;

    fn validate(&self, invalid: &mut Invalid) -> Option<Batch> {
        let message = invalid.check("message", Message::parse(&self.message));
        let access_until = invalid.check_all(until::parse(&self.until, &self.zone));
        Some(Batch {
            emails: self.emails.clone(),
            roles: self.role.clone(),
            teams: self.team.clone(),
            message: message?,
            access_until: access_until?,
        })
    }
}

pub async fn send(cx: Authorized<perm::InviteMembers, Form<Checked<Invite>>>) -> HandlerResult {
    let (scope, view, Form(Checked { sent: form, valid })) = cx.into_parts();
    let duplicate = scope.duplicate();
    let sent = async {
        let sent = invitations::send(scope, valid?).await?;
        let results = sent.each;
        let invited = results.iter().filter(|sent| sent.outcome.is_invited()).count();
        let mut words = match results.len() - invited {
            0 => {
                let invited = i64::try_from(invited).unwrap_or(0);
                pluralize(invited, "invitation sent.", "invitations sent.")
            }
            others => format!("{invited} invited, {others} not."),
        };
        if let Some(added) = sent.added {
            let seats = pluralize(added.seats, "seat", "seats");
            let monthly = money(added.monthly, &added.currency);
            let from = added.later.map_or_else(|| "today".to_owned(), day);
            words.push_str(&format!(" They add {seats}: {monthly} a month from {from}."));
        }
        let flash =
            if invited > 0 { Flash::good(words) } else { Flash::warn("No new invitations were sent.") };
        let shown = failures_first(results.into_iter().map(ResultRow::from).collect());
        selection::store_results(&view, &duplicate, "/invitations", shown, flash).await
    };
    reopen_on(sent.await, on_code(NO_SEAT_CODE), async |rejected| {
        let page = RefusedPage {
            chrome: view.chrome(),
            base: view.at("/invitations"),
            form: form_again(&duplicate, &form, rejected.errors).await?,
            problem: rejected.problem,
        };
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}

async fn form_again(
    scope: &ReadScope<perm::InviteMembers>,
    typed: &Invite,
    errors: Errors,
) -> Result<InviteForm, Refused> {
    let (teams, seats) = (team_choices(scope).await?, seats::get(scope).await?);
    Ok(InviteForm::new(roles::assignable(scope), teams, &seats, Some(typed), errors))
}

#[derive(Template)]
#[template(path = "invitations/preview.html")]
struct PreviewPage {
    chrome: Chrome,
    base: String,
    rows: Vec<PreviewRow>,
    /// How many would be invited, and how many not.
    ready: usize,
    others: usize,
    form: InviteForm,
    /// Why nobody would be invited, if that is about all of them; empty otherwise.
    problem: String,
}

struct PreviewRow {
    email: String,
    tone: &'static str,
    word: String,
    roles: Vec<String>,
    teams: Vec<String>,
}

impl From<Previewed> for PreviewRow {
    fn from(previewed: Previewed) -> Self {
        let (tone, word) = verdict(&previewed.outcome);
        let Previewed { email, roles, teams, .. } = previewed;
        Self { email, tone, word, roles, teams }
    }
}

/// That there are not seats for so many, which is said of all of them when they are sent; empty otherwise.
fn too_few_seats(seats: &Seats, ready: usize) -> String {
    match seats.room() {
        Some(room) if i64::try_from(ready).unwrap_or(i64::MAX) > room => {
            let people = pluralize(room, "more person", "more people");
            format!("There are too few seats for this list: {people} can be invited.")
        }
        _ => String::new(),
    }
}

/// What would become of each person of the list. Nothing is sent.
pub async fn preview(cx: Authorized<perm::InviteMembers, Form<Checked<Invite>>>) -> HandlerResult {
    let (scope, view, Form(Checked { sent: form, valid })) = cx.into_parts();
    let previewed = async {
        let previewed = invitations::preview(&scope, &valid?).await?;
        let ready = previewed.iter().filter(|one| one.outcome == Outcome::Ready).count();
        let mut rows: Vec<PreviewRow> = previewed.into_iter().map(PreviewRow::from).collect();
        rows.sort_by_key(|row| row.tone == "good");
        let page = PreviewPage {
            chrome: view.chrome(),
            base: view.at("/invitations"),
            ready,
            others: rows.len() - ready,
            rows,
            form: form_again(&scope, &form, Errors::default()).await?,
            problem: too_few_seats(&seats::get(&scope).await?, ready),
        };
        Ok(view.html(&page))
    };
    reopen(previewed.await, async |rejected| {
        let page = RefusedPage {
            chrome: view.chrome(),
            base: view.at("/invitations"),
            form: form_again(&scope, &form, rejected.errors).await?,
            problem: rejected.problem,
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
