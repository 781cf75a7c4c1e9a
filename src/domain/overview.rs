//! The first page of a workspace: its people, recent changes, and what needs attention.

use crate::{
    clock::DAY,
    domain::{
        activity,
        base::{
            principal::Actor,
            refused::Refused,
            role::{self, Roles},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::{
            api_keys,
            ownership::{self, Offer},
            roles::Headcounts,
        },
    },
    policy::{Permission, perm},
};
use sea_orm::FromQueryResult;

/// What the page shows; a part is `None` where the viewer may not see it.
pub struct Overview {
    /// Active people.
    pub people: i64,
    /// Active API keys.
    pub keys: i64,
    pub suspended: i64,
    /// Each role's name and slug, and how many active people have it.
    pub by_role: Option<Vec<(String, String, i64)>>,
    pub invitations: Option<Pending>,
    pub latest: Option<Vec<activity::Entry>>,
    pub offer: Option<Offer>,
    /// Names of the viewer's own roles.
    pub your_roles: Vec<String>,
    pub needs_attention: Vec<NeedsAttention>,
}

/// The pending invitations.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub pending: i64,
    /// The number that expires within two days.
    pub expiring: i64,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeedsAttention {
    SingleOwner,
    /// A destructive permission that not only Owners hold, and the roles that do.
    Destructive(Permission, Vec<String>),
    /// Everyday permissions that no role but Owner has, so that work waits for an Owner.
    OnlyOwners(Vec<Permission>),
    /// Names of keys of which a former member knows a secret.
    KnownToFormerMember(Vec<String>),
    /// Names of keys that hold less than their roles, because who vouches for them or knows their secret does.
    LimitedKeys(Vec<String>),
    /// Names of keys that are Owners and never expire.
    OwnerKeysWithoutExpiry(Vec<String>),
    /// Names of account admins who are not active members, joined by commas.
    OutsideAdmins(String),
    /// The number of pending invitations whose mail could not be delivered.
    Undelivered(i64),
    /// The number of members who have not been active for 90 days.
    Inactive(i64),
}

const DESTRUCTIVE: [Permission; 3] =
    [Permission::DeleteOrganization, Permission::DeleteTeams, Permission::UpdatePermissions];

#[derive(FromQueryResult)]
struct Counts {
    suspended: i64,
    owners: i64,
    inactive: i64,
    pending: i64,
    expiring: i64,
    undelivered: i64,
    outside_admins: Option<String>,
}

/// Loads the overview of the workspace.
///
/// # Errors
/// The database's own.
pub async fn get(scope: &ReadScope<perm::Membership>) -> Result<Overview, Refused> {
    let actor = scope.actor();
    let holdings = &actor.holdings;
    let counts = counts(scope).await?;
    let headcounts = Headcounts::load(scope).await?;
    let (people, keys) = headcounts.total();
    let sees_members = holdings.has(Permission::ReadMembers);
    let sees_invitations =
        holdings.has(Permission::InviteMembers) || holdings.has(Permission::CancelInvitations);
    let latest =
        if holdings.has(Permission::ReadAudit) { Some(activity::latest(scope, 8).await?) } else { None };
    Ok(Overview {
        people,
        keys,
        suspended: counts.suspended,
        by_role: sees_members.then(|| by_role(&actor.all_roles, &headcounts)),
        invitations: sees_invitations
            .then_some(Pending { pending: counts.pending, expiring: counts.expiring }),
        latest,
        offer: ownership::pending(scope).await?,
        your_roles: role::names(&actor.all_roles.parse_slugs(&actor.roles.join(" "))),
        needs_attention: needs_attention(scope, &counts, keys).await?,
    })
}

async fn counts(scope: &ReadScope<perm::Membership>) -> Result<Counts, Refused> {
    let now = scope.now();
    // Put together, the status is found by no index: those who were not seen are the fewer.
    let sql = "SELECT
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h
                WHERE h.workspace_id = $1 AND h.status = 'suspended') AS suspended,
            (SELECT COUNT(*) FROM active_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM members m WHERE m.workspace_id = $1 AND m.status || '' = 'active'
                AND COALESCE(m.last_active_at, m.joined_at) < $3) AS inactive,
            (SELECT COUNT(*) FROM invitations i WHERE i.workspace_id = $1 AND i.status = 'pending'
                AND i.expires_at > $2) AS pending,
            (SELECT COUNT(*) FROM invitations i WHERE i.workspace_id = $1 AND i.status = 'pending'
                AND i.expires_at > $2 AND i.expires_at <= $4) AS expiring,
            (SELECT COUNT(*) FROM outbox o CROSS JOIN invitations i WHERE o.about_workspace = $1
                AND o.failed_at IS NOT NULL AND i.workspace_id = $1 AND i.id = o.about AND i.status = 'pending'
                AND i.mail_id = o.id) AS undelivered,
            (SELECT string_agg(a.name, ', ') FROM (SELECT u.name FROM account_people p CROSS JOIN users u
                WHERE p.account_id = $5 AND p.is_admin AND u.id = p.user_id AND NOT EXISTS (SELECT 1 FROM members m
                    WHERE m.workspace_id = $1 AND m.user_id = p.user_id AND m.status = 'active')
                ORDER BY u.name LIMIT 3) AS a) AS outside_admins";
    let account = scope.actor().workspace.account_id;
    let values = vec![now.into(), (now - 90 * DAY).into(), (now + 2 * DAY).into(), account.into()];
    scope.first(sql, values).await?.ok_or(Refused::NotFound)
}

