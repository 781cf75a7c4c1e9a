//! Listing members, and what the viewer may do to one.

use crate::{
    domain::{
        base::{
            invalid::Invalid,
            paging::{Page, Position},
            principal::Actor,
            refused::Refused,
            role::{self, Assignable},
            sql::{aggregate_json, parse_json_rows},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::members::{
            filter::{Filter, Headcount, Narrowed},
            row::{FIELDS, Member, Row},
        },
    },
    policy::{Permission, perm},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// One page of the members.
pub struct Listing {
    pub page: Page<Member>,
    /// The number of members that match the filter, on all pages. Unknown for a text, unless all matches are
    /// on this page.
    pub total: Option<i64>,
    /// How many of the total are API keys, and how many are suspended; 0 where no headcount counts what is listed.
    pub keys: i64,
    pub suspended: i64,
    pub roles: Vec<Assignable>,
    /// An ownership offer is pending.
    pub has_offer: bool,
    /// The account has people who are not members of this workspace.
    pub others_in_account: bool,
    /// Teams to filter by: id and name. Empty for a viewer who may not see teams.
    pub teams: Vec<TeamOption>,
    /// Slugs of the roles that hold what the filter asks for; empty where it asks for no permission and no scope.
    pub givers: Vec<String>,
}

/// A team to filter by.
#[derive(Clone, Debug, Deserialize)]
pub struct TeamOption {
    pub id: Uuid,
    pub name: String,
}

/// The most teams that are offered; a team's own page leads to the list of every team.
const MAX_TEAMS: usize = 100;

#[derive(FromQueryResult)]
struct Summary {
    headcounts: Option<String>,
    owners: i64,
    offers: i64,
    account_people: i64,
    teams: Option<String>,
    listed: Option<String>,
}

/// Lists members. One SQL statement, or two for some of them; one more member or ten thousand make no
/// difference, but for a text that few names have.
///
/// # Errors
/// [`Refused::Invalid`] for a role that the workspace does not have, or a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadMembers>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    let actor = scope.actor();
    let all = &actor.all_roles;
    if !filter.role.is_empty() && all.by_slug(&filter.role).is_none() {
        return Err(Invalid::field("role", "This workspace has no such role.").into());
    }
    let may_see_teams = actor.holdings.has(Permission::ReadTeams);
    if filter.team.is_some() && !may_see_teams {
        return Err(Invalid::field("team", "You need the “View teams” permission to filter by team.").into());
    }
    if filter.vouched_by.is_some() && !actor.holdings.has(Permission::ReadApiKeys) {
        let sentence = "You need the “View API keys” permission to filter by who vouches for a key.";
        return Err(Invalid::field("vouched_by", sentence).into());
    }
    let filter = &filter.narrowed(all, scope.now());
    let backend = scope.connection().get_database_backend();
    let teams = match may_see_teams {
        true => aggregate_json(
            backend,
            &["id", "name"],
            &format!(
                "SELECT t.id, t.name FROM teams t WHERE t.workspace_id = $1 ORDER BY t.listed_as LIMIT {MAX_TEAMS}"
            ),
        ),
        false => "NULL".to_owned(),
    };
    let mut values: Vec<Value> = vec![scope.now().into()];
    // Where the way does not depend on the counts, both come at once.
    let listed = match filter.is_narrow() {
        true => "NULL".to_owned(),
        false => aggregate_json(backend, &FIELDS, &filter.in_sort_order(at, &mut values)?),
    };
    let sql = format!(
        "SELECT
            (SELECT string_agg(h.status || ' ' || h.kind || ' ' || h.people || ' ' || h.role_set, ';')
                FROM headcounts h WHERE h.workspace_id = $1 AND h.people > 0) AS headcounts,
            (SELECT COUNT(*) FROM lasting_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM ownership_offers f WHERE f.workspace_id = $1 AND f.status = 'pending'
                AND f.expires_at > $2) AS offers,
            (SELECT a.people FROM workspaces w JOIN accounts a ON a.id = w.account_id WHERE w.id = $1)
                AS account_people,
            {teams} AS teams,
            {listed} AS listed"
    );
    let summary: Summary = scope.first(&sql, values).await?.ok_or(Refused::NotFound)?;
    let text = summary.headcounts.unwrap_or_default();
    let everybody: Vec<Headcount> = text.split(';').filter_map(Headcount::parse).collect();
    let rows = match filter.is_narrow() {
        true => narrowed(scope, filter, at, &everybody).await?,
        false => parse_json_rows(summary.listed.as_deref())?,
    };
    let page = Page::from_rows(rows, at, |row| row.cursor(filter.filter.sort));
    let is_whole = page.before.is_none() && page.after.is_none();
    let Filter { text, external_id, .. } = filter.filter;
    let is_counted = text.is_empty() && external_id.is_empty() && !filter.is_beyond_counts();
    let total = match is_counted {
        true => Some(filter.people(&everybody)),
        false => i64::try_from(page.rows.len()).ok().filter(|_| is_whole),
    };
    let counted = everybody.iter().filter(|some| is_counted && filter.fits(some));
    let keys = counted.clone().filter(|some| some.kind == "api_key").map(|some| some.people).sum();
    let suspended = counted.filter(|some| some.status == "suspended").map(|some| some.people).sum();
    let page = page.map(|row| row.for_viewer(actor, all, summary.owners));
    let roles = role::assignable_roles(all, &actor.holdings);
    // Every member who is a person belongs to the account.
    let people: i64 = everybody.iter().filter(|some| some.kind == "user").map(|some| some.people).sum();
    let others_in_account = summary.account_people > people;
    let givers = filter.givers.iter().flatten().map(|slug| (*slug).to_owned()).collect();
    let teams = parse_json_rows(summary.teams.as_deref())?;
    let has_offer = summary.offers > 0;
    Ok(Listing { page, total, keys, suspended, roles, has_offer, others_in_account, teams, givers })
}

/// The rows of a page of some. There are two good ways to them, and the counts tell which: to go along
/// the order of the list until the page is full, or, where few fit, to fetch those and sort them. To the one with
/// an external id there is an index.
/// Left to guess, a database would now and then sort ten thousand rows for fifty.
async fn narrowed(
    scope: &ReadScope<perm::ReadMembers>,
    filter: &Narrowed<'_>,
    at: &Position,
    everybody: &[Headcount<'_>],
) -> Result<Vec<Row>, Refused> {
    let fitting: Vec<&Headcount> = everybody.iter().filter(|some| filter.fits(some)).collect();
    if fitting.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = vec![scope.now().into()];
    if let Some(sql) = filter.of_few(at, &mut values) {
        return Ok(scope.list(&FIELDS, &sql?, values).await?);
    }
    let (matching, all) = (filter.people(everybody), everybody.iter().map(|some| some.people).sum::<i64>());
    // So many rows would be passed to fill a page, if they are spread evenly.
    let is_rare = matching * matching <= all * i64::try_from(at.limit()).unwrap_or(i64::MAX);
    let is_one = !filter.filter.external_id.is_empty();
    let sql = if is_rare && fitting.len() <= MAX_COMBINATIONS && !is_one {
        filter.of_combinations(&fitting, at, &mut values)?
    } else {
        filter.in_sort_order(at, &mut values)?
    };
    Ok(scope.list(&FIELDS, &sql, values).await?)
}

/// The most combinations of roles that are fetched one by one.
const MAX_COMBINATIONS: usize = 16;

/// Whether the viewer may do this to a member, so that no button is drawn that would be refused.
pub fn may_act(viewer: &Actor, member: &Member, permission: Permission) -> bool {
    viewer.holdings.has(permission) && member.refused.is_none()
}
