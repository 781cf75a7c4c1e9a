//! Every page in every state that people come to, each saved as it was answered. `pages.rs` looks at
//! them all in a browser; `bin/screenshots` takes their pictures.
//!
//! A new page or state is one line: `hang.page("name", 200, owner.get("/w/…").await);`

use crate::support::product::{Clock, Config, Db, demo, seed};
use crate::support::*;
use reqwest::Method;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::OnceCell;

/// The passwords of `bailiwick demo` and `bailiwick seed`.
const DEMO: &str = "look around the demo";
const SEED: &str = "load test data only";

/// What people, workspaces and roles are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Plain,
    /// As long as they may be, in the widest letter, without a space.
    Long,
    /// Hebrew and Arabic.
    RightToLeft,
}

pub struct Picture {
    pub name: &'static str,
    pub page: Page,
    /// What is clicked, one after the other, once the page is there: it opens something.
    pub clicks: &'static [&'static str],
}

pub struct Gallery {
    pub pictures: Vec<Picture>,
    /// Each page under `/name`, and the styles, script and icons that they use.
    pub answers: Arc<HashMap<String, Page>>,
}

/// The gallery is made once and looked at by many tests.
pub async fn gallery(names: Names) -> &'static Gallery {
    static MADE: [OnceCell<Gallery>; 3] = [const { OnceCell::const_new() }; 3];
    MADE[names as usize].get_or_init(|| make(names)).await
}

async fn make(names: Names) -> Gallery {
    let world = World::build(names).await;
    let mut hang = Hang { pictures: Vec::new() };
    ways_in(&world, &mut hang).await;
    invitation_links(&world, &mut hang).await;
    own_pages(&world, &mut hang).await;
    looking(&world, &mut hang).await;
    changing(&world, &mut hang).await;
    roles(&world, &mut hang).await;
    many_at_once(&world, &mut hang).await;
    teams(&world, &mut hang).await;
    access(&world, &mut hang).await;
    api_keys(&world, &mut hang).await;
    resources(&world, &mut hang).await;
    empty_workspace(&world, &mut hang).await;
    problems(&world, &mut hang).await;
    accounts(&world, &mut hang).await;
    let answers = answers(&world.app.client(), &hang.pictures).await;
    Gallery { pictures: hang.pictures, answers: Arc::new(answers) }
}

struct Hang {
    pictures: Vec<Picture>,
}

impl Hang {
    #[track_caller]
    fn page(&mut self, name: &'static str, status: u16, page: Page) {
        assert_eq!(page.status.as_u16(), status, "{name} is {}:\n{}", page.path(), page.text());
        let is_new = self.pictures.iter().all(|picture| picture.name != name);
        assert!(is_new, "two pages of the gallery are called {name}");
        self.pictures.push(Picture { name, page, clicks: &[] });
    }

    /// A page that hangs already, with something on it opened.
    #[track_caller]
    fn opened(&mut self, name: &'static str, of: &str, clicks: &'static [&'static str]) {
        let page = &self.pictures.iter().find(|picture| picture.name == of).unwrap().page;
        let page = page.clone();
        self.pictures.push(Picture { name, page, clicks });
    }
}

/// The demo, the workspace of a founder who is alone, and one with more than a page of people.
struct World {
    app: TestApp,
    names: Names,
    /// The path of the demo's workspace.
    base: String,
    owner: Client,
    admin: Client,
    developer: Client,
    viewer: Client,
    /// Suspended in the demo, and nowhere else a member.
    former: Client,
    /// The Owner of many.
    busy: Client,
    founder: Person,
    /// Members of the demo, by role.
    members: HashMap<&'static str, uuid::Uuid>,
}

impl World {
    async fn build(names: Names) -> Self {
        let app = TestApp::spawn(Backend::Sqlite).await;
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(app.database.url.clone(), dir.path());
        let past = Clock::manual(app.clock.now_ms() - demo::PAST);
        let db = Db::open(&config, app.url(), past).await.unwrap();
        demo::demo(&db).await.unwrap();
        let size = seed::Size { workspaces: 1, members: 60, events: 60, invitations: 0, keys: 0 };
        seed::seed(&db, &size).await.unwrap();
        db.close().await;
        let founder = founder(&app).await;
        let person = async |role: &str| sign_in(&app, &format!("{role}@example.com"), DEMO).await;
        let mut members = HashMap::new();
        for role in ["owner", "admin", "developer", "viewer", "support", "former", "editor"] {
            members.insert(role, member_id(&app, &format!("{role}@example.com"), "demo").await);
        }
        let mut world = Self {
            names,
            base: String::new(),
            owner: person("owner").await,
            admin: person("admin").await,
            developer: person("developer").await,
            viewer: person("viewer").await,
            former: person("former").await,
            busy: sign_in(&app, "member-1@seed-1.example.com", SEED).await,
            founder,
            members,
            app,
        };
        world.rename().await;
        world
    }

    /// Everybody is signed in: now they and what they have may be called anything.
    async fn rename(&mut self) {
        let mut slug = "demo".to_owned();
        if self.names != Names::Plain {
            for (table, columns) in [
                ("users", "name"),
                ("accounts", "name"),
                ("workspaces", "name"),
                ("roles", "name description"),
                ("teams", "name description"),
                ("api_keys", "name"),
            ] {
                for column in columns.split(' ') {
                    let name = quoted(&self.name(""));
                    self.app.execute(&format!("UPDATE {table} SET {column} = {name}")).await;
                }
            }
        }
        if self.names == Names::Long {
            slug = "w".repeat(48);
            self.app.execute(&format!("UPDATE workspaces SET slug = '{slug}' WHERE slug = 'demo'")).await;
            for table in ["users", "invitations"] {
                for row in self.app.rows(&format!("SELECT email FROM {table}")).await {
                    let email = row["email"].as_str().unwrap();
                    let sql = format!("UPDATE {table} SET email = {{}} WHERE email = {}", quoted(email));
                    self.app.execute(&sql.replace("{}", &quoted(&self.email(email)))).await;
                }
            }
        }
        self.base = format!("/w/{slug}");
    }

