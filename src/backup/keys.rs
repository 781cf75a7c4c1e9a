//! The secret keys of an installation, sealed by a passphrase: AES-256-GCM under a key that Argon2id makes of it.

use crate::{
    note::Signer,
    random,
    secret::{InstallationSecret, SecretError},
};
use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The first line of what is signed in a backup, and the name of the key that signs it.
pub(super) const NAME: &str = "bailiwick-backup";

/// What is not in the database and can't be made anew.
pub(super) struct Keys {
    pub secret: InstallationSecret,
    /// `BAILIWICK_AUDIT_KEY`, where it is set.
    pub audit_key: Option<SecretString>,
}

/// The key that signs the backups of an installation, and by which they are known.
pub(super) fn signer(secret: &InstallationSecret) -> Signer {
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(&secret.derive("backup")[..32]);
    Signer::new(NAME, &seed)
}

/// Bytes are in hex.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SealedKeys {
    /// Of Argon2id: KiB of memory, passes over it, and lanes.
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

/// What it costs to try one passphrase: 64 MiB and three passes, as RFC 9106 recommends where memory is scarce.
const COST: (u32, u32, u32) = (64 * 1024, 3, 1);
/// A file can't ask for more than this.
const MAX_COST: (u32, u32, u32) = (1024 * 1024, 16, 16);

/// Says what is sealed, so that nothing else can be taken for it.
const PURPOSE: &[u8] = b"bailiwick-backup keys 1";

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("the passphrase is wrong")]
    Passphrase,
    #[error("the keys can't be sealed")]
    Seal,
    #[error(transparent)]
    Secret(#[from] SecretError),
}

#[derive(Serialize, Deserialize)]
struct Plain {
    secret_key: String,
    audit_key: Option<String>,
}

impl SealedKeys {
    /// # Errors
    /// [`KeysError::Seal`], which only a lack of memory causes.
    pub fn seal(keys: &Keys, passphrase: &SecretString) -> Result<Self, KeysError> {
        let (salt, nonce): ([u8; 16], [u8; 12]) = (random::bytes(), random::bytes());
        let plain = Plain {
            secret_key: keys.secret.to_hex().to_string(),
            audit_key: keys.audit_key.as_ref().map(|key| key.expose_secret().to_owned()),
        };
        let text = Zeroizing::new(serde_json::to_vec(&plain).map_err(|_| KeysError::Seal)?);
        let cipher = cipher(passphrase, &salt, COST).ok_or(KeysError::Seal)?;
        let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: &text, aad: PURPOSE });
        let sealed = hex::encode(sealed.map_err(|_| KeysError::Seal)?);
        let (memory, passes, lanes) = COST;
        Ok(Self { memory, passes, lanes, salt: hex::encode(salt), nonce: hex::encode(nonce), sealed })
    }

    /// # Errors
    /// [`KeysError::Passphrase`].
    pub fn open(&self, passphrase: &SecretString) -> Result<Keys, KeysError> {
        let text = self.plain(passphrase).ok_or(KeysError::Passphrase)?;
        let plain: Plain = serde_json::from_slice(&text).map_err(|_| KeysError::Passphrase)?;
        let secret = InstallationSecret::parse(&Zeroizing::new(plain.secret_key))?;
        Ok(Keys { secret, audit_key: plain.audit_key.map(SecretString::from) })
    }

    fn plain(&self, passphrase: &SecretString) -> Option<Zeroizing<Vec<u8>>> {
        let cost = (self.memory, self.passes, self.lanes);
        if cost.0 > MAX_COST.0 || cost.1 > MAX_COST.1 || cost.2 > MAX_COST.2 {
            return None;
        }
        let bytes = |text: &str| hex::decode(text).ok();
        let nonce: [u8; 12] = bytes(&self.nonce)?.try_into().ok()?;
        let cipher = cipher(passphrase, &bytes(&self.salt)?, cost)?;
        let sealed = bytes(&self.sealed)?;
        let payload = Payload { msg: &sealed, aad: PURPOSE };
        cipher.decrypt(&Nonce::from(nonce), payload).ok().map(Zeroizing::new)
    }
}

fn cipher(passphrase: &SecretString, salt: &[u8], cost: (u32, u32, u32)) -> Option<Aes256Gcm> {
    let (memory, passes, lanes) = cost;
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, &mut *key)
        .ok()?;
    Aes256Gcm::new_from_slice(&*key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_opened_by_their_passphrase_alone() {
        let secret = InstallationSecret::parse(&"07".repeat(32)).expect("a secret");
        let keys = Keys { secret, audit_key: Some("09".repeat(32).into()) };
        let passphrase = SecretString::from("correct horse battery staple");
        let sealed = SealedKeys::seal(&keys, &passphrase).expect("sealed");
        let written = serde_json::to_string(&sealed).expect("written");
        assert!(!written.contains("0707") && !written.contains("0909"), "{written}");
        let opened = sealed.open(&passphrase).expect("opened");
        assert_eq!(*opened.secret.to_hex(), "07".repeat(32));
        assert_eq!(opened.audit_key.map(|key| key.expose_secret().to_owned()), Some("09".repeat(32)));
        assert!(matches!(sealed.open(&"another passphrase".into()), Err(KeysError::Passphrase)));
        let greedy = SealedKeys { memory: u32::MAX, ..sealed };
        assert!(matches!(greedy.open(&passphrase), Err(KeysError::Passphrase)));
    }
}
