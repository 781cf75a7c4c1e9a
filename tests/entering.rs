//! Entering somebody by `POST /users` binds nothing: the person with the address signs up as if they were unknown, under
//! a name of their own, and accepts or declines what waits for them.

use crate::{
    nouns::{self, roles::add_role},
    races::assert_chain_holds,
    support::{
        product::{BuiltIn, Clock, Config, Db, housekeeping},
        *,
    },
    walk::{Attempt, Caller, Entry, Place},
    world::*,
};
use serde_json::{Value, json};
use uuid::Uuid;

const USERS: &str = "/api/sso/v1/users";
const CAROL: &str = "carol@example.com";

/// Enters this address in acme, under a name that a stranger chose; the id that the service gets.
async fn enter(api: &Api, email: &str, roles: &[&str]) -> String {
    let new = json!({"email": email, "name": "Stranger's Choice", "external_id": "c-1", "roles": roles});
    let entered: Value = api.post(USERS, &new).await.with_status(201).body;
    entered["user_id"].as_str().unwrap().to_owned()
}

/// Signs up as Carol, and confirms the address.
async fn carol(app: &TestApp) -> Client {
    let client = sign_up(app, "Carol Herself", CAROL, PASSWORD, "carols").await;
    verify_email(app, &client, CAROL).await;
    client
}

async fn users_with(app: &TestApp, column: &str) -> i64 {
    app.scalar_i64(&format!("SELECT COUNT(*) FROM users WHERE {column} = '{CAROL}'")).await
}

