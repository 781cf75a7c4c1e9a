//! The roles that every workspace starts with.

use super::Permission;

/// A role that is made with the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltIn {
    Owner,
    Admin,
    Developer,
    Billing,
    Editor,
    Viewer,
    Support,
}

impl BuiltIn {
    pub const ALL: [Self; 7] =
        [Self::Owner, Self::Admin, Self::Developer, Self::Billing, Self::Editor, Self::Viewer, Self::Support];

    pub const fn slug(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Billing => "billing",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
            Self::Support => "support",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Developer => "Developer",
            Self::Billing => "Billing",
            Self::Editor => "Editor",
            Self::Viewer => "Viewer",
            Self::Support => "Support",
        }
    }

    pub const fn description(self) -> &'static str {
        match self {
            Self::Owner => {
                "Holds everything. Only an Owner gives or takes this role, and one always remains."
            }
            Self::Admin => "Runs the workspace day to day: people, invitations, keys and money.",
            Self::Developer => "Works with keys, client apps and destinations, and invites colleagues.",
            Self::Billing => "Sees and pays the bills. No technical access.",
            Self::Editor => "Creates and edits content. Does not manage access.",
            Self::Viewer => "Looks, and changes nothing.",
            Self::Support => "Helps customers: looks users up and sees what they see.",
        }
    }

    /// The scopes of the customer's own applications that the role starts with. Owner needs none:
    /// it holds everything by rule.
    pub const fn application_scopes(self) -> &'static [&'static str] {
        match self {
            Self::Owner | Self::Billing => &[],
            Self::Admin => &["*:*"],
            Self::Developer => &["read:*", "write:code", "deploy:staging"],
            Self::Editor => &["read:*", "write:*"],
            Self::Viewer => &["read:*"],
            Self::Support => &["read:users", "impersonate:users"],
        }
    }

    /// Everything that the role is granted in a new workspace.
    pub fn grants(self) -> Vec<&'static str> {
        let catalogue = Permission::ALL
            .iter()
            .filter(|permission| permission.defaults().contains(&self))
            .map(|permission| permission.scope());
        catalogue.chain(self.application_scopes().iter().copied()).collect()
    }
}

/// A common kind of role, to start a new one from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What stands for it in an address.
    pub key: &'static str,
    pub name: &'static str,
    /// What such a role is for.
    pub description: &'static str,
    pub permissions: &'static [Permission],
    /// Scopes of the customer's own applications.
    pub scopes: &'static [&'static str],
}

/// What everybody may see who is to find their way.
const SEES: &[Permission] = &[Permission::ReadMembers, Permission::ReadTeams];

impl Pattern {
    pub const ALL: [Self; 6] = [
        Self {
            key: "administrator",
            name: "Administrator",
            description: "Full access to your applications, and to people and invitations here.",
            permissions: &[
                Permission::ReadMembers,
                Permission::ReadTeams,
                Permission::CreateTeams,
                Permission::UpdateTeams,
                Permission::InviteMembers,
                Permission::CancelInvitations,
                Permission::UpdateMemberRoles,
                Permission::SuspendMembers,
                Permission::RemoveMembers,
                Permission::ReadAudit,
            ],
            scopes: &["*:*"],
        },
        Self {
            key: "manager",
            name: "Manager",
            description: "Reads and writes everything, leads teams, and invites people.",
            permissions: &[
                Permission::ReadMembers,
                Permission::ReadTeams,
                Permission::CreateTeams,
                Permission::UpdateTeams,
                Permission::InviteMembers,
            ],
            scopes: &["read:*", "write:*", "admin:users"],
        },
        Self {
            key: "editor",
            name: "Editor",
            description: "Creates and edits content.",
            permissions: SEES,
            scopes: &["read:*", "write:*"],
        },
        Self {
            key: "author",
            name: "Author",
            description: "Reads everything. What counts as one's own for write:own, your application decides.",
            permissions: SEES,
            scopes: &["read:*", "write:own"],
        },
        Self {
            key: "viewer",
            name: "Viewer",
            description: "Reads, and changes nothing.",
            permissions: SEES,
            scopes: &["read:*"],
        },
        Self {
            key: "support",
            name: "Support",
            description: "Helps customers: looks users up and sees what they see.",
            permissions: SEES,
            scopes: &["read:users", "impersonate:users"],
        },
    ];

    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Holdings;

    #[test]
    fn patterns_are_found_and_named_the_usual_way() {
        for pattern in Pattern::ALL {
            assert_eq!(Pattern::by_key(pattern.key), Some(pattern));
            for scope in pattern.scopes {
                assert!(crate::policy::Scope::named(scope).is_ok_and(|scope| scope.permission().is_none()));
            }
        }
    }

    #[test]
    fn admin_can_hand_out_every_role_but_owner() {
        let holdings = |role: BuiltIn| Holdings::of(role == BuiltIn::Owner, role.grants());
        for role in BuiltIn::ALL {
            let verdict = holdings(BuiltIn::Admin).may_assign(&holdings(role));
            assert_eq!(verdict.is_ok(), role != BuiltIn::Owner, "{role:?}");
        }
    }
}
