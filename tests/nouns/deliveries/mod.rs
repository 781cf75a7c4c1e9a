//! Events that are delivered to destinations.

mod behaviour;
mod receivers;
mod schedule;

use super::destinations::add_destination;
use crate::walk::*;

pub struct Deliveries;

const PAGE: &str = "/w/{workspace}/destinations/{destination}/events";

#[async_trait(?Send)]
impl Noun for Deliveries {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page(PAGE, one(P::ReadDestinations))
                .with("destination", "receiver")
                .reads(&["status", "from", "until", "after", "before"])
                .refuses_filters(&[("status", "nonsense"), ("from", "2026-13-01"), ("until", "nonsense")])
                .filters(&["status=held", "from=2020-01-01", "until=2020-01-01"])
                .statements(3),
            form(PAGE, one(P::ManageDestinations))
                .with("destination", "receiver")
                .sends(|_| fields(&[("path", "/hooks"), ("kind", "ownership"), ("kind", "team")]))
                .types(|_, form| form.fill(&[("path", "/hooks")]))
                .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403)))
                .offered(|at| at.has(P::ReadAudit))
                .like_but("PUT /api/sso/v1/destinations/{destination}/events", &["kinds"]),
            form("/w/{workspace}/destinations/{destination}/events/secret", one(P::ManageDestinations))
                .with("destination", "receiver")
                .sends(|_| fields(&[("overlap", "day")]))
                .carries(&["version"], PAGE, "/secret")
                .succeeds_with(200)
                .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403)))
                .offered(|at| is_on(at) && at.has(P::ReadAudit))
                .like_but("POST /api/sso/v1/destinations/{destination}/events/rotation", &["keep_old"]),
            form("/w/{workspace}/destinations/{destination}/events/test", one(P::ManageDestinations))
                .with("destination", "receiver")
                .offered(is_on)
                .like("POST /api/sso/v1/destinations/{destination}/events/test"),
            form("/w/{workspace}/destinations/{destination}/events/replay", one(P::ManageDestinations))
                .with("destination", "receiver")
                .sends(|_| fields(&[("replay_from", ""), ("replay_until", ""), ("which", "held")]))
                .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403)))
                .offered(|at| is_on(at) && at.has(P::ReadAudit))
                .like("POST /api/sso/v1/destinations/{destination}/events/replay"),
            page("/w/{workspace}/destinations/{destination}/events/deactivation", one(P::ManageDestinations))
                .with("destination", "receiver")
                .statements(2),
            form("/w/{workspace}/destinations/{destination}/events/deactivation", one(P::ManageDestinations))
                .with("destination", "receiver")
                .offered(is_on)
                .like("DELETE /api/sso/v1/destinations/{destination}/events"),
            page("/w/{workspace}/destinations/{destination}/events/{delivery}", one(P::ReadDestinations))
                .with("destination", "receiver")
                .statements(4),
            form(
                "/w/{workspace}/destinations/{destination}/events/{delivery}/replay",
                one(P::ManageDestinations),
            )
            .with("destination", "receiver")
            .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403)))
            .offered(|at| is_on(at) && at.has(P::ReadAudit) && is_sent_there(at))
            .like("POST /api/sso/v1/destinations/{destination}/events/deliveries/{delivery}/replay"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        let of = |row: Row| row.with("destination", "receiver");
        vec![
            of(call("GET /api/sso/v1/destinations/{destination}/events", one(P::ReadDestinations))),
            of(call("PUT /api/sso/v1/destinations/{destination}/events", one(P::ManageDestinations)))
                .body(|_| json!({"path": "/hooks", "kinds": ["ownership", "team"]}))
                .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403))),
            of(call("DELETE /api/sso/v1/destinations/{destination}/events", one(P::ManageDestinations))),
            of(call(
                "POST /api/sso/v1/destinations/{destination}/events/rotation",
                one(P::ManageDestinations),
            ))
            .body(|_| json!({"keep_old": true}))
            .succeeds_with(200)
            .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403))),
            of(call("POST /api/sso/v1/destinations/{destination}/events/test", one(P::ManageDestinations))),
            of(call("POST /api/sso/v1/destinations/{destination}/events/replay", one(P::ManageDestinations)))
                .body(|_| json!({}))
                .succeeds_with(200)
                .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403))),
            of(call(
                "GET /api/sso/v1/destinations/{destination}/events/deliveries",
                one(P::ReadDestinations),
            )),
            of(call(
                "GET /api/sso/v1/destinations/{destination}/events/deliveries/{delivery}",
                one(P::ReadDestinations),
            )),
            of(call(
                "POST /api/sso/v1/destinations/{destination}/events/deliveries/{delivery}/replay",
                one(P::ManageDestinations),
            ))
            .succeeds_with(200)
            .first(|at| (!at.has(P::ReadAudit)).then_some(Verdict::Audited(403))),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("receiver").every(|facts| facts.ids("destinations")),
            Param::new("delivery").every(|facts| facts.ids("event_deliveries")),
        ]
    }

    /// A destination that receives events of a kind that the walks don't cause, with one that is held and one that was
    /// delivered. Nothing is sent to it: another node seems to have its turn.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug) = (plot.app, plot.slug());
        let name = plot.name("receiver").replace(' ', "-").to_lowercase();
        let id = add_destination(app, slug, &format!("{name}.example.com"), false).await;
        receive_nothing(app, id, "/hooks", "ownership").await;
        let delivery = add_delivery(app, id, "held").await;
        add_delivery(app, id, "delivered").await;
        plot.put("receiver", id);
        plot.put("delivery", delivery);
        let attempt = format!("SELECT id FROM event_attempts WHERE delivery_id = {}", app.id(delivery));
        plot.put("attempt", app.scalar_uuid(&attempt).await);
    }

    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        for _ in 0..n {
            add_delivery(app, world.acme.id("receiver"), "delivered").await;
        }
    }

    fn plans(&self) -> Plans {
        Plans { many: &["event_deliveries"], ..Plans::default() }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "UPDATE destinations SET receives_events = TRUE, event_path = '/hooks', event_kinds = 'ownership'
                WHERE host IN ('api.example.com', 'h1.example.com')",
            "INSERT INTO event_endpoints (destination_id, workspace_id, secret, secret_created_at, accountable_user_id,
                    next_due_at, leased_until)
                SELECT id, workspace_id, 'whsec_AAAA', 0, created_by, {then}, {then} FROM destinations
                WHERE receives_events",
            "INSERT INTO event_deliveries (id, workspace_id, destination_id, event_id, kind, status, queued_at, due_at,
                    tries_left, expires_at)
                SELECT {id}, d.workspace_id, d.id, {id}, 'team.created',
                    CASE i % 4 WHEN 0 THEN 'held' WHEN 1 THEN 'waiting' ELSE 'delivered' END, i,
                    CASE i % 4 WHEN 1 THEN {then} END, 1, {then}
                FROM n JOIN destinations d ON d.receives_events AND (d.host = 'h1.example.com' OR i <= 40)",
            "INSERT INTO event_attempts (id, workspace_id, delivery_id, attempted_at, status, duration_ms, body)
                SELECT {id}, workspace_id, id, 0, 200, 1, '' FROM event_deliveries",
        ]
    }

    /// Events of one destination from on to off. Nothing listens there, so a message is tried and fails.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let host = [("host", "receiver.example.com"), ("description", "")];
        let page = tour.post(&owner, &format!("{HOME}/destinations"), &host, 303).await.location();
        let base = format!("{page}/events");
        let id = page.rsplit('/').next().unwrap().to_owned();
        tour.get(&owner, &base, 200).await;
        let settings = [("path", "/hooks"), ("kind", "destination"), ("kind", "team")];
        tour.post(&owner, &base, &settings, 200).await;
        tour.post(&owner, &base, &[("path", "/hooks"), ("kind", "destination")], 303).await;
        tour.post(&owner, &format!("{base}/test"), &[], 303).await;
        let app = tour.app;
        until("nothing was tried", async || {
            app.scalar_i64("SELECT count(*) FROM event_attempts WHERE error IS NOT NULL").await > 0
        })
        .await;
        let crowded = "SELECT id FROM destinations WHERE host = 'h1.example.com' AND workspace_id =
                (SELECT id FROM workspaces WHERE slug = 'seed-1')";
        let crowded = app.scalar_uuid(crowded).await;
        for query in [
            "",
            "?status=held",
            "?from=2020-01-01&until=2030-01-01",
            "?status=delivered&from=2020-01-01",
            "?before=end",
        ] {
            tour.get(&owner, &format!("{HOME}/destinations/{crowded}/events{query}"), 200).await;
        }
        let list = owner.get(&format!("{HOME}/destinations/{crowded}/events")).await;
        let next = list.attributes("[rel=next]", "href").remove(0);
        tour.get(&owner, &next, 200).await;
        let delivery = format!(
            "SELECT id FROM event_deliveries WHERE kind = 'destination.events-turned-on' AND destination_id = {}",
            app.id(id.parse().unwrap())
        );
        let delivery = app.scalar_uuid(&delivery).await;
        tour.get(&owner, &format!("{base}/{delivery}"), 200).await;
        tour.post(&owner, &format!("{base}/{delivery}/replay"), &[], 303).await;
        let range = [("replay_from", ""), ("replay_until", ""), ("which", "all")];
        tour.post(&owner, &format!("{base}/replay"), &range, 303).await;
        let version = owner.get(&base).await.field_value("version").unwrap();
        tour.post(&owner, &format!("{base}/secret"), &[("overlap", "day"), ("version", &version)], 200).await;
        tour.get(&owner, &format!("{base}/deactivation"), 200).await;
        tour.call(&format!("destinations/{id}/events")).await;
        tour.call(&format!("destinations/{id}/events/deliveries?status=waiting")).await;
        tour.call(&format!("destinations/{id}/events/deliveries/{delivery}")).await;
        tour.post(&owner, &format!("{base}/deactivation"), &[], 303).await;
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, owner, base) = (&demo.app, &demo.owner, demo.at("/destinations"));
        let list = owner.get(&base).await;
        let is_exact = |host: &String| !host.starts_with('*');
        let exact = list.select("tbody .name a").iter().position(is_exact).expect("an exact host");
        let page = list.attributes("tbody .name a", "href").remove(exact);
        let events = format!("{page}/events");
        let blank = owner.get(&events).await;
        pictures.add("events-off", 200, blank.clone());
        pictures.add("events-of-developer-off", 200, demo.developer.get(&events).await);
        let wrong = [("path", "https://api.example.com/hooks")];
        pictures.add("events-refused", 422, owner.submit(&blank, "/events", &wrong).await);
        let on = owner.submit(&blank, "/events", &[("path", "/webhooks/bailiwick")]).await;
        pictures.add("events-secret", 200, on);
        let id = page.rsplit('/').next().unwrap().parse().unwrap();
        app.execute(&format!(
            "UPDATE event_endpoints SET leased_until = {NEVER} WHERE destination_id = {}",
            app.id(id)
        ))
        .await;
        pictures.add("events-on", 200, owner.get(&events).await);
        let mut held = UNKNOWN;
        for status in ["delivered", "held", "waiting", "held", "delivered", "failed"] {
            let delivery = add_delivery(app, id, status).await;
            if status == "held" {
                held = delivery;
            }
        }
        pictures.add("events-held", 200, owner.get(&events).await);
        pictures.add("events-none", 200, owner.get(&format!("{events}?until=2020-01-01")).await);
        pictures.add("events-filter-refused", 422, owner.get(&format!("{events}?status=odd")).await);
        pictures.add("event-delivery", 200, owner.get(&format!("{events}/{held}")).await);
        pictures.add("events-of-developer", 200, demo.developer.get(&events).await);
        let of_developer = demo.developer.get(&format!("{events}/{held}")).await;
        pictures.add("event-delivery-of-developer", 200, of_developer);
        pictures.add("events-deactivation", 200, owner.get(&format!("{events}/deactivation")).await);
        let on = owner.get(&events).await;
        pictures.add("events-rotated", 200, owner.submit(&on, "/secret", &[]).await);
        for (reason, picture) in [
            ("failed", "events-stopped-failed"),
            ("gone", "events-stopped-gone"),
            ("authority", "events-stopped-authority"),
        ] {
            let stop = format!(
                "UPDATE event_endpoints SET stopped_at = {now}, stop_reason = '{reason}', next_probe_at = {then}
                    WHERE destination_id = {}",
                app.id(id),
                now = app.clock.now().as_millis(),
                then = if reason == "failed" { (app.clock.now() + DAY).as_millis().to_string() } else { "NULL".into() },
            );
            app.execute(&stop).await;
            pictures.add(picture, 200, owner.get(&events).await);
        }
    }
}

