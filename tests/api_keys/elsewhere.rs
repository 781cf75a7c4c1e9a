//! A key of this workspace that somebody took to another: its home still ends and replaces it, decides about it after
//! it was removed, and learns where it goes.

use super::{home::found, *};
use crate::races::assert_chain_holds;

/// The workspace of somebody who manages keys in acme, of which nobody else there is a member.
const ELSEWHERE: &str = "quarry";

/// Adds a key to a workspace by the form there.
async fn add(by: &Client, slug: &str, key: Uuid, role: &str) -> Page {
    let key = key.to_string();
    let fields = [("key", key.as_str()), ("role", role)];
    by.post_form(&format!("/w/{slug}/api-keys/addition"), &fields).await
}

/// A Developer of acme who took its key Production, a Developer too, to a workspace of their own as an Owner. Returns
/// them, the key and its secret.
async fn taken_elsewhere(app: &TestApp, owner: &Person) -> (Person, Uuid, String) {
    let developer = member(app, owner, "developer").await;
    let (key, _, secret) = add_key(app, "acme", "Production", &["developer"]).await;
    found(app, &developer.client, ELSEWHERE).await;
    add(&developer.client, ELSEWHERE, key, "owner").await.assert_status(303);
    (developer, key, secret)
}

/// How many memberships a key has in a workspace.
async fn memberships(app: &TestApp, key: Uuid, slug: &str) -> i64 {
    app.scalar_i64(&format!(
        "SELECT count(*) FROM members m JOIN workspaces w ON w.id = m.workspace_id
        WHERE w.slug = '{slug}' AND m.api_key_id = {}",
        app.id(key)
    ))
    .await
}

