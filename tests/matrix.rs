//! Every route of the table × everyone × every workspace and id that could stand in its path.
//!
//! What must come is computed from the rules below and from policy. A route that is added makes this
//! fail until it is said here who may call it, and what goes into its path and its form.

use crate::support::product::{Access, BuiltIn, Holdings, Needs, Permission, Route, table};
use crate::{support::*, world::*};
use reqwest::Method;
use std::collections::BTreeMap;
use uuid::Uuid;

use Permission as P;

const PUBLIC: Access = Access::Public;
const SIGNED_IN: Access = Access::SignedIn;
const MEMBER: Access = Access::Member(Needs::Membership);
const ACCOUNT: Access = Access::Account;

const fn one(permission: Permission) -> Access {
    Access::Member(Needs::One(permission))
}

const fn any(permissions: &'static [Permission]) -> Access {
    Access::Member(Needs::AnyOf(permissions))
}

/// Who may do what, written down a second time: what is expected does not follow a slip in the table.
#[rustfmt::skip]
const RULES: &[(&str, Access)] = &[
    ("GET /healthz", PUBLIC),
    ("GET /readyz", PUBLIC),
    ("GET /", PUBLIC),
    ("GET /docs/api", PUBLIC),
    ("GET /docs/quick-start", PUBLIC),
    ("GET /sign-up", PUBLIC),
    ("POST /sign-up", PUBLIC),
    ("GET /check-mail", PUBLIC),
    ("GET /sign-in", PUBLIC),
    ("POST /sign-in", PUBLIC),
    ("POST /sign-out", SIGNED_IN),
    ("GET /forgot-password", PUBLIC),
    ("POST /forgot-password", PUBLIC),
    ("GET /reset-password/{token}", PUBLIC),
    ("GET /reset-password", PUBLIC),
    ("POST /reset-password", PUBLIC),
    ("GET /email-verification/{token}", PUBLIC),
    ("GET /email-verification", PUBLIC),
    ("POST /email-verification", PUBLIC),
    ("GET /invitations/{token}", PUBLIC),
    ("GET /invitation", PUBLIC),
    ("POST /invitation/acceptance", SIGNED_IN),
    ("POST /invitation/decline", PUBLIC),
    ("GET /workspaces", SIGNED_IN),
    ("POST /workspaces", SIGNED_IN),
    ("GET /me", SIGNED_IN),
    ("POST /me/profile", SIGNED_IN),
    ("POST /me/password", SIGNED_IN),
    ("POST /me/email", SIGNED_IN),
    ("POST /me/verification", SIGNED_IN),
    ("POST /me/sessions/revocation", SIGNED_IN),
    ("POST /me/sessions/{session}/revocation", SIGNED_IN),
    ("GET /a/{account}", ACCOUNT),
    ("POST /a/{account}/details", ACCOUNT),
    ("GET /a/{account}/people", ACCOUNT),
    ("GET /a/{account}/people/{user}/admin", ACCOUNT),
    ("POST /a/{account}/people/{user}/admin", ACCOUNT),
    ("GET /a/{account}/people/{user}/removal", ACCOUNT),
    ("POST /a/{account}/people/{user}/removal", ACCOUNT),
    ("GET /a/{account}/api-keys", ACCOUNT),
    ("POST /a/{account}/api-keys", ACCOUNT),
    ("GET /a/{account}/api-keys/new", ACCOUNT),
    ("GET /a/{account}/api-keys/{key}", ACCOUNT),
    ("POST /a/{account}/api-keys/{key}/details", ACCOUNT),
    ("POST /a/{account}/api-keys/{key}/administration", ACCOUNT),
    ("POST /a/{account}/api-keys/{key}/rotation", ACCOUNT),
    ("GET /a/{account}/api-keys/{key}/revocation", ACCOUNT),
    ("POST /a/{account}/api-keys/{key}/revocation", ACCOUNT),
    ("GET /w/{workspace}", MEMBER),
    ("GET /w/{workspace}/departure", MEMBER),
    ("POST /w/{workspace}/departure", MEMBER),
    ("GET /w/{workspace}/members", one(P::ReadMembers)),
    ("POST /w/{workspace}/members", one(P::InviteMembers)),
    ("GET /w/{workspace}/members/new", one(P::InviteMembers)),
    ("GET /w/{workspace}/members/selection/roles", one(P::UpdateMemberRoles)),
    ("POST /w/{workspace}/members/selection/roles", one(P::UpdateMemberRoles)),
    ("GET /w/{workspace}/members/selection/suspension", one(P::SuspendMembers)),
    ("POST /w/{workspace}/members/selection/suspension", one(P::SuspendMembers)),
    ("GET /w/{workspace}/members/selection/removal", one(P::RemoveMembers)),
    ("POST /w/{workspace}/members/selection/removal", one(P::RemoveMembers)),
    ("GET /w/{workspace}/members/{member}", one(P::ReadMembers)),
    ("GET /w/{workspace}/members/{member}/access", one(P::ReadMembers)),
    ("POST /w/{workspace}/members/{member}/roles", one(P::UpdateMemberRoles)),
    ("GET /w/{workspace}/members/{member}/roles/preview", one(P::UpdateMemberRoles)),
    ("GET /w/{workspace}/members/{member}/suspension", one(P::SuspendMembers)),
    ("POST /w/{workspace}/members/{member}/suspension", one(P::SuspendMembers)),
    ("POST /w/{workspace}/members/{member}/reactivation", one(P::SuspendMembers)),
    ("GET /w/{workspace}/members/{member}/removal", one(P::RemoveMembers)),
    ("POST /w/{workspace}/members/{member}/removal", one(P::RemoveMembers)),
    ("POST /w/{workspace}/members/{member}/ownership-offer", one(P::UpdateMemberRoles)),
    ("POST /w/{workspace}/ownership-offers/{offer}/acceptance", MEMBER),
    ("POST /w/{workspace}/ownership-offers/{offer}/decline", MEMBER),
    ("POST /w/{workspace}/ownership-offers/{offer}/withdrawal", MEMBER),
    ("GET /w/{workspace}/invitations", any(&[P::InviteMembers, P::CancelInvitations])),
    ("POST /w/{workspace}/invitations", one(P::InviteMembers)),
    ("GET /w/{workspace}/invitations/selection/resend", one(P::InviteMembers)),
    ("POST /w/{workspace}/invitations/selection/resend", one(P::InviteMembers)),
    ("GET /w/{workspace}/invitations/selection/cancellation", one(P::CancelInvitations)),
    ("POST /w/{workspace}/invitations/selection/cancellation", one(P::CancelInvitations)),
    ("POST /w/{workspace}/invitations/{invitation}/resend", one(P::InviteMembers)),
    ("GET /w/{workspace}/invitations/{invitation}/cancellation", one(P::CancelInvitations)),
    ("POST /w/{workspace}/invitations/{invitation}/cancellation", one(P::CancelInvitations)),
    ("GET /w/{workspace}/teams", one(P::ReadTeams)),
    ("POST /w/{workspace}/teams", one(P::CreateTeams)),
    ("GET /w/{workspace}/teams/new", one(P::CreateTeams)),
    ("GET /w/{workspace}/teams/{team}", one(P::ReadTeams)),
    ("POST /w/{workspace}/teams/{team}/details", MEMBER),
    ("GET /w/{workspace}/teams/{team}/members", one(P::ReadMembers)),
    ("POST /w/{workspace}/teams/{team}/members", MEMBER),
    ("POST /w/{workspace}/teams/{team}/members/{member}/removal", MEMBER),
    ("POST /w/{workspace}/teams/{team}/members/{member}/lead", one(P::UpdateTeams)),
    ("POST /w/{workspace}/teams/{team}/roles", one(P::UpdateTeams)),
    ("GET /w/{workspace}/teams/{team}/roles/preview", one(P::UpdateTeams)),
    ("GET /w/{workspace}/teams/{team}/deletion", one(P::DeleteTeams)),
    ("POST /w/{workspace}/teams/{team}/deletion", one(P::DeleteTeams)),
    ("GET /w/{workspace}/roles", one(P::ReadMembers)),
    ("POST /w/{workspace}/roles", one(P::ManageRoles)),
    ("GET /w/{workspace}/roles/new", one(P::ManageRoles)),
    ("GET /w/{workspace}/roles/comparison", one(P::ReadMembers)),
    ("GET /w/{workspace}/roles/{role}", one(P::ReadMembers)),
    ("POST /w/{workspace}/roles/{role}/details", one(P::ManageRoles)),
    ("POST /w/{workspace}/roles/{role}/scopes", one(P::UpdatePermissions)),
    ("GET /w/{workspace}/roles/{role}/scopes/preview", one(P::UpdatePermissions)),
    ("GET /w/{workspace}/roles/{role}/deletion", one(P::ManageRoles)),
    ("POST /w/{workspace}/roles/{role}/deletion", one(P::ManageRoles)),
    ("GET /w/{workspace}/security", one(P::ReadMembers)),
    ("POST /w/{workspace}/security/{permission}", one(P::UpdatePermissions)),
    ("GET /w/{workspace}/security/{permission}/preview", one(P::UpdatePermissions)),
    ("GET /w/{workspace}/api-keys", one(P::ReadApiKeys)),
    ("POST /w/{workspace}/api-keys", one(P::ManageApiKeys)),
    ("GET /w/{workspace}/api-keys/new", one(P::ManageApiKeys)),
    ("GET /w/{workspace}/api-keys/addition", one(P::ManageApiKeys)),
    ("POST /w/{workspace}/api-keys/addition", one(P::ManageApiKeys)),
    ("GET /w/{workspace}/api-keys/{key}", one(P::ReadApiKeys)),
    ("POST /w/{workspace}/api-keys/{key}/details", one(P::ManageApiKeys)),
    ("POST /w/{workspace}/api-keys/{key}/rotation", one(P::ManageApiKeys)),
    ("GET /w/{workspace}/api-keys/{key}/revocation", one(P::ManageApiKeys)),
    ("POST /w/{workspace}/api-keys/{key}/revocation", one(P::ManageApiKeys)),
    ("GET /w/{workspace}/resources", one(P::CheckAccess)),
    ("GET /w/{workspace}/organization", MEMBER),
    ("POST /w/{workspace}/organization", one(P::UpdateOrganization)),
    ("GET /w/{workspace}/organization/deletion", one(P::DeleteOrganization)),
    ("POST /w/{workspace}/organization/deletion", one(P::DeleteOrganization)),
    ("GET /w/{workspace}/activity", one(P::ReadAudit)),
    ("GET /w/{workspace}/activity/{event}/undo", one(P::ReadAudit)),
];

