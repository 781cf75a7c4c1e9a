//! Purchases of credits: what was bought, what waits for approval, and what the workspace allows.

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
                // What costs more than this is bought once somebody else approves it; NULL: nothing needs approval.
                "ALTER TABLE billing_profiles ADD COLUMN approve_above {int} CHECK (approve_above >= 0)",
                // What everybody with a role can buy in a month, together.
                "CREATE TABLE purchase_ceilings (
                    workspace_id {uuid} NOT NULL,
                    role_id {uuid} NOT NULL,
                    amount {int} NOT NULL CHECK (amount >= 0),
                    PRIMARY KEY (workspace_id, role_id),
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                // A pack as it was when it was asked for. `client_id` is the id of the request, so that it is bought once.
                // `role` is the slug of the one whose ceiling it counts against. A request is over at `expires_at`. What was
                // bought stands on the invoice of `month`, the first moment of one; `paid_at` is when that was paid.
                "CREATE TABLE credit_purchases (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    client_id TEXT {bytewise} NOT NULL,
                    pack TEXT {bytewise} NOT NULL,
                    name TEXT NOT NULL,
                    credits {int} NOT NULL CHECK (credits > 0),
                    days {int} NOT NULL CHECK (days > 0),
                    price {int} NOT NULL CHECK (price > 0),
                    currency TEXT {bytewise} NOT NULL,
                    status TEXT {bytewise} NOT NULL CHECK (status IN ('pending', 'bought', 'declined', 'withdrawn')),
                    role TEXT {bytewise} NOT NULL,
                    requested_by {uuid} REFERENCES users (id) ON DELETE SET NULL,
                    api_key_id {uuid} REFERENCES api_keys (id) ON DELETE SET NULL,
                    requested_at {int} NOT NULL,
                    expires_at {int},
                    decided_by {uuid} REFERENCES users (id) ON DELETE SET NULL,
                    decided_at {int},
                    transfer_id {uuid},
                    month {int},
                    paid_at {int},
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, client_id),
                    CHECK ((status = 'pending') = (decided_at IS NULL)),
                    CHECK ((status = 'bought') = (transfer_id IS NOT NULL)),
                    CHECK ((status = 'bought') = (month IS NOT NULL))
                ) {table}",
                "CREATE INDEX credit_purchases_by_time ON credit_purchases (workspace_id, requested_at, id)",
                "CREATE INDEX credit_purchases_pending ON credit_purchases (workspace_id, expires_at, id)
                    WHERE status = 'pending'",
                "CREATE INDEX credit_purchases_of_month ON credit_purchases (workspace_id, month, decided_at, id)
                    WHERE status = 'bought'",
                "CREATE INDEX credit_purchases_unpaid ON credit_purchases (workspace_id, id)
                    WHERE status = 'bought' AND paid_at IS NULL",
                "CREATE INDEX credit_purchases_of_person ON credit_purchases (workspace_id, requested_by)",
                "CREATE INDEX credit_purchases_of_user ON credit_purchases (requested_by)",
                "CREATE INDEX credit_purchases_of_decider ON credit_purchases (decided_by) WHERE decided_by IS NOT NULL",
                "CREATE INDEX credit_purchases_of_key ON credit_purchases (api_key_id) WHERE api_key_id IS NOT NULL",
            ],
        )
        .await
    }
}
