//! Pages of destinations in each state, for the gallery.

use super::add_destination;
use crate::walk::*;

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
pub(super) async fn of_life(demo: &Demo, pictures: &mut Pictures) {
    let (owner, base) = (&demo.owner, demo.at("/destinations"));
    let page = owner.get(&format!("{base}/new")).await;
    let wrong = [("host", "https://api.example.com/v1"), ("description", &"x".repeat(201))];
    pictures.add("destination-new-refused", 422, owner.submit(&page, &base, &wrong).await);
    pictures.add("destination-new", 200, page.clone());
    for (plain, what) in [
        ("events.example.net", ""),
        ("münchen.example.de", "Weather for the office"),
        ("billing.example.com", "Invoices, in the test environment"),
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
            "billing.example.com" => pictures.add("destination-added", 200, added),
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

/// What a destination is used for, by the Owner.
pub(super) async fn of_parts(demo: &Demo, pictures: &mut Pictures) {
    let (app, owner, base) = (&demo.app, &demo.owner, demo.at("/destinations"));
    let page = owner.get(&format!("{base}/new")).await;
    let wildcard =
        format!("*.{}", host(demo, "tiles.example.org").trim_start_matches('w').trim_start_matches('.'));
    let fields = [("host", wildcard.as_str()), ("is_wildcard", "yes"), ("description", "")];
    pictures.add("destination-wildcard", 200, submit(owner, &page, &base, &fields).await);
    let no_tick = [("host", "*.example.com")];
    pictures.add("destination-wildcard-refused", 422, owner.submit(&page, &base, &no_tick).await);
    let host = host(demo, "parts.example.com");
    let own = owner.submit(&page, &base, &[("host", &host)]).await.location();
    let page = owner.get(&own).await;
    let wrong = [("requests_per_minute", "many")];
    pictures.add("destination-requests-refused", 422, owner.submit(&page, "/requests", &wrong).await);
    let page = owner.get(&format!("{own}/senders")).await;
    pictures.add("destination-senders", 200, page.clone());
    let nobody = [("is_restricted", "yes")];
    pictures.add("destination-senders-refused", 422, owner.submit(&page, "/senders", &nobody).await);
    let some = [("is_restricted", "yes"), ("role", "developer"), ("role", "viewer")];
    pictures.add("destination-restricted", 200, submit(owner, &page, "/senders", &some).await);
    pictures.add("destination-senders-changed", 409, owner.submit(&page, "/senders", &some).await);
    let page = owner.get(&format!("{own}/credential")).await;
    pictures.add("destination-credential", 200, page.clone());
    let wrong = [("header_name", "Host"), ("credential", "")];
    pictures.add("destination-credential-refused", 422, owner.submit(&page, "/credential", &wrong).await);
    let fields = [("header_name", "Authorization"), ("credential", "Bearer made-up")];
    pictures.add("destination-credential-stored", 200, submit(owner, &page, "/credential", &fields).await);
    let page = owner.get(&format!("{own}/credential")).await;
    pictures.add("destination-credential-replacement", 200, page.clone());
    let fields = [("header_name", "X-Api-Key"), ("credential", "made-up"), ("keep_previous", "24")];
    pictures.add("destination-credential-replaced", 200, submit(owner, &page, "/credential", &fields).await);
    pictures.add(
        "destination-credential-removal",
        200,
        owner.get(&format!("{own}/credential/removal")).await,
    );
    app.execute(&format!(
        "UPDATE destinations SET last_used_at = created_at, last_error_at = created_at, receives_events = TRUE,
            last_error = 'The host did not answer within 60 seconds.' WHERE id = {}",
        app.id(own.rsplit('/').next().unwrap().parse().unwrap())
    ))
    .await;
    pictures.add("destination-failing", 200, owner.get(&own).await);
    pictures.add("destination-deletion-of-all", 200, owner.get(&format!("{own}/deletion")).await);
    pictures.add("destination-parts-of-developer", 200, demo.developer.get(&own).await);
    pictures.add("destinations-used", 200, owner.get(&base).await);
}

/// The list in its states, and as a viewer who can't change it sees it.
pub(super) async fn of_lists(demo: &Demo, pictures: &mut Pictures) {
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
