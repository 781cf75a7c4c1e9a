//! Links by which several people can join: made, listed with who used them, revoked.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::Conflict,
            event::Recorded,
            invalid::Invalid,
            limits,
            paging::{Cursor, Key, Order, Page, Position},
            principal::Actor,
            refused::Refused,
            role,
            tokens::{Purpose, Token},
            values::Title,
            words::signature,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::joining::{
            events::{JoinLinkCreated, JoinLinkRevoked, link_target},
            parse_domain, without_owner,
        },
        records::{
            inviters::InviterId,
            mail::may_send,
            offered_teams::{self, may_offer},
        },
    },
    entity::{join_link, join_link_role, join_link_team},
    policy::{Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, FromQueryResult};
use serde::Deserialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most open links of a workspace.
pub const MAX_OPEN: i64 = 50;

/// The most people who can join by one link.
pub const MAX_USES: i64 = 1_000;

/// The longest that a link works, in days.
pub const MAX_DAYS: i64 = 90;

/// The most domains of one link.
const MAX_DOMAINS: usize = 20;

pub const LINK_OVER: Conflict =
    Conflict::new("join-link-over", "This link no longer works, so it can't be revoked.");

/// A link to make.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// What the workspace calls it.
    pub name: Title,
    /// Slugs of roles.
    pub roles: Vec<String>,
    pub teams: Vec<Uuid>,
    /// How many days it works.
    pub days: i64,
    pub max_uses: i64,
    /// As typed: domains separated by commas, spaces or line breaks. Empty for addresses at any domain.
    pub domains: String,
}

/// A link with its address, which is shown only once.
#[derive(Clone, Debug)]
pub struct CreatedLink {
    pub id: Uuid,
    pub name: String,
    pub link: String,
    pub expires_at: Timestamp,
}

/// Makes a link. What it offers must be what the actor could invite with.
///
/// # Errors
/// [`Refused::Invalid`] on `role`, `team`, `days`, `max_uses`, `domains` or `name`; [`Refused::Ceiling`];
/// [`Refused::Prerequisite`] to somebody whose address is not confirmed; [`Refused::RateLimited`].
pub async fn create(scope: ReadScope<perm::InviteMembers>, new: &NewLink) -> Result<CreatedLink, Refused> {
    if let Err(refused) = may_send(scope.actor()) {
        return Err(scope.refuse(refused).await);
    }
    let mut invalid = Invalid::default();
    if !(1..=MAX_DAYS).contains(&new.days) {
        invalid.add("days", format!("Choose between 1 and {MAX_DAYS} days."));
    }
    if !(1..=MAX_USES).contains(&new.max_uses) {
        invalid.add("max_uses", format!("Choose between 1 and {MAX_USES} people."));
    }
    let domains = invalid.check_all(parse_domains(&new.domains));
    let roles = invalid.check_all(scope.actor().all_roles.chosen(&new.roles).map(drop));
    let (Some(domains), Some(()), true) = (domains, roles, invalid.is_empty()) else {
        return Err(invalid.into());
    };
    let maker = scope.actor().principal.accountable_user().to_string();
    limits::JOIN_LINK.spend(scope.db(), &maker, 1).await?;
    scope.write(async |s| insert(s, new, domains).await).await
}

/// The domains of a form, each once, in order.
fn parse_domains(text: &str) -> Result<BTreeSet<String>, Invalid> {
    let mut domains = BTreeSet::new();
    let words = text.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    for word in words.filter(|word| !word.is_empty()) {
        let complaint = |complaint| {
            let shown: String = word.chars().take(80).collect();
            Invalid::field("domains", format!("“{shown}”: {complaint}"))
        };
        domains.insert(parse_domain(word).map_err(complaint)?);
    }
    match domains.len() > MAX_DOMAINS {
        true => Err(Invalid::field("domains", format!("Name at most {MAX_DOMAINS} domains."))),
        false => Ok(domains),
    }
}

#[derive(FromQueryResult)]
struct Count {
    links: i64,
}

