//! Users that a service adds, and their ids in the customer's own applications.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            refused::Refused,
            role::{self, Role},
            subject::Subject,
            values::{Email, ExternalId, Name},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::seats::{self, Asker},
            identity, invitations,
            members::{
                add::ALREADY_MEMBER,
                events::{ExternalIdChanged, UserProvisioned},
                role_change::{self, RolesChanged},
            },
        },
        records::{
            accounts, awaited, entries,
            members::{self, MemberRecord},
        },
    },
    entity::{account_person, invitation, member, user},
    policy::perm,
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use uuid::Uuid;

pub const ADDRESS_TAKEN: Conflict = Conflict::new(
    "somebody-elses",
    "The person with this address isn't in this account. Invite them instead, so they can decide whether to join.",
);

pub const INVITED: Conflict = Conflict::new(
    "invited",
    "This address already has a pending invitation to the workspace. Wait for their answer, or cancel the invitation first.",
);

/// A user to add.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub email: Email,
    pub name: Name,
    pub external_id: Option<ExternalId>,
    /// Slugs of the roles that they get.
    pub roles: Vec<String>,
}

/// A user who was added or changed.
#[derive(Clone, Debug)]
pub struct ProvisionedUser {
    pub user_id: Uuid,
    pub external_id: Option<String>,
    /// Slugs of every role held, through teams too.
    pub roles: Vec<String>,
    /// Slugs of the roles assigned directly.
    pub own: Vec<String>,
}

/// Makes a person of the account a member at once, or enters a user with an address that nobody uses yet. That takes
/// nothing from the person with the address: they sign up as if they were unknown, and then accept or decline. What
/// another workspace entered with this address, and under which name, has no part in it.
///
/// # Errors
/// [`ALREADY_MEMBER`], [`INVITED`]; [`ADDRESS_TAKEN`] for the address of a user of other accounts,
/// who is invited instead; [`Refused::Invalid`] on `role` or `external_id`; [`Refused::Ceiling`]; a conflict where there is
/// no seat.
pub async fn provision(
    s: &mut WriteScope<perm::InviteMembers>,
    new: &NewMember,
) -> Result<Recorded<ProvisionedUser>, Refused> {
    let all = s.actor().all_roles.clone();
    let given = all.chosen(&new.roles)?;
    s.actor().holdings.may_invite(given.iter().map(|role| &role.holdings))?;
    not_invited(s, &new.email).await?;
    if awaited::find(s, new.email.as_str()).await?.is_some() {
        return Err(ALREADY_MEMBER.into());
    }
    let known = user::Entity::find().filter(user::Column::Email.eq(new.email.as_str())).lock_shared();
    let known = known.one(s.connection()).await?;
    let user_id = match &known {
        Some(known) => {
            members::not_behind_key(s.actor(), known.id)?;
            admissible(s, known).await?
        }
        None => insert(s, new).await?,
    };
    let ids: Vec<Uuid> = given.iter().map(|role| role.id).collect();
    let (answers, key) = (s.actor().principal.accountable_user(), s.actor().principal.key_id());
    let id = members::join(s.open(), user_id, members::MemberOrigin::Service(answers), &ids).await?;
    if known.is_none() {
        entries::set_entered_by(s, id, answers, key).await?;
    }
    if let Some(external_id) = &new.external_id {
        set_external_id(s, id, Some(external_id)).await?;
    }
    let grown = seats::ensure(s.open(), Asker::Member(s.actor())).await?.map(|(_, event)| event);
    let member = MemberRecord::load(s, &all, id).await?;
    let user = ProvisionedUser {
        user_id,
        external_id: new.external_id.as_ref().map(ToString::to_string),
        roles: slugs(&member.roles),
        own: slugs(&member.own),
    };
    let event = UserProvisioned { roles: role::names(&given) };
    Ok(Recorded::new(user, event, member.target()).and(grown))
}

/// Whoever invited them may have offered more, or meant something else; and may not everybody cancel it.
async fn not_invited(s: &WriteScope<perm::InviteMembers>, email: &Email) -> Result<(), Refused> {
    use invitation::Column;
    let waiting = s.find::<invitation::Entity>().filter(Column::Email.eq(email.as_str()));
    // Written out, the status leads to the index of what is pending, as a parameter does not.
    let waiting = waiting.filter(Column::ExpiresAt.gt(s.now())).filter(Expr::cust("status = 'pending'"));
    match waiting.one(s.connection()).await? {
        Some(_) => Err(INVITED.into()),
        None => Ok(()),
    }
}

/// Counts against the limit of invitations, because both responses disclose whether an address is known.
///
/// # Errors
/// [`Refused::RateLimited`].
pub async fn may_provision(scope: &ReadScope<perm::InviteMembers>) -> Result<(), Refused> {
    invitations::spend(scope, 1).await
}

