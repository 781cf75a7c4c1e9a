//! Rate limits. Counted in the database, so that they hold across nodes.

use crate::{
    clock::{HOUR, MINUTE, Timestamp},
    domain::base::{db::Db, refused::Refused, sql::Sql},
};
use sea_orm::{DbErr, FromQueryResult};

/// One rate limit.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Limit {
    name: &'static str,
    max: i64,
    window_ms: i64,
}

/// Wrong passwords for one address, whoever types them. An unknown address counts the same way, so
/// that the response discloses nothing.
pub(in crate::domain) const SIGN_IN_ACCOUNT: Limit =
    Limit { name: "sign-in", max: 10, window_ms: 15 * MINUTE };

/// Wrong passwords from one network address.
pub(in crate::domain) const SIGN_IN_ADDRESS: Limit =
    Limit { name: "sign-in-from", max: 60, window_ms: 15 * MINUTE };

pub(in crate::domain) const SIGN_UP_ADDRESS: Limit =
    Limit { name: "sign-up-from", max: 200, window_ms: HOUR };

/// Mail that a stranger can make us send to one address.
pub(in crate::domain) const MAIL_TO: Limit = Limit { name: "mail-to", max: 6, window_ms: HOUR };

pub(in crate::domain) const FORGOT_ADDRESS: Limit = Limit { name: "forgot-from", max: 120, window_ms: HOUR };

/// Addresses that one person may invite, over all workspaces.
pub(in crate::domain) const INVITE: Limit = Limit { name: "invite", max: 1_000, window_ms: HOUR };

/// The addresses that a person may invite while their own is not confirmed: mail to strangers is worth
/// abusing.
pub(in crate::domain) const INVITE_UNVERIFIED: Limit =
    Limit { name: "invite-unverified", max: 50, window_ms: HOUR };

/// Mails for one invitation.
pub(in crate::domain) const RESEND: Limit = Limit { name: "resend", max: 20, window_ms: HOUR };

/// Mail to new addresses that one person may request.
pub(in crate::domain) const CHANGE_EMAIL: Limit = Limit { name: "change-email", max: 10, window_ms: HOUR };

/// Wrong passwords of a person who is signed in. Separate from sign-in, where strangers count too.
pub(in crate::domain) const CONFIRM: Limit = Limit { name: "confirm", max: 10, window_ms: 15 * MINUTE };

/// Workspaces that one person may create.
pub(in crate::domain) const CREATE_WORKSPACE: Limit = Limit { name: "found", max: 30, window_ms: HOUR };

#[derive(FromQueryResult)]
struct Window {
    window_start: Timestamp,
    used: i64,
}

impl Limit {
    fn key(&self, subject: &str) -> String {
        format!("{}:{subject}", self.name)
    }

    /// Counts `cost` more, and refuses when that is over the limit. Counting comes first, so that
    /// twenty guesses at once are twenty.
    ///
    /// # Errors
    /// [`Refused::RateLimited`] with the seconds until the window ends.
    pub(in crate::domain) async fn spend(&self, db: &Db, subject: &str, cost: i64) -> Result<(), Refused> {
        let now = db.now();
        let sql = "INSERT INTO rate_limits (key, window_start, used) VALUES ($1, $2, $3)
            ON CONFLICT (key) DO UPDATE SET
                used = CASE WHEN rate_limits.window_start <= $4 THEN $3 ELSE rate_limits.used + $3 END,
                window_start = CASE WHEN rate_limits.window_start <= $4 THEN $2 ELSE rate_limits.window_start END
            RETURNING window_start, used";
        let values = vec![self.key(subject).into(), now.into(), cost.into(), (now - self.window_ms).into()];
        let tx = db.begin().await?;
        let window: Option<Window> = tx.first(sql, values).await?;
        tx.commit().await?;
        match window {
            Some(window) if window.used > self.max => {
                let left = window.window_start + self.window_ms - now;
                Err(Refused::RateLimited { retry_after_seconds: (left / 1_000).max(1) })
            }
            _ => Ok(()),
        }
    }

    /// Refuses if the limit is exceeded already, and counts nothing: cheap enough to run before
    /// anything that others wait for.
    ///
    /// # Errors
    /// [`Refused::RateLimited`] with the seconds until the window ends.
    pub(in crate::domain) async fn check(&self, db: &Db, subject: &str) -> Result<(), Refused> {
        let sql = "SELECT window_start, used FROM rate_limits WHERE key = $1";
        let window: Option<Window> = db.read().first(sql, vec![self.key(subject).into()]).await?;
        let left = window.filter(|window| window.used >= self.max);
        let left = left.map_or(0, |window| window.window_start + self.window_ms - db.now());
        if left > 0 {
            Err(Refused::RateLimited { retry_after_seconds: (left / 1_000).max(1) })
        } else {
            Ok(())
        }
    }

    /// Subtracts what was counted for an attempt that succeeded.
    pub(in crate::domain) async fn refund(&self, db: &Db, subject: &str, cost: i64) -> Result<(), DbErr> {
        let tx = db.begin().await?;
        tx.run(
            "UPDATE rate_limits SET used = used - $2 WHERE key = $1 AND used >= $2",
            vec![self.key(subject).into(), cost.into()],
        )
        .await?;
        tx.commit().await
    }

    /// Deletes everything counted for this subject.
    pub(in crate::domain) async fn clear(&self, db: &Db, subject: &str) -> Result<(), DbErr> {
        let tx = db.begin().await?;
        tx.run("DELETE FROM rate_limits WHERE key = $1", vec![self.key(subject).into()]).await?;
        tx.commit().await
    }
}

/// Drops the windows that ended long ago.
pub(in crate::domain) async fn sweep(db: &Db) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    tx.run("DELETE FROM rate_limits WHERE window_start < $1", vec![(db.now() - 24 * HOUR).into()]).await?;
    tx.commit().await
}
