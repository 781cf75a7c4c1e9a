//! The scopes that some roles grant, indexed: what each role grants and what follows from it is looked up, not
//! searched.

use super::{catalogue::Permission, scope::Scope};
use std::collections::HashMap;

/// Some of the roles of an index, one bit for each.
pub(super) type RoleBits = u128;

/// The most roles in one index.
pub(super) const MAX_ROLES: usize = RoleBits::BITS as usize;

/// The application scopes that some roles grant, each once, in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Grants {
    scopes: Vec<Scope>,
    places: HashMap<Scope, usize>,
    /// By the place of the scope.
    granted: Vec<GrantedBy>,
    /// The places of the scopes of each role.
    by_role: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct GrantedBy {
    /// The roles that grant this very scope.
    exactly: RoleBits,
    /// The roles that grant a scope which covers it.
    covered: RoleBits,
    /// The permission of which it is a field.
    permission: Option<Permission>,
}

impl GrantedBy {
    fn is_within(&self, held: RoleBits, has: impl Fn(Permission) -> bool) -> bool {
        self.covered & held != 0 || self.permission.is_some_and(has)
    }
}

impl Grants {
    /// The index of roles with these scopes, at most [`MAX_ROLES`].
    pub(super) fn of(roles: impl IntoIterator<Item = Vec<Scope>>) -> Self {
        let mut index = Self::default();
        for (number, scopes) in roles.into_iter().take(MAX_ROLES).enumerate() {
            let mut places = Vec::with_capacity(scopes.len());
            for scope in scopes {
                let place = index.insert(scope);
                let exactly = &mut index.granted[place].exactly;
                if *exactly & bit(number) == 0 {
                    *exactly |= bit(number);
                    places.push(place);
                }
            }
            index.by_role.push(places);
        }
        for place in 0..index.scopes.len() {
            let covered = match index.by_role.len() {
                1 => bit(0),
                _ => index.allowing(&index.scopes[place]),
            };
            index.granted[place].covered = covered;
        }
        index
    }

    fn insert(&mut self, scope: Scope) -> usize {
        if let Some(place) = self.places.get(&scope) {
            return *place;
        }
        let place = self.scopes.len();
        self.granted.push(GrantedBy { permission: scope.permission(), ..GrantedBy::default() });
        self.places.insert(scope.clone(), place);
        self.scopes.push(scope);
        place
    }

    /// The roles that grant a scope which covers this one. A dozen look-ups at most, however many scopes there
    /// are.
    pub(super) fn allowing(&self, scope: &Scope) -> RoleBits {
        self.covering(scope).fold(0, |roles, place| roles | self.granted[place].exactly)
    }

    /// The scope by which one of these roles allows it, the first in order.
    pub(super) fn basis(&self, scope: &Scope, roles: RoleBits) -> Option<&Scope> {
        let places = self.covering(scope).filter(|place| self.granted[*place].exactly & roles != 0);
        places.min().map(|place| &self.scopes[place])
    }

    /// The places of the scopes that cover this one.
    fn covering<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = usize> + 'a {
        let of_catalogue = scope.permission().is_some();
        scope.generalisations().filter_map(move |wider| {
            let place = *self.places.get(wider.as_str())?;
            // What is in the catalogue is granted by its own name alone.
            (!of_catalogue || self.scopes[place].covers(scope)).then_some(place)
        })
    }

    /// The scopes that these roles grant, in order.
    pub(super) fn scopes(&self, roles: RoleBits) -> impl Iterator<Item = &Scope> {
        self.places(roles).map(move |place| &self.scopes[place])
    }

    /// The scopes of `roles` that none of `held` covers; those of the catalogue excepted that `has` allows.
    pub(super) fn beyond<'a>(
        &'a self,
        roles: RoleBits,
        held: RoleBits,
        has: impl Fn(Permission) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Scope> {
        // What is granted by a role that is held is no question.
        let open = roles & !held;
        let places = self.places(open).filter(move |place| !self.granted[*place].is_within(held, &has));
        places.map(move |place| &self.scopes[place])
    }

    /// The scopes of `roles` that one of `held` covers, and those of the catalogue that `has` allows.
    pub(super) fn within<'a>(
        &'a self,
        roles: RoleBits,
        held: RoleBits,
        has: impl Fn(Permission) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Scope> {
        let places = self.places(roles).filter(move |place| self.granted[*place].is_within(held, &has));
        places.map(move |place| &self.scopes[place])
    }

    fn places(&self, roles: RoleBits) -> Box<dyn Iterator<Item = usize> + '_> {
        match roles.count_ones() {
            0 => Box::new(std::iter::empty()),
            1 => Box::new(self.by_role.get(roles.trailing_zeros() as usize).into_iter().flatten().copied()),
            _ => Box::new(
                (0..self.scopes.len()).filter(move |place| self.granted[*place].exactly & roles != 0),
            ),
        }
    }
}

/// The bit of a role, by its number in the index.
pub(super) const fn bit(number: usize) -> RoleBits {
    1 << number
}
