//! Billing: what a workspace pays for, from when on; invoices, one a month; payments.

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
                // A workspace that chose a plan, entered details, or bought something. All months before `invoiced_until`, which
                // is the first moment of one, are invoiced. Invitations add seats up to `grow_to` by themselves.
                "CREATE TABLE billing_profiles (
                    workspace_id {uuid} PRIMARY KEY NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    contact TEXT NOT NULL,
                    address TEXT NOT NULL,
                    tax_number TEXT NOT NULL,
                    grow_to {int} CHECK (grow_to > 0),
                    invoiced_until {int} NOT NULL
                ) {table}",
                "CREATE INDEX billing_profiles_due ON billing_profiles (invoiced_until, workspace_id)",
                // What is agreed from `starts_at` on, which may be in the future, until the next row. The price of a seat and
                // month is in the smallest unit of the currency; without a price there is no number of seats.
                "CREATE TABLE billing_terms (
                    workspace_id {uuid} NOT NULL REFERENCES billing_profiles (workspace_id) ON DELETE CASCADE,
                    starts_at {int} NOT NULL,
                    plan TEXT {bytewise} NOT NULL,
                    plan_name TEXT NOT NULL,
                    currency TEXT {bytewise} NOT NULL,
                    seat_price {int} NOT NULL CHECK (seat_price >= 0),
                    seats {int} CHECK (seats > 0),
                    max_seats {int} CHECK (max_seats > 0),
                    credits {int} NOT NULL CHECK (credits >= 0),
                    PRIMARY KEY (workspace_id, starts_at),
                    CHECK ((seat_price = 0) = (seats IS NULL))
                ) {keyed}",
                // Never changed but for `paid_at`. `month` is the first moment of one; `customer` and `seller` are what stood
                // there when it was issued, line by line. Invoices are the books of whoever runs the installation, so they
                // outlive the workspace: they name it, and do not refer to it.
                "CREATE TABLE invoices (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    number {int} NOT NULL UNIQUE,
                    month {int} NOT NULL,
                    currency TEXT {bytewise} NOT NULL,
                    total {int} NOT NULL CHECK (total > 0),
                    customer TEXT NOT NULL,
                    seller TEXT NOT NULL,
                    payment TEXT NOT NULL,
                    issued_at {int} NOT NULL,
                    due_at {int} NOT NULL,
                    paid_at {int},
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, month)
                ) {table}",
                "CREATE INDEX invoices_open ON invoices (due_at, id) WHERE paid_at IS NULL",
                "CREATE INDEX invoices_open_here ON invoices (workspace_id, due_at) WHERE paid_at IS NULL",
                "CREATE TABLE invoice_lines (
                    workspace_id {uuid} NOT NULL,
                    invoice_id {uuid} NOT NULL,
                    position {int} NOT NULL,
                    kind TEXT {bytewise} NOT NULL CHECK (kind IN ('seats', 'credits')),
                    name TEXT NOT NULL,
                    quantity {int} NOT NULL CHECK (quantity > 0),
                    unit_price {int} NOT NULL CHECK (unit_price > 0),
                    from_at {int} NOT NULL,
                    until_at {int} NOT NULL,
                    amount {int} NOT NULL CHECK (amount >= 0),
                    PRIMARY KEY (workspace_id, invoice_id, position),
                    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoices (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE TABLE payments (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    invoice_id {uuid} NOT NULL,
                    provider TEXT {bytewise} NOT NULL CHECK (provider IN ('manual')),
                    reference TEXT NOT NULL,
                    amount {int} NOT NULL CHECK (amount > 0),
                    received_at {int} NOT NULL,
                    UNIQUE (workspace_id, invoice_id),
                    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoices (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                // The last number of an invoice. Whoever issues one locks the row, so that no number is missing.
                "CREATE TABLE invoice_numbers (
                    id {int} PRIMARY KEY NOT NULL CHECK (id = 1),
                    last {int} NOT NULL
                ) {table}",
            ],
        )
        .await
    }
}
