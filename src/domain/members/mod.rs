//! Members: who they are, what they hold, and what may be done to them.
//!
//! [`list`] looks at them, [`change`] changes one, [`bulk`] changes many at once.

pub mod bulk;
mod change;
mod list;

pub use change::{
    OWN_MEMBERSHIP, RolesChanged, change_roles, change_roles_of_user, leave, of_user_under_lock, reactivate,
    remove, suspend, version_under_lock,
};
pub(super) use change::{
    Origin, Subject, end, give, hold_listings, join, join_key, listed_as, of_user, relist, take,
};
pub(super) use list::like;
pub use list::{Detail, Filter, Listing, Member, Place, Sort, detail, list, may_act};
