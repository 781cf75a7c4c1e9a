//! Sets of scopes, parsed from a form or a request.

use crate::{
    domain::base::invalid::Invalid,
    policy::{Holdings, Permission, Scope, ScopeError},
    visible::is_hidden,
};
use std::collections::BTreeSet;

/// The most scopes that a role can hold.
pub const MAX_SCOPES: usize = 200;

/// A set of scopes, each of them well formed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<String>);

impl ScopeSet {
    /// Parses a form. `permissions` are the ticked permissions of the catalogue; `typed` are scopes of the
    /// customer's own applications, separated by line breaks, commas, semicolons or spaces.
    ///
    /// # Errors
    /// A complaint on the field `permission` or `scopes`.
    pub fn read(permissions: &[String], typed: &str) -> Result<Self, Invalid> {
        let mut scopes = BTreeSet::new();
        for text in permissions {
            let Some(permission) = Permission::of_scope(text) else {
                return Err(Invalid::field("permission", format!("“{}” is not a permission.", cut(text))));
            };
            scopes.insert(permission.scope().to_owned());
        }
        let (mut complaints, mut wrong) = (Vec::new(), 0);
        for text in entries(typed) {
            match named(&text) {
                Ok(scope) => {
                    scopes.insert(scope.to_string());
                }
                Err(complaint) => {
                    wrong += 1;
                    complaints.push(complaint);
                    complaints.truncate(MAX_SHOWN);
                }
            }
        }
        if wrong > MAX_SHOWN {
            complaints.push(format!("{} more aren't valid either.", wrong - MAX_SHOWN));
        }
        if wrong > 0 {
            return Err(Invalid::field("scopes", complaints.join(" ")));
        }
        if scopes.len() > MAX_SCOPES {
            return Err(Invalid::field("scopes", format!("A role can have at most {MAX_SCOPES} scopes.")));
        }
        Ok(Self(scopes))
    }

    /// Parses one list of permissions and scopes of applications, as a program sends it.
    ///
    /// # Errors
    /// A complaint on the field `scopes`.
    pub fn of(scopes: &[String]) -> Result<Self, Invalid> {
        let (permissions, typed): (Vec<_>, Vec<_>) =
            scopes.iter().cloned().partition(|text| Permission::of_scope(text).is_some());
        if let Some(text) = typed.iter().find(|text| entries(text).as_slice() != [text.as_str()]) {
            return Err(Invalid::field("scopes", format!("“{}” is not a single scope.", cut(text))));
        }
        Self::read(&permissions, &typed.join("\n"))
    }

    /// The scopes of the customer's own applications.
    pub(in crate::domain) fn of_applications(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|scope| Permission::of_scope(scope).is_none())
    }

    pub(in crate::domain) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(in crate::domain) fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// The holdings of a role with these scopes.
    pub(in crate::domain) fn holdings(&self) -> Holdings {
        Holdings::of(false, self.iter())
    }
}

/// The most invalid scopes that one message lists.
const MAX_SHOWN: usize = 20;

fn cut(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).take(60).collect()
}

/// Parses one scope of an application.
fn named(text: &str) -> Result<Scope, String> {
    let scope = Scope::named(text).map_err(|error| match error {
        ScopeError::Meant(meant) => format!("“{}”: did you mean {meant}?", cut(text)),
        other => format!("“{}”: {other}", cut(text)),
    })?;
    match scope.permission() {
        Some(permission) if permission.scope() == text => Err(format!(
            "“{text}” is the permission “{}”. Select it in the list instead.",
            permission.label()
        )),
        Some(permission) => {
            Err(format!("“{text}” is already covered by the permission “{}”.", permission.label()))
        }
        None => Ok(scope),
    }
}

/// What was typed, piece by piece. Words without a colon between them stay together, so that
/// `read users` can be answered with what it should have been.
fn entries(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in text.split(['\n', '\r', ',', ';']) {
        let line = line.split(':').map(str::trim).collect::<Vec<_>>().join(":");
        if line.contains(':') {
            all.extend(line.split_whitespace().map(str::to_owned));
        } else if !line.is_empty() {
            all.push(line);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(permissions: &[&str], typed: &str) -> String {
        let permissions: Vec<String> = permissions.iter().map(|text| (*text).to_owned()).collect();
        let refused = ScopeSet::read(&permissions, typed).expect_err(typed);
        refused.iter().map(|(field, said)| format!("{field}: {said}")).collect()
    }

    #[test]
    fn scopes_are_read_by_line_comma_and_space() {
        let read = ScopeSet::read(
            &["read:members".into(), "read:members".into()],
            "read:posts write:posts,\r\n deploy:* ;read : users\n\nread:posts",
        );
        let held: Vec<String> = read.expect("scopes").iter().map(str::to_owned).collect();
        assert_eq!(held, ["deploy:*", "read:members", "read:posts", "read:users", "write:posts"]);
        assert_eq!(ScopeSet::read(&[], " \n"), Ok(ScopeSet::default()));
    }

    #[test]
    fn what_is_wrong_is_said_of_each() {
        assert_eq!(
            complaint(&[], "users_read\nread users, Read:Posts"),
            "scopes: “users_read”: did you mean read:users? “read users”: did you mean read:users? “Read:Posts”: did you mean read:posts?"
        );
        let four = complaint(&[], "a b c d\ne\nf\ng");
        assert!(["“a b c d”", "“e”", "“f”", "“g”"].into_iter().all(|one| four.contains(one)), "{four}");
        let many: String = (0..MAX_SHOWN + 2).map(|n| format!("wrong{n}\n")).collect();
        assert!(complaint(&[], &many).contains("2 more aren't valid either."));
        assert!(complaint(&[], "read:members").contains("Select it in the list instead"));
        assert!(complaint(&[], "read:members:email").contains("is already covered by the permission"));
        assert!(complaint(&["fly:rockets"], "").starts_with("permission: "));
        let many: String = (0..=MAX_SCOPES).map(|n| format!("read:thing-{n}\n")).collect();
        assert!(complaint(&[], &many).contains("at most 200"));
    }
}
