//! Invitations: from the offer to the membership.

use super::{
    Conflict, Db, Email, Event, Gone, Invalid, Message, Purpose, Recorded, Refused, Target, TargetKind,
    Token, WrongAddress,
    audit::Actor as AuditActor,
    db::Sql,
    identity::Person,
    limits, members,
    outbox::{InvitationMail, Mail},
    paging::{Cursor, Key, Order, Page, Position},
    roles::{self, Role, Roles},
    scope::{self, Origin, ReadScope, Scoped, Transaction, WriteScope},
};
use crate::{
    clock::DAY,
    entity::{invitation, invitation_role, invitation_token, member},
    policy::{Holdings, perm},
    random,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter, UpdateMany, Value,
    sea_query::Expr,
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How long an invitation can be accepted, in milliseconds.
pub const LIFETIME: i64 = 7 * DAY;
/// Addresses that one form takes.
pub const MOST_AT_ONCE: usize = 200;

/// What a form asks to send.
pub struct Batch {
    /// As typed: addresses apart by comma, semicolon, space or line.
    pub emails: String,
    /// Slugs of the roles to offer.
    pub roles: Vec<String>,
    pub message: Message,
}

/// What became of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The link is shown to the inviter this once, so that it works without a mail server.
    Sent {
        link: String,
    },
    AlreadyMember,
    AlreadyInvited,
    NotValid,
}

/// One address of a batch and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub email: String,
    pub outcome: Outcome,
}

/// Splits what was pasted into addresses, each once, in their order. Beside an address in pointed
/// brackets, words without an @ are the name it belongs to.
fn split(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    unquoted(text)
        .split([',', ';', '\n', '\r'])
        .flat_map(|entry| {
            let named = entry.contains('<');
            entry
                .split(|c: char| c.is_whitespace() || c == '<' || c == '>')
                .filter(move |word| !named || word.contains('@'))
        })
        .filter(|word| !word.is_empty())
        .filter(|word| seen.insert(word.to_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// The text without what stands in quotes: a name, which may have a comma in it.
fn unquoted(text: &str) -> String {
    match text.matches('"').count() % 2 {
        0 => text.split('"').step_by(2).collect::<Vec<_>>().join(" "),
        _ => text.to_owned(),
    }
}

/// Invites many addresses at once; each gets an answer of its own.
///
/// # Errors
/// [`Refused::Invalid`] on `emails` or `role`, [`Refused::Ceiling`] for a role that holds more than
/// the actor, [`Refused::TooMany`].
pub async fn send(scope: ReadScope<perm::InviteMembers>, batch: Batch) -> Result<Vec<Sent>, Refused> {
    let addresses = split(&batch.emails);
    if addresses.is_empty() {
        return Err(Invalid::field("emails", "Enter at least one e-mail address.").into());
    }
    if addresses.len() > MOST_AT_ONCE {
        let sentence = format!("Enter at most {MOST_AT_ONCE} addresses at a time.");
        return Err(Invalid::field("emails", sentence).into());
    }
    if addresses.iter().all(|address| Email::parse(address).is_err()) {
        let sentence = "None of these is an e-mail address such as name@example.com.";
        return Err(Invalid::field("emails", sentence).into());
    }
    // A role that cannot be given costs nothing of the limit.
    let all = roles::all(&scope).await?;
    all.chosen(&batch.roles)?;
    spend(&scope, addresses.len()).await?;
    scope.write(async |s| invite_all(s, &addresses, &batch).await).await
}

/// Counts mail to strangers against the person who causes it.
async fn spend<P: crate::policy::Access>(scope: &ReadScope<P>, addresses: usize) -> Result<(), Refused> {
    let person = &scope.actor().person;
    let limit = if person.is_verified { limits::INVITE } else { limits::INVITE_UNVERIFIED };
    limit.spend(scope.db(), &person.user_id.to_string(), i64::try_from(addresses).unwrap_or(i64::MAX)).await
}

async fn invite_all(
    s: &mut WriteScope<perm::InviteMembers>,
    addresses: &[String],
    batch: &Batch,
) -> Result<Recorded<Vec<Sent>>, Refused> {
    let all = roles::all(s).await?;
    let offered = all.chosen(&batch.roles)?;
    s.actor().holdings.may_invite(offered.iter().map(|role| &role.holdings))?;
    let (mut results, mut entries) = (Vec::new(), Vec::new());
    for address in addresses {
        let Ok(email) = Email::parse(address) else {
            let email = address.chars().take(80).collect();
            results.push(Sent { email, outcome: Outcome::NotValid });
            continue;
        };
        let outcome = match standing(s, &email).await? {
            Some(standing) => standing,
            None => {
                let (id, link) = invite(s, &email, &offered, &batch.message).await?;
                let event = Event::InvitationSent {
                    roles: roles::names(&offered),
                    expires_at: s.now_ms() + LIFETIME,
                };
                entries.push((event, Target::new(TargetKind::Invitation, id, email.to_string())));
                Outcome::Sent { link }
            }
        };
        results.push(Sent { email: email.to_string(), outcome });
    }
    Ok(Recorded::many(results, entries))
}

#[derive(FromQueryResult)]
struct Standing {
    is_member: bool,
    is_invited: bool,
}

/// Whether the address is in already, or on its way. A pending invitation whose time is over is
/// closed here, so that a new one can take its place.
async fn standing(s: &WriteScope<perm::InviteMembers>, email: &Email) -> Result<Option<Outcome>, Refused> {
    use invitation::Column;
    let stale = s.open().update::<invitation::Entity>().filter(Column::Email.eq(email.as_str()));
    let stale = stale.filter(Column::ExpiresAt.lte(s.now_ms()));
    s.open().apply(ended(stale, "expired", s.now_ms())).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM members m JOIN users u ON u.id = m.user_id
                WHERE m.workspace_id = $1 AND u.email = $2) AS is_member,
            EXISTS (SELECT 1 FROM invitations i
                WHERE i.workspace_id = $1 AND i.email = $2 AND i.status = 'pending') AS is_invited";
    let found: Option<Standing> = s.first(sql, vec![email.as_str().into()]).await?;
    Ok(match found {
        Some(Standing { is_member: true, .. }) => Some(Outcome::AlreadyMember),
        Some(Standing { is_invited: true, .. }) => Some(Outcome::AlreadyInvited),
        _ => None,
    })
}

async fn invite(
    s: &WriteScope<perm::InviteMembers>,
    email: &Email,
    offered: &[&Role],
    message: &Message,
) -> Result<(Uuid, String), Refused> {
    let (id, now) = (random::id(s.now_ms()), s.now_ms());
    let row = invitation::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        email: Set(email.to_string()),
        message: Set(message.to_string()),
        status: Set("pending".to_owned()),
        inviter_id: Set(s.actor().person.user_id),
        created_at: Set(now),
        sent_at: Set(now),
        expires_at: Set(now + LIFETIME),
        ended_at: Set(None),
    };
    s.open().insert(row).await?;
    for role in offered {
        let row = invitation_role::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            invitation_id: Set(id),
            role_id: Set(role.id),
        };
        s.open().insert(row).await?;
    }
    let link = issue(s, id, email.as_str(), &roles::names(offered), message.as_str()).await?;
    Ok((id, link))
}

