//! Connections that take and give nothing: responses that nobody reads, pipelined, and connections without a
//! request. How much memory they hold, and when they are gone.

use crate::{Bench, cpu, data::Data, report, server::Server};
use anyhow::{Result, ensure};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

/// Requests that each of them sends at once.
const PIPELINED: usize = 30;

/// From as many networks, so that the limit of each is not what is measured.
const NETWORKS: usize = 250;

/// The longest answer that needs no sign-in.
const PATH: &str = "/openapi.json";

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let many = bench.plan.idle;
    report::heading(&format!("{}: {many} connections that nobody reads from", data.backend));
    report::head(&[
        "",
        "opened",
        "at most MiB (goal 256)",
        "open after 60 s (goal 0)",
        "a page meanwhile, ms",
    ]);
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(PIPELINED);
    for (name, request) in [("30 pipelined requests, unread", request.as_str()), ("no request", "")] {
        eprintln!("{}: {name}", data.backend);
        let server = Server::ours(bench, &data.ours).await?;
        let began = Instant::now();
        let mut held = Vec::new();
        let mut most: f64 = 0.0;
        for number in 0..many {
            held.extend(open(server.address, number, request).await);
            if number % 100 == 0 {
                most = most.max(cpu::memory(server.pid)?.0);
            }
        }
        let opened = held.len();
        let page = Instant::now();
        let answer = timeout(Duration::from_secs(60), crate::client::Client::connect(server.address)).await;
        let page = match answer {
            Ok(Ok(mut client)) => {
                client.get("/sign-in").await.map(|_| page.elapsed().as_secs_f64() * 1e3).ok()
            }
            _ => None,
        };
        while began.elapsed() < Duration::from_secs(60) {
            most = most.max(cpu::memory(server.pid)?.0);
            sleep(Duration::from_millis(200)).await;
        }
        let open = established(server.pid, server.address)?;
        report::row(&[
            name.into(),
            opened.to_string(),
            format!("**{most:.0}**"),
            open.to_string(),
            page.map_or_else(|| "none".to_owned(), |ms| format!("{ms:.0}")),
        ]);
    }
    Ok(())
}

/// One connection with its request sent, from one of the networks; `None` if the server does not take it.
async fn open(server: SocketAddr, number: usize, request: &str) -> Option<TcpStream> {
    let network = u8::try_from(number % NETWORKS + 1).ok()?;
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind((Ipv4Addr::new(127, 90, network, 1), 0).into()).ok()?;
    let mut stream = timeout(Duration::from_secs(2), socket.connect(server)).await.ok()?.ok()?;
    timeout(Duration::from_secs(1), stream.write_all(request.as_bytes())).await.ok()?.ok()?;
    Some(stream)
}

/// The sockets that the server has open, its listeners aside.
fn established(pid: u32, server: SocketAddr) -> Result<usize> {
    let port = format!(":{:04X}", server.port());
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp"))?;
    ensure!(table.lines().count() > 1, "no sockets in /proc");
    // Local address, remote address, state: 01 is established, 08 is left by the client alone.
    let is_open = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|local| local.ends_with(&port))
            && matches!(fields.get(3), Some(&"01" | &"08"))
    };
    Ok(table.lines().filter(is_open).count())
}
