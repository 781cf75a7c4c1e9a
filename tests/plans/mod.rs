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

        let plans: Vec<_> = nouns::ALL.iter().map(|noun| noun.plans()).collect();
        let mut allowed: Vec<_> = plans.iter().flat_map(|plans| plans.allowed).collect();
        // PostgreSQL finds other ways than SQLite, and says nothing of what goes with a row.
        let needed = match app.backend {
            Backend::Sqlite => allowed.clone(),
            Backend::Postgres => plans.iter().flat_map(|plans| plans.allowed_on_postgres).collect(),
        };
        if app.backend == Backend::Postgres {
            allowed.extend(&needed);
        }
        let unused: Vec<_> =
            needed.iter().filter(|(part, _)| !scans.iter().any(|scan| scan.sql.contains(part))).collect();
        scans.retain(|scan| !allowed.iter().any(|(part, _)| scan.sql.contains(part)));
        assert!(scans.is_empty(), "{} statements go through everything: {scans:#?}", scans.len());
        assert!(unused.is_empty(), "nothing goes through everything any more: {unused:#?}");
    }
}
