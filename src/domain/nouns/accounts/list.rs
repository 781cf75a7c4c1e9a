//! Loading an account: its workspaces, its people, one of them.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            account::Account,
            conflict::DetailedConflict,
            invariants::LAST_ADMIN,
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            sql::{aggregate_json, parse_json_rows},
            values::folded,
        },
        enforce::{account::AccountScope, rows::Scoped},
        nouns::{
            accounts::events::IN_WORKSPACES,
            members::{has_text, like},
        },
    },
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// A workspace as the account's admins see it. They see nothing else of it.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: Uuid,
    pub name: String,
    pub created_at: Timestamp,
    pub is_active: bool,
    pub people: i64,
    /// Names of some of its active Owners.
    pub owners: String,
    /// Its slug; `None` if the viewer is not a member of it.
    pub slug: Option<String>,
}

#[derive(Deserialize)]
struct WorkspaceRow {
    id: Uuid,
    name: String,
    created_at: Timestamp,
    active: i64,
    people: i64,
    owners: Option<String>,
    slug: Option<String>,
}

const WORKSPACE: [&str; 7] = ["id", "name", "created_at", "active", "people", "owners", "slug"];

/// The first page of an account.
pub struct AccountDetail {
    pub workspaces: Page<Workspace>,
    /// Its active admins: name and id.
    pub admins: Vec<(Uuid, String)>,
}

/// The most admins that the account's page lists. The page of its people lists all.
const MAX_ADMINS: usize = 20;

/// Loads an account. The newest workspace comes first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn get(scope: &AccountScope, at: &Position) -> Result<AccountDetail, Refused> {
    let mut values: Vec<Value> = vec![scope.actor().id().into()];
    let mut sql =
        "SELECT w.id, w.name, w.created_at, CASE WHEN w.suspended_at IS NULL THEN 1 ELSE 0 END AS active,
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h
                WHERE h.workspace_id = w.id AND h.status = 'active' AND h.kind = 'user') AS people,
            (SELECT string_agg(named.name, ', ') FROM (SELECT u.name
                FROM active_owners o CROSS JOIN members m CROSS JOIN users u
                WHERE o.workspace_id = w.id AND m.workspace_id = o.workspace_id AND m.id = o.member_id
                    AND u.id = m.user_id LIMIT 5) AS named) AS owners,
            (SELECT w.slug FROM members m WHERE m.workspace_id = w.id AND m.user_id = $2) AS slug
        FROM workspaces w WHERE w.account_id = $1 AND w.deleted_at IS NULL"
            .to_owned();
    let order = Order { column: "w.created_at", is_text: false, id: "w.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<WorkspaceRow> = scope.list(&WORKSPACE, &sql, values).await?;
    let page = Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.created_at.as_millis()), row.id));
    let sql = format!(
        "SELECT a.user_id, u.name FROM active_admins a JOIN users u ON u.id = a.user_id
        WHERE a.account_id = $1 LIMIT {MAX_ADMINS}"
    );
    Ok(AccountDetail {
        workspaces: page.map(Workspace::from),
        admins: scope.list(&["user_id", "name"], &sql, Vec::new()).await?,
    })
}

impl From<WorkspaceRow> for Workspace {
    fn from(row: WorkspaceRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            is_active: row.active == 1,
            people: row.people,
            owners: row.owners.unwrap_or_default(),
            slug: row.slug,
        }
    }
}

/// Which people to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of a name or an address.
    pub text: String,
    pub only_admins: bool,
}

/// A person of the account.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub is_admin: bool,
    pub is_active: bool,
    pub is_you: bool,
    /// The only active admin: someone else must become an admin first.
    pub is_last_admin: bool,
    pub joined_at: Timestamp,
    /// Workspaces of the account that they are a member of.
    pub workspaces: i64,
}

#[derive(Deserialize, FromQueryResult)]
struct Row {
    pub(in crate::domain) user_id: Uuid,
    name: String,
    email: String,
    #[sea_orm(from_alias = "listed_as")]
    sort_key: String,
    admin: i64,
    active: i64,
    joined_at: Timestamp,
    workspaces: i64,
}

const FIELDS: [&str; 8] =
    ["user_id", "name", "email", "listed_as", "admin", "active", "joined_at", "workspaces"];

const COLUMNS: &str = "SELECT p.user_id, u.name, COALESCE(u.awaited_email, u.email) AS email, p.listed_as,
        CAST(CASE WHEN p.is_admin THEN 1 ELSE 0 END AS BIGINT) AS admin,
        CAST(CASE WHEN u.suspended_at IS NULL THEN 1 ELSE 0 END AS BIGINT) AS active, p.joined_at,
        (SELECT COUNT(*) FROM members m CROSS JOIN workspaces w
            WHERE m.user_id = p.user_id AND w.id = m.workspace_id AND w.account_id = p.account_id) AS workspaces
    FROM account_people p CROSS JOIN users u WHERE p.account_id = $1 AND u.id = p.user_id";

/// One page of the people of an account.
pub type PeoplePage = Page<Person>;

