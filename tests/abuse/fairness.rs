//! Abuse cases: taking what all need, by many networks of one provider, by many requests of one member, by many API
//! keys of one person.

use super::{availability::VICTIM, *};
use futures_util::{
    future::join,
    stream::{FuturesUnordered, StreamExt},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};

both! {
    // Breaks without `wide` in sign_up, known_address (domain/nouns/identity/sign_up.rs) or forgot_password
    // (domain/nouns/identity/email.rs).
    async fn many_networks_of_one_provider_have_the_limits_of_one(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]);
        let app = app.spawn().await;
        new_owner(&app).await;
        let from = |network: &str| app.client().with_header("x-forwarded-for", &format!("2001:db8:{network}::7"));
        let signs_up = async |network: &str, email: &str| {
            let fields = [("name", "Any One"), ("email", email), ("password", PASSWORD), ("workspace", "Any")];
            from(network).post_form("/sign-up", &fields).await.status.as_u16()
        };
        let resets = async |network: &str, email: &str| {
            from(network).post_form("/forgot-password", &[("email", email)]).await.status.as_u16()
        };
        for n in 0..8 {
            assert_eq!(signs_up(&format!("1:{n}"), VICTIM).await, 303);
            assert_eq!(resets(&format!("1:{n}"), VICTIM).await, 200);
        }
        let sent = async |subject: &str| {
            app.mail_is_out().await;
            app.mail.to(VICTIM).iter().filter(|letter| letter.subject == subject).count()
        };
        assert_eq!((sent("You already have a sign-in").await, sent("Choose a new password").await), (6, 6));
        resets("2:1", VICTIM).await;
        signs_up("2:1", VICTIM).await;
        assert_eq!((sent("You already have a sign-in").await, sent("Choose a new password").await), (7, 7));

        app.execute("UPDATE rate_limits SET used = 200 WHERE key LIKE 'sign-up-from:2001:db8:1:%'").await;
        app.execute("UPDATE rate_limits SET used = 120 WHERE key LIKE 'forgot-from:2001:db8:1:%'").await;
        for (network, sign_up, reset) in [("1:ffff", 429, 429), ("2:ffff", 303, 200)] {
            let email = format!("any-{}@example.com", &network[..1]);
            assert_eq!(signs_up(network, &email).await, sign_up, "{network}");
            assert_eq!(resets(network, &email).await, reset, "{network}");
        }
    }

    // Breaks without MAX_WAITING by principal (web/turns.rs): then the Viewer's requests wait in one line with the Owner's,
    // and once it is full, everybody gets a 503.
    async fn a_viewer_with_many_requests_is_in_nobodys_way_but_their_own(backend: Backend) {
        let app = one_at_a_time(backend).await;
        let owner = new_owner(&app).await;
        let (viewer, second) = (member(&app, &owner, "viewer").await, second_owner(&app, &owner).await);
        let twins = viewer.client.twins(24).await;
        let (lock, holding) = hold_the_turn(&app, &second).await;

        let mut flood: FuturesUnordered<_> = twins.iter().map(|twin| twin.get("/w/acme/members")).collect();
        for _ in 0..8 {
            // Whoever waits can't be answered yet.
            let page = flood.next().await.unwrap().with_status(503);
            assert!(page.header("retry-after").is_some());
        }
        app.take_statements();
        let owners = owner.client.get("/w/acme/members");
        let (owners, ()) = join(owners, async {
            somebody_is_admitted(&app).await;
            lock.commit().await.unwrap();
        })
        .await;
        owners.assert_status(200);
        while let Some(page) = flood.next().await {
            page.assert_status(200);
        }
        holding.await.unwrap().assert_status(303);
    }

    // Breaks without the second `A::admit` in Admitted::from_request (web/guard/mod.rs).
    async fn who_had_to_wait_for_their_turn_is_admitted_again(backend: Backend) {
        let app = one_at_a_time(backend).await;
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let (lock, holding) = hold_the_turn(&app, &owner).await;

        let (page, ()) = join(viewer.client.get("/w/acme/members"), async {
            somebody_is_admitted(&app).await;
            let sql = format!("DELETE FROM sessions WHERE user_id = {}", app.id(viewer.user_id));
            lock.execute_unprepared(&sql).await.unwrap();
            lock.commit().await.unwrap();
        })
        .await;

        page.assert_status(401);
        holding.await.unwrap().assert_status(303);
    }

    // Breaks when refusals are counted by principal (enforce/refusal.rs).
    async fn many_keys_of_one_person_do_not_multiply_what_is_recorded_of_refusals(app: TestApp) {
        let owner = new_owner(&app).await;
        let mut keys = Vec::new();
        for n in 0..3 {
            let (_, _, secret) = add_key(&app, "acme", &format!("Robot {n}"), &["viewer"]).await;
            keys.push(Api::new(&app, &secret));
        }
        let before = refusals(&app, "acme").await;
        for n in 0..30 {
            keys[n % 3].get("/api/sso/v1/audit").await.with_status(403);
        }
        assert_eq!(refusals(&app, "acme").await - before, 20);
        owner.client.visit("/w/acme").await;
    }
}

/// An app that handles one request of an account at a time.
async fn one_at_a_time(backend: Backend) -> TestApp {
    let app = TestApp::on(backend).with(|config| {
        config.requests_per_account = 1;
        config.workers = Some(1);
    });
    app.spawn().await
}

/// Locks acme, and sends a change of it, which has the turn until the lock is given up.
async fn hold_the_turn(app: &TestApp, by: &Person) -> (DatabaseTransaction, tokio::task::JoinHandle<Page>) {
    let client = by.client.twin();
    client.csrf().await;
    let lock = app.database.connect().await.begin().await.unwrap();
    lock.execute_unprepared("UPDATE workspaces SET name = name").await.unwrap();
    let fields = [("name", "Renamed"), ("slug", "acme")];
    app.take_statements();
    let holding = tokio::spawn(async move { client.post_form("/w/acme/organization", &fields).await });
    somebody_is_admitted(app).await;
    (lock, holding)
}

/// Waits until the credential of a request was looked up, since the last time.
async fn somebody_is_admitted(app: &TestApp) {
    until("nobody is admitted", async || {
        app.take_statements().iter().any(|statement| statement.sql.contains("token_hash"))
    })
    .await;
}
