//! Invitations: sent, sent again, cancelled; and the links in mail that lead in.

use crate::walk::*;

pub struct Invitations;

#[async_trait(?Send)]
impl Noun for Invitations {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/invitations/{token}", PUBLIC).succeeds_with(303).statements(0),
            page("/invitation", PUBLIC).succeeds_with(410).reads(&[]).statements(0),
            // No browser of the world follows an invitation.
            form("/invitation/acceptance", SIGNED_IN).verdict(|_| Verdict::Is(410)).offered(|_| false),
            form("/invitation/decline", PUBLIC),
            page("/w/{workspace}/invitations", any(&[P::InviteMembers, P::CancelInvitations]))
                .reads(&["q", "status", "after", "before"])
                .refuses_filters(&[("status", "nonsense"), ("q", LONG)])
                .filters(&["status=expired", "q=example.com", "q=two"])
                .statements(4),
            form("/w/{workspace}/invitations", one(P::InviteMembers))
                .sends(|_| fields(&[("emails", "new@example.com"), ("role", "viewer")]))
                .also_reads(&["message", "team", "until"])
                .ticks("team")
                .verdict(may_invite)
                .offered(|at| at.may_invite_with_some())
                .types(with_address_and_role)
                .like("POST /api/sso/v1/invitations"),
            form("/w/{workspace}/invitations/preview", one(P::InviteMembers))
                .sends(|_| fields(&[("emails", "new@example.com"), ("role", "viewer")]))
                .also_reads(&["message", "team", "until"])
                .ticks("team")
                // The page that responds says what would become of each address.
                .succeeds_with(200)
                .writes(0)
                .verdict(may_invite)
                // Another button of the form above leads there.
                .offered(|_| false)
                .like("POST /api/sso/v1/invitations/preview"),
            form("/w/{workspace}/invitations/{invitation}/resend", one(P::InviteMembers))
                .verdict(may_invite)
                .offered(may_resend)
                .like("POST /api/sso/v1/invitations/{invitation}/resend"),
            page("/w/{workspace}/invitations/{invitation}/cancellation", one(P::CancelInvitations))
                .statements(2),
            form("/w/{workspace}/invitations/{invitation}/cancellation", one(P::CancelInvitations))
                .offered(is_open)
                .like("DELETE /api/sso/v1/invitations/{invitation}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        const EITHER: Requirement = any(&[P::InviteMembers, P::CancelInvitations]);
        vec![
            call("GET /api/sso/v1/invitations", EITHER),
            call("POST /api/sso/v1/invitations", one(P::InviteMembers))
                .body(|_| json!({"emails": ["new@example.com"], "roles": ["viewer"]}))
                .succeeds_with(200)
                .verdict(may_invite),
            call("POST /api/sso/v1/invitations/preview", one(P::InviteMembers))
                .body(|_| json!({"emails": ["new@example.com"], "roles": ["viewer"]}))
                .succeeds_with(200)
                .writes(0)
                .verdict(may_invite),
            call("GET /api/sso/v1/invitations/{invitation}", EITHER),
            call("DELETE /api/sso/v1/invitations/{invitation}", one(P::CancelInvitations)),
            call("POST /api/sso/v1/invitations/{invitation}/resend", one(P::InviteMembers))
                .succeeds_with(200)
                .verdict(may_invite),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("invitation").every(|facts| facts.ids("invitations"))]
    }

    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug, owner) = (plot.app, plot.slug(), plot.owner.user_id);
        if let Some(home) = plot.home {
            let invitation = Invitation::to("invited@elsewhere.example.com").by(home.id("user"));
            plot.put("invitation", invitation.add(app, slug).await);
            let late = Invitation { expires_in: -DAY, ..Invitation::to("new@example.com") };
            late.by(owner).add(app, slug).await;
            return;
        }
        plot.put("invitation", Invitation::to("invited-one@example.com").by(owner).add(app, slug).await);
        for (email, status, role, expires_in) in [
            ("invited-two@example.com", "pending", "admin", 7 * DAY),
            ("invited-three@example.com", "cancelled", "editor", 7 * DAY),
            ("invited-four@example.com", "pending", "viewer", -DAY),
            ("invited-five@example.com", "pending", "reviewer", 7 * DAY),
        ] {
            Invitation { email, roles: &[role], status, expires_in, inviter: owner }.add(app, slug).await;
        }
    }

    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        for _ in 0..n {
            let email = format!("invited-{}@example.com", new_id().simple());
            let invitation = Invitation { roles: &["helper"], ..Invitation::to(&email) };
            invitation.by(world.person(BuiltIn::Owner).user_id).add(app, "acme").await;
        }
    }

    fn plans(&self) -> Plans {
        Plans {
            many: &["invitations", "invitation_roles", "invitation_tokens"],
            allowed: &[(
                "\"invitations\".\"inviter_key_id\"",
                "the invitations of who goes are few, and so are all that are pending",
            )],
            ..Plans::default()
        }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            // Invited by many; an id says no more than when its row was inserted.
            "UPDATE invitations SET inviter_id = COALESCE((SELECT m.user_id FROM members m
                WHERE m.workspace_id = invitations.workspace_id AND m.id > invitations.id ORDER BY m.id LIMIT 1), inviter_id)",
            "INSERT INTO invitation_tokens (token_hash, workspace_id, invitation_id, proves_address)
                SELECT {bytes}, workspace_id, id, 1 = 1 FROM invitations",
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let states = [
            "q=example",
            "status=pending",
            "status=accepted",
            "status=declined",
            "status=cancelled",
            "status=expired",
            "q=1&status=pending",
            "q=1&status=expired",
            "q=1&status=accepted",
        ];
        tour.list("invitations", "", &states).await;
        tour.call("invitations?status=pending").await;
        let (owner, stranger) = (tour.owner.clone(), tour.app.client());
        tour.get(&stranger, "/invitations/no-token-of-ours", 303).await;
        tour.get(&stranger, "/invitation", 410).await;
        let at = |rest: &str| format!("{HOME}/{rest}");
        let one = at(&format!("invitations/{}", tour.invitations().await[0]));
        tour.get(&owner, &format!("{one}/cancellation"), 200).await;
        for noun in ["resend", "cancellation"] {
            tour.post(&owner, &format!("{one}/{noun}"), &[], 303).await;
        }
        let emails = "guest-one@example.com, guest-two@example.com, newer@example.com";
        let team = tour.app.scalar_uuid(TEAM_OF_TOUR).await.to_string();
        let fields = [("emails", emails), ("role", "viewer"), ("team", team.as_str()), ("message", "Hello")];
        tour.post(&owner, &at("invitations/preview"), &fields, 200).await;
        let table = "email,role,team\nguest-four@example.com,Editor,Everybody\nguest-one@example.com,,";
        tour.post(&owner, &at("invitations/preview"), &[("emails", table), ("role", "viewer")], 200).await;
        let preview = json!({"emails": ["guest-one@example.com"], "roles": ["viewer"]});
        tour.robot.post("/api/sso/v1/invitations/preview", &preview).await.with_status(200);
        tour.keep("a preview of invitations");
        tour.post(&owner, &at("invitations"), &fields, 303).await;
        tour.post(&owner, &at("invitations"), &fields, 303).await;
        // One signs up to accept, one has a sign-in, one declines.
        let (new, known, unwilling) = (tour.app.client(), tour.app.client(), tour.app.client());
        tour.follow_link(&new, "guest-one@example.com", "/invitation").await;
        let fields = [("name", "Guest One"), ("email", "guest-one@example.com"), ("password", PASSWORD)];
        tour.get(&new, "/sign-up", 200).await;
        tour.post(&new, "/sign-up", &fields, 303).await;
        tour.post(&new, "/invitation/acceptance", &[], 303).await;
        tour.post(&new, "/invitation/acceptance", &[], 410).await;
        sign_in_with(&known, "newer@example.com", PASSWORD).await;
        tour.follow_link(&known, "newer@example.com", "/invitation").await;
        tour.post(&known, "/invitation/acceptance", &[], 303).await;
        tour.post(&known, &at("departure"), &[], 303).await;
        tour.follow_link(&unwilling, "guest-two@example.com", "/invitation").await;
        tour.post(&unwilling, "/invitation/decline", &[], 303).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        self.pictures_of_links(demo, pictures).await;
        let (owner, developer) = (&demo.owner, &demo.developer);
        let at = |rest: &str| demo.at(rest);
        pictures.add("invitations-of-owner", 200, owner.get(&at("/invitations")).await);
        pictures.add("invitations-of-developer", 200, developer.get(&at("/invitations")).await);
        pictures.add("invitations-none", 200, owner.get(&at("/invitations?q=nobody&status=declined")).await);
        let (late, member) = (demo.email("late@example.com"), demo.email("viewer@example.com"));
        let table = format!(
            "Name,E-mail,Role,Team\nOne,first@example.com,Editor,\nTwo,{member},,\nThree,{late},,\nFour,nonsense,,\nFive,second@example.com,Nobody,No team\n"
        );
        let preview = [("emails", table.as_str()), ("role", "viewer")];
        pictures.add(
            "invitations-preview",
            200,
            owner.post_form(&at("/invitations/preview"), &preview).await,
        );
        let preview = [("emails", "first@example.com"), ("role", "viewer"), ("message", "Welcome!")];
        pictures.add(
            "invitations-preview-one",
            200,
            owner.post_form(&at("/invitations/preview"), &preview).await,
        );
        let nothing = [("emails", ""), ("role", "viewer")];
        pictures.add(
            "invitations-preview-refused",
            422,
            owner.post_form(&at("/invitations/preview"), &nothing).await,
        );

        pictures.add("empty-invitations", 200, demo.founder.client.get("/w/acme/invitations").await);
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        let path = demo.at("/invitations");
        let page = owner.get(&path).await;
        let (late, member) = (demo.email("late@example.com"), demo.email("viewer@example.com"));
        let emails = format!("{late} {member} {} nonsense", demo.email("guest@example.com"));
        pictures.add("invitations-results", 200, submit(owner, &page, &path, &[("emails", &emails)]).await);
        pictures.add("invitations-refused", 422, owner.submit(&page, &path, &[("emails", "nonsense")]).await);
        let page = owner.get(&demo.at("/invitations?status=pending")).await;
        let resend = page.forms().into_iter().find(|form| form.action.ends_with("/resend")).unwrap();
        let cancel = page.link("/cancellation");
        let sent = owner.send(&page, &resend).await;
        pictures.add("invitations-resent", 200, owner.follow(sent).await);
        pictures.add("cancellation", 200, owner.get(&cancel).await);

        let id = demo.app.id(uuid::Uuid::max());
        demo.app
            .execute(&format!(
                "INSERT INTO outbox (id, recipient, subject, body, created_at, next_attempt_at, attempts, last_error, failed_at,
                    about, about_workspace)
                 SELECT {id}, '', '', '', 0, 9223372036854775807, 1,
                    'permanent error (550): 5.1.1 <late@example.com>: Recipient address rejected', 0, id, workspace_id
                 FROM invitations WHERE status = 'pending' LIMIT 1"
            ))
            .await;
        let sql = format!(
            "UPDATE invitations SET mail_id = {id} WHERE id = (SELECT about FROM outbox WHERE id = {id})"
        );
        assert!(demo.app.execute(&sql).await > 0);
        pictures.add("invitations-undelivered", 200, owner.get(&path).await);
        pictures.add("overview-undelivered", 200, owner.get(&demo.at("")).await);

        pictures.open("invitation-menu", "invitations-results", &["#results details.dropdown > summary"]);
    }
}

