//! Members: who they are, what they hold, and what may be done to them.
//!
//! [`mod@list`] lists them, [`mod@detail`] shows one, [`change`] and [`role_change`] change one, [`bulk`] changes many at once,
//! [`ends`] sets until when somebody has access,
//! [`mod@add`] adds one from the account, [`mod@provision`] creates one without an invitation.

pub mod add;
mod announce;
pub mod bulk;
pub mod change;
pub mod detail;
pub mod ends;
pub mod ends_notice;
pub mod events;
pub mod filter;
pub mod list;
pub mod mail;
mod notify;
pub mod provision;
pub mod role_change;
pub mod row;
pub mod sort;
pub mod waiting;

pub use crate::domain::records::joining::JoinCounts;
pub(in crate::domain) use crate::domain::{
    base::sql::{has_text, like, like_exactly},
    records::members::{
        MemberOrigin, MemberRecord, OWN_ROLES, assign_role, delete, join, join_key, lock_memberships,
        of_subject, refresh_sort_key, revoke_role, set_voucher, sort_key, vouch_at,
    },
};
pub use add::{ALREADY_MEMBER, AddedMember, Candidate, add, candidates};
pub(in crate::domain) use announce::in_each_workspace;
pub use change::{
    DependentKeys, OWN_MEMBERSHIP, leave, leave_with, of_user_under_lock, reactivate, remove, remove_with,
    suspend, tag_under_lock,
};
pub(in crate::domain) use change::{end_with, write_with_keys};
pub use detail::{AccountStanding, Detail, TeamMembership, detail};
pub use ends::{EndChanged, Ending, check_end, set_end, settled};
pub use filter::Filter;
pub use list::{Listing, TeamOption, list, may_act};
pub(in crate::domain) use notify::{removal as notify_of_removal, roles as notify_of_roles};
pub use provision::{NewMember, ProvisionedUser, UserChange, may_provision, provision, update_user};
pub use role_change::{
    RoleChange, RolesChanged, Seen, change_roles, change_roles_from, change_roles_if_unchanged,
};
pub use row::Member;
pub use sort::Sort;
pub use waiting::{WaitingMembership, waiting};
