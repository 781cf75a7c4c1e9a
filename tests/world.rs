//! Two workspaces with everything in them that a request can be about, and the way back to how they
//! were. The matrix, the crawl and the count of statements walk through it.
//!
//! Most people are put in by SQL: they only have to be there.

use crate::support::product::{BuiltIn, Holdings, Permission};
use crate::support::*;
use sea_orm::ConnectionTrait;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};
use uuid::Uuid;

pub const DAY: i64 = 86_400_000;

/// An id that nothing has.
pub const UNKNOWN: Uuid = Uuid::from_u128(0x0190_ffff_ffff_7fff_8fff_ffff_ffff_ffff);

/// The workspace `acme`, with one person for each built-in role, and the workspace `elsewhere`.
pub struct World {
    pub people: Vec<(BuiltIn, Person)>,
    /// An Admin of acme who is shut out.
    pub suspended: Person,
    /// The Owner of elsewhere, no member of acme.
    pub outsider: Person,
    pub acme: Things,
    pub elsewhere: Things,
}

/// Ids of what a workspace holds.
pub struct Things {
    pub id: Uuid,
    /// A Viewer.
    pub viewer: Uuid,
    /// A Viewer who is suspended.
    pub shut_out: Uuid,
    pub owner: Uuid,
    /// A pending invitation as Viewer.
    pub invitation: Uuid,
    /// A pending offer by the Owner; in acme, to the Developer.
    pub offer: Uuid,
    /// The slug of a custom role that no other workspace has, and that nobody holds.
    pub role: &'static str,
    /// A team that carries the role Viewer, with that viewer in it; in acme the Developer leads it.
    pub team: Uuid,
    /// The same with the Owner in it, and nobody who leads.
    pub team_above: Uuid,
    pub account: Uuid,
    /// Somebody who belongs to the account and to none of its workspaces.
    pub person: Uuid,
    /// A change of that viewer's roles, in the record.
    pub event: Uuid,
    /// An API key, a Viewer, made by the Owner.
    pub key: Uuid,
    /// One that is an Owner.
    pub key_above: Uuid,
    /// One of the account that is a member of none of its workspaces.
    pub key_waiting: Uuid,
}

