//! The command line.

use bailiwick::{
    archive, backup,
    clock::{Clock, DAY, Timestamp},
    config::{Config, Migrate, advice, environment},
    domain::{
        Db, Description, Refused, Slug, TextRule, checkpoint, demo, erasure,
        nouns::credits::{
            Amount, Source,
            grants::{self, Made, NewGrant},
            verify as ledger,
        },
        seed, verify,
    },
    invoices::{self, InvoiceCommand, InvoiceError},
    note::{Signer, Verifier},
    secret::InstallationSecret,
    startup::{self, Application, StartupError},
    support::{self, SupportCommand, SupportError},
    telemetry, visible,
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use std::{fmt::Display, path::PathBuf, process::ExitCode};
use uuid::Uuid;

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
    /// Show what the settings amount to and what is unwise about them, and exit.
    CheckConfig,
    /// Check the whole audit record and report whether anything was altered.
    VerifyAudit {
        /// A file with signed checkpoints that were kept elsewhere. Can be repeated.
        #[arg(long, value_name = "FILE")]
        against: Vec<PathBuf>,
        /// Another key whose signatures count, such as one that was replaced. Can be repeated.
        #[arg(long, value_name = "KEY")]
        key: Vec<Verifier>,
    },
    /// Check the ledgers of credits and report whether anything was altered.
    VerifyLedger,
    /// Give a workspace credits, as a transfer of its ledger.
    GrantCredits {
        /// The slug of the workspace.
        #[arg(long, value_name = "SLUG", value_parser = parse_text::<Slug>)]
        workspace: Slug,
        /// How many.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64))]
        amount: i64,
        /// Until the end of which day (UTC) they can be used, such as 2027-12-31.
        #[arg(long, value_name = "DATE", value_parser = parse_end_of_day)]
        expires: Timestamp,
        /// They were bought. Otherwise they are included, and used before those that were bought.
        #[arg(long)]
        bought: bool,
        /// What they are for. Members see it in the ledger.
        #[arg(long, default_value = "", value_parser = parse_text::<Description>)]
        note: Description,
    },
    /// Take back a transfer of a workspace's ledger, by another one: a grant that is not used yet, or a use.
    ReverseCredits {
        /// The slug of the workspace.
        #[arg(long, value_name = "SLUG", value_parser = parse_text::<Slug>)]
        workspace: Slug,
        /// The ID of the transfer.
        #[arg(long, value_name = "ID")]
        transfer: Uuid,
        /// Why. Members see it in the ledger.
        #[arg(long, default_value = "", value_parser = parse_text::<Description>)]
        note: Description,
    },
    /// Show the invoices that are not paid, and mark one as paid.
    Invoice {
        #[command(subcommand)]
        command: InvoiceCommand,
    },
    /// Check whether people and seats, months and invoices, and invoices and payments fit together.
    ReconcileBilling,
    /// Write everything to one file, while the server runs: the data, and the secret key sealed by a passphrase.
    Backup {
        /// Where to write it. An earlier backup there is replaced.
        file: PathBuf,
        /// Leave the secret key out, and ask for no passphrase.
        #[arg(long)]
        without_key: bool,
    },
    /// Restore a backup into an empty database and verify it.
    Restore {
        /// A backup of either kind of database.
        file: PathBuf,
        /// A file with signed checkpoints that were kept elsewhere. Can be repeated.
        #[arg(long, value_name = "FILE")]
        against: Vec<PathBuf>,
        /// Another key whose signatures count, such as one that was replaced. Can be repeated.
        #[arg(long, value_name = "KEY")]
        key: Vec<Verifier>,
        /// Restore it even if its audit record was altered.
        #[arg(long)]
        accept_altered: bool,
    },
    /// Write everything of one workspace to a zip, without secrets, while the server runs.
    Export {
        /// The workspace's address, such as acme.
        workspace: String,
        /// Where to write it: a file that is not there yet.
        file: PathBuf,
    },
    /// Import the export of a workspace into an empty database, and verify it.
    Import {
        /// A zip that was exported from either kind of database.
        file: PathBuf,
    },
    /// Sign a checkpoint of the audit record and print it.
    Checkpoint,
    /// Print the key with which others verify checkpoints.
    AuditKey,
    /// Read and answer requests for support, and ask a workspace for access.
    Support {
        #[command(subcommand)]
        command: SupportCommand,
    },
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
    Support(#[from] Box<SupportError>),
    #[error(transparent)]
    Invoice(#[from] Box<InvoiceError>),
    #[error(transparent)]
    Backup(#[from] backup::CreateError),
    #[error(transparent)]
    Restore(#[from] Box<backup::RestoreError>),
    #[error(transparent)]
    Export(#[from] Box<archive::CreateError>),
    #[error(transparent)]
    Import(#[from] Box<archive::ImportError>),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("can't read {path}: {error}")]
    Copy { path: PathBuf, error: std::io::Error },
    #[error(
        "the secret key is not known here. Set BAILIWICK_SECRET_KEY, or BAILIWICK_DATA_DIR, as for the server."
    )]
    NoSecret,
    #[error("nobody has this address, and the audit record does not know it either")]
    Nobody,
    #[error("the audit record was altered: {0} findings")]
    Altered(usize),
    #[error("the ledger was altered: {0} findings")]
    LedgerAltered(usize),
    #[error("there is no workspace {0}, or it has no such transfer")]
    NoSuchCredits(String),
    #[error("{0}: {1}")]
    Invalid(String, String),
}

/// What ends with this changes nothing by being started again: a setting is wrong, or what it names. `EX_CONFIG` of
/// sysexits.h; `packaging/bailiwick.service` names it.
const WRONG_SETTINGS: u8 = 78;

/// The command line itself is wrong.
const WRONG_USAGE: u8 = 2;

impl Failure {
    fn exit_code(&self) -> u8 {
        let needs_mending = match self {
            Self::Startup(error) => error.needs_mending(),
            Self::Open(error) => error.needs_mending(),
            Self::Support(error) => error.needs_mending(),
            Self::Invoice(error) => error.needs_mending(),
            Self::NoSecret => true,
            _ => false,
        };
        if needs_mending { WRONG_SETTINGS } else { 1 }
    }
}

/// Prints lines. What others wrote in them can't do anything to a terminal.
fn say(text: impl Display) {
    println!("{}", visible::lines(&text.to_string()));
}

/// [`say`] for what is wrong, without connection strings.
fn complain(text: impl Display) {
    eprintln!("{}", visible::lines(environment::redact(&text.to_string()).trim_end()));
}

fn main() -> ExitCode {
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let telemetry = match telemetry::start(cli.config.traces.as_ref()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(format_args!("bailiwick: {error}"));
            return ExitCode::from(WRONG_SETTINGS);
        }
    };
    let done = actix_web::rt::System::new().block_on(run(cli));
    telemetry.end();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(format_args!("bailiwick: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The command line with the settings of the environment.
///
/// # Errors
/// What to exit with; everything is said.
fn command_line() -> Result<Cli, ExitCode> {
    let parsed = environment::prepare(Cli::command()).try_get_matches();
    let cli = match parsed.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches)) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            complain(environment::explain(&error, &Cli::command()));
            let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
            return Err(ExitCode::from(if is_value { WRONG_SETTINGS } else { WRONG_USAGE }));
        }
        // The help or the version.
        Err(error) => {
            return Err(error.print().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS));
        }
    };
    match environment::unknown_setting(&Cli::command()) {
        None => Ok(cli),
        Some(sentence) => {
            complain(format_args!("bailiwick: {sentence}"));
            Err(ExitCode::from(WRONG_SETTINGS))
        }
    }
}

/// Signals that would end the program unless somebody listens to them: a terminal that is closed, and tools that
/// expect a program to read its settings again.
#[cfg(unix)]
fn outlive_signals() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        ("SIGHUP", SignalKind::hangup()),
        ("SIGUSR1", SignalKind::user_defined1()),
        ("SIGUSR2", SignalKind::user_defined2()),
    ];
    for (name, kind) in kinds {
        let mut received = signal(kind)?;
        tokio::spawn(async move {
            while received.recv().await.is_some() {
                tracing::info!(signal = name, "the signal has no effect: restart to change settings");
            }
        });
    }
    Ok(())
}

