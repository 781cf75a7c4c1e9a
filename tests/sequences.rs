//! Random sequences of calls, against a model of the rules that shares no code with them: what nobody
//! held who could give it, nobody comes to hold; and by every secret of a key that was ever shown to somebody,
//! they can do what they hold at that moment, and no more. What has an end is held until then: at that moment it is as
//! if it had been taken away, before its rows go and after.
//!
//! The model reads the base tables (who has which roles, which teams carry which, what they grant) and
//! not what is derived from them, and it says of a change of roles beforehand whether it is allowed.

use crate::nouns::{roles::add_role, teams::add_team};
use crate::support::product::{BuiltIn, Permission};
use crate::{support::*, world::*};
use proptest::{
    collection::vec,
    option::of,
    prelude::*,
    sample::{Index, subsequence},
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{runtime::Handle, task::block_in_place};
use uuid::Uuid;

/// Beside the permissions, what roles are made of.
const SCOPES: &[&str] = &[
    "read:*",
    "*:*",
    "write:*",
    "read:notes",
    "write:notes",
    "read:notes:title",
    "deploy:staging",
    "write:code",
];
/// Sequences a database, and calls in each.
const SEQUENCES: u32 = 5;
const CALLS: usize = 40;

/// One call: by whom, and what. Places are taken modulo what there is.
#[derive(Clone, Debug)]
enum Call {
    Roles {
        target: Index,
        roles: Vec<Index>,
    },
    NewRole {
        scopes: Vec<&'static str>,
        permissions: Vec<Permission>,
    },
    Scopes {
        role: Index,
        scopes: Vec<&'static str>,
        permissions: Vec<Permission>,
    },
    Permission {
        permission: Permission,
        roles: Vec<Index>,
    },
    TeamRoles {
        roles: Vec<Index>,
    },
    IntoTeam {
        target: Index,
    },
    OutOfTeam {
        target: Index,
    },
    NewKey {
        roles: Vec<Index>,
    },
    Enter {
        roles: Vec<Index>,
    },
    Suspend {
        target: Index,
    },
    Reactivate {
        target: Index,
    },
    Remove {
        target: Index,
    },
    DeleteRole {
        role: Index,
        replacement: Index,
    },
    /// Another secret of a key, beside which the old one works for a day or not at all.
    Rotate {
        target: Index,
        overlap: bool,
    },
    Vouch {
        target: Index,
    },
    /// The member's secrets work for a day more.
    RemoveLater {
        target: Index,
    },
    /// The member's access, or one of their roles, has an end in so many hours, or none.
    End {
        target: Index,
        role: Option<Index>,
        hours: Option<u8>,
    },
    /// A day goes by: overlaps end, and whatever else has an end.
    Wait,
}

fn some_permissions() -> impl Strategy<Value = Vec<Permission>> {
    subsequence(Permission::ALL.to_vec(), 0..4)
}

fn some_scopes() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(SCOPES.to_vec(), 0..3)
}

fn some_roles() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 1..3)
}

fn call() -> impl Strategy<Value = Call> {
    let target = any::<Index>;
    prop_oneof![
        6 => (target(), some_roles()).prop_map(|(target, roles)| Call::Roles { target, roles }),
        2 => (some_scopes(), some_permissions())
            .prop_map(|(scopes, permissions)| Call::NewRole { scopes, permissions }),
        3 => (target(), some_scopes(), some_permissions())
            .prop_map(|(role, scopes, permissions)| Call::Scopes { role, scopes, permissions }),
        2 => (proptest::sample::select(Permission::ALL.to_vec()), some_roles())
            .prop_map(|(permission, roles)| Call::Permission { permission, roles }),
        2 => some_roles().prop_map(|roles| Call::TeamRoles { roles }),
        2 => target().prop_map(|target| Call::IntoTeam { target }),
        1 => target().prop_map(|target| Call::OutOfTeam { target }),
        2 => some_roles().prop_map(|roles| Call::NewKey { roles }),
        1 => some_roles().prop_map(|roles| Call::Enter { roles }),
        1 => target().prop_map(|target| Call::Suspend { target }),
        1 => target().prop_map(|target| Call::Reactivate { target }),
        1 => target().prop_map(|target| Call::Remove { target }),
        1 => (target(), target()).prop_map(|(role, replacement)| Call::DeleteRole { role, replacement }),
        2 => (target(), any::<bool>()).prop_map(|(target, overlap)| Call::Rotate { target, overlap }),
        2 => target().prop_map(|target| Call::Vouch { target }),
        1 => target().prop_map(|target| Call::RemoveLater { target }),
        4 => (target(), of(target()), of(1_u8..24))
            .prop_map(|(target, role, hours)| Call::End { target, role, hours }),
        2 => Just(Call::Wait),
    ]
}

