//! Workspaces: one's list of them, the name, slug and deletion of one.

use crate::walk::*;

pub struct Workspaces;

#[async_trait(?Send)]
impl Noun for Workspaces {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/", PUBLIC).succeeds_with(303).statements(0),
            page("/workspaces", SIGNED_IN).reads(&[]).statements(3),
            form("/workspaces", SIGNED_IN)
                .sends(|_| fields(&[("name", "Another"), ("slug", "another")]))
                .also_reads(&["account"])
                .types(|_, form| form.fill(&[("name", "Another One")])),
            page("/w/{workspace}/organization", MEMBER).statements(3),
            form("/w/{workspace}/organization", one(P::UpdateOrganization))
                .sends(|_| fields(&[("name", "Renamed"), ("slug", "renamed")]))
                .also_reads(&["owner_idle_hours"])
                .like("PATCH /api/sso/v1/workspaces/{workspace}"),
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
        ]
    }

    fn plans(&self) -> Plans {
        let allowed = &[
            ("DELETE FROM \"workspaces\"", "the deletion of a workspace goes through all that it holds"),
            (
                "SELECT COUNT(*) AS num_items FROM (SELECT \"members\"",
                "the deletion of a workspace says how many it had",
            ),
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
        // Who is the Owner since the stop of `ownership`.
        let admin = tour.admin.clone();
        let organization = format!("{HOME}/organization");
        tour.get(&admin, &organization, 200).await;
        tour.post(&admin, &organization, &[("name", "Renamed"), ("slug", "seed-1")], 303).await;
        tour.get(&admin, &format!("{organization}/deletion"), 200).await;
        tour.post(&admin, &format!("{organization}/deletion"), &[("confirm", "seed-1")], 303).await;
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
    }
}
