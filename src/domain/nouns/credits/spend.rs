//! Holding, settling, releasing and using credits, each under an id of the client's own.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::Recorded,
            invalid::Invalid,
            principal::Actor,
            refused::{NoCredit, Refused},
            values::Description,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::credits::{
            Amount, ClientId, HOLD_EXPIRED, HOLD_OF_REQUEST, HOLD_RELEASED, HOLD_SETTLED, MAX_HOLD, MIN_HOLD,
            available,
            book::{About, Book, InTransaction, Spender},
            chain::TransferKind,
            notice,
        },
        records::holders,
    },
    policy::{Permission, perm},
    random,
};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A reservation of credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromQueryResult)]
pub struct Hold {
    pub id: Uuid,
    pub client_id: Option<String>,
    pub amount: i64,
    /// `open`, `settled`, `released` or `expired`.
    pub status: String,
    /// How much of it was used.
    pub settled: i64,
    pub note: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The answer to a change of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldAnswer {
    pub hold: Hold,
    /// What can be held or used after it.
    pub available: i64,
}

/// The answer to plain use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseAnswer {
    pub client_id: String,
    pub amount: i64,
    /// The ids of its transfers: one for each grant that it took from.
    pub transfers: Vec<Uuid>,
    pub at: Timestamp,
    /// What can be held or used after it.
    pub available: i64,
}

/// What is asked for, beside how much.
#[derive(Clone, Debug)]
pub struct Request {
    pub client_id: ClientId,
    pub note: Description,
}

/// The columns of a [`Hold`]: one that is over is expired, whether or not that has been written. `$2` is the time.
pub(super) const HOLD: &str = "SELECT h.id, h.client_id, h.amount,
        CASE WHEN h.status = 'open' AND h.expires_at <= $2 THEN 'expired' ELSE h.status END AS status,
        h.settled, h.note, h.created_at, h.expires_at
    FROM credit_holds h WHERE h.workspace_id = $1 AND h.id = $3";

pub(super) async fn load(scope: &impl Scoped, id: Uuid, now: Timestamp) -> Result<Hold, Refused> {
    let hold: Option<Hold> = scope.first(HOLD, vec![now.into(), id.into()]).await?;
    hold.ok_or(Refused::NotFound)
}

/// Reserves credits for so many milliseconds.
///
/// # Errors
/// [`Refused::NoCredit`]; [`Refused::Invalid`] on `id` for one that another request had.
pub async fn reserve(
    s: &mut WriteScope<perm::SpendCredits>,
    request: &Request,
    amount: Amount,
    lasts: i64,
) -> Result<Recorded<HoldAnswer>, Refused> {
    if !(MIN_HOLD..=MAX_HOLD).contains(&lasts) {
        let sentence = format!("Choose between {} and {} seconds.", MIN_HOLD / 1_000, MAX_HOLD / 1_000);
        return Err(Invalid::field("expires_in", sentence).into());
    }
    let asked = json!(["hold", amount.get(), lasts, request.note.as_str()]);
    once(s, request, &asked, async |s| {
        let mut book = Book::open(s, s.now()).await?.ok_or_else(|| no_credit(amount.get(), 0))?;
        book.release_expired(AT_ONCE).await?;
        let about = about(s.actor(), request);
        let id = place_hold(s, &mut book, amount.get(), lasts, &about).await?;
        let now = book.now;
        book.close().await?;
        let available = after_use(s, now).await?;
        Ok(HoldAnswer { hold: load(s, id, now).await?, available })
    })
    .await
}

/// Uses credits that are held, and gives back the rest.
///
/// # Errors
/// [`Refused::NotFound`]; [`HOLD_EXPIRED`], [`HOLD_SETTLED`], [`HOLD_RELEASED`], [`HOLD_OF_REQUEST`];
/// [`Refused::Invalid`] on `amount` if it is more than is held, and on `id`.
pub async fn settle(
    s: &mut WriteScope<perm::SpendCredits>,
    hold: Uuid,
    request: &Request,
    amount: Amount,
) -> Result<Recorded<HoldAnswer>, Refused> {
    let asked = json!(["settlement", hold, amount.get(), request.note.as_str()]);
    once(s, request, &asked, async |s| end_hold(s, hold, Some(amount), &about(s.actor(), request)).await)
        .await
}

