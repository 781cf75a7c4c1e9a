//! Serves saved answers to a browser, under addresses of the test's choosing.

use super::Page;
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What decides how a browser shows an answer.
const KEPT: &[&str] = &["content-type", "content-security-policy", "cache-control"];

/// Serves until the test is over.
pub struct Exhibit {
    address: SocketAddr,
}

impl Exhibit {
    /// Each answer under its path, such as `/sign-in`.
    pub async fn open(answers: Arc<HashMap<String, Page>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move { answer(stream, &answers).await.ok() });
            }
        });
        Self { address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn answer(stream: TcpStream, answers: &HashMap<String, Page>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut line = String::from("a header");
    while !line.trim().is_empty() {
        line.clear();
        stream.read_line(&mut line).await?;
    }
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let text = match answers.get(path) {
        Some(page) => {
            let header = |name: &&str| page.header(name).map(|value| format!("{name}: {value}\r\n"));
            let headers: String = KEPT.iter().filter_map(header).collect();
            let (status, body) = (page.status, &page.html);
            format!(
                "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
    };
    stream.write_all(text.as_bytes()).await
}
