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
            filter::{Filter, Headcount},
            row::{FIELDS, Member, Row},
        },
    },
    policy::{Permission, perm},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

/// One page of the members.
pub struct Listing {
    pub page: Page<Member>,
    /// The number of members that match the filter, on all pages. Unknown for a text, unless all matches are
    /// on this page.
    pub total: Option<i64>,
    pub roles: Vec<Assignable>,
    /// An ownership offer is pending.
    pub has_offer: bool,
    /// The account has people who are not members of this workspace.
    pub others_in_account: bool,
}

#[derive(FromQueryResult)]
struct Summary {
    headcounts: Option<String>,
    owners: i64,
    offers: i64,
    account_people: i64,
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
    let backend = scope.connection().get_database_backend();
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
            (SELECT COUNT(*) FROM active_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM ownership_offers f WHERE f.workspace_id = $1 AND f.status = 'pending'
                AND f.expires_at > $2) AS offers,
            (SELECT a.people FROM workspaces w JOIN accounts a ON a.id = w.account_id WHERE w.id = $1)
                AS account_people,
            {listed} AS listed"
    );
    let summary: Summary = scope.first(&sql, values).await?.ok_or(Refused::NotFound)?;
    let text = summary.headcounts.unwrap_or_default();
    let everybody: Vec<Headcount> = text.split(';').filter_map(Headcount::parse).collect();
    let rows = match filter.is_narrow() {
        true => narrowed(scope, filter, at, &everybody).await?,
        false => parse_json_rows(summary.listed.as_deref())?,
    };
    let page = Page::from_rows(rows, at, |row| row.cursor(filter.sort));
    let is_whole = page.before.is_none() && page.after.is_none();
    let total = match filter.text.is_empty() {
        true => Some(filter.people(&everybody)),
        false => i64::try_from(page.rows.len()).ok().filter(|_| is_whole),
    };
    let page = page.map(|row| row.for_viewer(actor, all, summary.owners));
    let roles = role::assignable_roles(all, &actor.holdings);
    // Every member who is a person belongs to the account.
    let people: i64 = everybody.iter().filter(|some| some.kind == "user").map(|some| some.people).sum();
    let others_in_account = summary.account_people > people;
    Ok(Listing { page, total, roles, has_offer: summary.offers > 0, others_in_account })
}

/// The rows of a page of some. There are two good ways to them, and the counts tell which: to go along
/// the order of the list until the page is full, or, where few fit, to fetch those and sort them.
/// Left to guess, a database would now and then sort ten thousand rows for fifty.
async fn narrowed(
    scope: &ReadScope<perm::ReadMembers>,
    filter: &Filter,
    at: &Position,
    everybody: &[Headcount<'_>],
) -> Result<Vec<Row>, Refused> {
    let fitting: Vec<&Headcount> = everybody.iter().filter(|some| filter.fits(some)).collect();
    if fitting.is_empty() {
        return Ok(Vec::new());
    }
    let (matching, all) = (filter.people(everybody), everybody.iter().map(|some| some.people).sum::<i64>());
    // So many rows would be passed to fill a page, if they are spread evenly.
    let is_rare = matching * matching <= all * i64::try_from(at.limit()).unwrap_or(i64::MAX);
    let mut values = vec![scope.now().into()];
    let sql = if is_rare && fitting.len() <= MAX_COMBINATIONS {
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
