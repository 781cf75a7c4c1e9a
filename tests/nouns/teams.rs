//! Teams: people who belong together, and the roles that come with it.

use crate::walk::*;

pub struct Teams;

#[async_trait(?Send)]
impl Noun for Teams {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/teams", one(P::ReadTeams)).statements(2),
            form("/w/{workspace}/teams", one(P::CreateTeams))
                .sends(|_| fields(&[("name", "Another Team"), ("description", "")]))
                .types(|_, form| form.fill(&[("name", "Another Team")]))
                .like("POST /api/sso/v1/teams"),
            page("/w/{workspace}/teams/new", one(P::CreateTeams)).statements(1),
            page("/w/{workspace}/teams/{team}", one(P::ReadTeams)).statements(3),
            form("/w/{workspace}/teams/{team}/details", MEMBER)
                .sends(|_| fields(&[("name", "Another Team"), ("description", "")]))
                .verdict(|at| at.done_if(edits(at)))
                .offered(may_edit)
                .like("PATCH /api/sso/v1/teams/{team}"),
            page("/w/{workspace}/teams/{team}/members", one(P::ReadMembers))
                .verdict(|at| at.done_if(edits(at)))
                .statements(3),
            form("/w/{workspace}/teams/{team}/members", MEMBER)
                .ticks("member")
                .sends(|at| vec![("member", at.world.acme.text("suspended_member").to_owned())])
                .verdict(|at| at.done_if(edits(at)))
                .offered(|at| may_edit(at) && is_somebody_to_add(at))
                .types(with_first_member)
                .like("POST /api/sso/v1/teams/{team}/members"),
            form("/w/{workspace}/teams/{team}/members/{member}/removal", MEMBER)
                .verdict(|at| at.done_if(edits(at) && changes_roles(at)))
                .offered(|at| may_edit(at) && is_in(at, at.member()) && may_move(at, at.member()))
                .like("DELETE /api/sso/v1/teams/{team}/members/{member}"),
            form("/w/{workspace}/teams/{team}/members/{member}/lead", one(P::UpdateTeams))
                .sends(|_| fields(&[("lead", "yes")]))
                .offered(|at| is_in(at, at.member()))
                .like("PUT /api/sso/v1/teams/{team}/members/{member}/lead"),
            form("/w/{workspace}/teams/{team}/roles", one(P::UpdateTeams))
                .sends(|_| fields(&[("role", "viewer"), ("role", "support")]))
                .carries(&["version"], "/w/{workspace}/teams/{team}", "/roles")
                .verdict(|at| at.done_if(changes_roles(at)))
                .offered(may_change_roles)
                .like("PUT /api/sso/v1/teams/{team}/roles"),
            page("/w/{workspace}/teams/{team}/roles/preview", one(P::UpdateTeams))
                .query("role=editor")
                .statements(4),
            page("/w/{workspace}/teams/{team}/deletion", one(P::DeleteTeams)).statements(2),
            form("/w/{workspace}/teams/{team}/deletion", one(P::DeleteTeams))
                .offered(|at| carried(at).is_empty() || may_change_roles(at))
                .like("DELETE /api/sso/v1/teams/{team}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/teams", one(P::ReadTeams)),
            call("POST /api/sso/v1/teams", one(P::CreateTeams)).body(|_| json!({"name": "Another Team"})),
            call("GET /api/sso/v1/teams/{team}", one(P::ReadTeams)),
            call("PATCH /api/sso/v1/teams/{team}", MEMBER)
                .body(|_| json!({"name": "Another Team"}))
                .verdict(|at| at.done_if(edits(at))),
            call("DELETE /api/sso/v1/teams/{team}", one(P::DeleteTeams)),
            call("PUT /api/sso/v1/teams/{team}/roles", one(P::UpdateTeams))
                .body(|_| json!({"roles": ["viewer", "support"]}))
                .verdict(|at| at.done_if(changes_roles(at))),
            call("GET /api/sso/v1/teams/{team}/members", one(P::ReadTeams)),
            call("POST /api/sso/v1/teams/{team}/members", MEMBER)
                .body(|at| json!({"members": [at.world.acme.text("suspended_member")]}))
                .succeeds_with(204)
                .verdict(|at| at.done_if(edits(at))),
            call("DELETE /api/sso/v1/teams/{team}/members/{member}", MEMBER)
                .verdict(|at| at.done_if(edits(at) && changes_roles(at) && !at.is_above())),
            call("PUT /api/sso/v1/teams/{team}/members/{member}/lead", one(P::UpdateTeams))
                .body(|_| json!({"lead": true}))
                .succeeds_with(204)
                // The founder vouches for every key here.
                .verdict(|at| at.done_if(!at.is_above())),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("team").every(|facts| facts.ids("teams"))]
    }

    /// One that carries the role Viewer, with the Viewer in it; in acme the Developer leads it. And one with
    /// the Owner in it, and nobody who leads.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, viewer, owner) = (plot.app, plot.slug(), plot.id("member"), plot.owner.member_id);
        let name = plot.name("Team One");
        if plot.home.is_some() {
            plot.put("team", add_team(app, slug, &name, &["viewer"], &[(viewer, true)]).await);
            return;
        }
        let developer = plot.person(BuiltIn::Developer).member_id;
        plot.put(
            "team",
            add_team(app, slug, &name, &["viewer"], &[(viewer, false), (developer, true)]).await,
        );
        plot.put_above("team", add_team(app, slug, "Team Above", &["viewer"], &[(owner, false)]).await);
        // Gives nothing, to whomever.
        let people = [(owner, false), (plot.id("suspended_member"), false)];
        add_team(app, slug, "Team Without Roles", &[], &people).await;
        add_team(app, slug, "Team Of Nobody", &["editor"], &[]).await;
    }

    /// More people in the team.
    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        let team = world.acme.id("team");
        let sql = format!(
            "SELECT id FROM members WHERE workspace_id = {} AND kind = 'user' AND id NOT IN
                (SELECT member_id FROM team_members WHERE team_id = {}) ORDER BY id DESC LIMIT {n}",
            app.id(world.acme.id),
            app.id(team)
        );
        for row in app.rows(&sql).await {
            add_to_team(app, team, text(&row, "id").parse().unwrap(), false).await;
        }
    }

    fn plans(&self) -> Plans {
        Plans { many: &["team_members"], ..Plans::default() }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO teams (id, workspace_id, name, listed_as, description, created_at)
                SELECT {id}, id, 'Everybody', 'everybody', '', 0 FROM workspaces",
            "INSERT INTO team_members (workspace_id, team_id, member_id, is_lead, joined_at)
                SELECT m.workspace_id, t.id, m.id, 1 = 0, m.joined_at FROM teams t
                JOIN members m ON m.workspace_id = t.workspace_id",
        ]
    }

    /// A team that everybody is in, and one that begins and ends.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, admin, viewer) = (tour.owner.clone(), tour.admin.clone(), tour.viewer.clone());
        let sql =
            "SELECT t.id FROM teams t JOIN workspaces w ON w.id = t.workspace_id WHERE w.slug = 'seed-1'";
        let everybody = format!("teams/{}", tour.app.scalar_uuid(sql).await);
        let at = |rest: &str| format!("{HOME}/{rest}");
        for path in ["teams", "teams/new", &format!("{everybody}/deletion")] {
            tour.get(&owner, &at(path), 200).await;
        }
        tour.list(&everybody, "", &[]).await;
        // Somebody whom a ceiling concerns.
        tour.get(&admin, &at(&everybody), 200).await;
        for roles in ["", "?role=editor", "?role=editor&role=support&role=viewer"] {
            tour.get(&owner, &at(&format!("{everybody}/roles/preview{roles}")), 200).await;
            tour.get(&admin, &at(&format!("{everybody}/roles/preview{roles}")), 200).await;
        }
        let team = tour.post(&owner, &at("teams"), &[("name", "New Team")], 303).await.location();
        let people = format!("{team}/members");
        for path in [people.clone(), format!("{people}?q=member")] {
            tour.get(&owner, &path, 200).await;
            tour.get(&admin, &path, 200).await;
        }
        let ids: Vec<String> = tour.take_members(3).iter().map(Uuid::to_string).collect();
        let some: Vec<_> = ids.iter().map(|id| ("member", id.as_str())).collect();
        tour.post(&owner, &people, &some, 303).await;
        tour.post(&owner, &at("teams"), &[("name", "New Team")], 422).await;
        tour.post(&owner, &format!("{team}/details"), &[("name", "Newer Team")], 303).await;
        tour.post(&owner, &format!("{people}/{}/lead", ids[0]), &[("lead", "yes")], 303).await;
        for roles in [&["support", "billing"][..], &["billing"]] {
            let page = owner.visit(&team).await;
            let form = page.form("form[action$='/roles'].form").without("role");
            let roles: Vec<_> = roles.iter().map(|role| ("role", *role)).collect();
            let answer = owner.send(&page, &form.fill(&roles)).await;
            tour.note(answer, 303);
            tour.get(&owner, &format!("{team}/roles/preview?role=viewer"), 200).await;
            let event = super::activity::newest_event(tour.app, "seed-1").await;
            tour.get(&owner, &at(&format!("activity/{event}/undo")), 200).await;
        }
        tour.post(&owner, &format!("{people}/{}/removal", ids[0]), &[], 303).await;
        tour.post(&viewer, &people, &some, 403).await;
        tour.post(&owner, &format!("{team}/deletion"), &[], 303).await;
        tour.call_once("teams", &json!({"name": "Called"}), 201).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures.add("empty-teams", 200, demo.founder.client.get("/w/acme/teams").await);
        let team = demo.owner.get(&demo.at("/teams")).await.attributes("tbody .name a", "href").remove(0);
        let preview = format!("{team}/roles/preview?role=admin");
        pictures.add("preview-team", 200, demo.owner.get(&preview).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, admin, lead) = (&demo.owner, &demo.admin, &demo.developer);
        let base = demo.at("/teams");
        let page = owner.get(&base).await;
        let teams = page.attributes("tbody .name a", "href");
        let (on_call, product) = (teams[0].as_str(), teams[1].as_str());
        let people = format!("{on_call}/members");
        pictures.add("teams-of-owner", 200, page);
        pictures.add("teams-of-viewer", 200, demo.viewer.get(&base).await);
        pictures.add("team-of-owner", 200, owner.get(on_call).await);
        pictures.add("team-of-lead", 200, lead.get(on_call).await);
        pictures.add("team-of-viewer", 200, demo.viewer.get(product).await);
        pictures.open("team-menu", "team-of-owner", &["td details.dropdown > summary"]);
        pictures.add("team-candidates", 200, owner.get(&people).await);
        pictures.add("team-candidates-of-lead", 200, lead.get(&people).await);
        pictures.add("team-candidates-none", 200, owner.get(&format!("{people}?q=nobody+at+all")).await);
        pictures.add("team-candidates-refused", 422, owner.post_form(&people, &[]).await);
        pictures.open("team-candidates-selected", "team-candidates", &["input[name=member]:enabled"]);
        pictures.add("team-deletion", 200, owner.get(&format!("{on_call}/deletion")).await);

        let page = owner.get(&format!("{base}/new")).await;
        pictures.add("team-new-refused", 422, owner.submit(&page, &base, &[("name", "")]).await);
        let fields = [("name", demo.name("New team")), ("description", demo.name("For the picture"))];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pictures.add("team-new", 200, page.clone());
        let page = submit(owner, &page, &base, &fields).await;
        let empty = page.path().to_owned();
        pictures.add("team-empty", 200, page.clone());
        pictures.add("team-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
        let roles = "form[action$='/roles'].form";
        pictures.add("team-saved", 200, submit(owner, &page, roles, &[("role", "billing")]).await);
        pictures.add("team-stale", 409, owner.submit(&page, roles, &[("role", "support")]).await);
        // Somebody is in it who is above an Admin.
        let fields = [("member", demo.members["owner"].to_string())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        owner.post_form(&format!("{empty}/members"), &fields).await.assert_status(303);
        pictures.add("team-above-admin", 200, admin.get(&empty).await);
        pictures.add("activity-of-teams", 200, owner.get(&demo.at("/activity")).await);

        let busy = &demo.busy;
        let made = busy.post_form("/w/seed-1/teams", &[("name", &demo.name("Everybody"))]).await.location();
        for _ in 0..2 {
            let path = format!("{made}/members");
            let ids = busy.get(&path).await.attributes("input[name=member]:not([disabled])", "value");
            let fields: Vec<_> = ids.iter().map(|id| ("member", id.as_str())).collect();
            busy.post_form(&path, &fields).await.assert_status(303);
        }
        let first = busy.get(&made).await;
        let first = busy.follow(first).await;
        pictures.add("team-many-next", 200, busy.get(&first.attributes("[rel=next]", "href")[0]).await);
        pictures.add("team-candidates-everybody", 200, busy.get(&format!("{made}/members")).await);
    }
}

