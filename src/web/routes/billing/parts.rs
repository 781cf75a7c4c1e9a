//! What the pages of billing have in common: charges and seats in words.

use crate::{
    domain::{
        base::money::money,
        nouns::billing::{
            cost::{Charge, Terms},
            line::{self, Line},
            seats::Seats,
        },
    },
    web::{chart::grouped, words::pluralize},
};

/// A charge, as a row of a table.
pub(super) struct ChargeRow {
    pub what: String,
    pub when: String,
    pub amount: String,
}

impl ChargeRow {
    pub(super) fn of_charge(charge: &Charge, currency: &str) -> Self {
        Self {
            what: line::seats(&charge.name, charge.seats, charge.seat_price, currency),
            when: line::days(charge.from, charge.until),
            amount: money(charge.amount, currency),
        }
    }

    pub(super) fn of_line(line: &Line, currency: &str) -> Self {
        Self { what: line.what(currency), when: line.when(), amount: money(line.amount, currency) }
    }
}

/// What a whole month costs: `46.00 EUR a month`, or `Free`.
pub(super) fn monthly(terms: &Terms) -> String {
    match terms.seat_price {
        0 => "Free".to_owned(),
        price => {
            let seats = terms.seats.unwrap_or(0);
            let each = money(price, &terms.currency);
            let all = money(terms.monthly(), &terms.currency);
            format!("{all} a month: {} at {each}", pluralize(seats, "seat", "seats"))
        }
    }
}

/// Credits that come with a month; empty for none.
pub(super) fn included(credits: i64) -> String {
    match credits {
        0 => String::new(),
        1 => "1 credit".to_owned(),
        some => format!("{} credits", grouped(some)),
    }
}

/// How many seats are taken, and by whom.
pub(super) fn taken(seats: &Seats) -> String {
    let people = pluralize(seats.active, "active person", "active people");
    let by = match seats.reserved {
        0 => people,
        some => format!("{people} and {}", pluralize(some, "pending invitation", "pending invitations")),
    };
    match seats.limit {
        Some(limit) => format!("{} of {limit}, by {by}", seats.used()),
        None => format!("{} of any number, by {by}", seats.used()),
    }
}
