//! Two nodes behind nginx, Caddy and HAProxy, by https, with the configurations of `docs/deploy`.
//!
//! Every request pretends to come from elsewhere, as anybody can in a header.

use super::curl::{Curl, ELSEWHERE};
use super::proxy::{HOST, Kind, Proxy};
use crate::support::*;
use reqwest::Method;
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

const EMAIL: &str = "owner-one@example.com";

struct Nodes {
    one: TestApp,
    two: TestApp,
    proxy: Proxy,
}

impl Nodes {
    async fn behind(kind: Kind) -> Self {
        let mut proxy = Proxy::new(kind);
        let one = TestApp::on(Backend::Postgres).reached_at(&proxy.url()).spawn().await;
        let two = one.another_node().await;
        proxy.start([one.address(), two.address()]).await;
        Self { one, two, proxy }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [self.one.address(), self.two.address()]
    }

    /// Somebody, or some program, on a computer of its own.
    fn curl(&self) -> Curl {
        Curl::new(&self.proxy.url(), self.proxy.port, self.proxy.certificate())
    }

    /// Signs up, with the workspace acme, and confirms the address.
    async fn sign_up(&self) -> Curl {
        let person = self.curl();
        let page = person.visit("/sign-up").await;
        let fields = [("name", "Owner One"), ("email", EMAIL), ("password", PASSWORD), ("workspace", "acme")];
        person.submit(&page, "/sign-up", &fields).await.assert_status(303);
        let link = self.one.mail.wait_for_link(EMAIL, "/email-verification/").await;
        let page = person.visit(&link).await;
        person.submit(&page, "/email-verification", &[]).await.assert_status(303);
        person
    }

    async fn count(&self, sql: &str) -> i64 {
        self.one.scalar_i64(sql).await
    }
}