/// Makes the two tokens of an invitation, mails one and answers the link of the other.
async fn issue<P>(
    s: &WriteScope<P>,
    id: Uuid,
    email: &str,
    roles: &[String],
    message: &str,
) -> Result<String, Refused> {
    let (mailed, shown) = (Token::new(Purpose::Invitation), Token::new(Purpose::Invitation));
    for (token, proves_address) in [(&mailed, true), (&shown, false)] {
        let row = invitation_token::ActiveModel {
            token_hash: Set(token.hash()),
            workspace_id: Set(s.workspace_id()),
            invitation_id: Set(id),
            proves_address: Set(proves_address),
            superseded_at: Set(None),
        };
        s.open().insert(row).await?;
    }
    let about = InvitationMail {
        inviter: &s.actor().person.name,
        workspace: &s.actor().workspace.name,
        roles: &roles.join(", "),
        message,
        days: LIFETIME / DAY,
    };
    let db = &s.open().db;
    Mail::invitation(db, email, &mailed, &about).queue(&s.open().tx, s.now_ms()).await?;
    Ok(format!("{}/invitations/{}", db.public_url(), shown.expose()))
}

#[derive(FromQueryResult)]
struct Existing {
    email: String,
    status: String,
    message: String,
    roles: Option<String>,
}

