//! The installation's secret: 32 random bytes that are not in the database. Each use derives a key of its own.

use crate::{config::Config, private, random};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha512};
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};
use zeroize::Zeroizing;

/// Why there is no usable secret. The sentence is for whoever starts the server.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("can't store the secret key in {path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("BAILIWICK_SECRET_KEY must be 64 hex digits. Create one with: openssl rand -hex 32")]
    Shape,
    #[error(
        "with PostgreSQL, set BAILIWICK_SECRET_KEY to the same value on every node. Create one with: openssl rand -hex 32"
    )]
    Missing,
}

pub struct InstallationSecret(Zeroizing<[u8; 32]>);

impl InstallationSecret {
    /// The secret of the settings, or else the one that an earlier start stored; `None` if there is neither.
    ///
    /// # Errors
    /// [`SecretError::File`], [`SecretError::Shape`].
    pub fn find(config: &Config) -> Result<Option<Self>, SecretError> {
        if let Some(secret) = &config.secret_key {
            return Self::parse(secret.expose_secret()).map(Some);
        }
        let path = path(config);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SecretError::File { path, error }),
        }
    }

    /// As [`InstallationSecret::find`]; if there is none, a new one is stored. Several nodes need the same, so with
    /// PostgreSQL none is created.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn find_or_create(config: &Config) -> Result<Self, SecretError> {
        match Self::find(config)? {
            Some(secret) => Ok(secret),
            None if config.is_postgres() => Err(SecretError::Missing),
            None => Self::create(config),
        }
    }

    fn create(config: &Config) -> Result<Self, SecretError> {
        let secret = Self(Zeroizing::new(random::bytes()));
        secret.store(config)?;
        Ok(secret)
    }

    /// Stores it where [`InstallationSecret::find`] looks for it. Returns the path.
    ///
    /// # Errors
    /// [`SecretError::File`], also if there is one already.
    pub(crate) fn store(&self, config: &Config) -> Result<PathBuf, SecretError> {
        let path = path(config);
        private::make_folder(&config.data_dir)
            .and_then(|()| private::new_file(&path))
            .and_then(|mut file| file.write_all(self.to_hex().as_bytes()).and_then(|()| file.sync_all()))
            .map_err(|error| SecretError::File { path: path.clone(), error })?;
        Ok(path)
    }

    /// It, as the settings have it.
    pub(crate) fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Reads [`InstallationSecret::to_hex`].
    ///
    /// # Errors
    /// [`SecretError::Shape`].
    pub(crate) fn parse(text: &str) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *bytes).map_err(|_| SecretError::Shape)?;
        Ok(Self(bytes))
    }

    /// 64 bytes for this purpose, from which neither the secret nor the bytes for another purpose can be computed.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 64]> {
        let hash = Sha512::new().chain_update("bailiwick ").chain_update(purpose).chain_update("\0");
        Zeroizing::new(hash.chain_update(self.0.as_slice()).finalize().into())
    }
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join("secret.key")
}
