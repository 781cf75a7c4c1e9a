//! What each page costs in SQL statements: one to be let in, and the page's own. A statement more is
//! to be seen here, and so is one that comes with every row.

use crate::support::product::{Access, table};
use crate::{support::*, world::*};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Counter of each page, with the one that admits.
const PAGES: &[(&str, u64)] = &[
    ("/healthz", 0),
    // It asks the database, by a way that is not counted.
    ("/readyz", 1),
    ("/", 0),
    ("/docs/api", 0),
    ("/docs/quick-start", 0),
    ("/sign-up", 0),
    ("/check-mail", 0),
    ("/sign-in", 0),
    ("/forgot-password", 0),
    ("/reset-password/{token}", 0),
    ("/reset-password", 0),
    ("/email-verification/{token}", 0),
    ("/email-verification", 0),
    ("/invitations/{token}", 0),
    ("/invitation", 0),
    ("/workspaces", 3),
    ("/me", 3),
    ("/a/{account}", 4),
    ("/a/{account}/people", 2),
    ("/a/{account}/people/{user}/admin", 3),
    ("/a/{account}/people/{user}/removal", 3),
    ("/a/{account}/api-keys", 2),
    ("/a/{account}/api-keys/new", 2),
    ("/a/{account}/api-keys/{key}", 3),
    ("/a/{account}/api-keys/{key}/revocation", 3),
    ("/w/{workspace}", 5),
    ("/w/{workspace}/departure", 4),
    ("/w/{workspace}/members", 2),
    ("/w/{workspace}/members/new", 2),
    ("/w/{workspace}/members/selection/roles", 3),
    ("/w/{workspace}/members/selection/suspension", 3),
    ("/w/{workspace}/members/selection/removal", 3),
    ("/w/{workspace}/members/{member}", 3),
    ("/w/{workspace}/members/{member}/access", 5),
    ("/w/{workspace}/members/{member}/roles/preview", 3),
    ("/w/{workspace}/members/{member}/suspension", 3),
    ("/w/{workspace}/members/{member}/removal", 4),
    ("/w/{workspace}/invitations", 2),
    ("/w/{workspace}/invitations/selection/resend", 2),
    ("/w/{workspace}/invitations/selection/cancellation", 2),
    ("/w/{workspace}/invitations/{invitation}/cancellation", 2),
    ("/w/{workspace}/teams", 2),
    ("/w/{workspace}/teams/new", 1),
    ("/w/{workspace}/teams/{team}", 3),
    ("/w/{workspace}/teams/{team}/members", 3),
    ("/w/{workspace}/teams/{team}/roles/preview", 4),
    ("/w/{workspace}/teams/{team}/deletion", 2),
    ("/w/{workspace}/roles", 2),
    ("/w/{workspace}/roles/new", 1),
    ("/w/{workspace}/roles/comparison", 1),
    ("/w/{workspace}/roles/{role}", 3),
    ("/w/{workspace}/roles/{role}/scopes/preview", 3),
    ("/w/{workspace}/roles/{role}/deletion", 3),
    ("/w/{workspace}/security", 2),
    ("/w/{workspace}/security/{permission}/preview", 3),
    ("/w/{workspace}/api-keys", 2),
    ("/w/{workspace}/api-keys/new", 2),
    ("/w/{workspace}/api-keys/addition", 2),
    ("/w/{workspace}/api-keys/{key}", 2),
    ("/w/{workspace}/api-keys/{key}/revocation", 2),
    ("/w/{workspace}/resources", 2),
    ("/w/{workspace}/organization", 2),
    ("/w/{workspace}/organization/deletion", 2),
    ("/w/{workspace}/activity", 2),
    ("/w/{workspace}/activity/{event}/undo", 4),
];

/// Counter of some changes: admission, lock, admission once more, the change, owners, audit.
const CHANGES: &[(&str, u64)] =
    &[("roles of a member", 9), ("a permission", 9), ("a permission and a scope of a role", 13)];