/// What somebody holds: scopes as they are granted, and whether they are an Owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    owner: bool,
    scopes: BTreeSet<String>,
}

/// Does a grant cover a scope? Written from the rules of scopes and of the catalogue, not from
/// `policy::scope`.
fn reaches(grant: &str, scope: &str) -> bool {
    let is_permission = |text: &str| {
        let two: Vec<&str> = text.splitn(3, ':').take(2).collect();
        Permission::ALL.iter().any(|permission| permission.scope() == two.join(":"))
    };
    let (grant_parts, parts): (Vec<&str>, Vec<&str>) =
        (grant.split(':').collect(), scope.split(':').collect());
    let fits = grant_parts.len() <= parts.len()
        && grant_parts.iter().zip(&parts).all(|(grant, part)| *grant == "*" || grant == part);
    fits && (!is_permission(scope) || (grant_parts[0] == parts[0] && grant_parts[1] == parts[1]))
}

impl Held {
    fn has(&self, scope: &str) -> bool {
        self.owner || self.scopes.iter().any(|grant| reaches(grant, scope))
    }

    fn contains(&self, other: &Self) -> bool {
        self.owner || (!other.owner && other.scopes.iter().all(|scope| self.has(scope)))
    }

    /// What one holds who gets all of these roles.
    fn of<'a>(roles: impl IntoIterator<Item = &'a Held>) -> Self {
        roles.into_iter().fold(Self::default(), |mut all, role| {
            all.owner |= role.owner;
            all.scopes.extend(role.scopes.iter().cloned());
            all
        })
    }
}

#[derive(Clone, Debug)]
struct Member {
    id: Uuid,
    user_id: Option<Uuid>,
    key_id: Option<Uuid>,
    is_active: bool,
    held: Held,
    voucher: Option<Uuid>,
    /// Their whole access has an end.
    ends: bool,
    /// They are an Owner, and neither that nor their access has an end.
    is_lasting_owner: bool,
}

/// A workspace as its base tables say it is.
#[derive(Clone, Debug)]
struct State {
    roles: BTreeMap<String, Held>,
    members: Vec<Member>,
    /// Those who were members, and what the secrets that they know are still worth.
    former: BTreeMap<Uuid, Held>,
}

fn id(row: &Value, name: &str) -> Option<Uuid> {
    row[name].as_str().map(|text| text.parse().unwrap())
}

fn is_true(value: &Value) -> bool {
    value == &json!(true) || value == &json!(1)
}

