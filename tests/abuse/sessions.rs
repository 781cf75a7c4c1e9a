//! Abuse cases: sessions and sign-in.

use super::{staleness::Straddling, *};
use crate::support::product::ProxyHeader;
use std::time::Duration;
use url::Url;

const NEW: &str = "another battery horse staple 7";

fn session_cookie(client: &Client) -> String {
    let cookie = client.cookies().into_iter().find(|cookie| cookie.contains("bailiwick-session="));
    cookie.unwrap_or_else(|| panic!("no session cookie in {:?}", client.cookies()))
}

async fn ask_reset(app: &TestApp, email: &str, n: usize) -> String {
    app.client().post_form("/forgot-password", &[("email", email)]).await.assert_status(200);
    let letters = app.mail.wait_for_several(email, "Choose a new password", n).await;
    letters[n - 1].link("/reset-password/")
}

async fn reset(app: &TestApp, link: &str, password: &str) -> Page {
    let client = app.client();
    client.get(link).await.assert_status(303);
    client.post_form("/reset-password", &[("password", password)]).await
}

/// The answer with what differs from browser to browser taken out: the token of its forms, the
/// address that was typed.
fn faceless(page: &Page, typed: &str) -> (u16, String) {
    let csrf = page.attributes("input[name=csrf]", "value");
    let html = csrf.iter().fold(page.html.clone(), |html, token| html.replace(token, "TOKEN"));
    let location = page.header("location").unwrap_or_default().to_owned();
    let encoded = typed.replace('@', "%40");
    (
        page.status.as_u16(),
        format!("{location}\n{html}").replace(&encoded, "ADDRESS").replace(typed, "ADDRESS"),
    )
}

