//! Every page and form of the table × everyone × every workspace and id that could stand in its path.
//!
//! What must come is computed from what the nouns declare and from policy. A route that is added makes
//! this fail until its noun says who may call it, and what goes into its path and its form.

use crate::{
    nouns::{self, invitations::Invitation},
    support::{
        product::{BuiltIn, page_rows},
        *,
    },
    walk::{Attempt, Caller, Entry, Kind, Place, Verdict, Walk, people_callers},
    world::*,
};
use reqwest::Method;
use std::collections::BTreeMap;

#[test]
fn the_table_asks_for_what_is_written_here() {
    let rows = nouns::pages();
    assert_eq!(rows.len(), page_rows().len());
    for (route, row) in page_rows().iter().zip(rows) {
        assert_eq!(
            route.requirement,
            row.requirement,
            "left: the table, right: {}, {}",
            row.file,
            row.name()
        );
    }
}

both! {
    async fn every_route_by_everyone(app: TestApp) {
        let world = World::build(&app).await;
        let callers = people_callers(&app, &world).await;
        let mut walk = Walk::begin(&app, &world, callers).await;
        walk.walk(nouns::pages()).await;
        println!("pages: {} routes, {} callers, {} requests", nouns::pages().len(), walk.callers.len(), walk.requests);
        // 125 routes, ten callers: a walk that skips would show here.
        assert!(walk.requests > 9_000, "only {} requests were made", walk.requests);
    }

    async fn every_other_method_is_answered_405(app: TestApp) {
        let owner = new_owner(&app).await;
        let account = account_id(&app, "acme").await.to_string();
        let mut paths: BTreeMap<String, Vec<Method>> = BTreeMap::new();
        for row in nouns::pages() {
            paths.entry(row.sample(&account)).or_default().push(row.method.parse().unwrap());
        }
        for (path, has) in paths {
            let mut allow: Vec<&str> = Vec::new();
            for method in &has {
                allow.extend(if *method == Method::GET { vec!["GET", "HEAD"] } else { vec!["POST"] });
            }
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
                if has.contains(&method) {
                    continue;
                }
                for client in [&owner.client, &app.client()] {
                    let page = client.request(method.clone(), &path, None).await;
                    if method == Method::GET {
                        // To the page above: tests/refusals.rs checks which.
                        page.assert_status(303);
                        continue;
                    }
                    page.assert_status(405);
                    let allowed: Vec<&str> = page.header("allow").unwrap_or_default().split(", ").collect();
                    assert_eq!(allowed, allow, "Allow of {method} {path}");
                }
            }
        }
    }

    async fn what_happens_elsewhere_shows_on_no_page(app: TestApp) {
        let world = World::build(&app).await;
        let callers = people_callers(&app, &world).await;
        // Only elsewhere an offer is open.
        let here = app.id(world.acme.id);
        app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {here}")).await;
        let before = pages(&world, &callers).await;
        // One of them is a member here too.
        let inviters = [world.acme.id("user"), world.outsider.user_id];
        for n in 0..20 {
            let user = add_user(&app, &format!("One {n} Elsewhere"), &format!("one-{n}@elsewhere.example.com")).await;
            let status = if n % 3 == 0 { "suspended" } else { "active" };
            let role = BuiltIn::ALL[n % 7].slug();
            add_member(&app, "elsewhere", user, status, &[role]).await;
            let email = format!("one-{n}@example.com");
            let expires_in = if n % 2 == 0 { DAY } else { -DAY };
            let invitation = Invitation { expires_in, ..Invitation::to(&email) };
            invitation.by(inviters[n % 2]).add(&app, "elsewhere").await;
        }
        let there = app.id(world.elsewhere.id);
        app.execute(&format!("DELETE FROM grants WHERE workspace_id = {there} AND scope = 'read:audit'")).await;
        app.execute(&format!("UPDATE members SET last_active_at = 1 WHERE workspace_id = {there}")).await;
        app.execute(&format!("UPDATE workspaces SET name = 'Renamed Elsewhere' WHERE id = {there}")).await;
        let account = app.id(world.elsewhere.account);
        let sql = format!("UPDATE accounts SET name = 'Account Elsewhere', workspace_creation = 'people' WHERE id = {account}");
        app.execute(&sql).await;
        app.execute(&format!("UPDATE account_people SET is_admin = (1 = 1) WHERE account_id = {account}")).await;
        app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {there}")).await;

        let after = pages(&world, &callers).await;

        println!("pages elsewhere: {}", before.len());
        assert!(before.len() > 110, "only {} pages were compared", before.len());
        for ((path, before), (_, after)) in before.iter().zip(&after) {
            assert!(before == after, "{path} shows something of another workspace:\n{before}\n{after}");
        }
    }
}

/// A page without the exact moments in it: whoever looks was last seen just now.
fn without_moments(html: &str) -> String {
    let mut pieces = html.split("<time ");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
    }
    text
}

/// What each page of acme and its account says to its Owner, an Admin and the Developer. Only what is
/// open to them: a refusal would show on the page of activity.
async fn pages(world: &World, callers: &[Caller]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for caller in callers {
        let Entry::Browser(client) = &caller.entry else { continue };
        if ![BuiltIn::Owner, BuiltIn::Admin, BuiltIn::Developer].map(Kind::Role).contains(&caller.kind) {
            continue;
        }
        for row in nouns::pages().iter().filter(|row| row.is_page() && row.is_of_tenant()) {
            let at = Attempt::new(world, row, caller, Place::Own);
            if at.refused_at_the_gate().is_some() || at.verdict() != Verdict::Is(200) {
                continue;
            }
            let address = at.address().unwrap();
            let narrowed = row.filters.iter().map(|query| format!("{address}?{query}"));
            for address in [address.clone()].into_iter().chain(narrowed) {
                let page = client.get(&address).await.with_status(200);
                page.assert_silent_about("lsewhere");
                all.push((
                    format!("{:?} {address}", caller.kind),
                    without_tokens(&without_moments(&page.html)),
                ));
            }
        }
    }
    all
}