impl Invitations {
    async fn pictures_of_links(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, guest) = (&demo.app, demo.app.client());
        let email = demo.email("guest@example.com");
        let link = demo.link_for(&email).await;
        pictures.add("invitation", 200, follow(&guest, &link).await);
        pictures.add("invitation-of-another", 403, follow(&demo.viewer.twin(), &link).await);
        let page = guest.get("/sign-up").await;
        let name = demo.name("Guest One");
        pictures.add("invitation-right-address", 200, {
            submit(&guest, &page, "/sign-up", &[("name", &name), ("password", PASSWORD)]).await
        });
        pictures.add("invitation-sign-up", 200, page);
        pictures.add("workspaces-none", 200, guest.get("/workspaces").await);

        let unconfirmed = app.client();
        let new = demo.email("new@example.com");
        sign_in_with(&unconfirmed, &new, PASSWORD).await;
        let link = demo.link_for(&new).await;
        pictures.add("invitation-unconfirmed", 403, follow(&unconfirmed, &link).await);

        let link = demo.link_for(&demo.email("late@example.com")).await;
        for (name, status) in [
            ("invitation-used", "accepted"),
            ("invitation-declined", "declined"),
            ("invitation-cancelled", "cancelled"),
            ("invitation-expired", "expired"),
        ] {
            let (email, now) = (quoted(&demo.email("late@example.com")), app.clock.now().as_millis());
            let sql =
                format!("UPDATE invitations SET status = '{status}', ended_at = {now} WHERE email = {email}");
            assert_eq!(app.execute(&sql).await, 1);
            pictures.add(name, 410, follow(&app.client(), &link).await);
        }
        pictures.add("invitation-unknown", 410, follow(&app.client(), "/invitations/unknown").await);
    }
}

