//! Abuse cases: locking others out, and taking what all need. Whoever does it is in nobody's way but their own.

use super::*;
use crate::{
    nouns::{roles::add_role, teams::add_team},
    races::assert_chain_holds,
    support::product::{Clock, Config, Db, housekeeping},
    world::{add_member, add_user, new_id},
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

pub(super) const VICTIM: &str = "owner-one@example.com";

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) async fn try_sign_in(client: &Client, email: &str, password: &str) -> Page {
    client.post_form("/sign-in", &[("email", email), ("password", password)]).await
}

/// Deletes what has expired, as an installation that delivers mail.
async fn sweep(app: &TestApp) {
    sweep_with(app, "smtp://127.0.0.1:9").await;
}

/// [`sweep`], as an installation whose mail goes there. The handle is the test's own, so that it is done now.
async fn sweep_with(app: &TestApp, mail: &str) {
    let dir = tempfile::tempdir().unwrap();
    let config =
        Config { mail: mail.parse().unwrap(), ..Config::for_tests(app.database.url.clone(), dir.path()) };
    let db = Db::open(&config, app.url(), Clock::manual(app.clock.now())).await.unwrap();
    housekeeping::sweep(&db).await.unwrap();
    db.close().await;
}

async fn column(app: &TestApp, sql: &str, name: &str) -> Vec<String> {
    app.rows(sql).await.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
}