/// The roles that active people have.
fn by_role(all: &Roles, headcounts: &Headcounts) -> Vec<(String, String, i64)> {
    all.iter()
        .map(|role| (role.name.clone(), role.slug.clone(), headcounts.count(|slug| slug == role.slug)))
        .filter(|(_, _, people)| *people > 0)
        .collect()
}

async fn needs_attention(
    scope: &ReadScope<perm::Membership>,
    counts: &Counts,
    keys: i64,
) -> Result<Vec<NeedsAttention>, Refused> {
    let holdings = &scope.actor().holdings;
    let sees_members = holdings.has(Permission::ReadMembers);
    let mut all = if sees_members { care(scope.actor(), counts) } else { Vec::new() };
    if counts.undelivered > 0 && holdings.has(Permission::InviteMembers) {
        all.push(NeedsAttention::Undelivered(counts.undelivered));
    }
    if holdings.has(Permission::ReadApiKeys) && keys > 0 {
        let concerns = api_keys::concerns(scope).await?;
        let of_keys = [
            (concerns.known_to_former_member, NeedsAttention::KnownToFormerMember as fn(_) -> _),
            (concerns.limited, NeedsAttention::LimitedKeys),
            (concerns.owner_without_expiry, NeedsAttention::OwnerKeysWithoutExpiry),
        ];
        all.extend(
            of_keys.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, item)| item(names)),
        );
    }
    Ok(all)
}

fn care(viewer: &Actor, counts: &Counts) -> Vec<NeedsAttention> {
    let all = &viewer.all_roles;
    let mut needs_attention = Vec::new();
    // Only an Owner can appoint another.
    if counts.owners == 1 && viewer.holdings.is_owner() {
        needs_attention.push(NeedsAttention::SingleOwner);
    }
    if let Some(names) = counts.outside_admins.clone().filter(|_| viewer.holdings.is_owner()) {
        needs_attention.push(NeedsAttention::OutsideAdmins(names));
    }
    for permission in DESTRUCTIVE {
        let holders = all.iter().filter(|role| !role.is_owner && role.holdings.has(permission));
        let names: Vec<String> = holders.map(|role| role.name.clone()).collect();
        if !names.is_empty() {
            needs_attention.push(NeedsAttention::Destructive(permission, names));
        }
    }
    let alone = owners_alone(all);
    if !alone.is_empty() {
        needs_attention.push(NeedsAttention::OnlyOwners(alone));
    }
    if counts.inactive > 0 {
        needs_attention.push(NeedsAttention::Inactive(counts.inactive));
    }
    needs_attention
}

/// Everyday permissions that no role but Owner has.
fn owners_alone(all: &Roles) -> Vec<Permission> {
    let alone = |permission: &Permission| {
        permission.is_built()
            && !permission.defaults().is_empty()
            && !all.iter().any(|role| !role.is_owner && role.holdings.has(*permission))
    };
    Permission::ALL.iter().copied().filter(alone).collect()
}
