//! Orders of the members' list.

use crate::domain::base::paging::Order;

/// How the list is sorted. Times run from the latest to the earliest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    NameDown,
    Joined,
    JoinedUp,
    Active,
    ActiveUp,
    Roles,
    RolesDown,
    Status,
    StatusDown,
    /// From the soonest end to the latest; those without one come last.
    End,
    EndDown,
}

/// What those without an end sort by, in milliseconds: the last whole number that JSON has exactly.
pub(in crate::domain) const LAST_END: i64 = 9_007_199_254_740_991;

impl Sort {
    pub const ALL: [(&'static str, Self); 12] = [
        ("name", Self::Name),
        ("-name", Self::NameDown),
        ("joined", Self::Joined),
        ("-joined", Self::JoinedUp),
        ("active", Self::Active),
        ("-active", Self::ActiveUp),
        ("roles", Self::Roles),
        ("-roles", Self::RolesDown),
        ("status", Self::Status),
        ("-status", Self::StatusDown),
        ("end", Self::End),
        ("-end", Self::EndDown),
    ];

    pub(in crate::domain) const fn order(self) -> Order {
        let (column, is_text, descending) = match self {
            Self::Name => ("m.listed_as", true, false),
            Self::NameDown => ("m.listed_as", true, true),
            Self::Joined => ("m.joined_at", false, true),
            Self::JoinedUp => ("m.joined_at", false, false),
            Self::Active => ("COALESCE(m.last_active_at, m.joined_at)", false, true),
            Self::ActiveUp => ("COALESCE(m.last_active_at, m.joined_at)", false, false),
            Self::Roles => ("m.role_set", true, false),
            Self::RolesDown => ("m.role_set", true, true),
            Self::Status => ("m.status", true, false),
            Self::StatusDown => ("m.status", true, true),
            // As the index has it.
            Self::End => ("COALESCE(m.next_end_at, 9007199254740991)", false, false),
            Self::EndDown => ("COALESCE(m.next_end_at, 9007199254740991)", false, true),
        };
        Order { column, is_text, id: "m.id", descending }
    }
}
