//! Until when a member has access, and each of their roles, as pages show it.

use crate::{
    clock::Timestamp,
    domain::{base::role::Role, nouns::members::Member},
    web::when::When,
};

/// What the form carries where there is no end.
pub(super) const NO_END: &str = "none";

/// Until when something lasts, as pages show it.
pub(super) struct End {
    pub when: Option<When>,
    /// As the form carries it, so that it changes what was shown.
    pub seen: String,
}

impl End {
    fn of(at: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            when: at.map(|at| When::new(at, now)),
            seen: at.map_or_else(|| NO_END.to_owned(), |at| at.to_string()),
        }
    }
}

/// A role that a member was given.
pub(super) struct GivenRole {
    pub slug: String,
    pub name: String,
    /// "by hand"
    pub source: &'static str,
    pub end: End,
}

/// What of a member's access has an end, or could have one.
pub(super) struct Ends {
    pub membership: End,
    pub roles: Vec<GivenRole>,
}

impl Ends {
    pub(super) fn of(member: &Member, now: Timestamp) -> Self {
        let given = |role: &Role| {
            let own = member.grants.iter().find(|own| own.slug == role.slug)?;
            Some(GivenRole {
                slug: role.slug.clone(),
                name: role.name.clone(),
                source: own.source().label(),
                end: End::of(own.ends_at, now),
            })
        };
        Self {
            membership: End::of(member.access_until, now),
            roles: member.roles.iter().filter_map(given).collect(),
        }
    }

    pub(super) fn has_any(&self) -> bool {
        self.membership.when.is_some() || self.roles.iter().any(|role| role.end.when.is_some())
    }
}
