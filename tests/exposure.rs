//! What a permission shows is the same on pages and by API: for each permission a person and a key that hold
//! nothing else, and canaries in the fields of what belongs to others.

use crate::{
    nouns::{self, roles::add_role},
    support::{product::Permission, *},
    walk::{Attempt, Caller, Entry, Kind, Place, Row},
    world::*,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is planted: what it is, a table, a column, and the name under which a noun planted the row.
const CANARIES: [(&str, &str, &str, &str); 19] = [
    ("a person's name", "users", "name", "user"),
    ("a person's address", "users", "email", "user"),
    ("a member's external id", "members", "external_id", "member"),
    ("a team's name", "teams", "name", "team"),
    ("a team's description", "teams", "description", "team"),
    ("a role", "roles", "name", "role"),
    ("a role's description", "roles", "description", "role"),
    ("a key's name", "api_keys", "name", "key"),
    ("an invited address", "invitations", "email", "invitation"),
    ("a message to somebody invited", "invitations", "message", "invitation"),
    ("a host", "destinations", "host", "destination"),
    ("a host's description", "destinations", "description", "destination"),
    ("a path of events", "destinations", "event_path", "receiver"),
    ("a receiver's answer", "event_attempts", "body", "attempt"),
    ("an event's kind", "event_deliveries", "kind", "delivery"),
    ("an account key's name", "api_keys", "name", "account_key"),
    ("what somebody asks", "support_requests", "happened", "support_request"),
    ("who pays", "invoices", "customer", "invoice"),
    ("a pack", "credit_purchases", "name", "purchase"),
];

/// What shows to whom, on both faces. Whatever is not here shows to nobody who holds one permission alone: what a
/// receiver answered, and to which event, needs `read:audit` beside `read:destinations`.
const SHOWN: [(&str, &[&str]); 15] = [
    ("a host", &["read:destinations"]),
    ("a host's description", &["read:destinations"]),
    ("a pack", &["purchase:credits"]),
    ("a path of events", &["read:destinations"]),
    ("a member's external id", &["read:members"]),
    ("a person's address", &["read:members"]),
    ("a person's name", &["read:members", "read:teams"]),
    ("a role", &["read:members"]),
    ("a role's description", &["read:members"]),
    ("a team's description", &["read:teams"]),
    ("a team's name", &["read:teams"]),
    ("an account key's name", &["read:api-keys", "read:members"]),
    ("an invited address", &["cancel:invitations", "invite:members"]),
    ("what somebody asks", &["manage:support-access"]),
    ("who pays", &["read:billing"]),
];

/// Pages on which a change is prepared. They name what it is about, and what can be chosen, to whoever may make it.
const PREPARE: [&str; 11] = [
    "/senders",
    "/preview",
    "/selection/",
    "/new",
    "/addition",
    "/deletion",
    "/invitations",
    "/credential",
    "/credential/removal",
    "/joining",
    "{member}/api-keys",
];

fn prepares(page: &str) -> bool {
    PREPARE.iter().any(|part| page.ends_with(part) || (part.ends_with('/') && page.contains(part)))
}

fn canary(what: &str) -> String {
    format!("canary{}", what.replace([' ', '\''], ""))
}

async fn plant_canaries(app: &TestApp, acme: &Planted) {
    for (what, table, column, name) in CANARIES {
        let row = match table {
            "roles" => format!("slug = {}", quoted(acme.text(name))),
            _ => format!("id = {}", app.id(acme.id(name))),
        };
        let text = canary(what);
        assert_eq!(
            app.execute(&format!("UPDATE {table} SET {column} = '{text}' WHERE {row}")).await,
            1,
            "{what}"
        );
    }
    // The person with canaries is in the team with canaries; they have the role too.
    let member = app.id(acme.id("member"));
    app.execute(&format!(
        "INSERT INTO member_roles (workspace_id, member_id, role_id)
        SELECT workspace_id, {member}, id FROM roles WHERE slug = '{}'",
        canary("a role")
    ))
    .await;
}

/// The canaries that show in responses to these requests, each with the addresses where it does.
async fn seen(world: &World, rows: impl Iterator<Item = &'static Row>, caller: &Caller) -> Seen {
    let mut seen = Seen::new();
    for row in rows.filter(|row| row.method == "GET") {
        let Some(path) = Attempt::new(world, row, caller, Place::Own).address() else { continue };
        let text = match &caller.entry {
            Entry::Browser(client) => client.get(&path).await.html,
            Entry::Key(api) => api.get(&path).await.text,
        };
        for (what, ..) in CANARIES {
            if text.to_lowercase().contains(&canary(what)) {
                seen.entry(what).or_default().insert(row.name());
            }
        }
    }
    seen
}

type Seen = BTreeMap<&'static str, BTreeSet<String>>;

both! {
    // Breaks without `sees_members` (domain/nouns/teams/list.rs), which is about both faces, and when one of them
    // shows more than the other.
    async fn one_permission_shows_the_same_on_pages_and_by_api(app: TestApp) {
        let mut world = World::build(&app).await;
        let slug = |permission: Permission| format!("only-{}", permission.scope().replace(':', "-"));
        for permission in Permission::ALL {
            add_role(&app, "acme", &slug(*permission), permission.label(), &[permission.scope()]).await;
        }
        let inviter = world.people[0].1.client.clone();
        let person = invite_and_join(&app, &inviter, "acme", "only-one@example.com", &["viewer"]).await;
        add_role(&app, "acme", &canary("a role"), "Any", &[]).await;
        world.acme.replace("role", canary("a role"));
        plant_canaries(&app, &world.acme).await;
        world.settle(&app).await;

        let (mut differences, mut compared) = (Vec::new(), 0);
        let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for permission in Permission::ALL {
            let roles = format!("/w/acme/members/{}/roles", person.member_id);
            let role = slug(*permission);
            inviter.post_form(&roles, &[("role", &role)]).await.assert_status(303);
            let person = Caller::without_role(Kind::Suspended, Entry::Browser(person.client.clone()));
            let key = Entry::Key(workspace_key(&app, "acme", &[&role]).await);
            let key = Caller::without_role(Kind::Suspended, key);
            let on_pages = seen(&world, nouns::pages().iter(), &person).await;
            let by_api = seen(&world, nouns::calls().iter(), &key).await;
            for what in by_api.keys() {
                shown.entry(what).or_default().insert(permission.scope());
            }
            for (what, ..) in CANARIES {
                let (pages, calls) = (on_pages.get(what), by_api.get(what));
                let is_read = |pages: &BTreeSet<String>| !pages.iter().all(|page| prepares(page));
                let is_same = match (pages, calls) {
                    (Some(pages), None) => !is_read(pages),
                    (pages, calls) => pages.is_some() == calls.is_some(),
                };
                if !is_same {
                    differences.push(format!("{}: {what}: {pages:?}, {calls:?}", permission.scope()));
                }
                compared += 1;
            }
        }
        println!("exposure: {compared} comparisons");
        assert!(compared > 350, "{compared}");
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        let expected = SHOWN.map(|(what, scopes)| (what, scopes.iter().copied().collect()));
        assert_eq!(shown, BTreeMap::from(expected), "left: shown, right: as it should be");
    }
}
