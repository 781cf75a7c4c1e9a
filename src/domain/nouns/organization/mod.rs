//! The workspace itself: its name, its address, its deletion.

pub mod deletion;
pub mod events;
mod mail;
pub mod origins;
mod web_origin;

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{Recorded, Target},
            principal::Workspace,
            refused::{Refused, is_duplicate},
            values::{Name, Slug},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{billing::details, organization::events::OrganizationUpdated},
        records::{
            requests::by_owner,
            workspaces::{self, WORKSPACE},
        },
    },
    entity::workspace,
    policy::{Access, perm},
};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, UpdateMany, sea_query::Expr};
pub use web_origin::WebOrigin;

/// What the page shows.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Organization {
    pub name: String,
    pub slug: String,
    pub account: String,
    pub created_at: Timestamp,
    pub members: i64,
    pub invitations: i64,
    pub owner_idle_hours: Option<i64>,
}

/// Loads the workspace.
///
/// # Errors
/// The database's own.
pub async fn get<P: Access>(scope: &ReadScope<P>) -> Result<Organization, Refused> {
    let sql = "SELECT w.name, w.slug, a.name AS account, w.created_at, w.owner_idle_hours,
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h
                WHERE h.workspace_id = w.id) AS members,
            (SELECT COUNT(*) FROM invitations i WHERE i.workspace_id = $1 AND i.status = 'pending'
                AND i.expires_at > $2) AS invitations
        FROM workspaces w JOIN accounts a ON a.id = w.account_id WHERE w.id = $1";
    scope.first(sql, vec![scope.now().into()]).await?.ok_or(Refused::NotFound)
}

/// An account admin, as the Owners of a workspace see them.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AccountAdmin {
    pub name: String,
    pub email: String,
    /// They are an active member of the workspace.
    pub is_member: bool,
    pub is_you: bool,
    /// The viewer has asked to become one, and waits for an answer.
    pub is_requested: bool,
}

/// The admins of the workspace's account, those who are no members first; at most 50. Empty unless the viewer is
/// an Owner.
///
/// # Errors
/// The database's own.
pub async fn account_admins<P: Access>(scope: &ReadScope<P>) -> Result<Vec<AccountAdmin>, Refused> {
    if !scope.actor().holdings.is_owner() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT u.name, COALESCE(u.awaited_email, u.email) AS email, EXISTS (SELECT 1 FROM members m
                WHERE m.workspace_id = $1 AND m.user_id = p.user_id AND m.status = 'active') AS is_member,
            p.user_id = $3 AS is_you, EXISTS (SELECT 1 FROM administration_requests r
                WHERE r.account_id = $2 AND r.user_id = $3 AND r.expires_at > $4 AND {}) AS is_requested
        FROM account_people p CROSS JOIN users u
        WHERE p.account_id = $2 AND p.is_admin AND u.id = p.user_id
        ORDER BY is_member, u.name, u.email LIMIT 50",
        by_owner("$4")
    );
    let actor = scope.actor();
    let values = vec![actor.workspace.account_id.into(), actor.principal.id().into(), scope.now().into()];
    Ok(scope.all(&sql, values).await?)
}

/// What a workspace should be.
pub struct OrganizationChange {
    pub name: Name,
    pub slug: Slug,
    /// `None`: as it is.
    pub owner_idle: Option<Option<IdleHours>>,
}

/// Hours without use after which a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleHours(i64);

impl IdleHours {
    pub const LEAST: i64 = 1;
    /// As long as a session lasts at all.
    pub const MOST: i64 = 30 * 24;

    /// # Errors
    /// A sentence for whoever typed it.
    pub fn parse(hours: i64) -> Result<Self, String> {
        let is_possible = (Self::LEAST..=Self::MOST).contains(&hours);
        is_possible.then_some(Self(hours)).ok_or_else(|| "Choose between 1 and 720 hours.".to_owned())
    }
}

/// Changes a workspace. Returns it as it is from now on.
///
/// # Errors
/// [`Refused::Invalid`] on the field `slug` where it is taken, [`Refused::NotAllowed`] for somebody other than an
/// Owner who would change when Owners are signed out.
pub async fn update(
    s: &mut WriteScope<perm::UpdateOrganization>,
    change: &OrganizationChange,
) -> Result<Recorded<Workspace>, Refused> {
    // As it is under the lock: the actor may have been admitted before a rename.
    let now = s.actor().workspace.clone();
    let OrganizationChange { name, slug, owner_idle } = change;
    let hours = owner_idle.map_or(now.owner_idle_hours, |idle| idle.map(|IdleHours(hours)| hours));
    if now.name == name.as_str() && now.slug == slug.as_str() && now.owner_idle_hours == hours {
        return Ok(Recorded::unchanged(now));
    }
    if now.owner_idle_hours != hours && !s.actor().holdings.is_owner() {
        return Err(Refused::NotAllowed("Only Owners can change when Owners are signed out."));
    }
    if now.slug != slug.as_str() && !workspaces::slug_is_free(s.connection(), slug).await? {
        return Err(workspaces::slug_taken());
    }
    let changed = workspace_row(s)
        .col_expr(workspace::Column::Name, Expr::value(name.as_str()))
        .col_expr(workspace::Column::Slug, Expr::value(slug.as_str()))
        .col_expr(workspace::Column::OwnerIdleHours, Expr::value(hours));
    match s.open().apply_to_one(changed).await {
        Err(Refused::Failed(error)) if is_duplicate(&error) => return Err(workspaces::slug_taken()),
        other => other?,
    }
    if now.name != name.as_str() {
        details::changed(s, s.now()).await?;
    }
    let event = OrganizationUpdated {
        name_before: now.name.clone(),
        name_after: name.to_string(),
        slug_before: now.slug.clone(),
        slug_after: slug.to_string(),
        owner_idle_hours_before: now.owner_idle_hours,
        owner_idle_hours_after: hours,
    };
    let after = Workspace { name: name.to_string(), slug: slug.to_string(), owner_idle_hours: hours, ..now };
    let target = Target::new(WORKSPACE, after.id, after.name.clone());
    Ok(Recorded::new(after, event, target))
}

/// A change of the row of the workspace itself.
fn workspace_row<P>(s: &WriteScope<P>) -> UpdateMany<workspace::Entity> {
    workspace::Entity::update_many().filter(workspace::Column::Id.eq(s.workspace_id()))
}
