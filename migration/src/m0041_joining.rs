//! More ways into a workspace: teams of an invitation, links that several people can use, and domains whose people can
//! join by themselves.

use crate::sql;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        sql::WHOLE
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            &[
                "CREATE TABLE invitation_teams (
                    workspace_id {uuid} NOT NULL,
                    invitation_id {uuid} NOT NULL,
                    team_id {uuid} NOT NULL,
                    PRIMARY KEY (workspace_id, invitation_id, team_id),
                    FOREIGN KEY (workspace_id, invitation_id) REFERENCES invitations (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX invitation_teams_by_team ON invitation_teams (workspace_id, team_id)",
                // domains: the domains of the addresses that may use it, separated by spaces; empty for all. Whoever
                // made it, or took it over, answers for it: it is worth what they can invite with. Of a key, inviter_id is
                // the user who is accountable for it.
                "CREATE TABLE join_links (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    token_hash {blob} NOT NULL UNIQUE,
                    name TEXT NOT NULL,
                    inviter_id {uuid} NOT NULL REFERENCES users (id),
                    inviter_key_id {uuid} REFERENCES api_keys (id),
                    domains TEXT NOT NULL,
                    max_uses {int} NOT NULL,
                    uses {int} NOT NULL,
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    revoked_at {int},
                    UNIQUE (workspace_id, id),
                    CHECK (uses >= 0 AND uses <= max_uses)
                ) {table}",
                "CREATE INDEX join_links_by_age ON join_links (workspace_id, created_at, id)",
                "CREATE INDEX join_links_of_inviter ON join_links (inviter_id, workspace_id)",
                "CREATE INDEX join_links_of_key ON join_links (workspace_id, inviter_key_id)",
                "CREATE TABLE join_link_roles (
                    workspace_id {uuid} NOT NULL,
                    link_id {uuid} NOT NULL,
                    role_id {uuid} NOT NULL,
                    PRIMARY KEY (workspace_id, link_id, role_id),
                    FOREIGN KEY (workspace_id, link_id) REFERENCES join_links (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX join_link_roles_by_role ON join_link_roles (workspace_id, role_id)",
                "CREATE TABLE join_link_teams (
                    workspace_id {uuid} NOT NULL,
                    link_id {uuid} NOT NULL,
                    team_id {uuid} NOT NULL,
                    PRIMARY KEY (workspace_id, link_id, team_id),
                    FOREIGN KEY (workspace_id, link_id) REFERENCES join_links (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX join_link_teams_by_team ON join_link_teams (workspace_id, team_id)",
                "CREATE TABLE join_link_uses (
                    workspace_id {uuid} NOT NULL,
                    link_id {uuid} NOT NULL,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    used_at {int} NOT NULL,
                    PRIMARY KEY (workspace_id, link_id, user_id),
                    FOREIGN KEY (workspace_id, link_id) REFERENCES join_links (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX join_link_uses_by_time ON join_link_uses (workspace_id, link_id, used_at, user_id)",
                "CREATE INDEX join_link_uses_of_user ON join_link_uses (user_id)",
                // challenge: what the domain's DNS must say. checked_at: when it last said so.
                "CREATE TABLE join_domains (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    domain TEXT {bytewise} NOT NULL,
                    role_id {uuid} NOT NULL,
                    inviter_id {uuid} NOT NULL REFERENCES users (id),
                    inviter_key_id {uuid} REFERENCES api_keys (id),
                    challenge TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    verified_at {int},
                    checked_at {int},
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, domain),
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX join_domains_verified ON join_domains (domain, id) WHERE verified_at IS NOT NULL",
                "CREATE INDEX join_domains_by_role ON join_domains (workspace_id, role_id)",
                "CREATE INDEX join_domains_of_inviter ON join_domains (inviter_id, workspace_id)",
                // A key is found by how its secret ends.
                "CREATE INDEX api_key_secrets_by_hint ON api_key_secrets (hint, api_key_id)",
                "CREATE INDEX join_domains_of_key ON join_domains (workspace_id, inviter_key_id)",
            ],
        )
        .await
    }
}
