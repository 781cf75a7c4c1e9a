//! Accounts: the tenant's name, its people and admins.

use crate::walk::*;

pub struct Accounts;

#[async_trait(?Send)]
impl Noun for Accounts {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/a/{account}", ACCOUNT).reads(&["after", "before"]).statements(6),
            form("/a/{account}/details", ACCOUNT)
                .sends(|_| fields(&[("name", "Renamed"), ("creation", "people")])),
            form("/a/{account}/administration-requests/{request}/acceptance", ACCOUNT)
                .verdict(|_| Verdict::Is(410))
                .offered(|_| false),
            form("/a/{account}/administration-requests/{request}/decline", ACCOUNT)
                .verdict(|_| Verdict::Is(410))
                .offered(|_| false),
            page("/a/{account}/people", ACCOUNT)
                .reads(&["q", "show", "after", "before"])
                .refuses_filters(&[("q", LONG), ("show", "nonsense")])
                .statements(2),
            page("/a/{account}/people/{user}/admin", ACCOUNT)
                .with("user", "stepping_down")
                // Who is no admin is not asked whether they are to be none any more.
                .verdict(|at| if at.is_above() { LAST_ADMIN } else { Verdict::Is(404) })
                .statements(3),
            form("/a/{account}/people/{user}/admin", ACCOUNT)
                .with("user", "account_person")
                .sends(|at| fields(&[("admin", if at.is_above() { "no" } else { "yes" })]))
                .verdict(|at| if at.is_above() { LAST_ADMIN } else { at.done() })
                // The workspace of the account has an event too.
                .writes(2)
                .offered(|at| !is_last_admin(at)),
            page("/a/{account}/people/{user}/removal", ACCOUNT)
                .with("user", "account_person")
                .verdict(|at| if at.is_above() { LAST_ADMIN } else { at.done() })
                .statements(3),
            form("/a/{account}/people/{user}/removal", ACCOUNT)
                .with("user", "account_person")
                .verdict(|at| if at.is_above() { LAST_ADMIN } else { at.done() })
                .offered(|at| !is_last_admin(at) && !is_member(at)),
        ]
    }

    fn params(&self) -> Vec<Param> {
        let people = |facts: &Facts| {
            let rows = facts.rows("account_people").iter();
            rows.map(|person| text(person, "user_id").to_owned()).collect()
        };
        let requests = |facts: &Facts| facts.ids("administration_requests");
        vec![
            Param::new("account_person").every(people),
            Param::new("stepping_down").every(people),
            Param::new("request").every(requests),
        ]
    }

    /// Somebody who belongs to the account and to none of its workspaces.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let (app, slug) = (plot.app, plot.slug());
        let user = add_user(app, &plot.name("Person One"), &format!("person-one@{slug}.example.com")).await;
        add_to_account(app, slug, user).await;
        for name in ["account_person", "stepping_down"] {
            plot.put(name, user);
            plot.put_above(name, plot.owner.user_id);
        }
        // Of somebody who is no Owner: it is not valid, and nobody is offered to answer it.
        plot.put("request", add_administration_request(app, slug, user).await);
    }

    /// More people, and an admin who is not the last one.
    async fn grow(&self, app: &TestApp, world: &mut World, n: usize) {
        let mut newest = world.acme.id("account_person");
        for _ in 0..n {
            let id = new_id().simple().to_string();
            newest = add_user(app, &format!("Person {id}"), &format!("person-{id}@example.com")).await;
            add_to_account(app, "acme", newest).await;
        }
        let sql = format!("UPDATE account_people SET is_admin = (1 = 1) WHERE user_id = {}", app.id(newest));
        assert_eq!(app.execute(&sql).await, 1);
        world.acme.replace("stepping_down", newest);
    }

    /// Who is a member belongs to the account.
    fn upgraded(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("SELECT listed_as FROM account_people", "owner ane\nowner-one@example.com"),
            ("SELECT CAST(people AS TEXT) FROM accounts", "1"),
            ("SELECT workspace_creation FROM accounts", "admins"),
        ]
    }

    async fn assert_counted(&self, app: &TestApp) {
        let accounts = "SELECT COUNT(*) FROM accounts a WHERE a.people <>
            (SELECT COUNT(*) FROM account_people p WHERE p.account_id = a.id)";
        let wrong = app.scalar_i64(accounts).await;
        assert_eq!(wrong, 0, "accounts whose number of people is not how many there are");
    }

    fn plans(&self) -> Plans {
        Plans { many: &["account_people"], list_indices: &["account_people_by_name"], ..Plans::default() }
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO account_people (account_id, user_id, is_admin, joined_at)
                SELECT (SELECT id FROM accounts WHERE name = 'Account' LIMIT 1), id, 1 = 0, 0 FROM users",
            "INSERT INTO account_people (account_id, user_id, is_admin, joined_at, listed_as)
                SELECT (SELECT account_id FROM workspaces WHERE slug = 'seed-1'), id, 1 = 0, 0, email FROM users
                WHERE email LIKE 'alone-%' OR email LIKE 'nowhere-%'",
            "INSERT INTO administration_requests (id, workspace_id, account_id, user_id, created_at, expires_at)
                SELECT {id}, (SELECT w.id FROM workspaces w WHERE w.account_id = p.account_id LIMIT 1),
                    p.account_id, p.user_id, 0, (SELECT MAX(created_at) FROM workspaces) - 1 FROM account_people p
                WHERE EXISTS (SELECT 1 FROM workspaces w WHERE w.account_id = p.account_id)",
            "INSERT INTO audit_events (id, account_id, seq, at, kind, outcome, actor_kind, target_kind, via, payload,
                    hash)
                SELECT {id}, (SELECT account_id FROM workspaces WHERE slug = 'seed-1'), 1000 + i, i, 'account.updated',
                    'done', 'user', 'account', 'browser', '{}', {bytes} FROM n",
        ]
    }

    /// The account of the workspace, and somebody of it who comes into the workspace by that.
    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, viewer, id) = (tour.owner.clone(), tour.viewer.clone(), tour.account().await);
        let base = format!("/a/{id}");
        for list in [base.clone(), format!("{base}/people"), format!("{base}/people?q=alone")] {
            tour.turn(&list).await;
            let sign = if list.contains('?') { '&' } else { '?' };
            tour.get(&owner, &format!("{list}{sign}before=end"), 200).await;
        }
        tour.get(&owner, &format!("{base}/people?show=admins"), 200).await;
        tour.get(&owner, &format!("{base}/people?show=admins&q=member"), 200).await;
        tour.get(&viewer, &base, 403).await;
        asked_for(tour, &base).await;
        let fields = [("name", "Seed 1"), ("creation", "people")];
        tour.post(&owner, &format!("{base}/details"), &fields, 303).await;
        let fields = [("name", "More"), ("slug", "more"), ("account", &id.to_string())];
        tour.post(&viewer, "/workspaces", &fields, 303).await;
        let user = "SELECT id FROM users WHERE email = 'alone-1@example.com'";
        let person = format!("{base}/people/{}", tour.app.scalar_uuid(user).await);
        for admin in ["yes", "no", "yes"] {
            if admin == "no" {
                tour.get(&owner, &format!("{person}/admin"), 200).await;
            }
            tour.post(&owner, &format!("{person}/admin"), &[("admin", admin)], 303).await;
        }
        tour.get(&owner, &format!("{person}/removal"), 409).await;
        let user = "SELECT id FROM users WHERE email = 'nowhere-1@example.com'";
        let user = tour.app.scalar_uuid(user).await.to_string();
        for path in ["members/new", "members/new?q=nowhere"] {
            tour.get(&owner, &format!("{HOME}/{path}"), 200).await;
        }
        let removal = format!("{base}/people/{user}/removal");
        let fields = [("emails", "nowhere-1@example.com"), ("role", "viewer")];
        tour.post(&owner, &format!("{HOME}/invitations"), &fields, 303).await;
        tour.post(&owner, &format!("{HOME}/members"), &[("user", &user), ("role", "editor")], 303).await;
        tour.post(&owner, &format!("{HOME}/members"), &[("user", &user)], 409).await;
        tour.post(&owner, &removal, &[], 409).await;
        let member = member_id(tour.app, "nowhere-1@example.com", "seed-1").await;
        tour.post(&owner, &format!("{HOME}/members/{member}/removal"), &[], 303).await;
        tour.get(&owner, &removal, 200).await;
        tour.post(&owner, &removal, &[], 303).await;
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let (app, owner, founder) = (&demo.app, &demo.owner, &demo.founder.client);
        let base = |id: uuid::Uuid| format!("/a/{id}");
        let slug = demo.base.trim_start_matches("/w/");
        let account = base(crate::world::account_id(app, slug).await);
        let user = async |role: &str| {
            let sql = format!("SELECT user_id FROM members WHERE id = {}", app.id(demo.members[role]));
            app.scalar_uuid(&sql).await
        };
        let (oneself, other) = (user("owner").await, user("admin").await);
        let people = format!("{account}/people");
        pictures.add("account-people", 200, owner.get(&people).await);
        owner.post_form(&format!("{people}/{other}/admin"), &[("admin", "yes")]).await.assert_status(303);
        let page = owner.get(&people).await;
        // Who left the demo belongs to the account still.
        pictures.add("account-removal", 200, owner.get(&page.link("/removal")).await);
        pictures.add("account-people-changed", 200, page);
        pictures.open("account-people-menu", "account-people-changed", &["td details.dropdown > summary"]);
        pictures.add("account-people-none", 200, owner.get(&format!("{people}?q=nobody+at+all")).await);
        pictures.add("account-people-refused", 422, owner.get(&format!("{people}?show=kings")).await);
        pictures.add("account-admin", 200, owner.get(&format!("{people}/{oneself}/admin")).await);
        pictures.add("account-in-workspaces", 409, owner.get(&format!("{people}/{other}/removal")).await);
        pictures.add(
            "account-nobody",
            404,
            owner.get(&format!("{people}/{}/removal", uuid::Uuid::nil())).await,
        );

        let id = account.trim_start_matches("/a/");
        let name = demo.name("Second workspace");
        let fields = [("name", name.as_str()), ("slug", "second"), ("account", id)];
        owner.post_form("/workspaces", &fields).await.assert_status(303);
        let page = owner.get(&account).await;
        pictures.add("account-refused", 422, owner.submit(&page, "/details", &[("name", "")]).await);
        pictures.add("account", 200, page);
        pictures.add("account-not-admin", 403, demo.viewer.get(&account).await);
        pictures.add("workspaces-of-account", 200, owner.get(&format!("/workspaces?account={id}")).await);

        let path = "/w/second/members/new";
        let page = owner.get(path).await;
        pictures.add("member-new", 200, page.clone());
        pictures.open("member-new-chosen", "member-new", &["input[type=radio][name=user]"]);
        pictures.add("member-new-none", 200, owner.get(&format!("{path}?q=nobody+at+all")).await);
        pictures.add("member-new-refused", 422, owner.submit(&page, "/w/second/members", &[]).await);
        let whom = page.attributes("input[type=radio][name=user]", "value").remove(0);
        let added = submit(owner, &page, "/w/second/members", &[("user", &whom)]).await;
        pictures.add("members-added", 200, added);
        let already = owner.submit(&page, "/w/second/members", &[("user", &whom)]).await;
        pictures.add("member-new-already", 409, already);

        let alone = base(crate::world::account_id(app, "acme").await);
        pictures.add("account-alone", 200, founder.get(&alone).await);
        pictures.add("account-last-admin", 409, {
            founder.get(&format!("{alone}/people/{}/admin", demo.founder.user_id)).await
        });
        pictures.add("member-new-everybody", 200, founder.get("/w/acme/members/new").await);
    }
}

