//! The change itself: one transaction, in which every workspace of the account is locked, and the account.

use crate::{
    domain::{
        base::{
            ends::{held_roles, lasts},
            event::{Recorded, RecordedEvent, Target},
            principal::{Principal, USER},
            refused::Refused,
            role,
            sql::Sql,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
            workspace::ensure_owner_remains,
            write::WriteScope,
        },
        nouns::{
            accounts::events::AccountAdminChanged,
            api_keys,
            members::{MemberRecord, delete, end_with, events::MemberRemoved, notify_of_removal},
            offboarding::{
                events::PersonOffboarded,
                options::Offboarding,
                take_over::{TakenOver, take_over},
            },
        },
        records::{
            accounts,
            joining::{self, JoinCounts},
        },
    },
    policy::{Permission, perm},
};
use sea_orm::FromQueryResult;
use std::collections::BTreeSet;
use uuid::Uuid;

const NO_PERSON: &str = "Only people are offboarded. Remove the API key from the workspace, or revoke it.";

const NOT_JOINED: &str = "They haven't accepted yet. Remove their membership instead.";

const OUT_OF_REACH: &str =
    "You can't remove this person from one of the chosen workspaces. Nothing was changed, here or there.";

const NOT_BY_KEY: &str = "An API key offboards people from its own workspace alone.";

const NO_ADMIN: &str = "Only an account admin can remove someone from the account. Nothing was changed.";

/// What was done, to be printed or kept.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub name: String,
    pub email: String,
    /// What they had in this workspace.
    pub roles: Vec<String>,
    /// Empty for an actor who may not see teams.
    pub teams: Vec<String>,
    pub team_count: usize,
    /// API keys that were revoked.
    pub keys_revoked: usize,
    /// What they had sent that was not answered: what ended, and what the actor answers for now.
    pub invitations_cancelled: i64,
    pub links_revoked: i64,
    pub domains_removed: i64,
    pub taken_over: TakenOver,
    /// Names of other workspaces that they were removed from.
    pub elsewhere: Vec<String>,
    pub was_account_admin: bool,
    pub left_account: bool,
}

/// Offboards a person: all of it is done, or nothing.
///
/// # Errors
/// As [`remove`](super::remove::remove); [`Refused::NotAllowed`] for a key, or for a workspace or an account in which the
/// actor may not do it; [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER) for any of the workspaces,
/// [`LAST_ADMIN`](crate::domain::base::invariants::LAST_ADMIN).
pub async fn offboard(
    scope: ReadScope<perm::RemoveMembers>,
    id: Uuid,
    options: &Offboarding,
) -> Result<Report, Refused> {
    scope.write_with_account(async |s| offboard_locked(s, id, options).await).await
}

async fn offboard_locked(
    s: &mut WriteScope<perm::RemoveMembers>,
    id: Uuid,
    options: &Offboarding,
) -> Result<Recorded<Report>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    let Some(user) = member.user_id else { return Err(Refused::NotAllowed(NO_PERSON)) };
    if member.is_awaited {
        return Err(Refused::NotAllowed(NOT_JOINED));
    }
    let teams = teams_of(s, id).await?;
    let (taken_over, mut events) = take_over(s, id, options.offers).await?.into_parts();
    // What is left ends with the membership.
    let left = joining::count_of(s, Some(user), None, s.now()).await?;
    let invitations_cancelled = pending_of(s, user).await?;
    let ((name, keys_revoked), more) = end_with(s, id, options.keys).await?.into_parts();
    events.extend(more);
    let mut elsewhere = Vec::new();
    let others: BTreeSet<Uuid> = options.elsewhere.iter().copied().collect();
    for other in others {
        elsewhere.push(end_elsewhere(s, user, other).await?);
    }
    let (was_account_admin, left_account) = match options.account {
        true => leave_account(s, user, &member, &mut events).await?,
        false => (false, false),
    };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let event = PersonOffboarded {
        other_workspaces: count(elsewhere.len()),
        keys_revoked: count(keys_revoked),
        taken_over: taken_over.sum(),
        was_account_admin,
        left_account,
    };
    events.push(RecordedEvent::new(event, member.target()));
    let JoinCounts { links: links_revoked, domains: domains_removed } = left;
    let report = Report {
        name,
        email: member.email.clone(),
        roles: member.role_names(),
        team_count: teams.len(),
        teams: if s.actor().holdings.has(Permission::ReadTeams) { teams } else { Vec::new() },
        keys_revoked,
        invitations_cancelled,
        links_revoked,
        domains_removed,
        taken_over,
        elsewhere,
        was_account_admin,
        left_account,
    };
    Ok(Recorded::many(report, events))
}

#[derive(FromQueryResult)]
struct Named {
    name: String,
}

async fn teams_of<P>(s: &WriteScope<P>, member: Uuid) -> Result<Vec<String>, Refused> {
    let sql = "SELECT t.name FROM team_members tm CROSS JOIN teams t WHERE tm.workspace_id = $1 AND tm.member_id = $2
            AND t.workspace_id = tm.workspace_id AND t.id = tm.team_id ORDER BY t.listed_as || ''";
    let teams: Vec<Named> = s.all(sql, vec![member.into()]).await?;
    Ok(teams.into_iter().map(|team| team.name).collect())
}

#[derive(FromQueryResult)]
struct Pending {
    pending: i64,
}

