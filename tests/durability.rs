//! The program itself, killed while it writes, and stopped while it answers.

use crate::support::*;
use reqwest::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement};
use serde_json::Value;
use std::{
    iter,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const FORM: &str = "application/x-www-form-urlencoded";
const OWNER: &str = "owner-one@example.com";

both! {
    // Breaks when a write is answered before its commit, when what belongs together is in two
    // transactions (`B::record` after `tx.commit()` in enforce/transaction.rs, say), or when SQLite is
    // opened with journal_mode MEMORY.
    async fn kill_9_loses_nothing_that_was_answered(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let mut program = Program::serve(&database, dir.path(), &[]).await;
        let mut owner = owner_of(&program).await;
        let helper = helper_of(&program, &owner).await;
        let mut answered = Answered::default();
        for round in 0..3 {
            let answers = Answers::default();
            let writers = write(&program, &owner, &helper, round, &answers).await;
            answers.wait_for(40).await;
            program.kill();
            for writer in writers {
                answered.add(writer.await.unwrap());
            }

            program = Program::serve(&database, dir.path(), &[]).await;

            let connection = database.connect().await;
            answered.assert_kept(&connection, &program.mail).await;
            assert_nothing_half_done(&connection).await;
            connection.close().await.unwrap();
            assert_chain_holds(&database, dir.path()).await;
            // The sessions are kept too.
            owner = moved(&owner, &program);
            owner.visit("/w/acme/members").await;
        }
        let least = [answered.invited.len(), answered.role_changes, answered.renames, answered.signed_up.len()];
        assert!(least.iter().all(|n| *n >= 2), "every kind of write took part: {least:?}");
    }

    // Breaks without `.shutdown_timeout(…)` or with `disable_signals()` in startup.rs.
    async fn a_running_request_is_answered_before_the_program_ends(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let (database, program, owner) = started(backend, &dir).await;
        let mut running = begin(&program, &owner, "name=Side&slug=side").await;

        program.terminate();
        nobody_listens(&program).await;
        running.send_the_rest().await;

        let answer = running.answer().await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        let status = program.ended(WAIT_TIMEOUT).await;
        assert_eq!(status.code(), Some(0), "{status}");
        let connection = database.connect().await;
        assert_eq!(number(&connection, "SELECT count(*) FROM workspaces WHERE slug = 'side'").await, 1);
    }

    // Breaks on PostgreSQL without `on(…)` in Db::begin and DriverPool::acquire (tried): connections that an
    // idle worker opened end with it, and a request that another worker still answers with one of them gets
    // 503.
    async fn a_running_request_is_answered_whichever_worker_opened_its_connection(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let program = Program::serve(&database, dir.path(), &[("BAILIWICK_WORKERS", "2")]).await;
        let owner = owner_of(&program).await;
        // More at once than there are connections, so that both workers open some.
        let twins: Vec<_> = owner.twins(16).await;
        let fields = |n: usize| [("name", ["Acme", "Acme Two"][n % 2]), ("slug", "acme")];
        let renamed = race(16, async |n| twins[n].post_form("/w/acme/organization", &fields(n)).await).await;
        for page in &renamed {
            page.assert_status(303);
        }
        drop(twins);
        // New connections go to the workers in turn: one worker keeps its requests, the other's are given up.
        let mut running = Vec::new();
        for n in 0..8 {
            running.push(begin(&program, &owner, &format!("name=Side&slug=side-{n}")).await);
        }
        let mut running: Vec<_> = running.into_iter().step_by(2).collect();

        program.terminate();
        nobody_listens(&program).await;
        // A worker checks once a second whether it has anything left to do. Nothing shows that one has ended;
        // on a busy machine it may end later, and then this test finds less.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        for request in &mut running {
            request.send_the_rest().await;
        }

        for mut request in running {
            let answer = request.answer().await;
            assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        }
        assert_eq!(program.ended(WAIT_TIMEOUT).await.code(), Some(0));
        let connection = database.connect().await;
        assert_eq!(number(&connection, "SELECT count(*) FROM workspaces WHERE slug LIKE 'side-%'").await, 4);
    }

    // Breaks with a SHUTDOWN_TIMEOUT (startup.rs) of a minute, if the body may take as long: it is 15
    // seconds, and half a minute is left for a machine that is busy.
    async fn a_request_that_never_ends_does_not_hold_the_program(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let (database, program, owner) = started(backend, &dir).await;
        let _stalled = begin(&program, &owner, "name=Side&slug=side").await;

        program.terminate();

        let status = program.ended(Duration::from_secs(45)).await;
        assert_eq!(status.code(), Some(0), "{status}");
        let connection = database.connect().await;
        assert_eq!(number(&connection, "SELECT count(*) FROM workspaces WHERE slug = 'side'").await, 0);
    }
}

