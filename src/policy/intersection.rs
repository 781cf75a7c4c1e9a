//! What two holders hold both.

use super::{holdings::Holdings, scope::Scope};

/// The most pairs of scopes that are compared for what they have in common in part, as `read:*` and `*:posts` have
/// `read:posts`. Beyond that, such pairs have nothing in common: less is held, never more.
const MAX_PAIRS: usize = 4_096;

impl Holdings {
    /// What is held both here and there.
    pub fn intersection(&self, other: &Self) -> Self {
        if self.owner {
            return other.clone();
        }
        if other.owner {
            return self.clone();
        }
        let mut both = Self { permissions: self.permissions & other.permissions, ..Self::default() };
        both.scopes.extend(self.scopes.iter().filter(|scope| other.allows(scope)).cloned());
        both.scopes.extend(other.scopes.iter().filter(|scope| self.allows(scope)).cloned());
        let patterns = |held: &Self| held.scopes.iter().filter(|scope| is_pattern(scope)).count();
        let pairs = patterns(self) * other.scopes.len() + self.scopes.len() * patterns(other);
        if pairs <= MAX_PAIRS {
            for (a, b) in self.scopes.iter().flat_map(|a| other.scopes.iter().map(move |b| (a, b))) {
                // Of two that are no patterns, one covers the other or they have nothing in common.
                if is_pattern(a) || is_pattern(b) {
                    both.scopes.extend(common(a, b));
                }
            }
        }
        both.scopes.sort();
        both.scopes.dedup();
        both
    }
}

fn is_pattern(scope: &Scope) -> bool {
    scope.as_str().contains('*')
}

/// What two scopes allow both, if that is anything.
fn common(a: &Scope, b: &Scope) -> Option<Scope> {
    let (mut longer, mut shorter) = (a.as_str().split(':'), b.as_str().split(':'));
    if longer.clone().count() < shorter.clone().count() {
        std::mem::swap(&mut longer, &mut shorter);
    }
    let part = |part: &'_ str, other: Option<&str>| match (part, other) {
        // Two parts cover every field below them.
        (part, None | Some("*")) => Some(part.to_owned()),
        ("*", Some(other)) => Some(other.to_owned()),
        (part, Some(other)) => (part == other).then(|| part.to_owned()),
    };
    let parts: Option<Vec<String>> = longer.map(|own| part(own, shorter.next())).collect();
    let scope = Scope::parse(&parts?.join(":")).ok()?;
    (a.covers(&scope) && b.covers(&scope)).then_some(scope)
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
    }
}
