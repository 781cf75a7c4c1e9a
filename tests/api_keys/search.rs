//! A key that is found by a secret, and all keys that depend on a person.

use super::*;

async fn search(by: &Client, base: &str, typed: &str) -> Page {
    let page = by.visit(base).await;
    by.submit(&page, "/search", &[("secret", typed)]).await
}

fn found(page: &Page) -> Vec<String> {
    page.select("tbody .name a")
}

both! {
    async fn a_key_is_found_by_its_secret_and_by_how_that_ends_and_the_secret_stays_nowhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let made = make(&owner.client, &[("name", "Robot"), ("role", "viewer")]).await.with_status(200);
        let secret = secret(&made);
        make(&owner.client, &[("name", "Other"), ("role", "viewer")]).await.assert_status(200);
        let end = &secret[secret.len() - 4..];

        let page = search(&owner.client, KEYS, &format!(" \"{secret}\" ")).await.with_status(200);
        page.assert_says("This secret works.");
        assert_eq!(found(&page), ["Robot"]);
        page.assert_silent_about(&secret);
        let page = search(&owner.client, KEYS, &format!("…{}", end.to_uppercase())).await.with_status(200);
        assert!(found(&page).contains(&"Robot".to_owned()));
        let page = app.unchanged_by(search(&owner.client, KEYS, &unsent_token("key", 9))).await.with_status(200);
        page.assert_says("No key has this secret");
        for typed in ["", "abc", "Robot", &"a".repeat(300)] {
            let page = app.unchanged_by(search(&owner.client, KEYS, typed)).await.with_status(422);
            assert!(page.field_error("secret").is_some(), "{typed:?}");
        }
        // In the address it would stay in histories and logs.
        owner.client.get(&format!("{KEYS}?secret={secret}")).await.assert_status(422);
        let told = format!("SELECT COUNT(*) FROM audit_events WHERE CAST(payload AS TEXT) LIKE '%{}%'", &secret[12..40]);
        assert_eq!(app.scalar_i64(&told).await, 0);
    }

    async fn an_old_secret_is_said_to_be_one_and_an_ended_one_finds_its_key(app: TestApp) {
        let owner = new_owner(&app).await;
        let made = make(&owner.client, &[("name", "Robot"), ("role", "viewer")]).await.with_status(200);
        let (old, key) = (secret(&made), key_of(&app, "Robot").await);
        rotate(&owner.client, key, "24").await.assert_status(200);
        let page = search(&owner.client, KEYS, &old).await.with_status(200);
        page.assert_says("This is the old secret of the key below");
        app.clock.advance(Duration::from_secs(25 * 3_600));
        let page = search(&owner.client, KEYS, &old).await.with_status(200);
        assert!(page.text().contains("This secret has expired") || found(&page).is_empty(), "{}", page.text());
    }

    async fn whom_a_key_is_no_business_of_finds_none(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let (_, _, secret) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let page = search(&other.client, "/w/elsewhere/api-keys", &secret).await.with_status(200);
        page.assert_says("No key has this secret").assert_silent_about("Robot");
        let account = format!("/a/{}/api-keys", account_id(&app, "elsewhere").await);
        search(&other.client, &account, &secret).await.with_status(200).assert_says("No key has this secret");
        let account = format!("/a/{}/api-keys", account_id(&app, "acme").await);
        assert_eq!(found(&search(&owner.client, &account, &secret).await.with_status(200)), ["Robot"]);
        viewer.client.post_form(&format!("{KEYS}/search"), &[("secret", &secret)]).await.assert_status(403);
        let there = workspace_key(&app, "elsewhere", &["owner"]).await;
        let call = "/api/sso/v1/apikeys/search";
        let answer = there.post(call, &json!({"secret": secret})).await.with_status(200);
        assert!(!answer.text.contains("Robot"), "{}", answer.text);
        let here = workspace_key(&app, "acme", &["owner"]).await;
        let answer = here.post(call, &json!({"secret": secret})).await.with_status(200);
        assert!(answer.text.contains("Robot"), "{}", answer.text);
    }

    async fn all_keys_of_a_person_are_revoked_at_once_or_none(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        make(&admin.client, &[("name", "First"), ("role", "viewer")]).await.assert_status(200);
        make(&admin.client, &[("name", "Second"), ("role", "editor")]).await.assert_status(200);
        make(&owner.client, &[("name", "Mine"), ("role", "viewer")]).await.assert_status(200);
        // They know the newest secret of one that somebody else vouches for.
        rotate(&admin.client, key_of(&app, "Mine").await, "0").await.assert_status(200);
        let path = format!("/w/acme/members/{}/api-keys", admin.member_id);
        let page = owner.client.visit(&path).await;
        let mut names = found(&page);
        names.sort();
        assert_eq!(names, ["First", "Mine", "Second"]);
        let support = member(&app, &owner, "support").await;
        app.unchanged_by(support.client.post_form(&format!("{path}/revocation"), &[])).await.assert_status(403);

        owner.client.submit(&page, "/revocation", &[]).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM api_keys WHERE revoked_at IS NULL").await, 0);
        owner.client.visit(&path).await.assert_says("No key of this workspace depends on this person");
        let still = format!("SELECT COUNT(*) FROM members WHERE id = {} AND status = 'active'", app.id(admin.member_id));
        assert_eq!(app.scalar_i64(&still).await, 1, "they stay a member");
    }

    // One of them holds more than the actor: all stay.
    async fn where_one_key_is_above_the_actor_none_is_revoked(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        add_key(&app, "acme", "Above", &["owner"]).await;
        add_key(&app, "acme", "Below", &["viewer"]).await;
        let path = format!("/w/acme/members/{}/api-keys", owner.member_id);
        let page = admin.client.visit(&path).await;
        assert!(!page.has_form("/revocation"));
        page.assert_says("You can't revoke all of them");
        app.unchanged_by(admin.client.post_form(&format!("{path}/revocation"), &[])).await.assert_status(403);
    }
}
