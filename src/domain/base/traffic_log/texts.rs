//! Texts of a request as the traffic keeps them: of bounded length, and without secrets of Bailiwick.

/// What each secret of Bailiwick begins with.
const BEGINNING: &[u8] = b"blw_";

/// In place of a secret.
const MASK: &str = "***";

/// How often a text is decoded in search of a secret.
const MAX_DECODED: usize = 3;

/// The first characters of a text, and a sign that it was longer. Control characters are no part of it, and
/// PostgreSQL keeps none that is zero.
pub(super) fn clipped(text: &str, max: usize) -> String {
    let mut rest = text.chars().filter(|letter| !letter.is_control());
    let mut kept: String = rest.by_ref().take(max).collect();
    if rest.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// The text up to the first secret of Bailiwick in it, also where that is percent-encoded.
pub(super) fn masked(text: &str) -> String {
    match secret_at(text).and_then(|at| text.get(..at)) {
        Some(before) => format!("{before}{MASK}"),
        None => text.to_owned(),
    }
}

/// Where the first secret of Bailiwick begins in a text, also where it is percent-encoded.
fn secret_at(text: &str) -> Option<usize> {
    // Each byte, with the place where it begins in the text.
    let mut bytes: Vec<(u8, usize)> = text.bytes().zip(0..).collect();
    let mut first = find(&bytes);
    for _ in 0..MAX_DECODED {
        let decoded = decoded(&bytes);
        if decoded.len() == bytes.len() {
            break;
        }
        bytes = decoded;
        first = first.into_iter().chain(find(&bytes)).min();
    }
    first
}

fn find(bytes: &[(u8, usize)]) -> Option<usize> {
    let is_secret = |window: &&[(u8, usize)]| {
        window.iter().zip(BEGINNING).all(|((byte, _), wanted)| byte.eq_ignore_ascii_case(wanted))
    };
    bytes.windows(BEGINNING.len()).find(is_secret).and_then(|window| window.first()).map(|(_, at)| *at)
}

/// The bytes without one layer of percent-encoding.
fn decoded(bytes: &[(u8, usize)]) -> Vec<(u8, usize)> {
    let mut all = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let encoded = match after {
            [(high, _), (low, _), tail @ ..] if first.0 == b'%' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low, tail))
            }
            _ => None,
        };
        let (byte, tail) = encoded.unwrap_or((first.0, after));
        all.push((byte, first.1));
        rest = tail;
    }
    all
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_kept_however_it_is_encoded() {
        for (text, kept) in [
            ("/v1/things", "/v1/things"),
            ("/v1/blw_key_canary/a", "/v1/***"),
            ("blw_key_canary", "***"),
            ("/a/BLW_KEY_canary", "/a/***"),
            ("/a%20b/%62lw_key_canary", "/a%20b/***"),
            ("/%62%6C%77%5Fkey_canary", "/***"),
            ("/%2562lw%255fkey_canary", "/***"),
            ("/blw%", "/blw%"),
            ("/blw%5", "/blw%5"),
            ("/ä%zzblw_key_canary", "/ä%zz***"),
            ("/blw-key", "/blw-key"),
        ] {
            assert_eq!(masked(text), kept, "{text}");
        }
    }

    #[test]
    fn the_first_of_several_secrets_counts() {
        assert_eq!(masked("/%62lw_key_one/blw_key_two"), "/***");
    }
}