async fn started(backend: Backend, dir: &TempDir) -> (TestDatabase, Program, Client) {
    let database = TestDatabase::migrated(backend, dir.path()).await;
    let program = Program::serve(&database, dir.path(), &[]).await;
    let owner = owner_of(&program).await;
    (database, program, owner)
}

// ---- people of a program, who have no TestApp to walk in -----------------------------------------

pub async fn owner_of(program: &Program) -> Client {
    let client = program.client();
    let page = client.visit("/sign-up").await;
    let fields = [("name", "Owner One"), ("email", OWNER), ("password", PASSWORD), ("workspace", "acme")];
    client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    let page = client.visit(&program.mail.wait_for_link(OWNER, "/email-verification/").await).await;
    client.submit(&page, "/email-verification", &[]).await.assert_status(303);
    client
}

/// Somebody whose roles are changed; gives the path of that change.
async fn helper_of(program: &Program, owner: &Client) -> String {
    let email = "helper-one@example.com";
    invite(owner, "acme", email, &["viewer"]).await;
    let client = program.client();
    client.visit(&program.mail.wait_for_link(email, "/invitations/").await).await;
    let page = client.visit("/sign-up").await;
    let fields = [("name", "Helper One"), ("email", email), ("password", PASSWORD)];
    client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    client.post_form("/invitation/acceptance", &[]).await.assert_status(303);
    let members = owner.visit("/w/acme/members?q=helper").await;
    format!("{}/roles", members.link("/w/acme/members/"))
}

/// The same browser at the program started again.
pub fn moved(client: &Client, program: &Program) -> Client {
    let moved = program.client();
    client.cookies().iter().for_each(|cookie| moved.set_cookie(cookie));
    moved
}

// ---- writing ------------------------------------------------------------------------------------

/// What was answered with 303, over all rounds.
#[derive(Default)]
struct Answered {
    invited: Vec<String>,
    signed_up: Vec<String>,
    role_changes: usize,
    renames: usize,
    /// How many writers of each kind were cut off: what they sent last may or may not be there.
    rounds: usize,
}

/// What one writer heard.
enum Wrote {
    Invitations(Vec<String>),
    SignUps(Vec<String>),
    RoleChanges(usize),
    Renames(usize),
}

/// Counts the answers to all writers, by what they write.
#[derive(Clone, Default)]
struct Answers(Arc<[AtomicUsize; 4]>);

#[derive(Clone, Copy)]
enum Kind {
    Invitation,
    RoleChange,
    Rename,
    SignUp,
}

impl Answers {
    fn of(&self, kind: Kind) -> &AtomicUsize {
        &self.0[kind as usize]
    }

    /// Waits until there are `n` in all, and some of each kind.
    async fn wait_for(&self, n: usize) {
        until("too few answers", async || {
            let counts = self.0.each_ref().map(|count| count.load(Ordering::SeqCst));
            counts.iter().sum::<usize>() >= n && counts.iter().all(|count| *count > 0)
        })
        .await;
    }
}

