//! Common kinds of role, to start a new one from.

use super::catalogue::Permission;

/// A common kind of role, to start a new one from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its name in an address.
    pub key: &'static str,
    pub name: &'static str,
    /// What such a role is for.
    pub description: &'static str,
    pub permissions: &'static [Permission],
    /// Scopes of the customer's own applications.
    pub scopes: &'static [&'static str],
}

/// What everybody may see, to find their way around.
const SEES: &[Permission] = &[Permission::ReadMembers, Permission::ReadTeams];

impl Pattern {
    pub const ALL: [Self; 8] = [
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
            description: "Reads and writes everything, manages teams, and invites people.",
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
            description: "Reads everything and writes their own content.",
            permissions: SEES,
            scopes: &["read:*", "write:own"],
        },
        Self {
            key: "viewer",
            name: "Viewer",
            description: "Can read but not change anything.",
            permissions: SEES,
            scopes: &["read:*"],
        },
        Self {
            key: "support",
            name: "Support",
            description: "Helps customers: looks up users and sees what they see.",
            permissions: SEES,
            scopes: &["read:users", "impersonate:users"],
        },
        Self {
            key: "database-editor",
            name: "Database editor",
            description: "Creates and manages databases, and generates data. Can't manage access.",
            permissions: SEES,
            scopes: &["read:databases", "create:databases", "manage:databases", "generate:data"],
        },
        Self {
            key: "database-viewer",
            name: "Database viewer",
            description: "Views databases and generates data, but can't change how a database is set up.",
            permissions: SEES,
            scopes: &["read:databases", "generate:data"],
        },
    ];

    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use crate::policy::Scope;

    #[test]
    fn patterns_are_found_and_named_the_usual_way() {
        for pattern in Pattern::ALL {
            assert_eq!(Pattern::by_key(pattern.key), Some(pattern));
            for scope in pattern.scopes {
                assert!(Scope::named(scope).is_ok_and(|scope| scope.permission().is_none()));
            }
        }
    }
}
