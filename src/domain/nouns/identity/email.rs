//! Secrets sent by mail: to confirm an address, to change it, to choose a new password.

use crate::{
    clock::{DAY, HOUR, Timestamp},
    domain::{
        base::{
            conflict::Gone,
            db::Db,
            event::Actor,
            invalid::Invalid,
            limits,
            outbox::Mail,
            passwords::Password,
            principal::{Origin, Person},
            refused::Refused,
            sql::Sql,
            tokens::{Purpose, Token},
            values::Email,
        },
        enforce::audit,
        nouns::identity::{
            events::PasswordReset,
            mail::{AlreadySignedUpMail, ConfirmEmailMail, PasswordChangedMail, ResetPasswordMail},
            sessions,
        },
    },
    entity::email_token,
    random,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// How long a link that confirms an address is valid, in milliseconds.
const CONFIRMATION_LIFETIME: i64 = 3 * DAY;

/// How long a link that resets a password is valid, in milliseconds.
const RESET_LIFETIME: i64 = HOUR;

pub const CONFIRMATION_GONE: Gone = Gone::new(
    "confirmation-link",
    "This link was already used, has expired, or was replaced by a newer one. If your address isn't confirmed yet, sign in and send the e-mail again.",
)
// Someone who is not signed in gets the sign-in page first.
.link("/me", "Your profile");

pub const RESET_GONE: Gone = Gone::new(
    "reset-link",
    "This link was already used, has expired, or was replaced by a newer one. Request a new one.",
)
.link("/forgot-password", "Choose a new password");

/// Mails a link that confirms the address a user has. `browser` is the token of the browser that signed up, in
/// which the link needs no new password.
pub(in crate::domain) async fn send_confirmation(
    db: &Db,
    tx: &DatabaseTransaction,
    user: Uuid,
    email: &str,
    browser: Option<&Token>,
    now: Timestamp,
) -> Result<(), Refused> {
    let kind = Purpose::VerifyEmail;
    let token = insert_token(tx, user, "verify_email", kind, email, browser.map(Token::hash), now).await?;
    let mail = ConfirmEmailMail { url: db.public_url(), token: token.expose() };
    Mail::new(email, &mail).queue(db, tx, now).await.map(drop)
}

/// Creates a token. An older one for the same purpose becomes invalid.
async fn insert_token(
    tx: &DatabaseTransaction,
    user: Uuid,
    purpose: &str,
    kind: Purpose,
    email: &str,
    browser_hash: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<Token, Refused> {
    let token = Token::new(kind);
    let lifetime = if kind == Purpose::ResetPassword { RESET_LIFETIME } else { CONFIRMATION_LIFETIME };
    tx.run("DELETE FROM email_tokens WHERE user_id = $1 AND purpose = $2", vec![user.into(), purpose.into()])
        .await?;
    let row = email_token::ActiveModel {
        id: Set(random::id(now)),
        token_hash: Set(token.hash()),
        user_id: Set(user),
        purpose: Set(purpose.to_owned()),
        email: Set(email.to_owned()),
        created_at: Set(now),
        expires_at: Set(now + lifetime),
        used_at: Set(None),
        browser_hash: Set(browser_hash),
    };
    email_token::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(token)
}

/// Sends the confirmation again.
///
/// # Errors
/// [`Refused::RateLimited`].
pub async fn resend_confirmation(db: &Db, person: &Person) -> Result<(), Refused> {
    if person.is_verified {
        return Ok(());
    }
    limits::MAIL_TO.spend(db, &person.email, 1).await?;
    let tx = db.begin().await?;
    send_confirmation(db, &tx, person.user_id, &person.email, None, db.now()).await?;
    tx.commit().await?;
    db.outbox_ready().notify_one();
    Ok(())
}

#[derive(FromQueryResult)]
pub(super) struct TokenRow {
    pub id: Uuid,
    pub user_id: Uuid,
    pub user_name: String,
    purpose: String,
    pub email: String,
    pub user_email: String,
    pub created_at: Timestamp,
    /// Of the token of the browser that signed up.
    pub browser_hash: Option<Vec<u8>>,
}

impl TokenRow {
    /// The user gets another address by it.
    pub(super) fn changes_address(&self) -> bool {
        self.purpose == "change_email"
    }
}

/// Finds a valid token. A token for an address that the user no longer has is invalid.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    token: &Token,
    now: Timestamp,
) -> Result<TokenRow, Refused> {
    let sql = "SELECT t.id, t.user_id, u.name AS user_name, t.purpose, t.email, u.email AS user_email,
            t.created_at, t.browser_hash
        FROM email_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.token_hash = $1 AND t.used_at IS NULL AND t.expires_at > $2
        AND (t.purpose = 'change_email' OR t.email = u.email) AND u.suspended_at IS NULL";
    let row: Option<TokenRow> = connection.first(sql, vec![token.hash().into(), now.into()]).await?;
    row.ok_or_else(|| link_gone(token))
}

/// The refusal of a link that is no longer valid: it says how to get a new one.
fn link_gone(token: &Token) -> Refused {
    if token.purpose() == Purpose::ResetPassword { RESET_GONE.into() } else { CONFIRMATION_GONE.into() }
}

/// Uses a token up. Of twenty requests at once, one wins.
pub(super) async fn consume(
    tx: &DatabaseTransaction,
    token: &Token,
    id: Uuid,
    now: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE email_tokens SET used_at = $2 WHERE id = $1 AND used_at IS NULL";
    match tx.run(sql, vec![id.into(), now.into()]).await? {
        1 => Ok(()),
        _ => Err(link_gone(token)),
    }
}

/// Requests a change of address. The user gets the new one once the link sent there was used. If another user
/// has the address, they are informed by mail, and the response does not show it.
///
/// # Errors
/// [`Refused::Invalid`] where the password is wrong, [`Refused::RateLimited`], [`Refused::Busy`].
pub async fn change_email(db: &Db, person: &Person, new: &Email, current: &str) -> Result<(), Refused> {
    if new.as_str() == person.email {
        return Err(Invalid::field("email", "This is already your address.").into());
    }
    let verified = sessions::confirm_password(db, person, current).await?;
    limits::CHANGE_EMAIL.spend(db, &person.user_id.to_string(), 1).await?;
    limits::MAIL_TO.spend(db, new.as_str(), 1).await?;
    let tx = db.begin().await?;
    let now = db.now();
    sessions::still_is(&tx, person, &verified).await?;
    let taken: Option<UserRow> =
        tx.first("SELECT id FROM users WHERE email = $1", vec![new.as_str().into()]).await?;
    if taken.is_some() {
        let mail = AlreadySignedUpMail { url: db.public_url(), email: new.as_str() };
        Mail::new(new.as_str(), &mail).queue(db, &tx, now).await?;
    } else {
        let token =
            insert_token(&tx, person.user_id, "change_email", Purpose::VerifyEmail, new.as_str(), None, now)
                .await?;
        let mail = ConfirmEmailMail { url: db.public_url(), token: token.expose() };
        Mail::new(new.as_str(), &mail).queue(db, &tx, now).await?;
    }
    tx.commit().await?;
    db.outbox_ready().notify_one();
    Ok(())
}

#[derive(FromQueryResult)]
struct UserRow {
    id: Uuid,
}

/// Mails a link to choose a new password, if the address is known. Response and timing are the same if it is
/// not.
///
/// # Errors
/// [`Refused::RateLimited`] for too many from one network address.
pub async fn forgot_password(db: &Db, email: &Email, origin: &Origin) -> Result<(), Refused> {
    limits::FORGOT_ADDRESS.spend(db, &origin.address, 1).await?;
    let within = limits::MAIL_TO.spend(db, email.as_str(), 1).await;
    let tx = db.begin().await?;
    let now = db.now();
    let known: Option<UserRow> = tx
        .first("SELECT id FROM users WHERE email = $1 AND suspended_at IS NULL", vec![email.as_str().into()])
        .await?;
    match known.filter(|_| within.is_ok()) {
        Some(user) => {
            let token = insert_token(
                &tx,
                user.id,
                "reset_password",
                Purpose::ResetPassword,
                email.as_str(),
                None,
                now,
            )
            .await?;
            let mail = ResetPasswordMail { url: db.public_url(), token: token.expose() };
            Mail::new(email.as_str(), &mail).queue(db, &tx, now).await?;
            tx.commit().await?;
            db.outbox_ready().notify_one();
        }
        None => {
            // The same statements run, and touch nothing that stays: neither a link that a known
            // address was sent before, nor other mail that waits for it.
            let nobody = random::id(now);
            tx.run("DELETE FROM email_tokens WHERE user_id = $1", vec![nobody.into()]).await?;
            let token = Token::new(Purpose::ResetPassword);
            let mail = ResetPasswordMail { url: db.public_url(), token: token.expose() };
            let id = Mail::new(email.as_str(), &mail).queue(db, &tx, now).await?;
            tx.run("DELETE FROM outbox WHERE id = $1", vec![id.into()]).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// The address of the sign-in whose password this link resets.
///
/// # Errors
/// [`RESET_GONE`].
pub async fn reset_address(db: &Db, token: &Token) -> Result<String, Refused> {
    Ok(find(db.read(), token, db.now()).await?.user_email)
}

/// Chooses a new password. Every session ends, and the address counts as confirmed: the link came
/// by mail.
///
/// # Errors
/// [`RESET_GONE`], [`Refused::Busy`].
pub async fn reset_password(db: &Db, token: &Token, new: &Password, origin: &Origin) -> Result<(), Refused> {
    reset_address(db, token).await?;
    let hash = db.passwords().hash(new).await?;
    let tx = db.begin().await?;
    let now = db.now();
    let row = find(&tx, token, now).await?;
    consume(&tx, token, row.id, now).await?;
    sessions::replace_password(&tx, row.user_id, hash).await?;
    // The address is confirmed by this link. One that was sent before would confirm it once more, in the
    // browser of whoever signed up.
    let sql = "DELETE FROM email_tokens WHERE user_id = $1 AND purpose = 'verify_email'";
    tx.run(sql, vec![row.user_id.into()]).await?;
    tx.run(
        "UPDATE users SET email_verified_at = COALESCE(email_verified_at, $2) WHERE id = $1",
        vec![row.user_id.into(), now.into()],
    )
    .await?;
    let actor = Actor::user(row.user_id, row.user_name);
    audit::append_to_user(&tx, &actor, origin, now, PasswordReset {}).await?;
    let mail = PasswordChangedMail { url: db.public_url() };
    Mail::new(&row.email, &mail).queue(db, &tx, now).await?;
    tx.commit().await?;
    db.outbox_ready().notify_one();
    limits::SIGN_IN_ACCOUNT.clear(db, &row.email).await?;
    Ok(())
}
