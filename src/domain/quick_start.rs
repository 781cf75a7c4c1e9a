//! What the page of the quick start shows: hosts to send to, and whether the viewer can create a test key.

use crate::{
    domain::{
        base::{paging::Position, refused::Refused},
        enforce::{read::ReadScope, rows::Scoped},
        nouns::{
            api_keys,
            destinations::{self, ECHO, Filter},
        },
        records::keys::load_creator,
    },
    policy::perm,
};
use sea_orm::FromQueryResult;

/// What the page of the quick start shows.
#[derive(Clone, Debug)]
pub struct QuickStart {
    /// Hosts that the workspace allows, some of them, by name.
    pub hosts: Vec<String>,
    /// The built-in host is one of those that the workspace allows.
    pub has_echo: bool,
    /// The name of the role that a test key of the viewer would get; `None` if there is none that they may assign.
    pub test_role: Option<String>,
    /// How many keys the viewer has created in the account, which the form for a test key carries.
    pub keys_created: i64,
}

#[derive(FromQueryResult)]
struct Echo {
    #[expect(dead_code, reason = "a row is all that is needed")]
    id: uuid::Uuid,
}

/// Loads it, by three SQL statements.
///
/// # Errors
/// The database's own.
pub async fn load(scope: &ReadScope<perm::ReadDestinations>) -> Result<QuickStart, Refused> {
    let filter = Filter { is_paused: Some(false), ..Filter::default() };
    let page = destinations::list(scope, &filter, &Position::FIRST).await?;
    let hosts = page.rows.iter().filter(|destination| destination.host != ECHO);
    let hosts = hosts.map(destinations::Destination::displayed).collect();
    let sql = "SELECT d.id FROM destinations d WHERE d.workspace_id = $1 AND d.host = $2";
    let echo: Option<Echo> = scope.first(sql, vec![ECHO.into()]).await?;
    Ok(QuickStart {
        hosts,
        has_echo: echo.is_some(),
        test_role: api_keys::test_role(scope.actor()).map(|role| role.name.clone()),
        keys_created: load_creator(scope, scope.actor()).await?.keys_created,
    })
}
