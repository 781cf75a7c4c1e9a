//! Transfer of ownership: an Owner offers it, a member accepts, and in one step the member becomes an Owner
//! and the Owner no longer is one.

pub mod events;
pub mod mail;

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::{Conflict, Gone},
            ends::{held_roles, lasts},
            event::{Recorded, RecordedEvent, Target},
            mail_choice::MailChoice,
            outbox::Mail,
            principal::USER,
            refused::Refused,
            role::Role,
            words::{inert, signature},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            accounts::events::AccountHandedOver,
            members::{self, MemberRecord},
            ownership::{
                events::{
                    OwnershipHandedOver, OwnershipOfferDeclined, OwnershipOfferWithdrawn, OwnershipOffered,
                },
                mail::{OwnershipAnsweredMail, OwnershipOfferedMail},
            },
        },
        records::{self, accounts, given_roles::replace_role, members::MEMBER, offers::ended},
    },
    entity::ownership_offer,
    policy::{BuiltIn, Ceiling, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

/// How long an offer can be accepted, in milliseconds.
const LIFETIME: i64 = 7 * DAY;

pub const OFFER_PENDING: Conflict =
    Conflict::new("offer-pending", "An ownership transfer is already pending. Withdraw that offer first.");

pub const NOT_ACTIVE: Conflict = Conflict::new(
    "not-active",
    "Only an active member can become the new Owner. Reactivate this person first.",
);

pub const NOT_ACCEPTED: Conflict = Conflict::new(
    "not-accepted",
    "This person was added by a service and hasn't accepted yet. Offer them the ownership once they have.",
);

pub const OFFER_GONE: Gone = Gone::new("offer", "This offer is no longer valid.");

/// A pending offer.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Offer {
    pub id: Uuid,
    pub from_member_id: Uuid,
    from_user_id: Uuid,
    pub from_name: String,
    pub from_email: String,
    pub to_member_id: Uuid,
    to_user_id: Uuid,
    pub to_name: String,
    pub to_email: String,
    pub expires_at: Timestamp,
    /// The administration of the account is offered with it.
    pub with_account: bool,
}

const PENDING: &str = concat!(
    "SELECT o.id, o.from_member_id, fu.id AS from_user_id, fu.name AS from_name, fu.email AS from_email,
        o.to_member_id, tu.id AS to_user_id, tu.name AS to_name, tu.email AS to_email, o.expires_at, o.with_account
    FROM ownership_offers o
    JOIN members f ON f.workspace_id = o.workspace_id AND f.id = o.from_member_id
    JOIN users fu ON fu.id = f.user_id
    JOIN members t ON t.workspace_id = o.workspace_id AND t.id = o.to_member_id
    JOIN users tu ON tu.id = t.user_id
    WHERE o.workspace_id = $1 AND o.status = 'pending' AND o.expires_at > $2
    AND EXISTS (SELECT 1 FROM active_owners a WHERE a.workspace_id = o.workspace_id AND a.member_id = o.from_member_id)
    AND ",
    lasts!("f", "$2"),
    " AND ' ' || ",
    held_roles!("f", "$2"),
    " || ' ' LIKE '% owner %'"
);

/// The pending offer of this workspace: there is at most one. An offer by someone who is no longer an active
/// Owner does not count.
///
/// # Errors
/// The database's own.
pub async fn pending<P: crate::policy::Access>(scope: &ReadScope<P>) -> Result<Option<Offer>, Refused> {
    Ok(scope.first(PENDING, vec![scope.now().into()]).await?)
}

