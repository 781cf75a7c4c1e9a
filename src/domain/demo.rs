//! Data for a first look: a workspace with four months behind it.
//!
//! It is made by the same functions that requests call, so that it shows what they do, under a clock
//! that starts in the past and is moved on from deed to deed.

use super::{
    Db, Description, Name, Purpose, Refused, Selection, Slug, Token, api_keys,
    db::Sql,
    identity::{self, Password, Person, presence},
    invitations::{self, Batch},
    members, organization,
    paging::Position,
    resources, roles,
    scope::{Asked, Credential, Origin, ReadScope, Via},
    security::{self, Wanted},
    seed::{by_email, insert_person, people, read},
    teams, workspaces,
};
use crate::{
    clock::{DAY, HOUR, MINUTE},
    policy::{Access, BuiltIn, Permission, perm},
};
use std::{collections::HashMap, time::Duration};

/// Of everybody in the demo. It guards nothing that is worth having.
const PASSWORD: &str = "look around the demo";
/// How long before now the demo's clock starts, in milliseconds.
pub const PAST: i64 = 127 * DAY;

/// Everybody who can sign in: the start of the address, and the name.
const PEOPLE: [(&str, &str); 18] = [
    ("owner", "Demo Owner"),
    ("admin", "Demo Admin"),
    ("developer", "Demo Developer"),
    ("billing", "Demo Billing"),
    ("editor", "Demo Editor"),
    ("viewer", "Demo Viewer"),
    ("support", "Demo Support"),
    ("second", "Demo Second Owner"),
    ("former", "Demo Former Member"),
    ("accountant", "Demo Accountant"),
    ("analyst", "Demo Analyst"),
    ("auditor", "Demo Auditor"),
    ("contractor", "Demo Contractor"),
    ("designer", "Demo Designer"),
    ("partner", "Demo Partner"),
    ("tester", "Demo Tester"),
    ("trainee", "Demo Trainee"),
    ("writer", "Demo Writer"),
];