both! {
    async fn a_page_costs_what_is_written_here_however_many_rows_there_are(app: TestApp) {
        let office = Office::build(&app).await;
        let listed: BTreeSet<&str> = PAGES.iter().map(|(path, _)| *path).collect();
        let pages: BTreeSet<&str> =
            table().iter().filter(|route| route.method.as_str() == "GET").map(|route| route.path).collect();
        assert_eq!(listed, pages, "each page of the table has its number in PAGES, and nothing else has");

        let few = office.costs().await;
        office.grow(50).await;
        let many = office.costs().await;

        let written: Vec<(String, u64)> = PAGES.iter().map(|(path, n)| ((*path).to_owned(), *n)).collect();
        assert_eq!(few, written, "statements with five members");
        assert_eq!(many, written, "statements with fifty members");
    }

    async fn one_statement_admits(app: TestApp) {
        let office = Office::build(&app).await;
        let outsider = found(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        for (path, _) in PAGES.iter().filter(|(path, _)| path.starts_with("/w/") || path.starts_with("/a/")) {
            let path = office.path(path);
            let said = format!("{path} for somebody who is no member");
            assert_eq!(office.cost(&outsider.client, &path, 404).await, 1, "{said}");
        }
    }

    async fn a_change_costs_what_is_written_here_however_many_rows_there_are(app: TestApp) {
        let office = Office::build(&app).await;
        let few = office.changes().await;
        office.grow(50).await;
        let many = office.changes().await;
        assert_eq!(few, CHANGES, "statements with five members");
        assert_eq!(many, CHANGES, "statements with fifty members");
    }
}

struct Office<'a> {
    app: &'a TestApp,
    owner: Person,
    member: String,
    invitation: String,
    team: Uuid,
    account: String,
    /// Somebody of the account who is in no workspace, and an admin of it.
    person: String,
    admin: String,
    /// The roles of the member were changed.
    event: Uuid,
    key: Uuid,
}

impl<'a> Office<'a> {
    /// A workspace with five members.
    async fn build(app: &'a TestApp) -> Self {
        let owner = founder(app).await;
        let invitation = Invitation::to("invited-one@example.com").by(owner.user_id).add(app, "acme").await;
        add_role(app, "acme", "helper", "Helper", &["read:members"]).await;
        let team = add_team(app, "acme", "Everybody", &["viewer"], &[(owner.member_id, true)]).await;
        let account = account_id(app, "acme").await.to_string();
        let person = add_user(app, "Person One", "person-one@example.com").await;
        let admin = add_user(app, "Admin Two", "admin-two@example.com").await;
        for user in [person, admin] {
            add_to_account(app, "acme", user).await;
        }
        let sql = format!("UPDATE account_people SET is_admin = (1 = 1) WHERE user_id = {}", app.id(admin));
        app.execute(&sql).await;
        let (person, admin) = (person.to_string(), admin.to_string());
        let invitation = invitation.to_string();
        let (member, event) = (String::new(), UNKNOWN);
        let (key, ..) = add_key(app, "acme", "Key One", &["viewer"]).await;
        let office = Self { app, member, invitation, team, key, owner, account, person, admin, event };
        office.grow(5).await;
        let member = member_id(app, "viewer-2@example.com", "acme").await.to_string();
        for roles in [&[("role", "viewer")][..], &[("role", "viewer"), ("role", "helper")]] {
            let path = format!("/w/acme/members/{member}/roles");
            office.owner.client.post_form(&path, roles).await.assert_status(303);
        }
        let event = newest_event(app, "acme").await;
        Self { member, event, ..office }
    }

    /// So many members, and as many invitations.
    async fn grow(&self, members: usize) {
        let first = self
            .app
            .scalar_i64("SELECT count(*) FROM members WHERE status = 'active' AND kind = 'user'")
            .await;
        for n in usize::try_from(first).unwrap() + 1..=members {
            let email = format!("viewer-{n}@example.com");
            let user = add_user(self.app, &format!("Viewer {n}"), &email).await;
            let member = add_member(self.app, "acme", user, "active", &["viewer", "helper"]).await;
            add_to_team(self.app, self.team, member, false).await;
            add_key(self.app, "acme", &format!("Key {n}"), &["helper"]).await;
            let email = format!("invited-{n}@example.com");
            let invitation = Invitation { roles: &["helper"], ..Invitation::to(&email) };
            invitation.by(self.owner.user_id).add(self.app, "acme").await;
        }
    }