/// The invitation of this workspace with this id, whatever its state.
async fn existing(scope: &impl Scoped, id: Uuid) -> Result<Existing, Refused> {
    let sql = "SELECT i.email, i.message, i.status,
            (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles
        FROM invitations i WHERE i.workspace_id = $1 AND i.id = $2";
    scope.first(sql, vec![id.into()]).await?.ok_or(Refused::Hidden)
}

/// Sends a pending invitation again under new links; the old ones say so. Whoever sends it again
/// vouches for it from now on.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Ceiling`], [`Conflict::NotPending`], [`Refused::TooMany`].
pub async fn resend(scope: ReadScope<perm::InviteMembers>, id: Uuid) -> Result<Sent, Refused> {
    existing(&scope, id).await?;
    limits::RESEND.spend(scope.db(), &id.to_string(), 1).await?;
    spend(&scope, 1).await?;
    scope.write(async |s| renew(s, id).await).await
}

async fn renew(s: &mut WriteScope<perm::InviteMembers>, id: Uuid) -> Result<Recorded<Sent>, Refused> {
    let all = roles::all(s).await?;
    let invitation = existing(s, id).await?;
    let offered = all.joined(invitation.roles.as_deref().unwrap_or_default());
    s.actor().holdings.may_invite(offered.iter().map(|role| &role.holdings))?;
    let (now, expires_at) = (s.now_ms(), s.now_ms() + LIFETIME);
    use invitation::Column;
    let pending = s
        .open()
        .update::<invitation::Entity>()
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq("pending"));
    let renewed = pending
        .col_expr(Column::SentAt, Expr::value(now))
        .col_expr(Column::ExpiresAt, Expr::value(expires_at))
        .col_expr(Column::InviterId, Expr::value(s.actor().person.user_id));
    if s.open().apply(renewed).await? != 1 {
        return Err(Conflict::NotPending.into());
    }
    let live =
        s.open().update::<invitation_token::Entity>().filter(invitation_token::Column::InvitationId.eq(id));
    let live = live.filter(invitation_token::Column::SupersededAt.is_null());
    s.open().apply(live.col_expr(invitation_token::Column::SupersededAt, Expr::value(now))).await?;
    let names = roles::names(&offered);
    let link = issue(s, id, &invitation.email, &names, &invitation.message).await?;
    let sent = Sent { email: invitation.email.clone(), outcome: Outcome::Sent { link } };
    let target = Target::new(TargetKind::Invitation, id, invitation.email);
    Ok(Recorded::new(sent, Event::InvitationResent { roles: names, expires_at }, target))
}

/// Withdraws a pending invitation. Answers its address.
///
/// # Errors
/// [`Refused::Hidden`], [`Conflict::NotPending`].
pub async fn cancel(
    s: &mut WriteScope<perm::CancelInvitations>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let all = roles::all(s).await?;
    let invitation = existing(s, id).await?;
    if close(s.open(), id, "cancelled").await? != 1 {
        return Err(Conflict::NotPending.into());
    }
    let names = roles::names(&all.joined(invitation.roles.as_deref().unwrap_or_default()));
    let target = Target::new(TargetKind::Invitation, id, invitation.email.clone());
    Ok(Recorded::new(invitation.email, Event::InvitationCancelled { roles: names }, target))
}

/// Ends a pending invitation. Of twenty at once, one sees a row.
async fn close(open: &Transaction, id: Uuid, status: &str) -> Result<u64, Refused> {
    let row = open.update::<invitation::Entity>().filter(invitation::Column::Id.eq(id));
    Ok(open.apply(ended(row, status, open.now)).await?)
}

/// Puts an end to those of these invitations that are pending.
pub(super) fn ended(
    some: UpdateMany<invitation::Entity>,
    status: &str,
    now: i64,
) -> UpdateMany<invitation::Entity> {
    use invitation::Column;
    some.filter(Column::Status.eq("pending"))
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::EndedAt, Expr::value(now))
}

/// A live invitation, as its bearer may see it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub workspace: String,
    pub slug: String,
    pub inviter: String,
    pub email: String,
    pub message: String,
    pub roles: Vec<String>,
    pub expires_at: i64,
    /// The link came by mail alone, so its bearer reads that mailbox.
    pub proves_address: bool,
    inviter_id: Uuid,
    role_ids: Vec<Uuid>,
}

#[derive(FromQueryResult)]
struct OfferRow {
    id: Uuid,
    workspace_id: Uuid,
    account_id: Uuid,
    workspace: String,
    slug: String,
    is_closed: bool,
    inviter_id: Uuid,
    inviter: String,
    email: String,
    message: String,
    status: String,
    expires_at: i64,
    proves_address: bool,
    is_superseded: bool,
    roles: Option<String>,
    inviter_is_active: bool,
    inviter_is_owner: bool,
    inviter_scopes: Option<String>,
}