both! {
    // Breaks when sign_in (domain/nouns/identity/sessions.rs) counts failures by account alone, or those of a
    // known browser with those of its network.
    async fn a_hundred_failures_by_a_stranger_and_the_victim_signs_in_at_once(app: TestApp) {
        let owner = new_owner(&app).await;
        // The stranger has ten computers, one of them in the victim's own network.
        let home = address("127.50.0.1");
        let at_home = Client::at(&app, home);
        sign_in_with(&at_home, VICTIM, PASSWORD).await;
        at_home.post_form("/sign-out", &[]).await.assert_status(303);
        let mut failures = 0;
        for n in 0..10 {
            let from = if n == 0 { home } else { address(&format!("127.51.{n}.1")) };
            let stranger = Client::at(&app, from);
            for _ in 0..11 {
                let page = try_sign_in(&stranger, VICTIM, "a wrong guess of it").await;
                failures += usize::from(page.status == 422);
            }
            try_sign_in(&stranger, VICTIM, PASSWORD).await.assert_status(429);
        }
        assert_eq!(failures, 100, "each network has its ten");

        // In another network, in a browser that nobody knows.
        try_sign_in(&app.client(), VICTIM, PASSWORD).await.assert_status(303);
        // At home, in the browser that signed in before; and only there.
        try_sign_in(&at_home, VICTIM, PASSWORD).await.assert_status(303);
        try_sign_in(&Client::at(&app, home), VICTIM, PASSWORD).await.assert_status(429);
        owner.client.visit("/me").await;
    }

    // Breaks without `known_browser::known`'s comparison of the mark (web/known_browser.rs).
    async fn a_browser_is_known_for_the_address_that_signed_in_and_its_guesses_count_too(app: TestApp) {
        new_owner(&app).await;
        let other = new_owner_of(&app, "Other One", "other-one@example.com", "elsewhere").await;
        // The owner of another sign-in is no known browser for this one.
        let browser = other.client.twin();
        for _ in 0..10 {
            try_sign_in(&browser, VICTIM, "a wrong guess of it").await.assert_status(422);
        }
        try_sign_in(&browser, VICTIM, PASSWORD).await.assert_status(429);
        // For their own they are, and have ten guesses there as well.
        for _ in 0..10 {
            try_sign_in(&browser, &other.email, "a wrong guess of it").await.assert_status(422);
        }
        let page = try_sign_in(&browser, &other.email, PASSWORD).await.with_status(429);
        assert!(page.header("retry-after").is_some());
        // A cookie that was not signed here is none.
        let cookie = browser.cookies().into_iter().find(|cookie| cookie.starts_with("bailiwick-browser=")).unwrap();
        let forged = Client::at(&app, address("127.52.0.1"));
        forged.set_cookie(&format!("{}x", cookie));
        for _ in 0..10 {
            try_sign_in(&forged, &other.email, "a wrong guess of it").await.assert_status(422);
        }
        try_sign_in(&forged, &other.email, PASSWORD).await.assert_status(429);
    }

    // Breaks when a reset shares its budget with other mail (limits::MAIL_TO), or counts by address alone.
    async fn sign_ups_and_resets_by_a_stranger_and_the_victims_reset_comes(app: TestApp) {
        new_owner(&app).await;
        let stranger = app.client();
        for n in 0..8 {
            let name = format!("Stranger {n}");
            let fields = [("name", name.as_str()), ("email", VICTIM), ("password", PASSWORD), ("workspace", "Any")];
            stranger.post_form("/sign-up", &fields).await.assert_status(303);
            stranger.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        }
        app.mail_is_out().await;
        let sent = async |subject: &str| {
            app.mail_is_out().await;
            app.mail.to(VICTIM).iter().filter(|letter| letter.subject == subject).count()
        };
        assert_eq!(sent("You already have a sign-in").await, 6);
        assert_eq!(sent("Choose a new password").await, 6);

        // From another network, with a browser that nobody knows.
        let victim = app.client();
        victim.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        let letters = app.mail.wait_for_several(VICTIM, "Choose a new password", 7).await;
        let page = victim.visit(&letters[6].link("/reset-password/")).await;
        let fields = [("password", "another battery horse staple 7")];
        victim.submit(&page, "/reset-password", &fields).await.assert_status(303);
        try_sign_in(&victim, VICTIM, "another battery horse staple 7").await.assert_status(303);
    }

    // Breaks without RESET_BROWSER in forgot_password (domain/nouns/identity/email.rs).
    async fn whatever_strangers_requested_a_known_browser_gets_its_reset(app: TestApp) {
        let owner = new_owner(&app).await;
        owner.client.post_form("/sign-out", &[]).await.assert_status(303);
        for n in 0..5 {
            let stranger = Client::at(&app, address(&format!("127.53.{n}.1")));
            for _ in 0..6 {
                stranger.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
            }
        }
        app.mail_is_out().await;
        let sent = app.mail.to(VICTIM).iter().filter(|letter| letter.subject == "Choose a new password").count();
        assert_eq!(sent, 24, "what one address is sent in an hour");
        owner.client.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        app.mail.wait_for_several(VICTIM, "Choose a new password", 25).await;
    }

    // Breaks without the first two `limits::check` in forgot_password (domain/nouns/identity/email.rs).
    async fn a_reset_over_its_limit_costs_no_write(app: TestApp) {
        new_owner(&app).await;
        let stranger = app.client();
        for email in [VICTIM, "nobody-at-all@example.com"] {
            let mut seen = BTreeSet::new();
            for n in 0..9 {
                stranger.csrf().await;
                app.mail_is_out().await;
                app.take_statements();
                let page = stranger.post_form("/forgot-password", &[("email", email)]).await.with_status(200);
                seen.insert(page.text().replace(email, "ADDRESS"));
                let writes = app.take_statements().into_iter().map(|statement| statement.sql);
                let is_write = |sql: &String| {
                    ["INSERT", "UPDATE", "DELETE"].iter().any(|word| sql.starts_with(word))
                        && (sql.contains("rate_limits") || sql.contains("email_tokens") || sql.contains("INTO outbox"))
                };
                let writes: Vec<String> = writes.filter(is_write).collect();
                assert_eq!(writes.is_empty(), n >= 6, "{email}, request {n}: {writes:?}");
            }
            assert_eq!(seen.len(), 1, "the answer does not tell that the limit was met");
        }
    }

    // Breaks without MAIL_FROM_PERSON in records::mail::queue (domain/records/mail.rs).
    async fn one_address_gets_a_bounded_number_of_mails_from_one_person_and_is_invited_all_the_same(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = "guest-one@example.com";
        let path = "/w/acme/invitations";
        let mut last = None;
        for _ in 0..11 {
            last = Some(invite(&owner.client, "acme", guest, &["viewer"]).await);
            // What is cancelled before it is sent is not sent.
            app.mail_is_out().await;
            let id = app.scalar_uuid("SELECT id FROM invitations WHERE status = 'pending'").await;
            owner.client.post_form(&format!("{path}/{id}/cancellation"), &[]).await.assert_status(303);
        }
        assert_eq!(app.mail.to(guest).len(), 10);
        let page = last.unwrap();
        page.assert_says("Invited, not e-mailed: too many e-mails this hour");
        // The link is there, to be passed on.
        assert!(page.html.contains("/invitations/blw_inv_"), "{}", page.text());
        // Somebody else still reaches them.
        let other = new_owner_of(&app, "Other One", "other-one@example.com", "elsewhere").await;
        invite(&other.client, "elsewhere", guest, &["viewer"]).await;
        app.mail_is_out().await;
        assert_eq!(app.mail.to(guest).len(), 11);
    }

    // Breaks without names_an_address (domain/base/values.rs), or `inert` (domain/base/outbox.rs).
    async fn no_address_and_no_link_in_a_name_that_appears_in_mail(app: TestApp) {
        let owner = new_owner(&app).await;
        for bad in ["Win at https://evil.example", "Call me@evil.example", "WWW.evil.example", "a@b"] {
            let fields = [("name", bad), ("email", "new-one@example.com"), ("password", PASSWORD), ("workspace", bad)];
            let page = app.unchanged_by(app.client().post_form("/sign-up", &fields)).await.with_status(422);
            for field in ["name", "workspace"] {
                assert!(page.field_error(field).is_some_and(|error| error.contains("e-mail")), "{bad} as {field}");
                assert_eq!(page.field_value(field).as_deref(), Some(bad), "what was typed is kept");
            }
            for (path, more) in [
                ("/me/profile", vec![]),
                ("/w/acme/organization", vec![("slug", "acme")]),
                ("/w/acme/roles", vec![]),
            ] {
                let fields: Vec<_> = [("name", bad)].into_iter().chain(more).collect();
                app.unchanged_by(owner.client.post_form(path, &fields)).await.assert_status(422);
            }
        }
        // Names from before this rule, and what companies are called.
        let me = app.id(owner.user_id);
        app.execute(&format!("UPDATE users SET name = 'Prize at https://evil.example' WHERE id = {me}")).await;
        app.execute("UPDATE workspaces SET name = 'Example.com'").await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let letter = app.mail.wait_for("guest-one@example.com", "invited you").await;
        assert!(letter.links().iter().all(|link| link.starts_with(&app.url())), "{:?}", letter.links());
        for text in [&letter.subject, &letter.text] {
            assert!(!text.contains("://evil") && !text.contains("Example.com"), "{text}");
            assert!(text.contains("Example. com"), "{text}");
        }
    }

    // Breaks when all who wait to hash stand in one line (domain/base/hash_queue.rs).
    async fn right_sign_ins_of_one_account_stand_in_nobodys_way(app: TestApp) {
        new_owner(&app).await;
        let flood = new_owner_of(&app, "Flood One", "flood-one@example.com", "flood").await;
        let from = address("127.70.0.1");
        let twins = Client::at(&app, from).twins(90).await;
        let victim = app.client();
        victim.csrf().await;
        let (email, fields) = (flood.email.as_str(), |email| [("email", email), ("password", PASSWORD)]);
        let flooding = race(90, async |i| twins[i].post_form("/sign-in", &fields(email)).await);
        let signing_in = async {
            let mut all = Vec::new();
            for _ in 0..3 {
                all.push(victim.post_form("/sign-in", &fields(VICTIM)).await);
            }
            all
        };
        let (flooded, victims) = futures_util::future::join(flooding, signing_in).await;
        assert!(victims.iter().all(|page| page.status == 303), "{:?}", victims.iter().map(|p| p.status));
        for page in &flooded {
            assert!([303, 429, 503].contains(&page.status.as_u16()), "{}", page.status);
            assert_eq!(page.status != 303, page.header("retry-after").is_some());
        }
        let served = flooded.iter().filter(|page| page.status == 303).count();
        assert!((1..=60).contains(&served), "{served} of ninety");
        // Nor does it go on for ever, one after the other.
        let mut statuses = BTreeSet::new();
        for _ in 0..(61 - served) {
            // Each time in a browser that nobody knows.
            statuses.insert(try_sign_in(&Client::at(&app, from), email, PASSWORD).await.status.as_u16());
        }
        assert!(statuses.contains(&429), "{statuses:?}");
    }

    // Breaks without MAX_SESSIONS in sessions::start (domain/nouns/identity/sessions.rs).
    async fn of_many_sessions_of_one_person_the_oldest_ends(app: TestApp) {
        let owner = new_owner(&app).await;
        let first = owner.client;
        let count = format!("SELECT count(*) FROM sessions WHERE user_id = {}", app.id(owner.user_id));
        for n in app.scalar_i64(&count).await..50 {
            first.visit("/me").await;
            try_sign_in(&app.client(), VICTIM, PASSWORD).await.assert_status(303);
            assert_eq!(app.scalar_i64(&count).await, n + 1);
        }
        first.visit("/me").await;
        let last = app.client();
        sign_in_with(&last, VICTIM, PASSWORD).await;
        assert_eq!(app.scalar_i64(&count).await, 50);
        first.get("/me").await.assert_status(401);
        last.visit("/me").await;
    }

    // Breaks when a table is in no row of TABLES (domain/housekeeping.rs).
    async fn every_table_says_why_it_does_not_grow_without_end(app: TestApp) {
        let catalogue: BTreeSet<&str> = app.catalogue().await.all().into_iter().collect();
        let listed: Vec<&str> = housekeeping::TABLES.iter().map(|(table, _)| *table).collect();
        let once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(once.len(), listed.len(), "a table is listed twice");
        let known: BTreeSet<&str> = once.iter().copied().filter(|table| !table.starts_with("sqlite_")).collect();
        let present: BTreeSet<&str> = catalogue.into_iter().filter(|table| !table.starts_with("sqlite_")).collect();
        assert_eq!(known, present, "left: TABLES in domain/housekeeping.rs; right: the tables there are");
        for (table, growth) in housekeeping::TABLES {
            if let housekeeping::Growth::With(other) = growth {
                assert!(known.contains(other), "{table} is deleted with {other}");
            }
            if let housekeeping::Growth::Expires { column, .. } = growth {
                assert!(app.catalogue().await.columns(table).any(|known| known == *column), "{table}.{column}");
            }
        }
    }

    // Breaks without the loop in sweep (domain/housekeeping.rs).
    async fn what_has_expired_is_deleted_from_each_table_that_says_so(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let role = serde_json::json!({"name": "Helper", "scopes": ["read:posts"]}).to_string();
        let once = [("idempotency-key", "one")];
        api.send(reqwest::Method::POST, "/api/sso/v1/roles", Some(role), &once).await.with_status(201);
        try_sign_in(&app.client(), VICTIM, "a wrong guess of it").await.assert_status(422);
        app.client().post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        app.mail_is_out().await;
        let far = app.clock.now().as_millis() * 2;
        let (session, letter) = (app.scalar_uuid("SELECT id FROM sessions LIMIT 1").await, app.id(uuid::Uuid::nil()));
        let now = app.clock.now().as_millis();
        app.execute(&format!(
            "INSERT INTO notices (id, session_id, body, expires_at) VALUES ({letter}, {}, '', {now})",
            app.id(session)
        ))
        .await;
        app.execute(&format!(
            "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
                SELECT {letter}, m.workspace_id, 'api.example.com', '', '', m.user_id, {now} FROM members m
                WHERE m.origin = 'founder'"
        ))
        .await;
        app.execute(&format!(
            "INSERT INTO destination_credentials (id, workspace_id, destination_id, header_name, sealed, created_by,
                    created_at, ends_at)
                SELECT {letter}, d.workspace_id, d.id, 'x-api-key', '', d.created_by, {now}, {now} FROM destinations d"
        ))
        .await;
        app.execute(&format!(
            "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts)
             VALUES ({letter}, 'nobody@example.com', '', '', {now}, {far}, 9)"
        ))
        .await;
        app.execute(&format!(
            "INSERT INTO api_key_consents (id, workspace_id, api_key_id, to_workspace_id, given_by, created_at,
                    expires_at)
                SELECT {letter}, k.home_id, k.id, k.home_id, k.made_by, {now}, {now} FROM api_keys k"
        ))
        .await;
        app.execute(&format!(
            "INSERT INTO administration_requests (id, workspace_id, account_id, user_id, created_at, expires_at)
                SELECT {letter}, w.id, w.account_id, k.made_by, {now}, {now} FROM api_keys k
                JOIN workspaces w ON w.id = k.home_id"
        ))
        .await;
        for rows in [
            "exports (id, workspace_id, created_by, created_at, state, rows_done, rows_total, parts, size, expires_at)
                SELECT {letter}, workspace_id, created_by, {now}, 'ready', 0, 0, 0, 0, {now} FROM destinations",
            "event_deliveries (id, workspace_id, destination_id, kind, status, queued_at, tries_left, expires_at)
                SELECT {letter}, workspace_id, id, 'events.tested', 'delivered', {now}, 0, {now} FROM destinations",
            "gateway_leases (scope, scope_id, node_id, permits, expires_at)
                SELECT 'key', id, id, 1, {now} FROM destinations",
            "traffic (workspace_id, at, id, key_name, host, method, path, bytes_in, bytes_out, ms)
                SELECT workspace_id, {now}, id, '', host, 'GET', '/', 0, 0, 0 FROM destinations",
            "traffic_days (workspace_id, subject_id, day, answered, client_errors, failed, refused, bytes_in, bytes_out,
                    unlisted)
                SELECT workspace_id, id, {now}, 1, 0, 0, 0, 0, 0, 0 FROM destinations",
            "access_requests (id, workspace_id, member_id, scope, role, reason, status, created_at, expires_at, answer,
                    given_role)
                SELECT {letter}, workspace_id, id, 'read:audit', '', '', 'pending', {now}, {now}, '', '' FROM members
                WHERE origin = 'founder'",
            "attention_snoozes (workspace_id, member_id, item, until)
                SELECT workspace_id, id, 'single-owner', {now} FROM members WHERE origin = 'founder'",
            "provider_events (id, kind, received_at) VALUES ('evt_1', 'invoice.paid', {now})",
        ] {
            let rows = rows.replace("{letter}", &letter).replace("{now}", &now.to_string());
            app.execute(&format!("INSERT INTO {rows}")).await;
        }
        app.execute(&format!("INSERT INTO first_sign_ups (user_id, ended_at) VALUES ({letter}, {now})")).await;
        let expiring = || {
            housekeeping::TABLES.iter().filter_map(|(table, growth)| match growth {
                housekeeping::Growth::Expires { .. } => Some(*table),
                _ => None,
            })
        };
        for table in expiring() {
            let rows = app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await;
            assert!(rows > 0, "nothing in {table} could expire");
        }
        let kept = app.scalar_i64("SELECT count(*) FROM members").await;
        app.clock.advance(Duration::from_secs(130 * 86_400));
        sweep(&app).await;
        for table in expiring() {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(app.scalar_i64("SELECT count(*) FROM members").await, kept);
    }

    // Breaks without `unconfirmed::sweep` in sweep (domain/housekeeping.rs); and each `AND` of given_up
    // (domain/nouns/identity/unconfirmed.rs) keeps somebody.
    async fn sign_ups_that_were_never_confirmed_go_and_nobody_else(app: TestApp) {
        let owner = new_owner(&app).await;
        sign_up(&app, "Given Up", "given-up@example.com", PASSWORD, "Given up").await;
        sign_up(&app, "Still Here", "still-here@example.com", PASSWORD, "Still here").await;
        // Entered by a service, and never came.
        let api = workspace_key(&app, "acme", &["owner"]).await;
        api.post("/api/sso/v1/users", &serde_json::json!({"email": "awaited-one@example.com"})).await.with_status(201);
        let people = async || {
            let rows = app.rows("SELECT COALESCE(awaited_email, email) AS email FROM users ORDER BY 1").await;
            rows.iter().map(|row| row["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        app.clock.advance(Duration::from_secs(29 * 86_400));
        sweep(&app).await;
        assert_eq!(people().await.len(), 4);
        // Who signs in now and then is not given up.
        let client = app.client();
        sign_in_with(&client, "still-here@example.com", PASSWORD).await;
        app.clock.advance(Duration::from_secs(2 * 86_400));
        sweep(&app).await;
        assert_eq!(people().await, ["awaited-one@example.com", VICTIM, "still-here@example.com"]);
        let rows = app.rows("SELECT slug FROM workspaces ORDER BY slug").await;
        let slugs: Vec<_> = rows.iter().map(|row| row["slug"].as_str().unwrap()).collect();
        assert_eq!(slugs, ["acme", "still-here"]);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM accounts").await, 2);
        client.visit("/w/still-here").await;
        try_sign_in(&app.client(), &owner.email, PASSWORD).await.assert_status(303);
        // The installation records that it was deleted.
        let recorded = "SELECT count(*) FROM audit_events WHERE kind = 'sign-up.given-up'";
        assert_eq!(app.scalar_i64(recorded).await, 1);
        let deleted = "SELECT count(*) FROM audit_events WHERE kind = 'organization.deleted'";
        assert_eq!(app.scalar_i64(deleted).await, 1);
        assert_chain_holds(&app).await;
        // Its name is free again.
        sign_up(&app, "Given Up", "given-up@example.com", PASSWORD, "Given up").await;
        app.mail.wait_for_several("given-up@example.com", "Confirm your e-mail address", 2).await;
    }

    // Breaks without the rows of `uses` in given_up (domain/nouns/identity/unconfirmed.rs), or its audit_events.
    async fn who_never_confirmed_and_uses_their_workspace_keeps_it(app: TestApp) {
        new_owner(&app).await;
        let things = [
            "billing", "destination", "former", "invitation", "key", "later", "member", "nothing", "resource", "role",
            "team",
        ];
        for thing in things {
            let email = format!("{thing}@example.com");
            sign_up(&app, "Founder One", &email, PASSWORD, &format!("with {thing}")).await;
        }
        let founded = |thing: &str| {
            format!(
                "FROM workspaces w JOIN members m ON m.workspace_id = w.id AND m.origin = 'founder'
                 WHERE w.slug = 'with-{thing}'"
            )
        };
        let id = || app.id(new_id());
        add_role(&app, "with-role", "helper", "Helper", &[]).await;
        add_team(&app, "with-team", "Team One", &[], &[]).await;
        add_key(&app, "with-key", "Robot", &["viewer"]).await;
        let someone = add_user(&app, "Member One", "someone@example.com").await;
        add_member(&app, "with-member", someone, "active", &["viewer"]).await;
        for sql in [
            format!(
                "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
                 SELECT {}, w.id, 'api.example.com', '', '', m.user_id, w.created_at {}",
                id(),
                founded("destination")
            ),
            format!(
                "INSERT INTO former_members (workspace_id, user_id, left_at, role_set)
                 SELECT w.id, {}, w.created_at, '' {}",
                app.id(someone),
                founded("former")
            ),
            format!(
                "INSERT INTO invitations (id, workspace_id, email, message, status, inviter_id, created_at, sent_at,
                    expires_at)
                 SELECT {}, w.id, 'guest@example.com', '', 'cancelled', m.user_id, w.created_at, w.created_at,
                    w.created_at {}",
                id(),
                founded("invitation")
            ),
            format!(
                "INSERT INTO resources (workspace_id, kind, id, name, created_at)
                 SELECT w.id, 'post', '1', 'One', w.created_at {}",
                founded("resource")
            ),
            format!(
                "INSERT INTO billing_profiles (workspace_id, contact, address, tax_number, invoiced_until)
                 SELECT w.id, '', '', '', w.created_at {}",
                founded("billing")
            ),
        ] {
            assert_eq!(app.execute(&sql).await, 1, "{sql}");
        }
        app.clock.advance(Duration::from_secs(2 * 86_400));
        let client = sign_in(&app, "later@example.com", PASSWORD).await;
        let fields = [("name", "Renamed"), ("slug", "with-later")];
        client.post_form("/w/with-later/organization", &fields).await.assert_status(303);

        app.clock.advance(Duration::from_secs(45 * 86_400));
        sweep(&app).await;

        let kept = column(&app, "SELECT slug FROM workspaces WHERE slug LIKE 'with-%' ORDER BY slug", "slug").await;
        let expected: Vec<_> =
            things.iter().filter(|thing| **thing != "nothing").map(|thing| format!("with-{thing}")).collect();
        assert_eq!(kept, expected);
        let gone = "SELECT count(*) FROM users WHERE email = 'nothing@example.com'";
        assert_eq!(app.scalar_i64(gone).await, 0);
    }

    // Breaks without the first lines of unconfirmed::sweep, or email_tokens in given_up
    // (domain/nouns/identity/unconfirmed.rs).
    async fn no_sign_up_goes_where_mail_is_not_delivered_nor_before_its_time(app: TestApp) {
        new_owner(&app).await;
        sign_up(&app, "Given Up", "given-up@example.com", PASSWORD, "Given up").await;
        let is_there = async || app.scalar_i64("SELECT count(*) FROM users WHERE email LIKE 'given-up@%'").await == 1;
        app.clock.advance(Duration::from_secs(40 * 86_400));
        sweep_with(&app, "file:mail").await;
        assert!(is_there().await, "who reads files?");
        // An installation that began to delete sign-ups 29 days ago.
        let began = app.clock.now().as_seconds() - 29 * 86_400;
        let row = "WHERE version = 'm0020_bounds'";
        let changed = app.execute(&format!("UPDATE seaql_migrations SET applied_at = {began} {row}")).await;
        assert_eq!(changed, 1);
        sweep(&app).await;
        assert!(is_there().await, "it is not 30 days");
        app.execute(&format!("UPDATE seaql_migrations SET applied_at = applied_at - 172800 {row}")).await;
        // Somebody had the mail sent again.
        let expires = app.clock.now().as_millis() + 1_000;
        let user = app.id(app.scalar_uuid("SELECT id FROM users WHERE email LIKE 'given-up@%'").await);
        let hash = match app.backend {
            Backend::Sqlite => "X'00'",
            Backend::Postgres => "'\\x00'::bytea",
        };
        app.execute(&format!(
            "INSERT INTO email_tokens (id, token_hash, user_id, purpose, email, created_at, expires_at)
             VALUES ({}, {hash}, {user}, 'verify_email', 'given-up@example.com', 0, {expires})",
            app.id(new_id())
        ))
        .await;
        sweep(&app).await;
        assert!(is_there().await, "the link still works");
        app.clock.advance(Duration::from_secs(2));
        sweep(&app).await;
        assert!(!is_there().await);
    }

    // Breaks without the loop in unconfirmed::sweep, when it begins again with the first one, or when the workspaces
    // of one user go in a transaction of their own (domain/nouns/identity/unconfirmed.rs).
    async fn sign_ups_that_cannot_be_deleted_are_in_nobodys_way_and_stay_whole(app: TestApp) {
        new_owner(&app).await;
        sign_up(&app, "Half Way", "stuck-founder@example.com", PASSWORD, "half").await;
        let mut rows = Vec::new();
        for (name, first) in [("stuck", 1), ("free", 1_000)] {
            for n in 0..205 {
                let id = app.id(new_id());
                rows.push(format!("({id}, '{name}-{n}@example.com', 'Any One', '', {})", first + n));
            }
        }
        let columns = "id, email, name, password_hash, created_at";
        app.execute(&format!("INSERT INTO users ({columns}) VALUES {}", rows.join(", "))).await;
        // What another workspace has of them: they can't be deleted.
        app.execute(
            "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
             SELECT u.id, w.id, u.email, '', '', u.id, 0 FROM users u CROSS JOIN workspaces w
             WHERE w.slug = 'acme' AND u.email LIKE 'stuck-%'",
        )
        .await;
        app.clock.advance(Duration::from_secs(40 * 86_400));
        sweep(&app).await;
        let count = async |name: &str| {
            app.scalar_i64(&format!("SELECT count(*) FROM users WHERE email LIKE '{name}-%'")).await
        };
        assert_eq!((count("stuck").await, count("free").await), (206, 0));
        assert_eq!(column(&app, "SELECT slug FROM workspaces ORDER BY slug", "slug").await, ["acme", "half"]);
        assert_chain_holds(&app).await;
    }

    // Breaks when `ui::some_roles` (templates/components/ui.html) draws them all, or a list of keys has the scopes of each.
    async fn rows_of_lists_stay_short_however_many_roles_they_have(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let slugs: Vec<String> = (0..11).map(|n| format!("role-{n}")).collect();
        for slug in &slugs {
            add_role(&app, "acme", slug, &slug.replace("role-", "Role "), &["read:posts"]).await;
        }
        let fields: Vec<_> = slugs.iter().map(|slug| ("role", slug.as_str())).collect();
        let own = format!("/w/acme/members/{}", viewer.member_id);
        owner.client.post_form(&format!("{own}/roles"), &fields).await.assert_status(303);
        owner.client.visit("/w/acme/members?q=viewer").await.assert_says("and 3 more");
        owner.client.visit(&own).await.assert_says("Role 9").assert_says("Role 10");

        let roles: Vec<&str> = slugs.iter().map(String::as_str).collect();
        let (key, _, _) = add_key(&app, "acme", "Robot", &roles).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let listed = api.get("/api/sso/v1/apikeys").await.with_status(200).body;
        let row = listed["items"].as_array().unwrap().iter().find(|row| row["id"] == key.to_string()).unwrap();
        assert!(row.get("effective_scopes").is_none(), "{row}");
        let one = api.get(&format!("/api/sso/v1/apikeys/{key}")).await.with_status(200).body;
        assert_eq!(one["effective_scopes"], serde_json::json!(["read:posts"]), "{one}");
    }

    // Breaks without `connections.accept` in src/listen.rs.
    async fn one_network_has_a_bounded_number_of_connections(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.connections_per_network = 8).spawn().await;
        let mut held = Vec::new();
        for _ in 0..8 {
            let mut stream = connect_from(&app, "127.60.0.1").await;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            held.push(stream);
        }
        let mut refused = connect_from(&app, "127.60.0.1").await;
        let mut answer = String::new();
        refused.read_to_string(&mut answer).await.ok();
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("Retry-After"), "{answer:?}");
        // Another network is not concerned, and a place that was given up is free.
        Client::at(&app, address("127.60.1.1")).visit("/sign-in").await;
        held.pop();
        let there = Client::at(&app, address("127.60.0.1"));
        until("the place is never free", async || {
            there.try_request(reqwest::Method::GET, "/healthz", None).await.is_ok_and(|page| page.status == 200)
        })
        .await;
    }

    // Breaks without `poll_patience` (src/connection.rs): then the connection stays open for as long as nobody
    // reads, and what is piled up on it is kept.
    async fn a_client_that_reads_nothing_is_disconnected(app: TestApp) {
        let path = app.client().visit("/sign-in").await.attributes("link[rel=stylesheet]", "href").remove(0);
        let mut stream = connect_from(&app, "127.61.0.1").await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(200);
        let writing = async {
            // Until the server reads no more, and then until it hangs up.
            while stream.write_all(request.as_bytes()).await.is_ok() {}
        };
        tokio::time::timeout(WAIT_TIMEOUT, writing).await.expect("the connection stays open");
        app.client().visit("/sign-in").await;
    }

    // Breaks without `head_deadline` (src/connection.rs): the library has a deadline for the first head alone.
    async fn a_request_that_never_ends_is_disconnected_also_after_another(app: TestApp) {
        let mut stream = connect_from(&app, "127.65.0.1").await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea").await.unwrap();
        let mut answers = Vec::new();
        let reading = async {
            // With an end or an error, it is over.
            stream.read_to_end(&mut answers).await.ok();
        };
        tokio::time::timeout(WAIT_TIMEOUT, reading).await.expect("the connection stays open");
        assert!(String::from_utf8_lossy(&answers).starts_with("HTTP/1.1 200"));
    }

    // Breaks when a read that waits for the client is not woken (`go_on` in src/connection.rs).
    async fn a_client_that_reads_late_is_served_and_goes_on(app: TestApp) {
        let path = app.client().visit("/sign-in").await.attributes("link[rel=stylesheet]", "href").remove(0);
        let mut stream = connect_from(&app, "127.63.0.1").await;
        let (request, many) = (format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
        stream.write_all(request.repeat(many).as_bytes()).await.unwrap();
        // Its buffers are full by then, or soon.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (mut answered, mut unseen, mut buffer) = (0, String::new(), vec![0; 65_536]);
        while answered < many {
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "it hung up after {answered} answers");
            unseen.push_str(&String::from_utf8_lossy(&buffer[..n]));
            answered += unseen.matches("HTTP/1.1 200").count();
            // The start of the next one may be here already, but not all of it.
            unseen = unseen.chars().rev().take(11).collect::<Vec<_>>().into_iter().rev().collect();
        }
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut last = Vec::new();
        stream.read_to_end(&mut last).await.unwrap();
        assert!(String::from_utf8_lossy(&last).contains("alive"));
    }

    async fn a_pipeline_is_answered_in_order_and_a_body_longer_than_a_read_arrives(app: TestApp) {
        let mut stream = connect_from(&app, "127.62.0.1").await;
        let requests = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
        let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{requests}{last}").as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let statuses: Vec<&str> =
            answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses.len(), 201);
        assert!(statuses.chunks(2).all(|pair| pair[0] == "200" && pair.get(1).is_none_or(|next| *next == "404")));
        let owner = new_owner(&app).await;
        let message = "long line of a message\n".repeat(40);
        let emails = "somebody-new@example.com, ".repeat(1_000);
        let fields = [("emails", emails.as_str()), ("role", "viewer"), ("message", &message)];
        owner.client.post_form("/w/acme/invitations", &fields).await.assert_status(303);
    }
}

