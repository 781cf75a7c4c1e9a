//! Sessions are rows of ours; a cookie carries an id and nothing else.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::CHANGED,
            db::Db,
            event::{Actor, AuditEvent, RecordedEvent},
            hash_queue::Party,
            invalid::Invalid,
            limits::{self, Counted},
            network::wide,
            outbox::Mail,
            passwords::{self, Password},
            principal::{Credential, Origin, Person, Principal},
            refused::Refused,
            sql::Sql,
            tokens::{Purpose, Token},
            values::{Email, Name},
        },
        enforce::{audit, presence},
        nouns::{
            identity::{
                events::{PasswordChanged, ProfileUpdated, SessionsRevoked, SignedIn, SignedOut},
                mail::PasswordChangedMail,
                new_browser,
            },
            members::{self, events::MemberRenamed},
        },
    },
    entity::session,
    random,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, FromQueryResult, Value};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct PersonRow {
    session_id: Uuid,
    last_seen_at: Timestamp,
    user_id: Uuid,
    name: String,
    email: String,
    is_verified: bool,
}

/// The person to whom a session belongs. One SQL statement.
///
/// # Errors
/// [`Refused::Unauthenticated`] if the session has ended, was revoked or never existed, or the user is
/// suspended.
pub async fn authenticate(db: &Db, credential: &Credential) -> Result<Person, Refused> {
    let sql = "SELECT s.id AS session_id, s.last_seen_at, u.id AS user_id, u.name, u.email,
            u.email_verified_at IS NOT NULL AS is_verified
        FROM sessions s JOIN users u ON u.id = s.user_id AND u.suspended_at IS NULL
        WHERE s.token_hash = $1 AND s.expires_at > $2";
    let row: Option<PersonRow> =
        db.read().first(sql, vec![credential.token_hash().into(), db.now().into()]).await?;
    let row = row.ok_or(Refused::Unauthenticated)?;
    let person = Person {
        session_id: row.session_id,
        user_id: row.user_id,
        name: row.name,
        email: row.email,
        is_verified: row.is_verified,
    };
    let principal = Principal::User(person.clone());
    presence::record(db, &principal, None, row.last_seen_at);
    Ok(person)
}

#[derive(FromQueryResult)]
struct SignInRow {
    id: Uuid,
    name: String,
    password_hash: String,
    is_suspended: bool,
    is_verified: bool,
}

/// What somebody typed to sign in, and in which browser.
pub struct SignIn<'a> {
    pub email: &'a str,
    pub password: &'a str,
    /// The session that this browser had before. It ends.
    pub previous: Option<&'a Token>,
    /// The name of this browser, if it signed in with this address before.
    pub browser: Option<&'a str>,
}

/// The limits that a sign-in counts against. A browser that is known is counted by itself, so that nobody
/// else, in its network or another, can lock it out.
struct SignInLimits {
    /// Attempts, right or wrong.
    attempts: Counted,
    /// Wrong passwords.
    failures: Vec<Counted>,
}

impl SignInLimits {
    fn of(email: &Email, browser: Option<&str>, origin: &Origin) -> Self {
        let (email, network) = (email.as_str(), origin.address.as_str());
        match browser {
            Some(browser) => Self {
                attempts: limits::SIGN_INS.within(email, browser),
                failures: vec![
                    limits::SIGN_IN_BROWSER.within(email, browser),
                    limits::SIGN_IN_BROWSERS.of(email),
                ],
            },
            None => Self {
                attempts: limits::SIGN_INS.within(email, network),
                failures: limits::SIGN_IN_ADDRESS
                    .of_network(origin)
                    .into_iter()
                    .chain([
                        limits::SIGN_IN_NEARBY.within(email, &wide(network)),
                        limits::SIGN_IN.within(email, network),
                    ])
                    .collect(),
            },
        }
    }

    fn all(&self) -> Vec<Counted> {
        self.failures.iter().chain([&self.attempts]).cloned().collect()
    }
}

