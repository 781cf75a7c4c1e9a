//! The roles that every workspace starts with.

/// A role that is created with the workspace.
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
                "Full access. Only an Owner can assign or remove this role, and there is always at least one."
            }
            Self::Admin => "Manages the workspace day to day: people, invitations, keys and billing.",
            Self::Developer => "Works with keys, client apps and destinations, and invites colleagues.",
            Self::Billing => "Views and pays bills. No technical access.",
            Self::Editor => "Creates and edits content. Can't manage access.",
            Self::Viewer => "Can view but not change anything.",
            Self::Support => "Helps customers: looks up users and sees what they see.",
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
}
