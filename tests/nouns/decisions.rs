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
