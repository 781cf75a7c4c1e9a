//! By what a role was given.

use crate::clock::Timestamp;

/// By what a member was given a role. A role can be given by several at once, and each takes away what it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person assigned it on a page, by an invitation too.
    Hand,
    /// It is a role of a team that the member is in.
    Team,
    /// A service assigned it, by an API key.
    Api,
    /// It follows from how they sign in.
    SignOn,
    /// It follows from a directory.
    Provisioning,
    /// They were given it for a while, because they asked.
    Elevation,
}

impl Source {
    /// The word in the database and in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Team => "team",
            Self::Api => "api",
            Self::SignOn => "sign-on",
            Self::Provisioning => "provisioning",
            Self::Elevation => "elevation",
        }
    }

    /// The source with this word. One that a later version knows counts as given by hand.
    pub fn parse(word: &str) -> Self {
        let all = [Self::Team, Self::Api, Self::SignOn, Self::Provisioning, Self::Elevation];
        all.into_iter().find(|source| source.word() == word).unwrap_or(Self::Hand)
    }

    /// As pages name it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hand => "by hand",
            Self::Team => "through a team",
            Self::Api => "through the API",
            Self::SignOn => "by sign-on",
            Self::Provisioning => "by provisioning",
            Self::Elevation => "for a while",
        }
    }
}

/// A role that a member was given one by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnRole {
    pub slug: String,
    /// The word of its [`Source`].
    pub source: String,
    /// From then on it is as if it had been taken away.
    pub ends_at: Option<Timestamp>,
}

impl OwnRole {
    pub fn source(&self) -> Source {
        Source::parse(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_found_by_its_word() {
        use Source::{Api, Elevation, Hand, Provisioning, SignOn, Team};
        for source in [Hand, Team, Api, SignOn, Provisioning, Elevation] {
            assert_eq!(Source::parse(source.word()), source);
        }
        assert_eq!(Source::parse("of a later version"), Hand);
    }
}
