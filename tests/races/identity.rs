//! Races: signing up and in, links in mail, and who was seen last.

use super::*;

/// Waits until a statement waits for a lock of another.
async fn somebody_waits(app: &TestApp) {
    let watcher = app.database.connect().await;
    let sql =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("nobody waits", async || {
        let waiting = Statement::from_string(DbBackend::Postgres, sql);
        watcher.query_one_raw(waiting).await.unwrap().is_some()
    })
    .await;
}

both! {
    // Everybody is told the same (303); one account comes of it, and the address is written to.
    //
    // Breaks without `Err(Refused::Conflict(CHANGED))` in identity::sign_up.
    async fn an_address_signs_up_once(app: TestApp) {
        let visitor = app.client();
        let other = other_node(&app).await;
        let twins = spread(&visitor, other.as_ref(), 20).await;
        let shots: Vec<_> = twins.iter().enumerate().map(|(i, twin)| {
            let workspace = format!("First {i}");
            Shot::new(twin, "/sign-up", &[("name", "Owner One"), ("email", "owner-one@example.com"),
                ("password", PASSWORD), ("workspace", &workspace)])
        }).collect();

        let pages = fire(&shots).await;

        let seen = tally(&pages);
        assert!(seen.keys().all(|status| [303, 503].contains(status)), "{seen:?}");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM users").await, 1);
        for table in ["accounts", "account_people", "workspaces", "members"] {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
        }
        let locations: Vec<_> = pages.iter().filter_map(|page| page.header("location")).collect();
        assert!(locations.iter().all(|to| *to == locations[0]), "{locations:?}");
        app.mail_is_out().await;
        let confirm = app.mail.to("owner-one@example.com").into_iter().filter(|l| l.subject.starts_with("Confirm"));
        assert_eq!(confirm.count(), 1);
    }

    // Nobody chose the address of the workspace, so nobody is told that it is taken.
    //
    // Breaks on PostgreSQL without the second try of NewUser::create (tried); on SQLite without free_slug.
    async fn twenty_sign_up_with_one_name_for_their_workspace(app: TestApp) {
        let visitor = app.client();
        let other = other_node(&app).await;
        let twins = spread(&visitor, other.as_ref(), 20).await;
        let shots: Vec<_> = twins.iter().enumerate().map(|(i, twin)| {
            let email = format!("owner-{i}@example.com");
            Shot::new(twin, "/sign-up", &[("name", "Owner"), ("email", &email),
                ("password", PASSWORD), ("workspace", "Acme")])
        }).collect();

        let pages = fire(&shots).await;

        let seen = tally(&pages);
        assert!(seen.keys().all(|status| [303, 503].contains(status)), "{seen:?}");
        let made = count(&pages, &[303]);
        for table in ["users", "accounts", "workspaces", "members"] {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, made, "{table}");
        }
    }

    // All twenty sign up by one link, half of them on another node, and confirm at once: one gets in.
    //
    // Breaks on PostgreSQL without `AND user_id IS NULL` in claim (domain/nouns/identity/first.rs), and on both without
    // its call in confirm_email.
    async fn of_twenty_who_sign_up_by_the_first_link_one_gets_in(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.sign_up = product::SignUp::Invited).spawn().await;
        let other = other_node(&app).await;
        let path = app.first_sign_up();
        let at = |i: usize| other.as_ref().filter(|_| i % 2 == 1).unwrap_or(&app);
        let clients: Vec<Client> = (0..20).map(|i| app.client().moved_to(at(i))).collect();
        let mut ids = Vec::new();
        for client in &clients {
            ids.push(client.visit(&path).await.attributes("input[name=link]", "value").remove(0));
        }
        let email = |i: usize| format!("first-{i}@example.com");
        let shots: Vec<_> = clients.iter().enumerate().map(|(i, client)| {
            let (email, name) = (email(i), format!("First {i}"));
            Shot::new(client, "/sign-up", &[("name", &*name), ("email", &*email), ("password", PASSWORD),
                ("workspace", &*name), ("link", &*ids[i])])
        }).collect();
        let seen = tally(&fire(&shots).await);
        let made = i64::try_from(seen.get(&303).copied().unwrap_or_default()).unwrap();
        assert!(made > 1 && seen.keys().all(|status| [303, 503].contains(status)), "{seen:?}");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM users").await, made);
        app.mail_is_out().await;
        let mut shots = Vec::new();
        for (i, client) in clients.iter().enumerate() {
            for letter in app.mail.to(&email(i)) {
                client.visit(&letter.link("/email-verification/")).await;
                shots.push(Shot::new(client, "/email-verification", &[("password", PASSWORD)]));
            }
        }
        assert_eq!(i64::try_from(shots.len()).unwrap(), made);

        let pages = fire(&shots).await;

        let seen = tally(&pages);
        assert_eq!(seen.get(&303), Some(&1), "{seen:?}");
        assert!(seen.keys().all(|status| [303, 410, 503].contains(status)), "{seen:?}");
        for page in pages.iter().filter(|page| page.status == 410) {
            page.assert_says("Someone else was the first person here");
        }
        for table in ["users", "accounts", "account_people", "workspaces", "members"] {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
        }
        assert_eq!(app.scalar_i64("SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL").await, 1);
    }

    // Each change of a name is told in the workspace, as what it was changed from.
    //
    // Breaks without `AND name = $3` in sessions::rename, and on PostgreSQL where it locks the member before the
    // workspace.
    async fn a_name_changes_while_its_roles_change(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let acme = workspace_id(&app, "acme").await;
        let other = other_node(&app).await;
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        let round = Round::begin(&app, acme).await;
        let people = spread(&viewer.client, other.as_ref(), 10).await;
        let admins = spread(&owner.client, other.as_ref(), 10).await;
        let names: Vec<String> = (0..10).map(|i| format!("Viewer {i}")).collect();
        let mut shots: Vec<_> =
            iter::zip(&people, &names).map(|(one, name)| Shot::new(one, "/me/profile", &[("name", name)])).collect();
        let roles = ["editor", "viewer"].into_iter().cycle();
        shots.extend(iter::zip(&admins, roles).map(|(one, role)| Shot::new(one, &*path, &[("role", role)])));

        let pages = fire(&shots).await;

        let seen = tally(&pages);
        assert!(seen.keys().all(|status| [303, 409, 503].contains(status)), "{seen:?}");
        let renamed = count(&pages[..10], &[303]);
        assert!(renamed > 0, "{seen:?}");
        let sql = format!("SELECT payload FROM {AUDIT_RECORD} r WHERE kind = 'member.renamed' ORDER BY seq");
        let events = app.rows(&sql).await;
        assert_eq!(i64::try_from(events.len()).unwrap(), renamed);
        let mut name = "Viewer One".to_owned();
        for event in events {
            let change = &event["payload"]["member_renamed"];
            assert_eq!(change["before"], name.as_str());
            name = change["after"].as_str().unwrap().to_owned();
        }
        round.assert_sound().await;
    }

    // Breaks on PostgreSQL without `lock_memberships` in sessions::rename: a change of somebody's roles, and the
    // confirmation of their address, lock the member and then the user.
    async fn a_name_changes_while_its_member_and_then_its_user_are_locked(app: TestApp) {
        let owner = new_owner(&app).await;
        let name = [("name", "Renamed One")];
        if app.backend == Backend::Sqlite {
            // Here one lock is for all.
            owner.client.post_form("/me/profile", &name).await.assert_status(303);
            return;
        }
        let transaction = app.database.connect().await.begin().await.unwrap();
        let change = async |sql: String| transaction.execute_unprepared(&sql).await.unwrap();
        change(format!("UPDATE members SET joined_at = joined_at WHERE id = {}", app.id(owner.member_id))).await;
        let client = owner.client.clone();
        let renaming = tokio::spawn(async move { client.post_form("/me/profile", &name).await });
        somebody_waits(&app).await;
        change(format!("UPDATE users SET created_at = created_at WHERE id = {}", app.id(owner.user_id))).await;
        transaction.commit().await.unwrap();
        renaming.await.unwrap().assert_status(303);
    }

    // Breaks without `AND used_at IS NULL` in consume (domain/nouns/identity/email.rs) together with the one
    // in find and the deletion in sessions::replace_password: each alone is enough on SQLite; on
    // PostgreSQL it takes consume.
    async fn a_reset_link_chooses_one_password(app: TestApp) {
        let owner = new_owner(&app).await;
        let visitor = app.client();
        visitor.post_form("/forgot-password", &[("email", &owner.email)]).await.assert_status(200);
        let link = app.mail.wait_for_link(&owner.email, "/reset-password/").await;
        visitor.visit(&link).await;
        let other = other_node(&app).await;
        let twins = spread(&visitor, other.as_ref(), 20).await;
        let password = |i: usize| format!("{PASSWORD} and {i}");
        let shots: Vec<_> = twins.iter().enumerate()
            .map(|(i, twin)| Shot::new(twin, "/reset-password", &[("password", &password(i))])).collect();

        let pages = fire(&shots).await;

        let seen = tally(&pages);
        assert_eq!(seen.get(&303), Some(&1), "{seen:?}");
        assert!(seen.keys().all(|status| [303, 410, 503].contains(status)), "{seen:?}");
        let told = "SELECT count(*) FROM audit_events WHERE kind = 'user.password-reset'";
        assert_eq!(app.scalar_i64(told).await, 1);
        let winner = pages.iter().position(|page| page.status == 303).unwrap();
        sign_in(&app, &owner.email, &password(winner)).await;
        let loser = app.client();
        let fields = [("email", owner.email.as_str()), ("password", &password((winner + 1) % 20))];
        loser.post_form("/sign-in", &fields).await.assert_status(422);
        owner.client.get("/me").await.assert_status(401);
    }

    // Breaks without still_has in sign_in (domain/nouns/identity/sessions.rs) (tried): hashing takes its time, and the
    // password changes meanwhile.
    async fn a_sign_in_that_straddles_a_change_of_password_opens_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = other_node(&app).await;
        let mut current = PASSWORD.to_owned();
        for round in 0..6 {
            let next = format!("four bicycles {round} under one moon");
            let visitors = spread(&app.client(), other.as_ref(), 12).await;
            let fields = [("email", owner.email.as_str()), ("password", current.as_str())];
            let change = [("current_password", current.as_str()), ("password", next.as_str())];
            let change = Shot::new(&owner.client, "/me/password", &change);
            let shots: Vec<_> = visitors.iter().map(|v| Shot::new(v, "/sign-in", &fields)).chain([change]).collect();

            // One after another, so that some are in the middle of hashing whenever the change is made. On a busy
            // machine fewer may be: the round then finds less.
            let pages = race(shots.len(), async |i| {
                tokio::time::sleep(Duration::from_millis(if i == 12 { 0 } else { 25 * i as u64 })).await;
                shots[i].fire().await
            })
            .await;

            assert_eq!(pages.last().unwrap().status, 303, "the password is changed");
            let live = format!("SELECT count(*) FROM sessions WHERE user_id = {}", app.id(owner.user_id));
            assert_eq!(app.scalar_i64(&live).await, 1, "only the session that changed it goes on");
            current = next;
        }
    }

    // Breaks when Limit::spend (domain/base/limits.rs) counts after the password was looked at.
    async fn of_twenty_guesses_at_once_ten_are_looked_at(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = other_node(&app).await;
        for email in [owner.email.as_str(), "nobody@example.com"] {
            let visitor = app.client();
            let twins = spread(&visitor, other.as_ref(), 20).await;
            let shots: Vec<_> = twins.iter()
                .map(|twin| Shot::new(twin, "/sign-in", &[("email", email), ("password", "a wrong one")])).collect();

            let pages = fire(&shots).await;

            let seen = tally(&pages);
            let (looked_at, refused) = (count(&pages, &[422]), count(&pages, &[429]));
            assert!(looked_at <= 10 && looked_at + refused + count(&pages, &[503]) == 20, "{email}: {seen:?}");
            assert!(refused >= 10, "{email}: {seen:?}");
            for page in pages.iter().filter(|page| page.status == 429) {
                assert!(page.header("retry-after").is_some());
            }
            // Nor is the right one, until the time is over.
            let fields = [("email", email), ("password", PASSWORD)];
            visitor.post_form("/sign-in", &fields).await.assert_status(429);
        }
        app.clock.advance(Duration::from_secs(15 * 60 + 1));
        let fields = [("email", owner.email.as_str()), ("password", PASSWORD)];
        app.client().post_form("/sign-in", &fields).await.assert_status(303);
    }

    // Who was seen last is written by every node now and then, beside whatever locks those rows.
    //
    // Breaks on PostgreSQL when presence::flush (domain/enforce/presence.rs) holds the rows of
    // several people in one transaction (tried): then the two wait in a circle, and the database ends one.
    async fn noting_who_was_seen_stands_in_nobodys_way(app: TestApp) {
        let people = owners(&app, 5).await;
        if app.backend == Backend::Sqlite {
            // There is one writer; nothing can wait in a circle.
            return;
        }
        // Whose row is written last is chance: in one round of five it shows nothing.
        for held in &people[..2] {
            let transaction = app.database.connect().await.begin().await.unwrap();
            let touch = async |person: &Person| {
                let member = app.id(person.member_id);
                let sql = format!("UPDATE members SET joined_at = joined_at WHERE id = {member}");
                transaction.execute_unprepared(&sql).await.unwrap();
            };
            touch(held).await;
            // From here on all of them are to be written.
            app.clock.advance(Duration::from_secs(120));
            let seen_after = app.clock.now().as_millis();
            for person in &people {
                person.client.visit("/w/acme").await;
            }
            somebody_waits(&app).await;
            for person in &people {
                touch(person).await;
            }
            transaction.commit().await.unwrap();
            // Whom the database ends is this transaction, above, or the one that notes who was seen.
            let noted = format!("SELECT count(*) FROM members WHERE last_active_at >= {seen_after}");
            until("it was not noted who was seen", async || app.scalar_i64(&noted).await == 5).await;
        }
    }
}
