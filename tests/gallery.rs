//! Every page in every state that people come to, each saved as it was answered. `pages.rs` looks at
//! them all in a browser; `bin/screenshots` takes their pictures.
//!
//! A new page or state is one line in its noun's file: `pictures.add("name", 200, owner.get("/w/…").await);`

use crate::support::product::{Clock, Config, Db, demo, seed};
use crate::support::*;
use crate::{nouns, world::account_id};
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
    let demo = Demo::build(names).await;
    let mut pictures = Pictures { all: Vec::new() };
    for noun in nouns::ALL {
        noun.pictures(&demo, &mut pictures).await;
    }
    for noun in nouns::ALL {
        noun.pictures_of_changes(&demo, &mut pictures).await;
    }
    println!("gallery: {} pictures", pictures.all.len());
    let answers = answers(&demo.app.client(), &pictures.all).await;
    Gallery { pictures: pictures.all, answers: Arc::new(answers) }
}

/// What the nouns hang, one after the other.
pub struct Pictures {
    all: Vec<Picture>,
}

impl Pictures {
    /// A page as it was answered, under a name of its own.
    #[track_caller]
    pub fn add(&mut self, name: &'static str, status: u16, page: Page) {
        assert_eq!(page.status.as_u16(), status, "{name} is {}:\n{}", page.path(), page.text());
        let is_new = self.all.iter().all(|picture| picture.name != name);
        assert!(is_new, "two pages of the gallery are called {name}");
        self.all.push(Picture { name, page, clicks: &[] });
    }

    /// A page that hangs already, with something on it opened.
    #[track_caller]
    pub fn open(&mut self, name: &'static str, of: &str, clicks: &'static [&'static str]) {
        let page = &self.all.iter().find(|picture| picture.name == of).unwrap().page;
        let page = page.clone();
        self.all.push(Picture { name, page, clicks });
    }
}

/// The demo, the workspace of a founder who is alone, and one with more than a page of people.
pub struct Demo {
    pub app: TestApp,
    pub names: Names,
    /// The path of the demo's workspace.
    pub base: String,
    pub owner: Client,
    pub admin: Client,
    pub developer: Client,
    pub viewer: Client,
    /// Suspended in the demo, and nowhere else a member.
    pub former: Client,
    /// The Owner of many.
    pub busy: Client,
    pub founder: Person,
    /// Members of the demo, by role.
    pub members: HashMap<&'static str, uuid::Uuid>,
}

impl Demo {
    async fn build(names: Names) -> Self {
        let app = TestApp::spawn(Backend::Sqlite).await;
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(app.database.url.clone(), dir.path());
        let past = Clock::manual(app.clock.now() - demo::PAST);
        let db = Db::open(&config, app.url(), past).await.unwrap();
        demo::demo(&db).await.unwrap();
        let size = seed::Size { workspaces: 1, members: 60, events: 60, invitations: 0, keys: 0 };
        seed::seed(&db, &size).await.unwrap();
        db.close().await;
        let founder = new_owner(&app).await;
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
    pub fn name(&self, plain: &str) -> String {
        match self.names {
            Names::Plain => plain.to_owned(),
            Names::Long => "W".repeat(80),
            Names::RightToLeft => "שם לדוגמה (اسم) 7".to_owned(),
        }
    }

    /// What a role is called that is made here: as none is yet.
    pub fn role_name(&self) -> String {
        match self.names {
            Names::Plain => "Incident lead".to_owned(),
            Names::Long => format!("{}M", "W".repeat(79)),
            Names::RightToLeft => "תפקיד לדוגמה (دور) 8".to_owned(),
        }
    }

    pub fn email(&self, plain: &str) -> String {
        if self.names != Names::Long {
            return plain.to_owned();
        }
        // 64 before the sign, 254 in all.
        let start: String = plain.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        format!("{start:w<64}@{0}.{0}.{1}.com", "w".repeat(63), "w".repeat(57))
    }

    pub fn message(&self) -> String {
        if self.names == Names::Long { "W".repeat(1_000) } else { self.name("Welcome to the demo.") }
    }

    pub fn member(&self, role: &str) -> String {
        format!("{}/members/{}", self.base, self.members[role])
    }

    /// The slug of the demo's workspace.
    pub fn slug(&self) -> &str {
        self.base.trim_start_matches("/w/")
    }

    /// The address of the demo's account.
    pub async fn account(&self) -> String {
        format!("/a/{}", account_id(&self.app, self.slug()).await)
    }

    /// Admins may change what roles hold, from here on.
    pub async fn let_admins_edit(&self) {
        let sql = format!(
            "INSERT INTO grants (workspace_id, role_id, scope) SELECT r.workspace_id, r.id, 'update:permissions'
             FROM roles r JOIN workspaces w ON w.id = r.workspace_id WHERE r.slug = 'admin' AND w.slug = {}
             AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.role_id = r.id AND g.scope = 'update:permissions')",
            quoted(self.slug())
        );
        self.app.execute(&sql).await;
    }

    pub fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// Invites somebody to the demo, and gives the mailed link.
    pub async fn link_for(&self, email: &str) -> String {
        let path = self.at("/invitations");
        let page = self.owner.visit(&path).await;
        let message = self.message();
        let fields = [("emails", email), ("role", "viewer"), ("role", "editor"), ("message", &message)];
        self.owner.submit(&page, &path, &fields).await.assert_status(303);
        self.app.mail.wait_for_link(email, "/invitations/").await
    }
}

pub async fn follow(client: &Client, path: &str) -> Page {
    let page = client.get(path).await;
    client.follow(page).await
}

pub async fn submit(client: &Client, page: &Page, which: &str, fields: &[(&str, &str)]) -> Page {
    let page = client.submit(page, which, fields).await;
    client.follow(page).await
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