/// Looks at an invitation; uses nothing up.
///
/// # Errors
/// [`Refused::Gone`] with the reason, [`Refused::Suspended`].
pub async fn look(db: &Db, token: &Token) -> Result<Offer, Refused> {
    Ok(load(db.read(), token, db.now_ms()).await?.0)
}

/// The same for somebody who is signed in: the invitation must be theirs. Where it is not, its
/// workspace is told.
///
/// # Errors
/// As [`look`], and as [`is_for`].
pub async fn look_as(db: &Db, person: &Person, token: &Token, origin: &Origin) -> Result<Offer, Refused> {
    let offer = look(db, token).await?;
    match is_for(&offer, person) {
        Ok(()) => Ok(offer),
        Err(refused) => {
            scope::note_refusal(db, offer.workspace_id, &person.audited(), origin, &refused).await;
            Err(refused)
        }
    }
}

/// The offer and its workspace's account, if it can still be taken up.
async fn load(connection: &impl ConnectionTrait, token: &Token, now: i64) -> Result<(Offer, Uuid), Refused> {
    let sql = "SELECT i.id, i.workspace_id, w.account_id, w.name AS workspace, w.slug,
            (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed,
            i.inviter_id, u.name AS inviter, i.email, i.message, i.status, i.expires_at,
            t.proves_address, t.superseded_at IS NOT NULL AS is_superseded,
            (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles,
            (m.id IS NOT NULL AND m.status = 'active' AND u.suspended_at IS NULL) AS inviter_is_active,
            EXISTS (SELECT 1 FROM member_roles mr
                JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
                WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id AND r.is_owner) AS inviter_is_owner,
            (SELECT string_agg(g.scope, ' ') FROM member_roles mr
                JOIN grants g ON g.workspace_id = mr.workspace_id AND g.role_id = mr.role_id
                WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id) AS inviter_scopes
        FROM invitation_tokens t
        JOIN invitations i ON i.workspace_id = t.workspace_id AND i.id = t.invitation_id
        JOIN workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
        JOIN accounts a ON a.id = w.account_id
        JOIN users u ON u.id = i.inviter_id
        LEFT JOIN members m ON m.workspace_id = i.workspace_id AND m.user_id = i.inviter_id
        WHERE t.token_hash = $1";
    let row: Option<OfferRow> = connection.first(sql, vec![token.hash().into()]).await?;
    let row = row.ok_or(Gone::Link)?;
    row.ended(now)?;
    let all = roles_of(connection, row.workspace_id).await?;
    let offered = all.joined(row.roles.as_deref().unwrap_or_default());
    if offered.is_empty() || !row.inviter_still_may(&offered) {
        return Err(Gone::InviterGone.into());
    }
    let offer = Offer {
        id: row.id,
        workspace_id: row.workspace_id,
        workspace: row.workspace,
        slug: row.slug,
        inviter: row.inviter,
        email: row.email,
        message: row.message,
        roles: roles::names(&offered),
        expires_at: row.expires_at,
        proves_address: row.proves_address,
        inviter_id: row.inviter_id,
        role_ids: offered.iter().map(|role| role.id).collect(),
    };
    Ok((offer, row.account_id))
}

impl OfferRow {
    fn ended(&self, now: i64) -> Result<(), Refused> {
        match self.status.as_str() {
            "cancelled" => Err(Gone::Cancelled.into()),
            "accepted" => Err(Gone::Accepted.into()),
            "declined" => Err(Gone::Declined.into()),
            "expired" => Err(Gone::Expired.into()),
            _ if self.is_superseded => Err(Gone::Superseded.into()),
            _ if self.expires_at <= now => Err(Gone::Expired.into()),
            _ if self.is_closed => Err(Refused::Suspended("This workspace")),
            _ => Ok(()),
        }
    }

    /// An invitation is worth what its inviter may still give.
    fn inviter_still_may(&self, offered: &[&Role]) -> bool {
        let scopes = self.inviter_scopes.as_deref().unwrap_or_default();
        let held = Holdings::of(self.inviter_is_owner, scopes.split_ascii_whitespace());
        self.inviter_is_active && held.may_invite(offered.iter().map(|role| &role.holdings)).is_ok()
    }
}

/// Lets [`roles::all`] read the roles of a workspace that somebody was invited to.
struct Invited<'a, C>(&'a C, Uuid);

impl<C: ConnectionTrait> Scoped for Invited<'_, C> {
    type Connection = C;
    fn workspace_id(&self) -> Uuid {
        self.1
    }
    fn connection(&self) -> &C {
        self.0
    }
}