/// Refuses a user who has an account elsewhere and does not belong to this one.
async fn admissible(s: &WriteScope<perm::InviteMembers>, known: &user::Model) -> Result<Uuid, Refused> {
    let present = s.find::<member::Entity>().filter(member::Column::UserId.eq(known.id));
    if present.one(s.connection()).await?.is_some() {
        return Err(ALREADY_MEMBER.into());
    }
    let account = s.actor().workspace.account_id;
    // Locked, so that nobody removes them from the account in the meantime.
    let person = account_person::Entity::find_by_id((account, known.id)).lock_shared();
    match person.one(s.connection()).await? {
        Some(_) if known.suspended_at.is_none() => Ok(known.id),
        Some(_) => Err(Refused::NotAllowed("This user is suspended.")),
        None => Err(ADDRESS_TAKEN.into()),
    }
}

fn slugs(roles: &[Role]) -> Vec<String> {
    roles.iter().map(|role| role.slug.clone()).collect()
}

async fn insert(s: &WriteScope<perm::InviteMembers>, new: &NewMember) -> Result<Uuid, Refused> {
    let (now, id) = (s.now(), random::id(s.now()));
    let row = user::ActiveModel {
        id: Set(id),
        email: Set(awaited::no_address(id)),
        awaited_email: Set(Some(new.email.to_string())),
        name: Set(new.name.to_string()),
        password_hash: Set(identity::NO_PASSWORD.to_owned()),
        email_verified_at: Set(None),
        suspended_at: Set(None),
        created_at: Set(now),
        provisioned_at: Set(Some(now)),
    };
    user::Entity::insert(row).exec_without_returning(s.connection()).await?;
    accounts::add_person(s.connection(), s.actor().workspace.account_id, id, false, now).await?;
    Ok(id)
}

/// Sets a member's id in the customer's own applications.
async fn set_external_id<P>(
    s: &WriteScope<P>,
    id: Uuid,
    external_id: Option<&ExternalId>,
) -> Result<(), Refused> {
    if let Some(external_id) = external_id {
        let taken = s.find::<member::Entity>().filter(member::Column::ExternalId.eq(external_id.as_str()));
        if taken.filter(member::Column::Id.ne(id)).one(s.connection()).await?.is_some() {
            let sentence = "Another member of this workspace has this external ID.";
            return Err(Invalid::field("external_id", sentence).into());
        }
    }
    let row = s.open().update::<member::Entity>().filter(member::Column::Id.eq(id));
    let value = external_id.map(ToString::to_string);
    s.open().apply_to_one(row.col_expr(member::Column::ExternalId, Expr::value(value))).await
}

/// The changes to a user. Fields that are `None` stay the same.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Slugs of all the roles to assign directly.
    pub roles: Option<Vec<String>>,
    /// `Some(None)` removes it.
    pub external_id: Option<Option<ExternalId>>,
}

/// Changes a user in this workspace.
///
/// # Errors
/// As [`role_change::change_roles`]; [`Refused::NotFound`] for someone who is not a member, [`Refused::Ceiling`]
/// for the external id of somebody who does not hold less, [`Refused::Invalid`] on `external_id`.
pub async fn update_user(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    user: &Subject,
    to: &UserChange,
) -> Result<Recorded<ProvisionedUser>, Refused> {
    let all = s.actor().all_roles.clone();
    let id = members::of_subject(s, user).await?;
    let mut events = Vec::new();
    if let Some(external_id) = &to.external_id {
        let member = MemberRecord::load(s, &all, id).await?;
        member.not_behind_key(s.actor())?;
        s.actor().holdings.may_manage(&member.holdings())?;
        let before = member.external_id.clone().unwrap_or_default();
        let after = external_id.as_ref().map(ToString::to_string).unwrap_or_default();
        if before != after {
            set_external_id(s, id, external_id.as_ref()).await?;
            let event = RecordedEvent::new(ExternalIdChanged { before, after }, member.target());
            events.push(match member.user_id {
                Some(user) => event.naming(user),
                None => event,
            });
        }
    }
    if let Some(roles) = &to.roles {
        let changed: Recorded<RolesChanged> = role_change::change_roles(s, id, roles).await?;
        events.extend(changed.into_parts().1);
    }
    let after = MemberRecord::load(s, &all, id).await?;
    // As the caller named them, also where that is the id that they had before they accepted.
    let user_id = match user {
        Subject::User(id) => *id,
        _ => after.user_id.ok_or(Refused::NotFound)?,
    };
    let user = ProvisionedUser {
        user_id,
        roles: slugs(&after.roles),
        own: slugs(&after.own),
        external_id: after.external_id,
    };
    Ok(Recorded::many(user, events))
}
