//! Teams: who is in them, the roles that come with them, and who may change either.

use crate::nouns::{roles::add_role, teams::add_to_team};
use crate::{support::*, world::assert_counted};
use uuid::Uuid;

/// The form for roles, and not the Undo of what was just changed.
const ROLES: &str = "form[action$='/roles'].form";

/// Starts a team through the pages; gives its address.
async fn start(by: &Person, name: &str) -> String {
    let page = by.client.visit("/w/acme/teams/new").await;
    let answer = by.client.submit(&page, "/w/acme/teams", &[("name", name)]).await.with_status(303);
    answer.location()
}

/// A team with these people in it and these roles.
async fn team(by: &Person, name: &str, people: &[&Person], roles: &[&str]) -> String {
    let team = start(by, name).await;
    for person in people {
        put_in(by, &team, person).await.assert_status(303);
    }
    if !roles.is_empty() {
        set_team_roles(by, &team, roles).await.assert_status(303);
    }
    team
}

async fn put_in(by: &Person, team: &str, whom: &Person) -> Page {
    by.client.post_form(&format!("{team}/members"), &[("member", &whom.member_id.to_string())]).await
}

fn of(team: &str, whom: &Person, noun: &str) -> String {
    format!("{team}/members/{}/{noun}", whom.member_id)
}

async fn take_out(by: &Person, team: &str, whom: &Person) -> Page {
    by.client.post_form(&of(team, whom, "removal"), &[]).await
}

async fn make_lead(by: &Person, team: &str, whom: &Person) {
    by.client.post_form(&of(team, whom, "lead"), &[("lead", "yes")]).await.assert_status(303);
}

/// Sends the full set of roles, with the version that the team has now.
async fn set_team_roles(by: &Person, team: &str, roles: &[&str]) -> Page {
    set_team_roles_as_seen_by(by, by, team, roles).await
}

/// The same by somebody to whom the form is not offered.
async fn set_team_roles_as_seen_by(seer: &Person, by: &Person, team: &str, roles: &[&str]) -> Page {
    let page = seer.client.visit(team).await;
    let version = page.form(ROLES).values("version")[0].to_owned();
    carry_at(by, team, roles, &version).await
}

async fn carry_at(by: &Person, team: &str, roles: &[&str], version: &str) -> Page {
    let fields: Vec<_> = roles.iter().map(|role| ("role", *role)).chain([("version", version)]).collect();
    by.client.post_form(&format!("{team}/roles"), &fields).await
}

async fn held(app: &TestApp, whom: &Person) -> String {
    let sql = format!("SELECT role_set FROM members WHERE id = {}", app.id(whom.member_id));
    app.scalar_text(&sql).await.unwrap()
}

/// Does `work`: it is refused with this status, changes no row, and is written down once.
async fn refused(app: &TestApp, status: u16, work: impl Future<Output = Page>) -> Page {
    let count = "SELECT count(*) FROM audit_events WHERE outcome = 'refused'";
    let before = app.scalar_i64(count).await;
    let page = app.unchanged_by(work).await.with_status(status);
    assert_eq!(app.scalar_i64(count).await - before, 1, "refusals told of {}", page.path());
    page
}

async fn grant(app: &TestApp, role: &str, scope: &str) {
    let sql = format!(
        "INSERT INTO grants (workspace_id, role_id, scope)
         SELECT workspace_id, id, '{scope}' FROM roles WHERE slug = '{role}'"
    );
    assert!(app.execute(&sql).await > 0);
}

