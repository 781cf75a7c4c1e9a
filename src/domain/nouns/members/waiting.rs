//! Memberships that a service entered, as the person whom they wait for sees them. They give nothing before that
//! person, who has confirmed the address, accepts.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Gone,
            db::Db,
            ends::lasts,
            event::{Recorded, Target},
            principal::{Origin, Person},
            refused::Refused,
            sql::Sql,
            words::signature,
        },
        enforce::{
            rows::Scoped,
            transaction::Transaction,
            workspace::{enter_by_invitation, roles},
        },
        nouns::members::{
            add::ALREADY_MEMBER,
            events::{MembershipAccepted, MembershipDeclined},
        },
        records::{
            accounts,
            awaited::{self, Awaited},
            entries,
            members::{MEMBER, MemberRecord},
        },
    },
    entity::member,
};
use sea_orm::{ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter, Value};
use uuid::Uuid;

pub const ENTERER_GONE: Gone = Gone::new(
    "enterer-gone",
    "This membership is no longer valid, because whoever added you can no longer invite people with these roles. Ask an Owner or Admin of the workspace to invite you.",
);

/// A membership that waits for a person.
#[derive(Clone, Debug, FromQueryResult)]
pub struct WaitingMembership {
    pub id: Uuid,
    workspace_id: Uuid,
    account_id: Uuid,
    pub slug: String,
    pub workspace: String,
    pub account: String,
    /// Names of the roles, joined with ", ".
    pub roles: Option<String>,
    /// Name and address of the person who is accountable for the service that entered them.
    added_by: Option<String>,
    added_by_email: Option<String>,
    pub added_at: Timestamp,
}

impl WaitingMembership {
    /// Who is accountable for the service that entered them: name and address.
    pub fn added_by(&self) -> Option<String> {
        let (name, email) = (self.added_by.as_deref()?, self.added_by_email.as_deref()?);
        Some(signature(name, email))
    }
}

/// `$1` is the address, `$2` the time.
const WAITING: &str = concat!(
    "SELECT m.id, w.id AS workspace_id, w.account_id, w.slug, w.name AS workspace, a.name AS account,
        m.joined_at AS added_at, i.name AS added_by, i.email AS added_by_email,
        (SELECT string_agg(r.name, ', ') FROM roles r WHERE r.workspace_id = m.workspace_id
            AND ' ' || m.role_set || ' ' LIKE '% ' || r.slug || ' %') AS roles
    FROM users p JOIN members m ON m.user_id = p.id AND m.status = 'active'
    JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL AND w.suspended_at IS NULL
    JOIN accounts a ON a.id = w.account_id AND a.suspended_at IS NULL
    LEFT JOIN users i ON i.id = m.invited_by
    WHERE p.awaited_email = $1 AND ",
    lasts!("m", "$2")
);

/// The memberships that wait for this person, by workspace. None before they have confirmed their address.
///
/// # Errors
/// The database's own.
pub async fn waiting(db: &Db, person: &Person) -> Result<Vec<WaitingMembership>, Refused> {
    if !person.is_verified {
        return Ok(Vec::new());
    }
    let sql = format!("{WAITING} ORDER BY w.name, m.id LIMIT 100");
    Ok(db.read().all(&sql, vec![person.email.as_str().into(), db.now().into()]).await?)
}

async fn find(
    connection: &impl ConnectionTrait,
    person: &Person,
    id: Uuid,
    now: Timestamp,
) -> Result<WaitingMembership, Refused> {
    if !person.is_verified {
        return Err(Refused::NotFound);
    }
    let values: Vec<Value> = vec![person.email.as_str().into(), now.into(), id.into()];
    connection.first(&format!("{WAITING} AND m.id = $3"), values).await?.ok_or(Refused::NotFound)
}

/// The membership as it is under the lock: it may have been suspended, or have other roles, by now.
async fn under_lock(
    open: &Transaction,
    person: &Person,
    id: Uuid,
) -> Result<(WaitingMembership, Awaited), Refused> {
    let waiting = find(&open.tx, person, id, open.now).await?;
    let awaited = awaited::find(open, &person.email).await?;
    let awaited = awaited.filter(|awaited| awaited.member_id == id).ok_or(Refused::NotFound)?;
    Ok((waiting, awaited))
}

/// Refuses a membership of which nobody answers for the roles any more.
async fn still_valid(open: &Transaction, id: Uuid) -> Result<(), Refused> {
    let all = roles::load(open).await?;
    let own = MemberRecord::load(open, &all, id).await?.own;
    match entries::may_still_invite(open, id, &all, &own, open.now).await? {
        true => Ok(()),
        false => Err(ENTERER_GONE.into()),
    }
}

/// Makes the person the member that waits for them. Returns the membership.
///
/// # Errors
/// [`Refused::NotFound`] where nothing waits for them under this id, or no longer; [`ALREADY_MEMBER`];
/// [`ENTERER_GONE`] once nobody who may invite with these roles answers for them.
pub async fn accept(
    db: &Db,
    person: &Person,
    id: Uuid,
    origin: &Origin,
) -> Result<WaitingMembership, Refused> {
    let workspace = find(db.read(), person, id, db.now()).await?.workspace_id;
    enter_by_invitation(db, workspace, &person.audit_actor(), origin, async |open| {
        let (waiting, awaited) = under_lock(open, person, id).await?;
        let present = open.find::<member::Entity>().filter(member::Column::UserId.eq(person.user_id));
        if present.one(&open.tx).await?.is_some() {
            return Err(ALREADY_MEMBER.into());
        }
        still_valid(open, id).await?;
        awaited::accept(open, awaited, person.user_id).await?;
        accounts::add_person(&open.tx, waiting.account_id, person.user_id, false, open.now).await?;
        let event = MembershipAccepted { roles: names(&waiting) };
        Ok(Recorded::new(waiting, event, target(id, person)))
    })
    .await
}

/// Ends the membership that waits for the person. Returns it.
///
/// # Errors
/// [`Refused::NotFound`].
pub async fn decline(
    db: &Db,
    person: &Person,
    id: Uuid,
    origin: &Origin,
) -> Result<WaitingMembership, Refused> {
    let workspace = find(db.read(), person, id, db.now()).await?.workspace_id;
    enter_by_invitation(db, workspace, &person.audit_actor(), origin, async |open| {
        let (waiting, awaited) = under_lock(open, person, id).await?;
        entries::end(open, awaited.member_id, awaited.user_id).await?;
        let event = MembershipDeclined { roles: names(&waiting) };
        Ok(Recorded::new(waiting, event, target(id, person)))
    })
    .await
}

fn target(member: Uuid, person: &Person) -> Target {
    Target::new(MEMBER, member, person.name.clone()).of(Some(person.user_id), &person.email)
}

fn names(waiting: &WaitingMembership) -> Vec<String> {
    waiting.roles.iter().flat_map(|roles| roles.split(", ")).map(str::to_owned).collect()
}
