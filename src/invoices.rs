//! The command `invoice`, for those who run the installation: which invoices wait to be paid, and that one was.

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        Db, Description, OpenError, Refused,
        base::{money::money, words::day},
        nouns::billing::{
            invoice_name, parse_invoice_name,
            pay::{self, OpenInvoice, Payment, WholeInvoice},
            provider::PaymentProvider,
            reconcile,
        },
    },
};
use clap::Subcommand;

/// What the command does.
#[derive(Subcommand)]
pub enum InvoiceCommand {
    /// Show the invoices of all workspaces that are not paid, by when they are due.
    List,
    /// Show an invoice with each item, also that of a workspace that is permanently deleted.
    Show {
        /// What stands on it, such as INV-000042.
        #[arg(value_name = "INVOICE", value_parser = number)]
        number: i64,
    },
    /// Mark an invoice as paid.
    Pay {
        /// What stands on it, such as INV-000042.
        #[arg(value_name = "INVOICE", value_parser = number)]
        number: i64,
        /// What identifies the payment, such as a line of a bank statement. Members see it.
        #[arg(long, default_value = "", hide_default_value = true, value_parser = text)]
        reference: Description,
    },
}

fn number(text: &str) -> Result<i64, String> {
    parse_invoice_name(text).ok_or_else(|| "write it as in INV-000042".to_owned())
}

fn text(text: &str) -> Result<Description, String> {
    Description::parse(text).map_err(str::to_owned)
}

/// Why the command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("there is no invoice {}. bailiwick invoice list shows those that are open.", named(.0))]
    NoInvoice(i64),
    #[error("billing does not fit together: {0} findings")]
    Drift(usize),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl InvoiceError {
    /// Whether starting again changes nothing until a setting is another one.
    pub fn needs_mending(&self) -> bool {
        match self {
            Self::Open(error) => error.needs_mending(),
            _ => false,
        }
    }
}

fn named(number: &i64) -> String {
    invoice_name(*number)
}

/// Runs the command. Returns what it says.
///
/// # Errors
/// What is wrong, as a sentence.
pub async fn run(config: &Config, command: InvoiceCommand) -> Result<String, InvoiceError> {
    let db = Db::open_existing(config, Clock::system()).await?;
    let said = execute(&db, command).await;
    db.close().await;
    said
}

/// [`run`] with a database that is open.
///
/// # Errors
/// As [`run`].
pub async fn execute(db: &Db, command: InvoiceCommand) -> Result<String, InvoiceError> {
    match command {
        InvoiceCommand::List => {
            let open = pay::open_invoices(db).await?;
            if open.is_empty() {
                return Ok("No invoice is open.".to_owned());
            }
            Ok(open.iter().map(shown).collect::<Vec<_>>().join("\n"))
        }
        InvoiceCommand::Show { number } => match pay::whole(db, number).await {
            Err(Refused::NotFound) => Err(InvoiceError::NoInvoice(number)),
            found => Ok(printed(&found?)),
        },
        InvoiceCommand::Pay { number, reference } => {
            let payment = Payment { provider: PaymentProvider::Manual, reference };
            match pay::pay(db, number, &payment).await {
                Err(Refused::NotFound) => Err(InvoiceError::NoInvoice(number)),
                done => {
                    let (total, currency) = done?;
                    Ok(format!("{} of {} is paid.", invoice_name(number), money(total, &currency)))
                }
            }
        }
    }
}

fn shown(invoice: &OpenInvoice) -> String {
    let workspace = match invoice.workspace.as_str() {
        "" => "a deleted workspace".to_owned(),
        slug => format!("/w/{slug}"),
    };
    format!(
        "{}  {:>16}  due {}  {workspace}",
        invoice.name(),
        money(invoice.total, &invoice.currency),
        day(invoice.due_at)
    )
}

/// All that stands on an invoice.
fn printed(invoice: &WholeInvoice) -> String {
    let items: Vec<String> = invoice.lines.iter().map(|line| line.in_words(&invoice.currency)).collect();
    let state = match invoice.paid_at {
        Some(at) => format!("paid on {}", day(at)),
        None => format!("due on {}. {}", day(invoice.due_at), invoice.payment),
    };
    format!(
        "Invoice {}, issued on {}\n\nFrom:\n{}\n\nTo:\n{}\n\n{}\n\nTotal: {}, {state}",
        invoice_name(invoice.number),
        day(invoice.issued_at),
        invoice.seller,
        invoice.customer,
        items.join("\n"),
        money(invoice.total, &invoice.currency)
    )
}

/// Compares everything about billing. Returns what to say.
///
/// # Errors
/// [`InvoiceError::Drift`], once `say` was called with each finding.
pub async fn reconcile(config: &Config, say: impl Fn(&str)) -> Result<String, InvoiceError> {
    let db = Db::open_existing(config, Clock::system()).await?;
    let found = reconcile::reconcile(&db).await;
    db.close().await;
    let found = found?;
    found.iter().for_each(|drift| say(&drift.to_string()));
    match found.len() {
        0 => Ok("Billing fits together.".to_owned()),
        count => Err(InvoiceError::Drift(count)),
    }
}