both! {
    async fn a_team_is_started_named_and_described_and_its_name_is_its_own(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/w/acme/teams").await;
        page.assert_says("No teams yet");
        let page = owner.client.visit(&page.link("/teams/new")).await;
        let fields = [("name", "Ops"), ("description", "Keeps it running")];
        let answer = owner.client.submit(&page, "/w/acme/teams", &fields).await;
        let team = answer.location();
        owner.client.follow(answer).await.assert_says("Nobody is in this team").assert_says("Keeps it running");
        let page = owner.client.visit("/w/acme/teams/new").await;
        for (name, why) in [("oPS", "Another team in this workspace already has this name."), ("", "Enter a name.")] {
            let page = app.unchanged_by(owner.client.submit(&page, "/w/acme/teams", &[("name", name)])).await;
            page.assert_status(422);
            assert_eq!(page.field_error("name").as_deref(), Some(why));
            assert_eq!(page.field_value("name").as_deref(), Some(name));
        }
        let other = start(&owner, "Design").await;
        let page = owner.client.visit(&other).await;
        let again = app.unchanged_by(owner.client.submit(&page, "/details", &[("name", "OPS")])).await;
        again.assert_status(422);
        assert_eq!(again.field_value("name").as_deref(), Some("OPS"));
        // Its own name in other letters is free.
        let page = owner.client.visit(&team).await;
        let answer = owner.client.submit(&page, "/details", &[("name", "OPS"), ("description", "")]).await;
        owner.client.follow(answer).await.assert_says("Team “OPS” saved.");
        assert_eq!(owner.client.visit("/w/acme/teams").await.select("tbody .name a"), ["Design", "OPS"]);
        let page = owner.client.visit("/w/acme/activity").await;
        page.assert_says("created the team Ops").assert_says("changed the details of the team OPS");
        // Another workspace has names of its own.
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        other.client.post_form("/w/elsewhere/teams", &[("name", "Ops")]).await.assert_status(303);
    }

    async fn a_workspace_has_at_most_two_hundred_teams(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 0..200_u128 {
            let id = app.id(Uuid::from_u128(5_000 + n));
            app.execute(&format!(
                "INSERT INTO teams (id, workspace_id, name, listed_as, description, created_at)
                 SELECT {id}, id, 'Team {n}', 'team {n}', '', 0 FROM workspaces"
            ))
            .await;
        }
        let work = owner.client.post_form("/w/acme/teams", &[("name", "One more")]);
        let page = app.unchanged_by(work).await.with_status(422);
        assert!(page.field_error("name").unwrap().contains("at most 200 teams"));
    }

    async fn a_role_of_the_team_is_held_from_the_next_request_on_and_until_the_last(app: TestApp) {
        let owner = new_owner(&app).await;
        let (viewer, editor) = (member(&app, &owner, "viewer").await, member(&app, &owner, "editor").await);
        let team = team(&owner, "Auditors", &[&editor], &["admin"]).await;
        let sees = async |person: &Person, status: u16| {
            person.client.get("/w/acme/activity").await.assert_status(status);
            assert_counted(&app).await;
        };
        sees(&viewer, 403).await;
        sees(&editor, 200).await;
        // In, out, in again.
        put_in(&owner, &team, &viewer).await.assert_status(303);
        sees(&viewer, 200).await;
        assert_eq!(held(&app, &viewer).await, "admin viewer");
        take_out(&owner, &team, &viewer).await.assert_status(303);
        sees(&viewer, 403).await;
        assert_eq!(held(&app, &viewer).await, "viewer");
        put_in(&owner, &team, &viewer).await.assert_status(303);
        // The role is detached and attached.
        set_team_roles(&owner, &team, &["billing"]).await.assert_status(303);
        sees(&viewer, 403).await;
        sees(&editor, 403).await;
        set_team_roles(&owner, &team, &["billing", "admin"]).await.assert_status(303);
        sees(&viewer, 200).await;
        // Who is suspended stays in the team, and holds it again afterwards.
        let at = |noun: &str| format!("/w/acme/members/{}/{noun}", viewer.member_id);
        owner.client.post_form(&at("suspension"), &[]).await.assert_status(303);
        sees(&viewer, 403).await;
        owner.client.visit(&team).await.assert_says("Suspended");
        owner.client.post_form(&at("reactivation"), &[]).await.assert_status(303);
        sign_in_in_place(&viewer, "/w/acme").await;
        sees(&viewer, 200).await;
        // The team ends.
        let page = owner.client.visit(&format!("{team}/deletion")).await;
        page.assert_says("The 2 people in it stay members").assert_says("Admin");
        let answer = owner.client.submit(&page, "/deletion", &[]).await;
        owner.client.follow(answer).await.assert_says("Team “Auditors” deleted");
        sees(&viewer, 403).await;
        sees(&editor, 403).await;
        owner.client.get(&team).await.assert_status(404);
    }

    async fn a_role_is_held_as_long_as_one_of_its_ways_is_left(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let one = team(&owner, "One", &[&viewer], &["admin", "viewer"]).await;
        let two = team(&owner, "Two", &[&viewer], &["admin"]).await;
        assert_eq!(held(&app, &viewer).await, "admin viewer");
        let page = owner.client.visit("/w/acme/members?role=admin").await;
        page.assert_says("1 member").assert_says("Viewer One");
        take_out(&owner, &one, &viewer).await.assert_status(303);
        assert_eq!(held(&app, &viewer).await, "admin viewer");
        // Their own Viewer goes, another comes; what the team gives stays.
        let roles = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&roles, &[("role", "editor")]).await.assert_status(303);
        assert_eq!(held(&app, &viewer).await, "admin editor");
        owner.client.post_form(&roles, &[("role", "admin"), ("role", "editor")]).await.assert_status(303);
        owner.client.post_form(&format!("{two}/deletion"), &[]).await.assert_status(303);
        assert_eq!(held(&app, &viewer).await, "admin editor", "it is their own too");
        assert_counted(&app).await;
    }

    async fn a_change_of_ones_own_roles_leaves_those_of_the_teams_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = format!("/w/acme/members/{}", viewer.member_id);
        team(&owner, "Auditors", &[&viewer], &["admin", "viewer"]).await;
        let page = owner.client.visit(&path).await;
        assert_eq!(page.form(ROLES).values("role"), ["viewer"], "only their own are ticked");
        page.assert_says("Admin comes from the team Auditors");
        let answer = owner.client.submit(&page, ROLES, &[("role", "billing"), ("role", "support")]).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Roles of Viewer One changed from Viewer to Billing, Support.");
        assert_eq!(held(&app, &viewer).await, "admin billing support viewer");
        let undo =
            page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        assert_eq!(undo.values("role"), ["viewer"]);
        owner.client.send(&page, &undo).await.assert_status(303);
        // Many at once are each changed the same way.
        let many = [("member", viewer.member_id.to_string()), ("role", "editor".to_owned())];
        let many: Vec<_> = many.iter().map(|(name, value)| (*name, value.as_str())).collect();
        owner.client.post_form("/w/acme/members/selection/roles", &many).await.assert_status(303);
        assert_eq!(held(&app, &viewer).await, "admin editor viewer");
        let own = format!("SELECT count(*) FROM member_roles WHERE member_id = {}", app.id(viewer.member_id));
        assert_eq!(app.scalar_i64(&own).await, 1);
    }

    async fn who_takes_the_ownership_over_keeps_the_teams_and_so_does_who_hands_it_over(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        team(&owner, "Both", &[&owner, &viewer], &["billing"]).await;
        owner
            .client
            .post_form(&format!("/w/acme/members/{}/ownership-offer", viewer.member_id), &[])
            .await
            .assert_status(303);
        let page = viewer.client.visit("/w/acme").await;
        viewer.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        // Owner was the only role of their own, whatever came with a team.
        assert_eq!(held(&app, &owner).await, "admin billing");
        assert_eq!(held(&app, &viewer).await, "billing owner viewer");
        assert_counted(&app).await;
    }

    async fn a_team_never_carries_owner(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, viewer) = (member(&app, &owner, "admin").await, member(&app, &owner, "viewer").await);
        let team = team(&owner, "Rulers", &[&viewer], &[]).await;
        let page = app.unchanged_by(set_team_roles(&owner, &team, &["viewer", "owner"])).await.with_status(422);
        assert!(page.field_error("role").unwrap().contains("can't have the Owner role"));
        assert!(!page.attributes("input[name=role]", "value").contains(&"owner".to_owned()));
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &admin, &team, &["owner"])).await;
        // Nor by a hand at the database.
        let role = "INSERT INTO team_roles (workspace_id, team_id, role_id)
            SELECT t.workspace_id, t.id, r.id FROM teams t JOIN roles r ON r.workspace_id = t.workspace_id
            WHERE r.slug = ";
        let db = app.db().await;
        let done = sea_orm::ConnectionTrait::execute_unprepared(db, &format!("{role}'owner'")).await;
        assert!(done.unwrap_err().to_string().contains("never carries Owner"));
        assert_eq!(app.execute(&format!("{role}'viewer'")).await, 1);
        let edit = "UPDATE team_roles SET role_id = (SELECT id FROM roles WHERE slug = 'admin')";
        assert!(sea_orm::ConnectionTrait::execute_unprepared(db, edit).await.is_err());
        let swap = "UPDATE team_members SET member_id = (SELECT id FROM members WHERE origin = 'founder')";
        assert!(sea_orm::ConnectionTrait::execute_unprepared(db, swap).await.is_err());
        // And a role that a team carries does not go unnoticed.
        let lost = sea_orm::ConnectionTrait::execute_unprepared(db, "DELETE FROM roles WHERE slug = 'viewer'");
        assert!(lost.await.is_err());
        assert_counted(&app).await;
    }

    async fn a_role_that_a_team_carries_is_not_deleted_and_one_by_a_team_is_nobodys_own(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        add_role(&app, "acme", "helper", "Helper", &["read:members"]).await;
        let own = team(&owner, "Helpers", &[&viewer], &["helper", "support"]).await;
        let path = "/w/acme/roles/helper";
        let page = owner.client.visit(path).await;
        page.assert_says("A team has this role.");
        let deletion = format!("{path}/deletion");
        let team = format!("/w/acme/teams/{}", app.scalar_uuid("SELECT id FROM teams").await);
        assert!(page.links().contains(&team));
        for refused in [owner.client.get(&deletion).await, owner.client.post_form(&deletion, &[]).await] {
            refused.assert_status(409).assert_says("Teams with this role:");
            assert!(refused.links().contains(&team), "the refusal leads to the team");
        }
        let deletion = format!("{path}/deletion");
        refused(&app, 409, owner.client.get(&deletion)).await;
        let fields = [("replacement", "support")];
        refused(&app, 409, owner.client.post_form(&deletion, &fields)).await.assert_says("Remove it from the team");
        // It is their own now, and its replacement comes with the team: they get that as their own too.
        let roles = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&roles, &[("role", "helper")]).await.assert_status(303);
        set_team_roles(&owner, &own, &["support"]).await.assert_status(303);
        owner.client.post_form(&deletion, &fields).await.assert_status(303);
        take_out(&owner, &own, &viewer).await.assert_status(303);
        assert_eq!(held(&app, &viewer).await, "support");
        assert_counted(&app).await;
    }

    async fn nobody_gives_or_takes_through_a_team_what_they_could_not_give_or_take_themselves(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let peer = invite_and_join(&app, &owner.client, "acme", "peer-one@example.com", &["admin"]).await;
        // Billing now holds what no Admin does.
        grant(&app, "billing", "manage:roles").await;
        let rich = team(&owner, "Rich", &[], &["billing"]).await;
        refused(&app, 403, put_in(&admin, &rich, &viewer)).await.assert_says("Create and delete roles");
        refused(&app, 403, put_in(&admin, &rich, &admin)).await;
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &admin, &rich, &[])).await;
        let plain = team(&admin, "Plain", &[&viewer, &peer, &owner, &admin], &[]).await;
        // Without roles the permission is enough, whoever it is about; with them nobody above is moved.
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &admin, &plain, &["support"])).await;
        for above in [&owner, &admin, &peer] {
            take_out(&admin, &plain, above).await.assert_status(303);
        }
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &admin, &plain, &["billing"])).await;
        set_team_roles(&admin, &plain, &["support"]).await.assert_status(303);
        for above in [&owner, &admin, &peer] {
            refused(&app, 403, put_in(&admin, &plain, above)).await;
        }
        // All or nothing.
        let both = [("member", peer.member_id.to_string()), ("member", member(&app, &owner, "editor").await.member_id.to_string())];
        let both: Vec<_> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
        refused(&app, 403, admin.client.post_form(&format!("{plain}/members"), &both)).await;
        put_in(&owner, &plain, &peer).await.assert_status(303);
        refused(&app, 403, take_out(&admin, &plain, &peer)).await;
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &admin, &plain, &[])).await;
        // The end of a team takes its roles from everybody in it.
        grant(&app, "admin", "delete:teams").await;
        refused(&app, 403, admin.client.post_form(&format!("{plain}/deletion"), &[])).await;
        refused(&app, 403, admin.client.get(&format!("{plain}/deletion"))).await;
        assert!(!admin.client.visit(&plain).await.links().iter().any(|link| link.ends_with("/deletion")));
        take_out(&owner, &plain, &peer).await.assert_status(303);
        admin.client.post_form(&format!("{plain}/deletion"), &[]).await.assert_status(303);
        assert_counted(&app).await;
    }

    async fn a_lead_edits_the_team_within_their_ceiling_and_gives_it_no_roles(app: TestApp) {
        let owner = new_owner(&app).await;
        let (lead, viewer) = (member(&app, &owner, "developer").await, member(&app, &owner, "viewer").await);
        let editor = member(&app, &owner, "editor").await;
        let own = team(&owner, "Own", &[&lead], &[]).await;
        let other = team(&owner, "Other", &[&lead], &[]).await;
        // In a team, and no lead of it.
        for path in [format!("{own}/details"), format!("{own}/members"), of(&own, &lead, "removal")] {
            let fields = [("name", "Mine")];
            let fields = if path.ends_with("/details") { &fields[..] } else { &[] };
            let member = [("member", viewer.member_id.to_string())];
            let member: Vec<_> = member.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let fields = if path.ends_with("/members") { &member[..] } else { fields };
            refused(&app, 403, lead.client.post_form(&path, fields)).await.assert_says("Update teams");
        }
        refused(&app, 403, lead.client.get(&format!("{own}/members"))).await;
        make_lead(&owner, &own, &lead).await;
        let page = lead.client.visit(&own).await;
        let answer = lead.client.submit(&page, "/details", &[("name", "Mine")]).await;
        lead.client.follow(answer).await.assert_says("Team “Mine” saved.");
        let page = lead.client.visit(&page.link(&format!("{own}/members"))).await;
        let answer = lead.client.submit(&page, &format!("{own}/members"), &[("member", &viewer.member_id.to_string())]).await;
        lead.client.follow(answer).await.assert_says("Viewer One added to Mine.");
        // What needs the permission, and what is not theirs.
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &lead, &own, &["viewer"])).await.assert_says("Update teams");
        let promotion = of(&own, &viewer, "lead");
        refused(&app, 403, lead.client.post_form(&promotion, &[("lead", "yes")])).await;
        refused(&app, 403, lead.client.post_form(&format!("{own}/deletion"), &[])).await;
        refused(&app, 403, put_in(&lead, &other, &viewer)).await;
        // The team comes to carry what its lead, who holds it by the team, may give, and then more.
        set_team_roles(&owner, &own, &["support"]).await.assert_status(303);
        put_in(&lead, &own, &editor).await.assert_status(403);
        take_out(&lead, &own, &viewer).await.assert_status(303);
        put_in(&lead, &own, &viewer).await.assert_status(303);
        // No lead any more, or not in it: at the next request.
        owner.client.post_form(&of(&own, &lead, "lead"), &[("lead", "no")]).await.assert_status(303);
        refused(&app, 403, take_out(&lead, &own, &viewer)).await;
        make_lead(&owner, &own, &lead).await;
        take_out(&owner, &own, &lead).await.assert_status(303);
        refused(&app, 403, take_out(&lead, &own, &viewer)).await;
        put_in(&owner, &own, &lead).await.assert_status(303);
        refused(&app, 403, take_out(&lead, &own, &viewer)).await;
    }

    async fn a_lead_makes_no_team_that_admins_can_no_longer_edit(app: TestApp) {
        let owner = new_owner(&app).await;
        let (lead, viewer) = (member(&app, &owner, "developer").await, member(&app, &owner, "viewer").await);
        let admin = member(&app, &owner, "admin").await;
        let own = team(&owner, "Own", &[&lead, &viewer], &[]).await;
        make_lead(&owner, &own, &lead).await;
        for whom in [&owner, &admin] {
            refused(&app, 403, put_in(&lead, &own, whom)).await;
            let page = lead.client.visit(&format!("{own}/members")).await;
            let ids = page.attributes("input[name=member]:not([disabled])", "value");
            assert!(!ids.contains(&whom.member_id.to_string()), "{} is offered", whom.name);
        }
        set_team_roles(&admin, &own, &["viewer"]).await.assert_status(303);
        set_team_roles(&admin, &own, &[]).await.assert_status(303);
        // Who edits every team decides that for themselves, and an Owner can always edit it.
        put_in(&owner, &own, &admin).await.assert_status(303);
        refused(&app, 403, set_team_roles_as_seen_by(&owner, &admin, &own, &["viewer"])).await;
        set_team_roles(&owner, &own, &["viewer"]).await.assert_status(303);
    }

    async fn what_belongs_to_another_workspace_is_not_there(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let own = team(&owner, "Own", &[&viewer], &["viewer"]).await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let answer = other.client.post_form("/w/elsewhere/teams", &[("name", "Theirs")]).await;
        let theirs = answer.location().replace("/w/elsewhere", "/w/acme");
        for path in [theirs.clone(), format!("{theirs}/members"), format!("{theirs}/deletion")] {
            owner.client.get(&path).await.assert_status(404);
        }
        app.unchanged_by(put_in(&owner, &theirs, &viewer)).await.assert_status(404);
        app.unchanged_by(put_in(&owner, &own, &other)).await.assert_status(404);
        app.unchanged_by(take_out(&owner, &own, &other)).await.assert_status(404);
        app.unchanged_by(take_out(&owner, &own, &owner)).await.assert_status(404);
        app.unchanged_by(carry_at(&owner, &theirs, &["viewer"], "0")).await.assert_status(404);
        app.unchanged_by(owner.client.post_form(&format!("{theirs}/deletion"), &[])).await.assert_status(404);
        app.unchanged_by(owner.client.post_form(&of(&own, &owner, "lead"), &[("lead", "yes")])).await.assert_status(404);
        let page = app.unchanged_by(set_team_roles(&owner, &own, &["no-such-role"])).await.with_status(422);
        assert!(page.field_error("role").is_some());
        // One of them that is not here spoils the whole.
        let fields = [("member", owner.member_id.to_string()), ("member", other.member_id.to_string())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.unchanged_by(owner.client.post_form(&format!("{own}/members"), &fields)).await.assert_status(404);
    }

    async fn two_who_edit_the_roles_at_once_do_not_overwrite_each_other(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let own = team(&owner, "Own", &[&viewer], &["support"]).await;
        let (first, second) = (owner.client.visit(&own).await, owner.client.visit(&own).await);
        owner.client.submit(&first, ROLES, &[("role", "billing")]).await.assert_status(303);
        let page = app.unchanged_by(owner.client.submit(&second, ROLES, &[("role", "editor")])).await;
        page.with_status(409).assert_says("Someone changed this after you opened the page.");
        assert_eq!(held(&app, &viewer).await, "billing viewer");
        // The way back names the set that it takes back.
        let answer = set_team_roles(&owner, &own, &["editor", "support"]).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Team “Own” now has these roles: Editor, Support. It has 1 person.");
        let undo =
            page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        owner.client.send(&page, &undo).await.assert_status(303);
        assert_eq!(held(&app, &viewer).await, "billing viewer");
        app.unchanged_by(owner.client.send(&page, &undo)).await.assert_status(409);
    }

    async fn people_are_put_in_many_at_once_found_by_name_and_told_in_the_activity(app: TestApp) {
        let owner = new_owner(&app).await;
        let (viewer, editor) = (member(&app, &owner, "viewer").await, member(&app, &owner, "editor").await);
        let own = start(&owner, "Own").await;
        let page = owner.client.visit(&format!("{own}/members?q=EDITOR")).await;
        assert_eq!(page.select("#results tbody .name a"), ["Editor One"]);
        owner.client.visit(&format!("{own}/members?q=nobody")).await.assert_says("No members match your search");
        let long = "x".repeat(101);
        owner.client.get(&format!("{own}/members?q={long}")).await.assert_status(422);
        let page = app.unchanged_by(owner.client.post_form(&format!("{own}/members"), &[])).await.with_status(422);
        assert!(page.field_error("member").is_some());
        let ids = [viewer.member_id.to_string(), editor.member_id.to_string()];
        let fields: Vec<_> = ids.iter().map(|id| ("member", id.as_str())).collect();
        let answer = owner.client.post_form(&format!("{own}/members"), &fields).await;
        owner.client.follow(answer).await.assert_says("Viewer One, Editor One added to Own.");
        let answer = app.unchanged_by(owner.client.post_form(&format!("{own}/members"), &fields)).await;
        owner.client.follow(answer).await.assert_says("Nobody was added");
        set_team_roles(&owner, &own, &["billing"]).await.assert_status(303);
        make_lead(&owner, &own, &viewer).await;
        let answer = take_out(&owner, &own, &editor).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Editor One removed from Own.");
        let undo =
            page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        owner.client.send(&page, &undo).await.assert_status(303);
        owner.client.visit("/w/acme/teams").await.assert_says("Viewer One").assert_says("Billing");
        owner
            .client
            .visit("/w/acme/activity")
            .await
            .assert_says("added Viewer One to the team Own")
            .assert_says("removed Editor One from the team Own")
            .assert_says("made Viewer One a lead of the team Own")
            .assert_says("changed the roles of the team Own, with 2 people in it");
        // Removal from the workspace says so, and takes them out.
        let page = owner.client.visit(&format!("/w/acme/members/{}/removal", viewer.member_id)).await;
        page.assert_says("They are removed from their team");
        viewer.client.visit("/w/acme/departure").await.assert_says("You are removed from your team here.");
        owner.client.submit(&page, "/removal", &[]).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM team_members").await, 1);
        assert_counted(&app).await;
        // And so does the end of the workspace, with all that there is.
        let end = [("confirm", "acme")];
        owner.client.post_form("/w/acme/organization/deletion", &end).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM team_members").await, 1, "kept while it can be restored");
        crate::deletion::purge(&app).await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM team_members").await, 0);
        assert_counted(&app).await;
    }

    async fn who_invites_by_a_role_of_a_team_is_taken_at_their_word_as_long_as_they_hold_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let own = team(&owner, "Hosts", &[&viewer], &["developer"]).await;
        invite(&viewer.client, "acme", "guest@example.com", &["viewer"]).await;
        let link = app.mail.wait_for_link("guest@example.com", "/invitations/").await;
        let guest = app.client();
        guest.follow(guest.get(&link).await).await.assert_status(200);
        take_out(&owner, &own, &viewer).await.assert_status(303);
        guest.get("/invitation").await.assert_status(410);
        put_in(&owner, &own, &viewer).await.assert_status(303);
        guest.get("/invitation").await.assert_status(200);
        viewer.client.visit("/workspaces").await.assert_says("Developer");
    }

    async fn a_team_of_more_than_a_page_is_turned_over(app: TestApp) {
        let owner = new_owner(&app).await;
        let own = start(&owner, "Crowd").await;
        let id: Uuid = own.rsplit('/').next().unwrap().parse().unwrap();
        for n in 0..60 {
            let user = crate::world::add_user(&app, &format!("Some {n:02}"), &format!("some-{n}@example.com")).await;
            let member = crate::world::add_member(&app, "acme", user, "active", &["viewer"]).await;
            add_to_team(&app, id, member, false).await;
        }
        let first = owner.client.visit(&own).await;
        let next = owner.client.visit(&first.attributes("a[rel=next]", "href")[0]).await;
        let mut names = first.select("tbody .name a");
        assert_eq!(names.len(), 50);
        names.extend(next.select("tbody .name a"));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 60);
        first.assert_says("60 people");
        let page = owner.client.get(&format!("{own}?after=nonsense")).await.with_status(422);
        assert_eq!(page.select("tbody .name a").len(), 50);
    }
}
