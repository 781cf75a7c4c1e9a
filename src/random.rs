//! The only source of randomness.

use crate::clock::Timestamp;
use uuid::{ContextV7, Uuid};

/// Bytes that nobody can guess, from the operating system. Where it has none to give the process
/// ends: a secret that can be guessed would be worse.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "the operating system gives no random bytes");
        std::process::abort();
    }
    bytes
}

/// A new id (uuid v7): sorts by the time given.
pub fn id(now: Timestamp) -> Uuid {
    let ms = u64::try_from(now.as_millis()).unwrap_or(0);
    let nanos = u32::try_from(ms % 1_000 * 1_000_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(ContextV7::new(), ms / 1_000, nanos))
}