// ---- the matrix ---------------------------------------------------------------------------------

/// The Developer leads the one team, and nobody the one above; no key leads any.
fn edits(at: &Attempt) -> bool {
    let leads = at.kind() == Kind::Role(BuiltIn::Developer) && at.place == Place::Own && !at.is_key();
    leads || at.has(P::UpdateTeams)
}

/// In the team above is an Owner, and both carry a role.
fn changes_roles(at: &Attempt) -> bool {
    at.is_owner() || !at.is_above()
}

// ---- the crawl ----------------------------------------------------------------------------------

/// Slugs of the roles that the team carries.
fn carried(at: &Offer) -> Vec<String> {
    at.facts.roles_by("team_roles", "team_id", at.id("team"))
}

fn people<'a>(at: &'a Offer) -> impl Iterator<Item = &'a Value> {
    at.facts.rows("team_members").iter().filter(|place| place["team_id"] == at.id("team"))
}

fn is_in(at: &Offer, member: &MemberFact) -> bool {
    people(at).any(|place| place["member_id"] == member.id.as_str())
}

/// I lead the team, or update any.
fn may_edit(at: &Offer) -> bool {
    let leads = people(at).any(|place| place["member_id"] == at.me.id.as_str() && flag(place, "is_lead"));
    leads || at.has(P::UpdateTeams)
}

