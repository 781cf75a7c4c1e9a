//! Each row of the Security page: saved there, what it guards opens and closes at the next request of whoever has the role, on
//! its page and by API.

use crate::{
    nouns::roles::add_role,
    support::{product::Permission, *},
};
use reqwest::Method;
use serde_json::json;

/// What a permission guards.
struct Guarded {
    scope: &'static str,
    /// A page in `/w/acme`, and what it answers whoever has the permission; empty for none.
    page: (&'static str, u16),
    /// A call, and what it answers; empty for none.
    call: (&'static str, u16),
}

const fn guards(scope: &'static str, page: (&'static str, u16), call: (&'static str, u16)) -> Guarded {
    Guarded { scope, page, call }
}

/// One page and one call for each permission. `{id}` is an id of nothing, which is not found; a call without what it
/// requires is refused for that. Neither is said to somebody who lacks the permission.
const GUARDED: [Guarded; 29] = [
    guards("read:members", ("members", 200), ("GET members", 200)),
    guards("read:teams", ("teams", 200), ("GET teams", 200)),
    guards("update:organization", ("joining/domains/{id}/removal", 404), ("DELETE join-domains/{id}", 404)),
    guards("delete:organization", ("organization/deletion", 200), ("DELETE workspaces/acme?confirm=no", 422)),
    guards("create:teams", ("teams/new", 200), ("POST teams", 422)),
    guards("update:teams", ("teams/{id}/roles/preview?role=viewer", 404), ("PUT teams/{id}/roles", 422)),
    guards("delete:teams", ("teams/{id}/deletion", 404), ("DELETE teams/{id}", 404)),
    guards("invite:members", ("members/new", 200), ("POST invitations", 422)),
    guards("cancel:invitations", ("invitations/{id}/cancellation", 404), ("DELETE invitations/{id}", 404)),
    guards("update:permissions", ("roles/nobody/scopes/preview", 404), ("PUT roles/nobody/scopes", 422)),
    guards("export:data", ("export", 200), ("GET exports/archives", 200)),
    guards("read:billing", ("billing", 200), ("GET billing", 200)),
    guards("manage:billing", ("billing/change", 200), ("GET billing/preview?plan=free", 200)),
    guards("read:credits", ("credits", 200), ("GET credits", 200)),
    guards("purchase:credits", ("credits/purchases", 200), ("GET credits/packs", 200)),
    guards(
        "update:member-roles",
        ("members/{id}/roles/preview?role=viewer", 404),
        ("GET access-requests", 200),
    ),
    guards("suspend:members", ("members/{id}/suspension", 404), ("POST members/{id}/suspension", 422)),
    guards("remove:members", ("members/{id}/removal", 404), ("DELETE members/{id}", 404)),
    guards("manage:roles", ("roles/new", 200), ("POST roles", 422)),
    guards("read:api-keys", ("api-keys", 200), ("GET apikeys", 200)),
    guards("manage:api-keys", ("api-keys/new", 200), ("GET apikeys/waiting", 200)),
    guards("read:destinations", ("destinations", 200), ("GET destinations", 200)),
    guards("manage:destinations", ("destinations/new", 200), ("POST destinations", 422)),
    guards("send:destinations", ("", 0), ("GET sending", 422)),
    guards("spend:credits", ("", 0), ("POST credits/usage", 422)),
    guards("check:access", ("resources", 200), ("GET resources", 200)),
    guards("read:audit", ("activity", 200), ("GET audit", 200)),
    guards("create:support-requests", ("support/new", 200), ("POST support-requests", 422)),
    guards("manage:support-access", ("support/access/{id}", 404), ("", 0)),
];

#[test]
fn each_permission_that_is_built_is_in_the_table() {
    let built: Vec<&str> =
        Permission::ALL.iter().filter(|permission| permission.is_built()).map(|one| one.scope()).collect();
    assert_eq!(GUARDED.each_ref().map(|guarded| guarded.scope), built[..]);
}

/// Gives the role `probe` the permission, or takes it, beside the roles that have it.
async fn toggle(owner: &Person, scope: &str, is_on: bool) {
    let page = owner.client.visit("/w/acme/security").await;
    let form = page.form(&format!("#f-{}", scope.replace(':', "-")));
    let mut roles: Vec<&str> = form.values("role").into_iter().filter(|role| *role != "probe").collect();
    roles.extend(is_on.then_some("probe"));
    let fields: Vec<_> = roles.into_iter().map(|role| ("role", role.to_owned())).collect();
    let fields: Vec<_> = fields.iter().map(|(name, role)| (*name, role.as_str())).collect();
    owner.client.send(&page, &form.without("role").fill(&fields)).await.assert_status(303);
}

both! {
    // Breaks where what a role holds is kept for longer than a request, and where a route asks for another permission.
    async fn a_toggle_opens_and_closes_what_it_guards_at_the_next_request(app: TestApp) {
        let owner = new_owner(&app).await;
        add_role(&app, "acme", "probe", "Probe", &[]).await;
        let person = member(&app, &owner, "viewer").await;
        let roles = format!("/w/acme/members/{}/roles", person.member_id);
        owner.client.post_form(&roles, &[("role", "probe")]).await.assert_status(303);
        let key = workspace_key(&app, "acme", &["probe"]).await;
        // No member, team or anything else that paths name has it.
        let id = owner.user_id.to_string();
        let mut wrong = Vec::new();
        for Guarded { scope, page, call } in &GUARDED {
            for (n, is_on) in [false, true, false].into_iter().enumerate() {
                if n > 0 {
                    toggle(&owner, scope, is_on).await;
                }
                let mut seen = Vec::new();
                if !page.0.is_empty() {
                    let path = format!("/w/acme/{}", page.0.replace("{id}", &id));
                    seen.push((page.0, page.1, person.client.get(&path).await.status.as_u16()));
                }
                if let Some((method, path)) = call.0.split_once(' ') {
                    let path = format!("/api/sso/v1/{}", path.replace("{id}", &id));
                    let body = json!({"nonsense": true});
                    let body = ["POST", "PUT"].contains(&method).then_some(&body);
                    let method: Method = method.parse().unwrap();
                    seen.push((call.0, call.1, key.call(method, &path, body).await.status));
                }
                for (what, open, status) in seen {
                    let expected = if is_on { open } else { 403 };
                    if status != expected {
                        wrong.push(format!("{scope} is {is_on}, {what}: {status}, and not {expected}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
