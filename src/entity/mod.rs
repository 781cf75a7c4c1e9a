//! One file per table, no logic. Times are milliseconds since 1970, ids uuid v7.
//!
//! A table whose rows belong to one workspace says so in its own file, by [`InWorkspace`].

pub mod access_request;
pub mod account;
pub mod account_person;
pub mod administration_request;
pub mod allowed_origin;
pub mod api_key;
pub mod api_key_consent;
pub mod api_key_secret;
pub mod attention_snooze;
pub mod audit_event;
pub mod audit_identity;
pub mod destination;
pub mod destination_credential;
pub mod destination_sender;
pub mod email_token;
pub mod event_attempt;
pub mod event_delivery;
pub mod event_endpoint;
pub mod export;
pub mod export_part;
pub mod former_member;
pub mod gateway_lease;
pub mod grant;
pub mod invitation;
pub mod invitation_role;
pub mod invitation_team;
pub mod invitation_token;
pub mod join_domain;
pub mod join_link;
pub mod join_link_role;
pub mod join_link_team;
pub mod join_link_use;
pub mod mail_choice;
pub mod member;
pub mod member_role;
pub mod notice;
pub mod outbox_message;
pub mod ownership_offer;
pub mod resource;
pub mod role;
pub mod session;
pub mod support_answer;
pub mod support_grant;
pub mod support_request;
pub mod support_view;
pub mod team;
pub mod team_member;
pub mod team_role;
pub mod traffic;
pub mod traffic_day;
pub mod user;
pub mod workspace;

use sea_orm::EntityTrait;

/// A table whose rows belong to one workspace each. Only such rows are found, inserted, changed and
/// deleted through a handle on a workspace, and always filtered by this column.
pub(crate) trait InWorkspace: EntityTrait {
    const WORKSPACE: Self::Column;
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// A table that forgets it could be reached only by SQL that somebody wrote out, with no filter but
    /// the one that they think of.
    #[test]
    fn every_table_with_a_workspace_belongs_to_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/entity");
        let mut belonging = 0;
        for file in fs::read_dir(folder).expect("the folder of the entities") {
            let path = file.expect("a file").path();
            if path.ends_with("mod.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("its text");
            let has_workspace = text.lines().any(|line| line.trim() == "pub workspace_id: Uuid,");
            let says_so = text.contains("InWorkspace for Entity");
            assert_eq!(has_workspace, says_so, "{}: see entity::InWorkspace", path.display());
            belonging += usize::from(says_so);
        }
        assert!(belonging > 10, "only {belonging} tables belong to a workspace");
    }
}
