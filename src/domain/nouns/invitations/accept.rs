//! An invitation as its recipient uses it: loading, accepting, declining.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::{Conflict, FirstStep, Gone, Prerequisite},
            db::Db,
            ends::{held_roles, lasts},
            event::{Actor as AuditActor, Recorded, RecordedEvent},
            key_limits::{KeyLimits, key_limits},
            mail_choice::MailChoice,
            principal::{Origin, Person, Workspace},
            refused::Refused,
            role::{self, Roles},
            sql::Sql,
            tokens::Token,
            words::{called_now, exact, inert, signature},
        },
        enforce::{
            refusal,
            rows::{Scoped, Unadmitted},
            transaction::Transaction,
            workspace::{enter_by_invitation, roles},
        },
        nouns::{
            billing::seats::{self, Asker},
            invitations::events::{
                InvitationAccepted, InvitationDeclined, UNVERIFIED, WRONG_ADDRESS, target,
            },
            invitations::mail::InvitationAcceptedMail,
            members::{self, ALREADY_MEMBER, events::MembershipReplaced},
        },
        records::{
            accounts, awaited,
            invitations::close,
            mail::notify_from,
            members::set_access_until,
            offered_teams::{self, OfferKind, OfferedTeam, may_offer},
        },
    },
    entity::member,
    policy::Holdings,
};
use sea_orm::{ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

const CANCELLED: Gone = Gone::new(
    "invitation-cancelled",
    "This invitation was cancelled. If you still want to join, ask for a new one.",
);

const ACCEPTED: Gone = Gone::new(
    "invitation-accepted",
    "This invitation was already accepted. Sign in to find the workspace in your list.",
);

const DECLINED: Gone = Gone::new(
    "invitation-declined",
    "This invitation was declined. If you change your mind, ask for a new one.",
);

const EXPIRED: Gone = Gone::new(
    "invitation-expired",
    "This invitation has expired. Ask the person who invited you to send it again.",
);

const SUPERSEDED: Gone = Gone::new(
    "invitation-superseded",
    "A newer link was sent for this invitation. Use the link in the latest e-mail.",
);

const INVITER_GONE: Gone = Gone::new(
    "inviter-gone",
    "This invitation is no longer valid because the person who sent it can no longer invite people. Ask someone else in the workspace for a new one.",
);

pub const MEMBERSHIP_WAITS: Conflict = Conflict::new(
    "membership-waits",
    "A membership in this workspace already waits for your answer, with roles that the person who invited you can't take away. Answer it on the page Your workspaces instead.",
);

pub const UNKNOWN_LINK: Gone = Gone::new(
    "invitation-link",
    "This link was already used, has expired, or was replaced by a newer one. Ask the person who sent it for a new one.",
);

/// A live invitation, as its bearer may see it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub workspace: String,
    pub slug: String,
    /// The inviter's name when they sent it.
    pub inviter: String,
    /// The inviter's address when they sent it; for a key, that of the user who is accountable for it.
    pub inviter_email: String,
    /// What the inviter is called now, if it is something else.
    pub inviter_now: Option<String>,
    pub email: String,
    pub message: String,
    pub roles: Vec<String>,
    /// Names of the teams that they come into.
    pub teams: Vec<String>,
    pub expires_at: Timestamp,
    /// The link came by mail alone, so its bearer reads that mailbox.
    pub proves_address: bool,
    inviter_id: Uuid,
    /// The inviter's name with their address now.
    inviter_signature: String,
    role_ids: Vec<Uuid>,
    offered_teams: Vec<OfferedTeam>,
    inviter_holdings: Holdings,
    /// Until when whoever accepts has access.
    pub access_until: Option<Timestamp>,
}

impl Offer {
    /// Until when whoever accepts has access, in words.
    pub fn until(&self) -> Option<String> {
        self.access_until.map(exact)
    }
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
    inviter_email: String,
    sent_by: Option<String>,
    sent_by_email: Option<String>,
    email: String,
    message: String,
    status: String,
    expires_at: Timestamp,
    access_until: Option<Timestamp>,
    proves_address: bool,
    is_superseded: bool,
    roles: Option<String>,
    inviter_is_active: Option<bool>,
    inviter_roles: Option<String>,
    is_by_key: bool,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
}

