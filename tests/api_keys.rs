//! API keys as principals: the same path as people, step by step.

use crate::nouns::roles::add_role;
use crate::support::product::BuiltIn;
use crate::{support::*, world::*};
use serde_json::json;
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
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
    async fn a_key_is_admitted_as_a_person_is(app: TestApp) {
        let world = World::build(&app).await;
        let (key, member, secret) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let api = Api::new(&app, &secret);

        let listed = api.get(MEMBERS).await.with_status(200);
        let items = listed.body["items"].as_array().unwrap();
        assert!(items.iter().any(|item| item["id"] == member.to_string() && item["kind"] == "api_key"));

        // Who is none, in every way.
        let before = app.tenants().await;
        for wrong in ["", "blw_key_", &secret[..secret.len() - 1], &format!("{secret}0")] {
            api.with(Some(wrong)).get(MEMBERS).await.with_status(401);
        }
        let none = api.with(None);
        let answer = none.get(MEMBERS).await.with_status(401);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        none.send(reqwest::Method::GET, MEMBERS, None, &[("x-api-key", &secret)]).await.with_status(200);
        api.send(reqwest::Method::GET, MEMBERS, None, &[("x-api-key", &secret)]).await.with_status(401);
        // A session is no key, and a key no session.
        let session = world.person(BuiltIn::Owner).client.get(MEMBERS).await;
        session.assert_status(401);

        // Another's workspace, and one that is not there: the same.
        let elsewhere = api.get("/api/sso/v1/members?workspace=elsewhere").await.with_status(404);
        let nowhere = api.get("/api/sso/v1/members?workspace=nowhere").await.with_status(404);
        assert_eq!(elsewhere.text, nowhere.text);
        api.get("/api/sso/v1/members?workspace=acme").await.with_status(200);
        api.get("/api/sso/v1/members?workspace=acme&workspace=acme").await.with_status(422);

        // Without the permission nothing is done, and it is written down by the key's name.
        let user = world.person(BuiltIn::Viewer).user_id;
        let path = format!("/api/sso/v1/users/{user}");
        api.patch(&path, &json!({"roles": ["owner"]})).await.with_status(403);
        assert!(app.tenants().await == before);
        let refused = app.scalar_i64(&format!(
            "SELECT COUNT(*) FROM audit_events WHERE kind = 'access.refused' AND actor_kind = 'api_key'
                AND via = 'api' AND actor_id = {}", app.id(key))).await;
        assert_eq!(refused, 1);

        // Suspended, it is shut out at the next request; so it is when its workspace is.
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member))).await;
        api.get(MEMBERS).await.with_status(403);
        app.execute(&format!("UPDATE members SET status = 'active' WHERE id = {}", app.id(member))).await;
        api.get(MEMBERS).await.with_status(200);
        app.execute(&format!("UPDATE workspaces SET suspended_at = 1 WHERE id = {}", app.id(world.acme.id))).await;
        api.get(MEMBERS).await.with_status(403);
        app.execute("UPDATE workspaces SET suspended_at = NULL").await;

        // Expired, replaced or revoked, it is dead at the next request.
        let key = app.id(key);
        for (over, live) in [
            ("api_keys SET expires_at = 1 WHERE id = ", "api_keys SET expires_at = NULL WHERE id = "),
            ("api_key_secrets SET expires_at = 1 WHERE api_key_id = ", "api_key_secrets SET expires_at = NULL WHERE api_key_id = "),
            ("api_keys SET revoked_at = 1 WHERE id = ", "api_keys SET revoked_at = NULL WHERE id = "),
        ] {
            app.execute(&format!("UPDATE {over}{key}")).await;
            api.get(MEMBERS).await.with_status(401);
            app.execute(&format!("UPDATE {live}{key}")).await;
            api.get(MEMBERS).await.with_status(200);
        }

        // Gone from its home it must say where.
        app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await;
        let answer = api.get(MEMBERS).await.with_status(422);
        assert_eq!(answer.body["errors"][0]["field"], "workspace");
        api.get("/api/sso/v1/members?workspace=acme").await.with_status(404);
    }

    async fn a_key_changes_roles_by_the_rules_for_people(app: TestApp) {
        let world = World::build(&app).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let viewer = world.person(BuiltIn::Viewer);
        let roles = async || app.scalar_text(&format!(
            "SELECT role_set FROM members WHERE id = {}", app.id(viewer.member_id))).await.unwrap();

        let path = format!("/api/sso/v1/users/{}", viewer.user_id);
        admin.patch(&path, &json!({"roles": ["developer", "viewer"]})).await.with_status(200);
        assert_eq!(roles().await, "developer viewer");
        let before = app.tenants().await;
        // Over its head, above it, unknown, malformed.
        admin.patch(&path, &json!({"roles": ["owner"]})).await.with_status(403);
        let owner = format!("/api/sso/v1/users/{}", world.person(BuiltIn::Owner).user_id);
        admin.patch(&owner, &json!({"roles": ["viewer"]})).await.with_status(403);
        let outsider = format!("/api/sso/v1/users/{}", world.outsider.user_id);
        admin.patch(&outsider, &json!({"roles": ["viewer"]})).await.with_status(404);
        admin.patch(&path, &json!({"roles": ["nothing"]})).await.with_status(422);
        admin.patch(&path, &json!({"roles": []})).await.with_status(422);
        admin.patch(&path, &json!({"roles": ["viewer"], "is_admin": true})).await.with_status(422);
        admin.patch(&path, &json!({"roles": "viewer"})).await.with_status(422);
        for broken in ["", "{", "[[\"viewer\"]]", "\"roles\"", "null"] {
            admin.send(reqwest::Method::PATCH, &path, Some(broken.to_owned()), &[]).await.with_status(400);
        }
        assert!(app.tenants().await == before);
    }

    async fn a_key_stays_in_its_account_and_a_membership_whose_it_is(app: TestApp) {
        let world = World::build(&app).await;
        let (key, member, _) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let (key, member) = (app.id(key), app.id(member));
        let there = app.id(world.elsewhere.id);
        let id = app.id(UNKNOWN);
        let insert = format!(
            "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as)
            VALUES ({id}, {there}, 'api_key', {key}, 'active', 'account', 1, 'robot')");
        assert!(app.try_execute(&insert).await.is_err());
        for change in [
            format!("UPDATE members SET workspace_id = {there} WHERE id = {member}"),
            format!("UPDATE members SET kind = 'user' WHERE id = {member}"),
            format!("UPDATE members SET user_id = {} WHERE id = {}", app.id(world.outsider.user_id), app.id(world.acme.id("member"))),
            format!("UPDATE api_keys SET account_id = (SELECT account_id FROM workspaces WHERE id = {there}) WHERE id = {key}"),
        ] {
            assert!(app.try_execute(&change).await.is_err(), "{change}");
        }
    }

    async fn a_secret_is_looked_at_for_a_service(app: TestApp) {
        founder(&app).await;
        let (key, member, secret) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let anybody = Api::new(&app, &secret).with(None);
        let verify = "/api/sso/v1/apikeys/verify";

        let claims = anybody.post(verify, &json!({"api_key": secret})).await.with_status(200).body;

        assert_eq!(claims["sub"], format!("api_key:{key}"));
        assert_eq!(claims["roles"], json!(["developer"]));
        let scopes: Vec<&str> = claims["scopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert!(scopes.contains(&"write:code") && scopes.contains(&"read:members") && !scopes.contains(&"read:audit"));
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member))).await;
        let claims = anybody.post(verify, &json!({"api_key": secret})).await.with_status(200).body;
        assert_eq!(claims["scopes"], json!([]));
        app.execute("UPDATE api_keys SET revoked_at = 1").await;
        anybody.post(verify, &json!({"api_key": secret})).await.with_status(401);
        anybody.post(verify, &json!({"api_key": "nothing"})).await.with_status(401);
        anybody.post(verify, &json!({})).await.with_status(422);
    }

    async fn a_secret_is_told_once_and_stands_nowhere_afterwards(app: TestApp) {
        let owner = founder(&app).await;
        let page = owner.client.visit(&format!("{KEYS}/new")).await;
        let form = page.form(KEYS).fill(&[("name", "Robot")]);
        assert_eq!((form.values("role"), form.values("expiry")), (vec!["viewer"], vec!["90"]));

        let told = owner.client.send(&page, &form).await.with_status(200);

        let first = secret(&told);
        assert!(first.starts_with("blw_key_") && told.header("cache-control") == Some("no-store"));
        assert!(told.attributes("#curl", "value")[0].ends_with("/api/sso/v1/apikeys/self"));
        let api = Api::new(&app, &first);
        assert_eq!(api.get("/api/sso/v1/apikeys/self").await.with_status(200).body["name"], "Robot");
        api.get(MEMBERS).await.with_status(200);
        let key = key_of(&app, "Robot").await;
        let expires = app.scalar_i64("SELECT expires_at - created_at FROM api_keys").await;
        assert_eq!(expires, 90 * DAY);

        // Loaded again, the page that told it makes no second one.
        let again = app.unchanged_by(owner.client.send(&page, &form)).await;
        again.assert_status(409).assert_says("You made a key since this form was opened");
        let second = secret(&rotate(&owner.client, key, "24").await.with_status(200));
        api.with(Some(&second)).get(MEMBERS).await.with_status(200);

        assert!(!owner.client.cookies().iter().any(|cookie| cookie.contains("blw_key_")));
        let pages = everything(&owner.client, "/w/acme").await;
        assert!(pages.iter().any(|page| page.path().ends_with(&format!("/api-keys/{key}"))) && pages.len() > 20);
        app.mail_is_out().await;
        let rows = format!("{:?}", app.snapshot(&app.catalogue().await.all()).await);
        for secret in [&first, &second] {
            // All but the last characters, which lists show.
            let canary = &secret[8..76];
            for page in &pages {
                page.assert_silent_about(canary);
            }
            assert!(!rows.contains(canary));
            assert!(!app.mail.all().iter().any(|letter| letter.raw.contains(canary)));
        }
        let listed = owner.client.visit(KEYS).await;
        listed.assert_says(&format!("blw_key_…{}", &second[second.len() - 4..])).assert_says("Two secrets until");
    }

    async fn what_is_wrong_with_a_new_key_is_told_at_its_field(app: TestApp) {
        let owner = founder(&app).await;
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
        let page = owner.client.visit(&format!("{KEYS}/new")).await;
        let none = page.form(KEYS).fill(&[("name", "A")]).without("role");
        let page = app.unchanged_by(owner.client.send(&page, &none)).await.with_status(422);
        assert!(page.field_error("role").is_some());

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
        page.assert_says("Only an Owner can give, take or manage the Owner role.");
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

    async fn nobody_makes_a_secret_with_an_unconfirmed_address(app: TestApp) {
        let owner = founder(&app).await;
        let (key, ..) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        let rotation = page.form("/rotation");
        app.execute("UPDATE users SET email_verified_at = NULL").await;

        let fields = [("name", "A"), ("role", "viewer"), ("made", "1")];
        let refused = app.unchanged_by(owner.client.post_form(KEYS, &fields)).await.with_status(403);
        refused.assert_says("Confirm your e-mail address first");
        assert!(refused.has_form("/me/verification"), "what to do");
        app.unchanged_by(owner.client.send(&page, &rotation)).await.with_status(403);
        assert!(owner.client.get(&format!("{KEYS}/new")).await.with_status(403).has_form("/me/verification"));
        let listed = owner.client.visit(KEYS).await;
        assert!(!listed.links().iter().any(|link| link.ends_with("/new")));
        assert!(!owner.client.visit(&format!("{KEYS}/{key}")).await.has_form("/rotation"));
    }

    async fn who_takes_a_key_over_reaches_as_far_as_it_does_in_every_workspace(app: TestApp) {
        let owner = founder(&app).await;
        let admin = member(&app, &owner, "admin").await;
        second_workspace(&app, &owner).await;
        let (key, key_member, robot) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let page = owner.client.visit("/w/second/api-keys/addition").await;
        let id = key.to_string();
        let added = owner.client.submit(&page, "/addition", &[("key", &id), ("role", "viewer")]).await;
        owner.client.follow(added).await.assert_says("Robot is a member of this workspace now.");
        let robot = Api::new(&app, &robot);
        robot.get(&format!("{MEMBERS}?workspace=second")).await.with_status(200);

        let page = admin.client.visit(&format!("{KEYS}/{key}")).await;
        page.assert_says("also a member of a workspace in which your roles don't reach that far");
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

        // Out of this one workspace it can be taken at any time, and goes on in the other.
        let removal = format!("/w/acme/members/{key_member}/removal");
        let page = admin.client.visit(&removal).await;
        page.assert_says("The key itself stays in the account").assert_says("Remove API Key");
        admin.client.submit(&page, &removal, &[]).await.assert_status(303);
        robot.get(MEMBERS).await.with_status(422);
        robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(404);
        robot.get(&format!("{MEMBERS}?workspace=second")).await.with_status(200);

        // Revoked there, it is dead everywhere; where it was a member too, it is listed as such.
        let page = owner.client.visit(&format!("{KEYS}/addition")).await;
        owner.client.submit(&page, "/addition", &[("key", &id)]).await.assert_status(303);
        let path = format!("/w/second/api-keys/{key}/revocation");
        let page = owner.client.visit(&path).await.assert_says("It ends in 1 other workspace too").clone();
        owner.client.submit(&page, "/revocation", &[]).await.assert_status(303);
        robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(401);
        owner.client.visit(KEYS).await.assert_says("Robot Two").assert_says("Revoked");
        owner.client.visit("/w/second/api-keys").await.assert_silent_about("Robot Two");
    }

    async fn only_who_administers_the_account_makes_a_key_that_does(app: TestApp) {
        let owner = founder(&app).await;
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

    async fn the_secret_before_goes_on_as_long_as_was_chosen(app: TestApp) {
        let owner = founder(&app).await;
        let (key, _, first) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let first = Api::new(&app, &first);
        let second = first.with(Some(&secret(&rotate(&owner.client, key, "1").await.with_status(200))));
        app.clock.advance(Duration::from_secs(3_590));
        first.get(MEMBERS).await.with_status(200);
        second.get(MEMBERS).await.with_status(200);
        app.clock.advance(Duration::from_secs(10));
        first.get(MEMBERS).await.with_status(401);
        second.get(MEMBERS).await.with_status(200);

        let told = rotate(&owner.client, key, "0").await.with_status(200);
        told.assert_says("The secret before stopped working just now.");
        second.get(MEMBERS).await.with_status(401);
        first.with(Some(&secret(&told))).get(MEMBERS).await.with_status(200);
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        let wrong = page.form("/rotation").fill(&[("overlap", "999")]);
        app.unchanged_by(owner.client.send(&page, &wrong)).await.with_status(422);
        // From a page that is out of date, nothing is ended.
        rotate(&owner.client, key, "168").await.assert_status(200);
        let stale = app.unchanged_by(owner.client.send(&page, &page.form("/rotation"))).await;
        stale.with_status(409).assert_says("The key has been given another secret since you opened this page");
        let said = owner.client.visit("/w/acme/activity?kind=api-key.rotated").await;
        said.assert_says("gave another secret to the API key Robot, the one before works until");
        said.assert_says("the one before ended at once");
    }

    async fn the_last_use_is_written_once_a_minute_at_most(app: TestApp) {
        founder(&app).await;
        let (.., secret) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let api = Api::new(&app, &secret);
        let written = async || {
            let sql = "SELECT COALESCE(MAX(last_used_at), 0) FROM api_keys";
            let (started, due) = (Instant::now(), app.clock.now_ms());
            while app.scalar_i64(sql).await < due {
                assert!(started.elapsed() < Duration::from_secs(15), "the use was not written down");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        api.get(MEMBERS).await.with_status(200);
        written().await;
        app.heard();
        app.clock.advance(Duration::from_secs(50));
        for _ in 0..20 {
            api.get(MEMBERS).await.with_status(200);
        }
        app.clock.advance(Duration::from_secs(20));
        api.get(MEMBERS).await.with_status(200);
        written().await;
        let writes = app.heard().iter().filter(|s| s.sql.starts_with("UPDATE api_keys SET last_used_at")).count();
        assert_eq!(writes, 1);
    }

    async fn keys_stay_when_their_maker_goes_or_are_revoked_all_together(app: TestApp) {
        let owner = founder(&app).await;
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
        let page = admin.client.visit(&removal).await.assert_says("2 API keys that they made are members here").clone();
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

        // Kept, unless asked otherwise, and marked.
        let page = admin.client.visit(&removal).await;
        admin.client.submit(&page, &removal, &[]).await.assert_status(303);
        for robot in [&one, &two] {
            robot.get(MEMBERS).await.with_status(200);
        }
        owner.client.visit(KEYS).await.assert_says("Not here any more");

        // Back again, they leave with their keys.
        let developer =
            accept_again(&app, &owner, developer).await;
        let page = developer.client.visit("/w/acme/departure").await;
        page.assert_says("2 API keys that you made are members here");
        let left = developer.client.submit(&page, "/departure", &revoke).await;
        developer.client.follow(left).await.assert_says("You left acme. 2 API keys are revoked.");
        for robot in [&one, &two] {
            robot.get(MEMBERS).await.with_status(401);
        }
        let told = owner.client.visit("/w/acme/activity?kind=api-key.revoked").await;
        told.assert_says("Developer One revoked the API key Robot One").assert_says("Robot Two");
    }

    async fn a_key_among_the_members_reads_as_one(app: TestApp) {
        let owner = founder(&app).await;
        let (key, id, _) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let (_, other, _) = add_key(&app, "acme", "Another", &["viewer"]).await;
        let list = owner.client.visit("/w/acme/members?kind=api_key").await;
        assert_eq!(list.select("tbody .name"), ["Another", "Robot"]);
        assert_eq!(list.select("tbody .avatar").iter().filter(|letters| !letters.is_empty()).count(), 0);
        owner.client.visit("/w/acme/members?kind=user").await.assert_silent_about("Robot").assert_says("Person");

        // An Owner that is a key keeps no workspace in hands.
        let path = format!("/w/acme/members/{}", owner.member_id);
        app.unchanged_by(owner.client.post_form(&format!("{path}/roles"), &[("role", "viewer")])).await.with_status(409);
        app.unchanged_by(owner.client.post_form("/w/acme/departure", &[])).await.with_status(409);
        let path = format!("/w/acme/members/{id}");
        let page = owner.client.visit(&path).await;
        page.assert_silent_about("is the only Owner").assert_says("What it did");
        assert!(page.links().contains(&format!("{KEYS}/{key}")) && !page.has_form("/ownership-offer"));
        let other_path = format!("/w/acme/members/{other}");
        assert!(!owner.client.visit(&other_path).await.has_form("/ownership-offer"));
        let offer = format!("{other_path}/ownership-offer");
        app.unchanged_by(owner.client.post_form(&offer, &[])).await.with_status(403);

        // Two of them in one go: roles, a suspension, an end.
        let (first, second) = (id.to_string(), other.to_string());
        let both = [("member", first.as_str()), ("member", second.as_str())];
        let at = |verb: &str| format!("/w/acme/members/selection/{verb}");
        let fields: Vec<_> = both.iter().copied().chain([("role", "editor")]).collect();
        owner.client.post_form(&at("roles"), &fields).await.assert_status(303);
        owner.client.post_form(&at("suspension"), &both).await.assert_status(303);
        let listed = owner.client.visit(KEYS).await;
        assert_eq!(listed.select("tbody .status"), ["Suspended", "Suspended"]);
        owner.client.post_form(&format!("{path}/reactivation"), &[]).await.assert_status(303);
        let review = owner.client.visit(&format!("{}?member={first}&member={second}", at("removal"))).await;
        review.assert_says("The API keys among them stay in the account");
        owner.client.post_form(&at("removal"), &both).await.assert_status(303);
        owner.client.visit(KEYS).await.assert_says("No API keys yet");
        app.mail_is_out().await;
        assert!(app.mail.all().iter().all(|letter| !letter.to.is_empty()));
        assert!(app.mail.all().iter().all(|letter| letter.to.iter().all(|to| to.contains('@'))));
    }

    async fn people_are_counted_and_keys_are_said_apart(app: TestApp) {
        let owner = founder(&app).await;
        add_key(&app, "acme", "Robot", &["viewer"]).await;
        let page = owner.client.visit("/w/acme").await;
        assert_eq!(page.select(".tile .figure")[0], "1");
        page.assert_says("beside 1 API key");
        let page = owner.client.visit("/w/acme/security").await;
        let reach = page.select("#p-read-members .reach");
        assert_eq!(reach, ["1 person, 1 key"]);
        assert_eq!(page.select("#p-delete-teams .reach"), ["1 person"]);
    }
}

/// Somebody who was removed is invited again, and comes back.
async fn accept_again(app: &TestApp, owner: &Person, who: Person) -> Person {
    invite(&owner.client, "acme", &who.email, &["developer"]).await;
    app.mail_is_out().await;
    accept_invitation(app, &who.client, &who.email).await.assert_status(303);
    person(app, who.client, &who.name, &who.email, "acme").await
}
