//! The command line.

use bailiwick::{
    clock::Clock,
    config::Config,
    domain::{Db, Refused, checkpoint, demo, erasure, seed, verify},
    note::Verifier,
    secret::InstallationSecret,
    startup::{self, Application, StartupError},
};
use clap::{Parser, Subcommand};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};
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
    /// Check the whole audit record and report whether anything was altered.
    VerifyAudit {
        /// A file with signed checkpoints that were kept elsewhere. Can be repeated.
        #[arg(long, value_name = "FILE")]
        against: Vec<PathBuf>,
        /// Another key whose signatures count, such as one that was replaced. Can be repeated.
        #[arg(long, value_name = "KEY")]
        key: Vec<Verifier>,
    },
    /// Sign a checkpoint of the audit record and print it.
    Checkpoint,
    /// Print the key with which others verify checkpoints.
    AuditKey,
    /// Erase the names and addresses of a person from the audit record.
    EraseNames {
        /// An e-mail address of theirs, or their user ID. The record knows both after their sign-in was deleted.
        user: String,
    },
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
    Refused(#[from] Refused),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("can't read {path}: {error}")]
    Copy { path: PathBuf, error: std::io::Error },
    #[error("nobody has this address, and the audit record does not know it either")]
    Nobody,
    #[error("the audit record was altered: {0} findings")]
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
        Command::VerifyAudit { against, key } => verify_audit(&config, &against, key).await,
        Command::Checkpoint => {
            let db = open(&config).await?;
            let signer = startup::audit_signer(&config)?;
            // One too if nothing was recorded; several for very many chains.
            for _ in 0..checkpoint::due(&db).await?.max(1) {
                let note = checkpoint::sign(&db, &signer).await?;
                startup::keep_copy(&config.checkpoint_copies(), &note);
                print!("{note}");
            }
            db.close().await;
            Ok(())
        }
        Command::AuditKey => {
            println!("{}", startup::audit_signer(&config)?.verifier());
            Ok(())
        }
        Command::EraseNames { user } => erase_names(&open(&config).await?, &user).await,
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

/// Verifies the record against the checkpoints in the database, the copies in the data folder, and those named.
async fn verify_audit(config: &Config, against: &[PathBuf], mut keys: Vec<Verifier>) -> Result<(), Failure> {
    keys.extend(startup::known_audit_signer(config)?.map(|signer| signer.verifier()));
    let own = config.checkpoint_copies();
    let mut copies = Vec::new();
    for path in own.exists().then_some(&own).into_iter().chain(against) {
        let notes =
            std::fs::read_to_string(path).map_err(|error| Failure::Copy { path: path.clone(), error })?;
        copies.push(verify::Copy { name: path.display().to_string(), notes });
    }
    let db = open(config).await?;
    let report = verify::verify(&db, &keys, &copies).await?;
    db.close().await;
    for (chain, events) in &report.chains {
        if !report.findings.iter().any(|finding| finding.chain == *chain) {
            println!("{chain}  {events} events, unaltered");
        }
    }
    for finding in &report.findings {
        println!("{finding}");
    }
    if report.erased > 0 {
        println!("{} names were erased", report.erased);
    }
    match &report.checkpoint {
        Some(checkpoint) => println!(
            "The latest checkpoint is number {} of {}; {} events after it are not signed yet",
            checkpoint.head.seq, checkpoint.at, report.unsigned
        ),
        None => println!("There is no signed checkpoint yet; {} events are not signed", report.unsigned),
    }
    if report.is_unverified {
        println!(
            "Signatures were not verified, because no key is known here: set BAILIWICK_SECRET_KEY or \
             BAILIWICK_AUDIT_KEY as for the server, or use --key"
        );
    }
    match report.findings.len() {
        0 => Ok(()),
        altered => Err(Failure::Altered(altered)),
    }
}

async fn erase_names(db: &Db, user: &str) -> Result<(), Failure> {
    let whom = erasure::find(db, user).await.map_err(|refused| match refused {
        Refused::NotFound => Failure::Nobody,
        refused => refused.into(),
    })?;
    let names = erasure::erase_names(db, &whom).await?;
    println!("{names} names were erased from the audit record");
    db.close().await;
    Ok(())
}
