//! How credits come in, and how a transfer is taken back: by another one.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::Recorded,
            invalid::Invalid,
            refused::Refused,
            sql::Sql,
            values::{Description, Slug},
        },
        enforce::{transaction::Transaction, workspace::change_by_program},
        nouns::credits::{
            Amount, MAX_ISSUED, Source,
            book::{About, Book, InTransaction},
            chain::{Account, TransferKind},
            events::{CreditTransferReversed, CreditsGranted, target},
        },
    },
    random,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Credits to bring in.
#[derive(Clone, Debug)]
pub struct NewGrant {
    pub amount: Amount,
    pub source: Source,
    pub expires_at: Timestamp,
    pub note: Description,
}

/// A transfer that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    pub transfer: Uuid,
    pub seq: i64,
}

#[derive(FromQueryResult)]
struct Balance {
    balance: i64,
}

/// Brings credits into a workspace, with the event that says so. Purchases use it too.
///
/// # Errors
/// [`Refused::Invalid`] on `expires` if that is past, and on `amount` beyond all bounds.
pub(in crate::domain) async fn grant<S: InTransaction>(
    s: &S,
    now: Timestamp,
    new: &NewGrant,
) -> Result<Recorded<Made>, Refused> {
    let mut book = Book::open_or_create(s, now).await?;
    if new.expires_at <= book.now {
        return Err(Invalid::field("expires", "Choose a moment in the future.").into());
    }
    let sql = "SELECT a.balance FROM credit_accounts a WHERE a.workspace_id = $1 AND a.id = $2";
    let issued: Option<Balance> = s.first(sql, vec![book.issued.id.into()]).await?;
    let issued = issued.map_or(0, |issued| issued.balance.saturating_neg());
    if issued.saturating_add(new.amount.get()) > MAX_ISSUED {
        return Err(Invalid::field("amount", "The workspace was granted too many credits already.").into());
    }
    let (id, held) = (random::id(book.now), random::id(book.now));
    let sql =
        "INSERT INTO credit_accounts (id, workspace_id, kind, source, expires_at, note, created_at, granted,
            balance)
        VALUES ($2, $1, 'grant', $3, $4, $5, $6, $7, 0)";
    let values = vec![
        id.into(),
        new.source.word().into(),
        new.expires_at.into(),
        new.note.as_str().into(),
        book.now.into(),
        new.amount.get().into(),
    ];
    s.run(sql, values).await?;
    let sql = "INSERT INTO credit_accounts (id, workspace_id, kind, grant_id, note, created_at, balance)
        VALUES ($2, $1, 'held', $3, '', $4, 0)";
    s.run(sql, vec![held.into(), id.into(), book.now.into()]).await?;
    let account = Account::grant(id, new.source.word(), new.expires_at);
    let about = About { note: new.note.to_string(), ..About::default() };
    let issued = book.issued.clone();
    let transfer = book.transfer(TransferKind::Grant, (&issued, &account), new.amount.get(), &about).await?;
    let (seq, hash) = book.end();
    let event = CreditsGranted {
        amount: new.amount.get(),
        source: new.source.word().to_owned(),
        expires_at: new.expires_at.as_millis(),
        note: new.note.to_string(),
        seq,
        hash: hex::encode(hash),
    };
    book.close().await?;
    Ok(Recorded::new(Made { transfer, seq }, event, target(Some(transfer))))
}

/// Holds that are ended in one statement.
const HOLDS: usize = 100;

/// A transfer that is to be taken back, with its accounts.
#[derive(FromQueryResult)]
struct Original {
    kind: String,
    amount: i64,
    at: Timestamp,
    /// What is left on the account that they went to.
    credit_balance: i64,
    /// The grant that is one of the two, or that was held.
    grant_id: Uuid,
    source: String,
    expires_at: Timestamp,
}

