//! The built-in roles of a new workspace.

use crate::{
    domain::{
        base::refused::Refused,
        enforce::{rows::Scoped, transaction::Transaction},
    },
    entity::{grant, role},
    policy::{BuiltIn, Setup},
    random,
};
use sea_orm::{ActiveValue::Set, EntityTrait};

use std::collections::HashMap;
use uuid::Uuid;

/// Inserts the built-in roles of a new workspace. Returns the id of each.
pub(in crate::domain) async fn seed(
    open: &Transaction,
    setup: Setup,
) -> Result<HashMap<BuiltIn, Uuid>, Refused> {
    let mut ids = HashMap::new();
    for (position, role) in (0_i64..).zip(BuiltIn::ALL) {
        let id = random::id(open.now);
        let row = role::ActiveModel {
            id: Set(id),
            workspace_id: Set(open.workspace_id()),
            slug: Set(role.slug().to_owned()),
            name: Set(role.name().to_owned()),
            description: Set(role.description().to_owned()),
            built_in: Set(true),
            is_owner: Set(role == BuiltIn::Owner),
            position: Set(position),
            created_at: Set(open.now),
        };
        open.insert(row).await?;
        let grants = setup.grants(role).into_iter().map(|scope| grant::ActiveModel {
            workspace_id: Set(open.workspace_id()),
            role_id: Set(id),
            scope: Set(scope.to_owned()),
        });
        if role != BuiltIn::Owner {
            grant::Entity::insert_many(grants).exec_without_returning(&open.tx).await?;
        }
        ids.insert(role, id);
    }
    Ok(ids)
}
