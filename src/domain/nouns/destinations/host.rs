//! The exact name of a host, and whether it is public.

use crate::domain::base::text_rule::{Complaint, TextRule, one_line};
use std::fmt;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};
use url::{Host as AnyHost, ParseError};

/// The exact name of a host, in ASCII: lower case, punycode, no trailing dot.
///
/// It is public by [`Host::ensure_public`], unless the operator allows that very name. A public name may still resolve to a private address. Whatever connects must refuse that, each time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

/// The name of the host that the gateway answers for by itself.
pub const ECHO: &str = "echo";

impl Host {
    /// The host that the gateway answers for by itself, without a network. Nobody can add its name: it has no
    /// domain.
    pub fn echo() -> Self {
        Self(ECHO.to_owned())
    }
}

const EMPTY: Complaint = "Enter a host, such as api.example.com.";
const SCHEME: Complaint = "Leave out the scheme, such as “https://”. Enter the host alone.";
const USER_INFO: Complaint = "Leave out everything up to the “@”. Enter the host alone.";
const QUERY: Complaint = "Leave out the query, from “?” or “#” on. Enter the host alone.";
const PATH: Complaint = "Leave out the path, from the slash on. Enter the host alone.";
const WILDCARD: Complaint = "A destination is one exact host. Enter each host by its full name, without “*”.";
const ADDRESS: Complaint = "IP addresses can't be destinations. Enter the name of a host.";
const PORT: Complaint = "Leave out the port, from the colon on. Enter the host alone.";
const NO_NAME: Complaint = "A host has letters, digits, hyphens and dots, and 1 to 63 characters between two dots. Check the spelling.";
const TOO_LONG: Complaint = "The name of a host has at most 253 characters.";
const ONE_LABEL: Complaint = "Enter the full name of the host, with its domain, such as api.example.com.";
const NOT_PUBLIC: Complaint =
    "Names that end like this one aren't on the public internet. Enter a public host.";
const SUFFIX: Complaint =
    "Many organizations have names under this one. Enter the full name of the host in front of it, too.";
const MIXED_SCRIPTS: Complaint = "The letters between two dots are of different scripts, as in names that imitate others. Check the spelling.";
const LOOKALIKE: Complaint = "A part of this name looks like Latin letters and isn't, as in names that imitate others. Check the spelling.";
const SYMBOL: Complaint = "This name has a symbol that host names shouldn't have, as in names that imitate others. Use letters, digits and hyphens.";

/// Endings that no public host has (RFC 2606, 6761, 6762, 7686, and ICANN's reservation of `internal`).
const SPECIAL: [&str; 8] = ["local", "internal", "localhost", "test", "onion", "arpa", "invalid", "example"];

impl Host {
    /// The most characters of a name in DNS.
    pub const MAX: usize = 253;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// Why the name can't be that of one host on the public internet.
    pub(super) fn ensure_public(&self) -> Result<(), Complaint> {
        if !self.0.contains('.') {
            return Err(ONE_LABEL);
        }
        refuse_not_public(&self.0)
    }

