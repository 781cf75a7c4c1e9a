//! A person deletes their sign-in: refused while something would be left to nobody, done as a whole, and erased from a
//! record that still verifies.

use crate::{
    deletion::{purge, sweep},
    nouns::teams::add_team,
    races::assert_chain_holds,
    support::*,
    world::{account_id, add_to_account, add_user},
};

const FORM: &str = "/me/deletion";

/// As the page is sent by the person.
async fn delete(person: &Person) -> Page {
    let page = person.client.visit(FORM).await;
    let fields = [("confirm", person.email.as_str()), ("current_password", PASSWORD)];
    person.client.submit(&page, FORM, &fields).await
}

/// Sent without looking at the page, which may have no form.
async fn delete_unasked(person: &Person) -> Page {
    let fields = [("confirm", person.email.as_str()), ("current_password", PASSWORD)];
    person.client.post_form(FORM, &fields).await
}

/// All names of the record, as text.
async fn names(app: &TestApp) -> String {
    app.rows_where("audit_identities", "1 = 1").await.join("\n")
}

async fn events(app: &TestApp, kind: &str) -> i64 {
    app.scalar_i64(&format!("SELECT count(*) FROM audit_events WHERE kind = '{kind}'")).await
}

both! {
    // Breaks where leave (nouns/own_deletion/change.rs) leaves `members::delete` out, forget any of its lines, or sweep
    // (domain/housekeeping.rs) the erasure.
    async fn everything_ends_at_once_and_the_record_keeps_no_name(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let elsewhere = sign_in(&app, &admin.email, PASSWORD).await;
        invite(&admin.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let guest = app.client();
        let link = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        add_team(&app, "acme", "Night shift", &[], &[(admin.member_id, false)]).await;
        let page = admin.client.visit("/me").await;
        let page = admin.client.visit(&page.link(FORM)).await;
        page.assert_says("acme").assert_says("1 invitation you sent is cancelled").assert_says("1 team");
        assert!(names(&app).await.contains("Admin One"));

        let answer = delete(&admin).await.with_status(303);

        assert_eq!(answer.location(), "/sign-in");
        admin.client.follow(answer).await.assert_says("Your sign-in was deleted");
        for client in [&admin.client, &elsewhere] {
            client.get("/me").await.assert_status(401);
            client.get("/w/acme").await.assert_status(401);
        }
        let client = app.client();
        let page = client.visit("/sign-in").await;
        let fields = [("email", admin.email.as_str()), ("password", PASSWORD)];
        client.submit(&page, "/sign-in", &fields).await.assert_status(422);
        guest.follow(guest.get(&link).await).await.assert_status(410);
        let letter = app.mail.wait_for(&admin.email, "Your sign-in was deleted").await;
        assert!(letter.text.contains("erased from the audit logs"), "{}", letter.text);
        let id = app.id(admin.user_id);
        for table in ["members", "sessions", "email_tokens", "account_people", "administration_requests"] {
            let sql = format!("SELECT count(*) FROM {table} WHERE user_id = {id}");
            assert_eq!(app.scalar_i64(&sql).await, 0, "{table}");
        }
        assert_eq!(app.scalar_i64("SELECT count(*) FROM team_members").await, 0);
        let former = format!("SELECT count(*) FROM former_members WHERE user_id = {id} AND secrets_until IS NULL");
        assert_eq!(app.scalar_i64(&former).await, 1, "as whoever leaves");
        let pending = "SELECT count(*) FROM invitations WHERE status = 'pending'";
        assert_eq!(app.scalar_i64(pending).await, 0);
        // Neither what they are called nor where they are reached.
        for table in ["users", "invitations", "account_people", "members"] {
            let rows = app.rows_where(table, "1 = 1").await.join("\n").to_lowercase();
            assert!(!rows.contains("admin one") && !rows.contains("admin-one@"), "{table}: {rows}");
        }
        for (kind, times) in [("member.left", 1), ("account.person-left", 1), ("user.deleted", 1)] {
            assert_eq!(events(&app, kind).await, times, "{kind}");
        }
        assert_chain_holds(&app).await;

        sweep(&app).await;

        let left = names(&app).await;
        assert!(!left.contains("Admin One") && !left.contains("admin-one@example.com"), "{left}");
        assert!(left.contains("Owner One"), "others stay");
        assert_chain_holds(&app).await;
        owner.client.visit("/w/acme/activity").await.assert_says("Erased person").assert_silent_about("Admin One");
        owner.client.visit("/w/acme/members").await.assert_silent_about("Admin One");
        owner.client.visit("/w/acme/invitations").await.assert_silent_about("admin-one@");
    }

    // A sweep that was cut off between the erasure and its mark.
    async fn an_erasure_that_was_cut_off_is_not_done_twice(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        delete(&viewer).await.assert_status(303);
        sweep(&app).await;
        assert_eq!(events(&app, "audit.names-erased").await, 1);
        assert_eq!(app.execute("UPDATE users SET names_erased_at = NULL WHERE deleted_at IS NOT NULL").await, 1);
        sweep(&app).await;
        assert_eq!(events(&app, "audit.names-erased").await, 1);
        let waiting = "SELECT count(*) FROM users WHERE deleted_at IS NOT NULL AND names_erased_at IS NULL";
        assert_eq!(app.scalar_i64(waiting).await, 0);
        assert_chain_holds(&app).await;
    }

    async fn the_address_and_the_password_are_asked_for(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = viewer.client.visit(FORM).await;
        for (confirm, password, field) in [
            ("owner-one@example.com", PASSWORD, "confirm"),
            ("", PASSWORD, "confirm"),
            ("viewer-one@example.com", "a wrong password 7", "current_password"),
            ("viewer-one@example.com", "", "current_password"),
        ] {
            let fields = [("confirm", confirm), ("current_password", password)];
            let refused = app.unchanged_by(viewer.client.submit(&page, FORM, &fields)).await.with_status(422);
            assert!(refused.field_error(field).is_some(), "{confirm} {field}: {}", refused.text());
            assert_eq!(refused.field_value("confirm").as_deref(), Some(confirm));
        }
        // Another site has no token, and a key no session.
        let body = format!("confirm={}&current_password=x", viewer.email);
        let bare = viewer.client.post_raw(FORM, body, "application/x-www-form-urlencoded");
        app.unchanged_by(bare).await.assert_status(403);
        let fields = [("confirm", " Viewer-One@Example.com "), ("current_password", PASSWORD)];
        viewer.client.submit(&page, FORM, &fields).await.assert_status(303);
    }

    // Breaks without either half of the condition in prepare (nouns/own_deletion/change.rs).
    async fn the_only_owner_and_the_only_admin_of_an_account_stay_and_are_told_where(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["viewer"]).await;
        let page = owner.client.visit(FORM).await;
        page.assert_says("only Owner of acme").assert_says("only admin of the account acme");
        assert!(!page.has_form(FORM));
        assert!(page.links().contains(&"/w/acme/members".to_owned()), "{:?}", page.links());
        assert!(page.links().contains(&"/w/acme/organization/deletion".to_owned()), "{:?}", page.links());
        let refused = app.unchanged_by(delete_unasked(&owner)).await.with_status(409);
        refused.assert_says("only Owner of acme").assert_says("Nothing was changed");

        // Another Owner: the account is left.
        let roles = format!("/w/acme/members/{}/roles", second.member_id);
        owner.client.post_form(&roles, &[("role", "owner")]).await.assert_status(303);
        let refused = app.unchanged_by(delete_unasked(&owner)).await.with_status(409);
        refused.assert_silent_about("only Owner of").assert_says("only admin of the account acme");
        let account = account_id(&app, "acme").await;
        assert!(refused.links().contains(&format!("/a/{account}/people")), "{:?}", refused.links());
        let admin = format!("/a/{account}/people/{}/admin", second.user_id);
        owner.client.post_form(&admin, &[("admin", "yes")]).await.assert_status(303);

        delete(&owner).await.assert_status(303);

        // In the record of the workspace too: admins have power over its keys.
        second.client.visit("/w/acme/activity").await.assert_says("as an admin of the account");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM active_owners").await, 1);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM active_admins").await, 1);
        app.unchanged_by(delete_unasked(&second)).await.assert_status(409);
        assert_chain_holds(&app).await;
    }

    // Breaks without `w.deleted_at IS NULL` in the triggers of migration m0036, or remove_if_empty in purge_one.
    async fn a_deleted_workspace_holds_nobody_and_its_account_goes_with_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let confirm = [("confirm", "acme")];
        owner.client.post_form("/w/acme/organization/deletion", &confirm).await.assert_status(303);
        let page = owner.client.visit(FORM).await;
        page.assert_says("nobody can restore it").assert_silent_about("only admin of the account");

        delete(&owner).await.assert_status(303);

        assert_eq!(app.scalar_i64("SELECT count(*) FROM account_people").await, 0);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces").await, 1, "for as long as others are kept");
        purge(&app).await;
        for table in ["workspaces", "accounts"] {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        assert_chain_holds(&app).await;
    }

    // Breaks without profile::forget_contact (nouns/billing/profile.rs).
    async fn invoices_are_mailed_to_nobody_who_is_gone(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        for contact in [&admin.email, &owner.email] {
            let fields = [("contact", contact.as_str()), ("address", "Example Ltd")];
            owner.client.post_form("/w/acme/billing/details", &fields).await.assert_status(303);
            let of_admin = contact == &admin.email;
            if of_admin {
                delete(&admin).await.assert_status(303);
            }
            let stored = app.scalar_text("SELECT contact FROM billing_profiles").await.unwrap_or_default();
            assert_eq!(stored, if of_admin { "" } else { owner.email.as_str() });
        }
        assert_eq!(events(&app, "billing.details-changed").await, 3);
        assert_eq!(app.scalar_text("SELECT address FROM billing_profiles").await.as_deref(), Some("Example Ltd"));
        assert_chain_holds(&app).await;
    }

    // With other people in it, the account needs an admin although its workspace is deleted.
    async fn an_account_with_other_people_keeps_an_admin(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let confirm = [("confirm", "acme")];
        owner.client.post_form("/w/acme/organization/deletion", &confirm).await.assert_status(303);
        let refused = app.unchanged_by(delete_unasked(&owner)).await.with_status(409);
        refused.assert_says("only admin of the account acme").assert_silent_about("only Owner of");
        // Somebody who is not responsible for it goes.
        delete(&viewer).await.assert_status(303);
        delete(&owner).await.assert_status(303);
        purge(&app).await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM accounts").await, 0);
        assert_chain_holds(&app).await;
    }

    // Breaks without the last part of reader_roles (base/key_limits.rs).
    async fn secrets_that_they_know_are_worth_nothing_anywhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Deploy", &["admin"]).await;
        let api = Api::new(&app, &secret);
        // Somebody of the account who was shown it, and never was a member of the workspace.
        let email = "admin-two@example.com";
        let user = add_user(&app, "Admin Two", email).await;
        add_to_account(&app, "acme", user).await;
        let shown = format!("UPDATE api_key_secrets SET shown_to = {} WHERE api_key_id = {}", app.id(user), app.id(key));
        assert_eq!(app.execute(&shown).await, 1);
        api.get("/api/sso/v1/members").await.with_status(200);
        let client = sign_in(&app, email, PASSWORD).await;
        let page = client.visit(FORM).await;
        page.assert_says("Deploy").assert_says("You aren't a member of any workspace");
        let fields = [("confirm", email), ("current_password", PASSWORD)];
        client.submit(&page, FORM, &fields).await.assert_status(303);

        api.get("/api/sso/v1/members").await.with_status(403);
        owner.client.visit("/w/acme/api-keys").await.assert_says("Deploy").assert_silent_about("Admin Two");
    }

    async fn whoever_signs_up_with_the_address_is_somebody_new(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        delete(&viewer).await.assert_status(303);
        sweep(&app).await;
        let again = sign_up(&app, "Viewer One", &viewer.email, PASSWORD, "again").await;
        verify_email(&app, &again, &viewer.email).await;
        again.get("/w/acme").await.assert_status(404);
        again.visit("/me").await.assert_silent_about("Deleted the sign-in");
        let found = app.scalar_uuid("SELECT id FROM users WHERE email = 'viewer-one@example.com'").await;
        assert_ne!(found, viewer.user_id);
        // What they do from now on is theirs, and is not erased with the other.
        sweep(&app).await;
        assert!(names(&app).await.contains("viewer-one@example.com"));
        assert_chain_holds(&app).await;
    }
}
