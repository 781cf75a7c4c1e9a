//! Support access: asked for by a command, granted, narrowed or declined by people, and what it opens.

use super::{add_grant, requests::command};
use crate::{
    deletion,
    nouns::{self, security::assign},
    races::assert_chain_holds,
    support::{
        product::{Description, Name, Needs, Permission, Requirement, Slug, SupportCommand, support_pages},
        *,
    },
    world::World,
};
use std::time::Duration;
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);

fn request(pages: &str, hours: i64) -> SupportCommand {
    SupportCommand::RequestAccess {
        workspace: Slug::parse("acme").unwrap(),
        name: Name::parse("Operator One").unwrap(),
        reason: Description::parse("To see what you see").unwrap(),
        request: Description::parse("").unwrap(),
        hours,
        pages: support_pages(pages).unwrap(),
    }
}

/// Asks by the command. Returns the path of the page, and that of the link.
async fn asked(app: &TestApp, pages: &str, hours: i64) -> (String, String) {
    // Each is later than the one before.
    app.clock.advance(Duration::from_millis(1));
    let said = command(app, request(pages, hours)).await.unwrap();
    let link = said.lines().last().unwrap();
    let link = link.strip_prefix(&app.url()).unwrap().to_owned();
    let id = app.scalar_uuid("SELECT id FROM support_grants ORDER BY created_at DESC, id DESC LIMIT 1").await;
    (format!("/w/acme/support/access/{id}"), link)
}

async fn grant(owner: &Person, page: &str, hours: &str) {
    let shown = owner.client.visit(page).await;
    owner.client.submit(&shown, "/acceptance", &[("hours", hours)]).await.assert_status(303);
}

/// A browser in which the link was opened. Returns the first page that it leads to.
async fn opened(app: &TestApp, link: &str) -> (Client, String) {
    let visitor = app.client();
    let to = visitor.get(link).await.with_status(303).location();
    (visitor, to)
}

async fn views(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT count(*) FROM support_views").await
}

