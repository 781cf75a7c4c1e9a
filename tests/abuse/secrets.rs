//! Abuse cases: secrets as canaries. What is secret is in one place, the mail or the page that is
//! meant to carry it, and in no page, record, log line, database row or other mail.

use super::*;
use std::collections::BTreeSet;

const LOUD_PASSWORD: &str = "canary horse battery staple 4711";

/// Every page that this person can reach by links, read once each.
pub(super) async fn crawl(client: &Client, starts: &[&str]) -> Vec<Page> {
    let mut waiting: Vec<String> = starts.iter().map(|&start| start.to_owned()).collect();
    let (mut seen, mut pages) = (BTreeSet::new(), Vec::new());
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) || seen.len() > 150 {
            continue;
        }
        let page = client.follow(client.get(&path).await).await;
        if page.status.is_success() {
            let links = page.links().into_iter().filter_map(|link| page.url.join(&link).ok());
            let own = links
                .filter(|link| link.origin() == page.url.origin() && !link.path().starts_with("/static/"));
            waiting.extend(
                own.map(|link| link[url::Position::BeforePath..url::Position::AfterQuery].to_owned()),
            );
        }
        pages.push(page);
    }
    pages
}

both! {
    async fn no_token_password_or_hash_in_any_page_record_or_unrelated_mail(app: TestApp) {
        let client = sign_up(&app, "Owner One", "owner-one@example.com", LOUD_PASSWORD, "acme").await;
        verify_email(&app, &client, "owner-one@example.com").await;
        let owner = person(&app, client, "Owner One", "owner-one@example.com", "acme").await;
        member(&app, &owner, "viewer").await;
        let shown = invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let shown = shown.attributes("#link-1", "value").remove(0);
        app.client().post_form("/forgot-password", &[("email", &owner.email)]).await.assert_status(200);
        // Wrong guesses, and right ones in the wrong field.
        app.client()
            .post_form("/sign-in", &[("email", &owner.email), ("password", "CANARYGUESS of a password")])
            .await
            .assert_status(422);
        owner
            .client
            .post_form("/me/password", &[("current_password", "CANARYGUESS"), ("password", LOUD_PASSWORD)])
            .await
            .assert_status(422);
        let reset = app.mail.wait_for_link(&owner.email, "/reset-password/").await;
        let confirm = app.mail.wait_for_link(&owner.email, "/email-verification/").await;
        let invited = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        app.mail_is_out().await;
        let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
        let session = owner.client.cookies().join(";");
        let at = session.find("blw_ses_").expect("the cookie's token");
        let session = session[at..at + 80].to_owned();
        let mut canaries = vec![
            LOUD_PASSWORD.to_owned(),
            "CANARYGUESS".into(),
            "$argon2".into(),
            "blw_".into(),
            session.clone(),
        ];
        canaries.extend([token(&reset), token(&confirm), token(&invited), token(&shown)]);
        let pages = crawl(
            &owner.client,
            &["/workspaces", "/me", "/w/acme", "/w/acme/invitations", "/w/acme/activity?outcome=refused"],
        )
        .await;
        assert!(pages.len() > 15, "{}", pages.len());
        for page in &pages {
            for canary in &canaries {
                page.assert_silent_about(canary);
            }
        }
        // The database keeps no secret in the clear, in no table.
        for table in app.catalogue().await.all() {
            let rows = format!("{:?}", app.snapshot(&[table]).await);
            let clear: Vec<_> =
                canaries.iter().filter(|canary| *canary != "$argon2" && rows.contains(*canary)).collect();
            assert!(clear.is_empty(), "{table} holds {clear:?}");
            assert!(table == "users" || !rows.contains("$argon2"), "{table}");
        }
        // Each secret of a link went to one mailbox, in one letter.
        for link in [&reset, &confirm, &invited] {
            let holders = app
                .mail
                .all()
                .into_iter()
                .filter(|letter| letter.raw.replace("=\r\n", "").contains(&token(link)))
                .count();
            assert_eq!(holders, 1, "{link}");
        }
        for letter in app.mail.all() {
            assert!(
                !letter.raw.contains(LOUD_PASSWORD) && !letter.text.contains(&token(&shown)),
                "{}",
                letter.raw
            );
        }
    }

    async fn the_log_holds_no_token_no_password_and_no_address(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let program = Program::serve(&database, dir.path(), &[("RUST_LOG", "debug")]).await;
        let client = program.client();
        let page = client.visit("/sign-up").await;
        let fields = [
            ("name", "Canary Name"),
            ("email", "owner-one@example.com"),
            ("password", LOUD_PASSWORD),
            ("workspace", "acme"),
        ];
        client.submit(&page, "/sign-up", &fields).await.assert_status(303);
        let confirm = program.mail.wait_for_link("owner-one@example.com", "/email-verification/").await;
        client.visit(&confirm).await;
        client.post_form("/email-verification", &[]).await.assert_status(303);
        let shown = invite(&client, "acme", "guest-one@example.com", &["viewer"]).await;
        let shown = shown.attributes("#link-1", "value").remove(0);
        let invited = program.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        let guest = program.client();
        guest.visit(&invited).await;
        guest.visit(&shown).await;
        guest.post_form("/forgot-password", &[("email", "owner-one@example.com")]).await.assert_status(200);
        let reset = program.mail.wait_for_link("owner-one@example.com", "/reset-password/").await;
        guest.visit(&reset).await;
        guest.post_form("/reset-password", &[("password", "canaryshort")]).await.assert_status(422);
        guest
            .post_form(
                "/sign-in",
                &[("email", "owner-one@example.com"), ("password", "CANARYGUESS of a password")],
            )
            .await
            .assert_status(422);
        guest.get("/sign-in?next=/CANARYQUERY").await.assert_status(200);
        guest.get("/no/such/CANARYPATH").await.assert_status(404);
        let session = client.cookies().join(";");
        let log = program.log();
        assert!(log.contains("answered"), "{log}");
        let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
        for secret in [
            token(&confirm),
            token(&shown),
            token(&invited),
            token(&reset),
            "blw_".into(),
            LOUD_PASSWORD.into(),
            "CANARYGUESS".into(),
            "CANARYQUERY".into(),
            "canaryshort".into(),
            "$argon2".into(),
            session,
        ] {
            let line = log.lines().find(|line| line.contains(&secret));
            assert!(line.is_none(), "{secret}: {line:?}");
        }
        drop(program);
    }

    async fn mail_of_one_person_goes_to_that_person_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", "guest-one@example.com, guest-two@example.com", &["viewer"]).await;
        let one = app.mail.wait_for("guest-one@example.com", "invited you").await;
        let two = app.mail.wait_for("guest-two@example.com", "invited you").await;
        assert_eq!((one.to.len(), two.to.len()), (1, 1));
        assert!(!one.raw.contains("guest-two") && !two.raw.contains("guest-one"));
        assert_ne!(one.link("/invitations/"), two.link("/invitations/"));
        // The record and the outbox keep nothing of it once it is out.
        app.mail_is_out().await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM outbox").await, 0);
        app.mail.wait_for_several("owner-one@example.com", "Confirm", 1).await;
    }
}
