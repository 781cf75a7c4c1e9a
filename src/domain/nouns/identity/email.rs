//! Secrets sent by mail: to confirm an address, to change it, to choose a new password.

use crate::{
    clock::{DAY, HOUR, Timestamp},
    domain::{
        base::{
            conflict::Gone,
            db::Db,
            event::Actor,
            hash_queue::Party,
            invalid::Invalid,
            limits,
            network::wide,
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
            first,
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

/// The most links that reset a password of one user: more than all networks and a few known browsers may request
/// within their lifetime, so that nobody who requests one ends another's.
const MAX_RESET_LINKS: i64 = 30;

pub const CONFIRMATION_GONE: Gone = Gone::new(
    "confirmation-link",
    "This link was already used, has expired, or was replaced by a newer one. If your address isn't confirmed yet, sign in and send the e-mail again.",
)
// Someone who is not signed in gets the sign-in page first.
.link("/me", "Your profile");

pub const RESET_GONE: Gone = Gone::new(
    "reset-link",
    "This link was already used, has expired, or the password was changed since. Request a new one.",
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

/// Creates a token. An older one for the same purpose becomes invalid; those that reset a password only beyond
/// [`MAX_RESET_LINKS`], because anybody can request them.
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
    let (lifetime, max) = match kind {
        Purpose::ResetPassword => (RESET_LIFETIME, MAX_RESET_LINKS),
        _ => (CONFIRMATION_LIFETIME, 1),
    };
    delete_older(tx, user, purpose, max - 1).await?;
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

/// Deletes the tokens for this purpose but for the latest ones.
async fn delete_older(tx: &DatabaseTransaction, user: Uuid, purpose: &str, keep: i64) -> Result<(), Refused> {
    let sql = "DELETE FROM email_tokens WHERE user_id = $1 AND purpose = $2 AND id NOT IN
        (SELECT id FROM email_tokens WHERE user_id = $1 AND purpose = $2
            ORDER BY created_at DESC, id DESC LIMIT $3)";
    tx.run(sql, vec![user.into(), purpose.into(), keep.into()]).await?;
    Ok(())
}

/// Sends the confirmation again.
///
/// # Errors
/// [`Refused::RateLimited`].
pub async fn resend_confirmation(db: &Db, person: &Person) -> Result<(), Refused> {
    if person.is_verified {
        return Ok(());
    }
    limits::CONFIRMATION.check(db, &person.user_id.to_string()).await?;
    limits::CONFIRMATION.spend(db, &person.user_id.to_string(), 1).await?;
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
    match row {
        Some(row) => Ok(row),
        None if first::has_ended(connection, token).await? => Err(first::FIRST_TAKEN.into()),
        None => Err(link_gone(token)),
    }
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
pub async fn change_email(
    db: &Db,
    person: &Person,
    new: &Email,
    current: &str,
    origin: &Origin,
) -> Result<(), Refused> {
    if new.as_str() == person.email {
        return Err(Invalid::field("email", "This is already your address.").into());
    }
    let verified = sessions::confirm_password(db, person, current, origin).await?;
    limits::CHANGE_EMAIL.spend(db, &person.user_id.to_string(), 1).await?;
    limits::spend(db, &limits::mail_to(new.as_str(), &person.user_id.to_string()), 1).await?;
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
/// not. `browser` is the name of the browser, if it signed in with this address before.
///
/// A reset has budgets of its own, by account and network: neither other mail to the address nor a stranger's
/// requests for resets use up those of its owner. Beyond them nothing is written.
///
/// # Errors
/// [`Refused::RateLimited`] for too many from one network address.
pub async fn forgot_password(
    db: &Db,
    email: &Email,
    browser: Option<&str>,
    origin: &Origin,
) -> Result<(), Refused> {
    let network = wide(&origin.address);
    let from_network: Vec<_> = limits::FORGOT_ADDRESS.of_network(origin).into_iter().collect();
    limits::check(db, &from_network).await?;
    let budget = match browser {
        Some(browser) => vec![limits::RESET_BROWSER.within(email.as_str(), browser)],
        None => {
            vec![limits::RESET.within(email.as_str(), &network), limits::RESET_TO.of(email.as_str())]
        }
    };
    // Whether the address is known makes no difference up to here: both are counted alike.
    if limits::check(db, &budget).await.is_err() {
        return Ok(());
    }
    let tx = db.begin().await?;
    let now = db.now();
    let counted = match limits::spend_in(&tx, &from_network, 1, now).await? {
        Ok(()) => limits::spend_in(&tx, &budget, 1, now).await?,
        Err(refused) => {
            tx.commit().await?;
            return Err(refused);
        }
    };
    if counted.is_ok() && send_reset(db, &tx, email, now).await? {
        tx.commit().await?;
        db.outbox_ready().notify_one();
    } else {
        tx.commit().await?;
    }
    Ok(())
}

/// Queues the mail, if the address is known.
async fn send_reset(
    db: &Db,
    tx: &DatabaseTransaction,
    email: &Email,
    now: Timestamp,
) -> Result<bool, Refused> {
    let sql = "SELECT id FROM users WHERE email = $1 AND suspended_at IS NULL";
    let known: Option<UserRow> = tx.first(sql, vec![email.as_str().into()]).await?;
    if let Some(user) = known {
        let kind = Purpose::ResetPassword;
        let token = insert_token(tx, user.id, "reset_password", kind, email.as_str(), None, now).await?;
        let mail = ResetPasswordMail { url: db.public_url(), token: token.expose() };
        Mail::new(email.as_str(), &mail).queue(db, tx, now).await?;
        return Ok(true);
    }
    // The same statements run, and touch nothing that stays: neither a link that a known
    // address was sent before, nor other mail that waits for it.
    delete_older(tx, random::id(now), "reset_password", MAX_RESET_LINKS - 1).await?;
    let token = Token::new(Purpose::ResetPassword);
    let mail = ResetPasswordMail { url: db.public_url(), token: token.expose() };
    let id = Mail::new(email.as_str(), &mail).queue(db, tx, now).await?;
    tx.run("DELETE FROM outbox WHERE id = $1", vec![id.into()]).await?;
    Ok(false)
}

/// The address of the sign-in whose password this link resets.
///
/// # Errors
/// [`RESET_GONE`].
pub async fn reset_address(db: &Db, token: &Token) -> Result<String, Refused> {
    Ok(find(db.read(), token, db.now()).await?.user_email)
}

/// Chooses a new password. Every session ends, and the address counts as confirmed: the link came
/// by mail. `browser` is the name of the browser, if it has one. Returns the address.
///
/// # Errors
/// [`RESET_GONE`], [`Refused::Busy`].
pub async fn reset_password(
    db: &Db,
    token: &Token,
    new: &Password,
    browser: Option<&str>,
    origin: &Origin,
) -> Result<String, Refused> {
    let user = find(db.read(), token, db.now()).await?.user_id;
    let party = Party::known(&origin.address, &user.to_string());
    let hash = db.passwords().hash(new, party).await?;
    let tx = db.begin().await?;
    let now = db.now();
    let row = find(&tx, token, now).await?;
    first::claim(&tx, row.user_id, now).await?;
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
    let mail = PasswordChangedMail { url: db.public_url() };
    Mail::new(&row.email, &mail).queue(db, &tx, now).await?;
    let actor = Actor::user(row.user_id, row.user_name, &row.user_email);
    audit::append_to_user(&tx, &actor, origin, now, PasswordReset {}).await?;
    tx.commit().await?;
    db.outbox_ready().notify_one();
    if let Ok(email) = Email::parse(&row.email) {
        sessions::forget_all_failures(db, &email, browser, origin).await?;
    }
    Ok(row.email)
}
