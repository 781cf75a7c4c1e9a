//! The file of SQLite, which somebody may replace while it is open: what is written then is lost with the old one.

use crate::domain::base::outage;
use sea_orm::DbErr;
use std::{fs, io, path::PathBuf};

/// A file by its path, and which one that was when the database was opened.
#[derive(Clone)]
pub(in crate::domain) struct DatabaseFile {
    path: PathBuf,
    opened: Option<Identity>,
}

/// A file of this machine, whatever its name.
type Identity = (u64, u64);

impl DatabaseFile {
    /// The file that is at this path now. Nothing is watched if there is none, as for a database in memory.
    pub fn opened(path: PathBuf) -> Self {
        let opened = identity(&path).ok();
        Self { path, opened }
    }

    /// # Errors
    /// If another file, or none, is at the path by now.
    pub fn check(&self) -> Result<(), DbErr> {
        match self.opened {
            Some(opened) if identity(&self.path).ok() != Some(opened) => Err(outage::replaced()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn identity(path: &std::path::Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &std::path::Path) -> io::Result<Identity> {
    Err(io::ErrorKind::Unsupported.into())
}