impl State {
    async fn load(app: &TestApp, workspace: Uuid) -> Self {
        let here = app.id(workspace);
        // What has ended is not there, whether or not its rows are.
        let now = app.clock.now().as_millis();
        let mut roles: BTreeMap<String, Held> = BTreeMap::new();
        let mut slugs: BTreeMap<Uuid, String> = BTreeMap::new();
        for row in
            app.rows(&format!("SELECT id, slug, is_owner FROM roles WHERE workspace_id = {here}")).await
        {
            let slug = row["slug"].as_str().unwrap().to_owned();
            slugs.insert(id(&row, "id").unwrap(), slug.clone());
            roles.insert(slug, Held { owner: is_true(&row["is_owner"]), scopes: BTreeSet::new() });
        }
        for row in app.rows(&format!("SELECT role_id, scope FROM grants WHERE workspace_id = {here}")).await {
            let slug = &slugs[&id(&row, "role_id").unwrap()];
            roles.get_mut(slug).unwrap().scopes.insert(row["scope"].as_str().unwrap().to_owned());
        }
        let pairs = async |sql: String, key: &'static str| {
            let mut all: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
            for row in app.rows(&sql).await {
                all.entry(id(&row, "one").unwrap()).or_default().push(id(&row, key).unwrap());
            }
            all
        };
        let own = pairs(
            format!(
                "SELECT member_id AS one, role_id FROM member_roles
                WHERE workspace_id = {here} AND (ends_at IS NULL OR ends_at > {now})"
            ),
            "role_id",
        )
        .await;
        let lasting = pairs(
            format!(
                "SELECT h.member_id AS one, h.role_id FROM member_roles h JOIN roles r ON r.id = h.role_id
                WHERE h.workspace_id = {here} AND h.ends_at IS NULL AND r.is_owner"
            ),
            "role_id",
        )
        .await;
        let places = pairs(
            format!("SELECT member_id AS one, team_id FROM team_members WHERE workspace_id = {here}"),
            "team_id",
        )
        .await;
        let carried = pairs(
            format!("SELECT team_id AS one, role_id FROM team_roles WHERE workspace_id = {here}"),
            "role_id",
        )
        .await;
        let none = Vec::new();
        let mut members = Vec::new();
        let sql = format!(
            "SELECT id, user_id, api_key_id, status, vouched_by, access_until FROM members
            WHERE workspace_id = {here} AND (access_until IS NULL OR access_until > {now}) ORDER BY id"
        );
        for row in app.rows(&sql).await {
            let member = id(&row, "id").unwrap();
            let own = own.get(&member).unwrap_or(&none);
            let teams = places.get(&member).unwrap_or(&none);
            let through = teams.iter().flat_map(|team| carried.get(team).unwrap_or(&none));
            members.push(Member {
                id: member,
                user_id: id(&row, "user_id"),
                key_id: id(&row, "api_key_id"),
                is_active: row["status"] == "active",
                voucher: id(&row, "vouched_by"),
                ends: !row["access_until"].is_null(),
                is_lasting_owner: row["access_until"].is_null() && lasting.contains_key(&member),
                held: Held::of(own.iter().chain(through).map(|role| &roles[&slugs[role]])),
            });
        }
        let sql = format!(
            "SELECT user_id, role_set, secrets_until FROM former_members WHERE workspace_id = {here}"
        );
        let worth = |row: &Value| {
            let works = row["secrets_until"].as_i64().is_some_and(|until| until > now);
            let slugs = row["role_set"].as_str().unwrap().split_ascii_whitespace().filter(|_| works);
            Held::of(slugs.filter_map(|slug| roles.get(slug)))
        };
        let former = app.rows(&sql).await;
        let former = former.iter().map(|row| (id(row, "user_id").unwrap(), worth(row))).collect();
        Self { roles, members, former }
    }

    /// What an active member of this kind holds by signing in; nothing for anybody else.
    fn of_person(&self, user: Uuid) -> Held {
        let active = self.members.iter().find(|member| member.is_active && member.user_id == Some(user));
        active.map(|member| member.held.clone()).unwrap_or_default()
    }

    /// What bounds a key whose secret this person was shown: its voucher, and the person.
    fn bounds(&self, key: &Member, reader: Uuid) -> [Held; 2] {
        let is_member = self.members.iter().any(|member| member.user_id == Some(reader));
        let reader = match self.former.get(&reader).filter(|_| !is_member) {
            Some(worth) => worth.clone(),
            None => self.of_person(reader),
        };
        [key.voucher.map(|voucher| self.of_person(voucher)).unwrap_or_default(), reader]
    }

    fn slugs(&self, places: &[Index]) -> BTreeSet<String> {
        let all: Vec<&String> = self.roles.keys().collect();
        places.iter().map(|place| (*place.get(&all)).clone()).collect()
    }

    /// An Owner who can be relied on: whose access has no end.
    fn has_active_owner(&self) -> bool {
        self.members.iter().any(|member| {
            member.is_active && member.held.owner && member.is_lasting_owner && member.user_id.is_some()
        })
    }

    /// The status that a change of a member's own roles must get, written from the rules of the ceiling.
    fn verdict(
        &self,
        caller: &Caller,
        actor: &Member,
        target: &Member,
        wanted: &BTreeSet<String>,
    ) -> Option<u16> {
        // Of a key that is limited, the model says only what it must not do.
        if self.bounds(actor, caller.reader).iter().any(|bound| !bound.contains(&actor.held)) {
            return None;
        }
        if target.user_id.is_some_and(|user| user == caller.reader || Some(user) == actor.voucher) {
            return Some(403);
        }
        let may_manage = actor.held.owner
            || (!target.held.owner
                && actor.held.contains(&target.held)
                && !target.held.contains(&actor.held));
        let may_give = wanted.iter().all(|slug| actor.held.contains(&self.roles[slug]));
        if !actor.is_active
            || !actor.held.has(Permission::UpdateMemberRoles.scope())
            || !may_manage
            || !may_give
        {
            return Some(403);
        }
        let owners = self.members.iter().filter(|member| {
            // A role that stays keeps its end, and a new one has none.
            let is_owner = match member.id == target.id {
                true => {
                    wanted.iter().any(|slug| self.roles[slug].owner)
                        && (member.is_lasting_owner || !member.held.owner && !member.ends)
                }
                false => member.is_lasting_owner,
            };
            is_owner && member.is_active && member.user_id.is_some()
        });
        Some(if owners.count() == 0 { 409 } else { 200 })
    }
}

