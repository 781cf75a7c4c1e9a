//! Data for load tests. It is inserted in bulk, because a million rows would take the functions
//! that requests call too long. For data made by those functions, see `demo`.

use crate::{
    clock::{DAY, HOUR, Timestamp},
    domain::{
        base::{
            db::Db,
            event::{RecordedEvent, Target},
            hash_queue::Party,
            principal::{Channel, Origin, Person},
            refused::Refused,
            role::RoleIds,
            sql::Sql,
            values::{Name, Slug},
        },
        enforce::{
            audit::{self, ChainHead, EventContext},
            chain::Chain,
            events::AccessRefused,
        },
        nouns::{
            api_keys,
            identity::Password,
            members::{
                self,
                events::{MemberReactivated, MemberRolesChanged, MemberSuspended},
            },
            workspaces,
        },
        records::members::MEMBER,
    },
    policy::{BuiltIn, Setup},
    random,
};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

pub(super) async fn people(db: &Db) -> Result<i64, Refused> {
    let row: Option<Count> = db.read().first("SELECT COUNT(*) AS count FROM users", Vec::new()).await?;
    Ok(row.map_or(0, |row| row.count))
}

fn origin(route: &str) -> Origin {
    Origin {
        via: Channel::Command,
        address: String::new(),
        user_agent: String::new(),
        route: route.into(),
        attempt: None,
    }
}

/// Inserts a person whose address counts as confirmed.
pub(super) async fn insert_person(
    tx: &DatabaseTransaction,
    name: &str,
    email: &str,
    hash: &str,
    now: Timestamp,
) -> Result<Uuid, Refused> {
    let id = random::id(now);
    let sql = "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $5)";
    tx.run(sql, vec![id.into(), email.into(), name.into(), hash.into(), now.into()]).await?;
    Ok(id)
}

