//! API keys as members of a workspace: created, added, renamed, given another secret, revoked.

use super::members::with_first_role;
use crate::walk::*;
use std::collections::HashMap;

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
                // The secret is on the page that responds.
                .succeeds_with(200)
                .offered(|at| at.may_assign_some())
                .types(|page, form| with_first_role(page, form).fill(&[("name", "Another Key")]))
                .like("POST /api/sso/v1/apikeys"),
            page("/w/{workspace}/api-keys/new", one(P::ManageApiKeys)).statements(2),
            page("/w/{workspace}/api-keys/addition", one(P::ManageApiKeys)).statements(3),
            form("/w/{workspace}/api-keys/addition", one(P::ManageApiKeys))
                .sends(|at| {
                    vec![("key", at.world.acme.text("waiting_key").to_owned()), ("role", "viewer".into())]
                })
                .offered(|at| at.may_assign_some())
                .types(with_first_key)
                .like("POST /api/sso/v1/apikeys/{key}/addition"),
            form("/w/{workspace}/api-keys/search", one(P::ReadApiKeys))
                .sends(|_| fields(&[("secret", "0a1b")]))
                // The keys are on the page that responds.
                .succeeds_with(200)
                .writes(0)
                .types(|_, form| form.fill(&[("secret", "0a1b")]))
                .like("POST /api/sso/v1/apikeys/search"),
            // To see it is another matter than to take it over.
            page("/w/{workspace}/api-keys/{key}", one(P::ReadApiKeys)).statements(3),
            form("/w/{workspace}/api-keys/{key}/details", one(P::ManageApiKeys))
                .sends(|_| fields(&[("name", "Renamed Key")]))
                .verdict(taken_over)
                .offered(may_take_over)
                .like("PATCH /api/sso/v1/apikeys/{key}"),
            form("/w/{workspace}/api-keys/{key}/rotation", one(P::ManageApiKeys))
                .sends(|_| fields(&[("overlap", "1")]))
                .carries(&["version"], "/w/{workspace}/api-keys/{key}", "/rotation")
                .also_reads(&["ended_memberships"])
                .succeeds_with(200)
                .verdict(taken_over)
                .offered(may_take_over)
                .like("POST /api/sso/v1/apikeys/{key}/rotation"),
            form("/w/{workspace}/api-keys/{key}/voucher", one(P::ManageApiKeys))
                .verdict(taken_over)
                .offered(|_| false)
                .like("POST /api/sso/v1/apikeys/{key}/voucher"),
            page("/w/{workspace}/api-keys/{key}/removal", one(P::ManageApiKeys))
                .verdict(taken_over)
                .statements(3),
            form("/w/{workspace}/api-keys/{key}/removal", one(P::ManageApiKeys))
                .verdict(taken_over)
                .offered(may_take_over)
                .like("POST /api/sso/v1/apikeys/{key}/removal"),
            // The account has one workspace, so there is no other that it could be about.
            form("/w/{workspace}/api-keys/{key}/home", one(P::ManageApiKeys))
                .sends(|at| vec![("home", at.world.acme.id.to_string())])
                .verdict(of_another_workspace)
                .offered(|_| false)
                .unlike_any_call(DECIDED_BY_PEOPLE),
            form("/w/{workspace}/api-keys/{key}/consents", one(P::ManageApiKeys))
                .sends(|_| fields(&[("workspace", "unknown")]))
                .verdict(of_another_workspace)
                .offered(|_| false)
                .unlike_any_call(DECIDED_BY_PEOPLE),
            form("/w/{workspace}/api-keys/{key}/consents/{consent}/withdrawal", one(P::ManageApiKeys))
                .verdict(|at| {
                    if at.is_owner() || !at.is_above() { Verdict::Is(404) } else { Verdict::Audited(403) }
                })
                .offered(|_| false)
                .unlike_any_call(DECIDED_BY_PEOPLE),
            page("/w/{workspace}/api-keys/{key}/revocation", one(P::ManageApiKeys))
                .verdict(taken_over)
                .statements(3),
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
            call("POST /api/sso/v1/apikeys/search", one(P::ReadApiKeys))
                .body(|_| json!({"secret": "0a1b"}))
                .succeeds_with(200)
                .writes(0),
            call("GET /api/sso/v1/apikeys/{key}", one(P::ReadApiKeys)),
            call("PATCH /api/sso/v1/apikeys/{key}", one(P::ManageApiKeys))
                .body(|_| json!({"name": "Renamed Key"}))
                .verdict(taken_over),
            call("DELETE /api/sso/v1/apikeys/{key}", one(P::ManageApiKeys)).verdict(taken_over),
            call("POST /api/sso/v1/apikeys/{key}/rotation", one(P::ManageApiKeys))
                .body(|_| json!({}))
                .succeeds_with(200)
                .verdict(taken_over),
            call("POST /api/sso/v1/apikeys/{key}/voucher", one(P::ManageApiKeys))
                .succeeds_with(200)
                .verdict(taken_over),
            call("POST /api/sso/v1/apikeys/{key}/removal", one(P::ManageApiKeys))
                .succeeds_with(204)
                .verdict(taken_over),
            call("POST /api/sso/v1/apikeys/{key}/addition", one(P::ManageApiKeys))
                .with("key", "waiting_key")
                .body(|_| json!({"roles": ["viewer"]})),
        ]
    }

    fn params(&self) -> Vec<Param> {
        let keys = |facts: &Facts| facts.members.iter().filter_map(|member| member.key.clone()).collect();
        let consents = |facts: &Facts| facts.ids("api_key_consents");
        vec![Param::new("key").every(keys), Param::new("waiting_key"), Param::new("consent").every(consents)]
    }

    /// One that is a Viewer, created by the Owner; one that is an Owner; and one of the account that is a
    /// member of none of its workspaces.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug) = (plot.app, plot.slug());
        let [key, above, waiting] = ["Key One", "Key Above", "Key Waiting"].map(|name| plot.name(name));
        plot.put("key", add_key(app, slug, &key, &["viewer"]).await.0);
        plot.put_above("key", add_key(app, slug, &above, &["owner"]).await.0);
        plot.put("waiting_key", addable_key(app, slug, &waiting).await);
        // There is no other workspace in the account that a key could be allowed in.
        plot.put("consent", UNKNOWN);
    }

    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        for _ in 0..n {
            add_key(app, "acme", &format!("Key {}", new_id().simple()), &["helper"]).await;
        }
    }

    fn plans(&self) -> Plans {
        let allowed_on_postgres = &[(
            "SELECT k.id, k.name AS key_name",
            "It may read the keys of one workspace, of which there are few.",
        )];
        Plans { allowed_on_postgres, ..Plans::default() }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Over a page of keys in one workspace, some in the others, of which an account has no more than it may; and many
            // that are members nowhere.
            "INSERT INTO api_keys (id, account_id, name, is_admin, home_id, made_by, created_at, revoked_at)
                SELECT {id}, w.account_id, 'Key', 1 = 0, w.id, m.user_id, 0,
                    CASE WHEN u.email LIKE 'alone-%' THEN 1 END FROM workspaces w
                JOIN members m ON m.workspace_id = w.id JOIN users u ON u.id = m.user_id
                CROSS JOIN (SELECT 1 AS of UNION ALL SELECT 2 UNION ALL SELECT 3) AS several
                WHERE (w.slug = 'seed-1' AND of = 1) OR u.email LIKE 'member-1@%' OR u.email LIKE 'alone-%'",
            "INSERT INTO api_keys (id, account_id, name, is_admin, made_by, created_at)
                SELECT {id}, (SELECT id FROM accounts WHERE name = 'Account' LIMIT 1), 'Key', 1 = 0, u.id, 0 FROM users u",
            "INSERT INTO api_key_secrets (token_hash, api_key_id, hint, created_at, shown_to)
                SELECT {bytes}, k.id, u.email, 0, k.made_by FROM api_keys k JOIN users u ON u.id = k.made_by",
            "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as, vouched_by)
                SELECT {id}, home_id, 'api_key', id, 'active', 'account', 1, 'key', made_by FROM api_keys WHERE home_id IS NOT NULL",
            "INSERT INTO api_key_consents (id, workspace_id, api_key_id, to_workspace_id, given_by, created_at, expires_at)
                SELECT {id}, home_id, id, home_id, made_by, 0, (SELECT MAX(created_at) FROM workspaces) - 1
                FROM api_keys WHERE home_id IS NOT NULL",
            "INSERT INTO former_members (workspace_id, user_id, left_at, role_set)
                SELECT w.id, u.id, 0, '' FROM workspaces w CROSS JOIN users u
                WHERE w.slug LIKE 'alone-1%' AND u.email LIKE 'alone-1%'",
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
        let search = format!("{base}/search");
        for typed in [secret.as_str(), &secret[secret.len() - 4..], "0a1b"] {
            tour.post(&owner, &search, &[("secret", typed)], 200).await;
            tour.robot.post("/api/sso/v1/apikeys/search", &json!({"secret": typed})).await.with_status(200);
            tour.keep("a search by a secret");
        }
        tour.post(&owner, &search, &[("secret", "no")], 422).await;
        let id = tour.app.scalar_uuid("SELECT id FROM api_keys WHERE name = 'New Key'").await;
        let key = format!("{base}/{id}");
        let page = tour.get(&owner, &key, 200).await;
        tour.post(&owner, &format!("{key}/details"), &[("name", "Newer Key")], 303).await;
        let rotated = owner.submit(&page, "/rotation", &[]).await;
        tour.note(rotated, 200);
        tour.post(&owner, &format!("{key}/voucher"), &[], 303).await;
        let member = format!("SELECT id FROM members WHERE api_key_id = {}", tour.app.id(id));
        let member = format!("{HOME}/members/{}", tour.app.scalar_uuid(&member).await);
        tour.get(&owner, &member, 200).await;
        tour.post(&owner, &format!("{member}/removal"), &[], 303).await;
        tour.get(&owner, &format!("{base}/addition"), 200).await;
        let id_text = id.to_string();
        tour.post(&owner, &format!("{base}/addition"), &[("key", &id_text), ("role", "viewer")], 303).await;
        placed_elsewhere(tour, id).await;
        tour.get(&owner, &format!("{key}/revocation"), 200).await;
        add_to_other_workspace(tour, id).await;
        let page = tour.get(&owner, &key, 200).await;
        let rotated = owner.submit(&page, "/rotation", &[("ended_memberships", "1")]).await;
        tour.note(rotated, 200);
        add_to_other_workspace(tour, id).await;
        tour.post(&owner, &format!("{key}/revocation"), &[], 303).await;
        let creator = format!("{HOME}/members/{}/removal", tour.take_members(1)[0]);
        tour.get(&owner, &creator, 200).await;
        tour.post(&owner, &creator, &[("keys", "revoke")], 303).await;
        all_of_somebody(tour).await;
        for path in ["apikeys", "apikeys/waiting", &format!("apikeys/{}", tour.robot_key)] {
            tour.call(path).await;
        }
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures.add("empty-api-keys", 200, demo.founder.client.get("/w/acme/api-keys").await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, owner, admin, developer) = (&demo.app, &demo.owner, &demo.admin, &demo.developer);
        let base = demo.at("/api-keys");
        let mut keys = HashMap::new();
        for row in app.rows("SELECT id, expires_at, is_admin FROM api_keys").await {
            let name = if row["expires_at"].is_null() { "known" } else { "runner" };
            keys.insert(name, format!("{base}/{}", row["id"].as_str().unwrap()));
        }
        let (runner, known) = (keys["runner"].as_str(), keys["known"].as_str());
        pictures.add("api-keys-of-owner", 200, owner.get(&base).await);
        pictures.add("api-keys-none", 200, owner.get(&format!("{base}?q=nobody+at+all")).await);
        pictures.add("api-key-of-owner", 200, owner.get(runner).await);
        pictures.add("api-key-above-developer", 200, developer.get(known).await);
        pictures.add("api-key-of-account", 200, owner.get(known).await);
        pictures.add("api-key-addition-none", 200, owner.get(&format!("{base}/addition")).await);
        pictures_of_search(demo, pictures).await;
        pictures.add("api-key-revocation", 200, owner.get(&format!("{runner}/revocation")).await);
        pictures.add("api-key-removal", 200, owner.get(&format!("{runner}/removal")).await);
        let removal = format!("{}/removal", demo.member("developer"));
        pictures.add("removal-with-keys", 200, owner.get(&removal).await);
        pictures.add("removal-with-keys-of-admin", 200, admin.get(&removal).await);
        pictures.add("departure-with-keys", 200, developer.get(&demo.at("/departure")).await);
        pictures.add("members-of-keys", 200, owner.get(&demo.at("/members?kind=api_key")).await);
        let of = |key: &str| {
            format!(
                "SELECT id FROM members WHERE api_key_id = {}",
                app.id(key.rsplit('/').next().unwrap().parse().unwrap())
            )
        };
        let member = app.scalar_uuid(&of(runner)).await;
        pictures.add("member-key", 200, owner.get(&demo.at(&format!("/members/{member}"))).await);
        pictures.add(
            "member-key-removal",
            200,
            owner.get(&demo.at(&format!("/members/{member}/removal"))).await,
        );
        pictures.add(
            "member-key-suspension",
            200,
            owner.get(&demo.at(&format!("/members/{member}/suspension"))).await,
        );
        let access = demo.at(&format!("/members/{member}/access"));
        pictures.add("member-key-access", 200, owner.get(&access).await);
        pictures.add("member-key-access-yes", 200, owner.get(&format!("{access}?scope=read:posts")).await);
        let preview = demo.at(&format!("/members/{member}/roles/preview?role=viewer"));
        pictures.add("preview-roles-of-key", 200, owner.get(&preview).await);
        let selected = demo
            .at(&format!("/members/selection/removal?member={member}&member={}", demo.members["developer"]));
        pictures.add("selected-keys", 200, owner.get(&selected).await);

        pictures_of_one(demo, pictures, runner).await;
        pictures_of_every_state(demo, pictures).await;
        pictures_of_unconfirmed(demo, pictures).await;
    }
}

