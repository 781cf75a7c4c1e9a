//! Workspaces: one's list of them, the name, slug and deletion of one.

use crate::walk::*;
use reqwest::Method;

pub struct Workspaces;

#[async_trait(?Send)]
impl Noun for Workspaces {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/", PUBLIC).succeeds_with(303).statements(0),
            page("/workspaces", SIGNED_IN).reads(&[]).statements(6),
            form("/workspaces", SIGNED_IN)
                .sends(|_| fields(&[("name", "Another"), ("slug", "another")]))
                .also_reads(&["account", "separate_billing"])
                .types(|_, form| form.fill(&[("name", "Another One")])),
            // Nothing waits for the people of the world.
            form("/workspaces/waiting/{membership}/acceptance", SIGNED_IN)
                .verdict(|_| Verdict::Is(404))
                .offered(|_| false),
            form("/workspaces/waiting/{membership}/decline", SIGNED_IN)
                .verdict(|_| Verdict::Is(404))
                .offered(|_| false),
            // No domain of the world is proved.
            form("/workspaces/joinable/{join_domain}/membership", SIGNED_IN)
                .verdict(|_| Verdict::Is(404))
                .offered(|_| false),
            // Nothing of the world is deleted.
            form("/workspaces/deleted/{deleted_workspace}/restoration", SIGNED_IN)
                .verdict(|_| Verdict::Is(404))
                .offered(|_| false),
            page("/w/{workspace}/organization", MEMBER).statements(4),
            form("/w/{workspace}/organization", one(P::UpdateOrganization))
                .sends(|_| fields(&[("name", "Renamed"), ("slug", "renamed")]))
                .also_reads(&["owner_idle_hours"])
                .like("PATCH /api/sso/v1/workspaces/{workspace}"),
            form("/w/{workspace}/organization/origins", one(P::UpdateOrganization))
                .sends(|_| fields(&[("origins", "https://app.example.com")]))
                .carries(&["version"], "/w/{workspace}/organization", "/organization/origins")
                .types(|_, form| form.fill(&[("origins", "https://typed.example.com")]))
                .like("PUT /api/sso/v1/workspaces/{workspace}/origins"),
            form("/w/{workspace}/organization/administration-request", MEMBER)
                // The only Owner is an admin of the account.
                .verdict(|at| if at.is_owner() { Verdict::Audited(409) } else { Verdict::Audited(403) })
                .offered(|at| at.my().is_owner() && !is_account_admin(at))
                .unlike_any_call("an account is administered by people"),
            page("/w/{workspace}/organization/deletion", one(P::DeleteOrganization)).statements(2),
            form("/w/{workspace}/organization/deletion", one(P::DeleteOrganization))
                .sends(|at| fields(&[("confirm", at.workspace())]))
                .types(|_, form| form.fill(&[("confirm", "acme")]))
                .like("DELETE /api/sso/v1/workspaces/{workspace}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/workspaces", KEY),
            call("POST /api/sso/v1/workspaces", KEY)
                .body(|_| json!({"name": "Another", "slug": "another"}))
                // No key of the walk administers its account.
                .verdict(|_| Verdict::Audited(403)),
            call("GET /api/sso/v1/workspaces/{workspace}", MEMBER),
            call("PATCH /api/sso/v1/workspaces/{workspace}", one(P::UpdateOrganization))
                .body(|_| json!({"name": "Renamed", "slug": "renamed"})),
            call("DELETE /api/sso/v1/workspaces/{workspace}", one(P::DeleteOrganization))
                .query("confirm={workspace}"),
            call("GET /api/sso/v1/workspaces/{workspace}/origins", MEMBER),
            call("PUT /api/sso/v1/workspaces/{workspace}/origins", one(P::UpdateOrganization))
                .body(|_| json!({"origins": ["https://app.example.com"]})),
        ]
    }

    fn params(&self) -> Vec<Param> {
        let membership = Param::new("membership").value(|at| {
            Some(match at.place {
                Place::ForeignIds => at.world.elsewhere.id("member").to_string(),
                Place::UnknownIds => UNKNOWN.to_string(),
                _ => at.world.acme.id("member").to_string(),
            })
        });
        let deleted = Param::new("deleted_workspace").value(|at| {
            Some(match at.place {
                Place::ForeignIds => at.world.elsewhere.id.to_string(),
                Place::UnknownIds => UNKNOWN.to_string(),
                _ => at.world.acme.id.to_string(),
            })
        });
        vec![membership, deleted]
    }

    async fn plant(&self, plot: &mut Plot<'_>) {
        add_origin(plot.app, plot.slug(), &format!("https://{}.example.com", plot.slug())).await;
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO allowed_origins (workspace_id, origin)
                SELECT id, 'https://' || slug || '.example.com' FROM workspaces",
            "INSERT INTO allowed_origins (workspace_id, origin) SELECT id, 'https://shared.example.com' FROM workspaces",
        ]
    }

    fn plans(&self) -> Plans {
        let allowed = &[
            (
                "DELETE FROM workspaces WHERE id = $1",
                "SQLite looks for rows that name it, which were removed before",
            ),
            ("INSERT INTO \"workspaces\"", "SQLite looks for rows that name it, of which a new one has none"),
            (
                "SELECT COUNT(*) AS num_items FROM (SELECT \"members\"",
                "the deletion of a workspace says how many it had",
            ),
            (
                "FROM audit_chains c WHERE NOT c.sealed AND c.kind <> 'installation'",
                "a checkpoint commits to every chain that has changed, and the metrics say how many there are",
            ),
            ("SELECT note FROM audit_checkpoints ORDER BY seq DESC LIMIT 1", "it reads the last row alone"),
        ];
        Plans { allowed, ..Plans::default() }
    }

    /// It ends the workspace of the tour.
    async fn tour(&self, tour: &mut Tour<'_>) {
        // Whose name the stop of `me` changed.
        let me = tour.app.client();
        sign_in_with(&me, "newer@example.com", PASSWORD).await;
        tour.get(&me, "/", 303).await;
        tour.get(&me, "/workspaces", 200).await;
        tour.post(&me, "/workspaces", &[("name", "Another"), ("slug", "another")], 303).await;
        tour.post(&me, "/workspaces", &[("name", "Another"), ("slug", "another")], 422).await;
        for path in ["workspaces", "workspaces/seed-1"] {
            tour.call(path).await;
        }
        tour.call_once("workspaces", &json!({"name": "Called", "owner": null}), 201).await;
        entered(tour).await;
        // Who is the Owner since the stop of `ownership`.
        let admin = tour.admin.clone();
        let organization = format!("{HOME}/organization");
        tour.get(&admin, &organization, 200).await;
        tour.post(&admin, &organization, &[("name", "Renamed"), ("slug", "seed-1")], 303).await;
        for origins in ["https://app.example.com http://localhost:3000", "https://app.example.com"] {
            let page = tour.get(&admin, &organization, 200).await;
            let form = page.form("/organization/origins").fill(&[("origins", origins)]);
            tour.note(admin.send(&page, &form).await, 303);
        }
        tour.call("workspaces/seed-1/origins").await;
        let from = [("origin", "https://app.example.com"), ("access-control-request-method", "GET")];
        for (method, status) in [(Method::OPTIONS, 204), (Method::GET, 200)] {
            tour.robot.send(method, "/api/sso/v1/members", None, &from).await.with_status(status);
        }
        tour.keep("a page of another website");
        tour.get(&admin, &format!("{organization}/deletion"), 200).await;
        let id = tour.app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'seed-1'").await;
        tour.post(&admin, &format!("{organization}/deletion"), &[("confirm", "seed-1")], 303).await;
        tour.get(&admin, "/workspaces", 200).await;
        tour.post(&admin, &format!("/workspaces/deleted/{id}/restoration"), &[], 303).await;
        tour.post(&admin, &format!("{organization}/deletion"), &[("confirm", "seed-1")], 303).await;
        // The sweep at the end of the tour removes it.
        let long_ago = "UPDATE workspaces SET deleted_at = 1 WHERE slug = 'seed-1'";
        assert_eq!(tour.app.execute(long_ago).await, 1);
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, viewer) = (&demo.owner, &demo.viewer);
        let page = owner.get("/workspaces").await;
        pictures.add("workspaces-refused", 422, {
            owner.submit(&page, "/workspaces", &[("name", ""), ("slug", "No Address")]).await
        });
        pictures.add("workspaces", 200, page);
        pictures.add("workspaces-suspended", 200, demo.former.get("/workspaces").await);

        let at = |rest: &str| demo.at(rest);
        pictures.add("organization-of-owner", 200, owner.get(&at("/organization")).await);
        pictures.add("organization-of-viewer", 200, viewer.get(&at("/organization")).await);
        pictures.add("deletion", 200, owner.get(&at("/organization/deletion")).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        let path = demo.at("/organization");
        let page = owner.get(&path).await;
        pictures.add("organization-refused", 422, {
            owner.submit(&page, &path, &[("name", ""), ("slug", "No Address")]).await
        });
        let page = owner.get(&path).await;
        pictures.add("organization-websites-refused", 422, {
            owner
                .submit(
                    &page,
                    "/organization/origins",
                    &[("origins", "https://app.example.com http://example.com")],
                )
                .await
        });
        let named =
            owner.submit(&page, "/organization/origins", &[("origins", "https://app.example.com")]).await;
        pictures.add("organization-websites", 200, owner.follow(named).await);
        pictures.add("organization-websites-of-viewer", 200, demo.viewer.get(&path).await);
        let page = owner.get(&demo.at("/organization/deletion")).await;
        pictures.add(
            "deletion-refused",
            422,
            owner.submit(&page, "/deletion", &[("confirm", "another")]).await,
        );

        // It ends the workspace of the founder who is alone.
        let (founder, alone) = (&demo.founder.client, account_id(&demo.app, "acme").await);
        founder.post_form("/w/acme/organization/deletion", &[("confirm", "acme")]).await.assert_status(303);
        pictures.add("account-empty", 200, founder.get(&format!("/a/{alone}")).await);
        pictures.add("workspaces-deleted", 200, founder.get("/workspaces").await);
    }
}

