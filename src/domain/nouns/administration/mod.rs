//! An Owner asks for the administration of the account: of the admins, who may have left every workspace of it.
//!
//! An account's admins have power over its workspaces' keys, and are not always members of them. An Owner sees who
//! they are; by a request, which one of them accepts, the Owner becomes one too.

pub mod events;
pub mod mail;

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::{Conflict, Gone},
            event::{Recorded, Target},
            limits,
            outbox::Mail,
            principal::USER,
            refused::Refused,
            sql::Sql,
            words::inert,
        },
        enforce::{
            account::{AccountScope, AccountWrite, Affected},
            read::ReadScope,
            rows::Scoped,
            write::WriteScope,
        },
        nouns::{
            accounts::{self, PersonChanged, events::ACCOUNT},
            administration::{
                events::{AdministrationDeclined, AdministrationRequested},
                mail::AdministrationRequestedMail,
            },
        },
        records::{self, accounts::is_admin, requests::by_owner},
    },
    policy::{Ceiling, perm},
    random,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// How long a request can be accepted, in milliseconds.
const LIFETIME: i64 = 7 * DAY;

/// The most admins that a request is mailed to.
const MAX_MAILS: usize = 20;

pub const ALREADY_ADMIN: Conflict =
    Conflict::new("already-account-admin", "You're already an admin of this account.");

pub const ALREADY_REQUESTED: Conflict = Conflict::new(
    "administration-requested",
    "You already asked to become an admin of this account. Wait for an answer, or ask again after seven days.",
);

pub const REQUEST_GONE: Gone = Gone::new(
    "administration-request",
    "This request is no longer valid: it was answered, has expired, or the person who made it is no longer an Owner.",
);

/// Asks the admins of the account to make the actor one of them.
///
/// # Errors
/// [`Ceiling::OwnerOnly`], [`Refused::NotAllowed`] for a key, [`ALREADY_ADMIN`], [`ALREADY_REQUESTED`],
/// [`Refused::RateLimited`].
pub async fn ask(scope: ReadScope<perm::Membership>) -> Result<(), Refused> {
    limits::ASK_ADMINISTRATION.spend(scope.db(), &scope.actor().principal.id().to_string(), 1).await?;
    scope.write(async |s| request(s).await).await
}

const TOO_OFTEN: &str = "You asked too often. Try again later, on the Organization page.";

/// What became of a request that was made together with something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Requested,
    /// Why nothing was requested: a sentence.
    Refused(String),
}

/// Counts a request of the actor that is made together with something else, which is done whether or not there were too many.
pub(in crate::domain) async fn count_request<P>(scope: &ReadScope<P>) -> Result<(), Refused> {
    limits::ASK_ADMINISTRATION.spend(scope.db(), &scope.actor().principal.id().to_string(), 1).await
}

/// Asks for the administration of the account together with something else, such as the removal of a member, who may stay
/// its admin. That somebody can't ask does not keep them from that. `within_limit` is what [`count_request`] said.
///
/// # Errors
/// [`Ceiling::OwnerOnly`] and [`Refused::NotAllowed`] as [`ask`].
pub(in crate::domain) async fn ask_together<P>(
    s: &WriteScope<P>,
    within_limit: Result<(), Refused>,
) -> Result<Recorded<Asked>, Refused> {
    let requested = match within_limit {
        Ok(()) => request(s).await,
        Err(refused) => Err(refused),
    };
    match requested {
        Ok(requested) => Ok(requested.map(|()| Asked::Requested)),
        // They wait for an answer already.
        Err(Refused::Conflict(ALREADY_REQUESTED)) => Ok(Recorded::unchanged(Asked::Requested)),
        Err(refused @ (Refused::Conflict(ALREADY_ADMIN) | Refused::Prerequisite(_))) => {
            Ok(Recorded::unchanged(Asked::Refused(refused.to_string())))
        }
        Err(Refused::RateLimited { .. }) => Ok(Recorded::unchanged(Asked::Refused(TOO_OFTEN.to_owned()))),
        Err(refused) => Err(refused),
    }
}

#[derive(FromQueryResult)]
struct Admin {
    account: String,
    email: String,
}

