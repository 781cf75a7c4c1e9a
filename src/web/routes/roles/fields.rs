//! The fields of a role's form.

use crate::{
    domain::{
        Description, Invalid, Name, base::role::Role, enforce::read::ReadScope, nouns::roles::RoleDetails,
    },
    policy::{Access, Group, Permission},
};

/// The boxes and the text field of a form that says what a role holds.
pub(in crate::web) struct Fields {
    pub(super) groups: Vec<(Group, Vec<Choice>)>,
    /// Scopes of the customer's own applications, one a line.
    pub(super) typed: String,
    /// Those that roles of this workspace hold already.
    pub(super) known: Vec<String>,
}

/// One permission as a box.
pub(super) struct Choice {
    pub(super) permission: Permission,
    pub(super) ticked: bool,
    /// The viewer holds it, and so may hand it on.
    pub(super) held: bool,
}

/// In a list of what is in use, enough to choose from.
const MOST_KNOWN: usize = 40;

impl Fields {
    pub(super) fn new<P: Access>(
        scope: &ReadScope<P>,
        ticked: impl Fn(Permission) -> bool,
        typed: String,
    ) -> Self {
        let actor = scope.actor();
        let choice = |permission: Permission| Choice {
            ticked: ticked(permission),
            held: actor.holdings.has(permission),
            permission,
        };
        let known = actor.all_roles.application_scopes().into_iter().take(MOST_KNOWN);
        Self {
            groups: Group::ALL.map(|group| (group, group.permissions().map(choice).collect())).into(),
            typed,
            known: known.map(str::to_owned).collect(),
        }
    }

    pub(super) fn of_role<P: Access>(scope: &ReadScope<P>, role: &Role) -> Self {
        Self::new(scope, |permission| role.holdings.has(permission), role.application_scopes.join("\n"))
    }

    pub(super) fn as_sent<P: Access>(scope: &ReadScope<P>, permissions: &[String], typed: &str) -> Self {
        let ticked = |permission: Permission| permissions.iter().any(|sent| sent == permission.scope());
        Self::new(scope, ticked, typed.to_owned())
    }
}

/// The fields `name` and `description` of a form.
pub(in crate::web) fn named(name: &str, description: &str, invalid: &mut Invalid) -> Option<RoleDetails> {
    let name = invalid.check("name", Name::parse(name));
    let description = invalid.check("description", Description::parse(description));
    Some(RoleDetails { name: name?, description: description? })
}
