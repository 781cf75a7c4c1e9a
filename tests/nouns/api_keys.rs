//! API keys as members of a workspace: created, added, renamed, given another secret, revoked.

use super::members::with_first_role;
use crate::walk::*;

pub struct ApiKeys;

#[async_trait(?Send)]
impl Noun for ApiKeys {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/api-keys", one(P::ReadApiKeys))
                .reads(&["q", "after", "before"])
                .refuses_filters(&[("q", LONG)])
                .statements(2),
            form("/w/{workspace}/api-keys", one(P::ManageApiKeys))
                .sends(|_| fields(&[("name", "New Key"), ("role", "viewer"), ("expiry", "30")]))
                .carries(&["made"], "/w/{workspace}/api-keys/new", "/w/{workspace}/api-keys")
                // The secret stands on the page that answers.
                .answers(200)
                .offered(|at| at.may_assign_some())
                .types(|page, form| with_first_role(page, form).fill(&[("name", "Another Key")]))
                .like("POST /api/sso/v1/apikeys"),
            page("/w/{workspace}/api-keys/new", one(P::ManageApiKeys)).statements(2),
            page("/w/{workspace}/api-keys/addition", one(P::ManageApiKeys)).statements(2),
            form("/w/{workspace}/api-keys/addition", one(P::ManageApiKeys))
                .sends(|at| {
                    vec![("key", at.world.acme.text("waiting_key").to_owned()), ("role", "viewer".into())]
                })
                .offered(|at| at.may_assign_some())
                .types(with_first_key)
                .like("POST /api/sso/v1/apikeys/{key}/addition"),
            // To see it is another matter than to take it over.
            page("/w/{workspace}/api-keys/{key}", one(P::ReadApiKeys)).statements(2),
            form("/w/{workspace}/api-keys/{key}/details", one(P::ManageApiKeys))
                .sends(|_| fields(&[("name", "Renamed Key")]))
                .verdict(taken_over)
                .offered(may_take_over)
                .like("PATCH /api/sso/v1/apikeys/{key}"),
            form("/w/{workspace}/api-keys/{key}/rotation", one(P::ManageApiKeys))
                .sends(|_| fields(&[("overlap", "1")]))
                .carries(&["version"], "/w/{workspace}/api-keys/{key}", "/rotation")
                .answers(200)
                .verdict(taken_over)
                .offered(may_take_over)
                .like("POST /api/sso/v1/apikeys/{key}/rotation"),
            page("/w/{workspace}/api-keys/{key}/revocation", one(P::ManageApiKeys))
                .verdict(taken_over)
                .statements(2),
            form("/w/{workspace}/api-keys/{key}/revocation", one(P::ManageApiKeys))
                .verdict(taken_over)
                .offered(may_take_over)
                .like("DELETE /api/sso/v1/apikeys/{key}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/apikeys", one(P::ReadApiKeys)),
            call("POST /api/sso/v1/apikeys", one(P::ManageApiKeys))
                .body(|_| json!({"name": "New Key", "roles": ["viewer"]})),
            call("GET /api/sso/v1/apikeys/self", KEY),
            call("POST /api/sso/v1/apikeys/verify", PUBLIC)
                .body(|_| json!({"api_key": "nothing"}))
                .verdict(|_| Verdict::Is(401)),
            call("GET /api/sso/v1/apikeys/waiting", one(P::ManageApiKeys)),
            call("GET /api/sso/v1/apikeys/{key}", one(P::ReadApiKeys)),
            call("PATCH /api/sso/v1/apikeys/{key}", one(P::ManageApiKeys))
                .body(|_| json!({"name": "Renamed Key"}))
                .verdict(taken_over),
            call("DELETE /api/sso/v1/apikeys/{key}", one(P::ManageApiKeys)).verdict(taken_over),
            call("POST /api/sso/v1/apikeys/{key}/rotation", one(P::ManageApiKeys))
                .body(|_| json!({}))
                .answers(200)
                .verdict(taken_over),
            call("POST /api/sso/v1/apikeys/{key}/addition", one(P::ManageApiKeys))
                .with("key", "waiting_key")
                .body(|_| json!({"roles": ["viewer"]})),
        ]
    }

    fn params(&self) -> Vec<Param> {
        let keys = |facts: &Facts| facts.members.iter().filter_map(|member| member.key.clone()).collect();
        vec![Param::new("key").every(keys), Param::new("waiting_key")]
    }

    /// One that is a Viewer, created by the Owner; one that is an Owner; and one of the account that is a
    /// member of none of its workspaces.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug) = (plot.app, plot.slug());
        let [key, above, waiting] = ["Key One", "Key Above", "Key Waiting"].map(|name| plot.name(name));
        plot.put("key", add_key(app, slug, &key, &["viewer"]).await.0);
        plot.put_above("key", add_key(app, slug, &above, &["owner"]).await.0);
        plot.put("waiting_key", waiting_key(app, slug, &waiting).await);
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        for _ in 0..n {
            add_key(app, "acme", &format!("Key {}", new_id().simple()), &["helper"]).await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Over a page of keys in one workspace, some in the others; and many that are members nowhere.
            "INSERT INTO api_keys (id, account_id, name, is_admin, home_id, made_by, created_at)
                SELECT {id}, w.account_id, 'Key', 1 = 0, w.id, m.user_id, 0 FROM workspaces w
                JOIN members m ON m.workspace_id = w.id JOIN users u ON u.id = m.user_id
                WHERE w.slug = 'seed-1' OR u.email LIKE 'member-1@%'",
            "INSERT INTO api_keys (id, account_id, name, is_admin, made_by, created_at)
                SELECT {id}, (SELECT id FROM accounts WHERE name = 'Account' LIMIT 1), 'Key', 1 = 0, u.id, 0 FROM users u",
            "INSERT INTO api_key_secrets (token_hash, api_key_id, hint, created_at)
                SELECT {bytes}, id, 'test', 0 FROM api_keys",
            "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as)
                SELECT {id}, home_id, 'api_key', id, 'active', 'account', 1, 'key' FROM api_keys WHERE home_id IS NOT NULL",
        ]
    }

    /// A key's life: it is created, shown, given another secret, taken out, added again and revoked; and
    /// some that end with who created them.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let base = format!("{HOME}/api-keys");
        tour.list("api-keys", "", &["q=key"]).await;
        let page = tour.get(&owner, &format!("{base}/new"), 200).await;
        let form = page.form(&base).fill(&[("name", "New Key")]);
        let created = owner.send(&page, &form).await;
        let secret = tour.note(created, 200).attributes("#secret", "value").remove(0);
        let again = owner.send(&page, &form).await;
        tour.note(again, 409);
        let api = Api::new(tour.app, &secret);
        api.get("/api/sso/v1/members").await.with_status(200);
        api.get("/api/sso/v1/apikeys/self").await.with_status(200);
        tour.keep("a key");
        let id = tour.app.scalar_uuid("SELECT id FROM api_keys WHERE name = 'New Key'").await;
        let key = format!("{base}/{id}");
        let page = tour.get(&owner, &key, 200).await;
        tour.post(&owner, &format!("{key}/details"), &[("name", "Newer Key")], 303).await;
        let rotated = owner.submit(&page, "/rotation", &[]).await;
        tour.note(rotated, 200);
        let member = format!("SELECT id FROM members WHERE api_key_id = {}", tour.app.id(id));
        let member = format!("{HOME}/members/{}", tour.app.scalar_uuid(&member).await);
        tour.get(&owner, &member, 200).await;
        tour.post(&owner, &format!("{member}/removal"), &[], 303).await;
        tour.get(&owner, &format!("{base}/addition"), 200).await;
        let id_text = id.to_string();
        tour.post(&owner, &format!("{base}/addition"), &[("key", &id_text), ("role", "viewer")], 303).await;
        tour.get(&owner, &format!("{key}/revocation"), 200).await;
        put_elsewhere(tour, id).await;
        tour.get(&owner, &key, 200).await;
        tour.post(&owner, &format!("{key}/revocation"), &[], 403).await;
        tour.app.execute("UPDATE workspaces SET deleted_at = 1 WHERE slug = 'alone-7'").await;
        tour.post(&owner, &format!("{key}/revocation"), &[], 303).await;
        let creator = format!("{HOME}/members/{}/removal", tour.take_members(1)[0]);
        tour.get(&owner, &creator, 200).await;
        tour.post(&owner, &creator, &[("keys", "revoke")], 303).await;
        for path in ["apikeys", "apikeys/waiting", &format!("apikeys/{}", tour.robot_key)] {
            tour.call(path).await;
        }
    }
}

