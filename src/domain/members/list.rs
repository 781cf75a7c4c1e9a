//! Looking at members: the list, one member, and what the viewer could do to them.

use super::change::{OWN_ROLES, tag, version};
use crate::{
    domain::{
        Invalid, Refused,
        db::{gather, gathered},
        paging::{Cursor, Key, Order, PAGE, Page, Position},
        roles::{self, Assignable, Role, Roles},
        scope::{Actor, ReadScope, Scoped},
        values::folded,
    },
    policy::{Access, Ceiling, Permission, perm},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// How the list is sorted. Times run from the latest to the earliest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    NameDown,
    Joined,
    JoinedUp,
    Active,
    ActiveUp,
}

impl Sort {
    pub const ALL: [(&'static str, Self); 6] = [
        ("name", Self::Name),
        ("-name", Self::NameDown),
        ("joined", Self::Joined),
        ("-joined", Self::JoinedUp),
        ("active", Self::Active),
        ("-active", Self::ActiveUp),
    ];

    const fn order(self) -> Order {
        let (column, is_text, descending) = match self {
            Self::Name => ("m.listed_as", true, false),
            Self::NameDown => ("m.listed_as", true, true),
            Self::Joined => ("m.joined_at", false, true),
            Self::JoinedUp => ("m.joined_at", false, false),
            Self::Active => ("COALESCE(m.last_active_at, m.joined_at)", false, true),
            Self::ActiveUp => ("COALESCE(m.last_active_at, m.joined_at)", false, false),
        };
        Order { column, is_text, id: "m.id", descending }
    }
}

/// Which members to list. Empty texts do not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of a name or an address.
    pub text: String,
    /// A role's slug.
    pub role: String,
    /// `active` or `suspended`.
    pub status: String,
    /// `user` or `api_key`.
    pub kind: String,
    pub sort: Sort,
}

/// A member as the viewer sees it.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub name: String,
    /// Empty for a key.
    pub email: String,
    pub kind: String,
    pub is_active: bool,
    pub is_you: bool,
    pub is_owner: bool,
    /// The only active Owner: first somebody else must become one.
    pub is_last_owner: bool,
    pub origin: String,
    pub invited_by: Option<String>,
    pub joined_at: i64,
    pub last_active_at: Option<i64>,
    pub roles: Vec<Role>,
    /// Why the viewer may not change, suspend or remove this member; `None` where they may.
    pub refused: Option<Ceiling>,
}

#[derive(Clone, Deserialize, FromQueryResult)]
pub(super) struct Row {
    id: Uuid,
    user_id: Option<Uuid>,
    api_key_id: Option<Uuid>,
    name: String,
    email: String,
    kind: String,
    status: String,
    origin: String,
    invited_by: Option<String>,
    joined_at: i64,
    last_active_at: Option<i64>,
    listed_as: String,
    role_set: String,
}

pub(super) const COLUMNS: &str = "SELECT m.id, m.user_id, m.api_key_id, COALESCE(u.name, k.name) AS name,
        COALESCE(u.email, '') AS email, m.kind, m.status, m.origin,
        i.name AS invited_by, m.joined_at, m.last_active_at, m.listed_as, m.role_set
    FROM members m LEFT JOIN users u ON u.id = m.user_id LEFT JOIN api_keys k ON k.id = m.api_key_id
    LEFT JOIN users i ON i.id = m.invited_by";

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 13] = [
    "id",
    "user_id",
    "api_key_id",
    "name",
    "email",
    "kind",
    "status",
    "origin",
    "invited_by",
    "joined_at",
    "last_active_at",
    "listed_as",
    "role_set",
];

/// The members of one page alone: what is joined to them is looked up for these, and for no other.
const ON_PAGE: &str =
    "SELECT m.id, m.user_id, m.api_key_id, m.kind, m.status, m.origin, m.invited_by, m.joined_at,
        m.last_active_at, m.listed_as, m.role_set FROM members m";

/// One page of the members.
pub struct Listing {
    pub page: Page<Member>,
    /// How many there are with this filter, on all pages; not known for a text, unless they are all
    /// on this page.
    pub total: Option<i64>,
    pub roles: Vec<Assignable>,
    /// The ownership is on offer.
    pub has_offer: bool,
    /// Somebody belongs to the account and is no member here.
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

/// So many members who have the status, the kind and the roles in common.
struct Headcount<'a> {
    status: &'a str,
    kind: &'a str,
    role_set: &'a str,
    people: i64,
}

