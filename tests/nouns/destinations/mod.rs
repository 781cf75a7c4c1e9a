//! Destinations: the public hosts that a workspace allows.

mod behaviour;
mod credential;
mod parts;
mod pictures;
mod upgrade;

use crate::walk::*;

pub struct Destinations;

#[async_trait(?Send)]
impl Noun for Destinations {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/destinations", one(P::ReadDestinations))
                .reads(&["q", "status", "after", "before"])
                .refuses_filters(&[("q", LONG), ("status", "nonsense")])
                .filters(&["q=example", "status=active", "status=paused"])
                .statements(2),
            form("/w/{workspace}/destinations", one(P::ManageDestinations))
                .sends(|_| fields(&[("host", "new.example.com"), ("description", "")]))
                .also_reads(&["is_wildcard"])
                .types(|_, form| form.fill(&[("host", "new.example.com")]))
                .like("POST /api/sso/v1/destinations"),
            page("/w/{workspace}/destinations/new", one(P::ManageDestinations)).statements(1),
            page("/w/{workspace}/destinations/{destination}", one(P::ReadDestinations)).statements(4),
            form("/w/{workspace}/destinations/{destination}/details", one(P::ManageDestinations))
                .sends(|_| fields(&[("description", "Another description")]))
                .like("PATCH /api/sso/v1/destinations/{destination}"),
            form("/w/{workspace}/destinations/{destination}/requests", one(P::ManageDestinations))
                .sends(|_| {
                    fields(&[
                        ("allows_requests", "yes"),
                        ("requests_per_minute", "60"),
                        ("price_credits", "2"),
                    ])
                })
                .like_but("PATCH /api/sso/v1/destinations/{destination}", &["description"]),
            page("/w/{workspace}/destinations/{destination}/senders", one(P::ManageDestinations))
                .statements(4),
            form("/w/{workspace}/destinations/{destination}/senders", one(P::ManageDestinations))
                .sends(|_| fields(&[("is_restricted", "yes"), ("role", "viewer")]))
                .also_reads(&["key"])
                .ticks("key")
                .carries(&["version"], "/w/{workspace}/destinations/{destination}/senders", "/senders")
                .like("PUT /api/sso/v1/destinations/{destination}/senders"),
            page("/w/{workspace}/destinations/{destination}/credential", one(P::ManageDestinations))
                .statements(3),
            form("/w/{workspace}/destinations/{destination}/credential", one(P::ManageDestinations))
                .sends(|_| {
                    fields(&[("header_name", "x-api-key"), ("credential", "abc"), ("keep_previous", "1")])
                })
                .types(|_, form| form.fill(&[("credential", "abc")]))
                .like_but(
                    "PUT /api/sso/v1/destinations/{destination}/credential",
                    &["value", "keep_previous_seconds"],
                ),
            form(
                "/w/{workspace}/destinations/{destination}/credential/restoration",
                one(P::ManageDestinations),
            )
            .offered(keeps_previous)
            .like("POST /api/sso/v1/destinations/{destination}/credential/restoration"),
            form(
                "/w/{workspace}/destinations/{destination}/credential/previous-deletion",
                one(P::ManageDestinations),
            )
            .offered(keeps_previous)
            .like("DELETE /api/sso/v1/destinations/{destination}/credential/previous"),
            page("/w/{workspace}/destinations/{destination}/credential/removal", one(P::ManageDestinations))
                .statements(3),
            form("/w/{workspace}/destinations/{destination}/credential/removal", one(P::ManageDestinations))
                .like("DELETE /api/sso/v1/destinations/{destination}/credential"),
            form("/w/{workspace}/destinations/{destination}/pause", one(P::ManageDestinations))
                .offered(|at| !paused(at.facts).iter().any(|id| id == at.id("destination")))
                .like_but("PATCH /api/sso/v1/destinations/{destination}", &["description"]),
            form("/w/{workspace}/destinations/{destination}/resumption", one(P::ManageDestinations))
                .with("destination", "paused_destination")
                .like_but("PATCH /api/sso/v1/destinations/{destination}", &["description"]),
            page("/w/{workspace}/destinations/{destination}/deletion", one(P::ManageDestinations))
                .statements(2),
            form("/w/{workspace}/destinations/{destination}/deletion", one(P::ManageDestinations))
                .like("DELETE /api/sso/v1/destinations/{destination}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/destinations", one(P::ReadDestinations)),
            call("POST /api/sso/v1/destinations", one(P::ManageDestinations))
                .body(|_| json!({"host": "new.example.com"})),
            call("GET /api/sso/v1/destinations/{destination}", one(P::ReadDestinations)),
            call("PATCH /api/sso/v1/destinations/{destination}", one(P::ManageDestinations))
                .body(|_| json!({"description": "Another description"})),
            call("DELETE /api/sso/v1/destinations/{destination}", one(P::ManageDestinations)),
            call("GET /api/sso/v1/destinations/{destination}/senders", one(P::ManageDestinations)),
            call("PUT /api/sso/v1/destinations/{destination}/senders", one(P::ManageDestinations))
                .body(|_| json!({"is_restricted": true, "roles": ["viewer"]})),
            call("GET /api/sso/v1/destinations/{destination}/credential", one(P::ReadDestinations)),
            call("PUT /api/sso/v1/destinations/{destination}/credential", one(P::ManageDestinations))
                .body(|_| json!({"header_name": "x-api-key", "value": "abc", "keep_previous_seconds": 3600}))
                .succeeds_with(204),
            call("DELETE /api/sso/v1/destinations/{destination}/credential", one(P::ManageDestinations)),
            call(
                "POST /api/sso/v1/destinations/{destination}/credential/restoration",
                one(P::ManageDestinations),
            )
            .succeeds_with(204),
            call(
                "DELETE /api/sso/v1/destinations/{destination}/credential/previous",
                one(P::ManageDestinations),
            ),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("destination").every(|facts| facts.ids("destinations")),
            Param::new("paused_destination").every(paused),
        ]
    }

    /// One that is active, with senders, a credential and the one before it, and one that is paused. The hosts are the
    /// same in both workspaces, but for the name that says where they are.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, name) = (plot.app, plot.slug(), plot.name("host").replace(' ', "-").to_lowercase());
        let active = add_destination(app, slug, &format!("{name}.example.com"), false).await;
        let paused = add_destination(app, slug, &format!("paused-{name}.example.com"), true).await;
        restrict_to(app, active, "developer").await;
        add_credential(app, active, None).await;
        add_credential(app, active, Some(FAR)).await;
        plot.put("destination", active);
        plot.put("paused_destination", paused);
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        for _ in 0..n {
            add_destination(app, "acme", &format!("{}.example.com", new_id().simple()), false).await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Over a page in one workspace, and one in each of the others.
            "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'), 'h' || i || '.example.com', '',
                    'h' || i || '.example.com', (SELECT id FROM users LIMIT 1), 0 FROM n WHERE i <= 120",
            "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at, paused_at)
                SELECT {id}, w.id, 'api.example.com', '', 'api.example.com', (SELECT id FROM users LIMIT 1), 0, 1
                FROM workspaces w",
            "INSERT INTO destination_senders (id, workspace_id, destination_id, role_id)
                SELECT {id}, d.workspace_id, d.id, r.id FROM destinations d
                JOIN roles r ON r.workspace_id = d.workspace_id AND r.slug IN ('admin', 'developer')",
            "INSERT INTO destination_credentials (id, workspace_id, destination_id, header_name, sealed, created_by, created_at)
                SELECT {id}, d.workspace_id, d.id, 'authorization', 'sealed:1:', d.created_by, 0 FROM destinations d",
            "INSERT INTO destination_credentials (id, workspace_id, destination_id, header_name, sealed, created_by, created_at,
                    ends_at)
                SELECT {id}, d.workspace_id, d.id, 'authorization', 'sealed:1:', d.created_by, 0, {then} FROM destinations d",
        ]
    }

    /// A destination from its addition to its deletion.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let base = format!("{HOME}/destinations");
        tour.app.execute("UPDATE destinations SET paused_at = 1 WHERE host LIKE 'h%0.example.com'").await;
        tour.list("destinations", "", &["q=example", "status=active", "q=h1&status=active"]).await;
        tour.get(&owner, &format!("{base}?q=h1&status=paused"), 200).await;
        tour.get(&owner, &format!("{base}/new"), 200).await;
        let fields = [("host", "new.example.com"), ("description", "Something new")];
        let added = tour.post(&owner, &base, &fields, 303).await.location();
        tour.get(&owner, &added, 200).await;
        tour.post(&owner, &base, &fields, 422).await;
        tour.post(&owner, &format!("{added}/details"), &[("description", "Something else")], 303).await;
        tour.post(&owner, &format!("{added}/requests"), &[("requests_per_minute", "60")], 303).await;
        tour.post(&owner, &format!("{added}/requests"), &[("requests_per_minute", "0")], 422).await;
        tour_of_parts(tour, &added).await;
        tour.post(&owner, &format!("{added}/pause"), &[], 303).await;
        tour.post(&owner, &format!("{added}/resumption"), &[], 303).await;
        tour.get(&owner, &format!("{added}/deletion"), 200).await;
        tour.post(&owner, &format!("{added}/deletion"), &[], 303).await;
        let viewer = tour.viewer.clone();
        tour.post(&viewer, &base, &fields, 403).await;
        tour.call("destinations?status=active").await;
        tour.call_once("destinations", &json!({"host": "called.example.com"}), 201).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let empty = demo.founder.client.get("/w/acme/destinations").await;
        pictures.add("empty-destinations", 200, empty);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures::of_life(demo, pictures).await;
        pictures::of_parts(demo, pictures).await;
        pictures::of_lists(demo, pictures).await;
    }
}

