//! Sign-ins: signing up and in, confirming an address, a new password.

use crate::walk::*;

pub struct Identity;

#[async_trait(?Send)]
impl Noun for Identity {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/sign-up", PUBLIC).reads(&[]).statements(0),
            form("/sign-up", PUBLIC)
                .sends(|_| {
                    fields(&[("name", "New One"), ("email", "new@example.com"), ("password", "short")])
                })
                .also_reads(&["workspace"]),
            page("/first-sign-up/{token}", PUBLIC).succeeds_with(303).statements(0),
            page("/check-mail", PUBLIC).reads(&[]).statements(0),
            page("/sign-in", PUBLIC).reads(&[]).statements(0),
            form("/sign-in", PUBLIC)
                .sends(|_| fields(&[("email", "nobody@example.com"), ("password", "not the password")])),
            form("/sign-out", SIGNED_IN),
            page("/forgot-password", PUBLIC).statements(0),
            form("/forgot-password", PUBLIC)
                .sends(|_| fields(&[("email", "nobody@example.com")]))
                // The one of these that a page for who is signed in leads to.
                .offered(|_| true)
                .types(|_, form| form.fill(&[("email", "nobody@example.com")])),
            page("/reset-password/{token}", PUBLIC).succeeds_with(303).statements(0),
            page("/reset-password", PUBLIC).succeeds_with(410).reads(&[]).statements(0),
            form("/reset-password", PUBLIC).sends(|_| fields(&[("password", "another staple for 7 horses")])),
            page("/email-verification/{token}", PUBLIC).succeeds_with(303).statements(0),
            page("/email-verification", PUBLIC).succeeds_with(410).reads(&[]).statements(0),
            form("/email-verification", PUBLIC)
                .sends(|_| fields(&[("password", "another staple for 7 horses")])),
        ]
    }

    fn params(&self) -> Vec<Param> {
        // It is a secret and no id: it has tests of its own.
        vec![Param::new("token").value(|at| (at.place == Place::Own).then(|| "no-token-of-ours".to_owned()))]
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO sessions (id, token_hash, user_id, address, user_agent, created_at, last_seen_at, expires_at)
                SELECT {id}, {bytes}, id, '', '', 0, 0, {then} FROM users",
            "INSERT INTO notices (id, session_id, body, expires_at) SELECT {id}, id, '', {then} FROM sessions",
            "INSERT INTO email_tokens (id, token_hash, user_id, purpose, email, created_at, expires_at)
                SELECT {id}, {bytes}, id, 'verify_email', email, 0, {then} FROM users",
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let new = tour.app.client();
        for (path, status) in [
            ("/", 303),
            ("/sign-up", 200),
            ("/check-mail", 200),
            ("/sign-in", 200),
            ("/forgot-password", 200),
        ] {
            tour.get(&new, path, status).await;
        }
        let first = tour.app.first_sign_up();
        tour.get(&new, &first, 303).await;
        // There are people already.
        tour.get(&new, &new.get(&first).await.location(), 410).await;
        let email = "new-one@example.com";
        let fields = [("name", "New One"), ("email", email), ("password", PASSWORD), ("workspace", "New")];
        tour.post(&new, "/sign-up", &fields, 303).await;
        // Once more, to an address that is known now.
        let other = tour.app.client();
        tour.post(&other, "/sign-up", &fields, 303).await;
        tour.follow_link(&new, email, "/email-verification").await;
        tour.post(&new, "/email-verification", &[], 303).await;
        tour.post(&new, "/sign-in", &[("email", email), ("password", "a wrong one")], 422).await;
        tour.post(&new, "/sign-in", &[("email", email), ("password", PASSWORD)], 303).await;
        tour.post(&new, "/sign-out", &[], 303).await;
        tour.post(&new, "/forgot-password", &[("email", email)], 200).await;
        tour.follow_link(&new, email, "/reset-password").await;
        tour.post(&new, "/reset-password", &[("password", "seven horses and a staple")], 303).await;
        tour.get(&new, "/w/new", 401).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, guest) = (&demo.app, demo.app.client());
        let page = guest.get("/sign-in").await;
        let wrong = [("email", "nobody@example.com"), ("password", "not the password")];
        pictures.add("sign-in-refused", 422, guest.submit(&page, "/sign-in", &wrong).await);
        pictures.add("sign-in", 200, page);
        let elsewhere = guest.with_header("host", "other.example.com");
        pictures.add("sign-in-elsewhere", 200, elsewhere.get("/sign-in").await);
        pictures.add("sign-in-first", 401, guest.get(&demo.at("/members")).await);
        for _ in 0..9 {
            guest.post_form("/sign-in", &wrong).await;
        }
        pictures.add("sign-in-too-often", 429, guest.post_form("/sign-in", &wrong).await);

        let page = guest.get("/sign-up").await;
        pictures.add(
            "sign-up-refused",
            422,
            guest.submit(&page, "/sign-up", &[("email", "no address")]).await,
        );
        let (name, email) = (demo.name("Some One"), demo.email("new@example.com"));
        let fields =
            [("name", name.as_str()), ("email", &email), ("password", PASSWORD), ("workspace", &name)];
        pictures.add("check-mail", 200, submit(&guest, &page, "/sign-up", &fields).await);
        pictures.add("sign-up", 200, page);
        let link = app.mail.wait_for_link(&email, "/email-verification/").await;
        pictures.add("email-verification", 200, follow(&guest, &link).await);
        let page = follow(&app.client(), &link).await;
        pictures.add("email-verification-elsewhere", 200, page);

        let page = guest.get("/forgot-password").await;
        pictures.add(
            "forgot-password-refused",
            422,
            guest.submit(&page, "/forgot-password", &[("email", "x")]).await,
        );
        pictures.add("reset-sent", 200, guest.submit(&page, "/forgot-password", &[("email", &email)]).await);
        pictures.add("forgot-password", 200, page);
        pictures.add("reset-password-gone", 410, guest.get("/reset-password").await);
        let link = app.mail.wait_for_link(&email, "/reset-password/").await;
        let page = follow(&guest, &link).await;
        pictures.add(
            "reset-password-refused",
            422,
            guest.submit(&page, "/reset-password", &[("password", "short")]).await,
        );
        pictures.add("reset-password", 200, page);
    }
}
