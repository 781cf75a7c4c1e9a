//! The ledger itself: accounts, and transfers between them, in the transaction of a change.
//!
//! Whoever writes locks the end of the ledger first, so that of several at once each sees what the one before left.
//! A [`Book`] is that lock. [`Book::close`] writes the end; without it nothing fits together, so that every function
//! that opens one ends with it.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::refused::Refused,
        enforce::rows::Scoped,
        nouns::credits::chain::{self, Account, Transfer, TransferKind},
    },
    random,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Value};
use uuid::Uuid;

/// A handle whose statements are in a transaction.
pub(in crate::domain) trait InTransaction:
    Scoped<Connection = DatabaseTransaction>
{
}

impl<S: Scoped<Connection = DatabaseTransaction>> InTransaction for S {}

/// The API key that a transfer is made for, with its name at that moment; neither for the program itself.
#[derive(Clone, Debug, Default)]
pub(in crate::domain) struct Spender {
    pub id: Option<Uuid>,
    pub name: String,
}

/// What is written beside a transfer.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub by: Spender,
    pub client_id: Option<String>,
    pub note: String,
    pub hold: Option<Uuid>,
    pub reverses: Option<Uuid>,
}

/// The open ledger of a workspace.
pub(super) struct Book<'a, S> {
    s: &'a S,
    /// The moment of the change; never before the one of the last transfer.
    pub now: Timestamp,
    seq: i64,
    hash: Vec<u8>,
    opened_at: i64,
    /// What [`Book::take`] has moved, in all.
    taken: i64,
    pub issued: Account,
    pub spent: Account,
    pub expired: Account,
}

#[derive(FromQueryResult)]
struct Head {
    seq: i64,
    hash: Vec<u8>,
    at: Timestamp,
    issued_id: Uuid,
    spent_id: Uuid,
    expired_id: Uuid,
}

/// What is left of a grant, or held of it.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct GrantRow {
    pub id: Uuid,
    pub source: String,
    pub expires_at: Timestamp,
    pub balance: i64,
    pub held_id: Uuid,
}

impl GrantRow {
    pub fn account(&self) -> Account {
        Account::grant(self.id, &self.source, self.expires_at)
    }

    pub fn held(&self) -> Account {
        Account::held(self.held_id, self.id)
    }
}

/// Grants looked at in one statement. Few are ever spent by one request.
const GRANTS: usize = 20;

const OPEN: &str = "SELECT l.seq, l.hash, l.at, l.issued_id, l.spent_id, l.expired_id
    FROM credit_ledgers l WHERE l.workspace_id = $1";

impl<'a, S: InTransaction> Book<'a, S> {
    /// Locks the ledger, and reads its end. `None` where the workspace has none: it never had credits.
    pub async fn open(s: &'a S, now: Timestamp) -> Result<Option<Self>, DbErr> {
        let mut sql = OPEN.to_owned();
        if s.connection().get_database_backend() == DbBackend::Postgres {
            // Of the row that it waited for, it returns what whoever held it left.
            sql.push_str(" FOR NO KEY UPDATE");
        }
        let head: Option<Head> = s.first(&sql, Vec::new()).await?;
        Ok(head.map(|head| Self {
            s,
            now: now.max(head.at),
            seq: head.seq,
            hash: head.hash,
            opened_at: head.seq,
            taken: 0,
            issued: Account::of_ledger(head.issued_id, chain::ISSUED),
            spent: Account::of_ledger(head.spent_id, chain::SPENT),
            expired: Account::of_ledger(head.expired_id, chain::EXPIRED),
        }))
    }

    /// [`Book::open`], which creates the ledger of a workspace that has none.
    pub async fn open_or_create(s: &'a S, now: Timestamp) -> Result<Self, Refused> {
        create(s, now).await?;
        Self::open(s, now).await?.ok_or(Refused::NotFound)
    }

    /// The number and the hash of the last transfer.
    pub fn end(&self) -> (i64, &[u8]) {
        (self.seq, &self.hash)
    }

    /// What was taken out of the grants since it was opened.
    pub fn taken(&self) -> i64 {
        self.taken
    }

