//! Somebody goes: everything that they have, what becomes of each of it, and the change that does so in one transaction.
//!
//! [`mod@plan`] says before what would happen, [`take_over`] makes the actor answer for what they sent, [`mod@remove`] ends one
//! membership, [`mod@offboard`] ends all of it, in other workspaces of the account and in the account itself too.

pub mod events;
pub mod offboard;
pub mod options;
pub mod plan;
pub mod remove;
pub mod take_over;

pub use offboard::{Report, offboard};
pub use options::{Offboarding, PendingOffers, Removal};
pub use plan::{ElsewhereMembership, Plan, plan};
pub use remove::{Removed, remove};