/// A secret of a key, with the person who was shown it.
#[derive(Clone)]
struct Caller {
    key: Uuid,
    reader: Uuid,
    secret: String,
    api: Api,
    /// When another secret took its place, or will have; in milliseconds since 1970.
    ends_at: Option<i64>,
}

impl Caller {
    fn is_over(&self, now: i64) -> bool {
        self.ends_at.is_some_and(|at| at <= now)
    }
}

/// A workspace of its own in which a sequence runs.
struct Stage<'a> {
    app: &'a TestApp,
    workspace: Uuid,
    team: Uuid,
    /// Every secret that was ever shown to somebody.
    callers: Vec<Caller>,
    entered: usize,
}

impl<'a> Stage<'a> {
    async fn set(app: &'a TestApp, number: usize) -> Self {
        let slug = format!("stage-{number}");
        let owner = new_owner_of(app, "Owner Stage", &format!("owner@{slug}.example.com"), &slug).await;
        add_role(
            app,
            &slug,
            "manager",
            "Manager",
            &[
                "update:member-roles",
                "manage:roles",
                "update:permissions",
                "update:teams",
                "invite:members",
                "manage:api-keys",
                "suspend:members",
                "remove:members",
                "read:members",
                "read:notes",
            ],
        )
        .await;
        add_role(app, &slug, "helper", "Helper", &["read:members", "read:notes"]).await;
        let mut people = vec![owner.user_id];
        for (n, role) in ["admin", "manager", "viewer", "helper", "owner"].into_iter().enumerate() {
            let user = add_user(app, &format!("Person {n}"), &format!("person-{n}@{slug}.example.com")).await;
            add_member(app, &slug, user, "active", &[role]).await;
            people.push(user);
        }
        let team = add_team(app, &slug, "Team", &["helper"], &[]).await;
        let mut callers = Vec::new();
        // Vouched for by the founder, and known to one of the people each.
        for (n, role) in
            ["owner", "admin", "manager", "developer", "viewer", "owner", "owner"].into_iter().enumerate()
        {
            let (key, _, secret) = add_key(app, &slug, &format!("Key {n}"), &[role]).await;
            let reader = people[[0, 1, 2, 0, 3, 5, 4][n]];
            app.execute(&format!(
                "UPDATE api_key_secrets SET shown_to = {} WHERE api_key_id = {}",
                app.id(reader),
                app.id(key)
            ))
            .await;
            callers.push(Caller { key, reader, api: Api::new(app, &secret), secret, ends_at: None });
        }
        let workspace = workspace_id(app, &slug).await;
        assert_eq!(owner.workspace, slug);
        Self { app, workspace, team, callers, entered: 0 }
    }

