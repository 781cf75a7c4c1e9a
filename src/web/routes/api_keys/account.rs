//! All keys of an account, for its admins.

use crate::{
    clock::Timestamp,
    domain::{
        Name, Refused,
        base::paging::{Page, Position},
        nouns::{
            accounts::{
                AccountScope,
                keys::{self, PossibleHome, WorkspaceMembership},
            },
            api_keys::{CreatedKey, Creator, FoundKeys, HomeOptions, KeyRecord, NewApiKey, TakeOver},
            destinations::lost_senders::LosingDestination,
        },
    },
    web::{
        role_choices::Choices,
        routes::api_keys::home::{Home, Manages, Reads},
    },
};
use uuid::Uuid;

impl Home for AccountScope {
    type Key = keys::AccountKey;

    fn now(&self) -> Timestamp {
        AccountScope::now(self)
    }
    fn is_verified(&self) -> bool {
        self.actor().person.is_verified
    }
    fn may_see(&self) -> bool {
        true
    }
    fn may_manage(&self) -> bool {
        true
    }
    fn may_change_membership(&self, _: &Self::Key) -> (bool, bool) {
        (false, false)
    }
    fn may_vouch(&self, _: &Self::Key) -> bool {
        false
    }
    fn record(key: &Self::Key) -> &KeyRecord {
        &key.key
    }
    async fn refuse(&self, refused: Refused) -> Refused {
        AccountScope::refuse(self, refused).await
    }
    async fn load(&self, id: Uuid) -> Result<Self::Key, Refused> {
        keys::get(self, id).await
    }
    async fn take_over(&self, _: &Self::Key) -> Result<TakeOver, Refused> {
        Ok(TakeOver::default())
    }
    fn may_remove(&self, _: &Self::Key) -> bool {
        false
    }
    async fn options(&self, _: &Self::Key) -> Result<Option<HomeOptions>, Refused> {
        Ok(None)
    }
    async fn memberships(&self, id: Uuid) -> Result<Vec<WorkspaceMembership>, Refused> {
        keys::memberships(self, id).await
    }
    async fn losing(&self, _: &Self::Key) -> Result<Vec<LosingDestination>, Refused> {
        Ok(Vec::new())
    }
}

impl Reads for AccountScope {
    async fn list(&self, text: &str, at: &Position) -> Result<Page<Self::Key>, Refused> {
        keys::list(self, text, at).await
    }
    async fn find_by_secret(&self, text: &str) -> Result<FoundKeys<Self::Key>, Refused> {
        keys::find_by_secret(self, text).await
    }
}

impl Manages for AccountScope {
    type Reader = Self;

    fn duplicate(&self) -> Self {
        AccountScope::duplicate(self)
    }
    fn reader(&self) -> Option<Self> {
        Some(AccountScope::duplicate(self))
    }
    fn choices(&self, _: &[String]) -> Option<Choices> {
        None
    }
    async fn creator(&self) -> Result<Creator, Refused> {
        keys::creator(self).await
    }
    async fn possible_homes(&self) -> Result<Vec<PossibleHome>, Refused> {
        keys::possible_homes(self).await
    }
    async fn create(self, requested: &NewApiKey, known: i64) -> Result<CreatedKey, Refused> {
        keys::create(self, requested, known).await
    }
    async fn rename(self, id: Uuid, name: &Name) -> Result<String, Refused> {
        keys::rename(self, id, name).await
    }
    async fn rotate(self, id: Uuid, seen: &str, overlap_ms: i64, _: i64) -> Result<CreatedKey, Refused> {
        self.write(async |s| keys::rotate(s, id, seen, overlap_ms).await).await
    }
    async fn revoke(self, id: Uuid) -> Result<String, Refused> {
        keys::revoke(self, id).await
    }
}
