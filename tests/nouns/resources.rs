//! Resources that the account's applications registered.

use crate::walk::*;

pub struct Resources;

#[async_trait(?Send)]
impl Noun for Resources {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/resources", one(P::CheckAccess))
                .reads(&["q", "type", "after", "before"])
                .refuses_filters(&[("q", LONG), ("type", "Nonsense")])
                .statements(2),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/resources", one(P::CheckAccess)),
            call("POST /api/sso/v1/resources", one(P::CheckAccess))
                .body(|_| json!({"type": "record", "id": "1", "name": "One"})),
            // Nothing is registered.
            call("DELETE /api/sso/v1/resources", one(P::CheckAccess))
                .query("type=record&id=1")
                .verdict(|_| Verdict::Is(404)),
        ]
    }

    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        for _ in 0..n {
            let sql = format!(
                "INSERT INTO resources (workspace_id, kind, id, name, created_at) VALUES ({}, 'record', '{}', 'Record', 0)",
                app.id(world.acme.id),
                new_id()
            );
            assert_eq!(app.execute(&sql).await, 1);
        }
    }

    /// More resources than fit a page, of two types.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let workspace = "(SELECT id FROM workspaces WHERE slug = 'seed-1')";
        let row = |n: u32| {
            format!("({workspace}, '{}', 'r-{n}', 'Resource {n}', 0)", ["record", "site"][n as usize % 2])
        };
        let rows: Vec<String> = (0..200).map(row).collect();
        let columns = "workspace_id, kind, id, name, created_at";
        tour.app.execute(&format!("INSERT INTO resources ({columns}) VALUES {}", rows.join(", "))).await;
        tour.list("resources", "", &["type=site", "q=r-1", "q=Resource&type=record"]).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let base = demo.at("/resources");
        demo.app
            .execute(&format!(
                "INSERT INTO resources (workspace_id, kind, id, name, created_at, owner_id)
             SELECT id, 'record', {}, {}, {}, (SELECT m.id FROM members m
                WHERE m.workspace_id = workspaces.id ORDER BY m.id LIMIT 1) FROM workspaces WHERE slug = {}",
                quoted(&"record-1/".repeat(22)),
                quoted(&demo.name("Record 1")),
                demo.app.clock.now().as_millis(),
                quoted(demo.base.trim_start_matches("/w/"))
            ))
            .await;
        pictures.add("resources", 200, demo.developer.get(&base).await);
        pictures.add("resources-of-type", 200, demo.owner.get(&format!("{base}?type=site")).await);
        pictures.add("resources-none", 200, demo.owner.get(&format!("{base}?q=nothing+at+all")).await);
        pictures.add("resources-refused", 422, demo.owner.get(&format!("{base}?type=Sites:all")).await);

        pictures.add("empty-resources", 200, demo.founder.client.get("/w/acme/resources").await);
    }
}
