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

/// A key of the workspace's account that is a member nowhere.
pub async fn waiting_key(app: &TestApp, workspace: &str, name: &str) -> Uuid {
    let (key, member, _) = add_key(app, workspace, name, &[]).await;
    assert_eq!(app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await, 1);
    key
}
