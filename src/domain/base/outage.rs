//! A database that is away for a while, or that takes no changes: which errors say so, and what the log says of it.

use crate::clock::{SECOND, Timestamp};
use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError},
};
use std::sync::Mutex;

/// What keeps the database from working, for now. It is no fault of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// No connection was to be had, so nothing was done.
    #[error("it can't be reached")]
    Unreachable,
    /// A connection broke; if a change was being committed, it may have been.
    #[error("the connection broke")]
    Broken,
    /// A standby, or a file that can't be written.
    #[error("it can only be read: a standby, or a file without write permission")]
    ReadOnly,
    #[error("its disk is full")]
    Full,
    /// SQLite: by another program.
    #[error("another program has locked the file")]
    Locked,
    /// SQLite: what is open here is not what has its name any more.
    #[error("its file was replaced or deleted while it was open: restart Bailiwick")]
    Replaced,
    #[error("it is overloaded")]
    Overloaded,
    /// SQLite: the file can't be read or written, or is not a database.
    #[error("its file can't be read or written")]
    Disk,
}

impl Outage {
    /// The outage that an error is a sign of, if it is.
    pub fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::Custom(text) if text == REPLACED => Some(Self::Replaced),
            DbErr::Conn(RuntimeErr::SqlxError(error)) => match Self::of_driver(error) {
                Some(Self::Broken) | None => Some(Self::Unreachable),
                outage => outage,
            },
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Some(Self::Unreachable),
            DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
                Self::of_driver(error)
            }
            _ => None,
        }
    }

    fn of_driver(error: &sqlx::Error) -> Option<Self> {
        use sqlx::Error;
        match error {
            Error::PoolTimedOut | Error::PoolClosed => Some(Self::Unreachable),
            Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => Some(Self::Broken),
            Error::Database(error) => Self::of_database(&**error),
            _ => None,
        }
    }

    fn of_database(error: &dyn DatabaseError) -> Option<Self> {
        let code = error.code()?;
        // PostgreSQL's have five characters, SQLite's are numbers.
        match code.parse::<u32>() {
            Ok(number) if code.len() < 5 => Self::of_sqlite(number),
            _ => Self::of_postgres(&code),
        }
    }

    fn of_postgres(code: &str) -> Option<Self> {
        match code {
            // It is starting, or stopping; it has no connection left; the database is being replaced.
            "57P03" | "57P04" | "53300" => Some(Self::Unreachable),
            // Somebody or a limit ended the connection.
            "57P01" | "57P02" | "57P05" | "25P03" | "25P04" => Some(Self::Broken),
            "25006" => Some(Self::ReadOnly),
            "53100" => Some(Self::Full),
            // Out of memory or of another resource; a time limit for statements or locks.
            "53200" | "53400" | "57014" | "55P03" => Some(Self::Overloaded),
            code if code.starts_with("08") => Some(Self::Broken),
            _ => None,
        }
    }

    fn of_sqlite(code: u32) -> Option<Self> {
        /// SQLITE_READONLY_DBMOVED
        const MOVED: u32 = 1032;
        match (code, code & 0xff) {
            (MOVED, _) => Some(Self::Replaced),
            (_, 5 | 6) => Some(Self::Locked),
            (_, 8) => Some(Self::ReadOnly),
            (_, 13) => Some(Self::Full),
            // I/O, corrupt, can't open, not a database.
            (_, 10 | 11 | 14 | 26) => Some(Self::Disk),
            _ => None,
        }
    }

    /// Whether it is certain that nothing was changed.
    pub fn changed_nothing(self) -> bool {
        self != Self::Broken
    }
}

const REPLACED: &str = "the file of the database was replaced or deleted";

/// The error for a file of SQLite that is not the one that was opened.
pub(in crate::domain) fn replaced() -> DbErr {
    DbErr::Custom(REPLACED.to_owned())
}

/// Gives the log a line when an outage begins and one when it is over, however many requests and tasks meet it.
#[derive(Default)]
pub(in crate::domain) struct OutageLog(Mutex<Option<Current>>);

struct Current {
    since: Timestamp,
    failures: u64,
    /// Those since the last round of housekeeping.
    recent: u64,
}

impl OutageLog {
    /// Notes that something failed because of it.
    pub fn note(&self, outage: Outage, error: &DbErr, now: Timestamp) {
        let Ok(mut current) = self.0.lock() else { return };
        if current.is_none() {
            tracing::error!(%outage, %error, "the database is unavailable: requests get 503 until it is back");
        }
        let current = current.get_or_insert(Current { since: now, failures: 0, recent: 0 });
        current.failures += 1;
        current.recent += 1;
    }

    /// Whether there is one, and nothing failed since the last call: it may be over.
    pub fn may_be_over(&self) -> bool {
        let Ok(mut current) = self.0.lock() else { return false };
        current.as_mut().is_some_and(|current| std::mem::take(&mut current.recent) == 0)
    }

    /// Notes that the database works again.
    pub fn end(&self, now: Timestamp) {
        if let Some(Current { since, failures, .. }) =
            self.0.lock().ok().and_then(|mut current| current.take())
        {
            let seconds = (now - since) / SECOND;
            tracing::info!(seconds, failures, "the database is available again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_distinguished_from_one_that_refuses() {
        for (code, outage) in [
            ("08006", Outage::Broken),
            ("57P01", Outage::Broken),
            ("57P03", Outage::Unreachable),
            ("53300", Outage::Unreachable),
            ("25006", Outage::ReadOnly),
            ("53100", Outage::Full),
            ("57014", Outage::Overloaded),
        ] {
            assert_eq!(Outage::of_postgres(code), Some(outage), "{code}");
        }
        for code in ["23505", "42501", "42P01", "22001"] {
            assert_eq!(Outage::of_postgres(code), None, "{code}");
        }
        for (code, outage) in [
            (5, Outage::Locked),
            (517, Outage::Locked),
            (8, Outage::ReadOnly),
            (1032, Outage::Replaced),
            (13, Outage::Full),
            (778, Outage::Disk),
        ] {
            assert_eq!(Outage::of_sqlite(code), Some(outage), "{code}");
        }
        for code in [1, 19, 2067] {
            assert_eq!(Outage::of_sqlite(code), None, "{code}");
        }
    }

    #[test]
    fn an_outage_is_over_after_a_round_without_failures() {
        let (log, now) = (OutageLog::default(), Timestamp::default());
        assert!(!log.may_be_over());
        log.note(Outage::Unreachable, &DbErr::Custom("x".into()), now);
        assert!(!log.may_be_over());
        assert!(log.may_be_over());
        log.end(now);
        assert!(!log.may_be_over());
    }
}
