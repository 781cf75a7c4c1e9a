//! Races: people who delete their sign-ins, at once and while others bring them somewhere.

use super::*;

const FORM: &str = "/me/deletion";

/// A deletion, as its form sends it.
fn deletion(twin: &Client, email: &str) -> Shot {
    Shot::new(twin, FORM, &[("confirm", email), ("current_password", PASSWORD)])
}

/// Who is deleted belongs to nothing any more.
async fn assert_gone(app: &TestApp) {
    for table in ["members", "account_people", "sessions"] {
        let sql = format!(
            "SELECT count(*) FROM {table} x JOIN users u ON u.id = x.user_id WHERE u.deleted_at IS NOT NULL"
        );
        assert_eq!(app.scalar_i64(&sql).await, 0, "{table} of somebody who is deleted");
    }
}

/// What may come of it. Whoever is gone is not signed in (401), or has no password that could be right (422).
#[track_caller]
fn assert_possible(pages: &[Page], more: &[u16]) {
    let seen = tally(pages);
    let is_possible = |status: &u16| [303, 401, 422, 429, 503].contains(status) || more.contains(status);
    assert!(seen.keys().all(is_possible), "{seen:?}");
}

both! {
    // Both are Owners, and admins of the account. One goes; the other finds to be the last of both.
    //
    // Breaks on PostgreSQL without `FOR NO KEY UPDATE` in enforce/workspace/mod.rs, and on both without the condition in
    // prepare (nouns/own_deletion/change.rs) together with the triggers `keep_an_owner…` and `keep_an_admin…`.
    async fn the_two_owners_of_a_workspace_delete_themselves(app: TestApp) {
        let other = other_node(&app).await;
        for n in 0..4 {
            let (slug, second) = (format!("pair-{n}"), format!("second-{n}@example.com"));
            let first = new_owner_of(&app, "First", &format!("first-{n}@example.com"), &slug).await;
            let user = add_user(&app, "Second", &second).await;
            add_member(&app, &slug, user, "active", &["owner"]).await;
            let admin = format!("UPDATE account_people SET is_admin = (1 = 1) WHERE user_id = {}", app.id(user));
            app.execute(&admin).await;
            let second_client = sign_in(&app, &second, PASSWORD).await;
            let id = workspace_id(&app, &slug).await;
            let ones = spread(&first.client, other.as_ref(), 5).await;
            let twos = spread(&second_client, other.as_ref(), 5).await;
            let shots = iter::zip(&ones, &twos).flat_map(|(a, b)| [deletion(a, &first.email), deletion(b, &second)]);
            let shots = turned(shots.collect(), n);

            let round = Round::begin(&app, id).await;
            let pages = fire(&shots).await;

            assert_possible(&pages, &[409]);
            assert_eq!(count(&pages, &[303]), 1, "round {n}: {:?}", tally(&pages));
            let at_workspace = format!("workspace_id = {}", app.id(id));
            let owners = format!("SELECT count(*) FROM active_owners WHERE {at_workspace}");
            assert_eq!(app.scalar_i64(&owners).await, 1, "round {n}");
            let account = account_id(&app, &slug).await;
            let admins = format!("SELECT count(*) FROM active_admins WHERE account_id = {}", app.id(account));
            assert_eq!(app.scalar_i64(&admins).await, 1, "round {n}");
            let kinds = round.kinds().await;
            assert_eq!(kinds, ["member.left", "account.admin-changed"], "round {n}");
            round.assert_sound().await;
            assert_gone(&app).await;
        }
    }

    // Somebody deletes themselves while they come into another workspace: they are in it, and it is left with the others,
    // or they never come.
    //
    // Breaks without the look at suspended_at in join_as (domain/records/members.rs), and on PostgreSQL without the second
    // look at what is concerned in prepare (nouns/own_deletion/change.rs).
    async fn a_deletion_while_coming_into_a_workspace(app: TestApp) {
        let owner = new_owner(&app).await;
        let host = new_owner_of(&app, "Host", "host@example.com", "elsewhere").await;
        let elsewhere = workspace_id(&app, "elsewhere").await;
        let other = other_node(&app).await;
        for n in 0..4 {
            let email = format!("guest-{n}@example.com");
            let guest = invite_and_join(&app, &owner.client, "acme", &email, &["viewer"]).await;
            carry_invitation(&app, &host, &guest, 2).await;
            let twins = spread(&guest.client, other.as_ref(), 10).await;
            let shots = twins.iter().enumerate().map(|(i, twin)| match i % 2 {
                0 => deletion(twin, &email),
                _ => Shot::new(twin, "/invitation/acceptance", &[]),
            });
            let shots = turned(shots.collect(), n);

            let round = Round::begin(&app, elsewhere).await;
            let pages = fire(&shots).await;

            assert_possible(&pages, &[403, 409, 410]);
            let gone = format!("SELECT count(*) FROM users WHERE id = {} AND deleted_at IS NOT NULL", app.id(guest.user_id));
            assert_eq!(app.scalar_i64(&gone).await, 1, "round {n}: {:?}", tally(&pages));
            assert_gone(&app).await;
            let kinds = round.kinds().await;
            assert!(kinds.is_empty() || kinds == ["invitation.accepted", "member.left"], "round {n}: {kinds:?}");
            round.assert_sound().await;
            assert_counted(&app).await;
        }
    }

    // Roles are changed, and the person is removed, while they go: it ends once.
    async fn a_deletion_while_others_change_the_member(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..4 {
            let email = format!("guest-{n}@example.com");
            let guest = invite_and_join(&app, &owner.client, "acme", &email, &["viewer"]).await;
            let guests = spread(&guest.client, other.as_ref(), 5).await;
            let owners = spread(&owner.client, other.as_ref(), 8).await;
            let mut shots: Vec<_> = guests.iter().map(|twin| deletion(twin, &email)).collect();
            shots.extend(owners[..4].iter().map(|twin| Shot::new(twin, at_member(&guest, "roles"), &role_set(n))));
            shots.extend(owners[4..].iter().map(|twin| Shot::new(twin, at_member(&guest, "removal"), &[])));
            let shots = turned(shots, n);

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_possible(&pages, &[404, 409]);
            let ended = round.kinds().await.iter().filter(|kind| *kind == "member.left" || *kind == "member.removed").count();
            assert_eq!(ended, 1, "round {n}: {:?}", tally(&pages));
            assert_gone(&app).await;
            round.assert_sound().await;
            assert_counted(&app).await;
        }
    }
}