/// Two users whom a service entered: one declines, one accepts.
async fn entered(tour: &mut Tour<'_>) {
    // What the other roles hold here by now, the key may not give.
    crate::nouns::roles::add_role(tour.app, "seed-1", "empty", "Empty", &[]).await;
    for (name, answer) in [("declines", "decline"), ("accepts", "acceptance")] {
        let email = format!("{name}@example.com");
        let new = json!({"email": email, "external_id": name, "roles": ["empty"]});
        let entered = tour.robot.post("/api/sso/v1/users", &new).await.with_status(201).body;
        add_user(tour.app, name, &email).await;
        let client = sign_in(tour.app, &email, "load test data only").await;
        tour.get(&client, "/workspaces", 200).await;
        let waiting = "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.awaited_email";
        let waiting = tour.app.scalar_uuid(&format!("{waiting} = '{email}'")).await;
        tour.post(&client, &format!("/workspaces/waiting/{waiting}/{answer}"), &[], 303).await;
        if name == "accepts" {
            tour.call(&format!("users/{}", entered["user_id"].as_str().unwrap())).await;
        }
    }
}

/// Names a website whose pages can call the API for a workspace.
pub async fn add_origin(app: &TestApp, workspace: &str, origin: &str) {
    app.execute(&format!(
        "INSERT INTO allowed_origins (workspace_id, origin) SELECT w.id, {} FROM workspaces w
        WHERE w.slug = {} AND w.deleted_at IS NULL",
        quoted(origin),
        quoted(workspace)
    ))
    .await;
}

fn is_account_admin(at: &Offer) -> bool {
    let mut people = at.facts.rows("account_people").iter();
    people.any(|person| person["user_id"].as_str() == at.me.user.as_deref() && flag(person, "is_admin"))
}
