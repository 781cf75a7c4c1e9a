//! Every route for programs × every key × every workspace and id that could stand in its path: the walk of
//! `matrix.rs`, with keys.

use crate::{
    nouns,
    support::{product::call_rows, *},
    walk::{Walk, key_callers},
    world::*,
};

#[test]
fn the_table_for_programs_asks_for_what_is_written_here() {
    let rows = nouns::calls();
    assert_eq!(rows.len(), call_rows().len());
    for (route, row) in call_rows().iter().zip(rows) {
        assert_eq!(
            route.requirement,
            row.requirement,
            "left: the table, right: {}, {}",
            row.file,
            row.name()
        );
        assert!(!route.summary.is_empty(), "say in the table what {} does", row.name());
    }
}

both! {
    async fn every_call_by_every_key(app: TestApp) {
        let world = World::build(&app).await;
        let callers = key_callers(&app).await;
        let mut walk = Walk::begin(&app, &world, callers).await;
        walk.walk(nouns::calls()).await;
        println!("calls: {} routes, {} callers, {} requests", nouns::calls().len(), walk.callers.len(), walk.requests);
        assert!(walk.requests > 3_000, "only {} requests were made", walk.requests);
    }

    async fn every_other_method_of_a_call_is_answered_405(app: TestApp) {
        new_owner(&app).await;
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        let mut rows: Vec<_> = nouns::calls().iter().collect();
        rows.dedup_by_key(|row| row.path);
        for row in rows {
            let has: Vec<&str> =
                nouns::calls().iter().filter(|other| other.path == row.path).map(|other| other.method).collect();
            let path = row.sample("");
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"] {
                if has.contains(&method) {
                    continue;
                }
                let answer = owner.call(method.parse().unwrap(), &path, None).await.with_status(405);
                assert_eq!(answer.header("content-type"), Some("application/problem+json"));
                let allow: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
                assert!(has.iter().all(|method| allow.contains(method)), "{method} {path}: {allow:?}");
            }
        }
    }
}
