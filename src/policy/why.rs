//! Why a member may do something, or why not; and what a change of roles grants and revokes.

use super::{holdings::Holdings, right::Right};

/// The answer to "may they?", with the roles that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why<R> {
    /// Allowed: each of the given roles is sufficient.
    By(Vec<R>),
    /// Not allowed. Each of the given roles, which are not held, would be sufficient.
    Not(Vec<R>),
}

impl<R> Why<R> {
    pub fn is_held(&self) -> bool {
        matches!(self, Self::By(_))
    }
}

/// Evaluates each role of a workspace, of which somebody holds some. The verdict agrees with that of
/// all that they hold: no right comes from two roles together that neither gives.
pub fn why<'a, R>(
    roles: impl IntoIterator<Item = (R, &'a Holdings, bool)>,
    allows: impl Fn(&Holdings) -> bool,
) -> Why<R> {
    let (mut held, mut others) = (Vec::new(), Vec::new());
    for (role, holdings, is_held) in roles {
        if allows(holdings) {
            if is_held { &mut held } else { &mut others }.push(role);
        }
    }
    if held.is_empty() { Why::Not(others) } else { Why::By(held) }
}

/// People with equal holdings, before a change and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingsChange {
    pub people: i64,
    pub before: Holdings,
    pub after: Holdings,
}

impl HoldingsChange {
    pub fn gained(&self) -> Vec<Right> {
        self.after.beyond(&self.before)
    }

    pub fn lost(&self) -> Vec<Right> {
        self.before.beyond(&self.after)
    }
}

/// How many come to hold something, and how many lose it.
pub fn reach<'a>(
    changes: impl IntoIterator<Item = &'a HoldingsChange>,
    holds: impl Fn(&Holdings) -> bool,
) -> (i64, i64) {
    let mut reach = (0, 0);
    for change in changes {
        match (holds(&change.before), holds(&change.after)) {
            (false, true) => reach.0 += change.people,
            (true, false) => reach.1 += change.people,
            _ => {}
        }
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{BuiltIn, Permission};

    fn role(role: BuiltIn) -> Holdings {
        Holdings::of(role == BuiltIn::Owner, role.grants())
    }

    #[test]
    fn the_roles_that_give_a_right_are_named_or_those_that_would() {
        let roles: Vec<_> = BuiltIn::ALL.map(|built_in| (built_in, role(built_in))).into();
        let explain = |held: &[BuiltIn], permission| {
            let all = roles.iter().map(|(name, holdings)| (*name, holdings, held.contains(name)));
            why(all, |holdings| holdings.has(permission))
        };
        let invites = Permission::InviteMembers;
        assert_eq!(
            explain(&[BuiltIn::Viewer], invites),
            Why::Not(vec![BuiltIn::Owner, BuiltIn::Admin, BuiltIn::Developer])
        );
        let held = [BuiltIn::Developer, BuiltIn::Admin, BuiltIn::Viewer];
        assert_eq!(explain(&held, invites), Why::By(vec![BuiltIn::Admin, BuiltIn::Developer]));
    }

    #[test]
    fn what_is_held_otherwise_is_neither_gained_nor_lost() {
        let both = Holdings::union([&role(BuiltIn::Editor), &role(BuiltIn::Viewer)]);
        let change = HoldingsChange { people: 3, before: both.clone(), after: role(BuiltIn::Viewer) };
        assert_eq!((change.gained(), change.lost()), (vec![], vec![Right::Scope("write:*".into())]));
        let up = HoldingsChange { people: 2, before: both, after: role(BuiltIn::Owner) };
        assert_eq!(up.gained().last(), Some(&Right::EveryScope));
        assert_eq!(up.lost(), []);
        let holds = |right: Right| move |holdings: &Holdings| right.is_in(holdings);
        assert_eq!(reach([&change, &up], holds(Right::Scope("write:posts".into()))), (0, 3));
        assert_eq!(reach([&change, &up], holds(Right::Permission(Permission::ReadAudit))), (2, 0));
    }
}
