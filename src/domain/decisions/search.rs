//! Searches: who may do this, which actions are allowed, on which resources.

use crate::{
    domain::{
        base::{
            ends::{held_roles, lasts},
            invalid::Invalid,
            key_limits::{KeyLimits, key_limits, newest_reader},
            refused::Refused,
            role::{self, Role, Roles},
            subject::{self, Subject},
        },
        decisions::{
            Question, decide_all, load_held,
            owners::{Owners, Thing},
            required::{SEND, folded, is_about_sending, required_scope},
            sending,
            sending::{Destinations, Sender},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::resources,
    },
    policy::{Belonging, Holdings, Permission, perm},
};
use sea_orm::{FromQueryResult, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most results on one page.
pub const MAX_RESULTS: usize = 100;

/// One page of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The cursor of a search for subjects: after this member among those with this set of roles.
#[derive(Serialize, Deserialize)]
struct SearchCursor(String, Uuid);

/// A page token, opaque to the client.
fn token(cursor: &impl Serialize) -> String {
    hex::encode(serde_json::to_vec(cursor).unwrap_or_default())
}

fn parse_cursor<T: for<'a> Deserialize<'a>>(token: &str) -> Result<T, Refused> {
    let bytes = hex::decode(token).ok();
    // No token of ours has one, and PostgreSQL takes none.
    let bytes = bytes.filter(|bytes| !String::from_utf8_lossy(bytes).contains("\\u0000"));
    let read = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok_or_else(|| {
        Invalid::field("page.token", "This token doesn't belong to this search. Start from the first page.")
            .into()
    })
}

#[derive(FromQueryResult)]
struct Headcount {
    role_set: String,
    people: i64,
}

struct Row {
    id: Uuid,
    role_set: String,
    name: String,
    /// What limits it, if it is a key.
    limits: Option<KeyLimits>,
    /// Of a test key.
    requests_left: Option<i64>,
}

impl Row {
    /// What it holds; a key may hold less than its roles.
    fn holdings(&self, all: &Roles) -> Holdings {
        let roles = all.parse_slugs(&self.role_set);
        self.limits.as_ref().map_or_else(|| role::holdings(&roles), |limits| limits.holdings(&roles, all))
    }
}

/// A resource, as a search names it.
#[derive(Clone, Copy, Debug)]
pub struct NamedResource<'a> {
    pub kind: &'a str,
    pub id: &'a str,
    /// Whose it is, if the service says so.
    pub owner: Option<&'a Subject>,
}

/// The ids of the subjects of a type that may do it: of each the external id, where it has one. Two SQL
/// statements, whatever the page: those with the same roles are next to each other in an index, and the
/// counts tell where to look. Where somebody may do it with what belongs to them alone, a few more: the
/// owner comes first.
///
/// # Errors
/// [`Refused::Invalid`] for an invalid page token.
pub async fn subjects(
    scope: &ReadScope<perm::CheckAccess>,
    kind: &str,
    action: &str,
    resource: NamedResource<'_>,
    limit: usize,
    after: Option<&str>,
) -> Result<SearchResult<String>, Refused> {
    let after = after.map(parse_cursor::<SearchCursor>).transpose()?;
    let nobody = SearchResult { items: Vec::new(), next: None };
    let (action, of) = (folded(action), folded(resource.kind));
    let (Ok(needed), Some(kind)) = (required_scope(&action, &of), subject::kind_of(kind)) else {
        return Ok(nobody);
    };
    let all = &scope.actor().all_roles;
    let sql = "SELECT h.role_set, h.people FROM headcounts h
        WHERE h.workspace_id = $1 AND h.status = 'active' AND h.kind = $2 AND h.people > 0
        ORDER BY h.role_set";
    let counts: Vec<Headcount> = scope.all(sql, vec![kind.into()]).await?;
    let held: Vec<(&Headcount, Holdings)> =
        counts.iter().map(|some| (some, role::holdings(&all.parse_slugs(&some.role_set)))).collect();
    // Whose it is for everybody but the owner.
    let (mut owner, mut whose) = (None, Belonging::Unknown);
    if held.iter().any(|(_, held)| held.depend_on_owner(&needed)) {
        let thing = || Thing { kind: &of, id: resource.id, owner: resource.owner };
        let owners = Owners::load(scope, [thing()]).await?;
        let (member, of_others) = owners.owner(&thing());
        whose = of_others;
        if let Some(member) = member.filter(|_| after.is_none()) {
            let row = member_row(scope, kind, member).await?;
            owner = row.filter(|row| {
                let held = row.holdings(all);
                held.allows_on(&needed, Belonging::Subject) && !held.allows_on(&needed, whose)
            });
        }
    }
    let first: Vec<String> = owner.into_iter().map(|row| row.name).collect();
    let limit = limit - first.len().min(limit);
    let allowed: Vec<&Headcount> =
        held.iter().filter(|(_, held)| held.allows_on(&needed, whose)).map(|(some, _)| *some).collect();
    if limit == 0 {
        let next = (!allowed.is_empty()).then(|| token(&SearchCursor(String::new(), Uuid::nil())));
        return Ok(SearchResult { items: first, next });
    }
    let from = after.as_ref().map_or("", |cursor| cursor.0.as_str());
    // Enough of them to fill a page, by the counts; one page may end early where users are suspended.
    let (mut sets, mut expected) = (Vec::new(), 0);
    for some in allowed.iter().skip_while(|some| some.role_set.as_str() < from) {
        sets.push(&some.role_set);
        let is_begun = after.is_some() && some.role_set == from;
        expected += if is_begun { 0 } else { some.people };
        if expected > i64::try_from(limit).unwrap_or(i64::MAX) || sets.len() == MAX_ROLE_SETS {
            break;
        }
    }
    let Some(last_set) = sets.last().map(|set| (*set).clone()) else {
        return Ok(SearchResult { items: first, next: None });
    };
    let more_sets = allowed.iter().any(|some| some.role_set > last_set);
    let rows = members(scope, kind, &sets, limit, after.as_ref()).await?;
    let is_cut = rows.len() > limit;
    let end = match (is_cut, more_sets) {
        (true, _) => rows.get(limit.saturating_sub(1)).map(|row| SearchCursor(row.role_set.clone(), row.id)),
        // Past every member with the last of the sets.
        (false, true) => Some(SearchCursor(last_set, Uuid::max())),
        (false, false) => None,
    };
    // A key may hold less than its roles.
    let may = |row: &Row| row.limits.is_none() || row.holdings(all).allows_on(&needed, whose);
    let is_sending = is_about_sending(&action, &of);
    let hosts = is_sending.then_some(resource.id);
    let destinations = Destinations::load(scope, hosts).await?;
    let may_send = |row: &Row| {
        let sender = Sender { member_id: row.id, requests_left: row.requests_left };
        !is_sending || destinations.allow(resource.id, &all.parse_slugs(&row.role_set), sender)
    };
    let rest = rows.into_iter().take(limit).filter(may).filter(may_send).map(|row| row.name);
    let items = first.into_iter().chain(rest).collect();
    Ok(SearchResult { items, next: end.as_ref().map(token) })
}

/// The most combinations of roles in one statement.
const MAX_ROLE_SETS: usize = 16;

/// The tables beside `members m` and the columns of a [`SubjectMatch`] that depend on the kind; the time is `$3`.
fn parts_of(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "user" => (
            "JOIN users u ON u.id = m.user_id AND u.suspended_at IS NULL",
            "CAST(NULL AS TEXT) AS voucher_roles, CAST(NULL AS TEXT) AS reader_roles,
                CAST(NULL AS TEXT) AS only_scope, CAST(NULL AS BIGINT) AS requests_left",
        ),
        _ => (
            "JOIN api_keys k ON k.id = m.api_key_id AND k.revoked_at IS NULL
                AND COALESCE(k.expires_at > $3, TRUE)",
            concat!(key_limits!("m", newest_reader!("k.id"), "$3"), ", k.requests_left"),
        ),
    }
}

