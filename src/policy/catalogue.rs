//! The scopes that guard Bailiwick itself: one row each on the Security page.

use super::builtin::BuiltIn;

/// A group of rows on the Security page, in the page's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    OrganizationAndTeams,
    AccessAndSecurity,
    BillingAndCredits,
    MembersAndRoles,
    KeysAndIntegrations,
    ActivityAndSupport,
}

impl Group {
    pub const ALL: [Self; 6] = [
        Self::OrganizationAndTeams,
        Self::AccessAndSecurity,
        Self::BillingAndCredits,
        Self::MembersAndRoles,
        Self::KeysAndIntegrations,
        Self::ActivityAndSupport,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::OrganizationAndTeams => "Organization & Teams",
            Self::AccessAndSecurity => "Access & Security",
            Self::BillingAndCredits => "Billing & Credits",
            Self::MembersAndRoles => "Members & Roles",
            Self::KeysAndIntegrations => "Keys & Integrations",
            Self::ActivityAndSupport => "Activity & Support",
        }
    }

    /// One sentence under the group's heading.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::OrganizationAndTeams => "The workspace itself: who can view, change and delete it.",
            Self::AccessAndSecurity => "Invitations, permissions, connected tools and exports.",
            Self::BillingAndCredits => "Plans, payments and credits.",
            Self::MembersAndRoles => "Managing members and their roles.",
            Self::KeysAndIntegrations => "API keys, client apps and destinations.",
            Self::ActivityAndSupport => "The activity log and support.",
        }
    }

    /// The group's permissions, in the page's order.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| p.group() == self)
    }
}

/// What a route requires of the principal, beside an active membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Any active member.
    Membership,
    One(Permission),
    /// Any one of these is enough.
    AnyOf(&'static [Permission]),
}

impl Needs {
    /// The permissions that would open the route; empty where membership is enough.
    pub fn permissions(self) -> Vec<Permission> {
        match self {
            Self::Membership => Vec::new(),
            Self::One(permission) => vec![permission],
            Self::AnyOf(permissions) => permissions.to_vec(),
        }
    }
}

/// A [`Needs`] as a type, so that a scope handle carries in its type what was checked.
pub trait Access: Copy + Send + Sync + 'static {
    const NEEDS: Needs;
}

macro_rules! permissions {
    ($( $group:ident { $( $name:ident $field:ident $scope:literal $label:literal [$($default:ident)*] $feature:ident $sentence:literal; )+ } )+) => {
        /// A scope that guards Bailiwick itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission { $($( $name, )+)+ }

        impl Permission {
            pub const ALL: &'static [Self] = &[$($( Self::$name, )+)+];

            /// The scope, as a grant contains it.
            pub const fn scope(self) -> &'static str {
                match self { $($( Self::$name => $scope, )+)+ }
            }
            pub const fn label(self) -> &'static str {
                match self { $($( Self::$name => $label, )+)+ }
            }
            /// One sentence that says what the holder can do.
            pub const fn sentence(self) -> &'static str {
                match self { $($( Self::$name => $sentence, )+)+ }
            }
            pub const fn group(self) -> Group {
                match self { $($( Self::$name => Group::$group, )+)+ }
            }
            /// The roles that hold it in a new workspace, beside Owner.
            pub const fn defaults(self) -> &'static [BuiltIn] {
                match self { $($( Self::$name => &[$(BuiltIn::$default),*], )+)+ }
            }
            /// False while the feature that it guards is not built yet.
            pub const fn is_built(self) -> bool {
                match self { $($( Self::$name => permissions!(@$feature), )+)+ }
            }
            /// The permission that this exact scope names, if it is one.
            pub fn of_scope(scope: &str) -> Option<Self> {
                match scope { $($( $scope => Some(Self::$name), )+)+ _ => None }
            }
        }

        /// One type a permission: what [`Access`] a handle was admitted with.
        pub mod perm {
            use super::{Access, Needs, Permission};
            $($(
                #[derive(Clone, Copy, Debug)]
                pub struct $name;
                impl Access for $name { const NEEDS: Needs = Needs::One(Permission::$name); }
            )+)+

            /// Any active member may.
            #[derive(Clone, Copy, Debug)]
            pub struct Membership;
            impl Access for Membership { const NEEDS: Needs = Needs::Membership; }

            /// Members who may send or cancel invitations may see them.
            #[derive(Clone, Copy, Debug)]
            pub struct ReadInvitations;
            impl Access for ReadInvitations {
                const NEEDS: Needs = Needs::AnyOf(&[Permission::InviteMembers, Permission::CancelInvitations]);
            }

            /// Members who may ask for support or grant support access may see their own requests, and what was granted.
            #[derive(Clone, Copy, Debug)]
            pub struct ReadSupport;
            impl Access for ReadSupport {
                const NEEDS: Needs =
                    Needs::AnyOf(&[Permission::CreateSupportRequests, Permission::ManageSupportAccess]);
            }
        }
    };
    (@built) => { true };
    (@later) => { false };
}

