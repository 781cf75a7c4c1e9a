//! Every route, every filter and every order that is offered, and what was sent to the database.

use crate::nouns::activity::newest_event;
use crate::support::product::{Clock, Config, Db, outbox, seed, table};
use crate::support::*;
use reqwest::Method;
use sea_orm::{Statement, Values};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Everything that was sent: each text once, with values that it was sent with and who sent it.
pub type Statements = BTreeMap<String, (Option<Values>, String)>;

pub struct Tour<'a> {
    app: &'a TestApp,
    heard: Statements,
    /// Rows of the route table that answered as they do when all is well.
    visited: BTreeSet<String>,
    owner: Client,
    admin: Client,
    viewer: Client,
    /// Some members who are neither of these.
    members: Vec<Uuid>,
}

const SEED: &str = "load test data only";
const HOME: &str = "/w/seed-1";

impl<'a> Tour<'a> {
    /// So many of everything that reading all of it is never the cheapest, and over a page in each
    /// workspace.
    pub async fn begin(app: &'a TestApp) -> Self {
        if app.backend == Backend::Postgres {
            // What is known of the tables is what the test says: nobody looks at them meanwhile.
            app.execute(
                "DO $$ DECLARE t text; BEGIN
                    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
                        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', t);
                    END LOOP;
                END $$",
            )
            .await;
        }
        let db = another_handle(app, app.clock.clone()).await;
        let size = seed::Size { workspaces: 12, members: 60, events: 160, invitations: 110, keys: 0 };
        let made: Value = serde_json::from_str(&seed::seed(&db, &size).await.unwrap()).unwrap();
        db.close().await;
        fill(app).await;
        let person = async |who: &str| sign_in(app, made["workspaces"][0][who].as_str().unwrap(), SEED).await;
        let members = "SELECT m.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
            JOIN users u ON u.id = m.user_id WHERE w.slug = 'seed-1' AND u.email LIKE 'member-1_@%' ORDER BY u.email";
        let members = app.rows(members).await;
        // From here on what is sent is kept.
        app.heard();
        Self {
            app,
            heard: Statements::new(),
            visited: BTreeSet::new(),
            owner: person("owner").await,
            admin: person("admin").await,
            viewer: person("viewer").await,
            members: members.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect(),
        }
    }

    /// What was heard; every row of the route table must have been visited.
    pub fn end(self) -> Statements {
        let all: BTreeSet<_> =
            table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        assert_eq!(self.visited, all, "left: visited by tests/plans/tour.rs, right: the table of routes");
        self.heard
    }

    // ---- walking -------------------------------------------------------------------------------

    async fn get(&mut self, client: &Client, path: &str, status: u16) -> Page {
        let page = client.get(path).await;
        self.note(page, status)
    }

    async fn post(&mut self, client: &Client, path: &str, fields: &[(&str, &str)], status: u16) -> Page {
        let page = client.post_form(path, fields).await;
        let page = self.note(page, status);
        if status == 303 {
            let next = client.get(&page.location()).await;
            self.keep(&format!("GET {}", next.path()));
        }
        page
    }

    fn note(&mut self, page: Page, status: u16) -> Page {
        page.assert_status(status);
        self.keep(&format!("{} {}", page.method, page.path()));
        if matches!(status, 200 | 303) {
            self.visited.insert(format!("{} {}", page.method, pattern(&page.method, page.url.path())));
        }
        page
    }

    fn keep(&mut self, by: &str) {
        for Statement { sql, values, .. } in self.app.heard() {
            self.heard.entry(sql).or_insert_with(|| (values, by.to_owned()));
        }
    }

    // ---- the tour ------------------------------------------------------------------------------

    pub async fn ways_in(&mut self) {
        let new = self.app.client();
        for (path, status) in [
            ("/healthz", 200),
            ("/readyz", 200),
            ("/", 303),
            ("/docs/api", 200),
            ("/docs/quick-start", 200),
            ("/sign-up", 200),
            ("/check-mail", 200),
            ("/sign-in", 200),
            ("/forgot-password", 200),
        ] {
            self.get(&new, path, status).await;
        }
        let email = "new-one@example.com";
        let fields = [("name", "New One"), ("email", email), ("password", PASSWORD), ("workspace", "New")];
        self.post(&new, "/sign-up", &fields, 303).await;
        // Once more, to an address that is known now.
        self.post(&self.app.client(), "/sign-up", &fields, 303).await;
        self.follow_link(&new, email, "/email-verification").await;
        self.post(&new, "/email-verification", &[], 303).await;
        self.post(&new, "/sign-in", &[("email", email), ("password", "a wrong one")], 422).await;
        self.post(&new, "/sign-in", &[("email", email), ("password", PASSWORD)], 303).await;
        self.post(&new, "/forgot-password", &[("email", email)], 200).await;
        self.follow_link(&new, email, "/reset-password").await;
        self.post(&new, "/reset-password", &[("password", "seven horses and a staple")], 303).await;
        self.get(&new, "/w/new", 401).await;
    }