async fn roles_of(connection: &impl ConnectionTrait, workspace: Uuid) -> Result<Roles, Refused> {
    roles::all(&Invited(connection, workspace)).await
}

/// Whether this person is the one who was invited.
///
/// # Errors
/// [`Refused::WrongAddress`] naming both, [`Refused::Unverified`].
fn is_for(offer: &Offer, person: &Person) -> Result<(), Refused> {
    if offer.email != person.email {
        let both = WrongAddress { invited: offer.email.clone(), signed_in: person.email.clone() };
        return Err(Refused::WrongAddress(Box::new(both)));
    }
    if !person.is_verified {
        return Err(Refused::Unverified { email: person.email.clone() });
    }
    Ok(())
}

/// Makes the person a member. Of twenty at once, one is; the others find the invitation accepted.
///
/// # Errors
/// [`Refused::Gone`], [`Refused::WrongAddress`], [`Refused::Unverified`],
/// [`Conflict::AlreadyMember`].
pub async fn accept(db: &Db, person: &Person, token: &Token, origin: &Origin) -> Result<Offer, Refused> {
    let workspace = look(db, token).await?.workspace_id;
    scope::redeem(db, workspace, &person.audited(), origin, async |open| {
        let (offer, account) = load(&open.tx, token, open.now).await?;
        is_for(&offer, person)?;
        if close(open, offer.id, "accepted").await? != 1 {
            return Err(Gone::Accepted.into());
        }
        join(open, &offer, account, person).await?;
        let event =
            Event::InvitationAccepted { roles: offer.roles.clone(), invited_by: offer.inviter.clone() };
        let target = Target::new(TargetKind::Invitation, offer.id, offer.email.clone());
        Ok(Recorded::new(offer, event, target))
    })
    .await
}

async fn join(open: &Transaction, offer: &Offer, account: Uuid, person: &Person) -> Result<(), Refused> {
    let present = open.find::<member::Entity>().filter(member::Column::UserId.eq(person.user_id));
    if present.one(&open.tx).await?.is_some() {
        return Err(Conflict::AlreadyMember.into());
    }
    let id = random::id(open.now);
    let row = member::ActiveModel {
        id: Set(id),
        workspace_id: Set(open.workspace_id()),
        kind: Set("user".to_owned()),
        user_id: Set(Some(person.user_id)),
        status: Set("active".to_owned()),
        origin: Set("invitation".to_owned()),
        invited_by: Set(Some(offer.inviter_id)),
        joined_at: Set(open.now),
        last_active_at: Set(None),
    };
    open.insert(row).await?;
    for role in &offer.role_ids {
        members::hold(open, id, *role).await?;
    }
    let sql = "INSERT INTO account_people (account_id, user_id, is_admin, joined_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account_id, user_id) DO NOTHING";
    open.tx.run(sql, vec![account.into(), person.user_id.into(), false.into(), open.now.into()]).await?;
    Ok(())
}

/// Says no. The bearer of a mailed link need not sign in for that.
///
/// # Errors
/// [`Refused::Gone`], [`Refused::SignedOut`] where the link proves nothing and nobody is signed in,
/// [`Refused::WrongAddress`], [`Refused::Unverified`].
pub async fn decline(
    db: &Db,
    person: Option<&Person>,
    token: &Token,
    origin: &Origin,
) -> Result<Offer, Refused> {
    let seen = match person {
        Some(person) => look_as(db, person, token, origin).await?,
        None => look(db, token).await?,
    };
    if person.is_none() && !seen.proves_address {
        return Err(Refused::SignedOut);
    }
    let by = match person {
        Some(person) => person.audited(),
        None => AuditActor { id: seen.id, name: seen.email.clone() },
    };
    scope::redeem(db, seen.workspace_id, &by, origin, async |open| {
        let (offer, _) = load(&open.tx, token, open.now).await?;
        if close(open, offer.id, "declined").await? != 1 {
            return Err(Gone::Declined.into());
        }
        let event = Event::InvitationDeclined { roles: offer.roles.clone() };
        let target = Target::new(TargetKind::Invitation, offer.id, offer.email.clone());
        Ok(Recorded::new(offer, event, target))
    })
    .await
}