    /// Makes the call and looks at what it has done.
    async fn play(&mut self, caller: Index, call: &Call) -> Result<(), TestCaseError> {
        let before = State::load(self.app, self.workspace).await;
        let caller = caller.get(&self.callers).clone();
        if matches!(call, Call::Wait) {
            self.app.clock.advance(Duration::from_secs(25 * 3_600));
            // No request took anything away yet: the statements themselves know what has ended.
            let ended = State::load(self.app, self.workspace).await;
            self.check_secrets(&ended, "a day later").await?;
            prop_assert!(ended.has_active_owner(), "no active Owner a day later");
            let due = format!("SELECT COUNT(*) FROM members WHERE next_end_at <= {}", self.now());
            until("what has ended is still there", async || self.app.scalar_i64(&due).await == 0).await;
            let gone = State::load(self.app, self.workspace).await;
            return self.check_secrets(&gone, "once the rows of what has ended are gone").await;
        }
        let Some(actor) = before.members.iter().find(|member| member.key_id == Some(caller.key)).cloned()
        else {
            return Ok(());
        };
        let bounds = before.bounds(&actor, caller.reader);
        let held = |scope: &str| actor.held.has(scope) && bounds.iter().all(|bound| bound.has(scope));
        let is_owner = actor.held.owner && bounds.iter().all(|bound| bound.owner);
        let tables = self.app.tenants().await;
        let (expected, answer) = self.send(&caller, &before, &actor, call).await;
        let after = State::load(self.app, self.workspace).await;
        let said = format!("{call:?} by {actor:?}: {} {}", answer.status, answer.text);

        prop_assert!(answer.status < 500, "{said}");
        let expected = if caller.is_over(self.now()) { Some(401) } else { expected };
        if let Some(expected) = expected {
            prop_assert_eq!(answer.status, expected, "{}", said);
        }
        if answer.status >= 300 {
            prop_assert!(self.app.tenants().await == tables, "refused, and changed something: {said}");
        }
        prop_assert!(after.has_active_owner(), "no active Owner: {said}");
        for member in &after.members {
            let had = before.members.iter().find(|other| other.id == member.id);
            let had = had.map(|other| other.held.clone()).unwrap_or_default();
            let gained = member.held.scopes.iter().filter(|scope| !had.has(scope));
            for scope in gained {
                prop_assert!(held(scope), "{scope} was gained by {:?}: {said}", member.id);
            }
            prop_assert!(had.owner || !member.held.owner || is_owner, "an Owner was made: {said}");
        }
        if let (Call::NewKey { .. } | Call::Rotate { .. }, 200 | 201) = (call, answer.status) {
            let key: Uuid = answer.body["id"].as_str().unwrap().parse().unwrap();
            let secret = answer.body["api_key"].as_str().unwrap().to_owned();
            let api = caller.api.with(Some(&secret));
            let overlap = if matches!(call, Call::Rotate { overlap: true, .. }) { 86_400_000 } else { 0 };
            let now = self.now();
            // A key has two secrets at most.
            for older in self.callers.iter_mut().filter(|older| older.key == key) {
                older.ends_at = Some(older.ends_at.map_or(now + overlap, |_| now));
            }
            self.callers.push(Caller { key, reader: caller.reader, api, secret, ends_at: None });
        }
        self.check_secrets(&after, &said).await
    }

    fn now(&self) -> i64 {
        self.app.clock.now().as_millis()
    }