async fn run(cli: Cli) -> Result<(), Failure> {
    #[cfg(unix)]
    outlive_signals()?;
    let mut config = cli.config;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config, None).await,
        Command::Migrate => {
            config.migrate = Migrate::On;
            Db::open(&config, String::new(), Clock::system()).await?.close().await;
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
        Command::CheckConfig => check_config(&config),
        Command::VerifyLedger => verify_ledger(&open(&config).await?).await,
        Command::GrantCredits { workspace, amount, expires, bought, note } => {
            let amount = Amount::parse("amount", amount).map_err(invalid)?;
            let source = if bought { Source::Bought } else { Source::Included };
            let new = NewGrant { amount, source, expires_at: expires, note };
            let db = open(&config).await?;
            let made = grants::grant_by_operator(&db, &workspace, &new).await;
            report_transfer(&db, &workspace, made).await
        }
        Command::ReverseCredits { workspace, transfer, note } => {
            let db = open(&config).await?;
            let made = grants::reverse_by_operator(&db, &workspace, transfer, &note).await;
            report_transfer(&db, &workspace, made).await
        }
        Command::Invoice { command } => {
            say(invoices::run(&config, command).await.map_err(Box::new)?);
            Ok(())
        }
        Command::ReconcileBilling => {
            say(invoices::reconcile(&config, |finding| say(finding)).await.map_err(Box::new)?);
            Ok(())
        }
        Command::VerifyAudit { against, key } => verify_audit(&config, &against, key).await,
        Command::Backup { file, without_key } => {
            let made = backup::create(&config, &file, without_key).await?;
            say(&made);
            made.warnings.iter().for_each(|warning| complain(format_args!("! {warning}")));
            Ok(())
        }
        Command::Restore { file, against, key, accept_altered } => {
            let options = backup::Options { against, keys: key, accepts_altered: accept_altered };
            say(backup::restore(&config, &file, options).await.map_err(Box::new)?);
            Ok(())
        }
        Command::Export { workspace, file } => {
            let rows = archive::create(&config, &workspace, &file).await.map_err(Box::new)?;
            say(format_args!(
                "{} has {rows} rows of the workspace {workspace}, and no secrets.",
                file.display()
            ));
            Ok(())
        }
        Command::Import { file } => {
            say(archive::import(&config, &file).await.map_err(Box::new)?);
            Ok(())
        }
        Command::Checkpoint => {
            let signer = audit_signer(&config)?;
            let db = open(&config).await?;
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
            println!("{}", audit_signer(&config)?.verifier());
            Ok(())
        }
        Command::Support { command } => {
            say(support::run(&config, command).await.map_err(Box::new)?);
            Ok(())
        }
        Command::EraseNames { user } => erase_names(&open(&config).await?, &user).await,
    }
}