impl World {
    pub async fn build(app: &TestApp) -> Self {
        let owner = founder(app).await;
        let outsider = found(app, "Owner Elsewhere", "owner@elsewhere.example.com", "elsewhere").await;
        let (owner_member, owner_user) = (owner.member_id, owner.user_id);
        let mut people = vec![(BuiltIn::Owner, owner)];
        for role in BuiltIn::ALL.into_iter().filter(|role| *role != BuiltIn::Owner) {
            let (name, email) = (format!("{} One", role.name()), format!("{}-one@example.com", role.slug()));
            people.push((role, joined(app, &name, &email, role).await));
        }
        let suspended = joined(app, "Admin Two", "admin-two@example.com", BuiltIn::Admin).await;
        app.execute(&format!(
            "UPDATE members SET status = 'suspended' WHERE id = {}",
            app.id(suspended.member_id)
        ))
        .await;

        let viewer_user = add_user(app, "Viewer Two", "viewer-two@example.com").await;
        let shut_out_user = add_user(app, "Viewer Three", "viewer-three@example.com").await;
        let developer = people.iter().find(|(role, _)| *role == BuiltIn::Developer).unwrap().1.member_id;
        add_role(app, "acme", "helper", "Helper", &["read:members", "read:notes"]).await;
        add_role(app, "acme", "reviewer", "Reviewer", &["read:members", "write:notes"]).await;
        let reviewer = add_user(app, "Reviewer One", "reviewer-one@example.com").await;
        add_member(app, "acme", reviewer, "active", &["reviewer"]).await;
        let as_reviewer = Invitation { roles: &["reviewer"], ..Invitation::to("invited-five@example.com") };
        as_reviewer.by(owner_user).add(app, "acme").await;
        let viewer = add_member(app, "acme", viewer_user, "active", &["viewer"]).await;
        let shut_out = add_member(app, "acme", shut_out_user, "suspended", &["viewer"]).await;
        // Gives nothing, to whomever.
        add_team(app, "acme", "Team Without Roles", &[], &[(owner_member, false), (shut_out, false)]).await;
        add_team(app, "acme", "Team Of Nobody", &["editor"], &[]).await;
        let acme = Things {
            id: workspace_id(app, "acme").await,
            viewer,
            shut_out,
            owner: owner_member,
            invitation: Invitation::to("invited-one@example.com").by(owner_user).add(app, "acme").await,
            offer: add_offer(app, "acme", owner_member, developer).await,
            role: "helper",
            team: add_team(app, "acme", "Team One", &["viewer"], &[(viewer, false), (developer, true)]).await,
            team_above: add_team(app, "acme", "Team Above", &["viewer"], &[(owner_member, false)]).await,
            account: account_id(app, "acme").await,
            person: of_account(app, "Person One", "person-one@example.com", "acme").await,
            event: changed_roles(app, &people[0].1, viewer).await,
            key: add_key(app, "acme", "Key One", &["viewer"]).await.0,
            key_above: add_key(app, "acme", "Key Above", &["owner"]).await.0,
            key_waiting: waiting_key(app, "acme", "Key Waiting").await,
        };
        let admin = Invitation { roles: &["admin"], ..Invitation::to("invited-two@example.com") };
        admin.by(owner_user).add(app, "acme").await;
        let over = Invitation {
            status: "cancelled",
            roles: &["editor"],
            ..Invitation::to("invited-three@example.com")
        };
        over.by(owner_user).add(app, "acme").await;
        let late = Invitation { expires_in: -DAY, ..Invitation::to("invited-four@example.com") };
        late.by(owner_user).add(app, "acme").await;

        // What the same people and addresses are elsewhere: no change of acme may touch it.
        let their_viewer = add_user(app, "Viewer Elsewhere", "viewer@elsewhere.example.com").await;
        let viewer = add_member(app, "elsewhere", their_viewer, "active", &["viewer"]).await;
        add_member(app, "elsewhere", viewer_user, "active", &["admin"]).await;
        let invitation = Invitation::to("invited@elsewhere.example.com").by(viewer_user);
        let late = Invitation { expires_in: -DAY, ..Invitation::to("new@example.com") };
        late.by(outsider.user_id).add(app, "elsewhere").await;
        let new = add_user(app, "New One", "new@example.com").await;
        add_member(app, "elsewhere", new, "active", &["viewer"]).await;
        let everything: Vec<&str> = Permission::ALL.iter().map(|permission| permission.scope()).collect();
        add_role(app, "elsewhere", "custom", "Role Elsewhere", &everything).await;
        let elsewhere = Things {
            id: workspace_id(app, "elsewhere").await,
            viewer,
            shut_out: add_member(app, "elsewhere", shut_out_user, "suspended", &["viewer"]).await,
            owner: outsider.member_id,
            invitation: invitation.add(app, "elsewhere").await,
            offer: add_offer(app, "elsewhere", outsider.member_id, viewer).await,
            role: "custom",
            team: add_team(app, "elsewhere", "Team Elsewhere", &["viewer"], &[(viewer, true)]).await,
            team_above: add_team(app, "elsewhere", "Team Above Elsewhere", &["viewer"], &[]).await,
            account: account_id(app, "elsewhere").await,
            person: of_account(app, "Person Elsewhere", "person@elsewhere.example.com", "elsewhere").await,
            event: changed_roles(app, &outsider, viewer).await,
            key: add_key(app, "elsewhere", "Key Elsewhere", &["viewer"]).await.0,
            key_above: add_key(app, "elsewhere", "Key Above Elsewhere", &["owner"]).await.0,
            key_waiting: waiting_key(app, "elsewhere", "Key Waiting Elsewhere").await,
        };
        // Nobody is seen for the first time while a test looks.
        app.execute(&format!("UPDATE members SET last_active_at = {}", app.clock.now_ms())).await;
        keep(app).await;
        Self { people, suspended, outsider, acme, elsewhere }
    }

    pub fn person(&self, role: BuiltIn) -> &Person {
        &self.people.iter().find(|(other, _)| *other == role).unwrap().1
    }
}

/// A new user of the workspace's account.
async fn of_account(app: &TestApp, name: &str, email: &str, slug: &str) -> Uuid {
    let user = add_user(app, name, email).await;
    add_to_account(app, slug, user).await;
    user
}

async fn joined(app: &TestApp, name: &str, email: &str, role: BuiltIn) -> Person {
    let user = add_user(app, name, email).await;
    add_member(app, "acme", user, "active", &[role.slug()]).await;
    person(app, sign_in(app, email, PASSWORD).await, name, email, "acme").await
}