    /// Opens the link of the newest letter, which leads to the page of this name.
    async fn follow_link(&mut self, client: &Client, email: &str, page: &str) {
        let link = self.app.mail.wait_for_link(email, &format!("{page}/")).await;
        self.get(client, &link, 303).await;
        self.get(client, page, 200).await;
    }

    pub async fn oneself(&mut self) {
        let (me, email) = (self.app.client(), "new-one@example.com");
        let password = "seven horses and a staple";
        self.post(&me, "/sign-in", &[("email", email), ("password", password)], 303).await;
        self.get(&me, "/", 303).await;
        self.get(&me, "/workspaces", 200).await;
        self.post(&me, "/workspaces", &[("name", "Another"), ("slug", "another")], 303).await;
        self.post(&me, "/workspaces", &[("name", "Another"), ("slug", "another")], 422).await;
        self.get(&me, "/me", 200).await;
        self.post(&me, "/me/profile", &[("name", "New Name")], 303).await;
        let fields = [("email", "newer@example.com"), ("current_password", password)];
        self.post(&me, "/me/email", &fields, 303).await;
        self.post(&me, "/me/verification", &[], 303).await;
        let link = self.app.mail.wait_for_link("newer@example.com", "/email-verification/").await;
        self.get(&me, &link, 303).await;
        self.get(&me, "/email-verification", 200).await;
        self.post(&me, "/email-verification", &[], 303).await;
        let fields = [("current_password", password), ("password", PASSWORD)];
        self.post(&me, "/me/password", &fields, 303).await;
        let other = sign_in(self.app, "newer@example.com", PASSWORD).await;
        let newest = "SELECT id FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1";
        let session = self.app.scalar_uuid(newest).await;
        self.post(&me, &format!("/me/sessions/{session}/revocation"), &[], 303).await;
        self.get(&other, "/me", 401).await;
        self.post(&me, "/me/sessions/revocation", &[], 303).await;
        self.post(&me, "/sign-out", &[], 303).await;
    }

    /// Each page as it comes.
    pub async fn pages(&mut self) {
        let (owner, member) = (self.owner.clone(), self.members[0]);
        let some = self.members[..3].iter().map(|id| format!("member={id}")).collect::<Vec<_>>().join("&");
        let waiting = self.invitations().await;
        let invited = waiting.iter().map(|id| format!("invitation={id}")).collect::<Vec<_>>().join("&");
        for path in [
            "",
            "/departure",
            "/roles",
            "/roles/new",
            "/roles/comparison?a=editor&b=viewer",
            "/roles/editor",
            "/roles/editor/scopes/preview?permission=read:audit&scopes=write:notes",
            "/roles/viewer/scopes/preview?scopes=write:notes",
            "/security",
            "/security/read:audit/preview?role=viewer&role=editor",
            "/organization",
            "/organization/deletion",
            &format!("/members/selection/roles?{some}"),
            &format!("/members/selection/suspension?{some}"),
            &format!("/members/selection/removal?{some}"),
            &format!("/members/{member}"),
            &format!("/members/{member}/access?scope=read:posts"),
            &format!("/members/{member}/roles/preview?role=admin"),
            &format!("/members/{member}/suspension"),
            &format!("/members/{member}/removal"),
            &format!("/invitations/selection/resend?{invited}"),
            &format!("/invitations/selection/cancellation?{invited}"),
            &format!("/invitations/{}/cancellation", waiting[0]),
        ] {
            self.get(&owner, &format!("{HOME}{path}"), 200).await;
        }
        for person in [self.admin.clone(), self.viewer.clone()] {
            self.get(&person, HOME, 200).await;
        }
    }

