//! Destinations: the public hosts that a workspace allows.

mod behaviour;

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
                .types(|_, form| form.fill(&[("host", "new.example.com")]))
                .like("POST /api/sso/v1/destinations"),
            page("/w/{workspace}/destinations/new", one(P::ManageDestinations)).statements(1),
            page("/w/{workspace}/destinations/{destination}", one(P::ReadDestinations)).statements(2),
            form("/w/{workspace}/destinations/{destination}/details", one(P::ManageDestinations))
                .sends(|_| fields(&[("description", "Another description")]))
                .like("PATCH /api/sso/v1/destinations/{destination}"),
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
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("destination").every(|facts| facts.ids("destinations")),
            Param::new("paused_destination").every(paused),
        ]
    }

    /// One that is active and one that is paused. The hosts are the same in both workspaces, but for the
    /// name that says where they are.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, name) = (plot.app, plot.slug(), plot.name("host").replace(' ', "-").to_lowercase());
        let active = add_destination(app, slug, &format!("{name}.example.com"), false).await;
        let paused = add_destination(app, slug, &format!("paused-{name}.example.com"), true).await;
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
        pictures_of_life(demo, pictures).await;
        pictures_of_lists(demo, pictures).await;
    }
}

/// The ids of those that are paused.
fn paused(facts: &Facts) -> Vec<String> {
    let paused = facts.rows("destinations").iter().filter(|row| !row["paused_at"].is_null());
    paused.map(|row| text(row, "id").to_owned()).collect()
}

/// Puts a host, in ASCII, into the workspace, added by the user who created the workspace.
async fn add_destination(app: &TestApp, workspace: &str, host: &str, is_paused: bool) -> Uuid {
    let id = new_id();
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

// ---- the gallery --------------------------------------------------------------------------------

/// A host, as somebody types it.
fn host(demo: &Demo, plain: &str) -> String {
    match demo.names {
        Names::Plain => plain.to_owned(),
        // 253 characters in ASCII.
        Names::Long => {
            let rest = 60 - idna::domain_to_ascii(plain).unwrap().len();
            format!("{0}.{0}.{0}.{1}.{plain}", "w".repeat(63), "w".repeat(rest))
        }
        Names::RightToLeft => format!("דוגמה.{plain}"),
    }
}

fn description(demo: &Demo, plain: &str) -> String {
    if demo.names == Names::Long { "W".repeat(200) } else { demo.name(plain) }
}

/// From the form to the deletion, by the Owner.
async fn pictures_of_life(demo: &Demo, pictures: &mut Pictures) {
    let (owner, base) = (&demo.owner, demo.at("/destinations"));
    let page = owner.get(&format!("{base}/new")).await;
    let wrong = [("host", "https://api.example.com/v1"), ("description", &"x".repeat(201))];
    pictures.add("destination-new-refused", 422, owner.submit(&page, &base, &wrong).await);
    pictures.add("destination-new", 200, page.clone());
    for (plain, what) in [
        ("hooks.example.net", ""),
        ("münchen.example.de", "Weather for the office"),
        ("api.example.com", "Payments, in the test environment"),
    ] {
        let (host, description) = (host(demo, plain), description(demo, what));
        let fields = [("host", host.as_str()), ("description", &description)];
        let added = submit(owner, &page, &base, &fields).await;
        match plain {
            "münchen.example.de" => {
                pictures.add("destination-international", 200, owner.get(added.path()).await);
                pictures.add(
                    "destination-international-deletion",
                    200,
                    owner.get(&format!("{}/deletion", added.path())).await,
                );
            }
            "api.example.com" => pictures.add("destination-added", 200, added),
            _ => {}
        }
    }
    let list = owner.get(&base).await;
    let paths = list.attributes("tbody .name a", "href");
    pictures.add("destination-deletion", 200, owner.get(&format!("{}/deletion", paths[1])).await);
    let page = owner.get(&paths[0]).await;
    let long = [("description", "x".repeat(201))];
    let long = long.each_ref().map(|(name, value)| (*name, value.as_str()));
    pictures.add("destination-refused", 422, owner.submit(&page, "/details", &long).await);
    pictures.add("destination-paused", 200, submit(owner, &page, "/pause", &[]).await);
}

/// The list in its states, and as a viewer who can't change it sees it.
async fn pictures_of_lists(demo: &Demo, pictures: &mut Pictures) {
    let (app, owner, base) = (&demo.app, &demo.owner, demo.at("/destinations"));
    pictures.add("destinations-of-developer", 200, demo.developer.get(&base).await);
    pictures.add("destinations-none", 200, owner.get(&format!("{base}?q=nothing+at+all")).await);
    pictures.add("destinations-refused", 422, owner.get(&format!("{base}?status=odd")).await);
    pictures.add("activity-of-destinations", 200, owner.get(&demo.at("/activity")).await);
    let viewers = format!(
        "(SELECT r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
            WHERE r.slug = 'viewer' AND w.slug IN ({}, 'seed-1'))",
        quoted(demo.slug())
    );
    let grant = format!(
        "INSERT INTO grants (workspace_id, role_id, scope)
            SELECT workspace_id, id, 'read:destinations' FROM roles WHERE id IN {viewers}"
    );
    app.execute(&grant).await;
    let first = owner.get(&base).await.attributes("tbody .name a", "href").remove(0);
    pictures.add("destinations-of-viewer", 200, demo.viewer.get(&base).await);
    pictures.add("destination-of-viewer", 200, demo.viewer.get(&first).await);
    let taken = format!("DELETE FROM grants WHERE scope = 'read:destinations' AND role_id IN {viewers}");
    app.execute(&taken).await;
    for n in 0..60 {
        add_destination(app, "seed-1", &format!("host-{n}.example.com"), n % 7 == 0).await;
    }
    let first = demo.busy.get("/w/seed-1/destinations").await;
    let next = first.attributes("[rel=next]", "href").remove(0);
    pictures.add("destinations-many-next", 200, demo.busy.get(&next).await);
}
