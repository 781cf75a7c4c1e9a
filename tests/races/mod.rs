//! Twenty at once, on connections of their own, again and again. On PostgreSQL half of them go to
//! another node. After every round the same is asked: an active Owner remains, nobody is a member
//! twice, each change and each refusal is told once, and the audit chain is whole.
//!
//! Over each test stands the line of `src` whose deletion turns it red; "(tried)" where somebody has
//! seen it do so. What was found when the lock of a workspace, `FOR NO KEY UPDATE`, was taken away
//! on PostgreSQL:
//!
//! - Eleven of these tests turn red: whoever comes second gets a 500 instead of a 403, 404 or 409.
//! - No workspace loses its last Owner yet, with or without the triggers `keep_an_owner…`: two that
//!   write at once give their events one number, and the unique index `audit_events_chain` ends one.
//! - Without that index too, workspaces are left with no Owner, though `owners::ensure_one_remains`
//!   and the triggers are both there: neither sees what the other transaction has not committed.

mod accounts;
mod api_keys;
mod identity;
mod invitations;
mod joining;
mod offboarding;
mod own_deletion;
mod owners;
mod roles;
mod teams;
mod workspaces;

use crate::nouns::{api_keys::addable_key, roles::add_role, teams::add_team};
use crate::{
    support::*,
    world::{account_id, add_member, add_to_account, add_user, assert_counted},
};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::Value;
use std::{collections::BTreeMap, iter, time::Duration};
use uuid::Uuid;

/// The other node of a race: on PostgreSQL any number serve one database.
async fn other_node(app: &TestApp) -> Option<TestApp> {
    match app.backend {
        Backend::Postgres => Some(app.another_node().await),
        Backend::Sqlite => None,
    }
}

/// Twins of this browser on open connections, in turn at this node and at the other.
async fn spread(client: &Client, other: Option<&TestApp>, n: usize) -> Vec<Client> {
    let mut twins = client.twins(n).await;
    let Some(other) = other else { return twins };
    for twin in twins.iter_mut().skip(1).step_by(2) {
        *twin = twin.moved_to(other);
        twin.get("/healthz").await.assert_status(200);
    }
    twins
}

/// One request of a race.
struct Shot {
    client: Client,
    path: String,
    fields: Vec<(&'static str, String)>,
}

impl Shot {
    fn new(client: &Client, path: impl Into<String>, fields: &[(&'static str, &str)]) -> Self {
        let fields = fields.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        Self { client: client.clone(), path: path.into(), fields }
    }

    async fn fire(&self) -> Page {
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.client.post_form(&self.path, &fields).await
    }
}

async fn fire(shots: &[Shot]) -> Vec<Page> {
    race(shots.len(), async |i| shots[i].fire().await).await
}

/// The shots in an order that is another one each round, so that each side gets to be first.
fn turned(mut shots: Vec<Shot>, round: usize) -> Vec<Shot> {
    let n = shots.len();
    shots.rotate_left(round * 7 % n);
    shots
}

/// How many of each status. A server error is none of the outcomes of a race, but for "too busy,
/// come back then".
#[track_caller]
fn tally(pages: &[Page]) -> BTreeMap<u16, usize> {
    let mut tally = BTreeMap::new();
    for page in pages {
        let status = page.status.as_u16();
        let is_honest = status == 503 && page.header("retry-after").is_some();
        assert!(status < 500 || is_honest, "{} {}: {status}\n{}", page.method, page.url, page.text());
        *tally.entry(status).or_default() += 1;
    }
    tally
}

fn count(pages: &[Page], statuses: &[u16]) -> i64 {
    let those = pages.iter().filter(|page| statuses.contains(&page.status.as_u16())).count();
    i64::try_from(those).unwrap()
}

/// Looks after one workspace from before a round to its end.
struct Round<'a> {
    app: &'a TestApp,
    workspace: Uuid,
    done: i64,
    refused: i64,
}

impl<'a> Round<'a> {
    async fn begin(app: &'a TestApp, workspace: Uuid) -> Self {
        // So that the refusals of the rounds together are no flood, of which not each is recorded by itself.
        app.clock.advance(std::time::Duration::from_secs(61));
        let mut round = Self { app, workspace, done: 0, refused: 0 };
        (round.done, round.refused) = (round.events("done").await, round.events("refused").await);
        round
    }

    async fn count(&self, sql: &str) -> i64 {
        self.app.scalar_i64(&sql.replace("{w}", &self.app.id(self.workspace))).await
    }

    async fn events(&self, outcome: &str) -> i64 {
        let sql = "SELECT count(*) FROM audit_events WHERE workspace_id = {w} AND outcome = ";
        self.count(&format!("{sql}'{outcome}'")).await
    }

    /// Kinds of what was done in this round, in order.
    async fn kinds(&self) -> Vec<String> {
        let sql = format!(
            "SELECT kind FROM audit_events WHERE workspace_id = {} AND outcome = 'done' ORDER BY seq",
            self.app.id(self.workspace)
        );
        let rows = self.app.rows(&sql).await;
        let kinds = rows.iter().map(|row| row["kind"].as_str().unwrap().to_owned());
        kinds.skip(usize::try_from(self.done).unwrap()).collect()
    }

    /// Each of these answers is told once in the audit, and the workspace is sound.
    async fn end(self, pages: &[Page]) {
        tally(pages);
        self.end_with(count(pages, &[303]), count(pages, &[403, 409])).await;
    }

    /// The same where a 303 changed nothing, and so is not told.
    async fn end_with(self, done: i64, refused: i64) {
        let kinds = self.kinds().await;
        assert_eq!(self.events("done").await - self.done, done, "what was done: {kinds:?}");
        assert_eq!(self.events("refused").await - self.refused, refused, "refusals told");
        self.assert_sound().await;
    }

