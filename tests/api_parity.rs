//! What a page can do inside a workspace a call can do, under the same permission and with the same
//! verdict: another way to the same effect is no way around a rule.

use crate::support::product::{Access, BuiltIn, Permission, Route, api_table, table};
use crate::{
    api_matrix::{self, Ids},
    support::*,
    world::*,
};
use serde_json::{Value, json};

/// A form of a page, and the call that does the same.
#[rustfmt::skip]
const PAIRS: &[(&str, &str)] = &[
    // From the account, or by address: both at once.
    ("/members", "POST /users"),
    ("/members/{member}/roles", "PATCH /members/{member}"),
    ("/members/{member}/suspension", "POST /members/{member}/suspension"),
    ("/members/{member}/reactivation", "POST /members/{member}/reactivation"),
    ("/members/{member}/removal", "DELETE /members/{member}"),
    // What is done to many at once is done to each by a call of its own.
    ("/members/selection/roles", "PATCH /users/{user}"),
    ("/members/selection/suspension", "POST /members/{member}/suspension"),
    ("/members/selection/removal", "DELETE /members/{member}"),
    ("/ownership-offers/{offer}/withdrawal", "DELETE /ownership-offers/{offer}"),
    ("/invitations", "POST /invitations"),
    ("/invitations/{invitation}/resend", "POST /invitations/{invitation}/resend"),
    ("/invitations/{invitation}/cancellation", "DELETE /invitations/{invitation}"),
    ("/invitations/selection/resend", "POST /invitations/{invitation}/resend"),
    ("/invitations/selection/cancellation", "DELETE /invitations/{invitation}"),
    ("/teams", "POST /teams"),
    ("/teams/{team}/details", "PATCH /teams/{team}"),
    ("/teams/{team}/members", "POST /teams/{team}/members"),
    ("/teams/{team}/members/{member}/removal", "DELETE /teams/{team}/members/{member}"),
    ("/teams/{team}/members/{member}/lead", "PUT /teams/{team}/members/{member}/lead"),
    ("/teams/{team}/roles", "PUT /teams/{team}/roles"),
    ("/teams/{team}/deletion", "DELETE /teams/{team}"),
    ("/roles", "POST /roles"),
    ("/roles/{role}/details", "PATCH /roles/{role}"),
    ("/roles/{role}/scopes", "PUT /roles/{role}/scopes"),
    ("/roles/{role}/deletion", "DELETE /roles/{role}"),
    ("/security/{permission}", "PUT /permissions/{permission}"),
    ("/api-keys", "POST /apikeys"),
    ("/api-keys/addition", "POST /apikeys/{key}/addition"),
    ("/api-keys/{key}/details", "PATCH /apikeys/{key}"),
    ("/api-keys/{key}/rotation", "POST /apikeys/{key}/rotation"),
    ("/api-keys/{key}/revocation", "DELETE /apikeys/{key}"),
    ("/organization", "PATCH /workspaces/{workspace}"),
    ("/organization/deletion", "DELETE /workspaces/{workspace}"),
];

/// Forms without a call that does quite the same, each with the reason.
const ALONE: &[(&str, &str)] = &[
    ("/departure", "POST /departure is of the key itself; the only Owner is a person, and may not leave"),
    ("/members/{member}/ownership-offer", "ownership goes from one person to another"),
    ("/ownership-offers/{offer}/acceptance", "an offer is answered by the person it was made to"),
    ("/ownership-offers/{offer}/decline", "an offer is answered by the person it was made to"),
];

fn find(routes: Vec<Route>, method: &str, path: &str) -> Route {
    let found = routes.into_iter().find(|route| route.method == method && route.path == path);
    found.unwrap_or_else(|| panic!("there is no {method} {path}"))
}

fn call_of(pair: &str) -> Route {
    let (method, path) = pair.split_once(' ').unwrap();
    find(api_table(), method, &format!("/api/sso/v1{path}"))
}

#[test]
fn every_form_of_a_workspace_has_a_call_under_the_same_permission() {
    for route in table() {
        let (Access::Member(_), "POST") = (route.access, route.method.as_str()) else { continue };
        let form = route.path.strip_prefix("/w/{workspace}").unwrap();
        if ALONE.iter().any(|(alone, _)| *alone == form) {
            continue;
        }
        let pair = PAIRS.iter().find(|(page, _)| *page == form);
        let (_, call) = pair.unwrap_or_else(|| panic!("which call does what POST {} does?", route.path));
        assert_eq!(route.access, call_of(call).access, "left: POST {}, right: {call}", route.path);
    }
}

struct Sides<'a> {
    world: &'a World,
    ids: Ids,
    /// What the forms carry beside their fields.
    versions: Vec<(&'static str, String)>,
}

