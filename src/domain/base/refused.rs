//! All kinds of refusal of a request. Closed on purpose: `web` maps each to one status and
//! one page with the next step.

use crate::{
    domain::base::{
        conflict::{Conflict, DetailedConflict, Gone, Prerequisite},
        invalid::Invalid,
        invariants,
        outage::Outage,
        principal::Actor,
        reason::AuditReason,
        words::pluralize,
    },
    policy::Ceiling,
};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// Why a request was refused; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody is signed in, or the session ended. 401
    #[error("not signed in")]
    Unauthenticated,
    /// It does not exist, or the principal may not know that it does. 404
    #[error("not found")]
    NotFound,
    /// The membership, workspace or account is suspended. 403
    #[error("{0} is suspended")]
    Suspended(&'static str),
    /// The workspace has too few credits. 402
    #[error("not enough credits")]
    NoCredit(Box<NoCredit>),
    /// The permission is missing. 403
    #[error("missing permission")]
    Forbidden(Box<MissingPermission>),
    /// Only admins of the account may do this. 403
    #[error("not an admin of the account")]
    NotAdmin(NotAdmin),
    /// The permission is held, but the change exceeds what the actor's own roles allow. 403
    #[error(transparent)]
    Ceiling(#[from] Ceiling),
    /// The person must do something else first, such as confirm their address. 403
    #[error(transparent)]
    Prerequisite(Box<Prerequisite>),
    /// Not allowed for another reason, given as a sentence. 403
    #[error("{0}")]
    NotAllowed(&'static str),
    /// A rule of the whole workspace or account, or a concurrent change. 409
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A conflict with details that are computed, such as a number. 409
    #[error(transparent)]
    DetailedConflict(Box<DetailedConflict>),
    /// A link or an offer that is used up. 410
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The resource has another version than the request requires. 412
    #[error("it was changed in the meantime")]
    PreconditionFailed,
    /// Invalid input; each field with its sentence. 422
    #[error("the input is not valid")]
    Invalid(Invalid),
    /// Too many requests. 429
    #[error("too many attempts")]
    RateLimited { retry_after_seconds: i64 },
    /// The server is too busy right now. 503
    #[error("too busy")]
    Busy { retry_after_seconds: i64 },
    /// The database failed. 500, or 503 where it did not answer.
    #[error(transparent)]
    Failed(DbErr),
}

/// Which permission is missing, and who could change that.
#[derive(Clone, Debug, Default)]
pub struct MissingPermission {
    /// Labels of the permissions; any one of them is enough.
    pub permissions: Vec<&'static str>,
    /// Names of the roles that hold one of them.
    pub roles: Vec<String>,
    /// Names of people who can grant it; empty where the actor may not see members.
    pub granters: Vec<String>,
    /// The actor is a key whose roles hold it, and who vouches for the key or knows its secret does not.
    pub is_limited: bool,
    /// The actor of the request: the page is drawn in the frame of their workspace.
    pub actor: Option<Actor>,
}

/// How many credits are missing, and who can buy some.
#[derive(Clone, Debug, Default)]
pub struct NoCredit {
    pub needed: i64,
    pub available: i64,
    /// Names of the roles that can buy.
    pub roles: Vec<String>,
    /// Names of people who can; empty where the actor may not see members.
    pub people: Vec<String>,
}

impl NoCredit {
    /// What happened, in a sentence.
    pub fn sentence(&self) -> String {
        let Self { needed, available, .. } = self;
        format!(
            "This takes {}, and {} available.",
            pluralize(*needed, "credit", "credits"),
            match available {
                0 => "none are".to_owned(),
                1 => "1 is".to_owned(),
                left => format!("{left} are"),
            }
        )
    }

    /// Who can buy, in sentences.
    pub fn remedy(&self) -> String {
        let mut remedy = format!("Roles that can buy credits: {}.", self.roles.join(", "));
        if !self.people.is_empty() {
            remedy.push_str(&format!(" People who can: {}.", self.people.join(", ")));
        }
        remedy
    }
}

/// Who could make the change, or appoint another admin.
#[derive(Clone, Debug)]
pub struct NotAdmin {
    /// Names of some of the account's admins; empty for whoever is not a member of any of its workspaces.
    pub admins: Vec<String>,
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<DetailedConflict> for Refused {
    fn from(conflict: DetailedConflict) -> Self {
        Self::DetailedConflict(Box::new(conflict))
    }
}

impl From<Prerequisite> for Refused {
    fn from(prerequisite: Prerequisite) -> Self {
        Self::Prerequisite(Box::new(prerequisite))
    }
}

impl From<DbErr> for Refused {
    fn from(error: DbErr) -> Self {
        if let Some(conflict) = invariants::of_trigger(&error.to_string()) {
            return conflict.into();
        }
        match error {
            DbErr::ConnectionAcquire(_) => Self::Busy { retry_after_seconds: 2 },
            // PostgreSQL preferred a concurrent transaction, or what a standby replays: nothing was changed, and a
            // second attempt succeeds.
            error if lost_a_race(&error) => Self::Busy { retry_after_seconds: 1 },
            other => Self::Failed(other),
        }
    }
}

impl Refused {
    /// What keeps the database from working, if that is why.
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Failed(error) => Outage::of(error),
            _ => None,
        }
    }

    /// The reason under which a refusal is audited; `None` where it is not audited: another tenant's
    /// object must be indistinguishable from a missing one, and invalid input is not a security event.
    pub(in crate::domain) fn audit_reason(&self) -> Option<AuditReason> {
        match self {
            Self::Suspended(_) => Some(SUSPENDED),
            Self::Forbidden(_) => Some(PERMISSION),
            Self::NotAdmin(_) => Some(NOT_ADMIN),
            Self::Ceiling(_) => Some(CEILING),
            Self::NotAllowed(_) => Some(NOT_ALLOWED),
            Self::Prerequisite(prerequisite) => Some(prerequisite.reason),
            Self::Conflict(conflict) => Some(conflict.reason).filter(|_| !conflict.is_reload),
            Self::DetailedConflict(conflict) => Some(conflict.reason),
            Self::Unauthenticated
            | Self::NotFound
            | Self::NoCredit(_)
            | Self::Gone(_)
            | Self::PreconditionFailed
            | Self::Invalid(_)
            | Self::RateLimited { .. }
            | Self::Busy { .. }
            | Self::Failed(_) => None,
        }
    }
}

pub(in crate::domain) const SUSPENDED: AuditReason = AuditReason::new("suspended", "suspended");
pub(in crate::domain) const PERMISSION: AuditReason = AuditReason::new("permission", "missing permission");
pub(in crate::domain) const NOT_ADMIN: AuditReason =
    AuditReason::new("not-admin", "not an admin of the account");
pub(in crate::domain) const CEILING: AuditReason = AuditReason::new("ceiling", "exceeds their own roles");
pub(in crate::domain) const UNCONFIRMED: AuditReason =
    AuditReason::new("unconfirmed", "e-mail address not confirmed");
pub(in crate::domain) const NOT_ALLOWED: AuditReason = AuditReason::new("not-allowed", "not allowed");

fn lost_a_race(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "40001" | "40P01"))
}

/// True if the database refused a second row where only one may be.
pub(in crate::domain) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