/// Senders and credential, from nothing to nothing.
async fn tour_of_parts(tour: &mut Tour<'_>, page: &str) {
    let owner = tour.owner.clone();
    let shown = tour.get(&owner, &format!("{page}/senders"), 200).await;
    let version = shown.field_value("version").unwrap();
    let some = [("is_restricted", "yes"), ("role", "viewer"), ("version", &version)];
    tour.post(&owner, &format!("{page}/senders"), &some, 303).await;
    let shown = tour.get(&owner, &format!("{page}/senders"), 200).await;
    let version = shown.field_value("version").unwrap();
    let key = new_id().to_string();
    let unknown = [("is_restricted", "yes"), ("key", key.as_str()), ("version", &version)];
    tour.post(&owner, &format!("{page}/senders"), &unknown, 422).await;
    tour.post(&owner, &format!("{page}/senders"), &[("is_restricted", "no"), ("version", &version)], 303)
        .await;
    tour.get(&owner, &format!("{page}/credential"), 200).await;
    let fields = [("header_name", "x-api-key"), ("credential", "abc"), ("keep_previous", "1")];
    for _ in 0..3 {
        tour.post(&owner, &format!("{page}/credential"), &fields, 303).await;
    }
    tour.get(&owner, page, 200).await;
    tour.post(&owner, &format!("{page}/credential/restoration"), &[], 303).await;
    tour.post(&owner, &format!("{page}/credential"), &fields, 303).await;
    tour.post(&owner, &format!("{page}/credential/previous-deletion"), &[], 303).await;
    tour.get(&owner, &format!("{page}/credential/removal"), 200).await;
    tour.post(&owner, &format!("{page}/credential/removal"), &[], 303).await;
    tour.post(&owner, &format!("{page}/credential"), &fields, 303).await;
}

