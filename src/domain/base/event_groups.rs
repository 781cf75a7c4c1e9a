//! Groups of events: what stands before the dot in their kinds. A receiver chooses among them.

use crate::domain::base::invalid::Invalid;
use std::{collections::BTreeSet, fmt};

/// The group of a kind: `member` of `member.suspended`.
pub fn group_of(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(group, _)| group)
}

/// The groups that a workspace's record has: the word, the label, and what is in it. A test compares them with the kinds
/// of all nouns.
pub const GROUPS: [(&str, &str, &str); 18] = [
    ("member", "Members", "Roles, suspensions, who joined and who left."),
    ("invitation", "Invitations", "Sent, accepted, declined and cancelled."),
    ("access-request", "Access requests", "Asked for, accepted, declined and withdrawn."),
    ("ownership", "Ownership", "Offers to transfer the workspace."),
    ("role", "Roles", "Created, renamed, deleted, and what they hold."),
    ("permission", "Permissions", "Which roles have a permission."),
    ("team", "Teams", "Teams, their members and their roles."),
    ("api-key", "API keys", "Created, rotated, revoked."),
    ("resource", "Resources", "Registered, removed, and whose they are."),
    ("destination", "Destinations", "Hosts, and events that go to them."),
    ("credit", "Credits", "Granted, bought and corrected, and who is notified when they run low."),
    ("billing", "Billing", "Plan, seats, invoices and payments."),
    ("data", "Exports", "What left the workspace as a file."),
    ("organization", "Organization", "Name, address and websites of the workspace."),
    ("workspace", "Workspace", "The creation of the workspace."),
    ("support", "Support", "Requests for support, and support access."),
    ("account", "Account", "Who administers the account."),
    ("access", "Refused requests", "What someone tried and may not do."),
];

/// Some groups, all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventGroups(BTreeSet<String>);

impl EventGroups {
    /// Those that were chosen.
    ///
    /// # Errors
    /// On the field `kind`, if there is none, or one that does not exist.
    pub fn chosen(words: &[String]) -> Result<Self, Invalid> {
        if words.is_empty() {
            return Err(Invalid::field("kind", "Choose at least one kind of event."));
        }
        if words.iter().any(|word| !GROUPS.iter().any(|(group, ..)| group == word)) {
            return Err(Invalid::field("kind", "Choose among the kinds of events on this page."));
        }
        Ok(Self(words.iter().cloned().collect()))
    }

    /// As [`fmt::Display`] wrote them.
    pub fn parse_stored(text: &str) -> Self {
        Self(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// Whether an event of this kind is in one of them.
    pub fn includes(&self, kind: &str) -> bool {
        self.0.contains(group_of(kind))
    }

    /// Whether the group is among them.
    pub fn has(&self, group: &str) -> bool {
        self.0.contains(group)
    }

    pub fn words(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }

    /// Their labels, in the order of [`GROUPS`].
    pub fn labels(&self) -> Vec<String> {
        GROUPS.iter().filter(|(word, ..)| self.has(word)).map(|(_, label, _)| (*label).to_owned()).collect()
    }
}

impl fmt::Display for EventGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_stored_and_include_the_kinds_of_their_word_alone() {
        let words = ["api-key".to_owned(), "member".to_owned()];
        let groups = EventGroups::chosen(&words).expect("two groups");
        assert_eq!(EventGroups::parse_stored(&groups.to_string()), groups);
        assert!(groups.includes("member.suspended") && groups.includes("api-key.rotated"));
        assert!(!groups.includes("membership.odd") && !groups.includes("team.created"));
        assert_eq!(groups.labels(), ["Members", "API keys"]);
        assert!(EventGroups::chosen(&[]).is_err() && EventGroups::chosen(&["odd".into()]).is_err());
    }
}
