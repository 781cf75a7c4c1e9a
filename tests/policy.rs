//! Scopes, as an algebra; and the ceiling: whatever sequence of allowed changes is made by those below
//! an Owner, nobody comes to hold what the one who acted did not hold, and nobody who holds as much or
//! more loses anything.
//!
//! The model applies the very functions that `domain` asks (`may_change_roles`, `may_assign`,
//! `may_grant`, `may_toggle`, `may_invite`, `may_manage`) to random workspaces and random actions.

use crate::support::product::{BuiltIn, Holdings, Permission, Right, Scope, ScopeError, Why, why};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
struct Role {
    owner: bool,
    grants: BTreeSet<String>,
}

impl Role {
    fn holdings(&self) -> Holdings {
        Holdings::of(self.owner, self.grants.iter().map(String::as_str))
    }
}

#[derive(Clone, Debug)]
struct Invitation {
    inviter: usize,
    roles: BTreeSet<usize>,
}

/// Members hold roles by number; an empty set is somebody who is not in.
#[derive(Clone, Debug)]
struct World {
    roles: Vec<Role>,
    members: Vec<BTreeSet<usize>>,
    invitations: Vec<Invitation>,
}

#[derive(Clone, Debug)]
enum Action {
    ChangeRoles { actor: usize, target: usize, roles: BTreeSet<usize> },
    Toggle { actor: usize, role: usize, permission: usize },
    EditScope { actor: usize, role: usize, scope: String },
    Replace { actor: usize, role: usize, by: usize },
    Invite { actor: usize, roles: BTreeSet<usize> },
    Accept { invitation: usize },
    Remove { actor: usize, target: usize },
}

impl World {
    fn of(&self, member: usize) -> Holdings {
        let held: Vec<Holdings> =
            self.members[member].iter().map(|role| self.roles[*role].holdings()).collect();
        Holdings::union(&held)
    }

    /// Makes the change if policy allows it; answers who caused it.
    fn apply(&mut self, action: &Action) -> Option<usize> {
        match action {
            Action::ChangeRoles { actor, target, roles } => {
                let (me, wanted) = (self.of(*actor), self.chosen(roles));
                let allowed = me.has(Permission::UpdateMemberRoles)
                    && !roles.is_empty()
                    && !self.members[*target].is_empty()
                    && me.may_change_roles(&self.of(*target), &wanted).is_ok();
                allowed.then(|| self.members[*target].clone_from(roles)).map(|()| *actor)
            }
            Action::Toggle { actor, role, permission } => {
                let (me, permission) = (self.of(*actor), Permission::ALL[*permission]);
                let allowed = me.has(Permission::UpdatePermissions)
                    && !self.roles[*role].owner
                    && me.may_toggle(&self.roles[*role].holdings(), permission).is_ok();
                if !allowed {
                    return None;
                }
                let grants = &mut self.roles[*role].grants;
                if !grants.remove(permission.scope()) {
                    grants.insert(permission.scope().to_owned());
                }
                Some(*actor)
            }
            Action::EditScope { actor, role, scope } => {
                let me = self.of(*actor);
                let allowed = me.has(Permission::UpdatePermissions)
                    && !self.roles[*role].owner
                    && me.may_grant(&self.roles[*role].holdings(), scope).is_ok();
                if !allowed {
                    return None;
                }
                let grants = &mut self.roles[*role].grants;
                if !grants.remove(scope) {
                    grants.insert(scope.clone());
                }
                Some(*actor)
            }
            // A role is deleted, and whoever has it gets another: as `roles::delete` asks.
            Action::Replace { actor, role, by } => {
                let me = self.of(*actor);
                let holders = |members: &[BTreeSet<usize>]| -> Vec<usize> {
                    (0..members.len()).filter(|member| members[*member].contains(role)).collect()
                };
                let allowed = role != by
                    && me.has(Permission::ManageRoles)
                    && me.has(Permission::UpdateMemberRoles)
                    && ![role, by].iter().any(|role| self.roles[**role].owner)
                    && [role, by].iter().all(|role| me.may_assign(&self.roles[**role].holdings()).is_ok())
                    && holders(&self.members).iter().all(|member| me.may_manage(&self.of(*member)).is_ok());
                if !allowed {
                    return None;
                }
                for member in holders(&self.members) {
                    self.members[member].remove(role);
                    self.members[member].insert(*by);
                }
                for invitation in self.invitations.iter_mut().filter(|i| i.roles.contains(role)) {
                    invitation.roles.remove(role);
                    invitation.roles.insert(*by);
                }
                Some(*actor)
            }
            Action::Invite { actor, roles } => {
                let allowed = !roles.is_empty() && self.of(*actor).may_invite(&self.chosen(roles)).is_ok();
                allowed.then(|| self.invitations.push(Invitation { inviter: *actor, roles: roles.clone() }));
                None
            }
            Action::Accept { invitation } => {
                if self.invitations.is_empty() {
                    return None;
                }
                let Invitation { inviter, roles } =
                    self.invitations.swap_remove(invitation % self.invitations.len());
                // An invitation is worth what its inviter may still give.
                let stands = self.of(inviter).may_invite(&self.chosen(&roles)).is_ok();
                stands.then(|| self.members.push(roles)).map(|()| inviter)
            }
            Action::Remove { actor, target } => {
                let me = self.of(*actor);
                let allowed = me.has(Permission::RemoveMembers) && me.may_manage(&self.of(*target)).is_ok();
                allowed.then(|| self.members[*target].clear()).map(|()| *actor)
            }
        }
    }

