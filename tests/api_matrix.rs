//! Every route for programs × every key × every workspace and id that could stand in its path.
//!
//! As in `matrix.rs`, what must come is computed from the rules below and from policy: a route that is
//! added makes this fail until it is said here who may call it, and what goes into its path and body.

use crate::support::product::{Access, BuiltIn, Holdings, Needs, Permission, Route, api_table};
use crate::{support::*, world::*};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use Permission as P;

const PUBLIC: Access = Access::Public;
const KEY: Access = Access::Key;
const MEMBER: Access = Access::Member(Needs::Membership);

const fn one(permission: Permission) -> Access {
    Access::Member(Needs::One(permission))
}

const fn any(permissions: &'static [Permission]) -> Access {
    Access::Member(Needs::AnyOf(permissions))
}

/// Who may do what, written down a second time: what is expected does not follow a slip in the table.
#[rustfmt::skip]
const RULES: &[(&str, Access)] = &[
    ("GET /openapi.json", PUBLIC),
    ("GET /api/sso/v1/workspaces", KEY),
    ("POST /api/sso/v1/workspaces", KEY),
    ("GET /api/sso/v1/workspaces/{workspace}", MEMBER),
    ("PATCH /api/sso/v1/workspaces/{workspace}", one(P::UpdateOrganization)),
    ("DELETE /api/sso/v1/workspaces/{workspace}", one(P::DeleteOrganization)),
    ("POST /api/sso/v1/departure", MEMBER),
    ("GET /api/sso/v1/members", one(P::ReadMembers)),
    ("GET /api/sso/v1/members/{member}", one(P::ReadMembers)),
    ("PATCH /api/sso/v1/members/{member}", one(P::UpdateMemberRoles)),
    ("DELETE /api/sso/v1/members/{member}", one(P::RemoveMembers)),
    ("POST /api/sso/v1/members/{member}/suspension", one(P::SuspendMembers)),
    ("POST /api/sso/v1/members/{member}/reactivation", one(P::SuspendMembers)),
    ("GET /api/sso/v1/ownership-offers", one(P::ReadMembers)),
    ("DELETE /api/sso/v1/ownership-offers/{offer}", MEMBER),
    ("GET /api/sso/v1/users", one(P::ReadMembers)),
    ("POST /api/sso/v1/users", one(P::InviteMembers)),
    ("GET /api/sso/v1/users/{user}", one(P::ReadMembers)),
    ("PATCH /api/sso/v1/users/{user}", one(P::UpdateMemberRoles)),
    ("GET /api/sso/v1/invitations", any(&[P::InviteMembers, P::CancelInvitations])),
    ("POST /api/sso/v1/invitations", one(P::InviteMembers)),
    ("GET /api/sso/v1/invitations/{invitation}", any(&[P::InviteMembers, P::CancelInvitations])),
    ("DELETE /api/sso/v1/invitations/{invitation}", one(P::CancelInvitations)),
    ("POST /api/sso/v1/invitations/{invitation}/resend", one(P::InviteMembers)),
    ("GET /api/sso/v1/roles", one(P::ReadMembers)),
    ("POST /api/sso/v1/roles", one(P::ManageRoles)),
    ("GET /api/sso/v1/roles/{role}", one(P::ReadMembers)),
    ("PATCH /api/sso/v1/roles/{role}", one(P::ManageRoles)),
    ("DELETE /api/sso/v1/roles/{role}", one(P::ManageRoles)),
    ("PUT /api/sso/v1/roles/{role}/scopes", one(P::UpdatePermissions)),
    ("GET /api/sso/v1/permissions", one(P::ReadMembers)),
    ("GET /api/sso/v1/permissions/{permission}", one(P::ReadMembers)),
    ("PUT /api/sso/v1/permissions/{permission}", one(P::UpdatePermissions)),
    ("GET /api/sso/v1/teams", one(P::ReadTeams)),
    ("POST /api/sso/v1/teams", one(P::CreateTeams)),
    ("GET /api/sso/v1/teams/{team}", one(P::ReadTeams)),
    ("PATCH /api/sso/v1/teams/{team}", MEMBER),
    ("DELETE /api/sso/v1/teams/{team}", one(P::DeleteTeams)),
    ("PUT /api/sso/v1/teams/{team}/roles", one(P::UpdateTeams)),
    ("GET /api/sso/v1/teams/{team}/members", one(P::ReadTeams)),
    ("POST /api/sso/v1/teams/{team}/members", MEMBER),
    ("DELETE /api/sso/v1/teams/{team}/members/{member}", MEMBER),
    ("PUT /api/sso/v1/teams/{team}/members/{member}/lead", one(P::UpdateTeams)),
    ("GET /api/sso/v1/apikeys", one(P::ReadApiKeys)),
    ("POST /api/sso/v1/apikeys", one(P::ManageApiKeys)),
    ("GET /api/sso/v1/apikeys/self", KEY),
    ("POST /api/sso/v1/apikeys/verify", PUBLIC),
    ("GET /api/sso/v1/apikeys/waiting", one(P::ManageApiKeys)),
    ("GET /api/sso/v1/apikeys/{key}", one(P::ReadApiKeys)),
    ("PATCH /api/sso/v1/apikeys/{key}", one(P::ManageApiKeys)),
    ("DELETE /api/sso/v1/apikeys/{key}", one(P::ManageApiKeys)),
    ("POST /api/sso/v1/apikeys/{key}/rotation", one(P::ManageApiKeys)),
    ("POST /api/sso/v1/apikeys/{key}/addition", one(P::ManageApiKeys)),
    ("GET /api/sso/v1/audit", one(P::ReadAudit)),
    ("GET /api/sso/v1/resources", one(P::CheckAccess)),
    ("POST /api/sso/v1/resources", one(P::CheckAccess)),
    ("DELETE /api/sso/v1/resources", one(P::CheckAccess)),
    ("POST /access/v1/evaluation", one(P::CheckAccess)),
    ("POST /access/v1/evaluations", one(P::CheckAccess)),
    ("POST /access/v1/search/subject", one(P::CheckAccess)),
    ("POST /access/v1/search/resource", one(P::CheckAccess)),
    ("POST /access/v1/search/action", one(P::CheckAccess)),
    ("GET /.well-known/authzen-configuration", PUBLIC),
];

