//! Adding a person of the account to a workspace, without an invitation: their address is known, so there is
//! nothing to confirm.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            event::{Recorded, RecordedEvent, Target},
            invalid::Invalid,
            outbox::Mail,
            paging::{Order, PAGE_SIZE, Position},
            refused::Refused,
            role,
            sql::{has_text, like},
            values::folded,
            words::inert,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::seats::{self, Asker},
            invitations,
            members::{
                events::{MemberAdded, MembershipReplaced},
                mail::MemberAddedMail,
            },
        },
        records::{
            self,
            awaited::{self, Absorbed, SUSPENDED},
            given_roles::source_of,
            invitations::ended,
            members::{MEMBER, MemberOrigin, join, not_behind_key},
        },
    },
    entity::{account_person, invitation, member, user},
    policy::perm,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Value, sea_query::Expr};
use serde::Deserialize;
use uuid::Uuid;

pub const ALREADY_MEMBER: Conflict =
    Conflict::new("already-member", "This person is already a member of the workspace.");

/// A person of the account who is not a member of the workspace. Whom a service entered elsewhere is not one yet.
#[derive(Clone, Debug, Deserialize)]
pub struct Candidate {
    pub user_id: Uuid,
    pub name: String,
    pub email: String,
}

/// People who could be added, by name, with the given text in their name or address; and whether there are
/// more of them.
///
/// # Errors
/// The database's own.
pub async fn candidates(
    scope: &ReadScope<perm::InviteMembers>,
    text: &str,
) -> Result<(Vec<Candidate>, bool), Refused> {
    let mut values: Vec<Value> = Vec::new();
    let mut sql = "SELECT p.user_id, u.name, u.email FROM account_people p CROSS JOIN users u
        WHERE p.account_id = (SELECT w.account_id FROM workspaces w WHERE w.id = $1)
            AND u.id = p.user_id AND u.suspended_at IS NULL AND u.awaited_email IS NULL
            AND NOT EXISTS (SELECT 1 FROM members m WHERE m.workspace_id = $1 AND m.user_id = p.user_id)"
        .to_owned();
    if !text.is_empty() {
        values.push(like(&folded(text)).into());
        sql.push_str(&format!(" AND {}", has_text("p.listed_as", "$2")));
    }
    let order = Order { column: "p.listed_as", is_text: true, id: "p.user_id", descending: false };
    order.append_to(&mut sql, &mut values, &Position::FIRST)?;
    let mut rows: Vec<Candidate> = scope.list(&["user_id", "name", "email"], &sql, values).await?;
    let is_cut = rows.len() > PAGE_SIZE;
    rows.truncate(PAGE_SIZE);
    Ok((rows, is_cut))
}

/// The result of [`add`].
#[derive(Clone, Debug)]
pub struct AddedMember {
    pub member_id: Uuid,
    pub name: String,
    pub roles: Vec<String>,
    /// A message to them will be sent: their address has not had too many.
    pub is_mailed: bool,
}

/// Adds a person of the account. This counts against the limit of invitations, because it sends mail.
///
/// # Errors
/// [`Refused::Invalid`] on the field `user` for someone who does not belong to the account (not distinguished
/// from someone who does not exist), and on `role`; [`Refused::Ceiling`]; [`ALREADY_MEMBER`];
/// [`Refused::RateLimited`]; a conflict where there is no seat.
pub async fn add(
    scope: ReadScope<perm::InviteMembers>,
    user: Uuid,
    roles: &[String],
) -> Result<AddedMember, Refused> {
    scope.actor().all_roles.chosen(roles)?;
    invitations::spend(&scope, 1).await?;
    scope.write(async |s| add_one(s, user, roles).await).await
}