    fn chosen(&self, roles: &BTreeSet<usize>) -> Vec<Holdings> {
        roles.iter().map(|role| self.roles[*role].holdings()).collect()
    }
}

const MEMBERS: usize = 6;
/// The seven built-in roles and two random ones.
const ROLES: usize = 9;

fn scope() -> impl Strategy<Value = String> {
    let permission = (0..Permission::ALL.len()).prop_map(|n| Permission::ALL[n].scope().to_owned());
    let part = prop_oneof![Just("*"), Just("read"), Just("write"), Just("users"), Just("members")];
    let two = (part.clone(), part.clone()).prop_map(|(a, b)| format!("{a}:{b}"));
    let three = (part.clone(), part.clone(), part).prop_map(|(a, b, c)| format!("{a}:{b}:{c}"));
    prop_oneof![3 => permission, 2 => two, 1 => three]
}

/// Any text at all, texts of the letters that scopes are made of, and near misses.
fn typed() -> impl Strategy<Value = String> {
    let word =
        || prop_oneof![Just("read"), Just("users"), Just("Write"), Just("*"), Just("blog posts"), Just("")];
    let joint = prop_oneof![Just(":"), Just("_"), Just("."), Just(" "), Just(": "), Just("::")];
    let near =
        (word(), joint.clone(), word(), joint, word()).prop_map(|(a, i, b, j, c)| [a, i, b, j, c].concat());
    prop_oneof![".{0,130}", "[a-zA-Z0-9:*_. -]{0,40}", near]
}