/// The table, one permission a row, passed to a macro that generates code for each.
macro_rules! catalogue {
    ($make:ident) => { $make! {
    OrganizationAndTeams {
        ReadMembers read_members "read:members" "View members" [Admin Developer Billing Editor Viewer Support] built
            "View the members of the workspace and their roles.";
        ReadTeams read_teams "read:teams" "View teams" [Admin Developer Billing Editor Viewer Support] built
            "View teams and their members.";
        UpdateOrganization update_organization "update:organization" "Update organization" [Admin] built
            "Change the organization's name and address.";
        DeleteOrganization delete_organization "delete:organization" "Delete organization" [] built
            "Delete the organization and everything in it. Owners can restore it for 30 days.";
        CreateTeams create_teams "create:teams" "Create teams" [Admin] built
            "Create new teams.";
        UpdateTeams update_teams "update:teams" "Update teams" [Admin] built
            "Rename teams, and add or remove people.";
        DeleteTeams delete_teams "delete:teams" "Delete teams" [] built
            "Permanently delete teams.";
    }
    AccessAndSecurity {
        InviteMembers invite_members "invite:members" "Invite members" [Admin Developer] built
            "Invite people, with roles up to your own level of access.";
        CancelInvitations cancel_invitations "cancel:invitations" "Cancel invitations" [Admin] built
            "Cancel pending invitations.";
        UpdatePermissions update_permissions "update:permissions" "Update permissions" [] built
            "Change the permissions of roles.";
        CreateOauthClients create_oauth_clients "create:oauth-clients" "Create OAuth clients" [Admin Developer] later
            "Register client apps that connect other tools.";
        ExportData export_data "export:data" "Export data" [Admin] built
            "Download members, roles, activity and everything else.";
    }
    BillingAndCredits {
        ReadBilling read_billing "read:billing" "View billing" [Admin Billing] built
            "View the plan, invoices and payments.";
        ManageBilling manage_billing "manage:billing" "Manage billing" [Admin Billing] built
            "Change the plan and the payment details.";
        ReadCredits read_credits "read:credits" "View credits" [Admin Developer Billing] built
            "View the credit balance and usage.";
        PurchaseCredits purchase_credits "purchase:credits" "Purchase credits" [Admin Billing] built
            "Buy credits for the workspace.";
    }
    MembersAndRoles {
        UpdateMemberRoles update_member_roles "update:member-roles" "Change member roles" [Admin] built
            "Assign and remove roles of members with less access than you.";
        SuspendMembers suspend_members "suspend:members" "Suspend members" [Admin] built
            "Block access until reactivated. Roles are kept.";
        RemoveMembers remove_members "remove:members" "Remove members" [Admin] built
            "Remove members from the workspace.";
        ManageRoles manage_roles "manage:roles" "Create and delete roles" [] built
            "Create, rename and delete roles, up to your own level of access.";
    }
    KeysAndIntegrations {
        ReadApiKeys read_api_keys "read:api-keys" "View API keys" [Admin Developer] built
            "View API keys, but never their secrets.";
        ManageApiKeys manage_api_keys "manage:api-keys" "Manage API keys" [Admin Developer] built
            "Create, rotate and revoke API keys.";
        ManageOauthClients manage_oauth_clients "manage:oauth-clients" "Manage OAuth clients" [Admin Developer] later
            "Change and remove client apps.";
        ReadDestinations read_destinations "read:destinations" "View destinations" [Admin Developer] built
            "See which public hosts the workspace allows.";
        ManageDestinations manage_destinations "manage:destinations" "Manage destinations" [Admin Developer] built
            "Add, change, pause and delete the public hosts that the workspace allows.";
        SendDestinations send_destinations "send:destinations" "Send requests" [Admin Developer] built
            "Send requests to destinations through the gateway, with an API key.";
        SpendCredits spend_credits "spend:credits" "Spend credits" [Admin Developer] built
            "Hold and use credits of the workspace through the API, with an API key.";
        CheckAccess check_access "check:access" "Check access" [Admin Developer] built
            "Check the access of anyone in the workspace.";
    }
    ActivityAndSupport {
        ReadAudit read_audit "read:audit" "View activity" [Admin] built
            "View the activity log of the workspace.";
        CreateSupportRequests create_support_requests "create:support-requests" "Ask for support" [Admin Developer Billing] built
            "Contact the people who run this installation.";
        ManageSupportAccess manage_support_access "manage:support-access" "Grant support access" [Admin] built
            "Give the people who run this installation access for a limited time.";
    }
    } };
}
pub(super) use catalogue;

