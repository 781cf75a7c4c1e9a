//! Activity: who, what, on whom, when, from where, before and after.

use crate::support::*;
use std::time::Duration;

const PATH: &str = "/w/acme/activity";

fn rows(page: &Page) -> Vec<String> {
    page.select(".feed > li:not(.day)")
}

both! {
    async fn every_kind_of_change_is_told_the_latest_first_with_before_and_after(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&path, &[("role", "editor"), ("role", "billing")]).await.assert_status(303);
        let security = owner.client.visit("/w/acme/security").await;
        let form = security.form("#f-create-teams").fill(&[("role", "admin"), ("role", "editor")]);
        owner.client.send(&security, &form).await.assert_status(303);
        viewer.client.get(PATH).await.assert_status(403);
        let page = owner.client.visit(PATH).await;
        let told = rows(&page);
        let expected: [&[&str]; 6] = [
            &["Refused", "Viewer One was refused", "Page Activity", "missing permission"],
            &[
                "Owner One changed who has the permission Create teams",
                "1 member gained access",
                "Before:",
                "Admin",
                "After:",
                "Editor",
            ],
            &["Owner One changed the roles of Viewer One", "Before: Viewer", "After: Billing Editor"],
            &["Viewer One accepted the invitation from Owner One", "as Viewer"],
            &["Owner One invited viewer-one@example.com", "as Viewer"],
            &["Owner One created the workspace acme"],
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (row, words) in told.iter().zip(expected) {
            for word in words {
                assert!(row.contains(word), "{row}: {word}");
            }
            assert!(row.contains("127."), "from where: {row}");
        }
        assert_eq!(page.select(".change del"), ["Viewer"]);
        // A name leads to the page of the person, as long as they are a member.
        let own = format!("/w/acme/members/{}", viewer.member_id);
        assert_eq!(page.attributes(".feed strong a", "href").iter().filter(|href| **href == own).count(), 3);
    }

    async fn filters_stand_in_the_url_and_narrow(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.get(PATH).await.assert_status(403);
        app.clock.advance(Duration::from_secs(2 * 86_400));
        viewer.client.get(PATH).await.assert_status(403);
        let count = async |query: &str| rows(&owner.client.visit(&format!("{PATH}{query}")).await).len();
        assert_eq!(count("").await, 5);
        assert_eq!(count("?kind=invitation.sent").await, 1);
        assert_eq!(count("?outcome=refused").await, 2);
        assert_eq!(count("?outcome=done").await, 3);
        assert_eq!(count("?q=VIEWER").await, 4);
        assert_eq!(count("?q=viewer-one%40").await, 2);
        assert_eq!(count("?q=%25").await, 0);
        assert_eq!(count("?by=viewer").await, 3);
        assert_eq!(count("?by=VIEWER-ONE%40").await, 3);
        assert_eq!(count("?on=viewer").await, 2);
        assert_eq!(count("?by=owner&on=viewer").await, 1);
        assert_eq!(count("?by=viewer&on=viewer").await, 1);
        assert_eq!(count(&format!("?actor={}", viewer.user_id)).await, 3);
        assert_eq!(count(&format!("?target={}", viewer.member_id)).await, 0);
        assert_eq!(count(&format!("?actor={}&outcome=refused", viewer.user_id)).await, 2);
        let row = app.rows("SELECT at FROM audit_events WHERE kind = 'workspace.created'").await.remove(0);
        let founded = day_of(row["at"].as_i64().unwrap());
        assert_eq!(count(&format!("?until={founded}")).await, 4);
        assert_eq!(count(&format!("?from={founded}")).await, 5);
        assert_eq!(count(&format!("?from={founded}&until={founded}&kind=access.refused")).await, 1);
        let page = owner.client.visit(&format!("{PATH}?kind=invitation.sent&q=viewer&from={founded}")).await;
        let form = page.form("form.filters");
        assert_eq!(
            (form.values("kind"), form.values("q"), form.values("from")),
            (vec!["invitation.sent"], vec!["viewer"], vec![founded.as_str()])
        );
        owner.client.visit(&format!("{PATH}?q=nobody")).await.assert_says("No events match your search");
        for query in ["?kind=king", "?outcome=maybe", "?actor=me", "?from=yesterday", "?until=2026-13-01"] {
            owner.client.get(&format!("{PATH}{query}")).await.assert_status(422);
        }
    }

    async fn long_records_are_paged_and_each_event_stands_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        for n in 1..=110 {
            viewer.client.get(PATH).await.assert_status(403);
            if n % 20 == 0 {
                app.clock.advance(Duration::from_secs(61));
            }
        }
        let (mut seen, mut at, mut pages) = (0, format!("{PATH}?outcome=refused"), 0);
        loop {
            let page = owner.client.visit(&at).await;
            seen += rows(&page).len();
            pages += 1;
            match page.attributes("a[rel=next]", "href").pop() {
                Some(next) => at = next,
                None => break,
            }
        }
        assert_eq!((seen, pages), (110, 3));
        let last = owner.client.visit(&format!("{PATH}?before=end")).await;
        assert!(rows(&last).last().unwrap().contains("created the workspace"));
        let back = owner.client.visit(&last.attributes("a[rel=prev]", "href").remove(0)).await;
        assert_eq!(rows(&back).len(), 50);
    }

    /// A search looks at a part of a long record at a time, so that nobody waits for it, and says so;
    /// each way through the parts finds the same.
    async fn a_name_is_looked_for_in_one_stretch_of_a_long_record_after_the_other(app: TestApp) {
        let owner = new_owner(&app).await;
        member(&app, &owner, "viewer").await;
        let (id, hash) = match app.backend {
            Backend::Sqlite => ("CAST(printf('%016d', i) AS BLOB)", "x''"),
            Backend::Postgres => ("CAST(lpad(i::text, 32, '0') AS UUID)", "CAST('' AS BYTEA)"),
        };
        let numbered = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)";
        app.execute(&format!(
            "{numbered} INSERT INTO audit_events (id, workspace_id, seq, at, kind, outcome, actor_kind, target_kind,
                via, payload, hash)
            SELECT {id}, c.id, c.seq + i, {}, 'member.suspended', 'done', 'user', 'nothing', 'browser', '{{}}', {hash}
            FROM n CROSS JOIN (SELECT id, seq FROM audit_chains WHERE kind = 'workspace' LIMIT 1) c ORDER BY i",
            app.clock.now().as_millis()
        ))
        .await;
        app.execute(&format!(
            "{numbered} INSERT INTO audit_identities (event_id, actor_commitment, actor_name, target_commitment,
                target_name)
            SELECT {id}, {hash}, 'Filler', {hash}, '' FROM n"
        ))
        .await;

        let first = owner.client.visit(&format!("{PATH}?q=viewer+one")).await;
        first.assert_says("None of the 20,000 events searched matches");
        assert!(rows(&first).is_empty());
        let mut page = owner.client.visit(&first.link("after=")).await;
        page.assert_says("No matches so far");
        page = owner.client.visit(&page.link("after=")).await;
        page.assert_says("Viewer One accepted").assert_silent_about("Search older events");
        // The oldest part has it at once, and from there the way leads back to the latest.
        let mut back = owner.client.visit(&format!("{PATH}?q=viewer+one&before=end")).await;
        assert_eq!(rows(&back), rows(&page));
        let mut steps = 0;
        while let Some(previous) = back.links().into_iter().find(|link| link.contains("before=") && !link.contains("=end")) {
            back = owner.client.visit(&previous).await;
            steps += 1;
        }
        assert_eq!((steps, rows(&back).len()), (2, 0));
        // Where a part is full, the next page begins after its last row, as ever.
        let full = owner.client.visit(&format!("{PATH}?q=filler")).await;
        let next = owner.client.visit(&full.attributes("a[rel=next]", "href")[0]).await;
        assert_eq!((rows(&full).len(), rows(&next).len()), (50, 50));
        full.assert_silent_about("were searched");
        // Nothing that a link could say breaks it.
        for cursor in ["after", "before"] {
            for number in [i64::MIN, -1, 0, i64::MAX] {
                let forged = hex::encode(format!("[{{\"n\":{number}}},\"{}\"]", uuid::Uuid::nil()));
                owner.client.get(&format!("{PATH}?q=viewer&{cursor}={forged}")).await.assert_status(200);
            }
        }
    }

    async fn a_kind_has_one_outcome(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.get(PATH).await.assert_status(403);
        let found = async |query: &str| rows(&owner.client.visit(&format!("{PATH}?{query}")).await).len();
        assert_eq!(found("kind=access.refused&outcome=refused").await, 1);
        assert_eq!(found("kind=access.refused").await, 1);
        assert_eq!(found("kind=access.refused&outcome=done").await, 0);
        assert_eq!(found("kind=workspace.created&outcome=refused").await, 0);
        assert_eq!(found("kind=workspace.created&outcome=done").await, 1);
        let others = "SELECT count(*) FROM audit_events WHERE (kind = 'access.refused') <> (outcome = 'refused')";
        assert_eq!(app.scalar_i64(others).await, 0);
    }

    // Breaks without `is_recorded_alone(…)` in refusal::note (domain/enforce/refusal.rs), or without
    // `refusal::flush` in domain/housekeeping.rs.
    async fn a_flood_of_refusals_is_one_event_with_a_count_whatever_the_routes(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        for n in 0..120 {
            let path = [PATH, "/w/acme/api-keys", "/w/acme/destinations"][n % 3];
            viewer.client.get(path).await.assert_status(403);
        }
        let refused = "SELECT payload FROM audit_events WHERE outcome = 'refused' ORDER BY seq";
        assert_eq!(app.rows(refused).await.len(), 20, "the first ones of a minute");
        // Others are not part of it.
        let editor = member(&app, &owner, "editor").await;
        editor.client.get(PATH).await.assert_status(403);
        assert_eq!(app.rows(refused).await.len(), 21);
        app.clock.advance(Duration::from_secs(31));
        until("the flood was never recorded", async || app.rows(refused).await.len() == 22).await;
        let flood = app.rows(refused).await.pop().unwrap();
        let flood = &flood["payload"]["access_refused"];
        assert_eq!((&flood["times"], &flood["routes"]), (&100.into(), &3.into()), "{flood}");
        owner.client.visit(PATH).await.assert_says("Viewer One was refused 100 more times");
        app.clock.advance(Duration::from_secs(61));
        viewer.client.get(PATH).await.assert_status(403);
        assert_eq!(app.rows(refused).await.len(), 23, "later ones are recorded again");
    }

    async fn what_a_person_did_outside_is_on_their_own_page_and_not_in_the_workspace(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.post_form("/me/profile", &[("name", "Viewer Renamed")]).await.assert_status(303);
        viewer.client.visit("/me").await.assert_says("Changed name from Viewer One to Viewer Renamed");
        owner.client.visit(PATH).await.assert_silent_about("Changed name");
        // What happened keeps the name of its moment, beside the present one; new events have the new one.
        viewer.client.get(PATH).await.assert_status(403);
        let page = owner.client.visit(PATH).await;
        page.assert_says("Viewer One accepted").assert_says("By viewer-one@example.com, now called Viewer Renamed");
        page.assert_says("Viewer Renamed was refused");
        owner.client.visit("/me").await.assert_silent_about("Viewer");
    }
}

/// The day of a moment, as the filters take it.
fn day_of(at: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(at / 1_000).unwrap().date().to_string()
}
