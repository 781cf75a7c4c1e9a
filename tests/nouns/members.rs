//! Members: the list, one of them with their roles, suspension, removal; users of the API; leaving.

use crate::walk::*;

pub struct Members;

#[async_trait(?Send)]
impl Noun for Members {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/departure", MEMBER).statements(4),
            form("/w/{workspace}/departure", MEMBER)
                .verdict(|at| if at.is_owner() { Verdict::Audited(409) } else { at.done() })
                .offered(|at| !at.is_last_owner(at.me))
                .unlike_any_call(
                    "POST /departure is of the key itself; the only Owner is a person, and may not leave",
                ),
            page("/w/{workspace}/members", one(P::ReadMembers))
                .reads(&["q", "role", "status", "kind", "sort", "after", "before"])
                .refuses_filters(&[
                    ("status", "nonsense"),
                    ("role", "nonsense"),
                    ("kind", "nonsense"),
                    ("sort", "nonsense"),
                    ("after", "nonsense"),
                    ("q", LONG),
                ])
                .filters(&[
                    "q=one",
                    "q=two",
                    "q=%25",
                    "q=_",
                    "role=viewer",
                    "status=suspended",
                    "sort=joined",
                    "sort=-active",
                ])
                .statements(2),
            form("/w/{workspace}/members", one(P::InviteMembers))
                .sends(|at| {
                    vec![("user", at.world.acme.text("account_person").to_owned()), ("role", "viewer".into())]
                })
                .offered(|at| is_somebody_no_member(at) && at.may_invite_with_some())
                .types(with_user_and_role)
                // From the account, or by address: both at once.
                .like_but("POST /api/sso/v1/users", &["email"]),
            page("/w/{workspace}/members/new", one(P::InviteMembers)).reads(&["q"]).statements(2),
            page("/w/{workspace}/members/{member}", one(P::ReadMembers)).statements(3),
            form("/w/{workspace}/members/{member}/roles", one(P::UpdateMemberRoles))
                .sends(|_| fields(&[("role", "viewer"), ("role", "support")]))
                .verdict(managed)
                .offered(|at| at.my().may_manage(&at.member().holdings).is_ok())
                .like("PATCH /api/sso/v1/members/{member}"),
            page("/w/{workspace}/members/{member}/roles/preview", one(P::UpdateMemberRoles))
                .query("role=editor")
                .statements(4),
            page("/w/{workspace}/members/{member}/suspension", one(P::SuspendMembers))
                .verdict(managed)
                .statements(4),
            form("/w/{workspace}/members/{member}/suspension", one(P::SuspendMembers))
                .verdict(managed)
                .offered(|at| may_shut_out(at) && at.member().is_active)
                .like("POST /api/sso/v1/members/{member}/suspension"),
            form("/w/{workspace}/members/{member}/reactivation", one(P::SuspendMembers))
                .with("member", "suspended_member")
                .verdict(managed)
                .offered(|at| may_shut_out(at) && !at.member().is_active)
                .like("POST /api/sso/v1/members/{member}/reactivation"),
            page("/w/{workspace}/members/{member}/removal", one(P::RemoveMembers))
                .verdict(managed)
                .statements(4),
            form("/w/{workspace}/members/{member}/removal", one(P::RemoveMembers))
                .verdict(managed)
                .offered(may_shut_out)
                .like("DELETE /api/sso/v1/members/{member}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("POST /api/sso/v1/departure", MEMBER).succeeds_with(204),
            call("GET /api/sso/v1/members", one(P::ReadMembers)),
            call("GET /api/sso/v1/members/{member}", one(P::ReadMembers)),
            call("PATCH /api/sso/v1/members/{member}", one(P::UpdateMemberRoles))
                .body(|_| json!({"roles": ["viewer", "support"]}))
                .verdict(managed),
            call("DELETE /api/sso/v1/members/{member}", one(P::RemoveMembers)).verdict(managed),
            call("POST /api/sso/v1/members/{member}/suspension", one(P::SuspendMembers))
                .succeeds_with(204)
                .verdict(managed),
            call("POST /api/sso/v1/members/{member}/reactivation", one(P::SuspendMembers))
                .with("member", "suspended_member")
                .succeeds_with(204)
                .verdict(managed),
            call("GET /api/sso/v1/users", one(P::ReadMembers)),
            call("POST /api/sso/v1/users", one(P::InviteMembers))
                .body(|_| json!({"email": "entered@example.com"}))
                .verdict(|at| at.done_if(at.holdings().may_invite([&Attempt::viewer()]).is_ok())),
            call("GET /api/sso/v1/users/{user}", one(P::ReadMembers)),
            call("PATCH /api/sso/v1/users/{user}", one(P::UpdateMemberRoles))
                .body(|_| json!({"roles": ["viewer", "support"]}))
                .verdict(managed),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("member").every(|facts| facts.ids("members")),
            Param::new("suspended_member").every(|facts| facts.ids("members")),
            Param::new("user"),
        ]
    }

    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, owner) = (plot.app, plot.slug(), plot.owner);
        match plot.home {
            None => {
                let user = add_user(app, "Viewer Two", "viewer-two@example.com").await;
                let suspended = add_user(app, "Viewer Three", "viewer-three@example.com").await;
                let reviewer = add_user(app, "Reviewer One", "reviewer-one@example.com").await;
                add_member(app, slug, reviewer, "active", &["reviewer"]).await;
                plot.put("user", user);
                plot.put("member", add_member(app, slug, user, "active", &["viewer"]).await);
                plot.put("suspended_user", suspended);
                plot.put(
                    "suspended_member",
                    add_member(app, slug, suspended, "suspended", &["viewer"]).await,
                );
                for name in ["member", "suspended_member"] {
                    plot.put_above(name, owner.member_id);
                }
                plot.put_above("user", owner.user_id);
            }
            // What the same people and addresses are elsewhere: no change of acme may touch it.
            Some(home) => {
                let user = add_user(app, "Viewer Elsewhere", "viewer@elsewhere.example.com").await;
                plot.put("user", user);
                plot.put("member", add_member(app, slug, user, "active", &["viewer"]).await);
                add_member(app, slug, home.id("user"), "active", &["admin"]).await;
                let new = add_user(app, "New One", "new@example.com").await;
                add_member(app, slug, new, "active", &["viewer"]).await;
                let suspended = home.id("suspended_user");
                plot.put(
                    "suspended_member",
                    add_member(app, slug, suspended, "suspended", &["viewer"]).await,
                );
            }
        }
    }

    /// Members with two roles.
    async fn grow(&self, app: &TestApp, _world: &mut World, n: usize) {
        for _ in 0..n {
            let id = new_id().simple().to_string();
            let user = add_user(app, &format!("Viewer {id}"), &format!("viewer-{id}@example.com")).await;
            add_member(app, "acme", user, "active", &["viewer", "helper"]).await;
        }
    }

    fn upgraded(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("SELECT role_set FROM members", "a-viewer owner"),
            ("SELECT listed_as FROM members", "owner ane\nowner-one@example.com"),
            ("SELECT CAST(people AS TEXT) FROM headcounts WHERE people > 0", "1"),
        ]
    }

    async fn assert_counted(&self, app: &TestApp) {
        let sets = "SELECT COUNT(*) FROM members m WHERE m.role_set <> (
            SELECT COALESCE(string_agg(r.slug, ' ' ORDER BY r.slug), '') FROM roles r
            WHERE EXISTS (SELECT 1 FROM member_roles h WHERE h.role_id = r.id AND h.member_id = m.id)
            OR EXISTS (SELECT 1 FROM team_roles h JOIN team_members p ON p.team_id = h.team_id
                WHERE h.role_id = r.id AND p.member_id = m.id))";
        assert_eq!(app.scalar_i64(sets).await, 0, "members whose set of roles is not what they hold");
        let kept = "SELECT workspace_id, status, kind, role_set, people FROM headcounts WHERE people <> 0
            ORDER BY workspace_id, status, kind, role_set";
        let counted = "SELECT workspace_id, status, kind, role_set, COUNT(*) AS people FROM members
            GROUP BY workspace_id, status, kind, role_set ORDER BY workspace_id, status, kind, role_set";
        assert_eq!(app.rows(kept).await, app.rows(counted).await, "left: kept, right: counted");
        let orphans = "SELECT COUNT(*) FROM headcounts h
            WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = h.workspace_id)";
        assert_eq!(app.scalar_i64(orphans).await, 0, "headcounts of workspaces that are gone");
    }

    fn plans(&self) -> Plans {
        Plans {
            many: &["members", "member_roles"],
            list_indices: &[
                "members_by_name",
                "members_by_joined",
                "members_by_activity",
                "members_keys_by_name",
            ],
            ..Plans::default()
        }
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, viewer) = (tour.owner.clone(), tour.viewer.clone());
        for order in ["name", "-name", "joined", "-joined", "active", "-active"] {
            let narrow = [
                "q=member",
                "role=editor",
                "status=active",
                "status=suspended",
                "kind=user",
                "q=1&role=editor&status=active&kind=user",
                "q=1&status=active",
            ];
            tour.list("members", &format!("sort={order}"), &narrow).await;
        }
        let member = tour.take_members(1)[0];
        let at = |rest: &str| format!("{HOME}/members/{member}{rest}");
        for path in [
            format!("{HOME}/members?kind=api_key"),
            format!("{HOME}/departure"),
            at(""),
            at("/roles/preview?role=admin"),
            at("/suspension"),
            at("/removal"),
        ] {
            tour.get(&owner, &path, 200).await;
        }
        tour.get(&viewer, &format!("{HOME}/members/{}", Uuid::nil()), 404).await;
        tour.post(&viewer, &at("/suspension"), &[], 403).await;
        tour.post(&owner, &format!("{HOME}/departure"), &[], 409).await;
        for (noun, fields) in [
            ("/roles", &[("role", "editor"), ("role", "billing")][..]),
            ("/roles", &[("role", "viewer")]),
            ("/suspension", &[]),
            ("/reactivation", &[]),
            ("/removal", &[]),
        ] {
            tour.post(&owner, &at(noun), fields, 303).await;
        }
        self.tour_of_calls(tour).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, admin, viewer) = (&demo.owner, &demo.admin, &demo.viewer);
        let at = |rest: &str| demo.at(rest);
        pictures.add("members-of-owner", 200, owner.get(&at("/members")).await);
        pictures.add("members-of-admin", 200, admin.get(&at("/members")).await);
        pictures.add("members-of-viewer", 200, viewer.get(&at("/members")).await);
        pictures.add("members-filtered", 200, owner.get(&at("/members?q=e&status=active&sort=-name")).await);
        pictures.add("members-none", 200, owner.get(&at("/members?q=nobody+at+all")).await);
        pictures.add("member-of-owner", 200, owner.get(&demo.member("developer")).await);
        pictures.add("member-of-admin", 200, admin.get(&demo.member("developer")).await);
        pictures.add("member-of-viewer", 200, viewer.get(&demo.member("developer")).await);
        pictures.add("member-above-admin", 200, admin.get(&demo.member("owner")).await);
        pictures.add("member-oneself", 200, owner.get(&demo.member("owner")).await);
        pictures.add("member-suspended", 200, owner.get(&demo.member("former")).await);

        let path = |role: &str, rest: &str| format!("{}/{rest}", demo.member(role));
        pictures.add("suspension", 200, owner.get(&path("developer", "suspension")).await);
        pictures.add("suspension-already", 200, owner.get(&path("former", "suspension")).await);
        pictures.add("removal", 200, owner.get(&path("developer", "removal")).await);
        pictures.add("departure", 200, viewer.get(&at("/departure")).await);

        let first = demo.busy.get("/w/seed-1/members").await;
        let next = demo.busy.get(&first.attributes("[rel=next]", "href")[0]).await;
        pictures.add("members-many", 200, first);
        pictures.add("members-many-next", 200, next);
        pictures.open("keys", "members-of-owner", &["#user-menu-button", "[data-keys]"]);
        pictures.open("row-menu", "members-of-owner", &["#results details.dropdown > summary"]);

        let roles = |role: &str, query: &str| format!("{}/roles/preview?{query}", demo.member(role));
        pictures.add("preview-roles", 200, owner.get(&roles("viewer", "role=admin&role=viewer")).await);
        pictures.add("preview-roles-kept", 200, {
            owner.get(&format!("{}?role=admin&from=preview", demo.member("viewer"))).await
        });
        pictures.add("preview-roles-same", 200, owner.get(&roles("viewer", "role=viewer")).await);
        pictures.add("preview-roles-refused", 200, admin.get(&roles("owner", "role=viewer")).await);
        pictures.add("preview-roles-none", 422, owner.get(&roles("viewer", "")).await);

        pictures.add("wrong-filter", 422, owner.get(&demo.at("/members?status=bogus")).await);

        let path = format!("{}/suspension", demo.member("owner"));
        pictures.add("ceiling", 403, demo.admin.post_form(&path, &[]).await);

        let founder = &demo.founder;
        pictures.add("last-owner", 409, founder.client.post_form("/w/acme/departure", &[]).await);

        let client = &founder.client;
        pictures.add("empty-members", 200, client.get("/w/acme/members").await);
        pictures.add(
            "empty-member",
            200,
            client.get(&format!("/w/acme/members/{}", founder.member_id)).await,
        );
        pictures.add("empty-departure", 200, client.get("/w/acme/departure").await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        let page = owner.get(&demo.member("developer")).await;
        let roles = page.form("/roles").without("role");
        pictures.add("member-refused", 422, owner.send(&page, &roles).await);
    }
}

