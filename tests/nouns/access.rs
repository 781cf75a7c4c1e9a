//! Effective access: what one member may do, and why.

use crate::walk::*;

pub struct EffectiveAccess;

#[async_trait(?Send)]
impl Noun for EffectiveAccess {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![page("/w/{workspace}/members/{member}/access", one(P::ReadMembers)).statements(5)]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let (owner, member) = (tour.owner.clone(), tour.take_members(1)[0]);
        tour.get(&owner, &format!("{HOME}/members/{member}/access?scope=read:posts"), 200).await;
    }
}
