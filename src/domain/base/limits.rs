//! Rate limits. Counted in the database, so that they hold across nodes.
//!
//! What strangers can cause is never counted for its victim alone: a sign-in that fails, or a reset, counts for
//! the account *in* the network that it came from. So nobody uses up what somebody else needs.

use crate::{
    clock::{DAY, HOUR, MINUTE, Timestamp},
    domain::base::{db::Db, network::wide, principal::Origin, refused::Refused, sql::Sql},
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

/// One rate limit.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Limit {
    name: &'static str,
    max: i64,
    window_ms: i64,
}

/// Wrong passwords for one account from one network. An unknown address counts the same way, so that the
/// response discloses nothing.
pub(in crate::domain) const SIGN_IN: Limit = Limit { name: "sign-in", max: 10, window_ms: 15 * MINUTE };

/// Wrong passwords for one account from a wider network, through which one attacker can rotate: see `network::wide`.
pub(in crate::domain) const SIGN_IN_NEARBY: Limit =
    Limit { name: "sign-in-near", max: 30, window_ms: 15 * MINUTE };

/// Wrong passwords from one wider network, whatever the account.
pub(in crate::domain) const SIGN_IN_ADDRESS: Limit =
    Limit { name: "sign-in-from", max: 60, window_ms: 15 * MINUTE };

/// Wrong passwords for one account from a browser that signed in to it before. Nothing else counts for that
/// browser, so that nobody in its network locks it out either.
pub(in crate::domain) const SIGN_IN_BROWSER: Limit =
    Limit { name: "sign-in-by", max: 10, window_ms: 15 * MINUTE };

/// Wrong passwords for one account from all known browsers together.
pub(in crate::domain) const SIGN_IN_BROWSERS: Limit =
    Limit { name: "sign-in-known", max: 50, window_ms: 15 * MINUTE };

/// Sign-ins to one account from one network or known browser, right or wrong: each costs a hash and a session.
pub(in crate::domain) const SIGN_INS: Limit = Limit { name: "signing-in", max: 60, window_ms: 15 * MINUTE };

/// Sign-ups from one wider network: see `network::wide`. What is counted by it costs a hash, a mail or an account, which
/// a customer with many networks would otherwise have many times.
pub(in crate::domain) const SIGN_UP_ADDRESS: Limit =
    Limit { name: "sign-up-from", max: 200, window_ms: HOUR };

/// Mail that a wider network or a person can make us send to one address, other than a reset: see [`mail_to`].
const MAIL_TO: Limit = Limit { name: "mail-to", max: 6, window_ms: HOUR };

/// The same, from all networks and people together.
const MAIL_TO_FROM_ALL: Limit = Limit { name: "mail-to-all", max: 24, window_ms: HOUR };

/// The budget for one more mail to an address that is not known to belong to whoever causes it: a wider network, or
/// the id of a person. One of them does not use up those of the others.
pub(in crate::domain) fn mail_to(address: &str, by: &str) -> [Counted; 2] {
    [MAIL_TO.within(address, by), MAIL_TO_FROM_ALL.of(address)]
}

/// Confirmations that one person may have sent to their own address again.
pub(in crate::domain) const CONFIRMATION: Limit = Limit { name: "confirmation", max: 6, window_ms: HOUR };

/// Mails to one address about sign-ins in new browsers.
pub(in crate::domain) const NEW_BROWSER: Limit = Limit { name: "new-browser", max: 6, window_ms: HOUR };

/// Mails to one person about API keys that were created with their sign-in.
pub(in crate::domain) const NEW_KEY: Limit = Limit { name: "new-key", max: 20, window_ms: HOUR };

/// Requests for resets from one wider network, whatever the account.
pub(in crate::domain) const FORGOT_ADDRESS: Limit = Limit { name: "forgot-from", max: 120, window_ms: HOUR };

/// Resets for one account that one wider network may request.
pub(in crate::domain) const RESET: Limit = Limit { name: "reset", max: 6, window_ms: HOUR };

/// Resets for one account that all networks together may request.
pub(in crate::domain) const RESET_TO: Limit = Limit { name: "reset-to", max: 24, window_ms: HOUR };

/// Resets for one account that a browser which signed in to it before may request, whatever others requested.
pub(in crate::domain) const RESET_BROWSER: Limit = Limit { name: "reset-by", max: 3, window_ms: HOUR };

/// Addresses that one person may invite, over all workspaces.
pub(in crate::domain) const INVITE: Limit = Limit { name: "invite", max: 1_000, window_ms: HOUR };

/// Addresses that one person may look up before inviting them, over all workspaces.
pub(in crate::domain) const PREVIEW: Limit = Limit { name: "preview", max: 5_000, window_ms: HOUR };

/// Links to join by that one person may make, over all workspaces.
pub(in crate::domain) const JOIN_LINK: Limit = Limit { name: "join-link", max: 100, window_ms: HOUR };

