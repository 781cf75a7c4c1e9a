//! The API keys of an account, for its admins: all of them, whatever workspaces they are members of.
//!
//! An admin can rename and revoke keys, and never gets a secret that gives access to a workspace: a key's
//! roles in a workspace are managed by the people who manage keys there.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            columns::ColumnPair,
            event::{Recorded, RecordedEvent, Target},
            invalid::Invalid,
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            sql::Sql,
            values::Name,
            words::inert,
        },
        enforce::{
            account::{AccountScope, AccountWrite, Affected},
            rows::{Scoped, Unadmitted},
        },
        nouns::{
            api_keys::{
                self, CreatedKey, Creator, KeyRecord, NewApiKey,
                create::KEY_ALREADY_CREATED,
                events::{API_KEY, ApiKeyAdminChanged, ApiKeyCreated, ApiKeyRevoked},
                mail::{Created, notify_created},
                search::{FoundBy, FoundKeys, MAX_FOUND, Typed},
            },
            members::{MemberRecord, has_text, like},
        },
        records::key_rows::{self, KeyColumns},
    },
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// Why an account admin can't rotate the secret of some keys.
pub const IN_WORKSPACES: &str = "This key is a member of workspaces. To rotate its secret, go to the key's page in its home workspace, or in another one if you can manage the key in all of them.";

/// A key as the account's admins see it.
#[derive(Clone, Debug)]
pub struct AccountKey {
    pub key: KeyRecord,
    /// The number of workspaces that the key is a member of, and the names of some of them.
    pub workspaces: i64,
    pub names: String,
    /// The name of its home workspace; empty if it has none.
    pub home: String,
}

/// Where a key is a member and at home, beside the key.
#[derive(Deserialize)]
struct MembershipCounts {
    workspaces: i64,
    names: Option<String>,
    home: Option<String>,
}

type Row = ColumnPair<KeyColumns, MembershipCounts>;

/// The columns of [`MembershipCounts`], in the order of its fields.
const FIELDS: [&str; 3] = ["workspaces", "names", "home"];

/// Counts, because PostgreSQL may answer EXISTS from a list of everybody.
const CREATOR_STAYS: &str = "u.suspended_at IS NULL AND (SELECT COUNT(*) FROM account_people p
                WHERE p.account_id = k.account_id AND p.user_id = k.made_by AND p.is_admin)
            + (SELECT COUNT(*) FROM members o CROSS JOIN workspaces w WHERE o.user_id = k.made_by
                AND o.status = 'active' AND w.id = o.workspace_id AND w.account_id = k.account_id) > 0";

const MEMBERSHIPS: &str = "(SELECT COUNT(*) FROM members m WHERE m.api_key_id = k.id) AS workspaces,
        (SELECT string_agg(named.name, ', ') FROM (SELECT w.name FROM members m CROSS JOIN workspaces w
            WHERE m.api_key_id = k.id AND w.id = m.workspace_id ORDER BY w.name LIMIT 3) AS named) AS names,
        (SELECT hw.name FROM workspaces hw WHERE hw.id = k.home_id) AS home";

fn select() -> String {
    let key = key_rows::select(CREATOR_STAYS);
    format!(
        "{key}, {MEMBERSHIPS}
        FROM api_keys k CROSS JOIN users u WHERE k.account_id = $1 AND u.id = k.made_by"
    )
}

/// Lists the keys of an account, those that were revoked too. The newest is first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(scope: &AccountScope, text: &str, at: &Position) -> Result<Page<AccountKey>, Refused> {
    let (mut sql, mut values) = (select(), vec![scope.now().into()]);
    if !text.is_empty() {
        values.push(like(text).into());
        sql.push_str(&format!(" AND {}", has_text("lower(k.name)", "$3")));
    }
    let order = Order { column: "k.created_at", is_text: false, id: "k.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    let page = Page::from_rows(rows, at, |ColumnPair(key, _)| {
        Cursor::new(Key::Number(key.created_at.as_millis()), key.key_id)
    });
    Ok(page.map(|row| from_row(row, scope.now())))
}

fn from_row(ColumnPair(key, row): Row, now: Timestamp) -> AccountKey {
    AccountKey {
        key: key.at(now),
        workspaces: row.workspaces,
        names: row.names.unwrap_or_default(),
        home: row.home.unwrap_or_default(),
    }
}

/// A workspace that a key is a member of.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkspaceMembership {
    pub name: String,
    /// `None` if the viewer is not an active member of it.
    pub slug: Option<String>,
}

/// The most workspaces that a key's page lists.
pub const MAX_MEMBERSHIPS: usize = 200;