async fn insert(
    s: &mut WriteScope<perm::InviteMembers>,
    new: &NewLink,
    domains: BTreeSet<String>,
) -> Result<Recorded<CreatedLink>, Refused> {
    let all = s.actor().all_roles.clone();
    let roles = all.chosen(&new.roles)?;
    let teams = offered_teams::chosen(s, &new.teams, &all).await?;
    may_offer(&s.actor().holdings, &roles, &teams)?;
    without_owner(&roles)?;
    let sql = "SELECT COUNT(*) AS links FROM join_links
        WHERE workspace_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND uses < max_uses";
    let open: Option<Count> = s.first(sql, vec![s.now().into()]).await?;
    if open.is_some_and(|open| open.links >= MAX_OPEN) {
        let sentence = format!("The workspace already has {MAX_OPEN} links that work. Revoke one first.");
        return Err(Invalid::field("name", sentence).into());
    }
    let (id, token, by) = (random::id(s.now()), Token::new(Purpose::JoinLink), InviterId::of(s.actor()));
    let expires_at = s.now() + new.days * DAY;
    let domains: Vec<String> = domains.into_iter().collect();
    let row = join_link::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        token_hash: Set(token.hash()),
        name: Set(new.name.to_string()),
        inviter_id: Set(by.user),
        inviter_key_id: Set(by.key),
        domains: Set(domains.join(" ")),
        max_uses: Set(new.max_uses),
        uses: Set(0),
        created_at: Set(s.now()),
        expires_at: Set(expires_at),
        revoked_at: Set(None),
    };
    s.open().insert(row).await?;
    for role in &roles {
        let (workspace_id, link_id, role_id) = (Set(s.workspace_id()), Set(id), Set(role.id));
        s.open().insert(join_link_role::ActiveModel { workspace_id, link_id, role_id }).await?;
    }
    for team in &teams {
        let (workspace_id, link_id, team_id) = (Set(s.workspace_id()), Set(id), Set(team.id));
        s.open().insert(join_link_team::ActiveModel { workspace_id, link_id, team_id }).await?;
    }
    let event = JoinLinkCreated {
        roles: role::names(&roles),
        teams: offered_teams::names(&teams),
        max_uses: new.max_uses,
        expires_at,
        domains,
    };
    let link = format!("{}/join-links/{}", s.open().db.public_url(), token.expose());
    let target = link_target(id, new.name.as_str());
    let created = CreatedLink { id, name: new.name.to_string(), link, expires_at };
    Ok(Recorded::new(created, event, target))
}

/// A link as its workspace sees it. Its address is known to nobody but those who were given it.
#[derive(Clone, Debug)]
pub struct JoinLink {
    pub id: Uuid,
    pub name: String,
    /// The name of the person or key that answers for it, and the address of the person; `None` for a key.
    pub inviter: String,
    pub inviter_email: Option<String>,
    pub roles: Vec<String>,
    pub role_slugs: Vec<String>,
    /// Empty for a viewer who may not see teams.
    pub teams: Vec<String>,
    pub domains: Vec<String>,
    pub max_uses: i64,
    pub uses: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// `open`, `used-up`, `expired` or `revoked`.
    pub status: &'static str,
}

impl JoinLink {
    /// The name of whoever answers for it, with what tells it from the same name of another.
    pub fn signature(&self) -> String {
        signature(&self.inviter, self.inviter_email.as_deref().unwrap_or("API key"))
    }

    pub fn is_open(&self) -> bool {
        self.status == "open"
    }
}

#[derive(Clone, Deserialize)]
struct Row {
    id: Uuid,
    name: String,
    inviter: String,
    inviter_email: Option<String>,
    roles: Option<String>,
    teams: Option<String>,
    domains: String,
    max_uses: i64,
    uses: i64,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 12] = [
    "id",
    "name",
    "inviter",
    "inviter_email",
    "roles",
    "teams",
    "domains",
    "max_uses",
    "uses",
    "created_at",
    "expires_at",
    "revoked_at",
];

const COLUMNS: &str = "SELECT l.id, l.name, COALESCE(k.name, u.name) AS inviter,
        CASE WHEN k.id IS NULL THEN u.email END AS inviter_email,
        (SELECT string_agg(r.slug, ' ') FROM join_link_roles lr
            JOIN roles r ON r.workspace_id = lr.workspace_id AND r.id = lr.role_id
            WHERE lr.workspace_id = l.workspace_id AND lr.link_id = l.id) AS roles,
        (SELECT string_agg(t.name, '\n') FROM join_link_teams lt
            JOIN teams t ON t.workspace_id = lt.workspace_id AND t.id = lt.team_id
            WHERE lt.workspace_id = l.workspace_id AND lt.link_id = l.id) AS teams,
        l.domains, l.max_uses, l.uses, l.created_at, l.expires_at, l.revoked_at
    FROM join_links l JOIN users u ON u.id = l.inviter_id
        LEFT JOIN api_keys k ON k.id = l.inviter_key_id WHERE l.workspace_id = $1";

