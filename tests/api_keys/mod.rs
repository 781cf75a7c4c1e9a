//! API keys as principals: the same path as people, step by step.

mod elsewhere;
mod home;
mod members;
mod search;
mod secrets;
mod vouching;

use crate::nouns::roles::add_role;
use crate::support::product::BuiltIn;
use crate::{support::*, world::*};
use serde_json::json;
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};
use uuid::Uuid;

/// Where each of these is asked for with a key.
const MEMBERS: &str = "/api/sso/v1/members";
/// The pages of the keys.
const KEYS: &str = "/w/acme/api-keys";

/// Makes a key by the page.
async fn make(by: &Client, fields: &[(&str, &str)]) -> Page {
    let page = by.visit(&format!("{KEYS}/new")).await;
    by.submit(&page, KEYS, fields).await
}

fn secret(page: &Page) -> String {
    page.attributes("#secret", "value").remove(0)
}

async fn key_of(app: &TestApp, name: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM api_keys WHERE name = {}", quoted(name))).await
}

/// Gives the key another secret by its page.
async fn rotate(by: &Client, key: Uuid, overlap: &str) -> Page {
    let page = by.visit(&format!("{KEYS}/{key}")).await;
    by.submit(&page, "/rotation", &[("overlap", overlap)]).await
}

/// All that a person reaches by links from here.
async fn everything(client: &Client, start: &str) -> Vec<Page> {
    let (mut queue, mut seen, mut pages) = (VecDeque::from([start.to_owned()]), BTreeSet::new(), Vec::new());
    while let Some(path) = queue.pop_front() {
        if !seen.insert(path.clone()) || seen.len() > 120 {
            continue;
        }
        let page = client.get(&path).await;
        let page = client.follow(page).await;
        queue.extend(page.links().into_iter().filter(|link| link.starts_with("/w/")));
        pages.push(page);
    }
    pages
}

/// A second workspace in the account of acme, founded by the same Owner.
async fn second_workspace(app: &TestApp, owner: &Person) {
    let account = app.scalar_uuid("SELECT account_id FROM workspaces WHERE slug = 'acme'").await.to_string();
    let fields = [("name", "Second"), ("slug", "second"), ("account", account.as_str())];
    owner.client.post_form("/workspaces", &fields).await.assert_status(303);
}

