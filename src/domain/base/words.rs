//! Numbers and moments in sentences.

use crate::clock::Timestamp;
use time::{OffsetDateTime, macros::format_description};

/// A number with its noun: "1 person", "2 people".
pub fn pluralize(count: i64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// The texts that are not empty.
pub(in crate::domain) fn nonempty<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The day of a moment, in UTC: `21 Nov 2026`.
pub fn day(at: Timestamp) -> String {
    moment(at).format(format_description!("[day padding:none] [month repr:short] [year]")).unwrap_or_default()
}

/// A moment, to the second: `2027-01-15 08:00:00 UTC`.
pub(in crate::domain) fn exact(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    moment(at).format(format).unwrap_or_default()
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        assert_eq!(day(at), "15 Jan 2027");
        assert_eq!(exact(at), "2027-01-15 08:00:00 UTC");
    }
}
