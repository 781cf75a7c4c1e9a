//! Access with an end: setting it, and taking away what has ended.
//!
//! That something has ended is decided by the statements that admit ([`held_roles`](crate::domain::base::ends)), at the
//! moment of each request. Here its rows are taken away, by what takes them away when somebody removes a member or takes
//! a role: so lists and counts have it as well, and the record says so. It is done before the next person or key is
//! admitted to the workspace, and every few seconds for all workspaces; nothing waits for it.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::CHANGED,
            db::Db,
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            refused::Refused,
            role::{Role, RoleIds, Roles},
            sql::Sql,
        },
        enforce::{
            read::ReadScope,
            rows::Scoped,
            transaction::Transaction,
            workspace::{change_by_program, roles},
            write::WriteScope,
        },
        nouns::members::events::{MemberAccessEnded, MemberEndChanged, MemberRolesEnded},
        records::{
            given_roles::{delete_role, set_role_end},
            members::{MemberRecord, delete, set_access_until},
            offers,
        },
    },
    policy::{Access, Permission, perm},
};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// The furthest end, in milliseconds from now.
const MAX_SPAN: i64 = 3_660 * DAY;

/// Why nobody changes their own end.
pub const OWN_END: &str =
    "You can't change the end of your own access. Ask someone else who manages members.";

/// What has an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Membership,
    /// The role with this slug, among those that the member was given one by one.
    Role(String),
}

/// The result of a change of an end.
#[derive(Clone, Debug)]
pub struct EndChanged {
    pub name: String,
    /// The name of the role; empty for the membership.
    pub role: String,
    pub before: Option<Timestamp>,
    pub after: Option<Timestamp>,
}

/// Checks a moment at which something is to end.
///
/// # Errors
/// On the field `until`, for one that is past, or further away than ten years.
pub fn check_end(until: Option<Timestamp>, now: Timestamp) -> Result<(), Invalid> {
    match until {
        Some(until) if until <= now => Err(Invalid::field("until", "Choose a moment that is still to come.")),
        Some(until) if until - now > MAX_SPAN => {
            Err(Invalid::field("until", "Choose a moment within the next ten years."))
        }
        _ => Ok(()),
    }
}

/// Sets until when a member has access, or one of their roles; `None` for no end. `seen` is the end before, as it was
/// shown; with `None` any.
///
/// # Errors
/// [`Refused::NotFound`] without the member, or the role among those that they were given; [`Refused::Invalid`] as
/// [`check_end`]; [`Refused::Ceiling`]; [`Refused::NotAllowed`] for one's own; [`Refused::Forbidden`] where access would
/// end sooner, for those who can't remove members; [`CHANGED`];
/// [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER).
pub async fn set_end(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    of: &Ending,
    until: Option<Timestamp>,
    seen: Option<Option<Timestamp>>,
) -> Result<Recorded<EndChanged>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    member.not_behind_key(s.actor())?;
    if member.id == s.actor().member_id {
        return Err(Refused::NotAllowed(OWN_END));
    }
    let concerned: Vec<&Role> = match of {
        Ending::Membership => member.own.iter().collect(),
        Ending::Role(slug) => member.own.iter().filter(|role| role.slug == *slug).collect(),
    };
    let (before, role) = match of {
        Ending::Membership => (member.access_until, String::new()),
        Ending::Role(slug) => {
            let given = member.grants.iter().find(|given| given.slug == *slug).ok_or(Refused::NotFound)?;
            (given.ends_at, concerned.first().map(|role| role.name.clone()).unwrap_or_default())
        }
    };
    let given = concerned.iter().map(|role| &role.holdings);
    s.actor().holdings.may_change_roles(&member.holdings(), given)?;
    check_end(until, s.now())?;
    let changed = EndChanged { name: member.name.clone(), role: role.clone(), before, after: until };
    if before == until {
        return Ok(Recorded::unchanged(changed));
    }
    if seen.is_some_and(|seen| seen != before) {
        return Err(CHANGED.into());
    }
    let is_sooner = until.is_some_and(|until| before.is_none_or(|before| until < before));
    if *of == Ending::Membership && is_sooner {
        // It is a removal at a time that is set.
        s.require(Permission::RemoveMembers).await?;
    }
    let by = s.actor().principal.accountable_user();
    match concerned.first() {
        _ if *of == Ending::Membership => set_access_until(s.open(), id, until, Some(by)).await?,
        Some(role) => set_role_end(s.open(), id, role.id, until, by).await?,
        None => return Err(Refused::NotFound),
    }
    let event = MemberEndChanged { role, before, after: until };
    Ok(Recorded::new(changed, event, member.target()))
}

#[derive(FromQueryResult)]
struct DueRow {
    id: Uuid,
}

