//! The deletion of one's own sign-in: every membership ends, every session, and what names the person is erased.
//!
//! A row without a name is left of them, for what names them by their id (decision 51).

pub mod change;
pub mod erasure;
pub mod events;
pub mod mail;
pub mod reach;

pub use change::{SOLE, delete};
pub use reach::{OwnAccount, OwnDeletion, OwnWorkspace, get};
