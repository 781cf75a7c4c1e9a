//! Texts that the database stores for a while, and that may contain secrets: mail that waits, notices. They are
//! encrypted under a key that is not in the database, so that neither a copy of it nor what a deleted row
//! leaves in its file discloses them.

use crate::{random, secret::InstallationSecret};
use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use sea_orm::DbErr;
use uuid::Uuid;

/// The form of a sealed text: this, then nonce and ciphertext in hex.
const PREFIX: &str = "sealed:1:";

const NONCE_BYTES: usize = 12;

/// Where a sealed text is stored. It can't be opened as if it came from another row.
#[derive(Clone, Copy)]
pub(in crate::domain) struct Place {
    pub table: &'static str,
    pub id: Uuid,
}

impl Place {
    fn text(self) -> String {
        format!("{} {}", self.table, self.id)
    }
}

pub(in crate::domain) struct Sealer(Option<Aes256Gcm>);

impl Sealer {
    /// Without the installation's secret it can neither seal nor open: commands that only read need none.
    pub fn new(secret: Option<&InstallationSecret>) -> Self {
        Self(secret.and_then(|secret| Aes256Gcm::new_from_slice(&secret.derive("sealed texts")[..32]).ok()))
    }

    /// # Errors
    /// [`DbErr::Custom`] without the installation's secret.
    pub fn seal(&self, place: Place, text: &str) -> Result<String, DbErr> {
        self.seal_for(&place.text(), text)
    }

    /// Seals a text that can be opened for the same `purpose` alone, which says more than a [`Place`].
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn seal_for(&self, purpose: &str, text: &str) -> Result<String, DbErr> {
        let nonce: [u8; NONCE_BYTES] = random::bytes();
        let aad = purpose;
        let payload = Payload { msg: text.as_bytes(), aad: aad.as_bytes() };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| DbErr::Custom("a text could not be sealed".into()))?;
        Ok(format!("{PREFIX}{}{}", hex::encode(nonce), hex::encode(sealed)))
    }

    /// The text. What an earlier version stored without sealing it is returned as it is.
    ///
    /// # Errors
    /// [`DbErr::Custom`] if it was sealed under another secret or for another place, or was altered.
    pub fn open(&self, place: Place, stored: &str) -> Result<String, DbErr> {
        match stored.starts_with(PREFIX) {
            true => self.open_for(&place.text(), stored),
            false => Ok(stored.to_owned()),
        }
    }

    /// The text that was sealed by [`Sealer::seal_for`].
    ///
    /// # Errors
    /// [`DbErr::Custom`] if it was sealed under another secret or for another purpose, was altered, or not sealed.
    pub fn open_for(&self, purpose: &str, stored: &str) -> Result<String, DbErr> {
        let cipher = self.cipher()?;
        let sealed = stored.strip_prefix(PREFIX).unwrap_or_default();
        let aad = purpose;
        let opened = hex::decode(sealed).ok().and_then(|bytes| {
            let (nonce, msg) = bytes.split_first_chunk::<NONCE_BYTES>()?;
            cipher.decrypt(&Nonce::from(*nonce), Payload { msg, aad: aad.as_bytes() }).ok()
        });
        let text = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| DbErr::Custom("a text was sealed under another secret key, or altered".into()))
    }

    /// [`Sealer::seal_for`], as a text that may stand in an address.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn seal_code(&self, purpose: &str, text: &str) -> Result<String, DbErr> {
        let sealed = self.seal_for(purpose, text)?;
        Ok(sealed.strip_prefix(PREFIX).unwrap_or_default().to_owned())
    }

    /// The text of a code that was made by [`Sealer::seal_code`]; `None` for any other.
    pub fn open_code(&self, purpose: &str, code: &str) -> Option<String> {
        /// Longer than any.
        const MAX: usize = 1_000;
        let is_short = code.len() <= MAX;
        is_short.then(|| self.open_for(purpose, &format!("{PREFIX}{code}")).ok()).flatten()
    }

    /// [`Sealer::seal_for`] of bytes.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn seal_bytes_for(&self, purpose: &str, bytes: &[u8]) -> Result<Vec<u8>, DbErr> {
        let nonce: [u8; NONCE_BYTES] = random::bytes();
        let payload = Payload { msg: bytes, aad: purpose.as_bytes() };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| DbErr::Custom("bytes could not be sealed".into()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The bytes that were sealed by [`Sealer::seal_bytes_for`].
    ///
    /// # Errors
    /// As [`Sealer::open_for`].
    pub fn open_bytes_for(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, DbErr> {
        let cipher = self.cipher()?;
        let opened = sealed.split_first_chunk::<NONCE_BYTES>().and_then(|(nonce, msg)| {
            cipher.decrypt(&Nonce::from(*nonce), Payload { msg, aad: purpose.as_bytes() }).ok()
        });
        opened.ok_or_else(|| DbErr::Custom("bytes were sealed under another secret key, or altered".into()))
    }

    fn cipher(&self) -> Result<&Aes256Gcm, DbErr> {
        self.0.as_ref().ok_or_else(|| DbErr::Custom("the installation's secret key is missing".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    fn sealer(byte: &str) -> Sealer {
        let mut config = Config::for_tests("sqlite://unused".into(), Path::new("unused"));
        config.secret_key = Some(byte.repeat(32).into());
        Sealer::new(InstallationSecret::find(&config).expect("a secret").as_ref())
    }

    #[test]
    fn a_text_is_opened_in_its_place_and_under_its_secret_alone() {
        let place = Place { table: "outbox", id: Uuid::from_u128(1) };
        let own = sealer("07");
        let sealed = own.seal(place, "a secret").expect("sealed");
        assert!(!sealed.contains("secret") && sealed != own.seal(place, "a secret").expect("sealed"));
        assert_eq!(own.open(place, &sealed).expect("opened"), "a secret");
        assert_eq!(own.open(place, "as it was").expect("opened"), "as it was");
        let elsewhere = [Place { table: "notices", ..place }, Place { id: Uuid::from_u128(2), ..place }];
        assert!(elsewhere.iter().all(|place| own.open(*place, &sealed).is_err()));
        assert!(sealer("08").open(place, &sealed).is_err());
        let for_a = own.seal_for("a", "a secret").expect("sealed");
        assert_eq!(own.open_for("a", &for_a).expect("opened"), "a secret");
        assert!(own.open_for("b", &for_a).is_err() && own.open_for("a", "a secret").is_err());
        let code = own.seal_code("a", "a secret").expect("a code");
        assert!(code.chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(own.open_code("a", &code).as_deref(), Some("a secret"));
        assert_eq!((own.open_code("b", &code), sealer("08").open_code("a", &code)), (None, None));
        for broken in [&sealed[..sealed.len() - 2], PREFIX, "sealed:1:zz"] {
            assert!(own.open(place, broken).is_err(), "{broken}");
        }
    }
}
