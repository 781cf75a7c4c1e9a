//! Activity: what happened in a workspace, and taking a change back.

use crate::walk::*;

pub struct Activity;

#[async_trait(?Send)]
impl Noun for Activity {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/activity", one(P::ReadAudit))
                .reads(&[
                    "q", "by", "on", "kind", "outcome", "actor", "target", "from", "until", "after", "before",
                ])
                .refuses_filters(&[
                    ("kind", "nonsense"),
                    ("from", "yesterday"),
                    ("q", LONG),
                    ("by", LONG),
                    ("on", LONG),
                ])
                .filters(&["outcome=done", "q=two", "by=two", "on=two"])
                .statements(2),
            page("/w/{workspace}/activity/{event}/undo", one(P::ReadAudit)).statements(4),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![call("GET /api/sso/v1/audit", one(P::ReadAudit))]
    }

    fn params(&self) -> Vec<Param> {
        // The record grows with each form that the crawl sends: a few events are enough.
        vec![Param::new("event").every(undoable).bounded()]
    }

    /// A change of the Viewer's roles, and its way back, through the pages.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (client, slug) = (&plot.owner.client, plot.slug());
        let path = format!("/w/{slug}/members/{}/roles", plot.id("member"));
        for role in ["editor", "viewer"] {
            client.post_form(&path, &[("role", role)]).await.assert_status(303);
        }
        // The message about it is shown here, and on no page of a walk.
        client.visit("/workspaces").await;
        plot.put("event", newest_event(plot.app, slug).await);
    }

    fn plans(&self) -> Plans {
        Plans { many: &["audit_events"], ..Plans::default() }
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let founder = "SELECT user_id FROM members m JOIN workspaces w ON w.id = m.workspace_id
            WHERE w.slug = 'seed-1' AND m.origin = 'founder'";
        let actor = format!("actor={}", tour.app.scalar_uuid(founder).await);
        let target = format!("target={}", tour.take_members(1)[0]);
        let (kind, days) = ("kind=member.roles-changed", "from=2020-01-01&until=2100-01-01");
        let all = format!("q=member&{kind}&outcome=done&{actor}&{target}&{days}");
        let (by, to) = (format!("{kind}&outcome=done&{actor}"), format!("outcome=done&{target}&{days}"));
        let narrow = [
            "q=member",
            "by=member",
            "by=member&on=member",
            kind,
            "outcome=done",
            "outcome=refused",
            &actor,
            &target,
            "from=2020-01-01",
            "until=2100-01-01",
            days,
            &by,
            &to,
            &all,
        ];
        tour.list("activity", "", &narrow).await;
        let viewer = tour.viewer.clone();
        tour.get(&viewer, &format!("{HOME}/activity"), 403).await;
        tour.call("audit?outcome=done").await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let first = demo.busy.get("/w/seed-1/activity").await;
        pictures.add(
            "activity-many-next",
            200,
            demo.busy.get(&first.attributes("[rel=next]", "href")[0]).await,
        );

        let viewer = &demo.viewer;
        pictures.add("no-permission", 403, viewer.get(&demo.at("/activity")).await);

        pictures.add("empty-activity", 200, demo.founder.client.get("/w/acme/activity").await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        pictures.add("activity-of-owner", 200, owner.get(&demo.at("/activity")).await);
        let actor = owner.get(&demo.member("owner")).await.link("?actor=");
        pictures.add("activity-of-one", 200, owner.get(&actor).await);
        pictures.add("activity-refused", 200, owner.get(&demo.at("/activity?outcome=refused")).await);
        pictures.add(
            "activity-none",
            200,
            owner.get(&demo.at("/activity?q=nobody+at+all&from=2026-01-31")).await,
        );
        let path = format!("{}/roles", demo.member("viewer"));
        for role in ["editor", "support", "viewer"] {
            owner.post_form(&path, &[("role", role)]).await.assert_status(303);
        }
        let page = owner.get(&demo.at("/activity")).await;
        owner.get(&demo.at("/activity")).await;
        let undos: Vec<String> = page.links().into_iter().filter(|link| link.ends_with("/undo")).collect();
        pictures.add("undo", 200, owner.get(&undos[0]).await);
        pictures.add("undo-overtaken", 200, owner.get(&undos[1]).await);
        let sql = "SELECT e.id FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
        WHERE e.kind = 'workspace.created' AND w.slug = ";
        let other =
            demo.app.scalar_uuid(&format!("{sql}{}", quoted(demo.base.trim_start_matches("/w/")))).await;
        pictures.add(
            "undo-of-another-kind",
            404,
            owner.get(&demo.at(&format!("/activity/{other}/undo"))).await,
        );
    }
}

/// The latest events that can be taken back.
fn undoable(facts: &Facts) -> Vec<String> {
    let kinds = ["member.roles-changed", "team.roles-changed", "role.scopes-changed", "permission.changed"];
    let mut events: Vec<&Value> =
        facts.rows("audit_events").iter().filter(|event| kinds.contains(&text(event, "kind"))).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event["seq"].as_i64()));
    events.iter().take(8).map(|event| text(event, "id").to_owned()).collect()
}

/// The id of the event that was written down last.
pub async fn newest_event(app: &TestApp, workspace: &str) -> Uuid {
    let sql = format!(
        "SELECT e.id FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
         WHERE w.slug = {} ORDER BY e.seq DESC LIMIT 1",
        quoted(workspace)
    );
    app.scalar_uuid(&sql).await
}
