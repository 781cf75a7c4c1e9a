//! Invitations: the workspace's list, and the recipient's page.

pub mod api;
pub mod list;
pub mod recipient;
pub mod selection;
pub(in crate::web::routes) mod teams;
