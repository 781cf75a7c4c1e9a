//! Mail about a sign-in in a browser that was not used for it before.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            limits,
            outbox::Mail,
            principal::Origin,
            refused::Refused,
            words::{browser, exact, inert},
        },
        nouns::identity::mail::NewBrowserMail,
    },
};
use sea_orm::DatabaseTransaction;

/// Tells somebody at their confirmed address that their password was used in a new browser: with every sign-in there, but
/// no more often than helps.
///
/// # Errors
/// The database's own.
pub(super) async fn notify(
    db: &Db,
    tx: &DatabaseTransaction,
    email: &str,
    origin: &Origin,
    now: Timestamp,
) -> Result<(), Refused> {
    if limits::spend_in(tx, &[limits::NEW_BROWSER.of(email)], 1, now).await?.is_err() {
        return Ok(());
    }
    let mail = NewBrowserMail {
        url: db.public_url(),
        when: &exact(now),
        browser: &inert(&browser(&origin.user_agent)),
        address: &origin.address,
    };
    Mail::new(email, &mail).queue(db, tx, now).await.map(drop)
}
