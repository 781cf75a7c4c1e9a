//! Admission to an account: session, belonging to the account, being its admin.

use crate::clock::Timestamp;
use crate::domain::{
    base::{
        account::{Account, CreationPolicy, SUSPENDED},
        principal::{Credential, Person},
        refused::{NotAdmin, Refused},
        sql::Sql,
    },
    enforce::boundary::{Denied, Judged},
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

/// The actor of a request about an account. Everything that can act for an account is defined here.
#[derive(Clone, Debug)]
pub struct Admin {
    pub person: Person,
    pub account: Account,
}

impl Admin {
    pub fn id(&self) -> Uuid {
        self.person.user_id
    }
}

/// Everything that the decision needs, as one row.
#[derive(FromQueryResult)]
struct Row {
    session_id: Uuid,
    last_seen_at: Timestamp,
    user_id: Uuid,
    user_name: String,
    email: String,
    is_verified: bool,
    account_id: Option<Uuid>,
    account_name: Option<String>,
    workspace_creation: Option<String>,
    created_at: Option<Timestamp>,
    people: Option<i64>,
    is_suspended: Option<bool>,
    is_admin: Option<bool>,
}

/// Reads and judges an admin, by one SQL statement.
///
/// # Errors
/// [`Refused::Unauthenticated`], and [`Refused::NotFound`] for someone who does not belong to the account.
pub(super) async fn admit(
    connection: &impl ConnectionTrait,
    credential: &Credential,
    account: Uuid,
    now: Timestamp,
) -> Result<Judged<Account>, Refused> {
    Row::load(connection, credential, account, now).await?.ok_or(Refused::Unauthenticated)?.judge()
}

impl Row {
    async fn load(
        connection: &impl ConnectionTrait,
        credential: &Credential,
        account: Uuid,
        now: Timestamp,
    ) -> Result<Option<Self>, DbErr> {
        let sql = "SELECT s.id AS session_id, s.last_seen_at, u.id AS user_id, u.name AS user_name, u.email,
                u.email_verified_at IS NOT NULL AS is_verified,
                a.id AS account_id, a.name AS account_name, a.workspace_creation, a.created_at, a.people,
                a.suspended_at IS NOT NULL AS is_suspended, p.is_admin
            FROM sessions s
            JOIN users u ON u.id = s.user_id AND u.suspended_at IS NULL
            LEFT JOIN account_people p ON p.account_id = $2 AND p.user_id = u.id
            LEFT JOIN accounts a ON a.id = p.account_id
            WHERE s.token_hash = $1 AND s.expires_at > $3";
        connection.first(sql, vec![credential.token_hash().into(), account.into(), now.into()]).await
    }

    /// # Errors
    /// [`Refused::NotFound`] for someone who does not belong to the account. Everything else is in the
    /// verdict.
    fn judge(self) -> Result<Judged<Account>, Refused> {
        let (Some(id), Some(name), Some(creation), Some(created_at), Some(people)) =
            (self.account_id, self.account_name, self.workspace_creation, self.created_at, self.people)
        else {
            return Err(Refused::NotFound);
        };
        let verdict = if self.is_suspended.unwrap_or(true) {
            Err(Denied::Suspended(SUSPENDED))
        } else if !self.is_admin.unwrap_or(false) {
            Err(Denied::Missing)
        } else {
            Ok(())
        };
        let creation = CreationPolicy::of(&creation).unwrap_or(CreationPolicy::Admins);
        let person = Person {
            session_id: self.session_id,
            user_id: self.user_id,
            name: self.user_name,
            email: self.email,
            is_verified: self.is_verified,
        };
        let account = Account { id, name, creation, created_at, people };
        Ok(Judged { actor: Admin { person, account }, last_seen_at: self.last_seen_at, verdict })
    }
}

/// The refusal for a person who is not an admin. It names the admins to whoever is an active member of a workspace
/// of the account, and to nobody who left or was removed.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn not_admin(
    connection: &impl ConnectionTrait,
    account: Uuid,
    user: Uuid,
) -> Result<Refused, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        name: String,
    }
    let sql = "SELECT u.name FROM active_admins a JOIN users u ON u.id = a.user_id
        WHERE a.account_id = $1 AND EXISTS (
            SELECT 1 FROM members m CROSS JOIN workspaces w
            WHERE m.user_id = $2 AND m.status = 'active' AND w.id = m.workspace_id
                AND w.account_id = $1 AND w.deleted_at IS NULL)
        ORDER BY u.name LIMIT 5";
    let rows: Vec<Row> = connection.all(sql, vec![account.into(), user.into()]).await?;
    Ok(Refused::NotAdmin(NotAdmin { admins: rows.into_iter().map(|row| row.name).collect() }))
}