/// Gives back all that is held.
///
/// # Errors
/// As [`settle`].
pub async fn release(
    s: &mut WriteScope<perm::SpendCredits>,
    hold: Uuid,
    request: &Request,
) -> Result<Recorded<HoldAnswer>, Refused> {
    let asked = json!(["release", hold, request.note.as_str()]);
    once(s, request, &asked, async |s| end_hold(s, hold, None, &about(s.actor(), request)).await).await
}

/// Uses credits at once.
///
/// # Errors
/// [`Refused::NoCredit`]; [`Refused::Invalid`] on `id`.
pub async fn use_now(
    s: &mut WriteScope<perm::SpendCredits>,
    request: &Request,
    amount: Amount,
) -> Result<Recorded<UseAnswer>, Refused> {
    let asked = json!(["usage", amount.get(), request.note.as_str()]);
    once(s, request, &asked, async |s| {
        let mut book = Book::open(s, s.now()).await?.ok_or_else(|| no_credit(amount.get(), 0))?;
        book.release_expired(AT_ONCE).await?;
        let about = about(s.actor(), request);
        let transfers = spend(s, &mut book, amount.get(), &about).await?;
        let at = book.now;
        book.close().await?;
        let available = after_use(s, at).await?;
        let client_id = request.client_id.as_str().to_owned();
        Ok(UseAnswer { client_id, amount: amount.get(), transfers, at, available })
    })
    .await
}

/// Holds that are over and ended on the way, by every request that writes.
const AT_ONCE: usize = 20;

fn about(actor: &Actor, request: &Request) -> About {
    About {
        by: spender(actor),
        client_id: Some(request.client_id.as_str().to_owned()),
        note: request.note.to_string(),
        ..About::default()
    }
}

/// A key by its name. A person would be named in the audit record alone, from which names can be erased.
pub(super) fn spender(actor: &Actor) -> Spender {
    match actor.principal.key_id() {
        Some(id) => Spender { id: Some(id), name: actor.principal.name().to_owned() },
        None => Spender::default(),
    }
}

/// The refusal, without who can buy: see [`name_buyers`].
pub(super) fn no_credit(needed: i64, available: i64) -> Refused {
    Refused::NoCredit(Box::new(NoCredit { needed, available, ..NoCredit::default() }))
}

/// Adds who can buy to the refusal for lack of credit: roles, and people for whoever may see members.
pub(in crate::domain) async fn name_buyers(
    scope: &impl Scoped,
    actor: &Actor,
    refused: Refused,
) -> Result<Refused, Refused> {
    let Refused::NoCredit(mut no_credit) = refused else { return Ok(refused) };
    let buyers =
        actor.all_roles.iter().filter(|role| role.is_owner || role.holdings.has(Permission::PurchaseCredits));
    no_credit.roles = buyers.take(20).map(|role| role.name.clone()).collect();
    if actor.holdings.has(Permission::ReadMembers) {
        no_credit.people = holders::names(scope, &actor.all_roles, Permission::PurchaseCredits).await?;
    }
    Ok(Refused::NoCredit(no_credit))
}

/// Reserves credits. Returns the id of the hold.
pub(super) async fn place_hold<S: InTransaction>(
    s: &S,
    book: &mut Book<'_, S>,
    amount: i64,
    lasts: i64,
    about: &About,
) -> Result<Uuid, Refused> {
    let id = random::id(book.now);
    let sql = "INSERT INTO credit_holds (id, workspace_id, amount, status, settled, client_id, api_key_id, key_name,
            note, created_at, expires_at)
        VALUES ($2, $1, $3, 'open', 0, $4, $5, $6, $7, $8, $9)";
    let values = vec![
        id.into(),
        amount.into(),
        about.client_id.clone().into(),
        about.by.id.into(),
        about.by.name.as_str().into(),
        about.note.as_str().into(),
        book.now.into(),
        (book.now + lasts).into(),
    ];
    s.run(sql, values).await?;
    let about = About { hold: Some(id), ..about.clone() };
    match book.take(TransferKind::Hold, amount, &about).await? {
        Ok(_) => Ok(id),
        Err(()) => Err(too_little(s, book, amount).await?),
    }
}

/// Uses credits at once. Returns the transfers.
pub(super) async fn spend<S: InTransaction>(
    s: &S,
    book: &mut Book<'_, S>,
    amount: i64,
    about: &About,
) -> Result<Vec<Uuid>, Refused> {
    match book.take(TransferKind::Usage, amount, about).await? {
        Ok(transfers) => {
            book.count_use(book.now, amount).await?;
            Ok(transfers)
        }
        Err(()) => Err(too_little(s, book, amount).await?),
    }
}

