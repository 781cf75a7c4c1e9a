//! Changing many members at once: the change of one, for each of them, in one transaction. If the
//! rules forbid it for one of them, none is changed.

use crate::{
    domain::{
        base::{
            event::Recorded,
            refused::Refused,
            role::{self, Assignable},
            selection::Selection,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::members::{
            change::{self, ALREADY_SUSPENDED},
            role_change::{self, RoleChange, Seen},
            row::{Member, Row, columns},
        },
        records::members,
    },
    policy::{Access, perm},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// What is known about the selected members before they are changed.
pub struct Review {
    pub members: Vec<Member>,
    pub roles: Vec<Assignable>,
    /// Pending invitations that they sent.
    pub invitations: i64,
    /// Memberships that they entered, and that wait for an answer.
    pub entries: i64,
    /// Keys of this workspace that they vouch for, or know a secret of.
    pub dependent_keys: i64,
}

#[derive(FromQueryResult)]
struct RelatedCounts {
    owners: i64,
    invitations: i64,
    entries: i64,
    dependent_keys: i64,
}

/// Loads the selected members, in the order of their names.
///
/// # Errors
/// [`Refused::NotFound`] if one of them is not a member of this workspace.
pub async fn review<P: Access>(scope: &ReadScope<P>, selection: &Selection) -> Result<Review, Refused> {
    let all = scope.actor().all_roles.clone();
    let (ids, mut values) = selection.bound();
    let now = format!("${}", values.len() + 2);
    // Put together, the name's index gives no order: SQLite would go along it through all members.
    let sql = format!(
        "{} WHERE m.workspace_id = $1 AND m.id IN ({ids}) ORDER BY m.listed_as || '', m.id",
        columns(&now)
    );
    values.push(scope.now().into());
    let rows: Vec<Row> = scope.all(&sql, values.clone()).await?;
    if rows.len() != selection.len() {
        return Err(Refused::NotFound);
    }
    // Put together, a column is found by no index, along which all that there is would be gone through.
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM lasting_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM invitations n JOIN members m
                ON m.workspace_id = n.workspace_id AND m.user_id = n.inviter_id
                WHERE n.workspace_id = $1 AND n.status = 'pending' AND n.expires_at > {now}
                AND n.inviter_key_id IS NULL AND m.id IN ({ids}))
            + (SELECT COUNT(*) FROM invitations n JOIN members m
                ON m.workspace_id = n.workspace_id AND COALESCE(m.api_key_id, m.id) = n.inviter_key_id
                WHERE n.workspace_id = $1 AND n.status = 'pending' AND n.expires_at > {now}
                AND m.id IN ({ids})) AS invitations,
            (SELECT CAST(COALESCE(SUM((SELECT COUNT(*) FROM members e
                    WHERE e.workspace_id = m.workspace_id AND e.entered_by = m.user_id)
                + (SELECT COUNT(*) FROM members e
                    WHERE e.workspace_id = m.workspace_id AND e.entered_by_key = m.api_key_id)), 0) AS BIGINT)
                FROM members m WHERE m.workspace_id = $1 AND m.id IN ({ids})) AS entries,
            (SELECT COUNT(*) FROM (SELECT vm.api_key_id FROM members m CROSS JOIN members vm
                    WHERE m.workspace_id = $1 AND m.id IN ({ids})
                        AND vm.workspace_id = m.workspace_id AND vm.vouched_by = m.user_id
                UNION SELECT s.api_key_id FROM members m JOIN api_key_secrets s ON s.shown_to = m.user_id
                    JOIN members h ON h.api_key_id = s.api_key_id AND COALESCE(h.workspace_id, h.id) = m.workspace_id
                    WHERE m.workspace_id = $1 AND m.id IN ({ids})) AS dependent) AS dependent_keys",
    );
    let counts: RelatedCounts = scope.first(&sql, values).await?.ok_or(Refused::NotFound)?;
    let seen = |row: Row| row.for_viewer(scope.actor(), &all, counts.owners);
    Ok(Review {
        members: rows.into_iter().map(seen).collect(),
        roles: role::assignable_roles(&all, &scope.actor().holdings),
        invitations: counts.invitations,
        entries: counts.entries,
        dependent_keys: counts.dependent_keys,
    })
}

