//! Members: the list, one of them with their roles, suspension, removal; users of the API; leaving.

use crate::{support::product::Clock, walk::*};

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
                .reads(&[
                    "q",
                    "role",
                    "status",
                    "kind",
                    "permission",
                    "scope",
                    "team",
                    "vouched_by",
                    "ends",
                    "inactive",
                    "sort",
                    "after",
                    "before",
                ])
                .refuses_filters(&[
                    ("status", "nonsense"),
                    ("role", "nonsense"),
                    ("kind", "nonsense"),
                    ("permission", "nonsense"),
                    ("scope", "nonsense"),
                    ("team", "nonsense"),
                    ("ends", "nonsense"),
                    ("inactive", "nonsense"),
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
                    "permission=read:members",
                    "scope=read:posts",
                    "ends=soon",
                    "inactive=90",
                    "sort=joined",
                    "sort=-active",
                    "sort=roles",
                    "sort=-status",
                    "sort=end",
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
            form("/w/{workspace}/members/{member}/end", one(P::UpdateMemberRoles))
                .sends(|_| vec![("until", later().to_string())])
                .verdict(not_oneself)
                .offered(may_shut_out)
                .types(|_, form| form.fill(&[("until", &later().to_string())]))
                .like_but("PUT /api/sso/v1/members/{member}/end", &["until"]),
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
            page("/w/{workspace}/members/{member}/api-keys", one(P::ManageApiKeys)).statements(4),
            form("/w/{workspace}/members/{member}/api-keys/revocation", one(P::ManageApiKeys))
                // No key depends on them.
                .with("member", "keyless_member")
                .writes(0)
                .offered(may_revoke_all)
                .like("POST /api/sso/v1/members/{member}/apikeys/revocation"),
            page("/w/{workspace}/members/{member}/offboarding", one(P::RemoveMembers))
                .verdict(managed)
                .statements(6),
            form("/w/{workspace}/members/{member}/offboarding", one(P::RemoveMembers))
                .also_reads(&["keys", "offers", "account", "leaving"])
                .ticks("leaving")
                // The report is on the page that responds.
                .succeeds_with(200)
                // The removal, and that it was a part of an offboarding.
                .writes(2)
                .verdict(managed)
                .offered(|at| may_shut_out(at) && at.member().user.is_some())
                .like("POST /api/sso/v1/members/{member}/offboarding"),
            page("/w/{workspace}/members/{member}/removal", one(P::RemoveMembers))
                .verdict(managed)
                .statements(4),
            form("/w/{workspace}/members/{member}/removal", one(P::RemoveMembers))
                .also_reads(&["keys", "administration", "offers"])
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
            call("PUT /api/sso/v1/members/{member}/end", one(P::UpdateMemberRoles))
                .body(|_| json!({"until": later()}))
                .verdict(not_oneself),
            call("DELETE /api/sso/v1/members/{member}", one(P::RemoveMembers)).verdict(managed),
            call("POST /api/sso/v1/members/{member}/suspension", one(P::SuspendMembers))
                .succeeds_with(204)
                .verdict(managed),
            call("POST /api/sso/v1/members/{member}/offboarding", one(P::RemoveMembers))
                .body(|_| json!({}))
                .succeeds_with(200)
                .writes(2)
                .verdict(managed),
            call("POST /api/sso/v1/members/{member}/apikeys/revocation", one(P::ManageApiKeys))
                .with("member", "keyless_member")
                .succeeds_with(200)
                .writes(0),
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
            Param::new("keyless_member").every(|facts| facts.ids("members")),
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
                let member = add_member(app, slug, user, "active", &["viewer"]).await;
                plot.put("member", member);
                plot.put("keyless_member", member);
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
                let member = add_member(app, slug, user, "active", &["viewer"]).await;
                plot.put("member", member);
                plot.put("keyless_member", member);
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
        let ends = "SELECT COUNT(*) FROM members m WHERE COALESCE(m.next_end_at, 0) <> COALESCE((SELECT MIN(e.at) FROM (
            SELECT m.access_until AS at UNION ALL SELECT r.ends_at FROM member_roles r WHERE r.member_id = m.id) AS e), 0)";
        assert_eq!(
            app.scalar_i64(ends).await,
            0,
            "members whose soonest end is not the soonest of their ends"
        );
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
                "members_sorted_by_end",
                "members_sorted_by_roles",
                "members_sorted_by_status",
                "members_by_name",
                "members_by_joined",
                "members_by_activity",
                "members_keys_by_name",
            ],
            allowed_on_postgres: &[(
                "SELECT m.workspace_id, m.id FROM members m CROSS JOIN workspaces w",
                "Of two indices of the same few rows it may take the one of the list.",
            )],
            ..Plans::default()
        }
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, viewer) = (tour.owner.clone(), tour.viewer.clone());
        for order in [
            "name", "-name", "joined", "-joined", "active", "-active", "roles", "-roles", "status",
            "-status", "end", "-end",
        ] {
            let narrow = [
                "q=member",
                "role=editor",
                "status=active",
                "status=suspended",
                "kind=user",
                "q=1&role=editor&status=active&kind=user",
                "q=1&status=active",
                "permission=manage:billing",
                "scope=write:posts&status=active",
            ];
            tour.list("members", &format!("sort={order}"), &narrow).await;
        }
        let member = tour.take_members(1)[0];
        let at = |rest: &str| format!("{HOME}/members/{member}{rest}");
        for path in [
            format!("{HOME}/members?kind=api_key"),
            format!("{HOME}/members?ends=soon"),
            format!("{HOME}/members?inactive=90&sort=end&role=editor"),
            format!("{HOME}/members?vouched_by={}", user_of(tour.app, member).await),
            format!("{HOME}/members?team={}&status=active&q=member", Uuid::nil()),
            format!("{HOME}/departure"),
            at(""),
            at("/roles/preview?role=admin"),
            at("/suspension"),
            at("/removal"),
        ] {
            tour.get(&owner, &path, 200).await;
        }
        // What has ended is taken away before the next page is drawn.
        let over = tour.take_members(2);
        for sql in [
            format!("UPDATE members SET access_until = 1 WHERE id = {}", tour.app.id(over[0])),
            format!("UPDATE member_roles SET ends_at = 1 WHERE member_id = {}", tour.app.id(over[1])),
        ] {
            tour.app.execute(&sql).await;
        }
        tour.get(&owner, &format!("{HOME}/members"), 200).await;
        tour.get(&viewer, &format!("{HOME}/members/{}", Uuid::nil()), 404).await;
        tour.post(&viewer, &at("/suspension"), &[], 403).await;
        tour.post(&owner, &format!("{HOME}/departure"), &[], 409).await;
        let later = later().to_string();
        for (noun, fields) in [
            ("/roles", &[("role", "editor"), ("role", "billing")][..]),
            ("/roles", &[("role", "viewer")]),
            ("/end", &[("until", later.as_str())]),
            ("/end", &[("until", later.as_str()), ("role", "viewer")]),
            ("/end", &[("until", "")]),
            ("/suspension", &[]),
            ("/reactivation", &[]),
            ("/removal", &[("offers", "take_over")]),
        ] {
            tour.post(&owner, &at(noun), fields, 303).await;
        }
        let leaving = tour.take_members(2);
        let path = format!("{HOME}/members/{}/offboarding", leaving[0]);
        tour.get(&owner, &path, 200).await;
        tour.post(&owner, &path, &[("offers", "take_over"), ("account", "yes")], 200).await;
        let call = format!("/api/sso/v1/members/{}/offboarding", leaving[1]);
        tour.robot.post(&call, &json!({"keys": "revoked"})).await.with_status(200);
        tour.keep("an offboarding by a call");
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
        pictures.add("offboarding", 200, owner.get(&path("developer", "offboarding")).await);
        pictures.add("offboarding-of-admin", 200, admin.get(&path("developer", "offboarding")).await);

        let first = demo.busy.get("/w/seed-1/members").await;
        let next = demo.busy.get(&first.attributes("[rel=next]", "href")[0]).await;
        pictures.add("members-many", 200, first);
        pictures.add("members-many-next", 200, next);
        pictures.open("keys", "members-of-owner", &["#user-menu-button", "[data-keys]"]);
        pictures.open("row-menu", "members-of-owner", &["#results .menu-cell summary"]);
        pictures.open("row-roles", "members-of-owner", &["#results .roles"]);

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
        let wrong = page.form("/end").fill(&[("until", "2020-01-01")]);
        pictures.add("member-end-refused", 422, owner.send(&page, &wrong).await);
        let path = format!("{}/end", demo.member("developer"));
        owner.post_form(&path, &[("until", &later().to_string())]).await.assert_status(303);
        pictures.add("member-with-end", 200, owner.get(&demo.member("developer")).await);
        pictures.add(
            "access-with-end",
            200,
            owner.get(&format!("{}/access", demo.member("developer"))).await,
        );
        pictures.add("members-that-end", 200, owner.get(&demo.at("/members?sort=end")).await);
        pictures.add("members-who-can", 200, owner.get(&demo.at("/members?permission=remove:members")).await);

        let email = demo.email("goes@example.com");
        let user = add_user(&demo.app, &demo.name("Goes Soon"), &email).await;
        let slug = demo.base.trim_start_matches("/w/");
        let member = add_member(&demo.app, slug, user, "active", &["editor"]).await;
        let path = demo.at(&format!("/members/{member}/offboarding"));
        let page = owner.get(&path).await;
        pictures.add("offboarded", 200, owner.submit(&page, "/offboarding", &[]).await);
    }
}

