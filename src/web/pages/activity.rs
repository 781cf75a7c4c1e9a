//! What happened in a workspace.

#[cfg(feature = "bench")]
pub(in crate::web) mod sample;
pub(in crate::web) mod taking_back;

use super::{Neighbours, me::browser};
use crate::{
    clock::DAY,
    domain::{
        Event, Invalid, Refused,
        activity::{self, Entry, Filter},
        paging::Position,
        search_text, undo,
    },
    policy::{Holdings, Permission, perm},
    web::{
        chrome::{Chrome, hue, initials},
        form::{Errors, Query, check, checks, listed},
        guard::{Answer, Authorized},
        routes::{Access, Route, api_table, table},
        when::{When, day},
    },
};
use askama::Template;
use serde::Deserialize;
use std::{collections::HashMap, sync::LazyLock};
use time::{Date, macros::format_description};
use uuid::Uuid;
use validator::Validate;

#[derive(Template)]
#[template(path = "activity/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/activity`
    base: String,
    query: ListQuery,
    is_filtered: bool,
    kinds: &'static [(&'static str, &'static str)],
    rows: Vec<Row>,
    neighbours: Neighbours,
    /// How many events were searched for a text, such as "20,000", where older ones were not.
    searched: Option<String>,
    errors: Errors,
}

/// One event, told.
pub(super) struct Row {
    pub initials: String,
    pub hue: u8,
    /// An API key did it.
    pub is_by_key: bool,
    pub actor: String,
    pub actor_id: String,
    /// Such as "changed the roles of".
    pub verb: String,
    pub target: String,
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
    /// What was asked for, where it was refused: method and pattern.
    pub route: String,
    /// The event's id, where the viewer may take back what it tells of; empty otherwise.
    pub undo: String,
    id: Uuid,
    undoing_needs: Option<Permission>,
}

impl Row {
    pub(super) fn new(entry: Entry, now: i64) -> Self {
        let told = Told::of(&entry);
        let undoing_needs = undo::needs(&entry);
        let actor_id = entry.actor_id.map(|id| id.to_string()).unwrap_or_default();
        Self {
            initials: initials(&entry.actor),
            hue: hue(entry.actor_id.unwrap_or(entry.id)),
            is_by_key: entry.via == "api",
            actor: entry.actor,
            actor_id,
            verb: told.verb,
            target: told.target,
            before: told.before,
            after: told.after,
            detail: told.detail,
            rest: told.rest,
            route: told.route,
            is_refusal: entry.is_refusal,
            when: When::new(entry.at, now),
            day: day(entry.at),
            starts_day: false,
            from: match entry.via.as_str() {
                "command" => "From the command line".to_owned(),
                "api" => format!("By API key · {}", entry.address),
                _ => format!("{} · {}", browser(&entry.user_agent), entry.address),
            },
            undo: String::new(),
            id: entry.id,
            undoing_needs,
        }
    }

    /// With the way to take it back, for who may.
    fn for_viewer(self, viewer: &Holdings) -> Self {
        let may = self.undoing_needs.is_some_and(|permission| viewer.has(permission));
        Self { undo: if may { self.id.to_string() } else { String::new() }, ..self }
    }
}

/// An event in words.
#[derive(Default)]
struct Told {
    verb: String,
    target: String,
    before: Vec<String>,
    after: Vec<String>,
    detail: String,
    rest: String,
    route: String,
}

