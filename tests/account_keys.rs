//! The API keys of an account, for its admins: they make, name and end keys, and get into no workspace
//! by that.

use crate::nouns::api_keys::addable_key;
use crate::{races::assert_chain_holds, support::*, world::*};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use uuid::Uuid;

const MEMBERS: &str = "/api/sso/v1/members";
const VERBS: [(&str, &[(&str, &str)]); 4] = [
    ("details", &[("name", "Mine")]),
    ("administration", &[("administers", "yes")]),
    ("rotation", &[("overlap", "0"), ("version", "0-test")]),
    ("revocation", &[]),
];

/// The address of the keys of the account of acme.
async fn keys(app: &TestApp) -> String {
    format!("/a/{}/api-keys", account_id(app, "acme").await)
}

/// Makes a key by the page; answers the page that tells its secret.
async fn make(by: &Client, keys: &str, fields: &[(&str, &str)]) -> Page {
    let page = by.visit(&format!("{keys}/new")).await;
    by.submit(&page, keys, fields).await
}

fn secret(page: &Page) -> String {
    page.attributes("#secret", "value").remove(0)
}

async fn key_of(app: &TestApp, name: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM api_keys WHERE name = {}", quoted(name))).await
}

/// Somebody who is an admin of the account of acme and a member of nothing.
async fn bare_admin(app: &TestApp) -> (Client, Uuid) {
    let user = add_user(app, "Admin Only", "admin-only@example.com").await;
    add_to_account(app, "acme", user).await;
    let sql = format!("UPDATE account_people SET is_admin = (1 = 1) WHERE user_id = {}", app.id(user));
    assert_eq!(app.execute(&sql).await, 1);
    (sign_in(app, "admin-only@example.com", PASSWORD).await, user)
}

/// A second workspace of the account of acme.
async fn second_workspace(app: &TestApp, owner: &Person) {
    let id = account_id(app, "acme").await.to_string();
    let fields = [("name", "Second"), ("slug", "second"), ("account", id.as_str())];
    owner.client.post_form("/workspaces", &fields).await.assert_status(303);
}

async fn add(by: &Client, slug: &str, key: Uuid, role: &str) {
    let fields = [("key", key.to_string()), ("role", role.to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    by.post_form(&format!("/w/{slug}/api-keys/addition"), &fields).await.assert_status(303);
}

/// Every route to the keys is refused with this status, and changes nothing.
async fn assert_refused_everywhere(app: &TestApp, client: &Client, keys: &str, key: Uuid, status: u16) {
    for path in ["", "/new", &format!("/{key}"), &format!("/{key}/revocation")] {
        let page = app.unchanged_by(client.get(&format!("{keys}{path}"))).await.with_status(status);
        page.assert_silent_about("Key One");
    }
    let new = [("name", "Mine"), ("expiry", "30"), ("made", "0")];
    app.unchanged_by(client.post_form(keys, &new)).await.assert_status(status);
    for (verb, fields) in VERBS {
        let path = format!("{keys}/{key}/{verb}");
        app.unchanged_by(client.post_form(&path, fields)).await.with_status(status);
    }
}

/// Kinds and payloads of what was done, in the record of the account or of a workspace.
async fn recorded_events(app: &TestApp, whose: &str) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT kind, payload FROM audit_events WHERE {whose} AND outcome = 'done' AND kind LIKE 'api-key.%'
            ORDER BY at, id"
    );
    let rows = app.rows(&sql).await;
    rows.iter().map(|row| (row["kind"].as_str().unwrap().to_owned(), row["payload"].to_string())).collect()
}

