//! Joining without an invitation to one's own address: links that several people can use, and domains whose people join
//! by themselves.

mod behaviour;
mod domains;

use super::invitations::may_invite;
use crate::{
    support::product::{Purpose, Token},
    walk::*,
};

pub struct Joining;

#[async_trait(?Send)]
impl Noun for Joining {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/join-links/{token}", PUBLIC).succeeds_with(303).statements(0),
            page("/join", PUBLIC).succeeds_with(410).reads(&[]).statements(0),
            // No browser of the world follows a link.
            form("/join/acceptance", SIGNED_IN).verdict(|_| Verdict::Is(410)).offered(|_| false),
            page("/w/{workspace}/joining", READ).reads(&["after", "before"]).statements(4),
            form("/w/{workspace}/joining/links", one(P::InviteMembers))
                .sends(|_| {
                    fields(&[("name", "New Link"), ("role", "viewer"), ("days", "7"), ("max_uses", "10")])
                })
                .also_reads(&["domains", "team"])
                .ticks("team")
                .verdict(may_invite)
                .offered(|at| at.may_invite_with_some())
                .types(with_name_and_role)
                .like("POST /api/sso/v1/join-links"),
            page("/w/{workspace}/joining/links/{join_link}", READ).reads(&["after", "before"]).statements(3),
            form("/w/{workspace}/joining/links/{join_link}/revocation", one(P::CancelInvitations))
                .offered(is_open)
                .like("DELETE /api/sso/v1/join-links/{join_link}"),
            form("/w/{workspace}/joining/domains", one(P::UpdateOrganization))
                .sends(|_| fields(&[("domain", "new.example.com"), ("role", "viewer")]))
                .verdict(may_add_domain)
                .offered(|at| at.has(P::InviteMembers) && at.may_invite_with_some())
                .types(with_domain_and_role)
                .like("POST /api/sso/v1/join-domains"),
            // DNS has no text of it: that is said, and nothing changes.
            form("/w/{workspace}/joining/domains/{join_domain}/verification", one(P::UpdateOrganization))
                .writes(0)
                .offered(may_read)
                .like("POST /api/sso/v1/join-domains/{join_domain}/verification"),
            page("/w/{workspace}/joining/domains/{join_domain}/removal", one(P::UpdateOrganization))
                .statements(2),
            form("/w/{workspace}/joining/domains/{join_domain}/removal", one(P::UpdateOrganization))
                .like("DELETE /api/sso/v1/join-domains/{join_domain}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/join-links", READ),
            call("POST /api/sso/v1/join-links", one(P::InviteMembers))
                .body(|_| json!({"name": "New Link", "roles": ["viewer"], "days": 7, "max_uses": 10}))
                .verdict(may_invite),
            call("GET /api/sso/v1/join-links/{join_link}", READ),
            call("GET /api/sso/v1/join-links/{join_link}/uses", READ),
            call("DELETE /api/sso/v1/join-links/{join_link}", one(P::CancelInvitations)),
            call("GET /api/sso/v1/join-domains", READ),
            call("POST /api/sso/v1/join-domains", one(P::UpdateOrganization))
                .body(|_| json!({"domain": "new.example.com", "role": "viewer"}))
                .verdict(may_add_domain),
            call("GET /api/sso/v1/join-domains/{join_domain}", READ),
            call("POST /api/sso/v1/join-domains/{join_domain}/verification", one(P::UpdateOrganization))
                .succeeds_with(200)
                .writes(0),
            call("DELETE /api/sso/v1/join-domains/{join_domain}", one(P::UpdateOrganization)),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![
            Param::new("join_link").every(|facts| facts.ids("join_links")),
            Param::new("join_domain").every(|facts| facts.ids("join_domains")),
        ]
    }

    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, owner) = (plot.app, plot.slug(), plot.owner.user_id);
        let link = JoinLink::named(&plot.name("Link One")).by(owner).add(app, slug).await.id;
        plot.put("join_link", link);
        let revoked = JoinLink::named(&plot.name("Link Two")).by(owner).add(app, slug).await.id;
        app.execute(&format!("UPDATE join_links SET revoked_at = 1 WHERE id = {}", app.id(revoked))).await;
        // A name that no resolver asks anybody for: it does not exist.
        let domain = format!("{slug}.invalid");
        plot.put("join_domain", add_domain(app, slug, &domain, owner).await);
    }

    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        let owner = world.person(BuiltIn::Owner).user_id;
        for _ in 0..n {
            let link = JoinLink::named(&format!("Link {}", new_id().simple()));
            let used = link.by(owner).add(app, "acme").await.id;
            app.execute(&format!(
                "INSERT INTO join_link_uses (workspace_id, link_id, user_id, used_at)
                SELECT workspace_id, id, inviter_id, created_at FROM join_links WHERE id = {}",
                app.id(used)
            ))
            .await;
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Over a page of links in each workspace of the tour; all of them are over.
            "INSERT INTO join_links (id, workspace_id, token_hash, name, inviter_id, domains, max_uses, uses, created_at, expires_at)
                SELECT {id}, workspace_id, {bytes}, 'Link', user_id, '', 10, 1, 0, 1 FROM members WHERE user_id IS NOT NULL",
            "INSERT INTO join_link_roles (workspace_id, link_id, role_id)
                SELECT l.workspace_id, l.id, r.id FROM join_links l JOIN roles r ON r.workspace_id = l.workspace_id
                WHERE r.slug = 'viewer'",
            "INSERT INTO join_link_teams (workspace_id, link_id, team_id)
                SELECT l.workspace_id, l.id, t.id FROM join_links l JOIN teams t ON t.workspace_id = l.workspace_id",
            "INSERT INTO join_link_uses (workspace_id, link_id, user_id, used_at)
                SELECT workspace_id, id, inviter_id, created_at FROM join_links",
            "INSERT INTO invitation_teams (workspace_id, invitation_id, team_id)
                SELECT i.workspace_id, i.id, t.id FROM invitations i JOIN teams t ON t.workspace_id = i.workspace_id",
            "INSERT INTO join_domains (id, workspace_id, domain, role_id, inviter_id, challenge, created_at, verified_at, checked_at)
                SELECT {id}, w.id, i || '.' || w.slug || '.example.com', r.id, m.user_id, '', 0, 0, {then} FROM n
                CROSS JOIN workspaces w JOIN roles r ON r.workspace_id = w.id AND r.slug = 'viewer'
                JOIN members m ON m.workspace_id = w.id AND m.origin = 'founder' WHERE i <= 200 AND w.slug <> 'seed-1'",
        ]
    }

    /// A link from its beginning to its end, and a domain.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, stranger) = (tour.owner.clone(), tour.app.client());
        tour.get(&stranger, "/join-links/no-token-of-ours", 303).await;
        tour.get(&stranger, "/join", 410).await;
        tour.list("joining", "", &[]).await;
        let base = format!("{HOME}/joining");
        let team =
            "SELECT t.id FROM teams t JOIN workspaces w ON w.id = t.workspace_id WHERE w.slug = 'seed-1'";
        let team = tour.app.scalar_uuid(&format!("{team} AND t.name = 'Everybody'")).await.to_string();
        let fields = [
            ("name", "Interns"),
            ("role", "viewer"),
            ("team", team.as_str()),
            ("days", "7"),
            ("max_uses", "2"),
            ("domains", "example.com"),
        ];
        let made = owner.post_form(&format!("{base}/links"), &fields).await;
        let made = tour.note(made, 303).location();
        let page = tour.get(&owner, &made, 200).await;
        let link = page.attributes("#created-link", "value").remove(0);
        tour.post(&owner, &format!("{base}/links"), &[("name", "None")], 422).await;
        let id = tour.app.scalar_uuid("SELECT id FROM join_links WHERE name = 'Interns'").await;
        let at = format!("{base}/links/{id}");
        tour.get(&owner, &at, 200).await;
        let path = link.split_once("/join-links/").unwrap().1;
        let joins = tour.app.client();
        tour.get(&joins, &format!("/join-links/{path}"), 303).await;
        tour.get(&joins, "/join", 200).await;
        add_user(tour.app, "Joins One", "joins@example.com").await;
        sign_in_with(&joins, "joins@example.com", "load test data only").await;
        tour.get(&joins, "/join", 200).await;
        tour.post(&joins, "/join/acceptance", &[], 303).await;
        tour.post(&joins, "/join/acceptance", &[], 410).await;
        tour.get(&owner, &at, 200).await;
        for path in ["join-links", &format!("join-links/{id}"), &format!("join-links/{id}/uses")] {
            tour.call(path).await;
        }
        tour.post(&owner, &format!("{at}/revocation"), &[], 303).await;
        let new = json!({"name": "Called", "roles": ["viewer"], "days": 7, "max_uses": 10});
        tour.robot.post("/api/sso/v1/join-links", &new).await.with_status(201);
        let called = tour.app.scalar_uuid("SELECT id FROM join_links WHERE name = 'Called'").await;
        tour.robot.delete(&format!("/api/sso/v1/join-links/{called}")).await.with_status(204);
        tour.keep("the end of a link by a call");
        self.tour_of_domains(tour).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let founder = &demo.founder.client;
        pictures.add("empty-joining", 200, founder.get("/w/acme/joining").await);
        pictures.add("join-link-unknown", 410, follow(&demo.app.client(), "/join-links/unknown").await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, owner) = (&demo.app, &demo.owner);
        let (base, slug) = (demo.at("/joining"), demo.base.trim_start_matches("/w/"));
        let page = owner.get(&base).await;
        let wrong = [("name", ""), ("days", "0"), ("max_uses", "many"), ("domains", "nonsense")];
        pictures.add("joining-refused", 422, owner.submit(&page, "/joining/links", &wrong).await);
        pictures.add("joining-domain-refused", 422, {
            owner.submit(&page, "/joining/domains", &[("domain", "nonsense")]).await
        });
        let name = demo.name("Summer interns");
        let fields = [("name", name.as_str()), ("role", "viewer"), ("days", "7"), ("max_uses", "10")];
        let created = submit(owner, &page, "/joining/links", &fields).await;
        let link = created.attributes("#created-link", "value").remove(0);
        let path = format!("/join-links/{}", link.split_once("/join-links/").unwrap().1);
        pictures.add("joining-created", 200, created);
        pictures.add("join", 200, follow(&app.client(), &path).await);
        pictures.add("join-signed-in", 200, follow(&demo.viewer.twin(), &path).await);
        let page = owner.get(&base).await;
        let added = submit(owner, &page, "/joining/domains", &[("domain", "example.com")]).await;
        pictures.add("joining-domain-added", 200, added);
        let user = app
            .scalar_uuid(&format!("SELECT user_id FROM members WHERE id = {}", app.id(demo.members["owner"])))
            .await;
        for (n, change) in ["revoked_at = 1", "expires_at = 1", "uses = max_uses"].iter().enumerate() {
            let over = JoinLink::named(&demo.name(&format!("Over {n}"))).by(user).add(app, slug).await;
            app.execute(&format!("UPDATE join_links SET {change} WHERE id = {}", app.id(over.id))).await;
            pictures.add(
                ["join-link-revoked", "join-link-expired", "join-link-used-up"][n],
                410,
                follow(&app.client(), &over.path).await,
            );
        }
        pictures.add("joining", 200, owner.get(&base).await);
        pictures.add("joining-of-developer", 200, demo.developer.get(&base).await);
        let named =
            format!("SELECT id FROM join_links WHERE name = {} AND revoked_at IS NULL", quoted(&name));
        let at = format!("{base}/links/{}", app.scalar_uuid(&format!("{named} ORDER BY uses LIMIT 1")).await);
        pictures.add("join-link-unused", 200, owner.get(&at).await);
        app.execute(
            "INSERT INTO join_link_uses (workspace_id, link_id, user_id, used_at)
            SELECT workspace_id, id, inviter_id, created_at FROM join_links",
        )
        .await;
        pictures.add("join-link", 200, owner.get(&at).await);
        let removal = "SELECT id FROM join_domains WHERE domain = 'example.com'";
        let removal = format!("{base}/domains/{}/removal", app.scalar_uuid(removal).await);
        pictures.add("joining-domain-removal", 200, owner.get(&removal).await);
    }
}