/// What was taken on the way is counted back in: it is rolled back.
async fn too_little<S: InTransaction>(s: &S, book: &Book<'_, S>, amount: i64) -> Result<Refused, Refused> {
    let left = available(s, book.now).await?;
    let taken = book.taken();
    Ok(no_credit(amount, left.saturating_add(taken)))
}

async fn end_hold(
    s: &WriteScope<perm::SpendCredits>,
    id: Uuid,
    amount: Option<Amount>,
    about: &About,
) -> Result<HoldAnswer, Refused> {
    let mut book = Book::open(s, s.now()).await?.ok_or(Refused::NotFound)?;
    let hold = load(s, id, book.now).await?;
    // Otherwise whoever waits for the host's answer could release it, and pay nothing.
    if hold.client_id.is_none() {
        return Err(HOLD_OF_REQUEST.into());
    }
    match hold.status.as_str() {
        "open" => {}
        "settled" => return Err(HOLD_SETTLED.into()),
        "released" => return Err(HOLD_RELEASED.into()),
        _ => return Err(HOLD_EXPIRED.into()),
    }
    let used = amount.map_or(0, Amount::get);
    if used > hold.amount {
        let sentence = format!("Only {} credits are held. Settle that much at most.", hold.amount);
        return Err(Invalid::field("amount", sentence).into());
    }
    book.give_back(id, used, about).await?;
    book.close_hold(id, if used > 0 { "settled" } else { "released" }, used).await?;
    if used > 0 {
        book.count_use(book.now, used).await?;
    }
    book.release_expired(AT_ONCE).await?;
    let now = book.now;
    book.close().await?;
    let available = after_use(s, now).await?;
    Ok(HoldAnswer { hold: load(s, id, now).await?, available })
}

/// What is available after a change. Those who can buy are notified where that is little.
async fn after_use(s: &WriteScope<perm::SpendCredits>, now: Timestamp) -> Result<i64, Refused> {
    let left = available(s, now).await?;
    notice::send_if_low(&s.open().db, s, left, now).await?;
    Ok(left)
}

/// Does what is asked for, unless the id was used before: then the answer is that of the first time.
async fn once<T: Serialize + DeserializeOwned>(
    s: &mut WriteScope<perm::SpendCredits>,
    request: &Request,
    asked: &serde_json::Value,
    work: impl AsyncFnOnce(&WriteScope<perm::SpendCredits>) -> Result<T, Refused>,
) -> Result<Recorded<T>, Refused> {
    #[derive(FromQueryResult)]
    struct Before {
        request_hash: Vec<u8>,
        answer: String,
    }
    // Another key that happens to use the same id would otherwise be told that its request was done.
    let by = s.actor().principal.key_id();
    let hash = Sha256::digest(json!([asked, by]).to_string()).to_vec();
    let sql = "SELECT r.request_hash, r.answer FROM credit_requests r
        WHERE r.workspace_id = $1 AND r.client_id = $2";
    let client_id = request.client_id.as_str();
    let before: Option<Before> = s.first(sql, vec![client_id.into()]).await?;
    if let Some(before) = before {
        if before.request_hash != hash {
            let sentence = "This ID was already used for a different request, or by another API key. Use a new one for each request.";
            return Err(Invalid::field("id", sentence).into());
        }
        let answer = serde_json::from_str(&before.answer).map_err(|error| unreadable(&error))?;
        return Ok(Recorded::unchanged(answer));
    }
    let answer = match work(&*s).await {
        Err(refused) => return Err(name_buyers(s, s.actor(), refused).await?),
        Ok(answer) => answer,
    };
    let sql = "INSERT INTO credit_requests (workspace_id, client_id, request_hash, answer, at)
        VALUES ($1, $2, $3, $4, $5)";
    let text = serde_json::to_string(&answer).map_err(|error| unreadable(&error))?;
    s.run(sql, vec![client_id.into(), hash.into(), text.into(), s.now().into()]).await?;
    // The ledger itself is the record.
    Ok(Recorded::unchanged(answer))
}

fn unreadable(error: &serde_json::Error) -> Refused {
    Refused::Failed(sea_orm::DbErr::Custom(error.to_string()))
}
