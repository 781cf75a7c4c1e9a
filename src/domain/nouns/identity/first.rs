//! The first person of an installation that only invited people may join: nobody could invite them.

//!
//! Several may sign up by their link, such as somebody who mistyped their address and tries again. The first who
//! confirms an address is the first person, and of the others nothing is kept.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Gone,
            db::Db,
            refused::Refused,
            sql::Sql,
            tokens::{Purpose, Token},
        },
        nouns::identity::unconfirmed,
    },
    secret::InstallationSecret,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};
use uuid::Uuid;

/// The link for the first person is not open in this browser.
pub const FIRST_GONE: Gone = Gone::new(
    "first_sign_up_gone",
    "The link is no longer open in this browser. Open it again where it was printed.",
);

/// Somebody else was the first person.
pub const FIRST_TAKEN: Gone = Gone::new(
    "first_person_taken",
    "Someone else was the first person here, so nothing of this sign-up is kept. Ask them to invite you.",
)
.link("/sign-in", "Sign in");

/// The secret of the link for the first person. Every node derives it, and nothing stores it.
pub fn first_sign_up(secret: &InstallationSecret) -> Token {
    Token::derived(Purpose::FirstSignUp, &secret.derive("first sign-up"))
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
}

/// Whether nobody has confirmed an address yet. Whoever mistyped theirs can try again.
///
/// # Errors
/// The database's own.
pub async fn is_empty(db: &Db) -> Result<bool, Refused> {
    // By the index of addresses, each of which is longer than nothing.
    let sql =
        "SELECT id FROM users WHERE email > $1 AND email_verified_at IS NOT NULL ORDER BY email LIMIT 1";
    let confirmed: Option<Row> = db.read().first(sql, vec!["".into()]).await?;
    Ok(confirmed.is_none())
}

/// Notes that this user signs up by the link. Nobody becomes the first person before the transaction has ended.
///
/// # Errors
/// [`FIRST_TAKEN`].
pub(super) async fn enter(tx: &DatabaseTransaction, user: Uuid) -> Result<(), Refused> {
    // It changes nothing, and waits for whoever is about to become the first.
    let open = "UPDATE first_person SET user_id = NULL WHERE id = 1 AND user_id IS NULL";
    if tx.run(open, Vec::new()).await? == 0 {
        return Err(FIRST_TAKEN.into());
    }
    tx.run("INSERT INTO first_sign_ups (user_id) VALUES ($1)", vec![user.into()]).await?;
    Ok(())
}

/// Lets a user whose address is about to be confirmed become the first person, if they signed up by the link: then
/// the others' sign-ups end. It comes before anything else that locks rows.
///
/// # Errors
/// [`FIRST_TAKEN`].
pub(super) async fn claim(tx: &DatabaseTransaction, user: Uuid, now: Timestamp) -> Result<(), Refused> {
    let own = "SELECT user_id AS id FROM first_sign_ups WHERE user_id = $1";
    if tx.first::<Row>(own, vec![user.into()]).await?.is_none() {
        return Ok(());
    }
    let taken = "UPDATE first_person SET user_id = $1 WHERE id = 1 AND user_id IS NULL";
    if tx.run(taken, vec![user.into()]).await? == 0 {
        return Err(FIRST_TAKEN.into());
    }
    tx.run("DELETE FROM first_sign_ups WHERE user_id = $1", vec![user.into()]).await?;
    let others = "SELECT user_id AS id FROM first_sign_ups WHERE ended_at IS NULL AND user_id > $1
        ORDER BY user_id";
    for other in tx.all::<Row>(others, vec![Uuid::nil().into()]).await? {
        let end =
            "UPDATE first_sign_ups SET ended_at = $2, ended_token = (SELECT t.token_hash FROM email_tokens t
                WHERE t.user_id = $1 AND t.purpose = 'verify_email' ORDER BY t.created_at DESC LIMIT 1)
            WHERE user_id = $1";
        tx.run(end, vec![other.id.into(), now.into()]).await?;
        unconfirmed::delete_sign_up(tx, other.id, now).await?;
    }
    Ok(())
}

/// Whether this is the link of a sign-up that ended because somebody else was first.
pub(super) async fn has_ended(connection: &impl ConnectionTrait, token: &Token) -> Result<bool, DbErr> {
    let sql = "SELECT user_id AS id FROM first_sign_ups WHERE ended_token = $1 LIMIT 1";
    Ok(connection.first::<Row>(sql, vec![token.hash().into()]).await?.is_some())
}
