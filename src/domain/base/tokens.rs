//! Secrets that are handed out once and stored as hashes.
//!
//! A token is a purpose prefix, 256 random bits and a checksum: `blw_inv_…`. The prefix keeps one
//! kind from being tried as another, and lets secret scanners find a leaked one; the checksum lets a
//! mistyped one be refused without asking the database.

use crate::random;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A browser that is signed in.
    Session,
    /// A browser that is not signed in. The token is valid only for its own forms.
    Visitor,
    /// A browser that somebody signed in or up in. It opens nothing by itself.
    Browser,
    /// Whoever runs the installation, before anybody has signed up.
    FirstSignUp,
    Invitation,
    /// Whoever was given a link by which several people can join a workspace.
    JoinLink,
    VerifyEmail,
    ResetPassword,
    ApiKey,
    /// Whoever runs the installation, in a workspace that granted them access for a limited time.
    SupportAccess,
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "blw_ses_",
            Self::Visitor => "blw_vis_",
            Self::Browser => "blw_brw_",
            Self::FirstSignUp => "blw_1st_",
            Self::Invitation => "blw_inv_",
            Self::JoinLink => "blw_jln_",
            Self::VerifyEmail => "blw_eml_",
            Self::ResetPassword => "blw_pwd_",
            Self::ApiKey => "blw_key_",
            Self::SupportAccess => "blw_sup_",
        }
    }
}

/// A secret, well-formed for its purpose. It is never logged and wiped when dropped.
#[derive(Clone)]
pub struct Token {
    purpose: Purpose,
    text: Zeroizing<String>,
}

const RANDOM_DIGITS: usize = 64;

const CHECK_DIGITS: usize = 8;

impl Token {
    pub fn new(purpose: Purpose) -> Self {
        let random = Zeroizing::new(hex::encode(random::bytes::<32>()));
        let check = checksum(purpose, &random);
        Self { purpose, text: Zeroizing::new(format!("{}{}{check}", purpose.prefix(), random.as_str())) }
    }

    /// A token that is equal each time, for data that needs no protection.
    pub(in crate::domain) fn known(purpose: Purpose, seed: &str) -> Self {
        let random = hex::encode(Sha256::digest(seed));
        let check = checksum(purpose, &random);
        Self { purpose, text: Zeroizing::new(format!("{}{random}{check}", purpose.prefix())) }
    }

    /// A token that each node derives from the installation's secret.
    pub(in crate::domain) fn derived(purpose: Purpose, key: &[u8; 64]) -> Self {
        let random = Zeroizing::new(hex::encode(&key[..RANDOM_DIGITS / 2]));
        let check = checksum(purpose, &random);
        Self { purpose, text: Zeroizing::new(format!("{}{}{check}", purpose.prefix(), random.as_str())) }
    }

    /// `None` if the text is not a token for this purpose.
    pub fn parse(purpose: Purpose, text: &str) -> Option<Self> {
        let body = text.strip_prefix(purpose.prefix())?;
        if body.len() != RANDOM_DIGITS + CHECK_DIGITS || !body.is_ascii() {
            return None;
        }
        let (random, check) = body.split_at(RANDOM_DIGITS);
        (checksum(purpose, random) == check).then(|| Self { purpose, text: Zeroizing::new(text.to_owned()) })
    }

    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What the database keeps: SHA-256 over the purpose and the text. The text has 256 random bits,
    /// so a slow hash would add nothing.
    pub fn hash(&self) -> Vec<u8> {
        digest(self.purpose, &self.text).to_vec()
    }

    /// The secret itself, for the cookie or the link that carries it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?})", self.purpose)
    }
}

fn digest(purpose: Purpose, text: &str) -> [u8; 32] {
    Sha256::new().chain_update(purpose.prefix()).chain_update([0]).chain_update(text).finalize().into()
}

fn checksum(purpose: Purpose, random: &str) -> String {
    hex::encode(&digest(purpose, random)[..CHECK_DIGITS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_only_for_its_own_purpose_and_only_unchanged() {
        let token = Token::new(Purpose::Invitation);
        let text = token.expose().to_owned();
        let again = Token::parse(Purpose::Invitation, &text).expect("its own text");
        assert_eq!(again.hash(), token.hash());
        assert!(Token::parse(Purpose::Session, &text).is_none());
        assert!(Token::parse(Purpose::Invitation, &text[..text.len() - 1]).is_none());
        assert!(Token::parse(Purpose::Invitation, &text.replace("inv_", "inv_0")).is_none());
        assert!(!format!("{token:?}").contains(&text[10..]));
    }
}