/// Lookups in DNS of whether a domain is the workspace's, for one workspace.
pub(in crate::domain) const DOMAIN_CHECK: Limit = Limit { name: "domain-check", max: 60, window_ms: HOUR };

/// Mails for one invitation.
pub(in crate::domain) const RESEND: Limit = Limit { name: "resend", max: 20, window_ms: HOUR };

/// Mails that one person may cause to one address, over all workspaces.
pub(in crate::domain) const MAIL_FROM_PERSON: Limit = Limit { name: "mail-from", max: 10, window_ms: HOUR };

/// Mails to one address that all other people together may cause.
pub(in crate::domain) const MAIL_FROM_ANYBODY: Limit =
    Limit { name: "mail-people", max: 40, window_ms: HOUR };

/// Mails to one address about what one person did, over all workspaces. They don't use up those that somebody sends.
pub(in crate::domain) const NOTICES_FROM_PERSON: Limit =
    Limit { name: "notices-from", max: 20, window_ms: HOUR };

/// Mails to one address about what all other people together did.
pub(in crate::domain) const NOTICES: Limit = Limit { name: "notices", max: 60, window_ms: HOUR };

/// Mail to new addresses that one person may request.
pub(in crate::domain) const CHANGE_EMAIL: Limit = Limit { name: "change-email", max: 10, window_ms: HOUR };

/// Changes of a person's own name: each is recorded in every workspace that they belong to.
pub(in crate::domain) const RENAME: Limit = Limit { name: "rename", max: 30, window_ms: HOUR };

/// Wrong passwords of a person who is signed in. Separate from sign-in, where strangers count too.
pub(in crate::domain) const CONFIRM: Limit = Limit { name: "confirm", max: 10, window_ms: 15 * MINUTE };

/// Workspaces that one person may create.
pub(in crate::domain) const CREATE_WORKSPACE: Limit = Limit { name: "found", max: 30, window_ms: HOUR };

/// Requests of one Owner to become an admin of the account: each is mailed to its admins.
pub(in crate::domain) const ASK_ADMINISTRATION: Limit =
    Limit { name: "ask-administration", max: 10, window_ms: HOUR };

/// Requests for access of one member.
pub(in crate::domain) const ASK_ACCESS: Limit = Limit { name: "ask-access", max: 20, window_ms: HOUR };

/// Requests for support of one person, over all workspaces.
pub(in crate::domain) const ASK_SUPPORT: Limit = Limit { name: "ask-support", max: 20, window_ms: DAY };

/// Pages that one grant of support access may open.
pub(in crate::domain) const SUPPORT_VIEWS: Limit =
    Limit { name: "support-views", max: 2_000, window_ms: DAY };

/// Pages of the provider of payments that one workspace may open: each takes calls there, which all workspaces share.
pub(in crate::domain) const PAYMENT_PAGES: Limit = Limit { name: "payment-pages", max: 20, window_ms: HOUR };

/// Responses that are stored for the Idempotency-Keys of one API key.
pub(in crate::domain) const IDEMPOTENCY_KEYS: Limit =
    Limit { name: "idempotency", max: 20_000, window_ms: DAY };

/// The limits that count for longer than [`SHORT_WINDOW`].
const LONG: [Limit; 3] = [ASK_SUPPORT, SUPPORT_VIEWS, IDEMPOTENCY_KEYS];

/// The longest window of all others, in milliseconds.
const SHORT_WINDOW: i64 = HOUR;

/// The longest window: rows that are older count for nothing.
pub(in crate::domain) const MAX_WINDOW: i64 = DAY;

#[derive(FromQueryResult)]
struct Window {
    window_start: Timestamp,
    used: i64,
}

#[derive(FromQueryResult)]
struct KeyedWindow {
    key: String,
    window_start: Timestamp,
    used: i64,
}

/// A limit, and whom it counts for.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Counted {
    limit: Limit,
    key: String,
}

impl Counted {
    /// The seconds until its window ends, as the refusal says them.
    fn retry_after(&self, window_start: Timestamp, now: Timestamp) -> Refused {
        let left = window_start + self.limit.window_ms - now;
        Refused::RateLimited { retry_after_seconds: (left / 1_000).max(1) }
    }
}

impl Limit {
    /// This limit, counted for the given subject.
    pub(in crate::domain) fn of(self, subject: &str) -> Counted {
        debug_assert!(
            self.window_ms <= SHORT_WINDOW || LONG.iter().any(|long| long.name == self.name),
            "the sweep deletes {} too soon: it must be one of LONG",
            self.name
        );
        Counted { limit: self, key: format!("{}:{subject}", self.name) }
    }

    /// This limit, counted for an account as used from somewhere: a network, a browser.
    pub(in crate::domain) fn within(self, account: &str, place: &str) -> Counted {
        // No address of a person has a bar and a space.
        self.of(&format!("{account} | {place}"))
    }

