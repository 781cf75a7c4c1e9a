//! Two nodes on one PostgreSQL, behind a plain round-robin: what one node promises, two promise.
//!
//! SQLite is one file on one machine with one process that writes, so an installation on it has one
//! node. More races, half of each at another node, stand in `races/`.
//!
//! Over each test stands the line of `src` whose deletion turns it red; all were tried.

use crate::support::product::Mail;
use crate::support::*;
use std::{collections::BTreeMap, net::TcpListener, time::Duration};
use uuid::Uuid;

/// The nodes, and what stands before them. `one.client()` and all the flows of `support` go through
/// the round-robin; `client.moved_to(&two)` goes to one node alone.
struct Nodes {
    one: TestApp,
    two: TestApp,
    front: Balancer,
}

impl Nodes {
    async fn start() -> Self {
        Self::start_as(TestApp::on(Backend::Postgres)).await
    }

    async fn start_as(nodes: Builder) -> Self {
        let front = Balancer::open().await;
        let one = nodes.behind(&front).spawn().await;
        let two = one.another_node().await;
        front.spread_over(&[&one, &two]);
        Self { one, two, front }
    }

    /// This person's browser at each node.
    fn both(&self, person: &Person) -> [Client; 2] {
        [person.client.moved_to(&self.one), person.client.moved_to(&self.two)]
    }

    async fn count(&self, sql: &str) -> i64 {
        self.one.scalar_i64(sql).await
    }
}

