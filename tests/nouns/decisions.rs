//! Decisions: services ask, by OpenID AuthZEN, what others may do.

use crate::walk::*;

pub struct Decisions;

#[async_trait(?Send)]
impl Noun for Decisions {
    fn file(&self) -> &'static str {
        file!()
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            question("POST /access/v1/evaluation").body(about_nobody),
            question("POST /access/v1/evaluations").body(about_nobody),
            question("POST /access/v1/search/subject").body(|_| {
                json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record", "id": "1"}})
            }),
            question("POST /access/v1/search/resource").body(about_nobody),
            question("POST /access/v1/search/action").body(about_nobody),
            call("GET /.well-known/authzen-configuration", PUBLIC),
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let member = tour.take_members(1)[0];
        let user = user_of(tour.app, member).await.to_string();
        for (path, subject) in [
            ("evaluation", json!({"type": "user", "id": user})),
            ("search/subject", json!({"type": "user"})),
            ("search/resource", json!({"type": "user", "id": user})),
            ("search/action", json!({"type": "user", "id": user})),
        ] {
            let question = json!({"subject": subject, "action": {"name": "read"}, "resource": {"type": "record", "id": "1"}});
            tour.robot.post(&format!("/access/v1/{path}"), &question).await.with_status(200);
            tour.keep(path);
        }
        // Whose a thing is makes a difference.
        let member = tour.take_members(1)[0];
        let user = user_of(tour.app, member).await.to_string();
        let role = json!({"name": "Keeper of their own", "slug": "own-keeper", "scopes": ["write:own"]});
        tour.robot.post("/api/sso/v1/roles", &role).await.with_status(201);
        let change = json!({"roles": ["own-keeper"], "external_id": "own-keeper"});
        tour.robot.patch(&format!("/api/sso/v1/users/{user}"), &change).await.with_status(200);
        tour.robot.get("/api/sso/v1/users/own-keeper").await.with_status(200);
        let subject = json!({"type": "user", "id": "own-keeper"});
        let note = json!({"type": "note", "id": "1", "name": "One", "owner": subject});
        tour.robot.post("/api/sso/v1/resources", &note).await.with_status(201);
        tour.robot
            .post("/api/sso/v1/resources", &json!({"type": "note", "id": "1", "name": "Two"}))
            .await
            .with_status(200);
        tour.keep("owners of resources");
        let key = tour.robot_key.to_string();
        for owner in [
            json!("own-keeper"),
            json!(user),
            json!("ada@example.com"),
            json!({"type": "api_key", "id": key}),
        ] {
            let resource = json!({"type": "note", "id": "1", "properties": {"owner": owner}});
            for (path, subject) in [
                ("evaluation", &subject),
                ("search/subject", &json!({"type": "user"})),
                ("search/subject", &json!({"type": "api_key"})),
                ("search/resource", &subject),
                ("search/action", &subject),
            ] {
                let question = json!({"subject": subject, "action": {"name": "write"}, "resource": resource});
                tour.robot.post(&format!("/access/v1/{path}"), &question).await.with_status(200);
                tour.keep(path);
            }
        }
    }
}

/// A question changes nothing.
fn question(route: &'static str) -> Row {
    call(route, one(P::CheckAccess)).succeeds_with(200).writes(0)
}

fn about_nobody(_: &Attempt) -> Value {
    json!({
        "subject": {"type": "user", "id": UNKNOWN}, "action": {"name": "read"},
        "resource": {"type": "record", "id": "1"}
    })
}