/// An active member of a kind, by the id of the membership.
async fn member_row(
    scope: &ReadScope<perm::CheckAccess>,
    kind: &str,
    member: Uuid,
) -> Result<Option<Row>, Refused> {
    let (live, limits) = parts_of(kind);
    let (held, lasts) = (held_roles!("m", "$3"), lasts!("m", "$3"));
    let sql = format!(
        "SELECT m.id, {held} AS role_set, m.external_id, m.user_id, m.api_key_id, {limits} FROM members m {live}
        WHERE m.workspace_id = $1 AND m.id = $4 AND m.kind || '' = $2 AND m.status || '' = 'active' AND {lasts}"
    );
    let values = vec![kind.into(), scope.now().into(), member.into()];
    let row: Option<SubjectMatch> = scope.first(&sql, values).await?;
    Ok(row.map(Row::from))
}

async fn members(
    scope: &ReadScope<perm::CheckAccess>,
    kind: &str,
    sets: &[&String],
    limit: usize,
    after: Option<&SearchCursor>,
) -> Result<Vec<Row>, Refused> {
    let (live, limits) = parts_of(kind);
    let mut values: Vec<Value> =
        vec![kind.into(), scope.now().into(), i64::try_from(limit + 1).unwrap_or(i64::MAX).into()];
    // Where something ended that is still to be taken away, the set is not what they hold: they are left out until then.
    let parts: Vec<String> = sets
        .iter()
        .map(|set| {
            values.push(set.as_str().into());
            let set_at = values.len() + 1;
            let start = match after.filter(|cursor| cursor.0 == **set) {
                Some(cursor) => {
                    values.push(cursor.1.into());
                    format!("AND m.id > ${}", values.len() + 1)
                }
                None => String::new(),
            };
            format!(
                "SELECT * FROM (SELECT m.id, m.role_set, m.external_id, m.user_id, m.api_key_id, {limits}
                FROM members m {live} WHERE m.workspace_id = $1 AND m.status = 'active' AND m.kind = $2
                    AND m.role_set = ${set_at} AND (m.next_end_at IS NULL OR m.next_end_at > $3) {start}
                    ORDER BY m.id LIMIT $4) AS part"
            )
        })
        .collect();
    let sql = format!(
        "SELECT id, role_set, external_id, user_id, api_key_id, voucher_roles, reader_roles, only_scope,
            requests_left FROM ({}) AS found WHERE $3 > 0 ORDER BY role_set, id LIMIT $4",
        parts.join(" UNION ALL ")
    );
    let rows: Vec<SubjectMatch> = scope.all(&sql, values).await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

