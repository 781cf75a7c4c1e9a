//! The quick start: a test key, a host, and a first request through the gateway.

mod behaviour;
mod browser;

use crate::walk::*;

pub struct QuickStart;

const PAGE: &str = "/w/{workspace}/quick-start";

#[async_trait(?Send)]
impl Noun for QuickStart {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page(PAGE, one(P::ReadDestinations)).statements(4),
            form("/w/{workspace}/quick-start/key", one(P::ManageApiKeys))
                .carries(&["made"], PAGE, "/quick-start/key")
                .also_reads(&["host", "path"])
                // The secret is on the page that responds.
                .succeeds_with(200)
                .verdict(|at| {
                    let developer = Holdings::of(false, BuiltIn::Developer.grants());
                    at.done_if(at.holdings().may_assign(&developer).is_ok())
                })
                .offered(|at| {
                    let sends = |role: &&Holdings| !role.is_owner() && role.has(P::SendDestinations);
                    at.facts.roles.values().filter(sends).any(|role| at.my().may_assign(role).is_ok())
                })
                .unlike_any_call("a program creates its keys by the call for keys"),
            form("/w/{workspace}/quick-start/echo", one(P::ManageDestinations))
                .sends(|_| fields(&[("host", "echo"), ("path", "/hello")]))
                .also_reads(&["secret"])
                .offered(|at| !at.facts.rows("destinations").iter().any(|row| row["host"] == "echo"))
                .unlike_any_call("the built-in host is for people who try the gateway"),
            form("/w/{workspace}/quick-start/request", one(P::ReadDestinations))
                .sends(|_| fields(&[("secret", "nothing"), ("host", "echo"), ("path", "/hello")]))
                .types(|_, form| form.fill(&[("secret", "nothing")]))
                .succeeds_with(200)
                .writes(0)
                .unlike_any_call("a program sends its requests to the gateway itself"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            // The workspace has no such destination.
            call("GET /api/sso/v1/sending", one(P::SendDestinations))
                .query("host=unknown.example.com")
                .succeeds_with(204)
                .verdict(|_| Verdict::Audited(403)),
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let base = format!("{HOME}/quick-start");
        let page = tour.get(&owner, &base, 200).await;
        let made = page.field_value("made").unwrap_or_default();
        let page = tour.post(&owner, &format!("{base}/key"), &[("made", &made)], 200).await;
        let secret = page.field_value("secret").unwrap();
        let request = [("secret", secret.as_str()), ("host", "echo"), ("path", "/hello")];
        tour.post(&owner, &format!("{base}/echo"), &request, 200).await;
        tour.post(&owner, &format!("{base}/request"), &request, 200).await;
        tour.robot.get("/api/sso/v1/sending?host=echo").await.with_status(204);
        tour.keep("sending");
        // Decisions about sending: one of two destinations is for some alone.
        let yes = if tour.app.backend == Backend::Postgres { "TRUE" } else { "1" };
        tour.app.execute(&format!("UPDATE destinations SET is_restricted = {yes} WHERE host = 'echo'")).await;
        let subject = json!({"type": "api_key", "id": tour.robot_key.to_string()});
        let action = json!({"name": "send"});
        let resource = json!({"type": "destination", "id": "echo"});
        for (path, subject) in [
            ("evaluation", &subject),
            ("search/subject", &json!({"type": "api_key"})),
            ("search/subject", &json!({"type": "user"})),
            ("search/resource", &subject),
            ("search/action", &subject),
        ] {
            let question = json!({"subject": subject, "action": action, "resource": resource});
            tour.robot.post(&format!("/access/v1/{path}"), &question).await.with_status(200);
            tour.keep(path);
        }
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures.add("empty-quick-start", 200, demo.founder.client.get("/w/acme/quick-start").await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, base) = (&demo.owner, demo.at("/quick-start"));
        let page = owner.get(&base).await;
        pictures.add("quick-start", 200, page.clone());
        let page = owner.submit(&page, "/quick-start/key", &[]).await;
        pictures.add("quick-start-key", 200, page.clone());
        let refused = owner.submit(&page, "/quick-start/request", &[("host", "unknown.example.com")]).await;
        pictures.add("quick-start-refused", 200, refused);
        let page = owner.submit(&page, "/quick-start/echo", &[]).await;
        pictures.add("quick-start-echo", 200, page.clone());
        let sent = owner.submit(&page, "/quick-start/request", &[]).await;
        pictures.add("quick-start-sent", 200, sent);
        let wrong = [("secret", ""), ("host", "https://api.example.com"), ("path", "hello")];
        pictures.add("quick-start-wrong", 422, owner.submit(&page, "/quick-start/request", &wrong).await);
    }
}
