//! Timestamps as people read them.

pub(super) use crate::domain::base::words::day;

use crate::clock::{DAY, HOUR, MINUTE, Timestamp};
use askama::filters::HtmlSafe;
use std::fmt::{Display, Formatter, Result};
use time::OffsetDateTime;

/// A moment in three forms: for machines, exact, and relative to now. They are written when a page is
/// drawn, and into it: a page has a hundred of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub iso: Iso,
    pub exact: Exact,
    pub ago: Ago,
}

impl When {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        let second = Second::of(moment(at));
        Self { iso: Iso(second), exact: Exact(second), ago: Ago { at, now } }
    }
}

/// `2027-01-15 08:00:00`, in digits that are worked out once and not by the formatting machinery.
#[derive(Clone, Copy, Debug)]
struct Second([u8; 19]);

impl Second {
    fn of(at: OffsetDateTime) -> Self {
        let mut text = *b"0000-00-00 00:00:00";
        let mut put = |place: usize, number: u8| {
            text[place] = b'0' + number / 10 % 10;
            text[place + 1] = b'0' + number % 10;
        };
        let (year, month, day) = at.to_calendar_date();
        let part = |number: i32| u8::try_from(number).unwrap_or(0);
        put(0, part(year / 100 % 100));
        put(2, part(year % 100));
        put(5, u8::from(month));
        put(8, day);
        put(11, at.hour());
        put(14, at.minute());
        put(17, at.second());
        Self(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `2027-01-15 08:00:00Z`
#[derive(Clone, Copy, Debug)]
pub(super) struct Iso(Second);

impl Display for Iso {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.0.as_str())?;
        f.write_str("Z")
    }
}

/// `2027-01-15 08:00:00 UTC`: for the most part what [`Iso`] says, so that the second costs next to
/// nothing where both are sent compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exact(Second);

impl Display for Exact {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.0.as_str())?;
        f.write_str(" UTC")
    }
}

/// `3 hours ago`
#[derive(Clone, Copy, Debug)]
pub(super) struct Ago {
    at: Timestamp,
    now: Timestamp,
}

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { at, now } = *self;
        let (amount, unit) = match (now - at).abs() {
            d if d < 45_000 => return f.write_str(if at <= now { "just now" } else { "in a moment" }),
            d if d < 45 * MINUTE => (round(d, MINUTE), "minute"),
            d if d < 22 * HOUR => (round(d, HOUR), "hour"),
            d if d < 26 * DAY => (round(d, DAY), "day"),
            d if d < 320 * DAY => (round(d, 30 * DAY), "month"),
            d => (round(d, 365 * DAY), "year"),
        };
        let plural = if amount == 1 { "" } else { "s" };
        if at <= now {
            write!(f, "{amount} {unit}{plural} ago")
        } else {
            write!(f, "in {amount} {unit}{plural}")
        }
    }
}

// Digits, letters, colons: nothing that a page would have to escape.
impl HtmlSafe for Iso {}
impl HtmlSafe for Exact {}
impl HtmlSafe for Ago {}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn round(distance: i64, unit: i64) -> i64 {
    ((distance + unit / 2) / unit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_a_person_would_say_them() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        for (at, words) in [
            (now, "just now"),
            (now - 60_000, "1 minute ago"),
            (now - 3 * HOUR, "3 hours ago"),
            (now - 2 * DAY, "2 days ago"),
            (now + 7 * DAY, "in 7 days"),
            (now - 400 * DAY, "1 year ago"),
        ] {
            assert_eq!(When::new(at, now).ago.to_string(), words);
        }
        assert_eq!(When::new(now, now).iso.to_string(), "2027-01-15 08:00:00Z");
        assert_eq!(When::new(now, now).exact.to_string(), "2027-01-15 08:00:00 UTC");
    }
}
