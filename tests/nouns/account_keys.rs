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
                .also_reads(&["administers", "home"])
                .carries(&["made"], "/a/{account}/api-keys/new", "/a/{account}/api-keys")
                // The secret is on the page that responds.
                .succeeds_with(200)
                .types(|_, form| form.fill(&[("name", "Another Key")])),
            page("/a/{account}/api-keys/new", ACCOUNT).statements(3),
            form("/a/{account}/api-keys/search", ACCOUNT)
                .sends(|_| fields(&[("secret", "0a1b")]))
                .succeeds_with(200)
                .writes(0)
                .types(|_, form| form.fill(&[("secret", "0a1b")])),
            page("/a/{account}/api-keys/{key}", ACCOUNT).with("key", "account_key").statements(3),
            form("/a/{account}/api-keys/{key}/details", ACCOUNT)
                .with("key", "account_key")
                .sends(|_| fields(&[("name", "Renamed")]))
                // The workspace that it is a member of has an event too.
                .writes(2),
            form("/a/{account}/api-keys/{key}/administration", ACCOUNT)
                .with("key", "account_key")
                .sends(|_| fields(&[("administers", "yes")]))
                .writes(2),
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
        let secret = tour.note(created, 200).attributes("#secret", "value").remove(0);
        for typed in [secret.as_str(), "0a1b"] {
            tour.post(&owner, &format!("{base}/search"), &[("secret", typed)], 200).await;
        }
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

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let alone = format!("/a/{}", account_id(&demo.app, "acme").await);
        let founder = &demo.founder.client;
        pictures.add("account-keys-empty", 200, founder.get(&format!("{alone}/api-keys")).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        // Those that the pictures of `api_keys` left in every state.
        let account = demo.account().await;
        let (app, owner) = (&demo.app, &demo.owner);
        let base = format!("{account}/api-keys");
        pictures.add("account-keys", 200, owner.get(&base).await);
        pictures.add("account-keys-none", 200, owner.get(&format!("{base}?q=nobody+at+all")).await);
        pictures.add("account-keys-refused", 422, owner.get(&format!("{base}?after=00")).await);
        let search = format!("{base}/search");
        pictures.add("account-key-found-none", 200, owner.post_form(&search, &[("secret", "0a1b")]).await);
        pictures.add("account-key-search-refused", 422, owner.post_form(&search, &[("secret", "no")]).await);
        let page = owner.get(&format!("{base}/new")).await;
        let wrong = [("name", ""), ("expiry", "date"), ("expires_at", "2020-01-01")];
        pictures.add("account-key-new-refused", 422, owner.submit(&page, &base, &wrong).await);
        pictures.add("account-key-new", 200, page.clone());
        let name = demo.name("Provisioning");
        let fields = [("name", name.as_str()), ("administers", "yes")];
        let made = owner.submit(&page, &base, &fields).await;
        let secret = made.attributes("#secret", "value").remove(0);
        pictures.add("account-key-made", 200, made);
        pictures.add("account-key-found", 200, owner.post_form(&search, &[("secret", &secret)]).await);
        let newest = app.scalar_uuid("SELECT id FROM api_keys ORDER BY created_at DESC LIMIT 1").await;
        let key = format!("{base}/{newest}");
        let page = owner.get(&key).await;
        pictures.add("account-key-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
        pictures.add("account-key-waiting", 200, page.clone());
        pictures.add("account-key-rotated", 200, owner.submit(&page, "/rotation", &[]).await);
        pictures.add("account-key-stale", 409, owner.submit(&page, "/rotation", &[]).await);
        pictures.add("account-key-revocation-waiting", 200, owner.get(&format!("{key}/revocation")).await);
        let member =
            "SELECT m.api_key_id FROM members m JOIN api_keys k ON k.id = m.api_key_id WHERE k.revoked_at IS";
        let member = app.scalar_uuid(&format!("{member} NULL ORDER BY k.created_at LIMIT 1")).await;
        let in_use = format!("{base}/{member}");
        pictures.add("account-key", 200, owner.get(&in_use).await);
        pictures.add("account-key-revocation", 200, owner.get(&format!("{in_use}/revocation")).await);
        let rotation = [("overlap", "0"), ("version", "0-test")];
        pictures.add(
            "account-key-in-workspaces",
            403,
            owner.post_form(&format!("{in_use}/rotation"), &rotation).await,
        );
        owner.post_form(&format!("{key}/revocation"), &[]).await.assert_status(303);
        pictures.add("account-key-revoked", 200, owner.get(&key).await);
        pictures.add("account-key-over", 409, owner.get(&format!("{key}/revocation")).await);
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
