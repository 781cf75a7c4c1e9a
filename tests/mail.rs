//! Mail, from the outbox to files and to a real SMTP server.

use crate::support::product::Mail;
use crate::support::*;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use url::Url;

/// Where people reach the installation. No browser of these tests does.
const PUBLIC: &str = "http://access.example.com:8080";
const OWNER: &str = "owner-one@example.com";

/// How long a page may take whatever the mail server does: less than the 20 seconds that a mail server may
/// take to connect (CONNECT_TIMEOUT in mail/server.rs), so that a page which waits for it takes too long.
const PROMPT: Duration = Duration::from_secs(15);

/// An app that sends to this port, and reads its letters there.
async fn sending_to(backend: Backend, port: u16, dir: &TempDir) -> TestApp {
    let url: Mail = format!("smtp://127.0.0.1:{port}").parse().unwrap();
    let mut app = TestApp::on(backend).with(move |config| config.mail = url.clone()).spawn().await;
    app.mail = Mailbox::in_dir(dir.path().join("smtp"));
    app
}

/// An app that sends to this server, and its first Owner, who is signed in.
async fn scripted(backend: Backend, server: &ScriptedSmtp) -> (TestApp, Person) {
    // Who signs up reads their mail in a folder.
    let app = TestApp::on(backend).spawn().await;
    let owner = new_owner(&app).await;
    app.mail_is_out().await;
    let url: Mail = server.url().parse().unwrap();
    let app = app.restart_with(move |config| config.mail = url.clone()).await;
    let client = owner.client.moved_to(&app);
    (app, Person { client, ..owner })
}

/// The header's lines, unfolded.
fn header(letter: &Letter, name: &str) -> Vec<String> {
    let raw = letter.raw.replace("\r\n", "\n");
    let (head, _) = raw.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let prefix = format!("{}:", name.to_lowercase());
    let those = head.lines().filter(|line| line.to_lowercase().starts_with(&prefix));
    those.map(|line| line[prefix.len()..].trim().to_owned()).collect()
}

/// One sender, one recipient, one subject, one id made of the outbox row's; plain text, and the same as HTML.
#[track_caller]
fn assert_sane(letter: &Letter, to: &str, from: &str) {
    for name in ["From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Type"] {
        assert_eq!(header(letter, name).len(), 1, "{name} in:\n{}", letter.raw);
    }
    assert_eq!(header(letter, "Auto-Submitted"), ["auto-generated"]);
    for name in ["Bcc", "Cc", "Reply-To", "Sender"] {
        assert!(header(letter, name).is_empty(), "{name} in:\n{}", letter.raw);
    }
    assert_eq!((letter.from.as_str(), letter.to.as_slice()), (from, &[to.to_owned()][..]));
    assert!(header(letter, "Content-Type")[0].starts_with("multipart/alternative"), "{}", letter.raw);
    let kinds: Vec<_> = letter.raw.lines().filter(|line| line.starts_with("Content-Type: text/")).collect();
    assert!(
        kinds.len() == 2 && kinds[0].contains("text/plain") && kinds[1].contains("text/html"),
        "{kinds:?}"
    );
    let id = header(letter, "Message-ID").remove(0);
    let (unique, host) = id.trim_matches(['<', '>']).split_once('@').unwrap();
    assert!(uuid::Uuid::parse_str(unique).is_ok(), "{id}");
    assert_eq!(Some(host), from.split_once('@').map(|(_, host)| host));
}

/// Says in every header it can that the installation is somewhere else.
fn forging(client: &Client) -> Client {
    client
        .with_header("host", "evil.example")
        .with_header("x-forwarded-host", "evil.example")
        .with_header("x-forwarded-proto", "https")
        .with_header("x-original-host", "evil.example")
        .with_header("forwarded", "for=192.0.2.1;host=evil.example;proto=https")
}

/// The page, but for what is another in each: addresses typed and tokens.
fn likeness(page: &Page, email: &str) -> (u16, String) {
    let mut text = page.html.replace(email, "…").replace(&email.replace('@', "%40"), "…");
    for token in page.attributes("input[name=csrf]", "value") {
        text = text.replace(&token, "…");
    }
    (page.status.as_u16(), text)
}

