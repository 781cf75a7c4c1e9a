//! Whether the ledgers are as they were written: each transfer by the hash that covers it and the one before, each
//! balance by the transfers, and what came in by the audit record.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::{self, AuditEvent},
            refused::Refused,
            sql::Sql,
        },
        nouns::credits::{
            chain::{self, Account, Transfer},
            events::{CreditTransferReversed, CreditsGranted},
        },
    },
};
use sea_orm::{DatabaseTransaction, DbBackend, DbErr, FromQueryResult, QueryResult};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};
use uuid::Uuid;

/// What verifying the ledgers showed.
#[derive(Debug, Default)]
pub struct Report {
    /// The ledgers that were read: the workspace, and how many transfers.
    pub ledgers: Vec<(Uuid, i64)>,
    /// What was altered. The ledgers are whole if there is nothing here.
    pub findings: Vec<Finding>,
}

/// One thing that was altered, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub workspace: Uuid,
    /// The number of the first transfer that shows it, where it is one.
    pub seq: Option<i64>,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "workspace {}  ALTERED at transfer {seq}: {}", self.workspace, self.what),
            None => write!(f, "workspace {}  ALTERED: {}", self.workspace, self.what),
        }
    }
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Head {
    seq: i64,
    hash: Vec<u8>,
}

#[derive(FromQueryResult)]
struct AccountRow {
    id: Uuid,
    kind: String,
    grant_id: Option<Uuid>,
    source: Option<String>,
    expires_at: Option<Timestamp>,
    granted: Option<i64>,
    note: String,
    balance: i64,
}

#[derive(FromQueryResult)]
struct HoldRow {
    id: Uuid,
    amount: i64,
    status: String,
    settled: i64,
}

#[derive(FromQueryResult)]
struct DayRow {
    day: Timestamp,
    used: i64,
}

#[derive(FromQueryResult)]
struct Recorded {
    payload: String,
}

struct Row {
    transfer: Transfer,
    debit_id: Uuid,
    credit_id: Uuid,
    hash: Vec<u8>,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        #[derive(FromQueryResult)]
        struct Rest {
            debit_id: Uuid,
            credit_id: Uuid,
            hash: Vec<u8>,
        }
        let transfer = Transfer::from_query_result(row, prefix)?;
        let Rest { debit_id, credit_id, hash } = Rest::from_query_result(row, prefix)?;
        Ok(Self { transfer, debit_id, credit_id, hash })
    }
}

/// Transfers read at a time.
const BATCH: i64 = 1_000;

/// Verifies every ledger. Each is locked while it is read, so that nothing changes meanwhile.
///
/// # Errors
/// The database's own.
pub async fn verify(db: &Db) -> Result<Report, Refused> {
    let mut report = Report::default();
    // A workspace whose ledger is gone has what the record says of it; one whose rows are being removed has not.
    let sql = "SELECT w.id FROM workspaces w WHERE w.purge_began_at IS NULL ORDER BY w.id";
    let workspaces: Vec<Id> = db.read().all(sql, Vec::new()).await?;
    for Id { id } in workspaces {
        let tx = db.begin().await?;
        let walked = Walk::of(&tx, id).await;
        tx.rollback().await?;
        let walked = walked?;
        if walked.seq > 0 {
            report.ledgers.push((id, walked.seq));
        }
        report.findings.extend(walked.findings);
    }
    Ok(report)
}

/// Verifies the ledger of one workspace, in a transaction that may have written it.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn verify_one(
    tx: &DatabaseTransaction,
    workspace: Uuid,
) -> Result<Vec<Finding>, Refused> {
    Ok(Walk::of(tx, workspace).await?.findings)
}

/// What reading a ledger showed.
struct Walk {
    workspace: Uuid,
    seq: i64,
    hash: Vec<u8>,
    accounts: HashMap<Uuid, AccountRow>,
    balances: HashMap<Uuid, i128>,
    /// How much each grant brought in, and what for.
    grants: HashMap<Uuid, (i64, String)>,
    /// What each hold took, used and gave back.
    holds: HashMap<Uuid, [i128; 3]>,
    days: BTreeMap<i64, i128>,
    /// When something was used, and how much, by the id of the transfer.
    uses: HashMap<Uuid, (Timestamp, i64)>,
    /// The hash of each transfer that brought something in, or took something back.
    anchors: HashMap<i64, Vec<u8>>,
    findings: Vec<Finding>,
}