    /// Three invitations that wait.
    async fn invitations(&self) -> Vec<String> {
        let sql = "SELECT i.id FROM invitations i JOIN workspaces w ON w.id = i.workspace_id
            WHERE w.slug = 'seed-1' AND i.status = 'pending' ORDER BY i.expires_at DESC LIMIT 3";
        self.app.rows(sql).await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The lists with each filter, alone and with others, in each order, on each page.
    pub async fn lists(&mut self) {
        let orders = ["name", "-name", "joined", "-joined", "active", "-active"];
        for order in orders {
            let narrow = [
                "q=member",
                "role=editor",
                "status=active",
                "status=suspended",
                "kind=user",
                "q=1&role=editor&status=active&kind=user",
                "q=1&status=active",
            ];
            self.list("members", &format!("sort={order}"), &narrow).await;
        }
        self.get(&self.owner.clone(), &format!("{HOME}/members?kind=api_key"), 200).await;
        let states = [
            "q=example",
            "status=pending",
            "status=accepted",
            "status=declined",
            "status=cancelled",
            "status=expired",
            "q=1&status=pending",
            "q=1&status=expired",
            "q=1&status=accepted",
        ];
        self.list("invitations", "", &states).await;
        let actor = self
            .app
            .scalar_uuid(
                "SELECT user_id FROM members m JOIN workspaces w ON w.id = m.workspace_id
            WHERE w.slug = 'seed-1' AND m.origin = 'founder'",
            )
            .await;
        let (actor, target) = (format!("actor={actor}"), format!("target={}", self.members[0]));
        let (kind, days) = ("kind=member.roles-changed", "from=2020-01-01&until=2100-01-01");
        let all = format!("q=member&{kind}&outcome=done&{actor}&{target}&{days}");
        let (by, to) = (format!("{kind}&outcome=done&{actor}"), format!("outcome=done&{target}&{days}"));
        self.list(
            "activity",
            "",
            &[
                "q=member",
                kind,
                "outcome=done",
                "outcome=refused",
                &actor,
                &target,
                "from=2020-01-01",
                "until=2100-01-01",
                days,
                &by,
                &to,
                &all,
            ],
        )
        .await;
    }

    /// First, next, previous and last page, with nothing and with each of these.
    async fn list(&mut self, list: &str, order: &str, narrow: &[&str]) {
        let (owner, base) = (self.owner.clone(), format!("{HOME}/{list}?{order}"));
        let first = self.get(&owner, &base, 200).await;
        let next = first.attributes("a[rel=next]", "href").pop().expect("more than one page");
        let (_, cursor) = next.split_once("after=").unwrap();
        let cursor = cursor.split('&').next().unwrap().to_owned();
        for filter in narrow.iter().chain(&[""]) {
            for page in ["", &format!("after={cursor}"), &format!("before={cursor}"), "before=end"] {
                self.get(&owner, &format!("{base}&{filter}&{page}").replace("?&", "?"), 200).await;
            }
        }
    }

    /// A team that everybody is in, and one that begins and ends.
    pub async fn teams(&mut self) {
        let (owner, admin) = (self.owner.clone(), self.admin.clone());
        let sql =
            "SELECT t.id FROM teams t JOIN workspaces w ON w.id = t.workspace_id WHERE w.slug = 'seed-1'";
        let everybody = format!("teams/{}", self.app.scalar_uuid(sql).await);
        let at = |rest: &str| format!("{HOME}/{rest}");
        for path in ["teams", "teams/new", &format!("{everybody}/deletion")] {
            self.get(&owner, &at(path), 200).await;
        }
        self.list(&everybody, "", &[]).await;
        // Somebody whom a ceiling concerns.
        self.get(&admin, &at(&everybody), 200).await;
        for roles in ["", "?role=editor", "?role=editor&role=support&role=viewer"] {
            self.get(&owner, &at(&format!("{everybody}/roles/preview{roles}")), 200).await;
            self.get(&admin, &at(&format!("{everybody}/roles/preview{roles}")), 200).await;
        }
        let made = self.post(&owner, &at("teams"), &[("name", "New Team")], 303).await.location();
        let made = made.trim_start_matches(&at("")).to_owned();
        let people = format!("{made}/members");
        for path in [people.clone(), format!("{people}?q=member")] {
            self.get(&owner, &at(&path), 200).await;
            self.get(&admin, &at(&path), 200).await;
        }
        let ids: Vec<String> = self.members[..3].iter().map(Uuid::to_string).collect();
        let some: Vec<_> = ids.iter().map(|id| ("member", id.as_str())).collect();
        self.post(&owner, &at(&people), &some, 303).await;
        self.post(&owner, &at("teams"), &[("name", "New Team")], 422).await;
        self.post(&owner, &at(&format!("{made}/details")), &[("name", "Newer Team")], 303).await;
        self.post(&owner, &at(&format!("{people}/{}/lead", ids[0])), &[("lead", "yes")], 303).await;
        for roles in [&["support", "billing"][..], &["billing"]] {
            let page = owner.visit(&at(&made)).await;
            let form = page.form("form[action$='/roles'].form").without("role");
            let roles: Vec<_> = roles.iter().map(|role| ("role", *role)).collect();
            let answer = owner.send(&page, &form.fill(&roles)).await;
            self.note(answer, 303);
            self.get(&owner, &format!("{}/roles/preview?role=viewer", at(&made)), 200).await;
            let event = newest_event(self.app, "seed-1").await;
            self.get(&owner, &at(&format!("activity/{event}/undo")), 200).await;
        }
        self.post(&owner, &at(&format!("{people}/{}/removal", ids[0])), &[], 303).await;
        self.post(&self.viewer.clone(), &at(&people), &some, 403).await;
        self.post(&owner, &at(&format!("{made}/deletion")), &[], 303).await;
    }

    /// The account of the workspace, and somebody of it who comes into a workspace by that.
    pub async fn account(&mut self) {
        let (owner, viewer) = (self.owner.clone(), self.viewer.clone());
        let id = crate::world::account_id(self.app, "seed-1").await;
        let base = format!("/a/{id}");
        for list in [base.clone(), format!("{base}/people"), format!("{base}/people?q=alone")] {
            let first = self.get(&owner, &list, 200).await;
            let next = first.attributes("a[rel=next]", "href").pop().expect("more than one page");
            let next = self.get(&owner, &next, 200).await;
            let back = next.attributes("a[rel=prev]", "href").pop().expect("the page before");
            self.get(&owner, &back, 200).await;
            let sign = if list.contains('?') { '&' } else { '?' };
            self.get(&owner, &format!("{list}{sign}before=end"), 200).await;
        }
        self.get(&owner, &format!("{base}/people?show=admins"), 200).await;
        self.get(&owner, &format!("{base}/people?show=admins&q=member"), 200).await;
        self.get(&viewer, &base, 403).await;
        let fields = [("name", "Seed 1"), ("creation", "people")];
        self.post(&owner, &format!("{base}/details"), &fields, 303).await;
        let fields = [("name", "More"), ("slug", "more"), ("account", &id.to_string())];
        self.post(&viewer, "/workspaces", &fields, 303).await;
        let user = "SELECT id FROM users WHERE email = 'alone-1@example.com'";
        let person = format!("{base}/people/{}", self.app.scalar_uuid(user).await);
        for admin in ["yes", "no", "yes"] {
            if admin == "no" {
                self.get(&owner, &format!("{person}/admin"), 200).await;
            }
            self.post(&owner, &format!("{person}/admin"), &[("admin", admin)], 303).await;
        }
        self.get(&owner, &format!("{person}/removal"), 409).await;
        let user = "SELECT id FROM users WHERE email = 'nowhere-1@example.com'";
        let user = self.app.scalar_uuid(user).await.to_string();
        for path in ["members/new", "members/new?q=nowhere"] {
            self.get(&owner, &format!("{HOME}/{path}"), 200).await;
        }
        let removal = format!("{base}/people/{user}/removal");
        let fields = [("emails", "nowhere-1@example.com"), ("role", "viewer")];
        self.post(&owner, &format!("{HOME}/invitations"), &fields, 303).await;
        self.post(&owner, &format!("{HOME}/members"), &[("user", &user), ("role", "editor")], 303).await;
        self.post(&owner, &format!("{HOME}/members"), &[("user", &user)], 409).await;
        self.post(&owner, &removal, &[], 409).await;
        let member = member_id(self.app, "nowhere-1@example.com", "seed-1").await;
        self.post(&owner, &format!("{HOME}/members/{member}/removal"), &[], 303).await;
        self.get(&owner, &removal, 200).await;
        self.post(&owner, &removal, &[], 303).await;
    }

    pub async fn refusals(&mut self) {
        let (owner, viewer, member) = (self.owner.clone(), self.viewer.clone(), self.members[0]);
        let stranger = self.app.client();
        self.get(&stranger, HOME, 401).await;
        self.get(&viewer, "/w/seed-2", 404).await;
        self.get(&viewer, &format!("{HOME}/activity"), 403).await;
        self.get(&viewer, &format!("{HOME}/members/{}", Uuid::nil()), 404).await;
        self.post(&viewer, &format!("{HOME}/members/{member}/suspension"), &[], 403).await;
        self.post(&owner, &format!("{HOME}/departure"), &[], 409).await;
        self.get(&stranger, "/invitations/no-token-of-ours", 303).await;
        self.get(&stranger, "/invitation", 410).await;
    }

    pub async fn changes(&mut self) {
        let owner = self.owner.clone();
        let at = |noun: &str| format!("{HOME}/{noun}");
        let member = format!("members/{}", self.members[0]);
        for (noun, fields) in [
            ("roles", &[("role", "editor"), ("role", "billing")][..]),
            ("roles", &[("role", "viewer")]),
            ("suspension", &[]),
            ("reactivation", &[]),
            ("removal", &[]),
        ] {
            self.post(&owner, &at(&format!("{member}/{noun}")), fields, 303).await;
        }
        let page = owner.visit(&at("security")).await;
        let form = page.form("/security/create:teams").fill(&[("role", "viewer")]);
        let answer = owner.send(&page, &form).await;
        self.note(answer, 303);
        self.post(&owner, &at("organization"), &[("name", "Renamed"), ("slug", "seed-1")], 303).await;
        let waiting = self.invitations().await;
        for noun in ["resend", "cancellation"] {
            self.post(&owner, &at(&format!("invitations/{}/{noun}", waiting[0])), &[], 303).await;
        }
        let emails = "guest-one@example.com, guest-two@example.com, newer@example.com";
        let fields = [("emails", emails), ("role", "viewer"), ("message", "Hello")];
        self.post(&owner, &at("invitations"), &fields, 303).await;
        self.post(&owner, &at("invitations"), &fields, 303).await;
        // One signs up to accept, one has an account, one declines.
        let (new, known, unwilling) = (self.app.client(), self.app.client(), self.app.client());
        self.follow_invitation(&new, "guest-one@example.com").await;
        let fields = [("name", "Guest One"), ("email", "guest-one@example.com"), ("password", PASSWORD)];
        self.get(&new, "/sign-up", 200).await;
        self.post(&new, "/sign-up", &fields, 303).await;
        self.post(&new, "/invitation/acceptance", &[], 303).await;
        self.post(&new, "/invitation/acceptance", &[], 410).await;
        sign_in_with(&known, "newer@example.com", PASSWORD).await;
        self.follow_invitation(&known, "newer@example.com").await;
        self.post(&known, "/invitation/acceptance", &[], 303).await;
        self.post(&known, &at("departure"), &[], 303).await;
        self.follow_invitation(&unwilling, "guest-two@example.com").await;
        self.post(&unwilling, "/invitation/decline", &[], 303).await;
    }

    async fn follow_invitation(&mut self, client: &Client, email: &str) {
        let link = self.app.mail.wait_for_link(email, "/invitations/").await;
        self.get(client, &link, 303).await;
        self.get(client, "/invitation", 200).await;
    }

    pub async fn many_at_once(&mut self) {
        let owner = self.owner.clone();
        let ids: Vec<String> = self.members[1..4].iter().map(Uuid::to_string).collect();
        let some: Vec<_> = ids.iter().map(|id| ("member", id.as_str())).collect();
        let roles: Vec<_> = some.iter().copied().chain([("role", "viewer"), ("role", "support")]).collect();
        let at = |noun: &str| format!("{HOME}/{noun}");
        self.post(&owner, &at("members/selection/roles"), &roles, 303).await;
        self.post(&owner, &at("members/selection/suspension"), &some, 303).await;
        self.post(&owner, &at("members/selection/removal"), &some, 303).await;
        let ids = self.invitations().await;
        let some: Vec<_> = ids.iter().map(|id| ("invitation", id.as_str())).collect();
        self.post(&owner, &at("invitations/selection/resend"), &some, 303).await;
        self.post(&owner, &at("invitations/selection/cancellation"), &some, 303).await;
    }

    /// A role's life: it is made, renamed, given a scope, held and offered, and replaced by another.
    pub async fn roles(&mut self) {
        let owner = self.owner.clone();
        let at = |noun: &str| format!("{HOME}/{noun}");
        let fields = [("name", "Release Manager"), ("scopes", "deploy:*")];
        self.post(&owner, &at("roles"), &fields, 303).await;
        let role = at("roles/release-manager");
        let page = self.get(&owner, &role, 200).await;
        for (form, fields) in [
            ("/details", &[("name", "Releases"), ("description", "Who ships")][..]),
            ("/scopes", &[("scopes", "deploy:* read:builds")]),
        ] {
            let answer = owner.send(&page, &page.form(form).fill(fields)).await;
            self.note(answer, 303);
        }
        let member = member_id(self.app, "member-3@seed-1.example.com", "seed-1").await;
        self.post(&owner, &at(&format!("members/{member}/roles")), &[("role", "release-manager")], 303).await;
        let fields = [("emails", "guest-three@example.com"), ("role", "release-manager")];
        self.post(&owner, &at("invitations"), &fields, 303).await;
        self.get(&owner, &format!("{role}/deletion"), 200).await;
        self.post(&owner, &format!("{role}/deletion"), &[("replacement", "viewer")], 303).await;
    }

    /// A key's life: it is made, shown, given another secret, taken out, added again and revoked; and
    /// some that end with who made them.
    pub async fn api_keys(&mut self) {
        let owner = self.owner.clone();
        let base = format!("{HOME}/api-keys");
        self.list("api-keys", "", &["q=key"]).await;
        let page = self.get(&owner, &format!("{base}/new"), 200).await;
        let form = page.form(&base).fill(&[("name", "New Key")]);
        let made = owner.send(&page, &form).await;
        let secret = self.note(made, 200).attributes("#secret", "value").remove(0);
        let again = owner.send(&page, &form).await;
        self.note(again, 409);
        let api = Api::new(self.app, &secret);
        api.get("/api/sso/v1/members").await.with_status(200);
        api.get("/api/sso/v1/apikeys/self").await.with_status(200);
        self.keep("a key");
        let id = self.app.scalar_uuid("SELECT id FROM api_keys WHERE name = 'New Key'").await;
        let key = format!("{base}/{id}");
        let page = self.get(&owner, &key, 200).await;
        self.post(&owner, &format!("{key}/details"), &[("name", "Newer Key")], 303).await;
        let rotated = owner.submit(&page, "/rotation", &[]).await;
        self.note(rotated, 200);
        let member = format!("SELECT id FROM members WHERE api_key_id = {}", self.app.id(id));
        let member = format!("{HOME}/members/{}", self.app.scalar_uuid(&member).await);
        self.get(&owner, &member, 200).await;
        self.post(&owner, &format!("{member}/removal"), &[], 303).await;
        self.get(&owner, &format!("{base}/addition"), 200).await;
        let fields = [("key", id.to_string()), ("role", "viewer".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.post(&owner, &format!("{base}/addition"), &fields, 303).await;
        self.get(&owner, &format!("{key}/revocation"), 200).await;
        // Of the key in another workspace too.
        let account = "(SELECT account_id FROM workspaces WHERE slug = 'seed-1')";
        let moved = format!("UPDATE workspaces SET account_id = {account} WHERE slug = 'alone-7'");
        assert_eq!(self.app.execute(&moved).await, 1);
        let elsewhere = format!(
            "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as)
            SELECT {}, w.id, 'api_key', k.id, 'active', 'account', 0, 'newer key' FROM workspaces w
            JOIN api_keys k ON k.id = {} AND k.account_id = w.account_id WHERE w.slug = 'alone-7'",
            self.app.id(Uuid::from_u128(4_711)),
            self.app.id(id)
        );
        assert_eq!(self.app.execute(&elsewhere).await, 1);
        self.get(&owner, &key, 200).await;
        self.post(&owner, &format!("{key}/revocation"), &[], 403).await;
        self.app.execute("UPDATE workspaces SET deleted_at = 1 WHERE slug = 'alone-7'").await;
        self.post(&owner, &format!("{key}/revocation"), &[], 303).await;
        self.account_keys().await;
        let maker = format!("{HOME}/members/{}/removal", self.members[5]);
        self.get(&owner, &maker, 200).await;
        self.post(&owner, &maker, &[("keys", "revoke")], 303).await;
    }

    /// More resources than fit a page, of two types.
    pub async fn resources(&mut self) {
        let workspace = "(SELECT id FROM workspaces WHERE slug = 'seed-1')";
        let row = |n: u32| {
            format!("({workspace}, '{}', 'r-{n}', 'Resource {n}', 0)", ["record", "site"][n as usize % 2])
        };
        let rows: Vec<String> = (0..200).map(row).collect();
        let columns = "workspace_id, kind, id, name, created_at";
        self.app.execute(&format!("INSERT INTO resources ({columns}) VALUES {}", rows.join(", "))).await;
        self.list("resources", "", &["type=site", "q=r-1", "q=Resource&type=record"]).await;
    }

    /// The keys of the account: listed, and one of them from its beginning to its end.
    async fn account_keys(&mut self) {
        let owner = self.owner.clone();
        let base = format!("/a/{}/api-keys", crate::world::account_id(self.app, "seed-1").await);
        for list in [base.clone(), format!("{base}?q=key")] {
            let first = self.get(&owner, &list, 200).await;
            let next = first.attributes("a[rel=next]", "href").pop().expect("more than one page");
            let next = self.get(&owner, &next, 200).await;
            let back = next.attributes("a[rel=prev]", "href").pop().expect("the page before");
            self.get(&owner, &back, 200).await;
        }
        let page = self.get(&owner, &format!("{base}/new"), 200).await;
        let made = owner.submit(&page, &base, &[("name", "Key of All"), ("administers", "yes")]).await;
        self.note(made, 200);
        let id = self.app.scalar_uuid("SELECT id FROM api_keys WHERE name = 'Key of All'").await;
        let key = format!("{base}/{id}");
        let page = self.get(&owner, &key, 200).await;
        let rotated = owner.submit(&page, "/rotation", &[]).await;
        self.note(rotated, 200);
        self.post(&owner, &format!("{key}/details"), &[("name", "Key of Many")], 303).await;
        self.post(&owner, &format!("{key}/administration"), &[], 303).await;
        let fields = [("key", id.to_string()), ("role", "viewer".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.post(&owner, &format!("{HOME}/api-keys/addition"), &fields, 303).await;
        self.post(&owner, &format!("{key}/rotation"), &[("overlap", "0")], 403).await;
        self.get(&owner, &format!("{key}/revocation"), 200).await;
        self.post(&owner, &format!("{key}/revocation"), &[], 303).await;
    }

    /// What programs ask for that no page does.
    pub async fn calls(&mut self) {
        let (key, _, secret) = add_key(self.app, "seed-1", "Robot", &["owner"]).await;
        let yes = if self.app.backend == Backend::Sqlite { "1" } else { "TRUE" };
        self.app
            .execute(&format!("UPDATE api_keys SET is_admin = {yes} WHERE id = {}", self.app.id(key)))
            .await;
        let api = Api::new(self.app, &secret);
        let member = self.members[7];
        let user = self
            .app
            .scalar_uuid(&format!("SELECT user_id FROM members WHERE id = {}", self.app.id(member)))
            .await;
        for path in [
            "workspaces".to_owned(),
            "workspaces/seed-1".to_owned(),
            "users".to_owned(),
            "users?q=member".to_owned(),
            "users?role=viewer".to_owned(),
            format!("users/{user}"),
            format!("members/{member}"),
            "members?kind=api_key".to_owned(),
            "invitations?status=pending".to_owned(),
            "roles/viewer".to_owned(),
            "permissions".to_owned(),
            "apikeys".to_owned(),
            "apikeys/waiting".to_owned(),
            format!("apikeys/{key}"),
            "ownership-offers".to_owned(),
            "audit?outcome=done".to_owned(),
        ] {
            let page = api.get(&format!("/api/sso/v1/{path}")).await.with_status(200);
            if let Some(next) = page.body["next"].as_str() {
                let sign = if path.contains('?') { '&' } else { '?' };
                api.get(&format!("/api/sso/v1/{path}{sign}after={next}")).await.with_status(200);
            }
            self.keep(&path);
        }
        let named = [("idempotency-key", "one")];
        for (path, body, status) in [
            ("teams", json!({"name": "Called"}), 201),
            ("workspaces", json!({"name": "Called", "owner": null}), 201),
            ("roles", json!({"name": "Viewer", "slug": "viewer", "scopes": ["read:posts"]}), 200),
        ] {
            let (path, body) = (format!("/api/sso/v1/{path}"), body.to_string());
            for status in [status, status, 422] {
                let body = if status == 422 { "{}".to_owned() } else { body.clone() };
                api.send(Method::POST, &path, Some(body), &named).await.with_status(status);
            }
            self.app.execute("DELETE FROM idempotency_keys").await;
            self.keep(&path);
        }
        let change = json!({"roles": ["editor"]});
        api.patch(&format!("/api/sso/v1/users/{user}"), &change).await.with_status(200);
        api.delete(&format!("/api/sso/v1/members/{member}?keys=revoked")).await.with_status(204);
        self.keep("calls");
    }

    pub async fn ownership_and_end(&mut self) {
        let (owner, admin) = (self.owner.clone(), self.admin.clone());
        let to = member_id(self.app, "member-2@seed-1.example.com", "seed-1").await;
        for (by, verb) in [(&owner, "withdrawal"), (&admin, "decline"), (&admin, "acceptance")] {
            self.post(&owner, &format!("{HOME}/members/{to}/ownership-offer"), &[], 303).await;
            let offer = "SELECT id FROM ownership_offers WHERE status = 'pending'";
            let offer = self.app.scalar_uuid(offer).await;
            self.get(&admin, HOME, 200).await;
            self.post(by, &format!("{HOME}/ownership-offers/{offer}/{verb}"), &[], 303).await;
        }
        self.post(&admin, &format!("{HOME}/organization/deletion"), &[("confirm", "seed-1")], 303).await;
    }

    /// The work of the tasks of each node: mail, who was seen, what has expired.
    pub async fn beside_the_requests(&mut self) {
        let app = self.app;
        // Whoever looks now was last seen a while ago.
        app.clock.advance(Duration::from_secs(120));
        sign_in(app, "member-1@seed-2.example.com", SEED).await.visit("/w/seed-2").await;
        // A letter that only this handle finds due, for it is ahead of the node.
        let clock = Clock::manual(app.clock.now_ms() + 3_600_000);
        let db = another_handle(app, clock.clone()).await;
        db.transcript().take();
        let due = clock.now_ms();
        let letter = format!(
            "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts)
             VALUES ({}, 'nobody@example.com', '', '', {due}, {due}, 0)",
            app.id(Uuid::nil())
        );
        app.execute(&letter).await;
        let message = outbox::take(&db).await.unwrap().expect("a letter is due");
        outbox::failed(&db, &message, "refused").await.unwrap();
        outbox::sent(&db, message.id).await.unwrap();
        outbox::sweep(&db).await.unwrap();
        for Statement { sql, values, .. } in db.transcript().take() {
            self.heard.entry(sql).or_insert((values, "the tasks of a node".into()));
        }
        db.close().await;
        let started = Instant::now();
        while !self.heard.keys().any(|sql| sql.starts_with("UPDATE members SET last_active_at")) {
            assert!(started.elapsed() < Duration::from_secs(15), "who was seen is not written down");
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.keep("the tasks of a node");
        }
    }
}

/// Rows of what no workspace holds many of, or none for long; and many people who are alone in a
/// workspace, so that an average one is nothing to go by.
async fn fill(app: &TestApp) {
    let (id, bytes) = match app.backend {
        Backend::Sqlite => ("randomblob(16)", "randomblob(32)"),
        Backend::Postgres => ("gen_random_uuid()", "sha256(gen_random_uuid()::text::bytea)"),
    };
    // Far from now, so that nothing of it is due.
    let then = app.clock.now_ms() + 1_000_000_000_000;
    for sql in [
        "INSERT INTO accounts (id, name, created_at) SELECT {id}, 'Account', 0 FROM n",
        "INSERT INTO workspaces (id, account_id, slug, name, created_at, audit_seq, audit_hash)
            SELECT {id}, (SELECT account_id FROM workspaces WHERE slug = 'seed-1'), 'alone-' || i, 'Alone', 0, 0, {bytes} FROM n",
        "INSERT INTO users (id, email, name, password_hash, created_at)
            SELECT {id}, 'alone-' || i || '@example.com', 'Alone', '', 0 FROM n",
        "INSERT INTO users (id, email, name, password_hash, created_at)
            SELECT {id}, 'nowhere-' || i || '@example.com', 'Nowhere', '', 0 FROM n WHERE i <= 100",
        "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at)
            SELECT {id}, w.id, 'user', u.id, 'active', 'founder', 0 FROM workspaces w
            JOIN users u ON u.email = w.slug || '@example.com'",
        "INSERT INTO sessions (id, token_hash, user_id, address, user_agent, created_at, last_seen_at, expires_at)
            SELECT {id}, {bytes}, id, '', '', 0, 0, {then} FROM users",
        "INSERT INTO notices (id, session_id, body, expires_at) SELECT {id}, id, '', {then} FROM sessions",
        "INSERT INTO email_tokens (id, token_hash, user_id, purpose, email, created_at, expires_at)
            SELECT {id}, {bytes}, id, 'verify_email', email, 0, {then} FROM users",
        "INSERT INTO account_people (account_id, user_id, is_admin, joined_at)
            SELECT (SELECT id FROM accounts WHERE name = 'Account' LIMIT 1), id, 1 = 0, 0 FROM users",
        "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
            SELECT (SELECT account_id FROM workspaces WHERE slug = 'seed-1'), id, 1 = 0, 0, email FROM users
            WHERE email LIKE 'alone-%' OR email LIKE 'nowhere-%'",
        "INSERT INTO audit_events (id, account_id, seq, at, kind, outcome, actor_kind, actor_name, target_kind,
                target_name, via, address, user_agent, payload, hash)
            SELECT {id}, (SELECT account_id FROM workspaces WHERE slug = 'seed-1'), 0, i, 'account.updated', 'done',
                'user', '', 'account', '', 'browser', '', '', '{}', {bytes} FROM n",
        "INSERT INTO audit_events (id, seq, at, kind, outcome, actor_kind, actor_id, actor_name, target_kind,
                target_name, via, address, user_agent, payload, hash)
            SELECT {id}, 0, i, 'user.signed-in', 'done', 'user', u.id, '', 'nothing', '', 'browser', '', '', '{}', {bytes}
            FROM n, users u WHERE i <= 10",
        // Invited by many; an id tells no more than when its row was made.
        "UPDATE invitations SET inviter_id = COALESCE((SELECT m.user_id FROM members m
            WHERE m.workspace_id = invitations.workspace_id AND m.id > invitations.id ORDER BY m.id LIMIT 1), inviter_id)",
        "INSERT INTO invitation_tokens (token_hash, workspace_id, invitation_id, proves_address)
            SELECT {bytes}, workspace_id, id, 1 = 1 FROM invitations",
        "INSERT INTO rate_limits (key, window_start, used) SELECT 'key-' || i, {then}, 1 FROM n",
        "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts)
            SELECT {id}, 'nobody@example.com', '', '', 0, {then}, 0 FROM n",
        "INSERT INTO ownership_offers (id, workspace_id, from_member_id, to_member_id, status, created_at, expires_at)
            SELECT {id}, workspace_id, id, id, 'declined', 0, 0 FROM members",
        "INSERT INTO teams (id, workspace_id, name, listed_as, description, created_at)
            SELECT {id}, id, 'Everybody', 'everybody', '', 0 FROM workspaces",
        "INSERT INTO team_members (workspace_id, team_id, member_id, is_lead, joined_at)
            SELECT m.workspace_id, t.id, m.id, 1 = 0, m.joined_at FROM teams t
            JOIN members m ON m.workspace_id = t.workspace_id",
        // Over a page of keys in one workspace, some in the others; and many that are members nowhere.
        "INSERT INTO api_keys (id, account_id, name, is_admin, home_id, made_by, created_at)
            SELECT {id}, w.account_id, 'Key', 1 = 0, w.id, m.user_id, 0 FROM workspaces w
            JOIN members m ON m.workspace_id = w.id JOIN users u ON u.id = m.user_id
            WHERE w.slug = 'seed-1' OR u.email LIKE 'member-1@%'",
        "INSERT INTO api_keys (id, account_id, name, is_admin, made_by, created_at)
            SELECT {id}, (SELECT id FROM accounts WHERE name = 'Account' LIMIT 1), 'Key', 1 = 0, u.id, 0 FROM users u",
        "INSERT INTO api_key_secrets (token_hash, api_key_id, hint, created_at)
            SELECT {bytes}, id, 'test', 0 FROM api_keys",
        "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as)
            SELECT {id}, home_id, 'api_key', id, 'active', 'account', 1, 'key' FROM api_keys WHERE home_id IS NOT NULL",
    ] {
        let numbered = match sql.contains("FROM n") {
            true => sql.replace(" SELECT", " WITH RECURSIVE n (i) AS
                (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT"),
            false => sql.to_owned(),
        };
        let sql = numbered.replace("{id}", id).replace("{bytes}", bytes).replace("{then}", &then.to_string());
        app.execute(&sql).await;
    }
}

/// A handle of the test's own on the app's data.
async fn another_handle(app: &TestApp, clock: Clock) -> Db {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), dir.path());
    Db::open(&config, app.url(), clock).await.unwrap()
}

/// The path of the route that takes this one: the first that fits, as in the app.
fn pattern(method: &Method, path: &str) -> &'static str {
    let fits = |pattern: &str| {
        let (asked, known): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
        asked.len() == known.len()
            && asked.iter().zip(known).all(|(part, known)| known.starts_with('{') || *part == known)
    };
    let route =
        table().into_iter().find(|route| route.method.as_str() == method.as_str() && fits(route.path));
    route.unwrap_or_else(|| panic!("no route for {method} {path}")).path
}