    /// Moves credits from one account to another.
    pub async fn transfer(
        &mut self,
        kind: TransferKind,
        (debit, credit): (&Account, &Account),
        amount: i64,
        about: &About,
    ) -> Result<Uuid, DbErr> {
        let transfer = Transfer {
            workspace_id: self.s.workspace_id(),
            seq: self.seq + 1,
            id: random::id(self.now),
            at: self.now,
            kind: kind.word().to_owned(),
            amount,
            hold_id: about.hold,
            reverses: about.reverses,
            client_id: about.client_id.clone(),
            api_key_id: about.by.id,
            key_name: about.by.name.clone(),
            note: about.note.clone(),
        };
        let hash = chain::hash(&self.hash, &transfer, debit, credit);
        for (account, change) in [(debit, -amount), (credit, amount)] {
            // The database refuses a balance below zero by itself.
            let sql = "UPDATE credit_accounts SET balance = balance + $3 WHERE workspace_id = $1 AND id = $2";
            if self.s.run(sql, vec![account.id.into(), change.into()]).await? != 1 {
                return Err(DbErr::RecordNotFound("an account of the ledger".to_owned()));
            }
        }
        let sql =
            "INSERT INTO credit_transfers (workspace_id, seq, id, at, kind, debit_id, credit_id, amount,
                hold_id, reverses, client_id, api_key_id, key_name, note, hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let values: Vec<Value> = vec![
            transfer.seq.into(),
            transfer.id.into(),
            transfer.at.into(),
            transfer.kind.as_str().into(),
            debit.id.into(),
            credit.id.into(),
            amount.into(),
            transfer.hold_id.into(),
            transfer.reverses.into(),
            transfer.client_id.clone().into(),
            transfer.api_key_id.into(),
            transfer.key_name.as_str().into(),
            transfer.note.as_str().into(),
            hash.clone().into(),
        ];
        self.s.run(sql, values).await?;
        (self.seq, self.hash) = (transfer.seq, hash);
        Ok(transfer.id)
    }

    /// Adds to what was used on a day: the day of the moment, in UTC.
    pub async fn count_use(&self, at: Timestamp, amount: i64) -> Result<(), DbErr> {
        let day = at - at.as_millis().rem_euclid(DAY);
        let sql = "INSERT INTO credit_days (workspace_id, day, used) VALUES ($1, $2, $3)
            ON CONFLICT (workspace_id, day) DO UPDATE SET used = credit_days.used + excluded.used";
        self.s.run(sql, vec![day.into(), amount.into()]).await.map(drop)
    }

    /// Takes from what [`Book::count_use`] counted.
    pub async fn uncount_use(&self, at: Timestamp, amount: i64) -> Result<(), DbErr> {
        let day = at - at.as_millis().rem_euclid(DAY);
        let sql = "UPDATE credit_days SET used = used - $3 WHERE workspace_id = $1 AND day = $2";
        self.s.run(sql, vec![day.into(), amount.into()]).await.map(drop)
    }

    /// Moves this much out of the grants, those first that expire soonest, and of these the included before the
    /// bought. Holds that are over are released before, as far as they are needed. Returns the transfers, or
    /// `Err` with what there is if that is too little; then the caller rolls back.
    pub async fn take(
        &mut self,
        kind: TransferKind,
        amount: i64,
        about: &About,
    ) -> Result<Result<Vec<Uuid>, ()>, DbErr> {
        let (mut left, mut made, spent) = (amount, Vec::new(), self.spent.clone());
        loop {
            let grants = self.grants_left(GRANTS).await?;
            for grant in &grants {
                let part = grant.balance.min(left);
                let held = grant.held();
                let to = if kind == TransferKind::Hold { &held } else { &spent };
                made.push(self.transfer(kind, (&grant.account(), to), part, about).await?);
                left -= part;
                self.taken += part;
                if left == 0 {
                    return Ok(Ok(made));
                }
            }
            if grants.len() < GRANTS && self.release_expired(GRANTS).await? == 0 {
                return Ok(Err(()));
            }
        }
    }

    async fn grants_left(&self, most: usize) -> Result<Vec<GrantRow>, DbErr> {
        let sql = format!(
            "SELECT a.id, a.source, a.expires_at, a.balance, h.id AS held_id FROM credit_accounts a
            JOIN credit_accounts h ON h.workspace_id = a.workspace_id AND h.grant_id = a.id
            WHERE a.workspace_id = $1 AND a.kind = 'grant' AND a.balance > 0 AND a.expires_at > $2
            ORDER BY a.expires_at, a.source DESC, a.id LIMIT {most}"
        );
        self.s.all(&sql, vec![self.now.into()]).await
    }

    /// Releases holds that are over. Returns how many.
    pub async fn release_expired(&mut self, most: usize) -> Result<usize, DbErr> {
        #[derive(FromQueryResult)]
        struct Over {
            id: Uuid,
        }
        let sql = format!(
            "SELECT h.id FROM credit_holds h WHERE h.workspace_id = $1 AND h.status = 'open'
                AND h.expires_at <= $2 ORDER BY h.expires_at, h.id LIMIT {most}"
        );
        let over: Vec<Over> = self.s.all(&sql, vec![self.now.into()]).await?;
        for hold in &over {
            self.give_back(hold.id, 0, &About::default()).await?;
            self.close_hold(hold.id, "expired", 0).await?;
        }
        Ok(over.len())
    }

