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
}
