//! Data for a first look (`demo`) and for load tests (`seed`).
//!
//! The demo is made by the same functions that requests call, so that it shows what they do. The
//! load data is inserted in bulk, because a million rows would take them too long.

use super::{
    Db, Event, Name, Refused, Slug, Target, TargetKind, Token,
    audit::{self, Actor, Circumstances, Head, Outcome},
    db::Sql,
    identity::{self, Password, Person},
    invitations::{self, Batch},
    members,
    scope::{Credential, Origin, ReadScope, Via},
    security::{self, Wanted},
    workspaces,
};
use crate::{
    clock::{DAY, HOUR},
    policy::{BuiltIn, Permission, perm},
    random,
};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

/// Of everybody in the demo. It guards nothing that is worth having.
const DEMO_PASSWORD: &str = "look around the demo";

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn people(db: &Db) -> Result<i64, Refused> {
    let row: Option<Count> = db.read().first("SELECT COUNT(*) AS count FROM users", Vec::new()).await?;
    Ok(row.map_or(0, |row| row.count))
}

fn origin(route: &str) -> Origin {
    Origin { via: Via::Command, address: String::new(), user_agent: String::new(), route: route.into() }
}

/// Inserts a person whose address counts as confirmed.
async fn insert_person(
    tx: &DatabaseTransaction,
    name: &str,
    email: &str,
    hash: &str,
    now: i64,
) -> Result<Uuid, Refused> {
    let id = random::id(now);
    let sql = "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $5)";
    tx.run(sql, vec![id.into(), email.into(), name.into(), hash.into(), now.into()]).await?;
    Ok(id)
}

/// A demo person signs in, as a browser would.
struct Visitor {
    person: Person,
    credential: Credential,
}

impl Visitor {
    async fn sign_in(db: &Db, email: &str) -> Result<Self, Refused> {
        let token = identity::sign_in(db, email, DEMO_PASSWORD, None, &origin("demo")).await?;
        let credential = Credential::of_session(&token);
        Ok(Self { person: identity::who(db, &credential).await?, credential })
    }

    async fn admit<P: crate::policy::Access>(&self, db: &Db, slug: &Slug) -> Result<ReadScope<P>, Refused> {
        ReadScope::admit(db, self.credential.clone(), slug.as_str(), origin("GET /w/{workspace}/activity"))
            .await
    }

    async fn sign_out(self, db: &Db) -> Result<(), Refused> {
        identity::sign_out(db, &self.person, &origin("demo")).await
    }
}

fn demo_email(role: BuiltIn) -> String {
    format!("{}@example.com", role.slug())
}

/// Fills an empty database with a workspace that has one person per role. Answers how to sign in.
/// A database that holds the demo already is left as it is.
///
/// # Errors
/// [`Refused::NotAllowed`] where the database holds something else.
pub async fn demo(db: &Db) -> Result<String, Refused> {
    let sql = "SELECT COUNT(*) AS count FROM workspaces WHERE slug = 'demo'";
    let made: Option<Count> = db.read().first(sql, Vec::new()).await?;
    if made.is_some_and(|made| made.count > 0) {
        return Ok(welcome());
    }
    if people(db).await? > 0 {
        return Err(Refused::NotAllowed(
            "the demo wants an empty database: name one with BAILIWICK_DATABASE_URL, such as sqlite://data/demo.db",
        ));
    }
    fill(db).await?;
    Ok(welcome())
}

