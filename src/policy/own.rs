//! `own` as the last part of a scope: what belongs to the subject.
//!
//! `write:own` grants to write what belongs to its holder, of any type, and `write:posts:own` of one type. To its
//! holder's own things it grants what `write:*` and `write:posts` would, and no more; to what belongs to others, or to
//! somebody unknown, it grants nothing. It never reaches the catalogue, of which nothing belongs to anybody.

use super::{
    holdings::Holdings,
    scope::{OWN, Parts, Scope},
};
use std::iter;

/// Whose a thing is, as the subject of a question sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// Nobody said.
    Unknown,
    /// The subject's.
    Subject,
    /// Somebody else's.
    Another,
}

impl Belonging {
    /// What follows from all that is known of whose a thing is: whether each owner who is named is the subject. It is
    /// the subject's only if nothing else is said.
    pub fn of(is_subject: impl IntoIterator<Item = bool>) -> Self {
        is_subject.into_iter().fold(Self::Unknown, |so_far, is_subject| match (so_far, is_subject) {
            (Self::Another, _) | (_, false) => Self::Another,
            (Self::Unknown | Self::Subject, true) => Self::Subject,
        })
    }
}

impl Scope {
    /// True of a scope that is about what belongs to its holder alone.
    pub fn is_own(&self) -> bool {
        self.parts().field == Some(OWN)
    }

    /// The scope that grants to do this with what belongs to the holder; `None` of what can belong to nobody, and of a
    /// scope that says so itself.
    pub fn own(&self) -> Option<Self> {
        let Parts { action, resource, .. } = self.parts();
        (!self.is_own() && self.permission().is_none()).then(|| Self::of_parts(&[action, resource, OWN]))
    }

    /// The scope that grants to do this with what belongs to anybody: `write:posts` for `write:posts:own`.
    pub fn of_anybody(&self) -> Self {
        match self.parts() {
            // Of a type of this name there is no scope of two parts.
            Parts { action, resource: OWN, field: Some(OWN) } => Self::of_parts(&[action, "*"]),
            Parts { action, resource, field: Some(OWN) } => Self::of_parts(&[action, resource]),
            _ => self.clone(),
        }
    }

    /// Everything that can be done with things of a type, by which their owner can do no more.
    pub fn everything_on(kind: &str) -> Self {
        // A type of this name would be read as what belongs to the holder.
        Self::of_parts(&["*", if kind == OWN { "*" } else { kind }])
    }

    /// The scopes any one of which allows this on a thing that belongs to whom it does.
    pub fn sufficient(self, whose: Belonging) -> Vec<Self> {
        match whose {
            Belonging::Unknown => vec![self],
            Belonging::Subject => {
                let own = self.own();
                iter::once(self).chain(own).collect()
            }
            Belonging::Another => vec![self.of_anybody()],
        }
    }
}

impl Holdings {
    /// [`Holdings::allows`] for a thing that belongs to whom it does.
    pub fn allows_on(&self, scope: &Scope, whose: Belonging) -> bool {
        scope.clone().sufficient(whose).iter().any(|scope| self.allows(scope))
    }

    /// True if whose a thing is makes a difference to these holdings.
    pub fn depend_on_owner(&self, scope: &Scope) -> bool {
        self.allows_on(scope, Belonging::Subject) && !self.allows_on(scope, Belonging::Another)
    }
}

#[cfg(test)]
mod tests {
    use super::{Belonging::*, *};
    use crate::policy::Permission;
    use proptest::prelude::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn held(grants: &[String]) -> Holdings {
        Holdings::of(false, grants.iter().map(String::as_str))
    }

    /// A scope, as it may be granted.
    fn grant() -> impl Strategy<Value = String> {
        let action = || prop_oneof![Just("*"), Just("read"), Just("write")];
        let part = || prop_oneof![Just("*"), Just("posts"), Just("members"), Just("own"), Just("title")];
        (action(), part(), proptest::option::of(part())).prop_map(|(action, resource, field)| {
            let two = format!("{action}:{resource}");
            field.map_or(two.clone(), |field| format!("{two}:{field}"))
        })
    }

