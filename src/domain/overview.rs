//! The first page of a workspace: its people, recent changes, and what needs attention.

use crate::{
    clock::DAY,
    domain::{
        activity,
        attention::{self, Attention},
        base::{
            principal::Actor,
            refused::Refused,
            role::{self, Roles},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::{
            choices,
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
    pub attention: Attention,
    /// What to do first in a new workspace, each with whether it is done; empty once the viewer has nothing of it
    /// left to do, or has hidden it.
    pub first_steps: Vec<(FirstStep, bool)>,
}

/// What to do first in a new workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstStep {
    Invite,
    Roles,
    Key,
    Destination,
}

/// The pending invitations.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub pending: i64,
    /// The number that expires within two days.
    pub expiring: i64,
}

#[derive(FromQueryResult)]
struct Counts {
    suspended: i64,
    pending: i64,
    expiring: i64,
    destinations: i64,
    hidden_steps: i64,
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
        first_steps: first_steps(actor, &counts, &headcounts),
        attention: attention::get(scope, keys).await?,
    })
}

async fn counts(scope: &ReadScope<perm::Membership>) -> Result<Counts, Refused> {
    let now = scope.now();
    let sql = "SELECT
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h
                WHERE h.workspace_id = $1 AND h.status = 'suspended') AS suspended,
            (SELECT COUNT(*) FROM invitations i WHERE i.workspace_id = $1 AND i.status = 'pending'
                AND i.expires_at > $2) AS pending,
            (SELECT COUNT(*) FROM invitations i WHERE i.workspace_id = $1 AND i.status = 'pending'
                AND i.expires_at > $2 AND i.expires_at <= $3) AS expiring,
            (SELECT COUNT(*) FROM (SELECT d.id FROM destinations d WHERE d.workspace_id = $1 LIMIT 1) AS one)
                AS destinations,
            (SELECT COUNT(*) FROM user_choices c WHERE c.user_id = $4 AND c.name = $5) AS hidden_steps";
    let actor = scope.actor();
    let values = vec![
        now.into(),
        (now + 2 * DAY).into(),
        actor.principal.id().into(),
        choices::first_steps(actor.workspace.id).into(),
    ];
    scope.first(sql, values).await?.ok_or(Refused::NotFound)
}

/// What the viewer could do first, each with whether somebody has done it.
fn first_steps(viewer: &Actor, counts: &Counts, headcounts: &Headcounts) -> Vec<(FirstStep, bool)> {
    if counts.hidden_steps > 0 || viewer.principal.person().is_none() {
        return Vec::new();
    }
    let (people, keys) = headcounts.total();
    let mut others = viewer.all_roles.iter().filter(|role| !role.is_owner);
    let has_roles = others.any(|role| headcounts.count(|slug| slug == role.slug) > 0);
    let steps = [
        (FirstStep::Invite, Permission::InviteMembers, people > 1 || counts.pending > 0),
        (FirstStep::Roles, Permission::UpdateMemberRoles, has_roles),
        (FirstStep::Key, Permission::ManageApiKeys, keys > 0),
        (FirstStep::Destination, Permission::ManageDestinations, counts.destinations > 0),
    ];
    let own: Vec<_> = steps
        .into_iter()
        .filter(|(_, permission, _)| viewer.holdings.has(*permission))
        .map(|(step, _, is_done)| (step, is_done))
        .collect();
    if own.iter().all(|(_, is_done)| *is_done) { Vec::new() } else { own }
}

/// The roles that active people have.
fn by_role(all: &Roles, headcounts: &Headcounts) -> Vec<(String, String, i64)> {
    all.iter()
        .map(|role| (role.name.clone(), role.slug.clone(), headcounts.count(|slug| slug == role.slug)))
        .filter(|(_, _, people)| *people > 0)
        .collect()
}