both! {
    async fn the_person_with_an_entered_address_signs_up_as_if_unknown_and_accepts(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let id = enter(&api, CAROL, &["editor"]).await;
        owner.client.visit("/w/acme/members").await.assert_says("Stranger's Choice").assert_says(CAROL);

        let client = sign_up(&app, "Carol Herself", CAROL, PASSWORD, "carols").await;

        // Nothing that the stranger chose is in force, and nothing waits for an address that is not confirmed.
        let membership = member_by_address(&app).await;
        let accept = format!("/workspaces/waiting/{membership}/acceptance");
        sign_in_with(&client, CAROL, PASSWORD).await;
        client.visit("/workspaces").await.assert_silent_about("Waiting for your answer");
        app.unchanged_by(client.post_form(&accept, &[])).await.assert_status(404);
        verify_email(&app, &client, CAROL).await;
        let page = client.visit("/workspaces").await;
        page.assert_says("Waiting for your answer").assert_says("Editor").assert_silent_about("Stranger");
        client.visit("/me").await.assert_silent_about("Stranger");
        app.unchanged_by(client.get("/w/acme")).await.assert_status(404);

        client.submit(&page, "/acceptance", &[]).await.assert_status(303);

        client.visit("/w/acme").await.assert_says("Editor");
        let members = owner.client.visit("/w/acme/members").await;
        members.assert_says("Carol Herself").assert_silent_about("Stranger's Choice");
        owner.client.visit("/w/acme/activity").await.assert_says("Carol Herself accepted the membership");
        app.unchanged_by(client.post_form(&accept, &[])).await.assert_status(404);
        assert_eq!((users_with(&app, "email").await, users_with(&app, "awaited_email").await), (1, 0));
        // The service goes on knowing them by the ids that it has.
        assert_eq!(member_id(&app, CAROL, "acme").await, membership);
        api.patch(&format!("{USERS}/{id}"), &json!({"roles": ["developer"]})).await.with_status(200);
        for subject in [id.as_str(), "c-1", CAROL] {
            let question = json!({"subject": {"type": "user", "id": subject}, "action": {"name": "write"}, "resource": {"type": "code"}});
            let question = with_id(question);
            let answer = api.post("/access/v1/evaluation", &question).await.with_status(200).body;
            assert_eq!(answer["decision"], true, "{subject}: {answer}");
            let batch = json!({"evaluations": [question]});
            let answer = api.post("/access/v1/evaluations", &batch).await.with_status(200).body;
            assert_eq!(answer["evaluations"][0]["decision"], true, "{subject}: {answer}");
        }
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    async fn who_declines_is_listed_no_more(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let id = enter(&api, CAROL, &["viewer"]).await;
        let client = carol(&app).await;
        let page = client.visit("/workspaces").await;
        let accept = page.form("/acceptance");

        client.submit(&page, "/decline", &[]).await.assert_status(303);

        owner.client.visit("/w/acme/members").await.assert_silent_about(CAROL);
        api.get(&format!("{USERS}/{id}")).await.with_status(404);
        app.unchanged_by(client.send(&page, &accept)).await.assert_status(404);
        client.visit("/workspaces").await.assert_silent_about("Waiting for your answer");
        assert_eq!(users_with(&app, "awaited_email").await, 0);
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    async fn twenty_answers_to_one_membership_are_one(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        enter(&api, CAROL, &["viewer"]).await;
        let client = carol(&app).await;
        let membership = member_by_address(&app).await;
        let twins = client.twins(20).await;

        let pages = race(20, async |i| {
            let answer = if i % 2 == 0 { "acceptance" } else { "decline" };
            twins[i].post_form(&format!("/workspaces/waiting/{membership}/{answer}"), &[]).await
        })
        .await;

        let done: Vec<_> = pages.iter().filter(|page| page.status == 303).collect();
        assert_eq!(done.len(), 1);
        assert_eq!(pages.iter().filter(|page| page.status == 404).count(), 19);
        let joined = app.scalar_i64(&format!(
            "SELECT COUNT(*) FROM members m JOIN users u ON u.id = m.user_id JOIN workspaces w ON w.id = m.workspace_id
                WHERE u.email = '{CAROL}' AND w.slug = 'acme'")).await;
        assert_eq!(joined == 1, done[0].path().ends_with("/acceptance"));
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    async fn nobody_else_answers_for_an_entered_address(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        enter(&api, CAROL, &["viewer"]).await;
        let membership = member_by_address(&app).await;
        for answer in ["acceptance", "decline"] {
            let path = format!("/workspaces/waiting/{membership}/{answer}");
            app.unchanged_by(viewer.client.post_form(&path, &[])).await.assert_status(404);
            app.unchanged_by(app.client().post_form(&path, &[])).await.assert_status(401);
        }
        // Nor by a password: none is reset for whom nobody is yet.
        let client = app.client();
        let page = client.visit("/forgot-password").await;
        client.submit(&page, "/forgot-password", &[("email", CAROL)]).await.assert_status(200);
        app.mail_is_out().await;
        assert!(app.mail.to(CAROL).is_empty());
    }

    async fn two_accounts_enter_one_address_and_neither_takes_it(app: TestApp) {
        new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "other").await;
        let (acme, other) = (workspace_key(&app, "acme", &["owner"]).await, workspace_key(&app, "other", &["owner"]).await);
        enter(&acme, CAROL, &["viewer"]).await;
        enter(&other, CAROL, &["editor"]).await;
        acme.post(USERS, &json!({"email": CAROL})).await.with_status(409);
        let client = carol(&app).await;
        let page = client.visit("/workspaces").await;
        assert_eq!(page.forms().iter().filter(|form| form.action.ends_with("/acceptance")).count(), 2);
        let own = app.scalar_text(&format!("SELECT name FROM users WHERE email = '{CAROL}'")).await;
        assert_eq!(own.as_deref(), Some("Carol Herself"));
    }

    async fn an_invitation_takes_the_place_of_what_a_service_entered(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let id = enter(&api, CAROL, &["admin"]).await;
        let joined = invite_and_join(&app, &owner.client, "acme", CAROL, &["viewer"]).await;

        let member = api.get(&format!("{USERS}/{id}")).await.with_status(200).body;
        assert_eq!(member["external_id"], "c-1");
        assert_eq!(api.get(&format!("{USERS}/{}", joined.user_id)).await.with_status(200).body, member);
        let roles = format!("SELECT role_set FROM members WHERE id = {}", app.id(joined.member_id));
        assert_eq!(app.scalar_text(&roles).await.as_deref(), Some("viewer"));
        joined.client.visit("/workspaces").await.assert_silent_about("Waiting for your answer");
        assert_eq!(users_with(&app, "awaited_email").await, 0);
        let activity = owner.client.visit("/w/acme/activity").await;
        activity.assert_says("replaced the membership that an API key had entered for Stranger's Choice");
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    // Breaks without `end_entered_by` in `delete` (domain/records/members.rs).
    async fn with_whoever_entered_it_a_membership_that_waits_goes(app: TestApp) {
        let owner = new_owner(&app).await;
        let mallory = member(&app, &owner, "admin").await;
        let (_, api) = key_of(&app, &mallory, "admin").await;
        enter(&api, CAROL, &["admin"]).await;
        let removal = owner.client.visit(&format!("/w/acme/members/{}/removal", mallory.member_id)).await;
        removal.assert_says("1 membership they entered by the API");
        mallory.client.visit("/w/acme/departure").await.assert_says("1 membership you entered by the API");

        owner.client.submit(&removal, "/removal", &[]).await.assert_status(303);

        let client = carol(&app).await;
        client.visit("/workspaces").await.assert_silent_about("Waiting for your answer");
        client.get("/w/acme").await.assert_status(404);
        owner.client.visit("/w/acme/members").await.assert_silent_about(CAROL);
        owner.client.visit("/w/acme/activity").await.assert_says("1 membership they entered");
        assert_eq!(users_with(&app, "awaited_email").await, 0);
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    // Breaks without `still_valid` in `accept` (domain/nouns/members/waiting.rs).
    async fn whoever_entered_it_must_still_be_allowed_to(app: TestApp) {
        let owner = new_owner(&app).await;
        let mallory = member(&app, &owner, "admin").await;
        let (key, api) = key_of(&app, &mallory, "admin").await;
        enter(&api, CAROL, &["admin"]).await;
        let client = carol(&app).await;
        let accept = format!("/workspaces/waiting/{}/acceptance", member_by_address(&app).await);
        let (person, key) = (app.id(mallory.member_id), app.id(key));
        let lost = [
            format!("UPDATE members SET status = '{{}}' WHERE id = {person}"),
            format!("UPDATE members SET status = '{{}}' WHERE api_key_id = {key}"),
        ];
        for sql in lost {
            assert_eq!(app.execute(&sql.replace("{}", "suspended")).await, 1);
            let refused = app.unchanged_by(client.post_form(&accept, &[])).await.with_status(410);
            refused.assert_says("Ask an Owner or Admin of the workspace to invite you");
            assert_eq!(app.execute(&sql.replace("{}", "active")).await, 1);
        }
        for expires_at in ["1", "NULL"] {
            let sql = format!("UPDATE api_keys SET expires_at = {expires_at} WHERE id = {key}");
            assert_eq!(app.execute(&sql).await, 1);
            if expires_at == "1" {
                app.unchanged_by(client.post_form(&accept, &[])).await.assert_status(410);
            }
        }
        let roles = format!("/w/acme/members/{}/roles", mallory.member_id);
        owner.client.post_form(&roles, &[("role", "developer")]).await.assert_status(303);
        app.unchanged_by(client.post_form(&accept, &[])).await.assert_status(410);
        client.get("/w/acme").await.assert_status(404);

        owner.client.post_form(&roles, &[("role", "admin")]).await.assert_status(303);
        client.post_form(&accept, &[]).await.assert_status(303);
        client.visit("/w/acme").await.assert_says("Admin");
        assert_chain_holds(&app).await;
    }

    async fn whoever_gives_it_other_roles_answers_for_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let (_, api) = key_of(&app, &developer, "developer").await;
        enter(&api, CAROL, &["viewer"]).await;
        let membership = member_by_address(&app).await;
        let roles = format!("/w/acme/members/{membership}/roles");
        owner.client.post_form(&roles, &[("role", "admin")]).await.assert_status(303);
        let removal = format!("/w/acme/members/{}/removal", developer.member_id);
        owner.client.post_form(&removal, &[]).await.assert_status(303);
        let client = carol(&app).await;
        let page = client.visit("/workspaces").await;
        page.assert_says("Added by a service of Developer One (developer-one@example.com)");

        client.submit(&page, "/acceptance", &[]).await.assert_status(303);

        client.visit("/w/acme").await.assert_says("Admin");
    }

    // Breaks when `find` (domain/nouns/members/waiting.rs) is not run again under the lock.
    async fn a_suspended_one_is_not_accepted_invited_or_added(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        enter(&api, CAROL, &["viewer"]).await;
        invite(&owner.client, "acme", CAROL, &["viewer"]).await;
        let membership = member_by_address(&app).await;
        let client = carol(&app).await;
        let waiting = client.visit("/workspaces").await;
        let path = format!("/w/acme/members/{membership}/suspension");
        owner.client.post_form(&path, &[]).await.assert_status(303);

        app.unchanged_by(client.send(&waiting, &waiting.form("/acceptance"))).await.assert_status(404);
        client.visit("/workspaces").await.assert_silent_about("Waiting for your answer");
        let page = client.visit(&app.mail.wait_for_link(CAROL, "/invitations/").await).await;
        let refused = app.unchanged_by(client.submit(&page, "/acceptance", &[])).await.with_status(409);
        refused.assert_says("Ask an Owner or Admin of the workspace to reactivate it");
        let invitation = app.scalar_uuid("SELECT id FROM invitations").await;
        let cancellation = format!("/w/acme/invitations/{invitation}/cancellation");
        owner.client.post_form(&cancellation, &[]).await.assert_status(303);
        invite(&owner.client, "acme", CAROL, &["viewer"]).await.assert_says("Already a member");
        let user = app.scalar_uuid(&format!("SELECT id FROM users WHERE email = '{CAROL}'")).await;
        add_to_account(&app, "acme", user).await;
        let user = user.to_string();
        let fields = [("user", user.as_str()), ("role", "viewer")];
        app.unchanged_by(owner.client.post_form("/w/acme/members", &fields)).await.assert_status(409);
        app.unchanged_by(api.post(USERS, &json!({"email": CAROL}))).await.with_status(409);

        // Reactivated, it waits again.
        let path = format!("/w/acme/members/{membership}/reactivation");
        owner.client.post_form(&path, &[]).await.assert_status(303);
        let page = client.visit("/workspaces").await;
        client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    // Breaks when the status is not read under the lock (domain/nouns/members/waiting.rs).
    async fn suspended_while_it_is_accepted_it_is_suspended(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        enter(&api, CAROL, &["viewer"]).await;
        let membership = member_by_address(&app).await;
        let client = carol(&app).await;
        let status = format!("SELECT status FROM members WHERE id = {}", app.id(membership));
        let (accept, suspend) = (
            format!("/workspaces/waiting/{membership}/acceptance"),
            format!("/w/acme/members/{membership}/suspension"),
        );

        let pages = race(2, async |i| match i {
            0 => client.post_form(&accept, &[]).await,
            _ => owner.client.post_form(&suspend, &[]).await,
        })
        .await;

        pages[1].assert_status(303);
        assert!([303, 404].contains(&pages[0].status.as_u16()), "{}", pages[0].text());
        assert_eq!(app.scalar_text(&status).await.as_deref(), Some("suspended"));
        app.unchanged_by(client.post_form(&accept, &[])).await.assert_status(404);
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    // Breaks without `may_manage` in `absorb` (domain/records/awaited.rs).
    async fn nobody_replaces_a_membership_that_they_could_not_remove(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        enter(&api, CAROL, &["viewer"]).await;
        invite(&developer.client, "acme", CAROL, &["viewer"]).await.assert_says("1 invitation sent");
        let roles = format!("/w/acme/members/{}/roles", member_by_address(&app).await);
        owner.client.post_form(&roles, &[("role", "admin")]).await.assert_status(303);
        let client = carol(&app).await;

        let page = client.visit(&app.mail.wait_for_link(CAROL, "/invitations/").await).await;
        let refused = app.unchanged_by(client.submit(&page, "/acceptance", &[])).await.with_status(409);
        refused.assert_says("already waits for your answer");
        let invitation = format!("SELECT id FROM invitations WHERE email = '{CAROL}'");
        let invitation = app.scalar_uuid(&invitation).await;
        let cancellation = format!("/w/acme/invitations/{invitation}/cancellation");
        owner.client.post_form(&cancellation, &[]).await.assert_status(303);
        let again = invite(&developer.client, "acme", CAROL, &["viewer"]).await;
        again.assert_says("Already a member");

        let page = client.visit("/workspaces").await;
        client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        client.visit("/w/acme").await.assert_says("Admin");
        assert_chain_holds(&app).await;
    }

    // Breaks when a workspace takes the row that another one entered (domain/nouns/members/provision.rs).
    async fn each_workspace_has_the_name_that_its_own_service_sent(app: TestApp) {
        let owner = new_owner(&app).await;
        let account = account_id(&app, "acme").await.to_string();
        let fields = [("name", "Side"), ("slug", "side"), ("account", account.as_str())];
        owner.client.post_form("/workspaces", &fields).await.assert_status(303);
        let (side, acme) = (workspace_key(&app, "side", &["owner"]).await, workspace_key(&app, "acme", &["owner"]).await);
        let new = |name: &str| json!({"email": CAROL, "name": name, "roles": ["viewer"]});
        side.post(USERS, &new("Totally Not Carol")).await.with_status(201);
        owner.client.visit("/w/acme/members/new").await.assert_silent_about("Totally");

        let id = acme.post(USERS, &new("Carol of Accounting")).await.with_status(201).body;

        let id = id["user_id"].as_str().unwrap();
        let user = acme.get(&format!("{USERS}/{id}")).await.with_status(200);
        assert!(!user.text.contains("Totally"), "{}", user.text);
        owner.client.visit("/w/acme/members").await.assert_says("Carol of Accounting").assert_silent_about("Totally");
        owner.client.visit("/w/side/members").await.assert_says("Totally Not Carol");
        assert_eq!(users_with(&app, "awaited_email").await, 2);
        let client = carol(&app).await;
        for n in [2, 1] {
            let page = client.visit("/workspaces").await;
            let forms: Vec<_> = page.forms().into_iter().filter(|form| form.action.ends_with("/acceptance")).collect();
            assert_eq!(forms.len(), n);
            client.send(&page, &forms[0]).await.assert_status(303);
        }
        for slug in ["acme", "side"] {
            client.get(&format!("/w/{slug}")).await.assert_status(200);
        }
        assert_eq!(users_with(&app, "awaited_email").await, 0);
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    // Breaks without `entries::end` in `delete` (domain/records/members.rs), and without `entries::sweep` in sweep
    // (domain/nouns/identity/unconfirmed.rs).
    async fn nothing_is_left_of_somebody_who_never_came(app: TestApp) {
        let owner = new_owner(&app).await;
        let account = account_id(&app, "acme").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let people = async || {
            let all = app.scalar_i64("SELECT COUNT(*) FROM account_people").await;
            let former = app.scalar_i64("SELECT COUNT(*) FROM former_members").await;
            let kept = format!("SELECT people FROM accounts WHERE id = {}", app.id(account));
            (all, former, users_with(&app, "awaited_email").await, app.scalar_i64(&kept).await)
        };
        let before = people().await;
        let id = enter(&api, CAROL, &["viewer"]).await;
        let removal = format!("/w/acme/members/{}/removal", member_by_address(&app).await);

        owner.client.post_form(&removal, &[]).await.assert_status(303);

        assert_eq!(people().await, before);
        api.get(&format!("{USERS}/{id}")).await.with_status(404);

        // With a workspace it goes at the next sweep.
        let id = account.to_string();
        let fields = [("name", "Side"), ("slug", "side"), ("account", id.as_str())];
        owner.client.post_form("/workspaces", &fields).await.assert_status(303);
        enter(&workspace_key(&app, "side", &["owner"]).await, CAROL, &["viewer"]).await;
        let deletion = "/w/side/organization/deletion";
        owner.client.post_form(deletion, &[("confirm", "side")]).await.assert_status(303);
        crate::deletion::purge(&app).await;
        sweep(&app).await;
        assert_eq!(people().await, before);
        // What still waits stays.
        enter(&api, CAROL, &["viewer"]).await;
        sweep(&app).await;
        assert_eq!(users_with(&app, "awaited_email").await, 1);
    }

    // Breaks where an address is read without COALESCE(awaited_email, email).
    async fn the_address_of_somebody_entered_is_shown_everywhere_as_it_is(app: TestApp) {
        let mut world = World::build(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        add_role(&app, "acme", "short-lived", "Short Lived", &[]).await;
        let user = enter(&api, CAROL, &["viewer"]).await;
        let member = member_by_address(&app).await;
        api.patch(&format!("{USERS}/{user}"), &json!({"roles": ["short-lived"]})).await.with_status(200);
        let deletion = "/w/acme/roles/short-lived/deletion";
        world.owner().post_form(deletion, &[("replacement", "viewer")]).await.assert_status(303);
        for name in ["user", "account_person", "stepping_down"] {
            world.acme.replace(name, user.clone());
        }
        world.acme.replace("member", member);
        let person = Caller::of_role(BuiltIn::Owner, Entry::Browser(world.owner().clone()));
        let key = Caller::of_role(BuiltIn::Owner, Entry::Key(api));
        let (mut shown, mut wrong) = (0, Vec::new());
        for (caller, rows) in [(&person, nouns::pages()), (&key, nouns::calls())] {
            for row in rows.iter().filter(|row| row.method == "GET") {
                let Some(path) = Attempt::new(&world, row, caller, Place::Own).address() else { continue };
                let text = match &caller.entry {
                    Entry::Browser(client) => client.get(&path).await.html,
                    Entry::Key(api) => api.get(&path).await.text,
                };
                if text.contains("awaited:") {
                    wrong.push(path);
                } else {
                    shown += usize::from(text.contains(CAROL));
                }
            }
        }
        assert!(wrong.is_empty(), "a placeholder instead of an address: {wrong:?}");
        assert!(shown > 5, "{shown} pages and answers with the address");
        let events = app.rows("SELECT target_email AS email FROM audit_identities").await;
        assert!(events.iter().all(|row| !row["email"].as_str().unwrap_or_default().contains("awaited:")));
    }
}

/// A key in acme with this role, whose secret this person was shown, and for which they vouch.
async fn key_of(app: &TestApp, person: &Person, role: &str) -> (Uuid, Api) {
    let (key, _, secret) = add_key(app, "acme", "Their Key", &[role]).await;
    let (id, user) = (app.id(key), app.id(person.user_id));
    for sql in [
        format!("UPDATE api_key_secrets SET shown_to = {user} WHERE api_key_id = {id}"),
        format!("UPDATE members SET vouched_by = {user} WHERE api_key_id = {id}"),
    ] {
        assert_eq!(app.execute(&sql).await, 1);
    }
    (key, Api::new(app, &secret))
}

/// The work beside the requests, now.
async fn sweep(app: &TestApp) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), dir.path());
    let db = Db::open(&config, app.url(), Clock::manual(app.clock.now())).await.unwrap();
    housekeeping::sweep(&db).await.unwrap();
    db.close().await;
}

/// The membership that waits for Carol.
async fn member_by_address(app: &TestApp) -> Uuid {
    let sql = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.awaited_email";
    app.scalar_uuid(&format!("{sql} = '{CAROL}'")).await
}

/// A question names a resource by an id too.
fn with_id(mut question: Value) -> Value {
    question["resource"]["id"] = json!("1");
    question
}
