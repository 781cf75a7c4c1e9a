//! What belongs to no noun: whether the program is alive, and its documents.

use crate::walk::*;
use reqwest::Method;

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

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, guest) = (&demo.owner, demo.app.client());
        pictures.add("docs-api", 200, guest.get("/docs/api").await);
        pictures.add("docs-quick-start", 200, guest.get("/docs/quick-start").await);

        // What is refused anywhere.
        let elsewhere = owner.with_header("sec-fetch-site", "cross-site");
        pictures.add("cross-site", 403, elsewhere.post_form("/me/profile", &[]).await);
        pictures.add("nothing-here", 404, owner.get("/w/another/members").await);
        pictures.add("wrong-method", 405, owner.request(Method::PUT, "/sign-in", None).await);

        let flood = "x".repeat(2_000_000);
        pictures.add("too-large", 413, owner.post_form("/me/profile", &[("name", &flood)]).await);
    }
}
