//! The database explains every SQL statement of the product: none goes through a whole table, for
//! every table of ours grows, nor through all that one workspace has of something, but for a page of
//! a list, which goes on until it is full.
//!
//! A tour through all routes, a stop a noun, collects the statements, with what triggers and foreign
//! keys add to them. To be seen to fail: drop an index of `migration/`, or wrap a column of a WHERE in
//! `lower()`. What is not on the tour is what reads everything by design: `verify-audit`, `seed`,
//! `demo`, and the steps of the schema.

mod crowd;
mod explain;
mod tour;

pub use tour::{HOME, Tour};

use crate::{nouns, support::*};
use explain::explain;

both! {
    async fn no_statement_goes_through_everything(app: TestApp) {
        let mut tour = Tour::begin(&app).await;
        for noun in nouns::ALL {
            noun.tour(&mut tour).await;
        }
        tour.beside_the_requests().await;
        let statements = tour.end();
        println!("plans: {} statements", statements.len());
        assert!(statements.len() > 420, "only {} statements were sent", statements.len());

        // With what the database knows of its tables: PostgreSQL finds out by itself, as soon as there is
        // something in them; SQLite never does, unless somebody tells it to.
        let mut scans = Vec::new();
        if app.backend == Backend::Sqlite {
            scans = explain(&app, &statements).await;
        }
        app.execute("ANALYZE").await;
        scans.extend(explain(&app, &statements).await);

        let allowed: Vec<_> = nouns::ALL.iter().flat_map(|noun| noun.plans().allowed).collect();
        // PostgreSQL finds other ways, and says nothing of what goes with a row.
        let is_used = |part: &str| scans.iter().any(|scan| scan.sql.contains(part));
        let is_sqlite = app.backend == Backend::Sqlite;
        let is_of_sqlite = |reason: &str| is_sqlite && !reason.starts_with("PostgreSQL ");
        let unused: Vec<_> =
            allowed.iter().filter(|(part, reason)| is_of_sqlite(reason) && !is_used(part)).collect();
        scans.retain(|scan| !allowed.iter().any(|(part, _)| scan.sql.contains(part)));
        assert!(scans.is_empty(), "{} statements go through everything: {scans:#?}", scans.len());
        assert!(unused.is_empty(), "nothing goes through everything any more: {unused:#?}");
    }
}