macro_rules! nodes {
    ($($(#[$note:meta])* async fn $name:ident($nodes:ident: Nodes) $body:block)+) => {$(
        $(#[$note])*
        #[test]
        fn $name() {
            run(async {
                let $nodes = Nodes::start().await;
                $body
            });
        }
    )+};
}

fn at(member: &Person, noun: &str) -> String {
    format!("/w/{}/members/{}/{noun}", member.workspace, member.member_id)
}

/// Both requests leave in one moment; which of them is begun first changes with the round.
async fn at_once<A, B>(round: usize, a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    if round.is_multiple_of(2) {
        futures_util::future::join(a, b).await
    } else {
        let (b, a) = futures_util::future::join(b, a).await;
        (a, b)
    }
}

fn statuses(pages: [&Page; 2]) -> [u16; 2] {
    let mut statuses = pages.map(|page| page.status.as_u16());
    statuses.sort_unstable();
    statuses
}

/// Ticks or unticks this role in the row of a permission on the Security page.
async fn toggle(by: &Client, permission: &str, role: &str, on: bool) {
    let page = by.visit("/w/acme/security").await;
    let form = page.form(&format!("#f-{}", permission.replace(':', "-")));
    let mut roles: Vec<String> = form.values("role").into_iter().map(str::to_owned).collect();
    roles.retain(|slug| slug != role);
    roles.extend(on.then(|| role.to_owned()));
    let fields: Vec<_> = roles.iter().map(|role| ("role", role.as_str())).collect();
    by.send(&page, &form.without("role").fill(&fields)).await.assert_status(303);
}

nodes! {
    // Every page and form meets another node than the one before it: sign-up, the links in mail, the
    // cookies, the tokens of forms, the messages shown once.
    //
    // Breaks when cookie_key (src/startup.rs) returns a key that a node created itself.
    async fn a_browser_that_meets_another_node_each_time_notices_nothing(nodes: Nodes) {
        let owner = new_owner(&nodes.one).await;
        let guest = invite_and_join(&nodes.one, &owner.client, "acme", "guest-one@example.com", &["viewer"]).await;

        let page = owner.client.visit(&format!("/w/acme/members/{}", guest.member_id)).await;
        let answer = owner.client.submit(&page, "/roles", &[("role", "admin")]).await.with_status(303);
        owner.client.follow(answer).await.with_status(200).assert_says("Guest One");
        guest.client.visit("/w/acme/activity").await;
        toggle(&owner.client, "read:audit", "admin", false).await;
        guest.client.get("/w/acme/activity").await.assert_status(403);
        let page = owner.client.visit(&at(&guest, "removal")).await;
        owner.client.submit(&page, "/removal", &[]).await.assert_status(303);
        guest.client.get("/w/acme").await.assert_status(404);
        // What was done is told on the next page, which is drawn by the other node.
        let emails = "guest-two@example.com, guest-three@example.com";
        invite(&owner.client, "acme", emails, &["viewer"]).await.assert_says("2 invitations sent.");
        let page = owner.client.visit("/me").await;
        owner.client.submit(&page, "/sign-out", &[]).await.assert_status(303);
        owner.client.get("/me").await.assert_status(401);
        owner.client.get("/me").await.assert_status(401);

        let served = nodes.front.served();
        assert!(served[0] > 12 && served[0].abs_diff(served[1]) <= 1, "{served:?}");
    }

    // Breaks without `roles.version == version` in RoleCache::at (domain/enforce/workspace/roles.rs).
    async fn a_change_at_one_node_is_obeyed_by_the_next_request_at_the_other(nodes: Nodes) {
        let owner = new_owner(&nodes.one).await;
        let mut admin = member(&nodes.one, &owner, "admin").await;
        for round in 0..4 {
            let (owners, admins) = (nodes.both(&owner), nodes.both(&admin));
            let (here, there) = (&owners[round % 2], &admins[(round + 1) % 2]);
            // Both nodes have read all that they could keep.
            for admin in &admins {
                admin.visit("/w/acme/activity").await;
            }
            let see = async |status: u16| {
                there.get("/w/acme/activity").await.assert_status(status);
                // So does whichever comes next behind the round-robin.
                admin.client.get("/w/acme/activity").await.assert_status(status);
                admin.client.get("/w/acme/activity").await.assert_status(status);
            };
            let change = async |noun: &str, fields: &[(&str, &str)]| {
                here.post_form(&at(&admin, noun), fields).await.assert_status(303);
            };

            toggle(here, "read:audit", "admin", false).await;
            see(403).await;
            toggle(here, "read:audit", "admin", true).await;
            see(200).await;
            change("roles", &[("role", "viewer")]).await;
            see(403).await;
            change("roles", &[("role", "admin")]).await;
            see(200).await;
            change("suspension", &[]).await;
            see(403).await;
            // A session from before the suspension does not count any more, at neither node.
            change("reactivation", &[]).await;
            see(401).await;
            admin.client = sign_in(&nodes.one, &admin.email, PASSWORD).await;
        }
        let [here, _] = nodes.both(&owner);
        let [_, there] = nodes.both(&admin);
        let page = there.visit(&at(&owner, "suspension").replace("/suspension", "")).await;
        here.post_form(&at(&admin, "removal"), &[]).await.assert_status(303);
        there.get("/w/acme").await.assert_status(404);
        // Nor is the form worth anything that was drawn before.
        let csrf = page.attributes("input[name=csrf]", "value").pop().unwrap();
        let (roles, body) = (at(&owner, "roles"), format!("csrf={csrf}&role=viewer"));
        let change = there.post_raw(&roles, body, "application/x-www-form-urlencoded");
        nodes.two.unchanged_by(change).await.assert_status(404);
    }

    // Breaks when sign_out (domain/nouns/identity/sessions.rs) deletes no row: no node keeps a session in mind.
    async fn a_session_begins_and_ends_on_both_nodes_at_once(nodes: Nodes) {
        let owner = new_owner(&nodes.one).await;
        for round in 0..2 {
            let (here, there) = if round == 0 { (&nodes.one, &nodes.two) } else { (&nodes.two, &nodes.one) };
            let signed_in = async || {
                let client = nodes.one.client().moved_to(here);
                sign_in_with(&client, &owner.email, PASSWORD).await;
                let other = client.moved_to(there);
                other.visit("/w/acme").await;
                (client, other)
            };

            // Signed out here.
            let (client, other) = signed_in().await;
            let page = client.visit("/me").await;
            client.submit(&page, "/sign-out", &[]).await.assert_status(303);
            other.get("/me").await.assert_status(401);
            other.get("/w/acme").await.assert_status(401);

            // Revoked there.
            let (client, other) = signed_in().await;
            let newest = "SELECT id FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1";
            let session = nodes.one.scalar_uuid(newest).await;
            let owner = owner.client.moved_to(there);
            owner.post_form(&format!("/me/sessions/{session}/revocation"), &[]).await.assert_status(303);
            client.get("/w/acme").await.assert_status(401);
            other.get("/w/acme").await.assert_status(401);

            // Revoked with all others.
            let (client, _) = signed_in().await;
            owner.post_form("/me/sessions/revocation", &[]).await.assert_status(303);
            client.get("/w/acme").await.assert_status(401);
            owner.visit("/w/acme").await;
        }
    }

    // The winner is an Owner still, the loser told what a single node tells who is no Owner any more.
    //
    // Breaks without `FOR NO KEY UPDATE` in domain/enforce/workspace/mod.rs: the loser gets a 409 or a 500.
    async fn two_owners_demote_each_other_one_at_each_node(nodes: Nodes) {
        let first = new_owner(&nodes.one).await;
        let second = invite_and_join(&nodes.one, &first.client, "acme", "owner-two@example.com", &["owner"]).await;
        let refused = "SELECT count(*) FROM audit_events WHERE outcome = 'refused'";
        for round in 0..20 {
            let (firsts, seconds) = (nodes.both(&first), nodes.both(&second));
            let (a, b) = (&firsts[round / 2 % 2], &seconds[(round / 2 + 1) % 2]);
            // Connections and tokens are there before.
            a.csrf().await;
            b.csrf().await;
            let before = nodes.count(refused).await;

            let (at_second, at_first) = at_once(
                round,
                a.post_form(&at(&second, "roles"), &[("role", "viewer")]),
                b.post_form(&at(&first, "roles"), &[("role", "viewer")]),
            )
            .await;

            assert_eq!(statuses([&at_second, &at_first]), [303, 403], "round {round}");
            assert_eq!(nodes.count("SELECT count(*) FROM active_owners").await, 1, "round {round}");
            assert_eq!(nodes.count(refused).await, before + 1, "round {round}");
            let (winner, loser) = if at_second.status == 303 { (&first, &second) } else { (&second, &first) };
            let roles = "SELECT count(*) FROM member_roles mr JOIN roles r ON r.id = mr.role_id WHERE r.slug = ";
            let of = |role: &str, who: Uuid| format!("{roles}'{role}' AND mr.member_id = {}", nodes.one.id(who));
            assert_eq!(nodes.count(&of("owner", winner.member_id)).await, 1, "round {round}");
            assert_eq!(nodes.count(&of("viewer", loser.member_id)).await, 1, "round {round}");
            winner.client.post_form(&at(loser, "roles"), &[("role", "owner")]).await.assert_status(303);
        }
    }

    // Breaks without `Status.eq("pending")` in invitations::ended together with the look at the status
    // in OfferRow::ended (domain/nouns/invitations/accept.rs): either one is enough. Then the second request
    // gets 409, already a member.
    async fn an_invitation_is_accepted_once_though_by_both_nodes(nodes: Nodes) {
        let owner = new_owner(&nodes.one).await;
        let guest = new_owner_of(&nodes.one, "Guest One", "guest-one@example.com", "elsewhere").await;
        let accepted = "SELECT count(*) FROM audit_events WHERE kind = 'invitation.accepted'";
        for round in 0..10 {
            invite(&owner.client, "acme", &guest.email, &["viewer"]).await;
            let letters = nodes.one.mail.wait_for_several(&guest.email, "invited you", round + 1).await;
            guest.client.visit(&letters[round].link("/invitations/")).await;
            let [a, b] = nodes.both(&guest);
            a.csrf().await;
            b.csrf().await;

            let accept = |at: Client| async move { at.post_form("/invitation/acceptance", &[]).await };
            let (a, b) = at_once(round, accept(a), accept(b)).await;

            assert_eq!(statuses([&a, &b]), [303, 410], "round {round}");
            let made = format!("SELECT count(*) FROM members m JOIN workspaces w ON w.id = m.workspace_id
                WHERE w.slug = 'acme' AND m.user_id = {}", nodes.one.id(guest.user_id));
            assert_eq!(nodes.count(&made).await, 1, "round {round}");
            assert_eq!(nodes.count(accepted).await, i64::try_from(round).unwrap() + 1);
            let id = member_id(&nodes.one, &guest.email, "acme").await;
            owner.client.post_form(&format!("/w/acme/members/{id}/removal"), &[]).await.assert_status(303);
        }
    }

    // Breaks without `if requested.version != version(…)` in security::set (domain/nouns/security.rs).
    async fn of_two_edits_of_one_version_one_is_saved_though_by_both_nodes(nodes: Nodes) {
        let owner = new_owner(&nodes.one).await;
        let changed = "SELECT count(*) FROM audit_events WHERE kind = 'permission.changed'";
        for round in 0..10 {
            let [a, b] = nodes.both(&owner);
            let page = a.visit("/w/acme/security").await;
            let form = page.form("/security/create:teams");
            let version = form.values("version")[0].to_owned();
            b.visit("/w/acme/security").await;
            let sets = match round % 2 {
                0 => [["admin", "editor"], ["admin", "support"]],
                _ => [["admin", "viewer"], ["admin", "billing"]],
            };
            let edit = |at: Client, set: [&'static str; 2]| {
                let version = version.clone();
                async move {
                    let fields = [("role", set[0]), ("role", set[1]), ("version", version.as_str())];
                    at.post_form("/w/acme/security/create:teams", &fields).await
                }
            };

            let (a, b) = at_once(round / 2, edit(a, sets[0]), edit(b, sets[1])).await;

            assert_eq!(statuses([&a, &b]), [303, 409], "round {round}");
            let saved = sets[usize::from(a.status != 303)];
            let page = owner.client.visit("/w/acme/security").await;
            let form = page.form("/security/create:teams");
            let held: Vec<_> = form.values("role").into_iter().filter(|role| *role != "owner").collect();
            assert_eq!(held, saved, "round {round}");
            assert_eq!(nodes.count(changed).await, i64::try_from(round).unwrap() + 1);
        }
    }

    // Breaks without `limits::SIGN_IN` in SignInLimits::of (domain/nouns/identity/sessions.rs).
    async fn guesses_at_one_account_from_one_network_are_counted_over_both_nodes(nodes: Nodes) {
        let owner = new_owner(&nodes.one).await;
        let guess = async |client: &Client, password: &str| {
            let fields = [("email", owner.email.as_str()), ("password", password)];
            client.post_form("/sign-in", &fields).await.status.as_u16()
        };
        // Browsers on one computer, at one node and the other in turn.
        let there = || Client::at(&nodes.one, "127.77.1.1".parse().unwrap());
        for n in 0..10 {
            assert_eq!(guess(&there(), "a wrong one").await, 422, "guess {n}");
        }
        for node in [&nodes.one, &nodes.two] {
            let client = there().moved_to(node);
            assert_eq!(guess(&client, "a wrong one").await, 429);
            assert_eq!(guess(&client, PASSWORD).await, 429, "nor is the right one looked at");
            assert_eq!(guess(&nodes.one.client().moved_to(node), PASSWORD).await, 303, "elsewhere it is");
        }
        nodes.one.clock.advance(Duration::from_secs(15 * 60 + 1));
        for node in [&nodes.one, &nodes.two] {
            assert_eq!(guess(&there().moved_to(node), PASSWORD).await, 303);
        }
        // What turned out well is no guess on either.
        for n in 0..10 {
            assert_eq!(guess(&there(), "a wrong one").await, 422, "guess {n}");
        }
        assert_eq!(guess(&there(), "a wrong one").await, 429);
    }

    // The same for one who tries many accounts.
    //
    // Breaks without `limits::SIGN_IN_ADDRESS.spend(…)` in sign_in (domain/nouns/identity/sessions.rs).
    async fn guesses_from_one_computer_are_counted_over_both_nodes(nodes: Nodes) {
        let client = nodes.one.client();
        client.csrf().await;
        let mut seen = BTreeMap::new();
        for n in 0..62 {
            let email = format!("nobody-{n}@example.com");
            let fields = [("email", email.as_str()), ("password", "a wrong one")];
            let page = client.post_form("/sign-in", &fields).await;
            *seen.entry((page.status.as_u16(), n < 60)).or_insert(0) += 1;
        }
        assert_eq!(seen, BTreeMap::from([((422, true), 60), ((429, false), 2)]));
        // Behind the round-robin another computer is another.
        let fields = [("email", "nobody@example.com"), ("password", "a wrong one")];
        nodes.one.client().post_form("/sign-in", &fields).await.assert_status(422);
    }
}

/// Both nodes send while the mail is being written, each by itself.
///
/// Breaks without `AND next_attempt_at <= $3` in outbox::lease_next (domain/base/outbox.rs): both lease
/// the message that both have seen waiting.
#[test]
fn each_letter_is_sent_once_by_whichever_node() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let server = SmtpServer::start(free_port(), dir.path()).await;
        let url: Mail = server.url().parse().unwrap();
        let mut nodes =
            Nodes::start_as(TestApp::on(Backend::Postgres).with(move |config| config.mail = url.clone()))
                .await;
        nodes.one.mail = server.mail.clone();
        let owner = new_owner(&nodes.one).await;
        let emails: Vec<_> = (0..60).map(|n| format!("guest-{n}@example.com")).collect();
        let batches: Vec<_> = emails.chunks(5).collect();
        let clients = owner.client.twins(batches.len()).await;

        let pages = race(batches.len(), async |n| {
            let emails = batches[n].join(", ");
            clients[n].post_form("/w/acme/invitations", &[("emails", &emails), ("role", "viewer")]).await
        })
        .await;

        for page in &pages {
            page.assert_status(303);
        }
        nodes.one.mail_is_out().await;
        for email in &emails {
            assert_eq!(server.mail.to(email).len(), 1, "{email}");
        }
    });
}