/// One key.
///
/// # Errors
/// [`Refused::NotFound`] if the account has no such key.
pub async fn get(scope: &AccountScope, id: Uuid) -> Result<AccountKey, Refused> {
    let (sql, values) = (format!("{} AND k.id = $3", select()), vec![scope.now().into(), id.into()]);
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    rows.into_iter().next().map(|row| from_row(row, scope.now())).ok_or(Refused::NotFound)
}

/// The keys of this account with this secret, or whose secret ends so. What was pasted is stored nowhere.
///
/// # Errors
/// [`Refused::Invalid`] on the field `secret`.
pub async fn find_by_secret(scope: &AccountScope, text: &str) -> Result<FoundKeys<AccountKey>, Refused> {
    let typed = Typed::parse(text)?;
    let (keys, value) = typed.keys();
    let sql = format!("{} AND k.id IN ({keys}) ORDER BY k.created_at DESC, k.id LIMIT {MAX_FOUND}", select());
    let values = vec![scope.now().into(), value];
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    let keys: Vec<AccountKey> = rows.into_iter().map(|row| from_row(row, scope.now())).collect();
    let by = match keys.is_empty() {
        true => FoundBy::Ending,
        false => typed.state(scope.connection(), scope.now()).await?,
    };
    Ok(FoundKeys { keys, by })
}

/// The workspaces that a key of this account is a member of, by name.
///
/// # Errors
/// The database's own.
pub async fn memberships(scope: &AccountScope, id: Uuid) -> Result<Vec<WorkspaceMembership>, Refused> {
    let sql = format!(
        "SELECT w.name, (SELECT w.slug FROM members o
                WHERE o.workspace_id = w.id AND o.user_id = $3 AND o.status = 'active') AS slug
            FROM members m CROSS JOIN workspaces w
            WHERE m.api_key_id = $2 AND w.id = m.workspace_id AND w.account_id = $1
            ORDER BY w.name, w.id LIMIT {MAX_MEMBERSHIPS}"
    );
    Ok(scope.list(&["name", "slug"], &sql, vec![id.into(), scope.actor().id().into()]).await?)
}

/// A workspace that can be the home of a new key.
#[derive(Clone, Debug, Deserialize)]
pub struct PossibleHome {
    pub id: Uuid,
    pub name: String,
}

/// The workspaces of the account, by name; at most [`MAX_MEMBERSHIPS`].
///
/// # Errors
/// The database's own.
pub async fn possible_homes(scope: &AccountScope) -> Result<Vec<PossibleHome>, Refused> {
    let sql = format!(
        "SELECT w.id, w.name FROM workspaces w WHERE w.account_id = $1 AND w.deleted_at IS NULL
            ORDER BY w.name, w.id LIMIT {MAX_MEMBERSHIPS}"
    );
    Ok(scope.list(&["id", "name"], &sql, Vec::new()).await?)
}

/// # Errors
/// The database's own.
pub async fn creator(scope: &AccountScope) -> Result<Creator, Refused> {
    api_keys::creator_in(scope.connection(), scope.account_id(), scope.actor().id()).await
}

/// Creates a key that is not a member of any workspace. Its home, if it gets one, records that too. `known` is the
/// number of keys that the actor had created when the form was opened.
///
/// # Errors
/// [`Refused::NotAllowed`] for someone who has not confirmed their address, [`KEY_ALREADY_CREATED`] if the
/// form was already sent, [`Refused::Invalid`] on `expires_at`, `name` or `home`.
pub async fn create(scope: AccountScope, requested: &NewApiKey, known: i64) -> Result<CreatedKey, Refused> {
    match requested.home {
        Some(home) => {
            let affected = Affected::One(home);
            scope.write_with_workspaces(affected, async |s| insert(s, requested, known).await).await
        }
        None => scope.write(async |s| insert(s, requested, known).await).await,
    }
}

async fn insert(
    s: &mut AccountWrite,
    requested: &NewApiKey,
    known: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
    api_keys::may_make_secrets(s.actor().person.is_verified)?;
    let (account, user) = (s.account_id(), s.actor().id());
    if api_keys::creator_in(s.connection(), account, user).await?.keys_created != known {
        return Err(KEY_ALREADY_CREATED.into());
    }
    if requested.home.is_some_and(|home| !s.has_locked(home)) {
        return Err(Invalid::field("home", "Choose a workspace of this account.").into());
    }
    let created = api_keys::insert(s.connection(), account, user, requested, s.now()).await?;
    let about = Created {
        key: &created,
        place: format!("account \"{}\"", inert(&s.actor().account.name)),
        roles: &[],
        expires_at: requested.expires_at,
        path: format!("/a/{account}/api-keys/{}", created.id),
    };
    let open = s.open();
    notify_created(&open.db, &open.tx, open.origin(), user, &about).await?;
    let expires_at = requested.expires_at.unwrap_or_default();
    let event = ApiKeyCreated { roles: Vec::new(), expires_at, requests: None };
    let mut events = vec![RecordedEvent::new(event, target(created.id, &created.name))];
    if requested.is_admin {
        let event = ApiKeyAdminChanged { is_admin: true };
        events.push(RecordedEvent::new(event, target(created.id, &created.name)));
    }
    let recorded = Recorded::many(created, events);
    s.record_in_each(&recorded);
    Ok(recorded)
}