/// An invitation as its workspace sees it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: Uuid,
    pub email: String,
    pub inviter: String,
    pub roles: Vec<String>,
    /// `pending`, `accepted`, `declined`, `cancelled` or `expired`.
    pub status: &'static str,
    pub created_at: i64,
    pub sent_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
    /// It can still be withdrawn or sent again: pending, whether or not its time is over.
    pub is_open: bool,
    /// The viewer could send it again: it offers nothing that they do not hold.
    pub may_resend: bool,
}

#[derive(Clone, FromQueryResult)]
struct ListedRow {
    id: Uuid,
    email: String,
    inviter: String,
    status: String,
    created_at: i64,
    sent_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    roles: Option<String>,
}

/// Which invitations to list. Empty texts do not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of an address.
    pub text: String,
    pub status: String,
}

impl Filter {
    pub const STATES: [&'static str; 5] = ["pending", "accepted", "declined", "cancelled", "expired"];
}

/// One page of the invitations.
pub struct Listing {
    pub page: Page<Listed>,
    pub roles: Vec<roles::Assignable>,
}

/// Lists invitations, the latest first.
///
/// # Errors
/// The database's own.
pub async fn list(
    scope: &ReadScope<perm::ReadInvitations>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    let all = roles::all(scope).await?;
    let now = scope.now_ms();
    let mut sql = String::from(
        "SELECT i.id, i.email, u.name AS inviter, i.status, i.created_at, i.sent_at, i.expires_at, i.ended_at,
            (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles
        FROM invitations i JOIN users u ON u.id = i.inviter_id WHERE i.workspace_id = $1",
    );
    let mut values: Vec<Value> = Vec::new();
    if !filter.text.is_empty() {
        values.push(members::like(&filter.text).into());
        sql.push_str(&format!(" AND i.email LIKE ${} ESCAPE '!'", values.len() + 1));
    }
    // A pending invitation whose time is over is an expired one, whether or not anybody noticed.
    match filter.status.as_str() {
        "" => {}
        "pending" => {
            values.push(now.into());
            sql.push_str(&format!(" AND i.status = 'pending' AND i.expires_at > ${}", values.len() + 1));
        }
        "expired" => {
            values.push(now.into());
            let n = values.len() + 1;
            sql.push_str(&format!(
                " AND i.status IN ('pending', 'expired') AND (i.status = 'expired' OR i.expires_at <= ${n})"
            ));
        }
        other => {
            values.push(other.into());
            sql.push_str(&format!(" AND i.status = ${}", values.len() + 1));
        }
    }
    Order { column: "i.created_at", is_text: false, id: "i.id", descending: true }.finish(
        &mut sql,
        &mut values,
        at,
    )?;
    let rows: Vec<ListedRow> = scope.all(&sql, values).await?;
    let page = Page::cut(rows, at, |row| Cursor::new(Key::Number(row.created_at), row.id));
    let actor = &scope.actor().holdings;
    let page = page.map(|row| row.seen_by(actor, &all, now));
    Ok(Listing { page, roles: roles::choices(&all, actor) })
}

impl ListedRow {
    fn seen_by(self, actor: &Holdings, all: &Roles, now: i64) -> Listed {
        let offered = all.joined(self.roles.as_deref().unwrap_or_default());
        let is_open = self.status == "pending";
        let status = match self.status.as_str() {
            "pending" if self.expires_at > now => "pending",
            "accepted" => "accepted",
            "declined" => "declined",
            "cancelled" => "cancelled",
            _ => "expired",
        };
        Listed {
            id: self.id,
            email: self.email,
            inviter: self.inviter,
            may_resend: is_open && actor.may_invite(offered.iter().map(|role| &role.holdings)).is_ok(),
            roles: roles::names(&offered),
            status,
            created_at: self.created_at,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            is_open,
        }
    }
}

/// One invitation, for the page that asks whether to withdraw it. Answers its address.
///
/// # Errors
/// [`Refused::Hidden`], [`Conflict::NotPending`].
pub async fn address(scope: &ReadScope<perm::CancelInvitations>, id: Uuid) -> Result<String, Refused> {
    let invitation = existing(scope, id).await?;
    if invitation.status != "pending" {
        return Err(scope.refuse(Conflict::NotPending).await);
    }
    Ok(invitation.email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses_are_split_by_comma_space_and_line_each_once() {
        let text =
            "a@x.org, b@x.org;c@x.org\n  e@x.org Some One <d@x.org>\r\nA@x.org \"One, Some\" <f@x.org>, word";
        assert_eq!(split(text), ["a@x.org", "b@x.org", "c@x.org", "e@x.org", "d@x.org", "f@x.org", "word"]);
    }
}
