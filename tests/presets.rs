//! A preset: technical and billing work are separate, from the beginning of a workspace or later.

use crate::{
    races::assert_chain_holds,
    support::{
        product::{BuiltIn, Permission},
        *,
    },
};
use serde_json::json;

const PATH: &str = "/w/acme/security/separation";

const SEPARATED: [(&str, &str); 3] =
    [("admin", "manage:billing"), ("admin", "purchase:credits"), ("developer", "invite:members")];

/// What a role of the workspace holds, in order.
async fn held(app: &TestApp, slug: &str, role: &str) -> Vec<String> {
    let sql = format!(
        "SELECT g.scope FROM grants g JOIN roles r ON r.workspace_id = g.workspace_id AND r.id = g.role_id
        JOIN workspaces w ON w.id = r.workspace_id WHERE w.slug = {} AND r.slug = {} ORDER BY g.scope",
        quoted(slug),
        quoted(role)
    );
    app.rows(&sql).await.iter().map(|row| row["scope"].as_str().unwrap().to_owned()).collect()
}

/// What the built-in role holds in a workspace whose billing is separate.
fn separate(role: BuiltIn) -> Vec<String> {
    let taken = |scope: &str| SEPARATED.iter().any(|(of, other)| *of == role.slug() && *other == scope);
    let mut scopes: Vec<String> = match role {
        BuiltIn::Owner => Vec::new(),
        role => role.grants().into_iter().filter(|scope| !taken(scope)).map(str::to_owned).collect(),
    };
    scopes.sort();
    scopes
}

both! {
    async fn a_workspace_begins_with_it_where_the_box_was_ticked(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/workspaces").await;
        page.assert_says("Separate technical and billing");
        let fields = [("name", "Apart"), ("slug", "apart"), ("separate_billing", "yes")];
        owner.client.submit(&page, "/workspaces", &fields).await.assert_status(303);
        for role in BuiltIn::ALL {
            let mut usual: Vec<String> = match role {
                BuiltIn::Owner => Vec::new(),
                role => role.grants().into_iter().map(str::to_owned).collect(),
            };
            usual.sort();
            assert_eq!(held(&app, "apart", role.slug()).await, separate(role), "{role:?}");
            assert_eq!(held(&app, "acme", role.slug()).await, usual, "{role:?}");
        }
        owner.client.visit("/w/apart/activity").await.assert_says("with technical and billing work separate");
        // The box stays ticked where something else is refused; nonsense is refused at the field.
        let refused = owner.client.submit(&page, "/workspaces", &[("name", ""), ("separate_billing", "yes")]).await;
        refused.assert_status(422);
        assert!(refused.has("input[name=separate_billing][checked]"));
        let odd = [("name", "Odd"), ("slug", "odd"), ("separate_billing", "maybe")];
        let refused = app.unchanged_by(owner.client.post_form("/workspaces", &odd)).await.with_status(422);
        assert!(refused.field_error("separate_billing").is_some());
    }

    async fn on_the_security_page_it_says_who_loses_what_before_it_applies(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let developer = member(&app, &owner, "developer").await;
        let before = app.tenants().await;
        let link = owner.client.visit("/w/acme/security").await.link("/security/separation");
        let page = owner.client.visit(&link).await;
        page.assert_says("Admin One").assert_says("Developer One").assert_says("Manage billing");
        before.assert_same(&app.tenants().await);
        developer.client.get("/w/acme/invitations").await.assert_status(200);

        let answer = owner.client.submit(&page, "/security/separation", &[]).await;

        let done = owner.client.follow(answer).await;
        done.assert_says("Saved. Technical and billing work are separate.").assert_says("Invite members: lost by 1 member");
        for role in BuiltIn::ALL {
            assert_eq!(held(&app, "acme", role.slug()).await, separate(role), "{role:?}");
        }
        developer.client.get("/w/acme/invitations").await.assert_status(403);
        admin.client.get("/w/acme/invitations").await.assert_status(200);
        let kinds = app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'permission.changed'").await;
        assert_eq!(kinds, 3, "one event for each permission");
        // A second time there is nothing to do.
        owner.client.visit(&link).await.assert_says("No changes.");
        // Each is undone by the means that undo it anywhere else.
        let undo = owner.client.visit("/w/acme/activity").await.link("/undo");
        let undo = owner.client.visit(&undo).await;
        owner.client.submit(&undo, "/security/", &[]).await.assert_status(303);
        assert_chain_holds(&app).await;
    }

    async fn it_is_refused_to_whoever_may_not_and_where_it_is_out_of_date(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        app.unchanged_by(admin.client.get(PATH)).await.assert_status(403);
        app.unchanged_by(admin.client.post_form(PATH, &[])).await.assert_status(403);
        app.unchanged_by(owner.client.post_form(PATH, &[("version", "0000")])).await.assert_status(409);
        let page = owner.client.visit(PATH).await;
        // Meanwhile somebody takes one of the three.
        let matrix = owner.client.visit("/w/acme/security").await;
        let form = matrix.form("/security/invite:members").fill(&[("role", "admin")]);
        owner.client.send(&matrix, &form).await.assert_status(303);
        app.unchanged_by(owner.client.submit(&page, "/security/separation", &[])).await.assert_status(409);
        // Roles of one's own are no built-in ones, and stay as they are.
        crate::nouns::roles::add_role(&app, "acme", "helper", "Helper", &["manage:billing"]).await;
        let page = owner.client.visit(PATH).await;
        owner.client.submit(&page, "/security/separation", &[]).await.assert_status(303);
        assert_eq!(held(&app, "acme", "helper").await, ["manage:billing"]);
    }

    // Breaks where separation::set changes cells without the ceiling of grants::change.
    async fn nobody_takes_more_than_they_could_one_by_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let scope = Permission::UpdatePermissions.scope();
        let sql = format!(
            "INSERT INTO grants (workspace_id, role_id, scope) SELECT workspace_id, id, '{scope}' FROM roles
            WHERE slug = 'viewer'"
        );
        app.execute(&sql).await;
        let page = viewer.client.visit(PATH).await;
        page.assert_says("This would be refused.");
        let answer = app.unchanged_by(viewer.client.post_form(PATH, &[("version", &version(&app).await)])).await;
        answer.assert_status(403);
    }

    async fn a_program_can_begin_with_it_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let account = app.scalar_uuid("SELECT account_id FROM workspaces").await;
        app.execute("UPDATE api_keys SET is_admin = (1 = 1)").await;
        let new = json!({"name": "Called", "slug": "called", "separate_billing": true, "owner": owner.user_id});
        let made = key.post("/api/sso/v1/workspaces", &new).await;
        assert_eq!(made.status, 201, "{account}: {}", made.text);
        assert_eq!(held(&app, "called", "developer").await, separate(BuiltIn::Developer));
    }
}

/// The version that the form of the Owner's page has now.
async fn version(app: &TestApp) -> String {
    let client = sign_in(app, "owner-one@example.com", PASSWORD).await;
    client.visit(PATH).await.field_value("version").unwrap()
}
