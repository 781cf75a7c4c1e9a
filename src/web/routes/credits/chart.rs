//! What was used in a month as bars, drawn by the server, and the same as a table.

use crate::{
    domain::nouns::credits::{CHART_DAYS, UseOfDay},
    web::{
        chart::{grouped, hundredths, percent, place, scale},
        when::day,
    },
};

/// What was used on each day.
pub(super) struct Chart {
    /// Nothing was used on any of them.
    pub(super) is_empty: bool,
    pub(super) bars: Vec<Bar>,
    /// The days on which something was used, the latest first.
    pub(super) days: Vec<(String, String)>,
    pub(super) top: String,
    pub(super) middle: String,
    pub(super) first: String,
    pub(super) last: String,
    /// The chart in a sentence.
    pub(super) summary: String,
}

pub(super) struct Bar {
    /// Percent of the width.
    pub(super) x: String,
    /// Percent of the height.
    pub(super) y: String,
    pub(super) height: String,
    pub(super) title: String,
}

fn credits(count: i64) -> String {
    if count == 1 { "1 credit".to_owned() } else { format!("{} credits", grouped(count)) }
}

impl Chart {
    pub(super) fn new(days: &[UseOfDay]) -> Self {
        let total = days.iter().fold(0_i64, |sum, of| sum.saturating_add(of.used));
        let busiest = days.iter().rev().max_by_key(|of| of.used);
        let most = busiest.map_or(0, |of| of.used);
        let scale = scale(most);
        let name = |of: Option<&UseOfDay>| of.map(|of| day(of.day)).unwrap_or_default();
        let (first, last) = (name(days.first()), name(days.last()));
        let bar = |(n, of): (i64, &UseOfDay)| {
            // A single credit can be seen.
            let height = hundredths(of.used, scale).max(60);
            Bar {
                x: place(n),
                y: percent((10_000 - height).max(0)),
                height: percent(height),
                title: format!("{}: {}", day(of.day), credits(of.used)),
            }
        };
        Self {
            is_empty: total == 0,
            bars: (0..).zip(days).filter(|(_, of)| of.used > 0).map(bar).collect(),
            days: days
                .iter()
                .rev()
                .filter(|of| of.used > 0)
                .map(|of| (day(of.day), grouped(of.used)))
                .collect(),
            top: grouped(scale),
            middle: grouped(scale / 2),
            summary: format!(
                "Credits used in {CHART_DAYS} days, from {first} to {last}: {} in all. The most were {} on {}.",
                grouped(total),
                grouped(most),
                name(busiest),
            ),
            first,
            last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{DAY, Timestamp};

    #[test]
    fn bars_reach_no_higher_than_the_chart() {
        let used = |n: i64| if n == 3 { 50 } else { i64::from(n == 5) };
        let days: Vec<UseOfDay> =
            (0..30).map(|n| UseOfDay { day: Timestamp::from_millis(n * DAY), used: used(n) }).collect();
        let chart = Chart::new(&days);
        let bars: Vec<(&str, &str)> =
            chart.bars.iter().map(|bar| (bar.y.as_str(), bar.height.as_str())).collect();
        assert_eq!(bars, [("0.00", "100.00"), ("98.00", "2.00")]);
        assert_eq!(chart.days.iter().map(|(_, used)| used.as_str()).collect::<Vec<_>>(), ["1", "50"]);
        assert!(chart.summary.contains("51 in all") && !chart.is_empty, "{}", chart.summary);
        assert!(Chart::new(&[]).is_empty);
    }
}