fn may_move(at: &Offer, member: &MemberFact) -> bool {
    let roles = carried(at);
    roles.is_empty() || at.my().may_change_roles(&member.holdings, at.facts.holdings(&roles)).is_ok()
}

/// A team is of people.
fn is_somebody_to_add(at: &Offer) -> bool {
    let mut people = at.facts.members.iter().filter(|member| member.key.is_none());
    people.any(|member| !is_in(at, member) && may_move(at, member))
}

fn may_change_roles(at: &Offer) -> bool {
    let mut people = at.facts.members.iter().filter(|member| is_in(at, member));
    people.all(|member| at.my().may_manage(&member.holdings).is_ok())
        && at.facts.holdings(&carried(at)).iter().all(|role| at.my().may_assign(role).is_ok())
}

fn with_first_member(page: &Page, form: FormOnPage) -> FormOnPage {
    // From their page, or the Undo of a removal, which says whom.
    match page.attributes("#results input[name=member]:not([disabled])", "value").first() {
        Some(first) => form.fill(&[("member", first)]),
        None => form,
    }
}

// ---- rows ---------------------------------------------------------------------------------------

/// A team with these roles, and these members, each with whether they lead it.
pub async fn add_team(
    app: &TestApp,
    slug: &str,
    name: &str,
    roles: &[&str],
    people: &[(Uuid, bool)],
) -> Uuid {
    let (team, slug) = (new_id(), quoted(slug));
    let (id, named) = (app.id(team), quoted(name));
    let sql = format!(
        "INSERT INTO teams (id, workspace_id, name, listed_as, description, created_at)
         SELECT {id}, w.id, {named}, lower({named}), '', w.created_at FROM workspaces w WHERE w.slug = {slug}"
    );
    assert_eq!(app.execute(&sql).await, 1);
    for (member, is_lead) in people {
        add_to_team(app, team, *member, *is_lead).await;
    }
    for role in roles {
        let sql = format!(
            "INSERT INTO team_roles (workspace_id, team_id, role_id)
             SELECT r.workspace_id, {id}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
             WHERE w.slug = {slug} AND r.slug = {}",
            quoted(role)
        );
        assert_eq!(app.execute(&sql).await, 1, "no role {role}");
    }
    team
}

pub async fn add_to_team(app: &TestApp, team: Uuid, member: Uuid, is_lead: bool) {
    let sql = format!(
        "INSERT INTO team_members (workspace_id, team_id, member_id, is_lead, joined_at)
         SELECT t.workspace_id, t.id, {}, {}, t.created_at FROM teams t WHERE t.id = {}",
        app.id(member),
        if is_lead { "1 = 1" } else { "1 = 0" },
        app.id(team)
    );
    assert_eq!(app.execute(&sql).await, 1);
}