/// 9223372036854775807 is "never" in the database.
const NEVER: i64 = i64::MAX;

fn is_on(at: &Offer) -> bool {
    flag(at.facts.row("destinations", at.id("destination")), "receives_events")
}

/// The message is one of that destination.
fn is_sent_there(at: &Offer) -> bool {
    text(at.facts.row("event_deliveries", at.id("delivery")), "destination_id") == at.id("destination")
}

/// Turns events on for a destination, for whom nothing is sent: a turn of another node never ends.
async fn receive_nothing(app: &TestApp, destination: Uuid, path: &str, kinds: &str) {
    let id = app.id(destination);
    let sql = format!(
        "UPDATE destinations SET receives_events = TRUE, event_path = {}, event_kinds = {} WHERE id = {id}",
        quoted(path),
        quoted(kinds)
    );
    assert_eq!(app.execute(&sql).await, 1);
    let sql = format!(
        "INSERT INTO event_endpoints (destination_id, workspace_id, secret, secret_created_at, accountable_user_id,
            next_due_at, leased_until)
         SELECT id, workspace_id, 'whsec_AAAA', created_at, created_by, {NEVER}, {NEVER} FROM destinations WHERE id = {id}"
    );
    assert_eq!(app.execute(&sql).await, 1);
}

/// Puts a message into the log of a destination, with its attempts.
async fn add_delivery(app: &TestApp, destination: Uuid, status: &str) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let (code, error) = match status {
        "delivered" => ("204", "NULL"),
        "waiting" => ("NULL", "NULL"),
        _ => ("503", "'It answered 503.'"),
    };
    let attempts = i64::from(status != "waiting");
    let sql = format!(
        "INSERT INTO event_deliveries (id, workspace_id, destination_id, event_id, kind, status, queued_at, due_at,
            attempts, tries_left, last_attempt_at, last_status, last_error, expires_at)
         SELECT {}, workspace_id, id, {}, 'member.roles-changed', '{status}', {now}, {}, {attempts}, 7, {now}, {code},
            {error}, {} FROM destinations WHERE id = {}",
        app.id(id),
        if status == "failed" { "NULL".to_owned() } else { app.id(new_id()) },
        if status == "waiting" { now.to_string() } else { "NULL".to_owned() },
        now + 7 * DAY,
        app.id(destination),
    );
    assert_eq!(app.execute(&sql).await, 1);
    if attempts > 0 {
        let sql = format!(
            "INSERT INTO event_attempts (id, workspace_id, delivery_id, attempted_at, status, error, duration_ms, body)
             SELECT {}, workspace_id, id, {now}, {code}, {error}, 42, 'an answer' FROM event_deliveries WHERE id = {}",
            app.id(new_id()),
            app.id(id)
        );
        assert_eq!(app.execute(&sql).await, 1);
    }
    id
}
