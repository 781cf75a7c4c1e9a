//! Load on one server or on several in turns.

use crate::{
    Bench,
    client::{Answer, Client},
    cpu,
    data::Backend,
    server::Server,
};
use anyhow::{Result, ensure};
use bytes::Bytes;
use memchr::memmem;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep_until};

/// What is asked for, again and again.
pub enum Job {
    /// A page, on which this stands so many times.
    Page { path: String, mark: &'static str, times: usize },
    /// A question by JSON, the same each time, in whose answer this stands so many times.
    Question { path: String, body: String, mark: &'static str, times: usize },
    /// Changes: each connection has an address of its own and posts its two bodies in turns, so that
    /// every one of them changes something.
    Changes(Vec<Change>),
    /// Something that is sent through a gateway: connections take turns with the addresses and keys. The answer has a
    /// body of this length.
    Forwarded { sends: Vec<(String, Option<String>)>, body: Bytes, length: usize },
    /// Uses of one credit, each a request of its own: `run` and the number of the turn are its id.
    Uses { run: String, turn: AtomicU64 },
}

pub struct Change {
    pub path: String,
    pub bodies: [String; 2],
    turn: AtomicU64,
}

impl Change {
    pub fn new(path: String, bodies: [String; 2]) -> Self {
        Self { path, bodies, turn: AtomicU64::new(0) }
    }

    pub fn made(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }
}

impl Job {
    async fn once(&self, client: &mut Client, connection: usize) -> Result<()> {
        match self {
            Self::Page { path, mark, times } => {
                let answer = client.get(path).await?;
                check(path, &answer, mark, *times, client.encodings.is_empty())
            }
            Self::Question { path, body, mark, times } => {
                let answer = client.post(path, body.clone()).await?;
                check(path, &answer, mark, *times, true)
            }
            Self::Forwarded { sends, body, length } => {
                let (path, key) = &sends[connection % sends.len()];
                let answer = client.forward(path, key.as_deref(), body).await?;
                ensure!(answer.status == 200, "{path} answers {}: {}", answer.status, answer.text());
                let got = answer.body.len();
                ensure!(got == *length, "{path} answers with {got} bytes instead of {length}");
                Ok(())
            }
            Self::Uses { run, turn } => {
                let number = turn.fetch_add(1, Ordering::Relaxed);
                let body = format!("{{\"id\": \"{run}-{number}\", \"amount\": 1}}");
                let answer = client.post("/api/sso/v1/credits/usage", body).await?;
                ensure!(answer.status == 200, "using credits answers {}: {}", answer.status, answer.text());
                Ok(())
            }
            Self::Changes(changes) => {
                let change = &changes[connection];
                let turn = change.turn.fetch_add(1, Ordering::Relaxed);
                let answer =
                    client.post(&change.path, change.bodies[usize::from(turn % 2 == 1)].clone()).await?;
                ensure!(
                    answer.status == 303,
                    "POST {} answers {}: {}",
                    change.path,
                    answer.status,
                    answer.text()
                );
                Ok(())
            }
        }
    }
}

fn check(path: &str, answer: &Answer, mark: &str, times: usize, is_plain: bool) -> Result<()> {
    ensure!(answer.status == 200, "{path} answers {}: {}", answer.status, answer.text());
    if is_plain {
        let found = count(answer, mark);
        ensure!(found == times, "{path} has {found} times {mark} instead of {times}");
    }
    Ok(())
}

pub fn count(answer: &Answer, mark: &str) -> usize {
    memmem::find_iter(&answer.body, mark).count()
}

/// What one stretch of load came to.
#[derive(Default)]
pub struct Sample {
    pub requests: u64,
    pub wall: Duration,
    pub server: Duration,
    pub database: Duration,
    /// In microseconds.
    pub latencies: Vec<u32>,
}

/// One thing to measure beside others.
pub struct Lane<'a> {
    pub name: String,
    pub server: &'a Server,
    pub client: Client,
    pub job: Arc<Job>,
    pub connections: usize,
}

impl Lane<'_> {
    /// Loads the server for a while. Each connection ends with the request that it has begun.
    pub async fn run(&self, bench: &Bench, backend: Backend, during: Duration) -> Result<Sample> {
        let mut clients = Vec::new();
        for _ in 0..self.connections {
            clients.push(self.client.twin().await?);
        }
        let database = || match (backend, bench.cli.postmaster) {
            (Backend::Postgres, Some(postmaster)) => cpu::of_postgres(postmaster),
            _ => Ok(Duration::ZERO),
        };
        let (server_before, database_before) = (cpu::of_process(self.server.pid)?, database()?);
        let began = Instant::now();
        let mut running = JoinSet::new();
        for (connection, mut client) in clients.into_iter().enumerate() {
            let job = self.job.clone();
            running.spawn(async move {
                let mut latencies = Vec::new();
                while began.elapsed() < during {
                    let sent = Instant::now();
                    job.once(&mut client, connection).await?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros())?);
                }
                anyhow::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            latencies.extend(done??);
        }
        Ok(Sample {
            requests: latencies.len() as u64,
            wall: began.elapsed(),
            server: cpu::of_process(self.server.pid)?.saturating_sub(server_before),
            database: database()?.saturating_sub(database_before),
            latencies,
        })
    }
}