/// Signs in. A known and an unknown address get equal responses, after equal work.
///
/// # Errors
/// [`Refused::Invalid`] for a wrong address or password, [`Refused::RateLimited`], [`Refused::Busy`].
pub async fn sign_in(db: &Db, form: &SignIn<'_>, origin: &Origin) -> Result<Token, Refused> {
    let wrong = || Invalid::field("password", "The e-mail address or password is wrong.");
    let Ok(email) = Email::parse(form.email) else {
        return Err(Invalid::field("email", "Enter an e-mail address such as name@example.com.").into());
    };
    if form.password.len() > passwords::MAX_BYTES {
        return Err(Invalid::field("password", "Use at most 1,024 bytes.").into());
    }
    // Who is over a limit takes no turn from others. The turn comes before the count: many right
    // sign-ins at once are not many guesses.
    let counted = SignInLimits::of(&email, form.browser, origin);
    limits::check(db, &counted.all()).await?;
    let party = match form.browser {
        Some(_) => Party::known(&origin.address, email.as_str()),
        None => Party::stranger(&origin.address, email.as_str()),
    };
    let permit = db.passwords().acquire(party).await?;
    limits::spend(db, &counted.all(), 1).await?;
    let sql = "SELECT id, name, password_hash, suspended_at IS NOT NULL AS is_suspended,
            email_verified_at IS NOT NULL AS is_verified
        FROM users WHERE email = $1";
    let known: Option<SignInRow> = db.read().first(sql, vec![email.as_str().into()]).await?;
    let hash = known.as_ref().map(|user| user.password_hash.clone());
    let verdict = permit.verify(form.password, hash).await;
    if !matches!(verdict, Ok(false)) {
        // Neither a right password nor our being busy is a guess.
        limits::refund(db, &counted.failures, 1).await?;
    }
    let user = match (verdict?, known) {
        (true, Some(user)) if !user.is_suspended => user,
        _ => return Err(wrong().into()),
    };
    let tx = db.begin().await?;
    let now = db.now();
    if !still_has(&tx, user.id, &user.password_hash).await? {
        tx.rollback().await?;
        return Err(wrong().into());
    }
    if let Some(previous) = form.previous {
        tx.run("DELETE FROM sessions WHERE token_hash = $1", vec![previous.hash().into()]).await?;
    }
    let token = start(db, &tx, user.id, origin).await?;
    let actor = Actor::user(user.id, user.name, email.as_str());
    audit::append_to_user(&tx, &actor, origin, now, SignedIn {}).await?;
    if form.browser.is_none() && user.is_verified {
        new_browser::notify(db, &tx, email.as_str(), origin, now).await?;
    }
    tx.commit().await?;
    forget_failures(db, &email, form.browser, origin).await?;
    Ok(token)
}

/// Forgets the wrong passwords that were counted for an account where its owner has now proved to be. Not those
/// of the network as a whole: they may be about other accounts.
pub(in crate::domain) async fn forget_failures(
    db: &Db,
    email: &Email,
    browser: Option<&str>,
    origin: &Origin,
) -> Result<(), Refused> {
    let counted = match browser {
        Some(browser) => vec![limits::SIGN_IN_BROWSER.within(email.as_str(), browser)],
        None => vec![limits::SIGN_IN.within(email.as_str(), &origin.address)],
    };
    Ok(limits::clear(db, &counted).await?)
}

/// [`forget_failures`] after a reset: whoever reads the mailbox begins anew, also where others in their network, or
/// people who knew the password, used up what there was.
pub(in crate::domain) async fn forget_all_failures(
    db: &Db,
    email: &Email,
    browser: Option<&str>,
    origin: &Origin,
) -> Result<(), Refused> {
    let (email, network) = (email.as_str(), origin.address.as_str());
    let mut counted = vec![
        limits::SIGN_IN_BROWSERS.of(email),
        limits::SIGN_IN_NEARBY.within(email, &wide(network)),
        limits::SIGN_IN.within(email, network),
    ];
    counted.extend(browser.map(|browser| limits::SIGN_IN_BROWSER.within(email, browser)));
    Ok(limits::clear(db, &counted).await?)
}

/// What a browser is known for: a user, until their password is replaced.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct BrowserSubject {
    pub user_id: Uuid,
    /// How often the password was replaced.
    pub generation: i64,
}

/// The user whom a browser that signed in with this address is known for; `None` for an address that nobody has
/// confirmed: who signs in with it may be anybody.
///
/// # Errors
/// The database's own.
pub async fn browser_subject(db: &Db, email: &Email) -> Result<Option<BrowserSubject>, Refused> {
    let sql = "SELECT id AS user_id, browser_generation AS generation FROM users
        WHERE email = $1 AND email_verified_at IS NOT NULL";
    Ok(db.read().first(sql, vec![email.as_str().into()]).await?)
}

/// Locks the user's row if the verified password is still theirs: hashing takes time, and the password may
/// have changed in the meantime.
async fn still_has(tx: &DatabaseTransaction, user: Uuid, hash: &str) -> Result<bool, Refused> {
    let sql = "UPDATE users SET password_hash = password_hash WHERE id = $1 AND password_hash = $2";
    Ok(tx.run(sql, vec![user.into(), hash.into()]).await? == 1)
}

