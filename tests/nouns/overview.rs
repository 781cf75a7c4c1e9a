//! The first page of a workspace.

use crate::walk::*;

pub struct Overview;

#[async_trait(?Send)]
impl Noun for Overview {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![page("/w/{workspace}", MEMBER).statements(5)]
    }
}
