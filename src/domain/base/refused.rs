//! Every way in which a request can be refused. Closed on purpose: `web` maps each to one status and
//! one page that says what to do next.

use crate::{
    domain::base::{invalid::Invalid, principal::Actor},
    policy::Ceiling,
};
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use serde::Deserialize;
use uuid::Uuid;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody is signed in, or the session ended. 401
    #[error("nobody is signed in")]
    SignedOut,
    /// It does not exist, or not for this principal: the same answer. 404
    #[error("no such thing")]
    Hidden,
    /// The membership, workspace or account is suspended. 403
    #[error("{0} is suspended")]
    Suspended(&'static str),
    /// The permission is missing. 403
    #[error("a permission is missing")]
    Forbidden(Box<Missing>),
    /// Only the account's admins may. 403
    #[error("not an admin of the account")]
    NotAdmin(NotAdmin),
    /// The permission is there, but this goes over the actor's head. 403
    #[error(transparent)]
    Ceiling(#[from] Ceiling),
    /// An invitation for another address than the one signed in with. 403
    #[error("the invitation is for another address")]
    WrongAddress(Box<WrongAddress>),
    /// The address was not confirmed yet. 403
    #[error("the address is not confirmed")]
    Unverified { email: String },
    /// Something else that this person may not do, said in a sentence. 403
    #[error("{0}")]
    NotAllowed(&'static str),
    /// A rule of the whole workspace, or somebody was faster. 409
    #[error("{0}")]
    Conflict(Conflict),
    /// Teams come with the role that is to go: those of them that the actor may see. 409
    #[error("A team comes with this role. Take it from the team first, on the team's page.")]
    RoleOfTeams(Vec<TeamWithRole>),
    /// A link or an offer that is used up. 410
    #[error("{0}")]
    Gone(Gone),
    /// It is not any more what the request says it must be. 412
    #[error("it was changed meanwhile")]
    Stale,
    /// What was typed; each field with its sentence. 422
    #[error("the input is not valid")]
    Invalid(Invalid),
    /// Too often. 429
    #[error("too many attempts")]
    TooMany { retry_after_seconds: i64 },
    /// Too busy right now. 503
    #[error("too busy")]
    Busy { retry_after_seconds: i64 },
    /// The database failed. 500, or 503 where it did not answer.
    #[error(transparent)]
    Failed(DbErr),
}

/// Which permission is missing, and who could change that.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// Labels of the permissions; any one of them is enough.
    pub permissions: Vec<&'static str>,
    /// Names of the roles that hold one of them.
    pub roles: Vec<String>,
    /// Names of people who can grant it; empty where the actor may not see members.
    pub granters: Vec<String>,
    /// Who asked: the page is drawn in the frame of their workspace.
    pub actor: Option<Actor>,
}

/// A team that comes with a role.
#[derive(Clone, Debug, Deserialize)]
pub struct TeamWithRole {
    pub id: Uuid,
    pub name: String,
}

/// Who could do it, or make one an admin.
#[derive(Clone, Debug)]
pub struct NotAdmin {
    /// Names of some of the account's admins.
    pub admins: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct WrongAddress {
    pub invited: String,
    pub signed_in: String,
}

/// A rule of the whole workspace stands against it, or somebody was faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error("The workspace must keep an active Owner. Make someone else an Owner first, then try again.")]
    LastOwner,
    #[error(
        "Someone changed this since you opened the page. Nothing was overwritten: look at what it is now, and decide again."
    )]
    Changed,
    #[error("This person is already a member of the workspace.")]
    AlreadyMember,
    #[error("This member is suspended already.")]
    AlreadySuspended,
    #[error("This member is active already.")]
    AlreadyActive,
    #[error("Ownership is offered to someone already. Withdraw that offer first.")]
    OfferPending,
    #[error("Only an active member can take over. Reactivate this person first.")]
    NotActive,
    #[error(
        "This change takes the page away from you: you would no longer hold Update permissions. Confirm it if you mean it."
    )]
    LocksYouOut,
    #[error("This invitation is not pending any more, so it can't be changed.")]
    NotPending,
    #[error("Someone has this role, or is invited with it. Choose the role that takes its place.")]
    RoleInUse,
    #[error(
        "Somebody has this address who is no person of this account. Invite them instead: they decide whether to come."
    )]
    SomebodyElses,
    #[error(
        "This address is invited to the workspace. Let them answer, or cancel the invitation first: it may offer other roles."
    )]
    Invited,
    #[error("This key is a member of the workspace already.")]
    KeyIsMember,
    #[error("This key was revoked. Make a new one.")]
    KeyRevoked,
    #[error(
        "You made a key since this form was opened, perhaps with this very form. A secret is shown once only: if you didn't keep it, rotate the key. To make another key, open the form again."
    )]
    KeyMade,
    #[error(
        "This is a built-in role: it keeps its name and its description, and what it may do in Bailiwick is set on the Security page or with PUT on its scopes. Send scopes of your own applications alone."
    )]
    BuiltInRole,
    #[error(
        "There is a role with this slug already, and it is another one. Change it with PATCH and with PUT on its scopes, or choose another slug."
    )]
    RoleExists,
    #[error(
        "Whoever answers for this key is no active person of the account any more. Name a person of the account as “owner”."
    )]
    NobodyAnswers,
    #[error(
        "The first request with this Idempotency-Key is still being answered. Wait a moment, then ask again."
    )]
    StillRunning,
    #[error(
        "This was done by the first request with this Idempotency-Key. Its answer held a secret that was told once, or it was lost: it is not kept. Nothing was done again."
    )]
    DoneBefore,
    #[error("The account must keep an active admin. Make someone else an admin first, then try again.")]
    LastAdmin,
    #[error(
        "This person is still a member of workspaces of the account: {0}. An Owner or Admin of each removes them there first."
    )]
    InWorkspaces(i64),
}

