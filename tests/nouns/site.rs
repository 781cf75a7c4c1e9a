//! What belongs to no noun: whether the program is alive, and its documents.

use crate::walk::*;

pub struct Site;

#[async_trait(?Send)]
impl Noun for Site {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/healthz", PUBLIC).statements(0),
            // It asks the database, by a way that is not counted.
            page("/readyz", PUBLIC).statements(1),
            page("/docs/api", PUBLIC).statements(0),
            page("/docs/quick-start", PUBLIC).statements(0),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![call("GET /openapi.json", PUBLIC)]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let new = tour.app.client();
        for path in ["/healthz", "/readyz", "/docs/api", "/docs/quick-start"] {
            tour.get(&new, path, 200).await;
        }
    }
}
