//! Abuse cases: input.

use super::*;
use crate::{
    nouns,
    support::product::{BuiltIn, Requirement},
    walk::{Caller, Entry, Place, Row, Walk},
    world::{World, account_id},
};
use reqwest::Method;
use std::collections::BTreeSet;
use uuid::Uuid;

const FORM: &str = "application/x-www-form-urlencoded";

/// Every form of the nouns, with a path that names something.
async fn posts(app: &TestApp) -> Vec<String> {
    let account = account_id(app, "acme").await.to_string();
    let posts: Vec<_> =
        nouns::pages().iter().filter(|row| !row.is_page()).map(|row| row.sample(&account)).collect();
    println!("input: {} forms", posts.len());
    assert!(posts.len() > 25 && posts.iter().all(|path| !path.contains('{')), "{posts:?}");
    posts
}

/// Sends a form with texts in this field that no database takes, and else as it would be taken. Gives how
/// many were tried.
async fn bad_texts(
    app: &TestApp,
    world: &World,
    row: &Row,
    address: &str,
    good: &[(String, String)],
    field: &str,
) -> usize {
    let client = if row.requirement == Requirement::Public { app.client() } else { world.owner().clone() };
    let csrf = client.csrf().await;
    let others = good.iter().filter(|(name, _)| name != field);
    let others = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
    let texts = ["a%00b", "%00", "%FF", "%C3%28", "%ED%A0%80", "a%C0%80b", "%F5%80%80%80"];
    for bad in texts {
        let body = format!("{field}={bad}&{others}&csrf={csrf}");
        let page = app.unchanged_by(client.post_raw(address, body, FORM)).await;
        let status = page.status.as_u16();
        // A form that only the link of a letter leads to is not read without it; nor an id that is none.
        if row.requirement == Requirement::Public && status == 410
            || row.ticks == Some(field) && status == 400
        {
            continue;
        }
        assert_eq!(status, 422, "{address} {field}={bad}: {}", page.text());
        let is_marked = page.has(&format!("[name='{field}'][aria-invalid]"));
        let is_named = is_marked || page.field_error(field).is_some() || page.text().contains(field);
        assert!(is_named, "{address} {field}={bad}: {}", page.text());
    }
    texts.len()
}

