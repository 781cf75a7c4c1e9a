//! Changing an account: its name, who may create workspaces, its admins, and who belongs to it.

use crate::domain::{
    base::{
        account::CreationPolicy,
        event::{Recorded, Target},
        principal::USER,
        refused::Refused,
        values::Name,
    },
    enforce::{
        account::{AccountScope, AccountWrite, Affected},
        rows::Scoped,
    },
    nouns::accounts::{
        events::{ACCOUNT, AccountAdminChanged, AccountPersonRemoved, AccountUpdated},
        list::{self, may_leave},
    },
};
use sea_orm::{ConnectionTrait, DbBackend};
use uuid::Uuid;

/// The details of an account that an admin can change.
pub struct Details {
    pub name: Name,
    pub creation: CreationPolicy,
}

/// Sets the account's name and who may create workspaces in it. Returns whether that changed anything.
///
/// # Errors
/// The database's own.
pub async fn update(s: &mut AccountWrite, to: &Details) -> Result<Recorded<bool>, Refused> {
    let now = s.actor().account.clone();
    if now.name == to.name.as_str() && now.creation == to.creation {
        return Ok(Recorded::unchanged(false));
    }
    let sql = "UPDATE accounts SET name = $2, workspace_creation = $3 WHERE id = $1";
    s.run(sql, vec![to.name.as_str().into(), to.creation.word().into()]).await?;
    let event = AccountUpdated {
        name_before: now.name,
        name_after: to.name.to_string(),
        creation_before: now.creation.word().to_owned(),
        creation_after: to.creation.word().to_owned(),
    };
    Ok(Recorded::new(true, event, Target::new(ACCOUNT, now.id, to.name.to_string())))
}

/// The result of a change to a person of the account.
#[derive(Clone, Debug)]
pub struct PersonChanged {
    pub name: String,
    /// The person is the actor.
    pub is_you: bool,
    /// False if nothing had to change.
    pub is_change: bool,
}

/// [`appoint`], recorded in every workspace of the account, too: its admins have power over the workspaces' keys.
///
/// # Errors
/// As [`appoint`].
pub async fn change_admin(scope: AccountScope, user: Uuid, is_admin: bool) -> Result<PersonChanged, Refused> {
    scope.write_with_workspaces(Affected::All, async |s| appoint(s, user, is_admin).await).await
}

/// Appoints a person of the account as an admin, or removes them as an admin.
///
/// # Errors
/// [`Refused::NotFound`] for someone who does not belong to the account,
/// [`LAST_ADMIN`](crate::domain::base::invariants::LAST_ADMIN).
pub async fn appoint(
    s: &mut AccountWrite,
    user: Uuid,
    is_admin: bool,
) -> Result<Recorded<PersonChanged>, Refused> {
    let person = list::person(s, s.actor().id(), user).await?;
    let is_change = person.is_admin != is_admin;
    let changed = PersonChanged { name: person.name.clone(), is_you: person.is_you, is_change };
    if !is_change {
        return Ok(Recorded::unchanged(changed));
    }
    let sql = "UPDATE account_people SET is_admin = $3 WHERE account_id = $1 AND user_id = $2";
    s.run(sql, vec![user.into(), is_admin.into()]).await?;
    let target = Target::new(USER, user, person.name).of(Some(user), person.email);
    let recorded = Recorded::new(changed, AccountAdminChanged { is_admin }, target);
    s.record_in_each(&recorded);
    Ok(recorded)
}

/// Removes a person from the account, if they are not a member of any of its workspaces. That somebody is no longer an
/// admin is recorded in every workspace of the account, too.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::DetailedConflict`] for a member of workspaces,
/// [`LAST_ADMIN`](crate::domain::base::invariants::LAST_ADMIN).
pub async fn remove(scope: AccountScope, user: Uuid) -> Result<PersonChanged, Refused> {
    scope.write_with_workspaces(Affected::All, async |s| remove_person(s, user).await).await
}

async fn remove_person(s: &mut AccountWrite, user: Uuid) -> Result<Recorded<PersonChanged>, Refused> {
    // The lock is a statement of its own: who comes into a workspace meanwhile holds the row too, and
    // whoever waited for it must then find the membership.
    if s.connection().get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT user_id FROM account_people WHERE account_id = $1 AND user_id = $2 FOR UPDATE";
        s.run(sql, vec![user.into()]).await?;
    }
    let person = list::person(s, s.actor().id(), user).await?;
    may_leave(&person)?;
    s.run("DELETE FROM account_people WHERE account_id = $1 AND user_id = $2", vec![user.into()]).await?;
    let gone = PersonChanged { name: person.name.clone(), is_you: person.is_you, is_change: true };
    let target = Target::new(USER, user, person.name).of(Some(user), person.email);
    if person.is_admin {
        s.record_in_each(&Recorded::new((), AccountAdminChanged { is_admin: false }, target.clone()));
    }
    Ok(Recorded::new(gone, AccountPersonRemoved { was_admin: person.is_admin }, target))
}