async fn request<P>(s: &WriteScope<P>) -> Result<Recorded<()>, Refused> {
    if !s.actor().holdings.is_owner() {
        return Err(Ceiling::OwnerOnly.into());
    }
    let Some(person) = s.actor().principal.person().cloned() else {
        return Err(Refused::NotAllowed("Only people can administer an account."));
    };
    let (tx, now, workspace) = (s.connection(), s.now(), s.actor().workspace.clone());
    let account = workspace.account_id;
    records::mail::may_send(s.actor())?;
    if is_admin(tx, account, person.user_id).await? {
        return Err(ALREADY_ADMIN.into());
    }
    // One that nobody could accept any more makes room for another, whatever workspace it came from.
    let sql = format!(
        "DELETE FROM administration_requests AS r WHERE r.account_id = $1 AND r.user_id = $2
            AND NOT (r.expires_at > $3 AND {})",
        by_owner("$3")
    );
    tx.run(&sql, vec![account.into(), person.user_id.into(), now.into()]).await?;
    let expires_at = now + LIFETIME;
    // One of two at once inserts: a statement that failed would end the transaction on PostgreSQL.
    let sql =
        "INSERT INTO administration_requests (id, workspace_id, account_id, user_id, created_at, expires_at)
        VALUES ($2, $1, $3, $4, $5, $6) ON CONFLICT (account_id, user_id) DO NOTHING";
    let values =
        vec![random::id(now).into(), account.into(), person.user_id.into(), now.into(), expires_at.into()];
    if s.run(sql, values).await? == 0 {
        return Err(ALREADY_REQUESTED.into());
    }
    let sql = format!(
        "SELECT a.name AS account, u.email FROM accounts a
            JOIN active_admins p ON p.account_id = a.id JOIN users u ON u.id = p.user_id
            WHERE a.id = (SELECT w.account_id FROM workspaces w WHERE w.id = $1) ORDER BY u.email LIMIT {MAX_MAILS}"
    );
    let admins: Vec<Admin> = s.all(&sql, Vec::new()).await?;
    let name = admins.first().map(|admin| admin.account.clone()).unwrap_or_default();
    let mail = AdministrationRequestedMail {
        url: s.open().db.public_url(),
        from: &inert(&person.name),
        signature: &s.actor().principal.signature(),
        workspace: &inert(&workspace.name),
        account: &inert(&name),
        account_id: account,
    };
    for admin in &admins {
        records::mail::queue(s, Mail::new(&admin.email, &mail)).await?;
    }
    Ok(Recorded::new((), AdministrationRequested { expires_at }, Target::new(ACCOUNT, account, name)))
}

#[derive(FromQueryResult)]
struct Pending {
    pending: i64,
}

/// A pending request, as the admins of the account see it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AdministrationRequest {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub email: String,
    pub workspace_id: Uuid,
    /// The name of the workspace that they are an Owner of.
    pub workspace: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

const REQUESTS: &str = "SELECT r.id, r.user_id, u.name, u.email, r.workspace_id, w.name AS workspace,
        r.created_at, r.expires_at
    FROM administration_requests r JOIN users u ON u.id = r.user_id AND u.suspended_at IS NULL
    JOIN workspaces w ON w.id = r.workspace_id AND w.deleted_at IS NULL
    WHERE r.account_id = $1 AND r.expires_at > $2 AND ";

/// The pending requests of people who are still Owners, the oldest first.
///
/// # Errors
/// The database's own.
pub async fn pending(scope: &AccountScope) -> Result<Vec<AdministrationRequest>, Refused> {
    let sql = format!("{REQUESTS}{} ORDER BY r.created_at, r.id LIMIT 50", by_owner("$2"));
    Ok(scope.all(&sql, vec![scope.now().into()]).await?)
}

async fn find(s: &AccountWrite, id: Uuid) -> Result<AdministrationRequest, Refused> {
    let sql = format!("{REQUESTS}{} AND r.id = $3", by_owner("$2"));
    match s.first(&sql, vec![s.now().into(), id.into()]).await? {
        Some(request) => Ok(request),
        None => Err(why_gone(s, id).await?),
    }
}

/// A request that was made is over; any other id is unknown.
async fn why_gone(s: &AccountWrite, id: Uuid) -> Result<Refused, Refused> {
    let sql = "SELECT COUNT(*) AS pending FROM administration_requests WHERE account_id = $1 AND id = $2";
    let known: Option<Pending> = s.first(sql, vec![id.into()]).await?;
    Ok(if known.is_some_and(|known| known.pending > 0) { REQUEST_GONE.into() } else { Refused::NotFound })
}

async fn close(s: &AccountWrite, id: Uuid) -> Result<(), Refused> {
    let sql = "DELETE FROM administration_requests WHERE account_id = $1 AND id = $2";
    match s.run(sql, vec![id.into()]).await? {
        1 => Ok(()),
        _ => Err(REQUEST_GONE.into()),
    }
}

/// Makes the person who asked an admin of the account. Every workspace of it gets an audit event.
///
/// # Errors
/// [`Refused::NotFound`], [`REQUEST_GONE`].
pub async fn accept(scope: AccountScope, id: Uuid) -> Result<PersonChanged, Refused> {
    let accept = async |s: &mut AccountWrite| {
        let request = find(s, id).await?;
        close(s, id).await?;
        accounts::appoint(s, request.user_id, true).await
    };
    scope.write_with_workspaces(Affected::All, accept).await
}

/// Declines the request. The workspace that it came from gets an audit event. Returns the name of the person.
///
/// # Errors
/// [`Refused::NotFound`], [`REQUEST_GONE`].
pub async fn decline(scope: AccountScope, id: Uuid) -> Result<String, Refused> {
    let decline = async |s: &mut AccountWrite| {
        let request = find(s, id).await?;
        close(s, id).await?;
        let target =
            Target::new(USER, request.user_id, request.name.clone()).of(Some(request.user_id), request.email);
        let recorded = Recorded::new(request.name, AdministrationDeclined {}, target);
        s.record_in_each(&recorded);
        Ok(recorded)
    };
    scope.write_with_workspaces(Affected::OfRequest(id), decline).await
}
