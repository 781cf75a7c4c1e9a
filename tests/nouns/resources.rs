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
}
