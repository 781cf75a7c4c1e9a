//! The first page of a workspace.

use crate::walk::*;

pub struct Overview;

#[async_trait(?Send)]
impl Noun for Overview {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}", MEMBER).statements(10),
            form("/w/{workspace}/attention/snooze", MEMBER)
                .sends(|_| fields(&[("item", "single-owner")]))
                .writes(0)
                .offered(|at| at.has(P::ReadMembers))
                .unlike_any_call("what a person looks at is theirs"),
            // Nothing is put off in the world.
            form("/w/{workspace}/attention/restoration", MEMBER)
                .writes(0)
                .offered(|_| false)
                .unlike_any_call("what a person looks at is theirs"),
        ]
    }

    fn plans(&self) -> Plans {
        let allowed = &[(
            "i.status = 'pending' AND ir.workspace_id",
            "those that are pending are fewer than all that ever offered a role",
        )];
        Plans { allowed, ..Plans::default() }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &["INSERT INTO attention_snoozes (workspace_id, member_id, item, until)
            SELECT m.workspace_id, m.id, 'inactive.1', {then} FROM members m"]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        for person in [tour.owner.clone(), tour.admin.clone(), tour.viewer.clone()] {
            tour.get(&person, HOME, 200).await;
        }
        let (owner, slug) = (tour.owner.clone(), HOME.trim_start_matches("/w/"));
        tour.post(&owner, &format!("{HOME}/attention/snooze"), &[("item", "single-owner")], 303).await;
        tour.post(&owner, &format!("{HOME}/attention/restoration"), &[], 303).await;
        for show in ["", "yes"] {
            let fields = [("workspace", slug), ("show", show)];
            tour.post(&owner, "/me/choices/first-steps", &fields, 303).await;
        }
        tour.post(&owner, "/me/choices/first-steps", &[("workspace", "nowhere")], 303).await;
        let (stranger, viewer) = (tour.app.client(), tour.viewer.clone());
        tour.get(&stranger, HOME, 401).await;
        tour.get(&viewer, "/w/seed-2", 404).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, admin, viewer) = (&demo.owner, &demo.admin, &demo.viewer);
        let at = |rest: &str| demo.at(rest);
        pictures.add("overview-of-owner", 200, owner.get(&at("")).await);
        pictures.add("overview-of-admin", 200, admin.get(&at("")).await);
        pictures.add("overview-of-viewer", 200, viewer.get(&at("")).await);
        pictures.open("menu", "overview-of-owner", &["#user-menu-button"]);

        pictures.add("suspended", 403, demo.former.get(&demo.base).await);

        pictures.add("empty-overview", 200, demo.founder.client.get("/w/acme").await);
    }
}
