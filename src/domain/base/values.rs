//! Texts that people type, read once and carried as what they are.
//!
//! Each `parse` normalises (NFC, trimmed, case-folded where it says so) and then checks. The error is
//! the sentence that stands beside the field.

use std::fmt;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Why a text was refused, for the person who typed it.
pub type Complaint = &'static str;

macro_rules! text_value {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// An e-mail address: lower case, at most 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

text_value!(Email);

impl Email {
    /// # Errors
    /// What is wrong with the text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let text: String = text.trim().nfc().collect::<String>().to_lowercase();
        if text.is_empty() {
            return Err("Enter an e-mail address.");
        }
        if text.len() > 254 {
            return Err("An e-mail address has at most 254 characters.");
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
}

/// The name of a person, a workspace or a role: one line of 1 to 80 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

text_value!(Name);

impl Name {
    /// # Errors
    /// What is wrong with the text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        match text.chars().count() {
            0 => Err("Enter a name."),
            1..=80 => Ok(Self(text)),
            _ => Err("A name has at most 80 characters."),
        }
    }
}

/// What a role is for: one line of at most 200 characters; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Description(String);

text_value!(Description);

impl Description {
    /// # Errors
    /// What is wrong with the text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let text = one_line(text)?;
        if text.chars().count() > 200 {
            return Err("A description has at most 200 characters.");
        }
        Ok(Self(text))
    }
}

/// What a customer's own application calls a member: 1 to 200 characters. It never has the form of a
/// user's id or of an address, so that neither is ever mistaken for the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId(String);

text_value!(ExternalId);

impl ExternalId {
    /// # Errors
    /// What is wrong with the text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if text.is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
            return Err("An external id has 1 to 200 characters, and none that can't be seen.");
        }
        if text.contains('@') || uuid::Uuid::try_parse(text).is_ok() {
            return Err(
                "An external id does not look like an address or a UUID, which stand for users already.",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// What stands in a workspace's URL: 2 to 48 lower-case letters, digits and single hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

text_value!(Slug);

impl Slug {
    pub const MAX: usize = 48;

    /// # Errors
    /// What is wrong with the text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let text = text.trim();
        if text.is_empty() {
            return Err("Enter a short name for the URL.");
        }
        let shaped = (2..=Self::MAX).contains(&text.len())
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

    /// A slug made from a name; `None` where nothing of it can be kept.
    pub fn suggest(name: &str) -> Option<Self> {
        let mut slug = String::new();
        for c in name.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)) {
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

/// A few lines from one person to another, at most 1,000 characters; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message(String);

text_value!(Message);

impl Message {
    /// # Errors
    /// What is wrong with the text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let text: String = text.replace("\r\n", "\n").replace('\r', "\n").nfc().collect();
        let text = text.trim();
        if text.chars().any(|c| c != '\n' && c != '\t' && is_hidden(c)) {
            return Err("Remove the characters that cannot be seen.");
        }
        if text.chars().count() > 1_000 {
            return Err("A message has at most 1,000 characters.");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A text to search for: one line, at most 100 characters; may be empty.
///
/// # Errors
/// What is wrong with the text, as a sentence.
pub fn search_text(text: &str) -> Result<String, Complaint> {
    let text = one_line(text)?;
    if text.chars().count() > 100 { Err("Search for at most 100 characters.") } else { Ok(text) }
}

fn one_line(text: &str) -> Result<String, Complaint> {
    if text.chars().any(is_hidden) {
        return Err("Remove the characters that cannot be seen, such as line breaks.");
    }
    let text: String = text.nfc().collect();
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A text without case and accents, so that `cafe` finds Café, on either database.
pub(in crate::domain) fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase()
}

/// Control characters, and those that reorder or hide the text around them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00AD}'
                | '\u{034F}'
                | '\u{061C}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{180B}'..='\u{180F}'
        )
        || matches!(c, '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0E}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
        || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
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
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(Name::parse("  Two   words ").map(|n| n.to_string()), Ok("Two words".into()));
        assert!(Name::parse("שלום עולם").is_ok());
        for bad in ["", "   ", "a\nb", "a\0b", "a\u{202E}b", "\u{200B}", &"x".repeat(81)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
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
}
