//! The API keys of an account, for its admins: all of them, whatever workspaces they are members of.
//!
//! An admin names keys and ends them, and learns no secret that opens a workspace: what a key holds
//! there is the affair of those who manage keys there.

use crate::domain::{
    api_keys::{
        self, Made, NEWEST, Wanted,
        change::KEY_MADE,
        events::{API_KEY, ApiKeyAdminChanged, ApiKeyCreated, ApiKeyRevoked},
    },
    base::{
        event::{Recorded, RecordedEvent, Target},
        paging::{Cursor, Key, Order, Page, Position},
        refused::Refused,
        sql::Sql,
        values::Name,
    },
    enforce::{
        account::{AccountScope, AccountWrite},
        rows::{Scoped, Unadmitted},
    },
    members::{Subject, has_text, like},
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// Why an admin of the account gives some keys no other secret.
pub const IN_WORKSPACES: &str = "This key is a member of workspaces, and its secret opens them. Whoever manages API keys in each of them gives it another, on its page there.";

/// A key as the account's admins see it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: Uuid,
    pub name: String,
    /// The last characters of its newest secret.
    pub hint: String,
    /// Which secret is its newest; who gives it another must name it.
    pub version: String,
    /// It may create workspaces in the account.
    pub is_admin: bool,
    pub maker: String,
    /// Whoever made it is neither an admin of the account nor active in one of its workspaces any more.
    pub maker_left: bool,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub is_expired: bool,
    pub is_revoked: bool,
    pub last_used_at: Option<i64>,
    /// Until when the secret before holds, while one takes the other's place.
    pub overlap_ends_at: Option<i64>,
    /// In how many workspaces it is a member, and the names of some.
    pub workspaces: i64,
    pub names: String,
}

#[derive(Deserialize)]
struct Row {
    id: Uuid,
    name: String,
    newest: Option<String>,
    admin: i64,
    maker: String,
    maker_here: i64,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    overlap_ends_at: Option<i64>,
    workspaces: i64,
    names: Option<String>,
}

const FIELDS: [&str; 13] = [
    "id",
    "name",
    "newest",
    "admin",
    "maker",
    "maker_here",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "overlap_ends_at",
    "workspaces",
    "names",
];

/// `$2` is the time. Counts, because PostgreSQL may answer EXISTS from a list of everybody.
const COLUMNS: &str =
    "SELECT k.id, k.name, {newest} AS newest, CASE WHEN k.is_admin THEN 1 ELSE 0 END AS admin,
        u.name AS maker,
        CASE WHEN u.suspended_at IS NULL AND (SELECT COUNT(*) FROM account_people p
                WHERE p.account_id = k.account_id AND p.user_id = k.made_by AND p.is_admin)
            + (SELECT COUNT(*) FROM members o CROSS JOIN workspaces w WHERE o.user_id = k.made_by
                AND o.status = 'active' AND w.id = o.workspace_id AND w.account_id = k.account_id) > 0
            THEN 1 ELSE 0 END AS maker_here,
        k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
        (SELECT MAX(s.expires_at) FROM api_key_secrets s WHERE s.api_key_id = k.id
            AND s.expires_at > $2) AS overlap_ends_at,
        (SELECT COUNT(*) FROM members m WHERE m.api_key_id = k.id) AS workspaces,
        (SELECT string_agg(few.name, ', ') FROM (SELECT w.name FROM members m CROSS JOIN workspaces w
            WHERE m.api_key_id = k.id AND w.id = m.workspace_id ORDER BY w.name LIMIT 3) AS few) AS names
    FROM api_keys k CROSS JOIN users u WHERE k.account_id = $1 AND u.id = k.made_by";

fn columns() -> String {
    COLUMNS.replace("{newest}", NEWEST)
}

/// Lists the keys of an account, those that were revoked too. The newest is first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(scope: &AccountScope, text: &str, at: &Position) -> Result<Page<Listed>, Refused> {
    let (mut sql, mut values) = (columns(), vec![scope.now_ms().into()]);
    if !text.is_empty() {
        values.push(like(text).into());
        sql.push_str(&format!(" AND {}", has_text("lower(k.name)", "$3")));
    }
    let order = Order { column: "k.created_at", is_text: false, id: "k.id", descending: true };
    order.finish(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    let page = Page::cut(rows, at, |row| Cursor::new(Key::Number(row.created_at), row.id));
    Ok(page.map(|row| row.seen_at(scope.now_ms())))
}

