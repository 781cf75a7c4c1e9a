//! Access with an end: from that moment on it is as if it had been taken away, by whatever it is asked for.

use crate::{nouns::teams::add_team, support::*, world::*};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const DAY: i64 = 86_400_000;
const MEMBERS: &str = "/api/sso/v1/members";
const EVALUATION: &str = "/access/v1/evaluation";
const SUBJECTS: &str = "/access/v1/search/subject";

/// Sets an end by the API, in so many milliseconds from now; without one, none.
async fn set_end(app: &TestApp, key: &Api, member: Uuid, role: Option<&str>, after: Option<i64>) -> Answer {
    let until = after.map(|after| app.clock.now().as_millis() + after);
    let body = match role {
        Some(role) => json!({"role": role, "until": until}),
        None => json!({"until": until}),
    };
    key.call(Method::PUT, &format!("{MEMBERS}/{member}/end"), Some(&body)).await
}

/// A key that this person creates by the page: a service with its secret.
async fn key_by(app: &TestApp, by: &Client, name: &str, role: &str) -> Api {
    let page = by.visit("/w/acme/api-keys/new").await;
    let fields = [("name", name), ("role", role), ("expiry", "30")];
    let made = by.submit(&page, "/w/acme/api-keys", &fields).await.with_status(200);
    Api::new(app, &made.attributes("#secret", "value").remove(0))
}

/// Whether the person may list members, as a decision says.
async fn decision(service: &Api, person: &Person) -> Value {
    let question = json!({
        "subject": {"type": "user", "id": person.user_id},
        "action": {"name": "read"},
        "resource": {"type": "members", "id": "any"},
    });
    service.post(EVALUATION, &question).await.with_status(200).body["decision"].clone()
}

/// The users who may list members, as a search says.
async fn found(service: &Api) -> String {
    let question = json!({
        "subject": {"type": "user"},
        "action": {"name": "read"},
        "resource": {"type": "members", "id": "any"},
    });
    service.post(SUBJECTS, &question).await.with_status(200).text
}

/// A moment so many days from now, as an Undo carries it: in milliseconds.
fn in_days(app: &TestApp, days: i64) -> String {
    (app.clock.now().as_millis() + days * DAY).to_string()
}

/// The midnight (UTC) that begins a day so many days from now, in milliseconds.
fn midnight(app: &TestApp, days: i64) -> i64 {
    (app.clock.now().as_millis() / DAY + days) * DAY
}

/// That day as a form has it.
fn date(app: &TestApp, days: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(midnight(app, days) / 1_000).unwrap().date().to_string()
}

/// From now on no membership is taken away, as on a database that takes no changes.
async fn keep_all(app: &TestApp) {
    let stays = match app.backend {
        Backend::Sqlite => "CREATE TRIGGER stays BEFORE DELETE ON members BEGIN SELECT RAISE(IGNORE); END",
        Backend::Postgres => "CREATE RULE stays AS ON DELETE TO members DO INSTEAD NOTHING",
    };
    app.execute(stays).await;
}

fn past(days: i64) -> Duration {
    Duration::from_millis(u64::try_from(days * DAY + 1_000).unwrap())
}

async fn events(app: &TestApp, kind: &str) -> i64 {
    app.scalar_i64(&format!("SELECT COUNT(*) FROM audit_events WHERE kind = {}", quoted(kind))).await
}

/// Slugs of the roles that a member holds, as the API says.
async fn roles_of(key: &Api, member: Uuid) -> Vec<String> {
    let answer = key.get(&format!("{MEMBERS}/{member}")).await.with_status(200);
    let roles = answer.body["roles"].as_array().unwrap().iter();
    roles.map(|role| role.as_str().unwrap().to_owned()).collect()
}

