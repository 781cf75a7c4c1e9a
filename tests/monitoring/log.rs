//! The log of the program itself, as machines read it.

use crate::support::*;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use std::fmt;

const OWNER: &str = "owner-one@example.com";

/// The keys of a JSON object, as often as they are there.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<String, Value>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The lines of the log, each an object with one `message` and no key twice.
fn lines(program: &Program) -> Vec<Value> {
    let log = program.log();
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    let lines = complete.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| {
            let Keys(keys) = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            for key in &keys {
                assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "{key} in {line}");
            }
            assert!(keys.iter().any(|key| key == "message"), "no message in {line}");
            serde_json::from_str(line).unwrap()
        })
        .collect()
}

/// The line of the request that had this answer.
async fn line_of(program: &Program, method: &str, route: &str, status: u16) -> Value {
    eventually(async || {
        let mut those = lines(program).into_iter().filter(|line| {
            line["message"] == "answered"
                && line["method"] == method
                && line["route"] == route
                && line["status"] == status
        });
        those.next_back().ok_or_else(|| format!("no line for {method} {route} {status}:\n{}", program.log()))
    })
    .await
}

both! {
    // Breaks when a path or a name is logged, when a field is missing, or when an event has a field `message`.
    async fn each_request_has_a_line_that_says_who_where_and_how_it_ended(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        // Nobody listens there, so that sending fails and is logged too.
        let smtp = format!("smtp://127.0.0.1:{}", free_port());
        let program = Program::serve(&database, dir.path(), &[("BAILIWICK_MAIL", &smtp)]).await;
        let owner = program.client();
        let page = owner.visit("/sign-up").await;
        let fields = [("name", "Quokka"), ("email", OWNER), ("password", PASSWORD), ("workspace", "zanzibar")];
        owner.submit(&page, "/sign-up", &fields).await.assert_status(303);
        let signed_up = line_of(&program, "POST", "/sign-up", 303).await;
        assert_eq!((&signed_up["outcome"], &signed_up["principal"]), (&"ok".into(), &Value::Null));

        sign_in_with(&owner, OWNER, PASSWORD).await;
        let page = owner.get("/w/zanzibar").await.with_status(200);
        let line = line_of(&program, "GET", "/w/{workspace}", 200).await;
        let principal = line["principal"].as_str().unwrap().strip_prefix("user:").unwrap();
        let connection = database.connect().await;
        let user = user_id(&connection, backend).await;
        connection.close().await.unwrap();
        assert_eq!(principal, user);
        assert!(line["latency_ms"].as_f64().unwrap() >= 0.0, "{line}");
        assert!(line["client"].as_str().unwrap().starts_with("127."), "{line}");
        assert_eq!(line["request_id"].as_str(), page.header("x-request-id"));

        owner.get("/w/elsewhere").await.assert_status(404);
        let line = line_of(&program, "GET", "/w/{workspace}", 404).await;
        assert_eq!(line["outcome"], "membership");
        program.client().get("/w/zanzibar").await.assert_status(401);
        let line = line_of(&program, "GET", "/w/{workspace}", 401).await;
        assert_eq!((&line["outcome"], &line["principal"]), (&"credential".into(), &Value::Null));

        let secret = unsent_token("inv", 7);
        program.client().get(&format!("/invitations/{secret}?also={secret}")).await;
        program.client().get(&format!("/{secret}")).await.assert_status(404);
        let line = line_of(&program, "GET", "none", 404).await;
        assert_eq!(line["outcome"], "route");
        until("the mail was not tried", async || program.log().contains("could not send e-mail")).await;
        let failed: Vec<_> = lines(&program).into_iter().filter(|line| line["message"] == "could not send e-mail").collect();
        assert!(failed[0]["span"]["mail"].is_string(), "{}", failed[0]);

        let log = program.log();
        for secret in [&*secret, "zanzibar", "Quokka", OWNER, PASSWORD] {
            assert!(!log.contains(secret), "{secret} in:\n{log}");
        }
    }
}

/// The id of the only user.
async fn user_id(connection: &sea_orm::DatabaseConnection, backend: Backend) -> String {
    use sea_orm::{ConnectionTrait, Statement};
    let sql = match backend {
        Backend::Sqlite => "SELECT lower(hex(id)) AS id FROM users",
        Backend::Postgres => "SELECT id::text AS id FROM users",
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    let id: String = row.try_get("", "id").unwrap();
    uuid::Uuid::parse_str(&id).unwrap().to_string()
}

#[test]
fn health_checks_are_quiet_until_they_fail_or_are_asked_for() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
        let program = Program::serve(&database, dir.path(), &[]).await;
        let check = async |program: &Program| {
            for path in ["/healthz", "/readyz"] {
                program.client().get(path).await.assert_status(200);
            }
            program.client().get("/nowhere").await.assert_status(404);
        };
        check(&program).await;
        line_of(&program, "GET", "none", 404).await;
        let health = |program: &Program| {
            let is_health = |line: &Value| line["route"] == "/healthz" || line["route"] == "/readyz";
            lines(program).into_iter().filter(is_health).count()
        };
        assert_eq!(health(&program), 0, "{}", program.log());
        program.kill();
        let asked = [("RUST_LOG", "info,bailiwick::web::middleware::observe=debug")];
        let program = Program::serve(&database, dir.path(), &asked).await;
        check(&program).await;
        until("they were not logged", async || health(&program) == 2).await;
    });
}

/// A field `message` beside the text of an event is a second key of that name. Breaks with `message = %id` in an event.
#[test]
fn no_event_has_a_field_that_is_called_message() {
    let src = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut events = 0;
    for entry in src.into_iter().map(|entry| entry.unwrap()).filter(|entry| entry.file_type().is_file()) {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let calls = text.split("tracing::").skip(1);
        for call in
            calls.filter(|call| ["error!(", "warn!(", "info!("].iter().any(|name| call.starts_with(name)))
        {
            let call = call.split(");").next().unwrap();
            assert!(
                !call.contains("message = %") && !call.contains("message = ?"),
                "{}: {call}",
                entry.path().display()
            );
            events += 1;
        }
    }
    assert!(events > 20, "only {events} events were read");
}
