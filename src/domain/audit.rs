//! Step 6 of the enforcement path: what happened is written down in the same transaction.
//!
//! An event is a closed kind with a bounded, typed payload: no free text of a request, no secret.
//! Rows are append-only by trigger, and chained by hash within a workspace.

use super::{Refused, roles::Role, scope::Origin};
use crate::{
    clock::MINUTE,
    entity::{audit_event, workspace},
    random,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The roles of a change, beside their names: known for certain, when names and slugs are those of
/// others. Events of earlier versions have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleIds {
    pub before: Vec<Uuid>,
    pub after: Vec<Uuid>,
}

impl RoleIds {
    pub(super) fn of<'a>(
        before: impl IntoIterator<Item = &'a Role>,
        after: impl IntoIterator<Item = &'a Role>,
    ) -> Self {
        Self {
            before: before.into_iter().map(|role| role.id).collect(),
            after: after.into_iter().map(|role| role.id).collect(),
        }
    }
}

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
    pub(super) fn outcome(kind: &str) -> &'static str {
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
    const fn concerns_account(&self) -> bool {
        matches!(self, Self::WorkspaceCreated { .. } | Self::OrganizationDeleted { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
}

impl Outcome {
    const fn word(self) -> &'static str {
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
    id: Option<Uuid>,
    name: String,
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
    pub(super) fn new(kind: TargetKind, id: Uuid, name: impl Into<String>) -> Self {
        Self { kind, id: Some(id), name: name.into() }
    }

    pub(super) fn named(kind: TargetKind, name: impl Into<String>) -> Self {
        Self { kind, id: None, name: name.into() }
    }

    const fn kind(&self) -> &'static str {
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
    pub(super) fn new(value: T, event: Event, target: Target) -> Self {
        Self { value, entries: vec![(event, target)] }
    }

    pub(super) fn many(value: T, entries: Vec<(Event, Target)>) -> Self {
        Self { value, entries }
    }

    /// Nothing was to be done, so nothing is to be told.
    pub(super) fn unchanged(value: T) -> Self {
        Self { value, entries: Vec::new() }
    }

    /// What the change came to, before it is committed.
    pub fn value(&self) -> &T {
        &self.value
    }

    pub(super) fn into_parts(self) -> (T, Vec<(Event, Target)>) {
        (self.value, self.entries)
    }

    /// The same change, its result put otherwise.
    pub(super) fn map<U>(self, put: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded { value: put(self.value), entries: self.entries }
    }
}

impl<T> Recorded<Vec<T>> {
    /// Many changes as one, to be kept or dropped as a whole.
    pub(super) fn together(each: Vec<Recorded<T>>) -> Self {
        let mut all = Self::unchanged(Vec::with_capacity(each.len()));
        for one in each {
            all.value.push(one.value);
            all.entries.extend(one.entries);
        }
        all
    }
}

/// The end of a workspace's chain, read under the workspace's lock.
pub(super) struct Head {
    pub workspace: Uuid,
    /// The account that the workspace belongs to; none while it is being founded.
    pub account: Option<Uuid>,
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl Head {
    /// The chain of a workspace that is being founded.
    pub(super) fn start(workspace: Uuid) -> Self {
        Self { workspace, account: None, seq: 0, hash: Vec::new() }
    }
}

/// Everything about an event but the event itself.
pub(super) struct Circumstances<'a> {
    pub actor: &'a Actor,
    pub origin: &'a Origin,
    pub at: i64,
    pub outcome: Outcome,
}

/// Adds events to the end of a workspace's chain.
///
/// # Errors
/// The database's own.
pub(super) async fn append(
    tx: &DatabaseTransaction,
    head: &mut Head,
    about: &Circumstances<'_>,
    entries: &[(Event, Target)],
) -> Result<(), DbErr> {
    if entries.is_empty() {
        return Ok(());
    }
    for (event, target) in entries {
        head.seq += 1;
        let account = head.account.filter(|_| event.concerns_account());
        let place = Place { workspace: Some(head.workspace), account, seq: head.seq, previous: &head.hash };
        head.hash = insert(tx, place, about, event, target).await?;
    }
    workspace::Entity::update_many()
        .filter(workspace::Column::Id.eq(head.workspace))
        .col_expr(workspace::Column::AuditSeq, Expr::value(head.seq))
        .col_expr(workspace::Column::AuditHash, Expr::value(head.hash.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes down what a person did outside any workspace: their own sign-ins, passwords, sessions.
///
/// # Errors
/// The database's own.
pub(super) async fn personal(
    tx: &DatabaseTransaction,
    actor: &Actor,
    origin: &Origin,
    at: i64,
    event: &Event,
) -> Result<(), DbErr> {
    let about = Circumstances { actor, origin, at, outcome: Outcome::Done };
    let target = Target::new(TargetKind::User, actor.id, actor.name.clone());
    insert(tx, Place::default(), &about, event, &target).await.map(drop)
}

/// Writes down what happens to an account. Its record is append-only like every other, and no chain.
///
/// # Errors
/// The database's own.
pub(super) async fn of_account(
    tx: &DatabaseTransaction,
    account: Uuid,
    about: &Circumstances<'_>,
    entries: &[(Event, Target)],
) -> Result<(), DbErr> {
    for (event, target) in entries {
        let place = Place { account: Some(account), ..Place::default() };
        insert(tx, place, about, event, target).await?;
    }
    Ok(())
}

/// Whose record an event goes into, and after which other.
#[derive(Default)]
struct Place<'a> {
    workspace: Option<Uuid>,
    account: Option<Uuid>,
    seq: i64,
    previous: &'a [u8],
}

async fn insert(
    tx: &DatabaseTransaction,
    place: Place<'_>,
    about: &Circumstances<'_>,
    event: &Event,
    target: &Target,
) -> Result<Vec<u8>, DbErr> {
    let payload = serde_json::to_string(event).map_err(|e| DbErr::Custom(e.to_string()))?;
    let link = Link {
        seq: place.seq,
        at: about.at,
        kind: event.kind(),
        outcome: about.outcome.word(),
        actor: &about.actor.id.to_string(),
        actor_name: &about.actor.name,
        target_kind: target.kind(),
        target: &target.id.map(|id| id.to_string()).unwrap_or_default(),
        target_name: &target.name,
        via: about.origin.via.word(),
        address: &about.origin.address,
        user_agent: &about.origin.user_agent,
        payload: &payload,
    };
    let hash = link.hash(place.previous);
    let row = audit_event::ActiveModel {
        id: Set(random::id(about.at)),
        workspace_id: Set(place.workspace),
        seq: Set(place.seq),
        at: Set(about.at),
        kind: Set(event.kind().to_owned()),
        outcome: Set(about.outcome.word().to_owned()),
        actor_kind: Set(about.actor.kind.to_owned()),
        actor_id: Set(Some(about.actor.id)),
        actor_name: Set(about.actor.name.clone()),
        target_kind: Set(target.kind().to_owned()),
        target_id: Set(target.id),
        target_name: Set(target.name.clone()),
        via: Set(about.origin.via.word().to_owned()),
        address: Set(about.origin.address.clone()),
        user_agent: Set(about.origin.user_agent.clone()),
        payload: Set(payload),
        hash: Set(hash.clone()),
        account_id: Set(place.account),
    };
    audit_event::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(hash)
}

/// What one link of the chain vouches for.
#[derive(Serialize)]
pub(super) struct Link<'a> {
    pub seq: i64,
    pub at: i64,
    pub kind: &'a str,
    pub outcome: &'a str,
    pub actor: &'a str,
    pub actor_name: &'a str,
    pub target_kind: &'a str,
    pub target: &'a str,
    pub target_name: &'a str,
    pub via: &'a str,
    pub address: &'a str,
    pub user_agent: &'a str,
    pub payload: &'a str,
}

impl Link<'_> {
    /// SHA-256 over the previous link's hash and this one's content as JSON.
    pub(super) fn hash(&self, previous: &[u8]) -> Vec<u8> {
        let content = serde_json::to_vec(self).unwrap_or_default();
        Sha256::new().chain_update(previous).chain_update(content).finalize().to_vec()
    }
}

/// Refusals of one kind to one person within a minute that are written down. More of them are a
/// flood, whose rows could never be deleted.
const MOST_REFUSALS_A_MINUTE: u64 = 100;

/// Whether this very refusal was written down too often lately, in the record that `whose` tells.
///
/// # Errors
/// The database's own.
pub(super) async fn is_flood(
    tx: &DatabaseTransaction,
    whose: SimpleExpr,
    by: &Actor,
    event: &Event,
    now: i64,
) -> Result<bool, DbErr> {
    use audit_event::Column;
    let payload = serde_json::to_string(event).map_err(|e| DbErr::Custom(e.to_string()))?;
    let same = audit_event::Entity::find()
        .filter(whose)
        .filter(Column::At.gt(now - MINUTE))
        .filter(Column::ActorId.eq(by.id))
        .filter(Column::Payload.eq(payload))
        .count(tx)
        .await?;
    Ok(same >= MOST_REFUSALS_A_MINUTE)
}

/// The words for a refusal, as an event.
pub(super) fn refusal(origin: &Origin, refused: &Refused) -> Option<(Event, Target)> {
    let reason = refused.audited_as()?.to_owned();
    let event = Event::AccessRefused { route: origin.route.clone(), reason };
    Some((event, Target::named(TargetKind::Nothing, "")))
}
