//! The command line.

use bailiwick::{
    clock::Clock,
    config::Config,
    domain::{Db, demo, enforce::chain, seed},
    secret::InstallationSecret,
    startup::{self, Application, StartupError},
};
use clap::{Parser, Subcommand};
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// A page is some thousand small pieces of memory, which the system's allocator spends a fifth of its time on.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Decides who may do what inside a workspace.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until stopped (the default).
    Serve,
    /// Update the database schema and exit.
    Migrate,
    /// Fill an empty database with a sample workspace, print how to sign in, and serve.
    Demo,
    /// Add data for load tests and print its sign-ins as JSON.
    Seed {
        /// Number of workspaces to add.
        #[arg(long, default_value_t = 1)]
        workspaces: u32,
        /// Members per workspace.
        #[arg(long, default_value_t = 50)]
        members: u32,
        /// Invitations per workspace, in all states.
        #[arg(long, default_value_t = 0)]
        invitations: u32,
        /// Additional audit events per workspace.
        #[arg(long, default_value_t = 0)]
        events: u32,
        /// API keys per workspace, each an Owner. Printed with the sign-ins.
        #[arg(long, default_value_t = 0)]
        keys: u32,
    },
    /// Check every workspace's audit chain and report whether anything was altered.
    VerifyAudit,
}

/// Where `demo` keeps its data when no database is named: not among real data.
const DEMO_DATABASE: &str = "sqlite://data/demo.db";
const DEFAULT_DATABASE: &str = "sqlite://data/bailiwick.db";

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Startup(#[from] StartupError),
    #[error(transparent)]
    Open(#[from] bailiwick::domain::OpenError),
    #[error(transparent)]
    Refused(#[from] bailiwick::domain::Refused),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the audit log of {0} workspaces was altered")]
    Altered(usize),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    let done = actix_web::rt::System::new().block_on(run(cli));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bailiwick: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Lines for people on a terminal, JSON for machines elsewhere. RUST_LOG chooses what is logged.
fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("info,actix_server=warn,actix_web=warn,sqlx=warn,sea_orm=warn,sea_orm_migration=warn")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { log.compact().init() } else { log.json().flatten_event(true).init() }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let mut config = cli.config;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config, None).await,
        Command::Migrate => {
            open(&config).await?.close().await;
            println!("The database schema is up to date.");
            Ok(())
        }
        Command::Demo => {
            if config.database_url == DEFAULT_DATABASE {
                config.database_url = DEMO_DATABASE.to_owned();
            }
            InstallationSecret::find_or_create(&config).map_err(StartupError::from)?;
            let past = Clock::manual(Clock::system().now() - demo::PAST);
            let db = Db::open(&config, startup::shown_url(&config)?, past).await?;
            let welcome = demo::demo(&db).await?;
            db.close().await;
            serve(config, Some(welcome)).await
        }
        Command::Seed { workspaces, members, invitations, events, keys } => {
            let db = open(&config).await?;
            let size = seed::Size { workspaces, members, invitations, events, keys };
            println!("{}", seed::seed(&db, &size).await?);
            db.close().await;
            Ok(())
        }
        Command::VerifyAudit => verify_audit(&open(&config).await?).await,
    }
}

async fn open(config: &Config) -> Result<Db, Failure> {
    Ok(Db::open(config, String::new(), Clock::system()).await?)
}

async fn serve(config: Config, welcome: Option<String>) -> Result<(), Failure> {
    let application = Application::build(config, Clock::system()).await?;
    println!("Bailiwick is running at {}", application.public_url());
    if let Some(welcome) = welcome {
        println!("\n{welcome}");
    }
    tracing::info!(address = %application.address(), "listening");
    Ok(application.run().await?)
}

async fn verify_audit(db: &Db) -> Result<(), Failure> {
    let verdicts = chain::verify(db).await?;
    for verdict in &verdicts {
        match verdict.broken_at {
            None => println!("{}  {} events, unaltered", verdict.workspace, verdict.events),
            Some(seq) => println!("{}  ALTERED at event {seq}", verdict.workspace),
        }
    }
    db.close().await;
    match verdicts.iter().filter(|verdict| verdict.broken_at.is_some()).count() {
        0 => Ok(()),
        altered => Err(Failure::Altered(altered)),
    }
}
