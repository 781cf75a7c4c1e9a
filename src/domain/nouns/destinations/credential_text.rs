//! The parts of a credential: the header that carries it, and its value.

use crate::{
    domain::base::text_rule::{Complaint, TextRule},
    outbound::connection_fields::is_of_connection,
};
use secrecy::SecretString;
use std::fmt;

/// The name of the header that carries a credential, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader(String);

/// The value of the header that carries a credential: never shown, and so it can't be printed.
#[derive(Clone)]
pub struct CredentialValue(SecretString);

const HEADER_NAME: Complaint =
    "Enter the name of a header, such as Authorization: letters, digits and hyphens.";
const HEADER_OF_MESSAGE: Complaint = "This header says where a request goes or how it is sent, so it can't carry a credential. Enter another one.";
const HEADER_OF_OURS: Complaint =
    "Headers that begin with “X-Bailiwick-” never leave Bailiwick. Enter another one.";
const HEADER_OF_PROXIES: Complaint =
    "This header says who a request comes from, so it can't carry a credential. Enter another one.";
const COOKIE: Complaint = "Cookies are never sent to a destination. Enter another header.";
const NO_VALUE: Complaint = "Enter the value of the header, such as “Bearer” and a token.";
const VALUE: Complaint = "Use letters, digits, punctuation and spaces of ASCII alone, on one line.";
const LONG_VALUE: Complaint = "Use at most 4,000 characters.";

/// What chooses another answer, or says when it was asked for.
const OF_MESSAGE: [&str; 9] = [
    "accept",
    "accept-encoding",
    "date",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

impl CredentialHeader {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextRule for CredentialHeader {
    const MIN: usize = 1;
    const MAX: usize = 64;
    const DESCRIPTION: &'static str =
        "The name of the header that carries the credential, such as `authorization` or `x-api-key`.";

    fn pattern() -> String {
        "^[A-Za-z0-9_-]+$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let name = text.trim().to_ascii_lowercase();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match name.as_str() {
            _ if name.is_empty() || name.len() > Self::MAX || !name.bytes().all(is_plain) => Err(HEADER_NAME),
            _ if name.starts_with("x-bailiwick") => Err(HEADER_OF_OURS),
            "cookie" | "cookie2" | "set-cookie" => Err(COOKIE),
            "via" | "forwarded" | "origin" | "referer" | "x-real-ip" => Err(HEADER_OF_PROXIES),
            _ if name.starts_with("x-forwarded") || name.starts_with("sec-") => Err(HEADER_OF_PROXIES),
            _ if is_of_connection(&name) => Err(HEADER_OF_MESSAGE),
            _ if name.starts_with("content-") || OF_MESSAGE.contains(&name.as_str()) => {
                Err(HEADER_OF_MESSAGE)
            }
            _ => Ok(Self(name)),
        }
    }

    fn parse_exact(text: &str) -> Result<Self, String> {
        match text == text.trim() {
            true => Ok(Self::parse(text)?),
            false => Err(HEADER_NAME.into()),
        }
    }
}

impl CredentialValue {
    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl TextRule for CredentialValue {
    const MIN: usize = 1;
    const MAX: usize = 4_000;
    const DESCRIPTION: &'static str =
        "The whole value of the header, such as `Bearer` and a token. It is never returned.";

    fn pattern() -> String {
        "^[!-~]([ -~]*[!-~])?$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = text.trim_matches(' ');
        match text.len() {
            0 => Err(NO_VALUE),
            // Nothing else can be in a header on one line: no line break, no control character.
            _ if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Err(VALUE),
            1..=Self::MAX => Ok(Self(text.into())),
            _ => Err(LONG_VALUE),
        }
    }

    fn parse_exact(text: &str) -> Result<Self, String> {
        match text == text.trim_matches(' ') {
            true => Ok(Self::parse(text)?),
            false => Err("Leave out the spaces around it.".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_header_carries_a_credential_unless_it_means_something_else() {
        for (typed, name) in [
            ("Authorization", "authorization"),
            (" X-API-Key ", "x-api-key"),
            ("api_key", "api_key"),
            ("apikey", "apikey"),
        ] {
            assert_eq!(CredentialHeader::parse(typed).map(|header| header.to_string()).as_deref(), Ok(name));
        }
        for (rule, names) in [
            (HEADER_NAME, &["", " ", "x api", "x:y", "x\r\ny", ":authority", "größe", "x\0y"][..]),
            (
                HEADER_OF_MESSAGE,
                &[
                    "Host",
                    "connection",
                    "Transfer-Encoding",
                    "content-length",
                    "Content-Type",
                    "TE",
                    "upgrade",
                    "Expect",
                ],
            ),
            (HEADER_OF_OURS, &["X-Bailiwick-Key", "x-bailiwick-", "x-bailiwick"]),
            (HEADER_OF_PROXIES, &["Forwarded", "X-Forwarded-For", "Via", "Origin", "Sec-Fetch-Site"]),
            (COOKIE, &["Cookie", "set-cookie"]),
        ] {
            for name in names {
                assert_eq!(CredentialHeader::parse(name), Err(rule), "{name:?}");
            }
        }
        assert!(CredentialHeader::parse(&"x".repeat(65)).is_err());
        assert!(CredentialHeader::parse_exact(" x-api-key").is_err());
    }

    #[test]
    fn a_value_is_one_line_of_a_header() {
        let parsed =
            |text| CredentialValue::parse(text).map(|value| value.secret().expose_secret().to_owned());
        assert_eq!(parsed(" Bearer abc=== ").as_deref(), Ok("Bearer abc==="));
        for (rule, texts) in [
            (NO_VALUE, &["", "   "][..]),
            (VALUE, &["a\r\nHost: evil.example.com", "a\nb", "a\tb", "a\0b", "schlüssel", "a\u{7f}"]),
        ] {
            for text in texts {
                assert_eq!(parsed(text), Err(rule), "{text:?}");
            }
        }
        assert_eq!(parsed(&"x".repeat(4_001)), Err(LONG_VALUE));
        assert!(CredentialValue::parse_exact("a ").is_err());
    }
}