both! {
    async fn the_home_revokes_and_renames_a_key_whatever_it_can_do_elsewhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let (developer, key, secret) = taken_elsewhere(&app, &owner).await;
        let robot = Api::new(&app, &secret);
        robot.get(&format!("{MEMBERS}?workspace={ELSEWHERE}")).await.with_status(200);
        let at = |noun: &str| format!("{KEYS}/{key}/{noun}");

        // What it can do in the account is for the account's admins to decide.
        app.execute("UPDATE api_keys SET is_admin = (1 = 1)").await;
        app.unchanged_by(admin.client.post_form(&at("revocation"), &[])).await.assert_status(403);
        app.execute("UPDATE api_keys SET is_admin = (1 = 0)").await;
        // Nobody who holds less than it does here.
        let above = format!("SELECT id FROM members WHERE api_key_id = {} AND origin = 'account'", app.id(key));
        let here = app.scalar_uuid(&format!("{above} AND workspace_id = (SELECT id FROM workspaces WHERE slug = 'acme')")).await;
        owner.client.post_form(&format!("/w/acme/members/{here}/roles"), &[("role", "owner")]).await.assert_status(303);
        app.unchanged_by(admin.client.post_form(&at("revocation"), &[])).await.assert_status(403);
        owner.client.post_form(&format!("/w/acme/members/{here}/roles"), &[("role", "developer")]).await.assert_status(303);

        admin.client.post_form(&at("details"), &[("name", "Ours")]).await.assert_status(303);
        let page = admin.client.visit(&at("revocation")).await;
        page.assert_says("It is revoked in 1 other workspace too").assert_silent_about(ELSEWHERE);
        admin.client.submit(&page, "/revocation", &[]).await.assert_status(303);

        for slug in ["acme", ELSEWHERE] {
            robot.get(&format!("{MEMBERS}?workspace={slug}")).await.with_status(401);
        }
        // Its Owners learn of it.
        let record = developer.client.visit(&format!("/w/{ELSEWHERE}/activity?kind=api-key.revoked")).await;
        record.assert_says(&admin.name).assert_says("revoked the API key Ours").assert_says("Owner");
        developer.client.visit(&format!("/w/{ELSEWHERE}/api-keys")).await.assert_says("Ours").assert_says("Revoked");
        assert_chain_holds(&app).await;
    }

    async fn a_program_of_the_home_revokes_a_key_that_it_has_seen(app: TestApp) {
        let owner = new_owner(&app).await;
        let (_, key, secret) = taken_elsewhere(&app, &owner).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let path = format!("/api/sso/v1/apikeys/{key}");
        let seen = admin.get(&path).await.with_status(200).header("etag").unwrap().to_owned();
        let revoke = async |version: &str| {
            admin.send(reqwest::Method::DELETE, &path, None, &[("if-match", version)]).await
        };
        let before = app.tenants().await;
        revoke("\"another\"").await.with_status(412);
        assert!(app.tenants().await == before);
        revoke(&seen).await.with_status(204);
        Api::new(&app, &secret).get(MEMBERS).await.with_status(401);
    }

    async fn the_home_rotates_a_key_which_leaves_where_they_do_not_manage_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let (developer, key, secret_before) = taken_elsewhere(&app, &owner).await;
        second_workspace(&app, &owner).await;
        add(&owner.client, "second", key, "viewer").await.assert_status(303);
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;

        page.assert_says("Remove it from 1 other workspace").assert_silent_about(ELSEWHERE);
        assert_eq!(page.attributes("#ended_memberships", "value"), ["1"]);
        // Not before they have confirmed as many as there are.
        app.unchanged_by(owner.client.submit(&page, "/rotation", &[])).await.assert_status(422);
        for confirmed in ["", "0", "-1", "all"] {
            let fields = [("overlap", "24"), ("ended_memberships", confirmed)];
            let refused = app.unchanged_by(owner.client.submit(&page, "/rotation", &fields)).await;
            assert!(refused.with_status(422).field_error("ended_memberships").is_some(), "{confirmed}");
        }
        let fields = [("overlap", "24"), ("ended_memberships", "1")];
        let after = secret(&owner.client.submit(&page, "/rotation", &fields).await.with_status(200));

        let robot = Api::new(&app, &after);
        for secret in [&after, &secret_before] {
            let robot = robot.with(Some(secret));
            robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(200);
            robot.get(&format!("{MEMBERS}?workspace=second")).await.with_status(200);
            robot.get(&format!("{MEMBERS}?workspace={ELSEWHERE}")).await.with_status(404);
        }
        let left = [memberships(&app, key, "acme").await, memberships(&app, key, "second").await, memberships(&app, key, ELSEWHERE).await];
        assert_eq!(left, [1, 1, 0]);
        let record = developer.client.visit(&format!("/w/{ELSEWHERE}/activity")).await;
        record.assert_says("removed the API key Production from this workspace");
        record.assert_says("because its home workspace rotated the secret");
        owner.client.visit("/w/second/activity").await.assert_silent_about("because its home workspace");
        // Where they manage it everywhere, there is nothing to confirm.
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        assert!(!page.has("#ended_memberships"));
        rotate(&owner.client, key, "0").await.with_status(200);
        assert_eq!(memberships(&app, key, "second").await, 1);
        crate::world::assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    async fn a_program_of_the_home_says_how_many_memberships_a_rotation_may_end(app: TestApp) {
        let owner = new_owner(&app).await;
        let (_, key, _) = taken_elsewhere(&app, &owner).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let path = format!("/api/sso/v1/apikeys/{key}/rotation");
        let before = app.tenants().await;
        for body in [json!({}), json!({"ended_memberships": 0}), json!({"ended_memberships": null})] {
            let refused = admin.post(&path, &body).await.with_status(422);
            assert_eq!(refused.body["errors"][0]["field"], "ended_memberships", "{body}");
        }
        assert!(app.tenants().await == before);
        let rotated = admin.post(&path, &json!({"ended_memberships": 1})).await.with_status(200).body;
        let robot = Api::new(&app, rotated["api_key"].as_str().unwrap());
        robot.get(MEMBERS).await.with_status(200);
        robot.get(&format!("{MEMBERS}?workspace={ELSEWHERE}")).await.with_status(404);
        assert_eq!(memberships(&app, key, ELSEWHERE).await, 0);
    }

    async fn a_key_that_rotates_its_own_secret_stays_where_it_is(app: TestApp) {
        let owner = new_owner(&app).await;
        let (_, key, secret) = taken_elsewhere(&app, &owner).await;
        let path = format!("/api/sso/v1/apikeys/{key}/rotation");
        let rotated = Api::new(&app, &secret).post(&path, &json!({})).await.with_status(200).body;
        let robot = Api::new(&app, rotated["api_key"].as_str().unwrap());
        robot.get(&format!("{MEMBERS}?workspace={ELSEWHERE}")).await.with_status(200);
    }

    async fn another_workspace_than_the_home_ends_a_key_for_itself_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        let (developer, key, secret) = taken_elsewhere(&app, &owner).await;
        let other = invite_and_join(&app, &developer.client, ELSEWHERE, "owner-two@example.com", &["owner"]).await;
        let at = |noun: &str| format!("/w/{ELSEWHERE}/api-keys/{key}/{noun}");

        let page = other.client.visit(&format!("/w/{ELSEWHERE}/api-keys/{key}")).await;
        page.assert_says("ask someone who manages it in its home workspace");
        assert!(!page.has_form("/rotation") && !page.has_form("/details"));
        let version = owner.client.visit(&format!("{KEYS}/{key}")).await;
        let version = version.form("/rotation").values("version")[0].to_owned();
        let rotation = [("overlap", "0"), ("version", version.as_str()), ("ended_memberships", "1")];
        app.unchanged_by(other.client.post_form(&at("rotation"), &rotation)).await.assert_status(403);
        app.unchanged_by(other.client.post_form(&at("revocation"), &[])).await.assert_status(403);
        app.unchanged_by(other.client.post_form(&at("details"), &[("name", "Mine")])).await.assert_status(403);
        other.client.post_form(&at("removal"), &[]).await.assert_status(303);
        Api::new(&app, &secret).get(MEMBERS).await.with_status(200);
    }

    async fn a_member_is_removed_together_with_the_keys_that_they_took_elsewhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let developer = member(&app, &owner, "developer").await;
        let made = make(&developer.client, &[("name", "Robot"), ("role", "developer")]).await.with_status(200);
        let (robot, key) = (Api::new(&app, &secret(&made)), key_of(&app, "Robot").await);
        found(&app, &developer.client, ELSEWHERE).await;
        add(&developer.client, ELSEWHERE, key, "owner").await.assert_status(303);

        let removal = format!("/w/acme/members/{}/removal", developer.member_id);
        let page = admin.client.visit(&removal).await;
        assert!(!page.has("input[name=keys][value=revoke][disabled]"));
        let removed = admin.client.submit(&page, &removal, &[("keys", "revoke")]).await;
        admin.client.follow(removed).await.assert_says("1 API key revoked.");

        for slug in ["acme", ELSEWHERE] {
            robot.get(&format!("{MEMBERS}?workspace={slug}")).await.with_status(401);
        }
        let record = developer.client.visit(&format!("/w/{ELSEWHERE}/activity")).await;
        record.assert_says("revoked the API key Robot");
        developer.client.get("/w/acme/members").await.assert_status(404);
        assert_chain_holds(&app).await;
    }

    async fn who_leaves_revokes_their_keys_in_the_workspaces_too_that_they_were_taken_to(app: TestApp) {
        let owner = new_owner(&app).await;
        let (developer, key, secret) = taken_elsewhere(&app, &owner).await;
        // It depends on whoever vouches for it here.
        developer.client.post_form(&format!("{KEYS}/{key}/voucher"), &[]).await.assert_status(303);
        let page = developer.client.visit("/w/acme/departure").await;
        developer.client.submit(&page, "/departure", &[("keys", "revoke")]).await.assert_status(303);
        Api::new(&app, &secret).get(&format!("{MEMBERS}?workspace={ELSEWHERE}")).await.with_status(401);
        developer.client.visit(&format!("/w/{ELSEWHERE}/activity")).await.assert_says("revoked the API key Production");
    }

    async fn consents_end_with_the_membership_of_the_key_at_its_home(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        found(&app, &viewer.client, ELSEWHERE).await;
        let (key, _, _) = add_key(&app, "acme", "Production", &["viewer"]).await;
        let program = workspace_key(&app, "acme", &["admin"]).await;
        let page = format!("{KEYS}/{key}");
        for way in ["key", "member", "members", "program", "program of members"] {
            let shown = owner.client.visit(&page).await;
            owner.client.submit(&shown, "/consents", &[("workspace", ELSEWHERE)]).await.assert_status(303);
            viewer.client.visit(&format!("/w/{ELSEWHERE}/api-keys/addition")).await.assert_says("Production");
            let here = format!("SELECT id FROM members WHERE api_key_id = {}", app.id(key));
            let here = app.scalar_uuid(&here).await.to_string();
            let by_owner = async |path: &str, fields: &[(&str, &str)]| {
                owner.client.post_form(path, fields).await.assert_status(303);
            };
            match way {
                "key" => by_owner(&format!("{page}/removal"), &[]).await,
                "member" => by_owner(&format!("/w/acme/members/{here}/removal"), &[]).await,
                "members" => by_owner("/w/acme/members/selection/removal", &[("member", &here)]).await,
                "program" => {
                    let path = format!("/api/sso/v1/apikeys/{key}/removal");
                    program.post(&path, &json!({})).await.with_status(204);
                }
                _ => {
                    program.delete(&format!("/api/sso/v1/members/{here}")).await.with_status(204);
                }
            }
            assert_eq!(app.scalar_i64("SELECT count(*) FROM api_key_consents").await, 0, "{way}");
            viewer.client.visit(&format!("/w/{ELSEWHERE}/api-keys/addition")).await.assert_silent_about("Production");
            app.unchanged_by(add(&viewer.client, ELSEWHERE, key, "viewer")).await.assert_status(403);
            // Back at home, it is as if nothing had been allowed.
            add(&owner.client, "acme", key, "viewer").await.assert_status(303);
            app.unchanged_by(add(&viewer.client, ELSEWHERE, key, "viewer")).await.assert_status(403);
        }
    }

    async fn a_key_that_was_removed_at_home_goes_elsewhere_by_its_owners_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        second_workspace(&app, &owner).await;
        found(&app, &developer.client, ELSEWHERE).await;
        let (key, ..) = add_key(&app, "acme", "Production", &["owner"]).await;
        owner.client.post_form(&format!("{KEYS}/{key}/removal"), &[]).await.assert_status(303);

        let offered = async |by: &Client, slug: &str| {
            by.visit(&format!("/w/{slug}/api-keys/addition")).await.text().contains("Production")
        };
        assert!(!offered(&developer.client, ELSEWHERE).await);
        app.unchanged_by(add(&developer.client, ELSEWHERE, key, "viewer")).await.assert_status(403);
        assert!(offered(&owner.client, "second").await);
        add(&owner.client, "second", key, "owner").await.assert_status(303);
        // Nor do they get at it by way of its home.
        assert!(!offered(&developer.client, "acme").await);
        let refused = app.unchanged_by(add(&developer.client, "acme", key, "viewer")).await;
        refused.with_status(403).assert_says("Only an Owner can add it here again");
        assert!(offered(&owner.client, "acme").await);
        add(&owner.client, "acme", key, "viewer").await.assert_status(303);
        // A key that is a member nowhere is for everybody at home who manages keys.
        let (waiting, ..) = add_key(&app, "acme", "Waiting", &["viewer"]).await;
        owner.client.post_form(&format!("{KEYS}/{waiting}/removal"), &[]).await.assert_status(303);
        add(&developer.client, "acme", waiting, "viewer").await.assert_status(303);
    }

    async fn the_home_and_the_account_record_where_a_key_goes(app: TestApp) {
        let owner = new_owner(&app).await;
        let (developer, key, _) = taken_elsewhere(&app, &owner).await;
        second_workspace(&app, &owner).await;
        let account = format!("/a/{}", account_id(&app, "acme").await);
        let of_account = async |kind: &str| {
            app.scalar_i64(&format!(
                "SELECT count(*) FROM audit_events WHERE kind = '{kind}' AND account_id IS NOT NULL")).await
        };

        let record = owner.client.visit("/w/acme/activity?kind=api-key.shared").await;
        record.assert_says(&developer.name).assert_says("added the API key Production to another workspace");
        record.assert_silent_about(ELSEWHERE);
        let record = developer.client.visit(&format!("/w/{ELSEWHERE}/activity")).await;
        record.assert_says("added the API key Production");
        assert_eq!(of_account("api-key.added").await, 1);
        owner.client.visit(&account).await.assert_says("added the API key Production");

        // By the consent of the home, which named the workspace itself.
        developer.client.post_form(&format!("/w/{ELSEWHERE}/api-keys/{key}/removal"), &[]).await.assert_status(303);
        let shown = owner.client.visit(&format!("{KEYS}/{key}")).await;
        owner.client.submit(&shown, "/consents", &[("workspace", ELSEWHERE)]).await.assert_status(303);
        let there = invite_and_join(&app, &developer.client, ELSEWHERE, "owner-two@example.com", &["owner"]).await;
        add(&there.client, ELSEWHERE, key, "viewer").await.assert_status(303);
        let record = owner.client.visit("/w/acme/activity?kind=api-key.shared").await;
        record.assert_says(&there.name).assert_says(&format!("to another workspace, {ELSEWHERE}"));

        // The new home learns that it is one.
        add(&owner.client, "second", key, "developer").await.assert_status(303);
        let second = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'second'").await.to_string();
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        owner.client.submit(&page, "/home", &[("home", &second)]).await.assert_status(303);
        for slug in ["acme", "second"] {
            let record = owner.client.visit(&format!("/w/{slug}/activity?kind=api-key.home-changed")).await;
            record.assert_says("changed the home of the API key Production").assert_says("Second");
        }
        assert_eq!(of_account("api-key.home-changed").await, 1);
        owner.client.visit(&account).await.assert_says("changed the home of the API key Production");
        assert_chain_holds(&app).await;
    }

    async fn a_consent_shows_when_it_ends_who_gave_it_and_whether_it_holds(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let (key, ..) = add_key(&app, "acme", "Production", &["viewer"]).await;
        app.execute("UPDATE accounts SET workspace_creation = 'people'").await;
        let account = account_id(&app, "acme").await.to_string();
        let fields = [("name", "Deep Secret"), ("slug", ELSEWHERE), ("account", account.as_str())];
        viewer.client.post_form("/workspaces", &fields).await.assert_status(303);

        // Whoever is no member of it learns no more of it than the address that they typed.
        let page = format!("{KEYS}/{key}");
        let shown = admin.client.visit(&page).await;
        shown.assert_says("can still rotate or revoke it");
        let given = admin.client.submit(&shown, "/consents", &[("workspace", ELSEWHERE)]).await;
        let shown = admin.client.follow(given).await;
        shown.assert_says(&format!("{ELSEWHERE} can now add the key, within 7 days."));
        shown.assert_silent_about("Deep Secret");
        let record = owner.client.visit("/w/acme/activity").await;
        record.assert_says(ELSEWHERE).assert_silent_about("Deep Secret");

        let consent = async || owner.client.visit(&page).await.select("#other-workspaces-consents .detail").remove(0);
        let said = consent().await;
        assert!(said.contains(&admin.name) && said.contains(&admin.email) && said.contains("Expires"), "{said}");
        app.clock.advance(Duration::from_secs(6 * 86_400));
        assert_eq!(consent().await, said, "when it ends does not change");
        let roles = format!("/w/acme/members/{}/roles", admin.member_id);
        owner.client.post_form(&roles, &[("role", "viewer")]).await.assert_status(303);
        let said = consent().await;
        assert!(said.contains("No longer valid") && !said.contains("Expires"), "{said}");
        owner.client.post_form(&roles, &[("role", "admin")]).await.assert_status(303);
        assert!(consent().await.contains("Expires"));
        owner.client.post_form(&format!("/w/acme/members/{}/suspension", admin.member_id), &[]).await.assert_status(303);
        assert!(consent().await.contains("No longer valid"));
        let shown = owner.client.visit(&page).await;
        let withdrawn = owner.client.submit(&shown, "/withdrawal", &[]).await;
        let shown = owner.client.follow(withdrawn).await;
        shown.assert_says(&format!("{ELSEWHERE} can no longer add the key.")).assert_silent_about("Deep Secret");
    }
}
