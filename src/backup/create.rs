//! Makes a backup while others read and write.

use crate::{
    backup::{
        file::{Checked, Entry, FileError, Header, Writer, is_backup},
        keys::{Keys, KeysError, SealedKeys, signer},
        passphrase::{self, PassphraseError},
    },
    clock::{Clock, Timestamp},
    config::Config,
    domain::{OpenError, backup::snapshot::Snapshot, base::words::exact},
    note::{self, Verifier},
    private, random,
    secret::{InstallationSecret, SecretError},
    startup::{self, StartupError},
};
use sea_orm::DbErr;
use secrecy::SecretString;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Why there is no backup. What was at its path before is still there.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error(
        "the secret key is not known here. Set BAILIWICK_SECRET_KEY, or BAILIWICK_DATA_DIR, as for the server."
    )]
    NoSecret,
    #[error("{0} exists and is not a backup. It was left as it is: choose another name.")]
    NotOurs(PathBuf),
    #[error(
        "{0} is not a file. A backup is read back and put in its place once it is whole: name a file, and copy that on."
    )]
    NotAFile(PathBuf),
    #[error("can't write {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error("can't read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("can't read the database: {0}")]
    Database(#[from] DbErr),
    #[error("what was written can't be read back: {0}")]
    ReadBack(FileError),
    #[error("what was written is not what was read back. Check the disk.")]
    Differs,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Startup(#[from] StartupError),
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// A backup that was made, and read back.
pub struct Made {
    path: PathBuf,
    at: Timestamp,
    counts: Counts,
    bytes: u64,
    has_key: bool,
    /// What is unwise about it, in sentences.
    pub warnings: Vec<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { tables, rows } = self.counts;
        let (path, at, bytes) = (self.path.display(), exact(self.at), self.bytes);
        write!(
            f,
            "{path} has everything that was saved before {at}: {rows} rows of {tables} tables, {bytes} bytes."
        )?;
        match self.has_key {
            true => write!(
                f,
                "\nThe secret key is in it, sealed by the passphrase. Keep the passphrase elsewhere."
            ),
            false => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    tables: u64,
    rows: u64,
}

/// Writes a backup to this path, where an earlier backup is replaced once the new one is whole.
///
/// # Errors
/// [`CreateError`].
pub async fn create(config: &Config, path: &Path, without_key: bool) -> Result<Made, CreateError> {
    let read = |error| CreateError::Read { path: path.to_owned(), error };
    // Opening a pipe would wait for whoever reads it.
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => return Err(CreateError::NotAFile(path.to_owned())),
        Ok(_) if !is_backup(path).map_err(read)? => return Err(CreateError::NotOurs(path.to_owned())),
        _ => {}
    }
    let secret = InstallationSecret::find(config)?.ok_or(CreateError::NoSecret)?;
    let audit_key = startup::audit_signer_of(config, &secret)?.verifier();
    let passphrase = if without_key { None } else { passphrase::for_sealing(config)? };
    let keys = Keys { secret, audit_key: config.audit_key.clone() };
    let sealed = passphrase.as_ref().map(|passphrase| SealedKeys::seal(&keys, passphrase)).transpose()?;
    // Before the rows: each of them is in the database by then.
    let checkpoints = checkpoint_copies(&config.checkpoint_copies())?;
    let at = Clock::system().now();
    let mut snapshot = Snapshot::open(config).await?;
    let header = Header {
        at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        steps: snapshot.steps.clone(),
        key: signer(&keys.secret).verifier().to_string(),
        audit_key: audit_key.to_string(),
        sealed,
        checkpoints,
    };
    let latest = snapshot.latest_checkpoint().await?;
    let part = Part::of(path);
    let counts = write(&part, &header, &mut snapshot, &keys).await?;
    snapshot.close().await?;
    check(&part, &keys, passphrase.as_ref(), counts)?;
    let bytes = part.publish(path)?;
    let has_key = passphrase.is_some();
    let warnings = warnings(config, has_key, latest.as_deref(), &audit_key);
    Ok(Made { path: path.to_owned(), at, counts, bytes, has_key, warnings })
}

fn checkpoint_copies(path: &Path) -> Result<String, CreateError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| CreateError::Read { path: path.to_owned(), error }),
    }
}

