//! The secret that messages to a destination are signed with, as Standard Webhooks defines it.

use crate::{
    domain::base::{db::Db, sealed::Place},
    random,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::DbErr;
use sha2::Sha256;
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";

/// It is never logged, and wiped when dropped.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<String>);

impl SigningSecret {
    /// A new one of 32 random bytes.
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(random::bytes::<32>()))))
    }

    /// The secret itself, for whoever configures the receiver.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The signature of a message: `v1,` and the HMAC-SHA256 of its id, the time and its body, in base64.
    pub fn sign(&self, id: &str, seconds: i64, body: &str) -> Option<String> {
        let key = Zeroizing::new(STANDARD.decode(self.0.strip_prefix(PREFIX)?).ok()?);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }

    /// Seals it for the row of this destination.
    pub(super) fn seal(&self, db: &Db, destination: Uuid) -> Result<String, DbErr> {
        db.sealer().seal(place(destination), &self.0)
    }

    /// Opens what [`SigningSecret::seal`] sealed.
    pub(super) fn open(db: &Db, destination: Uuid, sealed: &str) -> Result<Self, DbErr> {
        Ok(Self(Zeroizing::new(db.sealer().open(place(destination), sealed)?)))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

fn place(destination: Uuid) -> Place {
    Place { table: "event_endpoints", id: destination }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_message_is_signed_as_the_standard_says() {
        let secret = SigningSecret(Zeroizing::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()));
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert!(!format!("{secret:?}").contains("MfKQ"));
    }

    #[test]
    fn each_secret_is_new() {
        let (one, two) = (SigningSecret::new(), SigningSecret::new());
        assert_ne!(one.expose(), two.expose());
        assert!(one.sign("id", 1, "{}").is_some_and(|signature| signature.starts_with("v1,")));
    }
}