/// Takes back a transfer: a grant that is not used yet, or a use, whose credits go back to the grant that they came
/// from.
///
/// # Errors
/// [`Refused::NotFound`] without such a transfer; [`Refused::Invalid`] on `transfer` for one that can't be taken back:
/// it is of another kind, was taken back already, or the credits of the grant were used.
pub(in crate::domain) async fn reverse<S: InTransaction>(
    s: &S,
    now: Timestamp,
    transfer: Uuid,
    note: &Description,
) -> Result<Recorded<Made>, Refused> {
    let refused = |sentence: &str| Refused::from(Invalid::field("transfer", sentence));
    let mut book = Book::open(s, now).await?.ok_or(Refused::NotFound)?;
    // What a hold that is over still has of the grant is available to everybody else, too.
    while book.release_expired(HOLDS).await? > 0 {}
    let sql = "SELECT t.kind, t.amount, t.at, c.balance AS credit_balance,
            g.id AS grant_id, g.source, g.expires_at
        FROM credit_transfers t
        JOIN credit_accounts d ON d.workspace_id = t.workspace_id AND d.id = t.debit_id
        JOIN credit_accounts c ON c.workspace_id = t.workspace_id AND c.id = t.credit_id
        JOIN credit_accounts g ON g.workspace_id = t.workspace_id
            AND g.id = CASE WHEN t.kind = 'grant' THEN c.id ELSE COALESCE(d.grant_id, d.id) END
        WHERE t.workspace_id = $1 AND t.id = $2 AND t.kind <> 'reversal'";
    let original: Option<Original> = s.first(sql, vec![transfer.into()]).await?;
    let Some(original) = original else {
        let sql =
            "SELECT t.amount AS balance FROM credit_transfers t WHERE t.workspace_id = $1 AND t.id = $2";
        let is_reversal: Option<Balance> = s.first(sql, vec![transfer.into()]).await?;
        return Err(match is_reversal {
            Some(_) => {
                refused("A correction can't be taken back. Make another one of what it should have been.")
            }
            None => Refused::NotFound,
        });
    };
    let sql =
        "SELECT t.amount AS balance FROM credit_transfers t WHERE t.workspace_id = $1 AND t.reverses = $2";
    let before: Option<Balance> = s.first(sql, vec![transfer.into()]).await?;
    if before.is_some() {
        return Err(refused("This transfer was taken back already."));
    }
    let grant = Account::grant(original.grant_id, &original.source, original.expires_at);
    let (issued, spent) = (book.issued.clone(), book.spent.clone());
    // Credits of a use that were held go back to the grant itself.
    let (from, to) = match TransferKind::of_word(&original.kind) {
        Some(TransferKind::Grant) => {
            if original.credit_balance < original.amount {
                return Err(refused("Some of these credits were used, are held, or have expired."));
            }
            (&grant, &issued)
        }
        Some(TransferKind::Usage | TransferKind::Settlement) => (&spent, &grant),
        _ => return Err(refused("Only grants, usage and settlements can be taken back.")),
    };
    let about = About { note: note.to_string(), reverses: Some(transfer), ..About::default() };
    let made = book.transfer(TransferKind::Reversal, (from, to), original.amount, &about).await?;
    if from == &spent {
        book.uncount_use(original.at, original.amount).await?;
    }
    let (seq, hash) = book.end();
    let event = CreditTransferReversed {
        amount: original.amount,
        kind: original.kind,
        reversed: transfer,
        note: note.to_string(),
        seq,
        hash: hex::encode(hash),
    };
    book.close().await?;
    Ok(Recorded::new(Made { transfer: made, seq }, event, target(Some(made))))
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

async fn find(db: &Db, workspace: &Slug) -> Result<Uuid, Refused> {
    let sql = "SELECT w.id FROM workspaces w WHERE w.slug = $1 AND w.deleted_at IS NULL";
    let found: Option<Id> = db.read().first(sql, vec![workspace.as_str().into()]).await?;
    found.map(|found| found.id).ok_or(Refused::NotFound)
}

/// [`grant`], by whoever runs the installation.
///
/// # Errors
/// As [`grant`]; [`Refused::NotFound`] without the workspace.
pub async fn grant_by_operator(db: &Db, workspace: &Slug, new: &NewGrant) -> Result<Made, Refused> {
    let id = find(db, workspace).await?;
    change_by_program(db, id, async |tx: &Transaction| grant(tx, tx.now, new).await).await
}

/// [`reverse`], by whoever runs the installation.
///
/// # Errors
/// As [`reverse`]; [`Refused::NotFound`] without the workspace.
pub async fn reverse_by_operator(
    db: &Db,
    workspace: &Slug,
    transfer: Uuid,
    note: &Description,
) -> Result<Made, Refused> {
    let id = find(db, workspace).await?;
    change_by_program(db, id, async |tx: &Transaction| reverse(tx, tx.now, transfer, note).await).await
}