/// What is promised of mail is "at least once": a node that dies while it sends leaves the message
/// in the outbox, and when its lease is over another sends it. Whoever dies between sending and
/// noting so makes for a second copy, which has the same Message-ID.
///
/// Breaks when outbox::lease_next (domain/base/outbox.rs) leases for ever.
#[test]
fn mail_of_a_node_that_dies_is_sent_by_the_other() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        // Takes connections and never says a word.
        let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mail = format!("smtp://{}", silent.local_addr().unwrap());
        let node = TestApp::spawn(Backend::Postgres).await;
        // The clock of this one goes on: what is due for it is not yet for the other.
        let doomed = Program::serve(&node.database, dir.path(), &[("BAILIWICK_MAIL", &mail)]).await;
        let visitor = doomed.client();
        let page = visitor.visit("/sign-up").await;
        let email = "owner-one@example.com";
        let fields = [("name", "Owner One"), ("email", email), ("password", PASSWORD), ("workspace", "acme")];
        visitor.submit(&page, "/sign-up", &fields).await.assert_status(303);
        let taken = "SELECT count(*) FROM outbox WHERE attempts = 1";
        until("nobody took the message", async || node.scalar_i64(taken).await == 1).await;
        doomed.kill();

        let due = node.scalar_i64("SELECT next_attempt_at FROM outbox").await;
        let wait = u64::try_from(due - node.clock.now().as_millis()).unwrap();
        assert!(wait < 5 * 60 * 1_000, "mail waits {wait} ms for a node that is gone");
        node.clock.advance(Duration::from_millis(wait - 1_000));
        // The other looks every second, and leaves alone what is not its own: there is nothing to wait for.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(node.mail.all().is_empty());
        node.clock.advance(Duration::from_millis(1_000));

        node.mail.wait_for(email, "Confirm your e-mail address").await;
        node.mail_is_out().await;
        assert_eq!(node.mail.to(email).len(), 1);
    });
}
