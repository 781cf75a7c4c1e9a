//! What tables that strangers can make grow are cleaned by.

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
                "CREATE INDEX outbox_by_age ON outbox (created_at)",
                // Who signed up and never confirmed the address, the earliest first.
                "CREATE INDEX users_unconfirmed ON users (created_at, id)
                    WHERE email_verified_at IS NULL AND awaited_email IS NULL",
                // Users are deleted now: what names them is looked up by them.
                "CREATE INDEX members_of_voucher ON members (vouched_by) WHERE vouched_by IS NOT NULL",
                "CREATE INDEX members_of_enterer ON members (entered_by) WHERE entered_by IS NOT NULL",
                "CREATE INDEX members_of_inviter ON members (invited_by) WHERE invited_by IS NOT NULL",
                "CREATE INDEX invitations_of_sender ON invitations (inviter_id)",
                "CREATE INDEX former_members_of_user ON former_members (user_id, workspace_id)",
                "CREATE INDEX destinations_of_creator ON destinations (created_by)",
                "CREATE INDEX api_key_consents_of_giver ON api_key_consents (given_by)",
                "CREATE INDEX administration_requests_of_user ON administration_requests (user_id)",
                // How often the password was replaced. A browser is known for a sign-in only until then.
                "ALTER TABLE users ADD COLUMN browser_generation {int} NOT NULL DEFAULT 0",
            ],
        )
        .await
    }
}
