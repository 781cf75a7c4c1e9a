//! A proxy that terminates TLS, with a certificate that nobody has to trust.

use super::{free_port, until};
use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Copies what each connection carries, both ways.
const PROXY: &str = "
import socket, ssl, sys, threading
name, port, app = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain('cert.pem', 'key.pem')
def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
def serve(near):
    try:
        near = tls.wrap_socket(near, server_side=True)
        far = socket.create_connection(('127.0.0.1', app))
    except OSError:
        return
    threading.Thread(target=copy, args=(near, far), daemon=True).start()
    copy(far, near)
listener = socket.create_server(('127.0.0.1', port), backlog=64)
while True:
    near, _ = listener.accept()
    threading.Thread(target=serve, args=(near,), daemon=True).start()
";

pub struct TlsFront {
    process: Child,
    name: String,
    port: u16,
    /// Where the app must listen.
    pub app_port: u16,
    _dir: TempDir,
}

impl TlsFront {
    /// Listens under this name, which only a [`super::Browser`] can look up.
    pub async fn open(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        certify(name, dir.path());
        let (port, app_port) = (free_port(), free_port());
        let process = Command::new("python3")
            .args(["-c", PROXY, name, &port.to_string(), &app_port.to_string()])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("python3 is there");
        let mut front = Self { process, name: name.to_owned(), port, app_port, _dir: dir };
        until("the proxy does not listen", async || {
            assert!(front.process.try_wait().unwrap().is_none(), "the proxy ended at once");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        front
    }

    pub fn url(&self) -> String {
        format!("https://{}:{}", self.name, self.port)
    }
}

fn certify(name: &str, dir: &Path) {
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem"])
        .args(["-out", "cert.pem", "-subj", &format!("/CN={name}")])
        .args(["-addext", &format!("subjectAltName=DNS:{name}")])
        .current_dir(dir)
        .output()
        .expect("openssl is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
