//! Reading credits: the balance, what is left of each grant, the transfers, what was used by day.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::credits::{
            available,
            chain::TransferKind,
            held,
            spend::{self, Hold},
        },
    },
    policy::perm,
};
use sea_orm::{FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// How many days are counted, with today.
pub const CHART_DAYS: usize = 30;

/// What a workspace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What can be held or used.
    pub available: i64,
    /// What is reserved.
    pub held: i64,
}

/// # Errors
/// The database's own.
pub async fn balance(scope: &ReadScope<perm::ReadCredits>) -> Result<Balance, Refused> {
    let now = scope.now();
    Ok(Balance { available: available(scope, now).await?, held: held(scope, now).await? })
}

/// What is left of a grant that has not expired.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Grant {
    pub id: Uuid,
    /// `included` or `bought`.
    pub source: String,
    pub granted: i64,
    /// What is neither used nor held.
    pub left: i64,
    pub note: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Grant {
    pub fn is_bought(&self) -> bool {
        self.source == super::Source::Bought.word()
    }
}

/// The most grants that are listed.
const MAX_GRANTS: usize = 100;

/// The grants with something left, in the order in which they are spent.
///
/// # Errors
/// The database's own.
pub async fn grants_left(scope: &ReadScope<perm::ReadCredits>) -> Result<Vec<Grant>, Refused> {
    let sql = format!(
        "SELECT a.id, a.source, a.granted, a.balance AS \"left\", a.note, a.created_at, a.expires_at
        FROM credit_accounts a
        WHERE a.workspace_id = $1 AND a.kind = 'grant' AND a.balance > 0 AND a.expires_at > $2
        ORDER BY a.expires_at, a.source DESC, a.id LIMIT {MAX_GRANTS}"
    );
    Ok(scope.all(&sql, vec![scope.now().into()]).await?)
}

/// One hold.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such hold.
pub async fn hold(scope: &ReadScope<perm::ReadCredits>, id: Uuid) -> Result<Hold, Refused> {
    spend::load(scope, id, scope.now()).await
}

/// Which transfers to list. Empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<TransferKind>,
    pub api_key: Option<Uuid>,
    /// The client's own id of the request, exactly.
    pub client_id: String,
    /// The first moment is included, the second is not.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// One transfer.
#[derive(Clone, Debug, Deserialize)]
pub struct LedgerTransfer {
    /// Its number in the ledger, from 1.
    pub seq: i64,
    pub id: Uuid,
    pub at: Timestamp,
    kind: String,
    pub amount: i64,
    /// What it does to what is available; 0 where what was held is used.
    pub change: i64,
    pub hold_id: Option<Uuid>,
    pub reverses_id: Option<Uuid>,
    pub client_ref: Option<String>,
    pub api_key_id: Option<Uuid>,
    /// The key's name at that moment; empty for the program itself.
    pub key_name: String,
    pub note: String,
}

impl LedgerTransfer {
    pub fn kind(&self) -> Option<TransferKind> {
        TransferKind::of_word(&self.kind)
    }
}

const SELECT: &str = "SELECT t.seq, t.id, t.at, t.kind, t.amount,
        CASE WHEN c.kind = 'grant' THEN t.amount WHEN d.kind = 'grant' THEN -t.amount ELSE 0 END AS change,
        t.hold_id, t.reverses AS reverses_id, t.client_id AS client_ref, t.api_key_id, t.key_name, t.note
    FROM credit_transfers t
    CROSS JOIN credit_accounts d CROSS JOIN credit_accounts c
    WHERE t.workspace_id = $1 AND d.id = t.debit_id AND c.id = t.credit_id";

/// The columns of [`SELECT`], in the order of the fields.
const FIELDS: [&str; 12] = [
    "seq",
    "id",
    "at",
    "kind",
    "amount",
    "change",
    "hold_id",
    "reverses_id",
    "client_ref",
    "api_key_id",
    "key_name",
    "note",
];

/// Lists transfers, the latest first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn transfers(
    scope: &ReadScope<perm::ReadCredits>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<LedgerTransfer>, Refused> {
    let (mut sql, mut values) = (String::from(SELECT), Vec::new());
    filter.narrow(&mut sql, &mut values);
    let order = Order { column: "t.seq", is_text: false, id: "", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<LedgerTransfer> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.seq), row.id)))
}

impl Filter {
    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        // `$1` is the workspace.
        let mut add = |clause: &str, value: Value| {
            values.push(value);
            sql.push_str(&clause.replace('?', &format!("${}", values.len() + 1)));
        };
        if let Some(kind) = self.kind {
            add(" AND t.kind = ?", kind.word().into());
        }
        if let Some(key) = self.api_key {
            add(" AND t.api_key_id = ?", key.into());
        }
        if !self.client_id.is_empty() {
            add(" AND t.client_id = ?", self.client_id.as_str().into());
        }
        // Times never go back, so that a span of time is one of numbers, along which the list is read.
        let first = "(SELECT x.seq FROM credit_transfers x WHERE x.workspace_id = $1 AND x.at >= ?
            ORDER BY x.at, x.seq LIMIT 1)";
        // The few of one request are found by its id, whatever the span.
        let number = if self.client_id.is_empty() { "t.seq" } else { "t.seq + 0" };
        if let Some(from) = self.from {
            add(&format!(" AND {number} >= {first}"), from.into());
        }
        if let Some(until) = self.until {
            add(&format!(" AND {number} < COALESCE({first}, 9223372036854775807)"), until.into());
        }
    }
}

/// What was used on a day, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct UseOfDay {
    /// Its first moment.
    pub day: Timestamp,
    pub used: i64,
}

/// The last [`CHART_DAYS`] days, the earliest first.
///
/// # Errors
/// The database's own.
pub async fn days(scope: &ReadScope<perm::ReadCredits>) -> Result<Vec<UseOfDay>, Refused> {
    let now = scope.now();
    let today = now - now.as_millis().rem_euclid(DAY);
    let ago = |days: usize| today - DAY * i64::try_from(days).unwrap_or_default();
    let sql = "SELECT d.day, d.used FROM credit_days d WHERE d.workspace_id = $1 AND d.day >= $2";
    let counted: Vec<UseOfDay> = scope.all(sql, vec![ago(CHART_DAYS - 1).into()]).await?;
    let used = |day: Timestamp| counted.iter().find(|of| of.day == day).map_or(0, |of| of.used);
    Ok((0..CHART_DAYS).rev().map(ago).map(|day| UseOfDay { day, used: used(day) }).collect())
}
