//! Accounts, the tenants: their people, their admins, and what an admin sees of their workspaces.
//!
//! [`AccountScope`] is the handle. It gives access to no workspace: no account role grants anything there.

pub mod change;
pub mod events;
pub mod keys;
pub mod list;

use crate::domain::base::{db::Db, principal, refused::Refused, sql::Sql};
pub use crate::domain::enforce::account::{AccountScope, AccountWrite, admission::Admin};
pub use change::{Details, PersonChanged, appoint, change_admin, remove, update};
pub use list::{
    AccountDetail, Filter, People, PeoplePage, Person, Workspace, get, leaving, people, stepping_down,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// An account, in the list of one of its people.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AccountOfPerson {
    pub id: Uuid,
    pub name: String,
    pub is_admin: bool,
    pub may_create: bool,
}

/// The accounts to which this person belongs, except suspended ones.
///
/// # Errors
/// The database's own.
pub async fn of_person(db: &Db, person: &principal::Person) -> Result<Vec<AccountOfPerson>, Refused> {
    let sql = "SELECT a.id, a.name, p.is_admin,
            (p.is_admin OR a.workspace_creation = 'people') AS may_create
        FROM account_people p JOIN accounts a ON a.id = p.account_id AND a.suspended_at IS NULL
        WHERE p.user_id = $1 ORDER BY a.name, a.id LIMIT 500";
    Ok(db.read().all(sql, vec![person.user_id.into()]).await?)
}
