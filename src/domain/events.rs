//! Stored audit events of all nouns: what may be filtered by, what Activity says, what the API prints.
//!
//! A noun declares its events in its `events.rs`, and [`EVENTS`] lists them.

use crate::domain::{
    base::event::{EventKind, EventRow, EventSentence},
    nouns::EVENTS,
};
use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};

static KINDS: LazyLock<HashMap<&str, EventKind>> =
    LazyLock::new(|| EVENTS.iter().flat_map(|noun| noun.kinds).map(|kind| (kind.kind, *kind)).collect());

static FILTER: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let kinds = EVENTS.iter().flat_map(|noun| noun.kinds);
    kinds.filter(|kind| kind.recorded_in.is_in_workspaces()).map(|kind| (kind.kind, kind.label)).collect()
});

/// The kinds by which a workspace's activity can be filtered, with their labels.
pub fn filter() -> &'static [(&'static str, &'static str)] {
    &FILTER
}

/// Whether a workspace's activity can be filtered by this kind.
pub fn is_in_filter(kind: &str) -> bool {
    find(kind).is_some_and(|kind| kind.recorded_in.is_in_workspaces())
}

/// What the type of a stored kind declares; `None` for one of another version.
pub(in crate::domain) fn find(kind: &str) -> Option<&'static EventKind> {
    KINDS.get(kind)
}

/// What Activity says of a stored event; `None` for one that this version can't read.
pub fn sentence(kind: &str, payload: &str, row: &EventRow<'_>) -> Option<EventSentence> {
    let mut sentence = (find(kind)?.sentence)(payload, row)?;
    if let Some(refusal) = &sentence.refusal {
        sentence.detail = reason(&refusal.reason).to_owned();
    }
    Some(sentence)
}

/// The fields of a stored event; `None` for one that this version can't read.
pub fn fields(kind: &str, payload: &str) -> Option<Value> {
    (find(kind)?.fields)(payload)
}