/// The expected response to a change of a key: only Owners may change an Owner's.
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

const DECIDED_BY_PEOPLE: &str = "people decide where a key is at home, and where else it becomes a member";

/// The expected response to a decision about a workspace that the account does not have.
fn of_another_workspace(at: &Attempt) -> Verdict {
    if at.is_owner() || !at.is_above() { Verdict::Is(422) } else { Verdict::Audited(403) }
}

/// A key that is allowed in another workspace of the account, added there, at home there and back, and removed.
async fn placed_elsewhere(tour: &mut Tour<'_>, key: Uuid) {
    let (owner, account) = (tour.owner.clone(), tour.account().await.to_string());
    let fields = [("name", "Keys"), ("slug", "keys"), ("account", account.as_str())];
    tour.post(&owner, "/workspaces", &fields, 303).await;
    let at = |slug: &str, noun: &str| format!("/w/{slug}/api-keys/{key}/{noun}");
    for _ in 0..2 {
        tour.post(&owner, &at("seed-1", "consents"), &[("workspace", "keys")], 303).await;
    }
    tour.get(&owner, &format!("{HOME}/api-keys/{key}"), 200).await;
    let consent = "SELECT c.id FROM api_key_consents c WHERE c.created_at > 0";
    let consent = tour.app.scalar_uuid(consent).await;
    tour.post(&owner, &at("seed-1", &format!("consents/{consent}/withdrawal")), &[], 303).await;
    tour.get(&owner, "/w/keys/api-keys/addition", 200).await;
    let fields = [("key", key.to_string()), ("role", "viewer".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    tour.post(&owner, "/w/keys/api-keys/addition", &fields, 303).await;
    for (from, to) in [("seed-1", "keys"), ("keys", "seed-1")] {
        let id = tour.app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = '{to}'")).await;
        tour.post(&owner, &at(from, "home"), &[("home", &id.to_string())], 303).await;
    }
    tour.get(&owner, &at("seed-1", "removal"), 200).await;
    tour.post(&owner, &at("seed-1", "removal"), &[], 303).await;
    tour.post(&owner, &format!("{HOME}/api-keys/addition"), &fields, 303).await;
}

/// The keys that depend on somebody who stays: shown, and revoked together.
async fn all_of_somebody(tour: &mut Tour<'_>) {
    let owner = tour.owner.clone();
    let members = tour.take_members(2);
    let at = |n: usize| format!("{HOME}/members/{}/api-keys", members[n]);
    tour.get(&owner, &at(0), 200).await;
    tour.post(&owner, &format!("{}/revocation", at(0)), &[], 303).await;
    tour.post(&owner, &format!("{}/revocation", at(0)), &[], 303).await;
    let call = format!("/api/sso/v1/members/{}/apikeys/revocation", members[1]);
    tour.robot.post(&call, &json!({})).await.with_status(200);
    tour.keep("a revocation of all keys of somebody");
}

/// Makes a key a member of another workspace of the account, too.
async fn add_to_other_workspace(tour: &Tour<'_>, key: Uuid) {
    let app = tour.app;
    let account = "(SELECT account_id FROM workspaces WHERE slug = 'seed-1')";
    let moved = format!("UPDATE workspaces SET account_id = {account} WHERE slug = 'seed-2'");
    assert_eq!(app.execute(&moved).await, 1);
    let elsewhere = format!(
        "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as, vouched_by)
        SELECT {}, w.id, 'api_key', k.id, 'active', 'account', 0, 'newer key', k.made_by FROM workspaces w
        JOIN api_keys k ON k.id = {} AND k.account_id = w.account_id WHERE w.slug = 'seed-2'",
        app.id(new_id()),
        app.id(key)
    );
    assert_eq!(app.execute(&elsewhere).await, 1);
}

/// A key of the workspace's account that is a member nowhere.
pub async fn addable_key(app: &TestApp, workspace: &str, name: &str) -> Uuid {
    let (key, member, _) = add_key(app, workspace, name, &[]).await;
    assert_eq!(app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await, 1);
    key
}

/// A key that is created, renamed, and given another secret.
async fn pictures_of_one(demo: &Demo, pictures: &mut Pictures, runner: &str) {
    let (owner, developer, base) = (&demo.owner, &demo.developer, demo.at("/api-keys"));
    let page = owner.get(&format!("{base}/new")).await;
    let wrong = [("name", ""), ("expiry", "date"), ("expires_at", "2020-01-01")];
    pictures.add("api-key-new-refused", 422, owner.submit(&page, &base, &wrong).await);
    pictures.add("api-key-new", 200, page.clone());
    pictures.add("api-key-new-of-developer", 200, developer.get(&format!("{base}/new")).await);
    let name = demo.name("Nightly backup");
    let made = owner.submit(&page, &base, &[("name", &name), ("role", "editor")]).await;
    pictures.add("api-key-made", 200, made);
    pictures.add("api-key-made-already", 409, owner.submit(&page, &base, &[("name", &name)]).await);
    let page = owner.get(runner).await;
    pictures.add("api-key-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
    pictures.add("api-key-rotated", 200, owner.submit(&page, "/rotation", &[]).await);
    pictures.add("api-key-stale", 409, owner.submit(&page, "/rotation", &[]).await);
    pictures.add("api-key-with-two-secrets", 200, owner.get(runner).await);
}

async fn pictures_of_every_state(demo: &Demo, pictures: &mut Pictures) {
    let (app, owner, developer, base) = (&demo.app, &demo.owner, &demo.developer, demo.at("/api-keys"));
    // In every state: one suspended, one expired, one whose maker left, one revoked elsewhere.
    let made = format!("(SELECT user_id FROM members WHERE id = {})", app.id(demo.members["former"]));
    for (n, change) in [
        "expires_at = 1".to_owned(),
        "revoked_at = 1".to_owned(),
        format!("made_by = {made}"),
        "last_used_at = 1".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let slug = demo.base.trim_start_matches("/w/");
        let (key, member, _) = add_key(app, slug, &demo.name(&format!("Robot {n}")), &["viewer"]).await;
        app.execute(&format!("UPDATE api_keys SET {change} WHERE id = {}", app.id(key))).await;
        if n == 3 {
            app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member)))
                .await;
        }
        if n == 2 {
            pictures.add("api-key-left", 200, owner.get(&format!("{base}/{key}")).await);
            let removal = demo.at(&format!("/members/{member}/removal"));
            let page = owner.get(&removal).await;
            owner.submit(&page, &removal, &[]).await.assert_status(303);
            let page = owner.get(&format!("{base}/addition")).await;
            pictures.add("api-key-addition-refused", 422, owner.submit(&page, "/addition", &[]).await);
            pictures.add("api-key-addition", 200, page.clone());
            let fields = [("key", key.to_string())];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            pictures.add("api-key-added", 200, submit(owner, &page, "/addition", &fields).await);
        }
    }
    pictures.add("api-keys-in-every-state", 200, owner.get(&base).await);
    pictures.add("api-keys-of-developer", 200, developer.get(&base).await);
    pictures.add("overview-with-keys", 200, owner.get(&demo.base).await);
    pictures.add("activity-of-keys", 200, owner.get(&demo.at("/activity")).await);
}

