//! The API keys of an account, whether or not they are members of a workspace.

use crate::walk::*;

pub struct AccountKeys;

#[async_trait(?Send)]
impl Noun for AccountKeys {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/a/{account}/api-keys", ACCOUNT)
                .reads(&["q", "after", "before"])
                .refuses_filters(&[("q", LONG)])
                .statements(2),
            form("/a/{account}/api-keys", ACCOUNT)
                .sends(|_| fields(&[("name", "Another Key"), ("expiry", "30")]))
                .also_reads(&["administers"])
                .carries(&["made"], "/a/{account}/api-keys/new", "/a/{account}/api-keys")
                // The secret stands on the page that answers.
                .answers(200)
                .types(|_, form| form.fill(&[("name", "Another Key")])),
            page("/a/{account}/api-keys/new", ACCOUNT).statements(2),
            page("/a/{account}/api-keys/{key}", ACCOUNT).with("key", "account_key").statements(3),
            form("/a/{account}/api-keys/{key}/details", ACCOUNT)
                .with("key", "account_key")
                .sends(|_| fields(&[("name", "Renamed")])),
            form("/a/{account}/api-keys/{key}/administration", ACCOUNT)
                .with("key", "account_key")
                .sends(|_| fields(&[("administers", "yes")])),
            form("/a/{account}/api-keys/{key}/rotation", ACCOUNT)
                .with("key", "account_key")
                .sends(|_| fields(&[("overlap", "1"), ("version", "0-test")]))
                // It would open the workspaces that the key is a member of.
                .verdict(|_| Verdict::Audited(403))
                .offered(|at| !is_member(at)),
            page("/a/{account}/api-keys/{key}/revocation", ACCOUNT).with("key", "account_key").statements(3),
            form("/a/{account}/api-keys/{key}/revocation", ACCOUNT)
                .with("key", "account_key")
                // The workspace has an event too of the end of a key that is a member there.
                .writes(2),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("account_key").every(alive)]
    }

    async fn plant(&self, plot: &mut Plot<'_>) {
        let (key, above) = (plot.id("key"), plot.planted.above("key"));
        plot.put("account_key", key);
        plot.put_above("account_key", above);
    }

    /// The keys of the account: listed, and one of them from its beginning to its end.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let base = format!("/a/{}/api-keys", tour.account().await);
        for list in [base.clone(), format!("{base}?q=key")] {
            tour.turn(&list).await;
        }
        let page = tour.get(&owner, &format!("{base}/new"), 200).await;
        let created = owner.submit(&page, &base, &[("name", "Key of All"), ("administers", "yes")]).await;
        tour.note(created, 200);
        let id = tour.app.scalar_uuid("SELECT id FROM api_keys WHERE name = 'Key of All'").await;
        let key = format!("{base}/{id}");
        let page = tour.get(&owner, &key, 200).await;
        let rotated = owner.submit(&page, "/rotation", &[]).await;
        tour.note(rotated, 200);
        tour.post(&owner, &format!("{key}/details"), &[("name", "Key of Many")], 303).await;
        tour.post(&owner, &format!("{key}/administration"), &[], 303).await;
        let id = id.to_string();
        let fields = [("key", id.as_str()), ("role", "viewer")];
        tour.post(&owner, &format!("{HOME}/api-keys/addition"), &fields, 303).await;
        tour.post(&owner, &format!("{key}/rotation"), &[("overlap", "0")], 403).await;
        tour.get(&owner, &format!("{key}/revocation"), 200).await;
        tour.post(&owner, &format!("{key}/revocation"), &[], 303).await;
    }
}

fn alive(facts: &Facts) -> Vec<String> {
    let keys = facts.rows("api_keys").iter().filter(|key| key["revoked_at"].is_null());
    keys.map(|key| text(key, "id").to_owned()).collect()
}

/// Of a workspace.
fn is_member(at: &Offer) -> bool {
    at.facts.members.iter().any(|member| member.key.as_deref() == Some(at.id("key")))
}