    /// The theorem: what somebody can do by any secret that was ever shown to them is what the key's roles hold, and
    /// its voucher, and they themselves; nothing where the secret no longer works.
    async fn check_secrets(&self, now: &State, said: &str) -> Result<(), TestCaseError> {
        for caller in &self.callers {
            let body = json!({"api_key": caller.secret});
            let answer = caller.api.with(None).post("/api/sso/v1/apikeys/verify", &body).await;
            let scopes: Vec<&str> = match answer.status {
                200 => answer.body["scopes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|scope| scope.as_str().unwrap())
                    .collect(),
                401 => Vec::new(),
                other => return Err(TestCaseError::fail(format!("{other}: {said}"))),
            };
            let key = now.members.iter().find(|member| member.key_id == Some(caller.key) && member.is_active);
            let bounds = key.map(|key| now.bounds(key, caller.reader));
            let universe =
                Permission::ALL.iter().map(|permission| permission.scope()).chain(SCOPES.iter().copied());
            for scope in universe.filter(|scope| !scope.contains('*')) {
                let may = scopes.iter().any(|grant| reaches(grant, scope));
                let should = key.is_some_and(|key| key.held.has(scope))
                    && bounds.iter().flatten().all(|bound| bound.has(scope));
                prop_assert!(
                    !may || should,
                    "{scope} by a secret that {} knows, after {said}",
                    caller.reader
                );
                // A secret that still works is worth all of it.
                prop_assert!(may || !should || caller.is_over(self.now()), "{scope} is missing after {said}");
                prop_assert!(!may || !caller.is_over(self.now()), "a secret that is over works after {said}");
            }
        }
        Ok(())
    }

    /// Sends the call; with the status that the model expects, where it has an opinion.
    async fn send(
        &mut self,
        caller: &Caller,
        now: &State,
        actor: &Member,
        call: &Call,
    ) -> (Option<u16>, Answer) {
        let api = &caller.api;
        let at = |rest: &str| format!("/api/sso/v1/{rest}");
        let scopes = |scopes: &[&str], permissions: &[Permission]| -> Vec<String> {
            let permissions = permissions.iter().map(|permission| permission.scope().to_owned());
            scopes.iter().map(|scope| (*scope).to_owned()).chain(permissions).collect()
        };
        self.entered += 1;
        let fresh = format!("{}-{}", self.entered, self.workspace.simple());
        match call {
            Call::Roles { target, roles } => {
                let (target, roles) = (target.get(&now.members), now.slugs(roles));
                let body = json!({"roles": roles});
                let answer = api.patch(&at(&format!("members/{}", target.id)), &body).await;
                (now.verdict(caller, actor, target, &roles), answer)
            }
            Call::NewRole { scopes: own, permissions } => {
                let slug = format!("role-{}", self.entered);
                let body = json!({"name": slug, "slug": slug, "scopes": scopes(own, permissions)});
                (None, api.post(&at("roles"), &body).await)
            }
            Call::Scopes { role, scopes: own, permissions } => {
                let slugs: Vec<&String> = now.roles.keys().collect();
                let body = json!({"scopes": scopes(own, permissions), "confirm": true});
                (
                    None,
                    api.call(
                        reqwest::Method::PUT,
                        &at(&format!("roles/{}/scopes", role.get(&slugs))),
                        Some(&body),
                    )
                    .await,
                )
            }
            Call::Permission { permission, roles } => {
                let roles: BTreeSet<String> =
                    now.slugs(roles).into_iter().filter(|slug| *slug != BuiltIn::Owner.slug()).collect();
                let body = json!({"roles": roles, "confirm": true});
                (
                    None,
                    api.call(
                        reqwest::Method::PUT,
                        &at(&format!("permissions/{}", permission.scope())),
                        Some(&body),
                    )
                    .await,
                )
            }
            Call::TeamRoles { roles } => {
                let body = json!({"roles": now.slugs(roles)});
                (
                    None,
                    api.call(reqwest::Method::PUT, &at(&format!("teams/{}/roles", self.team)), Some(&body))
                        .await,
                )
            }
            Call::IntoTeam { target } => {
                let body = json!({"members": [target.get(&now.members).id]});
                (None, api.post(&at(&format!("teams/{}/members", self.team)), &body).await)
            }
            Call::OutOfTeam { target } => {
                let path = format!("teams/{}/members/{}", self.team, target.get(&now.members).id);
                (None, api.delete(&at(&path)).await)
            }
            Call::NewKey { roles } => {
                let body = json!({"name": format!("Key {}", self.entered), "roles": now.slugs(roles)});
                (None, api.post(&at("apikeys"), &body).await)
            }
            Call::Enter { roles } => {
                let body = json!({"email": format!("entered-{fresh}@example.com"), "name": "Entered", "roles": now.slugs(roles)});
                (None, api.post(&at("users"), &body).await)
            }
            Call::Suspend { target } => (
                None,
                api.post(&at(&format!("members/{}/suspension", target.get(&now.members).id)), &json!({}))
                    .await,
            ),
            Call::Reactivate { target } => (
                None,
                api.post(&at(&format!("members/{}/reactivation", target.get(&now.members).id)), &json!({}))
                    .await,
            ),
            Call::Remove { target } => {
                (None, api.delete(&at(&format!("members/{}", target.get(&now.members).id))).await)
            }
            Call::Rotate { target, overlap } => {
                let body = json!({"overlap_seconds": if *overlap { 86_400 } else { 0 }});
                let path = format!("apikeys/{}/rotation", target.get(&self.callers).key);
                (None, api.post(&at(&path), &body).await)
            }
            Call::Vouch { target } => {
                let path = format!("apikeys/{}/voucher", target.get(&self.callers).key);
                (None, api.post(&at(&path), &json!({})).await)
            }
            Call::RemoveLater { target } => {
                let path = format!("members/{}?overlap_seconds=86400", target.get(&now.members).id);
                (None, api.delete(&at(&path)).await)
            }
            Call::End { target, role, hours } => {
                let until = hours.map(|hours| self.now() + i64::from(hours) * 3_600_000);
                let mut body = json!({"until": until});
                if let Some(role) = role {
                    let slugs: Vec<&String> = now.roles.keys().collect();
                    body["role"] = json!(role.get(&slugs));
                }
                let path = format!("members/{}/end", target.get(&now.members).id);
                (None, api.call(reqwest::Method::PUT, &at(&path), Some(&body)).await)
            }
            Call::Wait => unreachable!("nobody is called"),
            Call::DeleteRole { role, replacement } => {
                let slugs: Vec<&String> = now.roles.keys().collect();
                let path = format!("roles/{}?replacement={}", role.get(&slugs), replacement.get(&slugs));
                (None, api.delete(&at(&path)).await)
            }
        }
    }
}

both! {
    async fn nobody_comes_to_hold_what_nobody_could_give(app: TestApp) {
        new_owner(&app).await;
        let mut runner = TestRunner::new(Config {
            cases: SEQUENCES,
            max_shrink_iters: 60,
            failure_persistence: None,
            ..Config::default()
        });
        let number = std::cell::Cell::new(0);
        let sequences = vec((any::<Index>(), call()), CALLS);
        let played = runner.run(&sequences, |calls| {
            number.set(number.get() + 1);
            block_in_place(|| Handle::current().block_on(async {
                let mut stage = Stage::set(&app, number.get()).await;
                for (caller, call) in &calls {
                    stage.play(*caller, call).await?;
                }
                Ok(())
            }))
        });
        played.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_model_reads_grants_as_document_001_says() {
    for (grant, scope) in
        [("read:*", "read:posts"), ("read:users", "read:users:email"), ("*:*", "deploy:staging")]
    {
        assert!(reaches(grant, scope), "{grant} {scope}");
    }
    for (grant, scope) in
        [("read:*", "read:members"), ("*:*", "manage:roles:x"), ("read:users:email", "read:users")]
    {
        assert!(!reaches(grant, scope), "{grant} {scope}");
    }
    assert!(reaches("read:members", "read:members:email"));
}