/// What Activity says of the reason of a refusal.
fn reason(word: &str) -> &'static str {
    let reason = EVENTS.iter().flat_map(|noun| noun.reasons).find(|reason| reason.word == word);
    // One that another version recorded.
    reason.map_or("not allowed", |reason| reason.label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        domain::base::event_groups::{GROUPS, group_of},
    };
    use std::{collections::BTreeSet, fs, path::Path};

    /// The source files of `domain`, as one text.
    fn sources() -> String {
        fn read(folder: &Path, all: &mut String) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    read(&path, all);
                } else {
                    // What a file's own tests declare is none of the product's.
                    let source = fs::read_to_string(&path).expect("a source");
                    all.push_str(source.split("#[cfg(test)]").next().unwrap_or_default());
                }
            }
        }
        let mut all = String::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain"), &mut all);
        all
    }

    /// What stands in the sources between each `start` and the `end` after it.
    fn declared<'a>(sources: &'a str, start: &str, end: &str) -> Vec<&'a str> {
        sources.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
    }

    fn kinds() -> impl Iterator<Item = &'static EventKind> {
        EVENTS.iter().flat_map(|noun| noun.kinds)
    }

    /// Breaks where a type is declared as an event and its noun does not list it, or the noun is not listed
    /// here; and where the stored name is not the type's.
    #[test]
    fn every_event_that_is_declared_is_registered() {
        let sources = sources();
        // Split, so that this line itself is none.
        let types: BTreeSet<String> = declared(&sources, concat!("impl Audit", "Event for "), " {")
            .into_iter()
            .map(snake_case)
            .collect();
        let registered: BTreeSet<String> = kinds().map(|kind| kind.name.to_owned()).collect();
        assert_eq!(types, registered);
    }

    fn snake_case(name: &str) -> String {
        let parts = name.chars().map(|c| match c.is_uppercase() {
            true => format!("_{}", c.to_lowercase()),
            false => c.to_string(),
        });
        parts.collect::<String>().trim_start_matches('_').to_owned()
    }

    #[test]
    fn every_reason_that_is_declared_is_registered() {
        let sources = sources();
        let words = declared(&sources, concat!("Audit", "Reason::new("), ",");
        let words: BTreeSet<&str> = words.into_iter().map(|word| word.trim().trim_matches('"')).collect();
        let registered: BTreeSet<&str> =
            EVENTS.iter().flat_map(|noun| noun.reasons).map(|reason| reason.word).collect();
        assert_eq!(words, registered);
    }

    fn assert_unique<'a>(what: &str, all: impl IntoIterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for one in all {
            assert!(!one.is_empty() && seen.insert(one), "{what} twice, or empty: “{one}”");
        }
    }

    #[test]
    fn nothing_is_declared_twice() {
        assert_unique("a name", kinds().map(|kind| kind.name));
        assert_unique("a kind", kinds().map(|kind| kind.kind));
        assert_unique("a label", kinds().map(|kind| kind.label));
        assert_unique("a reason", EVENTS.iter().flat_map(|noun| noun.reasons).map(|reason| reason.word));
        let sources = sources();
        let starts = [concat!("Conflict::", "new("), concat!("Gone::", "new("), concat!("code", ": \"")];
        let codes = starts.into_iter().flat_map(|start| declared(&sources, start, ","));
        assert_unique("a code", codes.map(|code| code.trim().trim_matches('"')));
    }

    /// Breaks where a noun records events whose kinds begin with another word: no receiver could choose them.
    #[test]
    fn every_kind_of_a_workspace_is_in_a_group_that_can_be_chosen() {
        let groups: BTreeSet<&str> = filter().iter().map(|(kind, _)| group_of(kind)).collect();
        let known: BTreeSet<&str> = GROUPS.iter().map(|(word, ..)| *word).collect();
        assert_eq!(groups, known);
    }

    /// Rows are never rewritten and the hash chain covers them: each of these is read, and is written as the
    /// same bytes.
    #[test]
    fn what_earlier_versions_stored_is_read_and_written_the_same() {
        for (kind, payload) in STORED {
            let event = find(kind).unwrap_or_else(|| panic!("{kind} is not known any more"));
            let fields = (event.fields)(payload).unwrap_or_else(|| panic!("{payload} is not read any more"));
            assert!(fields.is_object(), "{fields}");
            assert_eq!((event.rewrite)(payload).as_deref(), Some(*payload));
            let row = EventRow { target: "Somebody", at: Timestamp::default() };
            let sentence = sentence(kind, payload, &row).expect("a sentence");
            assert!(!sentence.verb.is_empty() && sentence.verb != *kind, "{kind}: {sentence:?}");
        }
    }

    #[test]
    fn an_event_of_an_earlier_version_is_read_without_the_ids_of_roles() {
        let stored = r#"{"member_roles_changed":{"before":["Viewer"],"after":["Editor"]}}"#;
        let event: crate::domain::nouns::members::events::MemberRolesChanged =
            crate::domain::base::event::read(stored).expect("an event");
        assert_eq!((event.before, event.ids.before), (vec!["Viewer".to_owned()], Vec::new()));
    }

    #[test]
    fn what_this_version_does_not_know_is_no_event() {
        let row = EventRow { target: "Somebody", at: Timestamp::default() };
        for (kind, payload) in [("member.cloned", "{\"member_cloned\":{}}"), ("member.suspended", "{}")] {
            assert_eq!(sentence(kind, payload, &row), None);
            assert_eq!(fields(kind, payload), None);
        }
    }

    /// One payload of each kind, as it was stored before the events were types of their own.
    #[rustfmt::skip]
    const STORED: &[(&str, &str)] = &[
        ("workspace.created", r#"{"workspace_created":{"name":"Acme","slug":"acme"}}"#),
        ("organization.origins-changed", r#"{"allowed_origins_changed":{"before":[],"after":["https://app.example.com"]}}"#),
        ("organization.updated", r#"{"organization_updated":{"name_before":"A","name_after":"B","slug_before":"a","slug_after":"b"}}"#),
        ("organization.deleted", r#"{"organization_deleted":{"name":"Acme","slug":"acme","members":7}}"#),
        ("organization.restored", r#"{"organization_restored":{"name":"Acme","slug":"acme"}}"#),
        ("organization.purged", r#"{"organization_purged":{"name":"Acme","slug":"acme"}}"#),
        ("member.roles-changed", r#"{"member_roles_changed":{"before":["Viewer"],"after":["Editor","Admin"],"ids":{"before":["00000000-0000-0000-0000-000000000001"],"after":["00000000-0000-0000-0000-000000000002","00000000-0000-0000-0000-000000000003"]}}}"#),
        ("member.suspended", r#"{"member_suspended":{"roles":["Viewer","Editor"]}}"#),
        ("member.reactivated", r#"{"member_reactivated":{"roles":["Viewer"]}}"#),
        ("member.removed", r#"{"member_removed":{"roles":["Viewer"],"invitations_cancelled":0}}"#),
        ("member.left", r#"{"member_left":{"roles":["Viewer"],"invitations_cancelled":2}}"#),
        ("ownership.offered", r#"{"ownership_offered":{"expires_at":1800000000000}}"#),
        ("ownership.withdrawn", r#"{"ownership_offer_withdrawn":{}}"#),
        ("ownership.declined", r#"{"ownership_offer_declined":{}}"#),
        ("ownership.handed-over", r#"{"ownership_handed_over":{"from":"Bob","before":["Viewer"],"after":["Owner"],"from_before":["Owner"],"from_after":["Admin","Viewer"]}}"#),
        ("invitation.sent", r#"{"invitation_sent":{"roles":["Viewer"],"expires_at":5}}"#),
        ("invitation.resent", r#"{"invitation_resent":{"roles":["Viewer"],"expires_at":5}}"#),
        ("invitation.cancelled", r#"{"invitation_cancelled":{"roles":["Viewer"]}}"#),
        ("invitation.accepted", r#"{"invitation_accepted":{"roles":["Viewer"],"invited_by":"Bob"}}"#),
        ("invitation.declined", r#"{"invitation_declined":{"roles":["Viewer"]}}"#),
        ("invitation.roles-changed", r#"{"invitation_roles_changed":{"before":["A"],"after":["B"]}}"#),
        ("role.created", r#"{"role_created":{"scopes":["read:audit","do:thing"]}}"#),
        ("role.updated", r#"{"role_updated":{"name_before":"A","name_after":"B","description_before":"","description_after":"For b"}}"#),
        ("role.scopes-changed", r#"{"role_scopes_changed":{"before":["a:b","c:d"],"after":["c:d","e:f"]}}"#),
        ("role.deleted", r#"{"role_deleted":{"scopes":["a:b"],"replaced_by":"Viewer","members":1,"invitations":0}}"#),
        ("team.created", r#"{"team_created":{"description":"For it"}}"#),
        ("team.updated", r#"{"team_updated":{"name_before":"A","name_after":"B","description_before":"x","description_after":""}}"#),
        ("team.deleted", r#"{"team_deleted":{"roles":["Viewer"],"people":0}}"#),
        ("team.roles-changed", r#"{"team_roles_changed":{"before":["A"],"after":[],"people":4,"ids":{"before":["00000000-0000-0000-0000-000000000001"],"after":["00000000-0000-0000-0000-000000000002","00000000-0000-0000-0000-000000000003"]}}}"#),
        ("team.member-added", r#"{"team_member_added":{"team":"Team","roles":["A"]}}"#),
        ("team.member-removed", r#"{"team_member_removed":{"team":"Team","roles":["A"]}}"#),
        ("team.lead-changed", r#"{"team_lead_changed":{"team":"Team","is_lead":false}}"#),
        ("api-key.created", r#"{"api_key_created":{"roles":["A"],"expires_at":1800000000000}}"#),
        ("api-key.added", r#"{"api_key_added":{"roles":["A"]}}"#),
        ("api-key.renamed", r#"{"api_key_renamed":{"name_before":"A","name_after":"B"}}"#),
        ("api-key.rotated", r#"{"api_key_rotated":{"overlap_ends_at":1700086400001}}"#),
        ("api-key.revoked", r#"{"api_key_revoked":{"roles":["A"]}}"#),
        ("api-key.admin-changed", r#"{"api_key_admin_changed":{"is_admin":false}}"#),
        ("member.provisioned", r#"{"user_provisioned":{"roles":["A"]}}"#),
        ("member.external-id-changed", r#"{"external_id_changed":{"before":"","after":"x"}}"#),
        ("resource.registered", r#"{"resource_registered":{"name":"Docs"}}"#),
        ("resource.owner-changed", r#"{"resource_owner_changed":{"owner":"Ada"}}"#),
        ("resource.forgotten", r#"{"resource_forgotten":{}}"#),
        ("member.added", r#"{"member_added":{"roles":["A"],"was_invited":false}}"#),
        ("member.renamed", r#"{"member_renamed":{"before":"A","after":"B"}}"#),
        ("member.address-changed", r#"{"member_address_changed":{"before":"a@example.com","after":"b@example.com"}}"#),
        ("account.updated", r#"{"account_updated":{"name_before":"A","name_after":"B","creation_before":"admins","creation_after":"people"}}"#),
        ("account.admin-changed", r#"{"account_admin_changed":{"is_admin":false}}"#),
        ("account.person-removed", r#"{"account_person_removed":{"was_admin":true}}"#),
        ("account.person-left", r#"{"account_person_left":{"was_admin":false}}"#),
        ("permission.changed", r#"{"permission_changed":{"permission":"read:audit","before":["Admin"],"after":[],"gained":0,"lost":1,"ids":{"before":["00000000-0000-0000-0000-000000000001"],"after":["00000000-0000-0000-0000-000000000002","00000000-0000-0000-0000-000000000003"]}}}"#),
        ("user.signed-up", r#"{"signed_up":{}}"#),
        ("user.signed-in", r#"{"signed_in":{}}"#),
        ("user.signed-out", r#"{"signed_out":{}}"#),
        ("user.email-confirmed", r#"{"email_confirmed":{"email":"a@example.com"}}"#),
        ("user.email-changed", r#"{"email_changed":{"before":"a@example.com","after":"b@example.com"}}"#),
        ("user.profile-updated", r#"{"profile_updated":{"name_before":"A","name_after":"B"}}"#),
        ("user.password-changed", r#"{"password_changed":{}}"#),
        ("user.password-reset", r#"{"password_reset":{}}"#),
        ("user.sessions-revoked", r#"{"sessions_revoked":{"count":1}}"#),
        ("user.deleted", r#"{"sign_in_deleted":{}}"#),
        ("sign-up.given-up", r#"{"sign_up_given_up":{"workspaces":1}}"#),
        ("audit.chain-started", r#"{"audit_chain_started":{}}"#),
        ("audit.checkpoint-signed", r#"{"audit_checkpoint_signed":{"chains":3,"digest":"00"}}"#),
        ("audit.names-erased", r#"{"audit_names_erased":{"names":2,"erasure":"00000000-0000-0000-0000-000000000000","digest":"00"}}"#),
        ("access.refused", r#"{"access_refused":{"route":"GET /w/{workspace}/activity","reason":"wrong-address"}}"#),
    ];
}