both! {
    async fn a_planted_cookie_becomes_a_new_id_at_sign_in_and_at_each_change_of_privilege(app: TestApp) {
        let owner = new_owner(&app).await;
        // A cookie of a visitor, and one of somebody who is signed in, planted in the victim's browser.
        let thief = outsider(&app).await.client;
        let visitor = app.client();
        visitor.visit("/sign-in").await;
        for planted in [session_cookie(&visitor), session_cookie(&thief)] {
            let victim = app.client();
            victim.set_cookie(&format!("{planted}; Path=/"));
            let csrf = victim.csrf().await;
            let fields = [("email", owner.email.as_str()), ("password", PASSWORD), ("csrf", csrf.as_str())];
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let answer = victim.post_raw("/sign-in", body, "application/x-www-form-urlencoded").await;
            answer.assert_status(303);
            assert_ne!(session_cookie(&victim), planted);
            victim.visit("/me").await.assert_says(&owner.email);
            let holder = app.client();
            holder.set_cookie(&format!("{planted}; Path=/"));
            let page = holder.get("/me").await;
            page.assert_silent_about(&owner.email);
        }
        let before = session_cookie(&owner.client);
        let fields = [("current_password", PASSWORD), ("password", NEW)];
        owner.client.post_form("/me/password", &fields).await.assert_status(303);
        assert_ne!(session_cookie(&owner.client), before);
        owner.client.visit("/me").await;
    }

    async fn the_cookie_carries_an_id_alone_and_no_other_kind_of_token_is_a_session(app: TestApp) {
        let owner = new_owner(&app).await;
        let cookie = session_cookie(&owner.client);
        assert!(!cookie.contains("owner") && !cookie.contains(&owner.user_id.to_string()), "{cookie}");
        // What another signed cookie of ours holds is no session, and an altered one is none.
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let link = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        let other = app.client();
        other.get(&link).await.assert_status(303);
        let signed = other.cookies().into_iter().find(|c| c.starts_with("bailiwick-invitation-")).unwrap();
        let (_, value) = signed.split_once('=').unwrap();
        let mut altered = cookie.clone();
        let last = altered.pop().unwrap();
        altered.push(if last == '0' { '1' } else { '0' });
        for planted in
            [format!("bailiwick-session={value}"), altered, "bailiwick-session=blw_ses_x".to_owned()]
        {
            let client = app.client();
            client.set_cookie(&format!("{planted}; Path=/"));
            client.get("/me").await.assert_status(401);
        }
        // Nor does one signed cookie stand for another: the text of a link is not what a page says.
        let forged = app.client();
        forged
            .get("/invitations/%7B%22tone%22:%22good%22,%22text%22:%22FORGED%22,%22undo%22:null%7D")
            .await
            .assert_status(303);
        let kept = forged.cookies().into_iter().find(|c| c.contains("-invitation-"));
        assert_eq!(kept, None, "what never was a token of ours is not signed either");
        other.set_cookie(&format!("bailiwick-flash={value}; Path=/"));
        assert!(!other.visit("/sign-in").await.has(".toast"), "a token is not what a page says");
    }

    async fn sign_out_then_replay_401(app: TestApp) {
        let owner = new_owner(&app).await;
        let replay = owner.client.twin();
        replay.visit("/me").await;
        owner.client.post_form("/sign-out", &[]).await.assert_status(303);
        for path in ["/me", "/workspaces", "/w/acme", "/w/acme/members"] {
            replay.get(path).await.assert_status(401);
            owner.client.get(path).await.assert_status(401);
        }
        replay.post_form("/w/acme/invitations", &[("emails", "a@example.com")]).await.assert_status(401);
    }

    async fn a_request_that_straddles_sign_out_401(app: TestApp) {
        let owner = new_owner(&app).await;
        let paths = [
            ("/me/profile", "name=Changed"),
            ("/workspaces", "name=Changed&slug=changed"),
            ("/w/acme/organization", "name=Changed&slug=changed"),
            (
                "/me/password",
                "current_password=correct+horse+battery+staple+9&password=another+battery+horse+staple+7",
            ),
        ];
        for (path, fields) in paths {
            let client = sign_in(&app, &owner.email, PASSWORD).await;
            let late = Straddling::begin(&app, &client, path, fields).await;
            client.post_form("/sign-out", &[]).await.assert_status(303);
            assert_eq!(app.unchanged_by(late.end()).await, 401, "{path}");
        }
        sign_in(&app, &owner.email, PASSWORD).await;
    }

    async fn a_session_ends_after_thirty_days(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.session_idle_days = 30).spawn().await;
        let owner = new_owner(&app).await;
        app.clock.advance(Duration::from_secs(30 * 86_400 - 60));
        owner.client.visit("/me").await;
        app.clock.advance(Duration::from_secs(60));
        owner.client.get("/me").await.assert_status(401);
    }

    async fn the_password_changed_every_other_session_is_dead(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = sign_in(&app, &owner.email, PASSWORD).await;
        let copy = owner.client.twin();
        let fields = [("current_password", PASSWORD), ("password", NEW)];
        owner.client.post_form("/me/password", &fields).await.assert_status(303);
        owner.client.visit("/me").await;
        for client in [&other, &copy] {
            client.get("/me").await.assert_status(401);
        }
        let old =
            app.client().post_form("/sign-in", &[("email", &owner.email), ("password", PASSWORD)]).await;
        old.assert_status(422);
        sign_in(&app, &owner.email, NEW).await;
        app.mail.wait_for(&owner.email, "Your password was changed").await;
    }

    async fn the_password_reset_every_session_is_dead_and_so_is_a_change_of_address_that_was_asked_for(app: TestApp) {
        let owner = new_owner(&app).await;
        // Somebody who knew the password asks for an address of their own.
        let thief = sign_in(&app, &owner.email, PASSWORD).await;
        let fields = [("email", "thief-one@example.com"), ("current_password", PASSWORD)];
        thief.post_form("/me/email", &fields).await.assert_status(303);
        let theirs = app.mail.wait_for_link("thief-one@example.com", "/email-verification/").await;
        let link = ask_reset(&app, &owner.email, 1).await;
        reset(&app, &link, NEW).await.assert_status(303);
        for client in [&owner.client, &thief] {
            client.get("/me").await.assert_status(401);
        }
        thief.get(&theirs).await.assert_status(303);
        app.unchanged_by(thief.post_form("/email-verification", &[])).await.assert_status(410);
        // The same after a change of the password by its owner.
        let owner_again = sign_in(&app, &owner.email, NEW).await;
        owner_again
            .post_form("/me/email", &[("email", "thief-one@example.com"), ("current_password", NEW)])
            .await
            .assert_status(303);
        let letters =
            app.mail.wait_for_several("thief-one@example.com", "Confirm", 2).await;
        owner_again
            .post_form("/me/password", &[("current_password", NEW), ("password", PASSWORD)])
            .await
            .assert_status(303);
        thief.get(&letters[1].link("/email-verification/")).await.assert_status(303);
        app.unchanged_by(thief.post_form("/email-verification", &[])).await.assert_status(410);
    }

    async fn a_cross_site_post_to_sign_in_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = app.client();
        let csrf = client.csrf().await;
        let body =
            format!("email=owner-one%40example.com&password={}&csrf={csrf}", PASSWORD.replace(' ', "+"));
        let form = "application/x-www-form-urlencoded";
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            let page =
                client.with_header("sec-fetch-site", site).post_raw("/sign-in", body.clone(), form).await;
            page.assert_status(403);
        }
        let old = client.without_header("sec-fetch-site");
        for origin in ["https://evil.example", "", "NULL", "http://127.0.0.1:1", "https://127.0.0.1"] {
            old.with_header("origin", origin)
                .post_raw("/sign-in", body.clone(), form)
                .await
                .assert_status(403);
        }
        // Both headers: the one that a page can't forge decides.
        let mixed = client.with_header("sec-fetch-site", "cross-site").with_header("origin", &app.url());
        mixed.post_raw("/sign-in", body.clone(), form).await.assert_status(403);
        let no_token = body.split("&csrf").next().unwrap().to_owned();
        client.post_raw("/sign-in", no_token, form).await.assert_status(403);
        let sql = format!("SELECT count(*) FROM sessions WHERE user_id = {}", app.id(owner.user_id));
        assert_eq!(app.scalar_i64(&sql).await, 1);
        // Where a browser does not say which site it was, the token decides: on plain http, `null` comes from our own
        // forms too, because our pages send no referrer.
        for unknown in [old.without_header("origin"), old.with_header("origin", "null")] {
            for body in ["email=a%40example.com".to_owned(), format!("csrf={}", "0".repeat(128))] {
                unknown.post_raw("/sign-in", body, form).await.assert_status(403);
            }
            let person = unknown.twin();
            person.post_raw("/sign-in", body.clone(), form).await.assert_status(303);
            person.visit("/me").await.assert_says(&owner.email);
        }
    }

    async fn a_reset_with_two_addresses_400(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = app.client();
        let csrf = client.csrf().await;
        for body in [
            format!("email=owner-one%40example.com&email=thief%40example.com&csrf={csrf}"),
            format!("csrf={csrf}&email=thief%40example.com&email=owner-one%40example.com"),
        ] {
            let page = client.post_raw("/forgot-password", body, "application/x-www-form-urlencoded").await;
            page.assert_status(400).assert_says("email");
        }
        for field in ["email[]", "email[0]", "emails"] {
            let page = client
                .post_form("/forgot-password", &[("email", &owner.email), (field, "thief@example.com")])
                .await;
            page.assert_status(422);
        }
        let both = client
            .post_form("/forgot-password", &[("email", "owner-one@example.com,thief@example.com")])
            .await;
        both.assert_status(422);
        app.mail_is_out().await;
        assert!(app.mail.to("thief@example.com").is_empty());
        assert!(app.mail.to(&owner.email).iter().all(|l| !l.subject.contains("password")));
    }

    async fn a_reset_token_reused_outlived_or_too_old_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let first = ask_reset(&app, &owner.email, 1).await;
        let second = ask_reset(&app, &owner.email, 2).await;
        reset(&app, &second, NEW).await.assert_status(303);
        for link in [&first, &second] {
            app.unchanged_by(reset(&app, link, PASSWORD)).await.assert_status(410);
        }
        let client = app.client();
        client.follow(client.get(&second).await).await.assert_status(410);
        let third = ask_reset(&app, &owner.email, 3).await;
        app.clock.advance(Duration::from_secs(3_600));
        app.unchanged_by(reset(&app, &third, PASSWORD)).await.assert_status(410);
        sign_in(&app, &owner.email, NEW).await;
    }

    async fn a_reset_token_after_the_address_changed_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let old = ask_reset(&app, &owner.email, 1).await;
        let fields = [("email", "owner-new@example.com"), ("current_password", PASSWORD)];
        owner.client.post_form("/me/email", &fields).await.assert_status(303);
        verify_email(&app, &owner.client, "owner-new@example.com").await;
        app.unchanged_by(reset(&app, &old, NEW)).await.assert_status(410);
        app.mail.wait_for("owner-one@example.com", "Your e-mail address was changed").await;
        sign_in(&app, "owner-new@example.com", PASSWORD).await;
    }

    async fn a_forged_host_x_forwarded_host_or_forwarded_mail_still_carries_the_configured_url(backend: Backend) {
        let app = TestApp::on(backend)
            .with(|config| {
                config.public_url = Some(Url::parse("http://access.example.com").unwrap());
            })
            .spawn()
            .await;
        let client = app
            .client()
            .with_header("host", "evil.example")
            .with_header("x-forwarded-host", "evil.example")
            .with_header("forwarded", "host=evil.example;proto=https")
            .with_header("x-forwarded-proto", "https")
            .with_header("origin", "http://access.example.com");
        let page = client.visit("/sign-up").await;
        let fields = [
            ("name", "Owner One"),
            ("email", "owner-one@example.com"),
            ("password", PASSWORD),
            ("workspace", "acme"),
        ];
        let answer = client.submit(&page, "/sign-up", &fields).await.with_status(303);
        assert!(answer.header("location").unwrap().starts_with('/'), "{:?}", answer.headers);
        client.post_form("/forgot-password", &[("email", "owner-one@example.com")]).await.assert_status(200);
        for subject in ["Confirm", "Choose a new password"] {
            let letter = app.mail.wait_for("owner-one@example.com", subject).await;
            assert!(
                letter.links().iter().all(|link| link.starts_with("http://access.example.com/")),
                "{:?}",
                letter.links()
            );
            assert!(!letter.raw.contains("evil"), "{}", letter.raw);
        }
    }

    async fn known_against_unknown_address_the_same_status_body_and_work_at_sign_in(app: TestApp) {
        new_owner(&app).await;
        let client = app.client();
        client.csrf().await;
        let (mut seen, mut statements) = (Vec::new(), [u64::MAX; 2]);
        for _ in 0..4 {
            for (i, email) in ["owner-one@example.com", "nobody-at-all@example.com"].into_iter().enumerate() {
                let fields = [("email", email), ("password", "not the password of anybody")];
                let work = async { seen.push(faceless(&client.post_form("/sign-in", &fields).await, email)) };
                let (((), hashes), sent) = app.statements_of(app.hashes_of(work)).await;
                assert_eq!(hashes, 1, "an answer without a hash comes at once: {email}");
                // Whatever else the app sent meanwhile only adds to it.
                statements[i] = statements[i].min(sent);
            }
        }
        assert_eq!(seen[0].0, 422);
        assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
        assert_eq!(statements[0], statements[1]);
    }

    async fn known_against_unknown_address_the_same_at_forgot_password(app: TestApp) {
        new_owner(&app).await;
        let mut seen = Vec::new();
        for email in ["owner-one@example.com", "nobody-at-all@example.com"] {
            let client = app.client();
            let page = client.post_form("/forgot-password", &[("email", email)]).await;
            seen.push(faceless(&page, email));
        }
        assert_eq!(seen[0], seen[1]);
        app.mail.wait_for("owner-one@example.com", "Choose a new password").await;
        app.mail_is_out().await;
        assert!(app.mail.to("nobody-at-all@example.com").is_empty());
    }

    async fn known_against_unknown_address_the_same_at_sign_up_and_at_a_change_of_address(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = outsider(&app).await;
        let mut seen = Vec::new();
        let client = app.client();
        client.csrf().await;
        for email in ["outsider-one@example.com", "nobody-one@example.com"] {
            let fields = [("name", "Some One"), ("email", email), ("password", PASSWORD), ("workspace", "Fresh")];
            let (answer, hashes) = app.hashes_of(client.post_form("/sign-up", &fields)).await;
            assert_eq!(hashes, 1, "an answer without a hash comes at once: {email}");
            let page = client.follow(answer.with_status(303)).await;
            seen.push(faceless(&page, email));
        }
        assert_eq!(seen[0], seen[1]);
        app.mail.wait_for("outsider-one@example.com", "You already have a sign-in").await;
        let mut seen = Vec::new();
        for email in ["outsider-one@example.com", "nobody-else@example.com"] {
            let page = owner
                .client
                .post_form("/me/email", &[("email", email), ("current_password", PASSWORD)])
                .await;
            page.assert_status(303);
            let page = owner.client.follow(page).await;
            seen.push(page.select("#toasts p").join(" ").replace(email, "ADDRESS"));
        }
        assert_eq!(seen[0], seen[1]);
        app.mail_is_out().await;
        let told = app.mail.to("outsider-one@example.com");
        let told = told.iter().filter(|letter| letter.subject == "You already have a sign-in").count();
        assert_eq!(told, 2);
        other.client.visit("/me").await;
    }

    async fn rotating_x_forwarded_for_is_limited_at_the_same_count(app: TestApp) {
        new_owner(&app).await;
        // From one address of the network; each request claims another.
        let client = app.client();
        client.csrf().await;
        for i in 0..10 {
            let hop = client
                .with_header("x-forwarded-for", &format!("203.0.113.{i}"))
                .with_header("x-real-ip", "198.51.100.9");
            let page = hop
                .post_form(
                    "/sign-in",
                    &[("email", "owner-one@example.com"), ("password", "wrong guess of it")],
                )
                .await;
            page.assert_status(422);
        }
        let hop = client.with_header("x-forwarded-for", "203.0.113.200");
        let page = hop
            .post_form("/sign-in", &[("email", "owner-one@example.com"), ("password", "wrong guess of it")])
            .await;
        page.assert_status(429);
        assert!(page.header("retry-after").is_some_and(|seconds| seconds.parse::<i64>().unwrap() > 0));
        // What was counted by network address was counted for the address the connection came from.
        let rows = app.rows("SELECT key FROM rate_limits WHERE key LIKE 'sign-in-from:%' AND used > 0").await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0]["key"].as_str().unwrap().starts_with("sign-in-from:127."), "{rows:?}");
        // After its time the limit is over.
        app.clock.advance(Duration::from_secs(15 * 60));
        sign_in(&app, "owner-one@example.com", PASSWORD).await;
    }

    async fn a_trusted_proxy_is_believed_and_what_stands_left_of_it_is_not(backend: Backend) {
        let app = TestApp::on(backend)
            .with(|config| {
                config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
            })
            .spawn()
            .await;
        let client = app.client();
        client.csrf().await;
        for forged in [
            "1.1.1.1, 203.0.113.7",
            "2.2.2.2, 203.0.113.7, 10.0.0.1",
            "nonsense, 203.0.113.7,10.0.0.1",
            "203.0.113.7",
        ] {
            let hop = client.with_header("x-forwarded-for", forged);
            hop.post_form("/sign-in", &[("email", "nobody@example.com"), ("password", "wrong guess of it")])
                .await
                .assert_status(422);
        }
        let rows = app.rows("SELECT key FROM rate_limits WHERE key LIKE 'sign-in-from:%'").await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0]["key"], "sign-in-from:203.0.113.7");
    }

    async fn an_address_is_read_as_each_proxy_writes_it(backend: Backend) {
        for (header, hop, counted) in [
            (ProxyHeader::XForwardedFor, "203.0.113.7:4711", Some("203.0.113.7")),
            (ProxyHeader::XForwardedFor, "[2001:db8::1]:4711, 10.0.0.1:80", Some("2001:db8::/48")),
            (ProxyHeader::Forwarded, "for=203.0.113.7;proto=https", Some("203.0.113.7")),
            (ProxyHeader::Forwarded, "for=\"_evil, For=\"[2001:db8::1]:4711\"", Some("2001:db8::/48")),
            // Not everybody's address, but nobody's.
            (ProxyHeader::XForwardedFor, "203.0.113.7, unknown", None),
            (ProxyHeader::Forwarded, "for=_hidden", None),
            (ProxyHeader::Forwarded, "proto=https", None),
        ] {
            let app = TestApp::on(backend)
                .with(move |config| {
                    config.proxy_header = header;
                    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
                })
                .spawn()
                .await;
            // The other header is the client's own.
            let (name, other) = match header {
                ProxyHeader::Forwarded => ("forwarded", ("x-forwarded-for", "6.6.6.6")),
                ProxyHeader::XForwardedFor => ("x-forwarded-for", ("forwarded", "for=6.6.6.6")),
            };
            let client = app.client().with_header(name, hop).with_header(other.0, other.1);
            let wrong = [("email", "nobody@example.com"), ("password", "wrong guess of it")];
            client.post_form("/sign-in", &wrong).await.assert_status(422);
            let rows = app.rows("SELECT key FROM rate_limits WHERE key LIKE 'sign-in-from:%'").await;
            let keys: Vec<_> = rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
            let expected: Vec<_> = counted.iter().map(|address| format!("sign-in-from:{address}")).collect();
            assert_eq!(keys, expected, "{hop}");
        }
    }

    async fn people_whose_address_cannot_be_read_do_not_use_up_each_others_attempts(backend: Backend) {
        let app = TestApp::on(backend)
            .with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()])
            .spawn()
            .await;
        let owner = new_owner(&app).await;
        // A limit of 60; for each address to sign in with there is one of 10, which stays.
        let client = app.client().with_header("x-forwarded-for", "unknown");
        for n in 0..61 {
            let (email, password) = (format!("nobody-{n}@example.com"), "wrong guess of it");
            client.post_form("/sign-in", &[("email", &email), ("password", password)]).await.assert_status(422);
        }
        let fields = [("email", owner.email.as_str()), ("password", PASSWORD)];
        client.post_form("/sign-in", &fields).await.assert_status(303);
        let sql = "SELECT address FROM sessions ORDER BY created_at DESC LIMIT 1";
        assert_eq!(app.rows(sql).await[0]["address"], "unknown");
    }

    async fn next_evil_leads_home(app: TestApp) {
        let owner = new_owner(&app).await;
        let evil = [
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "///evil.example",
            " //evil.example",
            "evil.example",
            "/%0d%0aSet-Cookie:x",
            "",
        ];
        for next in evil {
            let client = app.client();
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            let page = client.visit(&format!("/sign-in?{query}")).await;
            let answer = client
                .submit(&page, "/sign-in", &[("email", &owner.email), ("password", PASSWORD), ("next", next)])
                .await;
            let home = if next.is_empty() { "/" } else { "/workspaces" };
            let location = answer.with_status(303).location();
            let stays = location == home || (next.contains("%0d") && location.starts_with("/%0d"));
            assert!(stays, "{next:?} leads to {location}");
            // Signed in already, the page itself sends on.
            let sent = client.get(&format!("/sign-in?{query}")).await.with_status(303);
            assert!(
                sent.location().starts_with('/') && !sent.location().starts_with("//"),
                "{next:?}: {}",
                sent.location()
            );
        }
        for next in ["/w/acme/members?q=a%20b", "/w/\u{e9}t\u{e9}"] {
            let client = app.client();
            let answer = client
                .post_form("/sign-in", &[("email", &owner.email), ("password", PASSWORD), ("next", next)])
                .await;
            answer.assert_status(303);
        }
    }

    async fn with_https_the_cookies_are_secure_and_locked_to_the_host(backend: Backend) {
        let app = TestApp::on(backend)
            .with(|config| {
                config.public_url = Some(Url::parse("https://access.example.com").unwrap());
            })
            .spawn()
            .await;
        let client = app.client().with_header("origin", "https://access.example.com");
        let links =
            [("invitations", "inv"), ("join-links", "jln"), ("reset-password", "pwd"), ("email-verification", "eml")];
        let links = links.map(|(page, kind)| format!("/{page}/{}", unsent_token(kind, 1)));
        for path in ["/sign-in".to_owned()].iter().chain(&links) {
            let answer = client.get(path).await;
            let cookies: Vec<_> =
                answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
            assert!(!cookies.is_empty(), "{path}");
            for cookie in cookies {
                assert!(cookie.starts_with("__Host-bailiwick-"), "{path}: {cookie}");
                for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                    assert!(cookie.contains(flag), "{path}: {flag} of {cookie}");
                }
                assert!(!cookie.contains("Domain"), "{path}: {cookie}");
            }
            assert!(answer.header("strict-transport-security").is_some());
        }
    }

    async fn without_https_the_cookies_are_still_shut_to_scripts_and_other_sites(app: TestApp) {
        let client = app.client();
        let cookie = client.get("/sign-in").await.header("set-cookie").unwrap().to_owned();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
            "{cookie}"
        );
        assert!(!cookie.contains("__Host-"), "{cookie}");
    }

    async fn every_answer_says_no_foreign_script_no_frame_and_no_referrer(app: TestApp) {
        let owner = new_owner(&app).await;
        for path in [
            "/sign-in",
            "/w/acme",
            "/w/nowhere",
            "/static/missing",
            "/healthz",
            "/no/such/page",
            "/w/acme/security",
            "/",
        ] {
            let page = owner.client.get(path).await;
            let policy = page.header("content-security-policy").unwrap_or_default().to_owned();
            for part in
                ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
            {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{path}");
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert!(
                !page.has("script:not([src])")
                    && !page.has("style")
                    && !page.has("[style]")
                    && !page.has("[onclick]"),
                "{path}"
            );
        }
    }
}
