//! The API keys of a workspace and those of an account: one set of pages over [`home`]. A secret is shown
//! only on the page that responds to the form; nothing is stored to show it again.

mod account;
pub mod add;
pub mod administration;
pub mod api;
pub mod detail;
mod home;
pub mod list;
pub mod new;
mod parts;
pub mod placement;
pub mod revocation;
mod row;
pub mod search;
pub mod voucher;
mod workspace;
