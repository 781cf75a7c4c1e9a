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

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        let (owner, viewer) = (&demo.owner, &demo.viewer);
        let of = |role: &str| format!("{}/access", demo.member(role));
        pictures.add("access-of-developer", 200, owner.get(&of("developer")).await);
        pictures.add("access-of-owner", 200, viewer.get(&of("owner")).await);
        pictures.add("access-of-oneself", 200, viewer.get(&of("viewer")).await);
        pictures.add("access-of-suspended", 200, owner.get(&of("former")).await);
        pictures.add(
            "access-yes",
            200,
            owner.get(&format!("{}?scope=read:posts:title", of("developer"))).await,
        );
        pictures.add("access-no", 200, owner.get(&format!("{}?scope=export:data", of("developer"))).await);
        pictures.add(
            "access-refused",
            422,
            owner.get(&format!("{}?scope=posts_read", of("developer"))).await,
        );
    }
}