/// A test behind each of the three.
macro_rules! behind_each {
    ($($(#[$note:meta])* async fn $name:ident($kind:ident: Kind) $body:block)+) => {$(
        $(#[$note])*
        mod $name {
            use super::*;

            async fn test($kind: Kind) $body

            #[test]
            fn nginx() {
                run(test(Kind::Nginx));
            }

            #[test]
            fn caddy() {
                run(test(Kind::Caddy));
            }

            #[test]
            fn haproxy() {
                run(test(Kind::HaProxy));
            }
        }
    )+};
}

behind_each! {
    async fn people_and_programs_reach_it_and_are_known_by_their_address(kind: Kind) {
        let nodes = Nodes::behind(kind).await;
        let person = nodes.sign_up().await;

        // On another computer.
        let other = nodes.curl();
        let page = other.visit("/sign-in").await;
        // A notice that this is not the public address.
        page.assert_silent_about("data-public-address");
        let answer = other.submit(&page, "/sign-in", &[("email", EMAIL), ("password", PASSWORD)]).await;
        let cookies = answer.with_status(303).headers;
        let cookies: Vec<_> = cookies.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
        assert!(cookies.iter().any(|c| c.starts_with("__Host-") && c.contains("Secure")), "{cookies:?}");
        let page = other.visit("/w/acme/invitations").await;
        let fields = [("emails", "viewer-one@example.com"), ("role", "viewer")];
        other.submit(&page, "/w/acme/invitations", &fields).await.assert_status(303);
        nodes.one.mail.wait_for_link("viewer-one@example.com", &nodes.proxy.url()).await;

        // A program that does not know the length of what it sends: chunked with HTTP/1.1, without a length with HTTP/2.
        let program = nodes.curl();
        let (_, _, secret) = add_key(&nodes.one, "acme", "Deployer", &["owner"]).await;
        let key = format!("authorization: Bearer {secret}");
        for version in ["--http1.1", "--http2"] {
            let body = json!({"name": format!("Role by {}", version.trim_matches('-'))}).to_string();
            let options = [version, "-H", &key, "-H", "content-type: application/json", "-T", "-"];
            let made = program.request(Method::POST, "/api/sso/v1/roles", &options, Some(body.into())).await;
            made.assert_status(201);
        }
        assert_eq!(nodes.count("SELECT COUNT(*) FROM roles WHERE name LIKE 'Role by http%'").await, 2);

        let activity = other.visit("/w/acme/activity").await;
        for from in [person.from, other.from, program.from] {
            activity.assert_says(&format!("· {from}"));
        }
        activity.assert_silent_about(ELSEWHERE);
    }

    async fn plain_http_leads_to_https(kind: Kind) {
        let nodes = Nodes::behind(kind).await;
        let port = nodes.proxy.plain_port;
        let plain = Curl::new(&format!("http://{HOST}:{port}"), port, nodes.proxy.certificate());
        let answer = plain.get("/sign-in?next=/me").await;
        assert!(matches!(answer.status.as_u16(), 301 | 308), "{}", answer.status);
        let location = answer.location();
        assert!(location.starts_with(&format!("https://{HOST}")), "{location}");
        assert!(location.ends_with("/sign-in?next=/me"), "{location}");
    }

    async fn a_node_is_replaced_without_a_failed_request(kind: Kind) {
        let mut nodes = Nodes::behind(kind).await;
        nodes.sign_up().await;
        let before_load = nodes.count(CHANGES).await;
        let load = Load::start(&nodes).await;
        for node in [0, 1] {
            load.goes_on().await;
            let before = nodes.addresses();
            nodes.proxy.take_out(before, node).await;
            load.goes_on().await;
            // Another version, in practice.
            if node == 0 {
                nodes.one = nodes.one.restart().await;
            } else {
                nodes.two = nodes.two.restart().await;
            }
            assert_ne!(nodes.addresses(), before);
            nodes.proxy.put_back(nodes.addresses(), node);
        }
        load.goes_on().await;
        let changes = load.stop().await;
        assert_eq!(nodes.count(CHANGES).await - before_load, changes);
    }
}

const CHANGES: &str = "SELECT COUNT(*) FROM audit_events WHERE kind IN ('role.created', 'role.deleted')";

/// Several programs that read and change something all the time, each on a connection of its own for each request.
struct Load {
    ends: Arc<AtomicBool>,
    /// How many rounds each has done.
    done: Vec<Arc<AtomicU64>>,
    programs: Vec<tokio::task::JoinHandle<i64>>,
}

impl Load {
    async fn start(nodes: &Nodes) -> Self {
        let (_, _, secret) = add_key(&nodes.one, "acme", "Load", &["owner"]).await;
        let done: Vec<Arc<AtomicU64>> = (0..3).map(|_| Arc::default()).collect();
        let mut load = Self { ends: Arc::default(), done, programs: Vec::new() };
        for n in 0..3 {
            let (curl, ends, done) = (nodes.curl(), Arc::clone(&load.ends), Arc::clone(&load.done[n]));
            let key = format!("authorization: Bearer {secret}");
            // nginx and Caddy end connections of HTTP/2 that have just begun when they are reloaded. Browsers then send
            // their request again; curl does not.
            let version = "--http1.1";
            load.programs.push(tokio::spawn(async move {
                let options = [version, "-H", &key, "-H", "content-type: application/json"];
                let mut changes = 0;
                while !ends.load(Ordering::Relaxed) {
                    curl.request(Method::GET, "/sign-in", &[version], None).await.assert_status(200);
                    let body = json!({"name": format!("Load {n}")}).to_string();
                    let made = curl.request(Method::POST, "/api/sso/v1/roles", &options, Some(body.into()));
                    made.await.assert_status(201);
                    let path = format!("/api/sso/v1/roles/load-{n}");
                    curl.request(Method::GET, &path, &options, None).await.assert_status(200);
                    curl.request(Method::DELETE, &path, &options, None).await.assert_status(204);
                    changes += 2;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                changes
            }));
        }
        load
    }

    /// Waits until each has done more than it could have had under way: what a proxy that reloads still sends as it
    /// was configured before has been answered then.
    async fn goes_on(&self) {
        let rounds = || self.done.iter().map(|done| done.load(Ordering::Relaxed));
        let enough: Vec<u64> = rounds().map(|before| before + 4).collect();
        until("the programs do nothing more", async || {
            let is_failed = self.programs.iter().any(tokio::task::JoinHandle::is_finished);
            is_failed || rounds().zip(&enough).all(|(now, enough)| now >= *enough)
        })
        .await;
    }

    /// How many changes were acknowledged. A request that failed is a panic of its program, which is passed on.
    async fn stop(self) -> i64 {
        self.ends.store(true, Ordering::Relaxed);
        let mut changes = 0;
        for program in self.programs {
            changes += program.await.unwrap();
        }
        changes
    }
}