/// Milliseconds since 1970, far from now.
const FAR: i64 = 4_102_444_800_000;

/// Whether the destination has a credential that can be brought back.
fn keeps_previous(at: &Offer) -> bool {
    let mut rows = at.facts.rows("destination_credentials").iter();
    rows.any(|row| text(row, "destination_id") == at.id("destination") && !row["ends_at"].is_null())
}

/// Only holders of this role may send.
async fn restrict_to(app: &TestApp, destination: Uuid, role: &str) {
    let sql = format!("UPDATE destinations SET is_restricted = TRUE WHERE id = {}", app.id(destination));
    assert_eq!(app.execute(&sql).await, 1);
    let sql = format!(
        "INSERT INTO destination_senders (id, workspace_id, destination_id, role_id)
        SELECT {}, d.workspace_id, d.id, r.id FROM destinations d
        JOIN roles r ON r.workspace_id = d.workspace_id AND r.slug = {} WHERE d.id = {}",
        app.id(new_id()),
        quoted(role),
        app.id(destination)
    );
    assert_eq!(app.execute(&sql).await, 1);
}

/// A credential that nothing opens: the current one, or one that was replaced and is kept until `ends_at`.
async fn add_credential(app: &TestApp, destination: Uuid, ends_at: Option<i64>) {
    let sql = format!(
        "INSERT INTO destination_credentials (id, workspace_id, destination_id, header_name, sealed, created_by,
            created_at, ends_at)
        SELECT {}, d.workspace_id, d.id, 'authorization', 'sealed:1:', d.created_by, d.created_at, {}
        FROM destinations d WHERE d.id = {}",
        app.id(new_id()),
        ends_at.map_or("NULL".to_owned(), |at| at.to_string()),
        app.id(destination)
    );
    assert_eq!(app.execute(&sql).await, 1);
}

/// The ids of those that are paused.
fn paused(facts: &Facts) -> Vec<String> {
    let paused = facts.rows("destinations").iter().filter(|row| !row["paused_at"].is_null());
    paused.map(|row| text(row, "id").to_owned()).collect()
}

/// Puts a host, in ASCII, into the workspace, added by the user who created the workspace.
pub async fn add_destination(app: &TestApp, workspace: &str, host: &str, is_paused: bool) -> Uuid {
    add_destination_as(app, workspace, host, is_paused, new_id()).await
}

/// Adds the destination that the samples of addresses name, to acme.
pub async fn add_sample_destination(app: &TestApp) -> Uuid {
    add_destination_as(app, "acme", "sample.example.com", false, Uuid::from_u128(7)).await
}

async fn add_destination_as(app: &TestApp, workspace: &str, host: &str, is_paused: bool, id: Uuid) -> Uuid {
    let sql = format!(
        "INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at, paused_at)
         SELECT {}, w.id, {host}, 'For a test', {host}, m.user_id, w.created_at, {}
         FROM workspaces w JOIN members m ON m.workspace_id = w.id AND m.origin = 'founder' WHERE w.slug = {}",
        app.id(id),
        if is_paused { "w.created_at" } else { "NULL" },
        quoted(workspace),
        host = quoted(host),
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