/// Makes a Viewer an Editor and a Viewer again, through the pages; answers the id of the last event.
async fn changed_roles(app: &TestApp, owner: &Person, member: Uuid) -> Uuid {
    for role in ["editor", "viewer"] {
        let path = format!("/w/{}/members/{member}/roles", owner.workspace);
        owner.client.post_form(&path, &[("role", role)]).await.assert_status(303);
    }
    // What was said of it is seen before anybody looks.
    owner.client.visit("/workspaces").await;
    newest_event(app, &owner.workspace).await
}

/// The id of the event that was written down last.
pub async fn newest_event(app: &TestApp, workspace: &str) -> Uuid {
    let sql = format!(
        "SELECT e.id FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
         WHERE w.slug = {} ORDER BY e.seq DESC LIMIT 1",
        quoted(workspace)
    );
    app.scalar_uuid(&sql).await
}

/// A key of the workspace's account that is a member nowhere.
pub async fn waiting_key(app: &TestApp, workspace: &str, name: &str) -> Uuid {
    let (key, member, _) = add_key(app, workspace, name, &[]).await;
    assert_eq!(app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await, 1);
    key
}

pub async fn workspace_id(app: &TestApp, slug: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = {}", quoted(slug))).await
}

fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(NEXT.fetch_add(1, Ordering::Relaxed)),
    )
}

/// Somebody who is verified and has Owner One's password.
pub async fn add_user(app: &TestApp, name: &str, email: &str) -> Uuid {
    let id = new_id();
    let sql = format!(
        "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
         SELECT {}, {}, {}, password_hash, created_at, created_at FROM users WHERE email = 'owner-one@example.com'",
        app.id(id),
        quoted(email),
        quoted(name)
    );
    assert_eq!(app.execute(&sql).await, 1, "Owner One must be there first");
    id
}

pub async fn add_member(app: &TestApp, slug: &str, user: Uuid, status: &str, roles: &[&str]) -> Uuid {
    let (id, slug) = (new_id(), quoted(slug));
    let newline = if app.backend == Backend::Sqlite { "char(10)" } else { "chr(10)" };
    let member = format!(
        "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at, last_active_at, listed_as)
         SELECT {}, w.id, 'user', u.id, {}, 'invitation', w.created_at, w.created_at, lower(u.name) || {newline} || u.email
         FROM workspaces w CROSS JOIN users u WHERE w.slug = {slug} AND u.id = {}",
        app.id(id),
        quoted(status),
        app.id(user),
    );
    assert_eq!(app.execute(&member).await, 1);
    enter_account(app, &slug, user).await;
    for role in roles {
        let sql = format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id)
             SELECT r.workspace_id, {}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
             WHERE w.slug = {slug} AND r.slug = {}",
            app.id(id),
            quoted(role)
        );
        assert_eq!(app.execute(&sql).await, 1, "no role {role}");
    }
    id
}

/// Somebody who belongs to the account of a workspace, and is a member of nothing by that.
pub async fn add_to_account(app: &TestApp, slug: &str, user: Uuid) {
    enter_account(app, &quoted(slug), user).await;
}

/// The workspace comes as an SQL literal. Whoever is in the account stays in it.
async fn enter_account(app: &TestApp, slug: &str, user: Uuid) {
    let newline = if app.backend == Backend::Sqlite { "char(10)" } else { "chr(10)" };
    let sql = format!(
        "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
         SELECT w.account_id, u.id, 1 = 0, w.created_at, lower(u.name) || {newline} || u.email
         FROM workspaces w CROSS JOIN users u WHERE w.slug = {slug} AND u.id = {0} AND NOT EXISTS
            (SELECT 1 FROM account_people p WHERE p.account_id = w.account_id AND p.user_id = {0})",
        app.id(user)
    );
    app.execute(&sql).await;
}

/// The account of a workspace.
pub async fn account_id(app: &TestApp, slug: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT account_id FROM workspaces WHERE slug = {}", quoted(slug))).await
}

