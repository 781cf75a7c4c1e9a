//! A domain of a workspace, as somebody with an address there sees it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Gone,
            db::Db,
            event::{Recorded, RecordedEvent},
            principal::{Origin, Person},
            refused::Refused,
            role::Role,
            sql::Sql,
        },
        enforce::workspace::{enter_by_invitation, roles},
        nouns::{
            billing::seats::{self, Asker},
            joining::{
                domain_of,
                domains::{Lookup, PROOF_COUNTS, look_again},
                enter::{Entry, enter, is_confirmed, is_new},
                events::{JoinDomainUsed, domain_target},
            },
        },
        records::{
            inviters::{self, InviterId},
            offered_teams::may_offer,
        },
    },
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

const INVITER_GONE: Gone = Gone::new(
    "join-domain-inviter-gone",
    "People with your address can't join this workspace by themselves at the moment, because the person who answers for that can no longer invite people with this role. Ask someone in the workspace to invite you.",
);

const UNPROVED: Gone = Gone::new(
    "join-domain-unproved",
    "People with your address can't join this workspace by themselves at the moment, because it could not be confirmed that the domain of your address is the workspace's. Ask someone there to invite you.",
);

/// A workspace that somebody can join by themselves.
#[derive(Clone, Debug, FromQueryResult)]
pub struct JoinableWorkspace {
    /// The id of the domain by which they can.
    pub id: Uuid,
    pub workspace: String,
    pub account: String,
    pub domain: String,
    /// The name of the role that they get.
    pub role: String,
}

const JOINABLE: &str = "SELECT d.id, w.name AS workspace, a.name AS account, d.domain, r.name AS role
    FROM join_domains d CROSS JOIN workspaces w CROSS JOIN accounts a CROSS JOIN roles r
    WHERE d.domain = $1 AND d.verified_at IS NOT NULL
        AND w.id = d.workspace_id AND w.deleted_at IS NULL AND w.suspended_at IS NULL
        AND a.id = w.account_id AND a.suspended_at IS NULL
        AND r.workspace_id = d.workspace_id AND r.id = d.role_id
        AND NOT EXISTS (SELECT 1 FROM members m WHERE m.workspace_id = d.workspace_id AND m.user_id = $2)
        AND NOT EXISTS (SELECT 1 FROM former_members f WHERE f.workspace_id = d.workspace_id AND f.user_id = $2)
    ORDER BY w.name, d.id LIMIT 50";

/// The workspaces that this person can join by themselves, by name. None before they have confirmed their address.
///
/// # Errors
/// The database's own.
pub async fn joinable(db: &Db, person: &Person) -> Result<Vec<JoinableWorkspace>, Refused> {
    if !person.is_verified {
        return Ok(Vec::new());
    }
    Ok(db.read().all(JOINABLE, vec![domain_of(&person.email).into(), person.user_id.into()]).await?)
}

#[derive(FromQueryResult)]
struct Row {
    workspace_id: Uuid,
    account_id: Uuid,
    domain: String,
    role_id: Uuid,
    inviter_id: Uuid,
    inviter_key_id: Option<Uuid>,
    checked_at: Option<Timestamp>,
    slug: String,
    workspace: String,
}

/// A proved domain that is this person's.
async fn find(connection: &impl ConnectionTrait, person: &Person, id: Uuid) -> Result<Row, Refused> {
    is_confirmed(person)?;
    let sql = "SELECT d.workspace_id, w.account_id, d.domain, d.role_id, d.inviter_id, d.inviter_key_id, d.checked_at,
            w.slug, w.name AS workspace
        FROM join_domains d JOIN workspaces w ON w.id = d.workspace_id AND w.deleted_at IS NULL
            AND w.suspended_at IS NULL
        JOIN accounts a ON a.id = w.account_id AND a.suspended_at IS NULL
        WHERE d.id = $1 AND d.domain = $2 AND d.verified_at IS NOT NULL";
    let values = vec![id.into(), domain_of(&person.email).into()];
    connection.first(sql, values).await?.ok_or(Refused::NotFound)
}

/// A workspace that somebody just joined.
#[derive(Clone, Debug)]
pub struct JoinedWorkspace {
    pub slug: String,
    pub workspace: String,
    /// The name of the role that they got.
    pub role: String,
}

/// Makes the person a member, with the domain's role. If the domain's proof was looked for long ago, it is looked for
/// again: a domain that somebody else has by now lets nobody in.
///
/// # Errors
/// [`Refused::NotFound`] where their address is at no such domain, or it is no longer proved; [`Refused::Gone`];
/// [`Refused::Prerequisite`] before they have confirmed their address; [`Refused::Busy`] if DNS doesn't answer;
/// [`ALREADY_MEMBER`](crate::domain::nouns::members::add::ALREADY_MEMBER), [`LEFT`](super::LEFT); a
/// conflict where there is no seat.
pub async fn join_by_domain(
    db: &Db,
    person: &Person,
    id: Uuid,
    origin: &Origin,
    lookup: impl AsyncFnOnce(&str) -> Lookup,
) -> Result<JoinedWorkspace, Refused> {
    let seen = find(db.read(), person, id).await?;
    if seen.checked_at.is_none_or(|at| at + PROOF_COUNTS <= db.now()) {
        look_again(db, seen.workspace_id, id, lookup).await?;
        if let Err(Refused::NotFound) = find(db.read(), person, id).await {
            return Err(UNPROVED.into());
        }
    }
    enter_by_invitation(db, seen.workspace_id, &person.audit_actor(), origin, async |open| {
        let row = find(&open.tx, person, id).await?;
        let inviter_id = InviterId { user: row.inviter_id, key: row.inviter_key_id };
        is_new(open, person, inviter_id).await?;
        let all = roles::load(open).await?;
        let role: &Role = all.iter().find(|role| role.id == row.role_id).ok_or(Refused::NotFound)?;
        let inviter = inviters::load(open, inviter_id, &all, open.now).await?;
        let holdings = inviter.holdings.filter(|held| may_offer(held, &[role], &[]).is_ok());
        let holdings = holdings.ok_or(INVITER_GONE)?;
        let entry = Entry {
            account: row.account_id,
            inviter: inviter_id,
            inviter_holdings: &holdings,
            roles: vec![role.id],
            teams: &[],
        };
        let replaced = enter(open, person, &entry).await?;
        let asker = Asker::Joiner { workspace: &row.workspace };
        let grown = seats::ensure(open, asker).await?.map(|(_, event)| event);
        let event = JoinDomainUsed { role: role.name.clone() };
        let joined = RecordedEvent::new(event, domain_target(id, &row.domain));
        let role = role.name.clone();
        let joined_workspace = JoinedWorkspace { slug: row.slug, workspace: row.workspace, role };
        Ok(Recorded::many(joined_workspace, replaced.into_iter().chain([joined]).chain(grown).collect()))
    })
    .await
}
