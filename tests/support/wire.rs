//! A connection to the app that records what passes through it: every byte, headers too.

use super::{TestApp, until};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

/// Open until the test is over. The app's cookies are good here too: it is the same host.
pub struct Wire {
    address: SocketAddr,
    requests: Recorded,
    answers: Recorded,
    /// How many bytes of requests and of answers there were at the last [`Wire::take`].
    taken: Mutex<(usize, usize)>,
}

type Recorded = Arc<Mutex<Vec<u8>>>;

impl Wire {
    pub async fn to(app: &TestApp) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, server) = (listener.local_addr().unwrap(), app.address());
        let (requests, answers) = (Recorded::default(), Recorded::default());
        let wire =
            Self { address, requests: requests.clone(), answers: answers.clone(), taken: Mutex::default() };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (from_near, to_near) = near.into_split();
                let (from_far, to_far) = TcpStream::connect(server).await.unwrap().into_split();
                tokio::spawn(copy(from_near, to_far, requests.clone()));
                tokio::spawn(copy(from_far, to_near, answers.clone()));
            }
        });
        wire
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until this path was requested since the last [`Wire::take`], and every request is answered.
    pub async fn answered(&self, path: &str) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        until("not every request is answered", async || {
            let (requests, answers) = (self.requests.lock().unwrap(), self.answers.lock().unwrap());
            let sent = text(&requests).matches(" HTTP/1.1\r\n").count();
            text(&requests[self.taken.lock().unwrap().0..]).contains(path)
                && sent == text(&answers).matches("HTTP/1.1 ").count()
        })
        .await;
    }

    /// The bytes of the answers since the last call of this.
    pub fn take(&self) -> Vec<u8> {
        let (requests, answers) = (self.requests.lock().unwrap(), self.answers.lock().unwrap());
        let since = std::mem::replace(&mut *self.taken.lock().unwrap(), (requests.len(), answers.len()));
        answers[since.1..].to_vec()
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, recorded: Recorded) {
    let mut buffer = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        recorded.lock().unwrap().extend_from_slice(&buffer[..n]);
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
