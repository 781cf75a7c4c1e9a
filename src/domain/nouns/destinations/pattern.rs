//! What a destination stands for: one exact host, or each host that is one label below a domain.

use crate::domain::{
    base::text_rule::{Complaint, TextRule, one_line},
    nouns::destinations::host::{Host, displayed},
};
use std::fmt;

/// What a wildcard begins with.
const ASTERISK: &str = "*.";

const TICK: Complaint = "A destination is one exact host. To allow every host one level below a domain, tick “Wildcard”; otherwise enter each host by its full name, without “*”.";
const NO_WILDCARD: Complaint = "A wildcard begins with “*.” and a domain follows, such as *.example.com. For one exact host, clear “Wildcard”.";
const SUFFIXES: Complaint = "Different organizations have names below each host that this wildcard stands for. Enter each host by its full name.";
const ONE_LEVEL: Complaint =
    "A wildcard has one “*” at its beginning and stands for one level, such as *.example.com.";

/// One exact public host, or a wildcard such as `*.example.com`.
///
/// A wildcard stands for the names that are exactly one label below a domain which an organization can have for itself:
/// not for the domain, not for what is deeper, and never for what is below a public suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    Exact(Host),
    /// The domain below which the hosts are.
    Below(Host),
}

impl HostPattern {
    /// Parses what a person typed, who ticked that it is a wildcard, or did not.
    ///
    /// # Errors
    /// The rule that it breaks: also where the text is a wildcard and the tick is missing, or the other way round.
    pub fn parse_ticked(text: &str, is_wildcard: bool) -> Result<Self, Complaint> {
        Self::parse(text)?.ticked(is_wildcard)
    }

    /// [`HostPattern::parse_ticked`] of what a program sent.
    ///
    /// # Errors
    /// As there.
    pub fn parse_exact_ticked(text: &str, is_wildcard: bool) -> Result<Self, String> {
        Ok(Self::parse_exact(text)?.ticked(is_wildcard)?)
    }

    fn ticked(self, is_wildcard: bool) -> Result<Self, Complaint> {
        match (&self, is_wildcard) {
            (Self::Below(_), false) => Err(TICK),
            (Self::Exact(_), true) => Err(NO_WILDCARD),
            _ => Ok(self),
        }
    }

    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Below(_))
    }

    /// Whether it stands for this host, in ASCII.
    pub fn matches(&self, host: &str) -> bool {
        matches(&self.to_string(), host)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Below(domain) => write!(f, "{}{domain}", ASTERISK),
        }
    }
}

impl TextRule for HostPattern {
    const MIN: usize = 1;
    const MAX: usize = Host::MAX;
    const DESCRIPTION: &'static str = "The name of one public host, such as api.example.com: no scheme, port or path, and no IP address. Or, with `is_wildcard`, `*.` and a domain.";

    fn pattern() -> String {
        r"^(\*\.)?[^\s/\\:?#@\[\]%*]+$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let line = one_line(text)?;
        let Some(domain) = line.strip_prefix(ASTERISK) else {
            let is_wildcard = line.contains('*') && !line.contains(['/', '@', ':', '?', '#']);
            return if is_wildcard { Err(ONE_LEVEL) } else { Host::parse(&line).map(Self::Exact) };
        };
        if domain.contains('*') {
            return Err(ONE_LEVEL);
        }
        let domain = Host::parse_public(domain)?;
        if has_suffixes_below(&domain) {
            return Err(SUFFIXES);
        }
        // A label and a dot are in front of it.
        match domain.as_str().len() + ASTERISK.len() <= Host::MAX {
            true => Ok(Self::Below(domain)),
            false => Err("The name of a host has at most 253 characters."),
        }
    }

    fn parse_exact(text: &str) -> Result<Self, String> {
        let pattern = Self::parse(text)?;
        match text.chars().count() <= Self::MAX && !text.contains(char::is_whitespace) {
            true => Ok(pattern),
            false => Err("Send the host alone.".into()),
        }
    }
}

