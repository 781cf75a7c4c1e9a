//! The checkboxes of a form that assigns roles.

use crate::{domain::base::role::Assignable, policy::BuiltIn};

/// The roles to choose from, each with whether it is ticked.
pub(super) type Choices = Vec<(Assignable, bool)>;

/// The given roles, with those in `ticked` ticked.
pub(super) fn choices(roles: Vec<Assignable>, ticked: &[String]) -> Choices {
    let choice = |role: Assignable| {
        let is_ticked = ticked.contains(&role.slug);
        (role, is_ticked)
    };
    roles.into_iter().map(choice).collect()
}

/// True if the viewer may assign at least one of them.
pub(super) fn any_assignable(choices: &[(Assignable, bool)]) -> bool {
    choices.iter().any(|(role, _)| role.refused.is_none())
}

/// What is assigned where nothing was chosen. No form ticks it beforehand: whoever then chooses another role
/// would assign both.
pub(super) fn viewer() -> Vec<String> {
    vec![BuiltIn::Viewer.slug().to_owned()]
}

/// True if the viewer may assign that.
pub(super) fn has_default(choices: &[(Assignable, bool)]) -> bool {
    choices.iter().any(|(role, _)| role.slug == BuiltIn::Viewer.slug() && role.refused.is_none())
}
