//! The deletion itself: one transaction, so that all of it is done or nothing.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Conflict,
            db::Db,
            event::RecordedEvent,
            invalid::Invalid,
            outbox::Mail,
            passwords::NO_PASSWORD,
            principal::{Origin, Person},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            account::lock_chain,
            audit::{self, ChainHead, EventContext, target_of},
            chain::Chain,
            rows::Unadmitted,
            workspace::{lock_each, roles},
        },
        nouns::{
            accounts::events::{AccountAdminChanged, AccountPersonLeft},
            billing::profile,
            identity::sessions,
            members::events::MemberLeft,
            own_deletion::{
                events::SignInDeleted,
                mail::SignInDeletedMail,
                reach::{self, OwnAccount, OwnWorkspace},
            },
        },
        records::{
            accounts,
            members::{self, MemberRecord},
        },
    },
};
use sea_orm::{DatabaseTransaction, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Somebody else must be there first.
pub const SOLE: Conflict = Conflict::new(
    "sole-responsible",
    "You're the only Owner of a workspace, or the only admin of an account. Hand it over or delete it first, then try again.",
)
.note("Nothing was changed.");

/// The name of whoever deleted their sign-in.
const NOBODY: &str = "Deleted person";

/// How often it is begun anew because the person came into another workspace in the meantime.
const ATTEMPTS: usize = 3;

/// Deletes this person's sign-in: their memberships end as if they had left each workspace, their sessions end, and what
/// is known of them is replaced. Their address was typed once more, and the password is the current one.
///
/// # Errors
/// [`Refused::Invalid`] on `confirm` for another address, and on `current_password`; [`SOLE`] while a workspace or an
/// account would be left to nobody; [`Refused::RateLimited`], [`Refused::Busy`], [`Refused::Unauthenticated`].
pub async fn delete(
    db: &Db,
    person: &Person,
    confirm: &str,
    password: &str,
    origin: &Origin,
) -> Result<(), Refused> {
    if confirm.trim().to_lowercase() != person.email.to_lowercase() {
        let sentence = format!("Type {} to delete your sign-in.", person.email);
        return Err(Invalid::field("confirm", sentence).into());
    }
    let verified = sessions::confirm_password(db, person, password, origin).await?;
    for _ in 0..ATTEMPTS {
        if attempt(db, person, &verified, origin).await? {
            db.outbox_ready().notify_one();
            db.events_ready().notify_one();
            return Ok(());
        }
    }
    Err(Refused::Busy { retry_after_seconds: 1 })
}

/// Returns false if there is something by now that was not locked.
async fn attempt(db: &Db, person: &Person, verified: &str, origin: &Origin) -> Result<bool, Refused> {
    let tx = db.begin().await?;
    match prepare(&tx, person, verified, db).await {
        Ok(Some(everything)) => {
            everything.delete(db, &tx, person, origin).await?;
            tx.commit().await?;
            Ok(true)
        }
        Ok(None) => {
            tx.rollback().await?;
            Ok(false)
        }
        Err(refused) => {
            tx.rollback().await?;
            Err(refused)
        }
    }
}

/// Everything that a person belongs to, locked.
struct Everything {
    workspaces: Vec<OwnWorkspace>,
    accounts: Vec<OwnAccount>,
    heads: Vec<ChainHead>,
    account_heads: Vec<ChainHead>,
    now: Timestamp,
}

/// Locks all of it, in the order of every other change: workspaces, members, the user, accounts. `None` if there is a
/// workspace by then that was not locked.
///
/// Two who are the only Owners of one workspace come here one after the other, and the second one finds to be the last.
async fn prepare(
    tx: &DatabaseTransaction,
    person: &Person,
    verified: &str,
    db: &Db,
) -> Result<Option<Everything>, Refused> {
    let user = person.user_id;
    let heads = lock_each(tx, &reach::concerned(tx, user).await?).await?;
    members::lock_memberships(tx, user).await?;
    // From here on nobody brings them into a workspace or an account: whoever does holds this row too.
    sessions::still_is(tx, person, verified).await?;
    let accounts: BTreeSet<Uuid> =
        reach::accounts(tx, user).await?.iter().map(|account| account.id).collect();
    let mut account_heads = Vec::with_capacity(accounts.len());
    for account in accounts {
        account_heads.push(lock_chain(tx, account).await?);
    }
    // Under all of these locks, as whoever held them left it.
    let locked: BTreeSet<Uuid> = heads.iter().map(|head| head.chain.id()).collect();
    if !reach::concerned(tx, user).await?.is_subset(&locked) {
        return Ok(None);
    }
    let now = db.now();
    let workspaces = reach::workspaces(tx, user, now).await?;
    let accounts = reach::accounts(tx, user).await?;
    if workspaces.iter().any(OwnWorkspace::needs_owner) || accounts.iter().any(OwnAccount::needs_admin) {
        return Err(SOLE.into());
    }
    Ok(Some(Everything { workspaces, accounts, heads, account_heads, now }))
}

impl Everything {
    async fn delete(
        self,
        db: &Db,
        tx: &DatabaseTransaction,
        person: &Person,
        origin: &Origin,
    ) -> Result<(), Refused> {
        let (user, now, actor) = (person.user_id, self.now, person.audit_actor());
        let mut chains = Vec::new();
        for head in self.heads {
            let workspace = self.workspaces.iter().find(|workspace| workspace.id == head.chain.id());
            let mut events = match workspace {
                Some(workspace) => leave(tx, workspace, person, now).await?,
                None => Vec::new(),
            };
            let is_of = |account: &OwnAccount| account.is_admin && head.account == Some(account.id);
            if self.accounts.iter().any(is_of) {
                events.push(RecordedEvent::new(AccountAdminChanged { is_admin: false }, target_of(&actor)));
            }
            chains.push((head, events));
        }
        for head in self.account_heads {
            let account = self.accounts.iter().find(|account| account.id == head.chain.id());
            let left = |account: &OwnAccount| {
                RecordedEvent::new(AccountPersonLeft { was_admin: account.is_admin }, target_of(&actor))
            };
            chains.push((head, account.map(left).into_iter().collect()));
        }
        tx.run("DELETE FROM account_people WHERE user_id = $1", vec![user.into()]).await?;
        for account in self.accounts.iter().filter(|account| account.goes()) {
            accounts::remove_if_empty(tx, account.id, now).await?;
        }
        forget(tx, person, now).await?;
        let mail = SignInDeletedMail { url: db.public_url() };
        Mail::new(&person.email, &mail).queue(db, tx, now).await?;
        let own = RecordedEvent::new(SignInDeleted {}, target_of(&actor));
        chains.push((ChainHead::lock(tx, Chain::User(user)).await?, vec![own]));
        let context = EventContext { actor: &actor, origin, at: now };
        Ok(audit::append_to_each(tx, &context, chains).await?)
    }
}

/// Ends a membership, as if the person had left. Returns the events of it.
async fn leave(
    tx: &DatabaseTransaction,
    workspace: &OwnWorkspace,
    person: &Person,
    now: Timestamp,
) -> Result<Vec<RecordedEvent>, Refused> {
    let there = Unadmitted(tx, workspace.id);
    let all = roles::load(&there).await?;
    let member = MemberRecord::load(&there, &all, workspace.member_id).await?;
    let ended = members::delete(&there, &member, now, None).await?;
    let event = MemberLeft {
        roles: member.role_names(),
        invitations_cancelled: ended.invitations,
        entries_ended: ended.entries,
        links_revoked: ended.joining.links,
        domains_removed: ended.joining.domains,
    };
    let left = RecordedEvent::new(event, member.target());
    let contact = profile::forget_contact(&there, &person.email, now).await?;
    Ok([left].into_iter().chain(contact).collect())
}

/// Replaces what is known of the person, and ends everything that is theirs alone. Nobody signs in as them any more, and
/// their address is free.
async fn forget(tx: &DatabaseTransaction, person: &Person, now: Timestamp) -> Result<(), Refused> {
    let user = || Value::from(person.user_id);
    let no_address = format!("deleted:{}", person.user_id);
    // What they were invited to elsewhere, and have not answered, stays as it was sent.
    let answered = "UPDATE invitations SET email = $2, message = '' WHERE email = $1 AND status <> 'pending'";
    tx.run(answered, vec![person.email.as_str().into(), no_address.as_str().into()]).await?;
    let sql = "UPDATE users SET email = $2, name = $3, password_hash = $4, browser_generation = browser_generation + 1,
            email_verified_at = COALESCE(email_verified_at, $5), suspended_at = $5, deleted_at = $5
        WHERE id = $1 AND deleted_at IS NULL";
    let values = vec![user(), no_address.into(), NOBODY.into(), NO_PASSWORD.into(), now.into()];
    if tx.run(sql, values).await? != 1 {
        return Err(Refused::Unauthenticated);
    }
    for sql in [
        "DELETE FROM sessions WHERE user_id = $1",
        "DELETE FROM email_tokens WHERE user_id = $1",
        "DELETE FROM administration_requests WHERE user_id = $1",
        "DELETE FROM mail_choices WHERE user_id = $1",
        "DELETE FROM user_choices WHERE user_id = $1",
        "DELETE FROM api_key_consents WHERE given_by = $1",
        "DELETE FROM first_sign_ups WHERE user_id = $1 AND ended_at IS NULL",
    ] {
        tx.run(sql, vec![user()]).await?;
    }
    Ok(())
}