fn target(id: Uuid, name: &str) -> Target {
    Target::new(API_KEY, id, name)
}

/// A key of this account that was not revoked, locked.
async fn live(s: &AccountWrite, id: Uuid) -> Result<api_keys::LiveKey, Refused> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "a row is all that is asked for")]
        id: Uuid,
    }
    let sql = "SELECT id FROM api_keys WHERE account_id = $1 AND id = $2";
    let existing: Option<Found> = s.first(sql, vec![id.into()]).await?;
    existing.ok_or(Refused::NotFound)?;
    api_keys::lock(s.connection(), id).await
}

/// Renames a key, in every workspace that it is a member of. Each gets an audit event.
///
/// # Errors
/// [`Refused::NotFound`], [`KEY_REVOKED`](crate::domain::records::keys::KEY_REVOKED).
pub async fn rename(scope: AccountScope, id: Uuid, name: &Name) -> Result<String, Refused> {
    let set_name = async |s: &mut AccountWrite| {
        let key = live(s, id).await?;
        let renamed = api_keys::set_name(s.connection(), id, key.name, name).await?;
        s.record_in_each(&renamed);
        Ok(renamed)
    };
    scope.write_with_workspaces(Affected::OfKey(id), set_name).await
}

/// Sets whether a key can create workspaces in the account. This gives it no access to existing workspaces.
/// Each workspace that it is a member of gets an audit event. Returns whether that changed anything.
///
/// # Errors
/// As [`rename`].
pub async fn set_admin(scope: AccountScope, id: Uuid, is_admin: bool) -> Result<bool, Refused> {
    let affected = Affected::OfKey(id);
    scope.write_with_workspaces(affected, async |s| update_admin(s, id, is_admin).await).await
}

async fn update_admin(s: &mut AccountWrite, id: Uuid, is_admin: bool) -> Result<Recorded<bool>, Refused> {
    let key = live(s, id).await?;
    if key.is_admin == is_admin {
        return Ok(Recorded::unchanged(false));
    }
    let sql = "UPDATE api_keys SET is_admin = $3 WHERE account_id = $1 AND id = $2";
    s.run(sql, vec![id.into(), is_admin.into()]).await?;
    let recorded = Recorded::new(true, ApiKeyAdminChanged { is_admin }, target(id, &key.name));
    s.record_in_each(&recorded);
    Ok(recorded)
}

/// Rotates the secret of a key that is not a member of any workspace. A secret of any other key would give
/// access to workspaces, which no account role does.
///
/// # Errors
/// As [`rename`]; [`Refused::NotAllowed`] for a key that is a member of a workspace, and for an actor who has
/// not confirmed their address; [`CHANGED`](crate::domain::CHANGED) if `seen` is no longer its newest secret;
/// [`Refused::Invalid`] on `overlap`.
pub async fn rotate(
    s: &mut AccountWrite,
    id: Uuid,
    seen: &str,
    overlap_ms: i64,
) -> Result<Recorded<CreatedKey>, Refused> {
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
    api_keys::ensure_newest(s.connection(), id, seen).await?;
    let shown_to = s.actor().id();
    api_keys::issue_new_secret(s.connection(), id, key.name, shown_to, s.now(), overlap_ms).await
}

/// Revokes a key and removes it from every workspace, whatever it holds there. Each workspace gets an audit
/// event. Returns the key's name.
///
/// # Errors
/// As [`rename`].
pub async fn revoke(scope: AccountScope, id: Uuid) -> Result<String, Refused> {
    scope.write_with_workspaces(Affected::OfKey(id), async |s| end(s, id).await).await
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
    // A membership added after the workspaces were locked stays, and is listed there as revoked.
    for membership in memberships {
        if !s.has_locked(membership.workspace_id) {
            continue;
        }
        let at = Unadmitted(s.connection(), membership.workspace_id);
        let all = s.open().db.roles().at(&at, membership.roles_version).await?;
        let member = MemberRecord::load(&at, &all, membership.id).await?;
        let recorded = api_keys::remove_from_workspace(&at, id, &member, s.now()).await?;
        s.record_in(membership.workspace_id, recorded);
    }
    api_keys::end(s.connection(), id, s.now()).await?;
    let event = ApiKeyRevoked { roles: Vec::new() };
    Ok(Recorded::new(name.clone(), event, target(id, &name)))
}