/// A second Owner asks for the administration: it is declined, asked for again, and accepted.
async fn asked_for(tour: &mut Tour<'_>, account: &str) {
    let (owner, id) = (tour.owner.clone(), tour.take_members(1)[0]);
    let member = format!("{HOME}/members/{id}");
    tour.post(&owner, &format!("{member}/roles"), &[("role", "owner")], 303).await;
    let email = format!(
        "SELECT u.email FROM users u JOIN members m ON m.user_id = u.id WHERE m.id = {}",
        tour.app.id(id)
    );
    let email = tour.app.scalar_text(&email).await.unwrap();
    // As every person of the seed.
    let other = sign_in(tour.app, &email, "load test data only").await;
    for answer in ["decline", "acceptance"] {
        tour.get(&other, &format!("{HOME}/organization"), 200).await;
        tour.post(&other, &format!("{HOME}/organization/administration-request"), &[], 303).await;
        tour.get(&owner, account, 200).await;
        let request = "SELECT id FROM administration_requests WHERE created_at > 0";
        let request = tour.app.scalar_uuid(request).await;
        let answer = format!("{account}/administration-requests/{request}/{answer}");
        tour.post(&owner, &answer, &[], 303).await;
    }
    let user = format!("SELECT user_id FROM members WHERE id = {}", tour.app.id(id));
    let admin = format!("{account}/people/{}/admin", tour.app.scalar_uuid(&user).await);
    tour.post(&owner, &admin, &[("admin", "no")], 303).await;
    tour.post(&owner, &format!("{member}/roles"), &[("role", "viewer")], 303).await;
}

/// A request of this person, from a workspace of the account.
async fn add_administration_request(app: &TestApp, slug: &str, user: Uuid) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let sql = format!(
        "INSERT INTO administration_requests (id, workspace_id, account_id, user_id, created_at, expires_at)
         SELECT {}, w.id, w.account_id, {}, {now}, {} FROM workspaces w WHERE w.slug = {}",
        app.id(id),
        app.id(user),
        now + 7 * DAY,
        quoted(slug)
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}

/// The only admin, who is a member too.
const LAST_ADMIN: Verdict = Verdict::Audited(409);

fn is_last_admin(at: &Offer) -> bool {
    let admins: Vec<_> =
        at.facts.rows("account_people").iter().filter(|person| flag(person, "is_admin")).collect();
    admins.len() == 1 && admins[0]["user_id"] == at.id("user")
}

/// Of a workspace of the account, which has one.
fn is_member(at: &Offer) -> bool {
    at.facts.members.iter().any(|member| member.user.as_deref() == Some(at.id("user")))
}