pub fn rule(route: &Route) -> Access {
    let name = format!("{} {}", route.method, route.path);
    let rule = RULES.iter().find(|(other, _)| *other == name);
    rule.unwrap_or_else(|| panic!("say in tests/api_matrix.rs who may {name}")).1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Role(BuiltIn),
    /// Its membership is suspended.
    Suspended,
    /// At home elsewhere, in another account.
    Outsider,
    Revoked,
    NoKey,
}

struct Caller {
    kind: Kind,
    api: Api,
    holdings: Holdings,
}

/// Ids that stand in addresses and bodies.
#[derive(Clone)]
pub struct Ids {
    pub member: Uuid,
    pub shut_out: Uuid,
    pub user: Uuid,
    pub invitation: Uuid,
    pub offer: Uuid,
    pub role: String,
    pub team: Uuid,
    pub key: Uuid,
    /// Of the account, and no member.
    pub waiting: Uuid,
    pub permission: String,
}

pub async fn user_of(app: &TestApp, member: Uuid) -> Uuid {
    app.scalar_uuid(&format!("SELECT user_id FROM members WHERE id = {}", app.id(member))).await
}

impl Ids {
    /// What there is in a workspace.
    pub async fn of(app: &TestApp, things: &Things) -> Self {
        Self {
            member: things.viewer,
            shut_out: things.shut_out,
            user: user_of(app, things.viewer).await,
            invitation: things.invitation,
            offer: things.offer,
            role: things.role.to_owned(),
            team: things.team,
            key: things.key,
            waiting: things.key_waiting,
            permission: TOGGLED.scope().to_owned(),
        }
    }

    /// The same with what is above everybody but an Owner.
    pub async fn above(&self, app: &TestApp, things: &Things) -> Self {
        Self {
            member: things.owner,
            shut_out: things.owner,
            user: user_of(app, things.owner).await,
            role: "owner".to_owned(),
            team: things.team_above,
            key: things.key_above,
            ..self.clone()
        }
    }

    fn unknown() -> Self {
        Self {
            member: UNKNOWN,
            shut_out: UNKNOWN,
            user: UNKNOWN,
            invitation: UNKNOWN,
            offer: UNKNOWN,
            role: UNKNOWN.to_string(),
            team: UNKNOWN,
            key: UNKNOWN,
            waiting: UNKNOWN,
            permission: "fly:rockets".to_owned(),
        }
    }

