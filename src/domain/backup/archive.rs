//! What an archive of one workspace has: rows of tables, without anything that is a secret or that belongs to others.
//!
//! [`TABLES`] decides that for each table of the schema. What triggers and the program derive from other rows is left out,
//! and derived again where an archive is imported.

use crate::domain::backup::{
    snapshot::Snapshot,
    tables::{Cell, Column, Table},
};
use sea_orm::{DbBackend, DbErr};
use uuid::Uuid;

/// Whether rows of a table are in an archive.
#[derive(Clone, Copy, Debug)]
pub enum Archived {
    /// Those that meet this condition, in which `{w}` is the workspace.
    Where(&'static str),
    /// None, for this reason.
    Not(&'static str),
}

/// The people of a workspace, and those whom its rows name.
const PEOPLE: &str = "id IN (SELECT user_id FROM members WHERE workspace_id = {w} AND user_id IS NOT NULL
    UNION SELECT invited_by FROM members WHERE workspace_id = {w}
    UNION SELECT vouched_by FROM members WHERE workspace_id = {w}
    UNION SELECT entered_by FROM members WHERE workspace_id = {w}
    UNION SELECT inviter_id FROM invitations WHERE workspace_id = {w}
    UNION SELECT created_by FROM destinations WHERE workspace_id = {w}
    UNION SELECT user_id FROM former_members WHERE workspace_id = {w}
    UNION SELECT made_by FROM api_keys WHERE id IN (SELECT api_key_id FROM members WHERE workspace_id = {w}
        UNION SELECT entered_by_key FROM members WHERE workspace_id = {w}
        UNION SELECT inviter_key_id FROM invitations WHERE workspace_id = {w}
        UNION SELECT created_by_key_id FROM destinations WHERE workspace_id = {w}))";

const KEYS: &str = "id IN (SELECT api_key_id FROM members WHERE workspace_id = {w}
    UNION SELECT entered_by_key FROM members WHERE workspace_id = {w}
    UNION SELECT inviter_key_id FROM invitations WHERE workspace_id = {w}
    UNION SELECT created_by_key_id FROM destinations WHERE workspace_id = {w})";

const OWN: Archived = Archived::Where("workspace_id = {w}");
const SECRET: Archived = Archived::Not("it holds secrets");
const SHORT: Archived = Archived::Not("it is what goes on at the moment");
const OTHERS: Archived = Archived::Not("it is about the account, and about other workspaces");
const INSTALLATION: Archived = Archived::Not("it is between the workspace and who runs this installation");
const DERIVED: Archived = Archived::Not("it is derived from other rows");
const PERSONAL: Archived = Archived::Not("it is what people chose for themselves");
const EVENTS: &str = "event_id IN (SELECT id FROM audit_events WHERE workspace_id = {w})";

/// Every table of the schema. A test compares this list with the schema.
pub const TABLES: &[(&str, Archived)] = &[
    ("access_requests", SHORT),
    ("account_people", DERIVED),
    ("accounts", Archived::Where("id = (SELECT account_id FROM workspaces WHERE id = {w})")),
    ("administration_requests", OTHERS),
    ("allowed_origins", OWN),
    ("api_key_consents", OTHERS),
    ("api_key_secrets", SECRET),
    ("api_keys", Archived::Where(KEYS)),
    ("attention_snoozes", PERSONAL),
    ("audit_chains", Archived::Where("kind = 'workspace' AND id = {w}")),
    ("audit_checkpoint_heads", OTHERS),
    ("audit_checkpoints", OTHERS),
    ("audit_erasures", Archived::Where(EVENTS)),
    ("audit_events", OWN),
    ("audit_identities", Archived::Where(EVENTS)),
    ("billing_profiles", INSTALLATION),
    ("billing_terms", INSTALLATION),
    ("credit_accounts", OWN),
    ("credit_days", OWN),
    ("credit_holds", OWN),
    ("credit_ledgers", OWN),
    ("credit_purchases", INSTALLATION),
    ("credit_requests", OWN),
    ("credit_transfers", OWN),
    ("destination_credentials", SECRET),
    ("destination_senders", OWN),
    ("destinations", OWN),
    ("email_tokens", SECRET),
    ("event_attempts", SHORT),
    ("event_deliveries", SHORT),
    ("event_endpoints", SECRET),
    ("export_parts", SHORT),
    ("exports", SHORT),
    ("first_person", OTHERS),
    ("first_sign_ups", OTHERS),
    ("former_members", OWN),
    ("gateway_leases", SHORT),
    ("grants", OWN),
    ("headcounts", DERIVED),
    ("idempotency_keys", SHORT),
    ("invitation_roles", OWN),
    ("invitation_teams", OWN),
    ("invitation_tokens", SECRET),
    ("invitations", OWN),
    ("invoice_lines", INSTALLATION),
    ("invoice_numbers", INSTALLATION),
    ("invoices", INSTALLATION),
    ("join_domains", Archived::Not("it was proved to this installation")),
    ("join_link_roles", SECRET),
    ("join_link_teams", SECRET),
    ("join_link_uses", SECRET),
    ("join_links", SECRET),
    ("mail_choices", PERSONAL),
    ("member_roles", OWN),
    ("members", OWN),
    ("notices", SHORT),
    ("outbox", SHORT),
    ("ownership_offers", OWN),
    ("payments", INSTALLATION),
    ("provider_customers", INSTALLATION),
    ("provider_events", INSTALLATION),
    ("provider_invoices", INSTALLATION),
    ("purchase_ceilings", INSTALLATION),
    ("rate_limits", SHORT),
    ("resources", OWN),
    ("roles", OWN),
    ("sessions", SECRET),
    ("support_answers", INSTALLATION),
    ("support_grants", INSTALLATION),
    ("support_requests", INSTALLATION),
    ("support_views", INSTALLATION),
    ("team_members", OWN),
    ("team_roles", OWN),
    ("teams", OWN),
    ("traffic", OWN),
    ("traffic_days", OWN),
    ("user_choices", PERSONAL),
    ("users", Archived::Where(PEOPLE)),
    ("workspaces", Archived::Where("id = {w}")),
];