/// [`still_has`], for a person whose session must still be valid.
///
/// # Errors
/// [`Refused::Unauthenticated`].
pub(in crate::domain) async fn still_is(
    tx: &DatabaseTransaction,
    person: &Person,
    hash: &str,
) -> Result<(), Refused> {
    // The lock comes first: under it the session is looked up as whoever held it left it.
    let has = still_has(tx, person.user_id, hash).await?;
    let live = session::Entity::find_by_id(person.session_id).one(tx).await?;
    if has && live.is_some() { Ok(()) } else { Err(Refused::Unauthenticated) }
}

/// The most sessions of one person. The oldest one ends where another begins.
const MAX_SESSIONS: i64 = 50;

/// Creates a session in this transaction.
pub(in crate::domain) async fn start(
    db: &Db,
    tx: &DatabaseTransaction,
    user: Uuid,
    origin: &Origin,
) -> Result<Token, Refused> {
    let now = db.now();
    let token = Token::new(Purpose::Session);
    let row = session::ActiveModel {
        id: Set(random::id(now)),
        token_hash: Set(token.hash()),
        user_id: Set(user),
        address: Set(origin.address.clone()),
        user_agent: Set(origin.user_agent.clone()),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(db.session_limits().first_end(now)),
    };
    session::Entity::insert(row).exec_without_returning(tx).await?;
    let oldest = "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN
        (SELECT id FROM sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)";
    tx.run(oldest, vec![user.into(), MAX_SESSIONS.into()]).await?;
    Ok(token)
}

/// Ends the current session.
///
/// # Errors
/// The database's own.
pub async fn sign_out(db: &Db, person: &Person, origin: &Origin) -> Result<(), Refused> {
    end(db, person, origin, |_| SignedOut {}, "DELETE FROM sessions WHERE user_id = $1 AND id = $2")
        .await
        .map(drop)
}

/// Ends one session of this person.
///
/// # Errors
/// [`Refused::NotFound`] where this person has no such session.
pub async fn revoke_session(db: &Db, person: &Person, id: Uuid, origin: &Origin) -> Result<(), Refused> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND id = $2";
    if tx.run(sql, vec![person.user_id.into(), id.into()]).await? != 1 {
        tx.rollback().await?;
        return Err(Refused::NotFound);
    }
    audit::append_to_user(&tx, &person.audit_actor(), origin, db.now(), SessionsRevoked { count: 1 }).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends every session of this person but the current one. Returns how many.
///
/// # Errors
/// The database's own.
pub async fn revoke_other_sessions(db: &Db, person: &Person, origin: &Origin) -> Result<u64, Refused> {
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    end(db, person, origin, |count| SessionsRevoked { count }, sql).await
}

