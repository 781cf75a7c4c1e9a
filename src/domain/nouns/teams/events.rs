//! Audit events of teams.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
    role::RoleIds,
    words::{nonempty, pluralize},
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<TeamCreated>(),
    EventKind::of::<TeamUpdated>(),
    EventKind::of::<TeamDeleted>(),
    EventKind::of::<TeamRolesChanged>(),
    EventKind::of::<TeamMemberAdded>(),
    EventKind::of::<TeamMemberRemoved>(),
    EventKind::of::<TeamLeadChanged>(),
]);

pub(in crate::domain) const TEAM: TargetKind = TargetKind::new("team");

/// A team was created, with nobody in it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamCreated {
    pub description: String,
}

impl AuditEvent for TeamCreated {
    const NAME: &'static str = "team_created";
    const KIND: &'static str = "team.created";
    const LABEL: &'static str = "Team created";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("created the team", row.target);
        match self.description.as_str() {
            "" => sentence,
            description => sentence.detail(format!("“{description}”")),
        }
    }
}

/// A team got another name or description.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamUpdated {
    pub name_before: String,
    pub name_after: String,
    pub description_before: String,
    pub description_after: String,
}

impl AuditEvent for TeamUpdated {
    const NAME: &'static str = "team_updated";
    const KIND: &'static str = "team.updated";
    const LABEL: &'static str = "Team details changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the details of the team", row.target)
            .before(nonempty([&self.name_before, &self.description_before]))
            .after(nonempty([&self.name_after, &self.description_after]))
    }
}

/// A team was deleted; its people stay members.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamDeleted {
    pub roles: Vec<String>,
    pub people: i64,
}

impl AuditEvent for TeamDeleted {
    const NAME: &'static str = "team_deleted";
    const KIND: &'static str = "team.deleted";
    const LABEL: &'static str = "Team deleted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("deleted the team", row.target)
            .before(self.roles.clone())
            .detail(in_it(self.people))
    }
}

/// The roles of a team changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamRolesChanged {
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub people: i64,
    #[serde(default)]
    pub ids: RoleIds,
}

impl AuditEvent for TeamRolesChanged {
    const NAME: &'static str = "team_roles_changed";
    const KIND: &'static str = "team.roles-changed";
    const LABEL: &'static str = "Roles of a team changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the roles of the team", row.target)
            .before(self.before.clone())
            .after(self.after.clone())
            .detail(in_it(self.people))
    }
}

/// A member was added to a team, and holds its roles.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamMemberAdded {
    pub team: String,
    pub roles: Vec<String>,
}

impl AuditEvent for TeamMemberAdded {
    const NAME: &'static str = "team_member_added";
    const KIND: &'static str = "team.member-added";
    const LABEL: &'static str = "Added to a team";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("added", row.target)
            .rest(format!("to the team {}", self.team))
            .after(self.roles.clone())
    }
}

/// A member was removed from a team, and lost its roles.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamMemberRemoved {
    pub team: String,
    pub roles: Vec<String>,
}

impl AuditEvent for TeamMemberRemoved {
    const NAME: &'static str = "team_member_removed";
    const KIND: &'static str = "team.member-removed";
    const LABEL: &'static str = "Removed from a team";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("removed", row.target)
            .rest(format!("from the team {}", self.team))
            .before(self.roles.clone())
    }
}

/// A member became a lead of a team, or is no longer one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct TeamLeadChanged {
    pub team: String,
    pub is_lead: bool,
}

impl AuditEvent for TeamLeadChanged {
    const NAME: &'static str = "team_lead_changed";
    const KIND: &'static str = "team.lead-changed";
    const LABEL: &'static str = "Team lead changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let lead = if self.is_lead { "a lead" } else { "as a lead" };
        EventSentence::new(if self.is_lead { "made" } else { "removed" }, row.target)
            .rest(format!("{lead} of the team {}", self.team))
    }
}

fn in_it(people: i64) -> String {
    match people {
        0 => "with nobody in it".to_owned(),
        people => format!("with {} in it", pluralize(people, "person", "people")),
    }
}