impl Joining {
    /// A domain that is added, looked for, used and removed.
    async fn tour_of_domains(&self, tour: &mut Tour<'_>) {
        let (app, owner) = (tour.app, tour.owner.clone());
        let base = format!("{HOME}/joining/domains");
        let fields = [("domain", "tour.example.org"), ("role", "viewer")];
        tour.post(&owner, &base, &fields, 303).await;
        tour.post(&owner, &base, &fields, 422).await;
        let id = app.scalar_uuid("SELECT id FROM join_domains WHERE domain = 'tour.example.org'").await;
        let set = async |what: &str| {
            app.execute(&format!("UPDATE join_domains SET {what} WHERE id = {}", app.id(id))).await;
        };
        // A name that no resolver asks anybody for.
        set("domain = 'tour.invalid'").await;
        tour.post(&owner, &format!("{base}/{id}/verification"), &[], 303).await;
        set("verified_at = 1, checked_at = 1").await;
        add_user(app, "Joins Two", "joins@tour.invalid").await;
        let client = sign_in(app, "joins@tour.invalid", "load test data only").await;
        tour.get(&client, "/workspaces", 200).await;
        // Its proof was looked for long ago, and DNS has it no more.
        let join = format!("/workspaces/joinable/{id}/membership");
        tour.post(&client, &join, &[], 410).await;
        let now = app.clock.now().as_millis();
        set(&format!("verified_at = {now}, checked_at = {now}")).await;
        tour.post(&client, &join, &[], 303).await;
        tour.get(&owner, &format!("{base}/{id}/removal"), 200).await;
        tour.post(&owner, &format!("{base}/{id}/removal"), &[], 303).await;
        tour.call("join-domains").await;
        tour.call_once("join-domains", &json!({"domain": "called.example.org", "role": "viewer"}), 201).await;
        let called = app.scalar_uuid("SELECT id FROM join_domains WHERE domain = 'called.example.org'").await;
        app.execute("UPDATE join_domains SET domain = 'called.invalid' WHERE domain = 'called.example.org'")
            .await;
        let path = format!("/api/sso/v1/join-domains/{called}");
        tour.call(&format!("join-domains/{called}")).await;
        tour.robot.post(&format!("{path}/verification"), &json!({})).await.with_status(200);
        tour.robot.delete(&path).await.with_status(204);
        tour.keep("a domain by calls");
    }
}