/// Ends sessions; `event` creates the event from their number.
async fn end<E: AuditEvent>(
    db: &Db,
    person: &Person,
    origin: &Origin,
    event: impl FnOnce(i64) -> E,
    sql: &str,
) -> Result<u64, Refused> {
    let tx = db.begin().await?;
    let ended = tx.run(sql, vec![person.user_id.into(), person.session_id.into()]).await?;
    if ended > 0 {
        let event = event(i64::try_from(ended).unwrap_or(0));
        audit::append_to_user(&tx, &person.audit_actor(), origin, db.now(), event).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// One session as its owner sees it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Session {
    pub id: Uuid,
    pub address: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
}

/// This person's live sessions, the latest first.
///
/// # Errors
/// The database's own.
pub async fn sessions(db: &Db, person: &Person) -> Result<Vec<Session>, Refused> {
    let sql = "SELECT id, address, user_agent, created_at, last_seen_at FROM sessions
        WHERE user_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC, id LIMIT 100";
    Ok(db.read().all(sql, vec![person.user_id.into(), db.now().into()]).await?)
}

/// An event of this person outside of workspaces and accounts, as it is stored.
#[derive(Clone, Debug, FromQueryResult)]
pub struct SecurityEvent {
    pub at: Timestamp,
    pub kind: String,
    pub payload: String,
    pub address: String,
}

/// This person's last sign-ins, password changes and the like, the latest first.
///
/// # Errors
/// The database's own.
pub async fn security_events(db: &Db, person: &Person) -> Result<Vec<SecurityEvent>, Refused> {
    let sql = concat!(
        "SELECT r.at, r.kind, r.payload, r.address FROM ",
        audit::audit_record!(),
        " r WHERE r.user_id = $1 ORDER BY r.seq DESC LIMIT 20"
    );
    Ok(db.read().all(sql, vec![person.user_id.into()]).await?)
}

/// Changes the person's own name, and records it in every workspace that they belong to: others know them by it.
///
/// # Errors
/// [`CHANGED`] if another request changed it in the meantime, [`Refused::RateLimited`].
pub async fn rename(db: &Db, person: &Person, name: &Name, origin: &Origin) -> Result<(), Refused> {
    if name.as_str() == person.name {
        return Ok(());
    }
    limits::RENAME.spend(db, &person.user_id.to_string(), 1).await?;
    let (actor, before, after) = (person.audit_actor(), || person.name.clone(), || name.to_string());
    let tx = db.begin().await?;
    let renamed = || MemberRenamed { before: before(), after: after() };
    let elsewhere = members::in_each_workspace(&tx, &actor, renamed).await?;
    members::lock_memberships(&tx, person.user_id).await?;
    let sql = "UPDATE users SET name = $2 WHERE id = $1 AND name = $3";
    if tx.run(sql, vec![person.user_id.into(), after().into(), before().into()]).await? != 1 {
        tx.rollback().await?;
        return Err(CHANGED.into());
    }
    members::refresh_sort_key(&tx, person.user_id).await?;
    let event = ProfileUpdated { name_before: before(), name_after: after() };
    let own = [RecordedEvent::new(event, audit::target_of(&actor))];
    audit::append_all_to_user(&tx, &actor, origin, db.now(), &own, elsewhere).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes the password. Every session ends, and the current one continues under the returned token.
///
/// # Errors
/// [`Refused::Invalid`] where the current password is wrong, [`Refused::RateLimited`],
/// [`Refused::Busy`].
pub async fn change_password(
    db: &Db,
    person: &Person,
    current: &str,
    new: &Password,
    origin: &Origin,
) -> Result<Token, Refused> {
    let verified = confirm_password(db, person, current, origin).await?;
    let party = Party::known(&origin.address, &person.user_id.to_string());
    let hash = db.passwords().hash(new, party).await?;
    let tx = db.begin().await?;
    let now = db.now();
    still_is(&tx, person, &verified).await?;
    replace_password(&tx, person.user_id, hash).await?;
    let token = start(db, &tx, person.user_id, origin).await?;
    let mail = PasswordChangedMail { url: db.public_url() };
    Mail::new(&person.email, &mail).queue(db, &tx, now).await?;
    audit::append_to_user(&tx, &person.audit_actor(), origin, now, PasswordChanged {}).await?;
    tx.commit().await?;
    db.outbox_ready().notify_one();
    Ok(token)
}

/// Sets a new hash, and ends every session, every reset link and every pending change of address. No browser is known
/// any more.
pub(in crate::domain) async fn replace_password(
    tx: &DatabaseTransaction,
    user: Uuid,
    hash: String,
) -> Result<(), Refused> {
    let user = Value::from(user);
    let sql = "UPDATE users SET password_hash = $2, awaited_since = NULL,
            browser_generation = browser_generation + 1
        WHERE id = $1";
    tx.run(sql, vec![user.clone(), hash.into()]).await?;
    tx.run("DELETE FROM sessions WHERE user_id = $1", vec![user.clone()]).await?;
    let sql = "DELETE FROM email_tokens WHERE user_id = $1 AND purpose IN ('reset_password', 'change_email')";
    tx.run(sql, vec![user]).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct HashRow {
    password_hash: String,
}

/// Requires the password once more, so that nobody who borrows the browser can make the change. Returns the
/// hash that it was verified against, for [`still_is`] to check again.
///
/// # Errors
/// [`Refused::Invalid`] on the field `current_password`, [`Refused::RateLimited`].
pub(in crate::domain) async fn confirm_password(
    db: &Db,
    person: &Person,
    typed: &str,
    origin: &Origin,
) -> Result<String, Refused> {
    if typed.len() > passwords::MAX_BYTES {
        return Err(Invalid::field("current_password", "Use at most 1,024 bytes.").into());
    }
    let subject = person.user_id.to_string();
    limits::CONFIRM.check(db, &subject).await?;
    let permit = db.passwords().acquire(Party::known(&origin.address, &subject)).await?;
    limits::CONFIRM.spend(db, &subject, 1).await?;
    let sql = "SELECT password_hash FROM users WHERE id = $1";
    let row: Option<HashRow> = db.read().first(sql, vec![person.user_id.into()]).await?;
    let hash = row.ok_or(Refused::Unauthenticated)?.password_hash;
    if !permit.verify(typed, Some(hash.clone())).await? {
        return Err(Invalid::field("current_password", "This isn't your current password.").into());
    }
    limits::CONFIRM.clear(db, &subject).await?;
    Ok(hash)
}
