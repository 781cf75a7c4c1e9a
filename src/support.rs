//! The command `support`, for those who run the installation.

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        Db, Description, Name, OpenError, Refused, Slug, TextRule,
        base::words::exact,
        nouns::support::{
            SupportText,
            operator::{self, AccessRequest, OpenRequest},
        },
    },
    policy::Permission,
    secret::InstallationSecret,
    startup::{self, StartupError},
};
use clap::Subcommand;
use std::io::Read;
use uuid::Uuid;

/// What the command does.
#[derive(Subcommand)]
pub enum SupportCommand {
    /// Show the requests that nobody has answered yet.
    List,
    /// Answer a request: on its page, and by e-mail to whoever asked.
    Answer {
        /// The ID of the request.
        #[arg(long)]
        request: Uuid,
        /// Your name, as the asker reads it.
        #[arg(long, value_parser = text::<Name>)]
        name: Name,
        /// The answer. Without it, it is read from the standard input.
        #[arg(long)]
        text: Option<String>,
    },
    /// Ask a workspace for access for a limited time, to view what it allows. Prints the link that opens it once it is granted.
    RequestAccess {
        /// The address of the workspace: acme for /w/acme.
        #[arg(long, value_parser = text::<Slug>)]
        workspace: Slug,
        /// Your name, as those who decide read it.
        #[arg(long, value_parser = text::<Name>)]
        name: Name,
        /// Why you ask.
        #[arg(long, value_parser = text::<Description>)]
        reason: Description,
        /// The ID of the request for support that it is about.
        #[arg(long, value_parser = text::<Description>, default_value = "", hide_default_value = true)]
        request: Description,
        /// For how many hours, 1 to 24.
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=24))]
        hours: i64,
        /// What you need to view, separated by commas: members, teams, activity, api-keys, destinations, billing, credits.
        #[arg(long, value_parser = operator::pages)]
        // The whole path: clap would take a `Vec` for an option that can be repeated.
        pages: std::vec::Vec<Permission>,
    },
}

fn text<T: TextRule>(text: &str) -> Result<T, String> {
    T::parse(text).map_err(str::to_owned)
}

/// Why the command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum SupportError {
    #[error(transparent)]
    Startup(#[from] StartupError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "the secret key is not known here. Set BAILIWICK_SECRET_KEY, or BAILIWICK_DATA_DIR, as for the server."
    )]
    NoSecret,
    #[error("can't read the answer: {0}")]
    Read(#[from] std::io::Error),
    #[error("there is no such request. bailiwick support list shows those that wait.")]
    NoRequest,
    #[error("there is no such workspace, or it was deleted.")]
    NoWorkspace,
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Refused(Refused),
}

impl SupportError {
    /// Whether starting again changes nothing until a setting is another one.
    pub fn needs_mending(&self) -> bool {
        match self {
            Self::Startup(error) => error.needs_mending(),
            Self::Open(error) => error.needs_mending(),
            Self::NoSecret => true,
            _ => false,
        }
    }
}

impl From<Refused> for SupportError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(invalid) => {
                Self::Invalid(invalid.iter().map(|(_, complaint)| complaint).collect::<Vec<_>>().join(" "))
            }
            other => Self::Refused(other),
        }
    }
}

/// Runs the command. Returns what it says.
///
/// # Errors
/// What is wrong, as a sentence.
pub async fn run(config: &Config, command: SupportCommand) -> Result<String, SupportError> {
    let url = startup::shown_url(config)?;
    // Mail is sealed by it.
    let is_known = InstallationSecret::find(config).map_err(OpenError::from)?.is_some();
    if !is_known && !matches!(command, SupportCommand::List) {
        return Err(SupportError::NoSecret);
    }
    let db = Db::open_existing_at(config, url.clone(), Clock::system()).await?;
    let said = execute(&db, &url, command).await;
    db.close().await;
    said
}

/// [`run`] with a database that is open.
///
/// # Errors
/// As [`run`].
pub async fn execute(db: &Db, url: &str, command: SupportCommand) -> Result<String, SupportError> {
    match command {
        SupportCommand::List => {
            let waiting = operator::open_requests(db).await?;
            if waiting.is_empty() {
                return Ok("No request waits for an answer.".to_owned());
            }
            Ok(waiting.iter().map(shown).collect::<Vec<_>>().join("\n\n"))
        }
        SupportCommand::Answer { request, name, text } => {
            let text = match text {
                Some(text) => text,
                None => {
                    let mut text = String::new();
                    std::io::stdin().take(64 * 1_024).read_to_string(&mut text)?;
                    text
                }
            };
            let text =
                SupportText::parse(&text).map_err(|complaint| SupportError::Invalid(complaint.into()))?;
            match operator::answer(db, request, &name, &text).await {
                Err(Refused::NotFound) => Err(SupportError::NoRequest),
                done => Ok(done.map(|()| "Answered.".to_owned())?),
            }
        }
        SupportCommand::RequestAccess { workspace, name, reason, request, hours, pages } => {
            let asked = AccessRequest {
                workspace,
                operator: name,
                reason,
                about_request: request,
                hours,
                permissions: pages,
            };
            match operator::request_access(db, &asked).await {
                Err(Refused::NotFound) => Err(SupportError::NoWorkspace),
                done => {
                    let link = done?;
                    Ok(format!(
                        "Asked. Once someone in the workspace grants it, this link opens what they allow. \
                         It is a secret, and is shown once.\n{url}/support-access/{}",
                        link.expose()
                    ))
                }
            }
        }
    }
}

fn shown(request: &OpenRequest) -> String {
    let asker = match (&request.asker, &request.email) {
        (Some(name), Some(email)) => format!("{name} ({email})"),
        _ => "someone who left".to_owned(),
    };
    let mut lines = vec![
        format!("{}  {}", request.id, exact(request.created_at)),
        format!("{} in {} (/w/{}), by {asker}", request.category, request.workspace, request.slug),
    ];
    if !request.happened_when.is_empty() {
        lines.push(format!("When: {}", request.happened_when));
    }
    if !request.about_request.is_empty() {
        lines.push(format!("Request ID: {}", request.about_request));
    }
    lines.push(format!("Expected: {}", request.expected));
    lines.push(format!("Happened: {}", request.happened));
    lines.join("\n")
}