/// Columns that have another value in an archive than in the database, with that value.
const BLANK: &[(&str, &str, Blank)] = &[
    ("users", "password_hash", Blank::Text("")),
    ("users", "browser_generation", Blank::Integer(0)),
    // Until somebody turns them on again: their secret stays where it is.
    ("destinations", "receives_events", Blank::Integer(0)),
    ("destinations", "event_path", Blank::Null),
    ("destinations", "event_kinds", Blank::Null),
    ("invitations", "mail_id", Blank::Null),
    // Counted again, by triggers.
    ("accounts", "people", Blank::Integer(0)),
    // Rights in the account are no matter of a workspace.
    ("api_keys", "is_admin", Blank::Integer(0)),
    ("members", "sessions_from", Blank::Null),
    ("workspaces", "support_until", Blank::Null),
    ("audit_chains", "sealed", Blank::Integer(0)),
];

#[derive(Clone, Copy)]
enum Blank {
    Null,
    Integer(i64),
    Text(&'static str),
}

/// The tables of an archive, with the conditions of their rows.
pub fn archived() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLES.iter().filter_map(|(table, archived)| match archived {
        Archived::Where(condition) => Some((*table, *condition)),
        Archived::Not(_) => None,
    })
}

/// Replaces what an archive has no values of. Also on the way back, whatever an archive says.
pub fn blank(table: &str, columns: &[Column], row: &mut [Cell]) {
    for (column, cell) in columns.iter().zip(row) {
        let blank = BLANK.iter().find(|(of, name, _)| *of == table && *name == column.name);
        if let Some((.., blank)) = blank {
            *cell = match blank {
                Blank::Null => Cell::Null,
                Blank::Integer(number) => Cell::Integer(*number),
                Blank::Text(text) => Cell::Text((*text).to_owned()),
            };
        }
    }
}

/// An id, as a literal of the database.
pub(super) fn literal(backend: DbBackend, id: Uuid) -> String {
    match backend {
        DbBackend::Postgres => format!("CAST('{id}' AS uuid)"),
        _ => format!("X'{}'", id.simple()),
    }
}

/// The condition of a table, as the end of a statement.
fn selecting(condition: &str, backend: DbBackend, workspace: Uuid) -> String {
    format!(" WHERE {}", condition.replace("{w}", &literal(backend, workspace)))
}

impl Snapshot {
    /// The tables of an archive, as far as the schema has them.
    pub fn archived(&self) -> Vec<(Table, &'static str)> {
        let find = |name: &str| self.tables.iter().find(|table| table.table == name).cloned();
        archived().filter_map(|(name, condition)| Some((find(name)?, condition))).collect()
    }

    /// How many rows the archive of a workspace has.
    ///
    /// # Errors
    /// The database's own.
    pub async fn count_of_workspace(&mut self, workspace: Uuid) -> Result<i64, DbErr> {
        let mut count = 0;
        for (table, condition) in self.archived() {
            let condition = selecting(condition, self.backend(), workspace);
            count += self.count(&table, &condition).await?;
        }
        Ok(count)
    }

    /// Gives every row of a table that is in the archive of a workspace to `each`, blanked.
    ///
    /// # Errors
    /// The database's own, or that of `each`.
    pub async fn rows_of_workspace<E: From<DbErr>>(
        &mut self,
        table: &Table,
        condition: &str,
        workspace: Uuid,
        mut each: impl AsyncFnMut(&[Cell]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let condition = selecting(condition, self.backend(), workspace);
        self.selected(table, &condition, async |row| {
            blank(&table.table, &table.columns, row);
            if table.table == "api_keys" {
                keep_home(&table.columns, row, workspace);
            }
            each(row).await
        })
        .await
    }
}

/// Another workspace as the home of a key is left out.
fn keep_home(columns: &[Column], row: &mut [Cell], workspace: Uuid) {
    let home = columns.iter().position(|column| column.name == "home_id");
    if let Some(cell) = home.and_then(|at| row.get_mut(at))
        && *cell != Cell::Bytes(workspace.as_bytes().to_vec())
    {
        *cell = Cell::Null;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{backup::tables, base::schema};
    use std::collections::BTreeSet;

    /// A new table is in archives or not, and somebody has said why.
    #[tokio::test]
    async fn every_table_is_decided_on() {
        let schema: BTreeSet<String> =
            tables::names(schema::count()).await.expect("the schema").into_iter().collect();
        let decided: BTreeSet<String> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(decided, schema, "left: decided in this file, right: the tables of the schema");
    }
}
