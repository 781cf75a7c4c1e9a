//! Members: who they are, what they hold, and what may be done to them.
//!
//! [`list`] looks at them, [`change`] changes one, [`bulk`] changes many at once, [`add`] takes one in
//! from the account.

mod add;
pub mod bulk;
mod change;
mod list;

pub use add::{Added, Candidate, add, candidates};
pub use change::{OWN_MEMBERSHIP, RolesChanged, change_roles, leave, reactivate, remove, suspend};
pub(super) use change::{Origin, Subject, give, hold_listings, join, listed_as, relist, take};
pub use list::{Detail, Filter, Listing, Member, Place, Sort, detail, list, may_act};
pub(super) use list::{has_text, like};