    /// The name of a public host.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn parse_public(text: &str) -> Result<Self, Complaint> {
        let host = Self::parse(text)?;
        host.ensure_public().map(|()| host)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextRule for Host {
    const MIN: usize = 1;
    const MAX: usize = Self::MAX;
    const DESCRIPTION: &'static str =
        "The name of one public host, such as api.example.com: no scheme, port or path, and no IP address.";

    fn pattern() -> String {
        r"^[^\s/\\:?#@\[\]%*]+$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        refuse_more_than_a_name(&text)?;
        let host = ascii(&text)?;
        refuse_malformed(&host)?;
        refuse_imitations(&displayed(&host))?;
        Ok(Self(host))
    }

    fn parse_exact(text: &str) -> Result<Self, String> {
        let host = Self::parse(text)?;
        match text.chars().count() <= Self::MAX && !text.contains(char::is_whitespace) {
            true => Ok(host),
            false => Err("Send the host alone.".into()),
        }
    }
}

/// The host as people read it: in Unicode, where it has other letters than those of ASCII.
pub(in crate::domain) fn displayed(host: &str) -> String {
    idna::domain_to_unicode(host).0
}

/// Refuses parts of URLs, and wildcards.
fn refuse_more_than_a_name(text: &str) -> Result<(), Complaint> {
    let has = |characters: &[char]| text.contains(characters);
    match () {
        () if text.is_empty() => Err(EMPTY),
        () if text.contains("//") => Err(SCHEME),
        () if has(&['@']) => Err(USER_INFO),
        () if has(&['/', '\\']) => Err(PATH),
        () if has(&['?', '#']) => Err(QUERY),
        () if has(&['*']) => Err(WILDCARD),
        () if has(&['[', ']']) || text.matches(':').count() > 1 => Err(ADDRESS),
        () if has(&[':']) => Err(PORT),
        // A URL would decode it.
        () if has(&['%']) => Err(NO_NAME),
        () => Ok(()),
    }
}

/// The ASCII form, parsed as browsers do. Anything that they read as an IP address is refused.
fn ascii(text: &str) -> Result<String, Complaint> {
    match AnyHost::parse(text) {
        Ok(AnyHost::Domain(name)) => Ok(name.strip_suffix('.').unwrap_or(&name).to_owned()),
        Ok(AnyHost::Ipv4(_) | AnyHost::Ipv6(_))
        | Err(ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address) => Err(ADDRESS),
        Err(_) => Err(NO_NAME),
    }
}

fn refuse_malformed(host: &str) -> Result<(), Complaint> {
    let is_plain = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match () {
        () if host.len() > Host::MAX => Err(TOO_LONG),
        () if !host.split('.').all(is_plain) => Err(NO_NAME),
        () => Ok(()),
    }
}

fn refuse_not_public(host: &str) -> Result<(), Complaint> {
    let last = host.rsplit('.').next().unwrap_or_default();
    // The list of public suffixes has their Unicode form, and every top-level domain there is.
    let displayed = displayed(host);
    match () {
        () if SPECIAL.contains(&last) => Err(NOT_PUBLIC),
        () if !psl::suffix(displayed.as_bytes()).is_some_and(|suffix| suffix.is_known()) => Err(NOT_PUBLIC),
        () if psl::suffix_str(&displayed) == Some(&displayed) => Err(SUFFIX),
        () => Ok(()),
    }
}

/// What is drawn like another host, in its Unicode form (UTS 39): symbols such as a fraction's slash, labels of
/// several scripts, and labels of another script whose letters all look like Latin ones.
fn refuse_imitations(displayed: &str) -> Result<(), Complaint> {
    let is_identifier = |c: char| matches!(c, '.' | '-') || c.identifier_allowed();
    let is_latin_domain = displayed.rsplit('.').next().is_some_and(str::is_ascii);
    let imitates = |label: &str| !label.is_ascii() && skeleton(label).all(|c| c.is_ascii());
    match () {
        () if !displayed.chars().all(is_identifier) => Err(SYMBOL),
        () if !displayed.split('.').all(|label| label.is_single_script()) => Err(MIXED_SCRIPTS),
        // Under a domain of its own script, such a label is an ordinary word.
        () if is_latin_domain && displayed.split('.').any(imitates) => Err(LOOKALIKE),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_host_is_kept_in_its_ascii_form() {
        for (typed, host) in [
            ("api.example.com", "api.example.com"),
            (" API.Example.COM ", "api.example.com"),
            // The dot at the end says that the name is complete, which it is here anyway.
            ("api.example.com.", "api.example.com"),
            ("a.co", "a.co"),
            ("хор.рф", "xn--n1aen.xn--p1ai"),
            ("münchen.example.de", "xn--mnchen-3ya.example.de"),
            ("xn--mnchen-3ya.example.de", "xn--mnchen-3ya.example.de"),
            ("例え。みんな", "xn--r8jz45g.xn--q9jyb4c"),
            ("ａｐｉ．ｅｘａｍｐｌｅ．ｃｏｍ", "api.example.com"),
            ("fonts.example.co.uk", "fonts.example.co.uk"),
            ("127.0.0.1.example.com", "127.0.0.1.example.com"),
            ("0x7f.example.com", "0x7f.example.com"),
            ("пример.example.com", "xn--e1afmkfd.example.com"),
            ("ひらがなカタカナ漢字.example.com", "xn--v8j0cwa6gzha3lrdr510cymwb.example.com"),
        ] {
            let parsed = Host::parse(typed);
            assert_eq!(parsed.as_ref().map(Host::as_str), Ok(host), "{typed:?}");
            assert_eq!(Host::parse_exact(host).as_ref().map(Host::as_str), Ok(host), "{typed:?}");
        }
        assert_eq!(displayed("xn--mnchen-3ya.example.de"), "münchen.example.de");
        assert_eq!(displayed("api.example.com"), "api.example.com");
    }

    #[test]
    fn what_is_no_public_host_is_refused_by_the_rule_it_breaks() {
        let long = format!("{}.example.com", "a.".repeat(130));
        let label = format!("{}.example.com", "a".repeat(64));
        for (rule, texts) in [
            (EMPTY, &["", "  "][..]),
            (SCHEME, &["https://api.example.com", "//api.example.com", "https://u:p@h.com:1/?q"]),
            (USER_INFO, &["somebody@example.com", "user:secret@example.com"]),
            (PATH, &["example.com/", "example.com/path?q", "example.com\\path"]),
            (QUERY, &["example.com?q=1", "example.com#top"]),
            (WILDCARD, &["*", "*.example.com", "api.*.com", "api*.example.com"]),
            (
                PORT,
                &["example.com:443", "localhost:8000", "127.0.0.1:80", "https:example.com", "2130706433:80"],
            ),
            (
                ADDRESS,
                &[
                    "127.0.0.1",
                    "127.0.0.1.",
                    "127.1",
                    "127.0.1",
                    "2130706433",
                    "0x7f000001",
                    "0x7F.1",
                    "0177.0.0.1",
                    "017700000001",
                    "0x7f.0x0.0x0.0x1",
                    "0x",
                    "0x.0x.0",
                    "1.2.3.256",
                    "4294967296",
                    "999.999",
                    "09.1.1.1",
                    "１２７.０.０.１",
                    "127。0。0。1",
                    "①②⑦.⓪.⓪.①",
                    "example.1",
                    "example.0x1f",
                    "::1",
                    "[::1]",
                    "[::1",
                    "::ffff:127.0.0.1",
                    "2001:db8::1",
                    "fe80::1%eth0",
                    "[2001:db8::1]:443",
                ],
            ),
            (
                NO_NAME,
                &[
                    ".",
                    "..",
                    ".example.com",
                    "example..com",
                    "example.com..",
                    "exa mple.com",
                    "exa_mple.com",
                    "-a.example.com",
                    "a-.example.com",
                    "example.com%2f",
                    "127%2e0.0.1",
                    "exa,mple.com",
                    "a;b.com",
                    "a!b.com",
                    "exam\"ple.com",
                    "xn--a.example.com",
                    "xn--.com",
                    "a\u{202f}b.com",
                    "example。。com",
                    &label,
                ],
            ),
            (TOO_LONG, &[&long]),
            (ONE_LABEL, &["example", "localhost", "com", "localhost.", "日本"]),
            (
                NOT_PUBLIC,
                &[
                    "printer.local",
                    "db.internal",
                    "a.localhost",
                    "shop.test",
                    "abc.onion",
                    "1.0.0.127.in-addr.arpa",
                    "router.home.arpa",
                    "a.invalid",
                    "api.example",
                    "api.EXAMPLE.",
                    "api.ｔｅｓｔ",
                    "foo.lan",
                    "localhost.localdomain",
                    "kubernetes.default.svc",
                    "mail.corp",
                    "foo.alt",
                    "a.0xg",
                    "foo.测试",
                    "१२७.०.०.१",
                ],
            ),
            (SUFFIX, &["co.uk", "CO.UK.", "github.io", "公司.cn", "xn--55qx5d.cn", "anything.ck"]),
            (
                SYMBOL,
                &[
                    "google.com∕x.example.com",
                    "paypal.com⁄login.example.com",
                    "example.com∶443.example.com",
                    "a–b.com",
                    "☃.example.com",
                ],
            ),
            (LOOKALIKE, &["a‐b.com", "www.аррӏе.com", "раураӏ.com", "ѕсоре.com", "xn--80ak6aa92e.com"]),
            (MIXED_SCRIPTS, &["pаypal.com", "api.gооgle.com", "xn--pypal-4ve.com", "日本abc.example.com"]),
        ] {
            for text in texts {
                assert_eq!(Host::parse_public(text), Err(rule), "{text:?}");
            }
        }
        for hidden in ["exa\u{200b}mple.com", "exa\nmple.com", "\u{202e}example.com", "a\0.com"] {
            assert!(Host::parse(hidden).is_err(), "{hidden:?}");
        }
        for around in [" example.com", "example.com\u{2003}"] {
            assert!(Host::parse(around).is_ok() && Host::parse_exact(around).is_err(), "{around:?}");
        }
    }

    /// The operator may allow one of these names.
    #[test]
    fn an_internal_name_is_a_host_that_is_not_public() {
        for (text, name, rule) in [
            ("API.Internal.", "api.internal", NOT_PUBLIC),
            ("build", "build", ONE_LABEL),
            ("printer.local", "printer.local", NOT_PUBLIC),
        ] {
            let host = Host::parse(text).expect(text);
            assert_eq!((host.as_str(), host.ensure_public()), (name, Err(rule)));
        }
    }

    /// A part of an address in one of the notations that inet_aton reads.
    fn number(value: u32, notation: u8, zeros: usize) -> String {
        let zeros = "0".repeat(zeros);
        match notation {
            0 => value.to_string(),
            1 => format!("0{zeros}{value:o}"),
            2 => format!("0x{zeros}{value:x}"),
            _ => format!("0X{zeros}{value:X}"),
        }
    }

    /// An address in 1 to 4 parts, the last of which takes what the others leave.
    fn in_parts(address: u32, parts: usize, notations: &[u8], zeros: usize) -> Vec<String> {
        let bytes = address.to_be_bytes();
        let leading = bytes.iter().take(parts - 1).map(|byte| u32::from(*byte));
        let last = bytes.iter().skip(parts - 1).fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let all = leading.chain([last]).zip(notations);
        all.map(|(value, notation)| number(value, *notation, zeros)).collect()
    }

    /// Digits and letters as other characters that browsers read as the same.
    fn disguised(text: &str, disguise: u8) -> String {
        let shifted = |c: char, first: char, to: u32| char::from_u32(u32::from(c) - u32::from(first) + to);
        let other = |c: char| match (disguise, c) {
            (1, '!'..='~') if c != '.' => shifted(c, '!', 0xff01),
            (2, '0'..='9') => shifted(c, '0', 0x1d7ce),
            (3, '0') => Some('⓪'),
            (3, '1'..='9') => shifted(c, '1', 0x2460),
            _ => None,
        };
        text.chars().map(|c| other(c).unwrap_or(c)).collect()
    }

    fn spelling_of_v4() -> impl Strategy<Value = String> {
        let dots = prop_oneof![Just("."), Just("。"), Just("．"), Just("｡")];
        let parts = (any::<u32>(), 1..=4_usize, proptest::collection::vec(0..4_u8, 4), 0..3_usize);
        (parts, dots, 0..4_u8, any::<bool>()).prop_map(
            |((address, parts, notations, zeros), dot, disguise, ends)| {
                let text = in_parts(address, parts, &notations, zeros).join(dot);
                disguised(&text, disguise) + if ends { dot } else { "" }
            },
        )
    }

    fn spelling_of_v6() -> impl Strategy<Value = String> {
        (any::<u128>(), any::<u32>(), 0..6_u8, 0..4_u8).prop_map(|(bits, v4, form, around)| {
            let address = Ipv6Addr::from_bits(bits);
            let whole = address.segments().map(|segment| format!("{segment:04X}")).join(":");
            let text = match form {
                0 => address.to_string(),
                1 => whole,
                2 => format!("::ffff:{}", Ipv4Addr::from_bits(v4)),
                3 => format!("64:ff9b::{}", Ipv4Addr::from_bits(v4)),
                4 => Ipv6Addr::from_bits(bits & 0xffff).to_string(),
                _ => format!("fe80::{v4:x}%eth0"),
            };
            match around {
                0 => text,
                1 => format!("[{text}]"),
                2 => format!("[{text}]:443"),
                _ => format!(" {text} "),
            }
        })
    }

    /// What the resolver of the C library reads as an IPv4 address without asking anybody.
    fn inet_aton(text: &str) -> bool {
        let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
        let is_number = |part: &str| match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
            Some(hex) => digits(hex, 16),
            None => digits(part, 10),
        };
        text.split('.').count() <= 4 && text.split('.').all(is_number)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_spelling_of_an_ip_address_is_a_host(text in prop_oneof![spelling_of_v4(), spelling_of_v6()]) {
            prop_assert_eq!(Host::parse(&text), Err(ADDRESS));
        }

        /// Of any text: what is accepted is a name with a domain, comes back as it is, and fits the pattern.
        #[test]
        fn what_is_accepted_is_a_name(text in "[0-9a-fxXz.:\\[\\]%/@*０-９。①é日а-]{1,16}") {
            let Ok(host) = Host::parse_exact(&text) else { return Ok(()) };
            if host.ensure_public().is_err() {
                return Ok(());
            }
            prop_assert!(!inet_aton(host.as_str()) && host.as_str().parse::<std::net::IpAddr>().is_err());
            prop_assert!(matches!(AnyHost::parse(host.as_str()), Ok(AnyHost::Domain(_))));
            prop_assert_eq!(Host::parse_exact(host.as_str()), Ok(host.clone()));
            prop_assert_eq!(Host::parse(&displayed(host.as_str())), Ok(host));
            let pattern = regress::Regex::with_flags(&Host::pattern(), "u").unwrap();
            prop_assert!(pattern.find(&text).is_some(), "{:?}", text);
        }
    }
}