async fn fill(db: &Db) -> Result<(), Refused> {
    let password = Password::parse(DEMO_PASSWORD, &[]).map_err(Refused::NotAllowed)?;
    let hash = db.passwords().hash(&password).await?;
    let tx = db.begin().await?;
    for role in BuiltIn::ALL {
        insert_person(&tx, &format!("Demo {}", role.name()), &demo_email(role), &hash, db.now_ms()).await?;
    }
    for (name, email) in
        [("Demo Second Owner", "second@example.com"), ("Demo Former Member", "former@example.com")]
    {
        insert_person(&tx, name, email, &hash, db.now_ms()).await?;
    }
    tx.commit().await?;
    let owner = Visitor::sign_in(db, &demo_email(BuiltIn::Owner)).await?;
    let (name, slug) = (read(Name::parse("Demo Company"))?, read(Slug::parse("demo"))?);
    workspaces::create(db, &owner.person, None, &name, &slug, &origin("demo")).await?;
    for role in BuiltIn::ALL.into_iter().filter(|role| *role != BuiltIn::Owner) {
        join(db, &owner, &slug, &demo_email(role), &[role]).await?;
    }
    join(db, &owner, &slug, "second@example.com", &[BuiltIn::Owner, BuiltIn::Developer]).await?;
    join(db, &owner, &slug, "former@example.com", &[BuiltIn::Viewer]).await?;
    happenings(db, &owner, &slug).await?;
    owner.sign_out(db).await
}

fn read<T>(parsed: Result<T, super::Complaint>) -> Result<T, Refused> {
    parsed.map_err(Refused::NotAllowed)
}

async fn invite(
    db: &Db,
    by: &Visitor,
    slug: &Slug,
    emails: &str,
    roles: &[BuiltIn],
) -> Result<Vec<String>, Refused> {
    let scope = by.admit::<perm::InviteMembers>(db, slug).await?;
    let roles = roles.iter().map(|role| role.slug().to_owned()).collect();
    let message = read(super::Message::parse("Welcome to the demo."))?;
    let sent = invitations::send(scope, Batch { emails: emails.into(), roles, message }).await?;
    let links = sent.into_iter().filter_map(|sent| match sent.outcome {
        invitations::Outcome::Sent { link } => Some(link),
        _ => None,
    });
    Ok(links.collect())
}

async fn join(db: &Db, by: &Visitor, slug: &Slug, email: &str, roles: &[BuiltIn]) -> Result<(), Refused> {
    for link in invite(db, by, slug, email, roles).await? {
        let secret = link.rsplit('/').next().unwrap_or("");
        let token = Token::parse(super::Purpose::Invitation, secret).ok_or(Refused::Hidden)?;
        let visitor = Visitor::sign_in(db, email).await?;
        invitations::accept(db, &visitor.person, &token, &origin("demo")).await?;
        visitor.sign_out(db).await?;
    }
    Ok(())
}