catalogue!(permissions);

impl BuiltIn {
    /// Everything that the role is granted in a new workspace.
    pub fn grants(self) -> Vec<&'static str> {
        let catalogue = Permission::ALL
            .iter()
            .filter(|permission| permission.defaults().contains(&self))
            .map(|permission| permission.scope());
        catalogue.chain(self.application_scopes().iter().copied()).collect()
    }
}

/// What can be granted for support: to read, and never a secret.
pub const GRANTABLE: [Permission; 7] = [
    Permission::ReadMembers,
    Permission::ReadTeams,
    Permission::ReadAudit,
    Permission::ReadApiKeys,
    Permission::ReadDestinations,
    Permission::ReadBilling,
    Permission::ReadCredits,
];

/// What the built-in roles do not hold where technical and billing work are separate: Admin pays nothing, and Developer
/// invites nobody.
pub const SEPARATED: [(BuiltIn, Permission); 3] = [
    (BuiltIn::Admin, Permission::ManageBilling),
    (BuiltIn::Admin, Permission::PurchaseCredits),
    (BuiltIn::Developer, Permission::InviteMembers),
];

/// What the built-in roles of a new workspace hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setup {
    /// Their [`BuiltIn::grants`].
    #[default]
    Usual,
    /// Those without [`SEPARATED`].
    SeparateBilling,
}

impl Setup {
    pub const fn separate_billing(yes: bool) -> Self {
        if yes { Self::SeparateBilling } else { Self::Usual }
    }

    /// The scopes of a role in a workspace that begins this way.
    pub fn grants(self, role: BuiltIn) -> Vec<&'static str> {
        let is_withheld = |scope: &str| {
            SEPARATED.iter().any(|(other, permission)| *other == role && permission.scope() == scope)
        };
        let grants = role.grants().into_iter();
        grants.filter(|scope| self == Self::Usual || !is_withheld(scope)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_with_separate_billing_begins_without_exactly_what_is_separated() {
        for role in BuiltIn::ALL {
            let (usual, separate) = (Setup::Usual.grants(role), Setup::SeparateBilling.grants(role));
            let withheld: Vec<_> = usual.iter().filter(|scope| !separate.contains(scope)).collect();
            let expected: Vec<_> = SEPARATED
                .iter()
                .filter(|(of, _)| *of == role)
                .map(|(_, permission)| permission.scope())
                .collect();
            assert_eq!(withheld.into_iter().copied().collect::<Vec<_>>(), expected);
            assert_eq!(separate.len() + expected.len(), usual.len(), "each is held otherwise");
        }
    }

    #[test]
    fn scopes_are_unique_well_formed_and_found_again() {
        for permission in Permission::ALL {
            assert_eq!(Permission::of_scope(permission.scope()), Some(*permission));
            assert!(crate::policy::Scope::parse(permission.scope()).is_ok());
            assert!(!permission.defaults().contains(&BuiltIn::Owner), "Owner holds everything by rule");
        }
        assert!(Permission::ALL.len() <= 64, "holdings keep one bit each");
    }

    #[test]
    fn the_first_three_groups_are_those_of_the_security_page_it_replaces() {
        let labels = |group: Group| group.permissions().map(Permission::label).collect::<Vec<_>>();
        assert_eq!(
            labels(Group::OrganizationAndTeams),
            [
                "View members",
                "View teams",
                "Update organization",
                "Delete organization",
                "Create teams",
                "Update teams",
                "Delete teams"
            ]
        );
        assert_eq!(
            labels(Group::AccessAndSecurity),
            [
                "Invite members",
                "Cancel invitations",
                "Update permissions",
                "Create OAuth clients",
                "Export data"
            ]
        );
        assert_eq!(
            labels(Group::BillingAndCredits),
            ["View billing", "Manage billing", "View credits", "Purchase credits"]
        );
    }
}