#[derive(FromQueryResult)]
struct SubjectMatch {
    id: Uuid,
    role_set: String,
    external_id: Option<String>,
    user_id: Option<Uuid>,
    api_key_id: Option<Uuid>,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
    requests_left: Option<i64>,
}

impl From<SubjectMatch> for Row {
    fn from(known: SubjectMatch) -> Self {
        let id = known.user_id.or(known.api_key_id).map(|id| id.to_string()).unwrap_or_default();
        let (voucher_roles, reader_roles) = (known.voucher_roles, known.reader_roles);
        let only_scope = known.only_scope;
        Self {
            id: known.id,
            role_set: known.role_set,
            name: known.external_id.unwrap_or(id),
            requests_left: known.requests_left,
            limits: known.api_key_id.map(|_| KeyLimits { voucher_roles, reader_roles, only_scope }),
        }
    }
}

/// The registered resources of a type on which the subject may do it.
///
/// # Errors
/// [`Refused::Invalid`] for an invalid page token.
pub async fn resources(
    scope: &ReadScope<perm::CheckAccess>,
    subject: &Subject,
    action: &str,
    kind: &str,
    limit: usize,
    after: Option<&str>,
) -> Result<SearchResult<String>, Refused> {
    let after: Option<String> = after.map(parse_cursor).transpose()?;
    let (action, kind) = (folded(action), folded(kind));
    if is_about_sending(&action, &kind) {
        return hosts(scope, subject, limit, after.as_deref()).await;
    }
    let nothing = SearchResult { items: Vec::new(), next: None };
    let Ok(needed) = required_scope(&action, &kind) else { return Ok(nothing) };
    let Some((held, member)) = load_held(scope, subject).await? else { return Ok(nothing) };
    // Of all, or of those alone that belong to the subject.
    let owner = match held.allows_on(&needed, Belonging::Another) {
        true => None,
        false if held.allows_on(&needed, Belonging::Subject) => Some(member),
        false => return Ok(nothing),
    };
    let mut items = resources::ids(scope, &kind, owner, after.as_deref(), limit + 1).await?;
    let is_cut = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| is_cut).map(token);
    Ok(SearchResult { items, next })
}

