//! The first page of a workspace.

use crate::walk::*;

pub struct Overview;

#[async_trait(?Send)]
impl Noun for Overview {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![page("/w/{workspace}", MEMBER).statements(5)]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        for person in [tour.owner.clone(), tour.admin.clone(), tour.viewer.clone()] {
            tour.get(&person, HOME, 200).await;
        }
        let (stranger, viewer) = (tour.app.client(), tour.viewer.clone());
        tour.get(&stranger, HOME, 401).await;
        tour.get(&viewer, "/w/seed-2", 404).await;
    }
}
