use serde::{Deserialize, Serialize};

use uuid::Uuid;

/// The roles of a change, beside their names: known for certain, when names and slugs are those of
/// others. Events of earlier versions have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleIds {
    pub before: Vec<Uuid>,
    pub after: Vec<Uuid>,
}

impl RoleIds {}

/// One reviewed kind of thing that happened. Roles are told by their names at that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    WorkspaceCreated {
        name: String,
        slug: String,
    },
    OrganizationUpdated {
        name_before: String,
        name_after: String,
        slug_before: String,
        slug_after: String,
    },
    OrganizationDeleted {
        name: String,
        slug: String,
        members: i64,
    },
    MemberRolesChanged {
        before: Vec<String>,
        after: Vec<String>,
        #[serde(default)]
        ids: RoleIds,
    },
    MemberSuspended {
        roles: Vec<String>,
    },
    MemberReactivated {
        roles: Vec<String>,
    },
    MemberRemoved {
        roles: Vec<String>,
        invitations_cancelled: i64,
    },
    MemberLeft {
        roles: Vec<String>,
        invitations_cancelled: i64,
    },
    OwnershipOffered {
        expires_at: i64,
    },
    OwnershipOfferWithdrawn {},
    OwnershipOfferDeclined {},
    OwnershipHandedOver {
        from: String,
        before: Vec<String>,
        after: Vec<String>,
        from_before: Vec<String>,
        from_after: Vec<String>,
    },
    InvitationSent {
        roles: Vec<String>,
        expires_at: i64,
    },
    InvitationResent {
        roles: Vec<String>,
        expires_at: i64,
    },
    InvitationCancelled {
        roles: Vec<String>,
    },
    InvitationAccepted {
        roles: Vec<String>,
        invited_by: String,
    },
    InvitationDeclined {
        roles: Vec<String>,
    },
    InvitationRolesChanged {
        before: Vec<String>,
        after: Vec<String>,
    },
    RoleCreated {
        scopes: Vec<String>,
    },
    RoleUpdated {
        name_before: String,
        name_after: String,
        description_before: String,
        description_after: String,
    },
    /// The scopes of the customer's own applications; each permission has an event of its own.
    RoleScopesChanged {
        before: Vec<String>,
        after: Vec<String>,
    },
    RoleDeleted {
        scopes: Vec<String>,
        /// Empty where nobody held the role or was invited with it.
        replaced_by: String,
        members: i64,
        invitations: i64,
    },
    TeamCreated {
        description: String,
    },
    TeamUpdated {
        name_before: String,
        name_after: String,
        description_before: String,
        description_after: String,
    },
    TeamDeleted {
        roles: Vec<String>,
        people: i64,
    },
    TeamRolesChanged {
        before: Vec<String>,
        after: Vec<String>,
        people: i64,
        #[serde(default)]
        ids: RoleIds,
    },
    /// With the roles that the team carries.
    TeamMemberAdded {
        team: String,
        roles: Vec<String>,
    },
    TeamMemberRemoved {
        team: String,
        roles: Vec<String>,
    },
    TeamLeadChanged {
        team: String,
        is_lead: bool,
    },
    ApiKeyCreated {
        roles: Vec<String>,
        /// Zero where it does not expire.
        expires_at: i64,
    },
    ApiKeyAdded {
        roles: Vec<String>,
    },
    ApiKeyRenamed {
        name_before: String,
        name_after: String,
    },
    ApiKeyRotated {
        /// When the secret before stops.
        overlap_ends_at: i64,
    },
    ApiKeyRevoked {
        roles: Vec<String>,
    },
    /// It may create workspaces in the account, or no more.
    ApiKeyAdminChanged {
        is_admin: bool,
    },
    /// A user whom nobody invited: a service entered them.
    UserProvisioned {
        roles: Vec<String>,
    },
    ExternalIdChanged {
        before: String,
        after: String,
    },
    ResourceRegistered {
        name: String,
    },
    ResourceForgotten {},
    /// From the account, without an invitation.
    MemberAdded {
        roles: Vec<String>,
        /// An invitation waited for them: it is answered by this.
        was_invited: bool,
    },
    AccountUpdated {
        name_before: String,
        name_after: String,
        /// `admins` or `people`.
        creation_before: String,
        creation_after: String,
    },
    AccountAdminChanged {
        is_admin: bool,
    },
    AccountPersonRemoved {
        was_admin: bool,
    },
    PermissionChanged {
        permission: String,
        before: Vec<String>,
        after: Vec<String>,
        gained: i64,
        lost: i64,
        #[serde(default)]
        ids: RoleIds,
    },
    AccessRefused {
        route: String,
        reason: String,
    },
    SignedUp {},
    SignedIn {},
    SignedOut {},
    EmailConfirmed {
        email: String,
    },
    EmailChanged {
        before: String,
        after: String,
    },
    ProfileUpdated {
        name_before: String,
        name_after: String,
    },
    PasswordChanged {},
    PasswordReset {},
    SessionsRevoked {
        count: i64,
    },
}

