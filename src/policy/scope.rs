//! `action:resource` and `action:resource:field`: the language in which rights are written.

use super::catalogue::Permission;
use std::{borrow::Borrow, fmt};

/// The longest scope that is accepted, in bytes.
pub const MAX_LENGTH: usize = 120;

/// The pattern of a part that is no wildcard. It says to programs what `is_part` decides.
pub const PART: &str = "[a-z0-9][a-z0-9_.-]*";

/// As the last part of a scope: what belongs to its holder.
pub(super) const OWN: &str = "own";

/// The pattern of a whole scope.
pub fn pattern() -> String {
    format!(r"^(\*|{PART}):(\*|{PART})(:(\*|{PART}))?$")
}

/// A right over something that a customer's own applications define: `read:posts`,
/// `read:users:email`, `deploy:*`.
///
/// `*` may stand for any one part. Two parts cover every field of their resource. A wildcard never
/// reaches a [`Permission`] of the catalogue: those are granted by name, so that each row of the
/// Security page is the whole truth. With [`OWN`] as its last part it is about what belongs to its holder:
/// `write:own` of any type, `write:posts:own` of one. See [`super::own`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// Why a text is not a scope. The sentence is for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    #[error("Enter a scope such as read:posts.")]
    Empty,
    #[error("Use at most {MAX_LENGTH} characters.")]
    TooLong,
    #[error("Enter a scope as action:resource or action:resource:field, such as read:posts.")]
    Parts,
    #[error("Use only lower-case letters, digits, '-', '_' and '.' in each part of a scope, or a single *.")]
    Part,
    /// It is not a scope, or not well named; the text is what was likely meant.
    #[error("Did you mean {0}? The action comes first, then the resource, in lower case.")]
    Meant(String),
}

/// What people do to things: by these words a scope that was written the wrong way round is known.
const ACTIONS: &[&str] = &[
    "add",
    "admin",
    "approve",
    "archive",
    "assign",
    "cancel",
    "check",
    "create",
    "delete",
    "deploy",
    "download",
    "edit",
    "execute",
    "export",
    "generate",
    "get",
    "impersonate",
    "import",
    "invite",
    "list",
    "manage",
    "merge",
    "modify",
    "publish",
    "purchase",
    "read",
    "remove",
    "restore",
    "run",
    "send",
    "share",
    "suspend",
    "update",
    "upload",
    "view",
    "write",
];

fn is_action(word: &str) -> bool {
    ACTIONS.contains(&word)
}

impl Scope {
    /// Reads a scope as it is stored or requested.
    ///
    /// # Errors
    /// Says which rule of the language the text breaks, and what it was likely meant to be.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(ScopeError::TooLong);
        }
        let parts = text.split(':').count();
        if (2..=3).contains(&parts) && text.split(':').all(is_part) {
            return Ok(Self(text.to_owned()));
        }
        let broken = if (2..=3).contains(&parts) { ScopeError::Part } else { ScopeError::Parts };
        Err(likely(text).map_or(broken, ScopeError::Meant))
    }

    /// Reads a scope that somebody names: a new one is also written the usual way round.
    ///
    /// # Errors
    /// As [`Scope::parse`]; [`ScopeError::Meant`] for `users:read` too.
    pub fn named(text: &str) -> Result<Self, ScopeError> {
        let scope = Self::parse(text)?;
        match turned(text) {
            Some(turned) => Err(ScopeError::Meant(turned)),
            None => Ok(scope),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The permission of the catalogue that this is, or a field of which this is.
    pub fn permission(&self) -> Option<Permission> {
        let end = self.0.match_indices(':').nth(1).map_or(self.0.len(), |(at, _)| at);
        Permission::of_scope(&self.0[..end])
    }

    /// True if whoever holds `self` may do everything that `other` allows.
    pub fn covers(&self, other: &Self) -> bool {
        // What is in the catalogue is granted by its own name alone.
        if other.permission().is_some() && other.permission() != self.permission() {
            return false;
        }
        self.fits(other)
    }

    /// Every scope that covers this one by its parts, itself included: each part by its name or as `*`, and with
    /// two parts alone. At most twelve.
    pub(super) fn generalisations(&self) -> impl Iterator<Item = String> {
        let Parts { action, resource, field } = self.parts();
        (0..16).filter_map(move |choice: u8| {
            let part = |own, bit| match (choice & bit != 0, own) {
                (true, "*") => None,
                (true, _) => Some("*"),
                (false, own) => Some(own),
            };
            let (action, resource) = (part(action, 1)?, part(resource, 2)?);
            match (choice / 4, field) {
                // With two parts, this one is about what belongs to its holder, and no type.
                (0, _) if resource != OWN => Some([action, resource].join(":")),
                (1, Some(field)) => Some([action, resource, field].join(":")),
                (2, Some(field)) if field != "*" && field != OWN => Some([action, resource, "*"].join(":")),
                (3, Some(OWN)) if choice & 2 == 0 => Some([action, OWN].join(":")),
                _ => None,
            }
        })
    }

    /// [`Scope::covers`] by the parts alone, for what is known not to be in the catalogue.
    fn fits(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.parts(), other.parts());
        let is_within = |mine: &str, theirs: &str| mine == "*" || mine == theirs;
        let is_of_field = match (mine.field, theirs.field) {
            // Two parts cover every field below them, and what belongs to the holder.
            (None, _) => true,
            // Every field of it is not all of it, and what is one's own may be all of it.
            (Some("*"), Some(field)) => field != OWN,
            (Some(mine), Some(theirs)) => mine == theirs,
            (Some(_), None) => false,
        };
        is_of_field && is_within(mine.action, theirs.action) && is_within(mine.resource, theirs.resource)
    }

    /// Its parts; `write:own` is read as `write:*:own`.
    pub(super) fn parts(&self) -> Parts<'_> {
        let mut parts = self.0.splitn(3, ':');
        let (action, resource) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match parts.next() {
            None if resource == OWN => Parts { action, resource: "*", field: Some(OWN) },
            field => Parts { action, resource, field },
        }
    }

    /// The scope of these parts, which come from others.
    pub(super) fn of_parts(parts: &[&str]) -> Self {
        Self(parts.join(":"))
    }
}