impl Row {
    fn seen_at(self, now: i64) -> Listed {
        let version = self.newest.unwrap_or_default();
        Listed {
            id: self.id,
            name: self.name,
            hint: version.rsplit('-').next().unwrap_or_default().to_owned(),
            version,
            is_admin: self.admin > 0,
            maker: self.maker,
            maker_left: self.maker_here == 0,
            created_at: self.created_at,
            expires_at: self.expires_at,
            is_expired: self.expires_at.is_some_and(|at| at <= now),
            is_revoked: self.revoked_at.is_some(),
            last_used_at: self.last_used_at,
            overlap_ends_at: self.overlap_ends_at,
            workspaces: self.workspaces,
            names: self.names.unwrap_or_default(),
        }
    }
}

/// A workspace that a key is a member of.
#[derive(Clone, Debug, Deserialize)]
pub struct Place {
    pub name: String,
    /// For who is an active member of it too.
    pub slug: Option<String>,
}

/// So many workspaces of a key are named on its page.
pub const MOST_PLACES: usize = 200;

/// One key.
///
/// # Errors
/// [`Refused::Hidden`] where it is none of this account.
pub async fn look(scope: &AccountScope, id: Uuid) -> Result<Listed, Refused> {
    let sql = format!("{} AND k.id = $3", columns());
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, vec![scope.now_ms().into(), id.into()]).await?;
    let row = rows.into_iter().next().ok_or(Refused::Hidden)?;
    Ok(row.seen_at(scope.now_ms()))
}

/// The workspaces that a key of this account is a member of, by name.
///
/// # Errors
/// The database's own.
pub async fn places(scope: &AccountScope, id: Uuid) -> Result<Vec<Place>, Refused> {
    let sql = format!(
        "SELECT w.name, (SELECT w.slug FROM members o
                WHERE o.workspace_id = w.id AND o.user_id = $3 AND o.status = 'active') AS slug
            FROM members m CROSS JOIN workspaces w
            WHERE m.api_key_id = $2 AND w.id = m.workspace_id AND w.account_id = $1
            ORDER BY w.name, w.id LIMIT {MOST_PLACES}"
    );
    Ok(scope.list(&["name", "slug"], &sql, vec![id.into(), scope.actor().id().into()]).await?)
}

/// How many keys the admin has made: the form for another one carries it.
///
/// # Errors
/// The database's own.
pub async fn made(scope: &AccountScope) -> Result<i64, Refused> {
    Ok(api_keys::maker_in(scope.connection(), scope.account_id(), scope.actor().id()).await?.made)
}

/// Makes a key that is a member nowhere, from a form that knew of so many keys of its sender.
///
/// # Errors
/// [`Refused::NotAllowed`] for who has not confirmed their address, [`KEY_MADE`] where the form
/// was sent already, [`Refused::Invalid`] on `expires_at` or `name`.
pub async fn create(s: &mut AccountWrite, wanted: &Wanted, known: i64) -> Result<Recorded<Made>, Refused> {
    api_keys::may_make_secrets(s.actor().person.is_verified)?;
    let (account, user) = (s.account_id(), s.actor().id());
    if api_keys::maker_in(s.connection(), account, user).await?.made != known {
        return Err(KEY_MADE.into());
    }
    let made = api_keys::insert(s.connection(), account, user, wanted, s.now_ms()).await?;
    let event = ApiKeyCreated { roles: Vec::new(), expires_at: wanted.expires_at.unwrap_or(0) };
    let mut events = vec![RecordedEvent::new(event, target(made.id, &made.name))];
    if wanted.is_admin {
        let event = ApiKeyAdminChanged { is_admin: true };
        events.push(RecordedEvent::new(event, target(made.id, &made.name)));
    }
    Ok(Recorded::many(made, events))
}

fn target(id: Uuid, name: &str) -> Target {
    Target::new(API_KEY, id, name)
}

/// A key of this account that was not revoked, locked.
async fn live(s: &AccountWrite, id: Uuid) -> Result<api_keys::Live, Refused> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "a row is all that is asked for")]
        id: Uuid,
    }
    let sql = "SELECT id FROM api_keys WHERE account_id = $1 AND id = $2";
    let found: Option<Found> = s.first(sql, vec![id.into()]).await?;
    found.ok_or(Refused::Hidden)?;
    api_keys::lock(s.connection(), id).await
}

