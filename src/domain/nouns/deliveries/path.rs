//! The path at a destination that receives events.

use crate::domain::base::text_rule::{Complaint, TextRule};
use std::fmt;

/// Where events go at their host: a path, perhaps with a query, as it is sent. It is stored in the clear, and shown: a
/// secret does not belong into it, as every message is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPath(String);

impl EventPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextRule for EventPath {
    const MIN: usize = 1;
    const MAX: usize = 500;
    const DESCRIPTION: &'static str =
        "The path at the host, such as /webhooks/bailiwick. It may have a query.";

    fn pattern() -> String {
        r"^/[!$&-;=?-Z_a-z~%]*$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = text.trim();
        if text.contains("://") || !text.starts_with('/') {
            return Err("Enter the path alone, from the first “/” on, such as /webhooks/bailiwick.");
        }
        if text.len() > Self::MAX {
            return Err("Use at most 500 characters.");
        }
        if text.contains('#') {
            return Err("Leave out the “#” and what comes after it: it is not sent.");
        }
        if !text.bytes().all(is_sent_as_it_is) || !has_whole_escapes(text) {
            return Err("Write what is not a letter, a digit or a sign of addresses as %XX, as it is sent.");
        }
        let path = text.split('?').next().unwrap_or_default();
        if path.split('/').any(is_dots) {
            return Err("Leave out “.” and “..”.");
        }
        Ok(Self(text.to_owned()))
    }

    /// A program sends it as it is stored.
    fn parse_exact(text: &str) -> Result<Self, String> {
        match Self::parse(text) {
            Ok(path) if path.0 == text => Ok(path),
            Ok(_) => Err("Leave out the spaces around it.".to_owned()),
            Err(complaint) => Err(complaint.to_owned()),
        }
    }
}

fn is_sent_as_it_is(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$&'()*+,-./:;=?@_~%".contains(&byte)
}

fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        rest.as_bytes().first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

fn is_dots(part: &str) -> bool {
    matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use regress::Regex;

    #[test]
    fn a_path_is_what_is_sent() {
        for path in ["/", "/webhooks/bailiwick", "/a?b=c&d=%C3%A9", "/~x/v1.2/(it);p=1,2:3@4*!$'"] {
            assert_eq!(EventPath::parse(path).map(|path| path.to_string()), Ok(path.to_owned()));
            assert!(Regex::new(&EventPath::pattern()).unwrap().find(path).is_some(), "{path}");
        }
        for path in [
            "",
            "a",
            "https://example.com/a",
            "//example.com/a b",
            "/a#b",
            "/a\r\nb",
            "/é",
            "/%zz",
            "/%2",
            "/a/../b",
            "/%2e%2E/b",
            "/a/.",
            "/a\\b",
            "/\0",
            "/<a>",
            "/{a}",
        ] {
            assert!(EventPath::parse(path).is_err(), "{path:?}");
        }
        assert!(EventPath::parse(&format!("/{}", "a".repeat(500))).is_err());
        assert!(EventPath::parse(" /a ").is_ok() && EventPath::parse_exact(" /a ").is_err());
    }
}