async fn add_one(
    s: &mut WriteScope<perm::InviteMembers>,
    user: Uuid,
    roles: &[String],
) -> Result<Recorded<AddedMember>, Refused> {
    let all = s.actor().all_roles.clone();
    let given = all.chosen(roles)?;
    s.actor().holdings.may_invite(given.iter().map(|role| &role.holdings))?;
    not_behind_key(s.actor(), user)?;
    let person = of_account(s, user).await?;
    let present = s.find::<member::Entity>().filter(member::Column::UserId.eq(user));
    if present.one(s.connection()).await?.is_some() {
        return Err(ALREADY_MEMBER.into());
    }
    let by = s.actor().principal.clone();
    let ids: Vec<Uuid> = given.iter().map(|role| role.id).collect();
    let absorbed = match person.email_verified_at {
        Some(_) => absorb(s, &person.email).await?,
        None => None,
    };
    let id = join(s.open(), user, MemberOrigin::Account(by.accountable_user(), source_of(&by)), &ids).await?;
    let replaced = absorbed.as_ref().map(|absorbed| MembershipReplaced::recorded(&absorbed.member));
    awaited::keep_ids(s.open(), id, absorbed.map(|absorbed| absorbed.ids)).await?;
    let roles = role::names(&given);
    let was_invited = answer_invitation(s, &person.email).await?;
    let grown = seats::ensure(s.open(), Asker::Member(s.actor())).await?.map(|(_, event)| event);
    let workspace = &s.actor().workspace;
    let mail = MemberAddedMail {
        url: s.open().db.public_url(),
        by: &inert(by.name()),
        signature: &by.signature(),
        workspace: &inert(&workspace.name),
        slug: &workspace.slug,
        roles: &inert(&roles.join(", ")),
    };
    let is_mailed = records::mail::queue(s, Mail::new(&person.email, &mail)).await?.is_some();
    let event = MemberAdded { roles: roles.clone(), was_invited };
    let target = Target::new(MEMBER, id, &person.name).of(Some(user), &person.email);
    let events = replaced.into_iter().chain([RecordedEvent::new(event, target)]).chain(grown).collect();
    Ok(Recorded::many(AddedMember { member_id: id, name: person.name, roles, is_mailed }, events))
}

/// Ends what a service entered for this address. A suspended membership stays: they are a member already.
async fn absorb(s: &WriteScope<perm::InviteMembers>, email: &str) -> Result<Option<Absorbed>, Refused> {
    match awaited::absorb(s.open(), email, &s.actor().holdings).await {
        Err(Refused::Conflict(SUSPENDED)) => Err(ALREADY_MEMBER.into()),
        done => done,
    }
}

/// Loads and locks the person, so that nobody removes them from the account in the meantime.
async fn of_account<P>(s: &WriteScope<P>, user: Uuid) -> Result<user::Model, Refused> {
    let unknown = || Invalid::field("user", "Choose someone in this account.");
    let account = s.open().account().ok_or(Refused::NotFound)?;
    // Locked in the same order as by a change of a name.
    let person = user::Entity::find_by_id(user).lock_shared().one(s.connection()).await?;
    let belongs = account_person::Entity::find_by_id((account, user)).lock_shared();
    let belongs = belongs.one(s.connection()).await?;
    match (person, belongs) {
        (Some(person), Some(_)) if person.suspended_at.is_none() && person.awaited_email.is_none() => {
            Ok(person)
        }
        _ => Err(unknown().into()),
    }
}

/// Marks a pending invitation as accepted: its link then says so and leads to the workspace.
async fn answer_invitation<P>(s: &WriteScope<P>, email: &str) -> Result<bool, Refused> {
    use invitation::Column;
    let waiting = s.open().update::<invitation::Entity>().filter(Column::Email.eq(email));
    // Written out, the status leads to the index of what is pending, as a parameter does not.
    let waiting = waiting.filter(Column::ExpiresAt.gt(s.now())).filter(Expr::cust("status = 'pending'"));
    Ok(s.open().apply(ended(waiting, "accepted", s.now())).await? > 0)
}
