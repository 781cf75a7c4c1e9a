//! What a month costs, by day and in whole numbers. Nothing here reads the database.
//!
//! A day costs what the most expensive terms cost that were in force at any moment of it: who adds a seat pays for that
//! day, and who gives one up does so from the next day on. Days with the same terms are one charge: seats × price × days
//! ÷ days of the month, rounded to the nearest unit, halves up. So a month without changes costs exactly seats × price.

use crate::clock::{DAY, SECOND, Timestamp};
use sea_orm::FromQueryResult;
use time::{OffsetDateTime, macros::format_description};

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Timestamp);

fn date(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.as_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

impl Month {
    /// The month that this moment is in.
    pub fn of(at: Timestamp) -> Self {
        let moment = date(at);
        let days = i64::from(moment.day()) - 1;
        let midnight = moment.date().midnight().assume_utc().unix_timestamp() * SECOND;
        Self(Timestamp::from_millis(midnight - days * DAY))
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        self.0
    }

    /// The first moment of the next one.
    pub fn end(self) -> Timestamp {
        self.next().0
    }

    pub fn next(self) -> Self {
        Self::of(self.0 + 31 * DAY)
    }

    pub fn days(self) -> i64 {
        (self.end() - self.0) / DAY
    }

    /// How many of its days are left at this moment, the present one included.
    pub fn days_left(self, at: Timestamp) -> i64 {
        let passed = (at - self.0).div_euclid(DAY);
        (self.days() - passed).clamp(0, self.days())
    }

    /// `November 2026`
    pub fn label(self) -> String {
        date(self.0).format(format_description!("[month repr:long] [year]")).unwrap_or_default()
    }
}

/// What is agreed from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Terms {
    pub starts_at: Timestamp,
    /// The slug of the plan.
    pub plan: String,
    pub plan_name: String,
    pub currency: String,
    /// What a seat costs for a whole month.
    pub seat_price: i64,
    /// How many are paid for; `None` without a price.
    pub seats: Option<i64>,
    /// For how many people the plan is at most; `None` for any number.
    pub max_seats: Option<i64>,
    /// Credits that come with a whole month.
    pub credits: i64,
}

impl Terms {
    /// What a whole month costs.
    pub fn monthly(&self) -> i64 {
        self.seats.unwrap_or(0).saturating_mul(self.seat_price)
    }

    /// For how many people they are; `None` for any number.
    pub fn limit(&self) -> Option<i64> {
        match self.seat_price {
            0 => self.max_seats,
            _ => self.seats,
        }
    }

    fn is_same_price(&self, other: &Self) -> bool {
        (&self.plan, self.seats, self.seat_price, &self.currency)
            == (&other.plan, other.seats, other.seat_price, &other.currency)
    }
}

/// Days of a month under the same terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub name: String,
    pub seats: i64,
    pub seat_price: i64,
    /// The first moment of the first day, and of the day after the last one.
    pub from: Timestamp,
    pub until: Timestamp,
    pub amount: i64,
}

/// A part of an amount, rounded to the nearest unit, halves up. None of the numbers is negative.
fn part(amount: i64, days: i64, of: i64) -> i64 {
    let (amount, days, of) = (i128::from(amount), i128::from(days), i128::from(of.max(1)));
    i64::try_from((2 * amount * days + of) / (2 * of)).unwrap_or(i64::MAX)
}

/// The terms of a day: the most expensive ones of those in force at any moment of it, and of these the last.
fn of_day(terms: &[Terms], day: Timestamp) -> Option<&Terms> {
    let at_start = terms.iter().rfind(|terms| terms.starts_at <= day);
    let within = terms.iter().filter(|terms| terms.starts_at > day && terms.starts_at < day + DAY);
    at_start.into_iter().chain(within).max_by_key(|terms| terms.monthly())
}

/// What a month costs under these terms, which are in the order of their beginnings.
pub fn charges(terms: &[Terms], month: Month) -> Vec<Charge> {
    let mut spans: Vec<(&Terms, Timestamp, Timestamp)> = Vec::new();
    for day in (0..month.days()).map(|n| month.start() + n * DAY) {
        let Some(now) = of_day(terms, day).filter(|terms| terms.monthly() > 0) else { continue };
        match spans.last_mut() {
            Some((before, _, until)) if before.is_same_price(now) && *until == day => *until = day + DAY,
            _ => spans.push((now, day, day + DAY)),
        }
    }
    let charge = |(terms, from, until): (&Terms, Timestamp, Timestamp)| Charge {
        name: terms.plan_name.clone(),
        seats: terms.seats.unwrap_or(0),
        seat_price: terms.seat_price,
        amount: part(terms.monthly(), (until - from) / DAY, month.days()),
        from,
        until,
    };
    spans.into_iter().map(charge).collect()
}

/// The sum of [`charges`].
pub fn total(terms: &[Terms], month: Month) -> i64 {
    charges(terms, month).iter().map(|charge| charge.amount).sum()
}