/// A link or an offer that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    #[error("This invitation was cancelled. Ask the workspace for a new one if you still want to join.")]
    Cancelled,
    #[error("This invitation was accepted already. Sign in, and you will find the workspace in your list.")]
    Accepted,
    #[error("This invitation was declined. Ask the workspace for a new one if you changed your mind.")]
    Declined,
    #[error("This invitation expired. Ask the person who invited you to send it again.")]
    Expired,
    #[error("A newer link was sent for this invitation. Look for the latest mail and use the link in it.")]
    Superseded,
    #[error(
        "This invitation no longer holds, because the person who sent it may no longer invite. Ask the workspace for a new one."
    )]
    InviterGone,
    #[error("This offer no longer holds.")]
    Offer,
    #[error(
        "This link was used already, or it is too old, or a newer one was sent. Ask whoever sent it for a new one."
    )]
    Link,
    #[error(
        "This link was used already, or it is too old, or a newer one was sent. If your address is not confirmed yet, sign in to have another sent."
    )]
    Confirmation,
    #[error("This link was used already, or it is too old, or a newer one was sent. Ask for a new one.")]
    Reset,
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Conflict> for Refused {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<Gone> for Refused {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<DbErr> for Refused {
    fn from(error: DbErr) -> Self {
        // The triggers behind the rules of who must remain speak in the database's voice.
        if error.to_string().contains("last_owner") {
            return Self::Conflict(Conflict::LastOwner);
        }
        if error.to_string().contains("last_admin") {
            return Self::Conflict(Conflict::LastAdmin);
        }
        match error {
            DbErr::ConnectionAcquire(_) => Self::Busy { retry_after_seconds: 2 },
            // PostgreSQL let another go first: nothing was changed, and a second try goes through.
            error if is_deadlock(&error) => Self::Busy { retry_after_seconds: 1 },
            other => Self::Failed(other),
        }
    }
}

impl Refused {
    /// True if the database could not be reached or did not answer in time.
    pub fn is_unreachable(&self) -> bool {
        use sea_orm::sqlx::Error;
        match self {
            Self::Failed(DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => true,
            Self::Failed(DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e))) => {
                matches!(**e, Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed)
            }
            _ => false,
        }
    }

    /// The short word under which a refusal is audited; `None` where it is not audited: another
    /// tenant's object must look like none at all, and a typing mistake is nobody's concern.
    pub(in crate::domain) fn audited_as(&self) -> Option<&'static str> {
        match self {
            Self::Suspended(_) => Some("suspended"),
            Self::Forbidden(_) => Some("permission"),
            Self::NotAdmin(_) => Some("not-admin"),
            Self::Ceiling(_) => Some("ceiling"),
            Self::NotAllowed(_) => Some("not-allowed"),
            Self::Unverified { .. } => Some("unverified"),
            Self::WrongAddress(_) => Some("wrong-address"),
            Self::Conflict(Conflict::LastOwner) => Some("last-owner"),
            Self::Conflict(Conflict::LastAdmin) => Some("last-admin"),
            Self::Conflict(Conflict::InWorkspaces(_)) => Some("in-workspaces"),
            Self::Conflict(Conflict::LocksYouOut) => Some("lock-out"),
            Self::Conflict(Conflict::RoleInUse) | Self::RoleOfTeams(_) => Some("role-in-use"),
            Self::Conflict(_) => Some("conflict"),
            _ => None,
        }
    }
}

fn is_deadlock(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "40P01")
}

/// True if the database refused a second row where only one may be.
pub(in crate::domain) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
