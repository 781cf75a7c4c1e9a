//! The keys that are members of a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        Name, Refused,
        base::paging::{Page, Position},
        enforce::read::ReadScope,
        nouns::{
            accounts::keys::{PossibleHome, WorkspaceMembership},
            api_keys::{self, CreatedKey, Creator, FoundKeys, HomeOptions, KeyRecord, NewApiKey, TakeOver},
            destinations::lost_senders::{LosingDestination, LostSender, losing},
            roles,
        },
    },
    policy::{Access, Permission, perm},
    web::{
        role_choices::{Choices, choices},
        routes::api_keys::home::{Home, Manages, Reads},
    },
};
use uuid::Uuid;

impl<P: Access> Home for ReadScope<P> {
    type Key = api_keys::WorkspaceKey;

    fn now(&self) -> Timestamp {
        ReadScope::now(self)
    }
    fn is_verified(&self) -> bool {
        self.actor().principal.is_verified()
    }
    fn may_see(&self) -> bool {
        self.actor().holdings.has(Permission::ReadApiKeys)
    }
    fn may_manage(&self) -> bool {
        self.actor().holdings.has(Permission::ManageApiKeys)
    }
    fn may_change_membership(&self, key: &Self::Key) -> (bool, bool) {
        let holdings = &self.actor().holdings;
        let is_below = holdings.may_manage(&key.holdings()).is_ok();
        (
            is_below && holdings.has(Permission::UpdateMemberRoles),
            is_below && holdings.has(Permission::RemoveMembers) && holdings.has(Permission::ReadMembers),
        )
    }
    fn may_vouch(&self, key: &Self::Key) -> bool {
        let holdings = &self.actor().holdings;
        self.may_manage() && key.limited_by.voucher && holdings.may_assign(&key.holdings()).is_ok()
    }
    fn record(key: &Self::Key) -> &KeyRecord {
        &key.key
    }
    async fn refuse(&self, refused: Refused) -> Refused {
        ReadScope::refuse(self, refused).await
    }
    async fn load(&self, id: Uuid) -> Result<Self::Key, Refused> {
        api_keys::get(self, id).await
    }
    async fn take_over(&self, key: &Self::Key) -> Result<TakeOver, Refused> {
        api_keys::take_over(self, key).await
    }
    fn may_remove(&self, key: &Self::Key) -> bool {
        self.may_manage() && key.refused.is_none()
    }
    async fn options(&self, key: &Self::Key) -> Result<Option<HomeOptions>, Refused> {
        api_keys::home_options(self, key).await
    }
    async fn memberships(&self, _: Uuid) -> Result<Vec<WorkspaceMembership>, Refused> {
        Ok(Vec::new())
    }
    async fn losing(&self, key: &Self::Key) -> Result<Vec<LosingDestination>, Refused> {
        losing(self, LostSender::Member(key.member_id)).await
    }
}

impl Reads for ReadScope<perm::ReadApiKeys> {
    async fn list(&self, text: &str, at: &Position) -> Result<Page<Self::Key>, Refused> {
        Ok(api_keys::list(self, text, at).await?.page)
    }
    async fn find_by_secret(&self, text: &str) -> Result<FoundKeys<Self::Key>, Refused> {
        api_keys::find_by_secret(self, text).await
    }
}

impl Manages for ReadScope<perm::ManageApiKeys> {
    type Reader = ReadScope<perm::ReadApiKeys>;

    fn duplicate(&self) -> Self {
        ReadScope::duplicate(self)
    }
    fn reader(&self) -> Option<Self::Reader> {
        ReadScope::duplicate(self).narrow()
    }
    fn choices(&self, ticked: &[String]) -> Option<Choices> {
        Some(choices(roles::assignable(self), ticked))
    }
    async fn creator(&self) -> Result<Creator, Refused> {
        api_keys::creator(self).await
    }
    async fn possible_homes(&self) -> Result<Vec<PossibleHome>, Refused> {
        Ok(Vec::new())
    }
    async fn create(self, requested: &NewApiKey, known: i64) -> Result<CreatedKey, Refused> {
        self.write(async |s| api_keys::create_once(s, requested, known).await).await
    }
    async fn rename(self, id: Uuid, name: &Name) -> Result<String, Refused> {
        self.write(async |s| api_keys::rename(s, id, name).await).await
    }
    async fn rotate(self, id: Uuid, seen: &str, overlap_ms: i64, ended: i64) -> Result<CreatedKey, Refused> {
        api_keys::rotate_if_newest(self, id, seen, overlap_ms, ended).await
    }
    async fn revoke(self, id: Uuid) -> Result<String, Refused> {
        api_keys::revoke(self, id).await
    }
}