/// The hosts to which the subject may send, of the destinations as they are stored.
async fn hosts(
    scope: &ReadScope<perm::CheckAccess>,
    subject: &Subject,
    limit: usize,
    after: Option<&str>,
) -> Result<SearchResult<String>, Refused> {
    let mut names = sending::names(scope, after, limit + 1).await?;
    let is_cut = names.len() > limit;
    names.truncate(limit);
    let next = names.last().filter(|_| is_cut).map(token);
    let question = |host: &String| Question::about_sending(subject.clone(), host);
    let questions: Vec<Question> = names.iter().map(question).collect();
    let decisions = decide_all(scope, &questions).await?;
    let allowed = names.into_iter().zip(decisions).filter(|(_, decision)| decision.is_allowed);
    Ok(SearchResult { items: allowed.map(|(host, _)| host).collect(), next })
}

/// The actions that the subject may do on a resource, of those that some role of the workspace or the catalogue names.
///
/// # Errors
/// [`Refused::Invalid`] for an invalid page token.
pub async fn actions(
    scope: &ReadScope<perm::CheckAccess>,
    subject: &Subject,
    resource: NamedResource<'_>,
    limit: usize,
    after: Option<&str>,
) -> Result<SearchResult<String>, Refused> {
    let after: Option<String> = after.map(parse_cursor).transpose()?;
    let kind = folded(resource.kind);
    let may_send = match is_about_sending(SEND, &kind) {
        true => {
            let question = Question::about_sending(subject.clone(), resource.id);
            decide_all(scope, &[question]).await?.iter().all(|decision| decision.is_allowed)
        }
        false => false,
    };
    let Some((held, member)) = load_held(scope, subject).await? else {
        return Ok(SearchResult { items: Vec::new(), next: None });
    };
    let mut named = named_actions(scope, &kind);
    if may_send {
        named.insert(SEND);
    }
    let needed = |action: &str| required_scope(action, &kind);
    let depends =
        named.iter().any(|action| needed(action).is_ok_and(|needed| held.depends_on_owner(&needed)));
    let whose = match depends {
        true => {
            let thing = || Thing { kind: &kind, id: resource.id, owner: resource.owner };
            Owners::load(scope, [thing()]).await?.belonging(member, &thing())
        }
        false => Belonging::Unknown,
    };
    let may = |action: &&str| match is_about_sending(action, &kind) {
        true => may_send,
        false => needed(action).is_ok_and(|needed| held.allows_on(&needed, whose)),
    };
    let mut items: Vec<String> = named
        .into_iter()
        .filter(|action| after.as_deref().is_none_or(|after| *action > after))
        .filter(may)
        .map(str::to_owned)
        .collect();
    let is_cut = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| is_cut).map(token);
    Ok(SearchResult { items, next })
}

/// What is done to things of this type, in the words of the workspace's roles: an action that is granted
/// for any type, or on what is one's own, counts for this one too.
fn named_actions<'a>(scope: &'a ReadScope<perm::CheckAccess>, kind: &str) -> BTreeSet<&'a str> {
    let catalogue = Permission::ALL.iter().map(|permission| permission.scope());
    let own = scope.actor().all_roles.iter().flat_map(|role: &Role| role.application_scopes.iter());
    let kind = kind.split(':').next().unwrap_or_default();
    catalogue
        .chain(own.map(String::as_str))
        .filter_map(|scope| scope.split_once(':'))
        .filter(|(action, of)| {
            let of = of.split(':').next().unwrap_or_default();
            *action != "*" && (of == "*" || of == "own" || of == kind)
        })
        .map(|(action, _)| action)
        .collect()
}