/// The team that everybody of the workspace of the tour is in.
const TEAM_OF_TOUR: &str = "SELECT t.id FROM teams t JOIN workspaces w ON w.id = t.workspace_id
    WHERE w.slug = 'seed-1' AND t.name = 'Everybody'";

/// With the role Viewer.
pub fn may_invite(at: &Attempt) -> Verdict {
    at.done_if(at.holdings().may_invite([&Attempt::viewer()]).is_ok())
}

pub fn is_open(at: &Offer) -> bool {
    at.facts.row("invitations", at.id("invitation"))["status"] == "pending"
}

pub fn may_resend(at: &Offer) -> bool {
    let roles = at.facts.roles_by("invitation_roles", "invitation_id", at.id("invitation"));
    is_open(at) && at.my().may_invite(at.facts.holdings(&roles)).is_ok()
}

fn with_address_and_role(page: &Page, form: FormOnPage) -> FormOnPage {
    let form = form.fill(&[("emails", "new@example.com")]);
    if !form.values("role").is_empty() {
        return form;
    }
    // Maybe Viewer is none that this person may give.
    let may_give = page.attributes("#invite input[name=role]:not([disabled])", "value");
    form.fill(&[("role", &may_give[0])])
}

/// An invitation as a row; it has no links.
#[derive(Clone, Copy)]
pub struct Invitation<'a> {
    pub email: &'a str,
    pub roles: &'a [&'a str],
    pub status: &'a str,
    /// Milliseconds from now.
    pub expires_in: i64,
    pub inviter: Uuid,
}

