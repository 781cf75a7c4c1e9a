//! Where API keys are shown and changed: a workspace that they are members of, or the account that they
//! belong to. Both share one set of pages; the traits here are what differs.

use crate::{
    clock::Timestamp,
    domain::{
        Name, Refused,
        base::paging::{Page, Position},
        nouns::{
            accounts::keys::{PossibleHome, WorkspaceMembership},
            api_keys::{CreatedKey, Creator, FoundKeys, HomeOptions, KeyRecord, NewApiKey, TakeOver},
            destinations::lost_senders::LosingDestination,
        },
    },
    web::{role_choices::Choices, routes::api_keys::row::HomeKey},
};
use uuid::Uuid;

/// A home of keys, as the request was admitted to it.
pub(in crate::web) trait Home: Sized {
    type Key: Into<HomeKey>;

    fn now(&self) -> Timestamp;
    /// The viewer's address is confirmed, which creating secrets requires.
    fn is_verified(&self) -> bool;
    fn may_see(&self) -> bool;
    fn may_manage(&self) -> bool;
    /// Whether the viewer may change its roles here, and whether they may remove it from here.
    fn may_change_membership(&self, key: &Self::Key) -> (bool, bool);
    /// Whether the viewer may vouch for it here.
    fn may_vouch(&self, key: &Self::Key) -> bool;
    fn record(key: &Self::Key) -> &KeyRecord;

    /// Audits the refusal of a page, and returns it.
    async fn refuse(&self, refused: Refused) -> Refused;
    async fn load(&self, id: Uuid) -> Result<Self::Key, Refused>;
    /// Whether the viewer, who manages keys here, may change this one.
    async fn take_over(&self, key: &Self::Key) -> Result<TakeOver, Refused>;
    /// Whether the viewer may remove it from here as somebody who manages keys.
    fn may_remove(&self, key: &Self::Key) -> bool;
    /// What the viewer may decide here about where else it is a member; `None` if nothing.
    async fn options(&self, key: &Self::Key) -> Result<Option<HomeOptions>, Refused>;
    /// The workspaces of the key, which only the account lists.
    async fn memberships(&self, id: Uuid) -> Result<Vec<WorkspaceMembership>, Refused>;
    /// The destinations that lose it as a sender when it goes, which only a workspace lists.
    async fn losing(&self, key: &Self::Key) -> Result<Vec<LosingDestination>, Refused>;
}

/// A home of keys, admitted to see them.
pub(in crate::web) trait Reads: Home {
    async fn list(&self, text: &str, at: &Position) -> Result<Page<Self::Key>, Refused>;
    /// The keys with this secret, or whose secret ends so.
    async fn find_by_secret(&self, text: &str) -> Result<FoundKeys<Self::Key>, Refused>;
}

/// A home of keys, admitted to manage them.
pub(in crate::web) trait Manages: Home {
    type Reader: Reads;

    /// A copy of the admission.
    fn duplicate(&self) -> Self;
    /// The admission to see keys; `None` if the viewer may not see them.
    fn reader(&self) -> Option<Self::Reader>;
    /// The roles to offer for a new key; `None` where keys get no roles.
    fn choices(&self, ticked: &[String]) -> Option<Choices>;

    async fn creator(&self) -> Result<Creator, Refused>;
    /// The workspaces that a new key can be at home in, where that can be chosen.
    async fn possible_homes(&self) -> Result<Vec<PossibleHome>, Refused>;
    async fn create(self, requested: &NewApiKey, known: i64) -> Result<CreatedKey, Refused>;
    async fn rename(self, id: Uuid, name: &Name) -> Result<String, Refused>;
    /// Rotates the secret. `ended` is how many memberships in other workspaces the viewer expects to end with it.
    async fn rotate(self, id: Uuid, seen: &str, overlap_ms: i64, ended: i64) -> Result<CreatedKey, Refused>;
    async fn revoke(self, id: Uuid) -> Result<String, Refused>;
}
