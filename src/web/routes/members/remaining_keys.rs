//! The API keys that depend on a member: those that they vouch for, or know a secret of.

use crate::{
    domain::{
        Refused,
        enforce::read::ReadScope,
        nouns::{
            api_keys::{self, WorkspaceKey},
            members::Member,
        },
    },
    policy::{self, Permission},
};

/// The keys of the workspace that depend on the member: those that they vouch for, or know a secret of.
pub(super) struct RemainingKeys {
    pub(super) dependent: Vec<Dependent>,
    /// The viewer may see keys, and manage them.
    pub(super) may_see: bool,
    pub(super) may_manage: bool,
    /// Why they can't be revoked too; empty if they can.
    pub(super) why_not: String,
    pub(super) overlaps: [(i64, &'static str, &'static str); 2],
}

/// How long secrets that a removed member knows may keep working: hours, label and note.
pub(super) const OVERLAPS: [(i64, &str, &str); 2] = [
    (
        24,
        "24 hours",
        "Until then the person can still use them. They hold no more than the person holds now.",
    ),
    (168, "7 days", "Rotate the secrets in the meantime."),
];

/// A key, and how it depends on the member.
pub(super) struct Dependent {
    pub(super) key: WorkspaceKey,
    pub(super) is_vouched_for: bool,
    /// The member was shown its newest secret.
    pub(super) is_known: bool,
}

impl RemainingKeys {
    pub(super) async fn of<P: policy::Access>(
        scope: &ReadScope<P>,
        member: &Member,
    ) -> Result<Self, Refused> {
        let keys = match member.user_id {
            Some(user) => api_keys::dependent_on(scope, user).await?,
            None => Vec::new(),
        };
        let may_manage = scope.actor().holdings.has(Permission::ManageApiKeys);
        let mut why_not = String::new();
        if !may_manage {
            why_not = "You need the “Manage API keys” permission.".to_owned();
        } else {
            for key in &keys {
                if let Some(refused) = api_keys::take_over(scope, key).await?.refused {
                    why_not = format!("{}: {refused}", key.key.name);
                    break;
                }
            }
        }
        let dependent = |key: WorkspaceKey| Dependent {
            is_vouched_for: key.voucher_id == member.user_id,
            is_known: key.reader_id == member.user_id,
            key,
        };
        Ok(Self {
            dependent: keys.into_iter().map(dependent).collect(),
            may_see: scope.actor().holdings.has(Permission::ReadApiKeys),
            may_manage,
            why_not,
            overlaps: OVERLAPS,
        })
    }
}
