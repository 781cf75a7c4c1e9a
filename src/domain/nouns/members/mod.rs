//! Members: who they are, what they hold, and what may be done to them.
//!
//! [`list`] looks at them, [`few`] names some, [`change`] changes one, [`bulk`] changes many at once,
//! [`add`] takes one in from the account, [`provision`] enters one whom nobody invited.

pub mod add;
pub mod bulk;
pub mod change;
pub mod detail;
pub mod events;
pub mod filter;
pub mod list;
pub mod mail;
pub mod provision;
pub mod row;
pub mod sort;

pub(in crate::domain) use crate::domain::{
    base::sql::{has_text, like, like_exactly},
    records::members::{
        OWN_ROLES, Origin, Subject, end, give, hold_listings, join, join_key, listed_as, of_user, relist,
        take,
    },
};
pub use add::{ALREADY_MEMBER, Added, Candidate, add, candidates};
pub use change::{
    KeysMade, OWN_MEMBERSHIP, RolesChanged, change_roles, change_roles_seen, leave, leave_with,
    of_user_under_lock, reactivate, remove, remove_with, suspend, tag_under_lock,
};
pub use detail::{Detail, Place, detail};
pub use filter::Filter;
pub use list::{Listing, list, may_act};
pub use provision::{Entered, Newcomer, UserChange, may_provision, provision, update_user};
pub use row::Member;
pub use sort::Sort;
