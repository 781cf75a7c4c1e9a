//! The Security page: which roles hold a permission.

use crate::walk::*;

pub struct Security;

#[async_trait(?Send)]
impl Noun for Security {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/security", one(P::ReadMembers)).reads(&["q"]).statements(2),
            page("/w/{workspace}/security/separation", one(P::UpdatePermissions)).statements(3),
            form("/w/{workspace}/security/separation", one(P::UpdatePermissions))
                .carries(&["version"], "/w/{workspace}/security/separation", "/security/separation")
                .writes(3)
                .offered(may_separate)
                .unlike_any_call("a program sets the roles of each permission itself"),
            form("/w/{workspace}/security/{permission}", one(P::UpdatePermissions))
                .sends(|_| fields(&[("role", "viewer")]))
                .carries(&["version"], "/w/{workspace}/security", "/security/{permission}")
                .verdict(|at| at.done_if(at.holdings().may_toggle(&Attempt::viewer(), TOGGLED).is_ok()))
                .offered(may_toggle_some)
                .like("PUT /api/sso/v1/permissions/{permission}"),
            page("/w/{workspace}/security/{permission}/preview", one(P::UpdatePermissions))
                .query("role=viewer")
                .reads(&[])
                .statements(3),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/permissions", one(P::ReadMembers)),
            call("GET /api/sso/v1/permissions/{permission}", one(P::ReadMembers)),
            call("PUT /api/sso/v1/permissions/{permission}", one(P::UpdatePermissions))
                .body(|_| json!({"roles": ["viewer"]})),
        ]
    }

    fn params(&self) -> Vec<Param> {
        let permission = Param::new("permission").sample("create:teams").closed();
        let permission = permission.value(|at| match at.place {
            // The catalogue is the same for every workspace.
            Place::ForeignIds => None,
            Place::UnknownIds => Some("fly:rockets".to_owned()),
            _ => Some(TOGGLED.scope().to_owned()),
        });
        vec![permission.every(|_| P::ALL.iter().map(|permission| permission.scope().to_owned()).collect())]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let page = tour.get(&owner, &format!("{HOME}/security"), 200).await;
        let preview = "security/read:audit/preview?role=viewer&role=editor";
        tour.get(&owner, &format!("{HOME}/{preview}"), 200).await;
        let separate = tour.get(&owner, &format!("{HOME}/security/separation"), 200).await;
        let separate_form = separate.form("/security/separation");
        let answer = owner.send(&separate, &separate_form).await;
        tour.note(answer, 303);
        let form = page.form("/security/create:teams").fill(&[("role", "viewer")]);
        let answer = owner.send(&page, &form).await;
        tour.note(answer, 303);
        tour.call("permissions").await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, viewer) = (&demo.owner, &demo.viewer);
        let at = |rest: &str| demo.at(rest);
        pictures.add("security-of-owner", 200, owner.get(&at("/security")).await);
        pictures.add("security-of-viewer", 200, viewer.get(&at("/security")).await);
        pictures.open("security-row", "security-of-owner", &["#d-read-audit > summary"]);

        let permission = at("/security/update:permissions/preview");
        pictures.add(
            "preview-permission",
            200,
            owner.get(&format!("{permission}?role=viewer&role=editor")).await,
        );

        pictures.add("preview-separation", 200, owner.get(&at("/security/separation")).await);

        let kept = at("/security?permission=read:audit&role=viewer&from=preview");
        pictures.add("preview-permission-kept", 200, owner.get(&kept).await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, admin) = (&demo.owner, &demo.admin);
        let page = owner.get(&demo.at("/security")).await;
        let row = "/security/read:audit";
        pictures.add("security-saved", 200, submit(owner, &page, row, &[("role", "editor")]).await);
        pictures.add("security-stale", 409, owner.submit(&page, row, &[("role", "billing")]).await);

        demo.let_admins_edit().await;
        let page = admin.get(&demo.at("/security")).await;
        pictures.add("security-of-admin", 200, page.clone());

        let none = page.form("/security/update:permissions").without("role");
        pictures.add("security-lock-out", 409, admin.send(&page, &none).await);

        let permission = demo.at("/security/update:permissions/preview");
        pictures.add("preview-lock-out", 200, admin.get(&permission).await);
    }
}

/// Chooses the roles that have a permission, as its row of the Security page does.
pub async fn assign(owner: &Client, permission: &str, roles: &[&str]) {
    let page = owner.visit("/w/acme/security").await;
    let row = page.form(&format!("#f-{}", permission.replace(':', "-")));
    let version = row.values("version")[0].to_owned();
    let mut fields = vec![("version", version.as_str())];
    fields.extend(roles.iter().map(|role| ("role", *role)));
    owner.post_form(&format!("/w/acme/security/{permission}"), &fields).await.assert_status(303);
}

const TOGGLED: P = P::ReadTeams;

fn may_toggle_some(at: &Offer) -> bool {
    let permission = P::of_scope(at.id("permission")).unwrap();
    let mut others = at.facts.roles.values().filter(|role| !role.is_owner());
    others.any(|role| at.my().may_toggle(role, permission).is_ok())
}

/// Something is left to take, and all of it is the viewer's to take.
fn may_separate(at: &Offer) -> bool {
    let separated =
        [("admin", P::ManageBilling), ("admin", P::PurchaseCredits), ("developer", P::InviteMembers)];
    let roles = separated.map(|(role, permission)| (&at.facts.roles[role], permission));
    let held: Vec<_> = roles.into_iter().filter(|(role, permission)| role.has(*permission)).collect();
    !held.is_empty() && held.iter().all(|(role, permission)| at.my().may_toggle(role, *permission).is_ok())
}
