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
                .reads(&["q", "kind", "outcome", "actor", "target", "from", "until", "after", "before"])
                .refuses_filters(&[("kind", "nonsense"), ("from", "yesterday"), ("q", LONG)])
                .filters(&["outcome=done", "q=two"])
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
