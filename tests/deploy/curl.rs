//! A client that is none of ours, and speaks TLS and HTTP/2: curl.

use crate::support::*;
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};
use tempfile::TempDir;
use url::Url;

/// What every request claims to be its address.
pub const ELSEWHERE: &str = "203.0.113.9";

/// A person's browser, or a program, on a computer of its own.
pub struct Curl {
    base: Url,
    port: u16,
    certificate: PathBuf,
    /// The address of its computer, one of 127.0.0.0/8.
    pub from: IpAddr,
    dir: TempDir,
}

impl Curl {
    /// Opens this base URL at the port of this machine, and trusts this certificate.
    pub fn new(base: &str, port: u16, certificate: PathBuf) -> Self {
        // No other test's client has such an address, and none is the beginning of another.
        static NEXT: AtomicU8 = AtomicU8::new(100);
        let from = Ipv4Addr::new(127, 200, 7, NEXT.fetch_add(1, Ordering::Relaxed)).into();
        Self { base: base.parse().unwrap(), port, certificate, from, dir: tempfile::tempdir().unwrap() }
    }

    /// A GET; redirects are not followed.
    pub async fn get(&self, path: &str) -> Page {
        self.request(Method::GET, path, &[], None).await
    }

    /// Opens the page and follows redirects. The status must then be 200.
    pub async fn visit(&self, path: &str) -> Page {
        let mut page = self.get(path).await;
        while page.status.is_redirection() {
            page = self.get(&page.location()).await;
        }
        page.with_status(200)
    }

    /// Fills in the form of the page and sends it, as a browser does.
    pub async fn submit(&self, page: &Page, which: &str, fields: &[(&str, &str)]) -> Page {
        let form = page.form(which).fill(fields);
        let mut sent = url::form_urlencoded::Serializer::new(String::new());
        sent.extend_pairs(&form.fields);
        let origin = format!("origin: {}", self.base.as_str().trim_end_matches('/'));
        let headers = ["-H", &origin, "-H", "sec-fetch-site: same-origin"];
        self.request(Method::POST, &form.action, &headers, Some(sent.finish().into_bytes())).await
    }

    /// Sends the request with these options of curl. A body comes from a pipe, so curl does not know its length unless
    /// it reads it first: with `-T -` it does not.
    pub async fn request(&self, method: Method, path: &str, options: &[&str], body: Option<Vec<u8>>) -> Page {
        let url = self.base.join(path).unwrap();
        let heads = self.dir.path().join("heads");
        let mut command = self.command();
        command.args(["-X", method.as_str(), "-D"]).arg(&heads).args(options);
        if body.is_some() && !options.contains(&"-T") {
            command.args(["--data-binary", "@-"]);
        }
        command.arg(url.as_str());
        let done = tokio::task::spawn_blocking(move || run_with(command, body)).await.unwrap();
        let problem = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{method} {url}: {problem}");
        let (version, status, headers) = last_head(&std::fs::read_to_string(heads).unwrap());
        let is_first = url.scheme() == "http" || options.contains(&"--http1.1");
        assert_eq!(version, if is_first { "HTTP/1.1" } else { "HTTP/2" });
        Page { method, url, status, headers, html: String::from_utf8_lossy(&done.stdout).into_owned() }
    }

    fn command(&self) -> Command {
        let host = self.base.host_str().unwrap();
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "100", "--cacert"])
            .arg(&self.certificate)
            .args(["--resolve", &format!("{host}:{}:127.0.0.1", self.port)])
            .args(["--interface", &self.from.to_string()])
            .args([
                "-H",
                &format!("x-forwarded-for: {ELSEWHERE}"),
                "-H",
                &format!("forwarded: for={ELSEWHERE}"),
            ])
            .args(["--cookie", "jar", "--cookie-jar", "jar"])
            .current_dir(self.dir.path());
        command
    }
}

fn run_with(mut command: Command, body: Option<Vec<u8>>) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("curl is there");
    let mut stdin = child.stdin.take().unwrap();
    if let Some(body) = body {
        // A server may refuse a body before it is sent.
        stdin.write_all(&body).ok();
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The version, status and headers of the last response: others are interim ones.
fn last_head(heads: &str) -> (String, StatusCode, HeaderMap) {
    let head = heads.trim_end().split("\r\n\r\n").last().unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (version, status) = (first.next().unwrap(), first.next().unwrap().parse().unwrap());
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap())
    });
    (version, status, headers.collect())
}
