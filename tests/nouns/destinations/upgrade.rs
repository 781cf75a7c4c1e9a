//! Databases from before destinations were used, and from before there were traffic, events and test keys.

use crate::{support::*, upgrade::fill};
use migration::{Migrator, MigratorExt};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

both! {
    // Breaks without the condition on `manage:destinations` in m0026, and without the one on `built_in`.
    async fn who_manages_destinations_may_send_to_them_and_nobody_else_gets_more(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        let connection = database.connect().await;
        let steps = Migrator::migrations();
        let position = steps.iter().position(|step| step.name().starts_with("m0026")).unwrap();
        let done = Migrator::get_applied_migrations(&connection).await.unwrap().len();
        Migrator::up(&connection, Some(u32::try_from(position - done).unwrap())).await.unwrap();
        let quote = |id: u128| match backend {
            Backend::Sqlite => format!("X'{}'", Uuid::from_u128(id).simple()),
            Backend::Postgres => format!("'{}'", Uuid::from_u128(id)),
        };
        let workspace = quote(3);
        for (id, slug, built_in, scopes) in [
            (20, "admin", true, &["read:destinations", "manage:destinations"][..]),
            (21, "developer", true, &["read:destinations"]),
            (22, "manager", false, &["manage:destinations"]),
            (23, "support", true, &["manage:destinations"]),
        ] {
            let role = quote(id);
            let sql = format!(
                "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at)
                VALUES ({role}, {workspace}, '{slug}', '{slug}', '', {built_in}, FALSE, {id}, 0)"
            );
            connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            for scope in scopes {
                let sql = format!(
                    "INSERT INTO grants (workspace_id, role_id, scope) VALUES ({workspace}, {role}, '{scope}')"
                );
                connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
        let sql = format!(
            "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
            VALUES ({}, {workspace}, 'api.example.com', '', 'api.example.com', {}, 0)",
            quote(30),
            quote(1),
        );
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close_by_ref().await.unwrap();
        let app = TestApp::on(backend).spawn_on(database, dir).await;

        let sql = "SELECT string_agg(r.slug, ' ') FROM grants g JOIN roles r ON r.id = g.role_id
            WHERE g.scope = 'send:destinations'";
        assert_eq!(app.scalar_text(sql).await.as_deref(), Some("admin"));
        let sql = "SELECT count(*) FROM destinations WHERE allows_requests AND NOT receives_events AND NOT is_wildcard
            AND NOT is_restricted AND requests_per_minute IS NULL AND last_used_at IS NULL";
        assert_eq!(app.scalar_i64(sql).await, 1);
    }

    // Of m0027, m0028 and m0029: nothing is sent that was not before, and no key holds less.
    async fn what_there_was_sends_no_events_and_is_limited_by_nothing_new(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        let connection = database.connect().await;
        let steps = Migrator::migrations();
        let position = steps.iter().position(|step| step.name().starts_with("m0027")).unwrap();
        let done = Migrator::get_applied_migrations(&connection).await.unwrap().len();
        Migrator::up(&connection, Some(u32::try_from(position - done).unwrap())).await.unwrap();
        let quote = |id: u128| match backend {
            Backend::Sqlite => format!("X'{}'", Uuid::from_u128(id).simple()),
            Backend::Postgres => format!("'{}'", Uuid::from_u128(id)),
        };
        let (user, account, workspace) = (quote(1), quote(2), quote(3));
        for sql in [
            format!(
                "INSERT INTO api_keys (id, account_id, name, is_admin, home_id, made_by, created_at)
                VALUES ({}, {account}, 'Old key', FALSE, {workspace}, {user}, 0)",
                quote(40)
            ),
            format!(
                "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at,
                    receives_events, event_path, event_kinds)
                VALUES ({}, {workspace}, 'api.example.com', '', 'api.example.com', {user}, 0, FALSE, '/old', 'team')",
                quote(41)
            ),
        ] {
            connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        connection.close_by_ref().await.unwrap();
        let app = TestApp::on(backend).spawn_on(database, dir).await;

        let count = async |sql: &str| app.scalar_i64(&format!("SELECT count(*) FROM {sql}")).await;
        assert_eq!(count("api_keys WHERE only_scope IS NULL AND requests_left IS NULL").await, 1);
        assert_eq!(count("destinations WHERE event_path = '/old' AND NOT receives_events").await, 1);
        for table in ["traffic", "traffic_days", "gateway_leases", "event_endpoints", "event_deliveries"] {
            assert_eq!(count(table).await, 0, "{table}");
        }
        // What is new holds for what is old, too.
        let (destination, far) = (app.id(Uuid::from_u128(41)), i64::MAX);
        for refused in [
            "UPDATE api_keys SET requests_left = -1".to_owned(),
            format!(
                "INSERT INTO event_endpoints (destination_id, workspace_id, secret, secret_created_at,
                    accountable_user_id, next_due_at, stopped_at)
                VALUES ({destination}, {}, '', 0, {}, {far}, 1)",
                app.id(Uuid::from_u128(3)),
                app.id(Uuid::from_u128(1)),
            ),
        ] {
            assert!(app.try_execute(&refused).await.is_err(), "{refused}");
        }
        let noted = format!(
            "INSERT INTO traffic (workspace_id, at, id, key_name, destination_id, host, method, path, status, bytes_in,
                bytes_out, ms)
            VALUES ({}, 1, {}, 'Old key', {destination}, 'api.example.com', 'GET', '/', 200, 0, 0, 1)",
            app.id(Uuid::from_u128(3)),
            app.id(Uuid::from_u128(42)),
        );
        app.execute(&noted).await;
        app.execute(&format!("DELETE FROM destinations WHERE id = {destination}")).await;
        assert_eq!(count("traffic").await, 1, "the record outlives the destination");
    }
}
