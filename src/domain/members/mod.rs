//! Members: who they are, what they hold, and what may be done to them.
//!
//! [`list`] looks at them, [`few`] names some, [`change`] changes one, [`bulk`] changes many at once.

pub mod bulk;
mod change;
pub(super) mod few;
mod list;

pub use change::{OWN_MEMBERSHIP, RolesChanged, change_roles, leave, reactivate, remove, suspend};
pub(super) use change::{Origin, Subject, give, hold_listings, join, listed_as, relist, take};
pub(super) use list::like;
pub use list::{Detail, Filter, Listing, Member, Place, Sort, detail, list, may_act};
