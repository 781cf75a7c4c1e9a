//! The page of a destination's events: how they are doing, their settings, and the log.

use crate::{
    clock::DAY,
    domain::{
        Refused,
        base::{event_groups::GROUPS, paging::Page, words::pluralize},
        enforce::read::ReadScope,
        nouns::deliveries::{
            STATUSES,
            endpoint::{self, Endpoint, MAX_COUNTED, StopReason},
            list::{self, Delivery, Filter},
        },
    },
    policy::{Access, perm},
    web::{
        checks::date,
        chrome::{Chrome, View},
        errors::Errors,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, one_of},
        path::Target,
        rejection::FormRejection,
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "deliveries/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/destinations/{id}`
    destination: String,
    /// `/w/{slug}/destinations/{id}/events`
    base: String,
    /// The host as people read it.
    displayed: String,
    endpoint: Endpoint,
    /// What the fields of the settings show.
    path: String,
    groups: Vec<GroupChoice>,
    version: String,
    status: StatusLine,
    moments: Moments,
    /// How many events wait and are held, in words; empty for none.
    waiting: String,
    held: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    errors: Errors,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
    problem: String,
}

struct GroupChoice {
    word: &'static str,
    label: &'static str,
    sentence: &'static str,
    is_ticked: bool,
}

/// The state of events, in a word.
struct StatusLine {
    tone: &'static str,
    word: &'static str,
}

struct Moments {
    secret_created: Option<When>,
    old_secret_ends: Option<When>,
    stopped: Option<When>,
    failing_since: Option<When>,
    last_success: Option<When>,
    next_probe: Option<When>,
    /// Until when the destination asked to wait.
    not_before: Option<When>,
}

/// A message in the log.
pub(super) struct Row {
    pub(super) delivery: Delivery,
    pub(super) tone: &'static str,
    pub(super) word: &'static str,
    pub(super) queued: When,
    pub(super) due: Option<When>,
    pub(super) expires: When,
    /// "3 attempts"
    pub(super) attempts: String,
}