/// What becomes of a change to a key: an Owner's is for Owners.
fn taken_over(at: &Attempt) -> Verdict {
    at.done_if(at.is_owner() || !at.is_above())
}

fn may_take_over(at: &Offer) -> bool {
    let key = at.facts.members.iter().find(|member| member.key.as_deref() == Some(at.id("key"))).unwrap();
    at.my().may_assign(&key.holdings).is_ok()
}

fn with_first_key(page: &Page, form: FormOnPage) -> FormOnPage {
    let form = with_first_role(page, form);
    match page.attributes("#key option", "value").get(1) {
        Some(key) => form.fill(&[("key", key)]),
        None => form.fill(&[("name", "Another Key")]),
    }
}

/// Makes a key a member of another workspace of the account, too.
async fn put_elsewhere(tour: &Tour<'_>, key: Uuid) {
    let app = tour.app;
    let account = "(SELECT account_id FROM workspaces WHERE slug = 'seed-1')";
    let moved = format!("UPDATE workspaces SET account_id = {account} WHERE slug = 'alone-7'");
    assert_eq!(app.execute(&moved).await, 1);
    let elsewhere = format!(
        "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as)
        SELECT {}, w.id, 'api_key', k.id, 'active', 'account', 0, 'newer key' FROM workspaces w
        JOIN api_keys k ON k.id = {} AND k.account_id = w.account_id WHERE w.slug = 'alone-7'",
        app.id(new_id()),
        app.id(key)
    );
    assert_eq!(app.execute(&elsewhere).await, 1);
}

/// A key of the workspace's account that is a member nowhere.
pub async fn waiting_key(app: &TestApp, workspace: &str, name: &str) -> Uuid {
    let (key, member, _) = add_key(app, workspace, name, &[]).await;
    assert_eq!(app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await, 1);
    key
}