/// A custom role with these scopes.
pub async fn add_role(app: &TestApp, workspace: &str, slug: &str, name: &str, scopes: &[&str]) {
    let (id, workspace) = (app.id(new_id()), quoted(workspace));
    let sql = format!(
        "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at)
         SELECT {id}, r.workspace_id, {}, {}, '', r.is_owner, r.is_owner, 9, r.created_at
         FROM roles r JOIN workspaces w ON w.id = r.workspace_id WHERE w.slug = {workspace} AND r.slug = 'viewer'",
        quoted(slug),
        quoted(name)
    );
    // A Viewer is no Owner: the one false that both databases write alike.
    assert_eq!(app.execute(&sql).await, 1);
    for scope in scopes {
        let sql = format!(
            "INSERT INTO grants (workspace_id, role_id, scope) SELECT id, {id}, {} FROM workspaces WHERE slug = {workspace}",
            quoted(scope)
        );
        assert_eq!(app.execute(&sql).await, 1);
    }
}

/// An invitation as a row; it has no links.
#[derive(Clone, Copy)]
pub struct Invitation<'a> {
    pub email: &'a str,
    pub roles: &'a [&'a str],
    pub status: &'a str,
    /// Milliseconds from now.
    pub expires_in: i64,
    pub inviter: Uuid,
}

impl<'a> Invitation<'a> {
    pub fn to(email: &'a str) -> Self {
        Self { email, roles: &["viewer"], status: "pending", expires_in: 7 * DAY, inviter: Uuid::nil() }
    }

    pub fn by(self, inviter: Uuid) -> Self {
        Self { inviter, ..self }
    }

    pub async fn add(self, app: &TestApp, slug: &str) -> Uuid {
        let (id, now, slug) = (new_id(), app.clock.now_ms(), quoted(slug));
        let ended = if self.status == "pending" { "NULL".to_owned() } else { now.to_string() };
        let sql = format!(
            "INSERT INTO invitations
                (id, workspace_id, email, message, status, inviter_id, created_at, sent_at, expires_at, ended_at)
             SELECT {}, w.id, {}, '', {}, {}, {now}, {now}, {}, {ended} FROM workspaces w WHERE w.slug = {slug}",
            app.id(id),
            quoted(self.email),
            quoted(self.status),
            app.id(self.inviter),
            now + self.expires_in
        );
        assert_eq!(app.execute(&sql).await, 1);
        for role in self.roles {
            let sql = format!(
                "INSERT INTO invitation_roles (workspace_id, invitation_id, role_id)
                 SELECT r.workspace_id, {}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
                 WHERE w.slug = {slug} AND r.slug = {}",
                app.id(id),
                quoted(role)
            );
            assert_eq!(app.execute(&sql).await, 1, "no role {role}");
        }
        id
    }
}

pub async fn add_offer(app: &TestApp, slug: &str, from: Uuid, to: Uuid) -> Uuid {
    let (id, now) = (new_id(), app.clock.now_ms());
    let sql = format!(
        "INSERT INTO ownership_offers
            (id, workspace_id, from_member_id, to_member_id, status, created_at, expires_at)
         SELECT {}, id, {}, {}, 'pending', {now}, {} FROM workspaces WHERE slug = {}",
        app.id(id),
        app.id(from),
        app.id(to),
        now + 7 * DAY,
        quoted(slug)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}

/// A team with these roles, and these members, each with whether they lead it.
pub async fn add_team(
    app: &TestApp,
    slug: &str,
    name: &str,
    roles: &[&str],
    people: &[(Uuid, bool)],
) -> Uuid {
    let (team, slug) = (new_id(), quoted(slug));
    let (id, named) = (app.id(team), quoted(name));
    let sql = format!(
        "INSERT INTO teams (id, workspace_id, name, listed_as, description, created_at)
         SELECT {id}, w.id, {named}, lower({named}), '', w.created_at FROM workspaces w WHERE w.slug = {slug}"
    );
    assert_eq!(app.execute(&sql).await, 1);
    for (member, is_lead) in people {
        add_to_team(app, team, *member, *is_lead).await;
    }
    for role in roles {
        let sql = format!(
            "INSERT INTO team_roles (workspace_id, team_id, role_id)
             SELECT r.workspace_id, {id}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
             WHERE w.slug = {slug} AND r.slug = {}",
            quoted(role)
        );
        assert_eq!(app.execute(&sql).await, 1, "no role {role}");
    }
    team
}

pub async fn add_to_team(app: &TestApp, team: Uuid, member: Uuid, is_lead: bool) {
    let sql = format!(
        "INSERT INTO team_members (workspace_id, team_id, member_id, is_lead, joined_at)
         SELECT t.workspace_id, t.id, {}, {}, t.created_at FROM teams t WHERE t.id = {}",
        app.id(member),
        if is_lead { "1 = 1" } else { "1 = 0" },
        app.id(team)
    );
    assert_eq!(app.execute(&sql).await, 1);
}

/// The tables that [`keep`] remembers, parents before their children: all that tenants are made of, and
/// who is signed in.
async fn kept(app: &TestApp) -> Vec<&'static str> {
    let catalogue = app.catalogue().await;
    let mut tables = catalogue.of_tenants();
    tables.push("sessions");
    tables
}