both! {
    async fn the_keys_of_an_account_are_for_its_admins(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "admin").await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let (admin, user) = bare_admin(&app).await;
        let (key, ..) = add_key(&app, "acme", "Key One", &["viewer"]).await;
        let keys = keys(&app).await;
        admin.visit(&keys).await.assert_says("Key One").assert_says("acme");
        let refusals = "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND account_id IS NOT NULL";
        let before = app.scalar_i64(refusals).await;
        // Whatever they may do in a workspace.
        assert_refused_everywhere(&app, &viewer.client, &keys, key, 403).await;
        assert_eq!(app.scalar_i64(refusals).await - before, 9);
        assert_refused_everywhere(&app, &other.client, &keys, key, 404).await;
        for path in ["", "/new", &format!("/{key}")] {
            app.client().get(&format!("{keys}{path}")).await.assert_status(401);
        }
        app.execute("UPDATE accounts SET suspended_at = 1").await;
        assert_refused_everywhere(&app, &admin, &keys, key, 403).await;
        app.execute("UPDATE accounts SET suspended_at = NULL").await;
        // An admin no more, out of the account, suspended as a user: each from the next request on.
        let me = app.id(user);
        app.execute(&format!("UPDATE account_people SET is_admin = (1 = 0) WHERE user_id = {me}")).await;
        assert_refused_everywhere(&app, &admin, &keys, key, 403).await;
        app.execute(&format!("DELETE FROM account_people WHERE user_id = {me}")).await;
        assert_refused_everywhere(&app, &admin, &keys, key, 404).await;
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {me}")).await;
        admin.get(&keys).await.assert_status(401);
    }

    async fn a_key_of_another_account_is_none_of_this_one(app: TestApp) {
        let owner = new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let (member, ..) = add_key(&app, "elsewhere", "Key Elsewhere", &["viewer"]).await;
        let waiting = addable_key(&app, "elsewhere", "Key Waiting").await;
        let keys = keys(&app).await;
        for key in [member, waiting, UNKNOWN] {
            for path in ["", "/revocation"] {
                app.unchanged_by(owner.client.get(&format!("{keys}/{key}{path}"))).await.assert_status(404);
            }
            for (verb, fields) in VERBS {
                let path = format!("{keys}/{key}/{verb}");
                app.unchanged_by(owner.client.post_form(&path, fields)).await.assert_status(404);
            }
        }
        owner.client.visit(&keys).await.assert_says("No API keys yet");
        owner.client.visit(&format!("{keys}?q=key")).await.assert_silent_about("Elsewhere");
    }

    async fn a_key_is_made_in_the_account_and_is_a_member_where_somebody_adds_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, _) = bare_admin(&app).await;
        let keys = keys(&app).await;
        let page = admin.visit(&format!("{keys}/new")).await;
        let form = page.form(&keys).fill(&[("name", "Robot")]);
        assert_eq!(form.values("expiry"), ["90"]);
        assert!(form.values("administers").is_empty());

        let page = admin.send(&page, &form).await.with_status(200);

        let first = secret(&page);
        assert!(first.starts_with("blw_key_") && page.header("cache-control") == Some("no-store"));
        let again = app.unchanged_by(admin.send(&page, &form)).await;
        again.assert_status(409).assert_says("You've created a key since you opened this form");
        let key = key_of(&app, "Robot").await;
        let robot = Api::new(&app, &first);
        assert_eq!(robot.get("/api/sso/v1/apikeys/self").await.with_status(200).body["name"], "Robot");
        let answer = robot.get(MEMBERS).await.with_status(422);
        assert_eq!(answer.body["errors"][0]["field"], "workspace");
        robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(404);
        let founding = json!({"name": "Engineering", "slug": "engineering"});
        robot.post("/api/sso/v1/workspaces", &founding).await.with_status(403);

        // Another secret, and the one before is over.
        let page = admin.visit(&format!("{keys}/{key}")).await.assert_says("No workspaces.").clone();
        let page = admin.submit(&page, "/rotation", &[("overlap", "0")]).await.with_status(200);
        page.assert_says("The old secret no longer works.");
        let second = secret(&page);
        robot.get("/api/sso/v1/apikeys/self").await.with_status(401);

        add(&owner.client, "acme", key, "viewer").await;
        robot.with(Some(&second)).get(MEMBERS).await.with_status(200);
        admin.visit(&keys).await.assert_says("Robot").assert_says("acme").assert_silent_about("/w/acme");
        let kinds: Vec<_> = recorded_events(&app, "account_id IS NOT NULL").await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["api-key.created", "api-key.rotated", "api-key.added"]);

        // The secrets stand nowhere.
        let mut pages = everything(&admin, &keys).await;
        pages.extend(everything(&owner.client, "/w/acme").await);
        assert!(pages.iter().any(|page| page.path().ends_with(&key.to_string())) && pages.len() > 25);
        app.mail_is_out().await;
        let rows = format!("{:?}", app.snapshot(&app.catalogue().await.all()).await);
        for secret in [&first, &second] {
            // All but the last characters, which lists show.
            let canary = &secret[8..76];
            assert!(!admin.cookies().iter().any(|cookie| cookie.contains(canary)));
            for page in &pages {
                page.assert_silent_about(canary);
            }
            assert!(!rows.contains(canary));
            assert!(!app.mail.all().iter().any(|letter| letter.raw.contains(canary)));
        }
    }

    async fn what_is_wrong_with_a_key_of_the_account_is_told_at_its_field(app: TestApp) {
        let owner = new_owner(&app).await;
        let keys = keys(&app).await;
        for (fields, field) in [
            (&[("name", "")][..], "name"),
            (&[("name", "A"), ("expiry", "5")], "expiry"),
            (&[("name", "A"), ("expiry", "date"), ("expires_at", "2020-01-01")], "expires_at"),
            (&[("name", "A"), ("administers", "perhaps")], "administers"),
        ] {
            let page = app.unchanged_by(make(&owner.client, &keys, fields)).await.with_status(422);
            assert!(page.field_error(field).is_some(), "{fields:?}: {}", page.text());
            assert_eq!(page.field_value("name").as_deref(), Some(fields[0].1));
        }
        // Roles are given in workspaces.
        let fields = [("name", "A"), ("role", "owner"), ("made", "0")];
        app.unchanged_by(owner.client.post_form(&keys, &fields)).await.assert_status(422);
        let key = addable_key(&app, "acme", "Robot").await;
        let page = owner.client.visit(&format!("{keys}/{key}")).await;
        let page = app.unchanged_by(owner.client.submit(&page, "/details", &[("name", "")])).await;
        assert!(page.with_status(422).field_error("name").is_some());
        let path = format!("{keys}/{key}");
        app.unchanged_by(owner.client.post_form(&format!("{path}/administration"), &[("administers", "no")]))
            .await
            .assert_status(422);
        let fields = [("overlap", "999"), ("version", "0-test")];
        let page = app.unchanged_by(owner.client.post_form(&format!("{path}/rotation"), &fields)).await;
        assert!(page.with_status(422).field_error("overlap").is_some());
        let stale = [("overlap", "0"), ("version", "0-test")];
        let page = app.unchanged_by(owner.client.post_form(&format!("{path}/rotation"), &stale)).await;
        page.assert_status(409).assert_says("The secret was rotated after you opened this page");
    }

    async fn nobody_with_an_unconfirmed_address_makes_a_secret_in_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let keys = keys(&app).await;
        let key = addable_key(&app, "acme", "Robot").await;
        let page = owner.client.visit(&format!("{keys}/{key}")).await;
        let rotation = page.form("/rotation");
        app.execute("UPDATE users SET email_verified_at = NULL").await;
        let fields = [("name", "A"), ("expiry", "30"), ("made", "1")];
        let refused = app.unchanged_by(owner.client.post_form(&keys, &fields)).await.with_status(403);
        refused.assert_says("Confirm your e-mail address first");
        assert!(refused.has_form("/me/verification"), "what to do");
        app.unchanged_by(owner.client.send(&page, &rotation)).await.with_status(403);
        app.unchanged_by(owner.client.get(&format!("{keys}/new"))).await.with_status(403);
        let listed = owner.client.visit(&keys).await;
        assert!(!listed.links().iter().any(|link| link.ends_with("/new")));
        assert!(!owner.client.visit(&format!("{keys}/{key}")).await.has_form("/rotation"));
        // To take something away needs none.
        owner.client.post_form(&format!("{keys}/{key}/revocation"), &[]).await.assert_status(303);
    }

    async fn no_secret_that_opens_a_workspace_is_made_in_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, _) = bare_admin(&app).await;
        let (key, member, robot) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let keys = keys(&app).await;
        let newest = owner.client.visit(&format!("/w/acme/api-keys/{key}")).await;
        let version = newest.form("/rotation").values("version")[0].to_owned();
        let rotation = format!("{keys}/{key}/rotation");
        let fields = [("overlap", "0"), ("version", version.as_str())];
        // Neither by its Owner: it is done in the workspace.
        for client in [&admin, &owner.client] {
            let page = client.visit(&format!("{keys}/{key}")).await;
            page.assert_says("go to the key's page in its home workspace");
            assert!(!page.has_form("/rotation"));
            let page = app.unchanged_by(client.post_form(&rotation, &fields)).await.with_status(403);
            page.assert_says("This key is a member of workspaces").assert_says("Back to account");
        }
        // Suspended there it is a member all the same.
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member))).await;
        app.unchanged_by(admin.post_form(&rotation, &fields)).await.assert_status(403);
        app.execute(&format!("UPDATE members SET status = 'active' WHERE id = {}", app.id(member))).await;
        Api::new(&app, &robot).get(MEMBERS).await.with_status(200);
        owner.client.post_form(&format!("/w/acme/members/{member}/removal"), &[]).await.assert_status(303);
        admin.post_form(&rotation, &fields).await.assert_status(200);
    }

    async fn whether_a_key_may_create_workspaces_is_the_admins_affair(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, _) = bare_admin(&app).await;
        let keys = keys(&app).await;
        let page = make(&admin, &keys, &[("name", "Robot"), ("administers", "yes")]).await.with_status(200);
        let robot = Api::new(&app, &secret(&page));
        let key = key_of(&app, "Robot").await;
        let founding = |slug: &str| json!({"name": "Engineering", "slug": slug});
        let made = robot.post("/api/sso/v1/workspaces", &founding("engineering")).await.with_status(201).body;
        assert_eq!(made["slug"], "engineering");
        // It was at home nowhere, and is now: a request that names no workspace means this one.
        let people = robot.get(MEMBERS).await.with_status(200).body;
        assert!(people.to_string().contains("Admin Only"), "whoever answers for it is an Owner: {people}");
        robot.post("/api/sso/v1/workspaces", &founding("another")).await.with_status(201);
        let home = format!("SELECT w.slug FROM api_keys k JOIN workspaces w ON w.id = k.home_id WHERE k.id = {}", app.id(key));
        assert_eq!(app.scalar_text(&home).await.as_deref(), Some("engineering"));

        let page = owner.client.visit(&format!("{keys}/{key}")).await;
        page.assert_says("Engineering");
        let form = page.form("/administration").without("administers");
        let saved = owner.client.send(&page, &form).await;
        owner.client.follow(saved).await.assert_says("The key can no longer create workspaces.");
        robot.post("/api/sso/v1/workspaces", &founding("third")).await.with_status(403);
        let page = owner.client.visit(&format!("{keys}/{key}")).await;
        let before = recorded_events(&app, "account_id IS NOT NULL").await.len();
        let form = page.form("/administration").without("administers");
        app.unchanged_by(owner.client.send(&page, &form)).await.assert_status(303);
        assert_eq!(recorded_events(&app, "account_id IS NOT NULL").await.len(), before, "nothing changed, nothing told");
        owner.client.submit(&page, "/administration", &[("administers", "yes")]).await.assert_status(303);
        robot.post("/api/sso/v1/workspaces", &founding("third")).await.with_status(201);
        let record = owner.client.visit(keys.trim_end_matches("/api-keys")).await;
        record.assert_says("can no longer create workspaces").assert_says("can now create workspaces");
    }

    async fn a_key_that_is_revoked_in_the_account_is_dead_everywhere_and_every_workspace_is_told(app: TestApp) {
        let owner = new_owner(&app).await;
        second_workspace(&app, &owner).await;
        let (admin, _) = bare_admin(&app).await;
        let (key, _, robot) = add_key(&app, "acme", "Robot", &["owner"]).await;
        add(&owner.client, "second", key, "editor").await;
        let robot = Api::new(&app, &robot);
        let invited = json!({"emails": ["guest@example.com"], "roles": ["viewer"]});
        robot.post("/api/sso/v1/invitations", &invited).await.with_status(200);
        for slug in ["acme", "second"] {
            robot.get(&format!("{MEMBERS}?workspace={slug}")).await.with_status(200);
        }
        let keys = keys(&app).await;

        // Called otherwise it is so in every list.
        let page = admin.visit(&format!("{keys}/{key}")).await;
        let renamed = admin.submit(&page, "/details", &[("name", "Robot Two")]).await;
        admin.follow(renamed).await.assert_says("Key renamed to Robot Two.");
        owner.client.visit("/w/second/members?q=two").await.assert_says("Robot Two");

        let page = admin.visit(&format!("{keys}/{key}/revocation")).await;
        page.assert_says("acme").assert_says("Second").assert_silent_about("/w/");
        let revoked = admin.submit(&page, "/revocation", &[]).await;
        admin.follow(revoked).await.assert_says("Robot Two revoked.").assert_says("Revoked").assert_says("No workspace");

        for slug in ["acme", "second"] {
            robot.get(&format!("{MEMBERS}?workspace={slug}")).await.with_status(401);
            let page = owner.client.visit(&format!("/w/{slug}/activity?kind=api-key.revoked")).await;
            page.assert_says("Admin Only revoked the API key Robot Two");
            owner.client.visit(&format!("/w/{slug}/api-keys")).await.assert_silent_about("Robot Two");
        }
        let by_roles: BTreeSet<_> = recorded_events(&app, "workspace_id IS NOT NULL AND kind = 'api-key.revoked'").await
            .into_iter().map(|(_, payload)| payload).collect();
        assert_eq!(by_roles.len(), 2, "each with the roles that it had there: {by_roles:?}");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM members WHERE api_key_id IS NOT NULL").await, 0);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM api_key_secrets").await, 0);
        assert_eq!(app.scalar_text("SELECT status FROM invitations").await.as_deref(), Some("cancelled"));
        let kinds: Vec<_> = recorded_events(&app, "account_id IS NOT NULL").await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["api-key.added", "api-key.renamed", "api-key.revoked"]);
        assert_counted(&app).await;
        assert_chain_holds(&app).await;

        // Over is over.
        app.unchanged_by(admin.get(&format!("{keys}/{key}/revocation"))).await.assert_status(409);
        for (verb, fields) in VERBS {
            let path = format!("{keys}/{key}/{verb}");
            let page = app.unchanged_by(admin.post_form(&path, fields)).await.with_status(409);
            page.assert_says("This key was revoked.").assert_says("Back to account");
        }
        let page = admin.visit(&format!("{keys}/{key}")).await;
        assert!(VERBS.iter().all(|(verb, _)| !page.has_form(&format!("/{verb}"))));
    }

    async fn keys_are_searched_and_paged_and_say_whose_maker_left(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let keys = keys(&app).await;
        let page = developer.client.visit("/w/acme/api-keys/new").await;
        developer.client.submit(&page, "/w/acme/api-keys", &[("name", "Of a Developer")]).await.assert_status(200);
        owner.client.visit(&keys).await.assert_silent_about("No longer active");
        developer.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
        owner.client.visit(&keys).await.assert_says("No longer active");
        for n in 0..60 {
            app.clock.advance(std::time::Duration::from_millis(5));
            addable_key(&app, "acme", &format!("Robot {n:02}")).await;
        }
        let first = owner.client.visit(&keys).await;
        first.assert_says("Robot 59").assert_says("Robot 10").assert_silent_about("Robot 09");
        let next = owner.client.visit(&first.attributes("a[rel=next]", "href")[0]).await;
        next.assert_says("Robot 09").assert_says("Of a Developer").assert_silent_about("Robot 10");
        let back = owner.client.visit(&next.attributes("a[rel=prev]", "href")[0]).await;
        assert_eq!(back.select("td.main .name a"), first.select("td.main .name a"));
        let found = owner.client.visit(&format!("{keys}?q=ROBOT+07")).await;
        assert_eq!(found.select("td.main .name a"), ["Robot 07"]);
        owner.client.visit(&format!("{keys}?q=nothing")).await.assert_says("No keys match your search");
        owner.client.visit(&format!("{keys}?q=%25")).await.assert_says("No keys match your search");
    }
}

/// All that a person reaches by links from here, of the account or of the workspace.
async fn everything(client: &Client, start: &str) -> Vec<Page> {
    let (mut queue, mut seen, mut pages) = (VecDeque::from([start.to_owned()]), BTreeSet::new(), Vec::new());
    let top = &start[..3];
    while let Some(path) = queue.pop_front() {
        if !seen.insert(path.clone()) || seen.len() > 120 {
            continue;
        }
        let page = client.get(&path).await;
        let page = client.follow(page).await;
        queue.extend(page.links().into_iter().filter(|link| link.starts_with(top)));
        pages.push(page);
    }
    pages
}
