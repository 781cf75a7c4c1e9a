//! A person is erased from the record, and the record still verifies.

use super::*;
use crate::support::product::{
    DAY,
    erasure::{self, Whom},
    housekeeping,
};
use serde_json::json;
use std::time::Duration;

/// Erases who is known by this, as the command does. Returns the number of names.
async fn erase(record: &Record<'_>, text: &str) -> i64 {
    let whom = erasure::find(&record.db, text).await.unwrap();
    erasure::erase_names(&record.db, &whom).await.unwrap()
}

/// All rows of the record as text.
async fn text_of_record(app: &TestApp) -> String {
    let mut all = String::new();
    for table in TABLES {
        all.push_str(&app.rows_where(table, "1 = 1").await.join("\n"));
    }
    all
}

both! {
    async fn a_person_is_erased_and_every_chain_still_verifies(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let suspension = format!("/w/acme/members/{}/suspension", viewer.member_id);
        let answer = owner.client.post_form(&suspension, &[]).await;
        owner.client.follow(answer).await.assert_says("Viewer One suspended");
        viewer.client.post_form("/me/profile", &[("name", "Viewer Renamed")]).await.assert_status(303);
        let record = Record::of(&app).await;
        let copy = record.checkpoint().await;
        for name in ["Viewer One", "viewer-one@example.com"] {
            assert!(text_of_record(&app).await.contains(name), "{name}");
        }

        let whom = erasure::find(&record.db, &viewer.email).await.unwrap();
        let names = erasure::erase_names(&record.db, &whom).await.unwrap();
        assert!(names > 5, "{names}");
        let again = erasure::erase_names(&record.db, &Whom::User(viewer.user_id)).await.unwrap();
        assert_eq!(again, 0, "nothing is left to erase");

        let text = text_of_record(&app).await;
        for name in ["Viewer One", "Viewer Renamed", "viewer-one@example.com"] {
            assert!(!text.contains(name), "{name} is left: {text}");
        }
        assert!(text.contains("Owner One") && text.contains("owner-one@example.com"), "others stay");
        let report = record.verify(&[&copy]).await;
        assert!(report.findings.is_empty() && report.erased == names, "{report:?}");
        let page = owner.client.visit("/w/acme/activity").await;
        page.assert_says("Erased person").assert_silent_about("Viewer One");
    }

    /// Somebody with the database erases names, as an erasure would, and records none.
    async fn names_that_are_erased_without_a_record_are_missed(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        record.run(&format!("{ERASE_ACTOR} WHERE event_id IN (SELECT id FROM audit_events WHERE kind = 'invitation.sent')")).await;
        record.assert_found("erased", "its names were erased without a record of it").await;
    }

    /// Somebody who has an earlier copy puts a part of one person back, and erases one of another instead: as many.
    async fn an_erasure_that_is_swapped_for_another_is_missed(app: TestApp) {
        let (_, viewer) = filled(&app).await;
        let record = Record::of(&app).await;
        record.keep("before").await;
        erase(&record, &viewer.email).await;
        record.assert_whole().await;
        record.unprotect().await;
        let event = |kind: &str| format!("(SELECT id FROM audit_events WHERE kind = '{kind}')");
        let (theirs, anothers) = (event("invitation.accepted"), event("user.profile-updated"));
        let columns = ["actor_salt", "actor_name", "actor_email", "address", "user_agent"];
        let kept = columns.map(|column| {
            format!("{column} = (SELECT k.{column} FROM kept_before_audit_identities k WHERE k.event_id = {theirs})")
        });
        record.run(&format!("UPDATE audit_identities SET {} WHERE event_id = {theirs}", kept.join(", "))).await;
        record.assert_found("put back", "its names were erased, and put back").await;
        record.run(&format!("{ERASE_ACTOR} WHERE event_id = {anothers}")).await;
        record.assert_found("erased", "its names were erased without a record of it").await;
        // The list of what was erased is altered too.
        let listed = format!("event_id = {theirs} AND part = 'actor'");
        record.run(&format!("UPDATE audit_erasures SET event_id = {anothers} WHERE {listed}")).await;
        record.assert_found("the list", "the list of what this erased was altered").await;
        // And is said to be of another erasure.
        let nothing = app.id(Uuid::from_u128(7));
        record.run(&format!("UPDATE audit_erasures SET erasure = {nothing}")).await;
        record.assert_found("another list", "of which there is no event").await;
    }

    /// Neither by what is erased after the heads were read, nor by its list.
    async fn an_erasure_meanwhile_is_no_alteration(app: TestApp) {
        let owner = new_owner(&app).await;
        let mut people = Vec::new();
        for role in ["viewer", "editor", "developer", "admin"] {
            people.push(member(&app, &owner, role).await);
        }
        let record = Record::of(&app).await;
        let done = std::cell::Cell::new(false);
        let verifying = async {
            let mut times = 0;
            while !done.get() || times < 3 {
                record.assert_whole().await;
                times += 1;
            }
        };
        let erasing = async {
            for person in &people {
                assert!(erase(&record, &person.email).await > 0);
                tokio::task::yield_now().await;
            }
            done.set(true);
        };
        futures_util::future::join(verifying, erasing).await;
        record.assert_whole().await;
    }

    /// They are another user until they accept, in two workspaces, under an address that nobody signs in with.
    async fn who_was_entered_by_a_service_is_erased_with_both_ids(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let (users, email) = ("/api/sso/v1/users", "carol-one@example.com");
        let new = json!({"email": email, "name": "Entered Name", "external_id": "secret-1", "roles": ["viewer"]});
        let entered = api.post(users, &new).await.with_status(201).body["user_id"].as_str().unwrap().to_owned();
        let client = sign_up(&app, "Carol One", email, PASSWORD, "carols").await;
        verify_email(&app, &client, email).await;
        let acme = app.id(Record::of(&app).await.workspace("acme").await);
        let waiting = format!("SELECT m.id FROM members m JOIN users u ON u.id = m.user_id
            WHERE u.awaited_email IS NOT NULL AND m.workspace_id = {acme}");
        let waiting = app.scalar_uuid(&waiting).await;
        client.post_form(&format!("/workspaces/waiting/{waiting}/acceptance"), &[]).await.assert_status(303);
        // By the id that the service has.
        api.patch(&format!("{users}/{entered}"), &json!({"external_id": "secret-2"})).await.with_status(200);
        let texts = ["Entered Name", "Carol One", email, "secret-1", "secret-2"];
        let record = Record::of(&app).await;
        let text = text_of_record(&app).await;
        for name in texts {
            assert!(text.contains(name), "{name}");
        }

        erase(&record, email).await;

        let text = text_of_record(&app).await;
        for name in texts {
            assert!(!text.contains(name), "{name} is left: {text}");
        }
        record.assert_whole().await;
    }

    /// The address of one is another's by now, and each is erased alone.
    async fn who_had_the_same_address_is_another_person(app: TestApp) {
        let (owner, viewer) = filled(&app).await;
        let fields = [("email", "viewer-new@example.com"), ("current_password", PASSWORD)];
        viewer.client.post_form("/me/email", &fields).await.assert_status(303);
        verify_email(&app, &viewer.client, "viewer-new@example.com").await;
        let record = Record::of(&app).await;
        // Nobody has it, so it is theirs alone.
        assert_eq!(erasure::find(&record.db, &viewer.email).await.unwrap(), Whom::User(viewer.user_id));
        sign_up(&app, "Next One", &viewer.email, PASSWORD, "next").await;
        assert_eq!(erasure::find(&record.db, &viewer.email).await.unwrap(), Whom::Address(viewer.email.clone()));

        erase(&record, &viewer.email).await;
        let text = text_of_record(&app).await;
        assert!(!text.contains("Next One") && text.contains("Viewer One"), "{text}");
        erase(&record, "viewer-new@example.com").await;
        let text = text_of_record(&app).await;
        assert!(!text.contains("Viewer One") && text.contains(&owner.name), "{text}");
        record.assert_whole().await;
    }

    /// Who never signed up, and whose sign-in is gone.
    async fn who_has_no_sign_in_is_erased_by_the_address(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        sign_up(&app, "Gone One", "gone-one@example.com", PASSWORD, "gone").await;
        app.clock.advance(Duration::from_millis(u64::try_from(31 * DAY).unwrap()));
        let record = Record::of(&app).await;
        housekeeping::sweep(&record.db).await.unwrap();
        let users = "SELECT COUNT(*) FROM users WHERE email <> 'owner-one@example.com'";
        assert_eq!(app.scalar_i64(users).await, 0);
        for (email, name) in [("guest-one@example.com", "guest-one"), ("Gone-One@example.com", "Gone One")] {
            assert!(text_of_record(&app).await.contains(name), "{name}");
            assert!(erase(&record, email).await > 0, "{email}");
            let text = text_of_record(&app).await;
            assert!(!text.contains(name) && !text.contains(&email.to_lowercase()), "{email} is left: {text}");
        }
        assert!(text_of_record(&app).await.contains("owner-one@example.com"), "others stay");
        record.assert_whole().await;
        assert!(erasure::find(&record.db, "nobody@example.com").await.is_err());
    }
}

const ERASE_ACTOR: &str =
    "UPDATE audit_identities SET actor_salt = NULL, actor_name = NULL, actor_email = NULL,
    address = NULL, user_agent = NULL";
