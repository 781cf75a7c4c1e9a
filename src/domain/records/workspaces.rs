//! Rows of workspaces.

use crate::{
    domain::{
        base::{
            event::TargetKind,
            invalid::Invalid,
            refused::Refused,
            values::{Name, Slug},
        },
        enforce::{rows::Scoped, transaction::Transaction},
        nouns::members,
        records::roles,
    },
    entity::workspace,
    policy::{BuiltIn, Setup},
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
};
use uuid::Uuid;

pub(in crate::domain) const WORKSPACE: TargetKind = TargetKind::new("workspace");

pub(in crate::domain) async fn slug_is_free(
    connection: &impl ConnectionTrait,
    slug: &Slug,
) -> Result<bool, Refused> {
    let taken = workspace::Entity::find().filter(workspace::Column::Slug.eq(slug.as_str()));
    Ok(taken.one(connection).await?.is_none())
}

/// Inserts the workspace that `open` was opened for: its roles, and its creator as the first Owner. Returns
/// the id of the Owners' role.
///
/// # Errors
/// [`Refused::Invalid`] on the field `slug` where it is taken.
pub(in crate::domain) async fn insert(
    open: &Transaction,
    account: Uuid,
    name: &Name,
    slug: &Slug,
    creator: Uuid,
    setup: Setup,
) -> Result<Uuid, Refused> {
    if !slug_is_free(&open.tx, slug).await? {
        return Err(slug_taken());
    }
    let row = workspace::ActiveModel {
        id: Set(open.workspace_id()),
        account_id: Set(account),
        slug: Set(slug.to_string()),
        name: Set(name.to_string()),
        suspended_at: Set(None),
        deleted_at: Set(None),
        created_at: Set(open.now),
        roles_version: NotSet,
        owner_idle_hours: Set(None),
        purge_began_at: Set(None),
        support_until: Set(None),
    };
    if let Err(error) = workspace::Entity::insert(row).exec_without_returning(&open.tx).await {
        return Err(if crate::domain::base::refused::is_duplicate(&error) {
            slug_taken()
        } else {
            error.into()
        });
    }
    let ids = roles::seed(open, setup).await?;
    let owner = ids.get(&BuiltIn::Owner).copied().ok_or(Refused::NotFound)?;
    members::join(open, creator, members::MemberOrigin::Founder, &[owner]).await?;
    Ok(owner)
}

pub(in crate::domain) fn slug_taken() -> Refused {
    Invalid::field("slug", "This address is taken. Choose another.").into()
}
