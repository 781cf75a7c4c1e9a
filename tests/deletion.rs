//! A workspace that is deleted: nobody is admitted to it, an Owner can restore it for 30 days, and then it is gone.

use crate::{
    nouns,
    races::assert_chain_holds,
    support::{
        product::{Clock, Config, DAY, Db, PORTIONS, Requirement, housekeeping, outbox},
        *,
    },
    world::World,
};
use reqwest::Method;
use std::time::Duration;
use uuid::Uuid;

/// Deletes what has expired at this moment, from another node.
pub async fn sweep(app: &TestApp) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), dir.path());
    let db = Db::open(&config, app.url(), Clock::manual(app.clock.now())).await.unwrap();
    housekeeping::sweep(&db).await.unwrap();
    db.close().await;
    app.note_change();
}

/// As if all workspaces that are deleted had been so for 30 days, and housekeeping had come by.
pub async fn purge(app: &TestApp) {
    let now = app.clock.now().as_millis() - 30 * DAY;
    app.execute(&format!("UPDATE workspaces SET deleted_at = {now} WHERE deleted_at IS NOT NULL")).await;
    sweep(app).await;
}

/// What of a workspace outlives it: the books of whoever runs the installation.
pub const OF_THE_INSTALLATION: [&str; 4] = ["invoices", "invoice_lines", "payments", "provider_invoices"];

const FORM: &str = "/w/acme/organization/deletion";

async fn delete(owner: &Client) -> Page {
    let page = owner.visit(FORM).await;
    owner.submit(&page, "/deletion", &[("confirm", "acme")]).await.with_status(303)
}

async fn id_of(app: &TestApp, slug: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = {}", quoted(slug))).await
}

fn restoration(id: Uuid) -> String {
    format!("/workspaces/deleted/{id}/restoration")
}

/// Whether a node whose clock is so many hours ahead has mail to send.
async fn has_mail(app: &TestApp, hours: i64) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), dir.path());
    let clock = Clock::manual(app.clock.now() + hours * 3_600_000);
    let db = Db::open(&config, app.url(), clock).await.unwrap();
    let mail = outbox::lease_next(&db).await.unwrap();
    db.close().await;
    mail.is_some()
}

/// Every row of tenants, but for the record and what counts requests.
async fn everything(app: &TestApp) -> Snapshot {
    let catalogue = app.catalogue().await;
    let tables = catalogue.of_tenants();
    let kept: Vec<&str> = tables.into_iter().filter(|table| !table.starts_with("audit_")).collect();
    assert!(kept.len() > 15, "{kept:?}");
    app.snapshot(&kept).await
}

