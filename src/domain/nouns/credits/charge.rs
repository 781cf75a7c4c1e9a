//! Credits of requests through the gateway: held before the request is sent, and settled when it reached its host.

use crate::{
    clock::{MINUTE, Timestamp},
    domain::{
        base::{db::Db, principal::Actor, refused::Refused},
        enforce::rows::{Scoped, Unadmitted},
        nouns::credits::{
            Sum, available,
            book::{About, Book, Spender},
            notice, spend,
        },
    },
};
use sea_orm::DatabaseTransaction;
use std::time::Duration;
use uuid::Uuid;

/// What a request costs, held until it is known whether it reached its host.
#[derive(Clone, Debug)]
pub struct Charge {
    workspace: Uuid,
    hold: Uuid,
    price: i64,
    by: Spender,
    host: String,
}

/// Holds the price of a request, for longer than it may take.
///
/// # Errors
/// [`Refused::NoCredit`], which names who can buy.
pub(in crate::domain) async fn hold(
    db: &Db,
    actor: &Actor,
    host: &str,
    price: i64,
    takes: Duration,
) -> Result<Charge, Refused> {
    let workspace = actor.workspace.id;
    let tx = db.begin().await?;
    let s = Unadmitted(&tx, workspace);
    let by = spend::spender(actor);
    let lasts = i64::try_from(takes.as_millis()).unwrap_or(MINUTE).saturating_add(MINUTE);
    let about = About { by: by.clone(), note: host.to_owned(), ..About::default() };
    match place(db, &s, price, lasts, &about).await {
        Ok(hold) => {
            tx.commit().await?;
            db.outbox_ready().notify_one();
            Ok(Charge { workspace, hold, price, by, host: host.to_owned() })
        }
        Err(refused) => {
            tx.rollback().await?;
            Err(spend::name_buyers(&Unadmitted(db.read(), workspace), actor, refused).await?)
        }
    }
}

async fn place(
    db: &Db,
    s: &Unadmitted<'_, DatabaseTransaction>,
    price: i64,
    lasts: i64,
    about: &About,
) -> Result<Uuid, Refused> {
    let mut book = Book::open(s, db.now()).await?.ok_or_else(|| spend::no_credit(price, 0))?;
    let hold = spend::place_hold(s, &mut book, price, lasts, about).await?;
    let now = book.now;
    book.close().await?;
    notice::send_if_low(db, s, available(s, now).await?, now).await?;
    Ok(hold)
}

/// Checks that a request could be paid, without holding anything.
///
/// # Errors
/// As [`hold`].
pub(in crate::domain) async fn check(db: &Db, actor: &Actor, price: i64) -> Result<(), Refused> {
    let scope = Unadmitted(db.read(), actor.workspace.id);
    let left = available(&scope, db.now()).await?;
    match left < price {
        true => Err(spend::name_buyers(&scope, actor, spend::no_credit(price, left)).await?),
        false => Ok(()),
    }
}

impl Charge {
    /// The request reached its host, or may have.
    ///
    /// # Errors
    /// The database's own. Then the hold expires, and the credits are available again.
    pub async fn settle(&self, db: &Db) -> Result<(), Refused> {
        self.end(db, self.price).await
    }

    /// [`Charge::settle`], beside a request of which nobody waits for the end.
    pub fn settle_in_background(self, db: &Db) {
        let of_task = db.clone();
        db.runtime().spawn(async move {
            if let Err(error) = self.settle(&of_task).await {
                tracing::warn!(%error, "the credits of a request could not be settled");
            }
        });
    }

    /// The request did not reach its host.
    ///
    /// # Errors
    /// As [`Charge::settle`].
    pub async fn release(&self, db: &Db) -> Result<(), Refused> {
        self.end(db, 0).await
    }

    async fn end(&self, db: &Db, used: i64) -> Result<(), Refused> {
        let tx = db.begin().await?;
        let s = Unadmitted(&tx, self.workspace);
        match self.end_in(&s, db, used).await {
            Ok(()) => Ok(tx.commit().await?),
            Err(refused) => {
                tx.rollback().await?;
                Err(refused)
            }
        }
    }

    async fn end_in(
        &self,
        s: &Unadmitted<'_, DatabaseTransaction>,
        db: &Db,
        used: i64,
    ) -> Result<(), Refused> {
        // Without a ledger the workspace was deleted meanwhile.
        let Some(mut book) = Book::open(s, db.now()).await? else { return Ok(()) };
        let about = About { by: self.by.clone(), note: self.host.clone(), ..About::default() };
        // As it is stored: one that is over, and not released yet, is for this request all the same.
        let hold = spend::load(s, self.hold, Timestamp::default()).await?;
        match hold.status.as_str() {
            "open" => {
                book.give_back(self.hold, used, &about).await?;
                let status = if used > 0 { "settled" } else { "released" };
                book.close_hold(self.hold, status, used).await?;
                if used > 0 {
                    book.count_use(book.now, used).await?;
                }
            }
            "expired" if used > 0 && !self.is_used(s).await? => {
                let about = About { hold: Some(self.hold), ..about };
                spend::spend(s, &mut book, used, &about).await?;
            }
            // It was ended already.
            _ => {}
        }
        Ok(book.close().await?)
    }

    /// Whether it was paid after its hold had expired.
    async fn is_used(&self, s: &Unadmitted<'_, DatabaseTransaction>) -> Result<bool, Refused> {
        let sql = "SELECT COUNT(*) AS sum FROM credit_transfers t
            WHERE t.workspace_id = $1 AND t.hold_id = $2 AND t.kind || '' = 'usage'";
        let uses: Option<Sum> = s.first(sql, vec![self.hold.into()]).await?;
        Ok(uses.is_some_and(|uses| uses.sum > 0))
    }
}
