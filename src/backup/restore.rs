//! Restores a backup into an empty database, verified before it is there.

use crate::{
    backup::{
        file::{Checked, Entries, Entry, FileError, Header},
        keys::{Keys, KeysError, SealedKeys, signer},
        passphrase::{self, PassphraseError},
    },
    clock::{Clock, Timestamp},
    config::Config,
    domain::{
        backup::{
            load::{Load, LoadError, Proven},
            tables::{Cell, Table},
        },
        base::words::exact,
        enforce::verify::{Ahead, Copy, Finding, Report},
    },
    note::Verifier,
    private,
    secret::{InstallationSecret, SecretError},
    startup::{self, StartupError},
};
use secrecy::ExposeSecret;
use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why nothing was restored. The database is as empty as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(
        "this backup belongs to another secret key ({backup}) than the one that is set here ({here}). Set BAILIWICK_SECRET_KEY to the key of the backup, or leave it out and move secret.key out of the data folder if the backup has its key."
    )]
    AnotherKey { backup: String, here: String },
    #[error("the secret key is not in this backup. Set BAILIWICK_SECRET_KEY to the key with the ID {0}.")]
    NoKey(String),
    #[error(
        "the secret key in this backup is sealed. Set BAILIWICK_BACKUP_PASSPHRASE, or BAILIWICK_SECRET_KEY to the key with the ID {0}."
    )]
    NoPassphrase(String),
    #[error("this backup was changed after it was made: the signature of its key ({0}) is wrong.")]
    Changed(String),
    #[error("{}", altered(.0))]
    Altered(Vec<Finding>),
    #[error("can't read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("can't write {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Startup(#[from] StartupError),
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error(transparent)]
    Keys(#[from] KeysError),
}

fn altered(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(|finding| format!("  {finding}\n")).collect();
    format!(
        "nothing was restored, because the audit record in this backup was altered:\n{}Use an earlier backup. If a \
         finding is about a key that was replaced, give it with --key; if it is about a copy in the data folder that \
         belongs to another history, move the copy away. --accept-altered restores it as it is.",
        lines.concat()
    )
}

/// How to restore.
#[derive(Default)]
pub struct Options {
    /// Files with checkpoints that were kept elsewhere.
    pub against: Vec<PathBuf>,
    /// Other keys whose signatures count.
    pub keys: Vec<Verifier>,
    /// Restores what was altered too.
    pub accepts_altered: bool,
}

/// What was restored, as a text.
pub struct Restored {
    at: Timestamp,
    rows: u64,
    report: Report,
    /// What was stored in the data folder, and what to do about it.
    notes: Vec<String>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Restored {} rows, as they were at {}.", self.rows, exact(self.at))?;
        let events: i64 = self.report.chains.iter().map(|(_, events)| events).sum();
        for finding in &self.report.findings {
            writeln!(f, "{finding}")?;
        }
        match self.report.findings.len() {
            0 => writeln!(
                f,
                "The audit record is unaltered: {events} events in {} chains.",
                self.report.chains.len()
            )?,
            altered => {
                writeln!(f, "The audit record was altered: {altered} findings. It was restored as it is.")?
            }
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        write!(
            f,
            "What was ended, revoked or cancelled after that moment is as it was before: sessions, API keys, \
             memberships and invitations. Mail that waited then is sent, perhaps again."
        )
    }
}

/// Restores the backup at this path.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(config: &Config, path: &Path, options: Options) -> Result<Restored, RestoreError> {
    let checked = Checked::open(path)?;
    let (header, mut entries) = checked.read()?;
    let known = InstallationSecret::find(config)?;
    let is_new = known.is_none();
    let keys = find_keys(config, &header, known)?;
    let key = signer(&keys.secret).verifier();
    if !checked.is_signed_by(&key) {
        return Err(RestoreError::Changed(id(&header.key)));
    }
    let own_audit_key = startup::audit_signer_of(config, &keys.secret)?.verifier();
    let mut verifiers = options.keys;
    verifiers.push(own_audit_key.clone());
    // The file is signed, and so is this.
    verifiers.extend(header.audit_key.parse::<Verifier>());
    let copies = read_copies(config, &header, &options.against)?;
    let load = Load::begin(config, &header.steps).await?;
    let rows = fill(&load, &mut entries).await?;
    let proven = load.prove(&verifiers, &copies).await?;
    if !proven.audit.findings.is_empty() && !options.accepts_altered {
        let findings = proven.audit.findings.clone();
        proven.discard().await?;
        return Err(RestoreError::Altered(findings));
    }
    let mut notes = store_keys(config, &keys, is_new, own_audit_key.to_string() == header.audit_key)?;
    let report = commit(proven).await?;
    notes.extend(keep_copies(config, &header, &report.ahead));
    Ok(Restored { at: header.at, rows, report, notes })
}

async fn commit(mut proven: Proven) -> Result<Report, LoadError> {
    let report = std::mem::take(&mut proven.audit);
    proven.commit().await?;
    Ok(report)
}

/// The keys of the backup: those that are set here, or those that are sealed in it.
fn find_keys(
    config: &Config,
    header: &Header,
    known: Option<InstallationSecret>,
) -> Result<Keys, RestoreError> {
    let keys = match known {
        Some(secret) => Keys { secret, audit_key: config.audit_key.clone() },
        None => unseal(config, header.sealed.as_ref(), &header.key)?,
    };
    let here = signer(&keys.secret).verifier().to_string();
    match here == header.key {
        true => Ok(keys),
        false => Err(RestoreError::AnotherKey { backup: id(&header.key), here: id(&here) }),
    }
}