/// Remembers all rows as they are now, for [`restore`].
pub async fn keep(app: &TestApp) {
    let mut sql = String::new();
    for table in kept(app).await {
        sql.push_str(&format!(
            "DROP TABLE IF EXISTS kept_{table}; CREATE TABLE kept_{table} AS SELECT * FROM {table};"
        ));
    }
    app.db().await.execute_unprepared(&sql).await.unwrap();
}

/// Puts all rows back as they were at [`keep`]. The record of what happened stays, as it must: each
/// workspace goes on from the end of its own.
pub async fn restore(app: &TestApp) {
    let tables = kept(app).await;
    // A workspace that is marked as deleted lets its last Owner go.
    let mut sql = String::from("BEGIN; UPDATE workspaces SET deleted_at = 1; DELETE FROM rate_limits;");
    for table in app.catalogue().await.to_delete_from(&tables) {
        sql.push_str(&format!("DELETE FROM {table};"));
    }
    for table in tables {
        sql.push_str(&format!("INSERT INTO {table} SELECT * FROM kept_{table};"));
        if table == "accounts" {
            // They are counted again as they come.
            sql.push_str("UPDATE accounts SET people = 0;");
        }
    }
    sql.push_str(
        "UPDATE workspaces SET
            audit_seq = (SELECT MAX(e.seq) FROM audit_events e WHERE e.workspace_id = workspaces.id),
            audit_hash = (SELECT e.hash FROM audit_events e WHERE e.workspace_id = workspaces.id
                ORDER BY e.seq DESC LIMIT 1);
         COMMIT;",
    );
    app.db().await.execute_unprepared(&sql).await.unwrap();
}

/// Every row of one workspace and of its account, its events too.
pub async fn rows_of(app: &TestApp, workspace: Uuid) -> Vec<String> {
    let (catalogue, id) = (app.catalogue().await, app.id(workspace));
    let mut all = Vec::new();
    for table in catalogue.of_tenants().into_iter().chain(["audit_events"]) {
        if let Some(condition) = catalogue.of_workspace(table, &id) {
            all.extend(app.rows_where(table, &condition).await);
        }
    }
    all.sort_unstable();
    all
}

/// Fails when a row of the workspace is not as it was, and shows only that.
pub async fn assert_untouched(app: &TestApp, workspace: Uuid, before: &[String], said: &str) {
    let after = rows_of(app, workspace).await;
    let gone: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(before == after, "{said} changed another workspace:\n- {gone:#?}\n+ {new:#?}");
}

/// The facts of acme from which a test says what must be allowed.
pub struct Facts {
    pub roles: BTreeMap<String, Holdings>,
    /// Those that the workspace made itself.
    pub custom: Vec<String>,
    pub members: Vec<MemberFact>,
    pub invitations: Vec<InvitationFact>,
    /// Id, from and to of the offer that is open.
    pub offer: Option<(String, String, String)>,
    pub teams: Vec<TeamFact>,
    /// The id of the account.
    pub account: String,
    pub account_people: Vec<AccountPersonFact>,
    /// Ids of the keys of the account, each with whether it is a member of a workspace.
    pub account_keys: Vec<(String, bool)>,
    /// Ids of the events that can be taken back.
    pub events: Vec<String>,
}

pub struct AccountPersonFact {
    pub user: String,
    /// Their membership in acme.
    pub member: Option<String>,
    pub is_admin: bool,
    /// In how many workspaces of the account they are.
    pub workspaces: i64,
}

pub struct TeamFact {
    pub id: String,
    /// Slugs.
    pub carried: Vec<String>,
    pub roles: Vec<Holdings>,
    /// Ids of members, each with whether they lead it.
    pub people: Vec<(String, bool)>,
}

pub struct MemberFact {
    pub id: String,
    /// The id of the API key that it is; `None` for a person.
    pub key: Option<String>,
    pub is_active: bool,
    /// Slugs.
    pub held: Vec<String>,
    pub holdings: Holdings,
}