pub(super) fn read<T>(parsed: Result<T, crate::domain::base::text_rule::Complaint>) -> Result<T, Refused> {
    parsed.map_err(Refused::NotAllowed)
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

pub(super) async fn by_email(db: &Db, sql: &str, email: &str) -> Result<Uuid, Refused> {
    let row: Option<Id> = db.read().first(sql, vec![email.into()]).await?;
    row.map(|row| row.id).ok_or(Refused::NotFound)
}

/// How much data to add.
pub struct Size {
    pub workspaces: u32,
    /// Members of each workspace, its Owner included.
    pub members: u32,
    /// Invitations of each, in all states.
    pub invitations: u32,
    /// Audit events of each workspace, beside that of its creation.
    pub events: u32,
    /// API keys of each, which are Owners.
    pub keys: u32,
}

const SEED_PASSWORD: &str = "load test data only";

/// In milliseconds.
const YEAR: i64 = 365 * DAY;

/// Adds workspaces `seed-1`, `seed-2` and so on. Returns their sign-ins as JSON.
///
/// # Errors
/// The database's own.
pub async fn seed(db: &Db, size: &Size) -> Result<String, Refused> {
    let password = Password::parse(SEED_PASSWORD, &[]).map_err(Refused::NotAllowed)?;
    let hash = db.passwords().hash(&password, Party::known("", "seed")).await?;
    let sql = "SELECT COUNT(*) AS count FROM workspaces WHERE slug LIKE 'seed-%'";
    let before: Option<Count> = db.read().first(sql, Vec::new()).await?;
    let first = before.map_or(0, |row| row.count) + 1;
    let mut made = Vec::new();
    for number in first..first + i64::from(size.workspaces) {
        let keys = seed_workspace(db, number, size, &hash).await?;
        let email = |member: i64| format!("member-{member}@seed-{number}.example.com");
        made.push(json!({
            "slug": format!("seed-{number}"),
            "owner": email(1),
            "admin": if size.members > 1 { json!(email(2)) } else { json!(null) },
            "api_keys": keys,
            "viewer": if size.members > 5 { json!(email(6)) } else { json!(null) },
        }));
    }
    Ok(json!({ "password": SEED_PASSWORD, "workspaces": made }).to_string())
}

/// Returns the secrets of its keys.
async fn seed_workspace(db: &Db, number: i64, size: &Size, hash: &str) -> Result<Vec<String>, Refused> {
    let name = read(Name::parse(&format!("Seed {number}")))?;
    let slug = read(Slug::parse(&format!("seed-{number}")))?;
    let owner = seed_owner(db, number, hash).await?;
    workspaces::create_unlimited(db, &owner, None, &name, &slug, Setup::Usual, &origin("seed")).await?;
    let workspace = by_email(db, "SELECT id FROM workspaces WHERE slug = $1", slug.as_str()).await?;
    let (tx, now) = (db.begin().await?, db.now());
    let roles = built_in_roles(&tx, workspace).await?;
    let mut members = Vec::new();
    for member in 2..=i64::from(size.members) {
        members.push(seed_member(&tx, workspace, (number, member), (&owner, &roles, hash), now).await?);
    }
    if let Some(least) = roles.last() {
        seed_invitations(&tx, workspace, owner.user_id, *least, size.invitations, now).await?;
    }
    let sql = "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
        SELECT w.account_id, m.user_id, 1 = 0, m.joined_at, m.listed_as FROM workspaces w
        JOIN members m ON m.workspace_id = w.id WHERE w.id = $1 AND m.user_id <> $2";
    tx.run(sql, vec![workspace.into(), owner.user_id.into()]).await?;
    seed_events(&tx, workspace, &owner, &members, size.events, now).await?;
    let mut keys = Vec::new();
    for number in 1..=size.keys {
        keys.push(seed_key(&tx, workspace, owner.user_id, roles[0], number, now).await?);
    }
    tx.commit().await?;
    Ok(keys)
}

async fn seed_owner(db: &Db, number: i64, hash: &str) -> Result<Person, Refused> {
    let (name, email) = (format!("Member 1 of Seed {number}"), format!("member-1@seed-{number}.example.com"));
    let tx = db.begin().await?;
    let id = insert_person(&tx, &name, &email, hash, db.now() - YEAR).await?;
    tx.commit().await?;
    Ok(Person { session_id: id, user_id: id, name, email, is_verified: true })
}

/// In the order of [`BuiltIn::ALL`].
async fn built_in_roles(tx: &DatabaseTransaction, workspace: Uuid) -> Result<Vec<Uuid>, Refused> {
    let mut roles = Vec::new();
    for role in BuiltIn::ALL {
        let sql = "SELECT id FROM roles WHERE workspace_id = $1 AND slug = $2";
        let row: Option<Id> = tx.first(sql, vec![workspace.into(), role.slug().into()]).await?;
        roles.push(row.map(|row| row.id).ok_or(Refused::NotFound)?);
    }
    Ok(roles)
}

/// A member as the target of events.
struct Seeded {
    id: Uuid,
    user: Uuid,
    name: String,
    email: String,
}

impl Seeded {
    fn target(&self) -> Target {
        Target::new(MEMBER, self.id, &self.name).of(Some(self.user), &self.email)
    }
}

/// Members joined over the last year, so that times differ.
async fn seed_member(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    (seed, member): (i64, i64),
    (owner, roles, hash): (&Person, &[Uuid], &str),
    now: Timestamp,
) -> Result<Seeded, Refused> {
    let joined = now - YEAR + member * HOUR % YEAR;
    let (name, email) =
        (format!("Member {member} of Seed {seed}"), format!("member-{member}@seed-{seed}.example.com"));
    let user = insert_person(tx, &name, &email, hash, joined).await?;
    let id = random::id(joined);
    let sql = "INSERT INTO members (workspace_id, id, kind, user_id, status, origin, invited_by, joined_at,
            last_active_at, listed_as)
        VALUES ($1, $2, 'user', $3, $4, 'invitation', $5, $6, $7, $8)";
    let status = if member % 50 == 0 { "suspended" } else { "active" };
    let seen = now - member * HOUR % (200 * DAY);
    let values = vec![
        workspace.into(),
        id.into(),
        user.into(),
        status.into(),
        owner.user_id.into(),
        joined.into(),
        seen.into(),
        members::sort_key(&name, &email).into(),
    ];
    tx.run(sql, values).await?;
    // Admin, Developer, … Support, then round again; nobody but the first is an Owner.
    let role = usize::try_from((member - 2) % 6 + 1).unwrap_or(1);
    let sql = "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ($1, $2, $3)";
    tx.run(sql, vec![workspace.into(), id.into(), roles[role].into()]).await?;
    Ok(Seeded { id, user, name, email })
}