/// A page, and how many people match the filter. Unknown if the list is filtered, unless all matches are on
/// this page.
pub struct People {
    pub page: PeoplePage,
    pub total: Option<i64>,
}

#[derive(FromQueryResult)]
struct Summary {
    admins: i64,
    listed: Option<String>,
}

const ADMINS: &str = "(SELECT COUNT(*) FROM active_admins a WHERE a.account_id = $1) AS admins";

/// Lists the people of an account, by name.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn people(scope: &AccountScope, filter: &Filter, at: &Position) -> Result<People, Refused> {
    let (mut sql, mut values) = (COLUMNS.to_owned(), Vec::new());
    if filter.only_admins {
        sql.push_str(" AND p.is_admin");
    }
    if !filter.text.is_empty() {
        values.push(like(&folded(&filter.text)).into());
        sql.push_str(&format!(" AND {}", has_text("p.listed_as", "$2")));
    }
    let order = Order { column: "p.listed_as", is_text: true, id: "p.user_id", descending: false };
    order.append_to(&mut sql, &mut values, at)?;
    let listed = aggregate_json(scope.connection().get_database_backend(), &FIELDS, &sql);
    let summary: Option<Summary> =
        scope.first(&format!("SELECT {ADMINS}, {listed} AS listed"), values).await?;
    let summary = summary.ok_or(Refused::NotFound)?;
    let rows: Vec<Row> = parse_json_rows(summary.listed.as_deref())?;
    let page = Page::from_rows(rows, at, |row| Cursor::new(Key::Text(row.sort_key.clone()), row.user_id));
    let is_whole = page.before.is_none() && page.after.is_none();
    let total = match filter.text.is_empty() && !filter.only_admins {
        true => Some(scope.actor().account.people),
        false => i64::try_from(page.rows.len()).ok().filter(|_| is_whole),
    };
    Ok(People { page: page.map(|row| row.for_viewer(scope.actor().id(), summary.admins)), total })
}

impl Row {
    fn for_viewer(self, viewer: Uuid, active_admins: i64) -> Person {
        let (is_admin, is_active) = (self.admin == 1, self.active == 1);
        Person {
            id: self.user_id,
            name: self.name,
            email: self.email,
            is_admin,
            is_active,
            is_you: self.user_id == viewer,
            is_last_admin: is_admin && is_active && active_admins <= 1,
            joined_at: self.joined_at,
            workspaces: self.workspaces,
        }
    }
}

/// One of the account's people.
///
/// # Errors
/// [`Refused::NotFound`] for someone who does not belong to the account.
pub(in crate::domain) async fn person(
    scope: &impl Scoped<Account>,
    viewer: Uuid,
    id: Uuid,
) -> Result<Person, Refused> {
    #[derive(FromQueryResult)]
    struct Count {
        admins: i64,
    }
    let row: Option<Row> = scope.first(&format!("{COLUMNS} AND p.user_id = $2"), vec![id.into()]).await?;
    let row = row.ok_or(Refused::NotFound)?;
    let count: Option<Count> = scope.first(&format!("SELECT {ADMINS}"), Vec::new()).await?;
    Ok(row.for_viewer(viewer, count.map_or(0, |count| count.admins)))
}

/// Loads an admin who is to be removed as an admin, for the confirmation page.
///
/// # Errors
/// [`Refused::NotFound`] for someone who is not an admin, [`LAST_ADMIN`].
pub async fn stepping_down(scope: &AccountScope, id: Uuid) -> Result<Person, Refused> {
    let person = person(scope, scope.actor().id(), id).await?;
    if !person.is_admin {
        return Err(Refused::NotFound);
    }
    if person.is_last_admin {
        return Err(scope.refuse(LAST_ADMIN).await);
    }
    Ok(person)
}

/// Loads a person who is to be removed from the account, for the confirmation page. What would be refused
/// then is refused here.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::DetailedConflict`] for a member of workspaces, [`LAST_ADMIN`].
pub async fn leaving(scope: &AccountScope, id: Uuid) -> Result<Person, Refused> {
    let person = person(scope, scope.actor().id(), id).await?;
    match may_leave(&person) {
        Ok(()) => Ok(person),
        Err(refused) => Err(scope.refuse(refused).await),
    }
}

pub(in crate::domain) fn may_leave(person: &Person) -> Result<(), Refused> {
    if person.workspaces > 0 {
        return Err(in_workspaces(person.workspaces).into());
    }
    if person.is_last_admin { Err(LAST_ADMIN.into()) } else { Ok(()) }
}

fn in_workspaces(count: i64) -> DetailedConflict {
    DetailedConflict {
        code: "in-workspaces",
        sentence: format!(
            "This person is still a member of workspaces in this account: {count}. Ask an Owner or Admin of each workspace to remove them first. A deleted workspace counts for as long as it can be restored."
        ),
        notes: Vec::new(),
        links: vec![("/people".to_owned(), "Back to People".to_owned())],
        reason: IN_WORKSPACES,
    }
}
