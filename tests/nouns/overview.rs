//! The first page of a workspace.

use crate::walk::*;

pub struct Overview;

#[async_trait(?Send)]
impl Noun for Overview {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![page("/w/{workspace}", MEMBER).statements(6)]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        for person in [tour.owner.clone(), tour.admin.clone(), tour.viewer.clone()] {
            tour.get(&person, HOME, 200).await;
        }
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
