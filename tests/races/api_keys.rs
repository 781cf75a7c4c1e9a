//! Races: API keys, created, rotated, added and revoked.

use super::*;

both! {
    // Breaks without `KEY_ALREADY_CREATED` in api_keys::create_once.
    async fn a_form_makes_one_key(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..3_usize {
            let page = owner.client.visit("/w/acme/api-keys/new").await;
            let made = page.form("/api-keys").values("made")[0].to_owned();
            let fields = [("name", "Robot"), ("role", "viewer"), ("made", made.as_str())];
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let shots: Vec<_> = twins.iter().map(|twin| Shot::new(twin, "/w/acme/api-keys", &fields)).collect();

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_eq!(tally(&pages), BTreeMap::from([(200, 1), (409, 19)]), "round {n}");
            assert_eq!(round.kinds().await, ["api-key.created"]);
            assert_eq!(app.scalar_i64("SELECT count(*) FROM api_keys").await, i64::try_from(n).unwrap() + 1);
            // Who only loads a page once more is no refusal in the record.
            round.end_with(1, 0).await;
        }
    }

    // Breaks without `Err(CHANGED.into())` in keys::ensure_newest (domain/records/keys.rs).
    async fn of_twenty_who_give_a_key_another_secret_one_does(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        let (key, _, first) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let first = Api::new(&app, &first);
        let path = format!("/w/acme/api-keys/{key}");
        for n in 0..3 {
            let page = owner.client.visit(&path).await;
            let version = page.form("/rotation").values("version")[0].to_owned();
            let fields = [("overlap", "24"), ("version", version.as_str())];
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let rotation = format!("{path}/rotation");
            let shots: Vec<_> = twins.iter().map(|twin| Shot::new(twin, &rotation, &fields)).collect();

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_eq!(tally(&pages), BTreeMap::from([(200, 1), (409, 19)]), "round {n}");
            assert_eq!(round.kinds().await, ["api-key.rotated"]);
            assert_eq!(app.scalar_i64("SELECT count(*) FROM api_key_secrets").await, 2);
            let winner = pages.iter().find(|page| page.status == 200).unwrap();
            let secret = winner.attributes("#secret", "value").remove(0);
            first.with(Some(&secret)).get("/api/sso/v1/members").await.with_status(200);
            // The first goes on through the first overlap, and ends with the second rotation.
            first.get("/api/sso/v1/members").await.with_status(if n == 0 { 200 } else { 401 });
            round.end_with(1, 19).await;
        }
    }

    // Breaks without the check of `revoked_at` in keys::lock (domain/records/keys.rs), and on PostgreSQL
    // without its lock of the key, where two workspaces work on it at once.
    async fn a_key_is_given_another_secret_while_it_is_revoked(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        let account = app.scalar_uuid("SELECT account_id FROM workspaces").await.to_string();
        let fields = [("name", "Second"), ("slug", "second"), ("account", account.as_str())];
        owner.client.post_form("/workspaces", &fields).await.assert_status(303);
        let second = workspace_id(&app, "second").await;
        for n in 0..4 {
            let (key, _, secret) = add_key(&app, "acme", &format!("Robot {n}"), &["viewer"]).await;
            let id = key.to_string();
            let fields = [("key", id.as_str()), ("role", "viewer")];
            owner.client.post_form("/w/second/api-keys/addition", &fields).await.assert_status(303);
            let page = owner.client.visit(&format!("/w/acme/api-keys/{key}")).await;
            let version = page.form("/rotation").values("version")[0].to_owned();
            let fields = [("overlap", "24"), ("version", version.as_str())];
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let shot = |(n, twin): (usize, &Client)| {
                let of = ["acme", "second"][n / 2 % 2];
                match n % 5 {
                    0 => Shot::new(twin, format!("/w/{of}/api-keys/{key}/revocation"), &[]),
                    _ => Shot::new(twin, format!("/w/{of}/api-keys/{key}/rotation"), &fields),
                }
            };
            let shots = turned(twins.iter().enumerate().map(shot).collect(), n);

            let (here, there) = (Round::begin(&app, acme).await, Round::begin(&app, second).await);
            let pages = fire(&shots).await;

            let tally = tally(&pages);
            assert_eq!(tally.get(&303), Some(&1), "round {n}: {tally:?}");
            assert!(tally.get(&200).is_none_or(|rotated| *rotated == 1), "round {n}: {tally:?}");
            assert!(tally.keys().all(|status| [200, 303, 404, 409, 503].contains(status)), "round {n}: {tally:?}");
            let left = format!("SELECT count(*) FROM api_key_secrets WHERE api_key_id = {}", app.id(key));
            assert_eq!(app.scalar_i64(&left).await, 0, "round {n}: a secret of a revoked key");
            Api::new(&app, &secret).get("/api/sso/v1/members").await.with_status(401);
            for page in pages.iter().filter(|page| page.status == 200) {
                let secret = page.attributes("#secret", "value").remove(0);
                Api::new(&app, &secret).get("/api/sso/v1/members").await.with_status(401);
            }
            here.assert_sound().await;
            there.assert_sound().await;
        }
    }

    // An admin of the account and another end a key at once, while it is given another secret in one of its
    // workspaces and taken out of the other.
    //
    // Breaks without the check of `revoked_at` in keys::lock (domain/records/keys.rs), and on PostgreSQL
    // without `Workspace::lock` in reach (enforce/account/mod.rs; tried, both).
    async fn a_key_is_revoked_in_the_account_while_it_is_worked_on_in_its_workspaces(app: TestApp) {
        let owner = new_owner(&app).await;
        let second_admin = member(&app, &owner, "viewer").await;
        app.execute("UPDATE account_people SET is_admin = (1 = 1)").await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        let account = account_id(&app, "acme").await.to_string();
        let fields = [("name", "Second"), ("slug", "second"), ("account", account.as_str())];
        owner.client.post_form("/workspaces", &fields).await.assert_status(303);
        let second = workspace_id(&app, "second").await;
        for n in 0..5 {
            let (key, _, secret) = add_key(&app, "acme", &format!("Robot {n}"), &["viewer"]).await;
            let id = key.to_string();
            let fields = [("key", id.as_str()), ("role", "viewer")];
            owner.client.post_form("/w/second/api-keys/addition", &fields).await.assert_status(303);
            let of = "SELECT m.id FROM members m WHERE m.workspace_id =";
            let there = format!("{of} {} AND m.api_key_id = {}", app.id(second), app.id(key));
            let there = app.scalar_uuid(&there).await;
            let page = owner.client.visit(&format!("/w/acme/api-keys/{key}")).await;
            let version = page.form("/rotation").values("version")[0].to_owned();
            let fields = [("overlap", "24"), ("version", version.as_str())];
            let twins = spread(&owner.client, other.as_ref(), 15).await;
            let admins = spread(&second_admin.client, other.as_ref(), 5).await;
            let end = format!("/a/{account}/api-keys/{key}/revocation");
            let shot = |(n, twin): (usize, &Client)| match n % 3 {
                0 => Shot::new(twin, &end, &[]),
                1 => Shot::new(twin, format!("/w/acme/api-keys/{key}/rotation"), &fields),
                _ => Shot::new(twin, format!("/w/second/members/{there}/removal"), &[]),
            };
            let mut shots: Vec<_> = twins.iter().enumerate().map(shot).collect();
            shots.extend(admins.iter().map(|admin| Shot::new(admin, &end, &[])));
            let shots = turned(shots, n);
            let told = "SELECT count(*) FROM audit_events WHERE kind = 'api-key.revoked' AND account_id IS NOT NULL";
            let before = app.scalar_i64(told).await;

            let (here, there) = (Round::begin(&app, acme).await, Round::begin(&app, second).await);
            let pages = fire(&shots).await;

            tally(&pages);
            let ended = iter::zip(&shots, &pages).filter(|(shot, page)| shot.path == end && page.status == 303);
            assert_eq!(ended.count(), 1, "round {n}");
            assert_eq!(app.scalar_i64(told).await - before, 1, "round {n}");
            let ends = |kinds: Vec<String>| kinds.iter().filter(|kind| *kind != "api-key.rotated").count();
            assert_eq!(ends(here.kinds().await), 1, "round {n}: its end in acme");
            assert_eq!(ends(there.kinds().await), 1, "round {n}: its end, or its removal, in the other");
            let left = format!("SELECT count(*) FROM api_key_secrets WHERE api_key_id = {}", app.id(key));
            assert_eq!(app.scalar_i64(&left).await, 0, "round {n}: a secret of a revoked key");
            Api::new(&app, &secret).get("/api/sso/v1/members").await.with_status(401);
            here.assert_sound().await;
            there.assert_sound().await;
            assert_counted(&app).await;
        }
    }

    // A Developer takes a key of acme to a workspace of their own while they are demoted in acme, which then may not
    // happen any more. That the home was asked before shows in its record.
    //
    // Breaks with `scope.write(change)` in place of `scope.write_with_workspaces(reached, change)` in
    // api_keys::elsewhere::write_with_key: the home is not locked, so that it changes while it is judged, and does not
    // record where its key goes.
    async fn a_key_is_taken_elsewhere_by_somebody_who_is_demoted(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let quarry = found_quarry(&app, &developer).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..4 {
            let (key, ..) = add_key(&app, "acme", &format!("Robot {n}"), &["developer"]).await;
            let id = key.to_string();
            let fields = [("key", id.as_str()), ("role", "viewer")];
            let adding = spread(&developer.client, other.as_ref(), 10).await;
            let demoting = spread(&owner.client, other.as_ref(), 10).await;
            let roles = at_member(&developer, "roles");
            let shots = adding.iter().map(|twin| Shot::new(twin, "/w/quarry/api-keys/addition", &fields));
            let others = demoting.iter().map(|twin| Shot::new(twin, &roles, &[("role", "viewer")]));
            let shots = turned(shots.chain(others).collect(), n);

            let (here, there) = (Round::begin(&app, acme).await, Round::begin(&app, quarry).await);
            let pages = fire(&shots).await;

            let tally = tally(&pages);
            assert!(tally.keys().all(|status| [303, 403, 409, 503].contains(status)), "round {n}: {tally:?}");
            let (at_home, elsewhere) = (here.kinds().await, there.kinds().await);
            match elsewhere.is_empty() {
                true => assert_eq!(at_home, ["member.roles-changed"], "round {n}"),
                false => {
                    assert_eq!(elsewhere, ["api-key.added"], "round {n}");
                    assert_eq!(at_home, ["api-key.shared", "member.roles-changed"], "round {n}");
                }
            }
            here.assert_sound().await;
            there.assert_sound().await;
            restore(&app, &[(&developer, "developer")]).await;
        }
    }

    // Breaks without `not_locked()` in api_keys::elsewhere::end_membership: the membership ends, and the workspace that
    // it was in does not record that.
    async fn a_key_is_rotated_at_home_while_it_is_taken_elsewhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let quarry = found_quarry(&app, &developer).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..4 {
            let (key, ..) = add_key(&app, "acme", &format!("Robot {n}"), &["developer"]).await;
            let id = key.to_string();
            let adding = [("key", id.as_str()), ("role", "owner")];
            let page = owner.client.visit(&format!("/w/acme/api-keys/{key}")).await;
            let version = page.form("/rotation").values("version")[0].to_owned();
            let rotating = [("overlap", "0"), ("version", version.as_str()), ("ended_memberships", "1")];
            let adders = spread(&developer.client, other.as_ref(), 10).await;
            let rotators = spread(&owner.client, other.as_ref(), 10).await;
            let rotation = format!("/w/acme/api-keys/{key}/rotation");
            let shots = adders.iter().map(|twin| Shot::new(twin, "/w/quarry/api-keys/addition", &adding));
            let others = rotators.iter().map(|twin| Shot::new(twin, &rotation, &rotating));
            let shots = turned(shots.chain(others).collect(), n);

            let (here, there) = (Round::begin(&app, acme).await, Round::begin(&app, quarry).await);
            let pages = fire(&shots).await;

            let tally = tally(&pages);
            assert!(tally.keys().all(|status| [200, 303, 409, 503].contains(status)), "round {n}: {tally:?}");
            let (at_home, elsewhere) = (here.kinds().await, there.kinds().await);
            let count = |kinds: &[String], kind: &str| kinds.iter().filter(|one| *one == kind).count();
            let [added, removed] = ["api-key.added", "api-key.removed"].map(|kind| count(&elsewhere, kind));
            let members = format!(
                "SELECT count(*) FROM members WHERE workspace_id = {} AND api_key_id = {}",
                app.id(quarry),
                app.id(key)
            );
            let left = usize::try_from(app.scalar_i64(&members).await).unwrap();
            assert_eq!(added - removed, left, "round {n}: {elsewhere:?}");
            assert_eq!(count(&at_home, "api-key.shared"), added, "round {n}: {at_home:?}");
            // No membership there is older than the secret.
            let since = at_home.iter().position(|kind| kind == "api-key.rotated").map_or(0, |at| at + 1);
            assert_eq!(count(&at_home[since..], "api-key.shared"), left, "round {n}: {at_home:?}");
            here.assert_sound().await;
            there.assert_sound().await;
        }
    }

    // Breaks without the unique index `members_one_a_key`, and answers 500 without `KEY_IS_MEMBER`
    // in api_keys::add.
    async fn a_key_is_added_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        for n in 0..3 {
            let key = addable_key(&app, "acme", &format!("Robot {n}")).await;
            let id = key.to_string();
            let fields = [("key", id.as_str()), ("role", "viewer")];
            let twins = spread(&owner.client, other.as_ref(), 20).await;
            let shot = |twin| Shot::new(twin, "/w/acme/api-keys/addition", &fields);
            let shots: Vec<_> = twins.iter().map(shot).collect();

            let round = Round::begin(&app, acme).await;
            let pages = fire(&shots).await;

            assert_eq!(tally(&pages), BTreeMap::from([(303, 1), (409, 19)]), "round {n}");
            assert_eq!(round.kinds().await, ["api-key.added"]);
            let members = format!("SELECT count(*) FROM members WHERE api_key_id = {}", app.id(key));
            assert_eq!(app.scalar_i64(&members).await, 1);
            round.end(&pages).await;
        }
    }
}

/// A workspace of the account of acme that this person founds.
async fn found_quarry(app: &TestApp, by: &Person) -> Uuid {
    app.execute("UPDATE accounts SET workspace_creation = 'people'").await;
    let account = account_id(app, "acme").await.to_string();
    let fields = [("name", "Quarry"), ("slug", "quarry"), ("account", account.as_str())];
    by.client.post_form("/workspaces", &fields).await.assert_status(303);
    workspace_id(app, "quarry").await
}