/// Whoever sees invitations.
const READ: Requirement = any(&[P::InviteMembers, P::CancelInvitations]);

/// With the role Viewer: it takes the permission to invite, too.
fn may_add_domain(at: &Attempt) -> Verdict {
    let may_invite = at.holdings().may_invite([&Attempt::viewer()]).is_ok();
    at.done_if(at.has(P::InviteMembers) && may_invite)
}

fn may_read(at: &Offer) -> bool {
    at.has(P::InviteMembers) || at.has(P::CancelInvitations)
}

fn is_open(at: &Offer) -> bool {
    at.facts.row("join_links", at.id("join_link"))["revoked_at"].is_null()
}

fn with_name_and_role(page: &Page, form: FormOnPage) -> FormOnPage {
    let form = form.fill(&[("name", "Typed Link")]);
    if !form.values("role").is_empty() {
        return form;
    }
    // Maybe Viewer is none that this person may give.
    let may_give = page.attributes("#new-link input[name=role]:not([disabled])", "value");
    form.fill(&[("role", &may_give[0])])
}

fn with_domain_and_role(page: &Page, form: FormOnPage) -> FormOnPage {
    let may_give = page.attributes("#domain-role option:not([disabled])", "value");
    form.fill(&[("domain", "typed.example.com"), ("role", &may_give[0])])
}