impl Walk {
    async fn of(tx: &DatabaseTransaction, workspace: Uuid) -> Result<Self, Refused> {
        let mut walk = Self {
            workspace,
            seq: 0,
            hash: Vec::new(),
            accounts: HashMap::new(),
            balances: HashMap::new(),
            grants: HashMap::new(),
            holds: HashMap::new(),
            days: BTreeMap::new(),
            uses: HashMap::new(),
            anchors: HashMap::new(),
            findings: Vec::new(),
        };
        let mut sql = "SELECT l.seq, l.hash FROM credit_ledgers l WHERE l.workspace_id = $1".to_owned();
        if sea_orm::ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres {
            sql.push_str(" FOR NO KEY UPDATE");
        }
        let head: Option<Head> = tx.first(&sql, vec![workspace.into()]).await?;
        walk.read(tx).await?;
        match head {
            Some(head) if head.seq == walk.seq && head.hash == walk.hash => {}
            Some(head) if head.seq != walk.seq => {
                let what = format!("{} transfers are there, and {} were written", walk.seq, head.seq);
                walk.find(None, what);
            }
            Some(_) => walk.find(None, "its end was altered"),
            None if walk.seq > 0 => walk.find(None, "its end is missing"),
            None => {}
        }
        walk.compare(tx).await?;
        walk.compare_record(tx).await?;
        Ok(walk)
    }

    fn find(&mut self, seq: Option<i64>, what: impl Into<String>) {
        self.findings.push(Finding { workspace: self.workspace, seq, what: what.into() });
    }