impl<'a> Headcount<'a> {
    /// Reads `active user 3 developer viewer`.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let (status, kind, people) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
        Some(Self { status, kind, people, role_set: parts.next()? })
    }
}

/// Lists members. One SQL statement, or two for some of them; one more member or ten thousand make no
/// difference, but for a text that few names have.
///
/// # Errors
/// [`Refused::Invalid`] for a role that is not here, or a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadMembers>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    let actor = scope.actor();
    let all = &actor.all_roles;
    if !filter.role.is_empty() && all.by_slug(&filter.role).is_none() {
        return Err(Invalid::field("role", "There is no such role in this workspace.").into());
    }
    let backend = scope.connection().get_database_backend();
    let mut values: Vec<Value> = vec![scope.now_ms().into()];
    // Where the way does not depend on the counts, both come at once.
    let listed = match filter.is_narrow() {
        true => "NULL".to_owned(),
        false => gather(backend, &FIELDS, &filter.along_the_order(at, &mut values)?),
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
    let summary: Summary = scope.first(&sql, values).await?.ok_or(Refused::Hidden)?;
    let text = summary.headcounts.unwrap_or_default();
    let everybody: Vec<Headcount> = text.split(';').filter_map(Headcount::parse).collect();
    let rows = match filter.is_narrow() {
        true => narrowed(scope, filter, at, &everybody).await?,
        false => gathered(summary.listed.as_deref())?,
    };
    let page = Page::cut(rows, at, |row| row.cursor(filter.sort));
    let is_whole = page.before.is_none() && page.after.is_none();
    let total = match filter.text.is_empty() {
        true => Some(filter.people(&everybody)),
        false => i64::try_from(page.rows.len()).ok().filter(|_| is_whole),
    };
    let page = page.map(|row| row.seen_by(actor, all, summary.owners));
    let roles = roles::choices(all, &actor.holdings);
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
    let (few, all) = (filter.people(everybody), everybody.iter().map(|some| some.people).sum::<i64>());
    // So many rows would be passed to fill a page, if they are spread evenly.
    let is_rare = few * few <= all * i64::try_from(PAGE).unwrap_or(i64::MAX);
    let mut values = Vec::new();
    let sql = if is_rare && fitting.len() <= MOST_COMBINATIONS {
        filter.of_these(&fitting, at, &mut values)?
    } else {
        filter.along_the_order(at, &mut values)?
    };
    Ok(scope.list(&FIELDS, &sql, values).await?)
}

/// Combinations of roles that are asked for one by one.
const MOST_COMBINATIONS: usize = 16;

/// Adds a value to a statement; answers how it is called there. `$1` is the workspace.
fn bound(values: &mut Vec<Value>, value: &str) -> String {
    values.push(value.into());
    format!("${}", values.len() + 1)
}

impl Filter {
    /// The statement that goes along the order of the list until the page is full.
    fn along_the_order(&self, at: &Position, values: &mut Vec<Value>) -> Result<String, Refused> {
        let mut sql = format!("{ON_PAGE} WHERE m.workspace_id = $1");
        // Put together, a column is found by no index: the order's own is the one to go along.
        for (column, value) in [("m.status", &self.status), ("m.kind", &self.kind)] {
            if !value.is_empty() {
                sql.push_str(&format!(" AND {column} || '' = {}", bound(values, value)));
            }
        }
        if !self.role.is_empty() {
            let role = bound(values, &format!("% {} %", self.role));
            sql.push_str(&format!(" AND ' ' || m.role_set || ' ' LIKE {role}"));
        }
        self.page(sql, at, values)
    }

