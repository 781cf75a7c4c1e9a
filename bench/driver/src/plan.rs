//! How much of everything.

use crate::data::Group;
use std::time::Duration;

/// How long and how wide.
pub struct Plan {
    pub rounds: usize,
    pub round: Duration,
    pub connections: usize,
    /// The connections of load under which memory is looked at.
    pub wide: usize,
    /// Sign-ins at once.
    pub storm: usize,
    /// Connections that nobody reads from.
    pub idle: usize,
    /// Workspaces as they are seeded: the small one, the large one, the others.
    pub groups: Vec<Group>,
}

impl Plan {
    pub fn new(quick: bool) -> Self {
        let (members, workspaces, events) =
            if quick { (1_000, 20, 20_000) } else { (10_000, 1_000, 1_000_000) };
        Self {
            rounds: if quick { 2 } else { 5 },
            round: if quick { Duration::from_millis(400) } else { Duration::from_secs(2) },
            connections: 8,
            wide: 32,
            storm: if quick { 20 } else { 200 },
            idle: if quick { 500 } else { 10_000 },
            groups: vec![
                Group { workspaces: 1, members: 50, invitations: 50, events: 1_000 },
                Group { workspaces: 1, members, invitations: 1_000, events },
                Group { workspaces, members: 20, invitations: 0, events: 20 },
            ],
        }
    }

    /// 100,000 people, 10,000 workspaces, 1,000,000 events.
    pub fn growth(quick: bool) -> Self {
        let (members, workspaces, events) =
            if quick { (1_000, 100, 20_000) } else { (10_000, 9_999, 500_000) };
        let groups = vec![
            Group { workspaces: 1, members, invitations: 10_000.min(members), events },
            Group { workspaces, members: 9, invitations: 1, events: 50 },
        ];
        Self { groups, ..Self::new(quick) }
    }
}