    /// The address with everything filled in.
    pub fn fill(&self, pattern: &str, workspace: &str) -> String {
        let parts = pattern.split('/').map(|part| match part {
            "{workspace}" => workspace.to_owned(),
            "{member}" if pattern.ends_with("/reactivation") => self.shut_out.to_string(),
            "{member}" => self.member.to_string(),
            "{user}" => self.user.to_string(),
            "{invitation}" => self.invitation.to_string(),
            "{offer}" => self.offer.to_string(),
            "{role}" => self.role.clone(),
            "{team}" => self.team.to_string(),
            "{key}" if pattern.ends_with("/addition") => self.waiting.to_string(),
            "{key}" => self.key.to_string(),
            "{permission}" => self.permission.clone(),
            part if part.starts_with('{') => panic!("say in tests/api_matrix.rs what stands for {part}"),
            part => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

pub const TOGGLED: Permission = Permission::ReadTeams;

/// A body that would be taken if nothing stood against it; `None` where none is sent.
pub fn body(method: &str, path: &str, shut_out: Uuid) -> Option<Value> {
    let rest = path.strip_prefix("/api/sso/v1").unwrap_or(path);
    Some(match (method, rest) {
        ("GET" | "DELETE", _) => return None,
        ("POST", "/workspaces") => json!({"name": "Another", "slug": "another"}),
        ("PATCH", "/workspaces/{workspace}") => json!({"name": "Renamed", "slug": "renamed"}),
        ("PATCH", "/members/{member}" | "/users/{user}") => json!({"roles": ["viewer", "support"]}),
        ("POST", "/users") => json!({"email": "entered@example.com"}),
        ("POST", "/resources") => json!({"type": "record", "id": "1", "name": "One"}),
        ("POST", "/access/v1/search/subject") => {
            json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record", "id": "1"}})
        }
        ("POST", rest) if rest.starts_with("/access/v1/") => json!({
            "subject": {"type": "user", "id": UNKNOWN}, "action": {"name": "read"},
            "resource": {"type": "record", "id": "1"}
        }),
        ("POST", "/invitations") => json!({"emails": ["new@example.com"], "roles": ["viewer"]}),
        ("POST", "/roles") => json!({"name": "New Role", "scopes": ["read:notes"]}),
        ("PATCH", "/roles/{role}") => json!({"name": "Renamed"}),
        ("PUT", "/roles/{role}/scopes") => json!({"scopes": ["read:members", "write:notes"]}),
        ("PUT", "/permissions/{permission}") => json!({"roles": ["viewer"]}),
        ("POST", "/teams") => json!({"name": "Another Team"}),
        ("PATCH", "/teams/{team}") => json!({"name": "Another Team"}),
        ("PUT", "/teams/{team}/roles") => json!({"roles": ["viewer", "support"]}),
        ("POST", "/teams/{team}/members") => json!({"members": [shut_out]}),
        ("PUT", "/teams/{team}/members/{member}/lead") => json!({"lead": true}),
        ("POST", "/apikeys") => json!({"name": "New Key", "roles": ["viewer"]}),
        ("POST", "/apikeys/verify") => json!({"api_key": "nothing"}),
        ("PATCH", "/apikeys/{key}") => json!({"name": "Renamed Key"}),
        ("POST", "/apikeys/{key}/rotation") => json!({}),
        ("POST", "/apikeys/{key}/addition") => json!({"roles": ["viewer"]}),
        (
            "POST",
            "/departure"
            | "/members/{member}/suspension"
            | "/members/{member}/reactivation"
            | "/invitations/{invitation}/resend",
        ) => return None,
        _ => panic!("say in tests/api_matrix.rs what the body of {method} {path} holds"),
    })
}

/// What must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Is(u16),
    /// Refused, and written down in the workspace.
    Audited(u16),
    /// Refused, and written down in the account.
    OfAccount(u16),
}

struct Matrix<'a> {
    app: &'a TestApp,
    world: &'a World,
    callers: Vec<Caller>,
    own: Ids,
    above: Ids,
    foreign: Ids,
    /// What is said of what does not exist.
    nothing: String,
    before: Snapshot,
    elsewhere: Vec<String>,
    requests: usize,
}

#[test]
fn the_table_for_programs_asks_for_what_is_written_here() {
    for route in api_table() {
        let (method, path) = (&route.method, route.path);
        assert_eq!(route.access, rule(&route), "left: the table, right: RULES, {method} {path}");
        assert!(!route.summary.is_empty(), "say in the table what {method} {path} does");
    }
    let mounted: Vec<_> =
        api_table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let ruled: Vec<_> = RULES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(mounted, ruled, "left: the table, right: RULES, in their order");
}

both! {
    async fn every_call_by_every_key(app: TestApp) {
        let world = World::build(&app).await;
        let mut matrix = Matrix::new(&app, &world).await;
        for route in api_table() {
            for caller in 0..matrix.callers.len() {
                for place in PLACES {
                    matrix.walk(&route, caller, place).await;
                }
            }
        }
        assert!(matrix.requests > 2_000, "only {} requests were made", matrix.requests);
    }

    async fn every_other_method_of_a_call_is_answered_405(app: TestApp) {
        founder(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let mut paths: Vec<&str> = api_table().iter().map(|route| route.path).collect();
        paths.dedup();
        for pattern in paths {
            let routes = api_table();
            let has: Vec<&str> =
                routes.iter().filter(|row| row.path == pattern).map(|row| row.method.as_str()).collect();
            let path = Ids::unknown().fill(pattern, "acme");
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"] {
                if has.contains(&method) {
                    continue;
                }
                let answer = api.call(method.parse().unwrap(), &path, None).await.with_status(405);
                assert_eq!(answer.header("content-type"), Some("application/problem+json"));
                let allow: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
                assert!(has.iter().all(|method| allow.contains(method)), "{method} {path}: {allow:?}");
            }
        }
    }
}

impl<'a> Matrix<'a> {
    async fn new(app: &'a TestApp, world: &'a World) -> Self {
        let mut callers = Vec::new();
        for role in BuiltIn::ALL {
            callers.push(Caller {
                kind: Kind::Role(role),
                api: workspace_key(app, "acme", &[role.slug()]).await,
                holdings: Holdings::of(role == BuiltIn::Owner, role.grants()),
            });
        }
        let (_, member, secret) = add_key(app, "acme", "Suspended Key", &["admin"]).await;
        let sql = format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member));
        app.execute(&sql).await;
        let mut more = vec![(Kind::Suspended, Api::new(app, &secret))];
        more.push((Kind::Outsider, workspace_key(app, "elsewhere", &["owner"]).await));
        let (key, _, secret) = add_key(app, "acme", "Revoked Key", &["owner"]).await;
        app.execute(&format!("UPDATE api_keys SET revoked_at = 1 WHERE id = {}", app.id(key))).await;
        more.push((Kind::Revoked, Api::new(app, &secret)));
        more.push((Kind::NoKey, Api::new(app, "").with(None)));
        let none = Holdings::default;
        callers.extend(more.into_iter().map(|(kind, api)| Caller { kind, api, holdings: none() }));
        let own = Ids::of(app, &world.acme).await;
        let above = own.above(app, &world.acme).await;
        let foreign = Ids::of(app, &world.elsewhere).await;
        app.execute(&format!("UPDATE members SET last_active_at = {}", app.clock.now_ms())).await;
        keep(app).await;
        let nothing = callers[0].api.get("/api/sso/v1/nothing").await.with_status(404).text;
        Self {
            app,
            world,
            callers,
            own,
            above,
            foreign,
            nothing,
            before: app.tenants().await,
            elsewhere: rows_of(app, world.elsewhere.id).await,
            requests: 0,
        }
    }

