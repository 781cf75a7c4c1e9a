//! A mail server that misbehaves as its recipients' names say.

use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

#[derive(Default)]
struct State {
    /// The recipients of the messages that were accepted.
    accepted: Vec<String>,
    /// Connections that wait for a reply which never comes.
    hanging: usize,
    /// `refused…` is accepted too.
    is_lenient: bool,
}

/// Refuses `refused…@…` with 550, and those of [`UNREADABLE`] each in its way; says nothing to `hanging…@…`, and accepts the
/// others.
#[derive(Clone)]
pub struct ScriptedSmtp {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

/// The bytes of a refusal.
pub type Refusal = fn() -> Vec<u8>;

/// Recipients by how their names begin, and refusals that are hard to read.
pub const UNREADABLE: [(&str, Refusal); 7] = [
    ("latin", || b"550 5.1.1 Ung\xfcltiger Empf\xe4nger\r\n".to_vec()),
    ("control", || "550 no\u{1b}]0;owned\u{7} such \u{202e}person\r\n".into()),
    ("long", || [b"550 ", "no ".repeat(1_000_000).as_bytes(), b"\r\n"].concat()),
    ("many", || [b"550-no\r\n".repeat(50_000), b"550 no\r\n".to_vec()].concat()),
    ("odd", || b"571 5.7.1 Not allowed here\r\n".to_vec()),
    ("bare", || b"550\r\n".to_vec()),
    ("mixed", || b"550-5.1.1 No such\r\n554 person\r\n".to_vec()),
];

impl ScriptedSmtp {
    /// Open until the test is over.
    pub async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.talk(stream).await.ok() });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// From now on it refuses nobody.
    pub fn relent(&self) {
        self.state.lock().unwrap().is_lenient = true;
    }

    pub fn hanging(&self) -> usize {
        self.state.lock().unwrap().hanging
    }

    /// How many messages to this address were accepted.
    pub fn accepted(&self, recipient: &str) -> usize {
        self.state.lock().unwrap().accepted.iter().filter(|one| *one == recipient).count()
    }

    async fn talk(&self, stream: TcpStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 scripted\r\n").await?;
        let mut recipient = String::new();
        while let Some(line) = lines.next_line().await? {
            let command = line.to_ascii_uppercase();
            let reply = if command.starts_with("RCPT TO:") {
                recipient = line[8..].trim().trim_matches(['<', '>']).to_owned();
                if recipient.starts_with("hanging") {
                    return self.hang(lines.into_inner()).await;
                }
                if let Some((_, reply)) = UNREADABLE.iter().find(|(name, _)| recipient.starts_with(name)) {
                    writer.write_all(&reply()).await?;
                    continue;
                }
                let is_refused = recipient.starts_with("refused") && !self.state.lock().unwrap().is_lenient;
                if is_refused { "550 5.1.1 No such person here" } else { "250 ok" }
            } else if command == "DATA" {
                writer.write_all(b"354 go on\r\n").await?;
                while lines.next_line().await?.is_some_and(|line| line != ".") {}
                self.state.lock().unwrap().accepted.push(recipient.clone());
                "250 taken"
            } else if command == "QUIT" {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            } else {
                "250 ok"
            };
            writer.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
        Ok(())
    }

    /// Says nothing until the other side hangs up.
    async fn hang(&self, mut reader: impl AsyncReadExt + Unpin) -> io::Result<()> {
        self.state.lock().unwrap().hanging += 1;
        let ended = reader.read_to_end(&mut Vec::new()).await;
        self.state.lock().unwrap().hanging -= 1;
        ended.map(drop)
    }
}