    fn path(&self, pattern: &str) -> String {
        let path = pattern
            .replace("{workspace}", "acme")
            .replace("{member}", &self.member)
            .replace("{invitation}", &self.invitation)
            .replace("{role}", "helper")
            .replace("{account}", &self.account)
            .replace("{user}", if pattern.ends_with("/admin") { &self.admin } else { &self.person })
            .replace("{key}", &self.key.to_string())
            .replace("{team}", &self.team.to_string())
            .replace("{event}", &self.event.to_string())
            .replace("{permission}", "read:audit")
            .replace("{token}", "no-token-of-ours");
        assert!(!path.contains('{'), "say in tests/statements.rs what goes into {pattern}");
        match pattern {
            _ if pattern.contains("/members/selection/") => format!("{path}?member={}", self.member),
            _ if pattern.contains("/invitations/selection/") => {
                format!("{path}?invitation={}", self.invitation)
            }
            // Everybody would lose or gain something.
            _ if pattern.ends_with("/scopes/preview") => format!("{path}?scopes=write:notes"),
            _ if pattern.ends_with("/security/{permission}/preview") => format!("{path}?role=viewer"),
            _ if pattern.ends_with("/preview") => format!("{path}?role=editor"),
            _ => path,
        }
    }

    async fn costs(&self) -> Vec<(String, u64)> {
        let stranger = self.app.client();
        let mut all = Vec::new();
        for route in table().iter().filter(|route| route.method.as_str() == "GET") {
            let (client, status) = match (route.access, route.path) {
                (
                    Access::Public,
                    "/" | "/reset-password/{token}" | "/email-verification/{token}" | "/invitations/{token}",
                ) => (&stranger, 303),
                (Access::Public, "/reset-password" | "/email-verification" | "/invitation") => {
                    (&stranger, 410)
                }
                (Access::Public, _) => (&stranger, 200),
                _ => (&self.owner.client, 200),
            };
            all.push((route.path.to_owned(), self.cost(client, &self.path(route.path), status).await));
        }
        all
    }

    /// The least of several times: now and then the app looks into its outbox or writes down who was
    /// seen, which is no part of a page.
    async fn cost(&self, client: &Client, path: &str, status: u16) -> u64 {
        let mut least = u64::MAX;
        for _ in 0..3 {
            let (page, cost) = self.app.statements_of(client.get(path)).await;
            page.assert_status(status);
            least = least.min(cost);
        }
        least
    }

    async fn changes(&self) -> Vec<(&'static str, u64)> {
        let client = &self.owner.client;
        let roles = format!("/w/acme/members/{}/roles", self.member);
        client.csrf().await;
        let mut least = [u64::MAX; 3];
        for n in 0..4 {
            // After a change of roles the next request reads them anew.
            client.visit("/w/acme/roles").await;
            let role = ["editor", "viewer"][n % 2];
            least[0] = least[0].min(self.settled(client.post_form(&roles, &[("role", role)])).await);

            let page = client.visit("/w/acme/security").await;
            let form = page.form("/security/read:teams");
            let changed = match form.values("role").contains(&"viewer") {
                true => form.fill(&[("role", "admin")]),
                false => form.fill(&[("role", "admin"), ("role", "viewer")]),
            };
            let toggled = if n == 0 { None } else { Some(self.settled(client.send(&page, &changed)).await) };
            if n == 0 {
                // The defaults are more than the one role that is put in and taken out from here on.
                client.send(&page, &changed).await.assert_status(303);
            }
            least[1] = least[1].min(toggled.unwrap_or(u64::MAX));

            let page = client.visit("/w/acme/roles/helper").await;
            let (one, other) = [("read:audit", "read:posts"), ("export:data", "write:posts")][n % 2];
            let changed = page.form("/scopes").fill(&[("permission", one), ("scopes", other)]);
            // From the first, which is not counted, on: one permission and one scope for another.
            let settled = self.settled(client.send(&page, &changed)).await;
            least[2] = least[2].min(if n == 0 { u64::MAX } else { settled });
        }
        let names = CHANGES.iter().map(|(name, _)| *name);
        names.zip(least).collect()
    }

    /// The statements of a change and of what it sets off: counted once no more come.
    async fn settled(&self, change: impl Future<Output = Page>) -> u64 {
        let before = self.app.statements();
        change.await.assert_status(303);
        let mut last = self.app.statements();
        let mut quiet = std::time::Instant::now();
        while quiet.elapsed() < std::time::Duration::from_millis(50) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let now = self.app.statements();
            if now != last {
                (last, quiet) = (now, std::time::Instant::now());
            }
        }
        last - before
    }
}
