//! Abuse cases: what people and things are called.

use super::{secrets::crawl, *};
use uuid::Uuid;

const MARKUP: &str = "<b class=pwned>x</b>\"'&amp;";

both! {
    async fn bidi_and_control_characters_in_names_422_with_the_field_named_and_everything_typed_kept(app: TestApp) {
        let owner = new_owner(&app).await;
        for bad in
            ["Owner\u{202e}eno", "a\u{200b}b", "a\u{2066}b", "\u{feff}a", "a\u{1}b", "a\rb", "a\nb", "\u{85}"]
        {
            let page = app
                .unchanged_by(owner.client.post_form("/me/profile", &[("name", bad)]))
                .await
                .with_status(422);
            assert!(page.field_error("name").is_some(), "{bad:?}");
            let fields = [("name", bad), ("slug", "kept-slug")];
            let page = app
                .unchanged_by(owner.client.post_form("/w/acme/organization", &fields))
                .await
                .with_status(422);
            assert!(page.field_error("name").is_some(), "{bad:?}");
            assert_eq!(page.field_value("slug").as_deref(), Some("kept-slug"));
            let page =
                app.unchanged_by(owner.client.post_form("/workspaces", &fields)).await.with_status(422);
            assert_eq!(page.form("/workspaces").values("slug"), ["kept-slug"]);
            owner
                .client
                .get(&format!(
                    "/w/acme/members?q={}",
                    url::form_urlencoded::byte_serialize(bad.as_bytes()).collect::<String>()
                ))
                .await
                .assert_status(422);
        }
        let page = owner
            .client
            .post_form("/w/acme/invitations", &[("emails", "a@example.com"), ("message", "one\u{202e}two")])
            .await;
        page.assert_status(422);
        assert!(page.field_error("message").is_some());
        assert_eq!(page.field_value("emails").as_deref(), Some("a@example.com"));
        // What is written from right to left by itself is fine.
        owner
            .client
            .post_form(
                "/me/profile",
                &[("name", "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{5e2}\u{5d5}\u{5dc}\u{5dd}")],
            )
            .await
            .assert_status(303);
    }

    async fn names_of_what_cannot_be_seen_422(app: TestApp) {
        let owner = new_owner(&app).await;
        for bad in ["\u{200d}", "\u{200c}\u{200d}", "\u{301}", "\u{a0}", "Ada\u{200d}", "A\u{200c}da", "\u{3164}", "\u{2800}"] {
            for (path, fields) in [
                ("/me/profile", [("name", bad)]),
                ("/w/acme/teams", [("name", bad)]),
                ("/w/acme/roles", [("name", bad)]),
                ("/workspaces", [("name", bad)]),
                ("/w/acme/api-keys", [("name", bad)]),
            ] {
                let page = app.unchanged_by(owner.client.post_form(path, &fields)).await.with_status(422);
                assert!(page.field_error("name").is_some(), "{path}: {bad:?}");
            }
        }
        // Where a script or an emoji needs a joiner, it can be seen.
        for good in ["\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}", "\u{1f469}\u{200d}\u{1f680}"] {
            owner.client.post_form("/me/profile", &[("name", good)]).await.assert_status(303);
        }
    }

    async fn a_role_that_looks_like_a_built_in_one_422(app: TestApp) {
        let owner = new_owner(&app).await;
        let fields = [("name", "Captain"), ("scopes", "read:posts")];
        owner.client.post_form("/w/acme/roles", &fields).await.assert_status(303);
        let page = owner.client.visit("/w/acme/roles/captain").await;
        for twin in ["\u{41e}wner", "0wner", "O w n e r", "\u{391}dmin", "Adrnin", "\u{ff36}iewer", "V\u{456}ewer", "SUPPORT"] {
            let fields = [("name", twin), ("scopes", "read:posts")];
            let refused = app.unchanged_by(owner.client.post_form("/w/acme/roles", &fields)).await.with_status(422);
            assert!(refused.field_error("name").unwrap().contains("built-in role"), "{twin:?}");
            assert_eq!(refused.field_value("name").as_deref(), Some(twin));
            let fields = [("name", twin)];
            let renamed = owner.client.submit(&page, "/details", &fields);
            app.unchanged_by(renamed).await.assert_status(422);
        }
        let fields = [("name", "Co-Owner"), ("scopes", "read:posts")];
        owner.client.post_form("/w/acme/roles", &fields).await.assert_status(303);
    }

    async fn an_address_has_one_form_and_none_that_imitates_it(app: TestApp) {
        let owner = new_owner(&app).await;
        // The Kelvin sign is a k in lower case; letters of other alphabets look like ours.
        for twin in ["\u{212a}ate@example.com", "k\u{430}te@example.com", "kate@ex\u{430}mple.com", "kate@example.com\u{200b}"] {
            let fields = [("name", "Kate"), ("email", twin), ("password", PASSWORD), ("workspace", "Kates")];
            let page = app.unchanged_by(app.client().post_form("/sign-up", &fields)).await.with_status(422);
            assert!(page.field_error("email").is_some(), "{twin:?}");
            let fields = [("emails", twin), ("role", "viewer")];
            app.unchanged_by(owner.client.post_form("/w/acme/invitations", &fields)).await.assert_status(422);
        }
        sign_up(&app, "Kate", "  KATE@Example.COM ", PASSWORD, "kates").await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM users WHERE email = 'kate@example.com'").await, 1);
        sign_in(&app, "Kate@EXAMPLE.com", PASSWORD).await;
    }

    async fn markup_in_every_name_is_inert_in_every_page_and_mail(app: TestApp) {
        let client =
            sign_up(&app, MARKUP, "owner-one@example.com", PASSWORD, &format!("acme {MARKUP}")).await;
        verify_email(&app, &client, "owner-one@example.com").await;
        let client = client.with_header("user-agent", &format!("Mozilla {MARKUP}"));
        let slug = app.scalar_text("SELECT slug FROM workspaces").await.unwrap();
        let owner = person(&app, client, MARKUP, "owner-one@example.com", &slug).await;
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.post_form("/me/profile", &[("name", MARKUP)]).await.assert_status(303);
        let page = owner.client.visit(&format!("/w/{slug}/invitations")).await;
        let fields = [("emails", "guest-one@example.com"), ("role", "viewer"), ("message", MARKUP)];
        owner.client.submit(&page, &format!("/w/{slug}/invitations"), &fields).await.assert_status(303);
        owner.client.post_form(&at(&viewer, "ownership-offer"), &[]).await.assert_status(303);
        assign_roles(&owner, &viewer, &["editor"]).await.assert_status(303);
        viewer
            .client
            .with_header("user-agent", MARKUP)
            .get(&format!("/w/{slug}/activity"))
            .await
            .assert_status(403);
        let team = [("name", MARKUP), ("description", MARKUP)];
        let team = owner.client.post_form(&format!("/w/{slug}/teams"), &team).await.with_status(303).location();
        let member = [("member", viewer.member_id.to_string())];
        let member: Vec<_> = member.iter().map(|(name, id)| (*name, id.as_str())).collect();
        owner.client.post_form(&format!("{team}/members"), &member).await.assert_status(303);
        // A role of that name, as custom roles will be.
        let id = app.id(Uuid::from_u128(99));
        app.execute(&format!("INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at)
            SELECT {id}, id, 'pilot', {name}, {name}, false, false, 90, 0 FROM workspaces", name = quoted(MARKUP))).await;
        let home = format!("/w/{slug}");
        let starts = [
            "/workspaces".to_owned(),
            "/me".into(),
            home.clone(),
            format!("{home}/members?q={}", "%3Cb%20class=pwned%3E"),
            format!("{home}/activity?q=%3Cb%20class=pwned%3E%22"),
            format!("{home}/invitations?q=%22%3E%3Cb%20class=pwned%3E"),
            "/sign-in?next=%22%3E%3Cb%20class=pwned%3E".into(),
        ];
        let mut pages = Vec::new();
        for person in [&owner, &viewer] {
            pages.extend(crawl(&person.client, &starts.iter().map(String::as_str).collect::<Vec<_>>()).await);
        }
        let guest = app.client();
        let link = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        pages.push(guest.visit(&link).await);
        pages.push(guest.visit("/sign-up").await);
        pages.push(guest.get("/sign-in?next=%22%3E%3Cb%20class=pwned%3E").await);
        for typed in [("name", MARKUP), ("email", "\"><b class=pwned>"), ("workspace", MARKUP)] {
            pages.push(guest.post_form("/sign-up", &[typed]).await.with_status(422));
        }
        pages.push(guest.post_form("/sign-in", &[("email", "\"><b class=pwned>")]).await.with_status(422));
        pages.push(
            owner
                .client
                .post_form("/workspaces", &[("name", MARKUP), ("slug", "\"><b class=pwned>")])
                .await
                .with_status(422),
        );
        pages.push(
            owner
                .client
                .post_form(
                    &format!("{home}/organization"),
                    &[("name", MARKUP), ("slug", "\"><b class=pwned>")],
                )
                .await
                .with_status(422),
        );
        pages.push(
            owner
                .client
                .post_form(&format!("{home}/organization/deletion"), &[("confirm", "\"><b class=pwned>")])
                .await
                .with_status(422),
        );
        pages.push(
            owner
                .client
                .post_form(
                    &format!("{home}/invitations"),
                    &[("emails", "\"><b class=pwned>"), ("message", "</textarea><b class=pwned>")],
                )
                .await
                .with_status(422),
        );
        let fields = [("name", ""), ("description", MARKUP), ("scopes", "</textarea><b class=pwned>")];
        pages.push(owner.client.post_form(&format!("{home}/roles"), &fields).await.with_status(422));
        let fields = [("scopes", "</textarea><b class=pwned>"), ("version", "\"><b class=pwned>")];
        pages.push(owner.client.post_form(&format!("{home}/roles/pilot/scopes"), &fields).await.with_status(422));
        pages.push(owner.client.post_form("/me/profile", &[("<b class=pwned>", "1")]).await.with_status(422));
        let mut told = 0;
        for page in &pages {
            assert!(
                !page.has(".pwned") && !page.html.contains("<b class=pwned"),
                "{}:\n{}",
                page.url,
                page.html
            );
            told += usize::from(page.text().contains("<b class=pwned>x</b>"));
        }
        assert!(pages.len() > 30 && told > 10, "{} pages, {told} of them with a name", pages.len());
        let letter = app.mail.wait_for("guest-one@example.com", "invited you").await;
        assert!(letter.raw.to_lowercase().contains("content-type: text/plain"), "{}", letter.raw);
        assert!(!letter.html.contains("<b class=pwned"), "{}", letter.html);
        assert!(letter.html.contains("&lt;b class=pwned") || letter.html.contains("&#60;b class=pwned"), "{}", letter.html);
        assert!(letter.subject.contains("<b class=pwned>"), "{}", letter.subject);
    }

    async fn what_a_page_says_once_survives_any_name(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        for name in [
            "Semi; Path=/nowhere; Colon",
            "Per%20cent 100%",
            "Zo\u{eb} \u{4e16}\u{754c}",
            "Comma, \"Quote\" \\ back",
            "a=b; c=d",
            MARKUP,
        ] {
            viewer.client.post_form("/me/profile", &[("name", name)]).await.assert_status(303);
            let answer = owner.client.post_form(&at(&viewer, "suspension"), &[]).await.with_status(303);
            for cookie in answer.headers.get_all("set-cookie") {
                let cookie = String::from_utf8_lossy(cookie.as_bytes()).into_owned();
                assert!(
                    cookie.ends_with("Max-Age=300")
                        || !cookie.contains("flash")
                        || cookie.contains("Path=/;"),
                    "{cookie}"
                );
                assert!(!cookie.contains("Path=/nowhere") && !cookie.contains("; c=d"), "{cookie}");
            }
            owner.client.follow(answer).await.assert_says(&format!("{name} suspended"));
            owner.client.post_form(&at(&viewer, "reactivation"), &[]).await.assert_status(303);
        }
    }

    async fn cr_lf_in_names_and_addresses_never_reaches_a_mail_header(app: TestApp) {
        let owner = new_owner(&app).await;
        for emails in ["a@example.com%0d%0aBcc:thief@example.com", "\"a@example.com\"@x"] {
            let page =
                app.unchanged_by(owner.client.post_form("/w/acme/invitations", &[("emails", emails)])).await;
            page.assert_status(422);
        }
        // A line break parts addresses here; each is one recipient of its own.
        invite(&owner.client, "acme", "a@example.com\r\nb@example.com", &["viewer"]).await;
        app.mail_is_out().await;
        assert!(
            app.mail
                .all()
                .iter()
                .all(|letter| letter.to.len() == 1 && !letter.raw.to_lowercase().contains("\nbcc:"))
        );
        for email in
            ["a@x.org\r\nBcc: b@x.org", "a@x.org,b@x.org", "<a@x.org>", "a@x.org b@x.org", "a@[127.0.0.1]"]
        {
            let page =
                app.unchanged_by(app.client().post_form("/forgot-password", &[("email", email)])).await;
            page.assert_status(422);
            assert!(page.field_error("email").is_some(), "{email:?}");
        }
    }
}