impl Sides<'_> {
    async fn versions(app: &TestApp, world: &World, ids: &Ids) -> Vec<(&'static str, String)> {
        let owner = &world.person(BuiltIn::Owner).client;
        let version = |page: &Page, form: &str| page.form(form).values("version")[0].to_owned();
        let security = owner.visit("/w/acme/security").await;
        let mut versions = vec![(
            "/security/{permission}",
            version(&security, &format!("/security/{}", api_matrix::TOGGLED.scope())),
        )];
        let team = owner.visit(&format!("/w/acme/teams/{}", ids.team)).await;
        versions.push(("/teams/{team}/roles", version(&team, "/roles")));
        let key = owner.visit(&format!("/w/acme/api-keys/{}", ids.key)).await;
        versions.push(("/api-keys/{key}/rotation", version(&key, "/rotation")));
        let made_by = app.id(world.person(BuiltIn::Owner).user_id);
        let sql = format!("SELECT COUNT(*) FROM api_keys WHERE made_by = {made_by}");
        versions.push(("made", app.scalar_i64(&sql).await.to_string()));
        // Of the Owners' role there is no form; what it asks for comes before its version.
        if ids.role != "owner" {
            let role = owner.visit(&format!("/w/acme/roles/{}", ids.role)).await;
            versions.push(("/roles/{role}/details", version(&role, "/details")));
            versions.push(("/roles/{role}/scopes", version(&role, "/scopes")));
        }
        keep(app).await;
        versions
    }

    /// The fields that say the same as the body of the call.
    fn fields(&self, form: &str, call: &Route, role: BuiltIn) -> Vec<(String, String)> {
        let body = api_matrix::body(call.method.as_str(), call.path, self.world.acme.shut_out);
        let mut fields = Vec::new();
        for (name, value) in body.unwrap_or(json!({})).as_object().unwrap() {
            let name = match name.as_str() {
                "roles" => "role",
                "members" => "member",
                other => other,
            };
            let values = match value {
                Value::Array(values) => values.clone(),
                other => vec![other.clone()],
            };
            for value in values {
                let value = match value {
                    Value::Bool(yes) => if yes { "yes" } else { "no" }.to_owned(),
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                let is_permission = name == "scopes" && Permission::of_scope(&value).is_some();
                let name = if is_permission { "permission" } else { name };
                fields.push((name.to_owned(), value));
            }
        }
        if form.contains("/members/selection/") {
            fields.push(("member".into(), self.ids.member.to_string()));
        } else if form.contains("/invitations/selection/") {
            fields.push(("invitation".into(), self.ids.invitation.to_string()));
        }
        let more: &[(&str, String)] = match form {
            "/members" => &[("user", self.world.acme.person.to_string()), ("role", "viewer".into())],
            "/api-keys/addition" => &[("key", self.ids.waiting.to_string())],
            "/api-keys/{key}/rotation" => &[("overlap", "1".into())],
            "/api-keys" => {
                let made = self.versions.iter().find(|(of, _)| *of == "made" && role == BuiltIn::Owner);
                &[("expiry", "30".into()), ("made", made.map_or("0".into(), |(_, made)| made.clone()))]
            }
            _ => &[],
        };
        fields.retain(|(name, _)| form != "/members" || name != "email");
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        if form == "/organization/deletion" {
            fields.push(("confirm".into(), "acme".into()));
        }
        let version = self.versions.iter().find(|(of, _)| *of == form);
        if let Some((_, version)) = version {
            fields.push(("version".into(), version.clone()));
        } else if ["/roles/{role}/details", "/roles/{role}/scopes"].contains(&form) {
            fields.push(("version".into(), "none".into()));
        }
        fields
    }
}

both! {
    async fn a_page_and_a_call_give_the_same_verdict(app: TestApp) {
        let world = World::build(&app).await;
        let mut keys = Vec::new();
        for role in BuiltIn::ALL {
            keys.push((role, workspace_key(&app, "acme", &[role.slug()]).await));
        }
        // A team that nobody leads: no key does.
        let mut own = Ids::of(&app, &world.acme).await;
        let viewer = world.acme.viewer;
        own.team = add_team(&app, "acme", "Team Without A Lead", &["viewer"], &[(viewer, false)]).await;
        let above = own.above(&app, &world.acme).await;
        keep(&app).await;
        let mut compared = 0;
        for ids in [own, above] {
            let versions = Sides::versions(&app, &world, &ids).await;
            let sides = Sides { world: &world, ids, versions };
            for (form, call) in PAIRS {
                let call = call_of(call);
                for (role, key) in &keys {
                    let fields = sides.fields(form, &call, *role);
                    let fields: Vec<(&str, &str)> =
                        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                    let path = format!("/w/acme{}", sides.ids.fill(form, "acme"));
                    let page = world.person(*role).client.twin().post_form(&path, &fields).await;
                    let page = page.status.as_u16();
                    restore(&app).await;

                    let mut path = sides.ids.fill(call.path, "acme");
                    if *form == "/organization/deletion" {
                        path.push_str("?confirm=acme");
                    }
                    let body = api_matrix::body(call.method.as_str(), call.path, world.acme.shut_out);
                    let method = call.method.as_str().parse().unwrap();
                    let answer = key.call(method, &path, body.as_ref()).await;
                    restore(&app).await;

                    let done = |status: u16| if status < 400 { 0 } else { status };
                    // Whose roles do not reach there sees what is wrong at the field, with the same status.
                    assert_eq!(done(page), done(answer.status), "{role:?} {form}: page {page}, call {}", answer.text);
                    compared += 1;
                }
            }
        }
        assert!(compared > 300, "only {compared} were compared");
    }
}
