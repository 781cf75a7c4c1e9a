//! Nobody can do more by a secret that they were ever shown than by signing in.

use super::*;

/// Creates a key by the page, with one role, and a service that has its secret.
async fn key_by(app: &TestApp, by: &Client, name: &str, role: &str) -> (Uuid, Api) {
    let made = make(by, &[("name", name), ("role", role), ("expiry", "30")]).await.with_status(200);
    (key_of(app, name).await, Api::new(app, &secret(&made)))
}

/// Sets a member's roles by the page.
async fn set_role(by: &Client, member: Uuid, role: &str) {
    let path = format!("/w/acme/members/{member}/roles");
    by.post_form(&path, &[("role", role)]).await.assert_status(303);
}

fn path_of(id: Uuid) -> String {
    format!("/w/acme/members/{id}")
}

both! {
    async fn a_demoted_owner_does_nothing_by_their_key_that_they_cannot_do_by_signing_in(app: TestApp) {
        let owner = new_owner(&app).await;
        let demoted = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let (key, api) = key_by(&app, &demoted.client, "Deploy", "owner").await;
        let roles = format!("/api/sso/v1/members/{}", owner.member_id);
        api.get(MEMBERS).await.with_status(200);

        set_role(&owner.client, demoted.member_id, "viewer").await;

        let before = app.tenants().await;
        let own = format!("/api/sso/v1/members/{}", demoted.member_id);
        api.patch(&own, &json!({"roles": ["owner"]})).await.with_status(403);
        api.patch(&roles, &json!({"roles": ["viewer"]})).await.with_status(403);
        api.post("/api/sso/v1/apikeys", &json!({"name": "Another", "roles": ["owner"]})).await.with_status(403);
        api.post(&format!("/api/sso/v1/apikeys/{key}/rotation"), &json!({})).await.with_status(403);
        assert!(app.tenants().await == before);
        // What they do hold, the key holds.
        api.get(MEMBERS).await.with_status(200);
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        page.assert_says("This key can do less than its roles");
        owner.client.visit("/w/acme/members").await.assert_says("Limited");

        // Somebody who holds enough rotates it, and it is whole again: for them, and not for the old secret.
        let rotated = rotate(&owner.client, key, "168").await;
        let whole = Api::new(&app, &secret(&rotated));
        api.patch(&own, &json!({"roles": ["editor"]})).await.with_status(403);
        whole.patch(&own, &json!({"roles": ["editor"]})).await.with_status(200);
        owner.client.visit(&format!("{KEYS}/{key}")).await.assert_silent_about("can do less");
    }

    async fn a_suspended_admin_invites_nobody_by_their_key(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member_of(&app, &owner, "admin").await;
        let (key, api) = key_by(&app, &admin.client, "Inviter", "admin").await;
        // An invitation that they sent by it dies with what they held.
        let invitations = "/api/sso/v1/invitations";
        api.post(invitations, &json!({"emails": ["second@example.com"], "roles": ["viewer"]})).await.with_status(200);
        let page = owner.client.visit(&format!("{}/suspension", path_of(admin.member_id))).await;
        page.assert_says("1 API key depends on them").assert_says("Inviter");
        owner.client.submit(&page, "/suspension", &[]).await.assert_status(303);

        let before = app.tenants().await;
        api.post(invitations, &json!({"emails": ["third@example.com"], "roles": ["viewer"]})).await.with_status(403);
        api.get(MEMBERS).await.with_status(403);
        assert!(app.tenants().await == before);
        let second = sign_up_as(&app, "Second Self", "second@example.com").await;
        let link = app.mail.wait_for_link("second@example.com", "/invitations/").await;
        let refused = second.get(&link).await;
        second.follow(refused).await.assert_status(410);
        let joined = "SELECT COUNT(*) FROM members m JOIN users u ON u.id = m.user_id
            WHERE u.email = 'second@example.com' AND m.workspace_id = (SELECT id FROM workspaces WHERE slug = 'acme')";
        assert_eq!(app.scalar_i64(joined).await, 0);

        // Reactivated, it is theirs again.
        let back = format!("{}/reactivation", path_of(admin.member_id));
        owner.client.post_form(&back, &[]).await.assert_status(303);
        api.get(MEMBERS).await.with_status(200);
        assert_eq!(key_of(&app, "Inviter").await, key);
    }

    async fn a_removed_developer_does_nothing_by_a_key_that_stays(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member_of(&app, &owner, "developer").await;
        let (key, api) = key_by(&app, &developer.client, "Nightly", "developer").await;
        let page = owner.client.visit(&format!("{}/removal", path_of(developer.member_id))).await;
        page.assert_says("Nightly").assert_says("Rotate now");
        owner.client.submit(&page, "/removal", &[("keys", "end")]).await.assert_status(303);

        let before = app.tenants().await;
        let invitation = json!({"emails": [developer.email.as_str()], "roles": ["viewer"]});
        api.post("/api/sso/v1/invitations", &invitation).await.with_status(403);
        api.get(MEMBERS).await.with_status(403);
        assert!(app.tenants().await == before);
        // The remover vouches for it, so that it is whole again with another secret.
        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        page.assert_says("no longer a member here knows a secret");
        owner.client.visit("/w/acme").await.assert_says("Nightly");
        let rotated = rotate(&owner.client, key, "0").await;
        Api::new(&app, &secret(&rotated)).get(MEMBERS).await.with_status(200);
    }

    async fn secrets_of_somebody_removed_work_for_a_while_if_the_remover_says_so(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member_of(&app, &owner, "developer").await;
        let (key, api) = key_by(&app, &developer.client, "Nightly", "viewer").await;
        // More than the developer held is not theirs in the meantime either.
        let key_member = app.scalar_uuid(&format!("SELECT id FROM members WHERE api_key_id = {}", app.id(key))).await;
        let page = owner.client.visit(&format!("{}/removal", path_of(developer.member_id))).await;
        owner.client.submit(&page, "/removal", &[("keys", "24")]).await.assert_status(303);
        set_role(&owner.client, key_member, "owner").await;

        api.get(MEMBERS).await.with_status(200);
        let own = format!("/api/sso/v1/members/{}", owner.member_id);
        api.patch(&own, &json!({"roles": ["viewer"]})).await.with_status(403);
        owner.client.visit("/w/acme/activity").await.assert_says("secrets they know work until");
        app.clock.advance(Duration::from_secs(24 * 3_600 + 1));
        api.get(MEMBERS).await.with_status(403);

        // For longer than seven days nobody lets them, and only somebody who manages keys does at all.
        let another = member_of(&app, &owner, "editor").await;
        let by_api = workspace_key(&app, "acme", &["owner"]).await;
        let path = format!("/api/sso/v1/members/{}?overlap_seconds=604801", another.member_id);
        by_api.delete(&path).await.with_status(422);
        add_role(&app, "acme", "remover", "Remover", &["remove:members", "read:members", "write:*", "read:*", "a:b"]).await;
        let remover = workspace_key(&app, "acme", &["remover"]).await;
        let path = format!("/api/sso/v1/members/{}?overlap_seconds=60", another.member_id);
        remover.delete(&path).await.with_status(403);
        let left = format!("SELECT COUNT(*) FROM members WHERE id = {}", app.id(another.member_id));
        assert_eq!(app.scalar_i64(&left).await, 1);
    }

    async fn who_removes_the_voucher_of_a_limited_key_gives_it_nothing_more(app: TestApp) {
        let owner = new_owner(&app).await;
        let demoted = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let (whole, _) = key_by(&app, &demoted.client, "Whole", "viewer").await;
        let (limited, _) = key_by(&app, &demoted.client, "Limited One", "owner").await;
        set_role(&owner.client, demoted.member_id, "viewer").await;
        let removal = format!("{}/removal", path_of(demoted.member_id));
        owner.client.post_form(&removal, &[("keys", "end")]).await.assert_status(303);

        let voucher = async |key: Uuid| {
            let sql = format!("SELECT vouched_by FROM members WHERE api_key_id = {}", app.id(key));
            app.scalar_uuid(&sql).await
        };
        assert_eq!(voucher(whole).await, owner.user_id);
        assert_eq!(voucher(limited).await, demoted.user_id);
    }

    async fn a_key_never_changes_who_vouches_for_it_or_knows_its_secret(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member_of(&app, &owner, "admin").await;
        let viewer = member_of(&app, &owner, "viewer").await;
        let (key, member, secret) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let api = Api::new(&app, &secret);
        // The secret is known to the Admin, through whom it could be more than they are; the Viewer vouches for
        // nothing here, and is changed as anybody is.
        let people = [("api_key_secrets SET shown_to", admin.user_id, "api_key_id", key), ("members SET vouched_by", owner.user_id, "id", member)];
        for (set, user, column, id) in people {
            app.execute(&format!("UPDATE {set} = {} WHERE {column} = {}", app.id(user), app.id(id))).await;
        }
        let before = app.tenants().await;
        for person in [&admin, &owner] {
            let (id, user) = (person.member_id, person.user_id);
            api.patch(&format!("/api/sso/v1/members/{id}"), &json!({"roles": ["viewer"]})).await.with_status(403);
            api.patch(&format!("/api/sso/v1/users/{user}"), &json!({"external_id": "x"})).await.with_status(403);
            api.post(&format!("/api/sso/v1/members/{id}/suspension"), &json!({})).await.with_status(403);
            api.delete(&format!("/api/sso/v1/members/{id}")).await.with_status(403);
        }
        assert!(app.tenants().await == before);
        api.patch(&format!("/api/sso/v1/members/{}", viewer.member_id), &json!({"roles": ["editor"]})).await.with_status(200);

        // Nor back in.
        let page = owner.client.visit(&format!("/w/acme/members/{}/removal", admin.member_id)).await;
        owner.client.submit(&page, "/removal", &[("keys", "168")]).await.assert_status(303);
        let before = app.tenants().await;
        let again = json!({"emails": [admin.email.as_str()], "roles": ["viewer"]});
        api.post("/api/sso/v1/invitations", &again).await.with_status(403);
        let entered = json!({"email": admin.email.as_str(), "name": "Again", "roles": ["viewer"]});
        api.post("/api/sso/v1/users", &entered).await.with_status(403);
        assert!(app.tenants().await == before);
    }

    async fn whoever_vouches_for_a_key_limits_it_until_somebody_else_does(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member_of(&app, &owner, "admin").await;
        let (key, _) = key_by(&app, &admin.client, "Robot", "admin").await;
        let rotated = rotate(&owner.client, key, "0").await;
        let api = Api::new(&app, &secret(&rotated));
        // Vouched for by the Admin again, who gives it roles; known to the Owner.
        let key_member = app.scalar_uuid(&format!("SELECT id FROM members WHERE api_key_id = {}", app.id(key))).await;
        set_role(&owner.client, key_member, "viewer").await;
        set_role(&admin.client, key_member, "developer").await;
        api.post("/api/sso/v1/apikeys", &json!({"name": "One", "roles": ["viewer"]})).await.with_status(201);
        set_role(&owner.client, admin.member_id, "viewer").await;
        api.post("/api/sso/v1/apikeys", &json!({"name": "Two", "roles": ["viewer"]})).await.with_status(403);

        // The decisions about it and its claims say the same.
        let asks = workspace_key(&app, "acme", &["owner"]).await;
        let question = json!({
            "subject": {"type": "api_key", "id": key}, "action": {"name": "manage"}, "resource": {"type": "api-keys", "id": "1"},
        });
        let decided = asks.post("/access/v1/evaluation", &question).await.with_status(200);
        assert_eq!(decided.body["decision"], false);
        let shown = asks.get(&format!("/api/sso/v1/apikeys/{key}")).await.with_status(200);
        assert_eq!(shown.body["is_limited_by_voucher"], true);
        assert_eq!(shown.body["is_limited_by_reader"], false);
        assert_eq!(shown.body["vouched_by"], json!(admin.user_id));

        let page = owner.client.visit(&format!("{KEYS}/{key}")).await;
        owner.client.submit(&page, "/voucher", &[]).await.assert_status(303);
        api.post("/api/sso/v1/apikeys", &json!({"name": "Two", "roles": ["viewer"]})).await.with_status(201);
        assert_eq!(asks.post("/access/v1/evaluation", &question).await.body["decision"], true);
        owner.client.visit("/w/acme/activity").await.assert_says("vouches for the API key");
        // Nobody vouches for more than they hold.
        let page = format!("{KEYS}/{key}/voucher");
        let developer = member_of(&app, &owner, "developer").await;
        set_role(&owner.client, key_member, "admin").await;
        app.unchanged_by(async { developer.client.post_form(&page, &[]).await.assert_status(403); }).await;
    }

    async fn a_key_creates_workspaces_only_as_long_as_who_knows_it_administers_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Founder", &["viewer"]).await;
        app.execute(&format!("UPDATE api_keys SET is_admin = TRUE WHERE id = {}", app.id(key))).await;
        let api = Api::new(&app, &secret);
        api.post("/api/sso/v1/workspaces", &json!({"name": "One", "slug": "one"})).await.with_status(201);
        let other = member_of(&app, &owner, "viewer").await;
        for (user, is_admin) in [(other.user_id, "TRUE"), (owner.user_id, "FALSE")] {
            let appointed = format!("UPDATE account_people SET is_admin = {is_admin} WHERE user_id = {}", app.id(user));
            assert_eq!(app.execute(&appointed).await, 1);
        }
        let refused = api.post("/api/sso/v1/workspaces", &json!({"name": "Two", "slug": "two"})).await;
        refused.with_status(403);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM workspaces WHERE slug = 'two'").await, 0);
        let own = api.get("/api/sso/v1/apikeys/self").await.with_status(200);
        assert_eq!(own.body["is_account_admin"], false);
    }

    async fn a_suspended_or_removed_key_is_not_verified(app: TestApp) {
        let owner = new_owner(&app).await;
        let (key, api) = key_by(&app, &owner.client, "Robot", "viewer").await;
        let (_, member, secret) = add_key(&app, "acme", "Second", &["viewer"]).await;
        let verify = async || api.with(None).post("/api/sso/v1/apikeys/verify", &json!({"api_key": secret})).await.status;
        assert_eq!(verify().await, 200);
        let suspension = format!("/w/acme/members/{member}/suspension");
        owner.client.post_form(&suspension, &[]).await.assert_status(303);
        assert_eq!(verify().await, 401);
        owner.client.post_form(&format!("/w/acme/members/{member}/reactivation"), &[]).await.assert_status(303);
        assert_eq!(verify().await, 200);
        owner.client.post_form(&format!("/w/acme/members/{member}/removal"), &[]).await.assert_status(303);
        assert_eq!(verify().await, 401);
        assert_eq!(key_of(&app, "Robot").await, key);
    }
}

/// A member with this role, who has an account of their own.
async fn member_of(app: &TestApp, owner: &Person, role: &str) -> Person {
    crate::support::member(app, owner, role).await
}

async fn sign_up_as(app: &TestApp, name: &str, email: &str) -> Client {
    let client = sign_up(app, name, email, PASSWORD, "second-self").await;
    verify_email(app, &client, email).await;
    client
}