    /// This limit, counted for the wider network of the origin. One that is not known is not counted: it would be
    /// that of everybody.
    pub(in crate::domain) fn of_network(self, origin: &Origin) -> Option<Counted> {
        origin.known_address().map(|address| self.of(&wide(address)))
    }

    /// [`spend`] for one limit.
    ///
    /// # Errors
    /// [`Refused::RateLimited`] with the seconds until the window ends.
    pub(in crate::domain) async fn spend(&self, db: &Db, subject: &str, cost: i64) -> Result<(), Refused> {
        spend(db, &[self.of(subject)], cost).await
    }

    /// [`check`] for one limit.
    ///
    /// # Errors
    /// [`Refused::RateLimited`] with the seconds until the window ends.
    pub(in crate::domain) async fn check(&self, db: &Db, subject: &str) -> Result<(), Refused> {
        check(db, &[self.of(subject)]).await
    }

    /// Deletes everything counted for this subject.
    pub(in crate::domain) async fn clear(&self, db: &Db, subject: &str) -> Result<(), DbErr> {
        clear(db, &[self.of(subject)]).await
    }
}

/// Deletes what counts for nothing any more, but for rows of [`LONG`]: they go as housekeeping's table says.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn sweep(db: &Db) -> Result<(), DbErr> {
    let others: String = LONG.iter().map(|long| format!(" AND key NOT LIKE '{}:%'", long.name)).collect();
    let sql = format!("DELETE FROM rate_limits WHERE window_start <= $1{others}");
    let tx = db.begin().await?;
    tx.run(&sql, vec![(db.now() - SHORT_WINDOW).into()]).await?;
    tx.commit().await
}

/// Counts `cost` more for each of them, and refuses when that is over a limit. Counting comes first, so that
/// twenty guesses at once are twenty. Those after one that is exceeded count nothing.
///
/// Requests that count the same limits pass them in one order, so that none waits for another in a circle.
///
/// # Errors
/// [`Refused::RateLimited`] with the seconds until the window ends.
pub(in crate::domain) async fn spend(db: &Db, all: &[Counted], cost: i64) -> Result<(), Refused> {
    let tx = db.begin().await?;
    let counted = spend_in(&tx, all, cost, db.now()).await?;
    tx.commit().await?;
    counted
}

/// [`spend`] in a transaction of the caller, who decides what a refusal means: the inner result.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn spend_in(
    tx: &impl ConnectionTrait,
    all: &[Counted],
    cost: i64,
    now: Timestamp,
) -> Result<Result<(), Refused>, DbErr> {
    let sql = "INSERT INTO rate_limits (key, window_start, used) VALUES ($1, $2, $3)
        ON CONFLICT (key) DO UPDATE SET
            used = CASE WHEN rate_limits.window_start <= $4 THEN $3 ELSE rate_limits.used + $3 END,
            window_start = CASE WHEN rate_limits.window_start <= $4 THEN $2 ELSE rate_limits.window_start END
        RETURNING window_start, used";
    for counted in all {
        let ended = now - counted.limit.window_ms;
        let values = vec![counted.key.as_str().into(), now.into(), cost.into(), ended.into()];
        let window: Option<Window> = tx.first(sql, values).await?;
        if let Some(window) = window.filter(|window| window.used > counted.limit.max) {
            return Ok(Err(counted.retry_after(window.window_start, now)));
        }
    }
    Ok(Ok(()))
}

/// Refuses if one of the limits is reached already, and counts nothing: one statement that writes nothing, cheap
/// enough to run before anything that others wait for.
///
/// # Errors
/// [`Refused::RateLimited`] with the seconds until the window ends.
pub(in crate::domain) async fn check(db: &Db, all: &[Counted]) -> Result<(), Refused> {
    if all.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (1..=all.len()).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT key, window_start, used FROM rate_limits WHERE key IN ({})", places.join(", "));
    let keys = all.iter().map(|counted| counted.key.as_str().into()).collect();
    let windows: Vec<KeyedWindow> = db.read().all(&sql, keys).await?;
    let now = db.now();
    for window in windows {
        let reached = all.iter().find(|counted| counted.key == window.key);
        let reached = reached.filter(|counted| window.used >= counted.limit.max);
        if let Some(counted) = reached.filter(|counted| window.window_start + counted.limit.window_ms > now) {
            return Err(counted.retry_after(window.window_start, now));
        }
    }
    Ok(())
}

/// Subtracts what was counted for an attempt that succeeded.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn refund(db: &Db, all: &[Counted], cost: i64) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    for counted in all {
        let sql = "UPDATE rate_limits SET used = used - $2 WHERE key = $1 AND used >= $2";
        tx.run(sql, vec![counted.key.as_str().into(), cost.into()]).await?;
    }
    tx.commit().await
}

/// Deletes everything counted for them.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn clear(db: &Db, all: &[Counted]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    for counted in all {
        tx.run("DELETE FROM rate_limits WHERE key = $1", vec![counted.key.as_str().into()]).await?;
    }
    tx.commit().await
}
