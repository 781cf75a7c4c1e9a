//! Confirming an address by the link that was mailed to it.
//!
//! Whoever opens the link reads the mailbox, but may not be who entered the address. In the browser that entered
//! it they are the same person, who knows the password, and nothing else is needed. In every other browser they
//! choose a new password, and every earlier session ends.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::{Actor, RecordedEvent},
            hash_queue::Party,
            invalid::Invalid,
            outbox::Mail,
            passwords::Password,
            principal::{Origin, Person},
            refused::{Refused, is_duplicate},
            sql::Sql,
            tokens::Token,
        },
        enforce::audit::{self, ChainHead},
        nouns::{
            identity::{
                email::{TokenRow, consume, find},
                events::{EmailChanged, EmailConfirmed, PasswordReset, SignedIn},
                first,
                mail::AddressChangedMail,
                sessions,
            },
            members::{self, events::MemberAddressChanged},
        },
    },
    entity::session,
};
use sea_orm::{DatabaseTransaction, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// The browser that opened the link.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Who is signed in there.
    pub person: Option<Person>,
    /// The token that it got when somebody signed in or up in it.
    pub token: Option<Token>,
}

impl Browser {
    /// Whether the address was entered in this browser: its user is signed in there, or signed up there.
    fn entered(&self, row: &TokenRow) -> bool {
        let own = self.token.as_ref().map(Token::hash);
        self.is_signed_in_as(row.user_id) || (own.is_some() && own == row.browser_hash)
    }

    fn is_signed_in_as(&self, user: Uuid) -> bool {
        self.person.as_ref().is_some_and(|person| person.user_id == user)
    }
}

/// What a link that confirms an address is about.
#[derive(Clone, Debug)]
pub struct Confirmation {
    pub email: String,
    /// The user's present address, if this one replaces it.
    pub before: Option<String>,
    pub user_id: Uuid,
    /// The name of the user.
    pub name: String,
    /// The names of some of the user's accounts.
    pub accounts: Vec<String>,
    pub requested_at: Timestamp,
    /// The address was entered in this browser, so no new password is needed.
    pub is_known_browser: bool,
}

/// Loads what the link is about. This does not use it up.
///
/// # Errors
/// [`super::CONFIRMATION_GONE`].
pub async fn confirmation(db: &Db, token: &Token, browser: &Browser) -> Result<Confirmation, Refused> {
    #[derive(FromQueryResult)]
    struct Account {
        name: String,
    }
    let row = find(db.read(), token, db.now()).await?;
    let sql = "SELECT a.name FROM account_people p JOIN accounts a ON a.id = p.account_id
        WHERE p.user_id = $1 ORDER BY p.joined_at, p.account_id LIMIT 5";
    let accounts: Vec<Account> = db.read().all(sql, vec![row.user_id.into()]).await?;
    Ok(Confirmation {
        is_known_browser: browser.entered(&row),
        before: row.changes_address().then_some(row.user_email),
        email: row.email,
        user_id: row.user_id,
        name: row.user_name,
        accounts: accounts.into_iter().map(|account| account.name).collect(),
        requested_at: row.created_at,
    })
}

/// An address that was confirmed.
#[derive(Debug)]
pub struct Confirmed {
    pub email: String,
    pub user_id: Uuid,
    /// The session that began, where nobody was signed in.
    pub session: Option<Token>,
}