async fn in_time(page: impl Future<Output = Page>) -> Page {
    let started = Instant::now();
    let page = page.await;
    assert!(started.elapsed() < PROMPT, "{} took {:?}", page.url, started.elapsed());
    page
}

/// Waits until this many messages wait and each was tried.
async fn all_tried(app: &TestApp, n: i64) {
    let tried = "SELECT count(*) FROM outbox WHERE last_error IS NOT NULL";
    eventually(async || match app.scalar_i64(tried).await {
        all if all == n => Ok(()),
        _ => Err(format!("waiting: {:?}", app.rows("SELECT * FROM outbox").await)),
    })
    .await;
    assert_eq!(app.scalar_i64("SELECT count(*) FROM outbox").await, n);
}

both! {
    // Breaks when links in mail are built from anything but Db::public_url (domain/base/db.rs).
    async fn letters_arrive_and_lead_to_the_configured_address(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let server = SmtpServer::start(free_port(), dir.path()).await;
        let mail: Mail = server.url().parse().unwrap();
        let mut app = TestApp::on(backend)
            .with(move |config| {
                config.mail = mail.clone();
                config.public_url = Some(Url::parse(PUBLIC).unwrap());
            })
            .spawn()
            .await;
        app.mail = server.mail.clone();

        let owner = forging(&app.client());
        let page = owner.visit("/sign-up").await;
        let fields = [("name", "Owner One"), ("email", OWNER), ("password", PASSWORD), ("workspace", "acme")];
        owner.submit(&page, "/sign-up", &fields).await.assert_status(303);
        owner.post_form("/forgot-password", &[("email", OWNER)]).await.assert_status(200);
        sign_in_with(&owner, OWNER, PASSWORD).await;
        // The links lead to where no browser of a test goes.
        app.execute("UPDATE users SET email_verified_at = created_at").await;
        invite(&owner, "acme", "guest-one@example.com", &["viewer"]).await;

        let letters = [
            (OWNER, "Confirm your e-mail address", "/email-verification/blw_eml_"),
            (OWNER, "Choose a new password", "/reset-password/blw_pwd_"),
            ("guest-one@example.com", "Owner One invited you to acme", "/invitations/blw_inv_"),
        ];
        let mut ids = BTreeSet::new();
        for (to, subject, path) in letters {
            let letter = app.mail.wait_for(to, subject).await;
            assert_eq!(letter.subject, subject);
            assert_sane(&letter, to, "no-reply@access.example.com");
            assert!(letter.link(path).starts_with(&format!("{PUBLIC}{path}")), "{}", letter.text);
            assert!(letter.links().iter().all(|link| link.starts_with(PUBLIC)), "{:?}", letter.links());
            assert!(!letter.raw.contains("evil.example"), "{}", letter.raw);
            ids.extend(header(&letter, "Message-ID"));
        }
        assert_eq!(ids.len(), 3, "no two letters have one id");
        // What is shown to the inviter leads there too.
        let page = invite(&owner, "acme", "guest-two@example.com", &["viewer"]).await;
        assert!(page.html.contains(&format!("{PUBLIC}/invitations/blw_inv_")));
        page.assert_silent_about("evil.example");
        // What was sent is kept nowhere, with the secrets in it.
        app.mail_is_out().await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM outbox").await, 0);
    }

    // Breaks when messages are sent one by one (send_mail in startup.rs).
    async fn a_recipient_whose_server_hangs_does_not_hold_up_the_others(backend: Backend) {
        let server = ScriptedSmtp::open().await;
        let (app, owner) = scripted(backend, &server).await;
        for n in 1..=3 {
            invite(&owner.client, "acme", &format!("hanging-{n}@example.com"), &["viewer"]).await;
        }
        until("nobody hangs", async || server.hanging() == 3).await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        until("the other one did not come", async || server.accepted("guest-one@example.com") == 1).await;
        assert!(server.hanging() > 0, "it came once the others had been given up");
        // They are tried again, and nothing is lost.
        eventually(async || {
            let tried = app.scalar_i64("SELECT count(*) FROM outbox WHERE last_error IS NOT NULL").await;
            if tried == 3 { Ok(()) } else { Err(format!("{tried} were given back")) }
        })
        .await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM outbox WHERE failed_at IS NULL").await, 3);
    }

    // Breaks when a refusal is retried (mark_failed in domain/base/outbox.rs).
    async fn a_refusal_for_good_is_shown_with_the_servers_words_and_sending_again_mends_it(backend: Backend) {
        let server = ScriptedSmtp::open().await;
        let (app, owner) = scripted(backend, &server).await;
        invite(&owner.client, "acme", "refused-one@example.com", &["viewer"]).await;
        let given_up = "SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL";
        until("it is not given up", async || app.scalar_i64(given_up).await == 1).await;
        assert_eq!(app.rows("SELECT body FROM outbox").await[0]["body"], "", "the link is gone");
        let page = owner.client.visit("/w/acme/invitations").await;
        page.assert_says("Not delivered").assert_says("No such person here");
        owner.client.visit("/w/acme").await.assert_says("1 invitation couldn't be delivered");
        let key = workspace_key(&app, "acme", &["admin"]).await;
        let listed = key.get("/api/sso/v1/invitations").await.with_status(200);
        assert!(listed.body["items"][0]["delivery_error"].as_str().unwrap().contains("No such person here"));
        // It is not tried again by itself.
        server.relent();
        app.clock.advance(Duration::from_secs(3_600));
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        until("the other one did not come", async || server.accepted("guest-one@example.com") == 1).await;
        assert_eq!(server.accepted("refused-one@example.com"), 0);
        owner.client.submit(&page, "/resend", &[]).await.assert_status(303);
        until("it did not come", async || server.accepted("refused-one@example.com") == 1).await;
        owner.client.visit("/w/acme/invitations").await.assert_silent_about("Not delivered");
        owner.client.visit("/w/acme").await.assert_silent_about("be delivered");
    }

    // Breaks without Replies around the connection (connect in mail/server.rs), or `excerpt` in mark_failed
    // (domain/base/outbox.rs).
    async fn a_refusal_that_is_hard_to_read_is_final_and_shown(backend: Backend) {
        let server = ScriptedSmtp::open().await;
        let (app, owner) = scripted(backend, &server).await;
        for (name, _) in UNREADABLE {
            invite(&owner.client, "acme", &format!("{name}-one@example.com"), &["viewer"]).await;
        }
        let final_ones = "SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL";
        eventually(async || match app.scalar_i64(final_ones).await {
            7 => Ok(()),
            _ => Err(format!("{:?}", app.rows("SELECT recipient, attempts, failed_at, last_error FROM outbox").await)),
        })
        .await;
        for row in app.rows("SELECT recipient, attempts, last_error FROM outbox").await {
            let words = row["last_error"].as_str().unwrap();
            assert_eq!(row["attempts"], 1, "{row}");
            assert!(words.chars().count() <= 501 && !words.contains(['\u{1b}', '\u{7}', '\u{202e}', '\n']), "{row}");
        }
        let page = owner.client.visit("/w/acme/invitations").await;
        page.assert_says("Ungültiger Empfänger").assert_says("such person").assert_says("571 5.7.1 Not allowed here");
    }

    async fn mail_goes_over_tls_in_both_ways(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let certificate = authority.issue("localhost");
        let database = TestDatabase::migrated(backend, dir.path()).await;
        for (n, (scheme, tls)) in [("smtp", "?tls=required"), ("smtps", "")].into_iter().enumerate() {
            let server = SmtpServer::encrypted(scheme == "smtps", &certificate, free_port(), dir.path()).await;
            let url = format!("{scheme}://localhost:{}{tls}", server.port);
            let root = authority.root();
            let settings = [("BAILIWICK_MAIL", &*url), ("SSL_CERT_FILE", root.to_str().unwrap())];
            let program = Program::serve(&database, dir.path(), &settings).await;
            let client = program.client();
            let (email, workspace) = (format!("owner-{n}@example.com"), format!("Acme {n}"));
            let fields = [("name", "Owner"), ("email", &*email), ("password", PASSWORD), ("workspace", &*workspace)];
            client.post_form("/sign-up", &fields).await.assert_status(303);
            server.mail.wait_for(&email, "Confirm").await;
        }
        // Nothing is sent where it would not be encrypted.
        let server = SmtpServer::start(free_port(), dir.path()).await;
        let url = format!("smtp://localhost:{}?tls=required", server.port);
        let program = Program::serve(&database, dir.path(), &[("BAILIWICK_MAIL", &url)]).await;
        let fields = [("name", "Owner"), ("email", "plain@example.com"), ("password", PASSWORD), ("workspace", "Plain")];
        program.client().post_form("/sign-up", &fields).await.assert_status(303);
        until("it is not refused", async || program.log().contains("does not encrypt connections")).await;
        assert!(server.mail.to("plain@example.com").is_empty());
    }

    // Breaks when deliver (startup.rs) does not ask whether the message is still wanted.
    async fn what_was_cancelled_or_sent_again_is_not_sent(backend: Backend) {
        let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
        let server = SmtpServer::start(port, dir.path()).await;
        let app = sending_to(backend, port, &dir).await;
        let owner = new_owner(&app).await;
        app.mail_is_out().await;
        server.stop();
        for guest in ["guest-one@example.com", "guest-two@example.com"] {
            invite(&owner.client, "acme", guest, &["viewer"]).await;
        }
        all_tried(&app, 2).await;
        let id = async |guest: &str| {
            let rows = app.rows(&format!("SELECT id FROM invitations WHERE email = '{guest}'")).await;
            rows[0]["id"].as_str().unwrap().to_owned()
        };
        let cancelled = format!("/w/acme/invitations/{}/cancellation", id("guest-one@example.com").await);
        owner.client.post_form(&cancelled, &[]).await.assert_status(303);
        let renewed = format!("/w/acme/invitations/{}/resend", id("guest-two@example.com").await);
        owner.client.post_form(&renewed, &[]).await.assert_status(303);
        let _server = SmtpServer::start(port, dir.path()).await;
        app.clock.advance(Duration::from_secs(3_600));
        app.mail_is_out().await;
        assert!(app.mail.to("guest-one@example.com").is_empty());
        let letters = app.mail.to("guest-two@example.com");
        assert_eq!(letters.len(), 1, "the one with the present link");
        app.client().visit(&letters[0].link("/invitations/")).await.assert_says("Join acme");
    }

    async fn retries_end_and_the_invitation_says_so(backend: Backend) {
        let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
        let server = SmtpServer::start(port, dir.path()).await;
        let app = sending_to(backend, port, &dir).await;
        let owner = new_owner(&app).await;
        app.mail_is_out().await;
        server.stop();
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        // This one is nobody's to look at, and ends without a trace.
        app.client().post_form("/forgot-password", &[("email", OWNER)]).await.assert_status(200);
        all_tried(&app, 2).await;
        // Later there is a letter about what needs attention.
        let these = format!("SELECT count(*) FROM outbox WHERE created_at <= {}", app.clock.now().as_millis());
        app.clock.advance(Duration::from_secs(3 * 86_400));
        let left = format!("{these} AND failed_at IS NULL");
        until("they are still tried", async || app.scalar_i64(&left).await == 0).await;
        let owner = sign_in(&app, OWNER, PASSWORD).await;
        owner.visit("/w/acme/invitations").await.assert_says("Not delivered");
        assert_eq!(app.scalar_i64(&these).await, 1);
    }

    // Breaks when a page sends by itself, or when deliver (startup.rs) does not call outbox::mark_failed.
    async fn with_the_server_down_pages_answer_the_same_and_mail_comes_later(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = SmtpServer::start(port, dir.path()).await;
        let app = sending_to(backend, port, &dir).await;
        let owner = new_owner(&app).await;
        app.mail_is_out().await;
        let with_it = write_three(&app, &owner, 0).await;
        app.mail_is_out().await;
        server.stop();

        let without_it = write_three(&app, &owner, 1).await;

        assert_eq!(with_it, without_it);
        all_tried(&app, 3).await;
        for row in app.rows("SELECT last_error, attempts, next_attempt_at FROM outbox").await {
            assert!(!row["last_error"].as_str().unwrap().is_empty());
            assert_eq!(row["attempts"], 1);
            assert!(row["next_attempt_at"].as_i64().unwrap() > app.clock.now().as_millis(), "{row}");
        }
        assert!(app.mail.to("guest-1@example.com").is_empty());

        let _server = SmtpServer::start(port, dir.path()).await;
        app.clock.advance(Duration::from_secs(3));

        app.mail.wait_for("founder-1@example.com", "Confirm").await;
        app.mail.wait_for("founder-1@example.com", "Choose a new password").await;
        app.mail.wait_for("guest-1@example.com", "invited you").await;
        app.mail_is_out().await;
        // Each once.
        assert_eq!(app.mail.to("founder-1@example.com").len(), 2);
        assert_eq!(app.mail.to("guest-1@example.com").len(), 1);
    }

    // Breaks when Mail::queue (domain/base/outbox.rs) or notices::store (domain/nouns/notices.rs) does not seal.
    async fn secrets_in_mail_are_readable_neither_while_it_waits_nor_afterwards(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = SmtpServer::start(port, dir.path()).await;
        let app = sending_to(backend, port, &dir).await;
        let owner = new_owner(&app).await;
        app.mail_is_out().await;
        server.stop();
        app.client().post_form("/forgot-password", &[("email", OWNER)]).await.assert_status(200);
        let shown = invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        all_tried(&app, 2).await;
        let waiting = format!("{:?}", app.rows("SELECT * FROM outbox").await);
        assert!(!waiting.contains("blw_") && !waiting.contains("http"), "{waiting}");

        let _server = SmtpServer::start(port, dir.path()).await;
        app.clock.advance(Duration::from_secs(3));
        let confirm = app.mail.wait_for_link(OWNER, "/email-verification/").await;
        let reset = app.mail.wait_for_link(OWNER, "/reset-password/").await;
        let invited = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        app.mail_is_out().await;

        if let Some(path) = app.database.url.strip_prefix("sqlite://") {
            let files = ["", "-wal"].map(|end| std::fs::read(format!("{path}{end}")).unwrap());
            let shown = shown.attributes("#link-1", "value").remove(0);
            for link in [confirm, reset, invited, shown] {
                let secret = link.rsplit('/').next().unwrap().as_bytes();
                let is_there = |file: &Vec<u8>| file.windows(secret.len()).any(|bytes| bytes == secret);
                assert!(!files.iter().any(is_there), "{link}");
            }
        }
    }

    // Breaks without `AND next_attempt_at <= $3` in outbox::lease_next.
    async fn each_letter_is_sent_once_however_many_nodes_send(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = SmtpServer::start(port, dir.path()).await;
        let app = sending_to(backend, port, &dir).await;
        let owner = new_owner(&app).await;
        app.mail_is_out().await;
        server.stop();
        let other = match backend {
            Backend::Postgres => Some(app.another_node().await),
            Backend::Sqlite => None,
        };
        let emails: Vec<_> = (0..30).map(|n| format!("guest-{n}@example.com")).collect();
        for (batch, node) in [(&emails[..15], &app), (&emails[15..], other.as_ref().unwrap_or(&app))] {
            invite(&owner.client.moved_to(node), "acme", &batch.join(", "), &["viewer"]).await;
        }
        all_tried(&app, 30).await;

        // All are due in the same moment, for every node.
        let _server = SmtpServer::start(port, dir.path()).await;
        app.clock.advance(Duration::from_secs(3));

        app.mail_is_out().await;
        for email in &emails {
            assert_eq!(app.mail.to(email).len(), 1, "{email}");
        }
    }

    // Breaks without `literal(…)` or `MIME_VERSION_1_0` in src/mail.rs, or when names may hold line
    // breaks (one_line in domain/base/text_rule.rs).
    async fn what_people_type_stays_text(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let server = SmtpServer::start(free_port(), dir.path()).await;
        let by_smtp = sending_to(backend, server.port, &dir).await;
        let to_files = TestApp::spawn(backend).await;
        for app in [by_smtp, to_files] {
            type_much(&app).await;
        }
    }

    // Breaks without Mailer's `rename`, or with one name for two messages.
    async fn in_files_one_message_is_one_file(app: TestApp) {
        let owner = new_owner(&app).await;
        let emails: Vec<_> = (0..10).map(|n| format!("guest-{n}@example.com")).collect();
        invite(&owner.client, "acme", &emails.join("\n"), &["viewer"]).await;
        app.mail_is_out().await;

        let letters = app.mail.all();

        assert_eq!(letters.len(), 11, "the founder's and the ten");
        let ids: BTreeSet<_> = letters.iter().flat_map(|letter| header(letter, "Message-ID")).collect();
        assert_eq!(ids.len(), 11);
        for letter in &letters {
            assert_sane(letter, &letter.to[0], "no-reply@localhost");
            assert!(letter.links().iter().all(|link| link.starts_with(&app.url())), "{:?}", letter.links());
        }
        for email in &emails {
            assert_eq!(app.mail.to(email).len(), 1, "{email}");
        }
    }

    // Breaks without `body(…)` or `private::write` in src/mail.rs, or `make_private` in
    // domain/base/connect.rs.
    async fn files_hold_their_links_in_one_piece_and_are_for_nobody_else(app: TestApp) {
        let (name, message) = ("Größe One", "Grüße, und willkommen.");
        let owner = sign_up(&app, name, OWNER, PASSWORD, "acme").await;
        verify_email(&app, &owner, OWNER).await;
        let fields = [("emails", "guest-one@example.com"), ("role", "viewer"), ("message", message)];
        owner.post_form("/w/acme/invitations", &fields).await.assert_status(303);

        for (to, path) in [(OWNER, "/email-verification/"), ("guest-one@example.com", "/invitations/")] {
            let link = app.mail.wait_for_link(to, path).await;
            let letter = app.mail.to(to).remove(0);
            assert!(letter.raw.contains(&link), "{}", letter.raw);
            assert!(letter.raw.lines().all(|line| line.len() <= 998), "{}", letter.raw);
        }
    }

    // Breaks when forgot_password (domain/nouns/identity/email.rs) deletes anything of a known address that
    // is over the limit.
    async fn too_many_requests_for_a_reset_leave_the_links_alone(app: TestApp) {
        let browser = sign_up(&app, "Owner One", OWNER, PASSWORD, "acme").await;
        let confirmation = app.mail.wait_for_link(OWNER, "/email-verification/").await;
        let stranger = app.client();
        let mut seen = BTreeSet::new();
        for _ in 0..9 {
            let page = stranger.post_form("/forgot-password", &[("email", OWNER)]).await;
            seen.insert(likeness(&page, OWNER));
        }
        assert_eq!(seen.len(), 1, "the answer does not tell that the limit was met");
        app.mail_is_out().await;
        let reset = app.mail.to(OWNER).into_iter().filter(|letter| letter.subject == "Choose a new password");
        let reset: Vec<_> = reset.collect();
        assert_eq!(reset.len(), 6, "as many as one address is sent in an hour");

        let page = browser.visit(&confirmation).await;
        browser.submit(&page, "/email-verification", &[]).await.assert_status(303);
        let page = browser.visit(&reset[5].link("/reset-password/")).await;
        let fields = [("password", "another correct horse 7 staple")];
        browser.submit(&page, "/reset-password", &fields).await.assert_status(303);
        sign_in(&app, OWNER, "another correct horse 7 staple").await;
    }
}