impl Lane<'_> {
    /// Sends so many requests a second, whether those before are answered or not. The latencies are from the moment at
    /// which each was to be sent, so that what waits for others counts.
    pub async fn at_rate(&self, per_second: u32, during: Duration) -> Result<Vec<u32>> {
        let mut clients = VecDeque::new();
        for _ in 0..self.connections {
            clients.push_back(self.client.twin().await?);
        }
        // The one that was used longest ago goes first: a server closes what it hears nothing from for some seconds.
        let idle = Arc::new(Mutex::new(clients));
        let began = Instant::now() + Duration::from_millis(20);
        let mut running = JoinSet::new();
        for number in 0..(during.as_secs_f64() * f64::from(per_second)) as u32 {
            let (job, idle, more) = (self.job.clone(), idle.clone(), self.client.address());
            let due = began + Duration::from_secs(1) * number / per_second;
            running.spawn(async move {
                sleep_until(due.into()).await;
                let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let mut client = match kept {
                    Some(client) => client,
                    None => Client::connect(more).await?,
                };
                job.once(&mut client, number as usize).await?;
                let took = due.elapsed();
                idle.lock().unwrap_or_else(PoisonError::into_inner).push_back(client);
                anyhow::Ok(u32::try_from(took.as_micros())?)
            });
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            latencies.push(done??);
        }
        Ok(latencies)
    }
}

/// The rounds of one lane.
pub struct Measured {
    pub name: String,
    samples: Vec<Sample>,
}

/// Loads all lanes in turns, so that whatever else happens on the machine meets them all.
pub async fn in_turns(bench: &Bench, backend: Backend, lanes: &[Lane<'_>]) -> Result<Vec<Measured>> {
    let mut all: Vec<Measured> =
        lanes.iter().map(|lane| Measured { name: lane.name.clone(), samples: Vec::new() }).collect();
    for lane in lanes {
        eprintln!("{backend}: {}", lane.name);
        lane.run(bench, backend, bench.plan.round / 4).await?;
    }
    for round in 0..bench.plan.rounds {
        let mut order: Vec<usize> = (0..lanes.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for lane in order {
            all[lane].samples.push(lanes[lane].run(bench, backend, bench.plan.round).await?);
        }
    }
    Ok(all)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// In milliseconds.
pub fn percentile(latencies: &mut [u32], part: f64) -> f64 {
    latencies.sort_unstable();
    let place = (latencies.len() as f64 * part) as usize;
    latencies
        .get(place.min(latencies.len().saturating_sub(1)))
        .map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
}

impl Measured {
    fn of(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(value).collect())
    }

    /// CPU of the database a request, in microseconds.
    pub fn database(&self) -> f64 {
        self.of(|sample| sample.database.as_secs_f64() * 1e6 / sample.requests as f64)
    }

    /// CPU of server and database a request, in microseconds.
    pub fn cpu(&self) -> f64 {
        self.of(|sample| (sample.server + sample.database).as_secs_f64() * 1e6 / sample.requests as f64)
    }

    pub fn per_second(&self) -> f64 {
        self.of(|sample| sample.requests as f64 / sample.wall.as_secs_f64())
    }

    pub fn requests(&self) -> u64 {
        self.samples.iter().map(|sample| sample.requests).sum()
    }

    /// Over all rounds, in milliseconds.
    pub fn latency(&self, part: f64) -> f64 {
        let mut all: Vec<u32> =
            self.samples.iter().flat_map(|sample| sample.latencies.iter().copied()).collect();
        percentile(&mut all, part)
    }
}
