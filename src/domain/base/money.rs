//! Amounts of money: whole numbers of the smallest unit of a currency.

/// Currencies whose smallest unit is not a hundredth, with the number of digits behind the point (ISO 4217).
const DIGITS: [(&str, usize); 24] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

fn digits(currency: &str) -> usize {
    DIGITS.iter().find(|(other, _)| *other == currency).map_or(2, |(_, digits)| *digits)
}

/// An amount without its currency: `18.40`.
pub fn plain(amount: i64, currency: &str) -> String {
    let digits = digits(currency);
    if digits == 0 {
        return amount.to_string();
    }
    let text = format!("{:0>width$}", amount.unsigned_abs(), width = digits + 1);
    let (whole, part) = text.split_at(text.len() - digits);
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{whole}.{part}")
}

/// An amount: `18.40 EUR`.
pub fn money(amount: i64, currency: &str) -> String {
    format!("{} {currency}", plain(amount, currency))
}

/// Reads what somebody typed, such as `18.40` or `18`. `None` for anything else, or more digits than there are.
pub fn parse(text: &str, currency: &str) -> Option<i64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = digits(currency);
    if whole.is_empty() || whole.len() > 15 || !is_number(whole) || !is_number(part) || part.len() > digits {
        return None;
    }
    format!("{whole}{part:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_and_read_in_the_digits_of_their_currency() {
        for (amount, currency, written) in [
            (1_840, "EUR", "18.40"),
            (0, "EUR", "0.00"),
            (5, "USD", "0.05"),
            (-5, "USD", "-0.05"),
            (1_840, "JPY", "1840"),
            (1_840, "KWD", "1.840"),
        ] {
            assert_eq!(plain(amount, currency), written);
            assert_eq!(parse(written, currency), (amount >= 0).then_some(amount));
        }
        assert_eq!(money(920, "EUR"), "9.20 EUR");
        assert_eq!(parse(" 18 ", "EUR"), Some(1_800));
        assert_eq!(parse("18.4", "EUR"), Some(1_840));
        for wrong in ["", ".5", "1.234", "1,5", "-1", "1e3", "9999999999999999"] {
            assert_eq!(parse(wrong, "EUR"), None, "{wrong:?}");
        }
    }
}
