//! The first person of an installation that only invited people may join: nobody could invite them.

use crate::{
    domain::base::{
        conflict::Gone,
        db::Db,
        refused::Refused,
        sql::Sql,
        tokens::{Purpose, Token},
    },
    secret::InstallationSecret,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The link for the first person is not open in this browser.
pub const FIRST_GONE: Gone = Gone::new(
    "first_sign_up_gone",
    "The link is no longer open in this browser. Open it again where it was printed.",
);

/// The secret of the link for the first person. Every node derives it, and nothing stores it.
pub fn first_sign_up(secret: &InstallationSecret) -> Token {
    Token::derived(Purpose::FirstSignUp, &secret.derive("first sign-up"))
}

#[derive(FromQueryResult)]
struct Row {
    #[allow(dead_code, reason = "only whether there is one counts")]
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
