//! Charts of the days of a month, drawn by the server: where bars stand, their scale, and figures as people read them.

/// How wide a bar is, in percent.
pub(in crate::web) const BAR_WIDTH: &str = "2.5";

/// From one bar to the next, in hundredths of a percent.
const STEP: i64 = 333;

/// The space before the first bar, in hundredths of a percent.
const MARGIN: i64 = 42;

/// Where the bar of a day begins, in percent of the width.
pub(in crate::web) fn place(n: i64) -> String {
    percent(MARGIN + n * STEP)
}

/// A part of the scale, in hundredths of a percent.
pub(in crate::web) fn hundredths(count: i64, scale: i64) -> i64 {
    i64::try_from(i128::from(count) * 10_000 / i128::from(scale.max(1))).unwrap_or_default()
}

pub(in crate::web) fn percent(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The least even round number that is no less: 10, 20, 50, 100 and so on.
pub(in crate::web) fn scale(most: i64) -> i64 {
    let mut round = 10_i64;
    loop {
        for factor in [1, 2, 5] {
            match round.checked_mul(factor) {
                Some(scale) if scale >= most => return scale,
                Some(_) => {}
                None => return i64::MAX,
            }
        }
        round = match round.checked_mul(10) {
            Some(round) => round,
            None => return i64::MAX,
        };
    }
}

/// A number in groups of three digits, such as `1,200`.
pub(in crate::web) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_round() {
        for (most, top) in [(0, 10), (10, 10), (11, 20), (21, 50), (51, 100), (1_234, 2_000)] {
            assert_eq!(scale(most), top);
        }
        assert_eq!(scale(i64::MAX), i64::MAX);
    }

    #[test]
    fn numbers_are_in_groups_of_three_digits() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_200, "−1,200")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