async fn write(
    part: &Part,
    header: &Header,
    snapshot: &mut Snapshot,
    keys: &Keys,
) -> Result<Counts, CreateError> {
    let failed = |error| CreateError::Write { path: part.0.clone(), error };
    let file = private::new_file(&part.0).map_err(failed)?;
    let mut writer = Writer::begin(file, header).map_err(failed)?;
    let mut counts = Counts::default();
    for table in snapshot.tables.clone() {
        writer.table(&table).map_err(failed)?;
        counts.tables += 1;
        counts.rows += snapshot.rows(&table, |cells| writer.row(cells).map_err(failed)).await?;
    }
    writer.finish(&signer(&keys.secret)).map_err(failed)?;
    Ok(counts)
}

/// Reads it back as `restore` will.
fn check(
    part: &Part,
    keys: &Keys,
    passphrase: Option<&SecretString>,
    written: Counts,
) -> Result<(), CreateError> {
    let checked = Checked::open(&part.0).map_err(CreateError::ReadBack)?;
    let (header, mut entries) = checked.read().map_err(CreateError::ReadBack)?;
    let mut found = Counts::default();
    while let Some(entry) = entries.next().map_err(CreateError::ReadBack)? {
        match entry {
            Entry::Table(_) => found.tables += 1,
            Entry::Row(_) => found.rows += 1,
        }
    }
    let is_opened = match (header.sealed, passphrase) {
        (Some(sealed), Some(passphrase)) => {
            *sealed.open(passphrase)?.secret.to_hex() == *keys.secret.to_hex()
        }
        (sealed, passphrase) => sealed.is_none() && passphrase.is_none(),
    };
    let is_signed = checked.is_signed_by(&signer(&keys.secret).verifier());
    if found == written && is_opened && is_signed { Ok(()) } else { Err(CreateError::Differs) }
}

/// A backup that is not whole yet, beside the place where it will be. Deleted if it never gets there.
struct Part(PathBuf);

impl Part {
    fn of(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.partial", hex::encode(random::bytes::<4>())));
        Self(name.into())
    }

    /// Puts it in its place, so that it is there after a power cut too. Returns its length.
    fn publish(&self, path: &Path) -> Result<u64, CreateError> {
        let failed = |error| CreateError::Write { path: path.to_owned(), error };
        let bytes = fs::metadata(&self.0).map_err(failed)?.len();
        fs::rename(&self.0, path).map_err(failed)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(bytes)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there any more if it was published.
        fs::remove_file(&self.0).ok();
    }
}

fn warnings(config: &Config, has_key: bool, latest: Option<&str>, audit_key: &Verifier) -> Vec<String> {
    let place = match config.secret_key {
        Some(_) => "the value of BAILIWICK_SECRET_KEY".to_owned(),
        None => config.data_dir.join("secret.key").display().to_string(),
    };
    let mut warnings = Vec::new();
    if !has_key {
        warnings.push(format!(
            "The secret key is not in this backup, and without it nothing can be restored. Keep {place} in another \
             place, or set BAILIWICK_BACKUP_PASSPHRASE so that the next backup has it, sealed."
        ));
    }
    let is_signed = |latest| note::verified(latest, std::slice::from_ref(audit_key)).is_some();
    if !latest.is_none_or(is_signed) {
        warnings.push(
            "The latest checkpoint of the audit record was signed with another key. Make sure that the secret key \
             here is the one of the server: a backup with another one can't open what the server has sealed."
                .to_owned(),
        );
    }
    warnings
}