    /// Moves what is left of grants that have expired to where it is of no use. Returns how many grants.
    pub async fn expire_grants(&mut self, most: usize) -> Result<usize, DbErr> {
        let sql = format!(
            "SELECT a.id, a.source, a.expires_at, a.balance, h.id AS held_id FROM credit_accounts a
            JOIN credit_accounts h ON h.workspace_id = a.workspace_id AND h.grant_id = a.id
            WHERE a.workspace_id = $1 AND a.kind = 'grant' AND a.balance > 0 AND a.expires_at <= $2
            ORDER BY a.expires_at, a.source DESC, a.id LIMIT {most}"
        );
        let over: Vec<GrantRow> = self.s.all(&sql, vec![self.now.into()]).await?;
        let expired = self.expired.clone();
        for grant in &over {
            let between = (&grant.account(), &expired);
            self.transfer(TransferKind::Expiry, between, grant.balance, &About::default()).await?;
        }
        Ok(over.len())
    }

    /// Ends a hold: spends this much of it, of what expires soonest first, and gives the rest back to the grants
    /// that it came from. A grant that has expired meanwhile has it back all the same, and expires next.
    pub async fn give_back(&mut self, hold: Uuid, spend: i64, about: &About) -> Result<Vec<Uuid>, DbErr> {
        #[derive(FromQueryResult)]
        struct Part {
            amount: i64,
            id: Uuid,
            source: String,
            expires_at: Timestamp,
            held_id: Uuid,
        }
        let sql = "SELECT t.amount, a.id, a.source, a.expires_at, t.credit_id AS held_id
            FROM credit_transfers t
            JOIN credit_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.debit_id
            WHERE t.workspace_id = $1 AND t.hold_id = $2 AND t.kind || '' = 'hold' ORDER BY t.seq";
        let parts: Vec<Part> = self.s.all(sql, vec![hold.into()]).await?;
        let about = About { hold: Some(hold), ..about.clone() };
        let (mut left, mut made, spent) = (spend, Vec::new(), self.spent.clone());
        for part in parts {
            let held = Account::held(part.held_id, part.id);
            let used = part.amount.min(left);
            if used > 0 {
                let between = (&held, &spent);
                made.push(self.transfer(TransferKind::Settlement, between, used, &about).await?);
                left -= used;
            }
            if used < part.amount {
                let grant = Account::grant(part.id, &part.source, part.expires_at);
                let rest = part.amount - used;
                self.transfer(TransferKind::Release, (&held, &grant), rest, &about).await?;
            }
        }
        match left {
            0 => Ok(made),
            _ => Err(DbErr::Custom("a hold has less than it says".to_owned())),
        }
    }

    pub async fn close_hold(&self, hold: Uuid, status: &str, settled: i64) -> Result<(), DbErr> {
        let sql = "UPDATE credit_holds SET status = $3, settled = $4, closed_at = $5
            WHERE workspace_id = $1 AND id = $2 AND status || '' = 'open'";
        let values = vec![hold.into(), status.into(), settled.into(), self.now.into()];
        match self.s.run(sql, values).await? {
            1 => Ok(()),
            _ => Err(DbErr::Custom("a hold was closed twice".to_owned())),
        }
    }

    /// Writes the end of the ledger.
    pub async fn close(self) -> Result<(), DbErr> {
        if self.seq == self.opened_at {
            return Ok(());
        }
        let sql =
            "UPDATE credit_ledgers SET seq = $2, hash = $3, at = $4 WHERE workspace_id = $1 AND seq = $5";
        let values = vec![self.seq.into(), self.hash.into(), self.now.into(), self.opened_at.into()];
        match self.s.run(sql, values).await? {
            1 => Ok(()),
            _ => Err(DbErr::Custom("the ledger was written without its lock".to_owned())),
        }
    }
}

/// Creates the ledger of a workspace, if it has none.
pub(super) async fn create<S: InTransaction>(s: &S, now: Timestamp) -> Result<(), DbErr> {
    let sql = "INSERT INTO credit_ledgers (workspace_id, seq, hash, at, issued_id, spent_id, expired_id)
        VALUES ($1, 0, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id) DO NOTHING";
    let accounts = [chain::ISSUED, chain::SPENT, chain::EXPIRED].map(|kind| (kind, random::id(now)));
    let [issued, spent, expired] = accounts.map(|(_, id)| id);
    let values = vec![Vec::<u8>::new().into(), now.into(), issued.into(), spent.into(), expired.into()];
    if s.run(sql, values).await? == 0 {
        return Ok(());
    }
    for (kind, id) in accounts {
        let sql = "INSERT INTO credit_accounts (id, workspace_id, kind, note, created_at, balance)
            VALUES ($2, $1, $3, '', $4, 0)";
        s.run(sql, vec![id.into(), kind.into(), now.into()]).await?;
    }
    Ok(())
}
