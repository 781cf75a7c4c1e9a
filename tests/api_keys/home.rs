//! A key is at home in one workspace: nobody else decides where it goes.

use super::*;

/// A workspace of the account of acme that this person founds.
async fn found(app: &TestApp, by: &Client, slug: &str) {
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
}