pub fn rule(route: &Route) -> Access {
    let name = format!("{} {}", route.method, route.path);
    let rule = RULES.iter().find(|(other, _)| *other == name);
    rule.unwrap_or_else(|| panic!("say in tests/matrix.rs who may {name}")).1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Role(BuiltIn),
    Suspended,
    Outsider,
    SignedOut,
}

struct Actor {
    kind: Kind,
    client: Client,
    /// A session of theirs.
    session: Uuid,
    member_id: Option<Uuid>,
    holdings: Holdings,
}

/// What is sent along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// A GET.
    None,
    /// JSON where a form belongs.
    Bad,
    /// A good form without the session's token.
    NoToken,
    Good,
}

/// What must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Is(u16),
    /// Refused, and written down in the workspace.
    Audited(u16),
    /// Nobody is told to sign in or that they may not; what else comes is the page's own affair.
    Open,
}

struct Matrix<'a> {
    app: &'a TestApp,
    world: &'a World,
    actors: Vec<Actor>,
    /// The version that the form of the Security page for [`TOGGLED`] carries.
    version: String,
    /// The versions that the two forms on the page of the role carry: its details, its scopes.
    role_versions: [String; 2],
    /// The versions that the forms for the roles of the two teams carry: their own, and that above.
    team_versions: [String; 2],
    /// The versions that the forms for another secret of the two keys carry: the one, and that above.
    key_versions: [String; 2],
    /// The page for what does not exist, for who is no member.
    nothing: String,
    before: Snapshot,
    elsewhere: Vec<String>,
    requests: usize,
}

