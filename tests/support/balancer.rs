//! A plain round-robin before several nodes: each request goes to the next one, whatever connection
//! or cookie it comes with.

use super::{TestApp, WAIT_TIMEOUT};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

/// Open until the test is over.
pub struct Balancer {
    address: SocketAddr,
    nodes: Arc<Mutex<Nodes>>,
}

#[derive(Default)]
struct Nodes {
    /// Each node with the number of requests it received.
    served: Vec<(SocketAddr, u64)>,
}

const MAX_HEAD: usize = 64 * 1024;

impl Balancer {
    /// Listens, with no nodes behind it yet: they must know its address before they start.
    pub async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let nodes = Arc::new(Mutex::new(Nodes::default()));
        let behind = Arc::clone(&nodes);
        tokio::spawn(async move {
            while let Ok((near, from)) = listener.accept().await {
                let behind = Arc::clone(&behind);
                tokio::spawn(tokio::time::timeout(WAIT_TIMEOUT, async move {
                    pass_on(near, from.ip(), || behind.lock().unwrap().next()).await
                }));
            }
        });
        Self { address, nodes }
    }

    pub fn spread_over(&self, nodes: &[&TestApp]) {
        self.nodes.lock().unwrap().served = nodes.iter().map(|node| (node.address(), 0)).collect();
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests each node received.
    pub fn served(&self) -> Vec<u64> {
        self.nodes.lock().unwrap().served.iter().map(|(_, requests)| *requests).collect()
    }
}

impl Nodes {
    /// The node that received the fewest requests; the first one if there are several.
    fn next(&mut self) -> SocketAddr {
        let node =
            self.served.iter_mut().min_by_key(|(_, requests)| *requests).expect("nodes to spread over");
        node.1 += 1;
        node.0
    }
}

/// Hands one request to a node and the answer back. Both sides close the connection after it,
/// so the next request comes on another.
async fn pass_on(near: TcpStream, from: IpAddr, next: impl FnOnce() -> SocketAddr) -> io::Result<()> {
    let (mut from_near, mut to_near) = near.into_split();
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let n = from_near.read_buf(&mut head).await?;
        if n == 0 || head.len() > MAX_HEAD {
            return Ok(());
        }
    };
    let body = head.split_off(end);
    let head = String::from_utf8_lossy(&head);
    let kept = head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !line.is_empty() && name != "connection"
    });
    let added = [format!("X-Forwarded-For: {from}"), "Connection: close\r\n\r\n".to_owned()];
    let head = kept.map(str::to_owned).chain(added).collect::<Vec<_>>().join("\r\n");
    let (mut from_far, mut to_far) = TcpStream::connect(next()).await?.into_split();
    to_far.write_all(head.as_bytes()).await?;
    to_far.write_all(&body).await?;
    let rest = tokio::spawn(async move { copy(&mut from_near, &mut to_far).await });
    let answered = copy(&mut from_far, &mut to_near).await;
    rest.abort();
    answered.map(drop)
}