/// The most members whose access is taken away in one transaction.
const MAX_AT_ONCE: usize = 100;

/// Takes away what has ended in a workspace by now.
async fn take_away(open: &Transaction) -> Result<Vec<RecordedEvent>, Refused> {
    let sql = format!(
        "SELECT m.id FROM members m WHERE m.workspace_id = $1 AND m.next_end_at <= $2
        ORDER BY m.next_end_at, m.id LIMIT {MAX_AT_ONCE}"
    );
    let due: Vec<DueRow> = open.all(&sql, vec![open.now.into()]).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let all = roles::load(open).await?;
    let mut events = Vec::new();
    for DueRow { id } in due {
        let member = match MemberRecord::load(open, &all, id).await {
            // It waited for an answer, and went with whoever had entered it.
            Err(Refused::NotFound) => continue,
            member => member?,
        };
        events.push(match member.access_until.filter(|until| *until <= open.now) {
            Some(until) => end_membership(open, &member, until).await?,
            None => end_roles(open, &all, &member).await?,
        });
    }
    Ok(events)
}

/// As when they are removed, by nobody: so nobody vouches for the keys that they vouched for.
async fn end_membership(
    open: &Transaction,
    member: &MemberRecord,
    until: Timestamp,
) -> Result<RecordedEvent, Refused> {
    let ended = delete(open, member, until, None).await?;
    let event = MemberAccessEnded {
        roles: member.role_names(),
        until,
        invitations_cancelled: ended.invitations,
        entries_ended: ended.entries,
        links_revoked: ended.joining.links,
        domains_removed: ended.joining.domains,
    };
    Ok(RecordedEvent::new(event, member.target()))
}

async fn end_roles(open: &Transaction, all: &Roles, member: &MemberRecord) -> Result<RecordedEvent, Refused> {
    let has_ended = |role: &&Role| {
        let given = member.grants.iter().find(|given| given.slug == role.slug);
        given.and_then(|given| given.ends_at).is_some_and(|at| at <= open.now)
    };
    let over: Vec<Uuid> = member.own.iter().filter(has_ended).map(|role| role.id).collect();
    for role in &over {
        delete_role(open, member.id, *role).await?;
    }
    if member.is_owner() && over.iter().any(|id| all.owner().is_ok_and(|owner| owner.id == *id)) {
        offers::end_offers_in(open, member.id).await?;
    }
    let after: Vec<&Role> = member.own.iter().filter(|role| !over.contains(&role.id)).collect();
    let event = MemberRolesEnded {
        before: member.own.iter().map(|role| role.name.clone()).collect(),
        after: after.iter().map(|role| role.name.clone()).collect(),
        ids: RoleIds::of(&member.own, after.iter().copied()),
    };
    Ok(RecordedEvent::new(event, member.target()))
}

/// [`take_away`], in a transaction of its own.
async fn take_away_in(db: &Db, workspace: Uuid) -> Result<(), Refused> {
    change_by_program(db, workspace, async |open: &Transaction| {
        Ok(Recorded::many((), take_away(open).await?))
    })
    .await
}

/// The same admission, after what has ended in its workspace was taken away: so nothing that it reads has that any more.
/// Where it can't be, it is as if it had not been tried: nobody holds it in any case.
///
/// # Errors
/// As [`ReadScope::admit`].
pub async fn settled<P: Access>(scope: ReadScope<P>) -> Result<ReadScope<P>, Refused> {
    if !scope.actor().workspace.has_ends_due {
        return Ok(scope);
    }
    let workspace = scope.workspace_id();
    if let Err(error) = take_away_in(scope.db(), workspace).await {
        tracing::warn!(%workspace, %error, "could not take away what has ended");
        return Ok(scope);
    }
    match scope.actor().is_visitor() {
        true => Ok(scope),
        false => scope.admit_again().await,
    }
}

/// Takes away what has ended, in all workspaces. To be called every few seconds.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn take_away_overdue(db: &Db) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        workspace_id: Uuid,
    }
    // What has ended in a workspace that is deleted waits until it is restored.
    let sql = "SELECT m.workspace_id FROM members m CROSS JOIN workspaces w
        WHERE m.next_end_at <= $1 AND w.id = m.workspace_id AND w.deleted_at IS NULL
        ORDER BY m.next_end_at, m.id LIMIT 100";
    let mut due: Vec<Due> = db.read().all(sql, vec![db.now().into()]).await?;
    due.dedup_by_key(|due| due.workspace_id);
    for Due { workspace_id } in due {
        match take_away_in(db, workspace_id).await {
            // Gone, or deleted meanwhile.
            Ok(()) | Err(Refused::NotFound) => {}
            Err(Refused::Failed(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(workspace = %workspace_id, %error, "could not take away what has ended")
            }
        }
    }
    Ok(())
}
