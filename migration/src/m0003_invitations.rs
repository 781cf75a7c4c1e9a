//! Offers of membership. Kept for ever in every state; only one pending a workspace and address.

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
                "CREATE TABLE invitations (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    email TEXT NOT NULL,
                    message TEXT NOT NULL,
                    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'cancelled', 'expired')),
                    inviter_id {uuid} NOT NULL REFERENCES users (id),
                    created_at {int} NOT NULL,
                    sent_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    ended_at {int},
                    UNIQUE (workspace_id, id)
                ) {table}",
                "CREATE UNIQUE INDEX invitations_one_pending ON invitations (workspace_id, email) WHERE status = 'pending'",
                "CREATE INDEX invitations_by_age ON invitations (workspace_id, created_at, id)",
                "CREATE INDEX invitations_by_status ON invitations (workspace_id, status, created_at, id)",
                "CREATE INDEX invitations_of_inviter ON invitations (workspace_id, inviter_id)",
                "CREATE INDEX invitations_to ON invitations (email, status)",
                "CREATE TABLE invitation_roles (
                    workspace_id {uuid} NOT NULL,
                    invitation_id {uuid} NOT NULL,
                    role_id {uuid} NOT NULL,
                    PRIMARY KEY (workspace_id, invitation_id, role_id),
                    FOREIGN KEY (workspace_id, invitation_id) REFERENCES invitations (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX invitation_roles_by_role ON invitation_roles (workspace_id, role_id)",
                // proves_address: this token went out by mail alone, so its bearer reads that mailbox.
                // The one that the inviter is shown proves nothing about the address.
                // A superseded token is kept, so that its link can say that a newer one was sent.
                "CREATE TABLE invitation_tokens (
                    token_hash {blob} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    invitation_id {uuid} NOT NULL,
                    proves_address {bool} NOT NULL,
                    superseded_at {int},
                    FOREIGN KEY (workspace_id, invitation_id) REFERENCES invitations (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX invitation_tokens_of ON invitation_tokens (workspace_id, invitation_id)",
            ],
        )
        .await
    }
}
