//! Requests for access: a member asks those who can give it, and one of them accepts, shortens or declines it. What is
//! given is given by the ordinary change of roles, under its rules.

pub mod answer;
pub mod ask;
pub mod events;
pub mod list;
mod mail;
pub mod wanted;

pub use answer::Acceptance;
pub use ask::NewAccessRequest;
pub use list::{AccessRequest, State};
pub use wanted::Wanted;