impl Row {
    fn at(self, viewer: &Actor, now: Timestamp) -> JoinLink {
        let teams = self.teams.filter(|_| viewer.holdings.has(Permission::ReadTeams));
        let roles = viewer.all_roles.parse_slugs(self.roles.as_deref().unwrap_or_default());
        let status = match () {
            () if self.revoked_at.is_some() => "revoked",
            () if self.uses >= self.max_uses => "used-up",
            () if self.expires_at <= now => "expired",
            () => "open",
        };
        JoinLink {
            id: self.id,
            name: self.name,
            inviter: self.inviter,
            inviter_email: self.inviter_email,
            role_slugs: roles.iter().map(|role| role.slug.clone()).collect(),
            roles: role::names(&roles),
            teams: teams.iter().flat_map(|names| names.lines()).map(str::to_owned).collect(),
            domains: self.domains.split_ascii_whitespace().map(str::to_owned).collect(),
            max_uses: self.max_uses,
            uses: self.uses,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            status,
        }
    }
}

/// Lists links, the latest first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadInvitations>,
    at: &Position,
) -> Result<Page<JoinLink>, Refused> {
    let (mut sql, mut values) = (COLUMNS.to_owned(), Vec::new());
    let order = Order { column: "l.created_at", is_text: false, id: "l.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    let page = Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.created_at.as_millis()), row.id));
    Ok(page.map(|row| row.at(scope.actor(), scope.now())))
}

async fn load(scope: &impl Scoped, viewer: &Actor, now: Timestamp, id: Uuid) -> Result<JoinLink, Refused> {
    let rows: Vec<Row> = scope.list(&FIELDS, &format!("{COLUMNS} AND l.id = $2"), vec![id.into()]).await?;
    rows.into_iter().next().map(|row| row.at(viewer, now)).ok_or(Refused::NotFound)
}

/// Somebody who joined by a link.
#[derive(Clone, Debug, Deserialize)]
pub struct JoinLinkUse {
    pub user_id: Uuid,
    pub name: String,
    pub email: String,
    pub used_at: Timestamp,
    /// Their membership, if they still have it.
    pub member_id: Option<Uuid>,
}

/// One link, and a page of those who joined by it, the latest first.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such link.
pub async fn get(
    scope: &ReadScope<perm::ReadInvitations>,
    id: Uuid,
    at: &Position,
) -> Result<(JoinLink, Page<JoinLinkUse>), Refused> {
    let link = load(scope, scope.actor(), scope.now(), id).await?;
    let mut sql = "SELECT o.user_id, p.name, p.email, o.used_at, m.id AS member_id FROM join_link_uses o
            JOIN users p ON p.id = o.user_id
            LEFT JOIN members m ON m.workspace_id = o.workspace_id AND m.user_id = o.user_id
            WHERE o.workspace_id = $1 AND o.link_id = $2"
        .to_owned();
    let mut values = vec![id.into()];
    let order = Order { column: "o.used_at", is_text: false, id: "o.user_id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let fields = ["user_id", "name", "email", "used_at", "member_id"];
    let rows: Vec<JoinLinkUse> = scope.list(&fields, &sql, values).await?;
    let cursor = |row: &JoinLinkUse| Cursor::new(Key::Number(row.used_at.as_millis()), row.user_id);
    Ok((link, Page::from_rows(rows, at, cursor)))
}

/// Revokes a link: from then on it says so. Returns its name.
///
/// # Errors
/// [`Refused::NotFound`], [`LINK_OVER`].
pub async fn revoke(
    s: &mut WriteScope<perm::CancelInvitations>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let link = load(s, s.actor(), s.now(), id).await?;
    let sql =
        "UPDATE join_links SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL
        AND expires_at > $3 AND uses < max_uses";
    if s.run(sql, vec![id.into(), s.now().into()]).await? != 1 {
        return Err(LINK_OVER.into());
    }
    let target = link_target(id, &link.name);
    Ok(Recorded::new(link.name, JoinLinkRevoked { uses: link.uses }, target))
}
