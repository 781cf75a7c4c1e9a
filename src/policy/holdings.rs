//! What a principal holds, what it may hand on, and on whom it may act.

use super::{
    catalogue::{Needs, Permission},
    grants::{self, Grants, RoleBits},
    right::Right,
    scope::Scope,
};
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

/// The union of the scopes of some roles.
///
/// Holdings of the roles of one workspace share an index, and are a few bits each: to put them together and to
/// compare them takes no search, however many scopes they have. Clones share it too.
#[derive(Clone, Debug)]
pub struct Holdings {
    pub(super) owner: bool,
    /// One bit a [`Permission`], by its place in the catalogue.
    pub(super) permissions: u64,
    pub(super) grants: Arc<Grants>,
    /// Those roles of the index that are held.
    pub(super) roles: RoleBits,
}

impl Default for Holdings {
    fn default() -> Self {
        static NOTHING: LazyLock<Arc<Grants>> = LazyLock::new(Arc::default);
        Self { owner: false, permissions: 0, grants: NOTHING.clone(), roles: 0 }
    }
}

impl PartialEq for Holdings {
    fn eq(&self, other: &Self) -> bool {
        let scopes = |held: &Self| held.application_scopes().cloned().collect::<HashSet<_>>();
        self.owner == other.owner
            && self.permissions == other.permissions
            && ((self.is_of_one_index(other) && self.roles == other.roles) || scopes(self) == scopes(other))
    }
}

impl Eq for Holdings {}

/// Why the ceiling refuses: nobody grants what they do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ceiling {
    /// Only an Owner may assign, revoke or edit the Owner role.
    #[error("Only an Owner can assign, remove or manage the Owner role.")]
    OwnerOnly,
    /// The role holds these scopes, and the actor does not.
    #[error("You can't grant access you don't have yourself: {}.", in_words(.0))]
    Lacks(Vec<String>),
    /// The member holds as much as the actor, or more.
    #[error("You can only manage someone with less access than you.")]
    NotBelow,
}

