//! Secrets in a text that somebody is about to send to others: found by what they look like.

use unicode_normalization::UnicodeNormalization;

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The number of the line, from 1.
    pub line: usize,
    /// What it is, with its article: “an API key of Bailiwick”.
    pub what: &'static str,
    /// The secret itself, where it is one of ours.
    pub own: Option<String>,
}

/// The first secret in the text, if there is one.
pub fn find(text: &str) -> Option<Leak> {
    let plain = plain(text);
    let lines: Vec<&str> = plain.lines().collect();
    let found = |(index, line): (usize, &&str)| {
        let (what, own) = in_line(line)?;
        Some(Leak { line: index + 1, what, own })
    };
    lines.iter().enumerate().find_map(found).or_else(|| across_lines(&lines))
}

/// Every secret of ours in the text.
pub fn own(text: &str) -> Vec<String> {
    let plain = plain(text);
    let lines: Vec<&str> = plain.lines().collect();
    let mut all: Vec<String> = lines.iter().flat_map(|line| own_secrets(line)).map(|(_, own)| own).collect();
    // One that was wrapped is whole where its lines are joined.
    let wrapped = across_lines(&lines).and_then(|leak| leak.own).filter(|own| !all.contains(own));
    all.extend(wrapped);
    all
}

/// What was typed in full width, or with a joiner inside, is read as it is meant.
fn plain(text: &str) -> String {
    text.nfkc().filter(|c| !is_joiner(*c)).collect()
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Whether a line has something of one kind.
type Check = fn(&str) -> bool;

fn in_line(line: &str) -> Option<(&'static str, Option<String>)> {
    if let Some((what, own)) = own_secrets(line).into_iter().next() {
        return Some((what, Some(own)));
    }
    let checks: [(&'static str, Check); 6] = [
        ("a private key or certificate", has_pem),
        ("a signed token (JWT)", has_jwt),
        ("an Authorization header", has_authorization),
        ("a password in an address", has_password_in_url),
        ("a secret of another service", has_known_prefix),
        ("a card number", has_card_number),
    ];
    checks.into_iter().find(|(_, has)| has(line)).map(|(what, _)| (what, None))
}

/// Kinds of our own secrets, by what they begin with.
const OWN: [(&str, &str); 11] = [
    ("blw_key_", "an API key of Bailiwick"),
    ("blw_inv_", "the link of an invitation"),
    ("blw_jln_", "a link to join a workspace"),
    ("blw_pwd_", "a link to reset a password"),
    ("blw_eml_", "a link to confirm an address"),
    ("blw_1st_", "the link for the first person"),
    ("blw_sup_", "a link for support access"),
    ("blw_ses_", "the cookie of a session"),
    ("blw_vis_", "the cookie of a browser"),
    ("blw_brw_", "the cookie of a browser"),
    ("whsec_", "the secret of a destination's events"),
];

/// So many characters after its beginning make it a secret, and not only the name of one.
const MIN_SECRET: usize = 8;

/// Without a digit it is a secret only from this length on: others may be words.
const MIN_WITHOUT_DIGIT: usize = 20;

fn own_secrets(line: &str) -> Vec<(&'static str, String)> {
    // As it may be in an address that was encoded.
    let line = line.replace("%5F", "_").replace("%5f", "_");
    let lower = line.to_ascii_lowercase();
    let mut found = Vec::new();
    for (prefix, what) in OWN {
        // The others are hexadecimal.
        let is_secret =
            |c: char| c.is_ascii_alphanumeric() || (prefix == "whsec_" && matches!(c, '+' | '/' | '='));
        for (at, _) in lower.match_indices(prefix) {
            let end = at + prefix.len();
            let body: String = line[end..].chars().take_while(|c| is_secret(*c)).collect();
            let has_digit = body.chars().any(|c| c.is_ascii_digit());
            if body.len() >= MIN_WITHOUT_DIGIT || (body.len() >= MIN_SECRET && has_digit) {
                found.push((what, format!("{}{body}", &line[at..end])));
            }
        }
    }
    found
}

fn has_pem(line: &str) -> bool {
    let upper = line.to_ascii_uppercase();
    upper.contains("-----BEGIN ")
        || upper.contains("BEGIN OPENSSH PRIVATE KEY")
        || upper.contains("BEGIN PGP PRIVATE")
}

fn is_base64url(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn has_jwt(line: &str) -> bool {
    line.match_indices("eyJ").any(|(at, _)| {
        let token: String = line[at..].chars().take_while(|c| is_base64url(*c) || *c == '.').collect();
        let parts: Vec<&str> = token.split('.').collect();
        parts.len() >= 3 && parts[0].len() >= 10 && parts[1].len() >= 4
    })
}

fn has_authorization(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["bearer", "basic"].iter().any(|scheme| {
        lower.match_indices(scheme).any(|(at, _)| {
            let is_word = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            let rest = &line[at + scheme.len()..];
            let separated =
                rest.trim_start_matches([' ', '\t', ':', '=', '"', '\'', '+']).trim_start_matches("%20");
            let is_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
            let token: String = separated.chars().take_while(|c| is_token(*c)).collect();
            let token = token.trim_end_matches('.');
            let is_mixed = token.chars().any(|c| c.is_ascii_digit())
                || token.chars().skip(1).any(|c| c.is_ascii_uppercase());
            let is_named = lower[..at].contains("authorization");
            let is_secret = token.len() >= 20 || (token.len() >= MIN_SECRET && (is_mixed || is_named));
            is_word && separated.len() < rest.len() && is_secret
        })
    })
}

/// `scheme://user:password@host`
fn has_password_in_url(line: &str) -> bool {
    line.match_indices("://").any(|(at, _)| {
        let rest = &line[at + 3..];
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
            .unwrap_or(rest.len());
        let authority = &rest[..end];
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// What secrets of others begin with, and how many characters follow at least.
const KNOWN: [(&str, usize); 13] = [
    ("sk_live_", 10),
    ("rk_live_", 10),
    ("sk-ant-", 10),
    ("sk-proj-", 10),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 15),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("AKIA", 16),
    ("AIza", 30),
];

fn has_known_prefix(line: &str) -> bool {
    KNOWN.iter().any(|(prefix, least)| {
        line.match_indices(prefix).any(|(at, _)| {
            let follows = line[at + prefix.len()..].chars().take_while(|c| is_base64url(*c)).count();
            let is_word = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            is_word && follows >= *least
        })
    })
}

fn is_digit_separator(c: char) -> bool {
    c == ' ' || c == '\t' || c == '.' || c == '/' || is_dash(c)
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '_')
}

/// The digits of a text, each with what kind of thing stands before it: runs are parted by anything but one or two
/// separators.
fn has_card_number(line: &str) -> bool {
    let mut runs: Vec<String> = vec![String::new()];
    let mut separators = 0;
    for c in line.chars() {
        if let Some(digit) = decimal(c) {
            if separators > 2 {
                runs.push(String::new());
            }
            if let Some(run) = runs.last_mut() {
                run.push(char::from(b'0' + digit));
            }
            separators = 0;
        } else if is_digit_separator(c) && separators < 3 {
            separators += 1;
        } else {
            runs.push(String::new());
            separators = 0;
        }
    }
    runs.iter().any(|run| holds_card(run))
}

/// The value of a decimal digit, of any script that NFKC leaves as it is.
fn decimal(c: char) -> Option<u8> {
    const ZEROS: [u32; 12] =
        [0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xe50, 0x1040];
    let code = u32::from(c);
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
        .and_then(|zero| u8::try_from(code - zero).ok())
}

/// Whether a run of digits is the number of a card, or has one in it next to other digits, such as those of a date.
fn holds_card(run: &str) -> bool {
    let digits: Vec<u8> = run.bytes().map(|byte| byte - b'0').collect();
    if digits.len() > 64 {
        return false;
    }
    let is_card = |number: &[u8]| has_issuer(number) && passes_luhn(number);
    let at_ends = (13..=19).filter(|length| *length <= digits.len());
    let mut candidates = at_ends.flat_map(|length| [&digits[..length], &digits[digits.len() - length..]]);
    match digits.len() {
        0..13 => false,
        13..=19 => {
            is_card(&digits)
                || (digits.len() > 16 && candidates.any(|number| number.len() == 16 && is_card(number)))
        }
        // A date, a code or an amount stands beside it.
        _ => candidates.any(|number| matches!(number.len(), 15 | 16) && is_card(number)),
    }
}

/// By its first digits and its length, as issuers give them out. A moment in milliseconds is none.
fn has_issuer(number: &[u8]) -> bool {
    let first =
        |count: usize| number.iter().take(count).fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    match number.len() {
        13 | 19 if first(1) == 4 => true,
        14 => matches!(first(3), 300..=305) || matches!(first(2), 36 | 38 | 39),
        15 => matches!(first(2), 34 | 37),
        16 => {
            first(1) == 4
                || matches!(first(2), 50..=58 | 60 | 62 | 63 | 64 | 65 | 67 | 35)
                || matches!(first(4), 2200..=2204 | 2221..=2720)
        }
        17..=19 => matches!(first(2), 50 | 56..=58 | 60 | 62 | 63 | 65 | 67),
        12 | 13 => matches!(first(2), 50 | 56..=58 | 63 | 67),
        _ => false,
    }
}

fn passes_luhn(number: &[u8]) -> bool {
    let doubled = |(index, digit): (usize, &u8)| {
        let digit = u32::from(*digit);
        match index % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        }
    };
    let is_same = number.iter().all(|digit| Some(digit) == number.first());
    !is_same && number.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// How many lines what is wrapped may have.
const MAX_WRAPPED: usize = 12;

/// What was broken over lines: a header, a token that was wrapped, a card number.
fn across_lines(lines: &[&str]) -> Option<Leak> {
    let leak =
        |index: usize, (what, own): (&'static str, Option<String>)| Leak { line: index + 1, what, own };
    let on_two = lines.windows(2).enumerate().find_map(|(index, pair)| {
        let [first, second] = pair else { return None };
        let (first, second) = (first.trim_end(), second.trim_start());
        let spaced = format!("{first} {second}");
        let joined = format!("{first}{second}");
        Some(leak(index, in_line(&joined).or_else(|| in_line(&spaced))?))
    });
    // A token may have more of them; of other things, unrelated lines would look like one.
    let on_more = || {
        lines.windows(3).enumerate().rev().find_map(|(index, _)| {
            let wrapped: String =
                lines.iter().skip(index).take(MAX_WRAPPED).map(|line| line.trim()).collect();
            has_jwt(&wrapped).then(|| leak(index, ("a signed token (JWT)", None)))
        })
    };
    on_two.or_else(on_more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Option<&'static str> {
        find(text).map(|leak| leak.what)
    }

    #[test]
    fn each_kind_is_found_on_its_line() {
        let key = format!("blw_key_{}", "0a".repeat(36));
        let card = "a card number";
        for (text, kind) in [
            (format!("key {key}"), "an API key of Bailiwick"),
            (format!("https://x.example/invitations/blw_inv_{}", "0a".repeat(36)), "the link of an invitation"),
            (format!("BLW_KEY_{}", "0A".repeat(36)), "an API key of Bailiwick"),
            (format!("blw%5Fkey%5F{}", "0a".repeat(36)), "an API key of Bailiwick"),
            ("blw_ses_0123456789abcdef".into(), "the cookie of a session"),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(), "the secret of a destination's events"),
            ("-----BEGIN RSA PRIVATE KEY-----".into(), "a private key or certificate"),
            ("-----begin certificate-----".into(), "a private key or certificate"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".into(), "a signed token (JWT)"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.".into(), "a signed token (JWT)"),
            ("Authorization: Bearer abc123def456".into(), "an Authorization header"),
            ("authorization: bearer secretword".into(), "an Authorization header"),
            ("curl -H 'authorization: BEARER   abcdefgh1'".into(), "an Authorization header"),
            ("Basic dXNlcjpwYXNzd29yZA==".into(), "an Authorization header"),
            ("postgres://me:secret@db.example/x".into(), "a password in an address"),
            (format!("sk_live_{}", "a1".repeat(12)), "a secret of another service"),
            ("AKIAIOSFODNN7EXAMPLE".into(), "a secret of another service"),
            ("4111 1111 1111 1111".into(), card),
            ("4111-1111-1111-1111 12/29".into(), card),
            ("4111\u{2013}1111\u{2013}1111\u{2013}1111".into(), card),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111".into(), card),
            ("\u{ff14}111111111111111".into(), card),
            ("41\u{200d}11111111111111".into(), card),
            ("card:378282246310005.".into(), card),
            ("5555555555554444".into(), card),
            ("\u{664}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}\u{661}".into(), card),
        ] {
            let found = find(&format!("The first line.\n\n{text}\nThe end")).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.line, found.what), (3, kind), "{text}");
        }
        assert_eq!(find(&key).and_then(|leak| leak.own), Some(key));
    }

    #[test]
    fn what_is_broken_over_two_lines_is_found() {
        let key = format!("blw_key_{}", "0a".repeat(36));
        assert_eq!(what(&format!("{}\n{}", &key[..10], &key[10..])), Some("an API key of Bailiwick"));
        assert_eq!(what("4111 1111\n1111 1111"), Some("a card number"));
        assert_eq!(what("Authorization:\nBearer abc123def456"), Some("an Authorization header"));
        assert_eq!(what("Bearer\nabc123def456"), Some("an Authorization header"));
        let token = format!("eyJ{}.eyJ{}.{}", "a1".repeat(40), "b2".repeat(90), "c3".repeat(40));
        let wrapped: Vec<&str> =
            (0..token.len()).step_by(60).map(|at| &token[at..token.len().min(at + 60)]).collect();
        let leak = find(&format!("The token is\n\n{}\nand it fails", wrapped.join("\n")))
            .map(|leak| (leak.line, leak.what));
        assert_eq!(leak, Some((3, "a signed token (JWT)")));
    }

    #[test]
    fn every_secret_of_ours_is_found_with_nothing_around_it() {
        let keys: Vec<String> =
            ["0a", "1b", "2c"].iter().map(|two| format!("blw_key_{}", two.repeat(36))).collect();
        let text = format!("4111 1111 1111 1111 {}-old, “{}”\nBearer {}", keys[0], keys[1], keys[2]);
        assert_eq!(own(&text), keys);
        assert_eq!(own(&format!("{}\n{}", &keys[0][..20], &keys[0][20..])).last(), Some(&keys[0]));
        assert_eq!(own("blw_key_ is how they begin"), Vec::<String>::new());
    }

    #[test]
    fn what_people_write_is_let_through() {
        for text in [
            "",
            "I expected that the bearer of the link joins the team.",
            "Use bearer authentication, as the documentation says.",
            "Our keys begin with blw_key_ and then something.",
            "The page /w/acme/members/0190f3c2-7c2e-7abc-8def-0123456789ab answered 500",
            "request 0190f3c2-7c2e-7abc-8def-0123456789ab",
            "at 1700000000000, 2026-11-29T22:10:00.123Z",
            "4111 1111 1111 1112",
            "0000 0000 0000 0000",
            "call +49 170 1234567 or 0049-170-1234567",
            "amounts 1000 2000 3000 4000",
            "https://access.example.com/w/acme/members?q=a@b.example",
            "mail me: ada@example.com",
            "the ratio is 12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "eyJ is how such a token begins. It is long. It has dots.",
            "Basic questions about billing",
            "BEGIN and END were missing",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
