//! So many requests at once, so many in a minute, and a queue in front: of a key, a workspace and a node, and of two
//! nodes together. And what the workspace sees of it.

use crate::{nouns::destinations::add_destination, support::*};
use reqwest::Method;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

const HOST: &str = "api.example.com";

/// An app whose workspace acme may send to [`HOST`], with these limits.
struct Scene {
    app: TestApp,
    upstream: Upstream,
}

#[derive(Clone, Copy)]
struct Limits {
    key: u32,
    workspace: u32,
    node: u32,
    queue: usize,
    /// In seconds.
    queue_timeout: u64,
    per_minute_of_key: u32,
    per_minute_to_destination: u32,
}

/// Those of the defaults, but that nobody waits for long.
const DEFAULTS: Limits = Limits {
    key: 8,
    workspace: 32,
    node: 256,
    queue: 64,
    queue_timeout: 1,
    per_minute_of_key: 0,
    per_minute_to_destination: 0,
};

impl Scene {
    async fn open(backend: Backend, limits: Limits) -> Self {
        let upstream = Upstream::open(&[HOST]).await;
        let reaches = upstream.settings();
        let app = TestApp::on(backend)
            .with(move |config| {
                reaches(config);
                let gateway = &mut config.gateway;
                gateway.at_once_per_key = limits.key;
                gateway.at_once_per_workspace = limits.workspace;
                gateway.at_once = limits.node;
                gateway.queue = limits.queue;
                gateway.queue_timeout = Duration::from_secs(limits.queue_timeout);
                gateway.requests_per_key = limits.per_minute_of_key;
                gateway.requests_per_destination = limits.per_minute_to_destination;
            })
            .spawn()
            .await;
        new_owner(&app).await;
        add_destination(&app, "acme", HOST, false).await;
        Self { app, upstream }
    }

    /// The secret of another key that may send.
    async fn key(&self, workspace: &str) -> String {
        add_key(&self.app, workspace, "Sender", &["developer"]).await.2
    }

    /// The host answers once it is told to.
    fn holds(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        let held = Arc::clone(&gate);
        self.upstream.answer(move |_| Reply::default().wait_for(&held).then(OK));
        gate
    }
}

/// A whole answer.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn send(app: &TestApp, workspace: &str, secret: &str, path: &str) -> Answer {
    let path = format!("/w/{workspace}/out/{HOST}{path}");
    Api::new(app, "").with(None).send(Method::GET, &path, None, &[("x-bailiwick-key", secret)]).await
}

/// So many requests of a key at once; each waits for its answer on a task of its own.
fn send_many(app: &TestApp, workspace: &str, secret: &str, count: usize) -> Vec<JoinHandle<Answer>> {
    let (api, workspace, secret) = (Api::new(app, "").with(None), workspace.to_owned(), secret.to_owned());
    (0..count)
        .map(|n| {
            let (api, secret) = (api.clone(), secret.clone());
            let path = format!("/w/{workspace}/out/{HOST}/{n}");
            tokio::spawn(
                async move { api.send(Method::GET, &path, None, &[("x-bailiwick-key", &secret)]).await },
            )
        })
        .collect()
}

/// The statuses of the answers, and the stages of those that are ours.
async fn outcomes(of: Vec<JoinHandle<Answer>>) -> (Vec<u16>, BTreeSet<String>) {
    let mut answers = Vec::new();
    for one in of {
        answers.push(one.await.unwrap());
    }
    let stages =
        answers.iter().filter_map(|answer| answer.body["stage"].as_str().map(str::to_owned)).collect();
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    (statuses, stages)
}

