//! The API keys of a workspace and those of an account: one set of pages over [`home`]. A secret stands on
//! the page that answers the form which made it, and nowhere else: nothing is kept to show it again.

mod account;
pub mod add;
pub mod administration;
pub mod api;
pub mod detail;
mod home;
pub mod list;
pub mod new;
mod parts;
pub mod revocation;
mod row;
mod workspace;