/// Invitations that a person sent and that nobody has answered.
async fn pending_of<P>(s: &WriteScope<P>, user: Uuid) -> Result<i64, Refused> {
    // So asked, it is the index of who sent them that finds them, and not that of all of the workspace.
    let sql = "SELECT COUNT(*) AS pending FROM invitations
        WHERE (workspace_id = $1) IS TRUE AND inviter_id = $2 AND inviter_key_id IS NULL AND status = 'pending'";
    let pending: Option<Pending> = s.first(sql, vec![user.into()]).await?;
    Ok(pending.map_or(0, |found| found.pending))
}

#[derive(FromQueryResult)]
struct Elsewhere {
    name: String,
    roles_version: Option<Uuid>,
    member_id: Uuid,
    own: String,
}

/// Ends the membership in another workspace of the account, where the actor must be allowed to, as they are there, and with
/// a session that opens it. Secrets that the person knows stop working there. Returns the workspace's name.
async fn end_elsewhere(
    s: &mut WriteScope<perm::RemoveMembers>,
    user: Uuid,
    workspace: Uuid,
) -> Result<String, Refused> {
    let Principal::User(person) = &s.actor().principal else { return Err(Refused::NotAllowed(NOT_BY_KEY)) };
    // Those of the account are locked, and no others.
    if !s.has_locked(workspace) {
        return Err(Refused::NotAllowed(OUT_OF_REACH));
    }
    let sql = concat!(
        "SELECT w.name, w.roles_version, m.id AS member_id, ",
        held_roles!("o", "$4"),
        " AS own FROM workspaces w CROSS JOIN members m CROSS JOIN members o
        WHERE w.id = $1 AND w.deleted_at IS NULL AND w.suspended_at IS NULL
            AND m.workspace_id = w.id AND m.user_id = $2
            AND o.workspace_id = w.id AND o.user_id = $3 AND o.status = 'active' AND (o.sessions_from IS NULL
                OR (SELECT x.created_at FROM sessions x WHERE x.id = $5) >= o.sessions_from) AND ",
        lasts!("o", "$4")
    );
    let session = person.session_id;
    let values = vec![workspace.into(), user.into(), person.user_id.into(), s.now().into(), session.into()];
    let row: Option<Elsewhere> = s.connection().first(sql, values).await?;
    let row = row.ok_or(Refused::NotAllowed(OUT_OF_REACH))?;
    let there = Unadmitted(s.connection(), workspace);
    let all = s.open().db.roles().at(&there, row.roles_version).await?;
    let own = role::holdings(&all.parse_slugs(&row.own));
    let member = MemberRecord::load(&there, &all, row.member_id).await?;
    if !own.has(Permission::RemoveMembers) || own.may_manage(&member.holdings()).is_err() {
        return Err(Refused::NotAllowed(OUT_OF_REACH));
    }
    api_keys::take_over_vouching_at(&there, &member, &all, person.user_id).await?;
    let ended = delete(&there, &member, s.now(), None).await?;
    ensure_owner_remains(s.connection(), workspace).await?;
    notify_of_removal(s, user, &row.name).await?;
    let event = MemberRemoved {
        roles: member.role_names(),
        invitations_cancelled: ended.invitations,
        entries_ended: ended.entries,
        links_revoked: ended.joining.links,
        domains_removed: ended.joining.domains,
        secrets_until: None,
    };
    s.record_in(workspace, Recorded::new((), event, member.target()));
    Ok(row.name)
}

#[derive(FromQueryResult)]
struct Memberships {
    memberships: i64,
}

/// Removes a person as an admin of the account and, if they are in none of its workspaces any more, from the account. What a
/// trigger says if nobody else administers it is [`LAST_ADMIN`](crate::domain::base::invariants::LAST_ADMIN).
async fn leave_account(
    s: &mut WriteScope<perm::RemoveMembers>,
    user: Uuid,
    member: &MemberRecord,
    events: &mut Vec<RecordedEvent>,
) -> Result<(bool, bool), Refused> {
    let account = s.actor().workspace.account_id;
    let Some(actor) = s.actor().principal.person().map(|person| person.user_id) else {
        return Err(Refused::NotAllowed(NO_ADMIN));
    };
    if !accounts::is_admin(s.connection(), account, actor).await? {
        return Err(Refused::NotAllowed(NO_ADMIN));
    }
    let was_admin = accounts::is_admin(s.connection(), account, user).await?;
    let sql = "SELECT COUNT(*) AS memberships FROM members m CROSS JOIN workspaces w
        WHERE m.user_id = $1 AND w.id = m.workspace_id AND w.account_id = $2";
    let left: Option<Memberships> = s.connection().first(sql, vec![user.into(), account.into()]).await?;
    let goes = left.is_some_and(|left| left.memberships == 0);
    let values = vec![account.into(), user.into()];
    if goes {
        let sql = "DELETE FROM account_people WHERE account_id = $1 AND user_id = $2";
        s.connection().run(sql, values).await?;
    } else if was_admin {
        let sql = "UPDATE account_people SET is_admin = FALSE WHERE account_id = $1 AND user_id = $2";
        s.connection().run(sql, values).await?;
    }
    if was_admin {
        let target = Target::new(USER, user, member.name.clone()).of(Some(user), &member.email);
        let event = RecordedEvent::new(AccountAdminChanged { is_admin: false }, target);
        s.record_in_others(event.clone());
        events.push(event);
    }
    Ok((was_admin, goes))
}
