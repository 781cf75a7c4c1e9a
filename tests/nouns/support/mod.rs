//! Support: requests, and access for a limited time.

mod access;
mod requests;

use crate::{
    support::product::{DAY, Purpose, Token},
    walk::*,
};

pub struct Support;

const EITHER: Requirement = any(&[P::CreateSupportRequests, P::ManageSupportAccess]);

#[async_trait(?Send)]
impl Noun for Support {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/support", EITHER)
                .reads(&["category", "status", "after", "before"])
                .refuses_filters(&[("category", "nonsense"), ("status", "nonsense")])
                .filters(&["category=technical", "status=open", "status=answered"])
                .statements(3),
            form("/w/{workspace}/support", one(P::CreateSupportRequests))
                .sends(|_| {
                    fields(&[("category", "technical"), ("expected", "A page"), ("happened", "An error")])
                })
                .also_reads(&["when", "request_id"])
                .types(|_, form| {
                    form.fill(&[("category", "technical"), ("expected", "A page"), ("happened", "An error")])
                })
                .like("POST /api/sso/v1/support-requests"),
            page("/w/{workspace}/support/new", one(P::CreateSupportRequests)).statements(1),
            page("/w/{workspace}/support/access/{support_grant}", one(P::ManageSupportAccess)).statements(3),
            form("/w/{workspace}/support/access/{support_grant}/acceptance", one(P::ManageSupportAccess))
                .sends(|_| fields(&[("hours", "1"), ("page", "read:members")]))
                .unlike_any_call("people decide who may look"),
            form("/w/{workspace}/support/access/{support_grant}/decline", one(P::ManageSupportAccess))
                .unlike_any_call("people decide who may look"),
            // None runs in the world.
            form("/w/{workspace}/support/access/{support_grant}/end", one(P::ManageSupportAccess))
                .verdict(|_| Verdict::Audited(409))
                .offered(|_| false)
                .unlike_any_call("people decide who may look"),
            page("/w/{workspace}/support/{support_request}", EITHER).verdict(of_others).statements(3),
            page("/support-access/{support_link}", PUBLIC).succeeds_with(410).statements(0),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/support-requests", EITHER),
            call("POST /api/sso/v1/support-requests", one(P::CreateSupportRequests))
                .body(|_| json!({"category": "technical", "expected": "A page", "happened": "An error"})),
            call("GET /api/sso/v1/support-requests/{support_request}", EITHER).verdict(of_others),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("support_request").every(|facts| facts.ids("support_requests")),
            Param::new("support_grant").every(|facts| facts.ids("support_grants")),
            Param::new("support_link")
                .value(|at| (at.place == Place::Own).then(|| "no-token-of-ours".to_owned())),
        ]
    }

    /// One request of somebody who is gone, with an answer; access that was asked for.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug) = (plot.app, plot.slug());
        let title = plot.name("request");
        let request = add_request(app, slug, &title).await;
        plot.put("support_request", request);
        let (grant, _) = add_grant(app, slug, &plot.name("operator"), "read:members read:audit").await;
        plot.put("support_grant", grant);
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        for i in 0..n {
            add_request(app, "acme", &format!("Request {i}")).await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO support_requests (id, workspace_id, asked_by, category, expected, happened, happened_when,
                    about_request, created_at)
                SELECT {id}, m.workspace_id, m.user_id, 'technical', 'e', 'h', '', '',
                    m.joined_at
                FROM members m WHERE m.user_id IS NOT NULL",
            "INSERT INTO support_requests (id, workspace_id, category, expected, happened, happened_when, about_request,
                    created_at, answered_at)
                SELECT {id}, w.id, 'billing', 'e', 'h', '', '', 0, 1 FROM workspaces w",
            "INSERT INTO support_answers (id, workspace_id, request_id, answered_by, body, created_at)
                SELECT {id}, r.workspace_id, r.id, 'Operator', 'a', 0 FROM support_requests r",
            "INSERT INTO support_grants (id, workspace_id, token_hash, operator, reason, about_request, scopes, hours, status,
                    created_at, expires_at, granted_scopes)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'), {bytes}, 'Operator', 'r', '', 'read:members', 1,
                    'declined', i, i, '' FROM n WHERE i <= 300",
            "INSERT INTO support_grants (id, workspace_id, token_hash, operator, reason, about_request, scopes, hours, status,
                    created_at, expires_at, granted_scopes, ends_at)
                SELECT {id}, w.id, {bytes}, 'Operator', 'r', '', 'read:members', 1, 'accepted', 0, 0, 'read:members', {then}
                FROM workspaces w WHERE w.slug <> 'seed-1'",
            "INSERT INTO support_views (id, workspace_id, grant_id, path, at)
                SELECT {id}, g.workspace_id, g.id, '/w/x/members', 0 FROM support_grants g",
        ]
    }

    /// Asked and read; access that is granted, used and ended, and some that is declined.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let base = format!("{HOME}/support");
        tour.list("support", "", &["category=technical", "status=open", "category=billing&status=answered"])
            .await;
        tour.get(&owner, &format!("{base}/new"), 200).await;
        let mut fields = [("category", "technical"), ("expected", "A page"), ("happened", "An error")];
        let asked = tour.post(&owner, &base, &fields, 303).await.location();
        tour.get(&owner, &asked, 200).await;
        fields[2].1 = "Bearer abcdef0123456789";
        tour.post(&owner, &base, &fields, 422).await;
        let leaked = Token::new(Purpose::ApiKey);
        let fields = [("category", "billing"), ("expected", leaked.expose()), ("happened", "x")];
        tour.post(&owner, &base, &fields, 422).await;
        tour.call("support-requests?category=billing").await;
        let new = json!({"category": "account", "expected": "A page", "happened": "An error"});
        tour.call_once("support-requests", &new, 201).await;
        let id =
            "SELECT id FROM support_requests WHERE category = 'account' ORDER BY created_at DESC LIMIT 1";
        let id = tour.app.scalar_uuid(id).await;
        tour.call(&format!("support-requests/{id}")).await;
        let (grant, link) = add_grant(tour.app, "seed-1", "Operator One", "read:members read:teams").await;
        let page = format!("{base}/access/{grant}");
        let visitor = tour.app.client();
        tour.get(&visitor, &link, 200).await;
        tour.get(&owner, &page, 200).await;
        tour.post(&owner, &format!("{page}/acceptance"), &[("hours", "2"), ("page", "read:members")], 422)
            .await;
        tour.post(&owner, &format!("{page}/acceptance"), &[("hours", "1"), ("page", "read:members")], 303)
            .await;
        tour.get(&visitor, &link, 303).await;
        tour.get(&visitor, &format!("{HOME}/members"), 200).await;
        tour.get(&visitor, &format!("{HOME}/teams"), 403).await;
        tour.get(&owner, &page, 200).await;
        tour.post(&owner, &format!("{page}/end"), &[], 303).await;
        let (other, _) = add_grant(tour.app, "seed-1", "Operator Two", "read:members").await;
        tour.post(&owner, &format!("{base}/access/{other}/decline"), &[], 303).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let empty = demo.founder.client.get("/w/acme/support").await;
        pictures.add("empty-support", 200, empty);
        pictures.add("support-new", 200, demo.owner.get(&demo.at("/support/new")).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, base) = (&demo.owner, demo.at("/support"));
        let slug = demo.base.trim_start_matches("/w/").to_owned();
        let page = owner.get(&format!("{base}/new")).await;
        let secret = [
            ("category", "technical"),
            ("expected", "The page of members"),
            ("happened", "Nothing\nAuthorization: Bearer abcdef0123456789"),
        ];
        pictures.add("support-refused", 422, owner.submit(&page, "/support", &secret).await);
        let request = add_request(&demo.app, &slug, &demo.name("The list stays empty")).await;
        pictures.add("support-request", 200, owner.get(&format!("{base}/{request}")).await);
        let (grant, link) =
            add_grant(&demo.app, &slug, &demo.name("Operator One"), "read:members read:audit").await;
        let visitor = demo.app.client();
        pictures.add("support-access-link", 200, visitor.get(&link).await);
        let page = owner.get(&format!("{base}/access/{grant}")).await;
        let narrowed = [("hours", "0"), ("page", "read:members")];
        pictures.add("support-access-refused", 422, owner.submit(&page, "/acceptance", &narrowed).await);
        pictures.add("support-access-asked", 200, page);
        let page = owner.get(&format!("{base}/access/{grant}")).await;
        owner.submit(&page, "/acceptance", &[("hours", "1")]).await.assert_status(303);
        visitor.get(&link).await.assert_status(303);
        pictures.add("support-visit", 200, visitor.get(&demo.at("/members")).await);
        let page = owner.get(&format!("{base}/access/{grant}")).await;
        pictures.add("support", 200, owner.get(&base).await);
        pictures.add("support-banner", 200, demo.viewer.get(&demo.at("/members")).await);
        owner.submit(&page, "/end", &[]).await.assert_status(303);
        pictures.add("support-access-running", 200, page);
        pictures.add("support-access-ended", 200, owner.get(&format!("{base}/access/{grant}")).await);
    }
}

