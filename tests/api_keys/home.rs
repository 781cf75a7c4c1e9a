//! A key is at home in one workspace: nobody else decides where it goes.

use super::*;

/// A workspace of the account of acme that this person founds.
pub(super) async fn found(app: &TestApp, by: &Client, slug: &str) {
    app.execute("UPDATE accounts SET workspace_creation = 'people'").await;
    let account = account_id(app, "acme").await.to_string();
    by.post_form("/workspaces", &[("name", slug), ("slug", slug), ("account", &account)])
        .await
        .assert_status(303);
}

both! {
    async fn nobody_pulls_a_key_out_of_its_home(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let (key, member, secret) = add_key(&app, "acme", "Production", &["admin"]).await;
        found(&app, &viewer.client, "side").await;

        let before = app.tenants().await;
        let fields = [("key", key.to_string()), ("role", "viewer".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let refused = viewer.client.post_form("/w/side/api-keys/addition", &fields).await.with_status(403);
        refused.assert_says("in its home workspace");
        assert!(app.tenants().await == before);
        // Removed at home it is still at home there, and waits to be added by those who manage keys there.
        owner.client.post_form(&format!("/w/acme/members/{member}/removal"), &[]).await.assert_status(303);
        viewer.client.post_form("/w/side/api-keys/addition", &fields).await.assert_status(403);
        viewer.client.visit("/w/side/api-keys/addition").await.assert_silent_about("Production");
        Api::new(&app, &secret).get(MEMBERS).await.with_status(422);
        owner.client.visit("/w/acme/api-keys/addition").await.assert_says("Production");
        owner.client.post_form("/w/acme/api-keys/addition", &fields).await.assert_status(303);
        Api::new(&app, &secret).get(MEMBERS).await.with_status(200);
        // Whoever manages it at home adds it elsewhere too, and it stays at home.
        second_workspace(&app, &owner).await;
        owner.client.post_form("/w/second/api-keys/addition", &fields).await.assert_status(303);
        let home = "SELECT w.slug FROM api_keys k JOIN workspaces w ON w.id = k.home_id WHERE k.name = 'Production'";
        assert_eq!(app.scalar_text(home).await.as_deref(), Some("acme"));
    }

    async fn a_key_without_a_home_is_added_by_an_account_admin_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        found(&app, &viewer.client, "side").await;
        let keys = format!("/a/{}/api-keys", account_id(&app, "acme").await);
        let page = owner.client.visit(&format!("{keys}/new")).await;
        owner.client.submit(&page, &keys, &[("name", "Fresh"), ("expiry", "30")]).await.assert_status(200);
        let key = key_of(&app, "Fresh").await.to_string();

        let fields = [("key", key.as_str()), ("role", "viewer")];
        let refused = app.unchanged_by(viewer.client.post_form("/w/side/api-keys/addition", &fields)).await;
        refused.with_status(403).assert_says("Only an account admin");
        owner.client.post_form("/w/acme/api-keys/addition", &fields).await.assert_status(303);
    }

    async fn owners_see_who_administers_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let viewer = member(&app, &owner, "viewer").await;
        for (client, says) in [(&other.client, true), (&viewer.client, false)] {
            let page = client.visit("/w/acme/organization").await;
            assert_eq!(page.text().contains("Account admins"), says);
        }
        other.client.visit("/w/acme").await.assert_silent_about("is not a member here");
        // The founder leaves, and stays the account's admin: the Owner who remains sees it.
        let page = owner.client.visit("/w/acme/departure").await;
        owner.client.submit(&page, "/departure", &[]).await.assert_status(303);
        other.client.visit("/w/acme/organization").await.assert_says("Not a member here").assert_says(&owner.email);
        other.client.visit("/w/acme").await.assert_says("An account admin is not a member here");
        viewer.client.visit("/w/acme").await.assert_silent_about("account admin");
    }

    async fn a_key_of_the_account_gets_a_home_when_it_is_made(app: TestApp) {
        let owner = new_owner(&app).await;
        second_workspace(&app, &owner).await;
        let acme = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'acme'").await.to_string();
        let keys = format!("/a/{}/api-keys", account_id(&app, "acme").await);
        let page = owner.client.visit(&format!("{keys}/new")).await;
        let wrong = [("name", "Robot"), ("expiry", "30"), ("home", &acme[1..])];
        let refused = app.unchanged_by(owner.client.submit(&page, &keys, &wrong)).await.with_status(422);
        assert!(refused.field_error("home").is_some());
        // A workspace of another account is as unknown as any.
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let elsewhere = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'elsewhere'").await.to_string();
        let foreign = [("name", "Robot"), ("expiry", "30"), ("home", elsewhere.as_str())];
        let refused = app.unchanged_by(owner.client.submit(&page, &keys, &foreign)).await.with_status(422);
        assert!(refused.field_error("home").is_some());
        other.client.visit("/w/elsewhere/activity").await.assert_silent_about("Robot");

        let fields = [("name", "Robot"), ("expiry", "30"), ("home", acme.as_str())];
        let made = owner.client.submit(&page, &keys, &fields).await.with_status(200);
        let (robot, key) = (Api::new(&app, &secret(&made)), key_of(&app, "Robot").await);

        let page = owner.client.visit(&format!("{keys}/{key}")).await;
        page.assert_says("Requests that don't name a workspace use it.");
        owner.client.visit("/w/acme/activity").await.assert_says("created the API key Robot");
        owner.client.visit("/w/second/activity").await.assert_silent_about("Robot");
        // Added first to another workspace, it is at home where it was made for: nothing answers about the other.
        let key = key.to_string();
        let fields = [("key", key.as_str()), ("role", "viewer")];
        owner.client.post_form("/w/second/api-keys/addition", &fields).await.assert_status(303);
        robot.get(MEMBERS).await.with_status(422);
        robot.get(&format!("{MEMBERS}?workspace=second")).await.with_status(200);
        let shown = owner.client.visit(&format!("/w/second/api-keys/{key}")).await;
        shown.assert_says("acme. Requests for this workspace must name it.");
        owner.client.post_form("/w/acme/api-keys/addition", &fields).await.assert_status(303);
        let listed = robot.get(MEMBERS).await.with_status(200).body;
        assert!(listed.to_string().contains(&owner.member_id.to_string()), "of acme: {listed}");
    }

    async fn a_key_that_is_made_in_a_workspace_is_at_home_there(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'acme'").await.to_string();
        let made = make(&owner.client, &[("name", "Robot"), ("role", "viewer"), ("expiry", "30")]).await;
        Api::new(&app, &secret(&made)).get(MEMBERS).await.with_status(200);
        let shown = owner.client.visit(&format!("{KEYS}/{}", key_of(&app, "Robot").await)).await;
        shown.assert_says("This workspace. Requests that don't name a workspace use it.");
        // There is nothing to choose.
        let page = owner.client.visit(&format!("{KEYS}/new")).await;
        assert!(page.form(KEYS).values("home").is_empty());
        let fields = [("name", "A"), ("role", "viewer"), ("expiry", "30"), ("made", "1"), ("home", acme.as_str())];
        app.unchanged_by(owner.client.post_form(KEYS, &fields)).await.assert_status(422);
    }

    async fn the_home_of_a_key_allows_another_workspace_to_add_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let (key, _, secret) = add_key(&app, "acme", "Production", &["viewer"]).await;
        found(&app, &viewer.client, "side").await;
        let fields = [("key", key.to_string()), ("role", "viewer".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let add = async || viewer.client.post_form("/w/side/api-keys/addition", &fields).await;
        let page = format!("{KEYS}/{key}");
        let allow = async |by: &Client, slug: &str| {
            let shown = by.visit(&page).await;
            by.submit(&shown, &format!("{page}/consents"), &[("workspace", slug)]).await
        };
        app.unchanged_by(add()).await.assert_status(403);
        for unknown in ["elsewhere", "nowhere", "acme", "No Slug"] {
            let refused = app.unchanged_by(allow(&owner.client, unknown)).await.with_status(422);
            assert!(refused.field_error("workspace").is_some(), "{unknown}");
            assert_eq!(refused.field_value("workspace").as_deref(), Some(unknown));
        }
        // Nothing is given before somebody there adds it.
        allow(&admin.client, "side").await.assert_status(303);
        owner.client.visit(&page).await.assert_says("can add it").assert_says(&admin.name);
        Api::new(&app, &secret).get(&format!("{MEMBERS}?workspace=side")).await.with_status(404);
        viewer.client.visit("/w/side/api-keys/addition").await.assert_says("Production");
        // It holds only as long as whoever gave it may manage the key at home.
        owner.client.post_form(&format!("/w/acme/members/{}/roles", admin.member_id), &[("role", "viewer")]).await.assert_status(303);
        viewer.client.visit("/w/side/api-keys/addition").await.assert_silent_about("Production");
        app.unchanged_by(add()).await.assert_status(403);
        // Withdrawn it is worth nothing, and neither when its time is over.
        let shown = owner.client.visit(&page).await;
        owner.client.submit(&shown, "/withdrawal", &[]).await.assert_status(303);
        allow(&owner.client, "side").await.assert_status(303);
        let shown = owner.client.visit(&page).await;
        let withdrawal = shown.form("/withdrawal");
        owner.client.send(&shown, &withdrawal).await.assert_status(303);
        app.unchanged_by(owner.client.send(&shown, &withdrawal)).await.assert_status(404);
        app.unchanged_by(add()).await.assert_status(403);
        allow(&owner.client, "side").await.assert_status(303);
        app.clock.advance(Duration::from_secs(7 * 86_400));
        app.unchanged_by(add()).await.assert_status(403);
        // Used, it is used up: the key is at home as before.
        allow(&owner.client, "side").await.assert_status(303);
        add().await.assert_status(303);
        viewer.client.visit("/w/side/activity").await.assert_says("which Owner One allowed in its home workspace");
        let side = app.scalar_uuid(&format!(
            "SELECT m.id FROM members m JOIN workspaces w ON w.id = m.workspace_id WHERE w.slug = 'side' AND m.api_key_id = {}",
            app.id(key))).await;
        viewer.client.post_form(&format!("/w/side/members/{side}/removal"), &[]).await.assert_status(303);
        app.unchanged_by(add()).await.assert_status(403);
        let home = "SELECT w.slug FROM api_keys k JOIN workspaces w ON w.id = k.home_id WHERE k.name = 'Production'";
        assert_eq!(app.scalar_text(home).await.as_deref(), Some("acme"));
        // Whoever may not manage keys at home allows nothing, and neither does another workspace than the home.
        let consents = format!("{page}/consents");
        app.unchanged_by(viewer.client.post_form(&consents, &[("workspace", "side")])).await.assert_status(403);
        allow(&owner.client, "side").await.assert_status(303);
        add().await.assert_status(303);
        let consents = format!("/w/side/api-keys/{key}/consents");
        app.unchanged_by(viewer.client.post_form(&consents, &[("workspace", "acme")])).await.assert_status(403);
        assert!(!viewer.client.visit(&format!("/w/side/api-keys/{key}")).await.has_form("/consents"));
    }

    async fn a_home_is_changed_there_alone_by_who_manages_the_key_in_both(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        second_workspace(&app, &owner).await;
        found(&app, &viewer.client, "side").await;
        let (key, _, secret) = add_key(&app, "acme", "Production", &["viewer"]).await;
        let robot = Api::new(&app, &secret);
        let id = async |slug: &str| {
            app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = '{slug}'")).await.to_string()
        };
        let (acme, second, side) = (id("acme").await, id("second").await, id("side").await);
        let key_field = key.to_string();
        let fields = [("key", key_field.as_str()), ("role", "viewer")];
        owner.client.post_form("/w/second/api-keys/addition", &fields).await.assert_status(303);
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        owner.client.submit(&page, "/consents", &[("workspace", "side")]).await.assert_status(303);
        viewer.client.post_form("/w/side/api-keys/addition", &fields).await.assert_status(303);
        let at = |slug: &str| format!("/w/{slug}/api-keys/{key}/home");

        // Not from where it is added, not to where it is no member or the actor manages nothing.
        app.unchanged_by(owner.client.post_form(&at("second"), &[("home", &second)])).await.assert_status(403);
        app.unchanged_by(viewer.client.post_form(&at("side"), &[("home", &side)])).await.assert_status(403);
        app.unchanged_by(viewer.client.post_form(&at("acme"), &[("home", &side)])).await.assert_status(403);
        for wrong in [side.as_str(), acme.as_str(), "", "second"] {
            let refused = app.unchanged_by(owner.client.post_form(&at("acme"), &[("home", wrong)])).await;
            assert!(refused.with_status(422).field_error("home").is_some(), "{wrong}");
        }
        robot.get(MEMBERS).await.with_status(200);

        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        assert_eq!(page.attributes("#home option", "value"), ["", second.as_str()]);
        owner.client.submit(&page, "/home", &[("home", &second)]).await.assert_status(303);

        let people = robot.get(MEMBERS).await.with_status(200).body;
        assert!(!people.to_string().contains(&viewer.email), "of the second workspace: {people}");
        owner.client.visit("/w/acme/activity").await.assert_says("changed the home of the API key Production");
        owner.client.visit(&format!("/w/second/api-keys/{key}")).await.assert_says("This workspace. Requests");
        app.unchanged_by(owner.client.post_form(&at("acme"), &[("home", &second)])).await.assert_status(403);
    }

    async fn a_workspace_ends_a_key_for_itself_whatever_it_can_do_elsewhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let other = invite_and_join(&app, &owner.client, "acme", "developer-two@example.com", &["developer"]).await;
        let (key, _, secret) = add_key(&app, "acme", "Production", &["developer"]).await;
        let (above, ..) = add_key(&app, "acme", "Above", &["admin"]).await;
        let robot = Api::new(&app, &secret);
        found(&app, &developer.client, "side").await;
        let fields = [("key", key.to_string()), ("role", "owner".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        developer.client.post_form("/w/side/api-keys/addition", &fields).await.assert_status(303);
        let at = |key: Uuid, noun: &str| format!("{KEYS}/{key}/{noun}");

        // Everybody of acme who may manage it there ends it there, without ending it elsewhere.
        owner.client.visit(&format!("{KEYS}/{key}")).await.link("/removal");
        app.unchanged_by(other.client.post_form(&at(above, "removal"), &[])).await.assert_status(403);
        app.unchanged_by(other.client.get(&at(above, "removal"))).await.assert_status(403);
        let page = other.client.visit(&at(key, "removal")).await;
        page.assert_says("whatever it can do in others");
        other.client.submit(&page, "/removal", &[]).await.assert_status(303);

        robot.get(&format!("{MEMBERS}?workspace=acme")).await.with_status(404);
        robot.get(&format!("{MEMBERS}?workspace=side")).await.with_status(200);
        owner.client.visit("/w/acme/activity").await.assert_says("removed the API key Production from this workspace");
        // By a program too.
        let (key, ..) = add_key(&app, "acme", "Another", &["viewer"]).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let path = format!("/api/sso/v1/apikeys/{key}/removal");
        admin.post(&path, &json!({})).await.with_status(204);
        admin.post(&path, &json!({})).await.with_status(404);
    }

    async fn only_keys_that_can_then_be_added_are_offered(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        found(&app, &developer.client, "side").await;
        add_key(&app, "acme", "Below", &["viewer"]).await;
        let (above, ..) = add_key(&app, "acme", "Above", &["admin"]).await;

        let page = developer.client.visit("/w/side/api-keys/addition").await;
        page.assert_says("Below").assert_silent_about("Above");
        let fields = [("key", above.to_string()), ("role", "viewer".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        app.unchanged_by(developer.client.post_form("/w/side/api-keys/addition", &fields)).await.assert_status(403);
        owner.client.post_form(&format!("/w/acme/members/{}/suspension", developer.member_id), &[]).await.assert_status(303);
        developer.client.visit("/w/side/api-keys/addition").await.assert_silent_about("Below");
    }
}
