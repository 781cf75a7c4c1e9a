//! The actions of the people in the demo, each done as by a request.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event_groups::EventGroups,
            paging::Position,
            principal::{Channel, Credential, Origin, Person},
            refused::Refused,
            selection::Selection,
            text_rule::TextRule,
            tokens::Token,
            values::{Description, Message, Name, Slug, Title},
        },
        demo::{
            deliveries as received,
            people::{PASSWORD, PEOPLE, email, secret},
        },
        enforce::{read::ReadScope, workspace::admission::WorkspaceSelector},
        nouns::{
            api_keys,
            deliveries::{
                path::EventPath,
                settings::{self, EventSettings},
            },
            destinations::{
                self, Change, HostPattern,
                credential::{self, NewCredential},
                credential_text::{CredentialHeader, CredentialValue},
                senders::{self, SendersChange},
            },
            identity,
            invitations::{self, Batch},
            members,
            organization::{self, OrganizationChange},
            resources::{self, owners::NewOwner},
            roles,
            security::{self, PermissionChange},
            teams, workspaces,
        },
        seed::{by_email, read},
    },
    policy::{Access, BuiltIn, Permission, Setup, perm},
};
use std::collections::HashMap;
use uuid::Uuid;

/// An action of a person in the demo.
pub(in crate::domain) enum DemoAction {
    CreateWorkspace(&'static str),
    Rename(&'static str),
    /// These people, with these roles.
    Invite(&'static str, &'static [BuiltIn]),
    InviteAgain(&'static str),
    Cancel(&'static str),
    Accept,
    Decline,
    Roles(&'static str, &'static [BuiltIn]),
    /// A role of the workspace's own: its name, what it is for, a permission and other scopes.
    CreateRole(&'static str, &'static str, Permission, &'static str),
    /// Assigns a role of the workspace's own to a member, beside a built-in one.
    AssignCustomRole(&'static str, BuiltIn, &'static str),
    /// A team: its name, what it is for, its people, of whom the first leads it, and its roles.
    Team(&'static str, &'static str, &'static str, &'static [BuiltIn]),
    Suspend(&'static str),
    Reactivate(&'static str),
    Remove(&'static str),
    Leave,
    Permit(Permission, &'static [BuiltIn]),
    /// An API key: its name, its roles, and in how many days it expires; it is used at once.
    Key(&'static str, &'static [BuiltIn], i64),
    /// The key whose secret [`demo()`](crate::domain::demo::demo) prints: an Owner, and an admin of the account.
    KnownKey(&'static str),
    /// Registers a resource of an application: its type, its id and its name.
    Register(&'static str, &'static str, &'static str),
    /// Adds a destination: its host and what it is for.
    Destination(&'static str, &'static str),
    /// Stores the credential of a destination in this header, and narrows who may send to these roles.
    Protect(&'static str, &'static str, &'static [BuiltIn]),
    /// Pauses a destination.
    PauseDestination(&'static str),
    /// Turns on events for a destination: its path, and which ones.
    SendEvents(&'static str, &'static str, &'static str),
    /// Opens the overview.
    ViewOverview,
    /// Opens Activity, which most people of the demo may not see.
    ViewActivity,
}

fn slugs(roles: &[BuiltIn]) -> Vec<String> {
    roles.iter().map(|role| role.slug().to_owned()).collect()
}

pub(in crate::domain) struct Demo<'a> {
    pub(super) db: &'a Db,
    pub(super) slug: Slug,
    /// The link of each address that was invited.
    pub(super) links: HashMap<String, String>,
}

/// A person who is signed in, as in a browser.
struct Visitor<'a> {
    demo: &'a Demo<'a>,
    person: Person,
    credential: Credential,
    origin: Origin,
}

impl Visitor<'_> {
    async fn admit<P: Access>(&self) -> Result<ReadScope<P>, Refused> {
        let (db, slug) = (self.demo.db, self.demo.slug.as_str());
        ReadScope::admit(db, self.credential.clone(), WorkspaceSelector::BySlug(slug), self.origin.clone())
            .await
    }

    async fn member(&self, who: &str) -> Result<Uuid, Refused> {
        let sql = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = $1";
        by_email(self.demo.db, sql, &email(who)).await
    }

    async fn invitation(&self, who: &str) -> Result<Uuid, Refused> {
        let sql = "SELECT id FROM invitations WHERE email = $1 AND status = 'pending'";
        by_email(self.demo.db, sql, &email(who)).await
    }

    async fn destination(&self, host: &str) -> Result<Uuid, Refused> {
        by_email(self.demo.db, "SELECT id FROM destinations WHERE host = $1", host).await
    }

    async fn protect(&self, host: &str, header: &str, roles: &[BuiltIn]) -> Result<(), Refused> {
        let id = self.destination(host).await?;
        let new = NewCredential {
            header: read(CredentialHeader::parse(header))?,
            value: read(CredentialValue::parse("Bearer made-up"))?,
            keep_previous: 0,
        };
        let scope = self.admit::<perm::ManageDestinations>().await?;
        scope.write(async |s| credential::set(s, id, &new).await).await?;
        let change = SendersChange { is_restricted: true, roles: slugs(roles), keys: Vec::new() };
        let scope = self.admit::<perm::ManageDestinations>().await?;
        scope.write(async |s| senders::set(s, id, &change, None).await).await?;
        Ok(())
    }

    fn token(&self) -> Result<Token, Refused> {
        let link = self.demo.links.get(&self.person.email).map_or("", String::as_str);
        let secret = link.rsplit('/').next().unwrap_or_default();
        Token::parse(crate::domain::base::tokens::Purpose::Invitation, secret).ok_or(Refused::NotFound)
    }
}

impl Demo<'_> {
    pub(super) async fn run(&mut self, who: &str, action: &DemoAction) -> Result<(), Refused> {
        let origin = origin(who);
        let email = email(who);
        let form = identity::SignIn { email: &email, password: PASSWORD, previous: None, browser: None };
        let token = identity::sign_in(self.db, &form, &origin).await?;
        let credential = Credential::of_session(&token);
        let person = identity::authenticate(self.db, &credential).await?;
        let visitor = Visitor { demo: self, person, credential, origin };
        let invited = visitor.perform(action).await?;
        identity::sign_out(self.db, &visitor.person, &visitor.origin).await?;
        self.links.extend(invited);
        Ok(())
    }
}

impl Visitor<'_> {
    /// Returns the addresses that were invited, with their links.
    async fn perform(&self, action: &DemoAction) -> Result<Vec<(String, String)>, Refused> {
        let (db, slug) = (self.demo.db, &self.demo.slug);
        match *action {
            DemoAction::CreateWorkspace(name) => {
                let name = read(Name::parse(name))?;
                workspaces::create(db, &self.person, None, &name, slug, Setup::Usual, &self.origin).await?;
            }
            DemoAction::Rename(name) => {
                let name = read(Name::parse(name))?;
                let scope = self.admit::<perm::UpdateOrganization>().await?;
                let change = OrganizationChange { name, slug: slug.clone(), owner_idle: None };
                scope.write(async |s| organization::update(s, &change).await).await?;
            }
            DemoAction::Invite(whom, roles) => {
                return self.invite(whom, roles).await;
            }
            DemoAction::InviteAgain(whom) => {
                let id = self.invitation(whom).await?;
                return Ok(links(vec![invitations::resend(self.admit().await?, id).await?]));
            }
            DemoAction::Cancel(whom) => {
                let id = self.invitation(whom).await?;
                self.admit().await?.write(async |s| invitations::cancel(s, id).await).await?;
            }
            DemoAction::Accept => {
                invitations::accept(db, &self.person, &self.token()?, &self.origin).await?;
                self.admit::<perm::Membership>().await?;
            }
            DemoAction::Decline => {
                invitations::decline(db, Some(&self.person), &self.token()?, &self.origin).await?;
            }
            DemoAction::Roles(whom, roles) => {
                let (id, roles) = (self.member(whom).await?, slugs(roles));
                self.admit().await?.write(async |s| members::change_roles(s, id, &roles).await).await?;
            }
            DemoAction::CreateRole(name, description, permission, scopes) => {
                let named = roles::RoleDetails {
                    name: read(Name::parse(name))?,
                    description: read(Description::parse(description))?,
                };
                let scopes = roles::ScopeSet::read(&[permission.scope().to_owned()], scopes)?;
                self.admit().await?.write(async |s| roles::create(s, &named, &scopes).await).await?;
            }
            DemoAction::AssignCustomRole(whom, role, own) => {
                let (id, roles) = (self.member(whom).await?, [role.slug().to_owned(), own.to_string()]);
                self.admit().await?.write(async |s| members::change_roles(s, id, &roles).await).await?;
            }
            DemoAction::Team(name, description, people, roles) => {
                let id = self.create_team(name, description, people).await?;
                let version = teams::get(&self.admit().await?, id, &Position::FIRST).await?.version;
                let requested = teams::TeamRolesChange { roles: slugs(roles), version };
                self.admit().await?.write(async |s| teams::set_roles(s, id, &requested).await).await?;
            }
            DemoAction::Suspend(whom) => {
                let id = self.member(whom).await?;
                self.admit().await?.write(async |s| members::suspend(s, id).await).await?;
            }
            DemoAction::Reactivate(whom) => {
                let id = self.member(whom).await?;
                self.admit().await?.write(async |s| members::reactivate(s, id).await).await?;
            }
            DemoAction::Remove(whom) => {
                let id = self.member(whom).await?;
                self.admit().await?.write(async |s| members::remove(s, id).await).await?;
            }
            DemoAction::Leave => self.admit().await?.write(async |s| members::leave(s).await).await?,
            DemoAction::Permit(permission, roles) => {
                self.permit(permission, roles).await?;
            }
            DemoAction::Key(name, roles, days) => {
                let created = self.key(name, roles, Some(db.now() + days * DAY), false).await?;
                self.uses(&created.secret).await?;
            }
            DemoAction::KnownKey(name) => self.uses(&self.create_known_key(name).await?).await?,
            DemoAction::Destination(host, description) => {
                let host = read(HostPattern::parse_ticked(host, host.starts_with("*.")))?;
                let description = read(Description::parse(description))?;
                let scope = self.admit::<perm::ManageDestinations>().await?;
                scope.write(async |s| destinations::add(s, &host, &description).await).await?;
            }
            DemoAction::Protect(host, header, roles) => self.protect(host, header, roles).await?,
            DemoAction::PauseDestination(host) => {
                let id = self.destination(host).await?;
                let change = Change { is_paused: Some(true), ..Change::default() };
                let scope = self.admit::<perm::ManageDestinations>().await?;
                scope.write(async |s| destinations::update(s, id, &change).await).await?;
            }
            DemoAction::SendEvents(host, path, groups) => {
                let id = self.destination(host).await?;
                let words: Vec<String> = groups.split(' ').map(str::to_owned).collect();
                let new = EventSettings {
                    path: read(EventPath::parse(path))?,
                    groups: EventGroups::chosen(&words)?,
                };
                let scope = self.admit::<perm::ManageDestinations>().await?;
                scope.write(async |s| settings::set(s, id, &new).await).await?;
                received::hold(db, id).await?;
            }
            DemoAction::Register(kind, id, name) => {
                let (address, name) = (resources::ResourceKey::parse(kind, id)?, read(Title::parse(name))?);
                let owner = NewOwner::Unchanged;
                let scope = self.admit().await?;
                scope.write(async |s| resources::register(s, &address, &name, &owner).await).await?;
            }
            DemoAction::ViewOverview => drop(self.admit::<perm::Membership>().await?),
            // Refused for most of them, so that the record has an example of a refusal.
            DemoAction::ViewActivity => {
                self.admit::<perm::Membership>().await?;
                drop(self.admit::<perm::ReadAudit>().await);
            }
        }
        Ok(Vec::new())
    }
}

impl Visitor<'_> {
    async fn invite(&self, whom: &str, roles: &[BuiltIn]) -> Result<Vec<(String, String)>, Refused> {
        let emails: Vec<String> = whom.split(' ').map(email).collect();
        let message = read(Message::parse("Welcome to the demo."))?;
        let batch = Batch {
            emails: emails.join(" "),
            roles: slugs(roles),
            teams: Vec::new(),
            message,
            access_until: None,
        };
        Ok(links(invitations::send(self.admit().await?, batch).await?.each))
    }

    /// The first of the people leads the team.
    async fn create_team(&self, name: &str, description: &str, people: &str) -> Result<Uuid, Refused> {
        let (name, description) = (read(Name::parse(name))?, read(Description::parse(description))?);
        let id = self.admit().await?.write(async |s| teams::create(s, &name, &description).await).await?;
        let mut ids = Vec::new();
        for who in people.split(' ') {
            ids.push(self.member(who).await?);
        }
        let selection = Selection::of("member", &ids)?;
        self.admit().await?.write(async |s| teams::add(s, id, &selection).await).await?;
        if let Some(lead) = ids.first() {
            self.admit().await?.write(async |s| teams::appoint(s, id, *lead, true).await).await?;
        }
        Ok(id)
    }

    async fn permit(&self, permission: Permission, roles: &[BuiltIn]) -> Result<(), Refused> {
        let rows = security::matrix(&self.admit().await?).await?;
        let row = rows.into_iter().find(|row| row.permission == permission).ok_or(Refused::NotFound)?;
        let requested =
            PermissionChange { permission, roles: slugs(roles), version: row.version, confirmed: false };
        self.admit().await?.write(async |s| security::set(s, &requested).await).await.map(drop)
    }

    /// Creates a key with the secret that the program prints.
    async fn create_known_key(&self, name: &str) -> Result<Token, Refused> {
        let db = self.demo.db;
        let created = self.key(name, &[BuiltIn::Owner], None, true).await?;
        let (secret, tx) = (secret(), db.begin().await?);
        api_keys::replace_hash(&tx, created.id, &secret).await?;
        tx.commit().await?;
        Ok(secret)
    }

    async fn key(
        &self,
        name: &str,
        roles: &[BuiltIn],
        expires_at: Option<Timestamp>,
        is_admin: bool,
    ) -> Result<api_keys::CreatedKey, Refused> {
        let requested = api_keys::NewApiKey {
            name: read(Name::parse(name))?,
            roles: slugs(roles),
            expires_at,
            is_admin,
            home: None,
            only_scope: None,
            requests: None,
        };
        self.admit().await?.write(async |s| api_keys::create(s, &requested).await).await
    }

    /// Authenticates a service by its key.
    async fn uses(&self, secret: &Token) -> Result<(), Refused> {
        let origin =
            Origin { via: Channel::Api, user_agent: "curl/8.14.1".to_owned(), ..self.origin.clone() };
        let credential = Credential::of_api_key(secret);
        ReadScope::<perm::Membership>::admit(self.demo.db, credential, WorkspaceSelector::Home, origin)
            .await
            .map(drop)
    }
}

fn links(sent: Vec<invitations::Sent>) -> Vec<(String, String)> {
    let link = |sent: invitations::Sent| match sent.outcome {
        invitations::Outcome::Sent { link } | invitations::Outcome::NotMailed { link } => {
            Some((sent.email, link))
        }
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
        via: Channel::Browser,
        address: format!("192.0.2.{}", number + 10),
        user_agent: user_agent.to_owned(),
        route: "GET /w/{workspace}/activity".to_owned(),
        attempt: None,
    }
}
