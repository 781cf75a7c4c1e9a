//! The moment at which something is to end, as people type it.

use crate::{
    clock::{DAY, MINUTE, Timestamp},
    domain::Invalid,
    web::checks,
};

/// The furthest from UTC that a time zone is, in minutes.
const MAX_OFFSET: i64 = 15 * 60;

/// Digits that are no year: a moment in milliseconds, as an Undo carries it.
const MOMENT_DIGITS: usize = 11;

/// Reads the end of a day such as 2026-11-21 in the time zone of the reader, whose script sends in `zone` by how many
/// minutes UTC is ahead of it; without the script it is UTC. An empty text is no end.
///
/// # Errors
/// On the field `until`.
pub(in crate::web) fn parse(text: &str, zone: &str) -> Result<Option<Timestamp>, Invalid> {
    if text.len() >= MOMENT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(millis) => Ok(Some(Timestamp::from_millis(millis))),
            Err(_) => Err(unreadable()),
        };
    }
    let Some(midnight) = checks::date("until", text)? else { return Ok(None) };
    let offset = match zone {
        "" => 0,
        zone => {
            let offset =
                zone.parse::<i64>().ok().filter(|offset| (-MAX_OFFSET..=MAX_OFFSET).contains(offset));
            offset.ok_or_else(unreadable)?
        }
    };
    Ok(Some(midnight + DAY + offset * MINUTE))
}

fn unreadable() -> Invalid {
    Invalid::field("until", "Enter a date such as 2026-11-21.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_reader_is() {
        let at = |text: &str, zone: &str| parse(text, zone).ok().flatten().map(Timestamp::as_millis);
        let midnight = 1_795_305_600_000;
        assert_eq!(at("2026-11-21", ""), Some(midnight));
        // In Berlin the day ends an hour before it does in London, and in New York five hours later.
        assert_eq!(at("2026-11-21", "-60"), Some(midnight - 60 * MINUTE));
        assert_eq!(at("2026-11-21", "300"), Some(midnight + 300 * MINUTE));
        assert_eq!(at("1795305600000", ""), Some(midnight));
        assert_eq!(parse("", "60").ok(), Some(None));
        for (text, zone) in
            [("2026-11-21", "901"), ("2026-11-21", "x"), ("Friday", ""), ("99999999999999999999", "")]
        {
            assert!(parse(text, zone).is_err(), "{text} {zone}");
        }
    }
}
