//! Two workspaces with everything in them that a request can be about, and the way back to how they
//! were. The matrix, the crawl and the count of statements walk through it.
//!
//! The people of the first one are put in here; what else there is, each noun plants.

mod facts;
mod keep;
mod rows;

pub use facts::*;
pub use keep::*;
pub use rows::*;

use crate::{
    nouns,
    support::{product::BuiltIn, *},
};
use std::collections::BTreeMap;
use uuid::Uuid;

pub const DAY: i64 = 86_400_000;

/// An id that nothing has.
pub const UNKNOWN: Uuid = Uuid::from_u128(0x0190_ffff_ffff_7fff_8fff_ffff_ffff_ffff);

/// The workspace `acme`, with one person for each built-in role, and the workspace `elsewhere`.
pub struct World {
    pub people: Vec<(BuiltIn, Person)>,
    /// An Admin of acme whose membership is suspended.
    pub suspended: Person,
    /// The Owner of elsewhere, no member of acme.
    pub outsider: Person,
    pub acme: Planted,
    pub elsewhere: Planted,
}

/// What is in a workspace: ids and slugs, under the names that its nouns gave them.
pub struct Planted {
    pub slug: &'static str,
    pub id: Uuid,
    pub account: Uuid,
    names: BTreeMap<&'static str, String>,
    /// Of what stands above everybody but an Owner.
    above: BTreeMap<&'static str, String>,
}

/// Where a noun plants: one workspace of the world that is being built.
pub struct Plot<'a> {
    pub app: &'a TestApp,
    pub planted: &'a mut Planted,
    /// The Owner of this workspace.
    pub owner: &'a Person,
    /// People of acme, by their role.
    pub people: &'a [(BuiltIn, Person)],
    /// What is in acme already, where this is the other workspace.
    pub home: Option<&'a Planted>,
}

impl World {
    pub async fn build(app: &TestApp) -> Self {
        let owner = new_owner(app).await;
        let outsider = new_owner_of(app, "Owner Elsewhere", "owner@elsewhere.example.com", "elsewhere").await;
        let mut people = vec![(BuiltIn::Owner, owner)];
        for role in BuiltIn::ALL.into_iter().filter(|role| *role != BuiltIn::Owner) {
            let (name, email) = (format!("{} One", role.name()), format!("{}-one@example.com", role.slug()));
            people.push((role, joined(app, &name, &email, role).await));
        }
        let suspended = joined(app, "Admin Two", "admin-two@example.com", BuiltIn::Admin).await;
        suspend(app, suspended.member_id).await;

        let mut acme = Planted::new(app, "acme").await;
        for noun in nouns::ALL {
            let owner = &people[0].1;
            let mut plot = Plot { app, planted: &mut acme, owner, people: &people, home: None };
            noun.plant(&mut plot).await;
        }
        let mut elsewhere = Planted::new(app, "elsewhere").await;
        for noun in nouns::ALL {
            let (planted, home) = (&mut elsewhere, Some(&acme));
            noun.plant(&mut Plot { app, planted, owner: &outsider, people: &people, home }).await;
        }
        let world = Self { people, suspended, outsider, acme, elsewhere };
        world.settle(app).await;
        world
    }

    /// Writes presence, so that nobody is first active during a walk, and keeps all rows for
    /// [`keep::restore`].
    pub async fn settle(&self, app: &TestApp) {
        app.execute(&format!("UPDATE members SET last_active_at = {}", app.clock.now().as_millis())).await;
        keep(app).await;
    }

    /// Inserts `n` more of everything that nouns have into acme.
    pub async fn grow(&mut self, app: &TestApp, n: usize) {
        for noun in nouns::ALL {
            noun.grow(app, self, n).await;
        }
    }

    pub fn person(&self, role: BuiltIn) -> &Person {
        &self.people.iter().find(|(other, _)| *other == role).unwrap().1
    }

    pub fn owner(&self) -> &Client {
        &self.person(BuiltIn::Owner).client
    }
}

impl Planted {
    async fn new(app: &TestApp, slug: &'static str) -> Self {
        let (id, account) = (workspace_id(app, slug).await, account_id(app, slug).await);
        Self { slug, id, account, names: BTreeMap::new(), above: BTreeMap::new() }
    }

    pub fn put(&mut self, name: &'static str, what: impl ToString) {
        let before = self.names.insert(name, what.to_string());
        assert!(before.is_none(), "two nouns plant {name} in {}", self.slug);
    }

    /// Another one in its place.
    pub fn replace(&mut self, name: &'static str, what: impl ToString) {
        self.names.insert(name, what.to_string());
    }

    /// The same of what only an Owner is above.
    pub fn put_above(&mut self, name: &'static str, what: impl ToString) {
        self.above.insert(name, what.to_string());
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// # Panics
    /// Where no noun has planted it.
    pub fn text(&self, name: &str) -> &str {
        let planted = self.get(name);
        planted.unwrap_or_else(|| {
            panic!("no noun has planted {name} in {}: see `plant` in tests/nouns/*.rs", self.slug)
        })
    }

    pub fn id(&self, name: &str) -> Uuid {
        self.text(name).parse().unwrap()
    }

    pub fn text_above(&self, name: &str) -> Option<&str> {
        self.above.get(name).map(String::as_str)
    }

    pub fn above(&self, name: &str) -> Uuid {
        self.above[name].parse().unwrap()
    }
}

impl Plot<'_> {
    pub fn slug(&self) -> &'static str {
        self.planted.slug
    }

    pub fn person(&self, role: BuiltIn) -> &Person {
        &self.people.iter().find(|(other, _)| *other == role).unwrap().1
    }

    /// The name here: what is in the other workspace says so in its name, so that no page of acme may
    /// hold it.
    pub fn name(&self, name: &str) -> String {
        if self.home.is_some() { format!("{name} Elsewhere") } else { name.to_owned() }
    }

    pub fn put(&mut self, name: &'static str, what: impl ToString) {
        self.planted.put(name, what);
    }

    pub fn put_above(&mut self, name: &'static str, what: impl ToString) {
        self.planted.put_above(name, what);
    }

    pub fn id(&self, name: &str) -> Uuid {
        self.planted.id(name)
    }
}

async fn joined(app: &TestApp, name: &str, email: &str, role: BuiltIn) -> Person {
    let user = add_user(app, name, email).await;
    add_member(app, "acme", user, "active", &[role.slug()]).await;
    person(app, sign_in(app, email, PASSWORD).await, name, email, "acme").await
}

/// What triggers and tasks derive is what counting gives.
pub async fn assert_counted(app: &TestApp) {
    for noun in nouns::ALL {
        noun.assert_counted(app).await;
    }
}