/// Whether every name that is one label below this domain is a public suffix, as below `kawasaki.jp`.
fn has_suffixes_below(domain: &Host) -> bool {
    let name = format!("any-name.{}", displayed(domain.as_str()));
    psl::suffix_str(&name) == Some(name.as_str())
}

/// A stored pattern as people read it.
pub(super) fn shown(pattern: &str) -> String {
    match pattern.strip_prefix(ASTERISK) {
        Some(domain) => format!("{ASTERISK}{}", displayed(domain)),
        None => displayed(pattern),
    }
}

/// Whether a stored pattern stands for this host, both in ASCII.
pub(super) fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix(ASTERISK) {
        Some(domain) => below(host) == Some(domain),
        None => pattern == host,
    }
}

/// What is left of a host without its first label.
fn below(host: &str) -> Option<&str> {
    host.split_once('.').filter(|(label, _)| !label.is_empty() && *label != "*").map(|(_, domain)| domain)
}

/// The stored form of the one wildcard that stands for this host, in ASCII: for a statement that looks for either.
pub fn wildcard_over(host: &str) -> Option<String> {
    below(host).map(|domain| format!("{}{domain}", ASTERISK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_level_below_a_domain_of_somebodys_own() {
        let parsed = |text| HostPattern::parse_ticked(text, true).map(|pattern| pattern.to_string());
        for (typed, pattern) in [
            ("*.example.com", "*.example.com"),
            (" *.API.Example.com. ", "*.api.example.com"),
            ("*.münchen.example.de", "*.xn--mnchen-3ya.example.de"),
        ] {
            assert_eq!(parsed(typed).as_deref(), Ok(pattern), "{typed:?}");
        }
        for typed in
            ["*", "*.*.example.com", "api.*.example.com", "a*.example.com", "**.example.com", "*example.com"]
        {
            assert_eq!(parsed(typed), Err(ONE_LEVEL), "{typed:?}");
        }
        for typed in [
            "*.com",
            "*.co.uk",
            "*.github.io",
            "*.local",
            "*.kawasaki.jp",
            "*.elb.amazonaws.com",
            "*.127.0.0.1",
            "*.",
            "*.example",
            "https://*.example.com",
            "*.example.com:443",
        ] {
            assert!(parsed(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn the_tick_and_the_asterisk_go_together() {
        assert_eq!(HostPattern::parse_ticked("*.example.com", false), Err(TICK));
        assert_eq!(HostPattern::parse_ticked("example.com", true), Err(NO_WILDCARD));
        assert!(HostPattern::parse_ticked("example.com", false).is_ok_and(|pattern| !pattern.is_wildcard()));
        assert!(HostPattern::parse_exact_ticked(" *.example.com", true).is_err());
        let long =
            format!("*.{}.com", ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(56)].join("."));
        assert!(HostPattern::parse_ticked(&long, true).is_err(), "no host below it fits");
    }

    #[test]
    fn what_is_accepted_fits_the_pattern() {
        let pattern = regress::Regex::with_flags(&HostPattern::pattern(), "u").expect("a pattern");
        for accepted in ["*.example.com", "api.example.com"] {
            assert!(pattern.find(accepted).is_some(), "{accepted}");
        }
    }

    #[test]
    fn a_pattern_stands_for_its_hosts_alone() {
        for (pattern, host, expected) in [
            ("api.example.com", "api.example.com", true),
            ("api.example.com", "example.com", false),
            ("api.example.com", "v1.api.example.com", false),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "v1.api.example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "*.example.com", false),
            ("*.example.com", "api.example.com.evil.com", false),
            ("*.example.com", "apiexample.com", false),
        ] {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
            let wildcard = wildcard_over(host);
            assert_eq!(
                wildcard.as_deref() == Some(pattern),
                expected && pattern.starts_with('*'),
                "{pattern} {host}"
            );
        }
    }
}
