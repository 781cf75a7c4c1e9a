//! Moments as people read them.

use crate::clock::{DAY, HOUR, MINUTE};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// A moment in three forms: for machines, exact, and relative to now.
#[derive(Clone, Debug)]
pub(super) struct When {
    pub iso: String,
    pub exact: String,
    pub ago: String,
}

impl When {
    /// `at` and `now` in milliseconds since 1970.
    pub(super) fn new(at: i64, now: i64) -> Self {
        let moment = moment(at);
        let exact =
            format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]:[second] UTC");
        Self {
            iso: moment.format(&Rfc3339).unwrap_or_default(),
            exact: moment.format(exact).unwrap_or_default(),
            ago: relative(at, now),
        }
    }
}

/// The day of a moment, such as `21 Nov 2026`.
pub(super) fn day(at: i64) -> String {
    moment(at).format(format_description!("[day padding:none] [month repr:short] [year]")).unwrap_or_default()
}

fn moment(at: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn relative(at: i64, now: i64) -> String {
    let distance = (now - at).abs();
    let (amount, unit) = match distance {
        d if d < 45_000 => return if at <= now { "just now".into() } else { "in a moment".into() },
        d if d < 45 * MINUTE => (round(d, MINUTE), "minute"),
        d if d < 22 * HOUR => (round(d, HOUR), "hour"),
        d if d < 26 * DAY => (round(d, DAY), "day"),
        d if d < 320 * DAY => (round(d, 30 * DAY), "month"),
        d => (round(d, 365 * DAY), "year"),
    };
    let plural = if amount == 1 { "" } else { "s" };
    if at <= now { format!("{amount} {unit}{plural} ago") } else { format!("in {amount} {unit}{plural}") }
}

fn round(distance: i64, unit: i64) -> i64 {
    ((distance + unit / 2) / unit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_a_person_would_say_them() {
        let now = 1_800_000_000_000;
        for (at, words) in [
            (now, "just now"),
            (now - 60_000, "1 minute ago"),
            (now - 3 * HOUR, "3 hours ago"),
            (now - 2 * DAY, "2 days ago"),
            (now + 7 * DAY, "in 7 days"),
            (now - 400 * DAY, "1 year ago"),
        ] {
            assert_eq!(When::new(at, now).ago, words);
        }
        assert_eq!(When::new(now, now).exact, "15 Jan 2027, 08:00:00 UTC");
        assert_eq!(day(now), "15 Jan 2027");
    }
}
