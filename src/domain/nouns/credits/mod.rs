//! Credits: what a workspace may use, granted with an expiry, and a ledger of where each one went.
//!
//! [`book`] is the ledger, [`chain`] what a transfer's hash covers, [`grants`] brings credits in and takes transfers
//! back, [`spend`] holds and uses them under ids of the clients' own, [`charge`] does so for requests through the
//! gateway, [`mod@list`] reads, [`notice`] tells those who can buy, [`mod@sweep`] ends what is over, [`verify`] finds what
//! was altered.

pub(in crate::domain) mod book;
mod chain;
pub mod charge;
pub mod events;
pub mod grants;
mod list;
mod mail;
pub mod notice;
pub mod spend;
mod sweep;
pub mod verify;

use crate::{
    clock::{DAY, MINUTE, SECOND, Timestamp},
    domain::{
        base::{
            conflict::Conflict,
            invalid::Invalid,
            text_rule::{Complaint, TextRule},
        },
        enforce::rows::Scoped,
    },
};
pub use chain::TransferKind;
pub use list::{
    Balance, CHART_DAYS, Filter, Grant, LedgerTransfer, UseOfDay, balance, days, grants_left, hold, transfers,
};
use sea_orm::{DbErr, FromQueryResult};
pub use sweep::sweep;

/// The most credits that one request can hold or use, one destination can cost, or one grant can bring.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// The most credits that a workspace can have been granted in all: far from what the database can count.
const MAX_ISSUED: i64 = 1_000_000_000_000_000_000;

/// How long a hold lasts if nothing is said, and at most, in milliseconds.
pub const DEFAULT_HOLD: i64 = 10 * MINUTE;
pub const MAX_HOLD: i64 = 7 * DAY;

/// The shortest, in milliseconds.
pub const MIN_HOLD: i64 = SECOND;

/// Where credits of a grant come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// They come with the plan.
    Included,
    /// They were bought.
    Bought,
}

impl Source {
    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::Bought => "bought",
        }
    }
}

/// A number of credits, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(i64);

impl Amount {
    /// # Errors
    /// On the field, unless it is from 1 to [`MAX_AMOUNT`].
    pub fn parse(field: &str, amount: i64) -> Result<Self, Invalid> {
        match (1..=MAX_AMOUNT).contains(&amount) {
            true => Ok(Self(amount)),
            false => Err(Invalid::field(field, format!("Enter a whole number from 1 to {MAX_AMOUNT}."))),
        }
    }

    pub const fn get(self) -> i64 {
        self.0
    }
}

/// An id that a client chose for a request, so that it can send it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId(String);

impl ClientId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TextRule for ClientId {
    const MIN: usize = 1;
    const MAX: usize = 100;
    const DESCRIPTION: &'static str = "An ID of your own for this request. If you send it again with the same ID and body, you get the same response and it is not done again.";

    fn pattern() -> String {
        "^[!-~]+$".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Complaint> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        match is_plain && (1..=Self::MAX).contains(&text.len()) {
            true => Ok(Self(text.to_owned())),
            false => Err("Use 1 to 100 letters, digits and other visible ASCII characters, without spaces."),
        }
    }
}

pub(in crate::domain) const HOLD_EXPIRED: Conflict = Conflict::new(
    "hold-expired",
    "This hold has expired, and its credits are available again. Hold or use credits anew.",
);
pub(in crate::domain) const HOLD_SETTLED: Conflict =
    Conflict::new("hold-settled", "This hold is settled already. Nothing was changed.");
pub(in crate::domain) const HOLD_RELEASED: Conflict =
    Conflict::new("hold-released", "This hold is released already. Nothing was changed.");
pub(in crate::domain) const HOLD_OF_REQUEST: Conflict = Conflict::new(
    "hold-of-request",
    "This hold is for a request through the gateway, which settles or releases it by itself. Nothing was changed.",
);

#[derive(FromQueryResult)]
struct Sum {
    sum: i64,
}

/// What can be held or used now. A hold that is over counts as given back, and an expired grant as nothing, whether
/// or not that has been written.
pub(in crate::domain) async fn available(scope: &impl Scoped, now: Timestamp) -> Result<i64, DbErr> {
    let sql =
        "SELECT CAST((SELECT COALESCE(SUM(a.balance), 0) FROM credit_accounts a WHERE a.workspace_id = $1
            AND a.kind = 'grant' AND a.balance > 0 AND a.expires_at > $2)
        + (SELECT COALESCE(SUM((SELECT COALESCE(SUM(t.amount), 0) FROM credit_transfers t
                WHERE t.workspace_id = h.workspace_id AND t.hold_id = h.id AND t.kind || '' = 'hold'
                    AND (SELECT g.expires_at FROM credit_accounts g
                        WHERE g.workspace_id = t.workspace_id AND g.id = t.debit_id) > $2)), 0)
            FROM credit_holds h WHERE h.workspace_id = $1 AND h.status = 'open' AND h.expires_at <= $2)
        AS BIGINT) AS sum";
    let sum: Option<Sum> = scope.first(sql, vec![now.into()]).await?;
    Ok(sum.map_or(0, |sum| sum.sum))
}

/// What is reserved by holds that are not over.
pub(in crate::domain) async fn held(scope: &impl Scoped, now: Timestamp) -> Result<i64, DbErr> {
    let sql = "SELECT CAST(COALESCE(SUM(h.amount), 0) AS BIGINT) AS sum FROM credit_holds h
        WHERE h.workspace_id = $1 AND h.status = 'open' AND h.expires_at > $2";
    let sum: Option<Sum> = scope.first(sql, vec![now.into()]).await?;
    Ok(sum.map_or(0, |sum| sum.sum))
}