impl Event {
    /// The kinds that a workspace's activity can be filtered by, with their labels.
    pub const KINDS: &'static [(&'static str, &'static str)] = &[
        ("workspace.created", "Workspace created"),
        ("organization.updated", "Organization updated"),
        ("organization.deleted", "Organization deleted"),
        ("member.roles-changed", "Roles changed"),
        ("member.suspended", "Member suspended"),
        ("member.reactivated", "Member reactivated"),
        ("member.removed", "Member removed"),
        ("member.left", "Member left"),
        ("ownership.offered", "Ownership offered"),
        ("ownership.withdrawn", "Ownership offer withdrawn"),
        ("ownership.declined", "Ownership offer declined"),
        ("ownership.handed-over", "Ownership handed over"),
        ("invitation.sent", "Invitation sent"),
        ("invitation.resent", "Invitation sent again"),
        ("invitation.cancelled", "Invitation cancelled"),
        ("invitation.accepted", "Invitation accepted"),
        ("invitation.declined", "Invitation declined"),
        ("invitation.roles-changed", "Invitation's roles changed"),
        ("role.created", "Role created"),
        ("role.updated", "Role renamed or described"),
        ("role.scopes-changed", "Scopes of a role changed"),
        ("role.deleted", "Role deleted"),
        ("team.created", "Team created"),
        ("team.updated", "Team renamed or described"),
        ("team.deleted", "Team deleted"),
        ("team.roles-changed", "Roles of a team changed"),
        ("team.member-added", "Put into a team"),
        ("team.member-removed", "Taken out of a team"),
        ("team.lead-changed", "Lead of a team changed"),
        ("api-key.created", "API key created"),
        ("api-key.added", "API key added"),
        ("api-key.renamed", "API key renamed"),
        ("api-key.rotated", "API key rotated"),
        ("api-key.revoked", "API key revoked"),
        ("member.provisioned", "Member entered by a service"),
        ("member.external-id-changed", "External id changed"),
        ("resource.registered", "Resource registered"),
        ("resource.forgotten", "Resource forgotten"),
        ("member.added", "Member added from the account"),
        ("permission.changed", "Permission changed"),
        ("access.refused", "Access refused"),
    ];

    /// The outcome of events of a kind: what was refused is told by events of one kind, which tells of
    /// nothing else.
    pub(in crate::domain) fn outcome(kind: &str) -> &'static str {
        if kind == "access.refused" { "refused" } else { "done" }
    }

    /// The stable name under which it is stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::WorkspaceCreated { .. } => "workspace.created",
            Self::OrganizationUpdated { .. } => "organization.updated",
            Self::OrganizationDeleted { .. } => "organization.deleted",
            Self::MemberRolesChanged { .. } => "member.roles-changed",
            Self::MemberSuspended { .. } => "member.suspended",
            Self::MemberReactivated { .. } => "member.reactivated",
            Self::MemberRemoved { .. } => "member.removed",
            Self::MemberLeft { .. } => "member.left",
            Self::OwnershipOffered { .. } => "ownership.offered",
            Self::OwnershipOfferWithdrawn {} => "ownership.withdrawn",
            Self::OwnershipOfferDeclined {} => "ownership.declined",
            Self::OwnershipHandedOver { .. } => "ownership.handed-over",
            Self::InvitationSent { .. } => "invitation.sent",
            Self::InvitationResent { .. } => "invitation.resent",
            Self::InvitationCancelled { .. } => "invitation.cancelled",
            Self::InvitationAccepted { .. } => "invitation.accepted",
            Self::InvitationDeclined { .. } => "invitation.declined",
            Self::InvitationRolesChanged { .. } => "invitation.roles-changed",
            Self::RoleCreated { .. } => "role.created",
            Self::RoleUpdated { .. } => "role.updated",
            Self::RoleScopesChanged { .. } => "role.scopes-changed",
            Self::RoleDeleted { .. } => "role.deleted",
            Self::TeamCreated { .. } => "team.created",
            Self::TeamUpdated { .. } => "team.updated",
            Self::TeamDeleted { .. } => "team.deleted",
            Self::TeamRolesChanged { .. } => "team.roles-changed",
            Self::TeamMemberAdded { .. } => "team.member-added",
            Self::TeamMemberRemoved { .. } => "team.member-removed",
            Self::TeamLeadChanged { .. } => "team.lead-changed",
            Self::ApiKeyCreated { .. } => "api-key.created",
            Self::ApiKeyAdded { .. } => "api-key.added",
            Self::ApiKeyRenamed { .. } => "api-key.renamed",
            Self::ApiKeyRotated { .. } => "api-key.rotated",
            Self::ApiKeyRevoked { .. } => "api-key.revoked",
            Self::ApiKeyAdminChanged { .. } => "api-key.admin-changed",
            Self::UserProvisioned { .. } => "member.provisioned",
            Self::ExternalIdChanged { .. } => "member.external-id-changed",
            Self::ResourceRegistered { .. } => "resource.registered",
            Self::ResourceForgotten {} => "resource.forgotten",
            Self::MemberAdded { .. } => "member.added",
            Self::AccountUpdated { .. } => "account.updated",
            Self::AccountAdminChanged { .. } => "account.admin-changed",
            Self::AccountPersonRemoved { .. } => "account.person-removed",
            Self::PermissionChanged { .. } => "permission.changed",
            Self::AccessRefused { .. } => "access.refused",
            Self::SignedUp {} => "user.signed-up",
            Self::SignedIn {} => "user.signed-in",
            Self::SignedOut {} => "user.signed-out",
            Self::EmailConfirmed { .. } => "user.email-confirmed",
            Self::EmailChanged { .. } => "user.email-changed",
            Self::ProfileUpdated { .. } => "user.profile-updated",
            Self::PasswordChanged {} => "user.password-changed",
            Self::PasswordReset {} => "user.password-reset",
            Self::SessionsRevoked { .. } => "user.sessions-revoked",
        }
    }

    /// What happens to a workspace that its account is told of too.
    pub(in crate::domain) const fn concerns_account(&self) -> bool {
        matches!(self, Self::WorkspaceCreated { .. } | Self::OrganizationDeleted { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
}

impl Outcome {
    pub(in crate::domain) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// Who did it, as they were called at that moment.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `user` or `api_key`.
    pub kind: &'static str,
    pub id: Uuid,
    pub name: String,
}

impl Actor {
    pub fn user(id: Uuid, name: impl Into<String>) -> Self {
        Self { kind: "user", id, name: name.into() }
    }
}

/// What it was done to.
#[derive(Clone, Debug)]
pub struct Target {
    kind: TargetKind,
    pub(in crate::domain) id: Option<Uuid>,
    pub(in crate::domain) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    Workspace,
    Member,
    Invitation,
    Role,
    Permission,
    Team,
    Account,
    User,
    ApiKey,
    Resource,
    Nothing,
}

impl Target {
    pub(in crate::domain) fn new(kind: TargetKind, id: Uuid, name: impl Into<String>) -> Self {
        Self { kind, id: Some(id), name: name.into() }
    }

    pub(in crate::domain) fn named(kind: TargetKind, name: impl Into<String>) -> Self {
        Self { kind, id: None, name: name.into() }
    }

    pub(in crate::domain) const fn kind(&self) -> &'static str {
        match self.kind {
            TargetKind::Workspace => "workspace",
            TargetKind::Member => "member",
            TargetKind::Invitation => "invitation",
            TargetKind::Role => "role",
            TargetKind::Permission => "permission",
            TargetKind::Team => "team",
            TargetKind::Account => "account",
            TargetKind::User => "user",
            TargetKind::ApiKey => "api_key",
            TargetKind::Resource => "resource",
            TargetKind::Nothing => "",
        }
    }
}

/// The result of a change together with what is to be written down about it. Only `domain` makes
/// one, and only a commit gives the result out.
#[must_use = "a change is only kept by the commit that takes this"]
pub struct Recorded<T> {
    value: T,
    entries: Vec<(Event, Target)>,
}

impl<T> Recorded<T> {
    pub(in crate::domain) fn new(value: T, event: Event, target: Target) -> Self {
        Self { value, entries: vec![(event, target)] }
    }

    pub(in crate::domain) fn many(value: T, entries: Vec<(Event, Target)>) -> Self {
        Self { value, entries }
    }

    /// Nothing was to be done, so nothing is to be told.
    pub(in crate::domain) fn unchanged(value: T) -> Self {
        Self { value, entries: Vec::new() }
    }

    /// What the change came to, before it is committed.
    pub fn value(&self) -> &T {
        &self.value
    }

    pub(in crate::domain) fn into_parts(self) -> (T, Vec<(Event, Target)>) {
        (self.value, self.entries)
    }

    /// The same change, its result put otherwise.
    pub(in crate::domain) fn map<U>(self, put: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded { value: put(self.value), entries: self.entries }
    }
}

impl<T> Recorded<Vec<T>> {
    /// Many changes as one, to be kept or dropped as a whole.
    pub(in crate::domain) fn together(each: Vec<Recorded<T>>) -> Self {
        let mut all = Self::unchanged(Vec::with_capacity(each.len()));
        for one in each {
            all.value.push(one.value);
            all.entries.extend(one.entries);
        }
        all
    }
}
