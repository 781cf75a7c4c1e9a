//! What happened in a workspace.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        Invalid, Refused, SearchText,
        activity::{self, Entry, Filter},
        base::{
            event_groups::{GROUPS, group_of},
            paging::Position,
        },
        events, undo,
    },
    policy::{Holdings, Permission, perm},
    web::{
        checks::{self, date},
        chrome::{Chrome, hue, initials},
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, address},
        route_index::RouteLabels,
        routes::me::browser,
        when::{When, day},
        words::called_now,
    },
};
use askama::Template;
use serde::Deserialize;

use uuid::Uuid;

#[derive(Template)]
#[template(path = "activity/index.html")]
pub(super) struct Index {
    pub chrome: Chrome,
    /// `/w/{slug}/activity`
    pub base: String,
    pub list: ListState<ListQuery>,
    /// The kinds of events with their labels, in their groups.
    pub kinds: Vec<KindGroup>,
    /// Links to the latest days: label, address, and whether these are shown.
    pub recent: Vec<(&'static str, String, bool)>,
    /// What narrows the list, for paper; empty if nothing does.
    pub summary: String,
    pub rows: Vec<Row>,
    pub neighbours: Neighbours,
    /// How many events were searched for a text, such as "20,000", where older ones were not.
    pub searched: Option<String>,
}

/// A group of kinds of events: its label, and the kinds with theirs.
pub(in crate::web) type KindGroup = (&'static str, Vec<(&'static str, &'static str)>);

/// The kinds by which the list can be filtered, in their groups.
pub(in crate::web) fn kinds() -> Vec<KindGroup> {
    let in_group = |group: &str| {
        let kinds = events::filter().iter().filter(|(kind, _)| group_of(kind) == group);
        kinds.copied().collect::<Vec<_>>()
    };
    GROUPS
        .iter()
        .map(|(group, label, _)| (*label, in_group(group)))
        .filter(|(_, kinds)| !kinds.is_empty())
        .collect()
}

/// One event, as a row of the list.
pub(in crate::web) struct Row {
    pub initials: String,
    pub hue: u8,
    /// An API key did it.
    pub is_by_key: bool,
    pub actor: String,
    pub actor_id: String,
    /// The ids of both as members, while they are; empty otherwise.
    pub actor_member: String,
    pub target_member: String,
    /// Such as "changed the roles of".
    pub verb: String,
    pub target: String,
    /// Addresses of that moment, and names that are others now: of who did it, and of whom it was done to.
    pub people: Vec<String>,
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// A last half-sentence, after a comma; may be empty.
    pub detail: String,
    /// The end of the sentence itself; may be empty.
    pub rest: String,
    pub is_refusal: bool,
    pub when: When,
    pub day: String,
    /// The row is the first of its day on this page.
    pub starts_day: bool,
    pub from: String,
    /// Method and pattern of the request, if it was refused.
    pub route: String,
    /// The same in words.
    pub route_words: String,
    /// The event's id, where the viewer may undo it; empty otherwise.
    pub undo: String,
    id: Uuid,
    undoing_needs: Option<Permission>,
}

impl Row {
    pub(in crate::web) fn new(entry: Entry, now: Timestamp, labels: &RouteLabels) -> Self {
        let sentence = entry.sentence();
        let route = sentence.refusal.map(|refusal| refusal.route).unwrap_or_default();
        let undoing_needs = undo::needs(&entry);
        let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        let actor_id = text(entry.actor_id);
        Self {
            people: people(&entry),
            initials: initials(&entry.actor),
            hue: hue(entry.actor_id.unwrap_or(entry.id)),
            is_by_key: entry.via == "api",
            actor: entry.actor,
            actor_id,
            actor_member: text(entry.actor_member_id),
            target_member: text(entry.target_member_id),
            verb: sentence.verb,
            target: if route.is_empty() { sentence.target } else { labels.of(&route).to_owned() },
            before: sentence.before,
            after: sentence.after,
            detail: sentence.detail,
            rest: sentence.rest,
            route_words: in_words(&route),
            route,
            is_refusal: entry.is_refusal,
            when: When::new(entry.at, now),
            day: day(entry.at),
            starts_day: false,
            from: match entry.via.as_str() {
                "command" => "Command line".to_owned(),
                "api" => format!("API key · {}", entry.address),
                _ => format!("{} · {}", browser(&entry.user_agent), entry.address),
            },
            undo: String::new(),
            id: entry.id,
            undoing_needs,
        }
    }

    /// Adds the link to undo the event, if the viewer may do that.
    pub(super) fn for_viewer(self, viewer: &Holdings) -> Self {
        let may = self.undoing_needs.is_some_and(|permission| viewer.has(permission));
        Self { undo: if may { self.id.to_string() } else { String::new() }, ..self }
    }
}

/// A route as people call it: "Page Members › Roles" for `GET /w/{workspace}/members/{member}/roles`.
fn in_words(route: &str) -> String {
    let Some((method, path)) = route.split_once(' ') else { return String::new() };
    let is_call = path.starts_with("/api/") || path.starts_with("/access/");
    let kind = match method {
        _ if is_call => "API call",
        "GET" => "Page",
        _ => "Form",
    };
    let is_name = |part: &&str| {
        !part.is_empty() && !part.starts_with('{') && !["w", "a", "api", "sso", "v1"].contains(part)
    };
    let names: Vec<String> = path.split('/').filter(is_name).map(capitalized).collect();
    match names.as_slice() {
        [] => format!("{kind} Overview"),
        names => format!("{kind} {}", names.join(" › ")),
    }
}

/// `oauth-clients` as "Oauth clients".
fn capitalized(part: &str) -> String {
    let words = part.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Who was involved, beyond the names that they chose: addresses, and names that are others now.
fn people(entry: &Entry) -> Vec<String> {
    let now = (entry.actor_now.as_deref(), entry.actor_email_now.as_deref());
    let actor = person("By", &entry.actor, &entry.actor_email, now);
    // The name of an invitation is its address.
    let email = if entry.target_email == entry.target { "" } else { &entry.target_email };
    let is_self = entry.target_email == entry.actor_email && entry.target == entry.actor;
    let now = (entry.target_now.as_deref(), entry.target_email_now.as_deref());
    let target = person("To", &entry.target, email, now).filter(|_| !is_self);
    actor.into_iter().chain(target).collect()
}

/// `now` is the name and the address now, as far as they are others.
fn person(by: &str, name: &str, email: &str, now: (Option<&str>, Option<&str>)) -> Option<String> {
    if email.is_empty() {
        return now.0.map(|now| format!("{name} is now called {now}"));
    }
    let now = called_now(now.0, now.1).map(|now| format!(", {now}")).unwrap_or_default();
    Some(format!("{by} {email}{now}"))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    /// Part of the name or the address of who did it, and of whom it was done to.
    by: String,
    on: String,
    kind: String,
    outcome: String,
    actor: String,
    target: String,
    from: String,
    until: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        let text = checks::search(&self.q)?;
        if !self.kind.is_empty() && !events::is_in_filter(&self.kind) {
            return Err(Invalid::field("kind", "Choose one of the listed kinds.").into());
        }
        if !["", "done", "refused"].contains(&self.outcome.as_str()) {
            return Err(Invalid::field("outcome", "Choose done or refused.").into());
        }
        Ok(Filter {
            kind: self.kind.clone(),
            outcome: self.outcome.clone(),
            text,
            by: named("by", &self.by)?,
            on: named("on", &self.on)?,
            actor: id("actor", &self.actor)?,
            target: id("target", &self.target)?,
            from: date("from", &self.from)?,
            until: date("until", &self.until)?.map(|midnight| midnight + DAY),
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("q", &self.q),
            ("by", &self.by),
            ("on", &self.on),
            ("kind", &self.kind),
            ("outcome", &self.outcome),
            ("actor", &self.actor),
            ("target", &self.target),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }
}

/// A part of a name to search for, from this field.
fn named(field: &str, text: &str) -> Result<String, Invalid> {
    SearchText::parse(text).map(String::from).map_err(|complaint| Invalid::field(field, complaint))
}

/// The day (UTC) of a moment, as a field of the list's form has it.
fn iso_day(at: Timestamp) -> String {
    When::new(at, at).iso.to_string().chars().take(10).collect()
}

/// Links to the latest seven and thirty days, today included, which keep what else narrows the list.
fn recent(list: &ListState<ListQuery>, base: &str, now: Timestamp) -> Vec<(&'static str, String, bool)> {
    let kept: Vec<_> =
        list.query_pairs().into_iter().filter(|(name, _)| !matches!(*name, "from" | "until")).collect();
    [("Last 7 days", 7), ("Last 30 days", 30)]
        .map(|(label, days)| {
            let from = iso_day(now - (days - 1) * DAY);
            let is_shown = list.query.from == from && list.query.until.is_empty();
            (label, address(base, &kept, &[("from", &from)]), is_shown)
        })
        .into()
}

/// What narrows the list, in a sentence for paper.
fn summary(list: &ListState<ListQuery>) -> String {
    let query = &list.query;
    let kind = events::filter().iter().find(|(kind, _)| *kind == query.kind).map_or("", |(_, label)| *label);
    let part = |what: &str, value: &str| match value {
        "" => None,
        value => Some(format!("{what}{value}")),
    };
    let parts = [
        part("from ", &query.from),
        part("to ", &query.until),
        part("with the name ", &query.q),
        part("by ", &query.by),
        part("on ", &query.on),
        part("", kind),
        part("only ", &query.outcome),
        part("by ID ", &query.actor),
        part("on ID ", &query.target),
    ];
    if list.errors.any() { String::new() } else { parts.into_iter().flatten().collect::<Vec<_>>().join(", ") }
}

pub(in crate::web) fn id(field: &str, text: &str) -> Result<Option<Uuid>, Refused> {
    match text {
        "" => Ok(None),
        text => Uuid::try_parse(text)
            .map(Some)
            .map_err(|_| Invalid::field(field, "Choose one with a link on this page.").into()),
    }
}

pub async fn index(cx: Authorized<perm::ReadAudit, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| activity::list(&scope, filter, at).await;
    let (activity::Listing { page, has_more }, list) = list.load(load).await?;
    let base = view.at("/activity");
    let neighbours = list.neighbours(&page, &base);
    let row =
        |entry| Row::new(entry, scope.now(), &view.app.routes.labels).for_viewer(&scope.actor().holdings);
    let mut rows: Vec<Row> = page.rows.into_iter().map(row).collect();
    let mut current = String::new();
    for row in &mut rows {
        row.starts_day = row.day != current;
        current.clone_from(&row.day);
    }
    let page = Index {
        chrome: view.chrome(),
        kinds: kinds(),
        recent: recent(&list, &base, scope.now()),
        summary: summary(&list),
        rows,
        neighbours,
        searched: has_more
            .then(|| format!("{},{:03}", activity::SEARCH_WINDOW / 1_000, activity::SEARCH_WINDOW % 1_000)),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}
