//! What a person belongs to, and what the deletion of their sign-in would do there.

use crate::{
    clock::Timestamp,
    domain::{
        base::{db::Db, principal::Person, refused::Refused, sql::Sql},
        nouns::organization::deletion::RESTORABLE_FOR,
    },
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What would happen, as the confirmation page says it.
#[derive(Clone, Debug)]
pub struct OwnDeletion {
    /// Deleted ones that can be restored too.
    pub workspaces: Vec<OwnWorkspace>,
    pub accounts: Vec<OwnAccount>,
    /// Names of live API keys that they vouch for or know a secret of; the first [`MAX_KEYS`].
    pub keys: Vec<String>,
}

/// A workspace that the person is a member of, deleted or not.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OwnWorkspace {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub(super) member_id: Uuid,
    deleted_at: Option<Timestamp>,
    /// It is suspended, or its account is.
    pub is_closed: bool,
    is_owner: bool,
    owners: i64,
    /// Pending invitations that they sent.
    pub invitations: i64,
    /// Memberships that they entered by the API, and that wait for an answer.
    pub entries: i64,
    pub teams: i64,
}

impl OwnWorkspace {
    fn is_sole_owner(&self) -> bool {
        self.is_owner && self.owners <= 1
    }

    /// It would be left without an active Owner.
    pub fn needs_owner(&self) -> bool {
        self.deleted_at.is_none() && self.is_sole_owner()
    }

    /// It is deleted, and nobody else could restore it until then.
    pub fn lost_at(&self) -> Option<Timestamp> {
        self.deleted_at.filter(|_| self.is_sole_owner()).map(|at| at + RESTORABLE_FOR)
    }
}

/// An account that the person belongs to.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OwnAccount {
    pub id: Uuid,
    pub name: String,
    pub is_closed: bool,
    pub is_admin: bool,
    people: i64,
    admins: i64,
    has_workspaces: bool,
}

impl OwnAccount {
    /// It would be left without an active admin, and there is something to administer. One that nobody else belongs to,
    /// and whose workspaces are all deleted, needs none.
    pub fn needs_admin(&self) -> bool {
        self.is_admin && self.admins <= 1 && !self.goes()
    }

    /// It goes with the person.
    pub fn goes(&self) -> bool {
        self.people <= 1 && !self.has_workspaces
    }
}

/// The most keys that are named.
pub const MAX_KEYS: usize = 50;

/// `$2` is the time. Whether there is a row, as a single value: for an `EXISTS`, PostgreSQL would read a whole small table.
const WORKSPACES: &str =
    "SELECT w.id, w.slug, w.name, m.id AS member_id, w.deleted_at,
        (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed,
        (SELECT 1 FROM lasting_owners o WHERE o.workspace_id = m.workspace_id AND o.member_id = m.id LIMIT 1) IS NOT NULL
            AS is_owner,
        (SELECT COUNT(*) FROM lasting_owners o WHERE o.workspace_id = m.workspace_id) AS owners,
        (SELECT COUNT(*) FROM invitations n WHERE n.workspace_id = m.workspace_id AND n.status = 'pending'
            AND n.inviter_id = m.user_id AND n.inviter_key_id IS NULL AND n.expires_at > $2) AS invitations,
        (SELECT COUNT(*) FROM members e WHERE e.workspace_id = m.workspace_id AND e.entered_by = m.user_id) AS entries,
        (SELECT COUNT(*) FROM team_members t WHERE t.workspace_id = m.workspace_id AND t.member_id = m.id) AS teams
    FROM members m JOIN workspaces w ON w.id = m.workspace_id JOIN accounts a ON a.id = w.account_id
    WHERE m.user_id = $1 ORDER BY w.name, w.id";

/// As [`WORKSPACES`].
const ACCOUNTS: &str = "SELECT a.id, a.name, a.suspended_at IS NOT NULL AS is_closed, p.is_admin, a.people,
        (SELECT COUNT(*) FROM active_admins d WHERE d.account_id = p.account_id) AS admins,
        (SELECT 1 FROM workspaces w WHERE w.account_id = p.account_id AND w.deleted_at IS NULL LIMIT 1) IS NOT NULL
            AS has_workspaces
    FROM account_people p JOIN accounts a ON a.id = p.account_id
    WHERE p.user_id = $1 ORDER BY a.name, a.id";

/// What the deletion of this person's sign-in would do.
///
/// # Errors
/// The database's own.
pub async fn get(db: &Db, person: &Person) -> Result<OwnDeletion, Refused> {
    let (read, user) = (db.read(), person.user_id);
    let sql = format!(
        "SELECT DISTINCT k.name FROM (SELECT v.api_key_id AS id FROM members v WHERE v.vouched_by = $1
            UNION SELECT s.api_key_id FROM api_key_secrets s WHERE s.shown_to = $1) d
        CROSS JOIN api_keys k WHERE k.id = d.id AND k.revoked_at IS NULL ORDER BY k.name LIMIT {MAX_KEYS}"
    );
    let keys: Vec<KeyName> = read.all(&sql, vec![user.into()]).await?;
    Ok(OwnDeletion {
        workspaces: workspaces(read, user, db.now()).await?,
        accounts: accounts(read, user).await?,
        keys: keys.into_iter().map(|key| key.name).collect(),
    })
}

#[derive(FromQueryResult)]
struct KeyName {
    name: String,
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

pub(super) async fn workspaces(
    connection: &impl ConnectionTrait,
    user: Uuid,
    now: Timestamp,
) -> Result<Vec<OwnWorkspace>, DbErr> {
    connection.all(WORKSPACES, vec![user.into(), now.into()]).await
}

pub(super) async fn accounts(
    connection: &impl ConnectionTrait,
    user: Uuid,
) -> Result<Vec<OwnAccount>, DbErr> {
    connection.all(ACCOUNTS, vec![user.into()]).await
}

/// The workspaces in whose records the deletion is: those that the person is a member of, and all of accounts that they
/// administer.
pub(super) async fn concerned(
    connection: &impl ConnectionTrait,
    user: Uuid,
) -> Result<BTreeSet<Uuid>, DbErr> {
    let sql = "SELECT m.workspace_id AS id FROM members m WHERE m.user_id = $1
        UNION SELECT w.id FROM account_people p CROSS JOIN workspaces w
        WHERE p.user_id = $1 AND CASE WHEN p.is_admin THEN 1 ELSE 0 END = 1 AND w.account_id = p.account_id";
    let ids: Vec<Id> = connection.all(sql, vec![user.into()]).await?;
    Ok(ids.into_iter().map(|row| row.id).collect())
}
