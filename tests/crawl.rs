//! What the pages offer is what the server allows: for each role, every page that links lead to and
//! every page of the table is opened; a form stands on one of them if and only if policy lets this
//! person send it, and sent as it stands it goes through.

use crate::support::product::{Access, Holdings, Permission, table};
use crate::{matrix::rule, support::*, world::*};
use reqwest::Method;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

both! {
    async fn a_form_is_on_a_page_if_and_only_if_it_may_be_sent(app: TestApp) {
        let world = World::build(&app).await;
        everybody(&app, &world, "as the workspace was founded").await;

        another_state(&app, &world).await;
        everybody(&app, &world, "with two Owners, no offer and other rules").await;
    }
}

/// No offer is open, so one can be made; a second Owner, so the first may go; and rules that give
/// some people a part of what others have.
async fn another_state(app: &TestApp, world: &World) {
    let acme = app.id(world.acme.id);
    app.execute(&format!("DELETE FROM ownership_offers WHERE workspace_id = {acme}")).await;
    app.execute(&format!(
        "INSERT INTO member_roles (workspace_id, member_id, role_id)
         SELECT r.workspace_id, {}, r.id FROM roles r WHERE r.workspace_id = {acme} AND r.slug = 'owner'",
        app.id(world.acme.viewer)
    ))
    .await;
    for (role, scope) in [
        ("admin", "update:permissions"),
        ("developer", "suspend:members"),
        ("editor", "update:member-roles"),
        ("editor", "remove:members"),
        ("support", "cancel:invitations"),
        ("billing", "invite:members"),
        ("billing", "delete:organization"),
        ("billing", "manage:roles"),
        ("editor", "manage:roles"),
        ("support", "update:permissions"),
    ] {
        let sql = format!(
            "INSERT INTO grants (workspace_id, role_id, scope)
             SELECT workspace_id, id, {} FROM roles WHERE workspace_id = {acme} AND slug = {}",
            quoted(scope),
            quoted(role)
        );
        assert_eq!(app.execute(&sql).await, 1);
    }
    let taken = "DELETE FROM grants WHERE scope = 'invite:members' AND role_id =
        (SELECT id FROM roles WHERE slug = 'developer' AND workspace_id = ";
    assert_eq!(app.execute(&format!("{taken}{acme})")).await, 1);
    // An offer of the past elsewhere: one that is made here leaves it alone.
    app.execute("UPDATE ownership_offers SET expires_at = 1").await;
    keep(app).await;
}

async fn everybody(app: &TestApp, world: &World, state: &str) {
    let facts = Facts::read(app, world.acme.id).await;
    let elsewhere = rows_of(app, world.elsewhere.id).await;
    for (role, person) in &world.people {
        let said = format!("{role:?} {state}");
        let expected = expected(&facts, &person.member_id.to_string());
        let found = crawl(&person.client, &facts, &said).await;
        let there: BTreeSet<&str> = found.keys().map(|(action, _)| action.as_str()).collect();
        let missing: Vec<_> = expected.iter().filter(|action| !there.contains(action.as_str())).collect();
        let refused: Vec<_> = there.iter().filter(|action| !expected.contains(**action)).collect();
        assert!(missing.is_empty(), "{said}: may send these, and no page has the form: {missing:#?}");
        assert!(refused.is_empty(), "{said}: may not send these, and a page has the form: {refused:#?}");
        for ((action, _), (page, form)) in &found {
            restore(app).await;
            let client = person.client.twin();
            let answer = client.send(page, &filled(page, form.clone(), action)).await;
            // Who comes back from a preview is asked once more before they lock themselves out.
            let is_asked =
                page.path().contains("from=preview") && answer.text().contains("lock yourself out");
            assert!(
                matches!(answer.status.as_u16(), 200 | 303) || is_asked,
                "{said}: {action} as {} has it gave {}:\n{}",
                page.path(),
                answer.status,
                answer.text()
            );
            assert_untouched(app, world.elsewhere.id, &elsewhere, &format!("{said}: {action}")).await;
            assert_counted(app).await;
        }
        restore(app).await;
    }
}

/// What is typed before the form is sent: only what it has no default for.
fn filled(page: &Page, form: FormOnPage, action: &str) -> FormOnPage {
    match action {
        "/w/acme/invitations" if form.values("role").is_empty() => {
            // Viewer, which is ticked, is none that this person may give.
            let may_give = page.attributes("#invite input[name=role]:not([disabled])", "value");
            form.fill(&[("emails", "new@example.com"), ("role", &may_give[0])])
        }
        "/w/acme/invitations" => form.fill(&[("emails", "new@example.com")]),
        action if action.starts_with("/w/acme/members/selection/roles") => {
            let may_give = page.attributes("main input[name=role]:not([disabled])", "value");
            form.fill(&[("role", &may_give[0])])
        }
        "/w/acme/roles" => form.fill(&[("name", "Another Role")]),
        action if action.starts_with("/w/acme/roles/") && action.ends_with("/deletion") => {
            let may_take = page.attributes("#replacement option:not([disabled])", "value");
            match may_take.get(1) {
                Some(role) => form.fill(&[("replacement", role)]),
                None => form,
            }
        }
        "/w/acme/teams" => form.fill(&[("name", "Another Team")]),
        action if action.starts_with("/w/acme/teams/") && action.ends_with("/members") => {
            // From their page, or the Undo of a removal, which says whom.
            match page.attributes("#results input[name=member]:not([disabled])", "value").first() {
                Some(first) => form.fill(&[("member", first)]),
                None => form,
            }
        }
        "/w/acme/members" => {
            let who = page.attributes("input[type=radio][name=user]", "value").remove(0);
            let may_give = page.attributes("main input[name=role]:not([disabled])", "value");
            match form.values("role").is_empty() {
                true => form.fill(&[("user", &who), ("role", &may_give[0])]),
                false => form.fill(&[("user", &who)]),
            }
        }
        "/w/acme/api-keys" | "/w/acme/api-keys/addition" => {
            let may_give = page.attributes("main input[name=role]:not([disabled])", "value");
            let role = ("role", may_give[0].as_str());
            match page.attributes("#key option", "value").get(1) {
                Some(key) => form.fill(&[("key", key), role]),
                None => form.fill(&[("name", "Another Key"), role]),
            }
        }
        action if action.starts_with("/a/") && action.ends_with("/api-keys") => {
            form.fill(&[("name", "Another Key")])
        }
        "/w/acme/organization/deletion" => form.fill(&[("confirm", "acme")]),
        "/workspaces" => form.fill(&[("name", "Another One")]),
        "/forgot-password" => form.fill(&[("email", "nobody@example.com")]),
        "/me/email" => form.fill(&[("email", "new-address@example.com"), ("current_password", PASSWORD)]),
        "/me/password" => {
            form.fill(&[("current_password", PASSWORD), ("password", "another staple for 7 horses")])
        }
        _ => form,
    }
}

type Found = BTreeMap<(String, Vec<(String, String)>), (Page, FormOnPage)>;

/// Every form that changes something, once, with a page that it is on.
async fn crawl(client: &Client, facts: &Facts, said: &str) -> Found {
    let mut queue: VecDeque<(String, Option<String>)> = ["/w/acme", "/workspaces", "/me"]
        .iter()
        .map(|path| ((*path).to_owned(), Some("the start".to_owned())))
        .collect();
    queue.extend(pages_of_table(facts).into_iter().map(|path| (path, None)));
    let mut seen: BTreeSet<(String, bool)> = BTreeSet::new();
    let mut found = Found::new();
    while let Some((path, linked_from)) = queue.pop_front() {
        if !seen.insert((path.clone(), linked_from.is_some())) {
            continue;
        }
        assert!(seen.len() < 1_000, "{said}: links without end, now {path}");
        let page = client.get(&path).await;
        let status = page.status.as_u16();
        if let Some(from) = &linked_from {
            assert!(matches!(status, 200 | 303), "{said}: {from} links to {path}, which gives {status}");
        }
        if status == 303 {
            queue.push_back((page.location(), Some(path)));
            continue;
        }
        if status != 200 {
            continue;
        }
        for link in page.links() {
            // The record grows with each form that is sent here: a few events are enough.
            if link.ends_with("/undo") && !facts.events.iter().any(|event| link.contains(event)) {
                continue;
            }
            let to = page.url.join(&link).unwrap();
            assert_eq!(to.origin(), page.url.origin(), "{path} links away, to {link}");
            let to = to[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
            queue.push_back((to, Some(path.clone())));
        }
        for form in page.forms().into_iter().filter(|form| form.method == Method::POST) {
            let fields: Vec<_> = form.fields.iter().filter(|(name, _)| name != "csrf").cloned().collect();
            assert!(fields.len() < form.fields.len(), "{said}: a form on {path} has no token: {form:?}");
            let mut action = page.url.join(&form.action).unwrap().path().replace("%3A", ":");
            if action.starts_with("/me/sessions/") && action != "/me/sessions/revocation" {
                action = "/me/sessions/{session}/revocation".to_owned();
            }
            // What it is about stands in the form, and not in its address.
            if action.contains("/selection/") {
                let ids = fields.iter().filter(|(name, _)| ["member", "invitation"].contains(&name.as_str()));
                action += &ids.map(|(name, id)| format!("?{name}={id}")).collect::<String>();
            }
            found.entry((action, fields)).or_insert_with(|| (page.clone(), form));
        }
    }
    found
}

/// Every page of the table that needs a member, with every id that the workspace has.
fn pages_of_table(facts: &Facts) -> Vec<String> {
    let mut all = Vec::new();
    for route in table() {
        let (Access::Member(_) | Access::Account, "GET") = (rule(&route), route.method.as_str()) else {
            continue;
        };
        all.extend(with_ids(route.path, facts));
    }
    all
}

/// The path with each id of the workspace in it.
fn with_ids(pattern: &str, facts: &Facts) -> Vec<String> {
    let path = pattern.replace("{workspace}", "acme").replace("{account}", &facts.account);
    let each = |hole: &str, ids: Vec<&str>| ids.into_iter().map(|id| path.replace(hole, id)).collect();
    if path.contains("{team}") {
        let mut all = Vec::new();
        for team in &facts.teams {
            let path = path.replace("{team}", &team.id);
            match path.contains("{member}") {
                true => all.extend(facts.members.iter().map(|member| path.replace("{member}", &member.id))),
                false => all.push(path),
            }
        }
        all
    } else if path.contains("{member}") {
        each("{member}", facts.members.iter().map(|member| member.id.as_str()).collect())
    } else if path.contains("{user}") {
        each("{user}", facts.account_people.iter().map(|person| person.user.as_str()).collect())
    } else if path.contains("{invitation}") {
        each("{invitation}", facts.invitations.iter().map(|invitation| invitation.id.as_str()).collect())
    } else if path.contains("{offer}") {
        each("{offer}", facts.offer.iter().map(|(id, ..)| id.as_str()).collect())
    } else if path.contains("{key}") && pattern.starts_with("/a/") {
        each("{key}", facts.account_keys.iter().map(|(key, _)| key.as_str()).collect())
    } else if path.contains("{key}") {
        each("{key}", facts.members.iter().filter_map(|member| member.key.as_deref()).collect())
    } else if path.contains("{role}") {
        each("{role}", facts.roles.keys().map(String::as_str).collect())
    } else if path.contains("{event}") {
        each("{event}", facts.events.iter().map(String::as_str).collect())
    } else if path.contains("{permission}") {
        each("{permission}", Permission::ALL.iter().map(|permission| permission.scope()).collect())
    } else if path.contains("/members/selection/") {
        let of = |member: &MemberFact| format!("{path}?member={}", member.id);
        facts.members.iter().map(of).collect()
    } else if path.contains("/invitations/selection/") {
        let of = |invitation: &InvitationFact| format!("{path}?invitation={}", invitation.id);
        facts.invitations.iter().map(of).collect()
    } else {
        assert!(!path.contains('{'), "say in tests/crawl.rs what goes into {pattern}");
        vec![path]
    }
}

/// The addresses to which this member may send a form, by policy and the facts alone.
fn expected(facts: &Facts, me: &str) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for route in table().iter().filter(|route| route.method.as_str() == "POST") {
        match rule(route) {
            Access::Member(needs) => {
                let my = &facts.members.iter().find(|member| member.id == me).unwrap().holdings;
                if my.meets(needs) {
                    let paths = with_ids(route.path, facts).into_iter();
                    all.extend(paths.filter(|path| may(facts, me, my, route.path, path)));
                }
            }
            Access::Key => unreachable!("no page is for keys"),
            Access::Account => {
                let is_me = |person: &&AccountPersonFact| person.member.as_deref() == Some(me);
                if facts.account_people.iter().find(is_me).unwrap().is_admin {
                    let paths = with_ids(route.path, facts).into_iter();
                    all.extend(paths.filter(|path| may_in_account(facts, route.path, path)));
                }
            }
            Access::SignedIn => match route.path {
                // Nobody here is unconfirmed or follows an invitation.
                "/me/verification" | "/invitation/acceptance" => {}
                path => {
                    all.insert(path.to_owned());
                }
            },
            // The one way in that a signed-in page leads to.
            Access::Public if route.path == "/forgot-password" => {
                all.insert(route.path.to_owned());
            }
            Access::Public => {}
        }
    }
    all
}

/// Would this change of the account be allowed to its admin?
fn may_in_account(facts: &Facts, route: &str, path: &str) -> bool {
    let admins = facts.account_people.iter().filter(|person| person.is_admin).count();
    let person = facts.account_people.iter().find(|person| path.contains(&person.user));
    let last_admin = person.is_some_and(|person| person.is_admin && admins == 1);
    match route.strip_prefix("/a/{account}").unwrap() {
        "/details" => true,
        "/api-keys" => true,
        "/api-keys/{key}/details" | "/api-keys/{key}/administration" | "/api-keys/{key}/revocation" => true,
        "/api-keys/{key}/rotation" => {
            facts.account_keys.iter().any(|(key, is_member)| path.contains(key) && !is_member)
        }
        "/people/{user}/admin" => !last_admin,
        "/people/{user}/removal" => !last_admin && person.is_some_and(|person| person.workspaces == 0),
        _ => panic!("say in tests/crawl.rs who may send POST {route}, beside the admins"),
    }
}

/// Would this change be allowed, on this very object?
fn may(facts: &Facts, me: &str, my: &Holdings, route: &str, path: &str) -> bool {
    // What may be done to a selection of one is what may be done to that one.
    let rest = route.replace("/members/selection/", "/members/{member}/");
    let rest = rest.replace("/invitations/selection/", "/invitations/{invitation}/");
    let rest = rest.strip_prefix("/w/{workspace}").unwrap();
    // An Owner who is a key does not count.
    let is_owner = |m: &MemberFact| m.is_active && m.key.is_none() && m.holdings.is_owner();
    let owners = facts.members.iter().filter(|m| is_owner(m)).count();
    let member = facts.members.iter().find(|member| path.contains(&member.id));
    let invitation = facts.invitations.iter().find(|invitation| path.contains(&invitation.id));
    let offer = facts.offer.as_ref();
    let team = facts.teams.iter().find(|team| path.contains(&team.id));
    let leads = |team: &TeamFact| team.people.iter().any(|(id, leads)| id == me && *leads);
    let edits = |team: &TeamFact| leads(team) || my.has(Permission::UpdateTeams);
    let is_in = |team: &TeamFact, m: &MemberFact| team.people.iter().any(|(id, _)| *id == m.id);
    let may_move = |team: &TeamFact, m: &MemberFact| {
        team.roles.is_empty() || my.may_change_roles(&m.holdings, &team.roles).is_ok()
    };
    let may_change = |team: &TeamFact| {
        let mut people = facts.members.iter().filter(|m| is_in(team, m));
        people.all(|m| my.may_manage(&m.holdings).is_ok())
            && team.roles.iter().all(|role| my.may_assign(role).is_ok())
    };
    let last_owner = |m: &MemberFact| owners == 1 && is_owner(m);
    let key = facts.members.iter().find(|m| m.key.as_ref().is_some_and(|key| path.contains(key)));
    // Somebody else, below me, and not the last Owner.
    let others = |m: &MemberFact| m.id != me && my.may_manage(&m.holdings).is_ok() && !last_owner(m);
    match rest {
        "/departure" => !last_owner(facts.members.iter().find(|member| member.id == me).unwrap()),
        "/members/{member}/roles" => my.may_manage(&member.unwrap().holdings).is_ok(),
        "/members/{member}/suspension" => member.is_some_and(|m| others(m) && m.is_active),
        "/members/{member}/reactivation" => member.is_some_and(|m| others(m) && !m.is_active),
        "/members/{member}/removal" => member.is_some_and(others),
        "/members/{member}/ownership-offer" => {
            let may_take = |m: &MemberFact| m.is_active && m.key.is_none() && !m.holdings.is_owner();
            my.is_owner() && offer.is_none() && member.is_some_and(may_take)
        }
        "/ownership-offers/{offer}/acceptance" | "/ownership-offers/{offer}/decline" => {
            offer.is_some_and(|(_, _, to)| to == me)
        }
        "/ownership-offers/{offer}/withdrawal" => {
            offer.is_some_and(|(_, from, _)| from == me || my.is_owner())
        }
        "/members" => {
            facts.account_people.iter().any(|person| person.member.is_none())
                && facts.roles.values().any(|role| my.may_invite([role]).is_ok())
        }
        "/invitations" => facts.roles.values().any(|role| my.may_invite([role]).is_ok()),
        "/invitations/{invitation}/resend" => {
            invitation.is_some_and(|i| i.is_open && my.may_invite(&i.roles).is_ok())
        }
        "/invitations/{invitation}/cancellation" => invitation.is_some_and(|i| i.is_open),
        "/security/{permission}" => {
            let permission = Permission::of_scope(path.rsplit('/').next().unwrap()).unwrap();
            let others = facts.roles.values().filter(|role| !role.is_owner());
            others.into_iter().any(|role| my.may_toggle(role, permission).is_ok())
        }
        "/roles" => true,
        "/roles/{role}/details" | "/roles/{role}/scopes" | "/roles/{role}/deletion" => {
            let slug = path.split('/').nth(4).unwrap();
            let role = &facts.roles[slug];
            let may_edit = !role.is_owner() && my.may_assign(role).is_ok();
            let is_custom = facts.custom.iter().any(|custom| custom == slug);
            let has = |slugs: &[String]| slugs.iter().any(|held| held == slug);
            match rest.rsplit('/').next().unwrap() {
                "scopes" => may_edit,
                "details" => may_edit && is_custom,
                // A team that carries it keeps it.
                _ if facts.teams.iter().any(|team| has(&team.carried)) => false,
                _ => may_edit && is_custom && may_be_replaced(facts, my, slug, has),
            }
        }
        "/teams" => true,
        "/teams/{team}/details" => team.is_some_and(edits),
        "/teams/{team}/members" => team.is_some_and(|team| {
            // A team is of people.
            let mut people = facts.members.iter().filter(|m| m.key.is_none());
            edits(team) && people.any(|m| !is_in(team, m) && may_move(team, m))
        }),
        "/teams/{team}/members/{member}/removal" => {
            let (team, member) = (team.unwrap(), member.unwrap());
            edits(team) && is_in(team, member) && may_move(team, member)
        }
        "/teams/{team}/members/{member}/lead" => is_in(team.unwrap(), member.unwrap()),
        "/teams/{team}/roles" => team.is_some_and(may_change),
        "/teams/{team}/deletion" => team.is_some_and(|team| team.roles.is_empty() || may_change(team)),
        "/api-keys" | "/api-keys/addition" => facts.roles.values().any(|role| my.may_assign(role).is_ok()),
        "/api-keys/{key}/details" | "/api-keys/{key}/rotation" | "/api-keys/{key}/revocation" => {
            key.is_some_and(|key| my.may_assign(&key.holdings).is_ok())
        }
        "/organization" | "/organization/deletion" => true,
        _ => panic!("say in tests/crawl.rs who may send POST {route}, beside the permission"),
    }
}

/// Nobody has the role, or I may give each who has it another one.
fn may_be_replaced(facts: &Facts, my: &Holdings, slug: &str, has: impl Fn(&[String]) -> bool) -> bool {
    let holders: Vec<_> = facts.members.iter().filter(|member| has(&member.held)).collect();
    let invited = facts.invitations.iter().any(|invitation| invitation.is_open && has(&invitation.offered));
    if holders.is_empty() && !invited {
        return true;
    }
    let mut others = facts.roles.iter().filter(|(other, held)| *other != slug && !held.is_owner());
    others.any(|(_, role)| my.may_assign(role).is_ok())
        && (holders.is_empty() || my.has(Permission::UpdateMemberRoles))
        && holders.iter().all(|member| my.may_manage(&member.holdings).is_ok())
}
