//! One member, and what the viewer could do.

use crate::{
    domain::{
        base::{
            refused::Refused,
            role::{self, Assignable, Role},
            sql::{aggregate_json, parse_json_rows},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::members::row::{Member, Row, columns},
        records::{
            joining::JoinCounts,
            members::{OWN_ROLES, tag, version},
        },
    },
    policy::{Access, Permission},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Deserialize;
use uuid::Uuid;

/// One member, and what the viewer could do.
pub struct Detail {
    pub member: Member,
    /// Slugs of the roles that are the member's own; they may hold others through a team.
    pub own: Vec<String>,
    /// What the customer's own applications call them.
    pub external_id: Option<String>,
    /// Empty for a viewer who may not see teams.
    pub teams: Vec<TeamMembership>,
    pub team_count: usize,
    pub roles: Vec<Assignable>,
    /// Pending invitations that this member sent.
    pub invitations: i64,
    /// Memberships that they entered, or it as a key, and that wait for an answer.
    pub entries: i64,
    /// Links that others can join by, and domains whose people can, for which they answer.
    pub joining: JoinCounts,
    /// An ownership offer is pending in this workspace.
    pub offer_pending: bool,
    pub account: AccountStanding,
}

/// The account of the workspace, and who of the member and the viewer administers it.
#[derive(Clone, Debug)]
pub struct AccountStanding {
    pub id: Uuid,
    pub name: String,
    /// It has no other workspace.
    pub is_of_one_workspace: bool,
    pub is_member_admin: bool,
    pub is_viewer_admin: bool,
}

impl Detail {
    /// The version of the member's own roles and status.
    pub fn version(&self) -> String {
        let own = self.roles.iter().map(|role| role.slug.as_str());
        let own = own.filter(|slug| self.own.iter().any(|held| held == slug));
        version(self.member.id, self.member.is_active, own)
    }

    /// The version (ETag) of the member for programs.
    pub fn tag(&self) -> String {
        let Member { roles, access_until, grants, .. } = &self.member;
        tag(&self.version(), roles, self.external_id.as_deref(), *access_until, grants)
    }
}

/// A team that somebody is in.
#[derive(Clone, Debug)]
pub struct TeamMembership {
    pub team: Uuid,
    pub name: String,
    pub is_lead: bool,
    /// The roles of the team.
    pub roles: Vec<Role>,
}

#[derive(Deserialize)]
struct TeamMembershipRow {
    team_id: Uuid,
    name: String,
    leads: i64,
    roles: Option<String>,
}

/// The teams of the member `$4`.
const TEAM_MEMBERSHIPS: &str =
    "SELECT t.id AS team_id, t.name, CASE WHEN tm.is_lead THEN 1 ELSE 0 END AS leads,
        (SELECT string_agg(r.slug, ' ') FROM team_roles tr
            JOIN roles r ON r.workspace_id = tr.workspace_id AND r.id = tr.role_id
            WHERE tr.workspace_id = t.workspace_id AND tr.team_id = t.id) AS roles
    FROM team_members tm CROSS JOIN teams t WHERE tm.workspace_id = $1 AND tm.member_id = $4
        AND t.workspace_id = tm.workspace_id AND t.id = tm.team_id
    ORDER BY t.listed_as";

#[derive(FromQueryResult)]
struct RelatedRow {
    owners: i64,
    invitations: i64,
    entries: i64,
    links: i64,
    domains: i64,
    offers: i64,
    own: Option<String>,
    external_id: Option<String>,
    teams: Option<String>,
    account: String,
    account_workspaces: i64,
    member_admins: i64,
    viewer_admins: i64,
}

/// Loads one member.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub async fn detail<P>(scope: &ReadScope<P>, id: Uuid) -> Result<Detail, Refused>
where
    P: Access,
{
    let all = &scope.actor().all_roles;
    let row: Option<Row> = scope
        .first(
            &format!("{} WHERE m.workspace_id = $1 AND m.id = $2", columns("$3")),
            vec![id.into(), scope.now().into()],
        )
        .await?;
    let row = row.ok_or(Refused::NotFound)?;
    let teams = aggregate_json(
        scope.connection().get_database_backend(),
        &["team_id", "name", "leads", "roles"],
        TEAM_MEMBERSHIPS,
    );
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM lasting_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM invitations n WHERE n.workspace_id = $1 AND n.status = 'pending'
                AND n.inviter_id = $2 AND n.inviter_key_id IS NULL AND n.expires_at > $3)
            + (SELECT COUNT(*) FROM invitations n WHERE n.workspace_id = $1 AND n.status = 'pending'
                AND n.inviter_key_id = m.api_key_id AND n.expires_at > $3) AS invitations,
            (SELECT COUNT(*) FROM members e WHERE e.workspace_id = $1 AND e.entered_by = $2)
            + (SELECT COUNT(*) FROM members e WHERE e.workspace_id = $1 AND e.entered_by_key = m.api_key_id)
                AS entries,
            (SELECT COUNT(*) FROM join_links l WHERE l.workspace_id = $1 AND l.inviter_id = $2
                AND l.inviter_key_id IS NULL AND l.revoked_at IS NULL AND l.expires_at > $3 AND l.uses < l.max_uses)
            + (SELECT COUNT(*) FROM join_links l WHERE l.workspace_id = $1 AND l.inviter_key_id = m.api_key_id
                AND l.revoked_at IS NULL AND l.expires_at > $3 AND l.uses < l.max_uses) AS links,
            (SELECT COUNT(*) FROM join_domains d WHERE d.workspace_id = $1 AND d.inviter_id = $2
                AND d.inviter_key_id IS NULL)
            + (SELECT COUNT(*) FROM join_domains d WHERE d.workspace_id = $1 AND d.inviter_key_id = m.api_key_id)
                AS domains,
            (SELECT COUNT(*) FROM ownership_offers f WHERE f.workspace_id = $1 AND f.status = 'pending'
                AND f.expires_at > $3) AS offers,
            (SELECT a.name FROM accounts a WHERE a.id = $5) AS account,
            (SELECT COUNT(*) FROM (SELECT w.id FROM workspaces w WHERE w.account_id = $5 LIMIT 2) AS two)
                AS account_workspaces,
            (SELECT COUNT(*) FROM account_people p WHERE p.account_id = $5 AND p.user_id = m.user_id
                AND p.is_admin) AS member_admins,
            (SELECT COUNT(*) FROM account_people p WHERE p.account_id = $5 AND p.user_id = $6
                AND p.is_admin) AS viewer_admins,
            {OWN_ROLES} AS own, m.external_id, {teams} AS teams
        FROM members m WHERE m.workspace_id = $1 AND m.id = $4"
    );
    let (account, viewer) = (scope.actor().workspace.account_id, scope.actor().principal.id());
    let values = vec![row.user_id.into(), scope.now().into(), id.into(), account.into(), viewer.into()];
    let related: RelatedRow = scope.first(&sql, values).await?.ok_or(Refused::NotFound)?;
    let teams: Vec<TeamMembershipRow> = parse_json_rows(related.teams.as_deref())?;
    let team_count = teams.len();
    let shown = if scope.actor().holdings.has(Permission::ReadTeams) { teams } else { Vec::new() };
    let membership = |row: TeamMembershipRow| TeamMembership {
        team: row.team_id,
        name: row.name,
        is_lead: row.leads == 1,
        roles: all.parse_slugs(row.roles.as_deref().unwrap_or_default()).into_iter().cloned().collect(),
    };
    Ok(Detail {
        own: related.own.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect(),
        external_id: related.external_id,
        teams: shown.into_iter().map(membership).collect(),
        team_count,
        member: row.for_viewer(scope.actor(), all, related.owners),
        roles: role::assignable_roles(all, &scope.actor().holdings),
        invitations: related.invitations,
        entries: related.entries,
        joining: JoinCounts { links: related.links, domains: related.domains },
        offer_pending: related.offers > 0,
        account: AccountStanding {
            id: account,
            name: related.account,
            is_of_one_workspace: related.account_workspaces == 1,
            is_member_admin: related.member_admins > 0,
            is_viewer_admin: related.viewer_admins > 0,
        },
    })
}
