//! Traffic: the requests that went through the gateway.

mod behaviour;

use crate::walk::*;

pub struct Traffic;

#[async_trait(?Send)]
impl Noun for Traffic {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/traffic", one(P::ReadDestinations))
                .reads(&[
                    "q",
                    "key",
                    "destination",
                    "method",
                    "status",
                    "stage",
                    "from",
                    "until",
                    "after",
                    "before",
                ])
                .refuses_filters(&[
                    ("q", LONG),
                    ("method", "nonsense"),
                    ("status", "nonsense"),
                    ("stage", "nonsense"),
                    ("from", "yesterday"),
                ])
                .filters(&["q=traffic", "method=GET", "status=2xx", "stage=any", "stage=rate"])
                .statements(3),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![call("GET /api/sso/v1/traffic", one(P::ReadDestinations))]
    }

    /// One request that was answered and one that was refused, to a host that says where they are.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, name) =
            (plot.app, plot.slug(), plot.name("traffic").replace(' ', "-").to_lowercase());
        let host = format!("{name}.example.com");
        add_request(app, slug, &Sent { host: &host, status: "200", ..Sent::default() }).await;
        let refused = Sent { host: &host, status: "429", stage: "'rate'", ..Sent::default() };
        add_request(app, slug, &refused).await;
        count_day(app, slug).await;
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        for _ in 0..n {
            add_request(app, "acme", &Sent::default()).await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Over a page in one workspace with each filter, and one in each of the others.
            "INSERT INTO traffic (workspace_id, at, id, api_key_id, key_name, destination_id, host, method, path, status,
                    stage, bytes_in, bytes_out, ms)
                SELECT (SELECT id FROM workspaces WHERE slug = 'seed-1'), {then} - i, {id}, NULL, 'Key', NULL,
                    'h' || i || '.example.com', 'GET', '/v1/things', 200, CASE WHEN i % 2 = 0 THEN 'rate' END, 1, 2, 3
                FROM n",
            "INSERT INTO traffic (workspace_id, at, id, api_key_id, key_name, destination_id, host, method, path, status,
                    stage, bytes_in, bytes_out, ms)
                SELECT w.id, {then}, {id}, {id}, 'Key', {id}, 'api.example.com', 'GET', '/v1/things', 200, 'rate', 1, 2, 3
                FROM workspaces w",
            "INSERT INTO traffic_days (workspace_id, subject_id, day, answered, client_errors, failed, refused, bytes_in,
                    bytes_out, unlisted)
                SELECT (SELECT id FROM workspaces WHERE slug = 'seed-1'), {id}, {then}, 1, 0, 0, 0, 1, 2, 0 FROM n",
            "INSERT INTO traffic_days (workspace_id, subject_id, day, answered, client_errors, failed, refused, bytes_in,
                    bytes_out, unlisted)
                SELECT w.id, {id}, {then}, 1, 0, 0, 0, 1, 2, 0 FROM workspaces w",
            "INSERT INTO gateway_leases (scope, scope_id, node_id, permits, expires_at)
                SELECT 'key', {id}, {id}, 1, {then} FROM n",
        ]
    }

    fn plans(&self) -> Plans {
        Plans { many: &["traffic"], ..Plans::default() }
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let id = Uuid::from_u128(1);
        let (key, destination) = (format!("key={id}"), format!("destination={id}"));
        let (both, days) = (format!("{key}&{destination}"), "from=2020-01-01&until=2100-01-01");
        let all = format!("q=x&{both}&method=GET&status=4xx&stage=rate&{days}");
        let narrow = [
            "q=things",
            &key,
            &destination,
            &both,
            "method=GET",
            "status=4xx",
            "stage=any",
            "stage=rate",
            "from=2020-01-01",
            "until=2100-01-01",
            days,
            &all,
        ];
        tour.list("traffic", "", &narrow).await;
        tour.call("traffic?stage=any").await;
        let viewer = tour.viewer.clone();
        tour.get(&viewer, &format!("{HOME}/traffic"), 403).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let empty = demo.founder.client.get("/w/acme/traffic").await;
        pictures.add("empty-traffic", 200, empty);
        pictures.add("traffic-ended", 200, demo.owner.get(&demo.at("/traffic?stage=any")).await);
        pictures.add("traffic-refused", 422, demo.owner.get(&demo.at("/traffic?from=yesterday")).await);
        pictures.add("traffic-none", 200, demo.owner.get(&demo.at("/traffic?q=nothing+at+all")).await);
        let list = demo.owner.get(&demo.at("/traffic")).await;
        pictures.add("traffic-of-key", 200, demo.owner.get(&list.link("traffic?key=")).await);
        let next = list.attributes("[rel=next]", "href").remove(0);
        pictures.add("traffic-many-next", 200, demo.owner.get(&next).await);
    }
}

/// A request, as SQL literals where it is not a text.
struct Sent<'a> {
    host: &'a str,
    path: &'a str,
    status: &'a str,
    stage: &'a str,
    ago: i64,
}

impl Default for Sent<'_> {
    fn default() -> Self {
        Self { host: "api.example.com", path: "/v1/things", status: "200", stage: "NULL", ago: 0 }
    }
}

async fn add_request(app: &TestApp, workspace: &str, sent: &Sent<'_>) {
    let sql = format!(
        "INSERT INTO traffic (workspace_id, at, id, api_key_id, key_name, destination_id, host, method, path, status,
            stage, bytes_in, bytes_out, ms)
         SELECT w.id, {}, {}, {}, 'A service', NULL, {}, 'GET', {}, {}, {}, 10, 2000, 30
         FROM workspaces w WHERE w.slug = {}",
        app.clock.now().as_millis() - sent.ago,
        app.id(new_id()),
        app.id(Uuid::from_u128(7)),
        quoted(sent.host),
        quoted(sent.path),
        sent.status,
        sent.stage,
        quoted(workspace),
    );
    assert_eq!(app.execute(&sql).await, 1);
}

/// One answered request of today.
async fn count_day(app: &TestApp, workspace: &str) {
    let now = app.clock.now().as_millis();
    let sql = format!(
        "INSERT INTO traffic_days (workspace_id, subject_id, day, answered, client_errors, failed, refused, bytes_in,
            bytes_out, unlisted)
         SELECT w.id, {}, {}, 1, 0, 0, 1, 10, 2000, 0 FROM workspaces w WHERE w.slug = {}",
        app.id(Uuid::nil()),
        now - now.rem_euclid(DAY),
        quoted(workspace),
    );
    assert_eq!(app.execute(&sql).await, 1);
}
