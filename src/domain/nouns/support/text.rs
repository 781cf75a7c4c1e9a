//! What people write in a request for support, and in an answer to it.

use crate::domain::base::text_rule::{Complaint, TextRule, is_visible, lines, lines_pattern};
use std::fmt;

/// Lines of text, at most 4,000 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportText {
    text: String,
    /// How many empty lines stood before it.
    skipped: usize,
}

impl TextRule for SupportText {
    const MIN: usize = 1;
    const MAX: usize = 4_000;
    const DESCRIPTION: &'static str = "Some lines of text. A text with a secret in it is refused.";

    fn pattern() -> String {
        lines_pattern()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let text = lines(text)?;
        let before = &text[..text.len() - text.trim_start().len()];
        let skipped = before.matches('\n').count();
        let text = text.trim();
        if !is_visible(text) {
            return Err("Write a few words.");
        }
        if text.chars().count() > Self::MAX {
            return Err("Use at most 4,000 characters.");
        }
        Ok(Self { text: text.to_owned(), skipped })
    }
}

impl SupportText {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many lines stood before it where it was typed.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }
}

impl fmt::Display for SupportText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a request for support is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    SetUp,
    Technical,
    Billing,
    Security,
    Account,
}

impl Category {
    pub const ALL: [Self; 5] = [Self::SetUp, Self::Technical, Self::Billing, Self::Security, Self::Account];

    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::Technical => "technical",
            Self::Billing => "billing",
            Self::Security => "security",
            Self::Account => "account",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::SetUp => "Set-up",
            Self::Technical => "Technical",
            Self::Billing => "Billing",
            Self::Security => "Security",
            Self::Account => "Account",
        }
    }

    /// The category of a stored word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.word() == word)
    }
}