    /// Reads the accounts, and all transfers from the first.
    async fn read(&mut self, tx: &DatabaseTransaction) -> Result<(), Refused> {
        let sql = "SELECT a.id, a.kind, a.grant_id, a.source, a.expires_at, a.granted, a.note, a.balance
            FROM credit_accounts a WHERE a.workspace_id = $1";
        let accounts: Vec<AccountRow> = tx.all(sql, vec![self.workspace.into()]).await?;
        self.accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        let sql =
            "SELECT t.workspace_id, t.seq, t.id, t.at, t.kind, t.debit_id, t.credit_id, t.amount, t.hold_id,
                t.reverses, t.client_id, t.api_key_id, t.key_name, t.note, t.hash
            FROM credit_transfers t WHERE t.workspace_id = $1 AND t.seq > $2 ORDER BY t.seq LIMIT $3";
        loop {
            let values = vec![self.workspace.into(), self.seq.into(), BATCH.into()];
            let rows: Vec<Row> = tx.all(sql, values).await?;
            let is_last = i64::try_from(rows.len()).unwrap_or_default() < BATCH;
            for row in &rows {
                self.step(row);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Takes the next transfer. After one that does not fit, the rest is read as if it did, so that one alteration is
    /// reported once.
    fn step(&mut self, row: &Row) {
        let Row { transfer, debit_id, credit_id, hash } = row;
        let (debit, credit) = (self.account(*debit_id), self.account(*credit_id));
        if transfer.seq != self.seq + 1 {
            self.find(Some(self.seq + 1), "a transfer is missing");
        } else {
            match (&debit, &credit) {
                (Some(debit), Some(credit)) => {
                    if chain::hash(&self.hash, transfer, debit, credit) != *hash {
                        self.find(
                            Some(transfer.seq),
                            "it was altered, or an account of it, or the one before it",
                        );
                    }
                }
                _ => self.find(Some(transfer.seq), "an account of it is missing"),
            }
        }
        let amount = i128::from(transfer.amount);
        *self.balances.entry(*debit_id).or_default() -= amount;
        *self.balances.entry(*credit_id).or_default() += amount;
        let day = |at: Timestamp| (at - at.as_millis().rem_euclid(DAY)).as_millis();
        let part = match transfer.kind.as_str() {
            "hold" => Some(0),
            "settlement" => Some(1),
            "release" => Some(2),
            _ => None,
        };
        if let Some((hold, part)) = transfer.hold_id.zip(part) {
            self.holds.entry(hold).or_default()[part] += amount;
        }
        match transfer.kind.as_str() {
            "usage" | "settlement" => {
                *self.days.entry(day(transfer.at)).or_default() += amount;
                self.uses.insert(transfer.id, (transfer.at, transfer.amount));
            }
            "grant" => {
                self.anchors.insert(transfer.seq, hash.clone());
                self.grants.insert(*credit_id, (transfer.amount, transfer.note.clone()));
            }
            "reversal" => {
                self.anchors.insert(transfer.seq, hash.clone());
                if let Some((at, _)) = transfer.reverses.and_then(|id| self.uses.get(&id)) {
                    *self.days.entry(day(*at)).or_default() -= amount;
                }
            }
            _ => {}
        }
        (self.seq, self.hash) = (transfer.seq, hash.clone());
    }

    fn account(&self, id: Uuid) -> Option<Account> {
        self.accounts.get(&id).map(|row| Account {
            id,
            kind: row.kind.clone(),
            grant_id: row.grant_id,
            source: row.source.clone(),
            expires_at: row.expires_at,
        })
    }

    /// Compares what is derived from the transfers with them.
    async fn compare(&mut self, tx: &DatabaseTransaction) -> Result<(), Refused> {
        let mut findings = Vec::new();
        let mut sum = 0;
        for account in self.accounts.values() {
            let moved = self.balances.get(&account.id).copied().unwrap_or_default();
            sum += i128::from(account.balance);
            if moved != i128::from(account.balance) {
                findings.push(format!(
                    "the account {} ({}) has {}, and its transfers add up to {moved}",
                    account.id, account.kind, account.balance
                ));
            }
            if account.kind != chain::ISSUED && account.balance < 0 {
                findings.push(format!("the account {} is below zero", account.id));
            }
            let is_granted = |granted: i64| {
                let brought = self.grants.get(&account.id);
                brought.is_some_and(|(amount, note)| (*amount, note) == (granted, &account.note))
            };
            if account.granted.is_some_and(|granted| !is_granted(granted)) {
                findings.push(format!("the grant {} is not what its transfer says", account.id));
            }
            if account.granted.is_some_and(|granted| i128::from(granted) < moved) {
                findings.push(format!("the grant {} has more than was granted", account.id));
            }
        }
        if sum != 0 {
            findings.push(format!("the balances of all accounts add up to {sum}, and not to nothing"));
        }
        let sql = "SELECT h.id, h.amount, h.status, h.settled FROM credit_holds h WHERE h.workspace_id = $1";
        let holds: Vec<HoldRow> = tx.all(sql, vec![self.workspace.into()]).await?;
        for hold in &holds {
            let [taken, used, back] = self.holds.remove(&hold.id).unwrap_or_default();
            let (amount, settled) = (i128::from(hold.amount), i128::from(hold.settled));
            let fits = taken == amount
                && used == settled
                && back == if hold.status == "open" { 0 } else { amount - settled };
            if !fits {
                findings.push(format!("the hold {} is not what its transfers say", hold.id));
            }
        }
        findings.extend(self.holds.keys().map(|id| format!("the hold {id} is missing")));
        let sql = "SELECT d.day, d.used FROM credit_days d WHERE d.workspace_id = $1";
        let days: Vec<DayRow> = tx.all(sql, vec![self.workspace.into()]).await?;
        for day in &days {
            let used = self.days.remove(&day.day.as_millis()).unwrap_or_default();
            if used != i128::from(day.used) {
                findings.push(format!(
                    "on the day of {} {used} were used, and {} are counted",
                    day.day, day.used
                ));
            }
        }
        let uncounted = self.days.iter().filter(|(_, used)| **used != 0);
        findings.extend(
            uncounted.map(|(day, used)| format!("on the day of {day} {used} were used, and not counted")),
        );
        findings.into_iter().for_each(|what| self.find(None, what));
        Ok(())
    }

    /// Compares what came in, and what was taken back, with what the audit record says.
    async fn compare_record(&mut self, tx: &DatabaseTransaction) -> Result<(), Refused> {
        let sql =
            "SELECT e.payload FROM audit_events e WHERE e.workspace_id = $1 AND e.kind = $2 ORDER BY e.seq";
        let mut recorded = Vec::new();
        for kind in [CreditsGranted::KIND, CreditTransferReversed::KIND] {
            let rows: Vec<Recorded> = tx.all(sql, vec![self.workspace.into(), kind.into()]).await?;
            recorded.extend(rows.into_iter().filter_map(|row| {
                let granted = event::read::<CreditsGranted>(&row.payload).map(|it| (it.seq, it.hash));
                granted.or_else(|| {
                    event::read::<CreditTransferReversed>(&row.payload).map(|it| (it.seq, it.hash))
                })
            }));
        }
        for (seq, hash) in recorded {
            match self.anchors.remove(&seq) {
                Some(found) if hex::encode(&found) == hash => {}
                Some(_) => self.find(Some(seq), "the audit record says that it was another one"),
                None => self.find(Some(seq), "the audit record says that it was there"),
            }
        }
        let unknown: Vec<i64> = self.anchors.keys().copied().collect();
        for seq in unknown {
            self.find(Some(seq), "the audit record doesn't know of it");
        }
        Ok(())
    }
}