impl Told {
    fn of(entry: &Entry) -> Self {
        let target = entry.target.clone();
        let plain = |verb: &str| Self { verb: verb.into(), target: target.clone(), ..Self::default() };
        let with = |verb: &str, detail: String| Self { detail, ..plain(verb) };
        let goes_on = |verb: &str, rest: String| Self { rest, ..plain(verb) };
        let Some(event) = &entry.event else { return plain(&entry.kind) };
        let cancelled = |count: &i64| match count {
            0 => String::new(),
            count => {
                format!("{} they had sent cancelled", super::counted(*count, "invitation", "invitations"))
            }
        };
        match event {
            Event::WorkspaceCreated { .. } => plain("founded"),
            Event::OrganizationUpdated { name_before, name_after, slug_before, slug_after } => Self {
                before: vec![name_before.clone(), format!("/w/{slug_before}")],
                after: vec![name_after.clone(), format!("/w/{slug_after}")],
                ..plain("updated")
            },
            Event::OrganizationDeleted { .. } => plain("deleted"),
            Event::MemberRolesChanged { before, after, .. } => {
                Self { before: before.clone(), after: after.clone(), ..plain("changed the roles of") }
            }
            Event::MemberSuspended { roles } => with("suspended", held(roles)),
            Event::MemberReactivated { roles } => with("reactivated", held(roles)),
            Event::MemberRemoved { roles, invitations_cancelled } => {
                Self { before: roles.clone(), ..with("removed", cancelled(invitations_cancelled)) }
            }
            Event::MemberLeft { roles, invitations_cancelled } => Self {
                verb: "left".into(),
                before: roles.clone(),
                detail: cancelled(invitations_cancelled),
                ..Self::default()
            },
            Event::OwnershipOffered { .. } => plain("offered the ownership to"),
            Event::OwnershipOfferWithdrawn {} => plain("took back the ownership offered to"),
            Event::OwnershipOfferDeclined {} => plain("declined the ownership offered by"),
            Event::OwnershipHandedOver { from, before, after, from_before, from_after } => Self {
                detail: format!("{from}: {} became {}", from_before.join(", "), from_after.join(", ")),
                target: from.clone(),
                before: before.clone(),
                after: after.clone(),
                ..plain("took the ownership over from")
            },
            Event::InvitationSent { roles, .. } => with("invited", as_roles(roles)),
            Event::InvitationResent { roles, .. } => with("sent the invitation again to", as_roles(roles)),
            Event::InvitationCancelled { roles } => with("cancelled the invitation of", as_roles(roles)),
            Event::InvitationAccepted { roles, invited_by } => Self {
                verb: "accepted the invitation by".into(),
                target: invited_by.clone(),
                detail: as_roles(roles),
                ..Self::default()
            },
            Event::InvitationDeclined { .. } => {
                Self { verb: "declined the invitation".into(), ..Self::default() }
            }
            Event::InvitationRolesChanged { before, after } => {
                Self { before: before.clone(), after: after.clone(), ..plain("changed the invitation of") }
            }
            Event::RoleCreated { scopes } => Self { after: differing(scopes, &[]), ..plain("made the role") },
            Event::RoleUpdated { name_before, name_after, description_before, description_after } => Self {
                before: named(name_before, description_before),
                after: named(name_after, description_after),
                ..plain("renamed or described the role")
            },
            Event::RoleScopesChanged { before, after } => Self {
                before: differing(before, after),
                after: differing(after, before),
                ..plain("changed the scopes of the role")
            },
            Event::RoleDeleted { scopes, replaced_by, members, invitations } => Self {
                before: differing(scopes, &[]),
                detail: replaced(replaced_by, *members, *invitations),
                ..plain("deleted the role")
            },
            Event::TeamCreated { description } if description.is_empty() => plain("started the team"),
            Event::TeamCreated { description } => with("started the team", format!("“{description}”")),
            Event::TeamUpdated { name_before, name_after, description_before, description_after } => Self {
                before: named(name_before, description_before),
                after: named(name_after, description_after),
                ..plain("renamed or described the team")
            },
            Event::TeamDeleted { roles, people } => {
                Self { before: roles.clone(), ..with("deleted the team", in_it(*people)) }
            }
            Event::TeamRolesChanged { before, after, people, .. } => Self {
                before: before.clone(),
                after: after.clone(),
                ..with("changed the roles that come with the team", in_it(*people))
            },
            Event::TeamMemberAdded { team, roles } => {
                Self { after: roles.clone(), ..goes_on("put", format!("into the team {team}")) }
            }
            Event::TeamMemberRemoved { team, roles } => {
                Self { before: roles.clone(), ..goes_on("took", format!("out of the team {team}")) }
            }
            Event::TeamLeadChanged { team, is_lead: true } => {
                goes_on("made", format!("a lead of the team {team}"))
            }
            Event::TeamLeadChanged { team, is_lead: false } => {
                goes_on("made", format!("no lead any more of the team {team}"))
            }
            Event::ApiKeyCreated { roles, expires_at } => Self {
                after: roles.clone(),
                ..with(
                    "made the API key",
                    match expires_at {
                        0 => "which does not expire".to_owned(),
                        at => format!("which expires on {}", day(*at)),
                    },
                )
            },
            Event::ApiKeyAdded { roles } => Self { after: roles.clone(), ..plain("added the API key") },
            Event::ApiKeyRenamed { name_before, name_after } => Self {
                before: vec![name_before.clone()],
                after: vec![name_after.clone()],
                ..plain("renamed the API key")
            },
            Event::UserProvisioned { roles } => Self { after: roles.clone(), ..plain("entered") },
            Event::ExternalIdChanged { before, after } => Self {
                before: vec![before.clone()].into_iter().filter(|id| !id.is_empty()).collect(),
                after: vec![after.clone()].into_iter().filter(|id| !id.is_empty()).collect(),
                ..plain("changed the external id of")
            },
            Event::ResourceRegistered { name } => with("registered", name.clone()),
            Event::ResourceForgotten {} => plain("forgot"),
            Event::ApiKeyRotated { overlap_ends_at: ends } => with(
                "gave another secret to the API key",
                match *ends > entry.at {
                    true => format!("the one before works until {}", When::new(*ends, entry.at).exact),
                    false => "the one before ended at once".to_owned(),
                },
            ),
            Event::ApiKeyRevoked { roles } => Self { before: roles.clone(), ..plain("revoked the API key") },
            Event::ApiKeyAdminChanged { is_admin: true } => {
                with("changed the API key", "which may create workspaces now".into())
            }
            Event::ApiKeyAdminChanged { is_admin: false } => {
                with("changed the API key", "which may create no workspaces any more".into())
            }
            Event::MemberAdded { roles, was_invited } => Self {
                detail: match was_invited {
                    true => "from the account; the invitation to them is answered by that".into(),
                    false => "from the account".into(),
                },
                after: roles.clone(),
                ..plain("added")
            },
            Event::AccountUpdated { name_before, name_after, creation_before, creation_after } => Self {
                before: account(name_before, creation_before),
                after: account(name_after, creation_after),
                ..plain("updated the account")
            },
            Event::AccountAdminChanged { is_admin: true } => {
                goes_on("made", "an admin of the account".into())
            }
            Event::AccountAdminChanged { is_admin: false } => {
                goes_on("made", "no admin of the account any more".into())
            }
            Event::AccountPersonRemoved { .. } => goes_on("took", "out of the account".into()),
            Event::PermissionChanged { before, after, gained, lost, .. } => Self {
                before: with_owner(before),
                after: with_owner(after),
                detail: super::effect(*gained, *lost),
                ..plain("changed who may")
            },
            Event::AccessRefused { route, reason } => Self {
                verb: "was refused".into(),
                target: asked(route),
                detail: refusal(reason).into(),
                route: route.clone(),
                ..Self::default()
            },
            // What people do outside a workspace is told on their own page.
            other => plain(other.kind()),
        }
    }
}