/// Something for every page to show.
async fn happenings(db: &Db, owner: &Visitor, slug: &Slug) -> Result<(), Refused> {
    invite(db, owner, slug, "new.developer@example.com", &[BuiltIn::Developer]).await?;
    invite(db, owner, slug, "new.editor@example.com, new.viewer@example.com", &[BuiltIn::Editor]).await?;
    let withdrawn =
        by_email(db, "SELECT id FROM invitations WHERE email = $1", "new.viewer@example.com").await?;
    let scope = owner.admit::<perm::CancelInvitations>(db, slug).await?;
    scope.write(async |s| invitations::cancel(s, withdrawn).await).await?;
    let sql = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = $1";
    let former = by_email(db, sql, "former@example.com").await?;
    let scope = owner.admit::<perm::SuspendMembers>(db, slug).await?;
    scope.write(async |s| members::suspend(s, former).await).await?;
    let support = by_email(db, sql, &demo_email(BuiltIn::Support)).await?;
    let both = [BuiltIn::Support.slug().to_owned(), BuiltIn::Viewer.slug().to_owned()];
    let scope = owner.admit::<perm::UpdateMemberRoles>(db, slug).await?;
    scope.write(async |s| members::change_roles(s, support, &both).await).await?;
    let rows = security::matrix(&owner.admit(db, slug).await?).await?;
    let export = rows.iter().find(|row| row.permission == Permission::ExportData).ok_or(Refused::Hidden)?;
    let roles = vec![BuiltIn::Admin.slug().to_owned(), BuiltIn::Billing.slug().to_owned()];
    let wanted =
        Wanted { permission: export.permission, roles, version: export.version.clone(), confirmed: false };
    let scope = owner.admit::<perm::UpdatePermissions>(db, slug).await?;
    scope.write(async |s| security::set(s, &wanted).await).await?;
    let viewer = Visitor::sign_in(db, &demo_email(BuiltIn::Viewer)).await?;
    // Refused, so that the record shows what that looks like.
    let _ = viewer.admit::<perm::ReadAudit>(db, slug).await;
    viewer.sign_out(db).await
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

async fn by_email(db: &Db, sql: &str, email: &str) -> Result<Uuid, Refused> {
    let row: Option<Id> = db.read().first(sql, vec![email.into()]).await?;
    row.map(|row| row.id).ok_or(Refused::Hidden)
}

fn welcome() -> String {
    let mut text = String::from("Sign in to the demo as any of these:\n\n");
    for role in BuiltIn::ALL {
        text.push_str(&format!("  {:<24} {}\n", demo_email(role), role.name()));
    }
    text.push_str(
        "  second@example.com       Owner and Developer\n  former@example.com       Viewer, suspended\n",
    );
    text.push_str(&format!("\nTheir password: {DEMO_PASSWORD}\n"));
    text
}

/// How much data to add.
pub struct Size {
    pub workspaces: u32,
    /// Members of each workspace, its Owner included.
    pub members: u32,
    /// Invitations of each, in all states.
    pub invitations: u32,
    /// Audit events of each workspace, beside the one that founds it.
    pub events: u32,
}

const SEED_PASSWORD: &str = "load test data only";

/// Adds workspaces `seed-1`, `seed-2` and so on. Answers their sign-ins as JSON.
///
/// # Errors
/// The database's own.
pub async fn seed(db: &Db, size: &Size) -> Result<String, Refused> {
    let password = Password::parse(SEED_PASSWORD, &[]).map_err(Refused::NotAllowed)?;
    let hash = db.passwords().hash(&password).await?;
    let sql = "SELECT COUNT(*) AS count FROM workspaces WHERE slug LIKE 'seed-%'";
    let before: Option<Count> = db.read().first(sql, Vec::new()).await?;
    let first = before.map_or(0, |row| row.count) + 1;
    let mut made = Vec::new();
    for number in first..first + i64::from(size.workspaces) {
        seed_workspace(db, number, size, &hash).await?;
        let email = |member: i64| format!("member-{member}@seed-{number}.example.com");
        made.push(json!({
            "slug": format!("seed-{number}"),
            "owner": email(1),
            "admin": if size.members > 1 { json!(email(2)) } else { json!(null) },
            "viewer": if size.members > 5 { json!(email(6)) } else { json!(null) },
        }));
    }
    Ok(json!({ "password": SEED_PASSWORD, "workspaces": made }).to_string())
}

async fn seed_workspace(db: &Db, number: i64, size: &Size, hash: &str) -> Result<(), Refused> {
    // A past that spreads over a year, so that times differ.
    let (now, year) = (db.now_ms(), 365 * DAY);
    let name = read(Name::parse(&format!("Seed {number}")))?;
    let slug = read(Slug::parse(&format!("seed-{number}")))?;
    let tx = db.begin().await?;
    let email = format!("member-1@seed-{number}.example.com");
    let owner = insert_person(&tx, &format!("Member 1 of {name}"), &email, hash, now - year).await?;
    tx.commit().await?;
    let person = Person {
        session_id: owner,
        user_id: owner,
        name: format!("Member 1 of {name}"),
        email,
        is_verified: true,
    };
    workspaces::create_unlimited(db, &person, None, &name, &slug, &origin("seed")).await?;
    let workspace = by_email(db, "SELECT id FROM workspaces WHERE slug = $1", slug.as_str()).await?;
    let tx = db.begin().await?;
    let mut roles = Vec::new();
    for role in BuiltIn::ALL {
        let sql = "SELECT id FROM roles WHERE workspace_id = $1 AND slug = $2";
        let row: Option<Id> = tx.first(sql, vec![workspace.into(), role.slug().into()]).await?;
        roles.push(row.map(|row| row.id).ok_or(Refused::Hidden)?);
    }
    let mut members = Vec::new();
    for member in 2..=i64::from(size.members) {
        let joined = now - year + member * HOUR % year;
        let email = format!("member-{member}@seed-{number}.example.com");
        let user = insert_person(&tx, &format!("Member {member} of {name}"), &email, hash, joined).await?;
        let id = random::id(joined);
        let sql = "INSERT INTO members (workspace_id, id, kind, user_id, status, origin, invited_by, joined_at, last_active_at)
            VALUES ($1, $2, 'user', $3, $4, 'invitation', $5, $6, $7)";
        let status = if member % 50 == 0 { "suspended" } else { "active" };
        let seen = now - member * HOUR % (200 * DAY);
        let values = vec![
            workspace.into(),
            id.into(),
            user.into(),
            status.into(),
            owner.into(),
            joined.into(),
            seen.into(),
        ];
        tx.run(sql, values).await?;
        // Admin, Developer, … Support, then round again; nobody but the first is an Owner.
        let role = usize::try_from((member - 2) % 6 + 1).unwrap_or(1);
        let sql = "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ($1, $2, $3)";
        tx.run(sql, vec![workspace.into(), id.into(), roles[role].into()]).await?;
        members.push((id, format!("Member {member} of {name}")));
    }
    if let Some(least) = roles.last() {
        seed_invitations(&tx, workspace, owner, *least, size.invitations, now).await?;
    }
    seed_events(&tx, workspace, &person, &members, size.events, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn seed_invitations(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    inviter: Uuid,
    role: Uuid,
    invitations: u32,
    now: i64,
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

#[derive(FromQueryResult)]
struct Chain {
    audit_seq: i64,
    audit_hash: Vec<u8>,
}

/// Events that share a moment and an outcome.
const AT_ONCE: u32 = 50;

/// A year of events: nine parts done, one refused.
async fn seed_events(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    owner: &Person,
    members: &[(Uuid, String)],
    events: u32,
    now: i64,
) -> Result<(), Refused> {
    let sql = "SELECT audit_seq, audit_hash FROM workspaces WHERE id = $1";
    let chain: Option<Chain> = tx.first(sql, vec![workspace.into()]).await?;
    let chain = chain.ok_or(Refused::Hidden)?;
    let mut head = Head { workspace, seq: chain.audit_seq, hash: chain.audit_hash };
    let actor = Actor { id: owner.user_id, name: owner.name.clone() };
    let origin = origin("seed");
    let mut members = members.iter().cycle();
    for first in (0..events).step_by(AT_ONCE as usize) {
        let is_refusal = first / AT_ONCE % 10 == 9;
        let entries: Vec<_> = (first..events.min(first + AT_ONCE))
            .map(|number| {
                let target = members.next().map(|(id, name)| Target::new(TargetKind::Member, *id, name));
                let target = target.unwrap_or_else(|| Target::named(TargetKind::Nothing, ""));
                (seed_event(number, is_refusal), target)
            })
            .collect();
        let at = now - 365 * DAY * i64::from(events - first) / i64::from(events);
        let outcome = if is_refusal { Outcome::Refused } else { Outcome::Done };
        let about = Circumstances { actor: &actor, origin: &origin, at, outcome };
        audit::append(tx, &mut head, &about, &entries).await?;
    }
    Ok(())
}

fn seed_event(number: u32, is_refusal: bool) -> Event {
    let (before, after) = if number.is_multiple_of(2) { ("Viewer", "Editor") } else { ("Editor", "Viewer") };
    match number % 10 {
        _ if is_refusal => Event::AccessRefused { route: "seed".into(), reason: "seed".into() },
        9 => Event::MemberSuspended { roles: vec![before.into()] },
        8 => Event::MemberReactivated { roles: vec![before.into()] },
        _ => Event::MemberRolesChanged { before: vec![before.into()], after: vec![after.into()] },
    }
}