    async fn walk(&mut self, route: &Route, caller: usize, place: Place) {
        let Some(path) = self.path(route, self.callers[caller].kind, place) else { return };
        let body = body(route.method.as_str(), route.path, self.world.acme.shut_out);
        let verdict = self.verdict(route, &self.callers[caller], place);
        self.attempt(route, caller, &path, body.as_ref().map(Value::to_string), verdict).await;
        // Who may not is told so before anybody reads what they sent.
        if body.is_some() && place == Place::Own {
            let broken = match verdict {
                Verdict::Is(200..300) => Verdict::Is(400),
                // What is above or over is only seen once it is read.
                _ if !self.is_refused_at_the_door(route, &self.callers[caller]) => Verdict::Is(400),
                refused => refused,
            };
            self.attempt(route, caller, &path, Some("not JSON".to_owned()), broken).await;
        }
    }

    fn is_refused_at_the_door(&self, route: &Route, caller: &Caller) -> bool {
        match rule(route) {
            Access::Member(needs) => !caller.holdings.meets(needs) || !matches!(caller.kind, Kind::Role(_)),
            Access::Key => matches!(caller.kind, Kind::Revoked | Kind::NoKey),
            _ => false,
        }
    }

    /// The address; `None` where it has no such variant.
    fn path(&self, route: &Route, caller: Kind, place: Place) -> Option<String> {
        let pattern = route.path;
        let names_workspace = pattern.contains("{workspace}");
        let has_id = pattern.replace("{workspace}", "").contains('{');
        let is_member = matches!(rule(route), Access::Member(_));
        let exists = match place {
            Place::Own => true,
            // Whoever is shut out is so wherever they knock.
            Place::Above => {
                let of = ["{member}", "{user}", "{role}", "{team}", "{key}"];
                of.iter().any(|part| pattern.contains(part)) && !pattern.ends_with("/addition")
            }
            // The catalogue is the same for every workspace.
            Place::ForeignIds => has_id && !pattern.contains("{permission}"),
            Place::UnknownIds => has_id,
            Place::OtherWorkspace => is_member && caller != Kind::Outsider,
            Place::NoWorkspace => is_member,
        };
        let workspace = match place {
            Place::OtherWorkspace => "elsewhere",
            Place::NoWorkspace => "nowhere",
            _ => "acme",
        };
        let ids = match place {
            Place::Own | Place::NoWorkspace => &self.own,
            Place::Above => &self.above,
            Place::ForeignIds | Place::OtherWorkspace => &self.foreign,
            Place::UnknownIds => &Ids::unknown(),
        };
        let mut query = Vec::new();
        // What is left out means the key's home.
        if is_member && !names_workspace && (workspace != "acme" || caller == Kind::Outsider) {
            query.push(format!("workspace={workspace}"));
        }
        if (route.method.as_str(), pattern) == ("DELETE", "/api/sso/v1/workspaces/{workspace}") {
            query.push(format!("confirm={workspace}"));
        }
        if (route.method.as_str(), pattern) == ("DELETE", "/api/sso/v1/resources") {
            query.push("type=record&id=1".to_owned());
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        exists.then(|| format!("{}{query}", ids.fill(pattern, workspace)))
    }

    fn verdict(&self, route: &Route, caller: &Caller, place: Place) -> Verdict {
        use Verdict::{Audited, Is};
        let access = rule(route);
        match (access, caller.kind) {
            (Access::Public, _) if route.path.ends_with("/verify") => Is(401),
            (Access::Public, _) => Is(200),
            (_, Kind::Revoked | Kind::NoKey) => Is(401),
            // No key here administers its account.
            (Access::Key, _) if route.method == "POST" => Verdict::OfAccount(403),
            (Access::Key, _) => Is(200),
            (_, _) if matches!(place, Place::OtherWorkspace | Place::NoWorkspace) => Is(404),
            (_, Kind::Outsider) => Is(404),
            (_, Kind::Suspended) => Audited(403),
            (Access::Member(needs), Kind::Role(_)) if !caller.holdings.meets(needs) => Audited(403),
            (_, Kind::Role(role)) => self.inside(route, role, &caller.holdings, place),
        }
    }

    /// What comes for a key that has the permission.
    fn inside(&self, route: &Route, role: BuiltIn, holdings: &Holdings, place: Place) -> Verdict {
        use Verdict::{Audited, Is};
        if matches!(place, Place::ForeignIds | Place::UnknownIds) {
            return Is(404);
        }
        let (is_owner, above) = (role == BuiltIn::Owner, place == Place::Above);
        let viewer = Holdings::of(false, BuiltIn::Viewer.grants());
        let target = if above { Holdings::of(true, []) } else { viewer.clone() };
        let rest = route.path.strip_prefix("/api/sso/v1").unwrap_or(route.path);
        let edits_teams = holdings.has(P::UpdateTeams);
        match (route.method.as_str(), rest) {
            ("GET", _) => Is(200),
            // Nobody changes the role of the Owners, not even an Owner.
            (_, "/roles/{role}" | "/roles/{role}/scopes") if above => Audited(403),
            ("PATCH" | "DELETE", "/members/{member}" | "/users/{user}")
            | ("POST", "/members/{member}/suspension" | "/members/{member}/reactivation") => {
                match holdings.may_manage(&target) {
                    Err(_) => Audited(403),
                    // The only active Owner among people.
                    Ok(()) if above => Audited(409),
                    Ok(()) if route.method == "PATCH" => Is(200),
                    Ok(()) => Is(204),
                }
            }
            ("DELETE", "/ownership-offers/{offer}") => {
                if is_owner {
                    Is(204)
                } else {
                    Audited(403)
                }
            }
            // No key leads a team.
            (
                "PATCH" | "POST" | "DELETE",
                "/teams/{team}" | "/teams/{team}/members" | "/teams/{team}/members/{member}",
            ) if rule(route) == MEMBER && !edits_teams => Audited(403),
            ("DELETE", "/teams/{team}/members/{member}") | ("PUT", "/teams/{team}/roles")
                if above && !is_owner =>
            {
                Audited(403)
            }
            ("POST", "/teams/{team}/members") | ("PUT", "/teams/{team}/members/{member}/lead") => Is(204),
            ("POST", "/apikeys/{key}/rotation") | ("DELETE" | "PATCH", "/apikeys/{key}")
                if above && !is_owner =>
            {
                Audited(403)
            }
            // Nothing is registered.
            ("DELETE", "/resources") => Is(404),
            ("POST", "/users") if holdings.may_invite([&viewer]).is_err() => Audited(403),
            ("POST", "/invitations" | "/invitations/{invitation}/resend") => {
                if holdings.may_invite([&viewer]).is_ok() { Is(200) } else { Audited(403) }
            }
            (
                "POST",
                "/users" | "/resources" | "/roles" | "/teams" | "/apikeys" | "/apikeys/{key}/addition",
            ) => Is(201),
            ("POST", "/departure") | ("DELETE", _) => Is(204),
            _ => Is(200),
        }
    }

    async fn attempt(
        &mut self,
        route: &Route,
        caller: usize,
        path: &str,
        body: Option<String>,
        verdict: Verdict,
    ) {
        self.requests += 1;
        let caller = &self.callers[caller];
        let said = format!("{:?}: {} {path} with {body:?}", caller.kind, route.method);
        let events = self.events().await;
        let method: Method = route.method.as_str().parse().unwrap();
        let answer = caller.api.send(method, path, body, &[]).await;
        let (Verdict::Is(wanted) | Verdict::Audited(wanted) | Verdict::OfAccount(wanted)) = verdict;
        assert_eq!(answer.status, wanted, "{said}\n{}", answer.text);
        if answer.status >= 400 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{said}");
            assert_eq!(answer.body["status"], wanted, "{said}");
            self.before.assert_same(&self.app.tenants().await);
            let refused = u64::from(matches!(verdict, Verdict::Audited(_)));
            let written = refused + u64::from(matches!(verdict, Verdict::OfAccount(_)));
            let now = self.events().await;
            assert_eq!(now.0 - events.0, written, "events that {said} added");
            assert_eq!(now.1 - events.1, refused, "refusals in acme that {said} added");
        }
        if answer.status == 404 {
            assert_eq!(answer.text, self.nothing, "{said} differs from what does not exist");
        }
        if let (Verdict::Audited(403), Kind::Role(_), Access::Member(needs)) =
            (verdict, caller.kind, rule(route))
            && !caller.holdings.meets(needs)
        {
            assert!(answer.text.contains(needs.permissions()[0].label()), "{said}: {}", answer.text);
        }
        if matches!(caller.kind, Kind::Role(_) | Kind::Suspended) {
            assert!(!answer.text.contains("lsewhere"), "{said} tells of another workspace: {}", answer.text);
        }
        if answer.status < 300 && route.method != "GET" && rule(route) != PUBLIC {
            assert_untouched(self.app, self.world.elsewhere.id, &self.elsewhere, &said).await;
            let now = self.events().await;
            // A question changes nothing.
            let added = u64::from(!route.path.starts_with("/access/"));
            assert_eq!((now.0 - events.0, now.1 - events.1), (added, 0), "events that {said} added");
            restore(self.app).await;
        }
    }

    /// How many events there are, and how many refusals of acme among them.
    async fn events(&self) -> (u64, u64) {
        let sql = format!(
            "SELECT count(*) AS n, count(CASE WHEN workspace_id = {} AND outcome = 'refused' THEN 1 END) AS refused
             FROM audit_events",
            self.app.id(self.world.acme.id)
        );
        let row = self.app.rows(&sql).await.remove(0);
        (row["n"].as_u64().unwrap(), row["refused"].as_u64().unwrap())
    }
}
