//! The origin of a website: scheme, host and port, as browsers send it.

use crate::domain::base::text_rule::{Complaint, TextRule};
use std::fmt;
use url::{Host, Url};

/// The origin of a website, as browsers send it in the header `Origin`: `https://app.example.com`. Exactly one: no
/// pattern, and never `null`, which is what any sandboxed page sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// The most characters.
    pub const MAX_LENGTH: usize = <Self as TextRule>::MAX;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SHAPE: Complaint = "Enter scheme, host and port, such as https://app.example.com.";

impl TextRule for WebOrigin {
    const MIN: usize = 9;
    const MAX: usize = 200;
    const DESCRIPTION: &'static str =
        "The origin of a website, as browsers send it: https://app.example.com. http is only for localhost.";

    fn pattern() -> String {
        r"^https?://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = text.trim();
        if text.contains('*') {
            return Err("Name each website by itself: “*” stands for nothing here.");
        }
        let url = Url::parse(text).map_err(|_| SHAPE)?;
        let host = url.host().filter(|host| has_plain_letters(host)).ok_or(SHAPE)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err("Use https. Only localhost can do without."),
            _ => return Err(SHAPE),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("Leave out the user name and the password.");
        }
        // What is empty says nothing, but whoever wrote it meant more than an origin.
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "Leave out what comes after the host and the port: all pages of a website are named together.",
            );
        }
        let origin = url.origin().ascii_serialization();
        match origin.len() <= Self::MAX {
            true => Ok(Self(origin)),
            false => Err("Use at most 200 characters."),
        }
    }

    /// A program sends it as browsers do, so that what it sent is what is stored.
    fn parse_exact(text: &str) -> Result<Self, String> {
        let origin = Self::parse(text)?;
        match origin.0 == text {
            true => Ok(origin),
            false => Err(format!("Write it as browsers send it: {origin}")),
        }
    }
}

fn has_plain_letters(host: &Host<&str>) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    match host {
        Host::Domain(name) => !name.is_empty() && name.chars().all(is_plain),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        for (text, origin) in [
            ("https://app.example.com", "https://app.example.com"),
            (" HTTPS://App.Example.com/ ", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("https://app.example.com:8443", "https://app.example.com:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://203.0.113.7", "https://203.0.113.7"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://app.localhost", "http://app.localhost"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:5173", "http://[::1]:5173"),
        ] {
            assert_eq!(WebOrigin::parse(text).map(|origin| origin.0), Ok(origin.to_owned()), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://*.example.com",
            "https://*",
            "http://app.example.com",
            "http://localhost.example.com",
            "http://203.0.113.7",
            "https://app.example.com/path",
            "https://app.example.com?",
            "https://app.example.com#",
            "https://user@app.example.com",
            "https://:secret@app.example.com",
            "https://a,b.example.com",
            "https://",
            "https://app.example.com https://other.example.com",
            "file:///etc/passwd",
            "ftp://app.example.com",
            "chrome-extension://abcdefgh",
            "javascript:alert(1)",
            "data:text/html,x",
            &format!("https://{}.example", "a.".repeat(120)),
        ] {
            assert!(WebOrigin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_program_sends_what_its_pattern_says() {
        let pattern = regress::Regex::with_flags(&WebOrigin::pattern(), "u").unwrap();
        for text in
            ["https://app.example.com", "https://a_b.example:8443", "http://[::1]:1", "http://localhost"]
        {
            assert!(WebOrigin::parse_exact(text).is_ok() && pattern.find(text).is_some(), "{text}");
        }
        for text in [
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            " https://a.b",
        ] {
            assert!(WebOrigin::parse(text).is_ok() && WebOrigin::parse_exact(text).is_err(), "{text}");
        }
    }
}