/// Offers the actor's ownership to a member, and with it, if so wanted, their administration of the account. Returns
/// that member's name.
///
/// # Errors
/// [`Ceiling::OwnerOnly`], [`Refused::NotFound`], [`OFFER_PENDING`], [`NOT_ACTIVE`]; [`Refused::NotAllowed`] to offer
/// the administration of an account that the actor is no admin of.
pub async fn offer(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    with_account: bool,
) -> Result<Recorded<String>, Refused> {
    if !s.actor().holdings.is_owner() {
        return Err(Ceiling::OwnerOnly.into());
    }
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    if member.user_id.is_none() || s.actor().principal.person().is_none() {
        return Err(Refused::NotAllowed("Only people can transfer or receive ownership."));
    }
    if member.is_owner() {
        return Err(Refused::NotAllowed(
            "This person is already an Owner. To step down, change your own roles.",
        ));
    }
    if !member.is_active {
        return Err(NOT_ACTIVE.into());
    }
    if member.is_awaited {
        return Err(NOT_ACCEPTED.into());
    }
    let (account, user) = (s.actor().workspace.account_id, s.actor().principal.id());
    if with_account && !accounts::is_admin(s.connection(), account, user).await? {
        return Err(Refused::NotAllowed(
            "Only an account admin can transfer the administration of the account.",
        ));
    }
    let now = s.now();
    let open: Option<Offer> = s.first(PENDING, vec![now.into()]).await?;
    if open.is_some() {
        return Err(OFFER_PENDING.into());
    }
    // An offer that has expired, or whose Owner is no longer one, is cancelled.
    s.open().apply(ended(s.open().update(), "cancelled", now)).await?;
    let expires_at = now + LIFETIME;
    let row = ownership_offer::ActiveModel {
        id: Set(random::id(now)),
        workspace_id: Set(s.workspace_id()),
        from_member_id: Set(s.actor().member_id),
        to_member_id: Set(id),
        status: Set("pending".to_owned()),
        created_at: Set(now),
        expires_at: Set(expires_at),
        ended_at: Set(None),
        with_account: Set(with_account),
    };
    s.open().insert(row).await?;
    let workspace = &s.actor().workspace;
    let (from, signature) = (s.actor().principal.name(), &s.actor().principal.signature());
    let url = s.open().db.public_url();
    let (from, name) = (&inert(from), &inert(&workspace.name));
    let slug = &workspace.slug;
    let mail = OwnershipOfferedMail { url, from, signature, workspace: name, slug, with_account };
    records::mail::queue(s, Mail::new(&member.email, &mail)).await?;
    Ok(Recorded::new(member.name.clone(), OwnershipOffered { expires_at, with_account }, member.target()))
}

/// The member who accepts becomes an Owner; the person who offered it steps down to Admin. If the administration of
/// the account was offered with it, and is still theirs, it passes too, and every workspace of the account has that in
/// its record.
///
/// # Errors
/// [`OFFER_GONE`] if it was not offered to the actor, has ended, or is from someone who is no longer an
/// active Owner.
pub async fn accept(scope: ReadScope<perm::Membership>, id: Uuid) -> Result<(), Refused> {
    // What an offer is for never changes.
    let with_account = pending(&scope).await?.is_some_and(|offer| offer.id == id && offer.with_account);
    match with_account {
        true => scope.write_with_account(async |s| take_over(s, id).await).await,
        false => scope.write(async |s| take_over(s, id).await).await,
    }
}

async fn take_over(s: &mut WriteScope<perm::Membership>, id: Uuid) -> Result<Recorded<()>, Refused> {
    let offer = addressed_to_actor(s, id).await?;
    let all = s.actor().all_roles.clone();
    let from = MemberRecord::load(s, &all, offer.from_member_id).await?;
    close(s, id, "accepted").await?;
    let owner = all.owner()?;
    let to = MemberRecord::load(s, &all, s.actor().member_id).await?;
    if !to.is_owner() {
        members::assign_role(s, to.id, owner.id).await?;
    }
    // Whoever steps down keeps their other roles, and is an Admin where they had none.
    let admin = all.by_slug(BuiltIn::Admin.slug());
    if let Some(admin) = admin.filter(|_| from.own.len() == 1) {
        // Where they were Owner for a while, they are Admin until then.
        replace_role(s.open(), from.id, owner.id, admin.id).await?;
    } else {
        members::revoke_role(s, from.id, owner.id).await?;
    }
    notify(s, offer.from_user_id, "accepted", "They are an Owner now, and you aren't one anymore.").await?;
    let names = |roles: &[Role]| -> Vec<String> { roles.iter().map(|role| role.name.clone()).collect() };
    let after = MemberRecord::load(s, &all, to.id).await?.own;
    let from_after = MemberRecord::load(s, &all, from.id).await?.own;
    let event = OwnershipHandedOver {
        from: signature(&from.name, &from.email),
        before: names(&to.own),
        after: names(&after),
        from_before: names(&from.own),
        from_after: names(&from_after),
    };
    let mut events = vec![RecordedEvent::new(event, to.target())];
    if let (true, Some(before), Some(after)) = (offer.with_account, from.user_id, to.user_id) {
        let account = s.actor().workspace.account_id;
        if accounts::hand_over_administration(s.connection(), account, before, after).await? {
            let target = Target::new(USER, after, to.name.clone()).of(Some(after), &to.email);
            let handed_over = AccountHandedOver { from: signature(&from.name, &from.email) };
            let handed_over = RecordedEvent::new(handed_over, target);
            s.record_in_others(handed_over.clone().naming(before));
            events.push(handed_over);
        }
    }
    let recorded = Recorded::many((), events);
    Ok(match from.user_id {
        Some(user) => recorded.naming(user),
        None => recorded,
    })
}

