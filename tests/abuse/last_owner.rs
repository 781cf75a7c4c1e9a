//! Abuse cases: the last Owner. The races stand in `races/`.

use super::*;
use sea_orm::ConnectionTrait;

/// Every way in which an Owner can stop being one by their own hand.
async fn every_way_out_is_409(app: &TestApp, owner: &Person) {
    let ways = [
        (at(owner, "roles"), vec![("role", "viewer")]),
        (at(owner, "roles"), vec![("role", "admin"), ("role", "billing")]),
        (at(owner, "suspension"), vec![]),
        (at(owner, "removal"), vec![]),
        ("/w/acme/departure".to_owned(), vec![]),
    ];
    for (path, fields) in &ways {
        let page = refused(app, "acme", 409, owner.client.post_form(path, fields)).await;
        page.assert_says("Make someone else an Owner first");
        assert!(page.links().iter().any(|link| link == "/w/acme/members"), "{:?}", page.links());
    }
}

both! {
    async fn the_only_owner_demotes_self_leaves_is_suspended_or_removed_409_with_what_to_do_first(app: TestApp) {
        let owner = new_owner(&app).await;
        member(&app, &owner, "admin").await;
        every_way_out_is_409(&app, &owner).await;
        let page = owner.client.visit("/w/acme/departure").await;
        page.assert_says("You're the only Owner, so you can't leave yet");
        assert!(!page.has_form("/departure"));
        let page = owner.client.visit("/w/acme/members").await;
        page.assert_says("This is the only Owner. Make someone else an Owner first.");
        owner.client.get(&at(&owner, "removal")).await.assert_status(409);
    }

    async fn a_second_owner_who_is_suspended_does_not_count(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = second_owner(&app, &owner).await;
        owner.client.post_form(&at(&second, "suspension"), &[]).await.assert_status(303);
        every_way_out_is_409(&app, &owner).await;
        owner.client.post_form(&at(&second, "reactivation"), &[]).await.assert_status(303);
        sign_in_in_place(&second, "/w/acme").await;
        owner.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
        every_way_out_is_409(&app, &second).await;
    }

    async fn a_second_owner_whose_user_is_suspended_does_not_count(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = second_owner(&app, &owner).await;
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {}", app.id(second.user_id)))
            .await;
        every_way_out_is_409(&app, &owner).await;
    }

    async fn an_owner_demoted_by_the_other_is_stopped_as_what_they_are_now(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = second_owner(&app, &owner).await;
        assign_roles(&second, &owner, &["viewer"]).await.assert_status(303);
        refused(&app, "acme", 403, assign_roles(&owner, &second, &["viewer"])).await;
        every_way_out_is_409(&app, &second).await;
    }

    async fn the_owner_keeps_being_one_while_other_roles_of_theirs_change(app: TestApp) {
        let owner = new_owner(&app).await;
        assign_roles(&owner, &owner, &["owner", "billing"]).await.assert_status(303);
        assign_roles(&owner, &owner, &["owner"]).await.assert_status(303);
    }

    async fn behind_it_all_the_database_lets_no_last_owner_go(app: TestApp) {
        let owner = new_owner(&app).await;
        let (id, db) = (app.id(owner.member_id), app.db().await);
        let before = app.tenants().await;
        for sql in [
            format!("UPDATE members SET status = 'suspended' WHERE id = {id}"),
            format!("DELETE FROM member_roles WHERE member_id = {id}"),
            format!("DELETE FROM members WHERE id = {id}"),
        ] {
            let error = db.execute_unprepared(&sql).await.expect_err(&sql).to_string();
            assert!(error.contains("last_owner"), "{sql}: {error}");
        }
        before.assert_same(&app.tenants().await);
    }
}