both! {
    async fn the_next_request_obeys_by_page_key_api_and_decision(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let contractor = member(&app, &owner, "developer").await;
        let key = key_by(&app, &contractor.client, "Nightly", "developer").await;
        set_end(&app, &service, contractor.member_id, None, Some(DAY)).await.with_status(200);
        contractor.client.visit("/w/acme").await;
        key.get(MEMBERS).await.with_status(200);
        assert_eq!(decision(&service, &contractor).await, true);
        assert!(found(&service).await.contains(&contractor.user_id.to_string()));

        app.clock.advance(past(1));

        // Nobody else was admitted since: it is the statements themselves that refuse.
        contractor.client.get("/w/acme").await.assert_status(404);
        contractor.client.post_form("/w/acme/departure", &[]).await.assert_status(404);
        assert_eq!(decision(&service, &contractor).await, false);
        key.get(MEMBERS).await.with_status(403);
        contractor.client.visit("/workspaces").await.assert_silent_about("/w/acme");
        assert!(!found(&service).await.contains(&contractor.user_id.to_string()));
        service.get(&format!("{MEMBERS}/{}", contractor.member_id)).await.with_status(404);
        let members = owner.client.visit("/w/acme/members").await;
        assert!(!members.links().contains(&format!("/w/acme/members/{}", contractor.member_id)));
        assert_eq!(events(&app, "member.access-ended").await, 1);
        let activity = owner.client.visit("/w/acme/activity?kind=member.access-ended").await;
        activity.assert_says(&contractor.name).assert_says("whose access was until");
    }

    async fn a_role_ends_by_itself_and_the_others_stay(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let helper = invite_and_join(&app, &owner.client, "acme", "helper-one@example.com", &["admin", "viewer"]).await;
        set_end(&app, &service, helper.member_id, Some("admin"), Some(DAY)).await.with_status(200);
        set_end(&app, &service, helper.member_id, Some("editor"), Some(DAY)).await.with_status(404);
        helper.client.visit("/w/acme/members/new").await;

        app.clock.advance(past(1));

        helper.client.get("/w/acme/members/new").await.assert_status(403);
        helper.client.visit("/w/acme").await;
        assert_eq!(roles_of(&service, helper.member_id).await, ["viewer"]);
        assert_eq!(events(&app, "member.roles-ended").await, 1);
        let counted = "SELECT people FROM headcounts WHERE status = 'active' AND kind = 'user' AND role_set = 'viewer'";
        assert_eq!(app.scalar_i64(counted).await, 1);
    }

    async fn the_last_role_ends_and_the_membership_holds_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let viewer = member(&app, &owner, "viewer").await;
        set_end(&app, &service, viewer.member_id, Some("viewer"), Some(DAY)).await.with_status(200);
        app.clock.advance(past(1));
        viewer.client.get("/w/acme/members").await.assert_status(403);
        assert_eq!(decision(&service, &viewer).await, false);
        assert!(roles_of(&service, viewer.member_id).await.is_empty());
        owner.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
    }

    async fn a_role_of_a_team_stays_when_the_same_one_ends(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let editor = member(&app, &owner, "editor").await;
        add_team(&app, "acme", "Desk", &["editor"], &[(editor.member_id, false)]).await;
        set_end(&app, &service, editor.member_id, Some("editor"), Some(DAY)).await.with_status(200);
        app.clock.advance(past(1));
        assert_eq!(roles_of(&service, editor.member_id).await, ["editor"]);
        let answer = service.get(&format!("{MEMBERS}/{}", editor.member_id)).await;
        assert_eq!(answer.body["own_roles"], json!([]));
        assert_eq!(answer.body["sources"], json!([{"role": "editor", "source": "team", "ends_at": null}]));
    }

    // Ending is leaving at that moment: two people with the same roles, of whom one leaves when the access of the other
    // ends, are told the same everywhere.
    async fn ending_is_removal_at_that_moment(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        for (n, roles) in [&["viewer"][..], &["developer"], &["admin"], &["admin", "viewer"], &["owner"]].iter().enumerate() {
            let mut twins = Vec::new();
            for twin in ["left", "ended"] {
                let email = format!("{twin}-{n}@example.com");
                let person = invite_and_join(&app, &owner.client, "acme", &email, roles).await;
                let mut theirs = None;
                if roles.iter().any(|role| ["developer", "admin", "owner"].contains(role)) {
                    let guest = format!("guest-{twin}-{n}@example.com");
                    invite(&person.client, "acme", &guest, &["viewer"]).await;
                    let key = key_by(&app, &person.client, &format!("Key {twin} {n}"), "viewer").await;
                    theirs = Some((key, guest));
                }
                twins.push((person, theirs));
            }
            set_end(&app, &service, twins[1].0.member_id, None, Some(DAY)).await.with_status(200);
            app.clock.advance(past(1));
            twins[0].0.client.post_form("/w/acme/departure", &[]).await.assert_status(303);

            let mut told = Vec::new();
            for (person, theirs) in &twins {
                let mut seen = Vec::new();
                for path in ["/w/acme", "/w/acme/members", "/w/acme/security", "/w/acme/departure"] {
                    seen.push(json!(person.client.get(path).await.status.as_u16()));
                }
                if let Some((key, _)) = theirs {
                    seen.push(json!(key.get(MEMBERS).await.status));
                    let more = json!({"emails": ["more@example.com"]});
                    seen.push(json!(key.post("/api/sso/v1/invitations", &more).await.status));
                }
                seen.push(decision(&service, person).await);
                seen.push(json!(found(&service).await.contains(&person.user_id.to_string())));
                seen.push(json!(service.get(&format!("{MEMBERS}/{}", person.member_id)).await.status));
                if let Some((_, guest)) = theirs {
                    let state = format!("SELECT status FROM invitations WHERE email = {}", quoted(guest));
                    seen.push(json!(app.scalar_text(&state).await));
                }
                let former = format!(
                    "SELECT role_set, secrets_until FROM former_members WHERE user_id = {}",
                    app.id(person.user_id)
                );
                seen.push(json!(app.rows(&former).await));
                let vouched = format!(
                    "SELECT m.role_set, m.status FROM members m WHERE m.vouched_by = {}",
                    app.id(person.user_id)
                );
                seen.push(json!(app.rows(&vouched).await));
                told.push(seen);
            }
            assert_eq!(told[0], told[1], "{roles:?}: left, and ended");
        }
    }

    async fn an_owner_remains_whose_access_has_no_end(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let end = |member: Uuid| format!("/w/acme/members/{member}/end");
        let soon = in_days(&app, 1);
        let until = [("until", soon.as_str())];
        second.client.post_form(&end(owner.member_id), &until).await.assert_status(303);

        // The second one is the last now: neither theirs, nor their role's.
        let own = [("until", soon.as_str()), ("role", "owner")];
        for fields in [&until[..], &own] {
            let refused = app.unchanged_by(owner.client.post_form(&end(second.member_id), fields)).await;
            refused.assert_status(409).assert_says("Owners whose access ends don't count");
        }
        app.unchanged_by(second.client.post_form("/w/acme/departure", &[])).await.assert_status(409);
        let page = owner.client.visit(&format!("/w/acme/members/{}", second.member_id)).await;
        page.assert_says("whose access has no end, and this is the only one");
        assert!(!page.has_form("/end"));

        app.clock.advance(past(1));
        owner.client.get("/w/acme").await.assert_status(404);
        second.client.visit("/w/acme").await;
    }

    // Breaks without the ends in ownership::PENDING and in records/requests.rs: where nothing can be taken away, an Owner
    // whose access has ended would still hand over the ownership, and become an admin of the account.
    async fn what_an_owner_offered_and_asked_for_ends_with_their_access(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let offer = format!("/w/acme/members/{}/ownership-offer", viewer.member_id);
        second.client.post_form(&offer, &[]).await.assert_status(303);
        second.client.post_form("/w/acme/organization/administration-request", &[]).await.assert_status(303);
        let end = format!("/w/acme/members/{}/end", second.member_id);
        owner.client.post_form(&end, &[("until", &in_days(&app, 1))]).await.assert_status(303);
        let offered = viewer.client.visit("/w/acme").await;
        let asked = owner.client.visit(&format!("/a/{}", account_id(&app, "acme").await)).await;
        keep_all(&app).await;
        app.clock.advance(past(1));

        viewer.client.submit(&offered, "/acceptance", &[]).await.assert_status(410);
        owner.client.submit(&asked, "/acceptance", &[]).await.assert_status(410);

        let held = format!("SELECT role_set FROM members WHERE id = {}", app.id(viewer.member_id));
        assert_eq!(app.scalar_text(&held).await.as_deref(), Some("viewer"));
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM account_people WHERE is_admin").await, 1);
    }

    // Breaks without `lasts!` in members/waiting.rs.
    async fn a_membership_that_waits_for_its_person_ends_as_well(app: TestApp) {
        new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let new = json!({"email": "carol@example.com", "name": "Carol One", "roles": ["viewer"]});
        service.post("/api/sso/v1/users", &new).await.with_status(201);
        let waiting = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.awaited_email IS NOT NULL";
        let waiting = app.scalar_uuid(waiting).await;
        set_end(&app, &service, waiting, None, Some(DAY)).await.with_status(200);
        let user = add_user(&app, "Carol One", "carol@example.com").await;
        let carol = sign_in(&app, "carol@example.com", PASSWORD).await;
        let page = carol.visit("/workspaces").await;
        page.assert_says("Waiting for your answer");
        keep_all(&app).await;
        app.clock.advance(past(1));

        carol.submit(&page, "/acceptance", &[]).await.assert_status(404);

        carol.visit("/workspaces").await.assert_silent_about("Waiting for your answer");
        let people = format!("SELECT COUNT(*) FROM account_people WHERE user_id = {}", app.id(user));
        assert_eq!(app.scalar_i64(&people).await, 0);
    }

    async fn nobody_changes_the_end_of_their_own_access(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let path = format!("/w/acme/members/{}/end", second.member_id);
        let (soon, late) = (in_days(&app, 10), in_days(&app, 100));
        owner.client.post_form(&path, &[("until", &soon)]).await.assert_status(303);
        for fields in [&[("until", late.as_str())][..], &[("until", "")]] {
            let refused = app.unchanged_by(second.client.post_form(&path, fields)).await;
            refused.assert_status(403).assert_says("end of your own access");
        }
        let page = second.client.visit(&format!("/w/acme/members/{}", second.member_id)).await;
        page.assert_says("Access until").assert_says("ask someone else who manages members");
        second.client.visit(&format!("/w/acme/members/{}/access", second.member_id)).await.assert_says("Your access ends");
    }

    // Breaks without `may_remove` in templates/members/show.html: to end a membership is to remove somebody.
    async fn who_cannot_remove_members_is_offered_what_they_can_end(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let editor = member(&app, &owner, "editor").await;
        let taken = "DELETE FROM grants WHERE scope = 'remove:members' AND role_id IN (SELECT id FROM roles WHERE slug = 'admin')";
        assert_eq!(app.execute(taken).await, 1);
        let path = format!("/w/acme/members/{}", editor.member_id);
        let end = format!("{path}/end");
        let offered = async || admin.client.visit(&path).await.attributes("#ends option", "value");
        assert_eq!(offered().await, ["editor"]);
        let soon = in_days(&app, 10);
        app.unchanged_by(admin.client.post_form(&end, &[("until", &soon)])).await.assert_status(403);
        admin.client.post_form(&end, &[("until", &soon), ("role", "editor")]).await.assert_status(303);
        // More time they can give.
        owner.client.post_form(&end, &[("until", &soon)]).await.assert_status(303);
        assert_eq!(offered().await, ["", "editor"]);
    }

    async fn an_end_is_set_on_the_page_undone_and_extended(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = format!("/w/acme/members/{}", viewer.member_id);
        let stored = format!("SELECT COALESCE(access_until, 0) FROM members WHERE id = {}", app.id(viewer.member_id));
        let page = owner.client.visit(&path).await;
        // The day ends where the reader is: here an hour before it does in UTC.
        let (day, ends) = (date(&app, 40), midnight(&app, 41) - 3_600_000);
        let form = page.form("/end").fill(&[("until", &day), ("zone", "-60")]);
        let saved = owner.client.send(&page, &form).await.with_status(303);
        assert_eq!(app.scalar_i64(&stored).await, ends);
        let page = owner.client.follow(saved).await;
        page.assert_says(&format!("{day} 23:00:00 UTC"));
        owner.client.submit(&page, "#toasts form", &[]).await.assert_status(303);
        assert_eq!(app.scalar_i64(&stored).await, 0, "undone");

        let (gone, far) = (date(&app, -2), date(&app, 4_000));
        for (until, zone) in [(gone.as_str(), ""), (far.as_str(), ""), ("tomorrow", ""), (day.as_str(), "9999")] {
            let fields = [("until", until), ("zone", zone)];
            let refused = app.unchanged_by(owner.client.post_form(&format!("{path}/end"), &fields)).await;
            refused.assert_status(422);
            assert!(refused.field_error("until").is_some(), "{until} {zone}");
        }
        owner.client.post_form(&format!("{path}/end"), &[("until", &day)]).await.assert_status(303);
        // What was shown is not there any more.
        let stale = [("until", ""), ("seen", "none")];
        app.unchanged_by(owner.client.post_form(&format!("{path}/end"), &stale)).await.assert_status(409);
        owner.client.visit("/w/acme/members?sort=end").await.assert_says("Ends").assert_says("No end");
    }

    async fn whoever_accepts_has_access_until_the_day_that_was_offered(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/w/acme/invitations").await;
        let day = date(&app, 2);
        let ends = midnight(&app, 3);
        let fields = [("emails", "guest@example.com"), ("role", "viewer"), ("until", day.as_str())];
        owner.client.submit(&page, "/w/acme/invitations", &fields).await.assert_status(303);
        let guest = sign_up(&app, "Guest One", "guest@example.com", PASSWORD, "home").await;
        verify_email(&app, &guest, "guest@example.com").await;
        accept_invitation(&app, &guest, "guest@example.com").await.assert_status(303);
        let member = member_id(&app, "guest@example.com", "acme").await;
        let stored = format!("SELECT access_until FROM members WHERE id = {}", app.id(member));
        assert_eq!(app.scalar_i64(&stored).await, ends);
        guest.visit("/w/acme").await;
        app.clock.advance(past(3));
        guest.get("/w/acme").await.assert_status(404);
    }

    async fn a_role_that_takes_the_place_of_another_ends_when_that_did(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let role = json!({"name": "Desk", "slug": "desk", "scopes": ["read:members"]});
        service.post("/api/sso/v1/roles", &role).await.with_status(201);
        let clerk = invite_and_join(&app, &owner.client, "acme", "clerk@example.com", &["desk"]).await;
        let set = set_end(&app, &service, clerk.member_id, Some("desk"), Some(DAY)).await.with_status(200);
        let deleted = service.delete("/api/sso/v1/roles/desk?replacement=viewer").await;
        assert!(deleted.status < 300, "{}", deleted.text);
        let answer = service.get(&format!("{MEMBERS}/{}", clerk.member_id)).await.with_status(200);
        let source = json!([{"role": "viewer", "source": "hand", "ends_at": set.body["until"]}]);
        assert_eq!(answer.body["sources"], source);
    }

    async fn each_role_says_by_what_it_was_given_and_no_change_of_others_touches_that(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = format!("{MEMBERS}/{}", viewer.member_id);
        service.patch(&path, &json!({"roles": ["viewer", "support"]})).await.with_status(200);
        set_end(&app, &service, viewer.member_id, Some("support"), Some(DAY)).await.with_status(200);
        // By hand, a third: the two keep what they say.
        let page = format!("/w/acme/members/{}/roles", viewer.member_id);
        let fields = [("role", "viewer"), ("role", "support"), ("role", "editor")];
        owner.client.post_form(&page, &fields).await.assert_status(303);
        let answer = service.get(&path).await.with_status(200);
        let mut said: Vec<(String, String, bool)> = answer.body["sources"].as_array().unwrap().iter()
            .map(|one| {
                let text = |name: &str| one[name].as_str().unwrap().to_owned();
                (text("role"), text("source"), one["ends_at"].is_null())
            })
            .collect();
        said.sort();
        let expected = [("editor", "hand", true), ("support", "api", false), ("viewer", "hand", true)];
        assert_eq!(said, expected.map(|(role, source, lasts)| (role.to_owned(), source.to_owned(), lasts)));
        let page = owner.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        page.assert_says("Given by hand").assert_says("Given through the API, until");
    }

    async fn the_person_and_whoever_gave_it_get_mail_before_the_end(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = format!("/w/acme/members/{}/end", viewer.member_id);
        owner.client.post_form(&path, &[("until", &in_days(&app, 5))]).await.assert_status(303);
        app.mail_is_out().await;
        assert!(app.mail.to(&viewer.email).iter().all(|letter| !letter.subject.contains("ends soon")));
        app.clock.advance(Duration::from_secs(2 * 86_400 + 60));
        let own = app.mail.wait_for(&viewer.email, "Your access in acme ends soon").await;
        assert!(own.text.contains(&owner.email), "{}", own.text);
        let giver = app.mail.wait_for(&owner.email, "ends soon").await;
        let page = giver.link(&format!("/w/acme/members/{}", viewer.member_id));
        owner.client.visit(page.split('#').next().unwrap()).await.assert_says("Access until");
        // Extended, it is said again before the new end, and not before.
        owner.client.post_form(&path, &[("until", &in_days(&app, 30))]).await.assert_status(303);
        app.clock.advance(Duration::from_secs(28 * 86_400));
        app.mail.wait_for_several(&viewer.email, "ends soon", 2).await;
    }

    async fn members_are_filtered_by_what_they_hold_and_when_it_ends(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let team = add_team(&app, "acme", "Desk", &[], &[(viewer.member_id, false)]).await;
        key_by(&app, &admin.client, "Nightly", "viewer").await;
        set_end(&app, &service, viewer.member_id, None, Some(10 * DAY)).await.with_status(200);
        let names = async |query: &str| {
            let answer = service.get(&format!("{MEMBERS}?{query}")).await.with_status(200);
            let items = answer.body["items"].as_array().unwrap().clone();
            items.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("permission=remove:members&kind=user").await, ["Admin One", "Owner One"]);
        assert_eq!(names("scope=write:posts&kind=user").await, ["Admin One", "Owner One"]);
        assert_eq!(names(&format!("team={team}")).await, ["Viewer One"]);
        assert_eq!(names("ends=soon").await, ["Viewer One"]);
        assert_eq!(names(&format!("vouched_by={}", admin.user_id)).await, ["Nightly"]);
        assert_eq!(names(&format!("team={team}&ends=soon&permission=remove:members")).await, [""; 0]);
        assert_eq!(names("kind=user&sort=end").await[0], "Viewer One");
        assert_eq!(names("kind=user&sort=-end").await[2], "Viewer One");
        assert_eq!(names("kind=user&sort=roles").await, ["Admin One", "Owner One", "Viewer One"]);
        // Somebody who never came, so that no activity of theirs is still to be written.
        let idle = add_user(&app, "Idle One", "idle-one@example.com").await;
        let idle = add_member(&app, "acme", idle, "active", &["viewer"]).await;
        let long_ago = format!("UPDATE members SET last_active_at = 1 WHERE id = {}", app.id(idle));
        app.execute(&long_ago).await;
        assert_eq!(names("inactive=90").await, ["Idle One"]);
        for wrong in ["permission=nothing", "scope=posts", "inactive=0", "ends=late", "sort=age"] {
            let refused = service.get(&format!("{MEMBERS}?{wrong}")).await;
            assert!(matches!(refused.status, 400 | 422), "{wrong}: {}", refused.text);
        }
    }

    async fn the_number_on_security_leads_to_those_who_hold_the_permission(app: TestApp) {
        let owner = new_owner(&app).await;
        member(&app, &owner, "admin").await;
        member(&app, &owner, "viewer").await;
        let page = owner.client.visit("/w/acme/security").await;
        let [link] = &page.attributes("#p-remove-members a.reach", "href")[..] else { panic!("one link") };
        let page = owner.client.visit(link).await;
        page.assert_says("2 members").assert_says("Through Admin, by hand").assert_says("Through Owner, by hand");
        page.assert_silent_about("Viewer One");
    }
}
