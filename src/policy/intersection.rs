//! What two holders hold both.

use super::{
    grants,
    grants::Grants,
    holdings::Holdings,
    scope::{Parts, Scope},
};
use std::{collections::BTreeSet, sync::Arc};

/// The most pairs of scopes that are compared for what they have in common in part, as `read:*` and `*:posts` have
/// `read:posts`. Beyond that, such pairs have nothing in common: less is held, never more.
const MAX_PAIRS: usize = 4_096;

impl Holdings {
    /// What is held both here and there.
    pub fn intersection(&self, other: &Self) -> Self {
        if other.contains(self) {
            return self.clone();
        }
        if self.contains(other) {
            return other.clone();
        }
        let scopes = self.common_scopes(other).into_iter().collect();
        Self {
            owner: false,
            permissions: self.permissions & other.permissions,
            grants: Arc::new(Grants::of([scopes])),
            roles: grants::bit(0),
        }
    }

    /// The application scopes that both allow, each once.
    fn common_scopes(&self, other: &Self) -> BTreeSet<Scope> {
        let within = self.application_scopes_within(other).chain(other.application_scopes_within(self));
        let mut both: BTreeSet<Scope> = within.cloned().collect();
        let all = |held: &Self| held.application_scopes().count();
        let patterns = |held: &Self| held.application_scopes().filter(|scope| is_pattern(scope)).count();
        if patterns(self) * all(other) + all(self) * patterns(other) > MAX_PAIRS {
            return both;
        }
        for a in self.application_scopes() {
            // Of two that are no patterns, one covers the other or they have nothing in common.
            let others = other.application_scopes().filter(|b| is_pattern(a) || is_pattern(b));
            both.extend(others.filter_map(|b| common(a, b)));
        }
        both
    }
}

/// Whether it stands for many scopes, as `write:own` stands for `write:posts:own` too.
fn is_pattern(scope: &Scope) -> bool {
    let Parts { action, resource, field } = scope.parts();
    [Some(action), Some(resource), field].contains(&Some("*"))
}

/// What two scopes allow both, if that is anything.
fn common(a: &Scope, b: &Scope) -> Option<Scope> {
    let (one, other) = (a.parts(), b.parts());
    let (action, resource) = (part(one.action, other.action)?, part(one.resource, other.resource)?);
    let field = match (one.field, other.field) {
        // Two parts cover every field below them.
        (None, field) | (field, None) => field,
        (Some(one), Some(other)) => Some(part(one, other)?),
    };
    let scope = match field {
        Some(field) => Scope::of_parts(&[action, resource, field]),
        None => Scope::of_parts(&[action, resource]),
    };
    // Every field of a thing and a thing of one's own have no scope in common.
    (a.covers(&scope) && b.covers(&scope)).then_some(scope)
}

/// What two parts stand for both.
fn part<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    match (one, other) {
        ("*", part) | (part, "*") => Some(part),
        _ => (one == other).then_some(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Permission;
    use proptest::prelude::*;

    fn grants() -> impl Strategy<Value = Vec<String>> {
        let part = || prop_oneof![Just("*"), Just("read"), Just("posts"), Just("members"), Just("title")];
        let scope = (part(), part(), proptest::option::of(part())).prop_map(|(action, resource, field)| {
            let two = format!("{action}:{resource}");
            field.map_or(two.clone(), |field| format!("{two}:{field}"))
        });
        proptest::collection::vec(scope, 0..5)
    }

    fn held(owner: bool, grants: &[String]) -> Holdings {
        Holdings::of(owner, grants.iter().map(String::as_str))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_024, ..ProptestConfig::default() })]

        #[test]
        fn both_hold_what_each_of_them_holds(
            (one, other, questions) in (grants(), grants(), grants()),
            owners in any::<(bool, bool)>(),
        ) {
            let (one, other) = (held(owners.0 && one.len() > 3, &one), held(owners.1 && other.len() > 3, &other));
            let both = one.intersection(&other);
            for scope in questions.iter().map(|text| Scope::parse(text).unwrap()) {
                // A question names one scope.
                if !scope.as_str().contains('*') {
                    prop_assert_eq!(both.allows(&scope), one.allows(&scope) && other.allows(&scope), "{}", scope);
                }
            }
            for permission in Permission::ALL {
                prop_assert_eq!(both.has(*permission), one.has(*permission) && other.has(*permission));
            }
            prop_assert!(one.contains(&both) && other.contains(&both));
        }

        /// Roles of one workspace have one index.
        #[test]
        fn roles_of_one_workspace_have_the_same_in_common_as_others(
            grants in proptest::collection::vec(grants(), 4),
        ) {
            let all = Holdings::of_roles(grants.iter().map(|grants| (false, grants.iter().map(String::as_str))));
            let apart = |some: [usize; 2]| held(false, &some.map(|n| grants[n].clone()).concat());
            let together = |some: [usize; 2]| Holdings::union(some.map(|n| &all[n]));
            for (one, other) in [([0, 1], [2, 3]), ([0, 1], [1, 2]), ([0, 1], [1, 0])] {
                let expected = apart(one).intersection(&apart(other));
                prop_assert_eq!(together(one).intersection(&together(other)), expected);
            }
        }
    }
}
