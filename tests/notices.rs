//! Mail that people expect: about themselves, about what they are responsible for, and the weekly summary; and how it is
//! stopped.

use crate::{deletion::sweep, support::*};
use std::time::Duration;

const FORM: &str = "application/x-www-form-urlencoded";

/// A header of the letter, unfolded; empty where there is none.
fn header(letter: &Letter, name: &str) -> String {
    let raw = letter.raw.replace("\r\n", "\n");
    let head = raw.split("\n\n").next().unwrap().replace("\n ", " ");
    let prefix = format!("{name}: ");
    head.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
}

/// The address at which a mail program stops such mail.
fn one_click(letter: &Letter) -> String {
    assert_eq!(header(letter, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click", "{}", letter.raw);
    header(letter, "List-Unsubscribe").trim_matches(['<', '>']).to_owned()
}

async fn set_role(owner: &Person, of: &Person, role: &str) {
    let path = format!("/w/acme/members/{}/roles", of.member_id);
    owner.client.post_form(&path, &[("role", role)]).await.assert_status(303);
}

both! {
    // Breaks without the calls of `notify` in members/change.rs.
    async fn people_hear_what_others_change_about_them(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        app.mail.wait_for(&owner.email, "Viewer One joined acme").await;
        set_role(&owner, &viewer, "editor").await;
        let letter = app.mail.wait_for(&viewer.email, "Your roles in acme changed").await;
        assert!(letter.text.contains("Before: Viewer") && letter.text.contains("Now: Editor"), "{}", letter.text);
        assert_eq!(header(&letter, "Auto-Submitted"), "auto-generated");
        assert!(letter.raw.contains("Content-Type: text/html"), "{}", letter.raw);
        let path = format!("/w/acme/members/{}", viewer.member_id);
        for (verb, subject) in [
            ("suspension", "You were suspended in acme"),
            ("reactivation", "You were reactivated in acme"),
            ("removal", "You were removed from acme"),
        ] {
            owner.client.post_form(&format!("{path}/{verb}"), &[]).await.assert_status(303);
            app.mail.wait_for(&viewer.email, subject).await;
        }
        // Nobody hears about what they did themselves.
        assert!(app.mail.to(&owner.email).iter().all(|letter| !letter.subject.starts_with("Your roles")));
    }

    // Breaks when a stopped kind is sent, or when stopping one stops another.
    async fn one_click_stops_a_kind_of_mail_without_signing_in(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        set_role(&owner, &viewer, "editor").await;
        let letter = app.mail.wait_for(&viewer.email, "Your roles in acme changed").await;
        let stop = one_click(&letter);
        assert!(letter.text.contains("/unsubscribe/"), "{}", letter.text);

        // A program that looks at links changes nothing, and neither does a form of anybody.
        let provider = app.client().without_header("sec-fetch-site").without_header("origin");
        app.unchanged_by(provider.get(&stop)).await.assert_status(200).assert_says("Changes of your access");
        app.unchanged_by(provider.post_raw(&stop, "x=y", FORM)).await.assert_status(403);
        let elsewhere = stop.replace("/unsubscribe/", "/unsubscribe/00");
        app.unchanged_by(provider.post_raw(&elsewhere, "List-Unsubscribe=One-Click", FORM)).await.assert_status(410);

        provider.post_raw(&stop, "List-Unsubscribe=One-Click", FORM).await.assert_status(200).assert_says("Stopped");
        let page = viewer.client.visit("/me").await;
        assert_eq!(page.form("/me/mail").values("mail"), ["responsibilities", "requests"]);
        set_role(&owner, &viewer, "viewer").await;
        app.mail_is_out().await;
        let sent = app.mail.to(&viewer.email).into_iter().filter(|letter| letter.subject.starts_with("Your roles"));
        assert_eq!(sent.count(), 1);

        // It is chosen again on one's own page. The other kind of form is understood too.
        viewer.client.submit(&page, "/me/mail", &[("mail", "own-access")]).await.assert_status(303);
        set_role(&owner, &viewer, "editor").await;
        app.mail.wait_for_several(&viewer.email, "Your roles in acme changed", 2).await;
        let body = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
        provider.post_raw(&stop, body, "multipart/form-data; boundary=x").await.assert_status(200);
        let page = viewer.client.visit("/me").await;
        assert!(page.form("/me/mail").values("mail").is_empty());
        let odd = viewer.client.post_form("/me/mail", &[("mail", "everything")]).await.with_status(422);
        assert!(odd.field_error("mail").is_some());
    }

    // Breaks when mail about security can be stopped, or a known browser causes it.
    async fn a_new_browser_and_a_new_key_are_told_and_that_is_not_stopped(app: TestApp) {
        let owner = new_owner(&app).await;
        app.mail_is_out().await;
        let told = || {
            let letters = app.mail.to(&owner.email).into_iter();
            letters.filter(|letter| letter.subject == "Sign-in in a new browser").collect::<Vec<_>>()
        };
        assert!(told().is_empty(), "they confirmed their address in this browser");
        owner.client.post_form("/sign-out", &[]).await.assert_status(303);
        sign_in_with(&owner.client, &owner.email, PASSWORD).await;
        app.mail_is_out().await;
        assert!(told().is_empty(), "it is known");
        sign_in(&app, &owner.email, PASSWORD).await;
        let letter = app.mail.wait_for(&owner.email, "Sign-in in a new browser").await;
        assert!(header(&letter, "List-Unsubscribe").is_empty() && !letter.text.contains("/unsubscribe/"));
        // No more than help.
        for _ in 0..8 {
            sign_in(&app, &owner.email, PASSWORD).await;
        }
        app.mail_is_out().await;
        assert_eq!(told().len(), 6);

        let page = owner.client.visit("/w/acme/api-keys/new").await;
        let fields = [("name", "Nightly"), ("role", "viewer")];
        let made = owner.client.submit(&page, "/api-keys", &fields).await;
        assert!(made.status.as_u16() < 400, "{}", made.text());
        let letter = app.mail.wait_for(&owner.email, "The API key Nightly was created").await;
        assert!(letter.text.contains("Roles: Viewer") && header(&letter, "List-Unsubscribe").is_empty());
    }

    // Breaks without `notify_expiring` in housekeeping, or when it tells twice.
    async fn who_vouches_for_a_key_hears_once_that_it_expires(app: TestApp) {
        let owner = new_owner(&app).await;
        let (id, ..) = add_key(&app, "acme", "Nightly", &["viewer"]).await;
        let ends = app.clock.now().as_millis() + 30 * product::DAY;
        app.execute(&format!("UPDATE api_keys SET expires_at = {ends} WHERE id = {}", app.id(id))).await;
        sweep(&app).await;
        app.mail_is_out().await;
        let told = || {
            let letters = app.mail.to(&owner.email).into_iter();
            letters.filter(|letter| letter.subject == "The API key Nightly expires soon").count()
        };
        assert_eq!(told(), 0, "not yet");
        app.clock.advance(Duration::from_secs(24 * 86_400));
        for _ in 0..2 {
            sweep(&app).await;
        }
        let letter = app.mail.wait_for(&owner.email, "The API key Nightly expires soon").await;
        assert!(letter.links().iter().any(|link| link.contains("/w/acme/api-keys/")), "{}", letter.text);
        app.mail_is_out().await;
        assert_eq!(told(), 1);
    }

    // Breaks when it goes to whoever is still named as vouching for the key after their own access ended.
    async fn who_has_left_hears_nothing_of_a_key(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let (id, ..) = add_key(&app, "acme", "Nightly", &["viewer"]).await;
        let (now, key) = (app.clock.now().as_millis(), app.id(id));
        let (user, member) = (app.id(admin.user_id), app.id(admin.member_id));
        let (expires, ends) = (now + 30 * product::DAY, now + 10 * product::DAY);
        for sql in [
            format!("UPDATE api_keys SET expires_at = {expires} WHERE id = {key}"),
            format!("UPDATE members SET vouched_by = {user} WHERE api_key_id = {key}"),
            format!("UPDATE members SET access_until = {ends} WHERE id = {member}"),
        ] {
            assert_eq!(app.execute(&sql).await, 1, "{sql}");
        }
        app.clock.advance(Duration::from_secs(24 * 86_400));
        sweep(&app).await;
        app.mail_is_out().await;
        let letters = app.mail.to(&admin.email).into_iter().chain(app.mail.to(&owner.email));
        assert!(letters.map(|letter| letter.subject).all(|subject| subject != "The API key Nightly expires soon"));
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM api_keys WHERE expiry_notified_at IS NOT NULL").await, 1);
    }

    // Breaks when a summary names a workspace whose activity the person may not see, or comes more than once a week.
    async fn the_weekly_summary_is_for_those_who_want_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        for person in [&owner, &viewer] {
            let page = person.client.visit("/me").await;
            assert!(!page.form("/me/mail").values("mail").contains(&"digest"), "nobody gets it unasked");
            person.client.submit(&page, "/me/mail", &[("mail", "digest")]).await.assert_status(303);
        }
        let summaries = |email: &str| {
            let letters = app.mail.to(email).into_iter();
            letters.filter(|letter| letter.subject.starts_with("Your week")).collect::<Vec<_>>()
        };
        sweep(&app).await;
        app.mail_is_out().await;
        assert!(summaries(&owner.email).is_empty(), "the first one comes after a week");
        app.clock.advance(Duration::from_secs(6 * 86_400));
        set_role(&owner, &viewer, "editor").await;
        app.clock.advance(Duration::from_secs(86_400 + 60));
        sweep(&app).await;
        let letter = app.mail.wait_for(&owner.email, "Your week in acme").await;
        assert!(letter.text.contains("1 × Roles changed"), "{}", letter.text);
        assert!(letter.links().iter().any(|link| link.ends_with("/w/acme/activity")), "{}", letter.text);
        sweep(&app).await;
        app.mail_is_out().await;
        assert_eq!((summaries(&owner.email).len(), summaries(&viewer.email).len()), (1, 0));
    }

    async fn an_answered_offer_of_ownership_is_told(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        for (verb, subject) in [
            ("decline", "Admin One declined your offer to transfer acme"),
            ("acceptance", "Admin One accepted your offer to transfer acme"),
        ] {
            let offer = format!("/w/acme/members/{}/ownership-offer", admin.member_id);
            owner.client.post_form(&offer, &[]).await.assert_status(303);
            let page = admin.client.visit("/w/acme").await;
            admin.client.submit(&page, &format!("/{verb}"), &[]).await.assert_status(303);
            app.mail.wait_for(&owner.email, subject).await;
        }
    }
}
