//! The database explains every SQL statement of the product: none goes through a whole table, for
//! every table of ours grows, nor through all that one workspace has of something, but for a page of
//! a list, which goes on until it is full.
//!
//! A tour through all routes collects the statements, with what triggers and foreign keys add to
//! them. To be seen to fail: drop an index of `migration/`, or wrap a column of a WHERE in `lower()`.
//! What is not on the tour is what reads everything by design: `verify-audit`, `seed`, `demo`, and
//! the steps of the schema.

mod explain;
mod tour;

use crate::support::*;
use explain::explain;
use tour::Tour;

/// Parts of statements that may, each with the reason.
const ALLOWED: &[(&str, &str)] = &[
    ("DELETE FROM \"workspaces\"", "the end of a workspace goes through all that it holds"),
    ("\"invitations\".\"inviter_key_id\"", "the invitations of who goes are few, and so are all that wait"),
    ("i.status = 'pending') AS invited", "those that wait are fewer than all that ever offered a role"),
    ("SELECT COUNT(*) AS num_items FROM (SELECT \"members\"", "the end of a workspace says how many it had"),
];

both! {
    async fn no_statement_goes_through_everything(app: TestApp) {
        let mut tour = Tour::begin(&app).await;
        tour.ways_in().await;
        tour.oneself().await;
        tour.pages().await;
        tour.lists().await;
        tour.teams().await;
        tour.account().await;
        tour.refusals().await;
        tour.changes().await;
        tour.many_at_once().await;
        tour.roles().await;
        tour.api_keys().await;
        tour.resources().await;
        tour.calls().await;
        tour.ownership_and_end().await;
        tour.beside_the_requests().await;
        let statements = tour.end();
        assert!(statements.len() > 150, "only {} statements were heard", statements.len());

        // With what the database knows of its tables: PostgreSQL looks by itself, as soon as there is
        // something in them; SQLite never does, unless somebody tells it to.
        let mut scans = Vec::new();
        if app.backend == Backend::Sqlite {
            scans = explain(&app, &statements).await;
        }
        app.execute("ANALYZE").await;
        scans.extend(explain(&app, &statements).await);

        let may = |scan: &explain::Scan| ALLOWED.iter().any(|(part, _)| scan.sql.contains(part));
        // PostgreSQL finds other ways, and tells nothing of what goes with a row.
        for (part, reason) in ALLOWED.iter().filter(|_| app.backend == Backend::Sqlite) {
            assert!(scans.iter().any(|scan| scan.sql.contains(part)), "of no more use: {part}, because {reason}");
        }
        scans.retain(|scan| !may(scan));
        assert!(scans.is_empty(), "{} statements go through everything: {scans:#?}", scans.len());
    }
}
