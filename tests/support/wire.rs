//! A wire to the app that remembers what came through it: every byte, headers too.

use super::TestApp;
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
    came: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub async fn to(app: &TestApp) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, server) = (listener.local_addr().unwrap(), app.address());
        let came = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (from_near, to_near) = near.into_split();
                let (from_far, to_far) = TcpStream::connect(server).await.unwrap().into_split();
                tokio::spawn(carry(from_near, to_far, None));
                tokio::spawn(carry(from_far, to_near, Some(Arc::clone(&kept))));
            }
        });
        Self { address, came }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came since this was asked last.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.came.lock().unwrap())
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, kept: Option<Arc<Mutex<Vec<u8>>>>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if let Some(kept) = &kept {
            kept.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
