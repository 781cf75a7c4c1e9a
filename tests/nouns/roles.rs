//! Roles: what each holds, who has it, and its end.

use crate::walk::*;

pub struct Roles;

#[async_trait(?Send)]
impl Noun for Roles {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/roles", one(P::ReadMembers)).statements(2),
            form("/w/{workspace}/roles", one(P::ManageRoles))
                .sends(|_| fields(&[("name", "New Role"), ("scopes", "read:notes")]))
                .also_reads(&["description", "permission"])
                .types(|_, form| form.fill(&[("name", "Another Role")]))
                .like("POST /api/sso/v1/roles"),
            page("/w/{workspace}/roles/new", one(P::ManageRoles)).reads(&[]).statements(1),
            page("/w/{workspace}/roles/comparison", one(P::ReadMembers)).reads(&[]).statements(1),
            page("/w/{workspace}/roles/{role}", one(P::ReadMembers)).reads(&[]).statements(3),
            form("/w/{workspace}/roles/{role}/details", one(P::ManageRoles))
                .sends(|_| fields(&[("name", "Renamed")]))
                .carries(&["version"], "/w/{workspace}/roles/{role}", "/details")
                .verdict(not_of_owners)
                .offered(|at| may_edit(at) && is_custom(at))
                .like("PATCH /api/sso/v1/roles/{role}"),
            form("/w/{workspace}/roles/{role}/scopes", one(P::UpdatePermissions))
                .sends(|_| fields(&[("permission", "read:members"), ("scopes", "write:notes")]))
                .carries(&["version"], "/w/{workspace}/roles/{role}", "/scopes")
                .verdict(not_of_owners)
                .offered(may_edit)
                .like("PUT /api/sso/v1/roles/{role}/scopes"),
            // Everybody would lose or gain something.
            page("/w/{workspace}/roles/{role}/scopes/preview", one(P::UpdatePermissions))
                .query("scopes=write:notes")
                .reads(&[])
                .statements(3),
            page("/w/{workspace}/roles/{role}/deletion", one(P::ManageRoles))
                .verdict(not_of_owners)
                .statements(3),
            form("/w/{workspace}/roles/{role}/deletion", one(P::ManageRoles))
                .verdict(not_of_owners)
                .offered(|at| may_edit(at) && is_custom(at) && may_be_replaced(at))
                .types(with_replacement)
                .like("DELETE /api/sso/v1/roles/{role}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/roles", one(P::ReadMembers)),
            call("POST /api/sso/v1/roles", one(P::ManageRoles))
                .body(|_| json!({"name": "New Role", "scopes": ["read:notes"]})),
            call("GET /api/sso/v1/roles/{role}", one(P::ReadMembers)),
            call("PATCH /api/sso/v1/roles/{role}", one(P::ManageRoles))
                .body(|_| json!({"name": "Renamed"}))
                .verdict(not_of_owners),
            call("DELETE /api/sso/v1/roles/{role}", one(P::ManageRoles)).verdict(not_of_owners),
            call("PUT /api/sso/v1/roles/{role}/scopes", one(P::UpdatePermissions))
                .body(|_| json!({"scopes": ["read:members", "write:notes"]}))
                .verdict(not_of_owners),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("role").sample("editor").every(|facts| facts.roles.keys().cloned().collect())]
    }

    fn upgraded(&self) -> &'static [(&'static str, &'static str)] {
        &[("SELECT CAST(COUNT(*) AS TEXT) FROM workspaces WHERE roles_version IS NULL", "0")]
    }

    async fn plant(&self, plot: &mut Plot<'_>) {
        if plot.home.is_some() {
            let everything: Vec<&str> = P::ALL.iter().map(|permission| permission.scope()).collect();
            add_role(plot.app, plot.slug(), "custom", "Role Elsewhere", &everything).await;
            plot.put("role", "custom");
        } else {
            add_role(plot.app, plot.slug(), "helper", "Helper", &["read:members", "read:notes"]).await;
            add_role(plot.app, plot.slug(), "reviewer", "Reviewer", &["read:members", "write:notes"]).await;
            // Nobody holds it.
            plot.put("role", "helper");
            plot.put_above("role", "owner");
        }
    }

    fn plans(&self) -> Plans {
        let allowed = &[(
            "i.status = 'pending') AS invited",
            "those that are pending are fewer than all that ever offered a role",
        )];
        Plans { allowed, ..Plans::default() }
    }

    /// A role's life: it is created, renamed, given a scope, held and offered, and replaced by another.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let at = |rest: &str| format!("{HOME}/{rest}");
        for path in [
            "roles",
            "roles/new",
            "roles/comparison?a=editor&b=viewer",
            "roles/editor",
            "roles/editor/scopes/preview?permission=read:audit&scopes=write:notes",
            "roles/viewer/scopes/preview?scopes=write:notes",
        ] {
            tour.get(&owner, &at(path), 200).await;
        }
        let fields = [("name", "Release Manager"), ("scopes", "deploy:*")];
        tour.post(&owner, &at("roles"), &fields, 303).await;
        let role = at("roles/release-manager");
        let page = tour.get(&owner, &role, 200).await;
        for (form, fields) in [
            ("/details", &[("name", "Releases"), ("description", "Who ships")][..]),
            ("/scopes", &[("scopes", "deploy:* read:builds")]),
        ] {
            let answer = owner.send(&page, &page.form(form).fill(fields)).await;
            tour.note(answer, 303);
        }
        let member = member_id(tour.app, "member-3@seed-1.example.com", "seed-1").await;
        tour.post(&owner, &at(&format!("members/{member}/roles")), &[("role", "release-manager")], 303).await;
        let fields = [("emails", "guest-three@example.com"), ("role", "release-manager")];
        tour.post(&owner, &at("invitations"), &fields, 303).await;
        tour.get(&owner, &format!("{role}/deletion"), 200).await;
        tour.post(&owner, &format!("{role}/deletion"), &[("replacement", "viewer")], 303).await;

        tour.call("roles/viewer").await;
        // What a built-in role means to the applications.
        let meaning = json!({"name": "Viewer", "slug": "viewer", "scopes": ["read:posts"]});
        tour.call_once("roles", &meaning, 200).await;
    }
}

