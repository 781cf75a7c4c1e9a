//! Abuse cases: keeping somebody out of their own sign-in, by people in the same network, people who knew the password,
//! and people who request resets.

use super::{
    availability::{VICTIM, address, try_sign_in},
    *,
};

const NEW: &str = "another battery horse staple 7";

const WRONG: &str = "a wrong guess of it";

/// Uses up what the networks of these browsers have for the victim.
async fn guess_ten_times(stranger: &Client) {
    for _ in 0..10 {
        try_sign_in(stranger, VICTIM, WRONG).await.assert_status(422);
    }
}

/// Signs in and out, so that the browser is known if it may be.
async fn be_known(browser: &Client, password: &str) {
    try_sign_in(browser, VICTIM, password).await.assert_status(303);
    browser.post_form("/sign-out", &[]).await.assert_status(303);
}

/// Chooses a new password by the nth link that the victim was sent.
async fn reset_by(app: &TestApp, browser: &Client, nth: usize) -> Page {
    let letters = app.mail.wait_for_several(VICTIM, "Choose a new password", nth).await;
    let page = browser.visit(&letters[nth - 1].link("/reset-password/")).await;
    browser.submit(&page, "/reset-password", &[("password", NEW)]).await
}

both! {
    // Breaks without `email_verified_at IS NOT NULL` in browser_subject (domain/nouns/identity/sessions.rs), and
    // without `is_own` in confirmed_response (web/routes/recovery.rs).
    async fn a_browser_is_known_once_the_address_is_confirmed(app: TestApp) {
        sign_up(&app, "Owner One", VICTIM, PASSWORD, "acme").await;
        let at = address("127.81.0.1");
        let home = Client::at(&app, at);
        // Whoever signed up with the address may be anybody.
        be_known(&home, PASSWORD).await;
        guess_ten_times(&Client::at(&app, at)).await;
        try_sign_in(&home, VICTIM, PASSWORD).await.assert_status(429);

        let at = address("127.81.1.1");
        let home = Client::at(&app, at);
        try_sign_in(&home, VICTIM, PASSWORD).await.assert_status(303);
        verify_email(&app, &home, VICTIM).await;
        home.post_form("/sign-out", &[]).await.assert_status(303);
        guess_ten_times(&Client::at(&app, at)).await;
        try_sign_in(&home, VICTIM, PASSWORD).await.assert_status(303);
    }

    // Breaks without the generation in `mark` (web/known_browser.rs), and without `remember` in change_password
    // (web/routes/me.rs).
    async fn a_new_password_ends_what_browsers_are_known_for(app: TestApp) {
        new_owner(&app).await;
        // Somebody who knows the password now.
        let elsewhere = address("127.82.0.1");
        let thief = Client::at(&app, elsewhere);
        be_known(&thief, PASSWORD).await;
        let at = address("127.82.1.1");
        let home = Client::at(&app, at);
        try_sign_in(&home, VICTIM, PASSWORD).await.assert_status(303);
        let fields = [("current_password", PASSWORD), ("password", NEW)];
        home.post_form("/me/password", &fields).await.assert_status(303);
        home.post_form("/sign-out", &[]).await.assert_status(303);

        // Their browser is one of its network from now on; that of its owner is known.
        for (network, browser, status) in [(elsewhere, &thief, 429), (at, &home, 303)] {
            guess_ten_times(&Client::at(&app, network)).await;
            try_sign_in(browser, VICTIM, NEW).await.assert_status(status);
        }
    }

    // Breaks without SIGN_IN_BROWSERS in SignInLimits (domain/nouns/identity/sessions.rs).
    async fn all_known_browsers_together_guess_a_bounded_number_of_times(app: TestApp) {
        new_owner(&app).await;
        let browsers: Vec<_> = (0..6).map(|n| Client::at(&app, address(&format!("127.83.{n}.1")))).collect();
        for browser in &browsers {
            be_known(browser, PASSWORD).await;
        }
        for browser in &browsers[..5] {
            guess_ten_times(browser).await;
        }
        try_sign_in(&browsers[5], VICTIM, WRONG).await.assert_status(429);
        // Who never signed in here is counted by their own network.
        try_sign_in(&app.client(), VICTIM, PASSWORD).await.assert_status(303);
        // A reset begins anew.
        app.client().post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        reset_by(&app, &browsers[5], 1).await.assert_status(303);
        try_sign_in(&browsers[5], VICTIM, NEW).await.assert_status(303);
    }

    // Breaks without `remember` in choose_password (web/routes/recovery.rs).
    async fn a_reset_opens_what_others_in_the_network_closed(app: TestApp) {
        new_owner(&app).await;
        let at = address("127.84.0.1");
        let (home, stranger) = (Client::at(&app, at), Client::at(&app, at));
        guess_ten_times(&stranger).await;
        try_sign_in(&home, VICTIM, PASSWORD).await.assert_status(429);
        home.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        reset_by(&app, &home, 1).await.assert_status(303);
        // They go on.
        guess_ten_times(&stranger).await;
        try_sign_in(&home, VICTIM, NEW).await.assert_status(303);
    }

    // Breaks without SIGN_IN_NEARBY in forget_all_failures (domain/nouns/identity/sessions.rs).
    async fn a_reset_opens_what_others_of_the_provider_closed(backend: Backend) {
        let proxies = "127.0.0.0/8";
        let app = TestApp::on(backend).with(|config| config.trusted_proxies = vec![proxies.parse().unwrap()]);
        let app = app.spawn().await;
        new_owner(&app).await;
        let from = |network: &str| app.client().with_header("x-forwarded-for", &format!("2001:db8:1:{network}::7"));
        for network in ["a", "b", "c"] {
            guess_ten_times(&from(network)).await;
        }
        try_sign_in(&from("d"), VICTIM, PASSWORD).await.assert_status(429);
        let home = from("d");
        home.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        reset_by(&app, &home, 1).await.assert_status(303);
        // Also in another browser there.
        try_sign_in(&from("d"), VICTIM, NEW).await.assert_status(303);
    }

    // Breaks when a new link that resets a password ends those before it: MAX_RESET_LINKS (domain/nouns/identity/email.rs).
    async fn requests_by_others_leave_the_link_that_was_sent_first(app: TestApp) {
        new_owner(&app).await;
        let victim = app.client();
        victim.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
        app.mail.wait_for_several(VICTIM, "Choose a new password", 1).await;
        let stranger = app.client();
        for n in 2..=7 {
            stranger.post_form("/forgot-password", &[("email", VICTIM)]).await.assert_status(200);
            app.mail.wait_for_several(VICTIM, "Choose a new password", n).await;
        }
        reset_by(&app, &victim, 1).await.assert_status(303);
        sign_in(&app, VICTIM, NEW).await;
        // With the new password, the others are gone.
        assert_eq!(app.scalar_i64("SELECT count(*) FROM email_tokens WHERE purpose = 'reset_password'").await, 0);
        let last = app.mail.to(VICTIM).into_iter().rfind(|letter| letter.subject == "Choose a new password");
        let other = app.client();
        let page = other.get(&last.unwrap().link("/reset-password/")).await;
        other.follow(page).await.assert_status(410);
    }
}