/// The parts of a scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub field: Option<&'a str>,
}

fn is_part(part: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    part == "*"
        || (part.bytes().next().is_some_and(is_letter)
            && part.bytes().all(|b| is_letter(b) || matches!(b, b'-' | b'_' | b'.')))
}

/// `read:users` for `users:read`; `None` where a scope is written the usual way round.
fn turned(text: &str) -> Option<String> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let [first, second, ..] = parts.as_slice() else { return None };
    if is_action(first) || !is_action(second) {
        return None;
    }
    parts.swap(0, 1);
    Some(parts.join(":"))
}

/// The scope that a text which is none was likely meant to be: `read:users` for `users_read`,
/// `Read:Users`, `read users` or `users.read`.
fn likely(text: &str) -> Option<String> {
    let text = text.trim();
    let likely = if text.contains(':') {
        let lower = text.to_lowercase();
        let part = |part: &str| part.split_whitespace().collect::<Vec<_>>().join("-");
        let parts: Vec<String> = lower.split(':').map(part).collect();
        parts.join(":")
    } else {
        let words = words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [action, of @ ..] if is_action(action) && !of.is_empty() => format!("{action}:{}", of.join("-")),
            [of @ .., action] if is_action(action) && !of.is_empty() => format!("{action}:{}", of.join("-")),
            [first, second] => format!("{first}:{second}"),
            _ => return None,
        }
    };
    let likely = turned(&likely).unwrap_or(likely);
    let is_scope = (2..=3).contains(&likely.split(':').count()) && likely.split(':').all(is_part);
    (is_scope && likely.len() <= MAX_LENGTH).then_some(likely)
}