async fn connect_from(app: &TestApp, from: &str) -> TcpStream {
    connect(app.address(), from).await
}

async fn connect(to: SocketAddr, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address(from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

// Breaks when a pipeline is handed on at once, without `poll_patience` (both src/connection.rs), or with bodies in one
// piece (web/middleware/pieces.rs).
#[tokio::test(flavor = "multi_thread")]
async fn responses_that_nobody_reads_hold_little_memory_and_are_gone() {
    /// More than those for whom patience is short.
    const HELD: usize = 600;
    /// For each connection; 10,000 of them come to 4,096 at a time, and 224 MiB.
    const MAX_KIB: usize = 56;
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
    let program = Program::serve(&database, dir.path(), &[]).await;
    program.client().get("/openapi.json").await.assert_status(200);
    let before = program.memory();
    let mut held = Vec::new();
    for n in 0..HELD {
        let encoding = ["identity", "br"][n % 2];
        let request = format!("GET /openapi.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\n\r\n");
        let mut stream =
            connect(([127, 0, 0, 1], program.port).into(), &format!("127.64.{}.1", n / 150)).await;
        stream.write_all(request.repeat(30).as_bytes()).await.unwrap();
        held.push(stream);
    }
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(program.memory());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let each = most.saturating_sub(before) / HELD;
    assert!(each < MAX_KIB, "{each} KiB for each of {HELD} connections");
    until("they stay open", async || program.connections() == 0).await;
    drop(held);
}