    fn grants() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(grant(), 0..5)
    }

    /// A question about a thing of some type.
    fn question() -> impl Strategy<Value = Scope> {
        grant().prop_filter_map("names one thing", |text| {
            (!text.contains('*') && !text.ends_with(":own")).then(|| scope(&text))
        })
    }

    fn is_own(grant: &str) -> bool {
        grant.ends_with(":own")
    }

    #[test]
    fn own_is_the_last_part_of_a_scope_of_an_application() {
        let author = held(&["read:*".into(), "write:own".into(), "delete:posts:own".into()]);
        for (text, unknown, own, another) in [
            ("read:posts", true, true, true),
            ("write:posts", false, true, false),
            ("write:posts:title", false, true, false),
            ("delete:posts", false, true, false),
            ("delete:posts:title", false, true, false),
            ("delete:files", false, false, false),
            // The scope itself, as applications ask that decide for themselves what is whose.
            ("write:own", true, true, false),
            ("delete:posts:own", true, true, false),
            ("delete:own", false, false, false),
            // A type of this name, and not a word for what belongs to somebody.
            ("delete:own:title", false, false, false),
        ] {
            let answer = [Unknown, Subject, Another].map(|whose| author.allows_on(&scope(text), whose));
            assert_eq!(answer, [unknown, own, another], "{text}");
            assert_eq!(author.depend_on_owner(&scope(text)), own && !another, "{text}");
        }
        let everything = held(&["*:own".into()]);
        for permission in Permission::ALL {
            assert!(!everything.allows_on(&scope(permission.scope()), Subject), "{permission:?}");
        }
    }

    #[test]
    fn everything_that_is_said_of_an_owner_must_agree() {
        for (said, whose) in [
            (&[][..], Unknown),
            (&[true], Subject),
            (&[true, true], Subject),
            (&[false], Another),
            (&[true, false], Another),
            (&[false, true], Another),
        ] {
            assert_eq!(Belonging::of(said.iter().copied()), whose, "{said:?}");
        }
        assert_eq!(Scope::everything_on("posts"), scope("*:posts"));
        assert_eq!(Scope::everything_on("own"), scope("*:*"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_048, ..ProptestConfig::default() })]

        /// To the owner it grants what the same scope without it would grant, and no more.
        #[test]
        fn own_never_widens(grants in grants(), question in question()) {
            let without: Vec<String> =
                grants.iter().map(|grant| scope(grant).of_anybody().to_string()).collect();
            let (with, without) = (held(&grants), held(&without));
            prop_assert!(!with.allows_on(&question, Subject) || without.allows(&question), "{}", question);
            // And all of that, but for a type of this name, of which no scope of two parts speaks.
            for own in grants.iter().filter(|grant| is_own(grant) && !grant.ends_with(":own:own")) {
                if question.permission().is_none() && scope(own).of_anybody().covers(&question) {
                    prop_assert!(with.allows_on(&question, Subject), "{} {}", own, question);
                }
            }
        }

        /// What belongs to somebody else, or to nobody who is known, is as if it were not granted.
        #[test]
        fn own_never_grants_what_belongs_to_another(grants in grants(), question in question()) {
            let plain: Vec<String> = grants.iter().filter(|grant| !is_own(grant)).cloned().collect();
            let (with, plain) = (held(&grants), held(&plain));
            for whose in [Unknown, Another] {
                prop_assert_eq!(with.allows_on(&question, whose), plain.allows(&question), "{}", question);
            }
            prop_assert_eq!(
                with.depend_on_owner(&question),
                with.allows_on(&question, Subject) && !plain.allows(&question)
            );
        }

        /// Nobody hands out by it what they do not hold.
        #[test]
        fn what_covers_a_scope_allows_no_less_whoever_it_belongs_to(
            wide in grant(),
            narrow in grant(),
            question in question(),
        ) {
            if scope(&wide).covers(&scope(&narrow)) {
                let (wide, narrow) = (held(&[wide]), held(&[narrow]));
                for whose in [Unknown, Subject, Another] {
                    prop_assert!(
                        wide.allows_on(&question, whose) || !narrow.allows_on(&question, whose),
                        "{}", question
                    );
                }
            }
        }

        /// What two hold both is own to its holder only where each of them holds it so, or for all.
        #[test]
        fn both_hold_of_ones_own_what_each_of_them_holds(
            one in grants(),
            other in grants(),
            question in question(),
        ) {
            let (one, other) = (held(&one), held(&other));
            let both = one.intersection(&other);
            for whose in [Unknown, Subject, Another] {
                let each = one.allows_on(&question, whose) && other.allows_on(&question, whose);
                prop_assert!(each || !both.allows_on(&question, whose), "{} {:?}", question, whose);
            }
            // A field of what is one's own has no scope; everything else is held by both.
            if question.as_str().split(':').count() == 2 {
                let each = one.allows_on(&question, Subject) && other.allows_on(&question, Subject);
                prop_assert_eq!(both.allows_on(&question, Subject), each, "{}", question);
            }
        }
    }
}
