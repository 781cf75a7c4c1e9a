//! Members: who they are, what they hold, and what may be done to them.
//!
//! [`list`] looks at them, [`few`] names some, [`change`] changes one, [`bulk`] changes many at once,
//! [`add`] takes one in from the account, [`provision`] enters one whom nobody invited.

mod add;
pub mod bulk;
mod change;
pub(super) mod few;
mod list;
mod provision;

pub use add::{Added, Candidate, add, candidates};
pub(super) use change::OWN_ROLES;
pub use change::{
    KeysMade, OWN_MEMBERSHIP, RolesChanged, change_roles, change_roles_seen, leave, leave_with,
    of_user_under_lock, reactivate, remove, remove_with, suspend, tag_under_lock,
};
pub(super) use change::{
    Origin, Subject, end, give, hold_listings, join, join_key, listed_as, of_user, relist, take,
};
pub use list::{Detail, Filter, Listing, Member, Place, Sort, detail, list, may_act};
pub(super) use list::{has_text, like, like_exactly};
pub use provision::{Entered, Newcomer, UserChange, may_provision, provision, update_user};