/// Answers each request that the host holds, and those that come, until this is dropped.
fn release(gate: &Arc<Notify>) -> JoinSet<()> {
    let gate = Arc::clone(gate);
    let mut releasing = JoinSet::new();
    releasing.spawn(async move {
        loop {
            gate.notify_waiters();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    releasing
}

/// What is refused says how many, when to come again, and what to do.
fn assert_refused(answer: &Answer, stage: &str, policy: &str) {
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert_eq!(answer.body["stage"], stage, "{}", answer.text);
    assert_eq!(answer.header("x-bailiwick-stage"), Some(stage));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let seconds: u32 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(answer.header("ratelimit-policy").unwrap().contains(policy), "{:?}", answer.headers);
    assert!(answer.header("ratelimit").unwrap().contains("r=0"), "{:?}", answer.headers);
    assert!(answer.body["detail"].as_str().unwrap().contains("again"), "{}", answer.text);
}

both! {
    /// Breaks without the limit of the key in `Slots::enter_now`.
    async fn a_key_sends_eight_at_once_and_the_others_wait(backend: Backend) {
        let scene = Scene::open(backend, Limits { queue_timeout: 60, ..DEFAULTS }).await;
        let secret = scene.key("acme").await;
        let gate = scene.holds();
        let sent = send_many(&scene.app, "acme", &secret, 20);
        scene.upstream.has_requests(8).await;
        // Another key is not held up by it.
        let other = scene.key("acme").await;
        let more = send_many(&scene.app, "acme", &other, 1);
        scene.upstream.has_requests(9).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(scene.upstream.requests().len(), 9);
        let releasing = release(&gate);
        assert_eq!(outcomes(sent).await.0, [200; 20]);
        assert_eq!(outcomes(more).await.0, [200]);
        drop(releasing);
    }

    /// Breaks without the limit of the workspace in `Slots::enter_now`.
    async fn a_workspace_sends_32_at_once_and_leaves_room_for_others(backend: Backend) {
        let scene = Scene::open(backend, Limits { queue_timeout: 60, ..DEFAULTS }).await;
        new_owner_of(&scene.app, "Owner Two", "owner-two@example.com", "other").await;
        add_destination(&scene.app, "other", HOST, false).await;
        let gate = scene.holds();
        let mut sent = Vec::new();
        for _ in 0..5 {
            let secret = scene.key("acme").await;
            sent.extend(send_many(&scene.app, "acme", &secret, 8));
        }
        scene.upstream.has_requests(32).await;
        let secret = scene.key("other").await;
        let others = send_many(&scene.app, "other", &secret, 4);
        scene.upstream.has_requests(36).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(scene.upstream.requests().len(), 36);
        let releasing = release(&gate);
        assert_eq!(outcomes(sent).await.0, [200; 40]);
        assert_eq!(outcomes(others).await.0, [200; 4]);
        drop(releasing);
    }

    /// One account has a node never to itself: a quarter is for the next one that comes.
    async fn a_node_sends_so_many_at_once_and_leaves_room_for_other_accounts(backend: Backend) {
        let limits = Limits { key: 100, workspace: 100, node: 8, queue_timeout: 60, ..DEFAULTS };
        let scene = Scene::open(backend, limits).await;
        let secret = scene.key("acme").await;
        let gate = scene.holds();
        let sent = send_many(&scene.app, "acme", &secret, 10);
        scene.upstream.has_requests(6).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(scene.upstream.requests().len(), 6);
        new_owner_of(&scene.app, "Owner Two", "owner-two@example.com", "other").await;
        add_destination(&scene.app, "other", HOST, false).await;
        let secret = scene.key("other").await;
        let others = send_many(&scene.app, "other", &secret, 3);
        scene.upstream.has_requests(8).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(scene.upstream.requests().len(), 8);
        let releasing = release(&gate);
        assert_eq!(outcomes(sent).await.0, [200; 10]);
        assert_eq!(outcomes(others).await.0, [200; 3]);
        drop(releasing);
    }

    /// Who finds the queue full is refused at once, and who waits for too long after that.
    async fn a_queue_has_an_end_in_length_and_in_time(backend: Backend) {
        let scene = Scene::open(backend, Limits { key: 1, queue: 3, ..DEFAULTS }).await;
        let secret = scene.key("acme").await;
        let gate = scene.holds();
        let first = send_many(&scene.app, "acme", &secret, 1);
        scene.upstream.has_requests(1).await;
        let waiting = send_many(&scene.app, "acme", &secret, 9);
        // None of them is sent: three wait for a second in vain, and six find no place.
        let mut refused = Vec::new();
        for one in waiting {
            refused.push(one.await.unwrap());
        }
        for answer in &refused {
            assert_refused(answer, "queue", "\"at-once\";q=1");
        }
        assert_eq!((refused.len(), scene.upstream.requests().len()), (9, 1));
        let releasing = release(&gate);
        assert_eq!(outcomes(first).await.0, [200]);
        // There is room again.
        send(&scene.app, "acme", &secret, "/later").await.with_status(200);
        drop(releasing);
        // The workspace sees them.
        let of_stage = "SELECT count(*) FROM traffic WHERE stage = 'queue' AND status = 429";
        until("refused requests are not in Traffic", async || scene.app.scalar_i64(of_stage).await == 9).await;
    }

    /// A turn is over with its request, also where the caller went away.
    async fn who_goes_away_leaves_their_place(backend: Backend) {
        let scene = Scene::open(backend, Limits { key: 2, queue_timeout: 60, ..DEFAULTS }).await;
        let secret = scene.key("acme").await;
        let gate = scene.holds();
        let gone = send_many(&scene.app, "acme", &secret, 4);
        scene.upstream.has_requests(2).await;
        gone.iter().for_each(JoinHandle::abort);
        let sent = send_many(&scene.app, "acme", &secret, 2);
        scene.upstream.has_requests(4).await;
        let releasing = release(&gate);
        assert_eq!(outcomes(sent).await.0, [200; 2]);
        drop(releasing);
    }

    async fn a_key_sends_so_many_in_a_minute(backend: Backend) {
        let scene = Scene::open(backend, Limits { per_minute_of_key: 5, ..DEFAULTS }).await;
        let (secret, other) = (scene.key("acme").await, scene.key("acme").await);
        // The clock stands almost still: all of it is in one minute.
        for left in (0..5).rev() {
            let answer = send(&scene.app, "acme", &secret, "/").await.with_status(200);
            let limit = answer.header("ratelimit").unwrap().to_owned();
            assert!(limit.starts_with(&format!("\"key\";r={left};t=")), "{limit}");
            assert_eq!(answer.header("ratelimit-policy"), Some("\"key\";q=5;w=60"));
        }
        assert_refused(&send(&scene.app, "acme", &secret, "/").await, "rate", "\"key\";q=5");
        send(&scene.app, "acme", &other, "/").await.with_status(200);
        scene.app.clock.advance(Duration::from_secs(60));
        send(&scene.app, "acme", &secret, "/").await.with_status(200);
        assert_eq!(scene.upstream.requests().len(), 7);
    }

    /// By all keys together; the destination's own rate takes the place of the installation's.
    async fn a_destination_gets_so_many_in_a_minute(backend: Backend) {
        let scene = Scene::open(backend, Limits { per_minute_to_destination: 3, ..DEFAULTS }).await;
        let secrets = [scene.key("acme").await, scene.key("acme").await];
        for n in 0..3 {
            send(&scene.app, "acme", &secrets[n % 2], "/").await.with_status(200);
        }
        assert_refused(&send(&scene.app, "acme", &secrets[1], "/").await, "rate", "\"destination\";q=3");
        scene.app.execute("UPDATE destinations SET requests_per_minute = 5").await;
        for n in 0..2 {
            send(&scene.app, "acme", &secrets[n % 2], "/").await.with_status(200);
        }
        assert_refused(&send(&scene.app, "acme", &secrets[0], "/").await, "rate", "\"destination\";q=5");
        assert_eq!(scene.upstream.requests().len(), 5);
    }

    /// At the next request, though more was leased of this minute.
    async fn a_lower_rate_counts_at_once(backend: Backend) {
        let scene = Scene::open(backend, Limits { per_minute_to_destination: 100, ..DEFAULTS }).await;
        let secret = scene.key("acme").await;
        for _ in 0..3 {
            send(&scene.app, "acme", &secret, "/").await.with_status(200);
        }
        scene.app.execute("UPDATE destinations SET requests_per_minute = 5").await;
        for _ in 0..2 {
            send(&scene.app, "acme", &secret, "/").await.with_status(200);
        }
        assert_refused(&send(&scene.app, "acme", &secret, "/").await, "rate", "\"destination\";q=5");
        // And a higher one, too.
        scene.app.execute("UPDATE destinations SET requests_per_minute = 6").await;
        send(&scene.app, "acme", &secret, "/").await.with_status(200);
        assert_refused(&send(&scene.app, "acme", &secret, "/").await, "rate", "\"destination\";q=6");
        assert_eq!(scene.upstream.requests().len(), 6);
    }

    /// What a caller may see of a request, and the workspace: neither query, body nor headers. A canary in each.
    async fn canaries_of_a_request_are_not_in_the_database(backend: Backend) {
        let scene = Scene::open(backend, DEFAULTS).await;
        let secret = scene.key("acme").await;
        scene.upstream.answer(|_| Reply::new(200, &[("x-answer", "canary-answer-header")], b"canary-answer-body"));
        let path = format!("/w/acme/out/{HOST}/v1/things?token=canary-query");
        let answer = Api::new(&scene.app, "canary-authorization")
            .send(Method::POST, &path, Some("{\"a\": \"canary-body\"}".into()), &[
                ("x-bailiwick-key", &secret),
                ("x-own", "canary-header"),
                ("cookie", "a=canary-cookie"),
            ])
            .await
            .with_status(200);
        assert_eq!(answer.text, "canary-answer-body");
        let received = scene.upstream.take_requests().remove(0);
        assert_eq!(received.path, "/v1/things?token=canary-query");
        assert_eq!(received.header("cookie"), None);
        let written = async || scene.app.scalar_i64("SELECT count(*) FROM traffic").await == 1;
        until("the request is not in Traffic", written).await;
        for table in scene.app.catalogue().await.all() {
            let rows = scene.app.rows_where(table, "1 = 1").await;
            let hits: Vec<&String> =
                rows.iter().filter(|row| row.contains("canary") || row.contains(&secret)).collect();
            assert!(hits.is_empty(), "{table}: {hits:?}");
        }
        let row = scene.app.rows("SELECT host, method, path, status, bytes_in, bytes_out FROM traffic").await.remove(0);
        let expected = serde_json::json!({"host": HOST, "method": "POST", "path": "/v1/things", "status": 200,
            "bytes_in": 20, "bytes_out": 18});
        assert_eq!(row, expected);
        let used = scene.app.rows("SELECT last_used_at, last_error FROM destinations").await.remove(0);
        assert!(!used["last_used_at"].is_null() && used["last_error"] == Value::Null, "{used}");
    }
}

/// Two nodes on one PostgreSQL share what a key may have at once, and in a minute.
#[test]
fn two_nodes_keep_the_limits_together() {
    run(async {
        let limits = Limits { key: 8, queue_timeout: 60, per_minute_of_key: 40, ..DEFAULTS };
        let scene = Scene::open(Backend::Postgres, limits).await;
        let second = scene.app.another_node().await;
        let secret = scene.key("acme").await;
        let gate = scene.holds();
        let mut sent = Vec::new();
        for _ in 0..6 {
            sent.extend(send_many(&scene.app, "acme", &secret, 2));
            sent.extend(send_many(&second, "acme", &secret, 2));
        }
        scene.upstream.has_requests(8).await;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert_eq!(scene.upstream.requests().len(), 8, "a key has eight at once on both nodes together");
        let releasing = release(&gate);
        assert_eq!(outcomes(sent).await.0, [200; 24]);

        // Of the 40 of this minute 24 are sent.
        let mut rest = Vec::new();
        for n in 0..30 {
            rest.extend(send_many(if n % 2 == 0 { &scene.app } else { &second }, "acme", &secret, 1));
        }
        let (statuses, stages) = outcomes(rest).await;
        drop(releasing);
        let passed = statuses.iter().filter(|status| **status == 200).count();
        // A node may have leased some that the other one would need, a tenth of them.
        assert!((12..=16).contains(&passed), "{passed} of 16 were sent");
        assert_eq!(stages, BTreeSet::from(["rate".to_owned()]));
        assert_eq!(scene.upstream.requests().len(), 24 + passed);
    });
}