/// Causes three letters; gives how the pages looked.
async fn write_three(app: &TestApp, owner: &Person, n: usize) -> Vec<(u16, String)> {
    let (newcomer, guest) = (format!("founder-{n}@example.com"), format!("guest-{n}@example.com"));
    let browser = app.client();
    let fields =
        [("name", "Founder"), ("email", newcomer.as_str()), ("password", PASSWORD), ("workspace", "Side")];
    let sign_up = in_time(browser.post_form("/sign-up", &fields)).await;
    let check_mail = in_time(browser.get(&sign_up.location())).await;
    let forgot = in_time(browser.post_form("/forgot-password", &[("email", newcomer.as_str())])).await;
    let fields = [("emails", guest.as_str()), ("role", "viewer")];
    let invited = in_time(owner.client.post_form("/w/acme/invitations", &fields)).await;
    let shown = in_time(owner.client.get(&invited.location())).await;
    let mut looks: Vec<_> =
        [&sign_up, &check_mail, &forgot].into_iter().map(|page| likeness(page, &newcomer)).collect();
    // The list grows, and the link is another each time: the words at its head are what must be alike.
    let flash = shown.text();
    let says = flash.contains("1 invitation sent.").to_string();
    looks.extend([(invited.status.as_u16(), String::new()), (shown.status.as_u16(), says)]);
    looks
}