/// The first of the given scopes, those of the catalogue by their labels, and how many more there are.
fn in_words(scopes: &[String]) -> String {
    const SHOWN: usize = 3;
    let label = |scope: &String| Permission::of_scope(scope).map_or(scope.clone(), |p| p.label().to_owned());
    let shown: Vec<String> = scopes.iter().take(SHOWN).map(label).collect();
    match scopes.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Holdings {
    /// Reads grants as they are stored. A text that is no scope grants nothing.
    pub fn of<'a>(owner: bool, grants: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of_roles([(owner, grants)]).pop().unwrap_or_default()
    }

    /// [`Holdings::of`] for each of the roles of a workspace, with one index for all of them.
    pub fn of_roles<'a, G: IntoIterator<Item = &'a str>>(
        roles: impl IntoIterator<Item = (bool, G)>,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut granted = Vec::new();
        for (owner, grants) in roles {
            let (mut permissions, mut scopes) = (0, Vec::new());
            for grant in grants {
                match (Permission::of_scope(grant), Scope::parse(grant)) {
                    (Some(permission), _) => permissions |= bit(permission),
                    (None, Ok(scope)) => scopes.push(scope),
                    (None, Err(_)) => {}
                }
            }
            granted.push(scopes);
            all.push(Self { owner, permissions, ..Self::default() });
        }
        // A workspace has fewer roles than an index takes. If it had more, each of them would get its own.
        if granted.len() > grants::MAX_ROLES {
            for (held, scopes) in all.iter_mut().zip(granted) {
                (held.grants, held.roles) = (Arc::new(Grants::of([scopes])), grants::bit(0));
            }
            return all;
        }
        let index = Arc::new(Grants::of(granted));
        for (number, held) in all.iter_mut().enumerate() {
            (held.grants, held.roles) = (index.clone(), grants::bit(number));
        }
        all
    }

    /// The holdings of a principal that has all of the given ones.
    pub fn union<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut union = Self::default();
        // What belongs to one index is put together there.
        let mut parts: Vec<Self> = Vec::new();
        for held in all {
            union.owner |= held.owner;
            union.permissions |= held.permissions;
            match parts.iter_mut().find(|part| part.is_of_one_index(held)) {
                Some(part) => part.roles |= held.roles,
                None => parts.push(held.clone()),
            }
        }
        match parts.as_slice() {
            [] => {}
            [part] => (union.grants, union.roles) = (part.grants.clone(), part.roles),
            _ => {
                let scopes = parts.iter().flat_map(Self::application_scopes).cloned().collect();
                (union.grants, union.roles) = (Arc::new(Grants::of([scopes])), grants::bit(0));
            }
        }
        union
    }

    fn is_of_one_index(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.grants, &other.grants)
    }

    /// The scopes of the customer's own applications that were granted, each once.
    pub fn application_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.grants.scopes(self.roles)
    }

    /// The scopes of the customer's own applications that are held here and that `other` does not allow. An
    /// Owner's rule is not asked.
    fn application_scopes_beyond<'a>(&'a self, other: &'a Self) -> Box<dyn Iterator<Item = &'a Scope> + 'a> {
        if self.is_of_one_index(other) {
            return Box::new(self.grants.beyond(self.roles, other.roles, |permission| other.has(permission)));
        }
        Box::new(self.application_scopes().filter(|scope| !other.allows(scope)))
    }

    /// The scopes of the customer's own applications that are held here and that `other` allows. An Owner's rule is
    /// not asked.
    pub(super) fn application_scopes_within<'a>(
        &'a self,
        other: &'a Self,
    ) -> Box<dyn Iterator<Item = &'a Scope> + 'a> {
        if self.is_of_one_index(other) {
            return Box::new(self.grants.within(self.roles, other.roles, |permission| other.has(permission)));
        }
        Box::new(self.application_scopes().filter(|scope| other.allows(scope)))
    }

    pub fn is_owner(&self) -> bool {
        self.owner
    }

    /// Every scope that is held, those of the catalogue first; an Owner's as `*:*` and all of the catalogue.
    pub fn scopes(&self) -> Vec<String> {
        let permissions = Permission::ALL.iter().filter(|p| self.has(**p)).map(|p| p.scope().to_owned());
        let everything = (self.owner && !self.application_scopes().any(|scope| scope.as_str() == "*:*"))
            .then(|| "*:*".to_owned());
        permissions.chain(everything).chain(self.application_scopes().map(Scope::to_string)).collect()
    }

    pub fn has(&self, permission: Permission) -> bool {
        self.owner || self.permissions & bit(permission) != 0
    }

    /// True if the requirement of a route is met: the last step of admission.
    pub fn meets(&self, needs: Needs) -> bool {
        match needs {
            Needs::Membership => true,
            Needs::One(permission) => self.has(permission),
            Needs::AnyOf(permissions) => permissions.iter().any(|p| self.has(*p)),
        }
    }

    /// True if this one scope is held, whether of the catalogue or of an application.
    pub fn allows(&self, scope: &Scope) -> bool {
        match scope.permission() {
            _ if self.owner => true,
            // A permission covers what lies below it.
            Some(permission) if self.has(permission) => true,
            _ => self.grants.allowing(scope) & self.roles != 0,
        }
    }

    /// Those of the given holdings that allow this scope. Of roles of one workspace it is looked up once.
    pub fn all_that_allow<'a, T>(
        scope: &Scope,
        all: impl IntoIterator<Item = (T, &'a Self)>,
    ) -> impl Iterator<Item = T> {
        let permission = scope.permission();
        let mut known: Option<(&'a Arc<Grants>, RoleBits)> = None;
        all.into_iter().filter_map(move |(of, held)| {
            let allowing = match known {
                Some((grants, allowing)) if Arc::ptr_eq(grants, &held.grants) => allowing,
                _ => {
                    let allowing = held.grants.allowing(scope);
                    known = Some((&held.grants, allowing));
                    allowing
                }
            };
            let allows = held.owner
                || permission.is_some_and(|permission| held.has(permission))
                || allowing & held.roles != 0;
            allows.then_some(of)
        })
    }

    /// The grant by which [`Holdings::allows`] is true, as text.
    pub fn basis(&self, scope: &Scope) -> Option<String> {
        match scope.permission() {
            _ if self.owner => Some("full access".to_owned()),
            Some(permission) if self.has(permission) => Some(permission.scope().to_owned()),
            _ => self.grants.basis(scope, self.roles).map(Scope::to_string),
        }
    }

    /// What is held here and not there. Beside the rule for Owners, a single scope says nothing.
    pub fn beyond(&self, other: &Self) -> Vec<Right> {
        let permissions = Permission::ALL.iter().filter(|p| self.has(**p) && !other.has(**p));
        let mut rights: Vec<Right> = permissions.copied().map(Right::Permission).collect();
        if self.owner && !other.owner {
            rights.push(Right::EveryScope);
        } else if !other.owner {
            let scopes = self.application_scopes_beyond(other);
            rights.extend(scopes.map(|scope| Right::Scope(scope.to_string())));
        }
        rights
    }

    /// The scopes of `other` that are not held here.
    pub fn lacks(&self, other: &Self) -> Vec<String> {
        if self.owner {
            return Vec::new();
        }
        let permissions = Permission::ALL
            .iter()
            .filter(|p| other.permissions & bit(**p) != 0 && !self.has(**p))
            .map(|p| p.scope().to_owned());
        let scopes = other.application_scopes_beyond(self).map(Scope::to_string);
        permissions.chain(scopes).collect()
    }

    /// True if everything that `other` holds is held here too.
    pub fn contains(&self, other: &Self) -> bool {
        self.owner
            || (!other.owner
                && other.permissions & !self.permissions == 0
                && other.application_scopes_beyond(self).next().is_none())
    }

    /// Checks that a role with the given holdings may be assigned, offered, created or edited.
    ///
    /// # Errors
    /// [`Ceiling::OwnerOnly`] for the Owner role, [`Ceiling::Lacks`] with what is missing.
    pub fn may_assign(&self, role: &Self) -> Result<(), Ceiling> {
        if self.owner {
            return Ok(());
        }
        if role.owner {
            return Err(Ceiling::OwnerOnly);
        }
        let lacking = self.lacks(role);
        if lacking.is_empty() { Ok(()) } else { Err(Ceiling::Lacks(lacking)) }
    }

    /// Checks that a member with the given holdings may be changed, suspended or removed.
    ///
    /// # Errors
    /// [`Ceiling::OwnerOnly`] where the member is an Owner, [`Ceiling::NotBelow`] where the member
    /// does not hold strictly less.
    pub fn may_manage(&self, member: &Self) -> Result<(), Ceiling> {
        if self.owner {
            return Ok(());
        }
        if member.owner {
            return Err(Ceiling::OwnerOnly);
        }
        if self.contains(member) && !member.contains(self) { Ok(()) } else { Err(Ceiling::NotBelow) }
    }
}