#[test]
fn the_table_asks_for_what_is_written_here() {
    for route in table() {
        assert_eq!(
            route.access,
            rule(&route),
            "left: the table, right: RULES, {} {}",
            route.method,
            route.path
        );
    }
    let mounted: Vec<_> = table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let ruled: Vec<_> = RULES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(mounted, ruled, "left: the table, right: RULES, in their order");
}

const TOGGLED: Permission = Permission::ReadTeams;

both! {
    async fn every_route_by_everyone(app: TestApp) {
        let world = World::build(&app).await;
        let mut matrix = Matrix::new(&app, &world).await;
        for route in table() {
            for actor in 0..matrix.actors.len() {
                for place in PLACES {
                    matrix.walk(&route, actor, place).await;
                }
            }
        }
        // 57 routes, ten actors: a walk that skips would show here.
        assert!(matrix.requests > 2_000, "only {} requests were made", matrix.requests);
    }

    async fn every_other_method_is_answered_405(app: TestApp) {
        let owner = founder(&app).await;
        let mut paths: BTreeMap<&str, Vec<Method>> = BTreeMap::new();
        for route in table() {
            paths.entry(route.path).or_default().push(route.method.as_str().parse().unwrap());
        }
        for (pattern, has) in paths {
            let mut allow: Vec<&str> = Vec::new();
            for method in &has {
                allow.extend(if *method == Method::GET { vec!["GET", "HEAD"] } else { vec!["POST"] });
            }
            let path = pattern.replace("{workspace}", "acme").replace(['{', '}'], "");
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
                if has.contains(&method) {
                    continue;
                }
                for client in [&owner.client, &app.client()] {
                    let page = client.request(method.clone(), &path, None).await;
                    if method == Method::GET {
                        // To the page above: tests/refusals.rs looks at which.
                        page.assert_status(303);
                        continue;
                    }
                    page.assert_status(405);
                    let said: Vec<&str> = page.header("allow").unwrap_or_default().split(", ").collect();
                    assert_eq!(said, allow, "Allow of {method} {path}");
                }
            }
        }
    }

    async fn what_happens_elsewhere_shows_on_no_page(app: TestApp) {
        let world = World::build(&app).await;
        let matrix = Matrix::new(&app, &world).await;
        // Only elsewhere an offer is open.
        let here = app.id(world.acme.id);
        app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {here}")).await;
        let before = pages(&matrix).await;
        let sql = format!("SELECT user_id FROM members WHERE id = {}", app.id(world.acme.viewer));
        // One of them is a member here too.
        let inviters = [app.scalar_uuid(&sql).await, world.outsider.user_id];
        for n in 0..20 {
            let user = add_user(&app, &format!("One {n} Elsewhere"), &format!("one-{n}@elsewhere.example.com")).await;
            let status = if n % 3 == 0 { "suspended" } else { "active" };
            let role = BuiltIn::ALL[n % 7].slug();
            add_member(&app, "elsewhere", user, status, &[role]).await;
            let email = format!("one-{n}@example.com");
            let expires_in = if n % 2 == 0 { DAY } else { -DAY };
            let invitation = Invitation { expires_in, ..Invitation::to(&email) };
            invitation.by(inviters[n % 2]).add(&app, "elsewhere").await;
        }
        let there = app.id(world.elsewhere.id);
        app.execute(&format!("DELETE FROM grants WHERE workspace_id = {there} AND scope = 'read:audit'")).await;
        app.execute(&format!("UPDATE members SET last_active_at = 1 WHERE workspace_id = {there}")).await;
        app.execute(&format!("UPDATE workspaces SET name = 'Renamed Elsewhere' WHERE id = {there}")).await;
        let account = app.id(world.elsewhere.account);
        let sql = format!("UPDATE accounts SET name = 'Account Elsewhere', workspace_creation = 'people' WHERE id = {account}");
        app.execute(&sql).await;
        app.execute(&format!("UPDATE account_people SET is_admin = (1 = 1) WHERE account_id = {account}")).await;
        app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {there}")).await;

        let after = pages(&matrix).await;

        assert!(before.len() > 30, "only {} pages were looked at", before.len());
        for ((path, before), (_, after)) in before.iter().zip(&after) {
            assert!(before == after, "{path} tells of another workspace:\n{before}\n{after}");
        }
    }
}