impl Row {
    pub(super) fn new(delivery: Delivery, view: &View) -> Self {
        let when = |at| When::new(at, view.now());
        let (tone, word) = match delivery.status.as_str() {
            "delivered" => ("good", "Delivered"),
            "held" => ("bad", "Held"),
            "failed" => ("bad", "Failed"),
            _ if delivery.is_retried() => ("warn", "Retrying"),
            _ => ("warn", "Waiting"),
        };
        Self {
            tone,
            word,
            queued: when(delivery.queued_at),
            due: delivery.due_at.map(when),
            expires: when(delivery.expires_at),
            attempts: match delivery.attempts {
                0 => "Not sent yet".to_owned(),
                attempts => pluralize(attempts, "attempt", "attempts"),
            },
            delivery,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// One of [`STATUSES`], or empty for all.
    status: String,
    from: String,
    until: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        one_of("status", &self.status, &STATUSES)?;
        Ok(Filter {
            status: self.status.clone(),
            from: date("from", &self.from)?,
            until: date("until", &self.until)?.map(|midnight| midnight + DAY),
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![("status", &self.status), ("from", &self.from), ("until", &self.until)]
    }
}

/// The state of the forms on the page, if it is not that of the destination.
#[derive(Default)]
pub(super) struct FormState {
    pub(super) path: Option<String>,
    /// Groups that were ticked.
    pub(super) ticked: Option<Vec<String>>,
    pub(super) errors: Errors,
    pub(super) problem: String,
}

/// The address of the page, or of the overview for someone who may not see destinations.
pub(super) fn page_of(view: &View, id: Uuid) -> String {
    view.at(&if view.chrome().can.read_destinations { own(id) } else { String::new() })
}

/// The address of the page below the workspace.
pub(super) fn own(id: Uuid) -> String {
    format!("/destinations/{id}/events")
}

pub async fn index(cx: Authorized<perm::ReadDestinations, (Target, List<ListQuery>)>) -> HandlerResult {
    let (scope, view, (Target(id), list)) = cx.into_parts();
    let endpoint = endpoint::get(&scope, id).await?;
    let (deliveries, list) =
        list.load(async |filter: &Filter, at: &_| list::list(&scope, id, filter, at).await).await?;
    let status = list.status();
    Ok(view.html_as(status, &draw(&view, endpoint, deliveries, list, FormState::default())))
}

/// Draws the page in response to a refused change. Someone who may not see destinations gets the refusal itself.
pub(super) async fn redraw<P: Access>(
    view: &View,
    scope: ReadScope<P>,
    id: Uuid,
    rejected: FormRejection,
    state: FormState,
) -> HandlerResult {
    let FormRejection { status, errors, problem, refused, .. } = rejected;
    let Some(scope) = scope.narrow::<perm::ReadDestinations>() else { return Err(refused) };
    let endpoint = endpoint::get(&scope, id).await?;
    let deliveries =
        list::list(&scope, id, &Filter::default(), &crate::domain::base::paging::Position::FIRST).await?;
    let state = FormState { errors, problem, ..state };
    let status = if status == StatusCode::OK { StatusCode::UNPROCESSABLE_ENTITY } else { status };
    Ok(view.html_as(
        status,
        &draw(view, endpoint, deliveries, ListState { is_first: true, ..ListState::default() }, state),
    ))
}

fn draw(
    view: &View,
    endpoint: Endpoint,
    deliveries: Page<Delivery>,
    list: ListState<ListQuery>,
    state: FormState,
) -> Index {
    let when = |at| When::new(at, view.now());
    let destination = view.at(&format!("/destinations/{}", endpoint.destination_id));
    let base = format!("{destination}/events");
    let is_new = !endpoint.is_on && endpoint.path.is_empty();
    let is_ticked = |word: &str| match &state.ticked {
        Some(ticked) => ticked.iter().any(|ticked| ticked == word),
        // Everything is chosen at first, but for what others tried.
        None if is_new => word != "access",
        None => endpoint.groups.has(word),
    };
    let choice = |(word, label, sentence): (&'static str, &'static str, &'static str)| GroupChoice {
        is_ticked: is_ticked(word),
        word,
        label,
        sentence,
    };
    Index {
        chrome: view.chrome(),
        displayed: endpoint.displayed(),
        path: state.path.unwrap_or_else(|| endpoint.path.clone()),
        groups: GROUPS.into_iter().map(choice).collect(),
        version: endpoint.version(),
        status: status_line(&endpoint),
        moments: Moments {
            secret_created: endpoint.secret_created_at.map(when),
            old_secret_ends: endpoint.old_secret_ends_at.filter(|ends| *ends > view.now()).map(when),
            stopped: endpoint.stopped.map(|(at, _)| when(at)),
            failing_since: endpoint.failing_since.map(when),
            last_success: endpoint.last_success_at.map(when),
            next_probe: endpoint.next_probe_at.map(when),
            not_before: Some(endpoint.not_before).filter(|until| *until > view.now()).map(when),
        },
        waiting: count(endpoint.waiting),
        held: count(endpoint.held),
        neighbours: list.neighbours(&deliveries, &base),
        rows: deliveries.rows.into_iter().map(|delivery| Row::new(delivery, view)).collect(),
        list,
        destination,
        base,
        endpoint,
        errors: state.errors,
        problem: state.problem,
    }
}

fn count(count: i64) -> String {
    match count {
        0 => String::new(),
        MAX_COUNTED.. => format!("{MAX_COUNTED} or more messages"),
        count => pluralize(count, "message", "messages"),
    }
}

fn status_line(endpoint: &Endpoint) -> StatusLine {
    let (tone, word) = match endpoint {
        Endpoint { is_on: false, .. } => ("off", "Off"),
        Endpoint { stopped: Some(_), .. } => ("bad", "Stopped"),
        Endpoint { is_paused: true, .. } => ("off", "Paused"),
        Endpoint { failing_since: Some(_), .. } => ("warn", "Failing"),
        _ => ("good", "On"),
    };
    StatusLine { tone, word }
}

impl Index {
    /// Why events were stopped.
    fn reason(&self) -> &'static str {
        match self.endpoint.stopped {
            Some((_, StopReason::Gone)) => "gone",
            Some((_, StopReason::Authority)) => "authority",
            Some((_, StopReason::Failed)) => "failed",
            None => "",
        }
    }

    /// The viewer may decide what is sent: it takes both permissions.
    fn may_set(&self) -> bool {
        self.chrome.can.manage_destinations && self.chrome.can.read_audit
    }
}
