//! Credits: what a workspace has, and the ledger of where they went.

pub mod api;
pub mod chart;
pub mod page;
pub mod purchases;
pub mod purchases_api;