/// Tells whoever made the offer what the actor answered.
async fn notify(s: &WriteScope<perm::Membership>, to: Uuid, answer: &str, next: &str) -> Result<(), Refused> {
    let workspace = &s.actor().workspace;
    let mail = OwnershipAnsweredMail {
        url: s.open().db.public_url(),
        by: &inert(s.actor().principal.name()),
        signature: &s.actor().principal.signature(),
        answer,
        next,
        workspace: &inert(&workspace.name),
        slug: &workspace.slug,
    };
    records::mail::notify(s, to, MailChoice::Responsibilities, &mail).await
}

/// Declines the offer, as the member to whom it was made.
///
/// # Errors
/// [`OFFER_GONE`].
pub async fn decline(s: &mut WriteScope<perm::Membership>, id: Uuid) -> Result<Recorded<()>, Refused> {
    let offer = addressed_to_actor(s, id).await?;
    close(s, id, "declined").await?;
    notify(s, offer.from_user_id, "declined", "You're still an Owner.").await?;
    let target = Target::new(MEMBER, offer.from_member_id, offer.from_name);
    let target = target.of(Some(offer.from_user_id), offer.from_email);
    Ok(Recorded::new((), OwnershipOfferDeclined {}, target))
}

/// Withdraws the offer, as the person who made it or another Owner.
///
/// # Errors
/// [`OFFER_GONE`], [`Ceiling::OwnerOnly`].
pub async fn withdraw(s: &mut WriteScope<perm::Membership>, id: Uuid) -> Result<Recorded<()>, Refused> {
    let offer = find(s, id).await?;
    if offer.from_member_id != s.actor().member_id && !s.actor().holdings.is_owner() {
        return Err(Ceiling::OwnerOnly.into());
    }
    close(s, id, "cancelled").await?;
    let target = Target::new(MEMBER, offer.to_member_id, offer.to_name);
    let target = target.of(Some(offer.to_user_id), offer.to_email);
    Ok(Recorded::new((), OwnershipOfferWithdrawn {}, target))
}

/// The pending offer with this id. If it has ended, the error says so; if it never existed, it is not found.
async fn find(s: &WriteScope<perm::Membership>, id: Uuid) -> Result<Offer, Refused> {
    let offer: Option<Offer> = s.first(PENDING, vec![s.now().into()]).await?;
    if let Some(offer) = offer.filter(|offer| offer.id == id) {
        return Ok(offer);
    }
    let known = s.find::<ownership_offer::Entity>().filter(ownership_offer::Column::Id.eq(id));
    let known = known.one(s.connection()).await?;
    Err(known.map_or(Refused::NotFound, |_| OFFER_GONE.into()))
}

async fn addressed_to_actor(s: &WriteScope<perm::Membership>, id: Uuid) -> Result<Offer, Refused> {
    let offer = find(s, id).await?;
    if offer.to_member_id == s.actor().member_id {
        return Ok(offer);
    }
    Err(Refused::NotAllowed("This offer is for someone else."))
}

async fn close(s: &WriteScope<perm::Membership>, id: Uuid, status: &str) -> Result<(), Refused> {
    let row = s.open().update::<ownership_offer::Entity>().filter(ownership_offer::Column::Id.eq(id));
    match s.open().apply(ended(row, status, s.now())).await? {
        1 => Ok(()),
        _ => Err(OFFER_GONE.into()),
    }
}
