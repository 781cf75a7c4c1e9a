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
                .statements(5),
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

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, busy) = (&demo.owner, &demo.busy);
        let at = |rest: &str| demo.at(rest);
        pictures.add("roles-of-owner", 200, owner.get(&at("/roles")).await);

        pictures.add("roles-of-viewer", 200, demo.viewer.get(&at("/roles")).await);
        let at = |rest: &str| demo.at(&format!("/roles/{rest}"));
        pictures.add("role-built-in", 200, owner.get(&at("editor")).await);
        pictures.add("role-owner", 200, owner.get(&at("owner")).await);
        pictures.add("role-of-viewer", 200, demo.viewer.get(&at("support")).await);
        pictures.add("role-duplicate", 200, owner.get(&at("new?from=developer")).await);
        pictures.add("role-pattern", 200, owner.get(&at("new?template=manager")).await);

        let everybody = "permission=read:members&permission=read:audit&scopes=write:*+deploy:staging";
        let scopes = at(&format!("viewer/scopes/preview?{everybody}"));
        pictures.add("preview-scopes", 200, owner.get(&scopes).await);
        pictures.add("preview-scopes-many", 200, {
            busy.get(&format!("/w/seed-1/roles/viewer/scopes/preview?{everybody}")).await
        });
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, owner, admin) = (&demo.app, &demo.owner, &demo.admin);
        demo.let_admins_edit().await;
        let path = demo.at("/roles");
        let at = |rest: &str| format!("{path}/{rest}");
        let page = owner.get(&at("new")).await;
        let (name, long) = (demo.role_name(), demo.names == Names::Long);
        let scope = if long { format!("deploy:{}", "w".repeat(113)) } else { "deploy:*".to_owned() };
        let wrong = format!("{scope}\nusers_read, Write:Posts");
        let named = [("name", ""), ("scopes", &wrong), ("permission", "read:audit")];
        pictures.add("role-new-refused", 422, owner.submit(&page, &path, &named).await);
        let description =
            if long { "W".repeat(200) } else { demo.name("Calls people together when something breaks.") };
        let typed = format!("{scope} read:builds");
        let fields = [
            ("name", name.as_str()),
            ("description", &description),
            ("permission", "read:members"),
            ("permission", "read:audit"),
            ("scopes", &typed),
        ];
        let made = submit(owner, &page, &path, &fields).await;
        pictures.add("role-new", 200, page);
        let role = made.path().to_owned();
        let slug = role.rsplit('/').next().unwrap().to_owned();
        pictures.add("role-made", 200, made.clone());
        // Admins do not see the activity, which this role does.
        pictures.add("role-above-admin", 200, admin.get(&role).await);
        pictures.add("role-deletion", 200, owner.get(&format!("{role}/deletion")).await);

        let give = [("role", "developer"), ("role", slug.as_str())];
        owner.post_form(&format!("{}/roles", demo.member("developer")), &give).await.assert_status(303);
        owner.get(&role).await; // says what was given
        pictures.add("role-deletion-held", 200, owner.get(&format!("{role}/deletion")).await);
        pictures.add("role-deletion-refused", 409, owner.post_form(&format!("{role}/deletion"), &[]).await);
        pictures.add(
            "role-saved",
            200,
            submit(owner, &made, "/scopes", &[("permission", "read:teams")]).await,
        );
        let other = [("permission", "read:billing"), ("scopes", "read:reports")];
        pictures.add("role-stale", 409, owner.submit(&made, "/scopes", &other).await);
        let now = owner.get(&role).await;
        pictures.add("role-refused", 422, owner.submit(&now, "/scopes", &[("scopes", &wrong)]).await);
        pictures.add("role-unnamed", 422, owner.submit(&now, "/details", &[("name", "")]).await);
        let now = admin.get(&at("admin")).await;
        pictures.add("role-of-admin", 200, now.clone());
        let none = now.form("/scopes").without("permission");
        pictures.add("role-lock-out", 409, admin.send(&now, &none).await);

        pictures.add("roles-compared", 200, owner.get(&at(&format!("comparison?a=editor&b={slug}"))).await);
        let only = "comparison?a=developer&b=support&only=differences";
        pictures.add("roles-compared-differences", 200, owner.get(&at(only)).await);
        let same = "comparison?a=viewer&b=viewer&only=differences";
        pictures.add("roles-compared-same", 200, owner.get(&at(same)).await);
        pictures.add("roles-compared-refused", 422, owner.get(&at("comparison?a=king")).await);
        pictures.add("roles-with-custom", 200, owner.get(&path).await);
        let page = owner.get(&format!("{role}/deletion")).await;
        let deleted = submit(owner, &page, "/deletion", &[("replacement", "viewer")]).await;
        pictures.add("roles-deleted", 200, deleted);
        pictures.add("activity-of-roles", 200, owner.get(&demo.at("/activity")).await);
        assert_eq!(
            app.scalar_i64(&format!("SELECT count(*) FROM roles WHERE slug = {}", quoted(&slug))).await,
            0
        );
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