both! {
    async fn it_is_asked_for_granted_used_and_ended_with_a_receipt(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let (page, link) = asked(&app, "members,activity", 8).await;
        let mail = app.mail.wait_for("owner-one@example.com", "Operator One asks for support access").await;
        assert!(mail.text.contains(&page) && mail.text.contains("8 hours") && !mail.text.contains("blw_sup_"), "{}", mail.text);
        let visitor = app.client();
        visitor.get(&link).await.with_status(200).assert_says("Not answered yet");
        visitor.get("/w/acme/members").await.assert_status(401);
        owner.client.visit("/w/acme/support").await.assert_says("Operator One").assert_says("Waiting for an answer");
        let shown = owner.client.visit(&page).await;
        shown.assert_says("To see what you see").assert_says("View members").assert_says("View activity");

        let done = owner.client.submit(&shown, "/acceptance", &[("hours", "2")]).await;

        owner.client.follow(done).await.assert_says("Running");
        let (visitor, to) = opened(&app, &link).await;
        assert_eq!(to, "/w/acme/members");
        let seen = visitor.visit(&to).await;
        seen.assert_says("Viewer One").assert_says("You're viewing this workspace with support access");
        assert!(!seen.forms().iter().any(|form| form.method == reqwest::Method::POST), "no form that changes anything");
        visitor.visit("/w/acme/activity?q=").await;
        // Everybody sees the banner, on every page of the workspace; and nobody elsewhere.
        for who in [&owner, &viewer] {
            for path in ["/w/acme", "/w/acme/members"] {
                who.client.visit(path).await.assert_says("Someone who runs this installation can view parts of this workspace");
            }
            who.client.visit("/workspaces").await.assert_silent_about("Someone who runs this installation");
        }
        owner.client.visit(&page).await.assert_says("/w/acme/members").assert_says("/w/acme/activity");
        let shown = owner.client.visit(&page).await;
        let ended = owner.client.submit(&shown, "/end", &[]).await;
        owner.client.follow(ended).await.assert_says("Support access ended.");
        // It counts at the next request.
        let before = views(&app).await;
        visitor.get("/w/acme/members").await.assert_status(401);
        visitor.get(&link).await.assert_status(410);
        assert_eq!(views(&app).await, before);
        viewer.client.visit("/w/acme").await.assert_silent_about("Someone who runs this installation");
        let receipt = app.mail.wait_for("owner-one@example.com", "Support access to acme ended").await;
        for said in ["/w/acme/members", "/w/acme/activity", "Owner One ended it."] {
            assert!(receipt.text.contains(said), "{said}: {}", receipt.text);
        }
        let activity = owner.client.visit("/w/acme/activity").await;
        activity.assert_says("ended the support access of Operator One").assert_says("2 pages were viewed");
        activity.assert_says("granted support access to Operator One for 2 hours");
        assert_chain_holds(&app).await;
    }

    // Breaks where judge_visitor (enforce/workspace/admission.rs) lets more pass than was granted.
    async fn it_opens_what_was_granted_and_nothing_else_of_the_table(app: TestApp) {
        let world = World::build(&app).await;
        let owner = world.person(product::BuiltIn::Owner);
        let (id, link) = add_grant(&app, "acme", "Operator Two", "read:members read:teams").await;
        let page = format!("/w/acme/support/access/{id}");
        let shown = owner.client.visit(&page).await;
        owner.client.submit(&shown, "/acceptance", &[("hours", "1"), ("page", "read:members")]).await.assert_status(303);
        let (visitor, _) = opened(&app, &link).await;
        let account = Uuid::nil().to_string();
        let before = app.snapshot(&["members", "roles", "grants", "invitations", "api_keys", "destinations", "support_grants"]).await;
        for row in nouns::pages() {
            let Requirement::Member(needs) = row.requirement else { continue };
            let path = row.sample(&account);
            let granted = row.is_page() && needs == Needs::One(Permission::ReadMembers);
            let status = match row.is_page() {
                true => visitor.get(&path).await.status.as_u16(),
                false => visitor.post_form(&path, &[]).await.status.as_u16(),
            };
            match (granted, row.is_page()) {
                (true, _) => assert!(matches!(status, 200 | 404 | 409), "{}: {status}", row.name()),
                (false, true) => assert_eq!(status, 403, "{}", row.name()),
                // A form knows no such credential.
                (false, false) => assert_eq!(status, 401, "{}", row.name()),
            }
        }
        before.assert_same(&app.snapshot(&["members", "roles", "grants", "invitations", "api_keys", "destinations", "support_grants"]).await);
        for path in ["/workspaces", "/me", "/w/elsewhere/members"] {
            visitor.get(path).await.assert_status(401);
        }
        let token = link.rsplit('/').next().unwrap();
        let api = Api::new(&app, token);
        assert_eq!(api.get("/api/sso/v1/members?workspace=acme").await.status, 401);
    }

    async fn holders_narrow_shorten_or_decline_and_never_widen(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, link) = asked(&app, "members", 2).await;
        let path = format!("{page}/acceptance");
        for (fields, field) in [
            (vec![("hours", "3"), ("page", "read:members")], "hours"),
            (vec![("hours", "0"), ("page", "read:members")], "hours"),
            (vec![("hours", "-1"), ("page", "read:members")], "hours"),
            (vec![("hours", "two"), ("page", "read:members")], "hours"),
            (vec![("hours", "1")], "page"),
            (vec![("hours", "1"), ("page", "read:audit")], "page"),
            (vec![("hours", "1"), ("page", "read:members"), ("page", "manage:api-keys")], "page"),
            (vec![("hours", "1"), ("page", "nonsense")], "page"),
        ] {
            let refused = app.unchanged_by(owner.client.post_form(&path, &fields)).await.with_status(422);
            assert!(refused.field_error(field).is_some(), "{fields:?}");
        }
        let shown = owner.client.visit(&page).await;
        owner.client.submit(&shown, "/decline", &[]).await.assert_status(303);
        app.client().get(&link).await.assert_status(410);
        for action in ["acceptance", "decline", "end"] {
            let fields = [("hours", "1"), ("page", "read:members")];
            let fields: &[_] = if action == "acceptance" { &fields } else { &[] };
            let refused = app.unchanged_by(owner.client.post_form(&format!("{page}/{action}"), fields)).await;
            refused.assert_status(409);
        }
        owner.client.visit(&page).await.assert_says("Declined");
    }

    // Breaks without the check of holdings in accept (nouns/support/grants.rs).
    async fn nobody_grants_what_they_can_not_view_themselves(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        assign(&owner.client, "manage:support-access", &["viewer"]).await;
        let (page, _) = asked(&app, "members,activity", 2).await;
        viewer.client.visit(&page).await.assert_says("You can't view this yourself");
        let fields = [("hours", "1"), ("page", "read:members"), ("page", "read:audit")];
        let refused = app.unchanged_by(viewer.client.post_form(&format!("{page}/acceptance"), &fields)).await;
        assert!(refused.with_status(422).field_error("page").is_some());
        viewer.client.post_form(&format!("{page}/acceptance"), &fields[..2]).await.assert_status(303);
        assign(&owner.client, "manage:support-access", &[]).await;
        app.unchanged_by(viewer.client.post_form(&format!("{page}/end"), &[])).await.assert_status(403);
        app.unchanged_by(viewer.client.get(&page)).await.assert_status(403);
    }

    // Breaks without `s.ends_at > $3` in the admission, or end_overdue in housekeeping.
    async fn it_ends_by_itself_to_the_moment_and_its_receipt_comes(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, link) = asked(&app, "members", 1).await;
        grant(&owner, &page, "1").await;
        let (visitor, to) = opened(&app, &link).await;
        visitor.visit(&to).await;
        let ends_at = app.scalar_i64("SELECT ends_at FROM support_grants").await;
        let left = u64::try_from(ends_at - app.clock.now().as_millis()).unwrap();
        app.clock.advance(Duration::from_millis(left - 20));
        visitor.visit(&to).await;
        app.clock.advance(Duration::from_millis(40));
        visitor.get(&to).await.assert_status(401);
        visitor.get(&link).await.assert_status(410);
        owner.client.visit("/w/acme/members").await.assert_silent_about("Someone who runs this installation");
        let receipt = app.mail.wait_for("owner-one@example.com", "Support access to acme ended").await;
        assert!(receipt.text.contains("Its time was over."), "{}", receipt.text);
        until("the access is recorded as ended", async || {
            app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'support.access-ended'").await == 1
        }).await;
        owner.client.visit(&page).await.assert_says("Ended").assert_says("/w/acme/members");
        app.unchanged_by(owner.client.post_form(&format!("{page}/end"), &[])).await.assert_status(409);
    }

    async fn a_request_that_nobody_answers_expires(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, link) = asked(&app, "members", 1).await;
        app.clock.advance(HOUR * 24 * 7);
        owner.client.visit(&page).await.assert_says("Expired");
        let fields = [("hours", "1"), ("page", "read:members")];
        app.unchanged_by(owner.client.post_form(&format!("{page}/acceptance"), &fields)).await.assert_status(409);
        app.client().get(&link).await.assert_status(410);
    }

    async fn one_runs_at_a_time(app: TestApp) {
        let owner = new_owner(&app).await;
        let (first, _) = asked(&app, "members", 1).await;
        let (second, _) = asked(&app, "members", 1).await;
        grant(&owner, &first, "1").await;
        let fields = [("hours", "1"), ("page", "read:members")];
        let path = format!("{second}/acceptance");
        app.unchanged_by(owner.client.post_form(&path, &fields)).await.with_status(409).assert_says("one at a time");
        // Over, and not ended yet: it does not stand in the way.
        app.clock.advance(HOUR);
        owner.client.post_form(&path, &fields).await.assert_status(303);
        let states = app.rows("SELECT status FROM support_grants ORDER BY created_at, id").await;
        assert_eq!((&states[0]["status"], &states[1]["status"]), (&"ended".into(), &"accepted".into()));
    }

    async fn the_command_says_what_is_wrong(app: TestApp) {
        let owner = new_owner(&app).await;
        for words in ["", "members,nonsense", "secrets", "invitations"] {
            assert!(support_pages(words).is_err(), "{words}");
        }
        for hours in [0, 25, -1] {
            assert!(command(&app, request("members", hours)).await.unwrap_err().contains("1 and 24"));
        }
        let mut other = request("members", 1);
        if let SupportCommand::RequestAccess { workspace, .. } = &mut other {
            *workspace = Slug::parse("nowhere").unwrap();
        }
        assert!(command(&app, other).await.unwrap_err().contains("no such workspace"));
        for _ in 0..5 {
            asked(&app, "members", 1).await;
        }
        assert!(command(&app, request("members", 1)).await.unwrap_err().contains("are waiting"));
        let page = owner.client.visit("/w/acme/organization/deletion").await;
        owner.client.submit(&page, "/deletion", &[("confirm", "acme")]).await.assert_status(303);
        assert!(command(&app, request("members", 1)).await.unwrap_err().contains("no such workspace"));
    }

    // Breaks when the secret is stored, or anything but its link opens it.
    async fn the_link_is_a_secret_that_is_stored_as_a_hash(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, link) = asked(&app, "members", 1).await;
        grant(&owner, &page, "1").await;
        let token = link.rsplit('/').next().unwrap();
        let dump = app.rows("SELECT * FROM support_grants").await;
        assert!(!format!("{dump:?}").contains(token));
        let last = if token.ends_with('0') { "1" } else { "0" };
        let altered = format!("{}{last}", &link[..link.len() - 1]);
        for wrong in [altered.as_str(), "/support-access/x", "/support-access/blw_key_0"] {
            app.client().get(wrong).await.assert_status(410);
        }
        // Of somebody who is signed in and no member, the session stays theirs.
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        other.client.get(&link).await.assert_status(303);
        other.client.visit("/w/acme/members").await.assert_says("with support access");
        other.client.visit("/w/elsewhere/members").await.assert_silent_about("with support access");
        app.unchanged_by(other.client.post_form("/w/acme/members", &[])).await.assert_status(404);
        // A member stays a member, whatever link they open.
        owner.client.get(&link).await.assert_status(303);
        owner.client.visit("/w/acme/members").await.assert_silent_about("You're viewing this workspace with support access");
        assert_eq!(views(&app).await, 1);
    }

    async fn in_a_deleted_or_suspended_workspace_it_opens_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, link) = asked(&app, "members", 1).await;
        grant(&owner, &page, "1").await;
        let (visitor, to) = opened(&app, &link).await;
        app.execute("UPDATE workspaces SET suspended_at = 1").await;
        visitor.get(&to).await.assert_status(403);
        app.execute("UPDATE workspaces SET suspended_at = NULL").await;
        let shown = owner.client.visit("/w/acme/organization/deletion").await;
        owner.client.submit(&shown, "/deletion", &[("confirm", "acme")]).await.assert_status(303);
        visitor.get(&to).await.assert_status(401);
        visitor.get(&link).await.assert_status(410);
        deletion::purge(&app).await;
        assert_eq!(views(&app).await, 0);
    }

    // Breaks without `AND status = 'pending'` in accept and decline, or `AND status = 'accepted'` in close
    // (nouns/support/grants.rs).
    async fn accept_decline_and_end_at_once_have_one_outcome(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        for round in 0..4 {
            let (page, link) = asked(&app, "members", 1).await;
            let (owners, admins) = (owner.client.twins(6).await, admin.client.twins(6).await);
            let accepted = [("hours", "1"), ("page", "read:members")];
            let seen = race(12, async |i| {
                let client = if i % 2 == 0 { &owners[i / 2] } else { &admins[i / 2] };
                let (action, fields): (&str, &[(&str, &str)]) = match (i + round) % 3 {
                    0 => ("acceptance", &accepted),
                    1 => ("decline", &[]),
                    _ => ("end", &[]),
                };
                (action, client.post_form(&format!("{page}/{action}"), fields).await.status.as_u16())
            })
            .await;
            let done = |action: &str| seen.iter().filter(|(other, status)| *other == action && *status == 303).count();
            assert!(seen.iter().all(|(_, status)| matches!(status, 303 | 409)), "{seen:?}");
            assert_eq!(done("acceptance") + done("decline"), 1, "{seen:?}");
            assert!(done("end") <= done("acceptance"), "{seen:?}");
            let id = page.rsplit('/').next().unwrap().parse().unwrap();
            let sql = format!("SELECT status FROM support_grants WHERE id = {}", app.id(id));
            let status = app.scalar_text(&sql).await.unwrap();
            let expected = match (done("acceptance"), done("end")) {
                (0, _) => "declined",
                (_, 0) => "accepted",
                _ => "ended",
            };
            assert_eq!(status, expected, "{seen:?}");
            app.client().get(&link).await.assert_status(if expected == "accepted" { 303 } else { 410 });
            if expected == "accepted" {
                owner.client.post_form(&format!("{page}/end"), &[]).await.assert_status(303);
            }
        }
        let told = app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'support.access-ended'").await;
        let ended = app.scalar_i64("SELECT count(*) FROM support_grants WHERE status = 'ended'").await;
        assert_eq!(told, ended);
        assert_chain_holds(&app).await;
    }

    // What is seen is in the receipt: whoever ends the access waits for a page that is being recorded.
    async fn what_is_looked_at_while_it_ends_is_in_the_receipt_or_is_not_seen(app: TestApp) {
        let owner = new_owner(&app).await;
        for _ in 0..3 {
            let (page, link) = asked(&app, "members", 1).await;
            grant(&owner, &page, "1").await;
            let (visitor, to) = opened(&app, &link).await;
            let visitors = visitor.twins(8).await;
            let statuses = race(9, async |i| match i {
                4 => owner.client.post_form(&format!("{page}/end"), &[]).await.status.as_u16(),
                i => visitors[i.min(7)].get(&to).await.status.as_u16(),
            })
            .await;
            assert!(statuses.iter().all(|status| matches!(status, 200 | 303 | 401)), "{statuses:?}");
            let seen = statuses.iter().filter(|status| **status == 200).count();
            let id: Uuid = page.rsplit('/').next().unwrap().parse().unwrap();
            let sql = format!("SELECT count(*) FROM support_views WHERE grant_id = {}", app.id(id));
            let recorded = app.scalar_i64(&sql).await;
            assert!(recorded >= i64::try_from(seen).unwrap(), "{seen} seen, {recorded} recorded");
            let sql = "SELECT payload FROM audit_events WHERE kind = 'support.access-ended' ORDER BY at DESC, seq DESC LIMIT 1";
            let payload = app.rows(sql).await.remove(0)["payload"].clone();
            let views = payload["support_access_ended"]["views"].as_i64().unwrap();
            assert_eq!(views, recorded, "{payload}");
        }
    }
}