impl Members {
    async fn tour_of_calls(&self, tour: &mut Tour<'_>) {
        let member = tour.take_members(1)[0];
        let user = user_of(tour.app, member).await;
        for path in [
            "users",
            "users?q=member",
            "users?role=viewer",
            "users?external_id=nobody",
            "members?kind=api_key",
        ] {
            tour.call(path).await;
        }
        tour.robot.get("/api/sso/v1/users?page=2&limit=3").await.with_status(200);
        tour.call(&format!("users/{user}")).await;
        tour.call(&format!("members/{member}")).await;
        let (users, members) = (format!("/api/sso/v1/users/{user}"), format!("/api/sso/v1/members/{member}"));
        let end = json!({"until": null});
        tour.robot.call(reqwest::Method::PUT, &format!("{members}/end"), Some(&end)).await.with_status(200);
        for sort in ["end", "-status", "roles"] {
            tour.call(&format!("members?permission=read:audit&sort={sort}")).await;
        }
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

/// A midnight more than a year from now, in milliseconds.
fn later() -> i64 {
    (Clock::system().now().as_millis() / DAY + 400) * DAY
}

/// As [`managed`], and nobody does it to themselves: the one above is the founder, who asks.
fn not_oneself(at: &Attempt) -> Verdict {
    match at.holdings().may_manage(&at.target()) {
        Ok(()) if !at.is_above() => at.done(),
        _ => Verdict::Audited(403),
    }
}

/// The member is somebody else, below me, and not the last Owner.
pub fn may_shut_out(at: &Offer) -> bool {
    let member = at.member();
    member.id != at.me.id && at.my().may_manage(&member.holdings).is_ok() && !at.is_last_owner(member)
}

/// Keys depend on the member, and I could give what each of them holds. Of the keys of the world, whoever vouches for one
/// knows its secret too.
fn may_revoke_all(at: &Offer) -> bool {
    let user = at.member().user.as_deref();
    let depends = |key: &&MemberFact| {
        let row = at.facts.row("members", &key.id);
        key.key.is_some() && user.is_some() && row["vouched_by"].as_str() == user
    };
    let keys: Vec<_> = at.facts.members.iter().filter(depends).collect();
    !keys.is_empty() && keys.iter().all(|key| at.my().may_assign(&key.holdings).is_ok())
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
