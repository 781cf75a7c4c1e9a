//! Makes an installation of an archive: everything is checked before anything is there.

use crate::{
    archive::file::{Archive, FileError},
    clock::Clock,
    config::Config,
    domain::{
        backup::{
            archive::archived,
            import::Bounds,
            load::{Load, LoadError},
        },
        enforce::verify::Finding,
        nouns::credits::verify::Finding as LedgerFinding,
    },
};
use std::{
    fmt::{self, Display},
    path::Path,
};

/// Why nothing was imported. The database is as empty as it was.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("nothing was imported, because the record in this file was altered:\n{}", lines(.0))]
    Altered(Vec<Finding>),
    #[error("nothing was imported, because the ledger of credits in this file was altered:\n{}", lines(.0))]
    LedgerAltered(Vec<LedgerFinding>),
}

fn lines(findings: &[impl Display]) -> String {
    findings.iter().map(|finding| format!("  {finding}\n")).collect()
}

/// What was imported, as a text.
pub struct Imported {
    slug: String,
    rows: u64,
    events: i64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slug, rows, events } = self;
        writeln!(f, "Imported the workspace {slug}: {rows} rows. Its record is unaltered: {events} events.")?;
        write!(
            f,
            "No secrets were in the file. Everybody sets a new password with “Forgot password”, API keys work once they are \
             rotated, and credentials and events of destinations have to be set again."
        )
    }
}

/// Imports the archive at this path into an empty database.
///
/// # Errors
/// [`ImportError`].
pub async fn import(config: &Config, path: &Path) -> Result<Imported, ImportError> {
    let tables: Vec<&str> = archived().map(|(table, _)| table).collect();
    let mut archive = Archive::open(path, &tables)?;
    let manifest = archive.manifest.clone();
    let bounds = Bounds { workspace: manifest.workspace.id, account: manifest.workspace.account_id };
    let load = Load::begin(config, &manifest.schema).await?;
    let is_missing = |table: &&str| {
        load.table(table).is_some() && !manifest.files.iter().any(|file| file.table == **table)
    };
    if let Some(missing) = tables.iter().find(|table| is_missing(table)) {
        return Err(LoadError::Unfit(format!("it has no {missing}")).into());
    }
    let mut count = 0;
    for file in &manifest.files {
        let unfit = || LoadError::Unfit(format!("the name of {}", file.table));
        let table = load.table(&file.table).ok_or_else(unfit)?;
        let (mut rows, mut lines) = (Vec::new(), archive.lines(file)?);
        while let Some(row) = lines.row(&table.columns)? {
            if !bounds.include(&table, &row) {
                return Err(lines.malformed("a row belongs to another workspace").into());
            }
            rows.push(row);
            count += 1;
            if rows.len() >= Load::batch(&table) {
                load.insert_archived(&table, std::mem::take(&mut rows)).await?;
            }
        }
        load.insert_archived(&table, rows).await?;
    }
    let (mut proven, ledger) = load.prove_import(&bounds, Clock::system().now()).await?;
    let report = std::mem::take(&mut proven.audit);
    if !report.findings.is_empty() {
        proven.discard().await?;
        return Err(ImportError::Altered(report.findings));
    }
    if !ledger.is_empty() {
        proven.discard().await?;
        return Err(ImportError::LedgerAltered(ledger));
    }
    proven.commit().await?;
    let events =
        report.chains.iter().filter(|(chain, _)| chain.id() == bounds.workspace).map(|(_, events)| events);
    Ok(Imported { slug: manifest.workspace.slug, rows: count, events: events.sum() })
}
