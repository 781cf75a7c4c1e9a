//! The one source of chance.

use uuid::{ContextV7, Timestamp, Uuid};

/// Bytes that nobody can guess, from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: then no secret may be made at all.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
#[expect(clippy::expect_used, reason = "going on without randomness would be worse than stopping")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A new id (uuid v7): sorts by the time given, in milliseconds since 1970.
pub fn id(now_ms: i64) -> Uuid {
    let ms = u64::try_from(now_ms).unwrap_or(0);
    let nanos = u32::try_from(ms % 1_000 * 1_000_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(ContextV7::new(), ms / 1_000, nanos))
}