pub struct InvitationFact {
    pub id: String,
    pub is_open: bool,
    /// Slugs.
    pub offered: Vec<String>,
    pub roles: Vec<Holdings>,
}

impl Facts {
    pub async fn read(app: &TestApp, workspace: Uuid) -> Self {
        let id = app.id(workspace);
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let mut grants: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let sql = format!(
            "SELECT r.slug, g.scope, CASE WHEN r.built_in THEN 1 ELSE 0 END AS built_in FROM roles r
             LEFT JOIN grants g ON g.workspace_id = r.workspace_id AND g.role_id = r.id WHERE r.workspace_id = {id}"
        );
        let mut custom = Vec::new();
        for row in app.rows(&sql).await {
            if row["built_in"] == 0 {
                custom.push(text(&row, "slug"));
            }
            grants.entry(text(&row, "slug")).or_default().push(text(&row, "scope"));
        }
        let held = |(slug, scopes): (String, Vec<String>)| {
            let holdings = Holdings::of(slug == "owner", scopes.iter().map(String::as_str));
            (slug, holdings)
        };
        let roles: BTreeMap<String, Holdings> = grants.into_iter().map(held).collect();
        let each = |slugs: &str| slugs.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let of = |slugs: &str| slugs.split(' ').map(|slug| roles[slug].clone()).collect::<Vec<_>>();
        let sql = format!(
            "SELECT m.id, m.api_key_id, m.status, (SELECT string_agg(r.slug, ' ') FROM roles r
                WHERE EXISTS (SELECT 1 FROM member_roles h WHERE h.role_id = r.id AND h.member_id = m.id)
                OR EXISTS (SELECT 1 FROM team_roles h JOIN team_members p ON p.team_id = h.team_id
                    WHERE h.role_id = r.id AND p.member_id = m.id)) AS slugs
             FROM members m WHERE m.workspace_id = {id}"
        );
        let rows = app.rows(&sql).await;
        let members = rows.iter().map(|row| MemberFact {
            id: text(row, "id"),
            key: row["api_key_id"].as_str().map(str::to_owned),
            is_active: text(row, "status") == "active",
            held: each(&text(row, "slugs")),
            holdings: Holdings::union(&of(&text(row, "slugs"))),
        });
        let members: Vec<MemberFact> = members.collect();
        let sql = format!(
            "SELECT i.id, i.status, (SELECT string_agg(r.slug, ' ') FROM invitation_roles h JOIN roles r ON r.id = h.role_id
                WHERE h.invitation_id = i.id) AS slugs FROM invitations i WHERE i.workspace_id = {id}"
        );
        let rows = app.rows(&sql).await;
        let invitations = rows.iter().map(|row| InvitationFact {
            id: text(row, "id"),
            is_open: text(row, "status") == "pending",
            offered: each(&text(row, "slugs")),
            roles: of(&text(row, "slugs")),
        });
        let invitations: Vec<InvitationFact> = invitations.collect();
        let sql = format!(
            "SELECT id, from_member_id, to_member_id FROM ownership_offers
             WHERE workspace_id = {id} AND status = 'pending' AND expires_at > {}",
            app.clock.now_ms()
        );
        let offer = app
            .rows(&sql)
            .await
            .first()
            .map(|row| (text(row, "id"), text(row, "from_member_id"), text(row, "to_member_id")));
        let mut teams: BTreeMap<String, TeamFact> = BTreeMap::new();
        let sql = format!(
            "SELECT t.id, (SELECT string_agg(r.slug, ' ') FROM team_roles h JOIN roles r ON r.id = h.role_id
                WHERE h.team_id = t.id) AS slugs FROM teams t WHERE t.workspace_id = {id}"
        );
        for row in app.rows(&sql).await {
            let carried: Vec<String> = row["slugs"].as_str().map(each).unwrap_or_default();
            let roles = carried.iter().map(|slug| roles[slug].clone()).collect();
            let id = text(&row, "id");
            teams.insert(id.clone(), TeamFact { id, carried, roles, people: Vec::new() });
        }
        let sql = format!(
            "SELECT team_id, member_id, CASE WHEN is_lead THEN 1 ELSE 0 END AS leads
             FROM team_members WHERE workspace_id = {id}"
        );
        for row in app.rows(&sql).await {
            let people = &mut teams.get_mut(&text(&row, "team_id")).unwrap().people;
            people.push((text(&row, "member_id"), row["leads"] == 1));
        }
        let sql = format!(
            "SELECT w.account_id, p.user_id, CASE WHEN p.is_admin THEN 1 ELSE 0 END AS admin,
                (SELECT m.id FROM members m WHERE m.workspace_id = w.id AND m.user_id = p.user_id) AS member,
                (SELECT COUNT(*) FROM members m JOIN workspaces o ON o.id = m.workspace_id
                    WHERE o.account_id = w.account_id AND m.user_id = p.user_id) AS workspaces
             FROM workspaces w JOIN account_people p ON p.account_id = w.account_id WHERE w.id = {id}"
        );
        let rows = app.rows(&sql).await;
        let person = |row: &serde_json::Value| AccountPersonFact {
            user: text(row, "user_id"),
            member: row["member"].as_str().map(str::to_owned),
            is_admin: row["admin"] == 1,
            workspaces: row["workspaces"].as_i64().unwrap(),
        };
        let account = text(&rows[0], "account_id");
        let account_people = rows.iter().map(person).collect();
        let sql = format!(
            "SELECT k.id, (SELECT COUNT(*) FROM members m WHERE m.api_key_id = k.id) AS places
             FROM workspaces w JOIN api_keys k ON k.account_id = w.account_id
             WHERE w.id = {id} AND k.revoked_at IS NULL"
        );
        let key = |row: &serde_json::Value| (text(row, "id"), row["places"] != 0);
        let account_keys = app.rows(&sql).await.iter().map(key).collect();
        let sql = format!(
            "SELECT id FROM audit_events WHERE workspace_id = {id}
             AND kind IN ('member.roles-changed', 'team.roles-changed', 'role.scopes-changed', 'permission.changed')
             ORDER BY seq DESC LIMIT 8"
        );
        let events = app.rows(&sql).await.iter().map(|row| text(row, "id")).collect();
        let teams = teams.into_values().collect();
        Self {
            roles,
            custom,
            members,
            invitations,
            offer,
            teams,
            account,
            account_people,
            account_keys,
            events,
        }
    }
}

