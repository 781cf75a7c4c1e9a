//! One's own page: name, password, address, sessions.

use crate::walk::*;

pub struct Me;

#[async_trait(?Send)]
impl Noun for Me {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/me", SIGNED_IN).statements(4),
            form("/me/profile", SIGNED_IN).sends(|_| fields(&[("name", "New Name")])),
            form("/me/password", SIGNED_IN)
                .sends(|_| fields(&NEW_PASSWORD))
                .types(|_, form| form.fill(&NEW_PASSWORD)),
            form("/me/email", SIGNED_IN).sends(|_| fields(&NEW_EMAIL)).types(|_, form| form.fill(&NEW_EMAIL)),
            // Nobody in the world is unconfirmed.
            form("/me/verification", SIGNED_IN).offered(|_| false),
            form("/me/mail", SIGNED_IN).sends(|_| fields(&[("mail", "digest")])),
            page("/unsubscribe/{unsubscribe_code}", PUBLIC).succeeds_with(410).statements(0),
            // A link in a letter leads there alone.
            form("/unsubscribe/{unsubscribe_code}", PUBLIC),
            form("/me/export", SIGNED_IN).succeeds_with(200),
            page("/me/deletion", SIGNED_IN).statements(4),
            form("/me/deletion", SIGNED_IN)
                .sends(|at| fields(&[("confirm", &own_address(at)), ("current_password", PASSWORD)]))
                // The only Owner of a workspace, and admin of its account, must hand it over first.
                .verdict(|at| match at.kind() {
                    Kind::Role(BuiltIn::Owner) | Kind::Outsider => Verdict::Is(409),
                    _ => at.done(),
                })
                .offered(|at| !at.is_last_owner(at.me) && !is_last_admin(at))
                .types(|page, form| {
                    let address = page.attributes("form[data-confirm-type]", "data-confirm-type").remove(0);
                    form.fill(&[("confirm", &address), ("current_password", PASSWORD)])
                }),
            // What was typed into a form before its session ended; no page of the world carries that.
            form("/me/drafts", SIGNED_IN).sends(|_| fields(&[("draft", DRAFT)])).offered(|_| false),
            // The world is past its first steps.
            form("/me/choices/first-steps", SIGNED_IN)
                .sends(|_| fields(&[("workspace", "acme")]))
                .offered(|_| false),
            form("/me/sessions/revocation", SIGNED_IN),
            form("/me/sessions/{session}/revocation", SIGNED_IN),
        ]
    }

    fn params(&self) -> Vec<Param> {
        let unsubscribe = Param::new("unsubscribe_code")
            .value(|at| (at.place == Place::Own).then(|| "no-code-of-ours".to_owned()));
        vec![
            unsubscribe,
            Param::new("session").value(|at| {
                Some(match at.place {
                    Place::ForeignIds => at.foreign_session.to_string(),
                    Place::UnknownIds => UNKNOWN.to_string(),
                    _ => at.caller.session.to_string(),
                })
            }),
        ]
    }

    fn plans(&self) -> Plans {
        const ERASURE: &str = "an erasure goes through the whole record, beside the requests";
        let allowed = &[
            ("SELECT awaited_email FROM users WHERE id IN", ERASURE),
            ("SELECT had.id FROM (", ERASURE),
            ("INSERT INTO audit_erasures", ERASURE),
        ];
        let allowed_on_postgres = &[("SELECT provisioned_as AS id FROM members", ERASURE)];
        Plans { allowed, allowed_on_postgres, ..Plans::default() }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO audit_events (id, user_id, seq, at, kind, outcome, actor_kind, actor_id, target_kind, via,
                payload, hash)
            SELECT {id}, u.id, 1000 + i, i, 'user.signed-in', 'done', 'user', u.id, 'user', 'browser', '{}', {bytes}
            FROM n, users u WHERE i <= 10",
            "INSERT INTO mail_choices (user_id, kind, is_wanted, next_at) SELECT u.id, 'digest', 1 = 1, {then} FROM users u",
            "INSERT INTO audit_identities (event_id, actor_commitment, target_commitment)
            SELECT id, {bytes}, {bytes} FROM audit_events
            WHERE id NOT IN (SELECT event_id FROM audit_identities)",
        ]
    }

    /// Of the person who signed up at the stop of `identity`; who is newer@example.com after it.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let (me, email) = (tour.app.client(), "new-one@example.com");
        let password = "seven horses and a staple";
        tour.post(&me, "/sign-in", &[("email", email), ("password", password)], 303).await;
        tour.get(&me, "/me", 200).await;
        tour.post(&me, "/me/profile", &[("name", "New Name")], 303).await;
        let fields = [("email", "newer@example.com"), ("current_password", password)];
        tour.post(&me, "/me/email", &fields, 303).await;
        tour.post(&me, "/me/verification", &[], 303).await;
        tour.post(&me, "/me/export", &[], 200).await;
        tour.post(&me, "/me/mail", &[("mail", "digest"), ("mail", "requests")], 303).await;
        // It is due for the tasks of the node.
        tour.app.execute("UPDATE mail_choices SET next_at = 1 WHERE is_wanted AND kind = 'digest'").await;
        tour.get(&me, "/unsubscribe/no-code-of-ours", 410).await;
        let (owner, changed) = (tour.owner.clone(), tour.take_members(1)[0]);
        tour.post(&owner, &format!("{HOME}/members/{changed}/roles"), &[("role", "support")], 303).await;
        let whom = format!(
            "SELECT email FROM users WHERE id = (SELECT user_id FROM members WHERE id = {})",
            tour.app.id(changed)
        );
        let address = tour.app.scalar_text(&whom).await.unwrap();
        let link = tour.app.mail.wait_for_link(&address, "/unsubscribe/").await;
        tour.get(&me, &link, 200).await;
        tour.post(&me, &link, &[], 200).await;
        let answer = tour.post(&me, "/me/drafts", &[("draft", DRAFT)], 303).await;
        tour.get(&me, &answer.location(), 200).await;
        tour.follow_link(&me, "newer@example.com", "/email-verification").await;
        tour.post(&me, "/email-verification", &[], 303).await;
        let fields = [("current_password", password), ("password", PASSWORD)];
        tour.post(&me, "/me/password", &fields, 303).await;
        let other = sign_in(tour.app, "newer@example.com", PASSWORD).await;
        let newest = "SELECT id FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1";
        let session = tour.app.scalar_uuid(newest).await;
        tour.post(&me, &format!("/me/sessions/{session}/revocation"), &[], 303).await;
        tour.get(&other, "/me", 401).await;
        tour.post(&me, "/me/sessions/revocation", &[], 303).await;
        tour.post(&me, "/sign-out", &[], 303).await;
        // The sweep at the end of the tour erases them.
        let leaver = add_user(tour.app, "Leaver", "leaver@example.com").await;
        add_member(tour.app, "seed-2", leaver, "active", &["admin"]).await;
        let admin =
            format!("UPDATE account_people SET is_admin = (1 = 1) WHERE user_id = {}", tour.app.id(leaver));
        assert_eq!(tour.app.execute(&admin).await, 1);
        // Others have changed theirs on the way here.
        let password = "UPDATE users SET password_hash = (SELECT password_hash FROM users
            WHERE email = 'member-1@seed-2.example.com') WHERE email = 'leaver@example.com'";
        assert_eq!(tour.app.execute(password).await, 1);
        let leaver = sign_in(tour.app, "leaver@example.com", "load test data only").await;
        tour.get(&leaver, "/me/deletion", 200).await;
        let fields = [("confirm", "leaver@example.com"), ("current_password", "load test data only")];
        tour.post(&leaver, "/me/deletion", &fields, 303).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        let page = owner.get("/me").await;
        pictures.add("me-refused", 422, owner.submit(&page, "/me/password", &[("password", "short")]).await);
        pictures.add("me", 200, page);
        // Of the only Owner, and of somebody who may go.
        pictures.add("me-deletion-sole", 200, demo.founder.client.get("/me/deletion").await);
        let page = demo.admin.get("/me/deletion").await;
        let wrong = [("confirm", "nobody@example.com"), ("current_password", PASSWORD)];
        pictures.add("me-deletion-refused", 422, demo.admin.submit(&page, "/me/deletion", &wrong).await);
        pictures.add("me-deletion", 200, page);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        // Who invited somebody hears that they joined, and may stop such mail.
        member(&demo.app, &demo.founder, "editor").await;
        let address = demo.email(&demo.founder.email);
        let link = demo.app.mail.wait_for_link(&address, "/unsubscribe/").await;
        let guest = demo.app.client();
        let page = guest.get(&link).await;
        let form = page.forms().remove(0);
        pictures.add("unsubscribe", 200, page.clone());
        pictures.add("unsubscribed", 200, guest.send(&page, &form).await);
        pictures.add("unsubscribe-gone", 410, guest.get("/unsubscribe/no-code-of-ours").await);

        // Who signed up for the pictures of `identity`, and has confirmed nothing.
        let unconfirmed = demo.app.client();
        sign_in_with(&unconfirmed, &demo.email("new@example.com"), PASSWORD).await;
        pictures.add("me-unconfirmed", 200, unconfirmed.get("/me").await);

        for _ in 0..6 {
            unconfirmed.post_form("/me/verification", &[]).await;
        }
        pictures.add("too-often", 429, unconfirmed.post_form("/me/verification", &[]).await);
    }
}

/// The address of whoever sends it.
fn own_address(at: &Attempt) -> String {
    match at.kind() {
        Kind::Role(role) => at.world.person(role).email.clone(),
        Kind::Suspended => at.world.suspended.email.clone(),
        Kind::Outsider => at.world.outsider.email.clone(),
        Kind::SignedOut | Kind::Revoked | Kind::NoKey => "nobody@example.com".to_owned(),
    }
}

/// Whether the account would be left without an admin.
fn is_last_admin(at: &Offer) -> bool {
    let mut admins = at.facts.rows("account_people").iter().filter(|person| flag(person, "is_admin"));
    admins.clone().count() == 1 && admins.any(|person| person["user_id"].as_str() == at.me.user.as_deref())
}

const DRAFT: &str = r#"{"action":"/me/profile","page":"/me","fields":[["name","Typed Name"]]}"#;
const NEW_PASSWORD: [(&str, &str); 2] =
    [("current_password", PASSWORD), ("password", "another staple for 7 horses")];
const NEW_EMAIL: [(&str, &str); 2] = [("email", "new-address@example.com"), ("current_password", PASSWORD)];
