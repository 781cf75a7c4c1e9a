//! The lines of invoices.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            money::money,
            words::{day, pluralize},
        },
        nouns::billing::cost::Month,
    },
};
use sea_orm::FromQueryResult;

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Line {
    /// `seats` or `credits`.
    pub kind: String,
    /// What the plan or the pack was called.
    pub name: String,
    pub quantity: i64,
    /// For a whole month, where it is one of seats.
    pub unit_price: i64,
    /// The first moment of the first day, and of the day after the last one.
    pub from_at: Timestamp,
    pub until_at: Timestamp,
    pub amount: i64,
}

impl Line {
    fn is_of_seats(&self) -> bool {
        self.kind == "seats"
    }

    /// What it is for: `Team: 2 seats at 9.20 EUR a month`, or `1,000 credits`.
    pub fn what(&self, currency: &str) -> String {
        match self.is_of_seats() {
            true => seats(&self.name, self.quantity, self.unit_price, currency),
            false => self.name.clone(),
        }
    }

    /// The days that it is for.
    pub fn when(&self) -> String {
        if self.is_of_seats() { days(self.from_at, self.until_at) } else { day(self.from_at) }
    }

    /// All of it on one line.
    pub fn in_words(&self, currency: &str) -> String {
        format!("{}, {}: {}", self.what(currency), self.when(), money(self.amount, currency))
    }
}

/// The days from one moment until another: `1 Nov 2026 to 14 Nov 2026 (14 of 30 days)`.
pub fn days(from: Timestamp, until: Timestamp) -> String {
    let (count, of) = ((until - from) / DAY, Month::of(from).days());
    match count {
        all if all == of => Month::of(from).label(),
        1 => format!("{} (1 of {of} days)", day(from)),
        some => format!("{} to {} ({some} of {of} days)", day(from), day(until - DAY)),
    }
}

/// Seats of a plan: `Team: 2 seats at 9.20 EUR a month`.
pub fn seats(plan: &str, count: i64, price: i64, currency: &str) -> String {
    format!("{plan}: {} at {} a month", pluralize(count, "seat", "seats"), money(price, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_with_their_days() {
        // 2026-11-01, a month of 30 days.
        let at = |day: i64| Timestamp::from_millis(1_793_491_200_000 + day * DAY);
        let line = |kind: &str, from: i64, until: i64| Line {
            kind: kind.to_owned(),
            name: "Team".to_owned(),
            quantity: 2,
            unit_price: 920,
            from_at: at(from),
            until_at: at(until),
            amount: 1_840,
        };
        for (line, words) in [
            (line("seats", 0, 30), "Team: 2 seats at 9.20 EUR a month, November 2026: 18.40 EUR"),
            (line("seats", 4, 5), "Team: 2 seats at 9.20 EUR a month, 5 Nov 2026 (1 of 30 days): 18.40 EUR"),
            (
                line("seats", 0, 14),
                "Team: 2 seats at 9.20 EUR a month, 1 Nov 2026 to 14 Nov 2026 (14 of 30 days): 18.40 EUR",
            ),
            (line("credits", 4, 4), "Team, 5 Nov 2026: 18.40 EUR"),
        ] {
            assert_eq!(line.in_words("EUR"), words);
        }
    }
}
