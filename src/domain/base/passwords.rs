//! Passwords: what is accepted, and how they are hashed without stopping everything else.

use crate::domain::base::{
    counters::HashingState,
    hash_queue::{HashQueue, Party, Permit},
    refused::Refused,
    statements::Counter,
    text_rule::Complaint,
};
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use std::{fmt, time::Duration};
use tracing::Instrument;
use zeroize::Zeroizing;

/// A password that is good enough to be set.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Longer ones are refused before any hashing, in bytes.
pub(in crate::domain) const MAX_BYTES: usize = 1_024;

const MIN_CHARS: usize = 12;

const SCORED_CHARS: usize = 20;

impl Password {
    /// Checks length, and how hard it is to guess for someone who knows `hints` (name, address).
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str, hints: &[&str]) -> Result<Self, Complaint> {
        if text.is_empty() {
            return Err("Choose a password.");
        }
        if text.len() > MAX_BYTES {
            return Err("Use at most 1,024 bytes.");
        }
        if text.chars().count() < MIN_CHARS {
            return Err(
                "Use at least 12 characters. Four random words are easy to remember and hard to guess.",
            );
        }
        if text.contains('\0') {
            return Err("Remove the characters that can't be typed.");
        }
        if text.chars().count() < MIN_CHARS / 2 + known_chars(text, hints) {
            return Err(
                "Don't include your name or e-mail address. Four random words are easy to remember and hard to guess.",
            );
        }
        // Scores 0 and 1 fall to fewer than a million guesses. Only the start is scored: what follows
        // can only help, and the time it takes grows fast with a text made to be slow.
        let start: String = text.chars().take(SCORED_CHARS).collect();
        if u8::from(zxcvbn::zxcvbn(&start, hints).score()) < 2 {
            return Err(
                "This password is easy to guess. Four random words are easy to remember and hard to guess.",
            );
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// How many characters of a password are made of what its owner is known by.
fn known_chars(text: &str, hints: &[&str]) -> usize {
    let whole = text.to_lowercase();
    let words = hints.iter().flat_map(|hint| hint.split(|c: char| !c.is_alphanumeric()));
    let rest = words
        .filter(|word| word.chars().count() >= 3)
        .fold(whole.clone(), |rest, word| rest.replace(&word.to_lowercase(), ""));
    whole.chars().count().saturating_sub(rest.chars().count())
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// argon2id behind a queue: each hash takes 19 MiB and a core for some 70 ms, so one core is left for
/// everything else, some requests wait for their turn, and the rest are refused with a Retry-After.
pub struct Passwords {
    queue: HashQueue,
    hashes: Counter,
}

const BUSY: Refused = Refused::Busy { retry_after_seconds: 3 };

/// Verified for an unknown address, so that it takes as long as for a known one. No password has this hash.
const DUMMY_HASH: &str = NO_PASSWORD;

/// The hash of users who have no password yet. Verifying takes as long as for any other, and no password
/// matches.
pub(in crate::domain) const NO_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Passwords {
    /// Requests wait one second longer for a permit to hash than for a connection.
    pub fn new(connection_timeout: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let at_once = cores.saturating_sub(1).max(1);
        let queue = HashQueue::new(at_once, connection_timeout + Duration::from_secs(1));
        Self { queue, hashes: Counter::default() }
    }

    pub(in crate::domain) fn hashes(&self) -> Counter {
        self.hashes.clone()
    }

    pub(in crate::domain) fn state(&self) -> HashingState {
        self.queue.state()
    }

    /// Waits for a permit to hash.
    ///
    /// # Errors
    /// [`Refused::Busy`] after a second more than a request waits for a database connection.
    pub(in crate::domain) async fn acquire(&self, party: Party) -> Result<HashPermit, Refused> {
        let waiting = self.queue.acquire(party).instrument(tracing::debug_span!("wait_to_hash"));
        let permit = waiting.await.ok_or(BUSY)?;
        Ok(HashPermit { _permit: permit, hashes: self.hashes.clone() })
    }

    /// # Errors
    /// As [`Passwords::acquire`].
    pub(in crate::domain) async fn hash(&self, password: &Password, party: Party) -> Result<String, Refused> {
        let text = password.0.clone();
        self.acquire(party).await?.run(move || hash_now(&text)).await?.ok_or(BUSY)
    }
}

/// A permit to hash one password.
pub(in crate::domain) struct HashPermit {
    _permit: Permit,
    hashes: Counter,
}

impl HashPermit {
    /// Whether this is the password of `hash`. Without a hash, the same work is done for nothing.
    ///
    /// # Errors
    /// [`Refused::Busy`] if the thread that hashes failed.
    pub(in crate::domain) async fn verify(self, typed: &str, hash: Option<String>) -> Result<bool, Refused> {
        let typed = Zeroizing::new(typed.to_owned());
        let known = hash.is_some();
        let matches = self.run(move || {
            let hash = hash.unwrap_or_else(|| DUMMY_HASH.to_owned());
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(typed.as_bytes(), &hash).is_ok())
        });
        Ok(matches.await? && known)
    }

    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        // The permit goes with the work: a request that is cancelled does not release it early.
        let done = tokio::task::spawn_blocking(move || {
            let permit = self;
            permit.hashes.increment();
            work()
        });
        done.instrument(tracing::debug_span!("hash_password")).await.map_err(|_| BUSY)
    }
}

/// OWASP's argon2id parameters (19 MiB, 2 passes, 1 lane), which are the library's own defaults.
fn hash_now(text: &str) -> Option<String> {
    Argon2::default().hash_password(text.as_bytes()).ok().map(|hash| hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_oversized_passwords_are_refused_with_a_reason() {
        for bad in ["", "short", "aaaaaaaaaaaaaa", "password1234", &"x".repeat(2_000)] {
            assert!(Password::parse(bad, &[]).is_err(), "{bad:?}");
        }
        assert!(Password::parse("correct horse battery staple 9", &[]).is_ok());
        let hints = ["Owner One", "owner-one@example.com"];
        for known in ["owner-one@example.com", "Owner One Owner One", "example owner 1"] {
            assert!(Password::parse(known, &hints).is_err(), "{known:?}");
        }
        assert!(Password::parse("one owner of four bicycles", &hints).is_ok());
    }

    /// What bounds the time of the judge is that it never sees more than the start: so a weak start
    /// is refused, however good the rest.
    #[test]
    fn only_the_start_of_a_password_is_judged() {
        let rest = "correct horse battery staple 9";
        assert!(Password::parse(&format!("{}{rest}", "a".repeat(SCORED_CHARS)), &[]).is_err());
        assert!(Password::parse(&format!("{rest}{}", "a".repeat(SCORED_CHARS)), &[]).is_ok());
    }

    #[tokio::test]
    async fn only_the_right_password_opens_and_the_dummy_never() {
        let passwords = Passwords::new(Duration::from_secs(5));
        let password = Password::parse("correct horse battery staple 9", &[]).expect("good enough");
        let hash = passwords.hash(&password, Party::known("n", "a")).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (typed, hash, verdict) in [
            ("correct horse battery staple 9", Some(hash.clone()), true),
            ("correct horse battery staple 8", Some(hash), false),
            ("", None, false),
        ] {
            let permit = passwords.acquire(Party::known("n", "a")).await.expect("nobody else waits");
            assert_eq!(permit.verify(typed, hash).await.expect("verified"), verdict);
        }
        assert!(PasswordHash::new(DUMMY_HASH).is_ok(), "the dummy costs as much as a real one");
    }
}