impl<'a> Invitation<'a> {
    pub fn to(email: &'a str) -> Self {
        Self { email, roles: &["viewer"], status: "pending", expires_in: 7 * DAY, inviter: Uuid::nil() }
    }

    pub fn by(self, inviter: Uuid) -> Self {
        Self { inviter, ..self }
    }

    pub async fn add(self, app: &TestApp, slug: &str) -> Uuid {
        let (id, now, slug) = (new_id(), app.clock.now().as_millis(), quoted(slug));
        let ended = if self.status == "pending" { "NULL".to_owned() } else { now.to_string() };
        let sql = format!(
            "INSERT INTO invitations
                (id, workspace_id, email, message, status, inviter_id, created_at, sent_at, expires_at, ended_at)
             SELECT {}, w.id, {}, '', {}, {}, {now}, {now}, {}, {ended} FROM workspaces w WHERE w.slug = {slug}",
            app.id(id),
            quoted(self.email),
            quoted(self.status),
            app.id(self.inviter),
            now + self.expires_in
        );
        assert_eq!(app.execute(&sql).await, 1);
        for role in self.roles {
            let sql = format!(
                "INSERT INTO invitation_roles (workspace_id, invitation_id, role_id)
                 SELECT r.workspace_id, {}, r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
                 WHERE w.slug = {slug} AND r.slug = {}",
                app.id(id),
                quoted(role)
            );
            assert_eq!(app.execute(&sql).await, 1, "no role {role}");
        }
        id
    }
}