/// The words of `users_read`, `read users`, `users.read` or `readUsers`, in lower case.
fn words(text: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut was_lower = false;
    for c in text.chars() {
        if c.is_uppercase() && was_lower {
            spaced.push(' ');
        }
        was_lower = c.is_lowercase();
        spaced.push(if matches!(c, '_' | '.' | '/' | '-') { ' ' } else { c });
    }
    spaced.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
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
        for good in
            ["read:posts", "read:*", "*:*", "read:users:email", "write:own", "deploy:eu-1", "read:v1.2_x"]
        {
            assert_eq!(scope(good).as_str(), good);
        }
        assert_eq!(Scope::parse(""), Err(ScopeError::Empty));
        for bad in ["read", "a:b:c:d", "one two three", "read:posts:title:x"] {
            assert_eq!(Scope::parse(bad), Err(ScopeError::Parts), "{bad:?}");
        }
        for bad in ["read:", ":posts", "re*:posts", "read:pösts", "read:a\0", "read:-a", "read:**", "read:.x"]
        {
            assert_eq!(Scope::parse(bad), Err(ScopeError::Part), "{bad:?}");
        }
        assert_eq!(Scope::parse(&format!("read:{}", "x".repeat(200))), Err(ScopeError::TooLong));
    }

    #[test]
    fn the_pattern_says_what_is_accepted() {
        let pattern = regress::Regex::with_flags(&pattern(), "u").expect("a pattern of JavaScript");
        let good =
            ["read:posts", "read:*", "*:*", "*:posts:*", "read:users:email", "deploy:eu-1", "read:v1.2_x"];
        let bad = ["", "read", "a:b:c:d", "read:", ":posts", "re*:posts", "Read:posts", "read:-a", "read:**"];
        for text in good.into_iter().chain(bad) {
            assert_eq!(Scope::parse(text).is_ok(), pattern.find(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn what_was_likely_meant_is_said() {
        for (typed, meant) in [
            ("users_read", "read:users"),
            ("users.read", "read:users"),
            ("read users", "read:users"),
            ("read/users", "read:users"),
            ("readUsers", "read:users"),
            ("Read:Users", "read:users"),
            ("READ_USERS", "read:users"),
            ("read: users", "read:users"),
            ("create_post", "create:post"),
            ("read blog posts", "read:blog-posts"),
            ("blog_posts_read", "read:blog-posts"),
            ("Users:Read", "read:users"),
            ("read:Blog Posts", "read:blog-posts"),
        ] {
            let error = Scope::parse(typed).expect_err(typed);
            assert_eq!(error, ScopeError::Meant(meant.into()), "{typed}");
            assert!(error.to_string().contains(&format!("Did you mean {meant}?")));
        }
        // It can be read, but is not what anybody should name a new one.
        for (typed, meant) in
            [("users:read", "read:users"), ("users:read:email", "read:users:email"), ("*:read", "read:*")]
        {
            assert!(Scope::parse(typed).is_ok());
            assert_eq!(Scope::named(typed), Err(ScopeError::Meant(meant.into())));
        }
        for good in ["read:users", "fly:rockets", "export:read", "*:*", "*:users", "read:*:email"] {
            assert!(Scope::named(good).is_ok(), "{good}");
        }
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
            ("write:*", "write:own"),
            ("write:users", "write:users:own"),
            ("write:own", "write:users:own"),
            ("write:own", "write:*:own"),
            ("write:*:own", "write:own"),
            ("*:own", "write:users:own"),
        ] {
            assert!(scope(wide).covers(&scope(narrow)), "{wide} covers {narrow}");
        }
        for (narrow, wide) in [
            ("read:users:email", "read:users"),
            ("read:users", "read:*"),
            ("read:*", "write:users"),
            ("read:*", "*:users"),
            ("read:users", "read:users-all"),
            ("read:users-all", "read:users"),
            ("read:user", "read:users:email"),
            ("re:users", "read:users"),
            ("read:users:*", "read:users"),
            ("write:own", "write:users"),
            ("write:own", "write:*"),
            ("write:own", "write:own:email"),
            ("write:users", "write:own"),
            ("write:users:own", "write:own"),
            ("write:users:own", "write:users"),
            ("write:users:own", "write:users:email"),
            ("write:users:*", "write:users:own"),
            ("write:users:email", "write:users:own"),
        ] {
            assert!(!scope(narrow).covers(&scope(wide)), "{narrow} does not cover {wide}");
        }
    }

    #[test]
    fn what_covers_a_scope_is_among_its_generalisations() {
        let samples = [
            "read:users",
            "read:*",
            "*:users",
            "*:*",
            "write:users",
            "read:users:email",
            "read:users:*",
            "*:users:email",
            "read:*:email",
            "*:*:email",
            "*:*:*",
            "read:*:*",
            "*:users:*",
            "read:users:name",
            "read:posts",
            "read:own",
            "*:own",
            "read:users:own",
            "*:users:own",
            "read:*:own",
            "*:*:own",
            "read:own:own",
            "read:own:name",
            "read:own:*",
            "write:own",
        ];
        for narrow in samples.map(scope) {
            let wider: Vec<String> = narrow.generalisations().collect();
            for wide in samples.map(scope) {
                assert_eq!(wide.fits(&narrow), wider.contains(&wide.to_string()), "{wide} and {narrow}");
            }
            let once: std::collections::BTreeSet<_> = wider.iter().collect();
            assert_eq!(once.len(), wider.len(), "{wider:?}");
        }
    }

    #[test]
    fn a_wildcard_never_reaches_the_catalogue() {
        for permission in Permission::ALL {
            for wildcard in ["*:*", "read:*", "manage:*", "*:members", "*:organization"] {
                assert!(!scope(wildcard).covers(&scope(permission.scope())));
            }
            let own = scope(permission.scope());
            assert!(own.covers(&own));
            // Nor what lies below it, which is covered by its name.
            let field = scope(&format!("{own}:field"));
            assert!(own.covers(&field) && scope(&format!("{own}:*")).covers(&field));
            assert!(!scope("*:*").covers(&field) && !field.covers(&own));
            assert!(!scope("*:*:field").covers(&field));
        }
    }
}