    async fn assert_sound(&self) {
        let gone = self.count("SELECT count(*) FROM workspaces WHERE id = {w}").await == 0;
        let owners = self.count("SELECT count(*) FROM active_owners WHERE workspace_id = {w}").await;
        assert!(gone || owners >= 1, "no active Owner is left");
        let twice = "SELECT count(*) FROM (SELECT COALESCE(user_id, api_key_id) AS who FROM members
            WHERE workspace_id = {w} GROUP BY COALESCE(user_id, api_key_id) HAVING count(*) > 1) AS twice";
        assert_eq!(self.count(twice).await, 0, "somebody is a member twice");
        let roleless = "SELECT count(*) FROM members m WHERE m.workspace_id = {w} AND NOT EXISTS
            (SELECT 1 FROM member_roles r WHERE r.member_id = m.id)";
        assert_eq!(self.count(roleless).await, 0, "a member holds no role");
        let gaps = "SELECT coalesce(max(seq), 0) - count(*) FROM audit_events WHERE workspace_id = {w}";
        assert_eq!(self.count(gaps).await, 0, "the numbers of the audit have a gap");
        assert_chain_holds(self.app).await;
    }
}

/// `bailiwick verify-audit` finds nothing altered; and whoever something was done to can be erased.
pub async fn assert_chain_holds(app: &TestApp) {
    let nobody = "SELECT COUNT(*) FROM audit_events e JOIN audit_identities i ON i.event_id = e.id
        WHERE e.target_kind IN ('user', 'member') AND i.target_name <> '' AND i.target_subject IS NULL";
    assert_eq!(app.scalar_i64(nobody).await, 0, "targets with a name, and nothing to find them by");
    let url = app.database.url.clone();
    let verify =
        move || program::run(&std::env::temp_dir(), &["verify-audit"], &[("BAILIWICK_DATABASE_URL", &url)]);
    let verdict = tokio::task::spawn_blocking(verify).await.unwrap();
    let said = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success() && said.contains("unaltered"), "{said}{:?}", verdict.status);
}

async fn workspace_id(app: &TestApp, slug: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = {}", quoted(slug))).await
}

/// Owner One and as many other Owners of acme as make `n`.
async fn owners(app: &TestApp, n: usize) -> Vec<Person> {
    let first = new_owner(app).await;
    let names = ["two", "three", "four", "five", "six", "seven"];
    let emails = names[..n - 1].iter().map(|name| format!("owner-{name}@example.com"));
    let mut people = Vec::new();
    for email in emails {
        people.push(invite_and_join(app, &first.client, "acme", &email, &["owner"]).await);
    }
    people.insert(0, first);
    people
}

/// Makes these people active members with exactly this role again, whatever a round did to them.
async fn restore(app: &TestApp, people: &[(&Person, &str)]) {
    for (person, role) in people {
        let (member, user) = (app.id(person.member_id), app.id(person.user_id));
        app.execute(&format!(
            "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at)
             SELECT {member}, id, 'user', {user}, 'active', 'invitation', 0 FROM workspaces
             WHERE slug = 'acme' ON CONFLICT DO NOTHING"
        ))
        .await;
        app.execute(&format!("UPDATE members SET status = 'active' WHERE id = {member}")).await;
        app.execute(&format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id)
             SELECT r.workspace_id, {member}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
             WHERE w.slug = 'acme' AND r.slug = '{role}' ON CONFLICT DO NOTHING"
        ))
        .await;
    }
    // Only when all are what they should be may they lose what they should not.
    for (person, role) in people {
        app.execute(&format!(
            "DELETE FROM member_roles WHERE member_id = {}
             AND role_id NOT IN (SELECT id FROM roles WHERE slug = '{role}')",
            app.id(person.member_id)
        ))
        .await;
    }
    app.execute("UPDATE ownership_offers SET status = 'cancelled' WHERE status = 'pending'").await;
}

fn at_member(person: &Person, noun: &str) -> String {
    format!("/w/acme/members/{}/{noun}", person.member_id)
}

/// Sets of roles without Owner, no two alike.
const ROLE_SETS: [&[&str]; 20] = [
    &["admin"],
    &["developer"],
    &["billing"],
    &["editor"],
    &["viewer"],
    &["support"],
    &["admin", "developer"],
    &["admin", "billing"],
    &["admin", "editor"],
    &["admin", "viewer"],
    &["admin", "support"],
    &["developer", "billing"],
    &["developer", "editor"],
    &["developer", "viewer"],
    &["developer", "support"],
    &["billing", "editor"],
    &["billing", "viewer"],
    &["billing", "support"],
    &["editor", "viewer"],
    &["editor", "support"],
];

fn role_set(i: usize) -> Vec<(&'static str, &'static str)> {
    ROLE_SETS[i].iter().map(|role| ("role", *role)).collect()
}

/// Invites the guest, who opens the link of the `nth` letter of that kind and goes no further.
async fn carry_invitation(app: &TestApp, owner: &Person, guest: &Person, nth: usize) -> Uuid {
    app.mail_is_out().await;
    invite(&owner.client, &owner.workspace, &guest.email, &["viewer"]).await;
    let letters = app.mail.wait_for_several(&guest.email, "invited you", nth).await;
    guest.client.visit(&letters.last().unwrap().link("/invitations/")).await;
    let pending =
        format!("SELECT id FROM invitations WHERE status = 'pending' AND email = {}", quoted(&guest.email));
    app.scalar_uuid(&pending).await
}
