//! The rules of texts, in one place. Parsers, the API, its document and the limits of forms all use a
//! [`TextRule`].

use crate::visible::{BREAKS, INVISIBLE, Range, is_hidden, is_invisible};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Why a text was refused, for the person who typed it.
pub type Complaint = &'static str;

/// A kind of text: its limits, its shape, and how it is parsed.
///
/// Limits, pattern and description are for those who send or type such a text; [`TextRule::parse`]
/// decides. Whatever [`TextRule::parse_exact`] accepts keeps to the limits and matches the pattern.
pub trait TextRule: Sized {
    /// The fewest characters; 0 where the text may be empty.
    const MIN: usize;

    /// The most characters.
    const MAX: usize;

    /// What it is, in a sentence.
    const DESCRIPTION: &'static str;

    /// A regular expression in the syntax of JavaScript, with and without its flag `u`. Python and Java must be
    /// able to read it too, because clients of the API are written in them.
    fn pattern() -> String;

    /// Parses what a person typed: what can be tidied up (spaces around it, upper case …) is tidied up.
    ///
    /// # Errors
    /// What is wrong with the text, as a sentence to show at the field.
    fn parse(text: &str) -> Result<Self, Complaint>;

    /// Parses what a program sent. It is taken as the API's document describes it: limits hold for the
    /// text as it was sent, before anything is tidied up.
    ///
    /// # Errors
    /// As [`TextRule::parse`], and where the text is too long as it was sent.
    fn parse_exact(text: &str) -> Result<Self, String> {
        let value = Self::parse(text)?;
        match text.chars().count() > Self::MAX {
            true => Err(format!("Use at most {} characters.", Self::MAX)),
            false => Ok(value),
        }
    }
}

/// A character that joins its neighbours or keeps them apart. Some scripts and emoji need it; anywhere else it
/// cannot be seen.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner may follow this character: one of a script without upper case, or a symbol beyond ASCII.
fn takes_joiner(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_lowercase() && !c.is_uppercase() && !is_joiner(c)
}

/// Whether each joiner in the text does something that can be seen.
fn has_visible_joiners(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    chars.iter().enumerate().filter(|(_, c)| is_joiner(**c)).all(|(at, _)| {
        let before = at.checked_sub(1).map(|before| chars[before]);
        before.is_some_and(takes_joiner) && chars.get(at + 1).copied().is_some_and(takes_joiner)
    })
}

/// Whether anything of the text can be seen by itself: not only marks on other characters, and spaces.
pub(in crate::domain) fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !is_combining_mark(c) && !c.is_whitespace() && !is_joiner(c))
}

/// Tidies up a text on one line: NFC, and single spaces between words alone.
///
/// # Errors
/// If it contains a character that cannot be seen.
pub(in crate::domain) fn one_line(text: &str) -> Result<String, Complaint> {
    if text.chars().any(is_hidden) {
        return Err("Remove invisible characters, such as line breaks.");
    }
    let text: String = text.nfc().collect();
    if !has_visible_joiners(&text) {
        return Err("Remove invisible characters, such as line breaks.");
    }
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Characters of a class in a pattern, without its brackets.
fn class<'a>(ranges: impl IntoIterator<Item = &'a Range>) -> String {
    let escaped = |c: char| format!("\\u{:04x}", u32::from(c));
    let range = |(first, last): &Range| match first == last {
        true => escaped(*first),
        false => format!("{}-{}", escaped(*first), escaped(*last)),
    };
    // Beyond four digits the languages differ in how a character is escaped, and without the flag `u` JavaScript reads
    // it as two. The parser alone refuses those.
    ranges.into_iter().filter(|(_, last)| *last <= '\u{ffff}').map(range).collect()
}

/// The pattern of a line, which may be empty.
pub(in crate::domain) fn line_pattern() -> String {
    format!("^[^{}]*$", class(BREAKS.iter().chain(&INVISIBLE)))
}

/// The pattern of a line with something on it.
pub(in crate::domain) fn visible_line_pattern() -> String {
    visible(&class(BREAKS.iter().chain(&INVISIBLE)))
}

/// [`visible_line_pattern`], without one character.
pub(in crate::domain) fn visible_line_pattern_without(character: char) -> String {
    let hidden = class(BREAKS.iter().chain(&INVISIBLE).chain(&[(character, character)]));
    visible(&hidden)
}

fn visible(hidden: &str) -> String {
    format!("^[^{hidden}]*[^\\s{hidden}][^{hidden}]*$")
}

/// A text of several lines, each of which ends with `\n`. Spaces and lines around it stay.
///
/// # Errors
/// Where it has invisible characters other than the ends of lines.
pub(in crate::domain) fn lines(text: &str) -> Result<String, Complaint> {
    let text: String = text.replace("\r\n", "\n").replace('\r', "\n").nfc().collect();
    match text.chars().any(is_invisible) {
        true => Err("Remove invisible characters."),
        false => Ok(text),
    }
}

/// The pattern of a text of several lines, which may be empty.
pub(in crate::domain) fn lines_pattern() -> String {
    format!("^[^{}]*$", class(&INVISIBLE))
}
