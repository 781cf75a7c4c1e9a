//! What the database holds of a workspace, from which a test says what must be allowed.

use crate::support::{product::Holdings, *};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// All rows of a workspace and of its account, and what its members hold.
pub struct Facts {
    tables: BTreeMap<&'static str, Vec<Value>>,
    /// By slug.
    pub roles: BTreeMap<String, Holdings>,
    pub members: Vec<MemberFact>,
    /// The id of the account.
    pub account: String,
    pub now_ms: i64,
}

pub struct MemberFact {
    pub id: String,
    /// `None` for an API key.
    pub user: Option<String>,
    /// The id of the API key that it is; `None` for a person.
    pub key: Option<String>,
    pub is_active: bool,
    /// Slugs of the roles, their own and those of their teams.
    pub held: Vec<String>,
    pub holdings: Holdings,
}

/// A text of a row; empty where it is null.
pub fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

/// A boolean of a row, which SQLite has as 0 and 1.
pub fn flag(row: &Value, column: &str) -> bool {
    row[column] == true || row[column] == 1
}

impl Facts {
    pub async fn read(app: &TestApp, workspace: Uuid) -> Self {
        let (catalogue, id) = (app.catalogue().await, app.id(workspace));
        let mut tables = BTreeMap::new();
        for table in catalogue.of_tenants().into_iter().chain(["audit_events"]) {
            let Some(condition) = catalogue.of_workspace(table, &id) else { continue };
            tables.insert(table, app.rows(&format!("SELECT * FROM {table} WHERE {condition}")).await);
        }
        let account = text(&tables["workspaces"][0], "account_id").to_owned();
        let (roles, members) = (BTreeMap::new(), Vec::new());
        let mut facts = Self { tables, roles, members, account, now_ms: app.clock.now().as_millis() };
        facts.roles = facts.rows("roles").iter().map(|role| facts.holdings_of(role)).collect();
        facts.members = facts.rows("members").iter().map(|row| facts.member(row)).collect();
        facts
    }

    /// The rows of a table that belong to the workspace or its account.
    ///
    /// # Panics
    /// Where the table belongs to no tenant.
    pub fn rows(&self, table: &str) -> &[Value] {
        self.tables.get(table).unwrap_or_else(|| panic!("{table} belongs to no tenant"))
    }

    /// The ids of a table's rows.
    pub fn ids(&self, table: &str) -> Vec<String> {
        self.rows(table).iter().map(|row| text(row, "id").to_owned()).collect()
    }

    /// The row of this id.
    pub fn row(&self, table: &str, id: &str) -> &Value {
        self.rows(table)
            .iter()
            .find(|row| row["id"] == id)
            .unwrap_or_else(|| panic!("{id} is not in {table}"))
    }

    /// The slugs of the roles that a table links to the row of this id: `member_roles`, say.
    pub fn roles_by(&self, links: &str, column: &str, id: &str) -> Vec<String> {
        let linked = self.rows(links).iter().filter(|link| link[column] == id);
        linked.map(|link| text(self.row("roles", text(link, "role_id")), "slug").to_owned()).collect()
    }

    /// What each of these roles holds.
    pub fn holdings(&self, slugs: &[String]) -> Vec<&Holdings> {
        slugs.iter().map(|slug| &self.roles[slug]).collect()
    }

    pub fn member_by_id(&self, id: &str) -> &MemberFact {
        self.members.iter().find(|member| member.id == id).unwrap_or_else(|| panic!("{id} is no member"))
    }

    fn holdings_of(&self, role: &Value) -> (String, Holdings) {
        let grants = self.rows("grants").iter().filter(|grant| grant["role_id"] == role["id"]);
        let holdings = Holdings::of(flag(role, "is_owner"), grants.map(|grant| text(grant, "scope")));
        (text(role, "slug").to_owned(), holdings)
    }

    fn member(&self, row: &Value) -> MemberFact {
        let id = text(row, "id").to_owned();
        let mut held = self.roles_by("member_roles", "member_id", &id);
        for place in self.rows("team_members").iter().filter(|place| place["member_id"] == row["id"]) {
            held.extend(self.roles_by("team_roles", "team_id", text(place, "team_id")));
        }
        let holdings = Holdings::union(self.holdings(&held));
        MemberFact {
            id,
            user: row["user_id"].as_str().map(str::to_owned),
            key: row["api_key_id"].as_str().map(str::to_owned),
            is_active: row["status"] == "active",
            held,
            holdings,
        }
    }
}

impl MemberFact {
    /// An active Owner who is a person: only such a one counts.
    pub fn is_counted_owner(&self) -> bool {
        self.is_active && self.key.is_none() && self.holdings.is_owner()
    }
}
