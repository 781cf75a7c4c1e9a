//! What the database's own catalogue says: which tables there are, which of them belong to a tenant, and
//! how their rows refer to each other. A new table is part of it as soon as its migration is.

use super::{Backend, FromBackend, TestApp, both, run};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::OnceCell;

/// Every table, by its name.
pub struct Catalogue {
    tables: BTreeMap<String, Table>,
}

#[derive(Default)]
struct Table {
    columns: BTreeSet<String>,
    /// By the name or number of the constraint.
    references: BTreeMap<String, Reference>,
}

#[derive(Default)]
struct Reference {
    to: String,
    /// Each column with the one that it refers to.
    columns: Vec<(String, String)>,
    on_delete: OnDelete,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum OnDelete {
    Cascade,
    SetNull,
    #[default]
    Refuse,
}

/// The data of tenants refers to these tables. Invoices outlive their workspace, and refer to nothing.
const TENANTS: [&str; 4] = ["users", "accounts", "workspaces", "invoices"];

/// Tables that refer to them and that a refused request may still write to: when a session was last seen, the
/// message that its next page shows, a link in mail, idempotency keys, what the gateway refused, and its limits.
const BESIDE: [&str; 7] =
    ["sessions", "notices", "email_tokens", "idempotency_keys", "traffic", "traffic_days", "gateway_leases"];

const SQLITE_COLUMNS: &str = "SELECT t.name AS tbl, c.name AS col
    FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'kept_%'";
const SQLITE_REFERENCES: &str = "SELECT t.name AS tbl, 'no ' || f.id AS name, f.\"table\" AS target, f.\"from\" AS col,
        f.\"to\" AS target_col, f.on_delete AS on_delete
    FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table' AND t.name NOT LIKE 'kept_%'";
const POSTGRES_COLUMNS: &str =
    "SELECT c.table_name AS tbl, c.column_name AS col FROM information_schema.columns c
    JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
    WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE'
        AND t.table_name NOT LIKE 'kept_%'";
const POSTGRES_REFERENCES: &str = "SELECT c.conrelid::regclass::text AS tbl, c.conname AS name,
        c.confrelid::regclass::text AS target, a.attname AS col, t.attname AS target_col,
        CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE '' END AS on_delete
    FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k (col, target)
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.col
    JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = k.target
    WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace";

impl TestApp {
    /// Read once for each backend: all tests of a run have the same schema.
    pub async fn catalogue(&self) -> &'static Catalogue {
        static READ: [OnceCell<Catalogue>; 2] = [const { OnceCell::const_new() }; 2];
        READ[self.backend as usize].get_or_init(|| Catalogue::read(self)).await
    }
}

impl Reference {
    /// A row with this reference prevents the deletion of the row that it refers to.
    fn refuses(&self) -> bool {
        self.on_delete == OnDelete::Refuse
    }
}

impl Catalogue {
    async fn read(app: &TestApp) -> Self {
        let (columns, references) = match app.backend {
            Backend::Sqlite => (SQLITE_COLUMNS, SQLITE_REFERENCES),
            Backend::Postgres => (POSTGRES_COLUMNS, POSTGRES_REFERENCES),
        };
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for row in app.rows(columns).await {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            tables.entry(text("tbl")).or_default().columns.insert(text("col"));
        }
        for row in app.rows(references).await {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let references = &mut tables.get_mut(&text("tbl")).unwrap().references;
            let reference = references.entry(text("name")).or_default();
            reference.to = text("target");
            reference.columns.push((text("col"), text("target_col")));
            reference.on_delete = match row["on_delete"].as_str().unwrap() {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" => OnDelete::SetNull,
                _ => OnDelete::Refuse,
            };
        }
        Self { tables }
    }

    /// The columns of a table, by name.
    ///
    /// # Panics
    /// Where there is no such table.
    pub fn columns(&self, table: &str) -> impl Iterator<Item = &str> {
        let table = self.tables.get(table).unwrap_or_else(|| panic!("there is no table {table}"));
        table.columns.iter().map(String::as_str)
    }

    /// Every table.
    pub fn all(&self) -> Vec<&str> {
        self.tables.keys().map(String::as_str).collect()
    }

    /// All tables with data of a workspace, an account or a person, parents before their children. A refused
    /// request changes none of it.
    pub fn of_tenants(&self) -> Vec<&str> {
        let mut all: BTreeSet<&str> = TENANTS.into_iter().collect();
        while let Some(more) = self.tables.keys().find(|table| {
            let hangs_on = |all: &BTreeSet<&str>| self.references(table).any(|to| all.contains(&*to.to));
            !all.contains(&***table) && !BESIDE.contains(&&***table) && hangs_on(&all)
        }) {
            all.insert(more);
        }
        self.parents_first(all)
    }