    /// The statement that fetches the few and sorts them.
    fn of_these(
        &self,
        few: &[&Headcount<'_>],
        at: &Position,
        values: &mut Vec<Value>,
    ) -> Result<String, Refused> {
        let some: Vec<String> = few
            .iter()
            .map(|some| {
                let (status, kind) = (bound(values, some.status), bound(values, some.kind));
                let role_set = bound(values, some.role_set);
                format!(
                    "SELECT * FROM members
                    WHERE workspace_id = $1 AND status = {status} AND kind = {kind} AND role_set = {role_set}"
                )
            })
            .collect();
        let (some, rows) = (some.join(" UNION ALL "), ON_PAGE.replace("members m", "fitting m"));
        let sql = format!("WITH fitting AS MATERIALIZED ({some}) {rows} WHERE m.workspace_id = $1");
        self.page(sql, at, values)
    }

    /// Ends a statement: the text, the page, and what is looked up for its rows alone.
    fn page(&self, mut sql: String, at: &Position, values: &mut Vec<Value>) -> Result<String, Refused> {
        if !self.text.is_empty() {
            let text = bound(values, &like(&folded(&self.text)));
            sql.push_str(&format!(" AND m.listed_as LIKE {text} ESCAPE '!'"));
        }
        let order = self.sort.order();
        order.finish(&mut sql, values, at)?;
        Ok(COLUMNS.replace("members m", &format!("({sql}) m")) + &order.clause(at))
    }

    /// Something beside the text narrows the list.
    fn is_narrow(&self) -> bool {
        !(self.role.is_empty() && self.status.is_empty() && self.kind.is_empty())
    }

    fn fits(&self, some: &Headcount<'_>) -> bool {
        (self.status.is_empty() || self.status == some.status)
            && (self.kind.is_empty() || self.kind == some.kind)
            && (self.role.is_empty() || some.role_set.split(' ').any(|role| role == self.role))
    }

    /// How many fit, the text aside.
    fn people(&self, everybody: &[Headcount<'_>]) -> i64 {
        everybody.iter().filter(|some| self.fits(some)).map(|some| some.people).sum()
    }
}

/// A pattern that finds `text` anywhere, whatever LIKE would read into it.
pub(in crate::domain) fn like(text: &str) -> String {
    like_exactly(&text.to_lowercase())
}

/// The same, in this case alone.
pub(in crate::domain) fn like_exactly(text: &str) -> String {
    let plain = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{plain}%")
}

/// Whether a column has in it what [`like`] made. Put so, PostgreSQL takes it for common, and goes along
/// the order until the page is full; otherwise it may fetch everybody and sort them.
pub(in crate::domain) fn has_text(column: &str, pattern: &str) -> String {
    format!("CASE WHEN {column} LIKE {pattern} ESCAPE '!' THEN 1 ELSE 0 END > 0")
}

impl Row {
    fn cursor(&self, sort: Sort) -> Cursor {
        let key = match sort {
            Sort::Name | Sort::NameDown => Key::Text(self.listed_as.clone()),
            Sort::Joined | Sort::JoinedUp => Key::Number(self.joined_at),
            Sort::Active | Sort::ActiveUp => Key::Number(self.last_active_at.unwrap_or(self.joined_at)),
        };
        Cursor::new(key, self.id)
    }

    pub(super) fn seen_by(self, viewer: &Actor, all: &Roles, active_owners: i64) -> Member {
        let held = all.joined(&self.role_set);
        let is_owner = held.iter().any(|role| role.is_owner);
        let is_active = self.status == "active";
        let refused = viewer.holdings.may_manage(&roles::holdings(&held)).err();
        Member {
            id: self.id,
            user_id: self.user_id,
            api_key_id: self.api_key_id,
            name: self.name,
            email: self.email,
            kind: self.kind,
            is_active,
            is_you: self.id == viewer.member_id,
            is_owner,
            // A key is none that counts, whatever it holds.
            is_last_owner: is_owner && is_active && self.user_id.is_some() && active_owners <= 1,
            origin: self.origin,
            invited_by: self.invited_by,
            joined_at: self.joined_at,
            last_active_at: self.last_active_at,
            roles: held.into_iter().cloned().collect(),
            refused,
        }
    }
}

/// One member, and what the viewer could do.
pub struct Detail {
    pub member: Member,
    /// Slugs of the roles that are the member's own; they may hold others through a team.
    pub own: Vec<String>,
    /// What the customer's own applications call them.
    pub external_id: Option<String>,
    pub teams: Vec<Place>,
    pub roles: Vec<Assignable>,
    /// Invitations that this member sent and nobody answered yet.
    pub invitations: i64,
    /// Ownership is offered to somebody at the moment.
    pub offer_pending: bool,
}

impl Detail {
    /// Stands for the member's own roles and status as they are now.
    pub fn version(&self) -> String {
        let own = self.roles.iter().map(|role| role.slug.as_str());
        let own = own.filter(|slug| self.own.iter().any(|held| held == slug));
        version(self.member.id, self.member.is_active, own)
    }

    /// Stands for what a program is told of the member.
    pub fn tag(&self) -> String {
        tag(&self.version(), &self.member.roles, self.external_id.as_deref())
    }
}

/// A team that somebody is in.
#[derive(Clone, Debug)]
pub struct Place {
    pub team: Uuid,
    pub name: String,
    pub is_lead: bool,
    /// The roles that the team carries.
    pub roles: Vec<Role>,
}

#[derive(Deserialize)]
struct PlaceRow {
    team_id: Uuid,
    name: String,
    leads: i64,
    roles: Option<String>,
}

/// The teams of the member `$4`.
const PLACES: &str = "SELECT t.id AS team_id, t.name, CASE WHEN tm.is_lead THEN 1 ELSE 0 END AS leads,
        (SELECT string_agg(r.slug, ' ') FROM team_roles tr
            JOIN roles r ON r.workspace_id = tr.workspace_id AND r.id = tr.role_id
            WHERE tr.workspace_id = t.workspace_id AND tr.team_id = t.id) AS roles
    FROM team_members tm CROSS JOIN teams t WHERE tm.workspace_id = $1 AND tm.member_id = $4
        AND t.workspace_id = tm.workspace_id AND t.id = tm.team_id
    ORDER BY t.listed_as";

#[derive(FromQueryResult)]
struct Around {
    owners: i64,
    invitations: i64,
    offers: i64,
    own: Option<String>,
    external_id: Option<String>,
    teams: Option<String>,
}

/// Looks at one member.
///
/// # Errors
/// [`Refused::Hidden`] where this workspace has no such member.
pub async fn detail<P>(scope: &ReadScope<P>, id: Uuid) -> Result<Detail, Refused>
where
    P: Access,
{
    let all = &scope.actor().all_roles;
    let row: Option<Row> =
        scope.first(&format!("{COLUMNS} WHERE m.workspace_id = $1 AND m.id = $2"), vec![id.into()]).await?;
    let row = row.ok_or(Refused::Hidden)?;
    let teams =
        gather(scope.connection().get_database_backend(), &["team_id", "name", "leads", "roles"], PLACES);
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM active_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM invitations n WHERE n.workspace_id = $1 AND n.status = 'pending'
                AND n.inviter_id = $2 AND n.inviter_key_id IS NULL AND n.expires_at > $3)
            + (SELECT COUNT(*) FROM invitations n WHERE n.workspace_id = $1 AND n.status = 'pending'
                AND n.inviter_key_id = m.api_key_id AND n.expires_at > $3) AS invitations,
            (SELECT COUNT(*) FROM ownership_offers f WHERE f.workspace_id = $1 AND f.status = 'pending'
                AND f.expires_at > $3) AS offers,
            {OWN_ROLES} AS own, m.external_id, {teams} AS teams
        FROM members m WHERE m.workspace_id = $1 AND m.id = $4"
    );
    let values = vec![row.user_id.into(), scope.now_ms().into(), id.into()];
    let around: Around = scope.first(&sql, values).await?.ok_or(Refused::Hidden)?;
    let teams: Vec<PlaceRow> = gathered(around.teams.as_deref())?;
    let place = |row: PlaceRow| Place {
        team: row.team_id,
        name: row.name,
        is_lead: row.leads == 1,
        roles: all.joined(row.roles.as_deref().unwrap_or_default()).into_iter().cloned().collect(),
    };
    Ok(Detail {
        own: around.own.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect(),
        external_id: around.external_id,
        teams: teams.into_iter().map(place).collect(),
        member: row.seen_by(scope.actor(), all, around.owners),
        roles: roles::choices(all, &scope.actor().holdings),
        invitations: around.invitations,
        offer_pending: around.offers > 0,
    })
}

/// What the viewer may do to a member, beside holding the permission: used to draw no button that
/// would be refused.
pub fn may_act(viewer: &Actor, member: &Member, permission: Permission) -> bool {
    viewer.holdings.has(permission) && member.refused.is_none()
}