/// Those of the scopes that the other side does not have, permissions by their labels; and how many
/// more there are, or are as before.
fn differing(scopes: &[String], other: &[String]) -> Vec<String> {
    const SHOWN: usize = 12;
    let only: Vec<&String> = scopes.iter().filter(|scope| !other.contains(scope)).collect();
    let label =
        |scope: &&String| Permission::of_scope(scope).map_or((*scope).clone(), |p| p.label().to_owned());
    let mut told: Vec<String> = only.iter().take(SHOWN).map(label).collect();
    if only.len() > SHOWN {
        told.push(format!("{} more", only.len() - SHOWN));
    }
    if scopes.len() > only.len() {
        told.push(format!("{} as before", scopes.len() - only.len()));
    }
    if told.is_empty() { vec!["nothing".into()] } else { told }
}

fn named(name: &str, description: &str) -> Vec<String> {
    [name, description].iter().filter(|text| !text.is_empty()).map(|text| (*text).to_owned()).collect()
}

fn replaced(by: &str, members: i64, invitations: i64) -> String {
    let people = super::counted(members, "person", "people");
    match (members, invitations) {
        (0, 0) => String::new(),
        (_, 0) => format!("{people} got {by} instead"),
        (0, _) => format!("{} got {by} instead", super::counted(invitations, "invitation", "invitations")),
        _ => format!(
            "{people} and {} got {by} instead",
            super::counted(invitations, "invitation", "invitations")
        ),
    }
}

/// What an account is called, and who may create workspaces in it.
fn account(name: &str, creation: &str) -> Vec<String> {
    let who = if creation == "people" { "Everybody creates workspaces" } else { "Admins create workspaces" };
    vec![name.to_owned(), who.to_owned()]
}

fn in_it(people: i64) -> String {
    match people {
        0 => "with nobody in it".to_owned(),
        people => format!("with {} in it", super::counted(people, "person", "people")),
    }
}

fn held(roles: &[String]) -> String {
    format!("keeps {}", roles.join(", "))
}

fn as_roles(roles: &[String]) -> String {
    format!("as {}", roles.join(", "))
}

