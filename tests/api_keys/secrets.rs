//! What opens a workspace: a secret that is told once, looked at for a service, and given in place of
//! another.

use super::*;

both! {
    async fn a_secret_is_looked_at_for_a_service(app: TestApp) {
        new_owner(&app).await;
        let (key, member, secret) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let anybody = Api::new(&app, &secret).with(None);
        let verify = "/api/sso/v1/apikeys/verify";

        let claims = anybody.post(verify, &json!({"api_key": secret})).await.with_status(200).body;

        assert_eq!(claims["sub"], format!("api_key:{key}"));
        assert_eq!(claims["roles"], json!(["developer"]));
        let scopes: Vec<&str> = claims["scopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert!(scopes.contains(&"write:code") && scopes.contains(&"read:members") && !scopes.contains(&"read:audit"));
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member))).await;
        anybody.post(verify, &json!({"api_key": secret})).await.with_status(401);
        app.execute("UPDATE api_keys SET revoked_at = 1").await;
        anybody.post(verify, &json!({"api_key": secret})).await.with_status(401);
        anybody.post(verify, &json!({"api_key": "nothing"})).await.with_status(401);
        anybody.post(verify, &json!({})).await.with_status(422);
    }

    async fn a_secret_is_told_once_and_stands_nowhere_afterwards(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit(&format!("{KEYS}/new")).await;
        let form = page.form(KEYS).fill(&[("name", "Robot")]);
        assert_eq!((form.values("role"), form.values("expiry")), (vec![], vec!["90"]), "nobody chose a role yet");

        let told = owner.client.send(&page, &form).await.with_status(200);

        let first = secret(&told);
        assert!(first.starts_with("blw_key_") && told.header("cache-control") == Some("no-store"));
        assert!(told.attributes("#curl", "value")[0].ends_with("/api/sso/v1/apikeys/self"));
        let roles = "SELECT role_set FROM members WHERE api_key_id IS NOT NULL";
        assert_eq!(app.scalar_text(roles).await.as_deref(), Some("viewer"), "the default where none is chosen");
        let api = Api::new(&app, &first);
        assert_eq!(api.get("/api/sso/v1/apikeys/self").await.with_status(200).body["name"], "Robot");
        api.get(MEMBERS).await.with_status(200);
        let key = key_of(&app, "Robot").await;
        let expires = app.scalar_i64("SELECT expires_at - created_at FROM api_keys").await;
        assert_eq!(expires, 90 * DAY);

        // Loaded again, the page that told it makes no second one.
        let again = app.unchanged_by(owner.client.send(&page, &form)).await;
        again.assert_status(409).assert_says("You've created a key since you opened this form");
        let refusals = "SELECT COUNT(*) FROM audit_events WHERE outcome = 'refused'";
        assert_eq!(app.scalar_i64(refusals).await, 0, "a page that is loaded again is no refusal");
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

    async fn nobody_makes_a_secret_with_an_unconfirmed_address(app: TestApp) {
        let owner = new_owner(&app).await;
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

    async fn the_secret_before_goes_on_as_long_as_was_chosen(app: TestApp) {
        let owner = new_owner(&app).await;
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
        told.assert_says("The old secret no longer works.");
        second.get(MEMBERS).await.with_status(401);
        first.with(Some(&secret(&told))).get(MEMBERS).await.with_status(200);
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        let wrong = page.form("/rotation").fill(&[("overlap", "999")]);
        app.unchanged_by(owner.client.send(&page, &wrong)).await.with_status(422);
        // From a page that is out of date, nothing is ended.
        rotate(&owner.client, key, "168").await.assert_status(200);
        let stale = app.unchanged_by(owner.client.send(&page, &page.form("/rotation"))).await;
        stale.with_status(409).assert_says("The secret was rotated after you opened this page");
        let said = owner.client.visit("/w/acme/activity?kind=api-key.rotated").await;
        said.assert_says("rotated the secret of the API key Robot, the old secret works until");
        said.assert_says("the old secret stopped working immediately");
    }

    async fn the_last_use_is_written_once_a_minute_at_most(app: TestApp) {
        new_owner(&app).await;
        let (.., secret) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let api = Api::new(&app, &secret);
        let written = async || {
            let sql = "SELECT COALESCE(MAX(last_used_at), 0) FROM api_keys";
            let due = app.clock.now().as_millis();
            until("the use was not written down", async || app.scalar_i64(sql).await >= due).await;
        };
        api.get(MEMBERS).await.with_status(200);
        written().await;
        app.take_statements();
        app.clock.advance(Duration::from_secs(50));
        for _ in 0..20 {
            api.get(MEMBERS).await.with_status(200);
        }
        app.clock.advance(Duration::from_secs(20));
        api.get(MEMBERS).await.with_status(200);
        written().await;
        let writes = app.take_statements().iter().filter(|s| s.sql.starts_with("UPDATE api_keys SET last_used_at")).count();
        assert_eq!(writes, 1);
    }
}