    /// Where the rows of a workspace are in a table, as an SQL condition: by the column of the workspace,
    /// else by that of its account, else by what they refer to. `None` where none is a tenant's.
    pub fn of_workspace(&self, table: &str, workspace: &str) -> Option<String> {
        let account = format!("(SELECT account_id FROM workspaces WHERE id = {workspace})");
        let has = |column: &str| self.tables[table].columns.contains(column);
        if has("workspace_id") {
            return Some(format!("workspace_id = {workspace}"));
        }
        match table {
            "workspaces" => return Some(format!("id = {workspace}")),
            "accounts" => return Some(format!("id = {account}")),
            _ if has("account_id") => return Some(format!("account_id = {account}")),
            _ => {}
        }
        let parent = self.references(table).find(|reference| self.has_tenant(&reference.to))?;
        let (column, to) = &parent.columns[0];
        let condition = self.of_workspace(&parent.to, workspace)?;
        Some(format!("{column} IN (SELECT {to} FROM {} WHERE {condition})", parent.to))
    }

    /// Tables with a column of this name.
    pub fn with_column(&self, column: &str) -> impl Iterator<Item = &str> {
        self.tables.iter().filter(move |(_, table)| table.columns.contains(column)).map(|(name, _)| &**name)
    }

    /// From which of these tables to delete, one after the other, so that all of them are empty: with the
    /// rows of these go, by cascade, those of the others.
    pub fn to_delete_from<'a>(&self, tables: &[&'a str]) -> Vec<&'a str> {
        let root = |table: &'a str| {
            let mut at = table;
            while let Some(parent) = self.cascades_from(at, tables) {
                at = parent;
            }
            at
        };
        let root_of: BTreeMap<&str, &str> = tables.iter().map(|table| (*table, root(table))).collect();
        let mut left: BTreeSet<&str> = root_of.values().copied().collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            // No row that stays refers to one that goes.
            let is_free = |candidate: &&&str| {
                let others = root_of.iter().filter(|(_, root)| left.contains(*root) && *root != *candidate);
                let mut refuse =
                    others.flat_map(|(table, _)| self.references(table)).filter(|to| to.refuses());
                refuse.all(|to| root_of.get(&*to.to) != Some(*candidate))
            };
            let next = *left.iter().find(is_free).expect("tables refer to each other in a circle");
            left.remove(next);
            order.push(next);
        }
        order
    }

    fn cascades_from<'a>(&self, table: &str, tables: &[&'a str]) -> Option<&'a str> {
        let mut parents = self.references(table).filter(|to| to.on_delete == OnDelete::Cascade);
        parents.find_map(|to| tables.iter().find(|table| **table == to.to).copied())
    }

    fn references(&self, table: &str) -> impl Iterator<Item = &Reference> {
        self.tables[table].references.values()
    }

    fn has_tenant(&self, table: &str) -> bool {
        let columns = &self.tables[table].columns;
        columns.contains("workspace_id") || columns.contains("account_id")
    }

    /// These tables, each after those that it refers to.
    pub fn parents_first<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut left: Vec<&str> = tables.into_iter().collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let is_ready = |table: &&str| {
                self.references(table).all(|to| to.to == *table || !left.contains(&to.to.as_str()))
            };
            let next = left.iter().position(is_ready).expect("tables refer to each other in a circle");
            order.push(left.remove(next));
        }
        order
    }
}

both! {
    async fn what_belongs_to_a_tenant_is_read_from_the_database(app: TestApp) {
        let catalogue = app.catalogue().await;
        let known = [
            "users", "accounts", "account_people", "workspaces", "members", "member_roles", "roles", "grants",
            "invitations", "invitation_roles", "invitation_tokens", "ownership_offers", "teams", "team_members",
            "team_roles", "api_keys", "api_key_secrets", "resources",
        ];
        let all = catalogue.of_tenants();
        for table in known {
            assert!(all.contains(&table), "{table} belongs to tenants: {all:?}");
        }
        let at = |table: &str| all.iter().position(|other| *other == table);
        assert!(at("workspaces") < at("members") && at("teams") < at("team_members"), "{all:?}");
        assert_eq!(catalogue.to_delete_from(&all), ["invoices", "workspaces", "api_keys", "accounts", "users"]);
        let secrets = catalogue.of_workspace("api_key_secrets", "$1");
        assert!(secrets.is_some_and(|condition| condition.contains("FROM api_keys WHERE account_id")));
        assert_eq!(catalogue.of_workspace("users", "$1"), None);
    }
}