impl Holdings {
    /// Checks that the roles of a member who holds `present` may be replaced by the given ones.
    ///
    /// # Errors
    /// As [`Holdings::may_manage`] for the present, [`Holdings::may_assign`] for each role.
    pub fn may_change_roles<'a>(
        &self,
        present: &Self,
        requested: impl IntoIterator<Item = &'a Self>,
    ) -> Result<(), Ceiling> {
        self.may_manage(present)?;
        requested.into_iter().try_for_each(|role| self.may_assign(role))
    }

    /// Checks that roles may be assigned to, or revoked from, all of the given people at once: a team's roles
    /// are changed only by someone who may do the same to each person in it.
    ///
    /// # Errors
    /// As [`Holdings::may_manage`] for each of the people, [`Holdings::may_assign`] for each role.
    pub fn may_change_roles_of_all<'a>(
        &self,
        people: impl IntoIterator<Item = Self>,
        roles: impl IntoIterator<Item = &'a Self>,
    ) -> Result<(), Ceiling> {
        people.into_iter().try_for_each(|present| self.may_manage(&present))?;
        roles.into_iter().try_for_each(|role| self.may_assign(role))
    }

    /// Checks that this scope may be added to the role, or removed from it. A role is edited only by someone
    /// who holds everything in it, before and after.
    ///
    /// # Errors
    /// As [`Holdings::may_assign`].
    pub fn may_grant(&self, role: &Self, scope: &str) -> Result<(), Ceiling> {
        self.may_assign(role)?;
        self.may_assign(&Self::of(false, [scope]))
    }

    /// [`Holdings::may_grant`] for a permission.
    ///
    /// # Errors
    /// As [`Holdings::may_assign`].
    pub fn may_toggle(&self, role: &Self, permission: Permission) -> Result<(), Ceiling> {
        self.may_grant(role, permission.scope())
    }

    /// Checks that the given roles may be offered in an invitation, or that an offer of them is still valid.
    ///
    /// # Errors
    /// As [`Holdings::may_assign`]; without [`Permission::InviteMembers`], [`Ceiling::Lacks`] it.
    pub fn may_invite<'a>(&self, roles: impl IntoIterator<Item = &'a Self>) -> Result<(), Ceiling> {
        if !self.has(Permission::InviteMembers) {
            return Err(Ceiling::Lacks(vec![Permission::InviteMembers.scope().to_owned()]));
        }
        roles.into_iter().try_for_each(|role| self.may_assign(role))
    }
}