both! {
    async fn what_is_wrong_with_a_new_key_is_told_at_its_field(app: TestApp) {
        let owner = new_owner(&app).await;
        for (fields, field) in [
            (&[("name", "")][..], "name"),
            (&[("name", "A"), ("role", "nothing")], "role"),
            (&[("name", "A"), ("expiry", "5")], "expiry"),
            (&[("name", "A"), ("expiry", "date")], "expires_at"),
            (&[("name", "A"), ("expiry", "date"), ("expires_at", "2020-01-01")], "expires_at"),
            (&[("name", "A"), ("expiry", "date"), ("expires_at", "tomorrow")], "expires_at"),
            (&[("name", "A"), ("expiry", "30"), ("expires_at", "2100-01-01")], "expires_at"),
        ] {
            let page = app.unchanged_by(make(&owner.client, fields)).await.with_status(422);
            assert!(page.field_error(field).is_some(), "{fields:?}: {}", page.text());
            assert_eq!(page.field_value("name").as_deref(), Some(fields[0].1));
        }

        let day = [("name", "A"), ("expiry", "date"), ("expires_at", "2100-01-31")];
        make(&owner.client, &day).await.assert_status(200);
        assert_eq!(app.scalar_i64("SELECT expires_at FROM api_keys").await, 4_105_123_200_000);
        make(&owner.client, &[("name", "B"), ("expiry", "never")]).await.assert_status(200);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM api_keys WHERE expires_at IS NULL").await, 1);
        // No longer than it says.
        let told = make(&owner.client, &[("name", "C"), ("expiry", "30")]).await;
        let api = Api::new(&app, &secret(&told));
        app.clock.advance(Duration::from_secs(30 * 86_400 - 60));
        api.get(MEMBERS).await.with_status(200);
        app.clock.advance(Duration::from_secs(60));
        api.get(MEMBERS).await.with_status(401);
    }

    async fn nobody_makes_adds_or_takes_over_a_key_above_themselves(app: TestApp) {
        let world = World::build(&app).await;
        let developer = &world.person(BuiltIn::Developer).client;
        let (above, waiting) = (world.acme.above("key"), world.acme.id("waiting_key").to_string());
        let refused = async |path: String, fields: &[(&str, &str)]| {
            app.unchanged_by(developer.post_form(&path, fields)).await.with_status(403);
        };
        for role in ["admin", "owner", "editor"] {
            refused(KEYS.into(), &[("name", "A"), ("role", role), ("role", "viewer"), ("made", "0")]).await;
            refused(format!("{KEYS}/addition"), &[("key", &waiting), ("role", role)]).await;
        }
        let version = world.person(BuiltIn::Owner).client.visit(&format!("{KEYS}/{above}")).await;
        let version = version.form("/rotation").values("version")[0].to_owned();
        refused(format!("{KEYS}/{above}/rotation"), &[("overlap", "0"), ("version", &version)]).await;
        refused(format!("{KEYS}/{above}/revocation"), &[]).await;
        refused(format!("{KEYS}/{above}/details"), &[("name", "Mine")]).await;
        let page = developer.visit(&format!("{KEYS}/{above}")).await;
        assert!(!page.has_form("/rotation") && !page.has_form("/details"));
        page.assert_says("Only an Owner can assign, remove or manage the Owner role.");
        app.unchanged_by(developer.get(&format!("{KEYS}/{above}/revocation"))).await.with_status(403);
        // Whose roles show too: nothing of a key of another account can be added, seen or ended.
        let foreign = world.elsewhere.id("key");
        for key in [foreign, world.elsewhere.id("waiting_key"), world.acme.id("waiting_key"), UNKNOWN] {
            for (verb, fields) in [
                ("rotation", &[("overlap", "0"), ("version", "0-test")][..]),
                ("revocation", &[]),
                ("details", &[("name", "Mine")]),
            ] {
                let path = format!("{KEYS}/{key}/{verb}");
                app.unchanged_by(developer.post_form(&path, fields)).await.with_status(404);
            }
            developer.get(&format!("{KEYS}/{key}")).await.with_status(404);
        }
        for key in [foreign, world.elsewhere.id("waiting_key"), UNKNOWN] {
            let fields = [("key", key.to_string()), ("role", "viewer".to_owned())];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            let page = app.unchanged_by(developer.post_form(&format!("{KEYS}/addition"), &fields)).await;
            assert!(page.with_status(422).field_error("key").is_some());
        }
        // One that is here already, and one that is over.
        let fields = [("key", world.acme.id("key").to_string()), ("role", "viewer".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        app.unchanged_by(developer.post_form(&format!("{KEYS}/addition"), &fields)).await.with_status(409);
        app.execute("UPDATE api_keys SET revoked_at = 1").await;
        let fields = [("key", waiting.as_str()), ("role", "viewer")];
        app.unchanged_by(developer.post_form(&format!("{KEYS}/addition"), &fields)).await.with_status(422);
        let key = world.acme.id("key");
        app.unchanged_by(developer.post_form(&format!("{KEYS}/{key}/revocation"), &[])).await.with_status(409);
        let page = developer.visit(&format!("{KEYS}/{key}")).await.assert_says("Revoked").clone();
        assert!(!page.has_form("/rotation"));
    }

    async fn who_takes_a_key_over_reaches_as_far_as_it_does_in_every_workspace(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        second_workspace(&app, &owner).await;
        let (key, key_member, robot) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let page = owner.client.visit("/w/second/api-keys/addition").await;
        let id = key.to_string();
        let added = owner.client.submit(&page, "/addition", &[("key", &id), ("role", "viewer")]).await;
        owner.client.follow(added).await.assert_says("Robot is now a member of this workspace.");
        let robot = Api::new(&app, &robot);
        robot.get(&format!("{MEMBERS}?workspace=second")).await.with_status(200);

        // At its home they would decide about it, whatever it can do in others.
        let at_home = |slug: &str| format!("UPDATE api_keys SET home_id = (SELECT id FROM workspaces WHERE slug = '{slug}')");
        app.execute(&at_home("second")).await;
        let page = admin.client.visit(&format!("{KEYS}/{key}")).await;
        page.assert_says("also a member of a workspace where your roles don't allow this");
        assert!(!page.has_form("/rotation"));
        let version = owner.client.visit(&format!("{KEYS}/{key}")).await;
        let version = version.form("/rotation").values("version")[0].to_owned();
        let attempts = async |status| {
            for (verb, fields) in [
                ("rotation", &[("overlap", "0"), ("version", version.as_str())][..]),
                ("revocation", &[]),
                ("details", &[("name", "Mine")]),
            ] {
                let path = format!("{KEYS}/{key}/{verb}");
                app.unchanged_by(admin.client.post_form(&path, fields)).await.with_status(status);
            }
        };
        attempts(403).await;
        // Neither is it enough to belong there, without what the key holds or without the permission.
        let there = add_member(&app, "second", admin.user_id, "active", &["billing"]).await;
        attempts(403).await;
        add_role(&app, "second", "reader", "Reader", &BuiltIn::Viewer.grants()).await;
        let set = async |role: &str| {
            let path = format!("/w/second/members/{there}/roles");
            owner.client.post_form(&path, &[("role", role)]).await.assert_status(303);
        };
        set("reader").await;
        attempts(403).await;
        set("developer").await;
        let suspended = format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(there));
        app.execute(&suspended).await;
        attempts(403).await;
        app.execute(&suspended.replace("'suspended'", "'active'")).await;
        admin.client.post_form(&format!("{KEYS}/{key}/details"), &[("name", "Robot Two")]).await.assert_status(303);
        // One that administers the account is its admins' affair.
        app.execute("UPDATE api_keys SET is_admin = (1 = 1)").await;
        attempts(403).await;
        app.execute("UPDATE api_keys SET is_admin = (1 = 0)").await;

        app.execute(&at_home("acme")).await;
        // Out of this one workspace it can be taken at any time, and goes on in the other.
        let removal = format!("/w/acme/members/{key_member}/removal");
        let page = admin.client.visit(&removal).await;
        page.assert_says("The key stays in the account").assert_says("Remove API Key");
        admin.client.submit(&page, &removal, &[]).await.assert_status(303);
        robot.get(MEMBERS).await.with_status(422);
        robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(404);
        robot.get(&format!("{MEMBERS}?workspace=second")).await.with_status(200);

        // Revoked there, it is dead everywhere; where it was a member too, it is listed as such.
        let page = owner.client.visit(&format!("{KEYS}/addition")).await;
        owner.client.submit(&page, "/addition", &[("key", &id)]).await.assert_status(303);
        let path = format!("/w/second/api-keys/{key}/revocation");
        let page = owner.client.visit(&path).await.assert_says("It is revoked in 1 other workspace too").clone();
        owner.client.submit(&page, "/revocation", &[]).await.assert_status(303);
        robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(401);
        owner.client.visit(KEYS).await.assert_says("Robot Two").assert_says("Revoked");
        owner.client.visit("/w/second/api-keys").await.assert_silent_about("Robot Two");
    }

    async fn only_who_administers_the_account_makes_a_key_that_does(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let engineering = json!({"name": "Engineering", "slug": "engineering"});
        let workspaces = "/api/sso/v1/workspaces";

        let page = developer.client.visit(&format!("{KEYS}/new")).await;
        assert!(page.attributes("input[name=administers]", "value").is_empty());
        let known = page.form(KEYS).values("made")[0].to_owned();
        let fields = [("name", "Forged"), ("role", "developer"), ("administers", "yes"), ("made", known.as_str())];
        app.unchanged_by(developer.client.post_form(KEYS, &fields)).await.with_status(403);

        let page = make(&owner.client, &[("name", "Plain"), ("role", "owner")]).await.with_status(200);
        let plain = Api::new(&app, &secret(&page));
        plain.post(workspaces, &engineering).await.with_status(403);
        let wider = json!({"name": "Wider", "roles": ["viewer"], "is_account_admin": true});
        plain.post("/api/sso/v1/apikeys", &wider).await.with_status(403);

        let page = make(&owner.client, &[("name", "Admin"), ("role", "owner"), ("administers", "yes")]).await;
        let admin = Api::new(&app, &secret(&page.with_status(200)));
        let made = admin.post(workspaces, &engineering).await.with_status(201).body;
        assert_eq!(made["slug"], "engineering");
        owner.client.visit("/w/engineering/members").await.assert_says("Admin").assert_says("Owner One");
        admin.post("/api/sso/v1/apikeys", &wider).await.with_status(201);
        // Its own maker takes it over, being an admin; no more once they are none.
        let key = key_of(&app, "Admin").await;
        rotate(&owner.client, key, "0").await.with_status(200);
        let other = add_user(&app, "Other Admin", "other-admin@example.com").await;
        add_to_account(&app, "acme", other).await;
        app.execute(&format!("UPDATE account_people SET is_admin = (1 = 1) WHERE user_id = {}", app.id(other))).await;
        app.execute(&format!("UPDATE account_people SET is_admin = (1 = 0) WHERE user_id = {}", app.id(owner.user_id))).await;
        assert!(!owner.client.visit(&format!("{KEYS}/{key}")).await.has_form("/rotation"));
        app.unchanged_by(owner.client.post_form(&format!("{KEYS}/{key}/revocation"), &[])).await.with_status(403);
    }

    async fn keys_stay_members_when_their_maker_goes_or_are_revoked_all_together(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let developer = member(&app, &owner, "developer").await;
        let told = make(&developer.client, &[("name", "Robot One")]).await.with_status(200);
        let one = Api::new(&app, &secret(&told));
        let told = make(&developer.client, &[("name", "Robot Two"), ("role", "developer")]).await;
        let two = Api::new(&app, &secret(&told));
        let removal = format!("/w/acme/members/{}/removal", developer.member_id);
        let revoke = [("keys", "revoke")];

        // One of them is above who removes: nobody is removed, and none is revoked.
        let sql = format!("SELECT id FROM members WHERE api_key_id = {}", app.id(key_of(&app, "Robot Two").await));
        let roles = format!("/w/acme/members/{}/roles", app.scalar_uuid(&sql).await);
        owner.client.post_form(&roles, &[("role", "owner")]).await.assert_status(303);
        let page = admin.client.visit(&removal).await.assert_says("2 API keys depend on them").clone();
        assert!(page.has("input[name=keys][value=revoke][disabled]"));
        app.unchanged_by(admin.client.post_form(&removal, &revoke)).await.with_status(403);
        app.unchanged_by(admin.client.post_form(&removal, &[("keys", "eat")])).await.with_status(422);
        owner.client.post_form(&roles, &[("role", "developer")]).await.assert_status(303);
        // Nor by who may remove people, and not manage keys.
        app.execute("DELETE FROM grants WHERE scope = 'manage:api-keys'").await;
        let refused = app.unchanged_by(admin.client.post_form(&removal, &revoke)).await.with_status(403);
        refused.assert_says("Manage API keys");
        let sql = "INSERT INTO grants (workspace_id, role_id, scope) SELECT workspace_id, id, 'manage:api-keys'
            FROM roles WHERE slug IN ('admin', 'developer')";
        assert_eq!(app.execute(sql).await, 2);

        // Kept, but for the secrets that the maker knows, and marked.
        let page = admin.client.visit(&removal).await;
        admin.client.submit(&page, &removal, &[]).await.assert_status(303);
        for robot in [&one, &two] {
            robot.get(MEMBERS).await.with_status(403);
        }
        owner.client.visit(KEYS).await.assert_says("No longer active").assert_says("A former member knows a secret");

        // Back again, they can use them again, and leave with them.
        let developer =
            accept_again(&app, &owner, developer).await;
        let page = developer.client.visit("/w/acme/departure").await;
        page.assert_says("2 API keys depend on you");
        one.get(MEMBERS).await.with_status(200);
        let left = developer.client.submit(&page, "/departure", &revoke).await;
        developer.client.follow(left).await.assert_says("You left acme. 2 API keys revoked.");
        for robot in [&one, &two] {
            robot.get(MEMBERS).await.with_status(401);
        }
        let told = owner.client.visit("/w/acme/activity?kind=api-key.revoked").await;
        told.assert_says("Developer One revoked the API key Robot One").assert_says("Robot Two");
    }
}

/// Somebody who was removed is invited again, and comes back.
async fn accept_again(app: &TestApp, owner: &Person, who: Person) -> Person {
    invite(&owner.client, "acme", &who.email, &["developer"]).await;
    app.mail_is_out().await;
    accept_invitation(app, &who.client, &who.email).await.assert_status(303);
    person(app, who.client, &who.name, &who.email, "acme").await
}