/// Nobody changes the role of the Owners, not even an Owner.
fn not_of_owners(at: &Attempt) -> Verdict {
    at.done_if(!at.is_above())
}

fn may_edit(at: &Offer) -> bool {
    let role = &at.facts.roles[at.id("role")];
    !role.is_owner() && at.my().may_assign(role).is_ok()
}

fn is_custom(at: &Offer) -> bool {
    let role = at.facts.rows("roles").iter().find(|role| role["slug"] == at.id("role"));
    role.is_some_and(|role| !flag(role, "built_in"))
}

/// No team carries it, and nobody has it, or I may give each who has it another one.
fn may_be_replaced(at: &Offer) -> bool {
    let (facts, slug) = (at.facts, at.id("role"));
    let has = |held: &[String]| held.iter().any(|role| role == slug);
    // A team that carries it keeps it.
    if facts.ids("teams").iter().any(|team| has(&facts.roles_by("team_roles", "team_id", team))) {
        return false;
    }
    let holders: Vec<_> = facts.members.iter().filter(|member| has(&member.held)).collect();
    let mut invitations =
        facts.rows("invitations").iter().filter(|invitation| invitation["status"] == "pending");
    let is_offered =
        invitations.any(|row| has(&facts.roles_by("invitation_roles", "invitation_id", text(row, "id"))));
    if holders.is_empty() && !is_offered {
        return true;
    }
    let mut others = facts.roles.iter().filter(|(other, held)| *other != slug && !held.is_owner());
    others.any(|(_, role)| at.my().may_assign(role).is_ok())
        && (holders.is_empty() || at.has(P::UpdateMemberRoles))
        && holders.iter().all(|member| at.my().may_manage(&member.holdings).is_ok())
}

fn with_replacement(page: &Page, form: FormOnPage) -> FormOnPage {
    match page.attributes("#replacement option:not([disabled])", "value").get(1) {
        Some(role) => form.fill(&[("replacement", role)]),
        None => form,
    }
}

/// A custom role with these scopes.
pub async fn add_role(app: &TestApp, workspace: &str, slug: &str, name: &str, scopes: &[&str]) {
    let (id, workspace) = (app.id(new_id()), quoted(workspace));
    let sql = format!(
        "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at)
         SELECT {id}, r.workspace_id, {}, {}, '', r.is_owner, r.is_owner, 9, r.created_at
         FROM roles r JOIN workspaces w ON w.id = r.workspace_id WHERE w.slug = {workspace} AND r.slug = 'viewer'",
        quoted(slug),
        quoted(name)
    );
    // A Viewer is no Owner: the one false that both databases write alike.
    assert_eq!(app.execute(&sql).await, 1);
    for scope in scopes {
        let sql = format!(
            "INSERT INTO grants (workspace_id, role_id, scope) SELECT id, {id}, {} FROM workspaces WHERE slug = {workspace}",
            quoted(scope)
        );
        assert_eq!(app.execute(&sql).await, 1);
    }
}