impl Right {
    /// True if these holdings include it.
    pub fn is_in(&self, holdings: &Holdings) -> bool {
        match self {
            Self::Permission(permission) => holdings.has(*permission),
            Self::Scope(scope) => Scope::parse(scope).is_ok_and(|scope| holdings.allows(&scope)),
            Self::EveryScope => holdings.is_owner(),
        }
    }
}

const fn bit(permission: Permission) -> u64 {
    1 << permission as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::BuiltIn;

    fn role(role: BuiltIn) -> Holdings {
        Holdings::of(role == BuiltIn::Owner, role.grants())
    }

    #[test]
    fn the_owner_holds_what_nobody_granted() {
        let owner = role(BuiltIn::Owner);
        assert!(Permission::ALL.iter().all(|p| owner.has(*p)));
        assert!(owner.allows(&Scope::parse("launch:rockets").expect("a scope")));
    }

    #[test]
    fn admins_manage_those_below_and_neither_each_other_nor_owners() {
        let admin = role(BuiltIn::Admin);
        for below in
            [BuiltIn::Developer, BuiltIn::Billing, BuiltIn::Editor, BuiltIn::Viewer, BuiltIn::Support]
        {
            assert_eq!(admin.may_manage(&role(below)), Ok(()));
        }
        assert_eq!(admin.may_manage(&admin), Err(Ceiling::NotBelow));
        assert_eq!(admin.may_manage(&role(BuiltIn::Owner)), Err(Ceiling::OwnerOnly));
        assert_eq!(role(BuiltIn::Owner).may_manage(&role(BuiltIn::Owner)), Ok(()));
    }

    #[test]
    fn what_a_team_gives_is_changed_by_who_could_change_it_for_each_of_its_people() {
        let (admin, viewer, support) = (role(BuiltIn::Admin), role(BuiltIn::Viewer), role(BuiltIn::Support));
        let may =
            |people: &[&Holdings]| admin.may_change_roles_of_all(people.iter().copied().cloned(), [&support]);
        assert_eq!(may(&[]), Ok(()));
        assert_eq!(may(&[&viewer, &support]), Ok(()));
        assert_eq!(may(&[&viewer, &admin]), Err(Ceiling::NotBelow));
        assert_eq!(may(&[&role(BuiltIn::Owner), &viewer]), Err(Ceiling::OwnerOnly));
        let above = viewer.may_change_roles_of_all([], [&support]);
        assert!(matches!(above, Err(Ceiling::Lacks(_))));
    }

    #[test]
    fn what_is_lacking_is_told_in_words_and_in_short() {
        let lacks =
            |scopes: &[&str]| Ceiling::Lacks(scopes.iter().map(|s| (*s).to_owned()).collect()).to_string();
        assert!(lacks(&["read:audit", "write:*"]).ends_with(": View activity, write:*."));
        let many = ["read:audit", "export:data", "read:billing", "read:teams", "write:*"];
        assert!(lacks(&many).ends_with(": View activity, Export data, View billing and 2 more."));
    }

    #[test]
    fn admin_can_hand_out_every_role_but_owner() {
        for built_in in BuiltIn::ALL {
            let verdict = role(BuiltIn::Admin).may_assign(&role(built_in));
            assert_eq!(verdict.is_ok(), built_in != BuiltIn::Owner, "{built_in:?}");
        }
    }

    /// The rules are the same with one index for all roles as with one for each, and as without any.
    #[test]
    fn an_index_changes_no_verdict() {
        let grants: [&[&str]; 7] = [
            &["read:posts", "read:users:email", "read:audit"],
            &["read:*", "write:posts"],
            &["*:*"],
            &["*:users:email", "deploy:*", "read:audit:ip", "read:members"],
            &["read:audit:*", "export:data"],
            &[],
            &["read:users", "write:*:title", "*:posts"],
        ];
        let samples = [
            "read:posts",
            "read:users",
            "read:users:email",
            "read:users:name",
            "write:posts",
            "write:posts:title",
            "deploy:eu",
            "*:posts",
            "read:*",
            "*:*",
            "read:audit",
            "read:audit:ip",
            "read:members:name",
        ];
        let together = Holdings::of_roles(grants.iter().map(|g| (false, g.iter().copied())));
        let apart: Vec<_> = grants.iter().map(|g| Holdings::of(false, g.iter().copied())).collect();
        let subsets = || (0..1_usize << grants.len()).step_by(3);
        let union = |all: &[Holdings], some: usize| {
            Holdings::union(all.iter().enumerate().filter(|(n, _)| some >> n & 1 == 1).map(|(_, held)| held))
        };
        for some in subsets() {
            let (one, other) = (union(&together, some), union(&apart, some));
            assert_eq!(one, other);
            let texts: Vec<&str> =
                (0..grants.len()).filter(|n| some >> n & 1 == 1).flat_map(|n| grants[n]).copied().collect();
            for text in samples {
                let scope = Scope::parse(text).expect("a scope");
                let covers = |grant: &&str| Scope::parse(grant).is_ok_and(|grant| grant.covers(&scope));
                let expected = texts.iter().any(covers);
                assert_eq!(
                    (one.allows(&scope), other.allows(&scope)),
                    (expected, expected),
                    "{texts:?} {text}"
                );
                assert_eq!(one.basis(&scope).is_some(), expected, "{texts:?} {text}");
                let allowing: Vec<_> =
                    Holdings::all_that_allow(&scope, together.iter().enumerate()).collect();
                let by_one: Vec<_> = (0..grants.len()).filter(|n| apart[*n].allows(&scope)).collect();
                assert_eq!(allowing, by_one);
            }
            for others in subsets() {
                let (a, b) = (union(&together, others), union(&apart, others));
                assert_eq!(one.contains(&a), other.contains(&b), "{some:b} {others:b}");
                let sorted = |mut all: Vec<String>| {
                    all.sort();
                    all
                };
                assert_eq!(sorted(one.lacks(&a)), sorted(other.lacks(&b)));
                assert_eq!(one.contains(&a), one.lacks(&a).is_empty());
            }
        }
    }

    #[test]
    fn a_developer_invites_viewers_and_no_one_above() {
        let developer = role(BuiltIn::Developer);
        assert_eq!(developer.may_assign(&role(BuiltIn::Viewer)), Ok(()));
        assert_eq!(developer.may_assign(&role(BuiltIn::Editor)), Err(Ceiling::Lacks(vec!["write:*".into()])));
        assert_eq!(developer.may_assign(&role(BuiltIn::Owner)), Err(Ceiling::OwnerOnly));
        assert!(developer.may_assign(&role(BuiltIn::Admin)).is_err());
    }
}