/// Opens the database that is there.
async fn open(config: &Config) -> Result<Db, Failure> {
    Ok(Db::open_existing(config, Clock::system()).await?)
}

/// The key that signs the audit record of the server. None is created: it would be another one.
fn audit_signer(config: &Config) -> Result<Signer, Failure> {
    startup::known_audit_signer(config)?.ok_or(Failure::NoSecret)
}

/// Says what the settings amount to. Nothing is opened and nothing is created.
fn check_config(config: &Config) -> Result<(), Failure> {
    let public_url = startup::check(config)?;
    say(advice::summary(config, public_url.as_str().trim_end_matches('/')).trim_end());
    let warnings = advice::warnings(config, &public_url);
    for warning in &warnings {
        say(format_args!("\n! {warning}"));
    }
    if warnings.is_empty() {
        println!("\nNothing is unwise about these settings.");
    }
    Ok(())
}

async fn serve(config: Config, welcome: Option<String>) -> Result<(), Failure> {
    for warning in advice::warnings(&config, &startup::public_url(&config, None)?) {
        tracing::warn!("{warning}");
    }
    let application = Application::build(config, Clock::system()).await?;
    println!("Bailiwick is running at {}", application.public_url());
    if let Some(link) = application.first_sign_up() {
        println!("\nPeople join by invitation, and nobody is here yet. Create the first sign-in at\n{link}");
    }
    if let Some(welcome) = welcome {
        println!("\n{welcome}");
    }
    tracing::info!(bind = %application.bind(), "listening");
    #[cfg(unix)]
    notify_ready();
    Ok(application.run().await?)
}

/// Tells systemd that requests are accepted from now on, where it waits for that (`Type=notify`).
#[cfg(unix)]
fn notify_ready() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "could not tell the service manager that the server is ready");
    }
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
            say(format_args!("{chain}  {events} events, unaltered"));
        }
    }
    for finding in &report.findings {
        say(finding);
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

/// Parses an argument by the rule of its type.
fn parse_text<T: TextRule>(text: &str) -> Result<T, String> {
    T::parse(text).map_err(str::to_owned)
}

/// The last moment of a day such as 2027-12-31, in UTC.
fn parse_end_of_day(text: &str) -> Result<Timestamp, String> {
    match bailiwick::web::checks::day(text) {
        Some(midnight) => Ok(midnight + DAY),
        None => Err("write a date such as 2027-12-31".to_owned()),
    }
}

/// What is wrong with an argument.
fn invalid(invalid: bailiwick::domain::Invalid) -> Failure {
    let (field, complaint) = invalid.iter().next().unwrap_or_default();
    Failure::Invalid(field.to_owned(), complaint.to_owned())
}

async fn report_transfer(db: &Db, workspace: &Slug, made: Result<Made, Refused>) -> Result<(), Failure> {
    db.close().await;
    let Made { transfer, seq } = made.map_err(|refused| match refused {
        Refused::NotFound => Failure::NoSuchCredits(workspace.to_string()),
        Refused::Invalid(what) => invalid(what),
        refused => refused.into(),
    })?;
    println!("Transfer {transfer} is number {seq} of the ledger of {workspace}");
    Ok(())
}

async fn verify_ledger(db: &Db) -> Result<(), Failure> {
    let report = ledger::verify(db).await?;
    db.close().await;
    for (workspace, transfers) in &report.ledgers {
        if !report.findings.iter().any(|finding| finding.workspace == *workspace) {
            say(format_args!("workspace {workspace}  {transfers} transfers, unaltered"));
        }
    }
    for finding in &report.findings {
        say(finding);
    }
    match report.findings.len() {
        0 => Ok(()),
        altered => Err(Failure::LedgerAltered(altered)),
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
