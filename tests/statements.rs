//! What each page costs in SQL statements: one to be let in, and the page's own. A statement more is
//! to be seen here, and so is one that comes with every row. Each noun says what its pages cost.

use crate::{
    nouns,
    support::{
        product::{BuiltIn, Requirement},
        *,
    },
    walk::{Attempt, Caller, Entry, Place, Row},
    world::*,
};

/// Counter of some changes: admission, lock, admission once more, the change, owners, audit, who receives its event; of
/// roles, mail to the person too, within its limits.
const CHANGES: &[(&str, u64)] =
    &[("roles of a member", 14), ("a permission", 10), ("a permission and a scope of a role", 12)];

both! {
    async fn a_page_costs_what_is_written_here_however_many_rows_there_are(app: TestApp) {
        let mut office = Office::build(&app).await;
        println!("statements: {} pages", nouns::pages().iter().filter(|row| row.is_page()).count());
        let before = office.costs().await;
        office.world.grow(&app, 45).await;
        let after = office.costs().await;

        let stated = |row: &Row| {
            row.statements.unwrap_or_else(|| panic!("how many SQL statements does {} cost? Say it in {}", row.name(), row.file))
        };
        let stated: Vec<(&str, u64)> = nouns::pages().iter().filter(|row| row.is_page()).map(|row| (row.path, stated(row))).collect();
        assert_eq!(before, stated, "left: statements with some rows, right: as the nouns say");
        assert_eq!(after, stated, "left: statements with many rows, right: as the nouns say");
    }

    async fn one_statement_admits(app: TestApp) {
        let office = Office::build(&app).await;
        for row in nouns::pages().iter().filter(|row| row.is_page() && row.is_of_tenant()) {
            let address = office.address(row);
            let cost = office.cost(&office.world.outsider.client, &address, 404).await;
            assert_eq!(cost, 1, "{address} for somebody who is no member");
        }
    }

    async fn a_change_costs_what_is_written_here_however_many_rows_there_are(app: TestApp) {
        let mut office = Office::build(&app).await;
        let before = office.changes().await;
        office.world.grow(&app, 45).await;
        let after = office.changes().await;
        assert_eq!(before, CHANGES, "statements with some members");
        assert_eq!(after, CHANGES, "statements with many members");
    }
}

/// The world, seen by its Owner.
struct Office<'a> {
    app: &'a TestApp,
    world: World,
    owner: Caller,
}

impl<'a> Office<'a> {
    /// With some rows of everything.
    async fn build(app: &'a TestApp) -> Self {
        let mut world = World::build(app).await;
        world.grow(app, 5).await;
        let owner = Caller::of_role(BuiltIn::Owner, Entry::Browser(world.owner().clone()));
        Self { app, world, owner }
    }

    fn address(&self, row: &Row) -> String {
        Attempt::new(&self.world, row, &self.owner, Place::Own).address().unwrap()
    }

    async fn costs(&self) -> Vec<(&'static str, u64)> {
        let stranger = self.app.client();
        let mut all = Vec::new();
        for row in nouns::pages().iter().filter(|row| row.is_page()) {
            let client = if row.requirement == Requirement::Public { &stranger } else { self.world.owner() };
            all.push((row.path, self.cost(client, &self.address(row), row.success).await));
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
        let client = self.world.owner();
        let roles = format!("/w/acme/members/{}/roles", self.world.acme.id("member"));
        client.csrf().await;
        let mut least = [u64::MAX; 3];
        for n in 0..4 {
            // After a change of roles the next request reads them anew.
            client.visit("/w/acme/roles").await;
            let role = ["editor", "viewer"][n % 2];
            least[0] = least[0].min(self.change(client.post_form(&roles, &[("role", role)])).await);

            let page = client.visit("/w/acme/security").await;
            let form = page.form("/security/read:teams");
            let changed = match form.values("role").contains(&"viewer") {
                true => form.fill(&[("role", "admin")]),
                false => form.fill(&[("role", "admin"), ("role", "viewer")]),
            };
            let toggled = if n == 0 { None } else { Some(self.change(client.send(&page, &changed)).await) };
            if n == 0 {
                // The defaults are more than the one role that is put in and taken out from here on.
                client.send(&page, &changed).await.assert_status(303);
            }
            least[1] = least[1].min(toggled.unwrap_or(u64::MAX));

            let page = client.visit("/w/acme/roles/helper").await;
            let (one, other) = [("read:audit", "read:posts"), ("export:data", "write:posts")][n % 2];
            let changed = page.form("/scopes").fill(&[("permission", one), ("scopes", other)]);
            // From the first, which is not counted, on: one permission and one scope for another.
            let cost = self.change(client.send(&page, &changed)).await;
            least[2] = least[2].min(if n == 0 { u64::MAX } else { cost });
        }
        let names = CHANGES.iter().map(|(name, _)| *name);
        names.zip(least).collect()
    }

    /// The statements of a change: a request sends none once it is answered.
    async fn change(&self, change: impl Future<Output = Page>) -> u64 {
        let (page, cost) = self.app.statements_of(change).await;
        page.assert_status(303);
        cost
    }
}