/// A page without the exact moments in it: whoever looks was last seen just now.
fn without_moments(html: &str) -> String {
    let mut pieces = html.split("<time ");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
    }
    text
}

/// What each page of acme says to its Owner, an Admin and the Developer.
async fn pages(matrix: &Matrix<'_>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for actor in &matrix.actors {
        if ![BuiltIn::Owner, BuiltIn::Admin, BuiltIn::Developer].map(Kind::Role).contains(&actor.kind) {
            continue;
        }
        // Only what is open to them: a refusal would show on the page of activity.
        let rows = table();
        let own = rows.iter().filter(|route| match rule(route) {
            Access::Member(needs) => route.method.as_str() == "GET" && actor.holdings.meets(needs),
            // The Owner founded it, and is the admin of the account.
            Access::Account => {
                let is_page = route.method.as_str() == "GET" && !route.path.contains("{user}");
                is_page && actor.kind == Kind::Role(BuiltIn::Owner)
            }
            _ => false,
        });
        let mut paths: Vec<String> = own.filter_map(|route| matrix.path(route, actor, Place::Own)).collect();
        let queries: &[&str] = &[
            "members?q=one",
            "members?role=viewer",
            "members?status=suspended",
            "members?sort=-active",
            "invitations?status=expired",
            "invitations?q=example.com",
            "activity?outcome=done",
        ];
        if actor.kind != Kind::Role(BuiltIn::Developer) {
            paths.extend(queries.iter().map(|query| format!("/w/acme/{query}")));
        }
        for path in paths {
            let page = actor.client.get(&path).await.with_status(200);
            page.assert_silent_about("lsewhere");
            all.push((format!("{:?} {path}", actor.kind), without_moments(&page.html)));
        }
    }
    all
}

impl<'a> Matrix<'a> {
    async fn new(app: &'a TestApp, world: &'a World) -> Self {
        let mut actors = Vec::new();
        let people = world.people.iter().map(|(role, person)| (Kind::Role(*role), person));
        for (kind, person) in
            people.chain([(Kind::Suspended, &world.suspended), (Kind::Outsider, &world.outsider)])
        {
            let sql = format!("SELECT id FROM sessions WHERE user_id = {}", app.id(person.user_id));
            let holdings = match kind {
                Kind::Role(role) => Holdings::of(role == BuiltIn::Owner, role.grants()),
                _ => Holdings::default(),
            };
            person.client.csrf().await;
            actors.push(Actor {
                kind,
                client: person.client.clone(),
                session: app.scalar_uuid(&sql).await,
                member_id: Some(person.member_id),
                holdings,
            });
        }
        let client = app.client();
        client.csrf().await;
        actors.push(Actor {
            kind: Kind::SignedOut,
            client,
            session: UNKNOWN,
            member_id: None,
            holdings: Holdings::default(),
        });
        let owner = &world.person(BuiltIn::Owner).client;
        let security = owner.visit("/w/acme/security").await;
        let role = owner.visit(&format!("/w/acme/roles/{}", world.acme.role)).await;
        let role_versions =
            ["/details", "/scopes"].map(|form| role.form(form).values("version")[0].to_owned());
        let version =
            security.form(&format!("/security/{}", TOGGLED.scope())).values("version")[0].to_owned();
        let mut team_versions = [String::new(), String::new()];
        for (version, team) in team_versions.iter_mut().zip([world.acme.team, world.acme.team_above]) {
            let page = owner.visit(&format!("/w/acme/teams/{team}")).await;
            *version = page.form("/roles").values("version")[0].to_owned();
        }
        let mut key_versions = [String::new(), String::new()];
        for (version, key) in key_versions.iter_mut().zip([world.acme.key, world.acme.key_above]) {
            let page = owner.visit(&format!("/w/acme/api-keys/{key}")).await;
            *version = page.form("/rotation").values("version")[0].to_owned();
        }
        Self {
            app,
            world,
            actors,
            version,
            key_versions,
            role_versions,
            team_versions,
            nothing: owner.get("/w/nowhere").await.with_status(404).html,
            before: app.tenants().await,
            elsewhere: rows_of(app, world.elsewhere.id).await,
            requests: 0,
        }
    }

    async fn walk(&mut self, route: &Route, actor: usize, place: Place) {
        let Some(path) = self.path(route, &self.actors[actor], place) else { return };
        let bodies: &[Body] = if route.method == Method::GET.as_str() {
            &[Body::None]
        } else {
            &[Body::Bad, Body::NoToken, Body::Good]
        };
        for body in bodies {
            let verdict = self.verdict(route, &self.actors[actor], place, *body);
            let said = format!("{:?} {place:?} {body:?}: {} {path}", self.actors[actor].kind, route.method);
            self.attempt(route, actor, place, &path, *body, verdict, &said).await;
            self.requests += 1;
        }
    }