/// What others asked is for those who grant support access.
fn of_others(at: &Attempt) -> Verdict {
    if at.holdings().has(P::ManageSupportAccess) { at.done() } else { Verdict::Is(404) }
}

/// A request of somebody who is gone, with an answer.
pub async fn add_request(app: &TestApp, workspace: &str, happened: &str) -> Uuid {
    let id = new_id();
    let sql = format!(
        "INSERT INTO support_requests (id, workspace_id, category, expected, happened, happened_when, about_request, created_at,
            answered_at)
        SELECT {}, w.id, 'technical', 'Something else', {}, 'Today', 'abc', w.created_at, w.created_at
        FROM workspaces w WHERE w.slug = {}",
        app.id(id),
        quoted(happened),
        quoted(workspace)
    );
    assert_eq!(app.execute(&sql).await, 1);
    let sql = format!(
        "INSERT INTO support_answers (id, workspace_id, request_id, answered_by, body, created_at)
        SELECT {}, r.workspace_id, r.id, 'Operator One', 'Try again', r.created_at FROM support_requests r WHERE r.id = {}",
        app.id(new_id()),
        app.id(id)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}

/// Access that somebody who runs the installation asks for, for an hour, and the address of its link.
pub async fn add_grant(app: &TestApp, workspace: &str, operator: &str, scopes: &str) -> (Uuid, String) {
    let (id, token) = (new_id(), Token::new(Purpose::SupportAccess));
    let hash: String = token.hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = match app.backend {
        Backend::Sqlite => format!("X'{hash}'"),
        Backend::Postgres => format!("'\\x{hash}'::bytea"),
    };
    let now = app.clock.now().as_millis();
    let sql = format!(
        "INSERT INTO support_grants (id, workspace_id, token_hash, operator, reason, about_request, scopes, hours, status,
            created_at, expires_at, granted_scopes)
        SELECT {}, w.id, {hash}, {}, 'To see what you see', '', {}, 1, 'pending', {now}, {}, ''
        FROM workspaces w WHERE w.slug = {}",
        app.id(id),
        quoted(operator),
        quoted(scopes),
        now + 7 * DAY,
        quoted(workspace)
    );
    assert_eq!(app.execute(&sql).await, 1);
    (id, format!("/support-access/{}", token.expose()))
}
