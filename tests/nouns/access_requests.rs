//! Requests for access: what members ask for, and what those answer who can give it.

use crate::walk::*;

pub struct AccessRequests;

/// What the planted request asks for: Admins and Developers have it.
const WANTED: &str = "deploy:staging";

#[async_trait(?Send)]
impl Noun for AccessRequests {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        const PEOPLE: &str = "people ask for themselves";
        vec![
            page("/w/{workspace}/access-requests", MEMBER)
                .reads(&["status", "after", "before"])
                .refuses_filters(&[("status", "nonsense")])
                .filters(&["status=waiting", "status=answered"])
                .statements(2),
            form("/w/{workspace}/access-requests", MEMBER)
                .sends(|_| fields(&[("wanted", "delete:organization"), ("reason", "A task")]))
                .also_reads(&["until"])
                // Owners have everything.
                .verdict(|at| if at.is_owner() { Verdict::Audited(409) } else { at.done() })
                .offered(|at| !at.my().is_owner())
                .types(|page, form| {
                    let first = page.attributes("#wanted optgroup option", "value").remove(0);
                    let chosen = form.values("wanted").concat();
                    let wanted = if chosen.is_empty() { first } else { chosen };
                    form.fill(&[("wanted", &wanted), ("reason", "A task")])
                })
                .unlike_any_call(PEOPLE),
            page("/w/{workspace}/access-requests/new", MEMBER).statements(1),
            page("/w/{workspace}/access-requests/{access_request}", MEMBER)
                .verdict(|at| if at.holdings().has(P::UpdateMemberRoles) { at.done() } else { of_viewer(at) })
                .statements(2),
            form("/w/{workspace}/access-requests/{access_request}/acceptance", one(P::UpdateMemberRoles))
                .sends(|_| fields(&[("role", "developer")]))
                .also_reads(&["until"])
                .offered(may_accept)
                .types(|_, form| form.fill(&[("role", "developer")]))
                // The change of the roles, and the answer.
                .writes(2)
                .like("POST /api/sso/v1/access-requests/{access_request}/acceptance"),
            form("/w/{workspace}/access-requests/{access_request}/decline", one(P::UpdateMemberRoles))
                .sends(|_| fields(&[("answer", "")]))
                .offered(|at| asker(at) != at.me.id)
                .like("POST /api/sso/v1/access-requests/{access_request}/decline"),
            form("/w/{workspace}/access-requests/{access_request}/withdrawal", MEMBER)
                .verdict(of_viewer)
                .offered(|at| asker(at) == at.me.id)
                .unlike_any_call(PEOPLE),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/access-requests", one(P::UpdateMemberRoles)),
            call("GET /api/sso/v1/access-requests/{access_request}", one(P::UpdateMemberRoles)),
            call("POST /api/sso/v1/access-requests/{access_request}/acceptance", one(P::UpdateMemberRoles))
                .body(|_| json!({"role": "developer"}))
                .writes(2)
                .succeeds_with(200),
            call("POST /api/sso/v1/access-requests/{access_request}/decline", one(P::UpdateMemberRoles))
                .body(|_| json!({}))
                .succeeds_with(200),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("access_request").every(|facts| facts.ids("access_requests"))]
    }

    /// In acme, of the Viewer.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let member = match plot.home {
            None => plot.person(BuiltIn::Viewer).member_id,
            Some(_) => plot.id("member"),
        };
        let id = add_request(plot.app, plot.slug(), member, WANTED, &plot.name("reason")).await;
        plot.put("access_request", id);
    }

    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        let viewer = world.person(BuiltIn::Viewer).member_id;
        for _ in 0..n {
            add_request(app, "acme", viewer, &format!("read:thing-{}", new_id().simple()), "Any").await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO access_requests (id, workspace_id, member_id, scope, role, reason, status, created_at, expires_at,
                    answered_at, answer, given_role)
                SELECT {id}, m.workspace_id, m.id, 'read:thing', '', 'r', 'declined', 0, {then}, 1, '', '' FROM members m
                WHERE m.user_id IS NOT NULL",
            "INSERT INTO access_requests (id, workspace_id, member_id, scope, role, reason, status, created_at, expires_at,
                    answer, given_role)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'),
                    (SELECT m.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
                        WHERE w.slug = 'seed-1' AND m.user_id IS NOT NULL LIMIT 1),
                    'read:thing-' || i, '', 'r', 'pending', i, {then}, '', '' FROM n WHERE i <= 300",
        ]
    }

    /// Asked, declined, withdrawn, and accepted on a page and by the API.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, viewer) = (tour.owner.clone(), tour.viewer.clone());
        let base = format!("{HOME}/access-requests");
        tour.list("access-requests", "", &["status=waiting", "status=answered"]).await;
        tour.get(&viewer, &base, 200).await;
        tour.get(&viewer, &format!("{base}/new?wanted=editor"), 200).await;
        for (wanted, verb) in [("editor", "decline"), ("editor", "withdrawal"), ("editor", "acceptance")] {
            let fields = [("wanted", wanted), ("reason", "A task")];
            let asked = tour.post(&viewer, &base, &fields, 303).await.location();
            tour.get(&viewer, &asked, 200).await;
            tour.get(&owner, &asked, 200).await;
            let by = if verb == "withdrawal" { &viewer } else { &owner };
            tour.post(by, &format!("{asked}/{verb}"), &[], 303).await;
        }
        tour.call("access-requests?waiting=true").await;
        let fields = [("wanted", "read:audit"), ("reason", "A task")];
        for (verb, body) in
            [("decline", json!({"answer": "Later"})), ("acceptance", json!({"role": "admin"}))]
        {
            let asked = tour.post(&viewer, &base, &fields, 303).await.location();
            let id = asked.rsplit('/').next().unwrap().to_owned();
            tour.call(&format!("access-requests/{id}")).await;
            let path = format!("/api/sso/v1/access-requests/{id}/{verb}");
            tour.robot.send(reqwest::Method::POST, &path, Some(body.to_string()), &[]).await.with_status(200);
            tour.keep(&path);
        }
        // They are what they were for the stops that follow.
        let asker = tour
            .app
            .scalar_uuid("SELECT member_id FROM access_requests WHERE given_role = 'admin' LIMIT 1")
            .await;
        let given = format!(
            "DELETE FROM member_roles WHERE member_id = {} AND role_id IN
                (SELECT id FROM roles WHERE slug IN ('editor', 'admin'))",
            tour.app.id(asker)
        );
        assert_eq!(tour.app.execute(&given).await, 2);
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (viewer, base) = (&demo.viewer, demo.at("/access-requests"));
        pictures.add("empty-access-requests", 200, demo.founder.client.get("/w/acme/access-requests").await);
        pictures.add("access-request-new", 200, viewer.get(&format!("{base}/new?wanted=read:audit")).await);
        pictures.add("access-refused-ask", 403, viewer.get(&demo.at("/activity")).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (viewer, owner, base) = (&demo.viewer, &demo.owner, demo.at("/access-requests"));
        let page = viewer.get(&format!("{base}/new?wanted=read:audit")).await;
        pictures.add(
            "access-request-new-refused",
            422,
            viewer.submit(&page, "/access-requests", &[("reason", "")]).await,
        );
        let reason = demo.name("I'm on call this week");
        let fields = [("reason", reason.as_str()), ("until", "")];
        let asked = viewer.submit(&page, "/access-requests", &fields).await.with_status(303).location();
        pictures.add("access-request-own", 200, viewer.get(&asked).await);
        pictures.add("access-requests", 200, owner.get(&base).await);
        let page = owner.get(&asked).await;
        let refused = owner.submit(&page, "/acceptance", &[("until", "2000-01-01")]).await;
        pictures.add("access-request-refused", 422, refused);
        owner.submit(&page, "/decline", &[("answer", "Ask again next week")]).await.assert_status(303);
        pictures.add("access-request-asked", 200, page);
        pictures.add("access-request-declined", 200, viewer.get(&asked).await);
    }
}