    /// What somebody or something is called.
    fn name(&self, plain: &str) -> String {
        match self.names {
            Names::Plain => plain.to_owned(),
            Names::Long => "W".repeat(80),
            Names::RightToLeft => "שם לדוגמה (اسم) 7".to_owned(),
        }
    }

    /// What a role is called that is made here: as none is yet.
    fn role_name(&self) -> String {
        match self.names {
            Names::Plain => "Incident lead".to_owned(),
            Names::Long => format!("{}M", "W".repeat(79)),
            Names::RightToLeft => "תפקיד לדוגמה (دور) 8".to_owned(),
        }
    }

    fn email(&self, plain: &str) -> String {
        if self.names != Names::Long {
            return plain.to_owned();
        }
        // 64 before the sign, 254 in all.
        let start: String = plain.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        format!("{start:w<64}@{0}.{0}.{1}.com", "w".repeat(63), "w".repeat(57))
    }

    fn message(&self) -> String {
        if self.names == Names::Long { "W".repeat(1_000) } else { self.name("Welcome to the demo.") }
    }

    fn member(&self, role: &str) -> String {
        format!("{}/members/{}", self.base, self.members[role])
    }

    fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// Invites somebody to the demo, and gives the mailed link.
    async fn link_for(&self, email: &str) -> String {
        let path = self.at("/invitations");
        let page = self.owner.visit(&path).await;
        let message = self.message();
        let fields = [("emails", email), ("role", "viewer"), ("role", "editor"), ("message", &message)];
        self.owner.submit(&page, &path, &fields).await.assert_status(303);
        self.app.mail.wait_for_link(email, "/invitations/").await
    }
}

async fn follow(client: &Client, path: &str) -> Page {
    let page = client.get(path).await;
    client.follow(page).await
}

async fn submit(client: &Client, page: &Page, which: &str, fields: &[(&str, &str)]) -> Page {
    let page = client.submit(page, which, fields).await;
    client.follow(page).await
}

async fn ways_in(world: &World, hang: &mut Hang) {
    let (app, guest) = (&world.app, world.app.client());
    let page = guest.get("/sign-in").await;
    let wrong = [("email", "nobody@example.com"), ("password", "not the password")];
    hang.page("sign-in-refused", 422, guest.submit(&page, "/sign-in", &wrong).await);
    hang.page("sign-in", 200, page);
    hang.page("docs-api", 200, guest.get("/docs/api").await);
    hang.page("docs-quick-start", 200, guest.get("/docs/quick-start").await);
    hang.page("sign-in-first", 401, guest.get(&world.at("/members")).await);
    for _ in 0..9 {
        guest.post_form("/sign-in", &wrong).await;
    }
    hang.page("sign-in-too-often", 429, guest.post_form("/sign-in", &wrong).await);

    let page = guest.get("/sign-up").await;
    hang.page("sign-up-refused", 422, guest.submit(&page, "/sign-up", &[("email", "no address")]).await);
    let (name, email) = (world.name("Some One"), world.email("new@example.com"));
    let fields = [("name", name.as_str()), ("email", &email), ("password", PASSWORD), ("workspace", &name)];
    hang.page("check-mail", 200, submit(&guest, &page, "/sign-up", &fields).await);
    hang.page("sign-up", 200, page);
    let link = app.mail.wait_for_link(&email, "/email-verification/").await;
    hang.page("email-verification", 200, follow(&guest, &link).await);

    let page = guest.get("/forgot-password").await;
    hang.page(
        "forgot-password-refused",
        422,
        guest.submit(&page, "/forgot-password", &[("email", "x")]).await,
    );
    hang.page("reset-sent", 200, guest.submit(&page, "/forgot-password", &[("email", &email)]).await);
    hang.page("forgot-password", 200, page);
    hang.page("reset-password-gone", 410, guest.get("/reset-password").await);
    let link = app.mail.wait_for_link(&email, "/reset-password/").await;
    let page = follow(&guest, &link).await;
    hang.page(
        "reset-password-refused",
        422,
        guest.submit(&page, "/reset-password", &[("password", "short")]).await,
    );
    hang.page("reset-password", 200, page);
}

async fn invitation_links(world: &World, hang: &mut Hang) {
    let (app, guest) = (&world.app, world.app.client());
    let email = world.email("guest@example.com");
    let link = world.link_for(&email).await;
    hang.page("invitation", 200, follow(&guest, &link).await);
    hang.page("invitation-of-another", 403, follow(&world.viewer.twin(), &link).await);
    let page = guest.get("/sign-up").await;
    let name = world.name("Guest One");
    hang.page("invitation-right-address", 200, {
        submit(&guest, &page, "/sign-up", &[("name", &name), ("password", PASSWORD)]).await
    });
    hang.page("invitation-sign-up", 200, page);
    hang.page("workspaces-none", 200, guest.get("/workspaces").await);

    let unconfirmed = app.client();
    let new = world.email("new@example.com");
    sign_in_with(&unconfirmed, &new, PASSWORD).await;
    let link = world.link_for(&new).await;
    hang.page("invitation-unconfirmed", 403, follow(&unconfirmed, &link).await);
    hang.page("me-unconfirmed", 200, unconfirmed.get("/me").await);
    for _ in 0..6 {
        unconfirmed.post_form("/me/verification", &[]).await;
    }
    hang.page("too-often", 429, unconfirmed.post_form("/me/verification", &[]).await);

    let link = world.link_for(&world.email("late@example.com")).await;
    for (name, status) in [
        ("invitation-used", "accepted"),
        ("invitation-declined", "declined"),
        ("invitation-cancelled", "cancelled"),
        ("invitation-expired", "expired"),
    ] {
        let (email, now) = (quoted(&world.email("late@example.com")), app.clock.now_ms());
        let sql =
            format!("UPDATE invitations SET status = '{status}', ended_at = {now} WHERE email = {email}");
        assert_eq!(app.execute(&sql).await, 1);
        hang.page(name, 410, follow(&app.client(), &link).await);
    }
    hang.page("invitation-unknown", 410, follow(&app.client(), "/invitations/unknown").await);
}

async fn own_pages(world: &World, hang: &mut Hang) {
    let owner = &world.owner;
    let page = owner.get("/workspaces").await;
    hang.page("workspaces-refused", 422, {
        owner.submit(&page, "/workspaces", &[("name", ""), ("slug", "No Address")]).await
    });
    hang.page("workspaces", 200, page);
    hang.page("workspaces-suspended", 200, world.former.get("/workspaces").await);
    let page = owner.get("/me").await;
    hang.page("me-refused", 422, owner.submit(&page, "/me/password", &[("password", "short")]).await);
    hang.page("me", 200, page);
}

/// The demo as different people see it.
async fn looking(world: &World, hang: &mut Hang) {
    let (owner, admin, developer, viewer) = (&world.owner, &world.admin, &world.developer, &world.viewer);
    let at = |rest: &str| world.at(rest);
    hang.page("overview-of-owner", 200, owner.get(&at("")).await);
    hang.page("overview-of-admin", 200, admin.get(&at("")).await);
    hang.page("overview-of-viewer", 200, viewer.get(&at("")).await);

    hang.page("members-of-owner", 200, owner.get(&at("/members")).await);
    hang.page("members-of-admin", 200, admin.get(&at("/members")).await);
    hang.page("members-of-viewer", 200, viewer.get(&at("/members")).await);
    hang.page("members-filtered", 200, owner.get(&at("/members?q=e&status=active&sort=-name")).await);
    hang.page("members-none", 200, owner.get(&at("/members?q=nobody+at+all")).await);
    hang.page("member-of-owner", 200, owner.get(&world.member("developer")).await);
    hang.page("member-of-admin", 200, admin.get(&world.member("developer")).await);
    hang.page("member-of-viewer", 200, viewer.get(&world.member("developer")).await);
    hang.page("member-above-admin", 200, admin.get(&world.member("owner")).await);
    hang.page("member-oneself", 200, owner.get(&world.member("owner")).await);
    hang.page("member-suspended", 200, owner.get(&world.member("former")).await);
    let path = |role: &str, rest: &str| format!("{}/{rest}", world.member(role));
    hang.page("suspension", 200, owner.get(&path("developer", "suspension")).await);
    hang.page("suspension-already", 200, owner.get(&path("former", "suspension")).await);
    hang.page("removal", 200, owner.get(&path("developer", "removal")).await);
    hang.page("departure", 200, viewer.get(&at("/departure")).await);

    hang.page("invitations-of-owner", 200, owner.get(&at("/invitations")).await);
    hang.page("invitations-of-developer", 200, developer.get(&at("/invitations")).await);
    hang.page("invitations-none", 200, owner.get(&at("/invitations?q=nobody&status=declined")).await);

    hang.page("roles-of-owner", 200, owner.get(&at("/roles")).await);
    hang.page("roles-of-viewer", 200, viewer.get(&at("/roles")).await);
    hang.page("security-of-owner", 200, owner.get(&at("/security")).await);
    hang.page("security-of-viewer", 200, viewer.get(&at("/security")).await);
    hang.page("organization-of-owner", 200, owner.get(&at("/organization")).await);
    hang.page("organization-of-viewer", 200, viewer.get(&at("/organization")).await);
    hang.page("deletion", 200, owner.get(&at("/organization/deletion")).await);

    let many = async |rest: &str| {
        let slug = "/w/seed-1";
        world.busy.get(&format!("{slug}{rest}")).await
    };
    let first = many("/members").await;
    let next = world.busy.get(&first.attributes("[rel=next]", "href")[0]).await;
    hang.page("members-many", 200, first);
    hang.page("members-many-next", 200, next);
    let first = many("/activity").await;
    hang.page("activity-many-next", 200, world.busy.get(&first.attributes("[rel=next]", "href")[0]).await);

    hang.opened("menu", "overview-of-owner", &["#user-menu-button"]);
    hang.opened("keys", "members-of-owner", &["#user-menu-button", "[data-keys]"]);
    hang.opened("row-menu", "members-of-owner", &["#results details.dropdown > summary"]);
    hang.opened("security-row", "security-of-owner", &["#d-read-audit > summary"]);
}

/// What pages say after something was sent.
async fn changing(world: &World, hang: &mut Hang) {
    let (app, owner, admin) = (&world.app, &world.owner, &world.admin);
    let path = world.at("/invitations");
    let page = owner.get(&path).await;
    let (late, member) = (world.email("late@example.com"), world.email("viewer@example.com"));
    let emails = format!("{late} {member} {} nonsense", world.email("guest@example.com"));
    hang.page("invitations-results", 200, submit(owner, &page, &path, &[("emails", &emails)]).await);
    hang.page("invitations-refused", 422, owner.submit(&page, &path, &[("emails", "nonsense")]).await);
    let page = owner.get(&world.at("/invitations?status=pending")).await;
    let resend = page.forms().into_iter().find(|form| form.action.ends_with("/resend")).unwrap();
    let cancel = page.link("/cancellation");
    let sent = owner.send(&page, &resend).await;
    hang.page("invitations-resent", 200, owner.follow(sent).await);
    hang.page("cancellation", 200, owner.get(&cancel).await);

    let page = owner.get(&world.member("developer")).await;
    let roles = page.form("/roles").without("role");
    hang.page("member-refused", 422, owner.send(&page, &roles).await);
    let offered = submit(owner, &page, "/ownership-offer", &[]).await;
    hang.page("member-offered", 200, offered);
    hang.page("overview-offered", 200, world.developer.get(&world.base).await);
    hang.page("members-offered", 200, owner.get(&world.at("/members")).await);

    let page = owner.get(&world.at("/security")).await;
    let row = "/security/read:audit";
    hang.page("security-saved", 200, submit(owner, &page, row, &[("role", "editor")]).await);
    hang.page("security-stale", 409, owner.submit(&page, row, &[("role", "billing")]).await);
    let slug = quoted(world.base.trim_start_matches("/w/"));
    let sql =
        "INSERT INTO grants (workspace_id, role_id, scope) SELECT r.workspace_id, r.id, 'update:permissions'
        FROM roles r JOIN workspaces w ON w.id = r.workspace_id WHERE r.slug = 'admin' AND w.slug = ";
    assert_eq!(app.execute(&format!("{sql}{slug}")).await, 1);
    let page = admin.get(&world.at("/security")).await;
    hang.page("security-of-admin", 200, page.clone());
    let none = page.form("/security/update:permissions").without("role");
    hang.page("security-lock-out", 409, admin.send(&page, &none).await);

    let path = world.at("/organization");
    let page = owner.get(&path).await;
    hang.page("organization-refused", 422, {
        owner.submit(&page, &path, &[("name", ""), ("slug", "No Address")]).await
    });
    let page = owner.get(&world.at("/organization/deletion")).await;
    hang.page("deletion-refused", 422, owner.submit(&page, "/deletion", &[("confirm", "another")]).await);

    hang.page("activity-of-owner", 200, owner.get(&world.at("/activity")).await);
    let actor = owner.get(&world.at("/activity")).await.link("?actor=");
    hang.page("activity-of-one", 200, owner.get(&actor).await);
    hang.page("activity-refused", 200, owner.get(&world.at("/activity?outcome=refused")).await);
    hang.page("activity-none", 200, owner.get(&world.at("/activity?q=nobody+at+all&from=2026-01-31")).await);
    hang.opened("invitation-menu", "invitations-results", &["#results details.dropdown > summary"]);
}

/// Roles: looked at, made, edited, compared, deleted.
async fn roles(world: &World, hang: &mut Hang) {
    let (app, owner, admin) = (&world.app, &world.owner, &world.admin);
    let path = world.at("/roles");
    let at = |rest: &str| format!("{path}/{rest}");
    hang.page("role-built-in", 200, owner.get(&at("editor")).await);
    hang.page("role-owner", 200, owner.get(&at("owner")).await);
    hang.page("role-of-viewer", 200, world.viewer.get(&at("support")).await);
    hang.page("role-duplicate", 200, owner.get(&at("new?from=developer")).await);
    hang.page("role-pattern", 200, owner.get(&at("new?template=manager")).await);
    let page = owner.get(&at("new")).await;
    let (name, long) = (world.role_name(), world.names == Names::Long);
    let scope = if long { format!("deploy:{}", "w".repeat(113)) } else { "deploy:*".to_owned() };
    let wrong = format!("{scope}\nusers_read, Write:Posts");
    let named = [("name", ""), ("scopes", &wrong), ("permission", "read:audit")];
    hang.page("role-new-refused", 422, owner.submit(&page, &path, &named).await);
    let description =
        if long { "W".repeat(200) } else { world.name("Calls people together when something breaks.") };
    let typed = format!("{scope} read:builds");
    let fields = [
        ("name", name.as_str()),
        ("description", &description),
        ("permission", "read:members"),
        ("permission", "read:audit"),
        ("scopes", &typed),
    ];
    let made = submit(owner, &page, &path, &fields).await;
    hang.page("role-new", 200, page);
    let role = made.path().to_owned();
    let slug = role.rsplit('/').next().unwrap().to_owned();
    hang.page("role-made", 200, made.clone());
    // Admins may edit roles by now, and do not see the activity, which this role does.
    hang.page("role-above-admin", 200, admin.get(&role).await);
    hang.page("role-deletion", 200, owner.get(&format!("{role}/deletion")).await);

    let give = [("role", "developer"), ("role", slug.as_str())];
    owner.post_form(&format!("{}/roles", world.member("developer")), &give).await.assert_status(303);
    owner.get(&role).await; // says what was given
    hang.page("role-deletion-held", 200, owner.get(&format!("{role}/deletion")).await);
    hang.page("role-deletion-refused", 409, owner.post_form(&format!("{role}/deletion"), &[]).await);
    hang.page("role-saved", 200, submit(owner, &made, "/scopes", &[("permission", "read:teams")]).await);
    let other = [("permission", "read:billing"), ("scopes", "read:reports")];
    hang.page("role-stale", 409, owner.submit(&made, "/scopes", &other).await);
    let now = owner.get(&role).await;
    hang.page("role-refused", 422, owner.submit(&now, "/scopes", &[("scopes", &wrong)]).await);
    hang.page("role-unnamed", 422, owner.submit(&now, "/details", &[("name", "")]).await);
    let now = admin.get(&at("admin")).await;
    hang.page("role-of-admin", 200, now.clone());
    let none = now.form("/scopes").without("permission");
    hang.page("role-lock-out", 409, admin.send(&now, &none).await);

    hang.page("roles-compared", 200, owner.get(&at(&format!("comparison?a=editor&b={slug}"))).await);
    let only = "comparison?a=developer&b=support&only=differences";
    hang.page("roles-compared-differences", 200, owner.get(&at(only)).await);
    let same = "comparison?a=viewer&b=viewer&only=differences";
    hang.page("roles-compared-same", 200, owner.get(&at(same)).await);
    hang.page("roles-compared-refused", 422, owner.get(&at("comparison?a=king")).await);
    hang.page("roles-with-custom", 200, owner.get(&path).await);
    let page = owner.get(&format!("{role}/deletion")).await;
    let deleted = submit(owner, &page, "/deletion", &[("replacement", "viewer")]).await;
    hang.page("roles-deleted", 200, deleted);
    hang.page("activity-of-roles", 200, owner.get(&world.at("/activity")).await);
    assert_eq!(
        app.scalar_i64(&format!("SELECT count(*) FROM roles WHERE slug = {}", quoted(&slug))).await,
        0
    );
}

/// Several members or invitations, looked at and changed together.
async fn many_at_once(world: &World, hang: &mut Hang) {
    let owner = &world.owner;
    let of = |noun: &str, roles: &[&str]| {
        let ids: Vec<String> = roles.iter().map(|role| format!("member={}", world.members[role])).collect();
        world.at(&format!("/members/selection/{noun}?{}", ids.join("&")))
    };
    let both = ["support", "editor"];
    let page = owner.get(&of("roles", &both)).await;
    hang.page("selected-roles-refused", 422, owner.submit(&page, "/selection/roles", &[]).await);
    hang.page("selected-roles", 200, page);
    hang.page("selected-suspension", 200, owner.get(&of("suspension", &both)).await);
    hang.page("selected-suspended", 200, owner.get(&of("suspension", &["former"])).await);
    hang.page("selected-removal", 200, owner.get(&of("removal", &both)).await);
    hang.page("selected-above", 200, world.admin.get(&of("removal", &["owner", "viewer"])).await);
    let page = owner.get(&of("roles", &["editor", "viewer"])).await;
    let changed = [("role", "viewer"), ("role", "support")];
    hang.page("members-results", 200, submit(owner, &page, "/selection/roles", &changed).await);

    let page = owner.get(&world.at("/invitations?status=pending")).await;
    let ids = page.attributes("input[name=invitation]", "value");
    let ids: Vec<String> = ids.iter().map(|id| format!("invitation={id}")).collect();
    let path = |noun: &str| world.at(&format!("/invitations/selection/{noun}?{}", ids.join("&")));
    hang.page("selected-resend", 200, owner.get(&path("resend")).await);
    hang.page("selected-cancellation", 200, owner.get(&path("cancellation")).await);
    hang.opened("members-selected", "members-of-admin", &["input[name=member]:enabled"]);
}

/// The teams of the demo: one with a role, which the Developer leads, and one without.
async fn teams(world: &World, hang: &mut Hang) {
    let (owner, admin, lead) = (&world.owner, &world.admin, &world.developer);
    let base = world.at("/teams");
    let page = owner.get(&base).await;
    let found = page.attributes("tbody .name a", "href");
    let (on_call, product) = (found[0].as_str(), found[1].as_str());
    let people = format!("{on_call}/members");
    hang.page("teams-of-owner", 200, page);
    hang.page("teams-of-viewer", 200, world.viewer.get(&base).await);
    hang.page("team-of-owner", 200, owner.get(on_call).await);
    hang.page("team-of-lead", 200, lead.get(on_call).await);
    hang.page("team-of-viewer", 200, world.viewer.get(product).await);
    hang.opened("team-menu", "team-of-owner", &["td details.dropdown > summary"]);
    hang.page("team-candidates", 200, owner.get(&people).await);
    hang.page("team-candidates-of-lead", 200, lead.get(&people).await);
    hang.page("team-candidates-none", 200, owner.get(&format!("{people}?q=nobody+at+all")).await);
    hang.page("team-candidates-refused", 422, owner.post_form(&people, &[]).await);
    hang.opened("team-candidates-selected", "team-candidates", &["input[name=member]:enabled"]);
    hang.page("team-deletion", 200, owner.get(&format!("{on_call}/deletion")).await);

    let page = owner.get(&format!("{base}/new")).await;
    hang.page("team-new-refused", 422, owner.submit(&page, &base, &[("name", "")]).await);
    let fields = [("name", world.name("New team")), ("description", world.name("For the picture"))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    hang.page("team-new", 200, page.clone());
    let page = submit(owner, &page, &base, &fields).await;
    let empty = page.path().to_owned();
    hang.page("team-empty", 200, page.clone());
    hang.page("team-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
    let roles = "form[action$='/roles'].form";
    hang.page("team-saved", 200, submit(owner, &page, roles, &[("role", "billing")]).await);
    hang.page("team-stale", 409, owner.submit(&page, roles, &[("role", "support")]).await);
    // Somebody is in it who is above an Admin.
    let fields = [("member", world.members["owner"].to_string())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    owner.post_form(&format!("{empty}/members"), &fields).await.assert_status(303);
    hang.page("team-above-admin", 200, admin.get(&empty).await);
    hang.page("activity-of-teams", 200, owner.get(&world.at("/activity")).await);

    let busy = &world.busy;
    let made = busy.post_form("/w/seed-1/teams", &[("name", &world.name("Everybody"))]).await.location();
    for _ in 0..2 {
        let path = format!("{made}/members");
        let ids = busy.get(&path).await.attributes("input[name=member]:not([disabled])", "value");
        let fields: Vec<_> = ids.iter().map(|id| ("member", id.as_str())).collect();
        busy.post_form(&path, &fields).await.assert_status(303);
    }
    let first = busy.get(&made).await;
    let first = busy.follow(first).await;
    hang.page("team-many-next", 200, busy.get(&first.attributes("[rel=next]", "href")[0]).await);
    hang.page("team-candidates-everybody", 200, busy.get(&format!("{made}/members")).await);
}

/// What somebody can do and why, what a change would do, and taking one back.
async fn access(world: &World, hang: &mut Hang) {
    let (owner, admin, viewer) = (&world.owner, &world.admin, &world.viewer);
    let of = |role: &str| format!("{}/access", world.member(role));
    hang.page("access-of-developer", 200, owner.get(&of("developer")).await);
    hang.page("access-of-owner", 200, viewer.get(&of("owner")).await);
    hang.page("access-of-oneself", 200, viewer.get(&of("viewer")).await);
    hang.page("access-of-suspended", 200, owner.get(&of("former")).await);
    hang.page("access-yes", 200, owner.get(&format!("{}?scope=read:posts:title", of("developer"))).await);
    hang.page("access-no", 200, owner.get(&format!("{}?scope=export:data", of("developer"))).await);
    hang.page("access-refused", 422, owner.get(&format!("{}?scope=posts_read", of("developer"))).await);

    let roles = |role: &str, query: &str| format!("{}/roles/preview?{query}", world.member(role));
    hang.page("preview-roles", 200, owner.get(&roles("viewer", "role=admin&role=viewer")).await);
    hang.page("preview-roles-kept", 200, {
        owner.get(&format!("{}?role=admin&from=preview", world.member("viewer"))).await
    });
    hang.page("preview-roles-same", 200, owner.get(&roles("viewer", "role=viewer")).await);
    hang.page("preview-roles-refused", 200, admin.get(&roles("owner", "role=viewer")).await);
    hang.page("preview-roles-none", 422, owner.get(&roles("viewer", "")).await);
    let everybody = "permission=read:members&permission=read:audit&scopes=write:*+deploy:staging";
    let scopes = world.at(&format!("/roles/viewer/scopes/preview?{everybody}"));
    hang.page("preview-scopes", 200, owner.get(&scopes).await);
    let busy = &world.busy;
    hang.page("preview-scopes-many", 200, {
        busy.get(&format!("/w/seed-1/roles/viewer/scopes/preview?{everybody}")).await
    });
    let permission = world.at("/security/update:permissions/preview");
    hang.page("preview-permission", 200, owner.get(&format!("{permission}?role=viewer&role=editor")).await);
    hang.page("preview-lock-out", 200, admin.get(&permission).await);
    let kept = world.at("/security?permission=read:audit&role=viewer&from=preview");
    hang.page("preview-permission-kept", 200, owner.get(&kept).await);
    let team = owner.get(&world.at("/teams")).await.attributes("tbody .name a", "href").remove(0);
    hang.page("preview-team", 200, owner.get(&format!("{team}/roles/preview?role=admin")).await);

    let path = format!("{}/roles", world.member("viewer"));
    for role in ["editor", "support", "viewer"] {
        owner.post_form(&path, &[("role", role)]).await.assert_status(303);
    }
    let page = owner.get(&world.at("/activity")).await;
    owner.get(&world.at("/activity")).await;
    let undos: Vec<String> = page.links().into_iter().filter(|link| link.ends_with("/undo")).collect();
    hang.page("undo", 200, owner.get(&undos[0]).await);
    hang.page("undo-overtaken", 200, owner.get(&undos[1]).await);
    let sql = "SELECT e.id FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
        WHERE e.kind = 'workspace.created' AND w.slug = ";
    let other =
        world.app.scalar_uuid(&format!("{sql}{}", quoted(world.base.trim_start_matches("/w/")))).await;
    hang.page("undo-of-another-kind", 404, owner.get(&world.at(&format!("/activity/{other}/undo"))).await);
}

/// The keys of the demo: one of the Developer, and one that is an Owner and administers the account.
async fn api_keys(world: &World, hang: &mut Hang) {
    let (app, owner, admin, developer) = (&world.app, &world.owner, &world.admin, &world.developer);
    let base = world.at("/api-keys");
    let mut keys = HashMap::new();
    for row in app.rows("SELECT id, expires_at, is_admin FROM api_keys").await {
        let name = if row["expires_at"].is_null() { "known" } else { "runner" };
        keys.insert(name, format!("{base}/{}", row["id"].as_str().unwrap()));
    }
    let (runner, known) = (keys["runner"].as_str(), keys["known"].as_str());
    hang.page("api-keys-of-owner", 200, owner.get(&base).await);
    hang.page("api-keys-none", 200, owner.get(&format!("{base}?q=nobody+at+all")).await);
    hang.page("api-key-of-owner", 200, owner.get(runner).await);
    hang.page("api-key-above-developer", 200, developer.get(known).await);
    hang.page("api-key-of-account", 200, owner.get(known).await);
    hang.page("api-key-addition-none", 200, owner.get(&format!("{base}/addition")).await);
    hang.page("api-key-revocation", 200, owner.get(&format!("{runner}/revocation")).await);
    let removal = format!("{}/removal", world.member("developer"));
    hang.page("removal-with-keys", 200, owner.get(&removal).await);
    hang.page("removal-with-keys-of-admin", 200, admin.get(&removal).await);
    hang.page("departure-with-keys", 200, developer.get(&world.at("/departure")).await);
    hang.page("members-of-keys", 200, owner.get(&world.at("/members?kind=api_key")).await);
    let of = |key: &str| {
        format!(
            "SELECT id FROM members WHERE api_key_id = {}",
            app.id(key.rsplit('/').next().unwrap().parse().unwrap())
        )
    };
    let member = app.scalar_uuid(&of(runner)).await;
    hang.page("member-key", 200, owner.get(&world.at(&format!("/members/{member}"))).await);
    hang.page("member-key-removal", 200, owner.get(&world.at(&format!("/members/{member}/removal"))).await);
    hang.page(
        "member-key-suspension",
        200,
        owner.get(&world.at(&format!("/members/{member}/suspension"))).await,
    );
    let access = world.at(&format!("/members/{member}/access"));
    hang.page("member-key-access", 200, owner.get(&access).await);
    hang.page("member-key-access-yes", 200, owner.get(&format!("{access}?scope=read:posts")).await);
    let preview = world.at(&format!("/members/{member}/roles/preview?role=viewer"));
    hang.page("preview-roles-of-key", 200, owner.get(&preview).await);
    let selected = world
        .at(&format!("/members/selection/removal?member={member}&member={}", world.members["developer"]));
    hang.page("selected-keys", 200, owner.get(&selected).await);

    let page = owner.get(&format!("{base}/new")).await;
    let wrong = [("name", ""), ("expiry", "date"), ("expires_at", "2020-01-01")];
    hang.page("api-key-new-refused", 422, owner.submit(&page, &base, &wrong).await);
    hang.page("api-key-new", 200, page.clone());
    hang.page("api-key-new-of-developer", 200, developer.get(&format!("{base}/new")).await);
    let name = world.name("Nightly backup");
    let made = owner.submit(&page, &base, &[("name", &name), ("role", "editor")]).await;
    hang.page("api-key-made", 200, made);
    hang.page("api-key-made-already", 409, owner.submit(&page, &base, &[("name", &name)]).await);
    let page = owner.get(runner).await;
    hang.page("api-key-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
    hang.page("api-key-rotated", 200, owner.submit(&page, "/rotation", &[]).await);
    hang.page("api-key-stale", 409, owner.submit(&page, "/rotation", &[]).await);
    hang.page("api-key-with-two-secrets", 200, owner.get(runner).await);
    // In every state: one suspended, one expired, one whose maker left, one revoked elsewhere.
    let made = format!("(SELECT user_id FROM members WHERE id = {})", app.id(world.members["former"]));
    for (n, change) in [
        "expires_at = 1".to_owned(),
        "revoked_at = 1".to_owned(),
        format!("made_by = {made}"),
        "last_used_at = 1".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let slug = world.base.trim_start_matches("/w/");
        let (key, member, _) = add_key(app, slug, &world.name(&format!("Robot {n}")), &["viewer"]).await;
        app.execute(&format!("UPDATE api_keys SET {change} WHERE id = {}", app.id(key))).await;
        if n == 3 {
            app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member)))
                .await;
        }
        if n == 2 {
            hang.page("api-key-left", 200, owner.get(&format!("{base}/{key}")).await);
            let removal = world.at(&format!("/members/{member}/removal"));
            let page = owner.get(&removal).await;
            owner.submit(&page, &removal, &[]).await.assert_status(303);
            let page = owner.get(&format!("{base}/addition")).await;
            hang.page("api-key-addition-refused", 422, owner.submit(&page, "/addition", &[]).await);
            hang.page("api-key-addition", 200, page.clone());
            let fields = [("key", key.to_string())];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            hang.page("api-key-added", 200, submit(owner, &page, "/addition", &fields).await);
        }
    }
    hang.page("api-keys-in-every-state", 200, owner.get(&base).await);
    hang.page("api-keys-of-developer", 200, developer.get(&base).await);
    hang.page("overview-with-keys", 200, owner.get(&world.base).await);
    hang.page("activity-of-keys", 200, owner.get(&world.at("/activity")).await);
    let user = world.founder.user_id;
    let confirmed =
        |at: &str| format!("UPDATE users SET email_verified_at = {at} WHERE id = {}", app.id(user));
    app.execute(&confirmed("NULL")).await;
    let founder = &world.founder.client;
    hang.page("api-keys-unconfirmed", 200, founder.get("/w/acme/api-keys").await);
    hang.page("api-key-new-unconfirmed", 403, founder.get("/w/acme/api-keys/new").await);
    let empty = format!("/a/{}/api-keys", crate::world::account_id(app, "acme").await);
    hang.page("account-keys-unconfirmed", 200, founder.get(&empty).await);
    hang.page("account-key-new-unconfirmed", 403, founder.get(&format!("{empty}/new")).await);
    app.execute(&confirmed("1")).await;
}

/// What the demo's applications registered, and one under a name as it is here.
async fn resources(world: &World, hang: &mut Hang) {
    let base = world.at("/resources");
    world
        .app
        .execute(&format!(
            "INSERT INTO resources (workspace_id, kind, id, name, created_at)
             SELECT id, 'record', {}, {}, {} FROM workspaces WHERE slug = {}",
            quoted(&"record-1/".repeat(22)),
            quoted(&world.name("Record 1")),
            world.app.clock.now_ms(),
            quoted(world.base.trim_start_matches("/w/"))
        ))
        .await;
    hang.page("resources", 200, world.developer.get(&base).await);
    hang.page("resources-of-type", 200, world.owner.get(&format!("{base}?type=site")).await);
    hang.page("resources-none", 200, world.owner.get(&format!("{base}?q=nothing+at+all")).await);
    hang.page("resources-refused", 422, world.owner.get(&format!("{base}?type=Sites:all")).await);
}

/// The keys of the account of the demo, which [`api_keys`] left in every state.
async fn account_keys(world: &World, hang: &mut Hang, account: &str) {
    let (app, owner) = (&world.app, &world.owner);
    let base = format!("{account}/api-keys");
    hang.page("account-keys", 200, owner.get(&base).await);
    hang.page("account-keys-none", 200, owner.get(&format!("{base}?q=nobody+at+all")).await);
    hang.page("account-keys-refused", 422, owner.get(&format!("{base}?after=00")).await);
    let page = owner.get(&format!("{base}/new")).await;
    let wrong = [("name", ""), ("expiry", "date"), ("expires_at", "2020-01-01")];
    hang.page("account-key-new-refused", 422, owner.submit(&page, &base, &wrong).await);
    hang.page("account-key-new", 200, page.clone());
    let name = world.name("Provisioning");
    let fields = [("name", name.as_str()), ("administers", "yes")];
    hang.page("account-key-made", 200, owner.submit(&page, &base, &fields).await);
    let newest = app.scalar_uuid("SELECT id FROM api_keys ORDER BY created_at DESC LIMIT 1").await;
    let key = format!("{base}/{newest}");
    let page = owner.get(&key).await;
    hang.page("account-key-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
    hang.page("account-key-waiting", 200, page.clone());
    hang.page("account-key-rotated", 200, owner.submit(&page, "/rotation", &[]).await);
    hang.page("account-key-stale", 409, owner.submit(&page, "/rotation", &[]).await);
    hang.page("account-key-revocation-waiting", 200, owner.get(&format!("{key}/revocation")).await);
    let member =
        "SELECT m.api_key_id FROM members m JOIN api_keys k ON k.id = m.api_key_id WHERE k.revoked_at IS";
    let member = app.scalar_uuid(&format!("{member} NULL ORDER BY k.created_at LIMIT 1")).await;
    let in_use = format!("{base}/{member}");
    hang.page("account-key", 200, owner.get(&in_use).await);
    hang.page("account-key-revocation", 200, owner.get(&format!("{in_use}/revocation")).await);
    let rotation = [("overlap", "0"), ("version", "0-test")];
    hang.page(
        "account-key-in-workspaces",
        403,
        owner.post_form(&format!("{in_use}/rotation"), &rotation).await,
    );
    owner.post_form(&format!("{key}/revocation"), &[]).await.assert_status(303);
    hang.page("account-key-revoked", 200, owner.get(&key).await);
    hang.page("account-key-over", 409, owner.get(&format!("{key}/revocation")).await);
}

/// The account of the demo, which gets a second workspace, and that of a founder who is alone.
async fn accounts(world: &World, hang: &mut Hang) {
    let (app, owner, founder) = (&world.app, &world.owner, &world.founder.client);
    let base = |id: uuid::Uuid| format!("/a/{id}");
    let slug = world.base.trim_start_matches("/w/");
    let account = base(crate::world::account_id(app, slug).await);
    let user = async |role: &str| {
        let sql = format!("SELECT user_id FROM members WHERE id = {}", app.id(world.members[role]));
        app.scalar_uuid(&sql).await
    };
    let (oneself, other) = (user("owner").await, user("admin").await);
    let people = format!("{account}/people");
    hang.page("account-people", 200, owner.get(&people).await);
    owner.post_form(&format!("{people}/{other}/admin"), &[("admin", "yes")]).await.assert_status(303);
    let page = owner.get(&people).await;
    // Who left the demo belongs to the account still.
    hang.page("account-removal", 200, owner.get(&page.link("/removal")).await);
    hang.page("account-people-changed", 200, page);
    hang.opened("account-people-menu", "account-people-changed", &["td details.dropdown > summary"]);
    hang.page("account-people-none", 200, owner.get(&format!("{people}?q=nobody+at+all")).await);
    hang.page("account-people-refused", 422, owner.get(&format!("{people}?show=kings")).await);
    hang.page("account-admin", 200, owner.get(&format!("{people}/{oneself}/admin")).await);
    hang.page("account-in-workspaces", 409, owner.get(&format!("{people}/{other}/removal")).await);
    hang.page("account-nobody", 404, owner.get(&format!("{people}/{}/removal", uuid::Uuid::nil())).await);

    account_keys(world, hang, &account).await;

    let id = account.trim_start_matches("/a/");
    let name = world.name("Second workspace");
    let fields = [("name", name.as_str()), ("slug", "second"), ("account", id)];
    owner.post_form("/workspaces", &fields).await.assert_status(303);
    let page = owner.get(&account).await;
    hang.page("account-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
    hang.page("account", 200, page);
    hang.page("account-not-admin", 403, world.viewer.get(&account).await);
    hang.page("workspaces-of-account", 200, owner.get(&format!("/workspaces?account={id}")).await);

    let path = "/w/second/members/new";
    let page = owner.get(path).await;
    hang.page("member-new", 200, page.clone());
    hang.opened("member-new-chosen", "member-new", &["input[type=radio][name=user]"]);
    hang.page("member-new-none", 200, owner.get(&format!("{path}?q=nobody+at+all")).await);
    hang.page("member-new-refused", 422, owner.submit(&page, "/w/second/members", &[]).await);
    let whom = page.attributes("input[type=radio][name=user]", "value").remove(0);
    let added = submit(owner, &page, "/w/second/members", &[("user", &whom)]).await;
    hang.page("members-added", 200, added);
    let already = owner.submit(&page, "/w/second/members", &[("user", &whom)]).await;
    hang.page("member-new-already", 409, already);

    let alone = base(crate::world::account_id(app, "acme").await);
    hang.page("account-alone", 200, founder.get(&alone).await);
    hang.page("account-keys-empty", 200, founder.get(&format!("{alone}/api-keys")).await);
    hang.page("account-last-admin", 409, {
        founder.get(&format!("{alone}/people/{}/admin", world.founder.user_id)).await
    });
    hang.page("member-new-everybody", 200, founder.get("/w/acme/members/new").await);
    founder.post_form("/w/acme/organization/deletion", &[("confirm", "acme")]).await;
    hang.page("account-empty", 200, founder.get(&alone).await);
}

/// A founder who is alone.
async fn empty_workspace(world: &World, hang: &mut Hang) {
    let founder = &world.founder.client;
    for (name, rest) in [
        ("empty-overview", ""),
        ("empty-members", "/members"),
        ("empty-invitations", "/invitations"),
        ("empty-activity", "/activity"),
        ("empty-teams", "/teams"),
        ("empty-api-keys", "/api-keys"),
        ("empty-resources", "/resources"),
        ("empty-departure", "/departure"),
        ("empty-member", &format!("/members/{}", world.founder.member_id)),
    ] {
        hang.page(name, 200, founder.get(&format!("/w/acme{rest}")).await);
    }
}

async fn problems(world: &World, hang: &mut Hang) {
    let (owner, viewer, founder) = (&world.owner, &world.viewer, &world.founder);
    hang.page("no-permission", 403, viewer.get(&world.at("/activity")).await);
    let path = format!("{}/suspension", world.member("owner"));
    hang.page("ceiling", 403, world.admin.post_form(&path, &[]).await);
    hang.page("suspended", 403, world.former.get(&world.base).await);
    let elsewhere = owner.with_header("sec-fetch-site", "cross-site");
    hang.page("cross-site", 403, elsewhere.post_form("/me/profile", &[]).await);
    hang.page("nothing-here", 404, owner.get("/w/another/members").await);
    hang.page("wrong-method", 405, owner.request(Method::PUT, "/sign-in", None).await);
    hang.page("last-owner", 409, founder.client.post_form("/w/acme/departure", &[]).await);
    hang.page("wrong-filter", 422, owner.get(&world.at("/members?status=bogus")).await);
    let flood = "x".repeat(2_000_000);
    hang.page("too-large", 413, owner.post_form("/me/profile", &[("name", &flood)]).await);
}

/// Every page under its name, with the files that it needs.
async fn answers(client: &Client, pictures: &[Picture]) -> HashMap<String, Page> {
    let mut all = HashMap::new();
    for picture in pictures {
        for rest in picture.page.html.split("\"/static/").skip(1) {
            let path = format!("/static/{}", rest.split(['"', '#']).next().unwrap());
            if !all.contains_key(&path) {
                all.insert(path.clone(), client.get(&path).await.with_status(200));
            }
        }
        all.insert(format!("/{}", picture.name), picture.page.clone());
    }
    all
}
