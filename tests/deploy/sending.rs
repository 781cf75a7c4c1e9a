//! nginx that asks Bailiwick before it sends a request by itself, with the configuration of `docs/deploy`.

use super::proxy::{Documented, certify, documented, succeed};
use crate::support::*;
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::json;
use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command},
};
use tempfile::TempDir;

const HOST: &str = "api.example.com";

/// nginx before an upstream. Stopped when dropped.
struct Nginx {
    process: Child,
    port: u16,
    dir: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

impl Nginx {
    async fn start(app: &TestApp, upstream: &Upstream) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        certify(dir.path());
        let at = dir.path().display().to_string();
        let site: Documented = documented("nginx-send.conf")
            .swap("listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;"))
            .swap("10.0.0.11:8000", &app.address().to_string())
            .swap("resolver 127.0.0.53;", &format!("resolver {} ipv6=off;", upstream.dns.address))
            // The upstream of the test is at another port.
            .swap(
                "proxy_pass https://$send_host$send_path;",
                &format!("proxy_pass https://$send_host:{}$send_path;", upstream.address.port()),
            )
            .swap("/etc/ssl/certs/ca-certificates.crt", &upstream.root().display().to_string())
            .swap("/etc/ssl/bailiwick", &at);
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("    {kind}_temp_path {at}/{kind};\n")).concat();
        let text = format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {at}/pid;\nevents {{ worker_connections 64; }}\n\
             http {{\n    access_log off;\n{temporary}{}\n}}\n",
            site.0
        );
        fs::write(dir.path().join("nginx.conf"), text).unwrap();
        succeed(&mut Self::command(dir.path(), &["-t"]));
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Self::command(dir.path(), &[]);
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let nginx = Self { process, port, dir };
        until("nginx does not listen", async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        nginx
    }

    fn command(dir: &Path, options: &[&str]) -> Command {
        // Debian keeps servers where only root looks for them.
        let in_sbin = Path::new("/usr/sbin/nginx");
        let mut command = Command::new(if in_sbin.exists() { in_sbin } else { Path::new("nginx") });
        command.current_dir(dir).args(["-e", "stderr", "-p", ".", "-c", "nginx.conf"]).args(options);
        command
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, String) {
        let resolve = format!("out.example.com:{}:127.0.0.1", self.port);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-k", "-i", "--http1.1", "--path-as-is", "--noproxy", "*", "--resolve", &resolve]);
        curl.args(["-X", method.as_str()]);
        for (name, value) in headers {
            curl.args(["-H", &format!("{name}: {value}")]);
        }
        curl.arg(format!("https://out.example.com:{}{path}", self.port));
        let done = tokio::task::spawn_blocking(move || curl.output()).await.unwrap().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{:?}", done.stderr));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        (status, HeaderMap::from_iter(fields.collect::<Vec<(HeaderName, HeaderValue)>>()), body.to_owned())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// One request after another: allowed, and refused for each reason. What is refused never reaches the host.
async fn nginx_sends_what_bailiwick_allows(backend: Backend) {
    let upstream = Upstream::open(&[HOST, "other.example.com"]).await;
    let app = TestApp::on(backend).spawn().await;
    new_owner(&app).await;
    let owner = workspace_key(&app, "acme", &["owner"]).await;
    owner.post("/api/sso/v1/destinations", &json!({"host": HOST})).await.with_status(201);
    let (_, _, secret) = add_key(&app, "acme", "Sender", &["developer"]).await;
    let (_, _, viewer) = add_key(&app, "acme", "Viewer", &["viewer"]).await;
    let nginx = Nginx::start(&app, &upstream).await;
    upstream.answer(|_| Reply::new(200, &[("set-cookie", "a=b"), ("x-answer", "yes")], b"hello"));

    let key = ("x-bailiwick-key", secret.as_str());
    let headers = [key, ("authorization", "Bearer of-the-provider"), ("cookie", "session=1")];
    let (status, answer, text) =
        nginx.send(Method::POST, "/acme/api.example.com/v1/a%2Fb?x=1", &headers).await;
    assert_eq!((status.as_u16(), text.as_str()), (200, "hello"), "{}", nginx.log());
    assert!(answer.contains_key("x-answer") && !answer.contains_key("set-cookie"));
    let received = upstream.take_requests();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("POST", "/v1/a%2Fb?x=1"));
    assert_eq!(received[0].header("authorization"), Some("Bearer of-the-provider"));
    assert!(received[0].header("cookie").is_none() && !received[0].head.contains(&secret));

    let refused = [
        (401, "/acme/api.example.com/", vec![]),
        (401, "/acme/api.example.com/", vec![("x-bailiwick-key", "blw_key_nothing")]),
        (403, "/acme/api.example.com/", vec![("x-bailiwick-key", viewer.as_str())]),
        (403, "/acme/other.example.com/", vec![key]),
        (403, "/elsewhere/api.example.com/", vec![key]),
        (404, "/acme/api.example.com:22/", vec![key]),
        (404, "/acme/", vec![key]),
        (404, "/_send", vec![key]),
    ];
    for (expected, path, headers) in &refused {
        let (status, ..) = nginx.send(Method::GET, path, headers).await;
        // A workspace that the key is no member of is 404 to nginx, which answers 500: nothing is sent either.
        let expected = if path.starts_with("/elsewhere") { 500 } else { *expected };
        assert_eq!(status.as_u16(), expected, "{path} {}", nginx.log());
    }
    app.execute("UPDATE destinations SET paused_at = 1").await;
    let (status, ..) = nginx.send(Method::GET, "/acme/api.example.com/", &[key]).await;
    assert_eq!(status.as_u16(), 403);
    assert!(upstream.take_requests().is_empty());
}

#[test]
fn nginx_asks_before_it_sends() {
    run(nginx_sends_what_bailiwick_allows(Backend::Sqlite));
}
