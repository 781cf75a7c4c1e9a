//! What somebody can do and why; what a change would do before it is saved; and taking one back from
//! the record, which is a new change.

use crate::nouns::activity::newest_event;
use crate::support::product::{BuiltIn, Config, Db, Holdings, Permission, Scope, verify};
use crate::{support::*, world::*};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The form of a preview.
const SAVE: &str = "form.row[method=post]";

fn access(member: Uuid) -> String {
    format!("/w/acme/members/{member}/access")
}

/// What the page says of a permission: held or not, and the sentence.
fn verdict(page: &Page, permission: Permission) -> (bool, String) {
    let id = permission.scope().replace(':', "-");
    let said = page.select(&format!("#p-{id} .detail")).remove(0);
    (page.has(&format!("#p-{id}.held")), said)
}

/// What the preview says: each label with how many gain it and lose it.
fn effects(page: &Page) -> BTreeMap<String, (i64, i64)> {
    let cells = page.select("section[aria-labelledby=rights] tbody td");
    let count = |text: &str| text.split(' ').next().unwrap().parse().unwrap_or(0);
    // Where one alone is affected, the page counts nobody.
    if page.select("section[aria-labelledby=rights] th").contains(&"Change".to_owned()) {
        let effect = |word: &str| if word == "Gained" { (1, 0) } else { (0, 1) };
        return cells.chunks(2).map(|row| (row[0].clone(), effect(&row[1]))).collect();
    }
    cells.chunks(3).map(|row| (row[0].clone(), (count(&row[1]), count(&row[2])))).collect()
}

/// The same, counted member by member.
fn counted(before: &Facts, after: &Facts, holds: impl Fn(&Holdings) -> bool) -> (i64, i64) {
    let mut effect = (0, 0);
    for member in before.members.iter().filter(|member| member.is_active) {
        let now = after.members.iter().find(|other| other.id == member.id).unwrap();
        match (holds(&member.holdings), holds(&now.holdings)) {
            (false, true) => effect.0 += 1,
            (true, false) => effect.1 += 1,
            _ => {}
        }
    }
    effect
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        of.iter().filter(|_| self.roll(3) == 0).copied().collect()
    }
}

const ROLES: [&str; 6] = ["admin", "developer", "billing", "editor", "viewer", "helper"];

/// The link to somebody's access, which is not the one to requests for access.
fn access_link(page: &Page) -> Option<String> {
    page.links().into_iter().find(|link| link.ends_with("/access"))
}