/// Loads an invitation. This does not use it up.
///
/// # Errors
/// [`Refused::Gone`] with the reason, [`Refused::Suspended`].
pub async fn get(db: &Db, token: &Token) -> Result<Offer, Refused> {
    Ok(load(db.read(), token, db.now()).await?.0)
}

/// [`get`] for a person who is signed in. The invitation must be theirs; otherwise its workspace records the
/// refusal.
///
/// # Errors
/// As [`get`], and as [`is_for`].
pub async fn get_as(db: &Db, person: &Person, token: &Token, origin: &Origin) -> Result<Offer, Refused> {
    let offer = get(db, token).await?;
    match is_for(&offer, person) {
        Ok(()) => Ok(offer),
        Err(refused) => {
            let (workspace, by) = (offer.workspace_id, person.audit_actor());
            refusal::note::<Workspace>(db, workspace, by.id, &by, origin, &refused).await;
            Err(refused)
        }
    }
}

/// The offer and its workspace's account, if it can still be accepted.
async fn load(
    connection: &impl ConnectionTrait,
    token: &Token,
    now: Timestamp,
) -> Result<(Offer, Uuid), Refused> {
    let sql = concat!(
        "SELECT i.id, i.workspace_id, w.account_id, w.name AS workspace, w.slug,
            (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed,
            i.inviter_id, COALESCE(k.name, u.name) AS inviter, u.email AS inviter_email,
            sent_by.actor_name AS sent_by, sent_by.actor_email AS sent_by_email,
            i.email, i.message, i.status, i.expires_at, i.access_until,
            t.proves_address, t.superseded_at IS NOT NULL AS is_superseded,
            (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles,
            CASE WHEN k.id IS NULL THEN m.status = 'active' AND u.suspended_at IS NULL AND ",
        lasts!("m", "$2"),
        " ELSE km.status = 'active' AND ",
        lasts!("km", "$2"),
        " AND k.revoked_at IS NULL AND COALESCE(k.expires_at > $2, TRUE)
                END AS inviter_is_active,
            CASE WHEN k.id IS NULL THEN ",
        held_roles!("m", "$2"),
        " ELSE ",
        held_roles!("km", "$2"),
        " END AS inviter_roles, k.id IS NOT NULL AS is_by_key, ",
        key_limits!("km", "i.inviter_id", "$2"),
        " FROM invitation_tokens t
        JOIN invitations i ON i.workspace_id = t.workspace_id AND i.id = t.invitation_id
        JOIN workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
        JOIN accounts a ON a.id = w.account_id
        JOIN users u ON u.id = i.inviter_id
        LEFT JOIN members m ON m.workspace_id = i.workspace_id AND m.user_id = i.inviter_id
            AND i.inviter_key_id IS NULL
        LEFT JOIN api_keys k ON k.id = i.inviter_key_id
        LEFT JOIN members km ON km.workspace_id = i.workspace_id AND km.api_key_id = k.id
        LEFT JOIN audit_events sent ON sent.workspace_id = i.workspace_id AND sent.target_id = i.id
            AND sent.kind || '' = 'invitation.sent'
        LEFT JOIN audit_identities sent_by ON sent_by.event_id = sent.id
        WHERE t.token_hash = $1"
    );
    let row: Option<OfferRow> = connection.first(sql, vec![token.hash().into(), now.into()]).await?;
    let row = row.ok_or(UNKNOWN_LINK)?;
    row.ended(now)?;
    let all = roles::load(&Unadmitted(connection, row.workspace_id)).await?;
    let offered = all.parse_slugs(row.roles.as_deref().unwrap_or_default());
    let inviter_holdings = row.inviter_holdings(&all);
    let there = Unadmitted(connection, row.workspace_id);
    let offered_teams = offered_teams::of(&there, OfferKind::Invitation, row.id, &all).await?;
    let may_invite = may_offer(&inviter_holdings, &offered, &offered_teams).is_ok();
    // An invitation is valid only as long as its inviter may still assign the offered roles, those of teams too.
    if offered.is_empty() || row.inviter_is_active != Some(true) || !may_invite {
        return Err(INVITER_GONE.into());
    }
    let (inviter, inviter_email) = row.inviter_then();
    let inviter_signature = match row.is_by_key {
        true => signature(&row.inviter, "API key"),
        false => signature(&row.inviter, &row.inviter_email),
    };
    let (name, address) = (row.inviter.as_str(), row.inviter_email.as_str());
    let inviter_now = called_now(
        Some(name).filter(|now| *now != inviter),
        Some(address).filter(|now| *now != inviter_email),
    );
    let offer = Offer {
        id: row.id,
        workspace_id: row.workspace_id,
        workspace: row.workspace,
        slug: row.slug,
        inviter,
        inviter_email,
        inviter_now,
        email: row.email,
        message: row.message,
        roles: role::names(&offered),
        teams: offered_teams::names(&offered_teams),
        expires_at: row.expires_at,
        proves_address: row.proves_address,
        inviter_id: row.inviter_id,
        inviter_signature,
        role_ids: offered.iter().map(|role| role.id).collect(),
        offered_teams,
        inviter_holdings,
        access_until: row.access_until,
    };
    Ok((offer, row.account_id))
}

impl OfferRow {
    fn ended(&self, now: Timestamp) -> Result<(), Refused> {
        match self.status.as_str() {
            "cancelled" => Err(CANCELLED.into()),
            "accepted" => Err(ACCEPTED.into()),
            "declined" => Err(DECLINED.into()),
            "expired" => Err(EXPIRED.into()),
            _ if self.is_superseded => Err(SUPERSEDED.into()),
            _ if self.expires_at <= now || self.access_until.is_some_and(|until| until <= now) => {
                Err(EXPIRED.into())
            }
            _ if self.is_closed => Err(Refused::Suspended("This workspace")),
            _ => Ok(()),
        }
    }

    /// Name and address of the inviter when they sent it, as the record has them; the present ones where they
    /// were erased.
    fn inviter_then(&self) -> (String, String) {
        let name = self.sent_by.clone().unwrap_or_else(|| self.inviter.clone());
        let email = self.sent_by_email.clone().filter(|email| !email.is_empty());
        (name, email.unwrap_or_else(|| self.inviter_email.clone()))
    }

    /// What the inviter holds now. `inviter_id` of an invitation by a key is whoever was shown its secret.
    fn inviter_holdings(&self, all: &Roles) -> Holdings {
        let roles = all.parse_slugs(self.inviter_roles.as_deref().unwrap_or_default());
        let (voucher_roles, reader_roles) = (self.voucher_roles.clone(), self.reader_roles.clone());
        match self.is_by_key {
            true => KeyLimits { voucher_roles, reader_roles, only_scope: self.only_scope.clone() }
                .holdings(&roles, all),
            false => role::holdings(&roles),
        }
    }
}

/// Checks that the person is the one who was invited.
///
/// # Errors
/// [`Refused::Prerequisite`]: another address, or one that is not confirmed yet.
fn is_for(offer: &Offer, person: &Person) -> Result<(), Refused> {
    if offer.email != person.email {
        return Err(wrong_address(&offer.email, &person.email).into());
    }
    if !person.is_verified {
        return Err(unverified(&person.email).into());
    }
    Ok(())
}

fn wrong_address(invited: &str, signed_in: &str) -> Prerequisite {
    Prerequisite {
        headline: "This invitation is for someone else",
        sentence: format!("The invitation is for {invited}, but you're signed in as {signed_in}."),
        note: "If both addresses are yours, sign out, then sign in with the invited one.",
        step: FirstStep::SignInWithAnotherAddress,
        then: None,
        reason: WRONG_ADDRESS,
    }
}

fn unverified(email: &str) -> Prerequisite {
    Prerequisite {
        headline: "Confirm your address first",
        sentence: format!(
            "Open the link in the message we sent to {email}, then come back to the invitation."
        ),
        note: "",
        step: FirstStep::ConfirmAddress,
        then: None,
        reason: UNVERIFIED,
    }
}

/// Makes the person a member. Of twenty at once, one is; the others find the invitation accepted.
///
/// # Errors
/// [`Refused::Gone`], [`Refused::Prerequisite`], [`ALREADY_MEMBER`]; [`MEMBERSHIP_WAITS`], and
/// [`SUSPENDED`](awaited::SUSPENDED) for a membership that a service entered and that is suspended; a conflict where there
/// is no seat any more.
pub async fn accept(db: &Db, person: &Person, token: &Token, origin: &Origin) -> Result<Offer, Refused> {
    let workspace = get(db, token).await?.workspace_id;
    enter_by_invitation(db, workspace, &person.audit_actor(), origin, async |open| {
        let (offer, account) = load(&open.tx, token, open.now).await?;
        is_for(&offer, person)?;
        if close(open, offer.id, "accepted").await? != 1 {
            return Err(ACCEPTED.into());
        }
        let replaced = join(open, &offer, account, person).await?;
        let asker = Asker::Newcomer { inviter: &offer.inviter, workspace: &offer.workspace };
        let grown = seats::ensure(open, asker).await?.map(|(_, event)| event);
        notify(open, &offer, person).await?;
        let event = InvitationAccepted {
            roles: offer.roles.clone(),
            invited_by: offer.inviter_signature.clone(),
            teams: offer.teams.clone(),
        };
        let accepted = RecordedEvent::new(event, target(offer.id, &offer.email)).naming(offer.inviter_id);
        Ok(Recorded::many(offer, replaced.into_iter().chain([accepted]).chain(grown).collect()))
    })
    .await
}

/// Tells the inviter.
async fn notify(open: &Transaction, offer: &Offer, person: &Person) -> Result<(), Refused> {
    let mail = InvitationAcceptedMail {
        url: open.db.public_url(),
        name: &inert(&person.name),
        signature: &signature(&inert(&person.name), &person.email),
        workspace: &inert(&offer.workspace),
        slug: &offer.slug,
        roles: &inert(&offer.roles.join(", ")),
    };
    let (to, choice) = (offer.inviter_id, MailChoice::Responsibilities);
    notify_from(&open.db, &open.tx, open.now, person.user_id, to, choice, &mail).await
}

/// Returns the record of what ended for it.
async fn join(
    open: &Transaction,
    offer: &Offer,
    account: Uuid,
    person: &Person,
) -> Result<Option<RecordedEvent>, Refused> {
    let present = open.find::<member::Entity>().filter(member::Column::UserId.eq(person.user_id));
    if present.one(&open.tx).await?.is_some() {
        return Err(ALREADY_MEMBER.into());
    }
    // The person has confirmed the address.
    let absorbed = match awaited::absorb(open, &person.email, &offer.inviter_holdings).await {
        Err(Refused::Ceiling(_)) => return Err(MEMBERSHIP_WAITS.into()),
        done => done?,
    };
    let replaced = absorbed.as_ref().map(|absorbed| MembershipReplaced::recorded(&absorbed.member));
    let origin = members::MemberOrigin::Invitation(offer.inviter_id);
    let id = members::join(open, person.user_id, origin, &offer.role_ids).await?;
    if offer.access_until.is_some() {
        set_access_until(open, id, offer.access_until, Some(offer.inviter_id)).await?;
    }
    offered_teams::join(open, id, &offer.offered_teams).await?;
    awaited::keep_ids(open, id, absorbed.map(|absorbed| absorbed.ids)).await?;
    accounts::add_person(&open.tx, account, person.user_id, false, open.now).await?;
    Ok(replaced)
}

/// Declines the invitation. The bearer of a mailed link need not sign in for that.
///
/// # Errors
/// [`Refused::Gone`], [`Refused::Unauthenticated`] where the link proves nothing and nobody is signed in,
/// [`Refused::Prerequisite`].
pub async fn decline(
    db: &Db,
    person: Option<&Person>,
    token: &Token,
    origin: &Origin,
) -> Result<Offer, Refused> {
    let seen = match person {
        Some(person) => get_as(db, person, token, origin).await?,
        None => get(db, token).await?,
    };
    if person.is_none() && !seen.proves_address {
        return Err(Refused::Unauthenticated);
    }
    let by = match person {
        Some(person) => person.audit_actor(),
        None => AuditActor::user(seen.id, &seen.email, &seen.email),
    };
    enter_by_invitation(db, seen.workspace_id, &by, origin, async |open| {
        let (offer, _) = load(&open.tx, token, open.now).await?;
        if close(open, offer.id, "declined").await? != 1 {
            return Err(DECLINED.into());
        }
        let event = InvitationDeclined { roles: offer.roles.clone() };
        let target = target(offer.id, &offer.email);
        Ok(Recorded::new(offer, event, target))
    })
    .await
}
