//! A provider on the network collects what invoices amount to: who pays there, which invoice is which there, and what it
//! sent.

use crate::sql;
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        sql::WHOLE
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite can't change what a column may hold.
        sql::run_on(
            DbBackend::Sqlite,
            manager,
            &[
                "ALTER TABLE payments RENAME TO payments_before",
                "CREATE TABLE payments (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    invoice_id {uuid} NOT NULL,
                    provider TEXT {bytewise} NOT NULL CHECK (provider IN ('manual', 'stripe')),
                    reference TEXT NOT NULL,
                    amount {int} NOT NULL CHECK (amount > 0),
                    received_at {int} NOT NULL,
                    UNIQUE (workspace_id, invoice_id),
                    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoices (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "INSERT INTO payments (id, workspace_id, invoice_id, provider, reference, amount, received_at)
                    SELECT id, workspace_id, invoice_id, provider, reference, amount, received_at FROM payments_before",
                "DROP TABLE payments_before",
            ],
        )
        .await?;
        sql::run_on(
            DbBackend::Postgres,
            manager,
            &[
                "ALTER TABLE payments DROP CONSTRAINT payments_provider_check",
                "ALTER TABLE payments ADD CONSTRAINT payments_provider_check CHECK (provider IN ('manual', 'stripe'))",
            ],
        )
        .await?;
        sql::run(
            manager,
            &[
                // What a provider collected once pays one invoice. What people note, such as a bank statement, may be the
                // same for several.
                "CREATE UNIQUE INDEX payments_of_provider ON payments (provider, reference) WHERE provider <> 'manual'",
                // Who pays, under the id that the provider has for them. `session` is a page for payment methods that was
                // opened there. It is looked at again at `due_at`, which moves while somebody does; NULL for never. The name
                // or the contact changed at `details_at`, and the provider has not been told; NULL for neither.
                // `refusals` counts those of Stripe: each request has the number in its key.
                "CREATE TABLE provider_customers (
                    workspace_id {uuid} PRIMARY KEY NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    provider TEXT {bytewise} NOT NULL CHECK (provider IN ('stripe')),
                    customer TEXT {bytewise} NOT NULL UNIQUE,
                    has_method {bool} NOT NULL,
                    session TEXT {bytewise},
                    details_at {int},
                    due_at {int},
                    refusals {int} NOT NULL DEFAULT 0,
                    failures {int} NOT NULL DEFAULT 0,
                    created_at {int} NOT NULL
                ) {table}",
                "CREATE INDEX provider_customers_due ON provider_customers (due_at, workspace_id) WHERE due_at IS NOT NULL",
                // An invoice that is collected there, under its id there. `page` is where it can be paid, and `problem` what
                // stands in the way, in a sentence; both may be empty. `settling_at` is when the provider was to be told
                // that it was paid in another way. As the invoice does, the row outlives the workspace.
                "CREATE TABLE provider_invoices (
                    workspace_id {uuid} NOT NULL,
                    invoice_id {uuid} NOT NULL,
                    provider TEXT {bytewise} NOT NULL CHECK (provider IN ('stripe')),
                    provider_id TEXT {bytewise} UNIQUE,
                    status TEXT {bytewise} NOT NULL
                        CHECK (status IN ('waiting', 'open', 'paid', 'settled', 'closed', 'differs', 'twice', 'by_hand')),
                    page TEXT NOT NULL DEFAULT '',
                    problem TEXT NOT NULL DEFAULT '',
                    settling_at {int},
                    due_at {int},
                    refusals {int} NOT NULL DEFAULT 0,
                    failures {int} NOT NULL DEFAULT 0,
                    PRIMARY KEY (workspace_id, invoice_id),
                    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoices (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX provider_invoices_due ON provider_invoices (due_at, invoice_id) WHERE due_at IS NOT NULL",
                // The messages that came, so that the same one does nothing again.
                "CREATE TABLE provider_events (
                    id TEXT {bytewise} PRIMARY KEY NOT NULL,
                    kind TEXT NOT NULL,
                    received_at {int} NOT NULL
                ) {table}",
                "CREATE INDEX provider_events_by_time ON provider_events (received_at)",
            ],
        )
        .await
    }
}
