//! Triggers and foreign keys. Rows of a backup are as the triggers left them, and come in any order.

use crate::domain::base::sql::Sql;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};

/// What guards a table: the statement that takes it away, and the one that puts it back as it was.
#[derive(FromQueryResult)]
struct Guard {
    take: String,
    put: String,
}

/// What was taken away, to be put back in the same transaction.
pub(super) struct Suspended(Vec<Guard>);

const SQLITE: &str = "SELECT 'DROP TRIGGER \"' || name || '\"' AS take, sql AS put
    FROM sqlite_master WHERE type = 'trigger' ORDER BY name";

/// A trigger that is enabled in every session stays that.
const POSTGRES: &str = "SELECT format('ALTER TABLE %I DISABLE TRIGGER %I', c.relname, t.tgname) AS take,
        format('ALTER TABLE %I %s TRIGGER %I', c.relname, CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS'
            WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, t.tgname) AS put
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = CAST(current_schema() AS regnamespace)
        AND c.relname = ANY (string_to_array($1, ' '))
    UNION ALL SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', c.relname, f.conname),
        format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, f.conname, pg_get_constraintdef(f.oid))
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
    WHERE f.contype = 'f' AND c.relnamespace = CAST(current_schema() AS regnamespace)
        AND c.relname = ANY (string_to_array($1, ' '))";

/// Takes away what guards these tables.
///
/// # Errors
/// The database's own.
pub(super) async fn suspend(db: &impl ConnectionTrait, tables: &[String]) -> Result<Suspended, DbErr> {
    let guards: Vec<Guard> = match db.get_database_backend() {
        DbBackend::Postgres => db.all(POSTGRES, vec![tables.join(" ").into()]).await?,
        _ => {
            // Checked at the end of the transaction, all of them.
            db.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
            db.all(SQLITE, Vec::new()).await?
        }
    };
    for guard in &guards {
        db.execute_unprepared(&guard.take).await?;
    }
    Ok(Suspended(guards))
}

/// For the time in which whole tables are compared, which requests never do.
const PLANS: [&str; 4] = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"];

impl Suspended {
    /// Puts it back. PostgreSQL checks all foreign keys anew.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn reinstate(self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        for plan in PLANS.iter().filter(|_| is_postgres) {
            db.execute_unprepared(&format!("SET LOCAL {plan} = on")).await?;
        }
        for guard in &self.0 {
            db.execute_unprepared(&guard.put).await?;
        }
        for plan in PLANS.iter().filter(|_| is_postgres) {
            db.execute_unprepared(&format!("RESET {plan}")).await?;
        }
        Ok(())
    }
}