/// Starts writers that write until the connection breaks.
async fn write(
    program: &Program,
    owner: &Client,
    helper: &str,
    round: usize,
    answers: &Answers,
) -> Vec<tokio::task::JoinHandle<Wrote>> {
    let csrf = owner.csrf().await;
    let mut writers = Vec::new();
    for n in 0..2 {
        let (client, csrf, answers) = (owner.twin(), csrf.clone(), answers.clone());
        writers.push(tokio::spawn(async move {
            let mut sent = Vec::new();
            for i in 0.. {
                let email = format!("guest-{round}-{n}-{i}@example.com");
                let fields = [("emails", email.as_str()), ("role", "viewer"), ("csrf", &csrf)];
                if !post(&client, "/w/acme/invitations", &fields, answers.of(Kind::Invitation)).await {
                    break;
                }
                sent.push(email);
            }
            Wrote::Invitations(sent)
        }));
    }
    let (client, token, path, counts) = (owner.twin(), csrf.clone(), helper.to_owned(), answers.clone());
    writers.push(tokio::spawn(async move {
        let mut changes = 0;
        // Not what the round before may have left: that would change nothing, and not be told.
        let also = ["support", "viewer"][round % 2];
        for role in ["admin", "developer", "editor", "billing"].into_iter().cycle() {
            let fields = [("role", role), ("role", also), ("csrf", &token)];
            if !post(&client, &path, &fields, counts.of(Kind::RoleChange)).await {
                break;
            }
            changes += 1;
        }
        Wrote::RoleChanges(changes)
    }));
    let (client, token, counts) = (owner.twin(), csrf, answers.clone());
    writers.push(tokio::spawn(async move {
        let mut renames = 0;
        for i in 0.. {
            let name = format!("Acme {round} {i}");
            let fields = [("name", name.as_str()), ("slug", "acme"), ("csrf", &token)];
            if !post(&client, "/w/acme/organization", &fields, counts.of(Kind::Rename)).await {
                break;
            }
            renames += 1;
        }
        Wrote::Renames(renames)
    }));
    let (visitors, counts): (Vec<_>, _) = ((0..50).map(|_| program.client()).collect(), answers.clone());
    writers.push(tokio::spawn(async move {
        let mut signed_up = Vec::new();
        for (i, visitor) in visitors.iter().enumerate() {
            let email = format!("founder-{round}-{i}@example.com");
            let Ok(page) = visitor.try_request(Method::GET, "/sign-up", None).await else { break };
            let csrf = page.attributes("input[name=csrf]", "value").pop().unwrap();
            let fields = [
                ("name", "Founder"),
                ("email", email.as_str()),
                ("password", PASSWORD),
                ("workspace", "Side"),
                ("csrf", &csrf),
            ];
            if !post(visitor, "/sign-up", &fields, counts.of(Kind::SignUp)).await {
                break;
            }
            signed_up.push(email);
        }
        Wrote::SignUps(signed_up)
    }));
    writers
}

/// Counts the answer; false when the connection broke.
async fn post(client: &Client, path: &str, fields: &[(&str, &str)], answered: &AtomicUsize) -> bool {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    match client.try_request(Method::POST, path, Some((FORM, body.into_bytes()))).await {
        Ok(page) => {
            page.assert_status(303);
            answered.fetch_add(1, Ordering::SeqCst);
            true
        }
        Err(_) => false,
    }
}

// ---- what is there afterwards -------------------------------------------------------------------