/// One member of a selection, and the result for them.
#[derive(Clone, Debug)]
pub struct MemberResult {
    pub id: Uuid,
    pub name: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    RolesChanged { before: Vec<String>, after: Vec<String> },
    HadTheseRoles,
    Suspended,
    WasSuspended,
    Removed,
}

/// Adds to the own roles of each of them, takes some away, or replaces them.
///
/// # Errors
/// As [`role_change::change_roles`], for any of them; [`Refused::Invalid`] on the field `role` if one would have none
/// left.
pub async fn change_roles(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    selection: &Selection,
    kind: RoleChange,
    roles: &[String],
) -> Result<Recorded<Vec<MemberResult>>, Refused> {
    let mut each = Vec::new();
    for id in selection.iter() {
        each.push(role_change::change_roles_by(s, id, kind, roles, Seen::Anything).await?.map(|changed| {
            let outcome = match changed.is_change {
                false => Outcome::HadTheseRoles,
                true => Outcome::RolesChanged { before: changed.before, after: changed.after },
            };
            MemberResult { id, name: changed.name, outcome }
        }));
    }
    Ok(Recorded::together(each))
}

/// Suspends each of them. Members who are already suspended stay so.
///
/// # Errors
/// As [`change::suspend`], for any of them.
pub async fn suspend(
    s: &mut WriteScope<perm::SuspendMembers>,
    selection: &Selection,
) -> Result<Recorded<Vec<MemberResult>>, Refused> {
    let mut each = Vec::new();
    for id in selection.iter() {
        each.push(match change::suspend(s, id).await {
            Ok(done) => done.map(|name| MemberResult { id, name, outcome: Outcome::Suspended }),
            Err(Refused::Conflict(ALREADY_SUSPENDED)) => {
                let name = members::name(s, id).await?;
                Recorded::unchanged(MemberResult { id, name, outcome: Outcome::WasSuspended })
            }
            Err(refused) => return Err(refused),
        });
    }
    Ok(Recorded::together(each))
}

/// Those among them that wait for a person. With the membership of whoever entered them they end by themselves, so they
/// are removed before it.
async fn waiting(s: &WriteScope<perm::RemoveMembers>, selection: &Selection) -> Result<Vec<Uuid>, Refused> {
    #[derive(FromQueryResult)]
    struct Waiting {
        id: Uuid,
        entered_by: Option<Uuid>,
    }
    let (ids, values) = selection.bound();
    let sql =
        format!("SELECT m.id, m.entered_by FROM members m WHERE m.workspace_id = $1 AND m.id IN ({ids})");
    let rows: Vec<Waiting> = s.all(&sql, values).await?;
    Ok(rows.into_iter().filter(|row| row.entered_by.is_some()).map(|row| row.id).collect())
}

/// Ends the membership of each of them.
///
/// # Errors
/// As [`change::remove`], for any of them.
pub async fn remove(
    s: &mut WriteScope<perm::RemoveMembers>,
    selection: &Selection,
) -> Result<Recorded<Vec<MemberResult>>, Refused> {
    let waiting = waiting(s, selection).await?;
    let (first, then): (Vec<Uuid>, Vec<Uuid>) = selection.iter().partition(|id| waiting.contains(id));
    let mut each = Vec::new();
    for id in first.into_iter().chain(then) {
        each.push(change::remove(s, id).await?.map(|name| MemberResult {
            id,
            name,
            outcome: Outcome::Removed,
        }));
    }
    Ok(Recorded::together(each))
}