/// A link as a row, for Viewers and for ten people.
pub struct JoinLink {
    name: String,
    max_uses: i64,
    inviter: Uuid,
}

/// A link in the database, and the path of its address.
pub struct AddedLink {
    pub id: Uuid,
    pub path: String,
}

impl JoinLink {
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), max_uses: 10, inviter: Uuid::nil() }
    }

    pub fn by(self, inviter: Uuid) -> Self {
        Self { inviter, ..self }
    }

    pub fn for_people(self, max_uses: i64) -> Self {
        Self { max_uses, ..self }
    }

    pub async fn add(self, app: &TestApp, slug: &str) -> AddedLink {
        self.add_as(app, slug, new_id()).await
    }

    async fn add_as(self, app: &TestApp, slug: &str, id: Uuid) -> AddedLink {
        let (token, now) = (Token::new(Purpose::JoinLink), app.clock.now().as_millis());
        let hash = match app.backend {
            Backend::Sqlite => format!("X'{}'", hex::encode(token.hash())),
            Backend::Postgres => format!("'\\x{}'::bytea", hex::encode(token.hash())),
        };
        let (link, slug) = (app.id(id), quoted(slug));
        let sql = format!(
            "INSERT INTO join_links (id, workspace_id, token_hash, name, inviter_id, domains, max_uses, uses, created_at, expires_at)
            SELECT {link}, w.id, {hash}, {}, {}, '', {}, 0, {now}, {} FROM workspaces w WHERE w.slug = {slug}",
            quoted(&self.name),
            app.id(self.inviter),
            self.max_uses,
            now + 7 * DAY
        );
        assert_eq!(app.execute(&sql).await, 1);
        let sql = format!(
            "INSERT INTO join_link_roles (workspace_id, link_id, role_id)
            SELECT r.workspace_id, {link}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
            WHERE w.slug = {slug} AND r.slug = 'viewer'"
        );
        assert_eq!(app.execute(&sql).await, 1);
        AddedLink { id, path: format!("/join-links/{}", token.expose()) }
    }
}

/// The link that the sample of its parameter names, in acme.
pub async fn add_sample_link(app: &TestApp) {
    let founder = "SELECT m.user_id FROM members m JOIN workspaces w ON w.id = m.workspace_id
        WHERE w.slug = 'acme' AND m.origin = 'founder'";
    let founder = app.scalar_uuid(founder).await;
    JoinLink::named("Sample").by(founder).add_as(app, "acme", Uuid::from_u128(7)).await;
}

/// A domain that is not proved, whose people would become Viewers.
pub async fn add_domain(app: &TestApp, slug: &str, domain: &str, inviter: Uuid) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let sql = format!(
        "INSERT INTO join_domains (id, workspace_id, domain, role_id, inviter_id, challenge, created_at)
        SELECT {}, r.workspace_id, {}, r.id, {}, 'challenge', {now} FROM roles r
        JOIN workspaces w ON w.id = r.workspace_id WHERE w.slug = {} AND r.slug = 'viewer'",
        app.id(id),
        quoted(domain),
        app.id(inviter),
        quoted(slug)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