async fn query(connection: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub async fn number(connection: &DatabaseConnection, sql: &str) -> i64 {
    query(connection, sql).await[0].try_get_by_index(0).unwrap()
}

async fn texts(connection: &DatabaseConnection, sql: &str) -> Vec<String> {
    query(connection, sql).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

impl Answered {
    fn add(&mut self, wrote: Wrote) {
        match wrote {
            Wrote::Invitations(sent) => self.invited.extend(sent),
            Wrote::SignUps(emails) => self.signed_up.extend(emails),
            Wrote::RoleChanges(n) => {
                self.role_changes += n;
                self.rounds += 1;
            }
            Wrote::Renames(n) => self.renames += n,
        }
    }

    async fn assert_kept(&self, connection: &DatabaseConnection, mail: &Mailbox) {
        // The mail is out, or it waits.
        let mut written_to = texts(connection, "SELECT recipient FROM outbox").await;
        written_to.extend(mail.all().into_iter().flat_map(|letter| letter.to));
        for email in &self.invited {
            let sql = format!(
                "SELECT count(*) FROM invitations i JOIN audit_events a ON a.target_id = i.id
                 WHERE i.email = {} AND i.status = 'pending' AND a.kind = 'invitation.sent' AND a.outcome = 'done'",
                quoted(email)
            );
            assert_eq!(number(connection, &sql).await, 1, "{email} was invited");
            assert!(written_to.contains(email), "no mail to {email}");
        }
        for email in &self.signed_up {
            let sql = format!(
                "SELECT count(*) FROM users u JOIN audit_events a ON a.actor_id = u.id
                 WHERE u.email = {} AND a.kind IN ('user.signed-up', 'workspace.created')",
                quoted(email)
            );
            assert_eq!(number(connection, &sql).await, 2, "{email} signed up");
            assert!(written_to.contains(email), "no mail to {email}");
        }
        for (kind, answered) in
            [("member.roles-changed", self.role_changes), ("organization.updated", self.renames)]
        {
            let told =
                number(connection, &format!("SELECT count(*) FROM audit_events WHERE kind = '{kind}'")).await;
            let told = usize::try_from(told).unwrap();
            // One a round may have been written and its answer cut off.
            assert!(
                (answered..=answered + self.rounds).contains(&told),
                "{kind}: {told} told, {answered} answered"
            );
        }
    }
}

/// What one transaction writes is there with all of it, or with none.
pub async fn assert_nothing_half_done(connection: &DatabaseConnection) {
    let none = [
        "invitations i WHERE 2 <> (SELECT count(*) FROM invitation_tokens t WHERE t.invitation_id = i.id)",
        "invitations i WHERE 1 <> (SELECT count(*) FROM invitation_roles r WHERE r.invitation_id = i.id)",
        "invitations i WHERE 1 <> (SELECT count(*) FROM audit_events a WHERE a.target_id = i.id
            AND a.kind = 'invitation.sent')",
        "audit_events a WHERE a.kind = 'invitation.sent' AND NOT EXISTS
            (SELECT 1 FROM invitations i WHERE i.id = a.target_id)",
        "users u WHERE 1 <> (SELECT count(*) FROM audit_events a WHERE a.actor_id = u.id
            AND a.kind = 'user.signed-up')",
        "users u WHERE 1 <> (SELECT count(*) FROM members m WHERE m.user_id = u.id)",
        "users u WHERE 1 <> (SELECT count(*) FROM account_people p WHERE p.user_id = u.id)",
        "accounts a WHERE 1 <> (SELECT count(*) FROM workspaces w WHERE w.account_id = a.id)",
        "workspaces w WHERE 7 <> (SELECT count(*) FROM roles r WHERE r.workspace_id = w.id)",
        "workspaces w WHERE 1 <> (SELECT count(*) FROM active_owners o WHERE o.workspace_id = w.id)",
        "workspaces w WHERE 1 <> (SELECT count(*) FROM audit_events a WHERE a.workspace_id = w.id
            AND a.kind = 'workspace.created')",
        "audit_chains c WHERE c.kind = 'workspace'
            AND c.seq <> (SELECT count(*) FROM audit_events a WHERE a.workspace_id = c.id)",
    ];
    for what in none {
        assert_eq!(number(connection, &format!("SELECT count(*) FROM {what}")).await, 0, "{what}");
    }
    // The rows are as the last event says.
    let payload = async |kind: &str| {
        let sql = format!("SELECT payload FROM audit_events WHERE kind = '{kind}' ORDER BY seq DESC LIMIT 1");
        texts(connection, &sql).await.pop().map(|text| serde_json::from_str::<Value>(&text).unwrap())
    };
    if let Some(last) = payload("member.roles-changed").await {
        let roles = "SELECT r.name FROM member_roles mr JOIN roles r ON r.id = mr.role_id
            JOIN members m ON m.id = mr.member_id JOIN users u ON u.id = m.user_id
            WHERE u.email = 'helper-one@example.com' ORDER BY r.position";
        assert_eq!(last["member_roles_changed"]["after"], Value::from(texts(connection, roles).await));
    }
    if let Some(last) = payload("organization.updated").await {
        let name = texts(connection, "SELECT name FROM workspaces WHERE slug = 'acme'").await;
        assert_eq!(last["organization_updated"]["name_after"], Value::from(name[0].as_str()));
    }
}