fn world() -> impl Strategy<Value = World> {
    let random =
        proptest::collection::btree_set(scope(), 0..12).prop_map(|grants| Role { owner: false, grants });
    let held = proptest::collection::btree_set(0..ROLES, 1..3);
    (proptest::collection::vec(random, 2), proptest::collection::vec(held, MEMBERS)).prop_map(
        |(random, members)| {
            let built_in = BuiltIn::ALL.iter().map(|role| Role {
                owner: *role == BuiltIn::Owner,
                grants: role.grants().into_iter().map(str::to_owned).collect(),
            });
            World { roles: built_in.chain(random).collect(), members, invitations: Vec::new() }
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let roles = || proptest::collection::btree_set(0..ROLES, 0..3);
    let member = || 0..MEMBERS;
    prop_oneof![
        (member(), member(), roles()).prop_map(|(actor, target, roles)| Action::ChangeRoles {
            actor,
            target,
            roles
        }),
        (member(), 0..ROLES, 0..Permission::ALL.len()).prop_map(|(actor, role, permission)| Action::Toggle {
            actor,
            role,
            permission
        }),
        (member(), 0..ROLES, scope()).prop_map(|(actor, role, scope)| Action::EditScope {
            actor,
            role,
            scope
        }),
        (member(), 0..ROLES, 0..ROLES).prop_map(|(actor, role, by)| Action::Replace { actor, role, by }),
        (member(), roles()).prop_map(|(actor, roles)| Action::Invite { actor, roles }),
        (0..8_usize).prop_map(|invitation| Action::Accept { invitation }),
        (member(), member()).prop_map(|(actor, target)| Action::Remove { actor, target }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ceiling_is_never_exceeded(mut world in world(), actions in proptest::collection::vec(action(), 1..60)) {
        for action in &actions {
            let before = world.clone();
            let Some(actor) = world.apply(action) else { continue };
            let ceiling = before.of(actor);
            if ceiling.is_owner() {
                continue;
            }
            for member in 0..world.members.len() {
                let now = world.of(member);
                let then = before.members.get(member).map(|_| before.of(member)).unwrap_or_default();
                // What is new to anybody was held by the one who acted.
                for gained in then.lacks(&now) {
                    let held = Scope::parse(&gained).is_ok_and(|scope| ceiling.allows(&scope));
                    prop_assert!(held, "{action:?} gave {gained} to {member}, which {actor} does not hold");
                }
                prop_assert!(then.is_owner() == now.is_owner(), "only an Owner makes or unmakes an Owner");
                // Nobody who holds what the actor does not hold loses anything of it.
                for lost in now.lacks(&then) {
                    let held = Scope::parse(&lost).is_ok_and(|scope| ceiling.allows(&scope));
                    prop_assert!(held, "{action:?} took {lost} from {member}, which {actor} does not hold");
                }
            }
        }
    }

    #[test]
    fn covering_is_an_order_that_keeps_the_catalogue_apart(a in scope(), b in scope(), c in scope()) {
        let [a, b, c] = [&a, &b, &c].map(|text| Scope::parse(text).expect("a scope"));
        prop_assert!(a.covers(&a));
        if a.covers(&b) && b.covers(&c) {
            prop_assert!(a.covers(&c), "{a} covers {b}, {b} covers {c}");
        }
        if a.covers(&b) && b.covers(&a) {
            prop_assert_eq!(&a, &b);
        }
        if let Some(permission) = b.permission() && a.covers(&b) {
            prop_assert_eq!(a.permission(), Some(permission), "{} reached {}", a, b);
        }
    }

    #[test]
    fn a_scope_holds_what_it_covers_and_a_union_what_its_parts_hold(a in scope(), b in scope(), asked in scope()) {
        let one = |text: &str| Holdings::of(false, [text]);
        let [pa, pb, asked] = [&a, &b, &asked].map(|text| Scope::parse(text).expect("a scope"));
        prop_assert_eq!(one(&a).allows(&asked), pa.covers(&asked), "{} and {}", a, asked);
        prop_assert_eq!(one(&a).contains(&one(&b)), pa.covers(&pb), "{} and {}", a, b);
        let both = Holdings::of(false, [a.as_str(), b.as_str()]);
        prop_assert_eq!(both.allows(&asked), one(&a).allows(&asked) || one(&b).allows(&asked));
        prop_assert_eq!(&both, &Holdings::union([&one(&a), &one(&b)]));
    }

    /// What the page of somebody's access says is what their holdings say.
    #[test]
    fn why_is_the_verdict_of_everything_held(
        roles in proptest::collection::vec((held(), any::<bool>()), 0..6),
        owner in any::<bool>(),
        asked in scope(),
    ) {
        let mut all = vec![(Holdings::of(true, []), owner)];
        all.extend(roles);
        let union = Holdings::union(all.iter().filter(|(_, is_held)| *is_held).map(|(role, _)| role));
        let each = || all.iter().enumerate().map(|(n, (role, is_held))| (n, role, *is_held));
        for permission in Permission::ALL {
            let why = why(each(), |role| role.has(*permission));
            prop_assert_eq!(why.is_held(), union.has(*permission));
            let (Why::By(named) | Why::Not(named)) = &why;
            prop_assert!(named.iter().all(|n| all[*n].0.has(*permission) && all[*n].1 == why.is_held()));
            prop_assert!(!named.is_empty(), "an Owner holds it at least");
        }
        let asked = Scope::parse(&asked).expect("a scope");
        prop_assert_eq!(why(each(), |role| role.allows(&asked)).is_held(), union.allows(&asked));
        prop_assert_eq!(union.basis(&asked).is_some(), union.allows(&asked));
    }

    /// What is beyond others is what they lack; who has both, has nothing beyond.
    #[test]
    fn what_a_change_gives_is_what_was_lacking(a in held(), b in held()) {
        let told: Vec<String> = b.beyond(&a).iter().map(|right| match right {
            Right::Permission(permission) => permission.scope().to_owned(),
            other => other.to_string(),
        }).collect();
        prop_assert_eq!(told, a.lacks(&b));
        prop_assert!(a.beyond(&Holdings::union([&a, &b])).is_empty());
        prop_assert!(b.beyond(&a).iter().all(|right| right.is_in(&b) && !right.is_in(&a)));
    }

    #[test]
    fn what_is_read_is_written_the_same(text in scope()) {
        let read = Scope::parse(&text).expect("a scope");
        prop_assert_eq!(read.to_string(), text.clone());
        prop_assert_eq!(Scope::parse(read.as_str()), Ok(read));
    }

    /// Whatever is typed: no panic, nothing but the language gets through, and what is offered in its
    /// place is a scope.
    #[test]
    fn anything_can_be_typed(text in typed()) {
        for read in [Scope::parse(&text), Scope::named(&text)] {
            match read {
                Ok(scope) => {
                    prop_assert_eq!(scope.as_str(), &text);
                    prop_assert!(text.len() <= 120 && (2..=3).contains(&text.split(':').count()));
                    prop_assert!(!text.contains(|c: char| c.is_whitespace() || c.is_uppercase()));
                }
                Err(ScopeError::Meant(meant)) => {
                    prop_assert!(meant != text && Scope::named(&meant).is_ok(), "{text:?}: {meant:?}");
                }
                Err(_) => {}
            }
        }
    }

    #[test]
    fn containment_is_an_order(a in held(), b in held(), c in held()) {
        prop_assert!(a.contains(&a));
        if a.contains(&b) && b.contains(&c) {
            prop_assert!(a.contains(&c));
        }
        prop_assert!(Holdings::union([&a, &b]).contains(&a));
        prop_assert!(!(a.may_manage(&b).is_ok() && b.may_manage(&a).is_ok()), "two who manage each other");
    }

    #[test]
    fn a_subset_never_allows_what_its_superset_refuses(a in held(), b in held(), asked in scope()) {
        let asked = Scope::parse(&asked).expect("a scope");
        if a.contains(&b) && b.allows(&asked) {
            prop_assert!(a.allows(&asked));
        }
    }
}

/// Holdings below an Owner.
fn held() -> impl Strategy<Value = Holdings> {
    proptest::collection::btree_set(scope(), 0..8)
        .prop_map(|grants| Holdings::of(false, grants.iter().map(String::as_str)))
}
