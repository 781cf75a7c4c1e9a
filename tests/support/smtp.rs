//! A real SMTP server (aiosmtpd, which `bin/test` installs), to be started, stopped and started again.

use super::{Certificate, Mailbox, until};
use std::{
    env,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

pub struct SmtpServer {
    process: Child,
    pub port: u16,
    pub mail: Mailbox,
}

impl SmtpServer {
    /// Listens on this port of 127.0.0.1 (see [`super::free_port`]) and keeps mail under `dir`.
    pub async fn start(port: u16, dir: &Path) -> Self {
        Self::start_with(&[], port, dir).await
    }

    /// One that demands TLS: from the start, or by STARTTLS.
    pub async fn encrypted(at_once: bool, with: &Certificate, port: u16, dir: &Path) -> Self {
        let names = if at_once { ["--smtpscert", "--smtpskey"] } else { ["--tlscert", "--tlskey"] };
        let files = [&with.certificate, &with.key].map(|path| path.to_str().unwrap());
        Self::start_with(&[names[0], files[0], names[1], files[1]], port, dir).await
    }

    async fn start_with(arguments: &[&str], port: u16, dir: &Path) -> Self {
        let python = env::var("BAILIWICK_TEST_AIOSMTPD").unwrap_or_else(|_| {
            panic!("BAILIWICK_TEST_AIOSMTPD is not set: run bin/test, which installs the mail server")
        });
        let kept = dir.join("smtp");
        let process = Command::new(python)
            .args(["-m", "aiosmtpd", "--nosetuid", "--smtputf8", "--listen", &format!("127.0.0.1:{port}")])
            .args(arguments)
            .args(["--class", "aiosmtpd.handlers.Mailbox"])
            .arg(&kept)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { process, port, mail: Mailbox::in_dir(kept) };
        until("the mail server does not listen", async || {
            assert!(server.process.try_wait().unwrap().is_none(), "the mail server ended at once");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        server
    }

    /// As `BAILIWICK_MAIL` takes it.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Goes down, keeping what came.
    pub fn stop(self) -> Mailbox {
        self.mail.clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[tokio::test]
async fn a_letter_over_smtp_arrives() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(super::free_port(), dir.path()).await;
    let mut talk = BufReader::new(tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    let letter = "To: owner-one@example.com\r\nSubject: Hello\r\n\r\nhttp://127.0.0.1/there\r\n.";
    let mut answer = String::new();
    talk.read_line(&mut answer).await.unwrap();
    for line in
        ["HELO test", "MAIL FROM:<a@example.com>", "RCPT TO:<owner-one@example.com>", "DATA", letter, "QUIT"]
    {
        talk.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        talk.read_line(&mut answer).await.unwrap();
    }
    let link = server.mail.wait_for("owner-one@example.com", "Hello").await.link("/there");
    assert_eq!(link, "http://127.0.0.1/there", "{answer}");
}