both! {
    // Breaks when delete (nouns/organization/deletion.rs) changes anything but the one column.
    async fn a_workspace_is_restored_exactly_as_it_was(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(product::BuiltIn::Owner).client;
        let admin = &world.person(product::BuiltIn::Admin).client;
        let before = everything(&app).await;
        let id = world.acme.id;

        let answer = delete(owner).await;

        let page = owner.follow(answer).await;
        page.assert_says("deleted. Until").assert_says("Deleted workspaces").assert_says("/w/acme");
        admin.visit("/workspaces").await.assert_silent_about("Deleted workspaces");
        admin.get("/w/acme").await.assert_status(404);
        assert!(everything(&app).await != before);
        let restored = owner.submit(&page, "/restoration", &[]).await;
        assert_eq!(restored.location(), "/w/acme");
        owner.follow(restored).await.assert_says("restored, with everything in it.");
        before.assert_same(&everything(&app).await);
        admin.visit("/w/acme/members").await;
        let activity = owner.visit("/w/acme/activity").await;
        activity.assert_says("restored the workspace").assert_says("deleted the workspace");
        owner.visit("/workspaces").await.assert_silent_about("Deleted workspaces");
        app.unchanged_by(owner.post_form(&restoration(id), &[])).await.assert_status(404);
        assert_chain_holds(&app).await;
    }

    async fn owners_are_told_by_mail_of_both(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["viewer"]).await;
        let roles = format!("/w/acme/members/{}/roles", second.member_id);
        owner.client.post_form(&roles, &[("role", "owner")]).await.assert_status(303);
        delete(&owner.client).await;
        for address in ["owner-one@example.com", "owner-two@example.com"] {
            let mail = app.mail.wait_for(address, "The workspace acme was deleted").await;
            assert!(mail.text.contains("/workspaces") && mail.text.contains("Owner One"), "{}", mail.text);
        }
        let page = second.client.visit("/workspaces").await;
        second.client.submit(&page, "/restoration", &[]).await.assert_status(303);
        let mail = app.mail.wait_for("owner-one@example.com", "The workspace acme was restored").await;
        assert!(mail.text.contains("/w/acme"), "{}", mail.text);
    }

    // Breaks without `STILL` in organization/deletion.rs: what ends while a workspace is deleted stays there as a row.
    async fn an_owner_whose_access_ended_meanwhile_is_offered_no_restoration(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let end = format!("/w/acme/members/{}/end", second.member_id);
        let until = (app.clock.now().as_millis() + DAY).to_string();
        owner.client.post_form(&end, &[("until", &until)]).await.assert_status(303);
        let id = id_of(&app, "acme").await;
        delete(&owner.client).await;
        second.client.visit("/workspaces").await.assert_says("Deleted workspaces");
        app.clock.advance(Duration::from_secs(86_401));

        second.client.visit("/workspaces").await.assert_silent_about("Deleted workspaces");
        second.client.post_form(&restoration(id), &[]).await.assert_status(404);

        let page = owner.client.visit("/workspaces").await;
        owner.client.submit(&page, "/restoration", &[]).await.assert_status(303);
        app.mail_is_out().await;
        let letters = app.mail.to(&second.email);
        assert!(letters.iter().all(|letter| !letter.subject.contains("restored")), "no Owner by then");
    }

    // Breaks where WorkspaceSelector::Deleted (enforce/workspace/admission.rs) finds others than deleted ones, or
    // restore_deleted (enforce/workspace/mod.rs) asks for less than an Owner.
    async fn nobody_but_an_active_owner_restores(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let outsider = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let id = id_of(&app, "acme").await;
        let path = restoration(id);
        // Not deleted: there is nothing to restore.
        app.unchanged_by(owner.client.post_form(&path, &[])).await.assert_status(404);
        delete(&owner.client).await;
        app.unchanged_by(admin.client.post_form(&path, &[])).await.assert_status(403);
        app.unchanged_by(outsider.client.post_form(&path, &[])).await.assert_status(404);
        app.unchanged_by(app.client().post_form(&path, &[])).await.assert_status(401);
        let refusals = "SELECT count(*) FROM audit_events WHERE outcome = 'refused'";
        assert_eq!(app.scalar_i64(refusals).await, 1, "that of the member");
        app.execute("UPDATE workspaces SET suspended_at = 1 WHERE slug = 'acme'").await;
        app.unchanged_by(owner.client.post_form(&path, &[])).await.assert_status(403);
        owner.client.visit("/workspaces").await.assert_silent_about("Deleted workspaces");
        app.execute("UPDATE workspaces SET suspended_at = NULL").await;
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(owner.member_id))).await;
        app.unchanged_by(owner.client.post_form(&path, &[])).await.assert_status(403);
        app.execute("UPDATE members SET status = 'active'").await;
        // An address that is no id, or nobody's.
        for path in [restoration(Uuid::nil()), "/workspaces/deleted/acme/restoration".to_owned()] {
            app.unchanged_by(owner.client.post_form(&path, &[])).await.assert_status(404);
        }
        owner.client.post_form(&path, &[]).await.assert_status(303);
    }

    async fn programs_are_refused_meanwhile_and_cannot_restore(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        key.get("/api/sso/v1/members?workspace=acme").await.with_status(200);
        delete(&owner.client).await;
        let account = app.scalar_uuid("SELECT account_id FROM workspaces").await.to_string();
        for row in nouns::calls().iter().filter(|row| matches!(row.requirement, Requirement::Member(_))) {
            let of_workspace = if row.path.contains("{workspace}") { "" } else { "?workspace=acme" };
            let path = format!("{}{of_workspace}", row.sample(&account));
            let method = Method::from_bytes(row.method.as_bytes()).unwrap();
            let body = (method == Method::POST || method == Method::PUT || method == Method::PATCH)
                .then(|| serde_json::json!({}));
            let before = app.tenants().await;
            let answer = key.call(method, &path, body.as_ref()).await;
            assert!(matches!(answer.status, 400 | 404), "{}: {}", row.name(), answer.status);
            before.assert_same(&app.tenants().await);
        }
        let id = id_of(&app, "acme").await;
        let answer = key.post(&restoration(id), &serde_json::json!({})).await;
        assert!(!(200..400).contains(&answer.status), "{}", answer.status);
        owner.client.post_form(&restoration(id), &[]).await.assert_status(303);
        key.get("/api/sso/v1/members?workspace=acme").await.with_status(200);
    }

    async fn links_of_invitations_are_dead_meanwhile_and_work_again(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let link = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        let id = id_of(&app, "acme").await;
        delete(&owner.client).await;
        let guest = app.client();
        guest.follow(guest.get(&link).await).await.assert_status(410);
        owner.client.post_form(&restoration(id), &[]).await.assert_status(303);
        guest.follow(guest.get(&link).await).await.assert_status(200);
    }

    // Breaks where lease_next (domain/base/outbox.rs) takes what is about a deleted workspace, or keeps what is about one
    // that is gone.
    async fn mail_about_it_waits_for_its_restoration(app: TestApp) {
        let owner = new_owner(&app).await;
        let (id, letter) = (app.id(id_of(&app, "acme").await), app.id(Uuid::from_u128(7)));
        delete(&owner.client).await;
        app.mail_is_out().await;
        // For nodes that are ahead of the app, which leaves it alone.
        let due = (app.clock.now() + 3_600_000).as_millis();
        let sql = format!(
            "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts, about, about_workspace)
            VALUES ({letter}, 'guest-one@example.com', '', '', {due}, {due}, 0, {letter}, {id})"
        );
        app.execute(&sql).await;
        assert!(!has_mail(&app, 2).await);
        assert!(!has_mail(&app, 4).await);
        assert_eq!(app.scalar_i64("SELECT attempts FROM outbox").await, 0, "as if it had not been tried");
        app.execute("UPDATE workspaces SET deleted_at = NULL").await;
        assert!(has_mail(&app, 6).await);
        app.execute("UPDATE workspaces SET deleted_at = 1").await;
        purge(&app).await;
        assert!(has_mail(&app, 8).await, "nobody waits for a workspace that is gone");
    }

    async fn nothing_goes_through_the_gateway_meanwhile(app: TestApp) {
        let owner = new_owner(&app).await;
        let id = id_of(&app, "acme").await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        owner.client.post_form("/w/acme/quick-start/echo", &[]).await.assert_status(303);
        let send = async || crate::gateway::send(&key, Method::GET, "/w/acme/out/echo/", None, &[]).await.status;
        assert_eq!(send().await, 200);
        delete(&owner.client).await;
        assert_eq!(send().await, 404);
        owner.client.post_form(&restoration(id), &[]).await.assert_status(303);
        assert_eq!(send().await, 200);
    }

    // Breaks where slug_is_free (records/workspaces.rs) leaves the deleted out.
    async fn the_address_stays_reserved(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        delete(&owner.client).await;
        for who in [&owner, &other] {
            let page = who.client.visit("/workspaces").await;
            let taken = who.client.submit(&page, "/workspaces", &[("name", "Acme"), ("slug", "acme")]).await;
            assert!(taken.with_status(422).field_error("slug").is_some());
        }
        let fields = [("name", "Elsewhere"), ("slug", "acme")];
        other.client.post_form("/w/elsewhere/organization", &fields).await.assert_status(422);
        purge(&app).await;
        other.client.post_form("/w/elsewhere/organization", &fields).await.assert_status(303);
    }

    async fn on_the_thirtieth_day_it_can_not_be_restored_and_then_it_is_gone_but_its_record(app: TestApp) {
        let world = World::build(&app).await;
        let owner = world.person(product::BuiltIn::Owner);
        let id = world.acme.id;
        delete(&owner.client).await;
        let deleted = app.scalar_i64("SELECT deleted_at FROM workspaces WHERE slug = 'acme'").await;
        let end = deleted + 30 * DAY;
        // A moment before, in the middle of which a sweep takes nothing.
        app.execute(&format!("UPDATE sessions SET expires_at = {}", end + DAY)).await;
        app.execute(&format!("UPDATE sessions SET last_seen_at = {end}")).await;
        let left = u64::try_from(end - app.clock.now().as_millis()).unwrap();
        app.clock.advance(Duration::from_millis(left - 100));
        sweep(&app).await;
        owner.client.visit("/workspaces").await.assert_says("Deleted workspaces");
        app.clock.advance(Duration::from_millis(200));
        owner.client.visit("/workspaces").await.assert_silent_about("Deleted workspaces");
        app.unchanged_by(owner.client.post_form(&restoration(id), &[])).await.assert_status(404);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces WHERE slug = 'acme'").await, 1);

        sweep(&app).await;

        assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces WHERE slug = 'acme'").await, 0);
        let catalogue = app.catalogue().await;
        let tables: Vec<&str> =
            catalogue.with_column("workspace_id").filter(|table| !table.starts_with("audit_")).collect();
        for table in tables {
            let sql = format!("SELECT count(*) FROM {table} WHERE workspace_id = {}", app.id(id));
            let count = app.scalar_i64(&sql).await;
            match OF_THE_INSTALLATION.contains(&table) {
                true => assert!(count > 0 || ["payments", "provider_invoices"].contains(&table), "{table}"),
                false => assert_eq!(count, 0, "{table}"),
            }
        }
        let kinds = "SELECT kind FROM audit_events WHERE workspace_id = ";
        let kinds = app.rows(&format!("{kinds}{} ORDER BY seq", app.id(id))).await;
        assert!(kinds.len() > 3);
        assert_eq!(kinds.last().unwrap()["kind"], "organization.purged");
        // What is elsewhere stays, the people too.
        assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces WHERE slug = 'elsewhere'").await, 1);
        assert!(app.scalar_i64("SELECT count(*) FROM users").await > 5);
        assert_chain_holds(&app).await;
        app.unchanged_by(owner.client.post_form(&restoration(id), &[])).await.assert_status(404);
    }

    // Breaks without `AND w.purge_began_at IS NULL` in the admission to deleted workspaces, or without `AND purge_began_at
    // IS NULL` in ensure_one_remains (enforce/workspace/owners.rs).
    async fn what_began_to_go_is_restored_by_nobody_and_goes_on(app: TestApp) {
        let owner = new_owner(&app).await;
        delete(&owner.client).await;
        let id = id_of(&app, "acme").await;
        app.execute("UPDATE workspaces SET purge_began_at = 1").await;
        owner.client.visit("/workspaces").await.assert_silent_about("Deleted workspaces");
        app.unchanged_by(owner.client.post_form(&restoration(id), &[])).await.assert_status(404);
        // A sweep that was cut off: some of it is gone, its Owner too.
        app.execute("DELETE FROM invitations").await;
        app.execute("DELETE FROM members").await;
        purge(&app).await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces").await, 0);
    }

    // More than one portion of the table that has most.
    async fn a_large_workspace_goes_in_portions(app: TestApp) {
        let owner = new_owner(&app).await;
        let id = app.id(id_of(&app, "acme").await);
        let host = "INSERT INTO resources (workspace_id, kind, id, name, created_at)";
        for part in 0..3 {
            let rows: Vec<String> =
                (0..400).map(|n| format!("({id}, 'record', 'r-{part}-{n}', 'R', 0)")).collect();
            app.execute(&format!("{host} VALUES {}", rows.join(", "))).await;
        }
        delete(&owner.client).await;
        purge(&app).await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM resources").await, 0);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces").await, 0);
        assert_chain_holds(&app).await;
    }

    async fn the_portions_are_tables_of_workspaces(app: TestApp) {
        let catalogue = app.catalogue().await;
        let tables: Vec<&str> = catalogue.with_column("workspace_id").collect();
        for (table, key) in PORTIONS {
            assert!(tables.contains(&table), "{table}");
            app.scalar_i64(&format!("SELECT count(*) FROM (SELECT {key} FROM {table}) AS rows_of_it")).await;
        }
    }

    // Restored or gone: one of the two, and nothing in between.
    async fn restoring_races_with_the_end(app: TestApp) {
        let owner = new_owner(&app).await;
        for round in 0..4 {
            let slug = format!("doomed-{round}");
            owner.client.post_form("/workspaces", &[("name", "Doomed"), ("slug", &slug)]).await.assert_status(303);
            let path = format!("/w/{slug}/organization/deletion");
            owner.client.post_form(&path, &[("confirm", &slug)]).await.assert_status(303);
            let id = id_of(&app, &slug).await;
            // Over within the time that the requests take: the clock advances by a millisecond for each.
            let almost = app.clock.now().as_millis() - 30 * DAY + 6;
            app.execute(&format!("UPDATE workspaces SET deleted_at = {almost} WHERE id = {}", app.id(id))).await;
            let twins = owner.client.twins(12).await;
            let path = restoration(id);
            let restoring = race(12, async |i| {
                match i % 3 {
                    0 => {
                        sweep(&app).await;
                        0
                    }
                    _ => twins[i].post_form(&path, &[]).await.status.as_u16(),
                }
            });
            let seen = restoring.await;
            sweep(&app).await;
            let restored = seen.iter().filter(|status| **status == 303).count();
            assert!(restored <= 1 && seen.iter().all(|status| matches!(status, 0 | 303 | 404)), "{seen:?}");
            let left = format!("SELECT count(*) FROM workspaces WHERE id = {}", app.id(id));
            let left = app.scalar_i64(&left).await;
            let members = format!("SELECT count(*) FROM members WHERE workspace_id = {}", app.id(id));
            let members = app.scalar_i64(&members).await;
            if restored == 1 {
                assert_eq!((left, members), (1, 1));
                owner.client.visit(&format!("/w/{slug}/members")).await;
            } else {
                assert!(left == 0 || owner.client.get(&format!("/w/{slug}")).await.status == 404, "{left}");
            }
        }
        assert_chain_holds(&app).await;
    }

    // Breaks where lock_workspaces_of_user leaves the deleted out.
    async fn what_people_change_about_themselves_is_recorded_there_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let id = id_of(&app, "acme").await;
        delete(&owner.client).await;
        let page = owner.client.visit("/me").await;
        owner.client.submit(&page, "/me/profile", &[("name", "Renamed One")]).await.assert_status(303);
        owner.client.post_form(&restoration(id), &[]).await.assert_status(303);
        owner.client.visit("/w/acme/members").await.assert_says("Renamed One");
        assert_chain_holds(&app).await;
    }

    async fn who_is_in_a_deleted_workspace_stays_in_its_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        owner.client.post_form("/workspaces", &[("name", "Side"), ("slug", "side")]).await.assert_status(303);
        let account = app.scalar_uuid("SELECT account_id FROM workspaces WHERE slug = 'acme'").await;
        delete(&owner.client).await;
        let removal = format!("/a/{account}/people/{}/removal", viewer.user_id);
        let page = app.unchanged_by(owner.client.post_form(&removal, &[])).await.with_status(409);
        page.assert_says("A deleted workspace counts");
        purge(&app).await;
        owner.client.post_form(&removal, &[]).await.assert_status(303);
    }
}