/// What somebody does.
enum Deed {
    Found(&'static str),
    Rename(&'static str),
    /// These people, with these roles.
    Invite(&'static str, &'static [BuiltIn]),
    InviteAgain(&'static str),
    Cancel(&'static str),
    Accept,
    Decline,
    Roles(&'static str, &'static [BuiltIn]),
    /// A role of the workspace's own: its name, what it is for, a permission and other scopes.
    MakeRole(&'static str, &'static str, Permission, &'static str),
    /// One of those for somebody, beside a built-in one.
    RolesOfOwn(&'static str, BuiltIn, &'static str),
    /// A team: its name, what it is for, its people, of whom the first leads it, and its roles.
    Team(&'static str, &'static str, &'static str, &'static [BuiltIn]),
    Suspend(&'static str),
    Reactivate(&'static str),
    Remove(&'static str),
    Leave,
    Permit(Permission, &'static [BuiltIn]),
    /// An API key: its name, its roles, and in how many days it expires; it is used at once.
    Key(&'static str, &'static [BuiltIn], i64),
    /// The key whose secret [`demo`] tells: an Owner, and an admin of the account.
    KnownKey(&'static str),
    /// Registers a resource of an application: its type, its id and its name.
    Register(&'static str, &'static str, &'static str),
    /// Opens the overview.
    Look,
    /// Opens the activity, which few may.
    LookAtActivity,
}

/// How long ago, who, what: the earliest first.
const STORY: &[(i64, &str, Deed)] = {
    use BuiltIn::{Admin, Billing, Developer, Editor, Owner, Support, Viewer};
    use Deed::*;
    &[
        (126 * DAY, "owner", Found("Demo")),
        (126 * DAY - 20 * MINUTE, "owner", Rename("Demo Company")),
        (126 * DAY - HOUR, "owner", Invite("admin", &[Admin])),
        (126 * DAY - 3 * HOUR, "admin", Accept),
        (125 * DAY - 2 * HOUR, "admin", Invite("developer tester", &[Developer])),
        (125 * DAY - 5 * HOUR, "developer", Accept),
        (124 * DAY, "tester", Accept),
        (121 * DAY - HOUR, "owner", Invite("auditor viewer", &[Viewer])),
        (120 * DAY, "auditor", Accept),
        (119 * DAY - 7 * HOUR, "viewer", Accept),
        (112 * DAY, "admin", Invite("billing", &[Billing])),
        (111 * DAY - 4 * HOUR, "billing", Accept),
        (104 * DAY - 3 * HOUR, "auditor", Look),
        (97 * DAY, "owner", Invite("second", &[Developer])),
        (96 * DAY - 6 * HOUR, "second", Accept),
        (90 * DAY, "owner", Roles("second", &[Owner, Developer])),
        (90 * DAY - HOUR, "second", Permit(Permission::ExportData, &[Admin, Billing])),
        (83 * DAY, "second", Invite("editor writer", &[Editor])),
        (82 * DAY - 2 * HOUR, "editor", Accept),
        (80 * DAY, "writer", Accept),
        (75 * DAY, "admin", Invite("former", &[Viewer])),
        (74 * DAY - 5 * HOUR, "former", Accept),
        (70 * DAY, "admin", Invite("contractor", &[Developer])),
        (69 * DAY - 2 * HOUR, "contractor", Accept),
        (61 * DAY - 3 * HOUR, "contractor", LookAtActivity),
        (61 * DAY - 4 * HOUR, "contractor", LookAtActivity),
        (60 * DAY, "owner", Permit(Permission::InviteMembers, &[Admin])),
        (55 * DAY, "admin", Invite("partner", &[Billing])),
        (53 * DAY - HOUR, "partner", Decline),
        (48 * DAY, "admin", Invite("support", &[Support])),
        (47 * DAY - 2 * HOUR, "support", Accept),
        (46 * DAY, "admin", Roles("support", &[Support, Viewer])),
        (41 * DAY, "admin", Suspend("writer")),
        (39 * DAY - 8 * HOUR, "admin", Reactivate("writer")),
        (34 * DAY, "admin", Remove("contractor")),
        (33 * DAY, "owner", Permit(Permission::InviteMembers, &[Admin, Developer])),
        (30 * DAY, "developer", Invite("trainee", &[Viewer])),
        (29 * DAY - 6 * HOUR, "trainee", Accept),
        (26 * DAY, "admin", Invite("designer analyst", &[Editor])),
        (25 * DAY - 3 * HOUR, "designer", Accept),
        (24 * DAY, "admin", Cancel("analyst")),
        (24 * DAY - HOUR, "admin", Invite("analyst", &[Viewer])),
        (23 * DAY, "analyst", Accept),
        (22 * DAY, "developer", Key("Build runner", &[Developer], 90)),
        (22 * DAY - HOUR, "developer", Register("site", "docs", "Documentation")),
        (22 * DAY - HOUR, "developer", Register("site", "www", "Company website")),
        (22 * DAY - HOUR, "developer", Register("pipeline", "nightly", "Nightly build")),
        (20 * DAY, "admin", Invite("first.guest second.guest", &[Viewer])),
        (18 * DAY, "admin", InviteAgain("second.guest")),
        (17 * DAY, "owner", Permit(Permission::ManageApiKeys, &[Admin])),
        (15 * DAY - 2 * HOUR, "admin", Roles("trainee", &[Editor])),
        (14 * DAY, "admin", Invite("accountant", &[Billing])),
        (13 * DAY - 5 * HOUR, "accountant", Accept),
        (12 * DAY, "billing", LookAtActivity),
        (11 * DAY, "second", Permit(Permission::ReadAudit, &[Admin, Billing])),
        (10 * DAY, "billing", LookAtActivity),
        (9 * DAY, "tester", Leave),
        (8 * DAY, "admin", Invite("tester", &[Developer])),
        (7 * DAY - 2 * HOUR, "tester", Accept),
        (
            7 * DAY - 4 * HOUR,
            "owner",
            MakeRole(
                "Release manager",
                "Ships what is done, and watches how it goes.",
                Permission::ReadMembers,
                "deploy:* approve:releases read:builds",
            ),
        ),
        (7 * DAY - 5 * HOUR, "admin", RolesOfOwn("tester", Developer, "release-manager")),
        (6 * DAY + 2 * HOUR, "admin", Invite("new.developer", &[Developer])),
        (
            6 * DAY - 3 * HOUR,
            "owner",
            Team("On call", "Answers when something breaks.", "developer tester writer", &[Support]),
        ),
        (
            6 * DAY - 4 * HOUR,
            "admin",
            Team("Product", "Decides what comes next.", "designer editor developer trainee", &[]),
        ),
        (5 * DAY - HOUR, "admin", Invite("new.viewer", &[Viewer])),
        (5 * DAY - 2 * HOUR, "writer", Look),
        (4 * DAY, "owner", Suspend("former")),
        (3 * DAY, "owner", Permit(Permission::ReadAudit, &[Admin])),
        (3 * DAY - 5 * HOUR, "billing", LookAtActivity),
        (2 * DAY, "admin", Cancel("new.viewer")),
        (30 * HOUR, "analyst", Look),
        (27 * HOUR, "support", Look),
        (22 * HOUR, "viewer", LookAtActivity),
        (20 * HOUR, "accountant", Look),
        (6 * HOUR, "editor", Look),
        (5 * HOUR, "developer", Invite("new.tester", &[Viewer])),
        (3 * HOUR, "trainee", Look),
        (95 * MINUTE, "designer", Look),
        (70 * MINUTE, "owner", KnownKey("Key of the demo")),
        (50 * MINUTE, "admin", Invite("new.editor", &[Editor])),
        (12 * MINUTE, "second", Look),
        (4 * MINUTE, "owner", Permit(Permission::ManageApiKeys, &[Admin, Developer])),
    ]
};

/// Fills an empty database. Answers how to sign in. A database that holds the demo already is left
/// as it is. The clock must be one that can be moved, at [`PAST`] before now.
///
/// # Errors
/// [`Refused::NotAllowed`] where the database holds something else.
pub async fn demo(db: &Db) -> Result<String, Refused> {
    let slug = read(Slug::parse("demo"))?;
    if !workspaces::slug_is_free(db.read(), &slug).await? {
        return welcome(db).await;
    }
    if people(db).await? > 0 {
        return Err(Refused::NotAllowed(
            "the demo wants an empty database: name one with BAILIWICK_DATABASE_URL, such as sqlite://data/demo.db",
        ));
    }
    let hash = db.passwords().hash(&Password::parse(PASSWORD, &[]).map_err(Refused::NotAllowed)?).await?;
    let tx = db.begin().await?;
    for (who, name) in PEOPLE {
        insert_person(&tx, name, &email(who), &hash, db.now_ms()).await?;
    }
    tx.commit().await?;
    let mut demo = Demo { db, slug, links: HashMap::new() };
    let now = db.now_ms() + PAST;
    for (ago, who, deed) in STORY {
        let wait = u64::try_from(now - ago - db.now_ms()).unwrap_or(0);
        db.clock().advance(Duration::from_millis(wait));
        demo.act(who, deed).await?;
    }
    presence::flush(db).await?;
    // Nobody reads mail at these addresses.
    let tx = db.begin().await?;
    tx.run("DELETE FROM outbox", Vec::new()).await?;
    tx.commit().await?;
    welcome(db).await
}

fn email(who: &str) -> String {
    format!("{who}@example.com")
}

fn slugs(roles: &[BuiltIn]) -> Vec<String> {
    roles.iter().map(|role| role.slug().to_owned()).collect()
}

struct Demo<'a> {
    db: &'a Db,
    slug: Slug,
    /// The link of each address that was invited.
    links: HashMap<String, String>,
}

/// Somebody who is signed in, as by a browser.
struct Visitor<'a> {
    demo: &'a Demo<'a>,
    person: Person,
    credential: Credential,
    origin: Origin,
}

impl Visitor<'_> {
    async fn admit<P: Access>(&self) -> Result<ReadScope<P>, Refused> {
        let (db, slug) = (self.demo.db, self.demo.slug.as_str());
        ReadScope::admit(db, self.credential.clone(), Asked::BySlug(slug), self.origin.clone()).await
    }

    async fn member(&self, who: &str) -> Result<uuid::Uuid, Refused> {
        let sql = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = $1";
        by_email(self.demo.db, sql, &email(who)).await
    }

    async fn invitation(&self, who: &str) -> Result<uuid::Uuid, Refused> {
        let sql = "SELECT id FROM invitations WHERE email = $1 AND status = 'pending'";
        by_email(self.demo.db, sql, &email(who)).await
    }

    fn token(&self) -> Result<Token, Refused> {
        let link = self.demo.links.get(&self.person.email).map_or("", String::as_str);
        let secret = link.rsplit('/').next().unwrap_or_default();
        Token::parse(super::Purpose::Invitation, secret).ok_or(Refused::Hidden)
    }
}

impl Demo<'_> {
    async fn act(&mut self, who: &str, deed: &Deed) -> Result<(), Refused> {
        let origin = origin(who);
        let token = identity::sign_in(self.db, &email(who), PASSWORD, None, &origin).await?;
        let credential = Credential::of_session(&token);
        let person = identity::who(self.db, &credential).await?;
        let visitor = Visitor { demo: self, person, credential, origin };
        let invited = visitor.does(deed).await?;
        identity::sign_out(self.db, &visitor.person, &visitor.origin).await?;
        self.links.extend(invited);
        Ok(())
    }
}

impl Visitor<'_> {
    /// Answers the addresses that were invited, with their links.
    async fn does(&self, deed: &Deed) -> Result<Vec<(String, String)>, Refused> {
        let (db, slug) = (self.demo.db, &self.demo.slug);
        match *deed {
            Deed::Found(name) => {
                let name = read(Name::parse(name))?;
                workspaces::create(db, &self.person, None, &name, slug, &self.origin).await?;
            }
            Deed::Rename(name) => {
                let name = read(Name::parse(name))?;
                let scope = self.admit::<perm::UpdateOrganization>().await?;
                scope.write(async |s| organization::update(s, &name, slug).await).await?;
            }
            Deed::Invite(whom, roles) => {
                let emails: Vec<String> = whom.split(' ').map(email).collect();
                let message = read(super::Message::parse("Welcome to the demo."))?;
                let batch = Batch { emails: emails.join(" "), roles: slugs(roles), message };
                return Ok(links(invitations::send(self.admit().await?, batch).await?));
            }
            Deed::InviteAgain(whom) => {
                let id = self.invitation(whom).await?;
                return Ok(links(vec![invitations::resend(self.admit().await?, id).await?]));
            }
            Deed::Cancel(whom) => {
                let id = self.invitation(whom).await?;
                self.admit().await?.write(async |s| invitations::cancel(s, id).await).await?;
            }
            Deed::Accept => {
                invitations::accept(db, &self.person, &self.token()?, &self.origin).await?;
                self.admit::<perm::Membership>().await?;
            }
            Deed::Decline => {
                invitations::decline(db, Some(&self.person), &self.token()?, &self.origin).await?;
            }
            Deed::Roles(whom, roles) => {
                let (id, roles) = (self.member(whom).await?, slugs(roles));
                self.admit().await?.write(async |s| members::change_roles(s, id, &roles).await).await?;
            }
            Deed::MakeRole(name, description, permission, scopes) => {
                let (name, description) = (read(Name::parse(name))?, read(Description::parse(description))?);
                let named = roles::Named { name, description };
                let scopes = roles::Bundle::read(&[permission.scope().to_owned()], scopes)?;
                self.admit().await?.write(async |s| roles::create(s, &named, &scopes).await).await?;
            }
            Deed::RolesOfOwn(whom, role, own) => {
                let (id, roles) = (self.member(whom).await?, [role.slug().to_owned(), own.to_string()]);
                self.admit().await?.write(async |s| members::change_roles(s, id, &roles).await).await?;
            }
            Deed::Team(name, description, people, roles) => {
                let (name, description) = (read(Name::parse(name))?, read(Description::parse(description))?);
                let scope = self.admit().await?;
                let id = scope.write(async |s| teams::create(s, &name, &description).await).await?;
                let mut ids = Vec::new();
                for who in people.split(' ') {
                    ids.push(self.member(who).await?);
                }
                let selection = Selection::of("member", &ids)?;
                self.admit().await?.write(async |s| teams::add(s, id, &selection).await).await?;
                if let Some(lead) = ids.first() {
                    self.admit().await?.write(async |s| teams::appoint(s, id, *lead, true).await).await?;
                }
                let version = teams::look(&self.admit().await?, id, &Position::First).await?.version;
                let wanted = teams::Wanted { roles: slugs(roles), version };
                self.admit().await?.write(async |s| teams::set_roles(s, id, &wanted).await).await?;
            }
            Deed::Suspend(whom) => {
                let id = self.member(whom).await?;
                self.admit().await?.write(async |s| members::suspend(s, id).await).await?;
            }
            Deed::Reactivate(whom) => {
                let id = self.member(whom).await?;
                self.admit().await?.write(async |s| members::reactivate(s, id).await).await?;
            }
            Deed::Remove(whom) => {
                let id = self.member(whom).await?;
                self.admit().await?.write(async |s| members::remove(s, id).await).await?;
            }
            Deed::Leave => self.admit().await?.write(async |s| members::leave(s).await).await?,
            Deed::Permit(permission, roles) => {
                let rows = security::matrix(&self.admit().await?).await?;
                let row = rows.into_iter().find(|row| row.permission == permission).ok_or(Refused::Hidden)?;
                let wanted =
                    Wanted { permission, roles: slugs(roles), version: row.version, confirmed: false };
                self.admit().await?.write(async |s| security::set(s, &wanted).await).await?;
            }
            Deed::Key(name, roles, days) => {
                let made = self.key(name, roles, Some(db.now_ms() + days * DAY), false).await?;
                self.uses(&made.secret).await?;
            }
            Deed::KnownKey(name) => {
                let made = self.key(name, &[BuiltIn::Owner], None, true).await?;
                let (secret, tx) = (secret(), db.begin().await?);
                tx.run("DELETE FROM api_key_secrets WHERE api_key_id = $1", vec![made.id.into()]).await?;
                api_keys::keep_secret(&tx, made.id, &secret, db.now_ms()).await?;
                tx.commit().await?;
                self.uses(&secret).await?;
            }
            Deed::Register(kind, id, name) => {
                let (address, name) = (resources::Address::parse(kind, id)?, read(Name::parse(name))?);
                self.admit().await?.write(async |s| resources::register(s, &address, &name).await).await?;
            }
            Deed::Look => drop(self.admit::<perm::Membership>().await?),
            // For most it is refused, so that the record shows what that looks like.
            Deed::LookAtActivity => {
                self.admit::<perm::Membership>().await?;
                drop(self.admit::<perm::ReadAudit>().await);
            }
        }
        Ok(Vec::new())
    }
}

impl Visitor<'_> {
    async fn key(
        &self,
        name: &str,
        roles: &[BuiltIn],
        expires_at: Option<i64>,
        is_admin: bool,
    ) -> Result<api_keys::Made, Refused> {
        let wanted =
            api_keys::Wanted { name: read(Name::parse(name))?, roles: slugs(roles), expires_at, is_admin };
        self.admit().await?.write(async |s| api_keys::create(s, &wanted).await).await
    }

    /// A service comes in with a key.
    async fn uses(&self, secret: &Token) -> Result<(), Refused> {
        let origin = Origin { via: Via::Api, user_agent: "curl/8.14.1".to_owned(), ..self.origin.clone() };
        let credential = Credential::of_api_key(secret);
        ReadScope::<perm::Membership>::admit(self.demo.db, credential, Asked::Home, origin).await.map(drop)
    }
}

/// The one secret of the demo that is told again each time: it guards nothing, as the password.
fn secret() -> Token {
    Token::known(Purpose::ApiKey, PASSWORD)
}

fn links(sent: Vec<invitations::Sent>) -> Vec<(String, String)> {
    let link = |sent: invitations::Sent| match sent.outcome {
        invitations::Outcome::Sent { link } => Some((sent.email, link)),
        _ => None,
    };
    sent.into_iter().filter_map(link).collect()
}

/// A browser at an address that is kept for examples (RFC 5737), always the same for one person.
fn origin(who: &str) -> Origin {
    let number = PEOPLE.iter().position(|(known, _)| *known == who).unwrap_or(0);
    let user_agent = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
    ][number % 3];
    Origin {
        via: Via::Browser,
        address: format!("192.0.2.{}", number + 10),
        user_agent: user_agent.to_owned(),
        route: "GET /w/{workspace}/activity".to_owned(),
        attempt: None,
    }
}

async fn welcome(db: &Db) -> Result<String, Refused> {
    let mut text = String::from("Sign in to the demo as any of these:\n\n");
    for role in BuiltIn::ALL {
        text.push_str(&format!("  {:<24} {}\n", email(role.slug()), role.name()));
    }
    text.push_str(
        "  second@example.com       Owner and Developer\n  former@example.com       Viewer, suspended\n",
    );
    text.push_str(&format!("\nTheir password: {PASSWORD}\n"));
    let user = by_email(db, "SELECT id FROM users WHERE email = $1", &email("viewer")).await?;
    let secret = secret();
    text.push_str(&format!(
        "\nAn API key of it, an Owner, and an admin of the account. It is the same wherever the demo runs, so \
        it is for trying only:\n\n  {}\n\nTo try the API:\n{}",
        secret.expose(),
        COMMANDS
            .replace("TOKEN", secret.expose())
            .replace("USER_ID", &user.to_string())
            .replace("http://localhost:8000", db.public_url())
    ));
    Ok(text)
}

/// Makes a workspace, makes a role, and gives roles to somebody.
const COMMANDS: &str = r#"
curl -X POST http://localhost:8000/api/sso/v1/workspaces \
  -H "Authorization: Bearer TOKEN" \
  -d '{"name": "Engineering", "slug": "engineering"}'

curl -X POST http://localhost:8000/api/sso/v1/roles \
  -H "Authorization: Bearer TOKEN" \
  -d '{
    "name": "Developer",
    "slug": "developer",
    "scopes": ["read:code", "write:code", "deploy:staging"]
  }'

curl -X PATCH http://localhost:8000/api/sso/v1/users/USER_ID \
  -H "Authorization: Bearer TOKEN" \
  -d '{"roles": ["developer", "viewer"]}'
"#;
