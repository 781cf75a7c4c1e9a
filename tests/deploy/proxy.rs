//! nginx, Caddy and HAProxy, as `docs/deploy` configures them.

use crate::support::*;
use std::{
    fmt, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// The name in the configurations.
pub const HOST: &str = "access.example.com";
/// The nodes in the configurations.
const NODES: [&str; 2] = ["10.0.0.11:8000", "10.0.0.12:8000"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    HaProxy,
}

/// A proxy in front of two nodes. Stopped when dropped.
pub struct Proxy {
    kind: Kind,
    process: Option<Child>,
    /// By https.
    pub port: u16,
    /// By http.
    pub plain_port: u16,
    dir: TempDir,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Proxy {
    /// Chooses ports, which the nodes must know before they start.
    pub fn new(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        certify(dir.path());
        Self { kind, process: None, port: free_port(), plain_port: free_port(), dir }
    }

    /// What people open.
    pub fn url(&self) -> String {
        format!("https://{HOST}:{}", self.port)
    }

    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("fullchain.pem")
    }

    /// Checks the configuration with the proxy's own command, starts it, and waits until it serves.
    pub async fn start(&mut self, nodes: [SocketAddr; 2]) {
        self.write(nodes, None);
        self.check();
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        let mut command = match self.kind {
            Kind::Nginx => self.program("nginx", &["-e", "stderr", "-p", ".", "-c", "nginx.conf"]),
            Kind::Caddy => self.program("caddy", &["run", "--config", "Caddyfile", "--adapter", "caddyfile"]),
            Kind::HaProxy => self.program("haproxy", &["-db", "-f", "haproxy.cfg"]),
        };
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        until("the proxy does not listen", async || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{} ended at once:\n{}", self.kind, self.log());
            let ports = [self.port, self.plain_port];
            ports.into_iter().all(|port| TcpStream::connect(("127.0.0.1", port)).is_ok())
        })
        .await;
    }

    /// What the documents call taking a node out of the proxy: it gets no new requests from then on.
    pub async fn take_out(&self, nodes: [SocketAddr; 2], out: usize) {
        let workers = self.children();
        match self.kind {
            Kind::HaProxy => self.tell_haproxy(&format!("set server bailiwick/{} state drain", name(out))),
            _ => self.reload(nodes, Some(out)),
        }
        if self.kind == Kind::Nginx {
            // The command does not wait for the workers with the old configuration.
            until("the workers with the old configuration do not end", async || {
                let now = self.children();
                !workers.iter().any(|worker| now.contains(worker))
            })
            .await;
        }
    }

    /// Puts it back; its address may be another one.
    pub fn put_back(&self, nodes: [SocketAddr; 2], back: usize) {
        if self.kind != Kind::HaProxy {
            return self.reload(nodes, None);
        }
        let (server, address) = (format!("bailiwick/{}", name(back)), nodes[back]);
        self.tell_haproxy(&format!("set server {server} addr {} port {}", address.ip(), address.port()));
        self.tell_haproxy(&format!("set server {server} state ready"));
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn reload(&self, nodes: [SocketAddr; 2], out: Option<usize>) {
        self.write(nodes, out);
        let mut command = match self.kind {
            Kind::Nginx => {
                self.program("nginx", &["-e", "stderr", "-p", ".", "-c", "nginx.conf", "-s", "reload"])
            }
            _ => {
                let admin = format!("unix/{}", self.dir.path().join("admin").display());
                self.program(
                    "caddy",
                    &["reload", "--config", "Caddyfile", "--adapter", "caddyfile", "--address", &admin],
                )
            }
        };
        succeed(&mut command);
    }

    /// The ids of the processes that it started.
    fn children(&self) -> Vec<String> {
        let id = self.process.as_ref().unwrap().id();
        let ids = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        ids.split_whitespace().map(str::to_owned).collect()
    }

    fn check(&self) {
        succeed(&mut match self.kind {
            Kind::Nginx => self.program("nginx", &["-e", "stderr", "-t", "-p", ".", "-c", "nginx.conf"]),
            Kind::Caddy => {
                self.program("caddy", &["validate", "--config", "Caddyfile", "--adapter", "caddyfile"])
            }
            Kind::HaProxy => self.program("haproxy", &["-c", "-f", "haproxy.cfg"]),
        });
    }

    /// Writes the configuration of the documents for these nodes.
    fn write(&self, nodes: [SocketAddr; 2], out: Option<usize>) {
        let text = match self.kind {
            Kind::Nginx => self.nginx(out),
            Kind::Caddy => self.caddy(out),
            Kind::HaProxy => self.haproxy(),
        };
        let text = text.replace(NODES[0], &nodes[0].to_string()).replace(NODES[1], &nodes[1].to_string());
        let name = match self.kind {
            Kind::Nginx => "nginx.conf",
            Kind::Caddy => "Caddyfile",
            Kind::HaProxy => "haproxy.cfg",
        };
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn nginx(&self, out: Option<usize>) -> String {
        let dir = self.dir.path().display();
        let mut site = documented("nginx.conf")
            .swap("listen 80;", &format!("listen 127.0.0.1:{};", self.plain_port))
            .swap("listen [::]:80;", "")
            .swap("listen 443 ssl http2;", &format!("listen 127.0.0.1:{} ssl http2;", self.port))
            .swap("listen [::]:443 ssl http2;", "")
            .swap("/etc/ssl/bailiwick", &dir.to_string());
        if let Some(out) = out {
            site = site.swap(&format!("{} max_fails", NODES[out]), &format!("{} down max_fails", NODES[out]));
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String =
            temporary.map(|kind| format!("    {kind}_temp_path {dir}/{kind};\n")).concat();
        format!(
            "daemon off;\nuser root;\nworker_processes 2;\npid {dir}/pid;\nevents {{ worker_connections 256; }}\n\
             http {{\n{temporary}{}\n}}\n",
            site.0
        )
    }

    fn caddy(&self, out: Option<usize>) -> String {
        let dir = self.dir.path().display();
        let mut site = documented("Caddyfile").swap(
            &format!("{HOST} {{"),
            &format!("{} {{\n\ttls {dir}/fullchain.pem {dir}/privkey.pem", self.url()),
        );
        if let Some(out) = out {
            site = site.swap(&format!(" {}", NODES[out]), "");
        }
        format!(
            "{{\n\tadmin unix/{dir}/admin\n\thttp_port {}\n\tdefault_bind 127.0.0.1\n}}\n{}",
            self.plain_port, site.0
        )
    }

    fn haproxy(&self) -> String {
        let dir = self.dir.path().display().to_string();
        documented("haproxy.cfg")
            .swap("bind :::80 v4v6", &format!("bind 127.0.0.1:{}", self.plain_port))
            .swap("bind :::443 v4v6", &format!("bind 127.0.0.1:{}", self.port))
            .swap(&format!("/etc/ssl/bailiwick/{HOST}.pem"), &format!("{dir}/both.pem"))
            .swap("    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n", "")
            .swap("stats socket /run/haproxy", &format!("stats socket {dir}"))
            .0
    }

    fn tell_haproxy(&self, command: &str) {
        let mut socket = UnixStream::connect(self.dir.path().join("admin.sock")).unwrap();
        writeln!(socket, "{command}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let refused = ["Unknown", "No such", "Require", "Invalid", "Permission"].iter();
        assert!(!refused.clone().any(|word| answer.contains(word)), "{command}: {answer}");
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        // Debian keeps servers where only root looks for them.
        let in_sbin = Path::new("/usr/sbin").join(name);
        let mut command = Command::new(if in_sbin.exists() { in_sbin } else { name.into() });
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("HOME", self.dir.path()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        command
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // nginx ends its workers only if it is asked to end.
        Command::new("kill").arg(process.id().to_string()).status().ok();
        process.wait().ok();
        if std::thread::panicking() {
            eprintln!("{} wrote:\n{}", self.kind, self.log());
        }
    }
}

/// A configuration of the documents.
pub struct Documented(pub String);

pub fn documented(name: &str) -> Documented {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy").join(name);
    Documented(fs::read_to_string(path).unwrap())
}

impl Documented {
    /// Replaces what must be there.
    pub fn swap(self, old: &str, new: &str) -> Self {
        assert!(self.0.contains(old), "{old:?} is not in the documented configuration:\n{}", self.0);
        Self(self.0.replace(old, new))
    }
}

fn name(node: usize) -> &'static str {
    ["one", "two"][node]
}

pub fn succeed(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}:\n{out}{err}");
}

pub fn certify(dir: &Path) {
    succeed(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "privkey.pem"])
            .args(["-out", "fullchain.pem", "-subj", &format!("/CN={HOST}")])
            .args(["-addext", &format!("subjectAltName=DNS:{HOST}")])
            .current_dir(dir),
    );
    let part = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    fs::write(dir.join("both.pem"), format!("{}{}", part("fullchain.pem"), part("privkey.pem"))).unwrap();
}