/// Which workspace and whose ids stand in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Own,
    /// The workspace of who asks, with somebody there who is above them.
    Above,
    /// That workspace, with what belongs to another.
    ForeignIds,
    UnknownIds,
    OtherWorkspace,
    NoWorkspace,
}

pub const PLACES: [Place; 6] = [
    Place::Own,
    Place::Above,
    Place::ForeignIds,
    Place::UnknownIds,
    Place::OtherWorkspace,
    Place::NoWorkspace,
];

/// What triggers keep is what counting gives: each member's set of roles, and the headcounts.
pub async fn assert_counted(app: &TestApp) {
    let sets = "SELECT COUNT(*) FROM members m WHERE m.role_set <> (
        SELECT COALESCE(string_agg(r.slug, ' ' ORDER BY r.slug), '') FROM roles r
        WHERE EXISTS (SELECT 1 FROM member_roles h WHERE h.role_id = r.id AND h.member_id = m.id)
        OR EXISTS (SELECT 1 FROM team_roles h JOIN team_members p ON p.team_id = h.team_id
            WHERE h.role_id = r.id AND p.member_id = m.id))";
    assert_eq!(app.scalar_i64(sets).await, 0, "members whose set of roles is not what they hold");
    let kept = "SELECT workspace_id, status, kind, role_set, people FROM headcounts WHERE people <> 0
        ORDER BY workspace_id, status, kind, role_set";
    let counted = "SELECT workspace_id, status, kind, role_set, COUNT(*) AS people FROM members
        GROUP BY workspace_id, status, kind, role_set ORDER BY workspace_id, status, kind, role_set";
    assert_eq!(app.rows(kept).await, app.rows(counted).await, "left: kept, right: counted");
    let accounts = "SELECT COUNT(*) FROM accounts a WHERE a.people <>
        (SELECT COUNT(*) FROM account_people p WHERE p.account_id = a.id)";
    assert_eq!(
        app.scalar_i64(accounts).await,
        0,
        "accounts whose number of people is not how many there are"
    );
    let orphans = "SELECT COUNT(*) FROM headcounts h WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = h.workspace_id)";
    assert_eq!(app.scalar_i64(orphans).await, 0, "headcounts of workspaces that are gone");
}
