//! Support: requests to the people who run the installation, and the access for a limited time that a workspace grants
//! them.

pub mod events;
pub mod grants;
mod mail;
pub mod operator;
pub mod requests;
pub mod text;
pub mod visits;

pub use requests::{NewRequest, SupportRequest};
pub use text::{Category, SupportText};
