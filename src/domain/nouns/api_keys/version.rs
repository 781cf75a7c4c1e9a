//! The version of a key: what its name and roles are.

use crate::{
    domain::{
        base::{
            refused::Refused,
            role::{self, Role},
        },
        enforce::write::WriteScope,
        nouns::api_keys::take_over::load_locked,
    },
    policy::perm,
};
use uuid::Uuid;

/// The version of a key's name and roles in this workspace.
pub fn version(id: Uuid, name: &str, roles: &[Role]) -> String {
    let slugs = roles.iter().map(|role| role.slug.as_str());
    role::fingerprint(id.as_bytes(), std::iter::once(name).chain(slugs))
}

/// The [`version`] of a key of this workspace, as it is under the lock.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`](crate::domain::records::keys::KEY_REVOKED).
pub async fn version_under_lock(s: &WriteScope<perm::ManageApiKeys>, id: Uuid) -> Result<String, Refused> {
    let member = load_locked(s, id).await?.member;
    Ok(version(id, &member.name, &member.roles))
}