/// Confirms the address that the token was sent to. If the token is for a change of address, the user gets
/// it, and their other sessions end. In a browser in which the address was not entered, `typed` is the user's
/// new password, and every session ends. Who was not signed in is signed in.
///
/// # Errors
/// [`super::CONFIRMATION_GONE`] if the token was used, has expired, was replaced, or is for a former address;
/// [`first::FIRST_TAKEN`];
/// [`Refused::Invalid`] on `password`, and on `email` if another user has the new address by now;
/// [`Refused::Busy`].
pub async fn confirm_email(
    db: &Db,
    token: &Token,
    browser: &Browser,
    typed: &str,
    origin: &Origin,
) -> Result<Confirmed, Refused> {
    let new_hash = new_password(db, token, browser, typed, origin).await?;
    let tx = db.begin().await?;
    let now = db.now();
    let row = find(&tx, token, now).await?;
    first::claim(&tx, row.user_id, now).await?;
    consume(&tx, token, row.id, now).await?;
    let actor = Actor::user(row.user_id, row.user_name.clone(), &row.user_email);
    let target = audit::target_of(&actor);
    let (event, elsewhere) = take_address(db, &tx, &row, &actor, now).await?;
    let mut events = vec![event];
    match new_hash {
        Some(hash) => {
            sessions::replace_password(&tx, row.user_id, hash).await?;
            events.push(RecordedEvent::new(PasswordReset {}, target.clone()));
        }
        None => still_entered(&tx, browser, &row).await?,
    }
    let session = match &browser.person {
        None => {
            events.push(RecordedEvent::new(SignedIn {}, target));
            Some(sessions::start(db, &tx, row.user_id, origin).await?)
        }
        Some(_) => None,
    };
    audit::append_all_to_user(&tx, &actor, origin, now, &events, elsewhere).await?;
    tx.commit().await?;
    db.outbox_ready().notify_one();
    Ok(Confirmed { email: row.email, user_id: row.user_id, session })
}

/// The hash of the new password, where the browser needs one.
async fn new_password(
    db: &Db,
    token: &Token,
    browser: &Browser,
    typed: &str,
    origin: &Origin,
) -> Result<Option<String>, Refused> {
    let row = find(db.read(), token, db.now()).await?;
    if browser.entered(&row) {
        return Ok(None);
    }
    let password = Password::parse(typed, &[&row.user_name, &row.email]);
    let password = password.map_err(|complaint| Invalid::field("password", complaint))?;
    let party = Party::known(&origin.address, &row.user_id.to_string());
    Ok(Some(db.passwords().hash(&password, party).await?))
}

/// An event of each of these chains, which are locked.
type Elsewhere = Vec<(ChainHead, RecordedEvent)>;

/// Gives the user the confirmed address. Returns the event of it; for a change of address also one in each
/// workspace where members know them by it.
async fn take_address(
    db: &Db,
    tx: &DatabaseTransaction,
    row: &TokenRow,
    actor: &Actor,
    now: Timestamp,
) -> Result<(RecordedEvent, Elsewhere), Refused> {
    let target = audit::target_of(actor);
    if !row.changes_address() {
        members::lock_memberships(tx, row.user_id).await?;
        verify(tx, row, now).await?;
        return Ok((RecordedEvent::new(EmailConfirmed { email: row.email.clone() }, target), Vec::new()));
    }
    let (before, after) = (|| row.user_email.clone(), || row.email.clone());
    let changed = || MemberAddressChanged { before: before(), after: after() };
    let elsewhere = members::in_each_workspace(tx, actor, changed).await?;
    members::lock_memberships(tx, row.user_id).await?;
    verify(tx, row, now).await?;
    members::refresh_sort_key(tx, row.user_id).await?;
    let mail = AddressChangedMail { url: db.public_url(), after: &row.email };
    Mail::new(&row.user_email, &mail).queue(db, tx, now).await?;
    let event = EmailChanged { before: before(), after: after() };
    Ok((RecordedEvent::new(event, target), elsewhere))
}

/// Sets the confirmed address.
async fn verify(tx: &DatabaseTransaction, row: &TokenRow, now: Timestamp) -> Result<(), Refused> {
    let sql = "UPDATE users SET email = $2, email_verified_at = $3 WHERE id = $1";
    match tx.run(sql, vec![row.user_id.into(), row.email.as_str().into(), now.into()]).await {
        Err(error) if is_duplicate(&error) => {
            Err(Invalid::field("email", "Someone else now uses this address.").into())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Checks under the lock that the browser is still one in which the address was entered: its session may have
/// ended in the meantime. After a change of address, the user's other sessions end.
///
/// # Errors
/// [`Refused::Unauthenticated`].
async fn still_entered(tx: &DatabaseTransaction, browser: &Browser, row: &TokenRow) -> Result<(), Refused> {
    let Some(person) = browser.person.as_ref().filter(|person| person.user_id == row.user_id) else {
        return Ok(());
    };
    if session::Entity::find_by_id(person.session_id).one(tx).await?.is_none() {
        return Err(Refused::Unauthenticated);
    }
    if row.changes_address() {
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
        tx.run(sql, vec![row.user_id.into(), person.session_id.into()]).await?;
    }
    Ok(())
}