both! {
    async fn the_verdicts_are_those_of_policy_and_what_the_routes_answer(app: TestApp) {
        let world = World::build(&app).await;
        let facts = Facts::read(&app, world.acme.id).await;
        let owner = &world.person(BuiltIn::Owner).client;
        for (role, person) in &world.people {
            let page = owner.visit(&access(person.member_id)).await;
            let me = facts.members.iter().find(|member| member.id == person.member_id.to_string()).unwrap();
            for permission in Permission::ALL {
                let (is_held, said) = verdict(&page, *permission);
                assert_eq!(is_held, me.holdings.has(*permission), "{role:?} {permission:?}");
                assert!(said.starts_with(if is_held { "From " } else { "Would come from " }), "{said}");
                if is_held {
                    assert!(said.contains(role.name()), "{role:?} {permission:?}: {said}");
                } else {
                    assert!(said.contains("Owner") && !said.contains(role.name()), "{role:?}: {said}");
                }
            }
            for (path, permission) in [
                ("members", Permission::ReadMembers),
                ("teams", Permission::ReadTeams),
                ("teams/new", Permission::CreateTeams),
                ("roles/new", Permission::ManageRoles),
                ("activity", Permission::ReadAudit),
                ("organization/deletion", Permission::DeleteOrganization),
                ("security/read:audit/preview", Permission::UpdatePermissions),
            ] {
                let status = person.client.get(&format!("/w/acme/{path}")).await.status.as_u16();
                assert_eq!(status, if verdict(&page, permission).0 { 200 } else { 403 }, "{role:?} {path}");
            }
            // Their own page, by the link of the overview.
            let own = access_link(&person.client.visit("/w/acme").await).unwrap();
            let own = person.client.visit(&own).await;
            own.assert_says("What you can do");
            for scope in ["read:posts", "write:posts", "deploy:staging", "read:audit", "fly:rockets", "read:members:name"] {
                let asked = owner.visit(&format!("{}?scope={scope}", access(person.member_id))).await;
                let says_yes = asked.has("#answer .held");
                let holds = me.holdings.allows(&Scope::parse(scope).unwrap());
                assert_eq!(says_yes, holds, "{role:?} {scope}");
            }
        }
    }

    async fn of_a_key_it_speaks_as_of_a_key(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(BuiltIn::Owner).client;
        let page = owner.visit(&format!("/w/acme/api-keys/{}", world.acme.id("key"))).await;
        let path = access_link(&page).unwrap();
        let of_person = [" they", "They", "their", "Their", "them ", "your own", "You "];
        for path in [path.clone(), format!("{path}?scope=read:posts"), path.replace("/access", "/roles/preview?role=editor")] {
            let page = owner.visit(&path).await;
            let said = page.select("main").remove(0);
            for word in of_person {
                assert!(!said.contains(word), "{path} says {word:?}: {said}");
            }
        }
        let page = owner.visit(&path).await;
        page.assert_says("Check a scope").assert_says("Assigned directly").assert_says("have more access than this key");
        assert!(page.has(&format!("main a[href='/w/acme/api-keys/{}']", world.acme.id("key"))));
        assert!(verdict(&page, Permission::ReadMembers).0 && !verdict(&page, Permission::ReadAudit).0);
        let member = path.trim_end_matches("/access");
        owner.post_form(&format!("{member}/suspension"), &[]).await.assert_status(303);
        owner.visit(&path).await.assert_says("what it can do once reactivated");
        let preview = owner.visit(&format!("{member}/roles/preview?role=editor")).await;
        preview.assert_says("until it is reactivated");
        let done = owner.post_form(&format!("{member}/reactivation"), &[]).await;
        owner.follow(done).await.assert_says("reactivated with the same roles as before");
    }

    async fn it_says_by_which_role_and_team_or_who_could_give_it(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(BuiltIn::Owner).client;
        let developer = world.person(BuiltIn::Developer).member_id;
        let page = owner.visit(&access(developer)).await;
        assert_eq!(verdict(&page, Permission::InviteMembers), (true, "From Developer".into()));
        // Team One carries Viewer, which the Developer holds by it alone.
        let teams = verdict(&page, Permission::ReadTeams).1;
        assert!(teams.contains("Developer") && teams.contains("Viewer (through the team Team One)"), "{teams}");
        assert_eq!(verdict(&page, Permission::ReadAudit), (false, "Would come from Owner, Admin".into()));
        let givable = page.select("section[aria-labelledby=givable] li");
        let who = |role: &str| givable.iter().find(|row| row.starts_with(role)).unwrap().clone();
        assert_eq!(who("Owner"), "Owner Owner One");
        assert_eq!(who("Editor"), "Editor Admin One, Owner One");
        let page = owner.visit(&format!("{}?scope=write:code:main", access(developer))).await;
        page.assert_says("Yes: write:code:main");
        assert_eq!(page.select("#answer .detail"), ["From Developer via write:code"]);
        let page = owner.visit(&format!("{}?scope=export:data", access(developer))).await;
        let would = "Would come from Owner via full access, Admin via export:data";
        assert_eq!(page.select("#answer .detail"), [would]);
        let page = owner.get(&format!("{}?scope=users_read", access(developer))).await.with_status(422);
        assert!(page.field_error("scope").unwrap().contains("Did you mean read:users?"));
        assert_eq!(page.field_value("scope").as_deref(), Some("users_read"));
        let page = owner.visit(&access(world.suspended.member_id)).await;
        page.assert_says("None of this applies right now.");
        assert!(verdict(&page, Permission::ReadAudit).0, "what they hold is told all the same");

        // Of many who could, five are named.
        for n in 0..7 {
            let user = add_user(&app, &format!("Admin Number {n}"), &format!("admin-{n}@example.com")).await;
            add_member(&app, "acme", user, "active", &["admin"]).await;
        }
        let page = owner.visit(&access(developer)).await;
        let editor = page.select("section[aria-labelledby=givable] li").into_iter().find(|row| row.starts_with("Editor"));
        let editor = editor.unwrap();
        assert!(editor.matches("Admin ").count() == 5 && editor.ends_with(" and 4 more"), "{editor}");
    }

    async fn who_may_not_see_members_sees_nobodys_access(app: TestApp) {
        let world = World::build(&app).await;
        let viewer = world.person(BuiltIn::Viewer);
        let sql = "DELETE FROM grants WHERE scope = 'read:members' AND role_id IN (SELECT id FROM roles WHERE slug = 'viewer')";
        app.execute(sql).await;
        let page = app.unchanged_by(viewer.client.get(&access(world.acme.above("member")))).await;
        page.assert_status(403).assert_says("View members");
        assert_eq!(access_link(&viewer.client.visit("/w/acme").await), None);
    }

    async fn a_preview_says_what_then_happens(app: TestApp) {
        let world = World::build(&app).await;
        let mut dice = Dice(7);
        let (mut saved, mut refused) = (0, 0);
        for turn in 0..60 {
            let role = [BuiltIn::Owner, BuiltIn::Owner, BuiltIn::Admin][turn % 3];
            let client = &world.person(role).client;
            let before = Facts::read(&app, world.acme.id).await;
            let permission = Permission::ALL[dice.roll(Permission::ALL.len())];
            let roles = dice.some(&ROLES);
            let mut query: Vec<(&str, &str)> = roles.iter().map(|role| ("role", *role)).collect();
            let change = match turn % 4 {
                0 => {
                    let members = [world.acme.id("member"), world.person(BuiltIn::Editor).member_id, world.acme.above("member")];
                    if query.is_empty() {
                        query.push(("role", "support"));
                    }
                    format!("members/{}/roles", members[dice.roll(3)])
                }
                1 => format!("security/{}", permission.scope()),
                2 => {
                    query = dice.some(&["read:members", "read:audit", "update:teams"]).into_iter().map(|p| ("permission", p)).collect();
                    query.push(("scopes", ["read:*", "write:posts read:posts", "", "*:*"][dice.roll(4)]));
                    format!("roles/{}/scopes", ROLES[dice.roll(ROLES.len())])
                }
                _ => format!("teams/{}/roles", [world.acme.id("team"), world.acme.above("team")][dice.roll(2)]),
            };
            let said = format!("turn {turn}: {role:?} {change} {query:?}");
            let encoded: String = query.iter().map(|(name, value)| format!("{name}={value}&")).collect();
            let preview = client.get(&format!("/w/acme/{change}/preview?{encoded}")).await;
            if preview.status.as_u16() == 403 {
                // Admins do not change the rules themselves, and may have lost the rest meanwhile.
                assert_eq!(role, BuiltIn::Admin, "{said}");
                continue;
            }
            preview.assert_status(200);
            if preview.text().contains("This would be refused.") {
                assert!(!preview.has(SAVE), "{said}");
                // The version that a form would carry, from the page itself.
                let version = preview_version(&world, &change).await;
                query.push(("version", &version));
                query.retain(|(name, _)| *name != "version" || !change.starts_with("members/"));
                let answer = app.unchanged_by(client.post_form(&format!("/w/acme/{change}"), &query)).await;
                assert!([403, 409].contains(&answer.status.as_u16()), "{said}: {}", answer.status);
                refused += 1;
                continue;
            }
            if preview.text().contains("No changes.") {
                assert!(!preview.has(SAVE), "{said}");
                continue;
            }
            let told = effects(&preview);
            let form = preview.form(SAVE);
            client.send(&preview, &form).await.assert_status(303);
            saved += 1;
            let after = Facts::read(&app, world.acme.id).await;
            for permission in Permission::ALL {
                let expected = counted(&before, &after, |holdings| holdings.has(*permission));
                let (gained, lost) = told.get(permission.label()).copied().unwrap_or_default();
                assert_eq!((gained, lost), expected, "{said}: {permission:?}, left: told, right: happened");
            }
            for (label, effect) in told.iter().filter(|(label, _)| label.contains(':')) {
                let scope = Scope::parse(label).unwrap();
                assert_eq!(*effect, counted(&before, &after, |holdings| holdings.allows(&scope)), "{said}: {label}");
            }
            let only = preview.select("section[aria-labelledby=rights] .panel-head p a");
            let named = match only.is_empty() {
                true => preview.select("section[aria-labelledby=people] tbody .name"),
                false => only,
            };
            let concerned = before.members.iter().filter(|member| member.is_active).filter(|member| {
                let now = after.members.iter().find(|other| other.id == member.id).unwrap();
                !now.holdings.lacks(&member.holdings).is_empty() || !member.holdings.lacks(&now.holdings).is_empty()
            });
            assert_eq!(named.len(), concerned.count(), "{said}: {named:?}");
            if let Some(event) = permission_event(&app, &change).await {
                let label = Permission::of_scope(change.trim_start_matches("security/")).unwrap().label();
                assert_eq!(told.get(label).copied().unwrap_or_default(), event, "{said}: the event's own counts");
            }
        }
        assert!(saved >= 20 && refused >= 3, "{saved} saved, {refused} refused");
    }

    async fn the_form_leads_to_the_preview_and_back_with_what_was_chosen(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(BuiltIn::Owner).client;
        let member = format!("/w/acme/members/{}", world.acme.id("member"));
        let page = owner.visit(&member).await;
        let form = page.form("/roles").fill(&[("role", "editor"), ("role", "support")]).press("Preview");
        assert!(form.values("csrf").is_empty(), "no token stands in an address");
        let preview = owner.send(&page, &form).await.with_status(200);
        preview.assert_says("Roles of Viewer Two").assert_says("impersonate:users");
        let back = owner.visit(&preview.link("from=preview")).await;
        assert_eq!(back.form("/roles").values("role"), ["editor", "support"]);
        owner.submit(&preview, "/roles", &[]).await.assert_status(303);
        let none = owner.get(&format!("{member}/roles/preview")).await.with_status(422);
        assert_eq!(none.field_error("role").as_deref(), Some("Choose at least one role."));

        let page = owner.visit("/w/acme/roles/editor").await;
        let form = page.form("/scopes").fill(&[("permission", "read:audit"), ("scopes", "read:posts")]).press("Preview");
        let preview = owner.send(&page, &form).await.with_status(200);
        let back = owner.visit(&preview.link("from=preview")).await;
        assert_eq!(back.form("/scopes").values("permission"), ["read:audit"]);
        assert_eq!(back.form("/scopes").values("scopes"), ["read:posts"]);
        let wrong = owner.get("/w/acme/roles/editor/scopes/preview?scopes=users_read").await.with_status(422);
        assert!(wrong.field_error("scopes").unwrap().contains("did you mean read:users?"));

        let page = owner.visit("/w/acme/security").await;
        let form = page.form("#f-read-audit").fill(&[("role", "billing")]).press("Preview");
        let preview = owner.send(&page, &form).await.with_status(200);
        assert_eq!(effects(&preview).get("View activity"), Some(&(1, 1)));
        let back = owner.visit(preview.link("from=preview").split('#').next().unwrap()).await;
        assert_eq!(back.form("#f-read-audit").values("role"), ["billing"]);
        assert!(back.has("#d-read-audit[open]"));

        let team = format!("/w/acme/teams/{}", world.acme.id("team"));
        let page = owner.visit(&team).await;
        let form = page.form("form[action$='/roles'].form").without("role").press("Preview");
        let preview = owner.send(&page, &form).await.with_status(200);
        // The Viewer in it has that role of their own too; the Developer holds it otherwise.
        preview.assert_says("Nobody gains or loses anything");
        let back = owner.visit(&preview.link("from=preview")).await;
        assert!(back.form("form[action$='/roles'].form").values("role").is_empty());
    }

    async fn the_boxes_of_security_say_beforehand_what_a_tick_would_do(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(BuiltIn::Owner).client;
        let page = owner.visit("/w/acme/security").await;
        for (permission, role) in [("read:audit", "viewer"), ("read:audit", "admin"), ("invite:members", "developer"), ("read:members", "helper")] {
            let id = permission.replace(':', "-");
            let told = page.select(&format!("label:has(#f-{id}-{role}) small")).remove(0);
            let form = page.form(&format!("#f-{id}"));
            let mut roles: Vec<&str> = form.values("role");
            match roles.iter().position(|ticked| *ticked == role) {
                Some(at) => drop(roles.remove(at)),
                None => roles.push(role),
            }
            let query: String = roles.iter().map(|role| format!("role={role}&")).collect();
            let preview = owner.visit(&format!("/w/acme/security/{permission}/preview?{query}")).await;
            let label = Permission::of_scope(permission).unwrap().label();
            let (gained, lost) = effects(&preview).get(label).copied().unwrap_or_default();
            let number = told.split(' ').next().unwrap().parse().unwrap_or(0);
            assert_eq!(number, gained + lost, "{permission} {role}: {told}");
        }
    }

    async fn what_would_lock_oneself_out_is_said_and_a_stale_version_too(app: TestApp) {
        let world = World::build(&app).await;
        let admin = &world.person(BuiltIn::Admin).client;
        let sql = "INSERT INTO grants (workspace_id, role_id, scope) SELECT workspace_id, id, 'update:permissions' FROM roles WHERE slug = 'admin'";
        app.execute(sql).await;
        let page = admin.visit("/w/acme/security").await;
        let form = page.form("#f-update-permissions").without("role").press("Preview");
        let preview = admin.send(&page, &form).await.with_status(200);
        preview.assert_says("You would lock yourself out.");
        let stale = page.form("#f-create-teams").fill(&[("role", "admin"), ("role", "editor")]).press("Preview");
        let other = page.form("#f-create-teams").fill(&[("role", "admin"), ("role", "viewer")]);
        admin.send(&page, &other).await.assert_status(303);
        let told = admin.send(&page, &stale).await.with_status(200);
        told.assert_says("This would be refused.");
        assert!(!told.has(SAVE));
        // Said once, and so confirmed with the form.
        let answer = admin.submit(&preview, "/security/update:permissions", &[]).await;
        answer.assert_status(303);
        admin.get("/w/acme/security/read:audit/preview").await.assert_status(403);
        // The last Owner.
        let owner = world.person(BuiltIn::Owner);
        let path = format!("/w/acme/members/{}/roles/preview?role=admin", owner.member_id);
        owner.client.visit(&path).await.assert_says("This would be refused.").assert_says("at least one active Owner");
    }

    async fn a_change_is_taken_back_from_the_record_as_a_new_change(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(BuiltIn::Owner).client;
        let before = Facts::read(&app, world.acme.id).await;
        // One of each kind.
        let changes = [
            (format!("/w/acme/members/{}", world.acme.id("member")), "/roles", vec![("role", "editor")]),
            ("/w/acme/security".into(), "#f-create-teams", vec![("role", "viewer"), ("role", "billing")]),
            ("/w/acme/roles/helper".into(), "/scopes", vec![("permission", "read:members"), ("scopes", "deploy:*")]),
            (format!("/w/acme/teams/{}", world.acme.id("team")), "form[action$='/roles'].form", vec![("role", "support"), ("role", "editor")]),
        ];
        let mut undos = Vec::new();
        for (path, form, fields) in &changes {
            let page = owner.visit(path).await;
            owner.submit(&page, form, fields).await.assert_status(303);
            owner.visit(path).await;
            let event = newest_event(&app, "acme").await;
            let activity = owner.visit("/w/acme/activity").await;
            undos.push(activity.link(&format!("/activity/{event}/undo")));
        }
        for undo in undos.iter().rev() {
            let page = owner.visit(undo).await;
            page.assert_silent_about("changed again later");
            owner.send(&page, &page.form(SAVE)).await.assert_status(303);
            owner.visit("/w/acme").await;
            let again = owner.visit(undo).await;
            again.assert_says("No changes.").assert_says("changed again later");
        }
        let after = Facts::read(&app, world.acme.id).await;
        for was in &before.members {
            let is = after.members.iter().find(|member| member.id == was.id).unwrap();
            assert_eq!(was.holdings, is.holdings, "{:?}", was.held);
        }
        assert_eq!(before.roles, after.roles);
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(app.database.url.clone(), dir.path());
        let db = Db::open(&config, app.url(), app.clock.clone()).await.unwrap();
        let report = verify::verify(&db, &[], &[]).await.unwrap();
        db.close().await;
        assert!(report.findings.is_empty(), "{report:?}");
    }

    async fn taking_back_is_refused_to_who_may_not_change_it_any_more(app: TestApp) {
        let world = World::build(&app).await;
        let admin = &world.person(BuiltIn::Admin).client;
        let undo = format!("/w/acme/activity/{}/undo", world.acme.id("event"));
        let page = admin.visit(&undo).await;
        let sql = "DELETE FROM grants WHERE scope = 'update:member-roles' AND role_id IN (SELECT id FROM roles WHERE slug = 'admin')";
        app.execute(sql).await;
        let form = page.form(SAVE);
        let answer = app.unchanged_by(admin.send(&page, &form)).await;
        answer.assert_status(403).assert_says("Change member roles");
        app.unchanged_by(admin.get(&undo)).await.assert_status(403).assert_says("Change member roles");
        let activity = admin.visit("/w/acme/activity").await;
        assert!(!activity.links().iter().any(|link| link.contains("/undo")));
        // Over their head, though the permission is there.
        let owner = &world.person(BuiltIn::Owner).client;
        let path = format!("/w/acme/members/{}/roles", world.acme.id("member"));
        owner.post_form(&path, &[("role", "admin"), ("role", "viewer")]).await.assert_status(303);
        app.execute("INSERT INTO grants (workspace_id, role_id, scope) SELECT workspace_id, id, 'update:member-roles' FROM roles WHERE slug = 'admin' AND workspace_id IN (SELECT id FROM workspaces WHERE slug = 'acme')").await;
        let event = newest_event(&app, "acme").await;
        let page = admin.visit(&format!("/w/acme/activity/{event}/undo")).await;
        page.assert_says("This would be refused.");
        assert!(!page.has(SAVE));
    }

    async fn what_is_gone_is_said_and_other_events_are_not_taken_back(app: TestApp) {
        let world = World::build(&app).await;
        let owner = &world.person(BuiltIn::Owner).client;
        let member = format!("/w/acme/members/{}/roles", world.acme.id("member"));
        let undo = |event: Uuid| format!("/w/acme/activity/{event}/undo");
        owner.post_form(&member, &[("role", "helper"), ("role", "editor")]).await.assert_status(303);
        owner.post_form(&member, &[("role", "viewer")]).await.assert_status(303);
        let event = newest_event(&app, "acme").await;
        owner.post_form("/w/acme/roles/helper/deletion", &[]).await.assert_status(303);
        // Another of the same name and slug is another role.
        let made = owner.post_form("/w/acme/roles", &[("name", "Helper"), ("permission", "read:audit")]).await;
        assert_eq!(made.location(), "/w/acme/roles/helper");
        owner.visit("/w/acme").await;
        let page = owner.visit(&undo(event)).await;
        page.assert_says("The role Helper no longer exists.");
        assert_eq!(page.form(SAVE).values("role"), ["editor"]);

        // Written before the ids were: by names that are one role's.
        let old = r#"{"member_roles_changed":{"before":["Support","Nobody Knows"],"after":["Viewer"]}}"#;
        let copied = old_event(&app, event, old).await;
        let page = owner.visit(&undo(copied)).await;
        page.assert_says("The role Nobody Knows no longer exists.");
        assert_eq!(page.form(SAVE).values("role"), ["support"]);
        let nothing = old_event(&app, event, r#"{"member_roles_changed":{"before":["Nobody Knows"],"after":["Viewer"]}}"#).await;
        owner.visit(&undo(nothing)).await.assert_says("This change can't be undone").assert_says("Nobody Knows");

        owner.post_form(&format!("/w/acme/members/{}/removal", world.acme.id("member")), &[]).await.assert_status(303);
        let removal = app.scalar_uuid("SELECT id FROM audit_events WHERE kind = 'member.removed'").await;
        owner.visit("/w/acme").await;
        owner.visit(&undo(event)).await.assert_says("Viewer Two no longer exists");
        let other = owner.get(&undo(removal)).await.with_status(404);
        other.assert_says("You can undo only changes to roles and permissions");
        // Another workspace's event is none.
        let foreign = owner.get(&undo(world.elsewhere.id("event"))).await.with_status(404);
        let unknown = owner.get(&undo(UNKNOWN)).await.with_status(404);
        assert_eq!(without_tokens(&foreign.html), without_tokens(&unknown.html));
    }

    async fn the_undo_of_one_half_of_a_step_tells_of_the_other(app: TestApp) {
        let owner = new_owner(&app).await.client;
        let page = owner.visit("/w/acme/roles/editor").await;
        let form = page.form("/scopes");
        let mut fields: Vec<_> = form.values("permission").into_iter().map(|held| ("permission", held)).collect();
        fields.extend([("permission", "invite:members"), ("scopes", "ship:it")]);
        owner.submit(&page, "/scopes", &fields).await.assert_status(303);
        let event = async |kind: &str| {
            app.scalar_uuid(&format!("SELECT id FROM audit_events WHERE kind = '{kind}'")).await
        };
        for kind in ["role.scopes-changed", "permission.changed"] {
            let page = owner.visit(&format!("/w/acme/activity/{}/undo", event(kind).await)).await;
            page.assert_says("Other changes made in the same step are separate in Activity (1 entry)");
        }
        let page = owner.visit("/w/acme/roles/editor").await;
        owner.submit(&page, "/scopes", &[("scopes", "ship:that")]).await.assert_status(303);
        let alone = newest_event(&app, "acme").await;
        owner.visit(&format!("/w/acme/activity/{alone}/undo")).await.assert_silent_about("in the same step");
    }
}

/// The version that a form for this change would carry now.
async fn preview_version(world: &World, change: &str) -> String {
    let owner = &world.person(BuiltIn::Owner).client;
    let (path, form) = match change.split('/').collect::<Vec<_>>()[..] {
        ["security", permission] => ("security".to_owned(), format!("/security/{permission}")),
        [noun @ ("roles" | "teams"), id, _] => {
            (format!("{noun}/{id}"), format!("/{}", change.rsplit('/').next().unwrap()))
        }
        _ => return String::new(),
    };
    let page = owner.visit(&format!("/w/acme/{path}")).await;
    page.form(&form).values("version")[0].to_owned()
}

/// The counts in the newest event, if that is a change of one permission.
async fn permission_event(app: &TestApp, change: &str) -> Option<(i64, i64)> {
    if !change.starts_with("security/") {
        return None;
    }
    let event = newest_event(app, "acme").await;
    let row =
        app.rows(&format!("SELECT payload FROM audit_events WHERE id = {}", app.id(event))).await.remove(0);
    let told = &row["payload"]["permission_changed"];
    Some((told["gained"].as_i64().unwrap(), told["lost"].as_i64().unwrap()))
}

/// A copy of an event with another payload, as an earlier version wrote it; it does not fit the chain.
async fn old_event(app: &TestApp, like: Uuid, payload: &str) -> Uuid {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let id = Uuid::from_u128(0x0190_1111_0000_7000_8000_0000_0000_0000 + u128::from(n));
    let sql = format!(
        "INSERT INTO audit_events (id, workspace_id, seq, at, kind, outcome, actor_kind, actor_id, target_kind,
            target_id, via, payload, hash)
         SELECT {}, workspace_id, (SELECT c.seq + 1 FROM audit_chains c WHERE c.id = e.workspace_id), at, kind,
            outcome, actor_kind, actor_id, target_kind, target_id, via, {}, hash
         FROM audit_events e WHERE id = {}",
        app.id(id),
        quoted(payload),
        app.id(like)
    );
    assert_eq!(app.execute(&sql).await, 1);
    let sql = format!(
        "INSERT INTO audit_identities (event_id, actor_commitment, actor_name, target_commitment, target_name)
         SELECT {}, actor_commitment, actor_name, target_commitment, target_name
         FROM audit_identities WHERE event_id = {}",
        app.id(id),
        app.id(like)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