async fn assert_chain_holds(database: &TestDatabase, dir: &Path) {
    let (url, dir) = (database.url.clone(), dir.to_owned());
    let verify = move || program::run(&dir, &["verify-audit"], &[("BAILIWICK_DATABASE_URL", &url)]);
    let verdict = tokio::task::spawn_blocking(verify).await.unwrap();
    let said = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success() && said.contains("unaltered"), "{said}{:?}", verdict.status);
}

// ---- a request that takes its time --------------------------------------------------------------

struct Running {
    stream: TcpStream,
    rest: String,
}

/// Sends half of a POST to /workspaces, and returns when the program is reading it.
async fn begin(program: &Program, owner: &Client, fields: &str) -> Running {
    let body = format!("{fields}&csrf={}", owner.csrf().await);
    let (half, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(("127.0.0.1", program.port)).await.unwrap();
    let head = [
        "POST /workspaces HTTP/1.1".to_owned(),
        format!("Host: 127.0.0.1:{}", program.port),
        format!("Cookie: {}", owner.cookies().join("; ")),
        format!("Content-Type: {FORM}"),
        format!("Content-Length: {}", body.len()),
        "Sec-Fetch-Site: same-origin".to_owned(),
        // The go-ahead tells that the request has begun.
        "Expect: 100-continue".to_owned(),
    ];
    let head = head.into_iter().chain(iter::once("\r\n".to_owned())).collect::<Vec<_>>().join("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    let read = tokio::time::timeout(WAIT_TIMEOUT, stream.read_exact(&mut answer)).await;
    read.expect("a go-ahead in time").unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(half.as_bytes()).await.unwrap();
    Running { stream, rest: rest.to_owned() }
}

impl Running {
    async fn send_the_rest(&mut self) {
        self.stream.write_all(self.rest.as_bytes()).await.unwrap();
    }

    async fn answer(&mut self) -> String {
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(WAIT_TIMEOUT, self.stream.read(&mut answer)).await;
        let n = read.expect("an answer in time").unwrap();
        String::from_utf8_lossy(&answer[..n]).into_owned()
    }
}

/// Waits until the program takes no new connections.
async fn nobody_listens(program: &Program) {
    until("it still listens", async || TcpStream::connect(("127.0.0.1", program.port)).await.is_err()).await;
}

/// Breaks without `is_gone` in domain/base/read_pool.rs.
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_shown_after_the_database_closed_its_connections() {
    let app = TestApp::spawn(Backend::Postgres).await;
    let owner = new_owner(&app).await;
    let closed = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'bailiwick' AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        owner.client.get("/w/acme/members").await.assert_status(200);
        assert!(app.scalar_i64(closed).await > 0);
        owner.client.get("/w/acme/members").await.assert_status(200);
    }
}
