//! A form that a member may see on a page, or not.

use crate::{
    support::product::{Holdings, Permission},
    world::{Facts, MemberFact},
};
use std::collections::BTreeMap;

/// A member, and one form that they might be offered: it is about what the ids name.
pub struct Offer<'a> {
    pub facts: &'a Facts,
    pub me: &'a MemberFact,
    pub ids: BTreeMap<&'static str, String>,
}

impl Offer<'_> {
    pub fn my(&self) -> &Holdings {
        &self.me.holdings
    }

    pub fn has(&self, permission: Permission) -> bool {
        self.my().has(permission)
    }

    /// The value of this parameter in the path.
    pub fn id(&self, param: &str) -> &str {
        &self.ids[param]
    }

    /// The member of the path.
    pub fn member(&self) -> &MemberFact {
        self.facts.member_by_id(self.id("member"))
    }

    pub fn is_last_owner(&self, member: &MemberFact) -> bool {
        let owners = self.facts.members.iter().filter(|member| member.is_counted_owner());
        member.is_counted_owner() && owners.count() == 1
    }

    /// The viewer may assign at least one role.
    pub fn may_assign_some(&self) -> bool {
        self.facts.roles.values().any(|role| self.my().may_assign(role).is_ok())
    }

    /// The viewer may invite with at least one role.
    pub fn may_invite_with_some(&self) -> bool {
        self.facts.roles.values().any(|role| self.my().may_invite([role]).is_ok())
    }
}