both! {
    async fn extra_fields_is_admin_workspace_id_email_verified_credits_on_every_form_422(app: TestApp) {
        let owner = new_owner(&app).await;
        app.unchanged_by(async {
            for path in posts(&app).await {
                for field in [
                    "is_admin",
                    "workspace_id",
                    "email_verified",
                    "credits",
                    "user_id",
                    "__proto__",
                    "role[]",
                ] {
                    let page = owner.client.post_form(&path, &[(field, "1")]).await;
                    page.assert_status(422).assert_says(field);
                }
            }
        })
        .await;
        owner.client.visit("/me").await;
    }

    async fn extra_fields_in_the_query_of_a_list_422(app: TestApp) {
        let owner = new_owner(&app).await;
        let account = account_id(&app, "acme").await.to_string();
        nouns::destinations::add_sample_destination(&app).await;
        nouns::joining::add_sample_link(&app).await;
        let lists: Vec<_> = nouns::pages().iter().filter(|row| row.reads.is_some()).collect();
        assert!(lists.len() > 14, "only {} pages read a query", lists.len());
        for list in lists {
            let path = list.sample(&account);
            owner.client.get(&format!("{path}?is_admin=1")).await.assert_status(422).assert_says("is_admin");
        }
        owner.client.get("/w/acme/members?q=a&q=b").await.assert_status(400).assert_says("q");
    }

    async fn every_post_without_a_token_or_with_a_foreign_one_403_and_no_row_changed(app: TestApp) {
        let owner = new_owner(&app).await;
        let foreign = outsider(&app).await.client.csrf().await;
        owner.client.csrf().await;
        app.unchanged_by(async {
            for path in posts(&app).await {
                for body in [
                    String::new(),
                    format!("csrf={foreign}"),
                    "csrf=".into(),
                    "csrf=0&csrf=0".into(),
                    format!("csrf={}", "a".repeat(64)),
                ] {
                    owner.client.post_raw(&path, body, FORM).await.assert_status(403);
                }
                // A token in the address is none.
                let csrf = owner.client.csrf().await;
                owner.client.post_raw(&format!("{path}?csrf={csrf}"), "", FORM).await.assert_status(403);
            }
        })
        .await;
        owner.client.visit("/me").await;
    }

    async fn every_post_that_another_site_caused_403_and_no_row_changed(app: TestApp) {
        let owner = new_owner(&app).await;
        owner.client.csrf().await;
        let cross = owner.client.with_header("sec-fetch-site", "cross-site");
        let sibling = owner.client.with_header("sec-fetch-site", "same-site");
        let old = owner.client.without_header("sec-fetch-site").with_header("origin", "https://evil.example");
        let opaque = owner.client.without_header("sec-fetch-site").with_header("origin", "null");
        app.unchanged_by(async {
            for path in posts(&app).await {
                for client in [&cross, &sibling, &old] {
                    client.post_form(&path, &[]).await.assert_status(403);
                }
                // It may be a page of ours, and has no token.
                opaque.post_raw(&path, "", FORM).await.assert_status(403);
            }
        })
        .await;
        // A call needs no token, so one from a page without an origin is refused as well.
        let call = opaque.post_raw("/api/sso/v1/departure", "{}", "application/json").await;
        call.assert_status(403).assert_says("didn't come from Bailiwick");
        owner.client.visit("/me").await;
    }

    async fn a_body_that_is_no_form_415_or_400_and_never_5xx(app: TestApp) {
        let owner = new_owner(&app).await;
        let csrf = owner.client.csrf().await;
        let nested = format!("{}{}", "[".repeat(300), "]".repeat(300));
        app.unchanged_by(async {
            for path in posts(&app).await {
                for (kind, body) in [
                    ("application/json", format!("{{\"csrf\":\"{csrf}\",\"x\":{nested}}}")),
                    ("text/plain", format!("csrf={csrf}")),
                    (
                        "multipart/form-data; boundary=x",
                        format!(
                            "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--x--"
                        ),
                    ),
                    ("", format!("csrf={csrf}")),
                ] {
                    let page = owner.client.post_raw(&path, body, kind).await;
                    assert_eq!(page.status.as_u16(), 415, "{path} {kind}: {}", page.text());
                }
            }
        })
        .await;
    }

    async fn nul_and_bad_utf_8_are_422_on_both_databases_with_the_field_named(app: TestApp) {
        let world = World::build(&app).await;
        let owner = Caller::of_role(BuiltIn::Owner, Entry::Browser(world.owner().clone()));
        let mut walk = Walk::begin(&app, &world, vec![owner]).await;
        let mut tried = 0;
        for row in nouns::pages().iter().filter(|row| !row.is_page()) {
            walk.read_carried(row).await;
            let at = walk.attempt(row, 0, Place::Own);
            if at.verdict() != at.done() {
                continue;
            }
            let (address, good) = (at.address().unwrap(), walk.fields(row, 0, Place::Own));
            let names = at.fields().into_iter().map(|(name, _)| name).chain(row.also_reads.iter().copied());
            for field in names.collect::<BTreeSet<_>>() {
                tried += bad_texts(&app, &world, row, &address, &good, field).await;
            }
        }
        println!("input: {tried} broken texts");
        assert!(tried > 390, "only {tried} were tried");
    }

    async fn nul_and_nonsense_in_queries_and_cursors_are_4xx_on_both_databases(app: TestApp) {
        let owner = new_owner(&app).await;
        let account = account_id(&app, "acme").await.to_string();
        nouns::destinations::add_sample_destination(&app).await;
        nouns::joining::add_sample_link(&app).await;
        let lists: Vec<_> = nouns::pages().iter().filter(|row| row.reads.is_some()).collect();
        for list in &lists {
            let path = list.sample(&account);
            for field in list.reads.unwrap_or_default() {
                for bad in ["%00", "a%00", "%FF", "%F0%28%8C%28"] {
                    let page = owner.client.get(&format!("{path}?{field}={bad}")).await;
                    page.assert_status(422);
                }
                let long = "9".repeat(3_000);
                let page = owner.client.get(&format!("{path}?{field}={long}")).await;
                page.assert_status(422);
            }
        }
        // Cursors that no page ever linked to: another type, another list, characters that no text has.
        let id = Uuid::from_u128(1);
        for cursor in [
            format!("[{{\"t\":\"a\\u0000b\"}},\"{id}\"]"),
            format!("[{{\"t\":\"a\"}},\"{id}\"]"),
            format!("[{{\"n\":5}},\"{id}\"]"),
            format!("[{{\"n\":-9223372036854775808}},\"{id}\"]"),
        ] {
            let cursor = hex::encode(cursor);
            for list in lists.iter().filter(|list| list.reads.is_some_and(|fields| fields.contains(&"after"))) {
                let path = list.sample(&account);
                let orders = list.filters.iter().filter(|filter| filter.starts_with("sort="));
                for query in [""].iter().chain(orders) {
                    for side in ["after", "before"] {
                        let page = owner.client.get(&format!("{path}?{query}&{side}={cursor}").replace("?&", "?")).await;
                        assert!(
                            [200, 422].contains(&page.status.as_u16()),
                            "{path} {side}: {} {}",
                            page.status,
                            page.text()
                        );
                    }
                }
            }
        }
        for path in [
            "/w/acme/activity?from=9999-12-31",
            "/w/acme/activity?until=9999-12-31",
            "/w/acme/activity?from=0000-01-01",
        ] {
            assert!(owner.client.get(path).await.status.as_u16() < 500, "{path}");
        }
        owner.client.get("/w/acme/activity?from=2026-02-30").await.assert_status(422);
    }

    async fn a_password_of_two_kilobytes_is_refused_before_hashing(app: TestApp) {
        let owner = new_owner(&app).await;
        let long = "correct horse ".repeat(150);
        let page = app.client().post_form("/sign-in", &[("email", &owner.email), ("password", &long)]).await;
        page.assert_status(422);
        let sign_up = [
            ("name", "Some One"),
            ("email", "some@example.com"),
            ("password", long.as_str()),
            ("workspace", "More"),
        ];
        let page = app.client().post_form("/sign-up", &sign_up).await.with_status(422);
        assert!(page.field_error("password").unwrap().contains("1,024"));
        assert_eq!(page.field_value("email").as_deref(), Some("some@example.com"));
        assert_eq!(page.field_value("password").as_deref(), Some(""), "a password is never sent back");
        let page = owner
            .client
            .post_form("/me/password", &[("current_password", PASSWORD), ("password", &long)])
            .await;
        page.assert_status(422);
        let page = owner
            .client
            .post_form("/me/password", &[("current_password", &long), ("password", PASSWORD)])
            .await;
        page.assert_status(422);
        // The longest that is taken, and one in characters of several bytes.
        for password in [
            format!("correct horse battery{}", " x9".repeat(300)),
            "\u{1f40e}\u{1f50b}\u{1f4ce} horse battery staple".to_owned(),
        ] {
            let page = owner
                .client
                .post_form("/me/password", &[("current_password", PASSWORD), ("password", &password)])
                .await;
            page.assert_status(303);
            let page = owner
                .client
                .post_form("/me/password", &[("current_password", &password), ("password", PASSWORD)])
                .await;
            page.assert_status(303);
        }
    }

    async fn weak_passwords_are_refused_with_the_reason(app: TestApp) {
        let owner = new_owner(&app).await;
        for weak in [
            "",
            "short",
            "aaaaaaaaaaaa",
            "passwordpassword",
            "owner-one@example.com",
            "123456789012",
            "qwertyuiop12",
        ] {
            let fields = [("current_password", PASSWORD), ("password", weak)];
            let page = owner.client.post_form("/me/password", &fields).await;
            assert!(page.field_error("password").is_some(), "{weak:?} is taken");
            page.assert_status(422);
        }
    }

    async fn path_parameters_with_encoded_slashes_nul_and_dots_404_or_410_never_5xx(app: TestApp) {
        let owner = new_owner(&app).await;
        let id = owner.member_id;
        let cookies = owner.client.cookies().join("; ");
        let paths = [
            "/w/acme%2Fmembers".to_owned(),
            "/w/ac%00me".into(),
            "/w/%2e%2e/me".into(),
            "/w/../me/x".into(),
            "/w/acme/../acme/members/x".into(),
            "/w/ACME".into(),
            "/w/acme%20".into(),
            "//w/acme/".into(),
            "/w//acme".into(),
            "/w//acme/".into(),
            "/nothing/here/".into(),
            "//evil.example/".into(),
            "/w/acme//members".into(),
            "/w/%FF".into(),
            "/w/acme%".into(),
            format!("/w/acme/members/{}", id.simple()),
            format!("/w/acme/members/%7B{id}%7D"),
            format!("/w/acme/members/{id}%00"),
            format!("/w/acme/members/{id}%2Froles"),
            "/w/acme/members/..%2F..%2Fme".into(),
            "/w/acme/members/0".into(),
            "/w/acme/security/create%3Ateams%00".into(),
            "/w/acme/roles/Editor".into(),
            "/w/acme/roles/editor%20".into(),
            "/w/acme/roles/editor%00".into(),
            "/w/acme/roles/..%2Fmembers".into(),
            format!("/w/acme/roles/{}", "a".repeat(300)),
            "/static/..%2f..%2fCargo.toml".into(),
            "/static/../Cargo.toml".into(),
            "/static/%00".into(),
            "/static//etc/passwd".into(),
            format!("/{}", "a".repeat(6_000)),
            format!("/w/{}", "a".repeat(6_000)),
        ];
        for path in paths {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n");
            let answer = app.raw(request.as_bytes()).await;
            let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            // An address that only takes forms leads up to its page, whatever stands at its end.
            let led_up = status == "303" && answer.contains("location: /w/acme/security\r\n");
            assert!(led_up || ["404", "400", "414"].contains(&status.as_str()), "{path}: {status}\n{answer}");
            assert!(!answer.contains("[package]") && !answer.contains("root:"), "{path}");
        }
        for method in ["POST"] {
            let csrf = owner.client.csrf().await;
            let path = format!("/w/acme/members/{}/roles", id.simple());
            let page = owner
                .client
                .request(
                    method.parse().unwrap(),
                    &path,
                    Some((FORM, format!("csrf={csrf}&role=viewer").into_bytes())),
                )
                .await;
            page.assert_status(404);
        }
    }

    async fn other_methods_405_that_name_what_is_allowed_and_change_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        app.unchanged_by(async {
            for path in [
                "/w/acme/members",
                "/w/acme/organization",
                "/sign-out",
                "/me",
                "/w/acme/departure",
                "/sign-in",
                "/healthz",
            ] {
                for method in ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND"] {
                    let page = owner.client.request(method.parse().unwrap(), path, None).await;
                    page.assert_status(405);
                    assert!(page.header("allow").is_some(), "{method} {path}");
                    page.assert_silent_about("bailiwick-session");
                }
            }
            for path in
                ["/sign-out", "/me/password", "/invitation/acceptance", "/w/acme/security/create:teams"]
            {
                // Somebody who reloads is led up to the page; nothing is done.
                owner.client.get(path).await.assert_status(303);
            }
            for path in ["/w/acme/members", "/me", "/w/acme"] {
                let page = owner.client.request(Method::HEAD, path, None).await;
                page.assert_status(200);
                assert!(page.html.is_empty());
            }
            // The method in a field or a header is no method.
            let page =
                owner.client.with_header("x-http-method-override", "POST").get("/w/acme/departure").await;
            page.assert_status(200);
        })
        .await;
        owner.client.visit("/me").await;
    }
}
