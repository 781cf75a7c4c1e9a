//! Measures Bailiwick beside the ceiling. `bench/run` builds everything and calls this; what comes
//! out on stdout is Markdown.

mod activity;
mod changes;
mod client;
mod cpu;
mod data;
mod decisions;
mod deliveries;
mod destinations;
mod export;
mod gateway;
mod growth;
mod hung;
mod ledger;
mod load;
mod members;
mod neighbours;
mod plan;
mod report;
mod server;
mod start;
mod storm;
mod unread;
mod upstream;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use data::{Backend, Data, Group};
use plan::Plan;
use std::path::PathBuf;
use tokio::{
    process::Command,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
};

#[derive(Parser)]
pub struct Cli {
    /// The product's binary.
    #[arg(long)]
    pub ours: PathBuf,
    /// The ceiling's binary.
    #[arg(long)]
    pub ceiling: PathBuf,
    /// The forwarder's binary.
    #[arg(long)]
    pub forwarder: PathBuf,
    /// Where data and logs are kept.
    #[arg(long)]
    pub dir: PathBuf,
    /// `postgres://user@host:port` of a PostgreSQL that nothing else uses.
    #[arg(long)]
    pub postgres: Option<String>,
    /// The process of that PostgreSQL.
    #[arg(long)]
    pub postmaster: Option<u32>,
    /// Small data and short rounds, to see that everything works.
    #[arg(long)]
    pub quick: bool,
    /// `members`, `changes`, `activity`, `storm`, `start`, `decisions`, `neighbours`, `unread`, `gateway`, `export`, `ledger` or
    /// `growth`, and `sqlite` or `postgres`.
    /// Without any, everything but `growth`.
    pub what: Vec<Word>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    Members,
    Changes,
    Activity,
    Storm,
    Start,
    Decisions,
    Neighbours,
    Unread,
    Gateway,
    Export,
    Ledger,
    Growth,
    Sqlite,
    Postgres,
}

pub struct Bench {
    pub cli: Cli,
    pub plan: Plan,
}

impl Bench {
    fn has(&self, word: Word) -> bool {
        self.cli.what.contains(&word)
    }

    /// What every process of ours is told. The log is at its default, and goes to a file.
    pub fn settings(&self, command: &mut Command) {
        command
            .env("BAILIWICK_SECRET_KEY", "07".repeat(32))
            .env("BAILIWICK_DATA_DIR", self.cli.dir.join("data"))
            .env("BAILIWICK_MAIL", format!("file:{}", self.cli.dir.join("mail").display()));
    }

    /// How many workspaces, people and events there are.
    fn size(&self) -> String {
        let sum = |count: fn(&Group) -> u32| -> u32 {
            self.plan.groups.iter().map(|g| g.workspaces * count(g)).sum()
        };
        let (workspaces, members, events) = (sum(|_| 1), sum(|g| g.members), sum(|g| g.events));
        format!("{workspaces} workspaces, {members} people, {events} audit events")
    }
}

/// One thread: the load takes at most one core from what it measures, and is in nobody's figures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let growth = cli.what.contains(&Word::Growth);
    let plan = if growth { Plan::growth(cli.quick) } else { Plan::new(cli.quick) };
    let bench = Bench { cli, plan };
    let mut terminated = signal(SignalKind::terminate())?;
    // However it ends, the servers that it started end with it.
    tokio::select! {
        done = measure(&bench, growth) => done,
        _ = ctrl_c() => bail!("interrupted"),
        _ = terminated.recv() => bail!("terminated"),
    }
}

async fn measure(bench: &Bench, growth: bool) -> Result<()> {
    let wants = |word, others: &[Word]| bench.has(word) || !others.iter().any(|other| bench.has(*other));
    // What changes the data comes last.
    let scenarios = [
        Word::Members,
        Word::Activity,
        Word::Start,
        Word::Storm,
        Word::Unread,
        Word::Decisions,
        Word::Changes,
        Word::Neighbours,
        Word::Gateway,
        Word::Export,
        Word::Ledger,
    ];
    report::machine(bench)?;
    for (backend, word, other) in
        [(Backend::Sqlite, Word::Sqlite, Word::Postgres), (Backend::Postgres, Word::Postgres, Word::Sqlite)]
    {
        if !wants(word, &[other]) {
            continue;
        }
        let data = Data::prepare(bench, backend, &bench.plan.groups).await?;
        if growth {
            growth::run(bench, &data).await?;
            continue;
        }
        for scenario in scenarios.into_iter().filter(|scenario| wants(*scenario, &scenarios)) {
            match scenario {
                Word::Members => members::run(bench, &data).await?,
                Word::Changes => changes::run(bench, &data).await?,
                Word::Activity => activity::run(bench, &data).await?,
                Word::Decisions => decisions::run(bench, &data).await?,
                Word::Storm => storm::run(bench, &data).await?,
                Word::Unread => unread::run(bench, &data).await?,
                Word::Gateway => gateway::run(bench, &data).await?,
                Word::Neighbours => neighbours::run(bench, &data).await?,
                Word::Export => export::run(bench, &data).await?,
                Word::Ledger => ledger::run(bench, &data).await?,
                _ => start::run(bench, &data).await?,
            }
        }
    }
    Ok(())
}