/// Only the Viewer did ask.
fn of_viewer(at: &Attempt) -> Verdict {
    let is_asker = at.caller.member == Some(at.world.person(BuiltIn::Viewer).member_id);
    if is_asker { at.done() } else { Verdict::Is(404) }
}

fn asker(at: &Offer) -> String {
    text(at.facts.row("access_requests", at.id("access_request")), "member_id").to_owned()
}

/// It is of somebody else, whom I may change, and I may give one of the roles that would do.
fn may_accept(at: &Offer) -> bool {
    let asker = asker(at);
    let roles = ["admin", "developer"];
    asker != at.me.id
        && at.my().may_manage(&at.facts.member_by_id(&asker).holdings).is_ok()
        && roles.iter().any(|role| at.my().may_assign(&at.facts.roles[*role]).is_ok())
}

/// A request for a scope that waits for an answer.
pub async fn add_request(app: &TestApp, slug: &str, member: Uuid, scope: &str, reason: &str) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let sql = format!(
        "INSERT INTO access_requests (id, workspace_id, member_id, scope, role, reason, status, created_at, expires_at, answer,
            given_role)
        SELECT {}, w.id, {}, {}, '', {}, 'pending', {now}, {}, '', '' FROM workspaces w WHERE w.slug = {}",
        app.id(id),
        app.id(member),
        quoted(scope),
        quoted(reason),
        now + 14 * DAY,
        quoted(slug)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
