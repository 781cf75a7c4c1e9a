//! What a member can ask for: a permission or another scope, by whichever role, or one role.

use crate::{
    domain::base::{
        role::{Role, Roles},
        values::Slug,
    },
    policy::{Holdings, Permission, Scope},
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Scope(Scope),
    /// The slug of a role.
    Role(String),
}

impl Wanted {
    /// Reads a scope, which has a colon, or the slug of a role.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.contains(':') {
            true => Scope::parse(text).map(Self::Scope).map_err(|error| error.to_string()),
            false => match Slug::parse(text) {
                Ok(slug) => Ok(Self::Role(slug.as_str().to_owned())),
                Err(_) => Err("Choose what you need.".to_owned()),
            },
        }
    }

    /// As it is stored.
    pub(super) fn of_row(scope: &str, role: &str) -> Option<Self> {
        match scope {
            "" => Some(Self::Role(role.to_owned())),
            scope => Scope::parse(scope).ok().map(Self::Scope),
        }
    }

    /// As [`Wanted::parse`] reads it.
    pub fn text(&self) -> String {
        match self {
            Self::Scope(scope) => scope.to_string(),
            Self::Role(slug) => slug.clone(),
        }
    }

    /// As pages and events name it.
    pub fn label(&self, all: &Roles) -> String {
        match self {
            Self::Scope(scope) => match Permission::of_scope(scope.as_str()) {
                Some(permission) => permission.label().to_owned(),
                None => scope.to_string(),
            },
            Self::Role(slug) => all.by_slug(slug).map_or_else(|| slug.clone(), |role| role.name.clone()),
        }
    }

    /// The roles that would give it. The Owner's is not among them: it is transferred, not asked for.
    pub fn roles<'a>(&self, all: &'a Roles) -> Vec<&'a Role> {
        let gives = |role: &&Role| {
            !role.is_owner
                && match self {
                    Self::Scope(scope) => role.holdings.allows(scope),
                    Self::Role(slug) => role.slug == *slug,
                }
        };
        all.iter().filter(gives).collect()
    }

    /// The roles whose givers are asked: those that would give it or, if there is none, Owner, whose holders alone can
    /// make one.
    pub(super) fn asked_roles<'a>(&self, all: &'a Roles) -> Vec<&'a Role> {
        match self.roles(all) {
            none if none.is_empty() => all.iter().filter(|role| role.is_owner).collect(),
            some => some,
        }
    }

    /// Whether somebody with these holdings and roles has it.
    pub fn is_held(&self, holdings: &Holdings, roles: &[String]) -> bool {
        match self {
            Self::Scope(scope) => holdings.allows(scope),
            Self::Role(slug) => holdings.is_owner() || roles.contains(slug),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn a_scope_has_a_colon_and_a_role_has_none() {
        for (text, is_scope) in [("update:members", true), ("read:posts:title", true), ("editor", false)] {
            let wanted = Wanted::parse(text).unwrap();
            assert_eq!((matches!(wanted, Wanted::Scope(_)), wanted.text().as_str()), (is_scope, text));
        }
        for text in ["", "No slug", ":", "x\u{0}"] {
            assert!(Wanted::parse(text).is_err(), "{text:?}");
        }
    }
}
