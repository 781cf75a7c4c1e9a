//! The people of a workspace: the list, roles, suspension, removal, leaving, handing over.

use crate::support::*;
use std::time::Duration;
use uuid::Uuid;

fn at(member: &Person, what: &str) -> String {
    format!("/w/{}/members/{}{what}", member.workspace, member.member_id)
}

/// Members by SQL: `Member 000 …`, every third suspended, each a Viewer who joined a minute later.
async fn crowd(app: &TestApp, n: u32) {
    for i in 0..n {
        let (user, member) =
            (app.id(Uuid::from_u128(1_000 + u128::from(i))), app.id(Uuid::from_u128(90_000 + u128::from(i))));
        let status = if i % 3 == 0 { "suspended" } else { "active" };
        app.execute(&format!(
            "INSERT INTO users (id, email, name, password_hash, created_at)
            VALUES ({user}, 'crowd{i:03}@example.com', 'Member {i:03}', '', 0)"
        ))
        .await;
        app.execute(&format!("INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at, last_active_at, listed_as)
            SELECT {member}, id, 'user', {user}, '{status}', 'account', {}, {}, 'member {i:03}' FROM workspaces WHERE slug = 'acme'",
            60_000 * i64::from(i), 1_000 * i64::from(n - i))).await;
        app.execute(&format!("INSERT INTO member_roles (workspace_id, member_id, role_id)
            SELECT r.workspace_id, {member}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id AND w.slug = 'acme' WHERE r.slug = 'viewer'")).await;
    }
}

/// The form of a member's roles, and not the Undo beside it.
const FORM: &str = "form.form[action$='/roles']";

fn names(page: &Page) -> Vec<String> {
    page.select("#results tbody .name a")
}

/// All pages of a list, by their links.
async fn walk(client: &Client, start: &str, rel: &str) -> Vec<Vec<String>> {
    let mut pages = vec![];
    let mut at = start.to_owned();
    loop {
        let page = client.visit(&at).await;
        pages.push(names(&page));
        assert!(pages.len() < 20);
        match page.attributes(&format!("a[rel={rel}]"), "href").pop() {
            Some(next) => at = next,
            None => return pages,
        }
    }
}

both! {
    async fn the_list_is_filtered_by_text_role_status_and_kind(app: TestApp) {
        let owner = new_owner(&app).await;
        member(&app, &owner, "billing").await;
        let editor = member(&app, &owner, "editor").await;
        owner.client.post_form(&at(&editor, "/suspension"), &[]).await.assert_status(303);
        let cases: [(&str, &[&str]); 12] = [
            ("", &["Billing One", "Editor One", "Owner One"]),
            ("?q=ONE", &["Billing One", "Editor One", "Owner One"]),
            ("?q=billing-one%40", &["Billing One"]),
            ("?q=%25", &[]),
            ("?q=_", &[]),
            ("?q=!", &[]),
            ("?role=owner", &["Owner One"]),
            ("?role=editor&status=active", &[]),
            ("?status=suspended", &["Editor One"]),
            ("?kind=user&q=owner", &["Owner One"]),
            ("?kind=api_key", &[]),
            ("?status=active&sort=-name", &["Owner One", "Billing One"]),
        ];
        for (query, expected) in cases {
            let page = owner.client.visit(&format!("/w/acme/members{query}")).await;
            assert_eq!(names(&page), expected, "{query}");
            if expected.is_empty() {
                page.assert_says("No members match your search");
            }
        }
        let page = owner.client.visit("/w/acme/members?q=one&role=editor&status=suspended").await;
        assert_eq!(page.field_value("q").as_deref(), Some("one"));
        let form = page.form("form.filters");
        assert_eq!((form.values("role"), form.values("status")), (vec!["editor"], vec!["suspended"]));
        for query in ["?role=king", "?status=gone", "?kind=robot", "?sort=size", "?after=zz", "?before=00"] {
            owner.client.get(&format!("/w/acme/members{query}")).await.assert_status(422);
        }
    }

    async fn each_row_tells_who_how_they_came_what_they_hold_and_what_may_be_done(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = owner.client.visit("/w/acme/members").await;
        let rows = page.select("#results tbody tr");
        assert!(
            rows[0].contains("Owner One You")
                && rows[0].contains("Created the workspace")
                && rows[0].contains("Only Owner"),
            "{}",
            rows[0]
        );
        assert!(
            rows[1].contains("Viewer One")
                && rows[1].contains("viewer-one@example.com")
                && rows[1].contains("Invited by Owner One")
                && rows[1].contains("Active"),
            "{}",
            rows[1]
        );
        // What the script makes menus of.
        assert_eq!(page.attributes("tbody [data-row-menu]", "data-row-menu")[1..], ["roles end suspend remove"]);
        assert_eq!(page.attributes("tbody a[data-row-roles]", "data-row-roles"), ["viewer"]);
        // Who may do nothing is offered nothing.
        let page = viewer.client.visit("/w/acme/members").await;
        assert!(!page.text().contains("Remove from workspace") && !page.text().contains("Change roles"));
        page.assert_says("2 members");
    }

    // Breaks without `had`, or its comparison in `Seen::is_still`.
    async fn a_row_of_the_list_that_somebody_else_was_faster_than_changes_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let row = |role, had| [("role", role), ("had", had), ("list", "?q=viewer&sort=-name")];
        let path = at(&viewer, "/roles");
        let done = owner.client.post_form(&path, &row("editor", "viewer")).await.with_status(303);
        assert_eq!(done.location(), "/w/acme/members?q=viewer&sort=-name");
        let list = owner.client.follow(done).await.with_status(200);
        list.assert_says("Roles of Viewer One changed from Viewer to Editor.");

        let refused = app.unchanged_by(owner.client.post_form(&path, &row("billing", "viewer"))).await;
        refused.assert_status(409).assert_says("Nothing was changed.").assert_says("1 member");
        assert_eq!(refused.attributes("tbody a[data-row-roles]", "data-row-roles"), ["editor"], "as it is now");
        let nothing = [("had", "editor"), ("list", "?")];
        let refused = app.unchanged_by(owner.client.post_form(&path, &nothing)).await.with_status(422);
        refused.assert_says("Choose at least one role.").assert_says("2 members");
        let own = at(&owner, "/roles");
        let refused = app.unchanged_by(owner.client.post_form(&own, &row("viewer", "owner"))).await;
        refused.assert_status(409).assert_says("A workspace needs at least one active Owner.");
        // Back comes the Undo, to the same list.
        let form = list.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        assert_eq!(form.values("list"), ["?q=viewer&sort=-name"]);
        assert_eq!(owner.client.send(&list, &form).await.location(), "/w/acme/members?q=viewer&sort=-name");
        // No other address comes out of it.
        for query in ["https://evil.example", "//evil.example", "?a\r\nb", "?\\"] {
            let fields = [("role", "viewer"), ("had", "viewer"), ("list", query)];
            assert_eq!(owner.client.post_form(&path, &fields).await.location(), "/w/acme/members");
        }
    }

    // Breaks without the version in the form, or its check in `change_roles_if_unchanged`.
    async fn a_form_that_somebody_else_was_faster_than_changes_nothing_and_keeps_what_was_ticked(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let stale = owner.client.visit(&at(&viewer, "")).await;
        let page = owner.client.visit(&at(&viewer, "")).await;
        owner.client.submit(&page, FORM, &[("role", "editor")]).await.assert_status(303);

        let fields = [("role", "billing"), ("role", "developer")];
        let refused = app.unchanged_by(owner.client.submit(&stale, FORM, &fields)).await.with_status(409);

        refused.assert_says("Nothing was changed.").assert_says("are now: Editor.");
        let form = refused.form(FORM);
        let mut kept = form.values("role");
        kept.sort_unstable();
        assert_eq!(kept, ["billing", "developer"]);
        // What is set already is set, however old the form is.
        app.unchanged_by(owner.client.submit(&stale, FORM, &[("role", "editor")])).await.assert_status(303);
        // The preview of the stale form says so too, and its form is refused as the first.
        let form = stale.form(FORM).fill(&fields).press("Preview");
        let preview = owner.client.send(&stale, &form).await;
        preview.assert_status(200).assert_says("Someone changed this after you opened the page.");
        // Sent again from the page that was answered, it is what they mean.
        owner.client.submit(&refused, FORM, &[]).await.assert_status(303);
        owner.client.visit(&at(&viewer, "")).await.assert_says("Developer");
        // The Undo of a change is for the change, and not for what came after it.
        let flash = owner.client.submit(&owner.client.visit(&at(&viewer, "")).await, FORM, &[("role", "viewer")]).await;
        let shown = owner.client.follow(flash).await;
        owner.client.post_form(&at(&viewer, "/roles"), &[("role", "support")]).await.assert_status(303);
        app.unchanged_by(owner.client.submit(&shown, ".toast form", &[])).await.assert_status(409);
    }

    async fn a_member_s_page_tells_the_ids_by_which_programs_know_them(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let set = format!("UPDATE members SET external_id = 'employee-7' WHERE id = {}", app.id(viewer.member_id));
        app.execute(&set).await;
        let page = owner.client.visit(&at(&viewer, "")).await;
        assert_eq!(page.attributes("#principal", "value"), [viewer.user_id.to_string()]);
        assert_eq!(page.attributes("#external-id", "value"), ["employee-7"]);
        let (key, member, _) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let page = owner.client.visit(&format!("/w/acme/members/{member}")).await;
        assert_eq!(page.attributes("#principal", "value"), [key.to_string()]);
        assert!(!page.has("#external-id"));
    }

    async fn sixty_and_more_members_are_sorted_and_paged_in_the_url(app: TestApp) {
        let owner = new_owner(&app).await;
        crowd(&app, 120).await;
        for (sort, first, last) in [
            ("name", "Member 000", "Owner One"),
            ("-name", "Owner One", "Member 000"),
            ("joined", "Owner One", "Member 000"),
            ("-joined", "Member 000", "Owner One"),
        ] {
            let start = format!("/w/acme/members?sort={sort}");
            let pages = walk(&owner.client, &start, "next").await;
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 21], "{sort}");
            let all: Vec<_> = pages.concat();
            assert_eq!((all[0].as_str(), all[120].as_str()), (first, last), "{sort}");
            let mut sorted = all.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), 121, "{sort}: each once");
            // Backwards from the end, the same list.
            let back = walk(&owner.client, &format!("{start}&before=end"), "prev").await;
            let back: Vec<_> = back.into_iter().rev().collect::<Vec<_>>().concat();
            assert_eq!(back, all, "{sort}");
        }
        let active = walk(&owner.client, "/w/acme/members?sort=active&q=member", "next").await.concat();
        assert_eq!((active[0].as_str(), active[119].as_str()), ("Member 000", "Member 119"));
        // Filters stay while turning pages and sorting.
        let suspended = walk(&owner.client, "/w/acme/members?status=suspended&q=member&sort=-name", "next")
            .await
            .concat();
        assert_eq!(suspended.len(), 40);
        assert_eq!((suspended[0].as_str(), suspended[39].as_str()), ("Member 117", "Member 000"));
        // So many fit that they are found by going along the list, and not fetched apart.
        let most = walk(&owner.client, "/w/acme/members?status=active&role=viewer", "next").await.concat();
        assert_eq!((most.len(), most[0].as_str(), most[79].as_str()), (80, "Member 001", "Member 119"));
        assert!(!most.contains(&owner.name), "an Owner is no Viewer");
        let page = owner.client.visit("/w/acme/members?role=viewer&sort=joined").await;
        page.assert_says("120 members");
        let head = page.attributes("th[aria-sort] a", "href");
        assert_eq!(page.attributes("th[aria-sort]", "aria-sort"), ["descending"]);
        assert!(head[0].contains("role=viewer") && head[0].contains("sort=-joined"), "{head:?}");
        assert!(page.link("after=").contains("role=viewer"));
    }

    async fn several_roles_are_given_and_taken_and_undone(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = owner.client.visit(&at(&viewer, "")).await;
        assert_eq!(page.form("/roles").values("role"), ["viewer"]);
        let answer =
            owner.client.submit(&page, "/roles", &[("role", "billing"), ("role", "developer")]).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Roles of Viewer One changed from Viewer to Developer, Billing.");
        viewer.client.visit("/w/acme/invitations").await;
        // Undo is a change of its own.
        let undo =
            page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        assert_eq!(undo.values("role"), ["viewer"]);
        let answer = owner.client.send(&page, &undo).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Roles of Viewer One changed from Developer, Billing to Viewer.");
        assert_eq!(page.form("form[action$='/roles'].form").values("role"), ["viewer"]);
        viewer.client.get("/w/acme/invitations").await.assert_status(403);
        assert_eq!(
            app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'member.roles-changed'").await,
            2
        );
        let same =
            owner.client.post_form(&at(&viewer, "/roles"), &[("role", "viewer"), ("role", "viewer")]).await;
        owner.client.follow(same).await.assert_says("Viewer One already has these roles.");
        assert_eq!(
            app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'member.roles-changed'").await,
            2
        );
    }

    async fn a_refused_change_of_roles_comes_back_as_it_was_ticked(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = owner.client.visit(&at(&viewer, "")).await;
        let fields = [("role", "billing"), ("role", "editor"), ("role", "king")];
        let refused = app.unchanged_by(owner.client.submit(&page, "/roles", &fields)).await.with_status(422);
        let mut kept =
            refused.form("/roles").values("role").into_iter().map(str::to_owned).collect::<Vec<_>>();
        kept.sort();
        assert_eq!(kept, ["billing", "editor"]);
        assert!(refused.field_error("role").is_some());
    }

    async fn suspension_shuts_out_and_keeps_the_roles_until_reactivation(app: TestApp) {
        let owner = new_owner(&app).await;
        let editor = member(&app, &owner, "editor").await;
        let page = owner.client.visit(&at(&editor, "/suspension")).await;
        page.assert_says("They keep their roles: Editor")
            .assert_says("They lose access to this workspace immediately, until reactivated.");
        let answer = owner.client.submit(&page, "/suspension", &[]).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Editor One suspended");
        editor.client.get("/w/acme").await.assert_status(403).assert_says("suspended");
        app.unchanged_by(owner.client.post_form(&at(&editor, "/suspension"), &[])).await.assert_status(409);
        let undo =
            page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        let answer = owner.client.send(&page, &undo).await;
        owner.client.follow(answer).await.assert_says("Editor One reactivated with the same roles as before.");
        // They sign in again: a session from before the suspension does not come back.
        sign_in_in_place(&editor, "/w/acme").await;
        editor.client.visit("/w/acme").await.assert_says("Your roles: Editor.");
        app.unchanged_by(owner.client.post_form(&at(&editor, "/reactivation"), &[])).await.assert_status(409);
    }

    async fn removal_says_what_will_happen_and_a_way_back_is_a_new_invitation(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        invite(&developer.client, "acme", "one@example.com, two@example.com", &["viewer"]).await;
        let page = owner.client.visit(&at(&developer, "/removal")).await;
        page.assert_says("2 invitations they sent are cancelled").assert_says("Developer");
        let answer = owner.client.submit(&page, "/removal", &[]).await;
        owner.client.follow(answer).await.assert_says("Developer One removed from the workspace.");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM invitations WHERE status = 'cancelled'").await, 2);
        developer.client.get("/w/acme").await.assert_status(404);
        owner.client.get(&at(&developer, "")).await.assert_status(404);
        owner.client.visit("/w/acme/activity").await.assert_says("2 invitations they sent cancelled");
        invite(&owner.client, "acme", &developer.email, &["viewer"]).await;
        let letters =
            app.mail.wait_for_several(&developer.email, "invited you", 2).await;
        let page = developer.client.visit(&letters[1].link("/invitations/")).await;
        developer.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        developer.client.visit("/w/acme").await.assert_says("Your roles: Viewer.");
    }

    // Breaks when `add` (web/routes/members/new.rs) promises a message whatever became of it.
    async fn a_message_that_is_not_sent_is_not_promised(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let user = viewer.user_id.to_string();
        let mut says = Vec::new();
        // The invitation was the first of ten within the hour.
        for _ in 0..10 {
            let member = member_id(&app, &viewer.email, "acme").await;
            let removal = format!("/w/acme/members/{member}/removal");
            owner.client.post_form(&removal, &[]).await.assert_status(303);
            let fields = [("user", user.as_str()), ("role", "viewer")];
            let answer = owner.client.post_form("/w/acme/members", &fields).await.with_status(303);
            says.push(owner.client.follow(answer).await);
        }
        app.mail_is_out().await;
        let of_removals = |letter: &Letter| letter.subject.starts_with("You were removed");
        assert_eq!(app.mail.to(&viewer.email).into_iter().filter(|letter| !of_removals(letter)).count(), 10);
        let last = says.pop().unwrap();
        for page in &says {
            page.assert_says("We sent them an e-mail.");
        }
        last.assert_says("They got no e-mail").assert_silent_about("We sent them an e-mail.");
    }

    async fn leaving_asks_once_more_and_cancels_what_they_sent(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        invite(&developer.client, "acme", "one@example.com", &["viewer"]).await;
        let page = developer.client.visit("/w/acme/departure").await;
        page.assert_says("1 invitation you sent is cancelled").assert_says("Developer");
        let answer = developer.client.submit(&page, "/departure", &[]).await;
        developer.client.follow(answer).await.assert_says("You left acme.");
        developer.client.get("/w/acme").await.assert_status(404);
        owner.client.visit("/w/acme/activity").await.assert_says("Developer One left");
        // For oneself, the tools for others lead here.
        let viewer = member(&app, &owner, "admin").await;
        let answer = viewer.client.get(&at(&viewer, "/removal")).await.with_status(303);
        assert_eq!(answer.location(), "/w/acme/departure");
        app.unchanged_by(viewer.client.post_form(&at(&viewer, "/removal"), &[])).await.assert_status(403);
    }

    async fn ownership_is_offered_accepted_and_the_one_who_offered_steps_down(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let billing = member(&app, &owner, "billing").await;
        let page = owner.client.visit(&at(&viewer, "")).await;
        let answer = owner.client.submit(&page, "/ownership-offer", &[]).await;
        owner
            .client
            .follow(answer)
            .await
            .assert_says("Ownership offered to Viewer One. You stay an Owner until they accept.");
        let letter = app.mail.wait_for(&viewer.email, "Owner One wants to transfer acme to you").await;
        let page = viewer.client.visit(&letter.link("/w/acme")).await;
        page.assert_says("Owner One (owner-one@example.com) wants to transfer ownership of this workspace to you");
        // One at a time; nobody else can answer it.
        app.unchanged_by(owner.client.post_form(&at(&billing, "/ownership-offer"), &[]))
            .await
            .assert_status(409);
        let accept = page.form("/acceptance");
        assert!(!billing.client.visit("/w/acme").await.has_form("/acceptance"));
        app.unchanged_by(billing.client.post_form(&accept.action, &[])).await.assert_status(403);
        let answer = viewer.client.send(&page, &accept).await;
        viewer.client.follow(answer).await.assert_says("You're now an Owner of this workspace.");
        viewer.client.visit("/w/acme").await.assert_says("Your roles: Owner, Viewer.");
        owner.client.visit("/w/acme").await.assert_says("Your roles: Admin.");
        app.unchanged_by(viewer.client.post_form(&accept.action, &[])).await.assert_status(410);
        viewer.client.visit("/w/acme/activity").await.assert_says("accepted ownership from");
        owner.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
    }

    async fn an_offer_of_ownership_ends_without_a_trace_on_the_roles(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        // One Owner gets the role anew below, from somebody else: when and by whom is left out.
        let roles = async || {
            app.rows("SELECT member_id, role_id, source, ends_at FROM member_roles ORDER BY 1, 2, 3").await
        };
        let before = roles().await;
        let offer = async || {
            owner.client.post_form(&at(&viewer, "/ownership-offer"), &[]).await.assert_status(303);
            viewer.client.visit("/w/acme").await.form("/acceptance").action
        };
        // Declined.
        let accept = offer().await;
        viewer.client.post_form(&accept.replace("acceptance", "decline"), &[]).await.assert_status(303);
        viewer.client.post_form(&accept, &[]).await.assert_status(410);
        // Withdrawn, from the list of members.
        let accept = offer().await;
        let page = owner.client.visit("/w/acme/members").await;
        page.assert_says("Ownership transfer pending.");
        let answer = owner.client.submit(&page, "/withdrawal", &[]).await;
        owner.client.follow(answer).await.assert_says("Offer withdrawn.");
        viewer.client.post_form(&accept, &[]).await.assert_status(410);
        // Run out.
        let accept = offer().await;
        app.clock.advance(Duration::from_secs(7 * 86_400));
        viewer.client.post_form(&accept, &[]).await.assert_status(410);
        assert!(!viewer.client.visit("/w/acme").await.has_form("/acceptance"));
        // Made by somebody who is no Owner meanwhile: it does not come back to life with them.
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let accept = offer().await;
        for role in ["admin", "owner"] {
            second.client.post_form(&at(&owner, "/roles"), &[("role", role)]).await.assert_status(303);
            viewer.client.post_form(&accept, &[]).await.assert_status(410);
        }
        second.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
        // Made to somebody who is suspended meanwhile.
        let accept = offer().await;
        owner.client.post_form(&at(&viewer, "/suspension"), &[]).await.assert_status(303);
        viewer.client.post_form(&accept, &[]).await.assert_status(403);
        app.unchanged_by(owner.client.post_form(&at(&viewer, "/ownership-offer"), &[]))
            .await
            .assert_status(409);
        assert_eq!(roles().await, before);
    }
}