impl Members {
    async fn tour_of_calls(&self, tour: &mut Tour<'_>) {
        let member = tour.take_members(1)[0];
        let user = user_of(tour.app, member).await;
        for path in ["users", "users?q=member", "users?role=viewer", "members?kind=api_key"] {
            tour.call(path).await;
        }
        tour.call(&format!("users/{user}")).await;
        tour.call(&format!("members/{member}")).await;
        let (users, members) = (format!("/api/sso/v1/users/{user}"), format!("/api/sso/v1/members/{member}"));
        tour.robot.patch(&users, &json!({"roles": ["editor"]})).await.with_status(200);
        tour.robot.delete(&format!("{members}?keys=revoked")).await.with_status(204);
        tour.keep("calls of members");
    }
}

/// The expected response to a change of a member: allowed only for members who hold less, and never for the
/// last Owner.
pub fn managed(at: &Attempt) -> Verdict {
    if at.is_above() && at.is_page() {
        // The only Owner: said before anything else.
        return Verdict::Audited(409);
    }
    match at.holdings().may_manage(&at.target()) {
        Err(_) => Verdict::Audited(403),
        // The founder, who vouches for every key here.
        Ok(()) if at.is_above() && at.is_key() => Verdict::Audited(403),
        Ok(()) if at.is_above() => Verdict::Audited(409),
        Ok(()) => at.done(),
    }
}

/// The member is somebody else, below me, and not the last Owner.
pub fn may_shut_out(at: &Offer) -> bool {
    let member = at.member();
    member.id != at.me.id && at.my().may_manage(&member.holdings).is_ok() && !at.is_last_owner(member)
}

/// The account has a person who is not in the workspace.
fn is_somebody_no_member(at: &Offer) -> bool {
    let is_member =
        |user: &Value| at.facts.members.iter().any(|member| member.user.as_deref() == user.as_str());
    at.facts.rows("account_people").iter().any(|person| !is_member(&person["user_id"]))
}

fn with_user_and_role(page: &Page, form: FormOnPage) -> FormOnPage {
    let user = page.attributes("input[type=radio][name=user]", "value").remove(0);
    let form = if form.values("role").is_empty() { with_first_role(page, form) } else { form };
    form.fill(&[("user", &user)])
}

/// Ticks the first role that this person may assign.
pub fn with_first_role(page: &Page, form: FormOnPage) -> FormOnPage {
    form.fill(&[("role", &page.attributes("main input[name=role]:not([disabled])", "value")[0])])
}
