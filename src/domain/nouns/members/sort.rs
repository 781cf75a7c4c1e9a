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
}

impl Sort {
    pub const ALL: [(&'static str, Self); 6] = [
        ("name", Self::Name),
        ("-name", Self::NameDown),
        ("joined", Self::Joined),
        ("-joined", Self::JoinedUp),
        ("active", Self::Active),
        ("-active", Self::ActiveUp),
    ];

    pub(in crate::domain) const fn order(self) -> Order {
        let (column, is_text, descending) = match self {
            Self::Name => ("m.listed_as", true, false),
            Self::NameDown => ("m.listed_as", true, true),
            Self::Joined => ("m.joined_at", false, true),
            Self::JoinedUp => ("m.joined_at", false, false),
            Self::Active => ("COALESCE(m.last_active_at, m.joined_at)", false, true),
            Self::ActiveUp => ("COALESCE(m.last_active_at, m.joined_at)", false, false),
        };
        Order { column, is_text, id: "m.id", descending }
    }
}
