//! Purchases of credits: packs, requests for approval, limits.

mod behaviour;
mod races;

use crate::{support::product::DAY, walk::*};
use reqwest::Method;

pub struct Purchases;

const CALLS: &str = "/api/sso/v1/credits/purchases";
const LIMITS: &str = "/api/sso/v1/billing/limits";

#[async_trait(?Send)]
impl Noun for Purchases {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        const APPROVAL: &str = "people decide about what others want to buy";
        vec![
            page("/w/{workspace}/credits/purchases", one(P::PurchaseCredits))
                .reads(&["after", "before"])
                .statements(3),
            // That the credits came in is an event too.
            form("/w/{workspace}/credits/purchases", one(P::PurchaseCredits))
                .sends(|_| vec![("pack", "small".to_owned()), ("id", new_id().to_string())])
                .also_reads(&["price"])
                .writes(2)
                .like_but("POST /api/sso/v1/credits/purchases", &["id"]),
            page("/w/{workspace}/credits/purchases/new", one(P::PurchaseCredits))
                .query("pack=small")
                .reads(&["pack"])
                .statements(4),
            // The Owner asked for the one that is planted.
            form("/w/{workspace}/credits/purchases/{purchase}/approval", one(P::PurchaseCredits))
                .verdict(|at| at.done_if(!at.is_owner()))
                .offered(|at| !is_own(at))
                .writes(2)
                .unlike_any_call(APPROVAL),
            form("/w/{workspace}/credits/purchases/{purchase}/decline", one(P::PurchaseCredits))
                .verdict(|at| at.done_if(!at.is_owner()))
                .offered(|at| !is_own(at))
                .unlike_any_call(APPROVAL),
            form("/w/{workspace}/credits/purchases/{purchase}/withdrawal", one(P::PurchaseCredits))
                .verdict(|at| at.done_if(at.is_owner()))
                .offered(is_own)
                .unlike_any_call(APPROVAL),
            form("/w/{workspace}/billing/limits", one(P::ManageBilling))
                .sends(|_| fields(&[("approve_above", "50")]))
                .also_reads(&["role", "ceiling"])
                .types(|_, form| form.fill(&[("approve_above", "49.90")]))
                .like_but("PUT /api/sso/v1/billing/limits", &["approve_above"]),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/credits/packs", one(P::PurchaseCredits)),
            call("GET /api/sso/v1/credits/purchases", one(P::PurchaseCredits)),
            call("POST /api/sso/v1/credits/purchases", one(P::PurchaseCredits))
                .body(|_| json!({"id": new_id().to_string(), "pack": "small"}))
                .writes(2),
            call("GET /api/sso/v1/credits/purchases/{purchase}", one(P::PurchaseCredits)),
            call("GET /api/sso/v1/billing/limits", one(P::ReadBilling)),
            call("PUT /api/sso/v1/billing/limits", one(P::ManageBilling))
                .body(|_| json!({"approve_above": 5000, "ceilings": []})),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("purchase").every(|facts| facts.ids("credit_purchases"))]
    }

    /// One that waits for approval.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let name = plot.name("Pack");
        let purchase = add_request(plot.app, plot.slug(), plot.owner.user_id, &name).await;
        plot.put("purchase", purchase);
    }

    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        let owner = world.person(BuiltIn::Owner).user_id;
        for _ in 0..n {
            add_request(app, "acme", owner, "Pack").await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO credit_purchases (id, workspace_id, client_id, pack, name, credits, days, price, currency, status, role,
                    requested_by, requested_at, expires_at, decided_at, transfer_id, month, paid_at)
                SELECT {id}, (SELECT id FROM workspaces WHERE slug = 'seed-1'), 'old-' || i, 'small', 'Pack', 5, 5, 5, 'EUR',
                    'bought', 'admin', u.id, i, i, i, {id}, i, CASE WHEN i % 100 = 0 THEN NULL ELSE 1 END
                FROM n JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place FROM users) u ON u.place = 1 + i % 300",
            "INSERT INTO credit_purchases (id, workspace_id, client_id, pack, name, credits, days, price, currency, status, role,
                    requested_by, requested_at, expires_at)
                SELECT {id}, w.id, 'waiting', 'small', 'Pack', 5, 5, 5, 'EUR', 'pending', 'admin',
                    (SELECT m.user_id FROM members m WHERE m.workspace_id = w.id AND m.user_id IS NOT NULL LIMIT 1), 0, 1
                FROM workspaces w",
            "INSERT INTO purchase_ceilings (workspace_id, role_id, amount)
                SELECT r.workspace_id, r.id, 0 FROM roles r JOIN workspaces w ON w.id = r.workspace_id
                WHERE w.slug <> 'seed-1'",
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, admin) = (tour.owner.clone(), tour.admin.clone());
        let base = format!("{HOME}/credits/purchases");
        let security = tour.get(&owner, &format!("{HOME}/security"), 200).await;
        let form = security.form("#f-purchase-credits").fill(&[("role", "admin"), ("role", "billing")]);
        let answer = owner.send(&security, &form).await;
        tour.note(answer, 303);
        tour.list("credits/purchases", "", &[]).await;
        tour.get(&owner, &format!("{base}/new?pack=small"), 200).await;
        tour.get(&owner, &format!("{base}/new?pack=none"), 422).await;
        let buy = |id: &'static str| [("pack", "small"), ("id", id)];
        tour.post(&owner, &base, &buy("bought"), 303).await;
        tour.post(&owner, &base, &buy("bought"), 303).await;
        let limits = format!("{HOME}/billing/limits");
        let all = [
            ("approve_above", "1"),
            ("role", "owner"),
            ("ceiling", "500"),
            ("role", "admin"),
            ("ceiling", "0"),
        ];
        tour.post(&owner, &limits, &all, 303).await;
        for (id, by, noun) in
            [("first", &admin, "approval"), ("second", &admin, "decline"), ("third", &owner, "withdrawal")]
        {
            tour.post(&owner, &base, &buy(id), 303).await;
            let sql = format!("SELECT id FROM credit_purchases WHERE client_id LIKE '%:{id}'");
            let purchase = tour.app.scalar_uuid(&sql).await;
            tour.get(by, &base, 200).await;
            tour.post(by, &format!("{base}/{purchase}/{noun}"), &[], 303).await;
            tour.post(by, &format!("{base}/{purchase}/{noun}"), &[], 409).await;
        }
        tour.post(&admin, &base, &buy("fourth"), 409).await;
        tour.call("credits/packs").await;
        tour.call("credits/purchases").await;
        tour.call("billing/limits").await;
        let purchase =
            tour.app.scalar_uuid("SELECT id FROM credit_purchases WHERE client_id LIKE '%:first'").await;
        tour.call(&format!("credits/purchases/{purchase}")).await;
        let robot = tour.robot.clone();
        let none = json!({"approve_above": null, "ceilings": []});
        robot.call(Method::PUT, LIMITS, Some(&none)).await.with_status(200);
        robot.post(CALLS, &json!({"id": "fifth", "pack": "small"})).await.with_status(201);
        tour.keep("purchases");
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let empty = demo.founder.client.get("/w/acme/credits/purchases").await;
        pictures.add("empty-purchases", 200, empty);
        let at = |rest: &str| demo.at(&format!("/credits/purchases{rest}"));
        pictures.add("purchase", 200, demo.owner.get(&at("/new?pack=small")).await);
        pictures.add("purchase-none", 422, demo.owner.get(&at("/new?pack=none")).await);
        pictures.add("purchases-not-yours", 403, demo.viewer.get(&at("")).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, admin) = (&demo.owner, &demo.admin);
        let at = |rest: &str| demo.at(&format!("/credits/purchases{rest}"));
        let page = owner.get(&demo.at("/billing")).await;
        let wrong = [("approve_above", "much")];
        pictures.add("billing-limits-refused", 422, owner.submit(&page, "/limits", &wrong).await);
        let limits = [("approve_above", "5"), ("role", "admin"), ("ceiling", "100")];
        owner.submit(&page, "/limits", &limits).await.assert_status(303);
        pictures.add("billing-limited", 200, owner.get(&demo.at("/billing")).await);
        let page = admin.get(&at("/new?pack=small")).await;
        admin.submit(&page, "/credits/purchases", &[]).await.assert_status(303);
        pictures.add("purchase-for-approval", 200, admin.get(&at("/new?pack=medium")).await);
        pictures.add("purchases-own-request", 200, admin.get(&at("")).await);
        let page = owner.get(&at("")).await;
        owner.submit(&page, "/approval", &[]).await.assert_status(303);
        pictures.add("purchases-to-approve", 200, page);
        let page = admin.get(&at("/new?pack=large")).await;
        let over = admin.submit(&page, "/credits/purchases", &[]).await;
        pictures.add("purchase-over-limit", 409, over);
        pictures.add("purchases", 200, owner.get(&at("")).await);
        let none = [("approve_above", ""), ("role", "admin"), ("ceiling", "")];
        let page = owner.get(&demo.at("/billing")).await;
        owner.submit(&page, "/limits", &none).await.assert_status(303);
    }
}

/// The viewer asked for the purchase of the path.
fn is_own(at: &Offer<'_>) -> bool {
    let purchase = at.facts.row("credit_purchases", at.id("purchase"));
    at.me.user.as_deref() == Some(text(purchase, "requested_by"))
}

/// A request of this person, which waits for a week.
pub async fn add_request(app: &TestApp, workspace: &str, requester: Uuid, name: &str) -> Uuid {
    let (id, now) = (new_id(), app.clock.now());
    let sql = format!(
        "INSERT INTO credit_purchases (id, workspace_id, client_id, pack, name, credits, days, price, currency, status, role,
            requested_by, requested_at, expires_at)
        SELECT {}, w.id, '{id}', 'small', {}, 1000, 365, 1000, 'EUR', 'pending', 'owner', {}, {now}, {}
        FROM workspaces w WHERE w.slug = {} AND w.deleted_at IS NULL",
        app.id(id),
        quoted(name),
        app.id(requester),
        now + 7 * DAY,
        quoted(workspace)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