fn unseal(config: &Config, sealed: Option<&SealedKeys>, key: &str) -> Result<Keys, RestoreError> {
    let sealed = sealed.ok_or_else(|| RestoreError::NoKey(id(key)))?;
    let passphrase = passphrase::for_opening(config)?.ok_or_else(|| RestoreError::NoPassphrase(id(key)))?;
    Ok(sealed.open(&passphrase)?)
}

/// The part of a key by which people know it.
fn id(key: &str) -> String {
    key.split('+').nth(1).unwrap_or_default().to_owned()
}

/// Copies of checkpoints that were kept outside the database: in the data folder, in the backup, and elsewhere.
fn read_copies(config: &Config, header: &Header, against: &[PathBuf]) -> Result<Vec<Copy>, RestoreError> {
    let own = config.checkpoint_copies();
    let mut copies = Vec::new();
    for path in own.exists().then_some(&own).into_iter().chain(against) {
        let notes =
            fs::read_to_string(path).map_err(|error| RestoreError::Read { path: path.clone(), error })?;
        copies.push(Copy { name: path.display().to_string(), notes });
    }
    if !header.checkpoints.is_empty() {
        copies.push(Copy { name: "the backup".to_owned(), notes: header.checkpoints.clone() });
    }
    Ok(copies)
}

async fn fill(load: &Load, entries: &mut Entries<'_>) -> Result<u64, RestoreError> {
    let mut batch: Option<(Table, Vec<Vec<Cell>>)> = None;
    let mut count = 0;
    while let Some(entry) = entries.next()? {
        match entry {
            Entry::Table(table) => {
                if let Some((before, rows)) = batch.replace((table, Vec::new())) {
                    load.insert(&before, rows).await?;
                }
            }
            Entry::Row(row) => {
                // A row without a table before it was refused by the reader.
                let Some((table, rows)) = &mut batch else { continue };
                rows.push(row);
                count += 1;
                if rows.len() >= Load::batch(table) {
                    load.insert(table, std::mem::take(rows)).await?;
                }
            }
        }
    }
    if let Some((table, rows)) = batch {
        load.insert(&table, rows).await?;
    }
    Ok(count)
}

/// Stores the keys of the backup in the data folder, unless they are set here already.
fn store_keys(
    config: &Config,
    keys: &Keys,
    is_new: bool,
    is_audit_key_set: bool,
) -> Result<Vec<String>, RestoreError> {
    let mut notes = Vec::new();
    if is_new {
        let path = keys.secret.store(config)?.display().to_string();
        notes.push(match config.is_postgres() {
            true => format!("The secret key is in {path}. Set BAILIWICK_SECRET_KEY to it on every node."),
            false => format!("The secret key is in {path}."),
        });
    }
    if is_audit_key_set {
        return Ok(notes);
    }
    match keys.audit_key.as_ref().filter(|_| config.audit_key.is_none()) {
        Some(key) => {
            let path = config.data_dir.join("audit.key");
            let write = |mut file: fs::File| file.write_all(key.expose_secret().as_bytes());
            let written = private::new_file(&path).and_then(write);
            written.map_err(|error| RestoreError::Write { path: path.clone(), error })?;
            let path = path.display();
            notes.push(format!("Checkpoints have a key of their own, now in {path}. Set BAILIWICK_AUDIT_KEY to it."));
        }
        None => notes.push(
            "The checkpoints in this backup were signed with another key than BAILIWICK_AUDIT_KEY has here. Set it \
             as it was, or give the earlier key to verify-audit with --key."
                .to_owned(),
        ),
    }
    Ok(notes)
}

/// Puts the copies that the backup has into the data folder. Those that were there are kept under another name: from
/// now on the record continues from the backup, and not from what they have seen.
fn keep_copies(config: &Config, header: &Header, ahead: &[Ahead]) -> Vec<String> {
    let own = config.checkpoint_copies();
    let mut notes = Vec::new();
    if own.exists() {
        let mut kept = own.as_os_str().to_owned();
        kept.push(format!(".before-restore-{}", Clock::system().now()));
        let kept = PathBuf::from(kept);
        notes.push(match fs::rename(&own, &kept) {
            Ok(()) => format!(
                "The copies of checkpoints that were in the data folder are now in {}.",
                kept.display()
            ),
            Err(error) => {
                format!("Move {} to another place and keep it: it can't be renamed ({error}).", own.display())
            }
        });
    }
    if let Some(latest) = ahead.iter().max_by_key(|ahead| ahead.checkpoint.head.seq) {
        notes.push(format!(
            "{} had a checkpoint of {}, after the backup: what happened from the backup until then is not in the \
             restored record. That is what restoring means. Keep that file as evidence: verify-audit --against it \
             reports from now on that the record was set back.",
            latest.copy,
            exact(latest.checkpoint.at)
        ));
    }
    if !header.checkpoints.is_empty() && !own.exists() {
        let folder = own.parent().map_or(Ok(()), private::make_folder);
        if let Err(error) = folder.and_then(|()| private::append(&own, &header.checkpoints)) {
            notes.push(format!(
                "The copies of checkpoints in the backup can't be written to {}: {error}.",
                own.display()
            ));
        }
    }
    notes
}