    /// The path with everything filled in; `None` where it has no such variant.
    fn path(&self, route: &Route, actor: &Actor, place: Place) -> Option<String> {
        let (pattern, method) = (route.path, route.method.as_str());
        let things = self.things(place);
        let of_ids = matches!(place, Place::ForeignIds | Place::UnknownIds);
        let of_workspace = matches!(place, Place::OtherWorkspace | Place::NoWorkspace);
        let id = |known: Uuid| if place == Place::UnknownIds { UNKNOWN } else { known }.to_string();
        let (mut has_id, mut has_workspace) = (false, false);
        let mut parts = Vec::new();
        for part in pattern.split('/') {
            let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
                parts.push(part.to_owned());
                continue;
            };
            has_workspace |= ["workspace", "account"].contains(&name);
            has_id |= !["workspace", "account"].contains(&name);
            parts.push(match name {
                "workspace" => match place {
                    Place::OtherWorkspace => "elsewhere".into(),
                    Place::NoWorkspace => "nowhere".into(),
                    _ => "acme".into(),
                },
                "account" if place == Place::NoWorkspace => UNKNOWN.to_string(),
                "account" if place == Place::OtherWorkspace => things.account.to_string(),
                "account" => self.world.acme.account.to_string(),
                "user" if place == Place::Above => self.world.person(BuiltIn::Owner).user_id.to_string(),
                "user" => id(things.person),
                "member" if place == Place::Above => things.owner.to_string(),
                "member" if pattern.ends_with("/reactivation") => id(things.shut_out),
                "member" => id(things.viewer),
                "team" if place == Place::Above => things.team_above.to_string(),
                "team" => id(things.team),
                "invitation" => id(things.invitation),
                "event" => id(things.event),
                "offer" => id(things.offer),
                "key" if place == Place::Above => things.key_above.to_string(),
                "key" => id(things.key),
                "role" if place == Place::Above => "owner".into(),
                "role" if place == Place::UnknownIds => UNKNOWN.to_string(),
                "role" => things.role.into(),
                // The catalogue is the same for every workspace.
                "permission" if place == Place::ForeignIds => return None,
                "permission" if place == Place::UnknownIds => "fly:rockets".into(),
                "permission" => TOGGLED.scope().into(),
                "session" => id(match place {
                    Place::ForeignIds if actor.kind == Kind::Outsider => self.actors[0].session,
                    Place::ForeignIds => self.outsider().session,
                    _ => actor.session,
                }),
                // What it says is a secret and no id: it has tests of its own.
                "token" if place == Place::Own => "no-token-of-ours".into(),
                "token" => return None,
                _ => panic!("say in tests/matrix.rs what stands for {part} in {pattern}"),
            });
        }
        // A page about a selection has its ids in the query, and its form has them in the body.
        let selected = selected(pattern, things, place);
        has_id |= selected.is_some();
        let exists = match place {
            Place::Own => true,
            Place::Above => {
                let of = ["{member}", "/members/selection", "{role}", "{team}", "{user}", "{key}"];
                of.iter().any(|part| pattern.contains(part))
            }
            // Their own workspace is no other.
            Place::OtherWorkspace if actor.kind == Kind::Outsider => false,
            _ => (!of_ids || has_id) && (!of_workspace || has_workspace),
        };
        let query = selected.filter(|_| method == Method::GET.as_str());
        let query = match query {
            Some((field, id)) => format!("?{field}={id}"),
            None if pattern.ends_with("/scopes/preview") => "?scopes=read:notes".to_owned(),
            None if pattern.ends_with("/preview") => "?role=viewer".to_owned(),
            None => String::new(),
        };
        exists.then(|| format!("{}{query}", parts.join("/")))
    }

    fn things(&self, place: Place) -> &Things {
        match place {
            Place::ForeignIds | Place::OtherWorkspace => &self.world.elsewhere,
            _ => &self.world.acme,
        }
    }

    fn outsider(&self) -> &Actor {
        self.actors.iter().find(|actor| actor.kind == Kind::Outsider).unwrap()
    }

    /// A form that would be taken if nothing stood against it.
    fn fields(&self, path: &str, actor: &Actor, place: Place) -> Vec<(&'static str, String)> {
        let of = |pairs: &[(&'static str, &str)]| {
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
        };
        let slug = if actor.kind == Kind::Outsider { "elsewhere" } else { "acme" };
        let mut fields: Vec<(&'static str, String)> = selected(path, self.things(place), place)
            .into_iter()
            .map(|(field, id)| (field, id.to_string()))
            .collect();
        fields.extend(match path {
            "/w/{workspace}/members/selection/roles" => of(&[("role", "viewer"), ("role", "support")]),
            "/sign-up" => of(&[("name", "New One"), ("email", "new@example.com"), ("password", "short")]),
            "/sign-in" => of(&[("email", "nobody@example.com"), ("password", "not the password")]),
            "/forgot-password" => of(&[("email", "nobody@example.com")]),
            "/reset-password" => of(&[("password", "another staple for 7 horses")]),
            "/workspaces" => of(&[("name", "Another"), ("slug", "another")]),
            "/me/profile" => of(&[("name", "New Name")]),
            "/me/password" => {
                of(&[("current_password", PASSWORD), ("password", "another staple for 7 horses")])
            }
            "/me/email" => of(&[("email", "new-address@example.com"), ("current_password", PASSWORD)]),
            "/a/{account}/details" => of(&[("name", "Renamed"), ("creation", "people")]),
            "/a/{account}/people/{user}/admin" if place == Place::Above => of(&[("admin", "no")]),
            "/a/{account}/people/{user}/admin" => of(&[("admin", "yes")]),
            "/a/{account}/api-keys" => {
                // Owner One has made those of the world.
                of(&[("name", "Another Key"), ("expiry", "30"), ("made", "3")])
            }
            "/a/{account}/api-keys/{key}/administration" => of(&[("administers", "yes")]),
            "/w/{workspace}/members" => {
                of(&[("user", &self.things(place).person.to_string()), ("role", "viewer")])
            }
            "/w/{workspace}/members/{member}/roles" => of(&[("role", "viewer"), ("role", "support")]),
            "/w/{workspace}/invitations" => of(&[("emails", "new@example.com"), ("role", "viewer")]),
            "/w/{workspace}/security/{permission}" => of(&[("role", "viewer"), ("version", &self.version)]),
            "/w/{workspace}/roles" => of(&[("name", "New Role"), ("scopes", "read:notes")]),
            "/w/{workspace}/roles/{role}/details" => {
                of(&[("name", "Renamed"), ("version", &self.role_versions[0])])
            }
            "/w/{workspace}/roles/{role}/scopes" => of(&[
                ("permission", "read:members"),
                ("scopes", "write:notes"),
                ("version", &self.role_versions[1]),
            ]),
            "/w/{workspace}/teams" | "/w/{workspace}/teams/{team}/details" => {
                of(&[("name", "Another Team"), ("description", "")])
            }
            "/w/{workspace}/teams/{team}/members" => of(&[("member", &self.world.acme.shut_out.to_string())]),
            "/w/{workspace}/teams/{team}/members/{member}/lead" => of(&[("lead", "yes")]),
            "/w/{workspace}/teams/{team}/roles" => {
                let version = &self.team_versions[usize::from(place == Place::Above)];
                of(&[("role", "viewer"), ("role", "support"), ("version", version)])
            }
            "/w/{workspace}/api-keys" => {
                // Owner One has made those of the world.
                let made = if actor.kind == Kind::Role(BuiltIn::Owner) { "3" } else { "0" };
                of(&[("name", "Another Key"), ("role", "viewer"), ("expiry", "30"), ("made", made)])
            }
            "/w/{workspace}/api-keys/addition" => {
                of(&[("key", &self.world.acme.key_waiting.to_string()), ("role", "viewer")])
            }
            "/a/{account}/api-keys/{key}/details" | "/w/{workspace}/api-keys/{key}/details" => {
                of(&[("name", "Renamed")])
            }
            "/a/{account}/api-keys/{key}/rotation" | "/w/{workspace}/api-keys/{key}/rotation" => {
                of(&[("overlap", "1"), ("version", &self.key_versions[usize::from(place == Place::Above)])])
            }
            "/w/{workspace}/organization" => of(&[("name", "Renamed"), ("slug", "renamed")]),
            "/w/{workspace}/organization/deletion" => of(&[("confirm", slug)]),
            "/sign-out"
            | "/email-verification"
            | "/invitation/acceptance"
            | "/invitation/decline"
            | "/me/verification"
            | "/me/sessions/revocation"
            | "/me/sessions/{session}/revocation"
            | "/a/{account}/people/{user}/removal"
            | "/a/{account}/api-keys/{key}/revocation"
            | "/w/{workspace}/departure"
            | "/w/{workspace}/members/{member}/suspension"
            | "/w/{workspace}/members/{member}/reactivation"
            | "/w/{workspace}/members/{member}/removal"
            | "/w/{workspace}/members/{member}/ownership-offer"
            | "/w/{workspace}/ownership-offers/{offer}/acceptance"
            | "/w/{workspace}/ownership-offers/{offer}/decline"
            | "/w/{workspace}/ownership-offers/{offer}/withdrawal"
            | "/w/{workspace}/invitations/{invitation}/resend"
            | "/w/{workspace}/invitations/{invitation}/cancellation"
            | "/w/{workspace}/roles/{role}/deletion"
            | "/w/{workspace}/teams/{team}/members/{member}/removal"
            | "/w/{workspace}/teams/{team}/deletion"
            | "/w/{workspace}/api-keys/{key}/revocation"
            | "/w/{workspace}/members/selection/suspension"
            | "/w/{workspace}/members/selection/removal"
            | "/w/{workspace}/invitations/selection/resend"
            | "/w/{workspace}/invitations/selection/cancellation" => Vec::new(),
            _ => panic!("say in tests/matrix.rs what the form of POST {path} holds"),
        });
        fields
    }

    fn verdict(&self, route: &Route, actor: &Actor, place: Place, body: Body) -> Verdict {
        use Verdict::{Audited, Is, Open};
        let access = rule(route);
        match (access, actor.kind) {
            (Access::SignedIn | Access::Member(_) | Access::Account, Kind::SignedOut) => Is(401),
            (Access::Member(_) | Access::Account, _)
                if matches!(place, Place::OtherWorkspace | Place::NoWorkspace) =>
            {
                Is(404)
            }
            // The outsider is the admin of another account.
            (Access::Member(_) | Access::Account, Kind::Outsider) => Is(404),
            // Everybody of the workspace belongs to the account, and its founder is the admin.
            (Access::Account, kind) if kind != Kind::Role(BuiltIn::Owner) => Audited(403),
            (Access::Member(_), Kind::Suspended) => Audited(403),
            (Access::Member(needs), _) if !actor.holdings.meets(needs) => Audited(403),
            _ => match body {
                _ if place == Place::UnknownIds && route.path.contains("{permission}") => Is(404),
                Body::Bad => Is(415),
                Body::NoToken => Is(403),
                Body::None | Body::Good => match access {
                    Access::Public => Open,
                    Access::Key => unreachable!("no page is for keys"),
                    Access::SignedIn => signed_in(route, place),
                    Access::Member(_) => self.inside(route, actor, place),
                    Access::Account => of_account(route, place),
                },
            },
        }
    }

    /// What comes for a member who has the permission.
    fn inside(&self, route: &Route, actor: &Actor, place: Place) -> Verdict {
        use Verdict::{Audited, Is};
        let Kind::Role(role) = actor.kind else { unreachable!("only members come in") };
        let is_owner = role == BuiltIn::Owner;
        let rest = route.path.strip_prefix("/w/{workspace}").unwrap();
        let is_get = route.method == Method::GET.as_str();
        // The offers ask first whether one is an Owner at all.
        if rest == "/members/{member}/ownership-offer" && !is_owner {
            return Audited(403);
        }
        if matches!(place, Place::ForeignIds | Place::UnknownIds) {
            return Is(404);
        }
        let viewer = Holdings::of(false, BuiltIn::Viewer.grants());
        let owner = Holdings::of(true, []);
        let target = if place == Place::Above { &owner } else { &viewer };
        let done = Is(if is_get { 200 } else { 303 });
        // The page names everyone, and says to whom it can't be done; a preview, that it would be refused.
        if (rest.contains("/selection/") || rest.ends_with("/preview")) && is_get {
            return done;
        }
        // Nobody changes the role of the Owners, not even an Owner.
        if place == Place::Above && rest.starts_with("/roles/{role}/") {
            return Audited(403);
        }
        let changes_member = ["/roles", "/suspension", "/reactivation", "/removal"];
        let of_member = rest.starts_with("/members/{member}") || rest.starts_with("/members/selection");
        if of_member && changes_member.iter().any(|tail| rest.ends_with(tail)) {
            if place == Place::Above && is_get {
                // The only Owner: said before anything else.
                return Audited(409);
            }
            if actor.holdings.may_manage(target).is_err() {
                return Audited(403);
            }
            return match (place, rest.rsplit('/').next().unwrap()) {
                // One's own, or the last Owner's.
                (Place::Above, "reactivation" | "suspension" | "removal" | "roles") => Audited(409),
                _ => done,
            };
        }
        if rest.starts_with("/teams/{team}") {
            // The Developer leads the one, and nobody the one above.
            let leads = role == BuiltIn::Developer && place == Place::Own;
            let edits = leads || actor.holdings.has(P::UpdateTeams);
            return match rest.trim_start_matches("/teams/{team}") {
                "/details" | "/members" | "/members/{member}/removal" if !edits => Audited(403),
                // In the one above is an Owner, and both carry a role.
                "/members/{member}/removal" | "/roles" if place == Place::Above && !is_owner => Audited(403),
                _ => done,
            };
        }
        if rest.starts_with("/api-keys") {
            return match rest {
                // To see it is another matter than to take it over.
                "/api-keys/{key}" => done,
                _ if place == Place::Above && !is_owner => Audited(403),
                // The secret stands on the page that answers.
                "/api-keys" | "/api-keys/{key}/rotation" => Is(200),
                _ => done,
            };
        }
        let offered_to = self.world.person(BuiltIn::Developer).member_id;
        match rest {
            "/departure" if !is_get && is_owner => Audited(409),
            "/members/{member}/ownership-offer" if place == Place::Above => Audited(403),
            // There is an offer already.
            "/members/{member}/ownership-offer" => Audited(409),
            "/ownership-offers/{offer}/acceptance" | "/ownership-offers/{offer}/decline" => {
                if actor.member_id == Some(offered_to) { done } else { Audited(403) }
            }
            "/ownership-offers/{offer}/withdrawal" if !is_owner => Audited(403),
            "/invitations" | "/invitations/{invitation}/resend" | "/invitations/selection/resend"
                if !is_get =>
            {
                if actor.holdings.may_invite([&viewer]).is_ok() {
                    done
                } else {
                    Audited(403)
                }
            }
            "/security/{permission}" if actor.holdings.may_toggle(&viewer, TOGGLED).is_err() => Audited(403),
            _ => done,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place that sends and looks")]
    async fn attempt(
        &mut self,
        route: &Route,
        actor: usize,
        place: Place,
        path: &str,
        body: Body,
        verdict: Verdict,
        said: &str,
    ) {
        let actor = &self.actors[actor];
        let events = self.events().await;
        // What may change the session is done on a copy of it.
        let client = if matches!(body, Body::Good) { actor.client.twin() } else { actor.client.clone() };
        let fields = if body == Body::None { Vec::new() } else { self.fields(route.path, actor, place) };
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = match body {
            Body::None => client.get(path).await,
            Body::Bad => client.post_raw(path, "{\"not\":\"a form\"}", "application/json").await,
            Body::NoToken => {
                fields.push(("csrf", "0000"));
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                client.post_raw(path, body, "application/x-www-form-urlencoded").await
            }
            Body::Good => client.post_form(path, &fields).await,
        };
        let status = page.status.as_u16();
        match verdict {
            Verdict::Is(wanted) | Verdict::Audited(wanted) => {
                assert_eq!(status, wanted, "{said}\n{}", page.text());
            }
            Verdict::Open => {
                assert!(![401, 403, 404].contains(&status) && status < 500, "{said} gave {status}")
            }
        }
        if status == 404 {
            let nothing = match actor.kind {
                // Theirs has the frame of the workspace that they are in, and is the same for what
                // is elsewhere and for what is nowhere.
                Kind::Role(_) if at_home(route, place) => {
                    let path = match rule(route) {
                        Access::Account => format!("/a/{}/people/{UNKNOWN}/removal", self.world.acme.account),
                        _ => format!("/w/acme/members/{UNKNOWN}"),
                    };
                    &client.get(&path).await.with_status(404).html
                }
                _ => &self.nothing,
            };
            assert_eq!(&page.html, nothing, "{said} differs from the answer for what does not exist");
        }
        if let (Verdict::Audited(403), Kind::Role(_), Access::Member(needs)) =
            (verdict, actor.kind, rule(route))
            && !actor.holdings.meets(needs)
        {
            page.assert_says(needs.permissions()[0].label());
        }
        if matches!(actor.kind, Kind::Role(_) | Kind::Suspended) {
            page.assert_silent_about("lsewhere");
        }
        if status >= 400 {
            self.before.assert_same(&self.app.tenants().await);
            let refused = u64::from(matches!(verdict, Verdict::Audited(_)));
            let now = self.events().await;
            assert_eq!(now.0 - events.0, refused, "events that {said} added");
            assert_eq!(now.1 - events.1, refused, "refusals in acme that {said} added");
        } else if body == Body::Good {
            if matches!(rule(route), Access::Member(_) | Access::Account) {
                assert_untouched(self.app, self.world.elsewhere.id, &self.elsewhere, said).await;
                // The workspace is told too of the end of a key that is a member there.
                let told = if route.path == "/a/{account}/api-keys/{key}/revocation" { 2 } else { 1 };
                let now = self.events().await;
                assert_eq!((now.0 - events.0, now.1 - events.1), (told, 0), "events that {said} added");
            }
            restore(self.app).await;
        } else {
            assert_eq!(self.events().await, events, "{said} was written down: {place:?}");
        }
    }

    /// How many events there are, and how many refusals of acme and its account among them.
    async fn events(&self) -> (u64, u64) {
        let sql = format!(
            "SELECT count(*) AS n, count(CASE WHEN (workspace_id = {} OR account_id = {}) AND outcome = 'refused' THEN 1 END) AS refused
             FROM audit_events",
            self.app.id(self.world.acme.id),
            self.app.id(self.world.acme.account)
        );
        let row = self.app.rows(&sql).await.remove(0);
        (row["n"].as_u64().unwrap(), row["refused"].as_u64().unwrap())
    }
}

/// What is ticked for a route about a selection: the field and the id.
fn selected(pattern: &str, things: &Things, place: Place) -> Option<(&'static str, Uuid)> {
    let (field, id) = match () {
        () if pattern.contains("/members/selection/") && place == Place::Above => ("member", things.owner),
        () if pattern.contains("/members/selection/") => ("member", things.viewer),
        () if pattern.contains("/invitations/selection/") => ("invitation", things.invitation),
        () => return None,
    };
    Some((field, if place == Place::UnknownIds { UNKNOWN } else { id }))
}

/// The address is in the actor's own workspace or account.
fn at_home(route: &Route, place: Place) -> bool {
    (route.path.starts_with("/w/") || route.path.starts_with("/a/"))
        && !matches!(place, Place::OtherWorkspace | Place::NoWorkspace)
}

/// What comes for the admin of the account.
fn of_account(route: &Route, place: Place) -> Verdict {
    let is_get = route.method == Method::GET.as_str();
    match place {
        Place::ForeignIds | Place::UnknownIds => Verdict::Is(404),
        // It would open the workspaces that the key is a member of.
        _ if route.path.ends_with("/api-keys/{key}/rotation") => Verdict::Audited(403),
        // The secret stands on the page that answers.
        _ if route.path.ends_with("/api-keys") => Verdict::Is(200),
        _ if route.path.contains("/api-keys") => Verdict::Is(if is_get { 200 } else { 303 }),
        // The only admin, who is a member too.
        Place::Above => Verdict::Audited(409),
        // Who is no admin is not asked whether they are to be none any more.
        _ if is_get && route.path.ends_with("/admin") => Verdict::Is(404),
        _ => Verdict::Is(if is_get { 200 } else { 303 }),
    }
}

fn signed_in(route: &Route, place: Place) -> Verdict {
    match (route.path, place) {
        (_, Place::ForeignIds | Place::UnknownIds) => Verdict::Is(404),
        // This browser follows no invitation.
        ("/invitation/acceptance", _) => Verdict::Is(410),
        _ if route.method == Method::GET.as_str() => Verdict::Is(200),
        _ => Verdict::Is(303),
    }
}
