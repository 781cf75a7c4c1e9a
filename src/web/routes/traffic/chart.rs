//! The days of a month as bars, drawn by the server, and the same as a table.

use crate::{
    domain::nouns::traffic::{CHART_DAYS, Day},
    web::{
        chart::{grouped, hundredths, percent, place, scale},
        routes::traffic::figures::size,
        when::day,
    },
};

/// The requests of each day.
pub(super) struct Chart {
    /// None of the days has any.
    pub(super) is_empty: bool,
    pub(super) bars: Vec<Bar>,
    /// The days with requests, the latest first.
    pub(super) days: Vec<Row>,
    /// What the top and the middle of the bars' scale mean.
    pub(super) top: String,
    pub(super) middle: String,
    pub(super) first: String,
    pub(super) last: String,
    /// The chart in a sentence.
    pub(super) summary: String,
    /// How many requests are counted and not listed, such as "1,200"; empty if all are listed.
    pub(super) unlisted: String,
}

/// A day, stacked from the bottom.
pub(super) struct Bar {
    /// Percent of the width.
    pub(super) x: String,
    pub(super) parts: Vec<Part>,
    pub(super) title: String,
}

pub(super) struct Part {
    pub(super) class: &'static str,
    /// Percent of the height.
    pub(super) y: String,
    pub(super) height: String,
}

/// A day in the table.
pub(super) struct Row {
    pub(super) day: String,
    pub(super) all: String,
    pub(super) answered: String,
    pub(super) client_errors: String,
    pub(super) failed: String,
    pub(super) refused: String,
    pub(super) sent: String,
    pub(super) received: String,
}

impl Chart {
    pub(super) fn new(days: &[Day]) -> Self {
        let total: i64 = days.iter().map(Day::all).sum();
        let most = days.iter().map(Day::all).max().unwrap_or_default();
        let scale = scale(most);
        let busiest = days.iter().rev().max_by_key(|day| day.all());
        let name = |of: Option<&Day>| of.map(|of| day(of.day)).unwrap_or_default();
        let (first, last) = (name(days.first()), name(days.last()));
        let unlisted: i64 = days.iter().map(|day| day.unlisted).sum();
        let of_kind = |count: fn(&Day) -> i64| grouped(days.iter().map(count).sum());
        Self {
            is_empty: total == 0,
            bars: (0..).zip(days).map(|(n, day)| Bar::new(n, day, scale)).collect(),
            days: days.iter().rev().filter(|day| day.all() > 0).map(Row::new).collect(),
            top: grouped(scale),
            middle: grouped(scale / 2),
            summary: format!(
                "Requests in {CHART_DAYS} days, from {first} to {last}: {} in all, of which {} were answered, {} \
                 were client errors, {} failed and {} were refused. The most were {} on {}.",
                grouped(total),
                of_kind(|day| day.answered),
                of_kind(|day| day.client_errors),
                of_kind(|day| day.failed),
                of_kind(|day| day.refused),
                grouped(most),
                name(busiest),
            ),
            first,
            last,
            unlisted: if unlisted > 0 { grouped(unlisted) } else { String::new() },
        }
    }
}

impl Bar {
    fn new(n: i64, of: &Day, scale: i64) -> Self {
        let kinds = [
            ("answered", of.answered),
            ("client-errors", of.client_errors),
            ("failed", of.failed),
            ("refused", of.refused),
        ];
        let mut below = 0;
        let mut parts = Vec::new();
        for (class, count) in kinds {
            if count > 0 {
                // Rounded where they meet, so that no gap is between them; a single request can be seen.
                let (bottom, top) = (hundredths(below, scale), hundredths(below + count, scale));
                let height = (top - bottom).max(60);
                parts.push(Part {
                    class,
                    y: percent((10_000 - bottom - height).max(0)),
                    height: percent(height),
                });
            }
            below += count;
        }
        let title = format!("{}: {}", day(of.day), requests(of.all()));
        Self { x: place(n), parts, title }
    }
}

impl Row {
    fn new(of: &Day) -> Self {
        Self {
            day: day(of.day),
            all: grouped(of.all()),
            answered: grouped(of.answered),
            client_errors: grouped(of.client_errors),
            failed: grouped(of.failed),
            refused: grouped(of.refused),
            sent: size(of.bytes_in),
            received: size(of.bytes_out),
        }
    }
}

fn requests(count: i64) -> String {
    match count {
        1 => "1 request".to_owned(),
        count => format!("{} requests", grouped(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{DAY, Timestamp};

    fn a_month(requests: &[(i64, i64)]) -> Vec<Day> {
        (0..30)
            .map(|n| {
                let (answered, refused) = requests.get(n as usize).copied().unwrap_or_default();
                Day { day: Timestamp::from_millis(n * DAY), answered, refused, ..Day::default() }
            })
            .collect()
    }

    #[test]
    fn bars_stand_on_each_other_and_reach_no_higher_than_the_chart() {
        let chart = Chart::new(&a_month(&[(0, 0), (30, 20), (1, 0)]));
        assert_eq!((chart.top.as_str(), chart.middle.as_str()), ("50", "25"));
        assert!(chart.bars[0].parts.is_empty());
        let full: Vec<(&str, &str)> =
            chart.bars[1].parts.iter().map(|part| (part.y.as_str(), part.height.as_str())).collect();
        assert_eq!(full, [("40.00", "60.00"), ("0.00", "40.00")]);
        assert_eq!(chart.bars[29].x, "96.99");
        assert_eq!(chart.days.len(), 2);
        assert_eq!(chart.days[1].all, "50");
        assert!(chart.summary.contains("51 in all") && !chart.is_empty, "{}", chart.summary);
    }

    #[test]
    fn a_chart_of_nothing_is_empty() {
        assert!(Chart::new(&a_month(&[])).is_empty);
    }
}