fn with_owner(roles: &[String]) -> Vec<String> {
    std::iter::once("Owner".to_owned()).chain(roles.iter().cloned()).collect()
}

/// What a route guards, in words; empty where it needs no permission.
fn asked(route: &str) -> String {
    static LABELS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
        let told = |route: Route| match route.access {
            Access::Member(needs) if !needs.permissions().is_empty() => {
                let labels: Vec<_> = needs.permissions().iter().map(|p| p.label()).collect();
                Some((format!("{} {}", route.method, route.path), labels.join(" or ")))
            }
            _ => None,
        };
        table().into_iter().chain(api_table()).filter_map(told).collect()
    });
    LABELS.get(route).cloned().unwrap_or_default()
}

fn refusal(reason: &str) -> &'static str {
    match reason {
        "suspended" => "suspended",
        "permission" => "the permission is missing",
        "ceiling" => "more than their own roles hold",
        "lock-out" => "asked to confirm that it locks them out",
        "unverified" => "the address is not confirmed",
        "wrong-address" => "signed in with another address",
        "last-owner" => "an Owner must remain",
        "last-admin" => "an admin must remain",
        "in-workspaces" => "still a member of a workspace",
        "not-admin" => "no admin of the account",
        "role-in-use" => "somebody has the role, or is invited with it",
        "conflict" => "somebody was faster",
        _ => "not allowed",
    }
}

#[derive(Clone, Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    #[validate(custom(function = "checks::search"))]
    q: String,
    kind: String,
    outcome: String,
    actor: String,
    target: String,
    from: String,
    until: String,
    after: String,
    before: String,
}

impl ListQuery {
    fn read(&self) -> Result<(Filter, Position), Refused> {
        check(self)?;
        let known = |value: &str| Event::KINDS.iter().any(|(kind, _)| *kind == value);
        if !self.kind.is_empty() && !known(&self.kind) {
            return Err(Invalid::field("kind", "Choose one of the listed kinds.").into());
        }
        if !["", "done", "refused"].contains(&self.outcome.as_str()) {
            return Err(Invalid::field("outcome", "Choose done or refused.").into());
        }
        let filter = Filter {
            kind: self.kind.clone(),
            outcome: self.outcome.clone(),
            text: search_text(&self.q).map_err(|complaint| Invalid::field("q", complaint))?,
            actor: id("actor", &self.actor)?,
            target: id("target", &self.target)?,
            from: date("from", &self.from)?,
            until: date("until", &self.until)?.map(|midnight| midnight + DAY),
        };
        Ok((filter, Position::parse(&self.after, &self.before)?))
    }

    fn filters(&self) -> [(&'static str, &str); 7] {
        [
            ("q", &self.q),
            ("kind", &self.kind),
            ("outcome", &self.outcome),
            ("actor", &self.actor),
            ("target", &self.target),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }
}

fn id(field: &str, text: &str) -> Result<Option<Uuid>, Refused> {
    match text {
        "" => Ok(None),
        text => Uuid::try_parse(text)
            .map(Some)
            .map_err(|_| Invalid::field(field, "Follow a link of this page to choose one.").into()),
    }
}

/// The midnight (UTC) that starts a day such as 2026-11-21.
pub(super) fn date(field: &str, text: &str) -> Result<Option<i64>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| Invalid::field(field, "Write a day such as 2026-11-21."))?;
    Ok(Some(date.midnight().assume_utc().unix_timestamp() * 1_000))
}

pub async fn index(cx: Authorized<perm::ReadAudit, Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |filter: &Filter, at: &Position| activity::list(&scope, filter, at).await;
    let (activity::Listing { page, goes_on }, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let links = if errors.any() { ListQuery::default() } else { query.clone() };
    let base = view.at("/activity");
    let neighbours = Neighbours::new(&page, &base, &links.filters());
    let row = |entry| Row::new(entry, scope.now_ms()).for_viewer(&scope.actor().holdings);
    let mut rows: Vec<Row> = page.rows.into_iter().map(row).collect();
    let mut current = String::new();
    for row in &mut rows {
        row.starts_day = row.day != current;
        current.clone_from(&row.day);
    }
    let page = Index {
        chrome: view.chrome("activity"),
        is_filtered: query.filters().iter().any(|(_, value)| !value.is_empty()),
        kinds: Event::KINDS,
        rows,
        neighbours,
        searched: goes_on.then(|| format!("{},{:03}", activity::STRETCH / 1_000, activity::STRETCH % 1_000)),
        errors,
        base,
        query,
    };
    Ok(view.html_as(status, &page))
}
