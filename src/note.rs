//! Signed notes: a text with Ed25519 signatures, in the form that <https://c2sp.org/signed-note> specifies. Keys
//! are written as there, so that other programs verify them too.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// The number that stands for Ed25519 in a key.
const ED25519: u8 = 1;

/// Each line of a signature begins with this.
const MARK: &str = "\u{2014} ";

/// A key that signs.
#[derive(Clone)]
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl Signer {
    /// The name has no space and no plus sign.
    pub fn new(name: &str, seed: &[u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) }
    }

    /// The key with which others verify what this one signs.
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The note with this text, which ends with a line break.
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.verifier().id().to_vec();
        signature.extend(self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n{MARK}{} {}\n", self.name, BASE64.encode(signature))
    }
}

/// A key that verifies, such as `name+8a6b1c2d+AQ…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

impl Verifier {
    fn encoded(&self) -> Vec<u8> {
        [&[ED25519][..], self.key.as_bytes()].concat()
    }

    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new().chain_update(&self.name).chain_update(b"\n").chain_update(self.encoded());
        let mut id = [0; 4];
        id.copy_from_slice(&digest.finalize()[..4]);
        id
    }

    /// Whether one line of signature is this key's, over this text.
    fn has_signed(&self, text: &str, line: &str) -> bool {
        let signed = line.strip_prefix(MARK).and_then(|line| line.split_once(' '));
        let Some((_, encoded)) = signed.filter(|(name, _)| *name == self.name) else { return false };
        let Ok(bytes) = BASE64.decode(encoded) else { return false };
        let Some(signature) = bytes.strip_prefix(&self.id()) else { return false };
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), BASE64.encode(self.encoded()))
    }
}

impl FromStr for Verifier {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "this is not an Ed25519 key such as name+8a6b1c2d+AQ…";
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong);
        };
        let bytes = BASE64.decode(encoded).map_err(|_| wrong)?;
        let key =
            bytes.strip_prefix(&[ED25519]).and_then(|key| <[u8; 32]>::try_from(key).ok()).ok_or(wrong)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| wrong)?;
        let verifier = Self { name: name.to_owned(), key };
        if hex::encode(verifier.id()) == id { Ok(verifier) } else { Err(wrong) }
    }
}

/// The text of a note, if one of the keys signed it.
pub fn verified<'a>(note: &'a str, keys: &[Verifier]) -> Option<&'a str> {
    let (text, signatures) = note.rsplit_once("\n\n")?;
    let text = &note[..=text.len()];
    let is_signed = |line: &str| keys.iter().any(|key| key.has_signed(text, line));
    let is_note = signatures.lines().all(|line| line.starts_with(MARK));
    (is_note && signatures.lines().any(is_signed)).then_some(text)
}

/// The notes of a file in which one stands after the other.
pub fn split(file: &str) -> Vec<String> {
    let (mut notes, mut was_signature) = (Vec::<String>::new(), true);
    for line in file.lines() {
        let is_signature = line.starts_with(MARK);
        if was_signature && !is_signature {
            if line.is_empty() {
                continue;
            }
            notes.push(String::new());
        }
        was_signature = is_signature;
        if let Some(note) = notes.last_mut() {
            note.push_str(line);
            note.push('\n');
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_verified_by_the_key_that_signed_it_and_by_no_other() {
        let (one, other) = (Signer::new("one", &[1; 32]), Signer::new("one", &[2; 32]));
        let note = one.sign("first\n\nsecond\n");
        assert_eq!(verified(&note, &[other.verifier(), one.verifier()]), Some("first\n\nsecond\n"));
        assert_eq!(verified(&note, &[other.verifier()]), None);
        assert_eq!(verified(&note.replace("second", "third"), &[one.verifier()]), None);
        assert_eq!(verified("first\n", &[one.verifier()]), None);
        let renamed = Signer::new("two", &[1; 32]).verifier();
        assert_eq!(verified(&note, &[renamed]), None);
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = Signer::new("one", &[1; 32]).verifier();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!("one+00000000+AQ==".parse::<Verifier>().is_err());
    }

    #[test]
    fn notes_of_a_file_stand_one_after_the_other() {
        let signer = Signer::new("one", &[1; 32]);
        let (first, second) = (signer.sign("first\n"), signer.sign("second\n"));
        assert_eq!(split(&format!("{first}{second}")), [first.clone(), second.clone()]);
        assert_eq!(split(&format!("\n{first}\n\n{second}\n")), [first, second]);
        assert!(split("").is_empty());
    }
}
