//! `action:resource` and `action:resource:field`: the language in which rights are written.

use super::Permission;
use std::fmt;

/// The longest scope that is accepted, in bytes.
pub const MAX_LENGTH: usize = 120;

/// A right over something that a customer's own applications define: `read:posts`,
/// `read:users:email`, `deploy:*`.
///
/// `*` may stand for any one part. Two parts cover every field of their resource. A wildcard never
/// reaches a [`Permission`] of the catalogue: those are granted by name, so that each row of the
/// Security page is the whole truth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// Why a text is not a scope. The sentence is for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    #[error("Write a scope such as read:posts.")]
    Empty,
    #[error("A scope has at most {MAX_LENGTH} characters.")]
    TooLong,
    #[error("Write a scope as action:resource or action:resource:field, such as read:posts.")]
    Parts,
    #[error("A part of a scope is lower-case letters, digits, '-' and '_', or a single *.")]
    Part,
}

impl Scope {
    /// Reads a scope as a person types it.
    ///
    /// # Errors
    /// Says which rule of the language the text breaks.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(ScopeError::TooLong);
        }
        let parts: Vec<&str> = text.split(':').collect();
        if !(2..=3).contains(&parts.len()) {
            return Err(ScopeError::Parts);
        }
        if parts.iter().all(|part| is_part(part)) { Ok(Self(text.to_owned())) } else { Err(ScopeError::Part) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if whoever holds `self` may do everything that `other` stands for.
    pub fn covers(&self, other: &Self) -> bool {
        if Permission::of_scope(&other.0).is_some() {
            return self == other;
        }
        let mut mine = self.0.split(':');
        let mut theirs = other.0.split(':');
        loop {
            match (mine.next(), theirs.next()) {
                (Some(a), Some(b)) if a == "*" || a == b => {}
                // All of ours is used up: two parts cover every field below them.
                (None, _) => return true,
                _ => return false,
            }
        }
    }
}

fn is_part(part: &str) -> bool {
    part == "*"
        || (part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_'))
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).expect("a scope")
    }

    #[test]
    fn reads_two_and_three_parts_and_says_what_is_wrong() {
        for good in ["read:posts", "read:*", "*:*", "read:users:email", "write:own", "deploy:eu-1"] {
            assert_eq!(scope(good).as_str(), good);
        }
        assert_eq!(Scope::parse(""), Err(ScopeError::Empty));
        assert_eq!(Scope::parse("users_read"), Err(ScopeError::Parts));
        assert_eq!(Scope::parse("a:b:c:d"), Err(ScopeError::Parts));
        for bad in ["Read:posts", "read:", ":posts", "read: posts", "re*:posts", "read:pösts", "read:a\0"] {
            assert_eq!(Scope::parse(bad), Err(ScopeError::Part), "{bad:?}");
        }
        assert_eq!(Scope::parse(&format!("read:{}", "x".repeat(200))), Err(ScopeError::TooLong));
    }

    #[test]
    fn covers_follows_the_parts() {
        for (wide, narrow) in [
            ("read:users", "read:users"),
            ("read:users", "read:users:email"),
            ("read:*", "read:users:email"),
            ("*:*", "deploy:staging"),
            ("*:users:email", "read:users:email"),
            ("read:users:*", "read:users:email"),
        ] {
            assert!(scope(wide).covers(&scope(narrow)), "{wide} covers {narrow}");
        }
        for (narrow, wide) in [
            ("read:users:email", "read:users"),
            ("read:users:*", "read:users"),
            ("read:users", "read:*"),
            ("read:*", "write:users"),
            ("read:*", "*:users"),
        ] {
            assert!(!scope(narrow).covers(&scope(wide)), "{narrow} does not cover {wide}");
        }
    }

    #[test]
    fn a_wildcard_never_reaches_the_catalogue() {
        for permission in Permission::ALL {
            for wildcard in ["*:*", "read:*", "manage:*", "*:members", "*:organization"] {
                assert!(!scope(wildcard).covers(&scope(permission.scope())));
            }
            assert!(scope(permission.scope()).covers(&scope(permission.scope())));
        }
    }
}
