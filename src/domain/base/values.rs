//! Texts that people type, parsed once into a type of their own. The rules of each are in its [`TextRule`].

use crate::{
    domain::base::text_rule::{
        Complaint, TextRule, is_visible, line_pattern, lines, lines_pattern, one_line, visible_line_pattern,
        visible_line_pattern_without,
    },
    visible::is_invisible,
};
use std::fmt;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::skeleton;

/// Implements what every text value has. It repeats the commonly used parts of the rule, so that callers need
/// not import the trait.
macro_rules! text_value {
    ($($name:ident),+) => {$(
        impl $name {
            /// The most characters.
            pub const MAX: usize = <Self as TextRule>::MAX;

            /// Parses what a person typed.
            ///
            /// # Errors
            /// What is wrong with the text, as a sentence.
            pub fn parse(text: &str) -> Result<Self, Complaint> {
                <Self as TextRule>::parse(text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

text_value!(Email, Name, Title, Description, ExternalId, Slug, Message, SearchText);

/// An e-mail address: lower case, at most 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl TextRule for Email {
    const MIN: usize = 3;
    const MAX: usize = 254;
    const DESCRIPTION: &'static str = "An e-mail address.";

    fn pattern() -> String {
        r"^[^\s@]+@[^\s@]+$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        // Before anything else: the Kelvin sign, for example, would become a k.
        if !text.trim().is_ascii() {
            return Err("Use letters without accents, digits and signs, such as name@example.com.");
        }
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return Err("Enter an e-mail address.");
        }
        if text.len() > Self::MAX {
            return Err("Use at most 254 characters.");
        }
        let wrong = "Enter an e-mail address such as name@example.com.";
        let (local, domain) = text.rsplit_once('@').ok_or(wrong)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let plain =
            !local.is_empty() && local.len() <= 64 && local.chars().all(atom) && domain.chars().all(host);
        // The library that will send to it has the last word.
        if !plain || text.parse::<lettre::Address>().is_err() {
            return Err(wrong);
        }
        Ok(Self(text))
    }

    fn parse_exact(text: &str) -> Result<Self, String> {
        let email = Self::parse(text)?;
        match text.chars().count() <= Self::MAX && !text.contains(char::is_whitespace) {
            true => Ok(email),
            false => Err("Send only the address.".into()),
        }
    }
}

/// The name of a person, a workspace or a role: one line of 1 to 80 characters. Names are in the subjects of
/// mail to strangers, so none is an address or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl TextRule for Name {
    const MIN: usize = 1;
    const MAX: usize = 80;
    const DESCRIPTION: &'static str = "A name, on one line, without e-mail addresses and links.";

    fn pattern() -> String {
        visible_line_pattern_without('@')
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        match text.chars().count() {
            0 => Err("Enter a name."),
            _ if !is_visible(&text) => Err("Enter a name that can be seen."),
            _ if names_an_address(&text) => {
                Err("Leave out @, e-mail addresses and links. Names are shown in e-mail.")
            }
            1..=Self::MAX => Ok(Self(text)),
            _ => Err("Use at most 80 characters."),
        }
    }
}

/// True for what a reader's program makes a link of, whatever it leads to.
fn names_an_address(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains('@') || text.contains("://") || text.contains("www.") || text.contains("mailto:")
}

/// The name of a thing in the customer's own applications: one line of 1 to 80 characters, of any kind. It is in
/// no mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

impl TextRule for Title {
    const MIN: usize = 1;
    const MAX: usize = Name::MAX;
    const DESCRIPTION: &'static str = "A name, on one line.";

    fn pattern() -> String {
        visible_line_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        match text.chars().count() {
            0 => Err("Enter a name."),
            _ if !is_visible(&text) => Err("Enter a name that can be seen."),
            1..=Self::MAX => Ok(Self(text)),
            _ => Err("Use at most 80 characters."),
        }
    }
}

/// What a role or a team is for: one line of at most 200 characters; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Description(String);

impl TextRule for Description {
    const MIN: usize = 0;
    const MAX: usize = 200;
    const DESCRIPTION: &'static str = "A description, on one line.";

    fn pattern() -> String {
        line_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        match text.chars().count() {
            ..=Self::MAX => Ok(Self(text)),
            _ => Err("Use at most 200 characters."),
        }
    }
}

/// The id of a member in the customer's own applications: 1 to 200 characters. It can't look like a user's id
/// or an address, so that they are never confused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId(String);

impl TextRule for ExternalId {
    const MIN: usize = 1;
    const MAX: usize = 200;
    const DESCRIPTION: &'static str =
        "The ID your own applications use for this user. Can't be an e-mail address or a UUID.";

    fn pattern() -> String {
        r"^[^@\u0000-\u001f\u007f-\u009f]+$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        if text.is_empty() || text.chars().count() > Self::MAX || text.chars().any(char::is_control) {
            return Err("Use 1 to 200 visible characters.");
        }
        if text.contains('@') || uuid::Uuid::try_parse(text).is_ok() {
            return Err("An external ID can't be an e-mail address or a UUID: those already identify users.");
        }
        Ok(Self(text.to_owned()))
    }
}

/// The part of a URL that identifies a workspace: 2 to 48 lower-case letters, digits and single hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl TextRule for Slug {
    const MIN: usize = 2;
    const MAX: usize = 48;
    const DESCRIPTION: &'static str = "Lower-case letters, digits and single hyphens, such as my-team.";

    fn pattern() -> String {
        "^[a-z0-9]+(-[a-z0-9]+)*$".into()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = text.trim();
        if text.is_empty() {
            return Err("Enter a short name for the URL.");
        }
        let shaped = (Self::MIN..=Self::MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--");
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err("Use 2 to 48 lower-case letters, digits and single hyphens, such as my-team.")
        }
    }

    fn parse_exact(text: &str) -> Result<Self, String> {
        let slug = Self::parse(text)?;
        if slug.as_str() == text { Ok(slug) } else { Err("Remove the spaces around it.".into()) }
    }
}

impl Slug {
    /// A slug made from a name; `None` if no character of it can be used.
    pub fn suggest(name: &str) -> Option<Self> {
        let mut slug = String::new();
        for c in name.nfkd().filter(|c| !is_combining_mark(*c)) {
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.ends_with('-') && !slug.is_empty() && slug.len() < Self::MAX {
                slug.push('-');
            }
        }
        slug.truncate(Self::MAX);
        Self::parse(slug.trim_matches('-')).ok()
    }
}

/// Lines of text from one person to another, at most 1,000 characters; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message(String);

impl TextRule for Message {
    const MIN: usize = 0;
    const MAX: usize = 1_000;
    const DESCRIPTION: &'static str = "A message to the people you invite.";

    fn pattern() -> String {
        lines_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = lines(text)?;
        let text = text.trim();
        if text.chars().count() > Self::MAX {
            return Err("Use at most 1,000 characters.");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A text to search for: one line, at most 100 characters; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SearchText(String);

impl TextRule for SearchText {
    const MIN: usize = 0;
    const MAX: usize = 100;
    const DESCRIPTION: &'static str = "Part of a name or e-mail address.";

    fn pattern() -> String {
        line_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        match text.chars().count() {
            ..=Self::MAX => Ok(Self(text)),
            _ => Err("Use at most 100 characters."),
        }
    }
}

impl From<SearchText> for String {
    fn from(text: SearchText) -> Self {
        text.0
    }
}

/// What a text looks like, without case: texts that can't be told apart by eye look alike (UTS 39).
pub(in crate::domain) fn looks(text: &str) -> String {
    let lower = text.nfkc().collect::<String>().to_lowercase();
    let visible = lower.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect::<String>();
    skeleton(&visible).collect::<String>().to_lowercase()
}

/// A text without case and accents, so that `cafe` finds Café, on either database.
pub(in crate::domain) fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fold_case_and_refuse_tricks() {
        assert_eq!(
            Email::parse(" Someone@Example.COM ").map(|e| e.to_string()),
            Ok("someone@example.com".into())
        );
        for bad in [
            "",
            "a",
            "a@",
            "@b",
            "a b@c.d",
            "a@b\r\nBcc: x@y.z",
            "a@b,c@d",
            "\"a\"@b.c",
            "a@[127.0.0.1]",
            "a\0@b.c",
            "\u{212a}ate@example.com",
            "kate@e\u{445}ample.com",
            "kate@example.com\u{200b}",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(Name::parse("  Two   words ").map(|n| n.to_string()), Ok("Two words".into()));
        assert!(Name::parse("שלום עולם").is_ok());
        for bad in [
            "",
            "   ",
            "a\nb",
            "a\0b",
            "a\u{202E}b",
            "\u{200B}",
            &"x".repeat(81),
            "ada@example.com",
            "See https://example.com",
            "WWW.example.com",
        ] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_can_be_seen() {
        for good in ["می\u{200c}خواهم", "क\u{94d}\u{200d}ष", "\u{1f469}\u{200d}\u{1f680}", "Zoe\u{301}", "✨"]
        {
            assert!(Name::parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            "\u{200d}",
            "\u{301}",
            "\u{a0}\u{3000}",
            "Ada\u{200d}",
            "A\u{200c}da",
            "\u{200d}Ada",
            "م\u{200c}\u{200c}م",
        ] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts_that_look_alike_have_one_look() {
        for twin in ["OWNER", "0wner", "\u{41e}wner", "Ow\u{200b}ner", "O w n e r", "\u{ff2f}wner", "Οwner"]
        {
            assert_eq!(looks(twin), looks("Owner"), "{twin:?}");
        }
        assert_eq!(looks("Adrnin"), looks("Admin"));
        assert_ne!(looks("Owners"), looks("Owner"));
    }

    #[test]
    fn slugs_are_suggested_from_names() {
        assert_eq!(Slug::suggest("Acme & Søns GmbH").map(|s| s.to_string()), Some("acme-s-ns-gmbh".into()));
        assert_eq!(Slug::suggest("Éclair").map(|s| s.to_string()), Some("eclair".into()));
        assert_eq!(Slug::suggest("世界"), None);
        for bad in ["a", "-a-", "A-b", "a--b", "a_b", "a/b", "a%2Fb"] {
            assert!(Slug::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// What is accepted of these, and of each with a character in the middle, keeps to the limits and
    /// matches the pattern.
    fn pattern_covers_parser<T: TextRule>(samples: &[&str]) {
        let pattern = regress::Regex::with_flags(&T::pattern(), "u").unwrap();
        let check = |text: &str| {
            if T::parse_exact(text).is_ok() {
                assert!((T::MIN..=T::MAX).contains(&text.chars().count()), "{text:?}");
                assert!(pattern.find(text).is_some(), "{text:?} and {}", T::pattern());
            }
        };
        for sample in samples {
            check(sample);
            check(&sample.repeat(T::MAX / sample.len().max(1) + 1));
            assert!(T::parse_exact(sample).is_ok(), "{sample:?}");
        }
        let odd = [0..=0x3ff, 0x1100..=0x1200, 0x1700..=0x1900, 0x2000..=0x2100, 0x2800..=0x2800];
        let more = [0x3100..=0x3200, 0xfe00..=0xffff, 0x1f600..=0x1f610, 0xe0000..=0xe1000];
        for c in odd.into_iter().chain(more).flatten().filter_map(char::from_u32) {
            check(&c.to_string());
            samples.iter().for_each(|sample| check(&format!("{sample}{c}{sample}")));
        }
    }

    #[test]
    fn patterns_say_what_parsers_accept() {
        pattern_covers_parser::<Email>(&["someone@example.com"]);
        pattern_covers_parser::<Name>(&["A", "Two words", "שלום"]);
        pattern_covers_parser::<Title>(&["A", "ada@example.com", "https://example.com"]);
        pattern_covers_parser::<Description>(&["", "What it is for"]);
        pattern_covers_parser::<ExternalId>(&["7", "some body"]);
        pattern_covers_parser::<Slug>(&["my-team", "a1"]);
        pattern_covers_parser::<Message>(&["", "Two\nlines\r\n\tand more"]);
        pattern_covers_parser::<SearchText>(&["", "part of a name"]);
    }

    #[test]
    fn patterns_refuse_what_cannot_be_seen() {
        let refuses = |pattern: String, text: &str| {
            regress::Regex::with_flags(&pattern, "u").unwrap().find(text).is_none()
        };
        for hidden in ['\u{0}', '\u{7f}', '\u{200b}', '\u{202e}', '\u{3164}'] {
            let text = format!("a{hidden}b");
            assert!(refuses(Name::pattern(), &text) && Name::parse_exact(&text).is_err(), "{text:?}");
            assert!(refuses(Message::pattern(), &text) && Message::parse_exact(&text).is_err(), "{text:?}");
        }
        assert!(refuses(Name::pattern(), "  ") && refuses(Description::pattern(), "a\nb"));
        assert!(!refuses(Message::pattern(), "a\nb"));
    }

    #[test]
    fn programs_are_held_to_the_limits_as_they_are_written() {
        let name = format!("a{}b", " ".repeat(80));
        assert!(Name::parse(&name).is_ok() && Name::parse_exact(&name).is_err());
        assert!(Slug::parse(" acme ").is_ok() && Slug::parse_exact(" acme ").is_err());
        assert!(Email::parse(" a@b.example ").is_ok() && Email::parse_exact(" a@b.example ").is_err());
    }
}