async fn seed_key(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    owner: Uuid,
    role: Uuid,
    number: u32,
    now: Timestamp,
) -> Result<String, Refused> {
    let (id, member, name) = (random::id(now), random::id(now), format!("Key {number}"));
    let sql = "INSERT INTO api_keys (id, account_id, name, is_admin, home_id, made_by, created_at)
        SELECT $2, w.account_id, $3, $4, w.id, $5, $6 FROM workspaces w WHERE w.id = $1";
    let values =
        vec![workspace.into(), id.into(), name.as_str().into(), false.into(), owner.into(), now.into()];
    tx.run(sql, values).await?;
    let secret = api_keys::new_secret(tx, id, owner, now).await?;
    let sql =
        "INSERT INTO members (workspace_id, id, kind, api_key_id, status, origin, invited_by, vouched_by,
            joined_at, listed_as) VALUES ($1, $2, 'api_key', $3, 'active', 'account', $4, $4, $5, $6)";
    let sort_key = members::sort_key(&name, "");
    let values = vec![workspace.into(), member.into(), id.into(), owner.into(), now.into(), sort_key.into()];
    tx.run(sql, values).await?;
    let sql = "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ($1, $2, $3)";
    tx.run(sql, vec![workspace.into(), member.into(), role.into()]).await?;
    Ok(secret.expose().to_owned())
}

async fn seed_invitations(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    inviter: Uuid,
    role: Uuid,
    invitations: u32,
    now: Timestamp,
) -> Result<(), Refused> {
    for number in 0..i64::from(invitations) {
        let sent = now - number * HOUR % (365 * DAY);
        let (id, expires) = (random::id(sent), sent + 7 * DAY);
        // What waits can still be answered; the rest was, or never will be.
        let status = match number % 5 {
            _ if number < 100 => "pending",
            0 => "expired",
            1 => "cancelled",
            2 => "declined",
            _ => "accepted",
        };
        let sql = "INSERT INTO invitations (workspace_id, id, email, message, status, inviter_id, created_at, sent_at, expires_at, ended_at)
            VALUES ($1, $2, $3, '', $4, $5, $6, $6, $7, $8)";
        let ended = (status != "pending").then_some(expires);
        let values = vec![
            workspace.into(),
            id.into(),
            format!("invited-{number}@example.com").into(),
            status.into(),
            inviter.into(),
            sent.into(),
            expires.into(),
            ended.into(),
        ];
        tx.run(sql, values).await?;
        let sql = "INSERT INTO invitation_roles (workspace_id, invitation_id, role_id) VALUES ($1, $2, $3)";
        tx.run(sql, vec![workspace.into(), id.into(), role.into()]).await?;
    }
    Ok(())
}

/// Events that share a moment and an outcome.
const AT_ONCE: u32 = 50;

/// A year of events: nine parts done, one refused.
async fn seed_events(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    owner: &Person,
    members: &[Seeded],
    events: u32,
    now: Timestamp,
) -> Result<(), Refused> {
    let mut head = ChainHead::lock(tx, Chain::Workspace(workspace)).await?;
    let actor = owner.audit_actor();
    let origin = origin("seed");
    let mut members = members.iter().cycle();
    for first in (0..events).step_by(AT_ONCE as usize) {
        let is_refusal = first / AT_ONCE % 10 == 9;
        let batch: Vec<_> = (first..events.min(first + AT_ONCE))
            .map(|number| {
                let target = members.next().map_or_else(Target::nothing, Seeded::target);
                seed_event(number, is_refusal, target)
            })
            .collect();
        let at = now - 365 * DAY * i64::from(events - first) / i64::from(events);
        let context = EventContext { actor: &actor, origin: &origin, at };
        audit::append(tx, &mut head, &context, &batch).await?;
    }
    Ok(())
}

fn seed_event(number: u32, is_refusal: bool, target: Target) -> RecordedEvent {
    let (before, after) = if number.is_multiple_of(2) { ("Viewer", "Editor") } else { ("Editor", "Viewer") };
    let (before, after) = (vec![before.to_owned()], vec![after.to_owned()]);
    match number % 10 {
        _ if is_refusal => RecordedEvent::new(AccessRefused::once("seed".into(), "seed".into()), target),
        9 => RecordedEvent::new(MemberSuspended { roles: before }, target),
        8 => RecordedEvent::new(MemberReactivated { roles: before }, target),
        _ => RecordedEvent::new(MemberRolesChanged { before, after, ids: RoleIds::default() }, target),
    }
}