/// Names and a message that try to be more than text.
async fn type_much(app: &TestApp) {
    let name = r#"Owner "One" <b>x</b> & {{ y }} =?utf-8?q?Z=0D=0ABcc:_v?="#;
    let workspace = r#"Größe \ <a href=x>'; DROP, victim"#;
    let owner = sign_up(app, name, OWNER, PASSWORD, workspace).await;
    verify_email(app, &owner, OWNER).await;
    let slug = app.scalar_text("SELECT slug FROM workspaces").await.unwrap();
    let path = format!("/w/{slug}/invitations");
    let message = "First\r\n.\r\nQUIT\r\nRCPT TO:<victim@example.com>\r\n\r\n<script>alert(1)</script>\n\
        ..two\n.one\nFrom the start\nBcc: victim@example.com\r\n\r\n{{ 7 * 7 }} =3D =\r\nend";
    let fields = [("emails", "guest-one@example.com"), ("role", "viewer"), ("message", message)];
    owner.post_form(&path, &fields).await.assert_status(303);

    let letter = app.mail.wait_for("guest-one@example.com", "invited you").await;

    assert_eq!(letter.subject, format!("{name} invited you to {workspace}"));
    assert_sane(&letter, "guest-one@example.com", "no-reply@localhost");
    let text = letter.text.replace("\r\n", "\n");
    assert!(text.contains(&message.replace("\r\n", "\n")), "{text}");
    assert!(text.contains(name) && text.contains(workspace), "{text}");
    assert!(text.trim_end().ends_with("If you don't know the sender, you can ignore this e-mail."), "{text}");
    // A name with a line break is none at all, and nothing is sent in it.
    for evil in ["Owner\r\nBcc: victim@example.com", "Owner\nBcc: victim@example.com", "Owner\rX: y"] {
        let fields = [
            ("name", evil),
            ("email", "owner-two@example.com"),
            ("password", PASSWORD),
            ("workspace", "Other"),
        ];
        let page = app.unchanged_by(app.client().post_form("/sign-up", &fields)).await.with_status(422);
        assert!(page.field_error("name").is_some(), "{}", page.text());
        let fields = [("emails", "guest-two@example.com"), ("role", "viewer"), ("message", "\u{0}")];
        app.unchanged_by(owner.post_form(&path, &fields)).await.assert_status(422);
        // Nor is it an address.
        let fields = [("emails", "guest-three@example.com\u{1}Bcc:victim@example.com"), ("role", "viewer")];
        app.unchanged_by(owner.post_form(&path, &fields)).await.assert_status(422);
    }
    app.mail_is_out().await;
    assert!(app.mail.to("victim@example.com").is_empty());
    let written_to: BTreeSet<_> = app.mail.all().into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(written_to, BTreeSet::from(["guest-one@example.com".to_owned(), OWNER.to_owned()]));
}