/// Calls a key otherwise, in every workspace.
///
/// # Errors
/// [`Refused::Hidden`], [`KEY_REVOKED`].
pub async fn rename(s: &mut AccountWrite, id: Uuid, name: &Name) -> Result<Recorded<String>, Refused> {
    let key = live(s, id).await?;
    api_keys::call(s.connection(), id, key.name, name).await
}

/// Says whether a key may create workspaces in the account. It holds nothing more by that in those that
/// there are. Answers whether that changed anything.
///
/// # Errors
/// As [`rename`].
pub async fn administer(s: &mut AccountWrite, id: Uuid, is_admin: bool) -> Result<Recorded<bool>, Refused> {
    let key = live(s, id).await?;
    if key.is_admin == is_admin {
        return Ok(Recorded::unchanged(false));
    }
    let sql = "UPDATE api_keys SET is_admin = $3 WHERE account_id = $1 AND id = $2";
    s.run(sql, vec![id.into(), is_admin.into()]).await?;
    Ok(Recorded::new(true, ApiKeyAdminChanged { is_admin }, target(id, &key.name)))
}

/// Gives a key another secret that is a member of no workspace: of any other it would open what no
/// account role opens.
///
/// # Errors
/// As [`rename`]; [`Refused::NotAllowed`] for a member of a workspace, and for who has not confirmed
/// their address; [`CHANGED`] where `seen` is not its newest secret any more,
/// [`Refused::Invalid`] on `overlap`.
pub async fn rotate(
    s: &mut AccountWrite,
    id: Uuid,
    seen: &str,
    overlap_ms: i64,
) -> Result<Recorded<Made>, Refused> {
    #[derive(FromQueryResult)]
    struct Count {
        workspaces: i64,
    }
    api_keys::may_make_secrets(s.actor().person.is_verified)?;
    let key = live(s, id).await?;
    let sql = "SELECT COUNT(*) AS workspaces FROM members m JOIN api_keys k ON k.id = m.api_key_id
        WHERE k.account_id = $1 AND k.id = $2";
    let count: Option<Count> = s.first(sql, vec![id.into()]).await?;
    if count.is_none_or(|count| count.workspaces > 0) {
        return Err(Refused::NotAllowed(IN_WORKSPACES));
    }
    api_keys::must_be_newest(s.connection(), id, seen).await?;
    api_keys::give_another_secret(s.connection(), id, key.name, s.now_ms(), overlap_ms).await
}

/// Ends a key for good and takes it out of every workspace, whatever it holds there. Each of them is
/// told. Answers its name.
///
/// # Errors
/// As [`rename`].
pub async fn revoke(scope: AccountScope, id: Uuid) -> Result<String, Refused> {
    scope.write_reaching(id, async |s| end(s, id).await).await
}

async fn end(s: &mut AccountWrite, id: Uuid) -> Result<Recorded<String>, Refused> {
    #[derive(FromQueryResult)]
    struct Membership {
        id: Uuid,
        workspace_id: Uuid,
        roles_version: Option<Uuid>,
    }
    let name = live(s, id).await?.name;
    let sql = "SELECT m.id, m.workspace_id, w.roles_version FROM members m CROSS JOIN workspaces w
        WHERE m.api_key_id = $2 AND w.id = m.workspace_id AND w.account_id = $1";
    let values = vec![s.account_id().into(), id.into()];
    let memberships: Vec<Membership> = s.connection().all(sql, values).await?;
    // One that it was given since the workspaces were locked stays, and is listed there as revoked.
    for membership in memberships {
        if !s.has_reached(membership.workspace_id) {
            continue;
        }
        let at = Unadmitted(s.connection(), membership.workspace_id);
        let all = s.open().db.roles().at(&at, membership.roles_version).await?;
        let member = Subject::load(&at, &all, membership.id).await?;
        let told = api_keys::take_out(&at, id, &member, s.now_ms()).await?;
        s.record_in(membership.workspace_id, told);
    }
    api_keys::end(s.connection(), id, s.now_ms()).await?;
    let event = ApiKeyRevoked { roles: Vec::new() };
    Ok(Recorded::new(name.clone(), event, target(id, &name)))
}