/// Keys that are found by a secret, and those of somebody.
async fn pictures_of_search(demo: &Demo, pictures: &mut Pictures) {
    let (app, owner) = (&demo.app, &demo.owner);
    let base = demo.at("/api-keys");
    let slug = demo.base.trim_start_matches("/w/");
    let (key, _, secret) = add_key(app, slug, &demo.name("Found Key"), &["viewer"]).await;
    let search = format!("{base}/search");
    let hint = format!(
        "UPDATE api_key_secrets SET hint = {} WHERE api_key_id = {}",
        quoted(&secret[secret.len() - 4..]),
        app.id(key)
    );
    app.execute(&hint).await;
    pictures.add("api-key-found", 200, owner.post_form(&search, &[("secret", &secret)]).await);
    let ending = &secret[secret.len() - 4..];
    pictures.add("api-key-found-by-ending", 200, owner.post_form(&search, &[("secret", ending)]).await);
    let unknown = unsent_token("key", 7);
    pictures.add("api-key-found-none", 200, owner.post_form(&search, &[("secret", &unknown)]).await);
    pictures.add("api-key-search-refused", 422, owner.post_form(&search, &[("secret", "no")]).await);
    let keys = |of: &str| format!("{}/api-keys", demo.member(of));
    pictures.add("member-keys", 200, owner.get(&keys("owner")).await);
    pictures.add("member-keys-none", 200, owner.get(&keys("viewer")).await);
    // It was there for these pictures alone.
    let page = owner.get(&format!("{base}/{key}/revocation")).await;
    owner.submit(&page, "/revocation", &[]).await.assert_status(303);
}

/// Of a founder whose address is not confirmed: of the workspace, and of the account.
async fn pictures_of_unconfirmed(demo: &Demo, pictures: &mut Pictures) {
    let app = &demo.app;
    let user = demo.founder.user_id;
    let confirmed =
        |at: &str| format!("UPDATE users SET email_verified_at = {at} WHERE id = {}", app.id(user));
    app.execute(&confirmed("NULL")).await;
    let founder = &demo.founder.client;
    pictures.add("api-keys-unconfirmed", 200, founder.get("/w/acme/api-keys").await);
    pictures.add("api-key-new-unconfirmed", 403, founder.get("/w/acme/api-keys/new").await);
    let empty = format!("/a/{}/api-keys", crate::world::account_id(app, "acme").await);
    pictures.add("account-keys-unconfirmed", 200, founder.get(&empty).await);
    pictures.add("account-key-new-unconfirmed", 403, founder.get(&format!("{empty}/new")).await);
    app.execute(&confirmed("1")).await;
}