/// The credits that a plan brings at once, to whoever changes to it at this moment: those that it has more than the plan
/// before, for the days that are left of the month, rounded down.
pub fn credits_at_once(before: i64, after: i64, at: Timestamp) -> i64 {
    let month = Month::of(at);
    after.saturating_sub(before).max(0).saturating_mul(month.days_left(at)) / month.days()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(day: i64) -> Timestamp {
        // 2026-11-01, a month of 30 days.
        Timestamp::from_millis(1_793_491_200_000 + day * DAY)
    }

    fn terms(starts_at: Timestamp, seats: i64, seat_price: i64) -> Terms {
        Terms {
            starts_at,
            plan: format!("plan-{seat_price}"),
            plan_name: format!("Plan {seat_price}"),
            currency: "EUR".to_owned(),
            seat_price,
            seats: (seat_price > 0).then_some(seats),
            max_seats: None,
            credits: 0,
        }
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let november = Month::of(at(0));
        assert_eq!(
            (november.start(), november.days(), november.label().as_str()),
            (at(0), 30, "November 2026")
        );
        assert_eq!((Month::of(at(29) + DAY - 1), Month::of(at(30))), (november, november.next()));
        assert_eq!((november.days_left(at(0)), november.days_left(at(29) + 5)), (30, 1));
        let february = Month::of(Timestamp::from_millis(1_582_900_000_000));
        assert_eq!((february.label().as_str(), february.days()), ("February 2020", 29));
        let days: i64 =
            std::iter::successors(Some(november), |month| Some(month.next())).take(12).map(Month::days).sum();
        assert_eq!(days, 365);
    }

    #[test]
    fn a_month_without_changes_costs_exactly_seats_times_price() {
        let since = [terms(at(-100), 7, 920)];
        assert_eq!(total(&since, Month::of(at(0))), 6_440);
        assert_eq!(total(&[], Month::of(at(0))), 0);
        assert_eq!(total(&[terms(at(40), 7, 920)], Month::of(at(0))), 0, "not begun");
        assert_eq!(total(&[terms(at(-100), 7, 0)], Month::of(at(0))), 0, "free");
    }

    #[test]
    fn each_change_is_a_charge_of_its_own() {
        let history = [
            terms(at(-3), 2, 920),
            terms(at(9) + 5, 4, 920),
            // On one day: the most expensive counts, and the last of it from the next day on.
            terms(at(19) + 5, 9, 920),
            terms(at(19) + 6, 3, 1_840),
            terms(at(30), 1, 920),
        ];
        let charges = charges(&history, Month::of(at(0)));
        let told: Vec<_> = charges
            .iter()
            .map(|charge| {
                (charge.seats, charge.seat_price, (charge.until - charge.from) / DAY, charge.amount)
            })
            .collect();
        // 2 × 9.20 × 9 ÷ 30 = 5.52; 4 × 9.20 × 10 ÷ 30 = 12.266…; 9 × 9.20 ÷ 30 = 2.76; 3 × 18.40 × 10 ÷ 30 = 18.40
        assert_eq!(told, [(2, 920, 9, 552), (4, 920, 10, 1_227), (9, 920, 1, 276), (3, 1_840, 10, 1_840)]);
    }

    #[test]
    fn a_plan_brings_the_credits_of_what_is_left_of_the_month() {
        assert_eq!(credits_at_once(0, 5_000, at(0)), 5_000);
        assert_eq!(credits_at_once(5_000, 50_000, at(15)), 22_500);
        assert_eq!(credits_at_once(0, 100, at(29) + 5), 3);
        assert_eq!(credits_at_once(50_000, 5_000, at(15)), 0);
    }

    /// The rule again, moment by moment: the price of each hour of a day, and the greatest of them.
    fn by_hours(history: &[Terms], month: Month) -> i64 {
        let price = |moment: Timestamp| {
            let now = history.iter().rfind(|terms| terms.starts_at <= moment);
            now.map_or((0, String::new()), |terms| {
                (terms.monthly(), format!("{:?}", (terms.seats, &terms.plan)))
            })
        };
        let hours = |day: i64| (0..24).map(move |hour| month.start() + day * DAY + hour * (DAY / 24));
        let most = |day| {
            hours(day)
                .map(price)
                .fold((0, String::new()), |most, one| if one.0 >= most.0 { one } else { most })
        };
        let days: Vec<(i64, String)> = (0..month.days()).map(most).collect();
        let spans = days.chunk_by(|one, next| one == next);
        // Half a unit is added, and what is below one cut off.
        spans.map(|span| (span[0].0 * span.len() as i64 * 10 / month.days() + 5) / 10).sum()
    }

    proptest! {
        #[test]
        fn a_month_costs_what_its_days_cost(changes in prop::collection::vec((-48_i64..800, 1_i64..30, 0_i64..4), 0..12)) {
            let mut changes = changes;
            changes.sort_by_key(|(hour, ..)| *hour);
            changes.dedup_by_key(|(hour, ..)| *hour);
            let history: Vec<Terms> = changes
                .iter()
                .map(|(hour, seats, price)| terms(at(0) + hour * (DAY / 24), *seats, price * 310))
                .collect();
            let month = Month::of(at(0));
            prop_assert_eq!(total(&history, month), by_hours(&history, month));
            let charges = charges(&history, month);
            for (one, next) in charges.iter().zip(charges.iter().skip(1)) {
                prop_assert!(one.until <= next.from);
            }
            let most = history.iter().map(Terms::monthly).max().unwrap_or(0);
            prop_assert!(total(&history, month) <= most + 31);
        }
    }
}
